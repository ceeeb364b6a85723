"""Overhead of a search: CPU per trial, bytes per trial, time of the import and of many searches.

The objective is free: an estimator of ten parameters whose fit does nothing and whose score is a
cheap function of them. Every measurement has a fresh interpreter with one BLAS thread. Peers that
are not installed or fail report the error in their row.

    python benchmarks/overhead.py [--json FILE] [--repeats N]
"""

import argparse
import importlib.metadata
import json
import os
import pickle
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import loguniform, uniform
from sklearn.datasets import load_iris
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import RandomizedSearchCV, cross_val_score
from sklearn.svm import SVC

N_DIMS = 10
N_TRIALS = 100
N_TRIALS_SLOW = 40
N_SPLITS = 3
N_IMPORTS = 15
N_AGAIN = 6  # searches of each kind in turns
N_MANY = 40  # searches of one kind in a row
REPEATED = ("BayesSearchCV", "SwarmSearchCV", "GeneticSearchCV")
BASELINE = "RandomizedSearchCV"
OURS = (
    "BayesSearchCV",
    "SwarmSearchCV",
    "SwarmSearchCV, no surrogate",
    "GeneticSearchCV",
    "GeneticSearchCV, no surrogate",
)
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class FreeClassifier(DummyClassifier):
    """A classifier that learns nothing; its score is a smooth function of its parameters."""

    def __init__(
        self, x0=0.5, x1=0.5, x2=0.5, x3=0.5, x4=0.5, x5=0.5, x6=0.5, x7=0.5, x8=0.5, x9=0.5
    ):
        self.x0, self.x1, self.x2, self.x3, self.x4 = x0, x1, x2, x3, x4
        self.x5, self.x6, self.x7, self.x8, self.x9 = x5, x6, x7, x8, x9

    def fit(self, X, y):
        """Do nothing but what scikit-learn asks for."""
        self.classes_ = np.array([0, 1])
        self.n_features_in_ = X.shape[1]
        return self

    def score(self, X, y):
        """Return minus the distance to a place in the unit cube."""
        return -sum((getattr(self, f"x{i}") - 0.1 * i) ** 2 for i in range(N_DIMS))


NAMES = [f"x{i}" for i in range(N_DIMS)]


