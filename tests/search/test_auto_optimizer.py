"""`AutoSearchCV`: the facts that its choice uses, and the description of the choice."""

from functools import partial

import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sklearn_lepton import AutoSearchCV, load_trials
from sklearn_lepton.optimizers import SwarmOptimizer
from sklearn_lepton.optimizers._auto import ALGORITHMS
from sklearn_lepton.optimizers._registry import OPTIMIZERS

SPACE = {"x": (0.0, 1.0, "uniform"), "z": (0, 9, "int")}


def make(probe, space=SPACE, **settings):
    return AutoSearchCV(probe, space, **({"n_iter": 12, "cv": 2, "random_state": 0} | settings))


def test_choice_is_described_in_sentences(probe, numbered, tmp_path):
    path = tmp_path / "study.jsonl"
    search = make(probe, journal=path).fit(*numbered)
    [(first, last, choice)] = search.optimizer_.choices
    assert (first, last) == (5, 11)
    assert search.choice_ == f"Trials 5 to 11 were proposed by {choice}: {choice.reason}."
    # A journal has it, too.
    trials = load_trials(path)
    assert [t.proposal.get("optimizer") for t in trials[5:]] == [choice.optimizer] * 7


def test_choice_needs_a_fit(probe):
    search = make(probe)
    with pytest.raises(NotFittedError):
        _ = search.choice_
    assert not hasattr(search, "optimizer_")


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "auto"])
def test_named_optimizer_proposes_all_trials(name, probe, numbered):
    search = make(probe, optimizer=name, n_iter=6).fit(*numbered)
    assert type(search.optimizer_) is OPTIMIZERS[name]
    assert search.choice_ == (
        f"The trials were proposed by {ALGORITHMS[name]}, as optimizer={name!r} asks."
    )


def test_callable_makes_the_optimizer(probe, numbered):
    swarm = partial(SwarmOptimizer, inertia=0.6)
    search = make(probe, optimizer=swarm, n_initial_points=4, n_iter=6)
    assert clone(search).optimizer.keywords == {"inertia": 0.6}
    search.fit(*numbered)
    assert isinstance(search.optimizer_, SwarmOptimizer)
    assert (search.optimizer_.inertia, search.optimizer_.n_initial_points) == (0.6, 4)
    assert search.choice_ == ("The trials were proposed by SwarmOptimizer, which optimizer made.")


def test_callable_without_optimizer_is_refused(probe, numbered, log):
    with pytest.raises(ValueError, match="optimizer must make an Optimizer, got {}"):
        make(probe, optimizer=lambda *_, **__: {}).fit(*numbered)
    assert not log.fits


@pytest.mark.parametrize("name", ["random", "grid"])
def test_initial_design_without_learning_is_refused(name, probe, numbered, log):
    with pytest.raises(ValueError, match="n_initial_points=3 needs an optimizer that learns"):
        make(probe, optimizer=name, n_initial_points=3).fit(*numbered)
    assert not log.fits


def test_unknown_optimizer_is_refused(probe, numbered, log):
    for name in (None, 3, ["bayes"]):
        with pytest.raises(
            ValueError, match="optimizer' parameter of .* must be one of .*'bayes'.* Got"
        ):
            make(probe, optimizer=name).fit(*numbered)
    with pytest.raises(ValueError, match="Unknown optimizer 'baies'. Did you mean 'bayes'"):
        make(probe, optimizer="baies").fit(*numbered)
    assert not log.fits


@pytest.mark.parametrize(
    ("settings", "n_points"),
    [({}, 1), ({"n_points": 5}, 5), ({"n_points": 5, "asynchronous": True}, 5)],
)
def test_optimizer_gets_the_number_of_pending_trials(settings, n_points, probe, numbered):
    search = make(probe, **settings).fit(*numbered)
    assert search.optimizer_.run_settings.n_points == n_points
    assert search.optimizer_.run_settings.budget == 12


def test_small_space_is_searched_as_a_grid(probe, numbered):
    search = make(probe, {"z": [0, 1, 2], "x": [0.1, 0.7]}, n_iter=6).fit(*numbered)
    assert search.best_params_ == {"z": 0, "x": 0.7}
    assert "all 6 configurations" in search.choice_
    assert "by the grid" in search.choice_


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("settings", "is_known"),
    [({"max_time": 300}, True), ({"max_time": 300, "cost_aware": False}, False), ({}, False)],
)
def test_time_limit_counts_only_if_cost_aware(settings, is_known, probe, numbered):
    search = make(probe, n_iter=3, **settings).fit(*numbered)
    assert (search.optimizer_.run_settings.max_seconds is not None) is is_known
