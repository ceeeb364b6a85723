"""ParallelCoordinatesDisplay: all parameters of all trials."""

from typing import Any, Self

import numpy as np

from sklearn_lepton._inspection.history import read_source
from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton._trials.untuned import points_of
from sklearn_lepton.plotting._axes import COLOUR_MAP, ORANGE, one_axes, score_limits, short
from sklearn_lepton.plotting._scale import Scale, chosen_scales
from sklearn_lepton.space._dimension import FloatArray

_TICK_UNITS = (0.0, 0.25, 0.5, 0.75, 1.0)
_MAX_NAMED = 8


class ParallelCoordinatesDisplay:
    """A line for each trial through the values of its parameters, coloured by its score.

    Create it with `from_search`. The constructor's parameters are also attributes. The axes have
    the scales of the search space. A line has a gap where the trial's branch lacks the parameter.

    Parameters
    ----------
    scales : list of Scale
        Axes of the parameters.
    units : ndarray of shape (n_trials, n_drawn)
        Positions of the trials on the axes, from 0 to 1; NaN for a trial without the parameter.
    scores : ndarray of shape (n_trials,)
        Scores of the trials: the expected score of a pruned trial, NaN for a failed one.
    score_name : str
        Label of the colour bar.

    Attributes
    ----------
    names : list of str of length n_drawn
        Names of the parameters.
    ax_ : matplotlib Axes
        Axes of the last drawing.
    figure_ : matplotlib Figure
        Figure of the last drawing.
    lines_ : matplotlib LineCollection
        Lines of the scored trials, the best one on top.

    Examples
    --------
    >>> from sklearn_lepton.optimizers import RandomOptimizer
    >>> from sklearn_lepton.plotting import ParallelCoordinatesDisplay
    >>> optimizer = RandomOptimizer({"x": (0.0, 1.0, "uniform"), "kind": ["a", "b"]}, seed=0)
    >>> optimizer.tell([trial.complete(trial.params["x"]) for trial in optimizer.ask(5)])
    >>> ParallelCoordinatesDisplay.from_search(optimizer).units.shape
    (5, 2)
    """

    ax_: Any
    figure_: Any
    lines_: Any

    def __init__(
        self,
        *,
        scales: list[Scale],
        units: FloatArray,
        scores: FloatArray,
        score_name: str = "score",
    ) -> None:
        self.scales = scales
        self.names = [scale.label for scale in scales]
        self.units = units
        self.scores = scores
        self.score_name = score_name

    @classmethod
    @ignore_float_errors
    def from_search(
        cls,
        search: Any,
        *,
        parameters: Any = None,
        max_parameters: int = 20,
        space: Any = None,
    ) -> Self:
        """Read the configurations and scores of a search.

        Parameters
        ----------
        search : search, Optimizer, path of a journal or sequence of Trial
            Source of the trials.
        parameters : sequence of str or None, default=None
            Parameters to draw, in this order. None draws all of them, but at most the
            `max_parameters` most important ones.
        max_parameters : int, default=20
            Maximum number of parameters if `parameters` is None.
        space : Space, dict, list of dict or None, default=None
            Search space; required with a sequence of trials.

        Returns
        -------
        display : ParallelCoordinatesDisplay
            Display that is not drawn yet.
        """
        source = read_source(search, space)
        scales = chosen_scales(source, parameters, max_parameters)
        if len(scales) < 2:
            raise ValueError(
                "Parallel coordinates need at least two parameters that vary, got "
                f"{[scale.label for scale in scales]}."
            )
        points, is_active = points_of(source.trials, source.space)
        units = np.where(is_active, points, np.nan)
        return cls(
            scales=scales,
            units=units[:, [scale.column for scale in scales]],
            scores=source.scores,
            score_name=source.score_name,
        )

    @ignore_float_errors
    def plot(self, ax: Any = None) -> Self:
        """Draw a line for each trial.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None creates a figure.

        Returns
        -------
        display : ParallelCoordinatesDisplay
            The display.
        """
        n_drawn = len(self.names)
        self.ax_, self.figure_ = ax, _ = one_axes(ax, (max(5.0, 1.8 + 1.15 * n_drawn), 4.4))
        from matplotlib.collections import LineCollection  # noqa: PLC0415 - an extra

        places = np.arange(n_drawn, dtype=float)
        units = self.units + self._offsets()
        failed = np.flatnonzero(~np.isfinite(self.scores))
        ax.add_collection(
            LineCollection(
                [np.column_stack([places, units[row]]) for row in failed],
                colors=ORANGE,
                linestyles=":",
                linewidths=0.8,
                zorder=1,
            )
        )
        order = np.argsort(np.where(np.isfinite(self.scores), self.scores, -np.inf))[len(failed) :]
        low, high = score_limits(self.scores)
        share = np.linspace(0.0, 1.0, len(order)) ** 2
        self.lines_ = LineCollection(
            [np.column_stack([places, units[row]]) for row in order],
            array=np.clip(self.scores[order], low, high),
            cmap=COLOUR_MAP,
            linewidths=0.6 + 1.4 * share,
            # matplotlib takes the minimum, which an empty array does not have.
            alpha=0.2 + 0.8 * share if len(order) else None,
            zorder=2,
        )
        self.lines_.set_clim(low, high)
        ax.add_collection(self.lines_)
        for place, scale in zip(places, self.scales, strict=True):
            ax.axvline(place, color="0.25", lw=0.9, zorder=3)
            for unit, text in axis_ticks(scale):
                ax.annotate(
                    text,
                    (place, unit),
                    xytext=(3, 0),
                    textcoords="offset points",
                    fontsize=7,
                    va="center",
                    zorder=4,
                    bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.75},
                )
        ax.set(xlim=(-0.15, n_drawn - 1 + 0.75), ylim=(-0.04, 1.04))
        ax.set_xticks(places, labels=[short(name, 24) for name in self.names])
        if sum(min(len(name), 24) for name in self.names) > 12 * max(5.0, n_drawn):
            ax.tick_params(axis="x", labelrotation=30)
            for text in ax.get_xticklabels():
                text.set(ha="right", rotation_mode="anchor")
        ax.set_yticks([])
        ax.spines[:].set_visible(False)
        ax.tick_params(axis="x", length=0)
        extend = "min" if np.any(self.scores < low) else "neither"
        bar = self.figure_.colorbar(
            self.lines_, ax=ax, label=self.score_name, pad=0.01, extend=extend
        )
        bar.solids.set_alpha(1)
        return self

    def _offsets(self) -> FloatArray:
        """Return deterministic offsets that separate the lines through a choice."""
        rows = np.mod(np.arange(len(self.units)) * 0.618034, 1.0) - 0.5
        widths = [0.0 if s.labels is None else 0.5 / len(s.labels) for s in self.scales]
        return np.outer(rows, widths)


def axis_ticks(scale: Scale) -> list[tuple[float, str]]:
    """Return the ticks of an axis: positions from 0 to 1 and their labels."""
    if scale.labels is not None:
        n_labels = len(scale.labels)
        step = -(-n_labels // _MAX_NAMED)
        return [((k + 0.5) / n_labels, scale.labels[k]) for k in range(0, n_labels, step)]
    if scale.dimension.n_values <= len(_TICK_UNITS):
        units = scale.grid(len(_TICK_UNITS)).tolist()
    else:
        units = list(_TICK_UNITS)
        if not hasattr(scale.dimension, "low"):
            units = [0.02, 0.25, 0.5, 0.75, 0.98]
    values = [scale.dimension.from_unit(unit) for unit in units]
    return [(unit, f"{value:.3g}") for unit, value in zip(units, values, strict=True)]
