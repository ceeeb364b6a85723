"""Study: the trials of a search, in memory or shared between processes through a journal."""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from sklearn_lepton._runtime.output import warn
from sklearn_lepton._study.journal import Journal, Record
from sklearn_lepton._study.replay import Replay
from sklearn_lepton._study.window import Window
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

    With a window, results are told to the optimizer in the order of the trials' numbers, one
    before each proposal: trial ``n`` is proposed from the results of the trials up to
    ``n - window``, and no others. `next_result` returns the trials in the same order. This
    holds for earlier trials, too: the last ones are told in their turn.

    Parameters
    ----------
    optimizer : Optimizer
    n_trials : int or inf
        The budget: the number of trials, including those that the optimizer knows already;
        infinite without a limit. A finite space may hold fewer.
    window : int or None, default=None
        Most trials in flight. None has no limit: each result is told at once, and the trials
        come in the order in which they finish.

    Attributes
    ----------
    is_truncated : bool
        Whether the space holds fewer configurations than `n_trials`.
    """

    def __init__(self, optimizer: Optimizer, n_trials: float, *, window: int | None = None) -> None:
        self.optimizer = optimizer
        self.n_trials: float = 0
        self.is_truncated = False
        self._set_budget(n_trials)
        earlier = [trial for trial in optimizer.trials if trial.status != "pending"]
        n_known = len(earlier) if window is None else max(0, len(earlier) - window + 1)
        self._window = Window(window, max((t.number for t in earlier[:n_known]), default=-1))
        self._known: dict[int, int] = {}  # the last result that a trial's proposal knew
        self._seen = {trial.number for trial in earlier[n_known:]}
        self._start(self._seen)
        for trial in earlier[n_known:]:
            self._window.finish(trial)
        self._hide_results()
        self._is_spent = False

    @property
    def has_more(self) -> bool:
        """Whether `ask` may return more trials now."""
        return not self._is_spent and self._window.room(1) > 0

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

    def ask(self, n_trials: int) -> list[Trial]:
        """Return up to `n_trials` trials to evaluate, within the budget and the window."""
        asked: list[Trial] = []
        while True:
            n_left = self.n_trials - len(self.optimizer.trials)
            n_wanted = int(min(self._window.room(n_trials - len(asked)), n_left))
            trials = self.optimizer.ask(n_wanted) if n_wanted > 0 else []
            self._is_spent = not len(trials) == n_wanted < n_left
            self._start(trial.number for trial in trials)
            asked += trials
            if len(asked) == n_trials or not self._pass_seen():
                return asked

    def _pass_seen(self) -> bool:
        """Tell the next result if it is that of an earlier run; return whether it is."""
        trial = self._window.next()
        if trial is None or trial.number not in self._seen:
            return False
        self._leave(trial)
        return True

    def _hide_results(self) -> None:
        """Make the trials pending for the optimizer that are told in their turn."""
        if self._window.is_ordered:
            self.optimizer.tell([t.as_pending() for t in self._window.results.values()])

    def _start(self, numbers: Iterable[int]) -> None:
        """Add proposed trials to the window."""
        started = list(numbers)
        self._window.add(started)
        if self._window.is_ordered:
            self._known.update(dict.fromkeys(started, self._window.last))

    def finished(self) -> list[Trial]:
        """Return the trials that are not pending, in the order of their numbers."""
        told = {t.number: t for t in self.optimizer.trials if t.status != "pending"}
        trials = self._window.results | told
        return [trials[number] for number in sorted(trials)]

    def rivals(self, number: int) -> list[Trial]:
        """Return the finished trials that a trial competes with, in the order of their numbers.

        With a window, they are those that its proposal knew, whatever has finished since.
        """
        known = self._known.get(number)
        return [t for t in self.finished() if known is None or t.number <= known]

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
        if not self._window.is_ordered:
            self.optimizer.tell(trials)
        for trial in trials:
            self._window.finish(trial)

    def next_result(self) -> Trial | None:
        """Return the next finished trial, which the optimizer is told; None if there is none."""
        while self._is_spent and self._pass_seen():  # otherwise `ask` tells one at a time
            pass
        trial = self._window.next()
        if trial is None or trial.number in self._seen:
            return None
        self._leave(trial)
        return trial

    def _leave(self, trial: Trial) -> None:
        if self._window.is_ordered:
            self.optimizer.tell([trial])
        self._window.leave(trial)  # last, so that an interrupt loses no trial

    def rest(self) -> list[Trial]:
        """Return the other finished trials, which the optimizer is told: nothing runs any more."""
        trials = sorted(self._window.results.values(), key=lambda trial: trial.number)
        for trial in trials:
            self._leave(trial)
        return [trial for trial in trials if trial.number not in self._seen]

    def wait(self) -> bool:
        """Wait a moment if other processes evaluate trials; return whether they do."""
        return False


class SharedStudy(Study):
    """A study in a journal, which survives this process and can be shared with other processes.

    The trials of dead processes are taken over. With a window, a search that continues a
    journal makes the same proposals as without the end of the process: the optimizer is told
    the trials of the journal one by one, as before. Several living processes have a window
    each, and are told the results of the others at once. If the journal can no longer be
    written, the search continues in memory.

    Parameters
    ----------
    optimizer : Optimizer
        Its trials are written to the journal if they are missing there.
    n_trials : int or inf
        The budget: the number of trials, including those in the journal.
    replay : Replay
        The state of the journal.
    window : int or None, default=None
        Most trials in flight in this process; see `Study`.

    Raises
    ------
    JournalMismatchError
        If a trial of the optimizer and one of the journal have the same number but differ.
    """

    def __init__(
        self, optimizer: Optimizer, n_trials: float, replay: Replay, *, window: int | None = None
    ) -> None:
        super().__init__(optimizer, n_trials, window=window)
        self._replay = replay
        self._journal: Journal | None = replay.journal
        known = self.finished()
        self._own = {trial.number for trial in known}  # that run here, or were seen before
        self._others: list[int] = []  # trials of other processes that have finished
        try:
            self._read_trials(known)
            self._write(lambda: self._missing_records(known))
        except BaseException:
            self.close()
            raise

    def _read_trials(self, known: Sequence[Trial]) -> None:
        """Tell the optimizer the trials of the journal; those of the dead are in the window."""
        replay = self._replay
        writers = {replay.writers[number] for number in replay.trials.keys() - self._own}
        living = {writer for writer in writers if replay.journal.is_alive(writer)}
        inherited = [
            number
            for number in sorted(replay.trials.keys() - self._own)
            if replay.writers[number] not in living
        ]
        self._tell_optimizer(replay.trials.values())
        self.optimizer.tell(trial for trial in known if not self._is_finished(trial.number))
        self._start(inherited)
        for number in inherited:
            self._inherit(number)
        if inherited and self._window.is_ordered:
            self._window.barrier = self._known[inherited[-1]]
        self._hide_results()
        self._others = [
            number
            for number in sorted(replay.trials.keys() - self._own)
            if number not in self._window and self._is_finished(number)
        ]

    def _inherit(self, number: int) -> None:
        """Keep what the journal knows of a trial in the window."""
        if self._window.is_ordered:
            self._known[number] = self._replay.known.get(number, number - 1)
        if self._is_finished(number):
            self._window.finish(self._replay.trials[number])

    def ask(self, n_trials: int) -> list[Trial]:
        """Return trials to evaluate: first those that a dead process has abandoned."""
        asked: list[Trial] = []

        def propose() -> list[Record]:
            taken = self._abandoned()[:n_trials]
            if taken:
                asked.extend(self._replay.trials[number] for number in taken)
                self._own.update(taken)
                self._start(taken)
                for number in taken:
                    self._inherit(number)
                return [{"taken": taken, "by": self._replay.journal.writer}]
            asked.extend(super(SharedStudy, self).ask(n_trials))
            self._own.update(trial.number for trial in asked)
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
        """Record finished trials, and read those of other processes."""
        super().tell(trials)
        # The next `ask` writes with `sync`, which also covers these records.
        self._write(
            lambda: [_finish_record(t) for t in trials if not self._is_finished(t.number)],
            sync=self._is_spent,
        )

    def next_result(self) -> Trial | None:
        """Return the next finished trial of this process or of another one."""
        trial = self._window.next()
        if self._others and (trial is None or self._others[0] < trial.number):
            number = self._others.pop(0)
            self._own.add(number)
            return self._replay.trials[number]
        return super().next_result()

    def rest(self) -> list[Trial]:
        """Return the other finished trials, of which none is running."""
        others, self._others = self._others, []
        self._own.update(others)
        return [*(self._replay.trials[number] for number in others), *super().rest()]

    def wait(self) -> bool:
        """Wait a moment if other processes evaluate trials; return whether they do."""
        if self._others:
            return True
        if self._journal is None or not self._pending_elsewhere():
            return False
        time.sleep(_POLL)
        return True

    def close(self) -> None:
        """Close the journal, so that other processes take over the pending trials."""
        self._replay.journal.close()

    def _is_finished(self, number: int) -> bool:
        trial = self._replay.trials.get(number)
        return trial is not None and trial.status != "pending"

    def _pending_elsewhere(self) -> list[int]:
        """Return the numbers of the pending trials that do not run here, ascending."""
        return [
            number
            for number in sorted(self._replay.trials.keys() - self._own)
            if not self._is_finished(number)
        ]

    def _abandoned(self) -> list[int]:
        """Return the numbers of the pending trials whose processes are dead, ascending."""
        numbers = self._pending_elsewhere()
        writers = {self._replay.writers[number] for number in numbers}
        dead = {writer for writer in writers if not self._replay.journal.is_alive(writer)}
        return [number for number in numbers if self._replay.writers[number] in dead]

    def _proposal_record(self, trials: Sequence[Trial]) -> Record:
        asked = [_encode_proposal(trial, self._known.get(trial.number)) for trial in trials]
        return {"asked": asked, "by": self._replay.journal.writer}

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
        asked = [data["number"] for record in records for data in record.get("asked", ())]
        taken = [number for record in records for number in record.get("taken", ())]
        told = [record["told"] for record in records if "told" in record]
        for number in [*taken, *told]:
            if number in self._window and number not in self._own:
                self._window.remove(number)  # an inherited trial that another process runs
        numbers = [
            number
            for number in dict.fromkeys([*asked, *told])
            if number not in self._own and number not in self._window
        ]
        self._tell_optimizer(self._replay.trials[number] for number in numbers)
        self._others += [
            number for number in numbers if self._is_finished(number) and number not in self._others
        ]

    def _tell_optimizer(self, trials: Iterable[Trial]) -> None:
        try:
            self.optimizer.tell(trials)
        except ValueError as error:
            raise JournalMismatchError(
                f"The journal {str(self._replay.journal.path)!r} has other trials with the same "
                f"numbers as this search. {error} Give another path as journal."
            ) from error


def _encode_proposal(trial: Trial, known: int | None) -> Record:
    """Return the JSON data of a trial whose proposal knew the results up to a number."""
    params = {name: value_to_json(value) for name, value in thaw(trial.params).items()}
    point, meta = list(trial.point), thaw(trial.proposal)
    record = {"number": trial.number, "params": params, "point": point, "meta": meta}
    # Both keys were added later, and are left out where they tell nothing.
    if trial.fidelity is not None:
        record["resource"] = trial.fidelity
    if known is not None and known != trial.number - 1:
        record["known"] = known
    return record


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
