"""Scores and evaluations of a search on a stream: tuned once, tuned at each step, and updated.

At each step the data are a window of the stream's last rows. The chosen configuration is refitted
on it and scored on the next rows, which no contestant has seen. Each contestant tunes on the first
window with ``N_ITER`` trials. Then:

- tuned once: the configuration stays, the estimator is refitted at each step;
- tuned again: a search from scratch at each step, with ``N_ITER`` trials;
- updated: ``search.update`` at each step.

The streams are digits in the order in which they were written, 13 writers one after the other
(real drift); the same with a scanner whose gain changes twice, abruptly, which moves the best
``gamma`` of an RBF kernel; a rotating regression whose noise rises and falls; and a classification
with irrelevant columns that grows from 200 rows to 2000, where the best regularisation falls.

    python benchmarks/stream.py [--json FILE] [--seeds N] [--streams NAME ...]
"""

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits, make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.svm import SVC, SVR

from sklearn_lepton import BayesSearchCV

N_ITER = 30
N_UPDATES = 20
CONTESTANTS = ("tuned once", "tuned again", "updated")
RBF = {"C": (1e-2, 1e3, "log-uniform"), "gamma": (1e-6, 1e0, "log-uniform")}


class Stream(NamedTuple):
    """Windows of data, each with the rows that come after it."""

    estimator: Any
    space: dict[str, Any]
    scoring: str
    windows: list[tuple[Any, Any, Any, Any]]


def sliding(X: Any, y: Any, size: int, step: int, *, grows: bool = False) -> list[Any]:
    ends = [size + k * step for k in range(N_UPDATES + 1)]
    starts = [0 if grows else end - size for end in ends]
    return [
        (X[a:b], y[a:b], X[b : b + step], y[b : b + step])
        for a, b in zip(starts, ends, strict=True)
    ]


def digits(seed: int) -> Stream:
    X, y = load_digits(return_X_y=True)
    shift = seed * 3
    windows = sliding(X[shift:], y[shift:], 480, 61)
    return Stream(SVC(), RBF, "accuracy", windows)


def digits_with_gain(seed: int) -> Stream:
    stream = digits(seed)
    windows = []
    for step, (X, y, X_next, y_next) in enumerate(stream.windows):
        gain = 1.0 if step < 6 else (0.1 if step < 14 else 3.0)
        windows.append((gain * X, y, gain * X_next, y_next))
    return stream._replace(windows=windows)


def rotating(seed: int) -> Stream:
    rng = np.random.default_rng(seed)
    n, step = 200, 50
    total = n + (N_UPDATES + 1) * step
    X = rng.normal(size=(total, 4))
    angle = np.linspace(0, 2 * np.pi, total)
    signal = np.sin(2 * (np.cos(angle) * X[:, 0] + np.sin(angle) * X[:, 1])) + X[:, 2]
    noise = 0.1 + 0.9 * np.sin(np.linspace(0, np.pi, total)) ** 2
    y = signal + noise * rng.normal(size=total)
    return Stream(SVR(), RBF, "r2", sliding(X, y, n, step))


def growing(seed: int) -> Stream:
    X, y = make_classification(
        2400, 40, n_informative=8, n_redundant=0, flip_y=0.15, class_sep=0.6, random_state=seed
    )
    space = {"C": (1e-4, 1e3, "log-uniform"), "fit_intercept": [True, False]}
    return Stream(
        LogisticRegression(max_iter=200), space, "neg_log_loss", sliding(X, y, 200, 90, grows=True)
    )


STREAMS: dict[str, Callable[[int], Stream]] = {
    "digits": digits,
    "digits, gain": digits_with_gain,
    "rotating": rotating,
    "growing": growing,
}


def run(stream: Stream, contestant: str, seed: int) -> dict[str, Any]:
    """Go along a stream; return the score at each step, and trials and seconds spent."""
    scorer = get_scorer(stream.scoring)

    def search() -> BayesSearchCV:
        return BayesSearchCV(
            clone(stream.estimator),
            stream.space,
            n_iter=N_ITER,
            cv=3,
            scoring=stream.scoring,
            random_state=seed,
        )

    start = time.perf_counter()
    X, y, X_next, y_next = stream.windows[0]
    tuned = search().fit(X, y)
    scores, n_trials, held = [scorer(tuned, X_next, y_next)], [len(tuned.trials_)], []
    for X, y, X_next, y_next in stream.windows[1:]:
        if contestant == "tuned once":
            model = clone(tuned.best_estimator_).fit(X, y)
            n_trials.append(0)
        elif contestant == "tuned again":
            model = search().fit(X, y)
            n_trials.append(N_ITER)
        else:
            model = tuned.update(X, y)
            n_trials.append(model.updates_[-1]["n_trials"])
            held.append(model.updates_[-1]["held"])
        scores.append(scorer(model, X_next, y_next))
    return {
        "scores": [round(float(score), 5) for score in scores],
        "n_trials": n_trials,
        "held": held,
        "seconds": round(time.perf_counter() - start, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--streams", nargs="*", default=list(STREAMS))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows: dict[str, Any] = {}
    print(f"{'stream':14} {'contestant':12} {'mean score':>10} {'trials':>7} {'held':>5} {'s':>6}")
    for name in options.streams:
        for contestant in CONTESTANTS:
            runs = [run(STREAMS[name](seed), contestant, seed) for seed in range(options.seeds)]
            rows.setdefault(name, {})[contestant] = {
                "mean_score": statistics.mean(statistics.mean(r["scores"]) for r in runs),
                "n_trials": statistics.mean(sum(r["n_trials"]) for r in runs),
                "seconds": statistics.mean(r["seconds"] for r in runs),
                "runs": runs,
            }
            row = rows[name][contestant]
            held = sum(sum(r["held"]) for r in runs) / len(runs)
            print(
                f"{name:14} {contestant:12} {row['mean_score']:10.4f} {row['n_trials']:7.1f} "
                f"{held:5.1f} {row['seconds']:6.1f}",
                flush=True,
            )
    for name, of_stream in rows.items():
        again, updated = of_stream["tuned again"], of_stream["updated"]
        ratio = updated["mean_score"] / again["mean_score"]
        spent = updated["n_trials"] / again["n_trials"]
        print(f"{name:14} updated / again: score {ratio:.4f}, trials {spent:.3f}")
    if options.json:
        options.json.write_text(json.dumps({"streams": rows}) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
