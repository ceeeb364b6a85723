"""A run of a search: what it holds open, and the loop over its trials."""

from contextlib import ExitStack, closing
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self, TypeVar

import numpy as np
from sklearn.utils import check_random_state

from sklearn_lepton._evaluation.evaluator import SplitEvaluator
from sklearn_lepton._evaluation.loop import Callbacks, run_trials
from sklearn_lepton._evaluation.resource import Resource
from sklearn_lepton._evaluation.splits import FrozenSplits
from sklearn_lepton._runtime.deferred_errors import DeferredErrors
from sklearn_lepton._runtime.interrupts import uninterrupted
from sklearn_lepton._search.final_choice import FinalChoice
from sklearn_lepton._search.progress import Progress
from sklearn_lepton._search.update import Update
from sklearn_lepton._study.study import Study
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._typing import FitAid, Workers


class _Closable(Protocol):
    def close(self) -> None: ...


_Held = TypeVar("_Held", bound=_Closable)


class Owner:
    """The one owner of what a run holds open: all is closed, in reverse order.

    Parameters
    ----------
    errors : DeferredErrors
        Where errors in closing are kept.
    """

    def __init__(self, errors: DeferredErrors) -> None:
        self.errors = errors
        self._stack = ExitStack()

    def keep(self, held: _Held) -> _Held:
        """Return something open, which is closed at the end."""
        self._stack.callback(self.errors.run, held.close)
        return held

    def __enter__(self) -> Self:
        """Return the owner."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close everything, which no interrupt cuts."""
        with uninterrupted:
            self._stack.__exit__(kind, error, traceback)


class SearchRun(NamedTuple):
    """What a run of a search holds open, or has prepared.

    Attributes
    ----------
    workers : Workers
    aids : list of FitAid
        What changes each fit.
    studies : list of list of Trial
        Older studies to learn from.
    study : Study
    splits : FrozenSplits
    resource : Resource or None
        What trials have little of first.
    choice : FinalChoice
    update : Update or None
        The update that the run is part of.
    """

    workers: Workers
    aids: list[FitAid]
    studies: list[list[Trial]]
    study: Study
    splits: FrozenSplits
    resource: Resource | None
    choice: FinalChoice
    update: Update | None


def conduct(
    study: Study,
    fits: Any,
    evaluator: SplitEvaluator,
    callbacks: Callbacks,
    *,
    progress: Progress | None,
    update: Update | None,
) -> str | None:
    """Run the loop over the trials.

    Parameters
    ----------
    study : Study
    fits : Fits or Calls
    evaluator : SplitEvaluator
    callbacks : Callbacks
    progress : Progress or None
        The display.
    update : Update or None

    Returns
    -------
    reason : str or None
        Why the loop ended; None is an error of a callback.
    """
    trials = run_trials(study, evaluator, is_stopped=lambda: callbacks.is_stopped)
    try:
        for trial in trials:
            if progress is not None:
                progress.finished(trial)
            callbacks(trial)
            if update is not None:
                update.follow(study, fits.ratio)
            if fits.is_stopped:
                callbacks.reason = callbacks.reason or "callback"
    finally:
        with uninterrupted, closing(trials):
            if progress is not None:
                progress.close()
    if callbacks.is_stopped:
        return None if callbacks.has_failed else callbacks.reason
    holds = update is not None and bool(update.holds)
    return _why_ended(study, is_late=evaluator.is_late, holds=holds)


def _why_ended(study: Study, *, is_late: bool, holds: bool) -> str:
    """Return why a search ended that no callback has stopped."""
    optimizer = study.optimizer
    is_short = len(optimizer.trials) < study.n_trials
    if is_short and is_late:
        return "max_time"
    if holds:
        return "held"
    return "exhausted" if study.is_cut or (is_short and optimizer.is_exhausted) else "n_iter"


def draw_seed(random_state: Any) -> int:
    """Draw the one seed of a search; without a state from the system, not the global one."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    return int(check_random_state(random_state).randint(2**31 - 1))
