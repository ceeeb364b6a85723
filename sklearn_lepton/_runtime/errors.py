"""Errors: their text, cut to a bounded length, and a log of those that cost a feature only."""

import logging
import re
from typing import Any

MAX_CHARACTERS = 10_000  # of the text of an error; a long traceback of scikit-learn has 4000
_MAX_SHOWN = 200  # of a value in a message
_HEADER = "Traceback (most recent call last):"


# Logs at level DEBUG errors that only disable a feature and are not reported otherwise.
logger = logging.getLogger("sklearn_lepton")


def abridge(text: str, most: int = MAX_CHARACTERS) -> str:
    """Return the head and the tail of a long text, with the number of characters left out.

    Parameters
    ----------
    text : str
    most : int, default=10_000
        Number of characters of the result, at least 100.

    Returns
    -------
    text : str
        The same text if it is short enough.
    """
    if len(text) <= most:
        return text
    half = (most - 60) // 2
    n_left_out = len(text) - 2 * half
    return f"{text[:half]}\n[... {n_left_out:,} characters left out ...]\n{text[-half:]}"


def error_message(text: str) -> str:
    """Return the end of a traceback: the type of the error and its message.

    Parameters
    ----------
    text : str
        A traceback, or a reason without one.

    Returns
    -------
    message : str
    """
    _, header, rest = text.rpartition(_HEADER)
    # Lines of code are indented; the error is not.
    found = re.search(r"^\S(.|\n)*", rest, re.MULTILINE) if header else None
    return (found.group() if found else text).strip()


def error_line(text: str) -> str:
    """Return the first line of the `error_message` of a traceback."""
    return (error_message(text) or "no reason was given").splitlines()[0].strip()


def is_traceback(text: str) -> bool:
    """Return whether a text holds the traceback of an error that was raised."""
    return _HEADER in text


def describe_error(error: BaseException) -> str:
    """Return the type and the abridged message of an error."""
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - of a user's class
        message = "its message cannot be shown"
    return abridge(f"{type(error).__name__}: {message}")


def describe_value(value: Any) -> str:
    """Return the abridged ``repr`` and the type of a value; also if its ``repr`` fails."""
    kind = type(value).__name__
    try:
        return f"{abridge(repr(value), _MAX_SHOWN)} (of type {kind})"
    except Exception:  # noqa: BLE001 - of an integer of many digits, or of a user's class
        return f"a value of type {kind}"
