"""Maximisation of log expected improvement, in spaces of every kind."""

from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_lepton._surrogate.acquisition import log_expected_improvement
from sklearn_lepton._surrogate.gaussian_process import GaussianProcess
from sklearn_lepton._surrogate.maximize import maximize
from sklearn_lepton._surrogate.mixture import SurrogateEnsemble
from sklearn_lepton._surrogate.observations import standardize
from sklearn_lepton._surrogate.quasi_newton import ascend

INF = np.inf


class Box:
    """A space without conditions; `n_values` as `maximize` takes them."""

    def __init__(self, n_values, categorical=()):
        self.n_values = np.array(n_values, dtype=float)
        self.categorical = np.isin(np.arange(len(n_values)), categorical)

    def snap(self, points):
        points = np.clip(points, 0.0, 1.0)
        discrete = np.isfinite(self.n_values)
        K = self.n_values[discrete]
        cell = np.minimum(np.floor(points[:, discrete] * K), K - 1)
        points[:, discrete] = (cell + 0.5) / K
        return points

    def process(self, n=12, seed=0):
        rng = np.random.default_rng(seed)
        d = len(self.n_values)
        X = self.snap(rng.random((n, d)))
        y = np.cos(5 * X).sum(axis=1) + rng.normal(size=n) * 0.3
        theta = np.append(np.full(d, -1.0 + 0.3 * np.log(max(d, 1))), [0.0, -6.0])
        return GaussianProcess.of(X, standardize(y)[0], theta, self.categorical)

    def grid(self):
        centres = [(np.arange(K) + 0.5) / K for K in self.n_values]
        return self.snap(np.array(list(product(*centres))))

    def maximize(self, gp, *, seed=0, **kwargs):
        X_best = gp.X[np.argsort(-gp.y)[:5]]
        return maximize(
            SurrogateEnsemble(gp),
            gp.fitted.max(),
            n_values=self.n_values,
            categorical=self.categorical,
            snap=self.snap,
            X_best=X_best,
            rng=np.random.default_rng(seed),
            **kwargs,
        )


def acquisition(gp, points):
    return log_expected_improvement(*gp.predict(points), gp.fitted.max())


