"""Offset and scale of a target task's scores, estimated from those of the source tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg.lapack import dpotrs

from sklearn_lepton._surrogate.kernel import FloatArray

# Width, in logarithms, of the prior of the target's scale around that of the sources. The prior
# is a Cauchy distribution: its tails allow a metric of a different magnitude.
_LOG_SCALE_WIDTH = 0.5
_TINY = 1e-100
# Grid of log scales that `Scaling` compares.
_LOG_SCALES = np.linspace(-10.0, 6.0, 641)


@dataclass(frozen=True, eq=False)
class Scaling:
    """Offset and scale of the target's scores, estimated for a covariance.

    Let ``a`` be the target's scores, standardised, and ``c`` those of the source tasks. The
    process is fitted to ``y = c + u a - v b``, where ``b`` is 1 for observations of the target
    and 0 for others. For a covariance ``K``, scale ``u`` and offset ``v`` minimise

        y^T K^-1 y / 2 - (n - 1) log u + log(1 + (log(u / u0) / s)^2).

    The second term is the Jacobian of the scale with the offset integrated out; the third is
    the Cauchy prior of ``log u``. The offset is a generalised least-squares estimate, which
    leaves a problem of one dimension for the scale.

    Attributes
    ----------
    parts : ndarray of shape (n_source + n, 3)
        Columns ``c``, ``a`` and ``b``.
    n : int
        Number of observations of the target.
    log_u0 : float
        Logarithm of the scale that brings the target's scores to the unit of the sources.
    """

    parts: FloatArray
    n: int
    log_u0: float

    @classmethod
    def of(cls, source_z: FloatArray, z: FloatArray, log_u0: float) -> Scaling:
        """Return the scaling for standardised scores of the sources and of the target."""
        parts = np.zeros((len(source_z) + len(z), 3))
        parts[: len(source_z), 0] = source_z
        parts[len(source_z) :, 1] = z
        parts[len(source_z) :, 2] = 1.0
        return cls(parts, len(z), log_u0)

    def solve(self, L: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, float]:
        """Return the scores as weights of the parts, with the terms of `LogPosterior.solve`.

        Parameters
        ----------
        L : ndarray of shape (n_source + n, n_source + n)
            Lower Cholesky factor of the covariance of the scores.

        Returns
        -------
        weights : ndarray of shape (3,)
            Factors 1, u and -v of the parts.
        alpha, beta : ndarray of shape (n_source + n,)
            ``K^-1 y`` and ``K^-1 b / sqrt(b' K^-1 b)``.
        log_correction : float
            Terms of the scale and of the integrated offset.
        """
        # The quadratic forms of c, a and b under K^-1.
        solved, _ = dpotrs(L, self.parts, lower=1)
        (_, ca, cb), (_, aa, ab), (_, _, bb) = self.parts.T @ solved
        u, log_correction, bb = np.exp(self.log_u0), 0.0, max(bb, _TINY)
        # With the optimal offset inserted, the quadratic in u has these coefficients. A constant
        # target has no scale to estimate.
        if np.any(self.parts[:, 1]):
            u, log_correction = self._scale(max(aa - ab * ab / bb, 0.0), ca - cb * ab / bb)
        weights = np.array([1.0, u, -(cb + u * ab) / bb])
        # The integral over the offset contributes -log(b' K^-1 b) / 2.
        if self.n:
            log_correction -= 0.5 * np.log(bb)
        return weights, solved @ weights, solved[:, 2] / np.sqrt(bb), float(log_correction)

    def _scale(self, curvature: float, slope: float) -> tuple[float, float]:
        """Return the scale u that minimises the objective, and its terms in u alone.

        The remaining quadratic is ``curvature u^2 / 2 + slope u``.
        """
        log_terms = (self.n - 1) * _LOG_SCALES
        log_terms -= scale_penalty(_LOG_SCALES - self.log_u0)
        u = np.exp(_LOG_SCALES)
        value = log_terms - (0.5 * curvature * u + slope) * u
        best = int(np.clip(np.argmax(value), 1, len(u) - 2))
        before, peak, after = value[best - 1 : best + 2]
        # The vertex of the parabola through three values of the grid: the scale then depends
        # continuously on the covariance, as the gradient assumes.
        shift = 0.5 * (before - after) / min(before - 2.0 * peak + after, -_TINY)
        vertex = best + np.clip(shift, -1.0, 1.0)
        grid = np.arange(len(u))
        log_u, correction = np.interp(vertex, grid, _LOG_SCALES), np.interp(vertex, grid, log_terms)
        return float(np.exp(log_u)), float(correction)


def scale_penalty(log_ratio: Any) -> Any:
    """Return the negative log prior of a scale, given its log ratio to the expected scale."""
    return np.log1p((log_ratio / _LOG_SCALE_WIDTH) ** 2)
