"""Readers of parameters: the space, the first configurations and the source studies."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from sklearn_lepton._study.replay import load_trials
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.default_spaces._lookup import default_space
from sklearn_lepton.optimizers._transfer import translate
from sklearn_lepton.space._space import Space


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
    """Return ``initial_params`` completed with the parameters of the estimator."""
    if given is None:
        return []
    defaults = _default_params(estimator)
    if isinstance(given, str) and given == "default":
        return [space.complete({}, defaults)]
    listed = [given] if isinstance(given, Mapping) else given
    if not isinstance(listed, Sequence) or not all(isinstance(each, Mapping) for each in listed):
        msg = (
            "initial_params must be 'default', None, a dict of parameters or a list of "
            f"dicts, got {given!r}."
        )
        raise ValueError(msg)
    configurations = []
    for number, params in enumerate(listed):
        try:
            configurations.append(space.complete(params, defaults))
        except ValueError as error:
            msg = f"initial_params[{number}] does not lie in the space. {error}"
            raise ValueError(msg) from error
    return configurations


def read_studies(previous_studies: Any, estimator: Any, space: Space) -> list[list[Trial]]:
    """Return the source studies in ``previous_studies``, with their trials in the space.

    Parameters
    ----------
    previous_studies : object
        A study or a sequence of studies: the path of a journal, a fitted search of this
        package or of scikit-learn, or a sequence of trials.
    estimator : estimator object or None
        Its parameters complete those of a trial; None takes the middle of each dimension.
    space : Space

    Returns
    -------
    studies : list of list of Trial
        The complete trials of each study that has any.

    Raises
    ------
    ValueError
        If a study has another type, or is a search that has not been fitted.
    """
    if previous_studies is None:
        return []
    is_many = isinstance(previous_studies, list | tuple) and not all(
        isinstance(t, Trial) for t in previous_studies
    )
    defaults = _default_params(estimator)
    studies = [
        [translate(trial, space, defaults) for trial in _trials_of(study)]
        for study in (previous_studies if is_many else [previous_studies])
    ]
    kept = [[trial for trial in study if trial is not None] for study in studies]
    return [study for study in kept if study]


def _default_params(estimator: Any) -> dict[str, Any]:
    return {} if estimator is None else estimator.get_params(deep=True)


def _trials_of(study: Any) -> Sequence[Trial]:
    if isinstance(study, str | os.PathLike):
        return load_trials(study)  # type: ignore[no-any-return]
    if isinstance(study, Sequence) and all(isinstance(trial, Trial) for trial in study):
        return study
    if hasattr(study, "trials_"):
        return study.trials_  # type: ignore[no-any-return]
    if hasattr(study, "cv_results_"):
        # Searches optimise the metric that refit names, or else the first one.
        means = [name for name in study.cv_results_ if name.startswith("mean_test_")]
        named = f"mean_test_{study.refit}"
        scores = study.cv_results_[named if named in means else means[0]]
        return [
            Trial(number, (), params).complete(score)
            for number, (params, score) in enumerate(
                zip(study.cv_results_["params"], scores, strict=True)
            )
        ]
    raise ValueError(
        "previous_studies must be the path of a journal, a fitted search, a list of trials or a "
        f"list of these, got {study!r}{' that is not fitted' * hasattr(study, 'fit')}."
    )
