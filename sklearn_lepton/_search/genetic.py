"""`GeneticSearchCV`: search by a genetic algorithm."""

from collections.abc import Sequence
from typing import Any, ClassVar, Unpack

from sklearn_lepton._search.argument_types import Auto, SpaceLike
from sklearn_lepton._search.base import BaseOptimizerSearchCV
from sklearn_lepton._search.parameters import SearchOptions, extends_parameters
from sklearn_lepton._search.validation import CONSTRAINTS, FLAG, count
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.optimizers._genetic import GeneticOptimizer
from sklearn_lepton.space._space import Space


class GeneticSearchCV(BaseOptimizerSearchCV):
    """Search parameters by a genetic algorithm, with cross-validation.

    A drop-in replacement for `GridSearchCV` and `RandomizedSearchCV`: each trial
    is an offspring of the best ones so far.

    The parameters come in groups, in this order:

    - the problem, the budget and the seed: `estimator` to `random_state`, all that most
      searches need;
    - parallel fits and time limits: `n_jobs` to `fit_timeout`;
    - stopping: `n_iter_no_change` to `callbacks`;
    - saving fits: `racing` to `cache_steps`;
    - choosing the best trial: `refit` to `final_cv`;
    - continuing, and learning from older studies: `journal` to `previous_studies`;
    - scores of failed fits, what is returned, and output: `error_score` to `verbose`;
    - the optimizer: from `initial_params` on.

    Parameters
    ----------
    estimator : estimator object
        Estimator to tune, as for `GridSearchCV`. It needs a ``score`` method, or `scoring`
        must be given.
    param_distributions : dict, list of dict, Space or "auto", default="auto"
        Search space. A dict maps parameter names to lists of choices or `scipy.stats`
        distributions, as for `RandomizedSearchCV`. `Real`, `Integer`, `Categorical` and tuples
        such as ``(1e-4, 0.1, "log-uniform")`` are dimensions, too, as are those of other
        libraries. A list of dicts is one conditional space with one budget. ``"auto"`` builds
        the default space of the estimator, and of the estimators inside it, for the data that
        `fit` gets; see `default_space`.
    param_grid : dict, list of dict, Space or None, default=None
        Another name of `param_distributions`, as in `GridSearchCV`. Only one of them may be
        given.
    n_iter : int or "auto", default="auto"
        Budget: the number of trials. Each trial is fitted on every split. Auto is 50 without
        `max_time`; with it, the time is the only limit.
    scoring : str, callable, list, tuple, dict or None, default=None
        Metric or metrics, as for `GridSearchCV`. With several metrics, the search optimizes
        the one that `refit` names, or else the first.
    cv : int, cross-validation generator, iterable or None, default=None
        Cross-validation splits, as for `GridSearchCV`. The splits are made once, so that all
        trials use the same ones.
    random_state : int, RandomState instance or None, default=None
        Seed of the search. The same seed and the same `n_points` give the same trials. None
        draws a new seed from the system for each fit.
    n_jobs : int or None, default=None
        Number of fits in parallel, as for `GridSearchCV`. `joblib.parallel_config` selects
        the backend: processes, threads, dask or ray.
    n_points : int or "auto", default="auto"
        Size of the window: the number of trials in flight. A trial is proposed once all but
        the last ``n_points - 1`` before it have finished, from exactly their results. With a
        number, the search is therefore the same for every `n_jobs` and backend. Auto is 1 with
        one job. With more, it depends on `n_jobs`, the number of splits and `n_iter`: as many
        as keep the workers busy, but at most a fifth of `n_iter` unless workers would have no
        trial. With `asynchronous` it has no limit.
    asynchronous : bool, default=False
        Propose a trial as soon as a worker is free, from all results so far, instead of in
        the window of `n_points`. Fewer trials are in flight, but they depend on the order in
        which fits finish.
    pre_dispatch : int or str, default="2*n_jobs"
        Number of fits to dispatch early, as for `GridSearchCV`. It only has an effect on
        joblib backends that take whole batches; others get a fit when a worker is free.
    max_time : float or None, default=None
        Time limit of the search, in seconds. Fits that still run at the limit are ended, for
        which they run in a process even with ``n_jobs=1``. If no trial has a score by then, the
        limit counts from the begin of the first fit, without the start of the processes.
    fit_timeout : float, "auto" or None, default="auto"
        Time limit of one fit and its scoring, in seconds. A fit that exceeds it is ended
        together with its process, and its trial fails. A number needs worker processes, so
        that one is started even with ``n_jobs=1``. Auto sets the limit in worker processes
        once 5 fits with the same amount of `resource` have finished: 100 times their median
        time, but at least 5 minutes. Where fits cannot be ended, a warning names the slow
        configuration instead. None sets no limit.
    n_iter_no_change : int or None, default=None
        Stop after this number of consecutive trials without a better score.
    tol : float, default=0.0
        Gains in score up to `tol` do not count for `n_iter_no_change`.
    target_score : float or None, default=None
        Stop as soon as a trial reaches this score.
    callbacks : callable, list of callables or None, default=None
        Callables that get the search and the trial after each trial. The search stops when
        one of them returns True.
    racing : bool, float or "auto", default="auto"
        Pruning: end a trial as soon as the probability that it beats the best trial, given the
        splits run so far, falls below this error rate. True means 0.01. Auto is on where
        `AutoSearchCV` chooses the models, and off otherwise. Scores on splits that were not
        run are NaN in ``cv_results_``.
    resource : str or None, default=None
        Resource for low-fidelity trials: ``"n_samples"``, or an integer parameter such as
        ``"n_estimators"``. New configurations start with little of it, where such scores
        predict those at full fidelity, and promising ones are promoted. Only trials with
        `max_resources` can be the best.
    min_resources : int or "auto", default="auto"
        Smallest amount of `resource` for a trial. Auto is a ninth of `max_resources`; of
        samples it is at least what all classes need.
    max_resources : int or "auto", default="auto"
        Largest amount of `resource` for a trial. Auto is all training samples of a split, or
        the estimator's own value of the parameter.
    cost_aware : bool or "auto", default="auto"
        Weigh the expected improvement of a configuration against the seconds that its fits
        will take. Auto is True with `max_time`.
    eval_set_from_split : bool, default=False
        Early stopping for estimators of XGBoost, LightGBM and CatBoost, alone or as the last
        step of a pipeline. They get the validation part of each split as ``eval_set``. The
        refit uses the mean number of rounds, which ``best_params_`` has; ``cv_results_`` has
        the number for each split.
    cache_steps : bool, default=True
        Reuse fitted first steps of a pipeline in other trials with the same parameters and
        the same split, where these steps are slow. The pipeline's own ``memory`` is not
        changed.
    objectives : list of str, Objective or Limit, or None, default=None
        What to optimize instead of one score: names of metrics of `scoring`, ``"fit_time"`` or
        ``"score_time"``, or an `Objective` with a direction. With several of them, trials spread
        over the Pareto front, ``pareto_trials_``. The best trial is its knee, or the best of the
        front in the metric that `refit` names. A trial over a `Limit` is never the best. It
        excludes `resource`, `racing`, `final_cv`, ``refit="1se"``, ``refit="ensemble"``,
        `n_iter_no_change`, `target_score`, `return_predictions` and `return_estimators`.
    refit : bool, str or callable, default=True
        Whether and how the best trial is chosen and refitted, as for `GridSearchCV`. With
        ``"1se"``, also spelled ``"one_std_err"``, it is the simplest trial within one standard
        error of the best (Breiman et al., 1984), by `complexity`; this takes a single metric.
        The standard error treats the splits as independent. Of equally simple trials the best
        is chosen. With ``"ensemble"`` it is a weighted mean of up to 10 trials, each refitted:
        greedy selection with replacement (Caruana et al., 2004) by the metric of the search, from
        the out-of-fold predictions of the 25 best trials. It takes a single metric, a regressor
        of one target or a classifier with ``predict_proba``, and excludes `final_cv`.
    complexity : str, callable or None, default=None
        Complexity measure for ``refit="1se"``: a parameter name (smaller values, or earlier
        choices, are simpler; configurations without it rank last) or a callable
        ``params -> float`` (smaller is simpler). None uses the mean time of a fit, where times
        up to 1.5 times the shortest count as equal.
    final_cv : int, cross-validation generator, iterable or None, default=None
        Fresh splits, as for `cv`, on which the finalists are scored again: up to five trials
        within one standard error of the best. A number, at least 2, means shuffled folds, which
        keep together any ``groups`` passed to `fit`. The best trial is replaced only by a
        finalist whose score on these splits is higher by more than the standard error of the
        differences. ``refit="1se"`` then uses these scores. ``best_score_`` is the mean score
        on these splits; ``cv_results_`` has ``mean_final_score``, ``std_final_score`` and
        ``final_split<k>_score``, which are NaN for all but the finalists. A fifth of `max_time`
        is reserved for it. It excludes a callable `refit`.
    journal : str, path-like or None, default=None
        File that stores every trial. A search that finds an existing journal resumes it:
        finished fits are not repeated, and `n_iter` includes their trials. Several processes
        may share one journal. A clone that is fitted to other data, as in `cross_val_score`,
        writes its own journal next to this file, named ``<stem>.<hash>.jsonl``.
    warm_start : bool, default=False
        Continue from the trials of the previous `fit`, with `n_iter` more. Estimator, data,
        space, splits and scoring must be the same; space, splits and scoring are checked.
    previous_studies : study, list of studies or None, default=None
        Older studies to learn from (transfer), on the same or other data, the latest last. A
        study is a journal, a fitted search of this package, scikit-learn, scikit-optimize or
        Optuna, a result of `tune`, an Optuna study, a result of scikit-optimize, a list of
        trials, or a DataFrame of parameters with a column ``score`` or ``loss``. Their spaces
        may lack parameters or have others. Their best configurations replace the initial
        design, and the surrogate uses their scores as far as the new scores agree.
    error_score : "raise" or float, default=np.nan
        Score of a split whose fit raises an error, as for `GridSearchCV`. A trial with such a
        split always ranks last.
    return_train_score : bool, default=False
        Whether ``cv_results_`` includes training scores.
    return_predictions : bool, default=False
        Whether to keep the out-of-fold predictions of the best trial, as
        ``best_predictions_``. Each fit predicts the test part of its split, so that none is
        repeated. If that fails, the trial fails.
    return_estimators : bool, default=False
        Whether to keep the estimators that were fitted on the splits in the best trial, as
        ``best_split_estimators_``.
    verbose : int, default=0
        Verbosity. 1 shows one progress line with the finished trials, the best score, the
        current configuration and the time left; in a log it prints a few lines. 2 adds a line
        for each trial, with the error of one that failed, and 3 one for each fit.
    initial_params : "default", dict, list of dict or None, default="default"
        Configurations to try first. ``"default"`` is the untuned estimator, also where its own
        parameters lie outside of the space, so that the best trial is never worse. Such a trial
        is ranked, but the optimizer does not learn from it; a second one has the own parameters
        that the space contains, and the middle of the range elsewhere. Parameters that a dict
        leaves out get these values. A list may also contain ``"default"``.
    n_initial_points : int or "auto", default="auto"
        Size of the initial design: the number of trials that are spread evenly over the space
        before the first offspring, at least 1. Auto is 8.
    population_size : int or "auto", default="auto"
        Number of trials that may be parents, at least 2. Auto is 10, plus one for every 50
        trials.
    surrogate : bool, default=True
        Create many offspring for each proposal, and fit the one with the greatest expected
        improvement under a Gaussian process and a forest. This costs some ten milliseconds.
        False is the genetic algorithm alone.

    Attributes
    ----------
    cv_results_ : dict of ndarray
        Results as for `GridSearchCV`, with one row for each trial, in the order of their
        numbers.
    best_estimator_ : estimator object
        Estimator fitted on all data with the best parameters; only with `refit`. With
        ``refit="ensemble"`` it is a `VotingClassifier` or `VotingRegressor` of such estimators;
        ``best_params_``, ``best_score_`` and ``best_index_`` remain those of the best trial alone.
    best_score_ : float
        Mean score of the best trial over the splits, or over those of `final_cv` if the trial
        was scored there.
    best_params_ : dict
        Parameters of the best trial.
    best_index_ : int
        Row of the best trial in ``cv_results_``.
    best_predictions_ : ndarray of shape (n_samples,) or (n_samples, n_classes), or list
        Out-of-fold predictions of the best trial for the rows of `X`, by the splits of `cv`;
        only with ``return_predictions=True``. They are probabilities if the estimator has
        ``predict_proba``, else decision values if it has ``decision_function``, and
        otherwise, as for regressors, predictions. The columns are those of
        `cross_val_predict`; several outputs give a list. A row of several test parts has the
        mean of its predictions, or the most frequent label. A row of none has NaN. With
        ``refit="ensemble"`` they are those of the ensemble.
    best_split_estimators_ : list of estimator of length `n_splits_`
        Estimators of the best trial, fitted on the training part of each split; only with
        ``return_estimators=True``.
    ensemble_score_ : float
        Score of ensembles on splits that played no part in their selection: up to three groups of
        splits are left out in turn. With a single split it is the score on that split. Only with
        ``refit="ensemble"``.
    ensemble_weights_ : dict of int to float
        Weights of the members by trial number, which sum up to 1; only with ``refit="ensemble"``.
    scorer_ : callable or dict
        Scorer or scorers of the search.
    n_splits_ : int
        Number of splits.
    refit_time_ : float
        Duration of the refit on all data, in seconds; only with `refit`.
    multimetric_ : bool
        Whether there are several metrics.
    trials_ : list of Trial
        All finished trials, with the scores, times and errors of each split.
    pareto_trials_ : list of Trial
        Trials within all limits that no other one dominates, the best in the first objective
        first; only with `objectives`.
    hypervolume_ : float
        Volume that they dominate above the reference point; only with `objectives`.
    space_ : Space
        Search space.
    optimizer_ : GeneticOptimizer
        Optimizer with all finished trials.
    stop_reason_ : str or None
        Why the search ended: "n_iter", "exhausted" (every configuration of a finite space was
        tried), "max_time", "n_iter_no_change", "target_score", "callback" or "interrupted"
        (Ctrl-C). None means that an error ended it; ``trials_`` and ``cv_results_`` then have
        the trials that had finished.
    classes_ : ndarray of shape (n_classes,)
        Class labels; only with `refit` and a classifier.
    n_features_in_ : int
        Number of features; only with `refit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features; only with `refit` and if `X` has names.

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

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **CONSTRAINTS,
        "population_size": count(2),
        "surrogate": FLAG,
    }

    @extends_parameters
    def __init__(
        self,
        estimator: Any,
        param_distributions: SpaceLike | Auto = "auto",
        *,
        population_size: int | Auto = "auto",
        surrogate: bool = True,
        **options: Unpack[SearchOptions],
    ) -> None:
        super().__init__(estimator, param_distributions, **options)
        self.population_size = population_size
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
            surrogate=self.surrogate,
        )
