"""The threshold of a binary classifier from out-of-fold predictions."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import f1_score, get_scorer, make_scorer, recall_score
from sklearn.model_selection import (
    FixedThresholdClassifier,
    StratifiedKFold,
    TimeSeriesSplit,
    TunedThresholdClassifierCV,
)
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from sklearn_lepton import BayesSearchCV, tuned_threshold

SPLITS = StratifiedKFold(5, shuffle=True, random_state=0)


@pytest.fixture(scope="module")
def data():
    X, y = load_breast_cancer(return_X_y=True)
    return X[:, :5] / X[:, :5].std(axis=0), y


def fit(X, y, estimator=None, **settings):
    settings = {
        "n_iter": 2,
        "cv": SPLITS,
        "return_predictions": True,
        "random_state": 0,
        **settings,
    }
    estimator = LogisticRegression(max_iter=1000) if estimator is None else estimator
    space = {"alpha" if isinstance(estimator, Ridge) else "C": [0.1, 1.0]}
    if isinstance(estimator, DecisionTreeClassifier):
        space = {"max_depth": [2, 4]}
    return BayesSearchCV(estimator, space, **settings).fit(X, y)


@pytest.fixture(scope="module")
def search(data):
    return fit(*data)


@pytest.mark.parametrize("scoring", ["balanced_accuracy", "f1"])
def test_threshold_is_about_that_of_scikit_learn(data, search, scoring):
    X, y = data
    ours = tuned_threshold(search, y, scoring=scoring)
    peer = TunedThresholdClassifierCV(search.best_estimator_, cv=SPLITS, scoring=scoring)
    peer.fit(X, y)
    assert isinstance(ours, FixedThresholdClassifier)
    assert ours.best_score_ == pytest.approx(peer.best_score_, abs=0.01)
    assert np.mean(ours.predict(X) == peer.predict(X)) > 0.97


def test_best_threshold_beats_all_others(data, search):
    _, y = data
    ours = tuned_threshold(search, y, scoring="f1")
    probability = search.best_predictions_[:, 1]
    scores = [f1_score(y, probability >= each) for each in ours.cv_results_["thresholds"]]
    np.testing.assert_allclose(ours.cv_results_["scores"], scores)
    assert ours.best_score_ == max(scores) > f1_score(y, probability >= 0.9)
    assert ours.threshold == ours.best_threshold_


def test_labels_follow_the_threshold_of_the_refitted_estimator(data, search):
    X, y = data
    ours = tuned_threshold(search, y, scoring=make_scorer(recall_score, pos_label=0))
    expected = search.best_estimator_.predict_proba(X)[:, 1] >= ours.best_threshold_
    np.testing.assert_array_equal(ours.predict(X), expected)
    np.testing.assert_array_equal(ours.predict_proba(X), search.predict_proba(X))
    assert ours.n_features_in_ == 5
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(ours)).predict(X), expected)
    np.testing.assert_array_equal(clone(ours).fit(X, y).predict(X), expected)


def test_texts_and_the_positive_class(data, search):
    X, y = data
    names = np.array(["malignant", "benign"])[y]
    scorer = make_scorer(f1_score, pos_label="malignant")
    found = fit(X, names)
    ours = tuned_threshold(found, names, scoring=scorer, pos_label="malignant")
    expected = found.predict_proba(X)[:, 1] >= ours.best_threshold_
    np.testing.assert_array_equal(ours.predict(X) == "malignant", expected)
    first = tuned_threshold(found, names, scoring=scorer, pos_label="benign")
    assert first.best_score_ == pytest.approx(ours.best_score_, abs=0.01)
    assert set(first.predict(X)) == {"benign", "malignant"}
    assert np.mean(first.predict(X) == ours.predict(X)) > 0.98


def test_decision_values_have_thresholds_too(data):
    X, y = data
    found = fit(X, y, LinearSVC())
    for label in (0, 1):
        ours = tuned_threshold(found, y, pos_label=label)
        sign = 1 if label == 1 else -1
        is_positive = sign * found.decision_function(X) >= ours.best_threshold_
        np.testing.assert_array_equal(ours.predict(X) == label, is_positive)
        assert ours.best_score_ > 0.9


def test_rows_of_no_test_part_are_left_out(data):
    X, y = data
    found = fit(X, y, cv=TimeSeriesSplit(4))
    known = np.isfinite(found.best_predictions_[:, 1])
    assert not known.all()
    ours = tuned_threshold(found, y, scoring="f1", thresholds=[0.3])
    labels = found.best_predictions_[known, 1] >= 0.3
    assert ours.best_score_ == pytest.approx(f1_score(y[known], labels))


def test_threshold_of_an_ensemble_uses_its_predictions(data):
    X, y = data
    found = fit(X, y, DecisionTreeClassifier(random_state=0), refit="ensemble", n_iter=2)
    ours = tuned_threshold(found, y)
    assert ours.estimator_ is found.best_estimator_
    labels = (found.best_predictions_[:, 1] >= ours.best_threshold_).astype(int)
    scorer = get_scorer("balanced_accuracy")
    assert ours.best_score_ == pytest.approx(scorer._score_func(y, labels))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.zeros(7)}, "of 569 samples, got 7"),
        ({"y": np.full(569, 5)}, "with the classes"),
        ({"pos_label": "yes"}, "pos_label must be one of"),
        ({"thresholds": 1}, "at least 2"),
        ({"thresholds": "many"}, "at least 2"),
        ({"scoring": "roc_auc"}, "metric of predicted labels"),
    ],
)
def test_bad_arguments_raise(data, search, change, message):
    arguments = {"y": data[1], **change}
    with pytest.raises(ValueError, match=message):
        tuned_threshold(search, **arguments)


def test_searches_without_predictions_or_two_classes_raise(data):
    X, y = data
    with pytest.raises(ValueError, match="return_predictions=True"):
        tuned_threshold(fit(X, y, return_predictions=False), y)
    X_iris, y_iris = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="3 classes"):
        tuned_threshold(fit(X_iris, y_iris), y_iris)
    with pytest.raises(ValueError, match="no classifier"):
        tuned_threshold(fit(X, y, Ridge(), cv=3), y)
    with pytest.raises(NotFittedError):
        tuned_threshold(fit(X, y, refit=False), y)
