"""Transfer from source studies: reading, first trials, benefit and cost."""

import inspect
import json
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from subjects import BRANCHES, MIXED, NUMERIC, OPTIMIZERS, concrete, run

from sklearn_lepton._surrogate.gaussian_process import GaussianProcess
from sklearn_lepton._surrogate.multi_task import (
    MultiTaskPosterior,
    MultiTaskProcess,
    append_task_columns,
    fit_multi_task,
)
from sklearn_lepton._surrogate.target_scaling import Scaling
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.optimizers import BayesOptimizer, RandomOptimizer
from sklearn_lepton.optimizers._surrogate_assisted import SurrogateOptimizer
from sklearn_lepton.optimizers._transfer import best_of, read_previous_studies
from sklearn_lepton.space import Space

SURROGATE_KINDS = sorted(concrete(SurrogateOptimizer), key=lambda kind: kind.__name__)
CUBE = {f"x{k}": (0.0, 1.0, "uniform") for k in range(3)}


def study(settings, scores=None):
    """Return trials of another space, whose points are invalid."""
    scores = range(len(settings)) if scores is None else scores
    return [
        Trial(n, (), s).complete(v) for n, (s, v) in enumerate(zip(settings, scores, strict=True))
    ]


def bowl(params, centre=0.3):
    x = np.array(list(params.values()))
    return -float(np.sum((x - centre) ** 2 * np.arange(1, len(x) + 1)))


def old_bowl(n_trials=40, space=CUBE):
    return run(BayesOptimizer(space, seed=9), n_trials, bowl)


def new_bowl(params):
    return 1000.0 * bowl(params, 0.33) + 5e4


def summary(trials):
    return [(t.number, t.point, repr(t.params), dict(t.proposal), t.status) for t in trials]


def model_of(optimizer):
    return optimizer._fit(*optimizer._observations(), np.random.default_rng(0))[0].process


def until(optimizer, function, target, n_most=25):
    """Return the number of evaluations until a target is reached."""
    for number in range(1, n_most + 1):
        [trial] = run(optimizer, number, function)[-1:]
        if trial.score >= target:
            return number
    return n_most + 1


# ------------------------------------------------------------------------- mapping


def test_previous_studies_drop_unknown_and_fill_missing_parameters():
    space = Space({"x": (0.0, 1.0, "uniform"), "n": (1, 9, "int")})
    [(points, scores)] = read_previous_studies(
        [study([{"x": 0.25, "gone": "a"}, {"n": 2, "x": 1.0}])], space
    )
    assert_allclose(points, [[0.25, 0.5], [1.0, 1.5 / 9]])
    assert_array_equal(scores, [0.0, 1.0])


def test_previous_studies_leave_out_unfit_trials():
    settings = [{"x": 0.5}, {"x": 7.0}, {"other": 1}, {"x": "a"}, {"x": 0.75}]
    trials = study(settings)
    trials += [replace(trials[0], status="failed", score=None), Trial(9, (), {"x": 0.1})]
    studies = read_previous_studies(
        [trials[1:4], trials, [], trials[-1:]], Space({"x": (0.0, 1.0, "uniform")})
    )
    [(points, scores)] = studies
    assert_allclose(points, [[0.5], [0.75]])
    assert_array_equal(scores, [0.0, 4.0])


def test_previous_studies_in_conditional_spaces():
    space = Space([*BRANCHES, {}])
    settings = [
        {"kind": "svm", "C": 1.0, "kernel": "p"},
        {"kind": "svm", "C": 10.0},
        {"kind": "tree", "depth": 4, "C": 1.0, "gone": 1},  # C is of the other branch
        {"kind": "forest", "depth": 4},
        {"share": 0.2},
    ]
    [(points, scores)] = read_previous_studies([study(settings)], space)
    assert_array_equal(scores, [0, 1, 2, 4])
    known = [space.from_point(point) for point in points]
    assert known[0] == pytest.approx(settings[0])
    assert known[1]["kind"] == "svm"
    assert (known[2]["kind"], known[2]["depth"]) == ("tree", 4)
    assert known[3]["share"] == pytest.approx(0.2)
    assert all(tuple(space.snap([p])[0]) == tuple(p) for p in points)


@pytest.mark.parametrize("given", [5, {"a": 1}, [5], [[5]], [[{"x": 1}]]])
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_previous_studies_rejects_bad_values(kind, given):
    with pytest.raises(ValueError, match=r"previous_studies(\[0\])? must be the path.* got"):
        kind(NUMERIC, previous_studies=given)


@pytest.mark.parametrize("given", ["study.jsonl", ["study.jsonl"]])
def test_an_optimizer_reads_no_journals(given):
    with pytest.raises(ValueError, match=r"of the path of a journal give load_trials\(path\)"):
        BayesOptimizer(NUMERIC, previous_studies=given)


