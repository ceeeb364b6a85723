"""What the journal of a study says: who asked for what, and what became of it."""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sklearn_lepton._frozen import thaw
from sklearn_lepton._journal import Journal, Record, brief, differences, header
from sklearn_lepton._trial import Trial
from sklearn_lepton._values import is_real, is_whole, value_from_json
from sklearn_lepton.exceptions import JournalMismatchError
from sklearn_lepton.space import Space

_OWNER = re.compile(r"[0-9a-f]{8}")
# What decoding text that was never ours may raise.
_BAD_CONTENT = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)
_MOST_TOLD = 5  # differences of two studies


class Replay:
    """What the records of a journal say, up to where it has been read.

    Parameters
    ----------
    journal : Journal
    space : Space or None, default=None
        Where to look up values that JSON cannot hold; without it they become stand-ins.

    Attributes
    ----------
    header : dict or None
        The first line.
    seed : int
        That of the study's optimizer.
    ratio : float or None
        The `split_ratio` of its splits; None in a journal that does not hold it.
    trials : dict of int to Trial
        Every trial asked for, by its number.
    rows : dict of int to dict of int to dict
        Row of each split that has finished, of each trial.
    finals : dict of (str, int) to dict of int to dict
        The same of final splits, by their fingerprint and the trial.
    batches : list of list of int
        The numbers of the trials that were asked for together.
    owner : dict of int to str
        Who evaluates each trial.
    """

    def __init__(self, journal: Journal, space: Space | None = None) -> None:
        self.journal = journal
        self._space = space
        self.header: Record | None = None
        self.trials: dict[int, Trial] = {}
        self.rows: dict[int, dict[int, Record]] = {}
        self.finals: dict[tuple[str, int], dict[int, Record]] = {}
        self.batches: list[list[int]] = []
        self.owner: dict[int, str] = {}
        self._study: Record = {}
        self._n_splits = 0
        self._metrics: set[tuple[str, ...] | None] = set()

    @property
    def ratio(self) -> float | None:
        """The `split_ratio` of the splits; None in a journal that does not hold it."""
        return None if self.header is None else self.header.get("ratio")

    @property
    def seed(self) -> int:
        """Seed of the study's optimizer."""
        assert self.header is not None  # noqa: S101 - for mypy
        return int(self.header["seed"])

    def apply(self, record: Record) -> None:
        """Follow one record.

        Raises
        ------
        JournalMismatchError
            If it cannot follow those before it.
        """
        try:
            self._apply(record)
        except JournalMismatchError:
            raise
        except _BAD_CONTENT as error:
            raise JournalMismatchError(
                f"The journal {str(self.journal.path)!r} was not written by sklearn-lepton: it "
                f"holds {brief(record)}, which does not fit ({type(error).__name__}: {error})."
            ) from error

    def _apply(self, record: Record) -> None:
        if self.header is None:
            _count(record["seed"])
            self._study, self._n_splits = record["study"], _count(record["study"]["splits"]["n"])
            if "ratio" in record:  # not in journals of before
                _check_ratio(record["ratio"])
            self.header = record
            return
        if "asked" in record:
            trials = [_trial(data, self._space) for data in record["asked"]]
            numbers = [trial.number for trial in trials]
            if len(set(numbers) - self.trials.keys()) < len(numbers):
                raise ValueError("a trial was asked for twice")
            self.trials.update(zip(numbers, trials, strict=True))
            self.rows.update((number, {}) for number in numbers)
            self.batches.append(numbers)
            self._own(numbers, record["by"])
        elif "taken" in record:
            self._own(record["taken"], record["by"])
        elif "final" in record:
            number, split = _count(record["final"]), _count(record["split"])
            row = self._row(record)
            if number not in self.trials or not isinstance(record["splits"], str):
                raise ValueError("there is no such trial")
            self.finals.setdefault((record["splits"], number), {}).setdefault(split, row)
        elif "split" in record:
            number, split = _count(record["trial"]), _count(record["split"])
            if split >= self._n_splits:
                raise ValueError("there is no such split")
            self.rows[number].setdefault(split, self._row(record))
        else:
            self._tell(_count(record["told"]), record)

    def _tell(self, number: int, record: Record) -> None:
        rows, trial = self.rows[number], self.trials[number]
        score, seconds = record["score"], record["seconds"]
        split_scores = list(map(value_from_json, record["split_scores"]))
        run, estimate = self._run_splits(record), record.get("estimate")
        if not (run <= rows.keys() and len(split_scores) == self._n_splits):
            raise ValueError(f"a finished trial has {self._n_splits} splits")
        numbers = [*split_scores, seconds, 0.0 if score is None else score, *(estimate or ())]
        if not all(map(is_real, numbers)):
            raise ValueError("scores and seconds must be numbers")
        list(map(float, numbers))  # what is too large is an error
        results: dict[str, Any] = {
            "split_scores": split_scores,
            "rows": [rows[k] if k in run else {} for k in range(self._n_splits)],
            "seconds": seconds,
        }
        if estimate is None:
            told = trial.complete(float("nan") if score is None else score, **results)
        else:
            expected, std = estimate
            told = trial.prune((expected, std), **results)
        if told.status != record["status"]:
            raise ValueError(f"a trial with that score cannot be {record['status']}")
        if trial.status == "pending":  # else this is not news
            self.trials[number] = told

    def _run_splits(self, record: Record) -> set[int]:
        """Return the splits that a finished trial was run on: all, unless it says otherwise."""
        splits = record.get("splits", range(self._n_splits))
        run = {_count(split) for split in splits}
        if "splits" in record and not 0 < len(run) == len(splits) < self._n_splits:
            raise ValueError("a trial that was ended early has some of the splits")
        if "splits" not in record and record.get("estimate") is not None:
            raise ValueError("a trial with all splits needs no estimate")
        if record["score"] is not None and len(run) < self._n_splits:
            raise ValueError("a score takes all splits")
        return run

    def _row(self, record: Record) -> Record:
        row = {name: value_from_json(value) for name, value in record["row"].items()}
        self._check_row(row)
        return row

    def _check_row(self, row: Record) -> None:
        """Refuse a row of which no results could be made."""
        numbers = [row[name] for name in ("fit_time", "score_time", "start_time", "worker")]
        numbers.append(row.get("saved_time", 0.0))
        error, metric, scoring = row["fit_error"], self._study["metric"], self._study["scoring"]
        for kind in ["test_scores"] + ["train_scores"] * bool(self._study["return_train_score"]):
            scores = row[kind]
            names = tuple(sorted(scores)) if isinstance(scores, dict) else None
            numbers += [scores] if names is None else scores.values()
            if names is not None or error is None:  # else it may be one error score for all
                self._metrics.add(names)
            if names is not None and not (names and metric in {None, *names}):
                raise ValueError("a score is missing")
        # A callable, which is opaque, may return one score or several.
        is_several = isinstance(scoring, list | dict) and "opaque" not in scoring
        if len(self._metrics) > 1 or (is_several and None in self._metrics):
            raise ValueError("it has other metrics than the study or other rows")
        if not all(map(is_real, numbers)):
            raise ValueError("scores and times must be numbers")
        list(map(float, numbers))  # what is too large is an error
        if not (error is None or isinstance(error, str)):
            raise ValueError("fit_error must be None or a text")
        if _count(row.get("n_rounds", 1)) < 1:
            raise ValueError("no booster has fewer than one round")

    def _own(self, numbers: Sequence[int], owner: str) -> None:
        if not _OWNER.fullmatch(owner):  # it becomes part of a path
            raise ValueError("this names no writer")
        for number in numbers:
            if number not in self.trials:
                raise ValueError("there is no such trial")
            self.owner[number] = owner


