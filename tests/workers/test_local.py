"""Local workers: their choice by backend, the duration of their fits, and their end."""

import os
import time

import pytest
from joblib import Parallel, parallel_config
from joblib.parallel import BACKENDS, SequentialBackend

from sklearn_lepton._workers import local as local_module
from sklearn_lepton._workers import serialization as serialization_module
from sklearn_lepton._workers.local import Processes, make_workers
from sklearn_lepton._workers.serialization import run_in_worker, seconds_since


@pytest.mark.parametrize(
    ("name", "class_name"), [("dask", "DaskDistributedBackend"), ("ray", "RayBackend")]
)
def test_backends_of_clusters_are_known_by_their_class(monkeypatch, name, class_name):
    class Renamed(SequentialBackend):
        client = None

    class Child(Renamed):
        pass

    original = type(class_name, (SequentialBackend,), {"client": None})
    child = type("Other", (original,), {})
    made = []
    kind = "Dask" if name == "dask" else "Ray"
    monkeypatch.setattr(local_module, kind, lambda *args: made.append(args) or kind)
    monkeypatch.delitem(BACKENDS, name, raising=False)
    for backend in (original(), child()):
        with parallel_config(backend=backend):
            assert make_workers(None, Parallel(), must_end=False) == kind
    with parallel_config(backend=Child()):
        assert make_workers(None, Parallel(), must_end=False) != kind
        monkeypatch.setitem(BACKENDS, name, Renamed)
        assert make_workers(None, Parallel(), must_end=False) == kind


def test_time_limits_ignore_steps_of_the_clock(monkeypatch, tmp_path):
    folder = serialization_module.MemmapFolder(serialization_module.SharedContext([], None))
    monkeypatch.setenv("JOBLIB_TEMP_FOLDER", str(tmp_path))
    folder.open()
    begun = folder.path / "begun-0"
    assert seconds_since(begun) == 0.0
    fit = folder._context.serialize((lambda **_: {}, (), {}))
    run_in_worker(str(folder.path), str(begun), fit)
    os.utime(begun, (0.0, 0.0))
    monkeypatch.setattr(time, "time", lambda: 1e12)
    assert 0.0 < seconds_since(begun) < 60.0
    os.utime(begun, (1e11, 1e11))
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert 0.0 < seconds_since(begun) < 60.0
    begun.write_text("")  # the worker is just writing it
    assert seconds_since(begun) == 0.0
    folder.remove()


def test_workers_end_side_by_side_and_idle_ones_by_themselves():
    ended = []

    class Slot:
        def __init__(self, name):
            self.name = name

        def close(self):
            time.sleep(0.2)
            ended.append(f"{self.name} by itself")

        def kill(self):
            time.sleep(0.2)
            ended.append(f"{self.name} by force")

    workers = Processes(20, None)
    workers._slots = [Slot(k) for k in range(20)]
    workers._idle = workers._slots[:1]
    start = time.monotonic()
    workers.close()
    assert time.monotonic() - start < 2.0
    assert len(ended) == 20
    assert sorted(end for end in ended if "itself" in end) == ["0 by itself"]


def test_worker_that_ends_by_itself_runs_its_exit_functions(monkeypatch):
    calls = []
    monkeypatch.setattr(
        serialization_module.atexit, "_run_exitfuncs", lambda: calls.append("registered")
    )
    monkeypatch.setattr(serialization_module.os, "_exit", calls.append)
    serialization_module.end_worker()
    assert calls == ["registered", 0]
