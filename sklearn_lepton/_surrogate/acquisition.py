"""Logarithm of expected improvement, accurate for improvements of any size.

Notation of Ament et al. (2023): ``z = (mean - best) / std``, ``h(z) = phi(z) + z Phi(z)`` and
``log EI = log h(z) + log std`` (equation 8).

References
----------
S. Ament, S. Daulton, D. Eriksson, M. Balandat, E. Bakshy, Unexpected improvements
to expected improvement for Bayesian optimization, NeurIPS 2023, arXiv:2310.20708.
"""

from __future__ import annotations

import numpy as np
from scipy.special import erfcx, ndtr

from sklearn_lepton._surrogate.kernel import FloatArray

_LOG_SQRT_2PI = 0.5 * np.log(2.0 * np.pi)
_SQRT_HALF_PI = np.sqrt(0.5 * np.pi)
# Below this z, 1 + z Phi(z) / phi(z) loses more digits to cancellation than its asymptotic
# series loses by truncation.
_SERIES_BELOW = -50.0
# Bounds whose squares and reciprocals are finite.
_LARGEST = 1e150
_SMALLEST_STD = 1e-150


def log_expected_improvement(mean: FloatArray, std: FloatArray, best: float) -> FloatArray:
    """Return the logarithm of the expected improvement over a value.

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
    """
    with np.errstate(all="ignore"):
        std = np.maximum(std, _SMALLEST_STD)
        z = np.clip((mean - best) / std, -_LARGEST, _LARGEST)
        ratio, _ = _improvement_over_density(z)
        return _log_improvement(z, ratio) + np.log(std)


def log_expected_improvement_with_derivatives(
    mean: FloatArray, std: FloatArray, best: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the logarithm of the expected improvement with its two partial derivatives.

    The derivatives of ``EI = std h(z)`` by mean and deviation are ``Phi(z)`` and ``phi(z)``.

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
        # d log EI / d mean = Phi / (std h): the factor taken out of both cancels.
        scale = 1.0 / (std * ratio)
        # d log EI / d std = phi / (std h): sqrt(2 pi) phi for z > -1, phi / phi = 1 below.
        return value, mills * scale, np.where(z > -1.0, np.exp(-0.5 * z * z), 1.0) * scale


def _improvement_over_density(z: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return ``h(z)`` and ``Phi(z)``, both without the factor that underflows.

    For z <= -1 both are divided by ``phi(z)``; for z > -1 they are multiplied by sqrt(2 pi).
    The branches are those of equation 9, whose middle one is ``1 + z Phi(z) / phi(z)`` here.
    """
    # z > -1: the definition of h loses no digits.
    near = np.maximum(z, -1.0)
    cdf = ndtr(near) / np.exp(-_LOG_SQRT_2PI)
    direct = np.exp(-0.5 * near * near) + near * cdf

    # z <= -1: Phi(z) / phi(z) by the scaled complementary error function.
    far = np.minimum(z, -1.0)
    mills = _SQRT_HALF_PI * erfcx(far * -np.sqrt(0.5))
    # z << -1: 1 + z Phi / phi = 1/z^2 - 3/z^4 + 15/z^6 - ..., without cancellation.
    u = 1.0 / (far * far)
    series = u * (1 - u * (3 - u * (15 - u * (105 - u * (945 - u * 10395)))))
    tail = np.where(far < _SERIES_BELOW, series, 1.0 + far * mills)
    is_near = z > -1.0
    return np.where(is_near, direct, tail), np.where(is_near, cdf, mills)


def _log_improvement(z: FloatArray, ratio: FloatArray) -> FloatArray:
    """Return ``log h(z)`` (equation 9), given `_improvement_over_density`."""
    value: FloatArray = np.log(ratio) - _LOG_SQRT_2PI
    return value - np.where(z > -1.0, 0.0, 0.5 * z * z)
