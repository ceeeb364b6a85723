"""Honest statistics: how lucky the best score is, and whether a difference is one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr, stdtrit

from sklearn_lepton._search.selection import candidates, standard_error
from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton._trials.trial import Trial

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PairedTest:
    """The mean of paired differences over splits, with what chance makes of it.

    Attributes
    ----------
    difference : float
    interval : tuple of float
        That holds the true mean with the probability `confidence`.
    p_value : float
        Two-sided: how probable so large a difference is where there is none.
    confidence : float
    """

    difference: float
    interval: tuple[float, float]
    p_value: float
    confidence: float = 0.95


@ignore_float_errors
def paired_test(
    differences: Sequence[float] | FloatArray,
    ratio: float | None,
    confidence: float = 0.95,
) -> PairedTest:
    """Test whether the mean of paired differences over splits is zero.

    The corrected resampled t-test, for repeated cross-validation too: Student's with k - 1
    degrees of freedom, and the variance of the mean (1/k + ratio) times that of the
    differences, since the splits share samples.

    Parameters
    ----------
    differences : sequence of float of length k, at least 2
    ratio : float or None
        The `split_ratio` of the splits; None is that of one k-fold cross-validation.
    confidence : float, default=0.95
        Of the interval, between 0 and 1.

    Returns
    -------
    test : PairedTest
        Where all differences are the same, the p-value is 1.0 if they are 0, else 0.0.

    References
    ----------
    Nadeau, C. and Bengio, Y. (2003). Inference for the generalization error. Machine
    Learning 52. https://doi.org/10.1023/A:1024068626366

    Bouckaert, R. and Frank, E. (2004). Evaluating the replicability of significance tests
    for comparing learning algorithms. PAKDD. https://doi.org/10.1007/978-3-540-24775-3_3
    """
    values = np.asarray(differences, dtype=float)
    mean, error, dof = float(values.mean()), standard_error(values.tolist(), ratio), len(values) - 1
    if error <= abs(mean) * np.finfo(float).eps:
        return PairedTest(mean, (mean, mean), float(mean == 0.0), confidence)
    reach = float(stdtrit(dof, (1 + confidence) / 2)) * error
    p_value = 2 * float(stdtr(dof, -abs(mean) / error))
    return PairedTest(mean, (mean - reach, mean + reach), p_value, confidence)


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
    was learnt, on rows of all splits is not in it; `nested_score` has that, too.

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
def indistinguishable(
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


@dataclass(frozen=True)
class Comparison:
    """Whether tuning helped, as `compare_to_default` of a search found it.

    Attributes
    ----------
    tuned_scores, default_scores : ndarray of shape (n_splits,)
        Scores of the tuned and of the untuned estimator on the same splits.
    difference : float
        Mean of the tuned scores less that of the others; greater than 0 where tuning helped.
    interval : tuple of float
        That holds the true difference with the probability `confidence`.
    p_value : float
        Of the corrected resampled t-test, two-sided.
    confidence : float
    tuned_anew : bool
        Whether the search was run anew in each split.
    """

    tuned_scores: FloatArray = field(repr=False)
    default_scores: FloatArray = field(repr=False)
    difference: float
    interval: tuple[float, float]
    p_value: float
    confidence: float
    tuned_anew: bool

    @property
    def verdict(self) -> str:
        """The interval in words."""
        if self.interval[0] > 0:
            return "Tuning helped."
        if self.interval[1] < 0:
            return "Tuning did harm."
        return "No difference is shown."

    def __str__(self) -> str:
        """Return a few lines to read."""
        low, high = self.interval
        how = (
            "tuned anew in each"
            if self.tuned_anew
            else "with the parameters found before: honest only on rows not seen by the search"
        )
        return (
            f"tuned {self.tuned_scores.mean():.4g}, untuned {self.default_scores.mean():.4g}: "
            f"difference {self.difference:+.2g}\n"
            f"{100 * self.confidence:g} % interval {low:+.2g} to {high:+.2g}, "
            f"p = {self.p_value:.2g}, {len(self.tuned_scores)} splits, {how}\n"
            f"{self.verdict}"
        )


@dataclass(frozen=True)
class NestedScore:
    """What `nested_score` found: scores that had no part in the tuning.

    Attributes
    ----------
    test_scores : ndarray of shape (n_splits,)
        Of the search's best estimator on the outer splits.
    best_scores : ndarray of shape (n_splits,)
        ``best_score_`` of the search in each of them.
    best_params : list of dict of length n_splits
        ``best_params_`` of the same.
    ratio : float
        Samples that an outer split scores on for each that it learns from.
    """

    test_scores: FloatArray
    best_scores: FloatArray
    best_params: list[dict[str, Any]]
    ratio: float

    @property
    @ignore_float_errors
    def mean(self) -> float:
        """Mean score on the outer splits."""
        return float(self.test_scores.mean())

    @property
    @ignore_float_errors
    def std_error(self) -> float:
        """Standard error of the mean, with Nadeau and Bengio's correction."""
        return standard_error(self.test_scores.tolist(), self.ratio)

    @property
    @ignore_float_errors
    def optimism(self) -> float:
        """How much better the searches' own best scores are, on average."""
        return float((self.best_scores - self.test_scores).mean())

    def __str__(self) -> str:
        """Return a table to read."""
        rows = zip(self.test_scores, self.best_scores, self.best_params, strict=True)
        lines = [
            f"{number:5}  {outer:9.4g}  {inner:9.4g}  {params}"
            for number, (outer, inner, params) in enumerate(rows)
        ]
        total = (
            f"score {self.mean:.4g} ± {self.std_error:.2g} (standard error), "
            f"optimism of best_score_ {self.optimism:+.2g}"
        )
        return "\n".join(["split      score  best_score  best_params", *lines, total])
