"""Fits: the settings of a batch through scikit-learn's own fitting and scoring."""

import re
import time
import warnings
from collections.abc import Callable, Mapping
from numbers import Integral
from typing import Any

from joblib import hash as hash_of
from sklearn.base import clone, is_classifier
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import check_cv

from sklearn_lepton._typing import Rows

OTHER_SPLITS = (
    "With warm_start=True the splits must be those of the fit before, which they are not: the data "
    "have changed, or cv has, or cv shuffles without a random_state. Give the same ones, or set "
    "warm_start=False to start over."
)
_FIT_ERROR = re.compile(r"-{80}\n\d+ fits failed with the following error:\n")


class ErrorScore(float):
    """The ``error_score``, told apart from an equal score that was earned."""


class Fits:
    """Run the fits of a batch through ``evaluate_candidates`` and return their rows.

    Parameters
    ----------
    search : BaseSearchCV
        The search, in the middle of its ``fit``.
    evaluate : callable
        The ``evaluate_candidates`` of that fit, with a search whose
        ``_format_results`` returns the rows.
    check_metrics : callable
        Given the first scores where there are several metrics; raises if
        ``refit`` does not name one.
    task : object or None
        The task that the fits are subtasks of, where scikit-learn has callbacks.
    fingerprint : str or None
        That of the splits that the search has used so far.

    Attributes
    ----------
    splits : FrozenSplits
        The splits; not used where the search was given a list of them.
    published : dict
        What ``fit`` will publish as ``cv_results_``.
    """

    def __init__(
        self,
        search: Any,
        evaluate: Any,
        *,
        check_metrics: Callable[[Mapping[str, Any]], None],
        task: Any,
        fingerprint: str | None,
    ) -> None:
        self._search = search
        self._evaluate = evaluate
        self._check_metrics = check_metrics
        self.splits = FrozenSplits(search, fingerprint)
        self._texts: dict[str, str] = {}
        self._first: dict[str, Any] | None = None
        self.published: dict[str, Any] = {}
        self._arguments: dict[str, Any] = {} if task is None else {"callback_ctx": task}
        cv = search.cv
        # An iterable is frozen by check_cv, and may be used up by now.
        if cv is None or isinstance(cv, Integral) or hasattr(cv, "split"):
            self._arguments["cv"] = self.splits

    def run(self, params: list[Mapping[str, Any]]) -> list[Rows]:
        """Fit and score each setting on each split."""
        n_splits = self._search.n_splits_
        refused = [self._refusal(setting) for setting in params]
        legal = [p for p, reason in zip(params, refused, strict=True) if reason is None]
        rows = iter(self._run_legal(legal) if legal else [])
        batch: list[Rows] = []
        for reason in refused:
            if reason is None:
                batch.append([next(rows) for _ in range(n_splits)])
            else:
                batch.append([self._failed_row(reason, 0.0) for _ in range(n_splits)])
        return batch

    def _run_legal(self, params: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
        search, start = self._search, time.perf_counter()
        n_fits = len(params) * search.n_splits_
        try:
            results = self._evaluate(params, **self._arguments)
        except ValueError as error:
            # scikit-learn refuses a call of which every fit failed; here it is one batch of many.
            errors = _FIT_ERROR.split(str(error))[1:]
            if search.error_score == "raise" or not errors:
                raise
            msg = (
                f"\n{n_fits} fits failed out of a total of {n_fits}.\nThe score on these "
                "train-test partitions for these parameters will be set to "
                f"{search.error_score}.\n\nBelow are more details about the failures:\n{errors[0]}"
            )
            warnings.warn(msg, FitFailedWarning, stacklevel=2)
            seconds = (time.perf_counter() - start) / n_fits
            return [self._failed_row("\n".join(errors).rstrip("\n"), seconds)] * n_fits
        self.published = results
        rows = results["rows"]
        if self._first is None:
            self._first = rows[0]
            if isinstance(rows[0]["test_scores"], dict):
                self._check_metrics(rows[0]["test_scores"])
        return [self._tidy(row) for row in rows[len(rows) - n_fits :]]

    def _tidy(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Keep of a row what is published, in plain numbers, equal tracebacks only once."""
        tidy: dict[str, Any] = {}
        for name in ("test_scores", "train_scores", "fit_time", "score_time"):
            value = row.get(name)
            if isinstance(value, dict):
                tidy[name] = {metric: float(score) for metric, score in value.items()}
            elif value is not None:
                tidy[name] = float(value)
        scores = row["test_scores"]
        error = row["fit_error"]
        if error is None and any(
            isinstance(score, ErrorScore)
            for score in (scores.values() if isinstance(scores, dict) else [scores])
        ):
            error = "The scorer raised an error; a warning 'Scoring failed' has its details."
        tidy["fit_error"] = None if error is None else self._texts.setdefault(error, error)
        return tidy

    def _failed_row(self, error: str, seconds: float) -> dict[str, Any]:
        score = float(self._search.error_score)
        row = {"test_scores": score, "fit_time": seconds, "score_time": 0.0, "fit_error": error}
        if self._search.return_train_score:
            row["train_scores"] = score
        return self._tidy(row)

    def _refusal(self, params: Mapping[str, Any]) -> str | None:
        """Say why the estimator does not take these parameters together, or None.

        scikit-learn sets them outside of the guarded part of a fit, so that one
        impossible combination, as ``step="passthrough"`` with ``step__param``,
        would end the search. Only steps that are themselves replaced can do that.
        """
        nested = any(
            name.startswith(f"{other}__") for other in params for name in params if name != other
        )
        if not nested or self._search.error_score == "raise":
            return None
        try:
            clone(self._search.estimator).set_params(**clone(params, safe=False))
        except (ValueError, AttributeError, TypeError) as error:
            return f"{type(error).__name__}: {error}"
        return None

    def unify(self, rows: list[Any]) -> None:
        """Give failed rows a score for each metric that the other rows have."""
        names = next((r["test_scores"] for r in rows if isinstance(r["test_scores"], dict)), None)
        if names is None:
            return
        for row in rows:
            for kind in {"test_scores", "train_scores"} & set(row):
                if not isinstance(row[kind], dict):
                    row[kind] = dict.fromkeys(names, row[kind])
        if self._first is not None and not isinstance(self._first["test_scores"], dict):
            # fit tells from this row whether there are several metrics.
            self._first["test_scores"] = dict.fromkeys(names, self._first["test_scores"])


class FrozenSplits:
    """Split once, so that all trials of a search see the same splits.

    Parameters
    ----------
    search : BaseSearchCV
    fingerprint : str or None
        What the splits must be like: those of trials that the search goes on from.

    Attributes
    ----------
    fingerprint : str or None
        A hash of the splits, once they were made.
    """

    def __init__(self, search: Any, fingerprint: str | None) -> None:
        self._search = search
        self._splits: list[Any] | None = None
        self.fingerprint = fingerprint

    def split(self, X: Any, y: Any = None, **params: Any) -> list[Any]:
        """Return the splits that the first call made."""
        if self._splits is None:
            search = self._search
            cv = check_cv(search.cv, y, classifier=is_classifier(search.estimator))
            splits = list(cv.split(X, y, **params))
            fingerprint = hash_of(splits)
            if self.fingerprint not in {None, fingerprint}:
                raise ValueError(OTHER_SPLITS)
            self._splits, self.fingerprint = splits, fingerprint
        return self._splits
