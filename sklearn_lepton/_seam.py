"""The seam to scikit-learn: the only module that uses its private names.

`BaseSearchCV.fit` stays as it is, and is entered at `_run_search`. What it would run is
taken from it by a `Recorder` in place of its `Parallel`, run by our own workers, and the
rows are handed back once, at the end.
"""

import inspect
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklearn_lepton._fits import ErrorScore, Recorder, RunningFit
from sklearn_lepton._values import is_real

try:
    from sklearn.callback import CallbackContext
except ImportError:  # scikit-learn before 1.9 has no callbacks
    CallbackContext = object


def _inner_has(name: str) -> Callable[[Any], bool]:
    """Make a check that the tuned estimator has a method; AttributeError if not."""

    def check(search: Any) -> bool:
        getattr(getattr(search, "best_estimator_", search.estimator), name)
        return True

    return check


class OpenSearchCV(BaseSearchCV):  # type: ignore[misc]
    """scikit-learn's base class of searches, open where ours take over."""

    @abstractmethod
    def _search(self, running: RunningFit, callback_ctx: Any) -> None:
        """Search; called once in each `fit`, with everything else prepared."""

    def _check_metrics(self, scores: Mapping[str, Any]) -> None:
        """Refuse a ``refit`` that names none of several metrics."""
        self._check_refit_for_multimetric(scores)

    def _run_search(self, evaluate_candidates: Any, *, callback_ctx: Any = None) -> None:
        self._search(_read_fit(self, evaluate_candidates), callback_ctx)

    def _format_results(
        self, candidate_params: Any, n_splits: int, out: list[Any], more_results: Any = None
    ) -> dict[str, Any]:
        """Format the rows of all trials as ``cv_results_``, failed ones ranked last.

        Before them come those with less than the full resource, those with the least last.
        """
        results: dict[str, Any] = super()._format_results(
            candidate_params, n_splits, out, more_results
        )
        failed = np.array([any(row["fit_error"] for row in trial.rows) for trial in self.trials_])
        shares = np.array([1.0 if t.is_full else t.resource for t in self.trials_], dtype=float)
        for name in [name for name in results if name.startswith("rank_test_")]:
            means = results[name.replace("rank_", "mean_", 1)]
            last = failed | ~np.isfinite(means)
            ranks = np.full(len(failed), np.sum(~last) + 1, dtype=np.int32)
            n_ranked = 0
            for share in np.unique(shares[~last])[::-1]:
                rows = ~last & (shares == share)
                ranks[rows] = n_ranked + rankdata(-means[rows], method="min")
                n_ranked += np.sum(rows)
            results[name] = ranks
        return results

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


def _read_fit(search: Any, evaluate_candidates: Any) -> RunningFit:
    """Take the place of the running `fit`'s `Parallel`, and return what it has prepared.

    Also take what it tells no other way. Before scikit-learn 1.9 it sets the number of
    splits only at its end, and keeps the splitter to itself. And a scorer that raises
    leaves no trace but the ``error_score``, which is therefore marked for this one fit.
    """
    names = inspect.getclosurevars(evaluate_candidates).nonlocals
    if "n_splits" in names:
        search.n_splits_ = names["n_splits"]
    if is_real(search.error_score):
        names["fit_and_score_kwargs"]["error_score"] = ErrorScore(search.error_score)
    recorder = Recorder()
    place = evaluate_candidates.__code__.co_freevars.index("parallel")
    evaluate_candidates.__closure__[place].cell_contents = recorder
    cv = names.get("cv_orig") or search._checked_cv_orig  # noqa: SLF001
    return RunningFit(
        recorder,
        names["parallel"],
        evaluate_candidates,
        names["base_estimator"],
        names["X"],
        names["y"],
        cv,
        names["routed_params"],
    )
