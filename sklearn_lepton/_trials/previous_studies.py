"""Readers of previous studies: those of this package and of other libraries.

No other library is imported. Its objects are known by the module of their class and by their
attributes. Scores are greater-is-better, whatever the direction of the other library.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from os import PathLike
from typing import Any

from sklearn_lepton._arrays import is_missing
from sklearn_lepton._runtime.errors import describe_value
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.space._dimension import Integer
from sklearn_lepton.space._space import Space
from sklearn_lepton.space._values import as_float

# The columns of a table that hold its score, and whether greater is better.
_SCORES = {"score": True, "mean_test_score": True, "loss": False}
# The prefixes of the parameters' columns: of this package and scikit-learn, and of Optuna.
_PREFIXES = ("param_", "params_")
# The columns that tell whether a row is a complete trial with the full resource.
_STATES = ("status", "state", "fidelity")
_ALLOWED = (
    "the path of a journal, a fitted search (also of scikit-learn, scikit-optimize or Optuna), a "
    "result of tune, an Optuna study, a result of scikit-optimize, a DataFrame of parameters and a "
    "score, a list of Trial, or a list of these"
)

_GAP = object()

Studies = list[list[Trial]]


def trials_of_studies(
    given: Any,
    space: Space,
    *,
    load: Callable[[Any], Sequence[Trial]] | None = None,
    minimize: bool | None = None,
) -> Studies:
    """Return the trials of previous studies, each with its score.

    Parameters
    ----------
    given : object
        A study, or a list or tuple of studies.
    space : Space
        Names the parameters in a DataFrame.
    load : callable or None, default=None
        Returns the trials of a journal; None takes no journals.
    minimize : bool or None, default=None
        Direction of a DataFrame's column ``value``, as of `tune`; None refuses the column.

    Returns
    -------
    studies : list of list of Trial
        In the order given. A successive halving search is one study for each of its
        iterations, since scores with different resources cannot be compared.

    Raises
    ------
    ValueError
        If a study has an unknown type, or does not tell its parameters or scores.
    """
    studies: Studies = []
    for place, study in _listed(given):
        if isinstance(study, str | PathLike) and load is not None:
            studies.append(list(load(study)))
        elif is_frame(study):
            studies.append(_of_frame(study, space, place, minimize))
        else:
            studies += _read(study, place)
    return studies


def plain_studies(given: Any) -> Any:
    """Return previous studies as paths, tables and lists of trials, to be pickled.

    A fitted search or a study of another library may be large, or hold functions or
    connections that no pickle can hold. What cannot be read is returned unchanged.
    """
    plain: list[Any] = []
    listed = _listed(given)
    for place, study in listed:
        is_plain = isinstance(study, str | PathLike) or is_frame(study) or _are_trials(study)
        try:
            plain += [study] if is_plain else _read(study, place)
        except (TypeError, ValueError, AttributeError):  # no study, which `fit` refuses
            plain.append(study)
    return given if [id(study) for study in plain] == [id(study) for _, study in listed] else plain


def _listed(given: Any) -> list[tuple[str, Any]]:
    """Return the studies with their places in a message."""
    if given is None:
        return []
    if isinstance(given, list | tuple) and not (_are_trials(given) and given):
        return [(f"previous_studies[{number}]", study) for number, study in enumerate(given)]
    return [("previous_studies", given)]


def _read(study: Any, place: str) -> Studies:
    """Return the trials of a study that is neither a path nor a table."""
    if _are_trials(study):
        return [list(study)]
    inner = getattr(study, "study_", None)  # of OptunaSearchCV
    for each in (study, inner):
        if is_of(each, "optuna", "Study"):
            return [_of_optuna(each, place)]
    for name in ("trials_", "trials"):
        trials = getattr(study, name, None)
        if isinstance(trials, Sequence) and _are_trials(trials):
            return [[_plain(trial) for trial in trials]]
    if isinstance(getattr(study, "cv_results_", None), Mapping):
        return _of_cv_results(study.cv_results_, getattr(study, "refit", None), place)
    if all(hasattr(study, name) for name in ("x_iters", "func_vals", "space")):
        return [_of_skopt(study, place)]
    raise ValueError(_message(study, place))


def _message(study: Any, place: str) -> str:
    """Return the message for an object that is no study."""
    if isinstance(study, str | PathLike):
        return (
            f"{place} must be the trials of a study, got {study!r}: of the path of a journal give "
            "load_trials(path)."
        )
    if is_of(study, "optuna", "FrozenTrial"):
        return (
            f"{place} is a trial of Optuna, which does not tell whether small values are better: "
            "give the study instead."
        )
    unfitted = " that is not fitted" * hasattr(study, "fit")
    return f"{place} must be {_ALLOWED}, got {describe_value(study)}{unfitted}."


def is_of(value: Any, library: str, name: str) -> bool:
    """Return whether a value is of a class of another library, which is not imported.

    Parameters
    ----------
    value : object
    library : str
        First part of the name of the class's module.
    name : str
        Name of the class, or of one that it inherits from.
    """
    return any(
        kind.__name__ == name and str(kind.__module__).partition(".")[0] == library
        for kind in type(value).__mro__
    )


def is_frame(value: Any) -> bool:
    """Return whether a value is a DataFrame of pandas or polars."""
    return any(is_of(value, library, "DataFrame") for library in ("pandas", "polars"))


def _are_trials(study: Any) -> bool:
    is_list = isinstance(study, Sequence) and not isinstance(study, str | bytes)
    return is_list and all(isinstance(trial, Trial) for trial in study)


def _plain(trial: Trial) -> Trial:
    """Return a trial with its parameters and its score only."""
    return Trial(
        trial.number,
        trial.point,
        trial.params,
        status=trial.status,
        score=trial.score,
        fidelity=trial.fidelity,
        estimate=trial.estimate,
    )


def _trials(params: Iterable[Mapping[str, Any]], scores: Iterable[Any]) -> list[Trial]:
    """Return finished trials; those with a score that is not finite have failed."""
    pairs = enumerate(zip(params, scores, strict=True))
    return [Trial(number, (), dict(each)).complete(score) for number, (each, score) in pairs]


def _of_optuna(study: Any, place: str) -> list[Trial]:
    """Return the trials of an Optuna study; pruned ones have no score."""
    directions = [str(direction.name) for direction in study.directions]
    if len(directions) > 1:
        raise ValueError(
            f"{place} is an Optuna study with {len(directions)} objectives, but a search has one: "
            "give a DataFrame with the parameters and one score."
        )
    sign = 1.0 if directions == ["MAXIMIZE"] else -1.0
    trials = []
    for trial in study.trials:
        read = Trial(trial.number, (), dict(trial.params))
        status = trial.state.name
        if status == "COMPLETE":
            trials.append(read.complete(sign * trial.value))
        elif status == "PRUNED":
            trials.append(read.prune(None))
        elif status == "FAIL":
            trials.append(read.fail())
    return trials


def _of_cv_results(results: Mapping[str, Any], refit: Any, place: str) -> Studies:
    """Return the trials in ``cv_results_``, by the iterations of successive halving."""
    # Searches optimise the metric that refit names, or else the first one.
    means = [name for name in results if str(name).startswith("mean_test_")]
    if not means or "params" not in results:
        raise ValueError(
            f"{place} has cv_results_ without 'params' and 'mean_test_score', got "
            f"{sorted(map(str, results))}."
        )
    named = f"mean_test_{refit}"
    trials = _trials(results["params"], results[named if named in means else means[0]])
    if not {"iter", "n_resources"} <= results.keys():
        return [trials]
    rungs: dict[int, list[Trial]] = {}
    for trial, iteration in zip(trials, results["iter"], strict=True):
        rungs.setdefault(int(iteration), []).append(trial)
    return [rungs[iteration] for iteration in sorted(rungs)]


def _of_skopt(result: Any, place: str) -> list[Trial]:
    """Return the trials of scikit-optimize's ``OptimizeResult``, which minimises."""
    names = [getattr(dimension, "name", None) for dimension in result.space.dimensions]
    if None in names:
        raise ValueError(
            f"{place} is a result of scikit-optimize with dimensions that have no names: name "
            "them, such as Real(0.1, 1.0, name='x'), or set the name of each one in "
            "result.space.dimensions."
        )
    params = [dict(zip(map(str, names), x, strict=True)) for x in result.x_iters]
    return _trials(params, [-as_float(value) for value in result.func_vals])


