"""ConvergenceDisplay and ComparisonDisplay: the best score so far of one or several searches."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from sklearn_lepton._inspection.history import end_seconds, read_source, score_error
from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton.plotting._axes import (
    BLUE,
    COLOURS,
    DASHES,
    GREY,
    ORANGE,
    clear,
    mark_edge,
    one_axes,
    score_limits,
    short,
)
from sklearn_lepton.space._dimension import FloatArray

_UNITS = {"trial": "trial number", "seconds": "seconds"}


class ConvergenceDisplay:
    """The best score so far after each trial.

    Create it with `from_search`. The constructor's parameters are also attributes.

    Parameters
    ----------
    numbers : ndarray of int of shape (n_trials,)
        Numbers of the finished trials.
    seconds : ndarray of shape (n_trials,)
        End of each trial, in seconds since the first fit began. Pauses of more than a minute,
        as between two sessions of a journal, are removed.
    scores : ndarray of shape (n_trials,)
        Scores of the trials: the expected score of a pruned trial, NaN for a failed one.
    errors : ndarray of shape (n_trials,)
        Standard errors of the scores over the splits, corrected for overlapping training sets;
        0 with a single split. For a pruned trial, the standard deviation of its expected score.
    statuses : list of str of length n_trials
        "complete", "pruned" or "failed".
    is_full : ndarray of bool of shape (n_trials,)
        Whether the trials ran at full fidelity. Only those can become the best trial.
    untuned_score : float or None
        Score of the estimator's own parameters, if the first trial evaluated them.
    score_name : str
        Label of the score axis.

    Attributes
    ----------
    best_scores : ndarray of shape (n_trials,)
        Best score so far; NaN before the first score.
    best_errors : ndarray of shape (n_trials,)
        Standard errors of the best scores.
    ax_ : matplotlib Axes
        Axes of the last drawing.
    figure_ : matplotlib Figure
        Figure of the last drawing.
    line_ : matplotlib Line2D
        Line of the best score.
    band_ : matplotlib PolyCollection
        Band of the standard error.

    Examples
    --------
    >>> from sklearn_lepton.optimizers import RandomOptimizer
    >>> from sklearn_lepton.plotting import ConvergenceDisplay
    >>> optimizer = RandomOptimizer({"x": (0.0, 1.0, "uniform")}, seed=0)
    >>> optimizer.tell([trial.complete(trial.params["x"]) for trial in optimizer.ask(5)])
    >>> display = ConvergenceDisplay.from_search(optimizer)
    >>> bool(display.best_scores[-1] == max(display.scores))
    True
    """

    ax_: Any
    figure_: Any
    line_: Any
    band_: Any

    def __init__(
        self,
        *,
        numbers: Any,
        seconds: FloatArray,
        scores: FloatArray,
        errors: FloatArray,
        statuses: list[str],
        is_full: Any,
        untuned_score: float | None = None,
        score_name: str = "score",
    ) -> None:
        self.numbers = numbers
        self.seconds = seconds
        self.scores = scores
        self.errors = errors
        self.statuses = statuses
        self.is_full = is_full
        self.best_scores, self.best_errors = self._best(np.arange(len(scores)))
        self.untuned_score = untuned_score
        self.score_name = score_name

    @classmethod
    @ignore_float_errors
    def from_search(cls, search: Any, *, space: Any = None) -> Self:
        """Read the scores of a search.

        Parameters
        ----------
        search : search, Optimizer, path of a journal or sequence of Trial
            Source of the trials. The search may have failed or been interrupted.
        space : Space, dict, list of dict or None, default=None
            Search space; required with a sequence of trials.

        Returns
        -------
        display : ConvergenceDisplay
            Display that is not drawn yet.
        """
        source = read_source(search, space)
        untuned_scores = [t.score for t in source.trials if t.number == source.default_trial]
        return cls(
            numbers=np.array([t.number for t in source.trials], dtype=int),
            seconds=end_seconds(source.trials),
            scores=source.scores,
            errors=np.array([score_error(t, source.ratio) for t in source.trials], dtype=float),
            statuses=[t.status for t in source.trials],
            is_full=np.array([t.is_full for t in source.trials], dtype=bool),
            untuned_score=untuned_scores[0] if untuned_scores else None,
            score_name=source.score_name,
        )

    @ignore_float_errors
    def plot(self, ax: Any = None, *, x: str = "trial") -> Self:
        """Draw the best score and all trials.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None creates a figure.
        x : {"trial", "seconds"}, default="trial"
            Horizontal axis: the trial number or the time.

        Returns
        -------
        display : ConvergenceDisplay
            The display.
        """
        places, best, errors = self.curve(x)
        self.ax_, self.figure_ = ax, _ = one_axes(ax, (6.4, 4.0))
        low, high = score_limits(self.scores, (best - errors)[-1:], best + errors, self._untuned())
        self._draw_trials(self._places(x), low)
        self.band_ = ax.fill_between(
            places,
            best - errors,
            best + errors,
            step="post",
            color=BLUE,
            alpha=0.2,
            lw=0,
            label="standard error" if np.any(errors > 0) else None,
        )
        [self.line_] = ax.step(places, best, where="post", color=BLUE, lw=2, label="best so far")
        if self.untuned_score is not None:
            ax.axhline(self.untuned_score, color="black", ls="--", lw=1.2, label="untuned")
        ax.set(xlabel=_UNITS[x], ylabel=self.score_name, ylim=(low, high))
        if x == "trial":
            ax.xaxis.get_major_locator().set_params(integer=True)
        clear(ax)
        ax.legend(loc="lower right", fontsize="small", framealpha=0.8, edgecolor="none")
        return self

    @ignore_float_errors
    def curve(self, x: str = "trial") -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the best score so far, from the first scored trial on.

        Parameters
        ----------
        x : {"trial", "seconds"}, default="trial"
            Horizontal axis: the trial number or the time.

        Returns
        -------
        places : ndarray of shape (n_scored,)
            Trial numbers or seconds.
        best : ndarray of shape (n_scored,)
            Best scores.
        errors : ndarray of shape (n_scored,)
            Standard errors of the best scores.
        """
        if x not in _UNITS:
            raise ValueError(f"x must be 'trial' or 'seconds', got {x!r}.")
        places = self._places(x)
        order = np.argsort(places, kind="stable")
        best, errors = self._best(order)
        known = np.isfinite(best)
        return places[order][known], best[known], errors[known]

    def _best(self, order: Any) -> tuple[FloatArray, FloatArray]:
        """Return the best score and its error after each trial, in the given order of trials."""
        is_complete = np.array([status == "complete" for status in self.statuses], dtype=bool)
        scores = np.where(is_complete & self.is_full, self.scores, -np.inf)[order]
        best = np.maximum.accumulate(scores)
        is_new = np.isfinite(best) & (best > np.concatenate([[-np.inf], best[:-1]]))
        incumbent = np.maximum.accumulate(np.where(is_new, np.arange(len(best)), 0))
        known = np.isfinite(best)
        return np.where(known, best, np.nan), np.where(known, self.errors[order][incumbent], 0.0)

    def _places(self, x: str) -> FloatArray:
        """Return the horizontal positions of the trials."""
        return np.asarray(self.numbers, dtype=float) if x == "trial" else self.seconds

    def _untuned(self) -> FloatArray:
        return np.array([] if self.untuned_score is None else [self.untuned_score])

    def _draw_trials(self, places: FloatArray, low: float) -> None:
        """Draw a mark for each trial; trials without a score or below the axis at its edge."""
        status, known = np.array(self.statuses, dtype=object), np.isfinite(self.scores)
        below, complete = known & (self.scores < low), status == "complete"
        kinds = (
            (complete & self.is_full, "trials", {"marker": "o", "s": 14, "color": GREY}),
            (
                complete & ~self.is_full,
                "lower fidelity",
                {"marker": "o", "s": 12, "facecolors": "none", "edgecolors": GREY, "lw": 0.8},
            ),
            ((status == "pruned") & known, "pruned", {"marker": "x", "s": 16, "color": GREY}),
        )
        for mask, label, style in kinds:
            rows = mask & ~below
            if rows.any():
                self.ax_.scatter(places[rows], self.scores[rows], label=label, zorder=2, **style)
        below_label = f"{below.sum()} below"
        mark_edge(self.ax_, places[below], marker="v", s=14, color=GREY, label=below_label)
        mark_edge(self.ax_, places[~known], marker="X", s=26, color=ORANGE, lw=0, label="failed")


