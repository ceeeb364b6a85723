"""Early stopping of boosters by the validation part of each split."""

import json
import math

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_lepton import BayesSearchCV, load_trials
from sklearn_lepton._evaluation import early_stopping as early_stopping_module
from sklearn_lepton._study import replay as replay_module
from sklearn_lepton._study.journal import Journal
from sklearn_lepton.exceptions import JournalMismatchError


class Booster(ClassifierMixin, BaseEstimator):
    """Its best iteration is the number of its first row to be validated on, modulo 7, plus `z`."""

    def __init__(self, n_estimators=100, early_stopping_rounds=None, z=0, log=None):
        self.n_estimators = n_estimators
        self.early_stopping_rounds = early_stopping_rounds
        self.z = z
        self.log = log

    def fit(self, X, y, eval_set=None, sample_weight=None):
        if self.early_stopping_rounds is not None and eval_set is None:
            raise ValueError("early stopping needs an eval_set")
        self.classes_ = np.unique(y)
        if self.early_stopping_rounds is not None:
            number = round(np.asarray(eval_set[0][0])[0, 0] * 1000)
            self.best_iteration = min(number % 7 + self.z, self.n_estimators - 1)
        if self.log is not None:
            entry = {"X": X, "y": y, "eval_set": eval_set, "rounds": self.n_estimators}
            entry |= {"patience": self.early_stopping_rounds, "weight": sample_weight}
            self.log.fits.append(entry)
        return self

    def predict(self, X):
        return np.zeros(len(X), dtype=int)

    def score(self, X, y=None):
        return -abs(self.z - 3)


SPACE = {"z": (0, 20, "int")}


def make(estimator, space=None, search_class=BayesSearchCV, **params):
    settings = {"n_iter": 4, "cv": KFold(3), "random_state": 0, "eval_set_from_split": True}
    return search_class(estimator, space or SPACE, **(settings | params))


@pytest.fixture
def booster(log):
    return Booster(log=log)


def numbers(X):
    return np.asarray(X)[:, 0].tolist()


@pytest.fixture
def thousandths(numbered):
    X, y = numbered
    return np.column_stack([X[:, 0] / 1000, X[:, 1]]), y


def test_validation_part_is_eval_set(search_class, booster, log, thousandths):
    X, y = thousandths
    search = make(booster, search_class=search_class).fit(X, y)
    splits = list(KFold(3).split(X))
    for number, fit in enumerate(log.fits[:-1]):
        train, test = splits[number % 3]
        [(X_val, y_val)] = fit["eval_set"]
        np.testing.assert_array_equal(fit["X"], X[train])
        np.testing.assert_array_equal(X_val, X[test])
        np.testing.assert_array_equal(y_val, y[test])
        assert fit["patience"] == 50
    refit = log.fits[-1]
    assert (refit["eval_set"], refit["patience"]) == (None, None)
    assert len(log.fits) == 4 * 3 + 1
    assert booster.early_stopping_rounds is None
    assert search.best_estimator_.fit.__func__ is Booster.fit


def test_rounds_are_recorded_and_their_mean_refits(booster, log, thousandths):
    search = make(booster).fit(*thousandths)
    results = search.cv_results_
    for place, trial in enumerate(search.trials_):
        z = trial.params["z"]
        rounds = [row.n_rounds for row in trial.split_results]
        assert rounds == [test % 7 + z + 1 for test in (0, 10, 20)]
        assert [results[f"split{k}_n_rounds"][place] for k in range(3)] == rounds
        assert results["mean_n_rounds"][place] == pytest.approx(np.mean(rounds))
        mean = math.floor(np.mean(rounds) + 0.5)
        assert results["params"][place] == {"z": z, "n_estimators": mean}
        assert trial.params == {"z": z}
    assert results["mean_n_rounds"].dtype == float
    assert search.best_params_ == results["params"][search.best_index_]
    assert log.fits[-1]["rounds"] == search.best_params_["n_estimators"]
    again = clone(booster).set_params(**search.best_params_)
    assert again.get_params() == search.best_estimator_.get_params()