def _of_frame(frame: Any, space: Space, place: str, minimize: bool | None) -> list[Trial]:
    """Return the trials in a table with one row each."""
    cells = {str(name): list(frame[name]) for name in frame.columns}
    prefix = next((p for p in _PREFIXES if any(c.startswith(p) for c in cells)), "")
    # Without a prefix, a column may be a parameter of the same name.
    ambiguous = () if prefix else space.names
    score, is_greater_better = _score_column(list(cells), ambiguous, place, minimize)
    others = {score, *(name for name in _STATES if name not in ambiguous)}
    named = {c.removeprefix(prefix): cells[c] for c in cells if c.startswith(prefix)}
    if not prefix:
        named = {name: values for name, values in named.items() if name not in others}
    if all(isinstance(params, Mapping) for params in cells.get("params", [None])):
        rows = [dict(params) for params in cells["params"]]
    else:
        reader = _Cells(space, has_nulls=is_of(frame, "polars", "DataFrame"))
        filled = {name: reader.read(name, values) for name, values in named.items()}
        rows = [
            {name: values[row] for name, values in filled.items() if values[row] is not _GAP}
            for row in range(len(frame))
        ]
    signs = [_score_of(value, score, place) for value in cells[score]]
    trials = _trials(rows, signs if is_greater_better else [-value for value in signs])
    for name in others & cells.keys() - {score}:
        trials = [trial for trial in trials if _is_complete(cells[name][trial.number])]
    return trials


