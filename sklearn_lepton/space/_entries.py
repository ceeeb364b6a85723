"""Entries of ``param_distributions``: the accepted forms of a parameter's values."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sklearn_lepton.space._dimension import Categorical, Dimension, Integer, Real
from sklearn_lepton.space._distribution import from_distribution

_PRIORS = ("uniform", "log-uniform", "int", "log-int")
_TRIPLE = 3  # length of (low, high, prior)


def as_dimension(name: str, values: Any) -> Dimension:
    """Return the dimension of one entry of ``param_distributions``.

    Parameters
    ----------
    name : str
        Name of the parameter, for error messages.
    values : object
        A dimension, a sequence of choices, a distribution, or a triple of two bounds and the name
        of a prior.

    Returns
    -------
    dimension : Dimension

    Raises
    ------
    TypeError
        If `values` has a different type, such as a number or a string.
    ValueError
        If `values` contains no value.
    """
    try:
        if isinstance(values, Dimension):
            return values
        if hasattr(values, "rvs"):
            return from_distribution(values)
        if isinstance(values, tuple) and len(values) == _TRIPLE and isinstance(values[2], str):
            triple = _from_triple(*values)
            if triple is not None:
                return triple
        return Categorical(_as_choices(values))
    except ValueError as error:
        msg = f"Parameter {name!r}: {error}"
        raise ValueError(msg) from error
    except TypeError as error:
        msg = f"Parameter {name!r}: {error}"
        raise TypeError(msg) from error


def _from_triple(low: Any, high: Any, prior: str) -> Dimension | None:
    """Return the dimension of a triple; None if it is a tuple of three choices."""
    if not all(np.isscalar(x) and not isinstance(x, str | bool) for x in (low, high)):
        return None
    if prior not in _PRIORS:
        letters = "".join(filter(str.isalpha, prior.lower())).replace("integer", "int")
        meant = [known for known in _PRIORS if known.replace("-", "") == letters]
        if meant:
            msg = f"{(low, high, prior)!r} is not a range: write the prior as {meant[0]!r}."
            raise ValueError(msg)
        return None
    kind = Integer if prior.endswith("int") else Real
    return kind(low, high, log=prior.startswith("log"))


def _as_choices(values: Any) -> Sequence[Any]:
    """Return choices as a sequence, or raise if they are not in a one-dimensional container."""
    sized = hasattr(values, "__len__") and hasattr(values, "__getitem__")
    if not sized or isinstance(values, str | bytes | Mapping) or hasattr(values, "get_params"):
        msg = (
            f"{values!r} (of type {type(values).__name__}) is not a set of values. Give a list "
            f"of choices such as [{values!r}], a scipy.stats distribution, Real, Integer, "
            "Categorical or a triple such as (1e-3, 1.0, 'log-uniform')."
        )
        raise TypeError(msg)
    if getattr(values, "ndim", 1) != 1:
        msg = f"an array of {values.ndim} dimensions was given: choices need exactly one."
        raise ValueError(msg)
    return values if isinstance(values, range) else list(values)
