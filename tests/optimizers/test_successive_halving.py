"""Successive halving: promotions and regressions of rungs on trials made by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from sklearn_lepton._surrogate.gaussian_process import GaussianProcess, fit
from sklearn_lepton._surrogate.multi_fidelity import (
    LowFidelityPlan,
    append_fidelity,
    low_fidelity_is_informative,
)
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.optimizers import BayesOptimizer, RandomOptimizer
from sklearn_lepton.optimizers._successive_halving import FidelityHistory, check_resources

SHARES = (1 / 9, 1 / 3, 1.0)
SPACE = {"x": (0.0, 1.0, "uniform")}


def trial(number, x, share, score=None, status=None):
    made = Trial(number, (x,), {"x": x}, fidelity=None if share == 1 else share)
    if status is not None:
        return replace(made, status=status)
    return made if score is None else made.complete(score)


def history_of(*trials):
    return FidelityHistory.of(trials, SHARES)


def promoted(history, *, is_last_call=False):
    found = history.promotion(is_last_call=is_last_call)
    return None if found is None else (found[0].number, found[1])


LOW = [trial(k, k / 10, SHARES[0], k / 10) for k in range(1, 7)]


def test_no_promotion_before_three_trials_are_finished():
    assert promoted(history_of(*LOW[:2])) is None
    assert promoted(history_of(*LOW[:2], trial(9, 0.9, SHARES[0]))) is None


def test_promotion_of_the_best_third_once_each():
    assert promoted(history_of(*LOW[:3])) == (3, 1)
    assert promoted(history_of(*LOW)) == (6, 1)
    assert promoted(history_of(*LOW, trial(7, 0.6, SHARES[1]))) == (5, 1)
    assert promoted(history_of(*LOW, trial(7, 0.6, SHARES[1]), trial(8, 0.5, SHARES[1]))) is None


def test_promotion_prefers_higher_rungs():
    high = [trial(6 + k, k / 10, SHARES[1], k / 10) for k in (4, 5, 6)]
    assert promoted(history_of(*LOW, *high)) == (12, 2)


def test_failed_and_pruned_trials_count_but_are_not_promoted():
    others = [trial(8, 0.8, SHARES[0], status="failed"), trial(9, 0.9, SHARES[0], status="pruned")]
    assert promoted(history_of(LOW[0], *others)) == (1, 1)
    assert promoted(history_of(*others, trial(7, 0.7, SHARES[0], status="failed"))) is None


def test_promotion_of_equal_scores_by_number():
    same = [trial(k, k / 10, SHARES[0], 0.5) for k in range(1, 4)]
    assert promoted(history_of(*same)) == (1, 1)


def test_last_call_rounds_promotions_up_if_no_trial_is_pending():
    assert promoted(history_of(LOW[0]), is_last_call=True) == (1, 1)
    assert promoted(history_of(LOW[0], trial(2, 0.2, SHARES[0])), is_last_call=True) is None
    assert promoted(history_of(LOW[0], trial(2, 0.1, SHARES[1], 0.3)), is_last_call=True) == (2, 2)


def test_fidelity_between_rungs_belongs_to_the_one_below():
    history = history_of(trial(0, 0.1, 0.5, 0.0), trial(1, 0.2, 0.01, 0.0), trial(2, 0.3, 1.0, 0.0))
    assert [list(by_rung) for by_rung in history.configurations] == [[1], [0], [2]]


def test_rung_regression_maps_scores_to_full_fidelity():
    xs = np.linspace(0.1, 0.9, 9)
    low = [trial(k, x, SHARES[0], 5 * x - 3) for k, x in enumerate(xs)]
    full = [trial(k + 20, x, 1.0, x) for k, x in enumerate(xs)]
    history = history_of(*low, *full)
    offset, slope = history.rung_regressions[0]
    assert 0.2 <= slope < 0.4  # 0.2, drawn towards 1 by the prior
    assert offset + slope * (5 * 0.5 - 3) == pytest.approx(0.5)
    assert history.rung_regressions[2] == (0.0, 1.0)


def test_rung_without_pairs_has_the_regression_above():
    history = history_of(*LOW, trial(8, 0.6, SHARES[1], 0.7), trial(9, 0.6, 1.0, 0.9))
    assert history.rung_regressions[1] == pytest.approx((0.2, 1.0))
    assert history_of(*LOW).rung_regressions == [(0.0, 1.0)] * 3


@pytest.mark.parametrize("size", [1e-300, 1.0, 1e300])
def test_rung_regression_of_scores_of_any_magnitude(size):
    low = [trial(k, k / 10, SHARES[0], size * k) for k in range(5)]
    history = history_of(*low, trial(9, 0.4, 1.0, size * 5), trial(10, 0.3, 1.0, size * 3))
    assert all(map(math.isfinite, [value for line in history.rung_regressions for value in line]))


def test_merged_has_one_trial_per_configuration_with_its_highest_score():
    history = history_of(
        Trial(0, (0.5,), {"x": 0.5}, {"particle": 3}, fidelity=SHARES[0]).complete(0.1),
        trial(1, 0.5, 1.0, 0.9),
        trial(2, 0.7, SHARES[0]),
        trial(3, 0.8, SHARES[0], 0.2),
        trial(4, 0.8, SHARES[1], status="failed"),
    )
    merged = history.merged()
    assert [t.number for t in merged] == [0, 2, 3]
    assert (merged[0].score, merged[0].proposal) == (0.9, {"particle": 3})
    assert [t.status for t in merged] == ["complete", "pending", "failed"]


def test_promotable_trials_are_finished_below_full_fidelity():
    history = history_of(
        trial(0, 0.1, SHARES[0], 0.1),
        trial(1, 0.1, SHARES[1], 0.2),
        trial(2, 0.2, SHARES[0], status="pruned"),
        trial(3, 0.3, SHARES[0], 0.1),
        trial(4, 0.3, SHARES[1]),
        trial(5, 0.4, SHARES[0], status="failed"),
        trial(6, 0.5, 1.0, 0.5),
    )
    assert [(t.number, rung) for t, rung in history.promotable()] == [(1, 1), (2, 0)]


@pytest.mark.parametrize("bad", [(), (0.5,), (1.0, 0.5), (0.0, 1.0), (0.5, 0.5, 1.0), "1", 1.0])
def test_check_resources_rejects_bad_shares(bad):
    with pytest.raises(ValueError, match="resources must be ascending shares .* got"):
        check_resources(bad)


def test_noise_is_the_residual_of_the_rung_regression():
    low = [trial(k, k / 20, SHARES[0], k / 20) for k in range(20)]
    exact = history_of(*low, *[trial(20 + k, k / 20, 1.0, k / 20 + 0.5) for k in range(20)])
    rough = history_of(
        *low, *[trial(20 + k, k / 20, 1.0, k / 20 + 0.4 * (k % 2)) for k in range(20)]
    )
    assert exact.noise[2] == rough.noise[2] == 0.0
    assert exact.noise[0] < 0.01 < 0.03 < rough.noise[0] < 0.06


# ------------------------------------------------------------- in the optimizers


def run(optimizer, n_trials, function=lambda t: -abs(t.params["x"] - 0.7)):
    while len(optimizer.trials) < n_trials:
        asked = optimizer.ask()
        if not asked:
            break
        optimizer.tell([t.complete(function(t)) for t in asked])
    return optimizer.trials


def test_first_trial_is_full_and_repeated_on_the_lowest_rung():
    first, second, third = RandomOptimizer(SPACE, resources=SHARES).ask(3)
    assert first.fidelity is None
    assert (second.fidelity, second.point) == (SHARES[0], first.point)
    assert (third.fidelity, third.point == first.point) == (SHARES[0], False)


def test_trial_after_a_failed_first_one_is_full():
    optimizer = RandomOptimizer(SPACE, resources=SHARES)
    optimizer.tell([optimizer.ask()[0].fail()])
    assert optimizer.ask()[0].fidelity is None


def test_enqueued_trials_are_full():
    optimizer = RandomOptimizer(SPACE, resources=SHARES)
    optimizer.enqueue([{"x": 0.1}, {"x": 0.2}])
    assert [t.fidelity for t in optimizer.ask(3)] == [None, None, SHARES[0]]


def test_best_is_a_full_trial():
    optimizer = RandomOptimizer(SPACE, resources=SHARES)
    optimizer.tell([trial(0, 0.5, 1.0, 0.1), trial(1, 0.6, SHARES[1], 0.9)])
    assert optimizer.best.number == 0


def test_last_trials_of_a_budget_are_full():
    optimizer = BayesOptimizer(SPACE, resources=SHARES, seed=1)
    optimizer.configure(budget=30)
    trials = run(optimizer, 30)
    assert [t.is_full for t in trials[-3:]] == [True] * 3
    assert len({t.point for t in trials if t.is_full}) == sum(t.is_full for t in trials)
    assert abs(optimizer.best.params["x"] - 0.7) < 0.05


def crossing(t):
    x, w = t.params["x"], 1.5 * (1.0 - (t.fidelity or 1.0))
    return (1.0 - w) * -abs(x - 0.8) + w * -abs(x - 0.1)


def ranking(t):
    return -abs(t.params["x"] - 0.7) - 0.3 * (1.0 - (t.fidelity or 1.0))


def test_surrogate_runs_new_configurations_in_full_if_low_fidelity_misleads():
    optimizer = BayesOptimizer(SPACE, resources=SHARES, seed=0)
    trials = run(optimizer, 25, crossing)
    assert [t.fidelity for t in trials[1:6]] == [SHARES[0]] * 5
    assert sum(t.is_full and "promoted" not in t.proposal for t in trials[10:]) >= 8
    assert abs(optimizer.best.params["x"] - 0.8) < 0.05


def test_surrogate_saves_resource_if_low_fidelity_ranks_correctly():
    optimizer = BayesOptimizer(SPACE, resources=SHARES, seed=0)
    trials = run(optimizer, 20, ranking)
    assert sum(t.fidelity or 1.0 for t in trials) < 0.7 * len(trials)
    assert abs(optimizer.best.params["x"] - 0.7) < 0.02


def process(length, n=6):
    """Return a process of scores that rise with x, with a length-scale of the fidelity."""
    X = append_fidelity(np.linspace(0, 1, n)[:, None], np.resize(SHARES, n))
    theta = np.log([0.3, length, 1.0, 1e-6])
    return GaussianProcess.of(X, np.linspace(-1, 1, n), theta, np.zeros(2, dtype=bool))


@pytest.mark.parametrize("tells", [True, False])
def test_low_fidelity_is_informative_if_it_predicts_full_scores(tells):
    x = np.random.default_rng(0).random(30)
    shares = np.repeat([1.0, SHARES[0]], [8, 22])
    X, y = append_fidelity(x[:, None], shares), np.sin(12.0 * x)
    if not tells:
        y[8:] = np.cos(25.0 * x[8:])
    kind = {"categorical": np.zeros(2, dtype=bool), "has_resource": True}
    own = fit(X[:8], y[:8], **kind)
    assert low_fidelity_is_informative(fit(X, y, **kind), own) == tells
    assert not low_fidelity_is_informative(own, own)


@pytest.mark.thorough
def test_low_fidelities_use_at_most_the_resource_of_full_trials():
    optimizer = BayesOptimizer(SPACE, resources=SHARES, seed=0)
    trials = run(optimizer, 60, ranking)
    for n in range(12, 60):
        spent = [t.fidelity or 1.0 for t in trials[:n]]
        assert sum(share for share in spent if share < 1) <= 1 + sum(share == 1 for share in spent)


def test_gain_of_a_low_fidelity_plan():
    at, best = np.array([0.5]), 1.0
    plan = LowFidelityPlan(SHARES[0], SHARES[0], 1.0, 0.0)
    nothing = plan.log_gain(process(1e-3), at, best)
    assert nothing == pytest.approx(-np.log1p(SHARES[0]), abs=1e-3)
    everything = plan.log_gain(process(1e3), at, best)
    assert 0.0 < everything < -np.log(SHARES[0])
    assert nothing < plan.log_gain(process(1.0), at, best) < everything
    assert LowFidelityPlan(0.5, 0.5, 1.0, 0.0).log_gain(process(1e3), at, best) < everything
    # Noise hides the information.
    assert LowFidelityPlan(SHARES[0], SHARES[0], 1.0, 1e9).log_gain(
        process(1e3), at, best
    ) == pytest.approx(nothing)
    # A resumed fit loses nothing.
    free = LowFidelityPlan(SHARES[0], SHARES[0], 1.0 - SHARES[0], 0.0)
    assert free.log_gain(process(1e-3), at, best) == pytest.approx(0.0, abs=1e-3)


def test_predict_is_at_full_fidelity():
    optimizer = BayesOptimizer(SPACE, resources=SHARES, seed=0)

    def function(t):
        share = t.fidelity or 1.0
        return -((t.params["x"] - 0.6) ** 2) - 0.5 * (1 - share)

    run(optimizer, 40, function)
    means, _ = optimizer.predict([{"x": 0.6}, {"x": 0.1}])
    assert means[0] == pytest.approx(0.0, abs=0.03)
    assert means[1] == pytest.approx(-0.25, abs=0.1)


def test_previous_studies_with_resources():
    older = [Trial(k, (k / 10,), {"x": k / 10}).complete(-abs(k / 10 - 0.7)) for k in range(10)]
    optimizer = BayesOptimizer(SPACE, resources=SHARES, seed=0, previous_studies=[older])
    trials = run(optimizer, 20)
    assert trials[0].is_full
    assert trials[0].params["x"] == pytest.approx(0.7)
    assert optimizer.predict({"x": 0.7})[0] > optimizer.predict({"x": 0.2})[0]
