"""`update`: when new data continue a search, its cost, and the state afterwards."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import KFold, ShuffleSplit
from sklearn.naive_bayes import GaussianNB

from sklearn_lepton import BayesSearchCV
from sklearn_lepton._search.update import compare
from sklearn_lepton._trials.statistics import standard_error
from sklearn_lepton._trials.trial import Trial

SPACE = {"x": (0.0, 1.0, "uniform")}
N = 40


class Drifting(BaseEstimator):
    """Its score depends on how near `x` is to the mean of the data; rows scatter a little."""

    fits = []  # noqa: RUF012 - shared by all clones, as a log is

    def __init__(self, x=0.5, level=0.0):
        self.x = x
        self.level = level

    def fit(self, X, y=None):
        Drifting.fits.append((len(X), self.x))
        self.n_seen_ = len(X)
        return self

    def partial_fit(self, X, y=None):
        self.n_seen_ += len(X)
        return self

    def predict(self, X):
        return np.zeros(len(X))

    def score(self, X, y=None):
        return 1.0 - abs(self.x - np.round(X[:, 0].mean(), 1)) + 0.02 * np.std(X[:, 1])


@pytest.fixture(autouse=True)
def fits():
    Drifting.fits.clear()
    return Drifting.fits


def data(best, n=N, seed=0):
    rng = np.random.default_rng(seed)
    return np.column_stack([np.full(n, best), rng.normal(size=n)]), np.arange(n) % 2


def make(search_class, **settings):
    settings = {"n_iter": 15, "cv": KFold(4), "random_state": 0, **settings}
    return search_class(Drifting(), SPACE, **settings)


def test_confirmed_best_trial_costs_three_trials_and_a_refit(search_class, fits):
    search = make(search_class).fit(*data(0.7))
    best = search.best_params_
    fits.clear()
    assert search.update(*data(0.7, seed=1)) is search
    [update] = search.updates_
    assert update["held"]
    assert update["n_trials"] == len(search.trials_) == 3
    assert len(fits) == 3 * 4 + 1
    assert search.stop_reason_ == "held"
    assert search.trials_[0].params == best
    assert update["n_samples"] == N


def test_unconfirmed_best_trial_continues_the_search(search_class):
    search = make(search_class).fit(*data(0.7))
    before = search.best_score_
    search.update(*data(0.2), n_iter=9)
    [update] = search.updates_
    assert not update["held"]
    assert "scores" in update["reason"]
    assert len(search.trials_) == update["n_trials"] == 3 + 9
    assert search.stop_reason_ == "n_iter"
    assert update["score_before"] == before
    assert update["score_after"] == search.trials_[0].score < before - 0.3
    assert search.best_score_ == update["best_score"] > update["score_after"] + 0.2
    assert update["best_params"] == search.best_params_
    assert search.best_estimator_.x == search.best_params_["x"]


def test_default_budget_of_update_is_a_third(search_class):
    search = make(search_class).fit(*data(0.7)).update(*data(0.2))
    assert len(search.trials_) == 3 + 5


def test_update_without_budget_only_refits(search_class):
    search = make(search_class).fit(*data(0.7)).update(*data(0.2), n_iter=0)
    assert len(search.trials_) == 3
    assert not search.updates_[0]["held"]


def test_updates_are_recorded_in_order_and_keep_the_search(search_class):
    search = make(search_class).fit(*data(0.7))
    params = dict(search.get_params(deep=False))
    for number, best in enumerate([0.7, 0.2, 0.2, 0.9]):
        search.update(*data(best, seed=number))
    assert [update["held"] for update in search.updates_] == [True, False, True, False]
    after = search.get_params(deep=False)
    assert params.keys() == after.keys()
    assert all(params[name] is after[name] for name in params)
    assert abs(search.best_params_["x"] - 0.9) < 0.25


def test_update_learns_from_earlier_trials(search_class):
    """Back at the first place, the old best is found again immediately."""
    search = make(search_class).fit(*data(0.7))
    first = search.best_params_["x"]
    search.update(*data(0.1), n_iter=8).update(*data(0.7), n_iter=3)
    assert abs(search.best_params_["x"] - 0.7) <= abs(first - 0.7) + 0.05


def test_fit_after_update_starts_over(search_class):
    search = make(search_class).fit(*data(0.7))
    first = [trial.params for trial in search.trials_]
    search.update(*data(0.2)).fit(*data(0.7))
    assert [trial.params for trial in search.trials_] == first
    assert not hasattr(search, "updates_")


def test_update_in_batches_scores_the_best_first(search_class):
    search = make(search_class, n_points=8).fit(*data(0.7)).update(*data(0.7, seed=1))
    assert len(search.trials_) == 3


def test_update_runs_asynchronously(search_class):
    search = make(search_class, asynchronous=True).fit(*data(0.7))
    assert len(search.update(*data(0.7, seed=1)).trials_) == 3
    assert len(search.update(*data(0.2), n_iter=4).trials_) == 7


def test_update_with_unseeded_splits(search_class):
    search = make(search_class, cv=ShuffleSplit(3)).fit(*data(0.7)).update(*data(0.2), n_iter=2)
    assert len(search.trials_) == 5


def test_update_with_several_metrics(search_class):
    scoring = {"a": lambda e, X, y: e.score(X), "b": lambda e, X, y: -e.score(X)}
    search = make(search_class, scoring=scoring, refit="a").fit(*data(0.7))
    search.update(*data(0.2), n_iter=4)
    assert search.updates_[0]["best_score"] == search.best_score_
    assert "mean_test_b" in search.cv_results_


def test_partial_update_calls_partial_fit(search_class):
    search = make(search_class).fit(*data(0.7))
    learner = search.best_estimator_
    search.update(*data(0.7, seed=1), partial=True)
    assert search.updates_[0]["held"]
    assert search.best_estimator_ is learner
    assert learner.n_seen_ == 2 * N
    assert search.best_index_ == 0
    assert search.best_params_ == {"x": learner.x}
    assert search.best_score_ == search.trials_[0].score
    search.update(*data(0.1, n=20), partial=True)
    assert search.best_estimator_ is not learner
    assert search.best_estimator_.n_seen_ == 20


def test_partial_update_improves_a_real_estimator(blobs):
    X, y = blobs
    half = len(X) // 2
    search = BayesSearchCV(
        SGDClassifier(random_state=0), {"alpha": (1e-5, 1e-1, "log-uniform")}, n_iter=5, cv=2
    ).fit(X[:half], y[:half])
    t = search.best_estimator_.t_
    search.update(X[half:], y[half:], partial=True, n_iter=0)
    if search.updates_[0]["held"]:
        assert search.best_estimator_.t_ == t + len(X) - half


def test_partial_update_needs_partial_fit(search_class, probe, numbered):
    search = search_class(probe, SPACE, n_iter=3, cv=2).fit(*numbered)
    with pytest.raises(ValueError, match="partial_fit"):
        search.update(*numbered, partial=True)


@pytest.mark.parametrize("n_iter", [-1, 1.5, "many"])
def test_invalid_budget_of_update_is_refused(search_class, n_iter):
    search = make(search_class).fit(*data(0.7))
    with pytest.raises(ValueError, match="n_iter must be"):
        search.update(*data(0.7), n_iter=n_iter)


def test_update_needs_a_fit(search_class):
    with pytest.raises(NotFittedError):
        make(search_class).update(*data(0.7))


def test_error_in_update_leaves_the_search_unchanged(search_class):
    search = make(search_class).fit(*data(0.7))
    before = dict(vars(search))
    X, y = data(0.7, n=3)
    with pytest.raises(ValueError, match=r"n_splits=4"):
        search.update(X, y)
    assert vars(search) == before


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:One or more of the test scores:UserWarning")
def test_trial_that_fails_on_new_data_is_not_confirmed(search_class):
    class Picky(Drifting):
        def fit(self, X, y=None):
            if len(X) < 20 and abs(self.x - 0.7) < 0.2:
                raise ValueError("too few")
            return super().fit(X, y)

    search = search_class(Picky(), SPACE, n_iter=15, cv=KFold(4), random_state=0).fit(*data(0.7))
    search.update(*data(0.7, n=20), n_iter=4)
    assert not search.updates_[0]["held"]
    assert "failed" in search.updates_[0]["reason"]


def test_each_update_has_its_own_journal(search_class, fits, tmp_path):
    def go():
        search = make(search_class, journal=tmp_path / "study.jsonl").fit(*data(0.7))
        return search.update(*data(0.7, seed=1)).update(*data(0.2), n_iter=4)

    first = go()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["study.jsonl", "study.update1.jsonl", "study.update2.jsonl"]
    n_fits = len(fits)
    again = go()
    assert len(fits) == n_fits + 3  # refits
    assert [t.split_scores for t in again.trials_] == [t.split_scores for t in first.trials_]
    assert again.updates_ == first.updates_
    assert again.journal == tmp_path / "study.jsonl"


def trial(*scores, number=0):
    return Trial(number, (0.5,), {"x": 0.5}).complete(np.mean(scores), split_scores=scores)


def test_standard_error_counts_overlap_of_training_sets():
    scores = [0.1, 0.3, 0.2, 0.4]
    deviation = np.std(scores, ddof=1)
    assert standard_error(scores, None) == pytest.approx(deviation * np.sqrt(1 / 4 + 1 / 3))
    assert standard_error(scores, 0.1) == pytest.approx(deviation * np.sqrt(1 / 4 + 0.1))
    assert standard_error([0.3], 0.1) == 0.0


ONE_FOLD_EACH = (None, None)


def test_drop_within_the_standard_error_is_confirmed():
    before = trial(0.8, 0.9, 1.0)
    assert compare([before], [trial(0.75, 0.85, 0.95)], ONE_FOLD_EACH)[0]
    assert not compare([before], [trial(0.6, 0.7, 0.8)], ONE_FOLD_EACH)[0]


def test_drop_is_judged_by_sizes_of_old_and_new_splits():
    before, now = trial(0.8, 0.9, 1.0), trial(0.7, 0.8, 0.9)
    assert compare([before], [now], (None, None))[0]
    assert not compare([before], [now], (0.1, 0.1))[0]
    assert compare([before], [now], (0.1, 1.0))[0]


def test_rise_is_confirmed():
    assert compare([trial(0.5, 0.5, 0.6)], [trial(0.9, 0.9, 0.9)], ONE_FOLD_EACH)[0]


def test_trial_better_on_each_split_replaces_the_best():
    best = trial(0.8, 0.9, 1.0)
    before = [best, trial(0.7, 0.9, 1.0, number=1)]
    holds, reason = compare(before, [best, trial(0.85, 0.95, 1.05, number=1)], ONE_FOLD_EACH)
    assert not holds
    assert "Another" in reason
    assert compare(before, [best, trial(0.95, 0.8, 1.0, number=1)], ONE_FOLD_EACH)[0]


def test_trial_equally_ahead_before_does_not_replace_the_best():
    # As with refit="1se", which passes over it.
    chosen, rival = trial(0.8, 0.9, 1.0), trial(0.85, 0.95, 1.05, number=1)
    assert compare([chosen, rival], [chosen, rival], ONE_FOLD_EACH)[0]
    further = trial(0.95, 1.05, 1.15, number=1)
    assert not compare([chosen, rival], [chosen, further], ONE_FOLD_EACH)[0]


def test_one_se_choice_is_confirmed_on_the_same_data(search_class, blobs):
    for seed in range(3):
        search = search_class(
            SGDClassifier(random_state=0),
            {"alpha": (1e-4, 1e-1, "log-uniform")},
            n_iter=8,
            refit="1se",
            complexity="alpha",
            random_state=seed,
        )
        report = search.fit(*blobs).update(*blobs).updates_[-1]
        assert report["score_before"] == report["score_after"]
        assert report["held"], report["reason"]


def test_update_with_arrays_as_choices(search_class, blobs):
    space = {
        "priors": [np.array([0.3, 0.7]), np.array([0.5, 0.5]), None],
        "var_smoothing": (1e-9, 1e-1, "log-uniform"),
    }
    search = search_class(GaussianNB(), space, n_iter=6, random_state=0).fit(*blobs)
    assert search.update(*blobs).updates_[-1]["n_trials"] >= 3


def test_partial_update_with_sample_weights(search_class, blobs):
    X, y = blobs
    seen = []

    class Learner(SGDClassifier):
        def partial_fit(self, X, y, classes=None, sample_weight=None):
            seen.append(sample_weight)
            return super().partial_fit(X, y, classes=classes, sample_weight=sample_weight)

    space = {"alpha": (1e-4, 1e-3, "log-uniform")}
    search = search_class(Learner(random_state=0), space, n_iter=4, random_state=0)
    weights = np.linspace(1.0, 2.0, len(y))
    search.fit(X, y, sample_weight=weights)
    search.update(X, y, partial=True, sample_weight=weights)
    assert search.updates_[-1]["held"]
    [passed] = seen
    np.testing.assert_array_equal(passed, weights)
    with pytest.raises(ValueError, match="partial=True passes coef_init to partial_fit"):
        search.update(X, y, partial=True, coef_init=np.zeros((1, X.shape[1])))


def test_update_reports_exhausted_space(search_class):
    X = np.random.default_rng(0).normal(size=(80, 2))
    search = search_class(GaussianNB(), {"var_smoothing": [1e-9, 1e-5, 1e-1]}, n_iter=3)
    search.fit(X, X[:, 0] > 0).update(X, np.arange(80) % 2)
    assert not search.updates_[-1]["held"]
    assert search.stop_reason_ == "exhausted"
