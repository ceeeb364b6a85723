"""Splitters of the final splits and of nested validation."""

from typing import Any

from sklearn.base import is_classifier
from sklearn.model_selection import (
    GroupKFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    check_cv,
)


def shuffled_splitter(estimator: Any, y: Any, n_splits: int, *, has_groups: bool, seed: int) -> Any:
    """Return shuffled folds of the kind that scikit-learn makes for a number.

    Parameters
    ----------
    estimator : estimator object
        A classifier gets stratified folds.
    y : array-like or None
    n_splits : int
    has_groups : bool
        Whether to keep groups together.
    seed : int
        From 0 to 2**32 - 1.

    Returns
    -------
    splitter : cross-validation generator
    """
    kind: Any = type(check_cv(n_splits, y, classifier=is_classifier(estimator)))
    if has_groups:
        kind = StratifiedGroupKFold if kind is StratifiedKFold else GroupKFold
    return kind(n_splits, shuffle=True, random_state=seed)
