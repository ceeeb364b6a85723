"""What all optimizers share: numbering, the queue, duplicates, failures."""

import itertools
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy.stats import qmc

from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton._runtime.interrupts import uninterrupted
from sklearn_lepton._trials.trial import Trial, check_point, check_trial
from sklearn_lepton._validation import check_count, is_whole
from sklearn_lepton.optimizers._successive_halving import FidelityHistory, check_resources
from sklearn_lepton.optimizers._transfer import best_of, read_previous_studies
from sklearn_lepton.space._dimension import FloatArray
from sklearn_lepton.space._space import Space

_MAX_SOBOL_DIMS = 21201
_N_NEIGHBOURS = 64
_MAX_LISTED = 1024
# So many trials, and at most one in so many, are left for full resource when the budget ends.
_MAX_LAST, _ONE_LAST_IN = 5, 12


class Optimizer(ABC):
    """Propose trials and learn from their scores.

    Tell is enough: an optimizer that was told the same trials proposes the same
    next one, whatever happened in between. All state is the trials.

    Parameters
    ----------
    space : Space, dict or list of dict
        What to search; see `Space`.
    seed : int, default=0
        Seed of every proposal, not negative.
    n_initial_points : int or "auto", default="auto"
        Number of trials that are spread evenly over the space before the
        first proposal is made from scores.
    previous_studies : sequence of sequence of Trial, default=()
        Older studies to learn from, each its trials, of which ``params`` and
        ``score`` are used; the latest study last. Parameters that the space
        does not know are left out of a trial, those that it lacks are filled
        in. Their best settings are tried first, after those enqueued.
    resources : sequence of float, default=(1.0,)
        Ascending shares of the full resource, the last 1.0. New settings start with the first
        of them and may go on to more, as a new trial at the same point: a model decides which
        and to how much, and may give a new one more at once; without a model, of those told
        with a share the best third goes on to the next. The first setting, and those
        enqueued, have all.

    Attributes
    ----------
    trials : list of Trial
        All trials known, pending ones included, in the order of their numbers.
    best : Trial or None
        The complete trial with the greatest score at full resource, the first of equal ones.
    is_exhausted : bool
        Whether all configurations of a finite space are tried, and none can be promoted.
    budget : int or None
        Number of trials there will be, if known: the last of them have the full resource,
        of settings of which as much is expected as of those that had it, or else new ones.
    resumes : bool
        Whether a promoted trial resumes the earlier fit: only the added resource is paid for.

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

    # Whether the middle of the space, a good guess, is the first point of the design.
    _centre_first: ClassVar[bool] = True

    def __init__(
        self,
        space: Any,
        *,
        seed: int = 0,
        n_initial_points: int | str = "auto",
        previous_studies: Sequence[Sequence[Trial]] = (),
        resources: Sequence[float] = (1.0,),
    ) -> None:
        self.space = Space(space)
        if not is_whole(seed) or seed < 0:
            msg = f"seed must be an integer of at least 0, got {seed!r}."
            raise ValueError(msg)
        self.seed = int(seed)
        check_count("n_initial_points", n_initial_points, least=1)
        self._is_design_auto = isinstance(n_initial_points, str)
        if isinstance(n_initial_points, str):
            n_initial_points = self._default_n_initial_points()
        self.n_initial_points = int(n_initial_points)
        self.resources = check_resources(resources)
        self.budget: int | None = None
        self.resumes = False
        self._studies = read_previous_studies(previous_studies, self.space)
        self._older_best = list(best_of(self._studies, self.space))
        self._trials: dict[int, Trial] = {}
        self._seen: dict[tuple[float, ...], int] = {}
        self._derived: dict[str, Any] = {}  # from the trials, until there is another
        self._queue: deque[dict[str, Any]] = deque()
        self._sobol = np.empty((0, self.space.n_dims))

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what the trials and the seed tell."""
        derived = {"_seen": {}, "_derived": {}, "_sobol": np.empty((0, self.space.n_dims))}
        return self.__dict__ | derived

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Find out again which points are taken."""
        self.__dict__.update(state)
        for trial in self.trials:
            self._see(trial)

    def _default_n_initial_points(self) -> int:
        n_free = int(np.sum(self.space.n_values > 1))
        return min(max(5, n_free + 1), 12)

    @property
    def trials(self) -> list[Trial]:
        """All trials known, in the order of their numbers."""
        return [self._trials[number] for number in sorted(self._trials)]

    @property
    def best(self) -> Trial | None:
        """The complete trial with the greatest score at full resource, or None."""
        scored = [trial for trial in self.trials if trial.score is not None and trial.is_full]
        return max(scored, key=lambda trial: trial.score or 0.0, default=None)

    @property
    @ignore_float_errors
    def is_exhausted(self) -> bool:
        """Whether every setting of a finite space has been asked for, and none is to go on."""
        is_spent = self._is_spent
        if not self._has_rungs or not is_spent:
            return is_spent
        is_pending = any(trial.status == "pending" for trial in self.trials)
        if is_pending:
            return False
        return self._ladder().promotion(is_last_call=True) is None

    @property
    def _is_spent(self) -> bool:
        """Whether there is no setting left that has not been asked for."""
        return len(self._seen) >= self.space.size

    @property
    def capacity(self) -> float:
        """How many trials the space has room for: each setting once with each resource."""
        return self.space.size * len(self.resources)

    @ignore_float_errors
    def enqueue(self, params: Iterable[Mapping[str, Any]]) -> None:
        """Put settings at the end of the queue that `ask` serves first.

        Parameters
        ----------
        params : iterable of dict
            A value for each parameter of a branch. Settings that are known
            by the time it is their turn are passed over.

        Raises
        ------
        ValueError
            If a setting does not lie in the space.
        """
        settings = [self.space.complete(setting) for setting in params]
        self._queue.extend(settings)

    @ignore_float_errors
    def ask(self, n_trials: int = 1) -> list[Trial]:
        """Propose trials to evaluate; they are pending until told.

        Parameters
        ----------
        n_trials : int, default=1
            How many, at least 0. Each is proposed in the knowledge of those before it.

        Returns
        -------
        trials : list of Trial
            Fewer than asked for once a finite space is exhausted.

        Raises
        ------
        ValueError
            If it is no such number.
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
    def tell(self, trials: Iterable[Trial]) -> None:
        """Learn what became of trials.

        Parameters
        ----------
        trials : iterable of Trial
            Asked for or not, in any order and number; telling one again
            replaces what was known of it.

        Raises
        ------
        TypeError
            If they are no trials, or one that is in no list.
        ValueError
            If the point of a trial does not lie in the space, or its number is that of one
            asked for at another point. Nothing is told then.
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
        if trial.number not in self._trials:  # else the point is known, being the same
            self._see(trial)
        self._trials[trial.number] = trial
        self._derived.clear()

    def _see(self, trial: Trial) -> None:
        self._seen.setdefault(self._snap(trial.point), trial.number)

    def _snap(self, point: npt.ArrayLike) -> tuple[float, ...]:
        snapped = self.space.snap(np.asarray(point, dtype=float)[np.newaxis])[0]
        return tuple(snapped.tolist())

    def _next_trial(self) -> Trial | None:
        number = max(self._trials, default=-1) + 1
        while self._queue:
            params = self._queue.popleft()
            point = self.space.to_point(params)
            if point not in self._seen:
                return Trial(number, point, params)
        resource: float | None = None
        if self._has_rungs:
            further, resource = self._next_rung(number)
            if further is not None:
                return further
        for point in self._older_best:
            if point not in self._seen:
                return Trial(number, point, self.space.from_point(point), fidelity=resource)
        if self._is_spent:
            return None
        rng = np.random.default_rng([self.seed, number])
        meta: Mapping[str, Any] = {}
        if self._n_settings < self._n_designed():
            proposed = self._design_point()
        else:
            proposed, meta = self._propose(rng)
        point = self._snap(proposed)
        if point in self._seen:
            point = self._nearest_unseen(np.array(point), rng)
        trial = Trial(number, point, self.space.from_point(point), meta, fidelity=resource)
        return trial if resource is None else self._assign_fidelity(trial)

    @property
    def _has_rungs(self) -> bool:
        return len(self.resources) > 1

    def _ladder(self) -> FidelityHistory:
        if "ladder" not in self._derived:
            self._derived["ladder"] = FidelityHistory.of(self.trials, self.resources)
        ladder: FidelityHistory = self._derived["ladder"]
        return ladder

    def _next_rung(self, number: int) -> tuple[Trial | None, float | None]:
        """Return the trial of a setting that goes on, or the resource of a new one."""
        ladder, low = self._ladder(), self.resources[0]
        if not ladder.has_full:
            return None, None
        is_last = self.budget is not None and self.budget - len(self._trials) <= self._n_last
        if not is_last and (anchor := ladder.anchor()) is not None:
            return again(anchor, number, low), low
        if is_last:
            scored, tried = ladder.scored(), ladder.full_points
            hopes = dict(
                zip((t.number for t in scored), self._predicted_full_scores(scored), strict=True)
            )
            least = np.median([hopes[t.number] for t in scored if t.point in tried] or [-np.inf])
            climbers = [t for t in scored if t.point not in tried and hopes[t.number] >= least]
            best = max(climbers, key=lambda t: (hopes[t.number], -t.number), default=None)
            return None if best is None else again(best, number, None), None
        if self._uses_cost_model and not self._is_spent:
            return None, low
        promotion = ladder.promotion(is_last_call=self._is_spent)
        if promotion is None:
            return None, low
        trial, rung = promotion
        return again(trial, number, self._resource(rung)), low

    def _resource(self, rung: int) -> float | None:
        return None if rung == len(self.resources) - 1 else self.resources[rung]

    @property
    def _uses_cost_model(self) -> bool:
        """Whether a model decides how much of the resource a setting gets, not its rank."""
        return False

    def _assign_fidelity(self, trial: Trial) -> Trial:
        """Return a new trial, with as much of the resource as it deserves, or one that goes on."""
        return trial

    @property
    def _n_last(self) -> int:
        """Number of trials at the end of the budget that have the full resource."""
        return min(_MAX_LAST, -(-(self.budget or 0) // _ONE_LAST_IN))

    def _predicted_full_scores(self, trials: Sequence[Trial]) -> Iterable[float]:
        """Say what settings may be expected to score at full resource."""
        return [trial.score or 0.0 for trial in trials]

    @property
    def _n_settings(self) -> int:
        """Number of settings asked for."""
        return len(self._seen) if self._has_rungs else len(self._trials)

    def _settings(self) -> list[Trial]:
        """Return one trial a setting, in the order of their numbers.

        Its score is that with the most resource, plus what more of it usually brings.
        """
        return self._ladder().merged() if self._has_rungs else self.trials

    def _n_designed(self) -> int:
        """Return the number of trials from which on proposals are made from scores."""
        return self.n_initial_points

    @abstractmethod
    def _propose(self, rng: np.random.Generator) -> tuple[FloatArray, Mapping[str, Any]]:
        """Propose the point of a trial, with what is to be remembered of it in JSON values."""

    def _design_point(self) -> FloatArray:
        """Return the next point of the initial design: the middle, then scrambled Sobol points."""
        index, n_dims = self._n_settings, self.space.n_dims
        if index == 0 and self._centre_first:
            return np.full(n_dims, 0.5)
        if not 0 < n_dims <= _MAX_SOBOL_DIMS:
            return np.random.default_rng([self.seed, index]).random(n_dims)
        if index >= len(self._sobol):
            n_bits = max(6, index.bit_length())
            # Reads tables, in compiled code that would drop an interrupt and return wrong points.
            with uninterrupted:
                self._sobol = qmc.Sobol(n_dims, seed=self.seed).random_base2(n_bits)
        point: FloatArray = self._sobol[index]
        return point

    def _nearest_unseen(self, point: FloatArray, rng: np.random.Generator) -> tuple[float, ...]:
        """Return a setting not asked for yet, near a point where possible."""
        space = self.space
        if space.size <= max(_MAX_LISTED, 2 * len(self._seen)):
            others = self._all_points()
        else:
            free = np.flatnonzero(space.n_values > 1)
            others = np.tile(point, (_N_NEIGHBOURS, 1))
            for row, other in enumerate(others):
                # From one column to all of them: the further out, the surer it is new.
                n_moved = min(1 + row * len(free) // _N_NEIGHBOURS, len(free))
                moved = rng.choice(free, size=n_moved, replace=False)
                other[moved] = rng.random(n_moved)
            others = space.snap(others)
        unseen = [other for other in map(tuple, others.tolist()) if other not in self._seen]
        if not unseen:
            return self._nearest_unseen(rng.random(space.n_dims), rng)
        gaps = np.abs(np.array(unseen) - point)
        gaps[:, space.is_categorical] = gaps[:, space.is_categorical] > 0
        return unseen[int(np.argmin(gaps.sum(axis=1)))]

    def _all_points(self) -> FloatArray:
        """List every point of a finite space."""
        space, points = self.space, []
        for number, branch in enumerate(space.branches):
            columns = list(branch.values())
            middle = np.full(space.n_dims, 0.5)
            if len(space.branches) > 1:
                middle[0] = space.dimensions[0].to_unit(number)
            places = [self._places(column) for column in columns]
            for values in itertools.product(*places):
                middle[columns] = values
                points.append(middle.copy())
        return space.snap(np.array(points))

    def _places(self, column: int) -> FloatArray:
        """List the places of a discrete dimension's values."""
        dimension = self.space.dimensions[column]
        n_values = int(dimension.n_values)
        values = getattr(dimension, "values", None)
        if values is None:  # an integer or a choice: even steps reach each, but for log-integers
            grid = dimension.snap((np.arange(n_values) + 0.5) / n_values)
            if len(np.unique(grid)) == n_values:
                return grid
            values = range(dimension.low, dimension.high + 1)  # type: ignore[attr-defined]
        return np.array([dimension.to_unit(value) for value in values])

    def _told(self) -> list[Trial]:
        """Return the settings that are not pending, in the order of their numbers."""
        return [trial for trial in self._settings() if trial.status != "pending"]

    def _observations(self) -> tuple[FloatArray, FloatArray]:
        """Return points of what has been told, and what it is expected to score."""
        told = self._told()
        points = np.array([t.point for t in told]).reshape(len(told), self.space.n_dims)
        return points, expected_scores(told)

    def _pending_points(self) -> FloatArray:
        """Return the points of trials asked for and not yet told."""
        points = [trial.point for trial in self.trials if trial.status == "pending"]
        return np.array(points).reshape(len(points), self.space.n_dims)


def expected_scores(told: Sequence[Trial]) -> FloatArray:
    """Return scores of trials that are not pending.

    Pruned ones have what is expected of them, failures the worst score.
    """
    known = [t.estimate[0] if t.estimate else t.score for t in told]
    scores = np.array([np.nan if score is None else score for score in known], dtype=float)
    worst = np.nanmin(scores) if np.any(~np.isnan(scores)) else 0.0
    return np.where(np.isnan(scores), worst, scores)


def again(trial: Trial, number: int, resource: float | None) -> Trial:
    """Return a new trial of the same setting."""
    meta = {"promoted": trial.number}
    return Trial(number, trial.point, trial.params, meta, fidelity=resource)
