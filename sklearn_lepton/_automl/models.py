"""Models: what is tried where the user names no estimator, and where each of them starts.

Each function below makes one model for a task, or none where it does not suit it: the
estimator, the space of its parameters, and the settings that are tried first.
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

from sklearn_lepton._automl.preprocessing import with_default_output
from sklearn_lepton._automl.task import Task
from sklearn_lepton.default_spaces._linear import max_iterations
from sklearn_lepton.space._dimension import Integer, Real

_SKEWED = 1.0  # skewness of the target, from which on its transformation is tried
_MAX_SPLINES, _MAX_PRODUCTS = 40, 20  # numbers
_MIN_ROWS = 50  # for splines and products
LARGE = 5000  # rows, from which on dear models get cheaper first settings
_MAX_ROWS = {"vectors": 3000, "process": 800, "neighbours": 20_000}
_MIN_CLASS = {"vectors": 6, "discriminants": 2, "quadratic": 10}

_SCALE = "prepare__numbers__scale"
_TARGET = "model__transformer"


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
        Of the pipeline's parameters.
    starts : list of dict
        Settings that are tried first, the best guess first.
    """

    name: str
    estimator: Any
    is_tree: bool
    space: Mapping[str, Any]
    starts: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class ModelFactory:
    """What models are made with; the same objects for all, so that they are one dimension.

    Attributes
    ----------
    task : Task
    scales : dict
        By name, what may become of numbers.
    targets : list
        What may become of the target.
    """

    task: Task
    scales: Mapping[str, Any] = field(default_factory=dict)
    targets: Sequence[Any] = ()

    def model(
        self,
        name: str,
        estimator: Any,
        space: Mapping[str, Any],
        *starts: Mapping[str, Any],
        scales: Sequence[str] = (),
        path: str = "",
    ) -> Model:
        """Make a model of an estimator.

        Parameters
        ----------
        name : str
        estimator : estimator object
        space : dict
            Of its own parameters.
        *starts : dict
            Of its own parameters; ``"scale"`` names one of `scales`.
        scales : sequence of str, default=()
            What numbers are tried as; empty for trees.
        path : str, default=""
            What the parameters' names begin with.

        Returns
        -------
        model : Model
        """
        choices = {key: self.scales[key] for key in scales if key in self.scales}
        whole: dict[str, Any] = {_SCALE: list(choices.values())} if choices else {}
        fixed: dict[str, Any] = {}
        if not self.task.is_classifier:
            estimator = TransformedTargetRegressor(estimator, transformer=self.targets[0])
            path = "regressor__"
            whole[_TARGET] = list(self.targets)
            fixed[_TARGET] = self.targets[-1]
        elif self.task.is_imbalanced and "class_weight" in estimator.get_params(deep=False):
            space = {**space, "class_weight": [None, "balanced"]}
            fixed[f"model__{path}class_weight"] = None
        whole |= {f"model__{path}{key}": values for key, values in space.items()}
        queue = []
        for start in starts:
            wanted = start.get("scale", "standard")
            if choices and wanted not in choices:
                continue
            own = {f"model__{path}{key}": v for key, v in start.items() if key != "scale"}
            queue.append(fixed | own | ({_SCALE: choices[wanted]} if choices else {}))
        return Model(name, estimator, not scales, whole, queue)


def make_kit(task: Task) -> ModelFactory:
    """Make what models are made with.

    Parameters
    ----------
    task : Task

    Returns
    -------
    kit : Kit
    """
    targets: list[Any] = [with_default_output(StandardScaler())]
    if task.skewness > _SKEWED:
        targets.append(with_default_output(PowerTransformer()))
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


def linear(kit: ModelFactory) -> Model | None:
    """Make a linear model, regularised by the squares of its weights."""
    if not kit.task.is_classifier:
        starts = [{"alpha": 1.0, "scale": scale} for scale in ("standard", "splines", "products")]
        space = {"alpha": Real(1e-3, 1e4, log=True)}
        return kit.model("ridge regression", Ridge(), space, *starts, scales=_LINEAR)
    if not kit.task.is_single:
        return None
    logistic = LogisticRegression(max_iter=500)
    weights = {"standard": 1.0, "splines": 0.1, "products": 0.1}
    starts = [{"C": C, "scale": scale} for scale, C in weights.items()]
    space = {"C": Real(1e-4, 1e3, log=True)}
    return kit.model("logistic regression", logistic, space, *starts, scales=_LINEAR)


