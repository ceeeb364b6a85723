"""The best score at the end of the time: trials priced by their fit seconds, beside trials that are not.

    python benchmarks/cost.py [--optimizers bayes swarm genetic] [--seeds 10]
        [--tasks held-out] [--json benchmarks/cost.json]
"""

import argparse
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from problems import ABSOLUTE, ACCURACY, LOG_LOSS, SQUARED, Problem, Tuning, live_tasks
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingRegressor,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeClassifier

from sklearn_lepton.optimizers import BayesOptimizer, GeneticOptimizer, SwarmOptimizer

OPTIMIZERS = {"bayes": BayesOptimizer, "swarm": SwarmOptimizer, "genetic": GeneticOptimizer}
N_TRIALS = 40

BOOSTED = {
    "n_estimators": (3, 200, "log-int"),
    "learning_rate": (1e-2, 1.0, "log-uniform"),
    "max_depth": (1, 8, "int"),
    "subsample": (0.3, 1.0, "uniform"),
}
FOREST = {
    "n_estimators": (2, 120, "log-int"),
    "max_features": (0.05, 1.0, "uniform"),
    "min_samples_leaf": (1, 20, "log-int"),
    "max_depth": (1, 12, "int"),
}
NET = {
    "hidden_layer_sizes": (4, 200, "log-int"),
    "max_iter": (3, 80, "log-int"),
    "learning_rate_init": (1e-4, 1e-1, "log-uniform"),
    "alpha": (1e-5, 1e1, "log-uniform"),
    "batch_size": (10, 200, "log-int"),
}
SAGA = {
    "C": (1e-4, 1e2, "log-uniform"),
    "l1_ratio": (0.0, 1.0, "uniform"),
    "tol": (1e-4, 1e-1, "log-uniform"),
    "max_iter": (3, 100, "log-int"),
}
LANDMARKS = {
    "features__n_components": (5, 300, "log-int"),
    "features__gamma": (1e-4, 1e0, "log-uniform"),
    "model__C": (1e-3, 1e3, "log-uniform"),
}
LANDMARKS_RIDGE = LANDMARKS | {"model__alpha": (1e-4, 1e2, "log-uniform")}
del LANDMARKS_RIDGE["model__C"]
MODELS = [
    {"model": [GaussianNB()], "model__var_smoothing": (1e-9, 1.0, "log-uniform")},
    {"model": [KNeighborsClassifier()], "model__n_neighbors": (1, 40, "log-int")},
    {"model": [RandomForestClassifier(random_state=0)]}
    | {f"model__{name}": values for name, values in FOREST.items()},
]
MODELS_WINE = [
    {"model": [LogisticRegression()], "model__C": (1e-4, 1e3, "log-uniform")},
    {"model": [GradientBoostingClassifier(random_state=0)]}
    | {f"model__{name}": values for name, values in BOOSTED.items() if name != "n_estimators"}
    | {"model__n_estimators": (3, 60, "log-int")},
]
ADA = {
    "n_estimators": (2, 100, "log-int"),
    "learning_rate": (1e-2, 1e1, "log-uniform"),
    "estimator__max_depth": (1, 10, "int"),
    "estimator__max_features": (0.05, 1.0, "uniform"),
}
BAG = {
    "n_estimators": (2, 80, "log-int"),
    "max_samples": (0.05, 1.0, "log-uniform"),
    "estimator__C": (1e-1, 1e4, "log-uniform"),
    "estimator__gamma": (1e-4, 1e0, "log-uniform"),
}


def wide_tasks() -> list[Problem]:
    """Return tasks whose fit times spread at least tenfold: sizes are among the parameters."""
    zero = {"random_state": 0}
    landmarks = [("features", Nystroem(**zero))]
    # name, estimator, data, scoring, space, held out
    rows: list[tuple[str, Any, str, str, Any, bool]] = [
        ("boosting", GradientBoostingRegressor(**zero), "diabetes", SQUARED, BOOSTED, False),
        ("forest", RandomForestClassifier(**zero), "breast", LOG_LOSS, FOREST, False),
        ("net", MLPClassifier(**zero), "digits", ACCURACY, NET, False),
        ("saga", LogisticRegression(solver="saga", **zero), "digits", LOG_LOSS, SAGA, False),
        (
            "landmarks",
            Pipeline([*landmarks, ("model", LogisticRegression())]),
            "digits",
            ACCURACY,
            LANDMARKS,
            False,
        ),
        ("models", Pipeline([("model", GaussianNB())]), "digits", LOG_LOSS, MODELS, False),
        ("extra trees", ExtraTreesRegressor(**zero), "diabetes", ABSOLUTE, FOREST, True),
        ("net", MLPRegressor(**zero), "diabetes", SQUARED, NET, True),
        (
            "ada boost",
            AdaBoostClassifier(DecisionTreeClassifier(**zero), **zero),
            "digits",
            ACCURACY,
            ADA,
            True,
        ),
        (
            "landmarks",
            Pipeline([*landmarks, ("model", Ridge())]),
            "diabetes",
            ABSOLUTE,
            LANDMARKS_RIDGE,
            True,
        ),
        ("bagging", BaggingRegressor(SVR(), **zero), "diabetes", SQUARED, BAG, True),
        ("models", Pipeline([("model", LogisticRegression())]), "wine", LOG_LOSS, MODELS_WINE, True),
    ]
    return [
        Problem(
            name=f"{name}, {where}, {scoring.replace('neg_mean_', '').replace('neg_', '')}, sizes",
            entries=entries,
            function=Tuning(estimator, where, scoring, 3),
            tags=frozenset({"live", "sizes"}),
            held_out=held_out,
        )
        for name, estimator, where, scoring, entries, held_out in rows
    ]


class Timed:
    """A task that remembers scores and CPU seconds: one setting costs all contestants the same."""

    def __init__(self, task: Problem) -> None:
        self.task, self.known = task, dict[tuple[float, ...], tuple[float, float]]()

    def __call__(self, trial) -> tuple[float, float]:
        if trial.point not in self.known:
            start = time.process_time()
            score = self.task.function(trial.params)
            self.known[trial.point] = score, time.process_time() - start
        return self.known[trial.point]


def run(timed, optimizer, *, n_trials=math.inf, budget=math.inf):
    """Return seconds and scores of trials, up to a number of them or of seconds."""
    done, spent = [], 0.0
    while len(done) < n_trials:
        asked = optimizer.ask()
        if not asked:
            break
        score, seconds = timed(asked[0])
        spent += seconds
        if spent > budget:
            break
        optimizer.tell([asked[0].complete(score, seconds=seconds)])
        done.append((seconds, score))
    return done
