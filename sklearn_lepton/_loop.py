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
            if room > 0:
                asked = optimizer.ask(room)
                n_asked += len(asked)
                evaluator.submit(asked)
            finished = evaluator.collect()
            if not finished:
                return
            optimizer.tell(finished)
            yield from finished
    finally:
        optimizer.tell(evaluator.close())
