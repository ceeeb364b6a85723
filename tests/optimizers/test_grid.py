"""`GridOptimizer`: levels, size and order of the grid; `make_optimizer`."""

import itertools
import math
import pickle

import numpy as np
import pytest
import scipy.stats
from numpy.testing import assert_allclose
from sklearn.model_selection import ParameterGrid
from subjects import OPTIMIZERS

from sklearn_lepton.optimizers import GridOptimizer, make_optimizer
from sklearn_lepton.optimizers._registry import OPTIMIZERS as BY_NAME

PLANE = {"x": (0.0, 1.0, "uniform"), "y": (-2.0, 2.0, "uniform")}


def levels(space, **options):
    """Return the values of the parameter x on the whole grid."""
    return sorted({trial.params["x"] for trial in GridOptimizer(space, **options).ask(5000)})


def walk(optimizer):
    return [trial.params for trial in optimizer.ask(100_000)]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ((0.0, 2.0, "uniform"), [0.0, 0.5, 1.0, 1.5, 2.0]),
        ((0.01, 100.0, "log-uniform"), [0.01, 0.1, 1.0, 10.0, 100.0]),
        ((1, 3, "int"), [1, 2, 3]),
        ((1, 9, "int"), [1, 3, 5, 7, 9]),
        ((1, 3, "log-int"), [1, 2, 3]),
        ((0, 10**12, "int"), [0, 10**12 // 4, 10**12 // 2, 3 * 10**12 // 4, 10**12]),
        (list(range(9)), list(range(9))),
        ((2.0, 2.0, "uniform"), [2.0]),
        (scipy.stats.norm(1, 2), scipy.stats.norm(1, 2).ppf([0.1, 0.3, 0.5, 0.7, 0.9])),
        (scipy.stats.loguniform(0.01, 100), [0.01, 0.1, 1.0, 10.0, 100.0]),
    ],
)
def test_grid_of_five_levels(entry, expected):
    assert_allclose(levels({"x": entry}, n_levels=5), expected, rtol=1e-4)


def test_grid_counts_equal_log_integers_once():
    found = levels({"x": (1, 100, "log-int")}, n_levels=10)
    assert found[0] == 1
    assert found[-1] == 100
    assert len(found) == len(set(found)) < 10


def test_grid_of_one_level_is_the_middle():
    assert walk(GridOptimizer(PLANE, n_levels=1)) == [{"x": 0.5, "y": 0.0}]


def test_grid_of_choices_is_that_of_parameter_grid():
    space = [{"a": [3, 1, 2], "b": ["x", None]}, {"c": [True, False]}, {}]
    expected = list(ParameterGrid(space))
    found = walk(GridOptimizer(space, n_levels=2))
    assert len(found) == len(expected) == 9
    assert all(params in found for params in expected)


@pytest.mark.parametrize(
    ("space", "budget", "size"),
    [
        (PLANE, 50, 49),
        (PLANE, 30, 30),
        (PLANE, 1, 1),
        (PLANE | {"k": ["a", "b", "c"]}, 50, 48),
        (PLANE | {"z": (0.0, 1.0, "uniform")}, 50, 48),
        ({"n": (1, 4, "int"), "x": (0.0, 1.0, "uniform")}, 100, 100),
        ([{"k": [1], "x": (0.0, 1.0, "uniform")}, {"k": [2, 3]}], 10, 10),
        ({"k": list(range(60)), "x": (0.0, 1.0, "uniform")}, 50, 60),
    ],
)
def test_automatic_grid_fits_the_budget(space, budget, size):
    optimizer = GridOptimizer(space)
    optimizer.configure(budget=budget)
    assert optimizer.grid_size == size == len(walk(optimizer))
    assert optimizer.is_exhausted


def test_automatic_grid_without_budget_has_a_thousand_points():
    assert 900 < GridOptimizer(PLANE).grid_size <= 1000
    assert GridOptimizer({"n": (1, 800, "int")}).grid_size == 800


