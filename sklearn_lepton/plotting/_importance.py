"""ImportanceDisplay: the importance of parameters and of their interactions."""

from typing import Any, Self

import numpy as np

from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton.importance import parameter_importance
from sklearn_lepton.plotting._axes import AMBER, BLUE, clear, one_axes, short
from sklearn_lepton.space._dimension import FloatArray

WHISKER = 2.0  # standard deviations on each side, here and in the report


class ImportanceDisplay:
    """The shares of the score's variance that parameters and their interactions explain.

    Create it with `from_search`. The constructor's parameters are also attributes. See
    `parameter_importance` for the definition of the shares.

    Parameters
    ----------
    names : list of str of length n_names
        Names of the parameters.
    importances_mean, importances_std : ndarray of shape (n_names,)
        Main effect of each parameter, as a share of the variance, and its uncertainty.
    interactions_mean, interactions_std : ndarray of shape (n_names, n_names)
        Interaction of each pair, as a share of the variance, and its uncertainty.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the last drawing.
    figure_ : matplotlib Figure
        Figure of the last drawing.
    bars_ : matplotlib BarContainer
        Bars of the shares, the largest first.

    Examples
    --------
    >>> from sklearn_lepton.optimizers import RandomOptimizer
    >>> from sklearn_lepton.plotting import ImportanceDisplay
    >>> optimizer = RandomOptimizer({"x": (0.0, 1.0, "uniform"), "y": (0.0, 1.0, "uniform")})
    >>> optimizer.tell([t.complete(t.params["x"]) for t in optimizer.ask(20)])
    >>> display = ImportanceDisplay.from_search(optimizer)
    >>> display.names[int(display.importances_mean.argmax())]
    'x'
    """

    ax_: Any
    figure_: Any
    bars_: Any

    def __init__(
        self,
        *,
        names: list[str],
        importances_mean: FloatArray,
        importances_std: FloatArray,
        interactions_mean: FloatArray,
        interactions_std: FloatArray,
    ) -> None:
        self.names = names
        self.importances_mean = importances_mean
        self.importances_std = importances_std
        self.interactions_mean = interactions_mean
        self.interactions_std = interactions_std

    @classmethod
    @ignore_float_errors
    def from_search(cls, search: Any, *, space: Any = None, **options: Any) -> Self:
        """Compute the shares from the trials of a search.

        Parameters
        ----------
        search : search, Optimizer, path of a journal or sequence of Trial
            Source of the trials.
        space : Space, dict, list of dict or None, default=None
            Search space; required with a sequence of trials.
        **options : dict
            Options of `parameter_importance`.

        Returns
        -------
        display : ImportanceDisplay
            Display that is not drawn yet.
        """
        found = parameter_importance(search, space=space, **options)
        return cls(
            names=found.names,
            importances_mean=found.importances_mean,
            importances_std=found.importances_std,
            interactions_mean=found.interactions_mean,
            interactions_std=found.interactions_std,
        )

    @ignore_float_errors
    def plot(self, ax: Any = None, *, max_bars: int = 15, min_share: float = 0.01) -> Self:
        """Draw a bar for each parameter and for each important interaction.

        Whiskers extend two standard deviations of the share on each side.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None creates a figure.
        max_bars : int, default=15
            Maximum number of bars.
        min_share : float, default=0.01
            Minimum share of an interaction; smaller ones are not drawn.

        Returns
        -------
        display : ImportanceDisplay
            The display.
        """
        labels, shares, errors, are_pairs = self._ranked(min_share)
        shown = slice(0, max_bars)
        labels, shares, errors = labels[shown], shares[shown], errors[shown]
        self.ax_, self.figure_ = ax, _ = one_axes(ax, (6.4, max(1.6, 0.8 + 0.3 * len(labels))))
        places = np.arange(len(labels))
        self.bars_ = ax.barh(
            places,
            shares,
            color=[AMBER if pair else BLUE for pair in are_pairs[shown]],
            height=0.7,
        )
        lower = np.minimum(WHISKER * errors, shares)
        upper = np.minimum(WHISKER * errors, 1.0 - shares)
        ax.errorbar(
            shares, places, xerr=[lower, upper], fmt="none", ecolor="0.2", elinewidth=1, capsize=2
        )
        ax.set_yticks(places, labels=labels)
        ax.set(
            xlabel=f"share of the score's variance ± {WHISKER:g} standard deviations",
            xlim=(0, None),
            ylim=(len(labels) - 0.4, -0.6),
        )
        if any(are_pairs[shown]):
            colours = {"main effect": BLUE, "interaction": AMBER}
            handles = [ax.barh([-9], [0], color=colour)[0] for colour in colours.values()]
            ax.legend(handles, list(colours), frameon=False, loc="lower right", fontsize="small")
            ax.set_ylim(len(labels) - 0.4, -0.6)
        clear(ax)
        return self

    def _ranked(self, min_share: float) -> tuple[list[str], FloatArray, FloatArray, list[bool]]:
        """Return labels, shares and errors of all bars, the largest first."""
        bars = [
            (short(name), float(share), float(error), False)
            for name, share, error in zip(
                self.names, self.importances_mean, self.importances_std, strict=True
            )
        ]
        for i, j in zip(*np.triu_indices(len(self.names), 1), strict=True):
            share = float(self.interactions_mean[i, j])
            if share >= min_share:
                label = (
                    f"{short(self.names[i], 20)} \N{MULTIPLICATION SIGN} {short(self.names[j], 20)}"
                )
                bars.append((label, share, float(self.interactions_std[i, j]), True))
        bars.sort(key=lambda bar: -bar[1])
        labels, shares, errors, are_pairs = zip(*bars, strict=True) if bars else ((), (), (), ())
        return list(labels), np.array(shares), np.array(errors), list(are_pairs)
