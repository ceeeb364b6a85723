"""How many columns the steps of a pipeline make of the data."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import clone

from sklearn_lepton._runtime.errors import logger
from sklearn_lepton._validation import is_whole
from sklearn_lepton.default_spaces._data_profile import Data

# After these steps features have a variance of about 1, as many as before.
_SCALERS = {"StandardScaler", "RobustScaler", "PowerTransformer", "QuantileTransformer"}
_SAME_COLUMNS = {*_SCALERS, "MinMaxScaler", "MaxAbsScaler", "Normalizer", "SimpleImputer"}
_SAME_COLUMNS |= {"KNNImputer", "OrdinalEncoder", "TfidfTransformer"}
# The settings in the built-in space that leave the fewest words.
_FEWEST_WORDS: dict[str, Any] = {"min_df": 5, "max_df": 0.5, "ngram_range": (1, 1)}
_MIN_HASHED = 2**12


def after(step: Any, data: Data) -> Data:
    """Describe what a step of a pipeline makes of the data.

    Parameters
    ----------
    step : estimator, "passthrough" or "drop"
    data : Data

    Returns
    -------
    Data
        With 1 as the fewest columns where nothing better is known.
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
    least = max(1, next((count(step, data) for n, count in _LEAST.items() if n in names), 1))
    n_columns = max(data.n_columns, least)
    return replace(data, n_columns=n_columns, min_columns=least, variance=1.0, rows=None)


def _one_hot(step: Any, data: Data) -> int:
    return data.min_columns if step.drop is None else 1


def _hashed(step: Any, _: Data) -> int:
    return min(int(step.n_features), _MIN_HASHED)


def _side_by_side(step: Any, data: Data) -> int:
    return sum(after(t, of_columns(data, c)).min_columns for _, t, c in step.transformers)


def _joined(step: Any, data: Data) -> int:
    return sum(after(inner, data).min_columns for _, inner in step.transformer_list)


def of_columns(data: Data, columns: Any) -> Data:
    """Describe some columns of the data, as a `ColumnTransformer` selects them.

    Parameters
    ----------
    data : Data
    columns : str, int, slice, sequence or callable
        A name or number stands for one column, handed on as a sequence of its values.

    Returns
    -------
    Data
        With 1 as the fewest columns where their number cannot be told.
    """
    try:
        if callable(columns):
            columns = columns(data.rows)
        is_one = isinstance(columns, str) or is_whole(columns)
        rows = None if data.rows is None else _take(data.rows, columns)
        n_columns = 1 if is_one else _count(columns, data, rows)
    except Exception:  # noqa: BLE001 - of the user's selector, who is told in `fit`
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


def _least_words(step: Any, data: Data) -> int:
    """Return half of the words of half of the texts, in the setting that leaves the fewest."""
    if data.rows is None or not isinstance(step.min_df, int):
        return 1
    texts: Sequence[Any] = data.rows.tolist() if hasattr(data.rows, "tolist") else list(data.rows)
    fewest = _FEWEST_WORDS | {"min_df": max(step.min_df, _FEWEST_WORDS["min_df"])}
    try:
        words = clone(step).set_params(**fewest).fit(texts).vocabulary_
    except (AttributeError, TypeError, ValueError):  # no texts, or none of their words is left
        return 1
    return len(words) // 2


def _as_many(_: Any, data: Data) -> int:
    return data.min_columns


# The fewest columns that a step makes, by its class.
_LEAST: dict[str, Callable[[Any, Data], int]] = {
    "PolynomialFeatures": _as_many,
    "SplineTransformer": _as_many,
    "KBinsDiscretizer": _as_many,
    "OneHotEncoder": _one_hot,
    "HashingVectorizer": _hashed,
    "CountVectorizer": _least_words,  # and what is derived from it
    "ColumnTransformer": _side_by_side,
    "FeatureUnion": _joined,
}
