"""Study: the trials of a search, in memory or shared between processes through a journal."""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from sklearn_lepton._runtime.output import warn
from sklearn_lepton._study.journal import Journal, Record
from sklearn_lepton._study.replay import Replay
from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.exceptions import JournalMismatchError, JournalWarning
from sklearn_lepton.optimizers._base import Optimizer
from sklearn_lepton.space._frozen import thaw
from sklearn_lepton.space._values import value_to_json

DEFAULT_N_TRIALS = 50  # of a budget without a limit of trials or time
_POLL = 0.1  # seconds between two reads of the journal
_MIN_SYNC = 0.1  # seconds; the result of a shorter fit may be lost in a power failure


class Study:
    """The trials of a search, limited by its budget.

    Parameters
    ----------
    optimizer : Optimizer
    n_trials : int or inf
        The budget: the number of trials, including those that the optimizer knows already;
        infinite without a limit. A finite space may hold fewer.

    Attributes
    ----------
    is_truncated : bool
        Whether the space holds fewer configurations than `n_trials`.
    has_more : bool
        Whether `ask` may return more trials.
    """

    def __init__(self, optimizer: Optimizer, n_trials: float) -> None:
        self.optimizer = optimizer
        self.n_trials: float = 0
        self.is_truncated = False
        self.has_more = True
        self._set_budget(n_trials)

    def _set_budget(self, n_wanted: float) -> None:
        capacity = self.optimizer.capacity
        n_trials = min(n_wanted, capacity)
        self.n_trials = int(n_trials) if math.isfinite(n_trials) else math.inf
        self.is_truncated |= self.n_trials < n_wanted
        # Without a limit, a large finite space is no budget: time ends the run long before.
        is_known = math.isfinite(n_wanted) or capacity <= DEFAULT_N_TRIALS
        self.optimizer.configure(budget=int(self.n_trials) if is_known else None)

    def extend_budget(self, n_more: float) -> None:
        """Add trials to the budget."""
        self._set_budget(self.n_trials + n_more)

    def external_results(self) -> list[Trial]:
        """Return trials that other processes have finished since the last call."""
        return []

    def ask(self, n_trials: int) -> list[Trial]:
        """Return up to `n_trials` trials to evaluate, within the budget."""
        n_left = self.n_trials - len(self.optimizer.trials)
        n_wanted = int(min(n_trials, n_left))
        trials = self.optimizer.ask(n_wanted) if n_wanted > 0 else []
        self.has_more = len(trials) == n_wanted < n_left
        return trials

    def finished(self) -> list[Trial]:
        """Return the trials that are not pending, in the order of their numbers."""
        return [trial for trial in self.optimizer.trials if trial.status != "pending"]

    def split_results(self, number: int) -> Mapping[int, SplitResult]:  # noqa: ARG002
        """Return the known results of a trial, by split."""
        return {}

    def record_split(self, number: int, split: int, result: SplitResult) -> None:
        """Record the result of a fit."""

    def final_results(self, splits: str, number: int) -> Mapping[int, SplitResult]:  # noqa: ARG002
        """Return the known results of a finalist on final splits of this fingerprint."""
        return {}

    def record_final(self, splits: str, number: int, split: int, result: SplitResult) -> None:
        """Record the result of a finalist on a final split."""

    def tell(self, trials: Sequence[Trial]) -> None:
        """Record finished trials."""
        self.optimizer.tell(trials)

    def wait(self) -> bool:
        """Wait a moment if other processes evaluate trials; return whether they do."""
        return False


