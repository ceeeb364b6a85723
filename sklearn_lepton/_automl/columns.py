"""Columns: the kind of each column of the data, and its conversion to numbers."""

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

MAX_CATEGORIES = 60  # columns per one-hot encoded column; the rarest categories share the last
_UNIQUE = 0.9  # share of distinct texts above which a column identifies its rows
_MIN_WORDS = 3.0  # mean number of words for texts to be split into words
N_TOPICS = 8
_CALENDAR = ("days", "year", "month", "weekday", "hour")
_MAX_NAMED = 5

FloatArray = npt.NDArray[np.float64]


@dataclass
class Columns:
    """The columns of the data by kind, as names, or as indices for data without names.

    Attributes
    ----------
    numbers, categories, dates, texts : list
        Columns that models learn from. Durations and booleans are numbers.
    n_values : dict
        Number of values of each column of `categories`.
    dropped : list of str
        Columns that are not used, each with the reason.
    n_columns : int
        Number of all columns.
    n_prepared : int
        Approximate number of columns after preprocessing.
    is_plain : bool
        Whether all columns are numbers that scikit-learn accepts unchanged.
    is_sparse : bool
    """

    numbers: list[Any] = field(default_factory=list)
    categories: list[Any] = field(default_factory=list)
    dates: list[Any] = field(default_factory=list)
    texts: list[Any] = field(default_factory=list)
    n_values: dict[Any, int] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    n_columns: int = 0
    n_prepared: int = 0
    is_plain: bool = True
    is_sparse: bool = False

    @property
    def is_any(self) -> bool:
        """Whether there is a column to learn from."""
        return bool(self.numbers or self.categories or self.dates or self.texts)

    def describe(self) -> str:
        """Return a text with the number of columns of each kind and the dropped columns."""
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
            text += f" Dropped: {shown}{f' and {more} more' if more > 0 else ''}."
        return text


