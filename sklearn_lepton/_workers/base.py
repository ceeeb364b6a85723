"""Base of the workers that hand out futures."""

from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

from joblib.parallel import BACKENDS

from sklearn_lepton._typing import Row
from sklearn_lepton._workers.serialization import SharedContext


class FutureWorkers:
    """What workers that hand out futures have in common."""

    n_workers: int
    can_end = False
    is_here = False

    @property
    def n_slots(self) -> float:
        """How many fits can be submitted at once."""
        return self.n_workers

    def open(self, constants: Sequence[Any]) -> None:
        """Prepare nothing: the caller's own objects are used."""

    def wait(self, futures: Iterable["Future[Any]"], timeout: float | None) -> None:
        """Return when a future is done, or after a time in seconds."""
        wait(futures, timeout, FIRST_COMPLETED)

    def row(self, future: "Future[Any]") -> Row:
        """Return the row of a future that is done, or raise what it raised."""
        return future.result()  # type: ignore[no-any-return]

    def seconds(self, future: "Future[Any]") -> float:  # noqa: ARG002
        """Return 0.0: nobody asks where fits cannot be ended."""
        return 0.0

    def end(self, future: "Future[Any]") -> None:
        """Refuse."""
        raise NotImplementedError

    def close(self) -> None:
        """Leave: nothing is open."""


def _package(constants: Sequence[Any]) -> SharedContext:
    # As inside of loky's workers: threads on the first level of nesting.
    return SharedContext(constants, (BACKENDS["threading"](nesting_level=1), None))


def _killed_worker() -> type[Exception]:
    from distributed import KilledWorker  # noqa: PLC0415 - an extra

    return KilledWorker  # type: ignore[no-any-return]
