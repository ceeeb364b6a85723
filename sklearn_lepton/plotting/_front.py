"""FrontDisplay: the Pareto front of a search with objectives, and the dominated trials."""

from typing import Any, Self

import numpy as np

from sklearn_lepton._inspection.history import read_source
from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton._trials.objectives import TIMES, Objectives
from sklearn_lepton._trials.pareto import admissible, pareto_trials
from sklearn_lepton.plotting._axes import BLUE, GREY, ORANGE, clear, one_axes, short
from sklearn_lepton.space._dimension import FloatArray


class FrontDisplay:
    """Two objectives of all trials, with the Pareto front and the trials over a limit.

    Create it with `from_search`. The constructor's parameters are also attributes.

    Parameters
    ----------
    names : list of str of length 2
        Names of the objectives.
    values : ndarray of shape (n_trials, 2)
        Their values in the complete trials, in their own units.
    is_on_front, is_within_limits : ndarray of shape (n_trials,), bool
        Whether each trial is on the front, and within all limits.
    best : int or None
        Row of the best trial.
    signs : ndarray of shape (2,)
        1 for an objective to maximize, -1 for one to minimize.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the last drawing.
    figure_ : matplotlib Figure
        Figure of the last drawing.
    front_ : matplotlib Line2D
        Line of the front.

    Examples
    --------
    >>> from sklearn_lepton import tune
    >>> from sklearn_lepton.plotting import FrontDisplay
    >>> result = tune(
    ...     lambda x: {"near": x**2, "far": (x - 2) ** 2},
    ...     {"x": (-3.0, 3.0)},
    ...     n_iter=12,
    ...     minimize=True,
    ...     objectives=["near", "far"],
    ...     random_state=0,
    ... )
    >>> FrontDisplay.from_search(result).names
    ['near', 'far']
    """

    ax_: Any
    figure_: Any
    front_: Any

    def __init__(
        self,
        *,
        names: list[str],
        values: FloatArray,
        is_on_front: Any,
        is_within_limits: Any,
        best: int | None,
        signs: FloatArray,
    ) -> None:
        self.names = names
        self.values = values
        self.is_on_front = is_on_front
        self.is_within_limits = is_within_limits
        self.best = best
        self.signs = signs

    @classmethod
    @ignore_float_errors
    def from_search(cls, search: Any, *, names: tuple[str, str] | None = None) -> Self:
        """Read the objectives of the trials of a search.

        Parameters
        ----------
        search : search, result of tune or Optimizer
            With ``objectives``.
        names : tuple of two str or None, default=None
            The objectives to draw; None draws the first two.

        Returns
        -------
        display : FrontDisplay
            Display that is not drawn yet.

        Raises
        ------
        ValueError
            If there are fewer than two objectives, or no objective has one of the names.
        """
        source = read_source(search)
        optimizer = source.optimizer
        objectives = Objectives() if optimizer is None else optimizer.run_settings.objectives
        known = [target.name for target in objectives.targets]
        shown = known[:2] if names is None else list(names)
        if len(known) < 2 or len(shown) != 2 or not set(shown) <= set(known):
            raise ValueError(
                f"A front has two objectives, got {shown} of the objectives {known}: give a "
                "search with two objectives or more, and two of their names."
            )
        columns = [known.index(name) for name in shown]
        trials = [trial for trial in source.trials if trial.status == "complete"]
        signs = objectives.signs
        on_front = {trial.number for trial in pareto_trials(trials, objectives)}
        within = {trial.number for trial in admissible(trials, objectives)}
        best = getattr(search, "best_index_", None)
        chosen = source.best if best is None else search.trials_[best]
        numbers = [trial.number for trial in trials]
        return cls(
            names=shown,
            values=(objectives.values(trials) * signs)[:, columns],
            is_on_front=np.array([number in on_front for number in numbers], dtype=bool),
            is_within_limits=np.array([number in within for number in numbers], dtype=bool),
            best=None if chosen is None else numbers.index(chosen.number),
            signs=signs[columns],
        )

    @ignore_float_errors
    def plot(self, ax: Any = None) -> Self:
        """Draw the trials, and a line through the front.

        With two objectives the line has steps: it bounds what the front dominates. Trials over a
        limit are crosses.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None creates a figure.

        Returns
        -------
        display : FrontDisplay
            The display.
        """
        self.ax_, self.figure_ = ax, _ = one_axes(ax, (6.4, 4.2))
        front = self.values[self.is_on_front]
        front = front[np.argsort(front[:, 0], kind="stable")]
        dominated = self.values[~self.is_on_front & self.is_within_limits]
        ax.plot(*dominated.T, "o", color=GREY, alpha=0.6, label="dominated")
        if not self.is_within_limits.all():
            over = self.values[~self.is_within_limits]
            ax.plot(*over.T, "x", color=GREY, alpha=0.6, label="over a limit")
        steps = "steps-post" if self.signs[0] < 0 else "steps-pre"
        [self.front_] = ax.plot(
            *front.T, "o-", color=BLUE, drawstyle=steps, label=f"front ({len(front)})"
        )
        if self.best is not None:
            ax.plot(*self.values[self.best], "*", color=ORANGE, markersize=14, label="best")
        for axis, name, sign in zip("xy", self.names, self.signs, strict=True):
            unit = " in seconds" if name in TIMES else ""
            better = "greater" if sign > 0 else "smaller"
            ax.set(**{f"{axis}label": f"{short(name)}{unit} ({better} is better)"})
        ax.legend(frameon=False, fontsize="small")
        clear(ax)
        return self