def test_grid_capacity():
    assert GridOptimizer(PLANE).capacity == math.inf
    assert GridOptimizer(PLANE, n_levels=3).capacity == 9
    assert GridOptimizer(PLANE, n_levels=3, resources=(0.5, 1.0)).capacity == 18
    assert GridOptimizer({"k": [1, 2]}).capacity == 2


def test_grid_of_very_many_dimensions():
    optimizer = GridOptimizer({f"x{k}": (0.0, 1.0, "uniform") for k in range(400)}, n_levels=10)
    assert optimizer.grid_size == 10**400
    assert len({trial.point for trial in optimizer.ask(20)}) == 20


@pytest.mark.parametrize("shape", [(20, 20), (7, 7), (5, 5, 5)])
def test_grid_spreads_its_early_points(shape):
    space = {f"x{k}": np.linspace(0, 1, n).tolist() for k, n in enumerate(shape)}
    n_early = math.prod(shape) // 5
    early = np.array([list(p.values()) for p in walk(GridOptimizer(space))[:n_early]])
    listed = np.array(list(itertools.product(*space.values())))[:n_early]
    targets = np.random.default_rng(0).random((200, len(shape)))

    def gap(points):
        return np.mean(np.linalg.norm(points - targets[:, np.newaxis], axis=2).min(axis=1))

    assert gap(early) < 0.6 * gap(listed)


def test_grid_skips_points_told_as_values():
    space = {"x": (0.0, 0.3, "uniform"), "C": (0.01, 100.0, "log-uniform")}
    optimizer = GridOptimizer(space, n_levels=5)
    given = [{"x": x, "C": c} for x in (0.075, 0.225, 0.3) for c in (0.1, 1.0, 10.0)]
    optimizer.enqueue(given)
    assert len(optimizer.ask(1000)) == 25


def test_grid_ignores_points_off_the_grid():
    optimizer = GridOptimizer(PLANE, n_levels=2)
    optimizer.enqueue([{"x": 0.3, "y": 0.3}])
    assert len(optimizer.ask(100)) == 5


def test_grid_of_another_budget_repeats_no_point():
    optimizer = GridOptimizer({"x": (0.0, 1.0, "uniform")})
    optimizer.configure(budget=3)
    optimizer.ask(10)
    assert optimizer.is_exhausted
    optimizer.configure(budget=5)
    assert not optimizer.is_exhausted
    twin = pickle.loads(pickle.dumps(optimizer))
    assert sorted(trial.params["x"] for trial in optimizer.ask(10)) == [0.25, 0.75]
    assert len(twin.ask(10)) == 2


@pytest.mark.parametrize("n_levels", [0, -1, 2.5, None, True, "few"])
def test_grid_rejects_bad_levels(n_levels):
    with pytest.raises(ValueError, match="n_levels must be 'auto' or an integer of at least 1"):
        GridOptimizer(PLANE, n_levels=n_levels)


# ------------------------------------------------------------------- by name


def test_registry_has_each_optimizer():
    assert set(BY_NAME.values()) == set(OPTIMIZERS)


@pytest.mark.parametrize("name", BY_NAME)
def test_make_optimizer_by_name(name):
    optimizer = make_optimizer(name, PLANE, seed=3, previous_studies=[], resources=(0.5, 1.0))
    assert type(optimizer) is BY_NAME[name]
    assert (optimizer.seed, optimizer.resources) == (3, (0.5, 1.0))


def test_make_optimizer_passes_parameters_on():
    assert make_optimizer("grid", PLANE, n_levels=2).grid_size == 4


@pytest.mark.parametrize("name", ["bays", "", None, 3])
def test_make_optimizer_rejects_unknown_names(name):
    with pytest.raises(ValueError, match=r"optimizer.*Allowed are .*'bayes'.*'grid'"):
        make_optimizer(name, PLANE)
