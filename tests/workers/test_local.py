"""Local workers: their choice by backend, the duration of their fits, and their end."""

import os
import time
from types import SimpleNamespace

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


def test_busy_workers_are_killed_side_by_side_and_idle_ones_kept(monkeypatch):
    killed, kept = [], []

    class Process:
        def kill(self):
            time.sleep(0.2)
            killed.append(self)

    slots = [SimpleNamespace(process=Process()) for _ in range(20)]
    pool = SimpleNamespace(
        keep=lambda processes, timeout: kept.extend(processes), kill=lambda process: process.kill()
    )
    monkeypatch.setattr(local_module, "process_pool", pool)
    workers = Processes(20, None)
    workers._slots = {Slot(slot) for slot in slots}
    workers._idle = [slot for slot in workers._slots if slot.process is slots[0].process]
    start = time.monotonic()
    workers.close()
    assert time.monotonic() - start < 2.0
    assert kept == [slots[0].process]
    assert len(killed) == 19
    assert kept[0] not in killed


class Slot:
    def __init__(self, slot):
        self.process = slot.process
