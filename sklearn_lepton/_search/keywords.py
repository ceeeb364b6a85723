"""Errors for unknown keyword arguments: words of other libraries, and misspelt names."""

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, cast

from sklearn_lepton._evaluation.estimators import has_parameter

_Function = TypeVar("_Function", bound=Callable[..., Any])

_SIMILARITY = 0.6  # of difflib, from which on a name may be a misspelt one
_MIN_LENGTH = 5  # of such a word of another library; shorter ones resemble anything

# Names in scikit-optimize, Optuna, Hyperopt, FLAML, Ray Tune, dask-ml, Hyperactive, TPOT, genetic
# and swarm searches, under our argument. A text says how the meaning differs.
_SAME = ""
_MINUTES = "in seconds, not in minutes"
_ENDS_FITS = "in seconds; fits that still run at the limit are ended"
_TRIALS_OF_GENERATIONS = (
    "the number of trials, each a configuration on all splits: about generations times the size "
    "of the population"
)
_OPTIMIZER = '"bayes", "swarm", "genetic", "random" or "grid"'
_GREATER_IS_BETTER = "a scorer for which greater is better, such as 'neg_mean_squared_error'"
_DIRECTIONS = ("criteria", "direction", "directions", "loss_fn", "maximize", "minimize", "mode")
_FUNCTIONS = ("evaluation_function", "f", "fn", "fun", "func", "objective", "objective_function")
_NAMES: dict[str, dict[str, str]] = {
    "estimator": dict.fromkeys(("base_estimator", "clf", "est", "model", "pipeline"), _SAME),
    "param_distributions": dict.fromkeys(
        (
            "bounds",
            "config",
            "dimensions",
            "param_bounds",
            "param_space",
            "parameters",
            "params",
            "params_distributions",
            "parametrization",
            "pbounds",
            "search_space",
            "search_spaces",
            "space",
        ),
        _SAME,
    ),
    "n_iter": {
        **dict.fromkeys(
            (
                "budget",
                "max_evals",
                "max_trials",
                "maxfun",
                "n_calls",
                "n_iterations",
                "n_trials",
                "num_samples",
                "num_trials",
                "total_trials",
            ),
            _SAME,
        ),
        **dict.fromkeys(
            (
                "generations",
                "generations_number",
                "iters",
                "max_n_gen",
                "maxiter",
                "n_gen",
                "n_generations",
            ),
            _TRIALS_OF_GENERATIONS,
        ),
        **dict.fromkeys(
            ("max_iter", "max_iters"),
            'the number of trials; resource="max_iter" gives new configurations few iterations '
            "of the estimator first",
        ),
        "n_candidates": "the number of trials, with any amount of the resource",
    },
    "max_time": {
        **dict.fromkeys(
            (
                "time_budget",
                "time_budget_s",
                "time_left_for_this_task",
                "time_limit",
                "timeout",
                "total_time_limit",
                "walltime_limit",
            ),
            _ENDS_FITS,
        ),
        "max_time_mins": _MINUTES,
    },
    "fit_timeout": {
        **dict.fromkeys(
            ("per_run_time_limit", "train_time_limit", "trial_timeout", "trial_walltime_limit"),
            "in seconds, for each fit",
        ),
        "max_eval_time_mins": _MINUTES,
    },
    "n_iter_no_change": {
        **dict.fromkeys(
            ("early_stop_fn", "early_stopping", "max_stagnating_gen", "patience", "stopper"),
            "the number of trials without a better score",
        ),
    },
    "target_score": dict.fromkeys(("loss_threshold", "max_score", "threshold"), _SAME),
    "n_jobs": dict.fromkeys(
        (
            "max_concurrent_trials",
            "n_concurrent_trials",
            "n_processes",
            "n_workers",
            "num_workers",
            "sk_n_jobs",
            "workers",
        ),
        "the number of fits in parallel",
    ),
    "n_points": dict.fromkeys(
        ("batch_size", "max_queue_len"), "the number of trials at the same time"
    ),
    "random_state": dict.fromkeys(("random_seed", "rng", "rstate", "seed"), _SAME),
    "scoring": {
        **dict.fromkeys(("eval_metric", "metric", "metrics", "scorer", "scorers"), _SAME),
        **dict.fromkeys(_DIRECTIONS, _GREATER_IS_BETTER),
    },
    "cv": dict.fromkeys(("folds", "n_folds", "n_splits"), _SAME),
    "error_score": dict.fromkeys(
        ("catch", "raise_on_error"),
        'a fit that raises fails its trial; "raise" raises the error',
    ),
    "racing": {
        "enable_pruning": "ends trials after some splits; resource starts them with less data",
        "pruner": "ends trials after some splits; resource starts them with less data",
    },
    "resource": {
        "early_stop": '"n_samples" or an integer parameter of the estimator',
        "resource_attr": '"n_samples" or an integer parameter of the estimator',
        "scheduler": '"n_samples" or an integer parameter of the estimator',
        "subsample": '"n_samples" gives new configurations few samples first',
    },
    "min_resources": dict.fromkeys(("grace_period", "min_budget", "min_resource"), _SAME),
    "max_resources": dict.fromkeys(("max_budget", "max_resource", "max_t"), _SAME),
    "initial_params": dict.fromkeys(
        (
            "init_points",
            "initialize",
            "low_cost_partial_config",
            "points_to_evaluate",
            "starting_points",
            "warm_start_configs",
            "x0",
        ),
        "the configurations to try first, as dicts",
    ),
    "previous_studies": dict.fromkeys(
        ("evaluated_rewards", "memory_warm_start", "y0"), "older trials to learn from"
    ),
    "n_initial_points": dict.fromkeys(
        (
            "initial_point_generator",
            "n_init",
            "n_random_starts",
            "n_startup_jobs",
            "n_startup_trials",
        ),
        "the number of trials before the optimizer learns",
    ),
    "journal": dict.fromkeys(
        (
            "checkpoint",
            "local_dir",
            "load_if_exists",
            "log_file_name",
            "periodic_checkpoint_folder",
            "storage",
            "storage_path",
            "study",
            "study_name",
            "trials",
            "trials_save_file",
        ),
        "the path of a file; an existing one is continued",
    ),
    "callbacks": dict.fromkeys(("callback", "loggers"), "called with the search and the trial"),
    "verbose": dict.fromkeys(
        ("show_progress_bar", "show_progressbar", "verbosity"), "an integer, 1 for one line"
    ),
    "optimizer": dict.fromkeys(
        (
            "algo",
            "algorithm",
            "sampler",
            "search_alg",
            "search_optimization",
            "strategy",
        ),
        _OPTIMIZER,
    ),
    "population_size": dict.fromkeys(("init_pop_size", "pop_size", "popsize"), _SAME),
    "n_particles": {"swarm_size": _SAME},
}
_FIT = "pass them to fit"
_CHOSEN = "the operators of the genetic search are chosen by their success"
_HALVING = "leave it out: a third of the configurations is promoted where resource is given"
# Names without an argument of ours, and what to do.
_WITHOUT: dict[str, str] = {
    "fit_params": _FIT,
    "groups": "pass it to fit",
    "iid": "leave it out: scores are means over the splits, as in scikit-learn since 0.24",
    **dict.fromkeys(("aggressive_elimination", "eta", "factor", "reduction_factor"), _HALVING),
    **dict.fromkeys(
        (
            "crossover_probability",
            "crossover_rate",
            "elitism",
            "gene_crossover_prob",
            "gene_mutation_prob",
            "keep_top_k",
            "mutation_probability",
            "mutation_rate",
            "tournament_size",
        ),
        f"leave it out: {_CHOSEN}",
    ),
    **dict.fromkeys(
        ("acq_func", "acq_func_kwargs", "acq_optimizer", "kappa", "xi"),
        "leave it out: the acquisition is expected improvement",
    ),
    "optimizer_kwargs": "leave it out, or give its n_initial_points as an argument of its own",
    "use_cache": "leave it out: no configuration is evaluated twice",
    "use_gpu": "leave it out: the estimator decides where it runs",
}
# Arguments of some searches, or of `tune`, only.
_OWNERS = {
    "function": "tune",
    "n_particles": "SwarmSearchCV",
    "optimizer": "AutoSearchCV",
    "population_size": "GeneticSearchCV",
    "surrogate": "SwarmSearchCV and GeneticSearchCV",
}
# Our arguments that `tune` has under another name.
_RENAMED_IN_TUNE = {
    "estimator": "function",
    "param_distributions": "space",
    "param_grid": "space",
    "target_score": "target_value",
}
_IN_SEARCHES = {
    **{theirs: (ours, note) for ours, names in _NAMES.items() for theirs, note in names.items()},
    **dict.fromkeys(_FUNCTIONS, ("function", _SAME)),
}
_IN_TUNE = {
    **{t: (_RENAMED_IN_TUNE.get(ours, ours), note) for t, (ours, note) in _IN_SEARCHES.items()},
    **{theirs: (ours, _SAME) for theirs, ours in _RENAMED_IN_TUNE.items()},
    **dict.fromkeys(_DIRECTIONS, ("minimize", "True or False")),
    **{
        name: ("optimizer", f"such as partial({optimizer}, {name}={value})")
        for name, optimizer, value in (
            ("n_initial_points", "BayesOptimizer", 10),
            ("n_particles", "SwarmOptimizer", 10),
            ("population_size", "GeneticOptimizer", 20),
            ("surrogate", "GeneticOptimizer", False),
        )
    },
}


