"""Estimators, spaces and data of real libraries, for their tests.

Nothing is imported before it is asked for: most of these libraries are large.
"""

import os
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

# Keras' own, wherever it makes arrays of PyTorch's.
OF_KERAS = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning:keras"
)
RATE = (1e-3, 1e-1, "log-uniform")
REGULARISED = {"clf__C": (1e-3, 1e2, "log-uniform")}


class Case(NamedTuple):
    """An estimator with a small space, and data for it.

    Attributes
    ----------
    copy : callable
        Returns equal data, as another process would read them.
    """

    estimator: Any
    space: dict
    X: Any
    y: Any
    copy: Any = lambda data: data.copy()


def arrays(**params):
    X, y = make_classification(200, 6, random_state=0, **params)
    return X.astype(np.float32), y.astype(np.int64)


def torch():
    """Import torch and limit this process to one thread."""
    found = pytest.importorskip("torch")
    found.set_num_threads(1)
    return found


def skorch():
    torch()
    pytest.importorskip("skorch")
    from networks import network

    return Case(network(max_epochs=3), {"module__width": (2, 16, "log-int"), "lr": RATE}, *arrays())


def keras():
    torch()
    os.environ.setdefault("KERAS_BACKEND", "torch")
    pytest.importorskip("keras")
    scikeras = pytest.importorskip("scikeras.wrappers")
    from keras_networks import build

    model = scikeras.KerasClassifier(build, width=8, epochs=2, verbose=0, random_state=0)
    return Case(model, {"width": (2, 16, "log-int"), "model__rate": RATE}, *arrays())


def _booster(model):
    return Case(model, {"learning_rate": RATE}, *arrays())


def xgboost():
    return _booster(pytest.importorskip("xgboost").XGBClassifier(n_estimators=9, n_jobs=1))


def lightgbm():
    library = pytest.importorskip("lightgbm")
    return _booster(library.LGBMClassifier(n_estimators=9, n_jobs=1, verbose=-1))


def catboost():
    model = pytest.importorskip("catboost").CatBoostClassifier(
        n_estimators=9, thread_count=1, verbose=False, allow_writing_files=False
    )
    return _booster(model)


def imbalanced():
    sampling = pytest.importorskip("imblearn.over_sampling")
    pipeline = pytest.importorskip("imblearn.pipeline").Pipeline(
        [
            ("scale", StandardScaler()),
            ("smote", sampling.SMOTE(random_state=0)),
            ("clf", LogisticRegression()),
        ]
    )
    space = {**REGULARISED, "smote__k_neighbors": (1, 4, "int")}
    return Case(pipeline, space, *arrays(weights=[0.8]))


def _sparse(kind):
    from scipy import sparse

    X = getattr(sparse, kind)(sparse.random(200, 30, 0.3, format="csr", random_state=0))
    y = np.asarray(X.tocsr()[:, [0, 1]].sum(axis=1)).ravel() > 0.3
    model = Pipeline([("scale", StandardScaler(with_mean=False)), ("clf", LogisticRegression())])
    return Case(model, REGULARISED, X, y)


def csr():
    return _sparse("csr_array")


def csc():
    return _sparse("csc_matrix")


def _table():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 200))
    label = np.where(a + 0.3 * rng.normal(size=200) > 0, "yes", "no")
    return {"a": a, "b": b, "kind": rng.choice(list("uvw"), 200)}, label


def _by_type(is_kind, is_number):
    return make_column_transformer(
        (StandardScaler(), is_number),
        (OneHotEncoder(sparse_output=False, handle_unknown="ignore"), is_kind),
    )


def polars():
    library = pytest.importorskip("polars")
    columns, label = _table()
    X = library.DataFrame(columns).with_columns(library.col("kind").cast(library.Categorical))
    columns = _by_type(["kind"], ["a", "b"]).set_output(transform="polars")
    model = Pipeline([("columns", columns), ("clf", LogisticRegression())])

    def copy(data):
        return library.concat([data[:70], data[70:]], rechunk=False)

    return Case(model, REGULARISED, X, library.Series("label", label), copy)


def pandas():
    """Columns of pandas' own types: a nullable integer, a boolean, a category."""
    library = pytest.importorskip("pandas")
    columns, label = _table()
    X = library.DataFrame(
        {
            "a": columns["a"],
            "b": library.array((columns["b"] * 9).round(), dtype="Int64"),
            "is": library.array(columns["b"] > 0, dtype="boolean"),
            "kind": library.Categorical(columns["kind"]),
        }
    )
    kinds = make_column_selector(dtype_include="category")
    others = make_column_selector(dtype_exclude="category")
    model = Pipeline([("columns", _by_type(kinds, others)), ("clf", LogisticRegression())])
    return Case(model, REGULARISED, X, library.Series(label, dtype="category"))


def memmap():
    X, y = arrays()
    path = Path(tempfile.mkdtemp()) / "X.npy"
    np.save(path, X)
    model = Pipeline([("scale", StandardScaler()), ("clf", LogisticRegression())])
    return Case(model, REGULARISED, np.load(path, mmap_mode="r"), y)


CASES = [
    skorch,
    keras,
    xgboost,
    lightgbm,
    catboost,
    imbalanced,
    csr,
    csc,
    polars,
    pandas,
    memmap,
]
