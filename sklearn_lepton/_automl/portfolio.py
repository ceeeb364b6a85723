"""Portfolio: the models for a task, as branches of one search space, and its splits."""

import itertools
import math
from collections.abc import Mapping
from operator import itemgetter
from typing import Any, NamedTuple

from sklearn.base import clone, is_classifier
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import VotingClassifier, VotingRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    RepeatedKFold,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
)
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch
from sklearn.utils.validation import has_fit_parameter

from sklearn_lepton._automl.models import LARGE, MODELS, boosting, make_factory
from sklearn_lepton._automl.preprocessing import for_distances, for_trees, passthrough
from sklearn_lepton._automl.task import Task
from sklearn_lepton.space._dimension import Categorical
from sklearn_lepton.space._values import is_equivalent

_TURN = 5  # models that start before the second configuration of the first one
_QUICK = 200_000  # rows times columns, times the trees of a boosting iteration

_SMALL, _LARGE, _HUGE = 500, 10_000, 50_000  # rows
# Upper limits of rows (times the trees of a boosting iteration) per second of max_time for
# repeated 5-fold, 5-fold and 3-fold cross-validation. Above the last one there is one split.
_MIN_A_SECOND, _FEW_A_SECOND, _MANY_A_SECOND = 2.0, 50.0, 400.0
_TEST_SHARE = 0.2  # of the rows, in the single split of huge data


