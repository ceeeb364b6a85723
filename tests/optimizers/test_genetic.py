"""`GeneticOptimizer`: survivors, operators, learnt rates, branches."""

import json

import numpy as np
import pytest
from subjects import BRANCHES, MIXED, NUMERIC, run, score

from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.optimizers._genetic import GeneticOptimizer, _learn, _Rates, _survivors

STILL = _Rates(share=0.5, mutation=0.0, scale=0.6, crossed=0.8)


def trial_with(number, score, **meta):
    return Trial(number, (0.1, 0.1), {}, meta).complete(score)


@pytest.mark.parametrize("space", [NUMERIC, MIXED, BRANCHES])
def test_genetic_told_json_in_any_order_proposes_the_same(space):
    trials = run(GeneticOptimizer(space, seed=3), 40)
    expected = GeneticOptimizer(space, seed=3)
    expected.tell(trials)
    [proposal] = expected.ask()
    assert all(json.loads(json.dumps(t.proposal)) == t.proposal for t in [*trials, proposal])
    shuffled = GeneticOptimizer(space, seed=3)
    for index in np.random.default_rng(0).permutation(40):
        shuffled.tell([trials[index]])
    assert shuffled.ask() == [proposal]


def test_parents_are_survivors_of_earlier_trials():
    trials = run(GeneticOptimizer(MIXED, population_size=5), 50)
    for trial in trials[8:]:
        told = trials[: trial.number]
        scores, rows = np.array([t.score for t in told]), np.arange(len(told))
        assert set(trial.proposal["parents"]) <= set(_survivors(told, scores, rows, 5).tolist())


def test_survivors_child_replaces_its_first_parent_if_not_worse():
    told = [trial_with(n, float(n)) for n in range(4)]  # the best is 3
    told += [trial_with(4, 9.0, parents=[0, 3])]  # beats its first parent
    told += [trial_with(5, 2.5, parents=[3, 0])]  # does not, though better than 1 and 2
    told += [trial_with(6, 1.0, parents=[1])]  # is as good as its parent, and later
    told += [trial_with(7, 1.5, parents=[0])]  # its parent has gone: the worst gives way
    told += [trial_with(8, 0.5)]  # has no parent and is worse than all

    def survivors(n_told, size=4):
        scores = np.array([trial.score for trial in told[:n_told]])
        return _survivors(told[:n_told], scores, np.arange(n_told), size).tolist()

    assert survivors(4) == [3, 2, 1, 0]
    assert survivors(5) == [4, 3, 2, 1]
    assert survivors(6) == [4, 3, 2, 1]
    assert survivors(7) == [4, 3, 2, 6]
    assert survivors(9) == [4, 3, 2, 7]
    assert survivors(4, size=2) == [3, 2]
    assert survivors(6, size=5) == [4, 3, 2, 1]


def test_survivors_keep_several_lines_of_descent():
    """One point scores far better than all others; half of the lines stay elsewhere."""
    optimizer = GeneticOptimizer(NUMERIC, surrogate=False)

    def two_hills(params):
        lucky = np.hypot(params["x"] - 0.2, params["y"] - 0.2) < 0.15
        return lucky - np.hypot(params["x"] - 0.8, params["y"] - 0.8)

    trials = run(optimizer, 60, two_hills)
    scores = np.array([trial.score for trial in trials])
    alive = _survivors(trials, scores, np.arange(60), 11)
    assert 1 < sum(trials[row].params["x"] > 0.5 for row in alive) < len(alive)


def test_both_operators_are_used():
    alone = GeneticOptimizer(MIXED, surrogate=False)
    operators = {t.proposal["operator"] for t in run(alone, 60)[8:]}
    assert operators == {"crossover", "differential"}
    screened = [t.proposal["operator"] for t in run(GeneticOptimizer(MIXED), 60)[8:]]
    assert set(screened) >= operators
    assert screened.count("random") < 26  # a quarter of the candidates


def test_credit_goes_to_the_operator_whose_children_beat_their_first_parent():
    meta = {"operator": "differential", "parents": [0, 1], "rates": [0.2, 0.4]}
    told = [trial_with(0, 1.0), trial_with(1, 5.0)]
    told += [trial_with(2 + i, 2.0, **meta) for i in range(3)]
    told += [trial_with(5 + i, 4.0, operator="crossover", parents=[1], rates=[9]) for i in range(3)]
    told += [trial_with(8, 9.0, operator="crossover", parents=[77], rates=[9])]  # of nobody known
    told += [trial_with(9, 9.0, operator="restart", parents=[0]), trial_with(10, 9.0, other=1)]
    told += [trial_with(11, 9.0, operator="crossover", parents=[0])]  # does not say its rates
    learnt = _learn(told, np.array([trial.score for trial in told]))
    # Won and tried, with one of each added: differential 4 of 5, crossover 2 of 6.
    assert learnt.share == pytest.approx((4 / 5) / (4 / 5 + 2 / 6))
    assert learnt.mutation == 1.0  # no crossover with rates succeeded
    assert learnt.scale == pytest.approx((0.6 + 3 * 0.2) / 4)
    assert learnt.crossed == pytest.approx((0.8 + 3 * 0.4) / 4)


def test_rates_follow_recent_successes():
    optimizer = GeneticOptimizer(MIXED)
    members, rng = np.random.default_rng(0).random((8, 3)), np.random.default_rng(1)
    learnt = _Rates(share=0.5, mutation=2.0, scale=0.3, crossed=0.9)
    rates = optimizer._differential(members, 2000, learnt, rng).rates
    assert np.median(rates[0]) == pytest.approx(0.3, abs=0.01)
    assert np.median(rates[1]) == pytest.approx(0.9, abs=0.01)
    assert (rates[0].min(), rates[0].max(), rates[1].max()) == (0.1, 1.0, 1.0)
    rates = optimizer._crossover(members, 2000, learnt, rng).rates
    assert np.median(rates[0]) == pytest.approx(2.0, rel=0.05)
    assert np.all(np.isnan(rates[1]))


