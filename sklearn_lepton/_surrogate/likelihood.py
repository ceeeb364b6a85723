"""Posterior of the hyperparameters: marginal likelihood times prior, and its mode.

References
----------
C. E. Rasmussen and C. K. I. Williams, Gaussian Processes for Machine Learning,
MIT Press, 2006; the equation numbers in comments are theirs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.linalg.lapack import dpotri, dpotrs
from scipy.optimize import minimize

from sklearn_lepton._surrogate.kernel import (
    BoolArray,
    Encoding,
    FloatArray,
    factorise,
    matern52,
    own_distances,
)

# Prior of the log length-scales: mean and deviation, and the factor of the logarithm of the
# number of columns that is added to the mean (1/2: the dimension-scaled prior of Hvarfner et al.).
_LENGTH, _LENGTH_BY_COLUMNS = (-1.2, 0.6), 0.5
# Priors of the log output variance and the log noise variance: mean and deviation.
_OUTPUT, _NOISE = (0.0, 1.5), (-4.0, 1.0)
# Noise below the mean has the tail of a Student distribution of so many degrees of freedom, so
# that scores without noise can be recognised.
_NOISE_DOF = 3.0
# Prior of the log length-scale of the fidelity column. Its mean is a correlation of 0.8 between
# the scores at 1/27 of the resource and at the full resource.
_RESOURCE = (np.log(1.8), 0.7)
_LOG_NOISE_FLOOR = np.log(1e-6)
_LOG_2PI = np.log(2.0 * np.pi)


def log_marginal_posterior(
    theta: FloatArray, X: FloatArray, y: FloatArray, *, categorical: BoolArray
) -> tuple[float, FloatArray]:
    """Return log marginal likelihood plus log prior of the hyperparameters, with gradient.

    Parameters
    ----------
    theta : ndarray of shape (d + 2,)
        Hyperparameters.
    X : ndarray of shape (n, d)
        Observed points.
    y : ndarray of shape (n,)
        Standardised scores.
    categorical : ndarray of shape (d,), bool
        Unordered columns.

    Returns
    -------
    value : float
        Log posterior up to the constants of the prior.
    gradient : ndarray of shape (d + 2,)
        Gradient of the value with respect to ``theta``.

    References
    ----------
    Rasmussen and Williams (2006), equations 2.30 and 5.9.
    """
    return LogPosterior.of(X, y, categorical)(theta)


@dataclass(frozen=True, eq=False)
class Prior:
    """Independent normal priors of the hyperparameters, with bounds for their optimisation.

    The expected length-scales grow with the square root of the number of columns in which two
    observations differ, as distances do (Hvarfner et al., 2024). In a space with branches these
    are fewer than the columns of all branches together.

    Attributes
    ----------
    mean, std : ndarray of shape (d + 2,)
        Mean (and mode) and deviation of ``theta``.
    lower, upper : ndarray of shape (d + 2,)
        Bounds of ``theta``.

    References
    ----------
    C. Hvarfner, E. O. Hellsten, L. Nardi, Vanilla Bayesian optimization performs great
    in high dimensions, ICML 2024, arXiv:2402.02229.
    """

    mean: FloatArray
    std: FloatArray
    lower: FloatArray
    upper: FloatArray

    @classmethod
    def of(
        cls, X: FloatArray, *, n_columns: float | None = None, has_resource: bool = False
    ) -> Prior:
        """Return the prior for observed points.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Observed points.
        n_columns : float or None, default=None
            Mean number of active columns that vary, without that of the fidelity. None counts
            all columns that vary.
        has_resource : bool, default=False
            Whether the last column is the fidelity.

        Returns
        -------
        Prior
        """
        if has_resource:
            return cls.of(X[:, :-1], n_columns=n_columns).with_columns(1, *_RESOURCE)
        d = X.shape[1]
        if n_columns is None:
            # A column that does not vary adds nothing to any distance.
            n_columns = float(np.count_nonzero(np.ptp(X, axis=0)))
        length = _LENGTH[0] + _LENGTH_BY_COLUMNS * np.log(max(n_columns, 1.0))
        mean = np.append(np.full(d, length), [_OUTPUT[0], _NOISE[0]])
        std = np.append(np.full(d, _LENGTH[1]), [_OUTPUT[1], _NOISE[1]])
        lower, upper = mean - 5.0 * std, mean + 5.0 * std
        # Without noise two close observations would make the covariance singular.
        lower[-1] = _LOG_NOISE_FLOOR
        return cls(mean, std, lower, upper)

    def log_density(self, theta: FloatArray) -> tuple[float, FloatArray]:
        """Return the log density without its constants, and its gradient (d + 2,)."""
        deviation = (theta - self.mean) / self.std
        square = deviation * deviation
        slope = deviation.copy()
        if deviation[-1] < 0.0:
            tail = 1.0 + square[-1] / _NOISE_DOF
            square[-1] = (_NOISE_DOF + 1.0) * np.log(tail)
            slope[-1] *= (1.0 + 1.0 / _NOISE_DOF) / tail
        return -0.5 * float(square.sum()), -slope / self.std

    def with_columns(self, n_columns: int, mean: float, std: float) -> Prior:
        """Return the prior with further columns, whose length-scales have a different prior.

        Parameters
        ----------
        n_columns : int
            Number of new columns, which come after the present ones.
        mean, std : float
            Mean and deviation of the log length-scale of each new column.

        Returns
        -------
        Prior
        """
        new = (mean, std, mean - 5.0 * std, mean + 5.0 * std)
        old = (self.mean, self.std, self.lower, self.upper)
        positions = [len(self.mean) - 2] * n_columns
        return Prior(*(np.insert(o, positions, n) for o, n in zip(old, new, strict=True)))


@dataclass(frozen=True, eq=False)
class LogPosterior:
    """Log posterior of the hyperparameters; see `log_marginal_posterior`.

    Attributes
    ----------
    encoding : Encoding
        Features of the observed points.
    features : ndarray of shape (n, D)
        Observed points, encoded.
    y : ndarray of shape (n,)
        Standardised scores.
    prior : Prior
        Prior of the hyperparameters.
    extra : ndarray of shape (n,) or float, default=0.0
        Additional noise variance of each observation, if known.
    """

    encoding: Encoding
    features: FloatArray
    y: FloatArray
    prior: Prior
    extra: FloatArray | float = field(default=0.0, kw_only=True)

    @classmethod
    def of(
        cls,
        X: FloatArray,
        y: FloatArray,
        categorical: BoolArray,
        extra: FloatArray | float = 0.0,
        *,
        n_columns: float | None = None,
        has_resource: bool = False,
    ) -> LogPosterior:
        """Return the log posterior, with the encoding and the prior for observed points.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Observed points.
        y : ndarray of shape (n,)
            Standardised scores.
        categorical : ndarray of shape (d,), bool
            Unordered columns.
        extra : ndarray of shape (n,) or float, default=0.0
            Additional noise variance of each observation, if known.
        n_columns, has_resource
            As for `Prior.of`.

        Returns
        -------
        LogPosterior
        """
        encoding = Encoding.of(X, categorical)
        prior = Prior.of(X, n_columns=n_columns, has_resource=has_resource)
        return cls(encoding, encoding.features(X), y, prior, extra=extra)

    @cached_property
    def _is_below(self) -> BoolArray:
        """Whether an element of a matrix (n, n) is below the diagonal."""
        return np.tri(len(self.y), k=-1, dtype=np.bool_)

    def __call__(self, theta: FloatArray) -> tuple[float, FloatArray]:
        """Return value and gradient (d + 2,), with one factorisation and one inverse."""
        n, d = len(self.y), len(theta) - 2
        s2, noise = np.exp(theta[-2]), np.exp(theta[-1])
        # K = s2 k(r2) + noise I + diag(extra), and its Cholesky factor.
        Z = self.features * np.exp(-theta)[self.encoding.owner]
        k, dk = matern52(own_distances(Z, np.einsum("ij,ij->i", Z, Z)))
        k *= s2
        dk *= s2
        L, _ = factorise(k, noise, self.extra)
        y, alpha, beta, log_correction = self.solve(L)
        half_log_det = np.sum(np.log(L.diagonal()))
        fit, estimated = y @ alpha, bool(np.any(beta))

        # Trace of alpha alpha' - K^-1 (+ beta beta'), and its diagonal weighted by `extra`. The
        # upper triangle of the inverse is undefined.
        inverse, _ = dpotri(L, lower=1, overwrite_c=1)
        trace = alpha @ alpha - np.trace(inverse) + beta @ beta
        known = np.sum(self.extra * (alpha * alpha - inverse.diagonal() + beta * beta))
        # Equation 5.9, tr((alpha alpha' - K^-1) dK) / 2, for all length-scales together: dK/d(r2)
        # times the weights. A triangle is enough: both are symmetric and r2 is 0 on the diagonal.
        M = np.multiply.outer(alpha, alpha)
        M -= inverse
        if estimated:
            M += np.multiply.outer(beta, beta)
        M *= dk
        lower = np.where(self._is_below, M, 0.0)
        # -sum_ik M_ik (Z_ij - Z_kj)^2 over the triangle, by expanding the square.
        rows = lower.sum(axis=0) + lower.sum(axis=1)
        by_feature = 2.0 * np.einsum("ij,ij->j", Z, lower @ Z)
        by_feature -= rows @ (Z * Z)

        gradient = np.empty(d + 2)
        gradient[:d] = 2.0 * np.bincount(self.encoding.owner, by_feature, minlength=d)
        # dK/d(log s2) = K - noise I - diag(extra), and alpha' K alpha = y' alpha.
        gradient[d] = 0.5 * (fit - n + estimated - noise * trace - known)
        # dK/d(log noise) = noise I.
        gradient[d + 1] = 0.5 * noise * trace
        log_prior, slope = self.prior.log_density(theta)
        # Equation 2.30 plus the log prior.
        value = -0.5 * (fit + n * _LOG_2PI) - half_log_det + log_correction + log_prior
        return float(value), gradient + slope

    def solve(self, L: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, float]:
        """Return the scores and the solution of ``K alpha = y``.

        A subclass may estimate an offset of the scores from the covariance. The likelihood then
        has the terms of a restricted likelihood, ``beta`` and ``log_correction``.

        Parameters
        ----------
        L : ndarray of shape (n, n)
            Lower Cholesky factor of the covariance ``K``.

        Returns
        -------
        y : ndarray of shape (n,)
            The scores.
        alpha : ndarray of shape (n,)
            ``K^-1 y``.
        beta : ndarray of shape (n,)
            ``K^-1 b / sqrt(b' K^-1 b)`` for the direction ``b`` of an estimated offset; 0 if
            nothing was estimated.
        log_correction : float
            Terms that the estimation of the scores adds to the log posterior.
        """
        alpha, _ = dpotrs(L, self.y, lower=1)
        return self.y, alpha, np.zeros(len(alpha)), 0.0

    def initial_points(self, theta0: FloatArray | None) -> list[FloatArray]:
        """Return the candidates for the start: the mode of the prior and, if usable, `theta0`."""
        prior = self.prior
        if theta0 is None or theta0.shape != prior.mean.shape:
            return [prior.mean]
        return [prior.mean, np.clip(theta0, prior.lower, prior.upper)]

    def map_estimate(self, theta0: FloatArray | None, max_iter: int) -> FloatArray:
        """Return the maximum a posteriori (MAP) estimate, found by L-BFGS.

        Parameters
        ----------
        theta0 : ndarray of shape (d + 2,) or None
            Initial hyperparameters; ignored if another initial point is better or if the shape
            is wrong.
        max_iter : int, >= 1
            Maximal number of steps.

        Returns
        -------
        ndarray of shape (d + 2,)
            A point at least as good as every initial point.
        """
        prior = self.prior
        start, *others = self.initial_points(theta0)
        value = self(start)[0]
        for other in others:
            other_value = self(other)[0]
            if other_value > value:
                start, value = other, other_value

        def loss(u: FloatArray) -> tuple[float, FloatArray]:
            value, gradient = self(prior.mean + prior.std * u)
            # A finite value that is worse than any other makes the line search step back.
            if not (np.isfinite(value) and np.all(np.isfinite(gradient))):
                return 1e25, np.zeros_like(u)
            return -value, -gradient * prior.std

        # Whitened by the prior, all variables have the same scale.
        lower = (prior.lower - prior.mean) / prior.std
        upper = (prior.upper - prior.mean) / prior.std
        result = minimize(
            loss,
            (start - prior.mean) / prior.std,
            jac=True,
            method="L-BFGS-B",
            bounds=list(zip(lower.tolist(), upper.tolist(), strict=True)),
            options={"maxiter": max_iter, "ftol": 1e-5, "gtol": 1e-2},
        )
        found: FloatArray = prior.mean + prior.std * result.x
        improved = np.all(np.isfinite(found)) and -result.fun > value
        return found if improved else start
