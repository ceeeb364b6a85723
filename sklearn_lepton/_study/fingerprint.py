"""Fingerprint: a description of a study, equal for studies whose trials are interchangeable."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.space._content import content_hash, full_name, is_cloned_whole
from sklearn_lepton.space._space import Space
from sklearn_lepton.space._values import value_to_json


class Scoring(NamedTuple):
    """The scoring of a search's trials.

    Attributes
    ----------
    scoring : object
        As for `GridSearchCV`.
    metric : str or None
        The metric to optimize if there are several; None selects the first.
    return_train_score : bool
        Whether the training parts are scored as well.
    objectives : sequence of dict, default=()
        Descriptions of the objectives and limits. Without any, journals have no such key.
    """

    scoring: Any
    metric: str | None
    return_train_score: bool
    objectives: Sequence[Any] = ()

    def describe(self) -> dict[str, Any]:
        """Return a description in JSON types."""
        return {
            "scoring": _describe_scoring(self.scoring),
            "metric": self.metric,
            "return_train_score": bool(self.return_train_score),
            **({"objectives": list(self.objectives)} if self.objectives else {}),
        }


def describe_study(
    estimator: Any,
    scoring: Scoring,
    space: Space,
    running: Any,
    splits: Any,
    *,
    source_studies: Sequence[Sequence[Trial]],
    error_score: Any,
    eval_set_from_split: bool,
    resource: Any = None,
) -> dict[str, Any]:
    """Return the description of a study for the header of its journal.

    Parameters
    ----------
    estimator : estimator object
        The estimator of the search.
    scoring : Scoring
    space : Space
    running : FitContext
    splits : FrozenSplits
    source_studies : sequence of sequence of Trial
        Source studies.
    error_score : object
        As for `GridSearchCV`.
    eval_set_from_split : bool
        Whether early stopping of boosters uses the test part of each split.
    resource : Resource or None, default=None
        The resource of the fidelities.

    Returns
    -------
    header : dict
        In JSON types.
    """
    fit_params = {
        f"{receiver}.{method}.{name}": value
        for receiver, methods in running.params.items()
        for method, values in methods.items()
        for name, value in values.items()
        if value is not None
    }
    tuned = set(space.names) | (set() if resource is None else {resource.name})
    # Journals of searches without early stopping have no such key.
    early_stopping = {"eval_set_from_split": True} if eval_set_from_split else {}
    study = {
        **early_stopping,
        "space": space.to_json(),
        "estimator": {
            "class": full_name(type(estimator)),
            "params": _own_params(estimator, tuned),
            **_kept_by_clones(estimator),
        },
        **scoring.describe(),
        "error_score": _describe(error_score),
        "data": {
            "X": _describe_data(running.X),
            "y": _describe_data(running.y),
            "fit_params": content_hash(fit_params),
        },
        "splits": {"n": len(splits.split()), "hash": splits.fingerprint},
        "previous_studies": [
            content_hash([(trial.point, trial.score) for trial in source])
            for source in source_studies
        ],
    }
    return study if resource is None else study | {"resource": resource.describe()}


def _describe_scoring(scoring: Any) -> Any:
    if isinstance(scoring, Mapping):
        return {str(name): value_to_json(scorer) for name, scorer in scoring.items()}
    if isinstance(scoring, list | tuple):
        return [value_to_json(scorer) for scorer in scoring]
    return value_to_json(scoring)


def check_scores(scoring: Scoring, earlier: tuple[Mapping[str, Any], Any]) -> None:
    """Raise ValueError if the scores of earlier and new trials are not comparable.

    Parameters
    ----------
    scoring : Scoring
    earlier : tuple (description, scoring)
        Description of the earlier `Scoring`, and its scorer.
    """
    description, scorer = earlier
    now = scoring.describe()
    if callable(scorer) and scorer is scoring.scoring:  # calls may change its state
        now["scoring"] = description["scoring"]
    changes = [
        f"{name} was {description.get(name)!r}, is {now.get(name)!r}"
        for name in {**description, **now}
        if now.get(name) != description.get(name)
    ]
    if changes:
        raise ValueError(
            "With warm_start=True, scoring, the metric in refit and return_train_score must be "
            f"those of the previous fit, but {'; '.join(changes)}: give the same ones, or set "
            "warm_start=False to start over."
        )


def _kept_by_clones(estimator: Any) -> dict[str, str]:
    """Return the hash of an estimator whose clones keep more than parameters, if it is one."""
    return {"content": content_hash(estimator)} if is_cloned_whole(estimator) else {}


def _own_params(estimator: Any, tuned: set[str]) -> dict[str, Any]:
    """Return descriptions of the fixed parameters, without those of replaced steps."""
    params = estimator.get_params(deep=True)
    own, listed = {}, list(params.values())
    for name, value in params.items():
        if any(name == other or name.startswith(f"{other}__") for other in tuned):
            continue
        owner = name.rpartition("__")[0]
        own[name] = _describe(_without_steps(value, owner, tuned & params.keys()), listed)
    return own


def _without_steps(value: Any, owner: str, tuned: set[str]) -> Any:
    """Return a list of named steps with None in place of the steps that trials replace."""
    if not isinstance(value, list):
        return value
    prefix = f"{owner}__" if owner else ""
    return [
        (step[0], None, *step[2:])
        if isinstance(step, tuple) and step and f"{prefix}{step[0]}" in tuned
        else step
        for step in value
    ]


def _is_listed(value: Any) -> bool:
    """Return whether a value is an estimator that its class and parameters describe."""
    is_one = hasattr(value, "get_params") and not isinstance(value, type)
    return is_one and not is_cloned_whole(value)


def _describe(value: Any, listed: Sequence[Any] = ()) -> Any:
    """Return the description of a parameter's value.

    Parameters
    ----------
    value : object
    listed : sequence of estimator
        Estimators whose parameters are described elsewhere; only their class is described.

    Returns
    -------
    description : object
        In JSON types.
    """
    shape = getattr(value, "shape", None)  # not a tuple for numpy's types
    if isinstance(shape, tuple) and shape:
        return _describe_data(value)
    if _is_listed(value) and any(value is each for each in listed):
        return full_name(type(value))
    if type(value) is list:
        return [_describe_part(item, listed) for item in value]
    if type(value) is tuple:
        return {"tuple": [_describe_part(item, listed) for item in value]}
    if type(value) is dict and all(isinstance(name, str) for name in value):
        return {"dict": {name: _describe_part(item, listed) for name, item in value.items()}}
    return value_to_json(value)


def _describe_part(value: Any, listed: Sequence[Any]) -> Any:
    has_parts = type(value) in {list, tuple, dict} or _is_listed(value)
    return _describe(value, listed) if has_parts else value_to_json(value)


def _describe_data(data: Any) -> Any:
    shape = getattr(data, "shape", None) or (len(data) if hasattr(data, "__len__") else None)
    return {
        "type": type(data).__name__,
        "shape": list(shape) if isinstance(shape, tuple) else shape,
        "hash": content_hash(data),
    }
