"""Preparation: the transformers that make of columns what models take."""

from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import TruncatedSVD
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)

from sklearn_lepton._automl.columns import (
    MOST_CATEGORIES,
    N_TOPICS,
    Columns,
    calendar_names,
    to_calendar,
    to_categories,
    to_finite,
    to_numbers,
    to_words,
)

_MAX_CODES = 254  # what the bins of a boosted tree have room for


def with_default_output(transformer: Any) -> Any:
    """Have a transformer give arrays, whatever the user has all transformers give.

    Parameters
    ----------
    transformer : transformer

    Returns
    -------
    transformer : transformer
        The same one.
    """
    return transformer.set_output(transform="default")


def passthrough() -> Any:
    """Make the preparation that changes nothing."""
    return _function(None)


def for_trees(columns: Columns) -> Any:
    """Make the preparation for trees: codes for categories, missing values as they are.

    Parameters
    ----------
    columns : Columns

    Returns
    -------
    prepare : transformer
        Not fitted. The columns of categories come first.
    """
    if columns.is_sparse:
        return passthrough()
    if columns.is_plain and not columns.dropped:
        # Without a ColumnTransformer, which takes longer than some trees do.
        names = [name for name in columns.numbers if isinstance(name, str)]
        return _function(to_finite, kw_args={"names": names} if names else None)
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        encoded_missing_value=np.nan,
        max_categories=_MAX_CODES,
    )
    parts = [
        ("categories", _then(to_categories, ("encode", encoder)), columns.categories),
        ("numbers", _function(_reading(columns)), columns.numbers),
    ]
    return _transformer([*parts, *_of_the_rest(columns, [])])


def for_distances(columns: Columns) -> Any:
    """Make the preparation for all other models: nothing is missing, and all is of one scale.

    Parameters
    ----------
    columns : Columns

    Returns
    -------
    prepare : transformer
        Not fitted; ``numbers__scale`` is its step that scales numbers.
    """
    if columns.is_sparse:
        return with_default_output(MaxAbsScaler())
    encoder = OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        max_categories=MOST_CATEGORIES,
        min_frequency=2,
        sparse_output=False,
    )
    scaled = [("impute", _imputer()), ("scale", StandardScaler())]
    parts = [
        ("numbers", _then(_reading(columns), *scaled), columns.numbers),
        ("categories", _then(to_categories, ("encode", encoder)), columns.categories),
    ]
    return _transformer([*parts, *_of_the_rest(columns, scaled)])


def _imputer() -> SimpleImputer:
    return SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)


def _reading(columns: Columns) -> Any:
    return to_finite if columns.is_plain else to_numbers


def _same(_: Any, names: Any) -> Any:
    """Return the names of columns that stay what they are.

    "one-to-one" makes an array of None of it before fit, which `_repr_html_` fails on.
    """
    if names is None:
        raise NotFittedError("Names of columns are known once they were seen: call fit first.")
    return names


def _function(function: Any, names: Any = _same, **options: Any) -> Any:
    return with_default_output(FunctionTransformer(function, feature_names_out=names, **options))


def _then(function: Any, *steps: tuple[str, Any], names: Any = _same) -> Pipeline:
    return Pipeline([("read", _function(function, names)), *steps])


def _of_the_rest(columns: Columns, scaled: list[tuple[str, Any]]) -> list[tuple[str, Any, Any]]:
    """Make what dates and texts need, which is alike for all models."""
    dates = _then(to_calendar, *scaled, names=calendar_names)
    parts = [("dates", dates, columns.dates)]
    for number, text in enumerate(columns.texts):
        words = Pipeline([
            ("read", FunctionTransformer(to_words)),
            ("reduce", TruncatedSVD(N_TOPICS, random_state=0)),
            *scaled,
        ])  # fmt: skip
        parts.append((f"text{number}", words, [text]))
    return parts


def _transformer(parts: list[tuple[str, Any, Any]]) -> ColumnTransformer:
    kept = [part for part in parts if part[2]]
    return with_default_output(ColumnTransformer(kept, sparse_threshold=0.0))
