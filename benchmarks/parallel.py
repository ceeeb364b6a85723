"""Parallel fits: share of busy workers, wall time, memory and bytes, compared with peers.

    python benchmarks/parallel.py [busy] [wall] [score] [memory] [bytes] [--json FILE] [--quick]

busy
    The share of the workers' time in which a fit runs. Fits sleep for a log-normal time, with a
    factor of ten between the 5 % and 95 % quantiles, drawn from a hash of the parameters and the
    split. Each records its start and its end. The main figure is measured from the first fit's
    start to the last fit's end. Three more are reported: over the whole call of `fit`, including
    the start of the processes; from the moment when all workers run for the first time to the start
    of the last fit; and the best possible share, where the same fits in the same order start
    immediately on any free worker. The grid, and the number of trials of all others, give about 30
    fits per worker, so that the idle time at the end costs a few hundredths, and more with many
    workers (column "possible").
wall
    The time of `fit` to the same number of trials, asynchronous compared with the window of the
    default size. Each proposes other configurations with other times. The report therefore has the
    ratio of the sums over the seeds and the ratio for equal sums of the fits' own seconds.
score
    The time from the call of `fit` to a score, compared with Optuna with as many threads, on fits
    that keep a core busy. The levels are the medians of the best scores of Optuna's runs after 32,
    48 and 64 trials. A run that does not reach one counts as infinitely long in the median; the
    expected time is that of all runs, including unsuccessful ones, per success.
memory
    The peak memory of all processes during a search of 200 MB of data.
bytes
    The bytes sent for one fit of that search.

Every run has a fresh interpreter and one BLAS thread; contestants take turns. Parts that are
measured again replace those in the JSON file, the others stay.
"""

import argparse
import contextlib
import hashlib
import heapq
import importlib
import itertools
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from joblib import parallel_config
from overhead import ONE_THREAD, environment
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    RandomizedSearchCV,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

SIGMA = math.log(10) / (2 * statistics.NormalDist().inv_cdf(0.95))
ASYNCHRONOUS, WINDOW = "BayesSearchCV asynchronous", "BayesSearchCV"
THREADS = ", threads"
GRID, OPTUNA_SEARCH, OPTUNA_STUDY = "GridSearchCV", "Optuna OptunaSearchCV", "Optuna study"
SKOPT = "scikit-optimize BayesSearchCV"
ALL = (
    ASYNCHRONOUS,
    f"{ASYNCHRONOUS}{THREADS}",
    WINDOW,
    f"{WINDOW}{THREADS}",
    "SwarmSearchCV asynchronous",
    GRID,
    "RandomizedSearchCV",
    SKOPT,
    OPTUNA_SEARCH,
)
LONGEST = 900  # seconds; a contestant that takes more has failed

FULL: dict[str, dict[str, Any]] = {
    # Workers: the mean seconds of a fit, and the sides of the grid of trials, of three fits each.
    # The proposals of scikit-optimize take longer with each trial, soon longer than the fits: its
    # share is plain after fewer trials.
    "busy": {
        "workers": {2: (0.4, (4, 5)), 8: (0.4, (8, 10)), 32: (1.0, (12, 28))},
        "most_trials": {SKOPT: 66},
    },
    "wall": {"workers": (2, 8), "splits": (1, 3), "mean": 0.3, "fits_a_worker": 30, "seeds": 3},
    "score": {
        "tasks": ("boosting", "support vectors"),
        "n_trials": 64,
        "levels": (32, 48, 64),
        "seeds": 5,
    },
    "memory": {"rows": 250_000, "columns": 100, "repeats": 3},
    "bytes": {"rows": 250_000, "columns": 100},
}
QUICK: dict[str, dict[str, Any]] = {
    "busy": {"workers": {2: (0.05, (2, 3))}, "most_trials": {SKOPT: 6}},
    "wall": {"workers": (2,), "splits": (1,), "mean": 0.05, "fits_a_worker": 6, "seeds": 1},
    "score": {"tasks": ("boosting",), "n_trials": 6, "levels": (3, 6), "seeds": 1},
    "memory": {"rows": 20_000, "columns": 100, "repeats": 1},
    "bytes": {"rows": 20_000, "columns": 100},
}


