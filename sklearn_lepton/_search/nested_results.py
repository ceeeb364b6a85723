"""Results of nested cross-validation and of the comparison with the default."""

from dataclasses import dataclass, field
from typing import Any

from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton._trials.statistics import FloatArray, standard_error


@dataclass(frozen=True)
class Comparison:
    """Comparison of the tuned with the untuned estimator, by `compare_to_default`.

    Attributes
    ----------
    tuned_scores, default_scores : ndarray of shape (n_splits,)
        Scores of the tuned and of the untuned estimator on the same splits.
    difference : float
        Mean tuned score minus mean untuned score; greater than 0 if tuning helped.
    interval : tuple of float
        Confidence interval of the difference.
    p_value : float
        Two-sided p-value of the corrected resampled t-test.
    confidence : float
        Confidence level of the interval.
    retuned : bool
        Whether the search ran again in each split.
    """

    tuned_scores: FloatArray = field(repr=False)
    default_scores: FloatArray = field(repr=False)
    difference: float
    interval: tuple[float, float]
    p_value: float
    confidence: float
    retuned: bool

    @property
    def verdict(self) -> str:
        """Sentence about the sign of the difference, read from the interval."""
        if self.interval[0] > 0:
            return "Tuning helped."
        if self.interval[1] < 0:
            return "Tuning did harm."
        return "No difference is shown."

    def __str__(self) -> str:
        """Return three lines: scores, interval and verdict."""
        low, high = self.interval
        how = (
            "tuned again in each"
            if self.retuned
            else "with the parameters found before: unbiased only on rows new to the search"
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
    """Scores of a search on outer splits, by `nested_cross_val_score`.

    Attributes
    ----------
    test_scores : ndarray of shape (n_splits,)
        Scores of the refitted estimator on the outer test parts.
    best_scores : ndarray of shape (n_splits,)
        ``best_score_`` of the search in each outer split.
    best_params : list of dict of length n_splits
        ``best_params_`` of the search in each outer split.
    ratio : float
        Test samples per training sample in an outer split.
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
        """Mean of the searches' own best scores minus that of the test scores."""
        return float((self.best_scores - self.test_scores).mean())

    def __str__(self) -> str:
        """Return a table with one row for each outer split, and a summary line."""
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
