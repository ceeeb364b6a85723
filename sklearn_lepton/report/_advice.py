"""What to make of a search: warnings about its result, and what to try next."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_lepton._inspection.html import code, say
from sklearn_lepton._trials.ranking import score_of
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.plotting._scale import Scale
from sklearn_lepton.report._failures import failure_of, last_line, parameters_of_failure
from sklearn_lepton.report._findings import ReportData, shares_of
from sklearn_lepton.space._dimension import Categorical, Integer, Real

_EDGE = 0.02  # of a range
_LITTLE = 0.05  # share of the variance that a parameter without effect may have at most
_MIN_TRIALS = 10  # fewer say little about how a search went
_MANY_FAILED = 0.1
_LATE = 0.1  # of the trials: a best score found so late may not be the last
_LONG = 0.5  # of the trials without anything better
_MAX_NAMED = 12


@dataclass(frozen=True)
class Note:
    """A sentence of the page.

    Attributes
    ----------
    kind : {"warning", "idea", "fine"}
    html : str
    """

    kind: str
    html: str


def doubts(findings: ReportData) -> list[Note]:
    """Return what speaks against taking the best score at its word.

    Parameters
    ----------
    findings : Findings

    Returns
    -------
    notes : list of Note
    """
    if findings.best is None or not findings.ranked:
        text = "No trial has a score with all of the resource: there is no result."
        return [Note("warning", text)]
    if findings.n_splits < 2:
        text = "A single score a trial has no error: how lucky the best one is cannot be told."
        return [Note("warning", text)] if findings.n_splits == 1 else []
    return [*_beside_untuned(findings), *_beside_others(findings)]


def _beside_untuned(findings: ReportData) -> list[Note]:
    default_trial, first = findings.default_trial, findings.ranked[0]
    if default_trial is None:
        return []
    if default_trial is first:
        return [Note("warning", "No trial was better than the untuned estimator.")]
    gain = score_of(first) - score_of(default_trial)
    if any(trial is default_trial for trial in findings.close):
        text = (
            f"The splits cannot tell the best trial from the untuned estimator: the gain of "
            f"{gain:.3g} may be chance. <code>compare_to_default</code> tests it on fresh splits."
        )
        return [Note("warning", text)]
    text = f"The best trial is better than the untuned estimator, by {gain:.3g} on these splits."
    return [Note("fine", text)]


def _beside_others(findings: ReportData) -> list[Note]:
    close, n_others = findings.close, len(findings.ranked) - 1
    if n_others == 0:
        return []
    if len(close) == 1:
        return [Note("fine", "The splits tell the best trial from all others.")]
    numbers = [str(trial.number) for trial in close[1 : _MAX_NAMED + 1]]
    more = len(close) - 1 - len(numbers)
    text = (
        f"These splits cannot tell {len(close) - 1} of {n_others} other trials from the best one: "
        f"{', '.join(numbers)}{f' and {more} more' if more else ''}. Take the simplest or fastest "
        "of them, or score them on more splits."
    )
    return [Note("warning", text)]


def ideas(findings: ReportData) -> list[Note]:
    """Return what to try next.

    Parameters
    ----------
    findings : Findings

    Returns
    -------
    notes : list of Note
    """
    notes = [*_of_failures(findings)]
    if findings.best is None or not findings.ranked:
        return notes
    idle = without_effect(findings)
    notes += _of_edges(findings, {name for name, _ in idle})
    notes += _of_idle(idle)
    notes += _of_course(findings)
    if findings.n_splits > 1 and len(findings.close) > max(5, len(findings.ranked) // 4):
        text = (
            "Many trials cannot be told apart: more splits, such as repeated ones, would tell more "
            "than more trials."
        )
        notes.append(Note("idea", text))
    return notes


def _of_failures(findings: ReportData) -> list[Note]:
    trials = findings.trials
    failed = [trial for trial in trials if trial.status == "failed"]
    if not failed:
        return []
    reasons: dict[str, int] = {}
    for trial in failed:
        line = last_line(failure_of(trial))
        reasons[line] = reasons.get(line, 0) + 1
    line, count = max(reasons.items(), key=lambda item: item[1])
    many = len(failed) >= _MANY_FAILED * len(trials)
    text = (
        f"{len(failed)} of {len(trials)} trials failed"
        f"{': leave out of the space what cannot work' * many}. "
        f"{_shared_by_failures(findings, len(failed))}The most frequent error, "
        f"{count} time{'s' * (count > 1)}: {code(line[:300])}"
    )
    return [Note("warning" if many else "idea", text)]


def _shared_by_failures(findings: ReportData, n_failed: int) -> str:
    """Say what failed trials share; nothing where they share nothing."""
    pattern = findings.failure_pattern
    if pattern is None:
        return ""
    who = "All of them" if pattern.n_failed == n_failed else f"{pattern.n_failed} of them"
    conditions = " and ".join(condition.html for condition in pattern.conditions)
    n_other = pattern.n_alike - pattern.n_failed
    rest = f", as have {n_other} that did not fail so" if n_other else ", and no other trial has"
    return f"{who} have {conditions}{rest}. "


def _of_edges(findings: ReportData, idle: set[str]) -> list[Note]:
    best = findings.source.best
    if best is None or len(findings.ranked) < _MIN_TRIALS:
        return []
    notes = []
    for scale in findings.scales_of_best():
        end = edge_of(scale, best)
        if end is None or scale.label in idle or scale.name in idle:
            continue
        way, bound = ("below", 0.0) if end == "low" else ("above", 1.0)
        text = (
            f"{code(scale.label)} is {code(say(best.params[scale.name]))} in the best trial, at an "
            f"end of its range: let it go {way} {code(say(scale.dimension.from_unit(bound)))}, if "
            "the estimator allows."
        )
        notes.append(Note("idea", text))
    return notes


def edge_of(scale: Scale, trial: Trial) -> str | None:
    """Say whether a trial has a value at an end of a range.

    Parameters
    ----------
    scale : Scale
    trial : Trial

    Returns
    -------
    end : {"low", "high"} or None
        None also where there is no order, too few values to speak of an end, or a bound that
        most parameters cannot pass: 0 and 1 of fractions, the least of counts.
    """
    dimension = scale.dimension
    if not scale.name or dimension.is_categorical or dimension.n_values < 4:
        return None
    if not (hasattr(dimension, "low") or isinstance(dimension, Categorical)):
        return None  # a distribution says how probable its ends are
    unit, width = trial.point[scale.column], _EDGE
    if isinstance(dimension, Integer | Categorical):
        ends = dimension.snap(np.array([0.0, 1.0]))
        width = max(_EDGE, float(ends[0]), float(1.0 - ends[1]))
    end = "low" if unit <= width else "high" if unit >= 1.0 - width else None
    return None if end is None or _is_natural(dimension, end) else end


def _is_natural(dimension: Any, end: str) -> bool:
    """Say whether a bound is one that most parameters of the kind cannot pass."""
    if isinstance(dimension, Integer):
        return end == "low" and dimension.low in {0, 1}
    if isinstance(dimension, Real) and not dimension.log:
        return (dimension.low == 0.0) if end == "low" else (dimension.high == 1.0)
    return False


def without_effect(findings: ReportData) -> list[tuple[str, float]]:
    """Return the parameters of no effect on the score, with the share that they may have at most.

    Parameters
    ----------
    findings : Findings

    Returns
    -------
    found : list of (name, most)
        Those whose share of the variance, interactions included, is consistent with 0, over the
        whole space and with the worse half of the scores taken for equal. Parameters on which
        failures depend are none of them.
    """
    if findings.importance is None or len(findings.ranked) < _MIN_TRIALS:
        return []
    most: dict[str, float] = {}
    # Over the whole space and among its better half: what makes the best ones differ may not
    # show beside what makes the worst ones fail.
    for found in (findings.importance, findings.importance_of_better):
        shares, errors = shares_of(found)
        if not np.any(shares > 0):
            return []
        for name, share, error in zip(found.names, shares, errors, strict=True):
            is_none = share <= 2 * error + 0.005 and share + 2 * error < _LITTLE
            most[name] = max(most.get(name, 0.0), share + 2 * error if is_none else 1.0)
    varied = {scale.name for scale in findings.scales}
    # Importance is that of scores, which failed trials do not have.
    varied -= parameters_of_failure(findings.trials, findings.source.space)
    return [(name, share) for name, share in most.items() if name in varied and share < _LITTLE]


def _of_idle(idle: list[tuple[str, float]]) -> list[Note]:
    if not idle:
        return []
    names = ", ".join(code(name) for name, _ in idle)
    most = f"{100 * max(share for _, share in idle):.1f} %"
    each, them = ("each explains", "them") if len(idle) > 1 else ("it explains", "it")
    text = (
        f"No effect of {names} is seen: {each} at most {most} of the score's variance, also "
        f"among the better half. Fix {them}, and the search has fewer parameters to learn about."
    )
    return [Note("idea", text)]


def _of_course(findings: ReportData) -> list[Note]:
    """Say whether more trials or fewer would have done."""
    n_trials = len(findings.trials)
    if n_trials < _MIN_TRIALS:
        return []
    finalists = records(findings)
    since = n_trials - 1 - finalists[-1][0]
    if since < _LATE * n_trials and len(finalists) > 1:
        before = [score for row, score in finalists if row < (1 - 2 * _LATE) * n_trials]
        gain = finalists[-1][1] - (before[-1] if before else finalists[0][1])
        is_noise = gain < findings.error / 2
        text = (
            f"It still became better at the end, by {gain:.3g} in the last fifth"
            f"{', less than half the standard error: more trials promise little.' * is_noise}"
            f"{': more trials are likely to help.' * (not is_noise)}"
        )
        return [Note("idea", text)]
    if since >= _LONG * n_trials and n_trials >= 2 * _MIN_TRIALS:
        rule = code(f"n_iter_no_change={max(_MIN_TRIALS, round(since / 2))}")
        text = f"The last {since} trials found nothing better: {rule} would have ended it earlier."
        return [Note("idea", text)]
    return []


def records(findings: ReportData) -> list[tuple[int, float]]:
    """Return the rows of the trials that were the best so far, with their scores."""
    found: list[tuple[int, float]] = []
    for row, trial in enumerate(findings.trials):
        if trial.status != "complete" or not trial.is_full:
            continue
        if not found or score_of(trial) > found[-1][1]:
            found.append((row, score_of(trial)))
    return found


def budget(findings: ReportData) -> list[dict[str, Any]]:
    """Say where the trials and their seconds went.

    Parameters
    ----------
    findings : Findings

    Returns
    -------
    parts : list of dict
        With "name", "label", "trials" and "seconds", in the order of the drawing.
    """
    close = {trial.number for trial in findings.close}
    labels = {
        "close": "not told from the best",
        "other": "worse" if close else "complete",
        "part": "less of the resource",
        "pruned": "pruned",
        "failed": "failed",
    }
    parts = {
        name: {"name": name, "label": label, "trials": 0, "seconds": 0.0}
        for name, label in labels.items()
    }
    for trial in findings.trials:
        name = trial.status
        if name == "complete":
            name = "close" if trial.number in close else "other" if trial.is_full else "part"
        held: dict[str, Any] = parts[name]
        held["trials"] += 1
        held["seconds"] += trial.duration
    return [part for part in parts.values() if part["trials"]]
