"""A shared study: external results and the trials of dead processes."""

import errno
import json
import os
import time

import pytest
from journal_subject import (
    HEADER,
    ME,
    OTHER,
    STUDY,
    asked,
    final,
    fitted,
    lock_files,
    row,
    told,
    trial_records,
    write_journal,
)

from sklearn_lepton import load_trials
from sklearn_lepton._study.journal import header
from sklearn_lepton._study.opening import open_journal
from sklearn_lepton._study.study import SharedStudy
from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton.exceptions import JournalMismatchError, JournalWarning
from sklearn_lepton.optimizers import RandomOptimizer
from sklearn_lepton.space import Space

SPACE = Space({"x": (0.0, 1.0, "uniform"), "c": ["a", 2, None]})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "study.jsonl"


# -------------------------------------------------------------------------- replay

DEEP = json.loads("[" * 500 + "]" * 500)
GOOD = [asked(0), fitted(0, 0)]
EARLY = {"status": "pruned", "score": None}
ODD = {
    "nothing": [{}],
    "an unknown kind": [{"pruned": 1}],
    "asked of no list": [{"asked": 1, "by": ME}],
    "asked of numbers": [{"asked": [1], "by": ME}],
    "asked by nobody": [{"asked": asked(0)["asked"]}],
    "asked by a path": [asked(0, by="../../../etc")],
    "asked by a number": [asked(0, by=7)],
    "asked by a line": [asked(0, by=f"{ME}\n")],
    "asked twice": [asked(0), asked(0)],
    "asked twice at once": [asked(0, 0)],
    "no number": [asked(0, number=None)],
    "negative number": [asked(0, number=-1)],
    "number as text": [asked(0, number="0")],
    "number as float": [asked(0, number=0.0)],
    "number true": [asked(0, number=True)],
    "point outside": [asked(0, point=[0.5, 1.5])],
    "point not a number": [asked(0, point=[0.5, {"float": "nan"}])],
    "point of text": [asked(0, point=["a", "b"])],
    "no point": [asked(0, point=None)],
    "params of a list": [asked(0, params=[1, 2])],
    "params nested strangely": [asked(0, params={"x": {"a": 1, "b": 2}, "c": 2})],
    "meta of a number": [asked(0, meta=3)],
    "taken unknown": [asked(0), {"taken": [1], "by": OTHER}],
    "taken by a path": [asked(0), {"taken": [0], "by": "../a"}],
    "taken of nothing": [asked(0), {"taken": None, "by": OTHER}],
    "row of an unknown trial": [fitted(0, 0)],
    "row of no split": [asked(0), fitted(0, None)],
    "row of a split too many": [asked(0), fitted(0, 2)],
    "row of split -1": [asked(0), fitted(0, -1)],
    "row of split 1e999": [asked(0), fitted(0, 10**999)],
    "row of a list": [asked(0), fitted(0, 0, row=[1])],
    "empty row": [asked(0), fitted(0, 0, row={})],
    "row without fit_error": [
        asked(0),
        fitted(0, 0, row={k: v for k, v in row().items() if k != "fit_error"}),
    ],
    "fit_error of a number": [asked(0), fitted(0, 0, row=row(fit_error=3))],
    "score of text": [asked(0), fitted(0, 0, row=row("0.5"))],
    "score of nothing": [asked(0), fitted(0, 0, row=row(None))],
    "score too large": [asked(0), fitted(0, 0, row=row(10**400))],
    "scores of none": [asked(0), fitted(0, 0, row=row({"dict": {}}))],
    "scores of text": [asked(0), fitted(0, 0, row=row({"dict": {"a": "1"}}))],
    "scores of several and one": [
        asked(0),
        fitted(0, 0, row=row({"dict": {"a": 1.0}})),
        fitted(0, 1),
    ],
    "other metrics": [
        asked(0),
        fitted(0, 0, row=row({"dict": {"a": 1.0}})),
        fitted(0, 1, row=row({"dict": {"b": 1.0}})),
    ],
    "time of text": [asked(0), fitted(0, 0, row=row(fit_time="1 s"))],
    "worker of text": [asked(0), fitted(0, 0, row=row(worker="w"))],
    "final row of an unknown trial": [final(0, 0)],
    "final row of no split": [asked(0), final(0, None)],
    "final row of nameless splits": [asked(0), final(0, 0, splits=1)],
    "final row of text": [asked(0), final(0, 0, row=row("0.5"))],
    "empty final row": [asked(0), final(0, 0, row={})],
    "told unknown": [told(0)],
    "told without rows": [asked(0), told(0)],
    "told with a row too few": [*GOOD, told(0)],
    "told score of text": [*GOOD, fitted(0, 1), told(0, score="0.5")],
    "told score not finite": [*GOOD, fitted(0, 1), told(0, score=10**400)],
    "told status unknown": [*GOOD, fitted(0, 1), told(0, status="done")],
    "told complete without score": [*GOOD, fitted(0, 1), told(0, score=None)],
    "told split scores of text": [*GOOD, fitted(0, 1), told(0, split_scores="ab")],
    "told split scores too few": [*GOOD, fitted(0, 1), told(0, split_scores=[0.5])],
    "told seconds of text": [*GOOD, fitted(0, 1), told(0, seconds="1")],
    "told early without splits": [*GOOD, told(0, splits=[], estimate=[0.5, 0.1], **EARLY)],
    "told early of a split not run": [*GOOD, told(0, splits=[1], estimate=[0.5, 0.1], **EARLY)],
    "told early of a split twice": [*GOOD, told(0, splits=[0, 0], estimate=[0.5, 0.1], **EARLY)],
    "told early of all": [
        *GOOD,
        fitted(0, 1),
        told(0, splits=[0, 1], estimate=[0.5, 0.1], **EARLY),
    ],
    "told early complete": [*GOOD, told(0, splits=[0])],
    "told early, nothing expected": [*GOOD, told(0, splits=[0], **EARLY)],
    "told expected of all": [*GOOD, fitted(0, 1), told(0, estimate=[0.5, 0.1], **EARLY)],
    "told expected of text": [*GOOD, told(0, splits=[0], estimate=["a", "b"], **EARLY)],
    "told expected of one": [*GOOD, told(0, splits=[0], estimate=[0.5], **EARLY)],
    "told expected with std below 0": [*GOOD, told(0, splits=[0], estimate=[0.5, -1.0], **EARLY)],
    "told expected and failed": [
        *GOOD,
        told(0, splits=[0], estimate=[0.5, 0.1], **(EARLY | {"status": "failed"})),
    ],
    "told a list": [*GOOD, fitted(0, 1), told(0) | {"told": [0]}],
    "deep": [{"asked": DEEP, "by": ME}],
    "deep value": [asked(0, params={"x": DEEP, "c": 2})],
}
ODD_IN_SPACE = {
    "point too short": [asked(0, point=[0.5])],
    "point too long": [asked(0, point=[0.5, 0.5, 0.5])],
    "number outside": [asked(0, params={"x": 1.5, "c": 2})],
    "not a number": [asked(0, params={"x": {"float": "nan"}, "c": 2})],
    "infinite": [asked(0, params={"x": {"float": "inf"}, "c": 2})],
    "no choice": [asked(0, params={"x": 0.5, "c": 7.5})],
}


