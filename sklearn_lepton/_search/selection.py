"""The choice of the best among finished trials."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import is_classifier
from sklearn.model_selection import (
    GroupKFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
    check_cv,
)

from sklearn_lepton._runtime.errors import describe_error
from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton.space._frozen import thaw
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.space._values import as_float, is_number, is_real, is_whole, unknown_name
from sklearn_lepton.space._space import Categorical, Space

ONE_SE = "1se"
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


def check_choice(search: Any, space: Space) -> None:
    """Refuse, before the first fit, what no choice could be made by.

    Parameters
    ----------
    search : BaseSearchCV
    space : Space

    Raises
    ------
    ValueError
        If ``simplest`` or ``final_splits`` is out of range, or does not go with ``refit``.
    """
    simplest, final, refit = search.simplest, search.final_splits, search.refit
    if isinstance(refit, str) and refit != ONE_SE == refit.lower():
        raise ValueError(f"refit={refit!r} is no metric: write {ONE_SE!r}.")
    if simplest is not None:
        _check_simplest(simplest, refit, space)
    if final is None:
        return
    is_count = is_whole(final) and final >= 2
    is_splits = hasattr(final, "split") or isinstance(final, Iterable)
    if not is_count and (not is_splits or isinstance(final, str)):
        raise ValueError(
            "final_splits must be None, an integer of at least 2, a cross-validation generator "
            f"or an iterable of splits, got {final!r}."
        )
    if callable(refit):
        raise ValueError(
            "final_splits decides which trial is chosen, and so does a callable refit, got "
            f"{refit!r}: set one of the two to its default."
        )
    if refit is False and isinstance(search.scoring, list | tuple | set | Mapping):
        raise ValueError(
            "With refit=False none is chosen by several metrics, so that final_splits has nothing "
            "to decide: set refit to the name of a metric, or final_splits=None."
        )
    if is_count and isinstance(search.cv, TimeSeriesSplit):
        raise ValueError(
            f"final_splits={final} shuffles, which cv={search.cv!r} does not allow: give it a "
            "TimeSeriesSplit with other splits."
        )


def _check_simplest(simplest: Any, refit: Any, space: Space) -> None:
    if not (isinstance(simplest, str) or callable(simplest)):
        raise ValueError(
            "simplest must be None, the name of a parameter or a callable that takes the "
            f"parameters and returns a number, got {simplest!r}."
        )
    if not is_one_se(refit):
        raise ValueError(
            f"simplest={simplest!r} chooses within one standard error of the best, for which "
            f"refit must be {ONE_SE!r}, got {refit!r}: set it, or simplest=None."
        )
    if isinstance(simplest, str) and simplest not in set(space.names) - {""}:
        names = [name for name in space.names if name]
        raise ValueError(f"simplest names none of the space: {unknown_name(simplest, names)}")
    if callable(simplest):
        _number(simplest, space.from_point([0.5] * space.n_dims))


def is_one_se(refit: Any) -> bool:
    """Say whether ``refit`` asks for the simplest within one standard error."""
    return isinstance(refit, str) and refit == ONE_SE


def metric_of(refit: Any) -> str | None:
    """Return the metric that ``refit`` names, None if it names none."""
    return refit if isinstance(refit, str) and refit != ONE_SE else None


def candidates(trials: Iterable[Trial]) -> list[Trial]:
    """Return the trials that can be chosen, the best first: complete, with the full resource."""
    full = [t for t in trials if t.status == "complete" and t.is_full]
    return sorted(full, key=lambda t: (-score_of(t), t.number))


def within_one_se(ranked: Sequence[Trial]) -> list[Trial]:
    """Return the trials that score within one standard error of the first, the best.

    Parameters
    ----------
    ranked : sequence of Trial
        Complete ones, the best first.

    Returns
    -------
    close : list of Trial
        The best one at least.

    Notes
    -----
    The standard error is that of independent scores, as Breiman et al. took it. The one
    that minds overlapping training sets is half as large again, for five splits, and let
    in settings that were no better on data never seen.

    References
    ----------
    Breiman, L., Friedman, J., Olshen, R. and Stone, C. (1984). Classification and
    regression trees. Wadsworth. Section 3.4.3.
    """
    if not ranked:
        return []
    best = ranked[0]
    least = score_of(best) - plain_standard_error(best.split_scores)
    return [trial for trial in ranked if trial is best or score_of(trial) >= least]


@ignore_float_errors
def plain_standard_error(scores: Sequence[float]) -> float:
    """Return the standard error of a mean as if the scores were independent; 0.0 of one."""
    return float(np.std(scores, ddof=1) / len(scores) ** 0.5) if len(scores) > 1 else 0.0


@ignore_float_errors
def split_ratio(splits: Iterable[Sequence[Any]]) -> float:
    """Return the number of test samples for each training sample, on average over splits.

    Parameters
    ----------
    splits : iterable of (train, test)
        Row numbers or masks of rows.

    Returns
    -------
    ratio : float
        As `standard_error` takes it.
    """
    sizes = [(_count_rows(train), _count_rows(test)) for train, test in splits]
    return float(np.mean([n_test / max(n_train, 1) for n_train, n_test in sizes]))


class SplitLayout(NamedTuple):
    """How the training and test parts of splits overlap.

    Attributes
    ----------
    ratio : float
        Their `split_ratio`.
    n_disjoint : int
        Number of consecutive splits whose test parts have no row in common, as the folds of one
        repeat; 0 where this number changes or no two consecutive splits are so.
    """

    ratio: float
    n_disjoint: int


def layout_of(splits: Sequence[Sequence[Any]]) -> SplitLayout:
    """Return the layout of splits.

    Parameters
    ----------
    splits : sequence of (train, test)
        Row numbers or masks of rows.

    Returns
    -------
    layout : SplitLayout
    """
    sizes, seen = list[int](), np.empty(0, dtype=int)
    for _, test in splits:
        rows = np.asarray(test)
        rows = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        if not sizes or np.isin(rows, seen).any():
            sizes, seen = [*sizes, 0], seen[:0]
        sizes[-1] += 1
        seen = np.concatenate([seen, rows])
    is_even = len(set(sizes)) == 1 and sizes[0] > 1
    return SplitLayout(split_ratio(splits), sizes[0] if is_even else 0)


def _count_rows(part: Any) -> int:
    rows = np.asarray(part)
    return int(np.count_nonzero(rows)) if rows.dtype == np.bool_ else len(rows)


@ignore_float_errors
def standard_error(scores: Sequence[float], ratio: float | None) -> float:
    """Return the standard error of a mean score over splits.

    Training sets of different splits overlap, so that the scores vary less than independent
    ones would: the variance of the mean is taken as (1/k + ratio) times that of the scores.

    Parameters
    ----------
    scores : sequence of float of length k
    ratio : float or None
        The `split_ratio` of the splits. None, if it is unknown, is 1/(k-1), that of one
        k-fold cross-validation.

    Returns
    -------
    error : float
        0.0 of a single split, which tells nothing.

    References
    ----------
    Nadeau, C. and Bengio, Y. (2003). Inference for the generalization error. Machine
    Learning 52. https://doi.org/10.1023/A:1024068626366
    """
    k = len(scores)
    if k < 2:
        return 0.0
    share = 1 / (k - 1) if ratio is None else ratio
    return float(np.std(scores, ddof=1) * (1 / k + share) ** 0.5)


def shuffled_splitter(estimator: Any, y: Any, n_splits: int, *, has_groups: bool, seed: int) -> Any:
    """Return shuffled folds of the kind that scikit-learn takes for a number.

    Parameters
    ----------
    estimator : estimator object
        Of a classifier the classes are stratified.
    y : array-like or None
    n_splits : int
    has_groups : bool
        Whether to keep groups together.
    seed : int
        From 0 to 2**32 - 1.

    Returns
    -------
    splitter : cross-validation generator
    """
    kind: Any = type(check_cv(n_splits, y, classifier=is_classifier(estimator)))
    if has_groups:
        kind = StratifiedGroupKFold if kind is StratifiedKFold else GroupKFold
    return kind(n_splits, shuffle=True, random_state=seed)


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


def cost_of(simplest: Any, space: Space) -> Cost:
    """Return what makes a trial simple: its time, one of its parameters, or a callable's word.

    Parameters
    ----------
    simplest : str, callable or None
    space : Space

    Returns
    -------
    cost : callable
        Takes a trial, returns a number, small for simple ones. A parameter that is a number
        counts by its value, another one by its place among the choices; trials without it
        come last.
    """
    if simplest is None:
        return mean_seconds
    if callable(simplest):
        return lambda trial: _number(simplest, trial.params)
    dimensions = [d for n, d in zip(space.names, space.dimensions, strict=True) if n == simplest]
    choices = [c for d in dimensions if isinstance(d, Categorical) for c in d.categories]

    def place(trial: Trial) -> float:
        if simplest not in trial.params:
            return float("inf")
        value = trial.params[simplest]
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
    names = ("fit_time", "score_time", "saved_time")
    return float(np.mean([sum(row.get(name, 0.0) for name in names) for row in trial.rows]))


def _number(simplest: Callable[..., Any], params: Mapping[str, Any]) -> float:
    try:
        value = simplest(thaw(params))
    except Exception as error:
        raise ValueError(
            "simplest must return a number for each setting, and raised "
            f"{describe_error(error)} for {params!r}."
        ) from error
    if not is_number(value):
        raise ValueError(
            f"simplest must return a number for each setting, got {value!r} for {params!r}."
        )
    return as_float(value)


def score_of(trial: Trial) -> float:
    assert trial.score is not None  # noqa: S101 - for mypy
    return trial.score


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
    leaders = [trial for trial in ranked if trial.number in (finals or {})]
    again = [(finals or {})[trial.number] for trial in leaders]
    if not leaders:
        leaders = again = list(ranked)
    elif len(again) > 1:
        first, *others = again
        better = [trial for trial in others if _overtakes(trial, first, ratio)]
        if better:
            first = max(better, key=score_of)
        again = [first, *[trial for trial in again if trial is not first]]
    numbers = {trial.number for trial in (within_one_se(again) if cost else again[:1])}
    close = [trial for trial in leaders if trial.number in numbers]
    if cost is None:
        return close[0]
    return simplest_of(close, cost, tolerance=_AS_CHEAP if cost is mean_seconds else 1.0)


@ignore_float_errors
def _overtakes(trial: Trial, best: Trial, ratio: float | None) -> bool:
    gains = np.subtract(trial.split_scores, best.split_scores)
    return bool(gains.mean() > standard_error(gains.tolist(), ratio))
