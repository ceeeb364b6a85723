"""Adapter of the searches to scikit-learn's base class.

`BaseSearchCV.fit` is unchanged and calls `_run_search`. A `ParallelInterceptor` replaces its
`Parallel` and takes its fits, which run on the workers of this package. The results are returned
to it once, at the end.
"""

import copy
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
from scipy.stats import rankdata
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklearn_lepton._evaluation.sklearn import BaseSearchCV, FitContext, read_fit
from sklearn_lepton._inspection.html import describe_search
from sklearn_lepton._runtime.deferred_errors import DeferredErrors
from sklearn_lepton._runtime.interrupts import Interrupts
from sklearn_lepton._search.selection import Choice
from sklearn_lepton._trials.previous_studies import plain_studies
from sklearn_lepton._trials.ranking import ENSEMBLE, ONE_SE, is_ensemble, is_one_se
from sklearn_lepton.space._frozen import thaw

# The attributes that a search sets.
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
    "best_predictions_",
    "best_split_estimators_",
    "ensemble_score_",
    "ensemble_weights_",
)
# The attributes of the chosen trial that `fit` sets, apart from the refitted estimator.
OF_CHOICE = frozenset(
    {
        "cv_results_",
        "best_index_",
        "best_params_",
        "best_score_",
        "best_predictions_",
        "best_split_estimators_",
        "ensemble_score_",
        "ensemble_weights_",
        "multimetric_",
        "scorer_",
    }
)


def has_new_trials(attributes: Mapping[str, Any], earlier: Mapping[str, Any]) -> bool:
    """Return whether the attributes of a search have trials that earlier ones did not have."""
    return "trials_" in attributes and attributes["trials_"] is not earlier.get("trials_")


def _inner_has(name: str) -> Callable[[Any], bool]:
    """Return a check that raises AttributeError if the tuned estimator lacks a method."""

    def check(search: Any) -> bool:
        getattr(getattr(search, "best_estimator_", search.estimator), name)
        return True

    return check


