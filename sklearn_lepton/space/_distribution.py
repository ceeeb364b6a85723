"""Dimensions with the values of a distribution, and dimensions from JSON."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.stats

from sklearn_lepton._validation import is_real
from sklearn_lepton.space._content import (
    FAMILIES,
    content_of,
    distribution_parts,
    own_state,
    python_scalar,
)
from sklearn_lepton.space._dimension import Categorical, Dimension, FloatArray, Integer, Real
from sklearn_lepton.space._values import (
    opaque_to_json,
    shorten_text,
    text_of,
    value_from_json,
    value_to_json,
)

# Probability that is cut off at each unbounded end of a distribution.
_TAIL = 1e-6
_MAX_TABLE = 2**16  # values of a discrete distribution
# Probability that a table of the lowest values must have; otherwise it spans the quantiles.
_MIN_TABLE = 0.5
_N_DRAWS = 1024  # from an object without a quantile function
_MAX_CHARACTERS = 200  # of a description


class Distribution(Dimension):
    """Values of a `scipy.stats` distribution, mapped by its quantile function.

    The position in the unit interval is the cumulative probability. An unbounded tail is cut off
    at a probability of 1e-6.

    Parameters
    ----------
    dist : frozen distribution
        An object with the methods ``rvs``, ``ppf`` and, preferably, ``cdf``.

    Raises
    ------
    ValueError
        If the distribution has no finite quantiles.

    Examples
    --------
    >>> from scipy.stats import norm
    >>> from sklearn_lepton.space import Distribution
    >>> Distribution(norm(loc=3.0)).from_unit(0.5)
    3.0
    """

    def __init__(self, dist: Any) -> None:
        self.dist = dist
        quantiles = self._quantiles([0.0, 0.25, 0.5, 0.75, 1.0])
        if not np.isfinite(quantiles[1:4]).all():
            msg = (
                f"the distribution {_describe_distribution(dist)} has no values in its range: "
                f"its quartiles are {quantiles[1:4].tolist()}. Check its parameters."
            )
            raise ValueError(msg)
        self._from = 0.0 if np.isfinite(quantiles[0]) else _TAIL
        self._to = 1.0 if np.isfinite(quantiles[4]) else 1 - _TAIL
        self.values: list[Any] | None = None
        if hasattr(dist, "pmf"):
            self._tabulate()
        else:
            # Quantile functions may be inexact at their ends and not quite monotone.
            self._low, self._high = self._quantiles([self._from, self._to]).tolist()

    def _quantiles(self, probabilities: npt.ArrayLike) -> FloatArray:
        """Return quantiles of the distribution."""
        return np.asarray(self.dist.ppf(probabilities), dtype=float)

    def _tabulate(self) -> None:
        """Set the values of a discrete distribution and the edges of their cells."""
        low, high = map(float, self.dist.support())
        values = getattr(getattr(self.dist, "dist", self.dist), "xk", None)
        if values is None and np.isfinite(low):
            values = low + np.arange(int(min(high - low + 1, _MAX_TABLE)))
        if values is None or np.sum(self.dist.pmf(values)) < _MIN_TABLE:
            # Only if necessary: quantiles of a long tail can take scipy very long.
            low, high = self._quantiles([_TAIL, 1 - _TAIL])
            values = np.rint(np.linspace(low, high, int(min(high - low + 1, _MAX_TABLE))))
        weights = np.asarray(self.dist.pmf(values), dtype=float)
        keep = weights > 1e-9 * weights.max()
        edges = np.cumsum(weights[keep])
        self._edges = np.concatenate([[0.0], edges / edges[-1]])
        self.values = [int(v) if v == int(v) else float(v) for v in np.asarray(values)[keep]]

    @property
    def n_values(self) -> float:
        """Number of values of a discrete distribution, otherwise infinite."""
        return math.inf if self.values is None else float(len(self.values))

    def to_unit(self, value: Any) -> float:
        """Return the cumulative probability of a value."""
        value = python_scalar(value)
        if not is_real(value):
            msg = f"{value!r} is not a number; allowed is {self!r}."
            raise ValueError(msg)
        if self.values is not None:
            if value not in self.values:
                msg = f"{value!r} is not a value of {self!r}."
                raise ValueError(msg)
            position = self.values.index(value)
            return float((self._edges[position] + self._edges[position + 1]) / 2)
        if not self._low <= value <= self._high:
            msg = f"{value!r} lies outside [{self._low!r}, {self._high!r}], the range of {self!r}."
            raise ValueError(msg)
        unit = (self._probability(float(value)) - self._from) / (self._to - self._from)
        return float(min(max(unit, 0.0), 1.0))

    def _probability(self, value: float) -> float:
        """Return the cumulative probability, by bisection if there is no ``cdf``."""
        if hasattr(self.dist, "cdf"):
            return float(self.dist.cdf(value))
        low, high = self._from, self._to
        for _ in range(60):  # to the last bit
            middle = (low + high) / 2
            if self._quantiles(middle) < value:
                low = middle
            else:
                high = middle
        return (low + high) / 2

    def validate(self, value: Any) -> Any:
        """Return the value as a Python number; raise ValueError if it is not allowed."""
        self.to_unit(value)
        return float(value) if self.values is None else python_scalar(value)

    def from_unit(self, unit: float) -> Any:
        """Return the quantile of a probability."""
        if self.values is not None:
            return self.values[int(self._index(np.asarray(unit, dtype=float)))]
        if min(unit, 1 - unit) < 1e-9:  # scipy's root finders fail here, with a warning
            return self._low if unit < 0.5 else self._high
        value = float(self._quantiles((1 - unit) * self._from + unit * self._to))
        return min(max(value, self._low), self._high)

    def _index(self, units: FloatArray) -> npt.NDArray[np.intp]:
        """Return the cells of positions."""
        return np.searchsorted(self._edges[1:-1], units, side="right")

    def snap(self, units: FloatArray) -> FloatArray:
        """Return positions; those of a discrete distribution move to the centres of their cells."""
        if self.values is None:
            return units
        position = self._index(units)
        centres: FloatArray = (self._edges[position] + self._edges[position + 1]) / 2
        return centres

    def to_json(self) -> dict[str, Any]:
        """Return name and arguments in JSON types; only `scipy.stats` names can be decoded."""
        family, args, kwds = distribution_parts(self.dist)
        name = _name_in_scipy(family)
        if name is None:
            content = content_of(self.dist)
            known = content.hash if content.is_certain else None
            text = _describe_distribution(self.dist)
            return {"distribution": None, **opaque_to_json(text, known)}
        return {
            "distribution": name,
            "args": [value_to_json(value) for value in args],
            "kwds": {key: value_to_json(value) for key, value in kwds.items()},
        }

    def __eq__(self, other: object) -> bool:
        """Compare the contents of the distributions."""
        if not isinstance(other, Distribution):
            return False
        content = content_of(self.dist)
        is_same = content.is_certain and content == content_of(other.dist)
        return self.dist is other.dist or is_same

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Return the text of the distribution with its arguments."""
        return f"Distribution({_describe_distribution(self.dist)})"


