"""`SwarmOptimizer`: tracks of the particles, moves, branches, reseeding."""

import itertools
import json

import numpy as np
import pytest
from subjects import BRANCHES, MIXED, NUMERIC, run

from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.optimizers._boundary import reflect_and_dither
from sklearn_lepton.optimizers._swarm import _N_MOVES, SwarmOptimizer
from sklearn_lepton.space import Space


def test_swarm_starts_at_the_design_and_moves_in_turn():
    trials = run(SwarmOptimizer(NUMERIC, n_particles=4), 12)
    assert [trial.proposal for trial in trials[:4]] == [{}] * 4
    assert [trial.proposal["particle"] for trial in trials[4:]] == [0, 1, 2, 3] * 2


def test_particle_with_a_pending_trial_does_not_move_while_another_can():
    optimizer = SwarmOptimizer(NUMERIC, n_particles=4)
    asked = optimizer.ask(4)
    optimizer.tell([asked[2].complete(1.0), asked[1].complete(0.0)])
    assert [trial.proposal["particle"] for trial in optimizer.ask(2)] == [1, 2]


def test_swarm_serves_a_batch_larger_than_itself():
    optimizer = SwarmOptimizer(NUMERIC, n_particles=4)
    run(optimizer, 4)
    asked = optimizer.ask(12)
    assert sorted(trial.proposal["particle"] for trial in asked) == sorted([0, 1, 2, 3] * 3)
    assert len({trial.point for trial in asked}) == 12


@pytest.mark.parametrize("space", [NUMERIC, MIXED, BRANCHES])
def test_swarm_told_json_in_any_order_proposes_the_same(space):
    trials = run(SwarmOptimizer(space, seed=3), 40)
    expected = SwarmOptimizer(space, seed=3)
    expected.tell(trials)
    [proposal] = expected.ask()
    assert all(json.loads(json.dumps(t.proposal)) == t.proposal for t in [*trials, proposal])
    shuffled = SwarmOptimizer(space, seed=3)
    for index in np.random.default_rng(0).permutation(40):
        shuffled.tell([trials[index]])
    assert shuffled.ask() == [proposal]


def test_choices_are_taken_from_sources_and_not_interpolated():
    # Between "c" (first) and "b" (last) are two choices that no source has.
    optimizer = SwarmOptimizer({"kind": list("cadb"), "x": (0.0, 1.0, "uniform")})
    track = [Trial(n, (0.125, 0.2 + n / 10), {}).complete(0.0) for n in range(3)]
    observed = np.array([[0.875, 0.5]]), np.array([1.0])
    score, rng = {0: 0.0, 1: 0.0, 2: 0.0}, np.random.default_rng(0)
    drawn = [optimizer._moves(track, score, observed, np.full(2, 0.1), rng) for _ in range(4)]
    moved = np.vstack(drawn)
    assert len(moved) == 4 * _N_MOVES
    cells = np.floor(moved[:, 0] * 4).astype(int)
    between = np.isin(cells, [1, 2]).mean()
    assert between < 0.06  # the random choices only, half of 5 percent
    assert (cells == 3).mean() > 0.3


@pytest.mark.parametrize("space", [{"n": (1, 5, "int")}, {"k": (0, 30, "int"), "m": [1, 2, 4]}])
def test_integer_particles_keep_moving_until_the_space_is_exhausted(space):
    optimizer = SwarmOptimizer(space)
    n_trials = int(optimizer.space.size)
    run(optimizer, n_trials)
    assert len({trial.point for trial in optimizer.trials}) == n_trials
    assert optimizer.ask() == []


def test_dither_rounds_in_proportion_to_the_distance():
    space, rng = Space({"n": (0, 9, "int")}), np.random.default_rng(0)
    point = np.array([0.45 + 0.03])  # three tenths of a cell above the centre of 4
    values = [space.from_point(reflect_and_dither(space, point, rng))["n"] for _ in range(2000)]
    assert set(values) == {4, 5}
    assert np.mean(values) == pytest.approx(4.3, abs=0.05)


def test_reflect_at_the_bounds():
    space, rng = Space(NUMERIC), np.random.default_rng(0)
    np.testing.assert_allclose(reflect_and_dither(space, np.array([-0.2, 1.3]), rng), [0.2, 0.7])


