"""Checks of a search's parameters before the first fit."""

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np

from sklearn_lepton._evaluation.estimators import has_parameter, refusal
from sklearn_lepton._evaluation.sklearn import SEARCH_CONSTRAINTS, Allowed
from sklearn_lepton._validation import is_finite, is_real, is_whole, unknown_name
from sklearn_lepton.optimizers._registry import OPTIMIZERS
from sklearn_lepton.space._dimension import Categorical
from sklearn_lepton.space._space import Space
from sklearn_lepton.space._values import is_number

_TIME = "None or a number of seconds greater than 0"


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool | np.bool_)


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == "auto"


def _is_at_least(value: Any, minimum: int) -> bool:
    return is_whole(value) and is_finite(value) and value >= minimum


def _is_word_or_flag(value: Any) -> bool:
    return _is_flag(value) or _is_auto(value)


def _are_callbacks(value: Any) -> bool:
    is_list = isinstance(value, Sequence) and all(map(callable, value))
    return value is None or callable(value) or is_list


def _is_default(value: Any) -> bool:
    return isinstance(value, str) and value == "default"


def _are_params(value: Any, may_be: Callable[[Any], bool] = lambda _: False) -> bool:
    """Return whether a value is None, a dict or a list of dicts, or of others that may be there."""
    listed = [] if value is None else [value] if isinstance(value, Mapping) else value
    is_list = isinstance(listed, Sequence) and not isinstance(listed, str)
    return is_list and all(isinstance(each, Mapping) or may_be(each) for each in listed)


def _are_fresh_splits(value: Any) -> bool:
    is_splits = hasattr(value, "get_n_splits") or isinstance(value, Iterable)
    return value is None or _is_at_least(value, 2) or (is_splits and not isinstance(value, str))


def _is_nan_or_raise(value: Any) -> bool:
    return (is_real(value) and not is_number(value)) or (
        isinstance(value, str) and value == "raise"
    )


def _is_limit(value: Any) -> bool:
    return _is_auto(value) or _is_time(value)


def _is_time(value: Any) -> bool:
    """Return whether a value is None or a positive number of seconds."""
    is_limit = is_finite(value) or (is_real(value) and value == math.inf)
    return value is None or (is_limit and value > 0)


def count(minimum: int) -> list[Any]:
    """Return the constraints of an integer with a minimum, or "auto"."""
    description = f"'auto' or an integer of at least {minimum}"
    return [Allowed(lambda value: _is_auto(value) or _is_at_least(value, minimum), description)]


# Constraints of the `optimizer`.
OPTIMIZER = [
    Allowed(
        lambda value: isinstance(value, str) or callable(value),
        f"one of {str(list(OPTIMIZERS))[1:-1]}, or a class or function that makes an optimizer",
    )
]
# Constraints of a parameter that is True or False.
FLAG = [Allowed(_is_flag, "True or False")]
# A check and a description of the legal values for each parameter of the searches.
_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "fit_timeout": (_is_limit, f"'auto', {_TIME}"),
    "max_time": (_is_time, _TIME),
    "n_iter_no_change": (
        lambda value: value is None or _is_at_least(value, 1),
        "None or an integer of at least 1",
    ),
    "racing": (
        lambda value: _is_word_or_flag(value) or (is_real(value) and 0 < value < 1),
        "True, False, 'auto' or an error rate between 0 and 1",
    ),
    "cost_aware": (_is_word_or_flag, "True, False or 'auto'"),
    "tol": (lambda value: is_real(value) and value >= 0, "a number of at least 0"),
    "target_score": (lambda value: value is None or is_number(value), "None or a number"),
    "journal": (
        lambda value: value is None or isinstance(value, str | os.PathLike),
        "None or the path of a file",
    ),
    "callbacks": (_are_callbacks, "None, a callable (search, trial), or a list of them"),
    "resource": (
        lambda value: value is None or isinstance(value, str),
        "None, 'n_samples' or the name of an integer parameter of the estimator",
    ),
    "complexity": (
        lambda value: value is None or isinstance(value, str) or callable(value),
        "None, the name of a parameter or a callable that returns a number for the parameters",
    ),
    "final_cv": (
        _are_fresh_splits,
        "None, an integer of at least 2, a cross-validation generator or an iterable of splits",
    ),
    "initial_params": (
        lambda value: _is_default(value) or _are_params(value, _is_default),
        "'default', None, a dict of parameters or a list of dicts",
    ),
}
# Constraints of the parameters that all searches have.
CONSTRAINTS: dict[str, Any] = {
    **SEARCH_CONSTRAINTS,
    **{name: [Allowed(*rule)] for name, rule in _RULES.items()},
    **dict.fromkeys(
        (
            "asynchronous",
            "cache_steps",
            "eval_set_from_split",
            "return_estimators",
            "return_predictions",
            "warm_start",
        ),
        FLAG,
    ),
    **dict.fromkeys(
        ("n_iter", "n_points", "n_initial_points", "min_resources", "max_resources"), count(1)
    ),
    "random_state": ["random_state"],
    # `Space` and the readers of studies and objectives know what they can read.
    **dict.fromkeys(
        ("param_distributions", "param_grid", "previous_studies", "objectives"), "no_validation"
    ),
}
# Those of `tune`.
OF_TUNE: dict[str, Any] = CONSTRAINTS | {
    "function": [Allowed(callable, "a callable")],
    "space": "no_validation",
    "optimizer": OPTIMIZER,
    "n_jobs": [Integral, None],
    "minimize": FLAG,
    "error_score": [Allowed(_is_nan_or_raise, "nan or 'raise'")],
    "initial_params": [Allowed(_are_params, "None, a dict or a list of dicts")],
    "target_value": CONSTRAINTS["target_score"],
    "resource": "no_validation",  # its reader checks the pair
}


def check_n_splits(n_splits: int, cv: Any) -> None:
    """Raise ValueError if `cv` makes no split."""
    if n_splits < 1:
        raise ValueError(
            "No fits were performed. Was the CV iterator empty? Were there no candidates? "
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
                owners = (other for other in branch if has_parameter(middle[other], name))
                hint = "".join(f" Write {owner}__{name} for that of {owner}." for owner in owners)
                raise ValueError(f"{unknown_name(name, list(known))}{hint}") from error


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
