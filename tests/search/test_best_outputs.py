"""Predictions and estimators of the best trial's splits: every way to choose and to continue."""

import pickle
import re
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from joblib import parallel_config
from marks import both_modes
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.cluster import DBSCAN, KMeans
from sklearn.datasets import load_iris, make_multilabel_classification
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.metrics import get_scorer
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    RepeatedStratifiedKFold,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_val_predict,
    cross_validate,
)
from sklearn.neighbors import KNeighborsClassifier, LocalOutlierFactor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier
from slow_steps import Slow

from sklearn_lepton import AutoSearchCV, BayesSearchCV
from sklearn_lepton._evaluation import output_store
from sklearn_lepton.exceptions import PredictionsWarning

C = {"C": (1e-3, 1e2, "log-uniform")}
SPLITS = StratifiedKFold(3, shuffle=True, random_state=1)


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """Where outputs are written, of which nothing may remain."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("JOBLIB_TEMP_FOLDER", str(folder))
    yield folder
    assert list(folder.glob("sklearn_lepton-*")) == []


@pytest.fixture
def on_disk(monkeypatch):
    """All outputs become files."""
    monkeypatch.setattr(output_store.OutputStore.__init__, "__kwdefaults__", {"max_bytes": 0})


class Counted(LogisticRegression):
    """Logistic regression that counts its fits in this process."""

    n_fits = 0

    def fit(self, X, y, sample_weight=None):
        Counted.n_fits += 1
        return super().fit(X, y, sample_weight)


def make(estimator=None, space=None, search_class=BayesSearchCV, **settings):
    settings = {
        "n_iter": 6,
        "cv": SPLITS,
        "random_state": 0,
        "return_predictions": True,
        "return_estimators": True,
        **settings,
    }
    estimator = LogisticRegression(max_iter=500) if estimator is None else estimator
    return search_class(estimator, C if space is None else space, **settings)


def expected(search, X, y, method="predict_proba", **settings):
    best = clone(search.estimator).set_params(**search.best_params_)
    return cross_val_predict(best, X, y, cv=search.cv, method=method, **settings)


def check(search, X, y, method="predict_proba", **settings):
    """Compare the attributes of a fitted search with those that scikit-learn's functions give."""
    found = expected(search, X, y, method, **settings)
    np.testing.assert_array_equal(search.best_predictions_, found)
    rows = X.iloc if hasattr(X, "iloc") else X
    splits = list(search.cv.split(X, y, settings.get("groups")))
    assert len(search.best_split_estimators_) == len(splits)
    for estimator, (_, test) in zip(search.best_split_estimators_, splits, strict=True):
        np.testing.assert_array_equal(getattr(estimator, method)(rows[test]), found[test])
        assert estimator.get_params()["C"] == search.best_params_["C"]


# All ways to run


@both_modes
@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.thorough)])
def test_predictions_equal_those_of_cross_val_predict(search_class, iris, asynchronous, n_jobs):
    search = make(search_class=search_class, asynchronous=asynchronous, n_jobs=n_jobs)
    check(search.fit(*iris), *iris)


@pytest.mark.parametrize("backend", ["threading", "multiprocessing"])
def test_predictions_arrive_from_other_backends(iris, backend):
    with parallel_config(backend=backend):
        search = make(n_jobs=2).fit(*iris)
    check(search, *iris)


def test_no_fit_is_repeated(iris):
    Counted.n_fits = 0
    make(Counted(max_iter=500)).fit(*iris)
    assert Counted.n_fits == 6 * 3 + 1


def test_each_is_returned_only_on_request(iris):
    search = make(return_predictions=False, return_estimators=False).fit(*iris)
    assert not hasattr(search, "best_predictions_")
    assert not hasattr(search, "best_split_estimators_")
    search.set_params(return_predictions=True).fit(*iris)
    assert hasattr(search, "best_predictions_")
    assert not hasattr(search, "best_split_estimators_")
    search.set_params(return_predictions=False, return_estimators=True).fit(*iris)
    assert not hasattr(search, "best_predictions_")
    assert hasattr(search, "best_split_estimators_")


