"""Objectives, limits and Pareto fronts."""

import itertools

import numpy as np
import pytest

from sklearn_lepton import Limit, Objective
from sklearn_lepton._trials.objectives import Objectives
from sklearn_lepton._trials.pareto import (
    crowding,
    front_hypervolume,
    front_ranks,
    hypervolume,
    is_on_front,
    knee,
    pareto_trials,
)
from sklearn_lepton.optimizers import SplitResult, Trial


def trial(number, **metrics):
    result = SplitResult(scores=metrics, fit_time=1.0, score_time=float(number))
    score = next(iter(metrics.values()))
    return Trial(number, (), {}).complete(score, split_results=[result])


def dominates(one, other):
    return all(a >= b for a, b in zip(one, other, strict=True)) and tuple(one) != tuple(other)


def test_front_equals_that_of_pairwise_comparison():
    values = np.random.default_rng(0).integers(6, size=(60, 3)).astype(float)
    expected = [not any(dominates(other, row) for other in values) for row in values]
    assert is_on_front(values).tolist() == expected


def test_front_without_unknown_values():
    values = np.array([[1.0, np.nan], [0.0, 0.0], [-1.0, -1.0]])
    assert is_on_front(values).tolist() == [False, True, False]
    assert front_ranks(values).tolist() == [2, 0, 1]


def test_ranks_peel_one_front_after_the_other():
    values = np.array([[2.0, 2.0], [3.0, 1.0], [1.0, 1.0], [0.0, 0.5], [2.0, 2.0]])
    assert front_ranks(values).tolist() == [0, 0, 1, 2, 0]


def test_crowding_is_infinite_at_the_ends_and_greatest_in_gaps():
    values = np.array([[0.0, 4.0], [1.0, 3.0], [1.2, 2.8], [4.0, 0.0]])
    distance = crowding(values)
    assert np.isinf(distance[[0, 3]]).all()
    assert distance[2] > distance[1]


@pytest.mark.parametrize("n_objectives", [1, 2, 3, 4])
def test_hypervolume_equals_a_count_of_unit_cells(n_objectives):
    values = np.random.default_rng(n_objectives).integers(5, size=(7, n_objectives)).astype(float)
    cells = itertools.product(range(5), repeat=n_objectives)
    n_dominated = sum((values >= np.array(cell) + 1.0).all(axis=1).any() for cell in cells)
    assert hypervolume(values, np.zeros(n_objectives)) == n_dominated


def test_directions_of_metrics_and_times():
    trials = [trial(0, acc=0.9, size=9.0), trial(1, acc=0.8, size=2.0)]
    objectives = Objectives.read(["acc", Objective("size", "minimize"), "score_time"])
    assert objectives.values(trials).tolist() == [[0.9, -9.0, 0.0], [0.8, -2.0, -1.0]]


def test_minimized_function_keeps_its_units():
    stored = trial(0, loss=-3.0)  # trials hold values times -1
    objectives = Objectives.read(["loss", Limit("loss", at_most=2.0)], minimize=True)
    assert objectives.values([stored]).tolist() == [[-3.0]]
    assert objectives.excesses([stored]).tolist() == [[1.0]]


def test_front_knee_and_hypervolume_of_trials():
    points = [(1.0, 0.0), (0.9, 0.9), (0.0, 1.0), (0.5, 0.5), (0.9, 0.9)]
    trials = [trial(n, a=a, b=b) for n, (a, b) in enumerate(points)]
    objectives = Objectives.read(["a", "b"])
    assert [t.number for t in pareto_trials(trials, objectives)] == [0, 1, 2]
    assert knee(trials, objectives).number == 1
    assert front_hypervolume(trials, objectives) == pytest.approx(0.81)
    given = Objectives.read([Objective("a", reference=-1.0), Objective("b", reference=-1.0)])
    assert front_hypervolume(trials, given) == pytest.approx(1.9**2 + 2 * 0.1)


def test_trial_over_a_limit_is_neither_on_the_front_nor_the_best():
    trials = [trial(0, a=1.0, b=5.0), trial(1, a=0.5, b=1.0), trial(2, a=0.4, b=0.5)]
    objectives = Objectives.read(["a", Limit("b", at_most=2.0)])
    assert [t.number for t in pareto_trials(trials, objectives)] == [1]
    assert knee(trials, objectives).number == 1
    assert knee(trials, Objectives.read([Limit("b", at_most=0.1)])) is None


def test_failed_trial_is_not_on_the_front():
    trials = [trial(0, a=1.0, b=1.0), Trial(1, (), {}).fail(), trial(2, a=5.0, b=float("nan"))]
    assert [t.number for t in pareto_trials(trials, Objectives.read(["a", "b"]))] == [0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Limit("a"), "give at_most or at_least"),
        (lambda: Limit("a", at_most=1.0, at_least=2.0), "at_least must not exceed at_most"),
        (lambda: Limit("a", at_most="1"), "at_most must be None or a finite number"),
        (lambda: Objective(""), "name must be"),
        (lambda: Objective("a", "max"), "direction must be one of"),
        (lambda: Objective("a", reference=np.inf), "reference must be None or a finite"),
        (lambda: Objectives.read(["a", "a"]), "different names"),
    ],
)
def test_bad_objective_says_what_is_allowed(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_objective_of_another_type_is_refused():
    with pytest.raises(TypeError, match="names of metrics or times"):
        Objectives.read([("a", "minimize")])
