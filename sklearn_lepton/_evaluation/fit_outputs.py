"""FitOutput: what a fit leaves besides its scores: predictions of its test part, its estimator."""

import copy
import io
import os
import pickle
import platform
import traceback
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import issparse
from sklearn.base import clone, is_classifier, is_regressor

from sklearn_lepton._arrays import as_array
from sklearn_lepton._evaluation.sklearn import part_of, with_settings_of
from sklearn_lepton._typing import FitCall
from sklearn_lepton._workers.joblib import pickler_class
from sklearn_lepton.space._dimension import Categorical
from sklearn_lepton.space._space import Space
from sklearn_lepton.space._values import count_rows

# The first one that an estimator has is called; a regressor predicts.
METHODS = ("predict_proba", "decision_function", "predict")


class Prediction(NamedTuple):
    """Predictions of a fitted estimator for the test part of its split.

    Attributes
    ----------
    method : str
        Method that returned them, of `METHODS`.
    values : ndarray, sparse matrix or list of ndarray
        One row for each sample; a list has one array for each output.
    classes : ndarray, list of ndarray or None
        Class of each column, if the method returns columns for classes.
    has_means : bool
        Whether several predictions of a sample can be averaged: not labels.
    """

    method: str
    values: Any
    classes: Any
    has_means: bool


class FitOutput(NamedTuple):
    """Predictions and fitted estimator of the fit of a trial on a split.

    Attributes
    ----------
    number : int
        Number of the trial.
    split : int
    prediction : Prediction or None
        None if only estimators are kept.
    estimator : bytes, estimator object or None
        Pickled, unless that failed in the process of the search; None if it is not kept.
    """

    number: int
    split: int
    prediction: Prediction | None
    estimator: Any

    @property
    def n_bytes(self) -> int:
        """Size in bytes, without an estimator that could not be pickled."""
        size = len(self.estimator) if isinstance(self.estimator, bytes) else 0
        if self.prediction is None:
            return size
        values: Any = self.prediction.values
        for part in values if isinstance(values, list) else [values]:
            size += int((part if isinstance(part, np.ndarray) else part.data).nbytes)
        return size

    def load_estimator(self) -> Any:
        """Return the fitted estimator."""
        if isinstance(self.estimator, bytes):  # a worker of this search wrote them
            return pickle.loads(self.estimator)  # noqa: S301
        return self.estimator


