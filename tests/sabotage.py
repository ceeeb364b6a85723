"""Failing estimators and scorers, importable by worker processes, and their log."""

import contextlib
import ctypes
import json
import os
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from pathlib import Path

import joblib
import numpy as np
import psutil
from sklearn.base import BaseEstimator, ClassifierMixin
from threadpoolctl import threadpool_info

from sklearn_lepton import BayesSearchCV, end_idle_workers

N_ROWS = 60
UNIT = (0.0, 1.0, "uniform")

# Wakes sleeping threads of this process; other processes never set it.
release = threading.Event()


def make_data():
    """Sixty rows of two classes; the first column is the row number."""
    rng = np.random.default_rng(0)
    X = np.column_stack([np.arange(float(N_ROWS)), rng.normal(size=(N_ROWS, 2))])
    return X, np.arange(N_ROWS) % 2


# ------------------------------------------------------------------------- acts


class UnpicklableError(Exception):
    """Exception that cannot be pickled."""

    def __reduce__(self):
        raise TypeError("cannot pickle this")


class UnloadableError(Exception):
    """Exception that can be pickled but not unpickled."""

    def __init__(self, first, second):
        super().__init__(f"{first} {second}")


class HoldingError(Exception):
    """Exception with state that cannot be pickled."""

    def __init__(self, text):
        super().__init__(text)
        self.lock = threading.Lock()


def _raise(error):
    raise error


def _crash():
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.string_at(0)


ACTS = {
    "raise": lambda: _raise(ValueError("no luck")),
    "sys.exit": lambda: sys.exit(4),
    "out of memory": lambda: _raise(MemoryError("no room")),
    "unpicklable": lambda: _raise(UnpicklableError("no luck")),
    "unloadable": lambda: _raise(UnloadableError("no", "luck")),
    "holding": lambda: _raise(HoldingError("no luck")),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "exit": lambda: os._exit(3),
    "crash": _crash,
    "sleep": lambda: release.wait(1000),
    # Compiled code that holds the interpreter's lock.
    "deaf": lambda: ctypes.PyDLL(None).sleep(1000),
}


class Saboteur(ClassifierMixin, BaseEstimator):
    """Score `x`, and fail in fit or in scoring as `how` names; log each fit's start."""

    def __init__(self, x=0.5, how="ok", seconds=0.01, refit_seconds=0.0, folder=None):
        self.x = x
        self.how = how
        self.seconds = seconds
        self.refit_seconds = refit_seconds
        self.folder = folder

    def fit(self, X, y):
        is_refit = len(X) == N_ROWS
        split = "all" if is_refit else joblib.hash(X[:, 0])
        note(self.folder, "fits", f"{self.x!r} {split} {self.how.replace(' ', '_')} {os.getpid()}")
        release.wait(self.refit_seconds if is_refit else self.seconds)
        if self.how in ACTS:
            ACTS[self.how]()
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.zeros(len(X), dtype=int)

    def score(self, X, y=None):
        if self.how.startswith("scoring: "):
            ACTS[self.how.removeprefix("scoring: ")]()
        return self.x


class DeadlyScorer:
    """End each other process that unpickles it, if it is armed."""

    def __init__(self, *, is_armed=True):
        self.pid = os.getpid()
        self.is_armed = is_armed

    def __setstate__(self, state):
        if state["is_armed"] and os.getpid() != state["pid"]:
            os._exit(1)
        self.__dict__.update(state)

    def __call__(self, estimator, X, y):
        return estimator.score(X, y)


class SlowScorer(DeadlyScorer):
    """Take a second to unpickle, and log the process."""

    def __init__(self, folder):
        super().__init__()
        self.folder = str(folder)

    def __setstate__(self, state):
        if os.getpid() != state["pid"]:
            note(state["folder"], "loads", str(os.getpid()))
            time.sleep(1.0)
        self.__dict__.update(state)


class Observer(Saboteur):
    """Log what a fit sees of threads, environment and joblib."""

    def fit(self, X, y):
        backend, n_jobs = joblib.parallel.get_active_backend()
        seen = {
            "backend": type(backend).__name__,
            "nesting_level": backend.nesting_level,
            "n_jobs": n_jobs,
            "effective": [joblib.effective_n_jobs(n) for n in (None, 1, 2, -1)],
            "pools": sorted((pool["user_api"], pool["num_threads"]) for pool in threadpool_info()),
            "env": {name: value for name, value in os.environ.items() if "NUM_THREADS" in name},
            "inner": sorted(
                joblib.Parallel(n_jobs=2)(joblib.delayed(_where)(os.getpid()) for _ in range(4))
            ),
        }
        if len(X) < N_ROWS:
            note(self.folder, "seen", repr(seen))
        return super().fit(X, y)


def _where(pid):
    return "here" if pid == os.getpid() else "in another process"


# -------------------------------------------------------------------------- log


