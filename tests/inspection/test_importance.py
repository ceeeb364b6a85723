"""Parameter importance, compared with closed-form decompositions."""

import math

import numpy as np
import pytest
import subjects
from scipy.stats import qmc
from sklearn.exceptions import NotFittedError
from sklearn.svm import SVC

from sklearn_lepton import BayesSearchCV, Space
from sklearn_lepton._surrogate.fanova import basis, decompose, sample_paths
from sklearn_lepton._surrogate.gaussian_process import fit
from sklearn_lepton.importance import parameter_importance
from sklearn_lepton.optimizers import (
    BayesOptimizer,
    GeneticOptimizer,
    RandomOptimizer,
    SwarmOptimizer,
)

SQUARE = {"x": (0.0, 1.0, "uniform"), "y": (0.0, 1.0, "uniform")}


def searched(entries, function, n_trials=40, kind=RandomOptimizer, seed=0, **options):
    optimizer = kind(entries, seed=seed, **options)
    subjects.run(optimizer, n_trials, function)
    return optimizer


def shares(result):
    return dict(zip(result.names, result.importances_mean.tolist(), strict=True))


# Decomposition of known functions.


def sample(n_dims, n=4096):
    return qmc.Sobol(n_dims, seed=1).random(n)


def test_decompose_ishigami_function():
    points = sample(3)
    x, y, z = (2 * math.pi * points - math.pi).T
    values = np.sin(x) + 7 * np.sin(y) ** 2 + 0.1 * z**4 * np.sin(x)
    total, alone, pairs = decompose(values[None], points, np.zeros(3, dtype=bool))
    first = 0.5 * (1 + 0.1 * math.pi**4 / 5) ** 2
    pair = 0.01 * math.pi**8 * (1 / 18 - 1 / 50)
    assert total[0] == pytest.approx(first + 49 / 8 + pair, rel=0.02)
    assert alone[0] / total[0] == pytest.approx([0.3139, 0.4424, 0.0], abs=0.01)
    assert pairs[0, 0, 2] / total[0] == pytest.approx(0.2437, abs=0.01)
    assert abs(pairs[0, 0, 1]) / total[0] < 0.005
    assert np.array_equal(pairs[0], pairs[0].T)


def test_decompose_does_not_depend_on_order_of_choices():
    points = sample(2)
    kind = np.floor(points[:, 0] * 4)
    points[:, 0] = (kind + 0.5) / 4
    heights, slopes = np.array([0.0, 3.0, 1.0, 0.0]), np.array([1.0, -1.0, 1.0, -1.0])
    row = kind.astype(int)
    values = heights[row] + slopes[row] * (points[:, 1] - 0.5)
    total, alone, pairs = decompose(values[None], points, np.array([True, False]))
    assert alone[0, 0] == pytest.approx(heights.var(), rel=0.02)
    assert alone[0, 1] == pytest.approx(0.0, abs=0.005)
    assert pairs[0, 0, 1] == pytest.approx(1 / 12, rel=0.05)
    assert total[0] == pytest.approx(alone[0].sum() + pairs[0, 0, 1], rel=0.02)


@pytest.mark.parametrize("is_choice", [True, False])
@pytest.mark.parametrize("n_values", [12, 13, 14, 65, 130])
def test_interactions_do_not_depend_on_number_of_values(n_values, is_choice):
    points = sample(2)
    kind = np.floor(points[:, 0] * n_values).astype(int)
    points[:, 0] = (kind + 0.5) / n_values
    slopes = np.random.default_rng(0).permutation(n_values) - (n_values - 1) / 2
    if not is_choice:
        slopes.sort()
    values = slopes[kind] * (2 * points[:, 1] - 1)
    total, _, pairs = decompose(values[None], points, np.array([is_choice, False]))
    assert pairs[0, 0, 1] / total[0] == pytest.approx(1.0, abs=0.03 if n_values < 20 else 0.15)


