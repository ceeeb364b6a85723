"""Workers: where the fits run, and how one of them is ended."""

import math
import multiprocessing
import os
import re
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from joblib import effective_n_jobs
from joblib.externals.loky import ProcessPoolExecutor
from joblib.externals.loky.backend.utils import kill_process_tree
from joblib.externals.loky.process_executor import BrokenProcessPool
from joblib.parallel import BACKENDS, get_active_backend
from sklearn.utils.parallel import delayed

from sklearn_lepton._runtime.interrupts import uninterrupted
from sklearn_lepton._runtime.output import with_flushable_streams
from sklearn_lepton._typing import Fit, Row, WorkerDied, Workers
from sklearn_lepton._workers.base import FutureWorkers
from sklearn_lepton._workers.dask import Dask
from sklearn_lepton._workers.ray import Ray
from sklearn_lepton._workers.serialization import (
    MemmapFolder,
    SharedContext,
    end_worker,
    run_fit,
    run_in_worker,
    seconds_since,
    start_worker,
    unwrap,
)

# Seconds that idle workers have to end by themselves, and that the kernel has for those killed.
_MAX_EXIT, _MAX_KILL = 3.0, 5.0
_EXIT_CODES = re.compile(r"exit codes of the workers are \{(.*)\}")


def make_workers(n_jobs: int | None, parallel: Any, *, must_end: bool) -> Workers:
    """Make the workers that joblib's configuration asks for.

    Parameters
    ----------
    n_jobs : int or None
        As joblib understands it.
    parallel : joblib.Parallel
        What runs fits on backends that take whole batches only.
    must_end : bool
        Whether fits may have to be ended, which takes a process even for ``n_jobs=1``.

    Returns
    -------
    workers : Workers
    """
    backend, _ = get_active_backend()
    n_workers = effective_n_jobs(n_jobs)
    if _is_backend(backend, "dask", "DaskDistributedBackend"):
        return Dask(backend.client, n_workers)
    if _is_backend(backend, "ray", "RayBackend"):
        return Ray(n_workers, backend)
    is_nested = (backend.nesting_level or 0) > 0
    is_daemon = multiprocessing.current_process().daemon  # which may have no children
    if must_end and not is_daemon and (is_nested or isinstance(backend, BACKENDS["loky"])):
        return Processes(n_workers, backend)
    if n_workers == 1:
        return Caller()
    if isinstance(backend, BACKENDS["loky"]):
        return Processes(n_workers, backend)
    if isinstance(backend, BACKENDS["threading"]):
        return Threads(n_workers, backend)
    return Batches(n_workers, parallel)


def _is_backend(backend: Any, name: str, class_name: str) -> bool:
    """Return whether a backend is of the class registered by a name, which joblib imports late.

    An object can be given as the backend without its class being registered.
    """
    kind = BACKENDS.get(name)
    if isinstance(kind, type) and isinstance(backend, kind):
        return True
    return any(base.__name__ == class_name for base in type(backend).__mro__)


class Caller(FutureWorkers):
    """Fits run in the calling thread, one after the other, while it waits."""

    n_workers = 1
    is_here = True

    def __init__(self) -> None:
        self._fits: dict[Future[Any], Fit] = {}

    def submit(self, fit: Fit) -> "Future[Any]":
        """Take a fit; `wait` runs it."""
        future: Future[Any] = Future()
        self._fits[future] = fit
        return future

    def wait(self, futures: Iterable["Future[Any]"], timeout: float | None) -> None:
        """Run the one fit that there is."""
        del timeout
        for future in futures:
            fit = self._fits.pop(future)
            try:
                row = run_fit(fit)
            except Exception as error:  # noqa: BLE001 - `row` raises it
                future.set_exception(error)
            else:
                future.set_result(row)


