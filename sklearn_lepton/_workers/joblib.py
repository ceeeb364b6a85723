"""Adapter to joblib and loky: the only module that uses names which their documentation omits.

``tests/workers/test_joblib_adapter.py`` states the behavior that each of these names must have.
"""

import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from multiprocessing import process as multiprocessing_process
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

from joblib.externals.loky import ProcessPoolExecutor, process_executor
from joblib.externals.loky.backend import resource_tracker
from joblib.externals.loky.backend.reduction import get_loky_pickler
from joblib.externals.loky.backend.utils import kill_process_tree
from joblib.externals.loky.process_executor import BrokenProcessPool
from joblib.parallel import BACKENDS, get_active_backend

__all__ = [
    "Backend",
    "BrokenProcessPool",
    "SingleWorkerExecutor",
    "active_backend",
    "call_at_exit",
    "exit_reason",
    "idle_timeout",
    "is_backend",
    "is_nested",
    "keep_grown_workers",
    "nested_backend",
    "nested_threads",
    "pickler_class",
    "track_folder",
    "untrack_folder",
    "worker_environment",
]

_EXIT_CODES = re.compile(r"exit codes of the workers are \{(.*)\}")

# A joblib backend and its number of jobs.
Backend = tuple[Any, int | None]


def active_backend() -> Any:
    """Return the backend of the innermost `joblib.parallel_config`, or joblib's default."""
    return get_active_backend()[0]


def is_backend(backend: Any, name: str, class_name: str = "") -> bool:
    """Return whether a backend is of the class that is registered under a name.

    Parameters
    ----------
    backend : joblib backend
    name : str
    class_name : str, default=""
        Name of a class that is accepted as well. A backend can be passed as an object, and then
        its class need not be registered.

    Returns
    -------
    is_backend : bool
    """
    registered = BACKENDS.get(name)
    if isinstance(registered, type) and isinstance(backend, registered):
        return True
    return any(base.__name__ == class_name for base in type(backend).__mro__)


def is_nested(backend: Any) -> bool:
    """Return whether the caller is itself a job of a parallel call."""
    return (backend.nesting_level or 0) > 0


def nested_backend(backend: Any) -> Backend:
    """Return the backend for parallel calls inside of a backend's jobs."""
    return backend.get_nested_backend()  # type: ignore[no-any-return]


def nested_threads() -> Backend:
    """Return the backend for parallel calls inside of the workers of a cluster, as in loky's."""
    return BACKENDS["threading"](nesting_level=1), None


def worker_environment(backend: Any, n_workers: int) -> dict[str, str]:
    """Return the environment variables that limit the threads of each worker process."""
    return backend._prepare_worker_env(n_workers)  # type: ignore[no-any-return]


def idle_timeout(backend: Any) -> float:
    """Return the seconds after which an idle worker process ends; joblib's default is 300.

    It is the ``idle_worker_timeout`` of `joblib.parallel_config`.
    """
    given = getattr(backend, "backend_kwargs", {}).get("idle_worker_timeout")
    try:
        return 300.0 if given is None else float(given)
    except (TypeError, ValueError):
        msg = f"idle_worker_timeout must be a number of seconds or None. Got {given!r} instead."
        raise ValueError(msg) from None


def keep_grown_workers() -> None:
    """Have loky end no worker process, which calls this, for the memory that it uses.

    loky counts the pages of memory-mapped data, too, and warns of the end from a thread.
    """
    process_executor._USE_PSUTIL = False


def call_at_exit(function: Callable[[], None]) -> None:
    """Call a function when this program ends, before loky waits for its processes.

    Functions of `atexit` come later. A child of multiprocessing, which calls none of these, has
    finalizers, and waits for its processes after them.
    """
    with suppress(AttributeError, RuntimeError):  # the second one if the program is ending
        threading._register_atexit(function)  # type: ignore[attr-defined]
    Finalize(None, function, exitpriority=100)


def pickler_class() -> Any:
    """Return loky's pickler: cloudpickle, unless the user has chosen another one."""
    return get_loky_pickler()


def track_folder(path: Path) -> None:
    """Have loky's resource tracker remove a folder once this process has ended."""
    resource_tracker.register(str(path), "folder")


def untrack_folder(path: Path) -> None:
    """Undo `track_folder`."""
    resource_tracker.unregister(str(path), "folder")


def exit_reason(error: BrokenProcessPool) -> str:
    """Return the exit code of a worker process, or else the message of loky's error."""
    codes = _EXIT_CODES.search(str(error))
    return f"exit code {codes[1]}" if codes else str(error)


class SingleWorkerExecutor:
    """A loky executor with one worker process, which can be killed while it works.

    Parameters
    ----------
    env : dict of str
        Environment variables of the process.
    initializer : callable
        Called in the new process.
    initargs : sequence
        Its arguments.
    """

    def __init__(
        self, env: dict[str, str], initializer: Callable[..., None], initargs: Sequence[Any]
    ) -> None:
        self._executor = ProcessPoolExecutor(
            max_workers=1, env=env, initializer=initializer, initargs=tuple(initargs)
        )

    @property
    def is_broken(self) -> bool:
        """Whether the process has died."""
        return self._executor._flags.broken is not None

    def submit(self, function: Callable[..., Any], *args: Any) -> "Future[Any]":
        """Call a function in the process; raise BrokenProcessPool if the process has died."""
        return self._executor.submit(function, *args)  # type: ignore[no-any-return]

    def kill(self, timeout: float) -> None:
        """Kill the process and its children.

        Parameters
        ----------
        timeout : float
            Seconds to wait for loky's thread to notice.
        """
        # loky's own ``kill_workers`` fails in the moment after a `submit`: it finds a job whose
        # process is gone. Its manager thread cleans up once it finds the process dead.
        manager = self._executor._executor_manager_thread
        for process in list(self._executor._processes.values()):
            kill_process_tree(process)
        if manager is not None:
            manager.join(timeout=timeout)
        self._executor.shutdown(wait=True, kill_workers=True)

    def close(self, end_process: Callable[[], None], timeout: float) -> None:
        """Have an idle process end itself.

        Parameters
        ----------
        end_process : callable
            Called in the process to end it.
        timeout : float
            Seconds to wait for its end.
        """
        manager = self._executor._executor_manager_thread
        with suppress(RuntimeError):  # it was killed while it was idle, or the program ends
            self._executor.submit(end_process)
        if manager is not None:
            manager.join(timeout=timeout)

    def forget(self) -> None:
        """Leave the process to the parent of this process, which is a fork of its owner."""
        for process in self._executor._processes.values():
            multiprocessing_process._children.discard(process)  # type: ignore[attr-defined]
