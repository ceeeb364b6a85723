"""Maximise log expected improvement over numeric, discrete and categorical columns."""

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

Snap = Callable[[FloatArray], FloatArray]
Slopes = Callable[[FloatArray, IntArray], tuple[FloatArray, FloatArray]]

# In log expected improvement: less is not worth a step, or another round.
_MIN_GAIN = 1e-5
_MIN_GAIN_OF_ROUND = 1e-3
_FIRST_STEP = 0.3  # of the length-scales
_LONGEST_STEP = 2.0  # of the length-scales
_MAX_STEPS = 30  # evaluations of one ascent
_MAX_SWEEPS = 20
_MAX_ROUNDS = 4
_MAX_MOVES = 256  # neighbours of one point in one sweep
_MAX_CHOICES = 20  # of one categorical column in one sweep
_CUBE_STEPS = (1 / 32, 1 / 8, 3 / 8)  # of ordered discrete columns


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
) -> FloatArray:
    """Find the points of greatest log expected improvement.

    Low-discrepancy points and perturbations of the best observed ones are scored in
    one call. The best few are improved together: continuous columns by a projected
    quasi-Newton ascent, discrete ones by moves to the best neighbour, in turn. A
    discrete space of at most ``n_candidates`` points is enumerated.

    Parameters
    ----------
    model : Mixture
        The model.
    best : float
        Value to improve on, in units of ``y``.
    n_values : ndarray of shape (d,)
        Number of values of each column, ``np.inf`` (or 0) for continuous ones.
    categorical : ndarray of shape (d,), bool
        Unordered columns.
    snap : callable
        Brings points of shape (m, d) into canonical form: discrete columns to the
        centres of their cells, inactive columns to exactly 1/2. May overwrite its
        argument. Which columns are active may depend on categorical columns only.
    X_best : ndarray of shape (n_best, d)
        Best observed points; may be empty.
    rng : numpy.random.Generator
        Source of randomness.
    n_candidates : int, default=512
        Low-discrepancy points, and as many perturbations.
    n_starts : int, default=5
        Points that are improved.
    taken : ndarray of shape (n_taken, d), default=None
        Snapped points that must not be returned.

    Returns
    -------
    ndarray of shape (n_points, d)
        Distinct snapped points, best first: ``n_starts``, or fewer if no more are free.
    """
    n_values = np.where(n_values > 0, n_values, np.inf)
    search = _Search(model, best, n_values, categorical, snap, rng, _keys(taken))
    with np.errstate(all="ignore"):
        pool = search.candidates(X_best, n_candidates)
        value = search.score(pool)
        first = search.free(pool, value, n_starts)
        points, improved = search.improve(pool[first], value[first])
        # Starts that met at one place leave room for the next best candidates.
        pool, value = np.vstack([points, pool]), np.concatenate([improved, value])
        return pool[search.free(pool, value, n_starts)]


