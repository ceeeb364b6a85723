"""CPU time of random configurations of each built-in space, next to the median of the space.

    python benchmarks/fit_times.py run [--names SVC NuSVC] [--tables mixed] [--n 20]
    python benchmarks/fit_times.py report [--json benchmarks/fit_times.json]

Each estimator of scikit-learn with a built-in space, each installed booster and each model of
`AutoSearchCV("auto")` is fitted with `--n` random configurations to each of five small tables:
`load_diabetes` as measured and standardized, `load_wine` and `load_breast_cancer` as measured, and
a generated table whose columns have scales from 1e-3 to 1e4. Estimators for counts, texts or many
targets get a table of their kind, and trees, which do not depend on scales, get two tables. A
built-in space must hold no configuration that takes more than 50 times the median; a median below
0.05 s counts as 0.05 s.

A process of its own runs the fits. Its timer for CPU time ends it, in compiled code too, when a
fit exceeds the limit; the next process continues with the next configuration. The file of results
keeps one line per fit, and a second `run` continues there.
"""

import argparse
import importlib
import json
import signal
import statistics
import subprocess
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone, is_regressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from sklearn_lepton import Space, default_space
from sklearn_lepton._automl.columns import read_columns
from sklearn_lepton._automl.portfolio import make_portfolio
from sklearn_lepton._automl.task import read_task

TESTS = Path(__file__).parents[1] / "tests"
sys.path.insert(0, str(TESTS))
import space_subjects as subjects  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "fit_times.jsonl"
MAX_RATIO = 50
MIN_MEDIAN = 0.05  # seconds; shorter medians count as this
FIRST_LIMIT = 20.0  # seconds, before there is a median
MIN_FITS = 10  # for a median

BOOSTERS: dict[str, tuple[str, dict[str, Any]]] = {
    "XGBClassifier": ("xgboost", {"n_jobs": 1}),
    "XGBRegressor": ("xgboost", {"n_jobs": 1}),
    "XGBRFClassifier": ("xgboost", {"n_jobs": 1}),
    "LGBMClassifier": ("lightgbm", {"n_jobs": 1, "verbose": -1}),
    "LGBMRegressor": ("lightgbm", {"n_jobs": 1, "verbose": -1}),
    "CatBoostClassifier": (
        "catboost",
        {"thread_count": 1, "silent": True, "allow_writing_files": False},
    ),
}
PORTFOLIOS = ("classifier", "regressor")  # of `AutoSearchCV`; "regressor: elastic net" is a name
# Invariant to the scale of each column: the tables as measured tell all.
OF_TREES = ("Tree", "Forest", "Boosting", "Bagging", "AdaBoost", "XGB", "LGBM", "CatBoost")
# Hundreds of iterations of seconds each where there are hundreds of rows.
FEW_ROWS = {"DictionaryLearning": 30}
OWN_TABLE = subjects.COUNTS | subjects.TEXT | subjects.ONE_COLUMN | subjects.MANY_TARGETS


def _diabetes() -> tuple[Any, Any, Any]:
    X, y = load_diabetes(return_X_y=True, scaled=False)
    return X, (y > np.median(y)).astype(int), y


def _standardized() -> tuple[Any, Any, Any]:
    X, classes, y = _diabetes()
    return StandardScaler().fit_transform(X), classes, y


def _wine() -> tuple[Any, Any, Any]:
    X, y = load_wine(return_X_y=True)
    return X, y, X[:, 0] * X[:, 9]


def _breast() -> tuple[Any, Any, Any]:
    X, y = load_breast_cancer(return_X_y=True)
    return X, y, X[:, 3] + 0.1


def _mixed() -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 8))
    signal_ = X[:, 0] + X[:, 1] * X[:, 2] + rng.normal(size=300)
    return X * np.logspace(-3, 4, 8), (signal_ > 0).astype(int), 1e3 * np.exp(signal_ / 2)


TABLES: dict[str, Callable[[], tuple[Any, Any, Any]]] = {
    "diabetes": _diabetes,
    "standardized": _standardized,
    "wine": _wine,
    "breast": _breast,
    "mixed": _mixed,
}


