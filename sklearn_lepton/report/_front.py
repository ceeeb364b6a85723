"""The section of a report on the Pareto front and the limits."""

from html import escape

from sklearn_lepton._inspection.html import say
from sklearn_lepton._trials.pareto import admissible, pareto_trials
from sklearn_lepton.report._report_data import ReportData

_MAX_ROWS = 50


def front_section(report: ReportData) -> dict[str, tuple[str, str]]:
    """Return the section by its name, with its title and HTML; empty without objectives."""
    optimizer = getattr(report.search, "optimizer_", report.search)
    settings = getattr(optimizer, "run_settings", None)  # none of a journal or a list of trials
    if settings is None or not settings.objectives:
        return {}
    objectives = settings.objectives
    trials = pareto_trials(report.trials, objectives)
    n_within = len(admissible(report.trials, objectives))
    names = list(objectives.names)
    aims = [
        f"{t.name} to {'maximize' if objectives.is_maximized(t) else 'minimize'}"
        for t in objectives.targets
    ]
    text = f"Objectives: {', '.join(aims) or 'the score'}."
    if objectives.limits:
        limits = " and ".join(map(str, objectives.limits))
        text += f" Limits: {limits}; {n_within} of {len(report.trials)} trials are within."
    if objectives.are_several:
        text += f" {len(trials)} trials are on the Pareto front."
    head = "".join(f"<th>{escape(name)}</th>" for name in ("trial", *names, "parameters"))
    rows = "".join(
        f"<tr><td>{t.number}</td>"
        + "".join(f"<td>{objectives.value(t, name):.5g}</td>" for name in names)
        + f"<td>{escape(', '.join(f'{key}={say(value)}' for key, value in t.params.items()))}</td>"
        "</tr>"
        for t in trials[:_MAX_ROWS]
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return {"front": ("Objectives", f"<p>{escape(text)}</p>{table}")}
