"""Models: the estimators of a model search, with their spaces and initial configurations.

Each builder function below returns one model for a task, or None if it does not suit the task.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
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

from sklearn_lepton._automl.preprocessing import coded, with_default_output
from sklearn_lepton._automl.task import Task
from sklearn_lepton.default_spaces._linear import max_iterations
from sklearn_lepton.space._dimension import Integer, Real

_SKEWED = 1.0  # skewness of the target above which a power transformation is tried
_MAX_SPLINES, _MAX_PRODUCTS = 40, 20  # numeric columns
_MIN_ROWS = 50  # for splines and products
MANY = 20_000  # rows above which boosting may have large trees
LARGE = 5000  # rows above which expensive models start with cheaper configurations
_MAX_ROWS = {"svm": 3000, "gaussian_process": 800, "neighbours": 20_000}
_MIN_CLASS = {"svm": 6, "discriminants": 2, "quadratic": 10}

_SCALE = "prepare__numbers__scale"
_TARGET = "model__transformer"


class Model(NamedTuple):
    """One model of the portfolio.

    Attributes
    ----------
    name : str
        Name for display.
    estimator : estimator object
    is_tree : bool
        Whether the model takes ordinal codes and missing values.
    space : dict
        Search space of the pipeline's parameters.
    starts : list of dict
        Initial configurations, the most promising first.
    labels : dict of str to dict
        Names of parameters, each with the objects that it may have, by their labels.
    """

    name: str
    estimator: Any
    is_tree: bool
    space: Mapping[str, Any]
    starts: Sequence[Mapping[str, Any]]
    labels: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class ModelFactory:
    """Factory of the models of a task.

    All models share the same transformer objects, so that these form one dimension of the space.

    Attributes
    ----------
    task : Task
    scales : dict
        Transformers of numeric columns, by name.
    targets : dict
        Transformers of the target, by name.
    """

    task: Task
    scales: Mapping[str, Any] = field(default_factory=dict)
    targets: Mapping[str, Any] = field(default_factory=dict)

    def model(
        self,
        name: str,
        estimator: Any,
        space: Mapping[str, Any],
        *starts: Mapping[str, Any],
        scales: Sequence[str] = (),
        path: str = "",
    ) -> Model:
        """Return a model with its space and initial configurations.

        Parameters
        ----------
        name : str
        estimator : estimator object
        space : dict
            Search space of the estimator's parameters. A dict of objects is a list with labels.
        *starts : dict
            Initial configurations of the estimator; ``"scale"`` names one of `scales`.
        scales : sequence of str, default=()
            Names of the transformers to try for numeric columns; empty for trees.
        path : str, default=""
            Prefix of the parameter names.

        Returns
        -------
        model : Model
        """
        choices = {key: self.scales[key] for key in scales if key in self.scales}
        whole: dict[str, Any] = {_SCALE: choices} if choices else {}
        fixed: dict[str, Any] = {}
        if not self.task.is_classifier:
            first, *_, last = [*self.targets.values()] * 2
            estimator = TransformedTargetRegressor(estimator, transformer=first)
            path = "regressor__"
            whole[_TARGET], fixed[_TARGET] = self.targets, last
        elif self.task.is_imbalanced and "class_weight" in estimator.get_params(deep=False):
            space = {**space, "class_weight": [None, "balanced"]}
            fixed[f"model__{path}class_weight"] = None
        whole |= {f"model__{path}{key}": values for key, values in space.items()}
        labels = {key: values for key, values in whole.items() if isinstance(values, Mapping)}
        whole |= {key: list(values.values()) for key, values in labels.items()}
        queue = []
        for start in starts:
            scale = start.get("scale", "standard")
            if choices and scale not in choices:
                continue
            own = {f"model__{path}{key}": v for key, v in start.items() if key != "scale"}
            queue.append(fixed | own | ({_SCALE: choices[scale]} if choices else {}))
        return Model(name, estimator, not scales, whole, queue, labels)


def make_factory(task: Task) -> ModelFactory:
    """Return the model factory of a task, with the transformers that suit its data.

    Parameters
    ----------
    task : Task

    Returns
    -------
    factory : ModelFactory
    """
    targets: dict[str, Any] = {"standard": with_default_output(StandardScaler())}
    if task.skewness > _SKEWED:
        targets["power"] = with_default_output(PowerTransformer())
    n_numbers = len(task.columns.numbers)
    if task.columns.is_sparse or not n_numbers:
        return ModelFactory(task, targets=targets)
    n_quantiles = int(min(100, max(5, task.n_rows // 3)))
    scales: dict[str, Any] = {
        "standard": StandardScaler(),
        "normal": QuantileTransformer(
            n_quantiles=n_quantiles, output_distribution="normal", random_state=0
        ),
    }
    if n_numbers <= _MAX_SPLINES and task.n_rows >= _MIN_ROWS:
        rank = QuantileTransformer(n_quantiles=n_quantiles, random_state=0)
        spline = SplineTransformer(n_knots=5, include_bias=False)
        scales["splines"] = Pipeline([("rank", rank), ("spline", spline)])
    if 1 < n_numbers <= _MAX_PRODUCTS and task.n_rows >= _MIN_ROWS:
        steps = [("before", StandardScaler()), ("products", PolynomialFeatures(include_bias=False))]
        scales["products"] = Pipeline([*steps, ("after", StandardScaler())])
    return ModelFactory(
        task, {name: with_default_output(scale) for name, scale in scales.items()}, targets
    )


_PLAIN = ("standard", "normal")
_LINEAR = (*_PLAIN, "splines", "products")


def linear(factory: ModelFactory) -> Model | None:
    """Return ridge or logistic regression."""
    if not factory.task.is_classifier:
        starts = [{"alpha": 1.0, "scale": scale} for scale in ("standard", "splines", "products")]
        space = {"alpha": Real(1e-3, 1e4, log=True)}
        return factory.model("ridge regression", Ridge(), space, *starts, scales=_LINEAR)
    if not factory.task.is_single:
        return None
    logistic = LogisticRegression(max_iter=500)
    weights = {"standard": 1.0, "splines": 0.1, "products": 0.1}
    starts = [{"C": C, "scale": scale} for scale, C in weights.items()]
    space = {"C": Real(1e-4, 1e3, log=True)}
    return factory.model("logistic regression", logistic, space, *starts, scales=_LINEAR)


def boosting(factory: ModelFactory) -> Model | None:
    """Return histogram gradient boosting."""
    task = factory.task
    if not task.is_single or task.columns.is_sparse:
        return None
    kind = HistGradientBoostingClassifier if task.is_classifier else HistGradientBoostingRegressor
    # Each iteration fits one tree per class: use fewer iterations and larger steps for many.
    share = (2.0 / max(2, task.n_classes)) ** 0.5
    # Many rows support large trees, which then need fewer iterations.
    has_many_rows = task.n_rows >= MANY
    max_leaves = min(1023, task.n_rows // 100) if has_many_rows else 63
    space: dict[str, Any] = {
        "learning_rate": Real(0.02, 0.5 if has_many_rows else 0.3, log=True),
        "max_iter": Integer(20, max(60, int(400 * share)), log=True),
        "max_leaf_nodes": Integer(3, max_leaves, log=True),
        "min_samples_leaf": Integer(2, max(3, min(100, task.n_rows // 5)), log=True),
        "l2_regularization": Real(1e-3, 100.0, log=True),
        "max_features": Real(0.3, 1.0),
    }
    shared: dict[str, Any] = {"min_samples_leaf": max(2, min(20, task.n_rows // 20))}
    if n_coded := len(coded(task)):
        space["categorical_features"] = [None, list(range(n_coded))]
        shared["categorical_features"] = None
    names = [*list(space)[:3], "l2_regularization", "max_features"]
    table = [(0.1, 60, 8, 1.0, 0.7), (0.1, 100, 31, 1e-3, 1.0), (0.05, 250, 12, 10.0, 0.5)]
    if has_many_rows:
        large = min(511, max_leaves)
        table = [(0.1, 100, 31, 1e-3, 1.0), (0.2, 60, 127, 1.0, 0.7), (0.2, 60, large, 10.0, 0.7)]
    starts = [shared | dict(zip(names, row, strict=True)) for row in table]
    for start in starts:
        start["learning_rate"] = min(0.3, start["learning_rate"] / share)
        start["max_iter"] = max(20, int(start["max_iter"] * share))
    estimator = kind(early_stopping=False, random_state=0)
    return factory.model("gradient boosting", estimator, space, *starts)


def extra_trees(factory: ModelFactory) -> Model | None:
    """Return extremely randomized trees."""
    kind = ExtraTreesClassifier if factory.task.is_classifier else ExtraTreesRegressor
    return _forest(factory, "extra trees", kind)


def forest(factory: ModelFactory) -> Model | None:
    """Return a random forest."""
    kind = RandomForestClassifier if factory.task.is_classifier else RandomForestRegressor
    return _forest(factory, "random forest", kind)


def _forest(factory: ModelFactory, name: str, kind: Any) -> Model:
    task = factory.task
    leaf = Integer(1, max(2, min(50, task.n_rows // 10)), log=True)
    space: dict[str, Any] = {
        "max_features": Real(0.1, 1.0),
        "min_samples_leaf": leaf,
        "n_estimators": Integer(50, 300, log=True),
    }
    share = 1.0 / np.sqrt(task.width) if task.is_classifier else 0.6
    start: dict[str, Any] = {
        "max_features": float(np.clip(share, 0.1, 1.0)),
        "min_samples_leaf": 3 if task.n_rows < LARGE else 10,
        "n_estimators": 100 if task.n_rows < LARGE else 50,
    }
    start["min_samples_leaf"] = min(start["min_samples_leaf"], leaf.high)
    if task.is_classifier:
        space["criterion"] = ["gini", "entropy"]
        start["criterion"] = "entropy"
    return factory.model(name, kind(random_state=0), space, start)


class SeededSVR(SVR):  # type: ignore[misc]
    """Support vector regression that does not use numpy's global generator.

    `SVR` draws an unused seed from numpy's global generator and accepts no ``random_state``.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Fit the model as `SVR` does."""
        self.random_state = 0
        return super().fit(X, y, sample_weight)