def from_distribution(dist: Any) -> Dimension:
    """Return the dimension of an object with ``rvs``, as `Real` or `Integer` if possible."""
    if not hasattr(dist, "ppf"):
        # Only samples are available: the choices are the values of a sample.
        rng = np.random.RandomState(0)
        drawn = [_check_draw(dist, dist.rvs(random_state=rng)) for _ in range(_N_DRAWS)]
        try:
            return Categorical(sorted(drawn))
        except TypeError:
            return Categorical(drawn)
    if isinstance(dist, FAMILIES) and dist.shapes:
        msg = (
            f"scipy.stats.{dist.name} needs its parameters, {dist.shapes}: give a frozen "
            f"distribution, {dist.name}({dist.shapes})."
        )
        raise ValueError(msg)
    _check_draw(dist, dist.ppf(0.5))
    family = _name_in_scipy(distribution_parts(dist)[0])
    if family in {"uniform", "loguniform", "reciprocal", "randint"}:
        low, high = (python_scalar(bound) for bound in dist.support())
        if family == "randint" and low <= high:
            return Integer(low, high)
        if family == "uniform" and low < high:
            return Real(low, high)
        # With ``loc`` a log-uniform distribution is shifted, which its median reveals.
        if 0 < low < high and math.isclose(dist.ppf(0.5), math.sqrt(low) * math.sqrt(high)):
            return Real(low, high, log=True)
    return Distribution(dist)


def _check_draw(dist: Any, value: Any) -> Any:
    """Return a drawn value, or raise if it is a list or an array of values."""
    if isinstance(value, list) or (isinstance(value, np.ndarray) and value.ndim > 0):
        msg = (
            f"one draw from {_describe_distribution(dist)} is {shorten_text(text_of(value), 60)}, "
            "which is not one value: give a distribution of single values (a value that is a "
            "sequence must be a tuple), or a list of choices."
        )
        raise TypeError(msg)
    return python_scalar(value)


def dimension_from_json(name: str, data: Mapping[str, Any]) -> Dimension:
    """Return the dimension that ``to_json`` of a dimension encoded."""
    if "real" in data:
        return Real(*data["real"], log=data["log"])
    if "integer" in data:
        return Integer(*data["integer"], log=data["log"])
    if "categorical" in data:
        values = map(value_from_json, data["categorical"])
        return Categorical(values, ordered=data["ordered"], weights=data.get("weights"))
    family = getattr(scipy.stats, str(data["distribution"]), None)
    if not isinstance(family, FAMILIES):
        msg = f"Parameter {name!r}: {data} is not a distribution of scipy.stats."
        raise ValueError(msg)
    args = [value_from_json(value) for value in data["args"]]
    kwds = {key: value_from_json(value) for key, value in data["kwds"].items()}
    return Distribution(family(*args, **kwds))


def _name_in_scipy(family: Any) -> str | None:
    """Return the name of a family in `scipy.stats`; None if it is not defined there."""
    name = getattr(family, "name", None)
    known = getattr(scipy.stats, name, None) if isinstance(name, str) else None
    return name if isinstance(family, FAMILIES) and type(known) is type(family) else None


def _describe_distribution(dist: Any) -> str:
    """Return a readable description of a distribution, which may not be unique."""
    family, args, kwds = distribution_parts(dist)
    if not isinstance(family, FAMILIES):
        return shorten_text(text_of(family), _MAX_CHARACTERS)
    name, state = _name_in_scipy(family), dict[str, Any]()
    if name is None:
        kind, state = type(family), dict(own_state(family))
        module = "scipy.stats" if kind.__module__.startswith("scipy.stats.") else kind.__module__
        name = f"{module}.{kind.__qualname__}"
    named = (f"{key}={text_of(value)}" for key, value in {**state, **kwds}.items())
    return f"{name}({shorten_text(', '.join([*map(text_of, args), *named]), _MAX_CHARACTERS)})"
