"""Workers that crash or are killed, and killed searches.

=============================================  ==========================================
fault                                          what holds
=============================================  ==========================================
a fit kills its worker, exits or crashes       it costs its trial; others run once
workers are killed from outside, at random     at worst those that are hit twice fail
a worker is killed while it is idle            nobody notices
workers die before a fit begins                WorkersDiedError; earlier trials are kept
the searching process is killed                no worker stays, nor does the folder
the searching process forks                    the child can search as well
=============================================  ==========================================
"""

import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import psutil
import pytest
import sabotage
from marks import both_modes
from sabotage import check_only_guilty_failed, make_search, reasons

from sklearn_lepton.exceptions import WorkersDiedError

pytestmark = [
    pytest.mark.faults,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning"),
    pytest.mark.filterwarnings("ignore:One or more of the:UserWarning"),
]


@pytest.mark.parametrize(
    ("cluster", "how", "asynchronous"),
    [
        *itertools.product(["loky"], ["kill", "exit", "crash"], [False, True]),
        ("dask", "kill", False),
        ("dask", "exit", True),
        ("ray", "kill", True),
        ("ray", "exit", False),
    ],
    indirect=["cluster"],
)
def test_fit_that_kills_its_worker_fails_its_trial_only(fit, backend, tmp_path, how, asynchronous):
    search = fit(make_search(how, tmp_path, asynchronous=asynchronous))
    check_only_guilty_failed(search, 6, "died")
    guilty = sabotage.guilty_trials(search)
    code = {"kill": "SIGKILL", "exit": "EXIT(3)", "crash": "SIGSEGV"}[how]
    for trial in guilty:
        assert backend != "loky" or f"exit code {code}" in reasons(trial)
    assert np.isnan(search.cv_results_["mean_test_score"]).sum() == len(guilty)
    starts = sabotage.starts(tmp_path)
    assert len({x for x, _, _ in starts}) == 6
    innocent = [n for (_, _, done), n in starts.items() if done == "ok"]
    assert len(innocent) == 2 * (6 - len(guilty))
    assert max(innocent) <= (1 if backend == "loky" else 2)
    if backend != "dask":  # dask repeats the fits of a dead worker
        assert max(starts.values()) <= 2


def worker_pids(found):
    if found is None:
        return [process.pid for process in sabotage.worker_processes()]
    return sabotage.pids_on_dask(found)


@both_modes
@pytest.mark.parametrize("cluster", ["loky", "dask"], indirect=True)
def test_fit_of_a_worker_killed_from_outside_is_repeated(fit, cluster, tmp_path, asynchronous):
    has_begun, is_over = threading.Event(), threading.Event()
    killed = []

    def kill_at_random():
        choose = random.Random(0)
        has_begun.wait()
        while len(killed) < 3 and not is_over.wait(1.5):
            if pids := worker_pids(cluster[1]):
                killed.append(choose.choice(sorted(pids)))
                os.kill(killed[-1], signal.SIGKILL)

    killer = threading.Thread(target=kill_at_random)
    killer.start()
    settings = {"asynchronous": asynchronous, "callbacks": lambda *_: has_begun.set()}
    try:
        search = fit(make_search("ok", tmp_path, 12, guilty=(), cv=3, seconds=0.2, **settings))
    finally:
        has_begun.set()
        is_over.set()
        killer.join()
    assert len(killed) >= 2
    assert search.stop_reason_ == "n_iter"
    assert len(search.trials_) == 12
    starts = sabotage.starts(tmp_path)
    assert max(starts.values()) <= 2
    for trial in search.trials_:
        runs = [n for (x, _, _), n in starts.items() if x == trial.params["x"]]
        if trial.status == "failed":  # a fit that is killed as it begins leaves no note
            assert "The worker died in this fit, again when it was repeated" in reasons(trial)
        else:
            assert len(runs) == 3
    assert sum(trial.status == "complete" for trial in search.trials_) >= 10


