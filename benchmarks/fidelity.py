"""Fit seconds to the score of a plain search: racing, low fidelities, and peers.

    python benchmarks/fidelity.py [--tasks held-out] [--contestants NAME ...] [--seeds 10]
        [--json benchmarks/fidelity.json]

Results of a task and contestant that are already in the file are not repeated; delete it after a
change of the searches.

Tasks have a resource: trees, epochs, boosting rounds or samples. Every contestant searches the same
space with the same five splits for all seeds; other splits would move the target. Fits run one at a
time. The measure is the CPU seconds of fits and scores, so proposals and other work of the machine
do not count.

plain       `BayesSearchCV`, 64 trials at full resource
racing      the same with ``racing=True``
resource    the same with ``resource=``
both        the same with both
halving     scikit-learn's `HalvingRandomSearchCV`, 81 candidates, factor 3, restarted with another
            seed while seconds are left
optuna      Optuna's TPE with its successive-halving pruner; a pruned trial resumes from the fitted
            models of its lower levels, if the estimator supports it
flaml       FLAML's BlendSearch with its own scheduling of the resource
hyperband   dask-ml's Hyperband, for estimators that have ``partial_fit``: one holdout instead of
            splits, its best configuration then scored on all of them; restarted like halving

Levels are 1/27, 1/9, 1/3 and all of the resource, in our searches from 1/9, their default, on. A
run ends after the seconds of the plain search of the same seed, or when it reaches the target: the
(lower) median over seeds of plain's best score after 64 trials. Only means over all five splits at
full resource count. The reported number is the expected running time, the seconds of all runs of a
task divided by the number of runs that reached the target [1], as a share of the seconds of 64
plain trials. It is given for the target, and for scores at most a tenth of its standard error
below, which `benchmarks/racing.py` counts as the same.

Warm-started epochs differ from those of one fit: Adam's moments, the learning rate and the order of
the rows are reset. Such scores can be far better than those of a fit from scratch with as many
epochs, and cannot be reproduced by a user. Our searches therefore start over at full resource, and
for others the score of a fit from scratch counts, made at no charge.

The tasks were selected before anything was run on them. Constants of the searches were chosen on
other tasks, or on those that are not held out (``--tasks development``).

[1] N. Hansen et al., "COCO: a platform for comparing continuous optimizers in a black-box setting",
Optimization Methods and Software 36, 2021.
"""

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy.stats import sem
from sklearn.base import clone
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    make_friedman1,
)
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
)
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import get_scorer
from sklearn.model_selection import KFold, StratifiedKFold, _validation
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from sklearn_lepton import BayesSearchCV

# What scikit-learn says that fits and scores took, in searches of its own and in ours.
_validation.time = SimpleNamespace(time=time.process_time)

N_PLAIN, REDUCTION_FACTOR = 64, 3
SAME = 0.1  # standard errors
LEVELS = (1 / 27, 1 / 9, 1 / 3, 1.0)
Curve = list[tuple[float, float]]  # seconds so far, best score so far


@dataclass(frozen=True)
class Task:
    """A search with a resource."""

    name: str
    estimator: Any
    load: Callable[[], tuple[np.ndarray, np.ndarray]]
    scoring: str
    space: dict[str, Any]
    resource: str
    full: int
    held_out: bool

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        X, y = self.load()
        return StandardScaler().fit_transform(X), y

    def splits(self) -> list[tuple[np.ndarray, np.ndarray]]:
        X, y = self.data()
        kind = StratifiedKFold if self.scoring in {"accuracy", "neg_log_loss"} else KFold
        return list(kind(5, shuffle=True, random_state=0).split(X, y))

    def at(self, share: float) -> int:
        return max(1, round(share * self.full))


