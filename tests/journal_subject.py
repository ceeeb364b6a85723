"""Searches that keep a journal, run in forks of a process that has imported everything.

A fork costs little, so that a search can be killed hundreds of times. What a search has
found is written down as text, in which equal means equal bit for bit.
"""

import json
import os
import signal
import sys
import time
import traceback
import warnings
import zlib
from collections import Counter
from pathlib import Path

import joblib
import numpy as np
from sabotage import make_data, note, notes
from sklearn.base import BaseEstimator
from sklearn.model_selection import KFold

import sklearn_lepton
from sklearn_lepton._study.journal import Journal, header

N_ROWS = 60
ASSETS = Path(__file__).parent / "assets" / "journals"


def halve(value):
    return value / 2


class Steady(BaseEstimator):
    """Fast estimator whose score depends on its parameters and the rows alone."""

    def __init__(self, x=0.5, n=1, choice=None, seconds=0.0, folder=None):
        self.x = x
        self.n = n
        self.choice = choice
        self.seconds = seconds
        self.folder = folder

    def fit(self, X, y=None):
        if len(X) < N_ROWS:
            note(self.folder, "fits", f"{self.x!r} {self.n} {zlib.crc32(X[:, 0].tobytes())}")
        time.sleep(self.seconds)
        if self.choice == "raise":
            raise RuntimeError("no luck")
        self.fitted_ = True
        return self

    def predict(self, X):
        return np.zeros(len(X), dtype=int)

    def score(self, X, y=None):
        if self.choice == "nan":
            return np.nan
        return float(np.cos(3 * self.x - 2) - 0.1 * abs(self.n - 4) + 0.01 * X[:, 1].mean())


def own_scorer(estimator, X, y):
    return estimator.score(X, y)


SPACE = {"x": (0.0, 1.0, "uniform"), "n": (1, 9, "int")}
CHOICES = [None, (1, 2), Steady(x=0.25), halve, "raise", "nan"]


def asset_search(name, journal=None):
    """Return the search of a journal in the assets."""
    several = {"scoring": {"accuracy": "accuracy", "own": own_scorer}, "refit": "own"}
    settings = {"return_train_score": True, **several} if name.endswith("several") else {}
    return sklearn_lepton.BayesSearchCV(
        Steady(),
        {**SPACE, "choice": CHOICES},
        n_iter=10,
        cv=KFold(3),
        random_state=0,
        initial_params=[{"x": 0.5, "n": 2, "choice": choice} for choice in CHOICES],
        journal=journal,
        **settings,
    )


