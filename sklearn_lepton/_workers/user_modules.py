"""The files of the user's modules that a worker process has loaded."""

import os
import sys
import sysconfig
from contextlib import suppress
from functools import cache

_State = tuple[int, int]  # time of change and size of a file
_UNKNOWN: _State = (-1, -1)  # of no file


class UserModules:
    """Tells whether modules that are not installed have changed since this process loaded them.

    A process imports a module once. Which ones a fit imports, only its own process knows.
    """

    def __init__(self) -> None:
        self._states: dict[str, _State] = {}
        self._n_modules = 0

    def note(self, since: int | None = None) -> None:
        """Remember the files of the modules that are new.

        Parameters
        ----------
        since : int or None, nanoseconds since the epoch
            Time before which none of them was loaded. A file that is younger may have changed
            after it was loaded.
        """
        if len(sys.modules) == self._n_modules:
            return
        self._n_modules = len(sys.modules)
        for module in list(sys.modules.values()):
            file = getattr(module, "__dict__", {}).get("__file__")
            if isinstance(file, str) and file not in self._states and not _is_installed(file):
                state = _state(file)
                if state is not None:  # a module in an archive has no file
                    is_young = since is not None and state[0] > since
                    self._states[file] = _UNKNOWN if is_young else state

    def have_changed(self) -> bool:
        """Return whether a new process would load other code."""
        return any(_state(file) != state for file, state in self._states.items())


def _state(file: str) -> _State | None:
    with suppress(OSError, ValueError):
        status = os.stat(file)  # noqa: PTH116 - hundreds of files
        return status.st_mtime_ns, status.st_size
    return None


@cache
def _is_installed(file: str) -> bool:
    return file.startswith(_installed_places())


@cache
def _installed_places() -> tuple[str, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return tuple({sysconfig.get_path(name) + os.sep for name in names})
