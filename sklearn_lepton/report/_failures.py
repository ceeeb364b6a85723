"""Failure patterns: conditions on parameters that all failed trials meet."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from sklearn_lepton._inspection.html import code, say
from sklearn_lepton._runtime.errors import error_line
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._validation import is_real
from sklearn_lepton.space._content import python_scalar
from sklearn_lepton.space._space import Space
from sklearn_lepton.space._values import as_float

_MAX_CHANCE = 0.05  # probability under random failures of a condition that is reported
_MAX_CHANCE_RELATED = 1.0  # the same for a condition whose parameter should not be fixed
_MAX_CONDITIONS = 3  # in a report
_MAX_VALUES = 4  # in a condition
_MIN_FAILED = 3

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Condition:
    """A condition on one parameter.

    Attributes
    ----------
    name : str
        Name of the parameter.
    html : str
        Text of the condition, as HTML.
    is_met : ndarray of bool of shape (n_trials,)
        Whether each trial meets the condition.
    """

    name: str
    html: str
    is_met: BoolArray


@dataclass(frozen=True)
class Pattern:
    """Conditions that a group of failed trials shares.

    Attributes
    ----------
    n_failed : int
        Number of failed trials in the group.
    n_alike : int
        Number of all trials that meet the conditions.
    conditions : list of Condition
        Conditions that distinguish the group, the most distinctive one first.
    """

    n_failed: int
    n_alike: int
    conditions: list[Condition]


def failure_of(trial: Trial) -> str:
    """Return the traceback of a failed trial, or another reason; "" for other trials."""
    for row in trial.split_results:
        if row.error:
            return row.error
    if trial.status != "failed":
        return ""
    return "The score was not finite." if trial.split_results else "No reason was given."


def failure_pattern(trials: Sequence[Trial], space: Space) -> Pattern | None:
    """Return the conditions of all failed trials, or else of those with the most frequent error.

    Parameters
    ----------
    trials : sequence of Trial
    space : Space

    Returns
    -------
    pattern : Pattern or None
        None if chance explains all shared conditions.
    """
    for failed, shared in _groups(trials, space):
        unlikely = [condition for condition, chance in shared if chance <= _MAX_CHANCE]
        if unlikely:
            reported = unlikely[:_MAX_CONDITIONS]
            alike = np.all([condition.is_met for condition in reported], axis=0)
            return Pattern(int(failed.sum()), int(alike.sum()), reported)
    return None


def parameters_of_failure(trials: Sequence[Trial], space: Space) -> set[str]:
    """Return the parameters that failures may depend on, with weaker evidence than a pattern.

    Parameters
    ----------
    trials : sequence of Trial
    space : Space

    Returns
    -------
    names : set of str
    """
    return {
        condition.name
        for _, shared in _groups(trials, space)
        for condition, chance in shared
        if chance <= _MAX_CHANCE_RELATED
    }


def _groups(
    trials: Sequence[Trial], space: Space
) -> Iterator[tuple[BoolArray, list[tuple[Condition, float]]]]:
    """Yield all failed trials, then those with the most frequent error, with shared conditions."""
    errors = [error_line(failure_of(t)) if t.status == "failed" else None for t in trials]
    counts = {error: errors.count(error) for error in errors if error is not None}
    if not counts:
        return
    frequent = max(counts, key=lambda error: counts[error])
    choices = {space.names[column] for column in np.flatnonzero(space.is_categorical)}
    for group in ([e is not None for e in errors], [e == frequent for e in errors]):
        failed = np.array(group)
        yield failed, _shared(trials, failed, choices)


def _shared(
    trials: Sequence[Trial], failed: BoolArray, choices: set[str]
) -> list[tuple[Condition, float]]:
    """Return the conditions that all failed trials meet, each with its probability by chance.

    There is one condition per parameter, the rarest one first. The probability has a Bonferroni
    correction for the number of candidate conditions.
    """
    if failed.sum() < _MIN_FAILED or failed.all():
        return []
    names = dict.fromkeys(name for trial in trials for name in trial.params)
    tested = [c for name in names for c in _conditions(trials, failed, name, choices)]
    tested.sort(key=lambda condition: int(condition.is_met.sum()))
    found: dict[str, tuple[Condition, float]] = {}
    for condition in tested:
        chance = _chance(len(trials), int(condition.is_met.sum()), int(failed.sum()))
        found.setdefault(condition.name, (condition, chance * len(tested)))
    return list(found.values())


def _chance(n_trials: int, n_alike: int, n_failed: int) -> float:
    """Return the probability that random failures all fall on trials that meet a condition."""

    def log_ways(n: int) -> float:
        return float(gammaln(n + 1) - gammaln(n - n_failed + 1))

    return float(np.exp(log_ways(n_alike) - log_ways(n_trials)))


def _conditions(
    trials: Sequence[Trial], failed: BoolArray, name: str, choices: set[str]
) -> list[Condition]:
    """Return conditions on a parameter that all failed trials meet, but not all trials."""
    has = np.array([name in trial.params for trial in trials])
    if not has[failed].all():
        return []
    values = [
        python_scalar(trial.params[name]) if name in trial.params else None for trial in trials
    ]
    are_numbers = name not in choices and all(
        is_real(value) for value, is_there in zip(values, has, strict=True) if is_there
    )
    candidates = _bounds(values, has, failed) if are_numbers else _sets(values, has, failed)
    shown = code(name)
    found = [Condition(name, f"{shown} {text}", is_met) for text, is_met in candidates]
    found.append(Condition(name, f"{shown} is set", has))
    return [condition for condition in found if not condition.is_met.all()]


def _bounds(
    values: Sequence[Any], has: BoolArray, failed: BoolArray
) -> list[tuple[str, BoolArray]]:
    """Return the minimum and the maximum of the failed trials' values as conditions."""
    numbers = np.array([as_float(v) if h else np.nan for v, h in zip(values, has, strict=True)])
    low, high = float(numbers[failed].min()), float(numbers[failed].max())
    with np.errstate(invalid="ignore"):
        return [
            (f"≥ {code(say(low))}", numbers >= low),
            (f"≤ {code(say(high))}", numbers <= high),
        ]


def _sets(values: Sequence[Any], has: BoolArray, failed: BoolArray) -> list[tuple[str, BoolArray]]:
    """Return the choices of the failed trials as a condition, in its shorter form."""
    texts = [say(value) if is_there else None for value, is_there in zip(values, has, strict=True)]
    of_failed = {text for text, is_failed in zip(texts, failed, strict=True) if is_failed}
    is_met = np.array([text in of_failed for text in texts]) & has
    others = {text for text in texts if text is not None} - of_failed
    if not others:
        return []
    is_negative = len(others) < len(of_failed)
    listed = sorted(map(str, others if is_negative else of_failed))
    if len(listed) > _MAX_VALUES:
        listed = [*listed[:_MAX_VALUES], "…"]
    words = ", ".join(map(code, listed))
    text = {
        (False, False): f"= {words}",
        (False, True): f"one of {words}",
        (True, False): f"other than {words}",
        (True, True): f"none of {words}",
    }[is_negative, len(listed) > 1]
    return [(text, is_met)]