def explain_keywords(function: _Function) -> _Function:
    """Return a constructor or function whose error for an unknown keyword names the right one.

    Parameters
    ----------
    function : function
        `tune`, or an ``__init__`` of a search.

    Returns
    -------
    function : function
        It has the same signature. An unknown keyword raises TypeError.
    """
    own = inspect.signature(function).parameters
    by_place = [name for name, each in own.items() if each.kind is not each.KEYWORD_ONLY]

    @functools.wraps(function)
    def explained(*args: Any, **keywords: Any) -> Any:
        if len(args) > len(by_place):
            is_method = by_place[0] == "self"
            owner = type(args[0]).__name__ if is_method else function.__name__
            raise TypeError(
                f"{owner} takes only {' and '.join(by_place[is_method:])} by position, got "
                f"{len(args) - is_method} arguments: give the others by name, such as n_iter=10."
            )
        if unknown := [name for name in keywords if name not in own]:
            raise TypeError(_explain(unknown, function, args, keywords))
        return function(*args, **keywords)

    return cast("_Function", explained)


def _explain(
    unknown: Iterable[str],
    function: Callable[..., Any],
    args: tuple[Any, ...],
    keywords: Mapping[str, Any],
) -> str:
    """Return the message for unknown keywords of a call."""
    if function.__name__ != "__init__":
        known = list(inspect.signature(function).parameters)
        return " ".join(_about(name, function.__name__, known, _IN_TUNE) for name in unknown)
    search, *rest = args
    owner, parameters = type(search).__name__, inspect.signature(type(search)).parameters.values()
    known = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
    estimator = keywords.get("estimator", rest[0] if rest else None)
    return " ".join(_about(name, owner, known, _IN_SEARCHES, estimator) for name in unknown)