# ------------------------------------------------------------------ searches


class Sleeper(BaseEstimator):
    """An estimator that sleeps, writes down when, and scores a smooth function of two numbers."""

    def __init__(self, x0=0.5, x1=0.5, mean=0.4, log=""):
        self.x0, self.x1, self.mean, self.log = x0, x1, mean, log

    def fit(self, X, y=None):
        """Sleep for a time that the parameters and the rows of the split decide."""
        start = time.time()
        numbers = np.array([self.x0, self.x1]).tobytes() + X.tobytes()
        digest = hashlib.blake2b(numbers, digest_size=6).digest()
        normal = statistics.NormalDist(-(SIGMA**2) / 2, SIGMA)
        share = (int.from_bytes(digest, "big") + 0.5) / 2**48
        time.sleep(self.mean * math.exp(normal.inv_cdf(share)))
        lane = f"{os.getpid()}-{threading.get_ident()}"
        # A single appending call is atomic.
        file = os.open(self.log, os.O_WRONLY | os.O_APPEND)
        os.write(file, f"{lane} {start!r} {time.time()!r}\n".encode())
        os.close(file)
        self.n_features_in_ = X.shape[1]
        return self

    def score(self, X, y=None):
        """Return minus the distance to a place in the unit square."""
        return -((self.x0 - 0.3) ** 2) - (self.x1 - 0.7) ** 2


INTEGERS, LOGARITHMIC = ("int", "log-int"), ("log-int", "log-uniform")
SQUARE = {"x0": (0.0, 1.0, "uniform"), "x1": (0.0, 1.0, "uniform")}


def optuna_range(values: Any) -> Any:
    """Return the distribution for choices, or for (low, high, prior)."""
    from optuna import distributions

    if isinstance(values, list):
        return distributions.CategoricalDistribution(values)
    low, high, prior = values
    kind = "IntDistribution" if prior in INTEGERS else "FloatDistribution"
    return getattr(distributions, kind)(low, high, log=prior in LOGARITHMIC)


def ours(name: str, model: Any, space: Any, n_trials: int, workers: int, **options: Any) -> Any:
    import sklearn_lepton

    class_name, _, mode = name.removesuffix(THREADS).partition(" ")
    return getattr(sklearn_lepton, class_name)(
        model,
        space,
        n_iter=n_trials,
        n_jobs=workers,
        refit=False,
        asynchronous=mode.startswith("asynchronous"),
        **options,
    )


def optuna_search(model: Any, space: Any, n_trials: int, workers: int, **options: Any) -> Any:
    import optuna
    from optuna_integration import OptunaSearchCV

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    ranges = {name: optuna_range(values) for name, values in space.items()}
    return OptunaSearchCV(model, ranges, n_trials=n_trials, n_jobs=workers, refit=False, **options)


