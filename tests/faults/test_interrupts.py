"""Ctrl-C, pressed in a process of its own, at many moments, also to the whole process group.

=======================================  ================================================
fault                                    what holds
=======================================  ================================================
Ctrl-C                                   the search ends soon, fitted, with all finished
Ctrl-C before the first trial finishes   KeyboardInterrupt
a second Ctrl-C during the refit         an immediate KeyboardInterrupt; the results exist
several within half a second             KeyboardInterrupt once all is closed
Ctrl-C while processes start             no process stays, nor does the folder
=======================================  ================================================
"""

import json
import subprocess
import sys

import pytest
import sabotage

pytestmark = pytest.mark.faults

# Numbers of finished trials, seconds after that, and whether the whole group gets the signal.
MOMENTS = [
    (1, 0.0, False),
    (1, 0.03, True),
    (2, 0.1, False),
    (3, 0.0, True),
    (4, 0.17, False),
    (6, 0.06, True),
]

PROGRAM = """
import contextlib, sys
import sabotage

if __name__ == "__main__":
    with contextlib.ExitStack() as stack:
        if {backend!r} == "dask":
            from distributed import Client, LocalCluster

            own = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0")
            stack.enter_context(own)
            stack.enter_context(Client(own))
        sabotage.interrupted_searches({folder!r}, {moments!r}, {backend!r}, **{settings!r})
"""


def interrupt(folder, moments, backend, **settings):
    """Run searches in a process of their own, and return what became of each."""
    program = PROGRAM.format(
        folder=str(folder), moments=moments, backend=backend, settings=settings
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        env=sabotage.environment(),
        capture_output=True,
        text=True,
        timeout=100,
        start_new_session=True,
    )
    outcomes = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    assert len(outcomes) == len(moments), run.stderr
    return outcomes, run.stderr


WAYS = [
    ("loky", {}),
    ("loky", {"asynchronous": True}),
    ("threading", {}),
    ("threading", {"asynchronous": True}),
    ("loky", {"n_jobs": 1}),
    ("dask", {}),
    ("dask", {"asynchronous": True}),
]


def name_of(way):
    return "-".join([way[0], *way[1]])


@pytest.mark.parametrize("way", WAYS, ids=name_of)
def test_ctrl_c_keeps_finished_trials(tmp_path, way):
    backend, settings = way
    if backend == "dask":
        pytest.importorskip("distributed")
    # A terminal's Ctrl-C would end the workers that a local cluster is just starting.
    moments = MOMENTS if backend != "dask" else [moment for moment in MOMENTS if not moment[2]]
    outcomes, stderr = interrupt(tmp_path, moments, backend, **settings)
    for outcome, (n_trials, _, _) in zip(outcomes, moments, strict=True):
        assert outcome["error"] is None, stderr
        assert outcome["reason"] == "interrupted"
        # Threads of the search before still run, and end with the warnings' state of its time.
        assert "SearchInterruptedWarning" in outcome["warnings"] or backend == "threading"
        assert set(outcome["logged"]) <= set(outcome["trials"])
        assert len(outcome["trials"]) == outcome["n_results"] >= n_trials
        assert set(outcome["statuses"]) == {"complete"}
        assert outcome["is_fitted"]
        assert outcome["seconds"] < 3.0
        assert backend == "dask" or not outcome["workers"]
        assert not outcome["folders"]
        assert outcome["is_handler_back"]
    assert backend == "dask" or "Traceback" not in stderr


@pytest.mark.parametrize("way", [WAYS[0], WAYS[1], WAYS[4]], ids=name_of)
def test_ctrl_c_before_the_first_result_raises_keyboard_interrupt(tmp_path, way):
    backend, settings = way
    moments = [(0, 0.05, True), (0, 0.2, True), (0, 0.5, False)]
    outcomes, _ = interrupt(tmp_path, moments, backend, cv=30, **settings)
    for outcome in outcomes:
        assert outcome["error"] == "KeyboardInterrupt"
        assert outcome["trials"] == outcome["logged"] == []
        assert outcome["seconds"] < 3.0
        assert not outcome["workers"]


@pytest.mark.parametrize("way", [WAYS[0], WAYS[1], WAYS[4]], ids=name_of)
def test_second_ctrl_c_ends_the_refit(tmp_path, way):
    backend, settings = way
    [outcome], _ = interrupt(tmp_path, [(2, 0.1, True)], backend, second=0.3, **settings)
    assert outcome["error"] == "KeyboardInterrupt"
    assert "SearchInterruptedWarning" in outcome["warnings"]
    assert outcome["seconds"] < 2.0
    assert outcome["reason"] == "interrupted"
    assert len(outcome["trials"]) == outcome["n_results"] >= 2
    assert set(outcome["logged"]) <= set(outcome["trials"])
    assert not outcome["is_fitted"]


@pytest.mark.parametrize("again", [(0.005,), (0.05, 0.15)])
@pytest.mark.parametrize("way", [WAYS[0], WAYS[1], WAYS[4]], ids=name_of)
def test_further_ctrl_c_wait_for_cleanup(tmp_path, way, again):
    backend, settings = way
    moments = [(0, 0.05, False), (0, 0.3, True), (1, 0.0, True), (2, 0.1, False)]
    outcomes, _ = interrupt(tmp_path, moments, backend, again=again, **settings)
    for outcome, (n_trials, _, _) in zip(outcomes, moments, strict=True):
        # Two that come before the main thread has its turn are one.
        is_one = outcome["reason"] == "interrupted" and outcome["is_fitted"]
        assert outcome["error"] == "KeyboardInterrupt" or (is_one and len(again) == 1)
        assert not outcome["workers"]
        assert not outcome["folders"]
        assert outcome["is_handler_back"]
        assert outcome["seconds"] < 3.0
        assert set(outcome["logged"]) <= set(outcome["trials"])
        assert len(outcome["trials"]) == outcome["n_results"] >= n_trials


def test_ctrl_c_during_process_start_leaves_no_process(tmp_path):
    moments = [(0, 0.015 * k, False) for k in range(20)]
    outcomes, _ = interrupt(tmp_path, moments, "loky", cv=30)
    for outcome in outcomes:
        assert outcome["error"] == "KeyboardInterrupt"
        assert not outcome["workers"]
        assert not outcome["folders"]
