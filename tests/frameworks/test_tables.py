"""Frames of polars, samplers of imbalanced-learn, categories for boosters."""

import cases
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from sklearn_lepton import BayesSearchCV, GeneticSearchCV, SwarmSearchCV

pytestmark = pytest.mark.frameworks
SETTINGS = {"n_iter": 3, "cv": 2, "random_state": 0}


def test_polars_frames_keep_names_and_type():
    case = cases.polars()
    search = BayesSearchCV(case.estimator, case.space, **SETTINGS).fit(case.X, case.y)
    assert search.feature_names_in_.tolist() == ["a", "b", "kind"]
    assert set(search.classes_) == {"yes", "no"}
    seen = search.best_estimator_[0].transform(case.X)
    assert type(seen).__module__.startswith("polars")
    search.update(case.X[50:], case.y[50:], n_iter=1)
    assert search.updates_[-1]["n_samples"] == 150


def test_large_polars_frames_reach_processes():
    library = pytest.importorskip("polars")
    a, b = np.random.default_rng(0).normal(size=(2, 40_000))
    X, y = library.DataFrame({"a": a, "b": b}), library.Series(a > 0)
    search = GeneticSearchCV(
        LogisticRegression(), {"C": (1e-3, 1.0, "log-uniform")}, resource="n_samples", **SETTINGS
    )
    alone = search.set_params(n_points=1).fit(X, y).cv_results_["mean_test_score"]
    both = search.set_params(n_jobs=2).fit(X, y).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(alone, both)


class Counted(LogisticRegression):
    """Scores by how many samples it was fitted on and how many it is scored on."""

    def fit(self, X, y, sample_weight=None):
        self.n_rows_ = len(X)
        return super().fit(X, y, sample_weight)

    def score(self, X, y, sample_weight=None):
        return 1000 * self.n_rows_ + len(X)


def test_samplers_change_training_parts_only():
    case = cases.imbalanced()
    pipeline = case.estimator.set_params(clf=Counted())
    space = {**case.space, "smote__sampling_strategy": [0.5, 1.0]}
    splits = StratifiedKFold(2)
    search = SwarmSearchCV(pipeline, space, **(SETTINGS | {"cv": splits, "n_iter": 6}))
    search.fit(case.X, case.y)
    for trial in search.trials_:
        share = trial.params["smote__sampling_strategy"]
        for (train, test), score in zip(
            splits.split(case.X, case.y), trial.split_scores, strict=True
        ):
            n_most = np.bincount(case.y[train]).max()
            assert score == 1000 * (n_most + int(share * n_most)) + len(test)


def test_passthrough_step_has_its_own_branch():
    case = cases.imbalanced()
    smote = case.estimator.get_params()["smote"]
    space = [{**case.space, "smote": [smote]}, {**cases.REGULARISED, "smote": ["passthrough"]}]
    search = BayesSearchCV(case.estimator, space, **(SETTINGS | {"n_iter": 8, "scoring": "f1"}))
    search.fit(case.X, case.y)
    assert {len(trial.params) for trial in search.trials_} == {2, 3}


@pytest.mark.filterwarnings("ignore:\n")
def test_too_few_neighbours_fail_their_trial():
    case = cases.imbalanced()
    search = BayesSearchCV(
        case.estimator, {"smote__k_neighbors": [2, 90]}, **(SETTINGS | {"n_iter": 2})
    )
    search.fit(case.X, case.y)
    failed = {t.params["smote__k_neighbors"]: t.status == "failed" for t in search.trials_}
    assert failed == {2: False, 90: True}


BOOSTERS = [
    (cases.xgboost, {"enable_categorical": True}, "n_estimators"),
    (cases.lightgbm, {}, "n_estimators"),
    (cases.catboost, {}, "n_estimators"),
]


@pytest.mark.parametrize(("make", "params", "rounds"), BOOSTERS, ids=lambda v: str(v)[:20])
def test_boosters_accept_categories_with_early_stopping(make, params, rounds):
    X = cases.pandas().X[["a", "kind"]]
    y = (cases.pandas().y == "yes").astype(int).to_numpy()
    case = make()
    booster = case.estimator.set_params(**params)
    settings = SETTINGS | {"n_iter": 12, "resource": rounds, "surrogate": False}
    first = SwarmSearchCV(booster, case.space, **settings)  # without a model, ranks decide
    # CatBoost's constructor copies such a list, which scikit-learn's `clone` refuses.
    to_fit = {"cat_features": ["kind"]} if make is cases.catboost else {}
    first.fit(X, y, **to_fit)
    assert {1, 9} <= set(first.cv_results_["n_resources"]) <= {1, 3, 9}
    assert first.best_params_[rounds] == 9
    amounts = first.cv_results_["n_resources"]
    promoted = [trial for trial in first.trials_ if "promoted" in trial.proposal]
    assert any(amounts[t.proposal["promoted"]] < amounts[t.number] for t in promoted)
    stops = BayesSearchCV(
        booster.set_params(**{rounds: 60}), case.space, eval_set_from_split=True, **SETTINGS
    ).fit(X, y, **to_fit)
    assert 1 <= stops.best_params_[rounds] <= 60
    assert np.isfinite(stops.cv_results_["mean_n_rounds"]).all()
