"""Data of a report's figures and table, in JSON types; the displays compute the arrays."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from sklearn_lepton._inspection.history import expected_score, score_error
from sklearn_lepton._inspection.html import say
from sklearn_lepton._runtime.errors import abridge, error_line
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._validation import is_real
from sklearn_lepton.plotting._axes import score_limits
from sklearn_lepton.plotting._contour import ContourDisplay
from sklearn_lepton.plotting._convergence import ConvergenceDisplay
from sklearn_lepton.plotting._coordinates import ParallelCoordinatesDisplay, axis_ticks
from sklearn_lepton.plotting._importance import WHISKER
from sklearn_lepton.plotting._scale import Scale
from sklearn_lepton.plotting._slice import SliceDisplay
from sklearn_lepton.plotting._timeline import TimelineDisplay
from sklearn_lepton.report._failures import failure_of
from sklearn_lepton.report._report_data import ReportData
from sklearn_lepton.space._content import python_scalar
from sklearn_lepton.space._values import as_float

_MAX_REASON_LENGTH = 4000  # characters of a traceback
_MAX_REASONS = 100  # full tracebacks; further ones keep their last line
_MAX_FITS = 8000  # more fits are merged to one bar per trial and worker
_MIN_INTERACTION = 0.01
_MAX_BARS = 24


def page_data(report: ReportData) -> dict[str, Any]:
    """Return the data that the page's scripts draw and list.

    Parameters
    ----------
    report : ReportData

    Returns
    -------
    data : dict
        JSON types; numbers have six digits, and NaN is None.
    """
    trials = report.trials
    row_of = {trial.number: row for row, trial in enumerate(trials)}
    best, default_trial = report.best, report.default_trial
    reasons, why = _reasons(trials)
    scores = [expected_score(trial) for trial in trials]
    data: dict[str, Any] = {
        "scoreName": report.source.score_name,
        "limits": numbers(score_limits(scores)),
        "minimized": report.is_minimized,
        "best": None if best is None else row_of.get(best.number),
        "untuned": None if default_trial is None else row_of[default_trial.number],
        "close": [row_of[trial.number] for trial in report.close],
        "trials": {
            "number": [trial.number for trial in trials],
            "status": [trial.status for trial in trials],
            "score": numbers(scores),
            "error": numbers(score_error(trial, report.source.ratio) for trial in trials),
            "seconds": numbers(trial.duration for trial in trials),
            "fidelity": _fidelities(trials),
            "why": why,
        },
        "reasons": reasons,
        "columns": _columns(trials),
        "figures": {},
        "missing": {},
    }
    makers: dict[str, Callable[[ReportData], Any]] = {
        "convergence": _convergence,
        "slices": _slices,
        "importance": _importance,
        "contour": _contour,
        "coordinates": _coordinates,
        "timeline": _timeline,
    }
    for name, make in makers.items():
        try:
            data["figures"][name] = make(report)
        except ValueError as error:  # too few trials or parameters for the display
            data["missing"][name] = str(error)
    return data


def number(value: Any) -> float | int | None:
    """Return a number with six digits for JSON; None if it is not finite."""
    value = as_float(value)
    if not math.isfinite(value):
        return None
    short = float(f"{value:.6g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def numbers(values: Any) -> list[float | int | None]:
    """Return numbers with six digits for JSON; None for those that are not finite."""
    return [number(value) for value in values]


def _fidelities(trials: list[Trial]) -> list[float | int | None] | None:
    """Return the fidelity of each trial; None if all trials ran at full fidelity."""
    if all(trial.is_full for trial in trials):
        return None
    return numbers(1.0 if trial.fidelity is None else trial.fidelity for trial in trials)


def _reasons(trials: list[Trial]) -> tuple[list[list[str]], list[int | None]]:
    """Return the distinct tracebacks with their last lines, and the index of each trial's."""
    places: dict[str, int] = {}
    reasons: list[list[str]] = []
    why: list[int | None] = []
    for trial in trials:
        text = failure_of(trial)
        if not text:
            why.append(None)
            continue
        kept = abridge(text, _MAX_REASON_LENGTH)
        last = error_line(text)[-300:]
        kept = kept if len(reasons) < _MAX_REASONS else last
        if kept not in places:
            places[kept] = len(reasons)
            reasons.append([last, kept])
        why.append(places[kept])
    return reasons, why


def _columns(trials: list[Trial]) -> list[dict[str, Any]]:
    """Return a column for each parameter: numbers, or texts and the index of each trial's."""
    names = dict.fromkeys(name for trial in trials for name in trial.params)
    columns = []
    for name in names:
        values = [
            python_scalar(trial.params[name]) if name in trial.params else None for trial in trials
        ]
        has = [name in trial.params for trial in trials]
        if all(is_real(value) for value, is_there in zip(values, has, strict=True) if is_there):
            shown = [
                number(v) if is_there else None for v, is_there in zip(values, has, strict=True)
            ]
            columns.append({"name": name, "values": shown})
            continue
        texts: dict[str, int] = {}
        places = [
            texts.setdefault(say(value), len(texts)) if is_there else None
            for value, is_there in zip(values, has, strict=True)
        ]
        columns.append({"name": name, "values": places, "texts": list(texts)})
    return columns