def check_refused(act, path):
    before = path.read_bytes()
    with pytest.raises(JournalMismatchError, match=r"study\.jsonl"):
        act()
    assert path.read_bytes() == before
    assert not lock_files(path)


def open_it(path):
    return open_journal(path, STUDY, seed=0, is_seed_given=True, space=SPACE)


@pytest.mark.parametrize("records", ODD.values(), ids=ODD)
def test_odd_records_are_refused(path, records):
    write_journal(path, [HEADER, *records])
    check_refused(lambda: load_trials(path), path)
    check_refused(lambda: open_it(path), path)


@pytest.mark.parametrize("records", ODD_IN_SPACE.values(), ids=ODD_IN_SPACE)
def test_settings_outside_the_space_are_refused(path, records):
    write_journal(path, [HEADER, *records])
    check_refused(lambda: open_it(path), path)


ODD_HEADERS = {
    "no seed": {"study": STUDY},
    "seed of text": {"seed": "0", "study": STUDY},
    "negative seed": {"seed": -1, "study": STUDY},
    "no study": {"seed": 0},
    "study of a list": {"seed": 0, "study": [1]},
    "no splits": {"seed": 0, "study": {**STUDY, "splits": None}},
    "deep": {"seed": 0, "study": {**STUDY, "metric": DEEP}},
    "ratio of text": {"seed": 0, "study": STUDY, "ratio": "0.25"},
    "negative ratio": {"seed": 0, "study": STUDY, "ratio": -0.25},
    "negative number of disjoint splits": {"seed": 0, "study": STUDY, "n_disjoint": -1},
    "ratio of a list": {"seed": 0, "study": STUDY, "ratio": [0.25]},
}


