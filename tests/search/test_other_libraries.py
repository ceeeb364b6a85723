"""Studies of Optuna and scikit-optimize; `make test-migration` has the libraries."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.svm import SVC

from sklearn_lepton import BayesSearchCV, tune

pytestmark = pytest.mark.filterwarnings("ignore::Warning")

SPACE = {"C": (1e-2, 1e3, "log-uniform"), "kernel": ["rbf", "poly"]}
SETTINGS = {"cv": 3, "random_state": 0}


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture
def optuna():
    library = pytest.importorskip("optuna")
    library.logging.set_verbosity(library.logging.ERROR)
    return library


def distance(C, kernel):
    """Return a number that is smallest at C=10 and "poly"."""
    return abs(np.log10(C) - 1.0) + (kernel == "rbf")


def first_of(search, iris):
    """Return the first configuration after the estimator's own."""
    return search.fit(*iris).trials_[1].params


def study_of(optuna, direction, *, n_trials=20):
    sign = 1.0 if direction == "minimize" else -1.0

    def objective(trial):
        C = trial.suggest_float("C", 1e-2, 1e3, log=True)
        kernel = trial.suggest_categorical("kernel", ["rbf", "poly"])
        trial.suggest_int("another", 1, 3)
        if trial.number == 3:
            raise optuna.TrialPruned
        if trial.number == 4:
            raise ValueError("no luck")
        return sign * distance(C, kernel)

    study = optuna.create_study(direction=direction, sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials=n_trials, catch=ValueError)
    return study


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_an_optuna_study_starts_a_search(optuna, iris, direction):
    study = study_of(optuna, direction)
    best = {name: study.best_params[name] for name in SPACE}
    search = BayesSearchCV(SVC(), SPACE, n_iter=2, previous_studies=study, **SETTINGS)
    assert first_of(search, iris) == pytest.approx(best)
    assert len(search._studies[0]) == 18
    assert pickle.loads(pickle.dumps(search)).previous_studies[0][5].status == "complete"
    result = tune(distance, SPACE, minimize=True, n_iter=1, previous_studies=[study])
    assert result.trials_[0].params == pytest.approx(best)


def test_the_table_of_an_optuna_study_starts_tune(optuna):
    study = study_of(optuna, "minimize")
    frame = study.trials_dataframe()
    result = tune(distance, SPACE, minimize=True, n_iter=1, previous_studies=frame)
    best = {name: study.best_params[name] for name in SPACE}
    assert result.trials_[0].params == pytest.approx(best)
    with pytest.raises(ValueError, match="Which one is it: 'value'"):
        BayesSearchCV(SVC(), SPACE, previous_studies=frame).fit([[0], [1]] * 5, [0, 1] * 5)


def test_a_search_of_optuna_starts_a_search(optuna, iris):
    integration = pytest.importorskip("optuna_integration")
    distributions = {
        "C": optuna.distributions.FloatDistribution(1e-2, 1e3, log=True),
        "kernel": optuna.distributions.CategoricalDistribution(["rbf", "poly"]),
    }
    older = integration.OptunaSearchCV(SVC(), distributions, n_trials=8, cv=3, random_state=0)
    search = BayesSearchCV(SVC(), SPACE, n_iter=2, previous_studies=older, **SETTINGS)
    with pytest.raises(ValueError, match="that is not fitted"):
        search.fit(*iris)
    older.fit(*iris)
    assert first_of(search, iris) == pytest.approx(older.best_params_)


def test_the_trials_of_a_search_become_an_optuna_study(optuna, iris):
    distributions = {
        "C": optuna.distributions.FloatDistribution(1e-2, 1e3, log=True),
        "kernel": optuna.distributions.CategoricalDistribution(["rbf", "poly"]),
    }
    search = BayesSearchCV(SVC(), SPACE, n_iter=6, **SETTINGS).fit(*iris)
    study = optuna.create_study(direction="maximize")
    for trial in (each for each in search.trials_ if each.status == "complete"):
        known = {"params": trial.params, "distributions": distributions, "value": trial.score}
        study.add_trial(optuna.trial.create_trial(**known))
    assert study.best_params == search.best_params_
    assert study.best_value == search.best_score_
    study.optimize(
        lambda trial: (
            -distance(
                trial.suggest_float("C", 1e-2, 1e3, log=True),
                trial.suggest_categorical("kernel", ["rbf", "poly"]),
            )
        ),
        n_trials=2,
    )
    assert len(study.trials) == 8


def test_a_result_of_skopt_starts_a_search(iris):
    skopt = pytest.importorskip("skopt")
    dimensions = [
        skopt.space.Real(1e-2, 1e3, prior="log-uniform", name="C"),
        skopt.space.Categorical(["rbf", "poly"], name="kernel"),
    ]
    older = skopt.forest_minimize(lambda x: distance(*x), dimensions, n_calls=12, random_state=0)
    search = BayesSearchCV(SVC(), SPACE, n_iter=2, previous_studies=[older], **SETTINGS)
    C, kernel = older.x
    assert first_of(search, iris) == {"C": pytest.approx(C), "kernel": kernel}
    assert pickle.loads(pickle.dumps(search)).previous_studies[0][0].params == {
        "C": older.x_iters[0][0],
        "kernel": older.x_iters[0][1],
    }
    for dimension in dimensions:
        dimension.name = None
    nameless = skopt.forest_minimize(lambda x: distance(*x), dimensions, n_calls=11, random_state=0)
    with pytest.raises(ValueError, match="dimensions that have no names"):
        BayesSearchCV(SVC(), SPACE, previous_studies=nameless).fit(*iris)


def test_a_search_of_skopt_starts_a_search(iris):
    skopt = pytest.importorskip("skopt")
    space = {"C": skopt.space.Real(1e-2, 1e3, prior="log-uniform"), "kernel": ["rbf", "poly"]}
    older = skopt.BayesSearchCV(SVC(), space, n_iter=6, cv=3, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        older.fit(*iris)
    search = BayesSearchCV(SVC(), SPACE, n_iter=2, previous_studies=older, **SETTINGS)
    assert first_of(search, iris) == pytest.approx(dict(older.best_params_))
    again = BayesSearchCV(
        SVC(), SPACE, n_iter=2, previous_studies=older.optimizer_results_, **SETTINGS
    )
    assert first_of(again, iris) == pytest.approx(dict(older.best_params_))


def test_a_polars_table_starts_a_search(iris):
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"C": [1.0, 20.0, 3.0], "kernel": ["rbf", "poly", None]})
    frame = frame.with_columns(score=polars.Series([0.5, 0.7, None]))
    search = BayesSearchCV(SVC(), SPACE, n_iter=2, previous_studies=frame, **SETTINGS)
    assert first_of(search, iris) == {"C": pytest.approx(20.0), "kernel": "poly"}
