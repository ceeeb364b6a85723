"""Clusters: fits on dask.distributed and on ray, through their own tasks."""

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

from joblib.parallel import BACKENDS

from sklearn_lepton._payload import Package, run_payload, unwrap
from sklearn_lepton._typing import Fit, Row, WorkerDied


class _Cluster:
    """What both have in common.

    Parameters
    ----------
    n_workers : int
    """

    can_end = True

    def __init__(self, n_workers: int) -> None:
        self.n_workers = self.n_slots = n_workers
        self._submitted: dict[Future[Any], tuple[Any, float]] = {}

    def open(self, constants: Sequence[Any]) -> None:
        """Send out what all fits have in common."""
        # As inside of loky's workers: threads on the first level of nesting.
        nested = (BACKENDS["threading"](nesting_level=1), None)
        self._package = Package(constants, nested)
        self._share()

    def _share(self) -> None:
        raise NotImplementedError

    def wait(self, futures: Iterable["Future[Any]"], timeout: float | None) -> None:
        """Return when a future is done, or after a time in seconds."""
        wait(futures, timeout, FIRST_COMPLETED)

    def seconds(self, future: "Future[Any]") -> float:
        """Return how long ago a fit was submitted."""
        return time.monotonic() - self._submitted[future][1]


class Dask(_Cluster):
    """Fits run as tasks of a dask cluster.

    Not through joblib's own backend for dask, which waits for ever for a worker that is gone.

    Parameters
    ----------
    client : distributed.Client
    n_workers : int
    """

    def __init__(self, client: Any, n_workers: int) -> None:
        super().__init__(n_workers)
        self._client = client

    def _share(self) -> None:
        # A list of one: scatter takes a tuple for several data.
        [self._shared] = self._client.scatter([self._package.content], broadcast=True, hash=False)

    def submit(self, fit: Fit) -> "Future[Any]":
        """Start a fit on the cluster."""
        if self._shared.status != "finished":  # the workers that had it are gone
            self._share()
        task = self._client.submit(
            run_payload, self._shared, self._package.wrap(fit), pure=False, retries=0
        )
        future: Future[Any] = Future()
        self._submitted[future] = (task, time.monotonic())
        task.add_done_callback(lambda _: future.set_result(None))
        return future

    def row(self, future: "Future[Any]") -> Row:
        """Return the row of a future that is done, or raise what it raised."""
        task, _ = self._submitted.pop(future)
        if task.status == "finished":
            return unwrap(task.result())
        error = task.exception() if task.status == "error" else None
        # dask has then tried it on several workers.
        is_repeated = type(error).__name__ == "KilledWorker"
        if error is not None and not is_repeated:
            raise error
        reason = str(error) if is_repeated else "the cluster has lost the data of the search"
        raise WorkerDied(reason, has_begun=is_repeated, is_repeated=is_repeated)

    def end(self, future: "Future[Any]") -> None:
        """Restart the worker process that runs a fit; what else runs there is run again."""
        task, _ = self._submitted.pop(future)
        processing = self._client.processing()
        task.cancel(force=True)
        addresses = [place for place, keys in processing.items() if task.key in keys]
        if addresses:
            self._client.restart_workers(addresses, raise_for_error=False)

    def close(self) -> None:
        """Cancel what runs and restart the workers that are busy with it."""
        for future in list(self._submitted):
            if future.done():
                del self._submitted[future]
            else:
                self.end(future)
        if hasattr(self, "_shared"):
            self._shared.release()


class Ray(_Cluster):
    """Fits run as tasks of a ray cluster.

    Parameters
    ----------
    n_workers : int
    remote_args : dict or None
        The ``ray_remote_args`` of the backend.
    """

    def __init__(self, n_workers: int, remote_args: dict[str, Any] | None) -> None:
        super().__init__(n_workers)
        import ray  # noqa: PLC0415 - an extra

        self._ray = ray
        options = {"max_retries": 0, **(remote_args or {})}
        self._run = ray.remote(run_payload).options(**options)

    def _share(self) -> None:
        self._shared = self._ray.put(self._package.content)

    def submit(self, fit: Fit) -> "Future[Any]":
        """Start a fit on the cluster."""
        reference = self._run.remote(self._shared, self._package.wrap(fit))
        future: Future[Any] = reference.future()
        self._submitted[future] = (reference, time.monotonic())
        return future

    def row(self, future: "Future[Any]") -> Row:
        """Return the row of a future that is done, or raise what it raised."""
        del self._submitted[future]
        errors = self._ray.exceptions
        try:
            return unwrap(future.result())
        except (
            errors.WorkerCrashedError,
            errors.OutOfMemoryError,
            errors.NodeDiedError,
            errors.ObjectLostError,
        ) as error:
            raise WorkerDied(str(error).strip().splitlines()[0], has_begun=True) from error

    def end(self, future: "Future[Any]") -> None:
        """Kill the process of a fit."""
        reference, _ = self._submitted.pop(future)
        self._ray.cancel(reference, force=True)

    def close(self) -> None:
        """End what runs."""
        for future in list(self._submitted):
            if not future.done():
                self.end(future)
        self._submitted.clear()