def _is_complete(cell: Any) -> bool:
    """Return whether a status, a state of Optuna or a share of the resource is that of a score."""
    return cell.lower() == "complete" if isinstance(cell, str) else bool(cell >= 1.0)


def _score_column(
    columns: Sequence[str], parameters: Collection[str], place: str, minimize: bool | None
) -> tuple[str, bool]:
    """Return the column of the score, and whether greater is better."""
    known = _SCORES if minimize is None else {**_SCORES, "value": not minimize}
    found = [name for name in known if name in columns and name not in parameters]
    if "score" in found or len(found) == 1:
        return found[0], known[found[0]]
    means = [name for name in columns if name.startswith("mean_test_")]
    likely = found or means or [name for name in ("value",) if name in columns]
    hint = f" Which one is it: {', '.join(map(repr, likely))}?" if likely else ""
    raise ValueError(
        f"{place} must have a column 'score', greater is better, or 'loss', smaller is better, got "
        f"the columns {columns}.{hint} Rename it: frame.rename(columns={{...: 'score'}})."
    )


def _score_of(value: Any, column: str, place: str) -> float:
    """Return a score of a table; NaN for a missing one."""
    try:
        return math.nan if is_missing(value) else as_float(value)
    except TypeError:
        raise ValueError(
            f"{place} must have numbers in its column {column!r}, got {describe_value(value)}."
        ) from None


class _Cells:
    """Reads cells: finds those of parameters that were not active, and integers.

    A table may hold None as NaN, and a column with NaN holds integers as floats. A parameter of
    all branches is never without a value.

    Parameters
    ----------
    space : Space
    has_nulls : bool
        Whether None is an empty cell, as in polars.
    """

    def __init__(self, space: Space, *, has_nulls: bool) -> None:
        self._space, self._has_nulls = space, has_nulls

    def read(self, name: str, cells: Sequence[Any]) -> list[Any]:
        """Return the values of a parameter, with `_GAP` where it was not active."""
        space = self._space
        dimensions = [space.dimensions[b[name]] for b in space.branches if name in b]
        with_none = sum(map(_has_none, dimensions))
        is_integer = any(isinstance(dimension, Integer) for dimension in dimensions)
        values = []
        for cell in cells:
            value = cell
            if is_missing(cell):
                is_sure = cell is None and not self._has_nulls
                is_none = with_none > 0 if is_sure else with_none == len(space.branches)
                value = None if is_none else _GAP
            elif is_integer and isinstance(cell, float) and cell.is_integer():
                value = int(cell)
            values.append(value)
        return values


def _has_none(dimension: Any) -> bool:
    return any(value is None for value in getattr(dimension, "categories", ()))
