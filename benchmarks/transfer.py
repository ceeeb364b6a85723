"""Evaluations saved by a previous study, and the cost of a misleading one.

    python benchmarks/transfer.py [--optimizers bayes swarm genetic] [--seeds 10 4 4]
        [--tasks held-out] [--jobs 1] [--json benchmarks/transfer.json]

A task is an estimator with its space and two data sets: an older one, on which `BayesOptimizer`
makes a study of 45 trials, another one for each seed; and a newer one, on which the contestants
search. Half of the tasks have *grown*: the older data are the first half of the newer ones, both
shuffled once. Half have *drifted*: the older data are other rows, collected earlier if the data
have an order in time. Otherwise they are rows whose features are rescaled, noised or rotated a
little, or whose labels are partly flipped. Scores are means over the same three splits for all.
All contestants start with the middle of the space, in place of the estimator's own parameters,
with which every search starts.

Contestants, with the same optimizer and seed:

cold        no previous study
informed    ``previous_studies=[older study]``
best 3      the best three configurations of the older study first, then as cold
negated     ``previous_studies``: the older study with scores negated
shuffled    ``previous_studies``: the older study with its scores in random order

The regret of a run after n evaluations is the distance of its best score from the best of all runs
of that task, in units of the median first configuration's (1 at most). It is averaged over seeds
and tasks. The reported number is the share of n evaluations after which a contestant's mean regret
reaches that of cold after n, for n = 10, 20 and 30.

The ten tasks were selected before anything was run on them, and run once with the final optimizers.
Constants were chosen on the seventeen development tasks (``--tasks development``). Ten of these
were the held-out tasks of an earlier state, and harder: their older data have a third of the rows,
or drift further.
"""

import argparse
import functools
import json
import math
import multiprocessing
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
    make_classification,
    make_friedman1,
    make_friedman2,
    make_regression,
)
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import ElasticNet, LogisticRegression, Ridge
from sklearn.metrics import get_scorer
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sklearn_lepton.optimizers import BayesOptimizer, GeneticOptimizer, SwarmOptimizer, Trial

