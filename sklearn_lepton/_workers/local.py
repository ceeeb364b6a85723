"""Workers on this machine: the calling thread, threads and processes."""

import math
import multiprocessing
import os
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from joblib import effective_n_jobs
from sklearn.utils.parallel import delayed

from sklearn_lepton._runtime.interrupts import uninterrupted
from sklearn_lepton._runtime.output import with_flushable_streams
from sklearn_lepton._typing import FitCall, Row, WorkerDied, Workers
from sklearn_lepton._workers.base import FutureWorkers
from sklearn_lepton._workers.dask import Dask
from sklearn_lepton._workers.joblib import (
    BrokenProcessPool,
    SingleWorkerExecutor,
    active_backend,
    exit_reason,
    is_backend,
    is_nested,
    nested_backend,
    worker_environment,
)
from sklearn_lepton._workers.ray import Ray
from sklearn_lepton._workers.serialization import (
    MemmapFolder,
    SharedContext,
    deserialize_outcome,
    end_worker,
    run_fit,
    run_in_worker,
    seconds_since,
    start_worker,
)

# Seconds for an idle process to end itself, and for a killed one to disappear.
_MAX_EXIT, _MAX_KILL = 3.0, 5.0


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
    """A worker process that runs one fit at a time, so that its death belongs to one fit."""

    def __init__(self, folder: MemmapFolder, number: int, env: dict[str, str]) -> None:
        self._folder = str(folder.path)
        self._begun = folder.path / f"begun-{number}"
        self._executor = SingleWorkerExecutor(env, start_worker, [os.getpid()])

    def submit(self, payload: bytes) -> "Future[Any]":
        self._begun.unlink(missing_ok=True)
        with with_flushable_streams():
            return self._executor.submit(run_in_worker, self._folder, str(self._begun), payload)

    def seconds(self) -> float:
        return seconds_since(self._begun)

    def has_begun(self) -> bool:
        return self._begun.exists()

    def kill(self) -> None:
        self._executor.kill(_MAX_KILL)

    def close(self) -> None:
        """Have an idle process end itself, and kill it if it takes too long."""
        self._executor.close(end_worker, _MAX_EXIT)
        self.kill()


class Processes(FutureWorkers):
    """Fits run in processes of this machine, each of which can be killed.

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
        self._folder: MemmapFolder | None = None
        self._slots: list[_Slot] = []  # all so far, each registered before it has a process
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
                slot.kill()
        assert self._folder is not None  # noqa: S101 - for mypy
        with uninterrupted:  # an unregistered process would not be closed
            slot = _Slot(self._folder, len(self._slots), self._env)
            self._slots.append(slot)
            return self._keep(slot, slot.submit(payload))

    def _keep(self, slot: _Slot, future: "Future[Any]") -> "Future[Any]":
        self._busy[future] = slot
        return future

    def row(self, future: "Future[Any]") -> Row:
        """Return the split result of a future that is done, or raise its error."""
        slot = self._busy.pop(future)
        try:
            outcome = future.result()
        except BrokenProcessPool as error:
            has_begun = slot.has_begun()
            slot.kill()
            raise WorkerDied(exit_reason(error), has_begun=has_begun) from error
        self._idle.append(slot)
        return deserialize_outcome(outcome)

    def seconds(self, future: "Future[Any]") -> float:
        """Return the seconds since a fit began, without the start of its process."""
        return self._busy[future].seconds()

    def end(self, future: "Future[Any]") -> None:
        """Kill the process of a fit and its child processes."""
        self._busy.pop(future).kill()

    def close(self) -> None:
        """End the idle processes, kill the others, and remove the temporary folder."""
        ends = [slot.close if slot in self._idle else slot.kill for slot in self._slots]
        threads = [threading.Thread(target=end, daemon=True) for end in ends]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + _MAX_EXIT + _MAX_KILL
        for thread in threads:  # together, so that their waiting times do not add up
            thread.join(max(0.0, deadline - time.monotonic()))
        self._slots.clear()
        self._busy.clear()
        self._idle.clear()
        if self._folder is not None:
            self._folder.remove()
            self._folder = None
