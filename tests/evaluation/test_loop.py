"""The loop of a search: budget, order of tell and yield, no lost trials."""

import itertools
import random

import pytest

from sklearn_lepton._evaluation.loop import run_trials
from sklearn_lepton._study.study import Study
from sklearn_lepton.optimizers import RandomOptimizer

SPACE = {"x": (0.0, 1.0, "uniform")}


def score(trial):
    return trial.params["x"]


class FakeEvaluator:
    """Run trials in batches, each of which finishes as a whole."""

    def __init__(self, n_points=1):
        self.n_points = n_points
        self.running = []
        self.batches = []
        self.n_closed = 0

    def free(self):
        return self.n_points - len(self.running)

    def submit(self, trials):
        assert not self.n_closed
        self.running.extend(trials)
        assert len(self.running) <= self.n_points

    def collect(self, *, more):
        assert not self.n_closed
        finished, self.running = self.running, []
        if finished:
            self.batches.append([trial.number for trial in finished])
        return [trial.complete(score(trial)) for trial in finished]

    def close(self):
        self.n_closed += 1
        return []


class FakeAsyncEvaluator(FakeEvaluator):
    """Finish a random part of what runs at each call, in random order; drain at the end."""

    def __init__(self, n_points, seed):
        super().__init__(n_points)
        self.random = random.Random(seed)

    def collect(self, *, more):
        if not self.running:
            return []
        self.random.shuffle(self.running)
        n_finished = self.random.randint(1, len(self.running))
        finished, self.running = self.running[:n_finished], self.running[n_finished:]
        self.batches.append([trial.number for trial in finished])
        return [
            trial.fail() if self.random.random() < 0.2 else trial.complete(score(trial))
            for trial in finished
        ]

    def close(self):
        self.n_closed += 1
        finished, self.running = self.running, []
        return [trial.complete(score(trial)) for trial in finished]


class Witness(RandomOptimizer):
    """Remember what was asked and told, in order."""

    def __init__(self, space, **arguments):
        super().__init__(space, **arguments)
        self.asked, self.told = [], []

    def ask(self, n_trials=1):
        assert n_trials > 0
        trials = super().ask(n_trials)
        self.asked += [trial.number for trial in trials]
        return trials

    def tell(self, trials):
        trials = list(trials)
        super().tell(trials)
        self.told += [trial.number for trial in trials]


EVALUATORS = {
    "one by one": lambda: FakeEvaluator(1),
    "batches": lambda: FakeEvaluator(4),
    "asynchronous": lambda: FakeAsyncEvaluator(4, seed=0),
    "asynchronous, alone": lambda: FakeAsyncEvaluator(1, seed=1),
    "room without end": lambda: FakeAsyncEvaluator(1000, seed=2),
}


@pytest.fixture(params=EVALUATORS)
def evaluator(request):
    return EVALUATORS[request.param]()


def run(optimizer, evaluator, n_trials, is_stopped=lambda: False):
    return run_trials(Study(optimizer, n_trials), evaluator, is_stopped=is_stopped)


def test_loop_uses_the_whole_budget(evaluator):
    optimizer = Witness(SPACE)
    numbers = [trial.number for trial in run(optimizer, evaluator, 13)]
    assert sorted(numbers) == optimizer.asked == list(range(13))
    assert numbers == optimizer.told
    assert evaluator.n_closed == 1
    assert evaluator.running == []


def test_collected_trials_are_told_before_they_are_yielded(evaluator):
    optimizer = Witness(SPACE)
    for trial in run(optimizer, evaluator, 13):
        collected = list(itertools.chain(*evaluator.batches))
        assert optimizer.told == collected
        assert trial.number in collected
        known = {t.number: t for t in optimizer.trials}
        assert known[trial.number] is trial


