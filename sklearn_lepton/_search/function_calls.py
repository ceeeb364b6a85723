"""Calls of a function, which replace the fits of a search in `tune`; each trial has one."""

import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from sklearn_lepton._evaluation.resource import Resource
from sklearn_lepton._runtime.errors import abridge, describe_value
from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._typing import FitCall, Row
from sklearn_lepton._validation import is_finite, is_whole
from sklearn_lepton.space._frozen import thaw
from sklearn_lepton.space._values import as_float


class FunctionResource(Resource):
    """The resource of a function, which gets the amount as its second argument."""

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
        """Return the calls with the amount as their second argument."""
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
    has_result : bool
        Whether an earlier trial is complete, so that the function is known to return numbers.
    resource : FunctionResource or None
        The resource that trials have a share of.

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
        has_result: bool,
    ) -> None:
        self._function, self._minimize, self._resource = function, minimize, resource
        self._is_raised = error == "raise"
        self._has_result = has_result

    def make_fits(self, trials: Sequence[Trial]) -> list[list[FitCall]]:
        """Return the calls of trials, one each."""
        return [self._of_trial(trial) for trial in trials]

    def _of_trial(self, trial: Trial) -> list[FitCall]:
        options = {"minimize": self._minimize, "is_raised": self._is_raised}
        arguments = (self._function, _copied(thaw(trial.params)))
        calls = [FitCall(call, arguments, options)]
        return calls if self._resource is None else self._resource.apply(trial, calls)

    def shared_objects(self, fits: Iterable[FitCall]) -> list[Any]:
        """Return the objects that all calls share: the function."""
        del fits
        return [self._function]

    def read_row(self, row: Row) -> SplitResult:
        """Return the result of a call; raise TypeError if the first one is no number."""
        if row["is_number"] is False and not self._has_result:
            raise TypeError(row["fit_error"])
        self._has_result |= bool(row["is_number"])
        return SplitResult(
            scores=row["test_scores"],
            fit_time=row["fit_time"],
            score_time=row["score_time"],
            start_time=row.get("start_time"),
            error=row["fit_error"],
        )

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
    function: Callable[..., Any], *args: Any, minimize: bool, is_raised: bool
) -> dict[str, Any]:
    """Call the function and return its result.

    Parameters
    ----------
    function : callable
    *args : object
        The arguments.
    minimize : bool
    is_raised : bool
        Whether an error is raised instead of recorded.

    Returns
    -------
    row : dict
        Key "is_number" is True if the function returned a number, None if it raised an error.
    """
    start = time.perf_counter()
    try:
        value = function(*args)
    except Exception:
        if is_raised:
            raise
        seconds = time.perf_counter() - start
        return _row(np.nan, seconds, abridge(traceback.format_exc())) | {"is_number": None}
    seconds = time.perf_counter() - start
    number = _to_number(value)
    if number is None:
        error = f"The function must return one number, got {describe_value(value)}."
        if is_raised:
            raise TypeError(error)
        return _row(np.nan, seconds, error) | {"is_number": False}
    return _row(0.0 - number if minimize else number, seconds, None) | {"is_number": True}


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


def _row(score: float, seconds: float, error: str | None) -> dict[str, Any]:
    return {"test_scores": score, "fit_time": seconds, "score_time": 0.0, "fit_error": error}
