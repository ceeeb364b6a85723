"""Best score at the end of a time limit: `cost_aware` optimizers compared with plain ones.

    python benchmarks/cost.py [--optimizers bayes swarm genetic] [--seeds 10] [--tasks held-out]
        [--names NAME ...] [--json benchmarks/cost.json]

Results that are already in the file are not repeated; delete it after a change of the optimizers.

Time is simulated: a trial costs the CPU seconds of its fits and scores, measured once for each
configuration, so that both contestants pay the same. A plain optimizer makes 40 trials; the
``cost_aware`` one of the same seed gets their total time. A trial that is not finished by then does
not count.

The tasks are the live ones of `problems.py` and twelve whose parameters are sizes, such as the
number of trees, selected before anything was run on them. The spread of a task's fit times is the
ratio of their 95th to their 5th percentile over 40 random configurations. A third of the first
group and half of the second are held out, and were run once, with the final optimizers.

The regret of a run is the distance of its best score from the best known score of the task, in
units of the median random configuration's (1 at most). Two numbers are reported: the regret at the
end of the time, and the share of the time after which the mean regret of ``cost_aware`` reaches the
final regret of the plain one.
"""

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
from problems import ABSOLUTE, ACCURACY, LOG_LOSS, SQUARED, Problem, Tuning, live_tasks
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingRegressor,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeClassifier

from sklearn_lepton.optimizers import (
    BayesOptimizer,
    GeneticOptimizer,
    Optimizer,
    RandomOptimizer,
    SwarmOptimizer,
    Trial,
)

OPTIMIZERS = {"bayes": BayesOptimizer, "swarm": SwarmOptimizer, "genetic": GeneticOptimizer}
N_TRIALS = 40
N_MOST = 200  # trials of a run, however cheap
WIDE = 10.0  # fit times spread
SHARES = np.linspace(0.05, 1.0, 20)  # of the time

BOOSTED = {
    "n_estimators": (3, 200, "log-int"),
    "learning_rate": (1e-2, 1.0, "log-uniform"),
    "max_depth": (1, 8, "int"),
    "subsample": (0.3, 1.0, "uniform"),
}
FOREST = {
    "n_estimators": (2, 120, "log-int"),
    "max_features": (0.05, 1.0, "uniform"),
    "min_samples_leaf": (1, 20, "log-int"),
    "max_depth": (1, 12, "int"),
}
NET = {
    "hidden_layer_sizes": (4, 200, "log-int"),
    "max_iter": (3, 80, "log-int"),
    "learning_rate_init": (1e-4, 1e-1, "log-uniform"),
    "alpha": (1e-5, 1e1, "log-uniform"),
    "batch_size": (10, 200, "log-int"),
}
SAGA = {
    "C": (1e-4, 1e2, "log-uniform"),
    "l1_ratio": (0.0, 1.0, "uniform"),
    "tol": (1e-4, 1e-1, "log-uniform"),
    "max_iter": (3, 100, "log-int"),
}
LANDMARKS = {
    "features__n_components": (5, 300, "log-int"),
    "features__gamma": (1e-4, 1e0, "log-uniform"),
    "model__C": (1e-3, 1e3, "log-uniform"),
}
LANDMARKS_RIDGE = LANDMARKS | {"model__alpha": (1e-4, 1e2, "log-uniform")}
del LANDMARKS_RIDGE["model__C"]
MODELS = [
    {"model": [GaussianNB()], "model__var_smoothing": (1e-9, 1.0, "log-uniform")},
    {"model": [KNeighborsClassifier()], "model__n_neighbors": (1, 40, "log-int")},
    {"model": [RandomForestClassifier(random_state=0)]}
    | {f"model__{name}": values for name, values in FOREST.items()},
]
MODELS_WINE = [
    {"model": [LogisticRegression()], "model__C": (1e-4, 1e3, "log-uniform")},
    {"model": [GradientBoostingClassifier(random_state=0)]}
    | {f"model__{name}": values for name, values in BOOSTED.items() if name != "n_estimators"}
    | {"model__n_estimators": (3, 60, "log-int")},
]
ADA = {
    "n_estimators": (2, 100, "log-int"),
    "learning_rate": (1e-2, 1e1, "log-uniform"),
    "estimator__max_depth": (1, 10, "int"),
    "estimator__max_features": (0.05, 1.0, "uniform"),
}
BAG = {
    "n_estimators": (2, 80, "log-int"),
    "max_samples": (0.05, 1.0, "log-uniform"),
    "estimator__C": (1e-1, 1e4, "log-uniform"),
    "estimator__gamma": (1e-4, 1e0, "log-uniform"),
}


