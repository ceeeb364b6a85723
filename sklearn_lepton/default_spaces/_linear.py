"""Built-in spaces of linear models, support vector machines and kernel methods."""

from typing import Any

from sklearn_lepton.default_spaces._data_profile import (
    Branch,
    Data,
    Entry,
    around,
    class_weights,
    counts,
    ladder,
    log,
    log_integer,
    with_number,
    zero_or_log,
)
from sklearn_lepton.space._dimension import Integer, Real


def _logistic(data: Data) -> Branch | list[Branch]:
    shared = {"C": log(1e-4, 1e3), **class_weights(data)}
    if "penalty" in data.defaults and data.defaults["penalty"] != "deprecated":  # before 1.8
        return [
            {**shared, "penalty": ["l2"], "solver": ["lbfgs"], "l1_ratio": [None]},
            {
                **shared,
                "penalty": ["elasticnet"],
                "solver": ["saga"],
                "l1_ratio": Real(0.0, 1.0),
            },
        ]
    if data.params.get("penalty", "deprecated") != "deprecated":
        return shared
    return [
        {**shared, "solver": ["lbfgs"], "l1_ratio": [0.0]},
        {**shared, "solver": ["saga"], "l1_ratio": Real(0.0, 1.0)},
    ]


def _sgd(losses: list[Any]) -> Entry:
    def space(data: Data) -> list[Branch]:
        rates = {"learning_rate": [data.defaults["learning_rate"]], **class_weights(data)}
        if "class_weight" not in data.params:
            rates.pop("class_weight", None)
        shared = {"alpha": log(1e-7, 1e-1), "loss": losses, "average": [False, True], **rates}
        return [
            {**shared, "penalty": ["l2"]},
            {**shared, "penalty": ["elasticnet"], "l1_ratio": Real(0.0, 1.0)},
        ]

    return space


def _perceptron(data: Data) -> list[Branch]:
    shared = {"alpha": log(1e-7, 1e-1), **class_weights(data)}
    return [
        {**class_weights(data), "penalty": [None]},
        {**shared, "penalty": ["l2"]},
        {**shared, "penalty": ["elasticnet"], "l1_ratio": Real(0.0, 1.0)},
    ]


# LIBSVM stops after max(10 million, 100 n_rows) iterations; scikit-learn's copy has no limit.
_ITERATIONS_A_ROW, _MIN_ITERATIONS = 100, 10_000
_POLYNOMIAL = (1e-2, 5.0)  # multiples of "scale" for `gamma`, which the kernel raises to a power


def max_iterations(n_rows: int) -> int:
    """Return the maximum number of LIBSVM iterations."""
    return max(_MIN_ITERATIONS, _ITERATIONS_A_ROW * n_rows)


def _iterations(data: Data) -> Branch:
    """Return the maximum number of LIBSVM iterations, unless the user has set one."""
    limit = max_iterations(data.n_rows)
    return {"max_iter": [limit]} if data.has("max_iter", -1) else {}


def _gamma(data: Data, low: float = 1e-3, high: float = 1e2) -> Any:
    return around("scale", 1.0 / (data.n_columns * data.variance), low, high)


def _kernels(shared: Branch, data: Data, linear: Branch | None = None) -> Branch | list[Branch]:
    """Return a branch for each kernel; of a kernel that is none of these only what it shares.

    RBF kernels are bounded by 1, and classifiers with them converge. The others grow with the
    data, the polynomial one as ``gamma ** degree``: its `gamma` ends earlier, and the number of
    iterations has a limit.
    """
    limit = _iterations(data)
    if not data.has("kernel", "rbf", "poly", "linear", "sigmoid"):
        return shared | limit
    return [
        {**shared, "kernel": ["rbf"], "gamma": _gamma(data)},
        {
            **shared,
            "kernel": ["poly"],
            "gamma": _gamma(data, *_POLYNOMIAL),
            "degree": Integer(2, 4),
            "coef0": Real(0.0, 1.0),
            **limit,
        },
        {**shared, **(linear or {}), "kernel": ["linear"], **limit},
    ]


