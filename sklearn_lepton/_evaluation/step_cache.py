"""StepCache: cached outputs of the first steps of a pipeline, for trials that repeat them."""

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

from sklearn_lepton._runtime.errors import logger
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._typing import FitCall
from sklearn_lepton._validation import is_whole
from sklearn_lepton._workers.temporary_folders import make_temporary_folder, remove_folder
from sklearn_lepton._workers.worker_process import at_release
from sklearn_lepton.space._space import Space

MIN_SECONDS = 0.05  # a faster step is fitted again
MAX_BYTES = 1_000_000_000  # size of the cache
_MIN_FREE = 200_000_000  # bytes of the disk that stay free
_BYTES_PER_SECOND = 200_000_000  # cautious estimate of the writing speed
_MAX_HASHES = 1000


class _State:
    """State of a search's step cache in one process.

    Attributes
    ----------
    seconds : dict of str to float
        Moving average of the duration of each step, by its name and class. The last duration
        has weight 1/2, so that a machine that is busy for a moment makes no step slow.
    skipped : set of str
        Steps whose outputs are not read faster than they are computed.
    folder : Path or None
        Folder of the cache; None before it is made.
    lock : Lock
        Guards the making of the folder.
    """

    def __init__(self, folder: Path | None) -> None:
        self.seconds: dict[str, float] = {}
        self.skipped: set[str] = set()
        self.folder = folder
        self.lock = threading.Lock()

    def record_duration(self, name: str, seconds: float) -> None:
        """Record the duration of a step."""
        self.seconds[name] = (seconds + self.seconds.get(name, seconds)) / 2

    def is_cacheable(self, name: str) -> bool:
        """Return whether a step takes long enough to be cached, or is unknown."""
        return name not in self.skipped and self.seconds.get(name, MIN_SECONDS) >= MIN_SECONDS


_states: dict[str, _State] = {}
at_release(_states.clear)


class FitWithSteps:
    """Fit of a pipeline with a `TransformerCache`, and "saved_time" in its row.

    Parameters
    ----------
    function : callable
        Function of the fit.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, pipeline: Pipeline, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Run the fit."""
        row: dict[str, Any] = self._function(pipeline, *args, **kwargs)
        if pipeline.memory.saved:
            row["saved_time"] = row.get("saved_time", 0.0) + pipeline.memory.saved
        if "estimator" in row:  # it is kept, and the cache ends with the search
            row["estimator"].memory = None
        return row


