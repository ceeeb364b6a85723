"""Axes of parameters: where a value stands, and what is written there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_lepton._inspection.history import History, branch_parameter
from sklearn_lepton._runtime.output import text_of
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._validation import unknown_name
from sklearn_lepton.importance import parameter_importance
from sklearn_lepton.plotting._axes import LARGEST, short
from sklearn_lepton.space._dimension import Categorical, Dimension, FloatArray, Integer
from sklearn_lepton.space._space import Space
from sklearn_lepton.space._values import Opaque

_WIDE = 30.0  # a distribution whose values differ by so much is drawn on a logarithmic scale
_TAILS = (0.005, 0.995)
_MAX_TICKS = 12
_TOP = 1e150  # the next tick of a logarithmic axis has to be a number, too
_MANY_DECADES = 1e3  # the tens alone tell enough
_ROOM = 22  # characters that category labels have beside each other


@dataclass(frozen=True)
class Scale:
    """The axis of one parameter.

    Attributes
    ----------
    label : str
        Its name, with its branch where several have one of that name.
    name : str
        Its name; "" for the branch itself.
    column : int
        That of the points.
    dimension : Dimension
    is_log : bool
        Whether the axis is logarithmic.
    labels : tuple of str or None
        Those of choices, which stand at 0, 1, 2, ...
    branches : tuple of int
        The branches that have it.
    """

    label: str
    name: str
    column: int
    dimension: Dimension
    is_log: bool
    labels: tuple[str, ...] | None
    branches: tuple[int, ...]

    @property
    def limits(self) -> tuple[float, float]:
        """Least and greatest place."""
        if self.labels is not None:
            return -0.5, len(self.labels) - 0.5
        low, high = np.clip(self.places(np.array(self._ends)), -LARGEST, LARGEST)
        if self.is_log and low < _TOP:
            high = min(high, _TOP)
        if isinstance(self.dimension, Integer):
            pad = 0.5
            return float(low - pad), float(high + pad)
        return float(low), float(high)

    @property
    def is_crowded(self) -> bool:
        """Whether the labels have no room beside each other."""
        names = () if self.labels is None else self.labels[:: self._step]
        return sum(map(len, names)) + len(names) > _ROOM

    @property
    def _step(self) -> int:
        """One in so many labels is written."""
        return -(-len(self.labels or "") // _MAX_TICKS)

    @property
    def _ends(self) -> tuple[float, float]:
        has_ends = hasattr(self.dimension, "low") or np.isfinite(self.dimension.n_values)
        return (0.0, 1.0) if has_ends else _TAILS

    def grid(self, size: int) -> FloatArray:
        """Return units where the axis is looked at: each value where there are few."""
        n_values = self.dimension.n_values
        low, high = self._ends
        units = np.linspace(low, high, size)
        if n_values <= size or self.labels is not None:
            units = np.unique(self.dimension.snap((np.arange(4 * n_values) + 0.5) / (4 * n_values)))
        return units

    def places(self, units: FloatArray) -> FloatArray:
        """Return where units stand on the axis."""
        if self.labels is not None:
            cells = np.floor(np.asarray(units) * len(self.labels))
            return np.asarray(np.clip(cells, 0, len(self.labels) - 1))
        return np.array([float(self.dimension.from_unit(float(unit))) for unit in units])

    def of(self, trials: Sequence[Trial], space: Space) -> FloatArray:
        """Return where trials stand on the axis, NaN for those of other branches."""
        points = np.array([trial.point for trial in trials]).reshape(len(trials), space.n_dims)
        is_active = space.is_active(points)[:, self.column]
        if self.labels is not None:
            return np.where(is_active, self.places(points[:, self.column]), np.nan)
        values = [
            float(trial.params[self.name]) if active else np.nan
            for trial, active in zip(trials, is_active.tolist(), strict=True)
        ]
        return np.array(values, dtype=float)

    def draw(self, ax: Any, which: str = "x", *, with_label: bool = True) -> None:
        """Set up an axis: its scale, limits, ticks and name.

        Parameters
        ----------
        ax : matplotlib Axes
        which : {"x", "y"}, default="x"
        with_label : bool, default=True
        """
        axis = getattr(ax, f"{which}axis")
        if self.is_log:
            getattr(ax, f"set_{which}scale")("log")
            if self.limits[1] > _MANY_DECADES * self.limits[0]:
                axis.set_ticks([], minor=True)
        getattr(ax, f"set_{which}lim")(*self.limits)
        if self.labels is not None:
            shown = range(0, len(self.labels), self._step)
            axis.set_ticks(list(shown), labels=self.labels[:: self._step])
            if which == "x" and self.is_crowded:
                axis.set_tick_params(labelrotation=45)
                for text in axis.get_ticklabels():
                    text.set(ha="right", rotation_mode="anchor")
        elif not self.is_log:
            is_whole = isinstance(self.dimension, Integer)
            axis.get_major_locator().set_params(nbins=5, integer=is_whole)
        if with_label:
            getattr(ax, f"set_{which}label")(short(self.label))


def scales_of(space: Space) -> list[Scale]:
    """Return the axes of a space, without constants and without what only repeats the branch."""
    names, scales = list(space.names), []
    for column, (name, dimension) in enumerate(zip(names, space.dimensions, strict=True)):
        if dimension.n_values <= 1:
            continue
        branches = tuple(b for b, held in enumerate(space.branches) if column in held.values())
        label = name
        if not name:
            label = branch_parameter(space) or "(branch)"
            branches = tuple(range(len(space.branches)))
        elif sum(n == name and space.n_values[c] > 1 for c, n in enumerate(names)) > 1:
            label = f"{name} [{', '.join(branch_name(space, b) for b in branches)}]"
        scales.append(
            Scale(
                label=label,
                name=name,
                column=column,
                dimension=dimension,
                is_log=_is_log(dimension),
                labels=_labels(space, column),
                branches=branches,
            )
        )
    return scales


def chosen_scales(
    source: History, parameters: Any, most: int, *, in_best_branch: bool = False
) -> list[Scale]:
    """Return the axes of the parameters asked for, or of those that matter most.

    Parameters
    ----------
    source : Source
    parameters : str, sequence of str or None
        None is at most so many, those of the best trial's branch if it is asked for.
    most : int
    in_best_branch : bool, default=False

    Raises
    ------
    ValueError
        If a parameter is unknown or constant, or none is left.
    """
    scales = scales_of(source.space)
    if parameters is None and in_best_branch and source.best is not None:
        is_active = source.space.is_active(np.array([source.best.point]))[0]
        scales = [scale for scale in scales if is_active[scale.column]]
    if not scales:
        raise ValueError("The space has no parameter that varies: there is nothing to draw.")
    if parameters is None:
        if len(scales) <= most:
            return scales
        found = parameter_importance(source, n_samples=2)
        share = found.importances_mean + found.interactions_mean.sum(axis=1) / 2
        by_name = dict(zip(found.names, share.tolist(), strict=True))
        scales.sort(key=lambda scale: -by_name.get(scale.name or found.names[0], 0.0))
        return scales[:most]
    given = [parameters] if isinstance(parameters, str) else list(parameters)
    known = [scale.label for scale in scales]
    chosen = []
    for name in given:
        held = [s for s in scales if name in {s.label, s.name}]
        if not held:
            raise ValueError(f"No axis can be made of it: {unknown_name(str(name), known)}")
        chosen += held
    return chosen


def branch_name(space: Space, branch: int) -> str:
    """Return what a branch is called."""
    name = branch_parameter(space)
    if name is None:
        return f"branch {branch}"
    return _text(space.dimensions[space.branches[branch][name]].from_unit(0.5))


def _labels(space: Space, column: int) -> tuple[str, ...] | None:
    dimension = space.dimensions[column]
    if not space.names[column]:
        return tuple(branch_name(space, b) for b in range(len(space.branches)))
    if isinstance(dimension, Categorical):
        return tuple(map(_text, dimension.categories))
    return None


def _text(value: Any) -> str:
    """Write a choice in few characters."""
    if isinstance(value, Opaque):
        value = value.text
    elif hasattr(value, "get_params") or callable(value):
        value = getattr(value, "__name__", type(value).__name__)
    elif isinstance(value, float):
        value = f"{value:.4g}"
    return short(text_of(value).replace("\n", " "), 16)


def _is_log(dimension: Dimension) -> bool:
    if isinstance(dimension, Categorical):
        return False
    if hasattr(dimension, "log"):
        return bool(dimension.log)
    low, high = dimension.from_unit(0.02), dimension.from_unit(0.98)
    return bool(low > 0 and high / low > _WIDE)
