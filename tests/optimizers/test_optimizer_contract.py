"""Contract of all optimizers, tested on each exported subclass of `Optimizer`."""

import inspect
import json
import math
import pickle
import random
import warnings
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from subjects import OPTIMIZERS

from sklearn_lepton import optimizers
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.space import Space
from sklearn_lepton.space._dimension import Integer, Real

SPACES = {
    "continuous": {"x": (0.0, 1.0, "uniform"), "y": (-5.0, 5.0, "uniform")},
    "mixed": {
        "C": (1e-3, 1e3, "log-uniform"),
        "n": (1, 1000, "log-int"),
        "kernel": ["rbf", "poly", None],
        "width": [1, 2, 4, 8],
        "bias": [True, False],
    },
    "conditional": [
        {"kind": ["a"], "x": (0.0, 1.0, "uniform")},
        {"kind": ["b"], "x": (0.0, 1.0, "uniform"), "n": (1, 50, "int")},
        {"kind": ["c"], "z": ["p", "q", "r"], "y": (1e-3, 1.0, "log-uniform")},
    ],
    "distributions": {
        "a": scipy.stats.norm(0, 3),
        "b": scipy.stats.poisson(4),
        "c": scipy.stats.randint(1, 30),
        "d": scipy.stats.loguniform(1, 100, loc=2),
    },
}
FINITE = {
    "flat": {"a": [1, 2, 3], "b": ["x", "y"], "c": (1, 2, "int")},
    "log-integers": {"n": (1, 23, "log-int")},
    "discrete": {
        "k": scipy.stats.binom(3, 0.5),
        "gap": scipy.stats.rv_discrete(values=([1, 5], [0.3, 0.7])),
    },
    "branches": [
        {"kind": ["a"], "n": (1, 4, "int"), "m": [1, 2]},
        {"kind": ["b"], "n": (1, 4, "int")},
        {"kind": ["c"]},
        {},
    ],
    "constants": {"one": [7], "two": (2.0, 2.0, "uniform"), "k": ["p", "q"]},
    "alone": {"x": ["only"]},
    "empty": {},
}


@pytest.fixture(params=OPTIMIZERS, ids=lambda kind: kind.__name__)
def kind(request):
    return request.param


def make(kind, space, seed=0):
    """Return an optimizer with a short initial design, if it has one."""
    short = (
        {"n_initial_points": 4} if "n_initial_points" in inspect.signature(kind).parameters else {}
    )
    return kind(space, seed=seed, **short)


def score(trial):
    """Return a score that prefers the lower corner, with ties."""
    return -round(sum((unit - 0.3) ** 2 for unit in trial.point), 2)


def run(optimizer, n_trials):
    """Ask and tell one by one."""
    for _ in range(n_trials):
        asked = optimizer.ask()
        if not asked:
            break
        optimizer.tell([trial.complete(score(trial)) for trial in asked])
    return optimizer.trials


def interleave(optimizer, n_trials, seed, n_in_flight=4):
    """Ask and tell as an asynchronous search would, with failures; yield after each event."""
    choose = random.Random(seed)
    running = []
    while len(optimizer.trials) < n_trials or running:
        n_free = min(n_in_flight - len(running), n_trials - len(optimizer.trials))
        if n_free > 0 and (not running or choose.random() < 0.6):
            asked = optimizer.ask(choose.randint(1, n_free))
            if not asked:
                n_trials = 0
            running += asked
        elif running:
            choose.shuffle(running)
            n_finished = choose.randint(1, len(running))
            finished, running = running[:n_finished], running[n_finished:]
            optimizer.tell(
                trial.fail() if choose.random() < 0.25 else trial.complete(score(trial))
                for trial in finished
            )
        yield


def summary(trials):
    """Return the parts of proposals that must be equal."""
    return [(t.number, t.point, repr(t.params), dict(t.proposal), t.status) for t in trials]


def through_json(trials, space):
    data = json.loads(json.dumps([trial.to_json() for trial in trials], allow_nan=False))
    return [Trial.from_json(entry, Space(space)) for entry in data]


def test_contract_covers_all_optimizers():
    assert {kind.__name__ for kind in OPTIMIZERS} <= set(optimizers.__all__)
    assert len(OPTIMIZERS) >= 2


