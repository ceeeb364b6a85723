"""Sentences on the models that a search has tried, and how the best one compares."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sklearn_lepton._automl.portfolio import Portfolio
from sklearn_lepton._trials.ranking import candidates, score_of
from sklearn_lepton._trials.statistics import standard_error
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.space._space import Space


def describe_models(
    trials: Sequence[Trial], portfolio: Portfolio, space: Space, ratio: float | None
) -> str:
    """Return sentences on the best model, its lead, and the trials of each model.

    Parameters
    ----------
    trials : sequence of Trial
    portfolio : Portfolio
    space : Space
    ratio : float or None
        The `split_ratio` of the splits.

    Returns
    -------
    text : str
        Two or three sentences.
    """
    names = portfolio.names

    def branch(trial: Trial) -> int:
        return int(space.dimensions[0].from_unit(trial.point[0])) if len(names) > 1 else 0

    counts = np.bincount([branch(trial) for trial in trials], minlength=len(names))
    best: dict[int, Trial] = {}
    for trial in candidates(trials):
        best.setdefault(branch(trial), trial)
    if not best:
        return f"No model has a score after {_count(len(trials))}."
    order = list(best)  # the best first
    winner = names[order[0]]
    kind = _class_name(best[order[0]].params.get("model"))
    subject = f"{winner[0].upper()}{winner[1:]}{f' ({kind})' if kind else ''}"
    if len(order) > 1:
        lead = _describe_lead(best[order[0]], best[order[1]], names[order[1]], ratio)
    else:
        lead = f"is the only model with a score, {score_of(best[order[0]]):.4g}"
    tried = [f"{names[k]} {counts[k]}, best score {score_of(best[k]):.4g}" for k in order]
    text = f"{subject} {lead}. {_count(len(trials)).capitalize()}: {'; '.join(tried)}."
    failed = [f"{names[k]} {counts[k]}" for k in range(len(names)) if counts[k] and k not in best]
    return text + f" Without a complete trial: {', '.join(failed)}." * bool(failed)


def _describe_lead(first: Trial, second: Trial, name: str, ratio: float | None) -> str:
    """Return the second half of a sentence on the lead of the best model."""
    lead = score_of(first) - score_of(second)
    if lead == 0.0:
        return f"and {name} have the same best score; the former reached it earlier"
    gaps = np.subtract(first.split_scores, second.split_scores).tolist()
    error = standard_error(gaps, ratio)
    text = f"won by {lead:.2g} over {name}"
    if not np.isfinite(error):
        return text
    chance = ", so that chance may decide the order" * bool(lead < error)
    return f"{text}, with a standard error of {error:.2g}{chance}"


def _class_name(model: Any) -> str:
    """Return the class of a model without its wrappers; empty if it is not known."""
    for inner in ("regressor", "estimator"):
        model = getattr(model, inner, model)
    return "" if model is None else type(model).__name__


def _count(n_trials: int) -> str:
    return f"{n_trials} trial{'s' * (n_trials != 1)}"
