"""The loop of a search: budget, order of tell and yield, no lost trials."""

import itertools
import random

import pytest

from sklearn_lepton._evaluation.loop import run_trials
from sklearn_lepton._study.study import Study
from sklearn_lepton.optimizers import GeneticOptimizer, RandomOptimizer

SPACE = {"x": (0.0, 1.0, "uniform")}


def score(trial):
    return trial.params["x"]


class FakeEvaluator:
    """Run trials in batches, each of which finishes as a whole."""

    def __init__(self, n_points=1, window=None):
        self.n_points = n_points
        self.window = window
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

    def __init__(self, n_points, seed, window=None):
        super().__init__(n_points, window)
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
    """Remember what was asked and told, in order, and what was told before each proposal."""

    def __init__(self, space, **arguments):
        super().__init__(space, **arguments)
        self.asked, self.told, self.known = [], [], {}

    def ask(self, n_trials=1):
        assert n_trials > 0
        trials = super().ask(n_trials)
        self.asked += [trial.number for trial in trials]
        self.known.update((trial.number, list(self.told)) for trial in trials)
        return trials

    def tell(self, trials):
        trials = list(trials)
        super().tell(trials)
        self.told += [trial.number for trial in trials]


EVALUATORS = {
    "one by one": lambda: FakeEvaluator(1, window=1),
    "window, batches": lambda: FakeEvaluator(4, window=4),
    "window": lambda: FakeAsyncEvaluator(4, seed=4, window=4),
    "window of a trial": lambda: FakeAsyncEvaluator(1, seed=5, window=1),
    "batches": lambda: FakeEvaluator(4),
    "asynchronous": lambda: FakeAsyncEvaluator(4, seed=0),
    "asynchronous, alone": lambda: FakeAsyncEvaluator(1, seed=1),
    "room without end": lambda: FakeAsyncEvaluator(1000, seed=2),
}


@pytest.fixture(params=EVALUATORS)
def evaluator(request):
    return EVALUATORS[request.param]()


def run(optimizer, evaluator, n_trials, is_stopped=lambda: False):
    study = Study(optimizer, n_trials, window=evaluator.window)
    return run_trials(study, evaluator, is_stopped=is_stopped)


def test_loop_uses_the_whole_budget(evaluator):
    optimizer = Witness(SPACE)
    numbers = [trial.number for trial in run(optimizer, evaluator, 13)]
    assert sorted(numbers) == optimizer.asked == list(range(13))
    assert numbers == optimizer.told
    assert evaluator.n_closed == 1
    assert evaluator.running == []


def test_collected_trials_are_recorded_before_they_are_yielded(evaluator):
    optimizer = Witness(SPACE)
    study = Study(optimizer, 13, window=evaluator.window)
    for trial in run_trials(study, evaluator, is_stopped=lambda: False):
        collected = list(itertools.chain(*evaluator.batches))
        assert [t.number for t in study.finished()] == sorted(collected)
        assert trial.number in collected
        if evaluator.window is None:
            assert optimizer.told == collected
        else:
            assert optimizer.told == list(range(trial.number + 1))
        known = {t.number: t for t in optimizer.trials}
        assert known[trial.number] is trial


def test_batch_size_is_limited_by_room_and_budget():
    evaluator = FakeEvaluator(4, window=4)
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
    lost = {trial.number for trial in evaluator.running}  # a batch that was running
    assert sorted(optimizer.told) == sorted(set(optimizer.asked) - lost)
    assert lost == {trial.number for trial in optimizer.trials if trial.status == "pending"}


def test_error_of_the_caller_closes_the_evaluator(evaluator):
    optimizer = Witness(SPACE)
    with pytest.raises(KeyError):
        fail_at_the_third(run(optimizer, evaluator, 13))
    assert evaluator.n_closed == 1
    lost = {trial.number for trial in evaluator.running}
    assert sorted(optimizer.told) == sorted(set(optimizer.asked) - lost)


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


# ------------------------------------------------------------------------- window

WINDOWS = [1, 2, 3, 5, 12, 40]
CLOCKS = range(6)


