"""SplitEvaluator with fake workers: order of fits, worker deaths, deadlines, racing."""

import time
from concurrent.futures import Future

import pytest

from sklearn_lepton._evaluation.evaluator import EvaluationOptions, SplitEvaluator
from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._typing import WorkerDied
from sklearn_lepton.exceptions import WorkersDiedError
from sklearn_lepton.optimizers import RandomOptimizer

N_SPLITS = 3


class FakeFits:
    """Fits are pairs (number of the trial, split), whose score is the split."""

    n_splits = N_SPLITS

    def __init__(self):
        self.refused = {}

    def make_fits(self, trials):
        return [
            self.refused.get(t.number, [(t.number, split) for split in range(N_SPLITS)])
            for t in trials
        ]

    def shared_objects(self, fits):
        return list(fits)

    def read_row(self, row):
        return SplitResult.from_json(row)

    def failed_result(self, error, seconds):
        return SplitResult(scores=0.0, fit_time=seconds, error=error)


class FakeWorkers:
    """Workers whose fits finish by `finish`, or by `wait` in the order of their start."""

    can_end = True

    def __init__(self, n_workers):
        self.n_workers = self.n_slots = n_workers
        self.running, self.started, self.ended = {}, [], []
        self.outcomes, self.durations = {}, {}
        self.n_opened = self.n_closed = 0

    def open(self, constants):
        self.n_opened += 1

    def submit(self, fit):
        assert len(self.running) < self.n_slots
        future = Future()
        self.running[future] = fit
        self.started.append(fit)
        return future

    def finish(self, fit):
        [future] = [f for f, running in self.running.items() if running == fit]
        future.set_result(None)

    def wait(self, futures, timeout):
        assert set(futures) == set(self.running)
        if timeout is None or timeout > 0.09:
            next(iter(futures)).set_result(None)

    def row(self, future):
        fit = self.running.pop(future)
        outcomes = self.outcomes.get(fit)
        if outcomes:
            raise outcomes.pop(0)
        score = float(fit[1])
        return {"test_scores": score, "fit_time": 0.5, "score_time": 0.25, "fit_error": None}

    def seconds(self, future):
        return self.durations.get(self.running[future], 0.0)

    def end(self, future):
        self.ended.append(self.running.pop(future))

    def close(self):
        self.n_closed += 1


class FakeLog:
    """Log with some known results, which lists the recorded ones."""

    def __init__(self):
        self.known, self.recorded, self.told = {}, [], []

    def finished(self):
        return self.told

    def rivals(self, number):
        return self.told

    def split_results(self, number):
        return self.known.get(number, {})

    def record_split(self, number, split, result):
        self.recorded.append((number, split, result))


def make(n_workers=2, *, log=None, n_points=1, asynchronous=False, **options):
    workers, fits = FakeWorkers(n_workers), FakeFits()
    evaluator = SplitEvaluator(
        fits,
        workers,
        FakeLog() if log is None else log,
        EvaluationOptions(n_points=n_points, asynchronous=asynchronous, **options),
    )
    return evaluator, workers, fits


def ask(n_trials):
    return RandomOptimizer({"x": (0.0, 1.0, "uniform")}, seed=0).ask(n_trials)


def numbers(trials):
    return [trial.number for trial in trials]


# ------------------------------------------------------------------ order of fits


def collect_all(evaluator):
    """Return all trials, in the order in which they finish."""
    finished = []
    while some := evaluator.collect(more=False):
        finished += some
    return finished


def test_n_points_limits_trials_that_are_evaluated():
    evaluator, workers, _ = make(n_points=2)
    assert evaluator.free() == 2
    evaluator.submit(ask(2))
    assert evaluator.free() == 0
    assert numbers(evaluator.collect(more=True)) == [0]
    assert evaluator.free() == 1
    assert numbers(collect_all(evaluator)) == [1]
    assert evaluator.free() == 2
    assert workers.started == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert workers.n_opened == 1


def test_collect_returns_trial_that_finishes_before_an_earlier_one():
    evaluator, workers, _ = make(n_workers=6, n_points=2)
    evaluator.submit(ask(2))
    for fit in [(1, 0), (1, 1), (1, 2)]:
        workers.finish(fit)
    assert numbers(evaluator.collect(more=False)) == [1]
    assert numbers(evaluator.collect(more=False)) == [0]


