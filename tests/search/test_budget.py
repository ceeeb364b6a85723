"""Budget: 50 trials by default, and no limit of trials with a limit of time."""

import math
import time
import warnings

import pytest
from doubles import Probe
from joblib import parallel_config

from sklearn_lepton import BayesSearchCV, SwarmSearchCV, tune
from sklearn_lepton._search.inputs import trial_limit
from sklearn_lepton._study.study import Study
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._workers import local
from sklearn_lepton.exceptions import SpaceExhaustedWarning
from sklearn_lepton.optimizers import AutoOptimizer, RandomOptimizer, SwarmOptimizer

LINE = {"x": (0.0, 1.0, "uniform")}


@pytest.fixture(autouse=True)
def _threads():
    """Run fits in threads: processes take seconds to start."""
    with parallel_config(backend="threading"):
        yield


def value(params):
    return params["x"]


@pytest.mark.parametrize(
    ("n_iter", "max_time", "limit"),
    [
        ("auto", None, 50),
        ("auto", 3.0, math.inf),
        ("auto", math.inf, 50),
        (7, None, 7),
        (7, 3.0, 7),
    ],
)
def test_trials_are_limited_by_number_or_by_time(n_iter, max_time, limit):
    assert trial_limit(n_iter, max_time) == limit


def test_search_has_50_trials_by_default(numbered):
    search = SwarmSearchCV(Probe(), LINE, cv=2, surrogate=False).fit(*numbered)
    assert (len(search.trials_), search.stop_reason_) == (50, "n_iter")


def test_search_with_max_time_has_no_limit_of_trials(numbered):
    search = SwarmSearchCV(Probe(), LINE, cv=2, surrogate=False, max_time=60.0)
    search.set_params(callbacks=lambda _, trial: trial.number == 59).fit(*numbered)
    assert len(search.trials_) == 60
    assert search.optimizer_.run_settings.budget is None
    search.set_params(max_time=0.3, callbacks=None).fit(*numbered)
    assert search.stop_reason_ == "max_time"


def test_tune_with_max_time_has_no_limit_of_trials():
    def stop(_, trial):
        return trial.number == 59

    options = {"optimizer": "random", "n_jobs": 2}
    assert len(tune(value, LINE, max_time=60.0, callbacks=stop, **options).trials_) >= 60
    assert tune(value, LINE, max_time=0.3, **options).stop_reason_ == "max_time"
    assert len(tune(value, LINE, optimizer="random", max_time=60.0, n_iter=4).trials_) == 4


@pytest.mark.parametrize("optimizer", ["auto", "random"])
def test_finite_space_ends_a_run_that_only_time_limits(optimizer):
    with warnings.catch_warnings():
        warnings.simplefilter("error", SpaceExhaustedWarning)
        result = tune(value, {"x": list(range(12))}, optimizer=optimizer, max_time=60.0)
    assert (len(result.trials_), result.stop_reason_) == (12, "exhausted")


def test_grid_of_a_run_that_only_time_limits_has_a_fixed_size():
    result = tune(value, LINE, optimizer="grid", max_time=60.0)
    assert (len(result.trials_), result.stop_reason_) == (1000, "exhausted")


def test_large_finite_space_is_no_budget():
    space = {"x": list(range(1000)), "y": list(range(1000))}
    study = Study(AutoOptimizer(space), math.inf)
    assert (study.n_trials, study.optimizer.run_settings.budget) == (10**6, None)
    assert study.optimizer.choice.optimizer == "bayes"
    assert Study(AutoOptimizer(space), 10**7).optimizer.run_settings.budget == 10**6
    small = Study(AutoOptimizer({"x": [1, 2]}), math.inf)
    assert small.optimizer.run_settings.budget == 2


def test_study_without_limit_is_extended_to_none():
    study = Study(RandomOptimizer(LINE), 3)
    study.extend_budget(2)
    assert study.n_trials == study.optimizer.run_settings.budget == 5
    study.extend_budget(math.inf)
    assert (study.n_trials, study.optimizer.run_settings.budget) == (math.inf, None)
    assert len(study.ask(70)) == 70
    assert study.has_more


