"""Base class of the workers that return futures."""

from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

from sklearn_lepton._typing import Row


class FutureWorkers:
    """Workers that return futures of `concurrent.futures`; see `sklearn_lepton._typing.Workers`."""

    n_workers: int
    can_end = False
    is_here = False

    @property
    def n_slots(self) -> float:
        """The number of fits that can be submitted without waiting for one of them."""
        return self.n_workers

    def open(self, shared_objects: Sequence[Any]) -> None:
        """Prepare nothing: the fits use the caller's objects."""

    def wait(self, futures: Iterable["Future[Any]"], timeout: float | None) -> None:
        """Return when a future is done, or after a time in seconds."""
        wait(futures, timeout, FIRST_COMPLETED)

    def row(self, future: "Future[Any]") -> Row:
        """Return the split result of a future that is done, or raise its error."""
        return future.result()  # type: ignore[no-any-return]

    def seconds(self, future: "Future[Any]") -> float:  # noqa: ARG002
        """Return 0.0: the duration is only needed where fits can be ended."""
        return 0.0

    def end(self, future: "Future[Any]") -> None:
        """Raise NotImplementedError: these workers cannot end a fit."""
        raise NotImplementedError

    def close(self) -> None:
        """Close nothing: no resource is open."""
