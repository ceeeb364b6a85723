"""Columns: what kind each column of the data is, and functions that make numbers of it."""

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse
from sklearn.feature_extraction.text import HashingVectorizer

from sklearn_lepton._arrays import as_array, is_masked, is_missing
from sklearn_lepton._runtime.floating_point import ignore_float_errors

MOST_CATEGORIES = 60  # columns that one-hot encoding makes of one; the rarest share the last
_UNIQUE = 0.9  # of the rows: texts with more values name the row, and tell nothing of others
_WORDS = 3.0  # on average, from which on texts are read word by word
N_TOPICS = 8
_CALENDAR = ("days", "year", "month", "weekday", "hour")
_MAX_NAMED = 5

FloatArray = npt.NDArray[np.float64]


@dataclass
class Columns:
    """The columns of data by their kind; each kind holds names, or places where there are none.

    Attributes
    ----------
    numbers, categories, dates, texts : list
        What is learned from. Durations and booleans are numbers.
    dropped : list of str
        What is not, each with the reason.
    n_columns : int
        All of them.
    n_made : int
        How many columns one-hot encoding and the rest make of them, about.
    is_plain : bool
        Whether all columns are numbers that scikit-learn takes as they are.
    is_sparse : bool
    """

    numbers: list[Any] = field(default_factory=list)
    categories: list[Any] = field(default_factory=list)
    dates: list[Any] = field(default_factory=list)
    texts: list[Any] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    n_columns: int = 0
    n_made: int = 0
    is_plain: bool = True
    is_sparse: bool = False

    @property
    def is_any(self) -> bool:
        """Whether there is a column to learn from."""
        return bool(self.numbers or self.categories or self.dates or self.texts)

    def describe(self) -> str:
        """Say in words what was made of the columns."""
        parts = [
            f"{len(columns)} {noun if len(columns) != 1 else one}"
            for one, noun, columns in (
                ("number", "numbers", self.numbers),
                ("category", "categories", self.categories),
                ("date", "dates", self.dates),
                ("text", "texts", self.texts),
            )
            if columns
        ]
        text = f"Columns: {', '.join(parts) or 'none to learn from'}."
        if self.dropped:
            shown = ", ".join(self.dropped[:_MAX_NAMED])
            more = len(self.dropped) - _MAX_NAMED
            text += f" Left out: {shown}{f' and {more} more' if more > 0 else ''}."
        return text


@ignore_float_errors
def read_columns(X: Any) -> Columns:
    """Find out what kind each column is.

    Parameters
    ----------
    X : DataFrame, array or sparse matrix of shape (n_samples, n_features)

    Returns
    -------
    columns : Columns

    Raises
    ------
    ValueError
        If it is not two-dimensional, has no row, no column, complex numbers, two columns of the
        same name, or names of which only some are texts.
    """
    X = _with_columns(X)
    if len(X.shape) != 2 or 0 in X.shape:
        raise ValueError(
            "X must be two-dimensional, with at least one row and one column, got one of shape "
            f"{tuple(X.shape)}: give what there is to learn from."
        )
    n_columns = int(X.shape[1])
    columns = Columns(n_columns=n_columns, n_made=n_columns)
    if issparse(X):
        columns.is_sparse = True
        columns.numbers = list(range(n_columns))
        return columns
    if isinstance(X, np.ndarray) and X.dtype.kind in "biuf":
        return _read_numbers(X, columns)
    columns.n_made = 0
    for place, key in enumerate(_keys(X)):
        column = column_of(X, place)
        kind = getattr(column.dtype, "kind", "O") if isinstance(column.dtype, np.dtype) else "O"
        columns.is_plain &= kind in "iuf" and not np.isinf(column).any()
        _read_column(column, key, columns)
    return columns


def _read_numbers(X: Any, columns: Columns) -> Columns:
    known = np.isfinite(X)
    columns.is_plain = not np.isinf(X).any()
    columns.numbers = np.flatnonzero(known.any(axis=0)).tolist()
    empty = np.flatnonzero(~known.any(axis=0)).tolist()
    columns.dropped = [f"column {place} (no value)" for place in empty]
    return columns


def _with_columns(X: Any) -> Any:
    """Return lists as an array, masked values as missing ones, and other data as they are."""
    return as_array(X) if is_masked(X) or not hasattr(X, "shape") else X


