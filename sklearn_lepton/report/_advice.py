"""Messages of a report: warnings about the result, and suggestions for the next search."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_lepton._inspection.html import code, say
from sklearn_lepton._runtime.errors import error_line
from sklearn_lepton._trials.ranking import score_of
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.plotting._scale import Scale
from sklearn_lepton.report._failures import failure_of, parameters_of_failure
from sklearn_lepton.report._report_data import ReportData, shares_of
from sklearn_lepton.space._dimension import Categorical, Integer, Real

_BOUND_WIDTH = 0.02  # of a range: values this close to a bound count as at the bound
_MAX_SHARE = 0.05  # of the variance, for a parameter without effect
_MIN_TRIALS = 10  # for suggestions about the course of a search
_MANY_FAILED = 0.1  # share of the trials
_LATE = 0.1  # share of the trials: the score may still improve after so late a best trial
_LONG = 0.5  # share of the trials without an improvement
_MAX_NAMED = 12


@dataclass(frozen=True)
class Message:
    """A message of the report.

    Attributes
    ----------
    kind : {"warning", "suggestion", "ok"}
    html : str
        Text of the message, as HTML.
    """

    kind: str
    html: str


def result_warnings(report: ReportData) -> list[Message]:
    """Return messages on the reliability of the best score.

    Parameters
    ----------
    report : ReportData

    Returns
    -------
    messages : list of Message
    """
    if report.best is None or not report.ranked:
        text = "No trial has a score at full fidelity: there is no result."
        return [Message("warning", text)]
    if report.n_splits < 2:
        text = "With one score per trial, the selection bias of the best score cannot be estimated."
        return [Message("warning", text)] if report.n_splits == 1 else []
    return [*_against_untuned(report), *_against_others(report)]


def _against_untuned(report: ReportData) -> list[Message]:
    """Return whether the best trial is better than the estimator's own parameters."""
    default_trial, first = report.default_trial, report.ranked[0]
    if default_trial is None:
        return []
    if default_trial is first:
        return [Message("warning", "No trial was better than the untuned estimator.")]
    gain = score_of(first) - score_of(default_trial)
    if any(trial is default_trial for trial in report.close):
        text = (
            f"The gain of {gain:.3g} over the untuned estimator is not significant. "
            "<code>compare_to_default</code> tests it on fresh splits."
        )
        return [Message("warning", text)]
    text = (
        "The best trial is significantly better than the untuned estimator, by "
        f"{gain:.3g} on these splits."
    )
    return [Message("ok", text)]


def _against_others(report: ReportData) -> list[Message]:
    """Return which trials are not significantly worse than the best one."""
    close, n_others = report.close, len(report.ranked) - 1
    if n_others == 0:
        return []
    if len(close) == 1:
        return [Message("ok", "All other trials are significantly worse than the best one.")]
    numbers = [str(trial.number) for trial in close[1 : _MAX_NAMED + 1]]
    more = len(close) - 1 - len(numbers)
    text = (
        f"{len(close) - 1} of {n_others} other trials are not significantly worse than the best "
        f"one: {', '.join(numbers)}{f' and {more} more' if more else ''}. Choose the simplest or "
        "fastest of them, or score them on more splits."
    )
    return [Message("warning", text)]


