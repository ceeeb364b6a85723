"""Behaviour of the private names of scikit-learn that the searches rely on."""

import ast
import inspect
import pickle
import re
import textwrap
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy.sparse import csr_array
from sklearn import config_context
from sklearn.model_selection import KFold, RandomizedSearchCV
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils.fixes import parse_version
from sklearn.utils.parallel import delayed

import sklearn_lepton
from sklearn_lepton._evaluation import fits as fits_module
from sklearn_lepton._evaluation import sklearn as sklearn_module
from sklearn_lepton._evaluation.sklearn_versions import SUPPORTED
from sklearn_lepton._workers import serialization as serialization_module
from sklearn_lepton._workers.serialization import SharedContext, run_fit

HAS_CALLBACKS = parse_version(sklearn.__version__) >= parse_version("1.9")


class Stock(BaseSearchCV):
    """scikit-learn's own search around a conversation of the test's choice."""

    def __init__(
        self, estimator, conversation=None, *, refit=True, scoring=None, error_score=np.nan
    ):
        super().__init__(
            estimator,
            refit=refit,
            scoring=scoring,
            cv=3,
            error_score=error_score,
            return_train_score=False,
        )
        self.conversation = conversation

    def _run_search(self, evaluate_candidates, **extra):
        self.__dict__.setdefault("calls", []).append(extra)
        self.conversation(self, evaluate_candidates)

    def _format_results(self, candidate_params, n_splits, out, more_results=None):
        results = super()._format_results(candidate_params, n_splits, out, more_results)
        self.__dict__.setdefault("formatted", []).append(
            {"params": list(candidate_params), "out": out, "n_rows": len(out), "results": results}
        )
        return results


class WithContext(Stock):
    def _run_search(self, evaluate_candidates, *, callback_ctx=None):
        super()._run_search(evaluate_candidates, callback_ctx=callback_ctx)


def two_batches(search, evaluate):
    evaluate([{"x": 0.1}, {"x": 0.7}])
    evaluate([{"x": 0.3}])


def run_recorded(recorder, evaluate, params):
    """Take the fits from `evaluate_candidates`, run them and hand in their rows."""
    recorder.rows = None
    with pytest.raises(fits_module._Recorded) as caught:
        evaluate(params)
    recorder.rows = [run_fit(fit) for fit in caught.value.fits]
    return caught.value.fits, evaluate(params)


def test_fits_have_one_function_until_the_configuration_changes(probe, numbered):
    sizes, functions = [], []

    def converse(search, evaluate):
        recorder = sklearn_module.read_fit(search, evaluate).recorder
        for assume_finite in (False, False, True):
            with config_context(assume_finite=assume_finite):
                fits, _ = run_recorded(recorder, evaluate, [{"x": 0.1}, {"x": 0.7}])
            functions.append({id(fit.function): fit.function for fit in fits})
            context = SharedContext(fits_module.shared_objects_of(fits), None)
            sizes.extend(len(context.serialize(fit)) for fit in fits)

    Stock(probe, converse).fit(*numbered)
    assert [len(each) for each in functions] == [1, 1, 1]
    assert functions[0].keys() == functions[1].keys() != functions[2].keys()
    [changed] = functions[2].values()
    assert changed.config["assume_finite"]
    # The docstring of scikit-learn's function alone has three thousand bytes.
    assert max(sizes) < 1500


@pytest.mark.skipif(not HAS_CALLBACKS, reason="scikit-learn has no callbacks")
def test_task_of_a_fit_leaves_the_other_fits_behind(probe, numbered):
    sizes = []

    class Search(WithContext):
        def _run_search(self, evaluate_candidates, *, callback_ctx=None):
            task = sklearn_module.SearchTask(callback_ctx, self, np.inf)
            recorder = sklearn_module.read_fit(self, evaluate_candidates).recorder
            for n_trials in (1, 9):
                recorder.rows = None
                with pytest.raises(fits_module._Recorded) as caught:
                    evaluate_candidates([{"x": 0.1}] * n_trials, callback_ctx=task)
                leaves = [fit.kwargs["callback_ctx"] for fit in caught.value.fits]
                sizes.append(max(len(pickle.dumps(leaf)) for leaf in leaves))
            recorder.rows = [run_fit(fit) for fit in caught.value.fits]
            evaluate_candidates([{"x": 0.1}] * n_trials)

    Search(probe).fit(*numbered)
    assert sizes[1] <= sizes[0] + 50