class Portfolio(NamedTuple):
    """The pipeline, search space and initial configurations of a model search.

    Attributes
    ----------
    pipeline : Pipeline
        Pipeline with the steps ``prepare`` and ``model``.
    space : list of dict
        Search space with one branch per model.
    starts : list of dict
        Initial configurations, in order of evaluation.
    names : list of str
        Names of the models, by branch.
    labels : dict of str to dict
        Names of parameters, each with the objects that it may have, by their labels.
    is_single : bool, default=True
        Whether there is one target.
    is_quick : bool, default=False
        Whether fits are so short that they need no time limit.
    is_classifier : bool, default=True
    """

    pipeline: Pipeline
    space: list[dict[str, Any]]
    starts: list[dict[str, Any]]
    names: list[str]
    labels: Mapping[str, Mapping[str, Any]]
    is_single: bool = True
    is_quick: bool = False
    is_classifier: bool = True

    def to_labels(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return parameters with labels in place of estimators and other objects."""
        return {name: self._label(name, value) for name, value in params.items()}

    def _label(self, name: str, value: Any) -> Any:
        known = self.labels.get(name, {})
        same = (label for label, each in known.items() if each is value)
        equal = (label for label, each in known.items() if is_equivalent(value, each))
        return next(itertools.chain(same, equal), value)

    def from_labels(self, params: Mapping[str, Any], *, is_strict: bool = True) -> dict[str, Any]:
        """Return parameters with objects in place of their labels.

        Parameters
        ----------
        params : dict
        is_strict : bool, default=True
            Whether an unknown label is an error; it stays as it is otherwise.

        Raises
        ------
        ValueError
            If a label is not known.
        """
        objects = dict(params)
        for name, known in self.labels.items():
            value = params.get(name)
            if not isinstance(value, str):
                continue
            if is_strict and value not in known:
                raise ValueError(
                    f"{name!r} must be one of {list(known)} or the object itself, got {value!r}."
                )
            objects[name] = known.get(value, value)
        return objects


def make_portfolio(task: Task, *, is_routed: bool = False) -> Portfolio:
    """Return the models for a task with their spaces and initial configurations.

    Parameters
    ----------
    task : Task
    is_routed : bool, default=False
        Whether metadata routing is enabled, so that models must request sample weights.

    Returns
    -------
    portfolio : Portfolio
        A constant prediction only if there is nothing to learn.
    """
    asks = is_routed and task.has_weights
    if task.is_constant or not task.columns.is_any:
        dummy = DummyClassifier(strategy="prior") if task.is_classifier else DummyRegressor()
        pipeline = Pipeline([("prepare", passthrough()), ("model", _request_weights(dummy, asks))])
        return Portfolio(_request_weights(pipeline, asks), [{}], [], ["a constant prediction"], {})
    factory = make_factory(task)
    builders = sorted(MODELS, key=lambda build: task.n_rows < LARGE or build is not boosting)
    models = [model for build in builders if (model := build(factory)) is not None]
    if task.has_weights:
        models = [model for model in models if _takes_weights(model.estimator)]
    preparations = {True: for_trees(task), False: for_distances(task)}
    if asks:
        for each in (*preparations.values(), *factory.scales.values()):
            _decline_weights(each)
    branches, queues = [], []
    labels: dict[str, dict[str, Any]] = {
        "prepare": {"ordinal": preparations[True], "scaled": preparations[False]},
        "model": {},
    }
    for model in models:
        estimator = _request_weights(model.estimator, asks)
        first = {"prepare": preparations[model.is_tree], "model": estimator}
        branches.append({k: Categorical([v]) for k, v in first.items()} | dict(model.space))
        queues.append([first | dict(start) for start in model.starts])
        for key, known in {**model.labels, "model": {model.name: estimator}}.items():
            labels.setdefault(key, {}).update(known)
    # Second configurations of the first models come before expensive or unlikely models.
    ranked = [
        (position + _TURN * turn, start)
        for position, queue in enumerate(queues)
        for turn, start in enumerate(queue)
    ]
    starts = [start for _, start in sorted(ranked, key=itemgetter(0))]
    pipeline = Pipeline([(step, starts[0][step]) for step in ("prepare", "model")])
    names = [model.name for model in models]
    is_quick = task.n_rows * task.width * max(1, task.n_classes - 1) < _QUICK
    # scikit-learn 1.7 and older read the requests of the pipeline itself.
    return Portfolio(
        _request_weights(pipeline, asks),
        branches,
        starts,
        names,
        labels,
        task.is_single,
        is_quick,
        task.is_classifier,
    )


def make_splits(task: Task, *, n_groups: int | None = None, max_time: float | None = None) -> Any:
    """Choose splits: many of small data, where they differ, and few of large, where they cost.

    Parameters
    ----------
    task : Task
    n_groups : int or None, default=None
        How many groups there are, of which the rows must stay together.
    max_time : float or None, default=None, seconds
        With little time there are fewer.

    Returns
    -------
    cv : splitter
        The same at each call: shuffled, with a fixed seed.
    """
    n, is_stratified = task.n_rows, task.is_classifier and task.n_targets == 1
    seconds = math.inf if max_time is None else max_time
    n_fitted = n * max(1, task.n_classes - 1)  # boosting has so many trees more
    n_splits = 5 if n < _LARGE and n_fitted < _FEW_A_SECOND * seconds else 3
    n_splits = max(2, min(n_splits, n // 2))
    if is_stratified and not task.is_constant and task.smallest_class > 1:
        n_splits = max(2, min(n_splits, task.smallest_class))
    is_stratified &= task.smallest_class >= n_splits
    if n_groups is not None:
        n_splits = max(2, min(n_splits, n_groups))
        kind = StratifiedGroupKFold if is_stratified else GroupKFold
        return kind(n_splits, shuffle=True, random_state=0)
    if n >= _HUGE or n_fitted > _MANY_A_SECOND * seconds:
        one = StratifiedShuffleSplit if is_stratified else ShuffleSplit
        return one(1, test_size=_TEST_SHARE, random_state=0)
    if n < _SMALL and n_fitted < _MIN_A_SECOND * seconds:
        many = RepeatedStratifiedKFold if is_stratified else RepeatedKFold
        return many(n_splits=n_splits, n_repeats=2, random_state=0)
    few = StratifiedKFold if is_stratified else KFold
    return few(n_splits, shuffle=True, random_state=0)


def average(fitted: list[Any], X: Any, y: Any) -> Any:
    """Return a fitted voting ensemble of fitted pipelines.

    Parameters
    ----------
    fitted : list of Pipeline
        Classifiers or regressors, fitted on the same data.
    X, y : array-like
        Data of the fits.

    Returns
    -------
    vote : VotingClassifier or VotingRegressor
        Fitted ensemble. A clone of it refits its pipelines.
    """
    names = [f"pipeline{number}" for number in range(len(fitted))]
    frozen = [(name, FrozenEstimator(each)) for name, each in zip(names, fitted, strict=True)]
    is_classes = is_classifier(fitted[0])
    vote = VotingClassifier(frozen, voting="soft") if is_classes else VotingRegressor(frozen)
    vote.fit(X, y)
    vote.estimators = [(name, clone(each)) for name, each in zip(names, fitted, strict=True)]
    vote.estimators_ = fitted
    vote.named_estimators_ = Bunch(**dict(zip(names, fitted, strict=True)))
    return vote


def _decline_weights(transformer: Any) -> None:
    """Make a transformer and its parts request no sample weights under metadata routing."""
    for each in (transformer, *transformer.get_params(deep=True).values()):
        if hasattr(each, "set_fit_request") and has_fit_parameter(each, "sample_weight"):
            each.set_fit_request(sample_weight=False)


def _takes_weights(estimator: Any) -> bool:
    inner = getattr(estimator, "regressor", estimator)
    return bool(has_fit_parameter(inner, "sample_weight"))


def _request_weights(estimator: Any, is_routed: bool) -> Any:
    """Make an estimator and the one inside it request sample weights under metadata routing."""
    if is_routed:
        names = ("regressor", "estimator")
        inner = [getattr(estimator, name, None) for name in names]
        for each in (estimator, *inner):
            if hasattr(each, "set_fit_request") and has_fit_parameter(each, "sample_weight"):
                each.set_fit_request(sample_weight=True)
        estimator.set_score_request(sample_weight=True)
    return estimator
