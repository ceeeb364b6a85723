"""Selection of the best trial: by its score, its complexity or its score on final splits."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.model_selection import (
    TimeSeriesSplit,
)

from sklearn_lepton._runtime.errors import describe_error
from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton._trials.ranking import (
    ENSEMBLE,
    ONE_SE,
    is_ensemble,
    is_one_se,
    score_of,
    within_one_se,
)
from sklearn_lepton._trials.statistics import standard_error
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._trials.untuned import is_untuned
from sklearn_lepton._validation import is_real, is_whole, unknown_name
from sklearn_lepton.space._dimension import Categorical
from sklearn_lepton.space._frozen import thaw
from sklearn_lepton.space._space import Space
from sklearn_lepton.space._values import as_float, is_number

# The times of two equal fits may differ by this factor.
_TIME_TOLERANCE = 1.5
Cost = Callable[[Trial], float]


class Choice(NamedTuple):
    """The chosen trial, if it is not simply the one with the best mean score.

    Attributes
    ----------
    row : int
        Row of the trial in ``cv_results_``.
    score : float or None
        Mean score on the final splits; None if the trial was not scored on them.
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
    if isinstance(refit, str) and not is_ensemble(refit) and is_ensemble(refit.lower()):
        raise ValueError(f"refit={refit!r} is no metric: write {ENSEMBLE!r}.")
    if complexity is not None:
        _check_complexity(complexity, refit, space)
    if final_cv is None:
        return
    is_count = is_whole(final_cv) and final_cv >= 2
    if is_ensemble(refit):
        raise ValueError(
            f"final_cv chooses one trial, but refit={refit!r} combines several by their "
            f"predictions on the splits of cv, got final_cv={final_cv!r}: set final_cv=None, or "
            "refit=True."
        )
    if callable(refit):
        raise ValueError(
            "final_cv decides which trial is chosen, and so does a callable refit, got "
            f"{refit!r}: set one of the two to its default."
        )
    if refit is False and isinstance(scoring, list | tuple | set | Mapping):
        raise ValueError(
            "With refit=False and several metrics no trial is chosen, so that final_cv has nothing "
            "to decide: set refit to the name of a metric, or final_cv=None."
        )
    if is_count and isinstance(cv, TimeSeriesSplit):
        raise ValueError(
            f"final_cv={final_cv} makes shuffled folds, but cv={cv!r} keeps the order of time: "
            "give final_cv a TimeSeriesSplit with other splits."
        )


def _check_complexity(complexity: Any, refit: Any, space: Space) -> None:
    if not is_one_se(refit):
        raise ValueError(
            f"complexity={complexity!r} chooses within one standard error of the best, for which "
            f"refit must be {ONE_SE!r}, got {refit!r}: set it, or complexity=None."
        )
    if isinstance(complexity, str) and complexity not in set(space.names) - {""}:
        names = [name for name in space.names if name]
        raise ValueError(
            f"complexity is no parameter of the space: {unknown_name(complexity, names)}"
        )
    if callable(complexity):
        example = [0.5] * space.n_dims if space.allowed is None else space.allowed.sample[0]
        _number(complexity, space.from_point(example))


def simplest_of(close: Sequence[Trial], cost: Cost, *, tolerance: float = 1.0) -> Trial:
    """Return the simplest trial; ties go to the best score, then to the lowest number.

    Parameters
    ----------
    close : sequence of Trial
        Trials within one standard error of the best.
    cost : callable
        Complexity of a trial.
    tolerance : float, default=1.0
        Costs up to this multiple of the smallest one count as equal to it.

    Returns
    -------
    trial : Trial
    """
    costs = [cost(trial) for trial in close]
    threshold = tolerance * min(costs)
    simple = [t for t, c in zip(close, costs, strict=True) if c <= threshold]
    return min(simple, key=lambda t: (-score_of(t), t.number))