@pytest.mark.parametrize("operator", ["_crossover", "_differential"])
def test_choices_are_inherited_and_not_interpolated(operator):
    optimizer = GeneticOptimizer({"kind": list("cadb"), **NUMERIC})
    members, rng = np.random.default_rng(0).random((6, 3)), np.random.default_rng(1)
    members[:, 0] = [0.125, 0.875] * 3
    litter = getattr(optimizer, operator)(members, 300, STILL, rng)
    places = np.where(litter.parents < 0, litter.parents[0], litter.parents)
    assert np.all(np.any(litter.children[:, 0] == members[places, 0], axis=0))
    assert set(litter.children[:, 0]) == {0.125, 0.875}


def test_crossover_without_mutation_stays_within_the_blend():
    optimizer = GeneticOptimizer(NUMERIC, blend=0.25)
    members, rng = np.random.default_rng(0).random((6, 2)), np.random.default_rng(1)
    litter = optimizer._crossover(members, 300, STILL, rng)
    parents = members[litter.parents[:2]]
    low, high = parents.min(axis=0), parents.max(axis=0)
    margin = 0.25 * (high - low) + 1e-12
    assert np.all((low - margin <= litter.children) & (litter.children <= high + margin))


def test_differential_crosses_one_column_or_more_of_four_different_members():
    optimizer = GeneticOptimizer(NUMERIC)
    members, rng = np.random.default_rng(0).random((6, 2)), np.random.default_rng(1)
    still = STILL._replace(crossed=-1.0)  # never alone
    litter = optimizer._differential(members, 300, still, rng)
    target, best, plus, minus = litter.parents
    assert np.all(np.sum(litter.children != members[target], axis=1) == 1)
    assert np.all(best == 0)
    assert np.all((plus != target) & (minus != target) & (plus != minus))
    assert set(plus) == set(minus) == set(range(6))


def test_collapsed_population_restarts():
    optimizer = GeneticOptimizer(NUMERIC, surrogate=False)
    points = [(0.5 + 1e-6 * number, 0.5) for number in range(12)]
    optimizer.tell([Trial(n, p, {}).complete(0.0) for n, p in enumerate(points)])
    asked = optimizer.ask(20)
    assert {trial.proposal["operator"] for trial in asked} == {"restart"}
    assert {tuple(trial.proposal["parents"]) for trial in asked} == {(9,)}
    distances = np.abs(np.array([trial.point for trial in asked]) - 0.5).max(axis=1)
    assert distances.min() < 0.1 < distances.max()


@pytest.mark.parametrize("batch", [1, 5])
def test_children_of_a_conditional_space_are_legal_and_of_one_branch(batch):
    optimizer = GeneticOptimizer(BRANCHES)
    trials = run(optimizer, 60, batch=batch)
    for trial in trials:
        assert set(trial.params) in ({"kind", "C", "kernel"}, {"kind", "depth", "share"})
        assert optimizer.space.to_point(trial.params) == pytest.approx(trial.point)
    bred = [trial for trial in trials if trial.proposal.get("parents")]
    assert len(bred) > 20
    for trial in bred:
        assert {trials[number].point[0] for number in trial.proposal["parents"]} == {trial.point[0]}


def test_genetic_enters_an_untried_branch():
    optimizer = GeneticOptimizer(BRANCHES, n_initial_points=1)
    points = [(0.25, 0.5, 0.01 * n, 0.5, 0.5, 0.5, 0.5)[: optimizer.space.n_dims] for n in range(9)]
    points = optimizer.space.snap(points).tolist()
    optimizer.tell([Trial(n, tuple(p), {}).complete(n) for n, p in enumerate(points)])
    assert {trial.params["kind"] for trial in optimizer.ask(30)} == {"svm", "tree"}


@pytest.mark.parametrize("space", [{"n": (1, 5, "int")}, {"k": (0, 30, "int"), "m": [1, 2, 4]}])
def test_finite_space_is_exhausted_without_repeats(space):
    optimizer = GeneticOptimizer(space)
    n_trials = int(optimizer.space.size)
    run(optimizer, n_trials)
    assert len({trial.point for trial in optimizer.trials}) == n_trials
    assert optimizer.ask() == []


def test_genetic_continues_the_design_if_all_trials_fail():
    optimizer = GeneticOptimizer(MIXED)
    for _ in range(12):
        optimizer.tell([trial.fail() for trial in optimizer.ask()])
    assert len({trial.point for trial in optimizer.trials}) == 12


def test_failed_trials_are_not_parents_once_others_fill_the_population():
    optimizer = GeneticOptimizer(NUMERIC, population_size=4)
    for _ in range(40):
        [trial] = optimizer.ask()
        bad = trial.params["x"] > 0.6
        optimizer.tell([trial.fail() if bad else trial.complete(score(trial.params))])
    trials = optimizer.trials
    parents = {number for trial in trials[20:] for number in trial.proposal["parents"]}
    assert {trials[number].status for number in parents} == {"complete"}


@pytest.mark.parametrize(
    "wrong",
    [{"population_size": 1}, {"population_size": "10"}, {"blend": -0.1}, {"surrogate": "no"}],
)
def test_genetic_rejects_parameters_out_of_range(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        GeneticOptimizer(NUMERIC, **wrong)