def svm(factory: ModelFactory) -> Model | None:
    """Return a support vector machine; classifiers are calibrated to predict probabilities."""
    task = factory.task
    if task.n_rows > _MAX_ROWS["svm"] or not task.is_single:
        return None
    gamma, max_iter = 1.0 / task.width, max_iterations(task.n_rows)
    space: dict[str, Any] = {
        "C": Real(1e-2, 1e3, log=True),
        "gamma": Real(0.01 * gamma, 10.0 * gamma, log=True),
    }
    start = {"C": 1.0, "gamma": 0.5 * gamma}
    if not task.is_classifier:
        space["epsilon"] = Real(1e-3, 0.5, log=True)
        start["epsilon"] = 0.1
        machine = SeededSVR(max_iter=max_iter)
        return factory.model("support vectors", machine, space, start, scales=_PLAIN)
    if task.smallest_class < _MIN_CLASS["svm"]:
        return None
    svc = SVC(random_state=0, max_iter=max_iter)
    machine = CalibratedClassifierCV(svc, ensemble=False, cv=3)
    path = "estimator__"
    return factory.model("support vectors", machine, space, start, scales=_PLAIN, path=path)


def gaussian_process(factory: ModelFactory) -> Model | None:
    """Return Gaussian process regression for small data."""
    task = factory.task
    is_small = task.n_rows <= _MAX_ROWS["gaussian_process"] and not task.columns.is_sparse
    if task.is_classifier or not task.is_single or not is_small:
        return None
    length = float(np.sqrt(task.width))
    bounds = (0.05 * length, 100.0 * length)
    noise = WhiteKernel(0.3, (1e-5, 10.0))
    smooth = ConstantKernel(1.0) * RBF(length, bounds) + noise
    rough = ConstantKernel(1.0) * Matern(length, bounds, nu=1.5) + noise
    trend = ConstantKernel(0.1) * DotProduct(1.0) + ConstantKernel(1.0) * Matern(length, bounds)
    space = {"kernel": {"smooth": smooth, "rough": rough, "trend": trend + noise}}
    estimator = GaussianProcessRegressor(smooth, random_state=0)
    return factory.model("Gaussian process", estimator, space, {"kernel": rough}, scales=_PLAIN)


