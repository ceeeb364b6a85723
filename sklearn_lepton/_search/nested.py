"""Nested resampling: estimate the value of tuning from searches on splits of the data."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.base import clone, is_classifier
from sklearn.model_selection import TimeSeriesSplit, check_cv, cross_validate
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import check_is_fitted

from sklearn_lepton._runtime.errors import describe_error
from sklearn_lepton._runtime.output import write_line
from sklearn_lepton._search.nested_results import Comparison, NestedScore
from sklearn_lepton._search.splitters import shuffled_splitter
from sklearn_lepton._trials.ranking import metric_of
from sklearn_lepton._trials.split_layout import split_ratio
from sklearn_lepton._trials.statistics import FloatArray, paired_test
from sklearn_lepton._validation import is_real, is_whole


class _OuterSplits:
    """Outer splits, which are made once and shared by all runs."""

    def __init__(self, splitters: Sequence[Any]) -> None:
        self.splitters = splitters
        self.splits: list[Any] = []

    def get_metadata_routing(self) -> Any:
        return get_routing_for_object(self.splitters[0])

    def get_n_splits(self, *_: Any, **__: Any) -> int:
        return len(self.splits)

    def split(self, X: Any, y: Any = None, **params: Any) -> list[Any]:
        if not self.splits:
            made = [split for each in self.splitters for split in each.split(X, y, **params)]
            self.splits = [tuple(map(_rows, split)) for split in made]
            if len(self.splits) < 2:
                raise ValueError(
                    f"At least 2 splits are needed for a standard error, cv makes "
                    f"{len(self.splits)}: give a cv with more splits."
                )
        return self.splits

    @property
    def ratio(self) -> float:
        """The `split_ratio` of the splits."""
        return split_ratio(self.splits)


class _OneSplit(_OuterSplits):
    """Splitter for a single outer split."""

    def __init__(self, outer: _OuterSplits, number: int) -> None:
        super().__init__(outer.splitters)
        self._outer, self._number = outer, number

    def get_n_splits(self, *_: Any, **__: Any) -> int:
        return 1

    def split(self, X: Any, y: Any = None, **params: Any) -> list[Any]:
        return [self._outer.split(X, y, **params)[self._number]]


def nested_cross_val_score(
    search: Any, X: Any, y: Any = None, *, cv: Any = 5, params: Mapping[str, Any] | None = None
) -> NestedScore:
    """Score a search by nested cross-validation.

    The search runs on the training part of each outer split. Its refitted estimator is
    scored on the test part, which tuning has not used. The mean of these scores estimates the
    score on new data of an estimator that this search tunes.

    Parameters
    ----------
    search : search
        A search, fitted or not, of this package or of scikit-learn; it is cloned and not
        changed. The splits run one after another, each with the search's own `n_jobs`. With
        `journal`, each split writes a journal next to it, such as ``study.outer0.jsonl``, so
        that an interrupted run can be resumed.
    X : array-like of shape (n_samples, n_features)
        The data.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs) or None, default=None
        The target.
    cv : int, cross-validation generator or iterable, default=5
        The outer splits, as for `cross_validate`.
    params : dict or None, default=None
        Further arguments for `fit` of the search, such as ``groups`` and ``sample_weight``.
        The outer splits respect ``groups``, too, if `cv` uses them.

    Returns
    -------
    score : NestedScore
        Its attributes are ``test_scores`` of shape (n_splits,), ``mean``, ``std_error``,
        ``best_scores`` and ``best_params`` of the search in each split, and ``optimism``, the
        mean of ``best_scores`` minus that of ``test_scores``. ``print`` shows a table.

    Raises
    ------
    ValueError
        If the search does not refit, if there are fewer than two splits, or if there is a
        journal and `cv` makes different splits each time.

    Notes
    -----
    The standard error is that of Nadeau and Bengio (2003). Do not use `previous_studies` of
    the same data, because those studies have used the outer test parts.

    References
    ----------
    Cawley, G. and Talbot, N. (2010). On over-fitting in model selection and subsequent
    selection bias in performance evaluation. Journal of Machine Learning Research 11.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn_lepton import BayesSearchCV, nested_cross_val_score
    >>> X, y = load_iris(return_X_y=True)
    >>> search = BayesSearchCV(
    ...     KNeighborsClassifier(), {"n_neighbors": (1, 30, "int")}, n_iter=4, random_state=0
    ... )
    >>> score = nested_cross_val_score(search, X, y, cv=3)
    >>> score.test_scores.shape, bool(score.mean > 0.9)
    ((3,), True)
    """
    _check_search(search)
    outer = _OuterSplits([check_cv(cv, y, classifier=is_classifier(search.estimator))])
    runs = _run_searches(search, X, y, outer, params=dict(params or {}), kind="outer")
    fitted = [run["estimator"][0] for run in runs]
    return NestedScore(
        test_scores=np.array([_scores(run, search.refit)[0] for run in runs]),
        best_scores=np.array(list(map(_best_score, fitted))),
        best_params=[each.best_params_ for each in fitted],
        ratio=outer.ratio,
    )


class ComparisonMixin:
    """Method of a search that compares the tuned with the untuned estimator."""

    def compare_to_default(
        self,
        X: Any,
        y: Any = None,
        *,
        cv: Any = 5,
        n_repeats: int | None = None,
        retune: bool = True,
        confidence: float = 0.95,
        **params: Any,
    ) -> Comparison:
        """Return whether tuning helped, with a test of the difference in score.

        The tuned estimator and the untuned one, the search's ``estimator`` as given, are fitted
        and scored on the same fresh splits. The differences of their scores are tested.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The data that the search was fitted to, since the search keeps no data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs) or None, default=None
            The target.
        cv : int, cross-validation generator or iterable, default=5
            Splits for the comparison. A number means shuffled folds, stratified for
            classifiers, that keep ``groups`` together if these are given.
        n_repeats : int or None, default=None
            Number of repetitions with new folds where `cv` is a number. None is 2, or 10 with
            ``retune=False``.
        retune : bool, default=True
            Run the search again on the training part of each split. This takes ``n_repeats *
            cv`` times as long as the search did. False uses the parameters found before. That
            is unbiased only on rows that the search has not used, because the parameters are
            fitted to the rows that it has used.
        confidence : float, default=0.95
            Confidence level of the interval, between 0 and 1.
        **params : dict
            Further arguments for `fit`, such as ``groups``.

        Returns
        -------
        comparison : Comparison
            Its attributes are ``difference``, greater than 0 if tuning helped, ``interval``,
            ``p_value``, ``verdict``, a sentence, and the scores on each split,
            ``tuned_scores`` and ``default_scores``. ``print`` shows three lines.

        Raises
        ------
        NotFittedError
            If the search is not fitted.
        ValueError
            If a parameter is out of range, or the untuned estimator cannot be fitted.

        Notes
        -----
        The test is the corrected resampled t-test of Nadeau and Bengio (2003), for repeated
        folds as by Bouckaert and Frank (2004). With few repetitions it tends to show no
        difference. With `journal`, each search writes a journal next to it, such as
        ``study.compare0.jsonl``.
        """
        search: Any = self
        check_is_fitted(search, "best_params_")
        if not isinstance(retune, bool | np.bool_):
            raise ValueError(f"retune must be True or False, got {retune!r}.")
        if retune:
            _check_search(search)
        if not (is_real(confidence) and 0 < confidence < 1):
            raise ValueError(f"confidence must be a number between 0 and 1, got {confidence!r}.")
        _check_outer(cv, n_repeats, inner_cv=search.cv)
        seeds = np.random.SeedSequence([search.optimizer_.seed, 2]).generate_state(
            n_repeats or (2 if retune else 10)
        )
        outer = _OuterSplits(_fresh_splitters(search.estimator, y, cv, seeds, params))
        scoring = {"scoring": search.scoring, "n_jobs": search.n_jobs}
        try:
            default = _cross_validate(search.estimator, X, y, cv=outer, params=params, **scoring)
        except Exception as error:
            if not outer.splits:
                raise
            raise ValueError(
                f"The untuned estimator {search.estimator!r} cannot be fitted and scored, so that "
                f"there is nothing to compare with: give an estimator whose own parameters work. "
                f"{describe_error(error)}"
            ) from error
        if retune:
            runs = _run_searches(search, X, y, outer, params=params, kind="compare")
            tuned = np.concatenate([_scores(run, search.refit) for run in runs])
        else:
            estimator = self._best_unfitted()
            run = _cross_validate(estimator, X, y, cv=outer, params=params, **scoring)
            tuned = _scores(run, search.refit)
        default_trial = _scores(default, search.refit)
        test = paired_test(tuned - default_trial, outer.ratio, confidence)
        return Comparison(
            tuned, default_trial, test.difference, test.interval, test.p_value, confidence, retune
        )

    def _best_unfitted(self) -> Any:
        """Return an unfitted estimator with the best parameters."""
        search: Any = self
        if hasattr(search, "best_estimator_"):
            return clone(search.best_estimator_)  # also has the rounds found by early stopping
        return clone(search.estimator).set_params(**clone(search.best_params_, safe=False))


def _check_search(search: Any) -> None:
    if not all(hasattr(search, name) for name in ("estimator", "refit", "fit")):
        raise ValueError(f"search must be a search such as BayesSearchCV, got {search!r}.")
    if search.refit is False:
        raise ValueError(
            "refit=False leaves no estimator to score: set refit to True, or to the name of a "
            "metric."
        )


def _check_outer(cv: Any, n_repeats: Any, *, inner_cv: Any) -> None:
    """Raise ValueError for outer splits that cannot be repeated or that shuffle ordered rows."""
    if not is_whole(cv):
        if n_repeats is not None:
            raise ValueError(
                f"n_repeats={n_repeats!r} needs a number as cv, got cv={cv!r}: set "
                "n_repeats=None, or cv to a number."
            )
        return
    if cv < 2:
        raise ValueError(f"cv must be at least 2 where it is a number, got {cv!r}.")
    if n_repeats is not None and not (is_whole(n_repeats) and n_repeats >= 1):
        raise ValueError(f"n_repeats must be None or an integer of at least 1, got {n_repeats!r}.")
    if isinstance(inner_cv, TimeSeriesSplit):
        raise ValueError(
            f"cv={cv} would shuffle the rows, which the search's cv={inner_cv!r} keeps in "
            "order: give a TimeSeriesSplit as cv."
        )


def _fresh_splitters(
    estimator: Any, y: Any, cv: Any, seeds: Iterable[int], params: Mapping[str, Any]
) -> list[Any]:
    """Return the outer splitters, one for each seed where `cv` is a number."""
    if not is_whole(cv):
        return [check_cv(cv, y, classifier=is_classifier(estimator))]
    has_groups = params.get("groups") is not None
    return [
        shuffled_splitter(estimator, y, int(cv), has_groups=has_groups, seed=int(seed))
        for seed in seeds
    ]


def _run_searches(
    search: Any, X: Any, y: Any, outer: _OuterSplits, *, params: Mapping[str, Any], kind: str
) -> list[dict[str, Any]]:
    """Run a clone of the search in each outer split, one after another."""
    journal, verbose = getattr(search, "journal", None), getattr(search, "verbose", 0)
    runs: list[dict[str, Any]] = []
    while not runs or len(runs) < len(outer.splits):
        number, inner = len(runs), clone(search)
        for name in {"return_predictions", "return_estimators"} & vars(inner).keys():
            setattr(inner, name, False)  # only scores and parameters are used
        if journal is not None:
            path = Path(journal)
            inner.journal = path.with_name(f"{path.stem}.{kind}{number}{path.suffix}")
            if not runs:
                _check_repeatable(outer, journal)
        one = _OneSplit(outer, number)
        run = _cross_validate(
            inner, X, y, cv=one, params=params, scoring=search.scoring, return_estimator=True
        )
        if getattr(run["estimator"][0], "stop_reason_", None) == "interrupted":
            raise KeyboardInterrupt  # the inner search caught it and kept its trials
        runs.append(run)
        if verbose:
            n_splits, score = len(outer.splits), _scores(run, search.refit)[0]
            write_line(f"outer split {number + 1} of {n_splits}: {score:.4g}")
    return runs


def _check_repeatable(outer: _OuterSplits, journal: Any) -> None:
    """Raise ValueError for splits that a resumed run could not make again."""
    for splitter in outer.splitters:
        state = getattr(splitter, "random_state", 0)
        if getattr(splitter, "shuffle", True) and not is_whole(state):
            raise ValueError(
                f"cv={splitter!r} makes other splits each time, so that the journals next to "
                f"{str(journal)!r} could not be resumed: give it a random_state, or set "
                "journal=None."
            )


def _cross_validate(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    cv: _OuterSplits,
    params: Mapping[str, Any],
    scoring: Any,
    n_jobs: int | None = None,
    return_estimator: bool = False,
) -> dict[str, Any]:
    passed, groups = dict(params), None
    is_search = return_estimator
    if not get_config()["enable_metadata_routing"]:
        # An estimator may not support routing, so that its routing is only read where it is on.
        groups = passed.get("groups")
        takes_groups = is_search
    else:
        by_fit = get_routing_for_object(estimator).consumes("fit", ["groups"])
        takes_groups = bool(by_fit or get_routing_for_object(cv).consumes("split", ["groups"]))
    if not takes_groups:
        passed.pop("groups", None)
    return cross_validate(  # type: ignore[no-any-return]
        estimator,
        X,
        y,
        groups=groups,
        cv=cv,
        params=passed or None,
        scoring=scoring,
        n_jobs=n_jobs,
        error_score="raise",
        return_estimator=return_estimator,
    )


def _scores(run: Mapping[str, Any], refit: Any) -> FloatArray:
    """Return the scores by the metric that a search with this `refit` optimizes."""
    name = f"test_{metric_of(refit)}"
    if name not in run:
        name = next(key for key in run if key.startswith("test_"))
    return np.asarray(run[name], dtype=float)


def _best_score(fitted: Any) -> float:
    """Return the best score of a fitted search."""
    if hasattr(fitted, "best_score_"):
        return float(fitted.best_score_)
    # With a callable refit there is no `best_score_`.
    name = next(key for key in fitted.cv_results_ if key.startswith("mean_test_"))
    return float(fitted.cv_results_[name][fitted.best_index_])


def _rows(part: Any) -> Any:
    """Return the row numbers of a part that may be a mask."""
    rows = np.asarray(part)
    return np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