# ------------------------------------------------------------------- proposals


@pytest.mark.parametrize("space", SPACES)
def test_proposals_are_legal_and_new(kind, space):
    optimizer = make(kind, SPACES[space], seed=1)
    trials = run(optimizer, 14)
    known = optimizer.space
    assert [trial.number for trial in trials] == list(range(14))
    assert len({trial.point for trial in trials}) == 14
    for trial in trials:
        assert len(trial.point) == known.n_dims
        assert all(type(unit) is float and 0 <= unit <= 1 for unit in trial.point)
        assert_array_equal(known.snap([trial.point])[0], trial.point)
        assert trial.params == known.from_point(trial.point)
        assert set(trial.params) in [set(branch) for branch in known.branches]
        np.testing.assert_allclose(known.to_point(trial.params), trial.point, rtol=0, atol=1e-9)
        assert all(
            u == 0.5
            for u, on in zip(trial.point, known.is_active([trial.point])[0], strict=True)
            if not on
        )


@pytest.mark.parametrize("space", SPACES)
def test_proposal_values_are_json(kind, space):
    for trial in run(make(kind, SPACES[space]), 10):
        assert json.loads(json.dumps(trial.proposal, allow_nan=False)) == trial.proposal


@pytest.mark.parametrize("space", SPACES)
def test_asked_trials_are_pending(kind, space):
    optimizer = make(kind, SPACES[space])
    asked = optimizer.ask(2)
    assert [trial.status for trial in asked] == ["pending", "pending"]
    assert optimizer.trials == asked
    assert optimizer.best is None
    assert not optimizer.is_exhausted


@pytest.mark.parametrize("n_told", [0, 2, 7])
@pytest.mark.parametrize("space", ["mixed", "conditional"])
def test_ask_three_equals_asking_three_times(kind, space, n_told):
    together, one_by_one = (make(kind, SPACES[space], seed=2) for _ in range(2))
    run(together, n_told)
    run(one_by_one, n_told)
    assert summary(together.ask(3)) == summary([one_by_one.ask()[0] for _ in range(3)])


def test_ask_zero_returns_nothing(kind):
    optimizer = make(kind, SPACES["continuous"])
    assert optimizer.ask(0) == []
    assert optimizer.trials == []


def test_seed_determines_proposals(kind):
    if kind.__name__ == "GridOptimizer":
        pytest.skip("leaves nothing to chance")
    space = SPACES["mixed"]
    first, again, other = (summary(run(make(kind, space, seed=s), 8)) for s in (3, 3, 4))
    assert first == again
    assert first != other
    assert summary(run(make(kind, space, seed=np.int64(3)), 8)) == first


@pytest.mark.parametrize("seed", [-1, 0.5, None, "0"])
def test_bad_seeds_raise(kind, seed):
    with pytest.raises(ValueError, match="seed must be an integer of at least 0, got"):
        kind(SPACES["continuous"], seed=seed)


@pytest.mark.parametrize("n_initial_points", [0, -1, 2.5, "many", None])
def test_bad_n_initial_points_raise(kind, n_initial_points):
    if "n_initial_points" not in inspect.signature(kind).parameters:
        pytest.skip("has no design to choose")
    with pytest.raises(
        ValueError, match="n_initial_points must be 'auto' or an integer of at least 1, got"
    ):
        kind(SPACES["continuous"], n_initial_points=n_initial_points)


def test_bad_spaces_raise(kind):
    with pytest.raises(TypeError, match="'x': 5"):
        kind({"x": 5})


@pytest.mark.parametrize("n_dims", [1, 50])
def test_few_and_many_dimensions(kind, n_dims):
    optimizer = make(kind, {f"x{k}": (0.0, 1.0, "uniform") for k in range(n_dims)})
    assert len({trial.point for trial in run(optimizer, 9)}) == 9


def test_fifty_choices_and_huge_integers(kind):
    space = {f"c{k}": ["a", "b", "c"] for k in range(25)}
    space |= {f"n{k}": Integer(0, 10**12) for k in range(25)}
    assert len({trial.point for trial in run(make(kind, space), 7)}) == 7


