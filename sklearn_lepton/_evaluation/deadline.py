"""Deadline of an evaluation, which waits for the start of the workers if there is no result yet."""

import math
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any

from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._typing import Workers

_MAX_START = 60.0  # seconds after its submission in which the first fit must begin
_POLL = 0.2  # seconds between two looks at a fit that has not begun


class Deadline:
    """Time at which an evaluation ends.

    If no trial has a score by then, the deadline moves once, to `max_time` after the begin of the
    first fit. Otherwise a search would have no result only because processes start slowly. The
    deadline stays where fits cannot be ended, since threads start at once.

    Parameters
    ----------
    at : float or None, seconds
        Time on the clock of `time.monotonic`; None for no deadline.
    max_time : float or None, seconds
        None never moves the deadline.
    reserve : callable
        Returns the seconds before `at` at which the evaluation ends.
    workers : Workers
    earlier : iterable of Trial
        Trials of earlier runs.
    """

    def __init__(
        self,
        at: float | None,
        max_time: float | None,
        reserve: Callable[[], float],
        workers: Workers,
        earlier: Iterable[Trial],
    ) -> None:
        self._at = at
        self._max_time = math.inf if max_time is None else max_time
        self._reserve = reserve
        self._workers = workers
        self._first_submit = self._first_begin = math.inf
        self._moves = workers.can_end and max_time is not None
        for trial in earlier:
            self.record_trial(trial)

    def seconds_left(self, running: Iterable["Future[Any]"], *, is_idle: bool) -> float:
        """Return the seconds until the evaluation ends.

        Parameters
        ----------
        running : iterable of Future
            The running fits.
        is_idle : bool
            Whether no trial is being evaluated.
        """
        if self._at is None:
            return math.inf
        now = time.monotonic()
        left = self._at - self._reserve() - now
        if left > 0.0 or is_idle or not self._moves:
            return left
        fits = [future for future in running if not future.done()]
        seconds = max(map(self._workers.seconds, fits), default=0.0)
        if seconds > 0.0:
            self._first_begin = min(self._first_begin, now - seconds)
        if math.isfinite(self._first_begin):
            return self._first_begin + self._max_time - now
        return min(_POLL, self._first_submit + _MAX_START - now)

    def record_submit(self) -> None:
        """Record the start of a fit, which begins once its worker is ready."""
        self._first_submit = min(self._first_submit, time.monotonic())

    def record_result(self, result: SplitResult) -> None:
        """Record the result of a fit."""
        self._first_begin = min(self._first_begin, time.monotonic() - result.duration)

    def record_trial(self, trial: Trial) -> None:
        """Record a finished trial: after one with a score the deadline does not move."""
        self._moves &= trial.score is None or not trial.is_full

    def close(self) -> None:
        """Keep the deadline where it is, since no fit runs any more."""
        self._moves = False