def data(n_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Return data that nobody looks at."""
    return np.zeros((n_samples, 5)), np.arange(n_samples) % 2


# ------------------------------------------------------------------ searches


def randomized(n_trials: int, seed: int) -> Any:
    space = {name: uniform() for name in NAMES}
    return RandomizedSearchCV(
        FreeClassifier(), space, n_iter=n_trials, cv=N_SPLITS, random_state=seed
    )


def ours(row: str, n_trials: int, seed: int) -> Any:
    import sklearn_lepton

    class_name, _, alone = row.partition(", ")
    search = getattr(sklearn_lepton, class_name)
    space = {name: uniform() for name in NAMES}
    options = {"surrogate": False} if alone else {}
    return search(
        FreeClassifier(), space, n_iter=n_trials, cv=N_SPLITS, random_state=seed, **options
    )


def skopt_search(n_trials: int, seed: int) -> Any:
    from skopt import BayesSearchCV

    space = dict.fromkeys(NAMES, (0.0, 1.0, "uniform"))
    return BayesSearchCV(FreeClassifier(), space, n_iter=n_trials, cv=N_SPLITS, random_state=seed)


def optuna_search(n_trials: int, seed: int) -> Any:
    import optuna
    from optuna_integration import OptunaSearchCV

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = {name: optuna.distributions.FloatDistribution(0, 1) for name in NAMES}
    return OptunaSearchCV(
        FreeClassifier(), space, n_trials=n_trials, cv=N_SPLITS, random_state=seed
    )


class OptunaLoop:
    """Optuna's own loop over `cross_val_score`, the usual way to write it by hand."""

    def __init__(self, n_trials: int, seed: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        sampler = optuna.samplers.TPESampler(seed=seed)
        self.study = optuna.create_study(direction="maximize", sampler=sampler)
        self.n_trials = n_trials

    def fit(self, X: np.ndarray, y: np.ndarray) -> None:
        def objective(trial: Any) -> float:
            params = {name: trial.suggest_float(name, 0, 1) for name in NAMES}
            model = FreeClassifier(**params)
            return float(cross_val_score(model, X, y, cv=N_SPLITS).mean())

        self.study.optimize(objective, n_trials=self.n_trials)


# A row's name: what makes its search, and how many trials it runs.
ROWS: dict[str, tuple[Callable[[int, int], Any], int]] = {
    BASELINE: (randomized, N_TRIALS),
    **{
        name: (lambda n_trials, seed, name=name: ours(name, n_trials, seed), N_TRIALS)
        for name in OURS
    },
    "scikit-optimize BayesSearchCV": (skopt_search, N_TRIALS_SLOW),
    "Optuna TPE, cross_val_score": (OptunaLoop, N_TRIALS),
    "Optuna OptunaSearchCV": (optuna_search, N_TRIALS),
}


# ------------------------------------------- what runs in a fresh interpreter


def measure_cpu(row: str, seed: int) -> dict[str, Any]:
    """Return the CPU milliseconds a trial of one search."""
    make, n_trials = ROWS[row]
    X, y = data(120)
    try:
        search = make(n_trials, seed)
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        is_absent = missing in {"skopt", "optuna", "optuna_integration"}
        return {"error": "not installed" if is_absent else f"does not import: {error}"}
    start = time.process_time()
    try:
        search.fit(X, y)
    except Exception as error:  # a peer's failure is a row, not the end
        if row in OURS or row == BASELINE:
            raise
        return {"error": f"fails: {type(error).__name__}: {str(error)[:60]}"}
    return {"ms": 1000 * (time.process_time() - start) / n_trials}


def measure_pickle(row: str, seed: int) -> dict[str, Any]:
    """Return the sizes of the pickled search for two sizes of data and of budget."""
    make, n_trials = ROWS[row]
    sizes = {
        (n_samples, n): len(pickle.dumps(make(n, seed).fit(*data(n_samples))))
        for n_samples, n in [(200, n_trials), (20_000, n_trials), (200, n_trials // 2)]
    }
    gain = sizes[200, n_trials] - sizes[200, n_trials // 2]
    return {
        "bytes_200_rows": sizes[200, n_trials],
        "bytes_20000_rows": sizes[20_000, n_trials],
        "bytes_a_trial": gain / (n_trials - n_trials // 2),
    }


def measure_import(module: str, _seed: int) -> dict[str, Any]:
    """Return the seconds that an import takes in an interpreter that has loaded nothing."""
    program = (
        "import time; start = time.perf_counter(); "
        f"import {module}; print(time.perf_counter() - start)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    return {"seconds": float(done.stdout)}


def small_search(name: str) -> Any:
    """Return a search of 30 trials of support vectors on two workers."""
    import sklearn_lepton

    space = {"C": loguniform(1e-2, 1e2), "gamma": loguniform(1e-3, 1e1)}
    make = RandomizedSearchCV if name == BASELINE else getattr(sklearn_lepton, name)
    return make(SVC(), space, n_iter=30, cv=5, n_jobs=2, random_state=0)


def measure_again(row: str, _seed: int) -> dict[str, Any]:
    """Return seconds and CPU of each fit, in turns with the baseline, and of nested ones."""
    import psutil

    def cpu() -> float:
        """Return the CPU seconds of this process and of its workers, which stay."""
        me = psutil.Process()
        return sum(sum(p.cpu_times()[:2]) for p in (me, *me.children(recursive=True)))

    X, y = load_iris(return_X_y=True)
    found: dict[str, Any] = {}
    runs = {
        "fit": (N_AGAIN, lambda name: small_search(name).fit(X, y)),
        "nested": (N_AGAIN // 2, lambda name: cross_val_score(small_search(name), X, y, cv=5)),
    }
    for what, (n_runs, run) in runs.items():
        seconds: dict[str, list[float]] = {row: [], BASELINE: []}
        used: dict[str, list[float]] = {row: [], BASELINE: []}
        for _ in range(n_runs):
            for name, taken in seconds.items():
                start, start_cpu = time.perf_counter(), cpu()
                run(name)
                taken.append(time.perf_counter() - start)
                time.sleep(0.5)  # what the workers do after a search counts for it
                used[name].append(cpu() - start_cpu)
        found[what] = {"seconds": seconds[row], "baseline": seconds[BASELINE]}
        own, other = (statistics.median(used[name][1:]) for name in (row, BASELINE))
        found[what] |= {"cpu": used[row], "baseline_cpu": used[BASELINE], "cpu_ratio": own / other}
    # The first of the nested runs has warm workers already.
    theirs = found["fit"]["baseline"][1:], found["nested"]["baseline"]
    ours = found["fit"]["seconds"][1:], found["nested"]["seconds"]
    for what, own, other in zip(runs, ours, theirs, strict=True):
        found[what]["ratio"] = statistics.median(own) / statistics.median(other)
    return found


def measure_many(row: str, _seed: int) -> dict[str, Any]:
    """Return what the process has open after the second of many searches and after the last."""
    import psutil

    X, y = load_iris(return_X_y=True)
    process = psutil.Process()
    places = {Path(tempfile.gettempdir()), Path("/dev/shm")}  # noqa: S108 - of Linux
    found: dict[str, Any] = {}
    for number in range(1, N_MANY + 1):
        small_search(row).fit(X, y)
        if number in {2, N_MANY}:
            time.sleep(1.0)  # the workers release the search
            family = process.children(recursive=True)
            folders = [len(list(place.glob(f"*lepton*{os.getpid()}*"))) for place in places]
            found[f"after {number}"] = {
                "descriptors": process.num_fds(),
                "threads": threading.active_count(),
                "processes": len(family),
                "own MB": process.memory_info().rss / 1e6,
                "children's MB": sum(child.memory_info().rss for child in family) / 1e6,
                "folders": sum(folders),
            }
    return found


def in_fresh_interpreter(script: str, *what: Any) -> dict[str, Any]:
    """Run one measurement of a script in a process of its own."""
    command = [sys.executable, script, "--measure", *map(str, what)]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | ONE_THREAD
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


# --------------------------------------------------------------------- report


def report_cpu(repeats: int) -> dict[str, Any]:
    """Measure and print the CPU a trial of every row."""
    runs: dict[str, list[dict[str, Any]]] = {row: [] for row in ROWS}
    for seed in range(repeats):  # interleaved: a busy minute slows every row
        for row, results in runs.items():
            results.append(in_fresh_interpreter(__file__, "cpu", row, seed))
    summary: dict[str, Any] = {}
    for row, results in runs.items():
        errors = [result["error"] for result in results if "error" in result]
        summary[row] = (
            {"error": errors[0]}
            if errors
            else {
                "ms": statistics.median(result["ms"] for result in results),
                "all_ms": [result["ms"] for result in results],
                "n_trials": ROWS[row][1],
            }
        )
    base, bayes = summary[BASELINE]["ms"], summary[OURS[0]]["ms"]
    print(f"\nCPU a trial ({N_DIMS} parameters, {N_SPLITS} splits, median of {repeats}), ms")
    print(f"{'':32}{'trials':>7}{'ms':>9}{'overhead':>10}{'/ Bayes':>9}")
    for row, found in summary.items():
        if "error" in found:
            print(f"{row:32}{found['error']:>24}")
            continue
        found["overhead_ms"] = found["ms"] - base
        found["overhead_to_bayes"] = found["overhead_ms"] / (bayes - base)
        print(
            f"{row:32}{found['n_trials']:7}{found['ms']:9.2f}{found['overhead_ms']:10.2f}"
            f"{found['overhead_to_bayes']:9.2f}"
        )
    print(
        f"overhead: more than {BASELINE}. scikit-optimize is measured over {N_TRIALS_SLOW} trials "
        f"only,\nwhich flatters it: its cost a trial grows with their number."
    )
    return summary


def report_pickle(_repeats: int) -> dict[str, Any]:
    """Measure and print how large a pickled search is."""
    summary = {row: in_fresh_interpreter(__file__, "pickle", row, 0) for row in (BASELINE, *OURS)}
    print("\nPickled search, kB, at two sizes of data; bytes that a trial adds")
    print(f"{'':32}{'200 rows':>10}{'20000 rows':>12}{'a trial':>9}")
    for row, found in summary.items():
        print(
            f"{row:32}{found['bytes_200_rows'] / 1000:10.1f}"
            f"{found['bytes_20000_rows'] / 1000:12.1f}{found['bytes_a_trial']:9.0f}"
        )
    return summary


def report_import(_repeats: int) -> dict[str, Any]:
    """Measure and print the time of the import, and that of scikit-learn."""
    modules = ("sklearn.model_selection", "sklearn_lepton")
    for module in modules:  # once unmeasured: files into the cache, bytecode written
        in_fresh_interpreter(__file__, "import", module, 0)
    times: dict[str, list[float]] = {module: [] for module in modules}
    for _ in range(N_IMPORTS):
        for module, seconds in times.items():
            seconds.append(in_fresh_interpreter(__file__, "import", module, 0)["seconds"])
    theirs, with_ours = (statistics.median(times[module]) for module in modules)
    print(f"\nImport, ms (median of {N_IMPORTS} fresh interpreters each, interleaved)")
    print(f"{modules[0]:32}{1000 * theirs:9.0f}")
    print(f"{modules[1]:32}{1000 * with_ours:9.0f}   {with_ours / theirs - 1:+.1%}")
    return {"seconds": times, "added_share": with_ours / theirs - 1}


def report_again(_repeats: int) -> dict[str, Any]:
    """Measure and print the time of searches that follow others in one process."""
    summary: dict[str, Any] = {}
    print(f"\nSupport vectors on iris, 30 trials, 2 workers, over {BASELINE} in turns")
    heads = f"{'next fits':>11}{'ratio':>7}{'CPU':>6}{'nested':>9}{'ratio':>7}{'CPU':>6}"
    print(f"{'':20}{'first fit':>11}{heads}")
    for row in REPEATED:
        summary[row] = found = in_fresh_interpreter(__file__, "again", row, 0)
        fit, nested = found["fit"], found["nested"]
        print(
            f"{row:20}{fit['seconds'][0]:9.2f} s{statistics.median(fit['seconds'][1:]):9.2f} s"
            f"{fit['ratio']:7.2f}{fit['cpu_ratio']:6.2f}"
            f"{statistics.median(nested['seconds']):7.2f} s"
            f"{nested['ratio']:7.2f}{nested['cpu_ratio']:6.2f}"
        )
    summary["many"] = many = in_fresh_interpreter(__file__, "many", REPEATED[1], 0)
    (second, was), (last, now) = many.items()
    print(f"\n{N_MANY} searches in a row")
    print(f"{'':20}{second:>12}{last:>12}")
    for what in was:
        print(f"{what:20}{was[what]:12.0f}{now[what]:12.0f}")
    return summary


def environment() -> dict[str, str]:
    """Return what the numbers depend on."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    packages = ("sklearn-lepton", "scikit-learn", "numpy", "scipy", "joblib")
    for package in (*packages, "scikit-optimize", "optuna", "optuna-integration"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


PARTS = {
    "cpu": report_cpu,
    "pickle": report_pickle,
    "import": report_import,
    "again": report_again,
}


def main() -> None:
    """Measure one thing and print it as JSON, or measure everything and print tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}; all")
    parser.add_argument("--json", type=Path, help="write the numbers there, part by part")
    parser.add_argument("--repeats", type=int, default=3, help="fresh runs of each row")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        what, name, seed = arguments.measure
        warnings.simplefilter("ignore")
        measures = {
            "cpu": measure_cpu,
            "pickle": measure_pickle,
            "import": measure_import,
            "again": measure_again,
            "many": measure_many,
        }
        print(json.dumps(measures[what](name, int(seed))))
        return
    versions = environment()
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    numbers: dict[str, Any] = {}
    if arguments.json and arguments.json.exists():
        numbers = json.loads(arguments.json.read_text(encoding="utf-8"))
    numbers["environment"] = versions
    for part in arguments.parts or PARTS:
        numbers[part] = PARTS[part](arguments.repeats)
    if arguments.json:
        arguments.json.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
        print(f"\nwritten to {arguments.json}")


if __name__ == "__main__":
    main()