def wide_tasks() -> list[Problem]:
    """Return tasks whose fit times spread at least tenfold: sizes are among the parameters."""
    zero = {"random_state": 0}
    landmarks = [("features", Nystroem(**zero))]
    # name, estimator, data, scoring, space, held out
    rows: list[tuple[str, Any, str, str, Any, bool]] = [
        ("boosting", GradientBoostingRegressor(**zero), "diabetes", SQUARED, BOOSTED, False),
        ("forest", RandomForestClassifier(**zero), "breast", LOG_LOSS, FOREST, False),
        ("net", MLPClassifier(**zero), "digits", ACCURACY, NET, False),
        ("saga", LogisticRegression(solver="saga", **zero), "digits", LOG_LOSS, SAGA, False),
        (
            "landmarks",
            Pipeline([*landmarks, ("model", LogisticRegression())]),
            "digits",
            ACCURACY,
            LANDMARKS,
            False,
        ),
        ("models", Pipeline([("model", GaussianNB())]), "digits", LOG_LOSS, MODELS, False),
        ("extra trees", ExtraTreesRegressor(**zero), "diabetes", ABSOLUTE, FOREST, True),
        ("net", MLPRegressor(**zero), "diabetes", SQUARED, NET, True),
        (
            "ada boost",
            AdaBoostClassifier(DecisionTreeClassifier(**zero), **zero),
            "digits",
            ACCURACY,
            ADA,
            True,
        ),
        (
            "landmarks",
            Pipeline([*landmarks, ("model", Ridge())]),
            "diabetes",
            ABSOLUTE,
            LANDMARKS_RIDGE,
            True,
        ),
        ("bagging", BaggingRegressor(SVR(), **zero), "diabetes", SQUARED, BAG, True),
        (
            "models",
            Pipeline([("model", LogisticRegression())]),
            "wine",
            LOG_LOSS,
            MODELS_WINE,
            True,
        ),
    ]
    return [
        Problem(
            name=f"{name}, {where}, {scoring.replace('neg_mean_', '').replace('neg_', '')}, sizes",
            entries=entries,
            function=Tuning(estimator, where, scoring, 3),
            tags=frozenset({"live", "sizes"}),
            held_out=held_out,
        )
        for name, estimator, where, scoring, entries, held_out in rows
    ]


class Timed:
    """A task that remembers the score and the CPU seconds of each setting."""

    def __init__(self, task: Problem) -> None:
        self.task = task
        self.known: dict[tuple[float, ...], tuple[float, float]] = {}
        trials = RandomOptimizer(task.space, seed=99).ask(N_TRIALS)
        task.function(trials[0].params)  # warm up: the first call loads code
        told = np.array([self(trial) for trial in trials])
        self.middling = float(np.nanmedian(told[:, 0]))
        low, high = np.percentile(told[:, 1], [5, 95])
        self.spread = float(high / low)

    def __call__(self, trial: Trial) -> tuple[float, float]:
        """Return score and seconds."""
        if trial.point not in self.known:
            start = time.process_time()
            score = self.task.function(trial.params)
            self.known[trial.point] = score, time.process_time() - start
        return self.known[trial.point]

    def best(self) -> float:
        return max(score for score, _ in self.known.values() if not math.isnan(score))


def run(
    timed: Timed, optimizer: Optimizer, *, n_trials: int = N_MOST, budget: float = math.inf
) -> list[tuple[float, float]]:
    """Return seconds spent and best score after each trial, up to a number or to a time."""
    history: list[tuple[float, float]] = []
    spent, best = 0.0, -math.inf
    while len(history) < n_trials:
        asked = optimizer.ask()
        if not asked:
            break
        score, seconds = timed(asked[0])
        spent += seconds
        if spent > budget:
            break
        optimizer.tell([asked[0].complete(score, duration=seconds)])
        best = best if math.isnan(score) else max(best, score)
        history.append((spent, best))
    return history


def at_shares(history: list[tuple[float, float]], budget: float) -> list[float]:
    """Return the best score after each share of the time."""
    spent, best = np.array(history).T
    count = np.searchsorted(spent, SHARES * budget * (1 + 1e-9), side="right")
    return [float(best[n - 1]) if n else -math.inf for n in count]