@pytest.mark.parametrize("is_choice", [True, False])
@pytest.mark.parametrize("n_values", [1, 2, 5, 13, 50, 4096])
def test_basis_is_orthonormal_over_its_sample(n_values, is_choice):
    places = (np.floor(sample(1)[:, 0] * n_values) + 0.5) / n_values
    functions = basis(places, 12, is_choice=is_choice).functions
    assert functions.shape[1] >= min(n_values - 1, 12)
    products = functions.T @ functions / len(places)
    assert products == pytest.approx(np.eye(functions.shape[1]), abs=1e-8)
    assert np.abs(functions.mean(axis=0)).max(initial=0.0) < 1e-8


def test_sample_paths_have_mean_and_deviation_of_process():
    points = sample(2, 16)
    process = fit(points, np.sin(5 * points[:, 0]), categorical=np.array([False, False]))
    others = np.random.default_rng(0).random((50, 2))
    drawn = sample_paths(process, others, 2000, np.random.default_rng(1))
    mean, std = process.predict(others)
    assert drawn[0] == pytest.approx(mean, abs=1e-9)
    assert drawn[1:].mean(axis=0) == pytest.approx(mean, abs=0.1 * np.exp(process.theta[-2] / 2))
    assert drawn[1:].std(axis=0) == pytest.approx(std, abs=0.15 * np.exp(process.theta[-2] / 2))


# Importance from trials.


@pytest.mark.parametrize("kind", [BayesOptimizer, SwarmOptimizer, GeneticOptimizer])
def test_importance_does_not_depend_on_optimizer(kind):
    entries = dict.fromkeys("xyz", (0.0, 1.0, "uniform"))
    optimizer = searched(entries, lambda p: 3 * p["x"] + p["y"], 20, kind)
    result = parameter_importance(optimizer)
    assert shares(result) == pytest.approx({"x": 0.9, "y": 0.1, "z": 0.0}, abs=0.05)
    assert result.interactions_mean.max() < 0.02


def test_product_has_interaction():
    optimizer = searched(SQUARE, lambda p: (p["x"] - 0.5) * (p["y"] - 0.5), 50)
    result = parameter_importance(optimizer)
    assert result.importances_mean.max() < 0.1
    assert result.interactions_mean[0, 1] > 0.85
    assert result.interactions_mean[0, 1] == result.interactions_mean[1, 0]


def test_importance_uses_scale_of_space():
    entries = {"log": (1e-4, 1.0, "log-uniform"), "flat": (0.0, 1.0, "uniform")}
    result = parameter_importance(
        searched(entries, lambda p: math.log10(p["log"]) / 4 + p["flat"], 30)
    )
    assert result.importances_mean == pytest.approx([0.5, 0.5], abs=0.05)


def test_noise_has_no_importance():
    rng = np.random.default_rng(0)
    optimizer = searched(
        {f"x{k}": (0.0, 1.0, "uniform") for k in range(8)},
        lambda p: 2 * p["x0"] + p["x1"] + 0.3 * rng.standard_normal(),
        80,
    )
    result = parameter_importance(optimizer)
    assert result.importances_mean[0] == pytest.approx(0.8, abs=0.12)
    assert result.importances_mean[2:].sum() < 0.1


def test_shares_are_in_range_and_reproducible():
    optimizer = searched(subjects.MIXED, subjects.score, 12)
    result, again = (
        parameter_importance(optimizer),
        parameter_importance(optimizer.trials, space=optimizer.space),
    )
    assert np.array_equal(result.importances, again.importances)
    whole = result.importances.sum(axis=1) + result.interactions.sum(axis=(1, 2)) / 2
    assert result.importances.min() >= 0
    assert whole.max() <= 1 + 1e-9
    assert result.importances.shape == (32, 3)
    assert result.interactions.shape == (32, 3, 3)
    other = parameter_importance(optimizer, random_state=1)
    assert not np.array_equal(result.importances, other.importances)


def test_uncertainty_is_large_with_few_trials():
    def function(p):
        return math.sin(6 * p["x"]) + p["y"]

    few = parameter_importance(searched(SQUARE, function, 6))
    many = parameter_importance(searched(SQUARE, function, 60))
    assert few.importances_std.max() > 4 * many.importances_std.max()
    assert few.importances_std.max() > 0.1


