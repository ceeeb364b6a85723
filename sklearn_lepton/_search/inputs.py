"""Arguments of a search as objects: space, first configurations, older studies."""

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
        Its ``param_distributions``; of strings only ``"auto"`` is allowed.
    estimator : estimator object
    X, y : object
        The data.
    without : str or None, default=None
        A parameter that the search sets itself.

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


def initial_settings(given: Any, estimator: Any, space: Space) -> list[dict[str, Any]]:
    """Complete ``initial_params`` by the estimator's own parameters."""
    if given is None:
        return []
    defaults = _own_values(estimator)
    if isinstance(given, str) and given == "default":
        return [space.complete({}, defaults)]
    settings_given = [given] if isinstance(given, Mapping) else given
    if not isinstance(settings_given, Sequence) or not all(
        isinstance(s, Mapping) for s in settings_given
    ):
        msg = (
            "initial_params must be 'default', None, a dict of parameters or a list of "
            f"dicts, got {given!r}."
        )
        raise ValueError(msg)
    settings = []
    for number, params in enumerate(settings_given):
        try:
            settings.append(space.complete(params, defaults))
        except ValueError as error:
            msg = f"initial_params[{number}] does not lie in the space. {error}"
            raise ValueError(msg) from error
    return settings


def older_studies(previous_studies: Any, estimator: Any, space: Space) -> list[list[Trial]]:
    """Read ``previous_studies``, and bring its trials to the space.

    Parameters
    ----------
    previous_studies : object
        A study or a sequence of studies: the path of a journal, a fitted search, of
        scikit-learn also, or a sequence of trials.
    estimator : estimator object or None
        Its own parameters stand for those that a trial lacks, or else the middle does.
    space : Space

    Returns
    -------
    studies : list of list of Trial
        Only complete trials; studies without any are left out.

    Raises
    ------
    ValueError
        If it is none of these, or a search that has not been fitted.
    """
    if previous_studies is None:
        return []
    is_many = isinstance(previous_studies, list | tuple) and not all(
        isinstance(t, Trial) for t in previous_studies
    )
    defaults = _own_values(estimator)
    studies = [
        [translate(trial, space, defaults) for trial in _trials_of(study)]
        for study in (previous_studies if is_many else [previous_studies])
    ]
    kept = [[trial for trial in study if trial is not None] for study in studies]
    return [study for study in kept if study]


def _own_values(estimator: Any) -> dict[str, Any]:
    return {} if estimator is None else estimator.get_params(deep=True)


def _trials_of(study: Any) -> Sequence[Trial]:
    if isinstance(study, str | os.PathLike):
        return load_trials(study)  # type: ignore[no-any-return]
    if isinstance(study, Sequence) and all(isinstance(trial, Trial) for trial in study):
        return study
    if hasattr(study, "trials_"):
        return study.trials_  # type: ignore[no-any-return]
    if hasattr(study, "cv_results_"):
        # What our searches optimise: the metric that refit names, or else the first.
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
