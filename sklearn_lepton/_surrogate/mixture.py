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
from sklearn_lepton._surrogate.kernel import FloatArray, IntArray
from sklearn_lepton._surrogate.observations import subset

_WEIGHT = 0.5  # of the forest
# A forest learns little from a few observations: its weight grows from 0 at the first of these
# numbers of observations to `_WEIGHT` at the second.
_RAMP = (8, 48)
# On smooth functions without noise the weight of the forest falls to 0. Both must hold: the log
# noise variance of the process is low, and its mean advantage in log predictive density, per
# score, is high. The fall is linear between two values of each.
_LOW_NOISE, _ADVANTAGE = (-7.0, -9.0), (0.4, 1.0)
_MAX_ADVANTAGE = 4.0  # of one score
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
        alone, n = process, len(process.observed[1])
        for point in pending:
            process = process.condition(point)
        ramp = _ramp(n, _RAMP)
        X, y = process.observed
        # Constant scores, or a space of one point, leave a tree nothing to split.
        if ramp == 0.0 or not np.any(y) or not X.size:
            return cls(process)
        kept = subset(y, _MAX_FOR_FOREST)
        forest = Forest.fit(X[kept], y[kept], process.categorical[: X.shape[1]], rng)
        weight = _WEIGHT * ramp * _forest_share(alone, forest, X[kept], kept)
        return cls(process, forest, float(weight)) if weight > 0.0 else cls(process)

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


def _forest_share(process: GaussianProcess, forest: Forest, X: FloatArray, kept: IntArray) -> float:
    """Return the share of its weight that the forest keeps, from 0 to 1.

    The process predicts each score from the others, the forest from the trees that have not
    seen it. Where the process is far better, and the scores have next to no noise, the steps of
    the forest would hide the small improvements that are left near the optimum.

    Parameters
    ----------
    process : GaussianProcess
        Process of the observations without pending points.
    forest : Forest
    X : ndarray of shape (n_kept, d)
        Points that the forest was fitted to.
    kept : ndarray of shape (n_kept,), int
        Their positions among the observations; pending points come after these.
    """
    is_quiet = _ramp(process.theta[-1], _LOW_NOISE)
    if is_quiet == 0.0:
        return 1.0
    is_observed = kept < len(process.y)
    rows = kept[is_observed]
    mean, std = process.leave_one_out()
    other, other_std = forest.predict_out_of_bag(X)
    advantage = _log_density(process.y[rows], mean[rows], std[rows]) - _log_density(
        process.y[rows], other[is_observed], other_std[is_observed]
    )
    mean_advantage = np.clip(advantage, -_MAX_ADVANTAGE, _MAX_ADVANTAGE).mean()
    return 1.0 - is_quiet * _ramp(mean_advantage, _ADVANTAGE)


def _ramp(value: float, ends: tuple[float, float]) -> float:
    """Return 0 up to the first end, 1 from the second one on, and linear values between."""
    return float(np.clip((value - ends[0]) / (ends[1] - ends[0]), 0.0, 1.0))


def _log_density(y: FloatArray, mean: FloatArray, std: FloatArray) -> FloatArray:
    """Return the logarithm of the normal density, up to a constant."""
    return -0.5 * ((y - mean) / std) ** 2 - np.log(std)
