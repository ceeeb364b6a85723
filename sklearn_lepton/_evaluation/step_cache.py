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

from sklearn_lepton._runtime.errors import logger
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._typing import FitCall
from sklearn_lepton._validation import is_whole
from sklearn_lepton._workers.temporary_folders import make_temporary_folder, remove_folder
from sklearn_lepton.space._space import Space

WORTH = 0.05  # seconds; a step that takes less is fitted again
MOST_BYTES = 1_000_000_000  # of all that is kept
_MIN_FREE = 200_000_000  # bytes of the disk that are left to others
_BYTES_PER_SECOND = 200_000_000  # a cautious guess of how fast they are written
_MAX_HASHES = 1000


class _State:
    """What this process knows of a search's steps.

    Attributes
    ----------
    seconds : dict of str to float
        What each step, by its name and class, has taken of late, the last time counting
        half: a machine that was busy for a moment makes no step slow.
    left_out : set of str
        Steps that are no faster read than fitted.
    folder : Path or None
        Where they are kept; None before there is one.
    lock : Lock
        Of threads, the first makes the folder.
    """

    def __init__(self, folder: Path | None) -> None:
        self.seconds: dict[str, float] = {}
        self.skipped: set[str] = set()
        self.folder = folder
        self.lock = threading.Lock()

    def note(self, name: str, seconds: float) -> None:
        """Take down how long a step takes."""
        self.seconds[name] = (seconds + self.seconds.get(name, seconds)) / 2

    def is_cacheable(self, name: str) -> bool:
        """Say whether a step takes long enough to be kept, or has not been seen."""
        return name not in self.skipped and self.seconds.get(name, WORTH) >= WORTH


_states: dict[str, _State] = {}


class FitWithSteps:
    """Run a fit of a pipeline with a `TransformerCache`; add "saved_time" to its row.

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


class TransformerCache:
    """Take the place of a pipeline's `memory` for one fit.

    In contrast to `joblib.Memory` it hashes no data: in a search the data of a step follow
    from the rows that the pipeline is fitted on and from the steps before it.

    Parameters
    ----------
    pipeline : Pipeline
        The one that is fitted.
    search : str
        Stands for the search.
    folder : Path or None
        Where results are kept; None in the process of the search, which makes it with the first
        of them.
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
            is_of_use = any(may_recur and state.is_cacheable(other) for other, may_recur in steps)
            may_recur = steps.pop(0)[1]
            key = _key(key, transformer, X) if key and may_recur and is_of_use else None
            file = key if key is not None and state.is_cacheable(name) else None
            if file is not None and (kept := self._load(file, name, state)) is not None:
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
            return _states.get(self._search)
        return _states.setdefault(self._search, _State(self._folder))

    def _load(self, key: str, name: str, state: _State) -> Any:
        """Return what is kept, or None."""
        if state.folder is None:
            return None
        start = time.perf_counter()
        try:
            with (state.folder / key).open("rb") as stream:
                result, seconds = pickle.load(stream)  # noqa: S301 - written by this search
        except (FileNotFoundError, PermissionError):  # Windows opens no file that is replaced
            return None
        except Exception:  # noqa: BLE001 - whatever it is, the step can be fitted
            logger.debug(
                "What the step %r gave could not be read: it is fitted.", name, exc_info=True
            )
            state.skipped.add(name)
            return None
        state.note(name, seconds)
        saved = seconds - (time.perf_counter() - start)
        if saved < 0:
            state.skipped.add(name)
        self.saved += saved
        return result

    def _store(self, key: str, name: str, state: _State, result: Any, seconds: float) -> None:
        """Keep a result if there is room and writing takes clearly less than fitting."""
        if self._state() is not state:  # the search is over, and this thread goes on
            return
        n_bytes = _n_bytes(result[0])
        if n_bytes / _BYTES_PER_SECOND > seconds / 2:
            return
        start = time.perf_counter()
        part = None
        try:
            folder = self._open_folder(state)
            room = MOST_BYTES - sum(entry.stat().st_size for entry in os.scandir(folder))
            room = min(room, shutil.disk_usage(folder).free - _MIN_FREE)
            if n_bytes > room:
                return
            part = folder / f"{key}.{uuid.uuid4().hex[:8]}.part"
            with part.open("wb") as stream:
                pickle.dump((result, seconds), stream, protocol=5)
            if part.stat().st_size <= room:
                part.replace(folder / key)
        except Exception:  # noqa: BLE001 - a full disk, or what cannot be pickled, fails no fit
            logger.debug(
                "What the step %r gave could not be kept: it is fitted each time.",
                name,
                exc_info=True,
            )
            # Windows replaces no file that another worker reads.
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
        """Return the folder, which is made with the first result that is kept."""
        with state.lock:
            if state.folder is None:
                state.folder = make_temporary_folder("steps-")
            return state.folder


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
        logger.debug("%r has no hash: it is fitted each time.", type(transformer), exc_info=True)
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


class StepCache:
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
        self._search = uuid.uuid4().hex
        self._can_keep = True
        self._hashes: dict[int, tuple[Any, str]] = {}
        self._has_processes = has_processes

    def prepare(self, fit: FitCall) -> FitCall:
        """Give the pipeline of a fit, which is a clone for it alone, a memory."""
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
        """Begin to keep results; for other processes, in a folder that is there from the start."""
        try:
            folder = make_temporary_folder("steps-") if self._has_processes else None
        except OSError:
            logger.debug(
                "No folder for the results of steps could be made: they are fitted each time.",
                exc_info=True,
            )
            self._can_keep = False
        else:
            _states[self._search] = _State(folder)

    def _hash(self, rows: Any) -> str:
        """Return a hash of rows, which are the same object in all fits on a split."""
        if len(self._hashes) > _MAX_HASHES:
            self._hashes.clear()
        if id(rows) not in self._hashes:
            self._hashes[id(rows)] = rows, joblib.hash(rows)
        return self._hashes[id(rows)][1]

    def publish(self, results: dict[str, Any], trials: Sequence[Trial]) -> None:
        """Add nothing: the results are the same without."""

    def close(self) -> None:
        """Remove all that was kept."""
        state = _states.pop(self._search, None)
        if state is not None and state.folder is not None:
            remove_folder(state.folder)


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
