"""Journal: the append-only file of a study, with one JSON object per line.

Each line ends with a checksum of itself and of all lines above: a CRC-32 that starts from the
checksum of the line above. It reveals lines that were changed, repeated, moved or deleted. A file
that was truncated at the end of a line is a valid, shorter study.
"""

import errno
import json
import os
import re
import secrets
import stat
import time
import weakref
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sklearn_lepton._runtime.locks import is_locked, lock, unlock
from sklearn_lepton._runtime.output import warn
from sklearn_lepton._study.schema import brief
from sklearn_lepton.exceptions import JournalMismatchError, JournalWarning

FORMAT = 2  # version 1 identified objects by their texts; it can only be read
_KIND = "sklearn-lepton"
_START = f'{{"journal": "{_KIND}"'.encode()
_CHECKED = re.compile(rb'(.*), "check": "([0-9a-f]{8})"\}', re.DOTALL)
_OPEN_FLAGS: int = getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
_BLOCK = 1 << 20  # bytes
_MAX_LINE = 1 << 28  # bytes; a line of a sparse file could fill the memory
_HEARTBEAT = 60.0  # seconds between two updates of a lock file's modification time
_MAX_SILENCE = 3600.0  # seconds without a heartbeat; only used where a lock cannot be read
Record = Mapping[str, Any]


