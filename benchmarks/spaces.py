"""Built-in spaces compared with those of hyperopt-sklearn, FLAML and sklearn-genetic-opt.

    python benchmarks/spaces.py run [--estimators svc knn] [--seeds 5] [--n-iter 30]
    python benchmarks/spaces.py report

For each estimator, data set and seed half of the rows are held out. On the others `BayesSearchCV`
makes `--n-iter` trials with ``cv=3`` in each space: the optimizer, the budget, the splits, the seed
and ``initial_params="default"`` are the same, only the space differs. The score is that of
``best_estimator_`` on the held-out rows: accuracy, or R² of regressors. A first step standardises
the features.

A cell is an estimator, a data set and a peer that has a space for this estimator. Over the seeds
it has a mean difference, ours less the peer's, and its standard error (of paired differences).
*Better*: the difference is more than one standard error above 0; *equal*: within one standard error
of 0; *worse*: otherwise. The target, set before anything was run, is better or equal in at least
70 % of the cells.

The peers' ranges are transcribed from their sources: hyperopt-sklearn (``hpsklearn.components``),
FLAML (``flaml/automl/model.py``, without conditions on its own early stopping) and
sklearn-genetic-opt (``presets.py``, profile "balanced"). Seeds, which hyperopt-sklearn tunes, are
not tuned; parameters that scikit-learn has renamed have their new names. Results are added to
``benchmarks/spaces.json`` one by one, and existing ones are not repeated.
"""

import argparse
import json
import math
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import truncnorm
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from sklearn_lepton import BayesSearchCV, Integer, Real

RESULTS = Path(__file__).with_suffix(".json")
Space = dict[str, Any]

ESTIMATORS = {
    "knn": KNeighborsClassifier(),
    "knn regressor": KNeighborsRegressor(),
    "logistic": LogisticRegression(),
    "svc": SVC(),
    "svr": SVR(),
    "forest": RandomForestClassifier(random_state=0),
    "forest regressor": RandomForestRegressor(random_state=0),
    "boosting": HistGradientBoostingClassifier(random_state=0),
    "boosting regressor": HistGradientBoostingRegressor(random_state=0),
}


def _small(load: Callable[..., Any], n_rows: int) -> tuple[Any, Any]:
    X, y = load(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(y))[:n_rows]
    return X[rows], y[rows]


def data(name: str) -> tuple[Any, Any]:
    loads = {
        "wine": load_wine,
        "breast": load_breast_cancer,
        "digits": load_digits,
        "diabetes": load_diabetes,
    }
    return _small(loads[name], 600)


def data_names(estimator: str) -> list[str]:
    is_regressor = estimator.endswith("regressor") or estimator == "svr"
    return ["diabetes"] if is_regressor else ["wine", "breast", "digits"]


def _log(low: float, high: float) -> Real:
    return Real(low, high, log=True)


def _log_integer(low: int, high: int) -> Integer:
    return Integer(low, high, log=True)


# hyperopt-sklearn


def _hyperopt_forest(criteria: list[str]) -> Space:
    return {
        "n_estimators": _log_integer(10, 3000),
        "max_depth": [None, 2, 3, 4],
        "min_samples_split": [2, 3],
        "min_samples_leaf": _log_integer(1, 50),
        "max_features": ["sqrt", "log2"],
        "max_leaf_nodes": [None, 5, 10, 15],
        "min_impurity_decrease": [0.0, 0.01, 0.02, 0.05],
        "bootstrap": [True, False],
        "criterion": criteria,
    }


def _hyperopt_svm() -> Space:
    return {
        "C": truncnorm(-4.9, 4.9, loc=1.0, scale=0.2),
        "kernel": ["linear", "poly", "rbf", "sigmoid"],
        "degree": [1, 2, 3, 4, 5],
        "gamma": ["auto", "scale"],
        "coef0": Real(0.0, 1.0),
        "shrinking": [True, False],
        "tol": _log(1e-5, 1e-2),
    }


