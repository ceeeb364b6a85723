"""Reproducibility: equal seeds give equal searches on each backend; global state is unchanged."""

import copy
import os
import random
import warnings
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
from scipy.stats import loguniform, randint
from sklearn.base import clone
from sklearn.tree import DecisionTreeClassifier

TREE = DecisionTreeClassifier(random_state=0)
SPACE = {
    "max_depth": randint(1, 9),
    "ccp_alpha": loguniform(1e-5, 1e-1),
    "criterion": ["gini", "entropy", "log_loss"],
}


def outline(search):
    return [(t.number, t.point, t.params, t.split_scores) for t in search.trials_]


def make(search_class, **arguments):
    arguments = {"n_iter": 9, "cv": 2, "random_state": 7, **arguments}
    return search_class(TREE, SPACE, **arguments)


@pytest.mark.thorough
@pytest.mark.parametrize("n_points", ["auto", 1, 4])
def test_repeated_runs_are_the_same(search_class, blobs, n_points):
    search = make(search_class, n_points=n_points)
    first = outline(search.fit(*blobs))
    assert outline(search.fit(*blobs)) == first
    assert outline(clone(search).fit(*blobs)) == first
    assert outline(make(search_class, n_points=n_points, random_state=8).fit(*blobs)) != first


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("backend", "n_points"),
    [
        ("sequential", 2),
        ("threading", 4),
        ("threading", 2),
        ("multiprocessing", 2),
        ("loky", 2),
    ],
)
def test_every_backend_gives_the_same_trials(search_class, blobs, backend, n_points):
    alone = make(search_class, n_points=n_points).fit(*blobs)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        together = make(search_class, n_points=n_points).fit(*blobs)
    assert outline(together) == outline(alone)
    assert together.best_params_ == alone.best_params_
    assert together.stop_reason_ == "n_iter"


def test_n_jobs_of_the_search_gives_the_same_trials(search_class, blobs):
    alone = make(search_class, n_points=2, n_jobs=1).fit(*blobs)
    with joblib.parallel_config(backend="threading"):
        for n_jobs in (2, 3, -1):
            together = make(search_class, n_points=2, n_jobs=n_jobs).fit(*blobs)
            assert outline(together) == outline(alone)


def test_random_state_as_an_integer_an_instance_or_none(search_class, blobs):
    def fit(random_state):
        return outline(make(search_class, random_state=random_state, n_iter=6).fit(*blobs))

    assert fit(np.int64(7)) == fit(7)
    assert fit(np.random.RandomState(0)) == fit(np.random.RandomState(0))
    state = np.random.RandomState(0)
    assert fit(state) != fit(state)
    assert fit(None) != fit(None)


def test_generator_of_the_caller_advances_equally(search_class, blobs):
    states = []
    for n_iter in (2, 9):
        state = np.random.RandomState(0)
        make(search_class, random_state=state, n_iter=n_iter).fit(*blobs)
        states.append(state.randint(2**31))
    assert states[0] == states[1]


def global_state():
    name, keys, *rest = np.random.get_state()
    return (
        (name, keys.tolist(), rest),
        random.getstate(),
        list(warnings.filters),
        np.geterr(),
        np.get_printoptions(),
        dict(os.environ),
    )


@pytest.mark.parametrize("random_state", [None, 0])
def test_global_state_is_unchanged(search_class, blobs, random_state):
    before = copy.deepcopy(global_state())
    make(search_class, random_state=random_state).fit(*blobs)
    assert global_state() == before


def test_global_seed_changes_nothing(search_class, blobs):
    outlines = []
    for seed in (0, 1):
        state = np.random.get_state()
        np.random.seed(seed)
        outlines.append(outline(make(search_class, n_iter=7).fit(*blobs)))
        np.random.set_state(state)
    assert outlines[0] == outlines[1]


# scikit-learn resets the process-wide warnings filters around each fit, which threads then see.
@pytest.mark.filterwarnings("ignore")
def test_concurrent_searches_in_threads_give_the_same_trials(search_class, blobs):
    seeds = [1, 2]
    alone = [outline(make(search_class, random_state=seed).fit(*blobs)) for seed in seeds]
    with ThreadPoolExecutor(2) as pool:
        together = pool.map(lambda seed: make(search_class, random_state=seed).fit(*blobs), seeds)
        assert [outline(search) for search in together] == alone