def test_results_and_times_are_those_without_predictions(iris):
    class Slow(LogisticRegression):
        def predict_proba(self, X):
            import time

            time.sleep(0.3)
            return super().predict_proba(X)

    search = make(Slow(max_iter=500), n_iter=1).fit(*iris)
    plain = make(n_iter=1, return_predictions=False, return_estimators=False).fit(*iris)
    assert search.cv_results_.keys() == plain.cv_results_.keys()
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"]
    )
    assert search.cv_results_["mean_score_time"].max() < 0.3


def test_outputs_survive_pickle_but_not_clone(iris):
    search = make().fit(*iris)
    loaded = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(loaded.best_predictions_, search.best_predictions_)
    assert len(loaded.best_split_estimators_) == 3
    cloned = clone(search)
    assert cloned.return_predictions
    assert cloned.return_estimators
    assert not hasattr(cloned, "best_predictions_")


@pytest.mark.parametrize("name", ["return_predictions", "return_estimators"])
def test_other_values_than_true_and_false_are_refused(iris, name):
    with pytest.raises(ValueError, match=f"'{name}' parameter of .* must be True or False"):
        make(**{name: "yes"}).fit(*iris)


# All ways to choose


def second(results):
    """Return the row of the second best trial."""
    return int(np.flatnonzero(results["rank_test_score"] > 1)[0])


@pytest.mark.usefixtures("on_disk")
@pytest.mark.parametrize(
    "settings",
    [
        {"refit": "1se", "complexity": "C"},
        {"refit": second},
        {"refit": False},
        {"scoring": ["accuracy", "neg_log_loss"], "refit": "neg_log_loss"},
        {"final_cv": 4},
        {"final_cv": 4, "refit": "1se"},
        {"racing": True, "n_iter": 12},
        pytest.param({"n_jobs": 2}, marks=pytest.mark.thorough),
    ],
    ids="-".join,
)
def test_predictions_are_those_of_the_chosen_trial(iris, settings):
    with warnings.catch_warnings():
        warnings.simplefilter("error", PredictionsWarning)
        search = make(**settings).fit(*iris)
    check(search, *iris)


def test_callable_refit_is_called_once(iris):
    calls = []

    def worst(results):
        calls.append(1)
        return int(np.argmax(results["rank_test_score"])) if len(calls) == 1 else 0

    search = make(refit=worst).fit(*iris)
    check(search, *iris)
    assert calls == [1]
    assert search.best_index_ == np.argmax(search.cv_results_["rank_test_score"])


@pytest.mark.parametrize("refit", [lambda results: 99, lambda results: 1 / 0])
def test_errors_of_a_callable_refit_are_its_own(iris, refit):
    with pytest.raises((IndexError, ZeroDivisionError)):  # a warning would be another error
        make(refit=refit).fit(*iris)


def test_predictions_of_a_resource_are_at_full_fidelity(iris):
    X, y = iris
    forest = RandomForestClassifier(random_state=0)
    search = make(
        forest,
        {"max_depth": (1, 6, "int")},
        resource="n_estimators",
        max_resources=9,
        n_iter=12,
    ).fit(X, y)
    assert min(search.cv_results_["n_resources"]) < 9
    np.testing.assert_array_equal(search.best_predictions_, expected(search, X, y))
    assert {len(e.estimators_) for e in search.best_split_estimators_} == {9}


def test_a_warm_start_of_the_resource_gives_the_resumed_estimator(iris):
    forest = RandomForestClassifier(random_state=0, warm_start=True)
    search = make(
        forest, {"max_depth": (1, 6, "int")}, resource="n_estimators", max_resources=9, n_iter=12
    ).fit(*iris)
    np.testing.assert_allclose(search.best_predictions_, expected(search, *iris))


