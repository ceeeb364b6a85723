"""Hypervolume of several objectives after 50 and 100 trials, against Optuna's samplers.

    python benchmarks/objectives.py run CONTESTANT ... [--seeds 2]
    python benchmarks/objectives.py report [--json FILE]

Finished runs are kept in ``benchmarks/results/objectives.json``, so that an interrupted benchmark
can be resumed. Each problem has a fixed reference point. A contestant's figure is the mean over
the problems of its hypervolume, divided by that of the best contestant on the problem. The CPU
seconds of ``lepton-single``, which optimizes the first objective alone, are those without a front.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_score, recall_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import scale

from sklearn_lepton import Objective
from sklearn_lepton._trials.pareto import hypervolume
from sklearn_lepton.optimizers import SplitResult, make_optimizer

RESULTS = Path(__file__).parent / "results" / "objectives.json"
BUDGETS = (50, 100)


def zdt(front: Callable[[float, float], float]) -> Callable[[np.ndarray], tuple[float, ...]]:
    def problem(u: np.ndarray) -> tuple[float, ...]:
        g = 1 + 9 * float(u[1:].mean())
        return float(u[0]), g * front(float(u[0]), g)

    return problem


def dtlz2(u: np.ndarray) -> tuple[float, ...]:
    g, (a, b) = 1 + float(np.sum((u[2:] - 0.5) ** 2)), u[:2] * np.pi / 2
    return g * np.cos(a) * np.cos(b), g * np.cos(a) * np.sin(b), g * np.sin(a)


def dtlz7(u: np.ndarray) -> tuple[float, ...]:
    f, g = u[:2], 1 + 9 * float(u[2:].mean())
    return f[0], f[1], (1 + g) * (3 - float(np.sum(f / (1 + g) * (1 + np.sin(3 * np.pi * f)))))


@cache
def parts(name: str) -> Any:
    """Return training and test parts of a data set."""
    if name == "rare":
        X, y = make_classification(1200, 12, weights=[0.9], flip_y=0.05, random_state=0)
    else:
        X, y = {"digits": load_digits, "cancer": load_breast_cancer}[name](return_X_y=True)
    return train_test_split(scale(X), y, stratify=y, random_state=0)


def seconds_of_forest(u: np.ndarray) -> tuple[float, ...]:
    """Error, and the logarithm of the seconds of predictions."""
    X, X_test, y, y_test = parts("digits")
    model = RandomForestClassifier(
        n_estimators=int(1 + 60 * u[0]),
        max_depth=int(1 + 14 * u[1]),
        max_features=0.05 + 0.9 * u[2],
        min_samples_leaf=int(10 ** (1.5 * u[3])),
        random_state=0,
    ).fit(X, y)
    start = time.perf_counter()
    error = 1 - model.score(X_test, y_test)
    return error, float(np.log10(time.perf_counter() - start))


def features_of_lasso(u: np.ndarray) -> tuple[float, ...]:
    """Error, and the share of features with a coefficient."""
    X, X_test, y, y_test = parts("cancer")
    model = LogisticRegression(
        C=10 ** (-3 + 5 * u[0]), solver="saga", penalty="elasticnet", l1_ratio=u[1], max_iter=200
    ).fit(X, y)
    return 1 - model.score(X_test, y_test), float(np.mean(model.coef_ != 0))


def sensitivity_and_precision(u: np.ndarray) -> tuple[float, ...]:
    X, X_test, y, y_test = parts("rare")
    model = RandomForestClassifier(
        15,
        max_depth=int(1 + 12 * u[0]),
        class_weight={0: 1.0, 1: 10 ** (-1 + 3 * u[1])},
        max_features=0.05 + 0.9 * u[2],
        random_state=0,
    ).fit(X, y)
    predicted = model.predict(X_test)
    precision = precision_score(y_test, predicted, zero_division=0.0)
    return 1 - float(recall_score(y_test, predicted)), 1 - float(precision)


# Function, number of dimensions, reference point; all objectives are minimized.
PROBLEMS: dict[str, tuple[Callable[[np.ndarray], tuple[float, ...]], int, tuple[float, ...]]] = {
    "zdt1": (zdt(lambda f, g: 1 - np.sqrt(f / g)), 6, (1.1, 1.1)),
    "zdt2": (zdt(lambda f, g: 1 - (f / g) ** 2), 6, (1.1, 1.1)),
    "zdt3": (
        zdt(lambda f, g: 1 - np.sqrt(f / g) - f / g * np.sin(10 * np.pi * f)),
        6,
        (1.1, 1.1),
    ),
    "dtlz2": (dtlz2, 6, (1.1, 1.1, 1.1)),
    "dtlz7": (dtlz7, 6, (1.1, 1.1, 12.0)),
    "forest, seconds": (seconds_of_forest, 4, (1.0, -1.0)),
    "lasso, features": (features_of_lasso, 2, (0.5, 1.0)),
    "sensitivity, precision": (sensitivity_and_precision, 3, (1.0, 1.0)),
}


class Ours:
    """An optimizer of this package."""

    def __init__(self, kind: str, n_dims: int, n_objectives: int, seed: int) -> None:
        self.names = [f"f{k}" for k in range(n_objectives)]
        aims = self.names[:1] if kind == "single" else self.names
        self.optimizer = make_optimizer(
            "bayes" if kind == "single" else kind,
            {f"x{k}": (0.0, 1.0, "uniform") for k in range(n_dims)},
            seed=seed,
            objectives=[Objective(name, "minimize") for name in aims],
        )
        self.optimizer.configure(budget=max(BUDGETS))

    def ask(self) -> np.ndarray:
        [self.trial] = self.optimizer.ask()
        return np.array(list(self.trial.params.values()))

    def tell(self, values: tuple[float, ...]) -> None:
        scores = dict(zip(self.names, map(float, values), strict=True))
        result = SplitResult(scores=scores)
        self.optimizer.tell([self.trial.complete(values[0], split_results=[result])])


class Optunas:
    """A sampler of Optuna."""

    def __init__(self, kind: str, n_dims: int, n_objectives: int, seed: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        samplers = {
            "tpe": lambda: optuna.samplers.TPESampler(seed=seed),
            # Its default population of 50 would be random search for half of the budget.
            "nsga2": lambda: optuna.samplers.NSGAIISampler(seed=seed, population_size=10),
            "gp": lambda: optuna.samplers.GPSampler(seed=seed, deterministic_objective=True),
        }
        directions = ["minimize"] * n_objectives
        self.study = optuna.create_study(directions=directions, sampler=samplers[kind]())
        self.n_dims = n_dims

    def ask(self) -> np.ndarray:
        self.trial = self.study.ask()
        return np.array([self.trial.suggest_float(f"x{k}", 0.0, 1.0) for k in range(self.n_dims)])

    def tell(self, values: tuple[float, ...]) -> None:
        self.study.tell(self.trial, list(map(float, values)))


def run(contestant: str, name: str, seed: int) -> list[float]:
    """Return the hypervolume after each of the budgets, and the CPU seconds of the proposals."""
    function, n_dims, reference = PROBLEMS[name]
    library, _, kind = contestant.partition("-")
    make = {"lepton": Ours, "optuna": Optunas}[library]
    optimizer = make(kind, n_dims, len(reference), seed)
    found, seconds = [], 0.0
    for _ in range(max(BUDGETS)):
        start = time.process_time()
        u = optimizer.ask()
        seconds += time.process_time() - start
        found.append(function(u))
        start = time.process_time()
        optimizer.tell(found[-1])
        seconds += time.process_time() - start
    volumes = [hypervolume(-np.array(found[:n]), -np.array(reference)) for n in BUDGETS]
    return [*volumes, seconds]


def report(results: dict[str, list[float]], path: str | None) -> None:
    """Print the means over seeds, and their share of the best contestant's."""
    runs: dict[str, dict[str, list[list[float]]]] = {}
    for key, numbers in results.items():
        contestant, name, _ = key.split("|")
        runs.setdefault(contestant, {}).setdefault(name, []).append(numbers)
    means = {
        contestant: {name: np.mean(rows, axis=0).tolist() for name, rows in problems.items()}
        for contestant, problems in runs.items()
    }
    for name in PROBLEMS:
        cells = [f"{c} {m[name][0]:.3f} / {m[name][1]:.3f}" for c, m in means.items() if name in m]
        print(f"{name:24}", "   ".join(cells))
    best = {
        name: np.max([m[name][:2] for m in means.values() if name in m], axis=0)
        for name in PROBLEMS
        if any(name in m for m in means.values())
    }
    for contestant, m in means.items():
        share = np.mean([np.array(m[name][:2]) / best[name] for name in m], axis=0)
        seconds = np.mean([m[name][2] for name in m])
        print(f"{contestant:16}", " / ".join(f"{each:.3f}" for each in share), end="")
        print(f" of the best in {len(m)} problems, {seconds:.1f} s of CPU")
    if path is not None:
        Path(path).write_text(json.dumps(means, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=["run", "report"])
    parser.add_argument("contestants", nargs="*")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--json")
    options = parser.parse_args()
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    if options.action == "report":
        report(results, options.json)
        return
    warnings.simplefilter("ignore")  # of the peers
    RESULTS.parent.mkdir(exist_ok=True)
    for seed in range(options.seeds):
        for contestant in options.contestants:
            for name in PROBLEMS:
                key = f"{contestant}|{name}|{seed}"
                if key not in results:
                    results[key] = run(contestant, name, seed)
                    RESULTS.write_text(json.dumps(results), encoding="utf-8")


if __name__ == "__main__":
    main()
