"""SwarmDisplay and LineageDisplay: paths of particles, and parents and offspring."""

from typing import Any, Self

import numpy as np

from sklearn_lepton._inspection.history import read_source
from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.plotting._axes import (
    AMBER,
    BLUE,
    COLOURS,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    clear,
    jitter,
    mark_edge,
    one_axes,
    score_limits,
)
from sklearn_lepton.plotting._scale import Scale, chosen_scales
from sklearn_lepton.space._dimension import FloatArray

_OPERATORS = {
    "crossover": BLUE,
    "differential": GREEN,
    "restart": PURPLE,
    "random": SKY,
}
_N_STARTS = 8  # particles that share the trials of the initial design
_JITTER = 0.5  # width of the strip of trials at a choice


class SwarmDisplay:
    """The paths of a swarm's particles over two parameters.

    Create it with `from_search`. The constructor's parameters are also attributes.

    Parameters
    ----------
    scales : list of Scale
        Axes of the parameters.
    values : ndarray of shape (n_trials, 2)
        Parameter values of the trials; NaN for a trial without the parameter.
    paths : dict of int to list of ndarray of int
        Paths of each particle, as indices of its trials. A new path begins where the particle
        had converged and was restarted.
    scores : ndarray of shape (n_trials,)
        Scores of the trials: the expected score of a pruned trial, NaN for a failed one.
    best : int or None
        Index of the best trial.

    Attributes
    ----------
    names : list of str of length 2
        Names of the parameters.
    ax_ : matplotlib Axes
        Axes of the last drawing.
    figure_ : matplotlib Figure
        Figure of the last drawing.

    Examples
    --------
    >>> from sklearn_lepton.optimizers import SwarmOptimizer
    >>> from sklearn_lepton.plotting import SwarmDisplay
    >>> space = {"x": (0.0, 1.0, "uniform"), "y": (0.0, 1.0, "uniform")}
    >>> optimizer = SwarmOptimizer(space, n_particles=3, surrogate=False)
    >>> for _ in range(9):
    ...     optimizer.tell([trial.complete(trial.params["x"]) for trial in optimizer.ask()])
    >>> sorted(SwarmDisplay.from_search(optimizer).paths)
    [0, 1, 2]
    """

    ax_: Any
    figure_: Any

    def __init__(
        self,
        *,
        scales: list[Scale],
        values: FloatArray,
        paths: dict[int, list[Any]],
        scores: FloatArray,
        best: int | None,
    ) -> None:
        self.scales = scales
        self.names = [scale.label for scale in scales]
        self.values = values
        self.paths = paths
        self.scores = scores
        self.best = best

    @classmethod
    @ignore_float_errors
    def from_search(cls, search: Any, *, parameters: Any = None, space: Any = None) -> Self:
        """Read the paths of a search's particles.

        Parameters
        ----------
        search : search, Optimizer, path of a journal or sequence of Trial
            Source of the trials, from `SwarmSearchCV` or `SwarmOptimizer`.
        parameters : sequence of two str or None, default=None
            Parameters to draw. None selects the two most important ones.
        space : Space, dict, list of dict or None, default=None
            Search space; required with a sequence of trials.

        Returns
        -------
        display : SwarmDisplay
            Display that is not drawn yet.

        Raises
        ------
        ValueError
            If no trial belongs to a particle, or fewer than two parameters vary.
        """
        source = read_source(search, space)
        paths = _paths(source.trials)
        if not paths:
            raise ValueError(
                "None of the trials is a particle's move: pass trials of SwarmSearchCV that go "
                "beyond its initial design."
            )
        scales = chosen_scales(source, parameters, 2, in_best_branch=True)[:2]
        if len(scales) < 2:
            raise ValueError(
                "Paths of particles need two parameters that vary, got "
                f"{[scale.label for scale in scales]}."
            )
        return cls(
            scales=scales,
            values=np.column_stack([scale.of(source.trials, source.space) for scale in scales]),
            paths=paths,
            scores=source.scores,
            best=source.best_row,
        )

    @ignore_float_errors
    def plot(self, ax: Any = None, *, n_last: int | None = None) -> Self:
        """Draw the paths, darker towards their end.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None creates a figure.
        n_last : int or None, default=None
            Number of last moves to draw of each particle; None draws all.

        Returns
        -------
        display : SwarmDisplay
            The display.
        """
        self.ax_, self.figure_ = ax, _ = one_axes(ax, (6.0, 4.8))
        values = self._jittered()
        ax.scatter(*values.T, s=8, color="0.75", lw=0, zorder=1)
        for number, particle in enumerate(sorted(self.paths)):
            colour = COLOURS[number % len(COLOURS)]
            paths = self.paths[particle]
            drawn = paths if n_last is None else [path[-n_last - 1 :] for path in paths[-1:]]
            for path in drawn:
                self._draw_path(values[path], colour)
            end = values[paths[-1][-1]]
            ax.scatter(*end, s=44, color=colour, edgecolor="black", lw=0.7, zorder=4)
        if self.best is not None:
            ax.scatter(
                *values[self.best],
                s=170,
                marker="*",
                color=AMBER,
                edgecolor="black",
                lw=0.8,
                zorder=5,
                label="best",
            )
        ax.scatter([], [], s=44, color=GREY, edgecolor="black", lw=0.7, label="final position")
        for which, scale in zip("xy", self.scales, strict=True):
            scale.draw(ax, which)
        ax.legend(
            frameon=False,
            ncols=2,
            loc="lower right",
            bbox_to_anchor=(1.0, 1.0),
            borderaxespad=0.2,
            fontsize="small",
        )
        clear(ax)
        return self

    def _draw_path(self, path: FloatArray, colour: str) -> None:
        """Draw the moves of a path, later ones darker."""
        path = path[np.isfinite(path).all(axis=1)]
        steps = np.diff(path, axis=0)
        self.ax_.quiver(
            *path[:-1].T,
            *steps.T,
            angles="xy",
            scale_units="xy",
            scale=1,
            units="dots",
            width=1.6,
            headwidth=5,
            headlength=6,
            headaxislength=5,
            color=colour,
            alpha=0.2 + 0.7 * np.arange(1, len(path)) / max(len(steps), 1),
            zorder=2,
        )

    def _jittered(self) -> FloatArray:
        """Return the values, with an offset for choices."""
        values = self.values.copy()
        for column, scale in enumerate(self.scales):
            if scale.labels is not None:
                values[:, column] += jitter(len(values), _JITTER, axis=column)
        return values


