"""The score against one parameter, and against two."""

from typing import Any, Self

import numpy as np

from sklearn_lepton._inspection.history import read_source
from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton.plotting._axes import (
    AMBER,
    BLUE,
    COLOUR_MAP,
    GREY,
    ORANGE,
    clear,
    many_axes,
    mark_edge,
    score_limits,
)
from sklearn_lepton.plotting._model_slices import map_of, marginals, slices
from sklearn_lepton.plotting._scale import Scale, chosen_scales
from sklearn_lepton.space._dimension import FloatArray

_BAND = 1.645  # deviations on both sides that hold 90 % of a normal distribution
_SIZE = {"slice": 60, "marginal": 16}
_MAP_SIZE = {1: 50, 3: 30}  # by the number of maps
_MAX_MAPPED = 3
_MIN_SCORED = 4
_STEPS = (0.7548777, 0.5698403)  # fill the plane evenly
_MAX_COLUMNS = 5
_LARGEST_LEVEL = 1e200  # matplotlib takes -1e250 for the end of an axis without one


class SliceDisplay:
    """The score against each parameter: the trials, and what the model expects.

    Make it with `from_search`; its parameters are attributes, too.

    Parameters
    ----------
    scales : list of Scale
        The axes of the parameters.
    grids : list of ndarray of shape (n_places,)
        Values at which the model was asked; of choices their positions 0, 1, 2, ...
    means : list of ndarray of shape (n_places,)
        Score that it expects there.
    stds : list of ndarray of shape (n_places,)
        Standard deviation: of a trial there (slice), or of the mean (marginal).
    values : list of ndarray of shape (n_trials,)
        Values of the trials, NaN where a trial does not have the parameter.
    scores : ndarray of shape (n_trials,)
        Scores of the trials: of a pruned one what is expected of it, of a failed one NaN.
    best : int or None
        Position of the best trial among them.
    kind : {"slice", "marginal"}
        What the curves are.
    score_name : str
        What the axis of scores is called.

    Attributes
    ----------
    names : list of str of length n_drawn
        The parameters, with their branch where several have one of that name.
    axes_ : ndarray of Axes
        Where it was drawn last.
    figure_ : matplotlib Figure
        Likewise.

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
        """Ask the model of a search about its parameters.

        Parameters
        ----------
        search : search, Optimizer, path of a journal or sequence of Trial
            Where the trials come from. If there is no model, one is fitted.
        parameters : str, sequence of str or None, default=None
            Which; None is all, or those that matter most if there are more than
            `max_parameters`.
        kind : {"slice", "marginal"}, default="slice"
            A slice passes through the best setting, the other parameters as they are there. A
            marginal is the mean over all values of the others.
        max_parameters : int, default=20
            How many are drawn at most.
        space : Space, dict, list of dict or None, default=None
            Needed with a sequence of trials.

        Returns
        -------
        display : SliceDisplay
            Nothing is drawn yet.
        """
        if kind not in _SIZE:
            raise ValueError(f"kind must be 'slice' or 'marginal', got {kind!r}.")
        source = read_source(search, space)
        source.check_scored(_MIN_SCORED)
        scales = chosen_scales(source, parameters, max_parameters)
        is_slice = kind == "slice"
        model = (source.surrogate_optimizer() if is_slice else source.fresh_modeller()).model()
        units = [scale.grid(_SIZE[kind]) for scale in scales]
        curve = slices if is_slice else marginals
        found = [curve(source, s, u, model) for s, u in zip(scales, units, strict=True)]
        return cls(
            scales=scales,
            grids=[scale.places(unit) for scale, unit in zip(scales, units, strict=True)],
            means=[mean for mean, _ in found],
            stds=[std for _, std in found],
            values=[scale.of(source.trials, source.space) for scale in scales],
            scores=source.scores,
            best=source.best_row,
            kind=kind,
            score_name=source.score_name,
        )

    @ignore_float_errors
    def plot(self, ax: Any = None) -> Self:
        """Draw one picture a parameter.

        Scores too low for the axis are triangles at its lower edge, with their number; failed
        trials are crosses there.

        Parameters
        ----------
        ax : matplotlib Axes, array of Axes or None, default=None
            Where: None makes a figure, one Axes of a subplot is divided, of an array there must
            be one for each parameter.

        Returns
        -------
        display : SliceDisplay
            Itself.
        """
        n_drawn = len(self.names)
        n_columns = (
            n_drawn if n_drawn <= 3 else min(_MAX_COLUMNS, -(-n_drawn // 2), 4 + n_drawn // 20)
        )
        n_rows = -(-n_drawn // n_columns)
        size = (3.2, 2.7) if n_columns <= 3 else (2.7, 2.4)
        turned = [max(map(len, s.labels or [""])) for s in self.scales if s.is_crowded]
        below = 0.6 + 0.06 * max(turned, default=0)
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
            places = places + _spread(len(places))
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


class ContourDisplay:
    """What the model expects over two parameters at a time, with the trials on it.

    Make it with `from_search`; its parameters are attributes, too.
    The other parameters are as in the best setting.

    Parameters
    ----------
    scales : list of Scale
        The axes of the parameters.
    maps : dict of (int, int) to dict
        By the positions of the horizontal and the vertical one in `names`: places "x" (n_x,) and
        "y" (n_y,) and "mean" (n_y, n_x), NaN where no branch has both.
    values : list of ndarray of shape (n_trials,)
        Values of the trials, NaN where a trial does not have the parameter.
    scores : ndarray of shape (n_trials,)
        Scores of the trials: of a pruned one what is expected of it, of a failed one NaN.
    best : int or None
        Position of the best trial among them.
    score_name : str
        What the colours are.

    Attributes
    ----------
    names : list of str of length n_drawn
        The parameters.
    axes_ : ndarray of Axes
        Where it was drawn last.
    figure_ : matplotlib Figure
        Likewise.

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
        """Ask the model of a search about pairs of parameters.

        Parameters
        ----------
        search : search, Optimizer, path of a journal or sequence of Trial
            Where the trials come from. If there is no model, one is fitted.
        parameters : sequence of str or None, default=None
            At least two; with more, each pair is drawn. None is the three that matter most.
        space : Space, dict, list of dict or None, default=None
            Needed with a sequence of trials.

        Returns
        -------
        display : ContourDisplay
            Nothing is drawn yet.
        """
        source = read_source(search, space)
        source.check_scored(_MIN_SCORED)
        scales = chosen_scales(source, parameters, _MAX_MAPPED, in_best_branch=True)
        if len(scales) < 2:
            raise ValueError(
                f"A map takes two parameters that vary, got {[scale.label for scale in scales]}."
            )
        model = source.surrogate_optimizer().model()
        pairs = [(i, j) for j in range(len(scales)) for i in range(j)]
        size = _MAP_SIZE.get(len(pairs), 20)
        return cls(
            scales=scales,
            maps={(i, j): map_of(source, scales[i], scales[j], size, model) for i, j in pairs},
            values=[scale.of(source.trials, source.space) for scale in scales],
            scores=source.scores,
            best=source.best_row,
            score_name=source.score_name,
        )

    @ignore_float_errors
    def plot(self, ax: Any = None) -> Self:
        """Draw one map a pair, in a triangle if there are several.

        Parameters
        ----------
        ax : matplotlib Axes, array of Axes or None, default=None
            Where: None makes a figure, one Axes of a subplot is divided, of an array there must
            be as many as the triangle has places.

        Returns
        -------
        display : ContourDisplay
            Itself.
        """
        n_rows = len(self.names) - 1
        size = (5.2, 4.2) if n_rows == 1 else (3.2, 2.8)
        self.axes_, self.figure_ = many_axes(ax, n_rows, n_rows, size)
        from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - an extra

        means = np.concatenate([held["mean"].ravel() for held in self.maps.values()])
        low, high = score_limits(means)
        levels = np.linspace(low, high, 22)
        drawn, is_cut = None, low > -_LARGEST_LEVEL and bool(np.any(means < low))
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
            label=f"{self.score_name}, expected",
            ticks=MaxNLocator(6),
        )
        return self

    def _draw(self, ax: Any, pair: tuple[int, int], levels: FloatArray, extend: str) -> Any:
        held = self.maps[pair]
        x, y = (self.scales[position] for position in pair)
        least = levels[0] - (levels[1] - levels[0] if extend == "min" else 0.0)
        mean = np.ma.masked_invalid(np.maximum(held["mean"], least))
        if x.labels is None and y.labels is None and min(mean.shape) > 1:
            drawn = ax.contourf(held["x"], held["y"], mean, levels, cmap=COLOUR_MAP, extend=extend)
        else:
            drawn = ax.pcolormesh(
                _edges(held["x"], x),
                _edges(held["y"], y),
                mean,
                vmin=levels[0],
                vmax=levels[-1],
                cmap=COLOUR_MAP,
            )
        values = [self.values[position] for position in pair]
        for k, scale in enumerate((x, y)):
            if scale.labels is not None:
                values[k] = values[k] + _spread(len(values[k]), k)
        failed = ~np.isfinite(self.scores)
        look = {"lw": 0.5, "edgecolor": "white", "zorder": 3}
        ax.scatter(values[0][~failed], values[1][~failed], s=12, color="black", **look)
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


def _edges(places: FloatArray, scale: Scale) -> FloatArray:
    """Return the borders of cells around places."""
    if scale.labels is not None:
        return np.arange(len(places) + 1, dtype=np.float64) - 0.5
    low, high = scale.limits
    # Roots and halves first, since a product or a sum may overflow.
    parts = np.sqrt(places) if scale.is_log else places / 2
    inner = parts[1:] * parts[:-1] if scale.is_log else parts[1:] + parts[:-1]
    return np.concatenate([[min(low, places[0])], inner, [max(high, places[-1])]])


def _spread(n: int, way: int = 0) -> FloatArray:
    """Return small steps aside, the same each time, for trials with the same choice."""
    return np.asarray(0.44 * (np.mod(np.arange(n) * _STEPS[way], 1.0) - 0.5))
