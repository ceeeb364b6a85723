"""Readers of parameters: the budget, the space, the first configurations and the source studies."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sklearn_lepton._runtime.output import warn
from sklearn_lepton._study.replay import load_trials
from sklearn_lepton._study.study import DEFAULT_N_TRIALS
from sklearn_lepton._trials.previous_studies import trials_of_studies
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._trials.untuned import UntunedParams, are_own, default_configurations
from sklearn_lepton.default_spaces._lookup import default_space
from sklearn_lepton.exceptions import IgnoredStudyWarning
from sklearn_lepton.optimizers._transfer import translate
from sklearn_lepton.space._space import Space


def trial_limit(n_iter: int | str, max_time: float | None) -> float:
    """Return the number of trials of a run; infinite where only the time limits it.

    Parameters
    ----------
    n_iter : int or "auto"
    max_time : float or None, seconds
    """
    if not isinstance(n_iter, str):
        return int(n_iter)
    return DEFAULT_N_TRIALS if max_time is None or math.isinf(max_time) else math.inf


def make_space(given: Any, estimator: Any, X: Any, y: Any, *, without: str | None = None) -> Space:
    """Return the space of a search.

    Parameters
    ----------
    given : dict, list of dict, Space or str
        ``param_distributions``; the only string allowed is ``"auto"``.
    estimator : estimator object
    X, y : object
        The data.
    without : str or None, default=None
        The resource, a parameter that the search sets itself.

    Returns
    -------
    space : Space

    Raises
    ------
    TypeError
        If a string is not ``"auto"``.
    ValueError
        If the estimator has no built-in space.
    """
    if not isinstance(given, str):
        return Space(given)
    if given != "auto":
        raise TypeError(
            "param_distributions must be 'auto', or a dict, or a list of dicts, of parameter "
            f"names and their values, got {given!r}."
        )
    space = default_space(estimator, X, y)
    branches = [space] if isinstance(space, dict) else space
    return Space([{n: v for n, v in branch.items() if n != without} for branch in branches])


def initial_configurations(given: Any, estimator: Any, space: Space) -> list[dict[str, Any]]:
    """Return ``initial_params`` completed with the parameters of the estimator.

    `UntunedParams` among them may lie outside of the space.
    """
    if given is None:
        return []
    own = _default_params(estimator)
    listed = [given] if isinstance(given, Mapping) or _is_default(given) else given
    configurations = []
    for number, params in enumerate(listed):
        if _is_default(params):
            configurations += default_configurations(own, space)
            continue
        try:
            configurations.append(space.complete(params, own))
        except ValueError as error:
            first = default_configurations(own, space)[0]
            is_outside = isinstance(first, UntunedParams) and params.keys() == first.keys()
            if is_outside and are_own(params, own):  # `best_params_` of an earlier search
                configurations.append(first)
                continue
            msg = f"initial_params[{number}] does not lie in the space. {error}"
            raise ValueError(msg) from error
    return configurations


def scores_untuned(search: Any) -> bool:
    """Return whether a search can score an untuned estimator outside of its space.

    A callable `refit` chooses by a rule for values of the space. Early stopping counts rounds up to
    a number of the space. A pipeline with a placeholder for the model has no predictions.
    """
    if callable(search.refit) or search.eval_set_from_split:
        return False
    has_scores = any(hasattr(search.estimator, method) for method in ("predict", "score"))
    return has_scores or callable(search.scoring)


def _is_default(given: Any) -> bool:
    return isinstance(given, str) and given == "default"


def read_studies(
    previous_studies: Any,
    estimator: Any,
    space: Space,
    *,
    minimize: bool | None = None,
    convert: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict,
) -> list[list[Trial]]:
    """Return the source studies in ``previous_studies``, with their trials in the space.

    Parameters
    ----------
    previous_studies : object
        A study or a list of studies: the path of a journal, or what `trials_of_studies` reads.
    estimator : estimator object or None
        Its parameters complete those of a trial; None takes the middle of each dimension.
    space : Space
    minimize : bool or None, default=None
        Direction of the column ``value`` of a DataFrame, as of `tune`; None refuses it.
    convert : callable, default=dict
        Returns parameters in the values of the space.

    Returns
    -------
    studies : list of list of Trial
        The complete trials of each study that has any.

    Raises
    ------
    ValueError
        If a study has another type, or is a search that has not been fitted.

    Warns
    -----
    IgnoredStudyWarning
        If a study has trials, but none of them can be used.
    """
    defaults = _default_params(estimator)
    kept = []
    for study in trials_of_studies(previous_studies, space, load=load_trials, minimize=minimize):
        own = (replace(trial, params=convert(trial.params)) for trial in study)
        translated = (translate(trial, space, defaults) for trial in own)
        if usable := [trial for trial in translated if trial is not None]:
            kept.append(usable)
        elif study:
            warn(_why_ignored(study, space), IgnoredStudyWarning, stacklevel=6)
    return kept


def _why_ignored(study: Sequence[Trial], space: Space) -> str:
    """Return the text of a warning that a study has no trial for the space."""
    if not any(trial.score is not None and trial.is_full for trial in study):
        return f"A study in previous_studies has {len(study)} trials, none of which is complete."
    names = sorted({name for trial in study for name in trial.params})
    known = sorted(set(space.names) - {""})
    if set(names).isdisjoint(known):
        return (
            f"A study in previous_studies has the parameters {names}, none of which is in the "
            f"space, {known}: it is ignored. Give its parameters the names of the space."
        )
    return (
        f"A study in previous_studies with the parameters {names} is ignored, since each of its "
        "configurations has a value outside of the space: widen the space."
    )


def _default_params(estimator: Any) -> dict[str, Any]:
    return {} if estimator is None else estimator.get_params(deep=True)