@pytest.mark.parametrize("racing", [False, True])
def test_trials_with_and_without_rounds_mix(racing, thousandths):
    class Trap(Booster):
        def fit(self, X, y, eval_set=None, sample_weight=None):
            if self.z > 10:
                raise ValueError("too much")
            return super().fit(X, y, eval_set, sample_weight)

    for z in ([1, 2, 11], [11, 2, 1]):
        given = [{"z": value} for value in z]
        search = make(Trap(), {"z": z}, n_iter=3, initial_params=given, racing=racing)
        search.set_params(error_score=-100.0)
        with pytest.warns(FitFailedWarning, match=f"{1 if racing else 3} fits failed out of .* 9"):
            search.fit(*thousandths)
        place = z.index(11)
        assert [t.status for t in search.trials_].index("failed") == place
        assert np.isnan(search.cv_results_["mean_n_rounds"]).nonzero()[0].tolist() == [place]
        assert search.best_params_["z"] == 2


def test_searched_number_of_rounds_is_maximum(booster, thousandths):
    search = make(booster, {"n_estimators": [2, 3]}, n_iter=2).fit(*thousandths)
    most = [trial.params["n_estimators"] for trial in search.trials_]
    assert sorted(most) == [2, 3]
    assert search.cv_results_["param_n_estimators"].tolist() == most
    for trial, params in zip(search.trials_, search.cv_results_["params"], strict=True):
        rounds = [min(test % 7 + 1, trial.params["n_estimators"]) for test in (0, 10, 20)]
        assert [row.n_rounds for row in trial.split_results] == rounds
        assert params == {"n_estimators": math.floor(np.mean(rounds) + 0.5)}


def test_patience_of_user_is_used_and_off_in_refit(log, thousandths):
    booster = Booster(early_stopping_rounds=7, log=log)
    search = make(booster).fit(*thousandths)
    assert {fit["patience"] for fit in log.fits[:-1]} == {7}
    assert search.best_params_["early_stopping_rounds"] is None
    assert log.fits[-1]["patience"] is None
    log.fits.clear()
    search = make(Booster(log=log), {"early_stopping_rounds": [3, 9], **SPACE}).fit(*thousandths)
    assert {fit["patience"] for fit in log.fits[:-1]} <= {3, 9}
    assert set(search.cv_results_["param_early_stopping_rounds"]) <= {3, 9}
    assert log.fits[-1]["patience"] is None


@pytest.mark.parametrize("is_routed", [False, True])
def test_eval_set_is_transformed_by_fitted_steps(log, blobs, is_routed):
    X, y = blobs
    weight = np.linspace(1.0, 2.0, 60)
    with sklearn.config_context(enable_metadata_routing=is_routed):
        booster = (
            Booster(log=log).set_fit_request(sample_weight=True) if is_routed else Booster(log=log)
        )
        scaler = StandardScaler()
        if is_routed:
            scaler.set_fit_request(sample_weight=False)
        pipeline = Pipeline([("scale", scaler), ("none", None), ("clf", booster)])
        name = "sample_weight" if is_routed else "clf__sample_weight"
        search = make(pipeline, {"clf__z": [10, 20]}, n_iter=2, scoring=lambda *_: 0.0)
        search.fit(X, y, **{name: weight})
    for number, (train, test) in enumerate(KFold(3).split(X)):
        scaler = StandardScaler().fit(X[train])
        [(X_val, _)] = log.fits[number]["eval_set"]
        np.testing.assert_array_equal(X_val, scaler.transform(X[test]))
        np.testing.assert_array_equal(log.fits[number]["weight"], weight[train])
    assert set(search.best_params_) == {"clf__z", "clf__n_estimators"}
    assert search.best_estimator_[-1].n_estimators == search.best_params_["clf__n_estimators"]


