"""Searches with racing: saved fits, pruned trials, journal and warm start."""

import functools
import warnings

import numpy as np
import pytest
from joblib import parallel_config
from journal_subject import outline
from marks import both_modes
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import StratifiedKFold
from sklearn.tree import DecisionTreeClassifier

from sklearn_lepton import BayesSearchCV, load_trials

N_SPLITS = 5
SPACE = {"x": (0.0, 1.0, "uniform")}
TREE_SPACE = {"max_depth": (1, 12, "int"), "min_samples_leaf": (1, 60, "log-int")}


@functools.cache
def data():
    X, y = load_breast_cancer(return_X_y=True)
    return X[:200], y[:200]


@pytest.fixture
def make(search_class):
    def make_search(**settings):
        cv = StratifiedKFold(N_SPLITS, shuffle=True, random_state=0)
        shared = {"n_iter": 16, "cv": cv, "random_state": 0, "racing": True}
        tree = DecisionTreeClassifier(random_state=0)
        return search_class(tree, TREE_SPACE, **(shared | settings))

    return make_search


def n_run(search):
    return [sum(map(bool, trial.split_results)) for trial in search.trials_]


def test_racing_saves_fits_and_best_trial_has_all_splits(make):
    search = make().fit(*data())
    statuses = [trial.status for trial in search.trials_]
    assert statuses.count("pruned") >= 4
    assert sum(n_run(search)) < 0.9 * len(search.trials_) * N_SPLITS
    assert search.trials_[search.best_index_].status == "complete"
    assert np.isfinite(search.best_score_)


def test_splits_of_pruned_trials_are_not_run(search_class, probe, numbered, log):
    search = search_class(
        probe, SPACE, n_iter=12, cv=N_SPLITS, random_state=0, racing=True, refit=False
    ).fit(*numbered)
    assert len(log.fits) == sum(n_run(search)) < 12 * N_SPLITS


def test_cv_results_has_number_of_splits_run(make):
    search = make(return_train_score=True).fit(*data())
    results = search.cv_results_
    ended = np.array([trial.status == "pruned" for trial in search.trials_])
    np.testing.assert_array_equal(results["n_splits_run"], n_run(search))
    for kind in ("test", "train"):
        scores = np.array([results[f"split{k}_{kind}_score"] for k in range(N_SPLITS)])
        np.testing.assert_array_equal(np.isfinite(scores).sum(axis=0), n_run(search))
        assert np.isnan(results[f"mean_{kind}_score"][ended]).all()
        assert np.isnan(results[f"std_{kind}_score"][ended]).all()
        assert np.isfinite(results[f"mean_{kind}_score"][~ended]).all()
    assert np.isfinite(results["mean_fit_time"]).all()
    ranks = results["rank_test_score"]
    assert set(ranks[ended]) == {np.sum(~ended) + 1}
    assert ranks[~ended].max() <= np.sum(~ended)


def test_pruned_trial_has_estimate_below_best_score(make):
    search = make().fit(*data())
    for trial in search.trials_:
        assert (trial.estimate is not None) == (trial.status == "pruned")
        if trial.estimate:
            assert trial.score is None
            assert trial.estimate[0] < search.best_score_ + 0.01
            assert trial.estimate[1] >= 0


def test_cv_results_without_racing_has_no_column_of_splits_run(make):
    search = make(racing=False, n_iter=4).fit(*data())
    assert "n_splits_run" not in search.cv_results_
    assert n_run(search) == [N_SPLITS] * 4


def test_missing_scores_of_pruned_trials_raise_no_warning(make):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make().fit(*data())