def test_warning_filter_of_some_fits_leaves_the_function_of_others_as_it_is():
    function, _, _ = delayed(len)([])
    function.with_config_and_warning_filters({}, [("error", None, Warning, None, 0)])
    changed = sklearn_module.with_warning_filter(function, ("ignore", None, Warning, None, 0))
    assert [entry[0] for entry in changed.warning_filters] == ["ignore", "error"]
    assert [entry[0] for entry in function.warning_filters] == ["error"]


@pytest.mark.skipif(not HAS_CALLBACKS, reason="scikit-learn has no callbacks")
@pytest.mark.parametrize("callbacks", [[], ["callback"]])
def test_fits_share_their_parent_task_unless_there_are_callbacks(probe, numbered, callbacks):
    found = []

    class Search(WithContext):
        def _run_search(self, evaluate_candidates, *, callback_ctx=None):
            task = sklearn_module.SearchTask(callback_ctx, self, np.inf)
            task._context._callbacks = callbacks
            [parent] = task.shared_objects or [None]
            leaf = task.subcontext("fit", 0)
            if parent is None:
                found.append(parent)
                return
            assert leaf.parent is parent
            context = SharedContext(task.shared_objects, None)
            payload = context.serialize((lambda leaf: {"parent": leaf.parent}, (leaf,), {}))
            [shared], _ = context.content
            shared._children_map["left by an earlier fit"] = leaf
            _, [arrived], _ = serialization_module._loads(payload, [shared].__getitem__)
            assert arrived.task_id == leaf.task_id
            found.append(arrived.parent)
            assert not shared._children_map

    with pytest.raises(IndexError):  # the search has no results
        Search(probe).fit(*numbered)
    assert (found[0] is None) == bool(callbacks)


def test_run_search_is_called_once(probe, numbered):
    search = Stock(probe, two_batches).fit(*numbered)
    assert search.calls == [{}]


def test_run_search_gets_the_callbacks_if_it_accepts_them(probe, numbered):
    search = WithContext(probe, two_batches).fit(*numbered)
    [extra] = search.calls
    context = extra["callback_ctx"]
    assert (context is not None) == HAS_CALLBACKS
    if HAS_CALLBACKS:
        task = context.subcontext(task_name="search", max_subtasks=2, sequential_subtasks=False)
        assert task.call_on_fit_task_begin(estimator=search) is task
        leaf = task.subcontext(task_name="leaf", task_id=7)
        assert (leaf.task_name, leaf.task_id, leaf.parent) == ("leaf", 7, task)
        from sklearn.callback import CallbackContext

        assert type(leaf) is CallbackContext


@pytest.mark.parametrize("earlier", [False, True])
def test_running_fit_has_its_number_of_splits(probe, numbered, earlier):
    told = []

    def converse(search, evaluate):
        recorder = sklearn_module.read_fit(search, evaluate).recorder
        told.append(search.n_splits_)
        run_recorded(recorder, evaluate, [{"x": 0.1}])

    search = Stock(probe, converse)
    if earlier:
        search.n_splits_ = 7
    search.fit(*numbered)
    assert told == [3]


@pytest.mark.filterwarnings("ignore:Scoring failed:UserWarning")
@pytest.mark.filterwarnings("ignore:One or more of the:UserWarning")
def test_failing_scorer_gets_error_score_of_this_fit(probe, numbered):
    def converse(search, evaluate):
        recorder = sklearn_module.read_fit(search, evaluate).recorder
        run_recorded(recorder, evaluate, [{"outcome": "scoring raises on a split"}, {"x": 0.1}])

    search = Stock(probe, converse, error_score=5.0)
    search.fit(*numbered)
    scores = [row["test_scores"] for row in search.formatted[-1]["out"]]
    assert [type(score) is fits_module.ErrorScore for score in scores] == [True] + [False] * 5
    assert scores[0] == 5.0
    assert type(search.error_score) is float


def test_evaluate_candidates_accepts_other_splits_of_the_same_number(probe, log, numbered):
    def converse(search, evaluate):
        parameters = list(inspect.signature(evaluate).parameters)
        assert parameters[:3] == ["candidate_params", "cv", "more_results"]
        assert ("callback_ctx" in parameters) == HAS_CALLBACKS
        evaluate([{"x": 0.1}], cv=KFold(3, shuffle=True, random_state=0))
        with pytest.raises(ValueError, match="inconsistent results"):
            evaluate([{"x": 0.2}], cv=KFold(2))

    Stock(probe, converse).fit(*numbered)
    splits = [
        test.tolist() for _, test in KFold(3, shuffle=True, random_state=0).split(numbered[0])
    ]
    assert log.scores[:3] == splits


