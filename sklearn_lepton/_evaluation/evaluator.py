"""Evaluation: trials in, their fits on the workers, finished trials out."""

import heapq
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_lepton._evaluation.fit_timeout import FitLimits
from sklearn_lepton._evaluation.racing import Race
from sklearn_lepton._runtime.deferred_errors import DeferredErrors
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._typing import Fit, FitLog, Row, WorkerDied, Workers
from sklearn_lepton.exceptions import WorkersDiedError
from sklearn_lepton.optimizers._successive_halving import REDUCTION_FACTOR

# So many workers in a row that die before a fit begins are no accident.
_MAX_STARTUP_FAILURES = 5
_MAX_REASONS = 10  # of failures that a message shows


@dataclass(slots=True, eq=False)
class _Job:
    """One fit on its way: which it is, and where and since when it is there."""

    trial: Trial
    split: int
    fit: Fit
    stage: int  # place of the split in the order of its trial's
    n_deaths: int = 0
    worker: int = 0
    start_time: float = 0.0
    submit_time: float = 0.0  # on the monotonic clock


class SplitEvaluator:
    """Run trials split by split on workers, of which none waits while there is work.

    Parameters
    ----------
    fits : Fits
        Makes fits of trials and rows of their results.
    workers : Workers
    log : FitLog
        Takes down each fit; what it knows of a trial is not fitted again.
    metric : str or None
        Name of the metric that is optimised where a scorer returns several;
        None is the first.
    n_points : int or None
        Trials at once; None, where `asynchronous`, as many as keep the workers busy.
    asynchronous : bool
        Whether there is room for a trial as soon as a worker has nothing to
        do, instead of once all `n_points` are finished.
    fit_timeout : float, "auto" or None, seconds
        Fits that take longer are ended; see `FitLimits`.
    deadline : float or None, seconds
        When all is ended, on the clock of `time.monotonic`.
    racing : float or None
        Error rate at which a trial is ended that its first splits show not to be the best;
        None runs all splits. A fit whose trial may be ended before is run only where a worker
        would wait otherwise.
    reserve : callable
        Returns how many seconds before `deadline` all is ended, of what is known by then.
    errors : DeferredErrors or None, default=None
        Where errors in closing the workers are kept; None raises them.
    """

    def __init__(
        self,
        fits: Any,
        workers: Workers,
        log: FitLog,
        *,
        metric: str | None,
        n_points: int | None,
        asynchronous: bool,
        fit_timeout: float | str | None,
        deadline: float | None,
        racing: float | None = None,
        reserve: Callable[[], float] = float,
        errors: DeferredErrors | None = None,
    ) -> None:
        self._fits = fits
        self._workers = workers
        self._log = log
        self._metric = metric
        self._n_points = n_points
        self._asynchronous = asynchronous
        self._limits = FitLimits(fit_timeout, workers, log.finished())
        self._deadline = deadline
        self._racing = racing
        self._reserve = reserve
        self._errors = errors
        self._races: dict[float | None, tuple[int, Race]] = {}
        self._more = True
        self._is_open = False
        self._queue: deque[_Job] = deque()
        self._running: dict[Future[Any], _Job] = {}
        self._rows: dict[int, list[Row | None]] = {}
        self._orders: dict[int, list[int]] = {}
        self._n_judged: dict[int, int] = {}
        self._finished: list[Trial] = []
        self._returned: list[Trial] = []
        self._free_worker_ids: list[int] = []
        self._n_startup_failures = 0

    @property
    def is_late(self) -> bool:
        """Whether the deadline has passed."""
        return self._time_left() <= 0.0

    def _time_left(self) -> float:
        if self._deadline is None:
            return math.inf
        return self._deadline - self._reserve() - time.monotonic()

    def free(self) -> int:
        """Return how many trials can be submitted now."""
        if self.is_late:
            return 0
        if not self._asynchronous:
            return 0 if self._rows else self._n_points or 1
        n_due = sum(map(self._is_ready, self._queue))
        n_idle = self._workers.n_workers - len(self._running) - n_due
        n_wanted: int = n_idle if self._racing else -(-n_idle // self._fits.n_splits)
        if self._n_points is not None:
            n_wanted = min(n_wanted, self._n_points - len(self._rows))
        return max(0, n_wanted)

    def submit(self, trials: Sequence[Trial]) -> None:
        """Queue the fits of trials, and start those that workers are free for."""
        new = []
        for trial in trials:
            self._rows[trial.number] = [None] * self._fits.n_splits
            race = self._race(trial)
            self._orders[trial.number] = race.order if race else list(range(self._fits.n_splits))
            self._n_judged[trial.number] = 0
            for split, row in self._log.rows(trial.number).items():
                self._keep(trial, split, row)
            if trial.number in self._rows:
                new.append(trial)
        for trial, fits in zip(new, self._fits.record(new), strict=True):
            rows = self._rows[trial.number]
            missing = [(k, s) for s, k in enumerate(self._orders[trial.number]) if rows[k] is None]
            if isinstance(fits, str):
                for split, _ in missing:
                    self._store(trial, split, self._fits.failed_row(fits, 0.0))
                continue
            if not self._is_open:
                self._workers.open(self._fits.constants(fits))
                self._is_open = True
            self._queue.extend(_Job(trial, split, fits[split], stage) for split, stage in missing)
        self._start()

    def collect(self, *, more: bool) -> list[Trial]:
        """Wait for finished trials and return them.

        Parameters
        ----------
        more : bool
            Whether to return, with nothing, as soon as there is room for a trial.

        Returns
        -------
        trials : list of Trial
            Empty if nothing runs, there is room, or the deadline has passed.
        """
        self._returned = []  # the caller has taken them, being here again
        self._more = more
        while True:
            self._take()
            self._start()
            is_done = not self._rows or self.is_late
            if is_done or (self._asynchronous and (self._finished or (more and self.free()))):
                if not self._asynchronous:
                    self._finished.sort(key=lambda trial: trial.number)
                self._returned, self._finished = self._finished, []
                return self._returned
            self._workers.wait(list(self._running), self._poll_timeout())
            self._end_slow()

    def close(self) -> list[Trial]:
        """End what runs, and return what has finished that `collect` may not have returned."""
        try:
            for future in [future for future in self._running if future.done()]:
                with suppress(Exception):  # the error that led here is on its way already
                    self._receive(future)
        finally:
            self._limits.close()
            with nullcontext() if self._errors is None else self._errors.guard():
                self._workers.close()
        return self._returned + self._finished

    def _start(self) -> None:
        while self._queue and len(self._running) < self._workers.n_slots and not self.is_late:
            job = self._next_job()
            if job is None:
                return
            job.start_time, job.submit_time = time.time(), time.monotonic()
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
        if self._racing is None:
            return self._queue[0]
        job = min(self._queue, key=lambda job: (not self._is_ready(job), job.stage))
        if self._is_ready(job):
            return job
        # Its trial may be ended before: better than an idle worker, but not than a new trial.
        is_idle = len(self._running) < self._workers.n_workers
        return job if is_idle and not (self._asynchronous and self._more and self.free()) else None

    def _is_ready(self, job: _Job) -> bool:
        """Tell whether all splits that come before it have been run."""
        return self._racing is None or job.stage <= self._n_judged[job.trial.number]

    def _race(self, trial: Trial) -> Race | None:
        """Return the race against all told trials with as much of a resource."""
        if self._racing is None:
            return None
        told = self._log.finished()
        share = None if trial.is_full else trial.fidelity
        n_told, race = self._races.get(share, (-1, None))
        if race is None or n_told != len(told):
            beside = [t for t in told if share == (None if t.is_full else t.fidelity)]
            go_on = None if share is None else 1.0 / REDUCTION_FACTOR
            race = Race(beside, self._fits.n_splits, self._racing, go_on)
            self._races[share] = len(told), race
        return race

    def _take(self) -> None:
        for future in [future for future in self._running if future.done()]:
            self._receive(future)

    def _receive(self, future: "Future[Any]") -> None:
        """Keep the row of a fit that is done, or find out why there is none."""
        job = self._running[future]
        try:
            row = self._fits.tidy(self._workers.row(future))
        except WorkerDied as death:
            self._release(future)
            self._on_worker_death(job, death)
        else:
            self._n_startup_failures = 0
            self._limits.record(job.trial, row)
            self._store(job.trial, job.split, row, job)
            self._release(future)

    def _release(self, future: "Future[Any]") -> None:
        job = self._running.pop(future)
        self._limits.stop(job)
        heapq.heappush(self._free_worker_ids, job.worker)

    def _on_worker_death(self, job: _Job, death: WorkerDied) -> None:
        """Repeat a fit whose worker died, once: it may have died for another's sake."""
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
        """List the fits that run and may be ended."""
        running = [(future, job) for future, job in self._running.items() if not future.done()]
        return [(future, job) for future, job in running if self._limits.applies(job.trial)]

    def _end_slow(self) -> None:
        """End fits that have taken too long."""
        for future, job in self._limited():
            reason = self._limits.overrun(job.trial, self._workers.seconds(future))
            if reason is not None and not future.done():
                self._workers.end(future)
                self._release(future)
                self._fail_job(job, reason)
                self._limits.warn_of_end(job.trial, reason)

    def _fail_job(self, job: _Job, reason: str) -> None:
        """Record a fit as failed; with it the trial has, and its waiting fits need not run."""
        row = self._fits.failed_row(reason, time.monotonic() - job.submit_time)
        self._store(job.trial, job.split, row, job)
        if job.trial.number not in self._rows:
            return
        waiting = [other for other in self._queue if other.trial is job.trial]
        for other in waiting:
            self._queue.remove(other)
            reason = f"Not run, since split {job.split} of this trial failed."
            self._store(job.trial, other.split, self._fits.failed_row(reason, 0.0))

    def _store(self, trial: Trial, split: int, row: Row, job: _Job | None = None) -> None:
        """Take down a row and keep it, unless its trial has been ended without."""
        if trial.number not in self._rows:
            return
        worker = -1 if job is None else job.worker
        start_time = time.time() if job is None else job.start_time
        row = {"start_time": start_time, **row, "worker": worker}
        self._log.note(trial.number, split, row)
        self._keep(trial, split, row)

    def _keep(self, trial: Trial, split: int, row: Row) -> None:
        """Keep a row, and the trial once it has all of them."""
        if trial.number not in self._rows:
            return
        rows = self._rows[trial.number]
        rows[split] = row
        if self._racing is not None:
            self._prune_if_dominated(trial)
        elif None not in rows:
            self._end(trial, range(len(rows)), None)

    def _prune_if_dominated(self, trial: Trial) -> None:
        """End a trial that has all its rows, or whose first ones decide.

        Splits count in their order only, whichever is run first, so that the same trials
        are ended with any number of workers.
        """
        number = trial.number
        rows, order, race = self._rows[number], self._orders[number], self._race(trial)
        for n_run in range(self._n_judged[number] + 1, len(rows) + 1):
            row = rows[order[n_run - 1]]
            if row is None:
                return
            self._n_judged[number] = n_run
            first = order[:n_run]
            kept = [row for split in first if (row := rows[split]) is not None]
            scores = [score_of(row, self._metric) for row in kept]
            estimate = None
            if n_run < len(rows) and race is not None and np.all(np.isfinite(scores)):
                estimate = race.judge(first, scores)
            if estimate or row["fit_error"] is not None or n_run == len(rows):
                self._end(trial, first, estimate)
                return

    def _end(
        self, trial: Trial, splits: Sequence[int], estimate: tuple[float, float] | None
    ) -> None:
        """Finish a trial with the rows of some splits, and run none of the others."""
        rows = self._rows.pop(trial.number)
        kept = [rows[split] if split in splits else None for split in range(len(rows))]
        self._finished.append(finish(trial, kept, self._metric, estimate))
        for job in [job for job in self._queue if job.trial.number == trial.number]:
            self._queue.remove(job)
        del self._orders[trial.number], self._n_judged[trial.number]

    def _poll_timeout(self) -> float | None:
        """Return how long to wait for a fit before looking at the clock."""
        waits = [
            self._limits.patience(job.trial, self._workers.seconds(future))
            for future, job in self._limited()
        ]
        wait = min([self._time_left(), *waits])
        # A greater time is more than a lock can wait.
        return None if math.isinf(wait) else min(max(0.0, wait) + 0.001, threading.TIMEOUT_MAX)


def finish(
    trial: Trial,
    rows: Sequence[Row | None],
    metric: str | None,
    estimate: tuple[float, float] | None = None,
) -> Trial:
    """Return a trial with the results of its splits.

    It fails if fit or scorer failed on any split or the mean score is not finite.

    Parameters
    ----------
    trial : Trial
    rows : sequence of dict or None of length n_splits
        What scikit-learn returned for each split; None where it was not run.
    metric : str or None
        Name of the metric that is optimised where there are several; None is
        the first.
    estimate : tuple (expected, std) or None, default=None
        Of the mean score, if that is why it has been ended.

    Returns
    -------
    trial : Trial
    """
    run = [row for row in rows if row is not None]
    scores = [math.nan if row is None else score_of(row, metric) for row in rows]
    results: dict[str, Any] = {
        "split_scores": scores,
        "split_results": [row or {} for row in rows],
        "duration": sum(float(row["fit_time"]) + float(row["score_time"]) for row in run),
    }
    if any(row["fit_error"] is not None for row in run):
        return trial.fail(**results)
    if estimate is not None:
        return trial.prune(estimate, **results)
    return trial.complete(sum(scores) / len(scores), **results)


def score_of(row: Row, metric: str | None) -> float:
    """Return the score that is optimised; of several metrics, None is the first."""
    score = row["test_scores"]
    if isinstance(score, Mapping):
        score = score[next(iter(score)) if metric is None else metric]
    return float(score)


def explain_failures(trials: list[Trial], cause: str = "the model is misconfigured") -> str:
    """Word the error of a search without a single result."""
    reasons: dict[str, int] = {}
    for trial in trials:
        errors = {row["fit_error"] for row in trial.split_results if row} - {None}
        scores = f"The scores were {list(trial.split_scores)}, which is no finite mean."
        for reason in errors or {scores}:
            reasons[reason] = reasons.get(reason, 0) + 1
    shown = sorted(reasons.items(), key=lambda reason: -reason[1])[:_MAX_REASONS]
    details = "\n".join(f"{'-' * 80}\n{n} trials:\n{text}" for text, n in shown)
    if len(shown) < len(reasons):
        details += f"\n{'-' * 80}\nand {len(reasons) - len(shown)} other reasons, in trials_."
    return (
        f"All the {len(trials)} trials failed.\nIt is very likely that {cause}. "
        "To see the first error where it happens, set error_score='raise'.\n\n"
        f"Below are more details about the failures:\n{details}"
    )
