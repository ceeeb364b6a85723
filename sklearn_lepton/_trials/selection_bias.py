"""Honest statistics: how lucky the best score is, and whether a difference is one."""

from collections.abc import Iterable, Sequence

import numpy as np

from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton._trials.ranking import candidates
from sklearn_lepton._trials.statistics import FloatArray, paired_test
from sklearn_lepton._trials.trial import Trial


@ignore_float_errors
def optimism(trials: Iterable[Trial], n_disjoint: int | None) -> float:
    """Estimate from the trials alone how much too good the best mean score is.

    The best of many is in part the luckiest. Each split in turn is left out, the best trial
    is chosen by the others, and its score is read on the split left out, which had no part in
    the choice. Of trials that tie, the mean is read: which of them comes first may depend on
    the split left out. Repeated folds choose within each repeat, since other repeats score on
    the rows left out.

    Parameters
    ----------
    trials : iterable of Trial
        Those that are complete, with the full resource, count.
    n_disjoint : int or None
        Number of consecutive splits whose test parts are disjoint, as `layout_of` counts it;
        None, if it is unknown, is all splits.

    Returns
    -------
    optimism : float
        The best mean score less the mean of the scores read so, in units of the score. NaN
        without a trial, with fewer than two splits, or where test parts overlap otherwise than
        those of repeated folds.

    Notes
    -----
    It is the luck of the splits' test parts alone. That the trials were proposed, and what
    was learnt, on rows of all splits is not in it; `nested_cross_val_score` has that, too.

    The choice with one split left out is next of kin to the bootstrap of Tsamardinos et al.,
    who choose by the predictions of resampled rows and score on the other rows.

    References
    ----------
    Tsamardinos, I., Greasidou, E. and Borboudakis, G. (2018). Bootstrapping the out-of-sample
    predictions for efficient and accurate cross-validation. Machine Learning 107.
    https://doi.org/10.1007/s10994-018-5714-4
    """
    scores = _scores(candidates(trials))
    n_splits = scores.shape[1] if scores.size else 0
    n_folds = n_splits if n_disjoint is None else n_disjoint
    if n_folds < 2 or n_splits % n_folds:
        return float("nan")
    folds = scores.reshape(len(scores), -1, n_folds)
    rest = folds.sum(axis=2, keepdims=True) - folds
    # Sums of the same scores in another order differ in their last digits.
    digits = 8 * n_folds * np.finfo(float).eps * np.abs(scores).max()
    is_leader = rest >= rest.max(axis=0) - digits
    read = np.sum(folds * is_leader, axis=0) / np.sum(is_leader, axis=0)
    return float(scores[0].mean() - read.mean())


@ignore_float_errors
def not_significantly_worse(
    trials: Iterable[Trial], ratio: float | None, level: float = 0.05
) -> list[Trial]:
    """Return the trials that the splits cannot tell from the best one.

    Parameters
    ----------
    trials : iterable of Trial
        Those that are complete, with the full resource, count.
    ratio : float or None
        The `split_ratio` of the splits; None is that of one k-fold cross-validation.
    level : float, default=0.05
        A trial counts as worse if the corrected resampled t-test of its differences from
        the best one, split by split, has a smaller p-value. Nothing is corrected for the
        number of trials.

    Returns
    -------
    close : list of Trial
        The best first; empty if no trial counts.
    """
    ranked = candidates(trials)
    scores = _scores(ranked)
    if not ranked or scores.shape[1] < 2:
        return ranked
    return [
        trial
        for trial, own in zip(ranked, scores, strict=True)
        if trial is ranked[0] or paired_test(scores[0] - own, ratio).p_value >= level
    ]


def _scores(ranked: Sequence[Trial]) -> FloatArray:
    """Return the scores on the splits, of shape (n_trials, n_splits)."""
    return np.array([trial.split_scores for trial in ranked], dtype=float)
