"""`nested_cross_val_score` and `compare_to_default`: fits, results and errors."""

from pathlib import Path

import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    ShuffleSplit,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_val_score,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from sklearn_lepton import BayesSearchCV, nested_cross_val_score
from sklearn_lepton._trials.statistics import paired_test
from sklearn_lepton.exceptions import SearchInterruptedWarning

SPACE = {"x": (0.0, 1.0, "uniform")}
COLUMNS = {"column": [0, 1, 2, 3]}


class OneColumn(ClassifierMixin, BaseEstimator):
    """Nearest class mean in a single column."""

    def __init__(self, column=0):
        self.column = column

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        x = np.asarray(X)[:, self.column]
        self.means_ = [x[y == label].mean() for label in self.classes_]
        return self

    def predict(self, X):
        distance = np.abs(np.asarray(X)[:, [self.column]] - self.means_)
        return self.classes_[distance.argmin(axis=1)]


def make(search_class, **params):
    params = {"n_iter": 4, "cv": 3, "random_state": 0, "initial_params": None, **params}
    return search_class(OneColumn(), COLUMNS, **params)


def exhaustive(X, y, train, inner):
    """Return the best column and its score on a training part, computed without a search."""
    splits = list(inner.split(X[train], y[train]))
    means = [
        cross_val_score(OneColumn(column), X[train], y[train], cv=splits).mean()
        for column in range(4)
    ]
    return int(np.argmax(means)), max(means)


# ------------------------------------------------------------------------- nested


def test_nested_score_matches_a_search_by_hand_on_each_split(search_class, blobs):
    X, y = blobs
    outer = StratifiedKFold(4, shuffle=True, random_state=1)
    search = make(search_class)
    score = nested_cross_val_score(search, X, y, cv=outer)
    for number, (train, test) in enumerate(outer.split(X, y)):
        _, best = exhaustive(X, y, train, StratifiedKFold(3))
        fitted = OneColumn(score.best_params[number]["column"]).fit(X[train], y[train])
        assert score.best_scores[number] == pytest.approx(best)
        assert score.test_scores[number] == pytest.approx(fitted.score(X[test], y[test]))
    assert score.ratio == pytest.approx(1 / 3)
    assert not hasattr(search, "best_score_")


def test_nested_score_fits_no_row_of_an_outer_test_part(probe, log, numbered):
    nested_cross_val_score(
        BayesSearchCV(probe, SPACE, n_iter=2, cv=2, random_state=0), *numbered, cv=3
    )
    per_split = len(log.fits) // 3
    outer = StratifiedKFold(3).split(*numbered)
    for number, (train, _) in enumerate(outer):
        fits = log.fits[number * per_split : (number + 1) * per_split]
        assert len(fits) == 5
        assert all(set(fit["rows"]) <= set(train.tolist()) for fit in fits)


def test_nested_score_accepts_searches_of_scikit_learn(blobs):
    score = nested_cross_val_score(GridSearchCV(OneColumn(), COLUMNS, cv=3), *blobs, cv=3)
    assert score.test_scores.shape == (3,)


class Unrouted(DecisionTreeClassifier):
    """Estimator whose `fit` lacks a parameter of the base class, which routing would reject."""

    def fit(self, X, y):
        return super().fit(X, y)


def test_routing_is_not_read_while_it_is_off(blobs):
    search = BayesSearchCV(Unrouted(random_state=0), {"max_depth": [1, 2]}, n_iter=2, cv=2)
    assert len(nested_cross_val_score(search, *blobs, cv=2).test_scores) == 2
    comparison = search.fit(*blobs).compare_to_default(*blobs, cv=2, n_repeats=1)
    assert len(comparison.tuned_scores) == 2


def test_nested_score_resumes_after_interrupt(blobs, tmp_path, monkeypatch):
    search = make(BayesSearchCV, journal=tmp_path / "study.jsonl")
    fit = OneColumn.fit
    n_fits = []

    def counted(self, X, y):
        n_fits.append(1)
        if len(n_fits) == 20:
            raise KeyboardInterrupt
        return fit(self, X, y)

    monkeypatch.setattr(OneColumn, "fit", counted)
    with pytest.warns(SearchInterruptedWarning), pytest.raises(KeyboardInterrupt):
        nested_cross_val_score(search, *blobs, cv=3)
    names = sorted(path.name for path in tmp_path.glob("*.jsonl"))
    assert names == ["study.outer0.jsonl", "study.outer1.jsonl"]
    score = nested_cross_val_score(search, *blobs, cv=3)
    # A split needs 12 fits and a refit. Only refits and the interrupted fit are repeated.
    assert len(n_fits) <= 3 * 13 + 3
    assert len(list(tmp_path.glob("*.jsonl"))) == 3
    again = nested_cross_val_score(search.set_params(journal=None), *blobs, cv=3)
    np.testing.assert_array_equal(score.test_scores, again.test_scores)


