"""The evaluator on workers of the test's: who runs what, and what becomes of accidents."""

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
    """A fit is (number of the trial, split); its row has the split as score."""

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
    """Fits are done when the test says so, or by `wait` in the order of their start."""

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
    """Know some rows, and take down others."""

    def __init__(self):
        self.known, self.recorded, self.told = {}, [], []

    def finished(self):
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


# ------------------------------------------------------------------- who runs when


def test_a_batch_is_finished_before_there_is_room():
    evaluator, workers, _ = make(n_points=2)
    assert evaluator.free() == 2
    evaluator.submit(ask(2))
    assert evaluator.free() == 0
    finished = evaluator.collect(more=True)
    assert numbers(finished) == [0, 1]
    assert evaluator.free() == 2
    assert workers.started == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert workers.n_opened == 1


def test_a_batch_comes_in_the_order_of_its_numbers():
    evaluator, workers, _ = make(n_workers=6, n_points=2)
    evaluator.submit(ask(2))
    for fit in [(1, 0), (1, 1), (1, 2), (0, 0), (0, 1), (0, 2)]:
        workers.finish(fit)
        evaluator._receive_finished()
    assert numbers(evaluator.collect(more=True)) == [0, 1]


def test_each_fit_is_taken_down_as_it_is_kept():
    log = FakeLog()
    evaluator, _, fits = make(log=log, n_points=2)
    fits.refused[1] = "not together"
    evaluator.submit(ask(2))
    trials = evaluator.collect(more=True)
    assert sorted((number, split) for number, split, _ in log.recorded) == [
        (number, split) for number in range(2) for split in range(3)
    ]
    for number, split, row in log.recorded:
        assert trials[number].split_results[split] == row


def test_what_is_known_of_a_trial_is_not_fitted_again():
    log = FakeLog()
    row = SplitResult(scores=7.0, fit_time=1.0)
    log.known = {0: {0: row, 1: row, 2: row}, 1: {2: row}}
    evaluator, workers, _ = make(log=log, n_points=3)
    evaluator.submit(ask(3))
    trials = evaluator.collect(more=True)
    assert sorted(workers.started) == [(1, 0), (1, 1), (2, 0), (2, 1), (2, 2)]
    assert [trial.split_scores for trial in trials] == [
        (7.0,) * 3,
        (0.0, 1.0, 7.0),
        (0.0, 1.0, 2.0),
    ]
    assert len(log.recorded) == 5


def test_a_batch_that_is_known_starts_no_worker():
    log = FakeLog()
    row = SplitResult(scores=7.0, fit_time=1.0)
    log.known = {0: {0: row, 1: row, 2: row}}
    evaluator, workers, _ = make(log=log)
    evaluator.submit(ask(1))
    assert evaluator.collect(more=True)[0].score == 7.0
    assert workers.n_opened == 0


def test_a_trial_has_its_scores_in_the_order_of_the_splits():
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
def test_asynchronous_room_is_what_keeps_the_workers_busy(n_workers, n_points, room):
    evaluator, _, _ = make(n_workers, n_points=n_points, asynchronous=True)
    assert evaluator.free() == room


def test_there_is_room_as_soon_as_a_worker_has_nothing_to_do():
    evaluator, workers, _ = make(2, n_points=None, asynchronous=True)
    trials = ask(3)
    evaluator.submit(trials[:1])
    assert workers.started == [(0, 0), (0, 1)]
    assert evaluator.free() == 0  # the third split is next
    workers.finish((0, 1))
    assert evaluator.collect(more=True) == [] or evaluator.free()
    assert workers.started == [(0, 0), (0, 1), (0, 2)]


def test_collect_comes_back_for_more_before_any_trial_is_finished():
    evaluator, _workers, _ = make(4, n_points=None, asynchronous=True)
    evaluator.submit(ask(1))
    assert evaluator.collect(more=True) == []
    assert evaluator.free() == 1
    assert numbers(evaluator.collect(more=False)) == [0]


def test_all_that_is_done_comes_before_the_next_proposal():
    evaluator, workers, _ = make(6, n_points=None, asynchronous=True)
    evaluator.submit(ask(2))
    for fit in list(workers.started):
        workers.finish(fit)
    assert numbers(evaluator.collect(more=True)) == [0, 1]


