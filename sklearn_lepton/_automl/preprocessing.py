"""Preprocessing: the transformers that convert columns to the input of models."""

from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import TruncatedSVD
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)

from sklearn_lepton._automl.columns import (
    MAX_CATEGORIES,
    N_TOPICS,
    Columns,
    calendar_names,
    to_calendar,
    to_categories,
    to_finite,
    to_numbers,
    to_words,
)
from sklearn_lepton._automl.task import Task

_MAX_CODES = 254  # bins of a histogram gradient boosting tree
# One-hot columns of so many rows would take several times the memory of the table.
_MANY_ROWS, _FEW_CATEGORIES = 100_000, 8


def with_default_output(transformer: Any) -> Any:
    """Make a transformer return arrays, regardless of scikit-learn's global setting.

    Parameters
    ----------
    transformer : transformer

    Returns
    -------
    transformer : transformer
        The given transformer.
    """
    return transformer.set_output(transform="default")


def passthrough() -> Any:
    """Return a transformer that returns its input."""
    return _function(None)


def coded(task: Task) -> list[Any]:
    """Return the categories that trees get as codes, which are their first columns."""
    means = set(task.by_target(MAX_CATEGORIES))
    return [key for key in task.columns.categories if key not in means]


def for_trees(task: Task) -> Any:
    """Return the preprocessing for trees: codes or means; missing values are kept.

    Parameters
    ----------
    task : Task

    Returns
    -------
    prepare : transformer
        Unfitted transformer. The columns of codes come first.
    """
    columns = task.columns
    if columns.is_sparse:
        return passthrough()
    if columns.is_plain and not columns.dropped:
        # A ColumnTransformer would take longer than the fit of some trees.
        names = [name for name in columns.numbers if isinstance(name, str)]
        return _function(to_finite, kw_args={"names": names} if names else None)
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        encoded_missing_value=np.nan,
        max_categories=_MAX_CODES,
    )
    parts = [
        ("categories", _read_and(to_categories, ("encode", encoder)), coded(task)),
        ("means", _means(task), task.by_target(MAX_CATEGORIES)),
        ("numbers", _function(_number_reader(columns)), columns.numbers),
    ]
    return _transformer([*parts, *_dates_and_texts(columns, [])])


def for_distances(task: Task) -> Any:
    """Return the preprocessing for other models: imputed, encoded and scaled columns.

    Parameters
    ----------
    task : Task

    Returns
    -------
    prepare : transformer
        Unfitted transformer; its step ``numbers__scale`` scales numeric columns.
    """
    columns = task.columns
    if columns.is_sparse:
        return with_default_output(MaxAbsScaler())
    means = task.by_target(_FEW_CATEGORIES if task.n_rows >= _MANY_ROWS else MAX_CATEGORIES)
    one_hot = [key for key in columns.categories if key not in set(means)]
    encoder = OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        max_categories=MAX_CATEGORIES,
        min_frequency=2,
        sparse_output=False,
    )
    scaled = [("impute", _imputer()), ("scale", StandardScaler())]
    parts = [
        ("numbers", _read_and(_number_reader(columns), *scaled), columns.numbers),
        ("categories", _read_and(to_categories, ("encode", encoder)), one_hot),
        ("means", _means(task, ("scale", StandardScaler())), means),
    ]
    return _transformer([*parts, *_dates_and_texts(columns, scaled)])


def _means(task: Task, *steps: tuple[str, Any]) -> Pipeline:
    """Return the encoding of categories by the mean of the target, or the share of each class.

    The training rows get means of other rows, by cross-fitting.

    References
    ----------
    D. Micci-Barreca, A preprocessing scheme for high-cardinality categorical attributes in
    classification and prediction problems, SIGKDD Explorations 3(1), 2001.
    """
    kind = "continuous" if not task.is_classifier else "binary"
    if task.n_classes > 2:
        kind = "multiclass"
    encoder = TargetEncoder(target_type=kind)
    if encoder.shuffle is True:  # scikit-learn 1.8 and older
        encoder.set_params(random_state=0)
    else:
        folds = StratifiedKFold if task.is_classifier else KFold
        encoder.set_params(cv=folds(5, shuffle=True, random_state=0))
    return _read_and(to_categories, ("encode", encoder), *steps)


def _imputer() -> SimpleImputer:
    return SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)


def _number_reader(columns: Columns) -> Any:
    """Return the function that converts numeric columns."""
    return to_finite if columns.is_plain else to_numbers


def _same(_: Any, names: Any) -> Any:
    """Return the input names as output names.

    "one-to-one" returns an array of None before fit, which breaks `_repr_html_`.
    """
    if names is None:
        raise NotFittedError("Names of columns are known after fit: call fit first.")
    return names


def _function(function: Any, names: Any = _same, **options: Any) -> Any:
    return with_default_output(FunctionTransformer(function, feature_names_out=names, **options))


def _read_and(function: Any, *steps: tuple[str, Any], names: Any = _same) -> Pipeline:
    """Return a pipeline that converts columns with a function before its other steps."""
    return Pipeline([("read", _function(function, names)), *steps])


def _dates_and_texts(columns: Columns, scaled: list[tuple[str, Any]]) -> list[tuple[str, Any, Any]]:
    """Return the transformers of dates and texts, which all models share."""
    dates = _read_and(to_calendar, *scaled, names=calendar_names)
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
