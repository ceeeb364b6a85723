"""`previous_studies`: accepted forms, first trials, mapping to the space, errors."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from sklearn_lepton import load_trials
from sklearn_lepton.exceptions import IgnoredStudyWarning, JournalMismatchError

X_ONLY = {"x": (0.0, 1.0, "uniform")}


@pytest.fixture
def older(search_class, probe, numbered, tmp_path):
    """A study that knows where the best x is, and its journal."""
    path = tmp_path / "older.jsonl"
    search = search_class(probe, X_ONLY, n_iter=12, cv=2, random_state=3, journal=path)
    return search.fit(*numbered), path


def outline(search):
    return [(t.number, t.point, t.params, t.split_scores) for t in search.trials_]


@pytest.mark.thorough
@pytest.mark.parametrize(
    "kind", ["search", "path", "str", "trials", "list of searches", "loaded trials"]
)
def test_each_form_of_a_study_is_accepted(search_class, probe, numbered, older, kind):
    search, path = older
    previous_studies = {
        "search": search,
        "path": path,
        "str": str(path),
        "trials": search.trials_,
        "list of searches": [search],
        "loaded trials": [load_trials(path)],
    }[kind]
    settings = {"n_iter": 3, "cv": 2, "random_state": 0}
    found = search_class(probe, X_ONLY, previous_studies=previous_studies, **settings).fit(
        *numbered
    )
    assert len(found.trials_) == len(found.cv_results_["params"]) == 3
    assert found.trials_[0].params == {"x": probe.x}  # the estimator's own come first
    assert found.trials_[1].params["x"] == pytest.approx(search.best_params_["x"])
    reference = search_class(probe, X_ONLY, previous_studies=search, **settings).fit(*numbered)
    assert outline(found) == outline(reference)


@pytest.mark.parametrize("is_listed", [False, True])
def test_clone_keeps_a_fitted_search_as_study(search_class, probe, numbered, older, is_listed):
    search, _ = older
    settings = {"n_iter": 3, "cv": 2, "random_state": 0}
    previous_studies = [search] if is_listed else search
    original = search_class(probe, X_ONLY, previous_studies=previous_studies, **settings)
    again = clone(original)
    assert again.previous_studies is previous_studies
    assert again.estimator is not probe
    assert outline(again.fit(*numbered)) == outline(original.fit(*numbered))
    assert not hasattr(clone(original), "trials_")
    within = clone(make_pipeline(original)).fit(*numbered)
    assert outline(within.steps[0][1]) == outline(original)


def test_fitted_search_of_scikit_learn_is_accepted(search_class, probe, numbered):
    grid = GridSearchCV(probe, {"x": [0.2, 0.72, 0.9]}, cv=2).fit(*numbered)
    search = search_class(probe, X_ONLY, n_iter=2, cv=2, previous_studies=grid).fit(*numbered)
    assert search.trials_[1].params["x"] == pytest.approx(0.72)


@pytest.mark.parametrize(("refit", "best"), [("b", 0.9), (False, 0.2), (lambda results: 1, 0.2)])
def test_studies_with_several_metrics(search_class, probe, numbered, refit, best):
    scoring = {"a": lambda e, X, y: -e.x, "b": lambda e, X, y: e.x}
    grid = GridSearchCV(probe, {"x": [0.2, 0.9]}, cv=2, scoring=scoring, refit=refit)
    grid.fit(*numbered)
    search = search_class(probe, X_ONLY, n_iter=2, cv=2, previous_studies=grid).fit(*numbered)
    assert search.trials_[1].params["x"] == pytest.approx(best)


def test_an_iteration_of_successive_halving_is_a_study(search_class, probe, numbered):
    halving = HalvingGridSearchCV(probe, {"x": [0.1, 0.3, 0.72, 0.9]}, cv=2, factor=2)
    halving.fit(*numbered)
    search = search_class(probe, X_ONLY, n_iter=3, cv=2, previous_studies=halving, random_state=0)
    search.fit(*numbered)
    assert search.trials_[1].params["x"] == pytest.approx(halving.best_params_["x"])
    assert [len(study) for study in search._studies] == halving.n_candidates_


def test_a_table_is_a_study(search_class, probe, numbered, older):
    search, _ = older
    table = pd.DataFrame({"x": [t.params["x"] for t in search.trials_], "other": 1})
    table["score"] = [trial.score for trial in search.trials_]
    settings = {"n_iter": 3, "cv": 2, "random_state": 0}
    found = search_class(probe, X_ONLY, previous_studies=table, **settings).fit(*numbered)
    reference = search_class(probe, X_ONLY, previous_studies=search, **settings).fit(*numbered)
    assert outline(found) == outline(reference)
    again = clone(reference).set_params(previous_studies=[pd.DataFrame(search.cv_results_)])
    assert outline(again.fit(*numbered)) == outline(reference)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"z": (0, 9, "int")}, r"parameters \['x'\], none of which is in the space, \['z'\]"),
        ({"x": (2.0, 3.0, "uniform")}, "each of its configurations has a value outside"),
    ],
)
def test_a_study_of_no_use_is_named_in_a_warning(
    search_class, probe, numbered, older, space, message
):
    search, _ = older
    settings = {"n_iter": 3, "cv": 2, "random_state": 0}
    with pytest.warns(IgnoredStudyWarning, match=message):
        found = search_class(probe, space, previous_studies=search, **settings).fit(*numbered)
    assert outline(found) == outline(search_class(probe, space, **settings).fit(*numbered))


def test_a_pickle_has_the_trials_of_the_prior_only(search_class, blobs):
    tree, space = DecisionTreeClassifier(random_state=0), {"ccp_alpha": (1e-5, 0.1, "log-uniform")}
    older = search_class(tree, space, n_iter=6, cv=2, random_state=0).fit(*blobs)
    older.connection = lambda: None  # which no pickle can hold
    search = search_class(tree, space, n_iter=3, cv=2, random_state=0, previous_studies=[older])
    copied = pickle.loads(pickle.dumps(search))
    [kept] = copied.previous_studies
    assert [(t.params, t.score) for t in kept] == [(t.params, t.score) for t in older.trials_]
    assert not any(trial.split_results for trial in kept)
    assert outline(copied.fit(*blobs)) == outline(search.fit(*blobs))
    assert search.previous_studies == [older]
    assert copy.copy(search).previous_studies is search.previous_studies


def test_new_parameter_gets_its_default_in_old_trials(search_class, probe, numbered, older):
    search, _ = older
    space = {**X_ONLY, "z": (0, 9, "int")}
    found = search_class(
        probe.set_params(z=4), space, n_iter=2, cv=2, previous_studies=search, random_state=0
    ).fit(*numbered)
    assert found.trials_[1].params["z"] == 4
    assert found.trials_[1].params["x"] == pytest.approx(search.best_params_["x"])


def test_removed_parameter_is_dropped_from_old_trials(search_class, probe, numbered):
    wide = search_class(probe, {**X_ONLY, "z": (0, 9, "int")}, n_iter=12, cv=2, random_state=3)
    wide.fit(*numbered)
    found = search_class(probe, X_ONLY, n_iter=2, cv=2, previous_studies=wide).fit(*numbered)
    assert found.trials_[1].params == {"x": pytest.approx(wide.best_params_["x"])}


def test_old_trials_outside_the_space_are_left_out(search_class, probe, numbered, older):
    search, _ = older
    narrow = {"x": (0.0, 0.3, "uniform")}
    found = search_class(probe, narrow, n_iter=4, cv=2, previous_studies=search, random_state=0)
    assert len(found.fit(*numbered).trials_) == 4


def test_objects_of_a_journal_are_matched_to_choices(search_class, blobs, tmp_path):
    space = {"class_weight": [None, {0: 1.0}, "balanced"], "criterion": ["gini", "entropy"]}
    path = tmp_path / "objects.jsonl"
    settings = {"n_iter": 6, "cv": 2, "random_state": 0}
    tree = DecisionTreeClassifier(random_state=0)
    first = search_class(tree, space, journal=path, **settings).fit(*blobs)
    second = search_class(tree, space, previous_studies=path, **(settings | {"n_iter": 2})).fit(
        *blobs
    )
    assert second.trials_[1].params in [t.params for t in first.trials_]


@pytest.mark.parametrize("n_points", [1, 4])
def test_equal_studies_give_equal_searches(search_class, probe, numbered, older, n_points):
    search, _ = older
    settings = {"n_iter": 10, "cv": 2, "random_state": 1, "n_points": n_points}
    first = search_class(probe, X_ONLY, previous_studies=search, **settings).fit(*numbered)
    again = search_class(probe, X_ONLY, previous_studies=search, **settings).fit(*numbered)
    assert outline(first) == outline(again)


def test_warm_start_keeps_previous_studies(search_class, probe, numbered, older):
    search, _ = older
    settings = {"cv": 2, "random_state": 1, "previous_studies": search}
    whole = search_class(probe, X_ONLY, n_iter=10, **settings).fit(*numbered)
    halves = search_class(probe, X_ONLY, n_iter=5, warm_start=True, **settings).fit(*numbered)
    assert outline(halves.fit(*numbered)) == outline(whole)


def test_journal_resumes_with_equal_studies_only(
    search_class, probe, log, numbered, older, tmp_path
):
    search, _ = older
    settings = {"n_iter": 6, "cv": 2, "random_state": 1, "journal": tmp_path / "new.jsonl"}
    first = search_class(probe, X_ONLY, previous_studies=search, **settings).fit(*numbered)
    n_fits = len(log.fits)
    again = search_class(probe, X_ONLY, previous_studies=search, **settings).fit(*numbered)
    assert len(log.fits) == n_fits + 1  # the refit
    assert outline(first) == outline(again)
    with pytest.raises(JournalMismatchError, match="previous_studies"):
        search_class(probe, X_ONLY, **settings).fit(*numbered)


@pytest.mark.parametrize(
    ("previous_studies", "message"),
    [
        (5, "got 5"),
        ([1, 2], "got 1"),
        (SVC(), "not fitted"),
        ({"x": 1}, "must be the path of a journal"),
    ],
)
def test_invalid_study_is_refused_before_the_first_fit(
    search_class, probe, log, numbered, previous_studies, message
):
    with pytest.raises(ValueError, match=message):
        search_class(probe, X_ONLY, n_iter=2, previous_studies=previous_studies).fit(*numbered)
    assert not log.fits


def test_unfitted_search_is_refused_as_study(search_class, probe, log, numbered):
    with pytest.raises(ValueError, match="not fitted"):
        search_class(probe, X_ONLY, previous_studies=search_class(probe, X_ONLY)).fit(*numbered)
    assert not log.fits


def test_missing_file_is_refused_as_study(search_class, probe, numbered, tmp_path):
    with pytest.raises(FileNotFoundError):
        search_class(probe, X_ONLY, previous_studies=tmp_path / "none.jsonl").fit(*numbered)


def test_study_of_failed_trials_changes_nothing(search_class, probe, numbered, older):
    search, _ = older
    failed = [trial.fail() for trial in search.trials_]
    settings = {"n_iter": 4, "cv": 2, "random_state": 1}
    with pytest.warns(IgnoredStudyWarning, match="12 trials, none of which is complete"):
        found = search_class(probe, X_ONLY, previous_studies=failed, **settings).fit(*numbered)
    plain = search_class(probe, X_ONLY, **settings).fit(*numbered)
    assert outline(found) == outline(plain)


def test_search_with_previous_studies_resumes_after_pickling(search_class, blobs):
    tree, space = DecisionTreeClassifier(random_state=0), {"ccp_alpha": (1e-5, 0.1, "log-uniform")}
    older = search_class(tree, space, n_iter=6, cv=2, random_state=0).fit(*blobs)
    settings = {"n_iter": 4, "cv": 2, "random_state": 1, "warm_start": True}
    first = search_class(tree, space, previous_studies=older.trials_, **settings).fit(*blobs)
    copy = pickle.loads(pickle.dumps(first))
    assert outline(copy.fit(*blobs)) == outline(first.fit(*blobs))


def test_previous_studies_are_not_sent_to_workers(search_class, probe, numbered, older):
    search, _ = older
    fitted = search_class(probe, X_ONLY, n_iter=2, cv=2, previous_studies=search).fit(*numbered)
    sent = fitted._for_workers()
    assert sent.previous_studies is None
    assert fitted.previous_studies is search
    np.testing.assert_equal(sent.n_iter, 2)
