"""Quasi-Newton ascent on the unit cube, from several starts together.

References
----------
D. P. Bertsekas, Projected Newton methods for optimization problems with simple constraints,
SIAM Journal on Control and Optimization 20(2), 1982, for the projection.

J. Nocedal, S. J. Wright, Numerical optimization, 2nd edition, 2006: equations 3.4 (sufficient
increase), 6.17 (BFGS) and 6.20 (initial scaling).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sklearn_lepton._surrogate.kernel import BoolArray, FloatArray, IntArray

WithGradient = Callable[[FloatArray, IntArray], tuple[FloatArray, FloatArray]]

MIN_GAIN = 1e-5  # in log expected improvement; less does not justify a further step
_FIRST_STEP = 0.3  # in units of the length-scales
_LONGEST_STEP = 2.0  # in units of the length-scales


def ascend(function: WithGradient, x: FloatArray, scale: FloatArray, n_steps: int) -> FloatArray:
    """Return the ends of a bounded quasi-Newton ascent from several starts.

    The method is BFGS on the columns that are not held at a bound (two-metric projection of
    Bertsekas), with backtracking along the projected direction. Each step calls the function
    once for all active starts, whether they begin a step or shorten one.

    Parameters
    ----------
    function : callable
        Function of points (m, c) and the indices (m,) of their starts that returns values
        (m,) and gradients (m, c). Gradients of fixed columns are 0.
    x : ndarray of shape (n_starts, c)
        Starts in [0, 1]^c.
    scale : ndarray of shape (c,)
        Typical lengths of the columns.
    n_steps : int
        Number of calls of ``function`` after the first.

    Returns
    -------
    ndarray of shape (n_starts, c)
        End of each ascent, at least as good as its start.
    """
    x, active = x.copy(), np.arange(len(x))
    value, gradient = function(x, active)
    # All steps and gradients are in units of `scale`.
    gradient = gradient * scale
    norm = np.maximum(np.linalg.norm(gradient, axis=1), 1e-300)
    H = (_FIRST_STEP / norm)[:, None, None] * np.eye(len(scale))  # inverse Hessians
    fresh, shrink = np.ones(len(x), dtype=np.bool_), np.ones(len(x))
    for _ in range(n_steps):
        # A start whose slope along its direction is negligible has converged.
        direction, slope = _direction(x[active], gradient[active], H[active])
        moving = slope > MIN_GAIN
        active, direction = active[moving], direction[moving]
        if not len(active):
            break
        # Projected step; the gain predicted by the gradient gives the condition of
        # sufficient increase (equation 3.4).
        x_new = np.clip(x[active] + shrink[active, None] * direction * scale, 0.0, 1.0)
        f_new, gradient_new = function(x_new, active)
        gradient_new = gradient_new * scale
        s, gain = (x_new - x[active]) / scale, f_new - value[active]
        predicted = np.einsum("ij,ij->i", s, gradient[active])
        accept = (gain > 0.0) & (gain >= 1e-4 * predicted)

        # Accepted steps update the Hessian and the point; rejected ones are shortened.
        accepted = active[accept]
        _update(H, fresh, accepted, s[accept], (gradient[active] - gradient_new)[accept])
        x[accepted], value[accepted] = x_new[accept], f_new[accept]
        gradient[accepted] = gradient_new[accept]
        shorter = shrink[active] * _backtrack(predicted, gain)
        shrink[active] = np.where(accept, 1.0, shorter)
        active = active[~np.where(accept, gain < MIN_GAIN, shorter < 1e-4)]
    return x


def _backtrack(predicted: FloatArray, gain: FloatArray) -> FloatArray:
    """Return the fraction (m,) of a step that maximises a parabola through both ends."""
    fraction = 0.5 * predicted / (predicted - gain)
    return np.clip(np.where(np.isfinite(fraction), fraction, 0.0), 0.1, 0.5)


def _direction(x: FloatArray, gradient: FloatArray, H: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the direction (m, c) of the next step and the slope (m,) along it."""
    # Columns at a bound whose gradient points outwards are held there.
    held = ((x <= 0.0) & (gradient < 0.0)) | ((x >= 1.0) & (gradient > 0.0))
    uphill = np.where(held, 0.0, gradient)
    direction = np.where(held, 0.0, (H @ uphill[:, :, None])[:, :, 0])
    length = np.maximum(np.linalg.norm(direction, axis=1), 1e-300)
    direction *= np.minimum(1.0, _LONGEST_STEP / length)[:, None]
    return direction, np.einsum("ij,ij->i", direction, uphill)


def _update(H: FloatArray, fresh: BoolArray, rows: IntArray, s: FloatArray, y: FloatArray) -> None:
    """Update inverse Hessians of the negated function by the BFGS formula, in place."""
    sy = np.einsum("ij,ij->i", s, y)
    yy = np.einsum("ij,ij->i", y, y)
    curved = sy > 1e-8 * yy
    # Where the function is convex along the step the update is invalid; longer steps are tried.
    H[rows[~curved]] *= 2.0
    rows, s, y, sy, yy = rows[curved], s[curved], y[curved], sy[curved], yy[curved]
    # The first step sets the scale of the inverse Hessian, s'y / y'y (6.20).
    new = fresh[rows]
    H[rows[new]] = (sy / yy)[new, None, None] * np.eye(H.shape[1])
    fresh[rows] = False
    # Equation 6.17, expanded: H + (1 + y'Hy / s'y) ss' / s'y - (Hy s' + s y'H) / s'y
    Hy = (H[rows] @ y[:, :, None])[:, :, 0]
    factor = (1.0 + np.einsum("ij,ij->i", y, Hy) / sy) / sy
    outer = Hy[:, :, None] * (s / sy[:, None])[:, None, :]
    H[rows] += factor[:, None, None] * (s[:, :, None] * s[:, None, :])
    H[rows] -= outer + outer.transpose(0, 2, 1)
