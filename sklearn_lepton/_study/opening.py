"""Opening and creation of the journal of a study."""

import json
import os
from pathlib import Path

from sklearn_lepton._study.journal import FORMAT, Journal, Record, differences, header
from sklearn_lepton._study.replay import Replay
from sklearn_lepton._trials.untuned import UntunedParams, is_untuned
from sklearn_lepton.exceptions import JournalMismatchError
from sklearn_lepton.space._content import content_hash
from sklearn_lepton.space._space import Space
from sklearn_lepton.space._values import Opaque

_MAX_LISTED = 5  # differences of two studies in a message


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
    untuned: UntunedParams | None = None,
) -> Replay:
    """Open the journal of a study, or create it.

    Parameters
    ----------
    path : str or path-like
    study : dict
        Description of the study, in JSON types.
    seed : int
        Seed of the study's optimizer.
    is_seed_given : bool
        Whether the journal must have the same seed. If not, the journal's seed is used.
    space : Space
    layout : dict or None, default=None
        Layout of the splits, which is stored in a new journal.
    is_clone : bool, default=False
        Whether the search is a clone, as in each outer split of `cross_val_score`. If the
        journal has other data, a clone uses a second journal in the same folder,
        ``study.<hash>.jsonl`` with the hash of its data.
    is_new : bool, default=True
        Whether the search has no trials yet. Only then may it create a second journal.
    untuned : UntunedParams or None, default=None
        The untuned estimator, if it lies outside of the space.

    Returns
    -------
    replay : Replay
        The state of the journal.

    Raises
    ------
    JournalMismatchError
        If the file belongs to another study, is damaged, or is not a journal.
    OSError
        If the file cannot be written.
    """
    own_path = _path_for_data(Path(path), study) if is_clone else None
    if own_path is not None and own_path.exists():
        path, own_path = own_path, None
    journal = Journal(path)
    replay = Replay(journal, space, untuned)
    current = json.loads(json.dumps({"seed": seed, "study": study}))
    try:
        journal.create()
        with journal.lock():
            records = journal.read()
            if not records:
                records = [header(current | (layout or {}))]
                journal.append(records)
            if records[0]["version"] != FORMAT:
                raise _old_version(journal.path)  # noqa: TRY301
            recorded = {name: records[0].get(name) for name in current}
            if not is_seed_given:
                current["seed"] = recorded["seed"]
            try:
                found = differences(recorded, current)
            except RecursionError:
                found = ["it is nested too deeply"]
            is_other = (
                bool(found)
                and own_path is not None
                and is_new
                and _are_other_data(recorded, current)
            )
            if found and not is_other:
                raise _other_study(journal.path, found)  # noqa: TRY301 - the file is closed first
            for record in [] if is_other else records:
                replay.apply(record)
            _check_untuned(replay)
    except BaseException:
        journal.close()
        raise
    if own_path is None or not is_other:
        return replay
    journal.close()
    return open_journal(
        own_path,
        study,
        seed=seed,
        is_seed_given=is_seed_given,
        space=space,
        layout=layout,
        untuned=untuned,
    )


def _check_untuned(replay: Replay) -> None:
    """Raise JournalMismatchError if an untuned trial has unknown objects as parameters."""
    for trial in filter(is_untuned, replay.trials.values()):
        if any(isinstance(value, Opaque) for value in trial.params.values()):
            raise _other_study(replay.journal.path, ["the untuned estimator has other parameters"])


def _path_for_data(path: Path, study: Record) -> Path:
    """Return the path of the journal for a clone whose data differ from the journal's."""
    return path.with_name(f"{path.stem}.{content_hash(study['data'])[:8]}{path.suffix}")


def _are_other_data(recorded: Record, current: Record) -> bool:
    study = recorded["study"]
    return isinstance(study, dict) and study.get("data", {}) not in ({}, current["study"]["data"])


def _old_version(path: Path) -> JournalMismatchError:
    return JournalMismatchError(
        f"The journal {str(path)!r} was written by an older version of sklearn-lepton, which "
        "identified data differently: it can be read, but not continued. Give another path as "
        "journal, and this one as previous_studies to learn from its trials."
    )


def _other_study(path: Path, found: list[str]) -> JournalMismatchError:
    listed = "; ".join(found[:_MAX_LISTED])
    if len(found) > _MAX_LISTED:
        listed += f"; and {len(found) - _MAX_LISTED} more"
    return JournalMismatchError(
        f"The journal {str(path)!r} belongs to another study: {listed}. "
        "The file was not changed: give the same space, data, estimator, scoring and splits to "
        "continue it, or another path as journal to start a new study."
    )