def _hyperopt_knn() -> Space:
    return {
        "n_neighbors": Integer(1, 14),
        "weights": ["uniform", "distance"],
        "algorithm": ["auto", "ball_tree", "kd_tree", "brute"],
        "leaf_size": Integer(20, 39),
        "p": Real(1.0, 5.0),
        "metric": ["cityblock", "l1", "l2", "minkowski", "euclidean", "manhattan"],
    }


def _hyperopt_logistic(n_classes: int) -> list[Space]:
    shared: Space = {
        "C": Real(0.1, 2.0),
        "tol": _log(1e-5, 1e-2),
        "max_iter": Integer(250, 749),
    }
    branches: list[Space] = [
        {**shared, "solver": ["newton-cg", "lbfgs", "sag"], "l1_ratio": [0.0]},
        {**shared, "solver": ["saga"], "l1_ratio": [0.0, 1.0]},
    ]
    if n_classes == 2:  # which "liblinear" is for, by now
        branches.append({**shared, "solver": ["liblinear"], "l1_ratio": [0.0, 1.0]})
    return branches


def _hyperopt(estimator: str, _X: Any, y: Any) -> Any:
    spaces: dict[str, Callable[[], Any]] = {
        "knn": _hyperopt_knn,
        "knn regressor": _hyperopt_knn,
        "logistic": lambda: _hyperopt_logistic(len(np.unique(y))),
        "svc": lambda: {**_hyperopt_svm(), "decision_function_shape": ["ovo", "ovr"]},
        "svr": lambda: {**_hyperopt_svm(), "epsilon": Real(0.05, 0.15)},
        "forest": lambda: _hyperopt_forest(["gini", "entropy"]),
        "forest regressor": lambda: _hyperopt_forest(["squared_error", "absolute_error"]),
    }
    return spaces[estimator]() if estimator in spaces else None


# FLAML


