"""Steady-state genetic search: one child at a time, bred from the best few trials.

The population is the best 10 of all told trials, a few more as they grow in
number. Of two operators one is drawn in proportion to how often its recent
children beat the parent that they replace. *Crossover* blends two tournament
winners and mutates about one column; *differential* adds the difference of two
members to the best one and crosses the result with a tournament winner.
Unordered columns take the choice of a parent, or seldom a random one.

On ``meta`` rides ``{"operator": name, "parents": [numbers]}``, the parent that
the child competes with first; that is the lineage and the credit.

Deviations from the papers, each because a tuning run has 50 trials, not 50,000:

- No generations: a child may be a parent as soon as it is told.
- A mutation's step is the population's standard deviation in that column, so it
  adapts by itself, with a floor. Where the population has shrunk to one place,
  children leap out of it by steps of all sizes (operator ``"restart"``).
- Of a conditional space, the branch is that of a tournament winner, at first often
  a random one, and all parents are the best of that branch: columns that a parent
  lacks are never mixed in. Until a branch has 6 trials, they are drawn at random
  and have no ``meta``.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sklearn_lepton._dimension import FloatArray
from sklearn_lepton._trial import Trial
from sklearn_lepton.optimizers._base import Optimizer, check_count, check_share
from sklearn_lepton.optimizers._moves import branch_exploration, land

_TRIALS_PER_MEMBER = 25
_TOURNAMENT = 3
_P_RANDOM_BRANCH = 0.2
_CREDIT_WINDOW = 24
_LEAST_SHARE = 0.25
_MIN_STEP = 0.02
_CROSSOVER_RATE = 0.8
_COLLAPSED = 1e-3
_LEAST_FAMILY = 6
_OPERATORS = ("crossover", "differential")


class GeneticOptimizer(Optimizer):
    """Propose trials by a steady-state genetic algorithm with two operators.

    Parameters
    ----------
    space : Space, dict or list of dict
        What to search; see `Space`.
    seed : int, default=0
        Seed of every proposal, not negative.
    n_initial_points : int or "auto", default="auto"
        Number of trials that are spread evenly over the space before the
        first child; ``"auto"`` is 8.
    population_size : int or "auto", default="auto"
        How many of the best trials may be parents, at least 2; ``"auto"`` is 10
        and one more for every 25 trials.
    blend : float, default=0.5
        How far beyond its parents a crossover may reach, as a share of their
        distance (the alpha of BLX-alpha), at least 0.
    mutation : float, default=1.0
        Expected number of columns that are mutated after a crossover, at least 0;
        half as many, unordered ones only, after a differential move.

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

    Storn, R. and Price, K. (1997). Differential evolution. Journal of Global
    Optimization 11. https://doi.org/10.1023/A:1008202821328

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
        mutation: float = 1.0,
    ) -> None:
        check_count("population_size", population_size, least=2)
        check_share("blend", blend)
        check_share("mutation", mutation)
        self.population_size = population_size
        self.blend = blend
        self.mutation = mutation
        super().__init__(space, seed=seed, n_initial_points=n_initial_points)

    def _default_n_initial_points(self) -> int:
        return 8

    def _propose(self, rng: np.random.Generator) -> tuple[FloatArray, Mapping[str, Any]]:
        told = self._told()
        if not any(trial.score is not None for trial in told):
            return self._design_point(), {}
        points, scores = self._observations()
        # Of equal scores the latest: on a plateau the population then drifts instead of resting.
        ranking = np.lexsort((-np.arange(len(scores)), -scores))
        size = self._size(len(told))
        if len(self.space.branches) > 1:
            branch = self._choose_branch(points[ranking[:size], 0], rng)
            ranking = ranking[points[ranking, 0] == branch]
            if ranking.size < _LEAST_FAMILY:
                return np.append(branch, rng.random(self.space.n_dims - 1)), {}
        numbers = [trial.number for trial in told]
        rates = self._success_rates(told, dict(zip(numbers, scores.tolist(), strict=True)))
        members = ranking[:size]
        operator, child, parents = self._breed(points[members], rates, rng)
        lineage = [numbers[members[parent]] for parent in parents]
        return land(self.space, child, rng), {"operator": operator, "parents": lineage}

    def _size(self, n_told: int) -> int:
        if self.population_size == "auto":
            return 10 + n_told // _TRIALS_PER_MEMBER
        return int(self.population_size)

    def _choose_branch(self, places: FloatArray, rng: np.random.Generator) -> float:
        """Return the place in column 0 of the branch that a child belongs to.

        Parameters
        ----------
        places : ndarray of shape (n_members,)
            Those of the population, best first.
        rng : numpy.random.Generator
        """
        explore = branch_exploration(self.space, len(self._trials))
        if rng.random() < max(_P_RANDOM_BRANCH, explore):
            drawn = np.full((1, self.space.n_dims), rng.random())
            return float(self.space.snap(drawn)[0, 0])
        return float(places[_tournament(len(places), rng)])

    def _success_rates(self, told: list[Trial], score: Mapping[int, float]) -> FloatArray:
        """Return each operator's share of recent children that beat their first parent.

        Parameters
        ----------
        told : list of Trial
            In the order of their numbers.
        score : dict
            Score of each told trial by its number.

        Returns
        -------
        rates : ndarray of shape (2,)
            In the order crossover, differential; one success and one failure
            more than seen, so that neither is certain.
        """
        won, tried = np.ones(2), np.full(2, 2.0)
        for trial in told[-_CREDIT_WINDOW:]:
            operator, parents = trial.meta.get("operator"), trial.meta.get("parents")
            if operator in _OPERATORS and parents and parents[0] in score:
                which = _OPERATORS.index(operator)
                won[which] += score[trial.number] > score[parents[0]]
                tried[which] += 1
        rates: FloatArray = won / tried
        return rates

    def _breed(
        self, members: FloatArray, rates: FloatArray, rng: np.random.Generator
    ) -> tuple[str, FloatArray, list[int]]:
        """Return a child with the operator that made it and its parents.

        Parameters
        ----------
        members : ndarray of shape (n_members, n_dims)
            Best first, all of one branch.
        rates : ndarray of shape (2,)
            Success rates of crossover and differential.
        rng : numpy.random.Generator

        Returns
        -------
        operator : str
        child : ndarray of shape (n_dims,)
            May leave the cube.
        parents : list of int
            Rows of ``members``; the first is the one that the child replaces.
        """
        share = np.clip(rates[1] / rates.sum(), _LEAST_SHARE, 1 - _LEAST_SHARE)
        is_differential = rng.random() < share
        if np.max(np.ptp(members, axis=0), initial=0.0) < _COLLAPSED:
            return "restart", self._leap(members[0], rng), [0]
        if is_differential and len(members) > _TOURNAMENT:
            return "differential", *self._differential(members, rng)
        return "crossover", *self._crossover(members, rng)

    def _crossover(
        self, members: FloatArray, rng: np.random.Generator
    ) -> tuple[FloatArray, list[int]]:
        """Blend two members (BLX-alpha) and mutate about ``mutation`` columns."""
        n_members, n_dims = members.shape
        first, second = _tournament(n_members, rng), _tournament(n_members, rng)
        if first == second:
            second = int(rng.integers(n_members))
        one, other = members[first], members[second]
        shares = rng.uniform(-self.blend, 1 + self.blend, n_dims)
        child = one + shares * (other - one)
        steps = np.maximum(members.std(axis=0), _MIN_STEP) * rng.standard_normal(n_dims)
        is_mutated = rng.random(n_dims) < self._rate()
        choices = np.where(rng.random(n_dims) < 0.5, one, other)
        choices = np.where(is_mutated, rng.random(n_dims), choices)
        child = np.where(self.space.is_categorical, choices, child + is_mutated * steps)
        return self._in_branch_of(one, child), [first, second]

    def _differential(
        self, members: FloatArray, rng: np.random.Generator
    ) -> tuple[FloatArray, list[int]]:
        """Cross a tournament winner with the best member plus a difference of two others."""
        n_members, n_dims = members.shape
        target = _tournament(n_members, rng)
        plus, minus = [int(row) for row in rng.permutation(n_members) if row != target][:2]
        parents = [target, 0, plus, minus]
        donor = members[0] + rng.uniform(0.4, 0.9) * (members[plus] - members[minus])
        is_crossed = (rng.random(n_dims) < _CROSSOVER_RATE) | (
            np.arange(n_dims) == rng.integers(n_dims)
        )
        child = np.where(is_crossed, donor, members[target])
        choices = members[rng.choice(parents, n_dims), np.arange(n_dims)]
        is_mutated = rng.random(n_dims) < self._rate() / 2
        choices = np.where(is_mutated, rng.random(n_dims), choices)
        child = np.where(self.space.is_categorical, choices, child)
        return self._in_branch_of(members[target], child), parents

    def _leap(self, member: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Step away from a member by any distance from a hundredth of the space to all of it."""
        n_dims = len(member)
        child = member + 10 ** rng.uniform(-2, 0) * rng.standard_normal(n_dims)
        choices = np.where(rng.random(n_dims) < self._rate(), rng.random(n_dims), member)
        return self._in_branch_of(member, np.where(self.space.is_categorical, choices, child))

    def _rate(self) -> float:
        """Return the probability that a column is mutated."""
        n_free = int(np.count_nonzero(self.space.n_values > 1))
        return min(1.0, self.mutation / max(1, n_free))

    def _in_branch_of(self, parent: FloatArray, child: FloatArray) -> FloatArray:
        if len(self.space.branches) > 1:
            child[0] = parent[0]
        return child


def _tournament(n_members: int, rng: np.random.Generator) -> int:
    """Return the best of three members drawn at random; they stand best first."""
    return int(rng.integers(0, n_members, _TOURNAMENT).min())
