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
from sklearn_lepton.optimizers import GeneticOptimizer, RandomOptimizer
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

    def make(n_trials=6, known=(), window=None, optimizer=RandomOptimizer, **options):
        replay = open_it(path)
        optimizer = optimizer(SPACE, seed=0, **options)
        optimizer.tell(known)
        made.append(SharedStudy(optimizer, n_trials, replay, window=window))
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


def results(study):
    """Return the numbers of the trials that have finished since the last call."""
    study.tell([])  # reads what other processes have written
    return [trial.number for trial in iter(study.next_result, None)]


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
    assert results(right) == [1]
    assert results(right) == []
    finish(left, first)
    assert results(right) == [0]
    assert results(left) == [1, 0]
    assert results(left) == []


def test_unfinished_trials_of_a_dead_process_are_taken_over(make_study):
    left, right = make_study(), make_study()
    first, second, _ = left.ask(3)
    finish(left, second)
    left.record_split(first.number, 1, SplitResult.from_json(row(7.0)))
    left.close()
    assert results(right) == [1]
    assert numbers(right.ask(1)) == [0]
    assert set(right.split_results(0)) == {1}
    assert right.split_results(0)[1].scores == 7.0
    assert numbers(right.ask(2)) == [2]
    assert right.split_results(2) == {}
    assert numbers(right.ask(2)) == [3, 4]
    assert results(make_study()) == [1]


def test_finished_trials_of_a_dead_process_are_results(make_study):
    left = make_study()
    for trial in left.ask(2):
        finish(left, trial)
    left.close()
    right = make_study()
    assert results(right) == [0, 1]
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
    assert results(right) == [0]
    assert not right.wait()


def test_earlier_trials_are_added_to_the_journal(path, make_study):
    study = make_study()
    for trial in study.ask(2):
        finish(study, trial)
    study.close()
    known = study.optimizer.trials
    path.unlink()
    again = make_study(known=known)
    assert results(again) == []  # the callbacks have seen them
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


# -------------------------------------------------------------------------- window


def known_to_optimizer(study):
    return [trial.number for trial in study.optimizer.trials if trial.status != "pending"]


def test_result_is_recorded_at_once_and_told_in_its_turn(path, make_study):
    study = make_study(window=3)
    first, second, third = study.ask(9)
    for trial in (third, second):
        finish(study, trial)
    assert results(study) == []
    assert known_to_optimizer(study) == []
    assert numbers(study.finished()) == [1, 2]
    assert [trial.status for trial in load_trials(path)] == ["pending", "complete", "complete"]
    assert study.ask(9) == []
    assert not study.has_more
    finish(study, first)
    assert study.next_result().number == 0
    assert known_to_optimizer(study) == [0]
    assert study.has_more
    assert numbers(study.ask(9)) == [3]
    assert results(study) == [1, 2]
    assert numbers(study.ask(9)) == [4, 5]
    assert [study.rivals(n) for n in (2, 3, 5)] == [[], study.finished()[:1], study.finished()]


def test_journal_tells_what_a_proposal_knew(path, make_study):
    study = make_study(window=2)
    for trial in study.ask(2):
        finish(study, trial)
    for _ in range(2):
        study.next_result()
        for trial in study.ask(9):
            finish(study, trial)
    study.close()
    lines = map(json.loads, path.read_text().splitlines())
    known = {data["number"]: data.get("known") for line in lines for data in line.get("asked", ())}
    assert known == {0: None, 1: -1, 2: 0, 3: 1}
    again = make_study(window=2)
    assert [numbers(again.rivals(n)) for n in range(4)] == [[], [], [0], [0, 1]]


def run(study, n_steps):
    """Finish trials, the latest first, and propose others in between."""
    running, steps = study.ask(9), range(n_steps)
    for _ in steps:
        if running:
            finish(study, running.pop())
        elif study.next_result() is None:
            break
        running += study.ask(9)
    return [(trial.number, trial.point) for trial in study.optimizer.trials]


@pytest.mark.parametrize("n_steps", range(1, 18, 2))
def test_continued_search_makes_the_same_proposals(path, make_study, n_steps):
    options = {"optimizer": GeneticOptimizer, "surrogate": False, "n_initial_points": 2}
    whole = make_study(9, window=3, **options)
    expected = run(whole, 99)
    whole.close()
    path.unlink()
    killed = make_study(9, window=3, **options)
    run(killed, n_steps)
    killed.close()
    resumed = make_study(9, window=3, **options)
    assert known_to_optimizer(resumed) == []  # trials of the journal are told one by one
    assert run(resumed, 99) == expected
    assert known_to_optimizer(resumed) == list(range(9))


def test_living_processes_have_a_window_each(make_study):
    left, right = make_study(window=2), make_study(window=2)
    first, second = left.ask(9)
    assert numbers(right.ask(9)) == [2, 3]
    finish(left, second)
    assert results(left) == []
    assert results(right) == [1]
    assert known_to_optimizer(right) == [1]
    finish(left, first)
    assert results(left) == [0, 1]
    assert numbers(left.ask(9)) == [4, 5]


def test_inherited_trial_that_another_process_takes_leaves_the_window(make_study):
    dead = make_study(window=2)
    dead.ask(2)
    dead.close()
    left, right = make_study(window=2), make_study(window=2)
    first, _ = left.ask(9)
    assert numbers(right.ask(9)) == [2, 3]
    finish(left, first)
    assert results(right) == [0]