def _keys(X: Any) -> list[Any]:
    """Return what `ColumnTransformer` knows the columns by: names, or places."""
    names = list(getattr(X, "columns", []))
    if repeated := sorted({str(name) for name in names if names.count(name) > 1}):
        raise ValueError(
            f"Columns of X have the same name: {', '.join(repeated)}: give each one of its own."
        )
    others = [name for name in names if not isinstance(name, str)]
    if others and len(others) < len(names):
        raise ValueError(
            f"Names of columns of X must be all texts or all not, got texts and {others[0]!r}: "
            "X.columns = X.columns.astype(str) makes texts of all."
        )
    return names if names and not others else list(range(X.shape[1]))


def column_of(X: Any, place: int) -> Any:
    """Return a column of a DataFrame or an array."""
    if hasattr(X, "iloc"):
        return X.iloc[:, place]
    if hasattr(X, "get_column"):  # polars
        return X.get_column(X.columns[place])
    return X[:, place]


def _read_column(column: Any, key: Any, columns: Columns) -> None:
    """Put one column where it belongs."""
    is_categorical = str(column.dtype).lower().startswith(("category", "categorical", "enum"))
    values = _plain(column)
    if values.dtype.kind == "c":
        raise ValueError(
            f"Column {key!r} of X has complex numbers: give their real and imaginary parts as two "
            "columns."
        )
    if not is_categorical and values.dtype.kind == "M":
        if np.isnat(values).all():
            columns.dropped.append(f"{key!r} (no value)")
            return
        columns.dates.append(key)
        columns.n_made += len(_CALENDAR)
        return
    numbers = None if is_categorical else _numbers(values)
    if numbers is not None:
        if np.isnan(numbers).all():
            columns.dropped.append(f"{key!r} (no value)")
            return
        columns.numbers.append(key)
        columns.n_made += 1
        return
    texts = [text for text in _texts(values) if isinstance(text, str)]
    if not texts:
        columns.dropped.append(f"{key!r} (no value)")
        return
    n_values = len(set(texts))
    if n_values > _UNIQUE * len(texts) and n_values > 10 and not is_categorical:
        if np.mean([text.count(" ") + 1 for text in texts]) >= _WORDS:
            columns.texts.append(key)
            columns.n_made += N_TOPICS
        else:
            columns.dropped.append(f"{key!r} (another value in nearly every row)")
        return
    columns.categories.append(key)
    columns.n_made += min(n_values, MOST_CATEGORIES)


def _plain(column: Any) -> Any:
    """Return a column as an array of numbers, dates or objects."""
    if getattr(getattr(column, "dtype", None), "tz", None) is not None:
        column = column.dt.tz_convert(None)
    values = column.to_numpy() if hasattr(column, "to_numpy") else np.asarray(column)
    if values.dtype.kind == "O":
        known = [value for value in values if not is_missing(value)]
        if known and all(isinstance(v, dt.datetime | dt.date) for v in known):
            days = [None if is_missing(v) else _naive(v) for v in values]
            return np.array(days, dtype="datetime64[us]")
        if known and all(isinstance(v, dt.timedelta) for v in known):
            return np.array([math.nan if is_missing(v) else v.total_seconds() for v in values])
        if known and all(hasattr(v, "to_timestamp") for v in known):  # periods of pandas
            stamps = [None if is_missing(v) else v.to_timestamp().to_datetime64() for v in values]
            return np.array(stamps, dtype="datetime64[us]")
    return values


def _naive(moment: Any) -> Any:
    if getattr(moment, "tzinfo", None) is not None:
        return moment.astimezone(dt.UTC).replace(tzinfo=None)
    return moment


def _numbers(values: Any) -> FloatArray | None:
    """Return values as numbers, what is missing or infinite as NaN; None if they are none."""
    if values.dtype.kind == "m":
        seconds = values / np.timedelta64(1, "s")
        return seconds.astype(float)  # type: ignore[no-any-return]
    if values.dtype.kind not in "biufOUS":
        return None
    try:
        if values.dtype.kind == "O":
            values = [math.nan if is_missing(value) else _float(value) for value in values]
        numbers = np.array(values, dtype=float)
    except (TypeError, ValueError):
        return None
    numbers[~np.isfinite(numbers)] = math.nan
    return numbers


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # an integer that no float can hold
        return math.inf


def _texts(values: Any) -> list[Any]:
    return [math.nan if is_missing(value) else str(value) for value in values.tolist()]


def _each(X: Any) -> list[Any]:
    """Return the columns of what a transformer is given."""
    X = _with_columns(X)
    return [_plain(column_of(X, place)) for place in range(X.shape[1])]


