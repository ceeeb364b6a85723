"""Model selection: what a search does that is given no estimator but "auto"."""

import copy
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import issparse
from sklearn import get_config
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.metaestimators import available_if

from sklearn_lepton._arrays import as_array, is_missing, shape_of
from sklearn_lepton._evaluation.convergence_warnings import QuietFits, hidden_convergence_warnings
from sklearn_lepton._evaluation.sklearn import FitContext
from sklearn_lepton._search.sklearn_search import has_new_trials
from sklearn_lepton._trials.ranking import candidates, score_of
from sklearn_lepton._trials.statistics import plain_standard_error, standard_error
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._typing import FitAid, Workers
from sklearn_lepton.space._frozen import thaw
from sklearn_lepton.space._space import Space
from sklearn_lepton.space._values import count_rows

# The portfolio loads a dozen of scikit-learn's packages of models. It is imported in the
# functions that use it, so that `import sklearn_lepton` stays fast.
if TYPE_CHECKING:
    from sklearn_lepton._automl.columns import Columns
    from sklearn_lepton._automl.portfolio import Portfolio

TASKS = ("auto", "classifier", "regressor")
_REFIT = 1.3  # times the seconds of a fit, since all rows are more than those of a split
_KEPT_SHARE = 0.01  # of max_time, for what is neither search nor refit
_SLOW = 0.9  # share of the fits that take less than what is kept for one that cannot be ended
_MAX_MEMBERS = 4  # of an average
_CLOSE = 2.0  # standard errors: unlike models that are somewhat worse still make it better


def is_task(estimator: Any) -> bool:
    """Say whether models are to be chosen, too."""
    return isinstance(estimator, str)


def check_task(search: Any) -> None:
    """Refuse what is no task, and a space without an estimator.

    Raises
    ------
    ValueError
    """
    if search.estimator not in TASKS:
        raise ValueError(
            f"estimator must be an estimator or one of {', '.join(map(repr, TASKS))}, got "
            f"{search.estimator!r}."
        )
    if not (isinstance(search.param_distributions, str) and search.param_distributions == "auto"):
        raise ValueError(
            f"With estimator={search.estimator!r} the space comes with the models, got "
            f"param_distributions={search.param_distributions!r}: leave it out, or give an "
            "estimator."
        )
    for name in ("resource", "eval_set_from_split"):
        if value := getattr(search, name):
            raise ValueError(
                f"{name}={value!r} needs an estimator of yours, got estimator="
                f"{search.estimator!r}: leave it out."
            )


def _has(name: str) -> Any:
    """Make a check that a search has a method: what it has before `fit` follows from the task."""

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


