"""Models: what is tried where the user names no estimator, and where each of them starts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, Matern, WhiteKernel
from sklearn.linear_model import ElasticNet, LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    SplineTransformer,
    StandardScaler,
)
from sklearn.svm import SVC, SVR
from sklearn.utils.validation import has_fit_parameter

from sklearn_lepton._columns import Columns, for_distances, for_trees
from sklearn_lepton._dimension import Categorical, Integer, Real

_SKEWED = 1.0  # from which skewness of the target on its transformation is tried
_IMBALANCED = 0.2  # share of the rarest class, below which weights of classes are tried
_MOST_PRODUCTS = 20  # numbers, whose products linear models are given
_LEAST_CLASS = 10  # rows of the rarest class that some models need

_SCALE = "prepare__numbers__scale"


@dataclass(frozen=True)
class Task:
    """What is to be learned.

    Attributes
    ----------
    is_classifier : bool
    columns : Columns
    n_rows : int
    n_classes : int
        0 in regression.
    least_class : int
        Rows of the rarest class; `n_rows` in regression.
    n_targets : int
    skewness : float
        Of the target, in regression.
    has_weights : bool
        Whether models must take ``sample_weight``.
    is_constant : bool
        Whether there is a single value of the target.
    """

    is_classifier: bool
    columns: Columns
    n_rows: int
    n_classes: int = 0
    least_class: int = 0
    n_targets: int = 1
    skewness: float = 0.0
    has_weights: bool = False
    is_constant: bool = False

    @property
    def n_made(self) -> int:
        """Columns after preparation, at least 1."""
        return max(self.columns.n_made, 1)

    @property
    def cells(self) -> int:
        """Number of values of the prepared data."""
        return self.n_rows * self.n_made


class Model(NamedTuple):
    """One model of the portfolio.

    Attributes
    ----------
    name : str
        In words.
    estimator : estimator object
    is_tree : bool
        Whether it is given codes and missing values.
    space : dict
        Of the estimator's own parameters.
    starts : list of dict
        Settings that are tried first, the best guess first.
    path : str
        What stands before the names of the model's parameters.
    prepare : dict
        What of the preparation is tuned.
    """

    name: str
    estimator: Any
    is_tree: bool
    space: Mapping[str, Any]
    starts: Sequence[Mapping[str, Any]]
    path: str = ""
    prepare: Mapping[str, Any] = {}  # noqa: RUF012 - never changed


class Portfolio(NamedTuple):
    """What a search is to search.

    Attributes
    ----------
    pipeline : Pipeline
        With the steps ``prepare`` and ``model``.
    space : list of dict
        A branch a model.
    starts : list of dict
        Settings of `space`, in the order in which they are tried.
    names : list of str
        Of the models, in words, by branch.
    """

    pipeline: Pipeline
    space: list[dict[str, Any]]
    starts: list[dict[str, Any]]
    names: list[str]


def make_portfolio(task: Task) -> Portfolio:
    """Choose models, their spaces and where they start.

    Parameters
    ----------
    task : Task

    Returns
    -------
    portfolio : Portfolio
    """
    has_columns = task.columns.is_sparse or bool(
        task.columns.numbers or task.columns.categories or task.columns.dates or task.columns.texts
    )
    if task.is_constant or not has_columns:
        dummy = DummyClassifier() if task.is_classifier else DummyRegressor()
        pipeline = Pipeline([("prepare", for_trees(Columns(is_sparse=True))), ("model", dummy)])
        name = "a constant prediction"
        return Portfolio(pipeline, [{"model": [dummy]}], [{"model": dummy}], [name])
    models = _classifiers(task) if task.is_classifier else _regressors(task)
    preparations = {True: for_trees(task.columns), False: for_distances(task.columns)}
    branches, queues = [], []
    for model in models:
        first = {"prepare": preparations[model.is_tree], "model": model.estimator}
        branch = {name: Categorical([value]) for name, value in first.items()}
        branch |= {f"model__{model.path}{name}": v for name, v in model.space.items()}
        branch |= model.prepare
        branches.append(branch)
        queues.append([
            first | {n if "__" in n else f"model__{model.path}{n}": v for n, v in start.items()}
            for start in model.starts
        ])  # fmt: skip
    rounds = range(max(map(len, queues)))
    starts = [queue[turn] for turn in rounds for queue in queues if turn < len(queue)]
    first = queues[0][0]
    pipeline = Pipeline([("prepare", first["prepare"]), ("model", first["model"])])
    return Portfolio(pipeline, branches, starts, [model.name for model in models])


def _scales(task: Task, *, is_linear: bool = False) -> dict[str, Any]:
    """Make the space of what becomes of numbers, and name the choices."""
    if task.columns.is_sparse or not task.columns.numbers:
        return {}
    return {name: scale for name, scale in _all_scales(task).items() if is_linear or name in _PLAIN}


_PLAIN = ("standard", "normal")


def _all_scales(task: Task) -> dict[str, Any]:
    n_quantiles = int(min(100, max(5, task.n_rows // 3)))
    normal = QuantileTransformer(n_quantiles=n_quantiles, output_distribution="normal")
    scales = {"standard": StandardScaler(), "normal": normal}
    if len(task.columns.numbers) <= _MOST_PRODUCTS * 2 and task.n_rows >= 50:
        scales["splines"] = Pipeline([
            ("rank", QuantileTransformer(n_quantiles=n_quantiles)),
            ("spline", SplineTransformer(n_knots=5, include_bias=False)),
        ])  # fmt: skip
    if 1 < len(task.columns.numbers) <= _MOST_PRODUCTS:
        scales["products"] = Pipeline([
            ("first", StandardScaler()),
            ("products", PolynomialFeatures(include_bias=False)),
            ("scale", StandardScaler()),
        ])  # fmt: skip
    return scales


class _Scales:
    """The choices of `_SCALE` as the same objects in all models, since they are one dimension."""

    def __init__(self, task: Task) -> None:
        self.linear = _scales(task, is_linear=True)
        self.plain = {name: self.linear[name] for name in _PLAIN if name in self.linear}

    def tuned(self, *, is_linear: bool) -> dict[str, Any]:
        choices = self.linear if is_linear else self.plain
        return {_SCALE: list(choices.values())} if choices else {}

    def start(self, name: str) -> dict[str, Any]:
        """Return the part of a start that names a choice; nothing where there is none."""
        return {_SCALE: self.linear[name]} if name in self.linear else {}

    def has(self, name: str) -> bool:
        return name in self.linear


def _leaf(task: Task) -> Integer:
    return Integer(1, max(2, min(50, task.n_rows // 10)), log=True)


def _forest_space(task: Task) -> dict[str, Any]:
    return {
        "max_features": Real(min(0.1, 1.0), 1.0),
        "min_samples_leaf": _leaf(task),
        "n_estimators": Integer(50, 400, log=True),
    }


def _boosting_space(task: Task) -> dict[str, Any]:
    space: dict[str, Any] = {
        "learning_rate": Real(0.01, 0.3, log=True),
        "max_iter": Integer(25, 400, log=True),
        "max_leaf_nodes": Integer(3, 63, log=True),
        "min_samples_leaf": Integer(2, max(3, min(100, task.n_rows // 5)), log=True),
        "l2_regularization": Real(1e-3, 100.0, log=True),
        "max_features": Real(0.3, 1.0),
    }
    if task.columns.categories:
        places = list(range(len(task.columns.categories)))
        space["categorical_features"] = [None, places]
    return space


def _boosting_starts(task: Task) -> list[dict[str, Any]]:
    leaf = max(2, min(20, task.n_rows // 20))
    starts: list[dict[str, Any]] = [
        {"learning_rate": 0.05, "max_iter": 120, "max_leaf_nodes": 6, "l2_regularization": 1.0},
        {"learning_rate": 0.1, "max_iter": 100, "max_leaf_nodes": 31, "l2_regularization": 1e-3},
        {"learning_rate": 0.05, "max_iter": 300, "max_leaf_nodes": 16, "l2_regularization": 10.0},
    ]
    if task.n_rows > 20_000:
        starts = starts[1:]
    for start in starts:
        start |= {"min_samples_leaf": leaf, "max_features": 1.0}
        if task.columns.categories:
            start["categorical_features"] = None
    starts[0]["max_features"] = 0.5
    return starts


def _is_fit(model: Model, task: Task) -> bool:
    """Say whether a model takes what the task needs."""
    estimator = model.estimator
    inner = getattr(estimator, "regressor", estimator)
    return not task.has_weights or has_fit_parameter(inner, "sample_weight")


def _class_weights(task: Task) -> dict[str, Any]:
    if task.least_class >= _IMBALANCED * task.n_rows or task.n_targets > 1:
        return {}
    return {"class_weight": [None, "balanced"]}


def _unweighted(space: Mapping[str, Any]) -> dict[str, Any]:
    return {"class_weight": None} if "class_weight" in space else {}


def _classifiers(task: Task) -> list[Model]:
    scales, weights = _Scales(task), _class_weights(task)
    linear = scales.tuned(is_linear=True)
    plain = scales.tuned(is_linear=False)
    n, p, dense = task.n_rows, task.n_made, not task.columns.is_sparse
    none = _unweighted(weights)
    models: list[Model] = []
    if task.n_targets == 1:
        starts = [scales.start("standard") | none | {"C": 1.0}]
        starts += [scales.start(k) | none | {"C": 0.1} for k in ("splines", "products") if scales.has(k)]
        starts += [scales.start("standard") | none | {"C": 0.03}]
        models.append(
            Model(
                "logistic regression",
                LogisticRegression(max_iter=500),
                False,
                {"C": Real(1e-4, 1e3, log=True), **weights},
                starts,
                prepare=linear,
            )
        )
        if dense:
            models.append(
                Model(
                    "gradient boosting",
                    HistGradientBoostingClassifier(early_stopping=False, random_state=0),
                    True,
                    _boosting_space(task) | weights,
                    [none | start for start in _boosting_starts(task)],
                )
            )
    for name, forest in (
        ("extra trees", ExtraTreesClassifier(random_state=0)),
        ("random forest", RandomForestClassifier(random_state=0)),
    ):
        root = float(np.clip(1.0 / np.sqrt(p), 0.1, 1.0))
        few = {"max_features": root, "n_estimators": 150, **none}
        leaves = [{"min_samples_leaf": leaf} for leaf in ((3, 1) if n < 20_000 else (10,))]
        leaves = [leaf for leaf in leaves if leaf["min_samples_leaf"] <= max(2, n // 10)]
        space = _forest_space(task) | weights | {"criterion": ["gini", "entropy"]}
        starts = [few | {"criterion": "entropy"} | leaf for leaf in leaves]
        models.append(Model(name, forest, True, space, starts))
    if task.n_targets == 1 and n <= 3000 and task.least_class >= 5:
        models.append(
            Model(
                "support vectors",
                CalibratedClassifierCV(SVC(random_state=0), ensemble=False, cv=3),
                False,
                {"C": Real(1e-2, 1e3, log=True), "gamma": Real(1e-2 / p, 10.0 / p, log=True), **weights},
                [_plain_start(scales) | none | {"C": 1.0, "gamma": 0.5 / p}],
                path="estimator__",
                prepare=plain,
            )
        )
    if task.n_targets == 1 and dense and p <= 300:
        models.append(
            Model(
                "linear discriminants",
                LinearDiscriminantAnalysis(solver="lsqr"),
                False,
                {"shrinkage": Real(1e-4, 1.0, log=True)},
                [scales.start("normal") | {"shrinkage": 0.01}],
                prepare=linear,
            )
        )
        models.append(
            Model(
                "naive Bayes",
                GaussianNB(),
                False,
                {"var_smoothing": Real(1e-9, 1.0, log=True)},
                [_plain_start(scales) | {"var_smoothing": 1e-2}],
                prepare=plain,
            )
        )
        if p <= 50 and task.least_class >= max(_LEAST_CLASS, 2 * p):
            models.append(
                Model(
                    "quadratic discriminants",
                    QuadraticDiscriminantAnalysis(),
                    False,
                    {"reg_param": Real(1e-4, 1.0, log=True)},
                    [_plain_start(scales) | {"reg_param": 0.1}],
                    prepare=plain,
                )
            )
    if n <= 20_000:
        models.append(_neighbours(KNeighborsClassifier(), task, plain, scales))
    models.append(_network(MLPClassifier, task, plain, scales))
    return [model for model in models if _is_fit(model, task)]


def _plain_start(scales: _Scales, name: str = "standard") -> dict[str, Any]:
    return scales.start(name)


def _neighbours(
    estimator: Any, task: Task, plain: dict[str, Any], scales: _Scales, path: str = ""
) -> Model:
    most = max(2, min(100, task.n_rows // 4))
    return Model(
        "nearest neighbours",
        estimator,
        False,
        {"n_neighbors": Integer(1, most, log=True), "weights": ["uniform", "distance"], "p": [1, 2]},
        [
            _plain_start(scales)
            | {"n_neighbors": min(15, most), "weights": "distance", "p": 1}
        ],
        path=path,
        prepare=plain,
    )  # fmt: skip


def _network(
    kind: Any, task: Task, plain: dict[str, Any], scales: _Scales, path: str = ""
) -> Model:
    is_small = task.n_rows < 5000
    # Few rows are too few to leave some out for early stopping: a weight decay takes its place.
    network = kind(
        hidden_layer_sizes=(64,),
        early_stopping=not is_small,
        max_iter=100 if is_small else 200,
        tol=1e-3 if is_small else 1e-4,
        n_iter_no_change=10,
        random_state=0,
    )
    estimator = TransformedTargetRegressor(network, transformer=StandardScaler()) if path else network
    space = {
        "alpha": Real(1e-4, 30.0, log=True),
        "hidden_layer_sizes": [(32,), (64,), (128,), (32, 32), (64, 64)],
        "learning_rate_init": Real(1e-3, 3e-2, log=True),
    }
    start = {"alpha": 1.0, "hidden_layer_sizes": (64,), "learning_rate_init": 5e-3}
    return Model(
        "neural network",
        estimator,
        False,
        space,
        [_plain_start(scales) | start],
        path=path,
        prepare=plain,
    )


def _regressors(task: Task) -> list[Model]:
    scales = _Scales(task)
    linear, plain = scales.tuned(is_linear=True), scales.tuned(is_linear=False)
    n, p, dense = task.n_rows, task.n_made, not task.columns.is_sparse
    is_one = task.n_targets == 1
    targets = [StandardScaler()]
    if task.skewness > _SKEWED:
        targets.append(PowerTransformer())
    last = targets[-1]

    def scaled(regressor: Any) -> Any:
        return TransformedTargetRegressor(regressor, transformer=targets[0])

    path, of_target = "regressor__", {"model__transformer": targets}
    first = {"model__transformer": last}
    leaf = max(1, min(3, n // 10))
    models: list[Model] = []
    ridge = [{"alpha": 1.0} | scales.start("standard")]
    ridge += [{"alpha": 1.0} | scales.start(k) for k in ("splines", "products") if scales.has(k)]
    models.append(
        Model(
            "ridge regression",
            scaled(Ridge()),
            False,
            {"alpha": Real(1e-3, 1e4, log=True)},
            [first | start for start in ridge],
            path=path,
            prepare=linear | of_target,
        )
    )
    if is_one and dense:
        models.append(
            Model(
                "gradient boosting",
                scaled(HistGradientBoostingRegressor(early_stopping=False, random_state=0)),
                True,
                _boosting_space(task),
                [first | start for start in _boosting_starts(task)],
                path=path,
                prepare=of_target,
            )
        )
    for name, forest in (
        ("extra trees", ExtraTreesRegressor(random_state=0)),
        ("random forest", RandomForestRegressor(random_state=0)),
    ):
        few = {"max_features": 0.6 if p > 2 else 1.0, "n_estimators": 100}
        start = first | few | {"min_samples_leaf": leaf}
        space = _forest_space(task)
        models.append(Model(name, scaled(forest), True, space, [start], path=path, prepare=of_target))
    if is_one and n <= 5000:
        models.append(
            Model(
                "support vectors",
                scaled(SVR()),
                False,
                {
                    "C": Real(1e-2, 1e3, log=True),
                    "gamma": Real(1e-2 / p, 10.0 / p, log=True),
                    "epsilon": Real(1e-3, 0.5, log=True),
                },
                [first | _plain_start(scales) | {"C": 1.0, "gamma": 0.5 / p, "epsilon": 0.1}],
                path=path,
                prepare=plain | of_target,
            )
        )
    if dense and n <= 800 and is_one:
        models.append(_process(scaled, task, plain | of_target, first | _plain_start(scales)))
    models.append(
        Model(
            "elastic net",
            scaled(ElasticNet(max_iter=2000)),
            False,
            {"alpha": Real(1e-4, 1.0, log=True), "l1_ratio": Real(0.05, 1.0)},
            [
                first | scales.start(k) | {"alpha": 0.01, "l1_ratio": 0.9}
                for k in (["products"] if scales.has("products") else ["standard"])
            ],
            path=path,
            prepare=linear | of_target,
        )
    )  # fmt: skip
    if n <= 20_000:
        neighbours = _neighbours(scaled(KNeighborsRegressor()), task, plain | of_target, scales, path)
        models.append(neighbours)
    network = _network(MLPRegressor, task, plain | of_target, scales, path)
    models.append(network)
    return [model for model in models if _is_fit(model, task)]


def _process(scaled: Any, task: Task, prepare: dict[str, Any], start: dict[str, Any]) -> Model:
    width = float(np.sqrt(task.n_made))
    noise = WhiteKernel(0.3, (1e-5, 10.0))
    kernels = [
        ConstantKernel(1.0) * RBF(width, (0.05 * width, 100 * width)) + noise,
        ConstantKernel(1.0) * Matern(width, (0.05 * width, 100 * width), nu=1.5) + noise,
        ConstantKernel(0.1) * DotProduct(1.0)
        + ConstantKernel(1.0) * Matern(width, (0.05 * width, 100 * width), nu=2.5)
        + noise,
    ]
    process = GaussianProcessRegressor(kernels[0], random_state=0)
    return Model(
        "Gaussian process",
        scaled(process),
        False,
        {"kernel": kernels},
        [start | {"kernel": kernels[1]}],
        path="regressor__",
        prepare=prepare,
    )
