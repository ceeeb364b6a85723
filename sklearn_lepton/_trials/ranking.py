"""Ranking of finished trials, and the one-standard-error rule."""

from collections.abc import Iterable, Sequence
from typing import Any

from sklearn_lepton._trials.statistics import plain_standard_error
from sklearn_lepton._trials.trial import Trial

ONE_SE = "1se"
ONE_SE_NAMES = (ONE_SE, "one_std_err")  # the second is tidymodels' name


def is_one_se(refit: Any) -> bool:
    """Return whether ``refit`` selects the simplest trial within one standard error."""
    return isinstance(refit, str) and refit in ONE_SE_NAMES


def metric_of(refit: Any) -> str | None:
    """Return the metric that ``refit`` names, None if it names none."""
    return refit if isinstance(refit, str) and not is_one_se(refit) else None


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


def score_of(trial: Trial) -> float:
    assert trial.score is not None  # noqa: S101 - for mypy
    return trial.score