class ModelsMixin:
    """What a search adds to one of a given estimator: it chooses the models as well."""

    estimator: Any
    _portfolio: "Portfolio | None" = None
    _columns: "Columns | None" = None
    _averages = False

    def fit(self, X: Any, y: Any = None, **params: Any) -> Any:
        """Search, and refit the best setting on all data.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n_samples, n_features)
            The data. Where models are chosen, columns of a DataFrame or of objects may be
            numbers, categories, dates, durations, booleans or texts, with missing values.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs) or None, default=None
            The target. Where models are chosen, (n_samples, 1) is taken as (n_samples,).
        **params : dict
            Passed on, as by `GridSearchCV`. Where models are chosen: ``sample_weight``, which
            goes to the models, and ``groups``, which goes to the splitter.

        Returns
        -------
        self : search
            Fitted.
        """
        if not is_task(self.estimator):
            before = dict(vars(self))
            self._portfolio = None
            try:
                return super().fit(X, y, **params)  # type: ignore[misc]
            except BaseException:
                if not has_new_trials(vars(self), before):
                    self.__dict__ = before
                raise
        from sklearn_lepton._automl.task import read_target  # noqa: PLC0415 - loaded when used

        search: Any = self
        check_task(search)
        own = search.get_params(deep=False)
        y = read_target(y)
        inner, params = _resolve(search, X, y, params)
        try:
            with hidden_convergence_warnings():  # also of the refit
                super(ModelsMixin, inner).fit(X, y, **params)  # type: ignore[misc]
        finally:
            if has_new_trials(vars(inner), vars(self)):
                self.__dict__ = vars(inner) | own
        return self

    def _make_aids(self, running: FitContext, space: Space, workers: Workers) -> list[FitAid]:
        """Make what changes each fit: those of models that the user did not choose are quiet."""
        aids: list[FitAid] = super()._make_aids(running, space, workers)  # type: ignore[misc]
        return aids if self._portfolio is None else [*aids, QuietFits()]

    def _refine(self, X: Any, y: Any) -> None:
        """Average the best models, where one of each is to be trusted about as much."""
        if self._portfolio is not None and self._averages:
            self._average(X, y)

    def _must_end_in_time(self) -> bool:
        """Say whether fits run in a process that can be ended: to start one costs seconds."""
        search: Any = self
        return search.max_time is not None and not (self._portfolio and self._portfolio.is_quick)

    def _seconds_to_refit(self, study: Any) -> float:
        """Return what of `max_time` is kept for the refit, and for a fit that cannot be ended."""
        search: Any = self
        if self._portfolio is None or search.max_time is None:
            return 0.0
        seconds = float(_KEPT_SHARE * search.max_time)
        trials = study.optimizer.trials
        if search.refit:
            seconds += _REFIT * sum(map(_mean_fit, self._members(trials)))
        if not self._must_end_in_time():
            fits = [_mean_fit(trial) for trial in trials if trial.split_results]
            seconds += float(np.quantile(fits or [0.0], _SLOW))
        return seconds

    def _members(self, trials: Sequence[Trial]) -> list[Trial]:
        """Return the trials whose predictions are averaged: the best, and as good ones.

        That is the best one of each further model, within two standard errors of the best,
        taken as if the scores were independent.
        """
        ranked = candidates(trials)
        if not ranked or self._portfolio is None or not self._averages:
            return ranked[:1]
        least = score_of(ranked[0]) - _CLOSE * plain_standard_error(ranked[0].split_scores)
        models: dict[type, Trial] = {}
        for trial in ranked:
            if trial is not ranked[0] and not score_of(trial) >= least:
                break
            model = trial.params["model"]
            models.setdefault(type(getattr(model, "regressor", model)), trial)
        return list(models.values())[:_MAX_MEMBERS]

    def _average(self, X: Any, y: Any) -> None:
        """Put the average of the best models in the place of the best one."""
        from sklearn_lepton._automl.portfolio import average  # noqa: PLC0415 - loaded when used

        search: Any = self
        others = self._members(search.trials_)[1:]
        if not others or not hasattr(search, "best_estimator_"):
            return
        start = time.perf_counter()
        fitted = [search.best_estimator_]
        for trial in others:
            params = clone(thaw(trial.params), safe=False)
            fitted.append(clone(search.estimator).set_params(**params).fit(X, y))
        search.best_estimator_ = average(fitted, X, y)
        search.refit_time_ += time.perf_counter() - start

    def _describe_models(self) -> list[str]:
        """Say what was made of the columns, and how the models did; nothing of one estimator."""
        if self._portfolio is None or self._columns is None:
            return []
        search: Any = self
        models = describe_models(
            search.trials_,
            self._portfolio,
            search.space_,
            search._split_layout.ratio,  # noqa: SLF001
        )
        said = [self._columns.describe(), models]
        if hasattr(getattr(search, "best_estimator_", None), "named_estimators_"):
            n = len(search.best_estimator_.estimators_)
            said.append(
                f"The prediction is the mean of {n} models, the best one and each further one "
                "within two standard errors of it."
            )
        return said

    def _stand_in(self) -> Any:
        """Return an estimator that is like those that a task leads to."""
        if hasattr(self, "best_estimator_"):
            return self.best_estimator_
        return _boosting("regressor" if self.estimator == "regressor" else "classifier")

    def __sklearn_tags__(self) -> Any:
        """Say what scikit-learn is to know of the search.

        With ``estimator="auto"`` it is neither classifier nor regressor before `fit`.
        """
        if not is_task(self.estimator):
            return super().__sklearn_tags__()  # type: ignore[misc]
        probe: Any = copy.copy(self)
        probe.estimator = self._stand_in()
        tags = probe.__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.sparse = tags.input_tags.allow_nan = True
        if self.estimator == "auto" and not hasattr(self, "best_estimator_"):
            tags.estimator_type = tags.classifier_tags = None
        return tags

    def get_metadata_routing(self) -> Any:
        """Say what is passed on to whom: ``sample_weight`` to the models, where they are chosen.

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
        """Predict with the refitted best setting.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """
        return self._ask("predict", X)

    @available_if(_has("predict_proba"))  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Any:
        """Predict the probability of each class with the refitted best setting.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        return self._ask("predict_proba", X)

    def _ask(self, method: str, X: Any) -> Any:
        if is_task(self.estimator) and not hasattr(self, "best_estimator_"):
            raise NotFittedError(
                f"This {type(self).__name__} has no refitted estimator: call fit with refit=True "
                f"before {method}."
            )
        return getattr(super(), method)(X)


