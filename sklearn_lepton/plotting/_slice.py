"""SliceDisplay: the score against each parameter."""

from typing import Any, Self

import numpy as np

from sklearn_lepton._inspection.history import read_source
from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton.plotting._axes import (
    AMBER,
    BLUE,
    GREY,
    ORANGE,
    clear,
    jitter,
    many_axes,
    mark_edge,
    score_limits,
)
from sklearn_lepton.plotting._model_slices import marginals, slices
from sklearn_lepton.plotting._scale import Scale, chosen_scales
from sklearn_lepton.space._dimension import FloatArray

_BAND = 1.645  # standard deviations on each side that hold 90 % of a normal distribution
_N_GRID = {"slice": 60, "marginal": 16}
_MIN_SCORED = 4
_MAX_COLUMNS = 5
_JITTER = 0.44  # width of the strip of trials at a choice


class SliceDisplay:
    """The score against each parameter: trials and the surrogate's prediction.

    Create it with `from_search`. The constructor's parameters are also attributes.

    Parameters
    ----------
    scales : list of Scale
        Axes of the parameters.
    grids : list of ndarray of shape (n_grid,)
        Parameter values of the predictions. Choices have the positions 0, 1, 2, ...
    means : list of ndarray of shape (n_grid,)
        Predicted scores.
    stds : list of ndarray of shape (n_grid,)
        Standard deviation of one trial's score (slice) or of the mean (marginal).
    values : list of ndarray of shape (n_trials,)
        Parameter values of the trials; NaN for a trial without the parameter.
    scores : ndarray of shape (n_trials,)
        Scores of the trials: the expected score of a pruned trial, NaN for a failed one.
    best : int or None
        Index of the best trial.
    kind : {"slice", "marginal"}
        Kind of the curves.
    score_name : str
        Label of the score axis.

    Attributes
    ----------
    names : list of str of length n_drawn
        Names of the parameters. The branch is added where several branches share a name.
    axes_ : ndarray of Axes
        Axes of the last drawing.
    figure_ : matplotlib Figure
        Figure of the last drawing.

    Examples
    --------
    >>> from sklearn_lepton.optimizers import BayesOptimizer
    >>> from sklearn_lepton.plotting import SliceDisplay
    >>> optimizer = BayesOptimizer({"x": (0.0, 1.0, "uniform")}, seed=0)
    >>> optimizer.tell([trial.complete(trial.params["x"]) for trial in optimizer.ask(9)])
    >>> display = SliceDisplay.from_search(optimizer)
    >>> display.names, bool(display.means[0][0] < display.means[0][-1])
    (['x'], True)
    """

    axes_: Any
    figure_: Any

    def __init__(
        self,
        *,
        scales: list[Scale],
        grids: list[FloatArray],
        means: list[FloatArray],
        stds: list[FloatArray],
        values: list[FloatArray],
        scores: FloatArray,
        best: int | None,
        kind: str,
        score_name: str = "score",
    ) -> None:
        self.scales = scales
        self.names = [scale.label for scale in scales]
        self.grids = grids
        self.means = means
        self.stds = stds
        self.values = values
        self.scores = scores
        self.best = best
        self.kind = kind
        self.score_name = score_name

    @classmethod
    @ignore_float_errors
    def from_search(
        cls,
        search: Any,
        *,
        parameters: Any = None,
        kind: str = "slice",
        max_parameters: int = 20,
        space: Any = None,
    ) -> Self:
        """Compute the curves from the surrogate of a search.

        Parameters
        ----------
        search : search, Optimizer, path of a journal or sequence of Trial
            Source of the trials. A surrogate is fitted if the search has none.
        parameters : str, sequence of str or None, default=None
            Parameters to draw. None draws all of them, but at most the `max_parameters` most
            important ones.
        kind : {"slice", "marginal"}, default="slice"
            A slice varies one parameter of the best configuration. A marginal averages over
            all values of the other parameters.
        max_parameters : int, default=20
            Maximum number of parameters if `parameters` is None.
        space : Space, dict, list of dict or None, default=None
            Search space; required with a sequence of trials.

        Returns
        -------
        display : SliceDisplay
            Display that is not drawn yet.
        """
        if kind not in _N_GRID:
            raise ValueError(f"kind must be 'slice' or 'marginal', got {kind!r}.")
        source = read_source(search, space)
        source.check_scored(_MIN_SCORED)
        scales = chosen_scales(source, parameters, max_parameters)
        is_slice = kind == "slice"
        model = (
            source.surrogate_optimizer() if is_slice else source.new_surrogate_optimizer()
        ).model()
        units = [scale.grid(_N_GRID[kind]) for scale in scales]
        curve = slices if is_slice else marginals
        curves = [curve(source, s, u, model) for s, u in zip(scales, units, strict=True)]
        return cls(
            scales=scales,
            grids=[scale.places(unit) for scale, unit in zip(scales, units, strict=True)],
            means=[mean for mean, _ in curves],
            stds=[std for _, std in curves],
            values=[scale.of(source.trials, source.space) for scale in scales],
            scores=source.scores,
            best=source.best_row,
            kind=kind,
            score_name=source.score_name,
        )

    @ignore_float_errors
    def plot(self, ax: Any = None) -> Self:
        """Draw one panel per parameter.

        Triangles at the lower edge mark scores below the axis, with their number. Crosses at
        the lower edge mark failed trials.

        Parameters
        ----------
        ax : matplotlib Axes, array of Axes or None, default=None
            Axes to draw on. None creates a figure, the Axes of a subplot is divided, and an
            array must hold one Axes per parameter.

        Returns
        -------
        display : SliceDisplay
            The display.
        """
        n_drawn = len(self.names)
        n_columns = (
            n_drawn if n_drawn <= 3 else min(_MAX_COLUMNS, -(-n_drawn // 2), 4 + n_drawn // 20)
        )
        n_rows = -(-n_drawn // n_columns)
        size = (3.2, 2.7) if n_columns <= 3 else (2.7, 2.4)
        rotated = [max(map(len, s.labels or [""])) for s in self.scales if s.is_crowded]
        below = 0.6 + 0.06 * max(rotated, default=0)
        self.axes_, self.figure_ = many_axes(ax, n_rows, n_columns, size, below=below)
        limits = score_limits(self.scores)
        for row, axes in enumerate(self.axes_.ravel()):
            if row >= n_drawn:
                axes.set_axis_off()
                continue
            self._draw(axes, row, limits)
            if row % n_columns:
                axes.tick_params(labelleft=False)
            else:
                axes.set_ylabel(self.score_name)
        return self

    def _draw(self, ax: Any, row: int, limits: tuple[float, float]) -> None:
        scale, grid = self.scales[row], self.grids[row]
        mean, half = self.means[row], _BAND * self.stds[row]
        known = np.isfinite(self.values[row])
        scored = known & np.isfinite(self.scores)
        places = self.values[row][scored]
        if scale.labels is not None:
            places = places + jitter(len(places), _JITTER)
            ax.errorbar(
                grid, mean, yerr=half, fmt="_", ms=16, mew=2, color=BLUE, capsize=3, zorder=3
            )
        else:
            ax.fill_between(grid, mean - half, mean + half, color=BLUE, alpha=0.2, lw=0)
            ax.plot(grid, mean, color=BLUE, lw=1.8, zorder=3)
        shown = self.scores[scored]
        is_below = shown < limits[0]
        dots = {"color": GREY, "linestyle": "none", "markeredgewidth": 0, "zorder": 2}
        ax.plot(places[~is_below], shown[~is_below], marker="o", markersize=3, **dots)
        mark_edge(ax, places[is_below], marker="v", s=14, color=GREY, lw=0)
        if is_below.any():
            note, corner = f"{is_below.sum()} below", {"fontsize": "x-small", "color": "0.35"}
            ax.annotate(note, (0, 0), (3, 7), "axes fraction", "offset points", **corner)
        if scale.labels is not None:
            mark_edge(ax, grid[mean < limits[0]], marker="v", s=30, color=BLUE, lw=0)
        failed = self.values[row][known & ~np.isfinite(self.scores)]
        mark_edge(ax, failed, marker="X", s=22, color=ORANGE, lw=0)
        if self.best is not None and scored[self.best]:
            ax.scatter(
                self.values[row][self.best],
                self.scores[self.best],
                s=70,
                marker="*",
                color=AMBER,
                edgecolor="black",
                lw=0.6,
                zorder=4,
            )
        scale.draw(ax)
        ax.set_ylim(*limits)
        ax.yaxis.get_major_locator().set_params(nbins=5)
        clear(ax)
