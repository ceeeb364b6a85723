"""Splits, groups, weights and the routing of metadata."""

import numpy as np
import pytest
import sklearn
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    LeaveOneGroupOut,
    PredefinedSplit,
    RandomizedSearchCV,
    RepeatedKFold,
    ShuffleSplit,
    StratifiedKFold,
    cross_validate,
)
from sklearn.pipeline import make_pipeline

SPACE = {"x": (0.0, 1.0, "uniform")}
GROUPS = np.repeat(np.arange(6), 5)
WEIGHTS = np.arange(30.0) + 1.0


def splits_by_trial(log, n_splits):
    """Return the test rows of each split, one list a trial."""
    rows = [tuple(rows) for rows in log.scores]
    assert len(rows) % n_splits == 0
    return [rows[start : start + n_splits] for start in range(0, len(rows), n_splits)]


def listed(X):
    return list(KFold(4).split(X))


SPLITTERS = {
    "None": (lambda X: None, 5),
    "number": (lambda X: 3, 3),
    "splitter": (lambda X: KFold(4), 4),
    "seeded": (lambda X: StratifiedKFold(3, shuffle=True, random_state=1), 3),
    "unseeded": (lambda X: KFold(3, shuffle=True), 3),
    "unseeded stratified": (lambda X: StratifiedKFold(3, shuffle=True), 3),
    "generator as state": (
        lambda X: KFold(3, shuffle=True, random_state=np.random.RandomState(0)),
        3,
    ),
    "unseeded shuffle split": (lambda X: ShuffleSplit(2), 2),
    "repeated": (lambda X: RepeatedKFold(n_splits=2, n_repeats=2), 4),
    "list": (listed, 4),
    "one-shot iterator": (lambda X: iter(listed(X)), 4),
    "generator": (lambda X: KFold(4).split(X), 4),
    "predefined": (lambda X: PredefinedSplit(np.arange(30) % 3 - 1), 2),
}


@pytest.mark.parametrize("name", SPLITTERS)
@pytest.mark.parametrize("n_points", [1, 2])
def test_all_trials_see_the_same_splits(search_class, probe, log, numbered, name, n_points):
    make, n_splits = SPLITTERS[name]
    search = search_class(probe, SPACE, n_iter=4, cv=make(numbered[0]), n_points=n_points)
    search.fit(*numbered)
    trials = splits_by_trial(log, n_splits)
    assert len(trials) == 4
    assert all(trial == trials[0] for trial in trials)
    assert search.n_splits_ == n_splits
    assert f"split{n_splits - 1}_test_score" in search.cv_results_
    assert log.fits[-1]["rows"] == list(range(30))


@pytest.mark.parametrize("name", ["number", "seeded", "list", "generator as state"])
def test_splits_equal_those_of_randomized_search(search_class, probe, log, numbered, name):
    make, n_splits = SPLITTERS[name]
    search_class(probe, SPACE, n_iter=2, cv=make(numbered[0])).fit(*numbered)
    ours = splits_by_trial(log, n_splits)[0]
    log.scores.clear()
    RandomizedSearchCV(probe, {"x": [0.1]}, n_iter=1, cv=make(numbered[0])).fit(*numbered)
    assert splits_by_trial(log, n_splits)[0] == ours


def test_unseeded_splitter_makes_new_splits_in_each_fit(search_class, probe, log, numbered):
    search = search_class(probe, SPACE, n_iter=2, cv=KFold(3, shuffle=True))
    search.fit(*numbered)
    first = splits_by_trial(log, 3)[0]
    log.scores.clear()
    search.fit(*numbered)
    assert splits_by_trial(log, 3)[0] != first


def test_number_of_splits_may_change_between_fits(search_class, probe, log, numbered):
    search = search_class(probe, SPACE, n_iter=3, cv=2, n_points=2).fit(*numbered)
    log.scores.clear()
    search.set_params(cv=5).fit(*numbered)
    assert len(log.scores) == 15
    assert all(len(trial.split_scores) == 5 for trial in search.trials_)


def test_splits_of_a_classifier_are_stratified(search_class, blobs):
    X, y = blobs
    search = search_class(LogisticRegression(), {"C": [0.1, 1.0]}, n_iter=2, cv=5)
    search.fit(X, np.sort(y))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


class _Inconsistent(KFold):
    def get_n_splits(self, X=None, y=None, groups=None):
        return 4


def test_splitter_with_inconsistent_number_is_refused(search_class, probe, numbered):
    with pytest.raises(ValueError, match="inconsistent results"):
        search_class(probe, SPACE, n_iter=2, cv=_Inconsistent(3)).fit(*numbered)


# ------------------------------------------------------------- groups and weights


@pytest.mark.parametrize("cv", [GroupKFold(3), LeaveOneGroupOut(), GroupShuffleSplit(2)])
def test_groups_stay_together(search_class, probe, log, numbered, cv):
    search = search_class(probe, SPACE, n_iter=3, cv=cv).fit(*numbered, groups=GROUPS)
    trials = splits_by_trial(log, search.n_splits_)
    assert len(trials) == 3
    assert all(trial == trials[0] for trial in trials)
    for fit, rows in zip(log.fits, log.scores, strict=False):
        assert not set(GROUPS[fit["rows"]]) & set(GROUPS[rows])