def compare(timed: Timed, kind: type, n_seeds: int) -> list[dict[str, Any]]:
    """Run a plain and a cost-aware optimizer with each seed."""
    runs = []
    for seed in range(n_seeds):
        plain = run(timed, kind(timed.task.space, seed=seed), n_trials=N_TRIALS)
        budget = plain[-1][0]
        aware = kind(timed.task.space, seed=seed, cost_aware=True, max_seconds=budget)
        history = run(timed, aware, budget=budget)
        runs.append(
            {
                "seconds": round(budget, 4),
                "n_trials": [len(plain), len(history)],
                "plain": at_shares(plain, budget),
                "aware": at_shares(history, budget),
            }
        )
    return runs


def regrets(task: dict[str, Any], runs: list[dict[str, Any]]) -> list[np.ndarray]:
    """Return the regret of the plain and the cost-aware runs of each seed, over the time."""
    scale = max(task["best"] - task["middling"], 1e-12)
    return [
        np.clip((task["best"] - np.array([run[contestant] for run in runs])) / scale, 0.0, 1.0)
        for contestant in ("plain", "aware")
    ]


def time_to(target: float, curve: np.ndarray) -> float:
    """Return the share of the time after which a curve of regret is down to a target."""
    down = np.flatnonzero(curve <= target + 1e-12)
    return round(float(SHARES[down[0]]), 2) if len(down) else math.nan


def row(name: str, curves: list[np.ndarray], worst: str = "") -> str:
    """Return a line of the table: of one task over its seeds, or of many over the tasks."""
    plain, aware = (curve.mean(axis=0) for curve in curves)
    ends = curves[1][:, -1] - curves[0][:, -1]
    error = ends.std(ddof=1) / math.sqrt(len(ends)) if len(ends) > 1 else math.nan
    return (
        f"| {name} | {plain[-1]:.3f} | {aware[-1]:.3f} | {ends.mean():+.3f} ± {error:.3f} | "
        f"{worst} | {time_to(plain[-1], aware):.2f} |"
    )


def report(results: dict[str, Any]) -> None:
    """Print each task, then the means over those whose fit times spread tenfold, and the others."""
    print("| fit times spread | plain | aware | difference | worst task | time |")
    print("|---|---:|---:|---:|---:|---:|")
    for name in OPTIMIZERS:
        groups: dict[str, list[list[np.ndarray]]] = {"tenfold": [], "less": []}
        for task, entry in results.items():
            if name not in entry["runs"]:
                continue
            pair = regrets(entry, entry["runs"][name])
            group = "tenfold" if entry["spread"] >= WIDE else "less"
            groups[group].append([curve.mean(axis=0) for curve in pair])
            print(row(f"{name}: {task}, {entry['spread']:.1f}", pair))
        for group, of_tasks in groups.items():
            if of_tasks:
                plain, aware = (np.array(curves) for curves in zip(*of_tasks, strict=True))
                worst = f"{(aware - plain)[:, -1].max():+.3f}"
                print(row(f"{name}: {group}, {len(of_tasks)} tasks", [plain, aware], worst))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--optimizers", nargs="*", default=list(OPTIMIZERS))
    parser.add_argument("--tasks", default="held-out", choices=["held-out", "development"])
    parser.add_argument("--names", nargs="*", default=[""], help="what their names contain")
    options = parser.parse_args()
    results: dict[str, Any] = {}
    if options.json and options.json.exists():
        results = json.loads(options.json.read_text(encoding="utf-8"))
    for task in (*wide_tasks(), *live_tasks()):
        is_asked = task.held_out == (options.tasks == "held-out")
        entry = results.get(task.name, {"runs": {}})
        missing = [name for name in options.optimizers if name not in entry["runs"]]
        if not (is_asked and missing and any(part in task.name for part in options.names)):
            continue
        timed = Timed(task)
        runs = {name: compare(timed, OPTIMIZERS[name], options.seeds) for name in missing}
        results[task.name] = {
            "spread": entry.get("spread", round(timed.spread, 2)),
            "middling": timed.middling,
            "best": max(timed.best(), entry.get("best", -math.inf)),
            "runs": entry["runs"] | runs,
        }
        for name in missing:
            pair = regrets(results[task.name], runs[name])
            print(row(f"{name}: {task.name}", pair), flush=True)
        if options.json:
            options.json.write_text(json.dumps(results) + "\n", encoding="utf-8")
    report(results)


if __name__ == "__main__":
    main()
