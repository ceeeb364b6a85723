"""The report page: one HTML file with text, data and scripts."""

import base64
import hashlib
import json
import math
import os
import secrets
import shutil
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from sklearn_lepton._inspection.html import code, escape, say, shown_params, space_table, table
from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.plotting._importance import WHISKER
from sklearn_lepton.report._advice import Message, budget, result_warnings, suggestions
from sklearn_lepton.report._figures import page_data
from sklearn_lepton.report._front import front_section
from sklearn_lepton.report._report_data import ReportData, read_report_data, to_code
from sklearn_lepton.report._settings import describe, seconds

_SCRIPTS = ("draw.js", "figures.js", "table.js")
_FIGURES = {
    "convergence": (
        "Convergence",
        "Best score so far, with its standard error over the splits.",
    ),
    "importance": (
        "Parameter importance",
        (
            "Share of the score's variance that each parameter and interaction explains, "
            f"± {WHISKER:g} standard deviations."
        ),
    ),
    "slices": (
        "Score against each parameter",
        (
            "Trials, and the prediction of the surrogate with the other parameters of the best "
            "trial. The most important parameters come first."
        ),
    ),
    "contour": (
        "Contour plot",
        (
            "Expected score over the two most important parameters, with the other parameters of "
            "the best trial."
        ),
    ),
    "timeline": ("Timeline", "Fits of each worker, in seconds since the first fit began."),
    "coordinates": ("Parallel coordinates", "One line per trial; the best ones are on top."),
}
_HALF = {"convergence", "importance", "contour", "timeline"}  # half the width of the page
_LABELS = {"warning": "Warning", "suggestion": "Suggestion", "ok": "OK"}
_NO_SCRIPT = (
    "<noscript><p>The figures and the table of trials need JavaScript, which this browser does "
    "not run.</p></noscript>"
)


@ignore_float_errors
def write_report(
    search: Any, path: str | os.PathLike[str], *, space: Any = None, title: str | None = None
) -> Path:
    """Write an HTML report of a search.

    The report is a single file that loads nothing from disk or from the network. It can be
    stored, sent and opened anywhere. matplotlib is not needed.

    Parameters
    ----------
    search : search, TuneResult, Optimizer, path of a journal or sequence of Trial
        Source of the trials. The search may have failed or been interrupted, and the journal
        may be in use.
    path : str or path-like
        Path of the report. An existing file is replaced; the folder must exist.
    space : Space, dict, list of dict or None, default=None
        Search space; required with a sequence of trials.
    title : str or None, default=None
        Heading of the page; None names the tuned estimator or function.

    Returns
    -------
    path : Path
        Path of the report.

    Raises
    ------
    FileNotFoundError
        If the folder or the journal does not exist.
    NotFittedError
        If the search has no trials yet.
    TypeError
        If `search` is not one of the allowed types.
    ValueError
        If a sequence of trials comes without a space.
    JournalMismatchError
        If the path is not that of a journal.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn_lepton import tune
    >>> from sklearn_lepton.report import write_report
    >>> result = tune(lambda p: p["x"] ** 2, {"x": (-1.0, 1.0, "uniform")}, n_iter=5)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_report(result, Path(folder) / "report.html")
    ...     path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    True
    """
    file = Path(path)
    if not file.parent.is_dir():
        raise FileNotFoundError(f"The folder of {str(path)!r} does not exist: make it first.")
    report = read_report_data(search, space)
    # UTF-8 cannot encode lone surrogates: they become question marks.
    _replace(file, _page(report, title).encode("utf-8", "replace"))
    return file


