"""The choice of the best among finished trials."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.model_selection import (
    TimeSeriesSplit,
)

from sklearn_lepton._runtime.errors import describe_error
from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton._trials.ranking import ONE_SE, is_one_se, score_of, within_one_se
from sklearn_lepton._trials.statistics import standard_error
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._validation import is_real, is_whole, unknown_name
from sklearn_lepton.space._dimension import Categorical
from sklearn_lepton.space._frozen import thaw
from sklearn_lepton.space._space import Space
from sklearn_lepton.space._values import as_float, is_number

_AS_CHEAP = 1.5  # by so much the times of two equal fits may differ
Cost = Callable[[Trial], float]


class Choice(NamedTuple):
    """What was chosen where it is not simply the best mean score of the search.

    Attributes
    ----------
    row : int
        That in ``cv_results_``.
    score : float or None
        Mean score on the final splits; None if it was not scored there.
    """

    row: int
    score: float | None


def check_choice(
    complexity: Any, final_cv: Any, space: Space, *, refit: Any, scoring: Any, cv: Any
) -> None:
    """Raise ValueError if the parameters of the choice are out of range or contradict each other.

    Parameters
    ----------
    complexity, final_cv, refit, scoring, cv : object
        As for the searches.
    space : Space
    """
    if isinstance(refit, str) and not is_one_se(refit) and is_one_se(refit.lower()):
        raise ValueError(f"refit={refit!r} is no metric: write {ONE_SE!r}.")
    if complexity is not None:
        _check_complexity(complexity, refit, space)
    if final_cv is None:
        return
    is_count = is_whole(final_cv) and final_cv >= 2
    is_splits = hasattr(final_cv, "split") or isinstance(final_cv, Iterable)
    if not is_count and (not is_splits or isinstance(final_cv, str)):
        raise ValueError(
            "final_cv must be None, an integer of at least 2, a cross-validation generator "
            f"or an iterable of splits, got {final_cv!r}."
        )
    if callable(refit):
        raise ValueError(
            "final_cv decides which trial is chosen, and so does a callable refit, got "
            f"{refit!r}: set one of the two to its default."
        )
    if refit is False and isinstance(scoring, list | tuple | set | Mapping):
        raise ValueError(
            "With refit=False none is chosen by several metrics, so that final_cv has nothing "
            "to decide: set refit to the name of a metric, or final_cv=None."
        )
    if is_count and isinstance(cv, TimeSeriesSplit):
        raise ValueError(
            f"final_cv={final_cv} shuffles, which cv={cv!r} does not allow: give it a "
            "TimeSeriesSplit with other splits."
        )


def _check_complexity(complexity: Any, refit: Any, space: Space) -> None:
    if not (isinstance(complexity, str) or callable(complexity)):
        raise ValueError(
            "complexity must be None, the name of a parameter or a callable that takes the "
            f"parameters and returns a number, got {complexity!r}."
        )
    if not is_one_se(refit):
        raise ValueError(
            f"complexity={complexity!r} chooses within one standard error of the best, for which "
            f"refit must be {ONE_SE!r}, got {refit!r}: set it, or complexity=None."
        )
    if isinstance(complexity, str) and complexity not in set(space.names) - {""}:
        names = [name for name in space.names if name]
        raise ValueError(f"complexity names none of the space: {unknown_name(complexity, names)}")
    if callable(complexity):
        _number(complexity, space.from_point([0.5] * space.n_dims))


def simplest_of(close: Sequence[Trial], cost: Cost, *, tolerance: float = 1.0) -> Trial:
    """Return the simplest of trials, of equally simple ones the best, then the earliest.

    Parameters
    ----------
    close : sequence of Trial
    cost : callable
        Small for simple trials.
    tolerance : float, default=1.0
        Costs up to so many times the least are as good as that.

    Returns
    -------
    trial : Trial
    """
    costs = [cost(trial) for trial in close]
    least = min(costs)
    simple = [t for t, c in zip(close, costs, strict=True) if c <= tolerance * least]
    return min(simple, key=lambda t: (-score_of(t), t.number))


def cost_of(complexity: Any, space: Space) -> Cost:
    """Return what makes a trial simple: its time, one of its parameters, or a callable's word.

    Parameters
    ----------
    complexity : str, callable or None
    space : Space

    Returns
    -------
    cost : callable
        Takes a trial, returns a number, small for simple ones. A parameter that is a number
        counts by its value, another one by its place among the choices; trials without it
        come last.
    """
    if complexity is None:
        return mean_seconds
    if callable(complexity):
        return lambda trial: _number(complexity, trial.params)
    dimensions = [d for n, d in zip(space.names, space.dimensions, strict=True) if n == complexity]
    choices = [c for d in dimensions if isinstance(d, Categorical) for c in d.categories]

    def place(trial: Trial) -> float:
        if complexity not in trial.params:
            return float("inf")
        value = trial.params[complexity]
        if all(map(is_real, choices)):
            return as_float(value)
        for dimension in dimensions:
            try:
                return dimension.to_unit(value) * dimension.n_values
            except (TypeError, ValueError):
                continue
        return float("inf")

    return place


@ignore_float_errors
def mean_seconds(trial: Trial) -> float:
    """Return the mean time of a trial's fits with their scoring, had nothing been saved."""
    return float(np.mean([result.duration_from_scratch for result in trial.split_results]))


def _number(complexity: Callable[..., Any], params: Mapping[str, Any]) -> float:
    try:
        value = complexity(thaw(params))
    except Exception as error:
        raise ValueError(
            "complexity must return a number for each setting, and raised "
            f"{describe_error(error)} for {params!r}."
        ) from error
    if not is_number(value):
        raise ValueError(
            f"complexity must return a number for each setting, got {value!r} for {params!r}."
        )
    return as_float(value)


def choose(
    ranked: Sequence[Trial],
    finals: Mapping[int, Trial] | None = None,
    cost: Cost | None = None,
    *,
    ratio: float | None = None,
) -> Trial:
    """Choose among complete trials.

    The best of the search stays the best unless another leader overtakes it on the final
    splits by more than the `standard_error` of the differences: the greatest of a few means is
    mostly the luckiest one, and scores that decided nothing are honest ones.

    Parameters
    ----------
    ranked : sequence of Trial
        The best first.
    finals : mapping of int to Trial or None, default=None
        Some of them, by number, with their scores on the final splits instead.
    cost : callable or None, default=None
        What makes a trial simple, where the simplest within one standard error of the best
        is chosen. Only trials in `finals`, if there are any, by their scores there.
    ratio : float or None, default=None
        The `split_ratio` of the final splits; None is that of one k-fold cross-validation.

    Returns
    -------
    trial : Trial
    """
    finalists = [trial for trial in ranked if trial.number in (finals or {})]
    again = [(finals or {})[trial.number] for trial in finalists]
    if not finalists:
        finalists = again = list(ranked)
    elif len(again) > 1:
        first, *others = again
        better = [trial for trial in others if _overtakes(trial, first, ratio)]
        if better:
            first = max(better, key=score_of)
        again = [first, *[trial for trial in again if trial is not first]]
    numbers = {trial.number for trial in (within_one_se(again) if cost else again[:1])}
    close = [trial for trial in finalists if trial.number in numbers]
    if cost is None:
        return close[0]
    return simplest_of(close, cost, tolerance=_AS_CHEAP if cost is mean_seconds else 1.0)


@ignore_float_errors
def _overtakes(trial: Trial, best: Trial, ratio: float | None) -> bool:
    gains = np.subtract(trial.split_scores, best.split_scores)
    return bool(gains.mean() > standard_error(gains.tolist(), ratio))
