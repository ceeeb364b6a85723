"""Limits on results: models of what trials exceed them by, and feasible improvement."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.special import log_ndtr

from sklearn_lepton._surrogate.gaussian_process import GaussianProcess, fit
from sklearn_lepton._surrogate.kernel import BoolArray
from sklearn_lepton._trials.objectives import Objectives
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.space._dimension import FloatArray

_MIN_COMPLETE = 3  # trials: fewer don't show which parameters matter
_MAX_FITTED = 100  # trials: bounds the time of a fit
_LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)


@dataclass(frozen=True, eq=False)
class LimitModel:
    """Models of what trials exceed each limit by.

    Attributes
    ----------
    processes : list of GaussianProcess
        One for each limit.
    within : ndarray of shape (n_within, n_dims)
        Points of the trials that are within all limits.
    """

    processes: list[GaussianProcess]
    within: FloatArray

    @classmethod
    def of(
        cls, finished: Sequence[Trial], objectives: Objectives, categorical: BoolArray
    ) -> Self | None:
        """Fit the models to finished trials.

        Parameters
        ----------
        finished : sequence of Trial
            In the order of their numbers.
        objectives : Objectives
        categorical : ndarray of shape (n_dims,), bool
            Unordered columns.

        Returns
        -------
        model : LimitModel or None
            None without limits, or with too few complete trials.
        """
        excess = objectives.excesses(finished)
        known = np.flatnonzero(~np.isnan(excess).any(axis=1))
        if not objectives.limits or len(known) < _MIN_COMPLETE:
            return None
        points = np.array([finished[row].point for row in known[-_MAX_FITTED:].tolist()])
        processes = [
            fit(points, _tamed(column), categorical=categorical, clip=False)
            for column in excess[known[-_MAX_FITTED:]].T
        ]
        within = [t.point for t, row in zip(finished, excess, strict=True) if (row <= 0.0).all()]
        return cls(processes, np.array(within).reshape(len(within), len(categorical)))

    def log_probability(self, Xs: FloatArray) -> FloatArray:
        """Return the logarithm of the probability that points are within all limits."""
        return np.sum([log_ndtr(self._margin(p, Xs)) for p in self.processes], axis=0)  # type: ignore[no-any-return]

    @staticmethod
    def _margin(process: GaussianProcess, Xs: FloatArray) -> FloatArray:
        """Return the distance of the mean from the limit in standard deviations."""
        mean, std = process.predict(Xs)
        mean = process.y_mean / process.y_scale + mean
        return -mean / np.sqrt(std**2 + process.nugget)

    def log_probability_with_gradient(self, Xs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return `log_probability` of shape (m,), and its gradient of shape (m, d)."""
        value, gradient = np.zeros(len(Xs)), np.zeros(Xs.shape)
        for process in self.processes:
            mean, std, dmean, dstd = process.predict_with_gradient(Xs)
            mean = process.y_mean / process.y_scale + mean
            scale = np.sqrt(std**2 + process.nugget)
            z = -mean / scale
            log_cdf = log_ndtr(z)
            value += log_cdf
            # d log Phi(z) = phi(z) / Phi(z) dz, with scale dscale = std dstd
            slope = np.exp(-0.5 * z * z - _LOG_SQRT_2PI - log_cdf)
            dz = -(dmean + z[:, None] * (std / scale)[:, None] * dstd) / scale[:, None]
            gradient += slope[:, None] * dz
        return value, gradient


@dataclass(frozen=True, eq=False)
class FeasibleAcquisition:
    """Expected improvement on the best trial within the limits, times the odds to be within.

    As long as no trial is within, it is the probability alone.

    Attributes
    ----------
    model : SurrogateEnsemble
        Surrogate of the scores, which may weigh costs.
    limits : LimitModel

    References
    ----------
    Gardner, J. R., Kusner, M. J., Xu, Z., Weinberger, K. Q. and Cunningham, J. P. (2014).
    Bayesian optimization with inequality constraints. ICML, PMLR 32.
    https://proceedings.mlr.press/v32/gardner14.html
    """

    model: Any
    limits: LimitModel

    @property
    def process(self) -> GaussianProcess:
        """Process of the scores."""
        return self.model.process  # type: ignore[no-any-return]

    @property
    def incumbent(self) -> float:
        """Greatest posterior mean at a trial within the limits; -inf if there is none."""
        if not len(self.limits.within):
            return -math.inf
        mean, _ = self.process.predict(self.limits.within)
        return float(mean.max())

    def log_improvement(self, Xs: FloatArray, best: float) -> FloatArray:
        """Return the logarithm of the feasibility-weighted improvement, of shape (m,)."""
        value = self.limits.log_probability(Xs)
        if not math.isfinite(best):
            return value
        improvement: FloatArray = self.model.log_improvement(Xs, best)
        return value + improvement

    def process_improvement_with_gradient(
        self, Xs: FloatArray, best: float
    ) -> tuple[FloatArray, FloatArray]:
        """Return `log_improvement` without a forest, and its gradient of shape (m, d)."""
        value, gradient = self.limits.log_probability_with_gradient(Xs)
        if not math.isfinite(best):
            return value, gradient
        improvement, slope = self.model.process_improvement_with_gradient(Xs, best)
        return value + improvement, gradient + slope


def _tamed(excess: FloatArray) -> FloatArray:
    """Return excesses with their outliers drawn in: the limit matters, not how far it is."""
    scale = np.median(np.abs(excess))
    return np.arcsinh(excess / scale) if scale > 0 else excess
