"""BLAS threads: one for the numerics of a proposal, whatever the process uses elsewhere.

The matrices of a surrogate are small. Further threads of a BLAS library wait for work in a loop:
they take no time off a proposal and multiply its CPU time.

The limit holds for the whole process, so that fits in other threads have one BLAS thread, too,
for the milliseconds of a proposal.
"""

import os
import threading
from collections.abc import Callable
from functools import cache, wraps
from typing import ParamSpec, TypeVar

from threadpoolctl import ThreadpoolController

P = ParamSpec("P")
R = TypeVar("R")


@cache
def _controller() -> ThreadpoolController:
    """Return the BLAS libraries of this process, which takes 20 ms to read."""
    return ThreadpoolController().select(user_api="blas")


class _Turn:
    """The right to change the limit of the process, which one thread has at a time.

    The limit of a BLAS library holds for the process. If two blocks overlapped, the second one
    would store the limit of the first, and restore it when both are over.
    """

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Start with no holder: a forked child has none of the parent's threads."""
        self.lock = threading.Lock()


_turn = _Turn()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_turn.start)


def single_blas_thread(function: Callable[P, R]) -> Callable[P, R]:
    """Return a function during which BLAS libraries use one thread.

    While another thread is in such a function, the limit is already set and is left alone.

    Parameters
    ----------
    function : callable
        Must not be a generator function.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        lock = _turn.lock
        if not lock.acquire(blocking=False):
            return function(*args, **kwargs)
        try:
            with _controller().limit(limits=1):
                return function(*args, **kwargs)
        finally:
            lock.release()

    return call
