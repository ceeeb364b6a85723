"""Ctrl-C: one ends a search, further ones wait for its cleanup, none is lost."""

import contextlib
import os
import signal
import sys
import threading

import numpy as np
import pytest
from scipy.stats import qmc

from sklearn_lepton._runtime import interrupts as interrupts_module
from sklearn_lepton._runtime.interrupts import Interrupts, check_interrupts, uninterrupted
from sklearn_lepton._surrogate import maximize as maximize_module
from sklearn_lepton.optimizers import RandomOptimizer
from sklearn_lepton.space import Space


def press():
    signal.raise_signal(signal.SIGINT)


@pytest.fixture(autouse=True)
def handler():
    """Python's own handler, which a shell's background jobs do not have, and its return."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield signal.default_int_handler
    found = signal.signal(signal.SIGINT, before)
    assert found is signal.default_int_handler
    assert interrupts_module._current.guard is None


def test_further_interrupts_wait_for_the_cleanup():
    done = []
    with pytest.raises(KeyboardInterrupt), Interrupts():  # noqa: PT012
        try:
            press()
            done.append("not reached")
        except KeyboardInterrupt:
            press()
            done.append("unwound")
            with uninterrupted:
                press()
                done.append("cleaned")
            press()
            done.append("published")
    assert done == ["unwound", "cleaned", "published"]


def test_one_interrupt_is_delivered_once():
    with Interrupts():
        with pytest.raises(KeyboardInterrupt):
            press()
        with uninterrupted:
            pass


def test_interrupt_of_an_uninterrupted_step_is_delivered_at_its_end():
    done = []
    with Interrupts(), pytest.raises(KeyboardInterrupt), uninterrupted:  # noqa: PT012
        with uninterrupted:
            press()
            done.append("inner")
        done.append("outer")
    assert done == ["inner", "outer"]


def test_steps_without_a_search_are_uninterrupted_too(handler):
    done = []
    with pytest.raises(KeyboardInterrupt), uninterrupted:  # noqa: PT012
        press()
        done.append("step")
    assert done == ["step"]
    assert signal.getsignal(signal.SIGINT) is handler


def test_dropped_interrupt_is_raised_again():
    with Interrupts():
        check_interrupts()
        with contextlib.suppress(KeyboardInterrupt):  # as compiled code does that ignores errors
            press()
        with pytest.raises(KeyboardInterrupt):
            check_interrupts()
        check_interrupts()


def test_hanging_cleanup_can_be_interrupted(monkeypatch):
    monkeypatch.setattr(interrupts_module, "_MAX_CLEANUP", 0.0)
    with Interrupts(), pytest.raises(KeyboardInterrupt), uninterrupted:  # noqa: PT012
        press()
        pytest.fail("was held")


def test_estimators_that_ignore_an_interrupt_can_be_interrupted_again(monkeypatch):
    monkeypatch.setattr(interrupts_module, "_MAX_UNWINDING", 0.0)
    with Interrupts():
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                press()


def test_handlers_that_raise_nothing_are_called_each_time():
    calls = []
    before = signal.signal(signal.SIGINT, lambda *_: calls.append("called"))
    try:
        with Interrupts():
            press()
            press()
            check_interrupts()
            with uninterrupted:
                press()
                assert len(calls) == 2
            assert len(calls) == 3
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("given", [signal.SIG_IGN, signal.SIG_DFL])
def test_default_and_ignored_handlers_are_kept(given):
    before = signal.signal(signal.SIGINT, given)
    try:
        with Interrupts(), uninterrupted:
            assert signal.getsignal(signal.SIGINT) == given
    finally:
        signal.signal(signal.SIGINT, before)


def test_handler_installed_by_a_callback_stays(handler):
    def own(*_):
        pass

    with Interrupts():
        signal.signal(signal.SIGINT, own)
    assert signal.getsignal(signal.SIGINT) is own
    signal.signal(signal.SIGINT, handler)


def test_other_threads_change_no_handler(handler):
    seen = []

    def search():
        with Interrupts(), uninterrupted:
            seen.append(signal.getsignal(signal.SIGINT))
        check_interrupts()

    thread = threading.Thread(target=search)
    thread.start()
    thread.join()
    assert seen == [handler]


def test_interrupt_of_a_nested_search_ends_both():
    with Interrupts():
        with Interrupts(), pytest.raises(KeyboardInterrupt):
            press()
        with pytest.raises(KeyboardInterrupt):
            check_interrupts()


@pytest.fixture
def short_turns():
    """Let threads take turns often."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_interrupts_at_any_moment_are_raised_and_cut_no_cleanup(handler, short_turns):
    state = {"is_armed": False, "n_raised": 0, "n_started": 0, "n_cleaned": 0}
    is_over = threading.Event()

    def interrupt(*_):
        if state["is_armed"]:
            raise KeyboardInterrupt

    def keep_pressing():
        while not is_over.wait(2e-5):
            os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=keep_pressing)
    signal.signal(signal.SIGINT, interrupt)
    presser.start()
    while state["n_raised"] < 30 and state["n_started"] < 10_000:
        try:
            state["is_armed"] = True
            with Interrupts():
                state["n_started"] += 1
                try:
                    sum(range(300))
                finally:
                    with uninterrupted:
                        sum(range(300))
                        state["n_cleaned"] += 1
            state["is_armed"] = False
        except KeyboardInterrupt:
            state["is_armed"] = False
            state["n_raised"] += 1
    is_over.set()
    presser.join()
    assert signal.getsignal(signal.SIGINT) is interrupt
    signal.signal(signal.SIGINT, handler)
    assert state["n_cleaned"] == state["n_started"]
    assert state["n_raised"] > 0


class InterruptedSobol(qmc.Sobol):
    """Drop an interrupt, as scipy does while it reads its tables, and be wrong then."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        try:
            press()
        except KeyboardInterrupt:
            self._sv[:] = 0


def test_interrupts_while_sobol_tables_are_read_are_kept_and_harmless(monkeypatch):
    space = Space({"x": (0.0, 1.0, "uniform"), "y": (0.0, 1.0, "uniform")})
    expected = RandomOptimizer(space, seed=0).ask(3)
    table = maximize_module._low_discrepancy(64, 3)
    maximize_module._low_discrepancy.cache_clear()
    monkeypatch.setattr(qmc, "Sobol", InterruptedSobol)
    optimizer = RandomOptimizer(space, seed=0)
    with pytest.raises(KeyboardInterrupt):
        optimizer.ask(3)
    monkeypatch.undo()
    assert [t.point for t in optimizer.ask(3)] == [t.point for t in expected]
    monkeypatch.setattr(qmc, "Sobol", InterruptedSobol)
    with pytest.raises(KeyboardInterrupt):
        maximize_module._low_discrepancy(64, 3)
    monkeypatch.undo()
    np.testing.assert_array_equal(maximize_module._low_discrepancy(64, 3), table)