def _axis(scale: Scale) -> dict[str, Any]:
    return {
        "label": scale.label,
        "log": scale.is_log,
        "labels": None if scale.labels is None else list(scale.labels),
        "limits": numbers(scale.limits),
        "whole": type(scale.dimension).__name__ == "Integer",
    }


def _convergence(report: ReportData) -> Any:
    display = ConvergenceDisplay.from_search(report.source)
    if not report.ranked:
        raise ValueError("No trial has a score at full fidelity: there is no best one yet.")
    curves = {}
    for kind in ("trial", "seconds"):
        places, best, errors = display.curve(kind)
        curves[kind] = [numbers(places), numbers(best), numbers(errors)]
    best, errors = display.best_scores, display.best_errors
    known = np.isfinite(best)
    limits = score_limits(
        display.scores,
        (best - errors)[known][-1:],
        (best + errors)[known],
        [] if display.untuned_score is None else [display.untuned_score],
    )
    untuned = display.untuned_score
    return {
        "curves": curves,
        "seconds": numbers(display.seconds),
        "limits": numbers(limits),
        "untuned": None if untuned is None else number(untuned),
        "isFull": [bool(full) for full in display.is_full],
    }


def _labels(scales: list[Scale]) -> list[str]:
    return [scale.label for scale in scales]


def _slices(report: ReportData) -> Any:
    labels = _labels(report.scales) or None
    display = SliceDisplay.from_search(report.source, parameters=labels)
    return [
        _axis(scale)
        | {
            "grid": numbers(display.grids[k]),
            "mean": numbers(display.means[k]),
            "std": numbers(display.stds[k]),
            "values": numbers(display.values[k]),
        }
        for k, scale in enumerate(display.scales)
    ]


def _importance(report: ReportData) -> Any:
    importance = report.importance
    if importance is None:
        report.source.check_scored(4)
        raise ValueError("The importance of parameters could not be computed.")
    bars = [
        [name, number(share), number(error), False]
        for name, share, error in zip(
            importance.names, importance.importances_mean, importance.importances_std, strict=True
        )
    ]
    for i, j in zip(*np.triu_indices(len(importance.names), 1), strict=True):
        share = number(importance.interactions_mean[i, j]) or 0.0
        if share >= _MIN_INTERACTION:
            label = f"{importance.names[i]} \N{MULTIPLICATION SIGN} {importance.names[j]}"
            bars.append([label, share, number(importance.interactions_std[i, j]), True])
    bars.sort(key=lambda bar: -bar[1])
    return {"bars": bars[:_MAX_BARS], "left": max(len(bars) - _MAX_BARS, 0), "whisker": WHISKER}


def _contour(report: ReportData) -> Any:
    report.source.check_scored(4)
    labels = _labels(report.scales_of_best())[:2]
    if len(labels) < 2:
        raise ValueError("A contour plot needs at least two parameters that vary.")
    display = ContourDisplay.from_search(report.source, parameters=labels)
    grid = display.maps[0, 1]
    x, y = (
        {**_axis(s), "values": numbers(v)}
        for s, v in zip(display.scales, display.values, strict=True)
    )
    means = grid["mean"]
    return {
        "x": {**x, "grid": numbers(grid["x"])},
        "y": {**y, "grid": numbers(grid["y"])},
        "mean": [numbers(row) for row in means],
        "limits": numbers(score_limits(means)),
    }


def _coordinates(report: ReportData) -> Any:
    labels = _labels(report.scales)
    if len(labels) < 2:
        raise ValueError("Parallel coordinates need at least two parameters that vary.")
    display = ParallelCoordinatesDisplay.from_search(report.source, parameters=labels)
    return [
        {
            "label": scale.label,
            "ticks": [[number(unit), text] for unit, text in axis_ticks(scale)],
            "choices": 0 if scale.labels is None else len(scale.labels),
            "units": [None if math.isnan(u) else round(float(u), 4) for u in display.units[:, k]],
        }
        for k, scale in enumerate(display.scales)
    ]


def _timeline(report: ReportData) -> Any:
    display = TimelineDisplay.from_search(report.source)
    row_of = {trial.number: row for row, trial in enumerate(report.trials)}
    rows = [row_of[n] for n in display.numbers.tolist()]
    fits = [
        list(fit)
        for fit in zip(
            numbers(display.begins),
            numbers(display.ends),
            display.workers.tolist(),
            rows,
            strict=True,
        )
    ]
    if len(fits) > _MAX_FITS:
        merged: dict[tuple[int, int], list[Any]] = {}
        for begin, end, worker, row in fits:
            bar = merged.setdefault((row, worker), [begin, end, worker, row])
            bar[1] = max(bar[1], end)
        fits = list(merged.values())
    return {"fits": fits, "cuts": numbers(display.cuts), "busy": number(display.busy)}
