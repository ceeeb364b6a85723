"""A search is never worse than the untuned estimator, also where the space does not contain it."""

import pickle
from unittest import mock

import numpy as np
import pytest
from doubles import Probe
from joblib import parallel_config
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_lepton import AutoSearchCV, BayesSearchCV, Space, load_trials, tune
from sklearn_lepton._trials.untuned import (
    UntunedParams,
    default_configurations,
    is_untuned,
    points_of,
)
from sklearn_lepton.exceptions import JournalMismatchError, SpaceExhaustedWarning
from sklearn_lepton.importance import parameter_importance
from sklearn_lepton.optimizers import GridOptimizer, Trial, make_optimizer
from sklearn_lepton.plotting import (
    ContourDisplay,
    ConvergenceDisplay,
    ParallelCoordinatesDisplay,
    SliceDisplay,
    TimelineDisplay,
)
from sklearn_lepton.report import write_report

FAR = {"x": (0.0, 0.2, "uniform"), "z": (2, 9, "int")}  # x=0.7 and z=0 are better
BEST = Probe(x=0.7)
UNTUNED = UntunedParams({"x": 0.7, "z": 0})


def make(search_class=BayesSearchCV, estimator=BEST, space=FAR, **options):
    return search_class(estimator, space, **({"n_iter": 12, "cv": 3, "random_state": 0} | options))


def check_untuned(search, estimator, params):
    """Check that the first trial is the untuned estimator, and the best."""
    first, *others = search.trials_
    assert is_untuned(first)
    assert not any(map(is_untuned, others))
    assert first.params == params == search.best_params_
    assert search.best_index_ == 0
    assert repr(search.best_estimator_) == repr(estimator)
    assert search.best_score_ == first.score


def test_untuned_estimator_outside_of_the_space_is_the_best(search_class, numbered):
    search = make(search_class).fit(*numbered)
    check_untuned(search, BEST, {"x": 0.7, "z": 0})
    assert search.cv_results_["param_x"][0] == 0.7
    assert search.cv_results_["rank_test_score"][0] == 1
    assert len(search.trials_) == 12
    assert search.trials_[1].params == {"x": pytest.approx(0.1), "z": mock.ANY}
    assert all(0.0 <= trial.params["x"] <= 0.2 for trial in search.trials_[1:])
    copied = pickle.loads(pickle.dumps(search))
    assert copied.trials_ == search.trials_
    assert copied.optimizer_.ask(1) == search.optimizer_.ask(1)


@pytest.mark.filterwarnings("ignore::sklearn_lepton.exceptions.SpaceExhaustedWarning")
@pytest.mark.parametrize(
    ("estimator", "space", "params"),
    [
        (SVC(), {"gamma": (1e-9, 1e-8, "log-uniform")}, {"gamma": "scale"}),
        (SVC(), {"C": [1e-6, 1e-5]}, {"C": 1.0}),
        (SVC(), {"C": (1e-6, 1.0, "uniform"), "gamma": [1e-9]}, {"C": 1.0, "gamma": "scale"}),
        (
            SVC(),
            [{"kernel": ["poly"], "degree": [8]}, {"kernel": ["rbf"], "gamma": [1e-9]}],
            {"kernel": "rbf", "degree": 3, "gamma": "scale"},
        ),
    ],
)
def test_own_parameters_are_those_of_the_estimator(blobs, estimator, space, params):
    search = make(estimator=estimator, space=space, n_iter=4, scoring="f1")
    search.fit(*blobs)
    check_untuned(search, estimator, params)
    expected = cross_val_score(estimator, *blobs, cv=3, scoring="f1").mean()
    assert search.trials_[0].score == pytest.approx(expected)
    tuned = clone(estimator).set_params(**search.best_params_)
    assert repr(tuned) == repr(estimator)