def test_refit_false_with_several_metrics_is_refused(iris):
    with pytest.raises(ValueError, match="no trial is the best, so that return_predictions=True"):
        make(scoring=["accuracy", "f1_macro"], refit=False).fit(*iris)


def test_search_without_a_best_trial_warns(iris):
    def scores(estimator, X, y):
        return {"a": estimator.score(X, y), "b": 0.0}

    with pytest.warns(PredictionsWarning, match="no best_predictions_ .*: no trial is the best"):
        search = make(scoring=scores, refit=False).fit(*iris)
    assert not hasattr(search, "best_predictions_")


@pytest.mark.thorough
@pytest.mark.parametrize("refit", [True, "1se"])
def test_memory_is_bounded(monkeypatch, refit):
    class Wide(ClassifierMixin, BaseEstimator):
        def __init__(self, level=0.5):
            self.level = level

        def fit(self, X, y):
            self.classes_ = np.unique(y)
            return self

        def predict_proba(self, X):
            return np.full((len(X), len(self.classes_)), self.level)

    def peak(**settings):
        tracemalloc.start()
        space = {"level": (0.0, 1.0, "uniform")}
        make(Wide(), space, n_iter=20, cv=2, scoring=lambda *_: 1.0, refit=refit, **settings).fit(
            np.zeros((10_000, 1)), np.arange(10_000) % 20
        )
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most / 1e6

    monkeypatch.setattr(output_store.OutputStore.__init__, "__kwdefaults__", {"max_bytes": 3e6})
    plain = peak(return_predictions=False, return_estimators=False)
    # Of 20 trials with 1.6 MB each: the limit, one trial that is added and the result.
    assert peak() - plain < 3 + 3 * 1.6 + 1


# All ways to continue


def test_journal_has_no_predictions_and_the_resumed_search_fits_them_again(iris, tmp_path):
    journal = tmp_path / "study.jsonl"
    first = make(journal=journal).fit(*iris)
    with pytest.warns(PredictionsWarning, match="no outputs of 3 of 3 fits of the best trial"):
        resumed = make(journal=journal).fit(*iris)
    check(resumed, *iris)
    np.testing.assert_array_equal(resumed.best_predictions_, first.best_predictions_)
    assert "predict" not in journal.read_text()


def test_only_missing_splits_are_fitted_again(iris, tmp_path):
    journal = tmp_path / "study.jsonl"
    make(Counted(max_iter=500), n_iter=1, journal=journal).fit(*iris)
    lines = journal.read_text().splitlines(keepends=True)
    last = max(k for k, line in enumerate(lines) if '"split": 1' in line)
    journal.write_text("".join(lines[:last]))
    Counted.n_fits = 0
    with pytest.warns(PredictionsWarning, match="no outputs of 1 of 3 fits"):
        search = make(Counted(max_iter=500), n_iter=1, journal=journal).fit(*iris)
    assert Counted.n_fits == 2 + 1 + 1
    check(search, *iris)


def test_fits_that_cannot_be_repeated_are_reported(iris, tmp_path):
    class Once(LogisticRegression):
        is_broken = False

        def fit(self, X, y):
            if Once.is_broken and len(y) < 150:
                raise RuntimeError("only once")
            return super().fit(X, y)

    make(Once(max_iter=500), journal=tmp_path / "study.jsonl").fit(*iris)
    Once.is_broken = True
    with pytest.warns(PredictionsWarning) as caught:
        search = make(Once(max_iter=500), journal=tmp_path / "study.jsonl").fit(*iris)
    messages = [str(warning.message) for warning in caught]
    assert any("the best trial failed when they were run again" in text for text in messages)
    assert not hasattr(search, "best_predictions_")
    assert search.best_score_ > 0.9


