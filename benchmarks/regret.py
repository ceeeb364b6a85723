"""Best score after n evaluations: our optimizers and their peers on the same problems.

    python benchmarks/regret.py run CONTESTANT ... [--seeds 10] [--trials 64] [--problems held-out]
    python benchmarks/regret.py report [--budgets 16 32 64] [--ours lepton-bayes] [--json FILE] ...

A run is one contestant on one problem with one seed and one budget, which some contestants get.
Runs are appended to a file per contestant when they finish, and existing ones are not repeated, so
an interrupted benchmark can be resumed. Every contestant gets the same problems and the same noise,
one trial at a time, and no default parameters. `problems.py` defines the problems, `contestants.py`
the use of each optimizer.

Random search is not run seed by seed: a pool of independent draws from each problem gives the
expectation of its best of n.
"""

import argparse
import importlib.metadata
import itertools
import json
import math
import platform
import time
import warnings
import zlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
from contestants import ABLATIONS, CONTESTANTS, Exhausted
from problems import Problem, problems
from scipy.special import gammaln
from scipy.stats import rankdata

RESULTS = Path(__file__).parent / "results"
OURS = "lepton-bayes"
DEFAULTS = "+defaults"
POOL = "pool"
POOL_SIZES = {"live": 512, "made": 4096}
BUDGETS = (16, 32, 64)
UNIT = 16  # random search has a regret of one after so many
SLOW = ("forest", "ada", "neighbours", "lasso", "net adam", "penalties", "boosting", "extra")
N_BOOTSTRAPS = 2000
TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2)


# ------------------------------------------------------------------------- runs


def evaluate(problem: Problem, params: Any, noise: float) -> tuple[float, float]:
    """Return the told and the true score; both NaN if the evaluation fails."""
    truth = problem.function(params)
    return truth + problem.noise * noise, truth


def run(contestant: str, problem_name: str, seed: int, n_trials: int) -> dict[str, Any]:
    """Run one contestant on one problem and return everything that happened."""
    problem = problems()[problem_name]
    noise = np.random.default_rng([zlib.crc32(problem_name.encode()), seed]).standard_normal(
        n_trials
    )
    told, true, cpu = [], [], []
    first = problem.space.complete({}, problem.defaults)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.process_time()
        options = {"first": first} if contestant.endswith(DEFAULTS) else {}
        optimizer = CONTESTANTS[contestant](problem.space, seed=seed, n_trials=n_trials, **options)
        for trial in range(n_trials):
            try:
                params = optimizer.ask()
            except Exhausted:
                break
            cpu.append(time.process_time() - start)
            score, truth = evaluate(problem, params, noise[trial])
            told.append(score)
            true.append(truth)
            start = time.process_time()
            optimizer.tell(params, score)
    return {
        "problem": problem_name,
        "seed": seed,
        "n_trials": n_trials,
        "package": f"{optimizer.package} {importlib.metadata.version(optimizer.package)}",
        "told": [round_off(score) for score in told],
        "true": [round_off(score) for score in true],
        "cpu": [round(seconds, 5) for seconds in cpu],
    }


def draw_pool(problem_name: str) -> dict[str, Any]:
    """Return scores of independent random settings of a problem."""
    problem = problems()[problem_name]
    rng = np.random.default_rng([zlib.crc32(problem_name.encode()), 2**20])
    n_trials = POOL_SIZES["live" if "live" in problem.tags else "made"]
    noise = rng.standard_normal(n_trials)
    told, true = [], []
    for trial in range(n_trials):
        point = problem.space.snap(rng.random((1, problem.space.n_dims)))[0]
        score, truth = evaluate(problem, problem.space.from_point(point), noise[trial])
        told.append(round_off(score))
        true.append(round_off(truth))
    return {"problem": problem_name, "seed": 0, "n_trials": n_trials, "told": told, "true": true}


def round_off(score: float) -> float | None:
    """Seven digits are enough; JSON has no NaN."""
    return float(f"{score:.7g}") if math.isfinite(score) else None


