"""Particle swarm optimization: particles pulled towards their own best point and the swarm's.

The step of a particle is its last step times an inertia, plus random shares of the ways to its own
best point and to the best point of all. An unordered column is not a number: it keeps its choice,
takes that of one of the two points, or is drawn at random. The particle whose finished trial is the
oldest moves next. Numbers in brackets are those of the equations in docs/algorithms/swarm.md.

With the surrogate, a particle draws 96 moves and 32 uniform points, and takes the one with the
greatest expected improvement.

The ``proposal`` of a trial has ``{"particle": k}``, and ``"reseeded": True`` if the particle had
come to rest and was moved to a random point, where it forgets its past. Everything else is read
from the trials: a velocity is the difference of a particle's last two points.

Deviations from the papers, each because a tuning run has 50 trials, not 50,000:

- The swarm has 8 particles, and more only from about 165 trials on.
- The budget is unknown, so the inertia falls with the number of a particle's own moves instead of
  the share of the run that has passed.
- A particle moves as soon as its own trial has finished; there are no generations.
- No pull acts on the particle that holds the best point of all. It also takes a random step in
  proportion to the spread of the swarm.
- In a conditional space a particle first chooses its branch, in the first trials often at random.
  Within it, the best point of that branch leads. Columns that the particle's last point lacked
  come from there or are drawn at random.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._validation import check_count, check_flag, check_share
from sklearn_lepton.optimizers._boundary import branch_exploration, reflect_and_dither
from sklearn_lepton.optimizers._scores import fitness
from sklearn_lepton.optimizers._surrogate_assisted import N_UNIFORM, SurrogateOptimizer
from sklearn_lepton.space._dimension import FloatArray

_INITIAL_INERTIA = 0.7
_INERTIA_DECAY = 2.0  # moves
_MAX_STEP = 0.5
_P_MUTATE = 0.05
_RANDOM = 3  # the source of a choice that is drawn at random; see `_draw_sources`
_LEADER_STEP = 0.5
_AT_REST = 1e-3  # a particle whose points differ by less is reseeded
_N_MOVES = 96  # the surrogate selects one of them


class SwarmOptimizer(SurrogateOptimizer):
    """Propose trials by global-best particle swarm optimization.

    Parameters
    ----------
    space : Space, dict or list of dict
        Search space; see `Space`.
    seed : int, default=0
        Seed of every proposal, not negative.
    n_initial_points : int or "auto", default="auto"
        Number of trials of the initial design, before the first move; ``"auto"`` is one
        per particle.
    n_particles : int or "auto", default="auto"
        Size of the swarm, at least 2; ``"auto"`` is 8, or 0.7 times the square root of the
        number of trials if that is more.
    inertia : float, default=0.4
        Share of its last step that a particle repeats after many moves, in [0, 1). Its
        m-th move has ``inertia + max(0.7 - inertia, 0) exp(-m / 2)``, m from 0.
    cognitive : float, default=1.0
        Pull of the particle's own best point, at least 0.
    social : float, default=1.5
        Pull of the best point of all, at least 0.
    surrogate : bool, default=True
        Whether each proposal draws many moves and submits the one with the greatest expected
        improvement under a Gaussian process and a forest. It takes some ten milliseconds.
        False is the swarm alone.
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
    Kennedy, J. and Eberhart, R. (1995). Particle swarm optimization. Proc.
    ICNN'95. https://doi.org/10.1109/ICNN.1995.488968

    Shi, Y. and Eberhart, R. (1998). A modified particle swarm optimizer (the
    inertia weight). Proc. IEEE ICEC. https://doi.org/10.1109/ICEC.1998.699146

    Clerc, M. and Kennedy, J. (2002). The particle swarm: explosion, stability,
    and convergence in a multidimensional complex space. IEEE Transactions on
    Evolutionary Computation 6(1). https://doi.org/10.1109/4235.985692

    Regis, R. G. (2014). Particle swarm with radial basis function surrogates for
    expensive black-box optimization. Journal of Computational Science 5(1).
    https://doi.org/10.1016/j.jocs.2013.07.004

    Lee, E. H., Perrone, V., Archambeau, C. and Seeger, M. (2020). Cost-aware
    Bayesian optimization. https://arxiv.org/abs/2003.10870

    Strasser, S., Goodman, R., Sheppard, J. and Butcher, S. (2016). A new
    discrete particle swarm optimization algorithm. Proc. GECCO.
    https://doi.org/10.1145/2908812.2908935

    Examples
    --------
    >>> from sklearn_lepton.optimizers import SwarmOptimizer
    >>> optimizer = SwarmOptimizer({"x": (-5.0, 5.0, "uniform"), "kind": ["a", "b"]}, seed=0)
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
        n_particles: int | str = "auto",
        inertia: float = 0.4,
        cognitive: float = 1.0,
        social: float = 1.5,
        surrogate: bool = True,
        previous_studies: Any = (),
        cost_aware: bool = False,
        max_seconds: float | None = None,
        resources: Sequence[float] = (1.0,),
    ) -> None:
        check_count("n_particles", n_particles, minimum=2)
        check_share("inertia", inertia, below=1.0)
        check_share("cognitive", cognitive)
        check_share("social", social)
        check_flag("surrogate", surrogate)
        self.n_particles = n_particles
        self.inertia = inertia
        self.cognitive = cognitive
        self.social = social
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
        return self._swarm_size(0)

    def _swarm_size(self, n_trials: int) -> int:
        if self.n_particles == "auto":
            return max(8, int(0.7 * math.sqrt(n_trials)))
        return int(self.n_particles)

    def _propose(self, rng: np.random.Generator) -> tuple[FloatArray, Mapping[str, Any]]:
        trials = self._configurations()
        points, scores = self._maximized()
        ranked = fitness(self._finished(), self.run_settings.objectives, scores, by_front=False)
        observed = points, ranked
        finished = [trial.number for trial in self._finished()]
        score = dict(zip(finished, observed[1].tolist(), strict=True))
        tracks = self._tracks(trials, score)
        particle = _next_to_move(tracks)
        proposal: dict[str, Any] = {"particle": particle}
        if not any(trial.score is not None for trial in trials):
            return self._design_point(), proposal
        track = [trial for trial in tracks[particle] if trial.number in score]
        spread = np.array([other[-1].point for other in tracks if other]).std(axis=0)
        moves = self._moves(track, score, observed, spread, rng)
        if self._is_at_rest(track, moves):
            moves = self.space.draw(rng, len(moves))
            proposal["reseeded"] = True
        row, fitted = 0, dict[str, Any]()
        if self.surrogate:
            moves = np.vstack([moves, self.space.draw(rng, N_UNIFORM)])
            row, fitted = self._select(moves, points, scores, rng)
        return moves[row], proposal | fitted

    def _tracks(self, trials: list[Trial], score: Mapping[int, float]) -> list[list[Trial]]:
        """Return the trials of each particle, in order.

        Trials that are not a move, such as the initial design, are dealt to the first particles.
        Each particle starts at the best of its share.
        """
        size = self._swarm_size(len(trials))
        starts: list[list[Trial]] = [[] for _ in range(size)]
        moves: list[list[Trial]] = [[] for _ in range(size)]
        n_dealt = 0
        for trial in trials:
            particle = trial.proposal.get("particle")
            if isinstance(particle, int):
                if trial.proposal.get("reseeded"):
                    moves[particle % size].clear()
                    starts[particle % size].clear()
                moves[particle % size].append(trial)
            else:
                starts[n_dealt % self._swarm_size(0)].append(trial)
                n_dealt += 1
        return [
            [max(start, key=lambda trial: score.get(trial.number, -math.inf)), *move]
            if start
            else move
            for start, move in zip(starts, moves, strict=True)
        ]

    def _moves(
        self,
        track: list[Trial],
        score: Mapping[int, float],
        observed: tuple[FloatArray, FloatArray],
        spread: FloatArray,
        rng: np.random.Generator,
    ) -> FloatArray:
        """Return possible next points of a particle.

        Parameters
        ----------
        track : list of Trial
            Finished trials of the particle, in order; without any, points are uniform.
        score : dict
            Score of each finished trial by its number.
        observed : tuple of ndarray of shape (n_finished, n_dims) and (n_finished,)
            Points and scores of all finished trials.
        spread : ndarray of shape (n_dims,)
            Standard deviation of the swarm's points.
        rng : numpy.random.Generator

        Returns
        -------
        points : ndarray of shape (n_moves, n_dims)
            In [0, 1], not snapped.
        """
        space, n_moves = self.space, _N_MOVES if self.surrogate else 1
        shape = (n_moves, space.n_dims)
        uniform = space.draw(rng, n_moves)
        if not track:
            return uniform
        own_best = max(track, key=lambda trial: (score[trial.number], trial.number))
        own_points = np.array([track[-1].point, track[-2:][0].point, own_best.point])
        inertia = self.inertia + max(_INITIAL_INERTIA - self.inertia, 0.0) * math.exp(
            -(len(track) - 1) / _INERTIA_DECAY
        )  # (2)
        sources = self._draw_sources(inertia, shape, rng)
        points, scores = observed
        leader = points[np.argmax(scores)]
        # Last, previous, own best and leading point of each move; moves differ by branch.
        views = np.array([*own_points, leader])[:, np.newaxis] + np.zeros(shape)
        if len(space.branches) > 1:
            explores = rng.random(n_moves) < branch_exploration(space, self._n_configurations)
            sources[explores, 0] = _RANDOM
            views[:, :, 0] = np.choose(sources[:, 0], [*views[[0, 2, 3], :, 0], uniform[:, 0]])
            branches = space.snap(views[0])[:, 0]
            for branch in np.unique(branches):
                rows = branches == branch
                views[:, rows] = self._enter(branch, own_points, observed, uniform[rows], rng)
        last, previous, bests, leaders = views
        pulls = rng.random((2, *shape))
        step = inertia * (last - previous)  # (1)
        step += self.cognitive * pulls[0] * (bests - last)
        step += self.social * pulls[1] * (leaders - last)
        is_leader = np.all(bests == leaders, axis=1, keepdims=True)
        step += is_leader * _LEADER_STEP * spread * rng.standard_normal(shape)  # (3)
        moved = reflect_and_dither(
            space, last + np.clip(step, -_MAX_STEP, _MAX_STEP), rng
        )  # (4), (5)
        choices = np.choose(sources, [last, bests, leaders, uniform])  # (6)
        moved = np.where(space.is_categorical, choices, moved)
        if len(space.branches) > 1:
            moved[:, 0] = last[:, 0]
        return moved

    def _draw_sources(
        self, inertia: float, shape: tuple[int, int], rng: np.random.Generator
    ) -> npt.NDArray[np.intp]:
        """Draw the source of each choice: 0 last, 1 own best, 2 leading point, 3 random.

        The odds are the mean weights of the three terms of a velocity.
        """
        odds = np.array([inertia, self.cognitive / 2, self.social / 2]) + 1e-9
        odds = np.append(odds / odds.sum() * (1 - _P_MUTATE), _P_MUTATE)
        return np.minimum(np.searchsorted(np.cumsum(odds), rng.random(shape)), _RANDOM)

    def _enter(
        self,
        branch: float,
        own_points: FloatArray,
        observed: tuple[FloatArray, FloatArray],
        uniform: FloatArray,
        rng: np.random.Generator,
    ) -> FloatArray:
        """Return last, previous, own best and leading point as seen from a branch.

        A column that a point lacks exerts no pull: it gets the value of the last point. If the
        last point lacks it, too, the value comes from the branch's best or is drawn at random.

        Parameters
        ----------
        branch : float
            Value of column 0.
        own_points : ndarray of shape (3, n_dims)
            Last, previous and own best point.
        observed : tuple of ndarray of shape (n_finished, n_dims) and (n_finished,)
        uniform : ndarray of shape (n_moves, n_dims)
            Random values.
        rng : numpy.random.Generator

        Returns
        -------
        views : ndarray of shape (4, n_moves, n_dims)
        """
        space, (points, scores) = self.space, observed
        middle = np.full((1, space.n_dims), 0.5)
        middle[0, 0] = branch
        inside = np.flatnonzero(points[:, 0] == branch)
        leader = points[inside[np.argmax(scores[inside])]] if inside.size else middle[0]
        has = space.is_active(np.vstack([own_points, leader]))
        has[3] &= inside.size > 0
        from_leader = has[3] & (rng.random(uniform.shape) < 0.5)
        last = np.where(has[0], own_points[0], np.where(from_leader, leader, uniform))
        previous = np.where(has[0] & has[1], own_points[1], last)
        own_best = np.where(has[2], own_points[2], last)
        views = np.array([last, previous, own_best, np.where(has[3], leader, last)])
        views[:, :, 0] = branch
        return views

    def _is_at_rest(self, track: list[Trial], moves: FloatArray) -> bool:
        """Return whether a particle's last two points and all its moves are the same."""
        if not track:
            return False
        points = self.space.snap(np.vstack([track[-1].point, track[-2:][0].point, moves]))
        return float(np.max(np.abs(points - points[0]), initial=0.0)) < _AT_REST


def _next_to_move(tracks: list[list[Trial]]) -> int:
    """Return the particle without a pending trial whose last trial is the oldest."""
    last = [track[-1].number if track else -math.inf for track in tracks]
    ready = [k for k, track in enumerate(tracks) if not track or track[-1].status != "pending"]
    return min(ready or range(len(tracks)), key=last.__getitem__)
