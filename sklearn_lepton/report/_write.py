"""The page: its text, its data and what draws them, in one file."""

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

from sklearn_lepton._inspection.html import code, escape, say, space_table, table
from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.plotting._importance import WHISKER
from sklearn_lepton.report._advice import Note, budget, doubts, ideas
from sklearn_lepton.report._figures import page_data
from sklearn_lepton.report._findings import ReportData, read_findings, to_code
from sklearn_lepton.report._settings import describe, seconds

_SCRIPTS = ("draw.js", "pictures.js", "table.js")
_SHARES = (
    "Share of the score's variance that each parameter explains alone, and pairs beyond that, "
    f"± {WHISKER:g} standard deviations."
)
_PICTURES = {
    "convergence": (
        "How far it came",
        "The best score so far, with its standard error over the splits.",
    ),
    "importance": (
        "What matters",
        _SHARES,
    ),
    "parameters": (
        "The score against each parameter",
        "Trials, and what the model expects, the others as in the best trial; what matters first.",
    ),
    "map": (
        "The two that matter most",
        "What the model expects, the other parameters as in the best trial.",
    ),
    "timeline": ("Who worked when", "The fits of each worker, in seconds since the first began."),
    "coordinates": ("All parameters at once", "A line a trial; the best ones are drawn last."),
}
_HALF = {"convergence", "importance", "map", "timeline"}  # of the page's width
_WORDS = {"warning": "Mind", "idea": "Try", "fine": "Fine"}
_NO_SCRIPT = (
    "<noscript><p>The pictures and the table of trials are drawn by a script, which this browser "
    "does not run.</p></noscript>"
)


@ignore_float_errors
def write_report(
    search: Any, path: str | os.PathLike[str], *, space: Any = None, title: str | None = None
) -> Path:
    """Write a page about a search that needs nothing but a browser.

    The page is one file of HTML with everything in it: nothing is loaded, from disk or from the
    network, so that it can be kept, sent and opened anywhere. matplotlib is not needed.

    Parameters
    ----------
    search : search, TuneResult, Optimizer, path of a journal or sequence of Trial
        What the page is about. A search that failed or was interrupted has trials, too, and a
        journal may be in use.
    path : str or path-like
        Where to; a file there is replaced. Its folder must exist.
    space : Space, dict, list of dict or None, default=None
        Needed with a sequence of trials.
    title : str or None, default=None
        Heading of the page; None names what was tuned.

    Returns
    -------
    path : Path
        The file.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist, or the journal.
    NotFittedError
        If it is a search that has no trials yet.
    TypeError
        If `search` is none of what is allowed.
    ValueError
        If a sequence of trials comes without a space.
    JournalMismatchError
        If it is a path of something other than a journal.

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
    findings = read_findings(search, space)
    # What UTF-8 cannot hold, as half of a pair of surrogates, becomes a question mark.
    _replace(file, _page(findings, title).encode("utf-8", "replace"))
    return file


def _replace(file: Path, data: bytes) -> None:
    """Write a file as a whole or not at all: a file there stays until the new one is complete."""
    target = file.resolve()  # a link stays a link
    is_special = target.exists() and not target.is_file()  # a pipe or a device
    if is_special or not os.access(target.parent, os.W_OK):
        target.write_bytes(data)
        return
    beside = target.with_name(f".sklearn_lepton-{secrets.token_hex(4)}.tmp")
    try:
        beside.write_bytes(data)
        if target.exists():
            shutil.copymode(target, beside)
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _page(findings: ReportData, title: str | None) -> str:
    style, script = _read("page.css"), "\n".join(map(_read, _SCRIPTS))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src"
    heading = escape(title or _title(findings))
    sections = {
        "found": ("What was found", _found(findings)),
        "next": ("What to try next", _next(findings)),
        "pictures": ("Pictures", _figures()),
        "asked": ("What was asked", _asked(findings)),
        "trials": ("Trials", '<div id="table"></div>'),
    }
    links = "".join(f'<a href="#{name}">{label}</a>' for name, (label, _) in sections.items())
    body = "".join(
        f'<section id="{name}" aria-labelledby="{name}-h"><h2 id="{name}-h">{label}</h2>{held}'
        "</section>"
        for name, (label, held) in sections.items()
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy} \'sha256-{digest}\'">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'
        f"<title>{heading}</title><style>\n{style}</style></head><body>"
        f"<header><h1>{heading}</h1>{_tiles(findings)}<nav>{links}</nav></header>"
        f"{_NO_SCRIPT}<main>{body}</main>"
        '<div id="tip" role="status" aria-live="polite" hidden></div>'
        f'<script type="application/json" id="data">{_embed(page_data(findings))}</script>'
        f"<script>{script}</script></body></html>\n"
    )


def _read(name: str) -> str:
    file = resources.files("sklearn_lepton.report").joinpath(name)
    return file.read_text(encoding="utf-8").replace("\r\n", "\n")


def _embed(data: Any) -> str:
    """Return JSON in which no browser sees an end of the script, or anything but text."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _title(findings: ReportData) -> str:
    search, study = findings.search, findings.source.header.get("study", {})
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


