"""Regret on smooth functions without noise, where a search should reach the optimum itself.

    python benchmarks/smooth.py run CONTESTANT ... [--seeds 4]
    python benchmarks/smooth.py report [--json FILE]

Finished runs are kept in ``benchmarks/results/smooth.json``, so that an interrupted benchmark can
be resumed. The regret of `regret.py` is in units of random search and hides these differences;
here it is the distance from the optimum, and contestants are compared by geometric means.
"""

import argparse
import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from contestants import CONTESTANTS
from problems import branin, cube, hartmann, levy

from sklearn_lepton.space import Space

RESULTS = Path(__file__).parent / "results" / "smooth.json"
BUDGETS = (60, 100)
SMALLEST = 1e-9  # regrets below count as this one
LINE_X = np.arange(1.0, 6.0)
LINE_Y = 2.0 * LINE_X - 1.0 + np.array([0.3, -0.2, 0.1, -0.3, 0.2])
ROTATION = np.linalg.qr(np.random.default_rng(7).standard_normal((4, 4)))[0]
HARTMANN_3 = (
    np.array([[3.0, 10, 30], [0.1, 10, 35], [3.0, 10, 30], [0.1, 10, 35]]),
    1e-4
    * np.array([[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381, 5743, 8828]]),
)


def line(u: np.ndarray) -> float:
    """Squared loss of a line on five points: a narrow valley."""
    slope, intercept = 20.0 * u - 10.0
    return -float(np.mean((slope * LINE_X + intercept - LINE_Y) ** 2))


def line_optimum() -> float:
    slope, intercept = np.polyfit(LINE_X, LINE_Y, 1)
    return line(np.array([slope + 10.0, intercept + 10.0]) / 20.0)


def sphere(u: np.ndarray) -> float:
    return -float(np.sum((u - np.array([0.3, 0.7, 0.45, 0.6, 0.2])) ** 2))


def rotated_bowl(u: np.ndarray) -> float:
    z = ROTATION @ (u - np.array([0.35, 0.6, 0.55, 0.4]))
    return -float(z**2 @ np.array([1.0, 10.0, 30.0, 100.0]))


def hartmann_3(u: np.ndarray) -> float:
    A, P = HARTMANN_3
    return float(np.array([1.0, 1.2, 3.0, 3.2]) @ np.exp(-np.sum(A * (u - P) ** 2, axis=1)))


def rosenbrock(u: np.ndarray) -> float:
    x = 4.096 * u - 2.048
    return -float(np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2))


# Function, number of dimensions, optimum.
FUNCTIONS: dict[str, tuple[Callable[[np.ndarray], float], int, float]] = {
    "line": (line, 2, line_optimum()),
    "branin": (branin, 2, -0.39788735772973816),
    "sphere 5": (sphere, 5, 0.0),
    "rotated bowl 4": (rotated_bowl, 4, 0.0),
    "hartmann 3": (hartmann_3, 3, 3.862779787332660),
    "hartmann 6": (hartmann, 6, 3.322368011415515),
    "rosenbrock 4": (rosenbrock, 4, 0.0),
    "levy 5": (levy, 5, 0.0),
}


def run(contestant: str, name: str, seed: int) -> list[float]:
    """Return the regret after each of the budgets."""
    function, n_dims, optimum = FUNCTIONS[name]
    optimizer = CONTESTANTS[contestant](Space(cube(n_dims)), seed=seed, n_trials=max(BUDGETS))
    scores = []
    for _ in range(max(BUDGETS)):
        params = optimizer.ask()
        scores.append(function(np.array([params[f"x{k}"] for k in range(n_dims)])))
        optimizer.tell(params, scores[-1])
    best = np.maximum.accumulate(scores)
    return [float(optimum - best[budget - 1]) for budget in BUDGETS]


def report(results: dict[str, list[float]], path: str | None) -> None:
    """Print geometric means of the regrets, and the ratio of the first contestant to each."""
    table: dict[str, dict[str, list[list[float]]]] = {}
    for key, regrets in results.items():
        contestant, name, _ = key.split("|")
        table.setdefault(contestant, {}).setdefault(name, []).append(regrets)
    means = {
        contestant: {
            name: np.exp(np.mean(np.log(np.maximum(rows[name], SMALLEST)), axis=0)).tolist()
            for name in FUNCTIONS
            if name in rows
        }
        for contestant, rows in table.items()
    }
    for name in FUNCTIONS:
        cells = [
            f"{contestant} " + " / ".join(f"{regret:.2g}" for regret in rows[name])
            for contestant, rows in means.items()
            if name in rows
        ]
        print(f"{name:16}", "   ".join(cells))
    ours = means.get("lepton-bayes", {})
    for contestant, rows in means.items():
        common = [name for name in ours if name in rows]
        logs = [np.log(np.array(ours[name]) / np.array(rows[name])) for name in common]
        if contestant != "lepton-bayes" and common:
            ratio = np.exp(np.mean(logs, axis=0))
            print(f"lepton-bayes / {contestant}:", " / ".join(f"{each:.2g}" for each in ratio))
    if path is not None:
        Path(path).write_text(json.dumps(means, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=["run", "report"])
    parser.add_argument("contestants", nargs="*")
    parser.add_argument("--seeds", type=int, default=4)
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
            for name in FUNCTIONS:
                key = f"{contestant}|{name}|{seed}"
                if key not in results:
                    results[key] = run(contestant, name, seed)
                    RESULTS.write_text(json.dumps(results), encoding="utf-8")


if __name__ == "__main__":
    main()
