"""Regret of the choices of `AutoOptimizer`, compared with the best single optimizer in hindsight.

    python benchmarks/auto.py run [--seeds 3] [--problems "development made"]
    python benchmarks/auto.py report [--json benchmarks/auto.json]

The runs are those of `regret.py`, in the same files: 200 trials of each optimizer, one at a time
and in batches of 16. For up to 200 trials, `AutoOptimizer` uses one optimizer throughout and
proposes the same trials, as a test shows. It is therefore not run again.

If all three optimizers have runs of a problem with the same seeds, these are compared. Otherwise
the mean regrets of `regret.json` and `evolution.json`, of up to 10 seeds each, are used.

For each budget and batch size, the report compares with the single optimizer that has the lowest
mean regret over all problems, which is unknown before the runs.
"""

import argparse
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from problems import problems
from regret import Results, chosen_problems, environment, read, rounded, run_all

from sklearn_lepton import Space
from sklearn_lepton.optimizers import AutoOptimizer

HERE = Path(__file__).parent
RECORDS = [
    json.loads((HERE / name).read_text(encoding="utf-8"))
    for name in ("evolution.json", "regret.json")
]
SINGLES = ("bayes", "swarm", "genetic")
IN_TURN = "auto, bayes and swarm in turn"
BUDGETS = (32, 64, 200)
BATCHES = (1, 16)
N_BOOTSTRAPS = 2000


def contestant(name: str, n_points: int) -> str:
    """Return the name by which `regret.py` knows an optimizer, in batches."""
    return f"lepton-{name}" if n_points == 1 else f"lepton-{name}, batches of {n_points}"


def chosen(space: Space, budget: int, n_points: int) -> str:
    """Return the optimizer by which `AutoOptimizer` proposes."""
    optimizer = AutoOptimizer(space, n_points=n_points)
    optimizer.configure(budget=budget)
    made = {optimizer.choose(n).optimizer for n in range(budget)}
    if len(made) > 1:
        raise SystemExit(f"No run has the trials of {made} in turn: there is no evidence for them.")
    return made.pop()


def regrets(results: Results, name: str, problem: str, budget: int) -> dict[int, float]:
    """Return the regret of a contestant on a problem by seed."""
    runs = results.regret.get(name, {}).get(problem, {})
    return {
        seed: float(next(run for run in found if len(run) >= budget)[budget - 1])
        for seed, found in runs.items()
        if len(found[-1]) >= budget
    }


def recorded(name: str, problem: str, budget: int) -> float | None:
    """Return the mean regret of a contestant on a problem that an earlier benchmark has left."""
    for record in RECORDS:
        means = record["problems"].get(problem, {}).get(name)
        if means and budget in record["budgets"]:
            mean: float | None = means[record["budgets"].index(budget)]
            if mean is not None:
                return mean
    return None


def means_of(results: Results, problem: str, budget: int, n_points: int) -> dict[str, float]:
    """Return the mean regret of each single optimizer on a problem; empty if one has none."""
    names = {who: contestant(who, n_points) for who in SINGLES}
    runs = {who: regrets(results, name, problem, budget) for who, name in names.items()}
    seeds = set.intersection(*map(set, runs.values()))
    if seeds:
        return {who: float(np.mean([of[seed] for seed in seeds])) for who, of in runs.items()}
    means = {who: recorded(name, problem, budget) for who, name in names.items()}
    for who, of in runs.items():
        if means[who] is None and of:
            means[who] = float(np.mean(list(of.values())))
    return {} if None in means.values() else means  # type: ignore[return-value]


def cells(results: Results, names: list[str]) -> Iterator[dict[str, Any]]:
    """Yield, for each budget and size of a batch, what each optimizer has left, and the choice."""
    rng = np.random.default_rng(0)
    for budget, n_points in itertools.product(BUDGETS, BATCHES):
        means = {name: means_of(results, name, budget, n_points) for name in names}
        means = {name: found for name, found in means.items() if found}
        if not means:
            continue
        picked = {name: chosen(problems()[name].space, budget, n_points) for name in means}
        for name, found in means.items():
            # A grid that the budget is enough for has all there is: nothing is left.
            found["auto"] = 0.0 if picked[name] == "grid" else found[picked[name]]
        yield {
            "budget": budget,
            "n_points": n_points,
            "n_problems": len(means),
            "chosen": sorted(set(picked.values())),
            **compared(list(means.values()), rng),
            "problems": means,
        }


def mixed(results: Results, names: list[str]) -> Iterator[dict[str, Any]]:
    """Yield what Bayes and the swarm leave in turn and alone, with the same seeds."""
    for budget, n_points in itertools.product(BUDGETS, BATCHES):
        names_of = ("bayes", "swarm", IN_TURN)
        table = []
        for name in names:
            runs = [regrets(results, contestant(who, n_points), name, budget) for who in names_of]
            seeds = set.intersection(*map(set, runs))
            if seeds:
                table.append([np.mean([of[seed] for seed in seeds]) for of in runs])
        if table:
            regret = dict(zip(names_of, np.mean(table, axis=0).tolist(), strict=True))
            yield {
                "budget": budget,
                "n_points": n_points,
                "n_problems": len(table),
                "regret": regret,
            }


def compared(means: list[dict[str, float]], rng: np.random.Generator) -> dict[str, Any]:
    """Compare the choice with the best single one in hindsight, resampling problems."""
    who = (*SINGLES, "auto")
    table = np.array([[found[name] for name in who] for found in means])
    regret = dict(zip(who, table.mean(axis=0).tolist(), strict=True))
    best = min(SINGLES, key=regret.__getitem__)
    drawn = rng.integers(len(table), size=(N_BOOTSTRAPS, len(table)))
    resampled = table[drawn].mean(axis=1)
    ratios = resampled[:, -1] / resampled[:, who.index(best)]
    return {
        "regret": regret,
        "best": best,
        "ratio": regret["auto"] / regret[best],
        "ratio_90": np.quantile(ratios, [0.05, 0.95]).tolist(),
    }


def report(json_path: Path | None) -> None:
    """Print a table for each group of problems, and write all of them."""
    names = [contestant(who, n) for who in (*SINGLES, IN_TURN) for n in BATCHES]
    results = Results(names[0], BUDGETS, [name for name in names if read(name)])
    summary: dict[str, Any] = {"environment": environment(results), "groups": {}}
    for group in ("development", "held-out", "all"):
        rows = list(cells(results, chosen_problems(group)))
        summary["groups"][group] = rows
        print(f"\n{group}\ntrials batch problems   {'   '.join(SINGLES)}   auto   ratio")
        for row in rows:
            means = " ".join(f"{value:7.4f}" for value in row["regret"].values())
            low, high = row["ratio_90"]
            print(
                f"{row['budget']:6d} {row['n_points']:7d} {row['n_problems']:8d} {means}  "
                f"{row['ratio']:.2f} [{low:.2f}, {high:.2f}] of {row['best']}; "
                f"{', '.join(row['chosen'])}"
            )
    summary["in turn"] = list(mixed(results, chosen_problems("development")))
    for row in summary["in turn"]:
        print({key: value for key, value in rounded(row).items() if key != "problems"})
    if json_path:
        json_path.write_text(json.dumps(rounded(summary)) + "\n", encoding="utf-8")


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
    wanted = [contestant(who, n_points) for n_points in BATCHES for who in SINGLES]
    for seed in range(arguments.seeds):  # all of them meet a seed before the next
        run_all(wanted, names, range(seed + 1), arguments.trials, arguments.jobs)


if __name__ == "__main__":
    main()
