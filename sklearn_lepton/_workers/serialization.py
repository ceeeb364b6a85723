"""Payload: what a worker is sent; the data once, and a few kilobytes for each fit."""

import atexit
import contextlib
import ctypes
import io
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from joblib import parallel_config
from joblib.externals.loky.backend.reduction import get_loky_pickler

from sklearn_lepton._runtime.errors import abridge
from sklearn_lepton._typing import Fit, WorkerDied
from sklearn_lepton._workers.temporary_folders import make_temporary_folder, remove_folder

# Larger arrays are files that all workers of a machine map into their memory.
_MIN_MAPPED = 100_000
_PR_SET_PDEATHSIG = 1  # of Linux's prctl


class SharedContext:
    """What the fits of a search have in common, and how to refer to it.

    Parameters
    ----------
    constants : sequence of object
        What is the same object in each fit: data, splits, scorers.
    nested : tuple (backend, n_jobs) or None
        What joblib is to run inside of a fit; None is what it would anyway.
    """

    def __init__(self, constants: Sequence[Any], nested: tuple[Any, int | None] | None) -> None:
        sent = [getattr(constant, "_for_workers", lambda c=constant: c)() for constant in constants]
        self._constants = constants  # an object that is gone would leave its identity to another
        self.content = (sent, nested)
        self._places = {id(constant): place for place, constant in enumerate(constants)}

    def wrap(self, fit: Fit) -> bytes:
        """Serialize one fit, with the constants replaced by their places.

        Parameters
        ----------
        fit : tuple (function, args, kwargs)

        Returns
        -------
        payload : bytes
        """
        return _dumps(fit, lambda value: self._places.get(id(value)))


class MemmapFolder:
    """A folder with a package, which is gone once the search is, even if it is killed.

    Parameters
    ----------
    package : Package
    """

    def __init__(self, package: SharedContext) -> None:
        self._package = package
        self._path: Path | None = None

    @property
    def path(self) -> Path:
        """Where it is, once it is open."""
        assert self._path is not None  # noqa: S101 - for mypy
        return self._path

    def open(self) -> None:
        """Write the package where there is room for it, in memory if possible."""
        make_temporary_folder(in_memory=True, fill=self._write)

    def _write(self, path: Path) -> None:
        self._path = path
        names: dict[int, str] = {}

        def save(value: Any) -> str | None:
            is_plain = type(value) in {np.ndarray, np.memmap} and not value.dtype.hasobject
            if not is_plain or value.nbytes < _MIN_MAPPED:
                return None
            if id(value) not in names:
                names[id(value)] = name = f"{len(names)}.npy"
                kept.append(value)
                np.save(path / name, value, allow_pickle=False)
            return names[id(value)]

        kept: list[Any] = []  # as above
        (path / "package").write_bytes(_dumps(self._package.content, save))

    def remove(self) -> None:
        """Remove the folder."""
        if self._path is not None:
            remove_folder(self._path)


