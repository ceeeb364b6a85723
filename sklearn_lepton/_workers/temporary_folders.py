"""Temporary folders of a search, which are removed even if the search is killed.

loky's resource tracker removes the folders of a killed process. If the tracker is killed as well,
as with a whole process group, the next search on this machine removes them. Each folder has a lock
file, which its process keeps locked while the folder is in use.
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

from sklearn_lepton._runtime.errors import describe_error
from sklearn_lepton._runtime.interrupts import uninterrupted
from sklearn_lepton._runtime.locks import lock
from sklearn_lepton._workers.joblib import track_folder, untrack_folder

_PREFIX = "sklearn_lepton-"
_LOCK = "lock"
# As in joblib, shared memory with less free space is not used.
_MIN_SHARED_MEMORY = 2_000_000_000  # bytes
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - of Linux
_REMOVAL_PAUSES = (0.01, 0.05, 0.2, 0.5, 0.0)  # seconds after each attempt

# The folders of this process, with the descriptors of their lock files.
_made: dict[Path, int | None] = {}


def list_places(*, in_memory: bool) -> list[Path]:
    """Return the parent folders for temporary folders, in order of preference.

    Parameters
    ----------
    in_memory : bool
        Whether to include shared memory.

    Returns
    -------
    places : list of Path
        ``JOBLIB_TEMP_FOLDER``, shared memory, the system's temporary folder. All paths are
        absolute, and none has to exist.
    """
    places = []
    if chosen := os.environ.get("JOBLIB_TEMP_FOLDER"):
        places.append(Path(os.path.abspath(os.path.expanduser(chosen))))  # noqa: PTH100, PTH111
    if in_memory:
        with contextlib.suppress(OSError):
            is_open = os.access(_SHARED_MEMORY, os.W_OK)
            if is_open and shutil.disk_usage(_SHARED_MEMORY).free >= _MIN_SHARED_MEMORY:
                places.append(_SHARED_MEMORY)
    with contextlib.suppress(OSError):  # the system may have no writable temporary folder
        places.append(Path(tempfile.gettempdir()))
    return places


def make_temporary_folder(
    kind: str = "",
    *,
    in_memory: bool = False,
    fill: Callable[[Path], None] = lambda _: None,
) -> Path:
    """Make a folder that only this user can read, in the first place where that succeeds.

    Parameters
    ----------
    kind : str, default=""
        Part of the folder's name.
    in_memory : bool, default=False
        Whether to try shared memory.
    fill : callable, default does nothing
        Called with the folder, to write files into it. If it raises OSError, as on a full disk,
        the next place is tried.

    Returns
    -------
    path : Path
        For `remove_folder`.

    Raises
    ------
    OSError
        If no place succeeds.
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
        f"No temporary folder could be written ({tried or 'no place is available'}): set "
        "JOBLIB_TEMP_FOLDER or TMPDIR to a writable folder with enough free space."
    )
    raise OSError(failures[-1][1].errno if failures else None, msg)


def _make_folder(place: Path, kind: str) -> Path:
    """Make a new folder with a locked lock file."""
    path = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{kind}{os.getpid()}-", dir=place))
    _made[path] = None
    track_folder(path)
    # The file gets its final name once it is locked, so that no other search takes it for stale.
    unlocked = path / f"{_LOCK}.part"
    # Some network file systems have no locks. A folder without one is never taken for stale.
    with contextlib.suppress(OSError):
        _made[path] = descriptor = os.open(unlocked, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(descriptor, platform.node().encode())
        if lock(descriptor, unlocked, wait=False):
            unlocked.rename(path / _LOCK)
    return path


def remove_folder(path: Path | None) -> None:
    """Remove a folder of `make_temporary_folder`.

    Windows does not remove open files, and a killed worker takes a moment to close its memory
    maps. A folder that cannot be removed is left to loky's resource tracker.
    """
    if path is None or path not in _made:
        return
    descriptor = _made.pop(path)
    if descriptor is not None:
        os.close(descriptor)
    for pause in _REMOVAL_PAUSES:
        shutil.rmtree(path, ignore_errors=True)
        if not path.exists():
            untrack_folder(path)
            return
        time.sleep(pause)


def remove_stale_folders(place: Path) -> None:
    """Remove the folders of this user's killed processes, while other searches may start.

    Parameters
    ----------
    place : Path
        Their parent folder.
    """
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX) and _is_own_folder(Path(entry.path)):
                _remove_if_stale(Path(entry.path))


def _is_own_folder(path: Path) -> bool:
    """Return whether a path is a folder of this user and not a symbolic link."""
    try:
        found = path.lstat()
    except OSError:
        return False
    # On Windows the temporary folder belongs to one user, and the owner of each file is 0.
    is_own = not hasattr(os, "geteuid") or found.st_uid == os.geteuid()
    return is_own and stat.S_ISDIR(found.st_mode)


def _remove_if_stale(path: Path) -> None:
    """Remove a folder whose lock file is not locked; a folder without one may be in the making."""
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with contextlib.suppress(OSError):
        descriptor = os.open(path / _LOCK, flags)
        try:
            # On a shared file system, locks of other machines may be invisible.
            is_of_this_machine = os.read(descriptor, 1000) == platform.node().encode()
            if (
                path in _made
                or not is_of_this_machine
                or not lock(descriptor, path / _LOCK, wait=False)
            ):
                return
            shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(descriptor)
        shutil.rmtree(path, ignore_errors=True)  # Windows needs the lock file closed
