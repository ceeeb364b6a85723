"""Errors of parameter importances: ours and Optuna's, from the same trials.

The six functions have first-order Sobol indices in closed form. They were selected before anything
was run and not used to tune anything. The error is the mean distance of the reported shares from
the true ones, over the parameters of a function, both unchanged and, as Optuna shows them, divided
by their sum. Trials come from random search, or from a search of BayesOptimizer, which leaves most
of the space nearly empty.
"""

import argparse
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_lepton import Categorical, Integer, Real, Space
from sklearn_lepton.importance import parameter_importance
from sklearn_lepton.optimizers import BayesOptimizer, RandomOptimizer, Trial

DESIGNS = {"random, 60": 60, "random, 100": 100, "search, 60": 60}


@dataclass(frozen=True)
class Function:
    """A function with the variance of each of its first-order parts."""

    name: str
    entries: dict[str, Any]
    score: Callable[[Mapping[str, Any]], float]
    alone: dict[str, float]
    total: float
    noise: float = 0.0

    @property
    def shares(self) -> np.ndarray:
        return np.array([self.alone[name] for name in self.entries]) / self.total


def units(n_dims, low=0.0, high=1.0):
    return {f"x{k}": (low, high, "uniform") for k in range(1, n_dims + 1)}


def ishigami(a=7.0, b=0.1):
    first = 0.5 * (1 + b * math.pi**4 / 5) ** 2
    pair = b**2 * math.pi**8 * (1 / 18 - 1 / 50)
    return Function(
        "Ishigami, 3 parameters",
        units(3, -math.pi, math.pi),
        lambda p: (
            math.sin(p["x1"]) + a * math.sin(p["x2"]) ** 2 + b * p["x3"] ** 4 * math.sin(p["x1"])
        ),
        {"x1": first, "x2": a**2 / 8, "x3": 0.0},
        first + a**2 / 8 + pair,
    )


def g_function(weights=(0.0, 1.0, 4.5, 9.0, 99.0, 99.0)):
    parts = [1 / (3 * (1 + a) ** 2) for a in weights]
    return Function(
        "Sobol's g, 6 parameters",
        units(len(weights)),
        lambda p: math.prod(
            (abs(4 * p[f"x{k}"] - 2) + a) / (1 + a) for k, a in enumerate(weights, 1)
        ),
        {f"x{k}": part for k, part in enumerate(parts, 1)},
        math.prod(1 + part for part in parts) - 1,
    )


def linear(weights=(5.0, 4.0, 3.0, 2.0, 1.0)):
    parts = {f"x{k}": w**2 / 12 for k, w in enumerate(weights, 1)}
    return Function(
        "linear, 5 parameters",
        units(len(weights)),
        lambda p: sum(w * p[f"x{k}"] for k, w in enumerate(weights, 1)),
        parts,
        sum(parts.values()),
    )


def product():
    # (x1 - 1/4)(x2 - 1/4) + x3/4 of unit variables: means 1/4, variances 1/12
    alone = {"x1": 1 / 12 / 16, "x2": 1 / 12 / 16, "x3": 1 / 12 / 16, "x4": 0.0}
    return Function(
        "product of two, 4 parameters",
        units(4),
        lambda p: (p["x1"] - 0.25) * (p["x2"] - 0.25) + p["x3"] / 4,
        alone,
        sum(alone.values()) + 1 / 144,
    )


def mixed():
    heights = {"a": 0.0, "b": 1.0, "c": 2.0, "d": 0.5}
    slopes = {"a": -0.5, "b": 0.5, "c": -0.5, "d": 0.5}  # of mean 0: interaction alone
    of_kind = float(np.var(list(heights.values())))
    of_rate = 1.5**2 / 12 * 1.0  # 1.5 times the unit of the log scale
    depths = (np.arange(1, 10) - 5.0) / 4.0
    of_depth = float(np.var(-(depths**2)))

    def score(p):
        rate = (math.log10(p["rate"]) + 4) / 4
        slope = slopes[p["kind"]] * (rate - 0.5) * 2
        return heights[p["kind"]] + 1.5 * rate + slope - ((p["depth"] - 5) / 4) ** 2

    alone = {"kind": of_kind, "rate": of_rate, "depth": of_depth, "idle": 0.0}
    return Function(
        "mixed, 4 parameters",
        {
            "kind": list("cadb"),
            "rate": (1e-4, 1.0, "log-uniform"),
            "depth": (1, 9, "int"),
            "idle": ["u", "v", "w"],
        },
        score,
        alone,
        sum(alone.values()) + 1 / 12,
    )


