"""Worker processes between two searches, and at the end of the program.

=============================================  ==========================================
situation                                      what holds
=============================================  ==========================================
a worker is killed between two searches        the next search does not notice
the program ends, in any way                   no worker stays
the process forks                              the child has workers of its own
a child of multiprocessing ends                it waits for no idle worker
many searches                                  processes, descriptors and memory are level
a notebook defines a class again               workers use the new class
searches in threads                            they share the processes
=============================================  ==========================================
"""

import ast
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
import sabotage
from sabotage import make_search

from sklearn_lepton import end_idle_workers, tune

pytestmark = [
    pytest.mark.faults,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning"),
    pytest.mark.filterwarnings("ignore:One or more of the:UserWarning"),
]


def pids(folder):
    """The processes of all fits but the refit."""
    lines = [line.split() for line in sabotage.notes(folder, "fits")]
    return {int(pid) for _, split, _, pid in lines if split != "all"}


def search(folder, n_iter=4, **settings):
    folder.mkdir(exist_ok=True)
    found = make_search("ok", folder, n_iter, guilty=(), **settings).fit(*sabotage.make_data())
    assert [trial.status for trial in found.trials_] == ["complete"] * n_iter
    return pids(folder)


def test_next_search_uses_the_same_workers(tmp_path):
    first = search(tmp_path / "1")
    assert len(first) == 2
    assert search(tmp_path / "2") == first
    assert search(tmp_path / "3", asynchronous=True, max_time=1000.0) == first
    assert {child.pid for child in sabotage.worker_processes()} == first


def test_worker_killed_between_searches_is_replaced(tmp_path):
    first = search(tmp_path / "1")
    killed, kept = sabotage.worker_processes()
    killed.kill()
    second = search(tmp_path / "2")
    assert kept.pid in second
    assert killed.pid not in second
    assert set(sabotage.starts(tmp_path / "2").values()) == {1}
    for worker in sabotage.worker_processes():
        worker.kill()
    assert not search(tmp_path / "3") & (first | second)


def test_worker_killed_in_a_fit_costs_that_fit_and_the_others_stay_warm(tmp_path):
    first = search(tmp_path / "1")
    folder = tmp_path / "2"
    folder.mkdir()
    found = make_search("kill", folder, 4, guilty=(1,))
    found.fit(*sabotage.make_data())
    sabotage.check_only_guilty_failed(found, 4, "died")
    assert first & pids(folder)
    alive = {worker.pid for worker in sabotage.worker_processes()}
    assert search(tmp_path / "3") <= alive


def test_searches_in_threads_share_the_workers(tmp_path):
    def run(number):
        return search(tmp_path / f"{number}")

    with ThreadPoolExecutor(2) as threads:
        used = set.union(*threads.map(run, range(4)))
    assert len(used) == 4
    assert {worker.pid for worker in sabotage.worker_processes()} == used


def search_within(params):
    found = make_search("ok", None, 2, guilty=(), max_time=1000.0).fit(*sabotage.make_data())
    return found.best_score_ + params["x"]


def test_search_inside_of_a_worker_has_workers_of_its_own():
    found = tune(search_within, {"x": [0.0, 1.0, 2.0]}, n_iter=3, n_jobs=2)
    assert found.best_score_ > 2.0


ENDS = {
    "normal": ("", 0),
    "an exception": ("raise ValueError('end')", 1),
    "sys.exit": ("sys.exit(3)", 3),
    "os._exit": ("os._exit(4)", 4),
    "kill": ("os.kill(os.getpid(), 9)", -9),
    "terminate": ("os.kill(os.getpid(), 15)", -15),
    "in a thread": ("threading.Thread(target=time.sleep, args=(1.0,)).start()", 0),
}

ENDING = """
import os, sys, threading, time
import sabotage
sabotage.make_search("ok", {folder!r}, 4, guilty=()).fit(*sabotage.make_data())
start = time.monotonic()
sys.stdout.write(repr([worker.pid for worker in sabotage.worker_processes()]))
sys.stdout.flush()
{end}
"""


