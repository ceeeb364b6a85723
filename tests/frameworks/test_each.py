"""Searches with estimators and data of other libraries."""

import pickle

import cases
import numpy as np
import pytest
from sklearn.base import clone

from sklearn_lepton import BayesSearchCV, SwarmSearchCV

pytestmark = [
    pytest.mark.frameworks,
    cases.OF_KERAS,
]


def make(case, search_class=BayesSearchCV, **params):
    settings = {"n_iter": 3, "cv": 2, "random_state": 0, "error_score": "raise"}
    return search_class(clone(case.estimator), case.space, **(settings | params))


def as_array(data):
    return np.asarray(data).tolist()


def test_search_fits_and_predicts(case, search_class):
    X, y = case.X, case.y
    search = make(case, search_class).fit(X, y)
    assert [trial.status for trial in search.trials_] == ["complete"] * 3
    table = search.cv_results_
    assert np.isfinite(table["mean_test_score"]).all()
    assert search.best_score_ == table["mean_test_score"].max()
    assert search.best_params_.keys() == case.space.keys()
    for name, value in search.best_params_.items():
        assert search.best_estimator_.get_params()[name] == value
    assert 0.4 < search.score(X, y) <= 1
    fresh = clone(search)
    assert not hasattr(fresh, "best_estimator_")
    assert fresh.n_iter == 3
    again = pickle.loads(pickle.dumps(search))
    assert as_array(again.predict(X)) == as_array(search.predict(X))


def test_search_runs_in_processes(case):
    search = make(case, n_jobs=2, asynchronous=True, n_iter=4).fit(case.X, case.y)
    assert [trial.status for trial in search.trials_] == ["complete"] * 4
    assert {row.worker for trial in search.trials_ for row in trial.split_results} == {0, 1}
    assert len(search.predict(case.X)) == case.X.shape[0]


def test_journal_resumes_with_equal_data(case, tmp_path):
    path = tmp_path / "study.jsonl"
    first = make(case, journal=path, n_iter=2).fit(case.X, case.y)
    second = make(case, journal=path, n_iter=3).fit(case.copy(case.X), case.copy(case.y))
    assert [t.split_results for t in second.trials_[:2]] == [t.split_results for t in first.trials_]
    assert len(second.trials_) == 3


def test_search_with_n_samples_resource_and_racing(case):
    search = make(
        case,
        SwarmSearchCV,
        surrogate=False,
        resource="n_samples",
        min_resources=40,
        racing=True,
        n_iter=8,
    ).fit(case.X, case.y)
    amounts = search.cv_results_["n_resources"]
    assert min(amounts) == 40
    assert amounts[search.best_index_] == 100 == max(amounts)