def _about(
    name: str,
    owner: str,
    known: list[str],
    words: Mapping[str, tuple[str, str]],
    estimator: Any = None,
) -> str:
    """Return the sentence on one unknown keyword."""
    head = f"{owner} has no argument {name!r}"
    if name in words:
        ours, note = words[name]
        place = ""
        if ours not in known:
            if ours not in _OWNERS:
                return f"{head}, nor one that does the same. Allowed are {sorted(known)}."
            place = f" of {_OWNERS[ours]}"
        return f"{head}: use {ours}{place}{note and f', {note}'}."
    if name in _OWNERS:
        return f"{head}, which is one of {_OWNERS[name]}."
    if name in _WITHOUT:
        return f"{head}: {_WITHOUT[name]}."
    if has_parameter(estimator, name):
        return (
            f"{head}, which is a parameter of the estimator: search it by "
            f"param_distributions={{{name!r}: ...}}, or give it to the estimator."
        )
    others = [word for word in (*words, *_OWNERS, *_WITHOUT) if len(word) >= _MIN_LENGTH]
    similar = difflib.get_close_matches(name.lower(), [*known, *others], 1, _SIMILARITY)
    if not similar:
        return f"{head}. Allowed are {sorted(known)}."
    if similar[0] in known:
        return f"{head}. Did you mean {similar[0]!r}?"
    return _about(similar[0], owner, known, words).replace(repr(similar[0]), repr(name), 1)
