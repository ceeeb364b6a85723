"""The data profile that built-in spaces depend on, and helpers for their dimensions."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sklearn_lepton.space._dimension import Categorical, Integer, Real

Branch = dict[str, Any]
# A space, or a function that returns one for a data profile.
Entry = Callable[["Data"], "Branch | list[Branch]"] | Branch | list[Branch]


@dataclass(frozen=True)
class Data:
    """Profile of the data and the estimator's own parameters.

    The defaults describe a medium-sized data set.

    Attributes
    ----------
    n_rows : int
        Number of samples before splitting.
    n_columns : int
        Number of features of the estimator, as far as it is known.
    min_columns : int
        Minimum number of features after steps that drop some.
    n_classes : int
        Number of classes; 0 for other targets and without a target.
    smallest_class : int
        Number of samples of the smallest class.
    n_targets : int
        Number of columns of the target.
    is_imbalanced : bool
        Whether the largest class has at least three times the samples of the smallest.
    is_sparse : bool
        Whether the features are a sparse matrix.
    variance : float
        Variance of all features together; 1.0 after steps that scale them.
    rows : array-like or None
        Up to half of the rows, unchanged; None after a step, without data and for sparse data.
    params : mapping
        The estimator's own parameters.
    defaults : mapping
        Default parameters of its class.
    """

    n_rows: int = 1000
    n_columns: int = 20
    min_columns: int = 20
    n_classes: int = 2
    smallest_class: int = 400
    n_targets: int = 1
    is_imbalanced: bool = False
    is_sparse: bool = False
    variance: float = 1.0
    rows: Any = None
    params: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n_train(self) -> int:
        """Minimum number of rows of a fit: half of all rows, as with two splits."""
        return max(2, self.n_rows // 2)

    def has(self, name: str, *values: Any) -> bool:
        """Return whether a parameter has one of the given values."""
        given = self.params.get(name)
        return any(type(given) is type(value) and given == value for value in values)


def log(low: float, high: float) -> Real:
    """Return a real dimension on a log scale."""
    return Real(low, high, log=True)


def log_integer(low: int, high: int) -> Integer:
    """Return an integer dimension on a log scale; `high` is at least `low`."""
    return Integer(low, max(low, high), log=True)


def ladder(values: Iterable[Any]) -> Categorical:
    """Return ordered choices, which may include strings and None."""
    return Categorical(values, ordered=True)


def around(symbol: Any, value: float, low: float, high: float) -> Categorical:
    """Return ordered choices on a log scale, three per decade, with a symbol in place of a value.

    Parameters
    ----------
    symbol : object
        Symbolic value, such as "scale" for ``gamma``.
    value : float
        Number that the symbol means for these data.
    low, high : float
        Ends of the scale, as multiples of the value.
    """
    bottom, top = round(3 * math.log10(low)), round(3 * math.log10(high))
    return ladder(
        symbol if step == 0 else float(f"{value * 10 ** (step / 3):.2g}")
        for step in range(bottom, top + 1)
    )


def zero_or_log(low: float, high: float) -> Categorical:
    """Return ordered choices: 0 and a log scale with two values per decade."""
    bottom, top = round(2 * math.log10(low)), round(2 * math.log10(high))
    steps = range(bottom, top + 1)
    return ladder([0.0, *(float(f"{10 ** (step / 2):.1g}") for step in steps)])


def counts(maximum: int, *symbols: Any) -> Categorical:
    """Return integers in geometric steps up to a maximum; symbols replace the maximum."""
    rungs = {round(2 ** (step / 2)) for step in range(2, 2 * max(maximum, 1).bit_length() + 1)}
    numbers = sorted(rung for rung in rungs if rung <= maximum and (rung < maximum or not symbols))
    return ladder([*(numbers or ([] if symbols else [1])), *symbols])


def with_number(choices: Categorical, number: int) -> Categorical:
    """Return ordered choices with a number inserted; symbols stay at the end."""
    numbers = {value for value in choices.categories if isinstance(value, int)}
    words = [value for value in choices.categories if not isinstance(value, int)]
    return ladder([*sorted(numbers | {number}), *words])


def column_shares(data: Data, symbol: Any = "sqrt") -> Categorical:
    """Return shares of the columns, with "sqrt", None and 1.0 in place of equal shares."""
    n_columns = data.n_columns
    rungs: dict[int, Any] = {}
    for share in (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
        rungs.setdefault(max(1, int(share * n_columns)), share)
    for word in ("sqrt", symbol):
        rungs[max(1, int(math.sqrt(n_columns))) if word == "sqrt" else n_columns] = word
    rungs.setdefault(n_columns, 1.0)
    if n_columns == 1:
        rungs[1] = symbol
    return ladder(rungs[count] for count in sorted(rungs))


def leaf_sizes(data: Data, most: int = 20) -> Integer:
    """Return minimum numbers of samples in a leaf, at most a twentieth of the rows."""
    return log_integer(1, min(most, data.n_rows // 20))


def neighbours(data: Data, default: int = 5, most: int = 50, least: int = 1) -> Integer:
    """Return numbers of neighbours, at most the rows of the smallest fit."""
    return log_integer(least, max(default, min(most, data.n_train - 1)))


def class_weights(data: Data) -> Branch:
    """Return choices of class weights; none for balanced classes."""
    return {"class_weight": [None, "balanced"]} if data.is_imbalanced else {}