def test_each_result_is_recorded_as_it_is_kept():
    log = FakeLog()
    evaluator, _, fits = make(log=log, n_points=2)
    fits.refused[1] = "not together"
    evaluator.submit(ask(2))
    trials = sorted(collect_all(evaluator), key=lambda trial: trial.number)
    assert sorted((number, split) for number, split, _ in log.recorded) == [
        (number, split) for number in range(2) for split in range(3)
    ]
    for number, split, row in log.recorded:
        assert trials[number].split_results[split] == row


def test_known_results_are_not_computed_again():
    log = FakeLog()
    row = SplitResult(scores=7.0, fit_time=1.0)
    log.known = {0: {0: row, 1: row, 2: row}, 1: {2: row}}
    evaluator, workers, _ = make(log=log, n_points=3)
    evaluator.submit(ask(3))
    trials = collect_all(evaluator)
    assert sorted(workers.started) == [(1, 0), (1, 1), (2, 0), (2, 1), (2, 2)]
    assert [trial.split_scores for trial in trials] == [
        (7.0,) * 3,
        (0.0, 1.0, 7.0),
        (0.0, 1.0, 2.0),
    ]
    assert len(log.recorded) == 5


def test_known_batch_starts_no_worker():
    log = FakeLog()
    row = SplitResult(scores=7.0, fit_time=1.0)
    log.known = {0: {0: row, 1: row, 2: row}}
    evaluator, workers, _ = make(log=log)
    evaluator.submit(ask(1))
    assert evaluator.collect(more=True)[0].score == 7.0
    assert workers.n_opened == 0


def test_trial_has_scores_in_order_of_splits():
    evaluator, workers, _ = make(n_workers=3)
    evaluator.submit(ask(1))
    workers.finish((0, 2))
    workers.finish((0, 0))
    [trial] = evaluator.collect(more=False)
    assert trial.split_scores == (0.0, 1.0, 2.0)
    assert trial.score == 1.0
    assert trial.duration == 3 * 0.75
    assert sorted(row.worker for row in trial.split_results) == [0, 1, 2]
    assert all(abs(row.start_time - time.time()) < 60 for row in trial.split_results)


@pytest.mark.parametrize(
    ("n_workers", "n_points", "room"), [(1, None, 1), (2, None, 1), (3, None, 1), (4, None, 2)]
)
def test_asynchronous_free_is_number_of_trials_that_keeps_workers_busy(n_workers, n_points, room):
    evaluator, _, _ = make(n_workers, n_points=n_points, asynchronous=True)
    assert evaluator.free() == room


def test_idle_worker_lets_asynchronous_trial_start():
    evaluator, workers, _ = make(2, n_points=None, asynchronous=True)
    trials = ask(3)
    evaluator.submit(trials[:1])
    assert workers.started == [(0, 0), (0, 1)]
    assert evaluator.free() == 0  # the third split is next
    workers.finish((0, 1))
    assert evaluator.collect(more=True) == [] or evaluator.free()
    assert workers.started == [(0, 0), (0, 1), (0, 2)]


def test_collect_returns_early_if_another_trial_can_start():
    evaluator, _workers, _ = make(4, n_points=None, asynchronous=True)
    evaluator.submit(ask(1))
    assert evaluator.collect(more=True) == []
    assert evaluator.free() == 1
    assert numbers(evaluator.collect(more=False)) == [0]


def test_collect_returns_all_finished_trials_before_next_proposal():
    evaluator, workers, _ = make(6, n_points=None, asynchronous=True)
    evaluator.submit(ask(2))
    for fit in list(workers.started):
        workers.finish(fit)
    assert numbers(evaluator.collect(more=True)) == [0, 1]


def test_n_points_limits_running_trials():
    evaluator, _, _ = make(12, n_points=2, asynchronous=True)
    assert evaluator.free() == 2
    evaluator.submit(ask(2))
    assert evaluator.free() == 0


def test_split_results_have_numbers_of_workers():
    evaluator, _workers, _ = make(2, n_points=None, asynchronous=True)
    finished = []
    for trial in ask(8):
        while not evaluator.free():
            finished += evaluator.collect(more=True)
        evaluator.submit([trial])
    while trials := evaluator.collect(more=False):
        finished += trials
    assert sorted(numbers(finished)) == list(range(8))
    assert {row.worker for trial in finished for row in trial.split_results} == {0, 1}


