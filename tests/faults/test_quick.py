"""One fault of each kind, for every run of the tests; the other modules have the rest."""

import json
import subprocess
import sys
import time

import pytest
import sabotage

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning"),
    pytest.mark.filterwarnings("ignore:One or more of the:UserWarning"),
]


@pytest.mark.thorough
def test_fit_that_kills_its_worker_fails_alone(tmp_path, data):
    search = sabotage.make_search("kill", tmp_path, 5, asynchronous=True).fit(*data)
    [guilty] = sabotage.guilty_trials(search)
    assert guilty.status == "failed"
    assert "exit code" in sabotage.reasons(guilty)
    assert [t.status for t in search.trials_ if t is not guilty] == ["complete"] * 4
    starts = sabotage.starts(tmp_path)
    assert {n for (_, _, how), n in starts.items() if how == "ok"} == {1}
    assert {n for (_, _, how), n in starts.items() if how == "kill"} == {2}


@pytest.mark.thorough
def test_slow_fit_is_ended(tmp_path, data):
    search = sabotage.make_search("deaf", tmp_path, 4, fit_timeout=0.5).fit(*data)
    [guilty] = sabotage.guilty_trials(search)
    assert guilty.status == "failed"
    assert "fit_timeout=0.5" in sabotage.reasons(guilty)
    assert [t.status for t in search.trials_ if t is not guilty] == ["complete"] * 3


@pytest.mark.thorough
def test_search_ends_at_max_time(tmp_path, data):
    search = sabotage.make_search("sleep", tmp_path, 4, guilty=(1, 2, 3), max_time=12.0)
    start = time.monotonic()
    search.fit(*data)
    assert time.monotonic() - start < 14.5
    assert search.stop_reason_ == "max_time"
    assert [trial.params["how"] for trial in search.trials_] == ["ok"]


@pytest.mark.thorough
def test_ctrl_c_keeps_finished_trials(tmp_path):
    code = f"import sabotage; sabotage.interrupted_searches({str(tmp_path)!r}, [(2, 0.1, False)])"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=sabotage.environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    outcome = json.loads(run.stdout)
    assert outcome["error"] is None, run.stderr
    assert outcome["reason"] == "interrupted", (outcome, run.stderr)
    assert len(outcome["trials"]) == outcome["n_results"] >= 2
    assert outcome["is_fitted"]