def boosting(kit: ModelFactory) -> Model | None:
    """Make gradient boosting."""
    task = kit.task
    if not task.is_single or task.columns.is_sparse:
        return None
    kind = HistGradientBoostingClassifier if task.is_classifier else HistGradientBoostingRegressor
    # A round has a tree for each class: of many classes there are fewer rounds of larger steps.
    share = (2.0 / max(2, task.n_classes)) ** 0.5
    space: dict[str, Any] = {
        "learning_rate": Real(0.02, 0.3, log=True),
        "max_iter": Integer(20, max(60, int(400 * share)), log=True),
        "max_leaf_nodes": Integer(3, 63, log=True),
        "min_samples_leaf": Integer(2, max(3, min(100, task.n_rows // 5)), log=True),
        "l2_regularization": Real(1e-3, 100.0, log=True),
        "max_features": Real(0.3, 1.0),
    }
    shared: dict[str, Any] = {"min_samples_leaf": max(2, min(20, task.n_rows // 20))}
    if task.columns.categories:
        space["categorical_features"] = [None, list(range(len(task.columns.categories)))]
        shared["categorical_features"] = None
    names = [*list(space)[:3], "l2_regularization", "max_features"]
    table = [(0.1, 60, 8, 1.0, 0.7), (0.1, 100, 31, 1e-3, 1.0), (0.05, 250, 12, 10.0, 0.5)]
    starts = [shared | dict(zip(names, row, strict=True)) for row in table]
    for start in starts:
        start["learning_rate"] = min(0.3, start["learning_rate"] / share)
        start["max_iter"] = max(20, int(start["max_iter"] * share))
    estimator = kind(early_stopping=False, random_state=0)
    return kit.model("gradient boosting", estimator, space, *starts)


def extra_trees(kit: ModelFactory) -> Model | None:
    """Make extremely randomised trees."""
    kind = ExtraTreesClassifier if kit.task.is_classifier else ExtraTreesRegressor
    return _forest(kit, "extra trees", kind)


def forest(kit: ModelFactory) -> Model | None:
    """Make a random forest."""
    kind = RandomForestClassifier if kit.task.is_classifier else RandomForestRegressor
    return _forest(kit, "random forest", kind)


def _forest(kit: ModelFactory, name: str, kind: Any) -> Model:
    task = kit.task
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
    return kit.model(name, kind(random_state=0), space, start)


class SeededSVR(SVR):  # type: ignore[misc]
    """Support vectors that leave numpy's global generator alone.

    `SVR` draws a seed from it, of which nothing depends, and takes no ``random_state``.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Fit as `SVR` does."""
        self.random_state = 0
        return super().fit(X, y, sample_weight)


def vectors(kit: ModelFactory) -> Model | None:
    """Make support vectors, calibrated so that they know probabilities."""
    task = kit.task
    if task.n_rows > _MAX_ROWS["vectors"] or not task.is_single:
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
        return kit.model("support vectors", machine, space, start, scales=_PLAIN)
    if task.least_class < _MIN_CLASS["vectors"]:
        return None
    svc = SVC(random_state=0, max_iter=max_iter)
    machine = CalibratedClassifierCV(svc, ensemble=False, cv=3)
    path = "estimator__"
    return kit.model("support vectors", machine, space, start, scales=_PLAIN, path=path)


def process(kit: ModelFactory) -> Model | None:
    """Make a Gaussian process for a few amounts."""
    task = kit.task
    is_small = task.n_rows <= _MAX_ROWS["process"] and not task.columns.is_sparse
    if task.is_classifier or not task.is_single or not is_small:
        return None
    length = float(np.sqrt(task.width))
    bounds = (0.05 * length, 100.0 * length)
    noise = WhiteKernel(0.3, (1e-5, 10.0))
    smooth = ConstantKernel(1.0) * RBF(length, bounds) + noise
    rough = ConstantKernel(1.0) * Matern(length, bounds, nu=1.5) + noise
    trend = ConstantKernel(0.1) * DotProduct(1.0) + ConstantKernel(1.0) * Matern(length, bounds)
    space = {"kernel": [smooth, rough, trend + noise]}
    estimator = GaussianProcessRegressor(smooth, random_state=0)
    return kit.model("Gaussian process", estimator, space, {"kernel": rough}, scales=_PLAIN)


def sparse_linear(kit: ModelFactory) -> Model | None:
    """Make a linear model that leaves columns out, for amounts."""
    if kit.task.is_classifier:
        return None
    space = {"alpha": Real(1e-4, 1.0, log=True), "l1_ratio": Real(0.05, 1.0)}
    scale = "products" if "products" in kit.scales else "standard"
    start = {"alpha": 0.01, "l1_ratio": 0.9, "scale": scale}
    estimator = ElasticNet(max_iter=2000, random_state=0)
    return kit.model("elastic net", estimator, space, start, scales=_LINEAR)


def neighbours(kit: ModelFactory) -> Model | None:
    """Make nearest neighbours."""
    task = kit.task
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
    return kit.model("nearest neighbours", kind(), space, start, scales=_PLAIN)


def network(kit: ModelFactory) -> Model | None:
    """Make a neural network."""
    # Few rows are too few to leave some out for early stopping: weight decay takes its place.
    is_small = kit.task.n_rows < LARGE
    estimator = (MLPClassifier if kit.task.is_classifier else MLPRegressor)(
        early_stopping=not is_small,
        max_iter=100 if kit.task.n_rows < 2000 else 40,
        tol=1e-3 if is_small else 1e-4,
        random_state=0,
    )
    space = {
        "alpha": Real(1e-4, 30.0, log=True),
        "hidden_layer_sizes": [(32,), (64,), (128,), (32, 32), (64, 64)],
        "learning_rate_init": Real(1e-3, 3e-2, log=True),
    }
    start = {"alpha": 1.0, "hidden_layer_sizes": (64,), "learning_rate_init": 5e-3}
    return kit.model("neural network", estimator, space, start, scales=_PLAIN)


def discriminants(kit: ModelFactory) -> Model | None:
    """Make linear discriminants."""
    if not _suits_densities(kit.task, most=300) or kit.task.least_class < 2:
        return None
    estimator = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.01)
    space = {"shrinkage": Real(1e-4, 1.0, log=True)}
    start = {"shrinkage": 0.01, "scale": "normal"}
    return kit.model("linear discriminants", estimator, space, start, scales=_LINEAR)


def quadratic(kit: ModelFactory) -> Model | None:
    """Make quadratic discriminants."""
    least = max(_MIN_CLASS["quadratic"], 2 * kit.task.width)
    if not _suits_densities(kit.task, most=50) or kit.task.least_class < least:
        return None
    space = {"reg_param": Real(1e-4, 1.0, log=True)}
    estimator = QuadraticDiscriminantAnalysis(reg_param=0.1)
    start = {"reg_param": 0.1}
    return kit.model("quadratic discriminants", estimator, space, start, scales=_PLAIN)


def bayes(kit: ModelFactory) -> Model | None:
    """Make naive Bayes."""
    if not _suits_densities(kit.task, most=10_000):
        return None
    space = {"var_smoothing": Real(1e-9, 1.0, log=True)}
    start = {"var_smoothing": 1e-2}
    return kit.model("naive Bayes", GaussianNB(), space, start, scales=_PLAIN)


def _suits_densities(task: Task, *, most: int) -> bool:
    """Say whether the density of each class may be modelled."""
    is_dense = not task.columns.is_sparse and task.width <= most
    return task.is_classifier and task.is_single and is_dense


# A linear model and the best guess, then the cheap ones first; of much data boosting before all.
MODELS = (
    linear,
    boosting,
    sparse_linear,
    discriminants,
    extra_trees,
    vectors,
    neighbours,
    forest,
    process,
    network,
    bayes,
    quadratic,
)