@ignore_float_errors
def read_columns(X: Any) -> Columns:
    """Return the kind of each column.

    Parameters
    ----------
    X : DataFrame, array or sparse matrix of shape (n_samples, n_features)

    Returns
    -------
    columns : Columns

    Raises
    ------
    ValueError
        If `X` is not two-dimensional, is empty, or has complex numbers, duplicate column names,
        or column names of which only some are strings.
    """
    X = _with_columns(X)
    if len(X.shape) != 2 or 0 in X.shape:
        raise ValueError(
            "X must be two-dimensional, with at least one row and one column, got one of shape "
            f"{tuple(X.shape)}: pass a table of samples and features."
        )
    n_columns = int(X.shape[1])
    columns = Columns(n_columns=n_columns, n_prepared=n_columns)
    if issparse(X):
        columns.is_sparse = True
        columns.numbers = list(range(n_columns))
        return columns
    if isinstance(X, np.ndarray) and X.dtype.kind in "biuf":
        return _read_numbers(X, columns)
    columns.n_prepared = 0
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
    """Return the keys of the columns for `ColumnTransformer`: names, or indices."""
    names = list(getattr(X, "columns", []))
    if repeated := sorted({str(name) for name in names if names.count(name) > 1}):
        raise ValueError(
            f"Columns of X have the same name: {', '.join(repeated)}: give each column its own "
            "name."
        )
    others = [name for name in names if not isinstance(name, str)]
    if others and len(others) < len(names):
        raise ValueError(
            "Names of columns of X must all be strings or all be others, got strings and "
            f"{others[0]!r}: convert them with X.columns = X.columns.astype(str)."
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
    """Add one column to the list of its kind."""
    is_categorical = str(column.dtype).lower().startswith(("category", "categorical", "enum"))
    values = _plain(column)
    if values.dtype.kind == "c":
        raise ValueError(
            f"Column {key!r} of X has complex numbers: pass their real and imaginary parts as "
            "two columns."
        )
    if not is_categorical and values.dtype.kind == "M":
        if np.isnat(values).all():
            columns.dropped.append(f"{key!r} (no value)")
            return
        columns.dates.append(key)
        columns.n_prepared += len(_CALENDAR)
        return
    numbers = None if is_categorical else _numbers(values)
    if numbers is not None:
        if np.isnan(numbers).all():
            columns.dropped.append(f"{key!r} (no value)")
            return
        columns.numbers.append(key)
        columns.n_prepared += 1
        return
    texts = [text for text in _texts(values) if isinstance(text, str)]
    if not texts:
        columns.dropped.append(f"{key!r} (no value)")
        return
    n_values = len(set(texts))
    if n_values > _UNIQUE * len(texts) and n_values > 10 and not is_categorical:
        if np.mean([text.count(" ") + 1 for text in texts]) >= _MIN_WORDS:
            columns.texts.append(key)
            columns.n_prepared += N_TOPICS
        else:
            columns.dropped.append(f"{key!r} (nearly all values are distinct)")
        return
    columns.categories.append(key)
    columns.n_values[key] = n_values
    columns.n_prepared += min(n_values, MAX_CATEGORIES)


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
    """Return values as floats, missing and infinite ones as NaN; None if they are no numbers."""
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
    except OverflowError:  # the integer is too large for a float
        return math.inf


def _texts(values: Any) -> list[Any]:
    return [math.nan if is_missing(value) else str(value) for value in values.tolist()]


def _each(X: Any) -> list[Any]:
    """Return the columns of a transformer's input."""
    X = _with_columns(X)
    return [_plain(column_of(X, place)) for place in range(X.shape[1])]


@ignore_float_errors
def to_numbers(X: Any) -> FloatArray:
    """Convert booleans, durations, nullable integers and numeric strings to numbers.

    Parameters
    ----------
    X : DataFrame or array of shape (n_samples, n_features)

    Returns
    -------
    numbers : ndarray of shape (n_samples, n_features)
        Missing, infinite and non-numeric values are NaN.
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
    """Replace infinite numbers by NaN, and select columns by name.

    Parameters
    ----------
    X : DataFrame or array of shape (n_samples, n_features)
    names : sequence of str or None, default=None
        Columns to select from a DataFrame, in this order; None keeps all columns.

    Returns
    -------
    numbers : DataFrame or array of shape (n_samples, n_features)
        `X` itself if nothing changes.

    Raises
    ------
    ValueError
        If a column is missing.
    """
    if names is not None and hasattr(X, "columns") and list(X.columns) != list(names):
        if missing := [name for name in names if name not in X.columns]:
            raise ValueError(f"X has no column {missing[0]!r}, which the model was fitted on.")
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
    """Convert categories of any type to strings.

    Parameters
    ----------
    X : DataFrame or array of shape (n_samples, n_features)

    Returns
    -------
    categories : ndarray of object of shape (n_samples, n_features)
        Missing values are NaN.
    """
    categories = np.empty(X.shape, dtype=object)
    for index, values in enumerate(_each(X)):
        categories[:, index] = _texts(values)
    return categories


@ignore_float_errors
def to_calendar(X: Any) -> FloatArray:
    """Convert dates to numbers.

    Parameters
    ----------
    X : DataFrame or array of shape (n_samples, n_features)

    Returns
    -------
    numbers : ndarray of shape (n_samples, 5 * n_features)
        For each column: days since 1970, year, month, day of the week (Monday is 0) and hour,
        all in UTC. Missing values are NaN.
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
    """Return the names of the output columns of `to_calendar`."""
    return [f"{name}_{part}" for name in names for part in _CALENDAR]


@ignore_float_errors
def to_words(X: Any) -> Any:
    """Return hashed word counts of a column of texts.

    Parameters
    ----------
    X : DataFrame or array of shape (n_samples, 1)

    Returns
    -------
    counts : sparse matrix of shape (n_samples, 4096)
        Word counts by hash, normalised to length 1 in each row; zeros for missing texts.
    """
    texts = [text if isinstance(text, str) else "" for text in _texts(_each(X)[0])]
    # As a step, HashingVectorizer would disable `set_output` for the whole pipeline.
    return HashingVectorizer(n_features=4096, alternate_sign=False).transform(texts)