def test_a_number_of_points_caps_the_trials_in_flight():
    evaluator, _, _ = make(12, n_points=2, asynchronous=True)
    assert evaluator.free() == 2
    evaluator.submit(ask(2))
    assert evaluator.free() == 0


def test_lanes_are_those_of_the_workers():
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


def test_an_impossible_trial_fails_without_a_fit():
    evaluator, workers, fits = make(n_points=2)
    fits.refused[0] = "no such step"
    evaluator.submit(ask(2))
    first, second = evaluator.collect(more=False)
    assert (first.status, second.status) == ("failed", "complete")
    assert {row.error for row in first.split_results} == {"no such step"}
    assert {fit[0] for fit in workers.started} == {1}


# ----------------------------------------------------------------------- accidents


def test_a_fit_whose_worker_died_is_repeated_first_and_once():
    evaluator, workers, _ = make(1, n_points=2)
    workers.outcomes[0, 1] = [WorkerDied("exit code 9")]
    evaluator.submit(ask(2))
    finished = evaluator.collect(more=False)
    assert [trial.status for trial in finished] == ["complete"] * 2
    assert workers.started == [(0, 0), (0, 1), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]


def test_a_fit_whose_worker_died_twice_is_guilty():
    evaluator, workers, _ = make(1, n_points=2)
    workers.outcomes[0, 1] = [WorkerDied("exit code 9"), WorkerDied("exit code 9")]
    evaluator.submit(ask(2))
    failed, complete = sorted(evaluator.collect(more=False), key=lambda trial: trial.number)
    assert (failed.status, complete.status) == ("failed", "complete")
    reasons = [row.error for row in failed.split_results]
    assert reasons[0] is None
    assert "again when it was repeated: exit code 9" in reasons[1]
    assert reasons[2] == "Not run, since split 1 of this trial failed."
    assert workers.started.count((0, 1)) == 2
    assert (0, 2) not in workers.started


def test_a_final_death_is_not_repeated():
    evaluator, workers, _ = make(1)
    workers.outcomes[0, 0] = [WorkerDied("The fit raised SystemExit(4).", is_final=True)]
    evaluator.submit(ask(1))
    [failed] = evaluator.collect(more=False)
    assert failed.split_results[0].error == "The fit raised SystemExit(4)."
    assert workers.started == [(0, 0)]


def test_workers_that_die_before_they_begin_end_the_search():
    evaluator, workers, _ = make(1)
    workers.outcomes[0, 1] = [WorkerDied("exit code 9", has_begun=False) for _ in range(9)]
    evaluator.submit(ask(1))
    with pytest.raises(WorkersDiedError, match="5 workers in a row.*exit code 9"):
        evaluator.collect(more=False)
    assert evaluator.close() == []


def test_now_and_then_a_worker_may_die_before_it_begins():
    evaluator, workers, _ = make(1)
    for split in range(N_SPLITS):
        workers.outcomes[0, split] = [WorkerDied("?", has_begun=False) for _ in range(4)]
    evaluator.submit(ask(1))
    [trial] = evaluator.collect(more=False)
    assert trial.status == "complete"


def test_a_fit_that_takes_too_long_is_ended():
    evaluator, workers, _ = make(2, n_points=2, fit_timeout=5.0)
    workers.durations[0, 1] = 6.0
    evaluator.submit(ask(2))
    failed, complete = sorted(evaluator.collect(more=False), key=lambda trial: trial.number)
    assert workers.ended == [(0, 1)]
    assert (failed.status, complete.status) == ("failed", "complete")
    assert "longer than fit_timeout=5.0 s" in failed.split_results[1].error


def test_an_error_of_a_fit_goes_through_and_what_is_finished_stays():
    evaluator, workers, _ = make(1, n_points=2)
    workers.outcomes[1, 1] = [ZeroDivisionError("of the user")]
    evaluator.submit(ask(2))
    with pytest.raises(ZeroDivisionError, match="of the user"):
        evaluator.collect(more=False)
    assert numbers(evaluator.close()) == [0]
    assert workers.n_closed == 1


# -------------------------------------------------------------------------- the end


def test_past_the_deadline_nothing_starts_and_nothing_is_waited_for():
    evaluator, workers, _ = make(1, n_points=2, deadline=time.monotonic() - 1.0)
    assert evaluator.is_late
    assert evaluator.free() == 0
    assert evaluator.collect(more=True) == []
    evaluator.submit(ask(1))
    assert workers.started == []
    assert evaluator.collect(more=True) == []