def chosen_problems(which: str) -> list[str]:
    """Return the names of "all" problems, of some kinds such as "held-out live", or of a list.

    The problems with many branches, "branched", are a list of their own and not among "all".

    "quick" are the development ones without eight whose fits take longest.
    """
    every = problems()
    if which == "quick":
        return [n for n in chosen_problems("development") if not n.startswith(SLOW)]
    first = {name: p for name, p in every.items() if "branched" not in p.tags}
    wanted = set(which.split())
    if wanted <= {"held-out", "development", "live", "made", "branched"}:
        return [
            name
            for name, p in (every if "branched" in wanted else first).items()
            if wanted
            <= {
                "held-out" if p.held_out else "development",
                "live" if "live" in p.tags else "made",
                *(p.tags & {"branched"}),
            }
        ]
    names = list(first) if which == "all" else which.split(";")
    unknown = set(names) - set(every)
    if unknown:
        raise SystemExit(f"No problems {sorted(unknown)}; there are {list(every)}")
    return names


def run_all(
    contestants: list[str], names: list[str], seeds: Iterable[int], n_trials: int, n_jobs: int
) -> None:
    """Run what is not in the files yet."""
    RESULTS.mkdir(exist_ok=True)
    jobs = []
    for contestant in contestants:
        done = {
            (r["problem"], r["seed"])
            for r in read(contestant)
            if r["n_trials"] == n_trials or contestant == POOL
        }
        jobs += [
            (contestant, name, seed)
            for seed in ([0] if contestant == POOL else seeds)
            for name in names
            if (name, seed) not in done
        ]
    start, n_jobs = time.monotonic(), max(1, n_jobs)
    with ProcessPoolExecutor(n_jobs) as executor:
        running = {
            executor.submit(draw_pool, name)
            if contestant == POOL
            else executor.submit(run, contestant, name, seed, n_trials): (contestant, name, seed)
            for contestant, name, seed in jobs
        }
        for n_done, future in enumerate(as_completed(running), 1):
            contestant, name, seed = running[future]
            try:
                record = future.result()
            except Exception as error:  # a peer's failure is a row of the report, not the end
                record = {"problem": name, "seed": seed, "n_trials": n_trials, "error": repr(error)}
                print(f"{contestant} on {name}, seed {seed}: {error!r}", flush=True)
            with (RESULTS / f"{contestant}.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
            if n_done % 50 == 0 or n_done == len(jobs):
                minutes = (time.monotonic() - start) / 60
                print(f"{n_done} of {len(jobs)} runs, {minutes:.1f} min", flush=True)


def read(contestant: str) -> list[dict[str, Any]]:
    """Return the runs of a contestant that are in its file."""
    path = RESULTS / f"{contestant}.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


# ----------------------------------------------------------------------- report


def as_array(scores: list[float | None]) -> np.ndarray:
    return np.array([np.nan if score is None else score for score in scores])


def incumbents(record: dict[str, Any]) -> np.ndarray:
    """Return the true score of the best told so far, (n_trials,); the first of equal ones."""
    told, true = as_array(record["told"]), as_array(record["true"])
    told = np.where(np.isnan(told), -np.inf, told)
    best = np.array([np.argmax(told[: n + 1]) for n in range(len(told))])
    return np.append(true[best], np.full(record["n_trials"] - len(best), true[best[-1]]))


def random_curve(pool: dict[str, Any]) -> np.ndarray:
    """Return the expected true score of the best told of n random draws, n = 1, 2, ...

    Of N draws in ascending order the k-th is the best of n among them with a probability of
    C(k - 1, n - 1) / C(N, n).
    """
    told, true = as_array(pool["told"]), as_array(pool["true"])
    true = np.where(np.isnan(true), np.nanmin(true), true)
    true = true[np.argsort(np.where(np.isnan(told), -np.inf, told), kind="stable")]
    N = len(true)
    k, n = np.arange(1, N + 1), np.arange(1, min(N, 1024) + 1)[:, None]
    with np.errstate(invalid="ignore"):
        log_chance = gammaln(k) - gammaln(k - n + 1) - gammaln(n)
        log_chance -= gammaln(N + 1) - gammaln(n + 1) - gammaln(N - n + 1)
    return np.where(k >= n, np.exp(log_chance), 0.0) @ true


class Results:
    """The runs in the files as normalised regrets.

    The regret of a run after n trials is what its incumbent, the setting of the best score told,
    truly lacks to the best known score of the problem; divided by what random search lacks there,
    in expectation, after 16. So 1 is random search at 16, whatever the problem's scale.

    Peers may be told the budget, so that a contestant can have several runs of a problem and a
    seed. Of these the shortest that reaches a budget speaks for it.

    Attributes
    ----------
    ours : str
        Who all are compared with.
    budgets : sequence of int
    regret : dict
        By contestant, problem and seed: list of ndarray of shape (n_trials,), shortest first.
    random : dict
        By problem: the expected regret of random search, n = 1, 2, ...
    packages : dict
        By contestant: the versions that ran.
    n_errors : dict
        By contestant: how many of its runs broke off with an error.
    seconds : dict
        By contestant: median CPU seconds of ask and tell at the last trials.
    """

    def __init__(
        self, ours: str, budgets: Sequence[int], contestants: Sequence[str] | None = None
    ) -> None:
        self.ours, self.budgets = ours, budgets
        every = {name: records for name in CONTESTANTS if (records := read(name))}
        runs = {name: [r for r in every[name] if "error" not in r] for name in every}
        pools = {record["problem"]: record for record in read(POOL)}
        self.problems = {name: p for name, p in problems().items() if name in pools}
        best = {name: np.nanmax(as_array(pool["true"])) for name, pool in pools.items()}
        for record in itertools.chain(*runs.values()):
            highest = np.nanmax(as_array(record["true"]))
            best[record["problem"]] = max(best.get(record["problem"], -np.inf), highest)
        self.random, scale = {}, {}
        for name, problem in self.problems.items():
            optimum = best[name] if problem.optimum is None else problem.optimum
            lacking = optimum - random_curve(pools[name])
            scale[name] = (optimum, lacking[UNIT - 1])
            beyond = np.full(max(0, max(budgets) - len(lacking)), np.nan)
            self.random[name] = np.append(lacking / lacking[UNIT - 1], beyond)
        if contestants:
            runs = {name: records for name, records in runs.items() if name in {ours, *contestants}}
        self.n_errors = {name: sum("error" in r for r in every[name]) for name in runs}
        self.regret: dict[str, dict[str, dict[int, list[np.ndarray]]]] = {ours: {}}
        self.regret |= {name: {} for name in runs}
        for contestant, records in runs.items():
            for record in sorted(records, key=lambda record: record["n_trials"]):
                name = record["problem"]
                optimum, unit = scale[name]
                curve = (optimum - incumbents(record)) / unit
                of_problem = self.regret[contestant].setdefault(name, {})
                of_problem.setdefault(record["seed"], []).append(curve)
        self.packages = {
            name: sorted({record["package"] for record in records if "package" in record})
            for name, records in runs.items()
        }
        self.seconds = {
            name: float(np.median([np.median(r["cpu"][-8:]) for r in records]))
            for name, records in runs.items()
            if records
        }

    def curve(self, contestant: str, problem: str, seed: int, budget: int) -> np.ndarray:
        """Return the first regrets, as many as the budget, of the run that speaks for it."""
        runs = self.regret[contestant][problem][seed]
        return next(run for run in runs if len(run) >= budget)[:budget]

    def common(self, contestants: list[str], names: list[str], budget: int) -> dict[str, list[int]]:
        """Return the seeds of each problem with which all of some contestants reach a budget."""
        seeds = {
            name: set.intersection(
                *(
                    {
                        s
                        for s, runs in self.regret[c].get(name, {}).items()
                        if len(runs[-1]) >= budget
                    }
                    for c in contestants
                )
            )
            for name in names
            if name in self.problems
        }
        return {name: sorted(found) for name, found in seeds.items() if found}

    def entrants(self, names: list[str], budget: int) -> list[str]:
        """Return the contestants that ran on all problems with all seeds, without our variants."""
        full = self.common([self.ours], names, budget)
        others = [c for c in self.regret if c == self.ours or not is_variant(c)]
        return [c for c in others if self.common([self.ours, c], names, budget) == full]

    def table(
        self, contestant: str, seeds: dict[str, list[int]], budgets: Sequence[int]
    ) -> list[np.ndarray]:
        """Return an array (n_seeds, n_budgets) of regrets for each problem."""
        return [
            np.array([[self.curve(contestant, n, s, b)[-1] for b in budgets] for s in found])
            for n, found in seeds.items()
        ]


def is_variant(contestant: str) -> bool:
    return "," in contestant or contestant.endswith(DEFAULTS)


def bootstrap(tables: list[list[np.ndarray]], rng: np.random.Generator) -> np.ndarray:
    """Resample problems and, within each, seeds, the same for all contestants.

    Parameters
    ----------
    tables : list of list of ndarray of shape (n_seeds, n_budgets)
        By contestant and problem.

    Returns
    -------
    means : ndarray of shape (n_bootstraps, n_contestants, n_budgets)
    """
    resampled = []
    for rows in zip(*tables, strict=True):
        by_contestant = np.array(rows)  # (n_contestants, n_seeds, n_budgets)
        n_seeds = by_contestant.shape[1]
        drawn = rng.integers(n_seeds, size=(N_BOOTSTRAPS, n_seeds))
        resampled.append(by_contestant[:, drawn].mean(axis=2).swapaxes(0, 1))
    by_problem, n_problems = np.array(resampled), len(resampled)
    drawn = rng.integers(n_problems, size=(n_problems, N_BOOTSTRAPS))
    means: np.ndarray = by_problem[drawn, np.arange(N_BOOTSTRAPS)].mean(axis=0)
    return means


def rows_of(results: Results, names: list[str], rng: np.random.Generator) -> dict[str, Any]:
    """Return what there is to say of each contestant on some problems."""
    rows: dict[str, Any] = {}
    for contestant in results.regret:

        def common(budget: int, pair: tuple[str, str] = (results.ours, contestant)) -> Any:
            return results.common(list(pair), names, budget)

        # Budgets of the same runs are resampled together.
        parts = [
            compared(results, contestant, seeds, list(budgets), rng)
            for seeds, budgets in itertools.groupby(results.budgets, common)
        ]
        row = {key: [value for part in parts for value in part[key]] for key in parts[0]}
        if not any(row["n_runs"]):
            continue
        if len(set(row["n_runs"])) == 1:
            row |= {key: row[key][0] for key in ("n_problems", "n_runs")}
        rows[contestant] = row | {
            "milliseconds": 1000 * results.seconds[contestant],
            "n_errors": results.n_errors[contestant],
        }
    return rows


def compared(
    results: Results,
    contestant: str,
    seeds: dict[str, list[int]],
    budgets: list[int],
    rng: np.random.Generator,
) -> dict[str, list[Any]]:
    """Return what there is to say of a contestant and ours at budgets of the same runs."""
    row: dict[str, list[Any]] = {
        "n_problems": [len(seeds)] * len(budgets),
        "n_runs": [sum(map(len, seeds.values()))] * len(budgets),
    }
    if not seeds:
        nothing, pairs = [math.nan] * len(budgets), [[math.nan] * 2] * len(budgets)
        row |= {"regret": nothing, "regret_90": pairs, "ratio": nothing, "ratio_90": pairs}
        return row | {"wins": ["-"] * len(budgets)}
    theirs = results.table(contestant, seeds, budgets)
    ours = results.table(results.ours, seeds, budgets)
    means = bootstrap([theirs, ours], rng)
    with np.errstate(all="ignore"):
        ratios = means[:, 1] / means[:, 0]
    return row | {
        "regret": np.mean([table.mean(axis=0) for table in theirs], axis=0).tolist(),
        "regret_90": np.quantile(means[:, 0], [0.05, 0.95], axis=0).T.tolist(),
        "ratio": np.median(ratios, axis=0).tolist(),
        "ratio_90": np.quantile(ratios, [0.05, 0.95], axis=0).T.tolist(),
        "wins": wins(ours, theirs),
    }


def wins(ours: list[np.ndarray], theirs: list[np.ndarray]) -> list[str]:
    """Count the problems on which the mean regret is lower, equal and higher, at each budget."""
    difference = np.array(
        [a.mean(axis=0) - b.mean(axis=0) for a, b in zip(ours, theirs, strict=True)]
    )
    counts = [(difference < 0).sum(0), (difference == 0).sum(0), (difference > 0).sum(0)]
    return ["/".join(map(str, column)) for column in np.array(counts).T]


def ranks(results: Results, names: list[str]) -> dict[str, list[float]]:
    """Return the mean rank of the entrants, 1 the best; NaN at budgets that they did not enter."""
    found: dict[str, list[float]] = {}
    for column, budget in enumerate(results.budgets):
        full = results.common([results.ours], names, budget)
        entrants = results.entrants(names, budget) if full else []
        if not entrants:
            continue
        regrets = [np.vstack(results.table(c, full, [budget])) for c in entrants]
        means = rankdata(np.array(regrets), axis=0).mean(axis=1)[:, 0]
        for contestant, mean in zip(entrants, means.tolist(), strict=True):
            found.setdefault(contestant, [math.nan] * len(results.budgets))[column] = mean
    return {contestant: found[contestant] for contestant in results.regret if contestant in found}


def random_needed(results: Results, names: list[str], budget: int) -> dict[str, tuple[int, int]]:
    """Return how many random evaluations have the expected regret that we have at a budget.

    With each number the size of the pool: equal to it, the number is only a lower bound.
    """
    needed = {}
    for name, found in results.common([results.ours], names, budget).items():
        ours = np.mean([results.curve(results.ours, name, seed, budget)[-1] for seed in found])
        curve = results.random[name][np.isfinite(results.random[name])]
        reached = np.flatnonzero(curve <= ours)
        needed[name] = (int(reached[0]) + 1 if len(reached) else len(curve), len(curve))
    return needed


def print_rows(
    title: str, results: Results, rows: dict[str, Any], mean_ranks: dict[str, list[float]]
) -> None:
    """Print a table, best first."""

    def n_runs(row: dict[str, Any]) -> str:
        by_budget = row["n_runs"]
        return "/".join(map(str, by_budget)) if isinstance(by_budget, list) else str(by_budget)

    last, budgets = len(results.budgets) - 1, results.budgets
    width = max(6, *(len(n_runs(row)) + 1 for row in rows.values()))
    print(f"\n{title}")
    print(
        f"{'':26}{'runs':>{width}}"
        + "".join(f"{'regret at ' + str(b):>24}" for b in budgets)
        + f"{'rank at ' + str(budgets[last]):>12}{'ms a trial':>12}"
    )
    for contestant, row in sorted(rows.items(), key=lambda item: nan_last(item[1]["regret"][last])):
        cells = "".join(
            f"{'-':>24}" if math.isnan(mean) else f"{mean:10.3f} [{low:.3f}, {high:.3f}]"
            for mean, (low, high) in zip(row["regret"], row["regret_90"], strict=True)
        )
        rank = mean_ranks.get(contestant, [math.nan])[-1]
        rank = "-" if math.isnan(rank) else f"{rank:.2f}"
        print(f"{contestant:26}{n_runs(row):>{width}}{cells}{rank:>12}{row['milliseconds']:12.1f}")
    print(f"\n{results.ours} / peer, median [90 %] of paired bootstraps; problems won/equal/lost")
    for contestant, row in rows.items():
        cells = "".join(
            f"{'-':>30}" if won == "-" else f"{ratio:8.2f} [{low:.2f}, {high:.2f}] {won:>8}"
            for ratio, (low, high), won in zip(
                row["ratio"], row["ratio_90"], row["wins"], strict=True
            )
        )
        print(f"{contestant:26}{n_runs(row):>{width}}{cells}")


def nan_last(value: float) -> float:
    return math.inf if math.isnan(value) else value


def report(results: Results, json_path: Path | None, plot_path: Path | None) -> None:
    """Print tables of all that has been run, and write them."""
    rng, budgets = np.random.default_rng(0), results.budgets
    held_out = chosen_problems("held-out")
    groups = {"held out": held_out, "development": chosen_problems("development")}
    for tag in ("live", "noisy", "wide", "mixed", "conditional"):
        groups[f"held out, {tag}"] = [n for n in held_out if tag in problems()[n].tags]
    summary: dict[str, Any] = {
        "environment": environment(results),
        "budgets": budgets,
        "ours": results.ours,
        "groups": {},
    }
    for group, names in groups.items():
        rows = rows_of(results, names, rng)
        if not rows:
            continue
        mean_ranks = ranks(results, names)
        n_problems = max(len(results.common([results.ours], names, b)) for b in budgets)
        title = f"{group}: {n_problems} problems, random at {UNIT} is 1"
        print_rows(title, results, rows, mean_ranks)
        curves = [results.random[name] for name in names if name in results.random]
        random = [np.mean([curve[b - 1] for curve in curves]) for b in budgets]
        print("random search, expected " + " ".join(f"{mean:.3f}" for mean in random))
        needed = random_needed(results, names, 32)
        factors = np.array([number / 32 for number, _ in needed.values()])
        print(
            f"random evaluations for our regret at 32: {np.median(factors):.1f} times as many in "
            f"the median, more than there are in the pool on "
            f"{sum(number == size for number, size in needed.values())} of {len(needed)}"
        )
        summary["groups"][group] = {
            "contestants": rows,
            "ranks": mean_ranks,
            "random": random,
            "random_needed": needed,
        }
    summary["problems"] = {name: of_problem(results, name) for name in results.problems}
    if json_path:
        json_path.write_text(json.dumps(rounded(summary)) + "\n", encoding="utf-8")
    if plot_path:
        plot(results, held_out, plot_path, rng)


def of_problem(results: Results, name: str) -> dict[str, list[float]]:
    """Return the mean regrets on a problem, over all seeds that reach a budget."""
    means: dict[str, list[float]] = {}
    for contestant in results.regret:
        if name in results.regret[contestant]:
            found = [
                results.table(contestant, results.common([contestant], [name], b), [b])
                for b in results.budgets
            ]
            means[contestant] = [float(t[0].mean()) if t else math.nan for t in found]
    return means


def rounded(value: Any) -> Any:
    """Return the value with its numbers cut to four digits, None where there is none."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.4g}") if math.isfinite(value) else None
    return value


def environment(results: Results) -> dict[str, Any]:
    """Return what the numbers depend on; each peer ran in an environment of its own."""
    packages = ("scikit-learn", "numpy", "scipy")
    here = {package: importlib.metadata.version(package) for package in packages}
    return (
        {"python": platform.python_version(), "machine": platform.machine()}
        | here
        | {"contestants": results.packages}
    )


def plot(results: Results, names: list[str], path: Path, rng: np.random.Generator) -> None:
    """Draw the mean regret after each trial, with 90 % bands over problems and seeds."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    ours, first, last = results.ours, results.budgets[0], results.budgets[-1]
    full, entrants = results.common([ours], names, last), results.entrants(names, last)
    n = np.arange(1, last + 1)
    figure, axes = plt.subplots(figsize=(8.6, 4.6), layout="constrained")
    random = np.mean([results.random[name][: len(n)] for name in full], axis=0)
    axes.plot(n, random, color="0.5", linestyle="--", label="random search")
    lowest = 0.1
    for index, contestant in enumerate(entrants):
        tables = [
            np.array([results.curve(contestant, name, seed, last) for seed in seeds])
            for name, seeds in full.items()
        ]
        mean = np.mean([table.mean(axis=0) for table in tables], axis=0)
        lowest = min(lowest, mean[-1])
        low, high = np.quantile(bootstrap([tables], rng)[:, 0], [0.05, 0.95], axis=0)
        width = 2.4 if contestant == ours else 1.3
        colour = "black" if contestant == ours else f"C{index % 10}"
        axes.plot(n, mean, label=contestant, linewidth=width, color=colour)
        axes.fill_between(
            n, low, high, alpha=0.2 if contestant == ours else 0.06, color=colour, linewidth=0
        )
    bottom = max((tick for tick in TICKS if tick <= lowest), default=TICKS[0])
    ticks = [tick for tick in TICKS if tick >= bottom]
    axes.set(xscale="log", yscale="log", xlim=(first // 2, last), xlabel="evaluations")
    axes.set_ylabel("mean normalised regret (random search at 16: 1)")
    axes.set_ylim(bottom, TICKS[-1])
    at = [first // 2, *results.budgets]
    axes.set_xticks(at, map(str, at))
    axes.set_yticks(ticks, map(str, ticks))
    axes.minorticks_off()
    numbers = sorted({len(seeds) for seeds in full.values()})
    seeds = f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else str(numbers[0])
    axes.set_title(f"{len(full)} problems held out, {seeds} seeds, 90 % bands")
    figure.legend(loc="outside right center", frameon=False, fontsize=8)
    figure.savefig(path, dpi=130)


def main() -> None:
    """Run contestants or report on them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    runs = commands.add_parser("run")
    runs.add_argument("contestants", nargs="+", choices=[POOL, "ablations", *CONTESTANTS])
    runs.add_argument("--seeds", type=int, default=10)
    runs.add_argument("--trials", type=int, default=BUDGETS[-1])
    runs.add_argument("--problems", default="all")
    runs.add_argument("--jobs", type=int, default=2)
    reports = commands.add_parser("report")
    reports.add_argument("--budgets", type=int, nargs="+", default=BUDGETS)
    reports.add_argument("--ours", choices=CONTESTANTS, default=OURS, help="compare all with it")
    reports.add_argument(
        "--contestants", nargs="+", choices=["ablations", *CONTESTANTS], help="report only these"
    )
    reports.add_argument("--json", type=Path, help="write all numbers there")
    reports.add_argument("--plot", type=Path, help="draw the regret there")
    arguments = parser.parse_args()
    contestants = list(arguments.contestants or ())
    if "ablations" in contestants:
        contestants.remove("ablations")
        contestants += [f"{OURS}, {name}" for name in ABLATIONS]
    if arguments.command == "report":
        results = Results(arguments.ours, sorted(arguments.budgets), contestants)
        report(results, arguments.json, arguments.plot)
        return
    names = chosen_problems(arguments.problems)
    run_all(contestants, names, range(arguments.seeds), arguments.trials, arguments.jobs)


if __name__ == "__main__":
    main()
