"""Model selection: the search of models and preprocessing for ``estimator="auto"``."""

import copy
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from scipy.sparse import issparse
from sklearn import get_config
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.metaestimators import available_if

from sklearn_lepton._arrays import as_array, is_missing, shape_of
from sklearn_lepton._evaluation.convergence_warnings import QuietFits, hidden_convergence_warnings
from sklearn_lepton._evaluation.ensemble_selection import MAX_MEMBERS
from sklearn_lepton._evaluation.sklearn import FitContext, check_search
from sklearn_lepton._search.fewer_rows import FewerRowsMixin
from sklearn_lepton._search.sklearn_search import has_new_trials
from sklearn_lepton._trials.ranking import candidates, is_ensemble, score_of
from sklearn_lepton._trials.statistics import plain_standard_error
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._typing import FitAid, Workers
from sklearn_lepton._validation import given_space
from sklearn_lepton.space._frozen import thaw
from sklearn_lepton.space._space import Space
from sklearn_lepton.space._values import count_rows

# The portfolio loads a dozen of scikit-learn's packages of models. It is imported in the
# functions that use it, so that `import sklearn_lepton` stays fast.
if TYPE_CHECKING:
    from sklearn_lepton._automl.columns import Columns
    from sklearn_lepton._automl.portfolio import Portfolio

TASKS = ("auto", "classifier", "regressor")
# A refit uses all rows and takes longer than a fit on one training part.
_REFIT_RATIO = 1.3
# Share of max_time reserved for everything except fits.
_RESERVED_SHARE = 0.01
# Quantile of the fit times that is reserved where running fits cannot be ended.
_RESERVED_QUANTILE = 0.9
_MAX_MEMBERS = 4  # of an average
# In standard errors. Unlike models improve an average even if they score slightly worse.
_MAX_DEFICIT = 2.0


def is_task(estimator: Any) -> bool:
    """Return whether the estimator is the name of a task, for which models are chosen."""
    return isinstance(estimator, str)


def check_task(
    estimator: str,
    param_distributions: Any,
    *,
    resource: Any,
    eval_set_from_split: Any,
    objectives: Any,
) -> None:
    """Raise ValueError for parameters that need an estimator."""
    if not (isinstance(param_distributions, str) and param_distributions == "auto"):
        raise ValueError(
            f"With estimator={estimator!r} the space comes with the models, got "
            f"param_distributions={param_distributions!r}: leave it out, or give an estimator."
        )
    given = {"resource": resource, "eval_set_from_split": eval_set_from_split}
    given["objectives"] = objectives
    for name, value in given.items():
        if value:
            raise ValueError(
                f"{name}={value!r} needs an estimator of yours, got estimator={estimator!r}: "
                "leave it out."
            )


def _has(name: str) -> Any:
    """Return a check that a search has a method; before `fit` the task decides it."""

    def check(search: Any) -> bool:
        if not search.refit:
            raise AttributeError(f"With refit=False there is no estimator for {name}.")
        if hasattr(search, "best_estimator_"):
            getattr(search.best_estimator_, name)
        elif not is_task(search.estimator):
            getattr(search.estimator, name)
        elif name != "predict" and search.estimator == "regressor":
            raise AttributeError(f"A regressor has no {name}.")
        return True

    return check


def _boosting(task: str) -> Any:
    """Return gradient boosting, which supports all that the portfolio's models support."""
    from sklearn import ensemble  # noqa: PLC0415 - loaded when used

    if task == "regressor":
        return ensemble.HistGradientBoostingRegressor()
    return ensemble.HistGradientBoostingClassifier()


