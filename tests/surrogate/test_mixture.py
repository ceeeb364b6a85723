"""Ensemble of process and forest, and the forest itself."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_lepton._surrogate.acquisition import log_expected_improvement
from sklearn_lepton._surrogate.forest import Forest
from sklearn_lepton._surrogate.gaussian_process import fit
from sklearn_lepton._surrogate.mixture import SurrogateEnsemble
from sklearn_lepton._surrogate.observations import standardize

NUMERIC = np.zeros(3, dtype=bool)


def steps(X):
    """Return points and scores with two plateaus and a cliff; the last column has no effect."""
    return np.where(X[:, 0] > 0.6, 1.0, 0.0) + np.where(X[:, 1] > 0.3, 0.5, 0.0)


def waves(X):
    return np.sin(3 * X[:, 0]) + X[:, 1] * X[:, 2]


def observed(function, n=60, seed=0):
    X = np.random.default_rng(seed).random((n, 3))
    return X, standardize(function(X))[0]


def grown(X, y, categorical=NUMERIC, seed=0, **kwargs):
    return Forest.fit(X, y, categorical, np.random.default_rng(seed), **kwargs)


def test_forest_learns_plateaus():
    X, y = observed(steps)
    fresh = np.random.default_rng(5).random((400, 3))
    mean, std = grown(X, y).predict(fresh)
    assert np.corrcoef(mean, steps(fresh))[0, 1] > 0.9
    # The deviation is smaller on a plateau than at a cliff.
    to_cliff = np.min(np.abs(fresh[:, :2] - [0.6, 0.3]), axis=1)
    assert std[to_cliff > 0.2].mean() < 0.5 * std[to_cliff < 0.05].mean()


def test_out_of_bag_prediction_uses_trees_that_have_not_seen_the_observation():
    X, y = observed(waves, n=30)
    forest = grown(X, y)
    mean, std = forest.predict_out_of_bag(X)
    leaf = forest.leaves(X)
    for row in range(30):
        out = [tree for tree in range(forest.n_trees) if row not in forest.sample[tree]]
        means, variances = forest.mean[leaf[row, out]], forest.variance[leaf[row, out]]
        assert_allclose(mean[row], means.mean())
        assert_allclose(std[row] ** 2, means.var() + variances.mean(), atol=1e-9)


def test_out_of_bag_prediction_of_an_observation_in_all_samples_uses_all_trees():
    X, y = observed(waves, n=4)
    forest = grown(X, y, n_trees=2, seed=1)
    everywhere = set(forest.sample[0]) & set(forest.sample[1])
    assert everywhere
    rows = list(everywhere)
    assert_allclose(forest.predict_out_of_bag(X)[0][rows], forest.predict(X)[0][rows])


@pytest.mark.parametrize(
    ("function", "noise", "keeps"), [(waves, 0.0, False), (waves, 0.3, True), (steps, 0.0, True)]
)
def test_forest_has_no_weight_on_smooth_scores_without_noise(function, noise, keeps):
    X = np.random.default_rng(0).random((60, 3))
    y = function(X) + noise * np.random.default_rng(1).standard_normal(60)
    process = fit(X, y, categorical=NUMERIC)
    model = SurrogateEnsemble.of(process, np.random.default_rng(0), X[:0])
    assert model.weight == (0.5 if keeps else 0.0)
    assert (model.forest is not None) == keeps


def test_leaves_of_tree_partition_observations():
    X, y = observed(waves, n=40)
    forest = grown(X, y, n_trees=7)
    leaf = forest.leaves(X)
    assert leaf.shape == (40, 7)
    assert np.all(forest.column[leaf] == -1)
    assert np.all(forest.variance[leaf] >= 0)
    for tree, nodes in enumerate(leaf.T):
        # A bootstrap sample contains about two thirds of the observations.
        off = np.abs(forest.mean[nodes] - y)
        assert np.median(off) < 0.05, tree
        # A leaf with several observations has equal ones, or fewer than three draws.
        assert len(np.unique(nodes)) > 10


def test_forest_separates_categories_without_order():
    rng = np.random.default_rng(0)
    X = np.column_stack([(rng.integers(6, size=80) + 0.5) / 6, rng.random(80)])
    is_odd = (np.floor(X[:, 0] * 6) % 2).astype(float)
    y = standardize(is_odd)[0]
    mean, _ = grown(X, y, np.array([True, False])).predict(X)
    assert np.corrcoef(mean, is_odd)[0, 1] > 0.95


def test_forest_is_deterministic():
    X, y = observed(waves)
    before = X.copy(), y.copy()
    one, other = grown(X, y), grown(X, y)
    assert_array_equal(one.threshold, other.threshold)
    assert_array_equal(one.mean, other.mean)
    assert np.any(grown(X, y, seed=1).predict(X)[0] != one.predict(X)[0])
    assert_array_equal(X, before[0])
    assert_array_equal(y, before[1])


@pytest.mark.parametrize("n", [1, 2, 3])
def test_forest_of_few_or_equal_points_has_no_splits(n):
    for X in (np.full((n, 3), 0.5), np.random.default_rng(0).random((n, 3))):
        mean, std = grown(X, np.zeros(n)).predict(X)
        assert_allclose(mean, 0.0)
        assert np.all((std > 0) & (std < 1e-4))


def test_improvement_is_weighted_sum_of_components():
    X, y = observed(steps)
    process = fit(X, y, categorical=NUMERIC)
    model = SurrogateEnsemble(process, grown(X, process.y), 0.3)
    Xs = np.random.default_rng(2).random((50, 3))
    parts = [log_expected_improvement(*m.predict(Xs), 0.8) for m in (process, model.forest)]
    expected = np.log(0.7 * np.exp(parts[0]) + 0.3 * np.exp(parts[1]))
    assert_allclose(model.log_improvement(Xs, 0.8), expected, rtol=1e-9)
    assert_array_equal(SurrogateEnsemble(process).log_improvement(Xs, 0.8), parts[0])


def test_improvement_gradient_is_that_of_the_process():
    X, y = observed(waves)
    process = fit(X, y, categorical=NUMERIC)
    model = SurrogateEnsemble(process, grown(X, process.y), 0.3)
    Xs = np.random.default_rng(2).random((6, 3))
    value, slope = model.process_improvement_with_gradient(Xs, 0.8)
    assert_allclose(value, SurrogateEnsemble(process).log_improvement(Xs, 0.8), rtol=1e-12)
    h = 1e-6
    for j in range(3):
        step = h * (np.arange(3) == j)
        up, down = (SurrogateEnsemble(process).log_improvement(Xs + s, 0.8) for s in (step, -step))
        assert_allclose(slope[:, j], (up - down) / (2 * h), rtol=2e-3)


def test_prediction_has_moments_of_mixture():
    X, y = observed(steps)
    process = fit(X, y, categorical=NUMERIC)
    model = SurrogateEnsemble(process, grown(X, process.y), 0.4)
    Xs = np.random.default_rng(2).random((5, 3))
    mean, std = model.predict(Xs)
    rng = np.random.default_rng(0)
    means, stds = zip(process.predict(Xs), model.forest.predict(Xs), strict=True)
    draws = rng.normal(means[0], np.sqrt(stds[0] ** 2 + process.nugget), size=(200_000, 5))
    others = rng.normal(means[1], stds[1], size=(200_000, 5))
    draws = np.where(rng.random((200_000, 1)) < 0.4, others, draws)
    assert_allclose(mean, draws.mean(axis=0), atol=0.02)
    assert_allclose(std, draws.std(axis=0), rtol=0.02, atol=0.01)


def test_ensemble_has_forest_after_enough_observations():
    def model(n, function=steps, pending=0):
        X, y = observed(function, n=n + pending)
        process = fit(X[:n], y[:n], categorical=NUMERIC)
        return SurrogateEnsemble.of(process, np.random.default_rng(0), X[n:])

    assert model(8).forest is None
    assert model(30, lambda X: 0 * X[:, 0]).forest is None
    weights = [model(n).weight for n in (8, 9, 36, 48, 80)]
    assert weights[0] == 0.0
    assert 0 < weights[1] < weights[2] < weights[3] == weights[4] == 0.5
    crowded = model(64, pending=3)
    assert len(crowded.process.y) == 67
    assert crowded.weight == 0.5


def test_pending_points_are_in_both_components():
    X, y = observed(waves)
    y = y + 0.3 * np.random.default_rng(1).standard_normal(60)  # or the forest has no weight
    process = fit(X, y, categorical=NUMERIC)
    point = np.array([[0.9, 0.1, 0.9]])
    alone = SurrogateEnsemble.of(process, np.random.default_rng(0), point[:0])
    crowded = SurrogateEnsemble.of(process, np.random.default_rng(0), np.repeat(point, 8, axis=0))
    for part in ("process", "forest"):
        before, after = (getattr(model, part).predict(point)[1] for model in (alone, crowded))
        assert after < before, part


@pytest.mark.parametrize("scores", [[0.0, 1e30, -1e30] * 8, [1.0] * 23 + [2.0], list(range(24))])
def test_ensemble_handles_degenerate_inputs_without_warning(scores):
    for X in (np.tile(np.linspace(0, 1, 24)[:, None], 3), np.full((24, 3), 0.5)):
        process = fit(X, np.array(scores), categorical=NUMERIC)
        with np.errstate(all="raise"):
            model = SurrogateEnsemble.of(process, np.random.default_rng(0), X[:2])
        mean, std = model.predict(X)
        assert np.all(np.isfinite(mean) & (std > 0))
        assert np.all(np.isfinite(model.log_improvement(X, process.fitted.max())))
