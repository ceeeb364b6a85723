"""How often a comparison of tuned and untuned reports a gain where there is none.

    python benchmarks/false_alarms.py [--experiments 500] [--json benchmarks/false_alarms.json]

Each experiment draws a new data set, on which a search tries every configuration of a finite space
by ``cv=5`` and takes the best; the first configuration is the untuned one. In three problems all
configurations are equally good in truth, so every reported gain is a false alarm:

columns 20    150 rows, 20 columns that separate two classes equally well; a configuration is one
              column, classified by the nearer of its two class means
columns 50    300 rows, 50 such columns, each of which is less informative
neighbours    150 rows, 4 columns and two classes that are independent of each other; a
              configuration is the number of nearest neighbours, one of 12

In a fourth problem there is a true gain:

gain          columns 20, but one of the other columns has means a third further apart

The test is the package's own, at 5 %, on the differences on fresh shuffled folds:

fixed         two configurations that were not selected, 10 x 5 folds: the level of the test
seen          the configuration selected on these rows, 10 x 5 fresh folds of the same rows
              (``retune=False``)
retuned 2, 10 the configuration selected again in each training part (``retune=True``), on 2 x 5
              and on 10 x 5 folds

To run hundreds of experiments in minutes, all configurations are scored together, with the results
that scikit-learn would give one by one; `tests/search/test_nested.py` compares the two. The
optimism that is estimated from the trials is compared with the true one: the best mean score less
the score of the selected configuration on 4000 more rows.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_lepton._trials.selection_bias import optimism
from sklearn_lepton._trials.statistics import paired_test
from sklearn_lepton._trials.trial import Trial

NEIGHBOURS = np.array([5, 1, 3, 7, 9, 11, 13, 15, 17, 21, 25, 31])
N_UNSEEN = 4000
LEVEL = 0.05
Scores = Callable[[Any, Any, Any, Any], Any]


def nearer_mean(X: Any, y: Any, train: Any, test: Any) -> Any:
    """Score, for each column, the classifier that takes the nearer of its two class means."""
    x, is_one = X[train], y[train] == 1
    one, zero = x[is_one].mean(axis=0), x[~is_one].mean(axis=0)
    says_one = (X[test] - (one + zero) / 2) * (one - zero) > 0
    return (says_one == (y[test] == 1)[:, np.newaxis]).mean(axis=0)


def neighbours(X: Any, y: Any, train: Any, test: Any) -> Any:
    """Score the classifier of nearest neighbours, for each number of them."""
    x, t = X[train], X[test]
    distances = (t**2).sum(axis=1)[:, np.newaxis] - 2 * t @ x.T + (x**2).sum(axis=1)
    nearest = np.argsort(distances, axis=1)[:, : NEIGHBOURS.max()]
    share = np.cumsum(y[train][nearest], axis=1)[:, NEIGHBOURS - 1] / NEIGHBOURS
    return ((share > 0.5) == (y[test] == 1)[:, np.newaxis]).mean(axis=0)


def columns(n_rows: int, distances: Any, rng: np.random.Generator) -> tuple[Any, Any]:
    y = (rng.random(n_rows) < 0.5).astype(int)
    return rng.normal(size=(n_rows, len(distances))) + distances * (y[:, np.newaxis] - 0.5), y


def nothing(n_rows: int, n_columns: int, rng: np.random.Generator) -> tuple[Any, Any]:
    return rng.normal(size=(n_rows, n_columns)), (rng.random(n_rows) < 0.5).astype(int)


PROBLEMS: dict[str, tuple[Callable[..., Any], dict[str, Any], Scores]] = {
    "columns 20": (columns, {"n_rows": 150, "distances": np.full(20, 1.0)}, nearer_mean),
    "columns 50": (columns, {"n_rows": 300, "distances": np.full(50, 0.6)}, nearer_mean),
    "neighbours": (nothing, {"n_rows": 150, "n_columns": 4}, neighbours),
    "gain": (
        columns,
        {"n_rows": 150, "distances": np.r_[1.0, 4 / 3, np.full(18, 1.0)]},
        nearer_mean,
    ),
}


def folds(rows: Any, rng: np.random.Generator, n_repeats: int = 1) -> Iterator[tuple[Any, Any]]:
    """Yield shuffled folds, five a repeat."""
    for _ in range(n_repeats):
        parts = np.array_split(rng.permutation(rows), 5)
        for k, test in enumerate(parts):
            yield np.concatenate([part for j, part in enumerate(parts) if j != k]), test


def cross_validate(scores: Scores, X: Any, y: Any, splits: Any) -> Any:
    """Score all settings, of shape (n_splits, n_settings)."""
    return np.array([scores(X, y, train, test) for train, test in splits])


def experiment(name: str, seed: int) -> dict[str, list[float]]:
    """Return difference and p-value of each comparison, and the optimism, estimated and true."""
    make, settings, scores = PROBLEMS[name]
    rng = np.random.default_rng([sorted(PROBLEMS).index(name), seed])
    n_rows = settings["n_rows"]
    X, y = make(**{**settings, "n_rows": n_rows + N_UNSEEN}, rng=rng)
    rows = np.arange(n_rows)
    table = cross_validate(scores, X, y, folds(rows, rng))
    chosen = int(table.mean(axis=0).argmax())
    fresh = list(folds(rows, rng, n_repeats=10))
    again = cross_validate(scores, X, y, fresh)
    retuned = []
    for (train, _), row in zip(fresh, again, strict=True):
        inner = cross_validate(scores, X, y, folds(train, rng)).mean(axis=0)
        retuned.append(row[inner.argmax()] - row[0])
    differences = {
        "fixed": again[:, 2] - again[:, 3],
        "seen": again[:, chosen] - again[:, 0],
        "retuned 2": retuned[:10],
        "retuned 10": retuned,
    }
    tests = {key: paired_test(values, 1 / 4) for key, values in differences.items()}
    found = {key: [test.difference, test.p_value] for key, test in tests.items()}
    trials = [
        Trial(number, (0.5,), {}).complete(column.mean(), split_scores=column)
        for number, column in enumerate(table.T)
    ]
    unseen = scores(X, y, rows, np.arange(n_rows, n_rows + N_UNSEEN))[chosen]
    found["optimism"] = [optimism(trials, 5), float(table[:, chosen].mean() - unseen)]
    return found


def summarise(runs: list[dict[str, list[float]]]) -> dict[str, Any]:
    """Return the rates of alarms in percent, all and those in favour of tuning."""
    summary: dict[str, Any] = {}
    for key in ("fixed", "seen", "retuned 2", "retuned 10"):
        difference, p_value = np.array([run[key] for run in runs]).T
        is_alarm = p_value < LEVEL
        summary[key] = {
            "alarms": 100 * float(is_alarm.mean()),
            "for_tuning": 100 * float((is_alarm & (difference > 0)).mean()),
            "mean_difference": float(difference.mean()),
        }
    estimated, true = np.array([run["optimism"] for run in runs]).T
    error = np.std([estimated, true], axis=1, ddof=1) / np.sqrt(len(runs))
    summary["optimism"] = {
        "estimated": [float(estimated.mean()), float(error[0])],
        "true": [float(true.mean()), float(error[1])],
    }
    return summary


def main() -> None:
    """Run, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experiments", type=int, default=500)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write all numbers there")
    arguments = parser.parse_args()
    report: dict[str, Any] = {"experiments": arguments.experiments, "problems": {}}
    print(f"{'':12}{'alarms, % (in favour of tuning)':>56}{'optimism':>26}")
    print(
        f"{'':12}" + "".join(f"{k:>14}" for k in ("fixed", "seen", "retuned 2", "retuned 10")),
        end="",
    )
    print(f"{'estimated':>13}{'true':>13}")
    for name in PROBLEMS:
        with ProcessPoolExecutor(arguments.jobs) as pool:
            seeds = range(arguments.experiments)
            runs = list(pool.map(partial(experiment, name), seeds, chunksize=10))
        row = report["problems"][name] = summarise(runs)
        rates = [row[key] for key in ("fixed", "seen", "retuned 2", "retuned 10")]
        cells = [f"{rate['alarms']:.1f} ({rate['for_tuning']:.1f})" for rate in rates]
        text = "".join(f"{cell:>14}" for cell in cells)
        both = "".join(f"{row['optimism'][key][0]:13.4f}" for key in ("estimated", "true"))
        print(f"{name:12}{text}{both}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