def noisy(weights=(4.0, 3.0, 2.0, 2.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)):
    parts = {f"x{k}": w**2 / 12 for k, w in enumerate(weights, 1)}
    return Function(
        "noisy additive, 10 parameters",
        units(len(weights)),
        lambda p: sum(w * p[f"x{k}"] for k, w in enumerate(weights, 1)),
        parts,
        sum(parts.values()),
        noise=0.5 * math.sqrt(sum(parts.values())),
    )


HELD_OUT = (ishigami, g_function, linear, product, mixed, noisy)


def make_trials(function: Function, design: str, seed: int) -> list[Trial]:
    rng = np.random.default_rng([seed, 7])
    space, n_trials = Space(function.entries), DESIGNS[design]
    kind = BayesOptimizer if design.startswith("search") else RandomOptimizer
    optimizer = kind(space, seed=seed)
    for _ in range(n_trials):
        for trial in optimizer.ask():
            told = function.score(trial.params) + function.noise * rng.standard_normal()
            optimizer.tell([trial.complete(told)])
    return optimizer.trials


def ours(function: Function, trials: list[Trial], seed: int) -> tuple[np.ndarray, np.ndarray]:
    found = parameter_importance(trials, space=function.entries, random_state=seed)
    return found.importances_mean, found.importances_std


def optunas(function: Function, trials: list[Trial], seed: int) -> tuple[np.ndarray, None]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    kinds = {
        Real: lambda d: optuna.distributions.FloatDistribution(d.low, d.high, log=d.log),
        Integer: lambda d: optuna.distributions.IntDistribution(d.low, d.high, log=d.log),
        Categorical: lambda d: optuna.distributions.CategoricalDistribution(d.categories),
    }
    space = Space(function.entries)
    distributions = {
        name: kinds[type(d)](d) for name, d in zip(space.names, space.dimensions, strict=True)
    }
    study = optuna.create_study(direction="maximize")
    for trial in trials:
        study.add_trial(
            optuna.trial.create_trial(
                params=dict(trial.params), distributions=distributions, value=trial.score
            )
        )
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
    found = optuna.importance.get_param_importances(study, evaluator=evaluator, normalize=False)
    return np.array([found[name] for name in function.entries]), None


def distance(shares: np.ndarray, true: np.ndarray) -> float:
    return float(np.mean(np.abs(shares - true)))


def measure(make: Callable[[], Function], design: str, seed: int) -> list[dict[str, Any]]:
    function = make()
    trials, true = make_trials(function, design, seed), function.shares
    rows = []
    for name, judge in {"sklearn-lepton": ours, "Optuna fANOVA": optunas}.items():
        begin = time.process_time()
        shares, stds = judge(function, trials, seed)
        row = {
            "function": function.name,
            "design": design,
            "seed": seed,
            "contestant": name,
            "seconds": round(time.process_time() - begin, 3),
            "error": distance(shares, true),
            "error_of_parts": distance(shares / shares.sum(), true / true.sum()),
            "shares": np.round(shares, 4).tolist(),
        }
        if stds is not None:
            row["within_two_std"] = float(np.mean(np.abs(shares - true) <= 2 * stds + 0.005))
        rows.append(row)
    return rows


def report(rows: list[dict[str, Any]]) -> None:
    names = list(dict.fromkeys(row["contestant"] for row in rows))
    for key in ("error", "error_of_parts"):
        print(f"\n| {key} | {' | '.join(names)} |\n|---|" + "---:|" * len(names))
        groups = [(f, None) for f in dict.fromkeys(row["function"] for row in rows)]
        groups += [(None, d) for d in DESIGNS] + [(None, None)]
        for function, design in groups:
            cells = [
                np.mean(
                    [
                        row[key]
                        for row in rows
                        if row["contestant"] == name
                        and function in {None, row["function"]}
                        and design in {None, row["design"]}
                    ]
                )
                for name in names
            ]
            numbers = " | ".join(f"{cell:.4f}" for cell in cells)
            print(f"| {function or design or 'mean'} | {numbers} |")
    own = [row for row in rows if "within_two_std" in row]
    print(f"\nwithin two standard deviations: {np.mean([r['within_two_std'] for r in own]):.2f}")
    for name in names:
        seconds = [row["seconds"] for row in rows if row["contestant"] == name]
        print(f"{name}: {np.mean(seconds):.2f} s of CPU")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="the first of the seeds")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--report", action="store_true", help="print what the file holds")
    options = parser.parse_args()
    found: list[dict[str, Any]] = []
    if options.report:
        found = json.loads(options.json.read_text(encoding="utf-8"))["rows"]
    for seed in [] if options.report else range(options.first, options.first + options.seeds):
        for make in HELD_OUT:
            for design in DESIGNS:
                found += measure(make, design, seed)
        if options.json:  # so that what has been measured stays, whatever comes
            text = json.dumps({"rows": found})
            options.json.write_text(text.replace("}, {", "},\n{") + "\n", encoding="utf-8")
    report(found)
