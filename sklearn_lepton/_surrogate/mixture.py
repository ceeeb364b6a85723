"""Ensemble of a Gaussian process and a forest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklearn_lepton._surrogate.acquisition import (
    log_expected_improvement,
    log_expected_improvement_with_derivatives,
)
from sklearn_lepton._surrogate.forest import Forest
from sklearn_lepton._surrogate.gaussian_process import GaussianProcess
from sklearn_lepton._surrogate.kernel import FloatArray
from sklearn_lepton._surrogate.observations import subset

_WEIGHT = 0.5  # of the forest
# A forest learns little from a few observations: its weight grows from 0 at the first of these
# numbers of observations to `_WEIGHT` at the second.
_RAMP = (8, 48)
_MAX_FOR_FOREST = 200  # observations; limits the cost


@dataclass(frozen=True, eq=False)
class SurrogateEnsemble:
    """A predictive distribution: a mixture of a Gaussian process and a forest.

    Expected improvement under a mixture is the weighted sum of the components' expected
    improvements. It is high where either model expects an improvement.

    Attributes
    ----------
    process : GaussianProcess
        Accurate where scores are smooth.
    forest : Forest or None
        Accurate on plateaus, at cliffs and with columns that have no effect.
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
        """Return an ensemble, without a forest if there are too few observations for one.

        Parameters
        ----------
        process : GaussianProcess
            Fitted to the observations.
        rng : numpy.random.Generator
            Generator of the forest's bootstraps and thresholds.
        pending : ndarray of shape (n_pending, d)
            Points of pending trials; both models take the process' mean there as observed.

        Returns
        -------
        SurrogateEnsemble
        """
        n = len(process.observed[1])
        for point in pending:
            process = process.condition(point)
        ramp = np.clip((n - _RAMP[0]) / (_RAMP[1] - _RAMP[0]), 0.0, 1.0)
        X, y = process.observed
        # Constant scores, or a space of one point, leave a tree nothing to split.
        if ramp == 0.0 or not np.any(y) or not X.size:
            return cls(process)
        kept = subset(y, _MAX_FOR_FOREST)
        forest = Forest.fit(X[kept], y[kept], process.categorical[: X.shape[1]], rng)
        return cls(process, forest, float(_WEIGHT * ramp))

    @property
    def incumbent(self) -> float:
        """Greatest posterior mean at an observed or pending point: the value to improve on."""
        return float(self.process.fitted.max())

    def log_improvement(self, Xs: FloatArray, best: float) -> FloatArray:
        """Return the logarithm of the expected improvement.

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
        # log((1 - w) EI_process + w EI_forest)
        other = log_expected_improvement(*self.forest.predict(Xs), best)
        mixed: FloatArray = np.logaddexp(
            value + np.log1p(-self.weight), other + np.log(self.weight)
        )
        return mixed

    def process_improvement_with_gradient(
        self, Xs: FloatArray, best: float
    ) -> tuple[FloatArray, FloatArray]:
        """Return the process' log expected improvement (m,) and its gradient (m, d).

        The forest is left out: it is constant between its thresholds and has no gradient.
        """
        # Chain rule over the posterior mean and deviation.
        mean, std, dmean, dstd = self.process.predict_with_gradient(Xs)
        value, by_mean, by_std = log_expected_improvement_with_derivatives(mean, std, best)
        return value, by_mean[:, None] * dmean + by_std[:, None] * dstd

    def predict(self, Xs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return mean and deviation of a new observation, noise included.

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
        # Variance of a mixture: that within its components plus that between their means.
        if self.forest is not None:
            other, other_std = self.forest.predict(Xs)
            gap, w = other - mean, self.weight
            mean = mean + w * gap
            variance = (1.0 - w) * variance + w * other_std**2 + w * (1.0 - w) * gap**2
        return mean, np.sqrt(variance)