def test_trial_with_invalid_parameters_fails_without_fit():
    evaluator, workers, fits = make(n_points=2)
    fits.refused[0] = "no such step"
    evaluator.submit(ask(2))
    first, second = collect_all(evaluator)
    assert (first.status, second.status) == ("failed", "complete")
    assert {row.error for row in first.split_results} == {"no such step"}
    assert {fit[0] for fit in workers.started} == {1}


# ------------------------------------------------- worker deaths and time limits


def test_fit_is_repeated_once_after_worker_death():
    evaluator, workers, _ = make(1, n_points=2)
    workers.outcomes[0, 1] = [WorkerDied("exit code 9")]
    evaluator.submit(ask(2))
    finished = collect_all(evaluator)
    assert [trial.status for trial in finished] == ["complete"] * 2
    assert workers.started == [(0, 0), (0, 1), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]


def test_fit_fails_after_second_worker_death():
    evaluator, workers, _ = make(1, n_points=2)
    workers.outcomes[0, 1] = [WorkerDied("exit code 9"), WorkerDied("exit code 9")]
    evaluator.submit(ask(2))
    failed, complete = sorted(collect_all(evaluator), key=lambda trial: trial.number)
    assert (failed.status, complete.status) == ("failed", "complete")
    reasons = [row.error for row in failed.split_results]
    assert reasons[0] is None
    assert "again when it was repeated: exit code 9" in reasons[1]
    assert reasons[2] == "Not run, since split 1 of this trial failed."
    assert workers.started.count((0, 1)) == 2
    assert (0, 2) not in workers.started


def test_fit_is_not_repeated_after_final_death():
    evaluator, workers, _ = make(1)
    workers.outcomes[0, 0] = [WorkerDied("The fit raised SystemExit(4).", is_final=True)]
    evaluator.submit(ask(1))
    [failed] = evaluator.collect(more=False)
    assert failed.split_results[0].error == "The fit raised SystemExit(4)."
    assert workers.started == [(0, 0)]


def test_repeated_startup_failures_end_search():
    evaluator, workers, _ = make(1)
    workers.outcomes[0, 1] = [WorkerDied("exit code 9", has_begun=False) for _ in range(9)]
    evaluator.submit(ask(1))
    with pytest.raises(WorkersDiedError, match="5 workers in a row.*exit code 9"):
        evaluator.collect(more=False)
    assert evaluator.close() == []


def test_occasional_startup_failures_are_tolerated():
    evaluator, workers, _ = make(1)
    for split in range(N_SPLITS):
        workers.outcomes[0, split] = [WorkerDied("?", has_begun=False) for _ in range(4)]
    evaluator.submit(ask(1))
    [trial] = evaluator.collect(more=False)
    assert trial.status == "complete"


def test_fit_is_ended_at_time_limit():
    evaluator, workers, _ = make(2, n_points=2, fit_timeout=5.0)
    workers.durations[0, 1] = 6.0
    evaluator.submit(ask(2))
    failed, complete = sorted(collect_all(evaluator), key=lambda trial: trial.number)
    assert workers.ended == [(0, 1)]
    assert (failed.status, complete.status) == ("failed", "complete")
    assert "longer than fit_timeout=5.0 s" in failed.split_results[1].error


def test_error_of_fit_is_raised_and_finished_trials_are_kept():
    evaluator, workers, _ = make(1, n_points=2)
    workers.outcomes[1, 1] = [ZeroDivisionError("of the user")]
    evaluator.submit(ask(2))
    with pytest.raises(ZeroDivisionError, match="of the user"):
        collect_all(evaluator)
    assert evaluator.close() == []  # the caller has the first trial
    assert workers.n_closed == 1


# ------------------------------------------------------------- deadline and close


def test_nothing_starts_or_waits_after_deadline():
    evaluator, workers, _ = make(1, n_points=2, deadline=time.monotonic() - 1.0)
    assert evaluator.is_late
    assert evaluator.free() == 0
    assert evaluator.collect(more=True) == []
    evaluator.submit(ask(1))
    assert workers.started == []
    assert evaluator.collect(more=True) == []


def test_reserve_moves_deadline_forward():
    kept = [0.0]
    evaluator, _workers, _ = make(1, deadline=time.monotonic() + 100.0, reserve=lambda: kept[0])
    assert not evaluator.is_late
    kept[0] = 101.0
    assert evaluator.is_late


