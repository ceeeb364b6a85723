"""Grid search: every point of a grid, once, in an order that spreads over the grid.

The points are numbered as `ParameterGrid` would list them. They are visited with a stride of about
0.618 times their number that is coprime to it. So each is visited once, and the points visited so
far are always spread over the whole grid. If a search is stopped early, they lie two or three
times as near to the best point of the grid as those in listed order. No random numbers are used.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._validation import check_count
from sklearn_lepton.optimizers._base import Optimizer
from sklearn_lepton.space._allowed_points import MAX_LISTED
from sklearn_lepton.space._dimension import Categorical, FloatArray
from sklearn_lepton.space._distribution import Distribution
from sklearn_lepton.space._points import dimension_units

_DEFAULT_BUDGET = 1000  # points of an automatic grid if the number of trials is unknown
_GOLDEN = 618_033_988_749_894_848, 10**18  # (sqrt(5) - 1) / 2 as integers: exact for any size
_N_DIGITS = 12  # of a coordinate that survive the conversion to a value and back


class GridOptimizer(Optimizer):
    """Propose the points of a grid, each once, independently of the scores.

    Categorical dimensions are tried in all their values, ranges at some levels. A range of numbers
    has equal steps from end to end, in the logarithm if it is logarithmic. A distribution has the
    middles of slices of equal probability. In a conditional space each branch has its own grid.
    The order spreads over the grid from the beginning, so that the search may be stopped at any
    time. It does not depend on the seed.

    Parameters
    ----------
    space : Space, dict or list of dict
        Search space; see `Space`. A list gives the levels of a dimension explicitly.
    seed : int, default=0
        Not used, since no random numbers are drawn.
    n_levels : int or "auto", default="auto"
        Number of levels of each range, at least 1; an integer range with fewer values has all
        of them. ``"auto"`` is as many as the budget allows, about equal for all ranges. The
        budget is the number of trials in a search and in `tune`, otherwise 1000.
    previous_studies : study or list of studies, default=()
        Source studies, whose best configurations run first; see `Optimizer`.
    resources : sequence of float, default=(1.0,)
        Shares of the full resource; see `Optimizer`.

    Attributes
    ----------
    grid_size : int
        Number of points of the grid that are allowed. Those of a grid of more than 65,536
        points are not counted one by one.

    Raises
    ------
    ValueError
        If a parameter is outside its range.

    Examples
    --------
    >>> from sklearn_lepton.optimizers import GridOptimizer
    >>> optimizer = GridOptimizer({"x": (-1.0, 1.0, "uniform"), "k": ["a", "b"]}, n_levels=3)
    >>> trials = optimizer.ask(100)
    >>> len(trials), optimizer.is_exhausted
    (6, True)
    >>> sorted(trial.params["x"] for trial in trials if trial.params["k"] == "a")
    [-1.0, 0.0, 1.0]
    """

    def __init__(
        self,
        space: Any,
        *,
        seed: int = 0,
        n_levels: int | str = "auto",
        previous_studies: Any = (),
        resources: Sequence[float] = (1.0,),
    ) -> None:
        check_count("n_levels", n_levels, minimum=1)
        self.n_levels = n_levels
        self._grid: _Grid | None = None
        self._visited: set[tuple[float, ...]] = set()
        super().__init__(
            space,
            seed=seed,
            n_initial_points=1,
            previous_studies=previous_studies,
            resources=resources,
        )

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without the grid and its visited points."""
        return super().__getstate__() | {"_grid": None, "_visited": set()}

    @property
    def grid_size(self) -> int:
        """Number of points of the grid that are allowed."""
        grid = self._known_grid()
        if self.space.allowed is None or grid.size > MAX_LISTED:
            return grid.size
        if grid.n_allowed is None:
            points = (self._snap(grid.point(rank)) for rank in range(grid.size))
            grid.n_allowed = sum(map(self.space.allows_point, points))
        if grid.n_allowed == 0:
            raise ValueError(
                f"constraint allows none of the {grid.size} points of the grid, n_levels="
                f"{self.n_levels!r}: give more levels, or another optimizer."
            )
        return grid.n_allowed

    @property
    def capacity(self) -> float:
        """Number of trials that the grid has room for: each point on each rung."""
        # An automatic grid follows the budget, so it must not limit the budget.
        is_auto = self.n_levels == "auto"
        return (
            super().capacity if is_auto else self.grid_size * len(self.resources) + self.n_outside
        )

    @property
    def _is_spent(self) -> bool:
        return self._next() is None

    def _see(self, trial: Trial) -> None:
        super()._see(trial)
        self._visited.add(_rounded(self._snap(trial.point)))

    def _n_designed(self) -> int:
        return 0

    def _propose(
        self,
        rng: np.random.Generator,  # noqa: ARG002 - no random numbers
    ) -> tuple[FloatArray, Mapping[str, Any]]:
        point = self._next()
        assert point is not None  # noqa: S101 - for mypy: the grid is not spent
        return np.array(point), {}

    def _next(self) -> tuple[float, ...] | None:
        """Return the first point not visited yet, or None."""
        grid = self._known_grid()
        while grid.n_passed < grid.size:
            point = self._snap(grid.point(grid.n_passed))
            if _rounded(point) not in self._visited and self.space.allows_point(point):
                return point
            grid.n_passed += 1
        if self.space.allowed is not None:
            self.grid_size  # noqa: B018 - raises if no point is allowed
        return None

    def _known_grid(self) -> "_Grid":
        if self._grid is None or self._grid.budget != self.run_settings.budget:
            self._grid = _Grid(self.run_settings.budget, self._blocks())
        return self._grid

    def _blocks(self) -> "list[_Block]":
        """Return the grid of each branch."""
        space, counts = self.space, self._counts()
        blocks = []
        for number, branch in enumerate(space.branches):
            middle = np.full(space.n_dims, 0.5)
            if len(space.branches) > 1:
                middle[0] = space.dimensions[0].to_unit(number)
            columns = list(branch.values())
            blocks.append(_Block(middle, columns, [self._levels(c, counts[c]) for c in columns]))
        return blocks

    def _levels(self, column: int, n_levels: int) -> FloatArray:
        """Return the coordinates of a dimension's levels."""
        dimension = self.space.dimensions[column]
        if n_levels >= dimension.n_values:
            return dimension_units(dimension)
        if isinstance(dimension, Distribution) or n_levels == 1:
            units = (np.arange(n_levels) + 0.5) / n_levels
        else:
            units = np.linspace(0.0, 1.0, n_levels)
        return np.unique(dimension.snap(units))

    def _counts(self) -> list[int]:
        """Return the number of levels of each dimension."""
        dimensions = self.space.dimensions
        ranges = [k for k, d in enumerate(dimensions) if not isinstance(d, Categorical)]
        limits = [dimension.n_values for dimension in dimensions]
        if self.n_levels != "auto":
            n_levels = int(self.n_levels)
            limits = [min(m, n_levels) if k in ranges else m for k, m in enumerate(limits)]
            return [int(count) for count in limits]
        counts = [1 if k in ranges else int(m) for k, m in enumerate(limits)]
        n_points: float = self.run_settings.budget or _DEFAULT_BUDGET
        if self.space.allowed is not None:  # the budget is for the points that are allowed
            n_points = math.floor(n_points / self.space.allowed.share * (1 + 1e-9))
        branches = [list(branch.values()) for branch in self.space.branches]

        def size() -> int:
            return sum(math.prod(counts[column] for column in branch) for branch in branches)

        # Add a level to the range that has the fewest, until no range can have one more.
        extensible = [column for column in ranges if limits[column] > 1]
        while extensible:
            column = min(extensible, key=lambda column: (counts[column], column))
            counts[column] += 1
            if size() > n_points:
                counts[column] -= 1
                extensible.remove(column)  # it will not fit later either: the grid only grows
            elif counts[column] >= limits[column]:
                extensible.remove(column)
        return counts


