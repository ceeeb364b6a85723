"""Payload: what a worker is sent; the data once, and a few kilobytes for each fit."""

import contextlib
import io
import multiprocessing
import os
import pickle
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from joblib import parallel_config
from joblib.externals.loky.backend import resource_tracker
from joblib.externals.loky.backend.reduction import get_loky_pickler

from sklearn_lepton._errors import abridge
from sklearn_lepton._typing import Fit, WorkerDied

# Larger arrays are files that all workers of a machine map into their memory.
_LEAST_MAPPED = 100_000
# As joblib has it: a smaller /dev/shm is left to others.
_LEAST_SHARED = 2_000_000_000
_REMOVAL_PAUSES = (0.01, 0.05, 0.2, 0.5, 0.0)  # seconds after each attempt
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - in memory, if there is one


class Package:
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


class Folder:
    """A folder of the package's that is gone once the search is, even if it is killed.

    Parameters
    ----------
    package : Package
    """

    def __init__(self, package: Package) -> None:
        for number, parent in enumerate(places := _places_for_data()):
            self.path = parent / name_folder()
            make_folder(self.path)
            try:
                self._write(package)
            except BaseException as error:
                self.remove()
                # Where there is no room, the next place may have some.
                if not isinstance(error, OSError) or number + 1 == len(places):
                    raise
            else:
                return

    def _write(self, package: Package) -> None:
        names: dict[int, str] = {}

        def save(value: Any) -> str | None:
            is_plain = type(value) in {np.ndarray, np.memmap} and not value.dtype.hasobject
            if not is_plain or value.nbytes < _LEAST_MAPPED:
                return None
            if id(value) not in names:
                names[id(value)] = name = f"{len(names)}.npy"
                kept.append(value)
                np.save(self.path / name, value, allow_pickle=False)
            return names[id(value)]

        kept: list[Any] = []  # as above
        (self.path / "package").write_bytes(_dumps(package.content, save))

    def remove(self) -> None:
        """Remove the folder."""
        remove_folder(self.path)


def name_folder(kind: str = "") -> str:
    """Return a name that no other folder has, and that says whose it is."""
    return f"sklearn_lepton-{kind}{os.getpid()}-{uuid.uuid4().hex[:8]}"


def place_on_disk() -> Path:
    """Return where temporary folders are made: joblib's choice, or the system's."""
    return Path(os.environ.get("JOBLIB_TEMP_FOLDER") or tempfile.gettempdir())


def make_folder(path: Path) -> None:
    """Make a folder that loky's tracker removes if this process is killed."""
    resource_tracker.register(str(path), "folder")
    path.mkdir(mode=0o700)


def make_temporary_folder(kind: str) -> Path:
    """Make a folder that nobody else can have made, and that loky's tracker removes."""
    prefix = f"sklearn_lepton-{kind}{os.getpid()}-"
    path = Path(tempfile.mkdtemp(prefix=prefix, dir=place_on_disk()))
    resource_tracker.register(str(path), "folder")
    return path


def remove_folder(path: Path) -> None:
    """Remove a folder that one of the functions above has made.

    Windows removes no file that is open, and a worker that was killed takes a moment to
    close what it has mapped. A folder that stays is left to loky's tracker.
    """
    for pause in _REMOVAL_PAUSES:
        shutil.rmtree(path, ignore_errors=True)
        if not path.exists():
            resource_tracker.unregister(str(path), "folder")
            return
        time.sleep(pause)


def _places_for_data() -> list[Path]:
    """List the folders for temporary data: joblib's choice, memory, the disk."""
    places = [Path(tempfile.gettempdir())]
    with contextlib.suppress(OSError):
        if (
            os.access(_SHARED_MEMORY, os.W_OK)
            and shutil.disk_usage(_SHARED_MEMORY).free >= _LEAST_SHARED
        ):
            places.insert(0, _SHARED_MEMORY)
    if chosen := os.environ.get("JOBLIB_TEMP_FOLDER"):
        places.insert(0, Path(chosen))
    return places


def start_worker(parent: int) -> None:
    """Leave Ctrl-C, which every process of a terminal gets, to the search; end with it.

    Parameters
    ----------
    parent : int
        The process of the search. One that is killed can end nobody itself.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()


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
        Path of a file that is made when all is loaded and the fit begins.
    payload : bytes
        What `Package.wrap` returned.

    Returns
    -------
    outcome : bytes
        For `unwrap`.
    """
    if folder not in _opened:
        content = (Path(folder) / "package").read_bytes()
        _opened.clear()
        _opened[folder] = _loads(content, lambda name: np.load(f"{folder}/{name}", mmap_mode="r"))
    return run_payload(_opened[folder], payload, begin=Path(begun).touch)


def run_payload(
    content: tuple[Sequence[Any], Any], payload: bytes, *, begin: Callable[[], None] | None = None
) -> bytes:
    """Run a fit where the package's content is at hand.

    Parameters
    ----------
    content : tuple
        The `content` of the package.
    payload : bytes
        What `Package.wrap` returned.
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