def suggestions(report: ReportData) -> list[Message]:
    """Return suggestions for the next search.

    Parameters
    ----------
    report : ReportData

    Returns
    -------
    messages : list of Message
    """
    messages = _failure_messages(report)
    if report.best is None or not report.ranked:
        return messages
    inert = without_effect(report)
    messages += _bound_suggestions(report, {name for name, _ in inert})
    messages += _inert_suggestions(inert)
    messages += _budget_suggestions(report)
    if report.n_splits > 1 and len(report.close) > max(5, len(report.ranked) // 4):
        text = (
            "Many trials do not differ significantly: more splits, for example repeated ones, "
            "would help more than more trials."
        )
        messages.append(Message("suggestion", text))
    return messages


def _failure_messages(report: ReportData) -> list[Message]:
    """Return a message on failed trials, with their most frequent error."""
    trials = report.trials
    failed = [trial for trial in trials if trial.status == "failed"]
    if not failed:
        return []
    reasons: dict[str, int] = {}
    for trial in failed:
        line = error_line(failure_of(trial))
        reasons[line] = reasons.get(line, 0) + 1
    line, count = max(reasons.items(), key=lambda item: item[1])
    many = len(failed) >= _MANY_FAILED * len(trials)
    text = (
        f"{len(failed)} of {len(trials)} trials failed"
        f"{': exclude configurations that cannot work from the space' * many}. "
        f"{_shared_by_failures(report, len(failed))}The most frequent error, "
        f"{count} time{'s' * (count > 1)}: {code(line[:300])}"
    )
    return [Message("warning" if many else "suggestion", text)]


def _shared_by_failures(report: ReportData, n_failed: int) -> str:
    """Return a sentence on the conditions that failed trials share; "" if there are none."""
    pattern = report.failure_pattern
    if pattern is None:
        return ""
    subject = "All of them" if pattern.n_failed == n_failed else f"{pattern.n_failed} of them"
    conditions = " and ".join(condition.html for condition in pattern.conditions)
    n_other = pattern.n_alike - pattern.n_failed
    rest = ", and no other trial has"
    if n_other:
        rest = f", as do {n_other} trials without this failure"
    return f"{subject} have {conditions}{rest}. "


def _bound_suggestions(report: ReportData, inert: set[str]) -> list[Message]:
    """Return suggestions to widen the ranges whose bound the best trial is at."""
    best = report.source.best
    if best is None or len(report.ranked) < _MIN_TRIALS:
        return []
    messages = []
    for scale in report.scales_of_best():
        bound = bound_of(scale, best)
        if bound is None or scale.label in inert or scale.name in inert:
            continue
        side, beyond, unit = ("lower", "below", 0.0) if bound == "low" else ("upper", "above", 1.0)
        text = (
            f"{code(scale.label)} is {code(say(best.params[scale.name]))} in the best trial, at "
            f"the {side} end of its range: extend the range {beyond} "
            f"{code(say(scale.dimension.from_unit(unit)))} if the estimator allows it."
        )
        messages.append(Message("suggestion", text))
    return messages


def bound_of(scale: Scale, trial: Trial) -> str | None:
    """Return the bound of a range that a trial's value is at.

    Parameters
    ----------
    scale : Scale
    trial : Trial

    Returns
    -------
    bound : {"low", "high"} or None
        None also for unordered choices, for very few values, and for natural bounds: 0 and 1
        of fractions, and the minimum of counts.
    """
    dimension = scale.dimension
    if not scale.name or dimension.is_categorical or dimension.n_values < 4:
        return None
    if not (hasattr(dimension, "low") or isinstance(dimension, Categorical)):
        return None  # a distribution has no bound to extend
    unit, width = trial.point[scale.column], _BOUND_WIDTH
    if isinstance(dimension, Integer | Categorical):
        ends = dimension.snap(np.array([0.0, 1.0]))
        width = max(_BOUND_WIDTH, float(ends[0]), float(1.0 - ends[1]))
    bound = "low" if unit <= width else "high" if unit >= 1.0 - width else None
    return None if bound is None or _is_natural(dimension, bound) else bound


def _is_natural(dimension: Any, bound: str) -> bool:
    """Return whether most parameters of this kind cannot pass the bound."""
    if isinstance(dimension, Integer):
        return bound == "low" and dimension.low in {0, 1}
    if isinstance(dimension, Real) and not dimension.log:
        return (dimension.low == 0.0) if bound == "low" else (dimension.high == 1.0)
    return False


def without_effect(report: ReportData) -> list[tuple[str, float]]:
    """Return the parameters without an effect on the score, with an upper bound of their share.

    A parameter has no effect if its share of the variance, interactions included, is consistent
    with 0. This must hold over the whole space and among the better half of the scores.
    Parameters that failures depend on are excluded.

    Parameters
    ----------
    report : ReportData

    Returns
    -------
    found : list of (name, max_share)
    """
    if report.importance is None or len(report.ranked) < _MIN_TRIALS:
        return []
    max_share: dict[str, float] = {}
    # A few very poor scores may hide a parameter that makes the best trials differ.
    for importance in (report.importance, report.importance_of_better):
        shares, errors = shares_of(importance)
        if not np.any(shares > 0):
            return []
        for name, share, error in zip(importance.names, shares, errors, strict=True):
            is_none = share <= 2 * error + 0.005 and share + 2 * error < _MAX_SHARE
            max_share[name] = max(max_share.get(name, 0.0), share + 2 * error if is_none else 1.0)
    varied = {scale.name for scale in report.scales}
    # Failed trials have no score, so importance does not see what they depend on.
    varied -= parameters_of_failure(report.source.inside, report.source.space)
    return [(n, share) for n, share in max_share.items() if n in varied and share < _MAX_SHARE]


def _inert_suggestions(inert: list[tuple[str, float]]) -> list[Message]:
    """Return a suggestion to fix the parameters without an effect."""
    if not inert:
        return []
    names = ", ".join(code(name) for name, _ in inert)
    percent = f"{100 * max(share for _, share in inert):.1f} %"
    each, them = ("each explains", "them") if len(inert) > 1 else ("it explains", "it")
    text = (
        f"No effect of {names} was found: {each} at most {percent} of the score's variance, also "
        f"among the better half of the trials. Fix {them} to reduce the number of parameters."
    )
    return [Message("suggestion", text)]


def _budget_suggestions(report: ReportData) -> list[Message]:
    """Return whether more trials are likely to help, or fewer would have been enough."""
    n_trials = len(report.trials)
    if n_trials < _MIN_TRIALS:
        return []
    improved = improvements(report)
    since = n_trials - 1 - improved[-1][0]
    if since < _LATE * n_trials and len(improved) > 1:
        before = [score for row, score in improved if row < (1 - 2 * _LATE) * n_trials]
        gain = improved[-1][1] - (before[-1] if before else improved[0][1])
        is_noise = gain < report.error / 2
        text = (
            f"The best score still improved by {gain:.3g} in the last fifth of the trials"
            f"{', less than half its standard error: more trials promise little.' * is_noise}"
            f"{': more trials are likely to help.' * (not is_noise)}"
        )
        return [Message("suggestion", text)]
    if since >= _LONG * n_trials and n_trials >= 2 * _MIN_TRIALS:
        rule = code(f"n_iter_no_change={max(_MIN_TRIALS, round(since / 2))}")
        text = (
            f"The last {since} trials did not improve the best score: {rule} would have stopped "
            "the search earlier."
        )
        return [Message("suggestion", text)]
    return []


def improvements(report: ReportData) -> list[tuple[int, float]]:
    """Return row and score of each trial that improved the best score."""
    found: list[tuple[int, float]] = []
    for row, trial in enumerate(report.trials):
        if trial.status != "complete" or not trial.is_full:
            continue
        if not found or score_of(trial) > found[-1][1]:
            found.append((row, score_of(trial)))
    return found


def budget(report: ReportData) -> list[dict[str, Any]]:
    """Return the shares of trials and fit time, by the outcome of the trials.

    Parameters
    ----------
    report : ReportData

    Returns
    -------
    parts : list of dict
        Entries with "name", "label", "trials" and "seconds", in drawing order.
    """
    close = {trial.number for trial in report.close}
    labels = {
        "close": "not significantly worse than the best",
        "other": "significantly worse" if close else "complete",
        "part": "lower fidelity",
        "pruned": "pruned",
        "failed": "failed",
    }
    parts = {
        name: {"name": name, "label": label, "trials": 0, "seconds": 0.0}
        for name, label in labels.items()
    }
    for trial in report.trials:
        name = trial.status
        if name == "complete":
            name = "close" if trial.number in close else "other" if trial.is_full else "part"
        part: dict[str, Any] = parts[name]
        part["trials"] += 1
        part["seconds"] += trial.duration
    return [part for part in parts.values() if part["trials"]]
