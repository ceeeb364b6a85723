"""`refit="1se"`, `complexity` and `final_cv`: choice, cost and errors."""

import pickle
import re

import joblib
import numpy as np
import pytest
import sklearn
from journal_subject import read_lines
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit, TimeSeriesSplit

from sklearn_lepton.exceptions import FinalChoiceWarning, SearchInterruptedWarning

SPACE = {"x": (0.0, 1.0, "uniform"), "size": [3, 2, 1]}
N = 40


class Lucky(BaseEstimator):
    """Its score is `x` but for luck, which depends on the rows; large ones are a bit better.

    `trap` is called in fits on the training parts of final splits, which are shuffled.
    """

    fits = []  # noqa: RUF012 - shared by all clones, as a log is

    def __init__(self, x=0.5, size=1, trap=None):
        self.x = x
        self.size = size
        self.trap = trap

    def fit(self, X, y=None):
        rows = X[:, 0].astype(int)
        Lucky.fits.append((self.x, self.size, tuple(rows)))
        is_final = np.sum(np.diff(rows) > 1) > 1
        if self.trap is not None and is_final and len(rows) < N:
            self.trap(self)
        return self

    def predict(self, X):
        return np.zeros(len(X))

    def score(self, X, y=None):
        luck = np.sin(100 * self.x + 7 * X[:, 0].sum() + self.size)
        return self.x + 0.001 * self.size + 0.1 * luck


@pytest.fixture(autouse=True)
def fits():
    Lucky.fits.clear()
    return Lucky.fits


@pytest.fixture
def rows():
    return np.column_stack([np.arange(N), np.ones(N)]).astype(float), np.arange(N) * 0.5


@pytest.fixture
def make(search_class):
    def make_search(estimator=None, **settings):
        settings = {"n_iter": 8, "cv": 4, "random_state": 0, **settings}
        return search_class(estimator or Lucky(), SPACE, **settings)

    return make_search


def final_table(search, name="score"):
    results, k = search.cv_results_, 0
    columns = []
    while f"final_split{k}_{name}" in results:
        columns.append(results[f"final_split{k}_{name}"])
        k += 1
    return np.column_stack(columns)


# ------------------------------------------------------------------- one standard error


def test_one_se_chooses_simplest_trial_within_one_standard_error(make, rows):
    search = make(refit="1se", complexity="size", n_iter=12).fit(*rows)
    best = max(search.trials_, key=lambda trial: trial.score)
    least = best.score - np.std(best.split_scores, ddof=1) / 2
    close = [t for t in search.trials_ if t.score >= least]
    chosen = search.trials_[search.best_index_]
    assert chosen.params["size"] == min(t.params["size"] for t in close)
    assert chosen.score == max(t.score for t in close if t.params["size"] == chosen.params["size"])
    assert search.best_params_ == chosen.params
    assert search.best_estimator_.get_params() == chosen.params | {"trap": None}
    assert search.best_score_ == search.cv_results_["mean_test_score"][search.best_index_]
    assert search.score(*rows) == search.best_estimator_.score(*rows)
    assert "mean_final_score" not in search.cv_results_


def test_one_std_err_is_another_spelling_of_1se(make, rows):
    first, second = (
        make(refit=name, complexity="size").fit(*rows) for name in ("1se", "one_std_err")
    )
    assert second.best_index_ == first.best_index_
    with pytest.raises(ValueError, match="refit='One_Std_Err' is no metric: write '1se'"):
        make(refit="One_Std_Err").fit(*rows)


def test_one_se_changes_only_the_choice(make, rows):
    plain, simple = make().fit(*rows), make(refit="1se", complexity="size").fit(*rows)
    np.testing.assert_equal(
        simple.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"]
    )
    np.testing.assert_equal(
        simple.cv_results_["rank_test_score"], plain.cv_results_["rank_test_score"]
    )


def test_complexity_can_be_a_callable(make, rows):
    by_name = make(refit="1se", complexity="size").fit(*rows)
    by_word = make(refit="1se", complexity=lambda params: params["size"] / 7).fit(*rows)
    assert by_word.best_index_ == by_name.best_index_


