"""Constraints: no optimizer proposes what is not allowed, and each finds the best of the rest."""

import copy
import pickle
import time
from functools import partial

import numpy as np
import pytest
from subjects import OPTIMIZERS

from sklearn_lepton import Space
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.optimizers import (
    AutoOptimizer,
    BayesOptimizer,
    GeneticOptimizer,
    GridOptimizer,
    Optimizer,
    RandomOptimizer,
    SwarmOptimizer,
)

KINDS = {
    **{kind.__name__: kind for kind in OPTIMIZERS},
    "swarm alone": partial(SwarmOptimizer, surrogate=False),
    "genetic alone": partial(GeneticOptimizer, surrogate=False),
}
# The automatic one is one of these.
LEARNING = sorted(KINDS.keys() - {"RandomOptimizer", "GridOptimizer", "AutoOptimizer"})


def in_simplex(params):
    return params["x"] + params["y"] <= 1.0


def in_corner(params):
    return params["x"] > 0.9 and params["y"] < 0.1


def leaf_below_split(params):
    return params["leaf"] < params["split"] and (params["kind"] != "a" or params["split"] < 10)


def ascends(params):
    return params["a"] < params["b"]


def in_one_branch(params):
    return params.get("C", 0.0) <= 1.0 and params.get("depth", 1) % 2 == 1


SQUARE = {"x": (0.0, 1.0, "uniform"), "y": (0.0, 1.0, "uniform")}
SPACES = {
    "simplex": Space(SQUARE, constraint=in_simplex),
    "corner": Space(SQUARE, constraint=in_corner),
    "mixed": Space(
        {
            "leaf": (1, 20, "int"),
            "split": (2, 40, "int"),
            "kind": ["a", "b", "c"],
            "x": (0.0, 1.0, "uniform"),
        },
        constraint=leaf_below_split,
    ),
    "finite": Space({"a": range(10), "b": range(10)}, constraint=ascends),
    "branches": Space(
        [
            {"kind": ["svm"], "C": (1e-3, 1e3, "log-uniform")},
            {"kind": ["tree"], "depth": (1, 30, "int"), "share": (0.1, 1.0, "uniform")},
        ],
        constraint=in_one_branch,
    ),
}


def score(params):
    """Return a score whose best allowed setting lies at the edge of what is allowed."""
    wanted = {"x": 0.8, "y": 0.6, "leaf": 12, "split": 9, "a": 5, "b": 5, "C": 9.0, "depth": 6}
    return -sum(
        (value - wanted[name]) ** 2 / (100 if wanted[name] > 1 else 1)
        for name, value in params.items()
        if name in wanted
    )


def run(optimizer, n_trials, batch=1):
    while len(optimizer.trials) < n_trials:
        asked = optimizer.ask(batch)
        if not asked:
            break
        optimizer.tell([trial.complete(score(trial.params)) for trial in asked])
    return optimizer.trials


def are_allowed(space, trials):
    return all(space.allows(trial.params) for trial in trials)


# ------------------------------------------------------------- never proposed


@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("kind", KINDS)
def test_only_allowed_configurations_are_proposed(kind, space, batch):
    optimizer = KINDS[kind](SPACES[space], seed=1)
    optimizer.configure(budget=20)
    trials = run(optimizer, 20, batch)
    assert len({trial.point for trial in trials}) == len(trials)
    assert len(trials) >= 10
    assert are_allowed(optimizer.space, trials)


@pytest.mark.thorough
@pytest.mark.timeout(600)  # half a minute on an idle machine
@pytest.mark.parametrize("batch", [1, 8])
@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("kind", KINDS)
def test_only_allowed_configurations_in_200_trials(kind, space, batch):
    optimizer = KINDS[kind](SPACES[space], seed=2)
    optimizer.configure(budget=200)
    assert are_allowed(optimizer.space, run(optimizer, 200, batch))


