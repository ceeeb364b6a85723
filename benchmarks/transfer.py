"""How many evaluations an older study saves, and what a misleading one costs.

    python benchmarks/transfer.py [--optimizers bayes swarm genetic] [--seeds 10 2 2]
        [--tasks held-out] [--jobs 1] [--json benchmarks/transfer.json]

A task is an estimator with its space and two data sets: an older one, on which `BayesOptimizer`
makes a study of 45 trials, another one for each seed; and a newer one, on which the contestants
search. Half of the tasks have *grown* (the older data are the first third or half of the newer
ones, both shuffled once), half have *drifted* (the older data are other rows, or rows whose
features are rescaled, noised or rotated, or whose labels are partly flipped). Scores are means over
the same three splits for everyone, without noise. Nobody is told defaults.

Contestants, with the same optimizer and seed:

cold        no older study
other seed  cold with another seed: what luck alone is worth, and the level to compare with
informed    ``prior=[older study]``
best 3      the best three settings of the older study first, then as cold
negated     ``prior``: the older study with scores negated
shuffled    ``prior``: the older study with its scores in random order

The *target* is the score that cold has reached after 30 evaluations: the median over the seeds of
the task ("median"), or that of the same seed ("paired"). What counts is the number of evaluations
up to the first that reaches it, 60 where none of 60 does; ties count as reached. Paired targets are
reached by cold within 30 by definition, median ones by half of its runs. Given are the ratio of
sums over tasks and seeds and the geometric mean of ratios, to those of cold, and how many runs
never reached the target.

The ten tasks were run to make the table; the constants of the optimizers were chosen on the
development tasks (``--tasks development``), on other data sets or estimators and on functions.
"""

import argparse
import functools
import json
import math
import multiprocessing
import time
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
from problems import UNCHECKED
from sklearn import config_context
from sklearn.base import clone, is_classifier
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
)
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import ElasticNet, LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sklearn_lepton.optimizers import BayesOptimizer, GeneticOptimizer, SwarmOptimizer, Trial

OPTIMIZERS = {"bayes": BayesOptimizer, "swarm": SwarmOptimizer, "genetic": GeneticOptimizer}
CONTESTANTS = ("cold", "other seed", "informed", "best 3", "negated", "shuffled")
N_OLD, N_TARGET, N_MOST = 45, 30, 60
LOADERS = {
    "breast": load_breast_cancer,
    "diabetes": load_diabetes,
    "digits": load_digits,
    "iris": load_iris,
    "wine": load_wine,
}
Data = tuple[np.ndarray, np.ndarray]
ACCURACY, LOG_LOSS, SQUARED, ABSOLUTE = (
    "accuracy",
    "neg_log_loss",
    "neg_mean_squared_error",
    "neg_mean_absolute_error",
)


@dataclass(frozen=True)
class Task:
    """A search to be made twice: on older data and on newer ones.

    ``data`` returns either; for functions it is the function itself.
    """

    name: str
    kind: str
    entries: Any
    data: Callable[[bool], Any]
    estimator: Any = None
    scoring: str = ""
    held_out: bool = True

    def function(self, older: bool) -> Callable[[dict[str, Any]], float]:
        """Return the scores of settings on older or newer data."""
        data = self.data(older)
        return data if self.estimator is None else Tuning(self.estimator, self.scoring, *data)


class Tuning:
    """The cross-validated score of an estimator; NaN where a fit fails."""

    def __init__(self, estimator: Any, scoring: str, X: np.ndarray, y: np.ndarray) -> None:
        self.estimator, self.scorer = estimator, get_scorer(scoring)
        folds = (StratifiedKFold if is_classifier(estimator) else KFold)(
            3, shuffle=True, random_state=0
        )
        self.splits = [(X[a], y[a], X[b], y[b]) for a, b in folds.split(X, y)]
        self.known: dict[str, float] = {}

    def __call__(self, params: dict[str, Any]) -> float:
        key = repr(sorted(params.items()))
        if key not in self.known:
            self.known[key] = self.evaluate(params)
        return self.known[key]

    def evaluate(self, params: dict[str, Any]) -> float:
        scores = []
        with warnings.catch_warnings(), config_context(**UNCHECKED):
            warnings.simplefilter("ignore")
            for X, y, X_test, y_test in self.splits:
                try:
                    model = clone(self.estimator).set_params(**params).fit(X, y)
                    scores.append(self.scorer(model, X_test, y_test))
                except ValueError:
                    return math.nan
        return float(np.mean(scores))


# ------------------------------------------------------------------------- data


