"""Steady-state genetic search: one child at a time, bred from a small population.

The population has 10 places, a few more as the trials grow in number. A child that
is not worse takes the place of its first parent, so that lines of descent go on side
by side and no fortunate one fills the population; this is deterministic crowding, and
what keeps a lucky score among noisy ones from taking all. Of two operators one is
drawn in proportion to how often its recent children beat their first parent.
*Crossover* blends two tournament winners and mutates about one column; *differential*
adds the difference of two members to the best one and crosses the result with a
tournament winner. Unordered columns take the choice of a parent, or seldom a random
one. How many columns mutate, how long the difference is and how many columns are
crossed is drawn around the mean of what made recent children succeed. Numbers in
brackets are those of the equations in docs/algorithms/genetic.md.

With screening, a proposal breeds 96 children, adds 32 points drawn at random, and
submits the one of which the model expects the greatest improvement.

On ``meta`` rides ``{"operator": name, "parents": [numbers], "rates": [drawn]}``, the
parent that the child competes with first; that is the lineage and the credit.

Deviations from the papers, each because a tuning run has 50 trials, not 50,000:

- No generations: a child may be a parent as soon as it is told.
- Rates are drawn around one mean of the last successes, not one of several
  memories, and not weighted by the gain, which among noisy scores is luck.
- A mutation's step is the population's standard deviation in that column, so it
  adapts by itself, with a floor. Where the population has shrunk to one place,
  children leap out of it by steps of all sizes (operator ``"restart"``).
- Of a conditional space, the branch is that of a tournament winner, at first often
  a random one, and all parents are the best of that branch: columns that a parent
  lacks are never mixed in. Until a branch has 6 trials, its children are drawn at
  random (operator ``"random"``, without parents).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._validation import check_count, check_flag, check_share
from sklearn_lepton.optimizers._boundary import branch_exploration, reflect_and_dither
from sklearn_lepton.optimizers._offspring import IntArray, Offspring
from sklearn_lepton.optimizers._surrogate_assisted import N_UNIFORM, SurrogateOptimizer
from sklearn_lepton.space._dimension import FloatArray

_N_CHILDREN = 96  # that are screened
_TRIALS_PER_MEMBER = 50
_TOURNAMENT = 3
_P_RANDOM_BRANCH = 0.2
_CREDIT_WINDOW = 24
_MIN_SHARE = 0.25
_MIN_STEP = 0.02
_COLLAPSED = 1e-3
_MIN_FAMILY = 6
# The operators with the means of what they draw before there is a success: the number of
# columns mutated; the scale F of the difference and the share CR of columns crossed.
_OPERATORS = {"crossover": (1.0,), "differential": (0.6, 0.8)}
_SPREAD_OF_MUTATION = 0.5  # of its logarithm
_SPREAD = 0.1  # of F and CR
_F_RANGE = (0.1, 1.0)


class GeneticOptimizer(SurrogateOptimizer):
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
        How many trials may be parents, at least 2; ``"auto"`` is 10 and one more
        for every 50 trials.
    blend : float, default=0.5
        How far beyond its parents a crossover may reach, as a share of their
        distance (the alpha of BLX-alpha), at least 0.
    surrogate : bool, default=True
        Whether each proposal breeds many children and submits the one of which a
        Gaussian process and a forest expect the greatest improvement; it costs
        some ten milliseconds. False is the genetic algorithm alone.
    previous_studies : sequence of sequence of Trial, default=()
        Older studies to learn from; see `Optimizer`.
    cost_aware : bool, default=False
        Whether the seconds that trials took are modelled, too, and improvements are
        divided by a power of the seconds that they are expected to take. Without
        seconds, all 0, it changes nothing. Needs ``surrogate``.
    max_seconds : float or None, default=None
        Seconds that all trials together may take, those told before included, above 0;
        what counts with ``cost_aware`` is the best score at their end: the power is the
        share of them that is left. None is a power of one half throughout. May be set
        anew at any time.
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
        previous_studies: Sequence[Sequence[Trial]] = (),
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
        told = self._finished()
        scored = np.flatnonzero([trial.score is not None for trial in told])
        if not scored.size:
            return self._design_point(), {}
        points, scores = self._observations()
        learnt = _learn(told, scores)
        litters = []
        for branch, n_children in self._choose_branches(points[scored, 0], scores[scored], rng):
            rows = scored if branch is None else scored[points[scored, 0] == branch]
            if branch is not None and len(rows) < _MIN_FAMILY:
                drawn = rng.random((n_children, self.space.n_dims))
                drawn[:, 0] = branch
                litters.append(Offspring.of("random", drawn))
                continue
            family = _survivors(told, scores, rows, self._size(len(told)))
            litters.append(self._reproduce(points, family, n_children, learnt, rng))
        if self.surrogate:
            litters.append(Offspring.of("random", rng.random((N_UNIFORM, self.space.n_dims))))
        litter = Offspring.of_all(litters)
        children = reflect_and_dither(self.space, litter.children, rng)
        row, model = 0, dict[str, Any]()
        if self.surrogate:
            row, model = self._select(children, points, scores, rng)
        return children[row], litter.lineage(row, [t.number for t in told]) | model

    def _size(self, n_told: int) -> int:
        if self.population_size == "auto":
            return 10 + n_told // _TRIALS_PER_MEMBER
        return int(self.population_size)

    def _choose_branches(
        self, places: FloatArray, scores: FloatArray, rng: np.random.Generator
    ) -> list[tuple[float | None, int]]:
        """Return the place in column 0 of each branch that gets children, and how many.

        Parameters
        ----------
        places : ndarray of shape (n_scored,)
            Column 0 of the trials that have a score.
        scores : ndarray of shape (n_scored,)
        rng : numpy.random.Generator

        Returns
        -------
        branches : list of tuple of float and int
            None instead of a place where the space has no branches.
        """
        n_children, n_branches = _N_CHILDREN if self.surrogate else 1, len(self.space.branches)
        if n_branches == 1:
            return [(None, n_children)]
        explore = max(_P_RANDOM_BRANCH, branch_exploration(self.space, self._n_configurations))
        drawn = (rng.integers(n_branches, size=n_children) + 0.5) / n_branches
        best = np.argsort(-scores, kind="stable")[: self._size(self._n_configurations)]
        chosen = places[best[_tournament(len(best), n_children, rng)]]
        chosen = np.where(rng.random(n_children) < explore, drawn, chosen)
        branches, counts = np.unique(chosen, return_counts=True)
        return list(zip(branches.tolist(), counts.tolist(), strict=True))

    def _reproduce(
        self,
        points: FloatArray,
        family: IntArray,
        n_children: int,
        learnt: "_Learnt",
        rng: np.random.Generator,
    ) -> Offspring:
        """Return children of a family.

        Parameters
        ----------
        points : ndarray of shape (n_told, n_dims)
            What has been tried.
        family : ndarray of shape (n_members,)
            Rows of the population, all of one branch, best first.
        n_children : int
        learnt : _Learnt
        rng : numpy.random.Generator

        Returns
        -------
        litter : Litter
            Its parents are rows of ``points``.
        """
        members = points[family]
        if np.max(np.ptp(members, axis=0), initial=0.0) < _COLLAPSED:
            litter = self._restart(members[0], n_children, rng)
        else:
            n_differential = int(rng.binomial(n_children, learnt.share))
            if len(members) <= _TOURNAMENT:
                n_differential = 0
            one = self._crossover(members, n_children - n_differential, learnt, rng)
            other = self._differential(members, n_differential, learnt, rng)
            litter = Offspring.of_all([one, other])
        if len(self.space.branches) > 1:
            litter.children[:, 0] = members[0, 0]
        parents = np.where(litter.parents < 0, -1, family[litter.parents])
        return replace(litter, parents=parents)

    def _crossover(
        self, members: FloatArray, n_children: int, learnt: "_Learnt", rng: np.random.Generator
    ) -> Offspring:
        """Blend two members (BLX-alpha) and mutate some columns; may leave the cube."""
        shape = (n_children, members.shape[1])
        first, second = _tournament(len(members), (2, n_children), rng)
        second = np.where(first == second, rng.integers(len(members), size=n_children), second)
        one, other = members[first], members[second]
        children = one + rng.uniform(-self.blend, 1 + self.blend, shape) * (other - one)  # (1)
        drawn = rng.standard_normal((n_children, 1))
        mutation = learnt.mutation * np.exp(_SPREAD_OF_MUTATION * drawn)  # (5)
        is_mutated = rng.random(shape) < mutation / self._n_free()
        steps = np.maximum(members.std(axis=0), _MIN_STEP) * rng.standard_normal(shape)  # (2)
        choices = np.where(rng.random(shape) < 0.5, one, other)
        choices = np.where(is_mutated, rng.random(shape), choices)
        children = np.where(self.space.is_categorical, choices, children + is_mutated * steps)
        return Offspring.of("crossover", children, [first, second], mutation)

    def _differential(
        self, members: FloatArray, n_children: int, learnt: "_Learnt", rng: np.random.Generator
    ) -> Offspring:
        """Cross tournament winners with the best plus a difference; may leave the cube."""
        (n_members, n_dims), shape = members.shape, (n_children, members.shape[1])
        target = _tournament(n_members, n_children, rng)
        # Two others: a number is drawn from as many as are left, and those taken are skipped.
        plus = rng.integers(n_members - 1, size=n_children)
        plus += plus >= target
        minus = rng.integers(n_members - 2, size=n_children)
        minus += minus >= np.minimum(plus, target)
        minus += minus >= np.maximum(plus, target)
        scale = learnt.scale + _SPREAD * rng.standard_cauchy((n_children, 1))  # (5)
        scale = np.clip(scale, *_F_RANGE)
        crossed = learnt.crossed + _SPREAD * rng.standard_normal((n_children, 1))
        crossed = np.clip(crossed, 0.0, 1.0)
        donors = members[0] + scale * (members[plus] - members[minus])  # (3)
        is_crossed = rng.random(shape) < crossed
        is_crossed |= np.arange(n_dims) == rng.integers(n_dims, size=(n_children, 1))
        children = np.where(is_crossed, donors, members[target])
        parents = np.array([target, np.zeros_like(target), plus, minus])
        heirs = parents[rng.integers(4, size=shape), np.arange(n_children)[:, np.newaxis]]
        choices = members[heirs, np.arange(n_dims)]
        is_mutated = rng.random(shape) < learnt.mutation / 2 / self._n_free()
        choices = np.where(is_mutated, rng.random(shape), choices)
        children = np.where(self.space.is_categorical, choices, children)
        return Offspring.of("differential", children, parents, np.hstack([scale, crossed]))

    def _restart(self, member: FloatArray, n_children: int, rng: np.random.Generator) -> Offspring:
        """Step away from the best by any distance from a hundredth of the space to all of it."""
        shape = (n_children, len(member))
        distances = 10 ** rng.uniform(-2, 0, (n_children, 1))
        children = member + distances * rng.standard_normal(shape)
        choices = np.where(rng.random(shape) < 1 / self._n_free(), rng.random(shape), member)
        children = np.where(self.space.is_categorical, choices, children)
        return Offspring.of("restart", children, np.zeros((1, n_children), dtype=np.intp))

    def _n_free(self) -> int:
        """Return the number of columns that have more than one value, at least 1."""
        return max(1, int(np.count_nonzero(self.space.n_values > 1)))


class _Learnt(NamedTuple):
    """What recent successes say of the operators.

    Attributes
    ----------
    share : float
        Share of differential moves.
    mutation : float
        Mean number of columns that are mutated.
    scale, crossed : float
        Means of F and CR in differential evolution.
    """

    share: float
    mutation: float
    scale: float
    crossed: float


def _learn(told: list[Trial], scores: FloatArray) -> _Learnt:
    """Learn from recent children that beat their first parent.

    Parameters
    ----------
    told : list of Trial
        In the order of their numbers.
    scores : ndarray of shape (n_told,)

    Returns
    -------
    learnt : _Learnt
        With one success and one failure more than seen, so that no operator is certain.
    """
    score = {t.number: value for t, value in zip(told, scores.tolist(), strict=True)}
    won, tried = dict.fromkeys(_OPERATORS, 1.0), dict.fromkeys(_OPERATORS, 2.0)
    drawn = {operator: [first] for operator, first in _OPERATORS.items()}
    for trial in told[-_CREDIT_WINDOW:]:
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
    return _Learnt(share, *means[0], *means[1])


def _survivors(told: list[Trial], scores: FloatArray, rows: IntArray, size: int) -> IntArray:
    """Return the population: who has not been beaten by a child of its own.

    A child takes the place of its first parent if it is not worse, else it dies. Trials
    without a parent in the population take an empty place, or that of the worst if they
    are better. So a place is a line of descent, and a good one does not fill the others.

    Parameters
    ----------
    told : list of Trial
        In the order of their numbers.
    scores : ndarray of shape (n_told,)
    rows : ndarray of shape (n_rows,)
        Those that may survive, ascending.
    size : int
        Number of places.

    Returns
    -------
    survivors : ndarray of shape (n_members,)
        Some of the rows, best first; of equal ones the latest.
    """
    places: dict[int, int] = {}  # trial number: row
    score, worst = scores.tolist(), None
    for row in rows.tolist():
        trial = told[row]
        parents = trial.proposal.get("parents")
        rival = parents[0] if parents else None
        if rival not in places:
            if len(places) < size:
                places[trial.number] = row
                continue
            if worst is None:
                worst = min(places, key=lambda number: score[places[number]])
            if score[row] == score[places[worst]]:
                continue
            rival = worst
        if score[row] >= score[places[rival]]:
            del places[rival]
            places[trial.number], worst = row, None
    return np.array(sorted(places.values(), key=lambda row: (-score[row], -row)))


def _tournament(n_members: int, size: Any, rng: np.random.Generator) -> IntArray:
    """Return the best of three members drawn at random, often; they stand best first."""
    best: IntArray = rng.integers(n_members, size=(_TOURNAMENT, *np.atleast_1d(size))).min(axis=0)
    return best
