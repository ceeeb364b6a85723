"""A journal that is damaged, or fails in the middle of a search.

====================================  ==================================================
fault                                 what holds
====================================  ==================================================
cut anywhere                          a warning in mid-line, and the same result
a bit flipped, bytes overwritten      refused, or cut; never another result
odd rows with the right check sums    refused before anything is fitted
disk full, file gone or replaced      one warning, the result of a search without journal
no place to write to                  OSError before anything is fitted
====================================  ==================================================
"""

import errno
import os
import shutil
import warnings

import numpy as np
import pytest
from journal_subject import (
    asked,
    fitted,
    lock_files,
    outline,
    read_lines,
    row,
    told,
    write_journal,
)

from sklearn_lepton import BayesSearchCV, load_trials
from sklearn_lepton._study.journal import Journal
from sklearn_lepton.exceptions import JournalMismatchError, JournalWarning, SearchInterruptedWarning

SPACE = {"x": (0.1, 0.9, "uniform")}
EVERYWHERE = [pytest.mark.faults, pytest.mark.timeout(400)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "study.jsonl"


@pytest.fixture
def make(probe, path):
    def make_search(**settings):
        shared = {"n_iter": 3, "cv": 2, "random_state": 0, "journal": path}
        return BayesSearchCV(probe, SPACE, **(shared | settings))

    return make_search


@pytest.fixture
def expected(make, numbered, log):
    found = outline(make(journal=None).fit(*numbered))
    log.fits.clear()
    return found


@pytest.fixture
def kept(make, numbered, log, path, expected):
    """The bytes of the journal of a search that has ended."""
    make().fit(*numbered)
    log.fits.clear()
    return path.read_bytes()


@pytest.fixture
def check(make, numbered, log, path, kept, expected):
    """Check that a damaged journal is rejected unchanged, or is continued to the same result.

    Returns whether it was refused, and whether a warning told of a line that was left out.
    """

    def check_damaged(content):
        path.write_bytes(content)
        log.fits.clear()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                found = outline(make().fit(*numbered))
            except JournalMismatchError as error:
                assert "study.jsonl'" in str(error)  # noqa: PT017 - it need not be raised
                assert path.read_bytes() == content
                assert not log.fits
                found = None
        assert found in {None, expected}
        assert not lock_files(path)
        assert {warning.category for warning in caught} <= {JournalWarning}
        assert len(caught) <= 1
        return found is None, bool(caught)

    return check_damaged


def load_quietly(path):
    """Load a damaged journal, and return whether it was refused, and whether it warned."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            load_trials(path)
        except JournalMismatchError:
            return True, bool(caught)
    return False, bool(caught)


# --------------------------------------------------------------------- damaged files


def is_inside_a_line(kept, n_bytes):
    return not (n_bytes == 0 or kept[n_bytes - 1 : n_bytes] == b"\n")


@pytest.mark.thorough
def test_truncated_journal_loads(kept, path):
    for n_bytes in range(len(kept) + 1):
        path.write_bytes(kept[:n_bytes])
        assert load_quietly(path) == (False, is_inside_a_line(kept, n_bytes))
        assert path.read_bytes() == kept[:n_bytes]


def cuts(kept, step):
    ends = [n for n in range(len(kept)) if kept[n : n + 1] == b"\n"]
    return sorted({*range(0, len(kept), step), *ends, *(end + 1 for end in ends), 1, 12, 13, 14})


@pytest.mark.parametrize("step", [101, pytest.param(1, marks=EVERYWHERE)])
def test_truncated_journal_resumes_to_the_same_result(kept, check, path, step):
    for n_bytes in cuts(kept, step):
        assert check(kept[:n_bytes]) == (False, is_inside_a_line(kept, n_bytes))
        assert len(load_trials(path)) == 3


@pytest.mark.parametrize("step", [7, pytest.param(1, marks=EVERYWHERE)])
def test_journal_with_flipped_bit_does_not_load(kept, path, step):
    rng = np.random.default_rng(0)
    for place in range(0, len(kept), step):
        for bit in rng.permutation(8)[: 1 if step > 1 else 2]:
            damaged = bytearray(kept)
            damaged[place] ^= 1 << int(bit)
            path.write_bytes(damaged)
            is_end = place == len(kept) - 1 and b"\n" not in damaged[place:]
            assert load_quietly(path) == (not is_end, is_end)


@pytest.mark.parametrize("step", [97, pytest.param(1, marks=EVERYWHERE)])
def test_journal_with_flipped_bit_is_refused(kept, check, step):
    rng = np.random.default_rng(1)
    for place in [*range(0, len(kept), step), len(kept) - 1]:
        damaged = bytearray(kept)
        damaged[place] ^= 1 << int(rng.integers(8))
        is_end = place == len(kept) - 1
        assert check(bytes(damaged)) == (not is_end, is_end)


@pytest.mark.parametrize("n_times", [20, pytest.param(1500, marks=EVERYWHERE)])
def test_overwritten_journal_never_changes_the_result(kept, check, n_times):
    rng = np.random.default_rng(2)
    for _ in range(n_times):
        damaged = bytearray(kept)
        start, n_bytes = int(rng.integers(len(kept))), int(rng.integers(1, 200))
        what = rng.choice(["random", "null", "gone", "more", "copied", "end"])
        junk = rng.bytes(n_bytes)
        if what == "random":
            damaged[start : start + n_bytes] = junk
        elif what == "null":
            damaged[start : start + n_bytes] = bytes(n_bytes)
        elif what == "gone":
            del damaged[start : start + n_bytes]
        elif what == "more":
            damaged[start:start] = junk
        elif what == "copied":
            damaged[start:start] = kept[start : start + n_bytes]
        else:
            damaged += junk
        if bytes(damaged) == kept:
            continue
        is_refused, has_warned = check(bytes(damaged))
        assert is_refused or has_warned


def test_lines_in_another_order_are_refused(kept, check):
    rng = np.random.default_rng(3)
    lines = kept.splitlines(keepends=True)
    for _ in range(10):
        order = rng.permutation(len(lines))
        if list(order) != sorted(order):
            assert check(b"".join(lines[k] for k in order)) == (True, False)


def forged(kept, path, change):
    """Write a journal whose records were changed, and whose check sums are right."""
    path.write_bytes(kept)
    records = Journal(path).load()
    write_journal(path, change(records))
    return path.read_bytes()


ROWS = {
    "no fit_error": lambda row: row.pop("fit_error"),
    "no scores": lambda row: row.pop("test_scores"),
    "no time": lambda row: row.pop("score_time"),
    "a score of text": lambda row: row.update(test_scores="0.5"),
    "a score of a list": lambda row: row.update(test_scores=[0.5]),
    "several scores": lambda row: row.update(test_scores={"dict": {"a": 1.0}}),
    "an odd score": lambda row: row.update(test_scores={"float": "what"}),
    "an odd time": lambda row: row.update(fit_time=None),
    "an odd error": lambda row: row.update(fit_error=["error"]),
    "odd keys": lambda row: (row.clear(), row.update({"": 1})),
}


@pytest.mark.parametrize("change", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("n_lines", [4, 14])
def test_rows_without_results_are_refused(kept, check, path, change, n_lines):
    def change_records(records):
        change(next(r for r in records[n_lines - 1 :: -1] if "row" in r)["row"])
        return records[:n_lines]

    assert check(forged(kept, path, change_records)) == (True, False)


STRANGE = {
    "a split too few": lambda rs: [r for r in rs if r.get("split") != 1],
    "a split too many": lambda rs: [*rs[:3], fitted(0, 2), *rs[3:]],
    "a trial at another point": lambda rs: [rs[0], *forge_point(rs[1:], [1.5])],
    "a trial of two dimensions": lambda rs: [rs[0], *forge_point(rs[1:], [0.5, 0.5])],
    "a setting outside": lambda rs: [rs[0], *forge_params(rs[1:], {"x": 3.5})],
    "an owner elsewhere": lambda rs: [*rs, asked(9, by="../../x", point=[0.5])],
    "told before asked": lambda rs: [rs[0], told(0), *rs[1:]],
    "a row before asked": lambda rs: [rs[0], fitted(0, 0, row=row()), *rs[1:]],
    "no seed": lambda rs: [{k: v for k, v in rs[0].items() if k != "seed"}, *rs[1:]],
    "an unknown kind": lambda rs: [*rs, {"resumed": 1}],
    "a header again": lambda rs: [*rs, rs[0]],
}


def forge_point(records, point):
    records[0]["asked"][0]["point"] = point
    return records


def forge_params(records, params):
    records[0]["asked"][0]["params"] = params
    return records


@pytest.mark.parametrize("change", STRANGE.values(), ids=STRANGE)
def test_impossible_history_is_refused(kept, check, path, change):
    assert check(forged(kept, path, change)) == (True, False)


# ---------------------------------------------------------------------- failing disks


def break_after(monkeypatch, name, n_calls, n_bytes=0):
    """Let a call of the system fail for good, after it has worked a few times."""
    real, count = getattr(os, name), 0

    def broken(fd, *args):
        nonlocal count
        count += 1
        if count <= n_calls:
            return real(fd, *args)
        if count == n_calls + 1 and n_bytes:
            return real(fd, args[0][:n_bytes])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, name, broken)


@pytest.mark.thorough
@pytest.mark.parametrize("n_points", [1, 2])
@pytest.mark.parametrize(("name", "n_bytes"), [("write", 0), ("write", 30), ("fsync", 0)])
def test_full_disk_loses_only_the_journal(
    make, numbered, log, path, monkeypatch, name, n_bytes, n_points
):
    expected = outline(make(journal=None, n_points=n_points).fit(*numbered))
    for n_calls in range(1, 20):
        path.unlink(missing_ok=True)
        log.fits.clear()
        with monkeypatch.context() as patch, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            break_after(patch, name, n_calls, n_bytes)
            assert outline(make(n_points=n_points).fit(*numbered)) == expected
        assert len(log.fits) == 3 * 2 + 1
        if not caught:
            break
        assert [warning.category for warning in caught] == [JournalWarning]
        assert "No space left on device" in str(caught[0].message)
        assert "continues in memory" in str(caught[0].message)
        assert not lock_files(path)
        # The file is a journal that the same search can resume.
        load_trials(path)
        assert outline(make(n_points=n_points).fit(*numbered)) == expected
    assert 2 < n_calls < 19


@pytest.mark.parametrize("name", ["write", "fsync"])
def test_full_disk_at_the_start_raises(make, numbered, log, path, monkeypatch, name):
    with monkeypatch.context() as patch:
        break_after(patch, name, 0)
        with pytest.raises(OSError, match=r"No space left.*study\.jsonl"):
            make().fit(*numbered)
    assert not log.fits
    assert not lock_files(path)
    make().fit(*numbered)


def at_trial(number, act):
    def callback(search, trial):
        if trial.number == number:
            act()

    return callback


def replaced(path):
    content = path.read_bytes()
    path.rename(path.with_name("old"))
    path.write_bytes(content)


MISHAPS = {
    "deleted": lambda path: path.unlink(),
    "replaced": replaced,
    "emptied": lambda path: path.write_bytes(b""),
    "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
    "overwritten": lambda path: path.write_bytes(b"x" * 10_000),
    "added to": lambda path: path.write_bytes(path.read_bytes() + b"\nhello\n"),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "without its folder": lambda path: shutil.rmtree(path.parent),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "forged": lambda path: add(path, {"taken": [99], "by": "00c0ffee"}),
}


def add(path, record):
    journal = Journal(path)
    with journal.lock():
        journal.read()
        journal.append([record])


@pytest.mark.parametrize("mishap", MISHAPS.values(), ids=MISHAPS)
def test_search_ends_whatever_happens_to_the_file(make, numbered, log, path, expected, mishap):
    with pytest.warns(JournalWarning, match="study.jsonl' can no longer be used") as caught:
        search = make(callbacks=at_trial(0, lambda: mishap(path))).fit(*numbered)
    assert len(caught) == 1
    assert outline(search) == expected
    assert len(log.fits) == 3 * 2 + 1
    assert not lock_files(path)


def test_replaced_journal_is_not_written_to(make, numbered, path):
    with pytest.warns(JournalWarning, match="replaced or truncated"):
        make(callbacks=at_trial(0, lambda: path.write_bytes(b"x" * 10_000))).fit(*numbered)
    assert path.read_bytes() == b"x" * 10_000


def test_unopenable_file_loses_only_the_journal(make, numbered, path, monkeypatch, expected):
    open_ = os.open

    def refuse(name, *args, **kwargs):
        if str(name) == str(path):
            raise PermissionError(errno.EACCES, "Permission denied")
        return open_(name, *args, **kwargs)

    callback = at_trial(1, lambda: monkeypatch.setattr(os, "open", refuse))
    with pytest.warns(JournalWarning, match="Permission denied"):
        search = make(callbacks=callback).fit(*numbered)
    monkeypatch.undo()
    assert outline(search) == expected
    assert load_trials(path)[0].score == search.trials_[0].score


def test_records_appended_by_others_are_read(make, numbered, path, expected):
    search = make(callbacks=at_trial(0, lambda: add(path, {"taken": [0], "by": "00c0ffee"})))
    assert outline(search.fit(*numbered)) == expected


def test_unwritable_place_raises_before_the_first_fit(make, numbered, log, path, monkeypatch):
    for journal in (path / "no" / "folder.jsonl", path.parent):
        with pytest.raises(OSError, match="No such file|Is a directory"):
            make(journal=journal).fit(*numbered)
    open_ = os.open

    def refuse(name, flags, *args):
        if flags & os.O_CREAT:
            raise PermissionError(errno.EACCES, "Permission denied")
        return open_(name, flags, *args)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        with pytest.raises(PermissionError):
            make().fit(*numbered)
    assert not log.fits
    assert not lock_files(path)


def test_error_names_folder_without_lock_files(make, numbered, log, kept, path, monkeypatch):
    open_file = os.open

    def refuse(name, flags, *args):
        if str(name).endswith(".lock"):
            raise PermissionError(errno.EACCES, "Permission denied", str(name))
        return open_file(name, flags, *args)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        with pytest.raises(PermissionError, match="No lock file can be made next to the journal"):
            make().fit(*numbered)
    assert not log.fits
    assert path.read_bytes() == kept


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else True, reason="may do anything")
def test_read_only_file_raises_before_the_first_fit(make, numbered, log, kept, path):
    path.chmod(0o444)
    with pytest.raises(PermissionError):
        make().fit(*numbered)
    assert not log.fits
    assert len(load_trials(path)) == 3


# ------------------------------------------------------------------------ other ends


def test_error_or_interrupt_leaves_no_lock(make, numbered, log, path, expected):
    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(ZeroDivisionError):
        make(callbacks=at_trial(0, lambda: 1 / 0)).fit(*numbered)
    assert not lock_files(path)
    with pytest.warns(SearchInterruptedWarning):
        make(callbacks=at_trial(1, interrupt)).fit(*numbered)
    assert not lock_files(path)
    for bad in ({"n_iter": 0}, {"initial_params": [{"x": 9}]}, {"scoring": "no such"}):
        with pytest.raises(ValueError, match="n_iter|x|scoring"):
            make(**bad).fit(*numbered)
        assert not lock_files(path)
    assert outline(make().fit(*numbered)) == expected
    assert len(log.fits) == 3 * 2 + 3  # the refits after the error and Ctrl-C, and this one
    assert [sum(kind in record for record in read_lines(path)) for kind in ("asked", "told")] == [
        3
    ] * 2


def test_interrupted_fit_is_the_only_one_repeated(make, numbered, log, path, expected):
    log.interrupt_at = 4
    with pytest.warns(SearchInterruptedWarning):
        make().fit(*numbered)
    assert not lock_files(path)
    assert outline(make().fit(*numbered)) == expected
    assert len(log.fits) == 3 * 2 + 1 + 2