def test_replaced_step_has_its_own_estimator_in_the_untuned_trial(blobs):
    pipeline = Pipeline([("scale", StandardScaler()), ("clf", LogisticRegression())])
    space = [
        {"clf": [SVC()], "clf__kernel": ["sigmoid"], "clf__coef0": [99.0]},
        {"clf": [LogisticRegression(C=1e-9)], "scale__with_std": [False]},
    ]
    search = make(estimator=pipeline, space=space, n_iter=3).fit(*blobs)
    first = search.trials_[0]
    assert is_untuned(first)
    assert set(first.params) == {"clf", "scale__with_std"}  # a LogisticRegression has no kernel
    assert search.best_params_["scale__with_std"] is True
    assert repr(search.best_estimator_) == repr(pipeline)
    assert np.ma.is_masked(search.cv_results_["param_clf__kernel"][0])


@pytest.mark.filterwarnings("ignore::sklearn_lepton.exceptions.SpaceExhaustedWarning")
@pytest.mark.parametrize(
    "space",
    [
        {"C": (0.1, 10.0, "log-uniform"), "gamma": ["scale", 0.1]},
        {"C": [0.1, 1, 10]},
        [{"kernel": ["poly"], "degree": [2, 4]}, {"kernel": ["rbf"], "C": [0.1, 1.0]}],
    ],
)
def test_untuned_estimator_in_the_space_is_a_trial_like_others(blobs, space):
    search = make(estimator=SVC(), space=space, n_iter=4).fit(*blobs)
    assert not any(map(is_untuned, search.trials_))
    tuned = clone(SVC()).set_params(**search.trials_[0].params)
    assert tuned.get_params() == SVC().get_params()


def test_estimator_within_a_limit_of_iterations_of_its_built_in_space_is_in_it(blobs):
    search = make(estimator=SVC(), space="auto", n_iter=1).fit(*blobs)
    assert not is_untuned(search.trials_[0])


@pytest.mark.parametrize("given", [None, {"x": 0.1}, [{"x": 0.1}, {"x": 0.2}]])
def test_other_initial_params_leave_the_untuned_estimator_out(numbered, given):
    search = make(initial_params=given, n_iter=4).fit(*numbered)
    assert not any(map(is_untuned, search.trials_))


def test_list_of_initial_params_may_contain_the_default(numbered):
    search = make(initial_params=[{"x": 0.05}, "default"], n_iter=4).fit(*numbered)
    assert [trial.params["x"] for trial in search.trials_][:2] == [0.05, 0.7]
    assert is_untuned(search.trials_[1])


def test_best_params_of_an_untuned_trial_are_initial_params_of_another_search(numbered):
    first = make(n_iter=4).fit(*numbered)
    second = make(initial_params=first.best_params_, n_iter=4).fit(*numbered)
    check_untuned(second, BEST, first.best_params_)
    with pytest.raises(ValueError, match=r"initial_params\[0\] does not lie in the space"):
        make(initial_params={"x": 0.6, "z": 0}).fit(*numbered)


@pytest.mark.parametrize("optimizer", ["auto", "bayes", "swarm", "genetic", "random", "grid"])
def test_small_space_is_tried_as_a_whole_after_the_untuned_estimator(numbered, optimizer):
    space = {"x": [0.1, 0.2], "z": [3, 4]}
    search = make(AutoSearchCV, space=space, optimizer=optimizer, n_iter=50)
    with pytest.warns(SpaceExhaustedWarning, match="holds 4 configurations"):
        search.fit(*numbered)
    check_untuned(search, BEST, {"x": 0.7, "z": 0})
    assert len({trial.point for trial in search.trials_}) == 5
    assert search.stop_reason_ == "exhausted"


@pytest.mark.parametrize("optimizer", ["bayes", "swarm", "genetic", "random", "grid", "auto"])
def test_optimizer_learns_from_the_other_trials_alone(optimizer):
    made = make_optimizer(optimizer, Space(FAR), seed=0)
    made.configure(budget=8)
    made.enqueue([UNTUNED, {"x": 0.1, "z": 5}])
    first, second = made.ask(2)
    assert (first.point, first.params) == ((), dict(UNTUNED))
    assert second.params == {"x": pytest.approx(0.1), "z": 5}
    assert made.n_outside == 1
    made.tell([first.complete(9.0), second.complete(0.5)])
    for _ in range(5):
        [trial] = made.ask()
        assert trial.point
        made.tell([trial.complete(trial.params["x"])])
    assert made.best.number == 0
    again = make_optimizer(optimizer, Space(FAR), seed=0)
    again.configure(budget=8)
    again.tell(made.trials)
    assert again.ask() == made.ask()
    again.enqueue([UNTUNED])
    assert again.ask()[0].point