def test_an_optimizer_takes_a_single_study_and_those_of_other_kinds():
    trials = study([{"x": 0.5, "y": 0.5}, {"x": 0.8, "y": 0.2}])
    frame = pd.DataFrame([trial.params for trial in trials]).assign(score=[0.0, 1.0])
    expected = BayesOptimizer(NUMERIC, previous_studies=[trials]).ask()
    for given in (trials, tuple(trials), frame, [frame]):
        assert BayesOptimizer(NUMERIC, previous_studies=given).ask() == expected


# --------------------------------------------------------------------------- queue


def test_best_of_each_study_comes_first_latest_study_before_others():
    one = study([{"x": 0.1, "y": 0.1}, {"x": 0.5, "y": 0.5}, {"x": 0.9, "y": 0.9}])
    other = study([{"x": 0.2, "y": 0.8}, {"x": 0.51, "y": 0.5}])
    studies = read_previous_studies([other, one], Space(NUMERIC))
    assert list(best_of(studies, Space(NUMERIC))) == [(0.9, 0.9), (0.51, 0.5)]
    assert list(best_of(studies[1:], Space(NUMERIC))) == [(0.9, 0.9)]


def test_best_of_studies_are_diverse():
    one = study([{"x": 0.1, "y": 0.1}, {"x": 0.9, "y": 0.9}])
    other = study([{"x": 0.2, "y": 0.8}, {"x": 0.91, "y": 0.9}])
    studies = read_previous_studies([other, one, one], Space(NUMERIC))
    assert next(best_of(studies, Space(NUMERIC))) == (0.9, 0.9)
    assert (0.91, 0.9) not in list(best_of(studies, Space(NUMERIC)))


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_enqueued_configurations_come_before_the_best_of_studies(kind):
    older = study([{"x": 0.2, "y": 0.2}, {"x": 0.8, "y": 0.8}])
    optimizer = kind(NUMERIC, previous_studies=[older])
    optimizer.enqueue([{"x": 0.4, "y": 0.6}])
    first, second = optimizer.ask(2)
    assert first.params == {"x": 0.4, "y": 0.6}
    assert second.params == {"x": 0.8, "y": 0.8}
    assert [trial.number for trial in optimizer.trials] == [0, 1]
    assert optimizer.best is None


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_finite_space_with_previous_studies_is_exhausted(kind):
    space = {"a": [1, 2, 3], "b": list("xy")}
    optimizer = kind(space, previous_studies=[study([{"a": 2, "b": "x"}, {"a": 3, "b": "y"}])])
    for _ in range(6):
        [trial] = optimizer.ask()
        optimizer.tell([trial.complete(1.0)])
    assert optimizer.ask() == []
    assert optimizer.is_exhausted


# ----------------------------------------------------------------- tell is enough


@pytest.mark.thorough
@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("space", [NUMERIC, MIXED, BRANCHES])
def test_tell_is_enough_with_previous_studies(kind, space):
    def function(params):
        return sum(v for v in params.values() if isinstance(v, float | int)) / 3

    older = [run(BayesOptimizer(space, seed=s), 12, function) for s in (1, 2)]
    live = kind(space, seed=3, previous_studies=older)
    trials = run(live, 12, function)
    for n_told in range(12):
        fresh = kind(space, seed=3, previous_studies=older)
        fresh.tell(trials[:n_told][::-1])
        assert summary(fresh.ask()) == [(*summary(trials)[n_told][:4], "pending")]
    twin = pickle.loads(pickle.dumps(live))
    assert summary(twin.ask(3)) == summary(live.ask(3))
    assert twin.trials == live.trials


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_empty_previous_studies_change_nothing(kind):
    space = {"x": (0.0, 1.0, "uniform"), "y": (0.0, 1.0, "uniform")}
    plain = summary(run(kind(space, seed=1), 14))
    for previous_studies in [(), [], [[]], [study([{"other": 1}])]]:
        assert summary(run(kind(space, seed=1, previous_studies=previous_studies), 14)) == plain


@pytest.mark.parametrize("kind", SURROGATE_KINDS)
def test_previous_studies_with_batches_and_failures(kind):
    older = old_bowl(15)
    optimizer = kind(CUBE, seed=0, previous_studies=[older])
    batch = optimizer.ask(6)
    assert len({trial.point for trial in batch}) == 6
    optimizer.tell([trial.fail() for trial in batch])
    assert len({trial.point for trial in batch + optimizer.ask(3)}) == 9
    assert json.loads(json.dumps(optimizer.trials[-1].proposal)) == optimizer.trials[-1].proposal


