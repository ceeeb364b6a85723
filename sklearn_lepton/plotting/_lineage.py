"""How a swarm moved, and who descends from whom."""

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
_N_STARTS = 8  # particles that the first trials are dealt out to


class SwarmDisplay:
    """The paths of a swarm's particles over two parameters.

    Make it with `from_search`; its parameters are attributes, too.

    Parameters
    ----------
    scales : list of Scale
        The axes of the parameters.
    values : ndarray of shape (n_trials, 2)
        Values of all trials, NaN where a trial does not have the parameter.
    paths : dict of int to list of ndarray of int
        For each particle the positions of its trials among all of them; a new list begins where
        it had come to rest and was thrown elsewhere.
    scores : ndarray of shape (n_trials,)
        Scores of the trials: of a pruned one what is expected of it, of a failed one NaN.
    best : int or None
        Position of the best trial.

    Attributes
    ----------
    names : list of str of length 2
        The parameters.
    ax_ : matplotlib Axes
        Where it was drawn last.
    figure_ : matplotlib Figure
        Likewise.

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
        """Read what is drawn from a search.

        Parameters
        ----------
        search : search, Optimizer, path of a journal or sequence of Trial
            Where the trials come from: of `SwarmSearchCV` or `SwarmOptimizer`.
        parameters : sequence of two str or None, default=None
            Which; None is the two that matter most.
        space : Space, dict, list of dict or None, default=None
            Needed with a sequence of trials.

        Returns
        -------
        display : SwarmDisplay
            Nothing is drawn yet.

        Raises
        ------
        ValueError
            If no trial is a particle's, or there are no two parameters that vary.
        """
        source = read_source(search, space)
        paths = _paths(source.trials)
        if not paths:
            raise ValueError(
                "None of the trials is a particle's move: the paths are those of SwarmSearchCV, "
                "after its first trials."
            )
        scales = chosen_scales(source, parameters, 2, in_best_branch=True)[:2]
        if len(scales) < 2:
            raise ValueError("Paths take two parameters that vary: the space has one.")
        return cls(
            scales=scales,
            values=np.column_stack([scale.of(source.trials, source.space) for scale in scales]),
            paths=paths,
            scores=source.scores,
            best=source.best_row,
        )

    @ignore_float_errors
    def plot(self, ax: Any = None, *, n_last: int | None = None) -> Self:
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where; None makes a figure.
        n_last : int or None, default=None
            How many last moves of each particle are drawn; None is all.

        Returns
        -------
        display : SwarmDisplay
            Itself.
        """
        self.ax_, self.figure_ = ax, _ = one_axes(ax, (6.0, 4.8))
        values = self._spread_out()
        ax.scatter(*values.T, s=8, color="0.75", lw=0, zorder=1)
        for number, particle in enumerate(sorted(self.paths)):
            colour = COLOURS[number % len(COLOURS)]
            pieces = self.paths[particle]
            kept = pieces if n_last is None else [piece[-n_last - 1 :] for piece in pieces[-1:]]
            for piece in kept:
                self._draw_path(values[piece], colour)
            end = values[pieces[-1][-1]]
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
        ax.scatter([], [], s=44, color=GREY, edgecolor="black", lw=0.7, label="last of a particle")
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
        """Draw moves that grow darker with time."""
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

    def _spread_out(self) -> FloatArray:
        """Return the values, those of choices moved apart a little."""
        values = self.values.copy()
        for column, scale in enumerate(self.scales):
            if scale.labels is not None:
                step = (0.7548777, 0.5698403)[column]
                values[:, column] += 0.5 * (np.mod(np.arange(len(values)) * step, 1.0) - 0.5)
        return values


def _paths(trials: list[Trial]) -> dict[int, list[Any]]:
    """Return the moves of each particle; each begins with the best of its first trials."""
    moves: dict[int, list[list[int]]] = {}
    for row, trial in enumerate(trials):
        particle = trial.proposal.get("particle")
        if not isinstance(particle, int):
            continue
        pieces = moves.setdefault(particle, [[]])
        if trial.proposal.get("reseeded") and pieces[-1]:
            pieces.append([])
        pieces[-1].append(row)
    if not moves:
        return {}
    n_starts = min(max(moves) + 1, _N_STARTS)
    first = [row for row, trial in enumerate(trials) if "particle" not in trial.proposal]
    for particle, pieces in moves.items():
        dealt = [row for row in first[particle::n_starts] if row < pieces[0][0]]
        scored = [row for row in dealt if trials[row].score is not None]
        if particle < n_starts and scored and not trials[pieces[0][0]].proposal.get("reseeded"):
            pieces[0].insert(0, max(scored, key=lambda row: trials[row].score or 0.0))
    return {particle: [np.array(piece) for piece in pieces] for particle, pieces in moves.items()}


class LineageDisplay:
    """Parents and children of a genetic search, the line of the best one drawn out.

    Make it with `from_search`; its parameters are attributes, too.

    Parameters
    ----------
    numbers : ndarray of int of shape (n_trials,)
        Those of the trials.
    scores : ndarray of shape (n_trials,)
        Their scores: of a pruned one what is expected of it, of a failed one NaN.
    operators : list of str of length n_trials
        What made them; "" of the first trials.
    edges : list of tuple (int, int)
        Parent and child, by number; of each child the parent that it competes with first.
    ancestors : set of int
        The best trial and all that it descends from, by number.
    score_name : str
        What the axis of scores is called.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn last.
    figure_ : matplotlib Figure
        Likewise.

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
        """Read what is drawn from a search.

        Parameters
        ----------
        search : search, Optimizer, path of a journal or sequence of Trial
            Where the trials come from: of `GeneticSearchCV` or `GeneticOptimizer`.
        space : Space, dict, list of dict or None, default=None
            Needed with a sequence of trials.

        Returns
        -------
        display : LineageDisplay
            Nothing is drawn yet.

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
        edges = [(n, child) for child, held in parents.items() for n in held]
        if not edges:
            raise ValueError(
                "None of the trials has parents: lineages are those of GeneticSearchCV, after its "
                "first trials."
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
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where; None makes a figure.

        Returns
        -------
        display : LineageDisplay
            Itself.
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
                    label=kind or "first trials",
                    zorder=3,
                )
        of_kind = [_OPERATORS.get(kind, GREY) for kind in kinds[is_below]]
        below = {"s": 20, "color": of_kind, "lw": 0, "label": f"{is_below.sum()} below"}
        mark_edge(ax, self.numbers[is_below], marker="v", **below)
        failed = self.numbers[~np.isfinite(self.scores)]
        mark_edge(ax, failed, marker="X", s=26, color=ORANGE, lw=0, label="failed")
        ax.plot([], [], color="black", lw=1.3, label="line of the best")
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

    def _draw_edges(self, place: dict[int, float]) -> None:
        """Draw a line from each parent to its child, given where each trial stands."""
        from matplotlib.collections import LineCollection  # noqa: PLC0415 - an extra

        for of_best in (False, True):
            lines = [
                [(parent, place[parent]), (child, place[child])]
                for parent, child in self.edges
                if (child in self.ancestors) == of_best
            ]
            look = ("black", 1.3, 0.8) if of_best else ("0.6", 0.5, min(1.0, 60 / len(self.edges)))
            colour, width, alpha = look
            self.ax_.add_collection(
                LineCollection(
                    lines, colors=colour, linewidths=width, alpha=alpha, zorder=2 if of_best else 1
                )
            )
