"""Fidelity: levels of a resource, resumed fits, the choice of the best trial, invalid input."""

import itertools
import logging
import pickle
import tempfile
from typing import ClassVar

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.model_selection import GroupKFold, StratifiedKFold, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklearn_lepton import BayesSearchCV, SwarmSearchCV, load_trials
from sklearn_lepton._evaluation.resume_fit import (
    is_equivalent_to_cold_start,
    is_incremental,
    supports_warm_start,
)
from sklearn_lepton.exceptions import JournalMismatchError, SpaceExhaustedWarning

N_ROWS = 600
SPACE = {"x": (0.0, 1.0, "uniform")}


class Learner(ClassifierMixin, BaseEstimator):
    """Classifier whose score depends on its parameters and its amount of a resource.

    The first column of X numbers the rows.
    """

    seen: ClassVar[
        list
    ] = []  # epochs of each fit and in total, also of estimators that were in a file

    def __init__(self, x=0.5, n=27, epochs=27, warm_start=False, outcome="ok", log=None):
        self.x = x
        self.n = n
        self.epochs = epochs
        self.warm_start = warm_start
        self.outcome = outcome
        self.log = log

    def fit(self, X, y):
        if self.outcome == "raise" or (self.outcome == "warm raises" and hasattr(self, "total_")):
            raise RuntimeError("no luck")
        before = getattr(self, "total_", 0) if self.warm_start else 0
        self.total_ = before + self.epochs
        self.rows_ = np.asarray(X)[:, 0].astype(int).tolist()
        self.labels_ = np.asarray(y)
        self.seen.append((self.epochs, self.total_))
        self.classes_ = np.unique(y)
        if self.log is not None:
            self.log.fits.append(
                {"rows": self.rows_, "labels": self.labels_, "n": self.n, "x": self.x}
                | {"epochs": self.epochs, "total": self.total_}
            )
        return self

    def predict(self, X):
        return np.zeros(len(X), dtype=int)

    def score(self, X, y=None):
        if self.log is not None:
            self.log.scores.append(len(X))
        share = min(self.n / 27, self.total_ / 27, len(self.rows_) / 400)
        return 1.0 - abs(self.x - 0.7) - 0.1 * (1 - share) * (2 - self.x)


@pytest.fixture(scope="module")
def rows():
    X = np.column_stack([np.arange(float(N_ROWS)), np.linspace(-1, 1, N_ROWS)])
    return X, (np.arange(N_ROWS) % 10 == 0).astype(int)


def maker(search_class, log, **shared):
    def make_search(space=SPACE, *, learner=None, **settings):
        known = {"n_iter": 20, "cv": 2, "random_state": 0, "resource": "n"} | shared
        return search_class(learner or Learner(log=log), space, **(known | settings))

    return make_search


@pytest.fixture
def make_each(search_class, log):
    """Make searches of each kind."""
    return maker(search_class, log)


@pytest.fixture
def make(log):
    """Return a factory of swarm searches, which propose quickly."""
    return maker(SwarmSearchCV, log, surrogate=False)


def outline(search):
    return [(t.number, t.point, t.params, t.fidelity, t.split_scores) for t in search.trials_]


# ------------------------------------------------------------------ choice of the best trial


def test_best_trial_has_full_parameter(make_each, rows):
    search = make_each().fit(*rows)
    table = search.cv_results_
    amounts = table["n_resources"]
    assert amounts.dtype.kind == "i"
    assert {3, 27} <= set(amounts) <= {3, 9, 27}
    assert amounts[0] == amounts[search.best_index_] == search.best_params_["n"] == 27
    assert table["param_n"].tolist() == amounts.tolist() == [p["n"] for p in table["params"]]
    full = table["mean_test_score"][amounts == 27]
    assert search.best_score_ == full.max()
    assert search.best_estimator_.n == 27
    assert Learner().set_params(**search.best_params_).n == 27
    in_order = amounts[np.argsort(table["rank_test_score"], kind="stable")]
    assert in_order.tolist() == sorted(amounts, reverse=True)
    assert sum(amounts) < 0.75 * 27 * 20