def _mean_fit(trial: Trial) -> float:
    """Return the seconds that a fit of a trial took."""
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


def _resolve(search: Any, X: Any, y: Any, params: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Make a search of models out of one of a task; also say what its `fit` is passed."""
    passed = dict(params)
    has_weights = passed.get("sample_weight") is not None
    n_groups = _count_groups(passed.get("groups"), search.cv)
    is_routed = get_config()["enable_metadata_routing"]
    inner = copy.copy(search)
    resumes = "_update" in vars(search) or (search.warm_start and hasattr(search, "trials_"))
    if not resumes or search._portfolio is None:  # noqa: SLF001
        from sklearn_lepton._automl.columns import read_columns  # noqa: PLC0415 - loaded when used
        from sklearn_lepton._automl.portfolio import make_portfolio, make_splits  # noqa: PLC0415 - loaded when used
        from sklearn_lepton._automl.task import check_scored, read_task  # noqa: PLC0415 - loaded when used

        columns = read_columns(X)
        task = read_task(
            search.estimator, columns, y, n_rows=count_rows(X), has_weights=has_weights
        )
        if search.scoring is None:
            check_scored(task, y)
        inner._columns = columns  # noqa: SLF001
        inner._portfolio = make_portfolio(task, is_routed=is_routed)  # noqa: SLF001
        inner._splits = make_splits(  # noqa: SLF001
            task, n_groups=n_groups, max_time=search.max_time
        )
    portfolio = inner._portfolio  # noqa: SLF001
    is_plain = search.refit is True and search.final_cv is None and not has_weights
    inner._averages = is_plain and search.max_time is not None and portfolio.is_single  # noqa: SLF001
    inner.estimator, inner.param_distributions = portfolio.pipeline, portfolio.space
    if isinstance(search.racing, str) and search.racing == "auto":
        inner.racing = True
    if portfolio.space == [{}]:
        inner.n_iter = 1
    if inner.cv is None:
        if n_groups == 1:
            raise ValueError(
                "groups are all the same, and a split needs two at least, since rows of a group "
                "stay together: leave groups out, or give cv."
            )
        inner.cv = inner._splits  # noqa: SLF001
    if isinstance(search.initial_params, str) and search.initial_params == "default":
        inner.initial_params = portfolio.starts
    if has_weights and not is_routed:
        passed["model__sample_weight"] = passed.pop("sample_weight")
    return inner, passed


def describe_models(
    trials: Sequence[Trial], portfolio: "Portfolio", space: Space, ratio: float | None
) -> str:
    """Say in words which models were tried, how often, and which was the best by how much.

    Parameters
    ----------
    trials : sequence of Trial
    portfolio : Portfolio
    space : Space
    ratio : float or None
        The `split_ratio` of the splits.

    Returns
    -------
    text : str
        Several sentences, for each model its best score.
    """
    names = portfolio.names

    def branch(trial: Trial) -> int:
        return int(space.dimensions[0].from_unit(trial.point[0])) if len(names) > 1 else 0

    counts = np.bincount([branch(trial) for trial in trials], minlength=len(names))
    best: dict[int, Trial] = {}
    for trial in candidates(trials):
        best.setdefault(branch(trial), trial)
    if not best:
        return "No model has a score."
    order = list(best)  # the best first
    tried = [
        f"{names[k]} {counts[k]} time{'s' * int(counts[k] != 1)}, at best {score_of(best[k]):.4g}"
        for k in order
    ]
    failed = [f"{names[k]} {counts[k]}" for k in range(len(names)) if counts[k] and k not in best]
    text = f"Models, the best first: {'; '.join(tried)}."
    if failed:
        text += f" Without a whole trial: {', '.join(failed)}."
    if len(order) > 1:
        first, second = best[order[0]], best[order[1]]
        gaps = np.subtract(first.split_scores, second.split_scores).tolist()
        text += (
            f" {names[order[0]].capitalize()} is ahead of {names[order[1]]} by "
            f"{score_of(first) - score_of(second):.2g}, with a standard error of "
            f"{standard_error(gaps, ratio):.2g}."
        )
    return text
