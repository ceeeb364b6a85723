"""Workers on this machine: the calling thread, threads and processes."""

import math
import multiprocessing
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Any

from joblib import effective_n_jobs
from sklearn.utils.parallel import delayed

from sklearn_lepton._runtime.interrupts import uninterrupted
from sklearn_lepton._typing import FitCall, Row, WorkerDied, Workers
from sklearn_lepton._workers.base import FutureWorkers
from sklearn_lepton._workers.dask import Dask
from sklearn_lepton._workers.joblib import (
    BrokenProcessPool,
    active_backend,
    exit_reason,
    idle_timeout,
    is_backend,
    is_nested,
    nested_backend,
    worker_environment,
)
from sklearn_lepton._workers.pool import WorkerProcess, end_together, process_pool
from sklearn_lepton._workers.ray import Ray
from sklearn_lepton._workers.serialization import (
    MemmapFolder,
    SharedContext,
    deserialize_outcome,
    run_fit,
    run_in_worker,
    seconds_since,
)

_MAX_RELEASE = 3.0  # seconds for an idle process to close the files of a search


def make_workers(n_jobs: int | None, parallel: Any, *, must_end: bool) -> Workers:
    """Return the workers for joblib's active backend.

    Parameters
    ----------
    n_jobs : int or None
        The number of jobs as in joblib.
    parallel : joblib.Parallel
        Runs the fits on backends that only take whole batches.
    must_end : bool
        Whether fits may have to be ended, which needs a process even with ``n_jobs=1``.

    Returns
    -------
    workers : Workers
    """
    backend = active_backend()
    n_workers = effective_n_jobs(n_jobs)
    if is_backend(backend, "dask", "DaskDistributedBackend"):
        return Dask(backend.client, n_workers)
    if is_backend(backend, "ray", "RayBackend"):
        return Ray(n_workers, backend)
    is_loky = is_backend(backend, "loky")
    is_daemon = multiprocessing.current_process().daemon  # daemons may not start processes
    if must_end and not is_daemon and (is_nested(backend) or is_loky):
        return Processes(n_workers, backend)
    if n_workers == 1:
        return Caller()
    if is_loky:
        return Processes(n_workers, backend)
    if is_backend(backend, "threading"):
        return Threads(n_workers, backend)
    return Batches(n_workers, parallel)


class Caller(FutureWorkers):
    """Fits run in the calling thread, one after the other, during `wait`."""

    n_workers = 1
    is_here = True

    def __init__(self) -> None:
        self._fits: dict[Future[Any], FitCall] = {}

    def submit(self, fit: FitCall) -> "Future[Any]":
        """Store a fit for `wait`, which runs it."""
        future: Future[Any] = Future()
        self._fits[future] = fit
        return future

    def wait(self, futures: Iterable["Future[Any]"], timeout: float | None) -> None:
        """Run the submitted fit."""
        del timeout
        for future in futures:
            fit = self._fits.pop(future)
            try:
                row = run_fit(fit)
            except Exception as error:  # noqa: BLE001 - raised by `row`
                future.set_exception(error)
            else:
                future.set_result(row)


class Batches(Caller):
    """Fits run in batches by joblib, for backends such as multiprocessing and Spark.

    Parameters
    ----------
    n_workers : int
    parallel : joblib.Parallel
    """

    n_slots = math.inf
    is_here = False

    def __init__(self, n_workers: int, parallel: Any) -> None:
        super().__init__()
        self.n_workers = n_workers
        self._parallel = parallel

    def wait(self, futures: Iterable["Future[Any]"], timeout: float | None) -> None:
        """Run all submitted fits."""
        del timeout
        futures = list(futures)
        fits = [self._fits.pop(future) for future in futures]
        rows = self._parallel(delayed(run_fit)(fit) for fit in fits)
        for future, row in zip(futures, rows, strict=True):
            future.set_result(row)