def test_warm_start_keeps_the_predictions_of_an_earlier_best_trial(iris):
    search = make(warm_start=True).fit(*iris)
    number, before = search.best_index_, search.best_predictions_
    for trial in search.trials_:
        assert trial.score <= search.best_score_
    with warnings.catch_warnings():
        warnings.simplefilter("error", PredictionsWarning)
        search.set_params(n_iter=1, initial_params={"C": 1e-3}).fit(*iris)
    assert search.best_index_ == number
    assert search.best_predictions_ is before
    check(search, *iris)


def test_warm_start_with_another_choice_fits_again(iris):
    search = make(warm_start=True, refit=second).fit(*iris)
    first = search.best_index_
    search.set_params(n_iter=1, refit=lambda results: (first + 1) % 6)
    with pytest.warns(PredictionsWarning, match="no outputs of 3 of 3"):
        search.fit(*iris)
    check(search, *iris)


def test_update_has_the_predictions_of_the_new_data(iris):
    X, y = iris
    search = make().fit(X, y)
    search.update(X[::2], y[::2])
    check(search, X[::2], y[::2])


def test_partial_update_has_the_predictions_of_its_choice(iris):
    X, y = iris
    model = SGDClassifier(loss="log_loss", random_state=0)
    search = make(model, {"alpha": (1e-4, 10.0, "log-uniform")}, n_iter=8).fit(X, y)
    search.update(X, y, partial=True)
    assert search.updates_[0]["held"]
    assert search.best_index_ == 0
    best = clone(model).set_params(**search.best_params_)
    found = cross_val_predict(best, X, y, cv=SPLITS, method="predict_proba")
    np.testing.assert_array_equal(search.best_predictions_, found)


# All kinds of estimators and data


def test_decision_values_and_predictions_where_there_are_no_probabilities(iris):
    X, y = iris
    check(make(LinearSVC()).fit(X, y), X, y, "decision_function")
    search = make(SVC(), {"C": [0.1, 1.0]}, n_iter=2).fit(X, y)
    check(search, X, y, "decision_function")
    ridge = make(Ridge(), {"alpha": [0.1, 1.0, 10.0]}, cv=KFold(3), n_iter=3).fit(X, X[:, 0])
    np.testing.assert_array_equal(ridge.best_predictions_, expected(ridge, X, X[:, 0], "predict"))


def test_labels_where_there_is_nothing_else(iris):
    class Labels(ClassifierMixin, BaseEstimator):
        def __init__(self, depth=1):
            self.depth = depth

        def fit(self, X, y):
            self.tree_ = DecisionTreeClassifier(max_depth=self.depth, random_state=0).fit(X, y)
            self.classes_ = self.tree_.classes_
            return self

        def predict(self, X):
            return self.tree_.predict(X)

    X, y = iris
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    search = make(Labels(), {"depth": [1, 2, 3]}, n_iter=3).fit(X, names)
    np.testing.assert_array_equal(search.best_predictions_, expected(search, X, names, "predict"))


def test_frames_with_an_index_keep_the_order_of_rows(iris):
    X, y = iris
    order = np.random.default_rng(0).permutation(150)
    frame = pd.DataFrame(X, columns=list("abcd"), index=order)
    names = pd.Series(np.array(["c", "a", "b"])[y], index=order)
    search = make().fit(frame, names)
    check(search, frame, names)
    assert search.classes_.tolist() == ["a", "b", "c"]
    assert np.mean(search.classes_[search.best_predictions_.argmax(axis=1)] == names) > 0.9


def test_sparse_data(iris):
    X, y = iris
    search = make().fit(sparse.csr_array(X), y)
    np.testing.assert_array_equal(
        search.best_predictions_, expected(search, sparse.csr_array(X), y)
    )


def test_precomputed_kernel(iris):
    X, y = iris
    kernel = X @ X.T
    search = make(SVC(kernel="precomputed"), {"C": [0.1, 1.0]}, n_iter=2).fit(kernel, y)
    np.testing.assert_array_equal(
        search.best_predictions_, expected(search, kernel, y, "decision_function")
    )


