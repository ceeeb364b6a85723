"""Points of a space that were not asked for yet: all of a finite space, or neighbours."""

import itertools
from collections.abc import Container, Sized
from typing import Any, Protocol

import numpy as np

from sklearn_lepton.space._dimension import FloatArray
from sklearn_lepton.space._space import Space

_N_NEIGHBORS = 64
_MAX_LISTED = 1024


class _Points(Container[tuple[float, ...]], Sized, Protocol):
    """Points to avoid, such as the keys of a dictionary."""


def nearest_unseen_point(
    space: Space, point: FloatArray, seen: _Points, rng: np.random.Generator
) -> tuple[float, ...]:
    """Return a point of the space that is not in `seen`, near the given one where possible.

    The space must have one. A space with few points is listed; in a larger one neighbours are
    drawn.
    """
    if space.size <= max(_MAX_LISTED, 2 * len(seen)):
        others = all_points(space)
    else:
        varying = np.flatnonzero(space.n_values > 1)
        others = np.tile(point, (_N_NEIGHBORS, 1))
        for row, other in enumerate(others):
            # From one column to all of them: the more columns move, the likelier it is new.
            n_moved = min(1 + row * len(varying) // _N_NEIGHBORS, len(varying))
            moved = rng.choice(varying, size=n_moved, replace=False)
            other[moved] = rng.random(n_moved)
        others = space.snap(others)
    unseen = [other for other in map(tuple, others.tolist()) if other not in seen]
    if not unseen:
        return nearest_unseen_point(space, rng.random(space.n_dims), seen, rng)
    gaps = np.abs(np.array(unseen) - point)
    # Two choices have no distance: they are equal or they are not.
    gaps[:, space.is_categorical] = gaps[:, space.is_categorical] > 0
    return unseen[int(np.argmin(gaps.sum(axis=1)))]


def all_points(space: Space) -> FloatArray:
    """Return every point of a finite space, of shape (size, n_dims)."""
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
