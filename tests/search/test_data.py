"""Data of many kinds: sparse, of pandas' own types, mapped from a file; and their fingerprints."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_lepton import BayesSearchCV, SwarmSearchCV
from sklearn_lepton._study.fingerprint import _describe_data
from sklearn_lepton.exceptions import JournalMismatchError

N_ROWS = 90


def matrix(kind):
    return getattr(sparse, kind)(sparse.random(N_ROWS, 8, 0.4, format="csr", random_state=0))


def frame():
    numbers = np.arange(N_ROWS)
    return pd.DataFrame(
        {
            "whole": pd.array([None, *numbers[1:].tolist()], dtype="Int64"),
            "is": pd.array(numbers % 3 > 0, dtype="boolean"),
            "kind": pd.Categorical(np.array(list("abc"))[numbers % 3]),
            "text": pd.array([None, *map(str, numbers[1:])], dtype="string"),
            "plain": numbers / 7,
        }
    )


@pytest.fixture(params=["csr_array", "csc_matrix", "coo_array", "csr_matrix"])
def rows(request):
    return matrix(request.param)


def target(X):
    return np.arange(X.shape[0]) % 2


def look_at(X):
    """Have data take notes of themselves, as estimators do."""
    if sparse.issparse(X):
        X.sum_duplicates()
        return X.copy()
    for name in X:
        assert X[name].dtype is not None
        assert X[name].isna().sum() <= 1
    return pd.concat([X.iloc[:9], X.iloc[9:]]).astype(X.dtypes)


def test_fingerprint_follows_content_of_data():
    for X in [*map(matrix, ["csr_array", "csc_matrix", "coo_array"]), frame()]:
        before = _describe_data(X)
        again = look_at(X)
        assert _describe_data(X) == before == _describe_data(again)


@pytest.mark.parametrize("kind", ["csr_array", "csc_matrix"])
def test_fingerprint_changes_with_values_and_positions(kind):
    X = matrix(kind)
    other, moved = X.copy(), X.copy()
    other.data[0] += 1
    moved.indices[0] = next(k for k in range(8) if k not in moved.indices[: moved.indptr[1]])
    texts = [str(_describe_data(data)) for data in (X, other, moved)]
    assert len(set(texts)) == 3


@pytest.mark.parametrize(
    "change",
    [
        lambda X: X.assign(whole=X["whole"].fillna(1)),
        lambda X: X.assign(whole=X["whole"].astype("Float64")),
        lambda X: X.assign(kind=X["kind"].cat.reorder_categories(list("cba"))),
        lambda X: X.assign(plain=X["plain"] + 1),
        lambda X: X.rename(columns={"text": "words"}),
        lambda X: X.set_index(X.index + 1),
    ],
)
def test_fingerprint_changes_with_each_part_of_a_frame(change):
    X = frame()
    assert _describe_data(change(X)) != _describe_data(X)


def test_sparse_data_with_resource_racing_and_journal(rows, tmp_path):
    model = make_pipeline(StandardScaler(with_mean=False), SGDClassifier(random_state=0))
    settings = {"cv": 2, "random_state": 0, "journal": tmp_path / "study.jsonl", "racing": True}
    settings |= {"resource": "n_samples", "surrogate": False}
    space = {"sgdclassifier__alpha": (1e-5, 1e0, "log-uniform")}
    y = target(rows)
    first = SwarmSearchCV(model, space, n_iter=4, **settings).fit(rows, y)
    assert set(first.cv_results_["n_resources"]) == {20, 45}
    rows.sum_duplicates()
    again = SwarmSearchCV(model, space, n_iter=6, **settings).fit(rows.copy(), y)
    assert [t.split_results for t in again.trials_[:4]] == [t.split_results for t in first.trials_]
    rows.data[0] += 1
    with pytest.raises(JournalMismatchError):
        SwarmSearchCV(model, space, n_iter=6, **settings).fit(rows, y)


def test_class_with_shape_is_not_data(tmp_path):
    """OneHotEncoder has ``dtype=np.float64``, whose ``shape`` is no tuple."""
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), SGDClassifier(random_state=0))
    space = {"sgdclassifier__alpha": (1e-5, 1e0, "log-uniform")}
    X = frame()[["kind"]]
    path = tmp_path / "study.jsonl"
    settings = {"cv": 2, "random_state": 0, "journal": path}
    BayesSearchCV(model, space, n_iter=1, **settings).fit(X, target(X))
    assert '"onehotencoder__dtype": {"opaque": "numpy.float64"}' in path.read_text()
    model.set_params(onehotencoder__dtype=np.float32)
    with pytest.raises(JournalMismatchError):
        BayesSearchCV(model, space, n_iter=1, **settings).fit(X, target(X))
