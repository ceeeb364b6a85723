"""Preparation of observations: standardised scores and the choice of those to keep."""

from __future__ import annotations

import numpy as np

from sklearn_lepton._surrogate.kernel import FloatArray, IntArray

_CLIP = 5.0  # distances from the median to the best score, below the median


def standardize(y: FloatArray, *, clip: bool = True) -> tuple[FloatArray, float, float]:
    """Return scores with mean 0 and deviation 1, after clipping the lowest ones.

    Scores below ``median - 5 (best - median)`` are raised to this value. The function is
    idempotent.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Finite scores of any magnitude, greater is better; n >= 1.
    clip : bool, default=True
        Whether to clip.

    Returns
    -------
    z : ndarray of shape (n,)
        Standardised scores; all 0 if the scores are constant up to rounding.
    mean : float
        Mean of the clipped scores.
    scale : float, > 0
        Deviation of the clipped scores; 1 if the scores are constant.
    """
    with np.errstate(all="ignore"):
        z = y / 16.0  # exact, and the differences below cannot overflow
        best, median = np.max(z), np.median(z)
        if best == median and np.any(z < best):
            # Half of the scores have the best value: the median of the others is informative.
            median = np.median(z[z < best])
        if clip:
            z = np.maximum(z, median - _CLIP * (best - median))
        # Scaled by the largest magnitude, the squares of the deviation cannot overflow.
        magnitude = float(np.max(np.abs(z)))
        if magnitude < np.finfo(np.float64).tiny:
            return np.zeros(len(y)), 0.0, 1.0
        z /= magnitude
        mean, deviation = float(np.mean(z)), float(np.std(z))
        magnitude *= 16.0
        if deviation < 1e-12:
            return np.zeros(len(y)), mean * magnitude, 1.0
        return (z - mean) / deviation, mean * magnitude, deviation * magnitude


def known_noise(variance: FloatArray | None, n: int, scale: float) -> FloatArray:
    """Return the known variances of n scores in standardised units; 0 if none are known."""
    return np.zeros(n) if variance is None else np.asarray(variance) / scale / scale


def subset(y: FloatArray, size: int) -> IntArray:
    """Return the indices of the observations to keep: the best half and the latest others.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Scores in the order of observation.
    size : int
        Number of observations to keep.

    Returns
    -------
    ndarray of shape (min(n, size),), int
        Ascending indices.
    """
    n = len(y)
    if n <= size:
        return np.arange(n)
    chosen = np.zeros(n, dtype=np.bool_)
    chosen[np.argsort(-y, kind="stable")[: size // 2]] = True
    chosen[np.flatnonzero(~chosen)[-(size - size // 2) :]] = True
    return np.flatnonzero(chosen)
