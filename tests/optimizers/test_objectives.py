"""Optimizers with several objectives and with limits."""

import pickle

import numpy as np
import pytest

from sklearn_lepton import Limit, Objective
from sklearn_lepton._trials.objectives import Objectives
from sklearn_lepton._trials.pareto import hypervolume
from sklearn_lepton.optimizers import BayesOptimizer, SplitResult, make_optimizer
from sklearn_lepton.optimizers._limits import LimitModel

SPACE = {f"x{column}": (0.0, 1.0, "uniform") for column in range(4)}
TWO = [Objective("f", "minimize"), Objective("g", "minimize")]


def told(trial):
    """Return a trial of the problem ZDT2, whose front is not convex."""
    x = np.array(list(trial.params.values()))
    scale = 1 + 9 * x[1:].mean()
    metrics = {"f": float(x[0]), "g": float(scale * (1 - (x[0] / scale) ** 2))}
    return trial.complete(metrics["f"], split_results=[SplitResult(scores=metrics)])


def run(optimizer, n_trials):
    for _ in range(n_trials):
        optimizer.tell(map(told, optimizer.ask()))
    return optimizer


def volume(optimizer):
    values = Objectives.read(TWO).values(optimizer.trials)
    return hypervolume(values, np.array([-1.1, -4.0]))


@pytest.mark.parametrize(
    ("kind", "options", "least"),
    [
        ("bayes", {}, 3.3),
        ("swarm", {}, 2.8),
        ("genetic", {}, 2.8),
        ("genetic", {"surrogate": False}, 1.7),
    ],
)
def test_trials_spread_over_the_front(kind, options, least):
    # Random search reaches 1.1, and f alone 1.9 with the swarm.
    assert volume(run(make_optimizer(kind, SPACE, seed=0, objectives=TWO, **options), 40)) > least


@pytest.mark.parametrize("kind", ["bayes", "swarm", "genetic", "auto"])
def test_tell_is_enough_with_objectives(kind):
    objectives = [*TWO, Limit("g", at_most=0.8)]
    live = run(make_optimizer(kind, SPACE, seed=3, objectives=objectives), 14)
    resumed = make_optimizer(kind, SPACE, seed=3, objectives=objectives)
    resumed.tell(reversed(live.trials))
    copied = pickle.loads(pickle.dumps(live))
    points = [trial.point for trial in live.ask(2)]
    assert [trial.point for trial in resumed.ask(2)] == points
    assert [trial.point for trial in copied.ask(2)] == points


def test_proposals_in_flight_aim_at_different_places():
    optimizer = run(make_optimizer("bayes", SPACE, seed=0, objectives=TWO), 20)
    first = np.array([trial.point[0] for trial in optimizer.ask(6)])
    assert np.ptp(first) > 0.2


@pytest.mark.parametrize("kind", ["bayes", "swarm", "genetic"])
def test_best_is_found_at_the_limit(kind):
    # The least f with g <= 0.5 is sqrt(0.5), where all other parameters are 0.
    objectives = [TWO[0], Limit("g", at_most=0.5)]
    optimizer = run(make_optimizer(kind, SPACE, seed=1, objectives=objectives), 40)
    metrics = optimizer.best.split_results[0].scores
    assert metrics["g"] <= 0.5
    assert metrics["f"] == pytest.approx(0.5**0.5, abs=0.2)


def test_no_best_without_a_trial_within_the_limits():
    optimizer = run(make_optimizer("bayes", SPACE, objectives=[Limit("g", at_most=-1.0)]), 8)
    assert optimizer.best is None


def test_limit_on_the_score_alone_keeps_the_score_as_objective():
    optimizer = make_optimizer(
        "random", {"x": (0.0, 1.0, "uniform")}, objectives=[Limit("score", at_most=0.5)]
    )
    optimizer.tell([trial.complete(trial.params["x"]) for trial in optimizer.ask(9)])
    assert optimizer.best.score == max(t.score for t in optimizer.trials if t.score <= 0.5)


def test_gradient_of_the_log_probability_is_that_of_differences():
    trials = run(BayesOptimizer(SPACE, seed=0), 12).trials
    objectives = Objectives.read([Limit("g", at_most=0.7), Limit("f", at_least=0.2)])
    model = LimitModel.of(trials, objectives, np.zeros(4, dtype=bool))
    points = np.random.default_rng(0).uniform(0.05, 0.95, (5, 4))
    value, gradient = model.log_probability_with_gradient(points)
    np.testing.assert_allclose(value, model.log_probability(points))
    for column in range(4):
        step = np.zeros(4)
        step[column] = 1e-6
        ahead, behind = model.log_probability(points + step), model.log_probability(points - step)
        np.testing.assert_allclose(
            gradient[:, column], (ahead - behind) / 2e-6, rtol=2e-4, atol=1e-6
        )


def test_objectives_exclude_resources_and_previous_studies():
    optimizer = BayesOptimizer(SPACE, resources=(0.5, 1.0))
    with pytest.raises(ValueError, match="cannot be combined with resource"):
        optimizer.configure(objectives=TWO)
    assert not optimizer.run_settings.objectives
    earlier = run(BayesOptimizer(SPACE), 6).trials
    with pytest.raises(ValueError, match="cannot be combined with objectives"):
        BayesOptimizer(SPACE, previous_studies=[earlier]).configure(objectives=TWO)
