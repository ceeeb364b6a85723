"""What is checked and made ready before the first fit."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sklearn_lepton._values import is_real, is_whole, unknown_name
from sklearn_lepton.optimizers._base import check_count
from sklearn_lepton.space import Categorical, Space

_TIME = "None or a number of seconds greater than 0"


def check_parameters(search: Any) -> None:
    """Refuse what is out of range before the first fit; scikit-learn checks its own."""
    check_count("n_points", search.n_points, least=1)
    stop, target, callbacks = search.n_iter_no_change, search.target_score, search.callbacks
    is_list = isinstance(callbacks, Sequence) and all(map(callable, callbacks))
    legal = {
        "n_iter": (is_whole(search.n_iter) and search.n_iter >= 1, "an integer of at least 1"),
        "fit_timeout": (_is_time(search.fit_timeout), _TIME),
        "max_time": (_is_time(search.max_time), _TIME),
        "n_iter_no_change": (
            stop is None or (is_whole(stop) and stop >= 1),
            "None or an integer of at least 1",
        ),
        "asynchronous": (isinstance(search.asynchronous, bool | np.bool_), "True or False"),
        "warm_start": (isinstance(search.warm_start, bool | np.bool_), "True or False"),
        "tol": (is_real(search.tol) and search.tol >= 0, "a number of at least 0"),
        "target_score": (
            target is None or (is_real(target) and not np.isnan(target)),
            "None or a number",
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


def _is_time(value: Any) -> bool:
    return value is None or (is_real(value) and value > 0)


def check_names(space: Space, estimator: Any) -> None:
    """Refuse parameters that neither the estimator nor a choice for one of its steps has."""
    known = estimator.get_params(deep=True)
    for branch in space.branches:
        for name in branch:
            if name in known:
                continue
            for other, column in branch.items():
                dimension = space.dimensions[column]
                if name.startswith(f"{other}__") and isinstance(dimension, Categorical):
                    inner = name[len(other) + 2 :]
                    if any(
                        hasattr(choice, "get_params") and inner in choice.get_params(deep=True)
                        for choice in dimension.categories
                    ):
                        break
            else:
                raise ValueError(unknown_name(name, list(known)))


def initial_settings(given: Any, estimator: Any, space: Space) -> list[dict[str, Any]]:
    """Complete ``initial_params`` by the estimator's own parameters."""
    if given is None:
        return []
    defaults = estimator.get_params(deep=True)
    if isinstance(given, str) and given == "default":
        return [space.complete({}, defaults)]
    settings_given = [given] if isinstance(given, Mapping) else given
    if not isinstance(settings_given, Sequence) or not all(
        isinstance(s, Mapping) for s in settings_given
    ):
        msg = (
            "initial_params must be 'default', None, a dict of parameters or a list of "
            f"dicts, got {given!r}."
        )
        raise ValueError(msg)
    settings = []
    for number, params in enumerate(settings_given):
        try:
            settings.append(space.complete(params, defaults))
        except ValueError as error:
            msg = f"initial_params[{number}] does not lie in the space. {error}"
            raise ValueError(msg) from error
    return settings
