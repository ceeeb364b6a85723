"""Portfolio: the models that suit a task, as branches of one space."""

from typing import Any, NamedTuple

from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from sklearn_lepton._columns import for_distances, for_trees, untouched
from sklearn_lepton._dimension import Categorical
from sklearn_lepton._models import LARGE, MODELS, Task, boosting, make_kit


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
    """

    pipeline: Pipeline
    space: list[dict[str, Any]]
    starts: list[dict[str, Any]]
    names: list[str]


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
    if task.is_constant or not task.columns.is_any:
        dummy = DummyClassifier(strategy="prior") if task.is_classifier else DummyRegressor()
        pipeline = Pipeline(
            [("prepare", untouched()), ("model", _asking(dummy, is_routed and task.has_weights))]
        )
        return Portfolio(pipeline, [{}], [], ["a constant prediction"])
    kit = make_kit(task)
    makers = sorted(MODELS, key=lambda make: task.n_rows < LARGE or make is not boosting)
    models = [model for make in makers if (model := make(kit)) is not None]
    if task.has_weights:
        models = [model for model in models if _takes_weights(model.estimator)]
    preparations = {True: for_trees(task.columns), False: for_distances(task.columns)}
    if is_routed and task.has_weights:
        for each in (*preparations.values(), *kit.scales.values()):
            _declining(each)
    branches, queues = [], []
    for model in models:
        estimator = _asking(model.estimator, is_routed and task.has_weights)
        first = {"prepare": preparations[model.is_tree], "model": estimator}
        branches.append({k: Categorical([v]) for k, v in first.items()} | dict(model.space))
        queues.append([first | dict(start) for start in model.starts])
    rounds = range(max(map(len, queues)))
    starts = [queue[turn] for turn in rounds for queue in queues if turn < len(queue)]
    pipeline = Pipeline([(step, starts[0][step]) for step in ("prepare", "model")])
    return Portfolio(pipeline, branches, starts, [model.name for model in models])


def _declining(transformer: Any) -> None:
    """Have a transformer, and all in it, take no weights where metadata are routed."""
    for each in (transformer, *transformer.get_params(deep=True).values()):
        if hasattr(each, "set_fit_request") and has_fit_parameter(each, "sample_weight"):
            each.set_fit_request(sample_weight=False)


def _takes_weights(estimator: Any) -> bool:
    inner = getattr(estimator, "regressor", estimator)
    return bool(has_fit_parameter(inner, "sample_weight"))


def _asking(estimator: Any, is_routed: bool) -> Any:
    """Have an estimator, and one in it, ask for weights where metadata are routed."""
    if is_routed:
        names = ("regressor", "estimator")
        inner = [getattr(estimator, name, None) for name in names]
        for each in (estimator, *inner):
            if hasattr(each, "set_fit_request") and has_fit_parameter(each, "sample_weight"):
                each.set_fit_request(sample_weight=True)
        estimator.set_score_request(sample_weight=True)
    return estimator