def test_ten_thousand_choices(kind):
    space = {"name": [f"name {k}" for k in range(10_000)], "x": (0.0, 1.0, "uniform")}
    assert len({trial.params["name"] for trial in run(make(kind, space), 9)}) > 1


# --------------------------------------------------------------- tell is enough


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("space", ["mixed", "conditional"])
def test_replay_at_any_moment_of_an_asynchronous_search(kind, space, seed):
    live, choose = make(kind, SPACES[space], seed=seed), random.Random(seed)
    for _ in interleave(live, 18, seed):
        if choose.random() < 0.5:
            continue
        trials = live.trials
        replayed = make(kind, SPACES[space], seed=seed)
        choose.shuffle(trials)
        while trials:
            n_told = choose.randint(1, len(trials))
            replayed.tell(trials[:n_told])
            trials = trials[n_told:]
        # A copy asks, so that the live optimizer is not changed by it.
        assert summary(replayed.ask(2)) == summary(pickle.loads(pickle.dumps(live)).ask(2))


@pytest.mark.thorough
@pytest.mark.parametrize("restore", ["pickle", "json"])
@pytest.mark.parametrize("n_kept", [3, 9, 13])
def test_resumed_search_equals_the_uninterrupted_one(kind, n_kept, restore):
    space = SPACES["mixed"]
    whole = run(make(kind, space, seed=5), 16)
    kept = whole[:n_kept]
    kept = through_json(kept, space) if restore == "json" else pickle.loads(pickle.dumps(kept))
    resumed = make(kind, space, seed=5)
    resumed.tell(reversed(kept))
    assert summary(run(resumed, 16 - n_kept)) == summary(whole)
    assert [trial.score for trial in resumed.trials] == [trial.score for trial in whole]


@pytest.mark.parametrize("space", ["mixed", "conditional", "distributions"])
def test_pending_trials_through_json(kind, space):
    live = make(kind, SPACES[space], seed=6)
    for _ in interleave(live, 12, seed=7):
        pass
    live.ask(3)
    resumed = make(kind, SPACES[space], seed=6)
    resumed.tell(through_json(live.trials, SPACES[space]))
    assert summary(resumed.ask(2)) == summary(live.ask(2))


@pytest.mark.thorough
@pytest.mark.parametrize("space", ["mixed", "conditional"])
def test_tell_in_any_order_proposes_the_same(kind, space):
    known = Space(SPACES[space])

    @settings(max_examples=15)
    @given(st.data(), strategies.histories(known))
    def check(data, history):
        told = {trial.point: trial for trial in reversed(history)}.values()  # no point twice
        shuffled = data.draw(st.permutations(list(told)))
        together, one_by_one = make(kind, known), make(kind, known)
        together.tell(sorted(told, key=lambda trial: trial.number))
        for trial in shuffled:
            one_by_one.tell([trial])
        proposals = together.ask(2)
        assert summary(one_by_one.ask(2)) == summary(proposals)
        assert not {trial.point for trial in proposals} & {trial.point for trial in told}

    check()


def test_tell_twice_or_pending_first_changes_nothing(kind):
    space = SPACES["mixed"]
    trials = run(make(kind, space), 9)
    once, often = make(kind, space), make(kind, space)
    once.tell(trials)
    often.tell([replace(trial, status="pending", score=None) for trial in trials])
    often.tell(trials)
    often.tell(trials[3:5])
    assert summary(often.ask(2)) == summary(once.ask(2))


def test_pickled_optimizer_proposes_the_same(kind):
    live = make(kind, SPACES["conditional"], seed=8)
    live.enqueue([{"kind": "c", "z": "q", "y": 0.5}])
    run(live, 7)
    live.enqueue([{"kind": "b", "x": 0.25, "n": 7}, {"kind": "a", "x": 0.125}])
    live.ask()
    twin = pickle.loads(pickle.dumps(live))
    assert twin.trials == live.trials
    assert twin.best == live.best
    assert summary(twin.ask(4)) == summary(live.ask(4))


def test_pickles_are_small(kind):
    optimizer = make(kind, SPACES["mixed"])
    empty = len(pickle.dumps(optimizer))
    run(optimizer, 30)
    assert empty < 4000
    assert (len(pickle.dumps(optimizer)) - empty) / 30 < 1000