@ignore_float_errors
def to_numbers(X: Any) -> FloatArray:
    """Make numbers of booleans, durations, nullable integers and texts of numbers.

    Parameters
    ----------
    X : DataFrame or array of shape (n_samples, n_features)

    Returns
    -------
    numbers : ndarray of shape (n_samples, n_features)
        NaN for what is missing, infinite or no number.
    """
    columns = []
    for values in _each(X):
        numbers = _numbers(values)
        if numbers is None:
            numbers = np.array([_number(value) for value in values.tolist()])
        columns.append(numbers)
    return np.column_stack(columns)


@ignore_float_errors
def to_finite(X: Any, names: Sequence[str] | None = None) -> Any:
    """Take infinite numbers as missing, and columns by their names.

    Parameters
    ----------
    X : DataFrame or array of shape (n_samples, n_features)
    names : sequence of str or None, default=None
        What is wanted of a DataFrame, in this order; None is all as it is.

    Returns
    -------
    numbers : DataFrame or array of shape (n_samples, n_features)
        `X` itself where there is nothing to do, as on the data that was learned from.

    Raises
    ------
    ValueError
        If a column is missing.
    """
    if names is not None and hasattr(X, "columns") and list(X.columns) != list(names):
        if missing := [name for name in names if name not in X.columns]:
            raise ValueError(f"X has no column {missing[0]!r}, which the model learned from.")
        X = X[list(names)]
    if is_masked(X):
        X = as_array(X)
    values = np.asarray(X)
    is_float = values.ndim == 2 and values.dtype.kind == "f"
    if not is_float or not np.isinf(values).any():
        return X
    numbers = to_numbers(X)
    if hasattr(X, "columns"):
        return type(X)(dict(zip(X.columns, numbers.T, strict=True)))
    return numbers


def _number(value: Any) -> float:
    try:
        number = _float(value)
    except (TypeError, ValueError):
        return math.nan
    return number if math.isfinite(number) else math.nan


@ignore_float_errors
def to_categories(X: Any) -> Any:
    """Make texts of categories of any kind.

    Parameters
    ----------
    X : DataFrame or array of shape (n_samples, n_features)

    Returns
    -------
    categories : ndarray of object of shape (n_samples, n_features)
        NaN for what is missing.
    """
    made = np.empty(X.shape, dtype=object)
    for place, values in enumerate(_each(X)):
        made[:, place] = _texts(values)
    return made


@ignore_float_errors
def to_calendar(X: Any) -> FloatArray:
    """Make numbers of dates.

    Parameters
    ----------
    X : DataFrame or array of shape (n_samples, n_features)

    Returns
    -------
    numbers : ndarray of shape (n_samples, 5 * n_features)
        Of each column: days since 1970, year, month, day of the week, 0 on Mondays, and
        hour, all of coordinated universal time; NaN for what is missing.
    """
    columns: list[FloatArray] = []
    for values in _each(X):
        moments = np.asarray(values, dtype="datetime64[s]")
        missing = np.isnat(moments)
        days = moments.astype("datetime64[D]")
        seconds = np.where(missing, 0, moments.astype(np.int64)).astype(float)
        months = moments.astype("datetime64[M]").astype(np.int64)
        parts = [
            seconds / 86_400,
            np.floor_divide(months, 12) + 1970.0,
            np.mod(months, 12) + 1.0,
            np.mod(days.astype(np.int64) + 3, 7),
            np.mod(seconds, 86_400) // 3600,
        ]
        columns += [np.where(missing, math.nan, part) for part in parts]
    return np.column_stack(columns)


def calendar_names(_: Any, names: Sequence[str]) -> list[str]:
    """Return the names of what `to_calendar` makes of columns of these names."""
    return [f"{name}_{part}" for name in names for part in _CALENDAR]


@ignore_float_errors
def to_words(X: Any) -> Any:
    """Count the words of a column of texts.

    Parameters
    ----------
    X : DataFrame or array of shape (n_samples, 1)

    Returns
    -------
    counts : sparse matrix of shape (n_samples, 4096)
        Of the words by their hashes, each row of length 1; zeros where there is no text.
    """
    texts = [text if isinstance(text, str) else "" for text in _texts(_each(X)[0])]
    # As a step of a pipeline it would have none take `set_output`.
    return HashingVectorizer(n_features=4096, alternate_sign=False).transform(texts)