class Setting:
    """A setting at growing resource, for peers whose own code does the fits."""

    def __init__(self, task: Task, params: dict[str, Any], seed: int) -> None:
        self.task, self.params, self.seed = task, params, seed
        self.cuts, self.models, self.done = task.splits(), dict[int, Any](), 0
        self.X, self.y = task.data()

    def score(self, share: float) -> float:
        task, scorer, scores = self.task, get_scorer(self.task.scoring), []
        for k, (train, test) in enumerate(self.cuts):
            model = self.models.get(k) or clone(task.estimator).set_params(**self.params)
            rows = train
            if task.resource == "n_samples":
                rng = np.random.default_rng(self.seed)
                rows = rng.permutation(train)[: max(20, round(share * len(train)))]
            else:
                # A warm start adds epochs to the earlier ones; trees are a total.
                before = self.done if task.resource == "max_iter" else 0
                model.set_params(**{task.resource: task.at(share) - before})
            scores.append(scorer(model.fit(self.X[rows], self.y[rows]), self.X[test], self.y[test]))
            if getattr(model, "warm_start", False):
                self.models[k] = model
        if self.models:
            self.done = task.at(share)
        return float(np.mean(scores))


class Clock:
    """Best scores at full resource against seconds, until these are used up."""

    def __init__(self, seconds: float, target: float) -> None:
        self.seconds, self.target = seconds, target
        self.spent, self.curve = 0.0, list[tuple[float, float]]()
        self.errors = dict[float, float]()  # standard errors of the scores of our searches

    @property
    def is_over(self) -> bool:
        return self.spent >= self.seconds or any(s >= self.target for _, s in self.curve)

    def charge(self, seconds: float, score: float | None = None) -> None:
        self.spent += seconds
        if score is not None and np.isfinite(score):
            best = max([score, *(s for _, s in self.curve[-1:])])
            self.curve.append((self.spent, best))

    def measure(self, setting: Setting, share: float) -> float:
        start, resumes = time.process_time(), bool(setting.done)
        try:
            score = setting.score(share)
        except ValueError:
            score = -1e9
        seconds, counts = time.process_time() - start, score if share == 1.0 else None
        if counts is not None and resumes and score > -1e9 and setting.task.resource == "max_iter":
            counts = Setting(setting.task, setting.params, setting.seed).score(1.0)
        self.charge(seconds, counts)
        return score


def ours(task: Task, seed: int, clock: Clock, *, racing: bool, resource: bool, n_iter: int) -> None:
    def charge(_: Any, trial: Any) -> bool:
        is_full = trial.fidelity in {None, 1.0}
        clock.charge(trial.duration, trial.score if is_full else None)
        if is_full and trial.score is not None:
            clock.errors[trial.score] = float(sem(trial.split_scores))
        return clock.is_over

    options: dict[str, Any] = {}
    if resource:
        options = {"resource": task.resource}
        if task.resource != "n_samples":
            options["max_resources"] = task.full
    estimator = task.estimator
    if not (resource or task.resource == "n_samples"):
        estimator = clone(estimator).set_params(**{task.resource: task.full})
    BayesSearchCV(
        estimator,
        task.space,
        n_iter=n_iter,
        scoring=task.scoring,
        cv=task.splits(),
        refit=False,
        random_state=seed,
        racing=racing,
        callbacks=charge,
        **options,
    ).fit(*task.data())


def plain(task: Task, seed: int, clock: Clock) -> None:
    ours(task, seed, clock, racing=False, resource=False, n_iter=N_PLAIN)


def racing(task: Task, seed: int, clock: Clock) -> None:
    ours(task, seed, clock, racing=True, resource=False, n_iter=4 * N_PLAIN)


def resource(task: Task, seed: int, clock: Clock) -> None:
    ours(task, seed, clock, racing=False, resource=True, n_iter=8 * N_PLAIN)


def both(task: Task, seed: int, clock: Clock) -> None:
    ours(task, seed, clock, racing=True, resource=True, n_iter=8 * N_PLAIN)


