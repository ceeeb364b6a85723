"""Searches on targets, data and groups in every container that scikit-learn takes."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

from sklearn_lepton import AutoSearchCV, BayesSearchCV, default_space
from sklearn_lepton._automl.columns import read_columns, to_finite, to_numbers
from sklearn_lepton._automl.task import read_target, read_task
from sklearn_lepton._evaluation.resource import _labels
from sklearn_lepton._study.fingerprint import _describe_data
from sklearn_lepton.default_spaces._lookup import _describe

X, Y = make_multilabel_classification(60, 4, n_classes=3, random_state=0)
X = X.astype(float)
LABELS = (X[:, 0] > np.median(X[:, 0])).astype(int)


def task_of(y, kind="auto"):
    return read_task(kind, read_columns(X), y, n_rows=len(X), has_weights=False)


@pytest.mark.parametrize(
    "container",
    [
        sparse.csr_matrix,
        sparse.csr_array,
        sparse.coo_array,
        lambda y: pd.DataFrame(y).astype(pd.SparseDtype(int, 0)),
        lambda y: pd.DataFrame(y).astype("Int64"),
        list,
    ],
    ids=["csr_matrix", "csr_array", "coo_array", "sparse frame", "nullable frame", "arrays"],
)
def test_label_indicator_is_the_same_task_in_any_container(container):
    assert task_of(container(Y)) == task_of(Y)
    target = read_target(container(Y))
    assert type(target) is np.ndarray
    assert target.dtype.kind == "i"
    np.testing.assert_array_equal(target, Y)


def test_auto_search_learns_sparse_label_indicator():
    search = AutoSearchCV("auto", n_iter=2, cv=2, random_state=0).fit(X, sparse.csr_matrix(Y))
    assert len(search.trials_) == 2
    assert len(np.unique(search.predict(X), axis=0)) > 1


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csc_array, sparse.csr_array])
def test_sparse_column_is_a_target_of_one_column(make):
    column = make(LABELS[:, None])
    assert task_of(column) == task_of(LABELS)
    np.testing.assert_array_equal(read_target(column), LABELS)
    assert _describe(SGDClassifier(), X, column).n_classes == 2
    np.testing.assert_array_equal(_labels(SGDClassifier(), column), LABELS)


def test_sparse_numbers_are_a_regression_target():
    task = task_of(sparse.csr_matrix(np.c_[X[:, 0], X[:, 1]] + 0.5))
    assert not task.is_classifier
    assert task.n_targets == 2


def test_masked_target_has_missing_values():
    for y in (LABELS, X[:, 0] + 0.5):
        with pytest.raises(ValueError, match=r"y has 5 missing values"):
            task_of(np.ma.masked_array(y, np.arange(len(y)) < 5))
        assert task_of(np.ma.masked_array(y)) == task_of(y)


def test_masked_numbers_are_missing_where_models_are_chosen():
    mask = np.zeros(X.shape, dtype=bool)
    mask[::3, 0] = mask[:, 1] = True
    spoilt = np.where(mask, 1e6, X)
    masked, missing = np.ma.masked_array(spoilt, mask), np.where(mask, np.nan, X)
    assert read_columns(masked) == read_columns(missing)
    assert read_columns(masked).dropped == ["column 1 (no value)"]
    np.testing.assert_array_equal(to_finite(masked), missing)
    np.testing.assert_array_equal(to_numbers(masked), missing)
    few = {"n_iter": 3, "cv": 2, "random_state": 0}
    ours, theirs = (AutoSearchCV("auto", **few).fit(each, LABELS) for each in (masked, missing))
    assert ours.best_score_ == theirs.best_score_
    np.testing.assert_array_equal(ours.predict(masked), theirs.predict(missing))


def test_complex_numbers_are_refused_where_models_are_chosen():
    with pytest.raises(ValueError, match="complex numbers"):
        AutoSearchCV("auto", n_iter=1, cv=2).fit(X + 1j, LABELS)


def test_auto_space_accepts_lists_of_words():
    words = [["a", "b", "c"][: 1 + k % 3] for k in range(60)]
    pipeline = make_pipeline(CountVectorizer(analyzer=list), MultinomialNB())
    assert default_space(pipeline, words, LABELS)
    search = BayesSearchCV(pipeline, n_iter=2, cv=2, random_state=0, error_score="raise")
    assert search.fit(words, LABELS).best_score_ > 0


def test_variance_ignores_missing_values():
    frame = pd.DataFrame(7 * X).astype("Float64")
    frame.iloc[0, 0] = pd.NA
    known = np.r_[7 * X.ravel()[1:]]
    assert _describe(SGDClassifier(), frame, LABELS).variance == pytest.approx(known.var())


@pytest.mark.parametrize("make", [lambda g: g[:, None], sparse.coo_matrix, pd.DataFrame])
def test_groups_of_two_dimensions_are_refused_where_models_are_chosen(make):
    groups = make(np.arange(60) % 5)
    with pytest.raises(ValueError, match="groups must be a sequence with one label for each row"):
        AutoSearchCV("auto", n_iter=1).fit(X, LABELS, groups=groups)


def test_fingerprint_of_masked_and_nullable_arrays_follows_their_content():
    numbers = np.arange(6.0)
    some, others = (np.ma.masked_array(numbers, numbers < k) for k in (1, 2))
    assert _describe_data(some) == _describe_data(some.copy())
    assert _describe_data(some) != _describe_data(others)
    text = pd.array(list("abc"), dtype="string")
    assert _describe_data(text) == _describe_data(pd.array(["a", "b", "c"], dtype="string"))
    assert _describe_data(text) != _describe_data(pd.array(["a", "b", None], dtype="string"))


def test_journal_takes_masked_data(tmp_path):
    data, y = make_classification(40, 4, random_state=0)
    options = {"n_iter": 2, "cv": 2, "random_state": 0, "journal": tmp_path / "study.jsonl"}
    for _ in range(2):
        search = BayesSearchCV(SGDClassifier(random_state=0), {"alpha": [0.01, 0.1]}, **options)
        search.fit(np.ma.masked_array(data), y)
    assert len(search.trials_) == 2