def cost_of(complexity: Any, space: Space) -> Cost:
    """Return the measure of complexity: time, one of the parameters, or a callable's value.

    Parameters
    ----------
    complexity : str, callable or None
    space : Space

    Returns
    -------
    cost : callable
        Maps a trial to a number, which is small for a simple trial. A numeric parameter
        counts by its value, a categorical one by its index. Trials without it come last.
    """
    if complexity is None:
        return mean_seconds
    if callable(complexity):
        return lambda trial: _value(complexity, trial)
    dimensions = [d for n, d in zip(space.names, space.dimensions, strict=True) if n == complexity]
    choices = [c for d in dimensions if isinstance(d, Categorical) for c in d.categories]

    def place(trial: Trial) -> float:
        if complexity not in trial.params:
            return float("inf")
        value = trial.params[complexity]
        if all(map(is_real, choices)):
            return as_float(value) if is_real(value) else float("inf")
        for dimension in dimensions:
            try:
                return dimension.to_unit(value) * dimension.n_values
            except (TypeError, ValueError):
                continue
        return float("inf")

    return place


@ignore_float_errors
def mean_seconds(trial: Trial) -> float:
    """Return the mean time to fit and score one split, without savings by cached steps."""
    return float(np.mean([result.duration_from_scratch for result in trial.split_results]))


def _value(complexity: Callable[..., Any], trial: Trial) -> float:
    try:
        return _number(complexity, trial.params)
    except ValueError:
        if is_untuned(trial):  # whose values are not those of the space
            return float("inf")
        raise


def _number(complexity: Callable[..., Any], params: Mapping[str, Any]) -> float:
    try:
        value = complexity(thaw(params))
    except Exception as error:
        raise ValueError(
            "complexity must return a number for each configuration, and raised "
            f"{describe_error(error)} for {params!r}."
        ) from error
    if not is_number(value):
        raise ValueError(
            f"complexity must return a number for each configuration, got {value!r} for {params!r}."
        )
    return as_float(value)


def choose(
    ranked: Sequence[Trial],
    finals: Mapping[int, Trial] | None = None,
    cost: Cost | None = None,
    *,
    ratio: float | None = None,
) -> Trial:
    """Choose one of several complete trials.

    The best trial of the search stays the best unless another finalist is significantly better
    on the final splits. The difference must exceed its `standard_error`, since the greatest of a
    few means is often only the luckiest one.

    Parameters
    ----------
    ranked : sequence of Trial
        The best first.
    finals : mapping of int to Trial or None, default=None
        The finalists by number, with their scores on the final splits.
    cost : callable or None, default=None
        Complexity of a trial; the simplest trial within one standard error of the best is
        chosen, among the finalists if there are any. None chooses the best.
    ratio : float or None, default=None
        The `split_ratio` of the final splits; None is that of one k-fold cross-validation.

    Returns
    -------
    trial : Trial
    """
    finalists = [trial for trial in ranked if trial.number in (finals or {})]
    rescored = [(finals or {})[trial.number] for trial in finalists]
    if not finalists:
        finalists = rescored = list(ranked)
    elif len(rescored) > 1:
        first, *others = rescored
        better = [trial for trial in others if _is_significantly_better(trial, first, ratio)]
        if better:
            first = max(better, key=score_of)
        rescored = [first, *[trial for trial in rescored if trial is not first]]
    numbers = {trial.number for trial in (within_one_se(rescored) if cost else rescored[:1])}
    close = [trial for trial in finalists if trial.number in numbers]
    if cost is None:
        return close[0]
    return simplest_of(close, cost, tolerance=_TIME_TOLERANCE if cost is mean_seconds else 1.0)


@ignore_float_errors
def _is_significantly_better(trial: Trial, best: Trial, ratio: float | None) -> bool:
    gains = np.subtract(trial.split_scores, best.split_scores)
    return bool(gains.mean() > standard_error(gains.tolist(), ratio))
