"""Searches on parts of the rows of a large table, which choose what to try on all of them.

A fit on all rows of a large table takes a great part of the time. A search on a stratified quarter
of the rows therefore comes first, and begins itself with a quarter of its rows if these are many.
Its best configurations are tried on all rows, as far as the time allows, and its trials are a
previous study of the search on all rows.

References
----------
A. Klein, S. Falkner, S. Bartels, P. Hennig, F. Hutter, Fast Bayesian optimization of machine
learning hyperparameters on large datasets, AISTATS 2017, arXiv:1605.07079.
"""

import copy
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import clone

from sklearn_lepton._arrays import as_array
from sklearn_lepton._evaluation.resource import stratified_order
from sklearn_lepton._evaluation.sklearn import take_rows
from sklearn_lepton._runtime.output import warn
from sklearn_lepton._trials.ranking import candidates
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.exceptions import FewerRowsWarning, SearchInterruptedWarning
from sklearn_lepton.space._frozen import thaw
from sklearn_lepton.space._values import count_rows

if TYPE_CHECKING:
    from sklearn_lepton._automl.portfolio import Portfolio

MIN_ROWS = 20_000  # fewer rows are quick enough
_MIN_SECONDS = 0.1  # `max_time` must be positive
_N_FITS = 4  # trials on a part of the rows, at least
_RATIO = 4  # of all rows to those of the part
_TIME_SHARE = 0.5  # of max_time, for the search on the part
_MIN_OF_CLASS = 50  # rows of each class in the part, if it has as many
_MAX_MODELS = 2  # that are tried on more rows, apart from boosting
_MAX_FINALISTS, _MAX_OF_MODEL = 3, 2  # configurations to try on all rows first
# Time grows a little faster than the rows, as trees grow deeper.
_EXPONENT = 1.1
_REFIT_RATIO = 1.3  # of the seconds on all rows to those on the training part of a split
_MARGIN = 1.25  # of a predicted time
_MIN_GROWTH = 1.5  # fewer additional rows are not worth a search

BOOSTING = "gradient boosting"  # its name in the portfolio


