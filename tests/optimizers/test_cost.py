"""Cost-aware proposals: cheap trials come first, expensive ones in time."""

import inspect
import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from subjects import BRANCHES, MIXED, NUMERIC, concrete, score

from sklearn_lepton._surrogate.gaussian_process import fit
from sklearn_lepton._surrogate.mixture import SurrogateEnsemble
from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.optimizers import BayesOptimizer
from sklearn_lepton.optimizers._cost import CostModel, full_seconds
from sklearn_lepton.optimizers._surrogate_assisted import SurrogateOptimizer

SURROGATE_KINDS = sorted(concrete(SurrogateOptimizer), key=lambda kind: kind.__name__)
WITH_SURROGATE = [
    kind for kind in SURROGATE_KINDS if "surrogate" in inspect.signature(kind).parameters
]


@pytest.fixture(params=SURROGATE_KINDS, ids=lambda kind: kind.__name__)
def kind(request):
    return request.param


def seconds_of(params):
    """Return seconds that grow a thousandfold along x."""
    return 10.0 ** (3.0 * params["x"] - 1.0)


def spend(optimizer, function, seconds, *, n_trials=10_000, budget=math.inf):
    """Ask and tell until a number of trials or of seconds; return the trials."""
    while len(optimizer.trials) < n_trials and sum(t.duration for t in optimizer.trials) < budget:
        [trial] = optimizer.ask()
        cost = seconds(trial.params)
        optimizer.tell([trial.complete(function(trial.params), duration=cost)])
    return optimizer.trials


def summary(trials):
    return [(t.number, t.point, dict(t.proposal)) for t in trials]


def two_hills(params):
    """Return a score with two equally good regions, of which the left one is cheap."""
    return (
        max(-((params["x"] - centre) ** 2) for centre in (0.15, 0.85))
        - 0.1 * (params["y"] - 0.4) ** 2
    )


def expensive_hill(params):
    """Return a score with a cheap hill, and a higher one where trials take long."""
    return max(1.0 - 8 * abs(params["x"] - 0.2), 2.0 - 8 * abs(params["x"] - 0.8))


# ---------------------------------------------------------------------- proposals


def test_cost_aware_prefers_the_cheaper_of_two_equally_good_regions(kind):
    def n_expensive(**options):
        trials = spend(kind(NUMERIC, seed=1, **options), two_hills, seconds_of, n_trials=20)
        return sum(t.params["x"] > 0.5 for t in trials[10:])

    aware, limited = n_expensive(cost_aware=True), n_expensive(cost_aware=True, max_seconds=1e4)
    assert max(aware, limited) < n_expensive()
    assert max(aware, limited) <= 4


def test_cost_aware_finds_an_expensive_optimum_in_time(kind):
    budget = 25 * seconds_of({"x": 0.8})
    optimizer = kind(NUMERIC, seed=0, cost_aware=True, max_seconds=budget)
    spend(optimizer, expensive_hill, seconds_of, n_trials=80, budget=budget)
    assert optimizer.best.params["x"] == pytest.approx(0.8, abs=0.06)


def test_cost_aware_avoids_trials_that_would_not_finish_in_time():
    optimizer = BayesOptimizer(NUMERIC, seed=0, cost_aware=True)
    spent = sum(t.duration for t in spend(optimizer, expensive_hill, seconds_of, n_trials=25))
    optimizer.configure(max_seconds=spent + 2.0)
    [trial] = optimizer.ask()
    assert seconds_of(trial.params) < 4.0
    optimizer = BayesOptimizer(NUMERIC, seed=0, cost_aware=True)
    spend(optimizer, expensive_hill, seconds_of, n_trials=25)
    optimizer.configure(max_seconds=spent / 2)  # overspent: every trial may be proposed
    [trial] = optimizer.ask()
    assert trial.params["x"] > 0.5


@pytest.mark.thorough
@pytest.mark.parametrize("space", [NUMERIC, MIXED, BRANCHES])
@pytest.mark.parametrize("options", [{}, {"cost_aware": False, "max_seconds": 7.0}])
def test_seconds_change_nothing_without_cost_aware(kind, space, options):
    timed = spend(kind(space, seed=3, **options), score, lambda p: 1.0 + len(str(p)), n_trials=16)
    untimed = spend(kind(space, seed=3), score, lambda _: 0.0, n_trials=16)
    assert summary(timed) == summary(untimed)


@pytest.mark.parametrize("max_seconds", [None, 60.0])
def test_cost_aware_changes_nothing_without_seconds(kind, max_seconds):
    aware = kind(MIXED, seed=3, cost_aware=True, max_seconds=max_seconds)
    plain = spend(kind(MIXED, seed=3), score, lambda _: 0.0, n_trials=16)
    assert summary(spend(aware, score, lambda _: 0.0, n_trials=16)) == summary(plain)


def test_cost_aware_changes_nothing_if_seconds_hardly_differ(kind):
    def seconds(params):
        return 2.0 + params["x"] + 0.5 * math.sin(1e4 * params["y"])

    aware = kind(NUMERIC, seed=3, cost_aware=True, max_seconds=60.0)
    plain = spend(kind(NUMERIC, seed=3), score, seconds, n_trials=16)
    assert summary(spend(aware, score, seconds, n_trials=16)) == summary(plain)


@pytest.mark.parametrize("max_seconds", [None, 400.0])
def test_tell_is_enough(kind, max_seconds):
    def make():
        return kind(MIXED, seed=1, cost_aware=True, max_seconds=max_seconds)

    optimizer = make()
    spend(optimizer, score, seconds_of, n_trials=18)
    pending = optimizer.ask(2)
    other = make()
    other.tell(reversed(optimizer.trials))
    assert summary(other.ask(2)) == summary(optimizer.ask(2))
    assert len(pending) == 2


