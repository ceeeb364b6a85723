"""Savings of cached pipeline steps, and their cost where nothing is saved.

The same search, with the same seed and so with the same trials, runs with ``cache_steps=True`` and
without, in turns; the order alternates between repeats. The pipelines:

- text: TF-IDF of word pairs of 500 generated documents, then a linear SVM with a tuned ``C``;
- kernel: kernel PCA of the digits, then a logistic regression with a tuned ``C``;
- select: the same with one of three numbers of components;
- tuned kernel: the same with a continuous ``gamma``, so that nothing is ever repeated;
- cheap: scaled digits, then a logistic regression;
- tiny: scaled iris, then naive Bayes, whose fits take about a millisecond.

The measure is wall time, and with one job also processor time, which other work of the machine
affects less.

    python benchmarks/steps.py [--json FILE] [--repeats N] [--pipelines NAME ...]
"""

import argparse
import json
import statistics
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import KernelPCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sklearn_lepton import BayesSearchCV

C = {"clf__C": (1e-3, 1e1, "log-uniform")}


def text() -> tuple[Any, Any, Any, Any]:
    rng = np.random.default_rng(0)
    words = np.array([f"word{number}" for number in range(5000)])
    y = np.arange(500) % 3
    documents = [
        " ".join(words[np.minimum(rng.zipf(1.2 + 0.05 * label, 150), 5000) - 1]) for label in y
    ]
    steps = [("tfidf", TfidfVectorizer(ngram_range=(1, 2))), ("clf", LinearSVC(random_state=0))]
    return Pipeline(steps), C, documents, y


def kernel() -> tuple[Any, Any, Any, Any]:
    reduce = KernelPCA(40, kernel="rbf", gamma=1e-3, random_state=0)
    estimator = Pipeline(
        [("scale", StandardScaler()), ("reduce", reduce), ("clf", LogisticRegression())]
    )
    X, y = load_digits(return_X_y=True)
    return estimator, C, X[:1200], y[:1200]


def select() -> tuple[Any, Any, Any, Any]:
    estimator, space, X, y = kernel()
    return estimator, {"reduce__n_components": [10, 20, 40], **space}, X, y


def tuned_kernel() -> tuple[Any, Any, Any, Any]:
    estimator, space, X, y = kernel()
    return estimator, {"reduce__gamma": (1e-4, 1e-2, "log-uniform"), **space}, X, y


def cheap() -> tuple[Any, Any, Any, Any]:
    estimator = Pipeline([("scale", StandardScaler()), ("clf", LogisticRegression())])
    return estimator, C, *load_digits(return_X_y=True)


def tiny() -> tuple[Any, Any, Any, Any]:
    estimator = Pipeline([("scale", StandardScaler()), ("clf", GaussianNB())])
    space = {"clf__var_smoothing": (1e-12, 1e-1, "log-uniform")}
    return estimator, space, *load_iris(return_X_y=True)


PIPELINES = {
    "text": text,
    "kernel": kernel,
    "select": select,
    "tuned kernel": tuned_kernel,
    "cheap": cheap,
    "tiny": tiny,
}


CHEAP = ("cheap", "tiny")


def run(
    problem: tuple[Any, Any, Any, Any], *, cache_steps: bool, n_jobs: int
) -> tuple[float, float, Any]:
    estimator, space, X, y = problem
    search = BayesSearchCV(
        estimator,
        space,
        n_iter=20,
        cv=3,
        random_state=0,
        n_jobs=n_jobs,
        cache_steps=cache_steps,
        refit=False,
    )
    start, start_cpu = time.perf_counter(), time.process_time()
    search.fit(X, y)
    seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    return seconds, cpu, search.cv_results_["mean_test_score"]


def median_ratio(seconds: dict[bool, list[float]]) -> float:
    """Return the median over the repeats of the time with, divided by that without."""
    return statistics.median(a / b for a, b in zip(seconds[True], seconds[False], strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--jobs", type=int, nargs="*", default=[1])
    parser.add_argument("--pipelines", nargs="*", default=list(PIPELINES))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows: dict[str, Any] = {}
    print(
        f"{'pipeline':13} {'jobs':>4} {'without s':>9} {'with s':>8} {'ratio':>6}  of each repeat"
    )
    for name in options.pipelines:
        for n_jobs in options.jobs:
            problem = PIPELINES[name]()
            run(problem, cache_steps=False, n_jobs=n_jobs)  # load code before the measurement
            seconds: dict[bool, list[float]] = {True: [], False: []}
            cpu: dict[bool, list[float]] = {True: [], False: []}
            # A difference of a hundredth takes more of them to see.
            for repeat in range(options.repeats * (5 if name in CHEAP else 1)):
                scores = {}
                for cache_steps in (repeat % 2 == 0, repeat % 2 != 0):
                    wall, busy, scores[cache_steps] = run(
                        problem, cache_steps=cache_steps, n_jobs=n_jobs
                    )
                    seconds[cache_steps].append(wall)
                    cpu[cache_steps].append(busy)
                np.testing.assert_array_equal(scores[True], scores[False])
            rows[f"{name}, {n_jobs} jobs"] = row = {
                "without": statistics.median(seconds[False]),
                "with": statistics.median(seconds[True]),
                "ratio": median_ratio(seconds),
                "cpu_ratio": median_ratio(cpu) if n_jobs == 1 else None,
                "runs_without": [round(s, 3) for s in seconds[False]],
                "runs_with": [round(s, 3) for s in seconds[True]],
            }
            print(
                f"{name:13} {n_jobs:4} {row['without']:9.2f} {row['with']:8.2f} "
                f"{row['ratio']:6.3f} {row['cpu_ratio'] or float('nan'):6.3f}",
                flush=True,
            )
    if options.json:
        options.json.write_text(json.dumps({"pipelines": rows}) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
