"""The protocols between the loop and what it conducts."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton._trials.trial import Trial

# The dict that scikit-learn returns for a fit; `SplitResult` is what a search keeps of it.
Row = Mapping[str, Any]
# One fit of one trial on one split, as `joblib.delayed` writes a call: function, args, kwargs.
Fit = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class Evaluator(Protocol):
    """Run trials; what `collect` returns is finished, whatever became of it."""

    def free(self) -> int:
        """Return how many more trials can be submitted now."""

    def submit(self, trials: Sequence[Trial]) -> None:
        """Take trials to run."""

    def collect(self, *, more: bool) -> list[Trial]:
        """Wait for finished trials and return them.

        None if nothing runs, or if `more` trials are to come and there is room for one.
        """

    def close(self) -> list[Trial]:
        """End what runs, and return what has finished that `collect` may not have returned."""


class FitAid(Protocol):
    """Change the fits of a search, and add to its results."""

    def prepare(self, fit: Fit) -> Fit:
        """Return what is run in place of a fit."""

    def publish(self, results: dict[str, Any], trials: Sequence[Trial]) -> None:
        """Add to ``cv_results_``, in place."""

    def close(self) -> None:
        """Leave nothing behind."""


class FitLog(Protocol):
    """Record of the results of splits and of finished trials."""

    def finished(self) -> list[Trial]:
        """Return the trials that are not pending, in the order of their numbers."""

    def split_results(self, number: int) -> Mapping[int, SplitResult]:
        """Return the known results of a trial, by split."""

    def record_split(self, number: int, split: int, result: SplitResult) -> None:
        """Record the result of a fit."""


class Workers(Protocol):
    """Run fits; one future each."""

    n_workers: int

    @property
    def n_slots(self) -> float:
        """How many fits can be submitted at once."""

    @property
    def can_end(self) -> bool:
        """Whether a running fit can be ended."""

    @property
    def is_here(self) -> bool:
        """Whether all fits run on this machine."""

    def open(self, constants: Sequence[Any]) -> None:
        """Prepare for fits that have these objects in common."""

    def submit(self, fit: Fit) -> "Future[Any]":
        """Start a fit; there are never more than `n_slots` at once."""

    def wait(self, futures: Iterable["Future[Any]"], timeout: float | None) -> None:
        """Return when a future is done, or after a time in seconds."""

    def row(self, future: "Future[Any]") -> Row:
        """Return the row of a future that is done, or raise what it raised.

        `WorkerDied` if it was its worker that ended.
        """

    def seconds(self, future: "Future[Any]") -> float:
        """Return how long a fit has run by now; 0.0 if it has not begun."""

    def end(self, future: "Future[Any]") -> None:
        """End a running fit, whatever it does; only where `can_end`."""

    def close(self) -> None:
        """End everything and leave nothing behind."""


class WorkerDied(Exception):  # noqa: N818 - an event, not an error of anyone's
    """A worker ended before its fit did.

    Parameters
    ----------
    reason : str
        How it ended.
    has_begun : bool, default=True
        Whether the fit had begun.
    is_final : bool, default=False
        Whether it is known to be the fit's doing.
    """

    def __init__(self, reason: str, *, has_begun: bool = True, is_final: bool = False) -> None:
        super().__init__(reason)
        self.has_begun = has_begun
        self.is_final = is_final


class Callback(Protocol):
    """Called after each trial."""

    def __call__(self, search: Any, trial: Trial, /) -> bool | None:
        """Return True to stop the search."""