def _tiles(findings: ReportData) -> str:
    best, trials = findings.best, findings.trials
    tiles = []
    if best is not None and best.score is not None:
        if findings.is_minimized:
            tiles.append(("least value", f"{-best.score:.5g}"))
        error = f" <small>± {findings.error:.2g}</small>" if findings.error else ""
        tiles.append((f"best {escape(findings.source.score_name)}", f"{best.score:.5g}{error}"))
    if findings.default_trial is not None:
        tiles.append(("untuned", f"{findings.default_trial.score:.5g}"))
    if math.isfinite(findings.optimism):
        tiles.append(
            (
                "optimism of the best score",
                f"{findings.optimism:+.2g}" if findings.optimism else "0",
            )
        )
    n_bad = {s: sum(t.status == s for t in trials) for s in ("failed", "pruned")}
    bad = ", ".join(f"{n} {status}" for status, n in n_bad.items() if n)
    tiles.append(("trials", f"{len(trials)}{f' <small>{bad}</small>' if bad else ''}"))
    tiles.append(("time of fits", seconds(sum(trial.duration for trial in trials))))
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in tiles)
    return f'<dl class="tiles">{cells}</dl>'


def _found(findings: ReportData) -> str:
    notes, best = _list(doubts(findings)), findings.best
    if best is None:
        return notes
    rows = [(code(name), code(say(value))) for name, value in best.params.items()]
    is_called = "function" in findings.source.header.get("study", {})
    is_called |= hasattr(findings.search, "minimize")
    call = "function(params)" if is_called else "estimator.set_params(**params)"
    snippet = escape(to_code(best.params, call))
    return (
        f'<p class="lead">{"; ".join(_about(findings, best))}.</p>{notes}'
        '<div class="pair"><div><h3>Best parameters</h3>'
        f'<div class="wide">{table(("parameter", "value"), rows)}</div></div>'
        '<div><h3>As code</h3><div class="code"><button type="button" id="copy">Copy</button>'
        f'<pre id="code" tabindex="0">{snippet}</pre></div></div></div>'
    )


def _about(findings: ReportData, best: Trial) -> list[str]:
    """Say how good the best trial is."""
    about = [f"Trial {best.number}"]
    if best.score is not None:
        mean = "mean " * (findings.n_splits > 1)
        about.append(f"{mean}{escape(findings.source.score_name)} {best.score:.6g}")
    if findings.n_splits > 1:
        about.append(
            f"standard error {findings.error:.2g} over {findings.n_splits} splits, corrected for "
            "training sets that overlap"
        )
    chosen = getattr(findings.search, "best_score_", None)
    if best.score is not None and chosen is not None and abs(chosen - best.score) > 1e-12:
        about.append(f"<b>{chosen:.6g} on the final splits</b>")
    if findings.optimism > 0:
        about.append(
            f"about {findings.optimism:.2g} of it is luck, as the best of {len(findings.ranked)} "
            "means is in part the luckiest"
        )
    elif math.isfinite(findings.optimism):
        about.append("the splits show no optimism")
    return about


def _list(notes: Sequence[Note]) -> str:
    items = "".join(
        f'<li class="{note.kind}"><b>{_WORDS[note.kind]}</b> {note.html}</li>' for note in notes
    )
    return f'<ul class="notes">{items}</ul>' if items else ""


def _next(findings: ReportData) -> str:
    notes = _list(ideas(findings)) or "<p>Nothing stands out.</p>"
    parts = budget(findings)
    if not parts:
        return notes
    bars = []
    for what in ("trials", "seconds"):
        total = sum(part[what] for part in parts)
        if not total:
            continue
        pieces = "".join(
            f'<span class="{part["name"]}" style="flex-grow:{part[what] / total:.4f}" '
            f'title="{part["label"]}: {100 * part[what] / total:.0f} %"></span>'
            for part in parts
        )
        bars.append(f'<div class="share"><span>{what}</span><div class="bar">{pieces}</div></div>')
    totals = {what: sum(part[what] for part in parts) or 1.0 for what in ("trials", "seconds")}
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
    held = f'{"".join(bars)}<div class="wide">{table(head, rows)}</div>'
    return f"{notes}<div class=whole><h3>Where the budget went</h3>{held}</div>"


def _figures() -> str:
    return "".join(
        f'<figure id="{name}"{" class=half" * (name in _HALF)}>'
        f"<figcaption><h3>{title}</h3><p>{caption}</p></figcaption>"
        f'<div class="canvas"></div></figure>'
        for name, (title, caption) in _PICTURES.items()
    )


def _asked(findings: ReportData) -> str:
    rows = [(f"<b>{escape(name)}</b>", value) for name, value in describe(findings)]
    return (
        f'<div class="wide">{table((), rows)}</div><h3>Space</h3>'
        f'<div class="wide">{space_table(findings.source.space)}</div>'
    )
