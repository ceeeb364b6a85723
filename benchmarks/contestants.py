"""Optimizers behind one interface, for the benchmark of sample efficiency.

Each is used as in its documentation and with its own defaults. A peer is imported only when it is
created, so that each can have an environment of its own.
"""

import contextlib
import io
import math
import random
import tempfile
import threading
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, ClassVar, NamedTuple
from unittest import mock

import numpy as np

from sklearn_lepton.space import Categorical, Integer, Real, Space


class Exhausted(Exception):  # noqa: N818 - it is no error, but news
    """Every setting of a finite space has been asked for."""


class Contestant(ABC):
    """An optimizer that is asked for one trial at a time."""

    package: ClassVar[str]

    def __init__(self, space: Space, *, seed: int, n_trials: int) -> None:
        self.space, self.seed, self.n_trials = space, seed, n_trials

    @abstractmethod
    def ask(self) -> dict[str, Any]:
        """Return the parameters of one trial."""

    @abstractmethod
    def tell(self, params: Mapping[str, Any], score: float) -> None:
        """Tell the score of the last asked trial; greater is better, nan is a failure."""


class Lepton(Contestant):
    """One of our own optimizers with some options, `n_points` trials in flight.

    They are a window, as in a search, or batches. With `first`, these settings are its first
    trial, as a search takes its estimator's defaults.
    """

    package = "sklearn-lepton"

    def __init__(
        self,
        space: Space,
        *,
        seed: int,
        n_trials: int,
        optimizer: str,
        n_points: int = 1,
        is_window: bool = False,
        first: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        from sklearn_lepton import optimizers

        super().__init__(space, seed=seed, n_trials=n_trials)
        self.optimizer = getattr(optimizers, optimizer)(space, seed=seed, **options)
        self.optimizer.configure(budget=n_trials, n_points=n_points)
        self.optimizer.enqueue([] if first is None else [first])
        self.n_points, self.is_window = n_points, is_window
        self.batch: list[Any] = []
        self.finished: list[Any] = []

    def ask(self) -> dict[str, Any]:
        if not self.batch:
            self.batch = self.optimizer.ask(1 if self.is_window else self.n_points)
        if not self.batch:
            raise Exhausted
        return dict(self.batch[0].params)

    def tell(self, params: Mapping[str, Any], score: float) -> None:
        self.finished.append(self.batch.pop(0).complete(score))  # nan is a failed trial
        if self.is_window:
            n_told = len(self.finished) - self.n_points + 1  # trials before the next one's window
        else:
            n_told = 0 if self.batch else len(self.finished)
        if n_told > 0:
            self.optimizer.tell(self.finished[:n_told])
            del self.finished[:n_told]


class Ablated(Lepton):
    """One of our own optimizers with one ingredient changed while it proposes.

    Each change names an attribute of the package and its replacement.
    """

    def __init__(self, space: Space, *, changes: Mapping[str, Any], **options: Any) -> None:
        self.changes = changes
        with self.changed():
            super().__init__(space, **options)

    @contextlib.contextmanager
    def changed(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for target, value in self.changes.items():
                stack.enter_context(mock.patch(f"sklearn_lepton.{target}", value))
            yield

    def ask(self) -> dict[str, Any]:
        with self.changed():
            return super().ask()


BAYES = "optimizers._bayes.BayesOptimizer"
ABLATIONS: dict[str, dict[str, Any]] = {
    "no forest": {"_surrogate.mixture._RAMP": (10**8, 10**9)},
    "forest from the start": {"_surrogate.mixture._RAMP": (0, 1)},
    "hopeless scores not clipped": {"_surrogate.observations._CLIP": math.inf},
    "wide prior of length-scales": {"_surrogate.likelihood._LENGTH": (-1.2, 1.2)},
    "prior without the number of columns": {"_surrogate.likelihood._LENGTH_BY_COLUMNS": 0.0},
    "wide prior of the noise": {"_surrogate.likelihood._NOISE": (-6.0, 2.0)},
    "improve on the best score": {
        "_surrogate.gaussian_process.GaussianProcess.fitted": property(lambda process: process.y)
    },
    "candidates not refined": {
        "_surrogate.maximize._Search.improve": lambda _, points, value: (points, value)
    },
    "design of 3": {f"{BAYES}._default_n_initial_points": lambda _: 3},
    "middle of the space not first": {f"{BAYES}._centre_first": False},
}


# --------------------------------------------------------------------- peers


class Range(NamedTuple):
    """The description of a dimension for a peer; a choice is given by its index."""

    kind: str
    low: Any
    high: Any
    log: bool = False


def population(own: int, n_trials: int) -> int:
    """Return how many individuals a peer keeps at a time.

    Swarms and generations are made for thousands of evaluations. To be generous, each is told how
    many there are: it keeps its own default, or as many as leave it six generations if that is
    fewer, but eight at least.
    """
    return min(own, max(8, n_trials // 6))


def key(column: int) -> str:
    """Return the name under which peers know a column: those of the space may occur twice."""
    return f"p{column}"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence warnings and output of peers."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


FAR_BELOW = -1e100  # some peers stop at infinity


class Peer(Contestant):
    """An optimizer of others.

    `ranges` holds by column what it is told: all but parameters of one value only and, in a
    conditional space, the branch as one more choice.
    """

    def __init__(self, space: Space, *, seed: int, n_trials: int) -> None:
        super().__init__(space, seed=seed, n_trials=n_trials)
        self.is_conditional = len(space.branches) > 1
        self.ranges: dict[int, Range] = {}
        columns = list(range(space.n_dims))
        for column in columns[1:] + columns[:1] if self.is_conditional else columns:
            dimension = space.dimensions[column]
            if dimension.n_values > 1:
                if isinstance(dimension, Categorical):
                    told = Range("choice", 0, len(dimension.categories) - 1)
                elif isinstance(dimension, Real | Integer):
                    kind = "real" if isinstance(dimension, Real) else "integer"
                    told = Range(kind, dimension.low, dimension.high, dimension.log)
                else:
                    raise TypeError(f"Peers know Real, Integer and Categorical, not {dimension!r}.")
                self.ranges[column] = told
        self.untold: list[tuple[Any, bool]] = []
        self.worst = math.nan

    def params(self, value_of: Callable[[int], Any]) -> dict[str, Any]:
        """Ask for the value of the branch, then of its columns, and translate them."""
        branch, params = int(value_of(0)) if self.is_conditional else 0, {}
        for name, column in self.space.branches[branch].items():
            dimension = self.space.dimensions[column]
            if column not in self.ranges:
                params[name] = dimension.from_unit(0.5)
                continue
            kind, low, high, _ = self.ranges[column]
            value = min(max(value_of(column), low), high)  # some round across a bound
            value = float(value) if kind == "real" else round(value)
            params[name] = dimension.categories[value] if kind == "choice" else value
        return params

    def bounds(self, column: int) -> tuple[float, float]:
        """Return the bounds of a column as real numbers, of which all whole ones have a bin."""
        kind, low, high, _ = self.ranges[column]
        return (low, high) if kind == "real" else (low - 0.5, high + 0.5)

    def spread(self, column: int, unit: float) -> float:
        """Translate a place in [0, 1]; integers and choices have equal bins."""
        low, high = self.bounds(column)
        if self.ranges[column].log:
            return float(low * (high / low) ** unit)
        return float(low + (high - low) * unit)

    def known(self, asked: Any, score: float) -> list[tuple[Any, float, bool]]:
        """Return the score for a peer without failed trials, and whether the trial failed.

        A failure has the worst score so far; before there is one, it is told later.
        """
        self.untold.append((asked, math.isnan(score)))
        self.worst = float(np.fmin(self.worst, score))
        if math.isnan(self.worst):
            return []
        told = [(asked, self.worst if failed else score, failed) for asked, failed in self.untold]
        self.untold.clear()
        return told

    def finite(self, score: float) -> float:
        """Return the score for a peer that needs a number: the worst one for a failure."""
        self.worst = float(np.fmin(self.worst, score))
        if not math.isnan(score):
            return score
        return FAR_BELOW if math.isnan(self.worst) else self.worst


class Optuna(Peer):
    """A study of Optuna with one of its samplers; branches are defined by running them."""

    package = "optuna"

    def __init__(
        self, space: Space, *, seed: int, n_trials: int, sampler: str, **options: Any
    ) -> None:
        import optuna

        super().__init__(space, seed=seed, n_trials=n_trials)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.failed = optuna.trial.TrialState.FAIL
        with quiet():
            made = getattr(optuna.samplers, sampler)(seed=seed, **options)
        self.study = optuna.create_study(direction="maximize", sampler=made)

    def ask(self) -> dict[str, Any]:
        with quiet():
            self.trial = self.study.ask()
            return self.params(self.suggest)

    def suggest(self, column: int) -> Any:
        kind, low, high, log = self.ranges[column]
        if kind == "choice":
            return self.trial.suggest_categorical(key(column), range(high + 1))
        suggest = self.trial.suggest_float if kind == "real" else self.trial.suggest_int
        return suggest(key(column), low, high, log=log)

    def tell(self, params: Mapping[str, Any], score: float) -> None:
        if math.isnan(score):
            self.study.tell(self.trial, state=self.failed)
        else:
            self.study.tell(self.trial, score)


class OptunaGenetic(Optuna):
    """Optuna's genetic algorithm."""

    def __init__(self, space: Space, *, seed: int, n_trials: int) -> None:
        size = population(50, n_trials)
        super().__init__(
            space, seed=seed, n_trials=n_trials, sampler="NSGAIISampler", population_size=size
        )


class Skopt(Peer):
    """The optimizer of scikit-optimize as its BayesSearchCV makes it; it knows no conditions."""

    package = "scikit-optimize"

    def __init__(self, space: Space, *, seed: int, n_trials: int) -> None:
        from skopt import Optimizer
        from skopt import space as skopt_space

        super().__init__(space, seed=seed, n_trials=n_trials)

        def dimension(kind: str, low: Any, high: Any, log: bool) -> Any:
            if kind == "choice":
                return skopt_space.Categorical(list(range(high + 1)))
            make = skopt_space.Real if kind == "real" else skopt_space.Integer
            return make(low, high, prior="log-uniform" if log else "uniform")

        dimensions = [dimension(*told) for told in self.ranges.values()]
        self.optimizer = Optimizer(
            dimensions, base_estimator="GP", n_initial_points=10, random_state=seed
        )

    def ask(self) -> dict[str, Any]:
        with quiet():
            self.point = self.optimizer.ask()
        return self.params(dict(zip(self.ranges, self.point, strict=True)).__getitem__)

    def tell(self, params: Mapping[str, Any], score: float) -> None:
        with quiet():
            for point, known, _ in self.known(self.point, score):
                self.optimizer.tell(point, -known)


class Hyperopt(Peer):
    """The tree of Parzen estimators of hyperopt, with branches as a choice of dicts."""

    package = "hyperopt"

    def __init__(self, space: Space, *, seed: int, n_trials: int) -> None:
        from hyperopt import Trials, hp
        from hyperopt.base import Domain

        super().__init__(space, seed=seed, n_trials=n_trials)

        def node(column: int) -> Any:
            kind, low, high, log = self.ranges[column]
            if kind == "choice":
                return hp.choice(key(column), list(range(high + 1)))
            step = ()
            if kind == "integer":  # else the outermost ones had half a share
                low, high, step = low - 0.5, high + 0.5, (1,)
            if log:
                low, high = math.log(low), math.log(high)
            make = f"{'q' if step else ''}{'log' if log else ''}uniform"
            return getattr(hp, make)(key(column), low, high, *step)

        nodes = {column: node(column) for column in range(space.n_dims) if column in self.ranges}
        trees = [
            {key(column): nodes[column] for column in branch.values() if column in nodes}
            for branch in space.branches
        ]
        tree = hp.choice(key(0), trees) if self.is_conditional else trees[0]
        self.domain, self.trials = Domain(None, tree), Trials()
        self.rng = np.random.default_rng(seed)

    def ask(self) -> dict[str, Any]:
        from hyperopt import tpe

        numbers = self.trials.new_trial_ids(1)
        self.trials.refresh()
        with quiet():
            docs = tpe.suggest(numbers, self.domain, self.trials, int(self.rng.integers(2**31 - 1)))
        self.trials.insert_trial_docs(docs)
        self.trials.refresh()
        values = docs[0]["misc"]["vals"]
        return self.params(lambda column: values[key(column)][0])

    def tell(self, params: Mapping[str, Any], score: float) -> None:
        from hyperopt import JOB_STATE_DONE, STATUS_FAIL, STATUS_OK

        failed = {"status": STATUS_FAIL}
        doc = self.trials._dynamic_trials[-1]  # noqa: SLF001 - as hyperopt's own loop does
        doc["state"] = JOB_STATE_DONE
        doc["result"] = failed if math.isnan(score) else {"status": STATUS_OK, "loss": -score}
        self.trials.refresh()


class Hebo(Peer):
    """HEBO with its Gaussian process; it knows no conditions."""

    package = "HEBO"

    def __init__(self, space: Space, *, seed: int, n_trials: int) -> None:
        from hebo.design_space.design_space import DesignSpace
        from hebo.optimizers.hebo import HEBO

        super().__init__(space, seed=seed, n_trials=n_trials)

        def dimension(kind: str, low: Any, high: Any, log: bool) -> dict[str, Any]:
            if kind == "choice":
                return {"type": "cat", "categories": list(range(high + 1))}
            names = ("num", "pow") if kind == "real" else ("int", "pow_int")
            return {"type": names[log], "lb": low, "ub": high}

        design = [{"name": key(c), **dimension(*told)} for c, told in self.ranges.items()]
        self.optimizer = HEBO(DesignSpace().parse(design), scramble_seed=seed)
        self.n_asked = 0

    def ask(self) -> dict[str, Any]:
        import torch

        # It draws from the global generators, which the objective may use as well.
        (state,) = np.random.SeedSequence([self.seed, self.n_asked]).generate_state(1)
        np.random.seed(state)  # noqa: NPY002
        torch.manual_seed(int(state))
        self.n_asked += 1
        with quiet():
            self.asked = self.optimizer.suggest()
        values = self.asked.iloc[0]
        return self.params(lambda column: values[key(column)])

    def tell(self, params: Mapping[str, Any], score: float) -> None:
        with quiet():
            self.optimizer.observe(self.asked, np.array([[-score]]))  # it ignores nan


class Smac(Peer):
    """SMAC's facade for hyperparameters, a random forest, with branches as conditions."""

    package = "smac"

    def __init__(self, space: Space, *, seed: int, n_trials: int) -> None:
        import ConfigSpace
        from smac import HyperparameterOptimizationFacade, Scenario

        super().__init__(space, seed=seed, n_trials=n_trials)
        tree = ConfigSpace.ConfigurationSpace(seed=seed)
        for column, (kind, low, high, log) in self.ranges.items():
            if kind == "choice":
                tree.add(ConfigSpace.Categorical(key(column), list(range(high + 1))))
            else:
                make = ConfigSpace.Float if kind == "real" else ConfigSpace.Integer
                tree.add(make(key(column), (low, high), log=log))
        for column in self.ranges if self.is_conditional else ():
            where = [n for n, branch in enumerate(space.branches) if column in branch.values()]
            if 0 < len(where) < len(space.branches):
                tree.add(ConfigSpace.InCondition(tree[key(column)], tree[key(0)], where))
        self.directory = tempfile.TemporaryDirectory()
        scenario = Scenario(
            tree,
            deterministic=True,
            n_trials=n_trials,
            seed=seed,
            output_directory=Path(self.directory.name),
        )
        self.facade = HyperparameterOptimizationFacade(
            scenario, overwrite=True, logging_level=False
        )

    def ask(self) -> dict[str, Any]:
        from smac.main.exceptions import ConfigurationSpaceExhaustedException

        try:
            with quiet():
                self.info = self.facade.ask()
        except (StopIteration, ConfigurationSpaceExhaustedException):
            raise Exhausted from None
        return self.params(lambda column: self.info.config[key(column)])

    def tell(self, params: Mapping[str, Any], score: float) -> None:
        from smac.runhistory import StatusType, TrialValue

        for info, known, failed in self.known(self.info, score):
            status = StatusType.CRASHED if failed else StatusType.SUCCESS
            self.facade.tell(info, TrialValue(cost=-known, status=status), save=False)


class Nevergrad(Peer):
    """The particle swarm of nevergrad; it knows no conditions.

    With the transform "arctan" it is what `optimizers.registry` has as "PSO", with "identity" what
    it has as "RealSpacePSO", but for the number of particles. The former walks into the corners of
    bounded spaces and stays there, in nevergrad's own loop as well.
    """

    package = "nevergrad"

    def __init__(self, space: Space, *, seed: int, n_trials: int, transform: str) -> None:
        import nevergrad as ng

        super().__init__(space, seed=seed, n_trials=n_trials)

        def parameter(kind: str, low: Any, high: Any, log: bool) -> Any:
            if kind == "choice":
                return ng.p.Choice(list(range(high + 1)))
            made = (ng.p.Log if log else ng.p.Scalar)(lower=low, upper=high)
            return made.set_integer_casting() if kind == "integer" else made

        with quiet():
            tree = ng.p.Dict(**{key(c): parameter(*told) for c, told in self.ranges.items()})
            tree.random_state = np.random.RandomState(seed)
            swarm = ng.optimizers.ConfPSO(transform=transform, popsize=population(40, n_trials))
            self.optimizer = swarm(tree, budget=n_trials)

    def ask(self) -> dict[str, Any]:
        with quiet():
            self.candidate = self.optimizer.ask()
        return self.params(lambda column: self.candidate.value[key(column)])

    def tell(self, params: Mapping[str, Any], score: float) -> None:
        with quiet():
            for candidate, known, _ in self.known(self.candidate, score):
                self.optimizer.tell(candidate, -known)


class Pymoo(Peer):
    """The genetic algorithm of pymoo for mixed variables; it knows no conditions.

    What is logarithmic it is told as an exponent.
    """

    package = "pymoo"

    def __init__(self, space: Space, *, seed: int, n_trials: int) -> None:
        from pymoo.core.mixed import MixedVariableGA
        from pymoo.core.problem import Problem
        from pymoo.core.termination import NoTermination
        from pymoo.core.variable import Choice, Integer, Real

        super().__init__(space, seed=seed, n_trials=n_trials)

        def variable(column: int) -> Any:
            kind, low, high, log = self.ranges[column]
            if kind == "choice":
                return Choice(options=list(range(high + 1)))
            if log:
                return Real(bounds=tuple(map(math.log, self.bounds(column))))
            return (Real if kind == "real" else Integer)(bounds=(low, high))

        self.problem = Problem(vars={key(column): variable(column) for column in self.ranges})
        self.algorithm = MixedVariableGA(pop_size=population(50, n_trials))
        self.algorithm.setup(self.problem, termination=NoTermination(), seed=seed, verbose=False)
        self.generation: Any = None
        self.costs: list[float] = []

    def ask(self) -> dict[str, Any]:
        if self.generation is None:
            with quiet():
                self.generation = self.algorithm.ask()
        if self.generation is None or len(self.generation) == 0:
            raise Exhausted
        values = self.generation[len(self.costs)].X

        def value_of(column: int) -> Any:
            value = values[key(column)]
            return math.exp(value) if self.ranges[column].log else value

        return self.params(value_of)

    def tell(self, params: Mapping[str, Any], score: float) -> None:
        from pymoo.core.evaluator import Evaluator
        from pymoo.problems.static import StaticProblem

        self.costs.append(-self.finite(score))
        if len(self.costs) == len(self.generation):
            with quiet():
                known = StaticProblem(self.problem, F=np.array(self.costs)[:, None])
                Evaluator().eval(known, self.generation)
                self.algorithm.tell(infills=self.generation)
            self.generation, self.costs = None, []


class Stopped(BaseException):
    """The budget is spent; an `except Exception` of a peer must not catch it."""


class Inverted(Peer):
    """An optimizer that owns its loop and calls a function; it knows no conditions.

    Its loop runs in a thread that waits in the function for the score. The thread runs only while
    the benchmark waits in `ask`, so that global random generators, from which many of these peers
    draw, are shared in a fixed order.
    """

    def __init__(self, space: Space, *, seed: int, n_trials: int) -> None:
        super().__init__(space, seed=seed, n_trials=n_trials)
        self.asked: SimpleQueue[Any] = SimpleQueue()
        self.answers: SimpleQueue[float] = SimpleQueue()
        self.answer, self.n_told, self.is_over = math.nan, 0, False
        self.thread = threading.Thread(target=self.loop, daemon=True)

    @abstractmethod
    def optimize(self) -> None:
        """Run the loop of the peer on `score_of` or `score_at`, greater is better."""

    def loop(self) -> None:
        seed_global_generators(self.seed)
        try:
            self.optimize()
        except Stopped:
            return
        except Exception as error:
            self.asked.put(error)
        else:
            self.asked.put(Exhausted())

    def score_of(self, value_of: Callable[[int], Any]) -> float:
        if not self.is_over:
            self.asked.put(self.params(value_of))
            score = self.answers.get()
        if self.is_over:
            raise Stopped
        return score

    def score_at(self, point: Any) -> float:
        """Return the score at a point of the unit cube."""
        place = dict(zip(self.ranges, point, strict=True))
        return self.score_of(lambda column: self.spread(column, place[column]))

    def ask(self) -> dict[str, Any]:
        with quiet():
            if self.thread.ident is None:
                self.thread.start()
            else:
                self.answers.put(self.answer)
            asked = self.asked.get()
        if isinstance(asked, Exception):
            raise asked
        return asked

    def tell(self, params: Mapping[str, Any], score: float) -> None:
        self.answer = self.finite(score)
        self.n_told += 1
        if self.n_told == self.n_trials:
            self.is_over = True
            self.answers.put(self.answer)
            self.thread.join()


def seed_global_generators(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002


class Pyswarms(Inverted):
    """The particle swarm of pyswarms' basic example in the unit cube."""

    package = "pyswarms"

    def optimize(self) -> None:
        from pyswarms.single import GlobalBestPSO

        n_dims, n_particles = len(self.ranges), population(10, self.n_trials)
        swarm = GlobalBestPSO(
            n_particles=n_particles,
            dimensions=n_dims,
            options={"c1": 0.5, "c2": 0.3, "w": 0.9},
            bounds=(np.zeros(n_dims), np.ones(n_dims)),
        )
        swarm.optimize(
            lambda points: np.array([-self.score_at(point) for point in points]),
            iters=self.n_trials // n_particles + 1,
            verbose=False,
        )


class Deap(Inverted):
    """The simple algorithm of DEAP on real numbers in the unit cube.

    Probabilities, tournaments and the population are those of its overview; a mutation moves each
    gene with probability 0.2 by a fifth of the cube, where the overview has normal deviates.
    """

    package = "deap"

    def optimize(self) -> None:
        from deap import algorithms, base, creator, tools

        creator.create("FitnessMax", base.Fitness, weights=(1.0,))
        creator.create("Individual", list, fitness=creator.FitnessMax)
        toolbox = base.Toolbox()
        toolbox.register(
            "individual", tools.initRepeat, creator.Individual, random.random, n=len(self.ranges)
        )
        toolbox.register("population", tools.initRepeat, list, toolbox.individual)
        toolbox.register("mate", tools.cxBlend, alpha=0.5)
        toolbox.register("mutate", tools.mutGaussian, mu=0.0, sigma=0.2, indpb=0.2)
        toolbox.register("select", tools.selTournament, tournsize=3)
        toolbox.register("evaluate", lambda individual: (self.score_at(individual),))
        toolbox.decorate("mate", self.clipped)
        toolbox.decorate("mutate", self.clipped)
        algorithms.eaSimple(
            toolbox.population(n=population(50, self.n_trials)),
            toolbox,
            cxpb=0.5,
            mutpb=0.2,
            ngen=self.n_trials,
            verbose=False,
        )

    @staticmethod
    def clipped(vary: Callable[..., Any]) -> Callable[..., Any]:
        """Decorate an operator so that its children stay in the unit cube."""

        def within(*parents: Any, **options: Any) -> Any:
            children = vary(*parents, **options)
            for child in children:
                child[:] = [min(max(gene, 0.0), 1.0) for gene in child]
            return children

        return within


class Scipy(Inverted):
    """SciPy's differential evolution in the unit cube."""

    package = "scipy"

    def optimize(self) -> None:
        from scipy.optimize import differential_evolution
        from scipy.stats import qmc

        n_dims, rng = len(self.ranges), np.random.default_rng(self.seed)
        # Its own population, a Latin hypercube, can only be told as a multiple of the dimensions.
        first = qmc.LatinHypercube(n_dims, rng=rng).random(population(15 * n_dims, self.n_trials))
        differential_evolution(
            lambda point: -self.score_at(point), [(0.0, 1.0)] * n_dims, init=first, rng=rng
        )


class Search(Inverted):
    """A search of others over the parameters of an estimator that has our objective as its fit."""

    @abstractmethod
    def search(self, estimator: Any, **options: Any) -> Any:
        """Return the search; the options are one split and no refit."""

    def optimize(self) -> None:
        from sklearn.base import BaseEstimator, RegressorMixin

        peer = self

        class Objective(RegressorMixin, BaseEstimator):
            def __init__(self, **params: Any) -> None:
                self.params = params

            def get_params(self, deep: bool = True) -> dict[str, Any]:
                return self.params

            def set_params(self, **params: Any) -> "Objective":
                self.params = self.params | params
                return self

            def fit(self, X: Any, y: Any) -> "Objective":
                self.score_ = peer.score_of(lambda column: self.params[key(column)])
                return self

            def score(self, X: Any, y: Any) -> float:
                return self.score_

        search = self.search(Objective(), cv=[([0], [1])], refit=False)
        seed_global_generators(self.seed)  # spaces of sklearn-genetic-opt undo it
        search.fit(np.zeros((2, 1)), np.zeros(2))


class NatureInspired(Search):
    """NatureInspiredSearchCV with the particle swarm of NiaPy.

    It takes lists of values only: wide ranges are told as 50 of them. A swarm that stagnates starts
    again until the budget is spent.
    """

    package = "sklearn-nature-inspired-algorithms"

    def grid(self, column: int) -> list[Any]:
        kind, low, high, log = self.ranges[column]
        if kind != "real" and (kind == "choice" or high - low < 50):
            return list(range(low, high + 1))
        values = (np.geomspace if log else np.linspace)(low, high, 50)
        return np.unique(np.round(values) if kind == "integer" else values).tolist()

    def search(self, estimator: Any, **options: Any) -> Any:
        from niapy.algorithms.basic import ParticleSwarmAlgorithm
        from sklearn_nature_inspired_algorithms.model_selection import NatureInspiredSearchCV

        size = population(50, self.n_trials)
        return NatureInspiredSearchCV(
            estimator,
            {key(column): self.grid(column) for column in self.ranges},
            algorithm=ParticleSwarmAlgorithm(population_size=size, seed=self.seed),
            runs=self.n_trials,
            **options,
        )


class GASearch(Search):
    """GASearchCV of sklearn-genetic-opt; logarithmic integers are rounded real numbers."""

    package = "sklearn-genetic-opt"

    def dimension(self, column: int) -> Any:
        from sklearn_genetic.space import Categorical, Continuous, Integer

        kind, low, high, log = self.ranges[column]
        if kind == "choice":
            return Categorical(list(range(high + 1)))
        if log:
            return Continuous(*self.bounds(column), distribution="log-uniform")
        return Continuous(low, high) if kind == "real" else Integer(low, high)

    def search(self, estimator: Any, **options: Any) -> Any:
        from sklearn_genetic import GASearchCV

        return GASearchCV(
            estimator,
            param_grid={key(column): self.dimension(column) for column in self.ranges},
            population_size=population(50, self.n_trials),
            generations=self.n_trials,
            verbose=False,
            **options,
        )


# The automatic windows of 8 workers with 5 and 3 splits, and the least batches for that many.
WINDOWS = (2, 3, 7, 11)
POPULATIONS = {"lepton-swarm": "SwarmOptimizer", "lepton-genetic": "GeneticOptimizer"}
ALL_OF_OURS = {
    "lepton-bayes": "BayesOptimizer",
    **POPULATIONS,
    "lepton-auto": "AutoOptimizer",
}
CONTESTANTS: dict[str, Callable[..., Contestant]] = {
    "lepton-bayes": partial(Lepton, optimizer="BayesOptimizer"),
    "lepton-auto": partial(Lepton, optimizer="AutoOptimizer"),
    "lepton-bayes+defaults": partial(Lepton, optimizer="BayesOptimizer"),
    "lepton-bayes, batches of 4": partial(Lepton, optimizer="BayesOptimizer", n_points=4),
    **{name: partial(Lepton, optimizer=optimizer) for name, optimizer in POPULATIONS.items()},
    **{
        f"{name}, no surrogate": partial(Lepton, optimizer=optimizer, surrogate=False)
        for name, optimizer in POPULATIONS.items()
    },
    **{
        f"{name}, batches of 16": partial(Lepton, optimizer=optimizer, n_points=16)
        for name, optimizer in ALL_OF_OURS.items()
    },
    **{
        f"lepton-bayes, {kind} of {size}": partial(
            Lepton, optimizer="BayesOptimizer", n_points=size, is_window=kind == "window"
        )
        for size in WINDOWS
        for kind in ("batches", "window")
    },
    "optuna-tpe": partial(Optuna, sampler="TPESampler"),
    "optuna-tpe-multivariate": partial(Optuna, sampler="TPESampler", multivariate=True, group=True),
    "optuna-tpe-independent": partial(Optuna, sampler="TPESampler", multivariate=False),
    "optuna-gp": partial(Optuna, sampler="GPSampler"),
    "optuna-cmaes": partial(Optuna, sampler="CmaEsSampler"),
    "skopt-gp": Skopt,
    "hyperopt-tpe": Hyperopt,
    "hebo": Hebo,
    "smac": Smac,
    "nevergrad-pso": partial(Nevergrad, transform="arctan"),
    "nevergrad-real-pso": partial(Nevergrad, transform="identity"),
    "pyswarms": Pyswarms,
    "nature-inspired-pso": NatureInspired,
    "gasearchcv": GASearch,
    "pymoo-mixed": Pymoo,
    "optuna-nsga2": OptunaGenetic,
    "deap": Deap,
    "scipy-de": Scipy,
} | {
    f"lepton-bayes, {name}": partial(Ablated, optimizer="BayesOptimizer", changes=changes)
    for name, changes in ABLATIONS.items()
}


def in_turn() -> dict[str, Any]:
    """Return what is changed so that Bayes and the swarm propose in turn."""
    from sklearn_lepton.optimizers._auto import AlgorithmChoice

    def choose(_: Any, n_trials: int) -> AlgorithmChoice:
        return AlgorithmChoice(("bayes", "swarm")[n_trials % 2], True, "it is its turn")

    return {"optimizers._auto.AutoOptimizer.choose": choose}


CONTESTANTS |= {
    f"lepton-auto, bayes and swarm in turn{batches}": partial(
        Ablated, optimizer="AutoOptimizer", n_points=size, changes=in_turn()
    )
    for size, batches in ((1, ""), (16, ", batches of 16"))
}
