"""How good is what `AutoOptimizer` chooses: beside the best of the others in hindsight.

    python benchmarks/auto.py run [--seeds 3] [--problems "development made"]
    python benchmarks/auto.py report [--json benchmarks/auto.json]

The runs are those of `regret.py`, in the same files: 200 trials of each optimizer, one at a time
and in batches of 16, and of `AutoOptimizer` where it changes from one to another. Where it lets
one propose throughout, it makes that one's trials, as a test shows, and is not run again.

For each budget and size of a batch the report compares with the single optimizer that has the
least mean regret over all problems; nobody knows which that is before.
"""

import argparse
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from contestants import PORTFOLIOS
from problems import problems
from regret import Results, chosen_problems, environment, read, rounded, run_all

from sklearn_lepton import Space
from sklearn_lepton.optimizers import AutoOptimizer

SINGLES = ("bayes", "swarm", "genetic")
BUDGETS = (32, 64, 200)
BATCHES = (1, 16)
N_BOOTSTRAPS = 2000


def contestant(name: str, n_points: int) -> str:
    """Return the name by which `regret.py` knows an optimizer, or a rule, in batches."""
    of_rule = f"lepton-auto, {name}" if name in PORTFOLIOS else f"lepton-{name}"
    return of_rule if n_points == 1 else f"{of_rule}, batches of {n_points}"


def chosen(space: Space, budget: int, n_points: int) -> str:
    """Return the optimizer, or the rule, by which `AutoOptimizer` proposes."""
    optimizer = AutoOptimizer(space, n_points=n_points)
    optimizer.budget = budget
    made = [optimizer.choose(n).optimizer for n in range(budget)]
    if len(set(made)) == 1:
        return made[0]
    for name, rule in PORTFOLIOS.items():
        if made == [rule(n) for n in range(budget)]:
            return name
    raise SystemExit(f"Nothing has been run as {made} proposed: add it to PORTFOLIOS")


def regrets(results: Results, name: str, problem: str, budget: int) -> dict[int, float]:
    """Return the regret of a contestant on a problem by seed."""
    runs = results.regret.get(name, {}).get(problem, {})
    return {
        seed: float(next(run for run in found if len(run) >= budget)[budget - 1])
        for seed, found in runs.items()
        if len(found[-1]) >= budget
    }


def cells(results: Results, names: list[str]) -> Iterator[dict[str, Any]]:
    """Yield, for each budget and size of a batch, what each optimizer has left, and the choice."""
    rng = np.random.default_rng(0)
    for budget, n_points in itertools.product(BUDGETS, BATCHES):
        by_problem: dict[str, dict[str, list[float]]] = {}
        picked = {}
        for name in names:
            picked[name] = chosen(problems()[name].space, budget, n_points)
            of_all = {
                who: regrets(results, contestant(who, n_points), name, budget)
                for who in dict.fromkeys((*SINGLES, picked[name]))
            }
            seeds = sorted(set.intersection(*map(set, of_all.values())))
            if seeds:
                by_problem[name] = {who: [r[s] for s in seeds] for who, r in of_all.items()}
                by_problem[name]["auto"] = by_problem[name][picked[name]]
        if by_problem:
            tables = list(by_problem.values())
            yield {
                "budget": budget,
                "n_points": n_points,
                "n_problems": len(tables),
                "n_runs": sum(len(table["auto"]) for table in tables),
                "chosen": sorted({picked[name] for name in by_problem}),
                **compared(tables, rng),
                "problems": {
                    name: {who: float(np.mean(r)) for who, r in table.items()}
                    for name, table in by_problem.items()
                },
            }


def compared(tables: list[dict[str, list[float]]], rng: np.random.Generator) -> dict[str, Any]:
    """Compare the choice with the best single one, resampling problems and, within them, seeds."""
    who = (*SINGLES, "auto")
    resampled = []
    for table in tables:
        values = np.array([table[name] for name in who])  # (n_who, n_seeds)
        drawn = rng.integers(values.shape[1], size=(N_BOOTSTRAPS, values.shape[1]))
        resampled.append(values[:, drawn].mean(axis=2).T)
    rows = rng.integers(len(tables), size=(len(tables), N_BOOTSTRAPS))
    means = np.array(resampled)[rows, np.arange(N_BOOTSTRAPS)].mean(axis=0)
    regret = dict(
        zip(who, np.mean([[np.mean(t[name]) for name in who] for t in tables], axis=0), strict=True)
    )
    best = min(SINGLES, key=regret.__getitem__)
    ratios = means[:, who.index("auto")] / means[:, who.index(best)]
    return {
        "regret": {name: float(value) for name, value in regret.items()},
        "best": best,
        "ratio": float(regret["auto"] / regret[best]),
        "ratio_90": np.quantile(ratios, [0.05, 0.95]).tolist(),
    }


def report(json_path: Path | None) -> None:
    """Print a table for each group of problems, and write all of them."""
    names = [contestant(who, n) for who in (*SINGLES, *PORTFOLIOS) for n in BATCHES]
    results = Results(names[0], BUDGETS, [name for name in names if read(name)])
    summary: dict[str, Any] = {"environment": environment(results), "groups": {}}
    for group in ("development", "held-out", "all"):
        rows = list(cells(results, [n for n in chosen_problems(group) if n in results.problems]))
        summary["groups"][group] = rows
        print(f"\n{group}\ntrials at once problems runs   " + "  ".join(SINGLES) + "  auto  ratio")
        for row in rows:
            means = " ".join(f"{value:7.4f}" for value in row["regret"].values())
            low, high = row["ratio_90"]
            print(
                f"{row['budget']:6d} {row['n_points']:7d} {row['n_problems']:8d} "
                f"{row['n_runs']:4d} {means}  {row['ratio']:.2f} [{low:.2f}, {high:.2f}] "
                f"of {row['best']}; {', '.join(row['chosen'])}"
            )
    if json_path:
        json_path.write_text(json.dumps(rounded(summary), indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Run what is missing, or report on what there is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    runs = commands.add_parser("run")
    runs.add_argument("--seeds", type=int, default=3)
    runs.add_argument("--trials", type=int, default=BUDGETS[-1])
    runs.add_argument("--problems", default="made")
    runs.add_argument("--jobs", type=int, default=2)
    reports = commands.add_parser("report")
    reports.add_argument("--json", type=Path, help="write all numbers there")
    arguments = parser.parse_args()
    if arguments.command == "report":
        report(arguments.json)
        return
    names = chosen_problems(arguments.problems)
    run_all(["pool"], names, [0], 1, arguments.jobs)
    wanted = {
        contestant(who, n_points)
        for n_points in BATCHES
        for name in names
        for who in (*SINGLES, chosen(problems()[name].space, arguments.trials, n_points))
    }
    for seed in range(1, arguments.seeds + 1):  # all of them meet a seed before the next
        run_all(sorted(wanted), names, range(seed), arguments.trials, arguments.jobs)


if __name__ == "__main__":
    main()
