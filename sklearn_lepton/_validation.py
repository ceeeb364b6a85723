"""Argument checks shared by all packages, and the wording of their errors."""

import difflib
import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np


def is_real(value: Any) -> bool:
    """Say whether a value is a real number; True, False and durations are none."""
    return isinstance(value, Real) and not isinstance(value, bool | np.timedelta64)


def is_whole(value: Any) -> bool:
    """Say whether a value is of an integer type; True and False are not."""
    return isinstance(value, Integral) and not isinstance(value, bool | np.timedelta64)


def is_finite(value: Any) -> bool:
    """Say whether a value is a real number that a float can hold."""
    try:
        return is_real(value) and math.isfinite(value)
    except OverflowError:
        return False


def unknown_name(name: str, known: Sequence[str]) -> str:
    """Word the message for a parameter that does not exist, with the nearest that does."""
    lower = {other.lower(): other for other in known}
    near = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.5)
    hint = f" Did you mean {lower[near[0]]!r}?" if near else ""
    return f"Unknown parameter {name!r}.{hint} Allowed are {sorted(known)}."


def check_count(name: str, value: Any, *, least: int) -> None:
    """Refuse what is neither "auto" nor an integer of at least some size."""
    is_auto = isinstance(value, str) and value == "auto"
    if not is_auto and not (is_whole(value) and value >= least):
        msg = f"{name} must be 'auto' or an integer of at least {least}, got {value!r}."
        raise ValueError(msg)


def check_share(name: str, value: Any, *, below: float = np.inf) -> None:
    """Refuse what is not a number from 0 up to, but not including, some bound."""
    if not is_real(value) or not 0 <= value < below:
        msg = f"{name} must be a number in [0, {below:g}), got {value!r}."
        raise ValueError(msg)


def check_flag(name: str, value: Any) -> None:
    """Refuse what is neither True nor False."""
    if not isinstance(value, bool | np.bool_):
        msg = f"{name} must be True or False, got {value!r}."
        raise ValueError(msg)
