"""Progress: the line that tells how far a search is, in a terminal, a notebook or a log."""

import math
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from sklearn_lepton._runtime.output import is_terminal, text_of, write, write_line
from sklearn_lepton._study.study import Study
from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton._trials.statistics import standard_error
from sklearn_lepton._trials.trial import Trial

_PAUSE = 0.1  # seconds between two looks of the line
_PARTS = 10  # lines in a log
_LONGEST = 24  # characters of a value
FIT_LINES = 3  # the `verbose` from which each fit has a line


class Progress:
    """Tell of the trials of a search: how many, the best score, what is tried, the time left.

    One line that changes in a terminal or a notebook; a few lines elsewhere.

    Parameters
    ----------
    name : str
        Of the search.
    study : Study
        Whose trials they are.
    n_splits : int
    verbose : int
        From 2 on there is a line for each trial; from 3 on one for each fit, too, and no
        line changes.
    deadline : float or None, seconds
        When the search ends at the latest, on the clock of `time.monotonic`.
    ratio : float or None, default=None
        The `split_ratio` of the splits.
    """

    def __init__(
        self,
        name: str,
        study: Study,
        n_splits: int,
        *,
        verbose: int,
        deadline: float | None,
        ratio: float | None = None,
    ) -> None:
        self._name, self._study, self._n_splits = name, study, n_splits
        self._per_trial = verbose > 1
        self._deadline, self._ratio = deadline, ratio
        self._start = time.monotonic()
        self._done = {trial.number for trial in study.finished()}
        self._n_before = len(self._done)
        self._running: dict[int, tuple[Trial, set[int]]] = {}
        self._n_own = 0
        self._n_parts = 0
        self._per_fit = verbose >= FIT_LINES
        self._line: _Line | None = None if self._per_fit else _Line.open()
        if self._line is None:
            write_line(f"{name}: {study.n_trials} trials of {n_splits} fits")

    def asked(self, trials: Sequence[Trial]) -> None:
        """Take down what is tried now."""
        self._running |= {trial.number: (trial, set()) for trial in trials}
        self._draw()

    def noted(self, number: int, split: int, result: SplitResult) -> None:
        """Take down a fit that has finished."""
        if number in self._running:
            trial, splits = self._running[number]
            if self._per_fit:
                write_fit("CV", trial, split, self._n_splits, result)
            splits.add(split)
            self._draw()

    def finished(self, trial: Trial) -> None:
        """Take down a trial that has finished."""
        # What a journal has or another process does says nothing of the speed here.
        self._n_own += self._running.pop(trial.number, None) is not None
        self._done.add(trial.number)
        if self._per_trial:
            if self._line is not None:
                self._line.clear()
            write_line(self._describe(trial))
        elif self._line is None:
            n_parts = len(self._done) * _PARTS // max(self._study.n_trials, 1)
            if n_parts > self._n_parts and len(self._done) < self._study.n_trials:
                write_line(f"{self._name}: {self._state()}")
            self._n_parts = n_parts
        self._draw()

    def close(self) -> None:
        """Say how it ended."""
        if self._line is not None:
            self._line.clear()
        n_new = len(self._done) - self._n_before
        seconds = say_seconds(time.monotonic() - self._start)
        text = f"{self._name}: {n_new} trials in {seconds}"
        best = self._study.optimizer.best
        if best is not None:
            text += f", best {best.score:.4g} (trial {best.number}): {say_params(best.params)}"
        write_line(text)

    def seconds_left(self) -> float | None:
        """Estimate how long the search takes from now, at most; None if nothing is known."""
        now = time.monotonic()
        left = []
        parts = sum(len(splits) for _, splits in self._running.values()) / self._n_splits
        if self._n_own + parts > 0:
            to_do = max(self._study.n_trials - len(self._done) - parts, 0.0)
            left.append((now - self._start) / (self._n_own + parts) * to_do)
        if self._deadline is not None:
            left.append(max(self._deadline - now, 0.0))
        return min(left) if left else None

    def _state(self) -> str:
        best = self._study.optimizer.best
        left = self.seconds_left()
        parts = [f"{len(self._done)}/{self._study.n_trials}"]
        if best is not None:
            parts.append(f"best {best.score:.4g} (trial {best.number})")
        if left is not None:
            parts.append(f"{say_seconds(left)} left")
        return "  ".join(parts)

    def _draw(self) -> None:
        if self._line is None or not self._line.is_due():
            return
        text = self._state()
        if self._running:
            *_, (last, _) = self._running.values()
            many = f" {len(self._running)}, the last" if len(self._running) > 1 else ""
            text += f"  trying{many} {say_params(last.params)}"
        self._line.draw(text)

    def _describe(self, trial: Trial) -> str:
        """Return the line of a trial."""
        scores = [score for score in trial.split_scores if math.isfinite(score)]
        if trial.score is not None:
            result = f"{trial.score:.4g}"
            if len(scores) > 1:
                result += f" ± {standard_error(scores, self._ratio):.2g}"
        elif trial.estimate is not None:
            result = f"pruned after {len(scores)} of {self._n_splits} splits"
        else:
            result = trial.status
        share = (
            "" if trial.is_full else f" with {100 * (trial.fidelity or 0):.3g} % of the resource"
        )
        best = self._study.optimizer.best
        mark = "  (best)" if best is not None and best.number == trial.number else ""
        return (
            f"trial {trial.number}: {result}{share}  {say_seconds(trial.duration)}  "
            f"{say_params(trial.params)}{mark}"
        )


