"""Gaussian-process regression with hyperparameters at their posterior mode.

References
----------
C. E. Rasmussen and C. K. I. Williams, Gaussian Processes for Machine Learning,
MIT Press, 2006; the equation numbers in comments are theirs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from scipy.linalg.blas import dtrmm
from scipy.linalg.lapack import dpotrs, dtrtri

from sklearn_lepton._surrogate.kernel import (
    BoolArray,
    Encoding,
    FloatArray,
    factorise,
    matern52,
    own_distances,
    squared_distances,
)
from sklearn_lepton._surrogate.likelihood import LogPosterior, Prior
from sklearn_lepton._surrogate.observations import known_noise, standardize, subset

# The cost of a fit of the hyperparameters and of a posterior grow with the cubes of these numbers.
MAX_FOR_THETA = 200
MAX_OBSERVATIONS = 400

MAX_STEPS = 20  # of the optimisation of the hyperparameters
_SMALLEST_VARIANCE = 1e-12  # of the latent function, relative to the output's


@dataclass(frozen=True, eq=False)
class GaussianProcess:
    """A posterior over functions: an immutable value, made by `fit`, `of` or `condition`.

    Attributes
    ----------
    X : ndarray of shape (n, d)
        Observed points.
    y : ndarray of shape (n,)
        Observed scores, standardised.
    theta : ndarray of shape (d + 2,)
        Log length-scales, log output variance, log noise variance.
    categorical : ndarray of shape (d,), bool
        Unordered columns.
    L : ndarray of shape (n, n)
        Lower Cholesky factor of the covariance of the observations.
    L_inverse : ndarray of shape (n, n)
        Inverse of ``L``. For many points a product is three times as fast as a solve.
    alpha : ndarray of shape (n,)
        ``K^-1 y`` for the covariance ``K`` of the observations.
    nugget : float, > 0
        Diagonal term of ``K`` in addition to the output variance: noise and jitter.
    y_mean, y_scale : float
        A raw score is ``y_mean + y_scale * y``.
    encoding : Encoding
        Features of the observed points.
    extra : ndarray of shape (n,)
        Additional noise variance of each observation, if known.
    """

    X: FloatArray
    y: FloatArray
    theta: FloatArray
    categorical: BoolArray
    L: FloatArray
    L_inverse: FloatArray
    alpha: FloatArray
    nugget: float
    y_mean: float
    y_scale: float
    encoding: Encoding
    extra: FloatArray

    @classmethod
    def of(
        cls,
        X: FloatArray,
        y: FloatArray,
        theta: FloatArray,
        categorical: BoolArray,
        *,
        extra: FloatArray | float = 0.0,
        y_mean: float = 0.0,
        y_scale: float = 1.0,
    ) -> Self:
        """Return the posterior given observations and hyperparameters.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Observed points.
        y : ndarray of shape (n,)
            Standardised scores.
        theta : ndarray of shape (d + 2,)
            Hyperparameters.
        categorical : ndarray of shape (d,), bool
            Unordered columns.
        extra : ndarray of shape (n,) or float, default=0.0
            Additional noise variance of each observation, if known.
        y_mean, y_scale : float
            A raw score is ``y_mean + y_scale * y``.

        Returns
        -------
        GaussianProcess
        """
        encoding = Encoding.of(X, categorical)
        # Algorithm 2.1, lines 2 and 3: L = cholesky(K), alpha = L' \\ (L \\ y).
        Z, squares = encoding.scaled(X, theta)
        k, _ = matern52(own_distances(Z, squares))
        L, nugget = factorise(k * np.exp(theta[-2]), np.exp(theta[-1]), extra)
        L = np.tril(L)
        alpha, _ = dpotrs(L, y, lower=1)
        L_inverse, _ = dtrtri(L, lower=1)
        return cls(
            X=X,
            y=y,
            theta=theta,
            categorical=categorical,
            L=L,
            L_inverse=L_inverse,
            alpha=alpha,
            nugget=nugget,
            y_mean=y_mean,
            y_scale=y_scale,
            encoding=encoding,
            extra=np.zeros(len(y)) + extra,
        )

    @property
    def observed(self) -> tuple[FloatArray, FloatArray]:
        """Observed points (n, d) and scores (n,)."""
        return self.X, self.y

    @property
    def fitted(self) -> FloatArray:
        """Posterior mean at the observed points, of shape (n,)."""
        # K_latent alpha = (K - nugget I - extra) K^-1 y, without a product of matrices.
        return self.y - (self.nugget + self.extra) * self.alpha

    def leave_one_out(self) -> tuple[FloatArray, FloatArray]:
        """Return the prediction of each score from all others, noise included.

        Returns
        -------
        mean : ndarray of shape (n,)
            In units of ``y``.
        std : ndarray of shape (n,), > 0

        References
        ----------
        Rasmussen and Williams (2006), equation 5.12.
        """
        precision = np.einsum("ij,ij->j", self.L_inverse, self.L_inverse)
        return self.y - self.alpha / precision, np.sqrt(1.0 / precision)

    def predict(self, Xs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the posterior of the latent function, without noise.

        Parameters
        ----------
        Xs : ndarray of shape (m, d)
            Points.

        Returns
        -------
        mean : ndarray of shape (m,)
            Posterior mean, in units of ``y``.
        std : ndarray of shape (m,), > 0
            Posterior deviation.

        References
        ----------
        Rasmussen and Williams (2006), algorithm 2.1.
        """
        with np.errstate(all="ignore"):
            k, _, _, _ = self._cross(Xs)
            # Equation 2.25; then v = L^-1 k of equation 2.26. BLAS overwrites the transpose of a
            # C-ordered array in place.
            mean = k @ self.alpha
            half = dtrmm(1.0, self.L_inverse, k.T, lower=1, overwrite_b=1)
            return mean, np.sqrt(self._variance(np.einsum("ij,ij->j", half, half)))

    def predict_with_gradient(
        self, Xs: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return the posterior of the latent function and its gradient.

        Parameters
        ----------
        Xs : ndarray of shape (m, d)
            Points.

        Returns
        -------
        mean : ndarray of shape (m,)
            Posterior mean, in units of ``y``.
        std : ndarray of shape (m,), > 0
            Posterior deviation.
        dmean : ndarray of shape (m, d)
            Gradient of the mean; 0 in categorical columns.
        dstd : ndarray of shape (m, d)
            Gradient of the deviation; 0 in categorical columns.

        Notes
        -----
        ``dk_i/dx_j = s2 k'(r2_i) 2 (x_j - X_ij) / ell_j^2``. A weighted sum of it over i is a
        matrix product of the weights with ``X``.
        """
        with np.errstate(all="ignore"):
            k, dk, Z, Zs = self._cross(Xs)
            mean = k @ self.alpha
            # v = L^-1 k, and beta = K^-1 k, by which the variance s2 - v'v depends on k.
            half = dtrmm(1.0, self.L_inverse, k.T, lower=1)
            variance = self._variance(np.einsum("ij,ij->j", half, half))
            std = np.sqrt(variance)
            beta = dtrmm(1.0, self.L_inverse, half, lower=1, trans_a=1, overwrite_b=1)

            # d mean = alpha' dk and d variance = -2 beta' dk, so d std = -beta' dk / std.
            p = len(self.encoding.numeric)
            weights = np.stack([self.alpha * dk, beta.T * dk])
            slopes = Zs[:, :p] * weights.sum(axis=2)[:, :, None] - weights @ Z[:, :p]
            slopes *= 2.0 * np.exp(-self.theta[self.encoding.numeric])
            gradients = np.zeros((2, *Xs.shape))
            gradients[:, :, self.encoding.numeric] = slopes
            return mean, std, gradients[0], gradients[1] / -std[:, None]

    def condition(self, x: FloatArray, extra: float = 0.0) -> Self:
        """Return the process with its posterior mean at a point as a new observation.

        This is the kriging believer of Ginsbourger et al., in O(n^2). The posterior mean does
        not change; the deviation shrinks around the point.

        Parameters
        ----------
        x : ndarray of shape (d,)
            Point whose score is pending.
        extra : float, default=0.0
            Additional noise variance of its score.

        Returns
        -------
        GaussianProcess
            Process of n + 1 observations, with the same hyperparameters.

        References
        ----------
        D. Ginsbourger, R. Le Riche, L. Carraro, Kriging is well-suited to parallelize
        optimization, 2010.
        """
        n = len(self.y)
        with np.errstate(all="ignore"):
            k, _, _, _ = self._cross(x[None])
            mean = k[0] @ self.alpha
            # The new row of the Cholesky factor: l = L^-1 k and l_nn^2 = K_nn - l'l.
            row = dtrmm(1.0, self.L_inverse, k.T, lower=1, overwrite_b=1)[:, 0]
            variance = self._variance(np.array([row @ row]))[0]
        L = np.zeros((n + 1, n + 1), order="F")
        L[:n, :n] = self.L
        L[n, :n] = row
        L[n, n] = np.sqrt(variance + self.nugget + extra)
        # The new row of its inverse: (-l' L^-1, 1) / l_nn.
        L_inverse = np.zeros((n + 1, n + 1), order="F")
        L_inverse[:n, :n] = self.L_inverse
        L_inverse[n, :n] = row @ self.L_inverse / -L[n, n]
        L_inverse[n, n] = 1.0 / L[n, n]
        X = np.vstack([self.X, x])
        return replace(
            self,
            X=X,
            y=np.append(self.y, mean),
            L=L,
            L_inverse=L_inverse,
            # The residual of a score equal to the posterior mean is 0, and so is its weight.
            alpha=np.append(self.alpha, 0.0),
            encoding=Encoding.of(X, self.categorical),
            extra=np.append(self.extra, extra),
        )

    @cached_property
    def _scaled(self) -> tuple[FloatArray, FloatArray]:
        """Scaled features of the observed points, with their squared norms."""
        return self.encoding.scaled(self.X, self.theta)

    def _cross(self, Xs: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return covariances (m, n) with the observations, their derivatives, both features."""
        Z, squares = self._scaled
        Zs, squares_s = self.encoding.scaled(Xs, self.theta)
        k, dk = matern52(squared_distances(Zs, squares_s, Z, squares))
        s2 = np.exp(self.theta[-2])
        k *= s2
        dk *= s2
        return k, dk, Z, Zs

    def _variance(self, explained: FloatArray) -> FloatArray:
        """Return the posterior variance: the output variance less the explained one."""
        # Rounding can make the difference negative next to an observation.
        s2 = np.exp(self.theta[-2])
        variance: FloatArray = np.maximum(s2 - explained, _SMALLEST_VARIANCE * s2)
        return variance


def fit(
    X: FloatArray,
    y: FloatArray,
    *,
    categorical: BoolArray,
    variance: FloatArray | None = None,
    theta0: FloatArray | None = None,
    max_iter: int = MAX_STEPS,
    clip: bool = True,
    n_columns: float | None = None,
    has_resource: bool = False,
) -> GaussianProcess:
    """Return a process with its hyperparameters at the mode of their posterior.

    The result is a deterministic function of the arguments. Scores are standardised first.
    Of more than 400 observations the best half and the latest others are kept, which limits
    the cost of a fit and of a prediction.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Observed points in [0, 1]^d, in the order of observation; n >= 1.
    y : ndarray of shape (n,)
        Finite scores, greater is better.
    categorical : ndarray of shape (d,), bool
        Unordered columns.
    variance : ndarray of shape (n,), default=None
        Known variance of each score, in addition to the noise variance that all scores share;
        0 unless the score is an estimate.
    theta0 : ndarray of shape (d + 2,), default=None
        Initial hyperparameters, such as the mode of the previous fit. They are ignored if the
        mode of the prior has a higher posterior density.
    max_iter : int, default=20
        Steps of the optimisation; with 0 the hyperparameters are ``theta0``.
    clip : bool, default=True
        Whether low scores are clipped; see `standardize`.
    n_columns : float or None, default=None
        Mean number of active columns that vary; see `Prior.of`.
    has_resource : bool, default=False
        Whether the last column is the fidelity; see `multi_fidelity`.

    Returns
    -------
    GaussianProcess
    """
    z, mean, scale = standardize(y, clip=clip)
    kept = subset(z, MAX_OBSERVATIONS)
    X, z = np.ascontiguousarray(X[kept]), z[kept]
    extra = known_noise(variance, len(y), scale)[kept]
    with np.errstate(all="ignore"):
        if max_iter == 0 and theta0 is not None and np.all(np.isfinite(theta0)):
            theta = np.asarray(theta0, dtype=np.float64)
        elif np.any(z):
            fitted = subset(z, MAX_FOR_THETA)
            posterior = LogPosterior.of(
                X[fitted],
                z[fitted],
                categorical,
                extra[fitted],
                n_columns=n_columns,
                has_resource=has_resource,
            )
            theta = posterior.map_estimate(theta0, max_iter)
        else:
            # Constant scores carry no information on the hyperparameters.
            theta = Prior.of(X, n_columns=n_columns, has_resource=has_resource).mean
        return GaussianProcess.of(X, z, theta, categorical, extra=extra, y_mean=mean, y_scale=scale)