@functools.cache
def rows(name: str, n: int) -> Data:
    """Load bundled data, shuffled once, columns standardised, at most n rows."""
    X, y = LOADERS[name](return_X_y=True)
    order = np.random.default_rng(zlib.crc32(name.encode())).permutation(len(y))[:n]
    return StandardScaler().fit_transform(X[order]), y[order]


def grown(name: str, n: int, share: float) -> Callable[[bool], Data]:
    """Older data are the first rows of the newer."""

    def data(older: bool) -> Data:
        X, y = rows(name, n)
        n_rows = int(share * len(y)) if older else len(y)
        return X[:n_rows], y[:n_rows]

    return data


def drifted(name: str, n: int, change: str) -> Callable[[bool], Data]:
    """Older data are the other half of the rows, changed besides."""

    def data(older: bool) -> Data:
        X, y = rows(name, n)
        half = len(y) // 2
        if not older:
            return X[half:], y[half:]
        rng = np.random.default_rng(zlib.crc32(change.encode()))
        X, y = X[:half].copy(), y[:half].copy()
        if "rescaled" in change:
            X *= np.exp(rng.normal(0.0, 0.5, X.shape[1]))
        if "noised" in change:
            X += rng.normal(0.0, 0.5, X.shape)
        if "rotated" in change:
            X = X @ np.linalg.qr(np.eye(X.shape[1]) + 0.3 * rng.normal(size=[X.shape[1]] * 2))[0]
        if "flipped" in change:
            flipped = rng.random(half) < 0.1
            y[flipped] = rng.permutation(y)[flipped]
        return X, y

    return data


def shifted(function: Callable[..., float], shift: float) -> Callable[[bool], Any]:
    """Older scores are those of a function moved, stretched and of another level."""

    def data(older: bool) -> Callable[[dict[str, Any]], float]:
        if older:
            return lambda params: 0.4 + 0.2 * function(**params, shift=shift)
        return lambda params: function(**params, shift=0.0)

    return data


# ------------------------------------------------------------------------ tasks

C_GAMMA = {"C": (1e-3, 1e4, "log-uniform"), "gamma": (1e-6, 1e1, "log-uniform")}
KERNELS = {"kernel": ["rbf", "poly", "sigmoid"], "coef0": (0.0, 2.0, "uniform")}
SOLVED = {"C": (1e-4, 1e4, "log-uniform"), "intercept_scaling": (1e-2, 1e2, "log-uniform")}
WEIGHTED = {"class_weight": [None, "balanced"], "l1_ratio": [0.0, 1.0]}
CONVERGED = {
    "C": (1e-4, 1e4, "log-uniform"),
    "tol": (1e-5, 1e-1, "log-uniform"),
    "class_weight": [None, "balanced"],
}
LEAVES = {
    "max_depth": (1, 20, "int"),
    "min_samples_leaf": (1, 60, "log-int"),
    "max_features": (0.05, 1.0, "uniform"),
    "ccp_alpha": (1e-6, 1e-1, "log-uniform"),
}
BOOSTED = {
    "n_estimators": (3, 30, "log-int"),
    "learning_rate": (1e-2, 1.0, "log-uniform"),
    "max_depth": (1, 5, "int"),
    "subsample": (0.3, 1.0, "uniform"),
}
POLYNOMIAL = {
    "alpha": (1e-4, 1e3, "log-uniform"),
    "gamma": (1e-5, 1e0, "log-uniform"),
    "degree": (1, 4, "int"),
    "coef0": (0.0, 10.0, "uniform"),
}


def bowl(x0: float, x1: float, x2: float, shift: float) -> float:
    return -((x0 - 0.3 - shift) ** 2 + 2 * (x1 - 0.72 + shift) ** 2 + 0.3 * (x2 - 0.2) ** 2)


def branin(x: float, y: float, shift: float) -> float:
    x, y = 15 * (x + shift) - 5, 15 * y
    hill = (y - 5.1 / (4 * np.pi**2) * x**2 + 5 / np.pi * x - 6) ** 2
    return -float(hill + 10 * (1 - 1 / (8 * np.pi)) * np.cos(x) + 10)


def ridged(C: float, gamma: float, kernel: str, shift: float) -> float:
    c, g = math.log10(C) - 4 * shift, math.log10(gamma)
    worse = {"rbf": 0.0, "poly": 0.2, "linear": 0.4}[kernel]
    return -((c + g + 1.0) ** 2 / 8 + (c - 1.3) ** 2 / 12 + worse)


