"""Workers on a dask cluster."""

import asyncio
import os
import signal
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any

from sklearn_lepton._typing import FitCall, Row, WorkerDied
from sklearn_lepton._workers.base import FutureWorkers
from sklearn_lepton._workers.joblib import nested_threads
from sklearn_lepton._workers.serialization import SharedContext, deserialize_outcome, run_payload
from sklearn_lepton.exceptions import WorkersDiedError

_MAX_SEND_ATTEMPTS = 20  # to send the shared objects
_MAX_ABSENT = 60  # seconds without a worker
_MAX_PLACING = 1.0  # seconds in which a cancelled task may still begin


class Dask(FutureWorkers):
    """Fits run as tasks of a dask cluster.

    joblib's own backend for dask is not used: it waits for a lost worker without a time limit.

    Parameters
    ----------
    client : distributed.Client
    n_workers : int
    """

    can_end = True

    def __init__(self, client: Any, n_workers: int) -> None:
        self.n_workers = n_workers
        self._client = client
        self._tasks: dict[Future[Any], Any] = {}
        self._begun: dict[str, tuple[float, str]] = {}  # time and worker's address, by key
        self._topic = f"sklearn_lepton-{uuid.uuid4().hex}"
        self._shared: Any = None

    def open(self, shared_objects: Sequence[Any]) -> None:
        """Prepare the objects that all fits share; the first fit sends them to the workers."""
        self._context = SharedContext(shared_objects, nested_threads())
        self._client.subscribe_topic(self._topic, self._on_begin)

    def _on_begin(self, event: Any) -> None:
        key, address = event[1]
        self._begun[key] = time.monotonic(), address

    def _share(self) -> None:
        """Send the shared objects to the current workers, some of which may be about to end."""
        for attempt in range(_MAX_SEND_ATTEMPTS):
            try:
                self._client.wait_for_workers(1, timeout=_MAX_ABSENT)
            except TimeoutError as error:
                msg = (
                    f"The dask cluster had no worker for {_MAX_ABSENT} s: see the cluster's log. "
                    "The finished trials are in trials_ and cv_results_."
                )
                raise WorkersDiedError(msg) from error
            try:
                # A list of one: scatter takes a tuple for several data.
                [self._shared] = self._client.scatter(
                    [self._context.content], broadcast=True, hash=False
                )
            except (OSError, ValueError, KeyError):  # the scheduler has just lost a worker
                if attempt + 1 == _MAX_SEND_ATTEMPTS:
                    raise
                time.sleep(0.5)
            else:
                return

    def submit(self, fit: FitCall) -> "Future[Any]":
        """Start a fit on the cluster."""
        if self._shared is None or self._shared.status != "finished":  # lost with its workers
            self._share()
        key = f"sklearn_lepton-{uuid.uuid4().hex}"
        task = self._client.submit(
            _run_on_dask,
            self._shared,
            self._context.serialize(fit),
            self._topic,
            key,
            key=key,
            pure=False,
            retries=0,
        )
        future: Future[Any] = Future()
        self._tasks[future] = task
        task.add_done_callback(lambda _: future.set_result(None))
        return future

    def row(self, future: "Future[Any]") -> Row:
        """Return the split result of a future that is done, or raise its error."""
        task = self._tasks.pop(future)
        has_begun = self._begun.pop(task.key, None) is not None
        if task.status == "finished":
            # A result that is not fetched yet is lost with its worker.
            with suppress(CancelledError):
                return deserialize_outcome(task.result())
        if task.status != "error":  # cancelled, because the shared objects were lost
            raise WorkerDied("the dask worker is gone", has_begun=has_begun)
        error = task.exception()
        if isinstance(error, _killed_worker()):  # after dask's own repetitions
            raise WorkerDied(f"The workers died in this fit: {error}", is_final=True)
        raise error

    def seconds(self, future: "Future[Any]") -> float:
        """Return the seconds since a fit began; 0.0 if it has not begun."""
        begun = self._begun.get(self._tasks[future].key)
        return 0.0 if begun is None else time.monotonic() - begun[0]

    def end(self, future: "Future[Any]") -> None:
        """Kill the worker process that runs a fit; dask repeats the other tasks of that process."""
        self._end([self._tasks.pop(future)])

    def _end(self, tasks: list[Any]) -> None:
        keys = {task.key for task in tasks}
        placed = {
            key: address
            for address, running in self._client.processing().items()
            for key in keys & set(running)
        }
        self._client.cancel(tasks, force=True)
        self._kill(set(placed.values()))
        # A task that the scheduler was about to place may begin in spite of its cancellation.
        unplaced, deadline = keys - placed.keys(), time.monotonic() + _MAX_PLACING
        while unplaced and time.monotonic() < deadline:
            time.sleep(0.05)
            begun = unplaced & self._begun.keys()
            self._kill({self._begun[key][1] for key in begun})
            unplaced -= begun

    def _kill(self, addresses: set[str]) -> None:
        if addresses:
            # The nanny, because a worker that runs compiled code may not answer.
            self._client.run(
                _kill, workers=list(addresses), nanny=True, wait=False, on_error="ignore"
            )

    def close(self) -> None:
        """End the running fits and release the shared objects."""
        running = [task for future, task in self._tasks.items() if not future.done()]
        self._tasks.clear()
        if hasattr(self, "_context"):
            del self._context  # `close` is called twice: by the evaluator and by the run
            if running:
                self._end(running)
            self._client.unsubscribe_topic(self._topic)
            if self._shared is not None:
                self._shared.release()


def _killed_worker() -> type[Exception]:
    from distributed import KilledWorker  # noqa: PLC0415 - an extra

    return KilledWorker  # type: ignore[no-any-return]


def _run_on_dask(content: Any, payload: bytes, topic: str, key: str) -> bytes:
    """Run a fit in a dask worker, and log an event when it begins."""
    from distributed import get_client, get_worker  # noqa: PLC0415 - an extra

    client, address = get_client(), get_worker().address
    _wait_until_registered(client, address)
    return run_payload(content, payload, begin=lambda: client.log_event(topic, (key, address)))


_registered: set[str] = set()


def _wait_until_registered(client: Any, address: str) -> None:
    """Wait until the nanny has registered the start of this worker, once for each worker.

    The nanny does not restart a worker that dies before that.
    """
    if address in _registered:
        return
    for _ in range(100):
        answers = client.run(_status, workers=[address], nanny=True, on_error="return")
        if not answers or "running" in answers.values():  # a worker may have no nanny
            break
        time.sleep(0.05)
    _registered.add(address)


def _status(dask_worker: Any) -> str:
    """Return the status of a worker as its nanny knows it."""
    return str(dask_worker.process.status.name)


async def _kill(dask_worker: Any) -> None:
    """Kill a worker from its nanny, which then starts it again; async, so as not to block it."""
    while _status(dask_worker) == "starting":  # noqa: ASYNC110 - the nanny has no event for it
        await asyncio.sleep(0.05)
    os.kill(dask_worker.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
