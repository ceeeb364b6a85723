"""What is checked and made ready before the first fit."""

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from sklearn_lepton._evaluation.estimators import has_parameter
from sklearn_lepton._validation import check_count, is_finite, is_real, is_whole, unknown_name
from sklearn_lepton.space._dimension import Categorical
from sklearn_lepton.space._space import Space
from sklearn_lepton.space._values import is_number

_TIME = "None or a number of seconds greater than 0"


def check_parameters(search: Any) -> None:
    """Refuse what is out of range before the first fit; scikit-learn checks its own."""
    check_count("n_points", search.n_points, least=1)
    stop, target, callbacks = search.n_iter_no_change, search.target_score, search.callbacks
    is_list = isinstance(callbacks, Sequence) and all(map(callable, callbacks))
    legal = {
        "n_iter": (is_whole(search.n_iter) and search.n_iter >= 1, "an integer of at least 1"),
        "fit_timeout": (_is_limit(search.fit_timeout), f"'auto', {_TIME}"),
        "max_time": (_is_time(search.max_time), _TIME),
        "n_iter_no_change": (
            stop is None or (is_whole(stop) and stop >= 1),
            "None or an integer of at least 1",
        ),
        "racing": (
            isinstance(search.racing, bool | np.bool_)
            or (isinstance(search.racing, str) and search.racing == "auto")
            or (is_real(search.racing) and 0 < search.racing < 1),
            "True, False, 'auto' or an error rate between 0 and 1",
        ),
        "cv": (
            search.n_splits_ >= 1,
            "None, a number of folds, or a splitter or list of (train, test) of at least one split",
        ),
        "cost_aware": (
            isinstance(search.cost_aware, bool | np.bool_)
            or (isinstance(search.cost_aware, str) and search.cost_aware == "auto"),
            "True, False or 'auto'",
        ),
        "asynchronous": (isinstance(search.asynchronous, bool | np.bool_), "True or False"),
        "eval_set_from_split": (
            isinstance(search.eval_set_from_split, bool | np.bool_),
            "True or False",
        ),
        "cache_steps": (isinstance(search.cache_steps, bool | np.bool_), "True or False"),
        "warm_start": (isinstance(search.warm_start, bool | np.bool_), "True or False"),
        "tol": (is_real(search.tol) and search.tol >= 0, "a number of at least 0"),
        "target_score": (
            target is None or is_number(target),
            "None or a number",
        ),
        "journal": (
            search.journal is None or isinstance(search.journal, str | os.PathLike),
            "None or the path of a file",
        ),
        "callbacks": (
            callbacks is None or callable(callbacks) or is_list,
            "None, a callable (search, trial), or a list of them",
        ),
    }
    for name, (is_legal, allowed) in legal.items():
        if not is_legal:
            msg = f"{name} must be {allowed}, got {getattr(search, name)!r}."
            raise ValueError(msg)


def _is_limit(value: Any) -> bool:
    return (isinstance(value, str) and value == "auto") or _is_time(value)


def _is_time(value: Any) -> bool:
    """Return whether it is a number of seconds that can be added to those of a clock."""
    is_limit = is_finite(value) or (is_real(value) and value == math.inf)
    return value is None or (is_limit and value > 0)


def check_names(space: Space, estimator: Any) -> None:
    """Refuse parameters that neither the estimator nor a choice for one of its steps has."""
    for branch in space.branches:
        for name in branch:
            if has_parameter(estimator, name):
                continue
            for other, column in branch.items():
                dimension = space.dimensions[column]
                if name.startswith(f"{other}__") and isinstance(dimension, Categorical):
                    inner = name[len(other) + 2 :]
                    if any(has_parameter(choice, inner) for choice in dimension.categories):
                        break
            else:
                raise ValueError(unknown_name(name, list(estimator.get_params(deep=True))))