def test_weights_and_groups(iris):
    X, y = iris
    weight = np.random.default_rng(0).random(150)
    groups = np.arange(150) % 7
    search = make(cv=GroupKFold(3)).fit(X, y, groups=groups, sample_weight=weight)
    check(search, X, y, groups=groups, params={"sample_weight": weight})
    assert not np.array_equal(search.best_predictions_, expected(search, X, y, groups=groups))


def test_routed_metadata(iris):
    X, y = iris
    weight = np.random.default_rng(0).random(150)
    with sklearn.config_context(enable_metadata_routing=True):
        model = LogisticRegression(max_iter=500).set_fit_request(sample_weight=True)
        scorer = get_scorer("accuracy").set_score_request(sample_weight=False)
        search = make(model, scoring=scorer).fit(X, y, sample_weight=weight)
        found = expected(search, X, y, params={"sample_weight": weight})
    np.testing.assert_array_equal(search.best_predictions_, found)


def test_predictions_use_the_configuration_of_scikit_learn(iris):
    class Strict(LogisticRegression):
        def predict_proba(self, X):
            assert sklearn.get_config()["transform_output"] == "pandas"
            assert isinstance(X, pd.DataFrame)
            return super().predict_proba(X)

    model = Pipeline([("scale", StandardScaler()), ("clf", Strict())])
    search = make(model, {"clf__C": [0.1, 1.0]}, n_iter=2, n_jobs=2)
    with sklearn.config_context(transform_output="pandas"), parallel_config(backend="threading"):
        search.fit(*iris)
    assert search.best_predictions_.shape == (150, 3)


def test_several_outputs_give_a_list(iris):
    X, y = iris
    targets = np.column_stack([y, y > 0])
    search = make(
        DecisionTreeClassifier(random_state=0),
        {"max_depth": [1, 2]},
        n_iter=2,
        cv=KFold(5),
        scoring=lambda estimator, X, y: float(np.mean(estimator.predict(X) == y)),
    ).fit(X[::-1], targets[::-1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = expected(search, X[::-1], targets[::-1])
    assert isinstance(search.best_predictions_, list)
    for own, other in zip(search.best_predictions_, found, strict=True):
        np.testing.assert_array_equal(own, other)


@pytest.mark.parametrize("model", [KNeighborsClassifier(), DecisionTreeClassifier(random_state=0)])
def test_several_labels(model):
    X, y = make_multilabel_classification(90, 5, n_classes=3, random_state=0)
    name, values = (
        ("n_neighbors", [1, 5]) if "n_neighbors" in model.get_params() else ("max_depth", [1, 2])
    )
    search = make(model, {name: values}, n_iter=2, cv=KFold(3)).fit(X, y)
    for own, other in zip(search.best_predictions_, expected(search, X, y), strict=True):
        np.testing.assert_array_equal(own, other)


def test_outlier_detectors_and_clusterers(iris):
    X, _ = iris

    def score(estimator, X, y=None):
        return float(len(X))

    forest = make(
        IsolationForest(random_state=0),
        {"n_estimators": [3, 5]},
        n_iter=2,
        scoring=score,
        cv=KFold(3),
    ).fit(X)
    np.testing.assert_array_equal(
        forest.best_predictions_, expected(forest, X, None, "decision_function")
    )
    means = make(KMeans(random_state=0), {"n_clusters": [2, 3]}, n_iter=2, cv=KFold(3)).fit(X)
    np.testing.assert_array_equal(means.best_predictions_, expected(means, X, None, "predict"))


@pytest.mark.parametrize(
    ("estimator", "space"),
    [(DBSCAN(), {"eps": (0.1, 1.0, "uniform")}), (LocalOutlierFactor(), {"n_neighbors": [3, 5]})],
    ids=["clusterer", "outlier detector"],
)
def test_estimators_without_predictions_are_refused_before_the_first_fit(iris, estimator, space):
    X, _ = iris
    search = make(estimator, space, scoring=lambda *_: 1 / 0, cv=KFold(3))
    message = "return_predictions=True needs an estimator with predict_proba, decision_function or"
    with pytest.raises(ValueError, match=message):
        search.fit(X)


def test_a_choice_of_the_space_may_be_what_predicts(iris):
    X, _ = iris
    space = {"n_neighbors": [3, 5], "novelty": [True]}
    settings = {"n_iter": 2, "scoring": lambda *_: 1.0, "cv": KFold(3), "initial_params": None}
    search = make(LocalOutlierFactor(), space, **settings).fit(X)
    assert search.best_predictions_.shape == (150,)
    space = {"clf": [LogisticRegression(max_iter=500), KNeighborsClassifier()]}
    model = Pipeline([("scale", StandardScaler()), ("clf", "passthrough")])
    search = make(model, space, n_iter=2, initial_params=None, scoring="accuracy").fit(*iris)
    np.testing.assert_array_equal(search.best_predictions_, expected(search, *iris))


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.thorough)])
def test_cached_steps_leave_no_trace_in_the_estimators(iris, tmp_path, n_jobs):
    X, y = iris
    model = Pipeline(
        [("slow", Slow(folder=str(tmp_path))), ("clf", LogisticRegression(max_iter=500))]
    )
    search = make(model, {"clf__C": [0.1, 1.0, 10.0, 100.0]}, n_iter=4, n_jobs=n_jobs)
    search.fit(X, y)
    assert sum(trial.split_results[0].saved_time is not None for trial in search.trials_) > 0
    for estimator in search.best_split_estimators_:
        assert estimator.memory is None
        assert estimator.predict_proba(X).shape == (150, 3)
    np.testing.assert_array_equal(search.best_predictions_, expected(search, X, y))


