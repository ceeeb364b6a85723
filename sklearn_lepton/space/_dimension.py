"""Dimensions: the values of a parameter and their map to the unit interval."""

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sklearn_lepton._validation import is_finite, is_real, is_whole
from sklearn_lepton.space._content import have_same_content, python_scalar
from sklearn_lepton.space._frozen import thaw
from sklearn_lepton.space._values import (
    Opaque,
    drop_duplicates,
    is_equivalent,
    is_identical,
    is_monotone,
    shorten,
    text_of,
    value_to_json,
)
from sklearn_lepton.space._weights import Weights, add_weights, are_same_weights, check_weights

FloatArray = npt.NDArray[np.float64]

# Up to this integer a cell on a log scale is wider than the rounding error of a double.
_LARGEST_INTEGER = 10**13


def _check_bound(kind: str, name: str, bound: Any) -> None:
    """Raise unless a bound is a finite number."""
    if not is_finite(bound):
        msg = f"{kind} needs finite numbers as bounds, got {name}={bound!r}."
        raise ValueError(msg)


def _check_order(kind: str, low: float, high: float, *, log: bool, minimum: float) -> None:
    """Raise unless bounds are in order and, on a log scale, positive."""
    if low > high:
        msg = f"{kind} needs low <= high, got low={low!r} and high={high!r}: swap them."
        raise ValueError(msg)
    if log and low < minimum:
        allowed = "low >= 1" if minimum == 1 else "low > 0"
        msg = f"{kind} with log=True needs {allowed}, got low={low!r}: raise it or use log=False."
        raise ValueError(msg)


