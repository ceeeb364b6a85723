"""Statistics of scores over splits: standard errors and the corrected t-test."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr, stdtrit

from sklearn_lepton._runtime.floating_point import ignore_float_errors


@ignore_float_errors
def plain_standard_error(scores: Sequence[float]) -> float:
    """Return the standard error of the mean of independent scores; 0.0 for one score."""
    return float(np.std(scores, ddof=1) / len(scores) ** 0.5) if len(scores) > 1 else 0.0


@ignore_float_errors
def standard_error(scores: Sequence[float], ratio: float | None) -> float:
    """Return the standard error of a mean score over splits.

    The training sets of the splits overlap, so that the scores are correlated. The variance of
    the mean is therefore (1/k + ratio) times the variance of the scores.

    Parameters
    ----------
    scores : sequence of float of length k
    ratio : float or None
        The `split_ratio` of the splits; None (unknown) is 1/(k-1), the ratio of one k-fold
        cross-validation.

    Returns
    -------
    error : float
        0.0 for a single split.

    References
    ----------
    Nadeau, C. and Bengio, Y. (2003). Inference for the generalization error. Machine
    Learning 52. https://doi.org/10.1023/A:1024068626366
    """
    k = len(scores)
    if k < 2:
        return 0.0
    share = 1 / (k - 1) if ratio is None else ratio
    return float(np.std(scores, ddof=1) * (1 / k + share) ** 0.5)


FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PairedTest:
    """Mean of paired differences over splits, with its interval and p-value.

    Attributes
    ----------
    difference : float
    interval : tuple of float
        Interval that contains the true mean with probability `confidence`.
    p_value : float
        Two-sided p-value of the hypothesis that the true mean is zero.
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
    """Return the corrected resampled t-test of the mean of paired differences over splits.

    The test has k - 1 degrees of freedom. The variance of the mean is (1/k + ratio) times the
    variance of the differences, since the splits share samples. It also applies to repeated
    cross-validation.

    Parameters
    ----------
    differences : sequence of float of length k, at least 2
    ratio : float or None
        The `split_ratio` of the splits; None is the ratio of one k-fold cross-validation.
    confidence : float, default=0.95
        Confidence level of the interval, between 0 and 1.

    Returns
    -------
    test : PairedTest
        If all differences are equal, the p-value is 1.0 if they are 0, and 0.0 otherwise.

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