class SklearnSearchAdapter(BaseSearchCV):  # type: ignore[misc]
    """scikit-learn's base class of searches, with hooks for the engine and the choice."""

    previous_studies: Any
    objectives: Any
    best_params_: dict[str, Any]
    _errors: DeferredErrors
    # `cross_val_score` and other functions of scikit-learn fit each clone to other data.
    _is_clone = False

    def __getstate__(self) -> dict[str, Any]:
        """Return the state with previous studies as trials, without their models and data."""
        state: dict[str, Any] = dict(super().__getstate__())
        if "previous_studies" in state:
            state["previous_studies"] = plain_studies(state["previous_studies"])
        return state

    def __copy__(self) -> Any:
        """Return a shallow copy; `__getstate__` is for pickles."""
        copied = type(self).__new__(type(self))
        copied.__dict__.update(vars(self))
        return copied

    def __sklearn_clone__(self) -> Any:
        """Clone all but `previous_studies`, since clones of fitted searches have no trials."""
        bare = copy.copy(self)
        bare.previous_studies = None
        cloned = super(SklearnSearchAdapter, bare).__sklearn_clone__()
        cloned.previous_studies = self.previous_studies
        cloned._is_clone = True  # noqa: SLF001
        return cloned

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
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
            if has_new_trials(vars(self), before):
                self._drop_refit(before)
            else:
                self.__dict__ = before
            raise
        finally:
            self.__dict__.pop("_errors", None)
            self.__dict__.pop("_ensemble", None)
            best = vars(self).get("best_params_")
            if best is not None and best is not before.get("best_params_"):
                # scikit-learn sets the dict of `cv_results_` itself; a change would alter both.
                self.best_params_ = thaw(best)
        if not self.refit:
            self._drop_refit(before)
        errors.raise_first()
        return self

    def _drop_refit(self, before: Mapping[str, Any]) -> None:
        """Remove the attributes of an earlier refit."""
        for name in ("best_estimator_", "refit_time_", "feature_names_in_"):
            if name in before and vars(self).get(name) is before[name]:
                del self.__dict__[name]

    def _refine(self, X: Any, y: Any) -> None:
        """Change the refitted estimator; `fit` calls it at its end."""

    @abstractmethod
    def _search(self, context: FitContext, callback_ctx: Any) -> None:
        """Run the search; `fit` calls it once, with everything else prepared."""

    def _check_metrics(self, scores: Mapping[str, Any]) -> None:
        """Raise ValueError if ``refit`` names none of several metrics."""
        self._check_refit_for_multimetric(scores)

    def _get_scorers(self) -> Any:
        """Return the scorers, and the metric of ``best_score_``: the first one of a front."""
        scorers, metric = super()._get_scorers()
        if metric is True:  # of several metrics, which only objectives allow
            metric = next(iter(self.scoring))
        return scorers, metric

    def _check_refit_for_multimetric(self, scores: Mapping[str, Any]) -> None:
        if is_one_se(self.refit):
            raise ValueError(
                f"refit={ONE_SE!r} takes a single metric, got {sorted(scores)}: give that one as "
                "scoring, or refit as the name of one to choose the best by it."
            )
        if is_ensemble(self.refit):
            raise ValueError(
                f"refit={ENSEMBLE!r} takes a single metric, by which it selects the members, got "
                f"{sorted(scores)}: give that one as scoring."
            )
        # The knee needs no metric. `fit` reads that of a callable after the first fit.
        if self.objectives is None or self.refit is not True or callable(self.scoring):
            super()._check_refit_for_multimetric(scores)

    # The search sets it, and `fit` reads it when it selects the best trial.
    _choice: Choice | None = None

    def _select_best_index(self, refit: Any, refit_metric: str, results: Mapping[str, Any]) -> int:
        """Return the chosen row, or the best one if no choice was made."""
        if self._choice is not None:
            return self._choice.row
        index: int = super()._select_best_index(refit, refit_metric, results)
        return index

    def _chosen_row(self) -> int | None:
        """Return the row of ``cv_results_`` that `fit` will select; None if it selects none."""
        results: dict[str, Any] = self.cv_results_
        names = [n.removeprefix("rank_test_") for n in results if n.startswith("rank_test_")]
        if len(names) > 1 and self.refit is False:
            return None
        metric = self.refit if self.refit in names else names[0]
        try:
            return int(self._select_best_index(self.refit, metric, results))
        except Exception:  # noqa: BLE001 - `fit` calls the user's callable again and raises
            return None

    @property
    def best_score_(self) -> float:
        """Mean score of the best trial, over the final splits if it was scored on them."""
        try:
            return self.__dict__["best_score_"]  # type: ignore[no-any-return]
        except KeyError:
            msg = f"{type(self).__name__!r} object has no attribute 'best_score_'"
            raise AttributeError(msg) from None

    @best_score_.setter
    def best_score_(self, score: float) -> None:
        # `fit` sets the mean over the splits of cv.
        choice = self.__dict__.pop("_choice", None)
        has_final = choice is not None and choice.score is not None
        self.__dict__["best_score_"] = choice.score if has_final else score

    def _run_search(self, evaluate_candidates: Any, *, callback_ctx: Any = None) -> None:
        with Interrupts():
            self._search(read_fit(self, evaluate_candidates), callback_ctx)

    def _format_results(
        self, candidate_params: Any, n_splits: int, out: list[Any], more_results: Any = None
    ) -> dict[str, Any]:
        """Return ``cv_results_``, with ranks that respect fidelity and status.

        Complete trials rank first, those of higher fidelity before others. Pruned trials come
        next, and failed trials last.
        """
        results: dict[str, Any] = super()._format_results(
            candidate_params, n_splits, out, more_results
        )
        has_run = np.array([list(map(bool, trial.split_results)) for trial in self.trials_])
        failed = np.array([any(r.error for r in trial.split_results) for trial in self.trials_])
        stopped = ~failed & ~has_run.all(axis=1)
        shares = np.array([1.0 if t.is_full else t.fidelity for t in self.trials_], dtype=float)
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
        return results | self._further_columns()

    def _further_columns(self) -> dict[str, Any]:
        """Return columns of ``cv_results_`` that scikit-learn's searches don't have."""
        return {}

    def _repr_html_inner(self) -> str:
        return str(super()._repr_html_inner()) + describe_search(self)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        bundle: dict[str, str] = super()._repr_mimebundle_(**kwargs)
        if "text/html" in bundle:
            bundle["text/html"] += describe_search(self)
        return bundle

    @available_if(_inner_has("set_output"))  # type: ignore[untyped-decorator]
    def set_output(self, *, transform: str | None = None) -> "SklearnSearchAdapter":
        """Set the container that `transform` returns.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"} or None, default=None
            Container of the tuned estimator; None changes nothing.

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
    """Replace the scores of splits that were not run, and their means, by NaN."""
    whole = has_run.all(axis=1)
    for name, column in results.items():
        kind, _, rest = name.partition("_")
        if rest.startswith(("test_", "train_")):
            if kind.startswith("split"):
                column[~has_run[:, int(kind[5:])]] = np.nan
            elif kind in {"mean", "std"}:
                column[~whole] = np.nan
