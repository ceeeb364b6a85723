"""SplitEvaluator: runs the fits of trials on workers and returns finished trials."""

import heapq
import math
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sklearn_lepton._evaluation.deadline import Deadline
from sklearn_lepton._evaluation.fit_timeout import FitLimits
from sklearn_lepton._evaluation.racing import Race, Races
from sklearn_lepton._evaluation.results import finish_trial, score_of
from sklearn_lepton._runtime.deferred_errors import DeferredErrors
from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._typing import FitCall, FitLog, WorkerDied, Workers
from sklearn_lepton.exceptions import WorkersDiedError

# So many workers in a row that die before their fits begin are no accident.
_MAX_STARTUP_FAILURES = 5


@dataclass(frozen=True)
class EvaluationOptions:
    """Options of a `SplitEvaluator`.

    Parameters
    ----------
    metric : str or None, default=None
        Name of the metric that is optimised if the scorer returns several; None is the
        first one.
    n_points : int or None, default=None
        Most trials that are evaluated together; None is any number.
    asynchronous : bool, default=False
        Whether a trial is wanted only for an idle worker, so that its proposal knows as many
        results as possible.
    fit_timeout : float, "auto" or None, seconds, default=None
        Time limit of a fit; see `FitLimits`.
    deadline : float or None, seconds, default=None
        Time on the clock of `time.monotonic` at which the evaluation ends.
    max_time : float or None, seconds, default=None
        If no trial has a score at the deadline, it moves to this time after the begin of the
        first fit; see `Deadline`.
    racing : float or None, default=None
        Error rate of the test that prunes a trial; None runs all splits. A fit whose trial
        may be pruned before it is run only if a worker would be idle otherwise.
    reserve : callable, default=float
        Returns the seconds before `deadline` at which the evaluation ends.
    """

    metric: str | None = None
    n_points: int | None = None
    asynchronous: bool = False
    fit_timeout: float | str | None = None
    deadline: float | None = None
    max_time: float | None = None
    racing: float | None = None
    reserve: Callable[[], float] = float


@dataclass(slots=True, eq=False)
class _Job:
    """One fit that is queued or runs.

    Attributes
    ----------
    stage : int
        Position of the split in the order of its trial.
    submit_time : float
        On the clock of `time.monotonic`.
    """

    trial: Trial
    split: int
    fit: FitCall
    stage: int
    n_deaths: int = 0
    worker: int = 0
    start_time: float = 0.0
    submit_time: float = 0.0


@dataclass(slots=True)
class _TrialState:
    """State of a trial that is being evaluated.

    Attributes
    ----------
    results : list of SplitResult or None
        Result of each split; None before there is one.
    order : list of int
        Order in which the splits are run.
    race : Race or None
        The race at the trial's proposal; None runs all splits.
    n_judged : int
        Number of splits, in this order, that the race has judged.
    """

    trial: Trial
    results: list[SplitResult | None]
    order: list[int]
    race: Race | None
    n_judged: int = 0


