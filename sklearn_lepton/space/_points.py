"""Points of a space: all of a finite one, and the distance between two."""

import itertools
import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from sklearn_lepton.space._dimension import Dimension, FloatArray

Point = Sequence[float]


class PointSpace(Protocol):
    """The parts of a `Space` that the functions of points read."""

    n_dims: int
    dimensions: tuple[Dimension, ...]
    branches: tuple[dict[str, int], ...]
    is_categorical: npt.NDArray[np.bool_]

    def snap(self, points: npt.ArrayLike) -> FloatArray:
        """Return points in canonical form."""

    def is_active(self, points: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Return whether each column belongs to the branch of the point."""

    def draw(self, rng: np.random.Generator, n_points: int | None = None) -> FloatArray:
        """Return random points."""

    def from_point(self, point: Point) -> dict[str, Any]:
        """Return the configuration at a point."""


def distances(space: PointSpace, points: FloatArray, target: FloatArray) -> FloatArray:
    """Return the distance of points to a target, of shape (n_points,); choices are 0 or 1 apart."""
    gaps = np.abs(points - target)
    gaps[:, space.is_categorical] = gaps[:, space.is_categorical] > 0
    return np.asarray(gaps.sum(axis=1))


def n_points(space: PointSpace) -> float:
    """Return the number of points of a space, allowed or not; infinite for a continuous one."""
    counts = [[space.dimensions[c].n_values for c in b.values()] for b in space.branches]
    return float(sum(map(math.prod, counts)))


def all_points(space: PointSpace) -> FloatArray:
    """Return every point of a finite space, allowed or not, of shape (n_points, n_dims)."""
    points = []
    for number, branch in enumerate(space.branches):
        columns = list(branch.values())
        point = np.full(space.n_dims, 0.5)
        if len(space.branches) > 1:
            point[0] = space.dimensions[0].to_unit(number)
        units = [dimension_units(space.dimensions[column]) for column in columns]
        for values in itertools.product(*units):
            point[columns] = values
            points.append(point.copy())
    return space.snap(np.array(points))


def dimension_units(dimension: Any) -> FloatArray:
    """Return the coordinate in [0, 1] of each value of a discrete dimension."""
    n_values = int(dimension.n_values)
    values = getattr(dimension, "values", None)
    if values is None:
        # Equal steps reach each integer and each choice, but not each log-integer.
        grid: FloatArray = dimension.snap((np.arange(n_values) + 0.5) / n_values)
        if len(np.unique(grid)) == n_values:
            return grid
        values = range(dimension.low, dimension.high + 1)
    return np.array([dimension.to_unit(value) for value in values])
