"""Task: what is to be learned, as the target tells."""

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

_IMBALANCED = 0.2  # share of the rarest class, below which weights of classes are tried
_MAX_CLASSES = 20  # integers with more values than these are amounts, not classes
_ROWS_A_CLASS = 5  # on average, if integers are to be classes
_WHAT = "estimator='classifier' or estimator='regressor' says which it is"


@dataclass(frozen=True)
class Task:
    """What is to be learned.

    Attributes
    ----------
    is_classifier : bool
    columns : Columns
    n_rows : int
    n_classes : int
        0 in regression.
    least_class : int
        Rows of the rarest class; `n_rows` in regression.
    n_targets : int
    skewness : float, >= 0
        Of the target, in regression.
    has_weights : bool
        Whether models must take ``sample_weight``.
    is_constant : bool
        Whether there is a single value of the target.
    """

    is_classifier: bool
    columns: Columns
    n_rows: int
    n_classes: int = 0
    least_class: int = 0
    n_targets: int = 1
    skewness: float = 0.0
    has_weights: bool = False
    is_constant: bool = False

    @property
    def width(self) -> int:
        """Columns after preparation, at least 1."""
        return max(self.columns.n_made, 1)

    @property
    def is_single(self) -> bool:
        """Whether there is one target."""
        return self.n_targets == 1

    @property
    def is_imbalanced(self) -> bool:
        """Whether weights of classes are worth trying."""
        share = self.least_class / self.n_rows
        return self.is_classifier and self.is_single and share < _IMBALANCED


@ignore_float_errors
def read_target(y: Any) -> Any:
    """Return a target in a form that all models take.

    Parameters
    ----------
    y : array-like or sparse matrix of shape (n_samples,) or (n_samples, n_outputs), or None

    Returns
    -------
    y : array-like of shape (n_samples,) or (n_samples, n_outputs) or None
        Dense. A single column has one dimension; several are a numpy array.
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
    """Find out what is to be learned.

    Parameters
    ----------
    kind : {"auto", "classifier", "regressor"}
    columns : Columns
        Of the data.
    y : array-like or sparse matrix of shape (n_samples,) or (n_samples, n_outputs)
        The target.
    n_rows : int
    has_weights : bool
        Whether models must take ``sample_weight``.

    Returns
    -------
    task : Task

    Raises
    ------
    ValueError
        If there is no target, or it has missing values or ones of no kind.
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
            f"{'classifier' if is_classifier else 'regressor'}: make it strings or integers for "
            f"classes, or numbers for amounts; {_WHAT}."
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
            least_class=n_rows,
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
        least_class=min(counts, default=0),
        n_targets=n_targets,
        has_weights=has_weights,
        is_constant=len(counts) == 1,
    )


@ignore_float_errors
def check_scored(task: Task, y: Any) -> None:
    """Refuse what the default of `scoring` is not made for.

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
    """Return a target as numbers; texts and dates are none, even those that make numbers."""
    kind = target.dtype.kind
    has_texts = kind == "O" and any(isinstance(v, str | bytes) for v in target.ravel().tolist())
    if kind in "biufO" and not has_texts:
        with suppress(TypeError, ValueError):
            return target.astype(float)
    raise ValueError(
        f"y of type {target.dtype} is no target of a regressor: make it numbers, or give "
        "estimator='classifier'."
    )


def _looks_like_classes(flat: Any, form: str) -> bool:
    """Say whether a target is of classes: texts, booleans, or few different integers."""
    if form.startswith("continuous"):
        return False
    if flat.dtype.kind not in "iuf":
        return True
    n_values = len(np.unique(flat))
    return n_values <= 2 or n_values <= min(_MAX_CLASSES, len(flat) / _ROWS_A_CLASS)
