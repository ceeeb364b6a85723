"""Stopping rules: callbacks that end a search."""

import time
from typing import Any

from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.space._values import as_float


class Deadline:
    """Stopping rule that ends a search after a time.

    The time counts from the start of the search. Without a search it counts from the creation of
    the object.

    Parameters
    ----------
    seconds : float
        Time limit, greater than 0. Running fits are not interrupted.

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
        """Start the time."""
        self._end = time.monotonic() + self._seconds

    def __call__(self, search: Any, trial: Trial | None) -> bool:  # noqa: ARG002
        """Return whether the time is over."""
        return time.monotonic() >= self._end


class TargetScore:
    """Stopping rule that ends a search when a trial reaches a score.

    Parameters
    ----------
    score : float
        Score to reach; greater is better.

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
        """Return whether a trial at full fidelity reached the score."""
        return trial.score is not None and trial.is_full and trial.score >= self._score


class NoImprovement:
    """Stopping rule that ends a search after consecutive trials without improvement.

    Parameters
    ----------
    n_trials : int
        Number of consecutive trials, at least 1. Failed trials count.
    tol : float, default=0.0
        An improvement must exceed this number, which is not negative.

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
        """Reset the best score and the number of trials without improvement."""
        self._best: float | None = None
        self._n_without_improvement = 0

    def __call__(self, search: Any, trial: Trial) -> bool:  # noqa: ARG002
        """Return whether the limit is reached; trials at low fidelity do not count."""
        if not trial.is_full:
            return False
        improved = trial.score is not None and (
            self._best is None or trial.score > self._best + self._tol
        )
        if improved:
            self._best = trial.score
        self._n_without_improvement = 0 if improved else self._n_without_improvement + 1
        return self._n_without_improvement >= self._n_trials
