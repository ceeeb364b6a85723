"""What a trial costs: a model of the seconds that trials took, and its price on improvements."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.special import log_ndtr

from sklearn_lepton._dimension import FloatArray
from sklearn_lepton._gp._kernel import BoolArray
from sklearn_lepton._gp._mixture import Mixture
from sklearn_lepton._gp._regression import GaussianProcess, fit
from sklearn_lepton._trial import Trial
from sklearn_lepton._values import is_real

_LEAST_TIMED = 3  # trials, fewer tell nothing of what drives the cost
_MOST_TIMED = 100  # trials that are modelled; bounds the cost of the cost model


def check_seconds(name: str, value: Any) -> None:
    """Refuse what is neither None nor a positive number."""
    if value is not None and not (is_real(value) and value > 0):
        msg = f"{name} must be None or a positive number of seconds, got {value!r}."
        raise ValueError(msg)


def full_seconds(trials: Sequence[Trial]) -> FloatArray:
    """Return what each trial would have cost on all splits and the full resource.

    Parameters
    ----------
    trials : sequence of Trial
        Told ones.

    Returns
    -------
    seconds : ndarray of shape (n_trials,)
        0 where that is not known: a pruned trial whose rows are not there. A pruned one took
        the time of its rows only, which counts for all splits in proportion; a trial on a
        share of the resource took about that share of the time.
    """
    n_splits = max((len(t.rows) for t in trials if t.status == "complete"), default=0)
    seconds = np.array([trial.seconds / (trial.resource or 1.0) for trial in trials])
    for index, trial in enumerate(trials):
        if trial.status == "pruned":
            seconds[index] *= n_splits / len(trial.rows) if trial.rows else 0.0
    return np.where(np.isfinite(seconds), seconds, 0.0)


@dataclass(frozen=True, eq=False)
class Costs:
    """A model of the logarithm of the seconds that a trial takes.

    Attributes
    ----------
    process : GaussianProcess
        Of log seconds, standardised.
    """

    process: GaussianProcess

    @classmethod
    def of(cls, trials: Sequence[Trial], categorical: BoolArray) -> Self | None:
        """Fit the model to told trials; None where too few tell their seconds.

        Of many trials the first, which are spread, and the latest are kept.
        """
        seconds = full_seconds(trials)
        timed = np.flatnonzero(seconds > 0.0)
        if len(timed) > _MOST_TIMED:
            timed = np.concatenate([timed[: _MOST_TIMED // 2], timed[-_MOST_TIMED // 2 :]])
        if len(timed) < _LEAST_TIMED:
            return None
        points = np.array([trials[index].point for index in timed])
        y = np.log(seconds[timed])
        return cls(fit(points, y, categorical=categorical, clip=False))

    def on(
        self, model: Mixture, spent: float, pending: FloatArray, max_seconds: float | None
    ) -> "PricedMixture":
        """Put the price on a model."""
        price, rest = 0.5, math.inf
        if max_seconds is not None:
            left = max(max_seconds - spent, 0.0)
            rest = left / (1 + len(pending)) or math.inf
            price = left / max_seconds
        return PricedMixture(
            process=model.process, forest=model.forest, weight=model.weight,
            costs=self, price=price, rest=rest,
        )

    def predict(self, Xs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and deviation of log seconds (m,) of trials at points (m, d), noise included."""
        mean, std = self.process.predict(Xs)
        scale = self.process.y_scale
        return self.process.y_mean + scale * mean, scale * np.sqrt(std**2 + self.process.nugget)


@dataclass(frozen=True, eq=False, kw_only=True)
class PricedMixture(Mixture):
    """A mixture whose improvements are priced by what they cost.

    Attributes
    ----------
    costs : Costs
        What trials cost.
    price : float in [0, 1]
        Exponent of the seconds that an improvement is divided by.
    rest : float, seconds
        What there is left to spend on one trial.
    """

    costs: Costs
    price: float
    rest: float = math.inf

    def log_improvement(self, Xs: FloatArray, best: float) -> FloatArray:
        """Logarithm of the expected improvement per price, if it comes in time: (m,)."""
        value = super().log_improvement(Xs, best)
        mean, std = self.costs.predict(Xs)
        value = value - self.price * mean
        if math.isfinite(self.rest):
            value = value + log_ndtr((math.log(self.rest) - mean) / std)
        return value

    def process_improvement_with_gradient(
        self, Xs: FloatArray, best: float
    ) -> tuple[FloatArray, FloatArray]:
        """As that of the mixture, with the price, but not the chance to come in time."""
        value, gradient = super().process_improvement_with_gradient(Xs, best)
        process = self.costs.process
        mean, _, dmean, _ = process.predict_with_gradient(Xs)
        factor = self.price * process.y_scale
        return value - factor * mean, gradient - factor * dmean
