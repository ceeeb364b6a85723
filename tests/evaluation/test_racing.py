"""Race: when a trial is pruned, the order of the splits, the error rate."""

import numpy as np
import pytest

from sklearn_lepton._evaluation.racing import Race, _most_informative_order
from sklearn_lepton._trials.trial import Trial

K = 5
HARDNESS = np.array([0.0, -0.1, 0.05, 0.02, -0.03])


def complete(number, scores):
    scores = list(map(float, scores))
    return Trial(number, (), {}).complete(sum(scores) / len(scores), split_scores=scores)


def told(levels=(0.6, 0.8, 0.7, 0.75, 0.5, 0.78), *, noise=0.01, seed=0):
    rng = np.random.default_rng(seed)
    return [
        complete(n, level + HARDNESS + noise * rng.standard_normal(K))
        for n, level in enumerate(levels)
    ]


def judge(race, scores, k):
    splits = race.order[:k]
    return race.judge(splits, np.asarray(scores)[splits])


@pytest.mark.parametrize("n_complete", [0, 1, 2])
def test_race_prunes_nothing_before_three_complete_trials(n_complete):
    race = Race(told()[:n_complete], K, 0.05)
    assert race.order == list(range(K))
    assert judge(race, np.full(K, -100.0), 1) is None


def test_order_reduces_variance_fastest():
    relative = np.random.default_rng(0).uniform(0.5, 2.0, 9)
    left, order = list(range(9)), []

    def variance(split):
        rest = [other for other in left if other != split]
        weight = np.sum(1.0 / relative[[*order, split]])
        return len(rest) ** 2 / weight + relative[rest].sum()

    while left:
        order.append(min(left, key=variance))
        left.remove(order[-1])
    assert _most_informative_order(relative) == order
    assert _most_informative_order(np.ones(600)) == list(range(600))


def test_race_ignores_pruned_and_failed_trials():
    others = [Trial(n, (), {}).prune((9.0, 0.1)) for n in range(6, 9)]
    assert judge(Race([*told()[:2], *others], K, 0.05), np.full(K, -100.0), 1) is None


def test_race_prunes_hopeless_trial_after_one_split():
    expected, std = judge(Race(told(), K, 0.05), 0.3 + HARDNESS, 1)
    # What makes the splits hard is taken off: not the score on the one split is told.
    assert expected == pytest.approx(0.3 + HARDNESS.mean(), abs=0.02)
    assert 0 < std < 0.05


def test_race_never_prunes_better_trial():
    race = Race(told(), K, 0.05)
    assert all(judge(race, 0.9 + HARDNESS, k) is None for k in range(1, K))


def test_race_does_not_prune_equal_trial_on_hard_split():
    race = Race(told(), K, 0.05)
    scores = 0.81 + HARDNESS
    scores[race.order[0]] -= 0.005
    assert judge(race, scores, 1) is None


def test_race_prunes_trial_equal_to_best():
    trials = told()
    best = max(trials, key=lambda trial: trial.score)
    twin = [complete(n, best.split_scores) for n in range(6, 16)]
    assert judge(Race([*trials, *twin], K, 0.01), best.split_scores, 2) is not None


def test_race_with_constant_scores_prunes_trials_that_are_not_better():
    race = Race([complete(n, np.ones(K)) for n in range(4)], K, 0.01)
    assert judge(race, np.ones(K), 1) == (1.0, 0.0)
    assert judge(race, np.full(K, 2.0), 1) is None


def test_smaller_error_rate_prunes_fewer_trials():
    race = {rate: Race(told(noise=0.05), K, rate) for rate in (0.001, 0.05, 0.5)}
    levels = np.linspace(0.3, 0.9, 61)
    n_ended = [
        sum(judge(race[rate], level + HARDNESS, 1) is not None for level in levels)
        for rate in sorted(race)
    ]
    assert n_ended == sorted(n_ended)
    assert 0 < n_ended[0] < n_ended[1] < n_ended[2]


def test_order_starts_with_informative_split():
    trials = told(noise=0.001)
    rng = np.random.default_rng(0)
    loud = []
    for trial in trials:
        scores = np.array(trial.split_scores)
        scores[3] += 0.1 * rng.standard_normal()
        loud.append(complete(trial.number, scores))
    assert Race(loud, K, 0.05).order.index(3) <= 1
    assert sorted(Race(loud, K, 0.05).order) == list(range(K))


def test_estimate_scales_with_scores():
    trials = told(noise=0.02)
    scaled = [complete(t.number, 1000.0 * np.array(t.split_scores) - 7.0) for t in trials]
    scores = 0.4 + HARDNESS
    expected, std = judge(Race(trials, K, 0.05), scores, 2)
    assert judge(Race(scaled, K, 0.05), 1000.0 * scores - 7.0, 2) == pytest.approx(
        (1000.0 * expected - 7.0, 1000.0 * std)
    )


def test_race_with_one_split_prunes_nothing():
    race = Race([complete(n, [float(n)]) for n in range(5)], 1, 0.05)
    assert race.order == [0]


@pytest.mark.thorough
@pytest.mark.parametrize("noise", [0.01, 0.1])
def test_race_keeps_its_error_rate(noise):
    rate, n_runs, n_wrong, n_all = 0.05, 50, 0, 0
    for seed in range(n_runs):
        rng = np.random.default_rng(seed)
        trials = []
        for number in range(30):
            scores = 0.7 - 0.1 * rng.random() + HARDNESS + noise * rng.standard_normal(K)
            race, best = Race(trials, K, rate), max((t.score or 0 for t in trials), default=0)
            for k in range(1, K):
                if estimate := judge(race, scores, k):
                    trials.append(Trial(number, (), {}).prune(estimate, split_scores=scores))
                    n_wrong += scores.mean() > best
                    break
            else:
                trials.append(complete(number, scores))
            n_all += 1
    assert 0 < n_wrong <= rate * n_all
