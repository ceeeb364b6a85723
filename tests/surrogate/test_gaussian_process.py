"""Gaussian process: marginal likelihood, fit, predictions and pending points."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import t
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from sklearn_lepton._surrogate.gaussian_process import GaussianProcess, fit
from sklearn_lepton._surrogate.likelihood import LogPosterior, Prior, log_marginal_posterior
from sklearn_lepton._surrogate.observations import standardize


def problem(n, d, *, n_categorical=0, seed=0):
    """Return points, scores and mask; the first columns are categorical with four choices."""
    rng = np.random.default_rng(seed)
    categorical = np.arange(d) < n_categorical
    X = rng.random((n, d))
    X[:, categorical] = (rng.integers(4, size=(n, n_categorical)) + 0.5) / 4
    y = np.sin(4 * X).sum(axis=1) + X[:, 0] * X[:, -1] + 0.05 * rng.normal(size=n)
    return X, y, categorical


def process(n=30, d=4, n_categorical=1, seed=0, noise=-3.0):
    X, y, categorical = problem(n, d, n_categorical=n_categorical, seed=seed)
    theta = np.append(np.random.default_rng(seed).normal(-0.7, 0.4, size=d), [0.4, noise])
    return GaussianProcess.of(X, standardize(y)[0], theta, categorical)


@pytest.mark.parametrize(
    ("n", "d", "n_categorical"), [(1, 1, 0), (12, 3, 0), (25, 5, 2), (9, 2, 2)]
)
def test_log_posterior_gradient_matches_finite_differences(n, d, n_categorical):
    X, y, categorical = problem(n, d, n_categorical=n_categorical)
    theta = np.random.default_rng(1).normal(-0.8, 0.5, size=d + 2)
    _, gradient = log_marginal_posterior(theta, X, y, categorical=categorical)
    h = 1e-5
    for j in range(d + 2):
        step = h * (np.arange(d + 2) == j)
        up, _ = log_marginal_posterior(theta + step, X, y, categorical=categorical)
        down, _ = log_marginal_posterior(theta - step, X, y, categorical=categorical)
        assert_allclose(gradient[j], (up - down) / (2 * h), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("n_categorical", [0, 2])
def test_log_posterior_gradient_with_known_noise(n_categorical):
    X, y, categorical = problem(12, 3, n_categorical=n_categorical)
    extra = np.linspace(0.0, 0.8, 12)
    posterior = LogPosterior.of(X, y, categorical, extra)
    theta = np.random.default_rng(1).normal(-0.8, 0.5, size=5)
    h = 1e-5
    for j, slope in enumerate(posterior(theta)[1]):
        step = h * (np.arange(5) == j)
        rise = posterior(theta + step)[0] - posterior(theta - step)[0]
        assert_allclose(slope, rise / (2 * h), rtol=1e-5, atol=1e-6)


def test_predictions_match_scikit_learn():
    gp = process(n=40, d=3, n_categorical=0)
    ell, s2, noise = np.exp(gp.theta[:3]), np.exp(gp.theta[3]), np.exp(gp.theta[4])
    kernel = ConstantKernel(s2) * Matern(length_scale=ell, nu=2.5) + WhiteKernel(noise)
    peer = GaussianProcessRegressor(kernel, optimizer=None, alpha=0.0).fit(gp.X, gp.y)

    prior = Prior.of(gp.X)
    value, _ = log_marginal_posterior(gp.theta, gp.X, gp.y, categorical=gp.categorical)
    log_prior, _ = prior.log_density(gp.theta)
    assert_allclose(value - log_prior, peer.log_marginal_likelihood_value_, rtol=1e-9)

    Xs = np.vstack([np.random.default_rng(3).random((50, 3)), gp.X[:5]])
    mean, std = gp.predict(Xs)
    peer_mean, peer_std = peer.predict(Xs, return_std=True)
    assert_allclose(mean, peer_mean, rtol=1e-8, atol=1e-10)
    assert_allclose(std, np.sqrt(peer_std**2 - noise), rtol=1e-6)


def test_prior_is_normal_but_for_low_noise():
    prior = Prior.of(np.random.default_rng(0).random((5, 2)))
    normal = prior.mean + prior.std * [1.0, -2.0, 0.5, 1.5]
    assert_allclose(prior.log_density(normal)[0], -0.5 * (1.0 + 4.0 + 0.25 + 2.25))
    low = prior.mean - prior.std * [0.0, 0.0, 0.0, 6.0]
    assert_allclose(prior.log_density(low)[0], t(3).logpdf(6.0) - t(3).logpdf(0.0))


def test_prior_counts_the_columns_of_a_configuration():
    X = np.random.default_rng(0).random((20, 9))
    mode = Prior.of(X).mean[0]
    assert_allclose(mode - Prior.of(X, n_columns=4).mean[0], 0.5 * np.log(9 / 4))
    assert_allclose(Prior.of(X, n_columns=0.0).mean[0], Prior.of(X[:, :1]).mean[0])


def test_leave_one_out_equals_process_of_the_others():
    gp = process(n=14, d=3)
    mean, std = gp.leave_one_out()
    for row in range(14):
        others = np.arange(14) != row
        rest = GaussianProcess.of(gp.X[others], gp.y[others], gp.theta, gp.categorical)
        expected, deviation = rest.predict(gp.X[[row]])
        assert_allclose(mean[row], expected[0], rtol=1e-6)
        assert_allclose(std[row] ** 2, deviation[0] ** 2 + rest.nugget, rtol=1e-6)


@pytest.mark.parametrize("n_categorical", [0, 2])
def test_prediction_gradients_match_finite_differences(n_categorical):
    gp = process(n=25, d=4, n_categorical=n_categorical)
    Xs = problem(8, 4, n_categorical=n_categorical, seed=9)[0]
    mean, std, dmean, dstd = gp.predict_with_gradient(Xs)
    for computed, expected in zip((mean, std), gp.predict(Xs), strict=True):
        assert_allclose(computed, expected, rtol=1e-10)
    h = 1e-6
    for j in range(4):
        if j < n_categorical:
            assert not dmean[:, j].any()
            assert not dstd[:, j].any()
            continue
        step = h * (np.arange(4) == j)
        up, down = gp.predict(Xs + step), gp.predict(Xs - step)
        assert_allclose(dmean[:, j], (up[0] - down[0]) / (2 * h), rtol=1e-4, atol=1e-6)
        assert_allclose(dstd[:, j], (up[1] - down[1]) / (2 * h), rtol=1e-4, atol=1e-6)


def test_fitted_equals_prediction_at_observed_points():
    gp = process()
    assert_allclose(gp.fitted, gp.predict(gp.X)[0], atol=1e-9)


def test_known_variance_reduces_weight_of_score():
    X, y, categorical = problem(30, 3)
    wrong = y.copy()
    wrong[7] += 3.0
    plain = fit(X, wrong, categorical=categorical)
    means = [
        (gp.y_mean + gp.y_scale * gp.fitted)[7]
        for gp in (
            plain,
            fit(X, wrong, categorical=categorical, variance=np.zeros(30), theta0=plain.theta),
            fit(X, wrong, categorical=categorical, variance=2.0 * (np.arange(30) == 7)),
            fit(X, wrong, categorical=categorical, variance=1e9 * (np.arange(30) == 7)),
        )
    ]
    assert means[0] == pytest.approx(means[1], abs=0.05)
    assert means[0] > means[2] + 0.5
    assert means[3] == pytest.approx(y[7], abs=0.5)


def test_fitted_equals_prediction_with_known_variance():
    gp = process()
    gp = GaussianProcess.of(gp.X, gp.y, gp.theta, gp.categorical, extra=np.linspace(0, 1, 30))
    assert_allclose(gp.fitted, gp.predict(gp.X)[0], atol=1e-9)
    assert_allclose(gp.condition(gp.X[4] * 0.9).fitted[:30], gp.fitted, atol=1e-9)


@pytest.mark.parametrize("noise", [-13.8, -3.0])
def test_condition_equals_new_factorisation(noise):
    gp = process(noise=noise)
    one, other = problem(2, 4, n_categorical=1, seed=5)[0]
    other[0] = 0.9999  # a category that was not observed
    grown = gp.condition(one).condition(other).condition(gp.X[3])
    anew = GaussianProcess.of(grown.X, grown.y, gp.theta, gp.categorical)
    assert_array_equal(grown.X, np.vstack([gp.X, one, other, gp.X[3]]))
    assert_allclose(grown.L, anew.L, atol=1e-8)
    assert_allclose(grown.L @ grown.L_inverse, np.eye(33), atol=1e-8)
    Xs = problem(20, 4, n_categorical=1, seed=6)[0]
    for computed, expected in zip(grown.predict(Xs), anew.predict(Xs), strict=True):
        assert_allclose(computed, expected, rtol=1e-5, atol=1e-7)
    assert_allclose(grown.predict(Xs)[0], gp.predict(Xs)[0], atol=1e-12)
    assert np.all(grown.predict(Xs)[1] <= gp.predict(Xs)[1] + 1e-12)


def test_fit_finds_mode_and_warm_start_keeps_it():
    X, y, categorical = problem(60, 3, n_categorical=1)
    z, _, _ = standardize(y)
    gp = fit(X, y, categorical=categorical, max_iter=50)
    value, gradient = log_marginal_posterior(gp.theta, X, z, categorical=categorical)
    assert value > log_marginal_posterior(Prior.of(X).mean, X, z, categorical=categorical)[0] + 5
    assert np.max(np.abs(gradient)) < 0.5
    warm = fit(X, y, categorical=categorical, theta0=gp.theta)
    assert log_marginal_posterior(warm.theta, X, z, categorical=categorical)[0] >= value
    assert_array_equal(
        fit(X, y, categorical=categorical, theta0=gp.theta, max_iter=0).theta, gp.theta
    )


def test_fit_is_deterministic():
    X, y, categorical = problem(40, 3, n_categorical=1)
    before = X.copy(), y.copy()
    first = fit(X, y, categorical=categorical)
    fit(X[::-1], -y, categorical=categorical)
    again = fit(X, y, categorical=categorical)
    assert_array_equal(first.theta, again.theta)
    assert_array_equal(first.alpha, again.alpha)
    assert_array_equal(X, before[0])
    assert_array_equal(y, before[1])


def test_fit_ignores_bad_warm_start():
    X, y, categorical = problem(20, 2)
    cold = fit(X, y, categorical=categorical)
    for theta0 in (np.full(4, np.nan), np.zeros(7), np.full(4, 1e9)):
        assert_array_equal(fit(X, y, categorical=categorical, theta0=theta0).theta, cold.theta)
    nan = fit(X, y, categorical=categorical, theta0=np.full(4, np.nan), max_iter=0)
    assert np.all(np.isfinite(nan.theta))


def test_fit_falls_back_to_prior_mode_if_optimisation_fails(monkeypatch):
    X, y, categorical = problem(20, 2)
    monkeypatch.setattr(LogPosterior, "__call__", lambda self, theta: (np.nan, np.full(4, np.nan)))
    assert_array_equal(fit(X, y, categorical=categorical).theta, Prior.of(X).mean)


def test_fit_keeps_best_and_latest_of_many_observations():
    X, y, categorical = problem(900, 3)
    gp = fit(X, y, categorical=categorical)
    assert len(gp.y) <= 500
    rows = {tuple(x) for x in gp.X}
    assert all(tuple(x) in rows for x in X[np.argsort(-y)[:150]])
    assert all(tuple(x) in rows for x in X[-150:])
    mean, scale = standardize(y)[1:]
    assert (gp.y_mean, gp.y_scale) == (mean, scale)


def test_standardize_gives_zero_mean_and_unit_deviation():
    y = np.array([0.5, 0.7, 0.6, 0.9, -40.0])
    z, mean, scale = standardize(y)
    assert_allclose([z.mean(), z.std()], [0.0, 1.0], atol=1e-12)
    clipped = np.maximum(y, 0.6 - 5 * 0.3)
    assert_allclose(mean + scale * z, clipped, rtol=1e-12)
    assert_allclose(standardize(z)[0], z, atol=1e-12)
    for factor in (1e-30, 1e30, 1e300):
        assert_allclose(standardize(y * factor)[0], z, atol=1e-12)


def test_standardize_keeps_order_if_many_scores_are_best():
    z, _, _ = standardize(np.array([1.0, 1.0, 1.0, 1.0, 0.9, 0.8, -1e30]))
    assert_array_equal(np.argsort(-z, kind="stable"), np.arange(7))
    assert z[3] - z[5] > 0.1


CONSTANT = np.full(6, 0.1)
DEGENERATE = {
    "one": np.array([0.3]),
    "two": np.array([0.3, 0.4]),
    "zeros": np.zeros(6),
    "constant": CONSTANT,
    "constant up to rounding": CONSTANT + 1e-16 * np.arange(6),
    "huge": 1e30 * np.arange(6.0),
    "tiny": 1e-30 * np.arange(6.0),
    "signs": np.array([1e30, -1e30, 1.0, 0.0, -1.0, 1e-30]),
    "largest": np.array([1.7e308, -1.7e308, 0.0, 1.0, 2.0, 3.0]),
    "subnormal": np.array([5e-324, 0.0, 0.0, 1e-323, 0.0, 0.0]),
    "outlier": np.array([0.1, 0.2, 0.3, 0.25, 0.15, -1e25]),
}


@pytest.mark.parametrize("kind", ["spread", "duplicates", "collinear", "one column", "corner"])
@pytest.mark.parametrize("scores", DEGENERATE)
def test_fit_handles_degenerate_inputs_without_warning(scores, kind):
    y = DEGENERATE[scores]
    n, d = len(y), 3
    X = np.random.default_rng(0).random((n, d))
    if kind == "duplicates":
        X[:] = X[0]
    elif kind == "collinear":
        X[:] = np.linspace(0.0, 1.0, n)[:, None]
    elif kind == "one column":
        X[:, 1:] = 0.5
    elif kind == "corner":
        X[:] = 1.0 - 1e-17
    for categorical in (np.zeros(d, dtype=bool), np.arange(d) == 0):
        with np.errstate(all="raise"):
            gp = fit(X, y, categorical=categorical)
            gp = fit(X, y, categorical=categorical, theta0=gp.theta + 3.0).condition(X[0])
            outputs = gp.predict_with_gradient(np.vstack([X, [[0.1, 0.5, 0.9]]]))
        assert all(np.all(np.isfinite(output)) for output in outputs)
        assert np.all(outputs[1] > 0)


def test_process_without_columns_or_query_points():
    gp = fit(np.empty((4, 0)), np.array([1.0, 2.0, 3.0, 2.0]), categorical=np.zeros(0, dtype=bool))
    mean, std = gp.condition(np.empty(0)).predict(np.empty((2, 0)))
    assert np.all(np.isfinite(mean) & np.isfinite(std))
    assert process().predict(np.empty((0, 4)))[0].shape == (0,)


def test_fit_with_many_columns():
    X, y, categorical = problem(30, 60, n_categorical=10)
    mean, std = fit(X, y, categorical=categorical).predict(X)
    assert np.corrcoef(mean, y)[0, 1] > 0.5
    assert np.all(np.isfinite(std))
