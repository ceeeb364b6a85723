"""Trials in flight: how many keep workers busy, and how much regret they cost.

    python benchmarks/window.py [busy] [regret] [--json FILE]

busy
    The share of the workers' time in which a fit runs, by simulation: in batches of the least
    size that gives each worker a fit, in the automatic window, and with a new trial for each
    idle worker. Fit times are log-normal, with a factor of ten between the 5 % and 95 %
    quantiles, independent of each other. There are about 30 fits for each worker, as in
    `parallel.py`, and proposals take no time.
regret
    The runs of `regret.py` in windows and in batches of the same size, compared after the same
    number of trials, and after the same time for 8 workers. The times are simulated as above,
    the same for the same trial. The time is that in which the window finishes its last trial.
"""

import argparse
import heapq
import json
import math
import statistics
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from regret import Results, bootstrap, chosen_problems

from sklearn_lepton._search.run import auto_window

SIGMA = math.log(10) / (2 * statistics.NormalDist().inv_cdf(0.95))
WORKERS, SPLITS, REPEATS = (1, 2, 4, 8, 32), (1, 3, 5, 10), 20
# Of 8 workers: the number of splits, the automatic window, the least batches that occupy them.
OF_EIGHT = ((5, 7, 2), (3, 11, 3))
BUDGETS = (16, 32, 64)


def fit_times(n_trials: int, n_splits: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the times of fits, whose mean is one."""
    return np.exp(rng.normal(-(SIGMA**2) / 2, SIGMA, (n_trials, n_splits)))


def finish_times(times: np.ndarray, n_workers: int, size: int, mode: str) -> np.ndarray:
    """Return when each trial finishes.

    Parameters
    ----------
    times : ndarray of shape (n_trials, n_splits)
    n_workers : int
    size : int
        Number of trials in flight.
    mode : {"window", "batches"}
        When a trial is proposed: after the one `size` before it, or after all of a batch.
    """
    n_trials, n_splits = times.shape
    finished, left = np.full(n_trials, np.inf), np.full(n_trials, n_splits)
    queue: deque[tuple[int, float]] = deque()
    running: list[tuple[float, int]] = []
    n_asked, n_told, now = 0, 0, 0.0
    while n_told < n_trials:
        while n_told < n_trials and not left[n_told]:
            n_told += 1
        is_due = mode == "window" or n_told == n_asked
        n_more = min(size - (n_asked - n_told), n_trials - n_asked) if is_due else 0
        for trial in range(n_asked, n_asked + n_more):
            queue.extend((trial, float(seconds)) for seconds in times[trial])
        n_asked += n_more
        while queue and len(running) < n_workers:
            trial, seconds = queue.popleft()
            heapq.heappush(running, (now + seconds, trial))
        if running:
            now, trial = heapq.heappop(running)
            left[trial] -= 1
            if not left[trial]:
                finished[trial] = now
    return finished


def busy_share(n_workers: int, n_splits: int, size: int, mode: str) -> float:
    """Return the mean share of the workers' time in which fits run."""
    n_trials, shares = n_trials_of(n_workers, n_splits), []
    for seed in range(REPEATS):
        times = fit_times(n_trials, n_splits, np.random.default_rng(seed))
        end = finish_times(times, n_workers, size, mode).max()
        shares.append(times.sum() / (n_workers * end))
    return statistics.fmean(shares)


def n_trials_of(n_workers: int, n_splits: int) -> int:
    return max(20, 30 * n_workers // n_splits)


def report_busy() -> list[dict[str, Any]]:
    """Simulate and print the busy shares."""
    rows = []
    print(f"{'workers':>8}{'splits':>8}{'batches':>16}{'window':>16}{'no limit':>10}")
    for n_workers in WORKERS:
        for n_splits in SPLITS:
            n_trials, batch = n_trials_of(n_workers, n_splits), -(-n_workers // n_splits)
            window = auto_window(n_workers, n_splits, n_certain=n_splits, n_trials=n_trials)
            row = {
                "workers": n_workers,
                "splits": n_splits,
                "batch": batch,
                "in_batches": busy_share(n_workers, n_splits, batch, "batches"),
                "window": window,
                "in_window": busy_share(n_workers, n_splits, window, "window"),
                "possible": busy_share(n_workers, n_splits, n_trials, "window"),
            }
            rows.append(row)
            print(
                f"{n_workers:8}{n_splits:8}{batch:8}{row['in_batches']:8.3f}"
                f"{window:8}{row['in_window']:8.3f}{row['possible']:10.3f}"
            )
    return rows


def report_regret() -> dict[str, Any]:
    """Compare and print the regrets of windows and batches."""
    summary = {}
    for n_splits, window, least in OF_EIGHT:
        ours = f"lepton-bayes, window of {window}"
        for size in (window, least):
            theirs = f"lepton-bayes, batches of {size}"
            found = compare(ours, theirs, window, size, n_splits)
            summary[f"{ours} / {theirs}"] = found
            print(f"\n{ours} / {theirs}: ratio of the mean regrets, 90 % interval")
            for name, (ratio, low, high) in found.items():
                print(f"    {name:24}{ratio:8.2f} [{low:.2f}, {high:.2f}]")
    return summary


def compare(
    ours: str, theirs: str, window: int, size: int, n_splits: int
) -> dict[str, tuple[float, float, float]]:
    """Return the ratio of the mean regrets after some trials and after the same time."""
    results = Results(ours, BUDGETS, [theirs])
    last = BUDGETS[-1]
    seeds = results.common([ours, theirs], chosen_problems("development"), last)
    a, b = [], []
    for problem, found in seeds.items():
        curves = [[results.curve(c, problem, s, last) for s in found] for c in (ours, theirs)]
        in_window, in_batches = map(np.array, curves)
        columns = [n - 1 for n in BUDGETS]
        at_end = []
        for seed, curve in zip(found, in_batches, strict=True):
            times = fit_times(last, n_splits, np.random.default_rng(seed))
            end = finish_times(times, 8, window, "window").max()
            # The incumbent of all trials that have finished: batches finish in order.
            n_done = int(np.sum(finish_times(times, 8, size, "batches") <= end))
            at_end.append(curve[max(n_done, 1) - 1])
        a.append(np.column_stack([in_window[:, columns], in_window[:, -1]]))
        b.append(np.column_stack([in_batches[:, columns], at_end]))
    means = bootstrap([a, b], np.random.default_rng(0))
    ratios = means[:, 0] / means[:, 1]
    whole = np.mean([x.mean(axis=0) for x in a], axis=0) / np.mean(
        [x.mean(axis=0) for x in b], axis=0
    )
    low, high = np.quantile(ratios, [0.05, 0.95], axis=0)
    names = [*(f"after {n} trials" for n in BUDGETS), "after the same time"]
    rows: Sequence[tuple[float, float, float]] = np.array([whole, low, high]).T.tolist()
    n_runs = sum(map(len, seeds.values()))
    print(f"\n{len(seeds)} problems, {n_runs} runs")
    return dict(zip(names, map(tuple, rows), strict=True))


def main() -> None:
    """Report the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", help="busy, regret; both by default")
    parser.add_argument("--json", type=Path, help="write all numbers there")
    arguments = parser.parse_args()
    parts = {"busy": report_busy, "regret": report_regret}
    summary = {name: parts[name]() for name in arguments.parts or parts}
    if arguments.json:
        arguments.json.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
