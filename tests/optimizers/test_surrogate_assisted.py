"""Surrogate of the optimizers: predictions, selection of candidates, unusual histories."""

import inspect
import subprocess
import sys
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from subjects import BRANCHES, MIXED, NUMERIC, concrete, run, score

from sklearn_lepton.optimizers import BayesOptimizer, Trial
from sklearn_lepton.optimizers._surrogate_assisted import SurrogateOptimizer

SURROGATE_KINDS = sorted(concrete(SurrogateOptimizer), key=lambda kind: kind.__name__)
WITH_SURROGATE = [
    kind for kind in SURROGATE_KINDS if "surrogate" in inspect.signature(kind).parameters
]

# ------------------------------------------------------------------------ the model


def told(space=NUMERIC, n_trials=25, kind=BayesOptimizer, **kwargs):
    optimizer = kind(space, seed=0)
    run(optimizer, n_trials, **kwargs)
    return optimizer


def test_predict_in_units_of_the_score():
    for factor, offset in [(1.0, 0.0), (1e6, -3e7), (1e-9, 5.0)]:
        optimizer = told(function=lambda params, f=factor, o=offset: o + f * score(params))
        settings = [{"x": x, "y": y} for x in (0.1, 0.4) for y in (0.2, 0.6)]
        mean, std = optimizer.predict(settings)
        assert mean.shape == std.shape == (4,)
        true = offset + factor * np.array([score(setting) for setting in settings])
        assert_allclose(mean, true, atol=0.15 * factor)
        assert np.all((std > 0) & (std < 0.5 * factor))
        one = optimizer.predict(settings[1])
        assert all(isinstance(number, float) for number in one)
        assert_allclose(one, (mean[1], std[1]))


@pytest.mark.thorough
@pytest.mark.parametrize("kind", SURROGATE_KINDS)
@pytest.mark.parametrize("space", [NUMERIC, MIXED, BRANCHES])
def test_predict_is_more_certain_at_tried_points(kind, space):
    optimizer = told(space, kind=kind)
    trials = optimizer.trials
    mean, std = optimizer.predict([trial.params for trial in trials])
    true = np.array([trial.score for trial in trials])
    assert np.corrcoef(mean, true)[0, 1] > 0.9
    fresh = kind(space, seed=7, n_initial_points=12).ask(12)
    assert std.mean() < optimizer.predict([trial.params for trial in fresh])[1].mean()


def test_predict_depends_on_the_trials_only_and_changes_nothing():
    optimizer, other = told(MIXED), told(MIXED)
    settings = [trial.params for trial in optimizer.trials]
    first = optimizer.predict(settings)
    assert_allclose(optimizer.predict(settings), first, rtol=0)
    assert_allclose(other.predict(settings), first, rtol=0)
    assert optimizer.ask() == other.ask()


def test_predict_rejects_missing_scores_and_illegal_configurations():
    optimizer = BayesOptimizer(NUMERIC, seed=0)
    trials = optimizer.ask(3)
    with pytest.raises(ValueError, match="tell a trial that is complete at full fidelity"):
        optimizer.predict({"x": 0.1, "y": 0.1})
    optimizer.tell([trial.fail() for trial in trials])
    with pytest.raises(ValueError, match="tell a trial that is complete at full fidelity"):
        optimizer.predict([])
    optimizer.tell([trial.complete(1.0) for trial in optimizer.ask(2)])
    assert all(np.isfinite(optimizer.predict({"x": 0.1, "y": 0.1})))
    assert optimizer.predict([])[0].shape == (0,)
    with pytest.raises(ValueError, match="outside"):
        optimizer.predict({"x": 7.0, "y": 0.1})
    with pytest.raises(ValueError, match="No value is given"):
        optimizer.predict({"x": 0.1})


def test_predict_in_a_space_without_parameters():
    optimizer = BayesOptimizer({}, seed=0)
    optimizer.tell([Trial(n, (), {}).complete(float(n)) for n in range(12)])
    mean, std = optimizer.predict({})
    assert 0 <= mean <= 11
    assert std > 0