class WatchedStudy:
    """A study that tells its progress what happens to it."""

    def __init__(self, study: Study, progress: Progress) -> None:
        self._study, self._progress = study, progress

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    def ask(self, n_trials: int) -> list[Trial]:
        """Return trials to evaluate."""
        trials = self._study.ask(n_trials)
        self._progress.asked(trials)
        return trials

    def record_split(self, number: int, split: int, result: SplitResult) -> None:
        """Record the result of a fit."""
        self._study.record_split(number, split, result)
        self._progress.noted(number, split, result)


class _Line:
    """One line that is written over again, in a terminal."""

    def __init__(self) -> None:
        self._next = 0.0
        self._length = 0

    @staticmethod
    def open() -> "_Line | None":
        """Return a line where one can change: in a notebook or a terminal."""
        # Only a notebook has loaded it, and only a kernel's shell has a kernel.
        ipython = sys.modules.get("IPython")
        with suppress(Exception):
            shell = None if ipython is None else ipython.get_ipython()
            if getattr(shell, "kernel", None) is not None:
                return _NotebookLine(shell)
        return _Line() if is_terminal() else None

    def is_due(self) -> bool:
        """Say whether it is time to write again."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + _PAUSE
        return True

    def draw(self, text: str) -> None:
        """Write over what stands there."""
        width = shutil.get_terminal_size().columns - 1
        if len(text) > width:
            text = text[: max(width - 1, 0)] + "…"[:width]
        write("\r" + text + " " * (self._length - len(text)))
        self._length = len(text)

    def clear(self) -> None:
        """Leave the line empty, for others to write there."""
        if self._length:
            write("\r" + " " * self._length + "\r")
        self._length, self._next = 0, 0.0


class _NotebookLine(_Line):
    """The same as an output of a notebook's cell that is updated."""

    def __init__(self, shell: Any) -> None:
        super().__init__()
        self._shell = shell
        self._is_shown = False

    def draw(self, text: str) -> None:
        """Write over what stands there."""
        with suppress(Exception):  # the notebook may be gone
            self._shell.display_pub.publish(
                data={"text/plain": text},
                metadata={},
                transient={"display_id": f"sklearn-lepton-{id(self)}"},
                update=self._is_shown,
            )
        self._is_shown = True

    def clear(self) -> None:
        """Leave the output empty."""
        if self._is_shown:
            self.draw("")
        self._next = 0.0


def write_fit(kind: str, trial: Trial, split: int, n_splits: int, result: SplitResult) -> None:
    """Write the line of a fit, much as scikit-learn's searches do.

    Parameters
    ----------
    kind : str
        Of its splits, such as "CV".
    trial : Trial
    split : int
    n_splits : int
    result : SplitResult
    """
    scores = {} if result.error else {"test": result.scores}
    if scores and result.train_scores is not None:
        scores["train"] = result.train_scores
    text = ", ".join(f"{part} score {_say_scores(value)}" for part, value in scores.items())
    write_line(
        f"[{kind} {split + 1}/{n_splits}; trial {trial.number}] {say_params(trial.params)}: "
        f"{text or 'failed'}  {say_seconds(result.duration)}"
    )


def _say_scores(scores: Any) -> str:
    if isinstance(scores, Mapping):
        return ", ".join(f"{name} {score:.4g}" for name, score in scores.items())
    return f"{scores:.4g}"


def say_params(params: Mapping[str, Any]) -> str:
    """Return a setting in few characters."""
    return ", ".join(f"{name}={_say_value(value)}" for name, value in params.items())


def _say_value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    text = type(value).__name__ if hasattr(value, "get_params") else text_of(value)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def say_seconds(seconds: float) -> str:
    """Return a time in words.

    Parameters
    ----------
    seconds : float

    Returns
    -------
    text : str
        In the unit that suits it.
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"
