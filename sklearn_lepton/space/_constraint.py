"""Constraints between parameters: a function that says whether a configuration is allowed."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sklearn_lepton._runtime.errors import describe_error, describe_value
from sklearn_lepton.space._content import have_same_content
from sklearn_lepton.space._values import text_of, value_to_json


class Constraint:
    """A constraint of a space: a function of the user, whose errors name the parameters.

    Parameters
    ----------
    function : callable
        Takes a dict of parameters and returns True or False.

    Raises
    ------
    TypeError
        If the function is not callable.
    """

    def __init__(self, function: Callable[[dict[str, Any]], bool]) -> None:
        if not callable(function):
            raise TypeError(
                "constraint must be None, or a callable that takes a dict of parameters and "
                f"returns True or False, got {describe_value(function)}."
            )
        self.function = function

    def __eq__(self, other: object) -> bool:
        """Compare the content of the functions."""
        return isinstance(other, Constraint) and (
            self.function is other.function or have_same_content(self.function, other.function)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Return the name of the function."""
        return text_of(self.function)

    def to_json(self) -> Any:
        """Return the function in JSON types: its name and, if it is not unique, its content."""
        return value_to_json(self.function)

    def allows(self, params: Mapping[str, Any]) -> bool:
        """Return whether a configuration is allowed.

        Raises
        ------
        ValueError
            If the function raises an error.
        TypeError
            If it returns neither True nor False.
        """
        try:
            is_allowed = self.function(dict(params))
        except Exception as error:
            hint = ""
            if isinstance(error, KeyError) and error.args and error.args[0] not in params:
                hint = f" The parameter is not among these: use params.get({error.args[0]!r})."
            elif (
                isinstance(error, TypeError)
                and getattr(error.__traceback__, "tb_next", None) is None
            ):
                hint = " It is called with one argument, a dict."  # the call itself failed
            raise ValueError(
                f"constraint raised {describe_error(error)} for {dict(params)!r}.{hint}"
            ) from error
        if isinstance(is_allowed, bool | np.bool_):
            return bool(is_allowed)
        raise TypeError(
            f"constraint must return True or False, got {describe_value(is_allowed)} for "
            f"{dict(params)!r}."
        )


def combine(given: Constraint | None, known: Constraint | None) -> Constraint | None:
    """Return the constraint given for a space, or the one that the space has.

    Raises
    ------
    ValueError
        If there are two different ones.
    """
    if None not in (given, known) and given != known:
        raise ValueError(
            f"constraint={given!r} was given for a space that has one, {known!r}: give one "
            "function that checks both."
        )
    return known or given
