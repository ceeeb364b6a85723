"""Opening the journal of a study, or making one."""

import json
import os
from pathlib import Path

from sklearn_lepton._study.journal import FORMAT, Journal, Record, differences, header
from sklearn_lepton._study.replay import Replay
from sklearn_lepton.exceptions import JournalMismatchError
from sklearn_lepton.space._content import content_hash
from sklearn_lepton.space._space import Space

_MAX_TOLD = 5  # differences of two studies


def open_journal(
    path: str | os.PathLike[str],
    study: Record,
    *,
    seed: int,
    is_seed_given: bool,
    space: Space,
    layout: Record | None = None,
    is_clone: bool = False,
    is_new: bool = True,
) -> Replay:
    """Open the journal of a study, or make one.

    Parameters
    ----------
    path : str or path-like
    study : dict
        What makes the study, in JSON types.
    seed : int
        Seed of its optimizer.
    is_seed_given : bool
        Whether a journal with another seed is another study; if not, its seed is taken.
    space : Space
    layout : dict or None, default=None
        The layout of the splits, which a new journal keeps.
    is_clone : bool, default=False
        Whether the search is a clone, as each outer split of `cross_val_score` makes one. If
        the journal is of other data, its study has a journal next to it, ``study.<hash>.jsonl``
        with a hash of its data.
    is_new : bool, default=True
        Whether the search has no trials yet, and may make such a journal.

    Returns
    -------
    replay : Replay
        What has been read.

    Raises
    ------
    JournalMismatchError
        If the journal is of another study, damaged, or no journal.
    OSError
        If it cannot be written.
    """
    own = _path_for_data(Path(path), study) if is_clone else None
    if own is not None and own.exists():
        path, own = own, None
    journal = Journal(path)
    replay = Replay(journal, space)
    here = json.loads(json.dumps({"seed": seed, "study": study}))
    try:
        journal.create()
        with journal.turn():
            records = journal.read()
            if not records:
                records = [header(here | (layout or {}))]
                journal.append(records)
            if records[0]["version"] != FORMAT:
                raise _old_version(journal.path)  # noqa: TRY301
            there = {name: records[0].get(name) for name in here}
            if not is_seed_given:
                here["seed"] = there["seed"]
            try:
                found = differences(there, here)
            except RecursionError:
                found = ["it is nested too deeply"]
            is_other = bool(found) and own is not None and is_new and _are_other_data(there, here)
            if found and not is_other:
                raise _other_study(journal.path, found)  # noqa: TRY301 - after the file is closed
            for record in [] if is_other else records:
                replay.apply(record)
    except BaseException:
        journal.close()
        raise
    if own is None or not is_other:
        return replay
    journal.close()
    return open_journal(
        own, study, seed=seed, is_seed_given=is_seed_given, space=space, layout=layout
    )


def _path_for_data(path: Path, study: Record) -> Path:
    """Return where the study of a clone is kept if the journal is of other data."""
    return path.with_name(f"{path.stem}.{content_hash(study['data'])[:8]}{path.suffix}")


def _are_other_data(there: Record, here: Record) -> bool:
    study = there["study"]
    return isinstance(study, dict) and study.get("data", {}) not in ({}, here["study"]["data"])


def _old_version(path: Path) -> JournalMismatchError:
    return JournalMismatchError(
        f"The journal {str(path)!r} was written by an older version of sklearn-lepton, which "
        "identified data in another way: it can be read, but no search can continue it. Give "
        "another path as journal, and this one as prior to learn from its trials."
    )


def _other_study(path: Path, found: list[str]) -> JournalMismatchError:
    more = f"; and {len(found) - _MAX_TOLD} more" if len(found) > _MAX_TOLD else ""
    return JournalMismatchError(
        f"The journal {str(path)!r} is of another study: {'; '.join(found[:_MAX_TOLD])}{more}. It "
        "has been left as it is: give the same space, data, estimator, scoring and splits to go on "
        "with it, or another path as journal to start a new one."
    )