@pytest.mark.parametrize("content", ODD_HEADERS.values(), ids=ODD_HEADERS)
@pytest.mark.parametrize("is_seed_given", [True, False])
def test_odd_headers_are_refused(path, content, is_seed_given):
    write_journal(path, [header(content), asked(0)])
    arguments = {"seed": 0, "is_seed_given": is_seed_given, "space": SPACE}
    check_refused(lambda: open_journal(path, STUDY, **arguments), path)


LAYOUT = {"ratio": 0.25, "n_disjoint": 5}


def test_journal_without_split_ratio_is_resumed(path):
    write_journal(path, [HEADER, *trial_records(0)])
    arguments = {"seed": 0, "is_seed_given": True, "space": SPACE}
    replay = open_journal(path, STUDY, **arguments, layout=LAYOUT)
    replay.journal.close()
    assert replay.ratio is replay.n_disjoint is None
    assert [trial.score for trial in load_trials(path)] == [0.5]


def test_new_journal_has_the_split_layout(path):
    arguments = {"seed": 0, "is_seed_given": True, "space": SPACE}
    for _ in range(2):
        replay = open_journal(path, STUDY, **arguments, layout=LAYOUT)
        replay.journal.close()
        assert (replay.ratio, replay.n_disjoint) == (0.25, 5)


def test_repeated_result_keeps_the_first(path):
    write_journal(path, [HEADER, *trial_records(0), fitted(0, 1, row=row(9.0)), told(0, score=9.0)])
    [trial] = load_trials(path)
    assert (trial.score, trial.split_results[1].scores) == (0.5, 0.5)


# --------------------------------------------------------------------------- study


@pytest.fixture
def make_study(path):
    """Make studies of the same journal, as two searches have them."""
    made = []

    def make(n_trials=6, known=()):
        replay = open_it(path)
        optimizer = RandomOptimizer(SPACE, seed=0)
        optimizer.tell(known)
        made.append(SharedStudy(optimizer, n_trials, replay))
        return made[-1]

    yield make
    for study in made:
        study.close()
    assert not lock_files(path)


def numbers(trials):
    return [trial.number for trial in trials]


def finish(study, trial):
    results = [SplitResult.from_json(row())] * 2
    for split in range(2):
        study.record_split(trial.number, split, results[split])
    study.tell([trial.complete(0.5, split_scores=[0.5, 0.5], split_results=results, duration=0.1)])


def test_asked_trial_is_not_given_to_another_process(make_study):
    left, right = make_study(), make_study()
    assert numbers(left.ask(2)) == [0, 1]
    assert numbers(right.ask(3)) == [2, 3, 4]
    assert numbers(left.ask(3)) == [5]
    assert not left.has_more
    assert right.ask(1) == []
    assert right.optimizer.trials == left.optimizer.trials