def test_early_stopping_in_nested_pipeline(log, blobs):
    inner = Pipeline([("scale", StandardScaler()), ("clf", Booster(log=log))])
    outer = Pipeline([("scale", StandardScaler(with_std=False)), ("inner", inner)])
    search = make(outer, {"inner__clf__z": [10]}, n_iter=1).fit(*blobs)
    train, test = next(KFold(3).split(blobs[0]))
    expected = make_pipeline(StandardScaler(with_std=False), StandardScaler())
    expected.fit(blobs[0][train])
    [(X_val, _)] = log.fits[0]["eval_set"]
    np.testing.assert_array_equal(X_val, expected.transform(blobs[0][test]))
    assert "inner__clf__n_estimators" in search.best_params_


def test_steps_are_fitted_once_with_eval_set(log, blobs, monkeypatch):
    seen = []
    fit = StandardScaler.fit
    monkeypatch.setattr(StandardScaler, "fit", lambda *args: seen.append(1) or fit(*args))
    pipeline = Pipeline([("scale", StandardScaler()), ("clf", Booster(log=log))])
    make(pipeline, {"clf__z": [10, 20]}, n_iter=2).fit(*blobs)
    assert len(seen) == 2 * 3 + 1


def test_early_stopping_with_searched_last_step(log, blobs):
    pipeline = Pipeline([("scale", StandardScaler()), ("clf", LogisticRegression())])
    space = [
        {"clf": [Booster(log=log, early_stopping_rounds=5)], "clf__z": [10, 20]},
        {"clf": [LogisticRegression()], "clf__C": [0.1, 1.0]},
    ]
    search = make(pipeline, space, n_iter=4).fit(*blobs)
    for place, trial in enumerate(search.trials_):
        is_booster = isinstance(trial.params["clf"], Booster)
        assert all((row.n_rounds is not None) == is_booster for row in trial.split_results)
        params = search.cv_results_["params"][place]
        assert ("clf__n_estimators" in params) == is_booster
        assert np.isfinite(search.cv_results_["mean_n_rounds"][place]) == is_booster
        assert trial.status == "complete"
        clone(pipeline).set_params(**clone(params, safe=False)).fit(*blobs)
    assert any(t.split_results[0].n_rounds is not None for t in search.trials_)


class TakesNoEvalSet(Booster):
    def fit(self, X, y):
        return super().fit(X, y)


@pytest.mark.parametrize(
    ("estimator", "space"),
    [
        (LogisticRegression(), {"C": [0.1, 1.0]}),
        (make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [1.0]}),
        (make_pipeline(Booster(), LogisticRegression()), {"logisticregression__C": [1.0]}),
        (Pipeline([("clf", Booster())]), {"clf": [LogisticRegression(), TakesNoEvalSet()]}),
    ],
)
def test_estimators_without_eval_set_are_refused_before_the_first_fit(estimator, space, blobs):
    with pytest.raises(
        ValueError, match=r"needs an estimator.* whose fit takes eval_set.*Logistic"
    ):
        make(estimator, space).fit(*blobs)


def test_eval_set_of_user_is_refused(booster, log, thousandths):
    X, y = thousandths
    with pytest.raises(ValueError, match=r"eval_set was passed to fit.*leave it out"):
        make(booster).fit(X, y, eval_set=[(X, y)])
    assert log.fits == []


def test_eval_set_from_split_must_be_true_or_false(booster, thousandths):
    with pytest.raises(
        ValueError, match="eval_set_from_split' parameter of .* must be True or False. Got 1"
    ):
        make(booster, eval_set_from_split=1).fit(*thousandths)


def test_fits_without_eval_set_from_split_are_unchanged(booster, log, thousandths):
    search = make(booster, eval_set_from_split=False).fit(*thousandths)
    assert all(fit["eval_set"] is None for fit in log.fits)
    assert not any("n_rounds" in name for name in search.cv_results_)
    assert search.best_params_.keys() == {"z"}


def test_frames_stay_frames(log, thousandths):
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(thousandths[0], columns=["number", "square"])
    make(Booster(log=log), n_iter=1).fit(X, pd.Series(thousandths[1]))
    [(X_val, y_val)] = log.fits[0]["eval_set"]
    assert (type(X_val), type(y_val)) == (pd.DataFrame, pd.Series)


class Fragile(Booster):
    def fit(self, X, y, eval_set=None):
        if self.z > 10:
            raise RuntimeError("no luck")
        return super().fit(X, y, eval_set=eval_set)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:One or more of the:UserWarning")