def test_format_results_gets_all_rows_and_its_last_result_is_published(probe, numbered):
    search = Stock(probe, two_batches).fit(*numbered)
    first, second = search.formatted
    assert (first["n_rows"], second["n_rows"]) == (6, 9)
    assert second["params"] == [{"x": 0.1}, {"x": 0.7}, {"x": 0.3}]
    assert second["out"] is first["out"]
    assert search.cv_results_ is second["results"]


def test_evaluate_candidates_returns_what_format_results_returned(probe, numbered):
    returned = []

    def converse(search, evaluate):
        returned.append(evaluate([{"x": 0.1}]))

    search = Stock(probe, converse).fit(*numbered)
    assert returned[0] is search.formatted[0]["results"]


@pytest.mark.parametrize(
    "scoring", [None, ["r2", "neg_max_error"], lambda *args: {"a": 1.0, "b": 2.0}]
)
def test_row_has_scores_times_and_error(probe, numbered, scoring):
    search = Stock(probe, two_batches, scoring=scoring, refit=False)
    search.return_train_score = True
    search.fit(*numbered)
    for row in search.formatted[-1]["out"]:
        assert {"test_scores", "train_scores", "fit_time", "score_time", "fit_error"} <= set(row)
        assert isinstance(row["test_scores"], dict) == (scoring is not None)
        assert row["fit_error"] is None
        assert row["fit_time"] >= 0.0


def test_format_results_accepts_our_rows(probe, numbered):
    def converse(search, evaluate):
        evaluate([{"x": 0.1}])
        row = {"test_scores": 0.5, "fit_time": 0.0, "score_time": 0.0, "fit_error": None}
        BaseSearchCV._format_results(search, [{"x": 0.1}, {"x": 0.2}], 3, [row] * 6, None)

    Stock(probe, converse).fit(*numbered)


def test_multimetric_is_detected_from_the_first_row_after_the_search(probe, numbered):
    def converse(search, evaluate):
        evaluate([{"x": 0.1}])
        search.formatted[-1]["out"][0]["test_scores"] = {"a": 1.0}

    assert Stock(probe, converse, refit=False).fit(*numbered).multimetric_ is True


def test_best_row_follows_published_ranks(probe, numbered):
    def converse(search, evaluate):
        results = evaluate([{"x": 0.1}, {"x": 0.7}, {"x": 0.3}])
        results["rank_test_score"] = np.array([2, 3, 1], dtype=np.int32)

    search = Stock(probe, converse).fit(*numbered)
    assert search.best_index_ == 2
    assert search.best_params_ == {"x": 0.3}


def test_best_index_is_selected_before_best_score_is_set(probe, numbered):
    asked = []

    class Choosing(Stock):
        def _select_best_index(self, refit, refit_metric, results):
            asked.append((refit, refit_metric, hasattr(self, "best_score_")))
            return 1

    search = Choosing(probe, lambda search, evaluate: evaluate([{"x": 0.7}, {"x": 0.1}]))
    search.fit(*numbered)
    assert asked == [(True, "score", False)]
    assert search.best_params_ == {"x": 0.1}
    assert search.best_score_ == search.cv_results_["mean_test_score"][1]


def test_running_fit_accepts_rows_of_recorded_fits(probe, log, numbered):
    told = {}

    def converse(search, evaluate):
        recorder, parallel = sklearn_module.read_fit(search, evaluate)[:2]
        told["parallel"] = parallel
        recorder.rows = None
        with pytest.raises(fits_module._Recorded) as caught:
            evaluate([{"x": 0.1}, {"x": 0.7}])
        told["n_fits_of_recording"] = len(log.fits)
        told["fits"] = caught.value.fits
        recorder.rows = [run_fit(fit) for fit in caught.value.fits]
        evaluate([{"x": 0.1}, {"x": 0.7}], cv=fits_module._NoSplits(3))

    search = Stock(probe, converse).fit(*numbered)
    stock = Stock(probe, lambda search, evaluate: evaluate([{"x": 0.1}, {"x": 0.7}])).fit(*numbered)
    assert isinstance(told["parallel"], joblib.Parallel)
    assert told["n_fits_of_recording"] == 0
    assert len(told["fits"]) == 6
    np.testing.assert_equal(
        search.cv_results_["mean_test_score"], stock.cv_results_["mean_test_score"]
    )
    assert len(log.fits) == 2 * (6 + 1)