class Batches(Caller):
    """Fits run by joblib, as many at once as there are: multiprocessing, Spark and others.

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
        """Run all fits that were submitted."""
        del timeout
        futures = list(futures)
        fits = [self._fits.pop(future) for future in futures]
        rows = self._parallel(delayed(run_fit)(fit) for fit in fits)
        for future, row in zip(futures, rows, strict=True):
            future.set_result(row)


class Threads(FutureWorkers):
    """Fits run in threads, which nothing can end.

    Parameters
    ----------
    n_workers : int
    backend : joblib backend
    """

    is_here = True

    def __init__(self, n_workers: int, backend: Any) -> None:
        self.n_workers = n_workers
        self._nested = backend.get_nested_backend()
        self._pool = ThreadPoolExecutor(n_workers, thread_name_prefix="sklearn_lepton")

    def submit(self, fit: Fit) -> "Future[Any]":
        """Start a fit in a thread."""
        return self._pool.submit(run_fit, fit, self._nested)

    def close(self) -> None:
        """Let go of the threads: those in the middle of a fit end with it."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class _Slot:
    """One worker process, which runs one fit at a time, so that its end has one cause."""

    def __init__(self, folder: MemmapFolder, number: int, env: dict[str, str]) -> None:
        self._folder = str(folder.path)
        self._begun = folder.path / f"begun-{number}"
        self._executor = ProcessPoolExecutor(
            max_workers=1, env=env, initializer=start_worker, initargs=(os.getpid(),)
        )

    def submit(self, payload: bytes) -> "Future[Any]":
        self._begun.unlink(missing_ok=True)
        with with_flushable_streams():
            future: Future[Any] = self._executor.submit(
                run_in_worker, self._folder, str(self._begun), payload
            )
        return future

    def seconds(self) -> float:
        return seconds_since(self._begun)

    def has_begun(self) -> bool:
        return self._begun.exists()

    def kill(self) -> None:
        # The executor that finds its process dead cleans up. Told to kill it in the moment after
        # a `submit` it would stumble over that fit instead.
        manager = self._executor._executor_manager_thread  # noqa: SLF001
        for process in list(self._executor._processes.values()):  # noqa: SLF001
            kill_process_tree(process)
        if manager is not None:
            manager.join(timeout=_MAX_KILL)
        self._executor.shutdown(wait=True, kill_workers=True)

    def close(self) -> None:
        """Have an idle process end by itself, and kill it if it does not."""
        manager = self._executor._executor_manager_thread  # noqa: SLF001
        with suppress(BrokenProcessPool):  # somebody killed it while it waited
            self._executor.submit(end_worker)
        if manager is not None:
            manager.join(timeout=_MAX_EXIT)
        self.kill()


class Processes(FutureWorkers):
    """Fits run in processes of this machine, which can be killed one by one.

    Parameters
    ----------
    n_workers : int
    backend : joblib backend
        Limits threads and processes inside of the fits.
    """

    can_end = True
    is_here = True

    def __init__(self, n_workers: int, backend: Any) -> None:
        self.n_workers = n_workers
        self._backend = backend
        self._folder: MemmapFolder | None = None
        self._slots: list[_Slot] = []  # all there have been, known before they have a process
        self._idle: list[_Slot] = []
        self._busy: dict[Future[Any], _Slot] = {}

    def open(self, constants: Sequence[Any]) -> None:
        """Write down what all fits have in common."""
        # The only fit that runs may use all cores, as it may in the caller's own process.
        nested = None if self.n_workers == 1 else self._backend.get_nested_backend()
        self._package = SharedContext(constants, nested)
        self._folder = MemmapFolder(self._package)
        self._folder.open()
        self._env = self._backend._prepare_worker_env(self.n_workers)  # noqa: SLF001

    def submit(self, fit: Fit) -> "Future[Any]":
        """Start a fit in a process that waits for one, or in a new one."""
        payload = self._package.wrap(fit)
        while self._idle:
            slot = self._idle.pop()
            try:
                return self._keep(slot, slot.submit(payload))
            except BrokenProcessPool:  # somebody killed it while it waited
                slot.kill()
        assert self._folder is not None  # noqa: S101 - for mypy
        with uninterrupted:  # a process that is not known yet would stay
            slot = _Slot(self._folder, len(self._slots), self._env)
            self._slots.append(slot)
            return self._keep(slot, slot.submit(payload))

    def _keep(self, slot: _Slot, future: "Future[Any]") -> "Future[Any]":
        self._busy[future] = slot
        return future

    def row(self, future: "Future[Any]") -> Row:
        """Return the row of a future that is done, or raise what it raised."""
        slot = self._busy.pop(future)
        try:
            outcome = future.result()
        except BrokenProcessPool as error:
            has_begun = slot.has_begun()
            slot.kill()
            codes = _EXIT_CODES.search(str(error))
            reason = f"exit code {codes[1]}" if codes else str(error)
            raise WorkerDied(reason, has_begun=has_begun) from error
        self._idle.append(slot)
        return unwrap(outcome)

    def seconds(self, future: "Future[Any]") -> float:
        """Return how long a fit has run by now, not counting the start of its process."""
        return self._busy[future].seconds()

    def end(self, future: "Future[Any]") -> None:
        """Kill the process of a fit, and its children."""
        self._busy.pop(future).kill()

    def close(self) -> None:
        """End all processes, those in the middle of a fit by force, and remove the data."""
        ends = [slot.close if slot in self._idle else slot.kill for slot in self._slots]
        threads = [threading.Thread(target=end, daemon=True) for end in ends]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + _MAX_EXIT + _MAX_KILL
        for thread in threads:  # at once: a process may take its time to end
            thread.join(max(0.0, deadline - time.monotonic()))
        self._slots.clear()
        self._busy.clear()
        self._idle.clear()
        if self._folder is not None:
            self._folder.remove()
            self._folder = None