def test_batch_size_is_limited_by_room_and_budget():
    evaluator = FakeEvaluator(4)
    list(run(Witness(SPACE), evaluator, 10))
    assert evaluator.batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_room_is_refilled_after_each_finished_trial():
    evaluator = FakeAsyncEvaluator(4, seed=3)
    in_flight = []
    collect = evaluator.collect
    evaluator.collect = lambda more: in_flight.append(len(evaluator.running)) or collect(more=more)
    list(run(Witness(SPACE), evaluator, 20))
    n_before = [0, *itertools.accumulate(map(len, evaluator.batches))]
    assert n_before[-1] == 20
    assert in_flight == [min(4, 20 - n_finished) for n_finished in n_before]


def test_earlier_trials_count_towards_the_budget(evaluator):
    optimizer = Witness(SPACE)
    optimizer.tell([trial.complete(0.0) for trial in optimizer.ask(5)])
    assert len(list(run(optimizer, evaluator, 8))) == 3
    assert len(optimizer.trials) == 8


@pytest.mark.parametrize("n_taken", [1, 2, 3, 5, 6])
def test_closing_the_loop_early_loses_no_trial(evaluator, n_taken):
    optimizer = Witness(SPACE)
    trials = run(optimizer, evaluator, 13)
    taken = list(itertools.islice(trials, n_taken))
    trials.close()
    assert len(taken) == n_taken
    assert evaluator.n_closed == 1
    assert sorted(optimizer.told) == sorted(optimizer.asked)
    assert all(trial.status != "pending" for trial in optimizer.trials)


def test_error_of_the_caller_closes_the_evaluator(evaluator):
    optimizer = Witness(SPACE)
    with pytest.raises(KeyError):
        fail_at_the_third(run(optimizer, evaluator, 13))
    assert evaluator.n_closed == 1
    assert sorted(optimizer.told) == sorted(optimizer.asked)


def fail_at_the_third(trials):
    for n_seen, _ in enumerate(trials):
        if n_seen == 2:
            trials.throw(KeyError("of the caller"))


@pytest.mark.parametrize("method", ["submit", "collect"])
def test_error_of_the_evaluator_is_raised_after_closing(evaluator, method):
    def fail(*_, **__):
        raise OSError("the disk is full")

    setattr(evaluator, method, fail)
    with pytest.raises(OSError, match="disk"):
        list(run(Witness(SPACE), evaluator, 13))
    assert evaluator.n_closed == 1


@pytest.mark.parametrize("n_before", [0, 1, 3])
def test_stop_ends_proposals_and_running_trials_finish(evaluator, n_before):
    optimizer, seen = Witness(SPACE), []
    for trial in run(optimizer, evaluator, 13, is_stopped=lambda: len(seen) >= n_before):
        if len(seen) < n_before:
            n_asked = len(optimizer.asked)
        seen.append(trial.number)
    assert sorted(seen) == sorted(optimizer.asked)
    if n_before:
        assert len(optimizer.asked) == n_asked
    else:
        assert seen == []
    assert evaluator.n_closed == 1


def test_exhausted_space_ends_the_loop(evaluator):
    optimizer = Witness({"x": [1, 2, 3], "y": ["a", "b"]})
    seen = [(t.params["x"], t.params["y"]) for t in run_counted(optimizer, evaluator, 50)]
    assert len(seen) == len(set(seen)) == 6
    assert optimizer.is_exhausted


def run_counted(optimizer, evaluator, n_trials):
    """Guard against a loop without end."""
    for n_seen, trial in enumerate(run(optimizer, evaluator, n_trials)):
        assert n_seen < n_trials
        yield trial


def test_budget_of_zero_runs_nothing(evaluator):
    optimizer = Witness(SPACE)
    assert list(run(optimizer, evaluator, 0)) == []
    assert optimizer.asked == []
    assert evaluator.n_closed == 1


def test_loop_starts_nothing_before_its_first_iteration(evaluator):
    optimizer = Witness(SPACE)
    run(optimizer, evaluator, 5)
    assert optimizer.asked == []


def test_enqueued_configurations_come_first(evaluator):
    optimizer = Witness(SPACE)
    optimizer.enqueue([{"x": 0.125}, {"x": 0.875}])
    trials = sorted(run(optimizer, evaluator, 5), key=lambda trial: trial.number)
    assert [trial.params["x"] for trial in trials[:2]] == [0.125, 0.875]