class Journal:
    """An append-only file of records.

    Parameters
    ----------
    path : str or path-like

    Attributes
    ----------
    path : Path
    writer : str
        The id of this writer: eight hexadecimal digits. Its liveness lock is a lock file with
        the id in its name, locked until `close`; the system unlocks it if the process dies.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()  # a fit may change the working directory
        self.writer = secrets.token_hex(4)
        self._end = 0
        self._sum = 0
        self._n_lines = 0
        self._identity: tuple[int, int] | None = None
        self._fd = -1
        self._real_path = self.path  # without symbolic links: the same for every process
        self._liveness_fd: int | None = None
        self._heartbeat_time = time.monotonic()
        self._warned: set[str] = set()
        _journals.add(self)

    def create(self) -> None:
        """Create the file if it does not exist, and the liveness lock of this writer.

        Remove the lock files of dead writers.

        Raises
        ------
        OSError
            If the file or its folder cannot be written.
        JournalMismatchError
            If the path is not a regular file, or has several names.
        """
        os.close(_open_regular(self.path, os.O_RDWR | os.O_CREAT))
        self._real_path = Path(os.path.realpath(self.path))
        with self.lock():  # so that no other writer removes the lock file before it is locked
            self._check_single_name()
            lock_file = self._lock_file_of(self.writer)
            try:
                fd = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
            except OSError as error:
                reason = f"No lock file can be made next to the journal ({error.strerror})"
                raise OSError(error.errno, reason, str(lock_file)) from error
            self._liveness_fd = fd
            self._copy_permissions(fd)
            lock(fd, lock_file, wait=True)
            self._remove_stale_locks()

    def _check_single_name(self) -> None:
        """Raise an error if the file has hard links: their processes would not find each other."""
        n_names = os.fstat(self._fd).st_nlink
        if n_names > 1:
            raise JournalMismatchError(
                f"The journal {str(self.path)!r} has {n_names} names (hard links): processes that "
                "open it by different names would run the same trials. Remove the other names, or "
                "copy the file and give the copy as journal; symbolic links are fine."
            )

    def _copy_permissions(self, fd: int) -> None:
        """Give a lock file the permissions of the journal; needs `lock`.

        Otherwise, another user's process could not check whether this one is alive.
        """
        journal = os.fstat(self._fd)
        with suppress(OSError, AttributeError):  # Windows has neither function
            os.fchmod(fd, stat.S_IMODE(journal.st_mode) & 0o666)
            os.fchown(fd, -1, journal.st_gid)

    def _remove_stale_locks(self) -> None:
        """Remove the lock files of dead writers; needs `lock`."""
        names = re.compile(re.escape(self._real_path.name) + r"\.([0-9a-f]{8})\.lock")
        with suppress(OSError):
            for path in self._real_path.parent.iterdir():
                if names.fullmatch(path.name):
                    with suppress(OSError):
                        self._is_held(path)

    def close(self) -> None:
        """Release the liveness lock and remove its file."""
        if self._liveness_fd is not None:
            fd, self._liveness_fd = self._liveness_fd, None
            with suppress(OSError):
                os.close(fd)
            with suppress(OSError):
                self._lock_file_of(self.writer).unlink()  # Windows does not remove open files
            # An error here must not lose the results of the search.
            with suppress(OSError, JournalMismatchError), self.lock():
                os.fsync(self._fd)
                self._remove_stale_locks()

    def is_alive(self, writer: str) -> bool:
        """Return whether a writer is alive; remove the lock file of a dead one.

        Warns
        -----
        JournalWarning
            If the lock file cannot be read, as that of another user. The writer then counts as
            dead an hour after its last heartbeat; at worst, some trials run twice.
        """
        if writer == self.writer:
            return self._liveness_fd is not None
        lock_file = self._lock_file_of(writer)
        try:
            return self._is_held(lock_file)
        except OSError as error:
            reason = error.strerror or error
        try:
            silence = time.time() - lock_file.stat().st_mtime
        except FileNotFoundError:
            return False
        except OSError:
            silence = 0.0
        is_alive = silence < _MAX_SILENCE
        if writer not in self._warned:
            self._warned.add(writer)
            consequence = (
                f"this search waits for it until {_MAX_SILENCE / 60:.0f} minutes after its last "
                "heartbeat. If it has ended, remove that file."
                if is_alive
                else f"its last heartbeat was {silence / 60:.0f} minutes ago, so this search runs "
                "its trials."
            )
            msg = (
                f"Another process runs trials of the journal {str(self.path)!r}, but its lock file "
                f"{lock_file.name!r} cannot be read ({reason}): {consequence}"
            )
            warn(msg, JournalWarning, stacklevel=2)
        return is_alive

    def _is_held(self, lock_file: Path) -> bool:
        """Return whether a living writer holds a lock file; remove the file if not.

        Raises
        ------
        OSError
            If the lock file cannot be read.
        """
        try:
            if is_locked(lock_file):
                return True
        except FileNotFoundError:
            return False
        with suppress(OSError):
            lock_file.unlink()
        return False

    def _lock_file_of(self, writer: str) -> Path:
        return self._real_path.with_name(f"{self._real_path.name}.{writer}.lock")

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the file for reading and writing.

        The file is opened again each time: only then does a network file system show the records
        of other machines.
        """
        self._fd = _open_regular(self.path, os.O_RDWR)
        try:
            lock(self._fd, self.path, wait=True)
            self._send_heartbeat()
            yield
        finally:
            fd, self._fd = self._fd, -1
            if fd >= 0:  # a forked child has closed it already
                with suppress(OSError):
                    unlock(fd)
                os.close(fd)

    def _send_heartbeat(self) -> None:
        """Update the time of this writer's lock file, for processes that cannot read its lock."""
        now = time.monotonic()
        if self._liveness_fd is not None and now - self._heartbeat_time > _HEARTBEAT:
            self._heartbeat_time = now
            with suppress(OSError):
                os.utime(self._lock_file_of(self.writer))

    def close_after_fork(self) -> None:
        """Close the files in a forked child, which would keep its parent's locks alive."""
        fds, self._fd, self._liveness_fd = (self._fd, self._liveness_fd), -1, None
        for fd in fds:
            if fd is not None and fd >= 0:
                os.close(fd)

    def read(self) -> list[Record]:
        """Return the records that were written since the last call; needs `lock`.

        An incomplete last line, as of a process that was killed while it wrote, is removed with a
        warning.

        Raises
        ------
        JournalMismatchError
            If a line is damaged, or the file is not a journal, or it was replaced.
        """
        status = os.fstat(self._fd)
        identity = (status.st_dev, status.st_ino)
        # The bytes before the end position are the last checksum, unless the file was overwritten.
        known = f'"{self._sum:08x}"}}\n'.encode() if self._n_lines else b""
        os.lseek(self._fd, self._end - len(known), os.SEEK_SET)
        if self._identity not in {None, identity} or os.read(self._fd, len(known)) != known:
            raise JournalMismatchError(
                f"The journal {str(self.path)!r} was replaced or truncated while it was in use."
            )
        self._identity = identity
        records, is_incomplete = self._parse_lines(_blocks(self._fd))
        if is_incomplete:
            os.ftruncate(self._fd, self._end)
        return records

    def _parse_lines(self, blocks: Iterable[bytes]) -> tuple[list[Record], bool]:
        """Return the records of the complete lines, and whether an incomplete line follows."""
        records: list[Record] = []
        rest: list[bytes] = []
        n_rest = 0
        for block in blocks:
            first, *others = block.split(b"\n")
            rest.append(first)
            n_rest += len(first)
            if not records and self._n_lines == 0 and not _may_be_journal(b"".join(rest)):
                self._decode(b"".join(rest))  # raises an error before all of a foreign file is read
            for line in others:
                records.append(self._decode(b"".join(rest)))
                self._end += n_rest + 1
                self._n_lines += 1
                rest, n_rest = [line], len(line)
            if n_rest > _MAX_LINE:
                raise JournalMismatchError(
                    f"Line {self._n_lines + 1} of the journal {str(self.path)!r} is longer than "
                    f"{_MAX_LINE} bytes: no search wrote it. The file was not changed."
                )
        if n_rest:
            msg = (
                f"The last line of the journal {str(self.path)!r} is incomplete, as after a "
                f"process was killed while it wrote: its {n_rest} bytes were ignored, and the "
                "affected fits will be repeated."
            )
            warn(msg, JournalWarning, stacklevel=2)
        return records, n_rest > 0

    def _decode(self, line: bytes) -> Record:
        name, number = str(self.path), self._n_lines + 1
        if number == 1 and not line.startswith(_START):
            raise JournalMismatchError(
                f"{name!r} is not a journal of a search: its first line is {line[:60]!r}. The file "
                "was not changed; give another path as journal."
            )
        match = _CHECKED.fullmatch(line)
        body = b"" if match is None else match[1] + b"}"
        if match is None or zlib.crc32(body, self._sum) != int(match[2], 16):
            remedy = (
                "give another path as journal."
                if number == 1
                else f"to continue with the trials above, copy the first {number - 1} lines to a "
                "new file and give its path as journal."
            )
            raise JournalMismatchError(
                f"Line {number} of the journal {name!r} is damaged: its checksum does not match "
                f"the lines up to here. The file was not changed; {remedy}"
            )
        self._sum = zlib.crc32(body, self._sum)
        try:
            record: Record = _DECODER.decode(body.decode())
        except (ValueError, RecursionError) as error:
            raise JournalMismatchError(
                f"Line {number} of the journal {name!r} is not valid JSON: {error}. The file was "
                "not changed; give another path as journal."
            ) from error
        if number == 1 and record.get("version") not in range(1, FORMAT + 1):
            version = brief(record.get("version"))
            raise JournalMismatchError(
                f"The journal {name!r} has version {version}, but this release of sklearn-lepton "
                f"reads versions up to {FORMAT}: install a newer release, or give another path."
            )
        return record

    def append(self, records: Sequence[Record], *, sync: bool = True) -> None:
        """Write all records or none; needs `lock`, and `read` before it.

        Parameters
        ----------
        records : sequence of dict
            Records of JSON types.
        sync : bool, default=True
            Whether to wait until the records are on the disk, where they survive a power loss.
            They survive the end of the process in either case.

        Raises
        ------
        OSError
            If the records cannot be written.
        """
        lines, total = [], self._sum
        for record in records:
            body = json.dumps(record, allow_nan=False).encode()
            total = zlib.crc32(body, total)
            lines.append(body[:-1] + f', "check": "{total:08x}"}}\n'.encode())
            if len(lines[-1]) > _MAX_LINE:
                reason = f"A record has more than {_MAX_LINE} bytes"
                raise OSError(errno.EFBIG, reason, str(self.path))
        data = b"".join(lines)
        try:
            os.lseek(self._fd, self._end, os.SEEK_SET)
            written = 0
            while written < len(data):
                written += os.write(self._fd, data[written:])
            if sync:
                os.fsync(self._fd)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._fd, self._end)
            raise OSError(error.errno, error.strerror, str(self.path)) from error
        end, n_lines = self._end + len(data), self._n_lines + len(lines)
        self._sum, self._end, self._n_lines = (
            total,
            end,
            n_lines,
        )  # one statement, which Ctrl-C cannot interrupt halfway

    def load(self) -> list[Record]:
        """Return all records without changing the file."""
        fd = _open_regular(self.path, os.O_RDONLY)
        try:
            with suppress(OSError):  # some file systems have no locks for read-only files
                lock(fd, self.path, wait=True, shared=True)
            records, _ = self._parse_lines(_blocks(fd))
        finally:
            os.close(fd)
        return records


