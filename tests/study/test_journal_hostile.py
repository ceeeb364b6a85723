"""Journals that no search has written, with right check sums: refused, or read within bounds."""

import copy
import os
import time
import tracemalloc
import warnings

import journal_mutations as mutations
import journal_subject as subject
import numpy as np
import pytest
from journal_subject import HEADER, STUDY, asked, fitted, row, told

from sklearn_lepton import GeneticSearchCV, load_trials
from sklearn_lepton._study import study as study_module
from sklearn_lepton._study.journal import Journal
from sklearn_lepton.exceptions import JournalMismatchError, JournalWarning
from sklearn_lepton.importance import parameter_importance

MAX_SECONDS, MAX_BYTES = 5.0, 100e6


@pytest.fixture
def path(tmp_path):
    return tmp_path / "study.jsonl"


@pytest.fixture
def genetic(path):
    """Make genetic searches, whose journals say what each trial descends from."""

    def make(**settings):
        shared = {"n_iter": 14, "cv": 2, "random_state": 0, "journal": path}
        return GeneticSearchCV(subject.Steady(), subject.SPACE, **(shared | settings))

    return make


@pytest.fixture(scope="module")
def kept_records(tmp_path_factory):
    """The records of real journals, by name."""
    path = tmp_path_factory.mktemp("real") / "study.jsonl"
    settings = {"n_iter": 14, "cv": 2, "random_state": 0, "journal": path}
    search = GeneticSearchCV(subject.Steady(), subject.SPACE, **settings)
    search.fit(*subject.make_data())
    paths = {name: subject.ASSETS / f"{name}.jsonl" for name in ("version-2", "version-2-several")}
    return {name: Journal(of).load() for name, of in {"genetic": path, **paths}.items()}


@pytest.fixture
def records(kept_records):
    return copy.deepcopy(kept_records)


def report(path):
    from sklearn_lepton.report import write_report

    write_report(path, path.with_name("report.html"))


def importance(path):
    try:
        parameter_importance(path)
    except ValueError as error:
        if isinstance(error, JournalMismatchError) or "A surrogate needs at least" not in str(
            error
        ):
            raise