class TransformerCache:
    """Replacement for the `memory` of a pipeline in one fit.

    In contrast to `joblib.Memory` it hashes no data. In a search, the training rows and the
    preceding steps determine the data of a step.

    Parameters
    ----------
    pipeline : Pipeline
        The fitted pipeline.
    search : str
        Identifier of the search.
    folder : Path or None
        Folder of the cache; None in the process of the search, which makes it when it is
        needed.
    names : tuple of str
        First steps of the pipeline, which other trials may repeat.
    rows : str
        Hash of the training rows.
    owner : int
        Identifier of the search's process.

    Attributes
    ----------
    saved : float
        Seconds that the cache has saved.
    """

    location = None  # tells the pipeline, itself a clone, not to clone its steps

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        search: str,
        folder: Path | None,
        names: tuple[str, ...],
        rows: str,
        owner: int,
    ) -> None:
        self._pipeline = pipeline
        self._search, self._folder = search, folder
        self._names = names
        self._rows = rows
        self._owner = owner
        self.saved = 0.0

    def cache(self, func: Callable[..., Any], **_: Any) -> Callable[..., Any]:
        """Return the function that the pipeline calls for each step instead of `func`.

        Parameters
        ----------
        func : callable
            Fits its first argument, a transformer, to its second argument, the data; returns
            the transformed data and the transformer.
        **_ : dict
            Options of `joblib.Memory.cache`, which are ignored.

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
            # Without the key of this step, no later step has a key.
            is_useful = any(may_recur and state.is_cacheable(other) for other, may_recur in steps)
            may_recur = steps.pop(0)[1]
            key = _key(key, transformer, X) if key and may_recur and is_useful else None
            file = key if key is not None and state.is_cacheable(name) else None
            if file is not None and (kept := self._load(file, name, state)) is not None:
                return kept
            start = time.perf_counter()
            result = func(transformer, X, *args, **kwargs)
            seconds = time.perf_counter() - start
            state.record_duration(name, seconds)
            if file is not None and seconds >= MIN_SECONDS:
                self._store(file, name, state, result, seconds)
            return result

        return call

    def _state(self) -> _State | None:
        """Return the state in this process; None if the search, but not this thread, is over."""
        if os.getpid() == self._owner:
            return _states.get(self._search)
        return _states.setdefault(self._search, _State(self._folder))

    def _load(self, key: str, name: str, state: _State) -> Any:
        """Return the cached output of a step, or None."""
        if state.folder is None:
            return None
        start = time.perf_counter()
        try:
            with (state.folder / key).open("rb") as stream:
                result, seconds = pickle.load(stream)  # noqa: S301 - written by this search
        except (FileNotFoundError, PermissionError):  # on Windows, while the file is replaced
            return None
        except Exception:  # noqa: BLE001 - the step can be fitted
            logger.debug(
                "The output of step %r could not be read: it is fitted.", name, exc_info=True
            )
            state.skipped.add(name)
            return None
        state.record_duration(name, seconds)
        saved = seconds - (time.perf_counter() - start)
        if saved < 0:
            state.skipped.add(name)
        self.saved += saved
        return result

    def _store(self, key: str, name: str, state: _State, result: Any, seconds: float) -> None:
        """Write an output if there is room and writing is clearly faster than fitting."""
        if self._state() is not state:  # the search is over, but this thread still runs
            return
        n_bytes = _n_bytes(result[0])
        if n_bytes / _BYTES_PER_SECOND > seconds / 2:
            return
        start = time.perf_counter()
        part = None
        try:
            folder = self._open_folder(state)
            room = MAX_BYTES - sum(entry.stat().st_size for entry in os.scandir(folder))
            room = min(room, shutil.disk_usage(folder).free - _MIN_FREE)
            if n_bytes > room:
                return
            part = folder / f"{key}.{uuid.uuid4().hex[:8]}.part"
            with part.open("wb") as stream:
                pickle.dump((result, seconds), stream, protocol=5)
            if part.stat().st_size <= room:
                part.replace(folder / key)
        except Exception:  # noqa: BLE001 - a full disk or a pickling error must not fail the fit
            logger.debug(
                "The output of step %r could not be written: it is fitted each time.",
                name,
                exc_info=True,
            )
            # On Windows, a file that another worker reads cannot be replaced.
            if state.folder is None or not (state.folder / key).exists():
                state.skipped.add(name)
        finally:
            if part is not None:
                with contextlib.suppress(OSError):
                    part.unlink(missing_ok=True)
        if time.perf_counter() - start > seconds:
            state.skipped.add(name)

    @staticmethod
    def _open_folder(state: _State) -> Path:
        """Return the folder of the cache, which the first write makes."""
        with state.lock:
            if state.folder is None:
                state.folder = make_temporary_folder("steps-")
            return state.folder


def _key(key: str, transformer: Any, X: Any) -> str | None:
    """Return the key of a step's output; None if the output is not deterministic.

    Parameters
    ----------
    key : str
        Key of the input data.
    transformer : estimator object
        Unfitted transformer.
    X : object
        Input data, whose shape is an additional safeguard.

    Returns
    -------
    key : str or None
    """
    try:
        for name, value in transformer.get_params(deep=True).items():
            # A generator, or no seed, gives other random numbers at each fit.
            if name.rpartition("__")[2] == "random_state" and not is_whole(value):
                return None
        shape = X.shape if hasattr(X, "shape") else len(X)
        return str(joblib.hash((key, shape, transformer)))
    except Exception:  # noqa: BLE001 - a step that cannot be hashed is fitted
        logger.debug("%r has no hash: it is fitted each time.", type(transformer), exc_info=True)
        return None


def _n_bytes(data: Any) -> int:
    """Return the approximate size of data in bytes; 0 if unknown."""
    if hasattr(data, "memory_usage"):  # a DataFrame
        return int(data.memory_usage().sum())
    if hasattr(data, "estimated_size"):  # of polars
        return int(data.estimated_size())
    parts = [getattr(data, name, None) for name in ("data", "indices", "indptr")]
    if parts[1] is not None:  # a sparse matrix
        return sum(int(getattr(part, "nbytes", 0)) for part in parts)
    return int(getattr(data, "nbytes", 0))


class StepCache:
    """Fit aid that caches the outputs of a pipeline's first steps during a search.

    Parameters
    ----------
    names : tuple of str
        Steps that `reusable_steps` returned.
    has_processes : bool
        Whether fits run in other processes of this machine.
    """

    def __init__(self, names: tuple[str, ...], *, has_processes: bool) -> None:
        self._names = names
        self._search = uuid.uuid4().hex
        self._can_keep = True
        self._hashes: dict[int, tuple[Any, str]] = {}
        self._has_processes = has_processes

    def prepare(self, fit: FitCall) -> FitCall:
        """Return a fit whose pipeline, a clone for this fit, has a `TransformerCache`."""
        pipeline = fit.args[0]
        if self._can_keep and self._search not in _states:
            self._open()
        if not self._can_keep:
            return fit
        folder = _states[self._search].folder if self._has_processes else None
        pipeline.memory = TransformerCache(
            pipeline,
            search=self._search,
            folder=folder,
            names=self._names,
            rows=self._hash(fit.kwargs["train"]),
            owner=os.getpid(),
        )
        return fit._replace(function=FitWithSteps(fit.function))

    def _open(self) -> None:
        """Open the cache; other processes need a folder from the start."""
        try:
            folder = make_temporary_folder("steps-") if self._has_processes else None
        except OSError:
            logger.debug(
                "No folder for the outputs of steps could be made: they are fitted each time.",
                exc_info=True,
            )
            self._can_keep = False
        else:
            _states[self._search] = _State(folder)

    def _hash(self, rows: Any) -> str:
        """Return a hash of training rows, which are one object for all fits of a split."""
        if len(self._hashes) > _MAX_HASHES:
            self._hashes.clear()
        if id(rows) not in self._hashes:
            self._hashes[id(rows)] = rows, joblib.hash(rows)
        return self._hashes[id(rows)][1]

    def publish(self, results: dict[str, Any], trials: Sequence[Trial]) -> None:
        """Do nothing: the results have no additional columns."""

    def close(self) -> None:
        """Remove the cache."""
        state = _states.pop(self._search, None)
        if state is not None and state.folder is not None:
            remove_folder(state.folder)


def reusable_steps(estimator: Any, space: Space, n_trials: int) -> tuple[str, ...]:
    """Return the names of the first steps of a pipeline that trials are likely to repeat.

    Parameters
    ----------
    estimator : estimator object
    space : Space
    n_trials : int

    Returns
    -------
    names : tuple of str
        The longest prefix of steps that has at most half as many configurations as there are
        trials. Empty if the estimator is not a pipeline or has a memory, or if the space sets
        the memory or all steps.
    """
    if type(estimator) is not Pipeline or estimator.memory is not None:
        return ()
    steps = [name for name, _ in estimator.steps]
    if {name.partition("__")[0] for name in space.names} - {"", *steps}:
        return ()
    for n_steps in range(len(steps) - 1, 0, -1):
        first = steps[:n_steps]
        n_configurations = sum(
            math.prod(
                space.dimensions[column].n_values
                for name, column in branch.items()
                if name.partition("__")[0] in first
            )
            for branch in space.branches
        )
        if n_configurations <= max(1, n_trials / 2):
            return tuple(first)
    return ()
