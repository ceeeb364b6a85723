"""Logarithm of expected improvement, accurate however small the improvement."""

from __future__ import annotations

import numpy as np
from scipy.special import erfcx, ndtr

from sklearn_lepton._surrogate.kernel import FloatArray

_LOG_SQRT_2PI = 0.5 * np.log(2.0 * np.pi)
_SQRT_HALF_PI = np.sqrt(0.5 * np.pi)
# Below, 1 + z Phi(z) / phi(z) loses more digits than its asymptotic series.
_SERIES_BELOW = -50.0
_LARGEST = 1e150  # its square is finite
_SMALLEST_STD = 1e-150


def log_expected_improvement(mean: FloatArray, std: FloatArray, best: float) -> FloatArray:
    """Logarithm of the expected improvement over a value.

    Parameters
    ----------
    mean, std : ndarray of shape (m,)
        Posterior mean and deviation (>= 0); greater means are better.
    best : float
        Value to improve on.

    Returns
    -------
    ndarray of shape (m,)
        Finite for finite arguments.

    References
    ----------
    S. Ament, S. Daulton, D. Eriksson, M. Balandat, E. Bakshy, Unexpected improvements
    to expected improvement for Bayesian optimization, NeurIPS 2023,
    arXiv:2310.20708, equations 8 and 9.
    """
    with np.errstate(all="ignore"):
        std = np.maximum(std, _SMALLEST_STD)
        z = np.clip((mean - best) / std, -_LARGEST, _LARGEST)
        ratio, _ = _improvement_over_density(z)
        return _log_improvement(z, ratio) + np.log(std)


def log_expected_improvement_with_derivatives(
    mean: FloatArray, std: FloatArray, best: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Logarithm of the expected improvement, with its two partial derivatives.

    With ``h(z) = phi(z) + z Phi(z)``, ``EI = std h((mean - best) / std)`` has the
    derivatives ``Phi(z)`` and ``phi(z)`` by mean and deviation.

    Parameters
    ----------
    mean, std : ndarray of shape (m,)
        Posterior mean and deviation (>= 0); greater means are better.
    best : float
        Value to improve on.

    Returns
    -------
    value : ndarray of shape (m,)
        Logarithm of the expected improvement.
    by_mean : ndarray of shape (m,)
        Its derivative by ``mean``.
    by_std : ndarray of shape (m,)
        Its derivative by ``std``.
    """
    with np.errstate(all="ignore"):
        std = np.maximum(std, _SMALLEST_STD)
        z = np.clip((mean - best) / std, -_LARGEST, _LARGEST)
        ratio, mills = _improvement_over_density(z)
        value = _log_improvement(z, ratio) + np.log(std)
        # For z > -1 both are multiples of the density, which underflows late.
        scale = 1.0 / (std * ratio)
        return value, mills * scale, np.where(z > -1.0, np.exp(-0.5 * z * z), 1.0) * scale


def _improvement_over_density(z: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return (h(z), Phi(z)), both divided by phi(z) where z <= -1.

    For z > -1 both are multiplied by sqrt(2 pi) instead, so that the remaining
    factor is exp(-z^2 / 2) in the one case and 1 in the other.
    """
    near = np.maximum(z, -1.0)
    cdf = ndtr(near) / np.exp(-_LOG_SQRT_2PI)
    direct = np.exp(-0.5 * near * near) + near * cdf

    far = np.minimum(z, -1.0)
    mills = _SQRT_HALF_PI * erfcx(far * -np.sqrt(0.5))
    u = 1.0 / (far * far)
    series = u * (1 - u * (3 - u * (15 - u * (105 - u * (945 - u * 10395)))))
    tail = np.where(far < _SERIES_BELOW, series, 1.0 + far * mills)
    is_near = z > -1.0
    return np.where(is_near, direct, tail), np.where(is_near, cdf, mills)


def _log_improvement(z: FloatArray, ratio: FloatArray) -> FloatArray:
    value: FloatArray = np.log(ratio) - _LOG_SQRT_2PI
    return value - np.where(z > -1.0, 0.0, 0.5 * z * z)
