"""Output: text and warnings for the user, whose errors never end a search.

Standard output and standard error may be missing, closed, or arbitrary objects. All text and all
warnings of the package go through this module.
"""

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any


def write(text: str) -> None:
    """Write text to standard output, if possible."""
    stream = sys.stdout
    with suppress(Exception):
        try:
            stream.write(text)
        except UnicodeError:
            encoding = getattr(stream, "encoding", None) or "ascii"
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    with suppress(Exception):  # text of other code may be pending, too
        stream.flush()


def write_line(text: str) -> None:
    """Write a line to standard output, if possible."""
    write(f"{text}\n")


def is_terminal() -> bool:
    """Return whether standard output is a terminal, whose last line can be written over."""
    with suppress(Exception):
        return bool(sys.stdout.isatty())
    return False


def warn(message: str, category: type[Warning], stacklevel: int) -> None:
    """Warn as `warnings.warn` does, except for the errors of a broken standard error.

    Parameters
    ----------
    message : str
    category : type of Warning
    stacklevel : int
        That of `warnings.warn`: 1 is the caller.

    Raises
    ------
    Warning
        If the user's filters make errors of warnings.
    """
    try:
        warnings.warn(message, category, stacklevel=stacklevel + 1)
    except Warning:
        raise
    except Exception:  # noqa: BLE001, S110 - whatever the stream or a hook of the user's raises
        pass


class _Nowhere:
    """A stream that discards all text."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        pass


@contextmanager
def with_flushable_streams() -> Iterator[None]:
    """Run code that flushes standard output and error, such as loky's start of a process.

    A stream that cannot be flushed is replaced for that time.
    """
    replaced: dict[str, tuple[Any, _Nowhere]] = {}
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        try:
            stream.flush()
        except Exception:  # noqa: BLE001 - the stream may be any object
            replaced[name] = stream, _Nowhere()
            setattr(sys, name, replaced[name][1])
    try:
        yield
    finally:
        for name, (stream, stand_in) in replaced.items():
            if getattr(sys, name) is stand_in:
                setattr(sys, name, stream)


@contextmanager
def without_broken_stderr() -> Iterator[None]:
    """Remove a broken standard error while other code may warn.

    Python drops warnings if there is no standard error, but fails if it is closed.
    """
    broken = sys.stderr
    try:
        if broken is not None:
            broken.write("")
    except Exception:  # noqa: BLE001 - the stream may be any object
        sys.stderr = None
    try:
        yield
    finally:
        if sys.stderr is None:
            sys.stderr = broken


def text_of(value: Any, convert: Callable[[Any], str] = str) -> str:
    """Return the text of any value; the name of its class if it has none.

    Parameters
    ----------
    value : object
    convert : callable, default=str
        `str` or `repr`.
    """
    with suppress(Exception):
        return convert(value)
    return f"<{type(value).__name__}>"
