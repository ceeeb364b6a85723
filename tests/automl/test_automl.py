"""AutoSearchCV with a task instead of an estimator: columns, models, splits, errors."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn import config_context
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

from sklearn_lepton import AutoSearchCV, Space
from sklearn_lepton._automl.columns import read_columns, to_finite
from sklearn_lepton._automl.description import describe_models
from sklearn_lepton._automl.models import MODELS, make_factory
from sklearn_lepton._automl.portfolio import Portfolio, average, make_portfolio, make_splits
from sklearn_lepton._automl.task import Task, read_task
from sklearn_lepton._trials.trial import Trial

FAST = {"n_iter": 2, "cv": 2, "random_state": 0}


def search(task="auto", **given):
    return AutoSearchCV(task, **{**FAST, **given})


def table(n_rows=60):
    """Return a table with columns of all kinds, each with missing values."""
    rng = np.random.default_rng(0)
    hole = rng.random(n_rows) < 0.2
    numbers = rng.normal(size=n_rows)
    days = pd.Series(pd.date_range("2020-01-01", periods=n_rows, tz="Europe/Paris"))
    frame = pd.DataFrame({
        "float": np.where(hole, np.nan, numbers),
        "infinite": np.where(hole, np.inf, numbers),
        "nullable": pd.array(np.where(hole, None, rng.integers(0, 9, n_rows)), dtype="Int64"),
        "flag": pd.array(np.where(hole, None, numbers > 0), dtype="boolean"),
        "bool": numbers > 0,
        "category": pd.Categorical(np.where(hole, None, rng.choice(["a", "b"], n_rows))),
        "codes": pd.Categorical(rng.integers(0, 3, n_rows)),
        "string": pd.array(np.where(hole, None, rng.choice(["x", "y"], n_rows)), dtype="string"),
        "mixed": [("one", 1, None, 2.5)[k % 4] for k in range(n_rows)],
        "date": days.mask(hole),
        "period": pd.period_range("2020-01", periods=n_rows, freq="M"),
        "duration": pd.to_timedelta(np.where(hole, np.nan, numbers), unit="h"),
        "text": [f"the word {k} is not {k * 7}" for k in range(n_rows)],
        "name": [f"id{k}" for k in range(n_rows)],
        "empty": np.full(n_rows, np.nan),
        "nothing": [None] * n_rows,
        "constant": 1.0,
    })  # fmt: skip
    return frame, numbers


def every_model(X, y, task):
    """Fit each model of the portfolio of a task once, on its first setting."""
    portfolio = make_portfolio(task)
    for name, branch in zip(portfolio.names, portfolio.space, strict=True):
        model = branch["model"].categories[0]
        start = next(s for s in portfolio.starts if s["model"] is model)
        yield name, clone(clone(portfolio.pipeline).set_params(**start)).fit(X, y)


def first_models(X, y):
    """Fit the first two settings of a classifier: of a linear model, and of trees."""
    task = read_task("classifier", read_columns(X), y, n_rows=X.shape[0], has_weights=False)
    portfolio = make_portfolio(task)
    pipelines = [clone(portfolio.pipeline).set_params(**start) for start in portfolio.starts[:2]]
    return [clone(pipeline).fit(X, y) for pipeline in pipelines]


@pytest.mark.thorough
@pytest.mark.parametrize("output", ["default", "pandas"])
@pytest.mark.parametrize("kind", ["classifier", "regressor"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_each_model_accepts_columns_of_all_kinds_and_unseen_values(kind, output):
    X, numbers = table()
    y = numbers > 0 if kind == "classifier" else numbers
    columns = read_columns(X)
    n, is_classes = len(X), kind == "classifier"
    task = Task(is_classes, columns, n, 2 * is_classes, 20, skewness=2.0)
    new = X.assign(string="unseen", category="unseen", mixed=None, float=np.inf, text=None)
    with config_context(transform_output=output):
        fitted = dict(every_model(X, y, task))
    assert len(fitted) >= 8
    for model in fitted.values():
        assert np.isfinite(model.predict_proba(new) if is_classes else model.predict(new)).all()


def test_columns_are_classified_by_kind():
    columns = read_columns(table()[0])
    assert columns.categories == ["category", "codes", "string", "mixed"]
    assert columns.dates == ["date", "period"]
    assert columns.texts == ["text"]
    assert [text.split("'")[1] for text in columns.dropped] == ["name", "empty", "nothing"]
    assert len(columns.numbers) == 17 - 4 - 2 - 1 - 3


def test_best_pipeline_predicts_and_reports_its_choice():
    X, numbers = table()
    fitted = search(n_iter=4).fit(X, np.where(numbers > 0, "up", "down"))
    assert type(fitted.best_estimator_) is Pipeline
    assert list(fitted.classes_) == ["down", "up"]
    assert fitted.n_features_in_ == X.shape[1]
    assert list(fitted.feature_names_in_) == list(X)
    assert fitted.predict_proba(X[:3]).shape == (3, 2)
    assert fitted.score(X, np.where(numbers > 0, "up", "down")) > 0.9
    words = fitted.choice_
    assert "4 categories" in words
    assert "'empty' (no value)" in words
    assert "4 trials: " in words
    assert "; logistic regression 1, best score " in words or ": logistic regression 1," in words
    assert ") won by " in words or " have the same best score" in words
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(again.predict(X), fitted.predict(X))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("y", "kind"),
    [
        (["a", "b"] * 20, "classifier"),
        ([True, False] * 20, "classifier"),
        ([0, 1] * 20, "classifier"),
        ([0.0, 1.0] * 20, "classifier"),
        (list(range(40)), "regressor"),
        (list(np.linspace(0, 1, 40)), "regressor"),
        (pd.Series(["a", "b"] * 20, dtype="category"), "classifier"),
        (pd.array([1, 2] * 20, dtype="Int64"), "classifier"),
    ],
)
def test_auto_task_is_inferred_from_target(y, kind):
    fitted = search().fit(np.arange(80.0).reshape(40, 2), y)
    assert is_classifier(fitted) == (kind == "classifier")
    assert is_regressor(fitted) == (kind == "regressor")


def test_task_is_unknown_before_fit_unless_named():
    assert is_classifier(search("classifier"))
    assert is_regressor(search("regressor"))
    assert not is_classifier(search("auto"))
    assert not is_regressor(search("auto"))
    assert hasattr(search("classifier"), "predict_proba")
    assert not hasattr(search("regressor"), "predict_proba")
    with pytest.raises(NotFittedError, match="call fit"):
        search().predict([[1.0]])


def test_auto_search_fits_few_rows_many_columns_and_duplicate_names():
    rng = np.random.default_rng(0)
    wide = rng.normal(size=(30, 100))
    y = (wide[:, 0] > 0).astype(int)
    assert search().fit(wide, y).n_features_in_ == 100
    assert search().fit(wide.tolist(), list(y)).score(wide.tolist(), y) > 0.5
    assert search().fit(csr_matrix(wide), y).predict(csr_matrix(wide)).shape == (30,)
    doubled = pd.DataFrame(wide[:, :3], columns=["a", "a", "b"])
    with pytest.raises(ValueError, match="same name: a: give each"):
        search("regressor").fit(doubled, wide[:, 0])
    objects = np.array([[1, "x", None], ["2", None, 3.5]] * 15, dtype=object)
    assert read_columns(objects).numbers == [0, 2]
    assert search().fit(objects, y).predict(objects).shape == (30,)


def test_numeric_texts_and_huge_integers_are_read():
    rows = [[k / 7, "u" if k % 2 else "v"] for k in range(30)]
    for array in (np.array(rows), np.array(rows).astype("S"), np.array(rows, dtype=object)):
        columns = read_columns(array)
        assert (columns.numbers, columns.categories) == ([0], [1])
    y = np.arange(30) > 14
    texts = np.array(rows)
    assert search().fit(texts, y).score(texts, y) > 0.9
    huge = np.array([[k, 10**400 if k == 9 else k] for k in range(30)], dtype=object)
    assert read_columns(huge).numbers == [0, 1]
    assert search().fit(huge, y).score(huge, y) > 0.9


def test_transform_output_config_changes_nothing():
    X, numbers = table()
    X.index = X.index[::-1]
    kinds = ["infinite", "category", "date", "text"]
    for data in (X[kinds], X[["constant"]], csr_matrix(numbers[:, None])):
        plain = [model.predict_proba(data) for model in first_models(data, numbers > 0)]
        with config_context(transform_output="pandas"):
            models = first_models(data, numbers > 0)
            inside = [model.predict_proba(data) for model in models]
        assert np.array_equal(inside, plain)
        assert np.array_equal([model.predict_proba(data) for model in models], plain)
    with config_context(transform_output="pandas"):
        assert search("regressor", n_iter=1).fit(X[kinds], numbers).score(X, numbers) > 0.5


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_global_generator_of_numpy_is_unchanged():
    X = np.random.default_rng(0).normal(size=(60, 2))
    before = pickle.dumps(np.random.get_state())
    for kind, y in (("classifier", X[:, 0] > 0), ("regressor", X[:, 0])):
        task = read_task(kind, read_columns(X), y, n_rows=60, has_weights=False)
        for name, _ in every_model(X, y, task):
            assert pickle.dumps(np.random.get_state()) == before, name
        for name, scale in make_factory(task).scales.items():
            scale.fit(np.arange(10_001.0)[:, None])
            assert pickle.dumps(np.random.get_state()) == before, name
    search("regressor").fit(X, y)
    assert pickle.dumps(np.random.get_state()) == before


@pytest.mark.parametrize("names", [None, ["a", "b", "c"], [3, 1, 2]])
@pytest.mark.parametrize("has_empty", [False, True])
def test_infinite_numbers_are_treated_as_missing(names, has_empty):
    X = np.random.default_rng(0).normal(size=(60, 3))
    y = X[:, 0] > 0
    X[:, 2] = np.nan if has_empty else X[:, 2]
    missing, infinite = X[:3].copy(), X[:3].copy()
    missing[0, 0], infinite[0, 0] = np.nan, np.inf
    if names:
        X, missing, infinite = (pd.DataFrame(Z, columns=names) for Z in (X, missing, infinite))
    assert to_finite(X) is X
    for model in first_models(X, y):
        model = pickle.loads(pickle.dumps(model))  # noqa: PLW2901
        assert np.array_equal(model.predict_proba(infinite), model.predict_proba(missing))


def test_columns_are_matched_by_name_at_predict():
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=["a", "b", "c"])
    for model in first_models(X, X["a"] > 0):
        turned = X[["c", "a", "b"]].assign(more=1.0)
        assert np.array_equal(model.predict_proba(turned), model.predict_proba(X))
        assert [name[-1] for name in model[0].get_feature_names_out()] == ["a", "b", "c"]
        with pytest.raises(ValueError, match="'b'"):
            model.predict(X[["a", "c"]])


@pytest.mark.parametrize("columns", [["float", "constant"], ["float", "category"]])
def test_average_of_models_has_a_representation(columns):
    X, numbers = table()
    X = X[columns].fillna({"float": 0.0})
    y = numbers > 0
    assert "HistGradientBoosting" in average(first_models(X, y), X, y)._repr_html_()


@pytest.mark.frameworks
def test_polars_frames_are_accepted():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({
        "number": [1.0, None, 3.0] * 10,
        "category": ["a", "b", None] * 10,
        "flag": [True, False, None] * 10,
    })  # fmt: skip
    y = np.array([0, 1, 1] * 10)
    assert search().fit(frame, y).score(frame, y) == 1.0
    plain = polars.DataFrame({"a": np.arange(30.0), "b": np.ones(30)})
    infinite = plain.with_columns(a=polars.lit(np.inf))
    for model in first_models(plain, y):
        missing = model.predict(plain.with_columns(a=polars.lit(np.nan)))
        assert np.array_equal(model.predict(infinite), missing)
        assert np.array_equal(model.predict(plain[["b", "a"]]), model.predict(plain))


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore:The least populated class:UserWarning")
def test_rare_classes_and_constant_targets_are_fitted():
    X = np.arange(60.0).reshape(30, 2)
    rare = np.array(["a"] * 15 + ["b"] * 14 + ["c"])
    assert search(n_iter=6, cv=None).fit(X, rare).score(X, rare) > 0.9
    fitted = search().fit(X, ["only"] * 30)
    assert list(fitted.predict(X[:2])) == ["only", "only"]
    assert "a constant prediction" in fitted.choice_
    assert search("regressor").fit(X, np.full(30, 2.5)).predict(X[:1]) == 2.5
    assert search().fit(np.full((30, 2), np.nan), rare).predict(X[:1]) == "a"


@pytest.mark.parametrize("kind", ["regressor", "classifier"])
def test_target_with_one_column_equals_its_vector(kind):
    X = np.random.default_rng(0).normal(size=(40, 3))
    y = X[:, 0] if kind == "regressor" else np.where(X[:, 0] > 0, "up", "down")
    wanted = search(kind).fit(X, y).predict(X)
    for column in (y[:, None], pd.DataFrame({"y": y}), y[:, None].tolist()):
        fitted = search(kind).fit(X, column)
        assert np.array_equal(fitted.predict(X), wanted)
    assert fitted.update(X, y[:, None]).predict(X).shape == (40,)


def share_of_hits(estimator, X, y):
    return float((estimator.predict(X) == y).mean())


def test_several_targets_are_fitted():
    X = np.random.default_rng(0).normal(size=(40, 3))
    assert search("regressor").fit(X, X[:, :2]).predict(X).shape == (40, 2)
    assert search("classifier").fit(X, X[:, :2] > 0).predict(X).shape == (40, 2)
    for dtype in (object, str, int):
        y = np.digitize(X[:, :2], [-0.5, 0.5]).astype(str).astype(dtype)
        with pytest.raises(ValueError, match="2 columns of classes other than 0 and 1"):
            search("classifier").fit(X, y)
        fitted = search("classifier", scoring=share_of_hits).fit(X, y)
        assert fitted.best_score_ > 0.5


@pytest.mark.thorough
def test_sample_weights_reach_the_models():
    X = np.linspace(-1, 1, 60)[:, None]
    y, weights = np.arange(60) % 2, np.where(np.arange(60) % 2, 1.0, 0.01)
    fitted = search(n_iter=3).fit(X, y, sample_weight=weights)
    assert fitted.predict(X).all()
    with config_context(enable_metadata_routing=True):
        assert search(n_iter=3).fit(X, y, sample_weight=weights).predict(X).all()
        scores = cross_val_score(search(), X, y, params={"sample_weight": weights}, cv=2)
    assert len(scores) == 2


@pytest.mark.thorough
def test_racing_is_on_by_default_for_a_task():
    X = np.random.default_rng(0).normal(size=(60, 3))
    y = X @ [1.0, 2.0, 3.0]
    raced = search("regressor", n_iter=4, cv=4).fit(X, y)
    assert "pruned" in {trial.status for trial in raced.trials_}
    plain = search("regressor", n_iter=4, cv=4, racing=False).fit(X, y)
    assert {trial.status for trial in plain.trials_} == {"complete"}


@pytest.mark.thorough
@pytest.mark.parametrize("task", ["classifier", "regressor"])
def test_good_models_are_averaged_with_a_time_limit(task):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(60, 3)), columns=["a", "b", "c"])
    y = X["a"] + rng.normal(size=60)
    y = np.where(y > 0, "up", "down") if task == "classifier" else y
    scoring = "neg_log_loss" if task == "classifier" else None
    fitted = search(task, n_iter=3, cv=3, max_time=1e3, scoring=scoring).fit(X, y)
    average = fitted.best_estimator_
    assert "is the mean of" in fitted.choice_
    assert average.estimators_[0].get_params()["model"] is not None
    method = "predict_proba" if task == "classifier" else "predict"
    each = [getattr(pipeline, method)(X) for pipeline in average.estimators_]
    assert len(each) > 1
    assert np.allclose(getattr(fitted, method)(X), np.mean(each, axis=0))
    assert fitted.feature_names_in_.tolist() == ["a", "b", "c"]
    anew = clone(average).fit(X, y)
    assert np.allclose(getattr(anew, method)(X), getattr(fitted, method)(X))
    assert pickle.loads(pickle.dumps(fitted)).score(X, y) == fitted.score(X, y)


def test_little_time_means_fewer_splits():
    task = Task(True, read_columns(np.zeros((3000, 3))), 3000, 2, 1500)
    numbers = [make_splits(task, max_time=s).get_n_splits() for s in (100, 50, 5)]
    assert numbers == [5, 3, 1]


def test_groups_stay_together():
    X, groups = np.random.default_rng(0).normal(size=(40, 2)), np.repeat(np.arange(8), 5)
    fitted = search("regressor", cv=None).fit(X, X[:, 0], groups=groups)
    assert fitted.n_splits_ == 5


@pytest.mark.parametrize(("kind", "n_groups"), [("regressor", 4), ("classifier", 3)])
def test_number_of_splits_is_limited_by_groups(kind, n_groups):
    X = np.random.default_rng(0).normal(size=(40, 2))
    y = X[:, 0] if kind == "regressor" else X[:, 0] > 0
    groups = np.array(["a", "b", "c", "d"])[np.arange(40) % n_groups]
    given = search(kind, cv=None, n_iter=1)
    assert given.fit(X, y, groups=groups).n_splits_ == n_groups
    with pytest.raises(ValueError, match="leave groups out, or give cv"):
        given.fit(X, y, groups=["a"] * 40)


@pytest.mark.thorough
def test_search_for_a_task_supports_clone_warm_start_and_update(tmp_path):
    X, y = load_iris(return_X_y=True)
    given = search(journal=tmp_path / "study.jsonl", racing=False)
    fitted = clone(given).fit(X, y)
    assert fitted.get_params()["estimator"] == "auto"
    assert fitted.get_params()["racing"] is False
    assert fitted.get_params()["cv"] == 2
    resumed = clone(given).set_params(n_iter=4).fit(X, y)
    assert [t.score for t in resumed.trials_[:2]] == [t.score for t in fitted.trials_]
    further = search(warm_start=True).fit(X, y).fit(X, y)
    assert len(further.trials_) == 4
    further.update(X[::2], y[::2])
    assert further.updates_[0]["n_samples"] == 75
    assert further.get_params()["param_distributions"] == "auto"
    assert "AutoSearchCV" in repr(further)
    assert "AutoSearchCV" in further._repr_html_()


def test_splits_are_shuffled_and_their_number_depends_on_rows():
    X, y = load_iris(return_X_y=True)  # sorted by class
    fitted = search(cv=None, n_iter=1).fit(X, y)
    assert fitted.n_splits_ == 10
    assert fitted.cv is None
    given = StratifiedKFold(3)
    assert search(cv=given, n_iter=1).fit(X, y).n_splits_ == 3


@pytest.mark.parametrize(
    ("given", "y", "message"),
    [
        ({"estimator": "classification"}, [0, 1] * 5, "one of 'auto', 'classifier', 'regressor'"),
        ({"param_distributions": {"C": [1]}}, [0, 1] * 5, "leave it out, or give an estimator"),
        ({"resource": "n_samples"}, [0, 1] * 5, "needs an estimator of yours"),
        ({}, None, "was not given: pass it"),
        ({}, [0.5, np.nan] * 5, "5 missing values: leave out the rows"),
        ({"estimator": "classifier"}, list(np.linspace(0, 1, 10)), "no target of a classifier"),
        ({"estimator": "regressor"}, ["a", "b"] * 5, "no target of a regressor"),
        ({"estimator": "regressor"}, ["1.5", "2"] * 5, "convert it to numbers, or pass"),
        (
            {"estimator": "regressor"},
            np.array(["1", "2"] * 5, dtype=object),
            "convert it to numbers",
        ),
        (
            {"estimator": "regressor"},
            pd.date_range("2020-01-01", periods=10),
            "convert it to numbers",
        ),
    ],
)
def test_invalid_arguments_raise_before_the_first_fit(given, y, message):
    with pytest.raises(ValueError, match=message):
        search(given.pop("estimator", "auto"), **given).fit(np.arange(20.0).reshape(10, 2), y)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.empty((0, 2)), r"one row and one column, got one of shape \(0, 2\)"),
        (pd.DataFrame({"a": []}), r"one row and one column, got one of shape \(0, 1\)"),
        (
            pd.DataFrame({"a": [1.0, 2.0], 7: [1.0, 2.0]}),
            r"got strings and 7: convert them with X.columns = ",
        ),
    ],
)
def test_invalid_columns_raise_before_the_first_fit(X, message):
    with pytest.raises(ValueError, match=message):
        search("classifier").fit(X, np.arange(len(X)))


def test_each_model_serves_at_least_one_task():
    columns = read_columns(np.zeros((100, 3)) + np.arange(3))
    tasks = [Task(True, columns, 100, 2, 50), Task(False, columns, 100, 0, 100)]
    assert sum(len(make_portfolio(task).names) for task in tasks) > len(MODELS)


@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_best_params_name_the_steps_and_start_another_search(kind):
    X, numbers = table()
    y = numbers**3 if kind == "regressor" else np.where(numbers > 0, "up", "down")
    fitted = search(kind, n_iter=3, racing=False).fit(X, y)
    best = fitted.trials_[fitted.best_index_]
    params = fitted.best_params_
    assert params.keys() == best.params.keys()
    assert json.loads(json.dumps(params)) == params
    labels = fitted._portfolio.labels
    for name, value in params.items():
        expected = labels[name][value] if name in labels else value
        assert expected is best.params[name] or expected == best.params[name]
    assert fitted.to_frame()["param_model"].iloc[fitted.best_index_] == params["model"]
    again = search(kind, n_iter=1, initial_params=params, racing=False).fit(X, y)
    assert again.best_params_ == params
    assert again.best_score_ == fitted.best_score_
    # The estimator itself replaces `set_params` with the names.
    assert clone(fitted.best_estimator_).fit(X, y).score(X, y) == fitted.score(X, y)


def test_models_may_be_named_alone_and_unknown_names_are_refused():
    X, numbers = table()
    chosen = [{"model": "extra trees"}, {"model": "naive Bayes", "model__var_smoothing": 0.01}]
    fitted = search("classifier", initial_params=chosen).fit(X, numbers > 0)
    models = [fitted._plain_params(trial.params)["model"] for trial in fitted.trials_]
    assert models == ["extra trees", "naive Bayes"]
    with pytest.raises(ValueError, match="'model' must be one of .*'extra trees'.* got 'trees'"):
        search("classifier", initial_params={"model": "trees"}).fit(X, numbers > 0)


def test_table_of_a_search_for_a_task_starts_another_one():
    X, numbers = table()
    older = search("classifier", n_iter=4, racing=False).fit(X, numbers > 0)
    settings = {"initial_params": None, "n_iter": 1, "racing": False}
    first = [
        search("classifier", previous_studies=study, **settings).fit(X, numbers > 0)
        for study in (older, older.to_frame())
    ]
    assert first[0].best_params_ == first[1].best_params_
    assert first[0].best_params_["model"] == older.best_params_["model"]


def test_notebook_and_report_name_the_steps(tmp_path):
    X, numbers = table()
    fitted = search("classifier", racing=False).fit(X, numbers > 0)
    name = fitted.best_params_["model"]
    assert name in fitted._repr_html_()
    page = fitted.report(tmp_path / "report.html").read_text(encoding="utf-8")
    assert f"&#x27;model&#x27;: &#x27;{name}&#x27;," in page
    assert "search.set_params(initial_params=params)" in page


def test_updated_search_names_the_steps():
    X, numbers = table()
    fitted = search("classifier", racing=False).fit(X, numbers > 0)
    fitted.update(X[::-1], (numbers > 0)[::-1])
    assert isinstance(fitted.best_params_["model"], str)
    assert isinstance(fitted.updates_[0]["best_params"]["model"], str)
    assert pickle.loads(pickle.dumps(fitted)).best_params_ == fitted.best_params_


def scored(place, *scores):
    point = ((place + 0.5) / 3,)
    return Trial(0, point, {"model": SVC()}).complete(np.mean(scores), split_scores=scores)


@pytest.mark.parametrize(
    ("trials", "sentences"),
    [
        (
            [scored(0, 0.9, 0.9), scored(0, 0.5, 0.5), scored(1, 0.7, 0.72)],
            [
                "Ridge (SVC) won by 0.19 over lasso, with a standard error of 0.014.",
                "3 trials: ridge 2, best score 0.9; lasso 1, best score 0.71.",
            ],
        ),
        (
            [scored(0, 0.9, 0.7), scored(1, 0.7, 0.88), scored(2, 0, 0).fail()],
            [
                "Ridge (SVC) won by 0.01 over lasso, with a standard error of 0.27, so that chance",
                "may decide the order.",
                "3 trials: ridge 1, best score 0.8; lasso 1, best score 0.79.",
                "Without a complete trial: trees 1.",
            ],
        ),
        (
            [scored(1, 0.5, 0.5), scored(0, 0.5, 0.5)],
            [
                "Lasso (SVC) and ridge have the same best score; the former reached it earlier.",
                "2 trials: lasso 1, best score 0.5; ridge 1, best score 0.5.",
            ],
        ),
        (
            [scored(2, 0.5, 0.5)],
            [
                "Trees (SVC) is the only model with a score, 0.5.",
                "1 trial: trees 1, best score 0.5.",
            ],
        ),
        ([scored(2, 0, 0).fail()], ["No model has a score after 1 trial."]),
    ],
)
def test_lead_of_the_best_model_is_a_sentence(trials, sentences):
    numbered = [replace(trial, number=n) for n, trial in enumerate(trials)]
    portfolio = Portfolio(None, [], [], ["ridge", "lasso", "trees"], {})
    space = Space([{"model": [n]} for n in range(3)])
    assert describe_models(numbered, portfolio, space, 0.5) == " ".join(sentences)