def open_journal(
    path: str | os.PathLike[str],
    study: Record,
    *,
    seed: int,
    is_seed_given: bool,
    space: Space,
    ratio: float | None = None,
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
    ratio : float or None, default=None
        The `split_ratio` of the splits, which a new journal keeps.

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
    journal = Journal(path)
    replay = Replay(journal, space)
    here = json.loads(json.dumps({"seed": seed, "study": study}))
    try:
        journal.create()
        with journal.turn():
            records = journal.read()
            if not records:
                records = [header(here | ({} if ratio is None else {"ratio": ratio}))]
                journal.append(records)
            there = {name: records[0].get(name) for name in here}
            if not is_seed_given:
                here["seed"] = there["seed"]
            try:
                found = differences(there, here)
            except RecursionError:
                found = ["it is nested too deeply"]
            if found:
                raise _other_study(journal.path, found)  # noqa: TRY301 - after the file is closed
            for record in records:
                replay.apply(record)
    except BaseException:
        journal.close()
        raise
    return replay


def _other_study(path: Path, found: list[str]) -> JournalMismatchError:
    more = f"; and {len(found) - _MOST_TOLD} more" if len(found) > _MOST_TOLD else ""
    return JournalMismatchError(
        f"The journal {str(path)!r} is of another study: {'; '.join(found[:_MOST_TOLD])}{more}. It "
        "has been left as it is: give the same space, data, estimator, scoring and splits to go on "
        "with it, or another path as journal to start a new one."
    )


def _count(value: Any) -> int:
    if not is_whole(value) or value < 0:
        raise ValueError(f"{brief(value)} counts nothing")
    return int(value)


def _check_ratio(value: Any) -> None:
    if not is_real(value) or not 0 <= value < float("inf"):
        raise ValueError(f"{brief(value)} is no ratio of test and training samples")


def _trial(data: Record, space: Space | None) -> Trial:
    """Decode what was asked for."""
    _count(data["number"])
    if not all(is_real(unit) and 0 <= unit <= 1 for unit in data["point"]):
        raise ValueError("its point does not lie in the unit cube")
    resource = data.get("resource")
    if resource is not None and not (is_real(resource) and 0 < resource <= 1):
        raise ValueError("its resource is no share")
    if space is not None:
        setting = {name: data[name] for name in ("number", "params", "point")}
        setting |= {"meta": dict(data["meta"]), "split_scores": (), "rows": ()}
        setting["resource"] = resource
        trial = Trial.from_json(setting, space)
        if len(trial.point) != space.n_dims:
            raise ValueError("its point does not lie in the space")
        space.to_point(trial.params)  # raises if a number does not lie in the space
        return trial
    params = {name: value_from_json(value) for name, value in data["params"].items()}
    meta = dict(data["meta"])
    return Trial(data["number"], tuple(data["point"]), params, meta, resource=resource)


def load_trials(path: str | os.PathLike[str], *, as_frame: bool = False) -> Any:
    """Load the trials of a study from its journal, without its estimator and its data.

    Parameters
    ----------
    path : str or path-like
        The journal. It is not changed, and may be in use.
    as_frame : bool, default=False
        Whether to return a DataFrame; needs pandas.

    Returns
    -------
    trials : list of Trial or DataFrame
        In the order of their numbers, those that are pending included. Parameter values
        that JSON cannot hold, such as estimators, are stand-ins that describe them. The
        DataFrame has a row a trial, indexed by its number: ``status``, ``score``,
        ``seconds``, ``resource`` where trials had less than all, ``param_<name>`` for
        each parameter and ``split<k>_score``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    JournalMismatchError
        If it is no journal, or damaged.
    ImportError
        If a DataFrame is asked for and pandas is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.svm import SVC
    >>> from sklearn_lepton import BayesSearchCV, load_trials
    >>> X, y = load_iris(return_X_y=True)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "study.jsonl"
    ...     search = BayesSearchCV(SVC(), {"C": [0.1, 1, 10]}, n_iter=3, journal=path).fit(X, y)
    ...     trials = load_trials(path)
    >>> [trial.score for trial in trials] == [trial.score for trial in search.trials_]
    True
    """
    replay = Replay(Journal(path))
    for record in replay.journal.load():
        replay.apply(record)
    trials = [replay.trials[number] for number in sorted(replay.trials)]
    return trials_as_frame(trials) if as_frame else trials


def trials_as_frame(trials: Sequence[Trial]) -> Any:
    """Return trials as a DataFrame; see `load_trials`."""
    try:
        import pandas as pd  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ImportError(
            "A DataFrame needs pandas: pip install 'sklearn-lepton[pandas]'"
        ) from error
    are_full = all(trial.is_full for trial in trials)
    rows = [
        {"number": t.number, "status": t.status, "score": t.score, "seconds": t.seconds}
        | ({} if are_full else {"resource": 1.0 if t.resource is None else t.resource})
        | {f"param_{name}": value for name, value in thaw(t.params).items()}
        | {f"split{k}_score": score for k, score in enumerate(t.split_scores)}
        for t in trials
    ]
    columns = ["number", "status", "score", "seconds"]
    return pd.DataFrame(rows, columns=None if rows else columns).set_index("number")
