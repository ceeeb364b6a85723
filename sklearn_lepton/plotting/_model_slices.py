"""Predictions of the surrogate along one parameter and over two."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import qmc

from sklearn_lepton._inspection.history import History
from sklearn_lepton._surrogate.fanova import sample_paths
from sklearn_lepton._surrogate.mixture import SurrogateEnsemble
from sklearn_lepton._surrogate.multi_fidelity import FullFidelityEnsemble, at_full_fidelity
from sklearn_lepton.plotting._scale import Scale
from sklearn_lepton.space._dimension import FloatArray
from sklearn_lepton.space._space import Space

_N_OTHERS = 32  # Sobol points of the other parameters that a marginal averages over
_N_PATHS = 16  # posterior samples for the uncertainty of a marginal


def best_points(source: History) -> FloatArray:
    """Return the best point of each branch; the centre of a branch without a score.

    Returns
    -------
    ndarray of shape (n_branches, n_dims)
    """
    space, points = source.space, []
    scored = [t for t in source.inside if t.score is not None and t.is_full]
    for branch in range(len(space.branches)):
        unit = _branch_unit(space, branch)
        inside = [t for t in scored if len(space.branches) == 1 or t.point[0] == unit]
        best = max(inside, key=lambda trial: trial.score or 0.0, default=None)
        centre = np.full(space.n_dims, 0.5)
        if len(space.branches) > 1:
            centre[0] = unit
        points.append(centre if best is None else np.array(best.point))
    return space.snap(np.array(points).reshape(len(points), space.n_dims))


def best_branch(source: History, branches: tuple[int, ...]) -> int:
    """Return the branch, among the given ones, that has the best trial."""
    space = source.space
    if len(space.branches) == 1:
        return 0
    branch_of = {_branch_unit(space, branch): branch for branch in branches}
    scored = [t for t in source.inside if t.score is not None and t.is_full]
    inside = [t for t in scored if t.point[0] in branch_of]
    best = max(inside, key=lambda trial: trial.score or 0.0, default=None)
    return branches[0] if best is None else branch_of[best.point[0]]


def slice_points(source: History, scale: Scale, units: FloatArray) -> FloatArray:
    """Return points along one parameter through the best configuration that has it."""
    best = best_points(source)
    if not scale.name:  # the branch itself: the best point of each branch
        return np.asarray(best[np.clip((units * len(best)).astype(int), 0, len(best) - 1)])
    points = np.tile(best[best_branch(source, scale.branches)], (len(units), 1))
    points[:, scale.column] = units
    return source.space.snap(points)


def slices(
    source: History, scale: Scale, units: FloatArray, model: SurrogateEnsemble
) -> tuple[FloatArray, FloatArray]:
    """Return the predicted score along one parameter and the standard deviation of a trial.

    Both are NaN where the constraint allows no trial.
    """
    process, points = model.process, slice_points(source, scale, units)
    mean, std = model.predict(points)
    blank = np.where(_are_allowed(source.space, points), 0.0, np.nan)
    return process.y_mean + process.y_scale * mean + blank, process.y_scale * std + blank


def marginals(
    source: History, scale: Scale, units: FloatArray, model: SurrogateEnsemble
) -> tuple[FloatArray, FloatArray]:
    """Return the predicted score averaged over all other parameters and its uncertainty.

    The average is over the configurations that the constraint allows; NaN if there is none.
    """
    space, n_units = source.space, len(units)
    # The same points of the other parameters for each value of this one.
    others = qmc.Sobol(space.n_dims, seed=0).random(_N_OTHERS)
    if len(space.branches) > 1:
        turns = np.resize(np.array(scale.branches), _N_OTHERS)
        others[:, 0] = [_branch_unit(space, int(branch)) for branch in turns]
    points = np.tile(others, (n_units, 1))
    points[:, scale.column] = np.repeat(units, _N_OTHERS)
    points = space.snap(points)
    is_full = isinstance(model, FullFidelityEnsemble)
    inputs = at_full_fidelity(points) if is_full else points
    # Posterior samples give the uncertainty of the average; the first one is their mean.
    samples = sample_paths(model.process, inputs, _N_PATHS, np.random.default_rng(0))
    shape, counts = (n_units, _N_OTHERS), np.ones(points.shape[:1])
    counts[~_are_allowed(space, points)] = np.nan
    samples = _mean(samples * counts, (len(samples), *shape))
    mean = _mean(model.predict(points)[0] * counts, shape)
    std = np.sqrt(np.mean((samples[1:] - samples[0]) ** 2, axis=0))
    process = model.process
    return process.y_mean + process.y_scale * mean, process.y_scale * std


def contour_grid(
    source: History, x: Scale, y: Scale, size: int, model: SurrogateEnsemble
) -> dict[str, Any]:
    """Return the predicted score over two parameters of the best configuration.

    Returns
    -------
    grid : dict
        Positions "x" (n_x,) and "y" (n_y,), and "mean" (n_y, n_x), which is NaN where no branch
        has both parameters, and where the constraint allows no trial.
    """
    space, units = source.space, (x.grid(size), y.grid(size))
    shared = tuple(b for b in x.branches if b in y.branches)
    shape = (len(units[1]), len(units[0]))
    grid = {"x": x.places(units[0]), "y": y.places(units[1]), "mean": np.full(shape, np.nan)}
    if not shared:
        return grid
    x_units, y_units = np.meshgrid(*units)
    points = np.tile(best_points(source)[best_branch(source, shared)], (x_units.size, 1))
    for scale, other, values in ((x, y, x_units), (y, x, y_units)):
        if not scale.name:  # the branch itself: each branch at its own best configuration
            points = slice_points(source, scale, values.ravel())
            points[:, other.column] = (y_units if other is y else x_units).ravel()
    for scale, values in ((x, x_units), (y, y_units)):
        points[:, scale.column] = values.ravel()
    points = space.snap(points)
    mean, _ = model.predict(points)
    process = model.process
    mean = process.y_mean + process.y_scale * mean
    is_active = space.is_active(points)
    has_both = is_active[:, x.column] & is_active[:, y.column]
    is_drawn = has_both & _are_allowed(space, points)
    grid["mean"] = np.where(is_drawn, mean, np.nan).reshape(shape)
    return grid


def _are_allowed(space: Space, points: FloatArray) -> npt.NDArray[np.bool_]:
    """Return whether the constraint of a space allows each point."""
    if space.allowed is None:
        return np.ones(len(points), dtype=bool)
    return np.array([point in space.allowed for point in points.tolist()], dtype=bool)


def _mean(values: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Return the mean over the last axis of an array of some shape, without NaN."""
    values = values.reshape(shape)
    counts = np.isfinite(values).sum(axis=-1)
    if np.all(counts == shape[-1]):
        return np.asarray(values.mean(axis=-1))
    return np.asarray(np.where(counts, np.nansum(values, axis=-1) / np.maximum(counts, 1), np.nan))


def _branch_unit(space: Space, branch: int) -> float:
    """Return the unit of a branch in the first column; 0.5 if there is one branch."""
    return space.dimensions[0].to_unit(branch) if len(space.branches) > 1 else 0.5
