"""Worker processes that outlive a search: which ones the next search uses, and their end."""

import importlib
import os
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from joblib import cpu_count, parallel_config
from sabotage import is_soon

from sklearn_lepton._workers import pool as pool_module
from sklearn_lepton._workers.joblib import BrokenProcessPool, active_backend
from sklearn_lepton._workers.local import Processes
from sklearn_lepton._workers.pool import (
    ProcessPool,
    current_surroundings,
    end_idle_workers,
    process_pool,
)


@pytest.fixture(autouse=True)
def no_idle_worker():
    end_idle_workers()
    yield
    end_idle_workers()


def look(data=None, callback_ctx=None):
    return {"pid": os.getpid()}


def search(n=1, data=None):
    """Return the processes of a search that runs a fit on each of `n` workers."""
    workers = Processes(n, active_backend())
    workers.open([data])
    try:
        futures = [workers.submit((look, (data,), {})) for _ in range(n)]
        workers.wait(futures, 60)
        return [psutil.Process(workers.row(future)["pid"]) for future in futures]
    finally:
        workers.close()


def is_gone(process):
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.skipif(sys.platform != "linux", reason="looks at the maps of Linux")
def test_next_search_uses_the_process_which_has_released_the_data(tmp_path, monkeypatch):
    monkeypatch.setenv("JOBLIB_TEMP_FOLDER", str(tmp_path))
    [process] = search(data=np.zeros(100_000))
    assert is_soon(lambda: not maps_below(tmp_path, process), 10)
    assert list(tmp_path.iterdir()) == []
    assert search() == [process]


def maps_below(folder, process):
    return str(folder) in Path(f"/proc/{process.pid}/maps").read_text(encoding="utf-8")


def test_idle_workers_end_when_asked_and_after_their_time():
    with parallel_config(backend="loky", idle_worker_timeout=0.2):
        [process] = search()
        assert is_soon(lambda: is_gone(process), 30)
    [other] = search()
    assert other != process
    end_idle_workers()
    assert is_gone(other)


def test_invalid_idle_time_is_an_error_before_any_process_starts():
    with (
        parallel_config(backend="loky", idle_worker_timeout="long"),
        pytest.raises(ValueError, match="idle_worker_timeout must be a number of seconds"),
    ):
        Processes(1, active_backend())


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot stop a process")
def test_idle_worker_that_was_killed_or_hangs_is_replaced(monkeypatch):
    [first] = search()
    first.kill()
    assert is_soon(lambda: process_pool._idle[0]._executor.is_broken, 10)
    [second] = search()
    assert second != first
    second.send_signal(signal.SIGSTOP)
    monkeypatch.setattr(pool_module, "_MAX_WAKE", 0.2)
    [third] = search()
    assert third != second
    assert is_gone(second)


@pytest.mark.thorough
def test_workers_outlive_the_thread_whose_search_started_them():
    found = []
    thread = threading.Thread(target=lambda: found.extend(search(2)))
    thread.start()
    thread.join()
    assert set(search(2)) == set(found)


@pytest.mark.thorough
def test_worker_started_elsewhere_is_not_used(tmp_path, monkeypatch):
    [process] = search()
    monkeypatch.chdir(tmp_path)
    [other] = search()
    assert other != process
    assert is_soon(lambda: is_gone(process), 10)