def test_failed_trials_end_at_once_and_rank_last(search_class, probe, numbered):
    space = SPACE | {"outcome": ["ok", "raise", "nan"]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = search_class(
            probe, space, n_iter=14, cv=N_SPLITS, random_state=0, racing=True
        ).fit(*numbered)
    by_status = {}
    for trial, rank in zip(search.trials_, search.cv_results_["rank_test_score"], strict=True):
        by_status.setdefault(trial.status, []).append(rank)
        if trial.params["outcome"] == "raise":
            assert trial.status == "failed"
            assert sum(map(bool, trial.split_results)) == 1
    assert max(by_status["complete"]) < min(by_status["pruned"])
    assert max(by_status["pruned"]) < min(by_status["failed"])


@pytest.mark.thorough
@pytest.mark.parametrize("n_jobs", [2, 3])
def test_racing_is_the_same_with_any_number_of_workers(make, n_jobs):
    alone = make(n_points=2, n_iter=10).fit(*data())
    with parallel_config(backend="threading"):
        together = make(n_points=2, n_iter=10, n_jobs=n_jobs).fit(*data())
    scores = [[t.split_scores for t in search.trials_] for search in (together, alone)]
    np.testing.assert_array_equal(*scores)
    assert [t.params for t in together.trials_] == [t.params for t in alone.trials_]


@both_modes
def test_racing_runs_in_parallel(make, asynchronous):
    with parallel_config(backend="threading"):
        search = make(n_jobs=2, asynchronous=asynchronous).fit(*data())
    assert len(search.trials_) == 16
    assert sum(n_run(search)) < 16 * N_SPLITS


def test_larger_error_rate_prunes_more_trials(make):
    strict = make(racing=1e-9).fit(*data())
    loose = make(racing=0.3).fit(*data())
    assert sum(n_run(loose)) < sum(n_run(strict))


@pytest.mark.thorough
def test_racing_with_several_metrics(make):
    search = make(scoring=["accuracy", "roc_auc"], refit="roc_auc").fit(*data())
    ended = search.cv_results_["n_splits_run"] < N_SPLITS
    assert ended.any()
    assert np.isnan(search.cv_results_["mean_test_accuracy"][ended]).all()
    assert not ended[search.best_index_]


def test_racing_search_resumes_from_journal(make, tmp_path):
    def stop(search, trial):
        if trial.number == 8:
            raise InterruptedError

    path = tmp_path / "study.jsonl"
    expected = outline(make().fit(*data()))
    with pytest.raises(InterruptedError):
        make(journal=path, callbacks=stop).fit(*data())
    assert outline(make(journal=path).fit(*data())) == expected
    again = make(journal=path).fit(*data())
    assert outline(again) == expected
    assert [t.estimate for t in load_trials(path)] == [t.estimate for t in again.trials_]


def test_racing_search_continues_with_warm_start(make):
    search = make(warm_start=True, n_iter=8).fit(*data())
    search.fit(*data())
    assert len(search.trials_) == 16
    assert [t.estimate for t in search.trials_] == [t.estimate for t in make().fit(*data()).trials_]


@pytest.mark.parametrize("racing", [0.0, 1.0, -0.1, "yes", None, np.nan])
def test_invalid_error_rate_is_refused(make, racing):
    with pytest.raises(
        ValueError, match=r"racing' parameter of .* must be True, False, .auto. or an error rate"
    ):
        make(racing=racing).fit(*data())


def test_racing_refuses_workers_that_run_whole_batches(make):
    with (
        parallel_config(backend="multiprocessing"),
        pytest.raises(ValueError, match="racing=True needs workers that take single fits"),
    ):
        make(n_jobs=2).fit(*data())


def test_numpy_false_disables_racing():
    tree = DecisionTreeClassifier(random_state=0)
    search = BayesSearchCV(tree, TREE_SPACE, n_iter=4, cv=3, racing=np.bool_(False)).fit(*data())
    assert n_run(search) == [3] * 4


@pytest.mark.thorough
def test_trials_race_within_their_fidelity(make):
    search = make(resource="n_samples", n_iter=40).fit(*data())
    by_resource = {}
    for trial in search.trials_:
        by_resource.setdefault(trial.fidelity, []).append(trial)
    least = by_resource[min(share for share in by_resource if share is not None)]
    ended = [trial for trial in least if trial.status == "pruned"]
    assert ended
    threshold = sorted(trial.score for trial in least if trial.score is not None)[-len(least) // 3]
    assert all(trial.estimate[0] < threshold + 0.05 for trial in ended)
    assert search.trials_[search.best_index_].status == "complete"
    assert search.trials_[search.best_index_].is_full
