"""Matérn-5/2 covariance over numeric and categorical columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
BoolArray = NDArray[np.bool_]

# Multiples of the output variance that are added to the diagonal, in turn. The last one makes
# any matrix positive definite: it declares every observation pure noise.
_JITTERS = (0.0, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2, 1e6)


@dataclass(frozen=True, eq=False)
class Encoding:
    """Features of points, with the squared distances of the points.

    One matrix product then gives all squared distances, those of categorical columns included.
    A comparison of categories could not be written as a product.

    Attributes
    ----------
    numeric : ndarray of shape (n_numeric,), int
        Numeric columns.
    categories : ndarray of shape (n_indicators,)
        Value in its column that each indicator marks.
    owner : ndarray of shape (n_features,), int
        Column of each feature: numeric ones first, then indicators.
    unordered : ndarray of shape (n_unordered,), int
        Categorical columns.
    """

    numeric: IntArray
    categories: FloatArray
    owner: IntArray
    unordered: IntArray

    @classmethod
    def of(cls, X: FloatArray, categorical: BoolArray) -> Encoding:
        """Return the encoding with the categories that occur in the observed points.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Observed points.
        categorical : ndarray of shape (d,), bool
            Unordered columns.

        Returns
        -------
        Encoding
        """
        numeric = np.flatnonzero(~categorical)
        unordered = np.flatnonzero(categorical)
        values = [np.unique(X[:, column]) for column in unordered]
        owners = [np.full(len(v), c) for v, c in zip(values, unordered, strict=True)]
        return cls(
            numeric=numeric,
            categories=np.concatenate([np.empty(0), *values]),
            owner=np.concatenate([numeric, *owners]).astype(np.intp),
            unordered=unordered,
        )

    def features(self, Xs: FloatArray) -> FloatArray:
        """Return the features of points.

        Parameters
        ----------
        Xs : ndarray of shape (m, d)
            Points; categories that were not observed have no indicator.

        Returns
        -------
        ndarray of shape (m, n_features)
        """
        # Centred features keep `squared_distances` accurate: its terms are small.
        if not len(self.unordered):
            return Xs - 0.5
        # Two different categories differ in two indicators of height sqrt(1/2): distance 1.
        indicators = Xs[:, self.owner[len(self.numeric) :]] == self.categories
        return np.hstack([Xs[:, self.numeric] - 0.5, np.sqrt(0.5) * indicators])

    def scaled(self, Xs: FloatArray, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the features divided by their length-scales, with their squared norms.

        Parameters
        ----------
        Xs : ndarray of shape (m, d)
            Points.
        theta : ndarray of shape (d + 2,)
            Hyperparameters.

        Returns
        -------
        Z : ndarray of shape (m, n_features)
            Scaled features.
        squares : ndarray of shape (m,)
            Squared norms; a category that was not observed counts as any other.
        """
        # The last two weights belong to variances and are not used.
        weight = np.exp(-theta)
        Z = self.features(Xs) * weight[self.owner]
        numeric = Z[:, : len(self.numeric)]
        squares = np.einsum("ij,ij->i", numeric, numeric)
        # Each categorical column adds 1 / (2 ell^2), whether or not it has an indicator.
        squares += 0.5 * np.sum(weight[self.unordered] ** 2)
        return Z, squares


def squared_distances(
    Z: FloatArray, squares: FloatArray, Zs: FloatArray, squares_s: FloatArray
) -> FloatArray:
    """Return scaled squared distances, as ``|z|^2 - 2 z z' + |z'|^2`` clipped at 0.

    Parameters
    ----------
    Z, Zs : ndarray of shape (m, D) and (n, D)
        Scaled features.
    squares, squares_s : ndarray of shape (m,) and (n,)
        Their squared norms.

    Returns
    -------
    ndarray of shape (m, n)
    """
    r2: FloatArray = Z @ Zs.T
    r2 *= -2.0
    r2 += squares[:, None]
    r2 += squares_s
    np.maximum(r2, 0.0, out=r2)
    return r2


def own_distances(Z: FloatArray, squares: FloatArray) -> FloatArray:
    """Return scaled squared distances between the points of one set, 0 on the diagonal.

    Parameters
    ----------
    Z : ndarray of shape (n, D)
        Scaled features.
    squares : ndarray of shape (n,)
        Their squared norms.

    Returns
    -------
    ndarray of shape (n, n)
    """
    r2 = squared_distances(Z, squares, Z, squares)
    # Rounding would leave a small distance between a point and itself.
    np.fill_diagonal(r2, 0.0)
    return r2


def matern52(r2: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the Matérn-5/2 correlation and its derivative, both finite at distance 0.

    With ``r = sqrt(5 r2)``: ``k = (1 + r + r^2 / 3) exp(-r)`` and
    ``dk/d(r2) = -5/6 (1 + r) exp(-r)``.

    Parameters
    ----------
    r2 : ndarray of any shape, >= 0
        Scaled squared distances; overwritten.

    Returns
    -------
    k : ndarray of the same shape, in [0, 1]
        Correlation.
    dk : ndarray of the same shape, in [-5/6, 0]
        Its derivative with respect to ``r2``.

    References
    ----------
    Rasmussen and Williams (2006), equation 4.17.
    """
    # In place throughout: the arrays are large and this is the innermost loop of a fit.
    r2 *= 5.0
    r = np.sqrt(r2)
    decay = np.exp(-r)
    r += 1.0
    r *= decay
    # k = (1 + r) exp(-r) + r^2 / 3 exp(-r)
    r2 *= 1.0 / 3.0
    r2 *= decay
    r2 += r
    # dk/d(r2) = -5/6 (1 + r) exp(-r)
    r *= -5.0 / 6.0
    return r2, r


def covariance(
    X: FloatArray, Xs: FloatArray, theta: FloatArray, categorical: BoolArray
) -> FloatArray:
    """Return the covariance of the latent function between two sets of points.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Points.
    Xs : ndarray of shape (m, d)
        Points.
    theta : ndarray of shape (d + 2,)
        Hyperparameters.
    categorical : ndarray of shape (d,), bool
        Unordered columns.

    Returns
    -------
    ndarray of shape (n, m)
    """
    encoding = Encoding.of(X, categorical)
    k, _ = matern52(squared_distances(*encoding.scaled(X, theta), *encoding.scaled(Xs, theta)))
    k *= np.exp(theta[-2])
    return k


def factorise(
    K: FloatArray, noise: float, extra: FloatArray | float = 0.0
) -> tuple[FloatArray, float]:
    """Return the Cholesky factor of a covariance, with the least jitter that succeeds.

    Parameters
    ----------
    K : ndarray of shape (n, n)
        Covariance of the latent function, with the output variance on its diagonal.
    noise : float, > 0
        Noise variance.
    extra : ndarray of shape (n,) or float, >= 0, default=0.0
        Additional noise variance of each observation.

    Returns
    -------
    L : ndarray of shape (n, n)
        Lower factor of ``K + nugget I + diag(extra)``; its upper triangle is undefined.
    nugget : float
        Noise and jitter.
    """
    s2 = K[0, 0]
    for jitter in _JITTERS:
        nugget = noise + jitter * s2
        shifted = K.copy()
        np.fill_diagonal(shifted, s2 + nugget + extra)
        # LAPACK works in place on the transpose of a C-ordered array.
        L, info = dpotrf(shifted.T, lower=1, clean=0, overwrite_a=1)
        if info == 0:
            break
    return L, float(nugget)
