"""Built-in spaces of transformers: scaling, encoding, selection, decomposition."""

import math

from sklearn_lepton.default_spaces._data_profile import (
    Branch,
    Data,
    Entry,
    around,
    counts,
    ladder,
    log,
    neighbours,
    with_number,
    zero_or_log,
)
from sklearn_lepton.space._dimension import Integer, Real


def _components(data: Data) -> int:
    """Return the maximum number of components for half of the rows and the fewest columns."""
    return max(1, min(data.min_columns, data.n_train) - 1)


def _pca(data: Data) -> Branch:
    space: Branch = {"whiten": [False, True]}
    if not data.is_sparse and data.has("svd_solver", "auto", "full", "covariance_eigh"):
        space["n_components"] = ladder([0.5, 0.7, 0.8, 0.9, 0.95, 0.99, None])
    else:
        space["n_components"] = counts(_components(data), None)
    return space


def _all_or_fewer(data: Data) -> Branch:
    return {"n_components": counts(_components(data), data.defaults["n_components"])}


def _from_two(data: Data) -> Branch:
    """Return numbers of components that include the default 2."""
    return {"n_components": with_number(counts(min(100, _components(data))), 2)}


def _nmf(data: Data) -> Branch:
    return {
        "n_components": counts(_components(data), data.defaults["n_components"]),
        "alpha_W": zero_or_log(1e-5, 1e-1),
        "l1_ratio": Real(0.0, 1.0),
    }


def _kernel_pca(data: Data) -> Branch | list[Branch]:
    space = {"n_components": counts(_components(data), None)}
    if not data.has("kernel", "linear", "rbf", "poly", "sigmoid", "cosine"):
        return space
    gamma = around(None, 1.0 / data.n_columns, 1e-3, 1e2)
    return [
        {**space, "kernel": ["linear", "cosine"]},
        {**space, "kernel": ["rbf"], "gamma": gamma},
        {**space, "kernel": ["poly"], "gamma": gamma, "degree": Integer(2, 4)},
    ]


def _nystroem(data: Data) -> Branch:
    space: Branch = {
        "n_components": with_number(counts(min(300, data.n_train)), min(100, data.n_train))
    }
    if data.n_train < 100:
        space["n_components"] = with_number(space["n_components"], 100)
    if data.has("kernel", "rbf", "laplacian"):
        space["kernel"] = ["rbf", "laplacian"]
    if data.has("kernel", "rbf", "laplacian", "poly", "polynomial", "sigmoid"):
        space["gamma"] = around(None, 1.0 / data.n_columns, 1e-3, 1e2)
    return space


def _rbf_sampler(data: Data) -> Branch:
    typical = 1.0 / (data.n_columns * data.variance)
    low, high = min(1.0, typical * 1e-2), max(1.0, typical * 1e2)
    return {"gamma": log(low, high), "n_components": ladder([30, 50, 100, 200, 300, 500])}


def _select_k(data: Data) -> Branch:
    return {"k": with_number(counts(data.min_columns), 10)}


def _imputer(data: Data) -> Branch:
    if not data.has("strategy", "mean", "median"):
        return {}  # categories and strings have no mean
    return {"strategy": ["mean", "median"], "add_indicator": [False, True]}


def _one_hot(data: Data) -> Branch:
    """Return frequencies below which categories are grouped, if unknown ones join this group."""
    if not data.has("handle_unknown", "infrequent_if_exist"):
        return {}
    return {"min_frequency": ladder([None, 2, 5, 10, 20, 50])}


_TARGET_ENCODER: Branch = {"smooth": ladder([0.1, 1.0, 3.0, 10.0, 30.0, 100.0, "auto"])}


def _polynomial(data: Data) -> Branch:
    degrees = [1, 2, 3] if data.n_columns <= 12 else [1, 2]
    return {"degree": ladder(degrees), "interaction_only": [False, True]}


_SPLINE: Branch = {
    "n_knots": Integer(2, 10),
    "degree": Integer(1, 4),
    "knots": ["uniform", "quantile"],
}


_BINS: Branch = {"n_bins": Integer(2, 20), "strategy": ["quantile", "uniform"]}


def _words(data: Data) -> Branch:
    space: Branch = {
        "min_df": ladder([1, 2, 3, 5] if data.n_train >= 100 else [1, 2]),
        "max_df": Real(0.5, 1.0),
    }
    if data.has("analyzer", "word"):
        space["ngram_range"] = [(1, 1), (1, 2)]
    elif data.has("analyzer", "char", "char_wb"):
        space["ngram_range"] = [(1, 1), (1, 3), (2, 4), (3, 5)]
    return space


_WEIGHTS: Branch = {"sublinear_tf": [False, True], "norm": ["l2", "l1"], "use_idf": [True, False]}


def _tfidf(data: Data) -> Branch:
    return {**_words(data), "sublinear_tf": [False, True], "use_idf": [True, False]}


def _hashing(data: Data) -> Branch:
    space: Branch = {"n_features": ladder([2**p for p in (12, 14, 16, 18, 20)])}
    if data.has("analyzer", "word"):
        space["ngram_range"] = [(1, 1), (1, 2)]
    return space


def _share_selected(data: Data) -> Branch:
    """Return shares of features that RFE keeps, at least one feature; None is half."""
    shares = [0.1, 0.2, 0.3, 0.4, None, 0.6, 0.7, 0.8, 0.9]
    kept = [s for s in shares if s is None or int(s * data.min_columns) > 0]
    return {"n_features_to_select": ladder(kept)}