def test_particle_that_enters_a_branch_sees_only_columns_that_exist_there():
    optimizer = SwarmOptimizer(BRANCHES)
    space = optimizer.space
    svm = np.array(space.to_point({"kind": "svm", "C": 1.0, "kernel": "p"}))
    tree = np.array(space.to_point({"kind": "tree", "depth": 30, "share": 0.9}))
    fresh = np.full((20, space.n_dims), 0.123)
    sources, observed = np.array([svm, svm, svm]), (np.array([svm, tree]), np.array([1.0, 0.0]))
    views = optimizer._enter(tree[0], sources, observed, fresh, np.random.default_rng(0))
    depth = space.names.index("depth")
    assert set(views[0, :, depth]) == {0.123, tree[depth]}
    # Columns that the last point lacked have no velocity and no pull.
    np.testing.assert_array_equal(views[1, :, 4:], views[0, :, 4:])
    np.testing.assert_array_equal(views[2, :, 4:], views[0, :, 4:])
    np.testing.assert_array_equal(views[3, :, 4:], np.tile(tree[4:], (20, 1)))
    np.testing.assert_array_equal(views[:, :, 0], tree[0])


@pytest.mark.parametrize("batch", [1, 5])
def test_trials_of_a_conditional_space_are_legal(batch):
    optimizer = SwarmOptimizer(BRANCHES)
    for trial in run(optimizer, 60, batch=batch):
        assert set(trial.params) in ({"kind", "C", "kernel"}, {"kind", "depth", "share"})
        assert optimizer.space.to_point(trial.params) == pytest.approx(trial.point)


@pytest.mark.parametrize("surrogate", [True, False])
def test_particle_at_rest_is_reseeded_and_forgets_its_past(surrogate):
    optimizer = SwarmOptimizer(NUMERIC, n_particles=2, n_initial_points=2, surrogate=surrogate)
    points = [(0.5 + 1e-6 * number, 0.5) for number in range(6)]
    told = [
        Trial(number, point, {}, {"particle": number % 2}).complete(0.0)
        for number, point in enumerate(points)
    ]
    optimizer.tell(told)
    [trial] = optimizer.ask()
    assert (trial.proposal["particle"], trial.proposal["reseeded"]) == (0, True)
    assert np.abs(np.array(trial.point) - 0.5).max() > 0.01
    optimizer.tell([trial.complete(-1.0)])
    assert optimizer._tracks(optimizer.trials, dict.fromkeys(range(7), 0.0))[0] == [
        trial.complete(-1.0)
    ]


def test_swarm_continues_the_design_if_all_trials_fail():
    optimizer = SwarmOptimizer(MIXED)
    for _ in range(12):
        optimizer.tell([trial.fail() for trial in optimizer.ask()])
    assert len({trial.point for trial in optimizer.trials}) == 12


def test_trials_of_another_optimizer_start_the_particles():
    foreign = run(SwarmOptimizer(NUMERIC, seed=1), 20)
    optimizer = SwarmOptimizer(NUMERIC, seed=2)
    optimizer.tell([type(t)(t.number, t.point, t.params).complete(t.score) for t in foreign])
    tracks = optimizer._tracks(optimizer.trials, {t.number: t.score for t in foreign})
    assert len(tracks) == 8
    for particle, track in enumerate(tracks):
        assert [trial.score for trial in track] == [max(t.score for t in foreign[particle::8])]


def test_later_particle_does_not_change_the_starts_of_the_others():
    optimizer = SwarmOptimizer(NUMERIC)
    start = [Trial(n, (n / 200, 0.5), {}).complete(n) for n in range(8)]
    moves = [Trial(n, (n / 200, 0.5), {}, {"particle": n % 8}).complete(0) for n in range(8, 180)]
    score = {trial.number: trial.score for trial in start + moves}
    before = optimizer._tracks(start + moves[:100], score)
    after = optimizer._tracks(start + moves, score)
    assert (len(before), len(after)) == (8, 9)
    assert [track[0] for track in before] == [track[0] for track in after[:8]]
    assert after[8] == []


def test_swarm_size_grows_with_the_number_of_trials():
    optimizer = SwarmOptimizer(NUMERIC)
    sizes = [optimizer._swarm_size(n) for n in (0, 50, 130, 400, 1600)]
    assert sizes == sorted(sizes)
    assert (sizes[1], sizes[-1]) == (8, 28)
    assert all(b - a <= 14 for a, b in itertools.pairwise(sizes))


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_particles": 1},
        {"n_particles": "8"},
        {"inertia": 1.0},
        {"social": -1.0},
        {"surrogate": 1},
    ],
)
def test_swarm_rejects_parameters_out_of_range(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SwarmOptimizer(NUMERIC, **wrong)