class ModelsMixin(FewerRowsMixin):
    """The model selection of a search whose estimator may be the name of a task."""

    estimator: Any
    param_distributions: Any
    param_grid: Any
    resource: Any
    eval_set_from_split: Any
    objectives: Any
    cv: Any
    scoring: Any
    refit: Any
    final_cv: Any
    racing: Any
    initial_params: Any
    n_iter: int | Literal["auto"]
    max_time: float | None
    warm_start: bool
    trials_: list[Trial]
    space_: Space
    best_estimator_: Any
    best_params_: dict[str, Any]
    refit_time_: float
    get_params: Any
    _split_layout: Any
    _splits: Any
    _portfolio: "Portfolio | None" = None
    _columns: "Columns | None" = None
    _averages = False

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Search, and refit the best configuration on all data.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n_samples, n_features)
            The data. If the search chooses the models, columns of a DataFrame or of objects may
            be numbers, categories, dates, durations, booleans or texts, with missing values.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs) or None, default=None
            The target. If the search chooses the models, (n_samples, 1) becomes (n_samples,).
        **params : dict
            Passed on, as by `GridSearchCV`. If the search chooses the models, these are
            ``sample_weight`` for the models and ``groups`` for the splitter.

        Returns
        -------
        self : search
            Fitted.
        """
        if not is_task(self.estimator):
            before = dict(vars(self))
            self._portfolio = None
            try:
                fitted: Self = super().fit(X, y, **params)  # type: ignore[misc]
            except BaseException:
                if not has_new_trials(vars(self), before):
                    self.__dict__ = before
                raise
            return fitted
        from sklearn_lepton._automl.task import read_target  # noqa: PLC0415 - loaded when used

        own_params = self.get_params(deep=False)
        check_search(self)  # before it reads the data
        check_task(
            self.estimator,
            given_space(vars(self)),
            resource=self.resource,
            eval_set_from_split=self.eval_set_from_split,
            objectives=self.objectives,
        )
        y = read_target(y)
        inner, start = copy.copy(self), time.monotonic()
        params = inner._resolve(X, y, params)  # noqa: SLF001
        try:
            with hidden_convergence_warnings():  # also of the refit
                inner._fit_by_rows(X, y, params, start)  # noqa: SLF001
        finally:
            if has_new_trials(vars(inner), vars(self)):
                self.__dict__ = vars(inner) | own_params
                if hasattr(self, "best_params_"):
                    self.best_params_ = self._plain_params(self.best_params_)
        return self

    def _resolve(self, X: Any, y: Any, params: Mapping[str, Any]) -> dict[str, Any]:
        """Set the estimator, the space and the splits of the task; return the `fit` parameters.

        It changes the parameters of the search, and so is called for a copy.
        """
        passed = dict(params)
        if passed.get("sample_weight") is None:
            passed.pop("sample_weight", None)
        has_weights = "sample_weight" in passed
        n_groups = _count_groups(passed.get("groups"), self.cv)
        is_routed = get_config()["enable_metadata_routing"]
        resumes = "_update" in vars(self) or (self.warm_start and hasattr(self, "trials_"))
        if not resumes or self._portfolio is None:
            from sklearn_lepton._automl.columns import read_columns  # noqa: PLC0415 - loaded when used
            from sklearn_lepton._automl.portfolio import make_portfolio, make_splits  # noqa: PLC0415 - loaded when used
            from sklearn_lepton._automl.task import check_scored, read_task  # noqa: PLC0415 - loaded when used

            columns = read_columns(X)
            task = read_task(
                self.estimator, columns, y, n_rows=count_rows(X), has_weights=has_weights
            )
            if self.scoring is None:
                check_scored(task, y)
            self._columns = columns
            self._portfolio = make_portfolio(task, is_routed=is_routed)
            self._splits = make_splits(task, n_groups=n_groups, max_time=self.max_time)
        portfolio = self._portfolio
        assert portfolio is not None  # noqa: S101 - for mypy
        is_plain = self.refit is True and self.final_cv is None and not has_weights
        self._averages = is_plain and self.max_time is not None and portfolio.is_single
        self.estimator = portfolio.pipeline
        self.param_distributions, self.param_grid = portfolio.space, None
        if isinstance(self.racing, str) and self.racing == "auto":
            self.racing = True
        if portfolio.space == [{}]:
            self.n_iter = 1
        if self.cv is None:
            if n_groups == 1:
                raise ValueError(
                    "groups has one group only, but rows of a group stay together, so that a split "
                    "needs two: leave groups out, or give cv."
                )
            self.cv = self._splits
        if isinstance(self.initial_params, str) and self.initial_params == "default":
            self.initial_params = portfolio.starts
        else:
            self.initial_params = _with_objects(self.initial_params, portfolio)
        if has_weights and not is_routed:
            passed["model__sample_weight"] = passed.pop("sample_weight")
        return passed

    def _make_aids(self, context: FitContext, space: Space, workers: Workers) -> list[FitAid]:
        """Return the aids of each fit; models that the user did not choose warn of nothing."""
        aids: list[FitAid] = super()._make_aids(context, space, workers)  # type: ignore[misc]
        return aids if self._portfolio is None else [*aids, QuietFits()]

    def _refine(self, X: Any, y: Any) -> None:
        """Average the best models, if one of each kind scores about equally well."""
        super()._refine(X, y)  # type: ignore[misc]
        if self._portfolio is not None and self._averages:
            self._average(X, y)

    def _ends_fits_at_max_time(self) -> bool:
        """Return whether fits run in processes that can be ended; starting one takes seconds."""
        return self.max_time is not None and not (self._portfolio and self._portfolio.is_quick)

    def _reserved_seconds(self, trials: Sequence[Trial]) -> float:
        """Return the seconds of `max_time` for the refit, and for a fit that cannot be ended."""
        if self._portfolio is None or self.max_time is None:
            return 0.0
        seconds = float(_RESERVED_SHARE * self.max_time)
        if self.refit:
            most = candidates(trials)[:MAX_MEMBERS] if is_ensemble(self.refit) else None
            refitted = self._members(trials) if most is None else most
            seconds += _REFIT_RATIO * sum(map(_mean_fit, refitted))
        if not self._ends_fits_at_max_time():
            fits = [_mean_fit(trial) for trial in trials if trial.split_results]
            seconds += float(np.quantile(fits or [0.0], _RESERVED_QUANTILE))
        return seconds

    def _members(self, trials: Sequence[Trial]) -> list[Trial]:
        """Return the trials whose predictions are averaged, the best first.

        Of each further model that is the best trial, if it scores within two standard errors of
        the best one. The standard error treats the split scores as independent.
        """
        ranked = candidates(trials)
        if not ranked or self._portfolio is None or not self._averages:
            return ranked[:1]
        threshold = score_of(ranked[0]) - _MAX_DEFICIT * plain_standard_error(
            ranked[0].split_scores
        )
        models: dict[type, Trial] = {}
        for trial in ranked:
            if trial is not ranked[0] and not score_of(trial) >= threshold:
                break
            model = trial.params["model"]
            models.setdefault(type(getattr(model, "regressor", model)), trial)
        return list(models.values())[:_MAX_MEMBERS]

    def _average(self, X: Any, y: Any) -> None:
        """Replace the refitted estimator by the average of the best models."""
        from sklearn_lepton._automl.portfolio import average  # noqa: PLC0415 - loaded when used

        others = self._members(self.trials_)[1:]
        if not others or not hasattr(self, "best_estimator_"):
            return
        start = time.perf_counter()
        fitted = [self.best_estimator_]
        for trial in others:
            params = clone(thaw(trial.params), safe=False)
            fitted.append(clone(self.estimator).set_params(**params).fit(X, y))
        self.best_estimator_ = average(fitted, X, y)
        self.refit_time_ += time.perf_counter() - start

    def _plain_params(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return parameters with names in place of models and transformers."""
        if self._portfolio is None:
            return dict(params)
        return self._portfolio.to_labels(params)

    def _params_in_space(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return parameters with models and transformers in place of their names."""
        if self._portfolio is None:
            return params
        return self._portfolio.from_labels(params, is_strict=False)

    def _describe_models(self) -> list[str]:
        """Return sentences on the columns and the models; none if the estimator was given."""
        if self._portfolio is None or self._columns is None:
            return []
        from sklearn_lepton._automl.description import describe_models  # noqa: PLC0415 - loaded when used

        ratio = self._split_layout.ratio
        models = describe_models(self.trials_, self._portfolio, self.space_, ratio)
        sentences = [self._columns.describe(), *self._describe_parts(), models]
        if hasattr(getattr(self, "best_estimator_", None), "named_estimators_"):
            n = len(self.best_estimator_.estimators_)
            rule = (
                "selected by their out-of-fold predictions"
                if hasattr(self, "ensemble_weights_")
                else "the best one and each further one within two standard errors of it"
            )
            sentences.append(f"The prediction is the mean of {n} models, {rule}.")
        return sentences

    def _typical_estimator(self) -> Any:
        """Return the refitted estimator, or before `fit` a typical one of the task."""
        if hasattr(self, "best_estimator_"):
            return self.best_estimator_
        return _boosting("regressor" if self.estimator == "regressor" else "classifier")

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags of the search.

        With ``estimator="auto"`` it is neither a classifier nor a regressor before `fit`.
        """
        if not is_task(self.estimator):
            return super().__sklearn_tags__()  # type: ignore[misc]
        probe: Any = copy.copy(self)
        probe.estimator = self._typical_estimator()
        tags = probe.__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.sparse = tags.input_tags.allow_nan = True
        if self.estimator == "auto" and not hasattr(self, "best_estimator_"):
            tags.estimator_type = tags.classifier_tags = None
        return tags

    def get_metadata_routing(self) -> Any:
        """Return the routing of metadata; models that the search chooses get ``sample_weight``.

        Returns
        -------
        routing : MetadataRouter
        """
        if not is_task(self.estimator):
            return super().get_metadata_routing()  # type: ignore[misc]
        probe: Any = copy.copy(self)
        probe.estimator = _boosting("regressor")
        if get_config()["enable_metadata_routing"]:
            probe.estimator.set_fit_request(sample_weight=True).set_score_request(
                sample_weight=True
            )
        return probe.get_metadata_routing()

    @available_if(_has("predict"))  # type: ignore[untyped-decorator]
    def predict(self, X: Any) -> Any:
        """Predict with the refitted best configuration.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """
        return self._delegate("predict", X)

    @available_if(_has("predict_proba"))  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Any:
        """Predict the probability of each class with the refitted best configuration.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        return self._delegate("predict_proba", X)

    def _delegate(self, method: str, X: Any) -> Any:
        if is_task(self.estimator) and not hasattr(self, "best_estimator_"):
            raise NotFittedError(
                f"This {type(self).__name__} has no refitted estimator: call fit with refit=True "
                f"before {method}."
            )
        return getattr(super(), method)(X)


def _with_objects(initial_params: Any, portfolio: "Portfolio") -> Any:
    """Return initial configurations with models and transformers in place of their names."""
    if isinstance(initial_params, Mapping):
        return portfolio.from_labels(initial_params)
    if isinstance(initial_params, list | tuple):
        are_dicts = all(isinstance(each, Mapping) for each in initial_params)
        return (
            [portfolio.from_labels(each) for each in initial_params]
            if are_dicts
            else initial_params
        )
    return initial_params


def _mean_fit(trial: Trial) -> float:
    """Return the mean seconds of a trial's fits."""
    return float(np.mean([result.fit_time for result in trial.split_results if result]))


def _count_groups(groups: Any, cv: Any) -> int | None:
    """Return the number of groups, missing labels counted as one; None if `cv` may not need it."""
    if groups is None:
        return None
    if len(shape_of(groups)) != 1 or issparse(groups):
        if cv is not None:  # a splitter of the user's may take other groups
            return None
        raise ValueError(
            f"groups must be a sequence with one label for each row, got {type(groups).__name__} "
            f"of shape {shape_of(groups)}: give one column of it."
        )
    labels = as_array(groups).tolist()
    return len({None if is_missing(label) else label for label in labels})
