"""`Optimizer.configure`: the options of an optimizer that depend on the run."""

import pickle

import pytest
from subjects import MIXED, concrete, run

from sklearn_lepton.optimizers import AutoOptimizer, Optimizer, SwarmOptimizer

KINDS = sorted(concrete(Optimizer), key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", KINDS)
def test_configure_changes_the_given_options_only(kind):
    optimizer = kind(MIXED)
    optimizer.configure(budget=40, resumes=True)
    optimizer.configure(max_seconds=9.0)
    settings = pickle.loads(pickle.dumps(optimizer)).run_settings
    assert (settings.budget, settings.resumes, settings.max_seconds) == (40, True, 9.0)
    assert (settings.n_points, settings.cost_aware) == (1, False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget": -1}, "budget must be None or an integer of at least 0, got -1"),
        ({"n_points": 0}, "n_points must be an integer of at least 1, got 0"),
        ({"cost_aware": "auto"}, "cost_aware must be"),
        ({"max_seconds": 0.0}, "max_seconds must be None or a positive number of seconds"),
    ],
)
def test_configure_rejects_bad_options_and_changes_nothing(options, message):
    optimizer = AutoOptimizer(MIXED, n_points=3)
    before = optimizer.run_settings
    with pytest.raises(ValueError, match=message):
        optimizer.configure(**{"budget": 40} | options)
    assert optimizer.run_settings == before


def test_configure_rejects_unknown_options():
    with pytest.raises(TypeError, match="n_trials"):
        AutoOptimizer(MIXED).configure(n_trials=3)


def test_costs_need_a_surrogate():
    swarm = SwarmOptimizer(MIXED, surrogate=False)
    assert not swarm.uses_surrogate
    with pytest.raises(
        ValueError, match="cost_aware=True needs surrogate=True, got surrogate=False"
    ):
        swarm.configure(cost_aware=True)
    assert not swarm.run_settings.cost_aware


def test_auto_passes_the_settings_of_the_run_to_a_swarm_without_a_surrogate():
    optimizer = AutoOptimizer(MIXED, cost_aware=True, max_seconds=9.0)
    trials = run(optimizer, 2)
    optimizer.tell([trial.complete(trial.score, duration=1e-4) for trial in trials])
    for _ in range(18):
        [trial] = optimizer.ask()
        optimizer.tell([trial.complete(0.1 * trial.number, duration=1e-4)])
    assert optimizer.choice[:2] == ("swarm", False)
    assert optimizer.trials[-1].proposal["optimizer"] == "swarm"