def test_surrogate_does_not_learn_from_an_untuned_trial_alone():
    optimizer = make_optimizer("bayes", Space(FAR), seed=0)
    optimizer.tell([UNTUNED.trial(0).complete(1.0)])
    with pytest.raises(ValueError, match="There is no surrogate yet"):
        optimizer.predict({"x": 0.1, "z": 5})
    assert optimizer.ask()[0].number == 1


def test_only_an_untuned_trial_may_lack_a_point():
    optimizer = make_optimizer("random", Space(FAR))
    with pytest.raises(ValueError, match="of another space, with a point of 0 columns"):
        optimizer.tell([Trial(0, (), {"x": 0.7, "z": 0}).complete(1.0)])


def test_untuned_trial_counts_for_the_capacity_of_a_grid():
    optimizer = GridOptimizer(Space(FAR), n_levels=2)
    assert optimizer.capacity == 4
    optimizer.enqueue([UNTUNED])
    assert optimizer.capacity == 5
    optimizer.tell(optimizer.ask())
    assert optimizer.capacity == 5


def test_callable_refit_gets_values_of_the_space_only(numbered):
    search = make(refit=lambda results: int(np.argmin(results["param_z"]))).fit(*numbered)
    assert not any(map(is_untuned, search.trials_))
    assert search.best_params_["z"] == min(search.cv_results_["param_z"])


@pytest.mark.parametrize("allowed", [True, False])
def test_constraint_decides_on_the_untuned_estimator(numbered, allowed):
    space = Space(FAR, constraint=lambda params: params["z"] > 0 or allowed)
    search = make(space=space).fit(*numbered)
    assert any(map(is_untuned, search.trials_)) == allowed


def test_constraint_that_raises_for_own_values_leaves_the_untuned_estimator_in(blobs):
    space = Space({"gamma": (0.1, 1.0, "uniform")}, constraint=lambda params: params["gamma"] < 0.9)
    search = make(estimator=SVC(), space=space, n_iter=3).fit(*blobs)
    assert is_untuned(search.trials_[0])


# --------------------------------------------------------------- journals and studies


def test_journal_with_an_untuned_trial_resumes(search_class, numbered, tmp_path):
    path = tmp_path / "study.jsonl"
    whole = make(search_class).fit(*numbered)
    make(search_class, journal=path, n_iter=5).fit(*numbered)
    resumed = make(search_class, journal=path).fit(*numbered)
    check_untuned(resumed, BEST, {"x": 0.7, "z": 0})
    assert [t.params for t in resumed.trials_] == [t.params for t in whole.trials_]
    loaded = load_trials(path)
    assert is_untuned(loaded[0])
    assert loaded[0].params == {"x": 0.7, "z": 0}


def test_journal_returns_the_own_estimators_of_an_untuned_trial(blobs, tmp_path):
    pipeline = Pipeline([("scale", StandardScaler()), ("clf", LogisticRegression())])
    space = {"clf": [SVC(C=1e-9), SVC(C=1e-8)]}
    options = {"estimator": pipeline, "space": space, "journal": tmp_path / "study.jsonl"}
    make(**options, n_iter=2).fit(*blobs)
    search = make(**options, n_iter=3).fit(*blobs)
    assert type(search.trials_[0].params["clf"]) is LogisticRegression
    assert repr(search.best_estimator_) == repr(pipeline)
    other = clone(pipeline).set_params(clf=LogisticRegression(C=0.5))
    with pytest.raises(JournalMismatchError, match="the untuned estimator has other parameters"):
        make(**(options | {"estimator": other}), n_iter=3).fit(*blobs)