class _Block(NamedTuple):
    """The grid of a branch: the fixed columns of its points, and the levels of the others."""

    middle: FloatArray
    columns: list[int]
    levels: list[FloatArray]


class _Grid:
    """The points of all blocks, in the order of the visits.

    Parameters
    ----------
    budget : int or None
        Budget that the grid was made for.
    blocks : list of _Block

    Attributes
    ----------
    size : int
    n_passed : int
        Number of points at the beginning of the order that have been visited.
    n_allowed : int or None
        Number of points that the constraint of the space allows, once they are counted.
    """

    def __init__(self, budget: int | None, blocks: list[_Block]) -> None:
        self.budget = budget
        self._blocks = blocks
        sizes = [math.prod(map(len, block.levels)) for block in blocks]
        self._ends = list(accumulate(sizes))
        self.size = self._ends[-1]
        self.n_passed = 0
        self.n_allowed: int | None = None
        golden, unit = _GOLDEN
        self._stride = max(1, self.size * golden // unit)
        while math.gcd(self._stride, self.size) > 1:
            self._stride += 1

    def point(self, rank: int) -> FloatArray:
        """Return the point at a rank of the order, from 0."""
        index = (self.size // 2 + rank * self._stride) % self.size
        number = bisect_right(self._ends, index)
        block = self._blocks[number]
        index -= self._ends[number - 1] if number else 0
        point = block.middle.copy()
        for column, levels in zip(reversed(block.columns), reversed(block.levels), strict=True):
            index, level = divmod(index, len(levels))
            point[column] = levels[level]
        return point


def _rounded(point: Sequence[float]) -> tuple[float, ...]:
    """Return a point rounded so that it equals one that was converted from a value."""
    return tuple(round(unit, _N_DIGITS) for unit in point)
