"""Surrogates of scores at several fidelities, and the value of a low-fidelity evaluation.

Points have one additional column: the logarithm of the fidelity, scaled to 1 at the full resource
and 0 at 1/27 of it. The column's length-scale determines how much scores at low fidelity inform
about scores at full fidelity. Predictions are always made at full fidelity.

A configuration can be evaluated at full fidelity, or first at a low fidelity and only then, if
the outcome is good enough, at full fidelity. `LowFidelityPlan` compares both by expected
improvement per expected cost, as in the search problem of Weitzman (1979).

References
----------
M. L. Weitzman, Optimal search for the best alternative, Econometrica 47(3), 1979.

Q. Xie, R. Astudillo, P. I. Frazier, Z. Scully, A. Terenin, Cost-aware Bayesian optimization via the
Pandora's box Gittins index, NeurIPS 2024, arXiv:2406.20062.

A. Klein, S. Falkner, S. Bartels, P. Hennig, F. Hutter, Fast Bayesian optimization of machine
learning hyperparameters on large datasets, AISTATS 2017, arXiv:1605.07079.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from sklearn_lepton._surrogate.acquisition import log_expected_improvement
from sklearn_lepton._surrogate.gaussian_process import GaussianProcess
from sklearn_lepton._surrogate.kernel import FloatArray
from sklearn_lepton._surrogate.mixture import SurrogateEnsemble

_LOG_UNIT = np.log(27.0)
_MIN_LOG_DENSITY_GAIN = 0.2  # mean log density that low fidelities must add for each score
# Outcomes of a low-fidelity evaluation, in standard deviations and from best to worst, and their
# probabilities: a quadrature of the normal distribution.
_OUTCOMES = np.linspace(8.0, -4.0, 61)
_PROBABILITIES = np.exp(-0.5 * _OUTCOMES**2)
_PROBABILITIES /= _PROBABILITIES.sum()


def append_fidelity(X: FloatArray, fidelities: Sequence[float]) -> FloatArray:
    """Return points with the column of the fidelity.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Points.
    fidelities : sequence of float of length n
        Fidelity of each point, the share of the full resource in (0, 1].

    Returns
    -------
    ndarray of shape (n, d + 1)
    """
    column = 1.0 + np.log(np.asarray(fidelities, dtype=np.float64)) / _LOG_UNIT
    return np.hstack([X, column[:, None]])


def at_full_fidelity(X: FloatArray) -> FloatArray:
    """Return points with the column of the fidelity at the full resource."""
    return np.hstack([X, np.ones((len(X), 1))])


def low_fidelity_is_informative(process: GaussianProcess, full_only: GaussianProcess) -> bool:
    """Return whether scores at low fidelity improve predictions at full fidelity.

    The criterion is the leave-one-out log density of the better half of the full-fidelity scores.

    Parameters
    ----------
    process : GaussianProcess
        Process fitted to the scores at all fidelities.
    full_only : GaussianProcess
        Process fitted to the scores at full fidelity.

    Returns
    -------
    bool
    """
    return _loo_log_density(process) >= _loo_log_density(full_only) + _MIN_LOG_DENSITY_GAIN


def _loo_log_density(process: GaussianProcess) -> float:
    """Return the mean leave-one-out log density of the better full-fidelity scores.

    References
    ----------
    Rasmussen and Williams (2006), equations 5.10 to 5.12.
    """
    X, y = process.observed
    # The diagonal of K^-1 and alpha give the leave-one-out variance 1 / K^-1_ii and the residual
    # alpha_i / K^-1_ii (5.12), so that no process is fitted again.
    precision = np.einsum("ij,ij->j", process.L_inverse, process.L_inverse)
    log_density = 0.5 * (np.log(precision) - process.alpha**2 / precision)
    full = X[:, -1] == 1.0
    if not full.any():  # a large study keeps only some of its observations
        return -np.inf
    better = full & (y >= np.median(y[full]))
    # In the unit of the raw scores, as the two processes standardise differently.
    return float(log_density[better].mean() - np.log(process.y_scale))


class FullFidelityEnsemble(SurrogateEnsemble):
    """An ensemble fitted to scores at several fidelities that predicts at full fidelity.

    Both models have d + 1 columns, the last of which is the fidelity. The methods take points
    with d columns.
    """

    @property
    def incumbent(self) -> float:
        """Greatest posterior mean at a point observed or pending at full fidelity."""
        X, _ = self.process.observed
        full = X[X[:, -1] == 1.0]
        return float(
            self.process.predict(full if len(full) else at_full_fidelity(X[:, :-1]))[0].max()
        )

    def log_improvement(self, Xs: FloatArray, best: float) -> FloatArray:
        """Return log expected improvement; see `SurrogateEnsemble.log_improvement`."""
        return super().log_improvement(at_full_fidelity(Xs), best)

    def process_improvement_with_gradient(
        self, Xs: FloatArray, best: float
    ) -> tuple[FloatArray, FloatArray]:
        """Return value and gradient (m, d) at full fidelity; see `SurrogateEnsemble`."""
        value, gradient = super().process_improvement_with_gradient(at_full_fidelity(Xs), best)
        return value, gradient[:, :-1]

    def predict(self, Xs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return mean and deviation of a new observation; see `SurrogateEnsemble.predict`."""
        return super().predict(at_full_fidelity(Xs))


