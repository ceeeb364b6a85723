"""Time limits of fits: slow fits are ended, or named in a warning if they cannot be ended."""

import threading
import time
import warnings
from dataclasses import replace

import numpy as np
import pytest
import sabotage
from joblib import parallel_config

from sklearn_lepton import BayesSearchCV, tune
from sklearn_lepton._evaluation import fit_timeout as fit_timeout_module
from sklearn_lepton._evaluation.fit_timeout import FitLimits
from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton.exceptions import SlowFitWarning
from sklearn_lepton.optimizers import RandomOptimizer


class Workers:
    def __init__(self, *, can_end, n_slots=2):
        self.can_end, self.n_slots = can_end, n_slots


def trial(resource=None):
    [asked] = RandomOptimizer({"x": (0.0, 1.0, "uniform")}, seed=0).ask(1)
    return asked if resource is None else replace(asked, fidelity=resource)


def row(seconds, **more):
    return SplitResult(scores=1.0, fit_time=seconds, **more)


def make_limits(fit_timeout="auto", *, can_end=True, finished=(), seconds=()):
    limits = FitLimits(fit_timeout, Workers(can_end=can_end), finished)
    for each in seconds:
        limits.record(trial(), row(each))
    return limits


def test_auto_limit_is_a_multiple_of_the_median():
    limits = make_limits(seconds=[1.0, 5.0, 6.0, 7.0, 900.0])
    assert limits.limit(trial()) == 600.0
    assert limits.overrun(trial(), 599.0) is None
    reason = limits.overrun(trial(), 601.0)
    assert "100 times the median of the 5 fits" in reason
    assert "fit_timeout='auto'" in reason


def test_auto_limit_is_at_least_five_minutes():
    assert make_limits(seconds=[0.01] * 5).limit(trial()) == 300.0
    assert make_limits(seconds=[0.0] * 5).overrun(trial(), 301.0) is not None


def test_auto_ends_nothing_before_enough_fits_are_known():
    limits = make_limits(seconds=[0.1] * 4)
    assert not limits.applies(trial())
    assert limits.overrun(trial(), 1e9) is None
    limits.record(trial(), row(0.1, error="failed at once"))
    assert not limits.applies(trial())
    limits.record(trial(), row(0.1))
    assert limits.applies(trial())


def test_auto_compares_fits_of_the_same_fidelity():
    limits = make_limits(seconds=[10.0] * 5)
    little = trial(0.1)
    assert not limits.applies(little)
    for _ in range(5):
        limits.record(little, row(4.0))
    assert limits.limit(little) == 400.0
    assert limits.limit(trial()) == 1000.0


def test_auto_limit_includes_time_saved_by_the_step_cache():
    limits = make_limits()
    for _ in range(5):
        limits.record(trial(), row(1.0, saved_time=19.0))
    assert limits.limit(trial()) == 2000.0


def test_auto_limit_includes_earlier_trials():
    earlier = trial().complete(
        1.0, split_scores=[1.0] * 5, split_results=[row(9.0)] * 5, duration=45.0
    )
    assert make_limits(finished=[earlier]).limit(trial()) == 900.0


@pytest.mark.parametrize(("given", "limit"), [(2.5, 2.5), (None, np.inf)])
def test_number_sets_the_limit_and_none_removes_it(given, limit):
    limits = make_limits(given, seconds=[0.01] * 9)
    assert limits.limit(trial()) == limit
    assert (limits.overrun(trial(), 1e6) is None) == (given is None)


def test_fits_that_cannot_be_ended_are_not_asked_for_their_time():
    assert not make_limits(can_end=False, seconds=[1.0] * 9).applies(trial())


# ------------------------------------------------------------- in real searches


@pytest.fixture
def short(monkeypatch):
    """Take a quarter of a second for five minutes."""
    monkeypatch.setattr(fit_timeout_module, "_MIN_SECONDS", 0.25)
    monkeypatch.setattr(fit_timeout_module, "_FACTOR", 2.0)


def wait_if_slow(params):
    if params["x"] == "slow":
        for _ in range(25):  # until somebody is warned
            if caught:
                break
            time.sleep(0.02)
    return len(params["x"])


def tune_slow(**options):
    """Tune with one slow call, which is the last one."""
    values = ["a", "b", "c", "d", "e", "f", "slow"]
    first = [{"x": value} for value in values]
    return tune(wait_if_slow, {"x": values}, n_iter=7, initial_params=first, **options)


caught = []


@pytest.fixture
def warned(monkeypatch):
    """Collect warnings of any thread, with the time of each."""
    caught.clear()
    monkeypatch.setattr(
        fit_timeout_module, "warn", lambda text, *_, **__: caught.append((text, time.time()))
    )
    yield caught
    caught.clear()


@pytest.mark.parametrize("backend", ["caller", "threading"])
def test_warning_names_the_configuration_while_the_fit_runs(short, warned, backend):
    with parallel_config(backend="loky" if backend == "caller" else backend):
        result = tune_slow(n_jobs=1 if backend == "caller" else 2)
    [(message, moment)] = warned
    assert "{'x': 'slow'}" in message
    assert "n_jobs=2" in message
    [slow] = [trial for trial in result.trials_ if trial.params["x"] == "slow"]
    assert slow.status == "complete"
    assert moment < slow.split_results[0].start_time + slow.split_results[0].fit_time
    assert not [t for t in threading.enumerate() if t.name == "sklearn_lepton-watchdog" and wait(t)]


def wait(thread):
    thread.join(5.0)
    return thread.is_alive()


def test_none_never_warns(short, warned):
    tune_slow(fit_timeout=None)
    assert warned == []


def test_warning_turned_into_error_loses_no_fit(short):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = tune_slow()
    assert {trial.status for trial in result.trials_} == {"complete"}


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:One or more of the:UserWarning")
def test_auto_ends_a_fit_that_takes_far_longer_than_all_others(short, monkeypatch):
    monkeypatch.setattr(fit_timeout_module, "_MIN_SECONDS", 2.0)
    search = sabotage.make_search("deaf", None, 5, guilty=(4,))
    with pytest.warns(SlowFitWarning, match="'how': 'deaf'"):
        search.fit(*sabotage.make_data())
    [guilty] = sabotage.guilty_trials(search)
    assert guilty.status == "failed"
    assert "fit_timeout='auto'" in sabotage.reasons(guilty)
    assert search.fit_timeout == "auto"


@pytest.mark.parametrize("given", ["always", "", 0, -1.0, True])
def test_invalid_fit_timeout_is_refused(given):
    search = BayesSearchCV(sabotage.Saboteur(), {"x": sabotage.UNIT}, fit_timeout=given, cv=2)
    with pytest.raises(
        ValueError, match="fit_timeout' parameter of .* must be 'auto', None or a number"
    ):
        search.fit(*sabotage.make_data())
