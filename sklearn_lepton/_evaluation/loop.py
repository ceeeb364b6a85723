"""The one loop: ask, evaluate, tell, yield."""

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
    """Run trials until the budget is used up, the space exhausted or a stop called.

    Parameters
    ----------
    study : Study
        What is asked for trials, and told what became of them.
    evaluator : Evaluator
    is_stopped : callable
        Asked before each proposal. What runs by then still comes in.

    Yields
    ------
    trial : Trial
        Each finished trial, those of an earlier process or another one included. It has
        been told by then, with all that finished together with it, so that an early end
        loses nothing.
    """
    try:
        while True:
            check_interrupts()
            yield from study.external_results()
            room = 0 if is_stopped() else evaluator.free()
            asked = study.ask(room) if room > 0 else []
            if asked:
                evaluator.submit(asked)
            more = not is_stopped() and study.has_more
            finished = evaluator.collect(more=more)
            study.tell(finished)
            yield from finished
            is_idle = not finished and not (more and evaluator.free() > 0)
            if is_idle and not (room > 0 and study.wait()):
                return
    finally:
        with uninterrupted:
            study.tell(evaluator.close())


class Callbacks:
    """Call the callbacks of a search, none of which can cost a result or keep out the others.

    Parameters
    ----------
    search : object
        What they are shown: the search, or the result of `tune`.
    callbacks : sequence of callable
        The stopping rules and the callbacks of the user.
    errors : DeferredErrors
        Where the errors are kept. A callback that has raised one ends the search and is not
        called again, except for its ``finish``.

    Attributes
    ----------
    reason : str or None
        Why a callback ended the search.
    has_failed : bool
        Whether one raised an error.
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
        """Whether the search is to end."""
        return self.has_failed or self.reason is not None

    @property
    def have_finish(self) -> bool:
        """Whether one of them is told when the search is over."""
        return any(hasattr(callback, "finish") for callback in self._started)

    def start(self) -> None:
        """Call each ``start``, which makes a callback ready for another search."""
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
            # Many a callback returns something; only a true or false is an answer.
            if isinstance(answer, bool | np.bool_) and answer:
                self.reason = self.reason or getattr(callback, "reason", "callback")

    def finish(self, trial: Trial | None) -> None:
        """Call each ``finish`` with the best trial, or None; of those that were started."""
        shown = None if trial is None else trial.for_callback()
        with ExitStack() as calls:  # all are called, even if one is interrupted
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
        As for the searches.
    """
    rules: list[Callback] = []
    if target_score is not None:
        rules.append(TargetScore(target_score))
    if n_iter_no_change is not None:
        rules.append(NoImprovement(n_iter_no_change, tol))
    if callbacks is not None:
        rules += [callbacks] if callable(callbacks) else list(callbacks)
    return rules