_journals: "weakref.WeakSet[Journal]" = weakref.WeakSet()


def _close_all_after_fork() -> None:
    for journal in list(_journals):
        journal.close_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_all_after_fork)


def header(content: Record) -> Record:
    """Return the first record of a journal."""
    return {"journal": _KIND, "version": FORMAT, **content}


def differences(recorded: Any, current: Any, place: str = "") -> list[str]:
    """Return a sentence for each difference of two JSON values: of a journal and of a search."""
    if isinstance(recorded, dict) and isinstance(current, dict):
        if {"opaque", "hash"} <= recorded.keys() & current.keys() and recorded["hash"] == current[
            "hash"
        ]:
            return []  # equal contents may have different texts, such as those of a set
        return [
            text
            for name in [*recorded, *(current.keys() - recorded.keys())]
            for text in differences(
                recorded.get(name), current.get(name), f"{place}.{name}" if place else name
            )
        ]
    if isinstance(recorded, list) and isinstance(current, list) and len(recorded) == len(current):
        pairs = enumerate(zip(recorded, current, strict=True))
        return [text for k, (t, h) in pairs for text in differences(t, h, f"{place}[{k}]")]
    same = type(recorded) is type(current) and recorded == current
    return [] if same else [f"{place} is {brief(recorded)} in the journal, {brief(current)} here"]


def _open_regular(path: Path, flags: int) -> int:
    """Open a regular file; raise an error for a pipe or a device, which could block."""
    fd = os.open(path, flags | _OPEN_FLAGS, 0o666)
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode):
        return fd
    os.close(fd)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise JournalMismatchError(
        f"{str(path)!r} is a pipe, device or socket: give the path of a regular file as journal."
    )


def _blocks(fd: int) -> Iterator[bytes]:
    """Yield the blocks of an open file from its position to its end."""
    while block := os.read(fd, _BLOCK):
        yield block


def _may_be_journal(start: bytes) -> bool:
    """Return whether the first bytes of a file can be those of a journal."""
    return start[: len(_START)] == _START[: len(start)]


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not allowed")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