def sparse_linear(factory: ModelFactory) -> Model | None:
    """Return elastic net regression."""
    if factory.task.is_classifier:
        return None
    space = {"alpha": Real(1e-4, 1.0, log=True), "l1_ratio": Real(0.05, 1.0)}
    scale = "products" if "products" in factory.scales else "standard"
    start = {"alpha": 0.01, "l1_ratio": 0.9, "scale": scale}
    estimator = ElasticNet(max_iter=2000, random_state=0)
    return factory.model("elastic net", estimator, space, start, scales=_LINEAR)


def neighbours(factory: ModelFactory) -> Model | None:
    """Return nearest neighbours."""
    task = factory.task
    if task.n_rows > _MAX_ROWS["neighbours"]:
        return None
    most = max(2, min(100, task.n_rows // 4))
    space = {
        "n_neighbors": Integer(1, most, log=True),
        "weights": ["uniform", "distance"],
        "p": [1, 2],
    }
    start = {"n_neighbors": min(15, most), "weights": "distance", "p": 1}
    if task.columns.is_sparse:
        space["p"], start["p"] = [2], 2
    kind = KNeighborsClassifier if task.is_classifier else KNeighborsRegressor
    return factory.model("nearest neighbours", kind(), space, start, scales=_PLAIN)


def network(factory: ModelFactory) -> Model | None:
    """Return a multilayer perceptron."""
    # Small data cannot spare rows for early stopping: weight decay regularises instead.
    is_small = factory.task.n_rows < LARGE
    estimator = (MLPClassifier if factory.task.is_classifier else MLPRegressor)(
        early_stopping=not is_small,
        max_iter=100 if factory.task.n_rows < 2000 else 40,
        tol=1e-3 if is_small else 1e-4,
        random_state=0,
    )
    space = {
        "alpha": Real(1e-4, 30.0, log=True),
        "hidden_layer_sizes": [(32,), (64,), (128,), (32, 32), (64, 64)],
        "learning_rate_init": Real(1e-3, 3e-2, log=True),
    }
    start = {"alpha": 1.0, "hidden_layer_sizes": (64,), "learning_rate_init": 5e-3}
    return factory.model("neural network", estimator, space, start, scales=_PLAIN)


def discriminants(factory: ModelFactory) -> Model | None:
    """Return linear discriminant analysis."""
    if not _suits_densities(factory.task, max_width=300) or factory.task.smallest_class < 2:
        return None
    estimator = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.01)
    space = {"shrinkage": Real(1e-4, 1.0, log=True)}
    start = {"shrinkage": 0.01, "scale": "normal"}
    return factory.model("linear discriminants", estimator, space, start, scales=_LINEAR)


def quadratic(factory: ModelFactory) -> Model | None:
    """Return quadratic discriminant analysis."""
    min_rows = max(_MIN_CLASS["quadratic"], 2 * factory.task.width)
    if not _suits_densities(factory.task, max_width=50) or factory.task.smallest_class < min_rows:
        return None
    space = {"reg_param": Real(1e-4, 1.0, log=True)}
    estimator = QuadraticDiscriminantAnalysis(reg_param=0.1)
    start = {"reg_param": 0.1}
    return factory.model("quadratic discriminants", estimator, space, start, scales=_PLAIN)


def naive_bayes(factory: ModelFactory) -> Model | None:
    """Return Gaussian naive Bayes."""
    if not _suits_densities(factory.task, max_width=10_000):
        return None
    space = {"var_smoothing": Real(1e-9, 1.0, log=True)}
    start = {"var_smoothing": 1e-2}
    return factory.model("naive Bayes", GaussianNB(), space, start, scales=_PLAIN)


def _suits_densities(task: Task, *, max_width: int) -> bool:
    """Return whether a task suits models of the density of each class."""
    is_dense = not task.columns.is_sparse and task.width <= max_width
    return task.is_classifier and task.is_single and is_dense


# A linear model, the most promising model, then cheap models first. `make_portfolio` moves
# boosting to the front for large data.
MODELS = (
    linear,
    boosting,
    sparse_linear,
    discriminants,
    extra_trees,
    svm,
    neighbours,
    forest,
    gaussian_process,
    network,
    naive_bayes,
    quadratic,
)
