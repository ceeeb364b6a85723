"""Choice of the optimizer: from the space, the budget, the window and the trials' seconds.

The other optimizers stand behind this one. Each is told all trials, so that it can continue the
work of another. The choice for a trial depends on its number and on `RunSettings`. The seconds
of the first trials count only if the run is limited in seconds, and so depends on the clock
anyway. Told the same trials, the optimizer chooses and proposes the same.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.optimizers._base import Optimizer
from sklearn_lepton.optimizers._bayes import BayesOptimizer
from sklearn_lepton.optimizers._cost import full_seconds
from sklearn_lepton.optimizers._genetic import GeneticOptimizer
from sklearn_lepton.optimizers._grid import GridOptimizer
from sklearn_lepton.optimizers._random import RandomOptimizer
from sklearn_lepton.optimizers._surrogate_assisted import SurrogateOptimizer
from sklearn_lepton.optimizers._swarm import SwarmOptimizer
from sklearn_lepton.space._dimension import FloatArray

# The limits of the rules in `AutoOptimizer.choose`, measured in `make bench-auto`.
_MAX_BAYES_TRIALS = 200
_LARGE_BATCH, _MIN_BATCHES = 8, 3
_MIN_TIMED, _MAX_TIMED = 8, 24  # of the first trials, for the median of their seconds
_MAX_FAST_SECONDS = 0.005  # per trial, times the trials in flight


# The names of the optimizers in sentences.
ALGORITHMS = {
    "bayes": "Bayesian optimization",
    "swarm": "particle swarm optimization",
    "genetic": "a genetic algorithm",
    "random": "random search",
    "grid": "the grid",
}


class AlgorithmChoice(NamedTuple):
    """An optimizer and the reason for choosing it.

    Attributes
    ----------
    optimizer : {"bayes", "swarm", "genetic", "random", "grid"}
    surrogate : bool
        Whether it uses a surrogate.
    reason : str
        Second half of a sentence on the optimizer.
    """

    optimizer: str
    surrogate: bool
    reason: str

    @classmethod
    def of(cls, proposal: Mapping[str, Any]) -> "AlgorithmChoice":
        """Return the choice that a trial's ``proposal`` holds."""
        reason = str(proposal.get("because"))  # the key that journals have
        return cls(proposal["optimizer"], bool(proposal.get("surrogate")), reason)

    def to_json(self) -> dict[str, Any]:
        """Return the choice for a trial's ``proposal``; `of` reads it."""
        return {
            "optimizer": self.optimizer,
            "surrogate": self.surrogate,
            "because": self.reason,
        }

    def __str__(self) -> str:
        has_no_surrogate = self.optimizer in {"swarm", "genetic"} and not self.surrogate
        return ALGORITHMS[self.optimizer] + " without a surrogate" * has_no_surrogate


