"""Replay of a journal: the state of a study after each record."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sklearn_lepton._study.journal import Journal, Record
from sklearn_lepton._study.records import check_header, check_record, invalid, kind_of
from sklearn_lepton._study.schema import brief
from sklearn_lepton._trials.frame import trials_as_frame
from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._trials.untuned import UNTUNED, UntunedParams
from sklearn_lepton.exceptions import JournalMismatchError
from sklearn_lepton.space._space import Space
from sklearn_lepton.space._values import value_from_json


class Replay:
    """The state of a study after the records that were read so far.

    Parameters
    ----------
    journal : Journal
    space : Space or None, default=None
        Provides the values that JSON cannot represent. Without it, stand-ins describe them.
    untuned : UntunedParams or None, default=None
        Provides them for the untuned trial outside of the space.

    Attributes
    ----------
    header : dict or None
        The first record.
    seed : int
        Seed of the study's optimizer.
    ratio : float or None
        The `split_ratio` of the splits; None if the journal does not contain it.
    n_disjoint : int or None
        Number of consecutive splits with disjoint test parts; None if unknown.
    trials : dict of int to Trial
        All trials by their numbers, including pending ones.
    split_results : dict of int to dict of int to SplitResult
        Split results of each trial, by split.
    final_results : dict of (str, int) to dict of int to SplitResult
        Results on final splits, by the fingerprint of the splits and the trial number.
    known : dict of int to int
        Number of the last trial whose result the optimizer knew when it proposed a trial. A
        trial that is missing here was proposed after all earlier ones had finished.
    writers : dict of int to str
        The id of the writer that evaluates each trial.
    """

    def __init__(
        self, journal: Journal, space: Space | None = None, untuned: UntunedParams | None = None
    ) -> None:
        self.journal = journal
        self.space = space
        self._untuned = (untuned, None if untuned is None else untuned.content)
        self.header: Record | None = None
        self.trials: dict[int, Trial] = {}
        self.split_results: dict[int, dict[int, SplitResult]] = {}
        self.final_results: dict[tuple[str, int], dict[int, SplitResult]] = {}
        self.known: dict[int, int] = {}
        self.writers: dict[int, str] = {}
        self._study: Record = {}
        self._n_splits = 0
        self._metrics: set[tuple[str, ...] | None] = set()

    @property
    def ratio(self) -> float | None:
        """The `split_ratio` of the splits; None if the journal does not contain it."""
        return None if self.header is None else self.header.get("ratio")

    @property
    def n_disjoint(self) -> int | None:
        """The number of consecutive splits with disjoint test parts; None if unknown."""
        return None if self.header is None else self.header.get("n_disjoint")

    @property
    def seed(self) -> int:
        """Seed of the study's optimizer."""
        assert self.header is not None  # noqa: S101 - for mypy
        return int(self.header["seed"])

    def apply(self, record: Record) -> None:
        """Apply one record.

        Raises
        ------
        JournalMismatchError
            If the record is invalid, or contradicts the records before it.
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
        """Raise JournalMismatchError if a record does not follow its rule, before it is written."""
        try:
            check_record(record)
        except ValueError as error:
            raise JournalMismatchError(
                f"A record cannot be written, {brief(record)}: {error}."
            ) from error

    def _apply_asked(self, record: Record) -> None:
        asked = record["asked"]
        trials = [self._with_values(_trial(data, self.space)) for data in asked]
        numbers = [trial.number for trial in trials]
        if len(set(numbers)) < len(numbers) or not self.trials.keys().isdisjoint(numbers):
            raise ValueError("a trial number is used twice")
        self.trials.update(zip(numbers, trials, strict=True))
        self.split_results.update((number, {}) for number in numbers)
        self.known.update((data["number"], data["known"]) for data in asked if "known" in data)
        self._assign(numbers, record["by"])

    def _with_values(self, trial: Trial) -> Trial:
        """Return an untuned trial with the values of the estimator, if they are its own."""
        untuned, content = self._untuned
        is_same = untuned is not None and trial.proposal.get(UNTUNED) == content
        return replace(trial, params=dict(untuned)) if untuned and is_same else trial

    def _apply_taken(self, record: Record) -> None:
        self._assign(record["taken"], record["by"])

    def _apply_final(self, record: Record) -> None:
        number = self._check_number(record["final"])
        results = self.final_results.setdefault((record["splits"], number), {})
        results.setdefault(record["split"], self._result(record))

    def _apply_split(self, record: Record) -> None:
        number, split = self._check_number(record["trial"]), record["split"]
        if split >= self._n_splits:
            raise ValueError(f"there are {self._n_splits} splits")
        self.split_results[number].setdefault(split, self._result(record))

    def _apply_told(self, record: Record) -> None:
        number = self._check_number(record["told"])
        known, trial, score = self.split_results[number], self.trials[number], record["score"]
        split_scores = list(map(value_from_json, record["split_scores"]))
        if len(split_scores) != self._n_splits:  # also bounds the memory for each split
            raise ValueError(f"expected {self._n_splits} split_scores")
        estimate, run = record.get("estimate"), self._run_splits(record)
        if not run <= known.keys():
            raise ValueError("the trial has splits without a row")
        results: dict[str, Any] = {
            "split_scores": split_scores,
            "split_results": [
                known[k] if k in run else SplitResult() for k in range(self._n_splits)
            ],
            "duration": record["seconds"],
        }
        if estimate is None:
            score = float("nan") if score is None else value_from_json(score)
            finished = trial.complete(score, **results)
        else:
            expected, std = estimate
            finished = trial.prune((expected, std), **results)
        if finished.status != record["status"]:
            raise ValueError(f"a trial with this score cannot have status {record['status']}")
        if trial.status == "pending":  # not written by two processes
            self.trials[number] = finished

    def _run_splits(self, record: Record) -> set[int]:
        """Return the splits of a finished trial: those that its record lists, or all."""
        run = set(record.get("splits", range(self._n_splits)))
        if "splits" in record and not 0 < len(run) == len(record["splits"]) < self._n_splits:
            raise ValueError("splits must list some, but not all, of the splits")
        if "splits" not in record and record.get("estimate") is not None:
            raise ValueError("a trial with all splits must not have an estimate")
        if record["score"] is not None and len(run) < self._n_splits:
            raise ValueError("a trial without all splits must not have a score")
        return run

    def _result(self, record: Record) -> SplitResult:
        """Return a decoded split result; raise ValueError if it contradicts the study."""
        result = SplitResult.from_json(record["row"])
        of_kind = {"test_scores": result.scores, "train_scores": result.train_scores}
        metric, scoring = self._study["metric"], self._study["scoring"]
        for kind in ["test_scores"] + ["train_scores"] * self._study["return_train_score"]:
            scores = of_kind[kind]
            if scores is None:
                raise ValueError(f"row.{kind} is missing")
            names = tuple(sorted(scores)) if isinstance(scores, dict) else None
            if (
                names is not None or result.error is None
            ):  # a failed fit may have one error score for all metrics
                self._metrics.add(names)
            if names is not None and not (names and metric in {None, *names}):
                raise ValueError(f"row.{kind} lacks the metric of the study, {metric!r}")
        known = self._metrics
        # An opaque callable may return one score or several.
        if isinstance(scoring, list | dict) and "opaque" not in scoring:
            known = known | {tuple(sorted(map(str, scoring)))}
        if len(known) > 1:
            raise ValueError("row has other metrics than the study or earlier rows")
        return result

    def _check_number(self, number: int) -> int:
        if number not in self.trials:
            raise ValueError(f"there is no trial {number}")
        return number

    def _assign(self, numbers: Sequence[int], writer: str) -> None:
        for number in numbers:
            self.writers[self._check_number(number)] = writer


def _trial(data: Record, space: Space | None) -> Trial:
    """Return the decoded trial of a proposal."""
    resource = data.get("resource")
    if space is not None:
        setting = {name: data[name] for name in ("number", "params", "point")}
        setting |= {"proposal": dict(data["meta"]), "split_scores": (), "split_results": ()}
        setting["fidelity"] = resource
        if not data["point"] and UNTUNED in data["meta"]:
            return Trial.from_json(setting, space)
        if len(data["point"]) != space.n_dims:
            raise ValueError(
                f"a point has {len(data['point'])} coordinates, expected {space.n_dims}"
            )
        trial = Trial.from_json(setting, space)
        space.to_point(trial.params)  # raises ValueError if a number is outside of its range
        return trial
    params = {name: value_from_json(value) for name, value in data["params"].items()}
    meta = dict(data["meta"])
    return Trial(data["number"], tuple(data["point"]), params, meta, fidelity=resource)


def load_trials(path: str | os.PathLike[str], *, as_frame: bool = False) -> Any:
    """Load the trials of a study from its journal, without its estimator and its data.

    Parameters
    ----------
    path : str or path-like
        The journal. It is only read, and a search may be writing it.
    as_frame : bool, default=False
        Whether to return a DataFrame; needs pandas.

    Returns
    -------
    trials : list of Trial or DataFrame
        In the order of their numbers, including pending ones. Parameter values that JSON
        cannot represent, such as estimators, are replaced by stand-ins that describe them. The
        DataFrame has one row for each trial, with its number as index, and the columns
        ``status``, ``score``, ``duration``, ``fidelity`` if it is below 1 in some trials,
        ``param_<name>`` for each parameter, NaN where it is not active, ``split<k>_score``,
        ``mean_fit_time`` and ``mean_score_time`` of the splits, ``start_time`` in seconds since
        the epoch, and ``error``, the line that names the error of a failed trial.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    JournalMismatchError
        If the file is damaged or is not a journal.
    ImportError
        If ``as_frame=True`` and pandas is not installed.

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
