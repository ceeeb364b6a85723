"""The points of a space that its constraint allows.

A constraint is a function of the user that may take long. So points are checked one at a time,
only where the answer matters, and each answer is kept.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from sklearn_lepton.space._constraint import Constraint
from sklearn_lepton.space._dimension import FloatArray
from sklearn_lepton.space._points import Point, PointSpace, all_points, distances, n_points

MAX_LISTED = 1 << 16  # settings of a finite space that are checked one by one
_MAX_DRAWS = 10_000  # configurations drawn at random until enough of them are allowed
_CHUNK = 64
_N_SAMPLED = 64
_N_ANCHORS = 8
_MAX_KNOWN = 1 << 16  # answers that are kept
_N_BISECTIONS = 12  # to the 4096th part of a way


class AllowedPoints:
    """The points of a space that a constraint allows, with the answers known so far.

    Parameters
    ----------
    space : Space
        Its points are in canonical form.
    constraint : Constraint
    """

    def __init__(self, space: PointSpace, constraint: Constraint) -> None:
        self._space = space
        self._constraint = constraint
        self._known: dict[tuple[float, ...], bool] = {}
        self._sample: _Sample | None = None
        self._listed: FloatArray | None = None

    def __contains__(self, point: Point) -> bool:
        """Return whether the configuration at a point is allowed."""
        key = tuple(point)
        known = self._known.get(key)
        if known is None:
            known = self._constraint.allows(self._space.from_point(key))
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known[key] = known
        return known

    @property
    def is_listed(self) -> bool:
        """Whether the space is finite and small enough to list its points."""
        return n_points(self._space) <= MAX_LISTED

    @property
    def points(self) -> FloatArray:
        """All allowed points of a listed space, of shape (n_points, n_dims)."""
        if self._listed is None:
            points = all_points(self._space)
            self._listed = points[[point in self for point in points.tolist()]]
        return self._listed

    @property
    def sample(self) -> FloatArray:
        """Up to 64 allowed points, at least one; ValueError if there is nearly none."""
        return self._sampled().points

    @property
    def share(self) -> float:
        """Share of the settings that are allowed; an estimate unless they are listed."""
        return self._sampled().share

    def _sampled(self) -> "_Sample":
        if self._sample is None:
            size = n_points(self._space)
            if self.is_listed:
                kept = np.linspace(0, len(self.points) - 1, min(_N_SAMPLED, len(self.points)))
                sample = _Sample(self.points[kept.astype(int)], len(self.points) / size)
                tried = f"none of all {int(size):,} configurations of the space"
            else:
                free = np.full(self._space.n_dims, np.nan)
                sample = self._draw(np.random.default_rng(0), free, _N_SAMPLED, self.__contains__)
                tried = f"none of {_MAX_DRAWS:,} configurations drawn at random"
            if not len(sample.points):
                raise ValueError(
                    f"constraint allows {tried}: check that {self._constraint!r} returns True for "
                    "those that are allowed, or narrow the space to where it does."
                )
            self._sample = sample
        return self._sample

    def _draw(
        self,
        rng: np.random.Generator,
        fixed: FloatArray,
        n_wanted: int,
        is_allowed: Callable[[Point], bool],
    ) -> "_Sample":
        """Draw allowed points at random.

        Parameters
        ----------
        rng : numpy.random.Generator
        fixed : ndarray of shape (n_dims,)
            Values of the fixed columns, NaN in the others.
        n_wanted : int
        is_allowed : callable
            Check of a point.
        """
        found, n_drawn, n_dims = list[list[float]](), 0, self._space.n_dims
        while len(found) < n_wanted and n_drawn < _MAX_DRAWS:
            drawn = np.where(np.isnan(fixed), self._space.draw(rng, _CHUNK), fixed)
            for point in self._space.snap(drawn).tolist():
                n_drawn += 1
                if is_allowed(point):
                    found.append(point)
                    if len(found) == n_wanted:
                        break
        return _Sample(np.array(found).reshape(len(found), n_dims), len(found) / n_drawn)

    def draw(self, rng: np.random.Generator) -> FloatArray:
        """Draw one allowed point, of shape (n_dims,)."""
        free = np.full(self._space.n_dims, np.nan)
        found = self._draw(rng, free, 1, self.__contains__).points
        point: FloatArray = found[0] if len(found) else rng.choice(self.sample)
        return point

    def near(self, point: Point, anchors: FloatArray) -> tuple[float, ...]:
        """Return an allowed point near a point that is not allowed.

        Parameters
        ----------
        point : sequence of float
        anchors : ndarray of shape (n_anchors, n_dims)
            Allowed points, at least one. Each is moved towards the point as far as possible.
        """
        return _near(self._space, point, anchors, self.__contains__)

    def complete(
        self, point: Point, given: Mapping[int, Any], branch: Mapping[str, int]
    ) -> dict[str, Any] | None:
        """Return an allowed configuration near a point, with some values given.

        Parameters
        ----------
        point : sequence of float
        given : mapping of int to object
            Values that must stay, by column.
        branch : mapping of str to int
            Columns of the point's branch by name.

        Returns
        -------
        params : dict or None
            None if no allowed configuration with these values is found.
        """
        # Given values are used as they are: a point may have lost their last bits.
        own = {name: given[column] for name, column in branch.items() if column in given}
        kept = [*given, *([0] if len(self._space.branches) > 1 else [])]
        fixed = np.full(self._space.n_dims, np.nan)
        fixed[kept] = np.array(point)[kept]

        def is_allowed(at: Point) -> bool:
            return self._constraint.allows(self._space.from_point(at) | own)

        if len(own) == len(branch):
            return None
        anchors = self._draw(np.random.default_rng(0), fixed, _N_ANCHORS, is_allowed).points
        if len(anchors):
            found = _near(self._space, point, anchors, is_allowed)
            return self._space.from_point(found) | own
        # Nothing is allowed in this branch: another one, unless values are given.
        return None if given else self._space.from_point(self.sample[0])


class _Sample(NamedTuple):
    """Allowed points, of shape (n_points, n_dims), and their share of all points drawn."""

    points: FloatArray
    share: float


def _near(
    space: PointSpace, point: Point, anchors: FloatArray, is_allowed: Callable[[Point], bool]
) -> tuple[float, ...]:
    """Return the point nearest to a given one to which an anchor can be moved."""
    target = np.array(point, dtype=float)
    moved = np.array([_approach(space, anchor, target, is_allowed) for anchor in anchors])
    return tuple(moved[int(np.argmin(distances(space, moved, target)))].tolist())


def _approach(
    space: PointSpace, anchor: FloatArray, target: FloatArray, is_allowed: Callable[[Point], bool]
) -> FloatArray:
    """Return an allowed point, moved towards a target as far as allowed.

    It gets the target's value in each column where that is allowed, one after the other. The
    other ordered columns move together along the line.
    """
    point = anchor.copy()
    is_active = np.all(space.is_active(np.vstack([anchor, target])), axis=0)
    if len(space.branches) > 1:
        is_active &= np.arange(space.n_dims) > 0  # another branch has other columns
    for column in np.flatnonzero(is_active & (anchor != target)):
        moved = point.copy()
        moved[column] = target[column]
        if is_allowed(moved.tolist()):
            point = moved
    rest = is_active & (point != target) & ~space.is_categorical
    if not rest.any():
        return point
    low, high, start = 0.0, 1.0, point
    for _ in range(_N_BISECTIONS):
        middle = (low + high) / 2
        moved = space.snap([np.where(rest, start + middle * (target - start), start)])[0]
        if is_allowed(moved.tolist()):
            low, point = middle, moved
        else:
            high = middle
    return point
