"""Convergence: warnings of fits that the user did not choose, hidden in these alone."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from sklearn.exceptions import ConvergenceWarning

from sklearn_lepton._evaluation.sklearn import prepend_warning_filter
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._typing import FitCall

_is_hidden = ContextVar("_is_hidden", default=False)  # another one in each thread


class _Hidden(type):
    def __subclasscheck__(cls, category: type) -> bool:
        return _is_hidden.get() and issubclass(category, ConvergenceWarning)


class HiddenConvergenceWarning(Warning, metaclass=_Hidden):
    """Category of a warning filter that matches a `ConvergenceWarning` where it is hidden.

    `warnings.catch_warnings` replaces the filters of all threads: those of two searches restore
    each other's. This filter matches nothing outside of `hidden_convergence_warnings`, so that
    other threads keep their warnings even while it is in place. scikit-learn passes it on to
    the fits, in whichever thread or process they run.
    """


_FILTER = ("ignore", None, HiddenConvergenceWarning, None, 0)


@contextmanager
def hidden_convergence_warnings() -> Iterator[None]:
    """Run code without its convergence warnings, and without hiding those of other threads."""
    # From Python 3.14 on the filters may belong to a context.
    filters: Any = getattr(warnings, "_get_filters", lambda: warnings.filters)()
    token = _is_hidden.set(True)
    # No copy of the list is restored: what others change meanwhile stays.
    filters.insert(0, _FILTER)
    try:
        yield
    finally:
        with suppress(ValueError):  # somebody has reset the filters
            filters.remove(_FILTER)
        _is_hidden.reset(token)


class QuietFit:
    """Run a fit without its convergence warnings.

    Parameters
    ----------
    function : callable
        What would be run without.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the fit."""
        with hidden_convergence_warnings():
            return self._function(*args, **kwargs)


class QuietFits:
    """Hide the convergence warnings of a search's fits."""

    def prepare(self, fit: FitCall) -> FitCall:
        """Return a fit that hides them."""
        prepend_warning_filter(fit.function, _FILTER)
        return fit._replace(function=QuietFit(fit.function))

    def publish(self, results: dict[str, Any], trials: Sequence[Trial]) -> None:
        """Add nothing: the results are the same."""

    def close(self) -> None:
        """Leave: nothing is open."""
