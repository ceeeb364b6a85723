"""Cost of a journal, fits saved after kills, and the gain of two processes.

Overhead: a search of 100 given configurations with free fits, with and without a journal in the
same interpreter by turns. The difference is compared with the time of one fsync, on a disk and in
memory, where fsync is free. Kills: searches of twenty trials on two splits with fits of 4 ms are
killed at random moments and restarted until they are complete (six kinds in turn: one fit at a
time, batches on threads, stopping rules, three classes of search; then some on worker processes).
Together: the same 40 trials with fits of 50 ms in one process and in two on one journal.

    python benchmarks/journal.py [--json FILE] [--repeats N] [--kills N] [--folder PATH]
"""

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from overhead import NAMES, ONE_THREAD, FreeClassifier, data
from sklearn.model_selection import KFold, ShuffleSplit

from sklearn_lepton import BayesSearchCV

N_TRIALS = 100
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own in there
TESTS = Path(__file__).parent.parent / "tests"


def search_seconds(n_splits: int, journal: Path | None) -> tuple[float, float]:
    """Return the wall and CPU seconds of one search that proposes nothing itself."""
    settings = np.random.default_rng(0).random((N_TRIALS, len(NAMES)))
    search = BayesSearchCV(
        FreeClassifier(),
        dict.fromkeys(NAMES, (0.0, 1.0, "uniform")),
        n_iter=N_TRIALS,
        initial_params=[dict(zip(NAMES, row.tolist(), strict=True)) for row in settings],
        cv=KFold(n_splits) if n_splits > 1 else ShuffleSplit(1, random_state=0),
        random_state=0,
        journal=journal,
    )
    wall, cpu = time.perf_counter(), time.process_time()
    search.fit(*data(120))
    return time.perf_counter() - wall, time.process_time() - cpu


def with_syncs(n_splits: int, journal: Path) -> tuple[float, float, list[float]]:
    """Return the same of a search with a journal, and the milliseconds of each of its syncs."""
    fsync, times = os.fsync, []

    def timed(fd: int) -> None:
        start = time.perf_counter()
        fsync(fd)
        times.append(1000 * (time.perf_counter() - start))

    os.fsync = timed
    try:
        return *search_seconds(n_splits, journal), times
    finally:
        os.fsync = fsync


def report_overhead(folder: Path, repeats: int) -> dict[str, Any]:
    """Measure and print the milliseconds a trial with and without a journal."""
    path = folder / "study.jsonl"
    runs: dict[int, list[dict[str, float]]] = {n_splits: [] for n_splits in range(1, 6)}
    syncs = []
    search_seconds(2, None)
    for _ in range(repeats):  # interleaved: a busy minute slows every row
        for n_splits, found in runs.items():
            plain, plain_cpu = search_seconds(n_splits, None)
            kept, kept_cpu, times = with_syncs(n_splits, path)
            syncs += times
            found.append(
                {
                    "without_ms": 1000 * plain / N_TRIALS,
                    "with_ms": 1000 * kept / N_TRIALS,
                    "journal_ms": 1000 * (kept - plain) / N_TRIALS,
                    "syncs_ms": sum(times) / N_TRIALS,
                    "journal_cpu_ms": 1000 * (kept_cpu - plain_cpu) / N_TRIALS,
                    "bytes": path.stat().st_size / N_TRIALS,
                }
            )
            path.unlink()
    summary: dict[str, Any] = {"fsync_ms": statistics.median(syncs)}
    summary["fsync_ms_90%"] = statistics.quantiles(syncs, n=10)[-1]
    print(
        f"\n{folder.parent}, fsync: {summary['fsync_ms']:.2f} ms, "
        f"90% below {summary['fsync_ms_90%']:.2f} ms"
    )
    print(
        f"\nMilliseconds a trial of {N_TRIALS}, fits that cost nothing (median of {repeats} runs)"
    )
    print(
        f"{'splits':>6}{'without':>10}{'with':>10}{'journal':>10}{'its syncs':>11}{'its CPU':>10}"
        f"{'bytes':>8}"
    )
    for n_splits, found in runs.items():
        row = {name: statistics.median(run[name] for run in found) for name in found[0]}
        summary[f"{n_splits} splits"] = {**row, "runs": found}
        print(
            f"{n_splits:6}{row['without_ms']:10.2f}{row['with_ms']:10.2f}"
            f"{row['journal_ms']:10.2f}{row['syncs_ms']:11.2f}{row['journal_cpu_ms']:10.2f}{row['bytes']:8.0f}"
        )
    return summary