def test_deadline_ends_waiting():
    evaluator, workers, _ = make(1, n_points=2, deadline=time.monotonic() + 0.05)
    evaluator.submit(ask(2))
    assert evaluator.collect(more=True) == []
    assert evaluator.close() == []
    assert workers.n_closed == 1


def test_close_returns_trials_of_last_collect_again():
    evaluator, _workers, _ = make(1)
    trials = ask(2)
    evaluator.submit(trials[:1])
    assert numbers(evaluator.collect(more=True)) == [0]
    assert numbers(evaluator.close()) == [0]


def test_close_receives_finished_fits():
    evaluator, workers, _ = make(3)
    evaluator.submit(ask(1))
    for fit in list(workers.started):
        workers.finish(fit)
    assert numbers(evaluator.close()) == [0]


def test_workers_are_closed_after_error():
    evaluator, workers, _ = make(1)

    def interrupt(future):
        raise KeyboardInterrupt

    evaluator.submit(ask(1))
    workers.finish((0, 0))
    workers.row = interrupt
    with pytest.raises(KeyboardInterrupt):
        evaluator.close()
    assert workers.n_closed == 1


# ------------------------------------------------------------------------- racing


@pytest.fixture
def hopeless():
    """A log of trials so good that racing prunes any other trial after its first split."""
    log = FakeLog()
    for number in range(-5, 0):
        scores = [split + 10.0 + 0.01 * number for split in range(N_SPLITS)]
        trial = Trial(number, (), {})
        log.told.append(trial.complete(sum(scores) / N_SPLITS, split_scores=scores))
    return log


def test_racing_runs_splits_one_after_the_other(hopeless):
    evaluator, workers, _ = make(1, log=hopeless, racing=0.01)
    evaluator.submit(ask(1))
    [trial] = evaluator.collect(more=True)
    assert workers.started == [(0, 0)]
    assert trial.status == "pruned"
    assert [bool(row) for row in trial.split_results] == [True, False, False]


def test_racing_runs_all_splits_without_reference_trials():
    evaluator, workers, _ = make(1, racing=0.01)
    evaluator.submit(ask(1))
    [trial] = evaluator.collect(more=True)
    assert workers.started == [(0, 0), (0, 1), (0, 2)]
    assert trial.status == "complete"


def test_racing_batch_fills_idle_workers_with_later_splits(hopeless):
    evaluator, workers, _ = make(3, log=hopeless, n_points=2, racing=0.01)
    evaluator.submit(ask(2))
    assert workers.started == [(0, 0), (1, 0), (0, 1)]
    finished = collect_all(evaluator)
    assert [trial.status for trial in finished] == ["pruned", "pruned"]
    # What ran beyond the split that decided is no part of the trial, on any number of workers.
    assert [len(list(filter(None, trial.split_results))) for trial in finished] == [1, 1]


def test_asynchronous_racing_prefers_new_trials_to_later_splits(hopeless):
    evaluator, workers, _ = make(3, log=hopeless, n_points=None, asynchronous=True, racing=0.01)
    assert evaluator.free() == 3
    evaluator.submit(ask(1))
    assert workers.started == [(0, 0)]
    assert evaluator.free() == 2
    assert evaluator.collect(more=True) == []
    assert workers.started == [(0, 0)]
    evaluator.collect(more=False)  # no more trials are to come: better than an idle worker
    assert workers.started == [(0, 0), (0, 1), (0, 2)]


def test_failed_split_ends_trial(hopeless):
    evaluator, workers, _ = make(1, racing=0.01)
    workers.outcomes[0, 0] = [WorkerDied("gone", is_final=True)]
    evaluator.submit(ask(1))
    [trial] = evaluator.collect(more=True)
    assert trial.status == "failed"
    assert [bool(row) for row in trial.split_results] == [True, False, False]


def test_racing_judges_known_results(hopeless):
    row = SplitResult(scores=0.0, fit_time=0.5, score_time=0.25)
    hopeless.known[0] = {0: row, 1: row}
    evaluator, workers, _ = make(1, log=hopeless, racing=0.01)
    evaluator.submit(ask(1))
    [trial] = evaluator.collect(more=True)
    assert workers.started == []
    assert [bool(row) for row in trial.split_results] == [True, False, False]