def test_branches_have_names_and_shares():
    def function(p):
        return 1.0 + p["share"] if p["kind"] == "tree" else 0.0

    result = parameter_importance(searched(subjects.BRANCHES, function, 60))
    assert result.names == ["kind", "C", "kernel", "depth", "share"]
    # Between the branches 1.5**2 / 4, within the half that is the tree's 1 / 12 / 2.
    whole = 2.25 / 4 + 1 / 24
    assert shares(result)["kind"] == pytest.approx(2.25 / 4 / whole, abs=0.05)
    assert shares(result)["share"] == pytest.approx(1 / 24 / whole, abs=0.04)
    assert shares(result)["C"] < 0.02


def test_branches_without_identifying_parameter():
    branches = [{"x": (0.0, 1.0, "uniform")}, {"x": (0.0, 2.0, "uniform"), "y": [1, 2]}]
    result = parameter_importance(searched(branches, lambda p: p["x"], 40))
    assert result.names == ["(branch)", "x", "y"]
    assert shares(result)["x"] > shares(result)["(branch)"] > 0.1


def test_constants_and_constant_scores_have_no_importance():
    result = parameter_importance(searched(SQUARE | {"c": [7]}, lambda p: p["x"], 12))
    assert shares(result)["c"] == 0.0
    flat = parameter_importance(searched(SQUARE, lambda _: 0.5, 12))
    assert not flat.importances_mean.any()
    assert not flat.importances_std.any()


def test_quantile_changes_importances():
    def function(p):
        return -10.0 * (p["x"] < 0.3) + p["y"]

    optimizer = searched(SQUARE, function, 80)
    assert shares(parameter_importance(optimizer))["x"] > 0.8
    half = shares(parameter_importance(optimizer, quantile=0.5))
    assert half["y"] > 0.2
    assert half["x"] < 0.7


def test_importance_with_failed_and_pruned_trials():
    optimizer = RandomOptimizer(SQUARE, seed=0)
    for trial in optimizer.ask(60):
        done = trial.complete(trial.params["x"])
        if trial.number % 5 == 1:
            done = trial.fail()
        elif trial.number % 5 == 2:
            done = trial.prune((trial.params["x"], 0.01), split_scores=[math.nan])
        optimizer.tell([done])
    result = parameter_importance(optimizer)
    assert shares(result)["x"] > 0.95
    assert result.n_trials == 48


def test_importance_with_low_fidelity_trials():
    optimizer = RandomOptimizer(SQUARE, seed=0, resources=(0.1, 1.0))
    for _ in range(40):
        [trial] = optimizer.ask()
        optimizer.tell([trial.complete(trial.params["x"] - (0.5 if trial.fidelity else 0.0))])
    assert any(trial.fidelity == 0.1 for trial in optimizer.trials)
    assert shares(parameter_importance(optimizer))["x"] > 0.9


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"quantile": 1.0}, "quantile must be"),
        ({"quantile": "half"}, "quantile must be"),
        ({"n_samples": 1}, "n_samples must be"),
    ],
)
def test_invalid_parameters_raise(given, message):
    with pytest.raises(ValueError, match=message):
        parameter_importance(searched(SQUARE, lambda p: p["x"], 6), **given)


def test_too_few_trials_raise():
    with pytest.raises(ValueError, match="at least 4 trials with a score"):
        parameter_importance(searched(SQUARE, lambda p: p["x"], 3))
    optimizer = RandomOptimizer(SQUARE)
    optimizer.tell([trial.fail() for trial in optimizer.ask(9)])
    with pytest.raises(ValueError, match="got 0 of 9"):
        parameter_importance(optimizer)
    with pytest.raises(ValueError, match="give their space"):
        parameter_importance(optimizer.trials)
    with pytest.raises(ValueError, match="the space that the trials were drawn from"):
        parameter_importance(optimizer.trials, space=Space({"x": [1, 2]}))
    with pytest.raises(NotFittedError, match="call fit"):
        parameter_importance(BayesSearchCV(SVC(), {"C": [1, 2]}))
    with pytest.raises(TypeError, match="a fitted search"):
        parameter_importance(3)