def test_best_trial_has_all_samples(make_each, rows, log):
    search = make_each(resource="n_samples", cv=3).fit(*rows)
    amounts = search.cv_results_["n_resources"]
    assert amounts[search.best_index_] == 400 == max(amounts)
    assert min(amounts) == 45
    assert "n_samples" not in search.best_params_
    assert len(search.best_estimator_.rows_) == N_ROWS
    assert sorted({len(fit["rows"]) for fit in log.fits}) == [*sorted(set(amounts)), N_ROWS]
    assert set(log.scores) == {200}  # what scores are measured on is never cut


def test_smaller_training_sets_are_nested_and_hold_each_class(make, rows, log):
    make(resource="n_samples", cv=StratifiedKFold(2)).fit(*rows)
    by_split = {}
    for fit in log.fits[:-1]:
        kept = by_split.setdefault(0 if min(fit["rows"]) < N_ROWS // 4 else 1, {})
        kept.setdefault(len(fit["rows"]), set()).add(tuple(fit["rows"]))
        assert fit["rows"] == sorted(fit["rows"])
        n_rare = int(np.sum(fit["labels"]))
        assert n_rare >= 2
        assert abs(n_rare - len(fit["rows"]) / 10) <= 2
    sizes = sorted({len(fit["rows"]) for fit in log.fits[:-1]})
    assert len(sizes) > 2
    folds = {}
    for fit in log.fits[:-1]:
        folds.setdefault(len(fit["rows"]), set()).add(frozenset(fit["rows"]))
    for small, large in itertools.pairwise(sizes):
        assert len(folds[small]) == 2
        assert all(any(few <= many for many in folds[large]) for few in folds[small])


def test_given_bounds_set_lowest_and_highest_level(make, rows):
    search = make(min_resources=5, max_resources=40).fit(*rows)
    assert set(search.cv_results_["n_resources"]) == {5, 14, 40}
    search = make(resource="n_samples", min_resources=50, max_resources=150).fit(*rows)
    assert set(search.cv_results_["n_resources"]) == {50, 150}
    plain = make(min_resources=27).fit(*rows)
    assert set(plain.cv_results_["n_resources"]) == {27}


def test_parameter_of_pipeline_step_can_be_resource(blobs):
    pipe = make_pipeline(StandardScaler(), RandomForestClassifier(9, random_state=0))
    name = "randomforestclassifier__n_estimators"
    space = {"randomforestclassifier__max_depth": (1, 6, "int")}
    search = SwarmSearchCV(
        pipe, space, n_iter=8, cv=2, random_state=0, surrogate=False, resource=name
    ).fit(*blobs)
    assert len(search.best_estimator_[-1].estimators_) == search.best_params_[name] == 9


def test_best_params_of_earlier_search_can_be_initial(make, rows):
    first = make(n_iter=6).fit(*rows)
    again = make(n_iter=6, initial_params=first.best_params_).fit(*rows)
    assert again.trials_[0].params == {"x": first.best_params_["x"]}
    assert again.trials_[0].is_full


def test_stopping_rules_count_full_trials_only(make, rows):
    seen = []
    search = make(n_iter_no_change=2, tol=1.0, callbacks=lambda _, t: seen.append(t)).fit(*rows)
    assert search.stop_reason_ == "n_iter_no_change"
    assert seen[-1].is_full
    assert make(target_score=0.79).fit(*rows).best_score_ >= 0.79


def test_update_scores_at_full_resource(make, rows):
    search = make().fit(*rows).update(*rows)
    assert search.updates_[-1]["held"]
    assert all(trial.is_full for trial in search.trials_)


# ---------------------------------------------------------- kinds of data and runs


def test_resource_n_samples_with_kinds_of_data(rows):
    X, y = rows
    tree, space = DecisionTreeClassifier(random_state=0), {"max_depth": (1, 9, "int")}
    settings = {
        "n_iter": 8,
        "random_state": 0,
        "surrogate": False,
        "resource": "n_samples",
        "cv": 2,
    }
    frame = pd.DataFrame(X, columns=["a", "b"])
    both = np.column_stack([y, 1 - y])
    words = np.array(["no", "yes"])[y]
    for data, target in ((csr_matrix(X), y), (frame, pd.Series(y)), (X, both), (X, words)):
        search = SwarmSearchCV(tree, space, **settings).fit(data, target)
        assert search.trials_[search.best_index_].is_full
    groups = np.arange(N_ROWS) // 60
    grouped = SwarmSearchCV(tree, space, **(settings | {"cv": GroupKFold(2)}))
    assert grouped.fit(X, y, groups=groups).trials_[grouped.best_index_].is_full
    masks = [
        (np.arange(N_ROWS) % 2 == k, np.flatnonzero(np.arange(N_ROWS) % 2 != k)) for k in (0, 1)
    ]
    masked = SwarmSearchCV(tree, space, **(settings | {"cv": masks})).fit(X, y)
    assert max(masked.cv_results_["n_resources"]) == 300


def test_resource_with_several_metrics_and_train_scores(make, rows):
    scoring = {"a": lambda e, X, y: e.score(X, y), "b": lambda e, X, y: -e.score(X, y)}
    search = make(scoring=scoring, refit="a", return_train_score=True).fit(*rows)
    table = search.cv_results_
    full = table["n_resources"] == 27
    assert full[search.best_index_]
    assert full[table["rank_test_b"].argmin()]
    assert "mean_train_a" in table


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::sklearn.exceptions.FitFailedWarning")
def test_resource_with_failing_trials(make, rows):
    space = SPACE | {"outcome": ["ok", "raise"]}
    search = make(space).fit(*rows)
    table = search.cv_results_
    failed = np.isnan(table["mean_test_score"])
    assert failed.any()
    assert len(set(table["rank_test_score"][failed])) == 1
    assert table["n_resources"][search.best_index_] == 27
    assert max(table["rank_test_score"][~failed]) < min(table["rank_test_score"][failed])


def test_resource_with_finite_space(make_each, rows):
    search = make_each({"x": [0.1, 0.4, 0.7, 0.9]}, n_iter=12).fit(*rows)
    assert search.stop_reason_ == "exhausted"
    assert search.best_params_["x"] == 0.7
    tried = [(t.point, t.fidelity) for t in search.trials_]
    assert len(tried) == len(set(tried)) < 12
    with pytest.warns(SpaceExhaustedWarning, match="holds 12 trials, fewer than n_iter=17"):
        make_each({"x": [0.1, 0.4, 0.7, 0.9]}, n_iter=17).fit(*rows)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_resource_in_parallel(rows, asynchronous):
    search = SwarmSearchCV(
        Learner(), SPACE, n_iter=16, cv=2, random_state=0, surrogate=False, resource="n"
    )
    search.set_params(n_points=3, asynchronous=asynchronous)
    with joblib.parallel_config("threading", n_jobs=2):
        search.fit(*rows)
    assert search.trials_[search.best_index_].is_full
    assert len(search.trials_) == 16


def test_search_with_resource_continues_with_warm_start(make, rows):
    search = make(n_iter=8, warm_start=True).fit(*rows)
    before = outline(search)
    search.fit(*rows)
    assert outline(search)[:8] == before
    assert len(search.trials_) == 16
    with pytest.raises(ValueError, match="resource, min_resources and max_resources must be those"):
        search.set_params(resource=None).fit(*rows)


# ------------------------------------------------------------------- in a journal


@pytest.mark.thorough
@pytest.mark.parametrize("n_points", [1, 3])
@pytest.mark.parametrize("resource", ["n", "n_samples"])
def test_search_with_resource_resumes_from_cut_journal(
    make_each, rows, tmp_path, resource, n_points
):
    path = tmp_path / "study.jsonl"
    settings = {"resource": resource, "n_iter": 14, "n_points": n_points}
    expected = outline(make_each(**settings).fit(*rows))
    make_each(journal=path, **settings).fit(*rows)
    lines = path.read_bytes().splitlines(keepends=True)
    for n_kept in (len(lines) // 3, 2 * len(lines) // 3):
        path.write_bytes(b"".join(lines[:n_kept]))
        assert outline(make_each(journal=path, **settings).fit(*rows)) == expected
    loaded = load_trials(path)
    assert [t.fidelity for t in loaded] == [entry[3] for entry in expected]
    assert load_trials(path, as_frame=True)["fidelity"].max() == 1.0
    with pytest.raises(JournalMismatchError, match="resource"):
        make_each(journal=path, **(settings | {"min_resources": 25})).fit(*rows)
    with pytest.raises(JournalMismatchError, match="resource"):
        make_each(journal=path, **(settings | {"resource": None})).fit(*rows)


def test_journal_without_resource_has_no_resource_keys(make, rows, tmp_path):
    path = tmp_path / "study.jsonl"
    search = make(journal=path, resource=None, n_iter=3).fit(*rows)
    assert b'"resource"' not in path.read_bytes()
    assert "n_resources" not in search.cv_results_


# ----------------------------------------------------------------- resumed fits


def test_warm_start_resumes_lower_fidelity(make, rows):
    Learner.seen.clear()
    search = make(resource="epochs", learner=Learner(warm_start=True), refit=False).fit(*rows)
    of_trial = [Learner.seen[2 * k : 2 * k + 2] for k in range(20)]
    amounts, n_continued = search.cv_results_["n_resources"], 0
    for trial, fits, amount in zip(search.trials_, of_trial, amounts, strict=True):
        earlier = trial.proposal.get("promoted", 0)  # the repetition of the first has less
        before = amounts[earlier] if earlier and not trial.is_full else 0  # as the refit
        assert fits == [(amount - before, amount)] * 2
        assert [row.saved_time is not None for row in trial.split_results] == [before > 0] * 2
        n_continued += before > 0
    assert n_continued >= 4
    assert not search.optimizer_.run_settings.resumes
    assert not make(n_iter=2).fit(*rows).optimizer_.run_settings.resumes
    assert search.best_params_["epochs"] == 27


@pytest.mark.thorough
@pytest.mark.parametrize("backend", ["threading", "sequential"])
def test_resumed_ensemble_equals_cold_start(blobs, backend):
    space = {"max_depth": (1, 5, "int"), "learning_rate": (0.05, 1.0, "log-uniform")}
    found = []
    for warm in (False, True):
        model = GradientBoostingClassifier(n_estimators=9, random_state=0, warm_start=warm)
        search = SwarmSearchCV(
            model,
            space,
            n_iter=14,
            cv=2,
            random_state=0,
            surrogate=False,
            resource="n_estimators",
            n_points=2,
        )
        with joblib.parallel_config(backend, n_jobs=2 if backend == "threading" else 1):
            found.append(outline(search.fit(*blobs)))
        assert search.optimizer_.run_settings.resumes == warm
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (GradientBoostingClassifier(n_iter_no_change=2), "n_estimators"),
        (HistGradientBoostingClassifier(early_stopping=True, n_iter_no_change=2), "max_iter"),
    ],
)
def test_early_stopping_estimator_scores_as_in_cold_start(blobs, model, name):
    model = clone(model).set_params(random_state=0, warm_start=True)
    space = {"learning_rate": (0.05, 1.0, "log-uniform")}
    search = SwarmSearchCV(
        model, space, n_iter=14, cv=2, random_state=0, surrogate=False, resource=name
    ).fit(*blobs)
    promoted = [t for t in search.trials_ if t.is_full and t.proposal.get("promoted")]
    assert promoted
    for trial in promoted:
        anew = cross_val_score(clone(model).set_params(**trial.params), *blobs, cv=2)
        assert list(trial.split_scores) == anew.tolist()


