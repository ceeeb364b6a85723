"""Ensembles of trials: selection, refit, attributes, and what cannot be combined."""

import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from joblib import parallel_config
from marks import both_modes
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import VotingClassifier, VotingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, make_scorer
from sklearn.model_selection import (
    KFold,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_predict,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sklearn_lepton import AutoSearchCV, BayesSearchCV, nested_cross_val_score
from sklearn_lepton._evaluation import output_store
from sklearn_lepton._evaluation.ensemble_selection import (
    QUICK,
    EnsembleScores,
    Part,
    honest_score,
    select,
)
from sklearn_lepton._search import ensemble as ensemble_module
from sklearn_lepton.exceptions import PredictionsWarning

SPLITS = StratifiedKFold(3, shuffle=True, random_state=1)
DEPTHS = {"max_depth": [1, 2, 3, 4, 5, 6, 8], "min_samples_leaf": (1, 20, "int")}


@pytest.fixture(scope="module")
def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return X[:240], y[:240]


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return X[:200], y[:200]


def make(estimator=None, space=None, search_class=BayesSearchCV, **settings):
    settings = {
        "n_iter": 6,
        "cv": SPLITS,
        "scoring": "neg_log_loss",
        "random_state": 0,
        "refit": "ensemble",
        **settings,
    }
    estimator = DecisionTreeClassifier(random_state=0) if estimator is None else estimator
    return search_class(estimator, DEPTHS if space is None else space, **settings)


def by_hand(search, X, y):
    """Return the ensemble's probabilities from members that are fitted here."""
    total = 0.0
    for number, weight in search.ensemble_weights_.items():
        (row,) = (r for r, trial in enumerate(search.trials_) if trial.number == number)
        params = search.cv_results_["params"][row]
        member = clone(search.estimator).set_params(**params).fit(X, y)
        total = total + weight * member.predict_proba(X)
    return total


# The selection


def values_of(rng, y, noises):
    return np.stack([y + noise * rng.normal(size=len(y)) for noise in noises])


def scores_of(rng, noises=(0.5, 0.5, 0.5, 3.0), n_parts=3):
    parts = []
    for _ in range(n_parts):
        y = rng.normal(size=200)
        parts.append(Part(np.empty((200, 0)), y, {}, values_of(rng, y, noises), None))
    return EnsembleScores(parts, sklearn.metrics.get_scorer("neg_mean_squared_error"))


def test_equally_good_independent_models_get_about_equal_weights():
    counts = np.array(select(scores_of(np.random.default_rng(0))))
    weights = counts / counts.sum()
    assert weights[:3] == pytest.approx(1 / 3, abs=0.12)
    assert weights[3] <= 0.05


def test_selection_is_at_least_as_good_as_each_model():
    scores = scores_of(np.random.default_rng(1), noises=(1.0, 0.7, 0.2))
    every = range(scores.n_parts)
    alone = [scores.of(tuple(np.eye(3, dtype=int)[m]), every) for m in range(3)]
    assert scores.of(select(scores), every) >= max(alone)


def test_selection_has_at_most_the_given_members():
    scores = scores_of(np.random.default_rng(2), noises=[1.0] * 8)
    assert np.count_nonzero(select(scores)) > 3
    assert np.count_nonzero(select(scores, max_members=3)) == 3


def test_equal_models_add_nothing():
    rng = np.random.default_rng(3)
    y = rng.normal(size=50)
    values = np.repeat(values_of(rng, y, [1.0]), 4, axis=0)
    parts = [Part(np.empty((50, 0)), y, {}, values, None)]
    scores = EnsembleScores(parts, sklearn.metrics.get_scorer("r2"))
    assert select(scores) == (1, 0, 0, 0)


def test_a_metric_that_is_no_number_never_wins():
    rng = np.random.default_rng(4)
    y = rng.normal(size=50)
    values = values_of(rng, y, [1.0, 1.0])
    values[0] = 0.0

    def metric(y, predicted):
        return np.nan if np.ptp(predicted) == 0 else -np.mean((y - predicted) ** 2)

    scores = EnsembleScores([Part(np.empty((50, 0)), y, {}, values, None)], make_scorer(metric))
    assert select(scores)[1] > 0
    assert np.isfinite(honest_score(scores))


def test_honest_score_of_noise_is_lower_than_that_of_the_selection():
    rng = np.random.default_rng(5)
    parts = []
    for _ in range(5):
        y = rng.normal(size=12)
        parts.append(Part(np.empty((12, 0)), y, {}, rng.normal(size=(12, 12)), None))
    name = "neg_mean_squared_error"
    scores = EnsembleScores(parts, sklearn.metrics.get_scorer(name), name)
    assert honest_score(scores) < scores.of(select(scores), range(5)) - 0.05


@pytest.mark.parametrize("name", QUICK)
def test_quick_metrics_equal_those_of_scikit_learn(name):
    rng = np.random.default_rng(6)
    is_classes = name in {"accuracy", "neg_log_loss"}
    labels = np.array(["a", "b", "c"])
    y = labels[rng.integers(3, size=60)] if is_classes else rng.normal(size=60)
    shape = (2, 60, 3) if is_classes else (2, 60)
    values = rng.random(shape)
    if is_classes:
        values /= values.sum(axis=2, keepdims=True)
        values[0, 0] = [0.0, 0.0, 1.0]
    part = Part(np.empty((60, 0)), y, {}, values, labels if is_classes else None)
    scorer = sklearn.metrics.get_scorer(name)
    quick, plain = EnsembleScores([part], scorer, name), EnsembleScores([part], scorer)
    for counts in ((1, 0), (2, 3)):
        assert quick.of_part(0, counts) == pytest.approx(plain.of_part(0, counts), rel=1e-12)
    weighted = part._replace(params={"sample_weight": rng.random(60)})
    slow = EnsembleScores([weighted], scorer, name).of_part(0, (1, 0))
    assert slow != pytest.approx(quick.of_part(0, (1, 0)))


# The search


def test_best_estimator_is_the_weighted_vote_of_refitted_trials(cancer):
    search = make().fit(*cancer)
    best = search.best_estimator_
    assert isinstance(best, VotingClassifier)
    assert best.voting == "soft"
    assert len(best.estimators_) == len(search.ensemble_weights_) > 1
    assert sum(search.ensemble_weights_.values()) == pytest.approx(1)
    np.testing.assert_allclose(search.predict_proba(cancer[0]), by_hand(search, *cancer))
    np.testing.assert_array_equal(
        search.predict(cancer[0]), search.predict_proba(cancer[0]).argmax(axis=1)
    )
    np.testing.assert_array_equal(search.classes_, [0, 1])


def test_best_trial_stays_the_single_best(cancer):
    search, single = make().fit(*cancer), make(refit=True).fit(*cancer)
    for name in ("best_index_", "best_params_", "best_score_"):
        assert getattr(search, name) == getattr(single, name)
    assert search.ensemble_score_ > search.best_score_


def test_predictions_of_the_search_are_those_of_the_ensemble(cancer):
    X, y = cancer
    search = make(return_predictions=True).fit(X, y)
    expected = 0.0
    for number, weight in search.ensemble_weights_.items():
        params = search.trials_[number].params
        member = clone(search.estimator).set_params(**params)
        found = cross_val_predict(member, X, y, cv=SPLITS, method="predict_proba")
        expected = expected + weight * found
    np.testing.assert_allclose(search.best_predictions_, expected)
    scores = [-log_loss(y[test], search.best_predictions_[test]) for _, test in SPLITS.split(X, y)]
    assert np.mean(scores) >= search.best_score_


@both_modes
@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.thorough)])
def test_ensemble_is_made_by_each_search(search_class, cancer, asynchronous, n_jobs):
    search = make(search_class=search_class, asynchronous=asynchronous, n_jobs=n_jobs)
    search.fit(*cancer)
    np.testing.assert_allclose(search.predict_proba(cancer[0]), by_hand(search, *cancer))


