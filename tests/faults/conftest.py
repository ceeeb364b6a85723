"""Backends to run searches on, and a look at what each search leaves behind."""

import contextlib
import gc
import multiprocessing
import os
import threading
import time
from pathlib import Path

import joblib
import pytest
import sabotage
from joblib import parallel_config
from joblib.pool import PicklingPool

from sklearn_lepton import end_idle_workers

TESTS = Path(sabotage.__file__).parent


@contextlib.contextmanager
def dask_cluster():
    distributed = pytest.importorskip("distributed")
    import dask

    with (
        # Else it gives up a worker that is away at the wrong moment, as after many a test here.
        dask.config.set({"distributed.deploy.lost-worker-timeout": "1h"}),
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as own,
        distributed.Client(own),
    ):
        yield own


@contextlib.contextmanager
def ray_cluster():
    ray = pytest.importorskip("ray")
    from ray.util.joblib import register_ray

    bases = PicklingPool.__bases__  # which ray changes, for joblib's multiprocessing too
    path = {"env_vars": {"PYTHONPATH": str(TESTS)}}
    ray.init(num_cpus=2, include_dashboard=False, runtime_env=path, log_to_driver=False)
    register_ray()
    try:
        yield ray
    finally:
        ray.shutdown()
        PicklingPool.__bases__ = bases


CLUSTERS = {"dask": dask_cluster, "ray": ray_cluster}


@pytest.fixture(scope="session")
def cluster(request):
    """The cluster of a backend that needs one; one at a time, since tests are sorted by it."""
    with CLUSTERS.get(request.param, contextlib.nullcontext)() as found:
        yield request.param, found


@pytest.fixture
def backend(cluster):
    """The name of a backend, "caller" for ``n_jobs=1``."""
    name, found = cluster
    if name == "dask":  # those killed in the test before have come back
        assert sabotage.is_soon(lambda: len(found.scheduler.workers) == 2, 30)
        assert sabotage.is_soon(lambda: len(sabotage.pids_on_dask(found)) == 2, 30)
    return name


@pytest.fixture
def fit(backend, data):
    """Fit a search on a backend."""

    def fit_on_backend(search):
        if backend == "caller":
            return search.set_params(n_jobs=1).fit(*data)
        with parallel_config(backend=backend):
            return search.fit(*data)

    return fit_on_backend


@pytest.fixture
def startup_time(fit, tmp_path):
    """The seconds of a search with one trial on this backend, under the machine's current load."""
    folder = tmp_path / "startup"
    folder.mkdir()
    start = time.monotonic()
    # With max_time, as in the tests, a search with n_jobs=1 runs its fits in a process as well.
    fit(sabotage.make_search("ok", folder, 1, guilty=(), max_time=1000.0))
    return time.monotonic() - start


@pytest.fixture(scope="session")
def data():
    return sabotage.make_data()


def folders():
    return set(sabotage.folders_of(os.getpid()))


def semaphores():
    gc.collect()
    multiprocessing.active_children()  # joins those that have ended, which lets go of theirs
    return set(Path("/dev/shm").glob(f"sem.loky-{os.getpid()}-*"))


def threads():
    ours = ("sklearn_lepton", "ExecutorManagerThread", "QueueFeederThread")
    return {
        thread
        for thread in threading.enumerate()
        if thread.name.startswith(ours) and not thread.name.startswith("sklearn_lepton-starter")
    }


def children():
    return {child.pid for child in sabotage.worker_processes()}


@pytest.fixture(autouse=True)
def nothing_is_left(request):
    """Check that a test leaves no process, thread, folder or semaphore behind but idle workers.

    They are ended. The one thread that starts workers stays.
    """
    if "cluster" in request.fixturenames:
        request.getfixturevalue("cluster")
    with joblib.Parallel(n_jobs=2):  # has semaphores, which it keeps, as in any fit of scikit-learn
        pass
    is_cluster = "cluster" in request.fixturenames and request.getfixturevalue("cluster")[1]
    # A cluster has threads, processes and semaphores of its own, which come and go.
    looks = [folders] if is_cluster else [children, threads, folders]
    end_idle_workers()
    before = [look() for look in looks]
    n_semaphores = len(semaphores())
    sabotage.release.clear()
    yield
    sabotage.release.set()
    end_idle_workers()
    for look, earlier in zip(looks, before, strict=True):
        sabotage.is_soon(lambda look=look, earlier=earlier: look() <= earlier, 10)
        assert look() - earlier == set()
    if not is_cluster:
        sabotage.is_soon(lambda: len(semaphores()) <= n_semaphores, 10)
        assert len(semaphores()) <= n_semaphores