class AutoOptimizer(SurrogateOptimizer):
    """Propose by the optimizer that suits the space, the budget and the trials in flight.

    Each trial's ``proposal`` has the optimizer, ``"optimizer"``, and the reason,
    ``"because"``. Trials of the initial design have neither. The user guide explains the
    rules and the measurements behind them.

    Parameters
    ----------
    space : Space, dict or list of dict
        Search space; see `Space`.
    seed : int, default=0
        Seed of every proposal, not negative.
    n_initial_points : int or "auto", default="auto"
        Number of trials before the first proposal from scores; ``"auto"`` is that of
        the optimizer chosen.
    n_points : int, default=1
        Number of trials in flight: asked for together, or running at the same time, at
        least 1. `configure` changes it.
    previous_studies : study or list of studies, default=()
        Source studies to learn from; see `Optimizer`.
    cost_aware : bool, default=False
        Whether expected improvement is divided by a power of the expected seconds;
        see `BayesOptimizer`.
    max_seconds : float or None, default=None
        Seconds that all trials together may take, above 0. With a limit, very fast trials
        are proposed without a surrogate. `configure` changes it.
    resources : sequence of float, default=(1.0,)
        Shares of the full resource; see `Optimizer`.

    Attributes
    ----------
    choice : AlgorithmChoice
        The optimizer of the next trial, and the reason.
    choices : list of tuple (first, last, AlgorithmChoice)
        The optimizer of earlier trials, by their numbers.

    Raises
    ------
    ValueError
        If a parameter is outside its range.

    References
    ----------
    Meunier, L. et al. (2022). Black-box optimization revisited: improving algorithm
    selection wizards through massive benchmarking. IEEE Transactions on Evolutionary
    Computation 26(3). https://doi.org/10.1109/TEVC.2021.3108185

    Examples
    --------
    >>> from sklearn_lepton.optimizers import AutoOptimizer
    >>> optimizer = AutoOptimizer({"x": (-5.0, 5.0, "uniform")}, seed=0)
    >>> for _ in range(12):
    ...     [trial] = optimizer.ask()
    ...     optimizer.tell([trial.complete(-((trial.params["x"] - 1.0) ** 2))])
    >>> optimizer.trials[-1].proposal["optimizer"], abs(optimizer.best.params["x"] - 1.0) < 0.05
    ('bayes', True)
    """

    def __init__(
        self,
        space: Any,
        *,
        seed: int = 0,
        n_initial_points: int | str = "auto",
        n_points: int = 1,
        previous_studies: Any = (),
        cost_aware: bool = False,
        max_seconds: float | None = None,
        resources: Sequence[float] = (1.0,),
    ) -> None:
        super().__init__(
            space,
            seed=seed,
            n_initial_points=n_initial_points,
            previous_studies=previous_studies,
            cost_aware=cost_aware,
            max_seconds=max_seconds,
            resources=resources,
        )
        self._candidates: dict[tuple[str, bool], Optimizer] = {}
        self.configure(n_points=n_points)

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without the candidates, which follow from the trials."""
        return super().__getstate__() | {"_candidates": {}}

    @property
    def choice(self) -> AlgorithmChoice:
        """The optimizer of the next trial, and the reason."""
        return self.choose(self._n_configurations)

    @property
    def choices(self) -> list[tuple[int, int, AlgorithmChoice]]:
        """The optimizer of earlier trials, by their numbers, and the reason."""
        made = [
            (trial.number, trial.proposal) for trial in self.trials if "optimizer" in trial.proposal
        ]
        groups = itertools.groupby(made, key=lambda pair: AlgorithmChoice.of(pair[1]))
        runs = [(choice, [number for number, _ in group]) for choice, group in groups]
        return [(numbers[0], numbers[-1], choice) for choice, numbers in runs]

    def describe(self) -> str:
        """Return sentences on the optimizers of earlier trials and the reasons.

        Returns
        -------
        description : str
            A line for each change. It omits enqueued trials and the initial design.
        """
        lines = []
        for first, last, choice in self.choices:
            trials = f"Trials {first} to {last} were" if last > first else f"Trial {first} was"
            lines.append(f"{trials} proposed by {choice}: {choice.reason}.")
        if lines:
            return "\n".join(lines)
        n_trials = len(self.trials)
        start = f"All {n_trials} trials are initial configurations"
        if n_trials < 2:
            start = ("No trial has been proposed yet", "The trial is an initial configuration")[
                n_trials
            ]
        return f"{start}; the next would be proposed by {self.choice}: {self.choice.reason}."

    @ignore_float_errors
    def choose(self, n_trials: int) -> AlgorithmChoice:
        """Choose the optimizer for the next trial, given the number of earlier trials.

        Parameters
        ----------
        n_trials : int

        Returns
        -------
        choice : AlgorithmChoice
        """
        space, budget, n_points = self.space, self.run_settings.budget, self.run_settings.n_points
        if budget is not None and space.size <= budget:
            reason = f"the budget of {budget} trials covers all {space.size:g} configurations"
            return AlgorithmChoice("grid", False, reason)
        if budget is not None and n_points >= budget:
            reason = "all trials start before the first one has a score"
            return AlgorithmChoice("random", False, reason)
        if self._is_fast():
            reason = "time is limited, and a trial takes less of it than a surrogate would"
            return AlgorithmChoice("swarm", False, reason)
        if budget is not None and n_points >= _LARGE_BATCH and budget < _MIN_BATCHES * n_points:
            reason = f"{n_points} trials are in flight, a third or more of all"
            return AlgorithmChoice("genetic", True, reason)
        if n_trials >= _MAX_BAYES_TRIALS:
            return AlgorithmChoice("genetic", True, f"{_MAX_BAYES_TRIALS} trials have been made")
        return AlgorithmChoice(
            "bayes", True, f"it learns the most from each of up to {_MAX_BAYES_TRIALS} trials"
        )

    def _is_fast(self) -> bool:
        """Return whether a surrogate would take longer than the trials, in limited time."""
        if self.run_settings.max_seconds is None:
            return False
        complete = [trial for trial in self.trials[:_MAX_TIMED] if trial.status == "complete"]
        seconds = full_seconds(complete)
        seconds = seconds[seconds > 0.0]
        limit = _MAX_FAST_SECONDS * self.run_settings.n_points
        return len(seconds) >= _MIN_TIMED and float(np.median(seconds)) < limit

    def _delegate(self, choice: AlgorithmChoice) -> Optimizer:
        """Return the optimizer of a choice, told all trials and configured for the run."""
        key = (choice.optimizer, choice.surrogate)
        if key not in self._candidates:
            self._candidates[key] = self._make(choice)
            self._candidates[key].tell(self.trials)
        delegate = self._candidates[key]
        cost_aware = self.run_settings.cost_aware and delegate.uses_surrogate
        delegate.configure(**vars(replace(self.run_settings, cost_aware=cost_aware)))
        return delegate

    def _make(self, choice: AlgorithmChoice) -> Optimizer:
        options: dict[str, Any] = {
            "seed": self.seed,
            "resources": self.resources,
            "previous_studies": self._sources,
        }
        if choice.optimizer == "random":
            return RandomOptimizer(self.space, **options)
        if choice.optimizer == "grid":
            return GridOptimizer(self.space, **options)
        options["n_initial_points"] = "auto" if self._is_design_auto else self.n_initial_points
        if choice.optimizer == "bayes":
            return BayesOptimizer(self.space, **options)
        options["surrogate"] = choice.surrogate
        if choice.optimizer == "swarm":
            return SwarmOptimizer(self.space, **options)
        return GeneticOptimizer(self.space, **options)

    def _keep(self, trial: Trial) -> None:
        super()._keep(trial)
        for candidate in self._candidates.values():
            candidate.tell([trial])

    @property
    def _assigns_fidelity(self) -> bool:
        return self.choice.surrogate

    def _n_designed(self) -> int:
        return self._delegate(self.choice)._n_designed()  # noqa: SLF001 - of the same package

    def _propose(self, rng: np.random.Generator) -> tuple[FloatArray, Mapping[str, Any]]:
        choice = self.choice
        point, proposal = self._delegate(choice)._propose(rng)  # noqa: SLF001 - as above
        return point, {**choice.to_json(), **proposal}