class Dimension(ABC):
    """The values of a parameter, mapped onto the unit interval.

    Attributes
    ----------
    n_values : float
        Number of different values; infinite for continuous ones.
    is_categorical : bool
        Whether the values are choices without an order.
    weights : tuple of float of length n_values, or None
        Weights of choices in uniform draws; None if all are equal.

    Examples
    --------
    >>> from sklearn_lepton.space import Dimension, Real
    >>> dimension: Dimension = Real(0.0, 4.0)
    >>> dimension.from_unit(0.25), dimension.to_unit(1.0), dimension.contains(5.0)
    (1.0, 0.25, False)
    """

    is_categorical: bool = False
    weights: Weights = None

    @property
    @abstractmethod
    def n_values(self) -> float:
        """Number of different values; infinite for continuous ones."""

    @abstractmethod
    def to_unit(self, value: Any) -> float:
        """Return the position of a value in [0, 1]; raise ValueError if it is not allowed."""

    @abstractmethod
    def from_unit(self, unit: float) -> Any:
        """Return the value at a position in [0, 1]."""

    @abstractmethod
    def snap(self, units: FloatArray) -> FloatArray:
        """Return positions in [0, 1], of any shape, moved to the positions of their values."""

    def validate(self, value: Any) -> Any:
        """Return the value in the type that trials have; raise ValueError if it is not allowed."""
        self.to_unit(value)
        return float(value)

    def contains(self, value: Any) -> bool:
        """Return whether a value is allowed."""
        try:
            self.to_unit(value)
        except ValueError:
            return False
        return True

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Return the dimension in JSON types."""


@dataclass(frozen=True)
class Real(Dimension):
    """Real numbers between two bounds, which are included.

    Parameters
    ----------
    low, high : float
        Finite bounds with ``low <= high``.
    log : bool, default=False
        Whether the logarithm is uniform, which requires ``low > 0``.

    Raises
    ------
    ValueError
        If a bound is not a finite number, low is greater than high, or a bound of a log scale is
        not positive.

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
        _check_order("Real", self.low, self.high, log=self.log, minimum=5e-324)

    @property
    def n_values(self) -> float:
        """1 if both bounds are equal, otherwise infinite."""
        return 1.0 if self.low == self.high else math.inf

    def to_unit(self, value: Any) -> float:
        """Return the position of a number in [0, 1]."""
        value = python_scalar(value)
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
        else:  # of halves, because high - low may overflow
            unit = (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        return min(max(unit, 0.0), 1.0)

    def from_unit(self, unit: float) -> float:
        """Return the number at a position in [0, 1]."""
        if unit in (0.0, 1.0):
            return self.high if unit else self.low
        if self.log:
            value = math.exp((1 - unit) * math.log(self.low) + unit * math.log(self.high))
        else:
            value = (1 - unit) * self.low + unit * self.high
        return min(max(value, self.low), self.high)

    def snap(self, units: FloatArray) -> FloatArray:
        """Return positions unchanged: each is a different value."""
        return units if self.low < self.high else np.full_like(units, 0.5)

    def to_json(self) -> dict[str, Any]:
        """Return the dimension in JSON types."""
        return {"real": [self.low, self.high], "log": self.log}


@dataclass(frozen=True)
class Integer(Dimension):
    """Integers between two bounds, which are included.

    Parameters
    ----------
    low, high : int
        Bounds with ``low <= high`` and absolute values of at most 1e13.
    log : bool, default=False
        Whether the logarithm is uniform, which requires ``low >= 1``.

    Raises
    ------
    ValueError
        If a bound is not an integer or too large, low is greater than high, or a bound of a log
        scale is not positive.

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
        _check_order("Integer", self.low, self.high, log=self.log, minimum=1)

    @property
    def n_values(self) -> float:
        """Number of integers."""
        return float(self.high - self.low + 1)

    def _log_bounds(self) -> tuple[float, float]:
        """Return the ends of the first and the last cell on a log scale."""
        return math.log(self.low - 0.5), math.log(self.high + 0.5)

    def to_unit(self, value: Any) -> float:
        """Return the centre of an integer's cell in [0, 1]."""
        value = python_scalar(value)
        if not is_whole(value):
            msg = f"{value!r} is not an integer; allowed is {self!r}."
            raise ValueError(msg)
        if not self.low <= value <= self.high:
            msg = f"{value!r} lies outside [{self.low!r}, {self.high!r}]."
            raise ValueError(msg)
        if self.low == self.high:
            return 0.5
        return float(self._centre(np.asarray(value - self.low, dtype=float)))

    def validate(self, value: Any) -> int:
        """Return the integer as an int; raise ValueError if it is not allowed."""
        self.to_unit(value)
        return int(value)

    def _index(self, units: FloatArray) -> FloatArray:
        """Return the numbers of the cells, counted from low."""
        if self.log:
            bottom, top = self._log_bounds()
            steps = np.rint(np.exp(bottom + units * (top - bottom))) - self.low
        else:
            steps = np.floor(units * self.n_values)
        return np.asarray(np.clip(steps, 0, self.high - self.low))

    def _centre(self, steps: FloatArray) -> FloatArray:
        """Return the centres of cells, given their numbers."""
        if not self.log:
            return np.asarray((steps + 0.5) / self.n_values)
        bottom, top = self._log_bounds()
        middle = (np.log(steps + self.low - 0.5) + np.log(steps + self.low + 0.5)) / 2
        return np.asarray((middle - bottom) / (top - bottom))

    def from_unit(self, unit: float) -> int:
        """Return the integer at a position in [0, 1]."""
        return self.low + int(self._index(np.asarray(unit, dtype=float)))

    def snap(self, units: FloatArray) -> FloatArray:
        """Return positions moved to the centres of their cells."""
        if self.low == self.high:
            return np.full_like(units, 0.5)
        return self._centre(self._index(units))

    def to_json(self) -> dict[str, Any]:
        """Return the dimension in JSON types."""
        return {"integer": [self.low, self.high], "log": self.log}


class Categorical(Dimension):
    """Choices: objects of any type, which trials get unchanged.

    Parameters
    ----------
    categories : sequence
        At least one choice. Each repetition adds to the weight of a choice, as in
        `RandomizedSearchCV`. numpy scalars become Python values.
    ordered : bool or None, default=None
        Whether neighboring choices are similar. None means True if all choices are numbers in
        ascending or descending order.
    weights : sequence of float or None, default=None
        A number above 0 for each of `categories`: how often uniform draws take it, relative to
        the others. The initial design, random search and mutations draw so. Scores decide where
        an optimizer proposes from them. None gives all the same weight.

    Raises
    ------
    ValueError
        If there is no choice, or `weights` is not None or one number above 0 for each.

    Examples
    --------
    >>> from sklearn_lepton import Categorical
    >>> Categorical([16, 32, 64]).ordered, Categorical(["gini", "entropy"]).ordered
    (True, False)
    >>> Categorical(["rbf", "rbf", "poly"]) == Categorical(["rbf", "poly"], weights=[2, 1])
    True
    """

    def __init__(
        self,
        categories: Iterable[Any],
        *,
        ordered: bool | None = None,
        weights: Sequence[float] | None = None,
    ) -> None:
        self.categories: Sequence[Any]
        positions: Sequence[int]
        if isinstance(categories, range):  # it may be long, and has no duplicates
            self.categories, positions = categories, range(len(categories))
            ordered = True if ordered is None else ordered
        else:
            given = [python_scalar(value) for value in categories]
            self.categories, positions = drop_duplicates(given)
        if not self.categories:
            msg = "an empty sequence of values: give at least one."
            raise ValueError(msg)
        checked = check_weights(weights, len(positions), "choices")
        has_repeats = len(positions) > len(self.categories)
        self.weights = add_weights(checked, positions) if checked or has_repeats else None
        self.ordered = is_monotone(self.categories) if ordered is None else bool(ordered)

    @property
    def n_values(self) -> float:
        """Number of choices."""
        return float(len(self.categories))

    @property
    def is_categorical(self) -> bool:  # type: ignore[override]
        """Whether the choices have no order."""
        return not self.ordered

    def _find(self, value: Any, *comparisons: Callable[[Any, Any], bool]) -> int | None:
        """Return the index of a choice, by the first comparison that finds one."""
        given, value = value, python_scalar(thaw(value))  # values of a trial are frozen
        if isinstance(self.categories, range):
            is_one = is_finite(value) and (
                type(value) is int or (is_equivalent in comparisons and value % 1 == 0)
            )
            is_found = is_one and int(value) in self.categories
            return self.categories.index(int(value)) if is_found else None
        for is_match in comparisons:
            for position, category in enumerate(self.categories):
                if is_match(category, given if is_match is operator.is_ else value):
                    return position
        return None

    def contains(self, value: Any) -> bool:
        """Return whether a value is a choice: the same object or an identical value."""
        # Without an error message: the text of an estimator takes milliseconds.
        return self._find(value, operator.is_, is_identical) is not None

    def _position(self, value: Any) -> int:
        """Return the index of a choice; raise ValueError if the value is not a choice."""
        position = self._find(value, operator.is_, is_identical, is_equivalent)
        if position is not None:
            return position
        msg = f"{text_of(value)} is not among the choices {shorten(self.categories)}."
        raise ValueError(msg)

    def to_unit(self, value: Any) -> float:
        """Return the centre of a choice's cell in [0, 1]."""
        return (self._position(value) + 0.5) / self.n_values

    def validate(self, value: Any) -> Any:
        """Return the choice; raise ValueError if the value is not a choice."""
        return self.categories[self._position(value)]

    def from_unit(self, unit: float) -> Any:
        """Return the choice at a position in [0, 1]."""
        return self.categories[min(int(unit * self.n_values), len(self.categories) - 1)]

    def snap(self, units: FloatArray) -> FloatArray:
        """Return positions moved to the centres of their cells."""
        cells = np.clip(np.floor(units * self.n_values), 0, self.n_values - 1)
        return np.asarray((cells + 0.5) / self.n_values)

    def to_json(self) -> dict[str, Any]:
        """Return the dimension in JSON types."""
        is_range = isinstance(self.categories, range)
        values = list(self.categories if is_range else map(value_to_json, self.categories))
        weights = {} if self.weights is None else {"weights": list(self.weights)}
        return {"categorical": values, "ordered": self.ordered, **weights}

    def __eq__(self, other: object) -> bool:
        """Compare the choices, their order, the attribute ``ordered`` and the weights."""
        if not isinstance(other, Categorical) or len(self.categories) != len(other.categories):
            return False
        if not are_same_weights(self.weights, other.weights):
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
            and all(is_equivalent(*pair) or is_equivalent(*pair[::-1]) for pair in stand_ins)
            # In two lists, because one hash of thousands of scalars is fast.
            and have_same_content([left for left, _ in others], [right for _, right in others])
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Return a text with the choices, or the first ones of many."""
        weights = "" if self.weights is None else f", weights={shorten(self.weights)}"
        return f"Categorical({shorten(self.categories)}, ordered={self.ordered}{weights})"


def can_share_dimension(left: Dimension, right: Dimension) -> bool:
    """Return whether one dimension can replace two, with identical values for both branches."""
    if isinstance(left, Categorical) and isinstance(right, Categorical):
        is_range = isinstance(left.categories, range)  # the fast case, without texts of estimators
        return (
            is_range or all(map(is_identical, left.categories, right.categories))
        ) and left == right
    return left == right


def has_equal_cells(dimension: Dimension) -> bool:
    """Return whether the cells of all values have the same width."""
    return isinstance(dimension, Categorical) or (
        isinstance(dimension, Integer) and not dimension.log
    )
