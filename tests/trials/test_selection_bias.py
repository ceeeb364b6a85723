"""Selection bias and the corrected t-test, compared with formulas and simulations."""

import numpy as np
import pytest
from scipy import stats

from sklearn_lepton._search.nested_results import Comparison, NestedScore
from sklearn_lepton._trials.selection_bias import not_significantly_worse, optimism
from sklearn_lepton._trials.statistics import paired_test
from sklearn_lepton._trials.trial import Trial


def trials_of(table):
    """Return a complete trial for each column of scores (n_splits, n_trials)."""
    return [
        Trial(number, (0.5,), {}).complete(float(column.mean()), split_scores=column.tolist())
        for number, column in enumerate(np.asarray(table, dtype=float).T)
    ]


def test_paired_test_equals_nadeau_bengio():
    d = np.array([0.02, -0.01, 0.03, 0.04, 0.01, 0.02])
    found = paired_test(d, 0.25, confidence=0.9)
    error = np.sqrt(d.var(ddof=1) * (1 / 6 + 0.25))
    assert found.difference == pytest.approx(d.mean())
    assert found.p_value == pytest.approx(2 * stats.t.sf(d.mean() / error, 5))
    reach = stats.t.ppf(0.95, 5) * error
    assert found.interval == pytest.approx((d.mean() - reach, d.mean() + reach))


def test_paired_test_without_correction_is_students():
    d = np.random.default_rng(0).normal(0.3, 1.0, 20)
    assert paired_test(d, 0.0).p_value == pytest.approx(stats.ttest_1samp(d, 0).pvalue)


def test_interval_and_p_value_agree():
    rng = np.random.default_rng(1)
    for _ in range(50):
        found = paired_test(rng.normal(0.6, 1.0, 10), None)
        low, high = found.interval
        assert (found.p_value < 0.05) == (not low <= 0 <= high)


@pytest.mark.parametrize(("value", "p_value"), [(0.0, 1.0), (0.1, 0.0), (-0.3, 0.0)])
def test_paired_test_of_equal_differences(value, p_value):
    found = paired_test([value] * 5, None)
    assert found.p_value == p_value
    assert found.interval == (found.difference, found.difference)
    assert found.difference == pytest.approx(value)


def test_optimism_of_a_table_by_hand():
    # By the others, splits 0, 1, 2 would choose trials 1, 0, 0.
    table = [[0.9, 0.5], [0.6, 0.7], [0.6, 0.6]]
    assert optimism(trials_of(table), None) == pytest.approx(0.7 - (0.5 + 0.6 + 0.6) / 3)


def test_optimism_is_the_mean_over_tied_leaders():
    # Without split 0 the first two tie; without split 1 or 2 one of them leads.
    table = [[1.0, 0.0], [0.2, 0.4], [0.2, 0.0]]
    tied = [[0.3, 0.1], [0.2, 0.3], [0.2, 0.1]]  # of sums that differ in the last digit
    assert optimism(trials_of(table), None) == pytest.approx(1.4 / 3 - (0.5 + 0.2 + 0.2) / 3)
    assert optimism(trials_of(tied), None) == pytest.approx(0.7 / 3 - (0.2 + 0.2 + 0.2) / 3)


def test_optimism_is_unbiased_where_scores_tie():
    rng = np.random.default_rng(0)
    estimated, true = [], []
    for _ in range(500):
        table = rng.binomial(10, 0.7, (5, 30)) / 10
        estimated.append(optimism(trials_of(table), None))
        true.append(table.mean(axis=0).max() - 0.7)
    error = np.std(np.subtract(estimated, true)) / np.sqrt(500)
    assert np.mean(estimated) == pytest.approx(np.mean(true), abs=3 * error)


@pytest.mark.parametrize("n_repeats", [1, 3])
def test_optimism_does_not_fall_with_the_repeats_of_the_folds(n_repeats):
    rng = np.random.default_rng(0)
    estimated, true = [], []
    for _ in range(80):
        rows = rng.normal(size=(100, 30))  # the score of a trial on a row, for any training part
        parts = [np.split(rng.permutation(100), 5) for _ in range(n_repeats)]
        table = np.array([rows[test].mean(axis=0) for folds in parts for test in folds])
        estimated.append(optimism(trials_of(table), 5))
        true.append(table.mean(axis=0).max())
    error = np.std(np.subtract(estimated, true)) / np.sqrt(80)
    assert np.mean(estimated) == pytest.approx(np.mean(true), abs=3 * error)


