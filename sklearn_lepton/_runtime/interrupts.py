"""Interrupts: Ctrl-C ends a search once, and never cuts a step that must be completed.

Python calls the handler of SIGINT between two instructions of the main thread; the default handler
raises KeyboardInterrupt there. A second interrupt can cut the cleanup after the first. An interrupt
in compiled code that ignores errors is lost, together with the state that the code was building.
"""

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

# Seconds that further interrupts are held while the first one unwinds to the cleanup.
_MAX_UNWINDING = 1.0
# Seconds after which an interrupt ends a cleanup that hangs.
_MAX_CLEANUP = 10.0


class _Guard:
    """A temporary handler of SIGINT that decides when the original handler is called.

    Parameters
    ----------
    handler : callable
        The original handler.
    """

    def __init__(self, handler: Callable[[int, FrameType | None], Any]) -> None:
        self._handler = handler
        self._outer = _current.guard
        self._n_holds = 0  # nested blocks that must not be interrupted
        self._hold_time = 0.0
        self._raise_time: float | None = None  # of the latest KeyboardInterrupt
        self._is_pending = False
        self.is_temporary = False  # made for one hold, without a search

    def __call__(self, number: int, frame: FrameType | None) -> None:
        # An interrupt inside of this module's functions would leave a guard half installed.
        if _is_inside(frame) or self._holds():
            self._is_pending = True
        else:
            self._deliver(number, frame)

    def _holds(self) -> bool:
        now = time.monotonic()
        if self._n_holds:
            return now - self._hold_time < _MAX_CLEANUP
        return self._raise_time is not None and now - self._raise_time < _MAX_UNWINDING

    def _deliver(self, number: int = signal.SIGINT, frame: FrameType | None = None) -> None:
        """Call the original handler."""
        self._is_pending = False
        try:
            self._handler(number, frame)
        except KeyboardInterrupt:
            self._raise_time = time.monotonic()
            raise

    def install(self) -> None:
        """Replace the original handler."""
        signal.signal(signal.SIGINT, self)  # until it has, the original one may raise here
        _current.guard = self

    def remove(self) -> None:
        """Restore the original handler and deliver an interrupt that was held."""
        _current.guard = self._outer
        installed: object = signal.getsignal(signal.SIGINT)
        if installed is self:  # else another handler has been installed since
            signal.signal(signal.SIGINT, self._handler)
        if self._is_pending:
            self._deliver()

    def hold(self) -> None:
        """Hold interrupts from now on."""
        if not self._n_holds:
            self._hold_time = time.monotonic()
        self._n_holds += 1

    def release(self) -> None:
        """End a hold; the outermost one delivers an interrupt that was held."""
        self._n_holds -= 1
        if self._n_holds:
            return
        if self.is_temporary:
            self.remove()
        elif self._raise_time is not None:  # the search still unwinds, and `remove` delivers
            self._raise_time = time.monotonic()
        elif self._is_pending:
            self._deliver()

    def check(self) -> None:
        """Deliver an interrupt that was held, or raise one again that was dropped."""
        if self._raise_time is not None and not self._n_holds:
            self._raise_time = None
            self._is_pending = False
            raise KeyboardInterrupt
        if self._is_pending and not self._holds():
            self._deliver()


def _is_inside(frame: FrameType | None) -> bool:
    """Return whether this module's functions are among the running ones."""
    while frame is not None:
        if frame.f_globals is globals():
            return True
        frame = frame.f_back
    return False


class _Current:
    guard: _Guard | None = None  # the innermost one; only the main thread has guards


_current = _Current()


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _make_guard() -> _Guard | None:
    """Return a guard, or None if no Python function handles interrupts of this thread."""
    handler = signal.getsignal(signal.SIGINT) if _is_main_thread() else None
    return _Guard(handler) if callable(handler) else None


class Interrupts:
    """Let the first Ctrl-C end a search and hold further ones until the search has closed.

    A context manager that replaces the handler of SIGINT in the main thread, and restores it. An
    original handler that raises nothing is called for every signal.
    """

    def __enter__(self) -> Self:
        self._guard = _make_guard()
        if self._guard is not None:
            self._guard.install()
        return self

    def __exit__(self, *_: object) -> None:
        if self._guard is not None:
            self._guard.remove()


class _Uninterrupted:
    """A context manager that holds interrupts until the end of its block.

    There is one object of it: a call that makes another could itself be interrupted.
    """

    def __enter__(self) -> None:
        if not _is_main_thread():
            return
        if _current.guard is None:
            guard = _make_guard()
            if guard is None:
                return
            guard.is_temporary = True
            guard.hold()
            guard.install()
        else:
            _current.guard.hold()

    def __exit__(self, *_: object) -> None:
        guard = _current.guard
        if guard is not None and _is_main_thread():
            guard.release()


uninterrupted = _Uninterrupted()


def check_interrupts() -> None:
    """Raise KeyboardInterrupt if an interrupt of the running search was dropped or held."""
    if _current.guard is not None and _is_main_thread():
        _current.guard.check()
