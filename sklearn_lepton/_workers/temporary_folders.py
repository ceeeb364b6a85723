"""Temporary folders: gone with their search, or at the latest with the next one after a kill.

Loky's tracker removes the folders of a process that is killed. If the tracker is killed as well,
as with a whole process group, the next search on this machine removes them. A file that their
process keeps locked says that they are in use.
"""

import contextlib
import os
import platform
import shutil
import stat
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from joblib.externals.loky.backend import resource_tracker

from sklearn_lepton._runtime.errors import describe_error
from sklearn_lepton._runtime.interrupts import uninterrupted
from sklearn_lepton._runtime.locks import lock

_PREFIX = "sklearn_lepton-"
_LOCK = "lock"
# As in joblib: a smaller /dev/shm is left to others.
_MIN_SHARED = 2_000_000_000
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - in memory, if there is one
_REMOVAL_PAUSES = (0.01, 0.05, 0.2, 0.5, 0.0)  # seconds after each attempt

# The folders of this process, and the descriptors of the files that it keeps locked in them.
_made: dict[Path, int | None] = {}


def list_places(*, in_memory: bool) -> list[Path]:
    """List the folders in which temporary folders can be made, the best first.

    Parameters
    ----------
    in_memory : bool
        Whether shared memory is one of them.

    Returns
    -------
    places : list of Path
        Joblib's choice, shared memory, the system's choice. All are absolute, and none has
        to exist.
    """
    places = []
    if chosen := os.environ.get("JOBLIB_TEMP_FOLDER"):
        places.append(Path(os.path.abspath(os.path.expanduser(chosen))))  # noqa: PTH100, PTH111
    if in_memory:
        with contextlib.suppress(OSError):
            is_open = os.access(_SHARED_MEMORY, os.W_OK)
            if is_open and shutil.disk_usage(_SHARED_MEMORY).free >= _MIN_SHARED:
                places.append(_SHARED_MEMORY)
    with contextlib.suppress(OSError):  # there may be none that can be written to
        places.append(Path(tempfile.gettempdir()))
    return places


def make_temporary_folder(
    kind: str = "",
    *,
    in_memory: bool = False,
    fill: Callable[[Path], None] = lambda _: None,
) -> Path:
    """Make a folder that only this user can read, where there is a place for it.

    Parameters
    ----------
    kind : str, default=""
        Part of its name.
    in_memory : bool, default=False
        Whether shared memory is one of the places.
    fill : callable, default does nothing
        Called with the folder to write into it. Where it raises OSError, as on a full disk, the
        next place is tried.

    Returns
    -------
    path : Path
        For `remove_folder`.

    Raises
    ------
    OSError
        If all places fail.
    """
    failures = []
    for place in list_places(in_memory=in_memory):
        path = None
        try:
            place.mkdir(parents=True, exist_ok=True)
            remove_stale_folders(place)
            with uninterrupted:
                path = _make_folder(place, kind)
            fill(path)
        except OSError as error:
            remove_folder(path)
            failures.append((place, error))
        except BaseException:
            remove_folder(path)
            raise
        else:
            return path
    tried = "; ".join(f"{place}: {describe_error(error)}" for place, error in failures)
    msg = (
        f"No temporary folder could be written ({tried or 'there is no place for one'}): set "
        "JOBLIB_TEMP_FOLDER or TMPDIR to a folder with enough room that can be written to."
    )
    raise OSError(failures[-1][1].errno if failures else None, msg)


def _make_folder(place: Path, kind: str) -> Path:
    """Make a folder that nobody else can have made, and mark it as in use."""
    path = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{kind}{os.getpid()}-", dir=place))
    _made[path] = None
    resource_tracker.register(str(path), "folder")
    # Others see the file only once it is locked.
    half = path / f"{_LOCK}.part"
    # Without a lock, as on some network file systems, nobody else removes it.
    with contextlib.suppress(OSError):
        _made[path] = descriptor = os.open(half, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(descriptor, platform.node().encode())
        if lock(descriptor, half, wait=False):
            half.rename(path / _LOCK)
    return path


def remove_folder(path: Path | None) -> None:
    """Remove a folder that `make_temporary_folder` has made.

    Windows removes no file that is open, and a worker that was killed takes a moment to
    close what it has mapped. A folder that stays is left to loky's tracker.
    """
    if path is None or path not in _made:
        return
    descriptor = _made.pop(path)
    if descriptor is not None:
        os.close(descriptor)
    for pause in _REMOVAL_PAUSES:
        shutil.rmtree(path, ignore_errors=True)
        if not path.exists():
            resource_tracker.unregister(str(path), "folder")
            return
        time.sleep(pause)


def remove_stale_folders(place: Path) -> None:
    """Remove the folders of killed processes of this user, whatever other searches start.

    Parameters
    ----------
    place : Path
        Where they are.
    """
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX) and _is_own_folder(Path(entry.path)):
                _remove_if_stale(Path(entry.path))


def _is_own_folder(path: Path) -> bool:
    """Return whether a path is a folder of this user, and no link to one."""
    try:
        found = path.lstat()
    except OSError:
        return False
    # Windows gives each user a place of their own, and each file the owner 0.
    is_own = not hasattr(os, "geteuid") or found.st_uid == os.geteuid()
    return is_own and stat.S_ISDIR(found.st_mode)


def _remove_if_stale(path: Path) -> None:
    """Remove a folder if nobody holds its lock; one without a lock may just be made."""
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with contextlib.suppress(OSError):
        descriptor = os.open(path / _LOCK, flags)
        try:
            # On a shared file system, other machines may know nothing of its locks.
            is_of_here = os.read(descriptor, 1000) == platform.node().encode()
            if path in _made or not is_of_here or not lock(descriptor, path / _LOCK, wait=False):
                return
            shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(descriptor)
        shutil.rmtree(path, ignore_errors=True)  # Windows removes no open file
