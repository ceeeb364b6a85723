"""Questions about the parameters of an estimator."""

import inspect
from typing import Any

from sklearn.base import clone


def has_parameter(estimator: Any, name: str) -> bool:
    """Say whether an estimator, or one in it, has a parameter.

    CatBoost lists only those that were given, and LightGBM and XGBoost take others than
    they list; what their constructors take counts, too. Wrappers of neural networks hand
    on what belongs to a part of the network, such as ``module__width``.
    """
    if not hasattr(estimator, "get_params"):
        return False
    known = estimator.get_params(deep=True)
    if name in known:
        return True
    owner, _, last = name.rpartition("__")
    while owner and not hasattr(known.get(owner), "get_params"):
        owner, _, part = owner.rpartition("__")
        last = f"{part}__{last}"
    parent = known[owner] if owner else estimator
    takes = inspect.signature(type(parent)).parameters.values()
    if any(p.name == last for p in takes):
        return True
    part, is_of_part, _ = last.partition("__")
    is_open = any(p.kind is p.VAR_KEYWORD for p in takes)
    return is_open and (not is_of_part or hasattr(parent, part)) and _can_set(parent, last)


def _can_set(estimator: Any, name: str) -> bool:
    try:
        clone(estimator).set_params(**{name: None})
    except (AttributeError, TypeError, ValueError):
        return False
    return True
