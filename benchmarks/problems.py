"""Problems of `regret.py`: live scikit-learn tasks, and functions with one difficulty each.

A third, marked ``held_out``, was set aside when the list was first written, before any measurement,
and plays no part in decisions about the optimizers. So was a third of six problems with many
branches, which were written later and are a list of their own. The nine model families and most
of their spaces follow Bayesmark (Turner et al., 2021, arXiv:2104.10201); logit scales, which
scikit-learn lacks, became logarithmic ones. Optima of the functions are neither in the middle of
the space nor on its bounds, where a design or a clipped step would find them by chance.
"""

import itertools
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from typing import Any

import numpy as np
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
)
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    ExtraTreesClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_selection import SelectKBest
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import ElasticNet, LogisticRegression, SGDClassifier
from sklearn.metrics import get_scorer
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sklearn_lepton import Space

Params = Mapping[str, Any]
ACCURACY, LOG_LOSS, SQUARED, ABSOLUTE = (
    "accuracy",
    "neg_log_loss",
    "neg_mean_squared_error",
    "neg_mean_absolute_error",
)


# Checks that a fit of a few milliseconds does not need to repeat.
UNCHECKED = {"assume_finite": True, "skip_parameter_validation": True}


@dataclass(frozen=True)
class Problem:
    """Something to maximise.

    Attributes
    ----------
    name : str
    entries : dict or list of dict
        Its space, as the searches take it.
    function : callable
        Takes the parameters, returns the score without noise; NaN where it fails.
    tags : frozenset of str
        "live", "noisy", "wide" (20 dimensions), "mixed" (with choices), "conditional",
        "branched" (of the list of problems with many branches).
    noise : float
        Standard deviation of the noise of each told score.
    optimum : float or None
        Greatest score, where it is known.
    defaults : dict
        The estimator's own parameters.
    """

    name: str
    entries: Any
    function: Callable[[Params], float]
    tags: frozenset[str]
    held_out: bool = False
    noise: float = 0.0
    optimum: float | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def space(self) -> Space:
        return Space(self.entries)


# ------------------------------------------------------------------- live tasks


