"""Estimators with a built-in space, and small data for them."""

import inspect
import warnings

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.base import clone, is_regressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import all_estimators, get_tags

from sklearn_lepton.default_spaces._lookup import _TABLE

SKLEARN = dict(all_estimators())
# Until scikit-learn 1.7 it was ``base_estimator``.
CHAINED = next(iter(inspect.signature(SKLEARN["ClassifierChain"]).parameters))
REQUIRED = {
    "CalibratedClassifierCV": {"estimator": LinearSVC(), "cv": 2},
    "ClassifierChain": {CHAINED: LogisticRegression()},
    "ElasticNetCV": {"alphas": [0.1, 1.0], "cv": 2},
    "HDBSCAN": {"copy": True},
    "MultiTaskElasticNetCV": {"alphas": [0.1, 1.0], "cv": 2},
    "OutputCodeClassifier": {"estimator": LogisticRegression()},
    "RFE": {"estimator": LogisticRegression()},
    "RegressorChain": {CHAINED: Ridge()},
    "SelectFromModel": {"estimator": DecisionTreeClassifier(random_state=0)},
    "SelfTrainingClassifier": {"estimator": LogisticRegression()},
    "StackingClassifier": {"estimators": [("a", DecisionTreeClassifier())], "cv": 2},
    "StackingRegressor": {"estimators": [("a", Ridge())], "cv": 2},
}
COUNTS = {"CategoricalNB", "ComplementNB", "LatentDirichletAllocation", "MultinomialNB"}
COUNTS |= {"MiniBatchNMF", "NMF", "TfidfTransformer", "BernoulliRBM"}
TEXT = {"CountVectorizer", "HashingVectorizer", "TfidfVectorizer"}
MANY_TARGETS = {"CCA", "ClassifierChain", "PLSCanonical", "PLSRegression", "RegressorChain"}
MANY_TARGETS |= {name for name in SKLEARN if name.startswith("MultiTask")}
ONE_COLUMN = {"IsotonicRegression"}
# Parameters that make a fit slow, without influence on whether it fails.
CHEAP = {"n_estimators": 3, "max_iter": 4, "n_iter": 3, "max_trials": 20, "iterations": 3}


def names_in_the_table():
    """Return the names of scikit-learn's classes with parameters in their built-in space."""
    names = [name.removeprefix("sklearn.") for name, entry in _TABLE.items() if entry != {}]
    return sorted(name for name in names if name in SKLEARN)


def make(name):
    """Return an estimator of scikit-learn with a fixed seed."""
    kind = SKLEARN[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # classes that are deprecated as a whole
        estimator = kind(**REQUIRED.get(name, {}))
    if "random_state" in inspect.signature(kind).parameters:
        estimator.set_params(random_state=0)
    return estimator


def make_data(name, n_rows=60, n_columns=6, *, is_sparse=False):
    """Return data that an estimator can be fitted to."""
    rng = np.random.default_rng(0)
    estimator = make(name)
    X = rng.normal(size=(n_rows, n_columns))
    y = np.arange(n_rows) % 3
    X[:, 0] += y
    if name in COUNTS:
        X = np.clip(np.rint(2 * X), 0, 3)
        X[:4] = np.arange(4)[:, None]  # every category, early
    elif name in ONE_COLUMN:
        X = X[:, 0]
    elif name in TEXT:
        return [" ".join(f"word{w}" for w in rng.zipf(1.5, 20) % 100) for _ in range(n_rows)], y
    if is_regressor(estimator) or name in MANY_TARGETS:
        y = np.abs(X[:, 0] if X.ndim > 1 else X) + rng.uniform(0.1, 1.0, size=n_rows)
    if name in MANY_TARGETS:
        y = np.column_stack([y, np.roll(y, 1)])
        if name.startswith("Classifier"):
            y = (y > 1.2).astype(int)
    return (csr_matrix(X) if is_sparse else X), y


def fit(estimator, X, y, params):
    """Return a clone fitted to the first half of the data; deprecation warnings raise."""
    cheap = {name: n for name, n in CHEAP.items() if name in estimator.get_params()}
    half = (X.shape[0] if hasattr(X, "shape") else len(X)) // 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", FutureWarning)
        warnings.simplefilter("error", DeprecationWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "Class PassiveAggressive")
        fitted = clone(estimator).set_params(**params).set_params(**cheap)
        return fitted.fit(X[:half], y[:half])


def takes_sparse(name):
    """Return whether a class with default parameters can be fitted to sparse data."""
    if name in TEXT | ONE_COLUMN | COUNTS or not get_tags(make(name)).input_tags.sparse:
        return False
    try:
        fit(make(name), *make_data(name, is_sparse=True), {})
    except (TypeError, ValueError):  # the tag of the class does not depend on its parameters
        return False
    return True
