"""A search for a model on a large table begins with part of its rows."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from sklearn_lepton import AutoSearchCV
from sklearn_lepton._automl.portfolio import Portfolio
from sklearn_lepton._search import fewer_rows
from sklearn_lepton._search.fewer_rows import finalists, growth, narrowed, order_of_rows
from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.exceptions import FewerRowsWarning, SearchInterruptedWarning

MODELS = {
    "gradient boosting": HistGradientBoostingClassifier(),
    "logistic regression": LogisticRegression(),
    "naive Bayes": GaussianNB(),
}


def make_trials(*rows):
    trials = []
    for number, (name, score, seconds) in enumerate(rows):
        result = SplitResult(scores=score, fit_time=seconds, score_time=0.0)
        trial = Trial(number, (0.5,), {"model": MODELS[name]})
        trials.append(trial.complete(score, split_scores=[score], split_results=[result]))
    return trials


def test_beginnings_of_the_order_have_all_classes():
    y = np.repeat(["often", "rare"], [9970, 30])
    order = order_of_rows(10_000, y, is_classifier=True)
    assert sorted(order) == list(range(10_000))
    assert (y[order[:2500]] == "rare").sum() == 30
    assert np.array_equal(order, order_of_rows(10_000, y, is_classifier=True))
    y = np.tile(["a", "b"], 5000)
    assert abs((y[order_of_rows(10_000, y, is_classifier=True)[:2500]] == "a").mean() - 0.5) < 0.01


def test_growth_is_what_the_time_suffices_for():
    trials = make_trials(("naive Bayes", 0.5, 0.1), ("gradient boosting", 0.9, 2.0))
    assert growth(trials, n_fits=2.0, seconds=5.0) == pytest.approx(1.0)
    assert 5.0 < growth(trials, n_fits=2.0, seconds=50.0) < 10.0
    assert growth(trials, n_fits=2.0, seconds=-1.0) == 0.0
    assert growth([], n_fits=2.0, seconds=5.0) == 0.0


def test_finalists_are_the_best_that_can_be_fitted_in_time():
    trials = make_trials(
        ("logistic regression", 0.8, 1.0),
        ("gradient boosting", 0.9, 2.0),
        ("gradient boosting", 0.89, 1.0),
        ("gradient boosting", 0.88, 0.1),
        ("naive Bayes", 0.7, 0.1),
    )
    best = finalists(trials, 4.0, n_splits=1, seconds=1000.0)
    assert [trial.number for trial in best] == [1, 2, 0]
    best = finalists(trials, 4.0, n_splits=1, seconds=15.0)
    assert [trial.number for trial in best] == [2, 3, 4]
    assert finalists(trials, 4.0, n_splits=1, seconds=0.1) == []


def test_models_that_are_left_are_the_best_two_and_boosting():
    space = [{"model": [model]} for model in MODELS.values()]
    portfolio = Portfolio(None, space, [], list(MODELS), {"model": MODELS})
    trials = make_trials(("naive Bayes", 0.9, 1.0), ("logistic regression", 0.8, 1.0))
    assert narrowed(portfolio, trials, []).names == list(MODELS)
    left = narrowed(portfolio, trials[:1], [])
    assert left.names == ["gradient boosting", "naive Bayes"]
    assert left.space == [space[0], space[2]]


def test_models_of_all_finalists_are_left(monkeypatch):
    monkeypatch.setattr(fewer_rows, "_MAX_MODELS", 1)
    space = [{"model": [model]} for model in MODELS.values()]
    portfolio = Portfolio(None, space, [], list(MODELS), {"model": MODELS})
    trials = make_trials(("gradient boosting", 0.9, 9.0), ("naive Bayes", 0.8, 0.1))
    best = finalists(trials, 4.0, n_splits=1, seconds=5.0)
    assert [trial.number for trial in best] == [1]
    assert narrowed(portfolio, trials, best).names == ["gradient boosting", "naive Bayes"]


@pytest.fixture
def table(monkeypatch):
    monkeypatch.setattr(fewer_rows, "MIN_ROWS", 2000)
    # In the caller: starting processes would take most of the time.
    monkeypatch.setattr(AutoSearchCV, "_ends_fits_at_max_time", lambda _: False)
    X, y = make_classification(6000, 40, n_informative=8, random_state=0)
    frame = pd.DataFrame(X, columns=[f"x{column}" for column in range(40)])
    return frame, np.where(y == 1, "yes", "no")


@pytest.mark.thorough
def test_search_on_all_rows_begins_with_the_best_of_fewer(table, monkeypatch):
    monkeypatch.setattr(fewer_rows, "_MARGIN", 0.01)  # there is time, however slow the machine is
    X, y = table
    search = AutoSearchCV("classifier", max_time=12, random_state=0, n_points=1)
    search.fit(X, y, sample_weight=np.ones(6000))
    small = search.smaller_search_
    assert small._data_shape[0] == 1500
    assert not hasattr(small, "best_estimator_")
    assert small.trials_
    best = max(small.trials_, key=lambda trial: trial.score or -np.inf)
    assert search.trials_[0].params == best.params
    assert search._data_shape[0] == 6000
    assert search.score(X, y) > 0.85
    assert search.get_params()["max_time"] == 12
    assert search.previous_studies is None
    assert "rows" in search.choice_
    assert search.best_estimator_.feature_names_in_.tolist() == list(X)


@pytest.mark.thorough
def test_result_of_fewer_rows_is_kept_without_time_for_all(table, monkeypatch):
    X, y = table
    monkeypatch.setattr(fewer_rows, "_MARGIN", 1e6)
    with pytest.warns(FewerRowsWarning, match="trial on all 6000 rows"):
        search = AutoSearchCV("classifier", max_time=4, random_state=0).fit(X, y)
    assert search._data_shape[0] == 1500
    assert search.predict(X[:5]).shape == (5,)
    assert search.feature_names_in_.tolist() == list(X)
    assert search.best_score_ == search.cv_results_["mean_test_score"][search.best_index_]
    assert search.get_params()["refit"] is True
    with pytest.warns(FewerRowsWarning):
        search = AutoSearchCV("classifier", max_time=4, refit=False).fit(X, y)
    assert not hasattr(search, "best_estimator_")


@pytest.mark.thorough
@pytest.mark.parametrize(
    "settings", [{}, {"max_time": 60, "initial_params": [{"model": "naive Bayes"}]}]
)
def test_search_without_time_limit_or_with_own_start_uses_all_rows(table, settings):
    X, y = table
    search = AutoSearchCV("classifier", n_iter=1, random_state=0, **settings).fit(X, y)
    assert not hasattr(search, "smaller_search_")
    assert not search._is_part
    assert search._data_shape[0] == 6000


def test_sample_weight_of_none_is_none(table):
    X, y = table
    search = AutoSearchCV("classifier", n_iter=1, random_state=0)
    search.fit(X[:300], y[:300], sample_weight=None)
    assert search.best_score_ > 0.5


@pytest.mark.thorough
def test_too_little_time_for_a_part_leaves_the_time_for_all_rows(table, monkeypatch):
    X, y = table

    def fit_rows(self, X, y, params):
        if self._is_part:
            raise TimeoutError
        return fitted(self, X, y, params)

    fitted = AutoSearchCV._fit_rows
    monkeypatch.setattr(AutoSearchCV, "_fit_rows", fit_rows)
    search = AutoSearchCV("classifier", max_time=4, random_state=0).fit(X, y)
    assert search._data_shape[0] == 6000


@pytest.mark.thorough
def test_interrupt_on_all_rows_keeps_the_result_of_fewer(table, monkeypatch):
    monkeypatch.setattr(fewer_rows, "_MARGIN", 0.01)
    X, y = table

    def fit_rows(self, X, y, params):
        if not self._is_part:
            raise KeyboardInterrupt
        return fitted(self, X, y, params)

    fitted = AutoSearchCV._fit_rows
    monkeypatch.setattr(AutoSearchCV, "_fit_rows", fit_rows)
    with pytest.warns(SearchInterruptedWarning), pytest.warns(FewerRowsWarning):
        search = AutoSearchCV("classifier", max_time=4, random_state=0).fit(X, y)
    assert search._data_shape[0] == 1500
    assert search.predict(X[:5]).shape == (5,)
