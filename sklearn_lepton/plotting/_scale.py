"""Axes of parameters: positions of values, limits, ticks and labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_lepton._inspection.history import History, branch_parameter
from sklearn_lepton._runtime.output import text_of
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._trials.untuned import is_untuned, points_of
from sklearn_lepton._validation import unknown_name
from sklearn_lepton.importance import parameter_importance
from sklearn_lepton.plotting._axes import LARGEST, short
from sklearn_lepton.space._dimension import Categorical, Dimension, FloatArray, Integer
from sklearn_lepton.space._space import Space
from sklearn_lepton.space._values import Opaque

_MIN_LOG_RATIO = 30.0  # of high to low quantile, for a logarithmic axis of a distribution
_TAILS = (0.005, 0.995)  # quantiles at the ends of the axis of an unbounded distribution
_MAX_TICKS = 12
_MAX_LOG = 1e150  # the next tick of a logarithmic axis must be finite, too
_MAX_MINOR = 1e3  # ratio of the limits beyond which a logarithmic axis has no minor ticks
_ROOM = 22  # characters of horizontal labels that fit on an axis


@dataclass(frozen=True)
class Scale:
    """The axis of one parameter.

    Attributes
    ----------
    label : str
        Name of the parameter. The branch is added where several branches share the name.
    name : str
        Name of the parameter; "" for the branch itself.
    column : int
        Column of the points.
    dimension : Dimension
    is_log : bool
        Whether the axis is logarithmic.
    labels : tuple of str or None
        Labels of the choices, at the positions 0, 1, 2, ...; None for numbers.
    branches : tuple of int
        Branches that have the parameter.
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
        """Lower and upper limit of the axis."""
        if self.labels is not None:
            return -0.5, len(self.labels) - 0.5
        low, high = np.clip(self.places(np.array(self._ends)), -LARGEST, LARGEST)
        if self.is_log and low < _MAX_LOG:
            high = min(high, _MAX_LOG)
        if isinstance(self.dimension, Integer):
            pad = 0.5
            return float(low - pad), float(high + pad)
        return float(low), float(high)

    @property
    def is_crowded(self) -> bool:
        """Whether horizontal labels would overlap."""
        names = () if self.labels is None else self.labels[:: self._tick_step]
        return sum(map(len, names)) + len(names) > _ROOM

    @property
    def _tick_step(self) -> int:
        """Distance between labelled choices."""
        return -(-len(self.labels or "") // _MAX_TICKS)

    @property
    def _ends(self) -> tuple[float, float]:
        """Units at the ends of the axis."""
        has_ends = hasattr(self.dimension, "low") or np.isfinite(self.dimension.n_values)
        return (0.0, 1.0) if has_ends else _TAILS

    def grid(self, size: int) -> FloatArray:
        """Return at most `size` units along the axis; one per value if there are few values."""
        n_values = self.dimension.n_values
        low, high = self._ends
        units = np.linspace(low, high, size)
        if n_values <= size or self.labels is not None:
            units = np.unique(self.dimension.snap((np.arange(4 * n_values) + 0.5) / (4 * n_values)))
        return units

    def places(self, units: FloatArray) -> FloatArray:
        """Return the positions of units on the axis."""
        if self.labels is not None:
            cells = np.floor(np.asarray(units) * len(self.labels))
            return np.asarray(np.clip(cells, 0, len(self.labels) - 1))
        return np.array([float(self.dimension.from_unit(float(unit))) for unit in units])

    def of(self, trials: Sequence[Trial], space: Space) -> FloatArray:
        """Return the positions of trials on the axis; NaN for trials of other branches."""
        points, are_active = points_of(trials, space)
        is_active = are_active[:, self.column]
        if self.labels is not None:
            return np.where(is_active, self.places(points[:, self.column]), np.nan)
        values = [
            float(trial.params[self.name]) if active else np.nan
            for trial, active in zip(trials, is_active.tolist(), strict=True)
        ]
        return np.array(values, dtype=float)

    def draw(self, ax: Any, which: str = "x", *, with_label: bool = True) -> None:
        """Set the scale, limits, ticks and label of a matplotlib axis.

        Parameters
        ----------
        ax : matplotlib Axes
        which : {"x", "y"}, default="x"
        with_label : bool, default=True
        """
        axis = getattr(ax, f"{which}axis")
        if self.is_log:
            getattr(ax, f"set_{which}scale")("log")
            if self.limits[1] > _MAX_MINOR * self.limits[0]:
                axis.set_ticks([], minor=True)
        getattr(ax, f"set_{which}lim")(*self.limits)
        if self.labels is not None:
            shown = range(0, len(self.labels), self._tick_step)
            axis.set_ticks(list(shown), labels=self.labels[:: self._tick_step])
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
    """Return the axes of a space, without constants and parameters that identify the branch."""
    names, scales = list(space.names), []
    for column, (name, dimension) in enumerate(zip(names, space.dimensions, strict=True)):
        if dimension.n_values <= 1:
            continue
        branches = tuple(b for b, own in enumerate(space.branches) if column in own.values())
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
    source: History, parameters: Any, max_parameters: int, *, in_best_branch: bool = False
) -> list[Scale]:
    """Return the axes of the given parameters, or of the most important ones.

    Parameters
    ----------
    source : History
    parameters : str, sequence of str or None
        Names of parameters; None selects the most important ones.
    max_parameters : int
        Maximum number of axes if `parameters` is None.
    in_best_branch : bool, default=False
        Whether None selects among the parameters of the best trial only.

    Raises
    ------
    ValueError
        If a parameter is unknown or constant, or no parameter varies.
    """
    scales = scales_of(source.space)
    best = source.best
    if parameters is None and in_best_branch and best is not None and not is_untuned(best):
        is_active = source.space.is_active(np.array([best.point]))[0]
        scales = [scale for scale in scales if is_active[scale.column]]
    if not scales:
        raise ValueError("The space has no parameter that varies: there is nothing to draw.")
    if parameters is None:
        if len(scales) <= max_parameters:
            return scales
        importance = parameter_importance(source, n_samples=2)
        share = importance.importances_mean + importance.interactions_mean.sum(axis=1) / 2
        by_name = dict(zip(importance.names, share.tolist(), strict=True))
        scales.sort(key=lambda scale: -by_name.get(scale.name or importance.names[0], 0.0))
        return scales[:max_parameters]
    given = [parameters] if isinstance(parameters, str) else list(parameters)
    known = [scale.label for scale in scales]
    chosen = []
    for name in given:
        found = [s for s in scales if name in {s.label, s.name}]
        if not found:
            raise ValueError(f"parameters cannot be drawn: {unknown_name(str(name), known)}")
        chosen += found
    return chosen


def branch_name(space: Space, branch: int) -> str:
    """Return the name of a branch."""
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
    """Return a short text of a choice."""
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
    return bool(low > 0 and high / low > _MIN_LOG_RATIO)