multiples = [f"{m}*mean" for m in (0.1, 0.3, 0.5, 0.75)]
_SELECT_FROM_MODEL: Branch = {"threshold": [None, *multiples, "mean", "1.25*mean", "median"]}


def _embedding(data: Data) -> Branch:
    # With one neighbour the graph has hundreds of components, which `Isomap` joins pair by pair.
    return {"n_neighbors": neighbours(data, default=5, most=30, least=3), **_from_two(data)}


def _pls(data: Data) -> Branch:
    return {"n_components": with_number(counts(min(50, _components(data))), 2)}


def _two_sided(data: Data) -> Branch:
    """Return numbers of components up to the number of target columns."""
    most = min(data.n_targets, _components(data))
    return {"n_components": with_number(counts(most), 2)}


def _sparse_pca(data: Data) -> Branch:
    return {**_all_or_fewer(data), "alpha": log(1e-2, 1e1)}


def _dictionary(data: Data) -> Branch:
    # Small values relative to the features do not converge in hundreds of iterations; large
    # values use no component.
    scale = float(f"{math.sqrt(data.variance):.1g}")
    return {**_all_or_fewer(data), "alpha": log(min(1.0, scale / 10), max(1.0, scale * 3))}


def _random_projection(data: Data) -> Branch:
    # "auto" uses the bound of Johnson and Lindenstrauss, which raises an error if it exceeds the
    # number of columns.
    eps = float(data.params.get("eps", 0.1))
    enough = 4 * math.log(data.n_rows) / (eps**2 / 2 - eps**3 / 3)
    words = ["auto"] if enough <= data.min_columns else []
    return {"n_components": counts(max(1, data.min_columns - 1), *words)}


_RBM: Branch = {
    "n_components": ladder([32, 64, 128, 256, 512]),
    "learning_rate": log(1e-3, 1.0),
    "n_iter": Integer(5, 40),
}


_ALPHA = {"alpha": log(1e-4, 0.5)}
TABLE: dict[str, Entry] = {
    "sklearn.RobustScaler": {
        "quantile_range": [(25.0, 75.0), (10.0, 90.0), (5.0, 95.0), (1.0, 99.0)]
    },
    "sklearn.QuantileTransformer": {"output_distribution": ["uniform", "normal"]},
    "sklearn.Normalizer": {"norm": ["l2", "l1", "max"]},
    "sklearn.KBinsDiscretizer": _BINS,
    "sklearn.PolynomialFeatures": _polynomial,
    "sklearn.SplineTransformer": _SPLINE,
    "sklearn.OneHotEncoder": _one_hot,
    "sklearn.TargetEncoder": _TARGET_ENCODER,
    "sklearn.SimpleImputer": _imputer,
    "sklearn.KNNImputer": lambda data: {
        "n_neighbors": neighbours(data, default=5, most=20),
        "weights": ["uniform", "distance"],
    },
    "sklearn.SelectKBest": _select_k,
    "sklearn.SelectPercentile": {
        "percentile": ladder([5, 10, 15, 20, 30, 40, 50, 60, 75, 90, 100])
    },
    "sklearn.SelectFpr": _ALPHA,
    "sklearn.SelectFdr": _ALPHA,
    "sklearn.SelectFwe": _ALPHA,
    "sklearn.SelectFromModel": _SELECT_FROM_MODEL,
    "sklearn.RFE": _share_selected,
    "sklearn.PCA": _pca,
    "sklearn.IncrementalPCA": _all_or_fewer,
    "sklearn.KernelPCA": _kernel_pca,
    "sklearn.SparsePCA": _sparse_pca,
    "sklearn.MiniBatchSparsePCA": _sparse_pca,
    "sklearn.TruncatedSVD": _from_two,
    "sklearn.FastICA": lambda data: {
        **_all_or_fewer(data),
        "fun": ["logcosh", "exp", "cube"],
    },
    "sklearn.FactorAnalysis": _all_or_fewer,
    "sklearn.NMF": _nmf,
    "sklearn.MiniBatchNMF": _nmf,
    "sklearn.DictionaryLearning": _dictionary,
    "sklearn.MiniBatchDictionaryLearning": _dictionary,
    "sklearn.LatentDirichletAllocation": {
        "n_components": ladder([2, 3, 5, 7, 10, 15, 20, 30, 50]),
        "learning_decay": Real(0.51, 1.0),
    },
    "sklearn.BernoulliRBM": _RBM,
    "sklearn.Nystroem": _nystroem,
    "sklearn.RBFSampler": _rbf_sampler,
    "sklearn.Isomap": _embedding,
    "sklearn.LocallyLinearEmbedding": lambda data: {
        **_embedding(data),
        "reg": log(1e-5, 1e-1),
    },
    "sklearn.PLSRegression": _pls,
    "sklearn.PLSCanonical": _two_sided,
    "sklearn.CCA": _two_sided,
    "sklearn.GaussianRandomProjection": _random_projection,
    "sklearn.SparseRandomProjection": _random_projection,
    "sklearn.CountVectorizer": lambda data: {**_words(data), "binary": [False, True]},
    "sklearn.TfidfVectorizer": _tfidf,
    "sklearn.TfidfTransformer": _WEIGHTS,
    "sklearn.HashingVectorizer": _hashing,
}
