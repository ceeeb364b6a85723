"""The inside of a worker process: how it starts, rests, and ends."""

import contextlib
import gc
import os
import random
import sys
import time
import warnings
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from sklearn_lepton._workers import worker_process as process_module
from sklearn_lepton._workers.joblib import BrokenProcessPool, SingleWorkerExecutor
from sklearn_lepton._workers.worker_process import (
    has_grown,
    own_memory,
    release_worker,
    start_worker,
    wake_worker,
)


@pytest.fixture
def worker():
    """A worker process."""
    executor = SingleWorkerExecutor({}, start_worker, [os.getpid()])
    executor.submit(os.getpid).result(60)
    yield executor
    executor.kill(5.0)


def call(worker, function, *args):
    return worker.submit(function, *args).result(60)


def state():
    """Return state of the process that a fit may change."""
    return (
        Path.cwd(),
        list(sys.path),
        dict(os.environ),
        list(warnings.filters),
        np.geterr(),
        np.random.random(),
        random.random(),
    )


def spoil(folder):
    os.chdir(folder)
    sys.path.insert(0, folder)
    os.environ["NEW"] = "1"
    os.environ["PATH"] = ""
    warnings.simplefilter("error")
    np.seterr(all="raise")
    np.random.seed(0)
    random.seed(0)


def test_released_worker_is_as_it_was_started(worker, tmp_path):
    before = call(worker, state)
    call(worker, spoil, str(tmp_path))
    spoilt = call(worker, state)
    assert all(now != was for now, was in zip(spoilt, before, strict=True))
    call(worker, spoil, str(tmp_path))
    call(worker, release_worker, 60.0)
    call(worker, wake_worker)
    after = call(worker, state)
    assert after[:5] == before[:5]
    assert after[5] != spoilt[5]  # not the stream of the seed
    assert after[6] != spoilt[6]


def test_idle_worker_ends_itself_unless_it_is_woken(worker):
    pid = call(worker, os.getpid)
    call(worker, release_worker, 0.5)
    call(worker, wake_worker)
    time.sleep(1.0)
    assert call(worker, os.getpid) == pid
    call(worker, release_worker, 0.1)
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(30)
    with pytest.raises(BrokenProcessPool):
        call(worker, wake_worker)
    assert worker.is_broken


def test_collection_leaves_out_the_modules_that_fits_have_loaded(worker):
    for module in ("xml.dom.expatbuilder", "xmlrpc.server"):
        before = call(worker, gc.get_freeze_count)
        call(worker, import_module, module)
        call(worker, release_worker, 60.0)
        call(worker, wake_worker)
        assert call(worker, gc.get_freeze_count) > before + 100


hoard = []


def keep_bytes(n):
    import sklearn_lepton._workers.worker_process as here

    here._process._last_check = -float("inf")
    hoard.append(np.ones(n, dtype=np.uint8))
    return has_grown()


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform != "linux", reason="the memory is not known without psutil")
def test_worker_whose_memory_grows_is_replaced(worker):
    assert not call(worker, keep_bytes, 1)
    assert not call(worker, keep_bytes, 200_000_000)
    assert call(worker, keep_bytes, 200_000_000)
    with pytest.raises(BrokenProcessPool):
        call(worker, release_worker, 60.0)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere mapped data count")
def test_mapped_data_are_not_own_memory(tmp_path):
    data = np.lib.format.open_memmap(tmp_path / "data.npy", "w+", np.uint8, (100_000_000,))
    data[:] = 1
    del data
    before = own_memory()
    mapped = np.load(tmp_path / "data.npy", mmap_mode="r")
    assert mapped.sum() == 100_000_000
    assert own_memory() - before < 20_000_000
    own = np.array(mapped)
    assert own_memory() - before > 90_000_000
    del own


def test_worker_that_ends_by_itself_runs_its_exit_functions(monkeypatch):
    calls = []
    monkeypatch.setattr(process_module.atexit, "_run_exitfuncs", lambda: calls.append("functions"))
    monkeypatch.setattr(process_module.os, "_exit", calls.append)
    monkeypatch.setattr(process_module, "signal", SimpleNamespace())
    process_module.end_worker()
    assert calls == ["functions", 0]


def hang_at_exit():
    import atexit

    atexit.register(time.sleep, 1000.0)
    process_module._MAX_END = 1
    process_module.end_worker()


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no alarm")
def test_exit_functions_that_hang_do_not_keep_the_worker(worker):
    with pytest.raises(BrokenProcessPool):
        call(worker, hang_at_exit)


# ----------------------------------------------------- as other systems answer


class Ended(BaseException):
    pass


@pytest.fixture
def ended(monkeypatch):
    def end(status):
        raise Ended

    monkeypatch.setattr(process_module.os, "_exit", end)


def test_worker_on_posix_ends_when_it_has_another_parent(monkeypatch, ended):
    parents = [7, 7, 7, 1]
    monkeypatch.setattr(process_module.os, "getppid", lambda: parents.pop(0))
    monkeypatch.setattr(process_module, "time", SimpleNamespace(sleep=lambda seconds: None))
    with pytest.raises(Ended):
        process_module._exit_with_parent(7)
    assert parents == []


def test_worker_on_windows_waits_for_the_end_of_its_parent(monkeypatch, ended):
    joined = []
    process = SimpleNamespace(join=lambda: joined.append(True))
    monkeypatch.setattr(process_module, "sys", SimpleNamespace(platform="win32"))
    monkeypatch.setattr(
        process_module, "multiprocessing", SimpleNamespace(parent_process=lambda: process)
    )
    with pytest.raises(Ended):
        process_module._exit_with_parent(os.getppid())  # which never changes there
    assert joined == [True]


def test_worker_on_windows_without_a_known_parent_continues(monkeypatch, ended):
    monkeypatch.setattr(process_module, "sys", SimpleNamespace(platform="win32"))
    monkeypatch.setattr(
        process_module, "multiprocessing", SimpleNamespace(parent_process=lambda: None)
    )
    process_module._exit_with_parent(os.getppid())
