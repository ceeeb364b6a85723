"""Calls of a function, which replace the fits of a search in `tune`; each trial has one."""

import math
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from sklearn_lepton._evaluation.resource import Resource
from sklearn_lepton._runtime.errors import abridge, describe_value
from sklearn_lepton._search.signatures import CallStyle
from sklearn_lepton._trials.objectives import Objectives
from sklearn_lepton._trials.split_result import Scores, SplitResult
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._typing import FitCall, Row
from sklearn_lepton._validation import is_finite, is_whole
from sklearn_lepton.space._frozen import thaw
from sklearn_lepton.space._values import as_float


class FunctionResource(Resource):
    """The resource of a function, which gets the amount as an argument."""

    @classmethod
    def read(cls, given: Any) -> "FunctionResource":
        """Return the resource of ``tune(resource=(least, most))``."""
        is_pair = isinstance(given, tuple | list) and len(given) == 2 and all(map(is_whole, given))
        is_pair = is_pair and all(map(is_finite, given))
        if not is_pair or not 1 <= given[0] <= given[1]:
            raise ValueError(
                "resource must be None or a pair (least, most) of integers, 1 <= least <= most, "
                f"got {given!r}."
            )
        return cls("resource", *map(int, given))

    def apply(self, trial: Trial, fits: Sequence[FitCall]) -> list[FitCall]:
        """Return the calls with the amount after the parameters."""
        return [fit._replace(args=(*fit.args, self.amount(trial))) for fit in fits]

    def close(self) -> None:
        """Do nothing, since nothing is open."""


class FunctionCalls:
    """Factory of the calls of trials, as `Fits` is one of fits; each trial has one split.

    Parameters
    ----------
    function : callable
    minimize : bool
        Whether the score is the negated value.
    error : object
        "raise" ends the run with the first error of the function.
    resource : FunctionResource or None
        The resource that trials have a share of.
    style : CallStyle
    earlier : sequence of Trial
        Finished trials, whose results show what the function returns.
    objectives : Objectives, default=Objectives()
        Name metrics that the function must return.

    Attributes
    ----------
    n_splits : int
    ratio : float or None
        None, since calls have no training and test parts.
    is_stopped : bool
        False, since only the callbacks of `tune` stop it.
    """

    n_splits = 1
    ratio: float | None = None
    is_stopped = False

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        minimize: bool,
        error: Any,
        resource: FunctionResource | None,
        style: CallStyle,
        earlier: Sequence[Trial],
        objectives: Objectives = Objectives(),  # noqa: B008 - immutable
    ) -> None:
        self._function, self._minimize, self._resource = function, minimize, resource
        self._is_raised = error == "raise"
        self._style, self._objectives = style, objectives
        results = [trial.split_results[0] for trial in earlier if trial.status == "complete"]
        # The names of the metrics; none for a single number, None if nothing was returned yet.
        self._metrics = _metrics_of(results[0].scores) if results else None

    def make_fits(self, trials: Sequence[Trial]) -> list[list[FitCall]]:
        """Return the calls of trials, one each."""
        return [self._of_trial(trial) for trial in trials]

    def _of_trial(self, trial: Trial) -> list[FitCall]:
        options = {
            "style": self._style,
            "minimize": self._minimize,
            "is_raised": self._is_raised,
        }
        arguments = (self._function, _copied(thaw(trial.params)))
        calls = [FitCall(call, arguments, options)]
        return calls if self._resource is None else self._resource.apply(trial, calls)

    def shared_objects(self, fits: Iterable[FitCall]) -> list[Any]:
        """Return the objects that all calls share: the function."""
        del fits
        return [self._function]

    def read_row(self, row: Row) -> SplitResult:
        """Return the result of a call.

        Raises
        ------
        TypeError
            If the first result is no number.
        ValueError
            If the first result lacks a metric of the objectives.
        """
        scores, error = row["test_scores"], row["fit_error"]
        if row["outcome"] == "other" and self._metrics is None:
            raise TypeError(error)
        if row["outcome"] == "numbers":
            scores, error = self._with_metrics(scores, error)
        return SplitResult(
            scores=scores,
            fit_time=row["fit_time"],
            score_time=row["score_time"],
            start_time=row.get("start_time"),
            error=error,
        )

    def _with_metrics(self, scores: Scores, error: str | None) -> tuple[Scores, str | None]:
        """Return scores in the order of the first call's metrics; an error if they are others."""
        found = _metrics_of(scores)
        if self._metrics is None and (found or error is None):
            self._metrics = found
            self._objectives.check_names(found)
        if self._metrics in {None, found}:
            return scores, error
        if found and sorted(found) == sorted(self._metrics or ()):
            assert isinstance(scores, Mapping)  # noqa: S101 - for mypy
            return {name: scores[name] for name in self._metrics or ()}, error
        if error is None:
            error = (
                f"The function must return the same metrics in each call, got {_names(found)} "
                f"after {_names(self._metrics or ())}."
            )
            if self._is_raised:
                raise TypeError(error)
        return np.nan, error

    def failed_result(self, error: str, seconds: float) -> SplitResult:
        """Return the result of a call that was ended.

        Raises
        ------
        RuntimeError
            With ``error_score="raise"``.
        """
        if self._is_raised:
            raise RuntimeError(error)
        return SplitResult(scores=np.nan, fit_time=seconds, error=abridge(error))


