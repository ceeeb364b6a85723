"""The choice among finished trials, on artificial tables."""

import numpy as np
import pytest
from sklearn.model_selection import KFold, RepeatedKFold, ShuffleSplit, TimeSeriesSplit

from sklearn_lepton._search.selection import choose, cost_of, mean_seconds, simplest_of
from sklearn_lepton._trials.ranking import candidates, metric_of, within_one_se
from sklearn_lepton._trials.split_layout import layout_of, split_ratio
from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton._trials.statistics import plain_standard_error, standard_error
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.space import Categorical, Space


def make(number, *scores, seconds=1.0, resource=None, **params):
    rows = [
        SplitResult(scores=s, fit_time=0.75 * seconds, score_time=0.25 * seconds) for s in scores
    ]
    trial = Trial(number, (), params, fidelity=resource)
    return trial.complete(float(np.mean(scores)), split_scores=scores, split_results=rows)


def by_number(trials):
    return {trial.number: trial for trial in trials}


def numbers(trials):
    return [trial.number for trial in trials]


# The standard error of the best, number 1, is 0.02 / sqrt(4) * sqrt(4 / 3) = 0.0115.
TABLE = [
    make(0, 0.80, 0.80, 0.80, 0.80, seconds=0.1),
    make(1, 0.88, 0.92, 0.88, 0.92, seconds=4.0, size=9),
    make(2, 0.89, 0.89, 0.89, 0.89, seconds=2.0, size=5),
    make(3, 0.895, 0.895, 0.895, 0.895, seconds=2.5, size=7),
    make(4, 0.888, 0.888, 0.888, 0.888, seconds=0.5, size=1),
    Trial(5, (), {}, status="pruned"),
    Trial(6, (), {}).fail(),
    make(7, 0.99, 0.99, 0.99, 0.99, seconds=0.1, resource=1 / 3),
]
RANKED = candidates(TABLE)


def test_ranking_includes_complete_full_trials_only():
    assert numbers(RANKED) == [1, 3, 2, 4, 0]
    assert numbers(candidates([make(3, 0.5), make(1, 0.5), make(2, 0.6, resource=1.0)])) == [
        2,
        1,
        3,
    ]
    assert candidates([]) == within_one_se([]) == []


def test_finalists_are_within_one_standard_error_of_the_best():
    assert plain_standard_error([0.88, 0.92, 0.88, 0.92]) == pytest.approx(0.01155, abs=1e-5)
    assert plain_standard_error([0.4]) == 0.0
    assert numbers(within_one_se(RANKED)) == [1, 3, 2]
    assert numbers(within_one_se([make(0, 0.5), make(1, 0.5), make(2, 0.4)])) == [0, 1]


def test_best_trial_is_chosen_by_default():
    assert choose(RANKED).number == 1
    assert choose(RANKED, {}).number == 1


def test_similar_times_count_as_equal():
    # 2 is the cheapest; 3 takes a quarter longer and scores better; 1 takes twice as long.
    assert choose(RANKED, cost=mean_seconds).number == 3
    assert simplest_of(RANKED[:3], mean_seconds).number == 2


def test_ties_in_complexity_prefer_better_then_earlier_trial():
    close = [make(3, 0.5), make(1, 0.6), make(2, 0.6)]
    assert simplest_of(close, lambda _: 1.0).number == 1
    assert simplest_of(close, lambda trial: trial.number % 2 - 5.0).number == 2
    assert simplest_of(close, lambda _: float("inf")).number == 1


def test_complexity_can_be_a_parameter():
    space = Space({"size": (1, 9, "int")})
    assert choose(RANKED, cost=cost_of("size", space)).number == 2


KINDS = Space(
    [
        {"kind": ["linear", "cubic"], "n": [500, 50], "c": Categorical([None, 3, 1])},
        {"kind": ["net", "linear"], "flag": [False, True], "size": (1, 9, "int")},
    ]
)


@pytest.mark.parametrize(
    ("name", "params", "expected"),
    [
        ("n", [{"n": 500}, {"n": 50}], [500, 50]),
        ("size", [{"size": 7}, {"n": 50}], [7, np.inf]),
        ("c", [{"c": None}, {"c": 3}, {"c": 1}], [0.5, 1.5, 2.5]),
        ("flag", [{"flag": False}, {"flag": True}, {}], [0.5, 1.5, np.inf]),
        ("kind", [{"kind": "linear"}, {"kind": "cubic"}], [0.5, 1.5]),
        (lambda params: params["n"] ** 2, [{"n": 3}], [9]),
        (lambda params: np.float32(params["n"]), [{"n": 3}], [3]),
    ],
)
def test_complexity_by_fit_time(name, params, expected):
    cost = cost_of(name, KINDS)
    assert [cost(make(0, 0.5, **setting)) for setting in params] == pytest.approx(expected)