class NoisyIncumbentEnsemble(FullFidelityEnsemble):
    """An ensemble whose expected improvement is that of the noisy score.

    On a plateau any full-fidelity trial may become the best one by its noise, although no mean is
    better. A low-fidelity evaluation does not observe that noise and is therefore worth less.
    """

    @property
    def incumbent(self) -> float:
        """Greatest score at full fidelity."""
        X, y = self.process.observed
        full = X[:, -1] == 1.0
        return float(y[full].max()) if full.any() else super().incumbent

    @property
    def has_low_fidelity(self) -> bool:
        """Whether any observation has a low fidelity."""
        return bool(np.any(self.process.observed[0][:, -1] < 1.0))

    def log_improvement(self, Xs: FloatArray, best: float) -> FloatArray:
        """Return log expected improvement of the noisy score."""
        return log_expected_improvement(*self.predict(Xs), best)


@dataclass(frozen=True)
class LowFidelityPlan:
    """A plan to evaluate a configuration at a low fidelity first.

    Attributes
    ----------
    fidelity : float in (0, 1)
        Fidelity of the first evaluation.
    cost : float, > 0
        Cost of the first evaluation; a new trial at full fidelity costs 1.
    promotion_cost : float, > 0
        Cost of the evaluation at full fidelity after it.
    noise : float, >= 0
        Additional variance of a score at this fidelity, in units of the process.
    """

    fidelity: float
    cost: float
    promotion_cost: float
    noise: float

    def log_gain(self, process: GaussianProcess, point: FloatArray, best: float) -> float:
        """Return the log ratio of improvement per cost to that of a full-fidelity trial.

        The configuration is promoted after the best outcomes of the first evaluation; the
        number of these outcomes maximises the ratio.

        Parameters
        ----------
        process : GaussianProcess
            Process with the column of the fidelity.
        point : ndarray of shape (d,)
            Point of the configuration.
        best : float
            Value to improve on, in units of ``process.y``.

        Returns
        -------
        log_gain : float
        """
        full = at_full_fidelity(point[None])
        mean, std = process.predict(full)
        # Law of total variance: the deviation at full fidelity after the first evaluation, and
        # that of the mean which the evaluation moves.
        evaluated = process.condition(append_fidelity(point[None], [self.fidelity])[0], self.noise)
        _, remaining = evaluated.predict(full)
        explained = np.sqrt(np.maximum(std**2 - remaining**2, 0.0))
        remaining = np.sqrt(remaining**2 + process.nugget)
        # Expected improvement after each outcome, times the outcome's probability.
        improvement = log_expected_improvement(
            mean + explained * _OUTCOMES, np.broadcast_to(remaining, _OUTCOMES.shape), best
        )
        improvement += np.log(_PROBABILITIES)
        # Improvement per cost if the k best outcomes lead to a promotion, for every k. The sum over
        # all outcomes, by which it is normalised, is the improvement of a full-fidelity trial.
        rates = np.cumsum(np.exp(improvement - logsumexp(improvement)))
        rates /= self.cost + self.promotion_cost * np.cumsum(_PROBABILITIES)
        return float(np.log(rates.max()))
