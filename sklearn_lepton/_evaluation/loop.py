"""The loop of a search: ask, evaluate, tell, yield; and its callbacks."""

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from sklearn_lepton._runtime.deferred_errors import DeferredErrors
from sklearn_lepton._runtime.interrupts import check_interrupts, uninterrupted
from sklearn_lepton._study.study import Study
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._typing import Callback, Evaluator
from sklearn_lepton.callbacks._stopping import NoImprovement, TargetScore


def run_trials(
    study: Study, evaluator: Evaluator, *, is_stopped: Callable[[], bool]
) -> Generator[Trial, None, None]:
    """Run trials until the budget or the space is exhausted, or a stop is requested.

    Parameters
    ----------
    study : Study
        Proposes trials and is told the finished ones.
    evaluator : Evaluator
    is_stopped : callable
        Called before each proposal. Trials that run already are still finished.

    Yields
    ------
    trial : Trial
        Each finished trial, including trials of earlier and of other processes, in the order
        of `Study.next_result`. The study has recorded a trial before, so that an early end
        loses no result. Trials are proposed and submitted between two of them.
    """

    def submit() -> int:
        """Submit as many trials as there is room for, and return the room."""
        room = 0 if is_stopped() else evaluator.free()
        evaluator.submit(study.ask(room) if room > 0 else [])
        return room

    try:
        room = submit()
        while True:
            check_interrupts()
            trial = study.next_result()
            if trial is not None:
                yield trial
                room = submit()
                continue
            more = not is_stopped() and study.has_more
            finished = evaluator.collect(more=more)
            study.tell(finished)
            if finished:
                continue
            is_idle = not (more and evaluator.free() > 0)
            if is_idle and not (room > 0 and study.wait()):
                break
            room = submit()
        yield from study.rest()
    finally:
        with uninterrupted:
            study.tell(evaluator.close())
            study.rest()


class Callbacks:
    """Stopping rules and callbacks of a search.

    An error in one callback neither loses a result nor prevents the calls of the others.

    Parameters
    ----------
    search : object
        First argument of each callback: the search, or the result of `tune`.
    callbacks : sequence of callable
    errors : DeferredErrors
        Collects the errors of callbacks. A callback that raised an error ends the search and
        is not called again, except for its ``finish``.

    Attributes
    ----------
    reason : str or None
        Reason for which a callback ended the search.
    has_failed : bool
        Whether a callback raised an error.
    errors : DeferredErrors
    """

    def __init__(self, search: Any, callbacks: Sequence[Callback], errors: DeferredErrors) -> None:
        self._search, self.errors = search, errors
        self._callbacks = list(callbacks)
        self._started: list[Any] = []
        self.reason: str | None = None
        self.has_failed = False

    @property
    def is_stopped(self) -> bool:
        """Whether the search must end."""
        return self.has_failed or self.reason is not None

    @property
    def have_finish(self) -> bool:
        """Whether a callback has a ``finish``."""
        return any(hasattr(callback, "finish") for callback in self._started)

    def start(self) -> None:
        """Call each ``start``, which prepares a callback for a search."""
        for callback in self._callbacks:
            self._started.append(callback)
            if hasattr(callback, "start"):
                callback.start(self._search)

    def __call__(self, trial: Trial) -> None:
        """Call all callbacks with a finished trial."""
        shown = trial.for_callback()
        for callback in list(self._callbacks):
            answer = None
            try:
                answer = callback(self._search, shown)
            except Exception as error:  # noqa: BLE001 - raised after the results are set
                self.errors.found.append(error)
                self._callbacks.remove(callback)
                self.has_failed = True
            # A callback may return anything; only a bool is an answer.
            if isinstance(answer, bool | np.bool_) and answer:
                self.reason = self.reason or getattr(callback, "reason", "callback")

    def finish(self, trial: Trial | None) -> None:
        """Call the ``finish`` of each started callback with the best trial, or None."""
        shown = None if trial is None else trial.for_callback()
        with ExitStack() as calls:  # calls all of them, even if one is interrupted
            for callback in reversed(self._started):
                if hasattr(callback, "finish"):
                    calls.callback(self.errors.run, callback.finish, self._search, shown)


def make_callbacks(
    callbacks: Any, *, target_score: float | None, n_iter_no_change: int | None, tol: float
) -> list[Callback]:
    """Return the stopping rules, followed by the user's callbacks.

    Parameters
    ----------
    callbacks : callable, sequence of callable or None
        The user's callbacks.
    target_score : float or None
    n_iter_no_change : int or None
    tol : float
        Parameters of the searches of these names.
    """
    rules: list[Callback] = []
    if target_score is not None:
        rules.append(TargetScore(target_score))
    if n_iter_no_change is not None:
        rules.append(NoImprovement(n_iter_no_change, tol))
    if callbacks is not None:
        rules += [callbacks] if callable(callbacks) else list(callbacks)
    return rules