@both_modes
@pytest.mark.parametrize("cluster", ["dask"], indirect=True)
def test_search_continues_after_all_workers_of_a_cluster_are_killed(
    fit, cluster, tmp_path, asynchronous
):
    def kill_all(search, trial):
        if trial.number == 1:
            for pid in worker_pids(cluster[1]):
                os.kill(pid, signal.SIGKILL)

    search = make_search("ok", tmp_path, guilty=(), asynchronous=asynchronous)
    search = fit(search.set_params(callbacks=kill_all))
    assert [trial.status for trial in search.trials_] == ["complete"] * 6
    assert max(sabotage.starts(tmp_path).values()) <= 2


@pytest.mark.parametrize("is_first", [True, False], ids=["the first to get them", "the second"])
@pytest.mark.parametrize("cluster", ["dask"], indirect=True)
def test_worker_killed_during_data_transfer_loses_no_fit(fit, cluster, tmp_path, is_first):
    def kill():
        sabotage.is_soon(lambda: sabotage.notes(tmp_path, "loads"), 30)
        first = int(sabotage.notes(tmp_path, "loads")[0])
        [victim] = [pid for pid in worker_pids(cluster[1]) if (pid == first) == is_first]
        os.kill(victim, signal.SIGKILL)

    search = make_search("ok", tmp_path, 4, guilty=(), scoring=sabotage.SlowScorer(tmp_path))
    killer = threading.Thread(target=kill)
    killer.start()
    try:
        fit(search)
    finally:
        killer.join()
    assert [trial.status for trial in search.trials_] == ["complete"] * 4
    assert set(sabotage.starts(tmp_path).values()) == {1}


@pytest.mark.parametrize("cluster", ["dask"], indirect=True)
def test_cluster_that_accepts_no_data_raises_clear_error(fit, tmp_path, monkeypatch):
    def scatter(*_, **__):
        raise RuntimeError("no room for data")

    monkeypatch.setattr("distributed.Client.scatter", scatter)
    with pytest.raises(RuntimeError, match="no room for data"):
        fit(make_search("ok", tmp_path, 2, guilty=()))


@both_modes
@pytest.mark.parametrize("cluster", ["loky"], indirect=True)
def test_workers_killed_while_idle_are_replaced(fit, tmp_path, asynchronous):
    def kill_idle(search, trial):
        if trial.number in {1, 3}:
            for worker in sabotage.worker_processes():
                worker.kill()

    # Of one trial in flight no fit runs during a callback; asynchronously one may.
    settings = {"asynchronous": True} if asynchronous else {"n_points": 1}
    search = make_search("ok", tmp_path, guilty=(), **settings)
    search = fit(search.set_params(callbacks=kill_idle))
    assert [trial.status for trial in search.trials_] == ["complete"] * 6
    counts = sabotage.starts(tmp_path).values()
    assert len(counts) == 12
    assert max(counts) == 1 + asynchronous or set(counts) == {1}


@both_modes
@pytest.mark.parametrize("cluster", ["loky"], indirect=True)
def test_search_raises_if_no_worker_survives_its_startup(fit, tmp_path, asynchronous, startup_time):
    scorer = sabotage.DeadlyScorer(is_armed=False)
    search = make_search("ok", tmp_path, 3, guilty=(), asynchronous=asynchronous)
    search = fit(search.set_params(scoring=scorer))
    trials, results = search.trials_, search.cv_results_
    search.set_params(warm_start=True, initial_params=None)
    scorer.is_armed = True  # the same object: another scorer would be refused
    start = time.monotonic()
    with pytest.raises(WorkersDiedError, match="before a fit had begun.* exit code"):
        fit(search)
    # The search gives up after a few startups, which take longer on a loaded machine.
    assert time.monotonic() - start < max(20.0, 10.0 * startup_time)
    assert search.trials_ == trials
    assert search.cv_results_["params"] == results["params"]
    assert len(sabotage.starts(tmp_path)) == 6
    scorer.is_armed = False
    assert len(fit(search).trials_) == 6