def skopt_search(model: Any, space: Any, n_trials: int, workers: int, **options: Any) -> Any:
    from skopt import BayesSearchCV

    n_points = -(-workers // options["cv"].get_n_splits())
    return BayesSearchCV(
        model, space, n_iter=n_trials, n_jobs=workers, n_points=n_points, refit=False, **options
    )


def square_search(
    name: str, model: Any, sides: tuple[int, int], workers: int, cv: Any, seed: int
) -> Any:
    """Make a search of the unit square with as many trials as a grid of these sides has."""
    from scipy.stats import uniform

    n_trials = math.prod(sides)
    common = {"cv": cv, "n_jobs": workers, "refit": False}
    if name == GRID:
        sizes = zip(SQUARE, sides, strict=True)
        return GridSearchCV(model, {x: np.linspace(0, 1, n) for x, n in sizes}, **common)
    if name == "RandomizedSearchCV":
        space = dict.fromkeys(SQUARE, uniform())
        return RandomizedSearchCV(model, space, n_iter=n_trials, random_state=seed, **common)
    options = {"cv": cv, "random_state": seed}
    if name == SKOPT:
        return skopt_search(model, SQUARE, n_trials, workers, **options)
    if name == OPTUNA_SEARCH:
        return optuna_search(model, SQUARE, n_trials, workers, **options)
    return ours(name, model, SQUARE, n_trials, workers, **options)


def live_task(name: str) -> tuple[Any, dict[str, Any], Any, Any, str]:
    """Return model, space, data and metric of a task whose fits keep a core busy."""
    if name == "boosting":
        space = {
            "learning_rate": (0.01, 0.5, "log-uniform"),
            "max_iter": (20, 100, "log-int"),
            "max_leaf_nodes": (3, 31, "log-int"),
            "min_samples_leaf": (2, 60, "log-int"),
            "l2_regularization": (1e-4, 10.0, "log-uniform"),
        }
        model = HistGradientBoostingClassifier(early_stopping=False, random_state=0)
        return model, space, *load_breast_cancer(return_X_y=True), "neg_log_loss"
    space = {
        "pca__n_components": (4, 60, "int"),
        "pca__whiten": [False, True],
        "svc__C": (1e-2, 1e3, "log-uniform"),
        "svc__gamma": (1e-5, 1.0, "log-uniform"),
    }
    X, y = load_digits(return_X_y=True)
    return make_pipeline(PCA(random_state=0), SVC()), space, X, y, "accuracy"


# ------------------------------------------- what runs in a fresh interpreter


def measure_busy(
    contestant: str, workers: int, splits: int, sides: list[int], mean: float, seed: int
) -> dict[str, Any]:
    """Return the shares of the workers' time in which fits ran, and the times."""
    cv = KFold(splits) if splits > 1 else ShuffleSplit(1, random_state=0)
    # Rows that differ, so that splits do.
    X, y = np.arange(60.0).reshape(30, 2), np.arange(30) % 2
    with tempfile.NamedTemporaryFile() as log:
        model = Sleeper(mean=mean, log=log.name)
        search = square_search(contestant, model, (sides[0], sides[1]), workers, cv, seed)
        start = time.time()
        # Sleep lets go of Python's lock, as Optuna's threads need it to.
        with parallel_config(backend="threading" if contestant.endswith(THREADS) else "loky"):
            search.fit(X, y)
        whole = time.time() - start
        lines = [line.split() for line in Path(log.name).read_text(encoding="utf-8").splitlines()]
    fits = sorted((float(begin), float(end), lane) for lane, begin, end in lines)
    found = summary_of_fits(fits, workers)
    return found | {
        "fit_call_s": whole,
        "busy_of_call": found["slept_s"] / (workers * whole),
        "starting_s": fits[0][0] - start,
        "ending_s": start + whole - max(end for _, end, _ in fits),
    }


def summary_of_fits(fits: list[tuple[float, float, str]], workers: int) -> dict[str, Any]:
    """Return what the sorted starts, ends and lanes of fits tell of the workers."""
    first, last = fits[0][0], fits[-1][0]
    wall = max(end for _, end, _ in fits) - first
    seconds = [end - begin for begin, end, _ in fits]
    full = first_full(fits, workers)
    steady = None
    if full is not None and full < last:
        inside = sum(max(0.0, min(end, last) - max(begin, full)) for begin, end, _ in fits)
        steady = inside / (workers * (last - full))
    ends = [0.0] * workers
    for s in seconds:
        heapq.heapreplace(ends, ends[0] + s)
    lanes: dict[str, list[tuple[float, float]]] = {}
    for begin, end, lane in fits:
        lanes.setdefault(lane, []).append((begin, end))
    gaps = [
        after[0] - before[1]
        for lane in lanes.values()
        for before, after in itertools.pairwise(lane)
    ]
    return {
        "n_fits": len(fits),
        "n_lanes": len(lanes),
        "wall_s": wall,
        "slept_s": sum(seconds),
        "busy": sum(seconds) / (workers * wall),
        "steady": steady,
        "possible": sum(seconds) / (workers * max(ends)),
        "gap_ms": 1000 * statistics.median(gaps) if gaps else None,
        "mean_gap_ms": 1000 * statistics.fmean(gaps) if gaps else None,
    }


def first_full(fits: list[tuple[float, float, str]], workers: int) -> float | None:
    """Return when as many fits as there are workers run for the first time, or None."""
    running: list[float] = []
    for begin, end, _ in fits:
        while running and running[0] <= begin:
            heapq.heappop(running)
        heapq.heappush(running, end)
        if len(running) == workers:
            return begin
    return None


def measure_score(contestant: str, task: str, n_trials: int, seed: int) -> dict[str, Any]:
    """Return the seconds since the call of `fit`, and the score, of each finished trial."""
    model, space, X, y, scoring = live_task(task)
    cv = StratifiedKFold(3, shuffle=True, random_state=0)
    curve: list[tuple[float, float]] = []

    def note(_: Any, trial: Any) -> None:
        score = trial.score if contestant == ASYNCHRONOUS else trial.value
        if score is not None:
            curve.append((time.perf_counter() - start, score))

    options = {"cv": cv, "scoring": scoring, "random_state": seed}
    if contestant == ASYNCHRONOUS:
        search = ours(contestant, model, space, n_trials, 2, callbacks=note, **options)
    elif contestant == OPTUNA_SEARCH:
        search = optuna_search(model, space, n_trials, 2, callbacks=[note], **options)
    else:
        import optuna  # noqa: F401 - its import is not part of the search

    start = time.perf_counter()
    if contestant == OPTUNA_STUDY:
        run_study(
            lambda params: score_of(model, params, X, y, cv, scoring), space, n_trials, seed, note
        )
    else:
        search.fit(X, y)
    return {"curve": sorted(curve), "fit_call_s": time.perf_counter() - start}


def score_of(model: Any, params: Any, X: Any, y: Any, cv: Any, scoring: str) -> float:
    fitted = clone(model).set_params(**params)
    return float(cross_val_score(fitted, X, y, cv=cv, scoring=scoring).mean())


def run_study(
    objective: Callable[[dict[str, Any]], float],
    space: dict[str, Any],
    n_trials: int,
    seed: int,
    note: Callable[[Any, Any], None],
) -> None:
    """Run Optuna's own loop with two threads, as one writes it by hand."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def run(trial: Any) -> float:
        params: dict[str, Any] = {}
        for name, values in space.items():
            if isinstance(values, list):
                params[name] = trial.suggest_categorical(name, values)
                continue
            low, high, prior = values
            suggest = trial.suggest_int if prior in INTEGERS else trial.suggest_float
            params[name] = suggest(name, low, high, log=prior in LOGARITHMIC)
        return objective(params)

    sampler = optuna.samplers.TPESampler(seed=seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(run, n_trials=n_trials, n_jobs=2, callbacks=[note])


def large_search(contestant: str, rows: int, columns: int) -> Callable[[], Any]:
    """Return what searches 8 settings on 3 splits of large data with two workers."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, columns))
    y = (X[:, 0] + rng.standard_normal(rows) > 0).astype(int)
    model, cv = SGDClassifier(max_iter=1, tol=None, random_state=0), KFold(3)
    if contestant == GRID:
        space = {"alpha": np.logspace(-6, -1, 8)}
        search = GridSearchCV(model, space, cv=cv, n_jobs=2, refit=False)
    else:
        ranges = {"alpha": (1e-6, 1e-1, "log-uniform")}
        search = ours(contestant, model, ranges, 8, 2, cv=cv, random_state=0)
    return lambda: search.fit(X, y)


def measure_memory(contestant: str, rows: int, columns: int) -> dict[str, Any]:
    """Run a search, while the parent process measures the memory."""
    run = large_search(contestant, rows, columns)
    start = time.perf_counter()
    run()
    return {"fit_call_s": time.perf_counter() - start}


def measure_bytes(contestant: str, rows: int, columns: int) -> dict[str, Any]:
    """Return how many bytes loky has sent to workers for each fit.

    That is all that goes through the pipe, the name of the called function included. Large arrays
    are in files by then, of which only the names are sent, with all contestants.
    """
    from joblib.externals.loky.backend import queues

    from sklearn_lepton._workers.serialization import SharedContext

    sent: list[float] = []
    wrapped: list[int] = []
    dumps, wrap = queues.dumps, SharedContext.wrap

    def weighing_dumps(obj: Any, *args: Any, **kwargs: Any) -> Any:
        data = dumps(obj, *args, **kwargs)
        if type(obj).__name__ == "_CallItem":
            n_fits = len(obj.fn) if hasattr(obj.fn, "__len__") else 1
            sent.extend([len(data) / n_fits] * n_fits)
        return data

    def weighing_wrap(package: Any, fit: Any) -> bytes:
        payload = wrap(package, fit)
        wrapped.append(len(payload))
        return payload

    run = large_search(contestant, rows, columns)
    queues.dumps, SharedContext.wrap = weighing_dumps, weighing_wrap
    run()
    return {
        "n_fits": len(sent),
        "median": statistics.median(sent),
        "largest": max(sent),
        "largest_payload": max(wrapped, default=None),
    }


MEASURES: dict[str, Callable[..., dict[str, Any]]] = {
    "busy": measure_busy,
    "score": measure_score,
    "memory": measure_memory,
    "bytes": measure_bytes,
}


def measure(what: str, job: str) -> dict[str, Any]:
    """Make one measurement; whatever goes wrong is its result."""
    warnings.simplefilter("ignore")
    os.environ["PYTHONWARNINGS"] = "ignore"  # for the workers
    try:
        return MEASURES[what](**json.loads(job))
    except Exception as error:
        return {"error": f"{type(error).__name__}: {str(error)[:80]}"}


def start_fresh(what: str, job: dict[str, Any]) -> "subprocess.Popen[str]":
    """Start one measurement in a process of its own."""
    command = [sys.executable, __file__, "--measure", what, json.dumps(job)]
    env = os.environ | ONE_THREAD
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)


