"""HTML representation of a search, which notebooks show below scikit-learn's diagram."""

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from sklearn_lepton._runtime.errors import logger
from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton._runtime.output import text_of
from sklearn_lepton._trials.ranking import candidates, score_of
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._validation import given_space
from sklearn_lepton.space._dimension import Categorical, Dimension, Integer, Real
from sklearn_lepton.space._space import Space
from sklearn_lepton.space._values import text_of as name_of

_LONGEST = 60  # characters of a value
_MAX_CHOICES = 8
_WIDTH, _HEIGHT, _EDGE = 360, 120, 8
_CONTROL = dict.fromkeys(
    [*range(9), 11, 12, *range(14, 32), 127], "\ufffd"
)  # no page may have them
# Colours are inherited from the page, which may be light or dark.
_STYLE = """<style>
.sklearn-lepton {font: 13px/1.4 system-ui, sans-serif; color: inherit; margin: 0.6em 0}
.sklearn-lepton table {border-collapse: collapse; margin: 0.3em 0; color: inherit;
  font: inherit}
.sklearn-lepton :is(th, td) {text-align: left; padding: 0.15em 0.9em 0.15em 0;
  border-bottom: 1px solid rgba(128, 128, 128, 0.35); background: none; color: inherit;
  vertical-align: top}
.sklearn-lepton th {font-weight: 600; opacity: 0.75}
.sklearn-lepton code {font-family: ui-monospace, monospace; background: none; color: inherit}
.sklearn-lepton summary {cursor: pointer; font-weight: 600}
.sklearn-lepton .found {display: flex; flex-wrap: wrap; gap: 0 2.5em; align-items: flex-start}
.sklearn-lepton figure {margin: 0.3em 0}
.sklearn-lepton figcaption {opacity: 0.75}
</style>"""


@ignore_float_errors
def describe_search(search: Any) -> str:
    """Return the space and the result of a search as HTML.

    Parameters
    ----------
    search : BaseSearchCV

    Returns
    -------
    html : str
        Empty on errors: a representation never raises.
    """
    try:
        return _describe_search(search)
    except Exception:  # noqa: BLE001 - a representation must not raise
        logger.debug("A search could not be described in HTML.", exc_info=True)
        return ""


def _describe_search(search: Any) -> str:
    space = getattr(search, "space_", None) or Space(given_space(vars(search)))
    trials = getattr(search, "trials_", [])
    n_params = len({name for branch in space.branches for name in branch})
    best: dict[str, Any] = {}
    index = getattr(search, "best_index_", None)
    if index is not None and index < len(trials):
        best = {
            "best": trials[index],
            "score": getattr(search, "best_score_", None),
            "params": shown_params(search, trials[index]),
        }
    found = _found(trials, getattr(search, "stop_reason_", None), **best) if trials else ""
    is_open = "" if found else " open"
    title = f"Space of {n_params} parameter{'s' * (n_params != 1)}"
    return (
        f'{_STYLE}<div class="sklearn-lepton">{found}<details{is_open}><summary>{title}</summary>'
        f"{space_table(space)}</details></div>"
    )


def shown_params(search: Any, trial: Trial) -> Mapping[str, Any]:
    """Return the parameters of a trial as a search shows them, with names of its own models."""
    convert = getattr(search, "_plain_params", None)
    return trial.params if convert is None else cast("Mapping[str, Any]", convert(trial.params))


def _found(
    trials: Sequence[Trial],
    stop: str | None,
    best: Trial | None = None,
    score: float | None = None,
    params: Mapping[str, Any] | None = None,
) -> str:
    n_failed = sum(trial.status == "failed" for trial in trials)
    n_pruned = sum(trial.status == "pruned" for trial in trials)
    counts = [f"{len(trials)} trials"]
    counts += [f"{n} {what}" for n, what in ((n_failed, "failed"), (n_pruned, "pruned")) if n]
    end = f", ended by <code>{escape(stop)}</code>" if stop else ""
    head = f"<p>{', '.join(counts)}{end}</p>"
    held = ""
    if best is not None:
        rows = [(code(name), code(say(value))) for name, value in (params or {}).items()]
        score = best.score if score is None else score
        caption = f"Best: trial {best.number}"
        if score is not None:
            caption += f", score {score:.5g}"
        held = f"<div><b>{caption}</b>{table((), rows)}</div>"
    return f'{head}<div class="found">{held}{_convergence(trials)}</div>'