def _errors_weight(data: Data) -> Branch:
    """Return values of C for a kernel that grows with the variance of the features."""
    return {"C": log(1e-3 / data.variance, 10.0 / data.variance)}


def _svc(data: Data) -> Branch | list[Branch]:
    return _kernels({"C": log(1e-2, 1e3), **class_weights(data)}, data, _errors_weight(data))


def _svr(data: Data) -> Branch | list[Branch]:
    # On nearly noise-free data a large C takes a million iterations with any kernel.
    shared = {"C": log(1e-2, 1e3), "epsilon": log(1e-3, 1.0), **_iterations(data)}
    return _kernels(shared, data, _errors_weight(data))


def _nu_svc(data: Data) -> Branch | list[Branch]:
    # More than twice the share of the smallest class is infeasible; 0.5 is the default.
    nu = Real(0.01, 0.5 if data.is_imbalanced else min(0.8, 1.6 / max(2, data.n_classes)))
    return _kernels({"nu": nu}, data)


def _nu_svr(data: Data) -> Branch | list[Branch]:
    shared = {"C": log(1e-2, 1e3), "nu": Real(0.05, 1.0), **_iterations(data)}
    return _kernels(shared, data, _errors_weight(data))


def _one_class(data: Data) -> Branch:
    space: Branch = {"nu": log(0.01, 0.9)}
    if data.has("kernel", "rbf", "sigmoid"):
        space["gamma"] = _gamma(data)
    elif data.has("kernel", "poly"):
        space["gamma"] = _gamma(data, *_POLYNOMIAL)
    return space if data.has("kernel", "rbf") else space | _iterations(data)


def _linear_svc(data: Data) -> Branch | list[Branch]:
    shared = {"C": log(1e-4, 1e2), **class_weights(data)}
    if data.params.get("dual") != "auto":
        return shared
    return [
        {**shared, "penalty": ["l2"], "loss": ["squared_hinge", "hinge"]},
        {**shared, "penalty": ["l1"], "loss": ["squared_hinge"]},
    ]


def _linear_svr(data: Data) -> Branch:
    losses = ["epsilon_insensitive", "squared_epsilon_insensitive"]
    space = {"C": log(1e-4, 1e2), "epsilon": zero_or_log(1e-3, 1.0)}
    return space | ({"loss": losses} if data.has("dual", "auto") else {})


def _kernel_ridge(data: Data) -> Branch | list[Branch]:
    shared = {"alpha": log(1e-5, 1e2)}
    if not data.has("kernel", "linear", "rbf", "laplacian", "poly", "polynomial", "sigmoid"):
        return shared
    gamma = around(None, 1.0 / data.n_columns, 1e-3, 1e2)
    return [
        {**shared, "kernel": ["linear"]},
        {**shared, "kernel": ["rbf", "laplacian"], "gamma": gamma},
        {**shared, "kernel": ["poly"], "gamma": gamma, "degree": Integer(2, 4)},
    ]


def _lda(data: Data) -> list[Branch]:
    if data.params.get("covariance_estimator") is not None:
        return [{}]
    return [
        {"solver": ["svd"], "shrinkage": [None]},
        {"solver": ["lsqr"], "shrinkage": Real(0.0, 1.0)},
        {"solver": ["lsqr"], "shrinkage": ["auto"]},
    ]


_PASSIVE_AGGRESSIVE: Branch = {"C": log(1e-4, 1e1), "average": [False, True]}


def _qda(data: Data) -> Branch | list[Branch]:
    regularized: Branch = {"reg_param": Real(0.0, 1.0)}
    if "solver" not in data.defaults:  # before 1.8
        return regularized
    shrunk: Branch = {"solver": ["eigen"], "shrinkage": Real(0.01, 1.0), "reg_param": [0.0]}
    if data.smallest_class // 2 <= data.n_columns:  # "svd" would raise an error
        return shrunk
    return [{**regularized, "solver": ["svd"], "shrinkage": [None]}, shrunk]