def test_tell_does_not_change_the_given_trials(kind):
    optimizer = make(kind, SPACES["mixed"])
    trials = [trial.complete(score(trial)) for trial in optimizer.ask(6)][::-1]
    before = list(trials)
    optimizer.tell(trials)
    optimizer.ask(2)
    assert trials == before
    optimizer.trials.clear()
    assert len(optimizer.trials) == 8


# -------------------------------------------------------------------- resources

SHARES = (1 / 9, 1 / 3, 1.0)


def make_with_resources(kind, space, seed=0):
    short = (
        {"n_initial_points": 4} if "n_initial_points" in inspect.signature(kind).parameters else {}
    )
    return kind(space, seed=seed, resources=SHARES, **short)


@pytest.mark.thorough
@pytest.mark.parametrize("space", ["mixed", "conditional"])
def test_replay_with_resources(kind, space):
    live, choose = make_with_resources(kind, SPACES[space], seed=1), random.Random(1)
    for _ in interleave(live, 24, 1):
        if choose.random() < 0.7:
            continue
        trials = through_json(live.trials, SPACES[space])
        choose.shuffle(trials)
        replayed = make_with_resources(kind, SPACES[space], seed=1)
        for trial in trials:
            replayed.tell([trial])
        ahead = [
            [(*summary([trial])[0], trial.fidelity) for trial in optimizer.ask(2)]
            for optimizer in (replayed, pickle.loads(pickle.dumps(live)))
        ]
        assert ahead[0] == ahead[1]
    tried = [(trial.point, trial.fidelity) for trial in live.trials]
    assert len(tried) == len(set(tried))
    assert {trial.fidelity for trial in live.trials} == {1 / 9, 1 / 3, None}


@pytest.mark.parametrize("space", ["flat", "branches", "alone", "empty"])
def test_finite_space_with_resources_is_exhausted(kind, space):
    optimizer = make_with_resources(kind, FINITE[space])
    trials = run(optimizer, 100)
    assert optimizer.is_exhausted
    assert optimizer.ask(2) == []
    assert len({trial.point for trial in trials}) == optimizer.space.size
    assert len({(trial.point, trial.fidelity) for trial in trials}) == len(trials)
    assert optimizer.best.is_full


# ---------------------------------------------------------------- finite spaces


@pytest.mark.parametrize("n_at_once", [1, 3, 100])
@pytest.mark.parametrize("space", FINITE)
def test_finite_space_is_proposed_once_each(kind, space, n_at_once):
    optimizer = make(kind, FINITE[space], seed=3)
    seen = []
    for _ in range(40):
        asked = optimizer.ask(n_at_once)
        seen += [repr(sorted(trial.params.items(), key=repr)) for trial in asked]
        if not asked:
            break
        assert len(asked) == n_at_once or optimizer.is_exhausted
        optimizer.tell([trial.complete(score(trial)) for trial in asked])
    assert len(seen) == len(set(seen)) == optimizer.space.size
    assert optimizer.is_exhausted
    assert optimizer.ask(2) == []


@pytest.mark.parametrize("outcome", ["pending", "failed", "pruned", "constant"])
def test_finite_space_is_exhausted_with_any_outcome(kind, outcome):
    optimizer = make(kind, FINITE["flat"])
    for _ in range(12):
        [trial] = optimizer.ask()
        optimizer.tell(
            [trial.complete(1.0) if outcome == "constant" else replace(trial, status=outcome)]
        )
    assert optimizer.ask() == []
    assert len({trial.point for trial in optimizer.trials}) == 12


def test_restored_search_of_a_finite_space_continues(kind):
    optimizer = make(kind, FINITE["branches"])
    trials = run(optimizer, 9)
    restored = make(kind, FINITE["branches"])
    restored.tell(through_json(trials, FINITE["branches"]))
    run(restored, 100)
    assert len({trial.point for trial in restored.trials}) == restored.space.size == 14
    assert restored.is_exhausted


def test_empty_space_has_one_trial(kind):
    optimizer = make(kind, {})
    [trial] = optimizer.ask(3)
    assert (trial.number, trial.point, trial.params) == (0, (), {})
    optimizer.tell([trial.complete(0.5)])
    assert optimizer.ask() == []


