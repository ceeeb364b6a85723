"""ContourDisplay: the expected score over pairs of parameters."""

from typing import Any, Self

import numpy as np

from sklearn_lepton._inspection.history import read_source
from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton.plotting._axes import (
    AMBER,
    COLOUR_MAP,
    ORANGE,
    jitter,
    many_axes,
    score_limits,
)
from sklearn_lepton.plotting._model_slices import contour_grid
from sklearn_lepton.plotting._scale import Scale, chosen_scales
from sklearn_lepton.space._dimension import FloatArray

_GRID_SIZE = {1: 50, 3: 30}  # points per axis, by the number of pairs
_MAX_PARAMETERS = 3
_MIN_SCORED = 4
_MAX_LEVEL = 1e200  # matplotlib takes -1e250 for the end of an axis without one
_JITTER = 0.44  # width of the strip of trials at a choice


class ContourDisplay:
    """The surrogate's expected score over pairs of parameters, with the trials.

    Create it with `from_search`. The constructor's parameters are also attributes. The other
    parameters have the values of the best configuration.

    Parameters
    ----------
    scales : list of Scale
        Axes of the parameters.
    maps : dict of (int, int) to dict
        Expected scores of each pair, by the indices of the horizontal and the vertical
        parameter in `names`: "x" (n_x,), "y" (n_y,) and "mean" (n_y, n_x). The mean is NaN
        where no branch has both parameters.
    values : list of ndarray of shape (n_trials,)
        Parameter values of the trials; NaN for a trial without the parameter.
    scores : ndarray of shape (n_trials,)
        Scores of the trials: the expected score of a pruned trial, NaN for a failed one.
    best : int or None
        Index of the best trial.
    score_name : str
        Label of the colour bar.

    Attributes
    ----------
    names : list of str of length n_drawn
        Names of the parameters.
    axes_ : ndarray of Axes
        Axes of the last drawing.
    figure_ : matplotlib Figure
        Figure of the last drawing.

    Examples
    --------
    >>> from sklearn_lepton.optimizers import BayesOptimizer
    >>> from sklearn_lepton.plotting import ContourDisplay
    >>> space = {"x": (0.0, 1.0, "uniform"), "y": (0.0, 1.0, "uniform")}
    >>> optimizer = BayesOptimizer(space, seed=0)
    >>> optimizer.tell([t.complete(t.params["x"] - t.params["y"]) for t in optimizer.ask(9)])
    >>> ContourDisplay.from_search(optimizer).maps[0, 1]["mean"].shape
    (50, 50)
    """

    axes_: Any
    figure_: Any

    def __init__(
        self,
        *,
        scales: list[Scale],
        maps: dict[tuple[int, int], dict[str, Any]],
        values: list[FloatArray],
        scores: FloatArray,
        best: int | None,
        score_name: str = "score",
    ) -> None:
        self.scales = scales
        self.names = [scale.label for scale in scales]
        self.maps = maps
        self.values = values
        self.scores = scores
        self.best = best
        self.score_name = score_name

    @classmethod
    @ignore_float_errors
    def from_search(cls, search: Any, *, parameters: Any = None, space: Any = None) -> Self:
        """Compute the expected scores from the surrogate of a search.

        Parameters
        ----------
        search : search, Optimizer, path of a journal or sequence of Trial
            Source of the trials. A surrogate is fitted if the search has none.
        parameters : sequence of str or None, default=None
            At least two parameters; each pair of them is drawn. None selects the three most
            important parameters of the best trial's branch.
        space : Space, dict, list of dict or None, default=None
            Search space; required with a sequence of trials.

        Returns
        -------
        display : ContourDisplay
            Display that is not drawn yet.
        """
        source = read_source(search, space)
        source.check_scored(_MIN_SCORED)
        scales = chosen_scales(source, parameters, _MAX_PARAMETERS, in_best_branch=True)
        if len(scales) < 2:
            raise ValueError(
                "A contour plot needs at least two parameters that vary, got "
                f"{[scale.label for scale in scales]}."
            )
        model = source.surrogate_optimizer().model()
        pairs = [(i, j) for j in range(len(scales)) for i in range(j)]
        size = _GRID_SIZE.get(len(pairs), 20)
        return cls(
            scales=scales,
            maps={
                (i, j): contour_grid(source, scales[i], scales[j], size, model) for i, j in pairs
            },
            values=[scale.of(source.trials, source.space) for scale in scales],
            scores=source.scores,
            best=source.best_row,
            score_name=source.score_name,
        )

    @ignore_float_errors
    def plot(self, ax: Any = None) -> Self:
        """Draw one panel per pair of parameters, several panels as a triangle.

        Parameters
        ----------
        ax : matplotlib Axes, array of Axes or None, default=None
            Axes to draw on. None creates a figure, the Axes of a subplot is divided, and an
            array must hold the whole square around the triangle.

        Returns
        -------
        display : ContourDisplay
            The display.
        """
        n_rows = len(self.names) - 1
        size = (5.2, 4.2) if n_rows == 1 else (3.2, 2.8)
        self.axes_, self.figure_ = many_axes(ax, n_rows, n_rows, size)
        from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - an extra

        means = np.concatenate([held["mean"].ravel() for held in self.maps.values()])
        low, high = score_limits(means)
        levels = np.linspace(low, high, 22)
        drawn, is_cut = None, low > -_MAX_LEVEL and bool(np.any(means < low))
        extend = "min" if is_cut else "neither"
        for row, column in np.ndindex(n_rows, n_rows):
            axes = self.axes_[row, column]
            if column > row:
                axes.set_axis_off()
                continue
            drawn = self._draw(axes, (column, row + 1), levels, extend)
            self.scales[column].draw(axes, "x", with_label=row == n_rows - 1)
            self.scales[row + 1].draw(axes, "y", with_label=column == 0)
            axes.tick_params(labelbottom=row == n_rows - 1, labelleft=column == 0)
        places = self.axes_.ravel().tolist()
        self.figure_.colorbar(
            drawn,
            extend=extend,
            ax=places if n_rows > 1 else places[0],
            label=f"expected {self.score_name}",
            ticks=MaxNLocator(6),
        )
        return self

    def _draw(self, ax: Any, pair: tuple[int, int], levels: FloatArray, extend: str) -> Any:
        grid = self.maps[pair]
        x, y = (self.scales[index] for index in pair)
        lowest = levels[0] - (levels[1] - levels[0] if extend == "min" else 0.0)
        mean = np.ma.masked_invalid(np.maximum(grid["mean"], lowest))
        if x.labels is None and y.labels is None and min(mean.shape) > 1:
            drawn = ax.contourf(grid["x"], grid["y"], mean, levels, cmap=COLOUR_MAP, extend=extend)
        else:
            drawn = ax.pcolormesh(
                _cell_edges(grid["x"], x),
                _cell_edges(grid["y"], y),
                mean,
                vmin=levels[0],
                vmax=levels[-1],
                cmap=COLOUR_MAP,
            )
        values = [self.values[index] for index in pair]
        for k, scale in enumerate((x, y)):
            if scale.labels is not None:
                values[k] = values[k] + jitter(len(values[k]), _JITTER, axis=k)
        failed = ~np.isfinite(self.scores)
        style = {"lw": 0.5, "edgecolor": "white", "zorder": 3}
        ax.scatter(values[0][~failed], values[1][~failed], s=12, color="black", **style)
        ax.scatter(
            values[0][failed], values[1][failed], s=30, color=ORANGE, marker="X", lw=0, zorder=3
        )
        if self.best is not None:
            ax.scatter(
                values[0][self.best],
                values[1][self.best],
                s=110,
                marker="*",
                color=AMBER,
                edgecolor="black",
                lw=0.7,
                zorder=4,
            )
        return drawn


def _cell_edges(places: FloatArray, scale: Scale) -> FloatArray:
    """Return the edges of the cells around the grid points of an axis."""
    if scale.labels is not None:
        return np.arange(len(places) + 1, dtype=np.float64) - 0.5
    low, high = scale.limits
    # Take roots and halves first: a product or a sum may overflow.
    parts = np.sqrt(places) if scale.is_log else places / 2
    inner = parts[1:] * parts[:-1] if scale.is_log else parts[1:] + parts[:-1]
    return np.concatenate([[min(low, places[0])], inner, [max(high, places[-1])]])
