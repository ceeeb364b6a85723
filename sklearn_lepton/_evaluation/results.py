"""Finished trials from the results of their splits, and the error of a search without a score."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sklearn_lepton._runtime.errors import abridge, error_line, error_message, is_traceback
from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton._trials.trial import Trial

SCORER_ERROR = "The scorer raised an error"  # the beginning of such a split's error
_MAX_REASONS = 10  # of failures that a message shows
_MAX_LINE = 1000  # characters of the reason in the first line of a message
_MIN_FAILURES = 5  # alike, before a search without a score ends


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


class EarlyFailures:
    """Rule that ends a search whose first trials all fail for one reason.

    The rule holds if as many trials as the initial design has, at least 5, have failed, if each
    of their fits raised an error, and if all errors are equal, including the values that their
    messages quote. Such an error does not depend on the parameters, so that further trials would
    fail as well. A fit that was ended, or whose worker died, does not count as an error.

    Parameters
    ----------
    n_initial_points : int
        Size of the initial design.
    earlier : sequence of Trial
        Trials of earlier runs. They do not count, but a score of theirs turns the rule off.
    """

    def __init__(self, n_initial_points: int, earlier: Sequence[Trial]) -> None:
        self._n_left = max(n_initial_points, _MIN_FAILURES)
        self._reason: str | None = None
        self._known = {trial.number for trial in earlier}
        self._is_off = any(trial.status != "failed" for trial in earlier)

    @property
    def are_final(self) -> bool:
        """Whether the search must end."""
        return self._n_left <= 0 and not self._is_off

    def record(self, trial: Trial) -> None:
        """Record a finished trial."""
        if not self._is_off and trial.number not in self._known:
            self._n_left -= 1
            reasons = _raised(trial) | ({self._reason} if self._reason else set())
            self._reason = next(iter(reasons))
            self._is_off = trial.status != "failed" or len(reasons) > 1 or None in reasons


def _raised(trial: Trial) -> set[str | None]:
    """Return the errors that the fits of a trial raised; None for a fit that raised none."""
    errors = [result.error for result in trial.split_results if result]
    return {
        error_message(error) if error is not None and is_traceback(error) else None
        for error in errors or [None]
    }


def explain_failures(
    trials: list[Trial], cause: str = "the model is misconfigured", *, ended_early: bool = False
) -> str:
    """Return the error message of a search in which all trials failed.

    Parameters
    ----------
    trials : list of Trial
    cause : str
        The likely cause.
    ended_early : bool, default=False
        Whether `EarlyFailures` ended the search.
    """
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
    if all(text.startswith(SCORER_ERROR) for text in reasons):
        cause = "scoring does not fit the model or the data"
    messages = {error_message(text) for text in reasons}
    one = abridge(error_line(messages.pop()), _MAX_LINE) if len(messages) == 1 else None
    reason = "." if one is None else f" for one reason: {one}"
    end = "The search ended early, since further trials would fail as well. " * ended_early
    return (
        f"All the {len(trials)} trials failed{reason}\n{end}It is very likely that {cause}. "
        "To see the first error where it happens, set error_score='raise'.\n\n"
        f"Below are more details about the failures:\n{details}"
    )
