"""Locks of open files, which the operating system releases when their process dies."""

import errno
import os
import sys
import threading
import time
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Any, Protocol

from sklearn_lepton._runtime.output import warn
from sklearn_lepton.exceptions import JournalWarning

_LONG_WAIT = 60.0  # seconds
_POLL = 0.02  # seconds between two attempts where the system cannot wait
# Windows refuses to read or write locked bytes; this one lies far behind the end of any file.
_LOCKED_BYTE = 1 << 40


class FileLocks(Protocol):
    """The locks of one operating system, on open files given by their descriptors."""

    def acquire(self, fd: int, *, wait: bool, shared: bool) -> bool:
        """Lock an open file; return False if it is locked elsewhere and `wait` is False."""

    def release(self, fd: int) -> None:
        """Unlock an open file."""


class PosixLocks:
    """Locks by ``flock``, on Linux and macOS.

    Parameters
    ----------
    fcntl : module
    """

    def __init__(self, fcntl: Any) -> None:
        self._fcntl = fcntl

    def acquire(self, fd: int, *, wait: bool, shared: bool) -> bool:
        """Lock an open file; return False if it is locked elsewhere and `wait` is False."""
        kind = self._fcntl.LOCK_SH if shared else self._fcntl.LOCK_EX
        try:
            self._fcntl.flock(fd, kind if wait else kind | self._fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self, fd: int) -> None:
        """Unlock an open file."""
        self._fcntl.flock(fd, self._fcntl.LOCK_UN)


class WindowsLocks:
    """Locks by ``msvcrt.locking``; all of them are exclusive.

    Parameters
    ----------
    msvcrt : module
    """

    def __init__(self, msvcrt: Any) -> None:
        self._msvcrt = msvcrt

    def acquire(self, fd: int, *, wait: bool, shared: bool) -> bool:  # noqa: ARG002
        """Lock an open file; return False if it is locked elsewhere and `wait` is False."""
        while True:
            try:
                # Not LK_LOCK, which gives up after ten attempts in ten seconds.
                self._at_locked_byte(fd, self._msvcrt.LK_NBLCK)
            except OSError as error:
                if error.errno not in {errno.EACCES, errno.EDEADLK}:
                    raise
            else:
                return True
            if not wait:
                return False
            time.sleep(_POLL)

    def release(self, fd: int) -> None:
        """Unlock an open file."""
        self._at_locked_byte(fd, self._msvcrt.LK_UNLCK)

    def _at_locked_byte(self, fd: int, mode: int) -> None:
        """Call ``msvcrt.locking``, which acts at the file's position, and restore the position."""
        position = os.lseek(fd, 0, os.SEEK_CUR)
        os.lseek(fd, _LOCKED_BYTE, os.SEEK_SET)
        try:
            self._msvcrt.locking(fd, mode, 1)
        finally:
            os.lseek(fd, position, os.SEEK_SET)


def choose_locks(platform: str) -> FileLocks:
    """Return the locks of an operating system.

    Parameters
    ----------
    platform : str
        As in `sys.platform`.
    """
    if platform == "win32":
        return WindowsLocks(import_module("msvcrt"))
    return PosixLocks(import_module("fcntl"))


@cache
def _system_locks() -> FileLocks:
    return choose_locks(sys.platform)


def lock(fd: int, path: str | os.PathLike[str], *, wait: bool, shared: bool = False) -> bool:
    """Lock an open file until `unlock`, until it is closed, or until the process ends.

    Parameters
    ----------
    fd : int
        Descriptor of the open file. A shared lock needs a file open for reading, an
        exclusive one a file open for writing: network file systems ask for it.
    path : str or path-like
        Names the file in errors.
    wait : bool
        Whether to wait until the file is free, with a `JournalWarning` after a minute.
    shared : bool, default=False
        Whether several may hold the lock, unless one holds it exclusively. On Windows,
        all locks are exclusive.

    Returns
    -------
    is_locked : bool
        False if another open file has the lock and `wait` is False.

    Raises
    ------
    OSError
        If the file cannot be locked, as on a file system without locks.
    """
    locks = _system_locks()
    try:
        if locks.acquire(fd, wait=False, shared=shared):
            return True
        if not wait:
            return False
        warner = threading.Timer(_LONG_WAIT, _warn_of_wait, [path])
        warner.daemon = True
        with suppress(RuntimeError):  # no thread starts while the interpreter ends
            warner.start()
        try:
            return locks.acquire(fd, wait=True, shared=shared)
        finally:
            warner.cancel()
    except OSError as error:
        reason = (
            f"The file cannot be locked ({error.strerror or error}), as on some network file "
            "systems: give a path on a file system with locks, such as a local disk"
        )
        raise OSError(error.errno, reason, str(path)) from error


def _warn_of_wait(path: str | os.PathLike[str]) -> None:
    msg = (
        f"Another process has held the lock of {str(path)!r} for {_LONG_WAIT:.0f} s, and "
        "this one waits for it. If that process was stopped, as by Ctrl-Z, resume it or end it."
    )
    warn(msg, JournalWarning, stacklevel=2)


def unlock(fd: int) -> None:
    """Unlock an open file.

    Do not call it in a forked child, which shares the lock with its parent.
    """
    _system_locks().release(fd)


def is_locked(path: str | os.PathLike[str]) -> bool:
    """Return whether some open file, of this process or another, holds the exclusive lock.

    Parameters
    ----------
    path : str or path-like
        The file is only opened for reading, which works for files of other users, too.

    Raises
    ------
    OSError
        If the file does not exist, cannot be read, or cannot be locked.
    """
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # it may be a pipe
    try:
        is_free = lock(fd, path, wait=False, shared=True)
        if is_free:
            unlock(fd)
        return not is_free
    finally:
        os.close(fd)
