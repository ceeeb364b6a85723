"""Steady-state genetic search: one child at a time, from a small population.

The population has 10 members, and more as the number of trials grows. A child that is not worse
replaces its first parent (deterministic crowding). So several lines of descent survive next to
each other, and one lucky score among noisy ones does not fill the population.

Two operators make children. *Crossover* blends two tournament winners and mutates about one
column. *Differential* adds the difference of two members to the best one, and crosses the result
with a tournament winner. Unordered columns take the choice of a parent, or rarely a random one.
The operator is drawn in proportion to how often its recent children beat their first parent. The
number of mutated columns, the length of the difference and the share of crossed columns are drawn
around the mean of recent successes. Numbers in brackets are those of the equations in
docs/algorithms/genetic.md.

With the surrogate, a proposal makes 96 children, adds 32 uniformly drawn points, and submits the
one with the greatest expected improvement.

The ``proposal`` of a trial has ``{"operator": name, "parents": [numbers], "rates": [drawn]}``,
with the parent that the child competes with first. Ancestry and credit are read from it.

Deviations from the papers, each because a tuning run has 50 trials, not 50,000:

- No generations: a child may be a parent as soon as its trial has finished.
- Rates are drawn around one mean of the last successes, not one of several memories. They are not
  weighted by the gain, which is luck among noisy scores.
- The step of a mutation is the population's standard deviation in that column, at least a
  minimum, so it needs no setting. Where the population has shrunk to one point, children take
  steps of all sizes (operator ``"restart"``).
- In a conditional space the branch is that of a tournament winner, at first often a random one.
  All parents are the best of that branch, so columns that a parent lacks are never mixed in. Until
  a branch has 6 trials, its children are drawn at random (operator ``"random"``, no parents).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._validation import check_count, check_flag, check_share
from sklearn_lepton.optimizers._boundary import branch_exploration, draw_branch, reflect_and_dither
from sklearn_lepton.optimizers._offspring import TOURNAMENT, IntArray, Offspring, tournament
from sklearn_lepton.optimizers._scores import fitness
from sklearn_lepton.optimizers._surrogate_assisted import N_UNIFORM, SurrogateOptimizer
from sklearn_lepton.space._dimension import FloatArray

_N_CHILDREN = 96  # the surrogate selects one of them
_TRIALS_PER_MEMBER = 50
_P_RANDOM_BRANCH = 0.2
_CREDIT_WINDOW = 24  # trials
_MIN_SHARE = 0.25  # of each operator
_MIN_STEP = 0.02
_COLLAPSED = 1e-3  # a population that extends less restarts
_MIN_POPULATION = 6  # trials of a branch
# The operators and the means of their rates before the first success: the number of mutated
# columns; the scale F of the difference and the share CR of crossed columns.
_OPERATORS = {"crossover": (1.0,), "differential": (0.6, 0.8)}
_LOG_MUTATION_STD = 0.5
_RATE_SPREAD = 0.1  # of F and CR
_F_RANGE = (0.1, 1.0)


class GeneticOptimizer(SurrogateOptimizer):
    """Propose trials by a steady-state genetic algorithm with two operators.

    Parameters
    ----------
    space : Space, dict or list of dict
        Search space; see `Space`.
    seed : int, default=0
        Seed of every proposal, not negative.
    n_initial_points : int or "auto", default="auto"
        Number of trials of the initial design, before the first child; ``"auto"`` is 8.
    population_size : int or "auto", default="auto"
        Number of trials that may be parents, at least 2; ``"auto"`` is 10 and one more for
        every 50 trials.
    blend : float, default=0.5
        How far beyond its parents a crossover may reach, as a share of their distance (the
        alpha of BLX-alpha), at least 0.
    surrogate : bool, default=True
        Whether each proposal makes many children and submits the one with the greatest
        expected improvement under a Gaussian process and a forest. It takes some ten
        milliseconds. False is the genetic algorithm alone.
    previous_studies : study or list of studies, default=()
        Source studies to learn from; see `Optimizer`.
    cost_aware : bool, default=False
        Whether expected improvement is divided by a power of the expected seconds; see
        `BayesOptimizer`. Needs ``surrogate``.
    max_seconds : float or None, default=None
        Seconds that all trials together may take, finished ones included, above 0; see
        `BayesOptimizer`. `configure` changes it.
    resources : sequence of float, default=(1.0,)
        Shares of the full resource; see `Optimizer`.

    Raises
    ------
    ValueError
        If a parameter is outside its range.

    References
    ----------
    Eshelman, L. J. and Schaffer, J. D. (1993). Real-coded genetic algorithms and
    interval-schemata. Foundations of Genetic Algorithms 2.
    https://doi.org/10.1016/B978-0-08-094832-4.50018-0

    Deb, K. and Agrawal, R. B. (1995). Simulated binary crossover for continuous
    search space. Complex Systems 9(2).
    https://www.complex-systems.com/abstracts/v09_i02_a02/

    Mahfoud, S. W. (1995). Niching methods for genetic algorithms. Dissertation,
    University of Illinois.

    Storn, R. and Price, K. (1997). Differential evolution. Journal of Global
    Optimization 11. https://doi.org/10.1023/A:1008202821328

    Jin, Y. (2011). Surrogate-assisted evolutionary computation: recent advances
    and future challenges. Swarm and Evolutionary Computation 1(2).
    https://doi.org/10.1016/j.swevo.2011.05.001

    Lee, E. H., Perrone, V., Archambeau, C. and Seeger, M. (2020). Cost-aware
    Bayesian optimization. https://arxiv.org/abs/2003.10870

    Tanabe, R. and Fukunaga, A. (2013). Success-history based parameter adaptation
    for differential evolution. Proc. IEEE CEC.
    https://doi.org/10.1109/CEC.2013.6557555

    Examples
    --------
    >>> from sklearn_lepton.optimizers import GeneticOptimizer
    >>> optimizer = GeneticOptimizer({"x": (-5.0, 5.0, "uniform"), "kind": ["a", "b"]}, seed=0)
    >>> for _ in range(40):
    ...     [trial] = optimizer.ask()
    ...     score = -((trial.params["x"] - 2) ** 2) - (trial.params["kind"] == "a")
    ...     optimizer.tell([trial.complete(score)])
    >>> optimizer.best.params["kind"], abs(optimizer.best.params["x"] - 2) < 0.1
    ('b', True)
    """

    def __init__(
        self,
        space: Any,
        *,
        seed: int = 0,
        n_initial_points: int | str = "auto",
        population_size: int | str = "auto",
        blend: float = 0.5,
        surrogate: bool = True,
        previous_studies: Any = (),
        cost_aware: bool = False,
        max_seconds: float | None = None,
        resources: Sequence[float] = (1.0,),
    ) -> None:
        check_count("population_size", population_size, minimum=2)
        check_share("blend", blend)
        check_flag("surrogate", surrogate)
        self.population_size = population_size
        self.blend = blend
        self.surrogate = bool(surrogate)
        super().__init__(
            space,
            seed=seed,
            n_initial_points=n_initial_points,
            previous_studies=previous_studies,
            cost_aware=cost_aware,
            max_seconds=max_seconds,
            resources=resources,
        )

    @property
    def uses_surrogate(self) -> bool:
        """Whether the surrogate chooses among the candidates."""
        return self.surrogate

    def _default_n_initial_points(self) -> int:
        return 8

    def _propose(self, rng: np.random.Generator) -> tuple[FloatArray, Mapping[str, Any]]:
        finished = self._finished()
        scored = np.flatnonzero([trial.score is not None for trial in finished])
        if not scored.size:
            return self._design_point(), {}
        points, scores = self._maximized()
        ranked = fitness(finished, self.run_settings.objectives, scores, by_front=True)
        rates = _learn(finished, ranked)
        batches = []
        for branch, n_children in self._choose_branches(points[scored, 0], ranked[scored], rng):
            rows = scored if branch is None else scored[points[scored, 0] == branch]
            if branch is not None and len(rows) < _MIN_POPULATION:
                drawn = self.space.draw(rng, n_children)
                drawn[:, 0] = branch
                batches.append(Offspring.of("random", drawn))
                continue
            population = self._population(finished, ranked, rows)
            batches.append(self._reproduce(points, population, n_children, rates, rng))
        if self.surrogate:
            batches.append(Offspring.of("random", self.space.draw(rng, N_UNIFORM)))
        offspring = Offspring.of_all(batches)
        children = reflect_and_dither(self.space, offspring.children, rng)
        row, fitted = 0, dict[str, Any]()
        if self.surrogate:
            row, fitted = self._select(children, points, scores, rng)
        return children[row], offspring.ancestry(row, [t.number for t in finished]) | fitted

    def _population(self, finished: list[Trial], ranked: FloatArray, rows: IntArray) -> IntArray:
        """Return the rows of the parents, best first."""
        size = self._size(len(finished))
        if self.run_settings.objectives.are_several:  # places along the front, not of descent
            return rows[np.argsort(-ranked[rows], kind="stable")[:size]]
        return _survivors(finished, ranked, rows, size)

    def _size(self, n_finished: int) -> int:
        """Return the size of the population."""
        if self.population_size == "auto":
            return 10 + n_finished // _TRIALS_PER_MEMBER
        return int(self.population_size)

    def _choose_branches(
        self, values: FloatArray, scores: FloatArray, rng: np.random.Generator
    ) -> list[tuple[float | None, int]]:
        """Return the value in column 0 of each branch that gets children, and their number.

        Parameters
        ----------
        values : ndarray of shape (n_scored,)
            Column 0 of the scored trials.
        scores : ndarray of shape (n_scored,)
        rng : numpy.random.Generator

        Returns
        -------
        branches : list of tuple of float and int
            None instead of a value if the space has no branches.
        """
        n_children = _N_CHILDREN if self.surrogate else 1
        if len(self.space.branches) == 1:
            return [(None, n_children)]
        explore = max(_P_RANDOM_BRANCH, branch_exploration(self.space, self._n_configurations))
        drawn = draw_branch(self.space, n_children, rng)
        best = np.argsort(-scores, kind="stable")[: self._size(self._n_configurations)]
        chosen = values[best[tournament(len(best), n_children, rng)]]
        chosen = np.where(rng.random(n_children) < explore, drawn, chosen)
        branches, counts = np.unique(chosen, return_counts=True)
        return list(zip(branches.tolist(), counts.tolist(), strict=True))

    def _reproduce(
        self,
        points: FloatArray,
        population: IntArray,
        n_children: int,
        rates: "_Rates",
        rng: np.random.Generator,
    ) -> Offspring:
        """Return children of the population of a branch.

        Parameters
        ----------
        points : ndarray of shape (n_finished, n_dims)
        population : ndarray of shape (n_members,)
            Rows of ``points``, all of one branch, best first.
        n_children : int
        rates : _Rates
        rng : numpy.random.Generator

        Returns
        -------
        offspring : Offspring
            Its parents are rows of ``points``.
        """
        members = points[population]
        if np.max(np.ptp(members, axis=0), initial=0.0) < _COLLAPSED:
            offspring = self._restart(members[0], n_children, rng)
        else:
            n_differential = int(rng.binomial(n_children, rates.share))
            if len(members) <= TOURNAMENT:  # too few for a target and two others
                n_differential = 0
            crossed = self._crossover(members, n_children - n_differential, rates, rng)
            differential = self._differential(members, n_differential, rates, rng)
            offspring = Offspring.of_all([crossed, differential])
        if len(self.space.branches) > 1:
            offspring.children[:, 0] = members[0, 0]
        parents = np.where(offspring.parents < 0, -1, population[offspring.parents])
        return replace(offspring, parents=parents)

    def _crossover(
        self, members: FloatArray, n_children: int, rates: "_Rates", rng: np.random.Generator
    ) -> Offspring:
        """Return blends of two members (BLX-alpha) with some columns mutated.

        Children may leave the unit cube.
        """
        shape = (n_children, members.shape[1])
        first, second = tournament(len(members), (2, n_children), rng)
        second = np.where(first == second, rng.integers(len(members), size=n_children), second)
        one, other = members[first], members[second]
        children = one + rng.uniform(-self.blend, 1 + self.blend, shape) * (other - one)  # (1)
        drawn = rng.standard_normal((n_children, 1))
        mutation = rates.mutation * np.exp(_LOG_MUTATION_STD * drawn)  # (5)
        is_mutated = rng.random(shape) < mutation / self._n_varying()
        steps = np.maximum(members.std(axis=0), _MIN_STEP) * rng.standard_normal(shape)  # (2)
        # Unordered columns are not numbers: they take the choice of either parent.
        choices = np.where(rng.random(shape) < 0.5, one, other)
        choices = np.where(is_mutated, self.space.draw(rng, n_children), choices)
        children = np.where(self.space.is_categorical, choices, children + is_mutated * steps)
        return Offspring.of("crossover", children, [first, second], mutation)

    def _differential(
        self, members: FloatArray, n_children: int, rates: "_Rates", rng: np.random.Generator
    ) -> Offspring:
        """Return tournament winners crossed with the best member plus a difference.

        Children may leave the unit cube.
        """
        (n_members, n_dims), shape = members.shape, (n_children, members.shape[1])
        target = tournament(n_members, n_children, rng)
        # Two members other than the target and each other: draw from the number that is left,
        # then skip the members taken.
        plus = rng.integers(n_members - 1, size=n_children)
        plus += plus >= target
        minus = rng.integers(n_members - 2, size=n_children)
        minus += minus >= np.minimum(plus, target)
        minus += minus >= np.maximum(plus, target)
        scale = rates.scale + _RATE_SPREAD * rng.standard_cauchy((n_children, 1))  # (5)
        scale = np.clip(scale, *_F_RANGE)
        crossed = rates.crossed + _RATE_SPREAD * rng.standard_normal((n_children, 1))
        crossed = np.clip(crossed, 0.0, 1.0)
        donors = members[0] + scale * (members[plus] - members[minus])  # (3)
        is_crossed = rng.random(shape) < crossed
        # At least one column comes from the donor.
        is_crossed |= np.arange(n_dims) == rng.integers(n_dims, size=(n_children, 1))
        children = np.where(is_crossed, donors, members[target])
        parents = np.array([target, np.zeros_like(target), plus, minus])
        # An unordered column takes the choice of one of the four.
        donors_of_choice = parents[
            rng.integers(4, size=shape), np.arange(n_children)[:, np.newaxis]
        ]
        choices = members[donors_of_choice, np.arange(n_dims)]
        is_mutated = rng.random(shape) < rates.mutation / 2 / self._n_varying()
        choices = np.where(is_mutated, self.space.draw(rng, n_children), choices)
        children = np.where(self.space.is_categorical, choices, children)
        return Offspring.of("differential", children, parents, np.hstack([scale, crossed]))

    def _restart(self, member: FloatArray, n_children: int, rng: np.random.Generator) -> Offspring:
        """Return steps away from the best by a hundredth of the space up to all of it."""
        shape = (n_children, len(member))
        distances = 10 ** rng.uniform(-2, 0, (n_children, 1))
        children = member + distances * rng.standard_normal(shape)
        is_mutated = rng.random(shape) < 1 / self._n_varying()
        choices = np.where(is_mutated, self.space.draw(rng, n_children), member)
        children = np.where(self.space.is_categorical, choices, children)
        return Offspring.of("restart", children, np.zeros((1, n_children), dtype=np.intp))

    def _n_varying(self) -> int:
        """Return the number of columns with more than one value, at least 1."""
        return max(1, int(np.count_nonzero(self.space.n_values > 1)))


class _Rates(NamedTuple):
    """Rates of the operators, learnt from recent successes.

    Attributes
    ----------
    share : float
        Share of differential moves.
    mutation : float
        Mean number of mutated columns.
    scale, crossed : float
        Means of F and CR of differential evolution.
    """

    share: float
    mutation: float
    scale: float
    crossed: float


def _learn(finished: list[Trial], scores: FloatArray) -> _Rates:
    """Return the rates of recent children that beat their first parent.

    One success and one failure are added for each operator, so that no operator is certain.

    Parameters
    ----------
    finished : list of Trial
        In the order of their numbers.
    scores : ndarray of shape (n_finished,)
    """
    score = {t.number: value for t, value in zip(finished, scores.tolist(), strict=True)}
    won, tried = dict.fromkeys(_OPERATORS, 1.0), dict.fromkeys(_OPERATORS, 2.0)
    drawn = {operator: [first] for operator, first in _OPERATORS.items()}
    for trial in finished[-_CREDIT_WINDOW:]:
        operator, parents = trial.proposal.get("operator"), trial.proposal.get("parents")
        if operator in _OPERATORS and parents and parents[0] in score:
            tried[operator] += 1
            if score[trial.number] > score[parents[0]]:
                won[operator] += 1
                rates = tuple(trial.proposal.get("rates", ()))
                if len(rates) == len(_OPERATORS[operator]):
                    drawn[operator].append(rates)
    crossover, differential = (won[operator] / tried[operator] for operator in _OPERATORS)
    share = differential / (crossover + differential)  # (4)
    share = float(np.clip(share, _MIN_SHARE, 1 - _MIN_SHARE))
    means = [np.mean(drawn[operator], axis=0).tolist() for operator in _OPERATORS]
    return _Rates(share, *means[0], *means[1])


def _survivors(finished: list[Trial], scores: FloatArray, rows: IntArray, size: int) -> IntArray:
    """Return the population: the trials that no child of theirs has replaced.

    A child replaces its first parent if it is not worse; otherwise it is dropped. A trial without
    a parent in the population takes a free place, or that of the worst member if it is better. So
    each place holds one line of descent, and a good one does not take the others' places.

    Parameters
    ----------
    finished : list of Trial
        In the order of their numbers.
    scores : ndarray of shape (n_finished,)
    rows : ndarray of shape (n_rows,)
        Rows of the trials to consider, ascending.
    size : int
        Number of places.

    Returns
    -------
    survivors : ndarray of shape (n_members,)
        Rows, best first; of equal scores the latest first.
    """
    members: dict[int, int] = {}  # row by trial number
    score, worst = scores.tolist(), None
    for row in rows.tolist():
        trial = finished[row]
        parents = trial.proposal.get("parents")
        rival = parents[0] if parents else None
        if rival not in members:
            if len(members) < size:
                members[trial.number] = row
                continue
            if worst is None:  # else nothing has changed since it was found
                worst = min(members, key=lambda number: score[members[number]])
            if score[row] == score[members[worst]]:
                continue
            rival = worst
        if score[row] >= score[members[rival]]:
            del members[rival]
            members[trial.number], worst = row, None
    return np.array(sorted(members.values(), key=lambda row: (-score[row], -row)))
