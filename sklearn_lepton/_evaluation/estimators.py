"""Parameters of an estimator."""

import inspect
from collections.abc import Mapping
from typing import Any

from sklearn.base import clone

from sklearn_lepton.space._frozen import thaw


def has_parameter(estimator: Any, name: str) -> bool:
    """Return whether an estimator, or one of its inner estimators, has a parameter.

    ``get_params`` of CatBoost lists only the given parameters, and LightGBM and XGBoost accept
    more than they list. Names that ``set_params`` takes therefore count, too.
    """
    if not hasattr(estimator, "get_params"):
        return False
    return name in estimator.get_params(deep=True) or refusal(estimator, {name: None}) is None


def refusal(estimator: Any, params: Mapping[str, Any]) -> Exception | None:
    """Return the error with which ``set_params`` refuses parameters; None if it takes them.

    Parameters
    ----------
    estimator : estimator object
        A clone of it is set, as for a fit.
    params : mapping of str to object
    """
    for name in params:
        if _is_of_missing_part(estimator, name):
            return ValueError(f"The estimator has no part with the parameter {name!r}.")
    try:
        clone(estimator).set_params(**clone(thaw(dict(params)), safe=False))
    except Exception as error:  # noqa: BLE001 - whatever the estimator raises
        return error
    return None


def _is_of_missing_part(estimator: Any, name: str) -> bool:
    """Return whether a name such as ``module__width`` is that of a network's part that is missing.

    Wrappers of networks pass parameters on to a part of the network. Their ``set_params`` takes
    any name with two underscores.
    """
    known = estimator.get_params(deep=True)
    owner, _, last = name.rpartition("__")
    while owner and not hasattr(known.get(owner), "get_params"):
        owner, _, part = owner.rpartition("__")
        last = f"{part}__{last}"
    parent = known[owner] if owner else estimator
    part, is_of_part, _ = last.partition("__")
    if not is_of_part or hasattr(parent, part):
        return False
    takes = inspect.signature(type(parent)).parameters.values()
    return any(p.kind is p.VAR_KEYWORD for p in takes)
