"""Best value after n evaluations of a multimodal function: the BBOB suite of COCO.

    python benchmarks/bbob.py run CONTESTANT ... [--instances 5] [--dimensions 5 10] [--jobs 1]
    python benchmarks/bbob.py report [--json FILE]

The functions are f15 to f19, multimodal with a global structure, and f20 to f24, multimodal with
little of it, in the box [-5, 5]^d. A run is one contestant on one instance of one function, with
the number of the instance as its seed, for 500 evaluations. The first evaluation is always the
middle of the box, as in COCO's own example: on f19 it is by chance very close to the optimum, so
contestants that start there would have an advantage. Runs are appended to a file when they finish,
and existing ones are not repeated.

The measure is the share of reached targets. The targets of a function are its minimum plus 10^2,
10^1.8, ..., 10^-8, the 51 of COCO's runtime profiles. The share after n evaluations is the fraction
of all (function, instance, target) that a contestant has reached by then. Within 500 evaluations
few come closer than 10^-2, so no share is near 1, and ratios of shares are compared. The share of
the 21 targets down to 10^-2 is printed as well.
"""

import argparse
import importlib.metadata
import itertools
import json
import platform
import time
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from cocoex import BareProblem
from regret import bootstrap

RESULTS = Path(__file__).parent / "results" / "bbob.jsonl"
BASE = "cmaes"
FUNCTIONS = range(15, 25)
DIMENSIONS = (5, 10)
LOW, HIGH = -5.0, 5.0
BUDGETS = (50, 100, 200, 500)
TARGETS = 10.0 ** np.linspace(2, -8, 51)
N_EASY = 21


# ------------------------------------------------------------------ contestants


class Spent(Exception):  # noqa: N818 - it is no error, but news
    """All evaluations have been made."""


class Objective:
    """One instance of a function, which counts what is asked of it.

    Attributes
    ----------
    improved : list of tuple of int and float
        The evaluations that were better than all before, from 1, and how far from the optimum.
    """

    def __init__(self, function: int, dimension: int, instance: int) -> None:
        self.problem = BareProblem("bbob", function, dimension, instance)
        self.dimension = dimension
        self.optimum = self.problem.best_value()
        self.n_evaluations = 0
        self.improved: list[tuple[int, float]] = []
        self(np.zeros(dimension))

    def __call__(self, x: np.ndarray) -> float:
        if self.n_evaluations == BUDGETS[-1]:
            raise Spent
        self.n_evaluations += 1
        value = float(self.problem(x))
        gap = value - self.optimum
        if not self.improved or gap < self.improved[-1][1]:
            self.improved.append((self.n_evaluations, gap))
        return value


def lepton(objective: Objective, seed: int, *, optimizer: str, **options: Any) -> NoReturn:
    """One of our own optimizers, one trial at a time."""
    from sklearn_lepton import optimizers

    names = [f"x{k}" for k in range(objective.dimension)]
    space = dict.fromkeys(names, (LOW, HIGH, "uniform"))
    made = getattr(optimizers, optimizer)(space, seed=seed, **options)
    while True:
        [trial] = made.ask()
        value = objective(np.array([trial.params[name] for name in names]))
        made.tell([trial.complete(-value)])


def cmaes(objective: Objective, seed: int) -> NoReturn:
    """CMA-ES with restarts, each with twice the population, as the package's own example.

    So each starts from a random point with a fifth of the box's width as its step.
    """
    from cmaes import CMA

    rng = np.random.default_rng(seed)
    bounds = np.tile([LOW, HIGH], (objective.dimension, 1))
    population_size = None
    while True:
        optimizer = CMA(
            mean=rng.uniform(LOW, HIGH, objective.dimension),
            sigma=(HIGH - LOW) / 5,
            bounds=bounds,
            population_size=population_size,
            seed=int(rng.integers(2**31)),
        )
        while not optimizer.should_stop():
            asked = [optimizer.ask() for _ in range(optimizer.population_size)]
            optimizer.tell([(x, objective(x)) for x in asked])
        population_size = 2 * optimizer.population_size