def test_constants_stay_constant(kind):
    space = {"one": [7], "two": Real(2, 2), "three": (3, 3, "log-int"), "x": (0.0, 1.0, "uniform")}
    trials = run(make(kind, space), 9)
    assert len({trial.params["x"] for trial in trials}) == 9
    for trial in trials:
        assert {**trial.params, "x": 0} == {"one": 7, "two": 2.0, "three": 3, "x": 0}
        assert trial.point[:3] == (0.5, 0.5, 0.5)


def test_larger_finite_space_is_nearly_exhausted_without_repeats(kind):
    space = {"n": (1, 60, "int"), "k": [1, 2]}
    optimizer = make(kind, space)
    known = [{"n": n, "k": k} for n in range(1, 61) for k in (1, 2)][:-4]
    optimizer.tell(
        Trial(number, optimizer.space.to_point(params), params).complete(0.0)
        for number, params in enumerate(known)
    )
    left = {(trial.params["n"], trial.params["k"]) for trial in optimizer.ask(10)}
    assert left == {(59, 1), (59, 2), (60, 1), (60, 2)}
    assert optimizer.is_exhausted


# --------------------------------------------------------------- unusual scores


@pytest.mark.thorough
@pytest.mark.parametrize(
    "scores",
    [
        [math.nan] * 4,
        [math.inf, -math.inf, math.nan, 1.0],
        [1e30, -1e30, 1e-30, 0.0],
        [1e-30, 2e-30, -1e-30, 0.0],
        [0.5] * 4,
        [0.0] * 4,
        [1.7e308, -1.7e308, 0.0, 1.0],
        [5e-324, 0.0, 0.0, 1e-323],
        [1.0, 1.0 + 1e-16, 1.0 - 1e-16, 1.0],
        [0.0, -0.0, 1, np.float32(0.5)],
    ],
    ids=str,
)
@pytest.mark.parametrize("space", ["mixed", "conditional"])
def test_unusual_scores_raise_and_warn_nothing(kind, space, scores):
    optimizer = make(kind, SPACES[space])
    with np.errstate(all="raise", under="ignore"):
        for number in range(10):
            [trial] = optimizer.ask()
            optimizer.tell([trial.complete(scores[number % 4])])
    assert len({trial.point for trial in optimizer.trials}) == 10
    finite = [s for s in scores if math.isfinite(s)]
    assert optimizer.best is None if not finite else optimizer.best.score == max(finite)


@pytest.mark.parametrize("status", ["failed", "pending", "pruned"])
def test_trials_without_a_score_only(kind, status):
    optimizer = make(kind, SPACES["mixed"])
    for _ in range(12):
        [trial] = optimizer.ask()
        optimizer.tell([replace(trial, status=status)])
    assert optimizer.best is None
    assert len({trial.point for trial in optimizer.trials}) == 12


def test_failures_are_avoided(kind):
    if kind.__name__ in {"RandomOptimizer", "GridOptimizer"}:
        pytest.skip("learns nothing")
    optimizer = make(kind, {"x": (0.0, 1.0, "uniform"), "y": (0.0, 1.0, "uniform")})
    for _ in range(30):
        [trial] = optimizer.ask()
        x, y = trial.point
        optimizer.tell([trial.fail() if x < 0.5 else trial.complete(-abs(x - 0.8) - abs(y - 0.5))])
    assert sum(trial.status == "failed" for trial in optimizer.trials[-12:]) <= 4


def test_best_is_the_earliest_of_equals(kind):
    optimizer = make(kind, SPACES["continuous"])
    trials = optimizer.ask(5)
    optimizer.tell(
        [t.complete(s) for t, s in zip(trials[1:], [-2.0, -1.0, -1.0, -3.0], strict=True)][::-1]
    )
    assert optimizer.best.number == 2
    optimizer.tell([trials[0].fail()])
    assert optimizer.best.number == 2
    assert optimizer.best.score == -1.0


# -------------------------------------------------------- trials that were not asked for