def test_nested_searches_keep_no_predictions(blobs):
    class Mute(OneColumn):
        def predict_proba(self, X):
            raise AssertionError("nothing reads them")

    search = BayesSearchCV(Mute(), COLUMNS, n_iter=2, cv=3, return_predictions=True)
    score = nested_cross_val_score(search, *blobs, cv=2)
    assert np.isfinite(score.test_scores).all()
    assert search.return_predictions


def test_journals_need_repeatable_splits(blobs, tmp_path):
    search = make(BayesSearchCV, journal=tmp_path / "study.jsonl")
    for cv in (ShuffleSplit(3), KFold(3, shuffle=True)):
        with pytest.raises(ValueError, match="makes other splits each time"):
            nested_cross_val_score(search, *blobs, cv=cv)


def test_nested_score_uses_the_metric_of_refit(blobs):
    search = make(BayesSearchCV, scoring=["accuracy", "roc_auc"], refit="accuracy")
    search.estimator = LogisticRegression()
    search.param_distributions = {"C": [0.1, 1.0]}
    search.n_iter = 2
    both = nested_cross_val_score(search, *blobs, cv=3)
    one = nested_cross_val_score(search.set_params(scoring="accuracy", refit=True), *blobs, cv=3)
    np.testing.assert_allclose(both.test_scores, one.test_scores)


def test_verbose_prints_a_line_for_each_outer_split(blobs, capsys):
    nested_cross_val_score(make(BayesSearchCV, verbose=1), *blobs, cv=2)
    assert "outer split 2 of 2: " in capsys.readouterr().out


@pytest.mark.parametrize("routing", [False, True])
def test_groups_are_kept_together_inside_and_outside(probe, log, numbered, routing):
    groups = np.arange(30) // 3
    search = BayesSearchCV(probe, SPACE, n_iter=2, cv=GroupKFold(2), random_state=0)
    with sklearn.config_context(enable_metadata_routing=routing):
        nested_cross_val_score(search, *numbered, cv=GroupKFold(3), params={"groups": groups})
        search.fit(*numbered, groups=groups)
        n_before = len(log.fits)
        search.compare_to_default(*numbered, cv=2, n_repeats=1, groups=groups)
    assert len(log.fits) > n_before
    whole = set(range(30))
    for fit in log.fits:
        inside = set(groups[fit["rows"]])
        assert not inside & set(groups[sorted(whole - set(fit["rows"]))])


@pytest.mark.filterwarnings("ignore:The scoring .* does not support sample_weight:UserWarning")
@pytest.mark.parametrize("routing", [False, True])
def test_sample_weights_reach_the_fits(probe, log, numbered, routing):
    weight = np.arange(30.0)
    with sklearn.config_context(enable_metadata_routing=routing):
        if routing:
            probe.set_fit_request(sample_weight=True)
        search = BayesSearchCV(probe, SPACE, n_iter=1, cv=2, random_state=0)
        nested_cross_val_score(search, *numbered, cv=2, params={"sample_weight": weight})
        search.fit(*numbered, sample_weight=weight)
        search.compare_to_default(*numbered, cv=2, n_repeats=1, sample_weight=weight)
    assert len(log.fits) == 2 * 3 + 3 + 2 + 2 * 3
    for fit in log.fits:
        assert fit["weight"] == weight[fit["rows"]].tolist()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda s, d: nested_cross_val_score(s.set_params(refit=False), *d),
            "refit=False leaves no",
        ),
        (lambda s, d: nested_cross_val_score(OneColumn(), *d), "must be a search"),
        (lambda s, d: nested_cross_val_score(s, *d, cv=ShuffleSplit(1)), "At least 2 splits"),
        (lambda s, d: s.compare_to_default(*d, cv=1), "cv must be at least 2"),
        (lambda s, d: s.compare_to_default(*d, n_repeats=0), "n_repeats must be None or"),
        (lambda s, d: s.compare_to_default(*d, cv=KFold(3), n_repeats=2), "set n_repeats=None"),
        (lambda s, d: s.compare_to_default(*d, confidence=95), "between 0 and 1"),
        (lambda s, d: s.compare_to_default(*d, retune=3), "retune must be True or False"),
    ],
)
def test_invalid_arguments_are_refused(blobs, call, message):
    search = make(BayesSearchCV).fit(*blobs)
    with pytest.raises(ValueError, match=message):
        call(search, blobs)