class SharedStudy(Study):
    """A study in a journal, which survives this process and can be shared with other processes.

    This study takes over the trials of dead processes, a batch at a time, so that a search in
    batches makes the same proposals as without the death. If the journal can no longer be
    written, the search continues in memory.

    Parameters
    ----------
    optimizer : Optimizer
        Its trials are written to the journal if they are missing there.
    n_trials : int or inf
        The budget: the number of trials, including those in the journal.
    replay : Replay
        The state of the journal.

    Raises
    ------
    JournalMismatchError
        If a trial of the optimizer and one of the journal have the same number but differ.
    """

    def __init__(self, optimizer: Optimizer, n_trials: float, replay: Replay) -> None:
        super().__init__(optimizer, n_trials)
        self._replay = replay
        self._journal: Journal | None = replay.journal
        known = self.finished()
        self._own_numbers = {
            trial.number for trial in known
        }  # all that this search's callbacks have seen
        self._n_seen_batches = 0
        try:
            self._tell_optimizer(replay.trials)
            optimizer.tell(trial for trial in known if not self._is_finished(trial.number))
            self._write(lambda: self._missing_records(known))
        except BaseException:
            self.close()
            raise

    def external_results(self) -> list[Trial]:
        """Return trials that other processes have finished since the last call."""
        self._write(list)
        finished_elsewhere: list[int] = []
        for batch in self._unseen_batches():
            finished = [number for number in batch if self._is_finished(number)]
            # An abandoned batch is taken over as a whole, by `ask`.
            if finished and (len(finished) == len(batch) or not self._is_abandoned(batch)):
                finished_elsewhere += finished
        self._own_numbers.update(finished_elsewhere)
        return [self._replay.trials[number] for number in finished_elsewhere]

    def ask(self, n_trials: int) -> list[Trial]:
        """Return trials to evaluate: first those that a dead process has abandoned."""
        asked: list[Trial] = []

        def propose() -> list[Record]:
            batch = self._abandoned_batch()
            if batch:
                asked.extend(self._replay.trials[number] for number in batch)
                self._own_numbers.update(batch)
                return [{"taken": batch, "by": self._replay.journal.writer}]
            asked.extend(super(SharedStudy, self).ask(n_trials))
            self._own_numbers.update(trial.number for trial in asked)
            return [self._proposal_record(asked)] if asked else []

        self._write(propose)
        return asked

    def split_results(self, number: int) -> Mapping[int, SplitResult]:
        """Return the known results of a trial, by split."""
        return self._replay.split_results.get(number, {})

    def record_split(self, number: int, split: int, result: SplitResult) -> None:
        """Record the result of a fit."""
        record = _split_record(number, split, result)
        self._write(lambda: [record], sync=result.fit_time >= _MIN_SYNC)

    def final_results(self, splits: str, number: int) -> Mapping[int, SplitResult]:
        """Return the known results of a finalist on final splits of this fingerprint."""
        self._write(list)  # other processes may have scored it
        return self._replay.final_results.get((splits, number), {})

    def record_final(self, splits: str, number: int, split: int, result: SplitResult) -> None:
        """Record the result of a finalist on a final split."""
        record = {"final": number, "splits": splits, "split": split, "row": result.to_json()}
        self._write(lambda: [record], sync=result.fit_time >= _MIN_SYNC)

    def tell(self, trials: Sequence[Trial]) -> None:
        """Record finished trials."""
        super().tell(trials)
        # The next `ask` writes with `sync`, which also covers these records.
        self._write(
            lambda: [_finish_record(t) for t in trials if not self._is_finished(t.number)],
            sync=not self.has_more,
        )

    def wait(self) -> bool:
        """Wait a moment if other processes evaluate trials; return whether they do."""
        pending = self._replay.trials.keys() - self._own_numbers
        if self._journal is None or not pending:
            return False
        time.sleep(_POLL)
        return True

    def close(self) -> None:
        """Close the journal, so that other processes take over the pending trials."""
        self._replay.journal.close()

    def _unseen_batches(self) -> list[list[int]]:
        """Return the trial numbers of each batch that this search's callbacks have not seen."""
        batches = self._replay.batches
        while self._n_seen_batches < len(batches) and self._own_numbers.issuperset(
            batches[self._n_seen_batches]
        ):
            self._n_seen_batches += 1
        unseen = [
            [number for number in batch if number not in self._own_numbers]
            for batch in batches[self._n_seen_batches :]
        ]
        return [batch for batch in unseen if batch]

    def _is_finished(self, number: int) -> bool:
        trial = self._replay.trials.get(number)
        return trial is not None and trial.status != "pending"

    def _is_abandoned(self, numbers: Sequence[int]) -> bool:
        """Return whether some of these trials are pending and their writers are dead."""
        return any(
            not self._is_finished(number)
            and not self._replay.journal.is_alive(self._replay.writers[number])
            for number in numbers
        )

    def _abandoned_batch(self) -> list[int]:
        """Return the trial numbers of the first abandoned batch, or an empty list."""
        for batch in self._unseen_batches():
            if self._is_abandoned(batch):
                return batch
        return []

    def _proposal_record(self, trials: Sequence[Trial]) -> Record:
        return {"asked": list(map(_encode_proposal, trials)), "by": self._replay.journal.writer}

    def _missing_records(self, trials: Sequence[Trial]) -> list[Record]:
        """Return the records of earlier finished trials that the journal lacks."""
        missing = [trial for trial in trials if trial.number not in self._replay.trials]
        records: list[Record] = [self._proposal_record(missing)] if missing else []
        for trial in trials:
            if not self._is_finished(trial.number):
                results = enumerate(trial.split_results)
                records += [
                    _split_record(trial.number, k, result) for k, result in results if result
                ]
                records.append(_finish_record(trial))
        return records

    def _write(self, act: Callable[[], list[Record]], *, sync: bool = True) -> None:
        """Lock the journal, read new records, call `act` and write the records that it returns."""
        journal, has_acted = self._journal, False
        try:
            if journal is not None:
                with journal.lock():
                    self._apply_external(journal.read())
                    records, has_acted = act(), True
                    for record in records:
                        self._replay.check(
                            record
                        )  # an invalid record would make the file unreadable
                    if records:
                        journal.append(records, sync=sync)
                        for record in records:
                            self._replay.apply(record)
        except (OSError, JournalMismatchError) as error:
            self._journal = None
            msg = (
                f"The journal {str(self._replay.journal.path)!r} can no longer be used: {error} "
                "The search continues in memory and keeps all results, but the journal gets no "
                "more of them."
            )
            warn(msg, JournalWarning, stacklevel=2)
        if not has_acted:
            act()

    def _apply_external(self, records: Sequence[Record]) -> None:
        """Apply the records of other processes, and tell their trials to the optimizer."""
        for record in records:
            self._replay.apply(record)
        numbers = [data["number"] for record in records for data in record.get("asked", ())]
        numbers += [record["told"] for record in records if "told" in record]
        self._tell_optimizer(
            [number for number in dict.fromkeys(numbers) if number not in self._own_numbers]
        )

    def _tell_optimizer(self, numbers: Iterable[int]) -> None:
        try:
            self.optimizer.tell([self._replay.trials[number] for number in numbers])
        except ValueError as error:
            raise JournalMismatchError(
                f"The journal {str(self._replay.journal.path)!r} has other trials with the same "
                f"numbers as this search. {error} Give another path as journal."
            ) from error


def _encode_proposal(trial: Trial) -> Record:
    """Return the JSON data of a proposed trial."""
    params = {name: value_to_json(value) for name, value in thaw(trial.params).items()}
    point, meta = list(trial.point), thaw(trial.proposal)
    record = {"number": trial.number, "params": params, "point": point, "meta": meta}
    # Journals of searches without a resource have no such key.
    return record if trial.fidelity is None else record | {"resource": trial.fidelity}


def _split_record(number: int, split: int, result: SplitResult) -> Record:
    """Return the record of a split result."""
    return {"trial": number, "split": split, "row": result.to_json()}


def _finish_record(trial: Trial) -> Record:
    """Return the record of a finished trial, which follows the records of its splits."""
    told = {
        "told": trial.number,
        "status": trial.status,
        "score": value_to_json(trial.score),
        "split_scores": list(map(value_to_json, trial.split_scores)),
        "seconds": trial.duration,
    }
    run = [split for split, result in enumerate(trial.split_results) if result]
    if len(run) < len(trial.split_results):
        told["splits"] = run
    if trial.estimate is not None:
        told["estimate"] = list(trial.estimate)
    return told
