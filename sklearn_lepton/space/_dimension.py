"""Dimensions: the values of one parameter and their map to the unit interval."""

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sklearn_lepton._validation import is_finite, is_real, is_whole
from sklearn_lepton.space._content import have_same_content, plain
from sklearn_lepton.space._frozen import thaw
from sklearn_lepton.space._values import (
    Opaque,
    alike,
    distinct,
    is_monotone,
    same,
    shorten,
    text_of,
    value_to_json,
)

FloatArray = npt.NDArray[np.float64]

# Cells of a log-integer this far out are still wider than the rounding of a double.
_LARGEST_INTEGER = 10**13


def _check_bound(kind: str, name: str, bound: Any) -> None:
    if not is_finite(bound):
        msg = f"{kind} needs finite numbers as bounds, got {name}={bound!r}."
        raise ValueError(msg)


def _check_order(kind: str, low: float, high: float, *, log: bool, least: float) -> None:
    if low > high:
        msg = f"{kind} needs low <= high, got low={low!r} and high={high!r}: swap them."
        raise ValueError(msg)
    if log and low < least:
        allowed = "low >= 1" if least == 1 else "low > 0"
        msg = f"{kind} with log=True needs {allowed}, got low={low!r}: raise it or use log=False."
        raise ValueError(msg)