def fresh(what: str, **job: Any) -> dict[str, Any]:
    """Make one measurement in a process of its own; a crash is a result as well."""
    process = start_fresh(what, job)
    try:
        output, _ = process.communicate(timeout=LONGEST)
    except subprocess.TimeoutExpired:
        return given_up(process)
    return result_of(process, output)


def given_up(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """End a process with its workers."""
    import psutil

    for member in psutil.Process(process.pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    process.kill()
    return {"error": f"not done after {LONGEST} s"}


def result_of(process: "subprocess.Popen[str]", output: str) -> dict[str, Any]:
    if process.returncode:
        return {"error": f"ends with exit code {process.returncode}"}
    result: dict[str, Any] = json.loads(output.splitlines()[-1])
    return result


def fresh_with_peak(what: str, **job: Any) -> dict[str, Any]:
    """Make one measurement, and look at the memory of its processes every 20 ms.

    What is counted is the proportional set size: memory of its own in full, and of what several
    processes map the fraction that makes their sum count it once. So a file in /dev/shm counts
    once, as soon as and as far as some process has it mapped and has touched it.
    """
    process = start_fresh(what, job)
    end = time.monotonic() + LONGEST
    peak: list[float] = [0.0]
    while process.poll() is None:
        if time.monotonic() > end:
            return given_up(process)
        peak = max(peak, memory_of(process.pid), key=sum)
        time.sleep(0.02)
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    found = result_of(process, process.stdout.read())
    return found | {"peak_mb": sum(peak), "caller_mb": peak[0], "n_processes": len(peak)}


def memory_of(pid: int) -> list[float]:
    """Return the MB of a process and of each of its descendants."""
    import psutil

    sizes = [0.0]
    try:
        process = psutil.Process(pid)
        for place, member in enumerate([process, *process.children(recursive=True)]):
            text = Path(f"/proc/{member.pid}/smaps_rollup").read_text(encoding="utf-8")
            size = next(line.split()[1] for line in text.splitlines() if line.startswith("Pss:"))
            sizes[place:] = [int(size) * 1024 / 1e6]
    except (psutil.Error, OSError, StopIteration):  # it has just ended
        pass
    return sizes


# --------------------------------------------------------------------- report


def number(value: float | None, form: str) -> str:
    """Format a number, or its absence, in the width that the format has."""
    if value is not None and math.isfinite(value):
        return f"{value:{form}}"
    return f"{'-' if value is None else 'never':>{form.split('.', maxsplit=1)[0].lstrip('+')}}"


def median(values: Iterable[float]) -> float:
    return statistics.median(list(values))


def report_busy(sizes: dict[str, Any]) -> dict[str, Any]:
    """Measure and print how busy the workers of all contestants are."""
    summary: dict[str, Any] = {}
    for workers, (mean, sides) in sizes["workers"].items():
        rows = summary[str(workers)] = {}
        print(f"\nBusy share of {workers} workers, 3 splits, fits of {mean} s on average")
        print(
            f"{'':32}{'fits':>6}{'wall s':>8}{'busy':>8}{'of call':>9}{'no ends':>9}"
            f"{'possible':>10}{'gap ms':>8}{'mean':>8}"
        )
        for contestant in ALL:
            most = sizes["most_trials"].get(contestant, math.prod(sides))
            own = sides if most >= math.prod(sides) else (most, 1)
            rows[contestant] = found = fresh(
                "busy",
                contestant=contestant,
                workers=workers,
                splits=3,
                sides=own,
                mean=mean,
                seed=0,
            )
            if "error" in found:
                print(f"{contestant:32}{found['error']}")
                continue
            print(
                f"{contestant:32}{found['n_fits']:6}{found['wall_s']:8.1f}{found['busy']:8.1%}"
                f"{found['busy_of_call']:9.1%}{number(found['steady'], '9.1%')}"
                f"{found['possible']:10.1%}{number(found['gap_ms'], '8.1f')}"
                f"{number(found['mean_gap_ms'], '8.1f')}",
                flush=True,
            )
    return summary


def report_wall(sizes: dict[str, Any]) -> list[dict[str, Any]]:
    """Measure and print the time to the same number of trials, asynchronous and in the window."""
    print(f"\nWall time to the same number of trials, fits of {sizes['mean']} s on average,")
    print(f"sums over {sizes['seeds']} seeds; the ratios are asynchronous to the window")
    print(
        f"{'workers':>7}{'splits':>8}{'trials':>8}{'asynchronous s':>16}{'window s':>9}"
        f"{'ratio':>8}{'no start':>10}{'equal fits':>12}"
    )
    summary = []
    for workers in sizes["workers"]:
        for splits in sizes["splits"]:
            n_trials = sizes["fits_a_worker"] * workers // splits
            runs: dict[str, list[dict[str, Any]]] = {ASYNCHRONOUS: [], WINDOW: []}
            for seed in range(sizes["seeds"]):
                for contestant, results in runs.items():
                    job = {"workers": workers, "splits": splits, "sides": (n_trials, 1)}
                    job |= {"mean": sizes["mean"], "seed": seed, "contestant": contestant}
                    results.append(fresh("busy", **job))
            row = {"workers": workers, "splits": splits, "n_trials": n_trials, "runs": runs}
            summary.append(row | compare_walls(runs))
            print(f"{workers:7}{splits:8}{n_trials:8}{line_of_walls(summary[-1])}", flush=True)
    return summary


def compare_walls(runs: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Return sums of seconds and their ratios, asynchronous to the window."""
    errors = [run["error"] for results in runs.values() for run in results if "error" in run]
    if errors:
        return {"error": errors[0]}
    sums = {
        contestant: {
            key: sum(run[key] for run in results) for key in ("fit_call_s", "wall_s", "slept_s")
        }
        for contestant, results in runs.items()
    }
    one, other = sums[ASYNCHRONOUS], sums[WINDOW]
    ratio = one["fit_call_s"] / other["fit_call_s"]
    return {
        "seconds": {contestant: found["fit_call_s"] for contestant, found in sums.items()},
        "ratio": ratio,
        "ratio_without_start": one["wall_s"] / other["wall_s"],
        "ratio_for_equal_fits": ratio * other["slept_s"] / one["slept_s"],
    }


def line_of_walls(row: dict[str, Any]) -> str:
    if "error" in row:
        return f"  {row['error']}"
    return (
        f"{row['seconds'][ASYNCHRONOUS]:16.1f}{row['seconds'][WINDOW]:9.1f}{row['ratio']:8.2f}"
        f"{row['ratio_without_start']:10.2f}{row['ratio_for_equal_fits']:12.2f}"
    )


def report_score(sizes: dict[str, Any]) -> dict[str, Any]:
    """Measure and print the time to Optuna's scores."""
    contestants = (ASYNCHRONOUS, OPTUNA_SEARCH, OPTUNA_STUDY)
    summary: dict[str, Any] = {}
    for task in sizes["tasks"]:
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in contestants}
        for seed in range(sizes["seeds"]):
            for name, results in runs.items():
                job = {"contestant": name, "task": task, "n_trials": sizes["n_trials"]}
                results.append(fresh("score", **job, seed=seed))
        summary[task] = {"runs": runs, "levels": []}
        print(
            f"\nSeconds to Optuna's scores: {task}, {sizes['n_trials']} trials, 2 workers, "
            f"{sizes['seeds']} seeds"
        )
        failed = [run["error"] for results in runs.values() for run in results if "error" in run]
        if failed:
            print(failed[0])
            continue
        for name, results in runs.items():
            whole = median(run["fit_call_s"] for run in results)
            print(f"{name:32}{whole:8.1f} s for all trials (median)")
        print(
            f"{'level':>10} {'median after':14}{'':32}{'reached':>8}{'median s':>10}{'ratio':>7}"
            f"{'expected s':>12}{'ratio':>7}"
        )
        for n_trials in sizes["levels"]:
            found = compare_scores(runs, n_trials)
            summary[task]["levels"].append(found)
            print_level(found)
    print_ratios(summary)
    return summary


def compare_scores(runs: dict[str, list[dict[str, Any]]], n_trials: int) -> dict[str, Any]:
    """Return the times to what half of Optuna's runs have found after so many trials."""
    theirs = [run["curve"] for name in (OPTUNA_SEARCH, OPTUNA_STUDY) for run in runs[name]]
    level = median(max(score for _, score in curve[:n_trials]) for curve in theirs)
    rows: dict[str, Any] = {}
    for name, results in runs.items():
        times = [
            next((seconds for seconds, score in run["curve"] if score >= level), None)
            for run in results
        ]
        n_reached = sum(seconds is not None for seconds in times)
        spent = sum(
            run["fit_call_s"] if seconds is None else seconds
            for seconds, run in zip(times, results, strict=True)
        )
        middle = median(math.inf if seconds is None else seconds for seconds in times)
        rows[name] = {
            "times": times,
            "n_reached": n_reached,
            "median": middle if math.isfinite(middle) else None,
            "expected": spent / n_reached if n_reached else None,
        }
    for name, row in rows.items():
        for key in ("median", "expected"):
            mine, other = rows[ASYNCHRONOUS][key], row[key]
            is_known = name != ASYNCHRONOUS and mine is not None and other is not None
            row[f"ratio_{key}"] = mine / other if is_known else None
    return {"level": level, "after_trials": n_trials, "rows": rows}


def print_level(found: dict[str, Any]) -> None:
    for name, row in found["rows"].items():
        times = "".join(
            f"{number(math.inf if row[key] is None else row[key], width)}"
            f"{number(row[f'ratio_{key}'], '7.2f')}"
            for key, width in (("median", "10.1f"), ("expected", "12.1f"))
        )
        reached = f"{row['n_reached']}/{len(row['times'])}"
        after = f"{found['after_trials']} trials"
        print(f"{found['level']:10.5f} {after:14}{name:32}{reached:>8}{times}", flush=True)


def print_ratios(summary: dict[str, Any]) -> None:
    """Print the mean ratio, ours to Optuna's, over tasks and levels that both reach."""
    for key, name in itertools.product(("median", "expected"), (OPTUNA_SEARCH, OPTUNA_STUDY)):
        pairs = [
            (level["rows"][ASYNCHRONOUS][key], level["rows"][name][key])
            for task in summary.values()
            for level in task["levels"]
        ]
        ratios = [mine / other for mine, other in pairs if mine is not None and other is not None]
        mean = math.exp(statistics.fmean(map(math.log, ratios))) if ratios else None
        alone = sum(mine is not None and other is None for mine, other in pairs)
        beaten = sum(mine is None and other is not None for mine, other in pairs)
        print(
            f"ours / {name}, {key} time, geometric mean over {len(ratios)} of {len(pairs)} levels: "
            f"{number(mean, '.2f')}; {alone} reached by ours only, {beaten} by Optuna only"
        )


LARGE = (GRID, ASYNCHRONOUS, WINDOW)


def report_memory(sizes: dict[str, Any]) -> dict[str, Any]:
    """Measure and print the peak memory, and that of the grid search."""
    size = sizes["rows"] * sizes["columns"] * 8 / 1e6
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in LARGE}
    for _ in range(sizes["repeats"]):
        for name, results in runs.items():
            job = {"rows": sizes["rows"], "columns": sizes["columns"]}
            results.append(fresh_with_peak("memory", contestant=name, **job))
    print(f"\nPeak of the memory, MB: X of {size:.0f} MB, 2 workers, 8 trials, 3 splits,")
    print(f"median of {sizes['repeats']}; of which in the calling process")
    print(f"{'':32}{'peak':>8}{'/ grid':>8}{'caller':>8}{'seconds':>9}")
    summary: dict[str, Any] = {}
    for name, results in runs.items():
        errors = [run["error"] for run in results if "error" in run]
        if errors:
            summary[name] = {"error": errors[0]}
            print(f"{name:32}{errors[0]}")
            continue
        keys = ("peak_mb", "caller_mb", "fit_call_s")
        row: dict[str, Any] = {key: median(run[key] for run in results) for key in keys}
        row["all_peaks_mb"] = [run["peak_mb"] for run in results]
        base = summary.get(GRID, row)
        row["to_grid"] = row["peak_mb"] / base["peak_mb"] if "peak_mb" in base else None
        summary[name] = row
        print(
            f"{name:32}{row['peak_mb']:8.0f}{number(row['to_grid'], '8.3f')}"
            f"{row['caller_mb']:8.0f}{row['fit_call_s']:9.1f}"
        )
    return summary


def report_bytes(sizes: dict[str, Any]) -> dict[str, Any]:
    """Measure and print what a fit is sent."""
    size = sizes["rows"] * sizes["columns"] * 8 / 1e6
    print(f"\nBytes sent for a fit: X of {size:.0f} MB, 2 workers")
    print(f"{'':32}{'fits':>6}{'median':>10}{'largest':>10}{'payload alone':>15}")
    summary: dict[str, Any] = {}
    for name in LARGE:
        summary[name] = found = fresh("bytes", contestant=name, **sizes)
        if "error" in found:
            print(f"{name:32}{found['error']}")
            continue
        print(
            f"{name:32}{found['n_fits']:6}{found['median']:10.0f}{found['largest']:10.0f}"
            f"{number(found['largest_payload'], '15.0f')}"
        )
    return summary


PARTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "busy": report_busy,
    "wall": report_wall,
    "score": report_score,
    "memory": report_memory,
    "bytes": report_bytes,
}