def in_subject(program: str) -> dict[str, Any]:
    """Run a program that uses the subject of the tests, and return what it prints."""
    env = os.environ | ONE_THREAD | {"PYTHONPATH": str(TESTS)}
    command = [sys.executable, "-c", f"import journal_subject as s; {program}"]
    done = subprocess.run(
        command, check=True, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    # Workers that are just starting when their search is killed print why they cannot.
    [*_, last] = [line for line in done.stdout.splitlines() if line.startswith("{")]
    result: dict[str, Any] = json.loads(last)
    return result


def report_kills(folder: Path, n_kills: int) -> dict[str, Any]:
    """Kill searches at random moments, and print the results."""
    n_processes = n_kills // 10
    summary: dict[str, Any] = {}
    for name, ways, n in (
        ("caller and threads", "s.WAYS", n_kills - n_processes),
        ("worker processes", "[s.ON_LOKY]", n_processes),
    ):
        place = folder / name.split()[0]
        place.mkdir()
        summary[name] = in_subject(f"s.kill_at_random({str(place)!r}, {n}, {ways})")
    total = {
        key: sum(found[key] for found in summary.values())
        for key in ("kills", "searches", "equal", "repeated", "in flight")
    }
    print(
        f"\n{total['kills']} kills of {total['searches']} searches: {total['equal']} ended with "
        f"the result of a search that nobody has killed, bit for bit; {total['repeated']} fits "
        f"that had been taken down were repeated, {total['in flight']} that were in flight"
    )
    return {**total, **summary}


def report_together(folder: Path) -> dict[str, Any]:
    """Run the same trials in one process and in two, and print the seconds."""
    summary: dict[str, Any] = {}
    for n_processes in (1, 2):
        place = folder / f"together-{n_processes}"
        place.mkdir()
        call = f"s.run_together({str(place)!r}, {n_processes}, n_jobs=1, seconds=0.05)"
        summary[str(n_processes)] = in_subject(call)
    alone, both = summary["1"], summary["2"]
    print(
        f"\n40 trials in one process: {alone['seconds']:.2f} s; in two on one journal: "
        f"{both['seconds']:.2f} s, {both['fits']} fits and {both['again']} of them twice, "
        f"{both['points']} settings; both ended with the same: {both['same']}"
    )
    return summary


def main() -> None:
    """Measure everything and print tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write all numbers there")
    parser.add_argument("--repeats", type=int, default=7, help="runs of each row")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--folder", type=Path, help="where, on which disk, the journals lie")
    arguments = parser.parse_args()
    packages = ("sklearn-lepton", "scikit-learn", "numpy")
    versions = {package: importlib.metadata.version(package) for package in packages}
    versions |= {"python": platform.python_version(), "machine": platform.machine()}
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    memory = MEMORY if MEMORY.exists() else arguments.folder
    with (
        tempfile.TemporaryDirectory(dir=arguments.folder) as name,
        tempfile.TemporaryDirectory(dir=memory) as other,
    ):
        numbers = {
            "environment": versions,
            "on disk": report_overhead(Path(name), arguments.repeats),
            "in memory": report_overhead(Path(other), arguments.repeats),
            "kills": report_kills(Path(name), arguments.kills),
            "together": report_together(Path(name)),
        }
    if arguments.json:
        arguments.json.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
        print(f"\nwritten to {arguments.json}")


if __name__ == "__main__":
    main()
