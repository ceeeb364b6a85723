"""Locks: the same answers from each operating system; Windows is simulated by a fake msvcrt."""

import errno
import fcntl
import os
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from journal_subject import HEADER, STUDY, lock_files, trial_records, write_journal

from sklearn_lepton import load_trials
from sklearn_lepton._runtime import locks as locks_module
from sklearn_lepton._runtime.locks import (
    PosixLocks,
    WindowsLocks,
    choose_locks,
    is_locked,
    lock,
    unlock,
)
from sklearn_lepton._study.journal import Journal
from sklearn_lepton._study.opening import open_journal
from sklearn_lepton._study.study import SharedStudy
from sklearn_lepton.exceptions import JournalWarning
from sklearn_lepton.optimizers import BayesOptimizer
from sklearn_lepton.space import Space

SPACE = Space({"x": (0.0, 1.0, "uniform"), "c": ["a", 2, None]})


class FakeMsvcrt:
    """Answer as Windows does: exclusive locks of bytes at the file's position."""

    LK_UNLCK, LK_LOCK, LK_NBLCK = 0, 1, 2

    def locking(self, fd, mode, n_bytes):
        start = os.lseek(fd, 0, os.SEEK_CUR)
        assert n_bytes == 1
        assert start > os.fstat(fd).st_size, "locked bytes cannot be read by others"
        if mode == self.LK_UNLCK:
            fcntl.flock(fd, fcntl.LOCK_UN)
        elif mode == self.LK_LOCK:
            raise OSError(errno.EDEADLK, "Resource deadlock avoided")  # after ten seconds
        else:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise PermissionError(errno.EACCES, "Permission denied") from None


def refuse_open_files(monkeypatch):
    """Let nothing remove a file that is open, as on Windows."""
    unlink = os.unlink

    def remove(path, **options):
        for fd in Path("/dev/fd").iterdir():
            try:
                is_open = os.path.samestat(os.fstat(int(fd.name)), Path(path).stat())
            except OSError:
                continue
            if is_open:
                raise PermissionError(errno.EACCES, "The file is in use", str(path))
        unlink(path, **options)

    monkeypatch.setattr(os, "unlink", remove)


@pytest.fixture(params=["posix", "windows"])
def system(request, monkeypatch):
    if request.param == "windows":
        monkeypatch.setattr(locks_module, "_system_locks", lambda: WindowsLocks(FakeMsvcrt()))
        monkeypatch.delattr(os, "fchmod")
        monkeypatch.delattr(os, "fchown")
        refuse_open_files(monkeypatch)
    else:
        monkeypatch.setattr(locks_module, "_system_locks", lambda: PosixLocks(fcntl))
    return request.param


def use_without_locks(monkeypatch, number=errno.ENOLCK):
    def flock(fd, kind):
        raise OSError(number, os.strerror(number))

    kinds = {name: getattr(fcntl, name) for name in ("LOCK_SH", "LOCK_EX", "LOCK_NB", "LOCK_UN")}
    module = SimpleNamespace(flock=flock, **kinds)
    monkeypatch.setattr(locks_module, "_system_locks", lambda: PosixLocks(module))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "study.jsonl"


@pytest.fixture
def opened(path):
    """Open the same file again and again, as several processes do."""
    path.write_bytes(b"content")
    fds = []

    def open_file():
        fds.append(os.open(path, os.O_RDWR))
        return fds[-1]

    yield open_file
    for fd in fds:
        os.close(fd)


# ----------------------------------------------------------------------- the locks


@pytest.mark.parametrize(
    ("platform", "expected"),
    [("linux", PosixLocks), ("darwin", PosixLocks), ("win32", WindowsLocks)],
)
def test_locks_are_chosen_by_the_system(monkeypatch, platform, expected):
    monkeypatch.setitem(sys.modules, "msvcrt", FakeMsvcrt())
    assert type(choose_locks(platform)) is expected


def test_exclusive_lock_keeps_others_out_until_it_is_released(system, opened, path):
    left, right = opened(), opened()
    assert not is_locked(path)
    assert lock(left, path, wait=False)
    assert is_locked(path)
    assert not lock(right, path, wait=False)
    assert not lock(right, path, wait=False, shared=True)
    unlock(left)
    assert not is_locked(path)
    assert lock(right, path, wait=True)


def test_lock_ends_when_its_file_is_closed(system, opened, path):
    fd = os.open(path, os.O_RDWR) if path.exists() else opened()
    assert lock(fd, path, wait=True)
    os.close(fd)
    path.touch()
    assert not is_locked(path)


def test_checking_a_lock_leaves_it_free(system, opened, path):
    fd = opened()
    assert not is_locked(path)
    assert lock(fd, path, wait=False)


def test_locking_keeps_the_position_in_the_file(system, opened, path):
    fd = opened()
    os.lseek(fd, 3, os.SEEK_SET)
    assert lock(fd, path, wait=True)
    assert os.read(fd, 10) == b"tent"
    unlock(fd)
    assert os.lseek(fd, 0, os.SEEK_CUR) == 7


