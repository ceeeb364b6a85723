"""The one loop: ask, evaluate, tell, yield."""

from collections.abc import Callable, Iterator

from sklearn_lepton._trial import Trial
from sklearn_lepton._typing import Evaluator
from sklearn_lepton.optimizers._base import Optimizer


def run_trials(
    optimizer: Optimizer,
    evaluator: Evaluator,
    *,
    n_trials: int,
    is_stopped: Callable[[], bool],
) -> Iterator[Trial]:
    """Run trials until the budget is used up, the space exhausted or a stop called.

    Parameters
    ----------
    optimizer : Optimizer
    evaluator : Evaluator
    n_trials : int
        Budget.
    is_stopped : callable
        Asked before each proposal. What runs by then still comes in.

    Yields
    ------
    trial : Trial
        Each finished trial. It has been told by then, with all that finished
        together with it, so that an early end loses nothing.
    """
    n_asked = 0
    try:
        while True:
            room = 0 if is_stopped() else min(evaluator.free(), n_trials - n_asked)
            asked = optimizer.ask(room) if room > 0 else []
            n_asked += len(asked)
            if asked:
                evaluator.submit(asked)
            more = not is_stopped() and n_asked < n_trials and len(asked) == max(room, 0)
            finished = evaluator.collect(more=more)
            optimizer.tell(finished)
            yield from finished
            if not finished and not (more and evaluator.free() > 0):
                return
    finally:
        optimizer.tell(evaluator.close())
