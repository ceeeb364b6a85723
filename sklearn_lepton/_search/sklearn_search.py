"""The seam to scikit-learn: the only module that uses its private names.

`BaseSearchCV.fit` stays as it is, and is entered at `_run_search`. What it would run is
taken from it by a `Recorder` in place of its `Parallel`, run by our own workers, and the
rows are handed back once, at the end.
"""

import copy
import inspect
from abc import abstractmethod
from collections.abc import Callable, Mapping
from types import CellType, FunctionType
from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils.metaestimators import _safe_split, available_if
from sklearn.utils.validation import check_is_fitted

from sklearn_lepton._search.selection import ONE_SE, Choice, is_one_se
from sklearn_lepton._runtime.deferred_errors import DeferredErrors
from sklearn_lepton._evaluation.fits import ErrorScore, Recorder, RunningFit
from sklearn_lepton.space._frozen import thaw
from sklearn_lepton._inspection.html import describe_search
from sklearn_lepton._runtime.interrupts import Interrupts
from sklearn_lepton.space._values import as_float, is_real
from sklearn_lepton._evaluation.sklearn_versions import unsupported

try:
    from sklearn.callback import CallbackContext
except ImportError:  # scikit-learn before 1.9 has no callbacks
    CallbackContext = object


# What a search sets.
LEFT_BY_FIT = (
    "trials_",
    "space_",
    "optimizer_",
    "stop_reason_",
    "cv_results_",
    "updates_",
    "_choice",
    "_studies",
    "_resource",
    "_data_shape",
    "_split_layout",
)
# What `fit` sets of the chosen trial, beside the refit.
OF_CHOICE = frozenset(
    {"cv_results_", "best_index_", "best_params_", "best_score_", "multimetric_", "scorer_"}
)


def has_new_trials(search: Any, before: Mapping[str, Any]) -> bool:
    """Return whether a search has trials that it did not have before.

    Parameters
    ----------
    search : search
    before : mapping of str to object
        Its attributes of before.
    """
    return "trials_" in vars(search) and search.trials_ is not before.get("trials_")


def _inner_has(name: str) -> Callable[[Any], bool]:
    """Make a check that the tuned estimator has a method; AttributeError if not."""

    def check(search: Any) -> bool:
        getattr(getattr(search, "best_estimator_", search.estimator), name)
        return True

    return check


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