@pytest.mark.parametrize("kind", KINDS)
def test_promotions_and_low_fidelities_are_allowed(kind):
    optimizer = KINDS[kind](SPACES["simplex"], seed=0, resources=(1 / 9, 1 / 3, 1.0))
    trials = run(optimizer, 20, 4)
    assert {trial.fidelity for trial in trials} > {None}
    assert are_allowed(optimizer.space, trials)


class _Stubborn(Optimizer):
    """An optimizer of a user that knows nothing of constraints."""

    def _propose(self, rng):
        return np.array([0.9, 0.9]), {}


def test_proposals_of_other_optimizers_are_moved_to_the_edge():
    optimizer = _Stubborn(SPACES["simplex"], n_initial_points=3)
    trials = run(optimizer, 20)
    assert are_allowed(optimizer.space, trials)
    assert max(trial.params["x"] + trial.params["y"] for trial in trials) > 0.99


# -------------------------------------------------------------- the optimum


@pytest.mark.parametrize("kind", LEARNING)
def test_best_point_of_a_simplex_is_found(kind):
    optimizer = KINDS[kind](SPACES["simplex"], seed=3)
    run(optimizer, 40)  # the best is at (0.6, 0.4)
    assert optimizer.best.score > -0.08 - 0.004


@pytest.mark.parametrize("kind", LEARNING)
def test_best_leaf_below_split_is_found(kind):
    optimizer = KINDS[kind](SPACES["mixed"], seed=0)
    run(optimizer, 50)
    best = max(
        score({"leaf": leaf, "split": split})
        for split in range(2, 41)
        for leaf in range(1, min(split, 21))
    )
    assert optimizer.best.score > best - 0.06
    assert optimizer.best.params["kind"] != "a"


@pytest.mark.parametrize("kind", LEARNING)
def test_best_point_of_a_hundredth_of_the_space_is_found(kind):
    optimizer = KINDS[kind](SPACES["corner"], seed=0)
    run(optimizer, 25)
    assert optimizer.best.score > score({"x": 0.9, "y": 0.1}) - 0.012


# -------------------------------------------------------------- finite spaces


@pytest.mark.parametrize("kind", KINDS)
def test_each_allowed_configuration_is_tried_once(kind):
    optimizer = KINDS[kind](SPACES["finite"], seed=0)
    assert optimizer.capacity == 45
    trials = run(optimizer, 60, 9)
    assert len({trial.point for trial in trials}) == len(trials) == 45
    assert optimizer.is_exhausted
    assert are_allowed(optimizer.space, trials)


def test_space_too_large_to_be_listed_ends_when_nothing_is_left():
    large = Space(
        {"a": range(300), "b": range(300)},
        constraint=lambda p: p["a"] % 100 == p["b"] // 100 == 1 and p["b"] % 25 == 0,
    )
    optimizer = RandomOptimizer(large, seed=0)
    assert optimizer.space.size == 90_000
    assert not optimizer.space.allowed.is_listed
    trials = run(optimizer, 50, 6)
    assert 6 <= len({trial.point for trial in trials}) == len(trials) <= 12
    assert optimizer.is_exhausted
    assert are_allowed(large, trials)


def test_told_configurations_that_are_not_allowed_do_not_exhaust_a_space():
    optimizer = RandomOptimizer(Space({"a": [0, 1], "b": [0, 1]}, constraint=ascends), seed=0)
    space = optimizer.space
    others = [{"a": a, "b": b} for a, b in ((0, 0), (1, 0), (1, 1))]
    told = [Trial(k, space.to_point(params), params) for k, params in enumerate(others)]
    optimizer.tell([trial.complete(0.0) for trial in told])
    assert not optimizer.is_exhausted
    assert [trial.params for trial in optimizer.ask(3)] == [{"a": 0, "b": 1}]
    assert optimizer.is_exhausted


def test_grid_counts_allowed_points():
    grid = GridOptimizer(SPACES["simplex"], n_levels=11)
    assert grid.grid_size == grid.capacity == 66
    assert len(run(grid, 200)) == 66


