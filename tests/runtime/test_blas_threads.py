"""BLAS threads: one during a proposal, and the caller's number before and after it."""

import threading

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from sklearn_lepton._runtime.blas_threads import single_blas_thread
from sklearn_lepton.optimizers import BayesOptimizer


def n_threads():
    return {
        library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"
    }


@pytest.fixture
def three_threads():
    with threadpool_limits(3, user_api="blas"):
        if n_threads() != {3}:
            pytest.skip("the BLAS library has a fixed number of threads")
        yield


@pytest.mark.usefixtures("three_threads")
def test_limit_is_one_inside_and_restored_after():
    assert single_blas_thread(n_threads)() == {1}
    assert n_threads() == {3}


@pytest.mark.usefixtures("three_threads")
def test_limit_is_restored_after_an_error():
    with pytest.raises(ZeroDivisionError):
        single_blas_thread(lambda: 1 / 0)()
    assert n_threads() == {3}


@pytest.mark.usefixtures("three_threads")
def test_nested_calls_restore_at_the_outer_end():
    outer = single_blas_thread(lambda: (single_blas_thread(n_threads)(), n_threads()))
    assert outer() == ({1}, {1})
    assert n_threads() == {3}


@pytest.mark.usefixtures("three_threads")
def test_calls_that_overlap_in_two_threads_restore_the_limit():
    is_inside, may_end = threading.Event(), threading.Event()

    @single_blas_thread
    def first():
        is_inside.set()
        may_end.wait(30)

    @single_blas_thread
    def second():
        may_end.set()
        thread.join(30)  # the first call ends inside of the second one

    thread = threading.Thread(target=first)
    thread.start()
    is_inside.wait(30)
    second()
    assert n_threads() == {3}


@pytest.mark.usefixtures("three_threads")
def test_proposals_use_one_thread_and_restore_the_limit(monkeypatch):
    seen = []
    optimizer = BayesOptimizer({"x": (0.0, 1.0, "uniform")}, seed=0)
    propose = type(optimizer)._propose

    def watched(self, *args, **kwargs):
        seen.append(n_threads())
        return propose(self, *args, **kwargs)

    monkeypatch.setattr(type(optimizer), "_propose", watched)
    for _ in range(8):
        [trial] = optimizer.ask()
        optimizer.tell([trial.complete(trial.params["x"])])
    optimizer.predict({"x": 0.5})
    assert seen
    assert all(number == {1} for number in seen)
    assert n_threads() == {3}
