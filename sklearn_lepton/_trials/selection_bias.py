"""Selection bias of the best score, and trials that are not significantly worse."""

from collections.abc import Iterable, Sequence

import numpy as np

from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton._trials.ranking import candidates
from sklearn_lepton._trials.statistics import FloatArray, paired_test
from sklearn_lepton._trials.trial import Trial


@ignore_float_errors
def optimism(trials: Iterable[Trial], n_disjoint: int | None) -> float:
    """Return the selection bias of the best mean score, estimated from the trials alone.

    The best of many scores is too good on average. The estimate holds out each split in turn,
    selects the best trial on the other splits and takes its score on the held-out split. Tied
    trials contribute their mean, since their order may depend on the held-out split. For
    repeated folds the selection is made within each repeat, because other repeats score on
    the held-out rows.

    Parameters
    ----------
    trials : iterable of Trial
        Complete trials with the full resource count.
    n_disjoint : int or None
        Number of consecutive splits with disjoint test parts, as `layout_of` counts it; None
        (unknown) is all splits.

    Returns
    -------
    optimism : float
        The best mean score minus the mean of the held-out scores, in units of the score. NaN
        without a trial, with fewer than two splits, or if test parts overlap in another way
        than those of repeated folds.

    Notes
    -----
    The estimate covers the selection on the test parts only. It does not include the bias
    from proposing and fitting trials on all splits; use `nested_cross_val_score` for that.

    The method is related to the bootstrap of Tsamardinos et al., which selects by the
    predictions of resampled rows and scores on the other rows.

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
    held_out = np.sum(folds * is_leader, axis=0) / np.sum(is_leader, axis=0)
    return float(scores[0].mean() - held_out.mean())


@ignore_float_errors
def not_significantly_worse(
    trials: Iterable[Trial], ratio: float | None, level: float = 0.05
) -> list[Trial]:
    """Return the trials that are not significantly worse than the best one.

    Parameters
    ----------
    trials : iterable of Trial
        Complete trials with the full resource count.
    ratio : float or None
        The `split_ratio` of the splits; None is that of one k-fold cross-validation.
    level : float, default=0.05
        A trial is worse if the corrected resampled t-test of its differences from the best
        one, split by split, has a smaller p-value. There is no correction for the number of
        trials.

    Returns
    -------
    close : list of Trial
        Best first; empty without a complete trial at full resource.
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
