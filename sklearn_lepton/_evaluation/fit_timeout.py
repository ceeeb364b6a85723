"""Time limits of fits: a number of seconds, or a multiple of the median of finished fits."""

import math
import threading
import time
from bisect import insort
from collections.abc import Iterable, Mapping
from contextlib import suppress
from statistics import median
from typing import Any

from sklearn_lepton._runtime.errors import describe_value
from sklearn_lepton._runtime.output import warn
from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._typing import Workers
from sklearn_lepton.exceptions import SlowFitWarning

_FACTOR = 100.0  # limit of "auto", in medians of the finished fits
_MIN_FITS = 5  # finished fits before "auto" has a limit
_MIN_SECONDS = 300.0  # smallest limit of "auto"
_START_POLL, _SLOW_POLL = 0.1, 5.0  # seconds between two checks of a process that starts


class FitLimits:
    """Time limits of running fits, and warnings of slow fits that cannot be ended.

    Parameters
    ----------
    fit_timeout : float, "auto" or None
        A number is a limit in seconds. With "auto" it is a multiple of the median of the finished
        fits at the same fidelity; None is no limit.
    workers : Workers
    finished : iterable of Trial
        Earlier trials, whose fits count, too.
    """

    def __init__(
        self, fit_timeout: float | str | None, workers: Workers, finished: Iterable[Trial]
    ) -> None:
        self._fit_timeout = fit_timeout
        self._is_auto = isinstance(fit_timeout, str)
        self._ends = workers.can_end
        # The start of a fit is unknown if the workers take whole batches.
        watches = self._is_auto and not self._ends and math.isfinite(workers.n_slots)
        self._watchdog = _Watchdog() if watches else None
        self._seconds: dict[float | None, list[float]] = {}  # sorted, by fidelity
        if self._is_auto:
            for trial in finished:
                for result in filter(None, trial.split_results):
                    self.record(trial, result)

    def record(self, trial: Trial, result: SplitResult) -> None:
        """Record the duration of a fit that has finished without an error."""
        if self._is_auto and result.error is None:
            seconds = result.duration_from_scratch
            if math.isfinite(seconds):
                insort(self._seconds.setdefault(_fidelity(trial), []), seconds)

    def limit(self, trial: Trial) -> float:
        """Return the time limit of a trial's fits, in seconds; infinity without a limit."""
        if not self._is_auto:
            return math.inf if self._fit_timeout is None else float(self._fit_timeout)
        known = self._seconds.get(_fidelity(trial), [])
        if len(known) < _MIN_FITS:
            return math.inf
        return max(_MIN_SECONDS, _FACTOR * median(known))

    def applies(self, trial: Trial) -> bool:
        """Return whether fits of a trial have a time limit and can be ended."""
        return self._ends and math.isfinite(self.limit(trial))

    def overrun(self, trial: Trial, seconds: float) -> str | None:
        """Return the reason to end a fit that has run for some seconds, or None."""
        if seconds <= self.limit(trial):
            return None
        if not self._is_auto:
            return f"The fit took longer than fit_timeout={self._fit_timeout} s: it was ended."
        return (
            f"The fit took longer than {self.limit(trial):.3g} s, {self._compare(trial)}: it was "
            "ended, as fit_timeout='auto' asks."
        )

    def warn_of_end(self, trial: Trial, reason: str) -> None:
        """Warn of a fit that was ended by the limit of "auto"."""
        if self._is_auto:
            message = f"{reason} Trial {trial.number} has failed with {_describe(trial.params)}."
            warn(
                f"{message} Set fit_timeout=None to let such fits run.",
                SlowFitWarning,
                stacklevel=2,
            )

    def _compare(self, trial: Trial) -> str:
        known = self._seconds[_fidelity(trial)]
        return (
            f"{self.limit(trial) / max(median(known), 1e-9):.3g} times the median of the "
            f"{len(known)} fits that have finished"
        )

    def patience(self, trial: Trial, seconds: float) -> float:
        """Return the seconds until the next check of a fit that has run for some seconds."""
        if seconds > 0.0:
            return self.limit(trial) - seconds
        return _SLOW_POLL if self._is_auto else _START_POLL

    def start(self, key: object, trial: Trial, split: int) -> None:
        """Watch a new fit if it cannot be ended."""
        limit = math.inf if self._watchdog is None else self.limit(trial)
        if self._watchdog is not None and math.isfinite(limit):
            message = (
                f"The fit of trial {trial.number} on split {split} has run for {limit:.3g} s, "
                f"{self._compare(trial)}, and still runs: {_describe(trial.params)}. Nothing can "
                "end it here. Processes that can be ended run fits with n_jobs=2 or with a number "
                "of seconds as fit_timeout, on joblib's backend 'loky'."
            )
            self._watchdog.watch(key, limit, message)

    def stop(self, key: object) -> None:
        """Stop watching a fit."""
        if self._watchdog is not None:
            self._watchdog.forget(key)

    def close(self) -> None:
        """End the watching thread."""
        if self._watchdog is not None:
            self._watchdog.close()


class _Watchdog:
    """Thread that warns of running fits; it starts with the first fit."""

    def __init__(self) -> None:
        self._fits: dict[object, tuple[float, str]] = {}
        self._wake = threading.Event()
        self._next = math.inf  # time of the next check, on the monotonic clock
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def watch(self, key: object, seconds: float, message: str) -> None:
        deadline = time.monotonic() + seconds
        self._fits[key] = deadline, message
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._run, name="sklearn_lepton-watchdog", daemon=True
            )
            self._thread.start()
        elif deadline < self._next:
            self._wake.set()

    def forget(self, key: object) -> None:
        self._fits.pop(key, None)

    def close(self) -> None:
        self._is_closed = True
        self._wake.set()

    def _run(self) -> None:
        while not self._is_closed:
            now = time.monotonic()
            for key, (deadline, message) in list(self._fits.items()):
                if deadline <= now and self._fits.pop(key, None) is not None:
                    # With the filter "error", an exception in this thread would help nobody.
                    with suppress(Warning):
                        warn(message, SlowFitWarning, stacklevel=1)
            deadlines = [deadline for deadline, _ in list(self._fits.values())]
            self._next = min(deadlines, default=math.inf)
            seconds = max(0.0, self._next - time.monotonic())
            self._wake.wait(min(seconds, threading.TIMEOUT_MAX))
            self._wake.clear()


def _fidelity(trial: Trial) -> float | None:
    """Return the fidelity of a trial; None is the full resource."""
    return None if trial.is_full else trial.fidelity


def _describe(params: Mapping[str, Any]) -> str:
    return describe_value(dict(params)).removesuffix(" (of type dict)")