@pytest.mark.parametrize("answer", [None, "few", float("nan"), True])
def test_complexity_callable_must_return_a_number(answer):
    with pytest.raises(ValueError, match=r"complexity must return a number.*got "):
        cost_of(lambda _: answer, KINDS)(make(0, 0.5))


def test_time_of_a_trial_includes_scoring():
    assert cost_of(None, KINDS)(make(0, 0.5, 0.6, seconds=3.0)) == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("splitter", "ratio", "n_disjoint"),
    [
        (KFold(5), 1 / 4, 5),
        (RepeatedKFold(n_splits=5, n_repeats=3), 1 / 4, 5),
        (ShuffleSplit(10, test_size=0.2, random_state=0), 1 / 4, 0),
        (ShuffleSplit(3, test_size=0.1, random_state=1), 1 / 9, 0),
        (ShuffleSplit(1, test_size=0.1), 1 / 9, 0),
        (TimeSeriesSplit(4), np.mean([1, 1 / 2, 1 / 3, 1 / 4]), 4),
    ],
)
def test_layout_describes_the_splits(splitter, ratio, n_disjoint):
    splits = list(splitter.split(np.zeros(100)))
    assert split_ratio(splits) == pytest.approx(ratio)
    assert layout_of(splits) == (pytest.approx(ratio), n_disjoint)
    masks = [tuple(np.isin(np.arange(100), rows) for rows in split) for split in splits]
    assert layout_of(masks) == (pytest.approx(ratio), n_disjoint)


def test_standard_error_does_not_fall_with_repeats_of_folds():
    scores = np.random.default_rng(0).normal(size=50).tolist()
    plain, error = plain_standard_error(scores), standard_error(scores, 1 / 4)
    assert error == pytest.approx(np.std(scores, ddof=1) * np.sqrt(1 / 50 + 1 / 4))
    assert error / plain == pytest.approx(np.sqrt(50 * (1 / 50 + 1 / 4)))


# ------------------------------------------------------------------ on final splits


def test_best_trial_is_replaced_only_beyond_a_standard_error():
    first, near = make(1, 0.80, 0.84, 0.82, 0.86), make(3, 0.83, 0.83, 0.85, 0.83)
    assert choose(RANKED, by_number([first, near])).number == 1
    clear = make(2, 0.82, 0.85, 0.83, 0.87)
    assert choose(RANKED, by_number([first, near, clear])).number == 2
    clearer = make(3, 0.86, 0.90, 0.88, 0.92)
    assert choose(RANKED, by_number([first, clear, clearer])).number == 3


def test_standard_error_of_repeated_final_splits_counts_overlap():
    first, second = make(1, 0.80, 0.84, 0.82, 0.86), make(3, 0.82, 0.84, 0.82, 0.88)
    finals = by_number([first, second])
    assert choose(RANKED, finals, ratio=0.1).number == 3
    assert choose(RANKED, finals, ratio=1.0).number == 1


def test_trial_that_fails_on_final_splits_is_not_chosen():
    finals = by_number([make(3, 0.7, 0.8), make(2, 0.7, 0.8)])
    assert choose(RANKED, finals).number == 3


def test_one_se_uses_standard_error_of_final_splits():
    finals = [
        make(1, 0.80, 0.84, 0.80, 0.84),
        make(3, 0.70, 0.72, 0.74, 0.72),
        make(2, 0.815, 0.815, 0.815, 0.815),
    ]
    assert choose(RANKED, by_number(finals), mean_seconds).number == 2
    assert choose(RANKED, by_number(finals[:2]), mean_seconds).number == 1
    # The best there may be another one, and what overtakes nothing may be simpler.
    finals[2] = make(2, 0.90, 0.94, 0.90, 0.94)
    assert choose(RANKED, by_number(finals), mean_seconds).number == 2


def test_one_final_split_has_no_standard_error():
    assert choose(RANKED, by_number([make(1, 0.8), make(3, 0.81)])).number == 3
    assert choose(RANKED, by_number([make(1, 0.8), make(3, 0.8)])).number == 1


def test_ranking_uses_the_metric_of_refit():
    assert [metric_of(refit) for refit in (True, False, "1se", "auc", max)] == [
        None,
        None,
        None,
        "auc",
        None,
    ]