def assert_sound(box, gp, points):
    """Assert that points are snapped, distinct and ordered by acquisition."""
    assert points.ndim == 2
    assert_array_equal(points, box.snap(points.copy()))
    assert len(np.unique(points, axis=0)) == len(points)
    assert np.all(np.diff(acquisition(gp, points)) <= 1e-9)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "box",
    [
        Box([6, 5, 4], categorical=[2]),
        Box([12, 12, 12]),
        Box([9, 30, 5, 3], categorical=[1, 3]),
        Box([40, 50], categorical=[0, 1]),
        Box([7]),
        Box([1, 8, 1], categorical=[0]),
    ],
)
def test_maximize_finds_optimum_of_discrete_space(box, seed):
    gp = box.process(seed=seed)
    points = box.maximize(gp, seed=seed)
    assert_sound(box, gp, points)
    assert_allclose(acquisition(gp, points[:1])[0], acquisition(gp, box.grid()).max(), atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_maximize_excludes_taken_points(seed):
    box = Box([4, 5, 3], categorical=[2])
    gp = box.process(n=30, seed=seed)
    taken = {tuple(x) for x in gp.X}
    points = box.maximize(gp, taken=gp.X)
    rest = np.array([x for x in box.grid() if tuple(x) not in taken])
    order = np.argsort(-acquisition(gp, rest))[:5]
    assert_allclose(acquisition(gp, points), acquisition(gp, rest[order]), atol=1e-9)
    assert not any(tuple(x) in taken for x in points)


def test_maximize_returns_nothing_for_exhausted_space():
    box = Box([2, 3])
    gp = box.process()
    assert box.maximize(gp, taken=box.grid()).shape == (0, 2)
    assert box.maximize(gp, taken=box.grid()[1:]).shape == (1, 2)


@pytest.mark.parametrize("seed", range(3))
def test_maximize_one_continuous_column(seed):
    box = Box([INF])
    gp = box.process(n=6, seed=seed)
    points = box.maximize(gp)
    assert_sound(box, gp, points)
    fine = np.linspace(0.0, 1.0, 20001)[:, None]
    assert acquisition(gp, points[:1])[0] > acquisition(gp, fine).max() - 1e-4


@pytest.mark.parametrize(
    "box", [Box([INF] * 3), Box([INF] * 8), Box([INF, 5, 4, INF, 30], categorical=[2])]
)
def test_maximize_beats_many_random_points(box):
    gp = box.process(n=20)
    points = box.maximize(gp)
    assert points.shape == (5, len(box.n_values))
    assert_sound(box, gp, points)
    many = box.snap(np.random.default_rng(1).random((20000, len(box.n_values))))
    assert acquisition(gp, points[:1])[0] > acquisition(gp, many).max()


def test_zero_values_means_continuous_column():
    box, other = Box([INF, 4]), Box([INF, 4])
    other.n_values = np.array([0.0, 4.0])
    other.snap = box.snap
    gp = box.process()
    assert_array_equal(box.maximize(gp), other.maximize(gp))


def test_maximize_is_deterministic_and_keeps_its_arguments():
    box = Box([INF, 5, 4, INF, 30], categorical=[2])
    gp = box.process()
    before = gp.X.copy()
    assert_array_equal(box.maximize(gp), box.maximize(gp))
    assert_array_equal(gp.X, before)


@pytest.mark.parametrize("n_values", [[], [1], [1, 1], [INF] * 60, [INF, 3] * 30])
def test_maximize_in_spaces_of_unusual_shape(n_values):
    box = Box(n_values, categorical=range(1, len(n_values), 6))
    gp = box.process(n=4)
    points = box.maximize(gp)
    assert_sound(box, gp, points)
    assert len(points) == (5 if np.prod(box.n_values) > 1 else 1)
    assert_sound(box, gp, box.maximize(gp, n_candidates=100, n_starts=1))


def test_maximize_without_best_points():
    box = Box([INF, 4])
    gp = box.process()
    points = maximize(
        SurrogateEnsemble(gp),
        0.0,
        n_values=box.n_values,
        categorical=box.categorical,
        snap=box.snap,
        X_best=np.empty((0, 2)),
        rng=np.random.default_rng(0),
    )
    assert points.shape == (5, 2)


def test_maximize_with_cells_of_unequal_width():
    # An integer from 1 to 40 on a logarithmic scale.
    edges = np.log(np.arange(1, 42) - 0.5)
    edges = (edges - edges[0]) / (edges[-1] - edges[0])
    centres = (edges[1:] + edges[:-1]) / 2
    box = Box([40, 40])
    box.snap = lambda points: centres[np.clip(np.searchsorted(edges, points) - 1, 0, 39)]
    gp = box.process()
    every = np.array(list(product(centres, centres)))
    points = box.maximize(gp)
    assert_sound(box, gp, points)
    assert_allclose(acquisition(gp, points[:1])[0], acquisition(gp, every).max(), atol=1e-9)


class Branches(Box):
    """Return snapped points: column 0 activates columns 1 (continuous) and 2, or column 3."""

    def snap(self, points):
        points = super().snap(points)
        first = points[:, 0] < 0.5
        points[first, 3] = 0.5
        points[~first, 1:3] = 0.5
        return points


@pytest.mark.parametrize("seed", range(3))
def test_maximize_keeps_inactive_columns_at_one_half(seed):
    box = Branches([2, INF, 6, INF], categorical=[0])
    gp = box.process(n=15, seed=seed)
    points = box.maximize(gp)
    assert_sound(box, gp, points)
    fine = np.linspace(0.0, 1.0, 301)
    every = [(0.25, x, (k + 0.5) / 6, 0.5) for x in fine for k in range(6)]
    every += [(0.75, 0.5, 0.5, x) for x in fine]
    assert acquisition(gp, points[:1])[0] > acquisition(gp, np.array(every)).max() - 1e-3


def test_maximize_flat_acquisition():
    box = Box([INF, 5, 4], categorical=[2])
    X = box.snap(np.random.default_rng(0).random((5, 3)))
    gp = GaussianProcess.of(X, np.zeros(5), np.array([-1.0, -1, -1, 0, -4]), box.categorical)
    with np.errstate(all="raise"):
        points = box.maximize(gp)
    assert_sound(box, gp, points)


def test_ascend_reaches_bounded_optimum_from_every_start():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(6, 6))
    A = A @ A.T + 0.1 * np.eye(6)
    centre = np.array([1.4, 0.2, -0.3, 0.5, 0.9, 0.1])

    def function(x, _):
        away = x - centre
        return -0.5 * np.einsum("ij,jk,ik->i", away, A, away), -away @ A

    starts = rng.random((7, 6))
    ends = ascend(function, starts.copy(), np.full(6, 0.3), 60)
    values, gradients = function(ends, None)
    assert_allclose(values, values.max(), atol=1e-3)
    held = ((ends == 0) & (gradients < 0)) | ((ends == 1) & (gradients > 0))
    assert np.max(np.abs(gradients[~held])) < 0.05
    assert held.any()