def test_failed_trial_has_no_rounds(thousandths):
    search = make(Fragile(), {"z": [1, 12]}, n_iter=2).fit(*thousandths)
    failed = [trial.params["z"] == 12 for trial in search.trials_]
    assert np.isnan(search.cv_results_["mean_n_rounds"]).tolist() == failed
    assert search.cv_results_["params"][failed.index(True)] == {"z": 12}


@pytest.mark.thorough
@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_early_stopping_is_the_same_on_other_backends(thousandths, backend):
    alone = make(Booster()).fit(*thousandths)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        search = make(Booster(), n_jobs=2).fit(*thousandths)
    np.testing.assert_array_equal(
        search.cv_results_["mean_n_rounds"], alone.cv_results_["mean_n_rounds"]
    )
    assert search.best_params_ == alone.best_params_


def test_journal_has_rounds(booster, log, thousandths, tmp_path):
    path = tmp_path / "study.jsonl"
    whole = make(booster, journal=path).fit(*thousandths)
    log.fits.clear()
    again = make(booster, journal=path).fit(*thousandths)
    assert len(log.fits) == 1
    for name in ("mean_n_rounds", "split2_n_rounds", "params"):
        np.testing.assert_array_equal(again.cv_results_[name], whole.cv_results_[name])
    rows = [trial.split_results for trial in load_trials(path)]
    assert rows == [trial.split_results for trial in whole.trials_]
    assert type(rows[0][0].n_rounds) is int
    with pytest.raises(JournalMismatchError, match="eval_set_from_split is true in the journal"):
        make(booster, journal=path, eval_set_from_split=False).fit(*thousandths)


def test_search_with_early_stopping_resumes_from_journal(booster, log, thousandths, tmp_path):
    path = tmp_path / "study.jsonl"
    make(booster, journal=path, eval_set_from_split=False).fit(*thousandths)
    head = json.loads(path.read_text().splitlines()[0])
    assert "eval_set_from_split" not in json.dumps(head)
    log.fits.clear()
    make(booster, journal=path, eval_set_from_split=False).fit(*thousandths)
    assert len(log.fits) == 1


def test_warm_start_keeps_rounds(booster, thousandths):
    search = make(booster, warm_start=True).fit(*thousandths)
    before = search.cv_results_["mean_n_rounds"]
    search.fit(*thousandths)
    np.testing.assert_array_equal(search.cv_results_["mean_n_rounds"][:4], before)
    assert np.isfinite(search.cv_results_["mean_n_rounds"]).all()


class Secretive(Booster):
    """As CatBoost, lists only what it was given."""

    def get_params(self, deep=True):
        return {k: v for k, v in super().get_params(deep).items() if v not in {None, 0}}

    def set_params(self, **params):
        vars(self).update(params)
        return self


def test_unlisted_parameters_can_be_tuned(thousandths):
    search = make(Secretive()).fit(*thousandths)
    assert {trial.params["z"] for trial in search.trials_} != {0}
    pipeline = Pipeline([("clf", Secretive())])
    assert "clf__z" in make(pipeline, {"clf__z": [1, 2]}, n_iter=2).fit(*thousandths).best_params_
    with pytest.raises(ValueError, match="Unknown parameter 'no__z'"):
        make(pipeline, {"no__z": [1, 2]}).fit(*thousandths)


@pytest.mark.parametrize("n_rounds", [0, -1, 1.5, "many"])
def test_invalid_rounds_in_journal_are_refused(thousandths, tmp_path, n_rounds):
    make(Booster(), journal=tmp_path / "study.jsonl", n_iter=1).fit(*thousandths)
    replay = replay_module.Replay(Journal(tmp_path / "study.jsonl"))
    *before, row = [record for record in replay.journal.load() if "told" not in record]
    for record in before:
        replay.apply(record)
    row["row"]["n_rounds"] = n_rounds
    with pytest.raises(JournalMismatchError, match="n_rounds is"):
        replay.apply(row)


# ------------------------------------------------------------ the real libraries