def space_table(space: Space) -> str:
    many = len(space.branches) > 1
    rows = []
    for number, branch in enumerate(space.branches):
        for name, column in branch.items():
            row = (code(name), *map(escape, _describe(space.dimensions[column])))
            rows.append((*row, str(number)) if many else row)
    head = ("parameter", "kind", "range", "scale", *(["branch"] * many))
    if space.constraint is None:
        return table(head, rows)
    return f"{table(head, rows)}<p>constraint: {code(name_of(space.constraint))}</p>"


def _describe(dimension: Dimension) -> tuple[str, str, str]:
    """Return kind, range and scale."""
    if isinstance(dimension, Real | Integer):
        kind = "real" if isinstance(dimension, Real) else "integer"
        scale = "logarithmic" if dimension.log else "linear"
        return kind, f"{dimension.low:.6g} to {dimension.high:.6g}", scale
    if isinstance(dimension, Categorical):
        choices = [say(value) for value in dimension.categories[:_MAX_CHOICES]]
        if dimension.weights is not None:
            total = sum(dimension.weights)
            shares = [f" ({100 * weight / total:.2g} %)" for weight in dimension.weights]
            choices = [f"{choice}{share}" for choice, share in zip(choices, shares, strict=False)]
        more = len(dimension.categories) - len(choices)
        text = ", ".join(choices) + (f" and {more} more" if more else "")
        return ("ordered" if dimension.ordered else "categorical"), text, ""
    kind = "distribution" if math.isinf(dimension.n_values) else "discrete distribution"
    return kind, _cut(repr(dimension).removeprefix("Distribution(")[:-1]), "quantiles"


def _convergence(trials: Sequence[Trial]) -> str:
    """Return an SVG figure of the scores and the best score so far, by trial."""
    scored = candidates(trials)
    if len(scored) < 2:
        return ""
    by_number = sorted(scored, key=lambda trial: trial.number)
    last = max(trial.number for trial in trials)
    scores = sorted(map(score_of, by_number))
    # Clip very poor scores: they would flatten the rest to a line.
    low = max(scores[0], 2 * scores[len(scores) // 4] - scores[-1])
    high = scores[-1]

    n_below = sum(score < low for score in scores)

    def position(number: int, score: float) -> tuple[float, float]:
        share = (max(score, low) - low) / (high - low) if high > low else 0.5
        x = _EDGE + (_WIDTH - 2 * _EDGE) * number / max(last, 1)
        return x, _HEIGHT - _EDGE - (_HEIGHT - 2 * _EDGE) * share

    dots, steps, best = list[str](), list[str](), -math.inf
    for trial in by_number:
        x, y = position(trial.number, score_of(trial))
        is_below = score_of(trial) < low
        triangle = f'<path d="M{x - 3:.1f} {y - 2:.1f}h6l-3 5z"/>'
        dots.append(triangle if is_below else f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.2"/>')
        if score_of(trial) > best:
            best = score_of(trial)
            steps.append(f"M{x:.1f} {y:.1f}" if not steps else f"H{x:.1f}V{y:.1f}")
    path = "".join(steps) + f"H{position(last, high)[0]:.1f}"
    floor = _HEIGHT - 1
    below = f", {n_below} below" if n_below else ""
    return (
        f'<figure><svg width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'role="img" aria-label="Best score after each trial">'
        f'<path d="M0 {floor}H{_WIDTH}" stroke="currentColor" stroke-opacity="0.4"/>'
        f'<g fill="currentColor" fill-opacity="0.4">{"".join(dots)}</g>'
        f'<path d="{path}" fill="none" stroke="#2b8cbe" stroke-width="2"/></svg>'
        f"<figcaption>score by trial, 0 to {last}, from {low:.4g} to {high:.4g}{below}; "
        "line: best so far</figcaption></figure>"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of cells that are already escaped."""
    top = "".join(f"<th>{cell}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table>{f'<thead><tr>{top}</tr></thead>' if top else ''}<tbody>{body}</tbody></table>"


def say(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return _cut(text_of(dict(value)))
    return _cut(value if isinstance(value, str) else text_of(value, repr))


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def escape(text: Any) -> str:
    return html.escape(str(text).translate(_CONTROL))


def code(text: str) -> str:
    return f"<code>{escape(text)}</code>"
