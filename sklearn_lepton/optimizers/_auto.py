"""Choose the optimizer: from the space, the budget, the batches and what trials take.

The other optimizers stand behind this one and are told all trials, so that each of them can go on
where another stopped. Which of them proposes a trial follows from the trial's number, what the
caller knows of the search and, of what has been told, only the seconds of the first trials, and
these only where the search has a limit in seconds and so depends on the clock anyway. Told the
same trials it chooses, and proposes, the same.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._validation import is_whole
from sklearn_lepton.optimizers._base import Optimizer
from sklearn_lepton.optimizers._bayes import BayesOptimizer
from sklearn_lepton.optimizers._cost import full_seconds
from sklearn_lepton.optimizers._genetic import GeneticOptimizer
from sklearn_lepton.optimizers._grid import GridOptimizer
from sklearn_lepton.optimizers._random import RandomOptimizer
from sklearn_lepton.optimizers._surrogate_assisted import ModelOptimizer
from sklearn_lepton.optimizers._swarm import SwarmOptimizer
from sklearn_lepton.space._dimension import FloatArray

_MANY = 200  # trials
_LARGE, _FEW = 8, 3  # trials at once; batches
_N_TIMED = (8, 24)  # least and most of the first trials whose seconds count
_CHEAP = 0.005  # seconds of a trial, for each of those at once

# What all of them are told, besides the trials.
_SHARED = ("_studies", "_older_best", "budget", "cost_aware", "max_seconds")


class Choice(NamedTuple):
    """An optimizer and why it is chosen.

    Attributes
    ----------
    optimizer : {"bayes", "swarm", "genetic", "random", "grid"}
    surrogate : bool
        Whether a model is asked.
    reason : str
        The second half of a sentence that begins with the optimizer.
    """

    optimizer: str
    surrogate: bool
    reason: str

    @classmethod
    def of(cls, meta: Mapping[str, Any]) -> "Choice":
        """Read the choice that is remembered of a trial."""
        return cls(meta["optimizer"], bool(meta.get("surrogate")), str(meta.get("because")))

    def __str__(self) -> str:
        has_no_model = self.optimizer in {"swarm", "genetic"} and not self.surrogate
        return self.optimizer + " without a model" * has_no_model


class AutoOptimizer(ModelOptimizer):
    """Propose by the optimizer that suits the space, the budget and the batches.

    Each trial's ``meta`` says who proposed it, ``"optimizer"``, and why, ``"because"``;
    those of the initial design have neither. The user guide has the rules, with what
    they rest on.

    Parameters
    ----------
    space : Space, dict or list of dict
        What to search; see `Space`.
    seed : int, default=0
        Seed of every proposal, not negative.
    n_initial_points : int or "auto", default="auto"
        Number of trials before the first proposal from scores; ``"auto"`` is that of
        the optimizer chosen.
    n_points : int, default=1
        Number of trials that will be asked for together, or be under way at once, at
        least 1. May be set anew at any time.
    previous_studies : sequence of sequence of Trial, default=()
        Older studies to learn from; see `Optimizer`.
    cost_aware : bool, default=False
        Whether improvements are weighed against the seconds they are expected to
        take; see `BayesOptimizer`.
    max_seconds : float or None, default=None
        Seconds that all trials together may take, above 0. With it, trials that take
        hardly any time are proposed without a model. May be set anew at any time.
    resources : sequence of float, default=(1.0,)
        Shares of the full resource; see `Optimizer`.

    Attributes
    ----------
    choice : Choice
        Who proposes the next trial, and why.
    choices : list of tuple (first, last, Choice)
        Who has proposed which trials, by their numbers.

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
        previous_studies: Sequence[Sequence[Trial]] = (),
        cost_aware: bool = False,
        max_seconds: float | None = None,
        resources: Sequence[float] = (1.0,),
    ) -> None:
        if not is_whole(n_points) or n_points < 1:
            msg = f"n_points must be an integer of at least 1, got {n_points!r}."
            raise ValueError(msg)
        super().__init__(
            space,
            seed=seed,
            n_initial_points=n_initial_points,
            previous_studies=previous_studies,
            cost_aware=cost_aware,
            max_seconds=max_seconds,
            resources=resources,
        )
        self.n_points = int(n_points)
        self._team: dict[tuple[str, bool], Optimizer] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the others, who know nothing of their own."""
        return super().__getstate__() | {"_team": {}}

    @property
    def choice(self) -> Choice:
        """Who proposes the next trial, and why."""
        return self.choose(self._n_settings)

    @property
    def choices(self) -> list[tuple[int, int, Choice]]:
        """Who has proposed which trials, by their numbers, and why."""
        made = [
            (trial.number, trial.proposal) for trial in self.trials if "optimizer" in trial.proposal
        ]
        groups = itertools.groupby(made, key=lambda pair: Choice.of(pair[1]))
        runs = [(choice, [number for number, _ in group]) for choice, group in groups]
        return [(numbers[0], numbers[-1], choice) for choice, numbers in runs]

    def describe(self) -> str:
        """Say who has proposed which trials, and why.

        Returns
        -------
        description : str
            A line for each change. Trials that are not named were tried first, or are the
            initial design.
        """
        lines = [
            f"Trials {first} to {last} by {choice}: {choice.reason}."
            for first, last, choice in self.choices
        ]
        return "\n".join(lines or [f"None yet, the next by {self.choice}: {self.choice.reason}."])

    @ignore_float_errors
    def choose(self, n_trials: int) -> Choice:
        """Choose who proposes a trial before which so many have been asked for.

        Parameters
        ----------
        n_trials : int

        Returns
        -------
        choice : Choice
        """
        space, budget = self.space, self.budget
        if budget is not None and space.size <= budget:
            reason = f"the budget of {budget} trials is enough for all {space.size:g} settings"
            return Choice("grid", False, reason)
        if budget is not None and self.n_points >= budget:
            return Choice("random", False, "all trials are asked for before the first has a score")
        if self._is_hurried():
            reason = "a trial takes less time than a model would, and the time is limited"
            return Choice("swarm", False, reason)
        if budget is not None and self.n_points >= _LARGE and budget < _FEW * self.n_points:
            reason = f"batches of {self.n_points}, and not {_FEW} of them"
            return Choice("genetic", True, reason)
        if n_trials >= _MANY:
            return Choice("genetic", True, f"{_MANY} trials have been made")
        return Choice("bayes", True, f"of the first {_MANY} trials each counts")

    def _is_hurried(self) -> bool:
        """Tell whether the first trials took so little that a model is not worth its time."""
        if self.max_seconds is None:
            return False
        least, most = _N_TIMED
        told = [trial for trial in self.trials[:most] if trial.status == "complete"]
        seconds = full_seconds(told)
        seconds = seconds[seconds > 0.0]
        return len(seconds) >= least and float(np.median(seconds)) < _CHEAP * self.n_points

    def _member(self, choice: Choice) -> Optimizer:
        """Return the optimizer of a choice, which knows what is known here."""
        key = (choice.optimizer, choice.surrogate)
        if key not in self._team:
            self._team[key] = self._make(choice)
            self._team[key].tell(self.trials)
        member = self._team[key]
        vars(member).update({name: vars(self)[name] for name in _SHARED})
        return member

    def _make(self, choice: Choice) -> Optimizer:
        options: dict[str, Any] = {"seed": self.seed, "resources": self.resources}
        if choice.optimizer not in {"bayes", "swarm", "genetic"}:
            kind = RandomOptimizer if choice.optimizer == "random" else GridOptimizer
            return kind(self.space, **options)
        options["n_initial_points"] = "auto" if self._is_design_auto else self.n_initial_points
        if choice.optimizer == "bayes":
            return BayesOptimizer(self.space, **options)
        options["surrogate"] = choice.surrogate
        if choice.optimizer == "swarm":
            return SwarmOptimizer(self.space, **options)
        return GeneticOptimizer(self.space, **options)

    def _keep(self, trial: Trial) -> None:
        super()._keep(trial)
        for member in self._team.values():
            member.tell([trial])

    @property
    def _uses_cost_model(self) -> bool:
        return self.choice.surrogate

    def _n_designed(self) -> int:
        return self._member(self.choice)._n_designed()  # noqa: SLF001 - of the same kin

    def _propose(self, rng: np.random.Generator) -> tuple[FloatArray, Mapping[str, Any]]:
        choice = self.choice
        point, meta = self._member(choice)._propose(rng)  # noqa: SLF001 - of the same kin
        chosen = {"optimizer": choice.optimizer, "surrogate": choice.surrogate}
        return point, {**chosen, "because": choice.reason, **meta}
