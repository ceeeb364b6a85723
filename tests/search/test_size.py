"""Size of a fitted search, and of what its workers get: small for any data."""

import pickle

import numpy as np
import pytest
from scipy.stats import loguniform, randint
from sklearn.base import BaseEstimator
from sklearn.datasets import load_iris
from sklearn.svm import SVC

from sklearn_lepton import SwarmSearchCV
from sklearn_lepton._workers.serialization import SharedContext


class Ten(BaseEstimator):
    """Has ten parameters and learns nothing."""

    def __init__(self, a=0.5, b=0.5, c=0.5, d=0.5, e=0.5, f=5, g=5, h="u", i="u", j=True):
        self.a, self.b, self.c, self.d, self.e = a, b, c, d, e
        self.f, self.g, self.h, self.i, self.j = f, g, h, i, j

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def score(self, X, y=None):
        return -((self.a - 0.3) ** 2) - (self.b - self.c) ** 2 - abs(self.f - 7) / 10


SPACE = {
    **dict.fromkeys("abc", (0.0, 1.0, "uniform")),
    **{name: loguniform(1e-3, 1.0) for name in "de"},
    "f": randint(1, 10),
    "g": [1, 2, 3, 5, 8],
    **{name: ["u", "v", "w"] for name in "hi"},
    "j": [True, False],
}


def size(search_class, n_iter, cv, n_rows=100, **arguments):
    X = np.zeros((n_rows, 2))
    search = search_class(Ten(), SPACE, n_iter=n_iter, cv=cv, random_state=0, **arguments)
    return len(pickle.dumps(search.fit(X, np.arange(n_rows) % 2)))


@pytest.mark.thorough
@pytest.mark.parametrize(("cv", "return_train_score"), [(3, False), (5, False), (5, True)])
def test_trial_takes_less_than_two_kilobytes(search_class, cv, return_train_score):
    sizes = [
        size(search_class, n_iter, cv, return_train_score=return_train_score, n_points=4)
        for n_iter in (12, 36)
    ]
    slope = (sizes[1] - sizes[0]) / 24
    assert slope < 2000


def test_size_does_not_depend_on_the_data(search_class):
    sizes = [size(search_class, 14, 3, n_rows) for n_rows in (100, 100_000)]
    assert abs(sizes[1] - sizes[0]) < 64


def test_unseeded_splits_are_not_kept(search_class):
    from sklearn.model_selection import ShuffleSplit

    cv = ShuffleSplit(2)
    sizes = [size(search_class, 3, cv, n_rows) for n_rows in (100, 100_000)]
    assert abs(sizes[1] - sizes[0]) < 64


@pytest.mark.parametrize(
    "options",
    [{}, {"param_distributions": "auto"}, {"return_predictions": True, "return_estimators": True}],
    ids=["plain", "auto", "outputs"],
)
def test_fits_are_sent_to_workers_without_what_they_share(monkeypatch, options):
    sizes = []
    serialize = SharedContext.serialize

    def measured(context, fit):
        payload = serialize(context, fit)
        sizes.append(len(payload))
        return payload

    monkeypatch.setattr(SharedContext, "serialize", measured)
    options = {"param_distributions": {"C": (0.1, 10.0, "uniform")}} | options
    SwarmSearchCV(SVC(), **options, n_iter=4, cv=3, n_jobs=2, random_state=0).fit(
        *load_iris(return_X_y=True)
    )
    assert len(sizes) >= 12
    assert max(sizes) < 2500
