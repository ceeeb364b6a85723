"""Objectives and limits: what a run optimises besides one score, and what it must keep to."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_lepton._runtime.errors import describe_value
from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._validation import is_finite, is_real
from sklearn_lepton.space._dimension import FloatArray

TIMES = ("fit_time", "score_time")
_SINGLE = ("score", "value")  # names of the score of a run without several metrics
_DIRECTIONS = ("auto", "maximize", "minimize")


@dataclass(frozen=True, slots=True)
class Objective:
    """A metric or time to optimise, and its direction.

    Parameters
    ----------
    name : str
        A metric of ``scoring`` or of the function, ``"score"`` if there is a single one, or
        ``"fit_time"`` or ``"score_time"``, in seconds per split.
    direction : {"auto", "maximize", "minimize"}, default="auto"
        Auto minimises times. It maximises metrics, except in ``tune(minimize=True)``.
    reference : float or None, default=None
        Value of the reference point for the hypervolume: one that is just good enough. None is
        the worst value of the complete trials.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Examples
    --------
    >>> from sklearn_lepton import Objective
    >>> Objective("n_features", "minimize", reference=30)
    Objective(name='n_features', direction='minimize', reference=30)
    """

    name: str
    direction: str = "auto"
    reference: float | None = None

    def __post_init__(self) -> None:
        """Check the parameters."""
        _check_name(self.name)
        if self.direction not in _DIRECTIONS:
            msg = f"direction must be one of {_DIRECTIONS}, got {self.direction!r}."
            raise ValueError(msg)
        _check_bound("reference", self.reference)


@dataclass(frozen=True, slots=True)
class Limit:
    """A range that a metric or time of the best trial must keep to.

    Parameters
    ----------
    name : str
        As of `Objective`.
    at_most, at_least : float or None, default=None
        Bounds of the mean over the splits, in the unit of the metric, or in seconds. At least
        one must be given.

    Raises
    ------
    ValueError
        If no bound is given, or they exclude each other.

    Examples
    --------
    >>> from sklearn_lepton import Limit
    >>> Limit("score_time", at_most=0.005)
    Limit(name='score_time', at_most=0.005, at_least=None)
    """

    name: str
    at_most: float | None = None
    at_least: float | None = None

    def __post_init__(self) -> None:
        """Check the parameters."""
        _check_name(self.name)
        _check_bound("at_most", self.at_most)
        _check_bound("at_least", self.at_least)
        if self.at_most is None and self.at_least is None:
            raise ValueError(f"Limit({self.name!r}) has no bound: give at_most or at_least.")
        if None not in (self.at_most, self.at_least) and self.at_least > self.at_most:  # type: ignore[operator]
            raise ValueError(
                f"at_least must not exceed at_most, got at_least={self.at_least} and "
                f"at_most={self.at_most}."
            )

    def excess(self, value: float) -> float:
        """Return by how much a value is outside of the range; not positive inside of it."""
        above = -math.inf if self.at_most is None else value - self.at_most
        below = -math.inf if self.at_least is None else self.at_least - value
        return value if math.isnan(value) else max(above, below)

    def __str__(self) -> str:
        """Return the range as text, such as ``score_time <= 0.005``."""
        bounds = ((">=", self.at_least), ("<=", self.at_most))
        parts = [f"{self.name} {sign} {bound:g}" for sign, bound in bounds if bound is not None]
        return " and ".join(parts)


def _check_name(name: Any) -> None:
    if not isinstance(name, str) or not name:
        raise ValueError(f"name must be the name of a metric or time, got {name!r}.")


def _check_bound(parameter: str, value: Any) -> None:
    if value is not None and not (is_real(value) and is_finite(value)):
        raise ValueError(f"{parameter} must be None or a finite number, got {value!r}.")


@dataclass(frozen=True)
class Objectives:
    """The objectives and limits of a run.

    Attributes
    ----------
    targets : tuple of Objective
        What to optimise; empty for the score.
    limits : tuple of Limit
    minimize : bool, default=False
        Whether the trials hold values times -1, as with ``tune(minimize=True)``.
    """

    targets: tuple[Objective, ...] = ()
    limits: tuple[Limit, ...] = ()
    minimize: bool = False

    @classmethod
    def read(cls, given: Any, *, minimize: bool = False) -> "Objectives":
        """Return the objectives of a parameter ``objectives``.

        Parameters
        ----------
        given : None, str, Objective, Limit, or a list or tuple of these
        minimize : bool, default=False

        Returns
        -------
        objectives : Objectives
            False if nothing was given.

        Raises
        ------
        TypeError
            If an element has another type.
        ValueError
            If two objectives, or two limits, have one name.
        """
        if isinstance(given, Objectives):
            return given
        if given is None:
            return cls()
        listed = given if isinstance(given, list | tuple) else [given]
        for each in listed:
            if not isinstance(each, str | Objective | Limit):
                raise TypeError(
                    "objectives must be a list of names of metrics or times, Objective or Limit, "
                    f"such as ['accuracy', Limit('score_time', at_most=0.01)], got "
                    f"{describe_value(each)}."
                )
        targets = [Objective(t) if isinstance(t, str) else t for t in listed]
        objectives = [t for t in targets if isinstance(t, Objective)]
        limits = [t for t in targets if isinstance(t, Limit)]
        for kind, names in (
            ("objectives", [t.name for t in objectives]),
            ("limits", [t.name for t in limits]),
        ):
            if len(set(names)) < len(names):
                raise ValueError(f"{kind} must have different names, got {names}.")
        return cls(tuple(objectives), tuple(limits), minimize)

    def __bool__(self) -> bool:
        """Return whether there are objectives or limits."""
        return bool(self.targets or self.limits)

    @property
    def are_several(self) -> bool:
        """Whether there is a front: two objectives or more."""
        return len(self.targets) > 1

    @property
    def names(self) -> list[str]:
        """Names of all metrics and times, each once."""
        names = [target.name for target in self.targets] + [limit.name for limit in self.limits]
        return list(dict.fromkeys(names))

    @property
    def signs(self) -> FloatArray:
        """1 for each objective to maximise, -1 for each one to minimise."""
        return np.array([1.0 if self.is_maximized(t) else -1.0 for t in self.targets])

    def is_maximized(self, target: Objective) -> bool:
        """Return whether greater values of an objective are better."""
        if target.direction == "auto":
            return target.name not in TIMES and not self.minimize
        return target.direction == "maximize"

    def check_names(self, metrics: Sequence[str]) -> None:
        """Raise ValueError if a name is none of the metrics, nor a time.

        Parameters
        ----------
        metrics : sequence of str
            Empty for a single score.
        """
        allowed = [*(metrics or _SINGLE), *TIMES]
        for name in self.names:
            if name not in allowed:
                raise ValueError(
                    f"objectives name {name!r}, which is neither a metric nor a time: allowed are "
                    f"{allowed}."
                )

    def value(self, trial: Trial, name: str) -> float:
        """Return the mean of a metric or time over the splits of a trial; NaN if unknown."""
        run = [result for result in trial.split_results if result]
        if not run:
            is_score = name in _SINGLE and trial.score is not None
            return self._as_given(trial.score) if is_score else math.nan
        values = [self._of_split(result, name) for result in run]
        return float(np.mean(values))

    def _of_split(self, result: SplitResult, name: str) -> float:
        if isinstance(result.scores, Mapping) and name in result.scores:
            return self._as_given(result.scores[name])
        if name == "fit_time":
            return float(result.fit_time) + float(result.saved_time or 0.0)
        if name == "score_time":
            return float(result.score_time)
        is_single = name in _SINGLE and not isinstance(result.scores, Mapping)
        return self._as_given(result.scores) if is_single else math.nan

    def _as_given(self, score: Any) -> float:
        number = math.nan if score is None else float(score)
        return 0.0 - number if self.minimize else number

    def values(self, trials: Sequence[Trial]) -> FloatArray:
        """Return the objectives of trials, greater is better.

        Returns
        -------
        values : ndarray of shape (n_trials, n_objectives)
            Without objectives, the score. NaN for a trial that is not complete.
        """
        if not self.targets:
            scores = [np.nan if trial.score is None else trial.score for trial in trials]
            return np.array(scores, dtype=float).reshape(-1, 1)
        rows = [
            [self.value(t, each.name) for each in self.targets]
            if t.status == "complete"
            else [np.nan] * len(self.targets)
            for t in trials
        ]
        return np.array(rows, dtype=float).reshape(len(trials), len(self.targets)) * self.signs

    def excesses(self, trials: Sequence[Trial]) -> FloatArray:
        """Return by how much each trial exceeds each limit, of shape (n_trials, n_limits)."""
        rows = [
            [limit.excess(self.value(t, limit.name)) for limit in self.limits]
            if t.status == "complete"
            else [np.nan] * len(self.limits)
            for t in trials
        ]
        return np.array(rows, dtype=float).reshape(len(trials), len(self.limits))

    def describe(self) -> list[dict[str, Any]]:
        """Return the objectives and limits in JSON types, without reference values."""
        targets = [{"objective": t.name, "maximize": self.is_maximized(t)} for t in self.targets]
        limits = [
            {"limit": each.name, "at_most": each.at_most, "at_least": each.at_least}
            for each in self.limits
        ]
        return [*targets, *limits]