def in_window(window, clock):
    """Return an evaluator whose trials finish in an order of its own, in some cases in batches."""
    return FakeAsyncEvaluator(window, clock, window) if clock else FakeEvaluator(window, window)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("clock", CLOCKS)
def test_proposal_knows_exactly_the_results_before_the_window(window, clock):
    optimizer = Witness(SPACE)
    list(run(optimizer, in_window(window, clock), 25))
    assert optimizer.known == {n: list(range(max(0, n - window + 1))) for n in range(25)}


@pytest.mark.parametrize("window", WINDOWS)
def test_trials_and_callbacks_do_not_depend_on_the_clock(window):
    def found(clock):
        optimizer = GeneticOptimizer({"x": (0.0, 1.0, "uniform")}, seed=0, surrogate=False)
        evaluator = in_window(window, clock)
        if clock:
            evaluator.random.random = lambda: 1.0  # no trial fails
        return [(t.number, t.point, t.score) for t in run(optimizer, evaluator, 25)]

    first, *others = map(found, CLOCKS)
    assert [number for number, _, _ in first] == list(range(25))
    assert all(other == first for other in others)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("last", [0, 1, 7])
def test_stop_ends_search_at_the_same_trial(window, clock, last):
    optimizer, seen = Witness(SPACE), []
    evaluator = in_window(window, clock)
    for trial in run(optimizer, evaluator, 25, is_stopped=lambda: last in seen):
        seen.append(trial.number)  # noqa: PERF401 - `is_stopped` reads it
    assert seen == list(range(min(last + window, 25)))  # what ran already is finished


class LastFirst(FakeEvaluator):
    """Finish the latest trial first; after `n_finished` trials the time is over."""

    def __init__(self, n_points, n_finished):
        super().__init__(n_points, window=n_points)
        self.n_left = n_finished

    def free(self):
        return super().free() if self.n_left else 0

    def collect(self, *, more):
        if not self.n_left:
            return []
        self.n_left -= 1
        trial = self.running.pop()
        self.batches.append([trial.number])
        return [trial.complete(score(trial))]


def test_results_out_of_turn_are_kept_and_yielded_at_the_end():
    optimizer, evaluator = Witness(SPACE), LastFirst(5, n_finished=3)
    study = Study(optimizer, 20, window=5)
    trials = run_trials(study, evaluator, is_stopped=lambda: False)
    assert [trial.number for trial in trials] == [2, 3, 4]
    assert optimizer.asked == list(range(5))
    assert optimizer.told == [2, 3, 4]


def test_results_out_of_turn_survive_an_error():
    optimizer, evaluator = Witness(SPACE), LastFirst(5, n_finished=3)
    collect = evaluator.collect

    def fail(more):
        if evaluator.n_left == 1:
            raise OSError("the disk is full")
        return collect(more=more)

    evaluator.collect = fail
    study = Study(optimizer, 20, window=5)
    with pytest.raises(OSError, match="disk"):
        list(run_trials(study, evaluator, is_stopped=lambda: False))
    assert optimizer.told == [3, 4]
    assert [trial.number for trial in study.finished()] == [3, 4]


@pytest.mark.parametrize("clock", CLOCKS)
def test_promotion_that_waits_for_results_does_not_depend_on_the_clock(clock):
    # All nine configurations are soon asked for; the rest are promotions of the best.
    optimizer = RandomOptimizer({"x": list(range(9))}, seed=1, resources=(0.25, 0.5, 1.0))
    evaluator = in_window(4, clock)
    if clock:
        evaluator.random.random = lambda: 1.0
    found = [(t.number, t.params["x"], t.fidelity) for t in run_counted(optimizer, evaluator, 40)]
    reference = RandomOptimizer({"x": list(range(9))}, seed=1, resources=(0.25, 0.5, 1.0))
    expected = [
        (t.number, t.params["x"], t.fidelity)
        for t in run_counted(reference, FakeEvaluator(4, window=4), 40)
    ]
    assert found == expected
    assert len(found) > 12
    assert optimizer.is_exhausted
