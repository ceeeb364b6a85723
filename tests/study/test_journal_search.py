"""Searches with a journal: resuming, mismatching studies and disk errors."""

import functools
import json
import os
import subprocess
import sys
import threading
import warnings

import joblib
import journal_subject as subject
import numpy as np
import pytest
import sabotage
import scipy.stats
from journal_subject import lock_files, outline, read_lines
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit, StratifiedKFold

from sklearn_lepton import BayesSearchCV, load_trials
from sklearn_lepton._study.journal import FORMAT
from sklearn_lepton.exceptions import JournalMismatchError

RNG = np.random.RandomState(0)
SPACE = {"x": (0.1, 0.9, "uniform")}
N_TRIALS, N_SPLITS = 4, 2
N_FITS = N_TRIALS * N_SPLITS


@pytest.fixture
def path(tmp_path):
    return tmp_path / "study.jsonl"


@pytest.fixture
def make(search_class, probe, path):
    """Make searches that share a journal, unless other settings are given."""

    def make_search(estimator=probe, space=SPACE, **settings):
        shared = {"n_iter": N_TRIALS, "cv": N_SPLITS, "random_state": 0, "journal": path}
        return search_class(estimator, space, **(shared | settings))

    return make_search


@pytest.fixture
def expected(make, numbered, log):
    """Results of the search without a journal."""
    found = outline(make(journal=None).fit(*numbered))
    log.fits.clear()
    return found


@pytest.fixture
def kept(make, numbered, log, path):
    """The bytes of the journal of a search that has ended."""
    make().fit(*numbered)
    log.fits.clear()
    return path.read_bytes()


# ------------------------------------------------------------------------ the file


def test_journal_does_not_change_the_result(make, numbered, expected):
    assert outline(make().fit(*numbered)) == expected


def test_journal_has_a_json_line_for_each_event(kept, path):
    kinds = {"journal": 0, "asked": 0, "split": 0, "told": 0}
    for line in kept.decode("ascii").splitlines():
        record = json.loads(line)
        [kind] = kinds.keys() & record.keys()
        kinds[kind] += 1
    assert kinds == {"journal": 1, "asked": N_TRIALS, "split": N_FITS, "told": N_TRIALS}
    assert read_lines(path)[0]["version"] == FORMAT
    assert not lock_files(path)


