"""Optimizers behind one interface, for the benchmark of sample efficiency.

Each is used as its documentation shows and with its own defaults. No peer is imported before it
is made, so that each can live in an environment of its own.
"""

import contextlib
import io
import math
import tempfile
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
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
        """Learn the score of what was asked for last; greater is better, nan is a failure."""


class Lepton(Contestant):
    """One of our own optimizers, `n_points` trials at a time.

    With `first`, these settings are its first trial, as a search takes its estimator's defaults.
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
        first: Mapping[str, Any] | None = None,
    ) -> None:
        from sklearn_lepton import optimizers

        super().__init__(space, seed=seed, n_trials=n_trials)
        self.optimizer = getattr(optimizers, optimizer)(space, seed=seed)
        self.optimizer.enqueue([] if first is None else [first])
        self.n_points = n_points
        self.batch: list[Any] = []
        self.finished: list[Any] = []

    def ask(self) -> dict[str, Any]:
        if not self.batch:
            self.batch, self.finished = self.optimizer.ask(self.n_points), []
        if not self.batch:
            raise Exhausted
        return dict(self.batch[0].params)

    def tell(self, params: Mapping[str, Any], score: float) -> None:
        self.finished.append(self.batch.pop(0).complete(score))  # fails where it is nan
        if not self.batch:
            self.optimizer.tell(self.finished)


class Ablated(Lepton):
    """`BayesOptimizer` with one ingredient changed while it proposes.

    Each change names an attribute of the package and what stands in its place.
    """

    def __init__(
        self, space: Space, *, seed: int, n_trials: int, changes: Mapping[str, Any]
    ) -> None:
        self.changes = changes
        with self.changed():
            super().__init__(space, seed=seed, n_trials=n_trials, optimizer="BayesOptimizer")

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
    "no forest": {"_gp._mixture._RAMP": (10**8, 10**9)},
    "forest from the start": {"_gp._mixture._RAMP": (0, 1)},
    "hopeless scores not clipped": {"_gp._regression._CLIP": math.inf},
    "wide prior of length-scales": {"_gp._likelihood._LENGTH": (-1.2, 1.2)},
    "prior without the number of columns": {"_gp._likelihood._LENGTH_BY_COLUMNS": 0.0},
    "wide prior of the noise": {"_gp._likelihood._NOISE": (-6.0, 2.0)},
    "improve on the best score": {
        "_gp._regression.GaussianProcess.fitted": property(lambda process: process.y)
    },
    "candidates not refined": {
        "_gp._maximize._Search.improve": lambda _, points, value: (points, value)
    },
    "design of 3": {f"{BAYES}._default_n_initial_points": lambda _: 3},
    "middle of the space not first": {f"{BAYES}._centre_first": False},
}


# --------------------------------------------------------------------- peers


class Range(NamedTuple):
    """What a peer is told of a dimension; a choice is told as its index."""

    kind: str
    low: Any
    high: Any
    log: bool = False


def key(column: int) -> str:
    """Return the name under which peers know a column: those of the space may occur twice."""
    return f"p{column}"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Let peers neither warn nor print, of which a benchmark's output would be full."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


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

    def known(self, asked: Any, score: float) -> list[tuple[Any, float, bool]]:
        """Return what a peer that knows no failures can be told, and whether it is one.

        A failure has the worst score so far; before there is one, it is told later.
        """
        self.untold.append((asked, math.isnan(score)))
        self.worst = float(np.fmin(self.worst, score))
        if math.isnan(self.worst):
            return []
        told = [(asked, self.worst if failed else score, failed) for asked, failed in self.untold]
        self.untold.clear()
        return told


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
            self.optimizer.observe(self.asked, np.array([[-score]]))  # it leaves out nan


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


CONTESTANTS: dict[str, Callable[..., Contestant]] = {
    "lepton-bayes": partial(Lepton, optimizer="BayesOptimizer"),
    "lepton-bayes+defaults": partial(Lepton, optimizer="BayesOptimizer"),
    "lepton-bayes, batches of 4": partial(Lepton, optimizer="BayesOptimizer", n_points=4),
    "lepton-swarm": partial(Lepton, optimizer="SwarmOptimizer"),
    "lepton-genetic": partial(Lepton, optimizer="GeneticOptimizer"),
    "optuna-tpe": partial(Optuna, sampler="TPESampler"),
    "optuna-tpe-multivariate": partial(Optuna, sampler="TPESampler", multivariate=True, group=True),
    "optuna-tpe-independent": partial(Optuna, sampler="TPESampler", multivariate=False),
    "optuna-gp": partial(Optuna, sampler="GPSampler"),
    "optuna-cmaes": partial(Optuna, sampler="CmaEsSampler"),
    "skopt-gp": Skopt,
    "hyperopt-tpe": Hyperopt,
    "hebo": Hebo,
    "smac": Smac,
} | {f"lepton-bayes, {name}": partial(Ablated, changes=c) for name, c in ABLATIONS.items()}