def test_ensemble_does_not_depend_on_the_number_of_jobs(cancer):
    with parallel_config(backend="threading"):
        found = [make(n_jobs=jobs, n_points=2).fit(*cancer) for jobs in (1, 2)]
    assert found[0].ensemble_weights_ == found[1].ensemble_weights_
    assert found[0].ensemble_score_ == found[1].ensemble_score_


def test_ensemble_is_the_same_with_predictions_on_disk(cancer, monkeypatch, tmp_path):
    monkeypatch.setenv("JOBLIB_TEMP_FOLDER", str(tmp_path))
    in_memory = make().fit(*cancer).ensemble_weights_
    monkeypatch.setattr(output_store.OutputStore.__init__, "__kwdefaults__", {"max_bytes": 0})
    assert make().fit(*cancer).ensemble_weights_ == in_memory
    assert list(tmp_path.glob("sklearn_lepton-*")) == []


def test_predictions_of_many_rows_limit_the_candidates(cancer, monkeypatch):
    monkeypatch.setattr(ensemble_module, "_MAX_VALUES", 1)
    monkeypatch.setattr(ensemble_module, "_MIN_CANDIDATES", 2)
    search = make().fit(*cancer)
    ranks = search.cv_results_["rank_test_score"]
    assert all(ranks[number] <= 2 for number in search.ensemble_weights_)


