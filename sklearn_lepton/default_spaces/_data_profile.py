"""What the tables of built-in spaces are written in: the data and kinds of values."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sklearn_lepton.space._dimension import Categorical, Integer, Real

Branch = dict[str, Any]
# A space, or what makes one for the data.
Entry = Callable[["Data"], "Branch | list[Branch]"] | Branch | list[Branch]


@dataclass(frozen=True)
class Data:
    """What a table may look at: the data and the estimator's own parameters.

    Without data the numbers are those of a middling data set.

    Attributes
    ----------
    n_rows : int
        Number of samples, before they are split.
    n_columns : int
        Number of features that the estimator gets, as far as that is known.
    min_columns : int
        The fewest that it may get, after steps that leave some out.
    n_classes : int
        Number of classes; 0 for other targets, and where there is none.
    smallest_class : int
        Number of samples of the smallest class.
    n_targets : int
        Number of columns of the target.
    is_imbalanced : bool
        Whether the largest class has three times the samples of the smallest, or more.
    is_sparse : bool
        Whether the features are a sparse matrix.
    variance : float
        Of all features together; 1.0 after steps that scale them.
    rows : array-like or None
        Some rows as they are given, at most half of them; None after a step, without data and
        of a sparse matrix, some kinds of which have no rows to take.
    params : mapping
        The estimator's own parameters.
    defaults : mapping
        Those of its class.
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
        """Rows that every fit gets: half of all, as with two splits."""
        return max(2, self.n_rows // 2)

    def has(self, name: str, *values: Any) -> bool:
        """Say whether a parameter is set to one of some values."""
        given = self.params.get(name)
        return any(type(given) is type(value) and given == value for value in values)


def log(low: float, high: float) -> Real:
    """Return real numbers on a log scale."""
    return Real(low, high, log=True)


def log_integer(low: int, high: int) -> Integer:
    """Return integers on a log scale; a high below low counts as low."""
    return Integer(low, max(low, high), log=True)


def ladder(values: Iterable[Any]) -> Categorical:
    """Return choices in an order, also where one of them is a word or None."""
    return Categorical(values, ordered=True)


def around(symbol: Any, value: float, low: float, high: float) -> Categorical:
    """Return a log scale, three steps a decade, with a word in the place of what it means.

    Parameters
    ----------
    symbol : object
        The word, as "scale" for ``gamma``.
    value : float
        What it means on these data.
    low, high : float
        Ends of the scale, as multiples of the value.
    """
    bottom, top = round(3 * math.log10(low)), round(3 * math.log10(high))
    return ladder(
        symbol if step == 0 else float(f"{value * 10 ** (step / 3):.2g}")
        for step in range(bottom, top + 1)
    )


def zero_or_log(low: float, high: float) -> Categorical:
    """Return a ladder of 0 and a log scale, two steps a decade."""
    bottom, top = round(2 * math.log10(low)), round(2 * math.log10(high))
    steps = range(bottom, top + 1)
    return ladder([0.0, *(float(f"{10 ** (step / 2):.1g}") for step in steps)])


def counts(most: int, *symbols: Any) -> Categorical:
    """Return a geometric ladder of whole numbers up to a bound; symbols stand for the bound."""
    rungs = {round(2 ** (step / 2)) for step in range(2, 2 * max(most, 1).bit_length() + 1)}
    numbers = sorted(rung for rung in rungs if rung <= most and (rung < most or not symbols))
    return ladder([*(numbers or ([] if symbols else [1])), *symbols])


def with_number(choices: Categorical, number: int) -> Categorical:
    """Put a number in its place on a ladder of numbers and, at the end, words."""
    numbers = {value for value in choices.categories if isinstance(value, int)}
    words = [value for value in choices.categories if not isinstance(value, int)]
    return ladder([*sorted(numbers | {number}), *words])


def column_shares(data: Data, symbol: Any = "sqrt") -> Categorical:
    """Return shares of the columns; "sqrt", None and 1.0 in the place of what they mean."""
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
    """Return least numbers of samples in a leaf, a twentieth of the rows at the most."""
    return log_integer(1, min(most, data.n_rows // 20))


def neighbours(data: Data, default: int = 5, most: int = 50, least: int = 1) -> Integer:
    """Return numbers of neighbours that half of the rows can give."""
    return log_integer(least, max(default, min(most, data.n_train - 1)))


def class_weights(data: Data) -> Branch:
    """Return weights of classes, where these are of rather different sizes."""
    return {"class_weight": [None, "balanced"]} if data.is_imbalanced else {}
