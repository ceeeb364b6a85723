"""What the journal of a study says: who asked for what, and what became of it."""

import os
from collections.abc import Sequence
from typing import Any

from sklearn_lepton._study.journal import Journal, Record
from sklearn_lepton._study.records import check_header, check_record, invalid, kind_of
from sklearn_lepton._study.schema import brief
from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.exceptions import JournalMismatchError
from sklearn_lepton.space._frozen import thaw
from sklearn_lepton.space._space import Space
from sklearn_lepton.space._values import value_from_json


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
    n_disjoint : int or None
        How many consecutive splits have disjoint test parts; None likewise.
    trials : dict of int to Trial
        Every trial asked for, by its number.
    split_results : dict of int to dict of int to SplitResult
        Results of each trial, by split.
    finals : dict of (str, int) to dict of int to SplitResult
        The same of final splits, by their fingerprint and the trial.
    batches : list of list of int
        The numbers of the trials that were asked for together.
    owner : dict of int to str
        Who evaluates each trial.
    """

    def __init__(self, journal: Journal, space: Space | None = None) -> None:
        self.journal = journal
        self.space = space
        self.header: Record | None = None
        self.trials: dict[int, Trial] = {}
        self.split_results: dict[int, dict[int, SplitResult]] = {}
        self.finals: dict[tuple[str, int], dict[int, SplitResult]] = {}
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
    def n_disjoint(self) -> int | None:
        """How many consecutive splits have disjoint test parts; None if unknown."""
        return None if self.header is None else self.header.get("n_disjoint")

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
            If it is not valid, or cannot follow those before it.
        """
        try:
            if self.header is None:
                check_header(record)
                self._study, self._n_splits = record["study"], record["study"]["splits"]["n"]
                self.header = record
            else:
                check_record(record)
                getattr(self, f"_apply_{kind_of(record)}")(record)
        except ValueError as error:
            raise invalid(self.journal.path, record, error) from error

    def check(self, record: Record) -> None:
        """Raise `JournalMismatchError` if a record must not be written, as nobody could read it."""
        try:
            check_record(record)
        except ValueError as error:
            raise JournalMismatchError(
                f"A record cannot be written, {brief(record)}: {error}."
            ) from error

    def _apply_asked(self, record: Record) -> None:
        trials = [_trial(data, self.space) for data in record["asked"]]
        numbers = [trial.number for trial in trials]
        if len(set(numbers)) < len(numbers) or not self.trials.keys().isdisjoint(numbers):
            raise ValueError("a trial was asked for twice")
        self.trials.update(zip(numbers, trials, strict=True))
        self.split_results.update((number, {}) for number in numbers)
        self.batches.append(numbers)
        self._own(numbers, record["by"])

    def _apply_taken(self, record: Record) -> None:
        self._own(record["taken"], record["by"])

    def _apply_final(self, record: Record) -> None:
        number = self._known(record["final"])
        rows = self.finals.setdefault((record["splits"], number), {})
        rows.setdefault(record["split"], self._result(record))

    def _apply_split(self, record: Record) -> None:
        number, split = self._known(record["trial"]), record["split"]
        if split >= self._n_splits:
            raise ValueError(f"there are {self._n_splits} splits")
        self.split_results[number].setdefault(split, self._result(record))

    def _apply_told(self, record: Record) -> None:
        number = self._known(record["told"])
        rows, trial, score = self.split_results[number], self.trials[number], record["score"]
        split_scores = list(map(value_from_json, record["split_scores"]))
        if len(split_scores) != self._n_splits:  # which bounds all that is made for each split
            raise ValueError(f"a finished trial has {self._n_splits} split_scores")
        estimate, run = record.get("estimate"), self._run_splits(record)
        if not run <= rows.keys():
            raise ValueError("a finished trial has a row for each of its splits")
        results: dict[str, Any] = {
            "split_scores": split_scores,
            "split_results": [
                rows[k] if k in run else SplitResult() for k in range(self._n_splits)
            ],
            "duration": record["seconds"],
        }
        if estimate is None:
            score = float("nan") if score is None else value_from_json(score)
            told = trial.complete(score, **results)
        else:
            expected, std = estimate
            told = trial.prune((expected, std), **results)
        if told.status != record["status"]:
            raise ValueError(f"a trial with that score cannot be {record['status']}")
        if trial.status == "pending":  # else this is not news
            self.trials[number] = told

    def _run_splits(self, record: Record) -> set[int]:
        """Return the splits that a finished trial was run on: all, unless it says otherwise."""
        run = set(record.get("splits", range(self._n_splits)))
        if "splits" in record and not 0 < len(run) == len(record["splits"]) < self._n_splits:
            raise ValueError("a trial that was ended early has some of the splits")
        if "splits" not in record and record.get("estimate") is not None:
            raise ValueError("a trial with all splits needs no estimate")
        if record["score"] is not None and len(run) < self._n_splits:
            raise ValueError("a score takes all splits")
        return run

    def _result(self, record: Record) -> SplitResult:
        """Decode a result; raise if it does not fit the study or the results before it."""
        result = SplitResult.from_json(record["row"])
        of_kind = {"test_scores": result.scores, "train_scores": result.train_scores}
        metric, scoring = self._study["metric"], self._study["scoring"]
        for kind in ["test_scores"] + ["train_scores"] * self._study["return_train_score"]:
            scores = of_kind[kind]
            if scores is None:
                raise ValueError(f"row.{kind} is missing")
            names = tuple(sorted(scores)) if isinstance(scores, dict) else None
            if names is not None or result.error is None:  # else one error score for all
                self._metrics.add(names)
            if names is not None and not (names and metric in {None, *names}):
                raise ValueError(f"row.{kind} lacks the score by which trials are compared")
        known = self._metrics
        # A callable, which is opaque, may return one score or several.
        if isinstance(scoring, list | dict) and "opaque" not in scoring:
            known = known | {tuple(sorted(map(str, scoring)))}
        if len(known) > 1:
            raise ValueError("row has other metrics than the study or other rows")
        return result

    def _known(self, number: int) -> int:
        if number not in self.trials:
            raise ValueError(f"trial {number} was not asked for")
        return number

    def _own(self, numbers: Sequence[int], owner: str) -> None:
        for number in numbers:
            self.owner[self._known(number)] = owner


def _trial(data: Record, space: Space | None) -> Trial:
    """Decode what was asked for."""
    resource = data.get("resource")
    if space is not None:
        setting = {name: data[name] for name in ("number", "params", "point")}
        setting |= {"proposal": dict(data["meta"]), "split_scores": (), "split_results": ()}
        setting["fidelity"] = resource
        if len(data["point"]) != space.n_dims:
            raise ValueError("a point does not lie in the space")
        trial = Trial.from_json(setting, space)
        space.to_point(trial.params)  # raises if a number does not lie in the space
        return trial
    params = {name: value_from_json(value) for name, value in data["params"].items()}
    meta = dict(data["meta"])
    return Trial(data["number"], tuple(data["point"]), params, meta, fidelity=resource)


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
        {"number": t.number, "status": t.status, "score": t.score, "duration": t.duration}
        | ({} if are_full else {"fidelity": 1.0 if t.fidelity is None else t.fidelity})
        | {f"param_{name}": value for name, value in thaw(t.params).items()}
        | {f"split{k}_score": score for k, score in enumerate(t.split_scores)}
        for t in trials
    ]
    columns = ["number", "status", "score", "duration"]
    return pd.DataFrame(rows, columns=None if rows else columns).set_index("number")