@dataclass(frozen=True, eq=False)
class _Search:
    """What stays the same during one maximisation; see `maximize`."""

    model: SurrogateEnsemble
    best: float
    n_values: FloatArray
    categorical: BoolArray
    snap: Snap
    rng: np.random.Generator
    taken: frozenset[bytes]

    def score(self, points: FloatArray) -> FloatArray:
        """Log expected improvement, of shape (m,)."""
        return self.model.log_improvement(points, self.best)

    def free(self, points: FloatArray, value: FloatArray, n_points: int) -> IntArray:
        """Find the best ``n_points`` distinct points not taken: indices, best first."""
        found: dict[bytes, int] = {}
        for index in np.argsort(-value, kind="stable"):
            key = _key(points[index])
            if key not in self.taken:
                found.setdefault(key, int(index))
                if len(found) == n_points:
                    break
        return np.array(list(found.values()), dtype=np.intp)

    def active(self, points: FloatArray) -> BoolArray:
        """Which columns can be changed at each point, of shape (m, d)."""
        # Canonical form sends only inactive columns (and single values) to 1/2,
        # except a categorical one in the middle of an odd number of choices.
        probe = np.where(self.categorical, points, 0.01)
        odd = self.categorical & (self.n_values % 2 == 1)
        active: BoolArray = ((self.snap(probe) != 0.5) | odd) & (self.n_values > 1)
        return active

    def candidates(self, X_best: FloatArray, n: int) -> FloatArray:
        """Spread points, perturbed best points and, of few values, all the grid."""
        d = len(self.n_values)
        pools = [_grid(self.n_values)] if np.prod(self.n_values) <= n else []
        if np.any(self.n_values > 1):
            spread = _low_discrepancy(n, d)[:, self.rng.permutation(d)]
            pools.append((spread + self.rng.random(d)) % 1.0)
            if len(X_best):
                pools.append(self.perturbed(X_best, n))
        return self.snap(np.vstack(pools))

    def perturbed(self, X_best: FloatArray, n: int) -> FloatArray:
        """Best points, each with a few active columns changed, of shape (n, d)."""
        rng, d = self.rng, len(self.n_values)
        source = np.arange(n) % len(X_best)
        points, active = X_best[source], self.active(X_best)[source]

        n_active = np.maximum(active.sum(axis=1), 1)
        few = rng.integers(1, np.minimum(n_active, 5) + 1)
        chance = rng.random((n, d)) * active
        changed = chance > 1.0 - (few / n_active)[:, None]
        changed |= active & (chance == chance.max(axis=1, initial=0.0, keepdims=True))

        size = np.exp(rng.uniform(np.log(0.01), np.log(0.3), size=(n, 1)))
        step = size * rng.standard_normal((n, d))
        # A discrete column moves by a cell at least.
        step = np.copysign(np.maximum(np.abs(step), 1.0 / self.n_values), step)
        moved = np.clip(points + step, 0.0, 1.0)
        if np.any(self.categorical):
            K = self.n_values[self.categorical]
            shift = np.floor(1.0 + rng.random((n, len(K))) * (K - 1.0)) / K
            moved[:, self.categorical] = (points[:, self.categorical] + shift) % 1.0
        return np.where(changed, moved, points)

    def improve(self, points: FloatArray, value: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Sweep discrete columns and ascend in continuous ones, in turn."""
        is_continuous = np.isinf(self.n_values)
        if not len(points) or not np.any(self.n_values > 1):
            return points, value
        if np.all(is_continuous):
            return self.ascend(points, value, _MAX_STEPS)
        if not np.any(is_continuous):
            return self.sweep(points, value, _MAX_SWEEPS)
        live = np.arange(len(points))
        for round_ in range(_MAX_ROUNDS):
            near, score = self.sweep(points[live], value[live], _MAX_SWEEPS // 4)
            moved = (score > value[live] + _MIN_GAIN_OF_ROUND) | (round_ == 0)
            points[live], value[live] = near, score
            live = live[moved]
            if not len(live):
                break
            points[live], value[live] = self.ascend(points[live], value[live], _MAX_STEPS)
        return points, value

    def ascend(
        self, points: FloatArray, value: FloatArray, n_steps: int
    ) -> tuple[FloatArray, FloatArray]:
        """Quasi-Newton ascent in the active continuous columns, all points at once."""
        columns = np.flatnonzero(np.isinf(self.n_values))
        movable = self.active(points)[:, columns]

        def function(x: FloatArray, rows: IntArray) -> tuple[FloatArray, FloatArray]:
            there = points[rows]
            there[:, columns] = x
            value, gradient = self.model.process_improvement_with_gradient(there, self.best)
            return value, gradient[:, columns] * movable[rows]

        scale = np.exp(self.model.process.theta[columns])
        there = points.copy()
        there[:, columns] = ascend(function, points[:, columns], scale, n_steps)
        there = self.snap(there)
        return self.better(points, value, there, self.score(there))

    def sweep(
        self, points: FloatArray, value: FloatArray, n_sweeps: int
    ) -> tuple[FloatArray, FloatArray]:
        """Move each point to its best neighbour in one discrete column, repeatedly."""
        points, value = points.copy(), value.copy()
        live = np.arange(len(points))
        for _ in range(n_sweeps):
            at = points[live]
            near, column = self.neighbours(at)
            score = self.score_moved(near, at)
            merged = self.snap_block(_merge(at, value[live], near, score, column))
            score = np.hstack([score, self.score_moved(merged, at)])
            near = np.hstack([near, merged])
            first = [self.free(*row, 1) for row in zip(near, score, strict=True)]
            pick = np.array([f[0] if len(f) else 0 for f in first], dtype=np.intp)
            rows = np.arange(len(live))
            there, then = near[rows, pick], score[rows, pick]
            there, then = self.better(points[live], value[live], there, then)
            better = then > value[live] + _MIN_GAIN
            points[live], value[live] = there, then
            # Starts that met go on as one.
            unique = {_key(point): index for index, point in enumerate(points)}
            live = np.intersect1d(live[better], list(unique.values()))
            if not len(live):
                break
        return points, value

    def better(
        self, points: FloatArray, value: FloatArray, there: FloatArray, then: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Go there where that is better and not taken, stay where it is not."""
        free = np.array([_key(row) not in self.taken for row in there], dtype=np.bool_)
        go = (then > value) & free
        return np.where(go[:, None], there, points), np.where(go, then, value)

    def score_moved(self, near: FloatArray, points: FloatArray) -> FloatArray:
        """Log expected improvement (m, k) of neighbours (m, k, d) that are elsewhere."""
        moved = np.any(near != points[:, None], axis=2)
        score = np.full(moved.shape, -np.inf)
        if np.any(moved):
            score[moved] = self.score(near[moved])
        return score

    def snap_block(self, block: FloatArray) -> FloatArray:
        """Bring points of shape (m, k, d) into canonical form."""
        return self.snap(block.reshape(-1, block.shape[2])).reshape(block.shape)

    def neighbours(self, points: FloatArray) -> tuple[FloatArray, IntArray]:
        """Change one discrete column: points (m, n_moves, d), columns (n_moves,)."""
        column, step, chance = self.moves
        some = np.flatnonzero(self.rng.random(len(column)) < chance)
        if len(some) > _MAX_MOVES:
            some = self.rng.choice(some, _MAX_MOVES, replace=False)
        column, step = column[some], step[some]
        near = np.repeat(points[:, None], len(some), axis=1)
        there = points[:, column] + step
        near[:, np.arange(len(some)), column] = np.where(
            self.categorical[column], there % 1.0, np.clip(there, 0.0, 1.0)
        )
        return self.snap_block(near), column

    @cached_property
    def moves(self) -> tuple[IntArray, FloatArray, FloatArray]:
        """Column, step and chance in a sweep, each (n_moves,), of discrete moves."""
        columns, steps, chances = [np.empty(0)], [np.empty(0)], [np.empty(0)]
        for discrete in np.flatnonzero((self.n_values > 1) & np.isfinite(self.n_values)):
            K = self.n_values[discrete]
            if self.categorical[discrete]:
                step = np.arange(1.0, K) / K  # modulo 1: every other choice
            else:
                # Fixed steps besides those of some cells: cells may differ in width.
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
    near: FloatArray,
    score: FloatArray,
    column: IntArray,
) -> FloatArray:
    """Merge the best moves of different columns: two, half and all that gain."""
    merged = np.repeat(points[:, None], 3, axis=1)
    for row, gain in enumerate(score - value[:, None]):
        order = np.argsort(-gain, kind="stable")
        order = order[gain[order] > _MIN_GAIN]
        _, first = np.unique(column[order], return_index=True)
        best = order[np.sort(first)]
        for slot, count in enumerate((2, (len(best) + 1) // 2, len(best))):
            some = best[:count]
            merged[row, slot, column[some]] = near[row, some, column[some]]
    return merged


def ascend(function: Slopes, x: FloatArray, scale: FloatArray, n_steps: int) -> FloatArray:
    """Maximise from many starts at once on the unit cube.

    BFGS on the columns that are not held by a bound (two-metric projection), with
    backtracking along the projected direction. Every step is one call for all the
    starts that are still moving, whether they begin a step or shorten one.

    Parameters
    ----------
    function : callable
        Takes points of shape (m, c) and the numbers (m,) of their starts, returns
        values (m,) and gradients (m, c); gradients of fixed columns are 0.
    x : ndarray of shape (n_starts, c)
        Starts in [0, 1]^c.
    scale : ndarray of shape (c,)
        Typical lengths of the columns.
    n_steps : int
        Calls of ``function`` after the first.

    Returns
    -------
    ndarray of shape (n_starts, c)
        Ends, nowhere worse than the starts.

    References
    ----------
    D. P. Bertsekas, Projected Newton methods for optimization problems with simple
    constraints, SIAM Journal on Control and Optimization 20(2), 1982.
    """
    x, live = x.copy(), np.arange(len(x))
    value, gradient = function(x, live)
    gradient = gradient * scale
    norm = np.maximum(np.linalg.norm(gradient, axis=1), 1e-300)
    H = (_FIRST_STEP / norm)[:, None, None] * np.eye(len(scale))  # inverse Hessians
    fresh, shrink = np.ones(len(x), dtype=np.bool_), np.ones(len(x))
    for _ in range(n_steps):
        direction, slope = _direction(x[live], gradient[live], H[live])
        moving = slope > _MIN_GAIN
        live, direction = live[moving], direction[moving]
        if not len(live):
            break
        there = np.clip(x[live] + shrink[live, None] * direction * scale, 0.0, 1.0)
        then, slopes = function(there, live)
        slopes = slopes * scale
        s, gain = (there - x[live]) / scale, then - value[live]
        promised = np.einsum("ij,ij->i", s, gradient[live])
        accept = (gain > 0.0) & (gain >= 1e-4 * promised)

        won = live[accept]
        _update(H, fresh, won, s[accept], (gradient[live] - slopes)[accept])
        x[won], value[won], gradient[won] = there[accept], then[accept], slopes[accept]
        shorter = shrink[live] * _backtrack(promised, gain)
        shrink[live] = np.where(accept, 1.0, shorter)
        live = live[~np.where(accept, gain < _MIN_GAIN, shorter < 1e-4)]
    return x


def _backtrack(promised: FloatArray, gain: FloatArray) -> FloatArray:
    """Fraction (m,) of a step at which the parabola through both ends is highest."""
    fraction = 0.5 * promised / (promised - gain)
    return np.clip(np.where(np.isfinite(fraction), fraction, 0.0), 0.1, 0.5)


def _direction(x: FloatArray, gradient: FloatArray, H: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Direction (m, c) of the next step and the slope (m,) along it."""
    held = ((x <= 0.0) & (gradient < 0.0)) | ((x >= 1.0) & (gradient > 0.0))
    uphill = np.where(held, 0.0, gradient)
    direction = np.where(held, 0.0, (H @ uphill[:, :, None])[:, :, 0])
    length = np.maximum(np.linalg.norm(direction, axis=1), 1e-300)
    direction *= np.minimum(1.0, _LONGEST_STEP / length)[:, None]
    return direction, np.einsum("ij,ij->i", direction, uphill)


def _update(H: FloatArray, fresh: BoolArray, rows: IntArray, s: FloatArray, y: FloatArray) -> None:
    """BFGS update, in place, of inverse Hessians of the function turned upside down."""
    sy = np.einsum("ij,ij->i", s, y)
    yy = np.einsum("ij,ij->i", y, y)
    curved = sy > 1e-8 * yy
    # Where the function bends upwards, longer steps are what there is to learn.
    H[rows[~curved]] *= 2.0
    rows, s, y, sy, yy = rows[curved], s[curved], y[curved], sy[curved], yy[curved]
    new = fresh[rows]
    H[rows[new]] = (sy / yy)[new, None, None] * np.eye(H.shape[1])
    fresh[rows] = False
    Hy = (H[rows] @ y[:, :, None])[:, :, 0]
    factor = (1.0 + np.einsum("ij,ij->i", y, Hy) / sy) / sy
    outer = Hy[:, :, None] * (s / sy[:, None])[:, None, :]
    H[rows] += factor[:, None, None] * (s[:, :, None] * s[:, None, :])
    H[rows] -= outer + outer.transpose(0, 2, 1)


@lru_cache(maxsize=16)
def _low_discrepancy(n: int, d: int) -> FloatArray:
    """First Sobol points, of shape (n, d); a table, hence remembered."""
    log2_n = int(n - 1).bit_length()
    # Reads tables, in compiled code that would drop an interrupt and return wrong points.
    with uninterrupted:
        table: FloatArray = qmc.Sobol(d, scramble=False).random_base2(log2_n)[:n]
    table.setflags(write=False)
    return table


def _grid(n_values: FloatArray) -> FloatArray:
    """All combinations of centres of equal cells, of shape (prod(n_values), d)."""
    centres = [(np.arange(K) + 0.5) / K for K in n_values]
    return np.array(list(product(*centres)), dtype=np.float64)


def _key(point: FloatArray) -> bytes:
    return (point + 0.0).tobytes()  # -0.0 and 0.0 are one


def _keys(points: FloatArray | None) -> frozenset[bytes]:
    return frozenset() if points is None else frozenset(map(_key, points))
