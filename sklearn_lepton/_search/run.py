"""The engine: one run over the trials of a study, for the searches and for `tune`."""

import math
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar, cast

import numpy as np
from sklearn.utils import check_random_state

from sklearn_lepton._evaluation.evaluator import EvaluationOptions, SplitEvaluator
from sklearn_lepton._evaluation.fits import Fits
from sklearn_lepton._evaluation.loop import Callbacks, run_trials
from sklearn_lepton._evaluation.racing import error_rate
from sklearn_lepton._evaluation.results import EarlyFailures
from sklearn_lepton._runtime.deferred_errors import DeferredErrors
from sklearn_lepton._runtime.interrupts import uninterrupted
from sklearn_lepton._search.function_calls import FunctionCalls
from sklearn_lepton._search.inputs import trial_limit
from sklearn_lepton._search.progress import Progress, WatchedStudy
from sklearn_lepton._search.update import Update
from sklearn_lepton._study.study import Study
from sklearn_lepton._typing import Workers
from sklearn_lepton._workers.local import make_workers
from sklearn_lepton.optimizers._base import Optimizer

_MIN_ROUNDS = 5  # trials for each one in flight


class _Closable(Protocol):
    def close(self) -> None: ...


_Opened = TypeVar("_Opened", bound=_Closable)


class CloseStack:
    """Everything that a run has opened; all of it is closed in reverse order.

    Parameters
    ----------
    errors : DeferredErrors
        Collects the errors raised while closing.
    """

    def __init__(self, errors: DeferredErrors) -> None:
        self.errors = errors
        self._stack = ExitStack()

    def keep(self, opened: _Opened) -> _Opened:
        """Return an open object, which is closed at the end."""
        self._stack.callback(self.errors.run, opened.close)
        return opened

    def __enter__(self) -> Self:
        """Return the stack."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close everything; no interrupt can cut it short."""
        with uninterrupted:
            self._stack.__exit__(kind, error, traceback)