class Dimension(ABC):
    """The values that one parameter may take, mapped onto the unit interval.

    Attributes
    ----------
    n_values : float
        Number of different values; infinite where they are continuous.
    is_categorical : bool
        Whether the values are choices without an order.

    Examples
    --------
    >>> from sklearn_lepton.space import Dimension, Real
    >>> dimension: Dimension = Real(0.0, 4.0)
    >>> dimension.from_unit(0.25), dimension.to_unit(1.0), dimension.holds(5.0)
    (1.0, 0.25, False)
    """

    is_categorical: bool = False

    @property
    @abstractmethod
    def n_values(self) -> float:
        """Number of different values; infinite where they are continuous."""

    @abstractmethod
    def to_unit(self, value: Any) -> float:
        """Map a legal value to its place in [0, 1]; ValueError if it is not legal."""

    @abstractmethod
    def from_unit(self, unit: float) -> Any:
        """Map a place in [0, 1] to the value that is evaluated there."""

    @abstractmethod
    def snap(self, units: FloatArray) -> FloatArray:
        """Move places in [0, 1], of any shape, to those of the values they stand for."""

    def legal(self, value: Any) -> Any:
        """Return the value as the search hands it out; ValueError if it is not legal."""
        self.to_unit(value)
        return float(value)

    def holds(self, value: Any) -> bool:
        """Say whether a value is legal."""
        try:
            self.to_unit(value)
        except ValueError:
            return False
        return True

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Encode the dimension in JSON types."""


@dataclass(frozen=True)
class Real(Dimension):
    """Real numbers between two bounds, both included.

    Parameters
    ----------
    low, high : float
        Bounds, finite, ``low <= high``.
    log : bool, default=False
        Whether the logarithm is uniform; needs ``low > 0``.

    Raises
    ------
    ValueError
        If a bound is not a finite number, low is above high, or a log scale
        reaches zero.

    Examples
    --------
    >>> from sklearn_lepton import Real
    >>> round(Real(1e-3, 1e3, log=True).from_unit(0.5), 6)
    1.0
    """

    low: float
    high: float
    log: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            _check_bound("Real", name, getattr(self, name))
            object.__setattr__(self, name, float(getattr(self, name)))
        _check_order("Real", self.low, self.high, log=self.log, least=5e-324)

    @property
    def n_values(self) -> float:
        """1 where both bounds are equal, else infinite."""
        return 1.0 if self.low == self.high else math.inf

    def to_unit(self, value: Any) -> float:
        """Map a number to [0, 1]."""
        value = plain(value)
        if not is_real(value):
            msg = f"{value!r} is not a number; allowed is {self!r}."
            raise ValueError(msg)
        if not self.low <= value <= self.high:
            msg = f"{value!r} lies outside [{self.low!r}, {self.high!r}]."
            raise ValueError(msg)
        if self.low == self.high:
            return 0.5
        if value in (self.low, self.high):
            return float(value == self.high)
        if self.log:
            span = math.log(self.high) - math.log(self.low)
            unit = (math.log(value) - math.log(self.low)) / span
        else:  # halves, because high - low may overflow
            unit = (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        return min(max(unit, 0.0), 1.0)

    def from_unit(self, unit: float) -> float:
        """Map [0, 1] to a number."""
        if unit in (0.0, 1.0):
            return self.high if unit else self.low
        if self.log:
            value = math.exp((1 - unit) * math.log(self.low) + unit * math.log(self.high))
        else:
            value = (1 - unit) * self.low + unit * self.high
        return min(max(value, self.low), self.high)

    def snap(self, units: FloatArray) -> FloatArray:
        """Return the places as they are: every one is a value of its own."""
        return units if self.low < self.high else np.full_like(units, 0.5)

    def to_json(self) -> dict[str, Any]:
        """Encode the dimension in JSON types."""
        return {"real": [self.low, self.high], "log": self.log}


@dataclass(frozen=True)
class Integer(Dimension):
    """Integers between two bounds, both included.

    Parameters
    ----------
    low, high : int
        Bounds, ``low <= high``, at most 1e13 in size.
    log : bool, default=False
        Whether the logarithm is uniform; needs ``low >= 1``.

    Raises
    ------
    ValueError
        If a bound is not an integer or too large, low is above high, or a log
        scale reaches zero.

    Examples
    --------
    >>> from sklearn_lepton import Integer
    >>> [Integer(1, 4).from_unit(unit) for unit in (0.0, 0.3, 0.6, 1.0)]
    [1, 2, 3, 4]
    """

    low: int
    high: int
    log: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            bound = getattr(self, name)
            if not is_whole(bound):
                _check_bound("Integer", name, bound)
            if bound != int(bound) or abs(bound) > _LARGEST_INTEGER:
                msg = f"Integer needs whole numbers up to 1e13 as bounds, got {name}={bound!r}."
                raise ValueError(msg)
            object.__setattr__(self, name, int(bound))
        _check_order("Integer", self.low, self.high, log=self.log, least=1)

    @property
    def n_values(self) -> float:
        """Number of integers."""
        return float(self.high - self.low + 1)

    def _log_bounds(self) -> tuple[float, float]:
        return math.log(self.low - 0.5), math.log(self.high + 0.5)

    def to_unit(self, value: Any) -> float:
        """Map an integer to the centre of its cell of [0, 1]."""
        value = plain(value)
        if not is_whole(value):
            msg = f"{value!r} is not an integer; allowed is {self!r}."
            raise ValueError(msg)
        if not self.low <= value <= self.high:
            msg = f"{value!r} lies outside [{self.low!r}, {self.high!r}]."
            raise ValueError(msg)
        if self.low == self.high:
            return 0.5
        return float(self._centre(np.asarray(value - self.low, dtype=float)))

    def legal(self, value: Any) -> int:
        """Return the integer as a plain int; ValueError if it is not legal."""
        self.to_unit(value)
        return int(value)

    def _index(self, units: FloatArray) -> FloatArray:
        """Count from low; cells of equal width, in the logarithm where log is set."""
        if self.log:
            bottom, top = self._log_bounds()
            steps = np.rint(np.exp(bottom + units * (top - bottom))) - self.low
        else:
            steps = np.floor(units * self.n_values)
        return np.asarray(np.clip(steps, 0, self.high - self.low))

    def _centre(self, steps: FloatArray) -> FloatArray:
        if not self.log:
            return np.asarray((steps + 0.5) / self.n_values)
        bottom, top = self._log_bounds()
        middle = (np.log(steps + self.low - 0.5) + np.log(steps + self.low + 0.5)) / 2
        return np.asarray((middle - bottom) / (top - bottom))

    def from_unit(self, unit: float) -> int:
        """Map [0, 1] to an integer."""
        return self.low + int(self._index(np.asarray(unit, dtype=float)))

    def snap(self, units: FloatArray) -> FloatArray:
        """Move each place to the centre of its cell."""
        if self.low == self.high:
            return np.full_like(units, 0.5)
        return self._centre(self._index(units))

    def to_json(self) -> dict[str, Any]:
        """Encode the dimension in JSON types."""
        return {"integer": [self.low, self.high], "log": self.log}


class Categorical(Dimension):
    """Choices: any objects at all, handed back as they were given.

    Parameters
    ----------
    categories : sequence
        The choices, at least one. Repeated ones count once; numpy scalars
        become the plain Python values that they hold.
    ordered : bool or None, default=None
        Whether neighbours are alike. None: only where all are numbers in
        ascending or descending order.

    Raises
    ------
    ValueError
        If there is no choice.

    Examples
    --------
    >>> from sklearn_lepton import Categorical
    >>> Categorical([16, 32, 64]).ordered, Categorical(["gini", "entropy"]).ordered
    (True, False)
    """

    def __init__(self, categories: Iterable[Any], *, ordered: bool | None = None) -> None:
        self.categories: Sequence[Any]
        if isinstance(categories, range):  # which may be long, and tells by itself what it holds
            self.categories = categories
            ordered = True if ordered is None else ordered
        else:
            self.categories = distinct([plain(value) for value in categories])
        if not self.categories:
            msg = "an empty sequence of values: give at least one."
            raise ValueError(msg)
        self.ordered = is_monotone(self.categories) if ordered is None else bool(ordered)

    @property
    def n_values(self) -> float:
        """Number of choices."""
        return float(len(self.categories))

    @property
    def is_categorical(self) -> bool:  # type: ignore[override]
        """Whether the choices have no order."""
        return not self.ordered

    def _find(self, value: Any, *ways: Callable[[Any, Any], bool]) -> int | None:
        given, value = value, plain(thaw(value))  # that of a trial is frozen
        if isinstance(self.categories, range):
            is_one = is_finite(value) and (type(value) is int or (alike in ways and value % 1 == 0))
            held = is_one and int(value) in self.categories
            return self.categories.index(int(value)) if held else None
        for is_match in ways:
            for position, category in enumerate(self.categories):
                if is_match(category, given if is_match is operator.is_ else value):
                    return position
        return None

    def holds(self, value: Any) -> bool:
        """Say whether a value is one of the choices, the very object or an equal number or text."""
        # No message is made, and no text of an estimator, which takes milliseconds.
        return self._find(value, operator.is_, same) is not None

    def _position(self, value: Any) -> int:
        position = self._find(value, operator.is_, same, alike)
        if position is not None:
            return position
        msg = f"{text_of(value)} is not among the choices {shorten(self.categories)}."
        raise ValueError(msg)

    def to_unit(self, value: Any) -> float:
        """Map a choice to the centre of its cell of [0, 1]."""
        return (self._position(value) + 0.5) / self.n_values

    def legal(self, value: Any) -> Any:
        """Return the choice as it was given; ValueError if it is none."""
        return self.categories[self._position(value)]

    def from_unit(self, unit: float) -> Any:
        """Map [0, 1] to a choice."""
        return self.categories[min(int(unit * self.n_values), len(self.categories) - 1)]

    def snap(self, units: FloatArray) -> FloatArray:
        """Move each place to the centre of its cell."""
        cells = np.clip(np.floor(units * self.n_values), 0, self.n_values - 1)
        return np.asarray((cells + 0.5) / self.n_values)

    def to_json(self) -> dict[str, Any]:
        """Encode the dimension in JSON types; see `value_to_json`."""
        is_range = isinstance(self.categories, range)
        values = list(self.categories if is_range else map(value_to_json, self.categories))
        return {"categorical": values, "ordered": self.ordered}

    def __eq__(self, other: object) -> bool:
        """Compare the choices, their order and whether it counts."""
        if not isinstance(other, Categorical):
            return False
        if len(self.categories) != len(other.categories):
            return False
        if isinstance(self.categories, range) and isinstance(other.categories, range):
            return (self.categories, self.ordered) == (other.categories, other.ordered)
        pairs = [
            (left, right)
            for left, right in zip(self.categories, other.categories, strict=True)
            if left is not right
        ]
        stand_ins = [pair for pair in pairs if Opaque in {type(pair[0]), type(pair[1])}]
        others = [pair for pair in pairs if Opaque not in {type(pair[0]), type(pair[1])}]
        return (
            self.ordered == other.ordered
            and all(alike(*pair) or alike(*pair[::-1]) for pair in stand_ins)
            # At once, since thousands of numbers or texts are quick only so.
            and have_same_content([left for left, _ in others], [right for _, right in others])
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Show the choices, shortened where there are many."""
        return f"Categorical({shorten(self.categories)}, ordered={self.ordered})"


def interchangeable(left: Dimension, right: Dimension) -> bool:
    """Return whether two branches can share a dimension and still get the very values they gave."""
    if isinstance(left, Categorical) and isinstance(right, Categorical):
        is_range = isinstance(left.categories, range)  # else `==` may take texts of estimators
        return (is_range or all(map(same, left.categories, right.categories))) and left == right
    return left == right


def has_equal_cells(dimension: Dimension) -> bool:
    """Return whether the values of a dimension share the unit interval equally."""
    return isinstance(dimension, Categorical) or (
        isinstance(dimension, Integer) and not dimension.log
    )