@pytest.mark.parametrize("space", SPACES)
def test_tell_trials_that_were_not_asked_for(kind, space):
    own = Space(SPACES[space])
    rng = np.random.default_rng(0)
    points = own.snap(rng.random((15, own.n_dims))).tolist()
    trials = [Trial(3 * k, tuple(p), own.from_point(p)) for k, p in enumerate(points)]
    optimizer = make(kind, own)
    optimizer.tell(trial.complete(score(trial)) for trial in trials)
    for trial in run(optimizer, 5)[15:]:
        assert trial.number > 42
        assert trial.point not in map(tuple, points)


@pytest.mark.parametrize("other", OPTIMIZERS, ids=lambda kind: kind.__name__)
def test_tell_trials_of_another_optimizer(kind, other):
    optimizer = make(kind, SPACES["mixed"])
    optimizer.tell(run(make(other, SPACES["mixed"], seed=1), 12))
    assert len({trial.point for trial in run(optimizer, 4)}) == 16


def test_tell_trials_whose_predecessors_are_missing(kind):
    # Parents and moves of a particle are missing, as after deleting trials of a journal.
    trials = run(make(kind, SPACES["mixed"], seed=1), 14)
    optimizer = make(kind, SPACES["mixed"])
    optimizer.tell(trials[9::2])
    assert len({trial.point for trial in run(optimizer, 4)}) == 7


def test_tell_a_large_trial_number(kind):
    # Several searches may number their trials apart: 0, 1, ..., 10_000_000, ...
    optimizer = make(kind, SPACES["continuous"])
    optimizer.tell([Trial(2**40, (0.125, 0.25), {"x": 0.125, "y": -2.5}).complete(1.0)])
    assert [trial.number for trial in optimizer.ask(6)] == list(range(2**40 + 1, 2**40 + 7))


def test_point_off_the_centre_of_its_cell_is_not_proposed_again(kind):
    optimizer = make(kind, {"x": ["a", "b", "c"]})
    optimizer.tell([Trial(0, (0.1,), {"x": "a"}).complete(1.0)])
    assert not optimizer.is_exhausted
    assert sorted(trial.params["x"] for trial in optimizer.ask(5)) == ["b", "c"]
    assert optimizer.is_exhausted


def test_tell_rejects_a_number_at_another_point(kind):
    optimizer = make(kind, SPACES["continuous"])
    [asked] = optimizer.ask()
    other = replace(asked, point=(0.123, 0.456))
    with pytest.raises(ValueError, match="Trial 0 was told at another point.*unused numbers"):
        optimizer.tell([other.complete(1.0)])
    assert optimizer.trials == [asked]


def test_tell_keeps_nothing_after_an_error(kind):
    optimizer = make(kind, SPACES["continuous"])
    first, second = optimizer.ask(2)
    with pytest.raises(ValueError, match="Trial 1 was told at another point"):
        optimizer.tell([first.complete(1.0), replace(second, point=(0.123, 0.456)).complete(1.0)])
    assert optimizer.trials == [first, second]


def test_tell_rejects_two_points_of_one_number(kind):
    optimizer = make(kind, SPACES["continuous"])
    one, other = Trial(0, (0.25, 0.25), {}), Trial(0, (0.75, 0.75), {})
    with pytest.raises(ValueError, match="Trial 0 was told at another point"):
        optimizer.tell([one.complete(1.0), other.complete(2.0)])
    assert optimizer.trials == []


@pytest.mark.parametrize("point", [(), (0.5,), (0.5, 0.5, 0.5)])
def test_tell_rejects_a_trial_of_another_space(kind, point):
    with pytest.raises(ValueError, match="Trial 0 was told of another space"):
        make(kind, SPACES["continuous"]).tell([Trial(0, point, {}).complete(1.0)])


@pytest.mark.parametrize("unit", [math.nan, math.inf, -1e-9, 1.1, "0.5", None])
def test_tell_rejects_a_point_outside_the_cube(kind, unit):
    optimizer = make(kind, SPACES["continuous"])
    [asked] = optimizer.ask()
    with pytest.raises(ValueError, match=r"Trial 7 was told at the point .* \[0, 1\].*to_point"):
        optimizer.tell([asked.complete(1.0), Trial(7, (0.5, unit), {}).complete(1.0)])
    assert optimizer.trials == [asked]