def _omp(data: Data) -> Branch:
    most = max(1, min(data.min_columns, data.n_train))
    # None is a tenth of the columns, at least one.
    tenth = max(1, data.n_columns // 10)
    values = [n for n in counts(most).categories if n != tenth]
    below = [n for n in values if n < tenth]
    return {"n_nonzero_coefs": ladder([*below, None, *values[len(below) :]])}


precision = log(1e-8, 1e-2)
_BAYESIAN_RIDGE: Branch = dict.fromkeys(("alpha_1", "alpha_2", "lambda_1", "lambda_2"), precision)


_LASSO = {"alpha": log(1e-5, 1e2)}
_ELASTIC_NET = {"alpha": log(1e-5, 1e2), "l1_ratio": Real(0.0, 1.0)}
_GLM = {"alpha": zero_or_log(1e-6, 1e2)}


TABLE: dict[str, Entry] = {
    "sklearn.LogisticRegression": _logistic,
    "sklearn.Ridge": {"alpha": log(1e-4, 1e4)},
    "sklearn.RidgeClassifier": lambda data: {"alpha": log(1e-4, 1e4), **class_weights(data)},
    "sklearn.Lasso": _LASSO,
    "sklearn.LassoLars": _LASSO,
    "sklearn.MultiTaskLasso": _LASSO,
    "sklearn.ElasticNet": _ELASTIC_NET,
    "sklearn.MultiTaskElasticNet": _ELASTIC_NET,
    "sklearn.LassoLarsIC": {"criterion": ["aic", "bic"]},
    "sklearn.BayesianRidge": _BAYESIAN_RIDGE,
    "sklearn.ARDRegression": {**_BAYESIAN_RIDGE, "threshold_lambda": log(1e3, 1e5)},
    "sklearn.HuberRegressor": {"epsilon": Real(1.05, 3.0), "alpha": log(1e-6, 1e2)},
    "sklearn.QuantileRegressor": {"alpha": zero_or_log(1e-4, 1.0)},
    "sklearn.PoissonRegressor": _GLM,
    "sklearn.GammaRegressor": _GLM,
    "sklearn.TweedieRegressor": _GLM,
    "sklearn.OrthogonalMatchingPursuit": _omp,
    "sklearn.SGDClassifier": _sgd(["hinge", "log_loss", "modified_huber"]),
    "sklearn.SGDRegressor": _sgd(["squared_error", "huber", "epsilon_insensitive"]),
    "sklearn.SGDOneClassSVM": {"nu": log(0.01, 0.9)},
    "sklearn.Perceptron": _perceptron,
    "sklearn.PassiveAggressiveClassifier": _PASSIVE_AGGRESSIVE,
    "sklearn.PassiveAggressiveRegressor": {**_PASSIVE_AGGRESSIVE, "epsilon": log(1e-3, 1.0)},
    "sklearn.SVC": _svc,
    "sklearn.SVR": _svr,
    "sklearn.NuSVC": _nu_svc,
    "sklearn.NuSVR": _nu_svr,
    "sklearn.OneClassSVM": _one_class,
    "sklearn.LinearSVC": _linear_svc,
    "sklearn.LinearSVR": _linear_svr,
    "sklearn.KernelRidge": _kernel_ridge,
    "sklearn.LinearDiscriminantAnalysis": _lda,
    "sklearn.QuadraticDiscriminantAnalysis": _qda,
    "sklearn.RANSACRegressor": {"max_trials": log_integer(20, 500)},
    "sklearn.Lars": lambda data: {
        "n_nonzero_coefs": with_number(counts(min(data.n_columns, 500)), 500)
    },
    "sklearn.ElasticNetCV": {"l1_ratio": Real(0.01, 1.0)},
    "sklearn.MultiTaskElasticNetCV": {"l1_ratio": Real(0.01, 1.0)},
}
