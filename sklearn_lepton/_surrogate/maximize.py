"""Maximisation of the acquisition over continuous, ordered discrete and categorical columns.

The search alternates between projected quasi-Newton ascent in the continuous columns and
coordinate search in the discrete ones, from several starts together. Each step evaluates the
acquisition at the points of all starts in one call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product

import numpy as np
from scipy.stats import qmc

from sklearn_lepton._runtime.interrupts import uninterrupted
from sklearn_lepton._surrogate.kernel import BoolArray, FloatArray, IntArray
from sklearn_lepton._surrogate.mixture import SurrogateEnsemble
from sklearn_lepton._surrogate.quasi_newton import MIN_GAIN, ascend

Snap = Callable[[FloatArray], FloatArray]
Allows = Callable[[list[float]], bool]

_MIN_GAIN_OF_ROUND = 1e-3  # in log expected improvement; less does not justify another round
_MAX_STEPS = 30  # evaluations of one ascent
_MAX_SWEEPS = 20  # of a coordinate search
_MAX_ROUNDS = 4  # of coordinate search and ascent
_MAX_MOVES = 256  # neighbors of one point in one sweep
_MAX_CHOICES = 20  # of one categorical column in one sweep
_EDGE_STEPS = (0.1, 0.03, 0.01, 0.003)  # of a continuous column, with a constraint
_N_EDGE_STEPS = 32
_N_BISECTIONS = 12
_CUBE_STEPS = (1 / 32, 1 / 8, 3 / 8)  # of ordered discrete columns, in units of the cube


def maximize(
    model: SurrogateEnsemble,
    best: float,
    *,
    n_values: FloatArray,
    categorical: BoolArray,
    snap: Snap,
    X_best: FloatArray,
    rng: np.random.Generator,
    n_candidates: int = 512,
    n_starts: int = 5,
    taken: FloatArray | None = None,
    allows: Allows | None = None,
    extra: FloatArray | None = None,
) -> FloatArray:
    """Return the points of greatest log expected improvement.

    Candidates are low-discrepancy points and perturbations of the best observed points; a
    discrete space of at most ``n_candidates`` points is enumerated as well. The best
    candidates are then improved together, alternating between projected quasi-Newton ascent
    in continuous columns and moves to the best neighbor in discrete ones.

    Parameters
    ----------
    model : SurrogateEnsemble
        Surrogate that gives the acquisition.
    best : float
        Value to improve on, in units of ``y``.
    n_values : ndarray of shape (d,)
        Number of values of each column, ``np.inf`` (or 0) for continuous ones.
    categorical : ndarray of shape (d,), bool
        Unordered columns.
    snap : callable
        Function that returns points of shape (m, d) in canonical form: discrete columns at
        the centres of their cells, inactive columns at exactly 1/2. It may overwrite its
        argument. Whether a column is active may depend on categorical columns only.
    X_best : ndarray of shape (n_best, d)
        Best observed points; may be empty.
    rng : numpy.random.Generator
        Source of randomness.
    n_candidates : int, default=512
        Number of low-discrepancy points, and of perturbations.
    n_starts : int, default=5
        Number of points that are improved.
    taken : ndarray of shape (n_taken, d), default=None
        Snapped points that must not be returned.
    allows : callable or None, default=None
        Function that returns whether a snapped point may be returned. It may be slow, and is
        called only for points that would be returned or start an ascent.
    extra : ndarray of shape (n_extra, d), default=None
        Further candidates, such as points that are known to be allowed.

    Returns
    -------
    ndarray of shape (n_points, d)
        Distinct snapped points, best first: ``n_starts``, or fewer if no more are available.
    """
    n_values = np.where(n_values > 0, n_values, np.inf)
    search = _Search(model, best, n_values, categorical, snap, rng, _keys(taken), allows)
    with np.errstate(all="ignore"):
        pool = search.candidates(X_best, n_candidates)
        if extra is not None:
            pool = np.vstack([pool, extra])
        value = search.evaluate(pool)
        starts = search.available(pool, value, n_starts)
        points, improved = search.improve(pool[starts], value[starts])
        # If starts converged to the same point, the next best candidates take their places.
        pool, value = np.vstack([points, pool]), np.concatenate([improved, value])
        return pool[search.available(pool, value, n_starts)]


@dataclass(frozen=True, eq=False)
class _Search:
    """One maximisation of the acquisition; see `maximize` for the attributes.

    In the methods, ``x`` or ``points`` are current points with acquisition ``value``. Proposed
    points are ``x_new`` with acquisition ``f_new``. The starts that still improve have the
    indices ``active``.
    """

    model: SurrogateEnsemble
    best: float
    n_values: FloatArray
    categorical: BoolArray
    snap: Snap
    rng: np.random.Generator
    taken: frozenset[bytes]
    allows: Allows | None = None

    def evaluate(self, points: FloatArray) -> FloatArray:
        """Return the log expected improvement at points, of shape (m,)."""
        return self.model.log_improvement(points, self.best)

    def is_free(self, point: FloatArray) -> bool:
        """Return whether a point is not taken and is allowed."""
        is_free = _key(point) not in self.taken
        return is_free and (self.allows is None or self.allows(point.tolist()))

    def available(
        self, points: FloatArray, value: FloatArray, n_points: int, *, above: float | None = None
    ) -> IntArray:
        """Return the indices of the best ``n_points`` distinct free points, best first.

        With ``above``, points of no greater value are left out.
        """
        found: dict[bytes, int] = {}
        for index in np.argsort(-value, kind="stable"):
            if above is not None and not value[index] > above:
                break
            key = _key(points[index])
            if key not in found and self.is_free(points[index]):
                found[key] = int(index)
                if len(found) == n_points:
                    break
        return np.array(list(found.values()), dtype=np.intp)

    def active_columns(self, points: FloatArray) -> BoolArray:
        """Return whether each column can be changed at each point, of shape (m, d)."""
        # In canonical form only inactive columns and single values are at 1/2. The exception is
        # the middle choice of a categorical column with an odd number of choices.
        probe = np.where(self.categorical, points, 0.01)
        odd = self.categorical & (self.n_values % 2 == 1)
        active: BoolArray = ((self.snap(probe) != 0.5) | odd) & (self.n_values > 1)
        return active

    def candidates(self, X_best: FloatArray, n: int) -> FloatArray:
        """Return low-discrepancy points, perturbed best points and the grid of a small space."""
        d = len(self.n_values)
        pools = [_grid(self.n_values)] if np.prod(self.n_values) <= n else []
        if np.any(self.n_values > 1):
            # A random permutation of the columns and a random shift (Cranley-Patterson rotation)
            # of the cached Sobol points.
            spread = _low_discrepancy(n, d)[:, self.rng.permutation(d)]
            pools.append((spread + self.rng.random(d)) % 1.0)
            if len(X_best):
                pools.append(self.perturbed(X_best, n))
        return self.snap(np.vstack(pools))

    def perturbed(self, X_best: FloatArray, n: int) -> FloatArray:
        """Return copies of the best points with up to five columns changed, of shape (n, d)."""
        rng, d = self.rng, len(self.n_values)
        source = np.arange(n) % len(X_best)
        points, active = X_best[source], self.active_columns(X_best)[source]

        # One to five of the active columns, in expectation; at least one.
        n_active = np.maximum(active.sum(axis=1), 1)
        n_changed = rng.integers(1, np.minimum(n_active, 5) + 1)
        chance = rng.random((n, d)) * active
        changed = chance > 1.0 - (n_changed / n_active)[:, None]
        changed |= active & (chance == chance.max(axis=1, initial=0.0, keepdims=True))

        # Normal steps whose deviation is log-uniform from 0.01 to 0.3 of the cube.
        size = np.exp(rng.uniform(np.log(0.01), np.log(0.3), size=(n, 1)))
        step = size * rng.standard_normal((n, d))
        # A discrete column moves by at least one cell.
        step = np.copysign(np.maximum(np.abs(step), 1.0 / self.n_values), step)
        moved = np.clip(points + step, 0.0, 1.0)
        if np.any(self.categorical):
            # A categorical column changes to any other choice with equal probability.
            K = self.n_values[self.categorical]
            shift = np.floor(1.0 + rng.random((n, len(K))) * (K - 1.0)) / K
            moved[:, self.categorical] = (points[:, self.categorical] + shift) % 1.0
        return np.where(changed, moved, points)

    def improve(self, points: FloatArray, value: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return improved points and values, by coordinate search and ascent in turn."""
        is_continuous = np.isinf(self.n_values)
        if not len(points) or not np.any(self.n_values > 1):
            return points, value
        if np.all(is_continuous):
            return self.ascend(points, value, _MAX_STEPS)
        if not np.any(is_continuous):
            return self.coordinate_search(points, value, _MAX_SWEEPS)
        active = np.arange(len(points))
        for round_ in range(_MAX_ROUNDS):
            x_new, f_new = self.coordinate_search(points[active], value[active], _MAX_SWEEPS // 4)
            # A start whose discrete columns no longer change has converged in the others too.
            moved = (f_new > value[active] + _MIN_GAIN_OF_ROUND) | (round_ == 0)
            points[active], value[active] = x_new, f_new
            active = active[moved]
            if not len(active):
                break
            points[active], value[active] = self.ascend(points[active], value[active], _MAX_STEPS)
        return points, value

    def ascend(
        self, points: FloatArray, value: FloatArray, n_steps: int
    ) -> tuple[FloatArray, FloatArray]:
        """Return points and values after quasi-Newton ascent in active continuous columns."""
        columns = np.flatnonzero(np.isinf(self.n_values))
        movable = self.active_columns(points)[:, columns]

        def function(x: FloatArray, rows: IntArray) -> tuple[FloatArray, FloatArray]:
            x_new = points[rows]
            x_new[:, columns] = x
            value, gradient = self.model.process_improvement_with_gradient(x_new, self.best)
            return value, gradient[:, columns] * movable[rows]

        # Length-scales are the natural units of the columns.
        scale = np.exp(self.model.process.theta[columns])
        x_new = points.copy()
        x_new[:, columns] = ascend(function, points[:, columns], scale, n_steps)
        x_new = self.snap(x_new)
        # The ascent follows the process; the ensemble with the forest decides.
        if self.allows is None:
            return self.keep_improved(points, value, x_new, self.evaluate(x_new))
        x_cut = np.array(list(map(self.stop_at_edge, points, x_new)))
        is_cut = np.any(x_cut != x_new, axis=1)
        points, value = self.keep_improved(points, value, x_cut, self.evaluate(x_cut))
        points[is_cut], value[is_cut] = self.follow_edge(
            points[is_cut], value[is_cut], columns, movable[is_cut]
        )
        return points, value

    def stop_at_edge(self, start: FloatArray, end: FloatArray) -> FloatArray:
        """Return the end of a step, or of the part of it that is allowed."""
        assert self.allows is not None  # noqa: S101 - for mypy
        if self.allows(end.tolist()):
            return end
        low, high, point = 0.0, 1.0, start
        for _ in range(_N_BISECTIONS):
            middle = (low + high) / 2
            moved = self.snap((start + middle * (end - start))[None])[0]
            if self.allows(moved.tolist()):
                low, point = middle, moved
            else:
                high = middle
        return point

    def follow_edge(
        self, points: FloatArray, value: FloatArray, columns: IntArray, movable: BoolArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return points and values after random steps to allowed points that are better.

        An ascent that has ended at the edge of what is allowed may have better points along it.
        """
        for size in _EDGE_STEPS:
            block = np.repeat(points[:, None], _N_EDGE_STEPS, axis=1)
            steps = size * self.rng.standard_normal((*block.shape[:2], len(columns)))
            block[:, :, columns] += steps * movable[:, None]
            block = self.snap_block(np.clip(block, 0.0, 1.0))
            f_block = self.evaluate_moved(block, points)
            for row, bound in enumerate(value):
                best = self.available(block[row], f_block[row], 1, above=bound)
                if len(best):
                    points[row], value[row] = block[row, best[0]], f_block[row, best[0]]
        return points, value

    def coordinate_search(
        self, points: FloatArray, value: FloatArray, n_sweeps: int
    ) -> tuple[FloatArray, FloatArray]:
        """Return points and values after repeated moves to the best discrete neighbor."""
        points, value = points.copy(), value.copy()
        active = np.arange(len(points))
        for _ in range(n_sweeps):
            x = points[active]
            neighbors, column = self.neighbors(x)
            f_neighbors = self.evaluate_moved(neighbors, x)
            # Improving moves in different columns are also tried together.
            merged = self.snap_block(_merge(x, value[active], neighbors, f_neighbors, column))
            f_neighbors = np.hstack([f_neighbors, self.evaluate_moved(merged, x)])
            neighbors = np.hstack([neighbors, merged])
            # The best available neighbor of each start; `keep_improved` rejects the first
            # neighbor of a start without an available one.
            bounds = value[active] if self.allows is not None else [None] * len(active)
            rows = zip(neighbors, f_neighbors, bounds, strict=True)
            first = [self.available(row, f, 1, above=bound) for row, f, bound in rows]
            pick = np.array([f[0] if len(f) else 0 for f in first], dtype=np.intp)
            each = np.arange(len(active))
            x_new, f_new = neighbors[each, pick], f_neighbors[each, pick]
            x_new, f_new = self.keep_improved(points[active], value[active], x_new, f_new)
            improved = f_new > value[active] + MIN_GAIN
            points[active], value[active] = x_new, f_new
            # Of starts that converged to the same point one continues.
            unique = {_key(point): index for index, point in enumerate(points)}
            active = np.intersect1d(active[improved], list(unique.values()))
            if not len(active):
                break
        return points, value

    def keep_improved(
        self, points: FloatArray, value: FloatArray, x_new: FloatArray, f_new: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return each new point and value if better and free, otherwise the old ones."""
        accepted = f_new > value
        accepted[accepted] = [self.is_free(row) for row in x_new[accepted]]
        return np.where(accepted[:, None], x_new, points), np.where(accepted, f_new, value)

    def evaluate_moved(self, neighbors: FloatArray, points: FloatArray) -> FloatArray:
        """Return the acquisition (m, k) of neighbors (m, k, d), -inf if equal to their point."""
        moved = np.any(neighbors != points[:, None], axis=2)
        value = np.full(moved.shape, -np.inf)
        if np.any(moved):
            value[moved] = self.evaluate(neighbors[moved])
        return value

    def snap_block(self, block: FloatArray) -> FloatArray:
        """Return points of shape (m, k, d) in canonical form."""
        return self.snap(block.reshape(-1, block.shape[2])).reshape(block.shape)

    def neighbors(self, points: FloatArray) -> tuple[FloatArray, IntArray]:
        """Return points (m, n_moves, d) with one discrete column changed, and these columns."""
        column, step, chance = self.moves
        # Columns with many values contribute a random subset of their moves to each sweep.
        subset = np.flatnonzero(self.rng.random(len(column)) < chance)
        if len(subset) > _MAX_MOVES:
            subset = self.rng.choice(subset, _MAX_MOVES, replace=False)
        column, step = column[subset], step[subset]
        neighbors = np.repeat(points[:, None], len(subset), axis=1)
        moved = points[:, column] + step
        neighbors[:, np.arange(len(subset)), column] = np.where(
            self.categorical[column], moved % 1.0, np.clip(moved, 0.0, 1.0)
        )
        return self.snap_block(neighbors), column

    @cached_property
    def moves(self) -> tuple[IntArray, FloatArray, FloatArray]:
        """Column, step and probability in a sweep of each discrete move, each (n_moves,)."""
        columns, steps, chances = [np.empty(0)], [np.empty(0)], [np.empty(0)]
        for discrete in np.flatnonzero((self.n_values > 1) & np.isfinite(self.n_values)):
            K = self.n_values[discrete]
            if self.categorical[discrete]:
                step = np.arange(1.0, K) / K  # modulo 1: every other choice
            else:
                # One and two cells, and fixed fractions of the cube, both ways.
                up = [s / K for s in (1, 2) if s < K]
                up += [s for s in _CUBE_STEPS if s * K > 2]
                step = np.concatenate([up, np.negative(up)])
            chance = min(1.0, _MAX_CHOICES / len(step))
            steps.append(step)
            columns.append(np.full(len(step), discrete))
            chances.append(np.full(len(step), chance))
        column = np.concatenate(columns).astype(np.intp)
        return column, np.concatenate(steps), np.concatenate(chances)


def _merge(
    points: FloatArray,
    value: FloatArray,
    neighbors: FloatArray,
    f_neighbors: FloatArray,
    column: IntArray,
) -> FloatArray:
    """Return points (m, 3, d) that merge the best two, half and all of the improving moves."""
    merged = np.repeat(points[:, None], 3, axis=1)
    for row, gain in enumerate(f_neighbors - value[:, None]):
        order = np.argsort(-gain, kind="stable")
        order = order[gain[order] > MIN_GAIN]
        # The best move of each column, best column first.
        _, first = np.unique(column[order], return_index=True)
        best = order[np.sort(first)]
        for slot, count in enumerate((2, (len(best) + 1) // 2, len(best))):
            subset = best[:count]
            merged[row, slot, column[subset]] = neighbors[row, subset, column[subset]]
    return merged


@lru_cache(maxsize=16)
def _low_discrepancy(n: int, d: int) -> FloatArray:
    """Return the first n Sobol points, of shape (n, d), cached because they never change."""
    log2_n = int(n - 1).bit_length()
    # scipy reads tables in compiled code here; it loses an interrupt and returns wrong points.
    with uninterrupted:
        table: FloatArray = qmc.Sobol(d, scramble=False).random_base2(log2_n)[:n]
    table.setflags(write=False)
    return table


def _grid(n_values: FloatArray) -> FloatArray:
    """Return all combinations of cell centres, of shape (prod(n_values), d)."""
    centres = [(np.arange(K) + 0.5) / K for K in n_values]
    return np.array(list(product(*centres)), dtype=np.float64)


def _key(point: FloatArray) -> bytes:
    """Return the identity of a point, in which -0.0 equals 0.0."""
    return (point + 0.0).tobytes()


def _keys(points: FloatArray | None) -> frozenset[bytes]:
    """Return the identities of points."""
    return frozenset() if points is None else frozenset(map(_key, points))
