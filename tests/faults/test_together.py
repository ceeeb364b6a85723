"""Concurrent searches, other backends and threads.

===========================================  ==========================================
situation                                    what holds
===========================================  ==========================================
any backend                                  the same trials and out-of-fold predictions
asynchronous                                 the same results, and columns, in any order
two simultaneous searches                    both are right
fits that are themselves parallel            they see what they see under GridSearchCV
one search after another                     no semaphores pile up
===========================================  ==========================================
"""

import ast
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import sabotage
import sklearn
from sabotage import make_search
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import cross_val_predict, cross_val_score

from sklearn_lepton import BayesSearchCV, GeneticSearchCV, SwarmSearchCV

pytestmark = pytest.mark.faults


def trials_of(search):
    return [(trial.number, trial.params, trial.split_scores) for trial in search.trials_]


@pytest.fixture(scope="module")
def expected(data):
    """The trials of a search that runs in this thread alone."""
    search = BayesSearchCV(
        LogisticRegression(), {"C": (1e-3, 1e3, "log-uniform")}, n_iter=8, n_points=2, cv=2
    )
    return search.set_params(random_state=0), trials_of(search.fit(*data))


@pytest.mark.parametrize(
    "cluster", ["loky", "threading", "multiprocessing", "dask", "ray"], indirect=True
)
def test_trials_equal_those_of_one_thread(fit, expected):
    search, trials = expected
    assert trials_of(fit(sklearn.clone(search).set_params(n_jobs=2))) == trials


@pytest.mark.parametrize(
    "cluster", ["loky", "threading", "multiprocessing", "dask", "ray"], indirect=True
)
def test_predictions_and_estimators_return_from_any_backend(fit, data):
    X, y = data
    search = BayesSearchCV(
        LogisticRegression(), {"C": (1e-3, 1e3, "log-uniform")}, n_iter=4, cv=2, n_jobs=2
    )
    search.set_params(return_predictions=True, return_estimators=True, refit="1se", random_state=0)
    fit(search)
    best = LogisticRegression(**search.best_params_)
    expected = cross_val_predict(best, X, y, cv=2, method="predict_proba")
    assert search.best_predictions_.tolist() == expected.tolist()
    assert [type(estimator) for estimator in search.best_split_estimators_] == 2 * [type(best)]


@pytest.mark.parametrize("n_threads", [2])
def test_two_concurrent_searches_are_correct(tmp_path, data, n_threads):
    def search(number):
        folder = tmp_path / str(number)
        folder.mkdir()
        found = make_search("ok", folder, 8, guilty=(), random_state=number).fit(*data)
        return found, sabotage.starts(folder)

    with ThreadPoolExecutor(n_threads) as pool:
        for found, starts in pool.map(search, range(n_threads)):
            assert [trial.score for trial in found.trials_] == [
                trial.params["x"] for trial in found.trials_
            ]
            assert len(found.trials_) == 8
            assert len(starts) == 16
            assert set(starts.values()) == {1}


CS = [1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0]


@pytest.mark.parametrize("n_jobs", [2])
@pytest.mark.parametrize("is_routed", [False, True], ids=["passed on", "routed"])
def test_asynchronous_results_equal_those_of_batches(data, n_jobs, is_routed):
    X, y = data
    weight = np.linspace(0.1, 5.0, len(y))
    found = []
    with sklearn.config_context(enable_metadata_routing=is_routed):
        estimator = LogisticRegression()
        scoring = {name: get_scorer(name) for name in ("accuracy", "neg_log_loss")}
        if is_routed:
            estimator.set_fit_request(sample_weight=True)
            for scorer in scoring.values():
                scorer.set_score_request(sample_weight=True)
        for asynchronous in (False, True):
            search = BayesSearchCV(
                estimator,
                {"C": CS},
                n_iter=6,
                cv=3,
                n_jobs=n_jobs,
                scoring=scoring,
                refit="neg_log_loss",
                return_train_score=True,
                asynchronous=asynchronous,
                random_state=0,
            )
            results = search.fit(X, y, sample_weight=weight).cv_results_
            order = np.argsort(results["param_C"].astype(float))
            found.append({name: np.asarray(column)[order] for name, column in results.items()})
    batches, asynchronous = found
    assert set(asynchronous) == set(batches)
    assert "split2_train_neg_log_loss" in batches
    for name in set(batches) - {name for name in batches if "_time" in name}:
        assert asynchronous[name].tolist() == batches[name].tolist(), name
    assert batches["param_C"].tolist() == CS
    # The weights arrive: without them the scores are other ones.
    plain = [
        cross_val_score(LogisticRegression(C=C), X, y, cv=3, scoring="neg_log_loss").mean()
        for C in CS
    ]
    assert not np.allclose(plain, batches["mean_test_neg_log_loss"])