def test_one_se_without_complexity_prefers_shorter_fits(make, rows):
    search = make(refit="1se").fit(*rows)
    best = max(search.trials_, key=lambda trial: trial.score)
    least = best.score - np.std(best.split_scores, ddof=1) / 2
    seconds = search.cv_results_["mean_fit_time"] + search.cv_results_["mean_score_time"]
    close = [t.number for t in search.trials_ if t.score >= least]
    assert search.best_index_ in close
    assert seconds[search.best_index_] <= 1.5 * min(seconds[close]) + 1e-12


# --------------------------------------------------------------------------- final splits


def test_final_cv_scores_finalists_on_fresh_splits_only(make, rows, fits):
    plain = make().fit(*rows)
    n_plain = len(fits)
    search = make(final_cv=5).fit(*rows)
    table, results = final_table(search), search.cv_results_
    scored = np.isfinite(table).all(axis=1)
    assert 1 <= scored.sum() <= 5
    assert table.shape == (8, 5)
    assert np.isnan(table[~scored]).all()
    assert len(fits) == 2 * n_plain + 5 * scored.sum()
    np.testing.assert_equal(results["mean_final_score"], table.mean(axis=1))
    np.testing.assert_equal(results["std_final_score"], table.std(axis=1))
    best = np.argmax(results["mean_test_score"])
    least = results["mean_test_score"][best] - results["std_test_score"][best] / np.sqrt(3)
    assert (results["mean_test_score"][scored] >= least - 1e-12).all()
    assert search.best_score_ == results["mean_final_score"][search.best_index_]
    assert search.best_params_ == results["params"][search.best_index_]
    assert search.n_splits_ == 4
    for name in ("mean_test_score", "rank_test_score", "split0_test_score"):
        np.testing.assert_equal(results[name], plain.cv_results_[name])


def test_final_splits_depend_on_the_seed(make, rows, fits):
    seen = []
    for seed in (0, 0, 1):
        fits.clear()
        make(final_cv=4, random_state=seed).fit(*rows)
        seen.append({part for *_, part in fits if len(part) == 30})
    assert seen[0] == seen[1]
    assert len(seen[0]) == 4 + 4
    assert len(seen[0] & seen[2]) == 4  # those of cv


def test_one_se_uses_final_splits(make, rows):
    search = make(refit="1se", complexity="size", final_cv=5, n_iter=12).fit(*rows)
    table = final_table(search)
    finalists = np.flatnonzero(np.isfinite(table[:, 0]))
    assert search.best_index_ in finalists
    assert search.best_score_ == table[search.best_index_].mean()


@pytest.mark.parametrize("final", [KFold(3, shuffle=True, random_state=7), "list", "generator"])
def test_final_cv_accepts_splitter_and_iterable(make, rows, final):
    if isinstance(final, str):
        splits = list(KFold(3, shuffle=True, random_state=7).split(rows[0]))
        final = splits if final == "list" else iter(splits)
    search = make(final_cv=final).fit(*rows)
    assert final_table(search).shape == (8, 3)


def test_final_splits_keep_groups_together(search_class, probe, numbered, log):
    groups = np.arange(30) // 3
    search = search_class(probe, {"x": [0.0, 1.0]}, n_iter=2, cv=GroupKFold(3), final_cv=4)
    search.fit(*numbered, groups=groups)
    assert final_table(search).shape == (2, 4)
    for fit in log.fits:
        inside = set(fit["rows"])
        assert all(len(inside & set(np.flatnonzero(groups == g))) in {0, 3} for g in groups)


def test_final_folds_of_a_classifier_are_stratified(search_class, blobs):
    X, _ = blobs
    y = (np.arange(60) < 6).astype(int)
    search = search_class(LogisticRegression(), {"C": [0.1, 1.0]}, n_iter=2, cv=3, final_cv=6)
    search.fit(X, y)  # each fold has one of the six, or fits fail
    assert np.isfinite(search.best_score_)