def test_grid_without_an_allowed_point_raises():
    space = Space(SQUARE, constraint=lambda params: 0.3 < params["x"] + params["y"] < 0.4)
    grid = GridOptimizer(space, n_levels=2)
    for use in (grid.ask, lambda: grid.capacity):
        with pytest.raises(ValueError, match=r"none of the 4 points of the grid, n_levels=2"):
            use()


def test_automatic_grid_has_as_many_allowed_points_as_the_budget():
    grid = GridOptimizer(SPACES["simplex"])
    grid.configure(budget=100)
    assert 85 <= grid.grid_size <= 115


def test_auto_tries_all_of_few_allowed_configurations():
    optimizer = AutoOptimizer(SPACES["finite"], seed=0)
    optimizer.configure(budget=45)
    assert optimizer.choice.optimizer == "grid"
    assert "all 45 configurations" in optimizer.choice.reason


# ------------------------------------------------------- other ways into a study


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_allowed_raises_at_once(kind):
    with pytest.raises(ValueError, match="constraint allows none of"):
        KINDS[kind](Space(SQUARE, constraint=lambda params: False))


def test_enqueued_configurations_must_be_allowed():
    optimizer = BayesOptimizer(SPACES["simplex"])
    with pytest.raises(ValueError, match=r"does not allow \{'x': 0\.75, 'y': 0\.75\}"):
        optimizer.enqueue([{"x": 0.75, "y": 0.75}])
    optimizer.enqueue([{"x": 0.7}, {"x": 0.25, "y": 0.75}])
    first, second = optimizer.ask(2)
    assert first.params["x"] == 0.7
    assert second.params == {"x": 0.25, "y": 0.75}
    assert are_allowed(optimizer.space, [first, second])


@pytest.mark.parametrize("kind", ["BayesOptimizer", "RandomOptimizer"])
def test_best_of_previous_studies_runs_first_only_if_allowed(kind):
    old = RandomOptimizer(SQUARE, seed=0)
    old.tell([t.complete(t.params["x"] + t.params["y"]) for t in old.ask(30)])
    optimizer = KINDS[kind](SPACES["simplex"], seed=0, previous_studies=[old.trials])
    first = optimizer.ask(1)[0]
    assert are_allowed(optimizer.space, [first])
    best_allowed = max(
        (t for t in old.trials if in_simplex(t.params)), key=lambda trial: trial.score
    )
    assert first.params == best_allowed.params


def test_error_in_the_constraint_names_the_params():
    def fragile(params):
        if params["x"] > 0.6:
            raise RuntimeError("out of order")
        return True

    with pytest.raises(ValueError, match=r"raised RuntimeError: out of order for \{'x': 0\."):
        RandomOptimizer(Space(SQUARE, constraint=fragile))


@pytest.mark.parametrize("kind", KINDS)
def test_told_the_same_trials_the_same_is_proposed(kind):
    optimizer = KINDS[kind](SPACES["mixed"], seed=4)
    run(optimizer, 14)
    again = KINDS[kind](SPACES["mixed"], seed=4)
    again.tell(reversed(optimizer.trials))
    copied = copy.deepcopy(optimizer)
    sent = pickle.loads(pickle.dumps(optimizer))
    expected = [trial.point for trial in optimizer.ask(3)]
    for other in (again, copied, sent):
        assert [trial.point for trial in other.ask(3)] == expected


# ------------------------------------------------------------------ calls


@pytest.mark.parametrize("kind", ["BayesOptimizer", "SwarmOptimizer", "genetic alone"])
def test_constraint_is_checked_rarely(kind):
    calls = []
    space = Space(SQUARE, constraint=lambda p: calls.append(1) or in_simplex(p))
    optimizer = KINDS[kind](space, seed=0)
    run(optimizer, 15)
    n_before = len(calls)
    run(optimizer, 25)
    assert len(calls) - n_before < 10 * 900


def test_constraint_costs_little_time():
    def seconds(space):
        optimizer = SwarmOptimizer(space, seed=0)
        run(optimizer, 20)
        start = time.perf_counter()
        run(optimizer, 30)
        return time.perf_counter() - start

    assert seconds(SPACES["simplex"]) < 3 * seconds(Space(SQUARE)) + 0.5