def _replace(file: Path, data: bytes) -> None:
    """Replace a file atomically: an earlier file stays until the new one is complete."""
    target = file.resolve()  # replace the target of a link, not the link
    is_special = target.exists() and not target.is_file()  # a pipe or a device
    if is_special or not os.access(target.parent, os.W_OK):
        target.write_bytes(data)
        return
    temporary = target.with_name(f".sklearn_lepton-{secrets.token_hex(4)}.tmp")
    try:
        temporary.write_bytes(data)
        if target.exists():
            shutil.copymode(target, temporary)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _page(report: ReportData, title: str | None) -> str:
    style, script = _read("page.css"), "\n".join(map(_read, _SCRIPTS))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src"
    heading = escape(title or _title(report))
    sections = {
        "results": ("Results", _results(report)),
        **front_section(report),
        "suggestions": ("Suggestions", _suggestions(report)),
        "figures": ("Figures", _figures()),
        "settings": ("Settings", _settings(report)),
        "trials": ("Trials", '<div id="table"></div>'),
    }
    links = "".join(f'<a href="#{name}">{label}</a>' for name, (label, _) in sections.items())
    body = "".join(
        f'<section id="{name}" aria-labelledby="{name}-h"><h2 id="{name}-h">{label}</h2>{content}'
        "</section>"
        for name, (label, content) in sections.items()
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy} \'sha256-{digest}\'">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'
        f"<title>{heading}</title><style>\n{style}</style></head><body>"
        f"<header><h1>{heading}</h1>{_tiles(report)}<nav>{links}</nav></header>"
        f"{_NO_SCRIPT}<main>{body}</main>"
        '<div id="tip" role="status" aria-live="polite" hidden></div>'
        f'<script type="application/json" id="data">{_embed(page_data(report))}</script>'
        f"<script>{script}</script></body></html>\n"
    )


def _read(name: str) -> str:
    file = resources.files("sklearn_lepton.report").joinpath(name)
    return file.read_text(encoding="utf-8").replace("\r\n", "\n")