def test_journal_of_a_run_that_only_time_limits_goes_on(tmp_path):
    options = {"optimizer": "random", "journal": tmp_path / "study.jsonl", "random_state": 0}
    first = tune(value, LINE, max_time=60.0, callbacks=lambda _, t: t.number == 54, **options)
    second = tune(value, LINE, max_time=60.0, callbacks=lambda _, t: t.number == 108, **options)
    assert (len(first.trials_), first.stop_reason_) == (55, "callback")
    assert len(second.trials_) == 109
    assert second.trials_[:55] == first.trials_


def test_warm_start_of_a_run_that_only_time_limits_goes_on(numbered):
    search = SwarmSearchCV(Probe(), LINE, cv=2, surrogate=False, warm_start=True, max_time=60.0)
    for last in (51, 103):
        search.set_params(callbacks=lambda _, trial, last=last: trial.number == last)
        search.fit(*numbered)
        assert len(search.trials_) == last + 1


@pytest.mark.parametrize(("options", "n_more"), [({}, 16), ({"n_iter": 9}, 3)])
def test_update_has_a_third_of_the_trials(options, n_more):
    assert BayesSearchCV(Probe(), LINE, **options)._n_more() == n_more


def test_update_of_a_search_that_only_time_limits_has_no_limit_of_trials():
    assert BayesSearchCV(Probe(), LINE, max_time=5.0)._n_more() == math.inf


@pytest.mark.parametrize("verbose", [1, 2, 3])
def test_progress_without_limit_of_trials(numbered, capsys, verbose):
    search = SwarmSearchCV(Probe(), LINE, cv=2, surrogate=False, max_time=60.0, verbose=verbose)
    search.set_params(callbacks=lambda _, trial: trial.number == 5).fit(*numbered)
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first == "SwarmSearchCV: trials of 2 fits, 1 min 00 s"
    assert last.startswith("SwarmSearchCV: 6 trials in ")


def test_progress_in_a_log_follows_the_time(numbered, capsys):
    search = SwarmSearchCV(Probe(), LINE, cv=2, surrogate=False, max_time=1.0, verbose=1)
    search.fit(*numbered)
    lines = capsys.readouterr().out.splitlines()[1:-1]
    assert 1 <= len(lines) <= 9
    assert all(" trials  best " in line and line.endswith(" s left") for line in lines)


@pytest.mark.parametrize("make", [RandomOptimizer, SwarmOptimizer])
def test_last_trials_of_the_time_run_in_full(make):
    optimizer = make(LINE, seed=0, resources=(0.1, 1.0))
    optimizer.configure(max_seconds=100.0)
    full = Trial(0, (0.5,), {"x": 0.5}).complete(0.5, duration=10.0)
    low = [
        Trial(k, (k / 20,), {"x": k / 20}, fidelity=0.1).complete(k / 20, duration=1.0)
        for k in range(1, 6)
    ]
    optimizer.tell([full, *low])
    assert not optimizer._is_final()
    optimizer.tell([Trial(6, (0.9,), {"x": 0.9}, fidelity=0.1).complete(0.9, duration=77.0)])
    assert optimizer._is_final()
    [trial] = optimizer.ask()
    assert trial.is_full
    optimizer.configure(budget=1000)
    assert not optimizer._is_final()


def start_slowly(*args):
    time.sleep(1.5)


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_slow_start_of_workers_is_no_timeout(numbered, monkeypatch, n_jobs):
    monkeypatch.setattr(local, "start_worker", start_slowly)
    search = BayesSearchCV(Probe(), LINE, cv=2, max_time=1.0, n_jobs=n_jobs)
    with parallel_config(backend="loky"):
        search.fit(*numbered)
    assert search.stop_reason_ == "max_time"
    assert len(search.trials_) >= 1
