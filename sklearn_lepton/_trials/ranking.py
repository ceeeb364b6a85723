"""Ranking of finished trials and the one-standard-error rule."""

from collections.abc import Iterable, Sequence
from typing import Any

from sklearn_lepton._trials.statistics import plain_standard_error
from sklearn_lepton._trials.trial import Trial

ONE_SE = "1se"
ONE_SE_NAMES = (ONE_SE, "one_std_err")  # the second is tidymodels' name
ENSEMBLE = "ensemble"


def is_one_se(refit: Any) -> bool:
    """Return whether ``refit`` selects the simplest trial within one standard error."""
    return isinstance(refit, str) and refit in ONE_SE_NAMES


def is_ensemble(refit: Any) -> bool:
    """Return whether ``refit`` combines several trials."""
    return isinstance(refit, str) and refit == ENSEMBLE


def metric_of(refit: Any) -> str | None:
    """Return the metric that ``refit`` names, or None."""
    is_rule = is_one_se(refit) or is_ensemble(refit)
    return refit if isinstance(refit, str) and not is_rule else None


def candidates(trials: Iterable[Trial]) -> list[Trial]:
    """Return the complete trials with the full resource, best first."""
    full = [t for t in trials if t.status == "complete" and t.is_full]
    return sorted(full, key=lambda t: (-score_of(t), t.number))


def within_one_se(ranked: Sequence[Trial]) -> list[Trial]:
    """Return the trials whose score lies within one standard error of the best one.

    Parameters
    ----------
    ranked : sequence of Trial
        Complete trials, best first.

    Returns
    -------
    close : list of Trial
        Best first; not empty unless `ranked` is.

    Notes
    -----
    The standard error treats the scores as independent, as Breiman et al. do. With the
    Nadeau-Bengio correction the threshold would be 1.5 times wider for five folds; in
    ``make bench-choice`` that admitted settings that were no better on held-out data.

    References
    ----------
    Breiman, L., Friedman, J., Olshen, R. and Stone, C. (1984). Classification and
    regression trees. Wadsworth. Section 3.4.3.
    """
    if not ranked:
        return []
    best = ranked[0]
    threshold = score_of(best) - plain_standard_error(best.split_scores)
    return [trial for trial in ranked if trial is best or score_of(trial) >= threshold]


def score_of(trial: Trial) -> float:
    """Return the score of a complete trial."""
    assert trial.score is not None  # noqa: S101 - for mypy
    return trial.score
