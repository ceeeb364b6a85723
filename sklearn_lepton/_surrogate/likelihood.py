"""Posterior of the hyperparameters: marginal likelihood times prior."""

from __future__ import annotations

from dataclasses import dataclass, field

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

# Mean and deviation of the prior of log length-scales, and what the logarithm of the number of
# columns adds to the mean; of the logarithms of the output variance and of the noise variance.
_LENGTH, _LENGTH_BY_COLUMNS = (-1.2, 0.6), 0.5
_OUTPUT, _NOISE = (0.0, 1.5), (-4.0, 1.0)
# Likewise of the column of a resource: a correlation of 0.8 is expected between scores with a
# twenty-seventh of it and those with all.
_RESOURCE = (np.log(1.8), 0.7)
_LOG_NOISE_FLOOR = np.log(1e-6)
_LOG_2PI = np.log(2.0 * np.pi)


def log_marginal_posterior(
    theta: FloatArray, X: FloatArray, y: FloatArray, *, categorical: BoolArray
) -> tuple[float, FloatArray]:
    """Log marginal likelihood plus log prior of the hyperparameters, with gradient.

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
        Its gradient with respect to ``theta``.

    References
    ----------
    Rasmussen and Williams (2006), equations 2.30 and 5.9.
    """
    return LogPosterior.of(X, y, categorical)(theta)