def is_refused(act, *args):
    """Return whether a call raises JournalMismatchError; no other error is caught."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            act(*args)
        except JournalMismatchError as error:
            assert "study.jsonl'" in str(error)  # noqa: PT017 - it need not be raised
            return True
    return False


@pytest.mark.parametrize(
    ("n_times", "seed"),
    [(25, 0), *(pytest.param(250, seed, marks=pytest.mark.thorough) for seed in range(1, 4))],
)
def test_journal_with_any_part_changed_is_refused_or_read(records, genetic, path, n_times, seed):
    pytest.importorskip("matplotlib")
    data, rng = subject.make_data(), np.random.default_rng(seed)
    n_read = 0
    for _ in range(n_times):
        name = str(rng.choice(sorted(records)))
        search = genetic() if name == "genetic" else subject.asset_search(name, path)
        mutated, what = mutations.mutate(records[name], rng)
        mutations.write_text(path, mutated)
        content, start = path.read_bytes(), time.perf_counter()
        is_read = not is_refused(load_trials, path)
        readers = [report, importance] if rng.random() < 0.2 or seed else []
        for read in readers:
            is_refused(read, path)
        n_read += is_read
        if not is_refused(search.fit, *data):
            assert is_read, what
            load_trials(path)
        else:
            assert path.read_bytes() == content
        assert not subject.lock_files(path)
        assert time.perf_counter() - start < MAX_SECONDS * (1 + len(readers)), what
    assert 0 < n_read < n_times


@pytest.mark.parametrize(
    "records",
    [
        [told(0)],
        [told(0, split_scores=[0.5] * 2, splits=[0])],
        [fitted(0, 0), told(0, splits=[0], score=None, status="pruned", estimate=[0.5, 0.1])],
        [fitted(0, 10**12 - 1)],
    ],
)
def test_number_of_splits_that_a_journal_states_costs_no_memory(path, records):
    study = {**STUDY, "splits": {"n": 10**12}}
    mutations.write_text(path, [{**HEADER, "study": study}, asked(0), *records])
    tracemalloc.start()
    try:
        is_refused(load_trials, path)
        assert tracemalloc.get_traced_memory()[1] < MAX_BYTES
    finally:
        tracemalloc.stop()


def change_study(**changes):
    def change(records):
        records[0]["study"].update(changes)

    return change


def change_row(**changes):
    def change(records):
        next(record for record in records if "row" in record)["row"].update(changes)

    return change


def change_meta(**changes):
    def change(records):
        trials = [trial for record in records for trial in record.get("asked", ())]
        next(trial for trial in trials if "parents" in trial["meta"])["meta"].update(changes)

    return change


def space_of(*dimensions):
    return {"branches": [{f"x{k}": dimension for k, dimension in enumerate(dimensions)}]}


RANGE = {"real": [0.0, 1.0], "log": False}
GEOMETRIC = {"distribution": "geom", "args": [0.01], "kwds": {}}
ODD = {
    "a worker of 1e30": change_row(worker=1e30),
    "a time without end": change_row(start_time=1e300),
    "a time of true": change_row(fit_time=True),
    "no rounds": change_row(n_rounds=-1),
    "a class that is no text": change_study(estimator={"class": 5, "params": {}}),
    "parameters in a list": change_study(estimator={"class": "a.b", "params": []}),
    "a shape of text": change_study(data={"X": {"type": "ndarray", "shape": "large"}}),
    "a shape below zero": change_study(data={"X": {"type": "ndarray", "shape": [-1]}}),
    "a metric of 3": change_study(metric=3),
    "no space of branches": change_study(space={"branches": 3}),
    "a dimension of text": change_study(space=space_of("uniform")),
    "a range of text": change_study(space=space_of({"real": ["a", "b"], "log": False})),
    "no choices": change_study(space=space_of({"categorical": [], "ordered": False})),
    "no such distribution": change_study(space=space_of({**GEOMETRIC, "distribution": "x"})),
    "arguments too many": change_study(space=space_of({**GEOMETRIC, "args": [0.1] * 9})),
    "parents of text": change_meta(parents=["a"]),
    "one parent": change_meta(parents=3),
    "a particle of text": change_meta(particle=-1),
}


@pytest.mark.parametrize("change", ODD.values(), ids=ODD)
def test_odd_content_is_refused_by_the_report(records, path, change):
    pytest.importorskip("matplotlib")
    change(records["genetic"])
    mutations.write_text(path, records["genetic"])
    with pytest.raises(JournalMismatchError, match=r"study\.jsonl' has an invalid record"):
        report(path)


LARGE = {
    "tables": space_of(*[GEOMETRIC] * 1000),
    "a table": space_of({"distribution": "betabinom", "args": [10**12, 3, 3], "kwds": {}}),
    "an array": space_of({"distribution": "irwinhall", "args": [10**12], "kwds": {}}),
    "branches": {"branches": [{"x": RANGE}] * 4000},
}


@pytest.mark.parametrize("space", LARGE.values(), ids=LARGE)
def test_space_too_large_to_be_made_from_a_file_is_asked_for(records, path, space):
    change_study(space=space)(records["genetic"])
    mutations.write_text(path, records["genetic"])
    with pytest.raises(JournalMismatchError, match=r"study\.jsonl' is too large.*Give the space"):
        parameter_importance(path)
    parameter_importance(path, space=subject.SPACE)


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (asked(0, by="me"), r'by is "me", expected a writer id of eight hexadecimal digits'),
        (asked(-1), r"asked\[0\]\.number is -1, expected a non-negative integer"),
        (asked(0, point=[2.0]), r"asked\[0\]\.point\[0\] is 2\.0, expected a number from 0 to 1"),
        ({"asked": 3, "by": subject.ME}, "asked is 3, expected a list"),
        ({"taken": [0], "by": subject.ME}, "there is no trial 0"),
        ({"trial": 0, "split": 0}, "row is missing"),
        (fitted(0, 0, row=row(worker=None)), r"row\.worker is null, expected the number of a"),
        ({"resumed": 1}, "it is of no known kind"),
    ],
)
def test_error_of_an_invalid_record_names_the_place_and_what_is_expected(path, record, problem):
    mutations.write_text(path, [HEADER, record])
    with pytest.raises(JournalMismatchError, match=f"has an invalid record.*: {problem}"):
        load_trials(path)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_constants_that_are_no_json_are_refused(path, text):
    mutations.write_text(path, [HEADER, asked(0, meta={"theta": [f"@{text}@"]})])
    with pytest.raises(JournalMismatchError, match=f"Line 2 .*not valid JSON: {text}"):
        load_trials(path)


def test_choices_that_cannot_be_hashed_are_read_in_linear_time(path, records):
    choices = {"categorical": [[k] for k in range(20_000)], "ordered": False}
    change_study(space=space_of(choices))(records["genetic"])
    mutations.write_text(path, records["genetic"])
    start = time.perf_counter()
    is_refused(importance, path)
    assert time.perf_counter() - start < MAX_SECONDS


def test_record_that_could_not_be_read_again_is_not_written(genetic, path, monkeypatch):
    expected = subject.outline(genetic(journal=None).fit(*subject.make_data()))
    make = study_module._encode_proposal

    def odd(trial, known):
        record = make(trial, known)
        return record if trial.number < 3 else record | {"meta": {"parents": [object()]}}

    monkeypatch.setattr(study_module, "_encode_proposal", odd)
    with pytest.warns(JournalWarning, match="can no longer be used: A record cannot be written"):
        search = genetic().fit(*subject.make_data())
    monkeypatch.undo()
    assert subject.outline(search) == expected
    assert len(load_trials(path)) == 3
    assert subject.outline(genetic().fit(*subject.make_data())) == expected


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
@pytest.mark.parametrize("kind", ["pipe", "null"])
def test_file_that_is_not_regular_is_refused_immediately(genetic, path, kind):
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(os.devnull)
    for act in (lambda: load_trials(path), lambda: genetic().fit(*subject.make_data())):
        with pytest.raises(JournalMismatchError, match="a pipe, device or socket"):
            act()
    assert not subject.lock_files(path)


@pytest.mark.parametrize("start", [b"", b'{"journal": "other", ', b"{"])
def test_large_foreign_file_is_refused_without_reading_all_of_it(path, start):
    path.write_bytes(start)
    os.truncate(path, 10**12)  # a sparse file, of which the disk holds a block at most
    with pytest.raises(JournalMismatchError, match="is not a journal"):
        load_trials(path)


def test_line_without_an_end_is_refused_before_it_fills_the_memory(path, monkeypatch):
    monkeypatch.setattr("sklearn_lepton._study.journal._MAX_LINE", 5 << 20)
    subject.write_journal(path, [HEADER])
    os.truncate(path, 10**12)
    with pytest.raises(JournalMismatchError, match="Line 2 .* is longer than"):
        load_trials(path)


def test_record_longer_than_any_line_may_be_is_not_written(path, monkeypatch):
    monkeypatch.setattr("sklearn_lepton._study.journal._MAX_LINE", 1000)
    subject.write_journal(path, [HEADER])
    before, journal = path.read_bytes(), Journal(path)
    with journal.lock():
        journal.read()
        with pytest.raises(OSError, match="more than 1000 bytes"):
            journal.append([{"told": "x" * 1000}])
    assert path.read_bytes() == before