def start_worker(parent: int) -> None:
    """Leave Ctrl-C, which every process of a terminal gets, to the search; end with it.

    Parameters
    ----------
    parent : int
        The process of the search. One that is killed can end nobody itself.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        _ask_for_death_signal()
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def end_worker() -> None:
    """Run what is registered for the end of this process, and end it.

    The interpreter would also take down all modules, which takes longer than many a fit.
    """
    atexit._run_exitfuncs()  # noqa: SLF001 - as `multiprocessing` does
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)


def _ask_for_death_signal() -> None:
    """Have the kernel kill this process once the thread that has started it ends.

    Our own thread cannot run while compiled code holds the interpreter's lock. The starting thread
    runs the search or is its executor's own; both close the workers before they end.
    """
    with contextlib.suppress(OSError, AttributeError):  # without it, `_follow` remains
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _follow(parent: int) -> None:
    """End this process once its parent has ended."""
    if sys.platform == "win32":
        # There, `getppid` never changes; the parent that loky has noted is a handle to wait for.
        process = multiprocessing.parent_process()
        if process is None:
            return
        process.join()
    else:
        while os.getppid() == parent:
            time.sleep(1.0)
    os._exit(1)


_opened: dict[str, Any] = {}


def run_in_worker(folder: str, begun: str, payload: bytes) -> bytes:
    """Run a fit in a worker process on this machine.

    Parameters
    ----------
    folder : str
        Where the package is.
    begun : str
        Path of a file that is written when all is loaded and the fit begins; see `seconds_since`.
    payload : bytes
        What `SharedContext.wrap` returned.

    Returns
    -------
    outcome : bytes
        For `unwrap`.
    """
    if folder not in _opened:
        content = (Path(folder) / "package").read_bytes()
        _opened.clear()
        _opened[folder] = _loads(content, lambda name: np.load(f"{folder}/{name}", mmap_mode="r"))
    return run_payload(_opened[folder], payload, begin=lambda: _mark(Path(begun)))


def _mark(begun: Path) -> None:
    """Write down now, on the monotonic clock that all processes of a machine share."""
    begun.write_text(repr(time.monotonic()))


def seconds_since(begun: Path) -> float:
    """Return the seconds since a fit has begun; 0.0 if it has not."""
    try:
        return max(0.0, time.monotonic() - float(begun.read_text()))
    except (FileNotFoundError, ValueError):  # ValueError: the file is just being written
        return 0.0


def run_payload(
    content: tuple[Sequence[Any], Any], payload: bytes, *, begin: Callable[[], None] | None = None
) -> bytes:
    """Run a fit where the package's content is at hand.

    Parameters
    ----------
    content : tuple
        The `content` of the package.
    payload : bytes
        What `SharedContext.wrap` returned.
    begin : callable or None
        Called when the fit begins.

    Returns
    -------
    outcome : bytes
        For `unwrap`. Whatever a fit raises is in it, so that no exception that
        cannot be pickled brings a worker down.
    """
    constants, nested = content
    try:
        fit: Fit = _loads(payload, constants.__getitem__)
        if begin is not None:
            begin()
        return _dumps((run_fit(fit, nested), None))
    except BaseException as error:  # noqa: BLE001 - whatever it is, the search decides
        text = traceback.format_exc()
        try:
            outcome = _dumps((None, error))
            _loads(outcome)
        except Exception:  # noqa: BLE001 - many an exception survives only one of both ways
            outcome = _dumps((None, RuntimeError(text)))
        return outcome


def unwrap(outcome: bytes) -> Mapping[str, Any]:
    """Return the row of a fit, or raise what the fit raised."""
    row, error = _loads(outcome)
    if error is not None:
        raise error
    return row  # type: ignore[no-any-return]


def run_fit(fit: Fit, nested: tuple[Any, int | None] | None = None) -> Mapping[str, Any]:
    """Run a fit and add to its row when it began and whether a callback of scikit-learn's stops.

    Parameters
    ----------
    fit : tuple (function, args, kwargs)
    nested : tuple (backend, n_jobs) or None
        What joblib is to run inside of the fit.

    Returns
    -------
    row : dict
        With the keys "start_time" and "stop" added.
    """
    function, args, kwargs = fit
    limits: Any = contextlib.nullcontext()
    if nested is not None:
        limits = parallel_config(backend=nested[0], n_jobs=nested[1])
    start_time = time.time()
    with limits:
        try:
            row = function(*args, **kwargs)
        except SystemExit as error:  # scikit-learn records every other error of a fit
            raise WorkerDied(f"The fit raised {error!r}.", is_final=True) from error
    if row.get("fit_error"):  # a long one is not sent
        row["fit_error"] = abridge(row["fit_error"])
    row["start_time"] = start_time
    row["stop"] = getattr(kwargs.get("callback_ctx"), "is_stopped", False)
    return row  # type: ignore[no-any-return]


class _Pickler(get_loky_pickler()):  # type: ignore[misc]
    """cloudpickle, with a reference in place of each object that `refer` gives one for."""

    def __init__(self, file: io.BytesIO, refer: Callable[[Any], Any]) -> None:
        super().__init__(file)
        self._refer = refer

    def persistent_id(self, obj: Any) -> Any:
        return self._refer(obj)


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, resolve: Callable[[Any], Any]) -> None:
        super().__init__(file)
        self._resolve = resolve

    def persistent_load(self, pid: Any) -> Any:
        return self._resolve(pid)


def _dumps(value: Any, refer: Callable[[Any], Any] = lambda _: None) -> bytes:
    file = io.BytesIO()
    _Pickler(file, refer).dump(value)
    return file.getvalue()


def _loads(data: bytes, resolve: Callable[[Any], Any] = lambda _: None) -> Any:
    """Undo `_dumps`; only ever on what a worker or the search itself has sent."""
    return _Unpickler(io.BytesIO(data), resolve).load()
