"""Cost of a trial: a model of its seconds, and expected improvement per unit of cost.

The model predicts the logarithm of the seconds. Seconds of one space spread over orders of
magnitude, and the parameters that drive them, sizes and counts, act as factors.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import log_ndtr

from sklearn_lepton._surrogate.gaussian_process import GaussianProcess, fit
from sklearn_lepton._surrogate.kernel import BoolArray
from sklearn_lepton._surrogate.mixture import SurrogateEnsemble
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.space._dimension import FloatArray

_MIN_TIMED = 3  # trials: fewer don't show which parameters drive the cost
_MAX_TIMED = 100  # trials: bounds the time of a fit
_MIN_RATIO = 2.0  # of the greatest to the least modelled seconds: below, it may be noise
_EXPONENT_WITHOUT_LIMIT = 0.5
_OFFSET_SHARE = 0.002  # of the remaining seconds: trials that take much less cost the same


def full_seconds(trials: Sequence[Trial]) -> FloatArray:
    """Return the seconds that each trial would take on all splits at full fidelity.

    A pruned trial took the time of the splits that ran. A trial at low fidelity took about that
    share of the time.

    Parameters
    ----------
    trials : sequence of Trial
        Finished trials, in any order.

    Returns
    -------
    seconds : ndarray of shape (n_trials,)
        At least 0; 0 if unknown, as for a pruned trial without split results.
    """
    n_splits = max((len(t.split_results) for t in trials if t.status == "complete"), default=0)
    seconds = np.array([trial.duration / (trial.fidelity or 1.0) for trial in trials], dtype=float)
    for index, trial in enumerate(trials):
        n_run = sum(map(bool, trial.split_results))
        if trial.status == "pruned" or 0 < n_run < n_splits:
            seconds[index] *= n_splits / n_run if n_run else 0.0
    return np.where(np.isfinite(seconds), np.maximum(seconds, 0.0), 0.0)


@dataclass(frozen=True, eq=False)
class CostModel:
    """A model of the logarithm of a trial's seconds.

    Attributes
    ----------
    process : GaussianProcess
        Process of log seconds; ``y_mean`` and ``y_scale`` undo its scaling.
    """

    process: GaussianProcess

    @classmethod
    def of(cls, trials: Sequence[Trial], categorical: BoolArray) -> Self | None:
        """Fit the model to finished trials.

        Parameters
        ----------
        trials : sequence of Trial
            Finished trials, in the order of their numbers. If there are many, the first ones,
            which spread over the space, and the latest ones are used.
        categorical : ndarray of shape (n_dims,), bool
            Unordered columns.

        Returns
        -------
        model : CostModel or None
            None if too few trials have seconds, or if all take about as long: the greatest of
            the modelled seconds is less than twice the least.
        """
        seconds = full_seconds(trials)
        timed = np.flatnonzero(seconds > 0.0)
        if len(timed) < _MIN_TIMED:
            return None
        if len(timed) > _MAX_TIMED:
            half = _MAX_TIMED // 2
            timed = np.concatenate([timed[:half], timed[-half:]])
        points = np.array([trials[index].point for index in timed.tolist()])
        process = fit(points, np.log(seconds[timed]), categorical=categorical, clip=False)
        spread = process.y_scale * np.ptp(process.fitted)
        return cls(process) if spread >= math.log(_MIN_RATIO) else None

    def predict(self, Xs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return mean and standard deviation of log seconds, noise included.

        Parameters
        ----------
        Xs : ndarray of shape (n_points, n_dims)

        Returns
        -------
        mean, std : ndarray of shape (n_points,)
        """
        mean, std = self.process.predict(Xs)
        scale = self.process.y_scale
        return self.process.y_mean + scale * mean, scale * np.sqrt(std**2 + self.process.nugget)

    def acquisition(
        self, model: SurrogateEnsemble, *, spent: float, max_seconds: float | None, n_pending: int
    ) -> "CostAwareAcquisition":
        """Return a surrogate whose expected improvement is per unit of cost.

        Parameters
        ----------
        model : SurrogateEnsemble
            Surrogate of the scores.
        spent : float, seconds
            Seconds that all finished trials took.
        max_seconds : float or None, seconds
            Seconds that all trials may take, finished ones included; None if unknown.
        n_pending : int
            Number of pending trials, which share the remaining seconds.

        Returns
        -------
        acquisition : CostAwareAcquisition
            Its exponent is the share of the seconds that remains (cost cooling), so that an
            expensive optimum is tried before they are spent. It is 1/2 without a limit.

        References
        ----------
        Lee, E. H., Perrone, V., Archambeau, C. and Seeger, M. (2020). Cost-aware Bayesian
        optimization. https://arxiv.org/abs/2003.10870, equation 4.
        """
        exponent, remaining_budget, cost_offset = _EXPONENT_WITHOUT_LIMIT, math.inf, 0.0
        if max_seconds is not None:
            left = max(max_seconds - spent, 0.0)
            exponent, cost_offset = left / max_seconds, _OFFSET_SHARE * left
            # Once nothing is left, no trial is in time, and none is preferred for its cost.
            if left > 0.0:
                remaining_budget = left / (1 + n_pending)
        return CostAwareAcquisition(
            process=model.process,
            forest=model.forest,
            weight=model.weight,
            model=model,
            costs=self,
            exponent=exponent,
            remaining_budget=remaining_budget,
            cost_offset=cost_offset,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class CostAwareAcquisition(SurrogateEnsemble):
    """A surrogate whose expected improvement is divided by a power of the expected seconds.

    Attributes
    ----------
    model : SurrogateEnsemble
        Surrogate without costs.
    costs : CostModel
    exponent : float in [0, 1]
        0 is expected improvement, 1 is expected improvement per second.
    remaining_budget : float, seconds
        Seconds that one trial may take; infinite if unknown.
    cost_offset : float, seconds, >= 0
        Added to the seconds of a trial: where all take much less, none is cheaper than another.
    """

    model: SurrogateEnsemble
    costs: CostModel
    exponent: float
    remaining_budget: float
    cost_offset: float

    @property
    def incumbent(self) -> float:
        """The value to improve on; see `SurrogateEnsemble.incumbent`."""
        return self.model.incumbent

    def log_improvement(self, Xs: FloatArray, best: float) -> FloatArray:
        """Return the log expected improvement in time, per unit of cost.

        See `SurrogateEnsemble.log_improvement`.
        """
        value = self.model.log_improvement(Xs, best)
        mean, std = self.costs.predict(Xs)
        value = value - self.exponent * np.logaddexp(mean, self._log_offset)
        if math.isfinite(self.remaining_budget):
            # The probability to finish in time. Its logarithm still ranks points where it is 0.
            value = value + log_ndtr((math.log(self.remaining_budget) - mean) / std)
        return value

    def process_improvement_with_gradient(
        self, Xs: FloatArray, best: float
    ) -> tuple[FloatArray, FloatArray]:
        """Return the log expected improvement per unit of cost, and its gradient.

        The probability to finish in time is left out: it is flat but for a cliff.
        """
        value, gradient = self.model.process_improvement_with_gradient(Xs, best)
        process = self.costs.process
        mean, _, dmean, _ = process.predict_with_gradient(Xs)
        mean = process.y_mean + process.y_scale * mean
        log_cost = np.logaddexp(mean, self._log_offset)
        # d log(exp(mean) + offset) = exp(mean) / (exp(mean) + offset) dmean
        slope = self.exponent * process.y_scale * np.exp(mean - log_cost)
        return value - self.exponent * log_cost, gradient - slope[:, None] * dmean

    @property
    def _log_offset(self) -> float:
        return math.log(self.cost_offset) if self.cost_offset > 0.0 else -math.inf