@dataclass(frozen=True, eq=False)
class Prior:
    """Independent normal prior of the hyperparameters, with the bounds of a search.

    The length-scales are expected to grow with the square root of the number of columns
    that vary, as distances do.

    Attributes
    ----------
    mean, std : ndarray of shape (d + 2,)
        Of ``theta``; the mean is the mode.
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
    def of(cls, X: FloatArray, *, has_resource: bool = False) -> Prior:
        """Make the prior for observed points.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Observed points.
        has_resource : bool, default=False
            Whether the last column is that of a resource.

        Returns
        -------
        Prior
        """
        if has_resource:
            return cls.of(X[:, :-1]).with_columns(1, *_RESOURCE)
        d = X.shape[1]
        varying = int(np.count_nonzero(np.ptp(X, axis=0)))
        length = _LENGTH[0] + _LENGTH_BY_COLUMNS * np.log(max(varying, 1))
        mean = np.append(np.full(d, length), [_OUTPUT[0], _NOISE[0]])
        std = np.append(np.full(d, _LENGTH[1]), [_OUTPUT[1], _NOISE[1]])
        lower, upper = mean - 5.0 * std, mean + 5.0 * std
        lower[-1] = _LOG_NOISE_FLOOR
        return cls(mean, std, lower, upper)

    def with_columns(self, n_columns: int, mean: float, std: float) -> Prior:
        """Add further columns, after the others, whose length-scales have a prior of their own.

        Parameters
        ----------
        n_columns : int
            How many.
        mean, std : float
            Of the logarithm of each of their length-scales.

        Returns
        -------
        Prior
        """
        new = (mean, std, mean - 5.0 * std, mean + 5.0 * std)
        old = (self.mean, self.std, self.lower, self.upper)
        at = [len(self.mean) - 2] * n_columns
        return Prior(*(np.insert(o, at, n) for o, n in zip(old, new, strict=True)))


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
        Noise variance known of each observation, in addition.
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
        has_resource: bool = False,
    ) -> LogPosterior:
        """Prepare what does not depend on the hyperparameters.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Observed points.
        y : ndarray of shape (n,)
            Standardised scores.
        categorical : ndarray of shape (d,), bool
            Unordered columns.
        extra : ndarray of shape (n,) or float, default=0.0
            Noise variance known of each observation, in addition.
        has_resource : bool, default=False
            Whether the last column is that of a resource.

        Returns
        -------
        LogPosterior
        """
        encoding = Encoding.of(X, categorical)
        prior = Prior.of(X, has_resource=has_resource)
        return cls(encoding, encoding.features(X), y, prior, extra=extra)

    def __call__(self, theta: FloatArray) -> tuple[float, FloatArray]:
        """Value and gradient (d + 2,): one factor and one inverse, n^3 flops."""
        n, d = len(self.y), len(theta) - 2
        s2, noise = np.exp(theta[-2]), np.exp(theta[-1])
        Z = self.features * np.exp(-theta)[self.encoding.owner]
        k, dk = matern52(own_distances(Z, np.einsum("ij,ij->i", Z, Z)))
        k *= s2
        dk *= s2
        L, _ = factorise(k, noise, self.extra)
        y, alpha, beta, gain = self.explain(L)
        half_log_det = np.sum(np.log(L.diagonal()))
        fit, estimated = y @ alpha, bool(np.any(beta))

        lower_inverse, _ = dpotri(L, lower=1, overwrite_c=1)
        inverse = np.tril(lower_inverse)
        trace = alpha @ alpha - np.trace(inverse) + beta @ beta
        known = np.sum(self.extra * (alpha * alpha - inverse.diagonal() + beta * beta))
        # dK/d(r2) weighted by alpha alpha^T - K^-1, of which a triangle is enough:
        # every pair counts twice, and on the diagonal the distances are 0.
        M = np.multiply.outer(alpha, alpha)
        M -= inverse
        if estimated:
            M += np.multiply.outer(beta, beta)
        M *= dk
        lower = np.tril(M, -1)
        rows = lower.sum(axis=0) + lower.sum(axis=1)
        by_feature = 2.0 * np.einsum("ij,ij->j", Z, lower @ Z)
        by_feature -= rows @ (Z * Z)

        gradient = np.empty(d + 2)
        gradient[:d] = 2.0 * np.bincount(self.encoding.owner, by_feature, minlength=d)
        gradient[d] = 0.5 * (fit - n + estimated - noise * trace - known)
        gradient[d + 1] = 0.5 * noise * trace
        deviation = (theta - self.prior.mean) / self.prior.std
        gradient -= deviation / self.prior.std
        value = -0.5 * (fit + n * _LOG_2PI + deviation @ deviation) - half_log_det + gain
        return float(value), gradient

    def explain(self, L: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, float]:
        """Explain the scores by a covariance.

        Parameters
        ----------
        L : ndarray of shape (n, n)
            Its lower Cholesky factor.

        Returns
        -------
        y : ndarray of shape (n,)
            The scores.
        alpha : ndarray of shape (n,)
            The covariance, inverted, times the scores.
        beta : ndarray of shape (n,)
            The same times a direction in which the scores were free, of norm 1 under the
            inverse, so that ``y`` tells the less of the covariance; 0 for none.
        gain : float
            What else the choice of the scores adds to the log posterior.
        """
        alpha, _ = dpotrs(L, self.y, lower=1)
        return self.y, alpha, np.zeros(len(alpha)), 0.0

    def starts(self, theta0: FloatArray | None) -> list[FloatArray]:
        """Points from the best of which to search: the mode of the prior, and a warm one."""
        prior = self.prior
        if theta0 is None or theta0.shape != prior.mean.shape:
            return [prior.mean]
        return [prior.mean, np.clip(theta0, prior.lower, prior.upper)]

    def mode(self, theta0: FloatArray | None, max_iter: int) -> FloatArray:
        """Search for the mode with L-BFGS.

        Parameters
        ----------
        theta0 : ndarray of shape (d + 2,) or None
            Start, unless the mode of the prior is better or this is of no use.
        max_iter : int, >= 1
            Steps.

        Returns
        -------
        ndarray of shape (d + 2,)
            Never worse than the start.
        """
        prior = self.prior
        start, *others = self.starts(theta0)
        value = self(start)[0]
        for other in others:
            other_value = self(other)[0]
            if other_value > value:
                start, value = other, other_value

        def loss(u: FloatArray) -> tuple[float, FloatArray]:
            value, gradient = self(prior.mean + prior.std * u)
            if not (np.isfinite(value) and np.all(np.isfinite(gradient))):
                return 1e25, np.zeros_like(u)
            return -value, -gradient * prior.std

        # In units of the prior's deviations the problem is well scaled.
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