@pytest.mark.parametrize("refit", ["accuracy", "neg_log_loss"])
def test_final_cv_with_several_metrics(search_class, blobs, refit):
    search = search_class(
        LogisticRegression(),
        {"C": (1e-3, 10.0, "log-uniform")},
        scoring=["accuracy", "neg_log_loss"],
        refit=refit,
        n_iter=4,
        cv=3,
        final_cv=4,
        random_state=0,
    ).fit(*blobs)
    results = search.cv_results_
    for name in ("accuracy", "neg_log_loss"):
        table = final_table(search, name)
        np.testing.assert_equal(results[f"mean_final_{name}"], table.mean(axis=1))
    assert search.best_score_ == results[f"mean_final_{refit}"][search.best_index_]


def test_final_cv_without_refit(make, rows):
    search = make(refit=False, final_cv=3).fit(*rows)
    assert search.best_score_ == search.cv_results_["mean_final_score"][search.best_index_]
    assert not hasattr(search, "best_estimator_")


@pytest.mark.parametrize("backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)])
def test_final_fits_run_on_workers(search_class, blobs, backend):
    search = search_class(
        LogisticRegression(),
        {"C": (1e-3, 10.0, "log-uniform")},
        n_iter=4,
        cv=2,
        n_points=1,
        final_cv=iter(list(KFold(3, shuffle=True, random_state=0).split(blobs[0]))),
        refit="1se",
        complexity=lambda params: params["C"],
        random_state=0,
    )
    settings = search.get_params(deep=False) | {"final_cv": KFold(3, shuffle=True, random_state=0)}
    alone = search_class(**settings).fit(*blobs)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        search.fit(*blobs)
    assert search.best_score_ == alone.best_score_
    np.testing.assert_equal(final_table(search), final_table(alone))


def test_best_score_can_be_set_and_deleted(make, rows):
    search = make(final_cv=3)
    assert not hasattr(search, "best_score_")
    with pytest.raises(AttributeError, match="'best_score_'"):
        _ = search.best_score_
    search.fit(*rows)
    assert pickle.loads(pickle.dumps(search)).best_score_ == search.best_score_
    assert not hasattr(clone(search), "best_score_")
    assert "_choice" not in vars(search)
    score = search.best_score_
    plain = search.set_params(final_cv=None).fit(*rows)
    assert plain.best_score_ == plain.cv_results_["mean_test_score"].max() != score


def test_update_after_final_choice(make, rows):
    search = make(final_cv=3).fit(*rows).update(*rows)
    assert search.updates_[0]["held"]
    assert search.best_score_ == search.cv_results_["mean_final_score"][search.best_index_]


@pytest.mark.skipif(
    tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 9), reason="callbacks"
)
def test_callbacks_get_only_announced_tasks(make, rows):
    tasks = []

    class Keeper:
        def setup(self, estimator, context):
            pass

        teardown = on_fit_task_begin = setup

        def on_fit_task_end(self, estimator, context):
            tasks.append(context.task_name)

        def __deepcopy__(self, memo):
            return self

    make(final_cv=3, refit="1se").set_callbacks(Keeper()).fit(*rows)
    assert tasks.count("candidate-split-evaluation") == 8 * 4
    assert len(tasks) == 8 * 4 + 3


# -------------------------------------------------------------------------------- journal


def test_journal_has_the_final_fits(make, rows, fits, tmp_path):
    path = tmp_path / "study.jsonl"
    expected = make(final_cv=5).fit(*rows)
    first = make(final_cv=5, journal=path).fit(*rows)
    n_final = 5 * int(np.isfinite(final_table(first)[:, 0]).sum())
    assert sum("final" in record for record in read_lines(path)) == n_final
    fits.clear()
    again = make(final_cv=5, journal=path).fit(*rows)
    assert len(fits) == 1  # the refit
    for search in (first, again):
        assert search.best_index_ == expected.best_index_
        assert search.best_score_ == expected.best_score_
        np.testing.assert_equal(final_table(search), final_table(expected))
    # Cut off in the middle of the final fits: those that are missing are run.
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-2]))
    fits.clear()
    again = make(final_cv=5, journal=path).fit(*rows)
    assert len(fits) == 2 + 1
    assert again.best_score_ == expected.best_score_
    # Other splits are other fits.
    fits.clear()
    make(final_cv=4, journal=path).fit(*rows)
    assert len(fits) == 4 * n_final / 5 + 1