def note(folder, name, line):
    """Append a line to a log in one atomic write."""
    if folder in {None, "None"}:
        return
    log = os.open(Path(folder) / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(log, f"{line}\n".encode())
    os.close(log)


def notes(folder, name):
    """Return the lines of a log."""
    path = Path(folder) / name
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def starts(folder):
    """Return the number of started fits of each (x, split, how), without the refit."""
    lines = [line.split()[:3] for line in notes(folder, "fits")]
    return Counter((float(x), split, how) for x, split, how in lines if split != "all")


class Log:
    """A callback that logs each finished trial."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, search, trial):
        note(self.folder, "trials", str(trial.number))


# --------------------------------------------------------------------- searches


def make_search(how, folder, n_iter=6, *, guilty=(1,), seconds=0.01, **settings):
    """Return a search whose trials in `guilty` fail as `how` names; their `x` would be the best."""
    space = {"x": UNIT, "how": ["ok", how]} if guilty else {"x": UNIT}
    settings = {
        "initial_params": [
            {"x": 0.9 + 0.01 * k, "how": how}
            if k in guilty
            else {"x": 0.1 + 0.05 * k} | ({"how": "ok"} if guilty else {})
            for k in range(n_iter)
        ],
        "cv": 2,
        "n_jobs": 2,
        "random_state": 0,
        **settings,
    }
    estimator = Saboteur(folder=str(folder), seconds=seconds)
    return BayesSearchCV(estimator, space, n_iter=n_iter, **settings)


def guilty_trials(search):
    """Return the failing trials."""
    return [trial for trial in search.trials_ if trial.params.get("how", "ok") != "ok"]


def check_only_guilty_failed(search, n_trials, reason):
    """Check that exactly the guilty trials have failed, with a reason."""
    assert search.stop_reason_ == "n_iter"
    assert len(search.trials_) == n_trials
    guilty = guilty_trials(search)
    assert guilty
    for trial in search.trials_:
        assert trial.status == ("failed" if trial in guilty else "complete"), reasons(trial)
        assert trial not in guilty or reason in reasons(trial)
    assert search.best_params_["how"] == "ok"


def reasons(trial):
    """Return the joined errors of the splits of a trial."""
    return " ".join(str(row.error) for row in trial.split_results)


# -------------------------------------------------------------------- processes


def worker_processes(process=None):
    """Return the living worker processes of the searches of a process."""
    found = []
    for child in (process or psutil.Process()).children():
        with contextlib.suppress(psutil.Error):
            is_worker = "popen_loky" in " ".join(child.cmdline())  # ray's and dask's are not
            if is_worker and child.status() != psutil.STATUS_ZOMBIE:
                found.append(child)
    return found


def pids_on_dask(cluster):
    """Return the workers of a local cluster that their nannies would restart."""
    nannies = cluster.workers.values()
    return [n.pid for n in nannies if n.process is not None and n.process.status.name == "running"]


def folders_of(pid):
    """Return the temporary folders of the searches of a process."""
    places = {Path(tempfile.gettempdir()), Path("/dev/shm")}
    return [path for place in places for path in place.glob(f"sklearn_lepton-*{pid}-*")]


def is_soon(condition, seconds):
    """Wait until a condition holds, and return whether it does."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def interrupted_searches(folder, moments, backend="loky", *, second=None, again=(), **settings):
    """Interrupt a search of this process at each moment, and print the outcome.

    A moment is a number of finished trials, a time after that, in seconds, and whether
    all processes of the group get the signal, as in a terminal. `second` is a time
    after the start of the refit when Ctrl-C is pressed again. `again` are times between
    further interrupts after the first, in seconds; they come while the search closes.
    """
    # A background job of a shell ignores Ctrl-C, in all its child processes.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sent, is_over = 0.0, threading.Event()

    def press(*, to_group):
        nonlocal sent
        sent = time.monotonic()
        if to_group:
            os.killpg(0, signal.SIGINT)
        else:
            os.kill(os.getpid(), signal.SIGINT)

    def watch(place, n_trials, delay, to_group):
        is_soon(lambda: len(notes(place, "trials")) >= n_trials, 60)
        time.sleep(delay)
        press(to_group=to_group)
        for pause in again:
            time.sleep(pause)
            press(to_group=to_group)
        if second is not None:
            is_soon(lambda: any(" all " in line for line in notes(place, "fits")), 10)
            time.sleep(second)
            press(to_group=to_group)
        is_over.set()

    for number, moment in enumerate(moments):
        place = Path(folder) / str(number)
        place.mkdir()
        search = make_search(
            "ok", place, 60, guilty=(), seconds=0.05, initial_params=None, **settings
        ).set_params(callbacks=Log(place))
        if second is not None:
            search.set_params(estimator__refit_seconds=30.0)
        is_over.clear()
        watcher = threading.Thread(target=watch, args=(place, *moment))
        error = None
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                watcher.start()
                with joblib.parallel_config(backend=backend):
                    search.fit(*make_data())
            except KeyboardInterrupt as interrupt:
                error = type(interrupt).__name__
        seconds = time.monotonic() - sent
        while not is_over.is_set():  # an interrupted `join` considers the thread as ended
            try:
                time.sleep(0.01)
            except KeyboardInterrupt:
                error = error or "KeyboardInterrupt"
        watcher.join()
        end_idle_workers()
        outcome = {
            "error": error,
            "seconds": seconds,
            "warnings": [warning.category.__name__ for warning in caught],
            "reason": getattr(search, "stop_reason_", None),
            "trials": [trial.number for trial in getattr(search, "trials_", [])],
            "statuses": [trial.status for trial in getattr(search, "trials_", [])],
            "logged": [int(line) for line in notes(place, "trials")],
            "n_results": len(getattr(search, "cv_results_", {"params": []})["params"]),
            "is_fitted": hasattr(getattr(search, "best_estimator_", None), "classes_"),
            "workers": [worker.pid for worker in worker_processes()],
            "folders": [path.name for path in folders_of(os.getpid())],
            "is_handler_back": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
        }
        sys.stdout.write(json.dumps(outcome) + "\n")
        sys.stdout.flush()


def environment(**changes):
    """Return the environment of a new process that can import this module."""
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path.rstrip(os.pathsep), **changes}
