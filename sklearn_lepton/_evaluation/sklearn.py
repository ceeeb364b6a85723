"""Adapter to scikit-learn: the only module that uses its private names."""

import copy
import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from traceback import format_exc
from types import CellType, FunctionType
from typing import Any, NamedTuple

import joblib
from sklearn.metrics._scorer import _MultimetricScorer
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import Options, validate_parameter_constraints
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.parallel import Parallel
from sklearn.utils.validation import _check_method_params

from sklearn_lepton._evaluation.sklearn_versions import unsupported
from sklearn_lepton._typing import FitCall, Row
from sklearn_lepton._validation import is_real
from sklearn_lepton.space._values import as_float

__all__ = ["BaseSearchCV"]  # which scikit-learn exports under a private name only


# Constraints of the parameters that all of scikit-learn's searches have.
SEARCH_CONSTRAINTS: dict[str, Any] = BaseSearchCV._parameter_constraints  # noqa: SLF001


class ErrorScore(float):
    """The ``error_score`` of a failed scorer, distinct from an equal score of a fitted model.

    Attributes
    ----------
    traceback : str
        Traceback of the scorer's error; empty if it is unknown.
    """

    traceback = ""

    def with_traceback(self, text: str) -> "ErrorScore":
        """Return an equal score with a traceback."""
        score = ErrorScore(self)
        score.traceback = text
        return score


class _QuotedScorer:
    """Scorer whose error is returned with its score instead of being shown as a warning."""

    def __init__(self, scorer: Any, error_score: ErrorScore) -> None:
        self._scorer, self._error_score = scorer, error_score

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return self._scorer(*args, **kwargs)
        except Exception:  # noqa: BLE001 - of the user's function; it fails the trial
            return self._error_score.with_traceback(format_exc())