def xgboost(kind="Classifier", **params):
    library = pytest.importorskip("xgboost")
    return getattr(library, f"XGB{kind}")(n_jobs=1, **params)


def lightgbm(kind="Classifier", **params):
    library = pytest.importorskip("lightgbm")
    return getattr(library, f"LGBM{kind}")(n_jobs=1, verbose=-1, **params)


def catboost(kind="Classifier", **params):
    library = pytest.importorskip("catboost")
    return getattr(library, f"CatBoost{kind}")(
        thread_count=1, verbose=False, allow_writing_files=False, **params
    )


LIBRARIES = [xgboost, lightgbm, catboost]
ROUNDS = {xgboost: "n_estimators", lightgbm: "n_estimators", catboost: "iterations"}
RATE = {"learning_rate": (0.2, 0.5, "log-uniform")}


def n_trees(model):
    """Count the rounds that a fitted model holds."""
    if hasattr(model, "get_booster"):
        return model.get_booster().num_boosted_rounds()
    return model.tree_count_ if hasattr(model, "tree_count_") else model.booster_.num_trees()


@pytest.fixture(scope="module")
def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return X[:300, :8], y[:300]


def make_small(estimator, space=RATE, **params):
    return make(estimator, space, **({"n_iter": 2, "cv": 3} | params))


@pytest.mark.parametrize("library", LIBRARIES)
def test_library_booster_stops_early(library, cancer, capfd):
    name = ROUNDS[library]
    booster = library(max_depth=2, **{name: 400})
    search = make_small(booster).fit(*cancer)
    rounds = [row.n_rounds for trial in search.trials_ for row in trial.split_results]
    assert all(1 <= n < 400 for n in rounds)
    assert search.best_params_.keys() == {"learning_rate", name}
    best = search.trials_[search.best_index_]
    mean = np.mean([row.n_rounds for row in best.split_results])
    assert search.best_params_[name] == math.floor(mean + 0.5) == n_trees(search.best_estimator_)
    again = clone(booster).set_params(**search.best_params_).fit(*cancer)
    np.testing.assert_array_equal(again.predict(cancer[0]), search.predict(cancer[0]))
    assert booster.get_params()[name] == 400
    out, err = capfd.readouterr()
    assert out + err == ""


@pytest.mark.parametrize("library", [lightgbm, catboost])  # those of XGBoost are 0, 1, ...
@pytest.mark.parametrize("labels", [["b", "m"], [1, 2], [7, 5]])
def test_early_stopping_with_any_class_labels(library, cancer, labels):
    X, y = cancer
    booster = library(max_depth=2, **{ROUNDS[library]: 60})
    expected = make_small(booster).fit(X, y).cv_results_
    found = make_small(booster).fit(X, np.array(labels)[y]).cv_results_
    if labels == sorted(labels):
        np.testing.assert_array_equal(found["mean_n_rounds"], expected["mean_n_rounds"])
        np.testing.assert_array_equal(found["mean_test_score"], expected["mean_test_score"])
    assert found["mean_n_rounds"].min() > 5
    assert found["mean_test_score"].min() > 0.9


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
def test_early_stopping_with_lists(library, cancer, kind):
    X, y = cancer
    booster = library(kind, max_depth=2, **{ROUNDS[library]: 20})
    expected = make_small(booster).fit(X, y).cv_results_
    found = make_small(booster).fit(X.tolist(), y.tolist()).cv_results_
    np.testing.assert_array_equal(found["mean_n_rounds"], expected["mean_n_rounds"])


