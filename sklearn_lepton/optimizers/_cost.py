"""What a trial costs: a model of the seconds that trials took, and a price on improvements.

Seconds are modelled by their logarithm, since those of one space spread over orders of
magnitude and the parameters that drive them, sizes and counts, act as factors.
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

_MIN_TIMED = 3  # trials: fewer do not tell what drives the cost
_MAX_TIMED = 100  # trials: bounds the cost of the model
_MIN_SPREAD = 2.0  # of the modelled seconds: below, prices would follow noise
_PRICE_WITHOUT_BUDGET = 0.5
_FREE = 0.002  # of what is left: what takes less is cheap enough


def full_seconds(trials: Sequence[Trial]) -> FloatArray:
    """Return what each trial would have cost on all splits and the full resource.

    A pruned trial took the time of its rows only, a trial on a share of the resource about
    that share of the time.

    Parameters
    ----------
    trials : sequence of Trial
        Told ones, in any order.

    Returns
    -------
    seconds : ndarray of shape (n_trials,)
        At least 0; 0 where it is not known, such as of a pruned trial without rows.
    """
    n_splits = max((len(t.split_results) for t in trials if t.status == "complete"), default=0)
    seconds = np.array([trial.duration / (trial.fidelity or 1.0) for trial in trials], dtype=float)
    for index, trial in enumerate(trials):
        n_run = sum(map(bool, trial.split_results))
        if trial.status == "pruned" or 0 < n_run < n_splits:
            seconds[index] *= n_splits / n_run if n_run else 0.0
    return np.where(np.isfinite(seconds), np.maximum(seconds, 0.0), 0.0)


@dataclass(frozen=True, eq=False)
class Costs:
    """A model of the logarithm of the seconds that a trial takes.

    Attributes
    ----------
    process : GaussianProcess
        Of log seconds; ``y_mean`` and ``y_scale`` bring its output back to them.
    """

    process: GaussianProcess

    @classmethod
    def of(cls, trials: Sequence[Trial], categorical: BoolArray) -> Self | None:
        """Fit the model to told trials.

        Parameters
        ----------
        trials : sequence of Trial
            Told ones, in the order of their numbers. Of many the first, which lie spread,
            and the latest count.
        categorical : ndarray of shape (n_dims,), bool
            Unordered columns.

        Returns
        -------
        costs : Costs or None
            None where too few trials tell their seconds, or all took about as long: the
            greatest of the modelled seconds is less than twice the least.
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
        return cls(process) if spread >= math.log(_MIN_SPREAD) else None

    def predict(self, Xs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and deviation of log seconds (m,) at points (m, d), noise included."""
        mean, std = self.process.predict(Xs)
        scale = self.process.y_scale
        return self.process.y_mean + scale * mean, scale * np.sqrt(std**2 + self.process.nugget)

    def price(
        self, model: SurrogateEnsemble, *, spent: float, max_seconds: float | None, n_pending: int
    ) -> "CostAwareAcquisition":
        """Put a price on the improvements that a model expects.

        Parameters
        ----------
        model : Mixture
            Of the scores.
        spent : float, seconds
            What all told trials took together.
        max_seconds : float or None, seconds
            What they and all trials to come may take together; None if that is not known.
        n_pending : int
            Number of trials in flight, which share what is left.

        Returns
        -------
        priced : PricedMixture
            Its exponent is the share of the seconds that is left, so that a dear optimum is
            gone to before they are spent; one half where they are not known.

        References
        ----------
        Lee, E. H., Perrone, V., Archambeau, C. and Seeger, M. (2020). Cost-aware Bayesian
        optimization. https://arxiv.org/abs/2003.10870, equation 4.
        """
        exponent, rest, free = _PRICE_WITHOUT_BUDGET, math.inf, 0.0
        if max_seconds is not None:
            left = max(max_seconds - spent, 0.0)
            exponent, free = left / max_seconds, _FREE * left
            if left > 0.0:  # else nothing comes in time, and all may be proposed
                rest = left / (1 + n_pending)
        return CostAwareAcquisition(
            process=model.process,
            forest=model.forest,
            weight=model.weight,
            model=model,
            costs=self,
            exponent=exponent,
            rest=rest,
            free=free,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class CostAwareAcquisition(SurrogateEnsemble):
    """A mixture whose improvements are divided by a power of the seconds that they take.

    Attributes
    ----------
    model : Mixture
        Without price.
    costs : Costs
        What trials cost.
    exponent : float in [0, 1]
        0 is the improvement alone, 1 the improvement per second.
    rest : float, seconds
        What may be spent on one trial; infinite if that is not known.
    free : float, seconds, >= 0
        Added to what a trial takes: where all take much less, none is cheaper than another.
    """

    model: SurrogateEnsemble
    costs: Costs
    exponent: float
    rest: float
    free: float

    @property
    def incumbent(self) -> float:
        """See `SurrogateEnsemble.incumbent`."""
        return self.model.incumbent

    def log_improvement(self, Xs: FloatArray, best: float) -> FloatArray:
        """Logarithm of the improvement that comes in time, per price; see `SurrogateEnsemble`."""
        value = self.model.log_improvement(Xs, best)
        mean, std = self.costs.predict(Xs)
        value = value - self.exponent * np.logaddexp(mean, self._log_free)
        if math.isfinite(self.rest):
            # Where nothing comes in time the least late is best.
            value = value + log_ndtr((math.log(self.rest) - mean) / std)
        return value

    def process_improvement_with_gradient(
        self, Xs: FloatArray, best: float
    ) -> tuple[FloatArray, FloatArray]:
        """As of a mixture, per price, but whether it comes in time or not."""
        value, gradient = self.model.process_improvement_with_gradient(Xs, best)
        process = self.costs.process
        mean, _, dmean, _ = process.predict_with_gradient(Xs)
        mean = process.y_mean + process.y_scale * mean
        price = np.logaddexp(mean, self._log_free)
        slope = self.exponent * process.y_scale * np.exp(mean - price)
        return value - self.exponent * price, gradient - slope[:, None] * dmean

    @property
    def _log_free(self) -> float:
        return math.log(self.free) if self.free > 0.0 else -math.inf