def _embed(data: Any) -> str:
    """Return JSON with escaped ``<``, ``>`` and ``&``, so that it cannot end the script."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _title(report: ReportData) -> str:
    search, study = report.search, report.source.header.get("study", {})
    if "estimator" in study:
        return f"Search of {study['estimator']['class'].rpartition('.')[2]}"
    estimator = getattr(search, "estimator", None)
    if isinstance(estimator, str):
        return f"Search for a model: {estimator}"
    if estimator is not None:
        return f"{type(search).__name__} of {type(estimator).__name__}"
    return (
        "Search of a function" if "function" in study or hasattr(search, "minimize") else "Search"
    )


def _tiles(report: ReportData) -> str:
    best, trials = report.best, report.trials
    tiles = []
    if best is not None and best.score is not None:
        if report.is_minimized:
            tiles.append(("lowest value", f"{-best.score:.5g}"))
        error = f" <small>± {report.error:.2g}</small>" if report.error else ""
        tiles.append((f"best {escape(report.source.score_name)}", f"{best.score:.5g}{error}"))
    if report.default_trial is not None:
        tiles.append(("untuned score", f"{report.default_trial.score:.5g}"))
    if math.isfinite(report.optimism):
        tiles.append(
            (
                "selection bias of the best score",
                f"{report.optimism:+.2g}" if report.optimism else "0",
            )
        )
    n_bad = {s: sum(t.status == s for t in trials) for s in ("failed", "pruned")}
    bad = ", ".join(f"{n} {status}" for status, n in n_bad.items() if n)
    tiles.append(("trials", f"{len(trials)}{f' <small>{bad}</small>' if bad else ''}"))
    tiles.append(("fit time", seconds(sum(trial.duration for trial in trials))))
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in tiles)
    return f'<dl class="tiles">{cells}</dl>'


def _results(report: ReportData) -> str:
    messages, best = _list(result_warnings(report)), report.best
    if best is None:
        return messages
    params = shown_params(report.search, best)
    rows = [(code(name), code(say(value))) for name, value in params.items()]
    is_called = "function" in report.source.header.get("study", {})
    is_called |= hasattr(report.search, "minimize")
    call = "function(params)  # or function(**params)"
    if not is_called:
        names_models = isinstance(getattr(report.search, "estimator", None), str)
        use = "search.set_params(initial_params=params)"
        call = use if names_models else "estimator.set_params(**params)"
    snippet = escape(to_code(params, call))
    return (
        f'<p class="lead">{"; ".join(_about(report, best))}.</p>{messages}'
        '<div class="pair"><div><h3>Best parameters</h3>'
        f'<div class="wide">{table(("parameter", "value"), rows)}</div></div>'
        '<div><h3>As code</h3><div class="code"><button type="button" id="copy">Copy</button>'
        f'<pre id="code" tabindex="0">{snippet}</pre></div></div></div>'
    )


def _about(report: ReportData, best: Trial) -> list[str]:
    """Return phrases on the score of the best trial."""
    about = [f"Trial {best.number}"]
    if best.score is not None:
        mean = "mean " * (report.n_splits > 1)
        about.append(f"{mean}{escape(report.source.score_name)} {best.score:.6g}")
    if report.n_splits > 1:
        about.append(
            f"standard error {report.error:.2g} over {report.n_splits} splits, corrected for "
            "overlapping training sets"
        )
    chosen = getattr(report.search, "best_score_", None)
    if best.score is not None and chosen is not None and abs(chosen - best.score) > 1e-12:
        about.append(f"<b>{chosen:.6g} on the final splits</b>")
    if report.optimism > 0:
        about.append(
            f"estimated selection bias {report.optimism:.2g}, since the best of "
            f"{len(report.ranked)} means is partly the luckiest"
        )
    elif math.isfinite(report.optimism):
        about.append("no selection bias was found")
    return about


def _list(messages: Sequence[Message]) -> str:
    items = "".join(
        f'<li class="{message.kind}"><b>{_LABELS[message.kind]}</b> {message.html}</li>'
        for message in messages
    )
    return f'<ul class="messages">{items}</ul>' if items else ""


def _suggestions(report: ReportData) -> str:
    messages = _list(suggestions(report)) or "<p>There are no suggestions.</p>"
    parts = budget(report)
    if not parts:
        return messages
    bars = []
    for unit in ("trials", "seconds"):
        total = sum(part[unit] for part in parts)
        if not total:
            continue
        pieces = "".join(
            f'<span class="{part["name"]}" style="flex-grow:{part[unit] / total:.4f}" '
            f'title="{part["label"]}: {100 * part[unit] / total:.0f} %"></span>'
            for part in parts
        )
        bars.append(f'<div class="share"><span>{unit}</span><div class="bar">{pieces}</div></div>')
    totals = {unit: sum(part[unit] for part in parts) or 1.0 for unit in ("trials", "seconds")}
    rows = [
        (
            f'<i class="{part["name"]}"></i>{part["label"]}',
            str(part["trials"]),
            f"{100 * part['trials'] / totals['trials']:.0f} %",
            f"{100 * part['seconds'] / totals['seconds']:.0f} %",
        )
        for part in parts
    ]
    head = ("", "trials", "share of trials", "share of seconds")
    content = f'{"".join(bars)}<div class="wide">{table(head, rows)}</div>'
    return f"{messages}<div class=whole><h3>Use of the budget</h3>{content}</div>"


def _figures() -> str:
    return "".join(
        f'<figure id="{name}"{" class=half" * (name in _HALF)}>'
        f"<figcaption><h3>{title}</h3><p>{caption}</p></figcaption>"
        f'<div class="canvas"></div></figure>'
        for name, (title, caption) in _FIGURES.items()
    )


def _settings(report: ReportData) -> str:
    rows = [(f"<b>{escape(name)}</b>", value) for name, value in describe(report)]
    return (
        f'<div class="wide">{table((), rows)}</div><h3>Search space</h3>'
        f'<div class="wide">{space_table(report.source.space)}</div>'
    )
