"""The journal file: checksums, locks and records."""

import errno
import json
import os
import subprocess
import sys
import threading
import time
import zlib
from contextlib import closing

import pytest
import sabotage
from journal_subject import HEADER, OTHER, STUDY, lock_files, trial_records, write_journal

from sklearn_lepton import load_trials
from sklearn_lepton._study import journal as journal_module
from sklearn_lepton._study.journal import Journal, differences
from sklearn_lepton._study.opening import open_journal
from sklearn_lepton.exceptions import JournalMismatchError, JournalWarning
from sklearn_lepton.space import Space

SPACE = Space({"x": (0.0, 1.0, "uniform"), "c": ["a", 2, None]})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "study.jsonl"


@pytest.fixture
def make_journal(path):
    """Make journals of the same file, as two processes have them."""
    made = []

    def make():
        made.append(Journal(path))
        made[-1].create()
        return made[-1]

    yield make
    for journal in made:
        journal.close()
    assert not lock_files(path)


def read(journal):
    with journal.lock():
        return journal.read()


def add(journal, *records):
    with journal.lock():
        new = journal.read()
        journal.append(records)
    return new


# ------------------------------------------------------------------------ the file


def test_each_line_is_json_with_a_chained_checksum(path):
    write_journal(path, [HEADER, *trial_records(0)])
    total = 0
    for line in path.read_bytes().splitlines(keepends=True):
        record = json.loads(line)
        body, check = line.rsplit(b', "check": ', 1)
        total = zlib.crc32(body + b"}", total)
        assert check == f'"{total:08x}"}}\n'.encode()
        assert record["check"] == f"{total:08x}"
    assert path.read_bytes().startswith(b'{"journal": "sklearn-lepton", "version": 2, ')


def test_writers_read_each_others_new_records(make_journal):
    left, right = make_journal(), make_journal()
    assert add(left, HEADER, {"n": 1}) == []
    assert add(right, {"n": 2}) == [HEADER, {"n": 1}]
    assert add(left, {"n": 3}) == [{"n": 2}]
    assert read(right) == [{"n": 3}]
    assert read(right) == []
    assert Journal(left.path).load() == [HEADER, {"n": 1}, {"n": 2}, {"n": 3}]


def test_turns_exclude_each_other(make_journal):
    left, right = make_journal(), make_journal()
    order = []

    def other():
        with right.lock():
            order.append("right")

    with left.lock():
        thread = threading.Thread(target=other)
        thread.start()
        time.sleep(0.1)
        order.append("left")
    thread.join()
    assert order == ["left", "right"]


def test_turn_that_raises_releases_the_lock(make_journal):
    left, right = make_journal(), make_journal()
    with pytest.raises(ZeroDivisionError), left.lock():
        raise ZeroDivisionError
    assert read(right) == []


@pytest.mark.parametrize("n_bytes", [0, 1, 40, 10_000])
@pytest.mark.parametrize("name", ["write", "fsync"])
def test_incomplete_write_is_undone(path, make_journal, monkeypatch, name, n_bytes):
    journal = make_journal()
    add(journal, HEADER)
    before, write = path.read_bytes(), os.write

    def fail(fd, data=b""):
        if name == "write" and n_bytes and not fail.is_full:
            fail.is_full = True
            return write(fd, data[:n_bytes])
        raise OSError(errno.ENOSPC, "No space left on device")

    fail.is_full = False
    with monkeypatch.context() as patch:
        patch.setattr(os, name, fail)
        if name == "write" and n_bytes == 10_000:
            add(journal, {"n": 1})  # all of it in one write
            before = path.read_bytes()
        else:
            with pytest.raises(OSError, match="No space"):
                add(journal, {"n": 1}, {"n": 2})
    assert path.read_bytes() == before
    add(journal, {"n": 3})
    assert read(make_journal())[-1] == {"n": 3}


def test_torn_line_is_removed_with_a_warning(path, make_journal):
    write_journal(path, [HEADER, {"n": 1}])
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"n": 2, "che')
    with pytest.warns(JournalWarning, match="is incomplete.*its 13 bytes"):
        assert Journal(path).load() == [HEADER, {"n": 1}]
    assert path.read_bytes() == whole + b'{"n": 2, "che'  # it was only looked at
    journal = make_journal()
    with pytest.warns(JournalWarning, match="its 13 bytes"):
        assert add(journal, {"n": 3}) == [HEADER, {"n": 1}]
    assert Journal(path).load()[1:] == [{"n": 1}, {"n": 3}]