def halving(task: Task, seed: int, clock: Clock) -> None:
    from sklearn.experimental import enable_halving_search_cv  # noqa: F401
    from sklearn.model_selection import HalvingRandomSearchCV

    from sklearn_lepton import Space

    space = Space(task.space)
    X, y = task.data()
    full = len(X) if task.resource == "n_samples" else task.full
    for start in range(1000):
        if clock.is_over:
            return
        search = HalvingRandomSearchCV(
            task.estimator,
            {name: [None] for name in task.space},
            n_candidates=81,
            factor=REDUCTION_FACTOR,
            resource=task.resource,
            max_resources=full,
            min_resources=max(1, full // 27),
            scoring=task.scoring,
            cv=KFold(5) if task.resource == "n_samples" else task.splits(),
            refit=False,
            random_state=1000 * seed + start,
        )
        rng = np.random.default_rng([seed, start])
        params = [space.from_point(u) for u in space.snap(rng.random((81, space.n_dims)))]
        search._generate_candidate_params = lambda params=params: params  # noqa: SLF001
        search.fit(X, y)
        results = search.cv_results_
        times = 5 * (results["mean_fit_time"] + results["mean_score_time"])
        is_last = results["n_resources"] == results["n_resources"].max()
        order = np.flatnonzero(is_last)
        clock.charge(float(times[~is_last].sum()))
        if task.resource == "n_samples":  # cuts the validation part, too: scored as the others
            for k in order:
                charged, clock.spent = clock.spent + float(times[k]), clock.spent
                given = {n: v for n, v in results["params"][k].items() if n in task.space}
                clock.curve.append((charged, Setting(task, given, seed).score(1.0)))
                clock.spent = charged
        else:
            for k in order:
                clock.charge(float(times[k]), float(results["mean_test_score"][k]))


def suggested(trial: Any, space: dict[str, Any]) -> dict[str, Any]:
    """Return a setting of Optuna's."""
    params = {}
    for name, entry in space.items():
        if isinstance(entry, list):
            params[name] = trial.suggest_categorical(name, entry)
        elif "int" in entry[2]:
            params[name] = trial.suggest_int(name, *entry[:2], log="log" in entry[2])
        else:
            params[name] = trial.suggest_float(name, *entry[:2], log="log" in entry[2])
    return params


def optuna(task: Task, seed: int, clock: Clock) -> None:
    import optuna
    from optuna.pruners import SuccessiveHalvingPruner

    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial: Any) -> float:
        setting = Setting(task, suggested(trial, task.space), seed)
        for level, share in enumerate(LEVELS):
            score = clock.measure(setting, share)
            if level < len(LEVELS) - 1:
                trial.report(score, REDUCTION_FACTOR**level)
                if trial.should_prune():
                    raise optuna.TrialPruned
        if clock.is_over:
            trial.study.stop()
        return score

    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=seed),
        pruner=SuccessiveHalvingPruner(min_resources=1, reduction_factor=REDUCTION_FACTOR),
    )
    while not clock.is_over:
        study.optimize(objective, n_trials=1)


def flaml(task: Task, seed: int, clock: Clock) -> None:
    from flaml import tune

    class Over(Exception):  # noqa: N818
        pass

    def domain(entry: Any) -> Any:
        if isinstance(entry, list):
            return tune.choice(entry)
        low, high, kind = entry
        if "int" in kind:
            return (tune.lograndint if "log" in kind else tune.randint)(low, high + 1)
        return (tune.loguniform if "log" in kind else tune.uniform)(low, high)

    def evaluate(config: dict[str, Any]) -> dict[str, float]:
        if clock.is_over:
            raise Over
        share = config["level"] / 27
        params = {name: config[name] for name in task.space}
        return {"score": clock.measure(Setting(task, params, seed), min(share, 1.0))}

    np_state = np.random.get_state()  # noqa: NPY002 - it seeds the global generator
    try:
        tune.run(
            evaluate,
            config={name: domain(entry) for name, entry in task.space.items()},
            metric="score",
            mode="max",
            resource_attr="level",
            min_resources=1,
            max_resources=27,
            reduction_factor=REDUCTION_FACTOR,
            scheduler="flaml",
            num_samples=-1,
            time_budget_s=100 * clock.seconds + 60,
            verbose=0,
            search_alg=None,
        )
    except Over:
        pass
    finally:
        np.random.set_state(np_state)  # noqa: NPY002