def test_cost_aware_avoids_an_expensive_branch(kind):
    """A branch that takes a hundred times as long and is no better is rarely tried."""

    def seconds(params):
        return 100.0 if params["kind"] == "tree" else 1.0

    def function(params):
        return -abs(params.get("share", 0.5) - 0.5) - abs(math.log10(params.get("C", 1.0))) / 10

    def n_expensive(**options):
        trials = spend(kind(BRANCHES, seed=0, **options), function, seconds, n_trials=32)
        return sum(t.params["kind"] == "tree" for t in trials[12:])

    assert n_expensive(cost_aware=True) < n_expensive()


@pytest.mark.parametrize("value", [0, -1.0, math.nan, "long", True])
def test_seconds_are_positive(kind, value):
    with pytest.raises(ValueError, match="max_seconds must be"):
        kind(NUMERIC, cost_aware=True, max_seconds=value)
    with pytest.raises(ValueError, match="cost_aware must be"):
        kind(NUMERIC, cost_aware="yes")


@pytest.mark.parametrize("kind", WITH_SURROGATE)
def test_cost_aware_needs_the_surrogate(kind):
    with pytest.raises(ValueError, match="surrogate=True"):
        kind(NUMERIC, cost_aware=True, surrogate=False)


# ---------------------------------------------------------------------- the model


def timed_trials(n_trials=30):
    trials = BayesOptimizer(NUMERIC, seed=0, n_initial_points=n_trials).ask(n_trials)
    return [t.complete(-t.params["y"], duration=seconds_of(t.params)) for t in trials]


def test_full_seconds_extrapolates_unfinished_trials():
    one = Trial(0, (0.5,), {})
    rows = [SplitResult(scores=1.0, fit_time=1.0)] * 5
    trials = [
        one.complete(1.0, split_results=rows, duration=5.0),
        one.fail(duration=3.0),
        replace(one, status="pruned", split_results=tuple(rows[:2]), duration=4.0),
        replace(one, status="pruned", duration=4.0),
        replace(one.complete(1.0, duration=2.0), fidelity=0.25),
        one.complete(1.0, duration=math.nan),
    ]
    assert_array_equal(full_seconds(trials), [5.0, 3.0, 10.0, 0.0, 8.0, 0.0])
    assert full_seconds([]).shape == (0,)


def test_cost_model_fits_seconds_over_orders_of_magnitude():
    costs = CostModel.of(timed_trials(), np.zeros(2, dtype=bool))
    x = np.linspace(0.05, 0.95, 7)
    mean, std = costs.predict(np.column_stack([x, np.full(7, 0.3)]))
    assert_allclose(np.exp(mean), 10.0 ** (3.0 * x - 1.0), rtol=0.2)
    assert np.all(std > 0)


def test_cost_model_needs_three_trials_and_keeps_a_hundred():
    trials = timed_trials(130)
    assert CostModel.of(trials[:2], np.zeros(2, dtype=bool)) is None
    assert CostModel.of([], np.zeros(2, dtype=bool)) is None
    kept = CostModel.of(trials, np.zeros(2, dtype=bool)).process.X
    assert_array_equal(kept, [t.point for t in trials[:50] + trials[-50:]])


def test_gradient_of_the_cost_aware_acquisition():
    trials, rng = timed_trials(), np.random.default_rng(0)
    X, y = np.array([t.point for t in trials]), np.array([t.score for t in trials])
    y += 0.1 * y.std() * rng.standard_normal(len(y))  # or the slopes are those of a needle
    model = SurrogateEnsemble(fit(X, y, categorical=np.zeros(2, dtype=bool)))
    costs = CostModel.of(trials, np.zeros(2, dtype=bool))
    acquisition = costs.acquisition(model, spent=0.0, max_seconds=1e3, n_pending=0)
    # The gradient leaves out the probability to finish in time.
    acquisition = replace(acquisition, remaining_budget=math.inf)
    Xs, step = rng.random((5, 2)), 1e-6
    value, gradient = acquisition.process_improvement_with_gradient(Xs, 0.5)
    for column in range(2):
        shift = step * (np.arange(2) == column)
        up, down = (acquisition.log_improvement(X, 0.5) for X in (Xs + shift, Xs - shift))
        slope = (up - down) / (2 * step)
        assert_allclose(gradient[:, column], slope, rtol=5e-3, atol=1e-3)
    assert_allclose(value, acquisition.log_improvement(Xs, 0.5), atol=1e-9)


def test_cost_exponent_falls_with_the_remaining_seconds():
    trials = timed_trials()
    X, numeric = np.array([t.point for t in trials]), np.zeros(2, dtype=bool)
    model = SurrogateEnsemble(fit(X, np.arange(30.0), categorical=numeric))
    costs = CostModel.of(trials, numeric)

    def cooling(**options):
        options = {"spent": 0.0, "max_seconds": 8.0, "n_pending": 0} | options
        acquisition = costs.acquisition(model, **options)
        return acquisition.exponent, acquisition.remaining_budget

    assert cooling() == (1.0, 8.0)
    assert cooling(spent=6.0) == (0.25, 2.0)
    assert cooling(spent=6.0, n_pending=3) == (0.25, 0.5)
    assert cooling(spent=9.0) == (0.0, math.inf)  # no trial is in time: all may be proposed
    assert cooling(max_seconds=None) == (0.5, math.inf)
