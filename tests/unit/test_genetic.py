import json

import numpy as np
import pytest
from subjects import BRANCHES, MIXED, NUMERIC, run, score

from sklearn_lepton._trial import Trial
from sklearn_lepton.optimizers._genetic import GeneticOptimizer


def trial_with(number, score, **meta):
    return Trial(number, (0.1, 0.1), {}, meta).complete(score)


@pytest.mark.parametrize("space", [NUMERIC, MIXED, BRANCHES])
def test_meta_survives_json_and_tell_in_any_order_gives_the_same_proposal(space):
    trials = run(GeneticOptimizer(space, seed=3), 40)
    expected = GeneticOptimizer(space, seed=3)
    expected.tell(trials)
    [proposal] = expected.ask()
    assert all(json.loads(json.dumps(t.meta)) == t.meta for t in [*trials, proposal])
    shuffled = GeneticOptimizer(space, seed=3)
    for index in np.random.default_rng(0).permutation(40):
        shuffled.tell([trials[index]])
    assert shuffled.ask() == [proposal]


def test_parents_are_earlier_trials_among_the_best():
    trials = run(GeneticOptimizer(MIXED, population_size=5), 50)
    for trial in trials[8:]:
        earlier = sorted((t.score for t in trials[: trial.number]), reverse=True)
        parents = [trials[number] for number in trial.meta["parents"]]
        assert all(parent.number < trial.number for parent in parents)
        assert all(parent.score >= earlier[4] for parent in parents)


def test_both_operators_are_used():
    operators = {t.meta["operator"] for t in run(GeneticOptimizer(MIXED), 60)[8:]}
    assert operators == {"crossover", "differential"}


def test_credit_goes_to_the_operator_whose_children_beat_their_first_parent():
    told = [trial_with(0, 1.0), trial_with(1, 5.0)]
    told += [trial_with(2 + i, 2.0, operator="differential", parents=[0, 1]) for i in range(3)]
    told += [trial_with(5 + i, 4.0, operator="crossover", parents=[1, 0]) for i in range(3)]
    told += [trial_with(8, 9.0, operator="crossover", parents=[77])]  # a parent nobody knows
    told += [trial_with(9, 9.0, operator="restart", parents=[0]), trial_with(10, 9.0, other=1)]
    rates = GeneticOptimizer(NUMERIC)._success_rates(told, {t.number: t.score for t in told})
    np.testing.assert_allclose(rates, [1 / 5, 4 / 5])


@pytest.mark.parametrize("operator", ["_crossover", "_differential"])
def test_choices_are_inherited_and_not_interpolated(operator):
    optimizer = GeneticOptimizer({"kind": list("cadb"), **NUMERIC}, mutation=0.0)
    members = np.random.default_rng(0).random((6, 3))
    members[:, 0] = [0.125, 0.875] * 3
    for seed in range(100):
        child, parents = getattr(optimizer, operator)(members, np.random.default_rng(seed))
        assert child[0] in members[parents, 0]


def test_crossover_without_mutation_stays_within_the_blend():
    optimizer = GeneticOptimizer(NUMERIC, blend=0.25, mutation=0.0)
    members = np.random.default_rng(0).random((6, 2))
    for seed in range(100):
        child, parents = optimizer._crossover(members, np.random.default_rng(seed))
        low, high = members[parents].min(axis=0), members[parents].max(axis=0)
        margin = 0.25 * (high - low) + 1e-12
        assert np.all((low - margin <= child) & (child <= high + margin))


def test_differential_leaves_at_least_one_column_crossed():
    optimizer = GeneticOptimizer(NUMERIC)
    members = np.random.default_rng(0).random((6, 2))
    for seed in range(100):
        child, parents = optimizer._differential(members, np.random.default_rng(seed))
        assert np.any(child != members[parents[0]])
        assert len({parents[0], *parents[2:]}) == 3


def test_collapsed_population_leaps():
    optimizer = GeneticOptimizer(NUMERIC)
    points = [(0.5 + 1e-6 * number, 0.5) for number in range(12)]
    optimizer.tell([Trial(n, p, {}).complete(0.0) for n, p in enumerate(points)])
    asked = optimizer.ask(20)
    assert {trial.meta["operator"] for trial in asked} == {"restart"}
    distances = np.abs(np.array([trial.point for trial in asked]) - 0.5).max(axis=1)
    assert distances.min() < 0.1 < distances.max()


@pytest.mark.parametrize("batch", [1, 5])
def test_children_of_a_conditional_space_are_legal_and_of_one_branch(batch):
    optimizer = GeneticOptimizer(BRANCHES)
    trials = run(optimizer, 60, batch=batch)
    for trial in trials:
        assert set(trial.params) in ({"kind", "C", "kernel"}, {"kind", "depth", "share"})
        assert optimizer.space.to_point(trial.params) == pytest.approx(trial.point)
    pure = [
        {trials[number].point[0] for number in trial.meta["parents"]} == {trial.point[0]}
        for trial in trials
        if "parents" in trial.meta
    ]
    assert np.mean(pure) == 1.0


def test_branch_that_nobody_tried_is_entered():
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


def test_failures_only_keep_to_the_design():
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
    parents = {number for trial in trials[20:] for number in trial.meta["parents"]}
    assert {trials[number].status for number in parents} == {"complete"}


@pytest.mark.parametrize(
    "wrong", [{"population_size": 1}, {"population_size": "10"}, {"blend": -0.1}, {"mutation": -1}]
)
def test_parameters_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        GeneticOptimizer(NUMERIC, **wrong)
