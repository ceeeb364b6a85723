"""Cost of one proposal: CPU of ask and tell with n finished trials, compared with peers.

Trials of random configurations of d parameters are told first, then a few more are asked for and
told, one at a time; the figure is their median. Each row has a fresh interpreter with one BLAS
thread, rows in turn.

    python benchmarks/proposals.py [--json FILE] [--repeats N]
"""

import argparse
import json
import resource
import statistics
import time
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from overhead import in_fresh_interpreter

SIZES = ((50, 5), (200, 20), (1000, 20), (5000, 20))
# A peer stops where one proposal takes longer than anyone would wait.
LARGEST = {"Optuna GPSampler": 1000, "scikit-optimize": 200}
OURS = "BayesOptimizer"


def objective(point: np.ndarray) -> float:
    """Return a score to which each parameter matters less than the one before."""
    return -float(0.7 ** np.arange(len(point)) @ (point - 0.3) ** 2)


class Ours:
    """One of our own optimizers."""

    def __init__(
        self, points: np.ndarray, scores: np.ndarray, *, optimizer: str = OURS, **options: Any
    ) -> None:
        from sklearn_lepton import optimizers
        from sklearn_lepton.optimizers import Trial

        names = [f"x{k}" for k in range(points.shape[1])]
        space = dict.fromkeys(names, (0.0, 1.0, "uniform"))
        self.optimizer = getattr(optimizers, optimizer)(space, seed=0, **options)
        from_point = self.optimizer.space.from_point
        trials = [Trial(n, tuple(p.tolist()), from_point(p)) for n, p in enumerate(points)]
        pairs = zip(trials, scores, strict=True)
        self.optimizer.tell([trial.complete(score) for trial, score in pairs])

    def step(self) -> None:
        [trial] = self.optimizer.ask()
        self.optimizer.tell([trial.complete(objective(np.array(trial.point)))])


class Optuna:
    """Optuna's GPSampler."""

    def __init__(self, points: np.ndarray, scores: np.ndarray) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        sampler = optuna.samplers.GPSampler(seed=0)
        self.study = optuna.create_study(direction="maximize", sampler=sampler)
        self.range = optuna.distributions.FloatDistribution(0, 1)
        self.names = [f"x{k}" for k in range(points.shape[1])]
        for point, score in zip(points, scores, strict=True):
            trial = optuna.trial.create_trial(
                params=dict(zip(self.names, point.tolist(), strict=True)),
                distributions=dict.fromkeys(self.names, self.range),
                value=float(score),
            )
            self.study.add_trial(trial)

    def step(self) -> None:
        trial = self.study.ask(dict.fromkeys(self.names, self.range))
        self.study.tell(trial, objective(np.array([trial.params[name] for name in self.names])))


class Skopt:
    """The optimizer of scikit-optimize as its BayesSearchCV makes it."""

    def __init__(self, points: np.ndarray, scores: np.ndarray) -> None:
        from skopt import Optimizer

        self.optimizer = Optimizer([(0.0, 1.0)] * points.shape[1], "GP", random_state=0)
        self.optimizer.tell(points[:-1].tolist(), (-scores[:-1]).tolist(), fit=False)
        self.optimizer.tell(points[-1].tolist(), -float(scores[-1]))

    def step(self) -> None:
        point = self.optimizer.ask()
        self.optimizer.tell(point, -objective(np.array(point)))


ROWS: dict[str, Any] = {OURS: Ours}
for name in ("SwarmOptimizer", "GeneticOptimizer"):
    ROWS[name] = partial(Ours, optimizer=name)
    ROWS[f"{name}, no surrogate"] = partial(Ours, optimizer=name, surrogate=False)
N_PROPOSALS = dict.fromkeys(ROWS, 10)
ROWS |= {"Optuna GPSampler": Optuna, "scikit-optimize": Skopt}


def measure(row: str, n: int, d: int) -> dict[str, Any]:
    """Return the CPU milliseconds of proposals, and the memory of the process in MB."""
    warnings.simplefilter("ignore")
    points = np.random.default_rng(0).random((n, d))
    optimizer = ROWS[row](points, np.array([objective(point) for point in points]))
    optimizer.step()
    milliseconds = []
    for _ in range(N_PROPOSALS.get(row, 3)):
        start = time.process_time()
        optimizer.step()
        milliseconds.append(1000 * (time.process_time() - start))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"ms": milliseconds, "slowest_ms": max(milliseconds), "memory_mb": memory}


def main() -> None:
    """Measure one row and print it as JSON, or measure everything and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write all numbers there")
    parser.add_argument("--repeats", type=int, default=3, help="fresh runs of each row")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        row, n, d = arguments.measure
        print(json.dumps(measure(row, int(n), int(d))))
        return
    heads = f"{'n':>6}{'d':>4}{'median':>9}{'/ ours':>8}{'slowest':>9}{'MB':>7}"
    print(f"{'CPU of ask and tell, ms':32}{heads}")
    summary = []
    for n, d in SIZES:
        rows = [row for row in ROWS if LARGEST.get(row, n) >= n]
        runs: dict[str, list[dict[str, Any]]] = {row: [] for row in rows}
        for _ in range(arguments.repeats):
            for row in rows:
                runs[row].append(in_fresh_interpreter(__file__, row, n, d))
        ours = 0.0
        for row, found in runs.items():
            median = statistics.median(ms for run in found for ms in run["ms"])
            ours = median if row == OURS else ours
            slowest = max(run["slowest_ms"] for run in found)
            memory = max(run["memory_mb"] for run in found)
            print(f"{row:32}{n:6}{d:4}{median:9.1f}{median / ours:8.1f}{slowest:9.0f}{memory:7.0f}")
            summary.append(
                {"row": row, "n": n, "d": d, "ms": median, "ratio": median / ours}
                | {"slowest_ms": slowest, "memory_mb": memory}
            )
    if arguments.json:
        arguments.json.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