class Threads(FutureWorkers):
    """Fits run in threads, which cannot be ended.

    Parameters
    ----------
    n_workers : int
    backend : joblib backend
    """

    is_here = True

    def __init__(self, n_workers: int, backend: Any) -> None:
        self.n_workers = n_workers
        self._nested = nested_backend(backend)
        self._pool = ThreadPoolExecutor(n_workers, thread_name_prefix="sklearn_lepton")

    def submit(self, fit: FitCall) -> "Future[Any]":
        """Start a fit in a thread."""
        return self._pool.submit(run_fit, fit, self._nested)

    def close(self) -> None:
        """Release the threads; each one ends after its current fit."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class _Slot:
    """A worker process with the files of one search."""

    def __init__(self, process: WorkerProcess, folder: MemmapFolder, number: int) -> None:
        self.process = process
        self._folder = str(folder.path)
        self._begun = folder.path / f"begun-{number}"

    def submit(self, payload: bytes) -> "Future[Any]":
        self._begun.unlink(missing_ok=True)
        return self.process.submit(run_in_worker, self._folder, str(self._begun), payload)

    def seconds(self) -> float:
        return seconds_since(self._begun)

    def has_begun(self) -> bool:
        return self._begun.exists()


class Processes(FutureWorkers):
    """Fits run in processes of this machine, each of which can be killed.

    The processes are taken from the idle ones of this process, and left there at the end.

    Parameters
    ----------
    n_workers : int
    backend : joblib backend
        Limits the threads and processes inside of the fits.
    """

    can_end = True
    is_here = True

    def __init__(self, n_workers: int, backend: Any) -> None:
        self.n_workers = n_workers
        self._backend = backend
        self._idle_timeout = idle_timeout(backend)
        self._folder: MemmapFolder | None = None
        self._n_slots = 0  # so far
        self._slots: set[_Slot] = set()  # the living ones, each registered before it has a process
        self._idle: list[_Slot] = []
        self._busy: dict[Future[Any], _Slot] = {}

    def open(self, shared_objects: Sequence[Any]) -> None:
        """Write the objects that all fits share to a temporary folder."""
        # A single fit at a time may use all cores, as it may in the calling process.
        nested = None if self.n_workers == 1 else nested_backend(self._backend)
        self._context = SharedContext(shared_objects, nested)
        self._folder = MemmapFolder(self._context)
        self._folder.open()
        self._env = worker_environment(self._backend, self.n_workers)

    def submit(self, fit: FitCall) -> "Future[Any]":
        """Start a fit in an idle process, or in a new one."""
        payload = self._context.serialize(fit)
        while self._idle:
            slot = self._idle.pop()
            try:
                return self._keep(slot, slot.submit(payload))
            except BrokenProcessPool:  # it was killed from outside while idle
                self._kill(slot)
        with uninterrupted:  # an unregistered process would not be closed
            slot = self._add_slot()
            return self._keep(slot, slot.submit(payload))

    def _add_slot(self) -> _Slot:
        assert self._folder is not None  # noqa: S101 - for mypy
        slot = _Slot(process_pool.take(self._env), self._folder, self._n_slots)
        self._n_slots += 1
        self._slots.add(slot)
        return slot

    def _keep(self, slot: _Slot, future: "Future[Any]") -> "Future[Any]":
        self._busy[future] = slot
        return future

    def _kill(self, slot: _Slot) -> None:
        process_pool.kill(slot.process)
        self._slots.discard(slot)

    def row(self, future: "Future[Any]") -> Row:
        """Return the split result of a future that is done, or raise its error."""
        slot = self._busy.pop(future)
        try:
            outcome, has_grown = future.result()
        except BrokenProcessPool as error:
            has_begun = slot.has_begun()
            self._kill(slot)
            raise WorkerDied(exit_reason(error), has_begun=has_begun) from error
        if has_grown:
            self._kill(slot)
        else:
            self._idle.append(slot)
        return deserialize_outcome(outcome)

    def seconds(self, future: "Future[Any]") -> float:
        """Return the seconds since a fit began, without the start of its process."""
        return self._busy[future].seconds()

    def end(self, future: "Future[Any]") -> None:
        """Kill the process of a fit and its child processes."""
        self._kill(self._busy.pop(future))

    def close(self) -> None:
        """Leave the idle processes to the next search, kill the others, and remove the folder."""
        idle = [slot.process for slot in self._idle]
        released = process_pool.keep(idle, self._idle_timeout)
        busy = self._slots.difference(self._idle)
        end_together(partial(process_pool.kill, slot.process) for slot in busy)
        self._slots.clear()
        self._busy.clear()
        self._idle.clear()
        if self._folder is not None:
            if sys.platform == "win32":  # open files cannot be removed
                wait(released, _MAX_RELEASE)
            self._folder.remove()
            self._folder = None
