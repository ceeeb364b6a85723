"""Searches inside and around other estimators, and on all kinds of data."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler


@pytest.fixture
def frame(blobs):
    X, y = blobs
    return pd.DataFrame(X, columns=["a", "b", "c", "d"]), pd.Series(y, name="target")


def test_search_works_in_a_pipeline(search_class, blobs):
    search = search_class(LogisticRegression(), {"C": [0.1, 1.0, 10.0]}, n_iter=3, cv=2)
    pipeline = make_pipeline(StandardScaler(), search).fit(*blobs)
    assert pipeline.score(*blobs) > 0.5
    assert pipeline.predict_proba(blobs[0]).shape == (60, 2)
    pipeline.set_output(transform="pandas")
    name = search_class.__name__.lower()
    assert pipeline.set_params(**{f"{name}__estimator__C": 0.5})[-1].estimator.C == 0.5


def test_pipeline_works_in_a_search(search_class, blobs):
    pipeline = Pipeline([("scale", StandardScaler()), ("clf", LogisticRegression())])
    scalers = [StandardScaler(), MinMaxScaler(), "passthrough"]
    space = {"scale": scalers, "clf__C": (1e-2, 1e2, "log-uniform")}
    search = search_class(pipeline, space, n_iter=8, cv=2, random_state=0).fit(*blobs)
    tried = search.cv_results_["param_scale"]
    assert all(any(value is scaler for scaler in scalers) for value in tried)
    assert not hasattr(scalers[0], "mean_")
    assert search.predict(blobs[0]).shape == (60,)


def test_search_works_in_a_search(search_class, blobs):
    inner = search_class(Ridge(), {"alpha": [0.1, 1.0]}, n_iter=2, cv=2, random_state=0)
    space = {"estimator__fit_intercept": [True, False], "n_iter": [1, 2]}
    outer = search_class(inner, space, n_iter=4, cv=2, random_state=0, refit=True)
    outer.fit(*blobs)
    assert len(outer.trials_) == 4
    assert set(outer.best_params_) == {"estimator__fit_intercept", "n_iter"}
    assert isinstance(outer.best_estimator_, search_class)
    assert outer.best_estimator_.best_params_["alpha"] in {0.1, 1.0}
    assert outer.predict(blobs[0]).shape == (60,)


def test_search_works_in_cross_validation_and_meta_estimators(search_class, blobs):
    search = search_class(LogisticRegression(), {"C": [0.1, 1.0]}, n_iter=2, cv=2)
    assert cross_val_score(search, *blobs, cv=3, error_score="raise").shape == (3,)
    X, y = blobs[0], np.arange(60) % 3
    assert len(OneVsRestClassifier(search).fit(X, y).estimators_) == 3


def test_set_output_applies_to_search_as_transformer(search_class, frame):
    X, y = frame
    search = search_class(PCA(), {"n_components": [1, 2]}, n_iter=2, cv=2, random_state=0)
    pipeline = make_pipeline(StandardScaler(), search, LogisticRegression())
    pipeline.set_output(transform="pandas").fit(X, y)
    n_components = pipeline[1].best_params_["n_components"]
    names = [f"pca{number}" for number in range(n_components)]
    assert pipeline[:-1].transform(X).columns.tolist() == names
    assert pipeline[-1].feature_names_in_.tolist() == names
    assert pipeline[1].get_feature_names_out().tolist() == names
    assert pipeline[:-1].get_feature_names_out().tolist() == names
    copy = clone(pipeline).fit(X, y)
    assert copy[:-1].transform(X).columns.tolist() == names


def test_set_output_after_fit_can_be_undone(search_class, frame):
    X, y = frame
    search = search_class(
        SelectKBest(k=1), {"k": [1, 2]}, scoring=lambda selector, X, y: -selector.k, n_iter=2, cv=2
    ).fit(X, y)
    assert isinstance(search.transform(X), np.ndarray)
    assert search.set_output(transform="pandas") is search
    assert search.transform(X).columns.tolist() == ["a"]
    assert search.get_feature_names_out().tolist() == ["a"]
    assert search.set_output(transform=None).transform(X).columns.tolist() == ["a"]
    search.set_output(transform="default")
    assert isinstance(search.transform(X), np.ndarray)
    assert search.feature_names_in_.tolist() == ["a", "b", "c", "d"]


def test_set_output_applies_to_column_transformer_of_searches(search_class, frame):
    X, _ = frame
    search = search_class(PCA(), {"n_components": [1, 2]}, n_iter=2, cv=2, random_state=0)
    columns = make_column_transformer(
        (search, ["a", "b"]), (StandardScaler(), ["c"]), verbose_feature_names_out=False
    ).set_output(transform="pandas")
    assert columns.fit_transform(X).columns.tolist()[-1] == "c"


def test_feature_names_need_a_fitted_search(search_class):
    search = search_class(PCA(), {"n_components": [1, 2]})
    with pytest.raises(NotFittedError):
        search.get_feature_names_out()


def test_data_frames_reach_the_estimator_unchanged(search_class, frame):
    X, y = frame
    pipeline = Pipeline(
        [
            ("columns", ColumnTransformer([("scale", StandardScaler(), ["a", "b"])])),
            ("clf", LogisticRegression()),
        ]
    )
    search = search_class(pipeline, {"clf__C": [0.1, 1.0]}, n_iter=2, cv=2).fit(X, y)
    assert search.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    assert search.n_features_in_ == 4
    assert search.predict(X[["d", "c", "b", "a"]]).shape == (60,)


@pytest.mark.parametrize("index", [None, 100])
def test_shuffled_index_of_a_frame_is_ignored(search_class, frame, index):
    X, y = frame
    if index:
        X, y = X.set_index(X.index[::-1] + index), y.set_axis(y.index[::-1] + index)
    search = search_class(LogisticRegression(), {"C": [0.1, 1.0]}, n_iter=2, cv=3, random_state=0)
    expected = clone(search).fit(X.to_numpy(), y.to_numpy()).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(search.fit(X, y).cv_results_["mean_test_score"], expected)


@pytest.mark.parametrize("container", [scipy.sparse.csr_matrix, scipy.sparse.csr_array])
def test_sparse_data_are_accepted(search_class, blobs, container):
    X, y = blobs
    dense = np.where(np.abs(X) > 0.5, X, 0.0)
    search = search_class(Ridge(solver="lsqr"), {"alpha": [0.1, 1.0]}, n_iter=2, cv=2)
    search.fit(container(dense), y)
    assert search.predict(container(dense)).shape == (60,)


def test_lists_and_strings_are_accepted_as_data(search_class):
    from sklearn.feature_extraction.text import CountVectorizer

    texts, y = ["good day", "bad night", "good sun", "bad rain"] * 5, ["yes", "no"] * 10
    pipeline = Pipeline([("count", CountVectorizer()), ("clf", LogisticRegression())])
    space = {"count__ngram_range": [(1, 1), (1, 2)], "clf__C": [0.1, 1.0]}
    search = search_class(pipeline, space, n_iter=4, cv=2).fit(texts, y)
    assert type(search.best_params_["count__ngram_range"]) is tuple
    assert search.predict(["good rain"]).tolist()[0] in {"yes", "no"}


def test_several_targets_are_accepted(search_class, blobs):
    X, y = blobs
    search = search_class(Ridge(), {"alpha": [0.1, 1.0]}, n_iter=2, cv=2)
    search.fit(X, np.column_stack([y, 1 - y]))
    assert search.predict(X).shape == (60, 2)
