"""Study: the trials of a search, in memory or shared with other processes in a journal."""

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

_POLL = 0.1  # seconds between looks at what others do
_WORTH_SYNC = 0.1  # seconds; the row of a shorter fit may be lost with the power


class Study:
    """The trials of a search, no more than its budget.

    Parameters
    ----------
    optimizer : Optimizer
    n_trials : int
        How many trials there may be, with those that the optimizer knows already. A finite
        space may hold fewer.

    Attributes
    ----------
    is_cut : bool
        Whether it does.
    has_more : bool
        Whether there may be more to ask for.
    """

    def __init__(self, optimizer: Optimizer, n_trials: int) -> None:
        self.optimizer = optimizer
        self.n_trials = int(min(n_trials, optimizer.capacity))
        optimizer.configure(budget=self.n_trials)
        self.is_cut = self.n_trials < n_trials
        self.has_more = True

    def extend(self, n_more: int) -> None:
        """Allow for more trials."""
        n_wanted = self.n_trials + n_more
        self.n_trials = int(min(n_wanted, self.optimizer.capacity))
        self.is_cut |= self.n_trials < n_wanted
        self.optimizer.configure(budget=self.n_trials)

    def news(self) -> list[Trial]:
        """Return the finished trials that were evaluated elsewhere, each once."""
        return []

    def ask(self, n_trials: int) -> list[Trial]:
        """Return trials to evaluate, as many where the budget allows it."""
        n_left = self.n_trials - len(self.optimizer.trials)
        n_wanted = min(n_trials, n_left)
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
        """Take down trials that have finished."""
        self.optimizer.tell(trials)

    def wait(self) -> bool:
        """Say whether others are at work on trials, and wait a moment for them."""
        return False