@pytest.mark.parametrize("search_class", [SwarmSearchCV, GeneticSearchCV])
def test_other_optimizers_run_asynchronously(data, search_class):
    search = search_class(
        sabotage.Saboteur(),
        {"x": sabotage.UNIT},
        n_iter=30,
        cv=2,
        n_jobs=2,
        asynchronous=True,
        random_state=0,
    ).fit(*data)
    assert search.stop_reason_ == "n_iter"
    assert sorted(trial.number for trial in search.trials_) == list(range(30))
    assert search.best_score_ == max(trial.params["x"] for trial in search.trials_)


OBSERVING = """
import joblib, sys
import sabotage
from sklearn.model_selection import GridSearchCV
from sklearn_lepton import BayesSearchCV

if __name__ == "__main__":
    folder, backend, settings = {folder!r}, {backend!r}, {settings!r}
    with joblib.parallel_config(backend=backend, **settings):
        for cls, space in ((GridSearchCV, "param_grid"), (BayesSearchCV, "param_distributions")):
            estimator = sabotage.Observer(folder=folder + "/" + cls.__name__)
            arguments = {{space: {{"x": [0.1, 0.2, 0.3, 0.4]}}, "cv": 2, "n_jobs": 2}}
            if cls is BayesSearchCV:
                arguments["n_iter"] = 4
            cls(estimator, **arguments).fit(*sabotage.make_data())
"""


@pytest.mark.parametrize(
    ("backend", "settings"),
    [("loky", {}), ("loky", {"inner_max_num_threads": 2}), ("threading", {})],
    ids=["loky", "loky with two threads", "threading"],
)
def test_fit_sees_the_same_environment_as_in_grid_search(tmp_path, backend, settings):
    names = ["GridSearchCV", "BayesSearchCV"]
    for name in names:
        (tmp_path / name).mkdir()
    program = OBSERVING.format(folder=str(tmp_path), backend=backend, settings=settings)
    env = {k: v for k, v in sabotage.environment().items() if "NUM_THREADS" not in k}
    run = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=100
    )
    assert run.returncode == 0, run.stderr
    stock, ours = ({*sabotage.notes(tmp_path / name, "seen")} for name in names)
    (expected,) = map(ast.literal_eval, stock)
    # A fit in a thread that starts during a proposal has its one BLAS thread.
    limited = [(api, 1 if api == "blas" else n_threads) for api, n_threads in expected["pools"]]
    allowed = [expected, expected | {"pools": limited}] if backend == "threading" else [expected]
    found = [ast.literal_eval(seen) for seen in ours]
    assert expected in found
    assert all(seen in allowed for seen in found)


PILING = """
import gc, multiprocessing, os, warnings
from pathlib import Path
import sabotage
from sklearn.model_selection import GridSearchCV
from sklearn_lepton import end_idle_workers

warnings.simplefilter("ignore")
data = sabotage.make_data()

def count():
    end_idle_workers()
    gc.collect()
    multiprocessing.active_children()  # joins those that have ended
    patterns = (f"sem.loky-{os.getpid()}-*", "sem.mp-*")
    return sum(len(list(Path("/dev/shm").glob(pattern))) for pattern in patterns)

GridSearchCV(sabotage.Saboteur(), {"x": [0.1, 0.2]}, cv=2, n_jobs=2).fit(*data)
counts = [count()]
for how in ("ok", "kill", "ok"):
    sabotage.make_search(how, None, 3, asynchronous=True).fit(*data)
    counts.append(count())
print(counts)
"""


@pytest.mark.timeout(300)
def test_semaphores_do_not_accumulate():
    run = subprocess.run(
        [sys.executable, "-c", PILING],
        env=sabotage.environment(),
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert run.returncode == 0, run.stderr
    stock, *ours = ast.literal_eval(run.stdout)
    assert max(ours) <= stock
