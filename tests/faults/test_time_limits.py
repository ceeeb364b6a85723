"""Time limits of fits and of searches.

=============================================  ============================================
fault                                          what holds
=============================================  ============================================
a fit or its scoring hangs, in Python or C     ended after fit_timeout; the others complete
workers are slow to start                      that is not counted
max_time passes with fits in flight            the search ends; what had finished is kept
max_time passes before a trial has finished    TimeoutError
fits cannot be ended, or not one by one        ValueError before the first
=============================================  ============================================
"""

import itertools
import time

import pytest
import sabotage
from marks import both_modes
from sabotage import check_only_guilty_failed, make_search, reasons

pytestmark = [
    pytest.mark.faults,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning"),
    pytest.mark.filterwarnings("ignore:One or more of the:UserWarning"),
]


@pytest.mark.parametrize(
    ("cluster", "how", "asynchronous"),
    [
        *itertools.product(["loky"], ["sleep", "deaf"], [False, True]),
        ("dask", "sleep", True),
        ("dask", "deaf", False),
        ("ray", "sleep", False),
        ("ray", "deaf", True),
    ],
    indirect=["cluster"],
)
def test_hanging_fit_is_ended(fit, backend, tmp_path, how, asynchronous):
    start = time.monotonic()
    search = fit(make_search(how, tmp_path, 5, fit_timeout=1.0, asynchronous=asynchronous))
    assert time.monotonic() - start < 40
    check_only_guilty_failed(search, 5, "fit_timeout=1.0")
    starts = sabotage.starts(tmp_path)
    assert max(starts.values()) <= (1 if backend == "loky" else 2)
    assert max(n for (_, _, done), n in starts.items() if done == how) == 1


@pytest.mark.parametrize("how", ["scoring: sleep", "scoring: deaf"])
@pytest.mark.parametrize("cluster", ["loky"], indirect=True)
def test_hanging_scorer_is_ended(fit, tmp_path, how):
    search = fit(make_search(how, tmp_path, 4, fit_timeout=1.0))
    check_only_guilty_failed(search, 4, "fit_timeout=1.0")
    assert set(sabotage.starts(tmp_path).values()) == {1}


@both_modes
@pytest.mark.parametrize("cluster", ["loky"], indirect=True)
def test_start_of_a_worker_does_not_count_as_fit_time(fit, tmp_path, asynchronous):
    settings = {"seconds": 0.05, "fit_timeout": 0.4, "asynchronous": asynchronous}
    search = fit(make_search("ok", tmp_path, guilty=(), **settings))
    assert [trial.status for trial in search.trials_] == ["complete"] * 6, [
        reasons(trial) for trial in search.trials_
    ]


@both_modes
@pytest.mark.parametrize("cluster", ["loky", "threading", "dask", "ray", "caller"], indirect=True)
def test_search_ends_at_max_time_with_the_finished_trials(
    fit, backend, tmp_path, asynchronous, startup_time
):
    # joblib's pool on ray and the actors take seconds to start. dask restarts the workers that an
    # earlier test has killed.
    max_time, allowed = {"ray": (6.0, 4.0), "dask": (6.0, 1.0)}.get(backend, (3.0, 1.0))
    # A loaded machine needs more time for the first trial, and to notice that the time is over.
    max_time, allowed = max(max_time, 3.0 * startup_time), max(allowed, startup_time)
    search = make_search(
        "sleep", tmp_path, guilty=(1, 2, 3, 4, 5), max_time=max_time, asynchronous=asynchronous
    )
    start = time.monotonic()
    fit(search)
    assert time.monotonic() - start < max_time + allowed
    assert search.stop_reason_ == "max_time"
    assert [trial.params["how"] for trial in search.trials_] == ["ok"]
    assert len(search.cv_results_["params"]) == 1
    assert search.best_estimator_.predict([[0.0] * 3]).tolist() == [0]


@both_modes
@pytest.mark.parametrize("cluster", ["loky", "threading", "dask", "ray", "caller"], indirect=True)
def test_search_without_a_finished_trial_at_max_time_raises(
    fit, tmp_path, asynchronous, startup_time
):
    search = make_search("ok", tmp_path, guilty=(), seconds=1000.0, max_time=1.0)
    search.set_params(asynchronous=asynchronous)
    start = time.monotonic()
    with pytest.raises(TimeoutError, match="max_time=1.0"):
        fit(search)
    assert time.monotonic() - start < 1.0 + max(3.0, 3.0 * startup_time)
    assert search.trials_ == []
    assert search.stop_reason_ == "max_time"


@pytest.mark.parametrize(
    ("cluster", "settings", "what"),
    [
        ("threading", {"fit_timeout": 1.0}, "fit_timeout=1.0.*'loky'"),
        ("multiprocessing", {"fit_timeout": 1.0}, "fit_timeout=1.0.*'loky'"),
        ("multiprocessing", {"asynchronous": True}, "asynchronous=True.*'loky'"),
    ],
    indirect=["cluster"],
)
def test_unsupported_option_of_a_backend_is_refused(fit, tmp_path, settings, what):
    with pytest.raises(ValueError, match=what):
        fit(make_search("ok", tmp_path, guilty=(), **settings))
    assert not sabotage.starts(tmp_path)
