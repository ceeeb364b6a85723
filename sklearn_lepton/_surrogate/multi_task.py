"""Multi-task Gaussian process: transfer from source studies, as far as they are related.

A task is a study: the current one is the target, earlier ones are the sources. All tasks share
one process over points with one additional column for each task, which is 1 for observations of
this task and 0 for others. The length-scale of a task's column is its distance from the other
tasks: two tasks i and j have the correlation ``k(1 / ell_i^2 + 1 / ell_j^2)`` at the same point.
The marginal likelihood determines the length-scales, so that a contradictory source task gets a
correlation near zero. The target has a column of its own, so that it can differ from sources
that agree with each other.

The distance between tasks is added to the distance between points inside the kernel. The
covariance is therefore not the product of a task kernel and an input kernel that Bonilla et al.
(2008) and Swersky et al. (2013) use, and needs one parameter a task instead of one a pair.

Each source task's scores are standardised separately. The target has too few scores for that.
Their offset and scale are estimated from the scores that the sources predict; see `Scaling`.

Notation, in addition to the package's: ``T`` is the number of tasks, of which the target is the
last; ``n_source`` is the number of observations of the source tasks, which precede the target's.

References
----------
E. V. Bonilla, K. M. Chai, C. K. I. Williams, Multi-task Gaussian process prediction, NeurIPS 2008.

K. Swersky, J. Snoek, R. P. Adams, Multi-task Bayesian optimization, NeurIPS 2013.

M. Feurer, B. Letham, E. Bakshy, Scalable meta-learning for Bayesian optimization using
ranking-weighted Gaussian process ensembles, 2018, arXiv:1802.02219, an alternative with one
model a study.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from scipy.linalg.lapack import dtrtrs

from sklearn_lepton._surrogate.gaussian_process import (
    MAX_FOR_THETA,
    MAX_OBSERVATIONS,
    MAX_STEPS,
    GaussianProcess,
)
from sklearn_lepton._surrogate.kernel import BoolArray, Encoding, FloatArray, matern52
from sklearn_lepton._surrogate.likelihood import LogPosterior, Prior
from sklearn_lepton._surrogate.observations import known_noise, standardize, subset
from sklearn_lepton._surrogate.target_scaling import Scaling, scale_penalty

# Points and scores of one task.
TaskData = tuple[FloatArray, FloatArray]

MAX_SOURCE_TASKS = 5
_MAX_SOURCE_OBSERVATIONS = 150  # of all source tasks together
_MAX_TASK_OBSERVATIONS = 60  # of one source task

# Prior of the log length-scale of a task's column, mean and deviation. The mean is a correlation
# of 0.9 between two tasks.
_TASK_LENGTH = (np.log(4.0), 1.0)
# Log length-scale of an unrelated target: another initial point of the optimisation.
_UNRELATED_TASK_LENGTH = -1.0
# Transfer needs at least this correlation. With few scores it may lose this much log evidence,
# since the process of the target alone has adapted its hyperparameters to those few scores. The
# allowance decreases to 0 at this number of scores.
_MIN_TASK_CORRELATION, _LOG_EVIDENCE_ALLOWANCE, _N_WITHOUT_ALLOWANCE = 0.6, 2.0, 12
_MAX_LOG_SCALE = 300.0


@dataclass(frozen=True, eq=False)
class MultiTaskProcess(GaussianProcess):
    """A posterior over functions of the target task, given observations of all tasks.

    Methods and properties take and return points of the target, with d columns. The attributes
    hold the observations of all tasks.

    Attributes
    ----------
    n_tasks : int
        Number T of tasks; ``X`` has d + T columns.
    n_source : int
        Number of observations of source tasks, the first ones of ``X`` and ``y``.
    scaling : Scaling
        Offset and scale of the target's scores.
    """

    n_tasks: int = 0
    n_source: int = 0
    scaling: Scaling = field(default_factory=lambda: Scaling.of(np.empty(0), np.empty(0), 0.0))

    @property
    def observed(self) -> TaskData:
        """Points (n, d) and scores (n,) of the target."""
        return self.X[self.n_source :, : -self.n_tasks], self.y[self.n_source :]

    @property
    def fitted(self) -> FloatArray:
        """Posterior mean at the observed points of the target, of shape (n,)."""
        return super().fitted[self.n_source :]

    @property
    def task_correlation(self) -> FloatArray:
        """Correlation of each source task with the target, of shape (T - 1,)."""
        # Equal points of tasks i and T have the distance r2 = 1 / ell_i^2 + 1 / ell_T^2.
        squares = np.exp(-2.0 * self.theta[-2 - self.n_tasks : -2])
        return matern52(squares[:-1] + squares[-1])[0]

    def predict(self, Xs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the posterior of the target's function; see `GaussianProcess.predict`."""
        return super().predict(append_task_columns(Xs, self.n_tasks))

    def predict_with_gradient(
        self, Xs: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return posterior and gradient; see `GaussianProcess.predict_with_gradient`."""
        points = append_task_columns(Xs, self.n_tasks)
        mean, std, dmean, dstd = super().predict_with_gradient(points)
        return mean, std, dmean[:, : Xs.shape[1]], dstd[:, : Xs.shape[1]]

    def condition(self, x: FloatArray, extra: float = 0.0) -> Self:
        """Return the process with a pending point; see `GaussianProcess.condition`."""
        return super().condition(append_task_columns(x[None], self.n_tasks)[0], extra)


def append_task_columns(X: FloatArray, n_tasks: int, task: int = -1) -> FloatArray:
    """Return points with the columns of the tasks.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Points.
    n_tasks : int
        Number T of tasks.
    task : int, default=-1
        Task of the points; the last one is the target.

    Returns
    -------
    ndarray of shape (n, d + T)
    """
    return np.hstack([X, np.tile(np.eye(n_tasks)[task], (len(X), 1))])


@dataclass(frozen=True, eq=False)
class MultiTaskPosterior(LogPosterior):
    """Log posterior of the hyperparameters, with the target's scores scaled for each value.

    The scaling maximises the likelihood, which is therefore stationary in it. The gradient with
    respect to the hyperparameters is that of fixed scores (envelope theorem).

    Attributes
    ----------
    scaling : Scaling
        Offset and scale of the target's scores.
    """

    scaling: Scaling

    @classmethod
    def of_tasks(
        cls,
        X: FloatArray,
        categorical: BoolArray,
        scaling: Scaling,
        n_tasks: int,
        extra: FloatArray | float = 0.0,
        *,
        n_columns: float | None = None,
        has_resource: bool = False,
    ) -> MultiTaskPosterior:
        """Return the log posterior for points that have the columns of the tasks."""
        encoding = Encoding.of(X, categorical)
        prior = Prior.of(X[:, :-n_tasks], n_columns=n_columns, has_resource=has_resource)
        prior = prior.with_columns(n_tasks, *_TASK_LENGTH)
        return cls(encoding, encoding.features(X), scaling.parts[:, 0], prior, scaling, extra=extra)

    def solve(self, L: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, float]:
        """Return the scaled scores and their solution; see `LogPosterior.solve`."""
        weights, alpha, beta, log_correction = self.scaling.solve(L)
        return self.scaling.parts @ weights, alpha, beta, log_correction

    def initial_points(self, theta0: FloatArray | None) -> list[FloatArray]:
        """Return the points of `LogPosterior` and an additional one, with an unrelated target."""
        # The last length-scale, before the two variances, is that of the target's column.
        unrelated = self.prior.mean.copy()
        unrelated[-3] = _UNRELATED_TASK_LENGTH
        return [*super().initial_points(theta0), unrelated]


def fit_multi_task(
    X: FloatArray,
    y: FloatArray,
    sources: Sequence[TaskData],
    *,
    categorical: BoolArray,
    variance: FloatArray | None = None,
    theta0: FloatArray | None = None,
    max_iter: int = MAX_STEPS,
    clip: bool = True,
    n_columns: float | None = None,
    has_resource: bool = False,
) -> MultiTaskProcess:
    """Return a process fitted to the target task and to source tasks.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Observed points in [0, 1]^d, in the order of observation; n >= 0.
    y : ndarray of shape (n,)
        Finite scores, greater is better.
    sources : sequence of tuple of ndarray of shape (n_k, d) and (n_k,)
        Points and scores of each source task, n_k >= 1; at least one task. The last five tasks
        are used, and the best and the latest observations of each.
    categorical, variance, theta0, max_iter, clip, n_columns, has_resource
        As for `fit`. ``theta`` has shape (d + T + 2,): the log length-scales of the tasks, the
        target's last, follow those of the columns.

    Returns
    -------
    MultiTaskProcess
    """
    sources = sources[-MAX_SOURCE_TASKS:]
    source_X, source_z = _stack_sources(sources)
    n_source, n_tasks = len(source_z), len(sources) + 1
    z, mean, scale = standardize(y, clip=clip) if len(y) else (y, 0.0, 1.0)
    kept = subset(z, MAX_OBSERVATIONS - n_source)
    X, z = append_task_columns(X[kept], n_tasks), z[kept]
    # The expected scale of the target is the geometric mean of the sources' scales.
    unit = np.mean([np.log(standardize(scores)[2]) for _, scores in sources])
    log_u0 = float(np.clip(np.log(scale) - unit, -_MAX_LOG_SCALE, _MAX_LOG_SCALE))
    if not len(y):
        log_u0 = 0.0
    # Known noise in the unit of the source scores, with the expected scale: the estimated one
    # depends on the covariance, which includes this noise.
    extra = known_noise(variance, len(y), scale)[kept] * np.exp(2.0 * log_u0)
    extra = np.append(np.zeros(n_source), extra)
    categorical = np.append(categorical, np.zeros(n_tasks, dtype=np.bool_))
    with np.errstate(all="ignore"):
        if max_iter == 0 and theta0 is not None and np.all(np.isfinite(theta0)):
            theta = np.asarray(theta0, dtype=np.float64)
        else:
            fitted = subset(z, MAX_FOR_THETA - n_source)
            scaling = Scaling.of(source_z, z[fitted], log_u0)
            posterior = MultiTaskPosterior.of_tasks(
                np.vstack([source_X, X[fitted]]),
                categorical,
                scaling,
                n_tasks,
                np.append(extra[:n_source], extra[n_source:][fitted]),
                n_columns=n_columns,
                has_resource=has_resource,
            )
            theta = posterior.map_estimate(theta0, max_iter)
        # The scores depend on the Cholesky factor, so the process is made with zeros first.
        scaling = Scaling.of(source_z, z, log_u0)
        process = MultiTaskProcess.of(
            np.vstack([source_X, X]), np.zeros(n_source + len(z)), theta, categorical, extra=extra
        )
        weights, alpha, _, _ = scaling.solve(process.L)
        return replace(
            process,
            y=scaling.parts @ weights,
            alpha=alpha,
            y_mean=float(mean - scale * weights[2] / weights[1]),
            y_scale=float(scale / weights[1]),
            n_tasks=n_tasks,
            n_source=n_source,
            scaling=scaling,
        )


def transfer_helps(multi_task: MultiTaskProcess, single_task: GaussianProcess) -> bool:
    """Return whether the source tasks improve the evidence of the target's scores.

    The evidence of the multi-task process is conditional on the scores of the sources. Offset
    and scale of the target's scores are estimated for both processes.

    Parameters
    ----------
    multi_task : MultiTaskProcess
        Process fitted to all tasks.
    single_task : GaussianProcess
        Process fitted to the same scores of the target alone.

    Returns
    -------
    bool
        Whether the multi-task process has the higher evidence, up to an allowance for few scores.
    """
    _, y = single_task.observed
    # A target with more observations than fit next to the sources does not need them.
    if len(y) > multi_task.scaling.n or multi_task.task_correlation.max() < _MIN_TASK_CORRELATION:
        return False
    alone = _log_evidence(single_task.L, Scaling.of(np.empty(0), y, 0.0))
    allowance = _LOG_EVIDENCE_ALLOWANCE * max(0.0, 1.0 - len(y) / _N_WITHOUT_ALLOWANCE)
    return _log_evidence(multi_task.L, multi_task.scaling) + allowance >= alone


def _log_evidence(L: FloatArray, scaling: Scaling) -> float:
    """Return the log density of the target's scores, given those of the sources."""
    if not scaling.n:
        return 0.0
    weights, _, _, log_correction = scaling.solve(L)
    if np.any(scaling.parts[:, 1]):
        # A metric of a different magnitude is no evidence against the sources.
        log_correction += scale_penalty(np.log(weights[1]) - scaling.log_u0)
    # The target's rows of L^-1 y are its residuals given the sources, whitened: chain rule.
    target = slice(len(L) - scaling.n, None)
    half, _ = dtrtrs(L, scaling.parts @ weights, lower=1)
    log_det = np.sum(np.log(L.diagonal()[target]))
    return float(log_correction - 0.5 * half[target] @ half[target] - log_det)


def _stack_sources(sources: Sequence[TaskData]) -> TaskData:
    """Return points with task columns and standardised scores of all source tasks."""
    size = min(_MAX_TASK_OBSERVATIONS, _MAX_SOURCE_OBSERVATIONS // len(sources))
    points, scores = [], []
    for number, (X, y) in enumerate(sources):
        z, _, _ = standardize(y)
        kept = subset(z, size)
        points.append(append_task_columns(X[kept], len(sources) + 1, number))
        scores.append(z[kept])
    return np.vstack(points), np.concatenate(scores)
