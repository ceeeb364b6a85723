"""Racing, resource, costs, step cache, final splits and journal, combined."""

import functools
import warnings
from typing import ClassVar

import numpy as np
import pytest
from joblib import parallel_config
from journal_subject import outline
from marks import both_modes
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklearn_lepton import BayesSearchCV

SPACE = {"clf__max_depth": (1, 12, "int"), "clf__min_samples_leaf": (1, 40, "log-int")}


@functools.cache
def data():
    X, y = load_breast_cancer(return_X_y=True)
    return X[:200], y[:200]


@pytest.fixture
def make(search_class):
    def make_search(**settings):
        trees = ExtraTreesClassifier(9, random_state=0)
        pipeline = Pipeline([("scale", StandardScaler()), ("clf", trees)])
        shared = {
            "n_iter": 30,
            "cv": 4,
            "random_state": 0,
            "racing": 0.05,
            "resource": "clf__n_estimators",
            "cost_aware": True,
            "final_cv": 3,
        }
        return search_class(pipeline, SPACE, **(shared | settings))

    return make_search


@pytest.mark.thorough
@both_modes
def test_all_savings_combine(make, asynchronous):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with parallel_config(backend="threading"):
            search = make(asynchronous=asynchronous, n_jobs=2, refit="1se").fit(*data())
    best = search.trials_[search.best_index_]
    assert best.status == "complete"
    assert best.is_full
    assert search.best_params_["clf__n_estimators"] == 9
    assert search.best_score_ == search.cv_results_["mean_final_score"][search.best_index_]
    assert (search.cv_results_["n_splits_run"] < 4).any()
    assert (search.cv_results_["n_resources"] < 9).any()
    ended = [trial for trial in search.trials_ if trial.status == "pruned"]
    assert not any(search.cv_results_["rank_test_score"][t.number] == 1 for t in ended)


@pytest.mark.thorough
@pytest.mark.parametrize("search_class", [BayesSearchCV])
def test_journal_resumes_with_all_savings(make, tmp_path):
    def stop(search, trial):
        if trial.number == 17:
            raise InterruptedError

    path = tmp_path / "study.jsonl"
    settings = {"cost_aware": False, "n_points": 2}  # seconds differ from run to run
    expected = outline(make(**settings).fit(*data()))
    with pytest.raises(InterruptedError):
        make(journal=path, callbacks=stop, **settings).fit(*data())
    assert outline(make(journal=path, **settings).fit(*data())) == expected


@pytest.mark.thorough
def test_pruned_and_low_fidelity_trials_are_not_transferred(make):
    older = make(final_cv=None).fit(*data())
    newer = make(previous_studies=older, resource=None, racing=False, n_iter=3, final_cv=None)
    [study] = newer.fit(*data())._studies
    # The untuned estimator has no point in the space.
    complete = [t for t in older.trials_ if t.status == "complete" and t.is_full and t.point]
    assert [trial.score for trial in study] == [trial.score for trial in complete]


class Stopping(ClassifierMixin, BaseEstimator):
    """A booster that learns nothing, and needs an ``eval_set`` if it is to stop."""

    def __init__(self, z=1, n_estimators=100, early_stopping_rounds=None):
        self.z = z
        self.n_estimators = n_estimators
        self.early_stopping_rounds = early_stopping_rounds

    def fit(self, X, y, eval_set=None):
        if (self.early_stopping_rounds is not None) != (eval_set is not None):
            raise ValueError("an eval_set if and only if it is to stop")
        if eval_set is not None:
            self.best_iteration = self.z
        self.classes_ = np.unique(y)
        self.tree_ = DecisionTreeClassifier(max_depth=self.z, random_state=0).fit(X, y)
        return self

    def predict(self, X):
        return self.tree_.predict(X)


@pytest.mark.parametrize("settings", [{"final_cv": 3}, {"racing": 0.3}, {"refit": "1se"}])
def test_early_stopping_combines_with_other_savings(settings):
    search = BayesSearchCV(
        Stopping(),
        {"z": (1, 8, "int")},
        n_iter=8,
        cv=4,
        eval_set_from_split=True,
        error_score="raise",
        random_state=0,
        **settings,
    ).fit(*data())
    assert search.best_estimator_.n_estimators == search.best_params_["z"] + 1


class Sized(ClassifierMixin, BaseEstimator):
    """Takes down how large it was fitted."""

    sizes: ClassVar[list] = []

    def __init__(self, z=1, size=3):
        self.z = z
        self.size = size

    def fit(self, X, y):
        self.sizes.append((self.size, len(X)))
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[self.z % 2])


def test_final_fits_have_the_full_resource():
    Sized.sizes.clear()
    BayesSearchCV(
        Sized(), {"z": [1, 2]}, n_iter=4, cv=4, resource="size", max_resources=30, final_cv=2
    ).fit(*data())
    final = [size for size, n in Sized.sizes if n == 100]
    assert final
    assert set(final) == {30}


def test_rounds_cannot_be_resource_with_early_stopping():
    search = BayesSearchCV(
        Stopping(), {"z": (1, 8, "int")}, eval_set_from_split=True, resource="n_estimators"
    )
    with pytest.raises(ValueError, match="find their number of rounds themselves"):
        search.fit(*data())