class OpenSearchCV(BaseSearchCV):  # type: ignore[misc]
    """scikit-learn's base class of searches, open where ours take over."""

    prior: Any
    best_params_: dict[str, Any]
    _errors: DeferredErrors
    # What clones a search fits each clone to data of its own, as `cross_val_score` does.
    _is_clone = False

    def __sklearn_clone__(self) -> Any:
        """Clone all but the older studies in `prior`: of fitted searches nothing would be left."""
        bare = copy.copy(self)
        bare.prior = None
        cloned = super(OpenSearchCV, bare).__sklearn_clone__()
        cloned.prior = self.prior
        cloned._is_clone = True  # noqa: SLF001
        return cloned

    def fit(self, X: Any, y: Any = None, **params: Any) -> Any:
        """Search, and refit the best configuration on all data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs) or None, default=None
            The target.
        **params : dict
            Passed on, as by `GridSearchCV`.

        Returns
        -------
        self : search
            Fitted.
        """
        before = dict(vars(self))
        errors = self._errors = DeferredErrors()
        try:
            super().fit(X, y, **params)
            self._refine(X, y)
        except BaseException as error:
            errors.annotate(error)
            if has_new_trials(self, before):
                self._drop_refit(before)
            else:
                self.__dict__ = before
            raise
        finally:
            self.__dict__.pop("_errors", None)
            best = vars(self).get("best_params_")
            if best is not None and best is not before.get("best_params_"):
                # scikit-learn sets the very dict of `cv_results_`.
                self.best_params_ = thaw(best)
        if not self.refit:
            self._drop_refit(before)
        errors.raise_first()
        return self

    def _drop_refit(self, before: Mapping[str, Any]) -> None:
        """Remove what an earlier refit left."""
        for name in ("best_estimator_", "refit_time_", "feature_names_in_"):
            if name in before and vars(self).get(name) is before[name]:
                del self.__dict__[name]

    def _refine(self, X: Any, y: Any) -> None:
        """Change the refitted estimator; part of each `fit`."""

    @abstractmethod
    def _search(self, running: RunningFit, callback_ctx: Any) -> None:
        """Search; called once in each `fit`, with everything else prepared."""

    def _check_metrics(self, scores: Mapping[str, Any]) -> None:
        """Refuse a ``refit`` that names none of several metrics."""
        self._check_refit_for_multimetric(scores)

    def _check_refit_for_multimetric(self, scores: Mapping[str, Any]) -> None:
        if is_one_se(self.refit):
            raise ValueError(
                f"refit={ONE_SE!r} takes a single metric, got {sorted(scores)}: give that one as "
                "scoring, or refit as the name of one to choose the best by it."
            )
        super()._check_refit_for_multimetric(scores)

    _choice: Choice | None = None  # between the search and what `fit` makes of it

    def _select_best_index(self, refit: Any, refit_metric: str, results: Mapping[str, Any]) -> int:
        """Return the row that was chosen, where that is not simply the best one."""
        if self._choice is not None:
            return self._choice.row
        index: int = super()._select_best_index(refit, refit_metric, results)
        return index

    def _chosen_row(self) -> int | None:
        """Return the row of ``cv_results_`` that `fit` is about to choose; None if none."""
        results: dict[str, Any] = self.cv_results_
        names = [n.removeprefix("rank_test_") for n in results if n.startswith("rank_test_")]
        if len(names) > 1 and self.refit is False:
            return None
        metric = self.refit if self.refit in names else names[0]
        try:
            return int(self._select_best_index(self.refit, metric, results))
        except Exception:  # noqa: BLE001 - a callable of the user, of which `fit` raises the error
            return None

    @property
    def best_score_(self) -> float:
        """Mean score of the best trial: over the final splits, if it was scored on these."""
        try:
            return self.__dict__["best_score_"]  # type: ignore[no-any-return]
        except KeyError:
            msg = f"{type(self).__name__!r} object has no attribute 'best_score_'"
            raise AttributeError(msg) from None

    @best_score_.setter
    def best_score_(self, score: float) -> None:
        # `fit` sets the mean over cv's splits of the row that it was given.
        choice = self.__dict__.pop("_choice", None)
        has_final = choice is not None and choice.score is not None
        self.__dict__["best_score_"] = choice.score if has_final else score

    def _run_search(self, evaluate_candidates: Any, *, callback_ctx: Any = None) -> None:
        with Interrupts():
            self._search(_read_fit(self, evaluate_candidates), callback_ctx)

    def _format_results(
        self, candidate_params: Any, n_splits: int, out: list[Any], more_results: Any = None
    ) -> dict[str, Any]:
        """Format the rows of all trials as ``cv_results_``.

        Complete trials are ranked first, those with the most resource before others; then
        those that were ended early, and failed ones last.
        """
        results: dict[str, Any] = super()._format_results(
            candidate_params, n_splits, out, more_results
        )
        has_run = np.array([list(map(bool, trial.rows)) for trial in self.trials_])
        failed = np.array([any(r.get("fit_error") for r in trial.rows) for trial in self.trials_])
        stopped = ~failed & ~has_run.all(axis=1)
        shares = np.array([1.0 if t.is_full else t.resource for t in self.trials_], dtype=float)
        if not has_run.all():
            results["n_splits_run"] = has_run.sum(axis=1)
            _blank(results, has_run)
        for name in [name for name in results if name.startswith("rank_test_")]:
            means = results[name.replace("rank_", "mean_", 1)]
            last = failed | stopped | ~np.isfinite(means)
            ranks = np.full(len(failed), np.sum(~last) + 1, dtype=np.int32)
            n_ranked = 0
            for share in np.unique(shares[~last])[::-1]:
                rows = ~last & (shares == share)
                ranks[rows] = n_ranked + rankdata(-means[rows], method="min")
                n_ranked += np.sum(rows)
            ranks[last & ~stopped] += np.sum(stopped)
            results[name] = ranks
        return results

    def _repr_html_inner(self) -> str:
        return str(super()._repr_html_inner()) + describe_search(self)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        bundle: dict[str, str] = super()._repr_mimebundle_(**kwargs)
        if "text/html" in bundle:
            bundle["text/html"] += describe_search(self)
        return bundle

    @available_if(_inner_has("set_output"))  # type: ignore[untyped-decorator]
    def set_output(self, *, transform: str | None = None) -> "OpenSearchCV":
        """Choose the container that `transform` returns.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"} or None, default=None
            As for the tuned estimator; None changes nothing.

        Returns
        -------
        self : search
        """
        for estimator in {id(e): e for e in self._inner_estimators()}.values():
            estimator.set_output(transform=transform)
        return self

    def _inner_estimators(self) -> list[Any]:
        return [self.estimator, getattr(self, "best_estimator_", self.estimator)]

    @available_if(_inner_has("get_feature_names_out"))  # type: ignore[untyped-decorator]
    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Return the names of the columns that `transform` returns.

        Parameters
        ----------
        input_features : array-like of str of shape (n_features,) or None, default=None
            Names of the input's columns.

        Returns
        -------
        names : ndarray of str

        Raises
        ------
        NotFittedError
            If the search has not been fitted with ``refit``.
        """
        check_is_fitted(self, "best_estimator_")
        return self.best_estimator_.get_feature_names_out(input_features)


def _blank(results: dict[str, Any], has_run: Any) -> None:
    """Take the scores of splits that were not run out of a table, and what rests on them."""
    whole = has_run.all(axis=1)
    for name, column in results.items():
        kind, _, rest = name.partition("_")
        if rest.startswith(("test_", "train_")):
            if kind.startswith("split"):
                column[~has_run[:, int(kind[5:])]] = np.nan
            elif kind in {"mean", "std"}:
                column[~whole] = np.nan


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


def _read_fit(search: Any, evaluate_candidates: Any) -> RunningFit:
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
    recorder = Recorder()
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
    return RunningFit(
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