def hyperband(task: Task, seed: int, clock: Clock) -> None:
    from dask_ml.model_selection import HyperbandSearchCV, _incremental
    from distributed import Client

    from sklearn_lepton import Space

    _incremental.time = time.thread_time
    space = Space(task.space)
    X, y = task.data()
    with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None):
        for start in range(1000):
            if clock.is_over:
                return
            rng = np.random.default_rng([seed, start])
            points = space.snap(rng.random((500, space.n_dims)))
            search = HyperbandSearchCV(
                clone(task.estimator),
                [{n: [v] for n, v in space.from_point(u).items()} for u in points],
                max_iter=task.full,
                aggressiveness=REDUCTION_FACTOR,
                test_size=0.2,
                random_state=1000 * seed + start,
                scoring=task.scoring,
            )
            search.fit(X, y, classes=np.unique(y))
            clock.charge(sum(h["partial_fit_time"] + h["score_time"] for h in search.history_))
            params = {n: v for n, v in search.best_params_.items() if n in task.space}
            clock.measure(Setting(task, params, seed), 1.0)


CONTESTANTS = {
    f.__name__: f for f in (plain, racing, resource, both, halving, optuna, flaml, hyperband)
}

TREES = {
    "max_depth": (2, 20, "int"),
    "min_samples_leaf": (1, 30, "log-int"),
    "max_features": (0.05, 1.0, "uniform"),
}
BOOSTED = TREES | {
    "max_depth": (1, 6, "int"),
    "learning_rate": (1e-2, 1.0, "log-uniform"),
    "subsample": (0.3, 1.0, "uniform"),
}
SUPPORT = {"C": (1e-2, 1e3, "log-uniform"), "gamma": (1e-5, 1e0, "log-uniform")}
NET = {
    "hidden_layer_sizes": (8, 64, "log-int"),
    "alpha": (1e-6, 1e0, "log-uniform"),
    "learning_rate_init": (1e-4, 1e-1, "log-uniform"),
    "batch_size": (16, 128, "log-int"),
}
LINE = {
    "alpha": (1e-7, 1e-1, "log-uniform"),
    "l1_ratio": (0.0, 1.0, "uniform"),
    "loss": ["hinge", "log_loss", "modified_huber"],
    "eta0": (1e-4, 1e0, "log-uniform"),
    "learning_rate": ["constant", "invscaling", "adaptive"],
}


def xy(load: Callable[..., Any], rows: int | None = None) -> Callable[[], Any]:
    def part() -> tuple[np.ndarray, np.ndarray]:
        X, y = load(return_X_y=True)
        return X[:rows], y[:rows]

    return part


def friedman() -> tuple[np.ndarray, np.ndarray]:
    return make_friedman1(300, noise=1.0, random_state=0)


def tasks() -> list[Task]:
    grow: dict[str, Any] = {"warm_start": True, "random_state": 0}
    squared, digits = "neg_mean_squared_error", xy(load_digits, 450)
    breast, diabetes = xy(load_breast_cancer), xy(load_diabetes)
    net = MLPClassifier(tol=0.0, n_iter_no_change=1000, **grow)
    line = SGDClassifier(penalty="elasticnet", tol=None, **grow)
    rows: list[tuple[Any, ...]] = [
        ("boosting, iris", GradientBoostingClassifier(**grow), xy(load_iris), "neg_log_loss",
         BOOSTED, "n_estimators", 27, False),
        ("support vectors, breast", SVC(), breast, "accuracy", SUPPORT, "n_samples", 0, False),
        ("boosting, diabetes", GradientBoostingRegressor(**grow), diabetes, squared, BOOSTED,
         "n_estimators", 36, True),
        ("extra trees, diabetes", ExtraTreesRegressor(**grow), diabetes, squared, TREES,
         "n_estimators", 27, True),
        ("support vectors, digits", SVC(), digits, "accuracy", SUPPORT, "n_samples", 0, True),
        ("support vectors, friedman", SVR(), friedman, squared, SUPPORT, "n_samples", 0, True),
        ("net, digits", net, digits, "neg_log_loss", NET, "max_iter", 18, True),
        ("line, digits", line, digits, "accuracy", LINE, "max_iter", 18, True),
    ]  # fmt: skip
    return [Task(*row) for row in rows]


