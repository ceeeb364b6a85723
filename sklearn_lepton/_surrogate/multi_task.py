"""A Gaussian process of the current study that leans on older ones as far as they are related.

All studies share one process over the points with one more column for each study, 1 where an
observation is of that study and 0 elsewhere. The length-scale of such a column says how far
the study is from the others: the correlation of two is ``k(1 / ell_i^2 + 1 / ell_j^2)``. Like
any length-scale it is found by the marginal likelihood, so that a study which contradicts what
has been told loses its say. The column of the current study tells it from all older ones,
however alike these are.

The scores of an older study are standardised by themselves. Those of the current one are too
few for that, so their offset and scale come from what the older studies expect of them.

Notation, beside that of the package: ``K`` is the number of studies, of which the current one
is the last; ``older`` is the number of observations of the others, which stand before its own.

References
----------
K. Swersky, J. Snoek, R. P. Adams, Multi-task Bayesian optimization, NeurIPS 2013.

M. Feurer, B. Letham, E. Bakshy, Scalable meta-learning for Bayesian optimization using
ranking-weighted Gaussian process ensembles, 2018, arXiv:1802.02219, weigh a model of each
study instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from scipy.linalg.lapack import dpotrs, dtrtrs

from sklearn_lepton._surrogate.gaussian_process import (
    MAX_FOR_THETA,
    MAX_OBSERVATIONS,
    MOST_STEPS,
    GaussianProcess,
    known_noise,
    standardize,
    subset,
)
from sklearn_lepton._surrogate.kernel import BoolArray, Encoding, FloatArray, matern52
from sklearn_lepton._surrogate.likelihood import LogPosterior, Prior

Study = tuple[FloatArray, FloatArray]

MOST_STUDIES = 5
_MAX_OLDER = 150  # observations of all older studies together
_MAX_OF_A_STUDY = 60

# Mean and deviation of the prior of the log length-scale of a study's column: a correlation of
# 0.9 between two studies is what is expected.
_RELATED = (np.log(4.0), 1.0)
_UNRELATED = -1.0  # log length-scale from which a second search starts
# The scale is expected to be that of the older studies up to this factor, in logarithms. The
# tails are those of a Cauchy: a metric of quite another magnitude costs little.
_SPREAD_OF_SCALE = 0.5
# Older studies are believed from this correlation on, if they make the current scores at most
# this much less probable, in logarithms: they fit with fewer free parameters. From so many
# scores on there is no doubt any more.
_MIN_RELATED, _BENEFIT_OF_DOUBT, _ENOUGH_SCORES = 0.6, 2.0, 12
_MAX_LOG_SCALE = 300.0
_LEAST = 1e-100
_LOG_SCALES = np.linspace(-10.0, 6.0, 641)


@dataclass(frozen=True, eq=False)
class RelatedProcess(GaussianProcess):
    """A posterior over functions of the current study, older ones observed as well.

    Everything that goes in or comes out is of the current study and has d columns; the
    attributes hold all studies.

    Attributes
    ----------
    n_studies : int
        Number K of studies; ``X`` has d + K columns.
    n_older : int
        Number of observations of older studies, the first of ``X`` and ``y``.
    scaling : Scaling
        Offset and scale of the current scores.
    """

    n_studies: int = 0
    n_older: int = 0
    scaling: Scaling = field(default_factory=lambda: Scaling.of(np.empty(0), np.empty(0), 0.0))

    @property
    def observed(self) -> Study:
        """Points (n, d) and scores (n,) of the current study."""
        return self.X[self.n_older :, : -self.n_studies], self.y[self.n_older :]

    @property
    def fitted(self) -> FloatArray:
        """Posterior mean at the observed points of the current study, of shape (n,)."""
        return super().fitted[self.n_older :]

    @property
    def task_correlation(self) -> FloatArray:
        """Correlation of each older study with the current one, of shape (K - 1,)."""
        squares = np.exp(-2.0 * self.theta[-2 - self.n_studies : -2])
        return matern52(squares[:-1] + squares[-1])[0]

    def predict(self, Xs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Posterior of the latent function; see `GaussianProcess.predict`."""
        return super().predict(lift(Xs, self.n_studies))

    def predict_with_gradient(
        self, Xs: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Posterior and its slope; see `GaussianProcess.predict_with_gradient`."""
        lifted = lift(Xs, self.n_studies)
        mean, std, dmean, dstd = super().predict_with_gradient(lifted)
        return mean, std, dmean[:, : Xs.shape[1]], dstd[:, : Xs.shape[1]]

    def condition(self, x: FloatArray, extra: float = 0.0) -> Self:
        """Believe the posterior mean at a point; see `GaussianProcess.condition`."""
        return super().condition(lift(x[None], self.n_studies)[0], extra)


def lift(X: FloatArray, n_studies: int, study: int = -1) -> FloatArray:
    """Append the columns of the studies.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Points.
    n_studies : int
        Number K of studies.
    study : int, default=-1
        The one that the points are of; the last is the current one.

    Returns
    -------
    ndarray of shape (n, d + K)
    """
    return np.hstack([X, np.tile(np.eye(n_studies)[study], (len(X), 1))])


@dataclass(frozen=True, eq=False)
class Scaling:
    """Offset and scale of the current scores, the most plausible under a covariance.

    With ``a`` their values, standardised by themselves, they are told as ``u a - v``, beside
    the scores ``c`` of the older studies. Given the inverse of a covariance ``K``, minimise

        (c + u a - v b)^T K^-1 (c + u a - v b) / 2 - (n - 1) log u + log(1 + (log(u / u0) / s)^2)

    with ``b`` 1 for current observations and 0 for others. The offset is a generalised least
    squares, the scale is what is left in one dimension.

    Attributes
    ----------
    parts : ndarray of shape (older + n, 3)
        Columns ``c``, ``a`` and ``b``.
    n : int
        Number of current observations.
    log_u0 : float
        Logarithm of the scale that gives current scores the unit of the older ones.
    """

    parts: FloatArray
    n: int
    log_u0: float

    @classmethod
    def of(cls, older_z: FloatArray, z: FloatArray, log_u0: float) -> Scaling:
        """Make it of the scores of the older studies and the current one, standardised."""
        parts = np.zeros((len(older_z) + len(z), 3))
        parts[: len(older_z), 0] = older_z
        parts[len(older_z) :, 1] = z
        parts[len(older_z) :, 2] = 1.0
        return cls(parts, len(z), log_u0)

    def solve(self, L: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, float]:
        """Find the scores; see `LogPosterior.explain` for what is returned.

        Parameters
        ----------
        L : ndarray of shape (older + n, older + n)
            Lower Cholesky factor of their covariance.

        Returns
        -------
        weights : ndarray of shape (3,)
            Factors 1, u and -v of the parts.
        alpha, beta : ndarray of shape (older + n,)
        gain : float
        """
        solved, _ = dpotrs(L, self.parts, lower=1)
        (_, ca, cb), (_, aa, ab), (_, _, bb) = self.parts.T @ solved
        u, gain, bb = np.exp(self.log_u0), 0.0, max(bb, _LEAST)
        if np.any(self.parts[:, 1]):
            u, gain = self._scale(max(aa - ab * ab / bb, 0.0), ca - cb * ab / bb)
        weights = np.array([1.0, u, -(cb + u * ab) / bb])
        if self.n:
            gain -= 0.5 * np.log(bb)
        return weights, solved @ weights, solved[:, 2] / np.sqrt(bb), float(gain)

    def _scale(self, curvature: float, slope: float) -> tuple[float, float]:
        """Minimise ``curvature u^2 / 2 + slope u`` less the gain: u and the gain."""
        gain = (self.n - 1) * _LOG_SCALES
        gain -= _surprise(_LOG_SCALES - self.log_u0)
        u = np.exp(_LOG_SCALES)
        value = gain - (0.5 * curvature * u + slope) * u
        best = int(np.clip(np.argmax(value), 1, len(u) - 2))
        before, here, after = value[best - 1 : best + 2]
        # The top of the parabola through three values, else the scale would go by steps.
        shift = 0.5 * (before - after) / min(before - 2.0 * here + after, -_LEAST)
        top = best + np.clip(shift, -1.0, 1.0)
        at = np.arange(len(u))
        log_u, gain_there = np.interp(top, at, _LOG_SCALES), np.interp(top, at, gain)
        return float(np.exp(log_u)), float(gain_there)


@dataclass(frozen=True, eq=False)
class RelatedPosterior(LogPosterior):
    """Log posterior of the hyperparameters, the current scores scaled anew for each.

    At the most plausible scaling the likelihood is flat in it, so that the gradient is that
    of fixed scores.

    Attributes
    ----------
    scaling : Scaling
    """

    scaling: Scaling

    @classmethod
    def of_studies(
        cls,
        X: FloatArray,
        categorical: BoolArray,
        scaling: Scaling,
        n_studies: int,
        extra: FloatArray | float = 0.0,
        *,
        has_resource: bool = False,
    ) -> RelatedPosterior:
        """Prepare what does not depend on the hyperparameters; ``X`` is lifted."""
        encoding = Encoding.of(X, categorical)
        prior = Prior.of(X[:, :-n_studies], has_resource=has_resource)
        prior = prior.with_columns(n_studies, *_RELATED)
        return cls(encoding, encoding.features(X), scaling.parts[:, 0], prior, scaling, extra=extra)

    def explain(self, L: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, float]:
        """Scale the current scores; see `LogPosterior.explain`."""
        weights, alpha, beta, gain = self.scaling.solve(L)
        return self.scaling.parts @ weights, alpha, beta, gain

    def starts(self, theta0: FloatArray | None) -> list[FloatArray]:
        """Add one that believes no older study; see `LogPosterior.starts`."""
        unrelated = self.prior.mean.copy()
        unrelated[-3] = _UNRELATED
        return [*super().starts(theta0), unrelated]


def fit_related(
    X: FloatArray,
    y: FloatArray,
    studies: Sequence[Study],
    *,
    categorical: BoolArray,
    variance: FloatArray | None = None,
    theta0: FloatArray | None = None,
    max_iter: int = MOST_STEPS,
    clip: bool = True,
    has_resource: bool = False,
) -> RelatedProcess:
    """Fit a process to a study and to older ones, as far as they are related.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Observed points in [0, 1]^d, in the order of observation; n >= 0.
    y : ndarray of shape (n,)
        Finite scores, greater is better.
    studies : sequence of tuple of ndarray of shape (n_k, d) and (n_k,)
        Points and scores of each older study, n_k >= 1, at least one study. Of more than
        five, the last are used, and of each its best and its latest observations.
    categorical, variance, theta0, max_iter, clip, has_resource
        As for `fit`; ``theta`` is of shape (d + K + 2,), with a log length-scale for each
        study, the current one last, after those of the columns.

    Returns
    -------
    RelatedProcess
    """
    studies = studies[-MOST_STUDIES:]
    older_X, older_z = _older(studies)
    n_older, n_studies = len(older_z), len(studies) + 1
    z, mean, scale = standardize(y, clip=clip) if len(y) else (y, 0.0, 1.0)
    kept = subset(z, MAX_OBSERVATIONS - n_older)
    X, z = lift(X[kept], n_studies), z[kept]
    unit = np.mean([np.log(standardize(scores)[2]) for _, scores in studies])
    log_u0 = float(np.clip(np.log(scale) - unit, -_MAX_LOG_SCALE, _MAX_LOG_SCALE))
    if not len(y):
        log_u0 = 0.0
    # In the unit of the older scores, as far as it is known before the scale is found.
    extra = known_noise(variance, len(y), scale)[kept] * np.exp(2.0 * log_u0)
    extra = np.append(np.zeros(n_older), extra)
    categorical = np.append(categorical, np.zeros(n_studies, dtype=np.bool_))
    with np.errstate(all="ignore"):
        if max_iter == 0 and theta0 is not None and np.all(np.isfinite(theta0)):
            theta = np.asarray(theta0, dtype=np.float64)
        else:
            few = subset(z, MAX_FOR_THETA - n_older)
            scaling = Scaling.of(older_z, z[few], log_u0)
            posterior = RelatedPosterior.of_studies(
                np.vstack([older_X, X[few]]),
                categorical,
                scaling,
                n_studies,
                np.append(extra[:n_older], extra[n_older:][few]),
                has_resource=has_resource,
            )
            theta = posterior.mode(theta0, max_iter)
        scaling = Scaling.of(older_z, z, log_u0)
        process = RelatedProcess.of(
            np.vstack([older_X, X]), np.zeros(n_older + len(z)), theta, categorical, extra=extra
        )
        weights, alpha, _, _ = scaling.solve(process.L)
        return replace(
            process,
            y=scaling.parts @ weights,
            alpha=alpha,
            y_mean=float(mean - scale * weights[2] / weights[1]),
            y_scale=float(scale / weights[1]),
            n_studies=n_studies,
            n_older=n_older,
            scaling=scaling,
        )


def helps(related: RelatedProcess, own: GaussianProcess) -> bool:
    """Tell whether older studies explain the current scores better than these do alone.

    Compared are the probabilities of the current scores, given those of the older studies in
    the one case, offset and scale estimated in both.

    Parameters
    ----------
    related : RelatedProcess
        Fitted to all studies.
    own : GaussianProcess
        Fitted to the same scores of the current study alone.

    Returns
    -------
    bool
        Whether the related process is the better one, or nearly so.
    """
    _, y = own.observed
    # Beside very many current observations not all have room in the related process.
    if len(y) > related.scaling.n or related.task_correlation.max() < _MIN_RELATED:
        return False
    alone = _evidence(own.L, Scaling.of(np.empty(0), y, 0.0))
    doubt = _BENEFIT_OF_DOUBT * max(0.0, 1.0 - len(y) / _ENOUGH_SCORES)
    return _evidence(related.L, related.scaling) + doubt >= alone


def _evidence(L: FloatArray, scaling: Scaling) -> float:
    """Logarithm of the probability of the current scores, given the older ones."""
    if not scaling.n:
        return 0.0
    weights, _, _, gain = scaling.solve(L)
    if np.any(scaling.parts[:, 1]):
        # That the metric is of another magnitude says nothing against the older studies.
        gain += _surprise(np.log(weights[1]) - scaling.log_u0)
    own = slice(len(L) - scaling.n, None)
    half, _ = dtrtrs(L, scaling.parts @ weights, lower=1)
    return float(gain - 0.5 * half[own] @ half[own] - np.sum(np.log(L.diagonal()[own])))


def _surprise(log_scale: Any) -> Any:
    """Penalty of a scale by its distance from the expected one."""
    return np.log1p((log_scale / _SPREAD_OF_SCALE) ** 2)


def _older(studies: Sequence[Study]) -> Study:
    """Put older studies together: lifted points and standardised scores."""
    size = min(_MAX_OF_A_STUDY, _MAX_OLDER // len(studies))
    points, scores = [], []
    for number, (X, y) in enumerate(studies):
        z, _, _ = standardize(y)
        kept = subset(z, size)
        points.append(lift(X[kept], len(studies) + 1, number))
        scores.append(z[kept])
    return np.vstack(points), np.concatenate(scores)
