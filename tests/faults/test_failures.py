"""Errors that fits, scorers and callbacks raise.

==========================================  =============================================
fault                                       expected behavior
==========================================  =============================================
a fit raises, or exits with SystemExit      its trial fails with the reason, ranked last
an error that cannot be pickled or loaded   its text is kept or raised
MemoryError                                 a failed trial
error_score="raise"                         the error itself; finished trials are kept
a callback raises                           the error itself; finished trials are kept
==========================================  =============================================
"""

import shutil

import numpy as np
import pytest
import sabotage
from marks import both_modes
from sabotage import make_search, reasons

pytestmark = [
    pytest.mark.faults,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning"),
    pytest.mark.filterwarnings("ignore:One or more of the:UserWarning"),
    pytest.mark.filterwarnings("ignore:Scoring failed:UserWarning"),
]

on = {
    "all": ["loky", "threading", "dask", "ray"],
    "all and the caller": ["loky", "threading", "dask", "ray", "caller"],
}


def check_failed(search, n_trials, reason):
    """Check that the trials that did wrong failed, said why and came last, and no other."""
    assert search.stop_reason_ == "n_iter"
    assert len(search.trials_) == n_trials
    guilty = sabotage.guilty_trials(search)
    assert guilty
    results = search.cv_results_
    for trial in search.trials_:
        assert trial.status == ("failed" if trial in guilty else "complete")
        [place] = [k for k, params in enumerate(results["params"]) if params == trial.params]
        assert np.isnan(results["mean_test_score"][place]) == (trial in guilty)
        if trial in guilty:
            assert reason in reasons(trial)
            assert results["rank_test_score"][place] == n_trials - len(guilty) + 1
    assert search.best_params_["how"] == "ok"


@both_modes
@pytest.mark.parametrize("cluster", on["all"], indirect=True)
def test_fit_that_raises_fails_its_trial_only(fit, tmp_path, asynchronous):
    search = fit(make_search("raise", tmp_path, asynchronous=asynchronous))
    check_failed(search, 6, "ValueError: no luck")
    assert set(sabotage.starts(tmp_path).values()) == {1}


@both_modes
@pytest.mark.parametrize("cluster", on["all and the caller"], indirect=True)
def test_fit_that_exits_fails_its_trial_only(fit, tmp_path, asynchronous):
    search = fit(make_search("sys.exit", tmp_path, guilty=(1, 4), asynchronous=asynchronous))
    check_failed(search, 6, "SystemExit(4)")
    assert set(sabotage.starts(tmp_path).values()) == {1}


@pytest.mark.parametrize("how", ["out of memory", "unpicklable", "unloadable", "holding"])
@pytest.mark.parametrize("cluster", ["loky"], indirect=True)
def test_any_exception_of_a_fit_fails_its_trial_only(fit, tmp_path, how):
    reason = "no room" if how == "out of memory" else "no luck"
    check_failed(fit(make_search(how, tmp_path, 4)), 4, reason)


@pytest.mark.parametrize("how", ["scoring: raise", "scoring: sys.exit"])
@pytest.mark.parametrize("cluster", ["loky"], indirect=True)
def test_scorer_that_raises_fails_its_trial_only(fit, tmp_path, how):
    reason = "SystemExit(4)" if how.endswith("exit") else "The scorer raised an error"
    check_failed(fit(make_search(how, tmp_path, 4)), 4, reason)


@pytest.mark.parametrize("how", ["unpicklable", "unloadable", "holding"])
@pytest.mark.parametrize("cluster", ["loky"], indirect=True)
def test_unpicklable_error_arrives_as_text(fit, tmp_path, how):
    search = make_search(how, tmp_path, 4, guilty=(2,), n_points=1, error_score="raise")
    with pytest.raises(Exception, match="no luck") as caught:
        fit(search)
    assert "pool" not in type(caught.value).__name__.lower()
    kinds = {"unpicklable": "Unpicklable", "unloadable": "Unloadable", "holding": "Holding"}
    assert f"{kinds[how]}Error" in str(caught.value)
    assert len(search.trials_) == len(search.cv_results_["params"]) == 2


@pytest.mark.parametrize(
    ("settings", "n_kept"),
    # Trial 4 is proposed from the results of the trials up to 2.
    [({"n_points": 2}, 3), ({"asynchronous": True}, 2)],
    ids=["in a window", "asynchronous"],
)
@pytest.mark.parametrize("cluster", ["loky", "threading", "dask"], indirect=True)
def test_error_score_raise_raises_and_keeps_finished_trials(fit, tmp_path, settings, n_kept):
    search = make_search("raise", tmp_path, guilty=(4,), error_score="raise", **settings)
    with pytest.raises(ValueError, match="^no luck$"):
        fit(search)
    assert len(search.trials_) == len(search.cv_results_["params"]) >= n_kept
    assert {trial.status for trial in search.trials_} == {"complete"}
    assert search.stop_reason_ is None


@pytest.mark.parametrize("cluster", ["loky"], indirect=True)
def test_error_score_raise_raises_worker_death_and_keeps_finished_trials(fit, tmp_path):
    search = make_search("kill", tmp_path, 4, guilty=(2,), n_points=1, error_score="raise")
    with pytest.raises(RuntimeError, match="exit code"):
        fit(search)
    assert [trial.params["how"] for trial in search.trials_] == ["ok", "ok"]
    assert len(search.cv_results_["params"]) == 2


@both_modes
@pytest.mark.parametrize("cluster", ["loky"], indirect=True)
def test_callback_that_raises_keeps_finished_trials(fit, tmp_path, asynchronous):
    def stumble(search, trial):
        if trial.number == 2:
            raise OSError("the disk is full")

    search = make_search("ok", tmp_path, guilty=(), asynchronous=asynchronous, callbacks=stumble)
    with pytest.raises(OSError, match="the disk is full"):
        fit(search)
    assert 2 in [trial.number for trial in search.trials_]
    assert len(search.trials_) == len(search.cv_results_["params"])


class Unsendable:
    """A scorer that no worker can be sent."""

    def __getstate__(self):
        raise OverflowError("too much of it")

    def __call__(self, estimator, X, y):
        return estimator.score(X, y)


def test_unpicklable_estimator_leaves_no_folder(tmp_path, data, monkeypatch):
    monkeypatch.setenv("JOBLIB_TEMP_FOLDER", str(tmp_path))
    with pytest.raises(OverflowError, match="too much of it"):
        make_search("ok", None, 2, guilty=(), scoring=Unsendable()).fit(*data)
    left = list(tmp_path.iterdir())
    for folder in left:
        shutil.rmtree(folder)
    assert not left


@pytest.mark.parametrize("cluster", ["dask", "ray"], indirect=True)
def test_unpicklable_estimator_raises_clear_error(fit, tmp_path):
    search = make_search("ok", tmp_path, 2, guilty=(), scoring=Unsendable())
    with pytest.raises(Exception, match="too much of it|serialize"):
        fit(search)
    assert not sabotage.starts(tmp_path)