def test_load_trials_returns_the_trials_of_the_search(make, numbered, path):
    search = make(space=SPACE | {"z": [0, 3], "outcome": ["ok", "nan", "raise"]}, n_iter=8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(*numbered)
    loaded = load_trials(path)
    names = ("number", "point", "params", "status", "score", "duration")
    for name in names:
        assert [getattr(t, name) for t in loaded] == [getattr(t, name) for t in search.trials_]
    assert str([t.split_results for t in loaded]) == str([t.split_results for t in search.trials_])
    frame = load_trials(path, as_frame=True)
    assert frame["param_x"].tolist() == [trial.params["x"] for trial in loaded]
    assert frame["status"].tolist() == [trial.status for trial in loaded]
    assert {"score", "duration", "split0_score", "split1_score"} < set(frame.columns)
    assert frame.index.tolist() == list(range(8))


# ---------------------------------------------------------------------- old journals

ASSETS = sorted(path.stem for path in subject.ASSETS.glob("*.jsonl"))


def test_each_journal_version_has_a_sample():
    versions = range(1, FORMAT + 1)
    assert {f"version-{k}{end}" for k in versions for end in ("", "-several")} == set(ASSETS)


@pytest.mark.parametrize("name", ASSETS)
def test_old_journals_load(name):
    trials = load_trials(subject.ASSETS / f"{name}.jsonl")
    assert [trial.number for trial in trials] == list(range(10))
    assert {trial.status for trial in trials} == {"complete", "failed"}
    choices = [trial.params["choice"] for trial in trials]
    assert choices[:2] == [None, (1, 2)]
    assert choices[4:6] == ["raise", "nan"]
    assert [choice.text for choice in choices[2:4]] == [
        "Steady(x=0.25)",
        "journal_subject.halve",
    ]
    assert trials[4].split_results[0].error == "RuntimeError: no luck"
    assert np.isnan(trials[5].split_scores).all()
    several = ("accuracy", "own") if name.endswith("several") else ()
    assert tuple(dict(trials[0].split_results[0].scores if several else {})) == several
    frame = load_trials(subject.ASSETS / f"{name}.jsonl", as_frame=True)
    assert frame.shape == (10, 3 + 3 + 3 + 4)
    assert frame["score"].max() == max(t.score for t in trials if t.score is not None)


@pytest.mark.filterwarnings("ignore:One or more of the:UserWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.parametrize("name", [name for name in ASSETS if f"version-{FORMAT}" in name])
def test_sample_journals_resume(name, path):
    content = (subject.ASSETS / f"{name}.jsonl").read_bytes()
    path.write_bytes(content)
    search = subject.asset_search(name, path).set_params(error_score=np.nan)
    fitted = []
    fit, subject.Steady.fit = subject.Steady.fit, lambda *args: fitted.append(1) or fit(*args)
    try:
        search.fit(*subject.make_data())
    finally:
        subject.Steady.fit = fit
    assert len(fitted) == 1  # the refit
    assert path.read_bytes() == content
    choices = [trial.params["choice"] for trial in search.trials_]
    assert all(any(choice is other for other in subject.CHOICES) for choice in choices)
    assert str(load_trials(path)[search.best_index_].score) == str(search.best_score_)


@pytest.mark.parametrize("name", ["version-1", "version-1-several"])
def test_journal_of_version_1_is_not_resumed(name, path):
    content = (subject.ASSETS / f"{name}.jsonl").read_bytes()
    path.write_bytes(content)
    search = subject.asset_search(name, path)
    with pytest.raises(JournalMismatchError, match="older version.*as previous_studies to learn"):
        search.fit(*subject.make_data())
    assert path.read_bytes() == content
    assert not lock_files(path)


# ------------------------------------------------------------------------ resuming


def test_complete_journal_only_refits(make, numbered, log, kept, path, expected):
    search = make().fit(*numbered)
    assert len(log.fits) == 1
    assert outline(search) == expected
    assert path.read_bytes() == kept


@pytest.mark.parametrize("n_first", [1, 3])
def test_larger_budget_resumes(make, numbered, log, n_first, expected):
    make(n_iter=n_first).fit(*numbered)
    log.fits.clear()
    search = make().fit(*numbered)
    assert len(log.fits) == 1 + (N_TRIALS - n_first) * N_SPLITS
    assert outline(search) == expected


def test_smaller_budget_fits_nothing(make, numbered, log, kept, path):
    search = make(n_iter=2).fit(*numbered)
    assert len(log.fits) == 1
    assert len(search.trials_) == N_TRIALS
    assert path.read_bytes() == kept


def test_int_given_for_a_real_keeps_its_type(make, numbered, path):
    settings = {"space": {"x": (1e-3, 1e3, "log-uniform")}, "initial_params": [{"x": 3}, {"x": 7}]}
    expected = outline(make(journal=None, **settings).fit(*numbered))
    assert outline(make(**settings).fit(*numbered)) == expected
    assert outline(make(**settings).fit(*numbered)) == expected


@pytest.mark.parametrize("n_points", [1, 3])
def test_journal_cut_anywhere_resumes_to_the_same_result(make, numbered, log, path, n_points):
    settings = {"n_points": n_points, "n_iter": 5}
    expected = outline(make(journal=None, **settings).fit(*numbered))
    make(**settings).fit(*numbered)
    lines = path.read_bytes().splitlines(keepends=True)
    for n_lines in range(len(lines)):
        path.write_bytes(b"".join(lines[:n_lines]))
        n_known = sum("split" in record for record in read_lines(path))
        log.fits.clear()
        assert outline(make(**settings).fit(*numbered)) == expected
        assert len(log.fits) == 1 + 5 * N_SPLITS - n_known
        assert len(read_lines(path)) <= len(lines) + 1  # one more where a batch was taken over


@pytest.mark.parametrize(
    "stop", [{"target_score": 0.9}, {"n_iter_no_change": 2}, {"callbacks": "third"}], ids=str
)
def test_resumed_search_stops_where_it_stopped(make, numbered, path, stop):
    settings = {"n_points": 2, "n_iter": 20, "initial_params": [{"x": x} for x in (0.2, 0.65, 0.3)]}
    if "callbacks" in stop:
        stop = {"callbacks": lambda search, trial: trial.number == 2}
    expected = outline(make(journal=None, **settings, **stop).fit(*numbered))
    assert json.loads(expected)["reason"] != "n_iter"
    make(**settings, **stop).fit(*numbered)
    lines = path.read_bytes().splitlines(keepends=True)
    for n_lines in range(1, len(lines) + 1, 3):
        path.write_bytes(b"".join(lines[:n_lines]))
        assert outline(make(**settings, **stop).fit(*numbered)) == expected


def test_callbacks_get_earlier_trials_in_order(make, numbered, kept):
    seen = []
    make(callbacks=lambda _, trial: seen.append((trial.number, trial.score))).fit(*numbered)
    assert [number for number, _ in seen] == list(range(N_TRIALS))
    assert all(score is not None for _, score in seen)


def test_with_warm_start_each_fit_adds_to_the_journal(make, numbered, log, path):
    search = make(n_iter=2, warm_start=True).fit(*numbered)
    search.fit(*numbered)
    assert len(search.trials_) == len(load_trials(path)) == 4
    assert len(log.fits) == 4 * N_SPLITS + 2
    log.fits.clear()
    make().fit(*numbered)
    assert len(log.fits) == 1


# ------------------------------------------------------------------- other studies


class OtherProbe(subject.Steady):
    pass


@pytest.mark.filterwarnings("ignore:The scoring:UserWarning")
def test_another_study_is_refused_and_the_file_unchanged(
    make, probe, numbered, log, kept, path, search_class
):
    X, y = numbered
    others = {
        "space.branches.*0.1": make(space={"x": (0.2, 0.9, "uniform")}),
        "space.branches.*z": make(space=SPACE | {"z": [0, 1]}),
        "estimator.class": make(OtherProbe()),
        "estimator.params.z is 0 in the journal, 3 here": make(clone(probe).set_params(z=3)),
        "scoring": make(scoring="accuracy"),
        "scoring is null": make(scoring=["accuracy"], refit="accuracy"),
        "splits.n is 2 in the journal, 3 here": make(cv=3),
        "splits.hash": make(cv=KFold(2, shuffle=True, random_state=0)),
        "seed": make(random_state=1),
        "return_train_score": make(return_train_score=True),
        "error_score": make(error_score=0.0),
    }
    for name, search in others.items():
        with pytest.raises(JournalMismatchError, match=rf"another study: .*{name}"):
            search.fit(X, y)
    fits = [
        (r"data\.X\.hash", (X + 1, y), {}),
        (r"data\.X\.shape\[0\] is 30 in the journal, 28 here", (X[:28], y[:28]), {}),
        (r"data\.y\.hash", (X, 1 - y), {}),
        (r"data\.fit_params", (X, y), {"sample_weight": np.ones(30)}),
    ]
    for name, data, params in fits:
        with pytest.raises(JournalMismatchError, match=rf"another study: .*{name}"):
            make().fit(*data, **params)
    assert not log.fits
    assert path.read_bytes() == kept
    assert not lock_files(path)


def test_other_groups_are_refused(make, numbered):
    groups = np.arange(30) % 5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        make(cv=GroupKFold(2)).fit(*numbered, groups=groups)
        make(cv=GroupKFold(2)).fit(*numbered, groups=groups.copy())
        with pytest.raises(JournalMismatchError, match="fit_params"):
            make(cv=GroupKFold(2)).fit(*numbered, groups=groups + 1)


def test_irrelevant_changes_resume(make, probe, numbered, log, kept):
    same = [
        make(n_jobs=2),
        make(callbacks=lambda *_: None, verbose=0, max_time=100.0, n_points=3),
        make(clone(probe).set_params(x=0.123)),
        make(random_state=None),
        make(random_state=np.random.RandomState(5)),
        make(cv=StratifiedKFold(2)),
        make(initial_params=None),
        make(refit=True, target_score=9.0),
    ]
    for search in same:
        log.fits.clear()
        with joblib.parallel_config(backend="threading"):
            search.fit(*numbered)
        assert len(log.fits) == 1
        assert len(search.trials_) == N_TRIALS


def test_search_of_another_class_resumes(make, probe, numbered, log, path):
    shared = {"cv": N_SPLITS, "random_state": 0, "journal": path}
    BayesSearchCV(probe, SPACE, n_iter=N_TRIALS, **shared).fit(*numbered)
    first = load_trials(path)
    log.fits.clear()
    search = make(n_iter=8).fit(*numbered)
    assert len(log.fits) == 1 + (8 - N_TRIALS) * N_SPLITS
    assert [str(trial) for trial in search.trials_[:N_TRIALS]] == [str(trial) for trial in first]


class Nameless(subject.Steady):
    """Its text holds its place in memory."""

    def __repr__(self, N_CHAR_MAX=700):
        return object.__repr__(self)

    def __call__(self, estimator, X, y):
        return estimator.score(X, y)

    def method(self, estimator, X, y):
        return estimator.score(X, y)


def nameless_search(make, k):
    scorers = [
        Nameless(),
        Nameless().method,
        lambda estimator, X, y: estimator.score(X, y),
        functools.partial(subject.own_scorer),
    ]
    space = {"x": (0.1, 0.9, "uniform"), "choice": [Nameless(), object(), len, lambda: 0]}
    return make(Nameless(seconds=Zero()), space, scoring=scorers[k])


@pytest.mark.parametrize("freeze", [False, True])
def test_custom_distributions_are_compared_by_content(make, numbered, log, path, freeze):
    def search(values):
        dist = scipy.stats.rv_discrete(values=(values, [0.2, 0.8]))
        return make(space={"x": dist() if freeze else dist}, n_iter=2)

    first = search([0.25, 0.75]).fit(*numbered)  # alive, so that others have other places
    log.fits.clear()
    assert len(search([0.25, 0.75]).fit(*numbered).trials_) == len(first.trials_)
    assert len(log.fits) == 1
    with pytest.raises(JournalMismatchError, match=r"space\.branches\[0\]\.x\.opaque is .*0\.25"):
        search([0.25, 0.5]).fit(*numbered)


class Zero(float):
    __repr__ = object.__repr__


@pytest.mark.parametrize("k", range(4))
def test_memory_addresses_are_ignored(make, numbered, path, k):
    first = nameless_search(make, k).fit(*numbered)  # alive, so that all others have other places
    content = path.read_bytes()
    assert b"0x" not in content
    search = nameless_search(make, k).fit(*numbered)
    assert path.read_bytes() == content
    assert [t.score for t in search.trials_] == [t.score for t in first.trials_]


@pytest.mark.parametrize(
    "cv", [KFold(2, shuffle=True), ShuffleSplit(2), KFold(2, shuffle=True, random_state=RNG)]
)
def test_unseeded_splits_are_refused(make, numbered, log, path, cv):
    with pytest.raises(ValueError, match=r"makes other splits each time.*random_state"):
        make(cv=cv).fit(*numbered)
    assert not log.fits
    assert not path.exists()


@pytest.mark.parametrize("journal", [3, b"study.jsonl", ["study.jsonl"], True])
def test_invalid_journal_path_is_refused(make, numbered, log, journal):
    with pytest.raises(
        ValueError, match="journal' parameter of .* must be None or the path of a file"
    ):
        make(journal=journal).fit(*numbered)
    assert not log.fits


def test_records_are_synced_when_fits_are_long(make, numbered, path, monkeypatch):
    synced, fsync = [], os.fsync

    def watch(fd):
        synced.append(len(read_lines(path)))
        fsync(fd)

    monkeypatch.setattr(os, "fsync", watch)
    make().fit(*numbered)
    lines = read_lines(path)
    n_lines = len(lines)
    # Results are synced together with the next proposals, or else immediately.
    must = [n for n, record in enumerate(lines, 1) if {"journal", "asked"} & set(record)]
    assert synced == [*must, n_lines, n_lines]
    monkeypatch.setattr("sklearn_lepton._study.study._MIN_SYNC", 0.0)
    path.unlink()
    synced.clear()
    make().fit(*numbered)
    must = [n for n, record in enumerate(lines, 1) if "told" not in record]
    assert synced == [*must, n_lines, n_lines]


# -------------------------------------------------------------------------- sharing


def test_two_threads_share_the_trials(make, numbered, log, path):
    searches = [make(n_iter=12) for _ in range(2)]
    threads = [threading.Thread(target=search.fit, args=numbered) for search in searches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for search in searches:
        assert [trial.number for trial in search.trials_] == list(range(12))
    left, right = (json.loads(outline(search)) for search in searches)
    assert left == right
    assert len({trial.point for trial in searches[0].trials_}) == 12
    assert len(log.fits) == 12 * N_SPLITS + 2
    assert not lock_files(path)


PROGRAM = "import journal_subject as s; s.{call}"


def run_subject(call):
    """Call a function in a process that does nothing else, and return what it prints."""
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(call=call)],
        env=sabotage.environment(),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert run.returncode == 0, run.stderr
    # Workers that are just starting when their search is killed print why they cannot.
    return json.loads([line for line in run.stdout.splitlines() if line.startswith("{")][-1])


@pytest.mark.thorough
def test_killed_searches_resume_to_the_same_result(tmp_path):
    found = run_subject(f"kill_at_random({str(tmp_path)!r}, 8, s.WAYS)")
    assert found["problems"] == []
    assert found["equal"] == found["searches"]
    assert found["kills"] == 8
    assert found["repeated"] == 0


@pytest.mark.thorough
def test_two_processes_share_the_trials(tmp_path):
    found = run_subject(f"run_together({str(tmp_path)!r}, 2, n_jobs=1, n_iter=20, seconds=0.005)")
    assert found["codes"] == [0, 0]
    assert found["numbers"] == found["seen"] == [list(range(20))] * 2
    assert (found["points"], found["fits"], found["again"], found["owners"]) == (20, 40, 0, 2)
    assert found["same"]
    assert found["locks"] == found["warnings"] == []
