"""Failed fits: recorded as in scikit-learn, ranked last, never the best."""

import math
import pickle

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_lepton.exceptions import SearchInterruptedWarning, SpaceExhaustedWarning

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning"),
    pytest.mark.filterwarnings("ignore:One or more of the:UserWarning"),
    pytest.mark.filterwarnings("ignore:Scoring failed:UserWarning"),
    # scikit-learn takes the standard deviation of infinite scores.
    pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning"),
]

X_RANGE = (0.0, 1.0, "uniform")
RAISING = ["raise", "raise on a split", "scoring raises", "scoring raises on a split"]
WAYS = [*RAISING, "nan", "nan on a split", "inf", "-inf"]


def is_failed(search):
    return np.array([trial.status == "failed" for trial in search.trials_])


def check_honest(search, way):
    """Check a search in whose space some trials fail in one way."""
    results, failed = search.cv_results_, is_failed(search)
    outcomes = results["param_outcome"]
    assert failed.tolist() == [outcome == way for outcome in outcomes]
    assert 0 < failed.sum() < len(failed)
    assert search.best_params_["outcome"] == "ok"
    assert math.isfinite(search.best_score_)
    ranks = results["rank_test_score"]
    assert ranks[~failed].max() <= (~failed).sum()
    assert (ranks[failed] == (~failed).sum() + 1).all()
    assert ranks.dtype == np.int32
    assert all(trial.score is None for trial in search.trials_ if trial.status == "failed")
    assert search.best_index_ == results["rank_test_score"].argmin()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("n_points", [1, 3])
def test_failed_trial_is_never_the_best(search_class, probe, numbered, way, n_points):
    space = {"x": X_RANGE, "outcome": ["ok", way]}
    search = search_class(
        probe, space, n_iter=12, cv=3, n_points=n_points, random_state=0, return_train_score=True
    ).fit(*numbered)
    assert len(search.trials_) == 12
    check_honest(search, way)
    row = is_failed(search).argmax()
    recorded = search.cv_results_["mean_test_score"][row]
    expected = {"inf": np.inf, "-inf": -np.inf}.get(way, np.nan)
    np.testing.assert_equal(recorded, expected)
    pickle.loads(pickle.dumps(search))


@pytest.mark.thorough
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("n_points", [1, 2])
def test_failure_of_a_whole_batch_does_not_end_the_search(
    search_class, probe, numbered, way, n_points
):
    probe.set_params(outcome=way)
    first = [{"x": 0.6, "outcome": way}, {"x": 0.7, "outcome": way}, {"x": 0.8, "outcome": way}]
    search = search_class(
        probe,
        {"x": X_RANGE, "outcome": ["ok", way]},
        initial_params=[*first, {"x": 0.1, "outcome": "ok"}],
        n_iter=8,
        cv=3,
        n_points=n_points,
        random_state=0,
    ).fit(*numbered)
    check_honest(search, way)
    assert is_failed(search)[:4].tolist() == [True, True, True, False]


@pytest.mark.parametrize("way", RAISING)
@pytest.mark.parametrize("n_points", [1, 3])
def test_failed_trial_with_huge_error_score_is_never_the_best(
    search_class, probe, numbered, way, n_points
):
    search = search_class(
        probe,
        {"x": X_RANGE, "outcome": ["ok", way]},
        n_iter=10,
        cv=3,
        error_score=1e6,
        n_points=n_points,
        random_state=0,
    ).fit(*numbered)
    check_honest(search, way)
    recorded = search.cv_results_["mean_test_score"][is_failed(search)]
    assert (recorded > 1e5).all()


def test_score_equal_to_error_score_is_no_failure(search_class, blobs):
    search = search_class(
        LogisticRegression(),
        {"C": [1e-3, 1.0]},
        n_iter=2,
        cv=2,
        error_score=0,
        scoring=lambda estimator, X, y: 0.0,
    ).fit(*blobs)
    assert search.best_score_ == 0.0
    assert not is_failed(search).any()


def test_error_score_is_recognised_across_processes(search_class, probe, numbered):
    search = search_class(
        probe.set_params(log=None),
        {"x": X_RANGE, "outcome": ["ok", "scoring raises on a split"]},
        n_iter=6,
        cv=3,
        error_score=1e6,
        n_points=3,
        n_jobs=2,
        random_state=0,
    )
    with parallel_config(backend="multiprocessing"):
        search.fit(*numbered)
    check_honest(search, "scoring raises on a split")


