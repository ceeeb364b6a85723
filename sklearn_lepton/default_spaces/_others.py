"""Built-in spaces of nearest neighbours, naive Bayes, neural networks and Gaussian processes."""

from inspect import signature
from typing import Any

from sklearn_lepton.default_spaces._data_profile import (
    Branch,
    Data,
    Entry,
    counts,
    ladder,
    log,
    log_integer,
    neighbours,
)

_MINKOWSKI = ladder([1, 1.5, 2, 3])


def _k_neighbours(data: Data) -> Branch:
    space: Branch = {"n_neighbors": neighbours(data), "weights": ["uniform", "distance"]}
    if data.has("metric", "minkowski") and data.params.get("metric_params") is None:
        # Sparse data need the brute-force search, which supports these metrics.
        space["p"] = ladder([1, 2]) if data.is_sparse else _MINKOWSKI
    return space


_RADIUS_NEIGHBOURS: Branch = {"weights": ["uniform", "distance"], "p": ladder([1, 2])}


_CENTROID: Branch = {"shrink_threshold": ladder([None, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0])}


def _mlp(data: Data) -> Branch:
    sizes: list[Any] = [(25,), (50,), (100,), (200,), (50, 50), (100, 50), (100, 100)]
    return {
        "hidden_layer_sizes": sizes,
        "alpha": log(1e-6, 1e-1),
        "learning_rate_init": log(1e-4, 1e-1),
        "activation": ["relu", "tanh"],
        "batch_size": _batches(data, "auto", 200),
    }


def _batches(data: Data, symbol: Any, meaning: int) -> Any:
    """Return batch sizes up to half of the rows, with a symbol in place of the default."""
    sizes = [n for n in (16, 32, 64, 128, 256, 512) if n < min(meaning, data.n_train)]
    more = [n for n in (256, 512) if meaning < n <= data.n_train // 4]
    return ladder([*sizes, symbol, *more])


def _net(data: Data) -> list[Branch]:
    """Return the space of a skorch net, with weight decay if its optimizer supports it."""
    sizes = [n for n in (16, 32, 64, 128, 256, 512) if n == 128 or n <= data.n_train]
    space: Branch = {
        "lr": log(1e-4, 1.0),
        "max_epochs": log_integer(5, 100),
        "batch_size": ladder(sizes),
    }
    optimizer = data.params.get("optimizer")
    if not isinstance(optimizer, type) or "weight_decay" not in signature(optimizer).parameters:
        return [space]
    return [space, {**space, "optimizer__weight_decay": log(1e-6, 1e-1)}]


def _keras(data: Data) -> Branch:
    return {
        "epochs": log_integer(1, 50),
        "batch_size": _batches(data, None, 32),
    }


_SMOOTHING = {"alpha": log(1e-3, 1e2), "fit_prior": [True, False]}


_GAUSSIAN_PROCESS: Branch = {"alpha": log(1e-10, 1.0), "normalize_y": [False, True]}


TABLE: dict[str, Entry] = {
    "sklearn.KNeighborsClassifier": _k_neighbours,
    "sklearn.KNeighborsRegressor": _k_neighbours,
    "sklearn.RadiusNeighborsClassifier": _RADIUS_NEIGHBOURS,
    "sklearn.RadiusNeighborsRegressor": _RADIUS_NEIGHBOURS,
    "sklearn.NearestCentroid": _CENTROID,
    "sklearn.KNeighborsTransformer": lambda data: {"n_neighbors": neighbours(data)},
    "sklearn.NeighborhoodComponentsAnalysis": lambda data: {
        "n_components": counts(max(1, data.min_columns - 1), None)
    },
    "sklearn.GaussianNB": {"var_smoothing": log(1e-12, 1e-1)},
    "sklearn.MultinomialNB": _SMOOTHING,
    "sklearn.BernoulliNB": _SMOOTHING,
    "sklearn.CategoricalNB": _SMOOTHING,
    "sklearn.ComplementNB": {**_SMOOTHING, "norm": [False, True]},
    "sklearn.MLPClassifier": _mlp,
    "sklearn.MLPRegressor": _mlp,
    "sklearn.GaussianProcessRegressor": _GAUSSIAN_PROCESS,
    "skorch.NeuralNet": _net,
    "scikeras.BaseWrapper": _keras,
}
