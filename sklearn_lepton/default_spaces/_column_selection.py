"""Data profiles after the steps of a pipeline and within a `ColumnTransformer`."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import clone

from sklearn_lepton._runtime.errors import logger
from sklearn_lepton._validation import is_whole
from sklearn_lepton.default_spaces._data_profile import Data

# These steps scale features to a variance of about 1 and keep their number.
_SCALERS = {"StandardScaler", "RobustScaler", "PowerTransformer", "QuantileTransformer"}
_SAME_COLUMNS = {*_SCALERS, "MinMaxScaler", "MaxAbsScaler", "Normalizer", "SimpleImputer"}
_SAME_COLUMNS |= {"KNNImputer", "OrdinalEncoder", "TfidfTransformer"}
# Values in the built-in space that give the smallest vocabulary.
_FEWEST_WORDS: dict[str, Any] = {"min_df": 5, "max_df": 0.5, "ngram_range": (1, 1)}
_MIN_HASHED = 2**12


def after(step: Any, data: Data) -> Data:
    """Return the profile of a pipeline step's output.

    Parameters
    ----------
    step : estimator, "passthrough" or "drop"
    data : Data

    Returns
    -------
    Data
        Profile with `min_columns` 1 if the number of columns is unknown.
    """
    if isinstance(step, str) or step is None:
        return replace(data, min_columns=0) if step == "drop" else data
    names = {kind.__name__ for kind in type(step).__mro__}
    if names & _SAME_COLUMNS:
        return replace(data, variance=1.0 if names & _SCALERS else data.variance, rows=None)
    if "Pipeline" in names:
        for _, inner in step.steps:
            data = after(inner, data)
        return data
    counters = (count(step, data) for n, count in _MIN_COLUMNS.items() if n in names)
    min_columns = max(1, next(counters, 1))
    n_columns = max(data.n_columns, min_columns)
    return replace(data, n_columns=n_columns, min_columns=min_columns, variance=1.0, rows=None)


def _one_hot(step: Any, data: Data) -> int:
    return data.min_columns if step.drop is None else 1


def _hashed(step: Any, _: Data) -> int:
    return min(int(step.n_features), _MIN_HASHED)


def _side_by_side(step: Any, data: Data) -> int:
    return sum(after(t, of_columns(data, c)).min_columns for _, t, c in step.transformers)


def _joined(step: Any, data: Data) -> int:
    return sum(after(inner, data).min_columns for _, inner in step.transformer_list)


def of_columns(data: Data, columns: Any) -> Data:
    """Return the profile of columns that a `ColumnTransformer` selects.

    Parameters
    ----------
    data : Data
    columns : str, int, slice, sequence or callable
        Selection of columns. A single name or number selects one column as a 1-D sequence.

    Returns
    -------
    Data
        Profile with `min_columns` 1 if the number of columns is unknown.
    """
    try:
        if callable(columns):
            columns = columns(data.rows)
        is_one = isinstance(columns, str) or is_whole(columns)
        rows = None if data.rows is None else _take(data.rows, columns)
        n_columns = 1 if is_one else _count(columns, data, rows)
    except Exception:  # noqa: BLE001 - the user's selector may raise anything; `fit` reports it
        logger.debug(
            "The columns of a ColumnTransformer are not known to the built-in space.", exc_info=True
        )
        return replace(data, min_columns=1, rows=None)
    return replace(data, n_columns=max(1, n_columns), min_columns=n_columns, rows=rows)


def _take(rows: Any, columns: Any) -> Any:
    if hasattr(rows, "iloc"):
        by_place = np.asarray(columns).dtype.kind in "ib" or isinstance(columns, slice)
        return rows.iloc[:, columns] if by_place else rows[columns]
    return rows[columns] if hasattr(rows, "columns") else rows[:, columns]


def _count(columns: Any, data: Data, rows: Any) -> int:
    if isinstance(columns, slice):
        return len(range(data.n_columns)[columns]) if rows is None else int(rows.shape[1])
    given = np.asarray(columns)
    return int(given.sum()) if given.dtype == bool else len(given)


def _min_words(step: Any, data: Data) -> int:
    """Return half the vocabulary size of half of the texts, for the smallest vocabulary."""
    if data.rows is None or not isinstance(step.min_df, int):
        return 1
    texts: Sequence[Any] = data.rows.tolist() if hasattr(data.rows, "tolist") else list(data.rows)
    fewest = _FEWEST_WORDS | {"min_df": max(step.min_df, _FEWEST_WORDS["min_df"])}
    try:
        words = clone(step).set_params(**fewest).fit(texts).vocabulary_
    except (AttributeError, TypeError, ValueError):  # no texts, or an empty vocabulary
        return 1
    return len(words) // 2


def _as_many(_: Any, data: Data) -> int:
    return data.min_columns


# Minimum number of output columns of a step, by its class.
_MIN_COLUMNS: dict[str, Callable[[Any, Data], int]] = {
    "PolynomialFeatures": _as_many,
    "SplineTransformer": _as_many,
    "KBinsDiscretizer": _as_many,
    "OneHotEncoder": _one_hot,
    "HashingVectorizer": _hashed,
    "CountVectorizer": _min_words,  # and its subclasses
    "ColumnTransformer": _side_by_side,
    "FeatureUnion": _joined,
}