class SplitEvaluator:
    """Evaluator that runs trials split by split and keeps all workers busy.

    Parameters
    ----------
    fits : Fits
        Makes the fits of trials and reads their results.
    workers : Workers
    log : FitLog
        Records the result of each fit. A result that it has already is not computed again.
    options : EvaluationOptions
    errors : DeferredErrors or None, default=None
        Collects errors of closing the workers; None raises them.
    """

    def __init__(
        self,
        fits: Any,
        workers: Workers,
        log: FitLog,
        options: EvaluationOptions,
        *,
        errors: DeferredErrors | None = None,
    ) -> None:
        self._fits = fits
        self._workers = workers
        self._log = log
        self._options = options
        self._limits = FitLimits(options.fit_timeout, workers, log.finished())
        self._errors = errors
        self._races = (
            None if options.racing is None else Races(fits.n_splits, options.racing, log.rivals)
        )
        self._more = True
        self._is_open = False
        self._queue: deque[_Job] = deque()
        self._running: dict[Future[Any], _Job] = {}
        self._states: dict[int, _TrialState] = {}  # by the number of the trial
        self._finished: list[Trial] = []
        self._returned: list[Trial] = []
        self._free_worker_ids: list[int] = []
        self._n_startup_failures = 0
        self._deadline = Deadline(
            options.deadline, options.max_time, options.reserve, workers, log.finished()
        )

    @property
    def is_late(self) -> bool:
        """Whether the deadline has passed."""
        return self._time_left() <= 0.0

    def _time_left(self) -> float:
        return self._deadline.seconds_left(self._running, is_idle=not self._states)

    def free(self) -> int:
        """Return how many trials can be submitted now."""
        if self.is_late:
            return 0
        n_points, room = self._options.n_points, sys.maxsize
        if n_points is not None:
            room = max(0, n_points - len(self._states))
        if not self._options.asynchronous:
            return room
        n_ready = sum(map(self._is_ready, self._queue))
        n_idle = self._workers.n_workers - len(self._running) - n_ready
        # In a race only the first split of each trial is certain to run.
        n_wanted: int = -(-n_idle // self._fits.n_splits) if self._races is None else n_idle
        return max(0, min(n_wanted, room))

    def submit(self, trials: Sequence[Trial]) -> None:
        """Queue the fits of trials, and start as many as there are free workers.

        It also takes the results of fits that have ended, so that their workers do not wait for
        further proposals.
        """
        self._receive_finished()
        new = []
        for trial in trials:
            self._open_trial(trial)
            if trial.number in self._states:
                new.append(trial)
        for trial, fits in zip(new, self._fits.make_fits(new), strict=True):
            state = self._states[trial.number]
            missing = [(k, s) for s, k in enumerate(state.order) if state.results[k] is None]
            if isinstance(fits, str):
                for split, _ in missing:
                    self._store(trial, split, self._fits.failed_result(fits, 0.0))
                continue
            if not self._is_open:
                self._workers.open(self._fits.shared_objects(fits))
                self._is_open = True
            self._queue.extend(_Job(trial, split, fits[split], stage) for split, stage in missing)
        self._start()

    def _open_trial(self, trial: Trial) -> None:
        """Make the state of a trial, with the results that the log has already."""
        n_splits = self._fits.n_splits
        race = self._race(trial)
        order = list(range(n_splits)) if race is None else race.order
        self._states[trial.number] = _TrialState(trial, [None] * n_splits, order, race)
        for split, result in self._log.split_results(trial.number).items():
            self._keep(trial, split, result)

    def collect(self, *, more: bool) -> list[Trial]:
        """Wait for finished trials and return them.

        Parameters
        ----------
        more : bool
            Whether to return an empty list as soon as another trial can be submitted.

        Returns
        -------
        trials : list of Trial
            Those that have finished so far, at least one. Empty if nothing runs, if another
            trial can be submitted, or after the deadline.
        """
        self._returned = []  # a second call means that the caller has them
        self._more = more
        while True:
            self._receive_finished()
            self._start()
            is_done = not self._states or self.is_late
            if is_done or self._finished or (more and self.free()):
                self._returned, self._finished = self._finished, []
                return self._returned
            self._workers.wait(list(self._running), self._poll_timeout())
            self._end_slow()

    def close(self) -> list[Trial]:
        """End all fits, and return the finished trials that `collect` may not have returned."""
        self._deadline.close()
        try:
            for future in [future for future in self._running if future.done()]:
                with suppress(Exception):  # an earlier error is being raised already
                    self._receive(future)
        finally:
            self._limits.close()
            with nullcontext() if self._errors is None else self._errors.guard():
                self._workers.close()
        return self._returned + self._finished

    def _start(self) -> None:
        """Start fits while there are free workers."""
        while self._queue and len(self._running) < self._workers.n_slots and not self.is_late:
            job = self._next_job()
            if job is None:
                return
            job.start_time, job.submit_time = time.time(), time.monotonic()
            self._deadline.record_submit()
            future = self._workers.submit(job.fit)
            job.worker = (
                heapq.heappop(self._free_worker_ids)
                if self._free_worker_ids
                else len(self._running)
            )
            self._running[future] = job
            self._queue.remove(job)
            self._limits.start(job, job.trial, job.split)

    def _next_job(self) -> _Job | None:
        """Return the fit to start next, or None if it is better to wait."""
        if self._races is None:
            return self._queue[0]
        # The oldest trial first: the window waits for it.
        job = min(self._queue, key=lambda job: (not self._is_ready(job), job.trial.number))
        if self._is_ready(job):
            return job
        # Its trial may be pruned first: better than an idle worker, worse than a new trial.
        is_idle = len(self._running) < self._workers.n_workers
        can_submit = self._options.asynchronous and self._more and self.free()
        return job if is_idle and not can_submit else None

    def _is_ready(self, job: _Job) -> bool:
        """Return whether all splits before that of a job have been judged."""
        return self._races is None or job.stage <= self._states[job.trial.number].n_judged

    def _race(self, trial: Trial) -> Race | None:
        return None if self._races is None else self._races.of(trial)

    def _receive_finished(self) -> None:
        for future in [future for future in self._running if future.done()]:
            self._receive(future)

    def _receive(self, future: "Future[Any]") -> None:
        """Keep the result of a fit that is done, or handle the death of its worker."""
        job = self._running[future]
        try:
            result = self._fits.read_row(self._workers.row(future))
        except WorkerDied as death:
            self._release(future)
            self._on_worker_death(job, death)
        else:
            self._n_startup_failures = 0
            self._deadline.record_result(result)
            self._limits.record(job.trial, result)
            self._store(job.trial, job.split, result, job)
            self._release(future)

    def _release(self, future: "Future[Any]") -> None:
        """Remove a fit from the running ones, and free the number of its worker."""
        job = self._running.pop(future)
        self._limits.stop(job)
        heapq.heappush(self._free_worker_ids, job.worker)

    def _on_worker_death(self, job: _Job, death: WorkerDied) -> None:
        """Repeat a fit once if its worker died: another process may be the cause."""
        if not death.has_begun:
            self._n_startup_failures += 1
            if self._n_startup_failures >= _MAX_STARTUP_FAILURES:
                msg = (
                    f"{self._n_startup_failures} workers in a row died before a fit had begun, "
                    f"the last with {death}. No trial is to blame: look at the memory that a "
                    "copy of the data needs and at what ends processes here, or set n_jobs=1. The "
                    "trials that had finished are in trials_ and cv_results_."
                )
                raise WorkersDiedError(msg) from death
        job.n_deaths += death.has_begun
        if death.is_final:
            self._fail_job(job, str(death))
        elif job.n_deaths > 1:
            reason = (
                f"The worker died in this fit, again when it was repeated: {death}. It ran out of "
                "memory, crashed in compiled code or was killed."
            )
            self._fail_job(job, reason)
        else:
            self._queue.appendleft(job)

    def _limited(self) -> list[tuple["Future[Any]", _Job]]:
        """Return the running fits that have a time limit."""
        running = [(future, job) for future, job in self._running.items() if not future.done()]
        return [(future, job) for future, job in running if self._limits.applies(job.trial)]

    def _end_slow(self) -> None:
        """End the fits that exceed their time limit."""
        for future, job in self._limited():
            reason = self._limits.overrun(job.trial, self._workers.seconds(future))
            if reason is not None and not future.done():
                self._workers.end(future)
                self._release(future)
                self._fail_job(job, reason)
                self._limits.warn_of_end(job.trial, reason)

    def _fail_job(self, job: _Job, reason: str) -> None:
        """Record a fit as failed, and the queued fits of its trial as not run."""
        result = self._fits.failed_result(reason, time.monotonic() - job.submit_time)
        self._store(job.trial, job.split, result, job)
        if job.trial.number not in self._states:
            return
        waiting = [other for other in self._queue if other.trial is job.trial]
        for other in waiting:
            self._queue.remove(other)
            reason = f"Not run, since split {job.split} of this trial failed."
            self._store(job.trial, other.split, self._fits.failed_result(reason, 0.0))

    def _store(
        self, trial: Trial, split: int, result: SplitResult, job: _Job | None = None
    ) -> None:
        """Record and keep a result, unless its trial has finished without it."""
        if trial.number not in self._states:
            return
        start_time = result.start_time
        if start_time is None:
            start_time = time.time() if job is None else job.start_time
        worker = -1 if job is None else job.worker
        result = replace(result, start_time=start_time, worker=worker)
        self._log.record_split(trial.number, split, result)
        self._keep(trial, split, result)

    def _keep(self, trial: Trial, split: int, result: SplitResult) -> None:
        """Keep a result, and finish the trial if it was the last one needed."""
        state = self._states.get(trial.number)
        if state is None:
            return
        state.results[split] = result
        if self._races is not None:
            self._prune_if_dominated(state)
        elif None not in state.results:
            self._finish(state, state.order, None)

    def _prune_if_dominated(self, state: _TrialState) -> None:
        """Finish a trial that has all results, has failed, or is shown not to be the best.

        Splits count in their order only, whichever finishes first, so that the same trials
        are pruned with any number of workers.
        """
        race, n_splits = state.race, len(state.results)
        if self._options.asynchronous:
            race = self._race(state.trial)  # with all that has finished since
        for n_run in range(state.n_judged + 1, n_splits + 1):
            result = state.results[state.order[n_run - 1]]
            if result is None:
                return
            state.n_judged = n_run
            splits = state.order[:n_run]
            results = [r for split in splits if (r := state.results[split]) is not None]
            scores = [score_of(r, self._options.metric) for r in results]
            estimate = None
            if n_run < n_splits and race is not None and np.all(np.isfinite(scores)):
                estimate = race.judge(splits, scores)
            if estimate or result.error is not None or n_run == n_splits:
                self._finish(state, splits, estimate)
                return

    def _finish(
        self, state: _TrialState, splits: Sequence[int], estimate: tuple[float, float] | None
    ) -> None:
        """Finish a trial with the results of some splits, and remove its other fits."""
        trial = state.trial
        del self._states[trial.number]
        results = [
            result if result is not None and split in splits else SplitResult()
            for split, result in enumerate(state.results)
        ]
        finished = finish_trial(trial, results, self._options.metric, estimate)
        self._deadline.record_trial(finished)
        self._finished.append(finished)
        for job in [job for job in self._queue if job.trial.number == trial.number]:
            self._queue.remove(job)

    def _poll_timeout(self) -> float | None:
        """Return how long to wait for a fit before the next look at the clock."""
        waits = [
            self._limits.patience(job.trial, self._workers.seconds(future))
            for future, job in self._limited()
        ]
        wait = min([self._time_left(), *waits])
        # A lock cannot wait longer than TIMEOUT_MAX.
        return None if math.isinf(wait) else min(max(0.0, wait) + 0.001, threading.TIMEOUT_MAX)