@functools.cache
def tasks() -> dict[str, Task]:
    """Return all tasks by name."""
    tree, tree_r = DecisionTreeClassifier(random_state=0), DecisionTreeRegressor(random_state=0)
    logistic, boosted = LogisticRegression(solver="liblinear"), GradientBoostingRegressor()
    boosted.set_params(random_state=0)
    neighbours = {
        "n_neighbors": (1, 40, "log-int"),
        "p": [1, 2],
        "weights": ["uniform", "distance"],
    }
    kernel = {"kernel": ["rbf", "laplacian"], "alpha": (1e-4, 1e2, "log-uniform")}
    kernel |= {"gamma": (1e-5, 1e1, "log-uniform")}
    unit = (0.0, 1.0, "uniform")
    found = [
        Task("support, breast", "grown", C_GAMMA, grown("breast", 500, 0.4), SVC(), ACCURACY),
        Task(
            "logistic, wine",
            "grown",
            CONVERGED,
            grown("wine", 178, 0.5),
            LogisticRegression(max_iter=60),
            LOG_LOSS,
        ),
        Task(
            "kernel ridge, diabetes",
            "grown",
            kernel,
            grown("diabetes", 300, 0.4),
            KernelRidge(),
            SQUARED,
        ),
        Task(
            "neighbours, digits",
            "grown",
            neighbours,
            grown("digits", 400, 0.33),
            KNeighborsClassifier(),
            ACCURACY,
        ),
        Task(
            "tree, diabetes",
            "grown",
            LEAVES | {"ccp_alpha": (1e-1, 1e4, "log-uniform")},
            grown("diabetes", 442, 0.4),
            tree_r,
            ABSOLUTE,
        ),
        Task(
            "support, diabetes",
            "drifted",
            C_GAMMA | {"epsilon": (1e-1, 1e2, "log-uniform")},
            drifted("diabetes", 442, "rescaled noised"),
            SVR(),
            ABSOLUTE,
        ),
        Task(
            "support, digits",
            "drifted",
            C_GAMMA | KERNELS,
            drifted("digits", 500, "rotated"),
            SVC(),
            ACCURACY,
        ),
        Task(
            "logistic, breast",
            "drifted",
            SOLVED | WEIGHTED,
            drifted("breast", 500, "flipped"),
            logistic,
            LOG_LOSS,
        ),
        Task(
            "polynomial, diabetes",
            "drifted",
            POLYNOMIAL,
            drifted("diabetes", 442, "rescaled"),
            KernelRidge(kernel="poly"),
            SQUARED,
        ),
        Task(
            "boosting, diabetes",
            "drifted",
            BOOSTED,
            drifted("diabetes", 300, "noised"),
            boosted,
            SQUARED,
        ),
        Task(
            "support, wine",
            "drifted",
            C_GAMMA,
            drifted("wine", 178, "noised"),
            SVC(),
            ACCURACY,
            False,
        ),
        Task(
            "net, diabetes",
            "grown",
            {"alpha": (1e-4, 1e2, "log-uniform"), "l1_ratio": unit},
            grown("diabetes", 442, 0.4),
            ElasticNet(),
            SQUARED,
            False,
        ),
        Task("tree, digits", "grown", LEAVES, grown("digits", 400, 0.4), tree, ACCURACY, False),
        Task(
            "tree, iris",
            "drifted",
            LEAVES,
            drifted("iris", 150, "noised flipped"),
            tree,
            LOG_LOSS,
            False,
        ),
        Task(
            "bowl",
            "drifted",
            {f"x{k}": unit for k in range(3)},
            shifted(bowl, 0.05),
            None,
            "",
            False,
        ),
        Task("branin", "drifted", {"x": unit, "y": unit}, shifted(branin, 0.05), None, "", False),
        Task(
            "ridged",
            "drifted",
            C_GAMMA | {"kernel": ["linear", "poly", "rbf"]},
            shifted(ridged, 0.1),
            None,
            "",
            False,
        ),
    ]
    return {task.name: task for task in found}


# ------------------------------------------------------------------------- runs


def search(optimizer: Any, function: Any, n_trials: int, target: float = math.inf) -> list[Trial]:
    """Ask and tell one by one, up to the target."""
    for _ in range(n_trials):
        for trial in optimizer.ask():
            told = trial.complete(function(dict(trial.params)))
            optimizer.tell([told])
        if optimizer.best is not None and optimizer.best.score >= target:
            break
    return optimizer.trials


