"""What is checked and made ready before the first fit."""

import inspect
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import clone

from sklearn_lepton._study.replay import load_trials
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.space._values import (
    check_count,
    is_finite,
    is_number,
    is_real,
    is_whole,
    unknown_name,
)
from sklearn_lepton.default_spaces._lookup import default_space
from sklearn_lepton.optimizers._transfer import translate
from sklearn_lepton.space._space import Categorical, Space

_TIME = "None or a number of seconds greater than 0"


def check_parameters(search: Any) -> None:
    """Refuse what is out of range before the first fit; scikit-learn checks its own."""
    check_count("n_points", search.n_points, least=1)
    stop, target, callbacks = search.n_iter_no_change, search.target_score, search.callbacks
    is_list = isinstance(callbacks, Sequence) and all(map(callable, callbacks))
    legal = {
        "n_iter": (is_whole(search.n_iter) and search.n_iter >= 1, "an integer of at least 1"),
        "fit_timeout": (_is_limit(search.fit_timeout), f"'auto', {_TIME}"),
        "max_time": (_is_time(search.max_time), _TIME),
        "n_iter_no_change": (
            stop is None or (is_whole(stop) and stop >= 1),
            "None or an integer of at least 1",
        ),
        "racing": (
            isinstance(search.racing, bool | np.bool_)
            or (isinstance(search.racing, str) and search.racing == "auto")
            or (is_real(search.racing) and 0 < search.racing < 1),
            "True, False, 'auto' or an error rate between 0 and 1",
        ),
        "cv": (
            search.n_splits_ >= 1,
            "None, a number of folds, or a splitter or list of (train, test) of at least one split",
        ),
        "cost_aware": (
            isinstance(search.cost_aware, bool | np.bool_)
            or (isinstance(search.cost_aware, str) and search.cost_aware == "auto"),
            "True, False or 'auto'",
        ),
        "asynchronous": (isinstance(search.asynchronous, bool | np.bool_), "True or False"),
        "eval_set_from_split": (
            isinstance(search.eval_set_from_split, bool | np.bool_),
            "True or False",
        ),
        "cache_steps": (isinstance(search.cache_steps, bool | np.bool_), "True or False"),
        "warm_start": (isinstance(search.warm_start, bool | np.bool_), "True or False"),
        "tol": (is_real(search.tol) and search.tol >= 0, "a number of at least 0"),
        "target_score": (
            target is None or is_number(target),
            "None or a number",
        ),
        "journal": (
            search.journal is None or isinstance(search.journal, str | os.PathLike),
            "None or the path of a file",
        ),
        "callbacks": (
            callbacks is None or callable(callbacks) or is_list,
            "None, a callable (search, trial), or a list of them",
        ),
    }
    for name, (is_legal, allowed) in legal.items():
        if not is_legal:
            msg = f"{name} must be {allowed}, got {getattr(search, name)!r}."
            raise ValueError(msg)


def _is_limit(value: Any) -> bool:
    return (isinstance(value, str) and value == "auto") or _is_time(value)


def _is_time(value: Any) -> bool:
    """Return whether it is a number of seconds that can be added to those of a clock."""
    is_limit = is_finite(value) or (is_real(value) and value == math.inf)
    return value is None or (is_limit and value > 0)


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


def check_names(space: Space, estimator: Any) -> None:
    """Refuse parameters that neither the estimator nor a choice for one of its steps has."""
    for branch in space.branches:
        for name in branch:
            if has_parameter(estimator, name):
                continue
            for other, column in branch.items():
                dimension = space.dimensions[column]
                if name.startswith(f"{other}__") and isinstance(dimension, Categorical):
                    inner = name[len(other) + 2 :]
                    if any(has_parameter(choice, inner) for choice in dimension.categories):
                        break
            else:
                raise ValueError(unknown_name(name, list(estimator.get_params(deep=True))))


def has_parameter(estimator: Any, name: str) -> bool:
    """Say whether an estimator, or one in it, has a parameter.

    CatBoost lists only those that were given, and LightGBM and XGBoost take others than
    they list; what their constructors take counts, too. Wrappers of neural networks hand
    on what belongs to a part of the network, such as ``module__width``.
    """
    if not hasattr(estimator, "get_params"):
        return False
    known = estimator.get_params(deep=True)
    if name in known:
        return True
    owner, _, last = name.rpartition("__")
    while owner and not hasattr(known.get(owner), "get_params"):
        owner, _, part = owner.rpartition("__")
        last = f"{part}__{last}"
    parent = known[owner] if owner else estimator
    takes = inspect.signature(type(parent)).parameters.values()
    if any(p.name == last for p in takes):
        return True
    part, is_of_part, _ = last.partition("__")
    is_open = any(p.kind is p.VAR_KEYWORD for p in takes)
    return is_open and (not is_of_part or hasattr(parent, part)) and _can_set(parent, last)


def _can_set(estimator: Any, name: str) -> bool:
    try:
        clone(estimator).set_params(**{name: None})
    except (AttributeError, TypeError, ValueError):
        return False
    return True


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


def older_studies(prior: Any, estimator: Any, space: Space) -> list[list[Trial]]:
    """Read ``prior``, and bring its trials to the space.

    Parameters
    ----------
    prior : object
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
    if prior is None:
        return []
    is_many = isinstance(prior, list | tuple) and not all(isinstance(t, Trial) for t in prior)
    defaults = _own_values(estimator)
    studies = [
        [translate(trial, space, defaults) for trial in _trials_of(study)]
        for study in (prior if is_many else [prior])
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
        "prior must be the path of a journal, a fitted search, a list of trials or a list of "
        f"these, got {study!r}{' that is not fitted' * hasattr(study, 'fit')}."
    )