def test_regressors_are_averaged(diabetes):
    X, y = diabetes
    frame = pd.DataFrame(X).add_prefix("x")
    search = make(DecisionTreeRegressor(random_state=0), scoring=None, cv=KFold(3))
    search.fit(frame, y)
    best = search.best_estimator_
    assert isinstance(best, VotingRegressor)
    expected = np.average(
        [each.predict(frame) for each in best.estimators_], axis=0, weights=best.weights
    )
    np.testing.assert_allclose(search.predict(frame), expected)
    assert list(best.feature_names_in_) == list(frame) == list(search.feature_names_in_)
    assert 0 < search.ensemble_score_ < search.score(frame, y)


@pytest.mark.parametrize(
    "cv", [RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0), ShuffleSplit(1)]
)
def test_other_splits_give_an_ensemble(cancer, cv):
    search = make(cv=cv, return_predictions=True).fit(*cancer)
    assert np.isfinite(search.ensemble_score_)
    assert len(search.best_predictions_) == len(cancer[1])


def test_texts_as_labels_and_three_classes():
    X, y = load_iris(return_X_y=True)
    labels = np.array(["c", "b", "a"])[y]
    search = make(scoring="accuracy").fit(X, labels)
    assert set(search.predict(X)) == {"a", "b", "c"}
    assert search.score(X, labels) > 0.9
    np.testing.assert_array_equal(search.best_estimator_.classes_, ["a", "b", "c"])


def test_weights_of_samples_reach_members_and_metric(cancer):
    X, y = cancer
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    sample_weight = np.where(y == 1, 5.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = LogisticRegression(max_iter=2000).set_fit_request(sample_weight=True)
        scorer = sklearn.metrics.get_scorer("neg_log_loss").set_score_request(sample_weight=True)
        search = make(estimator, {"C": (1e-6, 1.0, "log-uniform")}, scoring=scorer)
        search.fit(X, y, sample_weight=sample_weight)
    total = 0.0
    for number, weight in search.ensemble_weights_.items():
        member = LogisticRegression(max_iter=2000, **search.trials_[number].params)
        total = total + weight * member.fit(X, y, sample_weight).predict_proba(X)
    np.testing.assert_allclose(search.predict_proba(X), total)


def test_clone_pickle_and_nested_cross_validation(cancer):
    X, y = cancer
    search = make(n_iter=4).fit(X, y)
    expected = search.predict_proba(X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(search)).predict_proba(X), expected)
    again = clone(search.best_estimator_).fit(X, y)
    np.testing.assert_allclose(again.predict_proba(X), expected)
    scores = nested_cross_val_score(search, X, y, cv=2).test_scores
    assert np.isfinite(scores).all()


def test_refit_true_leaves_nothing_of_an_earlier_ensemble(cancer):
    search = make().fit(*cancer)
    search.set_params(refit=True).fit(*cancer)
    assert not hasattr(search, "ensemble_score_")
    assert not hasattr(search, "ensemble_weights_")
    assert isinstance(search.best_estimator_, DecisionTreeClassifier)


def test_update_makes_an_ensemble_of_the_new_trials(cancer):
    X, y = cancer
    search = make().fit(X[:120], y[:120])
    search.update(X, y, n_iter=3)
    assert set(search.ensemble_weights_) <= {trial.number for trial in search.trials_}
    np.testing.assert_allclose(search.predict_proba(X), by_hand(search, X, y))


def test_models_of_auto_search_are_combined(cancer):
    search = AutoSearchCV(
        "classifier", n_iter=6, cv=2, random_state=0, refit="ensemble", scoring="neg_log_loss"
    ).fit(*cancer)
    assert isinstance(search.best_estimator_, VotingClassifier)
    assert all(isinstance(each, Pipeline) for each in search.best_estimator_.estimators_)
    assert search.score(*cancer) > search.best_score_
    assert "selected by their out-of-fold predictions" in search.choice_
    search.max_time = 100.0
    of_members = search._reserved_seconds(search.trials_)
    assert of_members > search.set_params(refit=True)._reserved_seconds(search.trials_)


# Trials without predictions


def test_a_resumed_search_says_which_trials_it_leaves_out(cancer, tmp_path):
    journal = tmp_path / "study.jsonl"
    make(n_iter=4, journal=journal).fit(*cancer)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search = make(n_iter=6, journal=journal).fit(*cancer)
    texts = " ".join(str(each.message) for each in caught)
    assert re.search(r"leaves out [34] of the 6 best trials", texts)
    assert set(search.ensemble_weights_) <= {search.best_index_, 4, 5}
    np.testing.assert_allclose(search.predict_proba(cancer[0]), by_hand(search, *cancer))


