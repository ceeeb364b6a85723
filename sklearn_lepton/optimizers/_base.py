"""Base class of all optimizers: numbering, the queue, duplicates, the initial design."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from sklearn_lepton._runtime.blas_threads import single_blas_thread
from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton._trials.pareto import knee
from sklearn_lepton._trials.trial import Trial, check_point, check_trial
from sklearn_lepton._trials.untuned import UntunedParams, inside, is_untuned
from sklearn_lepton._validation import check_count, is_whole
from sklearn_lepton.optimizers._design import InitialDesign
from sklearn_lepton.optimizers._fidelity_policy import FidelityPolicy
from sklearn_lepton.optimizers._run_settings import RunSettings
from sklearn_lepton.optimizers._scores import expected_scores, scores_to_maximize
from sklearn_lepton.optimizers._successive_halving import FidelityHistory, check_resources
from sklearn_lepton.optimizers._transfer import SourceStudies
from sklearn_lepton.optimizers._unseen_points import nearest_unseen_point
from sklearn_lepton.space._dimension import FloatArray
from sklearn_lepton.space._space import Space


class Optimizer(ABC):
    """Propose trials and learn from their scores.

    Tell is enough: an optimizer that was told the same trials proposes the same next trial,
    whatever happened in between. The trials are the only state.

    Parameters
    ----------
    space : Space, dict or list of dict
        Search space; see `Space`.
    seed : int, default=0
        Seed of every proposal, not negative.
    n_initial_points : int or "auto", default="auto"
        Number of trials of the initial design, which spread evenly over the space before
        the first proposal from scores.
    previous_studies : study or list of studies, default=()
        Source studies to learn from, the latest one last. Each is a list of trials or what
        `previous_studies` of a search takes, except for a path: give ``load_trials(path)``.
        Their ``params`` and ``score`` are used. Parameters that the space lacks are ignored;
        missing ones get a default. Their best configurations run first, after enqueued ones.
    resources : sequence of float, default=(1.0,)
        Ascending shares of the full resource, the last 1.0. A new configuration starts at the
        lowest fidelity. Promoting it creates a new trial at the same point. With a surrogate,
        expected improvement per cost decides the promotion; without one, asynchronous
        successive halving promotes the best third of each rung. The first configuration and
        enqueued ones run at full fidelity.

    Attributes
    ----------
    trials : list of Trial
        All known trials, pending ones included, in the order of their numbers.
    best : Trial or None
        The complete trial with the greatest score at full fidelity, the first of equal ones. With
        objectives, the knee of the front, within all limits.
    is_exhausted : bool
        Whether all configurations of a finite space have been asked for, and none can be
        promoted.
    run_settings : RunSettings
        Options that depend on the run, such as the budget; `configure` changes them.
    uses_surrogate : bool
        Whether proposals come from a surrogate.

    Examples
    --------
    >>> from sklearn_lepton.optimizers import BayesOptimizer, Optimizer
    >>> optimizer: Optimizer = BayesOptimizer({"x": (-5.0, 5.0, "uniform")}, seed=0)
    >>> for _ in range(10):
    ...     (trial,) = optimizer.ask(1)
    ...     optimizer.tell([trial.complete(-(trial.params["x"] ** 2))])
    >>> abs(optimizer.best.params["x"]) < 1
    True
    """

    # Whether the initial design starts with the middle of the space, which is a good guess.
    _centre_first: ClassVar[bool] = True

    def __init__(
        self,
        space: Any,
        *,
        seed: int = 0,
        n_initial_points: int | str = "auto",
        previous_studies: Any = (),
        resources: Sequence[float] = (1.0,),
    ) -> None:
        self.space = Space(space)
        if self.space.allowed is not None:
            self.space.allowed.sample  # noqa: B018 - raises if nothing is allowed
        if not is_whole(seed) or seed < 0:
            msg = f"seed must be an integer of at least 0, got {seed!r}."
            raise ValueError(msg)
        self.seed = int(seed)
        check_count("n_initial_points", n_initial_points, minimum=1)
        self._is_design_auto = isinstance(n_initial_points, str)
        if isinstance(n_initial_points, str):
            n_initial_points = self._default_n_initial_points()
        self.n_initial_points = int(n_initial_points)
        self.resources = check_resources(resources)
        self.run_settings = RunSettings()
        self._fidelity = FidelityPolicy(self.resources)
        self._sources = SourceStudies.read(previous_studies, self.space)
        self._trials: dict[int, Trial] = {}
        self._seen: dict[tuple[float, ...], int] = {}  # trial number by point
        self._derived: dict[str, Any] = {}  # computed from the trials; cleared by each new one
        self._queue: deque[dict[str, Any]] = deque()
        self._n_spent = -1  # number of points seen when no further one was found
        self._design = InitialDesign(self.space, self.seed, centre_first=self._centre_first)

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without the parts that follow from the trials and the seed."""
        return self.__dict__ | {"_seen": {}, "_derived": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the state, and the points seen from the trials."""
        self.__dict__.update(state)
        for trial in self._inside:
            self._see(trial)

    def _default_n_initial_points(self) -> int:
        n_varying = int(np.sum(self.space.n_values > 1))
        return min(max(5, n_varying + 1), 12)

    @property
    def uses_surrogate(self) -> bool:
        """Whether proposals come from a surrogate."""
        return False

    @property
    def trials(self) -> list[Trial]:
        """All known trials, in the order of their numbers."""
        return [self._trials[number] for number in sorted(self._trials)]

    @property
    def _inside(self) -> list[Trial]:
        """All trials with a point in the space, which the optimizer learns from."""
        return inside(self.trials)

    @property
    def best(self) -> Trial | None:
        """The complete trial with the greatest score at full fidelity, or None."""
        if self.run_settings.objectives:
            return knee(self.trials, self.run_settings.objectives)
        scored = [trial for trial in self.trials if trial.score is not None and trial.is_full]
        return max(scored, key=lambda trial: trial.score or 0.0, default=None)

    @property
    @ignore_float_errors
    def is_exhausted(self) -> bool:
        """Whether a finite space has no new configuration and no promotion left."""
        is_spent = self._is_spent
        if not self._fidelity.has_rungs or not is_spent:
            return is_spent
        is_pending = any(trial.status == "pending" for trial in self.trials)
        if is_pending:
            return False
        return self._history().promotion(is_last_call=True) is None

    @property
    def _is_spent(self) -> bool:
        """Whether every configuration of the space has been asked for."""
        if len(self._seen) == self._n_spent:
            return True
        is_full = len(self._seen) >= self.space.size
        # Points that are not allowed may have been told.
        return is_full and sum(map(self.space.allows_point, self._seen)) >= self.space.size

    @property
    def capacity(self) -> float:
        """Number of trials that the space has room for: each configuration on each rung."""
        return self.space.size * len(self.resources) + self.n_outside

    @property
    def n_outside(self) -> int:
        """Number of untuned trials outside of the space, including those that are enqueued."""
        queued = [each for each in self._queue if isinstance(each, UntunedParams)]
        known = len(self._trials) - len(self._inside)
        return known + sum(not params.are_in(self.trials) for params in queued)

    def configure(self, **options: Any) -> None:
        """Change options that depend on the run, such as its budget.

        Searches and `tune` call it. It may be called at any time, and options that are not
        given stay as they are.

        Parameters
        ----------
        **options : object
            Fields of `RunSettings`, such as ``budget`` and ``objectives``.

        Raises
        ------
        TypeError
            If there is no such option.
        ValueError
            If an option is outside its range. Nothing is changed then.

        Examples
        --------
        >>> from sklearn_lepton.optimizers import GridOptimizer
        >>> optimizer = GridOptimizer({"x": (0.0, 1.0, "uniform")})
        >>> optimizer.configure(budget=20)
        >>> optimizer.grid_size
        20
        """
        settings = replace(self.run_settings, **options)
        settings.check_objectives(self.resources, self._sources.studies)
        if settings != self.run_settings:
            self.run_settings = settings
            self._derived.clear()

    @ignore_float_errors
    def enqueue(self, params: Iterable[Mapping[str, Any]]) -> None:
        """Append configurations to the queue that `ask` serves first.

        Parameters
        ----------
        params : iterable of dict
            A value for each parameter of a branch. A configuration that is known by the time
            it is its turn is skipped. `UntunedParams` may lie outside of the space.

        Raises
        ------
        ValueError
            If a configuration does not lie in the space, or its constraint does not allow it.
        """
        configurations = [
            each if isinstance(each, UntunedParams) else self.space.complete(each)
            for each in params
        ]
        self._queue.extend(configurations)

    @ignore_float_errors
    @single_blas_thread
    def ask(self, n_trials: int = 1) -> list[Trial]:
        """Propose trials to evaluate; they are pending until told.

        Parameters
        ----------
        n_trials : int, default=1
            Number of trials, at least 0. Each proposal takes the ones before it into account.

        Returns
        -------
        trials : list of Trial
            Fewer than `n_trials` once a finite space is exhausted.

        Raises
        ------
        ValueError
            If `n_trials` is not an integer of at least 0.
        """
        if not is_whole(n_trials) or n_trials < 0:
            msg = f"n_trials must be an integer of at least 0, got {n_trials!r}."
            raise ValueError(msg)
        asked: list[Trial] = []
        while len(asked) < n_trials:
            trial = self._next_trial()
            if trial is None:
                break
            self._keep(trial)
            asked.append(trial)
        return asked

    @ignore_float_errors
    @single_blas_thread
    def tell(self, trials: Iterable[Trial]) -> None:
        """Learn the results of trials.

        Parameters
        ----------
        trials : iterable of Trial
            Trials that were asked for or not, in any order. Telling a trial again replaces it.

        Raises
        ------
        TypeError
            If `trials` is a single trial, or has an element that is not a trial.
        ValueError
            If a point does not lie in the space, or a number belongs to a trial at another
            point. Nothing is told then.
        """
        if isinstance(trials, Trial) or not isinstance(trials, Iterable):
            msg = f"tell takes a list of trials, got {trials!r}: to tell one trial, give [trial]."
            raise TypeError(msg)
        told: dict[int, Trial] = {}
        for trial in trials:
            number = check_trial(trial).number
            check_point(trial, told.get(number) or self._trials.get(number), self.space.n_dims)
            told[number] = trial
        for trial in told.values():
            self._keep(trial)

    def _keep(self, trial: Trial) -> None:
        # A known number has the same point.
        if trial.number not in self._trials and not is_untuned(trial):
            self._see(trial)
        self._trials[trial.number] = trial
        self._derived.clear()

    def _see(self, trial: Trial) -> None:
        self._seen.setdefault(self._snap(trial.point), trial.number)

    def _snap(self, point: npt.ArrayLike) -> tuple[float, ...]:
        snapped = self.space.snap(np.asarray(point, dtype=float)[np.newaxis])[0]
        return tuple(snapped.tolist())

    def _next_trial(self) -> Trial | None:
        """Return the next trial, None if a finite space is exhausted.

        In this order: the queue, promotions, source studies, the initial design, proposals.
        """
        number = max(self._trials, default=-1) + 1
        while self._queue:
            enqueued = self._enqueued_trial(number, self._queue.popleft())
            if enqueued is not None:
                return enqueued
        fidelity: float | None = None
        if self._fidelity.has_rungs:
            promoted, fidelity = self._next_rung(number)
            if promoted is not None:
                return promoted
        for point in self._sources.best_points:
            if point not in self._seen:
                return Trial(number, point, self.space.from_point(point), fidelity=fidelity)
        trial = None if self._is_spent else self._new_trial(number, fidelity)
        return trial if trial is None or fidelity is None else self._assign_fidelity(trial)

    def _new_trial(self, number: int, fidelity: float | None) -> Trial | None:
        """Return a trial of a new configuration, None if no further one is allowed."""
        # A generator of its own for each number: the proposal does not depend on earlier draws.
        rng = np.random.default_rng([self.seed, number])
        proposal: Mapping[str, Any] = {}
        if self._n_configurations < self._n_designed():
            proposed = self._design_point()
        else:
            proposed, proposal = self._propose(rng)
        point = self._snap(proposed)
        if point in self._seen or not self.space.allows_point(point):
            nearest = nearest_unseen_point(self.space, np.array(point), self._seen, rng)
            if nearest is None:
                self._n_spent = len(self._seen)
                return None
            point = nearest
        return Trial(number, point, self.space.from_point(point), proposal, fidelity=fidelity)

    def _enqueued_trial(self, number: int, params: dict[str, Any]) -> Trial | None:
        """Return the trial of a configuration from the queue; None if it is known."""
        if isinstance(params, UntunedParams):
            return None if params.are_in(self.trials) else params.trial(number)
        point = self.space.to_point(params)
        return None if point in self._seen else Trial(number, point, params)

    def _next_rung(self, number: int) -> tuple[Trial | None, float | None]:
        """Return the trial that a promotion creates, and the fidelity of a new configuration."""
        history = self._history()
        is_final = self._is_final()
        promoted = self._fidelity.promote(
            history,
            number,
            is_final=is_final,
            is_spent=self._is_spent,
            by_surrogate=self._assigns_fidelity,
            predict_full_scores=self._predicted_full_scores,
        )
        return promoted, self._fidelity.first_fidelity(history, is_final=is_final)

    def _is_final(self) -> bool:
        """Return whether the next trial is one of the last, which run at full fidelity."""
        settings = self.run_settings
        if settings.budget is not None:
            return self._fidelity.is_final(len(self._trials), settings.budget)
        spent = sum(trial.duration for trial in self.trials)
        return self._fidelity.is_final_in_time(spent, settings.max_seconds)

    def _history(self) -> FidelityHistory:
        """Return the trials of each configuration by rung, computed once per change."""
        if "history" not in self._derived:
            self._derived["history"] = FidelityHistory.of(self._inside, self.resources)
        history: FidelityHistory = self._derived["history"]
        return history

    @property
    def _assigns_fidelity(self) -> bool:
        """Whether the surrogate decides on fidelities and promotions."""
        return self.uses_surrogate

    def _assign_fidelity(self, trial: Trial) -> Trial:
        """Return a new trial with its fidelity set, or a promotion in its place."""
        return trial

    def _predicted_full_scores(self, trials: Sequence[Trial]) -> Iterable[float]:
        """Return the expected score of each trial's configuration at full fidelity."""
        return [trial.score or 0.0 for trial in trials]

    @property
    def _n_configurations(self) -> int:
        """Number of configurations asked for."""
        return len(self._seen) if self._fidelity.has_rungs else len(self._inside)

    def _configurations(self) -> list[Trial]:
        """Return one trial per configuration, with its score mapped to full fidelity.

        The order is that of the configurations' first trials.
        """
        return self._history().merged() if self._fidelity.has_rungs else self._inside

    def _n_designed(self) -> int:
        """Return the number of configurations before the first proposal from scores."""
        return self.n_initial_points

    @abstractmethod
    def _propose(self, rng: np.random.Generator) -> tuple[FloatArray, Mapping[str, Any]]:
        """Return the point of the next trial, and JSON values for its ``proposal``."""

    def _design_point(self) -> FloatArray:
        """Return the next point of the initial design: the middle, then scrambled Sobol points."""
        return self._design.point(self._n_configurations)

    def _finished(self) -> list[Trial]:
        """Return the configurations that are not pending, as `_configurations` does."""
        return [trial for trial in self._configurations() if trial.status != "pending"]

    def _observations(self) -> tuple[FloatArray, FloatArray]:
        """Return the points of finished configurations and their scores."""
        finished = self._finished()
        points = np.array([t.point for t in finished]).reshape(len(finished), self.space.n_dims)
        return points, expected_scores(finished)

    def _maximized(self) -> tuple[FloatArray, FloatArray]:
        """Return what `_observations` does, with the number that the next proposal maximises."""
        points, scores = self._observations()
        if objectives := self.run_settings.objectives:
            key = (self.seed, max(self._trials, default=-1) + 1)
            scores = scores_to_maximize(self._finished(), objectives, key)
        return points, scores

    def _pending_points(self) -> FloatArray:
        """Return the points of the pending trials."""
        points = [trial.point for trial in self._inside if trial.status == "pending"]
        return np.array(points).reshape(len(points), self.space.n_dims)
