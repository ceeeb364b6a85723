"""Floating-point errors: numerics that neither warn nor raise, for any error state of numpy.

Underflow is normal where the surrogate is certain, and the code handles infinities. A user's
``np.errstate(all="raise")`` is meant for the user's code.
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import numpy as np

P = ParamSpec("P")
R = TypeVar("R")


def ignore_float_errors(function: Callable[P, R]) -> Callable[P, R]:
    """Return a function that ignores floating-point errors while it runs.

    Decorate only the entry points of numerics that run no estimators, scorers or functions of
    the user: these keep the user's error state.

    Parameters
    ----------
    function : callable
        Must not be a generator function.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        # A new object for each call: before numpy 2, an errstate is not reentrant.
        with np.errstate(all="ignore"):
            return function(*args, **kwargs)

    return call
