"""The decision threshold of a binary classifier, from a search's out-of-fold predictions."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone, is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.utils.validation import check_is_fitted

from sklearn_lepton._arrays import as_array
from sklearn_lepton._runtime.errors import describe_error
from sklearn_lepton._validation import is_whole
from sklearn_lepton.space._values import count_rows


class _PredictedLabels(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Classifier that returns given labels, for a scorer."""

    def __init__(self, labels: Any, classes: Any) -> None:
        self.labels = labels
        self.classes = self.classes_ = classes

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict(self, X: Any) -> Any:  # noqa: ARG002
        """Return the labels."""
        return self.labels


def tuned_threshold(
    search: Any,
    y: Any,
    *,
    scoring: str | Callable[..., float] = "balanced_accuracy",
    thresholds: int | Sequence[float] = 100,
    pos_label: Any = None,
) -> Any:
    """Classifier of a search with the decision threshold that is best for a metric.

    The threshold follows from the out-of-fold predictions that the search keeps, without a
    further fit. `TunedThresholdClassifierCV` fits the classifier again on each split for it.

    Parameters
    ----------
    search : search
        Fitted search of this package for a binary classifier, with ``return_predictions=True``
        and a refitted ``best_estimator_``.
    y : array-like of shape (n_samples,)
        The target that the search was fitted to.
    scoring : str or callable, default="balanced_accuracy"
        Metric of predicted labels, as for `TunedThresholdClassifierCV`.
    thresholds : int or array-like of float, default=100
        The thresholds to compare, or the number of equally spaced ones from the smallest to the
        greatest prediction, at least 2.
    pos_label : object, default=None
        Label of the positive class. None is the second of the sorted classes.

    Returns
    -------
    classifier : FixedThresholdClassifier
        Fitted: its ``estimator_`` is ``best_estimator_``. It has ``best_threshold_`` and
        ``best_score_``, the metric of the out-of-fold predictions at this threshold, and
        ``cv_results_`` with ``thresholds`` and ``scores``. A clone of it fits the estimator
        again and keeps the threshold.

    Raises
    ------
    NotFittedError
        If the search was not fitted with ``refit``.
    ValueError
        If the classifier is not binary, the search has no predictions, `y` is not its target, or
        the metric needs more than labels.

    Notes
    -----
    ``best_score_`` is too good, as that of `TunedThresholdClassifierCV`: threshold and parameters
    were chosen by the same predictions. All splits are scored together, so that a split may have
    one class only.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sklearn_lepton import BayesSearchCV, tuned_threshold
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = DecisionTreeClassifier(min_samples_leaf=20, random_state=0)
    >>> search = BayesSearchCV(
    ...     model, {"max_depth": [2, 3]}, n_iter=2, return_predictions=True, random_state=0
    ... ).fit(X, y)
    >>> classifier = tuned_threshold(search, y, scoring="f1")
    >>> 0 < classifier.best_threshold_ < 1
    True
    """
    check_is_fitted(search, "best_estimator_")
    values, classes = _scores_of_classes(search)
    labels = as_array(y).ravel()
    if count_rows(y) != len(values) or len(labels) != len(values):
        raise ValueError(
            f"y must be the target that the search was fitted to, of {len(values)} samples, got "
            f"{len(labels)}."
        )
    if not np.isin(labels, classes).all():
        raise ValueError(
            f"y must be the target that the search was fitted to, with the classes {classes!r}."
        )
    if pos_label is not None and pos_label not in classes:
        raise ValueError(f"pos_label must be one of {classes!r}, got {pos_label!r}.")
    is_second = pos_label is None or pos_label == classes[1]
    # Decision values are those of the second class.
    of_second = values[:, 1] if values.ndim == 2 else values
    first = values[:, 0] if values.ndim == 2 else -values
    positive = of_second if is_second else first
    known = np.isfinite(positive)  # a row of no test part has none
    positive, labels = positive[known], labels[known]
    grid = _grid(thresholds, positive)
    scorer = check_scoring(search.best_estimator_, scoring=scoring)
    labels_of = classes if is_second else classes[::-1]
    scores = _scores_at(grid, positive, labels, labels_of, scorer)
    if not np.isfinite(scores).any():
        raise ValueError(f"scoring={scoring!r} is no number for any threshold.")
    place = int(np.nanargmax(scores))
    best = search.best_estimator_
    classifier = FixedThresholdClassifier(
        clone(best),
        threshold=float(grid[place]),
        pos_label=pos_label,
        response_method="predict_proba" if values.ndim == 2 else "decision_function",
    )
    classifier.estimator_ = best
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(best, name):
            setattr(classifier, name, getattr(best, name))
    classifier.best_threshold_, classifier.best_score_ = float(grid[place]), float(scores[place])
    classifier.cv_results_ = {"thresholds": grid, "scores": scores}
    return classifier


def _scores_of_classes(search: Any) -> tuple[Any, Any]:
    """Return the out-of-fold predictions of a search, and the two classes."""
    best = search.best_estimator_
    if not is_classifier(best) or len(getattr(best, "classes_", ())) != 2:
        n_classes = len(getattr(best, "classes_", ()))
        raise ValueError(
            "A threshold divides two classes, but the search has "
            f"{f'{n_classes} classes' if is_classifier(best) else 'no classifier'}, got {search!r}."
        )
    if not hasattr(search, "best_predictions_"):
        raise ValueError(
            "The search has no out-of-fold predictions: fit it with return_predictions=True."
        )
    values = search.best_predictions_
    if not hasattr(best, "predict_proba") and not hasattr(best, "decision_function"):
        raise ValueError(
            "A threshold needs predict_proba or decision_function, which "
            f"{best!r} does not have: give the search another classifier."
        )
    return np.asarray(values), np.asarray(best.classes_)


def _scores_at(grid: Any, positive: Any, labels: Any, classes: Any, scorer: Any) -> Any:
    """Return the score at each threshold; the second of the classes is the positive one."""
    no_data = np.empty((len(labels), 0))
    scores = []
    try:
        for threshold in grid:
            found = np.where(positive >= threshold, classes[1], classes[0])
            scores.append(scorer(_PredictedLabels(found, np.sort(classes)), no_data, labels))
    except Exception as error:
        raise ValueError(
            "scoring must be a metric of predicted labels, such as 'f1' or 'balanced_accuracy', "
            f"which {scorer!r} is not: it raised {describe_error(error)}"
        ) from error
    return np.array(scores, dtype=float)


def _grid(thresholds: Any, values: Any) -> Any:
    """Return the thresholds to compare."""
    if is_whole(thresholds) and thresholds >= 2:
        return np.linspace(values.min(), values.max(), int(thresholds))
    is_list = not isinstance(thresholds, str) and np.ndim(thresholds) == 1 and np.size(thresholds)
    if is_list and np.asarray(thresholds).dtype.kind in "fiu":
        return np.asarray(thresholds, dtype=float)
    raise ValueError(
        f"thresholds must be an integer of at least 2 or a list of numbers, got {thresholds!r}."
    )
