"""Source studies in the space of the current study, and their best configurations."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

import numpy as np
import numpy.typing as npt

from sklearn_lepton._surrogate.multi_task import TaskData
from sklearn_lepton._trials.previous_studies import trials_of_studies
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.space._dimension import FloatArray
from sklearn_lepton.space._space import Space

_MAX_BEST = 3  # configurations of source studies to try first, one per study
_MIN_GAP = 0.1  # between two of them, in at least one column


@dataclass(frozen=True, eq=False)
class SourceStudies:
    """The source studies of an optimizer, in the unit cube of its space.

    Attributes
    ----------
    studies : list of tuple of ndarray of shape (n_k, n_dims) and (n_k,)
        Points and scores of each study, in the order given.
    best_points : list of tuple of float
        Points to try first.
    """

    studies: list[TaskData]
    best_points: list[tuple[float, ...]]

    @classmethod
    def read(cls, previous_studies: Any, space: Space) -> "SourceStudies":
        """Return source studies in the unit cube of a space; those of an optimizer as they are."""
        if isinstance(previous_studies, SourceStudies):
            return previous_studies
        studies = read_previous_studies(previous_studies, space)
        return cls(studies, list(best_of(studies, space)))


def read_previous_studies(previous_studies: Any, space: Space) -> list[TaskData]:
    """Return the points and scores of source studies in the unit cube of a space.

    Parameters that the space lacks are dropped; a missing one gets the middle of its range.
    A trial is left out if it is not complete at full fidelity, shares no parameter with the
    space or has a value outside it. A study without trials is left out.

    Parameters
    ----------
    previous_studies : object
        A study or a list of studies; see `trials_of_studies`.
    space : Space

    Returns
    -------
    studies : list of tuple of ndarray of shape (n_k, n_dims) and (n_k,)
        Points and scores of each study, in the order given.

    Raises
    ------
    ValueError
        If a study has an unknown type.
    """
    studies = []
    for study in trials_of_studies(previous_studies, space):
        translated = [trial for trial in (translate(t, space) for t in study) if trial is not None]
        if translated:
            points, scores = [t.point for t in translated], [t.score for t in translated]
            studies.append((np.array(points), np.array(scores, dtype=float)))
    return studies


def translate(
    trial: Trial, space: Space, defaults: Mapping[str, Any] | None = None
) -> Trial | None:
    """Return a trial in a space, None if it has no score or does not fit the space.

    Parameters
    ----------
    trial : Trial
    space : Space
    defaults : dict or None, default=None
        Values of the parameters that the trial lacks; others get the middle of their range.
    """
    is_known = trial.score is not None and trial.is_full
    params = _translate(trial, space, defaults) if is_known else None
    return None if params is None else replace(trial, point=space.to_point(params), params=params)


def _translate(
    trial: Trial, space: Space, defaults: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """Return a configuration of the branch that keeps the most parameters of a trial, or None.

    Each parameter that the space knows must have a legal value in some branch.
    """
    known = {name: value for name, value in trial.params.items() if name in space.names}
    best, n_kept, legal = None, 0, set[str]()
    for branch in space.branches:
        kept = {name: value for name, value in known.items() if name in branch}
        legal |= {name for name in kept if _is_legal(space, branch[name], kept[name])}
        if len(kept) > n_kept and kept.keys() <= legal:
            try:
                best, _ = space.fill(kept, defaults)
            except ValueError:
                continue
            n_kept = len(kept)
    return best if legal == known.keys() else None


def _is_legal(space: Space, column: int, value: Any) -> bool:
    try:
        space.dimensions[column].to_unit(value)
    except ValueError:
        return False
    return True


def best_of(studies: list[TaskData], space: Space) -> Iterator[tuple[float, ...]]:
    """Yield points to try first: the best of the last study, of the one before it, and so on.

    It is one per study, since each is a wasted trial if the study misleads.

    Parameters
    ----------
    studies : list of tuple of ndarray of shape (n_k, n_dims) and (n_k,)
    space : Space

    Yields
    ------
    point : tuple of float of length n_dims
        All are allowed by the constraint, and no two are close to each other.
    """
    size = min(len(studies), _MAX_BEST)
    ranked = [X[np.argsort(-y, kind="stable")] for X, y in reversed(studies)]
    chosen = np.empty((0, space.n_dims))
    for point in (p for round_ in zip_longest(*ranked) for p in round_ if p is not None):
        is_apart = len(chosen) < size and are_apart(point[np.newaxis], chosen, space)[0]
        if is_apart and space.allows_point(point.tolist()):
            chosen = np.vstack([chosen, point])
            yield tuple(point.tolist())


def are_apart(points: FloatArray, others: FloatArray, space: Space) -> npt.NDArray[np.bool_]:
    """Return for each point whether it differs from all others in some column.

    Parameters
    ----------
    points : ndarray of shape (n_points, n_dims)
    others : ndarray of shape (n_others, n_dims)
    space : Space

    Returns
    -------
    are_apart : ndarray of shape (n_points,), bool
    """
    gaps = np.abs(points[:, np.newaxis] - others)
    gaps[:, :, space.is_categorical] = gaps[:, :, space.is_categorical] > 0
    apart: npt.NDArray[np.bool_] = np.all(gaps.max(axis=2, initial=0.0) >= _MIN_GAP, axis=1)
    return apart