def test_options_of_the_choice_may_differ_on_resume(make, rows, fits, tmp_path):
    path = tmp_path / "study.jsonl"
    make(journal=path).fit(*rows)
    for settings in ({"refit": "1se"}, {"refit": "1se", "complexity": "size"}, {"refit": False}):
        fits.clear()
        make(journal=path, **settings).fit(*rows)
        assert len(fits) == (settings["refit"] is not False)


# ------------------------------------------------------------------------------ accidents


def raise_for_all(estimator):
    raise RuntimeError("no luck")


def interrupt(estimator):
    raise KeyboardInterrupt


def check_plain(search):
    """Check that the search stands as it was before the final fits."""
    assert search.best_index_ == search.cv_results_["rank_test_score"].argmin()
    assert search.best_score_ == search.cv_results_["mean_test_score"].max()
    assert search.stop_reason_ == "n_iter"
    assert len(search.trials_) == 8


def test_failing_final_fits_keep_the_earlier_choice(make, rows):
    search = make(Lucky(trap=raise_for_all), final_cv=3)
    with pytest.warns(FinalChoiceWarning, match=r"(?s)finalists failed on final_cv.*no luck"):
        search.fit(*rows)
    check_plain(search)
    assert np.isnan(search.cv_results_["mean_final_score"]).all()


def test_finalist_that_fails_is_not_chosen(make, rows):
    best = make(n_iter=12).fit(*rows).best_params_

    def trap(estimator):
        if estimator.x == best["x"]:
            raise RuntimeError("no luck")

    search = make(Lucky(trap=trap), final_cv=3, n_iter=12)
    with pytest.warns(FinalChoiceWarning, match=r"[12] of \d finalists failed"):
        search.fit(*rows)
    assert search.best_params_ != best
    assert search.best_score_ == search.cv_results_["mean_final_score"][search.best_index_]


def test_error_score_raise_applies_to_final_fits(make, rows):
    search = make(Lucky(trap=raise_for_all), final_cv=3, error_score="raise")
    with pytest.raises(RuntimeError, match="no luck"):
        search.fit(*rows)
    assert len(search.trials_) == 8
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_interrupt_ends_the_final_fits(make, rows):
    search = make(Lucky(trap=interrupt), final_cv=3, refit="1se")
    with pytest.warns(SearchInterruptedWarning, match="final fits were interrupted"):
        search.fit(*rows)
    plain = make(refit="1se").fit(*rows)
    assert search.best_score_ == search.cv_results_["mean_test_score"][search.best_index_]
    assert len(search.trials_) == len(plain.trials_)
    assert hasattr(search, "best_estimator_")


def test_final_fits_without_workers_keep_the_earlier_choice(make, rows, monkeypatch):
    made = []
    search = make(final_cv=3)
    honest = type(search)._make_workers

    def fail_at_second(self, parallel):
        made.append(1)
        if len(made) == 2:
            raise OSError("no more processes")
        return honest(self, parallel)

    monkeypatch.setattr(type(search), "_make_workers", fail_at_second)
    with pytest.warns(FinalChoiceWarning, match="OSError: no more processes"):
        search.fit(*rows)
    check_plain(search)


