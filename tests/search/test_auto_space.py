"""param_distributions="auto": the built-in space of the estimator and the data."""

import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from sklearn_lepton import Space, default_space
from sklearn_lepton._inspection.history import read_source
from sklearn_lepton.exceptions import JournalMismatchError, SpaceExhaustedWarning

NEIGHBOURS = make_pipeline(StandardScaler(), KNeighborsClassifier())


def test_auto_space_is_the_default(search_class, blobs):
    search = search_class(NEIGHBOURS, n_iter=6, cv=2, random_state=0).fit(*blobs)
    assert search.param_distributions == "auto"
    assert search.space_ == Space(default_space(NEIGHBOURS, *blobs))
    own = NEIGHBOURS.get_params()
    assert dict(search.trials_[0].params) == {name: own[name] for name in search.space_.names}
    assert clone(search).param_distributions == "auto"
    again = clone(search).fit(*blobs)
    assert [t.params for t in again.trials_] == [t.params for t in search.trials_]


def test_auto_space_fits_thirty_rows_in_five_splits(search_class):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 3)), np.arange(30) % 2
    search = search_class(KNeighborsClassifier(), n_iter=15, cv=5, random_state=0)
    search.set_params(error_score="raise").fit(X, y)
    assert len(search.trials_) == 15


@pytest.mark.parametrize("given", ["Auto", "default", ""])
def test_unknown_word_is_refused(search_class, blobs, given):
    with pytest.raises(TypeError, match=f"must be 'auto', or a dict.*got {given!r}"):
        search_class(GaussianNB(), given).fit(*blobs)


class Unknown(BaseEstimator):
    def fit(self, X, y):
        return self

    def score(self, X, y):
        return 0.0


def test_estimator_without_space_is_refused(search_class, blobs):
    with pytest.raises(ValueError, match="no built-in space for Unknown .*give a dict"):
        search_class(Unknown()).fit(*blobs)


def test_nothing_to_tune_gives_one_trial(search_class):
    X = np.arange(20.0)[:, np.newaxis]
    search = search_class(LinearRegression(), n_iter=5, cv=2)
    with pytest.warns(SpaceExhaustedWarning):
        search.fit(X, X[:, 0])
    assert search.best_params_ == {}


def test_auto_space_excludes_the_resource(search_class, blobs):
    tree = DecisionTreeClassifier(random_state=0)
    search = search_class(tree, resource="max_depth", min_resources=1, max_resources=4)
    search.set_params(n_iter=6, cv=2, random_state=0).fit(*blobs)
    assert "max_depth" not in search.space_.names


def test_journal_resumes_with_auto_space(search_class, blobs, tmp_path):
    X, y = blobs
    options = {"cv": 2, "random_state": 0, "journal": tmp_path / "study.jsonl"}
    first = search_class(NEIGHBOURS, n_iter=4, **options).fit(X, y)
    both = search_class(NEIGHBOURS, n_iter=8, **options).fit(X, y)
    assert [t.params for t in both.trials_[:4]] == [t.params for t in first.trials_]
    with pytest.raises(JournalMismatchError):
        search_class(NEIGHBOURS, n_iter=9, **options).fit(X[::2], y[::2])


def test_update_keeps_auto_space(search_class, blobs):
    X, y = blobs
    search = search_class(NEIGHBOURS, n_iter=8, cv=2, random_state=0).fit(X[:30], y[:30])
    space = search.space_
    assert space != Space(default_space(NEIGHBOURS, X, y))
    search.update(X, y, n_iter=3)
    assert search.space_ == space


def test_warm_start_keeps_auto_space(search_class, blobs):
    search = search_class(NEIGHBOURS, n_iter=4, cv=2, random_state=0, warm_start=True)
    space = search.fit(*blobs).space_
    assert len(search.fit(*blobs).trials_) == 8
    assert search.space_ == space


def test_iteration_limit_keeps_the_untuned_estimator(search_class, blobs):
    search = search_class(SVC(kernel="linear"), n_iter=2, cv=2, random_state=0).fit(*blobs)
    assert search.trials_[0].params == {"C": 1.0, "max_iter": 10_000, "kernel": "linear"}
    assert read_source(search).default_trial == 0


def test_auto_space_hides_convergence_warnings_of_trials_only(search_class, blobs):
    network = MLPClassifier(max_iter=1, random_state=0)
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        search_class(network, n_iter=2, cv=2, random_state=0, refit=False).fit(*blobs)
        assert not shown
        search_class(network, n_iter=2, cv=2, random_state=0).fit(*blobs)
    assert [warning.category for warning in shown] == [ConvergenceWarning]
