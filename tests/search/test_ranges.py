"""Ranges of real numbers for parameters that take integers raise before the first fit."""

import numpy as np
import pytest
from scipy.stats import norm, uniform
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier

from sklearn_lepton import BayesSearchCV, Integer, Real, Space
from sklearn_lepton._search.ranges import check_ranges

PIPELINE = Pipeline([("reduce", PCA()), ("model", RandomForestClassifier())])


class NeverFitted(RandomForestClassifier):
    """A forest that counts its fits."""

    __module__ = "sklearn.ensemble"

    def fit(self, X, y):
        pytest.fail("a fit began")


class Converting(RandomForestClassifier):
    """A user's class, which may convert what it gets."""

    def fit(self, X, y):
        self.set_params(n_estimators=int(self.n_estimators))
        return super().fit(X, y)


def test_search_raises_before_the_first_fit():
    search = BayesSearchCV(NeverFitted(), {"n_estimators": Real(1, 30)}, n_iter=3, cv=2)
    with pytest.raises(
        ValueError,
        match=r"'n_estimators': NeverFitted takes integers only.* real numbers such as 15.5: "
        r"give Integer\(1, 30\) or \(1, 30, 'int'\)",
    ):
        search.fit(np.zeros((8, 1)), [0, 1] * 4)


@pytest.mark.parametrize(
    ("estimator", "space", "message"),
    [
        (
            RandomForestClassifier(),
            {"n_estimators": (1.5, 300.5, "log-uniform")},
            r"give Integer\(2, 300, log=True\) or \(2, 300, 'log-int'\)",
        ),
        (DecisionTreeClassifier(), {"max_depth": uniform(1, 30)}, r"Integer\(1, 31\)"),
        (KNeighborsClassifier(), {"n_neighbors": norm(20, 2)}, r"scipy.stats.randint"),
        (DecisionTreeClassifier(), {"min_samples_split": Real(2, 20)}, r"Integer\(2, 20\)"),
        (PIPELINE, {"model__n_estimators": Real(1, 30)}, "'model__n_estimators': RandomForest"),
        (
            PIPELINE,
            [
                {"model": [LogisticRegression()], "model__C": Real(0.1, 10)},
                {"model": [RandomForestClassifier()], "model__max_depth": Real(1, 30)},
            ],
            "'model__max_depth': RandomForest",
        ),
        (RandomForestClassifier(), {"n_estimators": Real(0, 30)}, r"Integer\(0, 30\)"),
        (LogisticRegression(), {"max_iter": Real(0.2, 0.8)}, r"Integer\(low, high\)"),
    ],
)
def test_range_of_real_numbers_for_integers_raises(estimator, space, message):
    with pytest.raises(ValueError, match=message):
        check_ranges(Space(space), estimator)


@pytest.mark.parametrize(
    ("estimator", "space"),
    [
        (RandomForestClassifier(), {"n_estimators": Integer(1, 30)}),
        (RandomForestClassifier(), {"n_estimators": [1.0, 30.0]}),  # fits fail, but are few
        (LogisticRegression(), {"C": Real(1, 30)}),
        (LogisticRegression(), {"C": Real(-30, -1)}),  # not allowed as integers either
        (DecisionTreeClassifier(), {"min_samples_split": Real(0.1, 20)}),  # below 1 a share
        (DecisionTreeClassifier(), {"min_samples_split": Real(0.1, 1)}),
        (RandomForestClassifier(), {"max_features": Real(0.0, 1000)}),
        (Converting(), {"n_estimators": Real(1, 30)}),
        (BaseEstimator(), {"x": Real(1, 30)}),
        (PIPELINE, {"other__n_estimators": Real(1, 30)}),
        (
            PIPELINE,
            {
                "model": [RandomForestClassifier(), Converting()],
                "model__n_estimators": Real(1, 30),
            },
        ),
    ],
)
def test_other_ranges_do_not_raise(estimator, space):
    check_ranges(Space(space), estimator)