@pytest.mark.parametrize("n_points", [1, 4])
def test_error_score_raise_raises_the_first_error(search_class, probe, log, numbered, n_points):
    search = search_class(
        probe,
        {"x": X_RANGE, "outcome": ["ok", "raise"]},
        initial_params=[{"outcome": "ok"}, {"outcome": "ok", "x": 0.1}, {"outcome": "raise"}],
        n_iter=10,
        cv=3,
        n_points=n_points,
        error_score="raise",
    )
    with pytest.raises(RuntimeError, match="no luck"):
        search.fit(*numbered)
    assert len(log.fits) == 7
    assert len(search.trials_) == len(search.cv_results_["params"]) == 2


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("n_points", [1, 2])
def test_error_lists_the_reasons_if_all_trials_fail(search_class, probe, numbered, way, n_points):
    space = {"x": X_RANGE, "outcome": [way]}
    search = search_class(
        probe.set_params(outcome=way), space, n_iter=5, cv=3, n_points=n_points, random_state=0
    )
    with pytest.raises(ValueError, match="All the 5 trials failed") as caught:
        search.fit(*numbered)
    reason = "RuntimeError: no luck with z=0" if way.startswith("raise") else "is not finite"
    if way.startswith("scoring raises"):
        reason = "The scorer raised an error"
    assert reason in str(caught.value)
    assert "error_score='raise'" in str(caught.value)
    assert len(str(caught.value)) < 5000
    assert len(search.trials_) == 5
    assert is_failed(search).all()
    assert not hasattr(search, "best_estimator_")


def test_error_counts_different_reasons(search_class, probe, numbered):
    search = search_class(
        probe.set_params(outcome="raise", z=1), {"z": [1, 2]}, n_iter=2, cv=3, n_points=2
    )
    with pytest.raises(ValueError, match="All the 2 trials failed") as caught:
        search.fit(*numbered)
    assert "no luck with z=1" in str(caught.value)
    assert "no luck with z=2" in str(caught.value)


def test_failed_fits_warn(search_class, probe, numbered):
    search = search_class(
        probe,
        {"x": X_RANGE, "outcome": ["ok", "raise"]},
        n_iter=8,
        cv=3,
        n_points=4,
        random_state=0,
    )
    with pytest.warns() as caught:
        search.fit(*numbered)
    texts = [str(warning.message) for warning in caught]
    assert sum("One or more of the test scores are non-finite" in text for text in texts) == 1
    failed = [w for w in caught if issubclass(w.category, FitFailedWarning)]
    assert 1 <= len(failed) <= 2
    assert "no luck" in str(failed[0].message)
    assert len(texts) == 1 + len(failed)


# ------------------------------------------------------- impossible combinations


PIPELINE = Pipeline([("scale", StandardScaler()), ("clf", LogisticRegression())])
IMPOSSIBLE = {"scale": ["passthrough", StandardScaler()], "scale__with_mean": [True, False]}


@pytest.mark.parametrize("n_points", [1, 2, 4])
@pytest.mark.parametrize("scoring", [None, ["accuracy", "f1"]])
def test_invalid_combination_fails_its_trial_only(search_class, blobs, n_points, scoring):
    search = search_class(
        PIPELINE,
        IMPOSSIBLE,
        initial_params=[{"scale": "passthrough", "scale__with_mean": True}],
        n_iter=4,
        cv=2,
        n_points=n_points,
        scoring=scoring,
        refit="f1" if scoring else True,
        return_train_score=True,
    ).fit(*blobs)
    impossible = [params["scale"] == "passthrough" for params in search.cv_results_["params"]]
    assert is_failed(search).tolist() == impossible
    assert sum(impossible) == 2
    assert search.best_params_["scale"] is IMPOSSIBLE["scale"][1]
    name = "f1" if scoring else "score"
    assert np.isnan(search.cv_results_[f"mean_test_{name}"]).tolist() == impossible
    assert np.isnan(search.cv_results_[f"mean_train_{name}"]).tolist() == impossible


def test_error_score_raise_raises_invalid_combination(search_class, blobs):
    search = search_class(PIPELINE, IMPOSSIBLE, n_iter=4, cv=2, error_score="raise")
    with pytest.raises((AttributeError, ValueError)):
        search.fit(*blobs)


def test_search_with_invalid_combinations_only_raises(search_class, blobs):
    space = {"scale": ["passthrough"], "scale__with_mean": [True, False]}
    search = search_class(PIPELINE, space, n_iter=2, cv=2, initial_params=None)
    with pytest.raises(ValueError, match="All the 2 trials failed"):
        search.fit(*blobs)
    assert len(search.trials_) == 2


# -------------------------------------------------------------- several metrics


def two_scores(estimator, X, y):
    return {"first": estimator.score(X), "second": accuracy_score(y, estimator.predict(X))}


def best_first(cv_results):
    return int(cv_results["rank_test_first"].argmin())


def first_score(estimator, X, y):
    return estimator.score(X)


