"""Adapter to scikit-learn: the only module that uses its private names."""

import copy
import inspect
from collections.abc import Iterable
from types import CellType, FunctionType
from typing import Any, NamedTuple

import joblib
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.parallel import Parallel

from sklearn_lepton._evaluation.sklearn_versions import unsupported
from sklearn_lepton._typing import Fit, Row
from sklearn_lepton._validation import is_real
from sklearn_lepton.space._values import as_float

__all__ = ["BaseSearchCV"]  # which scikit-learn exports under a private name only


class ErrorScore(float):
    """The ``error_score``, told apart from an equal score that was earned."""


class _Recorded(Exception):  # noqa: N818 - the way out of a call, not an error
    """The fits that scikit-learn was about to run."""

    def __init__(self, fits: list[Fit]) -> None:
        super().__init__()
        self.fits = fits


class _Listing(joblib.Parallel):  # type: ignore[misc]
    def __call__(self, iterable: Iterable[Fit]) -> Any:
        return list(iterable)


class ParallelInterceptor(Parallel, _Listing):  # type: ignore[misc]
    """Take the place of the `Parallel` of a running `fit`.

    scikit-learn's own adds its configuration to each fit; then the fits are
    handed out instead of run, or rows that are there already handed in.

    Attributes
    ----------
    rows : list of dict or None
        What a call returns; None to raise the fits instead.
    """

    rows: list[Row] | None = None

    def __call__(self, iterable: Iterable[Fit]) -> Any:
        """Return the rows, or raise the fits."""
        if self.rows is not None:
            return self.rows
        raise _Recorded(super().__call__(iterable))


class FitContext(NamedTuple):
    """What a running `fit` has prepared.

    Attributes
    ----------
    recorder : Recorder
        In the place of its `Parallel`.
    parallel : Parallel
        Its own.
    evaluate : callable
        Its ``evaluate_candidates``, which calls the recorder, and the stand-in's methods.
    estimator : estimator object
        Its clone of the search's estimator, of which each fit and the refit get a clone.
    X, y : object
        The data.
    cv : splitter
    params : Bunch
        What was passed to `fit` besides, by receiver: ``estimator``, ``splitter``,
        ``scorer``.
    stand_in : search
        A copy of the search, to be changed as `evaluate` needs it.
    """

    recorder: ParallelInterceptor
    parallel: Any
    evaluate: Any
    estimator: Any
    X: Any
    y: Any
    cv: Any
    params: Any
    stand_in: Any


try:
    from sklearn.callback import CallbackContext
except ImportError:  # scikit-learn before 1.9 has no callbacks
    CallbackContext = object


def part_of(estimator: Any, X: Any, y: Any, rows: Any, train: Any) -> tuple[Any, Any]:
    """Return the part of the data that an estimator fitted on others is given.

    Parameters
    ----------
    estimator : estimator object
        If it works on pairs of samples, the columns of `X` are those of `train`.
    X, y : object
        The data.
    rows : array of int
        The rows of the part.
    train : array of int
        The rows that it is fitted on.

    Returns
    -------
    X_part, y_part : object
    """
    X_part, y_part = _safe_split(estimator, X, y, rows, train)
    return X_part, y_part


def prepend_warning_filter(function: Any, entry: tuple[Any, ...]) -> None:
    """Put a warning filter before those that scikit-learn passes to a fit.

    Since 1.7 the function of a fit replaces all filters of its process by those passed.
    """
    passed = getattr(function, "warning_filters", None)
    if passed is not None:
        function.warning_filters = [entry, *passed]


class SearchTask:
    """The search in scikit-learn 1.9's tree of callback tasks, with one leaf a trial and split."""

    def __init__(self, root: Any, search: Any, n_leaves: int) -> None:
        self._search = search
        self._n_made = 0
        self._context = root.subcontext(
            task_name="search", max_subtasks=n_leaves, sequential_subtasks=False
        ).call_on_fit_task_begin(estimator=search)

    def subcontext(self, task_name: str, task_id: int) -> Any:
        """Make the next leaf; ``evaluate_candidates`` counts from 0 in each batch."""
        if task_id == 0:
            # The finished leaves would travel to the workers with every later one.
            self._context._children_map.clear()  # noqa: SLF001
        leaf = self._context.subcontext(task_name=task_name, task_id=self._n_made)
        leaf.__class__ = _LeafContext
        self._n_made += 1
        return leaf

    def close(self) -> None:
        """End the task."""
        self._context.call_on_fit_task_end(estimator=self._search)


class _LeafContext(CallbackContext):  # type: ignore[misc]
    """A leaf that remembers where a callback returned True."""

    is_stopped = False

    def call_on_fit_task_end(self, **arguments: Any) -> bool:
        """Call the callbacks and remember a stop."""
        stop: bool = super().call_on_fit_task_end(**arguments)
        self.is_stopped |= stop
        return stop


# The variables of scikit-learn's `fit` that its `evaluate_candidates` has and ours needs.
_LOCALS = {
    "self",
    "parallel",
    "base_estimator",
    "X",
    "y",
    "routed_params",
    "fit_and_score_kwargs",
}


def read_fit(search: Any, evaluate_candidates: Any) -> FitContext:
    """Take the place of the running `fit`'s `Parallel`, and return what it has prepared.

    Also take what it tells no other way. Before scikit-learn 1.9 it sets the number of
    splits only at its end, and keeps the splitter to itself. And a scorer that raises
    leaves no trace but the ``error_score``, which is therefore marked for this one fit.
    """
    missing = _LOCALS - set(
        getattr(getattr(evaluate_candidates, "__code__", None), "co_freevars", ())
    )
    if missing:
        raise unsupported(f"variable {min(missing)!r} in its fit")
    names = inspect.getclosurevars(evaluate_candidates).nonlocals
    if "n_splits" in names:
        search.n_splits_ = names["n_splits"]
    if is_real(search.error_score):
        names["fit_and_score_kwargs"]["error_score"] = ErrorScore(as_float(search.error_score))
    recorder = ParallelInterceptor()
    cells = dict(
        zip(evaluate_candidates.__code__.co_freevars, evaluate_candidates.__closure__, strict=True)
    )
    cells["parallel"].cell_contents = recorder
    # Nobody sees how it is changed: of the search itself no attribute is for the length of a call.
    stand_in = copy.copy(search)
    stand_in.verbose = 0  # "Fitting 5 folds for each of 1 candidates" would be written each time
    cells["self"] = CellType(stand_in)
    evaluate = FunctionType(
        evaluate_candidates.__code__,
        evaluate_candidates.__globals__,
        argdefs=evaluate_candidates.__defaults__,
        closure=tuple(cells.values()),
    )
    cv = names.get("cv_orig") or getattr(search, "_checked_cv_orig", None)
    if cv is None or "n_splits_" not in vars(search):
        raise unsupported("splitter that its fit has checked")
    return FitContext(
        recorder,
        names["parallel"],
        evaluate,
        names["base_estimator"],
        names["X"],
        names["y"],
        cv,
        names["routed_params"],
        stand_in,
    )