def test_missing_groups_are_refused(search_class, probe, log, numbered):
    with pytest.raises(ValueError, match="groups"):
        search_class(probe, SPACE, n_iter=3, cv=GroupKFold(3)).fit(*numbered)
    assert log.fits == []


@pytest.mark.filterwarnings("ignore:The scoring .* does not support sample_weight:UserWarning")
def test_weights_are_sliced_for_each_split_and_reach_the_refit(search_class, probe, log, numbered):
    search_class(probe, SPACE, n_iter=3, cv=3).fit(*numbered, sample_weight=WEIGHTS)
    assert len(log.fits) == 3 * 3 + 1
    for fit in log.fits:
        assert fit["weight"] == WEIGHTS[fit["rows"]].tolist()
    assert len(log.fits[-1]["weight"]) == 30


def test_sample_weights_reach_a_step_of_a_pipeline(search_class, probe, log, numbered):
    search = search_class(make_pipeline("passthrough", probe), {"probe__x": [0.1, 0.2]}, n_iter=2)
    search.fit(*numbered, probe__sample_weight=WEIGHTS)
    assert all(fit["weight"] == WEIGHTS[fit["rows"]].tolist() for fit in log.fits)
    assert len(log.fits) == 2 * 5 + 1


def test_sample_weights_of_wrong_length_are_refused(search_class, probe, log, numbered):
    search = search_class(LogisticRegression(), {"C": [0.1, 1.0]}, n_iter=2, error_score="raise")
    with pytest.raises(ValueError, match="inconsistent numbers of samples|sample_weight"):
        search.fit(*numbered, sample_weight=WEIGHTS[:-1])


# ------------------------------------------------------------------------ routing


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def test_metadata_routing_passes_weights_and_groups(routing, search_class, probe, log, numbered):
    probe.set_fit_request(sample_weight=True)
    search = search_class(probe, SPACE, n_iter=3, cv=GroupKFold(3))
    search.fit(*numbered, sample_weight=WEIGHTS, groups=GROUPS)
    assert len(log.fits) == 10
    for fit in log.fits:
        assert fit["weight"] == WEIGHTS[fit["rows"]].tolist()
    for fit, rows in zip(log.fits, log.scores, strict=False):
        assert not set(GROUPS[fit["rows"]]) & set(GROUPS[rows])


def test_metadata_routing_refuses_unrequested_metadata(routing, search_class, probe, log, numbered):
    search = search_class(probe, SPACE, n_iter=3, cv=3)
    with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
        search.fit(*numbered, sample_weight=WEIGHTS)
    assert log.fits == []


def test_metadata_routing_reaches_the_scorer(routing, search_class, probe, numbered):
    from sklearn.metrics import accuracy_score, make_scorer

    seen = []

    def weighted(y_true, y_pred, sample_weight=None):
        seen.append(sample_weight)
        return accuracy_score(y_true, y_pred, sample_weight=sample_weight)

    scorer = make_scorer(weighted).set_score_request(sample_weight=True)
    probe.set_fit_request(sample_weight=False)
    search = search_class(probe, SPACE, n_iter=2, cv=3, scoring=scorer)
    search.fit(*numbered, sample_weight=WEIGHTS)
    assert len(seen) == 6
    assert all(len(weight) == 10 for weight in seen)


def test_nested_cross_validation_with_groups_by_routing(
    routing, search_class, probe, log, numbered
):
    probe.set_fit_request(sample_weight=True)
    search = search_class(probe, SPACE, n_iter=2, cv=GroupKFold(2), random_state=0)
    results = cross_validate(
        search,
        *numbered,
        cv=GroupKFold(3),
        params={"groups": GROUPS, "sample_weight": WEIGHTS},
        error_score="raise",
        return_estimator=True,
        return_indices=True,
    )
    assert len(results["estimator"]) == 3
    n_fits = 2 * 2 + 1
    for fold, train in enumerate(results["indices"]["train"]):
        outer = log.fits[fold * n_fits : (fold + 1) * n_fits]
        for fit in outer:
            assert set(fit["rows"]) <= set(train)
            assert fit["weight"] == WEIGHTS[fit["rows"]].tolist()
        for fit in outer[:-1]:
            held_out = set(train) - set(fit["rows"])
            assert not set(GROUPS[fit["rows"]]) & set(GROUPS[list(held_out)])


def test_metadata_router_equals_that_of_randomized_search(routing, search_class, probe):
    probe.set_fit_request(sample_weight=True)
    ours = search_class(probe, SPACE).get_metadata_routing()
    stock = RandomizedSearchCV(probe, SPACE).get_metadata_routing()
    assert repr(ours).replace(search_class.__name__, "Search") == repr(stock).replace(
        "RandomizedSearchCV", "Search"
    )
