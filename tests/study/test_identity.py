"""Identity of choices, scorers and studies: compared by content, not by text."""

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.multioutput import MultiOutputClassifier

from sklearn_lepton import BayesSearchCV, load_trials
from sklearn_lepton.exceptions import JournalMismatchError

# Of these numpy writes the ends only.
ONE, TWO, THREE = (np.where(np.arange(2000) == place, float(place), 0.0) for place in (7, 8, 9))


class Masked(BaseEstimator):
    """Its score depends on its parameters alone."""

    def __init__(self, mask=None, x=0.5):
        self.mask = mask
        self.x = x

    def fit(self, X, y=None):
        FITS.append(len(X))
        self.classes_ = np.array([0, 1])
        return self

    def predict(self, X):
        return np.zeros(len(X), dtype=int)

    def score(self, X, y=None):
        return (0.0 if self.mask is None else float(self.mask.sum())) - self.x


FITS = []


@pytest.fixture(autouse=True)
def fits():
    FITS.clear()
    return FITS


@pytest.fixture
def path(tmp_path):
    return tmp_path / "study.jsonl"


def make(space=None, estimator=None, **settings):
    shared = {"n_iter": 2, "cv": KFold(2), "random_state": 0, "n_jobs": 1}
    space = {"x": (0.1, 0.9, "uniform")} if space is None else space
    return BayesSearchCV(Masked() if estimator is None else estimator, space, **shared | settings)


# ------------------------------------------------------------------------- arrays


def test_journal_of_choices_with_equal_text_is_refused(numbered, path):
    make({"mask": [ONE, TWO]}, journal=path).fit(*numbered)
    assert make({"mask": [ONE, TWO.copy()]}, journal=path).fit(*numbered).best_score_ == 7.5
    with pytest.raises(JournalMismatchError, match=r"mask.categorical\[1\].hash"):
        make({"mask": [ONE, THREE]}, journal=path).fit(*numbered)


def test_warm_start_with_choices_with_equal_text_is_refused(numbered):
    search = make({"mask": [ONE, TWO, THREE]}, warm_start=True).fit(*numbered)
    with pytest.raises(ValueError, match="space must be that of the fit before"):
        search.set_params(param_distributions={"mask": [ONE, THREE, TWO]}).fit(*numbered)
    search.set_params(param_distributions={"mask": [ONE, TWO.copy(), THREE]}, n_iter=1)
    assert len(search.fit(*numbered).trials_) == 3


def test_journal_of_parameter_with_equal_text_is_refused(numbered, path):
    make(estimator=Masked(ONE), journal=path).fit(*numbered)
    with pytest.raises(JournalMismatchError, match=r"estimator\.params\.mask\.hash"):
        make(estimator=Masked(TWO), journal=path).fit(*numbered)


def test_trials_of_a_journal_keep_their_choices(numbered, path):
    make({"mask": [ONE, TWO]}, journal=path, initial_params=None).fit(*numbered)
    search = make({"mask": [THREE, TWO.copy(), ONE.copy()]}, previous_studies=path).fit(*numbered)
    [study] = search._studies
    assert sorted((t.params["mask"].sum(), t.score) for t in study) == [(7.0, 6.5), (8.0, 7.5)]


class Counting:
    """A scorer that counts its calls."""

    def __init__(self):
        self.calls = 0

    def __call__(self, estimator, X, y):
        self.calls += 1
        return estimator.score(X, y)


def test_scorer_with_changing_state_is_the_same_in_a_warm_start(numbered):
    search = make(scoring=Counting(), warm_start=True).fit(*numbered)
    assert len(search.fit(*numbered).trials_) == 4
    with pytest.raises(ValueError, match="scoring was"):
        search.set_params(scoring=Counting()).fit(*numbered)


# ------------------------------------------------------------------ journals of clones


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_each_outer_split_has_its_own_journal(numbered, fits, path, n_jobs, tmp_path):
    X, y = numbered
    expected = cross_val_score(make(scoring=own_score), X, y, cv=3)
    with_journal = make(scoring=own_score, journal=path)
    with joblib.parallel_config("threading"):
        found = cross_val_score(with_journal, X, y, cv=3, n_jobs=n_jobs, error_score="raise")
    assert found.tolist() == expected.tolist()
    files = sorted(tmp_path.iterdir())
    assert len(files) == 3
    assert path in files
    assert [len(load_trials(file)) for file in files] == [2, 2, 2]
    contents = [file.read_bytes() for file in files]
    assert all(b'"ratio": ' in content and b'"n_disjoint": ' in content for content in contents)
    fits.clear()
    again = cross_val_score(with_journal, X, y, cv=3, error_score="raise")
    assert again.tolist() == expected.tolist()
    assert len(fits) == 3  # the refits
    assert [file.read_bytes() for file in sorted(tmp_path.iterdir())] == contents


def own_score(estimator, X, y):
    return float(X[:, 0].mean()) - getattr(estimator, "x", 0.0)


def test_another_space_is_refused_in_each_outer_split(numbered, path):
    search = make(journal=path)
    cross_val_score(search, *numbered, cv=3)
    search.set_params(param_distributions={"x": (0.2, 0.9, "uniform")})
    with pytest.raises(ValueError, match=r"All the 3 fits failed(.|\n)*x\.real\[0\] is 0\.1 in"):
        cross_val_score(search, *numbered, cv=3)


def test_other_data_are_refused_where_the_search_is_no_clone(numbered, path, tmp_path):
    X, y = numbered
    search = make(journal=path).fit(X, y)
    with pytest.raises(JournalMismatchError, match=r"data\.X\.hash"):
        search.fit(X + 1, y)
    assert list(tmp_path.iterdir()) == [path]


def test_each_target_has_its_own_journal(numbered, fits, path, tmp_path):
    X, y = numbered
    several = MultiOutputClassifier(make(journal=path))
    several.fit(X, np.column_stack([y, 1 - y]))
    assert len(list(tmp_path.iterdir())) == 2
    fits.clear()
    several.fit(X, np.column_stack([y, 1 - y]))
    assert len(fits) == 2


def test_clone_on_the_same_data_resumes_the_journal(numbered, fits, path, tmp_path):
    search = make(journal=path).fit(*numbered)
    fits.clear()
    outer = GridSearchCV(search, {"n_iter": [2]}, cv=[(np.arange(20), np.arange(20, 30))])
    outer.fit(*numbered)  # which refits a clone on all rows
    assert len(fits) == 2 * 2 + 1 + 1
    assert len(list(tmp_path.iterdir())) == 2


def test_warm_start_on_other_data_makes_no_journal(numbered, path, tmp_path):
    X, y = numbered
    [search] = cross_validate_once(make(journal=path, warm_start=True), X, y)
    search.fit(X, y)  # continues
    assert len(search.trials_) == 4
    with pytest.raises(JournalMismatchError, match=r"data\.X\.hash"):
        search.fit(X + 1, y)
    assert list(tmp_path.iterdir()) == [path]


def cross_validate_once(search, X, y):
    rows = np.arange(len(X))
    return [GridSearchCV(search, {"n_iter": [2]}, cv=[(rows, rows)]).fit(X, y).best_estimator_]
