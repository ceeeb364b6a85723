"""Progress of a search, shown in a terminal, a notebook or a log."""

import math
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from sklearn_lepton._runtime.errors import error_line
from sklearn_lepton._runtime.output import is_terminal, text_of, write, write_line
from sklearn_lepton._study.study import Study
from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton._trials.statistics import standard_error
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.space._values import shorten_text

_PAUSE = 0.1  # seconds between two updates of the line
_N_LINES = 10  # lines in a log
_MAX_LENGTH = 24  # characters of a value
_MAX_ERROR = 200  # characters of an error
FIT_LINES = 3  # the `verbose` from which each fit has a line


class Progress:
    """Progress display: finished trials, best score, current configuration and time left.

    In a terminal or a notebook it is one line that changes; elsewhere a few lines are printed.

    Parameters
    ----------
    name : str
        Name of the search.
    study : Study
        Study with the trials of the search.
    n_splits : int
        Number of splits.
    verbose : int
        2 adds a line for each trial. 3 adds a line for each fit, and the changing line is off.
    deadline : float or None
        End of the search at the latest, in seconds on the clock of `time.monotonic`.
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
        self._has_trial_lines = verbose > 1
        self._deadline, self._ratio = deadline, ratio
        self._start = time.monotonic()
        self._done = {trial.number for trial in study.finished()}
        self._n_before = len(self._done)
        self._running: dict[int, tuple[Trial, set[int]]] = {}
        self._n_here = 0
        self._n_lines = 0
        self._has_fit_lines = verbose >= FIT_LINES
        self._line: _Line | None = None if self._has_fit_lines else _Line.open()
        if self._line is None:
            many, limit = f"{study.n_trials} trials", ""
            if not self._is_limited and deadline is not None:
                many, limit = "trials", f", {format_seconds(deadline - self._start)}"
            write_line(f"{name}: {many} of {n_splits} fits{limit}")

    def record_asked(self, trials: Sequence[Trial]) -> None:
        """Record trials that start now."""
        self._running |= {trial.number: (trial, set()) for trial in trials}
        self._draw()

    def record_fit(self, number: int, split: int, result: SplitResult) -> None:
        """Record a finished fit."""
        if number in self._running:
            trial, splits = self._running[number]
            if self._has_fit_lines:
                write_fit("CV", trial, split, self._n_splits, result)
            splits.add(split)
            self._draw()

    def record_trial(self, trial: Trial) -> None:
        """Record a finished trial."""
        # Only this process's own trials count for the time left, not those of others.
        self._n_here += self._running.pop(trial.number, None) is not None
        self._done.add(trial.number)
        if self._has_trial_lines:
            if self._line is not None:
                self._line.clear()
            write_line(self._describe(trial))
        elif self._line is None:
            n_lines = int(self._share() * _N_LINES)
            if n_lines > self._n_lines and n_lines < _N_LINES:
                write_line(f"{self._name}: {self._state()}")
            self._n_lines = n_lines
        self._draw()

    def close(self) -> None:
        """Write the last line: number of trials, duration and best trial."""
        if self._line is not None:
            self._line.clear()
        n_new = len(self._done) - self._n_before
        seconds = format_seconds(time.monotonic() - self._start)
        text = f"{self._name}: {n_new} trials in {seconds}"
        best = self._study.optimizer.best
        if best is not None:
            text += f", best {best.score:.4g} (trial {best.number}): {format_params(best.params)}"
        write_line(text)

    def seconds_left(self) -> float | None:
        """Return an estimate of the seconds left; None before the first fit without a deadline."""
        now = time.monotonic()
        left = []
        parts = sum(len(splits) for _, splits in self._running.values()) / self._n_splits
        if self._n_here + parts > 0:
            to_do = max(self._study.n_trials - len(self._done) - parts, 0.0)
            left.append((now - self._start) / (self._n_here + parts) * to_do)
        if self._deadline is not None:
            left.append(max(self._deadline - now, 0.0))
        return min(left) if left else None

    @property
    def _is_limited(self) -> bool:
        """Whether there is a limit of trials."""
        return math.isfinite(self._study.n_trials)

    def _share(self) -> float:
        """Return the share of the budget that is used, in trials or else in time."""
        if self._is_limited or self._deadline is None:
            return len(self._done) / max(self._study.n_trials, 1)
        return (time.monotonic() - self._start) / max(self._deadline - self._start, 1e-9)

    def _state(self) -> str:
        """Return finished trials, best score and time left."""
        best = self._study.optimizer.best
        left = self.seconds_left()
        total = f"/{self._study.n_trials}" if self._is_limited else " trials"
        parts = [f"{len(self._done)}{total}"]
        if best is not None:
            parts.append(f"best {best.score:.4g} (trial {best.number})")
        if left is not None:
            parts.append(f"{format_seconds(left)} left")
        return "  ".join(parts)

    def _draw(self) -> None:
        """Update the changing line, if there is one and it is due."""
        if self._line is None or not self._line.is_due():
            return
        text = self._state()
        if self._running:
            *_, (last, _) = self._running.values()
            many = f" {len(self._running)}, the last" if len(self._running) > 1 else ""
            text += f"  trying{many} {format_params(last.params)}"
        self._line.draw(text)

    def _describe(self, trial: Trial) -> str:
        """Return the line for a finished trial."""
        scores = [score for score in trial.split_scores if math.isfinite(score)]
        if trial.score is not None:
            result = f"{trial.score:.4g}"
            if len(scores) > 1:
                result += f" ± {standard_error(scores, self._ratio):.2g}"
        elif trial.estimate is not None:
            result = f"pruned after {len(scores)} of {self._n_splits} splits"
        else:
            result = trial.status if trial.error is None else _failure(trial.error)
        share = (
            "" if trial.is_full else f" with {100 * (trial.fidelity or 0):.3g} % of the resource"
        )
        best = self._study.optimizer.best
        mark = "  (best)" if best is not None and best.number == trial.number else ""
        return (
            f"trial {trial.number}: {result}{share}  {format_seconds(trial.duration)}  "
            f"{format_params(trial.params)}{mark}"
        )


class WatchedStudy:
    """A study that passes its events to a progress display."""

    def __init__(self, study: Study, progress: Progress) -> None:
        self._study, self._progress = study, progress

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    def ask(self, n_trials: int) -> list[Trial]:
        """Return trials to evaluate, and record them."""
        trials = self._study.ask(n_trials)
        self._progress.record_asked(trials)
        return trials

    def record_split(self, number: int, split: int, result: SplitResult) -> None:
        """Record the result of a fit."""
        self._study.record_split(number, split, result)
        self._progress.record_fit(number, split, result)


class _Line:
    """Terminal line that is overwritten in place."""

    def __init__(self) -> None:
        self._next = 0.0
        self._length = 0

    @staticmethod
    def open() -> "_Line | None":
        """Return a line for a notebook or a terminal; None elsewhere."""
        # IPython is never imported here. In a notebook it is loaded, and its shell has a kernel.
        ipython = sys.modules.get("IPython")
        with suppress(Exception):
            shell = None if ipython is None else ipython.get_ipython()
            if getattr(shell, "kernel", None) is not None:
                return _NotebookLine(shell)
        return _Line() if is_terminal() else None

    def is_due(self) -> bool:
        """Return whether the line may be written again."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + _PAUSE
        return True

    def draw(self, text: str) -> None:
        """Overwrite the line."""
        width = shutil.get_terminal_size().columns - 1
        if len(text) > width:
            text = text[: max(width - 1, 0)] + "…"[:width]
        write("\r" + text + " " * (self._length - len(text)))
        self._length = len(text)

    def clear(self) -> None:
        """Clear the line, so that other output can be written there."""
        if self._length:
            write("\r" + " " * self._length + "\r")
        self._length, self._next = 0, 0.0