def contestant(name: str, kind: str, task: Task, seed: int, old: list[Trial]) -> Any:
    """Make an optimizer with what it is told of the older study."""
    make = functools.partial(
        OPTIMIZERS[kind], task.entries, seed=500 + seed if name == "other seed" else seed
    )
    scored = [trial for trial in old if trial.score is not None]
    if name == "informed":
        return make(prior=[old])
    if name == "negated":
        return make(prior=[[trial.complete(-trial.score) for trial in scored]])
    if name == "shuffled":
        scores = np.random.default_rng(seed).permutation([trial.score for trial in scored])
        return make(prior=[[t.complete(s) for t, s in zip(scored, scores, strict=True)]])
    optimizer = make()
    if name == "best 3":
        best = sorted(scored, key=lambda trial: -trial.score)[:3]
        optimizer.enqueue([trial.params for trial in best])
    return optimizer


def run_task(name: str, kind: str, n_seeds: int) -> dict[str, Any]:
    """Run all contestants on one task; evaluations to both targets, by contestant and seed."""
    task = tasks()[name]
    before, now = task.function(True), task.function(False)
    olds = [
        search(BayesOptimizer(task.entries, seed=1000 + s), before, N_OLD) for s in range(n_seeds)
    ]
    cold = [search(contestant("cold", kind, task, s, olds[s]), now, N_MOST) for s in range(n_seeds)]
    after = [max(t.score for t in trials[:N_TARGET] if t.score is not None) for trials in cold]
    targets = {"median": [float(np.median(after))] * n_seeds, "paired": after}
    counts: dict[str, Any] = {target: {} for target in targets}
    seconds = {}
    for which in CONTESTANTS:
        start, n_asked = time.process_time(), 0
        for seed in range(n_seeds):
            trials = cold[seed]
            if which != "cold":
                most = max(values[seed] for values in targets.values())
                trials = search(contestant(which, kind, task, seed, olds[seed]), now, N_MOST, most)
            n_asked += len(trials)
            for target, values in targets.items():
                counts[target].setdefault(which, []).append(reached(trials, values[seed]))
        seconds[which] = (time.process_time() - start) / n_asked
    return {"task": name, "kind": task.kind, "optimizer": kind, "targets": after} | {
        "evaluations": counts,
        "seconds": seconds,
    }


def reached(trials: list[Trial], target: float) -> int:
    """Count the evaluations up to the first that reaches a target, at most 60."""
    found = (n for n, t in enumerate(trials, 1) if t.score is not None and t.score >= target)
    return min(next(found, N_MOST), N_MOST)


# ----------------------------------------------------------------------- report


def summarise(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Sum up the tasks of one optimizer."""
    summary: dict[str, Any] = {}
    for target in ("median", "paired"):
        counts = {
            which: np.array([n for r in results for n in r["evaluations"][target][which]])
            for which in CONTESTANTS
        }
        cold = counts["cold"]
        summary[target] = {
            which: {
                "mean": float(n.mean()),
                "ratio_of_sums": float(n.sum() / cold.sum()),
                "geometric_mean": float(np.exp(np.log(n / cold).mean())),
                "never": int(np.sum(n >= N_MOST)),
            }
            for which, n in counts.items()
        }
    return summary


def show(kind: str, results: list[dict[str, Any]]) -> None:
    """Print the table of one optimizer."""
    print(f"\n{kind}: mean evaluations to the median target, and ratio of sums to cold\n")
    print(f"{'task':28}{'kind':10}" + "".join(f"{which:>10}" for which in CONTESTANTS))
    for result in results:
        means = [np.mean(result["evaluations"]["median"][which]) for which in CONTESTANTS]
        print(f"{result['task']:28}{result['kind']:10}" + "".join(f"{m:10.1f}" for m in means))
    for target, rows_ in summarise(results).items():
        for measure in ("ratio_of_sums", "geometric_mean", "never"):
            values = "".join(f"{rows_[which][measure]:10.3g}" for which in CONTESTANTS)
            print(f"{target + ' target, ' + measure.replace('_', ' '):38}{values}")


def main() -> None:
    """Run, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--optimizers", nargs="+", choices=OPTIMIZERS, default=list(OPTIMIZERS))
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[10, 2, 2], help="of each optimizer"
    )
    parser.add_argument("--tasks", choices=["held-out", "development"], default="held-out")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write all numbers there")
    arguments = parser.parse_args()
    held_out = arguments.tasks == "held-out"
    names = [name for name, task in tasks().items() if task.held_out == held_out]
    everything = {}
    for kind, n_seeds in zip(arguments.optimizers, arguments.seeds, strict=False):
        with ProcessPoolExecutor(arguments.jobs, multiprocessing.get_context("fork")) as pool:
            results = list(pool.map(run_task, names, repeat(kind), repeat(n_seeds)))
        show(kind, results)
        everything[kind] = {"summary": summarise(results), "tasks": results}
        if arguments.json:
            text = json.dumps(everything, indent=1)
            arguments.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