def test_waiting_for_a_lock_has_no_limit_on_windows(monkeypatch, opened, path):
    pauses = []

    def locking(fd, mode, n_bytes):
        assert mode == FakeMsvcrt.LK_NBLCK
        if len(pauses) < 10_000:
            raise PermissionError(errno.EACCES, "Permission denied")

    module = SimpleNamespace(locking=locking, LK_NBLCK=FakeMsvcrt.LK_NBLCK)
    monkeypatch.setattr(locks_module, "_system_locks", lambda: WindowsLocks(module))
    monkeypatch.setattr(locks_module, "time", SimpleNamespace(sleep=pauses.append))
    assert lock(opened(), path, wait=True)
    assert sum(pauses) > 60


def test_long_wait_for_a_lock_warns(system, opened, path, monkeypatch):
    monkeypatch.setattr(locks_module, "_LONG_WAIT", 0.05)
    told, left = threading.Event(), opened()
    assert lock(left, path, wait=True)

    def warn(message, category, stacklevel):
        assert category is JournalWarning
        assert f"lock of {str(path)!r}" in message
        told.set()
        unlock(left)  # as when the process is let run again

    monkeypatch.setattr(locks_module, "warn", warn)
    assert lock(opened(), path, wait=True)
    assert told.is_set()


def test_lock_that_is_free_starts_no_thread(system, opened, path, monkeypatch):
    monkeypatch.setattr(threading, "Timer", None)
    assert lock(opened(), path, wait=True)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
@pytest.mark.parametrize("wait", [True, False])
def test_file_system_without_locks_is_named_by_the_error(monkeypatch, opened, path, number, wait):
    use_without_locks(monkeypatch, number)
    with pytest.raises(OSError, match=r"cannot be locked.*give a path.*study\.jsonl") as caught:
        lock(opened(), path, wait=wait)
    assert caught.value.errno == number
    assert caught.value.filename == str(path)
    with pytest.raises(OSError, match="cannot be locked"):
        is_locked(path)


def test_windows_error_other_than_a_lock_elsewhere_is_raised(monkeypatch, opened, path):
    def locking(fd, mode, n_bytes):
        raise OSError(errno.EINVAL, "Invalid argument")  # of a drive without locks

    module = SimpleNamespace(locking=locking, LK_NBLCK=FakeMsvcrt.LK_NBLCK)
    monkeypatch.setattr(locks_module, "_system_locks", lambda: WindowsLocks(module))
    with pytest.raises(OSError, match=r"cannot be locked.*study\.jsonl"):
        lock(opened(), path, wait=True)


# --------------------------------------------------------------- a journal on each


def make_journal(path):
    journal = Journal(path)
    journal.create()
    return journal


def test_journal_is_read_and_written_on_each_system(system, path):
    write_journal(path, [HEADER, *trial_records(0)])
    assert [trial.status for trial in load_trials(path)] == ["complete"]
    with closing(make_journal(path)) as left, closing(make_journal(path)) as right:
        with left.lock():
            n_records = len(left.read())
            left.append([{"n": 1}])
        with right.lock():
            assert len(right.read()) == n_records + 1
        assert left.is_alive(right.writer)
        right.close()
        assert not left.is_alive(right.writer)
    assert not lock_files(path)


def test_traces_of_a_dead_writer_are_removed_on_each_system(system, path):
    dead = make_journal(path)
    fd, dead._liveness_fd = dead._liveness_fd, None
    os.close(fd)  # as the system does
    assert len(lock_files(path)) == 1
    make_journal(path).close()
    assert not lock_files(path)


def test_turns_exclude_each_other_on_each_system(system, path):
    order = []
    with closing(make_journal(path)) as left, closing(make_journal(path)) as right:

        def other():
            with right.lock():
                order.append("right")

        with left.lock():
            thread = threading.Thread(target=other)
            thread.start()
            time.sleep(0.05)
            order.append("left")
        thread.join()
    assert order == ["left", "right"]


def open_study(path):
    replay = open_journal(path, STUDY, seed=0, is_seed_given=True, space=SPACE)
    return SharedStudy(BayesOptimizer(SPACE, seed=0), 3, replay)


def test_study_takes_over_trials_of_a_dead_process_on_each_system(system, path):
    dead = open_study(path)
    [trial] = dead.ask(1)
    journal = dead._journal
    fd, journal._liveness_fd = journal._liveness_fd, None
    os.close(fd)
    with closing(open_study(path)) as study:
        assert [taken.params for taken in study.ask(1)] == [trial.params]
    assert not lock_files(path)


def test_journal_without_locks_is_refused_before_anything_is_written(monkeypatch, path):
    use_without_locks(monkeypatch)
    with pytest.raises(OSError, match=r"cannot be locked \(No locks.*study\.jsonl"):
        open_study(path)
    assert path.read_bytes() == b""
    assert not lock_files(path)


def test_journal_without_locks_can_be_read(monkeypatch, path):
    write_journal(path, [HEADER, *trial_records(0)])
    use_without_locks(monkeypatch)
    assert len(load_trials(path)) == 1


def test_study_continues_in_memory_when_locks_fail(monkeypatch, path):
    with closing(open_study(path)) as study, monkeypatch.context() as patch:
        use_without_locks(patch)
        with pytest.warns(JournalWarning, match=r"cannot be locked.*continues in memory"):
            assert len(study.ask(1)) == 1