def test_resumed_search_scores_the_present_untuned_estimator(numbered, tmp_path):
    path = tmp_path / "study.jsonl"
    make(estimator=Probe(x=0.9), journal=path, n_iter=3).fit(*numbered)
    search = make(journal=path, n_iter=6).fit(*numbered)
    assert [is_untuned(trial) for trial in search.trials_] == [True, False, False, True] + [
        False
    ] * 2
    assert search.best_index_ == 3
    assert repr(search.best_estimator_) == repr(BEST)


def test_warm_start_scores_the_untuned_estimator_once(numbered):
    search = make(warm_start=True, n_iter=4).fit(*numbered)
    search.fit(*numbered)
    assert len(search.trials_) == 8
    check_untuned(search, BEST, {"x": 0.7, "z": 0})


def test_update_scores_an_untuned_best_again(numbered):
    search = make().fit(*numbered)
    search.update(*numbered)
    assert search.updates_[0]["held"]
    assert search.updates_[0]["best_params"] == {"x": 0.7, "z": 0}
    check_untuned(search, BEST, {"x": 0.7, "z": 0})


def test_previous_study_with_an_untuned_trial_is_learned_from(numbered):
    first = make().fit(*numbered)
    second = make(previous_studies=first, n_iter=6).fit(*numbered)
    [study] = second._studies
    assert len(study) == 11
    check_untuned(second, BEST, {"x": 0.7, "z": 0})


# -------------------------------------------------- resources, racing, final choice


def test_untuned_trial_has_the_full_resource(numbered):
    search = make(resource="n_samples", min_resources=6).fit(*numbered)
    assert search.trials_[0].is_full
    amounts = search.cv_results_["n_resources"]
    assert amounts[0] == amounts.max()
    assert amounts.min() < amounts.max()
    check_untuned(search, BEST, {"x": 0.7, "z": 0})


def test_untuned_trial_races_and_is_a_finalist(numbered):
    search = make(racing=True, final_cv=2).fit(*numbered)
    check_untuned(search, BEST, {"x": 0.7, "z": 0})
    assert np.isfinite(search.cv_results_["mean_final_score"][0])


@pytest.mark.parametrize("complexity", ["x", "gamma", lambda params: params["gamma"] * 2, None])
def test_untuned_trial_has_a_complexity(blobs, complexity):
    space = {"gamma": [0.5, 1.0]} if complexity != "x" else {"C": [0.01, 0.1]}
    complexity = "C" if complexity == "x" else complexity
    search = make(estimator=SVC(), space=space, refit="1se", complexity=complexity, n_iter=3).fit(
        *blobs
    )
    assert is_untuned(search.trials_[0])
    assert search.best_index_ in range(3)


def test_cost_aware_search_with_an_untuned_trial(numbered):
    search = make(max_time=60.0, n_iter=9, asynchronous=True, n_jobs=2)
    with parallel_config(backend="threading"):
        search.fit(*numbered)
    assert search.optimizer_.run_settings.cost_aware
    check_untuned(search, BEST, {"x": 0.7, "z": 0})


def test_tuned_configuration_wins_where_it_is_better(search_class, numbered):
    search = make(search_class, estimator=Probe(x=0.0), space={"x": (0.5, 0.9, "uniform")})
    search.fit(*numbered)
    assert is_untuned(search.trials_[0])
    assert search.best_index_ > 0


def test_failed_untuned_estimator_is_no_obstacle(numbered):
    space = {"outcome": ["ok"], "x": (0.0, 1.0, "uniform")}
    search = make(estimator=Probe(outcome="nan"), space=space, n_iter=9)
    with pytest.warns(match="non-finite"):
        search.fit(*numbered)
    assert [trial.status for trial in search.trials_] == ["failed"] + ["complete"] * 8