class FitWithOutput:
    """Fit with a `FitOutput` in its row, as "output".

    The output is made once the fit has been scored, so that no recorded time includes it. If it
    fails, the fit fails.

    Parameters
    ----------
    function : callable
        Function of the fit.
    plain : callable
        scikit-learn's function of the fit, without the changes of fit aids.
    number, split : int
        Number of the trial, and split.
    predictions, estimators : bool
        What to keep.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        plain: Callable[..., Any],
        *,
        number: int,
        split: int,
        predictions: bool,
        estimators: bool,
    ) -> None:
        self._function = function
        self._predict = with_settings_of(plain, predict_test_part) if predictions else None
        self._keeps_estimator = estimators
        self._number, self._split = number, split
        self._owner = platform.node(), os.getpid()

    def __call__(self, estimator: Any, X: Any, y: Any, **kwargs: Any) -> dict[str, Any]:
        """Run the fit."""
        row: dict[str, Any] = self._function(estimator, X, y, **kwargs, return_estimator=True)
        fitted = row.pop("estimator")
        if row["fit_error"] is not None:
            return row
        prediction = pickled = None
        try:
            purpose = "predict, for return_predictions=True or refit='ensemble'"
            if self._predict is not None:
                prediction = self._predict(fitted, X, y, kwargs["train"], kwargs["test"])
            purpose = "pickle the estimator, for return_estimators=True"
            if self._keeps_estimator:
                pickled = self._pickle(fitted)
        except Exception:
            if kwargs["error_score"] == "raise":
                raise
            reason = f"The fit succeeded, but failed to {purpose}:\n{traceback.format_exc()}"
            return _fail(row, reason, kwargs["error_score"])
        row["output"] = FitOutput(self._number, self._split, prediction, pickled)
        return row

    def _pickle(self, estimator: Any) -> Any:
        """Return a pickled estimator, or itself if that fails in the process of the search."""
        file = io.BytesIO()
        try:
            # In a worker, classes of the user's script are pickled by value only.
            pickler_class()(file, protocol=pickle.HIGHEST_PROTOCOL).dump(estimator)
        except Exception:
            if (platform.node(), os.getpid()) != self._owner:
                raise
            return estimator
        return file.getvalue()


def _fail(row: dict[str, Any], reason: str, error_score: float) -> dict[str, Any]:
    """Return the row of a fit as scikit-learn returns it for a fit that failed."""
    for kind in {"test_scores", "train_scores"} & row.keys():
        scores = row[kind]
        row[kind] = dict.fromkeys(scores, error_score) if isinstance(scores, dict) else error_score
    return row | {"fit_error": reason}


def predict_test_part(estimator: Any, X: Any, y: Any, train: Any, test: Any) -> Prediction:
    """Return the predictions of a fitted estimator for the test part of its split.

    Parameters
    ----------
    estimator : estimator object
        Fitted.
    X, y : object
        All data.
    train, test : array of int
        Rows of the two parts.

    Returns
    -------
    prediction : Prediction

    Raises
    ------
    AttributeError
        If the estimator has none of the `METHODS`.
    ValueError
        If it does not return one row for each sample.
    """
    method = _method_of(estimator)
    if method is None:
        raise AttributeError(f"{estimator!r} has none of the methods {', '.join(METHODS)}.")
    X_test, _ = part_of(estimator, X, y, np.asarray(test), np.asarray(train))
    values = getattr(estimator, method)(X_test)
    if isinstance(values, list) and method != "predict":  # one array for each output
        values = [as_array(part) for part in values]
    elif not issparse(values):
        values = as_array(values)
    for part in values if isinstance(values, list) else [values]:
        if part.shape[:1] != (count_rows(X_test),):
            raise ValueError(
                f"{method} returned an array of shape {part.shape} for {count_rows(X_test)} "
                "samples: it must have one row for each sample."
            )
    has_means = method != "predict" or is_regressor(estimator)
    if not has_means and not is_classifier(estimator) and not isinstance(values, list):
        has_means = values.dtype.kind == "f"
    classes = getattr(estimator, "classes_", None) if method != "predict" else None
    return Prediction(method, values, classes, has_means)


def _method_of(estimator: Any) -> str | None:
    """Return the first of the `METHODS` that an estimator has, or None."""
    methods = METHODS[-1:] if is_regressor(estimator) else METHODS
    return next((method for method in methods if hasattr(estimator, method)), None)


def can_predict(estimator: Any, space: Space, method: str | None = None) -> bool:
    """Return whether an estimator can predict, as it is or with one choice of the space.

    Parameters
    ----------
    estimator : estimator object
        Unfitted.
    space : Space
    method : str or None, default=None
        The method that it needs; None is any of the `METHODS`.
    """

    def has_method(candidate: Any) -> bool:
        return _method_of(candidate) is not None if method is None else hasattr(candidate, method)

    if has_method(estimator):
        return True
    for name, dimension in zip(space.names, space.dimensions, strict=True):
        for value in dimension.categories if isinstance(dimension, Categorical) else ():
            try:
                changed = clone(estimator).set_params(**{name: copy.copy(value)})
            except Exception:  # noqa: BLE001 - it may need other parameters, too
                return True
            if has_method(changed):
                return True
    return False


def with_output(
    fit: FitCall, plain: FitCall, *, number: int, split: int, predictions: bool, estimators: bool
) -> FitCall:
    """Return a fit whose row has a `FitOutput`; the parameters are those of `FitWithOutput`."""
    function = FitWithOutput(
        fit.function,
        plain.function,
        number=number,
        split=split,
        predictions=predictions,
        estimators=estimators,
    )
    return fit._replace(function=function)