def scipy_de(objective: Objective, seed: int, *, n_members: int | None = None) -> NoReturn:
    """SciPy's differential evolution, restarted if it converges before the budget is spent.

    Its default population is 15 for each dimension, so that 500 evaluations are a few generations.
    """
    from scipy.optimize import differential_evolution

    rng = np.random.default_rng(seed)
    bounds = [(LOW, HIGH)] * objective.dimension
    options = {} if n_members is None else {"popsize": n_members // objective.dimension}
    while True:
        differential_evolution(objective, bounds, rng=rng, **options)


def random(objective: Objective, seed: int) -> NoReturn:
    """Independent points, evenly from the box."""
    rng = np.random.default_rng(seed)
    while True:
        objective(rng.uniform(LOW, HIGH, objective.dimension))


# A contestant's name: the package whose version is noted, and what evaluates until it is stopped.
CONTESTANTS: dict[str, tuple[str, Callable[[Objective, int], NoReturn]]] = {
    "lepton-swarm": ("sklearn-lepton", partial(lepton, optimizer="SwarmOptimizer")),
    "lepton-swarm, no surrogate": (
        "sklearn-lepton",
        partial(lepton, optimizer="SwarmOptimizer", surrogate=False),
    ),
    "lepton-genetic": ("sklearn-lepton", partial(lepton, optimizer="GeneticOptimizer")),
    "lepton-genetic, no surrogate": (
        "sklearn-lepton",
        partial(lepton, optimizer="GeneticOptimizer", surrogate=False),
    ),
    "lepton-bayes": ("sklearn-lepton", partial(lepton, optimizer="BayesOptimizer")),
    BASE: ("cmaes", cmaes),
    "scipy-de": ("scipy", scipy_de),
    "scipy-de, 20 members": ("scipy", partial(scipy_de, n_members=20)),
    "random": ("numpy", random),
}


# ------------------------------------------------------------------------- runs


def run(contestant: str, function: int, dimension: int, instance: int) -> dict[str, Any]:
    """Run one contestant on one instance and return how it came closer to the optimum."""
    package, optimize = CONTESTANTS[contestant]
    objective = Objective(function, dimension, instance)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.process_time()
        try:
            optimize(objective, instance)
        except Spent:
            cpu = time.process_time() - start
    return {
        "contestant": contestant,
        "function": function,
        "dimension": dimension,
        "instance": instance,
        "package": f"{package} {importlib.metadata.version(package)}",
        "improved": [(n, float(f"{gap:.6g}")) for n, gap in objective.improved],
        "cpu": round(cpu, 3),
    }


def key(record: dict[str, Any]) -> tuple[str, int, int, int]:
    return record["contestant"], record["function"], record["dimension"], record["instance"]


def run_all(
    contestants: list[str], dimensions: list[int], instances: Iterable[int], n_jobs: int, path: Path
) -> None:
    """Run what is not in the file yet."""
    path.parent.mkdir(exist_ok=True)
    done = {key(record) for record in read(path)}
    every = itertools.product(contestants, FUNCTIONS, dimensions, instances)
    jobs = [job for job in every if job not in done]
    start = time.monotonic()
    with ProcessPoolExecutor(n_jobs) as executor, path.open("a", encoding="utf-8") as file:
        for n_done, record in enumerate(executor.map(run, *zip(*jobs, strict=True)), 1):
            file.write(json.dumps(record) + "\n")
            file.flush()
            if n_done % 100 == 0 or n_done == len(jobs):
                minutes = (time.monotonic() - start) / 60
                print(f"{n_done} of {len(jobs)} runs, {minutes:.1f} min", flush=True)


def read(path: Path) -> list[dict[str, Any]]:
    """Return the runs in a file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


# ----------------------------------------------------------------------- report


def shares(record: dict[str, Any]) -> np.ndarray:
    """Return the share of targets a run reached at each budget and, last, of the easy ones."""
    n, gap = np.array(record["improved"]).T
    reached = np.append(n, np.inf)[np.searchsorted(-gap, -TARGETS)]
    by_budget = [np.mean(reached <= budget) for budget in BUDGETS]
    return np.array([*by_budget, np.mean(reached[:N_EASY] <= BUDGETS[-1])])


class Results:
    """The runs in a file as shares of targets, by contestant."""

    def __init__(self, path: Path) -> None:
        self.shares: dict[str, dict[tuple[int, int, int], np.ndarray]] = {}
        self.seconds: dict[str, list[float]] = {}
        self.packages: dict[str, set[str]] = {}
        for record in read(path):
            contestant, *where = key(record)
            self.shares.setdefault(contestant, {})[tuple(where)] = shares(record)
            self.seconds.setdefault(contestant, []).append(record["cpu"])
            self.packages.setdefault(contestant, set()).add(record["package"])

    def common(self, contestants: list[str], dimensions: tuple[int, ...]) -> list[int]:
        """Return the instances that all of some contestants have run on all functions."""
        found = [self.shares[contestant] for contestant in contestants]
        pairs = list(itertools.product(FUNCTIONS, dimensions))
        instances = sorted({instance for _, _, instance in found[0]})
        return [i for i in instances if all((f, d, i) in runs for runs in found for f, d in pairs)]

    def table(
        self, contestant: str, dimensions: tuple[int, ...], instances: list[int]
    ) -> np.ndarray:
        """Return shares as an array (n_functions, n_instances, n_budgets + 1)."""
        found = self.shares[contestant]
        every: np.ndarray = np.array(
            [[[found[f, d, i] for d in dimensions] for i in instances] for f in FUNCTIONS]
        )
        return every.mean(axis=2)


def row_of(results: Results, contestant: str, dimensions: tuple[int, ...]) -> dict[str, Any]:
    """Return what there is to say of a contestant; nothing where it has not run."""
    instances = results.common([BASE, contestant], dimensions)
    if not instances:
        return {}
    tables = np.array([results.table(c, dimensions, instances) for c in (BASE, contestant)])
    means = bootstrap([list(table) for table in tables], np.random.default_rng(0))
    base, theirs = means.swapaxes(0, 1)
    final = len(BUDGETS) - 1
    mean = tables.mean(axis=(1, 2))
    interval = np.quantile(theirs, [0.05, 0.95], axis=0).T
    ratio_interval = np.quantile(base[:, final] / theirs[:, final], [0.05, 0.95])
    milliseconds = 1000 * np.median(results.seconds[contestant]) / BUDGETS[-1]
    return {
        "n_instances": len(instances),
        "share": mean[1, :-1].round(4).tolist(),
        "share_90": interval[:-1].round(4).tolist(),
        "share_easy": float(mean[1, -1].round(4)),
        "ratio": float((mean[0, final] / mean[1, final]).round(3)),
        "ratio_90": ratio_interval.round(3).tolist(),
        "share_by_function": tables[1, :, :, final].mean(axis=1).round(4).tolist(),
        "milliseconds": float(milliseconds.round(4)),
    }


def print_rows(title: str, rows: dict[str, Any]) -> None:
    """Print a table, best first, and one of each function."""
    heads = "".join(f"{'at ' + str(budget):>21}" for budget in BUDGETS)
    print(f"\n{title}: share of targets reached [90 %]")
    print(f"{'':30}{'inst.':>6}{heads}{'to 1e-2':>9}{f'{BASE} / it':>20}{'ms/eval':>9}")
    ranked = sorted(rows.items(), key=lambda item: -item[1]["share"][-1])
    for contestant, row in ranked:
        cells = "".join(
            f"{share:6.3f} [{low:.3f}, {high:.3f}]"
            for share, (low, high) in zip(row["share"], row["share_90"], strict=True)
        )
        low, high = row["ratio_90"]
        ratio = f"{row['ratio']:.2f} [{low:.2f}, {high:.2f}]"
        print(
            f"{contestant:30}{row['n_instances']:6}{cells}{row['share_easy']:9.3f}{ratio:>20}"
            f"{row['milliseconds']:9.2f}"
        )
    print(f"\n{title}: share at {BUDGETS[-1]} by function")
    print(f"{'':30}" + "".join(f"{'f' + str(function):>7}" for function in FUNCTIONS))
    for contestant, row in ranked:
        print(f"{contestant:30}" + "".join(f"{share:7.3f}" for share in row["share_by_function"]))


def report(path: Path, json_path: Path | None) -> None:
    """Print tables of all that has been run, and write them."""
    results = Results(path)
    if BASE not in results.shares:
        raise SystemExit(f"There are no runs of {BASE}, which all are compared with.")
    groups: dict[str, Any] = {}
    each = {f"{dimension}-D": (dimension,) for dimension in DIMENSIONS}
    for title, dimensions in (each | {"both": DIMENSIONS}).items():
        rows = {c: row for c in results.shares if (row := row_of(results, c, dimensions))}
        if rows:
            print_rows(title, rows)
            groups[title] = rows
    if json_path:
        summary = {
            "environment": {
                "python": platform.python_version(),
                "machine": platform.machine(),
                "coco-experiment": importlib.metadata.version("coco-experiment"),
                "contestants": {name: sorted(found) for name, found in results.packages.items()},
            },
            "budgets": BUDGETS,
            "functions": list(FUNCTIONS),
            "groups": groups,
        }
        json_path.write_text(json.dumps(summary) + "\n", encoding="utf-8")


def main() -> None:
    """Run contestants or report on them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    runs = commands.add_parser("run")
    runs.add_argument("contestants", nargs="+", choices=CONTESTANTS, metavar="CONTESTANT")
    runs.add_argument("--instances", type=int, default=5)
    runs.add_argument("--dimensions", type=int, nargs="+", default=DIMENSIONS)
    runs.add_argument("--jobs", type=int, default=1)
    reports = commands.add_parser("report")
    reports.add_argument("--json", type=Path, help="write all numbers there")
    for command in (runs, reports):
        command.add_argument("--results", type=Path, default=RESULTS, help="the file of the runs")
    arguments = parser.parse_args()
    if arguments.command == "report":
        report(arguments.results, arguments.json)
        return
    instances = range(1, arguments.instances + 1)
    run_all(
        arguments.contestants, arguments.dimensions, instances, arguments.jobs, arguments.results
    )


if __name__ == "__main__":
    main()