class SharedStudy(Study):
    """A study in a journal, which outlives this process and may be worked on by others.

    Trials of a process that has died are taken over, those asked for together also
    together, so that a search in batches proposes what it would have proposed. If the
    journal cannot be written any more, the search goes on in memory.

    Parameters
    ----------
    optimizer : Optimizer
        The trials that it knows and the journal lacks are added there.
    n_trials : int
        How many trials there may be, those in the journal included.
    replay : Replay
        What has been read of the journal.

    Raises
    ------
    JournalMismatchError
        If the optimizer knows a trial that is another one in the journal.
    """

    def __init__(self, optimizer: Optimizer, n_trials: int, replay: Replay) -> None:
        super().__init__(optimizer, n_trials)
        self._replay = replay
        self._journal: Journal | None = replay.journal
        known = self.finished()
        self._mine = {trial.number for trial in known}  # whatever the callbacks here have seen
        self._n_settled = 0
        try:
            self._learn(replay.trials)
            optimizer.tell(trial for trial in known if not self._is_told(trial.number))
            self._write(lambda: self._records_of(known))
        except BaseException:
            self.close()
            raise

    def news(self) -> list[Trial]:
        """Return the finished trials that were evaluated elsewhere, each once."""
        self._write(list)
        fresh: list[int] = []
        for others in self._batches():
            told = [number for number in others if self._is_told(number)]
            # What a dead process has left unfinished is taken over as a whole.
            if told and (len(told) == len(others) or not self._is_left(others)):
                fresh += told
        self._mine.update(fresh)
        return [self._replay.trials[number] for number in fresh]

    def ask(self, n_trials: int) -> list[Trial]:
        """Return trials to evaluate: first those that a process left when it died."""
        asked: list[Trial] = []

        def propose() -> list[Record]:
            batch = self._left_batch()
            if batch:
                asked.extend(self._replay.trials[number] for number in batch)
                self._mine.update(batch)
                return [{"taken": batch, "by": self._replay.journal.owner}]
            asked.extend(super(SharedStudy, self).ask(n_trials))
            self._mine.update(trial.number for trial in asked)
            return [self._asked(asked)] if asked else []

        self._write(propose)
        return asked

    def split_results(self, number: int) -> Mapping[int, SplitResult]:
        """Return the known results of a trial, by split."""
        return self._replay.split_results.get(number, {})

    def record_split(self, number: int, split: int, result: SplitResult) -> None:
        """Record the result of a fit."""
        record = _split_record(number, split, result)
        self._write(lambda: [record], sync=result.fit_time >= _WORTH_SYNC)

    def final_results(self, splits: str, number: int) -> Mapping[int, SplitResult]:
        """Return the known results of a finalist on final splits of this fingerprint."""
        self._write(list)  # others may have scored it by now
        return self._replay.finals.get((splits, number), {})

    def record_final(self, splits: str, number: int, split: int, result: SplitResult) -> None:
        """Record the result of a finalist on a final split."""
        record = {"final": number, "splits": splits, "split": split, "row": result.to_json()}
        self._write(lambda: [record], sync=result.fit_time >= _WORTH_SYNC)

    def tell(self, trials: Sequence[Trial]) -> None:
        """Take down trials that have finished."""
        super().tell(trials)
        # What is asked for next is waited for on its way to the disk, and this with it.
        self._write(
            lambda: [_told(t) for t in trials if not self._is_told(t.number)],
            sync=not self.has_more,
        )

    def wait(self) -> bool:
        """Say whether others are at work on trials, and wait a moment for them."""
        pending = self._replay.trials.keys() - self._mine
        if self._journal is None or not pending:
            return False
        time.sleep(_POLL)
        return True

    def close(self) -> None:
        """Say that nothing more will come from here."""
        self._replay.journal.close()

    def _batches(self) -> list[list[int]]:
        """Return the numbers asked for together of which the callbacks here have not seen all."""
        batches = self._replay.batches
        while self._n_settled < len(batches) and self._mine.issuperset(batches[self._n_settled]):
            self._n_settled += 1
        others = [[n for n in batch if n not in self._mine] for batch in batches[self._n_settled :]]
        return [batch for batch in others if batch]

    def _is_told(self, number: int) -> bool:
        trial = self._replay.trials.get(number)
        return trial is not None and trial.status != "pending"

    def _is_left(self, numbers: Sequence[int]) -> bool:
        """Say whether some of these trials are pending, and nobody is at work on them."""
        return any(
            not self._is_told(number)
            and not self._replay.journal.is_alive(self._replay.owner[number])
            for number in numbers
        )

    def _left_batch(self) -> list[int]:
        """Return the numbers of trials that were asked for together and left unfinished."""
        for others in self._batches():
            if self._is_left(others):
                return others
        return []

    def _asked(self, trials: Sequence[Trial]) -> Record:
        return {"asked": list(map(_setting, trials)), "by": self._replay.journal.owner}

    def _records_of(self, trials: Sequence[Trial]) -> list[Record]:
        """Return what tells of finished trials of before that the journal lacks."""
        lacking = [trial for trial in trials if trial.number not in self._replay.trials]
        records: list[Record] = [self._asked(lacking)] if lacking else []
        for trial in trials:
            if not self._is_told(trial.number):
                results = enumerate(trial.split_results)
                records += [
                    _split_record(trial.number, k, result) for k, result in results if result
                ]
                records.append(_told(trial))
        return records

    def _write(self, act: Callable[[], list[Record]], *, sync: bool = True) -> None:
        """Read what is new and write what `act` then returns, while nobody else can."""
        journal, has_acted = self._journal, False
        try:
            if journal is not None:
                with journal.turn():
                    self._follow(journal.read())
                    records, has_acted = act(), True
                    for record in records:
                        self._replay.check(record)  # what nobody could read must not be written
                    if records:
                        journal.append(records, sync=sync)
                        for record in records:
                            self._replay.apply(record)
        except (OSError, JournalMismatchError) as error:
            self._journal = None
            msg = (
                f"The journal {str(self._replay.journal.path)!r} cannot be used any more: {error} "
                "The search goes on in memory and its result stands, but what comes from now on is "
                "not in the journal."
            )
            warn(msg, JournalWarning, stacklevel=2)
        if not has_acted:
            act()

    def _follow(self, records: Sequence[Record]) -> None:
        """Learn from what others have written."""
        for record in records:
            self._replay.apply(record)
        numbers = [data["number"] for record in records for data in record.get("asked", ())]
        numbers += [record["told"] for record in records if "told" in record]
        self._learn([number for number in dict.fromkeys(numbers) if number not in self._mine])

    def _learn(self, numbers: Iterable[int]) -> None:
        try:
            self.optimizer.tell([self._replay.trials[number] for number in numbers])
        except ValueError as error:
            raise JournalMismatchError(
                f"The journal {str(self._replay.journal.path)!r} has other trials of the same "
                f"numbers than this search. {error} Give another path as journal."
            ) from error


def _setting(trial: Trial) -> Record:
    """Encode what is asked for."""
    params = {name: value_to_json(value) for name, value in thaw(trial.params).items()}
    point, meta = list(trial.point), thaw(trial.proposal)
    record = {"number": trial.number, "params": params, "point": point, "meta": meta}
    # Journals of searches without a resource stay as they are.
    return record if trial.fidelity is None else record | {"resource": trial.fidelity}


def _split_record(number: int, split: int, result: SplitResult) -> Record:
    """Return the record of a result."""
    return {"trial": number, "split": split, "row": result.to_json()}


def _told(trial: Trial) -> Record:
    """Encode what became of a trial; its rows have been written."""
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