FOREIGN = {
    "text": b"x,y\n1,2\n",
    "a word": b"study",
    "binary": bytes(range(256)),
    "null bytes": bytes(1000),
    "a pickle": b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00]\x94(K\x01K\x02e.",
    "empty line": b"\n",
    "other JSON": b'{"a": 1}\n',
    "other JSON without an end": b'{"a": 1}',
    "a list": b"[1, 2]\n",
    "another journal": b'{"journal": "something else", "version": 2}\n',
    "no check sum": b'{"journal": "sklearn-lepton", "version": 2}\n',
    "with a mark": b"\xef\xbb\xbf" + b'{"journal": "sklearn-lepton", "version": 2}\n',
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_foreign_file_is_refused_and_unchanged(path, content):
    path.write_bytes(content)
    arguments = {"seed": 0, "is_seed_given": False, "space": SPACE}
    for act in (load_trials, lambda path: open_journal(path, STUDY, **arguments)):
        with pytest.raises(JournalMismatchError, match=r"study\.jsonl'.*give"):
            act(path)
        assert path.read_bytes() == content
    assert not lock_files(path)


def test_newer_version_is_refused(path):
    write_journal(path, [{**HEADER, "version": 3}])
    with pytest.raises(JournalMismatchError, match="version 3.*reads versions up to 2.*newer"):
        load_trials(path)


def mangle_lines(lines):
    yield "repeated", [*lines[:3], lines[2], *lines[3:]]
    yield "removed", [*lines[:2], *lines[3:]]
    yield "swapped", [*lines[:2], lines[3], lines[2], *lines[4:]]
    yield "first removed", lines[1:]
    yield "first repeated", [lines[0], *lines]
    yield "the whole twice", lines * 2
    yield "empty line", [*lines[:2], b"\n", *lines[2:]]
    yield "line ends", [line.replace(b"\n", b"\r\n") for line in lines]
    yield "blanks", [line.replace(b", ", b",  ", 1) for line in lines]


def test_changed_lines_are_detected(path):
    write_journal(path, [HEADER, *trial_records(0), *trial_records(1)])
    lines = path.read_bytes().splitlines(keepends=True)
    write_journal(path, [HEADER, *trial_records(2), *trial_records(3)])
    others = path.read_bytes().splitlines(keepends=True)
    mixed = [
        ("mixed", [*lines[:5], *others[5:]]),
        ("one after the other", lines + others),
        ("by turns", [line for pair in zip(lines, others, strict=True) for line in pair]),
    ]
    for _, mangled in [*mangle_lines(lines), *mixed]:
        path.write_bytes(b"".join(mangled))
        pattern = r"study\.jsonl'.*(copy the first \d+ lines|give another path)"
        with pytest.raises(JournalMismatchError, match=pattern):
            load_trials(path)


def test_lines_above_the_damage_are_a_valid_journal(path):
    write_journal(path, [HEADER, *trial_records(0), *trial_records(1)])
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines).replace(b'"told": 1', b'"told": 0'))
    with pytest.raises(JournalMismatchError, match="Line 9.*copy the first 8 lines"):
        load_trials(path)
    path.write_bytes(b"".join(lines[:8]))
    assert [trial.status for trial in load_trials(path)] == ["complete", "pending"]


@pytest.mark.parametrize(
    ("there", "here", "found"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, ["a is 1 in the journal, 2 here"]),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, ["a.b[1] is 2 in the journal, 3 here"]),
        ({"a": [1]}, {"a": [1, 2]}, ["a is [1] in the journal, [1, 2] here"]),
        ({"a": 1}, {}, ["a is 1 in the journal, null here"]),
        ({}, {"b": "x"}, ['b is null in the journal, "x" here']),
        ({"a": 1}, {"a": 1.0}, ["a is 1 in the journal, 1.0 here"]),
        ({"a": True}, {"a": 1}, ["a is true in the journal, 1 here"]),
        ({"a": "y" * 99}, {"a": 1}, [f'a is "{"y" * 76}... in the journal, 1 here']),
    ],
)
def test_mismatch_message_names_the_differences(there, here, found):
    assert differences(there, here) == found


# ------------------------------------------------------------------------- writers


def test_writer_is_alive_until_it_closes(path, make_journal):
    left, right = make_journal(), make_journal()
    assert len(lock_files(path)) == 2
    assert left.is_alive(left.writer)
    assert left.is_alive(right.writer)
    right.close()
    right.close()
    assert not left.is_alive(right.writer)
    assert not right.is_alive(right.writer)
    assert not left.is_alive(OTHER)


@pytest.mark.skipif(os.name == "nt", reason="links need rights")
@pytest.mark.parametrize("kind", ["file", "folder", "relative"])
def test_writers_find_each_other_by_whatever_name_they_open_the_journal(
    path, make_journal, kind, tmp_path_factory, monkeypatch
):
    left = make_journal()
    place = tmp_path_factory.mktemp("elsewhere")
    other = place / "other.jsonl"
    if kind == "file":
        other.symlink_to(path)
    elif kind == "folder":
        (place / "link").symlink_to(path.parent)
        other = place / "link" / path.name
    else:
        monkeypatch.chdir(path.parent)
        other = path.name
    with closing(Journal(other)) as right:
        right.create()
        assert len(lock_files(path)) == 2
        assert left.is_alive(right.writer)
        assert right.is_alive(left.writer)
    assert not left.is_alive(right.writer)
    assert not list(place.glob("*.lock"))


