"""Tables of trials: of searches, results of `tune` and journals."""

import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from sklearn_lepton import load_trials, tune
from sklearn_lepton._trials.frame import trials_as_frame
from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton._trials.trial import Trial


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:One or more of the:UserWarning")
def test_the_table_of_a_search_has_what_its_trials_have(search_class, probe, numbered, tmp_path):
    space = {"x": (0.0, 1.0, "uniform"), "outcome": ["ok", "raise"]}
    path = tmp_path / "study.jsonl"
    search = search_class(probe, space, n_iter=6, cv=2, random_state=0, journal=path)
    search.fit(*numbered)
    frame = search.to_frame()
    trials = search.trials_
    assert frame.index.tolist() == [trial.number for trial in trials]
    assert frame["status"].tolist() == [trial.status for trial in trials]
    assert set(frame["status"]) == {"complete", "failed"}
    assert frame["param_x"].tolist() == [trial.params["x"] for trial in trials]
    results = search.cv_results_
    for name in ("mean_fit_time", "mean_score_time"):
        np.testing.assert_allclose(frame[name], results[name])
    for column, name in (("score", "mean_test_score"), ("split1_score", "split1_test_score")):
        np.testing.assert_array_equal(frame[column], results[name])
    for error, trial in zip(frame["error"], trials, strict=True):
        assert (error is None) == (trial.status == "complete")
        assert error == trial.error
    first = trials[0].split_results[0].start_time
    assert frame["start_time"].iloc[0] == first
    pd.testing.assert_frame_equal(load_trials(path, as_frame=True), frame)


def test_a_search_that_is_not_fitted_has_no_table(search_class, probe):
    with pytest.raises(NotFittedError):
        search_class(probe, {"x": [1, 2]}).to_frame()


def test_the_error_names_the_extra(search_class, probe, numbered, monkeypatch):
    search = search_class(probe, {"x": [0.1, 0.2]}, n_iter=2, cv=2).fit(*numbered)
    monkeypatch.setitem(sys.modules, "pandas", None)
    for given in (search, tune(lambda x: x, {"x": [1, 2]}, n_iter=2)):
        with pytest.raises(ImportError, match=r"pip install 'sklearn-lepton\[pandas\]'"):
            given.to_frame()


def test_none_is_a_value_and_nan_the_lack_of_one():
    params = [{"depth": None, "w": "a"}, {"depth": 3, "w": None}, {"C": 1.5}]
    frame = trials_as_frame([Trial(n, (), each) for n, each in enumerate(params)])
    assert frame["param_depth"].tolist()[:2] == [None, 3]
    assert frame["param_depth"].isna().tolist() == [True, False, True]
    assert np.isnan(frame["param_depth"].iloc[2])
    assert frame["param_w"].tolist()[:2] == ["a", None]
    assert frame["param_C"].dtype == float


def test_lists_and_estimators_are_single_values():
    values = [[1, 2], make_pipeline(LogisticRegression()), DecisionTreeClassifier()]
    frame = trials_as_frame([Trial(n, (), {"a": value}) for n, value in enumerate(values)])
    assert frame["param_a"].tolist() == values


def test_trials_that_are_pending_or_pruned_and_none_at_all():
    pruned = Trial(3, (), {"x": 1}).prune(
        (0.5, 0.1),
        split_scores=[0.5, np.nan],
        split_results=[SplitResult(scores=0.5, fit_time=2.0, start_time=5.0), SplitResult()],
    )
    frame = trials_as_frame([Trial(1, (), {"x": 0}), pruned])
    assert frame.index.tolist() == [1, 3]
    assert frame["mean_fit_time"].tolist()[1] == 2.0
    assert frame["split0_score"].tolist()[1] == 0.5
    assert frame.loc[1, ["score", "split0_score", "mean_fit_time", "start_time"]].isna().all()
    assert len(trials_as_frame([])) == 0


def test_the_table_of_one_search_is_a_study_for_another(search_class, blobs):
    tree = DecisionTreeClassifier(random_state=0)
    space = {"max_depth": [None, 1, 2, 3], "criterion": ["gini", "entropy"]}
    settings = {"cv": 2, "random_state": 0}
    older = search_class(tree, space, n_iter=5, **settings).fit(*blobs)
    by_table = search_class(tree, space, n_iter=3, previous_studies=older.to_frame(), **settings)
    by_search = search_class(tree, space, n_iter=3, previous_studies=older, **settings)
    for each in (by_table, by_search):
        each.fit(*blobs)
    assert [t.params for t in by_table.trials_] == [t.params for t in by_search.trials_]
