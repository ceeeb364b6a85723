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

from sklearn_lepton._typing import Fit, Row, WorkerDied
from sklearn_lepton._workers.base import FutureWorkers, _killed_worker, _package
from sklearn_lepton._workers.serialization import run_payload, unwrap
from sklearn_lepton.exceptions import WorkersDiedError

# ------------------------------------------------------------------------- dask

_MAX_SHARED = 20  # times that the data are sent in vain before that is an error
_MAX_ABSENT = 60  # seconds without a worker


class Dask(FutureWorkers):
    """Fits run as tasks of a dask cluster.

    Not through joblib's own backend for dask, which waits for ever for a worker that is gone.

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
        self._begun: dict[str, float] = {}
        self._topic = f"sklearn_lepton-{uuid.uuid4().hex}"
        self._shared: Any = None

    def open(self, constants: Sequence[Any]) -> None:
        """Send all workers what all fits have in common."""
        self._package = _package(constants)
        self._client.subscribe_topic(self._topic, self._on_begin)

    def _on_begin(self, event: Any) -> None:
        self._begun[event[1]] = time.monotonic()

    def _share(self) -> None:
        """Send the data to the workers that there are; some of them may be on their way out."""
        for n_tried in range(_MAX_SHARED):
            try:
                self._client.wait_for_workers(1, timeout=_MAX_ABSENT)
            except TimeoutError as error:
                msg = (
                    f"No worker of the dask cluster has come back in {_MAX_ABSENT} s: see the log "
                    "of the cluster. The trials that had finished are in trials_ and cv_results_."
                )
                raise WorkersDiedError(msg) from error
            try:
                # A list of one: scatter takes a tuple for several data.
                [self._shared] = self._client.scatter(
                    [self._package.content], broadcast=True, hash=False
                )
            except (OSError, ValueError, KeyError):  # of a scheduler that has just lost a worker
                if n_tried + 1 == _MAX_SHARED:
                    raise
                time.sleep(0.5)
            else:
                return

    def submit(self, fit: Fit) -> "Future[Any]":
        """Start a fit on the cluster."""
        if self._shared is None or self._shared.status != "finished":  # gone with its workers
            self._share()
        key = f"sklearn_lepton-{uuid.uuid4().hex}"
        task = self._client.submit(
            _run_on_dask,
            self._shared,
            self._package.wrap(fit),
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
        """Return the row of a future that is done, or raise what it raised."""
        task = self._tasks.pop(future)
        has_begun = self._begun.pop(task.key, None) is not None
        if task.status == "finished":
            # With its worker a result can go before it is fetched.
            with suppress(CancelledError):
                return unwrap(task.result())
        if task.status != "error":  # with its worker went the data that it needs
            raise WorkerDied("the dask worker is gone", has_begun=has_begun)
        error = task.exception()
        if isinstance(error, _killed_worker()):  # dask has repeated it on other workers
            raise WorkerDied(f"The workers died in this fit: {error}", is_final=True)
        raise error

    def seconds(self, future: "Future[Any]") -> float:
        """Return how long ago a fit has begun; 0.0 if it waits."""
        begun = self._begun.get(self._tasks[future].key)
        return 0.0 if begun is None else time.monotonic() - begun

    def end(self, future: "Future[Any]") -> None:
        """Kill the worker process that runs a fit; what else runs there is run again."""
        self._end([self._tasks.pop(future)])

    def _end(self, tasks: list[Any]) -> None:
        keys = {task.key for task in tasks}
        processing = self._client.processing()
        addresses = [place for place, running in processing.items() if keys & set(running)]
        self._client.cancel(tasks, force=True)
        if addresses:
            # The nanny can kill a worker that is deaf inside of compiled code.
            self._client.run(_kill, workers=addresses, nanny=True, wait=False, on_error="ignore")

    def close(self) -> None:
        """End what runs, and let go of the data."""
        running = [task for future, task in self._tasks.items() if not future.done()]
        self._tasks.clear()
        if hasattr(self, "_package"):
            del self._package  # the run closes what the evaluator has closed already
            if running:
                self._end(running)
            self._client.unsubscribe_topic(self._topic)
            if self._shared is not None:
                self._shared.release()


def _run_on_dask(content: Any, payload: bytes, topic: str, key: str) -> bytes:
    """Run a fit in a dask worker, and send word when it begins."""
    from distributed import get_client, get_worker  # noqa: PLC0415 - an extra

    client = get_client()
    _settle(client, get_worker().address)
    return run_payload(content, payload, begin=lambda: client.log_event(topic, key))


_settled: set[str] = set()


def _settle(client: Any, address: str) -> None:
    """Wait, once, until the nanny knows that this worker has started.

    A worker that dies before that is not started again.
    """
    if address in _settled:
        return
    for _ in range(100):
        answers = client.run(_status, workers=[address], nanny=True, on_error="return")
        if not answers or "running" in answers.values():  # there may be no nanny
            break
        time.sleep(0.05)
    _settled.add(address)


def _status(dask_worker: Any) -> str:
    """Return what a nanny knows of its worker."""
    return str(dask_worker.process.status.name)


async def _kill(dask_worker: Any) -> None:
    """Kill a worker from its nanny, which starts it anew; async, since nobody waits for it."""
    while _status(dask_worker) == "starting":  # noqa: ASYNC110 - the nanny has no event for it
        await asyncio.sleep(0.05)
    os.kill(dask_worker.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