def _paths(trials: list[Trial]) -> dict[int, list[Any]]:
    """Return the paths of each particle, which begin at its best trial of the initial design."""
    found: dict[int, list[list[int]]] = {}
    for row, trial in enumerate(trials):
        particle = trial.proposal.get("particle")
        if not isinstance(particle, int):
            continue
        paths = found.setdefault(particle, [[]])
        if trial.proposal.get("reseeded") and paths[-1]:
            paths.append([])
        paths[-1].append(row)
    if not found:
        return {}
    # The trials of the initial design are dealt to the first particles in turn.
    n_starts = min(max(found) + 1, _N_STARTS)
    initial = [row for row, trial in enumerate(trials) if "particle" not in trial.proposal]
    for particle, paths in found.items():
        own = [row for row in initial[particle::n_starts] if row < paths[0][0]]
        scored = [row for row in own if trials[row].score is not None]
        if particle < n_starts and scored and not trials[paths[0][0]].proposal.get("reseeded"):
            paths[0].insert(0, max(scored, key=lambda row: trials[row].score or 0.0))
    return {particle: [np.array(path) for path in paths] for particle, paths in found.items()}


class LineageDisplay:
    """The parents and offspring of a genetic search, with the ancestors of the best trial.

    Create it with `from_search`. The constructor's parameters are also attributes.

    Parameters
    ----------
    numbers : ndarray of int of shape (n_trials,)
        Numbers of the trials.
    scores : ndarray of shape (n_trials,)
        Scores of the trials: the expected score of a pruned trial, NaN for a failed one.
    operators : list of str of length n_trials
        Genetic operator of each trial; "" in the initial design.
    edges : list of tuple (int, int)
        Numbers of parent and offspring. The parent that the offspring competes with comes
        first among its parents.
    ancestors : set of int
        Numbers of the best trial and all of its ancestors.
    score_name : str
        Label of the score axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the last drawing.
    figure_ : matplotlib Figure
        Figure of the last drawing.

    Examples
    --------
    >>> from sklearn_lepton.optimizers import GeneticOptimizer
    >>> from sklearn_lepton.plotting import LineageDisplay
    >>> optimizer = GeneticOptimizer({"x": (0.0, 1.0, "uniform")}, surrogate=False)
    >>> for _ in range(20):
    ...     optimizer.tell([trial.complete(trial.params["x"]) for trial in optimizer.ask()])
    >>> display = LineageDisplay.from_search(optimizer)
    >>> all(parent < child for parent, child in display.edges)
    True
    """

    ax_: Any
    figure_: Any

    def __init__(
        self,
        *,
        numbers: Any,
        scores: FloatArray,
        operators: list[str],
        edges: list[tuple[int, int]],
        ancestors: set[int],
        score_name: str = "score",
    ) -> None:
        self.numbers = numbers
        self.scores = scores
        self.operators = operators
        self.edges = edges
        self.ancestors = ancestors
        self.score_name = score_name

    @classmethod
    @ignore_float_errors
    def from_search(cls, search: Any, *, space: Any = None) -> Self:
        """Read the parents of a search's trials.

        Parameters
        ----------
        search : search, Optimizer, path of a journal or sequence of Trial
            Source of the trials, from `GeneticSearchCV` or `GeneticOptimizer`.
        space : Space, dict, list of dict or None, default=None
            Search space; required with a sequence of trials.

        Returns
        -------
        display : LineageDisplay
            Display that is not drawn yet.

        Raises
        ------
        ValueError
            If no trial has parents.
        """
        source = read_source(search, space)
        known = {trial.number for trial in source.trials}
        parents = {
            trial.number: [n for n in trial.proposal.get("parents", ()) if n in known]
            for trial in source.trials
        }
        edges = [(parent, child) for child, own in parents.items() for parent in own]
        if not edges:
            raise ValueError(
                "None of the trials has parents: pass trials of GeneticSearchCV that go beyond "
                "its initial design."
            )
        ancestors: set[int] = set()
        waiting = [] if source.best is None else [source.best.number]
        while waiting:
            number = waiting.pop()
            if number not in ancestors:
                ancestors.add(number)
                waiting += parents[number]
        return cls(
            numbers=np.array([trial.number for trial in source.trials], dtype=int),
            scores=source.scores,
            operators=[str(trial.proposal.get("operator", "")) for trial in source.trials],
            edges=edges,
            ancestors=ancestors,
            score_name=source.score_name,
        )

    @ignore_float_errors
    def plot(self, ax: Any = None) -> Self:
        """Draw the scores of all trials and a line from each parent to its offspring.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None creates a figure.

        Returns
        -------
        display : LineageDisplay
            The display.
        """
        self.ax_, self.figure_ = ax, _ = one_axes(ax, (7.2, 4.4))
        low, high = score_limits(self.scores)
        shown = np.where(np.isfinite(self.scores), np.maximum(self.scores, low), low)
        is_below = self.scores < low
        self._draw_edges(dict(zip(self.numbers.tolist(), shown.tolist(), strict=True)))
        kinds = np.array(self.operators, dtype=object)
        for kind in ("", *_OPERATORS):
            rows = (kinds == kind) & np.isfinite(self.scores) & ~is_below
            if rows.any():
                ax.scatter(
                    self.numbers[rows],
                    shown[rows],
                    s=20,
                    color=_OPERATORS.get(kind, GREY),
                    edgecolor="white",
                    lw=0.4,
                    label=kind or "initial design",
                    zorder=3,
                )
        colours = [_OPERATORS.get(kind, GREY) for kind in kinds[is_below]]
        below = {"s": 20, "color": colours, "lw": 0, "label": f"{is_below.sum()} below"}
        mark_edge(ax, self.numbers[is_below], marker="v", **below)
        failed = self.numbers[~np.isfinite(self.scores)]
        mark_edge(ax, failed, marker="X", s=26, color=ORANGE, lw=0, label="failed")
        ax.plot([], [], color="black", lw=1.3, label="ancestry of the best")
        ax.set(xlabel="trial number", ylabel=self.score_name, ylim=(low, high))
        ax.set_xlim(-1, float(self.numbers.max()) + 1)
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.legend(
            frameon=False,
            ncols=6,
            loc="lower right",
            bbox_to_anchor=(1.0, 1.0),
            borderaxespad=0.2,
            fontsize="small",
            handletextpad=0.3,
            columnspacing=1.0,
        )
        clear(ax)
        return self

    def _draw_edges(self, height: dict[int, float]) -> None:
        """Draw a line from each parent to its offspring, given the height of each trial."""
        from matplotlib.collections import LineCollection  # noqa: PLC0415 - an extra

        for of_best in (False, True):
            lines = [
                [(parent, height[parent]), (child, height[child])]
                for parent, child in self.edges
                if (child in self.ancestors) == of_best
            ]
            style = ("black", 1.3, 0.8) if of_best else ("0.6", 0.5, min(1.0, 60 / len(self.edges)))
            colour, width, alpha = style
            self.ax_.add_collection(
                LineCollection(
                    lines, colors=colour, linewidths=width, alpha=alpha, zorder=2 if of_best else 1
                )
            )