class _NotebookLine(_Line):
    """Output of a notebook cell that is updated in place."""

    def __init__(self, shell: Any) -> None:
        super().__init__()
        self._shell = shell
        self._is_shown = False

    def draw(self, text: str) -> None:
        """Update the output."""
        with suppress(Exception):  # the notebook may be gone
            self._shell.display_pub.publish(
                data={"text/plain": text},
                metadata={},
                transient={"display_id": f"sklearn-lepton-{id(self)}"},
                update=self._is_shown,
            )
        self._is_shown = True

    def clear(self) -> None:
        """Clear the output."""
        if self._is_shown:
            self.draw("")
        self._next = 0.0


def _failure(error: str) -> str:
    """Return a short text for a failed trial or fit, with the line that names its error."""
    return f"failed ({shorten_text(error, _MAX_ERROR)})"


def write_fit(kind: str, trial: Trial, split: int, n_splits: int, result: SplitResult) -> None:
    """Write the line for a finished fit, similar to those of scikit-learn's searches.

    Parameters
    ----------
    kind : str
        Kind of the splits, such as "CV".
    trial : Trial
    split : int
    n_splits : int
    result : SplitResult
    """
    text = _failure(error_line(result.error)) if result.error else _format_scores(result)
    write_line(
        f"[{kind} {split + 1}/{n_splits}; trial {trial.number}] {format_params(trial.params)}: "
        f"{text}  {format_seconds(result.duration)}"
    )


def _format_scores(result: SplitResult) -> str:
    """Return the scores of a fit as scikit-learn writes them."""
    test, train = result.scores, result.train_scores
    if isinstance(test, Mapping):
        parts = {name: [f"test={score:.4g}"] for name, score in test.items()}
        if isinstance(train, Mapping):
            for name, score in train.items():
                parts[name].insert(0, f"train={score:.4g}")
        return " ".join(f"{name}: ({', '.join(texts)})" for name, texts in parts.items())
    if train is None:
        return f"score={test:.4g}"
    return f"score=(train={train:.4g}, test={test:.4g})"


def format_params(params: Mapping[str, Any]) -> str:
    """Return a configuration as a short text."""
    return ", ".join(f"{name}={_format_value(value)}" for name, value in params.items())


def _format_value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    text = type(value).__name__ if hasattr(value, "get_params") else text_of(value)
    text = " ".join(text.split())
    return text if len(text) <= _MAX_LENGTH else text[: _MAX_LENGTH - 1] + "…"


def format_seconds(seconds: float) -> str:
    """Return a duration as text.

    Parameters
    ----------
    seconds : float

    Returns
    -------
    text : str
        Seconds, minutes or hours, by its length.
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