def make_assets(version, folder=ASSETS):
    """Write the journals of this version, with the last line of each traceback."""
    for name in (f"version-{version}", f"version-{version}-several"):
        path, found = Path(folder) / f"{name}.jsonl", Path(folder) / "found.jsonl"
        for old in (path, found):
            old.unlink(missing_ok=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            asset_search(name, found).fit(*make_data())
        records = Journal(found).load()
        found.unlink()
        for record in records:
            if record.get("row", {}).get("fit_error"):
                record["row"]["fit_error"] = record["row"]["fit_error"].splitlines()[-1]
        write_journal(path, records)


# -------------------------------------------------------------------- journals

STUDY = {"splits": {"n": 2}, "metric": None, "scoring": None, "return_train_score": False}
HEADER = header({"seed": 0, "study": STUDY})
ME, OTHER = "00c0ffee", "0badcafe"


def row(score=0.5, **changes):
    times = {"fit_time": 0.0, "score_time": 0.0, "start_time": 1.0}
    return {"test_scores": score, **times, "fit_error": None, "worker": 0, **changes}


def asked(*numbers, by=ME, **changes):
    units = [number / 16 for number in numbers]
    settings = [
        {"number": n, "params": {"x": u, "c": 2}, "point": [u, 0.5], "meta": {}, **changes}
        for n, u in zip(numbers, units, strict=True)
    ]
    return {"asked": settings, "by": by}


def fitted(number, split, **changes):
    return {"trial": number, "split": split, "row": row(), **changes}


def final(number, split, **changes):
    return {"final": number, "splits": "some", "split": split, "row": row(), **changes}


def told(number, **changes):
    names = {"status": "complete", "score": 0.5, "split_scores": [0.5, 0.5], "seconds": 0.1}
    return {"told": number, **names, **changes}


def trial_records(number, by=ME):
    return [asked(number, by=by), fitted(number, 0), fitted(number, 1), told(number)]


def write_journal(path, records):
    """Write records with correct checksums."""
    Path(path).write_bytes(b"")
    journal = Journal(path)
    with journal.lock():
        journal.read()
        journal.append(records)


def read_lines(path):
    """Return the complete lines of a journal, also while it is written."""
    data = Path(path).read_bytes() if Path(path).exists() else b""
    return [json.loads(line) for line in data.split(b"\n")[:-1]]


def lock_files(path):
    return sorted(Path(path).parent.glob("*.lock"))


# --------------------------------------------------------------------- searches


class Seen:
    """A callback that records the trials, and stops at a score."""

    def __init__(self, stop_at=None):
        self.numbers = []
        self.stop_at = stop_at

    def __call__(self, search, trial):
        self.numbers.append(trial.number)
        return self.stop_at is not None and (trial.score or 0.0) >= self.stop_at


def outline(search, seen=()):
    """Return all results of a search but the times, floats to their last bit."""
    columns = {
        name: [str(value) for value in column]
        for name, column in search.cv_results_.items()
        if "_time" not in name
    }
    trials = [
        (t.number, t.point, str(t.params), t.status, t.score, t.split_scores)
        for t in search.trials_
    ]
    found = {
        "trials": trials,
        "columns": columns,
        "best": [int(search.best_index_), float(search.best_score_), str(search.best_params_)],
        "reason": search.stop_reason_,
        "seen": list(seen),
    }
    return json.dumps(found)


def run_search(folder, *, search="BayesSearchCV", backend="threading", stop_at=None, **settings):
    """Run a search with a journal in a folder, and write its results to a file."""
    folder, seen = Path(folder), Seen(stop_at)
    settings = {"journal": folder / "study.jsonl", "n_iter": 20, "cv": KFold(2), **settings}
    seconds = settings.pop("seconds", 0.004)
    found = getattr(sklearn_lepton, search)(
        Steady(folder=str(folder), seconds=seconds),
        SPACE,
        callbacks=seen,
        **{"random_state": 0, **settings},
    )
    with warnings.catch_warnings(record=True) as caught, joblib.parallel_config(backend=backend):
        warnings.simplefilter("always")
        found.fit(*make_data())
    for warning in caught:
        note(folder, "warnings", f"{warning.category.__name__}: {warning.message}")
    return outline(found, seen.numbers)


def forked(act, *args, result=None, **settings):
    """Run a function in a fork of this process, and write its result to a file."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        text = act(*args, **settings)
        if result is not None:
            Path(result).write_text(text, encoding="utf-8")
        code = 0
    except BaseException:  # noqa: BLE001 - the fork must end here
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def exit_code(pid):
    """Wait for a fork, and return how it ended: minus the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def split_names(n_splits=2):
    """Return the log's name of each split."""
    X, y = make_data()
    return [zlib.crc32(X[train, 0].tobytes()) for train, _ in KFold(n_splits).split(X, y)]


def finished_fits(path):
    """Return the fits of a journal, in the form of the log."""
    params, fits, splits = {}, set(), split_names()
    for record in read_lines(path):
        for trial in record.get("asked", ()):
            params[trial["number"]] = trial["params"]
        if "split" in record:
            setting = params[record["trial"]]
            fits.add(f"{setting['x']!r} {setting['n']} {splits[record['split']]}")
    return fits


# ------------------------------------------------------------------------ kills

WAYS = [
    {"n_jobs": 1},
    {"n_jobs": 2, "n_points": 4},
    {"n_jobs": 1, "n_points": 3, "n_iter_no_change": 6, "search": "SwarmSearchCV"},
    {"n_jobs": 2, "n_points": 4, "search": "GeneticSearchCV"},
    {"n_jobs": 2, "n_points": 2, "stop_at": 0.99},
    {"n_jobs": 1, "target_score": 0.95, "search": "GeneticSearchCV"},
]
ON_LOKY = {"n_jobs": 2, "n_points": 4, "backend": "loky", "seconds": 0.01}


class Tally:
    """Counts of the outcomes of searches that were killed and restarted."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.counts = dict.fromkeys(["searches", "equal", "kills", "repeated", "in flight"], 0)
        self.problems = []
        self._expected = {}

    def expected(self, way):
        """Return the results and seconds of an undisturbed search without a journal."""
        key = str(way)
        if key not in self._expected:
            folder = self.folder / f"expected-{len(self._expected)}"
            folder.mkdir()
            start = time.monotonic()
            pid = forked(run_search, folder, result=folder / "result", journal=None, **way)
            assert exit_code(pid) == 0
            seconds = time.monotonic() - start
            self._expected[key] = (folder / "result").read_text(encoding="utf-8"), seconds
        return self._expected[key]

    def run(self, way, start):
        """Restart a search until one run is not killed.

        `start(folder, number)` makes a fork, and may kill it.
        """
        folder = self.folder / str(self.counts["searches"])
        folder.mkdir()
        path, code, n_killed = folder / "study.jsonl", -signal.SIGKILL, 0
        while code == -signal.SIGKILL:
            known, n_before = finished_fits(path), len(notes(folder, "fits"))
            code = exit_code(start(folder, n_killed))
            self.counts["repeated"] += len(known & set(notes(folder, "fits")[n_before:]))
            n_killed += code == -signal.SIGKILL
        fits = Counter(notes(folder, "fits"))
        n_again = fits.total() - len(fits)
        self.counts["searches"] += 1
        self.counts["kills"] += n_killed
        self.counts["in flight"] += n_again
        found = (folder / "result").read_text(encoding="utf-8") if code == 0 else f"code {code}"
        self.counts["equal"] += found == self.expected(way)[0]
        if found != self.expected(way)[0]:
            self.problems.append([str(way), str(folder), found, self.expected(way)[0]])
        if n_again > n_killed * way["n_jobs"]:
            self.problems.append([str(way), str(folder), f"{n_again} fits again"])
        if lock_files(path):
            self.problems.append([str(way), f"left {lock_files(path)}"])

    def print(self):
        sys.stdout.write(json.dumps(self.counts | {"problems": self.problems}) + "\n")


def kill_at_random(folder, n_kills, ways, seed=0):
    """Kill searches at random moments, each until it is complete, and print the outcomes."""
    rng, tally = np.random.default_rng(seed), Tally(folder)
    while tally.counts["kills"] < n_kills:
        way = ways[tally.counts["searches"] % len(ways)]
        seconds = tally.expected(way)[1]

        def start(place, number, way=way, seconds=seconds):
            pid = forked(run_search, place, result=place / "result", **way)
            if tally.counts["kills"] + number < n_kills:
                time.sleep(rng.uniform(0.0, 1.1 * seconds))
                os.kill(pid, signal.SIGKILL)  # no effect if it has ended
            return pid

        tally.run(way, start)
    tally.print()


def run_killed(folder, nth, moment, **way):
    """Run a search that kills itself before, in the middle of or after a write."""
    append, n_written = Journal.append, 0

    def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    def half(fd, data):
        part = data[: len(data) // 2 + 1].rstrip(b"\n")  # ends inside of a line
        os.pwrite(fd, part, os.lseek(fd, 0, os.SEEK_CUR))
        die()

    def deadly(self, records, **options):
        nonlocal n_written
        n_written += 1
        if n_written == nth:
            if moment == "before":
                die()
            elif moment == "middle":
                os.write = half
        append(self, records, **options)
        if n_written == nth:
            die()

    Journal.append = deadly
    return run_search(folder, **way)


def kill_at_writes(folder, writes, way):
    """Kill a search at each of its writes to the journal, and print the outcomes."""
    tally, is_done = Tally(folder), False
    for nth in writes:
        for moment in ("before", "middle", "after"):
            n_kills = tally.counts["kills"]

            def start(place, number, nth=nth, moment=moment):
                if number:
                    return forked(run_search, place, result=place / "result", **way)
                return forked(run_killed, place, nth, moment, result=place / "result", **way)

            tally.run(way, start)
            is_done = tally.counts["kills"] == n_kills
        if is_done:  # there is no such write
            break
    tally.print()


# ---------------------------------------------------------------------- together


def run_together(folder, n_processes, *, kill_at=None, die_at=None, **way):
    """Run the same search in several processes at the same time, and print the outcome.

    The first one is killed once there are `kill_at` fits, or kills itself at a write.
    """
    folder = Path(folder)
    way = {"n_iter": 40, "seconds": 0.01, **way}
    start = time.monotonic()
    pids = []
    for number in range(n_processes):
        act, args = run_search, (folder,)
        if number == 0 and die_at is not None:
            act, args = run_killed, (folder, *die_at)
        pids.append(forked(act, *args, result=folder / f"result-{number}", **way))
    if kill_at is not None:
        while len(notes(folder, "fits")) < kill_at:
            time.sleep(0.002)
        os.kill(pids[0], signal.SIGKILL)
    codes = [exit_code(pid) for pid in pids]
    results = [json.loads(p.read_text(encoding="utf-8")) for p in sorted(folder.glob("result-*"))]
    fits = Counter(notes(folder, "fits"))
    found = {
        "codes": codes,
        "seconds": time.monotonic() - start,
        "numbers": [[trial[0] for trial in result["trials"]] for result in results],
        "points": len({tuple(trial[1]) for trial in results[0]["trials"]}),
        "same": all(
            result[key] == results[0][key] for result in results for key in ("trials", "best")
        ),
        "seen": [sorted(result["seen"]) for result in results],
        "fits": len(fits),
        "again": fits.total() - len(fits),
        "owners": len(
            {record["by"] for record in read_lines(folder / "study.jsonl") if "asked" in record}
        ),
        "locks": [str(path) for path in lock_files(folder / "study.jsonl")],
        "warnings": notes(folder, "warnings"),
    }
    sys.stdout.write(json.dumps(found) + "\n")
