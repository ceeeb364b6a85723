"""Parameters of an estimator."""

import inspect
from typing import Any

from sklearn.base import clone


def has_parameter(estimator: Any, name: str) -> bool:
    """Return whether an estimator, or one of its inner estimators, has a parameter.

    ``get_params`` of CatBoost lists only the given parameters, and LightGBM and XGBoost accept
    more than they list. Arguments of the constructor therefore count, too. Wrappers of neural
    networks pass on parameters of a part of the network, such as ``module__width``.
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
    """Return whether ``set_params`` accepts a parameter."""
    try:
        clone(estimator).set_params(**{name: None})
    except (AttributeError, TypeError, ValueError):
        return False
    return True
