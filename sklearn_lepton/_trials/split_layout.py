"""Layout of splits: the ratio of test to training samples, and disjoint repeats."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from sklearn_lepton._runtime.floating_point import ignore_float_errors


@ignore_float_errors
def split_ratio(splits: Iterable[Sequence[Any]]) -> float:
    """Return the number of test samples for each training sample, on average over splits.

    Parameters
    ----------
    splits : iterable of (train, test)
        Row numbers or masks of rows.

    Returns
    -------
    ratio : float
        As `standard_error` takes it.
    """
    sizes = [(_count_rows(train), _count_rows(test)) for train, test in splits]
    return float(np.mean([n_test / max(n_train, 1) for n_train, n_test in sizes]))


class SplitLayout(NamedTuple):
    """How the training and test parts of splits overlap.

    Attributes
    ----------
    ratio : float
        Their `split_ratio`.
    n_disjoint : int
        Number of consecutive splits whose test parts have no row in common, as the folds of one
        repeat; 0 where this number changes or no two consecutive splits are so.
    """

    ratio: float
    n_disjoint: int


def layout_of(splits: Sequence[Sequence[Any]]) -> SplitLayout:
    """Return the layout of splits.

    Parameters
    ----------
    splits : sequence of (train, test)
        Row numbers or masks of rows.

    Returns
    -------
    layout : SplitLayout
    """
    sizes, seen = list[int](), np.empty(0, dtype=int)
    for _, test in splits:
        rows = np.asarray(test)
        rows = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        if not sizes or np.isin(rows, seen).any():
            sizes, seen = [*sizes, 0], seen[:0]
        sizes[-1] += 1
        seen = np.concatenate([seen, rows])
    is_even = len(set(sizes)) == 1 and sizes[0] > 1
    return SplitLayout(split_ratio(splits), sizes[0] if is_even else 0)


def _count_rows(part: Any) -> int:
    rows = np.asarray(part)
    return int(np.count_nonzero(rows)) if rows.dtype == np.bool_ else len(rows)
