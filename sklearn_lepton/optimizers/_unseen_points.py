"""Points of a space that were not asked for yet and are allowed, near a given one."""

import itertools
from collections.abc import Collection

import numpy as np

from sklearn_lepton.space._allowed_points import AllowedPoints
from sklearn_lepton.space._dimension import FloatArray
from sklearn_lepton.space._points import all_points, distances
from sklearn_lepton.space._space import Space

_N_NEIGHBORS = 64
_MAX_LISTED = 1024
_MAX_ROUNDS = 200  # of draws with a constraint, after which the space counts as exhausted
_N_ANCHORS = 3

SeenPoints = Collection[tuple[float, ...]]


def nearest_unseen_point(
    space: Space, point: FloatArray, seen: SeenPoints, rng: np.random.Generator
) -> tuple[float, ...] | None:
    """Return a point of the space that is not in `seen`, near the given one where possible.

    A space with few points is listed; in a larger one neighbours are drawn.

    Returns
    -------
    point : tuple of float or None
        In canonical form. None if there is none, or none that the constraint allows is found.
    """
    if space.allowed is not None:
        return _nearest_allowed(space, space.allowed, point, seen, rng)
    if space.size <= max(_MAX_LISTED, 2 * len(seen)):
        return _first(_by_distance(space, all_points(space), point), space, seen)
    while (found := _first(_neighbors(space, point, rng), space, seen)) is None:
        point = rng.random(space.n_dims)
    return found


def _nearest_allowed(
    space: Space,
    allowed: AllowedPoints,
    point: FloatArray,
    seen: SeenPoints,
    rng: np.random.Generator,
) -> tuple[float, ...] | None:
    """Return a point as `nearest_unseen_point` does in a space with a constraint."""
    if point.tolist() not in allowed:
        # Moving towards it from the nearest points known ends at the edge of what is allowed.
        known = np.array([*seen, *allowed.sample.tolist()])
        gaps = distances(space, known, point)
        if len(space.branches) > 1:
            gaps += space.n_dims * (known[:, 0] != point[0])
        ranked = known[np.argsort(gaps, kind="stable")].tolist()
        anchors = list(itertools.islice(filter(space.allows_point, ranked), _N_ANCHORS))
        moved = allowed.near(point.tolist(), np.array(anchors))
        if moved not in seen:
            return moved
    if allowed.is_listed:
        return _first(_by_distance(space, allowed.points, point), space, seen)
    for round_ in range(_MAX_ROUNDS):
        found = _first(_neighbors(space, point, rng), space, seen)
        if found is not None:
            return found
        # In turn anywhere, and around a point that is allowed.
        point = rng.choice(allowed.sample) if round_ % 2 else space.draw(rng)
    return None


def _neighbors(space: Space, point: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return points with one to all columns drawn anew, the nearest first."""
    varying = np.flatnonzero(space.n_values > 1)
    others = np.tile(point, (_N_NEIGHBORS, 1))
    for row, other in enumerate(others):
        # From one column to all of them: the more columns move, the likelier it is new.
        n_moved = min(1 + row * len(varying) // _N_NEIGHBORS, len(varying))
        moved = rng.choice(varying, size=n_moved, replace=False)
        other[moved] = rng.random(n_moved)
    return _by_distance(space, space.snap(others), point)


def _by_distance(space: Space, points: FloatArray, point: FloatArray) -> FloatArray:
    """Return points, the nearest to a given one first."""
    return points[np.argsort(distances(space, points, point), kind="stable")]


def _first(points: FloatArray, space: Space, seen: SeenPoints) -> tuple[float, ...] | None:
    """Return the first point that is allowed and not in `seen`, or None."""
    unseen = (point for point in map(tuple, points.tolist()) if point not in seen)
    return next(filter(space.allows_point, unseen), None)
