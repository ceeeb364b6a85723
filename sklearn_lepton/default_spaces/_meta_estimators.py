"""Built-in spaces of clustering, density and outlier estimators, and of meta-estimators."""

import math

from sklearn_lepton.default_spaces._data_profile import (
    Branch,
    Data,
    Entry,
    counts,
    ladder,
    log,
    log_integer,
    neighbours,
    with_number,
)
from sklearn_lepton.space._dimension import Integer, Real


def _clusters(data: Data) -> Branch:
    most = max(2, min(20, data.n_train // 2))
    return {"n_clusters": log_integer(2, max(most, data.defaults["n_clusters"]))}


def _agglomerative(data: Data) -> Branch | list[Branch]:
    if data.params.get("distance_threshold") is not None or data.has("metric", "precomputed"):
        return {}
    shared = _clusters(data)
    return [
        {**shared, "linkage": ["ward"], "metric": ["euclidean"]},
        {**shared, "linkage": ["average", "complete"], "metric": ["euclidean", "manhattan"]},
    ]


def _birch(data: Data) -> Branch:
    low, high = _distances(data)
    return {"threshold": log(min(low, 0.5), max(high, 0.5)), **_clusters(data)}


def _distances(data: Data) -> tuple[float, float]:
    """Return a small and a large distance between samples."""
    typical = math.sqrt(2.0 * data.n_columns * data.variance)
    return float(f"{typical / 30:.1g}"), float(f"{typical:.1g}")


def _dbscan(data: Data) -> Branch:
    space: Branch = {"min_samples": log_integer(2, max(5, min(50, data.n_train // 5)))}
    if data.has("metric", "euclidean", "manhattan", "minkowski"):
        low, high = _distances(data)
        space["eps"] = log(min(low, 0.5), max(high, 0.5))
    return space


def _hdbscan(data: Data) -> Branch:
    return {
        "min_cluster_size": log_integer(2, max(5, min(100, data.n_train // 5))),
        "min_samples": ladder([1, 2, 3, *([] if data.n_train < 15 else [5, 10]), None]),
        "cluster_selection_method": ["eom", "leaf"],
    }


def _optics(data: Data) -> Branch:
    return {
        "min_samples": log_integer(2, max(5, min(50, data.n_train // 5))),
        "xi": log(0.01, 0.3),
    }


def _spectral(data: Data) -> Branch | list[Branch]:
    shared = _clusters(data)
    if not data.has("affinity", "rbf", "nearest_neighbors"):
        return shared
    typical = 1.0 / (data.n_columns * data.variance)
    gamma = log(min(1.0, typical / 100), max(1.0, typical * 10))
    return [
        {**shared, "affinity": ["rbf"], "gamma": gamma},
        {
            **shared,
            "affinity": ["nearest_neighbors"],
            "n_neighbors": neighbours(data, default=10, most=30),
        },
    ]


def _mixture(data: Data) -> Branch:
    space: Branch = {
        "n_components": log_integer(1, max(1, min(20, data.n_train // 5))),
        "covariance_type": ["full", "tied", "diag", "spherical"],
        "reg_covar": log(1e-7, 1e-2),
    }
    if "weight_concentration_prior_type" in data.defaults:
        space["weight_concentration_prior"] = ladder([None, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0])
    return space


def _density(data: Data) -> Branch:
    low, high = _distances(data)
    space: Branch = {"kernel": ["gaussian", "tophat", "epanechnikov", "exponential"]}
    if not isinstance(data.params["bandwidth"], str):
        space["bandwidth"] = log(min(low / 3, 1.0), max(high, 1.0))
    # Kernels with bounded support score samples without neighbours as -inf.
    return space | {"kernel": ["gaussian", "exponential"]}


def _label_kernels(data: Data) -> Branch | list[Branch]:
    shared: Branch = {"alpha": Real(0.05, 0.95)} if "alpha" in data.defaults else {}
    if not data.has("kernel", "rbf", "knn"):
        return shared
    typical = 1.0 / (data.n_columns * data.variance)
    gamma = log(min(20.0, typical / 10), max(20.0, typical * 100))
    return [
        {**shared, "kernel": ["rbf"], "gamma": gamma},
        {**shared, "kernel": ["knn"], "n_neighbors": neighbours(data, default=7, most=30)},
    ]


def _outlier_factor(data: Data) -> Branch:
    most = min(100, data.n_train - 1)
    return {"n_neighbors": with_number(counts(max(2, most)), 20)}


_CHAIN: Branch = {"order": [None, "random"]}


_PASSTHROUGH = {"passthrough": [False, True]}

TABLE: dict[str, Entry] = {
    # Clustering
    "sklearn.KMeans": _clusters,
    "sklearn.MiniBatchKMeans": _clusters,
    "sklearn.BisectingKMeans": _clusters,
    "sklearn.AgglomerativeClustering": _agglomerative,
    "sklearn.FeatureAgglomeration": lambda data: {
        "n_clusters": with_number(counts(max(2, data.min_columns)), 2)
    },
    "sklearn.Birch": _birch,
    "sklearn.SpectralClustering": _spectral,
    "sklearn.DBSCAN": _dbscan,
    "sklearn.HDBSCAN": _hdbscan,
    "sklearn.OPTICS": _optics,
    "sklearn.AffinityPropagation": {"damping": Real(0.5, 0.99)},
    "sklearn.MeanShift": {"cluster_all": [True, False]},
    # Densities, covariances, outliers
    "sklearn.GaussianMixture": _mixture,
    "sklearn.BayesianGaussianMixture": _mixture,
    "sklearn.KernelDensity": _density,
    "sklearn.GraphicalLasso": {"alpha": log(0.01, 1.0)},
    "sklearn.ShrunkCovariance": {"shrinkage": Real(0.0, 1.0)},
    "sklearn.EllipticEnvelope": {"contamination": log(0.01, 0.4)},
    "sklearn.LocalOutlierFactor": _outlier_factor,
    # Semi-supervised learning
    "sklearn.LabelPropagation": _label_kernels,
    "sklearn.LabelSpreading": _label_kernels,
    "sklearn.SelfTrainingClassifier": {"threshold": Real(0.5, 0.99)},
    # Meta-estimators
    "sklearn.CalibratedClassifierCV": {"method": ["sigmoid", "isotonic"]},
    "sklearn.StackingClassifier": _PASSTHROUGH,
    "sklearn.StackingRegressor": _PASSTHROUGH,
    "sklearn.ClassifierChain": _CHAIN,
    "sklearn.RegressorChain": _CHAIN,
    "sklearn.OutputCodeClassifier": {"code_size": Real(1.0, 4.0)},
    # Resampling of imbalanced-learn
    "imblearn.SMOTE": lambda data: {"k_neighbors": _k(data), **_balance(data)},
    "imblearn.SMOTEN": lambda data: {"k_neighbors": _k(data), **_balance(data)},
    "imblearn.SMOTENC": lambda data: {"k_neighbors": _k(data), **_balance(data)},
    "imblearn.BorderlineSMOTE": lambda data: {
        **_balance(data),
        "k_neighbors": _k(data),
        "m_neighbors": _m(data),
        "kind": ["borderline-1", "borderline-2"],
    },
    "imblearn.SVMSMOTE": lambda data: {"k_neighbors": _k(data), "m_neighbors": _m(data)},
    "imblearn.ADASYN": lambda data: {"n_neighbors": _k(data)},
    "imblearn.RandomOverSampler": lambda data: {
        "shrinkage": ladder([None, 0.03, 0.1, 0.3, 1.0]),
        **_balance(data),
    },
    "imblearn.RandomUnderSampler": lambda data: {"replacement": [False, True], **_balance(data)},
    "imblearn.NearMiss": {"version": [1, 2], "n_neighbors": Integer(1, 5)},
    "imblearn.EditedNearestNeighbours": {
        "n_neighbors": Integer(1, 7),
        "kind_sel": ["all", "mode"],
    },
}


def _k(data: Data) -> Integer:
    """Return numbers of neighbours within the smallest class; SMOTE needs one more sample."""
    return log_integer(1, max(5, min(15, data.smallest_class // 2 - 1)))


def _balance(data: Data) -> Branch:
    """Return target sizes of the smaller class, as shares of the larger one."""
    if data.n_classes != 2 or not data.has("sampling_strategy", "auto"):
        return {}
    now = data.smallest_class / (data.n_rows - data.smallest_class)
    return {"sampling_strategy": ladder([s for s in (0.3, 0.5, 0.75) if s > 1.5 * now] + ["auto"])}


def _m(data: Data) -> Integer:
    return log_integer(2, max(10, min(30, data.n_train - 1)))


# Estimators without parameters worth tuning.
NOTHING = (
    "sklearn.LinearRegression",
    "sklearn.TheilSenRegressor",
    "sklearn.RidgeCV",
    "sklearn.RidgeClassifierCV",
    "sklearn.LassoCV",
    "sklearn.LassoLarsCV",
    "sklearn.LarsCV",
    "sklearn.MultiTaskLassoCV",
    "sklearn.OrthogonalMatchingPursuitCV",
    "sklearn.LogisticRegressionCV",
    "sklearn.NearestNeighbors",
    "sklearn.GaussianProcessClassifier",
    "sklearn.IsotonicRegression",
    "sklearn.DummyClassifier",
    "sklearn.DummyRegressor",
    "sklearn.BaseSearchCV",
    "sklearn.RFECV",
    "imblearn.TomekLinks",
    "sklearn.StandardScaler",
    "sklearn.MinMaxScaler",
    "sklearn.MaxAbsScaler",
    "sklearn.PowerTransformer",
    "sklearn.Binarizer",
    "sklearn.FunctionTransformer",
    "sklearn.OrdinalEncoder",
    "sklearn.VarianceThreshold",
)