def test_failed_untuned_estimator_does_not_end_a_search_that_raises(numbered):
    space = {"outcome": ["ok"], "x": (0.0, 1.0, "uniform")}
    search = make(estimator=Probe(outcome="raise"), space=space, n_iter=4, error_score="raise")
    with pytest.warns(FitFailedWarning), pytest.warns(UserWarning, match="non-finite"):
        search.fit(*numbered)
    assert [trial.status for trial in search.trials_] == ["failed"] + ["complete"] * 3
    search.set_params(param_distributions={"outcome": ["raise"], "x": [0.1]}, n_iter=2)
    with pytest.raises(RuntimeError):
        search.fit(*numbered)


def test_placeholder_of_the_model_is_not_scored(blobs):
    pipeline = Pipeline([("scale", StandardScaler()), ("model", "passthrough")])
    space = {"model": [LogisticRegression(), SVC()]}
    search = make(estimator=pipeline, space=space, n_iter=2, scoring="accuracy").fit(*blobs)
    assert not any(map(is_untuned, search.trials_))


def test_portfolio_and_tune_have_no_untuned_estimator(blobs):
    search = AutoSearchCV("classifier", n_iter=2, cv=2).fit(*blobs)
    assert not any(map(is_untuned, search.trials_))
    assert not any(map(is_untuned, tune(lambda p: p["x"], FAR, n_iter=2).trials_))
    with pytest.raises(ValueError, match="'initial_params' parameter of tune must be"):
        tune(lambda p: p["x"], FAR, initial_params=["default"])


# ------------------------------------------------------------- displays and reports


def test_displays_and_report_show_an_untuned_trial(numbered, tmp_path):
    search = make(journal=tmp_path / "study.jsonl").fit(*numbered)
    space = [{"x": FAR["x"], "z": [3, 4]}, {"z": FAR["z"], "x": [0.1, 0.2]}]
    for fitted in (search, make(space=space).fit(*numbered)):
        curve = ConvergenceDisplay.from_search(fitted)
        assert curve.untuned_score == fitted.trials_[0].score
        for display in (SliceDisplay, ContourDisplay, ParallelCoordinatesDisplay, TimelineDisplay):
            display.from_search(fitted)
        assert len(parameter_importance(fitted).names) >= 2
        fitted.report(tmp_path / "report.html")
        assert "trial 0" in fitted._repr_html_()
    assert np.isnan(SliceDisplay.from_search(search).values[0][0])
    write_report(tmp_path / "study.jsonl", tmp_path / "report.html")
    frame = load_trials(tmp_path / "study.jsonl", as_frame=True)
    assert frame["param_x"][0] == 0.7


def test_untuned_trial_has_no_active_column():
    space = Space(FAR)
    inside = Trial(1, space.to_point({"x": 0.1, "z": 5}), {"x": 0.1, "z": 5})
    points, is_active = points_of([UNTUNED.trial(0), inside], space)
    assert points.shape == is_active.shape == (2, 2)
    assert is_active.tolist() == [[False, False], [True, True]]
    assert np.isfinite(points).all()


@pytest.mark.parametrize(
    ("own", "n_configurations"),
    [
        ({"x": 0.1, "z": 3}, 1),
        ({"x": 0.7, "z": 3}, 2),
        ({"x": 0.1}, 2),  # a parameter that the estimator does not list has no value of its own
        ({"x": None, "z": 3}, 2),
    ],
)
def test_default_configurations_are_the_own_values_then_moved_into_the_space(own, n_configurations):
    found = default_configurations(own, Space(FAR))
    assert len(found) == n_configurations
    assert found[0] == own
    assert isinstance(found[0], UntunedParams) == (n_configurations == 2)
    Space(FAR).to_point(found[-1])


def test_ridge_keeps_its_own_value_of_another_type():
    search = BayesSearchCV(Ridge(), {"alpha": [1, 2], "max_iter": [50, 60]}, n_iter=3, cv=2)
    rng = np.random.default_rng(0)
    search.fit(rng.normal(size=(20, 2)), rng.normal(size=20))
    assert search.trials_[0].params == {"alpha": 1.0, "max_iter": None}
