"""Protocols between packages, and the types of their arguments."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple, Protocol

from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton._trials.trial import Trial

# The dict that scikit-learn returns for a fit, from which a search makes a `SplitResult`.
Row = Mapping[str, Any]


class FitCall(NamedTuple):
    """Fit of one trial on one split: a call, as `joblib.delayed` writes it.

    Attributes
    ----------
    function : callable
        Returns the row of the fit.
    args : tuple
    kwargs : dict
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class Evaluator(Protocol):
    """Runs trials. Trials that `collect` returns are finished, with any status."""

    def free(self) -> int:
        """Return the number of further trials that can be submitted now."""

    def submit(self, trials: Sequence[Trial]) -> None:
        """Start trials, and give free workers the fits that wait; there may be no trials."""

    def collect(self, *, more: bool) -> list[Trial]:
        """Wait for a finished trial; return all that have finished.

        Return an empty list if no trial runs, or if `more` trials follow and one can start now.
        """

    def close(self) -> list[Trial]:
        """End running trials; return finished ones that `collect` may not have returned."""


class FitAid(Protocol):
    """Changes the fits of a search and adds columns to its results."""

    def prepare(self, fit: FitCall) -> FitCall:
        """Return the call that replaces a fit."""

    def publish(self, results: dict[str, Any], trials: Sequence[Trial]) -> None:
        """Add columns to ``cv_results_``, in place."""

    def close(self) -> None:
        """Release all resources, such as temporary files."""


class FitLog(Protocol):
    """Record of the split results and the finished trials of a study."""

    def finished(self) -> list[Trial]:
        """Return the trials that are not pending, in the order of their numbers."""

    def rivals(self, number: int) -> list[Trial]:
        """Return the finished trials that a trial competes with, in the order of their numbers."""

    def split_results(self, number: int) -> Mapping[int, SplitResult]:
        """Return the known results of a trial, by split."""

    def record_split(self, number: int, split: int, result: SplitResult) -> None:
        """Record the result of a fit."""


class Workers(Protocol):
    """Runs fits, each represented by a future."""

    n_workers: int

    @property
    def n_slots(self) -> float:
        """Number of fits that can be in progress together."""

    @property
    def can_end(self) -> bool:
        """Whether a running fit can be ended."""

    @property
    def is_here(self) -> bool:
        """Whether all fits run on the local machine."""

    def open(self, constants: Sequence[Any]) -> None:
        """Prepare the workers for fits that share these objects."""

    def submit(self, fit: FitCall) -> "Future[Any]":
        """Start a fit. At most `n_slots` fits are in progress together."""

    def wait(self, futures: Iterable["Future[Any]"], timeout: float | None) -> None:
        """Wait until a future is done, or for a time in seconds."""

    def row(self, future: "Future[Any]") -> Row:
        """Return the split result of a future that is done, or raise its exception.

        The exception is `WorkerDied` if the worker ended before the fit.
        """

    def seconds(self, future: "Future[Any]") -> float:
        """Return the seconds that a fit has run so far; 0.0 if it has not started."""

    def end(self, future: "Future[Any]") -> None:
        """End a running fit immediately; only if `can_end`."""

    def close(self) -> None:
        """End all fits and workers, and release all resources."""


class WorkerDied(Exception):  # noqa: N818 - an event that is handled, not an error of the user
    """A worker ended before its fit.

    Parameters
    ----------
    reason : str
        How the worker ended.
    has_begun : bool, default=True
        Whether the fit had started.
    is_final : bool, default=False
        Whether the fit is known to be the cause.
    """

    def __init__(self, reason: str, *, has_begun: bool = True, is_final: bool = False) -> None:
        super().__init__(reason)
        self.has_begun = has_begun
        self.is_final = is_final


class Callback(Protocol):
    """A function that the search calls after each trial."""

    def __call__(self, search: Any, trial: Trial, /) -> bool | None:
        """Return True to stop the search."""