@pytest.mark.parametrize("kind", SURROGATE_KINDS)
def test_previous_studies_with_unusual_scores(kind):
    rng = np.random.default_rng(0)
    settings = [dict(zip(CUBE, x, strict=True)) for x in rng.random((9, 3)).tolist()]
    for old in (np.zeros(9), 1e300 * np.arange(9), 1e-300 * np.arange(9), [0.0] * 8 + [-1e30]):
        for new in (lambda p: 0.5, lambda p: 1e300 * bowl(p), lambda p: 1e-300 * bowl(p)):
            optimizer = kind(
                CUBE, previous_studies=[study(settings, old), study(settings[:1], old[:1])]
            )
            with np.errstate(all="raise", under="ignore"):
                run(optimizer, 6, new)
            assert len({trial.point for trial in optimizer.trials}) == 6
            assert np.all(np.isfinite(optimizer.predict(optimizer.trials[0].params)))


# ---------------------------------------------------------------- what it is worth


@pytest.mark.thorough
@pytest.mark.parametrize("kind", SURROGATE_KINDS)
def test_related_study_of_another_magnitude_saves_trials(kind):
    target = new_bowl({"x0": 0.4, "x1": 0.37, "x2": 0.31})
    cold = [until(kind(CUBE, seed=s), new_bowl, target) for s in range(3)]
    warm = [
        until(kind(CUBE, seed=s, previous_studies=[old_bowl()]), new_bowl, target) for s in range(3)
    ]
    assert np.median(warm) <= 4
    assert np.median(cold) >= 7


@pytest.mark.thorough
def test_misleading_study_is_dropped_and_costs_little():
    older = [trial.complete(-trial.score) for trial in old_bowl()]
    target = new_bowl({"x0": 0.4, "x1": 0.37, "x2": 0.36})
    cold, misled = (
        [
            until(BayesOptimizer(CUBE, seed=s, previous_studies=p), new_bowl, target)
            for s in range(5)
        ]
        for p in ((), [older])
    )
    assert np.median(misled) <= np.median(cold) + 5
    optimizer = BayesOptimizer(CUBE, seed=0, previous_studies=[older])
    run(optimizer, 12, new_bowl)
    points, scores = optimizer._observations()
    process = fit_multi_task(
        points, scores, optimizer._sources.studies, categorical=np.zeros(3, dtype=bool)
    )
    assert process.task_correlation[0] < 0.5
    assert not isinstance(model_of(optimizer), MultiTaskProcess)
    related = BayesOptimizer(CUBE, seed=0, previous_studies=[old_bowl()])
    run(related, 6, new_bowl)
    assert model_of(related).task_correlation[0] > 0.6


def test_given_design_runs_with_previous_studies():
    optimizer = BayesOptimizer(CUBE, n_initial_points=9, previous_studies=[old_bowl(15)])
    assert not any("theta" in trial.proposal for trial in run(optimizer, 9, new_bowl))
    auto = BayesOptimizer(CUBE, previous_studies=[old_bowl(15)])
    assert "theta" in run(auto, 3, new_bowl)[2].proposal


@pytest.mark.parametrize("kind", SURROGATE_KINDS)
def test_no_surrogate_is_fitted_to_previous_studies_without_surrogate(kind, monkeypatch):
    if "surrogate" not in inspect.signature(kind).parameters:
        pytest.skip("always has a model")
    older = old_bowl(15)
    monkeypatch.setattr(SurrogateOptimizer, "_fit", None)
    run(kind(CUBE, surrogate=False, previous_studies=[older]), 12, bowl)


def test_predict_with_previous_studies_in_units_of_the_score():
    older = run(RandomOptimizer(CUBE, seed=9), 40, bowl)
    optimizer = BayesOptimizer(CUBE, seed=0, previous_studies=[older])
    run(optimizer, 10, new_bowl)
    settings = [dict(zip(CUBE, x, strict=True)) for x in np.random.default_rng(1).random((30, 3))]
    true = np.array([new_bowl(setting) for setting in settings])
    mean, std = optimizer.predict(settings)
    assert np.corrcoef(mean, true)[0, 1] > 0.95
    assert np.abs(mean - true).mean() < 0.5 * true.std()
    assert np.all((std > 0) & (std < 3 * true.std()))


# ----------------------------------------------------------------------- the process


def related(n=6, d=3, n_categorical=0, n_studies=2):
    rng = np.random.default_rng(0)
    categorical = np.arange(d) < n_categorical
    X = rng.random((n + 20 * n_studies, d))
    X[:, categorical] = (rng.integers(3, size=(len(X), n_categorical)) + 0.5) / 3
    y = np.sin(4 * X).sum(axis=1)
    studies = [(X[n + 20 * k :][:20], 3 * y[n + 20 * k :][:20] + k) for k in range(n_studies)]
    return fit_multi_task(X[:n], 100 * y[:n] - 7, studies, categorical=categorical), X[:n]


