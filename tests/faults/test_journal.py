"""Searches with a journal that are killed, share it, or meet a full disk.

=====================================  =================================================
fault                                  expected behavior
=====================================  =================================================
kill -9 at any moment                  the next run repeats no finished fit, and its
                                       result is that of an undisturbed search
kill -9 before, in or after a write    the same
several processes on one journal       no fit runs twice, all have all trials
one of them killed                     the others take over its trials
workers of a killed one survive it     the others take over its trials
a file that may not grow               one warning, and the same result
=====================================  =================================================
"""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import sabotage
from journal_subject import ON_LOKY, lock_files, read_lines

from sklearn_lepton import load_trials
from sklearn_lepton.exceptions import JournalWarning

pytestmark = pytest.mark.faults


def run_subject(program, timeout=110):
    """Run a program that uses `journal_subject` in a process that does nothing else."""
    run = subprocess.run(
        [sys.executable, "-c", f"import journal_subject as s; {program}"],
        env=sabotage.environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert run.returncode == 0, run.stderr
    # Workers that are just starting when their search is killed print why they cannot.
    return json.loads([line for line in run.stdout.splitlines() if line.startswith("{")][-1])


def check_tally(found, n_kills):
    assert found["problems"] == []
    assert found["equal"] == found["searches"]
    assert found["kills"] == n_kills
    assert found["repeated"] == 0


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [0, 1])
def test_search_killed_at_random_moments_resumes_to_the_same_result(tmp_path, seed):
    call = f"s.kill_at_random({str(tmp_path)!r}, 90, s.WAYS, seed={seed})"
    check_tally(run_subject(call, 280), 90)


@pytest.mark.timeout(300)
def test_search_with_processes_killed_at_random_moments_resumes_to_the_same_result(tmp_path):
    ways = [ON_LOKY, {**ON_LOKY, "n_points": 2, "n_iter_no_change": 6}]
    check_tally(run_subject(f"s.kill_at_random({str(tmp_path)!r}, 20, {ways!r})", 280), 20)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "way",
    [
        {"n_jobs": 1, "n_iter": 4},
        {"n_jobs": 2, "n_points": 3, "n_iter": 5, "search": "SwarmSearchCV"},
    ],
    ids=["one by one", "in batches"],
)
def test_search_killed_at_each_write_resumes_to_the_same_result(tmp_path, way):
    found = run_subject(f"s.kill_at_writes({str(tmp_path)!r}, range(1, 99), {way!r})", 280)
    n_writes = (found["searches"] - 3) // 3  # of the last one there were none
    check_tally(found, 3 * n_writes)
    assert n_writes >= 10
    cut = [path for path in tmp_path.glob("*/warnings") if "JournalWarning" in path.read_text()]
    assert len(cut) == n_writes


def check_together(found, n_trials=40):
    everyone = [list(range(n_trials))] * len(found["numbers"])
    assert found["numbers"] == found["seen"] == everyone
    assert found["points"] == n_trials
    assert found["fits"] == 2 * n_trials
    assert found["same"]
    assert found["locks"] == []


SETTINGS = [
    {"n_jobs": 1},
    {"n_jobs": 2, "n_points": 3},
    {"n_jobs": 2, "asynchronous": True},
    {"n_jobs": 2, "backend": "loky", "asynchronous": True},
    {"n_jobs": 1, "search": "GeneticSearchCV"},
]


@pytest.mark.parametrize("way", SETTINGS, ids=str)
def test_two_processes_share_the_trials(tmp_path, way):
    found = run_subject(f"s.run_together({str(tmp_path)!r}, 2, **{way!r})")
    check_together(found)
    assert found["codes"] == [0, 0]
    assert (found["again"], found["owners"], found["warnings"]) == (0, 2, [])


@pytest.mark.parametrize("way", SETTINGS, ids=str)
def test_processes_take_over_trials_of_a_killed_one(tmp_path, way):
    found = run_subject(f"s.run_together({str(tmp_path)!r}, 3, kill_at=30, **{way!r})")
    check_together(found)
    assert found["codes"] == [-9, 0, 0]
    assert found["again"] <= way["n_jobs"]


@pytest.mark.parametrize("moment", ["before", "middle", "after"])
@pytest.mark.parametrize("nth", [2, 9])
def test_process_killed_with_the_lock_blocks_no_other(tmp_path, moment, nth):
    call = f"s.run_together({str(tmp_path)!r}, 2, die_at=({nth}, {moment!r}), n_jobs=1)"
    found = run_subject(call)
    check_together(found)
    assert found["codes"] == [-9, 0]
    assert found["again"] <= 1
    assert [("is incomplete" in warning) for warning in found["warnings"]] == [True] * (
        moment == "middle"
    )


FORKING = """
os = s.os
os.setsid()
s.run_search({folder!r}, backend="multiprocessing", n_jobs=2, n_points=2, seconds=0.05)
"""


def test_trials_are_taken_over_while_orphaned_workers_live(tmp_path):
    program = "import journal_subject as s\n" + FORKING.format(folder=str(tmp_path))
    path = tmp_path / "study.jsonl"
    with subprocess.Popen([sys.executable, "-c", program], env=sabotage.environment()) as process:
        try:
            assert sabotage.is_soon(lambda: len(sabotage.notes(tmp_path, "fits")) >= 9, 60)
            os.killpg(process.pid, signal.SIGSTOP)  # lest the workers notice
            process.kill()
            process.wait()
            assert len(lock_files(path)) == 1
            call = f"s.run_search({str(tmp_path)!r}, n_jobs=2, n_points=2, seconds=0.05)"
            start = time.monotonic()
            found = run_subject(f"print({call})", 60)
            assert time.monotonic() - start < 30
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    assert [trial[0] for trial in found["trials"]] == list(range(20))
    assert not lock_files(path)


LIMITED = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
print(s.run_search({folder!r}, n_jobs=1))
"""


@pytest.mark.parametrize("limit", [2000, 3333, 5000])
def test_full_disk_warns_and_keeps_the_result(tmp_path, limit):
    expected = run_subject(f"print(s.run_search({str(tmp_path)!r}, n_jobs=1, journal=None))")
    (tmp_path / "fits").unlink()
    program = LIMITED.format(limit=limit, folder=str(tmp_path))
    assert run_subject(f"\n{program}") == expected
    [warning] = sabotage.notes(tmp_path, "warnings")
    assert warning.startswith(JournalWarning.__name__)
    assert "File too large" in warning
    path = tmp_path / "study.jsonl"
    assert path.stat().st_size <= limit
    n_known = sum("split" in record for record in read_lines(path))
    assert load_trials(path)
    (tmp_path / "fits").unlink()
    assert run_subject(f"print(s.run_search({str(tmp_path)!r}, n_jobs=1))") == expected
    assert len(sabotage.notes(tmp_path, "fits")) == 40 - n_known
    assert not lock_files(path)