def test_symbolic_link_to_no_file_makes_the_file_it_names(path, tmp_path_factory):
    link = tmp_path_factory.mktemp("elsewhere") / "link.jsonl"
    link.symlink_to(path)
    with closing(Journal(link)) as journal:
        journal.create()
        assert path.exists()
        assert len(lock_files(path)) == 1
    assert not lock_files(path)


@pytest.mark.skipif(not hasattr(os, "link"), reason="there are no hard links")
def test_journal_with_hard_links_is_refused_until_it_has_a_single_name(path, make_journal):
    first = make_journal()
    other = path.with_name("other.jsonl")
    os.link(path, other)
    for name in (path, other):
        with pytest.raises(JournalMismatchError, match="2 names .hard links.*copy the file"):
            Journal(name).create()
    assert add(first, HEADER) == []  # a process with the file open continues
    assert load_trials(other) == []
    other.unlink()
    assert read(make_journal()) == [HEADER]


DEATH = """
import os, sys
from sklearn_lepton._study.journal import Journal

journal = Journal(sys.argv[1])
journal.create()
print(journal.writer, flush=True)
if sys.argv[2] == "fork" and not os.fork():
    print("forked", flush=True)
    input()  # outlives its parent, as a worker of a pool may
    os._exit(0)
if sys.argv[2] == "in its turn":
    turn = journal.lock()
    turn.__enter__()
os.kill(os.getpid(), 9)
"""


@pytest.mark.thorough
@pytest.mark.parametrize("how", ["alone", "fork", "in its turn"])
def test_killed_writer_is_dead_and_leaves_no_trace(path, make_journal, how):
    command = [sys.executable, "-c", DEATH, str(path), how]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=sabotage.environment()) as process:
        owner = process.stdout.readline().decode().strip()
        assert process.wait() == -9
        if how == "fork":  # the child has closed its copy of the lock
            assert process.stdout.readline().decode().strip() == "forked"
        assert [owner in lock.name for lock in lock_files(path)] == [True]
        journal = make_journal()
        assert [journal.writer in lock.name for lock in lock_files(path)] == [True]
        assert not journal.is_alive(owner)
        assert read(journal) == []


@pytest.fixture
def other_user(path, monkeypatch):
    """Make a lock file of a process of another user, who lets nobody open it."""
    lock_file = path.with_name(f"{path.name}.{OTHER}.lock")
    lock_file.touch()
    open_file = os.open

    def refuse(name, flags, *args):
        if str(name) == str(lock_file):
            raise PermissionError(errno.EACCES, "Permission denied", str(name))
        return open_file(name, flags, *args)

    monkeypatch.setattr(os, "open", refuse)
    yield lock_file
    lock_file.unlink()


def test_process_of_another_user_is_waited_for_with_a_warning(other_user, path):
    with closing(Journal(path)) as journal:
        with pytest.warns(
            JournalWarning, match=rf"{OTHER}\.lock' cannot be read \(Permission.*until 60 minutes"
        ):
            assert journal.is_alive(OTHER)
        assert journal.is_alive(OTHER)  # warns once
        os.utime(other_user, (0, time.time() - 3700))
        assert not journal.is_alive(OTHER)
        assert other_user.exists()


def test_process_of_another_user_is_dead_after_an_hour_of_silence(other_user, path):
    os.utime(other_user, (0, time.time() - 7210))
    with (
        closing(Journal(path)) as journal,
        pytest.warns(JournalWarning, match="120 minutes ago, so this search"),
    ):
        assert not journal.is_alive(OTHER)


def test_writer_dates_its_lock_file_while_it_works(path, make_journal, monkeypatch):
    journal = make_journal()
    [lock_file] = lock_files(path)
    os.utime(lock_file, (0, 0))
    read(journal)
    assert lock_file.stat().st_mtime == 0
    monkeypatch.setattr(journal_module, "_HEARTBEAT", 0.0)
    read(journal)
    assert lock_file.stat().st_mtime > time.time() - 60


def test_lock_files_of_others_need_no_permission_to_write(make_journal, monkeypatch):
    left, right = make_journal(), make_journal()
    open_file = os.open

    def refuse(name, flags, *args):
        if str(name).endswith(".lock") and flags & (os.O_WRONLY | os.O_RDWR):
            raise PermissionError(errno.EACCES, "Permission denied", str(name))
        return open_file(name, flags, *args)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        assert left.is_alive(right.writer)
        right.close()
        assert not left.is_alive(right.writer)


def test_lock_files_are_as_readable_as_the_journal(path):
    before = os.umask(0o077)
    try:
        path.touch()
        path.chmod(0o664)
        with closing(Journal(path)) as journal:
            journal.create()
            [lock_file] = lock_files(path)
            assert lock_file.stat().st_mode & 0o777 == 0o664
    finally:
        os.umask(before)
