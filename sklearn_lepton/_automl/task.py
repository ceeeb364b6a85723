"""Task: the kind of the target and the properties of the data that models depend on."""

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.multiclass import type_of_target

from sklearn_lepton._arrays import as_array, is_masked, is_missing
from sklearn_lepton._automl.columns import Columns, column_of
from sklearn_lepton._runtime.floating_point import ignore_float_errors

_IMBALANCED = 0.2  # share of the rarest class below which class weights are tried
_MAX_MEANS, _MIN_OF_CLASS = 10, 20  # classes, and rows of the rarest, for means of the target
_MAX_CLASSES = 20  # distinct integers above which a target is numeric
_ROWS_A_CLASS = 5  # minimum mean number of rows per class, for integer targets
_ADVICE = "pass estimator='classifier' or estimator='regressor' to choose the kind"


@dataclass(frozen=True)
class Task:
    """A supervised learning task: the kind of the target and properties of the data.

    Attributes
    ----------
    is_classifier : bool
    columns : Columns
    n_rows : int
    n_classes : int
        0 in regression.
    smallest_class : int
        Rows of the rarest class; `n_rows` in regression.
    n_targets : int
    skewness : float, >= 0
        Absolute skewness of the target in regression.
    has_weights : bool
        Whether models must accept ``sample_weight``.
    is_constant : bool
        Whether the target has a single value.
    """

    is_classifier: bool
    columns: Columns
    n_rows: int
    n_classes: int = 0
    smallest_class: int = 0
    n_targets: int = 1
    skewness: float = 0.0
    has_weights: bool = False
    is_constant: bool = False

    @property
    def width(self) -> int:
        """Number of columns after preprocessing, at least 1."""
        return max(self.columns.n_prepared, 1)

    @property
    def is_single(self) -> bool:
        """Whether there is one target."""
        return self.n_targets == 1

    @property
    def is_imbalanced(self) -> bool:
        """Whether class weights should be tried."""
        share = self.smallest_class / self.n_rows
        return self.is_classifier and self.is_single and share < _IMBALANCED

    def by_target(self, max_values: int) -> list[Any]:
        """Return the categories that are encoded by means of the target, in each class.

        Parameters
        ----------
        max_values : int
            Number of values above which a column is encoded so.

        Returns
        -------
        keys : list
            Empty if there are several targets, many classes, or a class with few rows.
        """
        is_rare = self.is_classifier and self.smallest_class < _MIN_OF_CLASS
        if not self.is_single or self.n_classes > _MAX_MEANS or is_rare:
            return []
        return [key for key, n in self.columns.n_values.items() if n > max_values]


@ignore_float_errors
def read_target(y: Any) -> Any:
    """Return a target in a form that all models accept.

    Parameters
    ----------
    y : array-like or sparse matrix of shape (n_samples,) or (n_samples, n_outputs), or None

    Returns
    -------
    y : array-like of shape (n_samples,) or (n_samples, n_outputs) or None
        Dense target. A single column has one dimension; several are a numpy array.
    """
    if issparse(y) or is_masked(y):  # most models take neither
        y = as_array(y)
    shape = np.shape(y)
    if len(shape) != 2:
        return y
    if shape[1] == 1:
        return column_of(y if hasattr(y, "shape") else np.asarray(y), 0)
    return as_array(y)


@ignore_float_errors
def read_task(kind: str, columns: Columns, y: Any, *, n_rows: int, has_weights: bool) -> Task:
    """Return the task that a target defines.

    Parameters
    ----------
    kind : {"auto", "classifier", "regressor"}
    columns : Columns
        Columns of the data.
    y : array-like or sparse matrix of shape (n_samples,) or (n_samples, n_outputs)
        Target.
    n_rows : int
    has_weights : bool
        Whether models must accept ``sample_weight``.

    Returns
    -------
    task : Task

    Raises
    ------
    ValueError
        If there is no target, or it has missing values or unsupported types.
    """
    if y is None:
        raise ValueError("Models are chosen by how they predict y, which was not given: pass it.")
    y = read_target(y)
    target = as_array(y)
    flat = target.ravel()
    missing = sum(map(is_missing, flat.tolist()))
    if missing:
        raise ValueError(
            f"y has {missing} missing value{'s' * (missing > 1)}: leave out the rows without a "
            "target."
        )
    n_targets = 1 if target.ndim < 2 else target.shape[1]
    form = type_of_target(y)
    is_classifier = kind == "classifier" or (kind == "auto" and _looks_like_classes(flat, form))
    if form == "unknown" or (is_classifier and form.startswith("continuous")):
        raise ValueError(
            f"y looks like {form!r}, which is no target of a "
            f"{'classifier' if is_classifier else 'regressor'}: use strings or integers for "
            f"classes, or numbers for regression; {_ADVICE}."
        )
    if not is_classifier:
        amounts = _amounts(target)
        spread = amounts.std(axis=0)
        is_constant = bool(np.all(spread <= 1e-12 * (1.0 + np.abs(amounts.mean(axis=0)))))
        skewness = 0.0
        if n_targets == 1 and not is_constant:
            skewness = float(np.mean(((amounts - amounts.mean()) / spread) ** 3))
        return Task(
            False,
            columns,
            n_rows,
            smallest_class=n_rows,
            n_targets=n_targets,
            skewness=abs(skewness),
            has_weights=has_weights,
            is_constant=is_constant,
        )
    if n_targets == 1:
        counts = np.unique(flat, return_counts=True)[1].tolist()
    else:
        counts = list(Counter(map(tuple, target.tolist())).values())
    return Task(
        True,
        columns,
        n_rows,
        n_classes=len(counts),
        smallest_class=min(counts, default=0),
        n_targets=n_targets,
        has_weights=has_weights,
        is_constant=len(counts) == 1,
    )


@ignore_float_errors
def check_scored(task: Task, y: Any) -> None:
    """Raise an error if the default of `scoring` does not support the target.

    Raises
    ------
    ValueError
    """
    form = type_of_target(y) if task.is_classifier and not task.is_single else ""
    if form == "multiclass-multioutput":
        raise ValueError(
            f"y has {task.n_targets} columns of classes other than 0 and 1, of which scikit-learn "
            "has no accuracy: give scoring, a function of estimator, X and y, or one column only."
        )


def _amounts(target: Any) -> Any:
    """Return a target as floats; raise an error for strings and dates."""
    kind = target.dtype.kind
    has_texts = kind == "O" and any(isinstance(v, str | bytes) for v in target.ravel().tolist())
    if kind in "biufO" and not has_texts:
        with suppress(TypeError, ValueError):
            return target.astype(float)
    raise ValueError(
        f"y of type {target.dtype} is no target of a regressor: convert it to numbers, or "
        "pass estimator='classifier'."
    )


def _looks_like_classes(flat: Any, form: str) -> bool:
    """Return whether a target holds classes: strings, booleans, or few distinct integers."""
    if form.startswith("continuous"):
        return False
    if flat.dtype.kind not in "iuf":
        return True
    n_values = len(np.unique(flat))
    return n_values <= 2 or n_values <= min(_MAX_CLASSES, len(flat) / _ROWS_A_CLASS)
