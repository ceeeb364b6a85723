"""TimelineDisplay: the fits of each worker over time."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from sklearn_lepton._inspection.history import Clock, fit_spans, read_source
from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton.plotting._axes import AMBER, BLUE, ORANGE, SKY, clear, one_axes
from sklearn_lepton.space._dimension import FloatArray


class TimelineDisplay:
    """The fits of a search on the timeline of each worker.

    Create it with `from_search`. The constructor's parameters are also attributes. Trials
    without split results, such as those told to an optimizer by hand, have no fits to draw.

    Parameters
    ----------
    begins, ends : ndarray of shape (n_fits,)
        Begin and end of each fit, in seconds since the first fit began. Pauses of more than a
        minute, as between two sessions of a journal, are removed.
    workers : ndarray of int of shape (n_fits,)
        Number of the worker of each fit; -1 if no worker ran it.
    numbers : ndarray of int of shape (n_fits,)
        Number of the trial of each fit.
    splits : ndarray of int of shape (n_fits,)
        Number of the split of each fit.
    statuses : list of str of length n_fits
        Status of the trial of each fit: "complete", "pruned" or "failed".
    cuts : ndarray of shape (n_cuts,)
        Times of the removed pauses.

    Attributes
    ----------
    busy : float
        Share of the workers' total time that was spent in fits.
    ax_ : matplotlib Axes
        Axes of the last drawing.
    figure_ : matplotlib Figure
        Figure of the last drawing.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.svm import SVC
    >>> from sklearn_lepton import BayesSearchCV
    >>> from sklearn_lepton.plotting import TimelineDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> search = BayesSearchCV(SVC(), {"C": (0.1, 10.0, "log-uniform")}, n_iter=3, cv=2).fit(X, y)
    >>> TimelineDisplay.from_search(search).numbers.tolist()
    [0, 0, 1, 1, 2, 2]
    """

    ax_: Any
    figure_: Any

    def __init__(
        self,
        *,
        begins: FloatArray,
        ends: FloatArray,
        workers: Any,
        numbers: Any,
        splits: Any,
        statuses: list[str],
        cuts: FloatArray,
    ) -> None:
        self.begins = begins
        self.ends = ends
        self.workers = workers
        self.numbers = numbers
        self.splits = splits
        self.statuses = statuses
        self.cuts = cuts
        total = float(ends.max(initial=0.0)) * len(set(workers.tolist()) - {-1})
        fitting = float(np.sum((ends - begins)[workers >= 0]))
        self.busy = min(fitting / total, 1.0) if total else 0.0

    @classmethod
    @ignore_float_errors
    def from_search(cls, search: Any, *, space: Any = None) -> Self:
        """Read the times of a search's fits.

        Parameters
        ----------
        search : search, Optimizer, path of a journal or sequence of Trial
            Source of the trials.
        space : Space, dict, list of dict or None, default=None
            Search space; required with a sequence of trials.

        Returns
        -------
        display : TimelineDisplay
            Display that is not drawn yet.

        Raises
        ------
        ValueError
            If no trial has split results with start times.
        """
        source = read_source(search, space)
        fits = [
            (*span, trial.number, split, trial.status)
            for trial in source.trials
            for span, split in zip(fit_spans(trial), _splits_run(trial.split_results), strict=True)
        ]
        if not fits:
            raise ValueError(
                "None of the trials records when its fits ran: pass the trials of a search, or "
                "tell the optimizer split results with start times."
            )
        fits.sort()
        begins, ends, workers, numbers, splits, statuses = zip(*fits, strict=True)
        clock = Clock(list(zip(begins, ends, strict=True)))
        return cls(
            begins=clock.at(begins),
            ends=clock.at(ends),
            workers=np.array(workers, dtype=int),
            numbers=np.array(numbers, dtype=int),
            splits=np.array(splits, dtype=int),
            statuses=list(statuses),
            cuts=clock.cuts,
        )

    @ignore_float_errors
    def plot(self, ax: Any = None) -> Self:
        """Draw a bar for each fit; the shade alternates from trial to trial.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None creates a figure.

        Returns
        -------
        display : TimelineDisplay
            The display.
        """
        lanes = sorted(set(self.workers.tolist()))
        self.ax_, self.figure_ = ax, _ = one_axes(ax, (7.5, 1.4 + 0.45 * min(len(lanes), 16)))
        status = np.array(self.statuses, dtype=object)
        shades = {"complete": (BLUE, SKY), "pruned": (AMBER, "#F5D08A"), "failed": (ORANGE, ORANGE)}
        for row, worker in enumerate(lanes):
            for kind, colours in shades.items():
                for parity in (0, 1):
                    chosen = (self.workers == worker) & (status == kind)
                    chosen &= self.numbers % 2 == parity
                    if chosen.any():
                        spans = np.column_stack([self.begins, self.ends - self.begins])[chosen]
                        ax.broken_barh(spans, (row - 0.38, 0.76), color=colours[parity], lw=0)
        for cut in self.cuts:
            ax.axvline(cut, color="black", ls=":", lw=1)
        names = ["not run" if worker < 0 else f"worker {worker}" for worker in lanes]
        ax.set_yticks(range(len(lanes)), labels=names)
        end = float(self.ends.max()) or 1.0
        ax.set(xlabel="seconds", ylim=(len(lanes) - 0.4, -0.6), xlim=(-0.005 * end, 1.005 * end))
        handles = [
            ax.barh([-9], [0], color=colours[0], label=kind)
            for kind, colours in shades.items()
            if kind in self.statuses
        ]
        ax.set_ylim(len(lanes) - 0.4, -0.6)
        ax.set_title(
            f"workers busy {100 * self.busy:.0f} % of the time", loc="left", fontsize="medium"
        )
        ax.legend(
            handles=handles,
            frameon=False,
            ncols=3,
            loc="lower right",
            bbox_to_anchor=(1.0, 1.0),
            borderaxespad=0.2,
            fontsize="small",
        )
        clear(ax)
        return self


def _splits_run(results: Sequence[SplitResult]) -> list[int]:
    return [split for split, result in enumerate(results) if result.start_time]