def test_results_of_living_processes_come_once(make_study):
    left, right = make_study(), make_study()
    first, second = left.ask(2)
    finish(left, second)
    assert numbers(right.external_results()) == [1]
    assert right.external_results() == []
    finish(left, first)
    assert numbers(right.external_results()) == [0]
    assert left.external_results() == []


def test_unfinished_batch_of_a_dead_process_is_taken_over_whole(make_study):
    left, right = make_study(), make_study()
    first, second, _ = left.ask(3)
    finish(left, second)
    left.record_split(first.number, 1, SplitResult.from_json(row(7.0)))
    left.close()
    assert right.external_results() == []  # held back
    assert numbers(right.ask(1)) == [0, 1, 2]
    assert set(right.split_results(0)) == {1}
    assert right.split_results(0)[1].scores == 7.0
    assert set(right.split_results(1)) == {0, 1}
    assert right.split_results(2) == {}
    assert numbers(right.ask(1)) == [3]
    assert numbers(make_study().external_results()) == [1]  # since they are of a living one now


def test_finished_batch_of_a_dead_process_is_external_result(make_study):
    left = make_study()
    for trial in left.ask(2):
        finish(left, trial)
    left.close()
    right = make_study()
    assert numbers(right.external_results()) == [0, 1]
    assert numbers(right.ask(1)) == [2]


def test_study_waits_for_living_processes_only(make_study):
    left, right = make_study(2), make_study(2)
    assert not left.wait()
    [trial] = left.ask(1)
    assert not left.wait()  # nobody else is at work
    assert right.ask(0) == []
    start = time.monotonic()
    assert right.wait()
    assert time.monotonic() - start < 1.0
    finish(left, trial)
    assert numbers(right.external_results()) == [0]
    assert not right.wait()


def test_earlier_trials_are_added_to_the_journal(path, make_study):
    study = make_study()
    for trial in study.ask(2):
        finish(study, trial)
    study.close()
    known = study.optimizer.trials
    path.unlink()
    again = make_study(known=known)
    assert again.external_results() == []  # the callbacks have seen them
    assert [(t.number, t.params, t.score) for t in load_trials(path)] == [
        (t.number, t.params, t.score) for t in known
    ]
    assert numbers(again.ask(1)) == [2]


def test_trials_told_without_journal_are_added_later(path, make_study):
    study = make_study()
    first, second = study.ask(2)
    finish(study, first)
    n_bytes = path.stat().st_size
    finish(study, second)
    study.close()
    known = study.optimizer.trials
    os.truncate(path, n_bytes)
    assert [trial.status for trial in load_trials(path)] == ["complete", "pending"]
    again = make_study(known=known)
    assert [trial.status for trial in again.optimizer.trials] == ["complete"] * 2
    assert [trial.status for trial in load_trials(path)] == ["complete"] * 2
    assert numbers(again.ask(1)) == [2]


def test_other_trials_of_the_same_number_are_refused(path, make_study):
    study = make_study()
    [trial] = study.ask(1)
    finish(study, trial)
    study.close()
    [other] = RandomOptimizer(SPACE, seed=1).ask(1)
    check_refused(lambda: make_study(known=[other.complete(1.0)]), path)


def test_study_continues_in_memory_if_the_journal_cannot_be_written(path, make_study, monkeypatch):
    study = make_study()
    before = path.read_bytes()

    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", refuse)
        with pytest.warns(JournalWarning, match="No space left.*continues in memory") as caught:
            [trial] = study.ask(1)
        assert len(caught) == 1
    finish(study, trial)
    assert numbers(study.ask(9)) == [1, 2, 3, 4, 5]
    assert not study.wait()
    assert path.read_bytes() == before