def test_estimators_equal_those_of_cross_validate(iris):
    X, y = iris
    search = make(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2, 3]}, n_iter=3)
    search.fit(X, y)
    best = clone(search.estimator).set_params(**search.best_params_)
    others = cross_validate(best, X, y, cv=SPLITS, return_estimator=True)["estimator"]
    for own, other in zip(search.best_split_estimators_, others, strict=True):
        np.testing.assert_array_equal(own.predict_proba(X), other.predict_proba(X))


@pytest.mark.thorough
def test_models_that_the_search_chooses(iris):
    X, y = iris
    names = np.array(["u", "v", "w"])[y]
    search = AutoSearchCV("auto", n_iter=4, cv=3, random_state=0, return_predictions=True)
    search.fit(X, names)
    assert search.best_predictions_.shape == (150, 3)
    assert np.mean(search.classes_[search.best_predictions_.argmax(axis=1)] == names) > 0.8


# Repeated and partial splits


def test_repeated_splits_give_means(iris):
    X, y = iris
    cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0)
    search = make(cv=cv).fit(X, y)
    best = clone(search.estimator).set_params(**search.best_params_)
    found = np.zeros((150, 3))
    for train, test in cv.split(X, y):
        found[test] += best.fit(X[train], y[train]).predict_proba(X[test]) / 2
    np.testing.assert_allclose(search.best_predictions_, found, rtol=1e-12)
    assert len(search.best_split_estimators_) == 6


def test_rows_of_no_test_part_are_nan(iris):
    X, y = iris
    X, y = X[::-1], X[::-1, 0]
    search = make(Ridge(), {"alpha": [0.1, 1.0]}, n_iter=2, cv=TimeSeriesSplit(4)).fit(X, y)
    first = next(test for _, test in search.cv.split(X))[0]
    assert np.isnan(search.best_predictions_[:first]).all()
    assert np.isfinite(search.best_predictions_[first:]).all()


