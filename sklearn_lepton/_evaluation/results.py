"""Finished trials from the results of their splits, and the error of a search without a score."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton._trials.trial import Trial

_MAX_REASONS = 10  # of failures that a message shows


def finish_trial(
    trial: Trial,
    results: Sequence[SplitResult],
    metric: str | None,
    estimate: tuple[float, float] | None = None,
) -> Trial:
    """Return a finished trial with the results of its splits.

    The trial fails if a fit or the scorer failed on any split, or if the mean score is not
    finite.

    Parameters
    ----------
    trial : Trial
    results : sequence of SplitResult of length n_splits
    metric : str or None
        Name of the metric that is optimised if there are several; None is the first one.
    estimate : tuple (expected, std) or None, default=None
        Estimate of the mean score of a pruned trial.

    Returns
    -------
    trial : Trial
    """
    run = [result for result in results if result]
    scores = [score_of(result, metric) for result in results]
    fields: dict[str, Any] = {
        "split_scores": scores,
        "split_results": results,
        "duration": sum(result.duration for result in run),
    }
    if any(result.error is not None for result in run):
        return trial.fail(**fields)
    if estimate is not None:
        return trial.prune(estimate, **fields)
    return trial.complete(sum(scores) / len(scores), **fields)


def score_of(result: SplitResult, metric: str | None) -> float:
    """Return the score that is optimised; NaN for a split that was not run.

    Parameters
    ----------
    result : SplitResult
    metric : str or None
        Name of a metric; None is the first one.

    Returns
    -------
    score : float
    """
    score = result.scores
    if isinstance(score, Mapping):
        score = score[next(iter(score)) if metric is None else metric]
    return math.nan if score is None else float(score)


def explain_failures(trials: list[Trial], cause: str = "the model is misconfigured") -> str:
    """Return the error message of a search in which all trials failed."""
    reasons: dict[str, int] = {}
    for trial in trials:
        errors = {result.error for result in trial.split_results if result.error is not None}
        scores = f"The scores were {list(trial.split_scores)}, whose mean is not finite."
        for reason in errors or {scores}:
            reasons[reason] = reasons.get(reason, 0) + 1
    shown = sorted(reasons.items(), key=lambda reason: -reason[1])[:_MAX_REASONS]
    details = "\n".join(f"{'-' * 80}\n{n} trials:\n{text}" for text, n in shown)
    if len(shown) < len(reasons):
        details += f"\n{'-' * 80}\nand {len(reasons) - len(shown)} other reasons, in trials_."
    return (
        f"All the {len(trials)} trials failed.\nIt is very likely that {cause}. "
        "To see the first error where it happens, set error_score='raise'.\n\n"
        f"Below are more details about the failures:\n{details}"
    )