@pytest.mark.parametrize(("end", "status"), ENDS.values(), ids=ENDS)
def test_no_idle_worker_outlives_its_program(tmp_path, end, status):
    run = subprocess.Popen(
        [sys.executable, "-c", ENDING.format(folder=str(tmp_path), end=end)],
        env=sabotage.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    workers = [psutil.Process(pid) for pid in ast.literal_eval(read_list(run.stdout))]
    start = time.monotonic()
    _, errors = run.communicate(timeout=60)
    assert run.returncode == status, errors
    assert time.monotonic() - start < 10.0
    assert len(workers) == 2
    if status == 0:
        assert not errors
    assert sabotage.is_soon(lambda: not any(map(is_alive, workers)), 5)
    assert sabotage.is_soon(lambda: not sabotage.folders_of(run.pid), 5)


def read_list(stream):
    text = ""
    while not text.endswith("]"):
        text += stream.read(1)
    return text


def is_alive(process):
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


HANGING = """
import os, sys, time
import numpy as np, sabotage
from sklearn_lepton import BayesSearchCV

class Lingering(sabotage.Saboteur):
    def fit(self, X, y):
        import atexit, threading
        if os.getpid() != {pid}:
            atexit.register(time.sleep, 1000.0)
            threading.Thread(target=time.sleep, args=(1000.0,)).start()
        return super().fit(X, y)

estimator = Lingering()
BayesSearchCV(estimator, {{"x": sabotage.UNIT}}, n_iter=2, cv=2, n_jobs=2).fit(
    *sabotage.make_data()
)
"""


def test_program_ends_though_its_idle_workers_would_not(tmp_path):
    program = HANGING.replace("{pid}", "PARENT").format(pid="")
    program = f"import os\nPARENT = os.getpid()\n{program}"
    start = time.monotonic()
    run = subprocess.run(
        [sys.executable, "-c", program],
        env=sabotage.environment(),
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert run.returncode == 0, run.stderr
    assert time.monotonic() - start < 60.0


FORKING = """
import multiprocessing, os, sys, time, warnings
from pathlib import Path
import sabotage

warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)

def search(name):
    folder = Path(sys.argv[1]) / name
    folder.mkdir()
    search = sabotage.make_search("ok", folder, 4, guilty=()).fit(*sabotage.make_data())
    assert len(search.trials_) == 4
    return {int(line.split()[3]) for line in sabotage.notes(folder, "fits") if " all " not in line}

if __name__ == "__main__":
    first = search("first")
    pid = os.fork()
    if pid == 0:
        assert not first & search("child")
        sys.exit(0)
    _, status = os.waitpid(pid, 0)
    assert status == 0, status
    assert search("second") == first
    for method in ("fork", "spawn"):
        start = time.monotonic()
        child = multiprocessing.get_context(method).Process(target=search, args=(method,))
        child.start()
        child.join(60)
        assert child.exitcode == 0, (method, child.exitcode)
    assert search("third") == first
"""


def test_fork_has_workers_of_its_own_and_waits_for_none(tmp_path):
    program = tmp_path / "forking.py"
    program.write_text(FORKING, encoding="utf-8")
    run = subprocess.run(
        [sys.executable, str(program), str(tmp_path)],
        env=sabotage.environment(),
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert run.returncode == 0, run.stderr
    assert "AssertionError" not in run.stderr


LEVEL = """
import os, sys, threading
import psutil, sabotage
import sklearn_lepton

process = psutil.Process()

def measure():
    workers = sabotage.worker_processes()
    return (
        process.num_fds(),
        threading.active_count(),
        len(workers),
        len(sabotage.folders_of(os.getpid())),
        process.memory_info().rss // 2**20,
        max(worker.memory_info().rss for worker in workers) // 2**20,
        sum(worker.num_fds() for worker in workers),
    )

X, y = sabotage.make_data()
counts = []
for _ in range(40):
    sabotage.make_search("ok", None, 4, guilty=(), seconds=0.0).fit(X, y)
    counts.append(measure())
print(counts)
"""


def test_many_searches_leave_no_more_than_two():
    run = subprocess.run(
        [sys.executable, "-c", LEVEL],
        env=sabotage.environment(),
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert run.returncode == 0, run.stderr
    counts = ast.literal_eval(run.stdout)
    second, last = counts[1], counts[-1]
    assert last[2:4] == (2, 0)
    for now, was, slack in zip(last, second, (0, 0, 0, 0, 10, 10, 0), strict=True):
        assert now <= was + slack, counts


NOTEBOOK = """
import sabotage
from sklearn_lepton import SwarmSearchCV, end_idle_workers

for value in (0.25, 0.75):
    exec(
        "class Model(sabotage.Saboteur):\\n"
        "    def score(self, X, y=None):\\n"
        f"        return {value}\\n"
    )
    search = SwarmSearchCV(Model(), {"x": sabotage.UNIT}, n_iter=4, cv=2, n_jobs=2)
    print(search.fit(*sabotage.make_data()).best_score_)

Model.score = lambda self, X, y=None: 1.0
print(search.fit(*sabotage.make_data()).best_score_)
"""


def test_class_that_is_defined_anew_is_used_as_it_is(tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", NOTEBOOK],
        env=sabotage.environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.stdout.split() == ["0.25", "0.75", "1.0"], run.stderr


def test_module_that_is_edited_is_imported_anew(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "edited_model", raising=False)
    file = tmp_path / "edited_model.py"
    code = "import sabotage\nclass Model(sabotage.Saboteur):\n    def score(self, X, y=None):\n"
    found = []
    for value in (0.25, 0.75):
        file.write_text(f"{code}        return {value}  # {'x' * int(100 * value)}\n")
        sys.modules.pop("edited_model", None)
        model = __import__("edited_model").Model()
        search = make_search("ok", None, 2, guilty=(), initial_params=None)
        found.append(search.set_params(estimator=model).fit(*sabotage.make_data()).best_score_)
    sys.modules.pop("edited_model")
    assert found == [0.25, 0.75]


def test_idle_workers_can_be_ended(tmp_path):
    first = search(tmp_path / "1")
    end_idle_workers()
    assert not sabotage.worker_processes()
    assert not first & search(tmp_path / "2")
