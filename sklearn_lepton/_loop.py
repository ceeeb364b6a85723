"""The one loop: ask, evaluate, tell, yield."""

from collections.abc import Callable, Iterator
from typing import Any

from sklearn_lepton._study import Study
from sklearn_lepton._trial import Trial
from sklearn_lepton._typing import Callback, Evaluator
from sklearn_lepton.callbacks import NoImprovement, TargetScore


def run_trials(
    study: Study, evaluator: Evaluator, *, is_stopped: Callable[[], bool]
) -> Iterator[Trial]:
    """Run trials until the budget is used up, the space exhausted or a stop called.

    Parameters
    ----------
    study : Study
        What is asked for trials, and told what became of them.
    evaluator : Evaluator
    is_stopped : callable
        Asked before each proposal. What runs by then still comes in.

    Yields
    ------
    trial : Trial
        Each finished trial, those of an earlier process or another one included. It has
        been told by then, with all that finished together with it, so that an early end
        loses nothing.
    """
    try:
        while True:
            yield from study.news()
            room = 0 if is_stopped() else evaluator.free()
            asked = study.ask(room) if room > 0 else []
            if asked:
                evaluator.submit(asked)
            more = not is_stopped() and study.has_more
            finished = evaluator.collect(more=more)
            study.tell(finished)
            yield from finished
            is_idle = not finished and not (more and evaluator.free() > 0)
            if is_idle and not (room > 0 and study.wait()):
                return
    finally:
        study.tell(evaluator.close())


def callbacks_of(search: Any) -> list[Callback]:
    """Return a search's stopping rules and its own callbacks."""
    callbacks: list[Callback] = []
    if search.target_score is not None:
        callbacks.append(TargetScore(search.target_score))
    if search.n_iter_no_change is not None:
        callbacks.append(NoImprovement(search.n_iter_no_change, search.tol))
    if search.callbacks is not None:
        own = search.callbacks
        callbacks += [own] if callable(own) else list(own)
    return callbacks
