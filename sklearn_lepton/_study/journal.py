"""Journal: the append-only file that keeps a study, one JSON object a line.

Each line ends in a check sum of all that stands above it and of itself (CRC-32, which
takes the sum before as its start). A line that was changed, repeated, moved or left
out is found, whatever it says; a file cut off at the end of a line is a shorter study.
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

FORMAT = 2  # 1 knew objects by their texts, and can be read only
_KIND = "sklearn-lepton"
_START = f'{{"journal": "{_KIND}"'.encode()
_CHECKED = re.compile(rb'(.*), "check": "([0-9a-f]{8})"\}', re.DOTALL)
_OPEN_FLAGS: int = getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
_BLOCK = 1 << 20  # bytes
_MAX_LINE = 1 << 28  # bytes; a sparse file of a few bytes may have a line that fills the memory
_SIGN_OF_LIFE = 60.0  # seconds after which a writer dates its lock file anew
_MAX_SILENCE = 3600.0  # seconds without a sign of life; only where a lock cannot be looked at
Record = Mapping[str, Any]


class Journal:
    """An append-only file of records.

    Parameters
    ----------
    path : str or path-like

    Attributes
    ----------
    path : Path
    owner : str
        Names the one who writes, in eight hexadecimal digits. The lock on a file of that
        name is held until `close`, and given up by the system when the process dies.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()  # whatever folder a fit changes to
        self.owner = secrets.token_hex(4)
        self._end = 0
        self._sum = 0
        self._n_lines = 0
        self._identity: tuple[int, int] | None = None
        self._fd = -1
        self._real_path = self.path  # which every process finds, whatever links it follows
        self._presence: int | None = None
        self._sign_time = time.monotonic()
        self._unknown: set[str] = set()
        _journals.add(self)

    def create(self) -> None:
        """Make the file, unless there is one, and say that this writer is at work.

        The traces of writers that have died are removed.

        Raises
        ------
        OSError
            If the file or its folder cannot be written.
        JournalMismatchError
            If it is no regular file, or has several names.
        """
        os.close(_open_regular(self.path, os.O_RDWR | os.O_CREAT))
        self._real_path = Path(os.path.realpath(self.path))
        with self.turn():  # lest another one takes this writer for dead before it has its lock
            self._check_single_name()
            lock_file = self._presence_of(self.owner)
            try:
                fd = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
            except OSError as error:
                reason = f"No lock file can be made next to the journal ({error.strerror})"
                raise OSError(error.errno, reason, str(lock_file)) from error
            self._presence = fd
            self._open_to_readers(fd)
            lock(fd, lock_file, wait=True)
            self._sweep()

    def _check_single_name(self) -> None:
        """Raise if the file has hard links, by which processes would not find each other."""
        n_names = os.fstat(self._fd).st_nlink
        if n_names > 1:
            raise JournalMismatchError(
                f"The journal {str(self.path)!r} has {n_names} names (hard links): processes that "
                "open it by different names would run the same trials. Remove the other names, or "
                "copy the file and give the copy as journal; symbolic links are fine."
            )

    def _open_to_readers(self, fd: int) -> None:
        """Let whoever may read the journal read this lock file, too; only in a `turn`.

        Another user's process could not tell otherwise whether this one is alive.
        """
        journal = os.fstat(self._fd)
        with suppress(OSError, AttributeError):  # Windows has neither
            os.fchmod(fd, stat.S_IMODE(journal.st_mode) & 0o666)
            os.fchown(fd, -1, journal.st_gid)

    def _sweep(self) -> None:
        """Remove the traces of writers that have died; only in a `turn`."""
        traces = re.compile(re.escape(self._real_path.name) + r"\.([0-9a-f]{8})\.lock")
        with suppress(OSError):
            for trace in self._real_path.parent.iterdir():
                if traces.fullmatch(trace.name):
                    with suppress(OSError):
                        self._is_held(trace)

    def close(self) -> None:
        """Say that this writer is no longer at work."""
        if self._presence is not None:
            fd, self._presence = self._presence, None
            with suppress(OSError):
                os.close(fd)
            with suppress(OSError):
                self._presence_of(self.owner).unlink()  # Windows removes no open file
            # Whatever is there now, closing must not lose the results of a search.
            with suppress(OSError, JournalMismatchError), self.turn():
                os.fsync(self._fd)
                self._sweep()

    def is_alive(self, owner: str) -> bool:
        """Return whether a writer is alive; of one that is not, remove the traces.

        Warns
        -----
        JournalWarning
            If this cannot be known, as of another user's process whose lock file cannot be
            read. It is then taken for dead an hour after its last sign of life: at worst,
            trials run twice.
        """
        if owner == self.owner:
            return self._presence is not None
        presence = self._presence_of(owner)
        try:
            return self._is_held(presence)
        except OSError as error:
            reason = error.strerror or error
        try:
            silence = time.time() - presence.stat().st_mtime
        except FileNotFoundError:
            return False
        except OSError:
            silence = 0.0
        is_alive = silence < _MAX_SILENCE
        if owner not in self._unknown:
            self._unknown.add(owner)
            way_on = (
                f"it is waited for until {_MAX_SILENCE / 60:.0f} minutes after its last sign of "
                "life. If it is gone, remove that file."
                if is_alive
                else f"its last sign of life is {silence / 60:.0f} minutes old, so that its trials "
                "are run here."
            )
            msg = (
                f"Another process has trials of the journal {str(self.path)!r}, and whether it is "
                f"alive cannot be known from its lock file {presence.name!r} ({reason}): {way_on}"
            )
            warn(msg, JournalWarning, stacklevel=2)
        return is_alive

    def _is_held(self, presence: Path) -> bool:
        """Return whether a lock file is that of a writer alive; remove it if not.

        Raises
        ------
        OSError
            If this cannot be known.
        """
        try:
            if is_locked(presence):
                return True
        except FileNotFoundError:
            return False
        with suppress(OSError):
            presence.unlink()
        return False

    def _presence_of(self, owner: str) -> Path:
        return self._real_path.with_name(f"{self._real_path.name}.{owner}.lock")

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the lock of the file, in which it can be read and written.

        The file is opened anew each time, since only so a network file system shows what
        other machines have written.
        """
        self._fd = _open_regular(self.path, os.O_RDWR)
        try:
            lock(self._fd, self.path, wait=True)
            self._give_sign()
            yield
        finally:
            fd, self._fd = self._fd, -1
            if fd >= 0:  # not in a child forked here
                with suppress(OSError):
                    unlock(fd)
                os.close(fd)

    def _give_sign(self) -> None:
        """Date this writer's lock file, for those who may not read it."""
        now = time.monotonic()
        if self._presence is not None and now - self._sign_time > _SIGN_OF_LIFE:
            self._sign_time = now
            with suppress(OSError):
                os.utime(self._presence_of(self.owner))

    def close_after_fork(self) -> None:
        """Close what a forked child has of its parent, whose locks it would keep alive."""
        fds, self._fd, self._presence = (self._fd, self._presence), -1, None
        for fd in fds:
            if fd is not None and fd >= 0:
                os.close(fd)

    def read(self) -> list[Record]:
        """Return what has been written since the last call; only in a `turn`.

        A line cut short, as by a process that was killed while it wrote, is removed with
        a warning.

        Raises
        ------
        JournalMismatchError
            If a line is damaged, or the file is no journal or another one than before.
        """
        status = os.fstat(self._fd)
        identity = (status.st_dev, status.st_ino)
        # The sum of all that was read or written before stands there, unless it was overwritten.
        known = f'"{self._sum:08x}"}}\n'.encode() if self._n_lines else b""
        os.lseek(self._fd, self._end - len(known), os.SEEK_SET)
        if self._identity not in {None, identity} or os.read(self._fd, len(known)) != known:
            raise JournalMismatchError(
                f"The journal {str(self.path)!r} was replaced or cut while it was in use."
            )
        self._identity = identity
        records, torn = self._take_lines(_blocks(self._fd))
        if torn:
            os.ftruncate(self._fd, self._end)
        return records

    def _take_lines(self, blocks: Iterable[bytes]) -> tuple[list[Record], bool]:
        """Return the records of whole lines, and whether there is more than these."""
        records: list[Record] = []
        rest: list[bytes] = []
        n_rest = 0
        for block in blocks:
            first, *others = block.split(b"\n")
            rest.append(first)
            n_rest += len(first)
            if not records and self._n_lines == 0 and not _may_start(b"".join(rest)):
                self._decode(b"".join(rest))  # raises, before the rest of a foreign file is read
            for line in others:
                records.append(self._decode(b"".join(rest)))
                self._end += n_rest + 1
                self._n_lines += 1
                rest, n_rest = [line], len(line)
            if n_rest > _MAX_LINE:
                raise JournalMismatchError(
                    f"Line {self._n_lines + 1} of the journal {str(self.path)!r} is longer than "
                    f"{_MAX_LINE} bytes: no search has written it. The file has been left as it is."
                )
        if n_rest:
            msg = (
                f"The last line of the journal {str(self.path)!r} was cut short, as when a process "
                f"is killed while it writes: its {n_rest} bytes were ignored, and the affected "
                "fits will be repeated."
            )
            warn(msg, JournalWarning, stacklevel=2)
        return records, n_rest > 0

    def _decode(self, line: bytes) -> Record:
        name, number = str(self.path), self._n_lines + 1
        if number == 1 and not line.startswith(_START):
            raise JournalMismatchError(
                f"{name!r} is no journal of a search: its first line is {line[:60]!r}. It has been "
                "left as it is; give another path as journal."
            )
        match = _CHECKED.fullmatch(line)
        body = b"" if match is None else match[1] + b"}"
        if match is None or zlib.crc32(body, self._sum) != int(match[2], 16):
            way_on = (
                "give another path as journal."
                if number == 1
                else "to go on with the trials above, copy the first "
                f"{number - 1} lines to a new file and give that."
            )
            raise JournalMismatchError(
                f"Line {number} of the journal {name!r} is damaged: its check sum does not match "
                f"what stands there and above. The file has been left as it is; {way_on}"
            )
        self._sum = zlib.crc32(body, self._sum)
        try:
            record: Record = _DECODER.decode(body.decode())
        except (ValueError, RecursionError) as error:
            raise JournalMismatchError(
                f"Line {number} of the journal {name!r} is not valid JSON: {error}. The file has "
                "been left as it is; give another path as journal."
            ) from error
        if number == 1 and record.get("version") not in range(1, FORMAT + 1):
            version = brief(record.get("version"))
            raise JournalMismatchError(
                f"The journal {name!r} has version {version}, and this release of sklearn-lepton "
                f"reads up to version {FORMAT}: it needs a newer one."
            )
        return record

    def append(self, records: Sequence[Record], *, sync: bool = True) -> None:
        """Write records, all or none; only in a `turn`, after `read`.

        Parameters
        ----------
        records : sequence of dict
            In JSON types.
        sync : bool, default=True
            Whether to wait until they are on the disk, where they survive a loss of power.
            The end of the process they survive anyway.

        Raises
        ------
        OSError
            If they cannot be written.
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
        self._sum, self._end, self._n_lines = total, end, n_lines  # as one, for Ctrl-C

    def load(self) -> list[Record]:
        """Return all records of a file that is only looked at."""
        fd = _open_regular(self.path, os.O_RDONLY)
        try:
            with suppress(OSError):  # no lock where it is read only, by some file systems
                lock(fd, self.path, wait=True, shared=True)
            records, _ = self._take_lines(_blocks(fd))
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
    """Return the first line of a journal."""
    return {"journal": _KIND, "version": FORMAT, **content}


def differences(there: Any, here: Any, place: str = "") -> list[str]:
    """List in words where two JSON values differ."""
    if isinstance(there, dict) and isinstance(here, dict):
        if {"opaque", "hash"} <= there.keys() & here.keys() and there["hash"] == here["hash"]:
            return []  # the texts of a set, say, may differ
        return [
            text
            for name in [*there, *(here.keys() - there.keys())]
            for text in differences(
                there.get(name), here.get(name), f"{place}.{name}" if place else name
            )
        ]
    if isinstance(there, list) and isinstance(here, list) and len(there) == len(here):
        pairs = enumerate(zip(there, here, strict=True))
        return [text for k, (t, h) in pairs for text in differences(t, h, f"{place}[{k}]")]
    same = type(there) is type(here) and there == here
    return [] if same else [f"{place} is {brief(there)} in the journal, {brief(here)} here"]


def _open_regular(path: Path, flags: int) -> int:
    """Open a file; raise, instead of waiting or reading without end, if it is a pipe or device."""
    fd = os.open(path, flags | _OPEN_FLAGS, 0o666)
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode):
        return fd
    os.close(fd)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise JournalMismatchError(
        f"{str(path)!r} is a pipe, device or socket: give the path of a file as journal."
    )


def _blocks(fd: int) -> Iterator[bytes]:
    """Read an open file from its position to its end."""
    while block := os.read(fd, _BLOCK):
        yield block


def _may_start(start: bytes) -> bool:
    """Return whether a file that starts so may be a journal."""
    return start[: len(_START)] == _START[: len(start)]


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not allowed")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