def _flaml(estimator: str, X: Any, _y: Any) -> Any:
    n_rows, n_columns = X.shape
    if estimator.startswith("knn"):
        return {"n_neighbors": _log_integer(1, min(511, n_rows // 2)), "weights": ["distance"]}
    if estimator == "logistic":
        C = _log(0.03125, 32768.0)
        return [
            {"C": C, "solver": ["saga"], "l1_ratio": [1.0]},
            {"C": C, "solver": ["lbfgs"], "l1_ratio": [0.0]},
        ]
    if estimator.startswith("forest"):
        is_classifier = estimator == "forest"
        lower = min(0.1, 1 / math.sqrt(n_columns)) if is_classifier else 0.1
        space = {
            "n_estimators": _log_integer(4, min(2048, n_rows) - 1),
            "max_features": _log(lower, 1.0),
            "max_leaf_nodes": _log_integer(4, (n_rows >> 1) - 1),
        }
        return space | ({"criterion": ["gini", "entropy"]} if is_classifier else {})
    return None


# sklearn-genetic-opt


def _genetic(estimator: str, *_: Any) -> Any:
    forest: Space = {
        "n_estimators": Integer(80, 350),
        "max_depth": Integer(2, 24),
        "min_samples_split": Integer(2, 20),
        "min_samples_leaf": Integer(1, 10),
        "max_features": ["sqrt", "log2", None],
    }
    boosting: Space = {
        "max_iter": Integer(60, 300),
        "learning_rate": _log(0.01, 0.3),
        "max_leaf_nodes": Integer(15, 127),
        "max_depth": [None, 3, 5, 8, 12],
        "min_samples_leaf": Integer(5, 100),
        "l2_regularization": _log(1e-8, 10.0),
    }
    spaces: dict[str, Space] = {
        "forest": {
            **forest,
            "criterion": ["gini", "entropy"],
            "class_weight": [None, "balanced", "balanced_subsample"],
        },
        "forest regressor": {
            **forest,
            "criterion": ["squared_error", "absolute_error", "friedman_mse"],
        },
        "boosting": boosting,
        "boosting regressor": boosting,
        "logistic": {
            "C": _log(1e-3, 30.0),
            "solver": ["saga"],
            "l1_ratio": Real(0.0, 1.0),
            "class_weight": [None, "balanced"],
            "max_iter": Integer(500, 2500),
        },
        "svc": {
            "C": _log(1e-3, 100.0),
            "kernel": ["rbf", "poly", "sigmoid"],
            "gamma": _log(1e-4, 10.0),
            "degree": Integer(2, 5),
            "class_weight": [None, "balanced"],
        },
    }
    return spaces.get(estimator)


PEERS = {"hyperopt-sklearn": _hyperopt, "FLAML": _flaml, "sklearn-genetic-opt": _genetic}


def space_of(contestant: str, estimator: str, X: Any, y: Any) -> Any:
    """Return the space for the pipeline's last step; None if the contestant has none."""
    if contestant == "auto":
        return "auto"
    space = PEERS[contestant](estimator, X, y)
    if space is None:
        return None
    branches = [space] if isinstance(space, dict) else space
    return [{f"model__{name}": values for name, values in b.items()} for b in branches]


def run_one(contestant: str, estimator: str, name: str, seed: int, n_iter: int) -> float | None:
    X, y = data(name)
    stratify = None if name == "diabetes" else y
    X, X_unseen, y, y_unseen = train_test_split(
        X, y, test_size=0.5, random_state=seed, stratify=stratify
    )
    space = space_of(contestant, estimator, X, y)
    if space is None:
        return None
    pipeline = Pipeline([("scale", StandardScaler()), ("model", ESTIMATORS[estimator])])
    search = BayesSearchCV(pipeline, space, n_iter=n_iter, cv=3, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(search.fit(X, y).score(X_unseen, y_unseen))


def _read() -> dict[str, float]:
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}


def run(arguments: argparse.Namespace) -> None:
    jobs = [
        (contestant, estimator, name, seed)
        for seed in range(arguments.seeds)
        for estimator in arguments.estimators
        for name in data_names(estimator)
        for contestant in ["auto", *PEERS]
    ]
    for contestant, estimator, name, seed in jobs:
        key = f"{estimator}; {name}; {contestant}; {arguments.n_iter}; {seed}"
        if key in _read():
            continue
        score = run_one(contestant, estimator, name, seed, arguments.n_iter)
        if score is None:
            continue
        results = _read() | {key: score}
        beside = RESULTS.with_suffix(f".{os.getpid()}.tmp")
        beside.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        beside.replace(RESULTS)
        print(f"{key}: {score:.4f}", flush=True)


def report(arguments: argparse.Namespace) -> None:
    results = _read()
    counts = {"better": 0, "equal": 0, "worse": 0}
    print("| estimator | data | peer | seeds | ours less theirs | standard error | |")
    print("|---|---|---|---:|---:|---:|---|")
    for estimator in ESTIMATORS:
        for name in data_names(estimator):
            for peer in PEERS:
                gains = []
                for seed in range(1000):
                    ends = [f"{who}; {arguments.n_iter}; {seed}" for who in ("auto", peer)]
                    keys = [f"{estimator}; {name}; {end}" for end in ends]
                    if all(key in results for key in keys):
                        gains.append(results[keys[0]] - results[keys[1]])
                if len(gains) < 2:
                    continue
                mean, error = np.mean(gains), np.std(gains, ddof=1) / math.sqrt(len(gains))
                verdict = "better" if mean > error else "worse" if mean < -error else "equal"
                counts[verdict] += 1
                row = f"{len(gains)} | {mean:+.4f} | {error:.4f} | {verdict}"
                print(f"| {estimator} | {name} | {peer} | {row} |")
    n_cells = sum(counts.values())
    good = counts["better"] + counts["equal"]
    print(f"\n{counts}: better or equal in {good} of {n_cells} cells")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["run", "report"])
    parser.add_argument("--estimators", nargs="+", choices=ESTIMATORS, default=list(ESTIMATORS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--n-iter", type=int, default=30)
    arguments = parser.parse_args()
    {"run": run, "report": report}[arguments.what](arguments)


if __name__ == "__main__":
    main()
