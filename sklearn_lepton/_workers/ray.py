"""Workers on a ray cluster."""

import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from sklearn_lepton._typing import FitCall, Row, WorkerDied
from sklearn_lepton._workers.base import FutureWorkers
from sklearn_lepton._workers.joblib import nested_threads
from sklearn_lepton._workers.serialization import SharedContext, deserialize_outcome, run_payload


class _Runner:
    """An actor that runs one fit after the other."""

    def __init__(self, content: Any) -> None:
        self._content = content

    def is_ready(self) -> bool:
        return True

    def run(self, payload: bytes) -> bytes:
        return run_payload(self._content, payload)


@dataclass(slots=True)
class _Actor:
    handle: Any
    ready: "Future[Any]"
    ready_time: float | None = None
    start_time: float = 0.0

    def on_ready(self, ready: "Future[Any]") -> None:
        if ready.exception() is None:
            self.ready_time = time.monotonic()


class Ray(FutureWorkers):
    """Fits run in actors of a ray cluster, one at a time in each actor.

    Parameters
    ----------
    n_workers : int
    backend : joblib backend
        Provides ``ray_remote_args``.
    """

    can_end = True

    def __init__(self, n_workers: int, backend: Any) -> None:
        import ray  # noqa: PLC0415 - an extra

        # The pool of joblib's backend would occupy the resources that the actors need.
        backend.terminate()
        self.n_workers = n_workers
        self._ray = ray
        options = {"num_cpus": 1, "max_restarts": 0, **(backend.ray_remote_args or {})}
        self._make_actor = ray.remote(_Runner).options(**options).remote
        self._idle: list[_Actor] = []
        self._busy: dict[Future[Any], _Actor] = {}

    def open(self, shared_objects: Sequence[Any]) -> None:
        """Put the objects that all fits share into the cluster's object store."""
        self._context = SharedContext(shared_objects, nested_threads())
        self._shared = self._ray.put(self._context.content)

    def submit(self, fit: FitCall) -> "Future[Any]":
        """Start a fit in an idle actor, or in a new one."""
        if self._idle:
            actor = self._idle.pop()
        else:
            handle = self._make_actor(self._shared)
            actor = _Actor(handle, handle.is_ready.remote().future())
            actor.ready.add_done_callback(actor.on_ready)
        actor.start_time = time.monotonic()
        future: Future[Any] = actor.handle.run.remote(self._context.serialize(fit)).future()
        self._busy[future] = actor
        return future

    def row(self, future: "Future[Any]") -> Row:
        """Return the split result of a future that is done, or raise its error."""
        actor = self._busy.pop(future)
        try:
            outcome = future.result()
        except (self._ray.exceptions.RayActorError, self._ray.exceptions.OutOfMemoryError) as error:
            reason = " ".join(str(error).split())
            raise WorkerDied(reason, has_begun=actor.ready_time is not None) from error
        self._idle.append(actor)
        return deserialize_outcome(outcome)

    def seconds(self, future: "Future[Any]") -> float:
        """Return the seconds since a fit began, without the start of its actor."""
        actor = self._busy[future]
        if actor.ready_time is None:
            return 0.0
        return time.monotonic() - max(actor.ready_time, actor.start_time)

    def end(self, future: "Future[Any]") -> None:
        """Kill the actor of a fit."""
        self._ray.kill(self._busy.pop(future).handle)

    def close(self) -> None:
        """Kill all actors."""
        for actor in [*self._busy.values(), *self._idle]:
            self._ray.kill(actor.handle)
        self._busy.clear()
        self._idle.clear()