def test_class_that_a_training_part_lacks_has_probability_zero(iris):
    X, y = iris
    search = make(cv=KFold(3), n_iter=2)
    with pytest.warns(PredictionsWarning, match=r"lacks classes of y.*filled up: splits \[0, 1, 2"):
        search.fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = expected(search, X, y)
    np.testing.assert_array_equal(search.best_predictions_, found)


def test_decision_values_of_unknown_classes_are_nan(iris):
    X, y = iris
    search = make(LinearSVC(), cv=KFold(3), n_iter=2)
    with pytest.warns(PredictionsWarning, match=r"cannot be assigned to classes and are NaN"):
        search.fit(X, y)
    assert np.isnan(search.best_predictions_).all()


# Failures


class Silent(LogisticRegression):
    """Logistic regression whose probabilities fail for large `C`."""

    def predict_proba(self, X):
        if self.C > 0.1:
            raise RuntimeError("no probabilities today")
        return super().predict_proba(X)


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.thorough)])
def test_failing_prediction_fails_its_trial_only(iris, n_jobs):
    search = make(Silent(max_iter=500), n_jobs=n_jobs, n_iter=8, return_train_score=True)
    with pytest.warns(FitFailedWarning), pytest.warns(match="are non-finite"):
        search.fit(*iris)
    assert search.best_params_["C"] <= 0.1
    check(search, *iris)
    for trial in search.trials_:
        assert (trial.status == "complete") == (trial.params["C"] <= 0.1)
    [error, *_] = {r.error for t in search.trials_ for r in t.split_results if r.error}
    assert error.startswith("The fit succeeded, but failed to predict, for return_predictions=True")
    assert "no probabilities today" in error


def test_failing_prediction_raises_with_error_score_raise(iris):
    with pytest.raises(RuntimeError, match="no probabilities today"):
        make(Silent(max_iter=500), error_score="raise", n_iter=8).fit(*iris)


def test_wrong_number_of_predictions_fails_the_trial(iris):
    class Short(LogisticRegression):
        def predict_proba(self, X):
            return super().predict_proba(X)[:-1]

    with pytest.raises(ValueError, match=re.escape("returned an array of shape (49, 3) for 50")):
        make(Short(max_iter=500), n_iter=2).fit(*iris)


class Unpicklable(LogisticRegression):
    """Logistic regression that holds an open generator once it is fitted."""

    def fit(self, X, y):
        self.generator_ = (row for row in X)
        return super().fit(X, y)


def test_estimators_that_cannot_be_pickled_are_kept_in_this_process(iris):
    search = make(Unpicklable(max_iter=500), refit="1se").fit(*iris)
    check(search, *iris)


def test_estimators_that_cannot_be_pickled_fail_in_another_process(iris):
    message = "failed to pickle the estimator, for return_estimators=True"
    with pytest.raises(ValueError, match=message):
        make(Unpicklable(max_iter=500), n_jobs=2, n_iter=2).fit(*iris)


@pytest.mark.usefixtures("on_disk")
def test_ctrl_c_leaves_nothing_on_disk_and_the_predictions_of_the_best(iris, temporary):
    n_trials = 4
    seen = []

    def stop(search, trial):
        seen.extend(temporary.glob("sklearn_lepton-outputs-*/*.pkl"))
        if trial.number == n_trials - 1:
            raise KeyboardInterrupt

    search = make(callbacks=stop, refit="1se", n_iter=9)
    with pytest.warns(match="The search was interrupted"):
        search.fit(*iris)
    assert seen
    assert len(search.trials_) == n_trials
    check(search, *iris)


@pytest.mark.usefixtures("on_disk")
def test_error_of_a_callback_leaves_nothing_on_disk(iris, temporary):
    def fail(search, trial):
        assert list(temporary.glob("sklearn_lepton-outputs-*/*.pkl"))
        raise RuntimeError("a callback of mine")

    with pytest.raises(RuntimeError, match="a callback of mine"):
        make(callbacks=fail).fit(*iris)
