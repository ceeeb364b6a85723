"""QuietFits: fits without convergence warnings, for configurations the user did not choose."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from sklearn.exceptions import ConvergenceWarning

from sklearn_lepton._evaluation.sklearn import with_warning_filter
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._typing import FitCall

_is_hidden = ContextVar("_is_hidden", default=False)  # one value per thread


class _Hidden(type):
    def __subclasscheck__(cls, category: type) -> bool:
        return _is_hidden.get() and issubclass(category, ConvergenceWarning)


class HiddenConvergenceWarning(Warning, metaclass=_Hidden):
    """Warning category that matches a `ConvergenceWarning` inside `hidden_convergence_warnings`.

    `warnings.catch_warnings` replaces the filters of all threads, so that two searches would
    restore each other's filters. A filter of this category matches nothing in other threads,
    which therefore keep their warnings. scikit-learn passes the filter to the threads and
    processes of the fits.
    """


_FILTER = ("ignore", None, HiddenConvergenceWarning, None, 0)


@contextmanager
def hidden_convergence_warnings() -> Iterator[None]:
    """Hide the convergence warnings of a block of code, in the current thread only."""
    # From Python 3.14 on, filters may belong to a context.
    filters: Any = getattr(warnings, "_get_filters", lambda: warnings.filters)()
    token = _is_hidden.set(True)
    # Changed in place, without restoring a copy, so that changes by other threads persist.
    filters.insert(0, _FILTER)
    try:
        yield
    finally:
        with suppress(ValueError):  # the filters have been reset meanwhile
            filters.remove(_FILTER)
        _is_hidden.reset(token)


class QuietFit:
    """Fit without convergence warnings.

    Parameters
    ----------
    function : callable
        Function of the fit.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the fit."""
        with hidden_convergence_warnings():
            return self._function(*args, **kwargs)


class QuietFits:
    """Fit aid that hides the convergence warnings of all fits."""

    def __init__(self) -> None:
        self._loud: Any = None
        self._quiet: Any = None

    def prepare(self, fit: FitCall) -> FitCall:
        """Return a fit that hides its convergence warnings."""
        if fit.function is not self._loud:  # the same in most fits, and then sent once
            self._loud = fit.function
            self._quiet = QuietFit(with_warning_filter(fit.function, _FILTER))
        return fit._replace(function=self._quiet)

    def publish(self, results: dict[str, Any], trials: Sequence[Trial]) -> None:
        """Do nothing: the results have no additional columns."""

    def close(self) -> None:
        """Do nothing: there are no open resources."""
