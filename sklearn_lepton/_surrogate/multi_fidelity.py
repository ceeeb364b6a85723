"""Models over points and resource: what a little of it says of all.

The points get one more column, the share of the resource on a logarithmic scale, which is 1
for all of it and 0 for a twenty-seventh. Its length-scale says how much scores with little of
it tell of those with all. Whoever asks the model asks for the full resource.

How much to give a setting is decided by what a plan promises for its cost, both of them expected:
all of the resource at once, or first a look with less of it, after which only what still promises
enough for the rest of the cost gets all.

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
_MIN_LOG_DENSITY_GAIN = 0.2  # logarithm of a density
# What a look may show, in standard deviations, from the best to the worst, and how likely it is.
_OUTCOMES = np.linspace(8.0, -4.0, 61)
_CHANCES = np.exp(-0.5 * _OUTCOMES**2)
_CHANCES /= _CHANCES.sum()


def with_resource(X: FloatArray, shares: Sequence[float]) -> FloatArray:
    """Append the column of the resource.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Points.
    shares : sequence of float of length n
        Shares of the full resource, greater than 0.

    Returns
    -------
    ndarray of shape (n, d + 1)
    """
    column = 1.0 + np.log(np.asarray(shares, dtype=np.float64)) / _LOG_UNIT
    return np.hstack([X, column[:, None]])


def at_full_fidelity(X: FloatArray) -> FloatArray:
    """Append the column of the full resource."""
    return np.hstack([X, np.ones((len(X), 1))])


def low_fidelity_is_informative(process: GaussianProcess, own: GaussianProcess) -> bool:
    """Tell whether scores with less of the resource help to foretell those with all.

    Compared are the densities of the better half of the full scores, each foretold by all others.

    Parameters
    ----------
    process : GaussianProcess
        Fitted to all scores.
    own : GaussianProcess
        Fitted to those with all of the resource.

    Returns
    -------
    bool

    References
    ----------
    Rasmussen and Williams (2006), equations 5.10 to 5.12.
    """
    return _loo_log_density(process) >= _loo_log_density(own) + _MIN_LOG_DENSITY_GAIN


def _loo_log_density(process: GaussianProcess) -> float:
    X, y = process.observed
    precision = np.einsum("ij,ij->j", process.L_inverse, process.L_inverse)
    log_density = 0.5 * (np.log(precision) - process.alpha**2 / precision)
    full = X[:, -1] == 1.0
    if not full.any():  # of very many observations not all are kept
        return -np.inf
    better = full & (y >= np.median(y[full]))
    return float(log_density[better].mean() - np.log(process.y_scale))


class FullFidelityEnsemble(SurrogateEnsemble):
    """A mixture that saw scores at many resources and is asked about the full one.

    Both models have d + 1 columns, the last of which is the resource; what goes in has d.
    """

    @property
    def incumbent(self) -> float:
        """Greatest posterior mean at a point tried, or in flight, with all of the resource."""
        X, _ = self.process.observed
        full = X[X[:, -1] == 1.0]
        return float(
            self.process.predict(full if len(full) else at_full_fidelity(X[:, :-1]))[0].max()
        )

    def log_improvement(self, Xs: FloatArray, best: float) -> FloatArray:
        """Logarithm of the expected improvement; see `SurrogateEnsemble.log_improvement`."""
        return super().log_improvement(at_full_fidelity(Xs), best)

    def process_improvement_with_gradient(
        self, Xs: FloatArray, best: float
    ) -> tuple[FloatArray, FloatArray]:
        """See `SurrogateEnsemble.process_improvement_with_gradient`."""
        value, gradient = super().process_improvement_with_gradient(at_full_fidelity(Xs), best)
        return value, gradient[:, :-1]

    def predict(self, Xs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and deviation of what would be observed; see `SurrogateEnsemble.predict`."""
        return super().predict(at_full_fidelity(Xs))


class NoisyIncumbentEnsemble(FullFidelityEnsemble):
    """A mixture that is asked for scores as they will stand in the results, noise and all.

    On a plateau every trial with all of the resource may be the best by its noise, and none is
    by its mean: there a look, which knows nothing of that noise, is worth less.
    """

    @property
    def incumbent(self) -> float:
        """Greatest score with all of the resource."""
        X, y = self.process.observed
        full = X[:, -1] == 1.0
        return float(y[full].max()) if full.any() else super().incumbent

    @property
    def has_low_fidelity(self) -> bool:
        """Whether it knows of scores with less than all of the resource."""
        return bool(np.any(self.process.observed[0][:, -1] < 1.0))

    def log_improvement(self, Xs: FloatArray, best: float) -> FloatArray:
        """See `SurrogateEnsemble.log_improvement`."""
        return log_expected_improvement(*self.predict(Xs), best)


@dataclass(frozen=True)
class LowFidelityPlan:
    """A plan: to look at a setting with less of the resource first.

    Attributes
    ----------
    share : float in (0, 1)
        Of the resource, for the look.
    cost, rest : float, > 0
        Of the look, and of a trial at full resource after it; a new one costs 1.
    noise : float, >= 0
        Variance of a score with this share, besides the process's own, in its units.
    """

    share: float
    cost: float
    rest: float
    noise: float

    def gain(self, process: GaussianProcess, point: FloatArray, best: float) -> float:
        """Compare the improvement per cost with what a new full trial promises.

        Parameters
        ----------
        process : GaussianProcess
        point : ndarray of shape (d,)
        best : float
            Value to improve on, in units of ``process.y``.

        Returns
        -------
        gain : float
            Logarithm of the ratio, if the setting goes on after the best outcomes of the look,
            as many as make it greatest.
        """
        full = at_full_fidelity(point[None])
        mean, std = process.predict(full)
        seen = process.condition(with_resource(point[None], [self.share])[0], self.noise)
        _, left = seen.predict(full)
        shown = np.sqrt(np.maximum(std**2 - left**2, 0.0))
        std, left = (np.sqrt(s**2 + process.nugget) for s in (std, left))
        promised = log_expected_improvement(
            mean + shown * _OUTCOMES, np.broadcast_to(left, _OUTCOMES.shape), best
        )
        promised += np.log(_CHANCES)
        rates = np.cumsum(np.exp(promised - logsumexp(promised)))
        rates /= self.cost + self.rest * np.cumsum(_CHANCES)
        return float(np.log(rates.max()))
