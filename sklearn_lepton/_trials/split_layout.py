"""Layout of splits: ratio of test to training samples, and disjoint test parts."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from sklearn_lepton._runtime.floating_point import ignore_float_errors


@ignore_float_errors
def split_ratio(splits: Iterable[Sequence[Any]]) -> float:
    """Return the ratio of test to training samples, averaged over the splits.

    Parameters
    ----------
    splits : iterable of (train, test)
        Row numbers or masks of rows.

    Returns
    -------
    ratio : float
        For `standard_error`.
    """
    sizes = [(_count_rows(train), _count_rows(test)) for train, test in splits]
    return float(np.mean([n_test / max(n_train, 1) for n_train, n_test in sizes]))


class SplitLayout(NamedTuple):
    """Overlap of the training and test parts of splits.

    Attributes
    ----------
    ratio : float
        The `split_ratio` of the splits.
    n_disjoint : int
        Number of consecutive splits with disjoint test parts, such as the folds of one
        repeat; 0 if the number varies or is 1.
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
