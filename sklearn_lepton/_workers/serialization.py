"""Serialization of fits for workers: shared objects once, then a few kilobytes for each fit."""

import contextlib
import io
import pickle
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from joblib import parallel_config

from sklearn_lepton._runtime.errors import abridge
from sklearn_lepton._typing import FitCall, WorkerDied
from sklearn_lepton._workers.joblib import Backend, pickler_class
from sklearn_lepton._workers.temporary_folders import make_temporary_folder, remove_folder
from sklearn_lepton._workers.worker_process import at_release, has_grown, note_modules

# Larger arrays become files that all workers of a machine map into their memory.
_MIN_MAPPED = 100_000  # bytes


class SharedContext:
    """The objects that all fits of a search share, and the references to them.

    Parameters
    ----------
    shared_objects : sequence of object
        The objects that are identical in each fit: data, splits, scorers. The method
        ``_for_workers`` of an object, if there is one, returns a substitute to send.
    nested : tuple (backend, n_jobs) or None
        joblib's backend for parallel calls inside of a fit; None keeps joblib's default.

    Attributes
    ----------
    content : tuple (list of object, nested)
        The shared objects as they are sent.
    """

    def __init__(self, shared_objects: Sequence[Any], nested: Backend | None) -> None:
        sent = [getattr(value, "_for_workers", lambda v=value: v)() for value in shared_objects]
        self._shared_objects = shared_objects  # the id of a deleted object could be used again
        self.content = (sent, nested)
        self._indices = {id(value): index for index, value in enumerate(shared_objects)}

    def serialize(self, fit: FitCall) -> bytes:
        """Serialize one fit, with references in place of the shared objects.

        Parameters
        ----------
        fit : tuple (function, args, kwargs)

        Returns
        -------
        payload : bytes
        """
        return _dumps(fit, lambda value: self._indices.get(id(value)))


class MemmapFolder:
    """A temporary folder with a shared context, whose large arrays are memory-mapped files.

    Parameters
    ----------
    context : SharedContext
    """

    def __init__(self, context: SharedContext) -> None:
        self._context = context
        self._path: Path | None = None

    @property
    def path(self) -> Path:
        """The path of the open folder."""
        assert self._path is not None  # noqa: S101 - for mypy
        return self._path

    def open(self) -> None:
        """Write the context to a new folder, in shared memory if it fits there."""
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

        kept: list[Any] = []  # as in `SharedContext`: keeps ids unique
        (path / "package").write_bytes(_dumps(self._context.content, save))

    def remove(self) -> None:
        """Remove the folder."""
        if self._path is not None:
            remove_folder(self._path)


_opened: dict[str, Any] = {}  # the context of this worker's folder
at_release(_opened.clear)


def run_in_worker(folder: str, begun: str, payload: bytes) -> tuple[bytes, bool]:
    """Run a fit in a worker process on this machine.

    Parameters
    ----------
    folder : str
        Path of a `MemmapFolder`.
    begun : str
        Path of the file for the time at which the fit begins; see `seconds_since`.
    payload : bytes
        The result of `SharedContext.serialize`.

    Returns
    -------
    outcome : bytes
        For `deserialize_outcome`.
    has_grown : bool
        Whether the process should be replaced, since its fits have left memory behind.
    """
    since = time.time_ns()
    if folder not in _opened:
        content = (Path(folder) / "package").read_bytes()
        _opened.clear()
        _opened[folder] = _loads(content, lambda name: np.load(f"{folder}/{name}", mmap_mode="r"))
    outcome = run_payload(_opened[folder], payload, begin=lambda: _write_time(Path(begun)))
    note_modules(since)
    return outcome, has_grown()


def _write_time(begun: Path) -> None:
    """Write the current time of the monotonic clock, which all processes of a machine share."""
    begun.write_text(repr(time.monotonic()))


def seconds_since(begun: Path) -> float:
    """Return the seconds since a fit began; 0.0 if it has not begun."""
    try:
        return max(0.0, time.monotonic() - float(begun.read_text()))
    except (FileNotFoundError, ValueError):  # the second one while the file is written
        return 0.0


def run_payload(
    content: tuple[Sequence[Any], Any], payload: bytes, *, begin: Callable[[], None] | None = None
) -> bytes:
    """Run a serialized fit with the shared objects of this worker.

    Parameters
    ----------
    content : tuple
        The `SharedContext.content`.
    payload : bytes
        The result of `SharedContext.serialize`.
    begin : callable or None
        Called when the fit begins.

    Returns
    -------
    outcome : bytes
        For `deserialize_outcome`. It holds the fit's error, if there is one, so that an
        exception that cannot be pickled does not break the worker.
    """
    shared_objects, nested = content
    try:
        fit: FitCall = _loads(payload, shared_objects.__getitem__)
        if begin is not None:
            begin()
        return _dumps((run_fit(fit, nested), None))
    except BaseException as error:  # noqa: BLE001 - the search handles all of them
        text = traceback.format_exc()
        try:
            outcome = _dumps((None, error))
            _loads(outcome)
        except Exception:  # noqa: BLE001 - some exceptions can be pickled only, not unpickled
            outcome = _dumps((None, RuntimeError(text)))
        return outcome


def deserialize_outcome(outcome: bytes) -> Mapping[str, Any]:
    """Return the split result of a fit, or raise the fit's error."""
    row, error = _loads(outcome)
    if error is not None:
        raise error
    return row  # type: ignore[no-any-return]


def run_fit(fit: FitCall, nested: Backend | None = None) -> Mapping[str, Any]:
    """Run a fit, and add its start time and scikit-learn's stop signal to the split result.

    Parameters
    ----------
    fit : tuple (function, args, kwargs)
    nested : tuple (backend, n_jobs) or None
        joblib's backend for parallel calls inside of the fit.

    Returns
    -------
    row : dict
        With two more keys: "start_time", and "stop" if a callback of scikit-learn's stops.
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
    if row.get("fit_error"):  # the text of an error may be long
        row["fit_error"] = abridge(row["fit_error"])
    row["start_time"] = start_time
    row["stop"] = getattr(kwargs.get("callback_ctx"), "is_stopped", False)
    return row  # type: ignore[no-any-return]


class _Pickler(pickler_class()):  # type: ignore[misc]
    """loky's pickler, with a reference in place of each object that `refer` returns one for."""

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
    """Return the value of `_dumps`, which only the search and its workers write."""
    return _Unpickler(io.BytesIO(data), resolve).load()
