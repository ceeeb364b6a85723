"""Fingerprint: what a study is of, in JSON types, equal where trials can stand for each other."""

from collections.abc import Mapping, Sequence
from typing import Any

from sklearn_lepton._trials.ranking import metric_of
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.space._content import content_hash, full_name, is_cloned_whole
from sklearn_lepton.space._space import Space
from sklearn_lepton.space._values import value_to_json


def describe_study(
    search: Any,
    space: Space,
    running: Any,
    splits: Any,
    studies: Sequence[Sequence[Trial]],
    *,
    resource: Any = None,
) -> dict[str, Any]:
    """Describe, in JSON types, what a journal's trials are trials of.

    Parameters
    ----------
    search : BaseSearchCV
    space : Space
    running : RunningFit
    splits : FrozenSplits
    studies : sequence of sequence of Trial
        What the search learns from.
    resource : Resource or None, default=None
        What trials have little of first.

    Returns
    -------
    study : dict
        Equal for two searches whose trials can stand for each other.

    Raises
    ------
    ValueError
        If the splits cannot be made again.
    """
    if not splits.is_repeatable:
        raise ValueError(
            f"cv={search.cv!r} makes other splits each time, so that a journal could not be gone "
            "on with: give it a random_state, or set journal=None."
        )
    passed = {
        f"{receiver}.{method}.{name}": value
        for receiver, methods in running.params.items()
        for method, values in methods.items()
        for name, value in values.items()
        if value is not None
    }
    tuned = set(space.names) | (set() if resource is None else {resource.name})
    # Only where it is set: journals of before know nothing of it.
    of_boosters = {"eval_set_from_split": True} if search.eval_set_from_split else {}
    study = {
        **of_boosters,
        "space": space.to_json(),
        "estimator": {
            "class": full_name(type(search.estimator)),
            "params": _own_params(search.estimator, tuned),
            **_kept_by_clones(search.estimator),
        },
        **describe_scoring(search),
        "error_score": _describe(search.error_score),
        "data": {
            "X": _describe_data(running.X),
            "y": _describe_data(running.y),
            "fit_params": content_hash(passed),
        },
        "splits": {"n": search.n_splits_, "hash": splits.fingerprint},
        "previous_studies": [
            content_hash([(t.point, t.score) for t in study]) for study in studies
        ],
    }
    return study if resource is None else study | {"resource": resource.describe()}


def describe_scoring(search: Any) -> dict[str, Any]:
    """Describe, in JSON types, what the scores of a search are."""
    return {
        "scoring": _describe_scoring(search.scoring),
        "metric": metric_of(search.refit),
        "return_train_score": bool(search.return_train_score),
    }


def _describe_scoring(scoring: Any) -> Any:
    if isinstance(scoring, Mapping):
        return {str(name): value_to_json(scorer) for name, scorer in scoring.items()}
    if isinstance(scoring, list | tuple):
        return [value_to_json(scorer) for scorer in scoring]
    return value_to_json(scoring)


def check_scores(search: Any, before: tuple[Mapping[str, Any], Any]) -> None:
    """Refuse to go on from trials that have other scores than those to come.

    Parameters
    ----------
    search : BaseSearchCV
    before : tuple (description, scoring)
        The `describe_scoring` of those trials' search, and what it described.

    Raises
    ------
    ValueError
        If the scores are of something else, or train scores come or go.
    """
    there, scoring = before
    here = describe_scoring(search)
    if callable(scoring) and scoring is search.scoring:  # it may count its calls
        here["scoring"] = there["scoring"]
    changes = [f"{n} was {there[n]!r}, is {here[n]!r}" for n in here if here[n] != there[n]]
    if changes:
        raise ValueError(
            "With warm_start=True scoring, the metric that refit names and return_train_score must "
            f"be those of the fit before, but {'; '.join(changes)}: give the same ones, or set "
            "warm_start=False to start over."
        )


def _kept_by_clones(estimator: Any) -> dict[str, str]:
    """Describe what a clone keeps beside parameters, as that of a frozen estimator does."""
    return {"content": content_hash(estimator)} if is_cloned_whole(estimator) else {}


def _own_params(estimator: Any, tuned: set[str]) -> dict[str, Any]:
    """Describe the parameters that no trial sets, of steps that no trial replaces."""
    params = estimator.get_params(deep=True)
    own, listed = {}, list(params.values())
    for name, value in params.items():
        if any(name == other or name.startswith(f"{other}__") for other in tuned):
            continue
        owner = name.rpartition("__")[0]
        own[name] = _describe(_without_steps(value, owner, tuned & params.keys()), listed)
    return own


def _without_steps(value: Any, owner: str, tuned: set[str]) -> Any:
    """Take those steps out of a list of named steps that trials replace."""
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
    """Return whether an estimator is described by its class and parameters."""
    is_one = hasattr(value, "get_params") and not isinstance(value, type)
    return is_one and not is_cloned_whole(value)


def _describe(value: Any, listed: Sequence[Any] = ()) -> Any:
    """Describe a parameter.

    Parameters
    ----------
    value : object
    listed : sequence of estimator
        Those of which the parameters stand elsewhere: their class is enough.

    Returns
    -------
    description : object
        In JSON types.
    """
    shape = getattr(value, "shape", None)  # which numpy's types have too, but not as a tuple
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