def test_recorded_fit_has_expected_arguments(probe, numbered):
    fits = []

    def converse(search, evaluate):
        recorder = sklearn_module.read_fit(search, evaluate).recorder
        fits.extend(run_recorded(recorder, evaluate, [{"x": 0.1}, {"x": 0.7}])[0])

    search = Stock(probe, converse).fit(*numbered)
    assert {tuple(fit[2]["parameters"].items()) for fit in fits} == {(("x", 0.1),), (("x", 0.7),)}
    assert [fit[2]["split_progress"][0] for fit in fits] == [0, 1, 2] * 2
    assert all(fit[2].keys() >= fits_module._NOT_SHARED - {"callback_ctx"} for fit in fits)
    assert all(type(fit[1][0]) is type(probe) for fit in fits)
    shared = fits_module.shared_objects_of(fits[:3])
    for _, (_, *args), kwargs in fits[3:]:
        held = [*args, kwargs["scorer"], *([kwargs["caller"]] if HAS_CALLBACKS else [])]
        assert all(any(value is each for each in shared) for value in held)
    if HAS_CALLBACKS:
        assert fits[0][2]["caller"] is search


def test_recorded_fit_keeps_the_sklearn_configuration(probe, numbered):
    seen = []

    def score(estimator, X, y):
        seen.append(sklearn.get_config()["assume_finite"])
        return 0.0

    def converse(search, evaluate):
        recorder = sklearn_module.read_fit(search, evaluate).recorder
        with (
            sklearn.config_context(assume_finite=True),
            pytest.raises(fits_module._Recorded) as caught,
        ):
            evaluate([{"x": 0.1}])
        recorder.rows = [run_fit(fit) for fit in caught.value.fits]
        evaluate([{"x": 0.1}])

    Stock(probe, converse, scoring=score).fit(*numbered)
    assert seen == [True] * 3


def test_rows_that_all_failed_are_refused(probe, numbered):
    def converse(search, evaluate):
        recorder = sklearn_module.read_fit(search, evaluate).recorder
        with pytest.raises(ValueError, match="All the 3 fits failed"):
            run_recorded(recorder, evaluate, [{"outcome": "raise"}])
        run_recorded(recorder, evaluate, [{"x": 0.1}])

    Stock(probe, converse).fit(*numbered)


def test_refit_is_checked_for_several_metrics(probe):
    scores = {"a": 1.0, "b": 2.0}
    for refit in (False, "a", "b", lambda cv_results: 0):
        Stock(probe, refit=refit)._check_refit_for_multimetric(scores)
    for refit in (True, "c"):
        with pytest.raises(ValueError, match="refit"):
            Stock(probe, refit=refit)._check_refit_for_multimetric(scores)


def test_invalid_parameters_raise_outside_the_guarded_part_of_a_fit():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline

    pipeline = Pipeline([("scale", "passthrough"), ("clf", LogisticRegression())])
    search = RandomizedSearchCV(pipeline, {"scale__with_mean": [True]}, n_iter=1, cv=2)
    with pytest.raises((AttributeError, ValueError)) as caught:
        search.fit(np.eye(8), [0, 1] * 4)
    assert "fits failed" not in str(caught.value)


@pytest.mark.parametrize("is_frame", [False, True])
def test_subset_of_data_equals_that_of_a_fit(probe, numbered, is_frame):
    X, y = numbered
    if is_frame:
        X = pytest.importorskip("pandas").DataFrame(X, columns=["number", "square"])
    X_part, y_part = sklearn_module.part_of(probe, X, y, np.array([3, 5]), np.array([0, 1]))
    assert type(X_part) is type(X)
    assert np.asarray(X_part)[:, 0].tolist() == [3.0, 5.0]
    assert y_part.tolist() == [1, 1]


# ------------------------------------------------------------ where private names are used


