"""The inside of a worker process: its start, its rest between searches, its end."""

import atexit
import contextlib
import ctypes
import gc
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_lepton._workers.joblib import keep_grown_workers
from sklearn_lepton._workers.user_modules import UserModules

# As loky's: a process whose own memory has grown by more bytes is replaced.
_MAX_GROWTH = 300_000_000
_CHECK_PAUSE = 1.0  # seconds between two looks at the memory
_MAX_END = 3  # whole seconds for the exit functions
_PR_SET_PDEATHSIG = 1  # option of Linux's ``prctl``

_release_functions: list[Callable[[], object]] = []


def at_release(function: Callable[[], object]) -> None:
    """Register a function that a worker process calls once a search has ended."""
    _release_functions.append(function)


def start_worker(parent: int) -> None:
    """Initialize a worker process: ignore Ctrl-C, and end once the search's process has ended.

    A terminal sends Ctrl-C to all processes; only the search handles it.

    Parameters
    ----------
    parent : int
        The id of the search's process, which cannot end its workers if it is killed.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        _ask_for_death_signal()
    threading.Thread(target=_exit_with_parent, args=(parent,), daemon=True).start()
    keep_grown_workers()
    _process.start()


def _ask_for_death_signal() -> None:
    """Have the kernel kill this process once the thread that started it has ended.

    The thread of `_exit_with_parent` cannot run while compiled code holds the interpreter's lock.
    The thread that starts all workers lives as long as its process.
    """
    with contextlib.suppress(OSError, AttributeError):  # without it, `_exit_with_parent` remains
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _exit_with_parent(parent: int) -> None:
    """Wait for the end of the parent process, then end this process."""
    if sys.platform == "win32":
        # On Windows, `getppid` never changes. loky passes a handle of the parent to wait for.
        process = multiprocessing.parent_process()
        if process is None:
            return
        process.join()
    else:
        while os.getppid() == parent:
            time.sleep(1.0)
    os._exit(1)


class _Process:
    """State of this worker process.

    A fit may change the state of its process, which the next fit sees. The next search does not:
    it gets a process as it was started.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._end: threading.Timer | None = None
        self._start_memory: int | None = None
        self._memory: int | None = None  # after a search's first fit, which may load libraries
        self._last_check = -float("inf")
        self._n_modules = 0  # that collections leave out
        self._modules = UserModules()

    def start(self) -> None:
        """Remember the state of the new process."""
        self._collect()
        self._start_memory = own_memory()
        self._folder = _current_folder()
        self._path, self._environment = list(sys.path), dict(os.environ)
        self._filters, self._errors = list(warnings.filters), np.geterr()
        self._modules.note()

    def note_modules(self, since: int) -> None:
        """Remember the modules that have been loaded since a time."""
        self._modules.note(since)

    def has_grown(self) -> bool:
        """Return whether the fits of this process have left much memory behind."""
        if time.monotonic() - self._last_check < _CHECK_PAUSE:
            return False
        self._last_check = time.monotonic()
        if self._memory is None:
            self._memory = own_memory()
        return _has_grown(self._memory)

    def release(self, idle_timeout: float) -> None:
        """Forget a search, and end this process if it is not needed for some seconds."""
        try:
            for function in _release_functions:
                function()
            self._restore()
        except Exception:  # noqa: BLE001 - a process in an unknown state is of no use
            end_worker()
        self._collect()
        with contextlib.suppress(Exception):  # other C libraries have none
            ctypes.CDLL(None).malloc_trim(0)
        self._memory = None
        if _has_grown(self._start_memory):
            end_worker()
        seconds = min(idle_timeout, threading.TIMEOUT_MAX)
        self._end = threading.Timer(seconds, self._end_if_idle, [self._lock])
        self._end.daemon = True
        self._end.start()

    def _collect(self) -> None:
        """Delete what nobody refers to; leave new modules out of later collections.

        With the modules a collection takes 50 ms, as long as the fits of a small search.
        """
        gc.collect()
        if len(sys.modules) > self._n_modules:
            self._n_modules = len(sys.modules)
            gc.freeze()

    def _restore(self) -> None:
        """Undo what the fits have changed for their whole process."""
        if self._folder is not None and self._folder != _current_folder():
            os.chdir(self._folder)
        sys.path[:] = self._path
        for name in os.environ.keys() - self._environment.keys():
            del os.environ[name]
        os.environ.update(self._environment)
        warnings.resetwarnings()  # has the filters of each module forgotten
        warnings.filters[:] = self._filters  # type: ignore[index]
        np.seterr(**self._errors)
        np.random.seed()  # noqa: NPY002 - the generator of fits without a seed
        random.seed()

    def _end_if_idle(self, lock: threading.Lock) -> None:
        """End this process, unless it has been woken."""
        with lock:
            if lock is self._lock:
                end_worker()

    def wake(self) -> bool:
        """Stop waiting for the end of the idle time; see `wake_worker`."""
        with self._lock:
            self._lock = threading.Lock()
        if self._end is not None:
            self._end.cancel()
            self._end = None
        return not self._modules.have_changed()


_process = _Process()


def release_worker(idle_timeout: float) -> None:
    """Forget a search in this worker process, which then rests.

    Data, code and files of the search are released, and the state of the process is restored.

    Parameters
    ----------
    idle_timeout : float, seconds
        The process ends itself unless `wake_worker` comes before.
    """
    _process.release(idle_timeout)


def wake_worker() -> bool:
    """Prepare this worker process for its next search.

    Returns
    -------
    is_ready : bool
        False if a module of the user's has changed since this process loaded it.
    """
    return _process.wake()


def note_modules(since: int) -> None:
    """Remember the user's modules that a fit has loaded, to notice if they change.

    Parameters
    ----------
    since : int, nanoseconds since the epoch
        Begin of the fit.
    """
    _process.note_modules(since)


def has_grown() -> bool:
    """Return whether this process should be replaced, since its fits have left memory behind."""
    return _process.has_grown()


def end_worker() -> None:
    """End this process after its exit functions, or without them if they take too long.

    `sys.exit` would also tear down all modules, which takes longer than many fits.
    """
    if hasattr(signal, "alarm"):
        with contextlib.suppress(ValueError):  # another thread cannot set the handler
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(_MAX_END)
    atexit._run_exitfuncs()  # noqa: SLF001 - as `multiprocessing` does
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)


def own_memory() -> int | None:
    """Return the bytes that this process uses; None if the system does not tell.

    On Linux the pages of memory-mapped data do not count; elsewhere the number needs psutil.
    """
    with contextlib.suppress(OSError, ValueError):
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()
        return (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(Exception):
        return int(import_module("psutil").Process().memory_info().rss)
    return None


def _has_grown(reference: int | None) -> bool:
    if reference is None or not _exceeds(reference):
        return False
    gc.collect()
    return _exceeds(reference)


def _exceeds(reference: int) -> bool:
    memory: Any = own_memory()
    return memory is not None and memory - reference > _MAX_GROWTH


def _current_folder() -> str | None:
    """Return the working folder; None if it has been removed."""
    with contextlib.suppress(OSError):
        return os.getcwd()  # noqa: PTH109 - a path to return to, as it is
    return None