class ComparisonDisplay:
    """The best score so far of several searches.

    Create it with `from_searches`. The constructor's parameters are also attributes.

    Parameters
    ----------
    displays : dict of str to ConvergenceDisplay
        Display of each search, by the name of the search.
    score_name : str
        Label of the score axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the last drawing.
    figure_ : matplotlib Figure
        Figure of the last drawing.
    lines_ : list of matplotlib Line2D
        Lines of the best scores, one per search.

    Examples
    --------
    >>> from sklearn_lepton.optimizers import BayesOptimizer, RandomOptimizer
    >>> from sklearn_lepton.plotting import ComparisonDisplay
    >>> searches = {}
    >>> for name, kind in {"Bayes": BayesOptimizer, "random": RandomOptimizer}.items():
    ...     searches[name] = optimizer = kind({"x": (0.0, 1.0, "uniform")}, seed=0)
    ...     optimizer.tell([trial.complete(trial.params["x"]) for trial in optimizer.ask(5)])
    >>> list(ComparisonDisplay.from_searches(searches).displays)
    ['Bayes', 'random']
    """

    ax_: Any
    figure_: Any
    lines_: list[Any]

    def __init__(self, *, displays: dict[str, ConvergenceDisplay], score_name: str) -> None:
        self.displays = displays
        self.score_name = score_name

    @classmethod
    @ignore_float_errors
    def from_searches(cls, searches: Mapping[str, Any], *, space: Any = None) -> Self:
        """Read the scores of several searches.

        Parameters
        ----------
        searches : dict of str to search
            Searches by the names in the legend. Each may be anything that
            `ConvergenceDisplay.from_search` accepts.
        space : Space, dict, list of dict or None, default=None
            Search space; required with sequences of trials.

        Returns
        -------
        display : ComparisonDisplay
            Display that is not drawn yet.
        """
        if not isinstance(searches, Mapping) or not searches:
            raise ValueError(
                "searches must be a dict of names and searches with at least one entry, got "
                f"{searches!r}."
            )
        displays = {
            str(name): ConvergenceDisplay.from_search(search, space=space)
            for name, search in searches.items()
        }
        names = {display.score_name for display in displays.values()}
        return cls(displays=displays, score_name=names.pop() if len(names) == 1 else "score")

    @ignore_float_errors
    def plot(self, ax: Any = None, *, x: str = "trial") -> Self:
        """Draw a line for each search.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None creates a figure.
        x : {"trial", "seconds"}, default="trial"
            Horizontal axis: the trial number or the time.

        Returns
        -------
        display : ComparisonDisplay
            The display.
        """
        if x not in _UNITS:
            raise ValueError(f"x must be 'trial' or 'seconds', got {x!r}.")
        self.ax_, self.figure_ = ax, _ = one_axes(ax, (6.4, 4.0))
        self.lines_, shown = [], []
        ends: list[float] = []
        for number, (name, display) in enumerate(self.displays.items()):
            places, best, errors = display.curve(x)
            style: dict[str, Any] = {
                "color": COLOURS[number % len(COLOURS)],
                "ls": DASHES[number // len(COLOURS) % len(DASHES)],
            }
            self.lines_ += ax.step(places, best, where="post", lw=2, label=short(name, 40), **style)
            ax.fill_between(
                places,
                best - errors,
                best + errors,
                step="post",
                alpha=0.12,
                lw=0,
                color=style["color"],
            )
            shown.append(best)
            ends += [*(best + errors)[-1:], *(best - errors)[-1:]]
        everything = np.concatenate(shown)
        ax.set(xlabel=_UNITS[x], ylabel=self.score_name, ylim=score_limits(everything, ends))
        if x == "trial":
            ax.xaxis.get_major_locator().set_params(integer=True)
        clear(ax)
        ax.legend(loc="lower right", fontsize="small", framealpha=0.8, edgecolor="none")
        return self
