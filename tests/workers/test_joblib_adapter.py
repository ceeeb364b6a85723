"""What each of joblib's less public names that the workers lean on must still mean."""

import os
import signal
import time

import pytest
from joblib import Parallel, effective_n_jobs, parallel_config
from joblib.externals.loky import ProcessPoolExecutor
from joblib.externals.loky.backend.reduction import get_loky_pickler
from joblib.externals.loky.process_executor import BrokenProcessPool
from joblib.parallel import BACKENDS, get_active_backend

from sklearn_lepton._workers import local as local_module
from sklearn_lepton._workers.serialization import MemmapFolder, SharedContext, unwrap


def test_the_active_backend_is_the_one_that_was_named():
    backend, n_jobs = get_active_backend()
    assert isinstance(backend, BACKENDS["loky"])
    assert (backend.nesting_level or 0) == 0
    for name in ("threading", "sequential", "multiprocessing", "loky"):
        with parallel_config(backend=name, n_jobs=3):
            backend, n_jobs = get_active_backend()
            assert isinstance(backend, BACKENDS[name])
            assert n_jobs == 3
            assert effective_n_jobs(None) == effective_n_jobs(3)


def test_backends_say_what_is_nested_in_them():
    loky, _ = get_active_backend()
    nested, n_jobs = loky.get_nested_backend()
    assert isinstance(nested, BACKENDS["threading"])
    assert (nested.nesting_level, n_jobs) == (1, None)
    with parallel_config(backend=nested, n_jobs=n_jobs):
        inner, _ = get_active_backend()
        assert inner.nesting_level == 1
        assert effective_n_jobs(None) == 1


def test_loky_limits_threads_by_the_environment_of_its_workers(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with parallel_config(backend="loky", inner_max_num_threads=3):
        backend, _ = get_active_backend()
    assert backend._prepare_worker_env(n_jobs=2)["OMP_NUM_THREADS"] == "3"
    with parallel_config(backend="loky"):
        backend, _ = get_active_backend()
    assert backend._prepare_worker_env(n_jobs=10_000)["OMP_NUM_THREADS"] == "1"


def test_the_pickler_is_cloudpickle_and_can_be_derived_from():
    import io

    class Pickler(get_loky_pickler()):
        def persistent_id(self, obj):
            return "seven" if obj == 7 else None

    file = io.BytesIO()
    Pickler(file).dump([7, lambda: 8])
    assert b"seven" in file.getvalue()


def test_a_private_executor_tells_how_its_worker_ended():
    with parallel_config(backend="loky", n_jobs=2), Parallel() as parallel:
        executor = ProcessPoolExecutor(max_workers=1, env={"OMP_NUM_THREADS": "1"})
        assert executor.submit(os.getenv, "OMP_NUM_THREADS").result(60) == "1"
        with pytest.raises(BrokenProcessPool) as caught:
            executor.submit(signal.raise_signal, signal.SIGKILL).result(60)
        assert local_module._EXIT_CODES.search(str(caught.value))[1] == "SIGKILL(-9)"
        with pytest.raises(BrokenProcessPool):
            executor.submit(os.getpid)
        executor.shutdown(wait=True, kill_workers=True)
        assert parallel([]) == []


@pytest.mark.thorough
def test_a_slot_can_be_killed_in_the_moment_after_it_was_given_a_fit(tmp_path, monkeypatch):
    monkeypatch.setenv("JOBLIB_TEMP_FOLDER", str(tmp_path))
    package = SharedContext([], None)
    folder = MemmapFolder(package)
    slot = local_module._Slot(folder, 1, {})
    first = slot.submit(package.wrap((get_pid, (), {})))
    pid = unwrap(first.result(60))["pid"]
    assert slot.has_begun()
    future = slot.submit(package.wrap((time.sleep, (1000,), {})))
    slot.kill()
    assert isinstance(future.exception(10), BrokenProcessPool)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    folder.remove()


def get_pid(callback_ctx=None):
    return {"pid": os.getpid()}