OPTIMIZERS = {"bayes": BayesOptimizer, "swarm": SwarmOptimizer, "genetic": GeneticOptimizer}
CONTESTANTS = ("cold", "informed", "best 3", "negated", "shuffled")
BUDGETS = (10, 20, 30)
N_OLD, N_TRIALS = 45, 40
LOADERS = {
    "breast": load_breast_cancer,
    "diabetes": load_diabetes,
    "digits": load_digits,
    "iris": load_iris,
    "wine": load_wine,
    "friedman1": lambda **_: make_friedman1(240, 8, noise=1.0, random_state=1),
    "friedman2": lambda **_: make_friedman2(400, noise=60.0, random_state=1),
    "sparse": lambda **_: make_regression(160, 60, n_informative=8, noise=40.0, random_state=1),
    "blobs": lambda **_: make_classification(400, 30, n_informative=6, flip_y=0.1, random_state=1),
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
        much = 0.4 if "a little" in change else 1.0
        if "rescaled" in change:
            X *= np.exp(rng.normal(0.0, 0.5 * much, X.shape[1]))
        if "noised" in change:
            X += rng.normal(0.0, 0.5 * much, X.shape)
        if "rotated" in change:
            turn = np.eye(X.shape[1]) + 0.3 * much * rng.normal(size=[X.shape[1]] * 2)
            X = X @ np.linalg.qr(turn)[0]
        if "flipped" in change:
            flipped = rng.random(half) < 0.1 * much
            y[flipped] = rng.permutation(y)[flipped]
        return X, y

    return data


def writers(n: int) -> Callable[[bool], Data]:
    """Older data are the digits written before, by other writers."""

    def data(older: bool) -> Data:
        X, y = load_digits(return_X_y=True)
        part = slice(0, n) if older else slice(n, 2 * n)
        return X[part] / 16.0, y[part]

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
SUPPORT_R = C_GAMMA | {"epsilon": (1e-3, 1e1, "log-uniform")}
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
        Task(
            "support, breast",
            "grown",
            C_GAMMA,
            grown("breast", 500, 0.4),
            SVC(),
            ACCURACY,
            held_out=False,
        ),
        Task(
            "logistic, wine",
            "grown",
            CONVERGED,
            grown("wine", 178, 0.5),
            LogisticRegression(max_iter=60),
            LOG_LOSS,
            held_out=False,
        ),
        Task(
            "kernel ridge, diabetes",
            "grown",
            kernel,
            grown("diabetes", 300, 0.4),
            KernelRidge(),
            SQUARED,
            held_out=False,
        ),
        Task(
            "neighbours, digits",
            "grown",
            neighbours,
            grown("digits", 400, 0.33),
            KNeighborsClassifier(),
            ACCURACY,
            held_out=False,
        ),
        Task(
            "tree, diabetes",
            "grown",
            LEAVES | {"ccp_alpha": (1e-1, 1e4, "log-uniform")},
            grown("diabetes", 442, 0.4),
            tree_r,
            ABSOLUTE,
            held_out=False,
        ),
        Task(
            "support, diabetes",
            "drifted",
            C_GAMMA | {"epsilon": (1e-1, 1e2, "log-uniform")},
            drifted("diabetes", 442, "rescaled noised"),
            SVR(),
            ABSOLUTE,
            held_out=False,
        ),
        Task(
            "support, digits",
            "drifted",
            C_GAMMA | KERNELS,
            drifted("digits", 500, "rotated"),
            SVC(),
            ACCURACY,
            held_out=False,
        ),
        Task(
            "logistic, breast",
            "drifted",
            SOLVED | WEIGHTED,
            drifted("breast", 500, "flipped"),
            logistic,
            LOG_LOSS,
            held_out=False,
        ),
        Task(
            "polynomial, diabetes",
            "drifted",
            POLYNOMIAL,
            drifted("diabetes", 442, "rescaled"),
            KernelRidge(kernel="poly"),
            SQUARED,
            held_out=False,
        ),
        Task(
            "boosting, diabetes",
            "drifted",
            BOOSTED,
            drifted("diabetes", 300, "noised"),
            boosted,
            SQUARED,
            held_out=False,
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
    return {task.name: task for task in [*found, *held_out_tasks()]}


def held_out_tasks() -> list[Task]:
    """Return the ten tasks of the table."""
    unit = (0.0, 1.0, "uniform")
    inverse = (1e-4, 1e4, "log-uniform")
    forest = {
        "max_depth": (1, 20, "int"),
        "min_samples_leaf": (1, 30, "log-int"),
        "max_features": (0.05, 1.0, "uniform"),
    }
    weights = {"n_neighbors": (1, 60, "log-int"), "p": (1.0, 4.0, "uniform")}
    weights |= {"weights": ["uniform", "distance"]}
    linear = {"alpha": (1e-4, 1e2, "log-uniform"), "l1_ratio": unit}
    kernel = {"alpha": (1e-5, 1e1, "log-uniform"), "gamma": (1e-4, 1e1, "log-uniform")}
    softmax = {"C": inverse, "class_weight": [None, "balanced"]}
    trees = RandomForestClassifier(8, random_state=0)
    small_tree = DecisionTreeClassifier(random_state=0)
    polynomial = make_pipeline(PolynomialFeatures(), Ridge())
    degrees = {"polynomialfeatures__degree": [1, 2], "ridge__alpha": (1e-2, 1e6, "log-uniform")}
    degrees |= {"polynomialfeatures__interaction_only": [True, False]}
    return [
        Task("svr, friedman", "grown", SUPPORT_R, grown("friedman1", 240, 0.5), SVR(), "r2"),
        Task(
            "logistic, digits",
            "grown",
            softmax,
            grown("digits", 360, 0.5),
            LogisticRegression(max_iter=80),
            LOG_LOSS,
        ),
        Task("forest, breast", "grown", forest, grown("breast", 400, 0.5), trees, LOG_LOSS),
        Task(
            "neighbours, diabetes",
            "grown",
            weights,
            grown("diabetes", 440, 0.5),
            KNeighborsRegressor(),
            SQUARED,
        ),
        Task("net, sparse", "grown", linear, grown("sparse", 160, 0.5), ElasticNet(), SQUARED),
        Task("support, writers", "drifted", C_GAMMA, writers(500), SVC(), ACCURACY),
        Task(
            "kernel ridge, friedman",
            "drifted",
            kernel | {"kernel": ["rbf", "laplacian"]},
            drifted("friedman2", 400, "noised a little"),
            KernelRidge(),
            "r2",
        ),
        Task(
            "tree, breast",
            "drifted",
            LEAVES,
            drifted("breast", 560, "flipped a little"),
            small_tree,
            LOG_LOSS,
        ),
        Task(
            "logistic, blobs",
            "drifted",
            softmax | {"fit_intercept": [True, False]},
            drifted("blobs", 400, "rotated a little"),
            LogisticRegression(max_iter=80),
            LOG_LOSS,
        ),
        Task(
            "polynomial ridge",
            "drifted",
            degrees,
            drifted("diabetes", 440, "rescaled a little"),
            polynomial,
            SQUARED,
        ),
    ]


# ------------------------------------------------------------------------- runs


def search(optimizer: Any, function: Any, n_trials: int) -> list[float]:
    """Ask and tell one by one; return the scores, -inf where there is none."""
    while len(optimizer.trials) < n_trials:
        asked = optimizer.ask()
        if not asked:
            break
        optimizer.tell([trial.complete(function(dict(trial.params))) for trial in asked])
    return [-math.inf if t.score is None else t.score for t in optimizer.trials]


def contestant(name: str, kind: str, task: Task, seed: int, old: list[Trial]) -> Any:
    """Return an optimizer with its part of the older study."""
    scored = [trial for trial in old if trial.score is not None]
    scores = [trial.score for trial in scored]
    if name == "negated":
        scores = [-score for score in scores]
    if name == "shuffled":
        scores = np.random.default_rng(seed).permutation(scores).tolist()
    told = [trial.complete(score) for trial, score in zip(scored, scores, strict=True)]
    previous_studies = [told] if name in {"informed", "negated", "shuffled"} else []
    optimizer = OPTIMIZERS[kind](task.entries, seed=seed, previous_studies=previous_studies)
    space = optimizer.space
    middle = space.snap(np.full((1, space.n_dims), 0.5))[0]
    first = [space.from_point(tuple(middle.tolist()))]
    if name == "best 3":
        first += [trial.params for trial in sorted(scored, key=lambda trial: -trial.score)[:3]]
    optimizer.enqueue(first)
    return optimizer


def run_task(name: str, kind: str, n_seeds: int) -> dict[str, Any]:
    """Run all contestants on one task; their scores by seed."""
    task = tasks()[name]
    before, now = task.function(True), task.function(False)
    scores: dict[str, list[list[float]]] = {which: [] for which in CONTESTANTS}
    for seed in range(n_seeds):
        older = BayesOptimizer(task.entries, seed=1000 + seed)
        search(older, before, N_OLD)
        for which in CONTESTANTS:
            optimizer = contestant(which, kind, task, seed, older.trials)
            scores[which].append(search(optimizer, now, N_TRIALS))
    return {"task": name, "kind": task.kind, "optimizer": kind, "scores": scores}


# ----------------------------------------------------------------------- report


def regrets(result: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return the regret of each contestant, of shape (n_seeds, n_trials)."""
    runs = {}
    for which, lists in result["scores"].items():
        # An exhausted space stays where it is.
        padded = [scores + [scores[-1]] * (N_TRIALS - len(scores)) for scores in lists]
        runs[which] = np.maximum.accumulate(np.array(padded), axis=1)
    best = max(curves.max() for curves in runs.values())
    first = np.array([scores[1:6] for scores in result["scores"]["cold"]])
    unit = max(best - np.median(first[np.isfinite(first)]), 1e-12)
    return {which: np.clip((best - curves) / unit, 0.0, 1.0) for which, curves in runs.items()}


def summarise(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Average regrets over seeds and tasks, and read off evaluations to equal regret."""
    of_tasks = [regrets(result) for result in results]
    mean = {
        which: np.mean([task[which].mean(axis=0) for task in of_tasks], axis=0)
        for which in CONTESTANTS
    }
    shares = {
        which: {n: reached(curve, mean["cold"][n - 1]) / n for n in BUDGETS}
        for which, curve in mean.items()
    }
    return {
        "regret": {which: np.round(curve, 5).tolist() for which, curve in mean.items()},
        "share": shares,
    }


def reached(curve: np.ndarray, regret: float) -> float:
    """Count the evaluations until a mean regret is down to another; infinite if never."""
    found = np.flatnonzero(curve <= regret + 1e-12)
    return float(found[0] + 1) if len(found) else math.inf


def show(title: str, results: list[dict[str, Any]]) -> None:
    """Print the table of one optimizer."""
    summary = summarise(results)
    print(f"\n{title}: evaluations to the mean regret of cold after n, as a share of n; regret")
    print(f"{'':10}" + "".join(f"{f'n = {n}':>10}" for n in BUDGETS) + f"{'after 5':>10}", end="")
    print("".join(f"{n:>10}" for n in BUDGETS))
    for which, shares in summary["share"].items():
        regret = "".join(f"{summary['regret'][which][n - 1]:10.4f}" for n in (5, *BUDGETS))
        print(f"{which:10}" + "".join(f"{share:10.2f}" for share in shares.values()) + regret)


def main() -> None:
    """Run, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--optimizers", nargs="+", choices=OPTIMIZERS, default=list(OPTIMIZERS))
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[10, 4, 4], help="of each optimizer"
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
        for change in ("grown", "drifted"):
            show(f"{kind}, {change}", [r for r in results if r["kind"] == change])
        everything[kind] = summarise(results) | {"tasks": results}
        if arguments.json:
            text = json.dumps(everything)
            arguments.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