def test_tell_rejects_values_that_are_not_trials(kind):
    optimizer = make(kind, SPACES["continuous"])
    [asked] = optimizer.ask()
    told = asked.complete(1.0)
    for trials, message in [
        (told, r"give \[trial\]"),
        (None, "got None"),
        (3, "got 3"),
        ([told, None], "tell takes Trial objects, got None"),
        ([told, (0, 1.0)], r"tell takes Trial objects, got \(0, 1\.0\)"),
        ("ab", "tell takes Trial objects, got 'a'"),
    ]:
        with pytest.raises(TypeError, match=message):
            optimizer.tell(trials)
        assert optimizer.trials == [asked]


@pytest.mark.parametrize("n_trials", ["3", None, 1.5, -1, math.nan, True])
def test_ask_rejects_bad_numbers(kind, n_trials):
    optimizer = make(kind, SPACES["continuous"])
    with pytest.raises(ValueError, match=f"n_trials must be an integer .* got {n_trials!r}"):
        optimizer.ask(n_trials)
    assert optimizer.trials == []
    assert len(optimizer.ask(np.int64(2))) == 2


# ------------------------------------------------------------------- the queue


def test_enqueue_comes_first_and_in_order(kind):
    optimizer = make(kind, SPACES["mixed"])
    run(optimizer, 5)
    wanted = [
        {"C": 0.1, "n": 10, "kernel": "poly", "width": 8, "bias": False},
        {"C": 1e3, "n": 1, "kernel": None, "width": 1, "bias": True},
    ]
    optimizer.enqueue(iter(wanted[:1]))
    optimizer.enqueue(wanted[1:])
    asked = optimizer.ask(3)
    assert [trial.params for trial in asked[:2]] == wanted
    assert [trial.number for trial in asked] == [5, 6, 7]
    for trial, params in zip(asked, wanted, strict=False):
        assert trial.point == optimizer.space.to_point(params)
        assert trial.proposal == {}


def test_enqueue_skips_known_configurations(kind):
    optimizer = make(kind, FINITE["flat"])
    setting, other = {"a": 1, "b": "x", "c": 2}, {"a": 3, "b": "y", "c": 1}
    optimizer.enqueue([setting, setting, other])
    optimizer.enqueue([setting])
    assert [trial.params for trial in optimizer.ask(2)] == [setting, other]
    assert setting not in [trial.params for trial in optimizer.ask(100)]
    assert len(optimizer.trials) == 12


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"C": 1e9}, r"'C': 1000000000\.0 lies outside \[0\.001, 1000\.0\]"),
        ({"kernel": "linear"}, "'kernel': 'linear' is not among the choices"),
        ({"kernels": "rbf"}, "Unknown parameter 'kernels'. Did you mean 'kernel'"),
        ({"bias": 1}, "'bias': 1 is not among"),
    ],
)
def test_enqueue_rejects_configurations_outside_the_space(kind, setting, message):
    optimizer = make(kind, SPACES["mixed"])
    legal = {"C": 1.0, "n": 10, "kernel": "rbf", "width": 1, "bias": True}
    with pytest.raises(ValueError, match=message):
        optimizer.enqueue([legal, legal | setting])
    assert optimizer.ask()[0].params != legal  # all or none


# ------------------------------------------------------------- good neighbours


def test_global_state_is_unchanged(kind):
    numpy_state, python_state = np.random.get_state(), random.getstate()
    filters, errors = list(warnings.filters), np.geterr()
    run(make(kind, SPACES["mixed"]), 9)
    after = np.random.get_state()
    assert_array_equal(after[1], numpy_state[1])
    assert after[2:] == numpy_state[2:]
    assert random.getstate() == python_state
    assert list(warnings.filters) == filters
    assert np.geterr() == errors


def test_global_seeds_do_not_change_proposals(kind):
    runs = []
    for seed in (0, 1):
        state = np.random.get_state()
        np.random.seed(seed)
        random.seed(seed)
        runs.append(summary(run(make(kind, SPACES["mixed"]), 8)))
        np.random.set_state(state)
    assert runs[0] == runs[1]


def test_optimizers_share_no_state(kind):
    space = Space(SPACES["mixed"])
    alone = summary(run(make(kind, space), 8))
    one, other = make(kind, space), make(kind, space, seed=9)
    for _ in range(8):
        run(one, 1)
        run(other, 1)
    assert summary(one.trials) == alone