def test_resource_may_be_parameter_of_constructor_only():
    library = pytest.importorskip("catboost")
    X, y = load_breast_cancer(return_X_y=True)
    model = library.CatBoostClassifier(verbose=False, thread_count=1, allow_writing_files=False)
    search = SwarmSearchCV(
        model,
        {"learning_rate": (0.05, 0.5, "log-uniform")},
        n_iter=4,
        cv=2,
        random_state=0,
        resource="iterations",
    )
    with pytest.raises(ValueError, match="own iterations, which must be an integer .* got None"):
        search.fit(X, y)
    search.set_params(max_resources=9).fit(X, y)
    assert search.best_params_["iterations"] == search.best_estimator_.tree_count_ == 9


def test_resource_leaves_no_files(make, rows, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    search = make(resource="epochs", learner=Learner(warm_start=True))
    held = []
    search.set_params(callbacks=lambda *_: held.append(len(list(tmp_path.rglob("*.pkl")))))
    search.fit(*rows)
    assert max(held) > 0
    assert not list(tmp_path.iterdir())
    search.set_params(callbacks=None)
    assert pickle.loads(pickle.dumps(search)).best_score_ == search.best_score_


@pytest.mark.parametrize("trouble", ["gone", "damaged", "the warm fit raises"])
def test_damaged_files_of_fits_fail_no_trial(make, rows, tmp_path, monkeypatch, caplog, trouble):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    caplog.set_level(logging.DEBUG, logger="sklearn_lepton")

    def harm(*_):
        for path in tmp_path.rglob("*.pkl"):
            if trouble == "gone":
                path.unlink()
            elif trouble == "damaged":
                path.write_bytes(b"no pickle")

    outcome = "warm raises" if trouble == "the warm fit raises" else "ok"
    learner = Learner(warm_start=True, outcome=outcome)
    search = make(resource="epochs", learner=learner, callbacks=harm).fit(*rows)
    expected = make(resource="epochs", learner=Learner()).fit(*rows)
    assert outline(search) == outline(expected)
    assert "the fit starts cold" in caplog.text


def test_only_estimator_fitted_in_place_resumes():
    warm = Learner(warm_start=True)
    assert not supports_warm_start(OneVsRestClassifier(warm), "estimator__epochs", ())
    assert supports_warm_start(warm, "epochs", ())
    assert not supports_warm_start(warm, "epochs", ("warm_start",))
    assert not supports_warm_start(Learner(), "epochs", ())
    pipe = make_pipeline(StandardScaler(), warm)
    assert supports_warm_start(pipe, "learner__epochs", ())
    assert not supports_warm_start(make_pipeline(warm, StandardScaler()), "learner__epochs", ())
    assert is_incremental(pipe, "learner__epochs")
    assert not is_equivalent_to_cold_start(pipe, "learner__epochs", (), 300)
    for ensemble, name in (
        (GradientBoostingClassifier(), "n_estimators"),
        (HistGradientBoostingClassifier(), "max_iter"),
    ):
        assert not is_incremental(ensemble, name)
        assert is_equivalent_to_cold_start(ensemble, name, (), 300)
    stops = make_pipeline(HistGradientBoostingClassifier())
    name = "histgradientboostingclassifier__max_iter"
    assert is_equivalent_to_cold_start(stops, name, (), 10_000)
    assert not is_equivalent_to_cold_start(stops, name, (), 10_001)
    flag = "histgradientboostingclassifier__early_stopping"
    assert not is_equivalent_to_cold_start(stops, name, (flag,), 300)


# ---------------------------------------------------------------------- invalid input


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"resource": "m"}, "resource: Unknown parameter 'm'. Allowed are .*'epochs'.*'n_samples'"),
        (
            {"resource": 3},
            "'resource' parameter of SwarmSearchCV must be None, 'n_samples' or the name .* Got 3",
        ),
        ({"resource": "x"}, "resource='x' must not be searched as well, but the space has 'x'"),
        ({"resource": "log"}, "max_resources='auto' is the estimator's own log, .* got Log"),
        ({"resource": "outcome", "max_resources": 30}, "an integer parameter, but outcome is 'ok'"),
        ({"resource": "warm_start", "max_resources": 30}, "parameter, but warm_start is False"),
        (
            {"min_resources": 0},
            "'min_resources' parameter of .* must be 'auto' or an integer of at least 1. Got 0",
        ),
        (
            {"max_resources": 2.5},
            "'max_resources' parameter of SwarmSearchCV must be 'auto' or an integer .* Got 2.5",
        ),
        (
            {"min_resources": 30},
            "min_resources must be at most max_resources, got min_resources=30",
        ),
        ({"resource": "n_samples", "max_resources": 500}, "at most the 300 samples .* got 500"),
        (
            {"resource": None, "min_resources": "few"},
            "'min_resources' parameter of SwarmSearchCV must be 'auto' or .* Got 'few'",
        ),
    ],
)
def test_invalid_resource_is_refused_before_first_fit(make, rows, log, settings, message):
    with pytest.raises(ValueError, match=message):
        make(**settings).fit(*rows)
    assert not log.fits


def test_parameter_of_searched_step_cannot_be_resource(rows):
    pipe = make_pipeline(StandardScaler(), Learner())
    search = BayesSearchCV(
        pipe, {"learner": [Learner(x=0.1), Learner(x=0.2)]}, resource="learner__n"
    )
    with pytest.raises(ValueError, match="'learner__n' must not be searched .* has 'learner'"):
        search.fit(*rows)


def test_search_without_full_trial_in_time_raises(make, rows):
    class Slow(Learner):
        def fit(self, X, y):
            import time

            time.sleep(5.0 if self.n == 27 else 0.0)
            return super().fit(X, y)

    search = make(learner=Slow(), max_time=1.5, n_points=2, asynchronous=True, n_jobs=2)
    with pytest.raises(TimeoutError, match="before a trial with the full resource had finished"):
        search.fit(*rows)
    assert search.stop_reason_ == "max_time"
