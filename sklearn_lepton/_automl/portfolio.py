"""Portfolio: the models that suit a task, as branches of one space."""

import math
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

from sklearn_lepton._automl.models import LARGE, MODELS, boosting, make_kit
from sklearn_lepton._automl.preprocessing import for_distances, for_trees, passthrough
from sklearn_lepton._automl.task import Task
from sklearn_lepton.space._dimension import Categorical

_TURN = 5  # models that come before a further setting of the first one
_QUICK = 200_000  # rows times columns, times the trees of a round


_SMALL, _LARGE, _HUGE = 500, 10_000, 50_000  # rows, on which the splits depend
# Rows, times the trees of a round, for each second of max_time: below which there are two times
# five splits of few rows, five, and three.
_MIN_A_SECOND, _FEW_A_SECOND, _MANY_A_SECOND = 2.0, 50.0, 400.0
_SHARE = 0.2  # of the rows, of the one test part of huge data


class Portfolio(NamedTuple):
    """What a search of models is to search.

    Attributes
    ----------
    pipeline : Pipeline
        With the steps ``prepare`` and ``model``.
    space : list of dict
        A branch a model.
    starts : list of dict
        Settings of `space`, in the order in which they are tried.
    names : list of str
        Of the models, in words, by branch.
    is_single : bool, default=True
        Whether there is one target.
    is_quick : bool, default=False
        Whether a fit takes so little that none need be ended in time.
    """

    pipeline: Pipeline
    space: list[dict[str, Any]]
    starts: list[dict[str, Any]]
    names: list[str]
    is_single: bool = True
    is_quick: bool = False


def make_portfolio(task: Task, *, is_routed: bool = False) -> Portfolio:
    """Choose models, their spaces and where they start.

    Parameters
    ----------
    task : Task
    is_routed : bool, default=False
        Whether models are to ask for the weights of samples.

    Returns
    -------
    portfolio : Portfolio
        Of a constant prediction alone where there is nothing to learn.
    """
    asks = is_routed and task.has_weights
    if task.is_constant or not task.columns.is_any:
        dummy = DummyClassifier(strategy="prior") if task.is_classifier else DummyRegressor()
        pipeline = Pipeline([("prepare", passthrough()), ("model", _request_weights(dummy, asks))])
        return Portfolio(_request_weights(pipeline, asks), [{}], [], ["a constant prediction"])
    kit = make_kit(task)
    makers = sorted(MODELS, key=lambda make: task.n_rows < LARGE or make is not boosting)
    models = [model for make in makers if (model := make(kit)) is not None]
    if task.has_weights:
        models = [model for model in models if _takes_weights(model.estimator)]
    preparations = {True: for_trees(task.columns), False: for_distances(task.columns)}
    if asks:
        for each in (*preparations.values(), *kit.scales.values()):
            _decline_weights(each)
    branches, queues = [], []
    for model in models:
        estimator = _request_weights(model.estimator, asks)
        first = {"prepare": preparations[model.is_tree], "model": estimator}
        branches.append({k: Categorical([v]) for k, v in first.items()} | dict(model.space))
        queues.append([first | dict(start) for start in model.starts])
    # A second setting of the first models comes before the first of the dear or doubtful ones.
    turns = [
        (place + _TURN * turn, start)
        for place, queue in enumerate(queues)
        for turn, start in enumerate(queue)
    ]
    starts = [start for _, start in sorted(turns, key=itemgetter(0))]
    pipeline = Pipeline([(step, starts[0][step]) for step in ("prepare", "model")])
    names = [model.name for model in models]
    is_quick = task.n_rows * task.width * max(1, task.n_classes - 1) < _QUICK
    # scikit-learn 1.7 and older look at what the pipeline itself asks for.
    return Portfolio(
        _request_weights(pipeline, asks), branches, starts, names, task.is_single, is_quick
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
    if is_stratified and not task.is_constant and task.least_class > 1:
        n_splits = max(2, min(n_splits, task.least_class))
    is_stratified &= task.least_class >= n_splits
    if n_groups is not None:
        n_splits = max(2, min(n_splits, n_groups))
        kind = StratifiedGroupKFold if is_stratified else GroupKFold
        return kind(n_splits, shuffle=True, random_state=0)
    if n >= _HUGE or n_fitted > _MANY_A_SECOND * seconds:
        one = StratifiedShuffleSplit if is_stratified else ShuffleSplit
        return one(1, test_size=_SHARE, random_state=0)
    if n < _SMALL and n_fitted < _MIN_A_SECOND * seconds:
        many = RepeatedStratifiedKFold if is_stratified else RepeatedKFold
        return many(n_splits=n_splits, n_repeats=2, random_state=0)
    few = StratifiedKFold if is_stratified else KFold
    return few(n_splits, shuffle=True, random_state=0)


def average(fitted: list[Any], X: Any, y: Any) -> Any:
    """Make the average of pipelines that are fitted.

    Parameters
    ----------
    fitted : list of Pipeline
        Of one kind, all of the same data.
    X, y : array-like
        These data.

    Returns
    -------
    vote : VotingClassifier or VotingRegressor
        Fitted; a clone of it fits its pipelines anew.
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
    """Have a transformer, and all in it, take no weights where metadata are routed."""
    for each in (transformer, *transformer.get_params(deep=True).values()):
        if hasattr(each, "set_fit_request") and has_fit_parameter(each, "sample_weight"):
            each.set_fit_request(sample_weight=False)


def _takes_weights(estimator: Any) -> bool:
    inner = getattr(estimator, "regressor", estimator)
    return bool(has_fit_parameter(inner, "sample_weight"))


def _request_weights(estimator: Any, is_routed: bool) -> Any:
    """Have an estimator, and one in it, ask for weights where metadata are routed."""
    if is_routed:
        names = ("regressor", "estimator")
        inner = [getattr(estimator, name, None) for name in names]
        for each in (estimator, *inner):
            if hasattr(each, "set_fit_request") and has_fit_parameter(each, "sample_weight"):
                each.set_fit_request(sample_weight=True)
        estimator.set_score_request(sample_weight=True)
    return estimator