def test_optimism_is_unknown_where_test_parts_overlap():
    assert np.isnan(optimism(trials_of(np.random.default_rng(0).normal(size=(6, 9))), 0))
    assert np.isnan(optimism(trials_of(np.random.default_rng(0).normal(size=(6, 9))), 4))


@pytest.mark.parametrize("n_trials", [5, 40])
def test_optimism_is_unbiased_where_splits_are_independent(n_trials):
    rng = np.random.default_rng(n_trials)
    estimated, true = [], []
    for _ in range(400):
        worth = rng.normal(0.0, 0.3, n_trials)
        hardness = rng.normal(0.0, 1.0, (10, 1))  # common to all trials: no luck of the best
        table = worth + hardness + rng.normal(0.0, 1.0, (10, n_trials))
        means = table.mean(axis=0)
        estimated.append(optimism(trials_of(table), None))
        true.append(means.max() - worth[means.argmax()] - hardness.mean())
    assert np.mean(estimated) == pytest.approx(np.mean(true), rel=0.15)
    assert np.mean(true) > 0.2


def test_optimism_is_unknown_of_a_single_split_or_without_trials():
    assert np.isnan(optimism([], None))
    assert np.isnan(optimism(trials_of([[0.1, 0.2]]), None))
    assert np.isnan(optimism([Trial(0, (0.5,), {}).fail()], None))


def test_only_full_and_complete_trials_count():
    table = np.random.default_rng(0).normal(size=(5, 4))
    trials = trials_of(table)
    others = [
        Trial(4, (0.5,), {}, fidelity=0.1).complete(9.0, split_scores=[9.0] * 5),
        Trial(5, (0.5,), {}).fail(),
        Trial(6, (0.5,), {}).prune((0.0, 1.0), split_scores=[9.0] + [np.nan] * 4),
    ]
    assert optimism([*trials, *others], None) == optimism(trials, None)
    assert not_significantly_worse([*trials, *others], None) == not_significantly_worse(
        trials, None
    )


def test_not_significantly_worse_trials_by_hand():
    hardness = np.array([[0.0], [1.0], [-1.0], [0.5], [-0.5]])
    noise = np.array([[0.01], [-0.01], [0.0], [0.01], [-0.01]])
    table = np.hstack([hardness + 1.0, hardness + 0.99 + 2 * noise, hardness + 0.9 + noise])
    assert [trial.number for trial in not_significantly_worse(trials_of(table), None)] == [0, 1]
    assert [t.number for t in not_significantly_worse(trials_of(table), None, level=1e-9)] == [
        0,
        1,
        2,
    ]


def test_paired_test_keeps_its_level():
    rng = np.random.default_rng(0)
    n_apart = 0
    for _ in range(400):
        n_apart += 2 - len(not_significantly_worse(trials_of(rng.normal(size=(10, 2))), ratio=0.0))
    assert 0.02 < n_apart / 400 < 0.09


def test_comparison_is_readable():
    scores = np.array([0.9, 0.8]), np.array([0.7, 0.7])
    comparison = Comparison(*scores, 0.15, (0.05, 0.25), 0.01, 0.95, True)
    text = str(comparison)
    assert "tuned 0.85, untuned 0.7: difference +0.15" in text
    assert "95 % interval +0.05 to +0.25, p = 0.01, 2 splits, tuned again in each" in text
    assert text.endswith("Tuning helped.")
    assert Comparison(*scores, -1, (-2, -1), 0.01, 0.95, True).verdict == "Tuning did harm."
    found = Comparison(*scores, 0.1, (-0.1, 0.3), 0.4, 0.95, False)
    assert found.verdict == "No difference is shown."
    assert "new to the search" in str(found)


def test_nested_score_is_readable():
    score = NestedScore(np.array([0.8, 0.9]), np.array([0.9, 0.92]), [{"C": 1}, {"C": 2}], 1.0)
    assert score.mean == pytest.approx(0.85)
    assert score.optimism == pytest.approx(0.06)
    assert score.std_error == pytest.approx(np.std([0.8, 0.9], ddof=1) * np.sqrt(1.5))
    text = str(score)
    assert len(text.splitlines()) == 4
    assert "{'C': 2}" in text
    assert "score 0.85" in text
    assert "+0.06" in text
