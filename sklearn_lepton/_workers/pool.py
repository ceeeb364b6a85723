"""The worker processes of this process, which outlive a search and are used by the next one."""

import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from joblib import cpu_count

from sklearn_lepton._runtime.output import with_flushable_streams
from sklearn_lepton._workers.joblib import SingleWorkerExecutor, call_at_exit
from sklearn_lepton._workers.worker_process import (
    end_worker,
    release_worker,
    start_worker,
    wake_worker,
)

# Seconds for an idle process to end itself, for a killed one to disappear, and for an idle one
# to answer, also if the machine is busy.
_MAX_EXIT, _MAX_KILL, _MAX_WAKE = 3.0, 5.0, 10.0
_OUTPUTS = (1, 2)  # descriptors of standard output and error
_OF_A_TEST = "PYTEST_CURRENT_TEST"  # which pytest changes within each test


@dataclass(frozen=True)
class Surroundings:
    """State of this process that a worker process takes over when it is started.

    Attributes
    ----------
    folder : str or None
        Working folder.
    path : tuple of str
        Places of modules, `sys.path`.
    environment : dict of str
    outputs : tuple
        Files of standard output and error.
    cores : frozenset of int
        CPUs that the calling thread may use.
    """

    folder: str | None
    path: tuple[str, ...]
    environment: dict[str, str]
    outputs: tuple[Any, ...]
    cores: frozenset[int]


def current_surroundings() -> Surroundings:
    """Return the surroundings of a worker process that is started now."""
    folder, cores = None, frozenset[int]()
    with suppress(OSError):  # the folder may have been removed
        folder = os.getcwd()  # noqa: PTH109 - only compared
    if hasattr(os, "sched_getaffinity"):
        cores = frozenset(os.sched_getaffinity(0))
    environment = dict(os.environ)
    environment.pop(_OF_A_TEST, None)
    outputs = tuple(map(_file_of, _OUTPUTS))
    return Surroundings(folder, tuple(sys.path), environment, outputs, cores)


def _file_of(descriptor: int) -> tuple[int, int] | None:
    """Return what identifies an open file."""
    with suppress(OSError):
        status = os.fstat(descriptor)
        return status.st_dev, status.st_ino
    return None


class WorkerProcess:
    """A process that runs one fit at a time, so that its death belongs to one fit.

    Parameters
    ----------
    env : dict of str
        Environment variables that limit its threads.

    Raises
    ------
    FileNotFoundError
        If the working folder has been removed.
    """

    def __init__(self, env: dict[str, str]) -> None:
        self.env = env
        self._surroundings = current_surroundings()
        if self._surroundings.folder is None:
            raise FileNotFoundError(
                "The working folder has been removed, and no process starts in it: change to one "
                "that exists with os.chdir, or set n_jobs=1."
            )
        self._executor = SingleWorkerExecutor(env, start_worker, [os.getpid()])
        self._is_started = False

    def submit(self, function: Callable[..., Any], *args: Any) -> "Future[Any]":
        """Call a function in the process; raise BrokenProcessPool if the process has died."""
        if self._is_started:
            return self._executor.submit(function, *args)
        self._is_started = True
        with with_flushable_streams():
            return _starter.run(self._surroundings.cores, self._executor.submit, function, *args)

    def allows(self, env: dict[str, str], now: Surroundings) -> bool:
        """Return whether the process is as one that is started now."""
        return env == self.env and self._surroundings == now

    def is_outdated(self, now: Surroundings) -> bool:
        """Return whether no process is started in these surroundings any more."""
        return self._executor.is_broken or self._surroundings != now

    def release(self, idle_timeout: float) -> "Future[Any]":
        """Have the process forget its search, and end itself after some idle seconds."""
        return self._executor.submit(release_worker, idle_timeout)

    def wake(self) -> bool:
        """Return whether the process is ready for a search; end it if not."""
        try:
            is_ready: bool = self._executor.submit(wake_worker).result(_MAX_WAKE)
        except (RuntimeError, FutureTimeoutError):  # it has died, or it hangs
            self.kill()
            return False
        if not is_ready:
            _in_background([self])
        return is_ready

    def kill(self) -> None:
        """Kill the process and its child processes."""
        self._executor.kill(_MAX_KILL)

    def close(self) -> None:
        """Have an idle process end itself, and kill it if it takes too long."""
        self._executor.close(end_worker, _MAX_EXIT)
        self.kill()

    def forget(self) -> None:
        """Leave the process to the parent of this process, which is a fork of its owner."""
        self._executor.forget()


