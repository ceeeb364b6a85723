"""Matérn covariance: distances, categories and factorisation."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.gaussian_process.kernels import Matern

from sklearn_lepton._surrogate.kernel import (
    Encoding,
    covariance,
    factorise,
    matern52,
    squared_distances,
)


def distances(X, Xs, theta, categorical):
    encoding = Encoding.of(X, categorical)
    return squared_distances(*encoding.scaled(X, theta), *encoding.scaled(Xs, theta))


@pytest.mark.parametrize("d", [1, 3, 20])
def test_covariance_matches_scikit_learn(d):
    rng = np.random.default_rng(d)
    X, Xs = rng.random((12, d)), rng.random((7, d))
    theta = np.append(rng.normal(-0.5, 0.5, size=d), [0.7, -3.0])
    expected = np.exp(0.7) * Matern(length_scale=np.exp(theta[:d]), nu=2.5)(X, Xs)
    computed = covariance(X, Xs, theta, np.zeros(d, dtype=bool))
    assert_allclose(computed, expected, rtol=1e-10)


def test_distance_between_categories_is_one_even_if_unobserved():
    rng = np.random.default_rng(0)
    categorical = np.array([True, False, True, False])
    centres = (np.arange(5) + 0.5) / 5
    X = rng.random((30, 4))
    X[:, categorical] = rng.choice(centres[:3], size=(30, 2))
    Xs = rng.random((40, 4))
    Xs[:, categorical] = rng.choice(centres, size=(40, 2))
    theta = np.append(rng.normal(-1.0, 0.5, size=4), [0.0, -3.0])
    difference = X[:, None] - Xs
    squares = np.where(categorical, difference != 0, difference**2)
    expected = np.sum(squares / np.exp(2 * theta[:4]), axis=2)
    assert_allclose(distances(X, Xs, theta, categorical), expected, rtol=1e-9, atol=1e-12)


def test_matern_derivative_is_finite_at_distance_zero():
    r2 = np.array([0.0, 1e-12, 1e-3, 0.4, 3.0, 50.0])
    k, dk = matern52(r2.copy())
    assert k[0] == 1.0
    assert_allclose(dk[0], -5 / 6)
    h = 1e-6 * np.maximum(r2, 1e-3)
    finite = (matern52(r2 + h)[0] - matern52(np.maximum(r2 - h, 0))[0]) / (h + np.minimum(h, r2))
    assert_allclose(dk, finite, rtol=5e-3, atol=1e-9)


def test_factorise_adds_jitter_only_to_singular_matrices():
    K = np.array([[1.0, 0.5], [0.5, 1.0]])
    L, nugget = factorise(K, 0.1)
    assert nugget == 0.1
    assert_allclose(np.tril(L) @ np.tril(L).T, K + 0.1 * np.eye(2))
    indefinite = np.ones((5, 5)) + 1e-7 * (1 - np.eye(5))
    L, nugget = factorise(indefinite, 1e-14)
    assert 1e-8 < nugget < 1e-4
    assert np.all(np.isfinite(np.tril(L)))