def is_gone(process):
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize(("seconds", "n_fits"), [(0.05, 4), (1000.0, 2)], ids=["short", "long"])
def test_killed_search_leaves_no_process_or_folder(tmp_path, seconds, n_fits):
    code = (
        "import sabotage\n"
        f"search = sabotage.make_search('ok', {str(tmp_path)!r}, 500, guilty=(),"
        f" seconds={seconds}, initial_params=None)\n"
        "search.fit(*sabotage.make_data())\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], env=sabotage.environment())
    try:
        assert sabotage.is_soon(lambda: len(sabotage.notes(tmp_path, "fits")) >= n_fits, 60)
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) >= 3  # two workers and the tracker
        assert sabotage.folders_of(process.pid)
    finally:
        process.kill()
        process.wait()
    try:
        assert sabotage.is_soon(lambda: all(map(is_gone, family)), 5)
        assert not sabotage.folders_of(process.pid)
    finally:  # for the tests that follow
        for relative in [relative for relative in family if not is_gone(relative)]:
            if "resource_tracker" not in " ".join(relative.cmdline()):  # which tidies up
                relative.kill()


def test_next_search_removes_folder_of_killed_process_group(tmp_path, data):
    program = (
        "import sabotage\n"
        f"search = sabotage.make_search('ok', {str(tmp_path)!r}, 500, guilty=(),"
        " seconds=0.05, initial_params=None)\n"
        "search.fit(*sabotage.make_data())\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], env=sabotage.environment(), start_new_session=True
    )
    try:
        assert sabotage.is_soon(lambda: len(sabotage.notes(tmp_path, "fits")) >= 4, 60)
        assert sabotage.folders_of(process.pid)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    make_search("ok", tmp_path, 2, guilty=()).fit(*data)
    assert not sabotage.folders_of(process.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such signal")
def test_killed_search_leaves_no_worker_in_compiled_code(tmp_path):
    program = (
        "import sabotage\n"
        f"search = sabotage.make_search('deaf', {str(tmp_path)!r}, 4, guilty=(0, 1), n_points=2)\n"
        "search.fit(*sabotage.make_data())\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], env=sabotage.environment())
    try:
        assert sabotage.is_soon(lambda: len(sabotage.notes(tmp_path, "fits")) >= 2, 60)
        time.sleep(0.2)
        workers = sabotage.worker_processes(psutil.Process(process.pid))
        assert len(workers) == 2
    finally:
        process.kill()
        process.wait()
    try:
        assert sabotage.is_soon(lambda: all(map(is_gone, workers)), 3)
    finally:
        for worker in [worker for worker in workers if not is_gone(worker)]:
            worker.kill()


def test_workers_survive_the_end_of_the_thread_that_started_them(tmp_path, data):
    """Linux tells of the end of a parent's thread, as of that of a process."""
    searches = [make_search("ok", tmp_path, n, guilty=(), seconds=0.3) for n in (2, 12)]
    threads = [threading.Thread(target=search.fit, args=data) for search in searches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for search in searches:
        assert {trial.status for trial in search.trials_} == {"complete"}
    assert set(sabotage.starts(tmp_path).values()) <= {1, 2}  # x of both are the same


FORKING = """
import os, sys, time, warnings
import sabotage
from sklearn.model_selection import GridSearchCV

warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)
data = sabotage.make_data()

def search():
    return sabotage.make_search("ok", None, 4, guilty=()).fit(*data)

start = time.monotonic()
assert len(search().trials_) == 4
limit = 10 + 3 * (time.monotonic() - start)  # a loaded machine starts processes slowly
if sys.argv[1] == "stock":
    GridSearchCV(sabotage.Saboteur(), {"x": [0.1, 0.2]}, cv=2, n_jobs=2).fit(*data)
start = time.monotonic()
pid = os.fork()
if pid == 0:
    status = 1
    try:
        status = 0 if len(search().trials_) == 4 and time.monotonic() - start < limit else 2
    finally:
        os._exit(status)
_, status = os.waitpid(pid, 0)
assert len(search().trials_) == 4  # the parent can go on
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("first", ["ours", "stock"])
def test_forked_process_can_search(first):
    run = subprocess.run(
        [sys.executable, "-c", FORKING, first],
        env=sabotage.environment(),
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert run.returncode == 0, run.stderr
