"""Checks of a search's parameters before the first fit."""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from sklearn_lepton._evaluation.estimators import refusal
from sklearn_lepton._validation import check_count, is_finite, is_real, is_whole, unknown_name
from sklearn_lepton.space._dimension import Categorical
from sklearn_lepton.space._space import Space
from sklearn_lepton.space._values import is_number

_TIME = "None or a number of seconds greater than 0"


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool | np.bool_)


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == "auto"


def _is_word_or_flag(value: Any) -> bool:
    return _is_flag(value) or _is_auto(value)


def _are_callbacks(value: Any) -> bool:
    is_list = isinstance(value, Sequence) and all(map(callable, value))
    return value is None or callable(value) or is_list


def _is_limit(value: Any) -> bool:
    return _is_auto(value) or _is_time(value)


def _is_time(value: Any) -> bool:
    """Return whether a value is None or a positive number of seconds."""
    is_limit = is_finite(value) or (is_real(value) and value == math.inf)
    return value is None or (is_limit and value > 0)


# A check and a description of the legal values for each parameter, in the order of the checks.
_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "n_iter": (
        lambda value: _is_auto(value) or (is_whole(value) and value >= 1),
        "'auto' or an integer of at least 1",
    ),
    "fit_timeout": (_is_limit, f"'auto', {_TIME}"),
    "max_time": (_is_time, _TIME),
    "n_iter_no_change": (
        lambda value: value is None or (is_whole(value) and value >= 1),
        "None or an integer of at least 1",
    ),
    "racing": (
        lambda value: _is_word_or_flag(value) or (is_real(value) and 0 < value < 1),
        "True, False, 'auto' or an error rate between 0 and 1",
    ),
    "cost_aware": (_is_word_or_flag, "True, False or 'auto'"),
    "asynchronous": (_is_flag, "True or False"),
    "eval_set_from_split": (_is_flag, "True or False"),
    "cache_steps": (_is_flag, "True or False"),
    "warm_start": (_is_flag, "True or False"),
    "tol": (lambda value: is_real(value) and value >= 0, "a number of at least 0"),
    "target_score": (lambda value: value is None or is_number(value), "None or a number"),
    "journal": (
        lambda value: value is None or isinstance(value, str | os.PathLike),
        "None or the path of a file",
    ),
    "callbacks": (_are_callbacks, "None, a callable (search, trial), or a list of them"),
}


def check_parameters(params: Mapping[str, Any]) -> None:
    """Raise ValueError for a parameter that is out of range, before the first fit.

    Parameters
    ----------
    params : mapping of str to object
        Parameters of a search or of `tune`; names without a rule are ignored.
    """
    check_count("n_points", params["n_points"], minimum=1)
    for name, (is_legal, allowed) in _RULES.items():
        if name in params and not is_legal(params[name]):
            msg = f"{name} must be {allowed}, got {params[name]!r}."
            raise ValueError(msg)


def check_n_splits(n_splits: int, cv: Any) -> None:
    """Raise ValueError if `cv` makes no split."""
    if n_splits < 1:
        raise ValueError(
            "cv must be None, a number of folds, or a splitter or list of (train, test) of at "
            f"least one split, got {cv!r}."
        )


def check_names(space: Space, estimator: Any) -> None:
    """Raise ValueError for a name that ``set_params`` of the estimator refuses.

    Choices for a step count, too: a name may be that of a parameter of one of them.
    """
    known = estimator.get_params(deep=True)
    for branch in space.branches:
        middle = {name: space.dimensions[column].from_unit(0.5) for name, column in branch.items()}
        unlisted = [name for name in branch if name not in known]
        if not unlisted or refusal(estimator, middle) is None:
            continue
        for name in unlisted:
            error = refusal(estimator, {name: middle[name]})
            if error is not None and not _has_choice_with(name, middle, branch, space, estimator):
                raise ValueError(unknown_name(name, list(known))) from error


def _has_choice_with(
    name: str,
    middle: Mapping[str, Any],
    branch: Mapping[str, int],
    space: Space,
    estimator: Any,
) -> bool:
    """Return whether a choice for a step has a parameter."""
    owners = [other for other in branch if name.startswith(f"{other}__")]
    given = {other: middle[other] for other in (*owners, name)}
    return any(
        refusal(estimator, {**given, owner: choice, name: middle[name]}) is None
        for owner in owners
        if isinstance(dimension := space.dimensions[branch[owner]], Categorical)
        for choice in dimension.categories
    )