def compare(
    task: Task, contestants: list[str], n_seeds: int, found: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """Run a task with every contestant that is missing and print what each needs."""
    if "plain" not in found:
        clocks = [Clock(np.inf, np.inf) for _ in range(n_seeds)]
        for seed, clock in enumerate(clocks):
            plain(task, seed, clock)
        found["target"] = statistics.median_low(clock.curve[-1][1] for clock in clocks)
        errors = {score: error for clock in clocks for score, error in clock.errors.items()}
        found["error"] = errors[found["target"]]
        found["plain"] = summary(clocks)
        yield found
    bases = found["plain"]["runs"][:n_seeds]
    whole = statistics.mean(base["spent"] for base in bases)
    print(f"{task.name}: 64 plain trials take {whole:.1f} s", flush=True)
    for name in contestants:
        is_able = name != "hyperband" or hasattr(task.estimator, "partial_fit")
        if name not in found and is_able:
            clocks = [Clock(base["spent"], found["target"]) for base in bases]
            for seed, clock in enumerate(clocks):
                CONTESTANTS[name](task, seed, clock)
            found[name] = summary(clocks)
            shown = outcome(found, name)
            print(f"    {name:10} {shown}", flush=True)
            yield found


def summary(clocks: list[Clock]) -> dict[str, Any]:
    """Return what is kept of the runs of a task and contestant."""
    runs = []
    for clock in clocks:
        before = [(0.0, -np.inf), *clock.curve]
        rises = [p for p, q in zip(clock.curve, before, strict=False) if p[1] > q[1]]
        runs.append({"spent": clock.spent, "curve": rises})
    return {"runs": runs}


def running_time(found: dict[str, Any], name: str, below: float = 0.0) -> tuple[float | None, int]:
    """Return the expected running time as a share of 64 plain trials, and how many runs arrive.

    It is None where none does. The target may be some standard errors below.
    """
    runs, target = found[name]["runs"], found["target"] - below * found["error"]
    reached = [next((t for t, s in run["curve"] if s >= target), None) for run in runs]
    n_reached = sum(t is not None for t in reached)
    spent = sum(run["spent"] if t is None else t for run, t in zip(runs, reached, strict=True))
    whole = statistics.mean(run["spent"] for run in found["plain"]["runs"][: len(runs)])
    return (spent / n_reached / whole if n_reached else None), n_reached


def outcome(found: dict[str, Any], name: str) -> str:
    """Return the expected running times as text."""
    said = []
    for below in (0.0, SAME):
        value, n_reached = running_time(found, name, below)
        said.append(f"{'never' if value is None else f'{value:.2f}':>6} ({n_reached})")
    return "   ".join(said)


def report(table: dict[str, dict[str, Any]]) -> None:
    """Print what each contestant needs on each task, and the mean over the tasks.

    Behind each share is how many runs arrive; on the right, near the target.
    """
    for task, found in table.items():
        print(task)
        for name in found:
            if name in CONTESTANTS:
                print(f"    {name:10} {outcome(found, name)}")
    for name in CONTESTANTS:
        for below in (0.0, SAME):
            has = [found for found in table.values() if name in found]
            shares = [running_time(found, name, below)[0] for found in has]
            where = f"{name:10} {below:.1f} standard errors below, {len(has)} tasks:"
            if shares and None not in shares:
                print(where, f"geometric mean {statistics.geometric_mean(shares):.2f}")
            elif shares:
                print(where, f"{shares.count(None)} not reached")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", choices=["held-out", "development"], default="held-out")
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--contestants", nargs="*", default=list(CONTESTANTS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    table: dict[str, dict[str, Any]] = {}
    if options.json and options.json.exists():
        table = json.loads(options.json.read_text(encoding="utf-8"))
    for task in tasks():
        is_asked = not options.only or task.name in options.only
        if is_asked and task.held_out == (options.tasks == "held-out"):
            known = table.get(task.name, {})
            for found in compare(task, options.contestants, options.seeds, known):
                table[task.name] = found
                if options.json:
                    options.json.write_text(json.dumps(table) + "\n", encoding="utf-8")
    report(table)


if __name__ == "__main__":
    main()