def test_a_finished_journal_gives_the_best_trial_alone(cancer, tmp_path):
    journal = tmp_path / "study.jsonl"
    first = make(n_iter=4, journal=journal).fit(*cancer)
    with (
        pytest.warns(PredictionsWarning, match="leaves out 3 of the 4 best"),
        pytest.warns(PredictionsWarning, match="fitted again for refit='ensemble'"),
    ):
        search = make(n_iter=4, journal=journal).fit(*cancer)
    assert search.ensemble_weights_ == {first.best_index_: 1.0}
    assert search.ensemble_score_ == pytest.approx(search.best_score_)
    assert isinstance(search.best_estimator_, VotingClassifier)


def test_warm_start_takes_no_predictions_of_an_ensemble_for_those_of_a_trial(cancer):
    X, y = cancer
    search = make(return_predictions=True, warm_start=True).fit(X, y)
    search.set_params(refit=True, n_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PredictionsWarning)
        search.fit(X, y)
    best = clone(search.estimator).set_params(**search.best_params_)
    expected = cross_val_predict(best, X, y, cv=SPLITS, method="predict_proba")
    np.testing.assert_array_equal(search.best_predictions_, expected)


class FailsOnAll(DecisionTreeClassifier):
    """Tree that cannot be fitted to all rows at some depths."""

    n_rows = None

    def fit(self, X, y):
        if len(X) == FailsOnAll.n_rows and self.max_depth != FailsOnAll.works:
            raise RuntimeError("too deep")
        return super().fit(X, y)


def test_a_member_that_cannot_be_refitted_is_left_out(cancer):
    X, y = cancer
    FailsOnAll.n_rows, FailsOnAll.works = None, None
    first = make(FailsOnAll(random_state=0)).fit(X, y)
    FailsOnAll.n_rows, FailsOnAll.works = len(X), first.best_params_["max_depth"]
    with pytest.warns(PredictionsWarning, match=r"leaves out \d of its members.*too deep"):
        search = make(FailsOnAll(random_state=0)).fit(X, y)
    assert sum(search.ensemble_weights_.values()) == pytest.approx(1)
    assert search.ensemble_weights_.keys() < first.ensemble_weights_.keys()
    with pytest.raises(RuntimeError, match="too deep"):
        make(FailsOnAll(random_state=0), error_score="raise").fit(X, y)


def test_trials_without_probabilities_are_no_members():
    X, y = load_iris(return_X_y=True)
    space = {"model": [SVC(), KNeighborsClassifier(3), KNeighborsClassifier(30)]}
    search = make(Pipeline([("model", SVC())]), space, scoring="accuracy", n_iter=3).fit(X, y)
    for each in search.best_estimator_.estimators_:
        assert hasattr(each, "predict_proba")


# What cannot be combined


def test_a_metric_that_needs_more_than_predictions_leaves_the_best_trial(cancer):
    def depth(estimator, X, y):
        return -estimator.get_depth()

    with pytest.warns(PredictionsWarning, match="no ensemble.*AttributeError"):
        search = make(scoring=depth).fit(*cancer)
    assert isinstance(search.best_estimator_, DecisionTreeClassifier)
    assert not hasattr(search, "ensemble_weights_")
    with pytest.raises(AttributeError):
        make(scoring=depth, error_score="raise").fit(*cancer)


class OwnScore(DecisionTreeClassifier):
    """Tree with a score of its own."""

    def score(self, X, y):
        return -float(self.get_depth())


def test_a_score_of_the_estimator_that_is_no_accuracy_leaves_the_best_trial(cancer):
    with pytest.warns(PredictionsWarning, match="the metric uses more than predictions"):
        make(OwnScore(random_state=0), scoring=None).fit(*cancer)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"estimator": SVC(), "space": {"C": [1, 2]}, "scoring": None}, "has no predict_proba"),
        ({"estimator": KMeans(), "space": {"n_clusters": [2, 3]}, "scoring": None}, "classifiers"),
        ({"final_cv": 3}, "final_cv=None"),
        ({"scoring": ["accuracy", "f1"]}, "takes a single metric"),
        ({"refit": "Ensemble"}, re.escape("write 'ensemble'")),
        ({"complexity": "max_depth"}, "must be '1se'"),
    ],
)
def test_what_cannot_be_combined_raises_before_the_first_fit(cancer, settings, message):
    search = make(**settings)
    with pytest.raises(ValueError, match=message):
        search.fit(*cancer)
    assert not hasattr(search, "trials_")


def test_several_targets_raise_before_the_first_fit(diabetes):
    X, y = diabetes
    search = make(Ridge(), {"alpha": [0.1, 1.0]}, scoring=None, cv=3)
    with pytest.raises(ValueError, match="takes one target"):
        search.fit(X, np.column_stack([y, y]))
