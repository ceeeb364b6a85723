"""Floats: numerics that neither warn nor raise, whatever numpy's error state is.

Underflow is the common case where the model is sure, and infinities are handled. A user
who has set ``np.errstate(all="raise")`` means the user's own code.
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import numpy as np

P = ParamSpec("P")
R = TypeVar("R")


def ignore_float_errors(function: Callable[P, R]) -> Callable[P, R]:
    """Return a function that ignores floating-point errors while it runs.

    It belongs to the public entry points of the numerics, none of which runs estimators,
    scorers or functions of the user's: those keep the user's error state.

    Parameters
    ----------
    function : callable
        No generator function.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        # A new one each time: before numpy 2, an errstate cannot be entered twice at once.
        with np.errstate(all="ignore"):
            return function(*args, **kwargs)

    return call