class _QuotedScorers(_MultimetricScorer):  # type: ignore[misc]
    """Scorer of several metrics that returns their errors like `_QuotedScorer`."""

    quoted_error_score: ErrorScore

    def __call__(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        scores: dict[str, Any] = super().__call__(*args, **kwargs)
        return {
            # scikit-learn puts the traceback of an error in the place of the score.
            name: self.quoted_error_score.with_traceback(score) if isinstance(score, str) else score
            for name, score in scores.items()
        }


def _quoted(scorer: Any, error_score: ErrorScore) -> Any:
    """Return a scorer whose errors are scores of the class `ErrorScore`."""
    if not isinstance(scorer, _MultimetricScorer):
        return _QuotedScorer(scorer, error_score)
    quoted = copy.copy(scorer)
    quoted.__class__ = _QuotedScorers
    quoted.quoted_error_score = error_score
    return quoted


class _Recorded(Exception):  # noqa: N818 - the way out of a call, not an error
    """Carries the fits that scikit-learn was about to run out of its call."""

    def __init__(self, fits: list[FitCall]) -> None:
        super().__init__()
        self.fits = fits


class _Listing(joblib.Parallel):  # type: ignore[misc]
    """Base of scikit-learn's `Parallel` that lists its calls instead of running them."""

    def __call__(self, iterable: Iterable[FitCall]) -> Any:
        return [FitCall(*fit) for fit in iterable]


class ParallelInterceptor(Parallel, _Listing):  # type: ignore[misc]
    """Replacement for the `Parallel` of a running `fit`, which runs nothing.

    A call adds scikit-learn's configuration to each fit, as its own `Parallel` does. Then it
    raises the fits, or returns the rows that it holds.

    Attributes
    ----------
    rows : list of dict or None
        Result of a call; None raises the fits instead.
    """

    rows: list[Row] | None = None
    _function: Any = None  # of the latest fits

    def __call__(self, iterable: Iterable[FitCall]) -> Any:
        """Return the rows, or raise `_Recorded` with the fits."""
        if self.rows is not None:
            return self.rows
        fits = super().__call__(iterable)
        raise _Recorded([fit._replace(function=self._unified(fit.function)) for fit in fits])

    @property
    def shared_objects(self) -> list[Any]:
        """The function of the latest fits, and those of its parts that its copies have, too."""
        parts = vars(self._function)
        texts = [parts[name] for name in ("__doc__",) if parts.get(name)]
        return [self._function, *texts, *(v for v in parts.values() if not isinstance(v, str))]

    def _unified(self, function: Any) -> Any:
        """Return an earlier function that is equal, so that it travels to the workers once.

        It has a docstring, the configuration and the warning filters, which are most of a fit.
        """
        if type(function) is not type(self._function) or vars(function) != vars(self._function):
            self._function = function
        return self._function


class FitContext(NamedTuple):
    """Objects that a running `fit` of a search has prepared.

    Attributes
    ----------
    recorder : ParallelInterceptor
        Replaces the `Parallel` of the `fit`.
    parallel : Parallel
        The original `Parallel`.
    evaluate : callable
        The ``evaluate_candidates`` of the `fit`, which calls `recorder` and the methods of
        `stand_in`.
    estimator : estimator object
        Clone of the search's estimator; each fit and the refit clone it again.
    X, y : object
        The data.
    cv : splitter
    params : Bunch
        Other arguments of `fit` by receiver: ``estimator``, ``splitter``, ``scorer``.
    stand_in : search
        Copy of the search that `evaluate` may change.
    caller : search
        The search itself, for scikit-learn's callbacks.
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
    caller: Any


try:
    from sklearn.callback import CallbackContext
except ImportError:  # scikit-learn before 1.9 has no callbacks
    CallbackContext = object


class Allowed(Options):  # type: ignore[misc]
    """Constraint of scikit-learn's parameter validation that is given by a function.

    Parameters
    ----------
    is_legal : callable
        Returns whether a value is allowed.
    description : str
        The allowed values, for the error message.
    """

    def __init__(self, is_legal: Callable[[Any], bool], description: str) -> None:
        super().__init__(object, set())
        self._is_legal = is_legal
        self._description = description

    def is_satisfied_by(self, val: Any) -> bool:
        """Return whether a value is allowed."""
        return self._is_legal(val)

    def __str__(self) -> str:
        """Return the allowed values."""
        return self._description


def check_parameters(
    constraints: Mapping[str, Any], params: Mapping[str, Any], caller: str
) -> None:
    """Raise ValueError for a parameter that violates its constraints.

    Parameters
    ----------
    constraints : mapping of str to list
        The constraints of each parameter, as in ``_parameter_constraints``.
    params : mapping of str to object
        Those without constraints are not checked.
    caller : str
        Name of the class or function, for the error message.
    """
    validate_parameter_constraints(constraints, params, caller_name=caller)


def accepts(estimator: Any, name: str, value: Any) -> bool:
    """Return whether the constraints of a class of scikit-learn allow a value of a parameter.

    Parameters
    ----------
    estimator : estimator object
    name : str
    value : object

    Returns
    -------
    is_accepted : bool
        True as well for other classes, which may convert what they get, and for parameters
        without constraints.
    """
    kind = type(estimator)
    constraints = getattr(kind, "_parameter_constraints", None)
    if not kind.__module__.startswith("sklearn.") or not isinstance(constraints, dict):
        return True
    try:
        check_parameters(constraints, {name: value}, kind.__name__)
    except ValueError:
        return False
    return True


def check_search(search: Any) -> None:
    """Raise ValueError for a parameter of a search that violates its constraints, as `fit` does."""
    search._validate_params()  # noqa: SLF001


def part_of(estimator: Any, X: Any, y: Any, rows: Any, train: Any) -> tuple[Any, Any]:
    """Return some rows of the data, as scikit-learn passes them to a fitted estimator.

    Parameters
    ----------
    estimator : estimator object
        A pairwise estimator gets the columns of `X` that belong to `train`.
    X, y : object
        The data.
    rows : array of int
        Rows to return.
    train : array of int
        Rows of the training part.

    Returns
    -------
    X_part, y_part : object
    """
    X_part, y_part = _safe_split(estimator, X, y, rows, train)
    return X_part, y_part


def take_rows(values: Sequence[Any], rows: Any) -> list[Any]:
    """Return rows of data of any kind; None stays None.

    Parameters
    ----------
    values : sequence of object
        Tables, sparse matrices, arrays or lists of the same length.
    rows : ndarray of int
    """
    return [value if value is None else _safe_indexing(value, rows) for value in values]


def params_of_part(X: Any, params: Mapping[str, Any], rows: Any) -> dict[str, Any]:
    """Return the parameters of a scorer for some rows, as scikit-learn passes them to it.

    Parameters
    ----------
    X : object
        All data.
    params : mapping of str to object
        Those with one value for each row are indexed.
    rows : array of int
    """
    return dict(_check_method_params(X, params=params, indices=rows))


def with_warning_filter(function: Any, entry: tuple[Any, ...]) -> Any:
    """Return a function of a fit with a filter in front of those that scikit-learn passes to it.

    Since scikit-learn 1.7, the function of a fit replaces all filters of its process by these.
    """
    passed = getattr(function, "warning_filters", None)
    if passed is None:
        return function
    copied = copy.copy(function)  # other fits have the same function
    copied.warning_filters = [entry, *passed]
    return copied


def with_settings_of(function: Any, other: Any) -> Any:
    """Return a call that has scikit-learn's configuration and warning filters of another one.

    Parameters
    ----------
    function : callable
        Function of a fit, which sets them.
    other : callable
        The call, with arguments of its own.
    """
    copied = copy.copy(function)
    copied.function = other
    return copied


class SearchTask:
    """Node of a search in scikit-learn 1.9's tree of callback tasks; its leaves are fits."""

    def __init__(self, root: Any, search: Any, n_leaves: float) -> None:
        self._search = search
        self._n_made = 0
        self._context = root.subcontext(
            task_name="search",
            max_subtasks=int(n_leaves) if math.isfinite(n_leaves) else None,
            sequential_subtasks=False,
        ).call_on_fit_task_begin(estimator=search)

    def subcontext(self, task_name: str, task_id: int) -> Any:
        """Return a new leaf; ``evaluate_candidates`` numbers leaves from 0 in each batch."""
        del task_id
        leaf = self._context.subcontext(task_name=task_name, task_id=self._n_made)
        leaf.__class__ = _LeafContext
        # Otherwise each leaf would take all others to its worker.
        self._context._children_map.clear()  # noqa: SLF001
        self._n_made += 1
        return leaf

    @property
    def shared_objects(self) -> list[Any]:
        """The task itself, unless callbacks may keep a state in it."""
        return [] if self._context._callbacks else [self._context]  # noqa: SLF001

    def close(self) -> None:
        """End the task."""
        self._context.call_on_fit_task_end(estimator=self._search)


class _LeafContext(CallbackContext):  # type: ignore[misc]
    """Leaf that remembers whether a callback returned True."""

    is_stopped = False

    def call_on_fit_task_end(self, **arguments: Any) -> bool:
        """Call the callbacks, and remember whether one asked to stop."""
        stop: bool = super().call_on_fit_task_end(**arguments)
        self.is_stopped |= stop
        return stop

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the leaf in a worker, and remove what an earlier fit has left in its parent."""
        self.__dict__.update(state)
        self.parent._children_map.clear()  # noqa: SLF001


# Variables of scikit-learn's `fit` that its function `evaluate_candidates` must close over.
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
    """Replace the `Parallel` of a running `fit`, and return the objects it has prepared.

    Also read values that scikit-learn does not expose. Before scikit-learn 1.9, `fit` sets the
    number of splits only at its end and keeps its splitter in a local variable. Of a scorer that
    raises it returns the ``error_score`` only, which therefore gets a class of its own that holds
    the traceback.
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
        options, error_score = (
            names["fit_and_score_kwargs"],
            ErrorScore(as_float(search.error_score)),
        )
        options["error_score"] = error_score
        options["scorer"] = _quoted(options["scorer"], error_score)
    recorder = ParallelInterceptor()
    cells = dict(
        zip(evaluate_candidates.__code__.co_freevars, evaluate_candidates.__closure__, strict=True)
    )
    cells["parallel"].cell_contents = recorder
    # A copy, so that the attributes of the search itself never change during a call.
    stand_in = copy.copy(search)
    stand_in.verbose = 0  # no "Fitting 5 folds for each of 1 candidates" for each trial
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
        search,
    )