@pytest.mark.thorough
def test_hyperparameters_are_fitted_less_often_with_many_trials():
    optimizer = BayesOptimizer(NUMERIC, seed=0)
    points = np.random.default_rng(0).random((300, 2))
    optimizer.tell(
        Trial(n, tuple(point), optimizer.space.from_point(point)).complete(-point.sum())
        for n, point in enumerate(points)
    )
    run(optimizer, 312)
    fitted = [t.number for t in optimizer.trials[300:] if "theta" in t.proposal]
    assert fitted[0] == 300
    assert set(np.diff(fitted)) == {4}  # 3 more are less than a hundredth of 303
    few = told(n_trials=30)
    assert all("theta" in t.proposal for t in few.trials[few.n_initial_points :])
    # The whole batch uses the hyperparameters that the first proposal has fitted.
    batch = few.ask(4)
    assert ["theta" in t.proposal for t in batch] == [True, False, False, False]


def test_predicted_std_includes_the_noise():
    rng = np.random.default_rng(0)
    quiet = told(n_trials=40)
    noisy = told(n_trials=40, function=lambda params: score(params) + 0.3 * rng.normal())
    near = {"x": 0.05, "y": 0.05}
    assert quiet.predict(near)[1] < 0.1
    assert 0.15 < noisy.predict(near)[1] < 0.6


# ----------------------------------------------------- selection of candidates


@pytest.mark.parametrize("kind", WITH_SURROGATE)
def test_select_returns_the_most_promising_new_candidate(kind):
    optimizer = told({"x": (0.0, 1.0, "uniform"), "n": (1, 6, "int")}, kind=kind)
    space, rng = optimizer.space, np.random.default_rng(0)
    candidates = np.vstack([rng.random((40, 2)), [trial.point for trial in optimizer.trials]])
    observed = optimizer._observations()
    row, meta = optimizer._select(candidates, *observed, np.random.default_rng(1))
    model, same_meta = optimizer._fit(*observed, np.random.default_rng(1))
    gain = model.log_improvement(space.snap(candidates), float(model.process.fitted.max()))
    assert row == np.argmax(gain[:40])  # those that were tried are passed over
    assert meta == same_meta
    assert len(meta["theta"]) == 4


@pytest.mark.parametrize("kind", WITH_SURROGATE)
def test_select_returns_any_candidate_if_all_are_taken(kind):
    optimizer = told(kind=kind)
    taken = np.array([trial.point for trial in optimizer.trials])
    observed = optimizer._observations()
    assert optimizer._select(taken, *observed, np.random.default_rng(0)) == (0, {})


@pytest.mark.parametrize("kind", WITH_SURROGATE)
@pytest.mark.parametrize("space", [NUMERIC, MIXED, BRANCHES])
def test_no_surrogate_is_fitted_without_surrogate(kind, space, monkeypatch):
    with_model = told(space, kind=kind).trials
    assert any("theta" in trial.proposal for trial in with_model)
    monkeypatch.setattr(SurrogateOptimizer, "_fit", None)
    optimizer = kind(space, seed=0, surrogate=False)
    assert not any("theta" in trial.proposal for trial in run(optimizer, 25))


@pytest.mark.parametrize("kind", WITH_SURROGATE)
def test_pending_trials_spread_a_batch(kind):
    """Each proposal takes the pending ones to score as predicted."""
    optimizer = told(kind=kind, n_trials=20)
    batch = np.array([trial.point for trial in optimizer.ask(6)])
    gaps = np.abs(batch[:, np.newaxis] - batch).max(axis=2)
    assert gaps[~np.eye(6, dtype=bool)].min() > 1e-4


# ------------------------------------------------------- whatever it may be told

SPACES = [
    {"x": (0.0, 1.0, "uniform")},
    {"n": (1, 6, "int"), "kind": list("ab")},
    {f"x{k}": (1e-5, 1e5, "log-uniform") for k in range(7)},
    MIXED,
    BRANCHES,
]