@pytest.mark.thorough
@pytest.mark.parametrize("way", ["raise", "raise on a split", "nan", "-inf"])
@pytest.mark.parametrize("n_points", [1, 3])
@pytest.mark.parametrize("refit", ["first", False, best_first])
@pytest.mark.parametrize("scoring", [two_scores, {"first": first_score, "second": "accuracy"}])
def test_failures_with_several_metrics(
    search_class, probe, numbered, way, n_points, refit, scoring
):
    search = search_class(
        probe,
        {"x": X_RANGE, "outcome": ["ok", way]},
        initial_params=[{"outcome": way, "x": x} for x in (0.6, 0.7, 0.8)] + [{"outcome": "ok"}],
        n_iter=5,
        cv=2,
        n_points=n_points,
        scoring=scoring,
        refit=refit,
        random_state=0,
        return_train_score=True,
    ).fit(*numbered)
    results, failed = search.cv_results_, is_failed(search)
    assert search.multimetric_
    assert failed[:3].all()
    assert (~failed).any()
    assert (results["rank_test_first"][failed] == (~failed).sum() + 1).all()
    if way.startswith("raise"):
        assert (results["rank_test_second"][failed] == (~failed).sum() + 1).all()
    else:  # of the other metric nothing is wrong
        assert (results["rank_test_second"] == 1).all()
    assert len(results["split1_train_second"]) == 5
    if refit:
        assert search.best_params_["outcome"] == "ok"
    else:
        assert not hasattr(search, "best_index_")


# ------------------------------------------------------ exceptions and interrupts


@pytest.mark.parametrize(("n_points", "n_kept"), [(1, 3), (2, 4)])
def test_exception_in_a_callback_keeps_finished_trials(
    search_class, probe, numbered, n_points, n_kept
):
    def stumble(search, trial):
        if trial.number == 2:
            raise OSError("the disk is full")

    search = search_class(
        probe, {"x": X_RANGE}, n_iter=9, cv=3, n_points=n_points, callbacks=stumble
    )
    with pytest.raises(OSError, match="the disk is full"):
        search.fit(*numbered)
    assert [trial.number for trial in search.trials_] == list(range(n_kept))
    assert all(trial.status == "complete" for trial in search.trials_)
    assert len(search.cv_results_["params"]) == n_kept
    scores = [trial.score for trial in search.trials_]
    assert search.cv_results_["mean_test_score"].tolist() == pytest.approx(scores)
    assert pickle.loads(pickle.dumps(search.set_params(callbacks=None))).trials_ == search.trials_
    assert len(search.fit(*numbered).trials_) == 9


def check_interrupted(search, n_trials):
    assert search.stop_reason_ == "interrupted"
    assert len(search.trials_) == n_trials
    assert len(search.cv_results_["params"]) == n_trials
    assert search.best_estimator_.fitted_
    assert search.best_score_ == max(trial.score for trial in search.trials_)


@pytest.mark.parametrize("n_points", [1, 2])
def test_ctrl_c_in_a_fit_ends_with_a_fitted_search(search_class, probe, log, numbered, n_points):
    log.interrupt_at = 3 * 3 + 2
    search = search_class(probe, {"x": X_RANGE}, n_iter=9, cv=3, n_points=n_points)
    with pytest.warns(SearchInterruptedWarning, match="interrupted"):
        search.fit(*numbered)
    check_interrupted(search, 3)


def test_ctrl_c_in_a_callback_ends_with_a_fitted_search(search_class, probe, numbered):
    def interrupt(search, trial):
        if trial.number == 3:
            raise KeyboardInterrupt

    search = search_class(probe, {"x": X_RANGE}, n_iter=9, cv=3, callbacks=[interrupt], n_points=3)
    with pytest.warns(SearchInterruptedWarning):
        search.fit(*numbered)
    check_interrupted(search, 4)


def test_ctrl_c_before_the_first_result_is_raised(search_class, probe, log, numbered):
    log.interrupt_at = 1
    search = search_class(probe, {"x": X_RANGE}, n_iter=9, cv=3)
    with pytest.raises(KeyboardInterrupt):
        search.fit(*numbered)
    assert search.trials_ == []
    log.interrupt_at = None
    assert len(search.fit(*numbered).trials_) == 9


def test_exhausted_space_with_a_failed_first_trial_ends(search_class, probe, numbered):
    search = search_class(
        probe.set_params(outcome="raise"), {"outcome": ["raise", "ok"]}, n_iter=5, cv=3
    )
    with pytest.warns(SpaceExhaustedWarning):
        search.fit(*numbered)
    assert [trial.status for trial in search.trials_] == ["failed", "complete"]
    assert search.best_index_ == 1
