"""Steps: what the first steps of a pipeline gave is kept for trials that repeat them."""

import contextlib
import math
import os
import pickle
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import joblib
from sklearn.pipeline import Pipeline

from sklearn_lepton._payload import make_folder, name_folder, place_on_disk, remove_folder
from sklearn_lepton._trial import Trial
from sklearn_lepton._typing import Fit
from sklearn_lepton._values import is_whole
from sklearn_lepton.space import Space

WORTH = 0.05  # seconds; a step that takes less is fitted again
MOST_BYTES = 1_000_000_000  # of all that is kept
_LEAST_FREE = 200_000_000  # bytes of the disk that are left to others
_BYTES_PER_SECOND = 200_000_000  # a cautious guess of how fast they are written
_MOST_HASHES = 1000


class _State:
    """What this process knows of a search's steps.

    Attributes
    ----------
    seconds : dict of str to float
        What each step, by its name and class, has taken of late, the last time counting
        half: a machine that was busy for a moment makes no step slow.
    left_out : set of str
        Steps that are no faster read than fitted.
    is_registered : bool
        Whether loky's tracker knows the folder.
    lock : Lock
        Of threads, the first makes the folder.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.left_out: set[str] = set()
        self.is_registered = False
        self.lock = threading.Lock()

    def note(self, name: str, seconds: float) -> None:
        """Take down how long a step takes."""
        self.seconds[name] = (seconds + self.seconds.get(name, seconds)) / 2

    def may_keep(self, name: str) -> bool:
        """Say whether a step takes long enough to be kept, or has not been seen."""
        return name not in self.left_out and self.seconds.get(name, WORTH) >= WORTH


_states: dict[str, _State] = {}


class FitWithSteps:
    """Run a fit of a pipeline with a `StepMemory`; add "saved_time" to its row.

    Parameters
    ----------
    function : callable
        What would be run without.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, pipeline: Pipeline, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Run the fit."""
        row: dict[str, Any] = self._function(pipeline, *args, **kwargs)
        if pipeline.memory.saved:
            row["saved_time"] = row.get("saved_time", 0.0) + pipeline.memory.saved
        return row


class StepMemory:
    """Take the place of a pipeline's `memory` for one fit.

    In contrast to `joblib.Memory` it hashes no data: in a search the data of a step follow
    from the rows that the pipeline is fitted on and from the steps before it.

    Parameters
    ----------
    pipeline : Pipeline
        The one that is fitted.
    path : str
        Folder for what is kept; made with the first thing in it.
    names : tuple of str
        The first steps, those that other trials may repeat.
    rows : str
        Stands for the rows that the pipeline is fitted on.
    owner : int
        The process of the search.

    Attributes
    ----------
    saved : float
        Seconds that steps would have taken longer.
    """

    location = None  # so that the pipeline, which is a clone already, does not clone its steps

    def __init__(
        self, pipeline: Pipeline, *, path: str, names: tuple[str, ...], rows: str, owner: int
    ) -> None:
        self._pipeline = pipeline
        self._path = path
        self._names = names
        self._rows = rows
        self._owner = owner
        self.saved = 0.0

    def cache(self, func: Callable[..., Any], **_: Any) -> Callable[..., Any]:
        """Return what the pipeline calls in place of `func`, step by step.

        Parameters
        ----------
        func : callable
            Fits a transformer in its first argument to the data in its second, and returns
            the transformed data and the transformer.
        **_ : dict
            What `joblib.Memory` would not hash; here no argument is.

        Returns
        -------
        call : callable
        """
        steps = [
            (f"{name} {type(step).__qualname__}", name in self._names)
            for name, step in self._pipeline.steps[:-1]
            if step is not None and not isinstance(step, str)  # "passthrough"
        ]
        state = self._state()
        if state is None:
            return func
        key: str | None = self._rows

        def call(transformer: Any, X: Any, *args: Any, **kwargs: Any) -> Any:
            nonlocal key
            name = steps[0][0]
            # Without a link there is no chain: the steps after this one are fitted, too.
            is_of_use = any(may_recur and state.may_keep(other) for other, may_recur in steps)
            may_recur = steps.pop(0)[1]
            key = _key(key, transformer, X) if key and may_recur and is_of_use else None
            file = None
            if key is not None and state.may_keep(name):
                file = Path(self._path) / key
                if (kept := self._load(file, name, state)) is not None:
                    return kept
            start = time.perf_counter()
            result = func(transformer, X, *args, **kwargs)
            seconds = time.perf_counter() - start
            state.note(name, seconds)
            if file is not None and seconds >= WORTH:
                self._store(file, name, state, result, seconds)
            return result

        return call

    def _state(self) -> _State | None:
        """Return what is known here; None once the search is over, whose threads may go on."""
        if os.getpid() == self._owner:
            return _states.get(self._path)
        return _states.setdefault(self._path, _State())

    def _load(self, file: Path, name: str, state: _State) -> Any:
        """Return what is kept, or None."""
        start = time.perf_counter()
        try:
            with file.open("rb") as stream:
                result, seconds = pickle.load(stream)  # noqa: S301 - written by this search
        except (FileNotFoundError, PermissionError):  # Windows opens no file that is replaced
            return None
        except Exception:  # noqa: BLE001 - whatever it is, the step can be fitted
            state.left_out.add(name)
            return None
        state.note(name, seconds)
        saved = seconds - (time.perf_counter() - start)
        if saved < 0:
            state.left_out.add(name)
        self.saved += saved
        return result

    def _store(self, file: Path, name: str, state: _State, result: Any, seconds: float) -> None:
        """Keep a result if there is room and writing takes clearly less than fitting."""
        if self._state() is not state:  # the search is over, and this thread goes on
            return
        n_bytes = _n_bytes(result[0])
        if n_bytes / _BYTES_PER_SECOND > seconds / 2:
            return
        part = file.with_name(f"{file.name}.{uuid.uuid4().hex[:8]}.part")
        start = time.perf_counter()
        try:
            self._make_folder(state)
            room = MOST_BYTES - sum(entry.stat().st_size for entry in os.scandir(self._path))
            room = min(room, shutil.disk_usage(self._path).free - _LEAST_FREE)
            if n_bytes > room:
                return
            with part.open("wb") as stream:
                pickle.dump((result, seconds), stream, protocol=5)
            if part.stat().st_size <= room:
                part.replace(file)
        except Exception:  # noqa: BLE001 - a full disk, or what cannot be pickled, fails no fit
            if not file.exists():  # Windows replaces no file that another worker reads
                state.left_out.add(name)
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
        if time.perf_counter() - start > seconds:
            state.left_out.add(name)

    def _make_folder(self, state: _State) -> None:
        if os.getpid() == self._owner:
            _make_folder(self._path, state)


def _make_folder(path: str, state: _State) -> None:
    with state.lock:
        if not state.is_registered:
            state.is_registered = True
            make_folder(Path(path))


def _key(key: str, transformer: Any, X: Any) -> str | None:
    """Return what stands for the outcome of a step; None if that is not always the same.

    Parameters
    ----------
    key : str
        Stands for its data.
    transformer : estimator object
        Not fitted.
    X : object
        The data, whose shape is a further safeguard.

    Returns
    -------
    key : str or None
    """
    try:
        for name, value in transformer.get_params(deep=True).items():
            # Each fit would draw anew, or go on from where the one before stopped.
            if name.rpartition("__")[2] == "random_state" and not is_whole(value):
                return None
        shape = X.shape if hasattr(X, "shape") else len(X)
        return str(joblib.hash((key, shape, transformer)))
    except Exception:  # noqa: BLE001 - a step that cannot be hashed is fitted
        return None


def _n_bytes(data: Any) -> int:
    """Return about how many bytes data take; 0 if that is not known."""
    if hasattr(data, "memory_usage"):  # a DataFrame
        return int(data.memory_usage().sum())
    if hasattr(data, "estimated_size"):  # one of polars
        return int(data.estimated_size())
    parts = [getattr(data, name, None) for name in ("data", "indices", "indptr")]
    if parts[1] is not None:  # a sparse matrix
        return sum(int(getattr(part, "nbytes", 0)) for part in parts)
    return int(getattr(data, "nbytes", 0))


class Steps:
    """Keep what the first steps of a search's pipeline gave, while it runs.

    Parameters
    ----------
    names : tuple of str
        What `reusable_steps` returned.
    has_processes : bool
        Whether fits run in other processes of this machine.
    """

    def __init__(self, names: tuple[str, ...], *, has_processes: bool) -> None:
        self._names = names
        self._path = str(place_on_disk() / name_folder("steps-"))
        self._hashes: dict[int, tuple[Any, str]] = {}
        self._has_processes = has_processes

    def prepare(self, fit: Fit) -> Fit:
        """Give the pipeline of a fit, which is a clone for it alone, a memory."""
        function, (pipeline, *others), kwargs = fit
        if self._path not in _states:
            state = _states[self._path] = _State()
            if self._has_processes:
                with contextlib.suppress(OSError):  # then they keep nothing
                    _make_folder(self._path, state)
        pipeline.memory = StepMemory(
            pipeline,
            path=self._path,
            names=self._names,
            rows=self._hash(kwargs["train"]),
            owner=os.getpid(),
        )
        return FitWithSteps(function), (pipeline, *others), kwargs

    def _hash(self, rows: Any) -> str:
        """Return a hash of rows, which are the same object in all fits on a split."""
        if len(self._hashes) > _MOST_HASHES:
            self._hashes.clear()
        if id(rows) not in self._hashes:
            self._hashes[id(rows)] = rows, joblib.hash(rows)
        return self._hashes[id(rows)][1]

    def publish(self, results: dict[str, Any], trials: Sequence[Trial]) -> None:
        """Add nothing: the results are the same without."""

    def close(self) -> None:
        """Remove all that was kept."""
        state = _states.pop(self._path, None)
        if state is not None and state.is_registered:
            remove_folder(Path(self._path))


def reusable_steps(estimator: Any, space: Space, n_trials: int) -> tuple[str, ...]:
    """Name the first steps of a pipeline that trials are likely to repeat.

    Parameters
    ----------
    estimator : estimator object
    space : Space
    n_trials : int

    Returns
    -------
    names : tuple of str
        The first steps, up to the one with which they have more than half as many settings
        as there are trials. None where the estimator is no pipeline, has a memory of its
        own, or the space has one or replaces its steps as a whole.
    """
    if type(estimator) is not Pipeline or estimator.memory is not None:
        return ()
    steps = [name for name, _ in estimator.steps]
    if {name.partition("__")[0] for name in space.names} - {"", *steps}:
        return ()
    for n_steps in range(len(steps) - 1, 0, -1):
        first = steps[:n_steps]
        n_settings = sum(
            math.prod(
                space.dimensions[column].n_values
                for name, column in branch.items()
                if name.partition("__")[0] in first
            )
            for branch in space.branches
        )
        if n_settings <= max(1, n_trials / 2):
            return tuple(first)
    return ()