def test_comparison_does_not_shuffle_a_time_series(blobs):
    search = make(BayesSearchCV, cv=TimeSeriesSplit(3)).fit(*blobs)
    with pytest.raises(ValueError, match="give a TimeSeriesSplit as cv"):
        search.compare_to_default(*blobs)
    found = search.compare_to_default(*blobs, cv=TimeSeriesSplit(4))
    assert len(found.tuned_scores) == 4


def test_comparison_needs_a_fitted_search(blobs):
    with pytest.raises(NotFittedError):
        make(BayesSearchCV).compare_to_default(*blobs)


# --------------------------------------------------------------------- comparison


def test_comparison_searches_again_on_each_training_part(search_class, blobs):
    X, y = blobs
    outer = StratifiedKFold(4, shuffle=True, random_state=3)
    found = make(search_class).fit(X, y).compare_to_default(X, y, cv=outer)
    tuned, default = [], []
    for train, test in outer.split(X, y):
        column, _ = exhaustive(X, y, train, StratifiedKFold(3))
        tuned.append(OneColumn(column).fit(X[train], y[train]).score(X[test], y[test]))
        default.append(OneColumn().fit(X[train], y[train]).score(X[test], y[test]))
    np.testing.assert_allclose(found.default_scores, default)
    np.testing.assert_allclose(found.tuned_scores, tuned)
    expected = paired_test(np.subtract(tuned, default), 1 / 3)
    assert (found.p_value, found.interval) == (expected.p_value, expected.interval)
    assert found.retuned


def test_comparison_without_retuning_uses_best_params(blobs):
    X, y = blobs
    search = make(BayesSearchCV).fit(X, y)
    cv = KFold(3)
    found = search.compare_to_default(X, y, cv=cv, retune=False)
    best = OneColumn(**search.best_params_)
    np.testing.assert_allclose(found.tuned_scores, cross_val_score(best, X, y, cv=cv))
    assert not found.retuned
    again = search.set_params(refit=False).compare_to_default(X, y, cv=cv, retune=False)
    np.testing.assert_array_equal(found.tuned_scores, again.tuned_scores)


def test_comparison_repeats_have_different_reproducible_folds(blobs):
    search = make(BayesSearchCV).fit(*blobs)
    first = search.compare_to_default(*blobs, n_repeats=3, retune=False)
    assert len(first.default_scores) == 15
    assert len({tuple(part) for part in first.default_scores.reshape(3, 5)}) > 1
    again = search.compare_to_default(*blobs, n_repeats=3, retune=False)
    np.testing.assert_array_equal(first.default_scores, again.default_scores)
    assert len(search.compare_to_default(*blobs).tuned_scores) == 10
    assert len(search.compare_to_default(*blobs, retune=False).tuned_scores) == 50


def test_comparison_finds_a_true_difference():
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    X = rng.normal(size=(200, 4)) + y[:, np.newaxis] * [0.0, 0.0, 0.0, 1.5]
    found = make(BayesSearchCV).fit(X, y).compare_to_default(X, y)
    assert found.verdict == "Tuning helped."
    assert found.p_value < 0.01
    worse = BayesSearchCV(OneColumn(3), {"column": [0, 1]}, n_iter=2, cv=3, random_state=0)
    assert worse.set_params(initial_params=None).fit(X, y).compare_to_default(X, y).interval[1] < 0


def test_comparison_default_is_the_estimator_as_given(blobs):
    space = [{"n_neighbors": [1, 3]}, {"weights": ["distance"], "n_neighbors": [7]}]
    search = BayesSearchCV(KNeighborsClassifier(), space, n_iter=3, cv=2, random_state=0)
    search.set_params(initial_params=None).fit(*blobs)
    found = search.compare_to_default(*blobs, cv=KFold(3), retune=False)
    expected = cross_val_score(KNeighborsClassifier(), *blobs, cv=KFold(3))
    np.testing.assert_allclose(found.default_scores, expected)


def test_comparison_fails_if_the_untuned_estimator_does(probe, numbered):
    space = {"outcome": ["ok"], **SPACE}
    search = BayesSearchCV(probe.set_params(outcome="raise"), space, n_iter=2, cv=2)
    search.set_params(initial_params=None).fit(*numbered)
    with pytest.raises(ValueError, match="nothing to compare with.*no luck"):
        search.compare_to_default(*numbered)


def test_comparison_writes_a_journal_for_each_split(blobs, tmp_path):
    search = make(BayesSearchCV, journal=Path(tmp_path, "study.jsonl")).fit(*blobs)
    search.compare_to_default(*blobs, cv=2, n_repeats=1)
    names = sorted(path.name for path in tmp_path.glob("*.jsonl"))
    assert names == ["study.compare0.jsonl", "study.compare1.jsonl", "study.jsonl"]
