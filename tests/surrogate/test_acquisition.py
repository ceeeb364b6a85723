"""Log expected improvement, compared with reference values and finite differences."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import norm

from sklearn_lepton._surrogate.acquisition import (
    log_expected_improvement,
    log_expected_improvement_with_derivatives,
)

# z, log h(z), Phi(z) / h(z), phi(z) / h(z), computed once with 120 digits.
REFERENCE = np.array(
    [
        (8.0, 2.0794415416798359377, 0.12499999999999992106, 6.3153388544211153003e-16),
        (1.0, 0.080026218849306940029, 0.77663872520173925975, 0.22336127479826074025),
        (0.0, -0.91893853320467274178, 1.2533141373155002512, 1.0),
        (-0.5, -1.6205162643873199193, 1.5598731483480796712, 1.7799365741740398356),
        (-1.0, -2.4851210257126413368, 1.9042712333296918229, 2.9042712333296918229),
        (-1.0009765625, -2.4869810098738904413, 1.9049763485234950556, 2.9068366769888500312),
        (-3.0, -7.8696860596030285171, 3.5323375176251605167, 11.59701255287548155),
        (-10.0, -55.553122036122355927, 10.194383033412553306, 102.94383033412553306),
        (-37.0, -692.64296016327040574, 37.053936202404203291, 1371.9956394889555218),
        (-49.9990234375, -1258.6953162041621685, 50.038976349838357933, 2502.8999513040762576),
        (-50.0009765625, -1258.7930504856736484, 50.04092791793725134, 2503.0952639905324276),
        (-200.0, -20011.515648259739324, 200.00999925013121767, 40002.999850026243533),
        (-10000.0, -50000019.339619307157, 10000.000199999994, 100000002.99999994),
        (-100000000.0, -5000000000000037.7603, 100000000.00000002, 10000000000000003.0),
        (-1000000000000.0, -5.0e23, 1000000000000.0, 1.0e24),
    ]
)


def test_log_ei_matches_high_precision_values_in_the_far_tail():
    z, value, by_mean, by_std = REFERENCE.T
    one = np.ones(len(z))
    assert_allclose(log_expected_improvement(z, one, 0.0), value, rtol=1e-12)
    computed = log_expected_improvement_with_derivatives(z, one, 0.0)
    assert_allclose(computed[0], value, rtol=1e-12)
    assert_allclose(computed[1], by_mean, rtol=1e-11)
    assert_allclose(computed[2], by_std, rtol=1e-11)


def test_log_ei_matches_naive_formula_for_moderate_z():
    rng = np.random.default_rng(0)
    mean, std, best = rng.normal(size=200), rng.uniform(0.5, 2.0, size=200), 0.3
    z = (mean - best) / std
    naive = np.log(std * (norm.pdf(z) + z * norm.cdf(z)))
    assert_allclose(log_expected_improvement(mean, std, best), naive, rtol=1e-10)


@pytest.mark.parametrize("best", [-3.0, 0.0, 2.0, 30.0, 500.0])
def test_log_ei_derivatives_match_finite_differences(best):
    rng = np.random.default_rng(1)
    mean, std = rng.normal(size=30), rng.uniform(0.1, 2.0, size=30)
    _, by_mean, by_std = log_expected_improvement_with_derivatives(mean, std, best)
    h = 1e-6
    up, down = (log_expected_improvement(mean + s * h, std, best) for s in (1, -1))
    assert_allclose(by_mean, (up - down) / (2 * h), rtol=1e-4, atol=1e-7)
    up, down = (log_expected_improvement(mean, std * (1 + s * h), best) for s in (1, -1))
    assert_allclose(by_std, (up - down) / (2 * h * std), rtol=1e-4, atol=1e-7)


def test_log_ei_increases_with_mean_across_branches():
    mean = np.linspace(-80.0, 10.0, 5001)
    value = log_expected_improvement(mean, np.ones(len(mean)), 0.0)
    assert np.all(np.diff(value) > 0)


def test_log_ei_is_finite_for_extreme_arguments():
    mean = np.array([0.0, 0.0, 1e30, -1e30, 5.0])
    std = np.array([0.0, 1e-300, 1e-12, 1e-12, 1e30])
    with np.errstate(all="raise"):
        value, by_mean, by_std = log_expected_improvement_with_derivatives(mean, std, 1.0)
        assert np.all(np.isfinite(value))
        assert np.all(np.isfinite(log_expected_improvement(mean, std, 1.0)))
    assert not np.any(np.isnan(by_mean))
    assert not np.any(np.isnan(by_std))
