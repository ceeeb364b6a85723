"""How often a score lies in the band that the surrogate predicted before the score was told.

    python benchmarks/calibration.py [--seeds 1] [--jobs 2]

`BayesOptimizer` runs on the problems of `problems.py`. From the 16th trial on, at every fourth
trial, it predicts two scores: that of its own next proposal, told afterwards, and that of a random
configuration, never told. A calibrated model has 50 and 90 of 100 inside its bands.
"""

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from problems import problems
from regret import chosen_problems, evaluate, rounded
from scipy.stats import norm

from sklearn_lepton.optimizers import BayesOptimizer

N_TRIALS = 49
LEVELS = (0.5, 0.9)


def deviations(name: str, seed: int) -> dict[str, list[float]]:
    """Return the distances of scores from their predictions, in predicted deviations."""
    problem, rng = problems()[name], np.random.default_rng([seed, 1])
    optimizer = BayesOptimizer(problem.space, seed=seed)
    found: dict[str, list[float]] = {"proposed": [], "random": []}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(N_TRIALS):
            asked = optimizer.ask()
            if not asked:
                break
            settings = {"proposed": dict(asked[0].params)}
            score, _ = evaluate(problem, settings["proposed"], rng.standard_normal())
            if number >= 16 and number % 4 == 0:
                settings["random"] = problem.space.from_point(rng.random(problem.space.n_dims))
                other, _ = evaluate(problem, settings["random"], rng.standard_normal())
                means, stds = optimizer.predict(list(settings.values()))
                for kind, true, mean, std in zip(
                    settings, (score, other), means, stds, strict=True
                ):
                    found[kind].append((true - mean) / std)
            optimizer.tell([asked[0].complete(score)])
    return found


def main() -> None:
    """Run all problems and print the shares inside the bands."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write all numbers there")
    arguments = parser.parse_args()
    jobs = [(name, seed) for name in chosen_problems("all") for seed in range(arguments.seeds)]
    found = Parallel(arguments.jobs)(delayed(deviations)(*job) for job in jobs)
    groups: dict[str, list[dict[str, Any]]] = {"held out": [], "development": []}
    for (name, _), row in zip(jobs, found, strict=True):
        problem = problems()[name]
        groups["held out" if problem.held_out else "development"].append(row)
        groups.setdefault("live" if "live" in problem.tags else "functions", []).append(row)
    print(f"{'':14}{'predicted':12}{'n':>6}" + "".join(f"{f'in {p:.0%}':>9}" for p in LEVELS))
    summary: dict[str, Any] = {}
    for group, rows in groups.items():
        for kind in ("proposed", "random"):
            z = np.abs(np.concatenate([row[kind] for row in rows]))
            z = z[np.isfinite(z)]
            shares = [float(np.mean(z < norm.ppf(0.5 + level / 2))) for level in LEVELS]
            summary.setdefault(group, {})[kind] = {"n": len(z), "shares": shares}
            print(f"{group:14}{kind:12}{len(z):6}" + "".join(f"{share:9.0%}" for share in shares))
    if arguments.json:
        arguments.json.write_text(json.dumps(rounded(summary), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
