"""GeneticSearchCV: search by a genetic algorithm."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sklearn_lepton._search.base import BaseOptimizerSearchCV
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.optimizers._genetic import GeneticOptimizer
from sklearn_lepton.space._space import Space


class GeneticSearchCV(BaseOptimizerSearchCV):
    """Search parameters by a genetic algorithm, with cross-validation.

    A drop-in replacement for `GridSearchCV` and `RandomizedSearchCV`: each trial
    is bred from the best ones so far.

    Parameters
    ----------
    estimator : estimator object
        The estimator to tune, as for `GridSearchCV`: it needs a ``score``
        method or `scoring` must be given.
    param_distributions : dict, list of dict, Space or "auto", default="auto"
        What to search, as for `GridSearchCV` and `RandomizedSearchCV`:
        parameter names with lists of choices or `scipy.stats` distributions;
        also `Real`, `Integer`, `Categorical` and triples such as
        ``(1e-4, 0.1, "log-uniform")``. A list of dicts is one conditional
        space with one budget.
        ``"auto"`` is the built-in space of the estimator and of those in it, made for
        the data that `fit` gets; see `default_space`.
    n_iter : int, default=50
        Budget: number of trials, each of which is fitted on every split.
    scoring : str, callable, list, tuple, dict or None, default=None
        As for `GridSearchCV`. Of several metrics the one that `refit` names is
        optimised, else the first.
    n_jobs : int or None, default=None
        Number of fits in parallel, as for `GridSearchCV`, on the workers that
        `joblib.parallel_config` names: processes, threads, dask, ray.
    refit : bool, str or callable, default=True
        As for `GridSearchCV`; also ``"1se"`` (Breiman et al., 1984), for one metric: of the trials
        within one standard error of the best, over the splits as if these were
        independent, the one whose fits took the least time, or the simplest by `complexity`.
        Times up to half as long again count as equal, and the best of equals is chosen.
    cv : int, cross-validation generator, iterable or None, default=None
        As for `GridSearchCV`. The splits are made once: all trials see the same.
    verbose : int, default=0
        1 shows one line with the trials done, the best score, what is tried and the time
        left; in a log a few lines. From 2 on there is a line for each trial, from 3 on one
        for each fit, too.
    pre_dispatch : int or str, default="2*n_jobs"
        As for `GridSearchCV`, on backends of joblib that take whole batches;
        elsewhere a fit is dispatched when a worker is free for it.
    random_state : int, RandomState instance or None, default=None
        Seed of the search. The same seed gives the same trials for the same
        `n_points`; None takes a new one from the system for each fit.
    error_score : "raise" or float, default=np.nan
        Score of a fit that raises. Whatever its score, a trial that failed on
        any split is ranked last.
    return_train_score : bool, default=False
        Whether ``cv_results_`` includes the scores on the training parts.
    initial_params : "default", dict, list of dict or None, default="default"
        Settings that are tried first. ``"default"``: the estimator's own
        parameters as far as they lie in the space, with the middle of the
        range for the others. Dicts may leave out parameters, which are filled
        in likewise.
    n_points : int or "auto", default="auto"
        Number of trials at once, evaluated in parallel. Auto is the number of
        jobs divided by the number of splits, rounded up; with `asynchronous`
        as many as keep the workers busy.
    asynchronous : bool, default=False
        Whether the next trial is proposed as soon as a worker has nothing to
        do, knowing all that has finished by then, instead of once all
        `n_points` trials are finished. No worker waits, and the order in
        which fits happen to finish decides what is tried.
    fit_timeout : float, "auto" or None, default="auto"
        Seconds that one fit, with its scoring, may take. Past it the process that it runs in is
        ended, and its trial has failed. A number takes worker processes, one even with
        ``n_jobs=1``. Auto ends fits in worker processes after 100 times the median of the finished
        fits with as much of the ``resource``, at least 5 minutes, once 5 have finished; where fits
        cannot be ended, a warning names the configuration while it runs. None is no limit.
    racing : bool or float, default=False
        Whether a trial is ended after those splits that show that it will not be the best:
        if the chance that it would be, given its scores on them and the best trial's on
        each split, is below this error rate. True is 0.01. Scores on splits that were not
        run are NaN in ``cv_results_``.
    resource : str or None, default=None
        ``"n_samples"`` or the name of an integer parameter, such as ``"n_estimators"``:
        settings are tried with little of it first, where that tells what they score with
        all, and the promising ones go on. Only trials with `max_resources` can be the best.
    min_resources : int or "auto", default="auto"
        The least resource that a setting is tried with. Auto is a ninth of the most, of samples
        enough for each class.
    max_resources : int or "auto", default="auto"
        The most. Auto is all samples of a split's training part, or the estimator's own
        value of the parameter.
    cost_aware : bool or "auto", default="auto"
        Whether the choice of trials weighs what they cost, in seconds, against what they
        promise. Auto is True with `max_time`.
    eval_set_from_split : bool, default=False
        Whether XGBoost's, LightGBM's and CatBoost's estimators, alone or at the end of a
        pipeline, get each split's validation part as ``eval_set`` and stop by themselves.
        The estimator is refitted with the mean number of rounds, which ``best_params_``
        holds; that of each split is in ``cv_results_``.
    cache_steps : bool, default=True
        Whether trials reuse, on the same split, what the first steps of a pipeline gave
        for the same parameters, where that was slow. A pipeline's own ``memory`` is left
        as it is.
    complexity : str, callable or None, default=None
        With ``refit="1se"``, what is simple: the name of a parameter whose small values
        are, or its first ones if its choices are not all numbers, settings without it
        coming last; or a callable that takes the parameters and returns a number, small for
        simple ones. None is the time that fits took.
    final_cv : int, cross-validation generator, iterable or None, default=None
        Fresh splits, as for `cv`, on which the leaders, up to five within one standard
        error of the best, are scored again. A number is one of shuffled folds, at least 2,
        which keep together any ``groups`` passed to `fit`. The best stays the best unless
        another leader scores higher on these by more than a standard error of the
        differences; ``"1se"`` counts from their scores there. ``best_score_`` is the mean
        score on these, and ``cv_results_`` has ``mean_final_score``, ``std_final_score``
        and ``final_split<k>_score``, NaN for trials that did not lead. A fifth of
        `max_time` is kept for it. Not with a callable `refit`.
    max_time : float or None, default=None
        Seconds after which the search ends; fits that still run are ended, for
        which they run in a process even with ``n_jobs=1``.
    n_iter_no_change : int or None, default=None
        Stop after so many trials in a row without a better score.
    tol : float, default=0.0
        A gain of up to this much is none for `n_iter_no_change`.
    target_score : float or None, default=None
        Stop once a trial reaches this score.
    journal : str, path-like or None, default=None
        File that keeps every trial. A search that finds it goes on with the trials there:
        no fit that has finished is repeated, and `n_iter` counts them. Several processes
        may share it. Clones that are fitted to other data, as in `cross_val_score`, have
        journals next to it, ``study.<hash>.jsonl``.
    warm_start : bool, default=False
        Whether `fit` goes on from the trials of the `fit` before, with `n_iter`
        more. Estimator, data, splits and scoring must be the same, of which
        space, splits and scoring are checked.
    previous_studies : path, fitted search, list of Trial, list of these or None, default=None
        Older studies to learn from, of the same or of other data, as journals, fitted
        searches or trials, the latest last; the space may have gained or lost parameters.
        Their best settings are tried first, and the model follows them as far as the new
        scores agree. It replaces the initial design.
    callbacks : callable, list of callables or None, default=None
        Called with (search, trial) after each trial; one that returns True
        stops the search.
    n_initial_points : int or "auto", default="auto"
        Number of trials that are spread evenly over the space before the first
        child, at least 1. Auto is 8.
    population_size : int or "auto", default="auto"
        How many trials may be parents, at least 2. Auto is 10 and one more for
        every 50 trials.
    blend : float, default=0.5
        How far beyond its parents a crossover may reach, as a share of their
        distance, at least 0.
    surrogate : bool, default=True
        Whether each proposal breeds many children and fits the one of which a
        Gaussian process and a forest expect the greatest improvement; it costs
        some ten milliseconds. False is the genetic algorithm alone.

    Attributes
    ----------
    cv_results_ : dict of ndarray
        As for `GridSearchCV`, one row a trial, in the order of their numbers.
    best_estimator_ : estimator object
        Estimator fitted on all data with the best parameters; only with `refit`.
    best_score_ : float
        Mean score of the best trial over the splits, over those of `final_cv` where
        it was scored on these.
    best_params_ : dict
        Parameters of the best trial.
    best_index_ : int
        Row of the best trial in ``cv_results_``.
    scorer_ : callable or dict
        The scorers that were used.
    n_splits_ : int
        Number of splits.
    refit_time_ : float
        Seconds that fitting on all data took; only with `refit`.
    multimetric_ : bool
        Whether there were several metrics.
    trials_ : list of Trial
        All finished trials, with the scores, times and errors of each split.
    space_ : Space
        The space that was searched.
    optimizer_ : GeneticOptimizer
        The optimizer, told all trials.
    stop_reason_ : str or None
        Why the search ended: "n_iter", "exhausted" (each setting of a finite
        space was tried), "max_time", "n_iter_no_change", "target_score",
        "callback" or "interrupted" (Ctrl-C). None if an error ended it;
        ``trials_`` and ``cv_results_`` have what had finished by then.
    classes_ : ndarray of shape (n_classes,)
        Class labels; only with `refit` and a classifier.
    n_features_in_ : int
        Number of features; only with `refit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features; only with `refit` and where `X` has any.

    See Also
    --------
    BayesSearchCV : Model the score with a Gaussian process; up to a few hundred trials.
    SwarmSearchCV : Move a swarm of particles through the space; large batches.

    References
    ----------
    Breiman, L., Friedman, J., Olshen, R. and Stone, C. (1984). Classification and
    regression trees. Wadsworth. Section 3.4.3.

    Eshelman, L. J. and Schaffer, J. D. (1993). Real-coded genetic algorithms and
    interval-schemata. https://doi.org/10.1016/B978-0-08-094832-4.50018-0

    Storn, R. and Price, K. (1997). Differential evolution. Journal of Global
    Optimization 11. https://doi.org/10.1023/A:1008202821328

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.svm import SVC
    >>> from sklearn_lepton import GeneticSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> search = GeneticSearchCV(
    ...     SVC(), {"C": loguniform(1e-2, 1e3), "gamma": loguniform(1e-4, 1e1)},
    ...     n_iter=15, random_state=0,
    ... )
    >>> bool(search.fit(X, y).best_score_ > 0.97)
    True
    """

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any = "auto",
        *,
        n_iter: int = 50,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        random_state: Any = None,
        error_score: Any = np.nan,
        return_train_score: bool = False,
        initial_params: Any = "default",
        n_points: int | str = "auto",
        asynchronous: bool = False,
        fit_timeout: float | str | None = "auto",
        racing: bool | float = False,
        resource: str | None = None,
        min_resources: int | str = "auto",
        max_resources: int | str = "auto",
        cost_aware: bool | str = "auto",
        eval_set_from_split: bool = False,
        cache_steps: bool = True,
        complexity: Any = None,
        final_cv: Any = None,
        max_time: float | None = None,
        n_iter_no_change: int | None = None,
        tol: float = 0.0,
        target_score: float | None = None,
        journal: Any = None,
        warm_start: bool = False,
        previous_studies: Any = None,
        callbacks: Any = None,
        n_initial_points: int | str = "auto",
        population_size: int | str = "auto",
        blend: float = 0.5,
        surrogate: bool = True,
    ) -> None:
        super().__init__(
            estimator,
            param_distributions,
            n_iter=n_iter,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            random_state=random_state,
            error_score=error_score,
            return_train_score=return_train_score,
            initial_params=initial_params,
            n_points=n_points,
            asynchronous=asynchronous,
            fit_timeout=fit_timeout,
            racing=racing,
            resource=resource,
            min_resources=min_resources,
            max_resources=max_resources,
            cost_aware=cost_aware,
            eval_set_from_split=eval_set_from_split,
            cache_steps=cache_steps,
            complexity=complexity,
            final_cv=final_cv,
            max_time=max_time,
            n_iter_no_change=n_iter_no_change,
            tol=tol,
            target_score=target_score,
            journal=journal,
            warm_start=warm_start,
            previous_studies=previous_studies,
            callbacks=callbacks,
        )
        self.n_initial_points = n_initial_points
        self.population_size = population_size
        self.blend = blend
        self.surrogate = surrogate

    def _make_optimizer(
        self,
        space: Space,
        seed: int,
        previous_studies: list[list[Trial]],
        resources: Sequence[float],
    ) -> GeneticOptimizer:
        return GeneticOptimizer(
            space,
            seed=seed,
            previous_studies=previous_studies,
            resources=resources,
            n_initial_points=self.n_initial_points,
            population_size=self.population_size,
            blend=self.blend,
            surrogate=self.surrogate,
        )
