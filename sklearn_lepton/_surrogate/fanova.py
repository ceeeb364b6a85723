"""Functional analysis of variance (fANOVA): the share of a function's variance of each column.

A function ``f`` of independent columns has the components ``f_i(x_i) = E[f | x_i] - E[f]`` and
``f_ij = E[f | x_i, x_j] - f_i - f_j - E[f]``. `decompose` estimates their variances from the values
of ``f`` at N quasi-random points. Each column has an orthonormal basis ``b_ia`` over its own
measure. The variance of a component is then the sum of its squared coefficients,

    V_i = sum_a c_ia^2,    c_ia = E[f b_ia],
    V_ij = sum_ab c_ijab^2,    c_ijab = E[r b_ia b_jb],    r = f - sum_i f_i,

where a mean over the N points replaces each expectation. The sampling error of such a mean
inflates a squared coefficient by the variance of its terms divided by N, which is subtracted.

References
----------
F. Hutter, H. Hoos, K. Leyton-Brown, An efficient approach for assessing hyperparameter
importance, ICML 2014, https://proceedings.mlr.press/v32/hutter14.html.

I. M. Sobol, Global sensitivity indices for nonlinear mathematical models and their Monte Carlo
estimates, Mathematics and Computers in Simulation 55, 2001.

J. T. Wilson et al., Efficiently sampling functions from Gaussian process posteriors, ICML 2020,
arXiv:2002.09309, for the sample paths.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.linalg.lapack import dpotrs

from sklearn_lepton._surrogate.gaussian_process import GaussianProcess
from sklearn_lepton._surrogate.kernel import BoolArray, FloatArray, matern52, squared_distances

_N_FEATURES = 384  # random Fourier features of a sample path
_DOF = 5.0  # the spectrum of a Matérn-5/2 is a t distribution
_DEGREE = 12  # of the polynomials of a main effect
_PAIR_DEGREE = 5  # of the polynomials of an interaction
_POINTS_PER_CELL = 8  # the smallest sample of a choice that has its own indicator
_CHUNK = 2048  # points whose covariances are in memory together


def sample_paths(
    process: GaussianProcess, Xs: FloatArray, n_paths: int, rng: np.random.Generator
) -> FloatArray:
    """Return the posterior mean of a process and functions sampled from its posterior.

    Matheron's rule (Wilson et al., 2020): a function from the prior, by random Fourier features,
    plus the correction ``k(x, X) K^-1 (y - prior(X) - noise)``.

    Parameters
    ----------
    process : GaussianProcess
        Process of one study.
    Xs : ndarray of shape (m, d)
        Points at which the functions are evaluated.
    n_paths : int
        Number of functions.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (1 + n_paths, m)
        The posterior mean, then the functions.
    """
    n, s2 = len(process.y), float(np.exp(process.theta[-2]))
    Z, squares = process.encoding.scaled(process.X, process.theta)
    # Prior: sqrt(2 s2 / F) cos(Z w + b) with frequencies from the spectrum of the kernel.
    shape = (Z.shape[1], _N_FEATURES)
    frequencies = rng.standard_normal(shape) / np.sqrt(rng.chisquare(_DOF, shape[1]) / _DOF)
    phases = rng.uniform(0.0, 2.0 * np.pi, shape[1])
    weights = rng.standard_normal((shape[1], n_paths))
    height = np.sqrt(2.0 * s2 / shape[1])
    noise = np.sqrt(process.nugget + process.extra)[:, None] * rng.standard_normal((n, n_paths))
    prior = height * np.cos(Z @ frequencies + phases) @ weights
    # Weights of the correction; those of the mean are alpha.
    correction, _ = dpotrs(process.L, process.y[:, None] - prior - noise, lower=1)
    to_values = np.column_stack([process.alpha, correction])
    values = np.empty((1 + n_paths, len(Xs)))
    with np.errstate(all="ignore"):
        for start in range(0, len(Xs), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            Zs, squares_s = process.encoding.scaled(Xs[chunk], process.theta)
            k, _ = matern52(squared_distances(Zs, squares_s, Z, squares))
            values[:, chunk] = (s2 * (k @ to_values)).T
            if n_paths:
                values[1:, chunk] += (height * np.cos(Zs @ frequencies + phases) @ weights).T
    return values


class Basis(NamedTuple):
    """Orthonormal basis functions of one column.

    Attributes
    ----------
    functions : ndarray of shape (N, n_functions)
        Their values at the sample, with mean 0, variance 1 and no correlation; no functions if
        the sample is constant.
    is_polynomial : bool
        Whether they are polynomials of ascending degree; otherwise they span all functions of
        the column's values.
    """

    functions: FloatArray
    is_polynomial: bool

    @property
    def in_pair(self) -> FloatArray:
        """Functions for interactions: all of them, or the polynomials of low degree."""
        return self.functions[:, :_PAIR_DEGREE] if self.is_polynomial else self.functions


def basis(places: FloatArray, degree: int, *, is_choice: bool) -> Basis:
    """Return the orthonormal basis of one column over a sample of it.

    Parameters
    ----------
    places : ndarray of shape (N,)
        The column, in [0, 1].
    degree : int
        Degree of the polynomials of an ordered column, or of one with too many choices.
    is_choice : bool
        Whether its values have no order. Each value then has its own indicator function.

    Returns
    -------
    Basis
    """
    rows: FloatArray
    values, index, counts = np.unique(places, return_inverse=True, return_counts=True)
    if len(values) < 2:
        return Basis(np.empty((len(places), 0)), is_polynomial=False)
    has_cells = len(values) <= degree + 1 or (
        is_choice and len(values) * _POINTS_PER_CELL <= len(places)
    )
    if has_cells:
        # Indicators of the cells; the constant replaces the first, which depends on the others.
        rows = np.eye(len(values))
        rows[:, 0] = 1.0
    else:
        rows = np.polynomial.legendre.legvander(2.0 * values - 1.0, degree).astype(float)
    # Orthonormal under the empirical measure: QR of the rows weighted by their frequencies.
    root = np.sqrt(counts / len(places))[:, None]
    Q, R = np.linalg.qr(root * rows)
    # Without the constant, and without functions that depend on earlier ones.
    is_sound = np.abs(np.diagonal(R)) > 1e-9
    return Basis((Q / root)[:, is_sound][:, 1:][index], is_polynomial=not has_cells)


def decompose(
    values: FloatArray, points: FloatArray, categorical: BoolArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the variance of functions, that of each column and that of each pair of columns.

    Parameters
    ----------
    values : ndarray of shape (S, N)
        Functions at the points.
    points : ndarray of shape (N, d)
        A quasi-random sample of independent columns.
    categorical : ndarray of shape (d,), bool
        Unordered columns.

    Returns
    -------
    total : ndarray of shape (S,)
        Variance of each function.
    main : ndarray of shape (S, d)
        Variance of the main effects, the components of one column.
    interactions : ndarray of shape (S, d, d)
        Variance of the interactions, the components of two columns; symmetric, 0 on the
        diagonal.
    """
    n, d = points.shape
    values = values - values.mean(axis=1, keepdims=True)
    total = np.mean(values**2, axis=1)
    # Main effects: V_i = sum_a c_ia^2.
    bases = [basis(points[:, c], _DEGREE, is_choice=bool(categorical[c])) for c in range(d)]
    blocks = [each.functions for each in bases]
    coefficients, residuals = _fit_blocks(values, blocks)
    main = _energies(coefficients, blocks, np.mean(residuals**2, axis=1) / n)
    # Interactions: V_ij = sum_ab c_ijab^2, with the coefficients of the residual r.
    small = [each.in_pair for each in bases]
    starts = np.cumsum([0, *[block.shape[1] for block in small]])
    B = np.hstack(small) if d else np.empty((n, 0))
    interactions = np.zeros((len(values), d, d))
    for s, residual in enumerate(residuals):
        sampling_error = np.mean(residual**2) / n
        for i in range(d - 1):
            # One column at a time: all products would include a column of many choices with
            # itself, the largest block, which is not needed.
            products = (residual[:, None] * small[i]).T @ B[:, starts[i + 1] :] / n
            energies = np.sum(products**2 - sampling_error, axis=0)
            for j in range(i + 1, d):
                start, stop = starts[j : j + 2] - starts[i + 1]
                interactions[s, i, j] = energies[start:stop].sum()
                interactions[s, j, i] = interactions[s, i, j]
    return total, main, interactions


def _fit_blocks(values: FloatArray, blocks: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Return coefficients and residuals of a least-squares fit to all blocks together."""
    B = np.hstack(blocks) if blocks else np.empty((values.shape[1], 0))
    if not B.shape[1]:
        return np.empty((0, len(values))), values
    # The bases of two columns are correlated in the sample, so c_ia is not a plain mean.
    coefficients = np.asarray(
        np.linalg.solve(B.T @ B + 1e-9 * np.eye(B.shape[1]), B.T @ values.T), dtype=np.float64
    )
    return coefficients, values - (B @ coefficients).T


def _energies(
    coefficients: FloatArray, blocks: Sequence[FloatArray], sampling_error: FloatArray
) -> FloatArray:
    """Return the sum of squared coefficients of each block, less its sampling error."""
    energies = np.zeros((coefficients.shape[1] if len(blocks) else 0, len(blocks)))
    start = 0
    for column, block in enumerate(blocks):
        stop = start + block.shape[1]
        energies[:, column] = np.sum(coefficients[start:stop] ** 2, axis=0)
        energies[:, column] -= (stop - start) * sampling_error
        start = stop
    return energies
