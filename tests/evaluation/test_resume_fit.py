"""Wrappers of neural networks: parameters of their parts, and resumed fits."""

import pickle
from typing import ClassVar

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_lepton import SwarmSearchCV
from sklearn_lepton._evaluation.resume_fit import ResumedFit


class Wrapper(ClassifierMixin, BaseEstimator):
    """Wrapper of a network: passes on ``module__...``, and starts cold when it is set."""

    seen: ClassVar[list] = []  # epochs of each fit and in total, also of those from a file

    def __init__(self, module=None, *, epochs=9, warm_start=True, **of_parts):
        self.module = module
        self.epochs = epochs
        self.warm_start = warm_start
        vars(self).update(of_parts)

    def get_params(self, deep=True):
        of_parts = {name: v for name, v in vars(self).items() if name.startswith("module__")}
        return super().get_params(deep) | of_parts

    def set_params(self, **params):
        own = {}
        for name, value in params.items():
            if name.startswith("module__"):
                setattr(self, name, value)
                self.total_ = 0
            else:
                own[name] = value
        return super().set_params(**own)

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.total_ = (getattr(self, "total_", 0) if self.warm_start else 0) + self.epochs
        self.seen.append((self.epochs, self.total_))
        return self

    def predict(self, X):
        return np.zeros(len(X), dtype=int)

    def score(self, X, y=None):
        return self.total_


WIDTH = {"module__width": (1, 99, "int")}


def make(estimator, space=WIDTH, **params):
    settings = {"surrogate": False, "n_iter": 12, "cv": 2, "random_state": 0}
    return SwarmSearchCV(estimator, space, **(settings | params))


@pytest.mark.parametrize("is_step", [False, True])
def test_network_resumes_with_any_tuned_parameter(numbered, is_step):
    Wrapper.seen.clear()
    estimator, space, name = Wrapper(), WIDTH, "epochs"
    if is_step:
        estimator = Pipeline([("scale", StandardScaler()), ("net", estimator)])
        space, name = {"net__module__width": (1, 99, "int")}, "net__epochs"
    search = make(estimator, space, resource=name).fit(*numbered)
    amounts = search.cv_results_["n_resources"]
    assert set(amounts) == {1, 3, 9}
    assert (2, 3) in Wrapper.seen
    assert {total for _, total in Wrapper.seen} == {1, 3, 9}
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], amounts)
    assert search.best_estimator_.get_params()[name] == 9


def test_parameters_of_network_parts_can_be_tuned(numbered, search_class):
    pipeline = Pipeline([("net", Wrapper())])
    space = {"net__module__width": [1, 2, 3]}
    search = search_class(pipeline, space, n_iter=4, cv=2, random_state=0).fit(*numbered)
    assert search.trials_[0].params == {}  # the untuned estimator has no width
    assert {trial.params["net__module__width"] for trial in search.trials_[1:]} == {1, 2, 3}


@pytest.mark.parametrize("name", ["width", "nothing__width", "modul__width", "epochs__width"])
def test_unknown_parameters_of_network_parts_are_refused(numbered, name):
    with pytest.raises(ValueError, match=f"Unknown parameter '{name}'"):
        make(Wrapper(), {name: [1, 2]}).fit(*numbered)


def test_estimator_of_user_script_is_resumed(tmp_path):
    kind = type("Net", (Wrapper,), {"__module__": "__main__"})  # which no worker can import
    target = str(tmp_path / "0-0.pkl")

    def function(estimator, **kwargs):
        return {
            "fit_error": None,
            "fit_time": 0.5,
            "total": estimator.set_params(**kwargs["parameters"]).fit([], []),
        }

    first = ResumedFit(function, "epochs", True, source=None, target=target)
    first(kind(), parameters={"epochs": 2, "module__width": 5})
    with open(target, "rb") as file:  # noqa: PTH123
        fitted, amount, seconds = pickle.load(file)
    assert (fitted.total_, fitted.module__width, amount, seconds) == (2, 5, 2, 0.5)
    then = ResumedFit(function, "epochs", True, source=target, target=None)
    row = then(kind(), parameters={"epochs": 6, "module__width": 5})
    assert (row["total"].total_, row["total"].epochs, row["saved_time"]) == (6, 4, 0.5)
    assert "set_params" not in vars(row["total"])