def private_imports(path):
    """List what a module imports from scikit-learn by a private name."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sklearn":
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [a.name for a in node.names if a.name.split(".")[0] == "sklearn"]
        else:
            continue
        found += [name for name in names if any(part.startswith("_") for part in name.split("."))]
    return found


def private_attributes(path):
    """List the private names of BaseSearchCV that a module uses."""
    names = {name for name in vars(BaseSearchCV) if name.startswith("_") and name[1] != "_"}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return names & (used | defined)


def test_rows_of_any_table_are_taken_in_their_order():
    rows = np.array([2, 0])
    table = pd.DataFrame({"a": [1, 2, 3]}, index=[7, 8, 9])
    values = [table, csr_array(np.eye(3)), ["x", "y", "z"], np.arange(3), None]
    frame, sparse, words, numbers, none = sklearn_module.take_rows(values, rows)
    assert frame["a"].tolist() == [3, 1]
    assert sparse.toarray().tolist() == [[0, 0, 1], [1, 0, 0]]
    assert list(words) == ["z", "x"]
    assert numbers.tolist() == [2, 0]
    assert none is None


def test_parameters_with_a_value_for_each_row_are_indexed():
    X, weights = np.zeros((3, 2)), np.array([1.0, 2.0, 3.0])
    params = {"sample_weight": weights, "flag": "no", "none": None}
    part = sklearn_module.params_of_part(X, params, np.array([2, 0]))
    assert part["sample_weight"].tolist() == [3.0, 1.0]
    assert part["flag"] == "no"
    assert part["none"] is None


MODULES = sorted(Path(sklearn_lepton.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_private_names_are_in_one_module(path):
    if path.name == "sklearn.py":
        assert private_imports(path) == [
            "sklearn.metrics._scorer._MultimetricScorer",
            "sklearn.model_selection._search.BaseSearchCV",
            "sklearn.utils._safe_indexing",
            "sklearn.utils._param_validation.Options",
            "sklearn.utils._param_validation.validate_parameter_constraints",
            "sklearn.utils.metaestimators._safe_split",
            "sklearn.utils.validation._check_method_params",
        ]
    else:
        assert private_imports(path) == []
    # The base class of the searches overrides the methods that scikit-learn calls.
    overridden = {
        "_check_refit_for_multimetric",
        "_format_results",
        "_get_scorers",
        "_run_search",
        "_select_best_index",
    }
    allowed = {"sklearn_search.py": overridden, "sklearn.py": {"_parameter_constraints"}}
    assert private_attributes(path) == allowed.get(path.name, set())


def test_fit_is_inherited_from_scikit_learn(search_class):
    # Ours calls it, and raises afterwards what must not keep it from its end.
    makers = [kind.__name__ for kind in search_class.__mro__ if "fit" in vars(kind)]
    assert [name for name in makers if name != "ModelsMixin"] == [
        "SklearnSearchAdapter",
        "BaseSearchCV",
    ]


def test_html_representation_can_be_extended(probe):
    search = Stock(probe, two_batches)
    inner = search._repr_html_inner()
    assert inner.startswith("<style>")
    assert search._repr_mimebundle_()["text/html"].count("<div") == inner.count("<div")

    class Adding(Stock):
        def _repr_html_inner(self):
            return super()._repr_html_inner() + "more"

    assert Adding(probe, two_batches)._repr_html_().endswith("more")


def test_verbosity_of_a_fit_is_a_keyword(probe, numbered):
    def converse(search, evaluate):
        recorder = sklearn_module.read_fit(search, evaluate).recorder
        recorded, _ = run_recorded(recorder, evaluate, [{"x": 0.1}])
        assert all(kwargs["verbose"] == search.verbose for _, _, kwargs in recorded)

    Stock(probe, converse).fit(*numbered)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("base_estimator", "cloned_estimator"),
        ("out = parallel", "out = Parallel()"),
        ("parallel", "runner"),
        ("routed_params", "routing"),
    ],
)
def test_unknown_fit_of_scikit_learn_raises_with_supported_versions(
    probe, numbered, monkeypatch, old, new
):
    source = textwrap.dedent(inspect.getsource(BaseSearchCV.fit))
    assert old in source
    there = dict(vars(inspect.getmodule(BaseSearchCV)))
    exec(re.sub(rf"\b{old}\b", new, source), there)
    monkeypatch.setattr(BaseSearchCV, "fit", there["fit"])
    search = sklearn_lepton.BayesSearchCV(probe, {"x": [0.0, 1.0]}, n_iter=2, cv=2)
    with pytest.raises(RuntimeError, match=r"Supported are scikit-learn 1\.6 to 1\.\d+: install"):
        search.fit(*numbered)


def test_incomplete_row_raises_with_supported_versions(probe, numbered, monkeypatch):
    module = inspect.getmodule(BaseSearchCV)
    original = module._fit_and_score

    def renamed(*args, **kwargs):
        row = original(*args, **kwargs)
        return {name.replace("fit_error", "error"): value for name, value in row.items()}

    monkeypatch.setattr(module, "_fit_and_score", renamed)
    search = sklearn_lepton.BayesSearchCV(probe, {"x": [0.0, 1.0]}, n_iter=2, cv=2)
    with pytest.raises(RuntimeError, match="no 'fit_error' in the result of a fit"):
        search.fit(*numbered)


def test_supported_versions_are_the_tested_ones():
    makefile = Path(sklearn_lepton.__file__).parents[1] / "Makefile"
    if not makefile.exists():
        pytest.skip("needs the repository")
    line = next(
        line
        for line in makefile.read_text(encoding="utf-8").splitlines()
        if line.startswith("SKLEARN_VERSIONS")
    )
    versions = line.partition("=")[2].split()
    assert (versions[0], versions[-1]) == SUPPORTED