@dataclass(frozen=True)
class RunOptions:
    """The options of a run, as the user gave them.

    Attributes
    ----------
    name : str
        Name that the progress shows.
    n_jobs : int or None
        Number of parallel fits, as joblib understands it.
    n_iter : int or "auto"
        Number of trials, which the automatic window depends on.
    n_points : int or "auto"
        Size of the window: most trials in flight.
    asynchronous : bool
        Whether a free worker gets the next trial immediately.
    fit_timeout : float, "auto" or None
        Seconds that one fit may take.
    cost_aware : bool or "auto"
        Whether proposals weigh the seconds that fits take.
    max_time : float or None
        Seconds that the run may take.
    ends_fits : bool
        Whether fits that still run after `max_time` are ended.
    racing : bool, float or "auto", default=False
        Whether trials are pruned after some of their splits.
    metric : str or None, default=None
        The metric to optimise, if there are several; None is the first.
    verbose : int, default=0
        How much progress is shown.
    """

    name: str
    n_jobs: int | None
    n_iter: int | str
    n_points: int | str
    asynchronous: bool
    fit_timeout: float | str | None
    cost_aware: bool | str
    max_time: float | None
    ends_fits: bool
    racing: bool | float | str = False
    metric: str | None = None
    verbose: int = 0

    @property
    def error_rate(self) -> float | None:
        """Error rate of the pruning; None runs all splits."""
        return error_rate(self.racing)

    def n_in_flight(self, n_workers: int, n_splits: int) -> int:
        """Return the number of trials that are in flight at the same time."""
        if not isinstance(self.n_points, str):
            return int(self.n_points)
        # In a race only the first split of each trial is certain to run.
        n_certain = n_splits if self.error_rate is None else 1
        if self.asynchronous:
            return -(-n_workers // n_certain)
        n_trials = trial_limit(self.n_iter, self.max_time)
        return auto_window(n_workers, n_splits, n_certain=n_certain, n_trials=n_trials)

    def window(self, n_workers: int, n_splits: int) -> int | None:
        """Return the size of the window of a study, None for an asynchronous run."""
        return None if self.asynchronous else self.n_in_flight(n_workers, n_splits)

    def make_workers(self, parallel: Any) -> Workers:
        """Return workers that can do everything that the options ask for.

        Parameters
        ----------
        parallel : joblib.Parallel
            Runs fits on backends that take whole batches only.

        Raises
        ------
        ValueError
            If joblib's active backend cannot.
        """
        is_given = not isinstance(self.fit_timeout, str | None)  # "auto" asks for no process
        workers = make_workers(self.n_jobs, parallel, must_end=is_given or self.ends_fits)
        if is_given and not workers.can_end:
            raise ValueError(
                f"fit_timeout={self.fit_timeout} needs worker processes that can be ended, which "
                f"joblib's active backend does not give ({type(workers).__name__}): use the "
                "backend 'loky', which is the default, 'dask' or 'ray', or set fit_timeout=None."
            )
        is_racing = self.error_rate is not None
        for name, is_on in (("asynchronous", self.asynchronous), ("racing", is_racing)):
            if is_on and not np.isfinite(workers.n_slots):
                raise ValueError(
                    f"{name}={getattr(self, name)} needs workers that take single fits, which "
                    "joblib's active backend does not give: use the backend 'loky', which is the "
                    f"default, 'threading', 'dask' or 'ray', or set {name}=False."
                )
        return workers

    def configure(self, optimizer: Optimizer, n_workers: int, n_splits: int) -> None:
        """Give an optimizer the number of trials in flight and the limits of cost.

        Raises
        ------
        ValueError
            If the costs need a surrogate that the optimizer does not use.
        """
        cost_aware = bool(self.cost_aware)
        if isinstance(self.cost_aware, str):  # "auto"
            cost_aware = self.max_time is not None and optimizer.uses_surrogate
        limit: dict[str, float] = {}
        if cost_aware and self.max_time is not None:
            spent = sum(trial.duration for trial in optimizer.trials)
            limit["max_seconds"] = spent + self.max_time * n_workers
        n_points = self.n_in_flight(n_workers, n_splits)
        optimizer.configure(n_points=n_points, cost_aware=cost_aware, **limit)


@dataclass(frozen=True)
class SearchRun:
    """One run over the trials of a study.

    Attributes
    ----------
    options : RunOptions
    study : Study
    workers : Workers
    fits : Fits or FunctionCalls
        The fits of each trial, or its call of a function.
    errors : DeferredErrors
        Collects the errors raised while closing.
    deadline : float or None, seconds
        When the run ends, on the clock of `time.monotonic`.
    update : Update or None, default=None
        The update that this run is part of.
    reserve : callable, default=float
        Returns the seconds to keep before `deadline`.
    """

    options: RunOptions
    study: Study
    workers: Workers
    fits: Fits | FunctionCalls
    errors: DeferredErrors
    deadline: float | None
    update: Update | None = None
    reserve: Callable[[], float] = float

    def run(self, callbacks: Callbacks) -> str | None:
        """Run the trials.

        Parameters
        ----------
        callbacks : Callbacks

        Returns
        -------
        stop_reason : str or None
            None if a callback raised an error, or if the first trials all failed.
        """
        options, n_splits = self.options, self.fits.n_splits
        failures = EarlyFailures(self.study.optimizer.n_initial_points, self.study.finished())
        progress, study = None, self.study
        if options.verbose > 0:
            progress = Progress(
                options.name,
                study,
                n_splits,
                verbose=options.verbose,
                deadline=self.deadline,
                ratio=self.fits.ratio,
            )
            study = cast("Study", WatchedStudy(study, progress))
        fills_workers = options.asynchronous and isinstance(options.n_points, str)
        evaluator = SplitEvaluator(
            self.fits,
            self.workers,
            study,
            EvaluationOptions(
                metric=options.metric,
                n_points=(
                    None if fills_workers else options.n_in_flight(self.workers.n_workers, n_splits)
                ),
                asynchronous=options.asynchronous,
                fit_timeout=options.fit_timeout,
                racing=options.error_rate,
                deadline=self.deadline,
                max_time=options.max_time,
                reserve=self.reserve,
            ),
            errors=self.errors,
        )
        self._run_trials(study, evaluator, callbacks, progress, failures)
        if callbacks.is_stopped:
            return None if callbacks.has_failed else callbacks.reason
        if failures.are_final and study.has_more:
            return None
        return self._why_ended(is_late=evaluator.is_late)

    def _run_trials(
        self,
        study: Study,
        evaluator: SplitEvaluator,
        callbacks: Callbacks,
        progress: Progress | None,
        failures: EarlyFailures,
    ) -> None:
        """Run the loop; show each finished trial to the progress, the callbacks, the update."""

        def is_stopped() -> bool:
            return callbacks.is_stopped or failures.are_final

        trials = run_trials(study, evaluator, is_stopped=is_stopped)
        try:
            for trial in trials:
                if progress is not None:
                    progress.record_trial(trial)
                if self.update is None:  # its first trials are alike: they were the best
                    failures.record(trial)
                callbacks(trial)
                if self.update is not None:
                    self.update.follow(study, self.fits.ratio)
                if self.fits.is_stopped:
                    callbacks.reason = callbacks.reason or "callback"
        finally:
            with uninterrupted, closing(trials):
                if progress is not None:
                    progress.close()

    def _why_ended(self, *, is_late: bool) -> str:
        """Return the stop reason of a run that no callback stopped."""
        study, optimizer = self.study, self.study.optimizer
        is_short = len(optimizer.trials) < study.n_trials
        if is_short and is_late:
            return "max_time"
        if self.update is not None and self.update.holds:
            return "held"
        return (
            "exhausted" if study.is_truncated or (is_short and optimizer.is_exhausted) else "n_iter"
        )


def auto_window(n_workers: int, n_splits: int, *, n_certain: int, n_trials: float) -> int:
    """Return the size of the window that keeps workers busy, as far as the budget allows.

    With fit times that spread tenfold, some ``n_workers * (1 + log2(n_workers))`` fits in
    flight keep 19 of 20 workers busy among 2, and 9 of 10 among 32 (`make bench-window`). At
    most a fifth of the trials are in flight: otherwise too few of them could learn from others.

    Parameters
    ----------
    n_workers : int
    n_splits : int
    n_certain : int
        Number of splits of a trial that are certain to run.
    n_trials : int or inf
        Number of trials of the run.
    """
    if n_workers == 1:
        return 1
    n_fits = n_workers * (1.0 + math.log2(n_workers))
    n_running = max(2, -(-n_workers // n_certain))  # enough to give each worker a fit
    return max(n_running, int(min(math.ceil(n_fits / n_splits), n_trials // _MIN_ROUNDS)))


def draw_seed(random_state: Any) -> int:
    """Return the seed of a search; None draws it from the system, not from numpy's generator."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    return int(check_random_state(random_state).randint(2**31 - 1))