class FewerRowsMixin:
    """The searches on parts of the rows that come before a search with a time limit."""

    cv: Any
    n_jobs: Any
    journal: Any
    max_time: float | None
    warm_start: bool
    initial_params: Any
    previous_studies: Any
    param_distributions: Any
    trials_: list[Trial]
    _data_shape: tuple[int, ...]
    stop_reason_: str | None
    refit: Any
    refit_time_: float
    estimator: Any
    best_estimator_: Any
    feature_names_in_: Any
    smaller_search_: Self
    _portfolio: "Portfolio | None"
    _is_part = False  # whether the rows are part of those of another search

    def _starts_small(self, n_rows: int) -> bool:
        """Return whether a search on fewer rows comes first."""
        portfolio = self._portfolio
        return (
            n_rows >= MIN_ROWS
            and portfolio is not None
            and not portfolio.is_quick
            and len(portfolio.space) > 1
            and self.max_time is not None
            and self.initial_params is portfolio.starts
            and self.journal is None
            and not self.warm_start
            and "_update" not in vars(self)
            and hasattr(self.cv, "get_n_splits")
        )

    def _fit_by_rows(self, X: Any, y: Any, params: Mapping[str, Any], start: float) -> None:
        """Search on parts of the rows, then on all rows.

        Parameters
        ----------
        X, y : array-like
        params : dict
            Parameters of `fit`, with a value for each row.
        start : float, seconds
            When the time began to count, by the monotonic clock.
        """
        n_rows = count_rows(X)
        if not self._starts_small(n_rows):
            self._fit_rows(X, y, params)
            return
        assert self._portfolio is not None and self.max_time is not None  # noqa: S101, PT018 - for mypy
        end = start + self.max_time
        is_classifier = self._portfolio.is_classifier
        order = order_of_rows(n_rows, y, is_classifier=is_classifier)
        n_part = -(-n_rows // _RATIO)
        X_part, y_part, params_part = _part(X, y, params, order[:n_part])
        small: Any = copy.copy(self)
        small.max_time = _TIME_SHARE * (end - time.monotonic())
        small.callbacks, small.final_cv, small.target_score = None, None, None
        small.return_predictions = small.return_estimators = False
        small._is_part, small.refit = True, False if self.refit is True else self.refit  # noqa: SLF001
        try:
            small._fit_by_rows(X_part, y_part, params_part, time.monotonic())  # noqa: SLF001
        except TimeoutError:  # too little to choose by
            self.max_time = max(end - time.monotonic(), _MIN_SECONDS)
            self._fit_rows(X, y, params)
            return
        self.smaller_search_ = small
        n_part = small._data_shape[0]  # noqa: SLF001 - or fewer
        n_splits = self.cv.get_n_splits(X, y, params.get("groups"))
        left = end - time.monotonic()
        n_fits = _N_FITS * n_splits if self._is_part else n_splits + _REFIT_RATIO
        n_most = n_part * growth(small.trials_, n_fits=n_fits, seconds=left)
        if n_most < _MIN_GROWTH * n_part or small.stop_reason_ == "interrupted":
            self._adopt(small, X, y, params, order[:n_part])
            return
        n_fitted = min(n_rows, int(n_most))
        self._warn_of_rows(n_fitted, n_rows)
        all_rows = X, y, params
        X, y, params = _part(X, y, params, order[:n_fitted])
        best = finalists(small.trials_, n_fitted / n_part, n_splits=n_splits, seconds=left)
        self._begin_with(best, left)
        try:
            self._fit_rows(X, y, params)
        except TimeoutError:
            self._adopt(small, *all_rows, order[:n_part])
        except KeyboardInterrupt:
            msg = "The search was interrupted before a trial on more rows had finished."
            warn(msg, SearchInterruptedWarning, stacklevel=4)
            self._adopt(small, *all_rows, order[:n_part])

    def _describe_parts(self) -> list[str]:
        """Return a sentence on the searches on fewer rows; none if there are none."""
        parts, search = list[str](), vars(self).get("smaller_search_")
        while search is not None:
            n_rows, n_trials = search._data_shape[0], len(search.trials_)  # noqa: SLF001
            parts.append(f"{n_trials} trial{'s' * (n_trials != 1)} on {n_rows} rows")
            search = vars(search).get("smaller_search_")
        if not parts:
            return []
        return [f"{', then '.join(reversed(parts))} chose what to try on more rows."]

    def _fit_rows(self, X: Any, y: Any, params: Mapping[str, Any]) -> None:
        """Search on all of these rows."""
        super().fit(X, y, **params)  # type: ignore[misc]

    def _begin_with(self, best: Sequence[Trial], seconds: float) -> None:
        """Set what a search on all rows has of the search on part of them."""
        assert self._portfolio is not None  # noqa: S101 - for mypy
        self.max_time = seconds
        self._portfolio = narrowed(self._portfolio, self.smaller_search_.trials_, best)
        self.param_distributions = self._portfolio.space
        self.initial_params = [thaw(trial.params) for trial in best]
        studies = self.previous_studies
        listed = studies if isinstance(studies, list) else [] if studies is None else [studies]
        self.previous_studies = [*listed, self.smaller_search_.trials_]

    def _adopt(
        self, small: Any, X: Any, y: Any, params: Mapping[str, Any], rows: npt.NDArray[np.intp]
    ) -> None:
        """Take over the results on part of the rows, with the best model fitted to these."""
        self._warn_of_rows(len(rows), count_rows(X))
        kept = ("refit", "final_cv", "target_score", "callbacks", "max_time")
        own = {name: vars(self)[name] for name in kept} | {"_is_part": self._is_part}
        self.__dict__ = vars(small) | own
        if self._is_part or not self.refit or hasattr(self, "best_estimator_"):
            return
        start = time.perf_counter()
        X, y, passed = _part(X, y, params, rows)
        passed.pop("groups", None)
        best = clone(thaw(candidates(self.trials_)[0].params), safe=False)
        self.best_estimator_ = clone(self.estimator).set_params(**best).fit(X, y, **passed)
        self.refit_time_ = time.perf_counter() - start
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_

    def _warn_of_rows(self, n_fitted: int, n_rows: int) -> None:
        if self._is_part or n_fitted == n_rows:
            return
        msg = (
            f"The time is too short for a trial on all {n_rows} rows: the best model is chosen by, "
            f"and fitted to, {n_fitted} of them. Give it more max_time for all rows."
        )
        warn(msg, FewerRowsWarning, stacklevel=5)


def order_of_rows(n_rows: int, y: Any, *, is_classifier: bool) -> npt.NDArray[np.intp]:
    """Return the indices of rows in an order whose beginnings have all classes of the target.

    Parameters
    ----------
    n_rows : int
    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
    is_classifier : bool
        Whether `y` has classes.

    Returns
    -------
    rows : ndarray of shape (n_rows,)
    """
    target, labels = as_array(y), None
    if is_classifier and target.ndim == 1:
        labels = np.unique(target, return_inverse=True)[1]
    rng = np.random.default_rng(0)
    return stratified_order(np.arange(n_rows), labels, rng, min_of_class=_MIN_OF_CLASS)


def _part(
    X: Any, y: Any, params: Mapping[str, Any], rows: npt.NDArray[np.intp]
) -> tuple[Any, Any, dict[str, Any]]:
    """Return rows of the data and of the parameters of `fit`, in their order in the table."""
    X, y, *others = take_rows((X, y, *params.values()), np.sort(rows))
    return X, y, dict(zip(params, others, strict=True))


def growth(trials: Sequence[Trial], *, n_fits: float, seconds: float) -> float:
    """Return how many times the rows the best configuration can be fitted to in time.

    Parameters
    ----------
    trials : sequence of Trial
        Trials on part of the rows.
    n_fits : float
        Number of fits to more rows that the time has to suffice for.
    seconds : float, seconds
        Time that is left.

    Returns
    -------
    growth : float
        0.0 without a complete trial.
    """
    ranked = candidates(trials)
    if not ranked:
        return 0.0
    needed = _MARGIN * _mean_duration(ranked[0]) * n_fits
    growth: float = (max(seconds, 0.0) / needed) ** (1.0 / _EXPONENT)
    return growth


def finalists(
    trials: Sequence[Trial], growth: float, *, n_splits: int, seconds: float
) -> list[Trial]:
    """Return the trials whose configurations are to be tried on all rows, the best first.

    There are at most three, two of each model, which can be fitted in time.

    Parameters
    ----------
    trials : sequence of Trial
        Trials on part of the rows.
    growth : float
        All rows over those of the part.
    n_splits : int
        Number of splits of the search on all rows.
    seconds : float, seconds
        Time that is left, also for the refit of the best one.
    """
    chosen: list[Trial] = []
    left, refit = seconds, 0.0
    for trial in candidates(trials):
        models = [_model(other) for other in chosen]
        fit = _MARGIN * growth**_EXPONENT * _mean_duration(trial)
        longest = max(refit, _REFIT_RATIO * fit)
        is_further = models.count(_model(trial)) < _MAX_OF_MODEL
        if is_further and n_splits * fit + longest <= left:
            chosen.append(trial)
            left, refit = left - n_splits * fit, longest
        if len(chosen) == _MAX_FINALISTS:
            break
    return chosen


def narrowed(portfolio: "Portfolio", trials: Sequence[Trial], best: Sequence[Trial]) -> "Portfolio":
    """Return a portfolio with the best two models of the trials, with boosting and the finalists.

    Boosting improves with more rows where most of the others don't. A finalist may be of a third
    model, if the time is too short for the others.
    """
    models = [portfolio.to_labels(trial.params)["model"] for trial in candidates(trials)]
    tried_first = [portfolio.to_labels(trial.params)["model"] for trial in best]
    kept = {*list(dict.fromkeys(models))[:_MAX_MODELS], *tried_first, BOOSTING}
    rows = [row for row, name in enumerate(portfolio.names) if name in kept]
    return portfolio._replace(
        space=[portfolio.space[row] for row in rows], names=[portfolio.names[row] for row in rows]
    )


def _model(trial: Trial) -> type:
    """Return the class of the model of a trial."""
    model = trial.params["model"]
    return type(getattr(model, "regressor", model))


def _mean_duration(trial: Trial) -> float:
    return float(np.mean([result.duration for result in trial.split_results if result]))