@pytest.mark.parametrize("n_categorical", [0, 1])
def test_gradients_of_the_multi_task_process(n_categorical):
    gp, X = related(n_categorical=n_categorical)
    assert isinstance(gp, MultiTaskProcess)
    Xs = np.vstack([X[:2] + 0.01, np.random.default_rng(3).random((4, 3))])
    Xs[:, :n_categorical] = X[:1, :n_categorical]
    mean, std, dmean, dstd = gp.predict_with_gradient(Xs)
    assert dmean.shape == dstd.shape == Xs.shape
    h = 1e-6
    for j in range(n_categorical, 3):
        step = h * (np.arange(3) == j)
        up, down = gp.predict(Xs + step), gp.predict(Xs - step)
        assert_allclose(dmean[:, j], (up[0] - down[0]) / (2 * h), rtol=1e-4, atol=1e-5)
        assert_allclose(dstd[:, j], (up[1] - down[1]) / (2 * h), rtol=1e-4, atol=1e-5)
    assert_allclose([mean, std], gp.predict(Xs))


def test_observed_and_pending_points_are_of_the_current_task():
    gp, X = related()
    assert_array_equal(gp.observed[0], X)
    assert_allclose(gp.fitted, gp.predict(X)[0], atol=1e-8)
    assert gp.task_correlation.shape == (2,)
    point = np.full(3, 0.9)
    pending = gp.condition(point)
    assert len(pending.fitted) == 7
    assert pending.predict(point[None])[1] < gp.predict(point[None])[1]
    assert_allclose(pending.predict(X)[0], gp.predict(X)[0], atol=1e-10)


def test_gradient_of_the_log_posterior():
    rng = np.random.default_rng(0)
    X = np.vstack(
        [
            append_task_columns(rng.random((12, 2)), 3, 0),
            append_task_columns(rng.random((9, 2)), 3, 1),
        ]
    )
    X = np.vstack([X, append_task_columns(rng.random((5, 2)), 3)])
    scaling = Scaling.of(rng.normal(size=21), rng.normal(size=5), 0.7)
    posterior = MultiTaskPosterior.of_tasks(X, np.zeros(5, dtype=bool), scaling, 3)
    theta = posterior.prior.mean + 0.3 * rng.normal(size=7)
    _, gradient = posterior(theta)
    h = 1e-5
    for j in range(7):
        step = h * (np.arange(7) == j)
        slope = (posterior(theta + step)[0] - posterior(theta - step)[0]) / (2 * h)
        assert_allclose(gradient[j], slope, rtol=0.01, atol=0.01)


@pytest.mark.parametrize("factor", [1e-3, 1.0, 1e3])
def test_multi_task_fit_finds_offset_and_scale(factor):
    rng = np.random.default_rng(2)
    X, older = rng.random((8, 2)), rng.random((40, 2))

    def function(x):
        return np.sin(5 * x[:, 0]) + x[:, 1]

    gp = fit_multi_task(
        X,
        factor * function(X) + 77,
        [(older, function(older))],
        categorical=np.zeros(2, dtype=bool),
    )
    true = function(older)
    assert gp.y_scale == pytest.approx(factor * true.std(), rel=0.25)
    mean, _ = gp.predict(older)
    assert_allclose(gp.y_mean + gp.y_scale * mean, factor * true + 77, atol=0.2 * factor)


def test_multi_task_fit_to_one_score_sets_the_level_only():
    X = np.random.default_rng(0).random((30, 2))
    gp = fit_multi_task(
        X[:1], np.array([1234.0]), [(X, X.sum(axis=1))], categorical=np.zeros(2, dtype=bool)
    )
    assert gp.y_scale == pytest.approx(X.sum(axis=1).std())
    mean, _ = gp.predict(X[:1])
    assert gp.y_mean + gp.y_scale * mean[0] == pytest.approx(1234.0, abs=0.1)
    assert isinstance(gp, GaussianProcess)


def test_multi_task_fit_bounds_studies_and_observations():
    rng = np.random.default_rng(0)
    studies = [(X := rng.random((90, 2)), X.sum(axis=1) + k) for k in range(9)]
    gp = fit_multi_task(
        rng.random((3, 2)), np.arange(3.0), studies, categorical=np.zeros(2, dtype=bool)
    )
    assert gp.task_correlation.shape == (5,)
    assert gp.n_source == 150


def test_source_studies_are_dropped_among_many_trials():
    optimizer = BayesOptimizer(
        NUMERIC, seed=0, previous_studies=[study([{"x": 0.2, "y": 0.2}] * 70)]
    )
    points = np.random.default_rng(0).random((420, 2))
    optimizer.tell(
        Trial(n, tuple(point), optimizer.space.from_point(point)).complete(-point.sum())
        for n, point in enumerate(points)
    )
    optimizer.ask(2)  # the one that was best, then the model's
    assert not isinstance(model_of(optimizer), MultiTaskProcess)
    assert optimizer.ask()[0].number == 422