def names() -> list[str]:
    """Return the estimators with a space, the installed boosters and the models of "auto"."""
    installed = [n for n, (module, _) in BOOSTERS.items() if importlib.util.find_spec(module)]
    made = [(kind, _portfolio(kind, table)[0]) for kind in PORTFOLIOS for table in TABLES]
    models = {f"{kind}: {name}" for kind, portfolio in made for name in portfolio.names}
    every = [*subjects.names_in_the_table(), *installed, *sorted(models)]
    return sorted(every, key=_is_of_trees)  # the slow ones last


def _portfolio(kind: str, table: str) -> tuple[Any, Any, Any]:
    X, classes, amounts = TABLES[table]()
    y = amounts if kind == "regressor" else classes
    task = read_task(kind, read_columns(X), y, n_rows=len(y), has_weights=False)
    return make_portfolio(task), X, y


def _is_of_trees(name: str) -> bool:
    return any(part in name for part in OF_TREES)


def tables_of(name: str) -> list[str]:
    """Return the tables that an estimator is fitted to."""
    if name in OWN_TABLE:
        return ["its own"]
    if _is_of_trees(name):
        return ["breast", "mixed"]
    kind, _, model = name.partition(": ")
    if model:
        return [table for table in TABLES if model in _portfolio(kind, table)[0].names]
    return ["standardized", "mixed"] if name in FEW_ROWS else list(TABLES)


def _data(name: str, table: str, estimator: Any) -> tuple[Any, Any]:
    if table == "its own":
        return subjects.make_data(name, 400, 10)
    X, classes, amounts = TABLES[table]()
    n_rows = FEW_ROWS.get(name, len(X))
    X, classes, amounts = X[:n_rows], classes[:n_rows], amounts[:n_rows]
    return X, amounts if is_regressor(estimator) else classes


def make_case(name: str, table: str) -> tuple[Any, Space, Any, Any]:
    """Return an estimator, its built-in space, and data."""
    kind, _, model = name.partition(": ")
    if model:
        portfolio, X, y = _portfolio(kind, table)
        branch = portfolio.space[portfolio.names.index(model)]
        return portfolio.pipeline, Space(branch), X, y
    if name in BOOSTERS:
        module, params = BOOSTERS[name]
        estimator = getattr(importlib.import_module(module), name)(**params)
    else:
        estimator = subjects.make(name)
    X, y = _data(name, table, estimator)
    return estimator, Space(default_space(estimator, X, y)), X, y


def configurations(space: Space, n: int, seed: int = 0) -> list[dict[str, Any]]:
    """Return random configurations, at a seed always the same."""
    points = np.random.default_rng(seed).uniform(size=(n, space.n_dims))
    return [space.from_point(point) for point in space.snap(points)]


def limit(seconds: list[float]) -> float:
    """Return the CPU time that the next fit may take, given those before it."""
    if len(seconds) < MIN_FITS:
        return FIRST_LIMIT
    return max(FIRST_LIMIT, 1.2 * MAX_RATIO * max(MIN_MEDIAN, statistics.median(seconds)))


def fit_all(name: str, tables: list[str], n: int, done: dict[str, list[float]]) -> None:
    """Fit the configurations that are left, and print a line before and after each."""
    for table in tables:
        seconds = list(done.get(table, []))
        if len(seconds) >= n:
            continue
        estimator, space, X, y = make_case(name, table)
        for params in configurations(space, n)[len(seconds) :]:
            most = limit(seconds)
            begun = {"table": table, "params": repr(params), "limit": round(most, 2)}
            print(json.dumps(begun), flush=True)
            signal.setitimer(signal.ITIMER_PROF, most)
            start, error = time.process_time(), None
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    clone(estimator).set_params(**params).fit(X, y)
                except Exception as problem:  # test_default_spaces is about these
                    error = repr(problem)[:200]
            taken = time.process_time() - start
            signal.setitimer(signal.ITIMER_PROF, 0)
            seconds.append(taken)
            n_warned = sum(issubclass(w.category, ConvergenceWarning) for w in caught)
            row = {"seconds": round(taken, 4), "warned": n_warned}
            print(json.dumps(row | ({"error": error} if error else {})), flush=True)


