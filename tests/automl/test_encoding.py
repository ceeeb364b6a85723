"""Categories with many values are encoded by means of the target."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge

from sklearn_lepton import AutoSearchCV
from sklearn_lepton._automl.columns import read_columns
from sklearn_lepton._automl.portfolio import make_portfolio
from sklearn_lepton._automl.preprocessing import for_distances, for_trees
from sklearn_lepton._automl.task import read_task

N_VALUES = 300


def table(n_rows=3000):
    """Return a number, a category of 300 values with an effect, and an amount."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, N_VALUES, n_rows)
    number = rng.normal(size=n_rows)
    y = number + rng.normal(scale=3, size=N_VALUES)[codes] + rng.normal(size=n_rows)
    town = pd.Series(codes).map("town {}".format).mask(rng.random(n_rows) < 0.01)
    side = rng.choice(["left", "right", None], n_rows)
    return pd.DataFrame({"number": number, "town": town, "side": side}), y


def task_of(X, y, kind="regressor", **changes):
    task = read_task(kind, read_columns(X), y, n_rows=len(X), has_weights=False)
    return replace(task, **changes)


@pytest.mark.parametrize(
    ("model", "needed"), [(HistGradientBoostingRegressor, 0.75), (Ridge, 0.75)]
)
def test_models_learn_the_effects_of_many_categories(model, needed):
    X, y = table()
    portfolio = make_portfolio(task_of(X[:2000], y[:2000]))
    start = next(s for s in portfolio.starts if isinstance(s["model"].regressor, model))
    fitted = clone(portfolio.pipeline).set_params(**start).fit(X[:2000], y[:2000])
    assert fitted.score(X[2000:], y[2000:]) > needed
    new = X[2000:].assign(town="a new one", side=None)
    assert np.isfinite(fitted.predict(new)).all()


@pytest.mark.parametrize("prepare", [for_trees, for_distances])
def test_means_of_training_rows_leave_out_their_own_target(prepare):
    X, _ = table()
    y = np.random.default_rng(1).normal(size=len(X))  # has nothing to do with the categories
    transformer = prepare(task_of(X, y))
    rows = clone(transformer).fit_transform(X, y)
    assert np.array_equal(rows, clone(transformer).fit_transform(X, y), equal_nan=True)
    names = [
        name.partition("__")[0] for name in clone(transformer).fit(X, y).get_feature_names_out()
    ]
    assert abs(np.corrcoef(rows[:, names.index("means")], y)[0, 1]) < 0.1


def test_integers_are_amounts_to_a_regressor():
    X, y = table()
    y = (y > 0).astype(int) + (y > 2)
    assert for_trees(task_of(X, y)).fit_transform(X, y).shape == (3000, 3)
    classes = for_trees(task_of(X, y, "classifier"))
    assert classes.fit_transform(X, y).shape == (3000, 2 + 3)


def test_long_tables_have_one_column_for_a_category_of_few_values():
    X, y = table()
    X["town"] = [f"town {row % 20}" for row in range(len(X))]
    short = for_distances(task_of(X, y)).fit_transform(X, y)
    long = for_distances(task_of(X, y, n_rows=100_000)).fit_transform(X, y)
    assert short.shape[1] - long.shape[1] == 20 - 1


@pytest.mark.parametrize("changes", [{"n_targets": 2}, {"n_classes": 11}, {"smallest_class": 19}])
def test_other_targets_leave_codes(changes):
    X, y = table()
    task = task_of(X, np.where(y > 0, "more", "less"), "classifier")
    assert task.by_target(60) == ["town"]
    assert replace(task, **changes).by_target(60) == []


def test_search_encodes_many_categories_with_any_type_of_class():
    X, y = table(600)
    for classes in (y > 0, np.where(y > 0, "more", "less"), np.digitize(y, [-2, 2])):
        search = AutoSearchCV("classifier", n_iter=2, cv=2, random_state=0).fit(X, classes)
        assert search.predict_proba(X[:5]).shape == (5, len(np.unique(classes)))
