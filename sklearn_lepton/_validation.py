"""Argument checks that all packages share, with their error messages."""

import difflib
import math
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np


def is_real(value: Any) -> bool:
    """Return whether a value is a real number; booleans and durations are not."""
    return isinstance(value, Real) and not isinstance(value, bool | np.timedelta64)


def is_whole(value: Any) -> bool:
    """Return whether a value has an integer type; booleans and durations have not."""
    return isinstance(value, Integral) and not isinstance(value, bool | np.timedelta64)


def is_finite(value: Any) -> bool:
    """Return whether a value is a real number that a float can represent."""
    try:
        return is_real(value) and math.isfinite(value)
    except OverflowError:
        return False


def unknown_name(name: str, known: Sequence[str]) -> str:
    """Return the error message for an unknown parameter, with the most similar known name."""
    lower = {other.lower(): other for other in known}
    similar = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.5)
    hint = f" Did you mean {lower[similar[0]]!r}?" if similar else ""
    return f"Unknown parameter {name!r}.{hint} Allowed are {sorted(known)}."


def given_space(params: Mapping[str, Any]) -> Any:
    """Return the search space that a search was given, under either of its names.

    Parameters
    ----------
    params : mapping of str to object
        Parameters of a search. ``param_grid`` is another name of ``param_distributions``.

    Returns
    -------
    space : object

    Raises
    ------
    ValueError
        If both are given.
    """
    space, grid = params["param_distributions"], params.get("param_grid")
    if grid is None:
        return space
    if isinstance(space, str) and space == "auto":
        return grid
    raise ValueError(
        "param_grid is another name of param_distributions, and both are given: "
        f"param_grid={grid!r}, param_distributions={space!r}. Give one of them; with set_params, "
        "set the other one to its default, param_grid=None or param_distributions='auto'."
    )


def check_count(name: str, value: Any, *, minimum: int) -> None:
    """Raise unless a value is "auto" or an integer of at least a minimum."""
    is_auto = isinstance(value, str) and value == "auto"
    if not is_auto and not (is_whole(value) and value >= minimum):
        msg = f"{name} must be 'auto' or an integer of at least {minimum}, got {value!r}."
        raise ValueError(msg)


def check_share(name: str, value: Any, *, below: float = np.inf) -> None:
    """Raise unless a value is a number from 0 to a bound, which is excluded."""
    if not is_real(value) or not 0 <= value < below:
        msg = f"{name} must be a number in [0, {below:g}), got {value!r}."
        raise ValueError(msg)


def check_flag(name: str, value: Any) -> None:
    """Raise unless a value is True or False."""
    if not isinstance(value, bool | np.bool_):
        msg = f"{name} must be True or False, got {value!r}."
        raise ValueError(msg)
