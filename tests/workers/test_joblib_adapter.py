"""The adapter to joblib and loky: the behavior that each of their undocumented names must have."""

import io
import os
import pickle
import signal
import threading
import time

import pytest
from joblib import Parallel, effective_n_jobs, parallel_config
from joblib.parallel import BACKENDS

from sklearn_lepton._workers import joblib as joblib_module
from sklearn_lepton._workers.joblib import (
    BrokenProcessPool,
    SingleWorkerExecutor,
    active_backend,
    exit_reason,
    is_backend,
    is_nested,
    nested_backend,
    nested_threads,
    pickler_class,
    track_folder,
    untrack_folder,
    worker_environment,
)
from sklearn_lepton._workers.local import _Slot
from sklearn_lepton._workers.pool import WorkerProcess
from sklearn_lepton._workers.serialization import (
    MemmapFolder,
    SharedContext,
    deserialize_outcome,
)


def do_nothing():
    """Initialize a worker process."""


def exit_now():
    os._exit(0)


def test_active_backend_is_the_configured_one():
    assert is_backend(active_backend(), "loky")
    assert not is_nested(active_backend())
    for name in ("threading", "sequential", "multiprocessing", "loky"):
        with parallel_config(backend=name, n_jobs=3):
            assert is_backend(active_backend(), name)
            assert effective_n_jobs(None) == effective_n_jobs(3)


def test_loky_nests_threads_and_so_do_the_workers_of_clusters():
    for nested, n_jobs in (nested_backend(active_backend()), nested_threads()):
        assert isinstance(nested, BACKENDS["threading"])
        assert (nested.nesting_level, n_jobs) == (1, None)
        with parallel_config(backend=nested, n_jobs=n_jobs):
            assert is_nested(active_backend())
            assert effective_n_jobs(None) == 1


def test_worker_environment_limits_threads(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with parallel_config(backend="loky", inner_max_num_threads=3):
        assert worker_environment(active_backend(), 2)["OMP_NUM_THREADS"] == "3"
    with parallel_config(backend="loky"):
        assert worker_environment(active_backend(), 10_000)["OMP_NUM_THREADS"] == "1"


def test_pickler_is_cloudpickle_and_can_be_derived_from():
    class Pickler(pickler_class()):
        def persistent_id(self, obj):
            return "seven" if obj == 7 else None

    file = io.BytesIO()
    Pickler(file).dump([7, lambda: 8])
    assert b"seven" in file.getvalue()
    file = io.BytesIO()
    pickler_class()(file, protocol=pickle.HIGHEST_PROTOCOL).dump(lambda: 8)
    assert pickle.loads(file.getvalue())() == 8


def test_resource_tracker_accepts_folders(monkeypatch, tmp_path):
    sent = []
    tracker = joblib_module.resource_tracker
    for name in ("register", "unregister"):
        monkeypatch.setattr(tracker, name, lambda *call, name=name: sent.append((name, *call)))
    track_folder(tmp_path)
    untrack_folder(tmp_path)
    assert sent == [("register", str(tmp_path), "folder"), ("unregister", str(tmp_path), "folder")]
    monkeypatch.undo()
    track_folder(tmp_path)  # the real tracker process reads both
    untrack_folder(tmp_path)


def test_executor_reports_how_its_worker_ended():
    with parallel_config(backend="loky", n_jobs=2), Parallel() as parallel:
        executor = SingleWorkerExecutor({"OMP_NUM_THREADS": "1"}, do_nothing, [])
        assert executor.submit(os.getenv, "OMP_NUM_THREADS").result(60) == "1"
        with pytest.raises(BrokenProcessPool) as caught:
            executor.submit(signal.raise_signal, signal.SIGKILL).result(60)
        assert exit_reason(caught.value) == "exit code SIGKILL(-9)"
        with pytest.raises(BrokenProcessPool):
            executor.submit(os.getpid)
        executor.kill(5.0)
        assert parallel([]) == []


def test_exit_reason_without_an_exit_code_is_the_message():
    assert exit_reason(BrokenProcessPool("no worker")) == "no worker"


def test_idle_process_ends_itself_without_a_kill(monkeypatch):
    killed = []
    executor = SingleWorkerExecutor({}, do_nothing, [])
    pid = executor.submit(os.getpid).result(60)
    with monkeypatch.context() as patch:
        patch.setattr(joblib_module, "kill_process_tree", killed.append)
        executor.close(exit_now, 60.0)
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        executor.kill(5.0)
    assert [process.pid for process in killed] == []
    managers = [
        t for t in threading.enumerate() if t is executor._executor._executor_manager_thread
    ]
    assert managers == []


@pytest.mark.thorough
def test_process_can_be_killed_in_the_moment_after_a_submit(tmp_path, monkeypatch):
    monkeypatch.setenv("JOBLIB_TEMP_FOLDER", str(tmp_path))
    context = SharedContext([], None)
    folder = MemmapFolder(context)
    folder.open()
    slot = _Slot(WorkerProcess({}), folder, 1)
    first = slot.submit(context.serialize((get_pid, (), {})))
    pid = deserialize_outcome(first.result(60)[0])["pid"]
    assert slot.has_begun()
    future = slot.submit(context.serialize((time.sleep, (1000,), {})))
    slot.process.kill()
    assert isinstance(future.exception(10), BrokenProcessPool)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    folder.remove()


def get_pid(callback_ctx=None):
    return {"pid": os.getpid()}
