"""What was asked of a search, as far as it is known: rows of a table."""

import os
import platform
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy
import sklearn

from sklearn_lepton._inspection.history import clock_of
from sklearn_lepton._inspection.html import code, escape
from sklearn_lepton._runtime.output import text_of
from sklearn_lepton._study.schema import is_value
from sklearn_lepton.report._findings import ReportData
from sklearn_lepton.space._values import value_from_json

_LONGEST = 600  # characters of an estimator
_LIMITS = ("n_iter", "max_time", "n_iter_no_change", "target_score", "fit_timeout")
_WAYS = ("resource", "racing", "asynchronous", "n_jobs", "final_cv")

Rows = list[tuple[str, str]]


def describe(findings: ReportData) -> Rows:
    """Return what was asked, and how it ended.

    Parameters
    ----------
    findings : Findings

    Returns
    -------
    rows : list of (str, str)
        Names and HTML.
    """
    search = findings.search
    rows = [*_of_journal(findings)] if findings.source.header else _of_search(search)
    optimizer = findings.source.optimizer
    known = getattr(search, "optimizer_", optimizer if hasattr(search, "ask") else None)
    if known is not None:
        rows.append(("optimizer", code(type(known).__name__)))
    choice = _asked_for(search, "choice_")
    if choice:
        rows.append(("choice", "<br>".join(map(escape, str(choice).splitlines()))))
    state = getattr(search, "random_state", None)
    if state is not None:
        rows.append(("random_state", code(_text(state))))
    seed = findings.source.header.get("seed", getattr(known, "seed", None))
    if seed is not None:
        drawn = f"drawn from {code('random_state')}: " * (not hasattr(search, "ask"))
        rows.append(("seed of the optimizer", f"{drawn}{code(str(seed))}"))
    trials = findings.trials
    if reason := getattr(search, "stop_reason_", None):
        rows.append(("ended by", code(str(reason))))
    fits = sum(trial.duration for trial in trials)
    times = f"{seconds(fits)} of fits and scoring"
    clock = clock_of(trials)
    if clock is not None:
        times += f", {seconds(clock.total)} from the first begin to the last end"
        if clock.paused:
            times += f", {seconds(clock.paused)} of it in pauses of more than a minute"
    if (refit := getattr(search, "refit_time_", None)) is not None:
        times += f", {seconds(refit)} for the refit"
    rows.append(("time", times))
    written = {
        "sklearn-lepton": sys.modules["sklearn_lepton"].__version__,
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "Python": platform.python_version(),
    }
    rows.append(("report written with", escape(", ".join(f"{k} {v}" for k, v in written.items()))))
    return rows


def _of_search(search: Any) -> Rows:
    rows = [("asked of", code(type(search).__name__))]
    if isinstance(search, list | tuple):
        return [("asked of", "a list of trials")]
    estimator = getattr(search, "estimator", None)
    if estimator is not None:
        rows.append(("estimator", code(_text(estimator))))
    shape = getattr(search, "_data_shape", None)
    if shape:
        rows.append(("data", _shape(shape)))
    if hasattr(search, "get_params"):
        given = search.get_params(deep=False)
        rows.append(("scoring", code(_text(given["scoring"]))))
        way = code(f"cv={_text(given['cv'])}")
        rows.append(("splits", f"{getattr(search, 'n_splits_', '?')}, by {way}"))
        asked = [n for n in _LIMITS if given.get(n) not in {None, "auto"}]
        limits = [f"{n}={text_of(given[n], repr)}" for n in asked]
        rows.append(("budget", code(", ".join(limits))))
        chosen = [n for n in _WAYS if given[n] is not None and given[n] is not False]
        ways = [f"{n}={text_of(given[n], repr)}" for n in chosen]
        if ways:
            rows.append(("ways", code(_cut(", ".join(ways)))))
        rows.append(("chosen by", code(f"refit={_text(given['refit'])}")))
        if given.get("journal") is not None:
            rows.append(("journal", code(os.fspath(given["journal"]))))
    elif hasattr(search, "minimize"):
        rows.append(("function", "its least value" if search.minimize else "its greatest value"))
    return rows


def _of_journal(findings: ReportData) -> Rows:
    """Return what the first line of a journal says."""
    study: Mapping[str, Any] = findings.source.header["study"]
    rows = [("asked of", f"the journal {code(os.fspath(findings.search))}")]
    estimator = study.get("estimator")
    if estimator:
        rows.append(("estimator", code(str(estimator["class"]))))
        own = {name: _plain(value) for name, value in estimator["params"].items()}
        if own:
            text = ", ".join(f"{name}={value}" for name, value in own.items())
            rows.append(("its other parameters", code(_cut(text))))
    if "function" in study:
        goal = "least" if study.get("minimize") else "greatest"
        rows.append(("function", f"{code(str(_plain(study['function'])))}, its {goal} value"))
    for name, described in study.get("data", {}).items():
        if isinstance(described, Mapping) and described.get("shape"):
            shape = described["shape"]
            shape = shape if isinstance(shape, list) else [shape]
            rows.append((f"data, {name}", f"{_shape(shape)}, {code(str(described['type']))}"))
    if study.get("scoring") is not None:
        rows.append(("scoring", code(_cut(str(_plain(study["scoring"]))))))
    if study.get("metric"):
        rows.append(("chosen by", code(str(study["metric"]))))
    rows.append(("splits", escape(study["splits"]["n"])))
    if study.get("resource"):
        rows.append(("resource", code(_cut(str(study["resource"])))))
    if study.get("previous_studies"):
        rows.append(("older studies", escape(len(study["previous_studies"]))))
    return rows


def _plain(data: Any) -> Any:
    """Return what a journal holds as text that names it."""
    value = value_from_json(data) if is_value(data) else data
    return getattr(value, "text", value)


def _asked_for(search: Any, name: str) -> Any:
    return getattr(search, name, None) if hasattr(search, "optimizer_") else None


def _shape(shape: Any) -> str:
    names = ("rows", "columns")
    if len(shape) > len(names):
        return escape(f"of shape {tuple(shape)}")
    return escape(", ".join(f"{n:,} {name}" for n, name in zip(shape, names, strict=False)))


def _text(value: Any) -> str:
    """Write an object whose own text may be long, or raise."""
    return _cut(text_of(value, repr))


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def seconds(value: float) -> str:
    """Write a time in words.

    Parameters
    ----------
    value : float
        Seconds.

    Returns
    -------
    text : str
    """
    if value < 120:
        return f"{value:.3g} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