def test_surroundings_change_with_what_a_process_inherits(tmp_path, monkeypatch):
    was = current_surroundings()
    assert was == current_surroundings()
    with monkeypatch.context() as patch:
        patch.chdir(tmp_path)
        assert was != current_surroundings()
    with monkeypatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        assert was != current_surroundings()
    for name in ("JOBLIB_TEMP_FOLDER", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES"):
        with monkeypatch.context() as patch:
            patch.setenv(name, "7")
            assert was != current_surroundings()
    with monkeypatch.context() as patch:
        patch.setenv("PYTEST_CURRENT_TEST", "the next phase of this test")
        assert was == current_surroundings()
    assert was != replace(current_surroundings(), cores=frozenset({10_000}))
    assert was == current_surroundings()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows tells no number of a file")
def test_surroundings_change_when_standard_output_is_another_file(tmp_path):
    was = current_surroundings()
    kept = os.dup(1)
    try:
        with (tmp_path / "out").open("wb") as file:
            os.dup2(file.fileno(), 1)
        assert was != current_surroundings()
    finally:
        os.dup2(kept, 1)
        os.close(kept)
    assert was == current_surroundings()


def test_removed_working_folder_is_named(tmp_path, monkeypatch):
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    with pytest.raises(FileNotFoundError, match="working folder has been removed"):
        search()
    monkeypatch.chdir(tmp_path)
    assert len(search()) == 1


@pytest.mark.thorough
def test_search_uses_the_new_code_of_a_module_that_only_its_fits_import(tmp_path, monkeypatch):
    file = tmp_path / "module_of_a_fit.py"
    file.write_text("VALUE = 1\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    (first, was), (again, still) = search_with_import(), search_with_import()
    assert again == first
    file.write_text("VALUE = 2  # and more\n", encoding="utf-8")
    other, now = search_with_import()
    assert (was, still, now) == (1, 1, 2)
    assert other != first
    assert is_soon(lambda: is_gone(first), 10)
    assert "module_of_a_fit" not in sys.modules


def search_with_import():
    """Return the process of a fit that imports a module, and the value that it finds there."""
    workers = Processes(1, active_backend())
    workers.open([])
    try:
        future = workers.submit((import_in_fit, (), {}))
        workers.wait([future], 60)
        row = workers.row(future)
        return psutil.Process(row["pid"]), row["value"]
    finally:
        workers.close()


def import_in_fit(callback_ctx=None):
    return {"pid": os.getpid(), "value": importlib.import_module("module_of_a_fit").VALUE}


class Double:
    """A worker process that only counts what is asked of it."""

    def __init__(self, env):
        self.env = env
        self.is_alive = True
        self.closed = threading.Event()

    def release(self, idle_timeout):
        if not self.is_alive:
            raise BrokenProcessPool("dead")

    def is_outdated(self, now):
        return False

    def allows(self, env, now):
        return env == self.env

    def wake(self):
        return self.is_alive

    def kill(self):
        self.is_alive = False

    def close(self):
        self.closed.set()


@pytest.fixture
def pool(monkeypatch):
    """A pool of doubles."""
    monkeypatch.setattr(pool_module, "call_at_exit", lambda function: None)
    monkeypatch.setattr(pool_module, "WorkerProcess", Double)
    return ProcessPool()


def test_idle_processes_are_as_many_as_were_used_together_or_as_cpus(pool):
    n = cpu_count() + 2
    many = [pool.take({}) for _ in range(n)]
    pool.kill(many.pop())
    pool.keep(many, 300.0)
    assert not any(double.closed.is_set() for double in many)
    others = [pool.take({"OMP_NUM_THREADS": "1"}) for _ in range(n)]
    pool.keep(others, 300.0)
    assert all(double.closed.wait(10) for double in many)
    assert not any(double.closed.is_set() for double in others)
    assert {pool.take({"OMP_NUM_THREADS": "1"}) for _ in range(n)} == {*others}


def test_idle_process_is_used_for_the_same_number_of_threads_only(pool):
    one, two = pool.take({"OMP_NUM_THREADS": "1"}), pool.take({"OMP_NUM_THREADS": "2"})
    pool.keep([one, two], 300.0)
    assert pool.take({"OMP_NUM_THREADS": "3"}) not in {one, two}
    assert pool.take({"OMP_NUM_THREADS": "1"}) is one
    assert pool.take({"OMP_NUM_THREADS": "1"}) not in {one, two}
    assert pool.take({"OMP_NUM_THREADS": "2"}) is two


def test_idle_process_that_does_not_answer_is_not_used(pool):
    one, other = pool.take({}), pool.take({})
    pool.keep([one, other], 300.0)
    other.is_alive = False
    assert pool.take({}) is one


def test_process_is_not_kept_without_an_idle_time_or_if_it_has_died(pool):
    one, dead = pool.take({}), pool.take({})
    dead.is_alive = False
    pool.keep([one], 0.0)
    pool.keep([dead], 300.0)
    assert one.closed.wait(10)
    assert dead.closed.wait(10)
    assert pool.take({}) not in {one, dead}
