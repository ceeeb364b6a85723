"""The two models side by side: a Gaussian process and a forest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklearn_lepton._surrogate.acquisition import (
    log_expected_improvement,
    log_expected_improvement_with_derivatives,
)
from sklearn_lepton._surrogate.forest import Forest
from sklearn_lepton._surrogate.gaussian_process import GaussianProcess, subset
from sklearn_lepton._surrogate.kernel import FloatArray

_WEIGHT = 0.5  # of the forest
# Of a few observations a forest makes nothing: its weight grows from none at the first of these
# numbers of observations to full at the second.
_RAMP = (8, 48)
_MAX_FOR_FOREST = 200  # observations; bounds the cost


@dataclass(frozen=True, eq=False)
class SurrogateEnsemble:
    """A predictive distribution of two components.

    Expected improvement under a mixture is the weighted sum of those under its
    components, so it is high where either model sees a chance.

    Attributes
    ----------
    process : GaussianProcess
        Right where scores are smooth.
    forest : Forest or None
        Right where they are not: plateaus, cliffs, columns that do nothing.
    weight : float in [0, 1)
        Weight of the forest.
    """

    process: GaussianProcess
    forest: Forest | None = None
    weight: float = 0.0

    @classmethod
    def of(
        cls, process: GaussianProcess, rng: np.random.Generator, pending: FloatArray
    ) -> SurrogateEnsemble:
        """Set a forest beside a process, unless there are too few observations for it.

        Parameters
        ----------
        process : GaussianProcess
            Fitted to what has been observed.
        rng : numpy.random.Generator
            Source of the forest's randomness.
        pending : ndarray of shape (n_pending, d)
            Points in flight; both models take the process' mean there for observed.

        Returns
        -------
        Mixture
        """
        n = len(process.observed[1])
        for point in pending:
            process = process.condition(point)
        ramp = np.clip((n - _RAMP[0]) / (_RAMP[1] - _RAMP[0]), 0.0, 1.0)
        X, y = process.observed
        if ramp == 0.0 or not np.any(y) or not X.size:
            return cls(process)
        kept = subset(y, _MAX_FOR_FOREST)
        forest = Forest.fit(X[kept], y[kept], process.categorical[: X.shape[1]], rng)
        return cls(process, forest, float(_WEIGHT * ramp))

    @property
    def incumbent(self) -> float:
        """Greatest posterior mean at a point tried or in flight: what is to be improved on."""
        return float(self.process.fitted.max())

    def log_improvement(self, Xs: FloatArray, best: float) -> FloatArray:
        """Logarithm of the expected improvement.

        Parameters
        ----------
        Xs : ndarray of shape (m, d)
            Points.
        best : float
            Value to improve on, in units of ``process.y``.

        Returns
        -------
        ndarray of shape (m,)
        """
        value = log_expected_improvement(*self.process.predict(Xs), best)
        if self.forest is None:
            return value
        other = log_expected_improvement(*self.forest.predict(Xs), best)
        mixed: FloatArray = np.logaddexp(
            value + np.log1p(-self.weight), other + np.log(self.weight)
        )
        return mixed

    def process_improvement_with_gradient(
        self, Xs: FloatArray, best: float
    ) -> tuple[FloatArray, FloatArray]:
        """Logarithm of the improvement that the process expects (m,), its gradient (m, d).

        A forest is constant between its thresholds and shows no way up.
        """
        mean, std, dmean, dstd = self.process.predict_with_gradient(Xs)
        value, by_mean, by_std = log_expected_improvement_with_derivatives(mean, std, best)
        return value, by_mean[:, None] * dmean + by_std[:, None] * dstd

    def predict(self, Xs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and deviation of what would be observed, noise included.

        Parameters
        ----------
        Xs : ndarray of shape (m, d)
            Points.

        Returns
        -------
        mean : ndarray of shape (m,)
            In units of ``process.y``.
        std : ndarray of shape (m,), > 0
            Deviation of the mixture.
        """
        mean, std = self.process.predict(Xs)
        variance = std * std + self.process.nugget
        if self.forest is not None:
            other, other_std = self.forest.predict(Xs)
            gap, w = other - mean, self.weight
            mean = mean + w * gap
            variance = (1.0 - w) * variance + w * other_std**2 + w * (1.0 - w) * gap**2
        return mean, np.sqrt(variance)
