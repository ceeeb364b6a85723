"""Dense arrays from the containers that scikit-learn accepts, and their properties."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse

# numpy type of the values of a pandas extension type, by kind.
_PLAIN_TYPES: dict[str, Any] = {"b": np.bool_, "i": np.int64, "u": np.uint64, "f": np.float64}


def as_array(values: Any) -> npt.NDArray[Any]:
    """Return the values of any container as a dense array.

    Parameters
    ----------
    values : array-like, Series, DataFrame, masked array or sparse matrix

    Returns
    -------
    array : ndarray
        Masked values become NaN in numbers, NaT in dates and None elsewhere. Columns of an
        extension type get the numpy type of the same kind if no value is missing.
    """
    if issparse(values):
        rows: Any = values
        return np.asarray(rows.toarray())
    if is_masked(values):
        return _without_mask(values)
    if hasattr(values, "iloc") and values.ndim == 2 and values.shape[1]:
        if all(isinstance(kind, np.dtype) for kind in values.dtypes):
            return np.asarray(values)
        columns = [as_array(values.iloc[:, place]) for place in range(values.shape[1])]
        return np.column_stack(columns)
    array = np.asarray(values)
    kind = getattr(getattr(values, "dtype", None), "kind", "O")
    # Older versions of pandas convert nullable numbers to objects.
    if array.dtype.kind == "O" and kind in _PLAIN_TYPES:
        try:
            return array.astype(_PLAIN_TYPES[kind])
        except (TypeError, ValueError):  # a missing value
            return array
    return array


def is_masked(values: Any) -> bool:
    """Return whether data are a masked array; ``np.asarray`` would drop the mask."""
    return isinstance(values, np.ma.MaskedArray)


def _without_mask(values: Any) -> npt.NDArray[Any]:
    """Return an array with missing values in place of the masked ones."""
    mask = np.ma.getmaskarray(values)
    if not mask.any():
        return np.asarray(values)
    if values.dtype.kind in "biuf":
        kept = values.dtype if values.dtype.kind == "f" else float
        return np.asarray(values.astype(kept).filled(np.nan))
    if values.dtype.kind in "mM":
        return np.asarray(values.filled(np.array("NaT", dtype=values.dtype)))
    objects = np.asarray(values).astype(object)
    objects[mask] = None
    return objects


def shape_of(X: Any) -> tuple[int, ...]:
    """Return the shape of data; ``(n_samples,)`` for lists of different lengths."""
    if hasattr(X, "shape"):
        return tuple(X.shape)
    try:
        return np.shape(X)
    except ValueError:
        return (len(X),)


def first_rows(X: Any, n_rows: int) -> Any:
    """Return the first rows of dense data, in the same container.

    ``X[:n]`` of a pandas object may select by the labels of its index instead of by position.
    """
    return X.iloc[:n_rows] if hasattr(X, "iloc") else X[:n_rows]


def is_missing(value: Any) -> bool:
    """Return whether a value is None, NaN, NaT or pandas' NA."""
    if value is None:
        return True
    try:
        return bool(value != value)  # noqa: PLR0124 - only NaN and NaT differ from themselves
    except (TypeError, ValueError):
        return type(value).__name__ == "NAType"