def rounded(value: Any) -> Any:
    """Round all numbers to six digits."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def keep(file: Path, part: str, numbers: dict[str, Any]) -> None:
    """Put the numbers of a part in the place of the old ones, and leave the other parts."""
    old = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    new = {name: numbers if name == part else old.get(name) for name in PARTS}
    new = {name: found for name, found in new.items() if found is not None}
    file.write_text(json.dumps(rounded(new), indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Measure one thing and print it as JSON, or measure parts and print tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}; all")
    parser.add_argument("--json", type=Path, help="write all numbers there, part by part")
    parser.add_argument("--quick", action="store_true", help="small sizes: see whether it runs")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(*arguments.measure)))
        return
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such parts: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    versions = environment() | {"cores": str(os.cpu_count())}
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    for part in arguments.parts or PARTS:
        sizes = (QUICK if arguments.quick else FULL)[part]
        start = time.monotonic()
        found = PARTS[part](sizes)
        seconds = time.monotonic() - start
        print(f"({part}: {seconds:.0f} s)", flush=True)
        if arguments.json:
            about = {"environment": versions, "sizes": sizes, "seconds": seconds}
            keep(arguments.json, part, about | {"found": found})


if __name__ == "__main__":
    # Under its own name, so that workers import the estimator as they do anyone's: what is defined
    # in a program is sent with each fit.
    importlib.import_module("parallel").main()
