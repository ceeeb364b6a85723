"""Check of ranges of real numbers for parameters that take integers."""

import math
from collections.abc import Mapping
from typing import Any

from sklearn_lepton._evaluation.sklearn import accepts
from sklearn_lepton.space._dimension import Categorical, Dimension, Real
from sklearn_lepton.space._space import Space

# Positions of values that are tried: some parameters take integers and shares up to 1.
_PROBES = (0.0, 1e-4, 0.13, 0.29, 0.5, 0.71, 0.87, 1.0)


def check_ranges(space: Space, estimator: Any) -> None:
    """Raise ValueError for a range of real numbers where scikit-learn takes integers only.

    All fits would fail, each with an error about another number.

    Parameters
    ----------
    space : Space
    estimator : estimator object
    """
    params = estimator.get_params(deep=True)
    for branch in space.branches:
        for name, column in branch.items():
            dimension = space.dimensions[column]
            if not math.isinf(dimension.n_values):
                continue
            owner, _, parameter = name.rpartition("__")
            owners = _estimators(owner, branch, space, params) if owner else [estimator]
            if owners and all(_takes_integers(each, parameter, dimension) for each in owners):
                raise ValueError(_message(name, owners[0], dimension))


def _estimators(
    name: str, branch: Mapping[str, int], space: Space, params: Mapping[str, Any]
) -> list[Any]:
    """Return the estimators that a parameter may have: its choices, or its own value."""
    dimension = space.dimensions[branch[name]] if name in branch else None
    choices = dimension.categories if isinstance(dimension, Categorical) else [params.get(name)]
    return [choice for choice in choices if hasattr(choice, "get_params")]


def _takes_integers(estimator: Any, name: str, dimension: Dimension) -> bool:
    """Return whether an estimator refuses all values of a range, and takes some if rounded."""
    values = [dimension.from_unit(unit) for unit in _PROBES]
    if not all(isinstance(value, float) for value in values):
        return False
    return not any(accepts(estimator, name, value) for value in values) and any(
        accepts(estimator, name, round(value)) for value in values
    )


def _message(name: str, estimator: Any, dimension: Dimension) -> str:
    """Return the error message for a range of real numbers."""
    remedy = "Integer(low, high) or scipy.stats.randint(low, high + 1)"
    if isinstance(dimension, Real) and math.ceil(dimension.low) <= math.floor(dimension.high):
        low, high = math.ceil(dimension.low), math.floor(dimension.high)
        prior = "log-int" if dimension.log else "int"
        log = ", log=True" * dimension.log
        remedy = f"Integer({low}, {high}{log}) or {(low, high, prior)!r}"
    return (
        f"Parameter {name!r}: {type(estimator).__name__} takes integers only, and {dimension!r} "
        f"has real numbers such as {dimension.from_unit(0.5):.4g}: give {remedy}."
    )