def draw_scores(rng, n):
    """Draw scores that are difficult to model; NaN and infinities are failures."""
    kind = rng.integers(8)
    scores = rng.normal(size=n)
    if kind == 0:
        scores = np.round(scores)
    elif kind == 1:
        scores[:] = rng.choice([0.0, 1.0, -1e30, 1e-30, np.nan])
    elif kind == 2:
        scores *= 10.0 ** rng.choice([-300, -30, 30, 300])
    elif kind == 3:
        scores *= 10.0 ** rng.uniform(-30, 30, size=n)
    elif kind == 4:
        scores[rng.random(n) < 0.5] = rng.choice([np.nan, np.inf, -np.inf, 1e30, -1e30])
    elif kind == 5:
        scores = np.where(rng.random(n) < 0.9, 0.5, scores)
    elif kind == 6:
        scores = 1.0 + 1e-16 * scores
    return scores


def draw_units(rng, n, d):
    """Draw points that make a covariance singular."""
    kind = rng.integers(6)
    units = rng.random((n, d))
    if kind == 0:
        units[:] = rng.random(d)
    elif kind == 1:
        units[:] = np.linspace(0, 1, n)[:, None] if n else 0.0
    elif kind == 2:
        units = np.round(units)
    elif kind == 3:
        units = 0.5 + 1e-9 * units
    elif kind == 4:
        units[:, rng.integers(d) :] = 0.5
    return units


def tell_and_ask(seed):
    rng = np.random.default_rng(seed)
    kind, space = SURROGATE_KINDS[seed % len(SURROGATE_KINDS)], SPACES[rng.integers(len(SPACES))]
    optimizer = kind(space, seed=seed)
    space, n = optimizer.space, int(rng.integers(0, 36))
    points = space.snap(draw_units(rng, n, space.n_dims))
    trials = [
        Trial(number, tuple(point.tolist()), space.from_point(point))
        for number, point in enumerate(points)
    ]
    scores = draw_scores(rng, n)
    n_pending = int(rng.integers(0, 3))
    optimizer.tell(trials)
    optimizer.tell([t.complete(s) for t, s in zip(trials, scores, strict=True)][n_pending:])
    seen = {trial.point for trial in trials}
    for trial in optimizer.ask(2):
        assert trial.point not in seen
        assert np.all((np.array(trial.point) >= 0) & (np.array(trial.point) <= 1))
        assert space.to_point(trial.params) == pytest.approx(trial.point)
    if optimizer.best is not None:
        assert np.all(np.isfinite(optimizer.predict(optimizer.best.params)))


@pytest.mark.thorough
def test_unusual_histories_raise_and_warn_nothing():
    for seed in range(300):
        tell_and_ask(seed)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_thousand_unusual_histories_raise_and_warn_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for seed in range(1000, 11_000):
            tell_and_ask(seed)


# ------------------------------------------------------------------------ its size

LARGE = """
import resource, time
import numpy as np
from sklearn_lepton.optimizers import {kind}, Trial
optimizer = {kind}({f"x{k}": (0.0, 1.0, "uniform") for k in range(20)}, seed=0)
points = np.random.default_rng(0).random((5000, 20))
optimizer.tell(
    [
        Trial(n, tuple(point), optimizer.space.from_point(point)).complete(-np.sum(point**2))
        for n, point in enumerate(points)
    ]
)
slowest = 0.0
for _ in range(5):
    start = time.process_time()
    optimizer.tell([trial.complete(0.0) for trial in optimizer.ask()])
    slowest = max(slowest, time.process_time() - start)
print(slowest, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", SURROGATE_KINDS)
def test_five_thousand_trials_stay_within_memory_and_time(kind):
    script = LARGE.replace("{kind}", kind.__name__)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    seconds, megabytes = map(float, done.stdout.split())
    assert seconds < 1.0
    assert megabytes < 500