@pytest.mark.parametrize("library", LIBRARIES)
def test_rounds_are_those_of_library(library, cancer):
    X, y = cancer
    name = "early_stopping_round" if library is lightgbm else "early_stopping_rounds"
    booster = library(max_depth=2, **{ROUNDS[library]: 300, name: 10})
    search = make_small(booster, {"learning_rate": [0.3]}, n_iter=1, cv=KFold(2)).fit(X, y)
    train, test = next(KFold(2).split(X))
    by_hand = clone(booster).set_params(learning_rate=0.3)
    extra = {"verbose": False} if library is xgboost else {}
    if library is lightgbm and early_stopping_module.has_fit_parameter(by_hand, "eval_X"):
        by_hand.fit(X[train], y[train], eval_X=X[test], eval_y=y[test])
    else:
        by_hand.fit(X[train], y[train], eval_set=[(X[test], y[test])], **extra)
    [trial] = search.trials_
    best = {xgboost: "best_iteration"}.get(library, "best_iteration_")
    offset = 0 if library is lightgbm else 1
    assert trial.split_results[0].n_rounds == getattr(by_hand, best) + offset
    assert trial.split_scores[0] == pytest.approx(by_hand.score(X[test], y[test]))
    assert n_trees(search.best_estimator_) == search.best_params_[ROUNDS[library]]


@pytest.mark.parametrize("library", LIBRARIES)
def test_library_booster_without_stop_has_all_rounds(library, cancer):
    search = make_small(library(learning_rate=0.001, **{ROUNDS[library]: 5}), {"max_depth": [2, 3]})
    search.fit(*cancer)
    assert {row.n_rounds for trial in search.trials_ for row in trial.split_results} <= {
        1,
        2,
        3,
        4,
        5,
    }


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("is_routed", [False, True])
def test_library_booster_in_pipeline_with_searched_rounds(library, cancer, is_routed):
    if is_routed and library is catboost:
        pytest.skip("it knows no metadata routing")
    name = f"clf__{ROUNDS[library]}"
    pipeline = Pipeline([("scale", StandardScaler()), ("clf", library(max_depth=2))])
    with sklearn.config_context(enable_metadata_routing=is_routed):
        search = make_small(pipeline, {name: [2, 200], "clf__learning_rate": [0.3]}).fit(*cancer)
    for trial in search.trials_:
        assert all(row.n_rounds <= trial.params[name] for row in trial.split_results)
    assert n_trees(search.best_estimator_[-1]) == search.best_params_[name]


@pytest.mark.parametrize("library", LIBRARIES)
def test_library_booster_as_searched_step_in_regression(library):
    X, y = load_diabetes(return_X_y=True)
    pipeline = Pipeline([("scale", StandardScaler()), ("model", library("Regressor", max_depth=2))])
    booster = library("Regressor", max_depth=2, **{ROUNDS[library]: 300})
    search = make_small(pipeline, {"model": [booster], "model__learning_rate": [0.1]}, n_iter=1)
    search.fit(X[:150], y[:150])
    assert search.best_params_[f"model__{ROUNDS[library]}"] < 300


@pytest.mark.parametrize("library", LIBRARIES)
def test_early_stopping_knows_aliases_of_parameters(library, cancer):
    params = {
        xgboost: {"n_estimators": 200, "early_stopping_rounds": 5},
        lightgbm: {"num_iterations": 200, "n_iter_no_change": 5},
        catboost: {"num_trees": 200, "od_wait": 5, "od_type": "Iter", "use_best_model": True},
    }[library]
    search = make_small(library(max_depth=2, **params)).fit(*cancer)
    assert n_trees(search.best_estimator_) == search.best_params_[next(iter(params))] < 200


def test_xgboost_callback_stops_early(cancer):
    library = pytest.importorskip("xgboost")
    callbacks = [library.callback.EarlyStopping(rounds=5)]
    search = make_small(xgboost(n_estimators=300, callbacks=callbacks)).fit(*cancer)
    assert search.best_params_["callbacks"] is None
    assert n_trees(search.best_estimator_) == search.best_params_["n_estimators"] < 300


def test_lightgbm_early_stopping_callback_is_refused(cancer):
    library = pytest.importorskip("lightgbm")
    with pytest.raises(ValueError, match="early stopping is no callback of fit"):
        make_small(lightgbm()).fit(*cancer, callbacks=[library.early_stopping(5)])


@pytest.mark.thorough
def test_library_booster_in_processes(cancer):
    library = xgboost
    booster = library(max_depth=2, **{ROUNDS[library]: 100})
    alone = make_small(booster).fit(*cancer)
    search = make_small(booster, n_jobs=2).fit(*cancer)
    assert search.best_params_ == alone.best_params_