def test_what_is_kept_for_later_is_taken_off_the_deadline():
    kept = [0.0]
    evaluator, _workers, _ = make(1, deadline=time.monotonic() + 100.0, reserve=lambda: kept[0])
    assert not evaluator.is_late
    kept[0] = 101.0
    assert evaluator.is_late


def test_the_deadline_ends_the_waiting():
    evaluator, workers, _ = make(1, n_points=2, deadline=time.monotonic() + 0.05)
    evaluator.submit(ask(2))
    assert evaluator.collect(more=True) == []
    assert evaluator.close() == []
    assert workers.n_closed == 1


def test_close_returns_what_was_returned_last_since_it_may_not_have_arrived():
    evaluator, _workers, _ = make(1)
    trials = ask(2)
    evaluator.submit(trials[:1])
    assert numbers(evaluator.collect(more=True)) == [0]
    assert numbers(evaluator.close()) == [0]


def test_close_takes_what_is_done():
    evaluator, workers, _ = make(3)
    evaluator.submit(ask(1))
    for fit in list(workers.started):
        workers.finish(fit)
    assert numbers(evaluator.close()) == [0]


def test_workers_are_closed_whatever_happens():
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
    """A log of trials beside which any further one is hopeless after its first split."""
    log = FakeLog()
    for number in range(-5, 0):
        scores = [split + 10.0 + 0.01 * number for split in range(N_SPLITS)]
        trial = Trial(number, (), {})
        log.told.append(trial.complete(sum(scores) / N_SPLITS, split_scores=scores))
    return log


def test_the_splits_of_a_trial_are_run_one_after_the_other(hopeless):
    evaluator, workers, _ = make(1, log=hopeless, racing=0.01)
    evaluator.submit(ask(1))
    [trial] = evaluator.collect(more=True)
    assert workers.started == [(0, 0)]
    assert trial.status == "pruned"
    assert [bool(row) for row in trial.split_results] == [True, False, False]


def test_all_splits_are_run_where_nothing_can_be_judged():
    evaluator, workers, _ = make(1, racing=0.01)
    evaluator.submit(ask(1))
    [trial] = evaluator.collect(more=True)
    assert workers.started == [(0, 0), (0, 1), (0, 2)]
    assert trial.status == "complete"


def test_a_batch_fills_its_workers_with_fits_that_may_be_in_vain(hopeless):
    evaluator, workers, _ = make(3, log=hopeless, n_points=2, racing=0.01)
    evaluator.submit(ask(2))
    assert workers.started == [(0, 0), (1, 0), (0, 1)]
    finished = evaluator.collect(more=True)
    assert [trial.status for trial in finished] == ["pruned", "pruned"]
    # What ran beyond the split that decided is no part of the trial, on any number of workers.
    assert [len(list(filter(None, trial.split_results))) for trial in finished] == [1, 1]


def test_asynchronous_workers_take_new_trials_instead(hopeless):
    evaluator, workers, _ = make(3, log=hopeless, n_points=None, asynchronous=True, racing=0.01)
    assert evaluator.free() == 3
    evaluator.submit(ask(1))
    assert workers.started == [(0, 0)]
    assert evaluator.free() == 2
    assert evaluator.collect(more=True) == []
    assert workers.started == [(0, 0)]
    evaluator.collect(more=False)  # no more trials are to come: better than an idle worker
    assert workers.started == [(0, 0), (0, 1), (0, 2)]


def test_a_split_that_fails_ends_its_trial(hopeless):
    evaluator, workers, _ = make(1, racing=0.01)
    workers.outcomes[0, 0] = [WorkerDied("gone", is_final=True)]
    evaluator.submit(ask(1))
    [trial] = evaluator.collect(more=True)
    assert trial.status == "failed"
    assert [bool(row) for row in trial.split_results] == [True, False, False]


def test_known_rows_are_judged_as_if_they_had_just_come(hopeless):
    row = SplitResult(scores=0.0, fit_time=0.5, score_time=0.25)
    hopeless.known[0] = {0: row, 1: row}
    evaluator, workers, _ = make(1, log=hopeless, racing=0.01)
    evaluator.submit(ask(1))
    [trial] = evaluator.collect(more=True)
    assert workers.started == []
    assert [bool(row) for row in trial.split_results] == [True, False, False]