class _Starter:
    """The thread that starts all worker processes.

    Linux ends a process together with the thread that started it, if it asks for that. The threads
    of searches end earlier than their workers.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Have another thread start the processes from now on."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sklearn_lepton-starter")

    def run(
        self, cores: Collection[int], function: Callable[..., "Future[Any]"], *args: Any
    ) -> "Future[Any]":
        """Call a function in the thread, on some CPUs, and return what it returns."""
        started: Future[Future[Any]] = self._thread.submit(_on_cores, cores, function, *args)
        return started.result()


def _on_cores(cores: Collection[int], function: Callable[..., Any], *args: Any) -> Any:
    """Call a function on CPUs that a process that is started takes over from its thread."""
    if cores and cores != os.sched_getaffinity(0):
        os.sched_setaffinity(0, cores)
    return function(*args)


class ProcessPool:
    """The worker processes of this process: those that searches use, and idle ones."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[WorkerProcess] = []
        self._used: set[WorkerProcess] = set()
        self._n_max = 0  # of idle ones: as many as were used together, or as there are CPUs
        self._has_exit = False

    def take(self, env: dict[str, str]) -> WorkerProcess:
        """Return an idle process that is as a new one, or else a new one.

        Parameters
        ----------
        env : dict of str
            Environment variables that limit its threads.
        """
        process = (self._take_idle(env) if self._idle else None) or WorkerProcess(env)
        with self._lock:
            self._used.add(process)
            self._n_max = max(self._n_max, len(self._used), cpu_count())
        return process

    def _take_idle(self, env: dict[str, str]) -> WorkerProcess | None:
        now = current_surroundings()
        with self._lock:
            outdated = [process for process in self._idle if process.is_outdated(now)]
            self._idle = [process for process in self._idle if process not in outdated]
        _in_background(outdated)
        while True:
            with self._lock:
                fitting = [process for process in self._idle if process.allows(env, now)]
                if not fitting:
                    return None
                self._idle.remove(fitting[-1])  # the others may reach the end of their time
            if fitting[-1].wake():
                return fitting[-1]

    def kill(self, process: WorkerProcess) -> None:
        """Kill a process that a search uses."""
        process.kill()
        with self._lock:
            self._used.discard(process)

    def keep(self, processes: Iterable[WorkerProcess], idle_timeout: float) -> "list[Future[Any]]":
        """Keep the processes of a search that has ended, and end older ones if there are many.

        Parameters
        ----------
        processes : iterable of WorkerProcess
        idle_timeout : float, seconds
            Time after which an idle process ends.

        Returns
        -------
        released : list of Future
            Done when the processes have released the files of the search.
        """
        released, kept, lost = [], [], []
        for process in processes:
            if idle_timeout <= 0.0:
                lost.append(process)
                continue
            try:
                released.append(process.release(idle_timeout))
                kept.append(process)
            except RuntimeError:  # it has died, or the program ends
                lost.append(process)
        with self._lock:
            self._used.difference_update(kept, lost)
            self._idle += kept
            excess = self._idle[: -self._n_max]
            del self._idle[: -self._n_max]
            if kept and not self._has_exit:
                self._has_exit = True
                call_at_exit(end_idle_workers)
        _in_background([*excess, *lost])
        return released

    def end(self) -> None:
        """End the idle processes, and wait until they have ended."""
        with self._lock:
            idle, self._idle = self._idle, []
        end_together([process.close for process in idle])

    def forget(self) -> None:
        """Leave the processes to the parent of this process, which was just forked."""
        for process in [*self._idle, *self._used]:
            process.forget()
            _inherited.append(process)  # if it were collected, loky would write to its pipe
        self._reset()


def _in_background(processes: Iterable[WorkerProcess]) -> None:
    for process in processes:
        with suppress(RuntimeError):  # the program ends, and its processes with it
            threading.Thread(target=process.close, name="sklearn_lepton-end", daemon=True).start()


def end_together(ends: Iterable[Callable[[], object]]) -> None:
    """Call functions that end processes, and wait for them together."""
    threads = []
    for end in ends:
        thread = threading.Thread(target=end, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no thread starts while the interpreter ends
            end()
        else:
            threads.append(thread)
    deadline = time.monotonic() + _MAX_EXIT + _MAX_KILL
    for thread in threads:  # so that their waiting times do not add up
        thread.join(max(0.0, deadline - time.monotonic()))


def end_idle_workers() -> None:
    """End the idle worker processes of this program.

    Searches with ``n_jobs`` above 1 run their fits in worker processes. At the end of a search
    these processes are idle. The next search uses them, which saves the seconds of a start. They
    end after 300 idle seconds, or the ``idle_worker_timeout`` of `joblib.parallel_config`, and
    with the program. This function ends them now, as to free their memory. Running searches keep
    the processes that they use.

    Examples
    --------
    >>> from sklearn_lepton import end_idle_workers
    >>> end_idle_workers()
    """
    process_pool.end()


_inherited: list[WorkerProcess] = []  # of the process that was forked to this one
_starter = _Starter()
process_pool = ProcessPool()


def _after_fork() -> None:
    process_pool.forget()
    _starter.reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
