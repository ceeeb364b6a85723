"""Options of an optimizer that depend on the run: budget, window, time, resumed fits."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sklearn_lepton._trials.objectives import Objectives
from sklearn_lepton._validation import check_flag, is_real, is_whole


@dataclass(frozen=True)
class RunSettings:
    """Options that the caller may only know once the run is prepared.

    `Optimizer.configure` changes them; a search and `tune` call it.

    Parameters
    ----------
    budget : int or None, default=None
        Number of trials of the run, None if unknown or without a limit. The last trials of a
        budget run at full fidelity, and an automatic grid has about as many points. Without a
        number of trials, `max_seconds` is the budget.
    n_points : int, default=1
        Number of trials that are in flight at the same time, at least 1.
    cost_aware : bool, default=False
        Whether expected improvement is divided by a power of the expected seconds.
    max_seconds : float or None, default=None
        Seconds that all trials together may take, finished ones included, above 0.
    resumes : bool, default=False
        Whether a promoted trial resumes the earlier fit, so that only the additional resource
        is paid for.
    objectives : list of str, Objective or Limit, default=()
        What to optimise instead of the score, and the limits of the best trial. With several
        objectives, trials spread over the Pareto front.

    Raises
    ------
    ValueError
        If an option is outside its range.
    """

    budget: int | None = None
    n_points: int = 1
    cost_aware: bool = False
    max_seconds: float | None = None
    resumes: bool = False
    objectives: Objectives = field(default_factory=Objectives)

    def __post_init__(self) -> None:
        """Raise ValueError if an option is outside its range; make numpy's booleans plain."""
        if self.budget is not None and (not is_whole(self.budget) or self.budget < 0):
            msg = f"budget must be None or an integer of at least 0, got {self.budget!r}."
            raise ValueError(msg)
        if not is_whole(self.n_points) or self.n_points < 1:
            msg = f"n_points must be an integer of at least 1, got {self.n_points!r}."
            raise ValueError(msg)
        check_flag("cost_aware", self.cost_aware)
        if self.max_seconds is not None and not (
            is_real(self.max_seconds) and self.max_seconds > 0
        ):
            raise ValueError(
                f"max_seconds must be None or a positive number of seconds, "
                f"got {self.max_seconds!r}."
            )
        object.__setattr__(self, "n_points", int(self.n_points))
        object.__setattr__(self, "cost_aware", bool(self.cost_aware))
        object.__setattr__(self, "objectives", Objectives.read(self.objectives))

    def check_objectives(self, resources: Sequence[float], source_studies: Sequence[Any]) -> None:
        """Raise ValueError if the objectives cannot be combined with the other options."""
        if self.objectives and len(resources) > 1:
            raise ValueError(
                "objectives compare results with the full resource, and cannot be combined with "
                "resource: leave out one of the two."
            )
        if self.objectives.targets and source_studies:
            raise ValueError(
                "previous_studies have one score, and cannot be combined with objectives: give "
                "their best configurations as initial_params, or leave out one of the two."
            )