def call(
    function: Callable[..., Any],
    params: dict[str, Any],
    *amount: int,
    style: CallStyle,
    minimize: bool,
    is_raised: bool,
) -> dict[str, Any]:
    """Call the function and return its result.

    Parameters
    ----------
    function : callable
    params : dict
    *amount : int
        The amount of the resource, if there is one.
    style : CallStyle
    minimize : bool
    is_raised : bool
        Whether an error is raised instead of recorded.

    Returns
    -------
    row : dict
        Key "outcome" is "numbers", "none" or "other" for what the call returned, or "error".
    """
    positional, keywords = style.arguments(params, amount)
    start = time.perf_counter()
    try:
        value = function(*positional, **keywords)
    except Exception:
        if is_raised:
            raise
        seconds = time.perf_counter() - start
        return _row("error", np.nan, seconds, abridge(traceback.format_exc()))
    seconds = time.perf_counter() - start
    try:
        scores = _read_scores(value, minimize=minimize)
    except TypeError as error:
        if is_raised:
            raise
        if value is None:  # of which many end the run, as of other errors
            return _row("none", np.nan, seconds, traceback.format_exc())
        return _row("other", np.nan, seconds, str(error))
    return _row("numbers", scores, seconds, _why_not_finite(value, scores))


def _read_scores(value: Any, *, minimize: bool) -> Scores:
    """Return a number or metrics as scores; raise TypeError for any other value."""
    if value is None:
        raise TypeError("The function returned None, as without return, instead of one number.")
    if not isinstance(value, Mapping):
        number = _to_number(value)
        if number is None:
            raise TypeError(
                "The function must return one number, or a dict of metrics with the one to "
                f"optimize first, got {describe_value(value)}."
            )
        return flipped(number, minimize)
    numbers = {name: np.nan if each is None else _to_number(each) for name, each in value.items()}
    wrong = [name for name, each in numbers.items() if each is None or not isinstance(name, str)]
    if wrong or not numbers:
        fault = f"{wrong[0]!r}: {describe_value(value[wrong[0]])}" if wrong else "{}"
        raise TypeError(
            "A dict that the function returns must have names of metrics with one number each, "
            f"the one to optimize first, got {fault}."
        )
    return {name: flipped(each, minimize) for name, each in numbers.items() if each is not None}


def _why_not_finite(value: Any, scores: Scores) -> str | None:
    """Return the error of a result that is not finite; None if it is."""
    if not isinstance(scores, Mapping):
        is_finite, name = math.isfinite(scores), ""
    else:
        first = next(iter(scores))
        is_finite, name, value = math.isfinite(scores[first]), f" as {first!r}", value[first]
    shown = repr(value) if isinstance(value, float) else describe_value(value)
    return None if is_finite else f"The function returned {shown}{name}, which is not finite."


def flipped(number: float, flip: bool) -> float:
    """Return a value as a score or a score as a value, without a negative zero."""
    return 0.0 - number if flip else number


def _metrics_of(scores: Scores | None) -> tuple[str, ...]:
    """Return the names of metrics; none for a single number."""
    return tuple(scores) if isinstance(scores, Mapping) else ()


def _names(metrics: Sequence[str]) -> str:
    return str(list(metrics)) if metrics else "one number"


def _copied(value: Any) -> Any:
    """Return a copy of containers and arrays, which the function may change in place."""
    if isinstance(value, Mapping):
        return {key: _copied(each) for key, each in value.items()}
    if type(value) in {list, tuple, set}:
        return type(value)(map(_copied, value))
    return value.copy() if isinstance(value, np.ndarray) else value


def _to_number(value: Any) -> float | None:
    """Return a result as a float; None if it is not a single number."""
    if isinstance(value, bool | np.bool_):
        return None
    try:
        return as_float(value)
    except (TypeError, ValueError):  # raised by a class of the user
        return None


def _row(outcome: str, scores: Scores, seconds: float, error: str | None) -> dict[str, Any]:
    times = {"fit_time": seconds, "score_time": 0.0}
    return {"outcome": outcome, "test_scores": scores, "fit_error": error, **times}