def test_a_fifth_of_max_time_is_reserved_for_final_fits(make, rows, monkeypatch):
    from sklearn_lepton._evaluation import deadline as deadline_module
    from sklearn_lepton._evaluation import evaluator as evaluator_module
    from sklearn_lepton._search import final_choice as final_choice_module
    from sklearn_lepton._workers.local import Caller

    clock = [100.0]

    class Clock:
        monotonic = staticmethod(lambda: clock[0])
        time = staticmethod(lambda: clock[0])

    class Slow(Caller):
        def wait(self, futures, timeout):
            super().wait(futures, timeout)
            clock[0] += 1.0

    search = make(final_cv=3, n_iter=1000, max_time=50.0, cost_aware=False)
    monkeypatch.setattr(final_choice_module, "time", Clock)
    monkeypatch.setattr(deadline_module, "time", Clock)
    monkeypatch.setattr(evaluator_module, "time", Clock)
    monkeypatch.setattr(type(search), "_make_workers", lambda *_: Slow())
    scored = np.isfinite(search.fit(*rows).cv_results_["mean_final_score"])
    assert search.stop_reason_ == "max_time"
    assert len(search.trials_) == 40 / 4
    assert 1 <= scored.sum() <= 10 / 3
    assert clock[0] <= 150.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"complexity": "size"}, "refit must be '1se', got True"),
        ({"complexity": "size", "refit": False}, "refit must be '1se'"),
        ({"complexity": "Size", "refit": "1se"}, "'Size'.*Did you mean 'size'"),
        ({"complexity": "", "refit": "1se"}, "is no parameter of the space"),
        ({"complexity": 3, "refit": "1se"}, "'complexity' parameter of .* must be None, the name"),
        ({"final_cv": 1}, "'final_cv' parameter of .* must be None, an integer of at least 2"),
        ({"final_cv": True}, "'final_cv' parameter of .* must be None"),
        ({"final_cv": 2.5}, "'final_cv' parameter of .* must be None"),
        ({"final_cv": "five"}, "'final_cv' parameter of .* must be None"),
        ({"final_cv": 3, "refit": lambda results: 0}, "so does a callable refit"),
        ({"final_cv": 3, "refit": False, "scoring": ["r2"]}, "refit=False"),
        ({"final_cv": 3, "cv": TimeSeriesSplit(3)}, "shuffled folds"),
        ({"final_cv": []}, "holds no split"),
        ({"final_cv": KFold(4)}, "the same splits as cv"),
        ({"refit": "1se", "scoring": ["r2", "neg_max_error"]}, "takes a single metric"),
        ({"refit": "1se", "scoring": {"1se": "r2", "a": "r2"}}, "takes a single metric"),
        ({"final_cv": N + 1}, "^final_cv=41: .*greater than the number of samples"),
        ({"final_cv": GroupKFold(2)}, "final_cv=GroupKFold.*groups"),
        ({"final_cv": [([0, 1], [2, N])]}, "split 0 has row 40, .* rows 0 to 39 only"),
        ({"refit": "1SE"}, "refit='1SE' is no metric: write '1se'"),
        (
            {"refit": "1se", "complexity": lambda p: p["no"]},
            "complexity must .* raised KeyError: 'no'",
        ),
        ({"refit": "1se", "complexity": str}, "complexity must return a number .* got"),
    ],
)
def test_invalid_options_are_refused_before_the_first_fit(make, rows, fits, settings, message):
    with pytest.raises(ValueError, match=re.compile(message, re.DOTALL)):
        make(**settings).fit(*rows)
    assert not fits


def test_callable_scoring_with_several_metrics_is_refused_at_its_first_score(make, rows, fits):
    def score(estimator, X, y):
        return {"a": 1.0, "b": 2.0}

    with pytest.raises(ValueError, match="takes a single metric"):
        make(refit="1se", scoring=score).fit(*rows)
    assert len(fits) <= 4


def test_unseeded_final_splits_are_fitted_again_on_resume(make, rows, fits, tmp_path):
    settings = {"final_cv": ShuffleSplit(3), "journal": tmp_path / "study.jsonl"}
    make(**settings).fit(*rows)
    fits.clear()
    search = make(**settings).fit(*rows)
    assert len(fits) == 1 + 3 * np.isfinite(final_table(search)[:, 0]).sum()
