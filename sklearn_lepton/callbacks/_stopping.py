"""Callbacks: those that end a search, and those that hand its trials on.

A callback is called with the search and each finished trial; one that returns True ends the
search, and its attribute ``reason`` says why. Two methods are optional: ``start(search)`` is
called before the first trial of each search and resets what the callback remembers, and
``finish(search, trial)`` is called after the last one, with the best trial or None.
"""

import time
from typing import Any

from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.space._values import as_float


class Deadline:
    """Stop once a time has passed since the search began.

    Outside of a search the time counts from when this object was made.

    Parameters
    ----------
    seconds : float, seconds
        Time allowed, greater than 0. Running fits are not cut short.

    Examples
    --------
    >>> from sklearn_lepton.callbacks import Deadline
    >>> Deadline(3600.0)(None, None)
    False
    """

    reason = "max_time"

    def __init__(self, seconds: float) -> None:
        self._seconds = as_float(seconds)
        self.start(None)

    def start(self, search: Any) -> None:  # noqa: ARG002
        """Begin to count."""
        self._end = time.monotonic() + self._seconds

    def __call__(self, search: Any, trial: Trial | None) -> bool:  # noqa: ARG002
        """Return whether the time has passed."""
        return time.monotonic() >= self._end


class TargetScore:
    """Stop once a trial reaches a score.

    Parameters
    ----------
    score : float
        The score to reach; greater is better.

    Examples
    --------
    >>> from sklearn_lepton.callbacks import TargetScore
    >>> from sklearn_lepton.optimizers import RandomOptimizer
    >>> [trial] = RandomOptimizer({"x": [1, 2]}).ask()
    >>> TargetScore(0.9)(None, trial.complete(0.95))
    True
    """

    reason = "target_score"

    def __init__(self, score: float) -> None:
        self._score = score

    def __call__(self, search: Any, trial: Trial) -> bool:  # noqa: ARG002
        """Return whether the trial reached the score."""
        return trial.score is not None and trial.is_full and trial.score >= self._score


class NoImprovement:
    """Stop after a number of trials in a row that brought no better score.

    Parameters
    ----------
    n_trials : int
        How many in a row, at least 1. Failed trials count.
    tol : float, default=0.0
        Gain in score, not negative, up to which a better one does not count.

    Examples
    --------
    >>> from sklearn_lepton.callbacks import NoImprovement
    >>> from sklearn_lepton.optimizers import RandomOptimizer
    >>> stop = NoImprovement(2)
    >>> trials = RandomOptimizer({"x": [1, 2, 3]}).ask(3)
    >>> [stop(None, trial.complete(0.5)) for trial in trials]
    [False, False, True]
    """

    reason = "n_iter_no_change"

    def __init__(self, n_trials: int, tol: float = 0.0) -> None:
        self._n_trials, self._tol = n_trials, tol
        self.start(None)

    def start(self, search: Any) -> None:  # noqa: ARG002
        """Forget the trials of an earlier search."""
        self._best: float | None = None
        self._n_idle = 0

    def __call__(self, search: Any, trial: Trial) -> bool:  # noqa: ARG002
        """Return whether that many trials have passed; only those at full resource count."""
        if not trial.is_full:
            return False
        improved = trial.score is not None and (
            self._best is None or trial.score > self._best + self._tol
        )
        if improved:
            self._best = trial.score
        self._n_idle = 0 if improved else self._n_idle + 1
        return self._n_idle >= self._n_trials