@lru_cache
def data(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Load the first 500 rows of bundled data, columns standardised."""
    load = {
        "breast": load_breast_cancer,
        "diabetes": load_diabetes,
        "digits": load_digits,
        "iris": load_iris,
        "wine": load_wine,
    }[name]
    X, y = load(return_X_y=True)
    return StandardScaler().fit_transform(X[:600])[:500], y[:500]


@lru_cache
def splits(name: str, n_splits: int) -> list[tuple[np.ndarray, ...]]:
    """Cut data into training and test parts, the same for every setting."""
    X, y = data(name)
    kind = KFold if name == "diabetes" else StratifiedKFold
    cuts = kind(n_splits, shuffle=True, random_state=0).split(X, y)
    return [(X[train], y[train], X[test], y[test]) for train, test in cuts]


@dataclass(frozen=True)
class Tuning:
    """The cross-validated score of an estimator; NaN where a fit fails."""

    estimator: Any
    data: str
    scoring: str
    n_splits: int = 5

    def __call__(self, params: Params) -> float:
        scorer, scores = get_scorer(self.scoring), []
        with warnings.catch_warnings(), config_context(**UNCHECKED):
            warnings.simplefilter("ignore")
            for X, y, X_test, y_test in splits(self.data, self.n_splits):
                try:
                    model = clone_with(self.estimator, params).fit(X, y)
                    scores.append(scorer(model, X_test, y_test))
                except ValueError:
                    return math.nan
        return float(np.mean(scores))


def clone_with(estimator: Any, params: Params) -> Any:
    """Return the estimator with parameters, some of which may be estimators themselves."""
    return clone(estimator).set_params(**{name: clone(v, safe=False) for name, v in params.items()})


TREE = {
    "max_depth": (1, 15, "int"),
    "max_features": (0.01, 0.99, "uniform"),
    "min_samples_split": (0.01, 0.99, "log-uniform"),
    "min_samples_leaf": (0.01, 0.49, "log-uniform"),
    "min_weight_fraction_leaf": (0.01, 0.49, "log-uniform"),
    "min_impurity_decrease": (0.0, 0.5, "uniform"),
}
TREE_REGRESSION = TREE | {"min_impurity_decrease": (1e-2, 1e3, "log-uniform")}
TREE_COUNTS = {
    "max_depth": (1, 30, "int"),
    "min_samples_split": (2, 60, "int"),
    "min_samples_leaf": (1, 40, "log-int"),
    "max_features": (0.05, 1.0, "uniform"),
    "ccp_alpha": (1e-6, 1e-1, "log-uniform"),
    "criterion": ["gini", "entropy", "log_loss"],
    "splitter": ["best", "random"],
}
SUPPORT = {
    "C": (1.0, 1e3, "log-uniform"),
    "gamma": (1e-4, 1e-3, "log-uniform"),
    "tol": (1e-5, 1e-1, "log-uniform"),
}
SUPPORT_WIDE = {"C": (1e-3, 1e4, "log-uniform"), "gamma": (1e-6, 1e1, "log-uniform")}
BOOST = {"n_estimators": (5, 30, "int"), "learning_rate": (1e-4, 1e1, "log-uniform")}
NEIGHBOURS = {"n_neighbors": (1, 25, "int"), "p": (1, 4, "int")}
LINEAR = {"C": (1e-2, 1e2, "log-uniform"), "intercept_scaling": (1e-2, 1e2, "log-uniform")}
ADAM = {
    "hidden_layer_sizes": (10, 100, "int"),
    "alpha": (1e-5, 1e1, "log-uniform"),
    "batch_size": (20, 120, "int"),
    "learning_rate_init": (1e-5, 1e-1, "log-uniform"),
    "tol": (1e-5, 1e-1, "log-uniform"),
    "validation_fraction": (0.1, 0.8, "uniform"),
    "beta_1": (0.5, 0.99, "uniform"),
    "beta_2": (0.9, 0.999999, "uniform"),
    "epsilon": (1e-9, 1e-6, "log-uniform"),
}
SGD = {
    "hidden_layer_sizes": (10, 100, "int"),
    "alpha": (1e-5, 1e1, "log-uniform"),
    "batch_size": (20, 120, "int"),
    "learning_rate_init": (1e-5, 1e-1, "log-uniform"),
    "power_t": (0.1, 0.9, "uniform"),
    "tol": (1e-5, 1e-1, "log-uniform"),
    "momentum": (0.001, 0.999, "uniform"),
    "validation_fraction": (0.1, 0.8, "uniform"),
}
KERNEL_CHOICE = {
    "kernel": ["linear", "poly", "rbf", "sigmoid"],
    "C": (1e-3, 1e3, "log-uniform"),
    "gamma": (1e-4, 1e1, "log-uniform"),
    "degree": (2, 5, "int"),
    "coef0": (-1.0, 1.0, "uniform"),
    "class_weight": [None, "balanced"],
}
PENALTIES = [
    {
        "solver": ["liblinear"],
        "l1_ratio": [0.0, 1.0],
        "C": (1e-4, 1e4, "log-uniform"),
        "class_weight": [None, "balanced"],
        "intercept_scaling": (1e-2, 1e2, "log-uniform"),
    },
    {
        "solver": ["lbfgs"],
        "C": (1e-4, 1e4, "log-uniform"),
        "class_weight": [None, "balanced"],
        "tol": (1e-5, 1e-1, "log-uniform"),
    },
]
GRADIENT = {
    "loss": ["hinge", "log_loss", "modified_huber", "perceptron", "squared_error"],
    "penalty": ["l1", "l2", "elasticnet"],
    "alpha": (1e-6, 1e0, "log-uniform"),
    "l1_ratio": (0.0, 1.0, "uniform"),
    "learning_rate": ["constant", "optimal", "invscaling", "adaptive"],
    "eta0": (1e-4, 1e1, "log-uniform"),
    "average": [False, True],
}
BOOSTED = {
    "n_estimators": (5, 40, "log-int"),
    "learning_rate": (1e-2, 1.0, "log-uniform"),
    "max_depth": (1, 8, "int"),
    "min_samples_leaf": (1, 50, "log-int"),
    "subsample": (0.3, 1.0, "uniform"),
    "max_features": (0.1, 1.0, "uniform"),
    "loss": ["squared_error", "absolute_error", "huber"],
}
EXTRA = {
    "n_estimators": (5, 30, "int"),
    "criterion": ["gini", "entropy"],
    "max_features": (0.02, 1.0, "log-uniform"),
    "min_samples_leaf": (1, 20, "log-int"),
    "bootstrap": [False, True],
    "class_weight": [None, "balanced", "balanced_subsample"],
}
SCALERS = [StandardScaler(), MinMaxScaler(), RobustScaler(), "passthrough"]
MODELS = [
    {
        "scale": SCALERS,
        "reduce__n_components": (2, 40, "log-int"),
        "model": [SVC()],
        "model__C": (1e-3, 1e3, "log-uniform"),
        "model__gamma": (1e-5, 1e1, "log-uniform"),
    },
    {
        "scale": SCALERS,
        "reduce__n_components": (2, 40, "log-int"),
        "model": [KNeighborsClassifier()],
        "model__n_neighbors": (1, 40, "log-int"),
        "model__weights": ["uniform", "distance"],
    },
    {"scale": SCALERS, "reduce__n_components": (2, 40, "log-int"), "model": [GaussianNB()]},
]
FORESTS = [
    {"model": [DecisionTreeClassifier(random_state=0)]}
    | {f"model__{name}": values for name, values in TREE_COUNTS.items()},
    {
        "model": [KNeighborsClassifier()],
        "model__n_neighbors": (1, 60, "log-int"),
        "model__weights": ["uniform", "distance"],
        "model__p": (1.0, 4.0, "uniform"),
    },
    {
        "model": [LogisticRegression(max_iter=60)],
        "model__C": (1e-4, 1e4, "log-uniform"),
        "model__class_weight": [None, "balanced"],
    },
]
RIDGES = [
    {"kernel": ["rbf", "laplacian"], "alpha": (1e-4, 1e2, "log-uniform")}
    | {"gamma": (1e-5, 1e1, "log-uniform")},
    {"kernel": ["polynomial"], "alpha": (1e-4, 1e2, "log-uniform")}
    | {
        "gamma": (1e-5, 1e1, "log-uniform"),
        "degree": (1, 4, "int"),
        "coef0": (0.0, 10.0, "uniform"),
    },
    {"kernel": ["linear", "cosine"], "alpha": (1e-4, 1e2, "log-uniform")},
]


def live_tasks() -> list[Problem]:
    forest = {"n_estimators": 10, "random_state": 0}
    net = {"max_iter": 40, "early_stopping": True, "random_state": 0}
    pipeline = Pipeline(
        [("scale", StandardScaler()), ("reduce", PCA(random_state=0)), ("model", SVC())]
    )
    tree, tree_r = DecisionTreeClassifier(random_state=0), DecisionTreeRegressor(random_state=0)
    lasso = LogisticRegression(l1_ratio=1, solver="liblinear")
    boosted = GradientBoostingRegressor(random_state=0)
    # name, estimator, data, scoring, space, splits, held out
    rows: list[tuple[str, Any, str, str, Any, int, bool]] = [
        ("tree", tree, "breast", ACCURACY, TREE, 5, False),
        ("tree", tree, "wine", LOG_LOSS, TREE, 5, True),
        ("tree", tree, "digits", LOG_LOSS, TREE, 5, False),
        ("tree", tree_r, "diabetes", SQUARED, TREE_REGRESSION, 5, False),
        ("tree counts", tree, "digits", ACCURACY, TREE_COUNTS, 5, True),
        ("tree counts", tree, "iris", LOG_LOSS, TREE_COUNTS, 5, False),
        ("forest", RandomForestClassifier(**forest), "breast", LOG_LOSS, TREE, 3, False),
        ("forest", RandomForestRegressor(**forest), "diabetes", ABSOLUTE, TREE_REGRESSION, 3, True),
        ("support vectors", SVC(), "breast", ACCURACY, SUPPORT, 5, False),
        ("support vectors", SVC(), "digits", ACCURACY, SUPPORT_WIDE, 3, True),
        ("support vectors", SVR(), "diabetes", ABSOLUTE, SUPPORT_WIDE, 5, False),
        ("ada boost", AdaBoostClassifier(random_state=0), "iris", LOG_LOSS, BOOST, 3, False),
        ("ada boost", AdaBoostRegressor(random_state=0), "diabetes", SQUARED, BOOST, 3, True),
        ("neighbours", KNeighborsClassifier(), "breast", LOG_LOSS, NEIGHBOURS, 5, False),
        ("neighbours", KNeighborsRegressor(), "diabetes", SQUARED, NEIGHBOURS, 5, True),
        ("lasso", lasso, "breast", LOG_LOSS, LINEAR, 5, False),
        ("linear", LogisticRegression(solver="liblinear"), "breast", ACCURACY, LINEAR, 5, True),
        ("net adam", MLPClassifier(solver="adam", **net), "iris", LOG_LOSS, ADAM, 3, False),
        ("net adam", MLPRegressor(solver="adam", **net), "diabetes", SQUARED, ADAM, 3, True),
        ("net sgd", MLPClassifier(solver="sgd", **net), "wine", ACCURACY, SGD, 3, False),
        ("kernels", SVC(), "wine", ACCURACY, KERNEL_CHOICE, 5, False),
        ("penalties", LogisticRegression(max_iter=60), "breast", LOG_LOSS, PENALTIES, 5, False),
        ("gradient", SGDClassifier(random_state=0), "breast", ACCURACY, GRADIENT, 5, True),
        ("boosting", boosted, "diabetes", ABSOLUTE, BOOSTED, 3, False),
        ("extra trees", ExtraTreesClassifier(random_state=0), "wine", LOG_LOSS, EXTRA, 3, False),
        ("pipeline", pipeline, "digits", ACCURACY, MODELS, 3, True),
        ("models", Pipeline([("model", SVC())]), "iris", LOG_LOSS, FORESTS, 5, False),
        ("kernel ridge", KernelRidge(), "diabetes", SQUARED, RIDGES, 5, False),
    ]
    return [
        Problem(
            name=f"{name}, {where}, {scoring.replace('neg_mean_', '').replace('neg_', '')}",
            entries=entries,
            function=Tuning(estimator, where, scoring, n_splits),
            tags=frozenset({"live"} | kinds(entries)),
            held_out=held_out,
            defaults=estimator.get_params(deep=True),
        )
        for name, estimator, where, scoring, entries, n_splits, held_out in rows
    ]


def kinds(entries: Any) -> set[str]:
    """Return the tags that a space tells."""
    space = Space(entries)
    found = {"mixed"} if any(space.is_categorical[len(space.branches) > 1 :]) else set()
    if len(space.branches) > 1:
        found.add("conditional")
    if space.n_dims >= 20:
        found.add("wide")
    return found


# --------------------------------------------------------------- made functions
# Scores, greater is better; arguments are arrays of the columns in [0, 1].

HARTMANN_A = np.array(
    [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ]
)
HARTMANN_P = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def branin(u: np.ndarray) -> float:
    x, y = 15.0 * u[0] - 5.0, 15.0 * u[1]
    valley = (y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6) ** 2
    return -(valley + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10)


def hartmann(u: np.ndarray) -> float:
    weights = np.array([1.0, 1.2, 3.0, 3.2])
    return float(weights @ np.exp(-np.sum(HARTMANN_A * (u[:6] - HARTMANN_P) ** 2, axis=1)))


def shifted(u: np.ndarray, width: float) -> np.ndarray:
    """Move the optimum to a place of its own in each column, 0.2 to 0.8; it becomes 0."""
    place = 0.2 + 0.6 * np.mod(0.5 + 0.6180339887 * np.arange(1, len(u) + 1), 1.0)
    return width * (u - place)


def ackley(u: np.ndarray) -> float:
    x = shifted(u, 30.0)
    near = 20 * math.exp(-0.2 * math.sqrt(np.mean(x**2)))
    return near + math.exp(np.mean(np.cos(2 * math.pi * x))) - 20 - math.e


def levy(u: np.ndarray) -> float:
    w = 1 + shifted(u, 20.0) / 4
    middle = (w[:-1] - 1) ** 2 * (1 + 10 * np.sin(math.pi * w[:-1] + 1) ** 2)
    last = (w[-1] - 1) ** 2 * (1 + np.sin(2 * math.pi * w[-1]) ** 2)
    return -float(math.sin(math.pi * w[0]) ** 2 + middle.sum() + last)


def rosenbrock(u: np.ndarray) -> float:
    x = 1.0 + shifted(u, 6.0)
    return -float(np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2))


def sparse_rosenbrock(u: np.ndarray) -> float:
    """Rosenbrock's function of every fifth column; the others do nothing."""
    return rosenbrock(u[::5])


def bowl(u: np.ndarray) -> float:
    """Resemble a tuning task of many parameters: each matters less than the one before."""
    x = shifted(u, 2.0)
    weights = 0.8 ** np.arange(len(x))
    return -float(weights @ x**2 + 0.5 * abs(weights[:-1] @ (x[:-1] * x[1:])))


def cliffs(u: np.ndarray) -> float:
    """Resemble a tree: steps, plateaus and a cliff behind which nothing matters."""
    x = shifted(u, 1.0)
    if x[0] > 0.25 or x[1] < -0.4:
        return -1.0
    steps = np.floor(np.abs(x) * 8) / 8
    return -float(np.max(steps[:2]) + 0.5 * np.mean(steps))


def in_cube(function: Callable[[np.ndarray], float], params: Params) -> float:
    return function(np.array([params[f"x{k}"] for k in range(len(params))]))


def cube(n_dims: int) -> dict[str, Any]:
    return {f"x{k}": (0.0, 1.0, "uniform") for k in range(n_dims)}


MIXED = {
    "rate": (1e-4, 1.0, "log-uniform"),
    "width": (8, 512, "log-int"),
    "depth": (1, 8, "int"),
    "drop": (0.0, 0.8, "uniform"),
    "activation": ["relu", "tanh", "elu", "logistic", "none"],
    "optimizer": ["sgd", "adam", "rms"],
    "norm": [True, False],
}


def mixed(params: Params) -> float:
    """Resemble a network: the best rate depends on the optimizer, the best size on the norm."""
    rate, width = math.log10(params["rate"]), math.log2(params["width"])
    best_rate = {"sgd": -0.8, "adam": -2.6, "rms": -2.9}[params["optimizer"]]
    loss = 0.15 * (rate - best_rate) ** 2
    best_depth = 5 if params["norm"] else 2
    loss += 0.03 * abs(params["depth"] - best_depth) + 0.02 * (width - 7.3) ** 2
    best_drop = 0.05 * width - 0.1
    loss += 0.8 * (params["drop"] - best_drop) ** 2
    offset = {"relu": 0.0, "tanh": 0.06, "elu": 0.015, "logistic": 0.25, "none": 0.5}
    loss += offset[params["activation"]]
    loss += {"sgd": 0.02, "adam": 0.0, "rms": 0.05}[params["optimizer"]]
    return -(loss + 0.07 * (not params["norm"]) * (params["activation"] != "elu"))


CHOICES = {f"c{k}": list("abcde") for k in range(6)}
ORDINALS = {f"c{k}": list("abcd") for k in range(4)} | {f"n{k}": (1, 12, "int") for k in range(4)}


def table(params: Params) -> float:
    """Sum effects of single choices and of pairs, drawn once, as in a table of architectures."""
    columns = []
    for name, value in sorted(params.items()):
        columns.append((ord(value) - 97) if name[0] == "c" else value)
    rng = np.random.default_rng(20)
    total = 0.0
    for name, value in zip(sorted(params), columns, strict=True):
        effects, place = rng.normal(size=12), rng.uniform(2, 11)
        total += effects[value] if name[0] == "c" else -0.08 * abs(value - place) ** 1.5
    for i, j in itertools.combinations(range(len(columns)), 2):
        total += 0.4 * rng.normal(size=(13, 13))[columns[i], columns[j]] * (max(columns) < 5)
    return float(total)


BRANCHES = [
    {"model": ["linear"], "C": (1e-4, 1e4, "log-uniform"), "penalty": ["l1", "l2"]},
    {"model": ["neighbours"], "k": (1, 100, "log-int"), "weights": ["uniform", "distance"]},
    {
        "model": ["boosting"],
        "depth": (1, 20, "int"),
        "rate": (1e-4, 1.0, "log-uniform"),
        "rows": (0.1, 1.0, "uniform"),
    },
]


def branches(params: Params) -> float:
    """Resemble the choice between three models, each with parameters of its own."""
    if params["model"] == "linear":
        return (
            -0.32 - 0.04 * abs(math.log10(params["C"]) - 0.5) - 0.03 * (params["penalty"] == "l1")
        )
    if params["model"] == "neighbours":
        loss = 0.22 + 0.06 * abs(math.log(params["k"] / 11))
        return -loss - 0.05 * (params["weights"] == "uniform")
    slow = 0.25 * (math.log10(params["rate"]) + 1.2) ** 2 * (1 + 0.1 * abs(params["depth"] - 6))
    return -0.15 - slow - 0.015 * abs(params["depth"] - 6) - 0.2 * (params["rows"] - 0.7) ** 2


SHARED = [
    {"kind": ["poly"], "C": (1e-3, 1e3, "log-uniform"), "degree": (1, 6, "int")},
    {"kind": ["rbf"], "C": (1e-3, 1e3, "log-uniform"), "gamma": (1e-4, 1e1, "log-uniform")},
    {"kind": ["linear"], "C": (1e-3, 1e3, "log-uniform")},
    {
        "kind": ["mixture"],
        "C": (1e-3, 1e3, "log-uniform"),
        "gamma": (1e-4, 1e1, "log-uniform"),
        "share": (0.0, 1.0, "uniform"),
    },
]


def shared(params: Params) -> float:
    """Resemble a kernel machine whose kernels share the penalty and have some parameters more."""
    C, kind = math.log10(params["C"]), params["kind"]
    if kind == "linear":
        return -0.2 - 0.03 * (C + 1.3) ** 2
    if kind == "poly":
        return -0.14 - 0.03 * (C + 0.2 * params["degree"]) ** 2 - 0.02 * abs(params["degree"] - 3)
    ridge = 0.02 * (C + math.log10(params["gamma"]) + 1.0) ** 2
    if kind == "rbf":
        return -0.1 - ridge - 0.01 * (C - 1.4) ** 2
    return -0.08 - ridge - 0.015 * (C - 0.6) ** 2 - 0.3 * (params["share"] - 0.35) ** 2


def on_cube(
    name: str,
    function: Callable[[np.ndarray], float],
    n_dims: int,
    *,
    optimum: float = 0.0,
    noise: float = 0.0,
    held_out: bool = False,
) -> Problem:
    tags = ({"noisy"} if noise else set()) | kinds(cube(n_dims))
    return Problem(
        name,
        cube(n_dims),
        partial(in_cube, function),
        frozenset(tags),
        held_out=held_out,
        noise=noise,
        optimum=optimum,
    )


def made_functions() -> list[Problem]:
    best_branin, best_hartmann = -0.39788735772973816, 3.322368011415511
    return [
        on_cube("branin", branin, 2, optimum=best_branin),
        on_cube("hartmann 6", hartmann, 6, optimum=best_hartmann),
        on_cube("ackley 5", ackley, 5, held_out=True),
        on_cube("levy 8", levy, 8),
        on_cube("rosenbrock 4", rosenbrock, 4, held_out=True),
        on_cube("cliffs 5", cliffs, 5),
        on_cube("branin, noisy", branin, 2, optimum=best_branin, noise=10.0),
        on_cube("hartmann 6, noisy", hartmann, 6, optimum=best_hartmann, noise=0.25, held_out=True),
        on_cube("levy 4, noisy", levy, 4, noise=4.0),
        on_cube("hartmann 6 in 20", hartmann, 20, optimum=best_hartmann),
        on_cube("levy 20", levy, 20),
        on_cube("bowl 20", bowl, 20, held_out=True),
        on_cube("rosenbrock 4 in 20", sparse_rosenbrock, 20, held_out=True),
        Problem("mixed 7", MIXED, mixed, frozenset({"mixed"})),
        Problem("mixed 7, noisy", MIXED, mixed, frozenset({"mixed", "noisy"}), True, 0.08),
        Problem("choices 6", CHOICES, table, frozenset({"mixed"})),
        Problem("choices and counts 8", ORDINALS, table, frozenset({"mixed"}), True),
        Problem("branches 3", BRANCHES, branches, frozenset({"mixed", "conditional"})),
        Problem("branches 4", SHARED, shared, frozenset({"mixed", "conditional"}), True),
    ]


# ------------------------------------------------------- problems with many branches

CLASSIFIERS = [
    {
        "model": [LogisticRegression(max_iter=60)],
        "model__C": (1e-4, 1e4, "log-uniform"),
        "model__class_weight": [None, "balanced"],
    },
    {
        "model": [KNeighborsClassifier()],
        "model__n_neighbors": (1, 60, "log-int"),
        "model__weights": ["uniform", "distance"],
        "model__p": (1.0, 4.0, "uniform"),
    },
    {"model": [GaussianNB()], "model__var_smoothing": (1e-9, 1e1, "log-uniform")},
    {
        "model": [LinearDiscriminantAnalysis(solver="lsqr")],
        "model__shrinkage": (0.0, 1.0, "uniform"),
    },
    {
        "model": [DecisionTreeClassifier(random_state=0)],
        "model__max_depth": (1, 30, "int"),
        "model__min_samples_leaf": (1, 40, "log-int"),
        "model__max_features": (0.05, 1.0, "uniform"),
    },
]
REGRESSORS = [
    {
        "model": [ElasticNet(max_iter=200)],
        "model__alpha": (1e-4, 1e2, "log-uniform"),
        "model__l1_ratio": (0.0, 1.0, "uniform"),
    },
    {
        "model": [KNeighborsRegressor()],
        "model__n_neighbors": (1, 60, "log-int"),
        "model__weights": ["uniform", "distance"],
    },
    {
        "model": [SVR()],
        "model__C": (1e-2, 1e4, "log-uniform"),
        "model__gamma": (1e-5, 1e1, "log-uniform"),
        "model__epsilon": (1e-2, 1e2, "log-uniform"),
    },
    {
        "model": [KernelRidge(kernel="polynomial")],
        "model__alpha": (1e-4, 1e2, "log-uniform"),
        "model__gamma": (1e-5, 1e1, "log-uniform"),
        "model__degree": (1, 4, "int"),
    },
    {
        "model": [DecisionTreeRegressor(random_state=0)],
        "model__max_depth": (1, 15, "int"),
        "model__min_samples_leaf": (1, 60, "log-int"),
    },
]
KERNELS = [
    {"kernel": ["linear"], "C": (1e-4, 1e3, "log-uniform")},
    {
        "kernel": ["rbf"],
        "C": (1e-3, 1e4, "log-uniform"),
        "gamma": (1e-6, 1e1, "log-uniform"),
    },
    {
        "kernel": ["poly"],
        "C": (1e-3, 1e4, "log-uniform"),
        "gamma": (1e-4, 1e0, "log-uniform"),
        "degree": (2, 5, "int"),
        "coef0": (-1.0, 1.0, "uniform"),
    },
    {
        "kernel": ["sigmoid"],
        "C": (1e-3, 1e4, "log-uniform"),
        "gamma": (1e-6, 1e1, "log-uniform"),
        "coef0": (-1.0, 1.0, "uniform"),
    },
]
# Each way to reduce the columns with each model.
REDUCTIONS = [
    reduction | model
    for reduction in (
        {"reduce": [PCA(random_state=0)], "reduce__n_components": (1, 30, "log-int")},
        {"reduce": [SelectKBest()], "reduce__k": (1, 30, "log-int")},
        {"reduce": ["passthrough"]},
    )
    for model in (
        {"model": [LogisticRegression(max_iter=60)], "model__C": (1e-4, 1e4, "log-uniform")},
        {
            "model": [SVC()],
            "model__C": (1e-3, 1e3, "log-uniform"),
            "model__gamma": (1e-5, 1e1, "log-uniform"),
        },
        {
            "model": [KNeighborsClassifier()],
            "model__n_neighbors": (1, 40, "log-int"),
            "model__weights": ["uniform", "distance"],
        },
    )
]


def valleys(params: Params, *, seed: int) -> float:
    """Score one of many models: a curved valley of its own columns, with a height of its own.

    Parameters ``x..`` belong to one branch, ``s..`` to all; their best values differ little
    between branches.
    """
    rng = np.random.default_rng([seed, int(params["model"][1:])])
    height, total = 0.25 * rng.exponential(), 0.0
    for name, value in sorted(params.items()):
        if name == "model":
            continue
        place, steepness = rng.uniform(0.15, 0.85), rng.uniform(0.3, 3.0)
        if name[0] == "s":
            place = 0.35 + 0.2 * place
        total += steepness * abs(value - place) ** 1.7
    return -height - total


def many_branches(n_branches: int, n_own: int, n_shared: int) -> list[dict[str, Any]]:
    return [
        {"model": [f"m{branch}"]}
        | {f"x{branch}{k}": (0.0, 1.0, "uniform") for k in range(n_own)}
        | {f"s{k}": (0.0, 1.0, "uniform") for k in range(n_shared)}
        for branch in range(n_branches)
    ]


def branched_problems() -> list[Problem]:
    model = Pipeline([("model", GaussianNB())])
    reduced = Pipeline([("reduce", PCA(random_state=0)), ("model", SVC())])
    eight, five = many_branches(8, 4, 0), many_branches(5, 2, 3)
    # name, space, function, held out
    rows: list[tuple[str, Any, Callable[[Params], float], bool]] = [
        ("classifiers, wine, log_loss", CLASSIFIERS, Tuning(model, "wine", LOG_LOSS), False),
        ("regressors, diabetes, squared", REGRESSORS, Tuning(model, "diabetes", SQUARED), True),
        ("kernels, iris, accuracy", KERNELS, Tuning(SVC(max_iter=2000), "iris", ACCURACY), False),
        ("reductions, breast, accuracy", REDUCTIONS, Tuning(reduced, "breast", ACCURACY), False),
        ("branches 8 of 4", eight, partial(valleys, seed=1), False),
        ("branches 5, shared", five, partial(valleys, seed=2), True),
    ]
    return [
        Problem(
            name,
            entries,
            function,
            frozenset({"branched"} | kinds(entries) | live(function)),
            held_out=held_out,
        )
        for name, entries, function, held_out in rows
    ]


def live(function: Callable[[Params], float]) -> set[str]:
    """Return the tag of functions that fit."""
    return {"live"} if isinstance(function, Tuning) else set()


@lru_cache
def problems() -> dict[str, Problem]:
    """Return all problems by name."""
    every = (*live_tasks(), *made_functions(), *branched_problems())
    return {problem.name: problem for problem in every}
