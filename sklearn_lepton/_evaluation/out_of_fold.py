"""Out-of-fold predictions: the predictions of all splits as one array for all samples."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.preprocessing import LabelEncoder

from sklearn_lepton._arrays import as_array
from sklearn_lepton._evaluation.fit_outputs import Prediction
from sklearn_lepton._runtime.floating_point import ignore_float_errors

Array = npt.NDArray[Any]


class OutOfFold(NamedTuple):
    """Predictions of one trial for all samples.

    Attributes
    ----------
    values : ndarray, sparse matrix or list of ndarray
        One row for each sample, in the order of the data; a list has one array for each output.
    incomplete : list of int
        Splits whose training part lacks a class.
    unknown : list of int
        Splits whose columns belong to no known classes; their values are NaN.
    """

    values: Any
    incomplete: list[int]
    unknown: list[int]


@ignore_float_errors
def combine(
    predictions: Mapping[int, Prediction],
    tests: Sequence[Any],
    n_samples: int,
    y: Any,
) -> OutOfFold:
    """Combine the predictions of a trial's splits.

    Parameters
    ----------
    predictions : mapping of int to Prediction
        Predictions by split.
    tests : sequence of array
        Test part of each split: rows or a mask.
    n_samples : int
    y : object
        The target, whose sorted classes are the columns.

    Returns
    -------
    result : OutOfFold
        A sample of several test parts gets the mean of its predictions, or the most frequent label.
        A sample of none gets NaN.
    """
    splits = sorted(predictions)
    rows = [rows_of(tests[split]) for split in splits]
    of_split = [predictions[split] for split in splits]
    targets = None if y is None else as_array(y)
    if not isinstance(of_split[0].values, list):
        known = None if targets is None else _classes(targets)
        return _combine_one(of_split, splits, rows, n_samples, known)
    outputs = []
    for output in range(len(of_split[0].values)):
        parts = [
            p._replace(
                values=p.values[output], classes=None if p.classes is None else p.classes[output]
            )
            for p in of_split
        ]
        is_column = targets is not None and targets.ndim == 2 and output < targets.shape[1]
        known = _classes(targets[:, output]) if targets is not None and is_column else None
        outputs.append(_combine_one(parts, splits, rows, n_samples, known))
    return OutOfFold(
        [each.values for each in outputs],
        sorted({split for each in outputs for split in each.incomplete}),
        sorted({split for each in outputs for split in each.unknown}),
    )


def _combine_one(
    predictions: Sequence[Prediction],
    splits: Sequence[int],
    rows: Sequence[Array],
    n_samples: int,
    classes: Array | None,
) -> OutOfFold:
    """Combine the predictions of one output."""
    aligned = [_align(prediction, classes) for prediction in predictions]
    values = [part for part, _ in aligned if part is not None]
    incomplete = [s for s, (_, lacks) in zip(splits, aligned, strict=True) if lacks]
    unknown = [s for s, (part, _) in zip(splits, aligned, strict=True) if part is None]
    known_rows = [r for r, (part, _) in zip(rows, aligned, strict=True) if part is not None]
    if not values:
        return OutOfFold(np.full(n_samples, np.nan), incomplete, unknown)
    flat = np.concatenate(known_rows)
    counts = np.bincount(flat, minlength=n_samples)
    if sparse.issparse(values[0]) and np.all(counts == 1):
        stacked = sparse.vstack(values, format="csr")[np.argsort(flat)]
        return OutOfFold(stacked, incomplete, unknown)
    stacked = np.concatenate([as_array(part) for part in values])
    if np.all(counts == 1):
        combined = stacked[np.argsort(flat)]
    elif all(prediction.has_means for prediction in predictions):
        combined = _means(stacked, flat, counts)
    else:
        combined = _most_frequent(stacked, flat, counts)
    return OutOfFold(combined, incomplete, unknown)


def _align(prediction: Prediction, classes: Array | None) -> tuple[Any, bool]:
    """Return values with a column for each class, and whether the training part lacks a class.

    The values are None if their columns belong to no known classes.
    """
    values, own = prediction.values, prediction.classes
    if prediction.method == "predict" or own is None or classes is None or isinstance(own, list):
        return values, False
    own = np.asarray(own)
    if own.ndim != 1 or len(own) == len(classes):
        return values, False
    places = np.searchsorted(classes, own) if np.isin(own, classes).all() else None
    if values.ndim != 2 or values.shape[1] != len(own) or places is None:
        return None, True
    # The values of `cross_val_predict`.
    missing = 0.0 if prediction.method == "predict_proba" else np.finfo(values.dtype).min
    full = np.full((len(values), len(classes)), missing, dtype=values.dtype)
    full[:, places] = values
    return full, True


def _means(values: Array, rows: Array, counts: Array) -> Array:
    """Return the mean of each row's values, NaN for rows without one."""
    shape = (len(counts), *values.shape[1:])
    means = np.zeros(shape, dtype=np.result_type(values, np.float32))
    # Divided first: a sum of several of the smallest numbers would be infinite.
    weights = 1.0 / counts[rows]
    np.add.at(means, rows, values * weights.reshape(-1, *[1] * (values.ndim - 1)))
    means[counts == 0] = np.nan
    return means


def _most_frequent(labels: Array, rows: Array, counts: Array) -> Array:
    """Return the most frequent label of each row; of equally frequent ones the first.

    Numbers become floats and other labels objects if a row has none, which gets NaN.
    """
    if labels.ndim == 2:  # several outputs
        columns = [_most_frequent(column, rows, counts) for column in labels.T]
        return np.stack(columns, axis=1)
    kinds, codes = np.unique(labels, return_inverse=True)
    votes = sparse.coo_array((np.ones(len(rows)), (rows, codes.ravel())), (len(counts), len(kinds)))
    chosen = kinds[np.asarray(votes.tocsr().argmax(axis=1)).ravel()]
    if np.all(counts > 0):
        return np.asarray(chosen)
    chosen = chosen.astype(float if chosen.dtype.kind in "iuf" else object)
    chosen[counts == 0] = np.nan
    return np.asarray(chosen)


def _classes(y: Array) -> Array | None:
    """Return the classes of a target; None for several outputs or values that have no order."""
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        return None
    try:
        return np.asarray(LabelEncoder().fit(y).classes_)
    except (TypeError, ValueError):
        return None


def rows_of(test: Any) -> Array:
    """Return the row numbers of a test part that may be a mask."""
    rows = np.asarray(test)
    return np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
