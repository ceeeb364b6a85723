"""Settings of a search: the rows of the report's table."""

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
from sklearn_lepton.report._report_data import ReportData
from sklearn_lepton.space._values import value_from_json

_MAX_LENGTH = 600  # characters of an estimator
_BUDGET = ("n_iter", "max_time", "n_iter_no_change", "target_score", "fit_timeout")
_OPTIONS = ("resource", "racing", "asynchronous", "n_jobs", "final_cv")

Rows = list[tuple[str, str]]


def describe(report: ReportData) -> Rows:
    """Return the settings of a search and the reason for its end.

    Parameters
    ----------
    report : ReportData

    Returns
    -------
    rows : list of (str, str)
        Names and values, as HTML.
    """
    search = report.search
    rows = _journal_rows(report) if report.source.header else _search_rows(search)
    optimizer = report.source.optimizer
    proposer = getattr(search, "optimizer_", optimizer if hasattr(search, "ask") else None)
    if proposer is not None:
        rows.append(("optimizer", code(type(proposer).__name__)))
    choice = getattr(search, "choice_", None) if hasattr(search, "optimizer_") else None
    if choice:
        rows.append(("choice of algorithm", "<br>".join(map(escape, str(choice).splitlines()))))
    state = getattr(search, "random_state", None)
    if state is not None:
        rows.append(("random_state", code(_text(state))))
    seed = report.source.header.get("seed", getattr(proposer, "seed", None))
    if seed is not None:
        drawn = f"drawn from {code('random_state')}: " * (not hasattr(search, "ask"))
        rows.append(("seed of the optimizer", f"{drawn}{code(str(seed))}"))
    trials = report.trials
    if reason := getattr(search, "stop_reason_", None):
        rows.append(("stop reason", code(str(reason))))
    fits = sum(trial.duration for trial in trials)
    times = f"{seconds(fits)} in fits and scoring"
    clock = clock_of(trials)
    if clock is not None:
        times += f", {seconds(clock.total)} from the first start to the last end"
        if clock.paused:
            times += f", {seconds(clock.paused)} of it in pauses of more than a minute"
    if (refit := getattr(search, "refit_time_", None)) is not None:
        times += f", {seconds(refit)} for the refit"
    rows.append(("time", times))
    versions = {
        "sklearn-lepton": sys.modules["sklearn_lepton"].__version__,
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "Python": platform.python_version(),
    }
    rows.append(("versions", escape(", ".join(f"{k} {v}" for k, v in versions.items()))))
    return rows


def _search_rows(search: Any) -> Rows:
    """Return the settings that a search, a result or an optimizer holds."""
    rows = [("search", code(type(search).__name__))]
    if isinstance(search, list | tuple):
        return [("search", "a list of trials")]
    estimator = getattr(search, "estimator", None)
    if estimator is not None:
        rows.append(("estimator", code(_text(estimator))))
    shape = getattr(search, "_data_shape", None)
    if shape:
        rows.append(("data", _shape(shape)))
    if hasattr(search, "get_params"):
        given = search.get_params(deep=False)
        rows.append(("scoring", code(_text(given["scoring"]))))
        cv = code(f"cv={_text(given['cv'])}")
        rows.append(("splits", f"{getattr(search, 'n_splits_', '?')}, by {cv}"))
        limits = [n for n in _BUDGET if given.get(n) not in {None, "auto"}]
        rows.append(("budget", code(", ".join(f"{n}={text_of(given[n], repr)}" for n in limits))))
        options = [n for n in _OPTIONS if given[n] is not None and given[n] is not False]
        if options:
            text = ", ".join(f"{n}={text_of(given[n], repr)}" for n in options)
            rows.append(("options", code(_cut(text))))
        rows.append(("selection", code(f"refit={_text(given['refit'])}")))
        if given.get("journal") is not None:
            rows.append(("journal", code(os.fspath(given["journal"]))))
    elif hasattr(search, "minimize"):
        rows.append(("function", "minimized" if search.minimize else "maximized"))
    return rows


def _journal_rows(report: ReportData) -> Rows:
    """Return the settings in the first line of a journal."""
    study: Mapping[str, Any] = report.source.header["study"]
    rows = [("search", f"the journal {code(os.fspath(report.search))}")]
    estimator = study.get("estimator")
    if estimator:
        rows.append(("estimator", code(str(estimator["class"]))))
        own = {name: _plain(value) for name, value in estimator["params"].items()}
        if own:
            text = ", ".join(f"{name}={value}" for name, value in own.items())
            rows.append(("fixed parameters", code(_cut(text))))
    if "function" in study:
        goal = "minimized" if study.get("minimize") else "maximized"
        rows.append(("function", f"{code(str(_plain(study['function'])))}, {goal}"))
    for name, described in study.get("data", {}).items():
        if isinstance(described, Mapping) and described.get("shape"):
            shape = described["shape"]
            shape = shape if isinstance(shape, list) else [shape]
            rows.append((f"data, {name}", f"{_shape(shape)}, {code(str(described['type']))}"))
    if study.get("scoring") is not None:
        rows.append(("scoring", code(_cut(str(_plain(study["scoring"]))))))
    if study.get("metric"):
        rows.append(("selection", code(str(study["metric"]))))
    rows.append(("splits", escape(study["splits"]["n"])))
    if study.get("resource"):
        rows.append(("resource", code(_cut(str(study["resource"])))))
    if study.get("previous_studies"):
        rows.append(("previous studies", escape(len(study["previous_studies"]))))
    return rows


def _plain(data: Any) -> Any:
    """Return a value from a journal; the text of an object that JSON cannot hold."""
    value = value_from_json(data) if is_value(data) else data
    return getattr(value, "text", value)


def _shape(shape: Any) -> str:
    names = ("rows", "columns")
    if len(shape) > len(names):
        return escape(f"of shape {tuple(shape)}")
    return escape(", ".join(f"{n:,} {name}" for n, name in zip(shape, names, strict=False)))


def _text(value: Any) -> str:
    """Return a text of limited length, even if the object's own ``repr`` raises."""
    return _cut(text_of(value, repr))


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _MAX_LENGTH else f"{text[: _MAX_LENGTH - 1]}…"


def seconds(value: float) -> str:
    """Return a duration as text, in suitable units.

    Parameters
    ----------
    value : float
        Duration in seconds.

    Returns
    -------
    text : str
    """
    if value < 120:
        return f"{value:.3g} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
