"""`AutoOptimizer`: the rules of its choice, and the proposals of the chosen optimizer."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
from subjects import BRANCHES, MIXED, NUMERIC, run, score

from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.optimizers import _auto as auto
from sklearn_lepton.optimizers import make_optimizer
from sklearn_lepton.optimizers._auto import ALGORITHMS, AutoOptimizer
from sklearn_lepton.space import Space

TABLE = Path(__file__).parents[2] / "benchmarks" / "auto.json"
FINITE = {
    "choices": {"a": [1, 2, 3], "b": ["x", "y"], "c": (1, 2, "int")},
    "log-integers": {"n": (1, 23, "log-int")},
    "branches": [{"kind": ["a"], "n": (1, 4, "int")}, {"kind": ["b"], "m": [1, 2]}, {}],
}


def make(space, budget=None, **options):
    optimizer = AutoOptimizer(space, **options)
    optimizer.configure(budget=budget)
    return optimizer


def timed(optimizer, n_trials, seconds):
    """Ask and tell trials that take a given number of seconds."""
    for _ in range(n_trials):
        [trial] = optimizer.ask()
        optimizer.tell([trial.complete(score(trial.params), duration=seconds)])
    return optimizer


def proposers(optimizer):
    return [trial.proposal.get("optimizer") for trial in optimizer.trials]


@pytest.mark.thorough
@pytest.mark.parametrize("space", [NUMERIC, MIXED, BRANCHES])
def test_auto_proposes_the_trials_of_its_choice(space):
    for n_points in (1, 16):
        optimizer = make(space, 200, n_points=n_points)
        name = optimizer.choice.optimizer
        trials = run(optimizer, 32, batch=n_points)
        assert set(proposers(optimizer)) == {None, name}
        alone = run(make_optimizer(name, space), 32, batch=n_points)
        assert [trial.point for trial in trials] == [trial.point for trial in alone]


def test_auto_switches_to_another_optimizer_told_all_trials(monkeypatch):
    monkeypatch.setattr(auto, "_MAX_BAYES_TRIALS", 12)
    optimizer = make(MIXED)
    trials = run(optimizer, 18)
    first, second = proposers(optimizer)[11], proposers(optimizer)[12]
    assert first != second
    assert proposers(optimizer)[12:] == [second] * 6
    other = make_optimizer(second, MIXED)
    other.tell(trials[:17])
    assert other.ask()[0].point == trials[17].point
    assert optimizer.describe().splitlines() == [
        f"Trials 5 to 11 were proposed by {ALGORITHMS[first]}: {optimizer.choices[0][2].reason}.",
        f"Trials 12 to 17 were proposed by {ALGORITHMS[second]}: {optimizer.choices[1][2].reason}.",
    ]


def test_auto_told_the_same_chooses_and_proposes_the_same(monkeypatch):
    monkeypatch.setattr(auto, "_MAX_BAYES_TRIALS", 12)
    space = Space(MIXED)
    trials = run(make(space), 18)
    for n_told in (8, 12, 15):
        lines = [json.loads(json.dumps(trial.to_json())) for trial in trials[:n_told]]
        again = make(space)
        again.tell(Trial.from_json(line, space) for line in reversed(lines))
        again = pickle.loads(pickle.dumps(again))
        asked = run(again, 18)[n_told:]
        assert [(t.point, t.proposal) for t in asked] == [
            (t.point, t.proposal) for t in trials[n_told:]
        ]


def test_auto_describes_trials_before_its_first_proposal():
    optimizer = make(NUMERIC)
    next_one = f"the next would be proposed by Bayesian optimization: {optimizer.choice.reason}."
    assert optimizer.describe() == f"No trial has been proposed yet; {next_one}"
    run(optimizer, 1)
    assert optimizer.describe() == f"The trial is an initial configuration; {next_one}"
    run(optimizer, 2)
    assert optimizer.describe() == f"All 2 trials are initial configurations; {next_one}"


@pytest.mark.parametrize("space", FINITE)
def test_auto_walks_a_grid_if_the_budget_covers_the_space(space):
    size = int(Space(FINITE[space]).size)
    optimizer = make(FINITE[space], size)
    assert optimizer.choice.optimizer == "grid"
    assert len({trial.point for trial in run(optimizer, size)}) == size
    assert set(proposers(optimizer)) == {"grid"}
    assert optimizer.is_exhausted
    assert make(FINITE[space], size - 1).choice.optimizer != "grid"


def test_auto_searches_at_random_if_all_trials_run_at_once():
    optimizer = make(NUMERIC, 16, n_points=16)
    optimizer.ask(16)
    assert set(proposers(optimizer)) == {None, "random"}
    assert make(NUMERIC, 17, n_points=16).choice.optimizer != "random"


def test_auto_uses_no_surrogate_for_fast_trials_in_limited_time():
    hurried = timed(make(NUMERIC, max_seconds=1.0), 14, seconds=0.001)
    assert not hurried.choice.surrogate
    assert hurried.choice.optimizer == "swarm"
    assert "particle swarm optimization without a surrogate" in hurried.describe()
    assert timed(make(NUMERIC, max_seconds=1.0), 14, seconds=0.1).choice.surrogate
    assert timed(make(NUMERIC), 14, seconds=0.001).choice.surrogate  # the clock decides nothing
    assert timed(make(NUMERIC, max_seconds=1.0), 14, seconds=0.0).choice.surrogate  # not known
    # A larger batch leaves less time for each proposal.
    for n_points, surrogate in ((4, True), (32, False)):
        crowd = make(NUMERIC, n_points=n_points, max_seconds=1.0)
        assert timed(crowd, 14, seconds=0.1).choice.surrogate is surrogate


def test_auto_times_the_first_trials_only():
    optimizer = timed(make(NUMERIC, max_seconds=9.0), 30, seconds=0.001)
    slow = [replace(trial, duration=1.0) for trial in optimizer.trials[24:]]
    optimizer.tell(slow)
    assert not optimizer.choice.surrogate


@pytest.mark.parametrize("n_points", [0, -1, 1.5, "auto", None, True])
def test_auto_rejects_bad_batch_sizes(n_points):
    with pytest.raises(ValueError, match="n_points must be an integer of at least 1"):
        AutoOptimizer(NUMERIC, n_points=n_points)


@pytest.mark.skipif(not TABLE.exists(), reason="the benchmarks are not part of the distribution")
def test_auto_rules_agree_with_the_benchmark():
    # The rules were made on these problems; the others are for judging them.
    rows = json.loads(TABLE.read_text(encoding="utf-8"))["groups"]["development"]
    assert {(row["budget"], row["n_points"]) for row in rows} >= {
        (budget, n_points) for budget in (32, 64) for n_points in (1, 16)
    }
    for row in rows:
        optimizer = make(NUMERIC, row["budget"], n_points=row["n_points"])
        [name] = {optimizer.choose(n).optimizer for n in range(row["budget"])}
        singles = {who: regret for who, regret in row["regret"].items() if who != "auto"}
        assert singles[name] <= 1.05 * min(singles.values()), row