def measure(
    name: str, tables: list[str], n: int, done: list[dict[str, Any]] | None = None
) -> Iterator[dict[str, Any]]:
    """Run the fits in processes that end when a fit exceeds the limit; yield a row for each."""
    seconds = defaultdict(list)
    for row in done or []:
        seconds[row["table"]].append(row["seconds"])
    while any(len(seconds[table]) < n for table in tables):
        command = [sys.executable, __file__, "fit", name, "--n", str(n), "--tables", *tables]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        child.stdin.write(json.dumps(seconds))
        child.stdin.close()
        begun = None
        for text in child.stdout:
            line = json.loads(text) if text[:1] == "{" else {}
            if "limit" in line:
                begun = line
            elif begun is not None and "seconds" in line:
                seconds[begun["table"]].append(line["seconds"])
                yield begun | line
                begun = None
        code = child.wait()
        if begun is not None and code == -signal.SIGPROF:
            seconds[begun["table"]].append(begun["limit"])
            yield begun | {"seconds": begun["limit"], "ended": True}
        elif code:
            raise RuntimeError(f"{name}: the process ended with {code}")


def _read(path: Path) -> dict[tuple[str, str], list[dict[str, Any]]]:
    results = defaultdict(list)
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            results[row["name"], row["table"]].append(row)
    return results


def run(arguments: argparse.Namespace) -> None:
    arguments.file.parent.mkdir(exist_ok=True)
    results = _read(arguments.file)
    for name in arguments.names or names():
        tables = [t for t in tables_of(name) if t in (arguments.tables or tables_of(name))]
        done = [row for table in tables for row in results[name, table]]
        start = time.monotonic()
        with arguments.file.open("a", encoding="utf-8") as file:
            for row in measure(name, tables, arguments.n, done):
                file.write(json.dumps({"name": name} | row) + "\n")
                file.flush()
        print(f"{name}: {time.monotonic() - start:.1f} s", flush=True)


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the median, the slowest fit and how many were ended, warned or failed."""
    seconds = [row["seconds"] for row in rows]
    median, slowest = statistics.median(seconds), max(rows, key=lambda row: row["seconds"])
    return {
        "n": len(seconds),
        "median": round(median, 4),
        "max": slowest["seconds"],
        "ratio": round(slowest["seconds"] / max(median, MIN_MEDIAN), 2),
        "ended": sum("ended" in row for row in rows),
        "warned": sum(bool(row.get("warned")) for row in rows),
        "errors": sum("error" in row for row in rows),
        "slowest": slowest["params"],
    }


def report(arguments: argparse.Namespace) -> None:
    print("| estimator | table | fits | median, s | slowest, s | slowest / median "
          "| ended | not converged | failed |")  # fmt: skip
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|")
    everything = {}
    for (name, table), rows in sorted(_read(arguments.file).items()):
        if arguments.names and name not in arguments.names:
            continue
        s = everything[f"{name}; {table}"] = summary(rows)
        if s["ratio"] < arguments.least:
            continue
        more = "> " if s["ended"] else ""
        times = f"{s['median']:.4f} | {more}{s['max']:.3f} | {more}{s['ratio']:.1f}"
        counts = f"{s['ended']} | {s['warned']} | {s['errors']}"
        print(f"| {name} | {table} | {s['n']} | {times} | {counts} |")
        if arguments.params:
            print(f"    {s['slowest']}")
    if arguments.json:
        text = json.dumps(everything, indent=1, sort_keys=True)
        arguments.json.write_text(text + "\n", encoding="utf-8")
    most = max(s["ratio"] for s in everything.values())
    print(f"\nSlowest / median, with a median of {MIN_MEDIAN} s at least: {most:.1f} at the most")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--file", type=Path, default=RESULTS)
    commands = parser.add_subparsers(dest="what", required=True)
    for what in ("run", "report"):
        command = commands.add_parser(what)
        command.add_argument("--names", nargs="+")
        if what == "run":
            command.add_argument("--tables", nargs="+")
            command.add_argument("--n", type=int, default=20)
        else:
            command.add_argument("--least", type=float, default=0.0, help="of max / median")
            command.add_argument("--params", action="store_true", help="of the slowest fit")
            command.add_argument("--json", type=Path)
    fit = commands.add_parser("fit")
    fit.add_argument("name")
    fit.add_argument("--tables", nargs="+")
    fit.add_argument("--n", type=int)
    arguments = parser.parse_args()
    if arguments.what == "fit":
        fit_all(arguments.name, arguments.tables, arguments.n, json.load(sys.stdin))
    else:
        {"run": run, "report": report}[arguments.what](arguments)


if __name__ == "__main__":
    main()
