"""Nested resampling: searches run anew in splits of the data, which tells what tuning is worth."""

from collections.abc import Mapping, Sequence
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
    """Splits made once, each of which can be taken for a splitter of its own."""

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
                    f"At least 2 splits are needed, cv makes {len(self.splits)}: what one tells "
                    "has no error to be judged by."
                )
        return self.splits

    @property
    def ratio(self) -> float:
        """The `split_ratio` of the splits."""
        return split_ratio(self.splits)


class _OneSplit(_OuterSplits):
    """One of them, as a splitter."""

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

    In each outer split the search is run on the training part, and the estimator that it
    refits is scored on the other part, which had no part in the tuning. The mean of these
    scores is what tuning and fitting as the search does it gives on new data.

    Parameters
    ----------
    search : search
        Fitted or not, one of scikit-learn's too; it is cloned and stays as it is. The splits
        run one after another, each with the search's own `n_jobs`. With `journal` each split
        has a journal of its own beside it, ``study.outer0.jsonl`` and so on, so that what
        was killed goes on where it stopped.
    X : array-like of shape (n_samples, n_features)
        The data.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs) or None, default=None
        The target.
    cv : int, cross-validation generator or iterable, default=5
        The outer splits, as for `cross_validate`.
    params : dict or None, default=None
        What `fit` of the search takes besides, ``groups`` and ``sample_weight``, say;
        `groups` are respected by the outer splits, too, if `cv` uses them.

    Returns
    -------
    score : NestedScore
        With the attributes ``test_scores`` of shape (n_splits,), ``mean``, ``std_error``,
        ``best_scores`` and ``best_params`` of the search in each split, and ``optimism``, the
        mean of ``best_scores`` less that of ``test_scores``. Printed it is a table.

    Raises
    ------
    ValueError
        If the search does not refit, there are fewer than two splits, or `cv` makes other
        splits each time while there is a journal.

    Notes
    -----
    The standard error is that of Nadeau and Bengio (2003). `previous_studies` of the same data
    has seen the outer test parts: leave it out.

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
        test_scores=np.array([_scores(run, search)[0] for run in runs]),
        best_scores=np.array(list(map(_best_score, fitted))),
        best_params=[each.best_params_ for each in fitted],
        ratio=outer.ratio,
    )


class ComparisonMixin:
    """The `compare_to_default` of a search."""

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
        """Say whether tuning helped, or whether the difference may be chance.

        Tuned and untuned estimator, the search's ``estimator`` as it was given, are fitted and
        scored on the same fresh splits, and their differences are tested.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The data that the search was fitted to; it keeps none.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs) or None, default=None
            The target.
        cv : int, cross-validation generator or iterable, default=5
            The splits. A number means shuffled folds, stratified for classifiers, that keep
            ``groups`` together if these are given.
        n_repeats : int or None, default=None
            How often the folds are made anew where `cv` is a number; None is 2, without
            `retune` 10.
        retune : bool, default=True
            Whether the search is run anew on the training part of each split, which takes
            ``n_repeats * cv`` times as long as the search did. False takes the parameters
            found before, and is honest only on rows that the search has not seen: to those
            that it has seen the parameters are fitted, whatever the splits.
        confidence : float, default=0.95
            Of the interval, between 0 and 1.
        **params : dict
            What `fit` takes besides.

        Returns
        -------
        comparison : Comparison
            With the attributes ``difference``, greater than 0 where tuning helped,
            ``interval``, ``p_value``, ``verdict`` in words, and the scores on each split,
            ``tuned_scores`` and ``default_scores``. Printed it says so in three lines.

        Raises
        ------
        NotFittedError
            If there was no `fit`.
        ValueError
            If a parameter is out of range, or the untuned estimator cannot be fitted.

        Notes
        -----
        The test is the corrected resampled t-test of Nadeau and Bengio (2003), for repeated
        folds as by Bouckaert and Frank (2004). With few repeats it errs on the side of showing
        no difference. With `journal` each search has one of its own beside it,
        ``study.compare0.jsonl`` and so on.
        """
        search: Any = self
        check_is_fitted(search, "best_params_")
        _check_comparison(search, cv, n_repeats, retune=retune, confidence=confidence)
        outer = _OuterSplits(
            _fresh_splitters(search, y, cv, n_repeats or (2 if retune else 10), params)
        )
        try:
            default = _cross_validate(search.estimator, search, X, y, cv=outer, params=params)
        except Exception as error:
            if not outer.splits:
                raise
            raise ValueError(
                f"The untuned estimator {search.estimator!r} cannot be fitted and scored, so that "
                f"there is nothing to compare with. {describe_error(error)}"
            ) from error
        if retune:
            runs = _run_searches(search, X, y, outer, params=params, kind="compare")
            tuned = np.concatenate([_scores(run, search) for run in runs])
        else:
            run = _cross_validate(_tuned(search), search, X, y, cv=outer, params=params)
            tuned = _scores(run, search)
        default_trial = _scores(default, search)
        test = paired_test(tuned - default_trial, outer.ratio, confidence)
        return Comparison(
            tuned, default_trial, test.difference, test.interval, test.p_value, confidence, retune
        )


def _check_search(search: Any) -> None:
    if not all(hasattr(search, name) for name in ("estimator", "refit", "fit")):
        raise ValueError(f"search must be a search such as BayesSearchCV, got {search!r}.")
    if search.refit is False:
        raise ValueError(
            "refit=False leaves no estimator that could be scored: set refit to True, or to the "
            "name of a metric."
        )


def _check_comparison(
    search: Any, cv: Any, n_repeats: Any, *, retune: Any, confidence: Any
) -> None:
    if not isinstance(retune, bool | np.bool_):
        raise ValueError(f"retune must be True or False, got {retune!r}.")
    if retune:
        _check_search(search)
    if not (is_real(confidence) and 0 < confidence < 1):
        raise ValueError(f"confidence must be a number between 0 and 1, got {confidence!r}.")
    if is_whole(cv):
        if cv < 2:
            raise ValueError(f"cv must be at least 2 where it is a number, got {cv!r}.")
        if n_repeats is not None and not (is_whole(n_repeats) and n_repeats >= 1):
            raise ValueError(
                f"n_repeats must be None or an integer of at least 1, got {n_repeats!r}."
            )
        if isinstance(search.cv, TimeSeriesSplit):
            raise ValueError(
                f"cv={cv} shuffles, which the search's cv={search.cv!r} does not allow: give a "
                "TimeSeriesSplit as cv."
            )
    elif n_repeats is not None:
        raise ValueError(
            f"n_repeats={n_repeats!r} repeats the folds that a number makes, and cv={cv!r} makes "
            "its own: set n_repeats=None, or cv to a number."
        )


def _fresh_splitters(
    search: Any, y: Any, cv: Any, n_repeats: int, params: Mapping[str, Any]
) -> list[Any]:
    if not is_whole(cv):
        return [check_cv(cv, y, classifier=is_classifier(search.estimator))]
    seeds = np.random.SeedSequence([search.optimizer_.seed, 2]).generate_state(n_repeats)
    has_groups = params.get("groups") is not None
    return [
        shuffled_splitter(search.estimator, y, int(cv), has_groups=has_groups, seed=int(seed))
        for seed in seeds
    ]


def _tuned(search: Any) -> Any:
    """Return the estimator with the parameters found, not fitted."""
    if hasattr(search, "best_estimator_"):
        return clone(search.best_estimator_)  # has also what came out of the fits, as rounds
    return clone(search.estimator).set_params(**clone(search.best_params_, safe=False))


def _run_searches(
    search: Any, X: Any, y: Any, outer: _OuterSplits, *, params: Mapping[str, Any], kind: str
) -> list[dict[str, Any]]:
    """Run the search anew in each split, one after another."""
    journal, verbose = getattr(search, "journal", None), getattr(search, "verbose", 0)
    runs: list[dict[str, Any]] = []
    while not runs or len(runs) < len(outer.splits):
        number, inner = len(runs), clone(search)
        if journal is not None:
            path = Path(journal)
            inner.journal = path.with_name(f"{path.stem}.{kind}{number}{path.suffix}")
            if not runs:
                _check_repeatable(outer, search)
        one = _OneSplit(outer, number)
        run = _cross_validate(inner, search, X, y, cv=one, params=params, return_estimator=True)
        if getattr(run["estimator"][0], "stop_reason_", None) == "interrupted":
            raise KeyboardInterrupt  # the search itself ends with the trials that it has
        runs.append(run)
        if verbose:
            of = len(outer.splits)
            write_line(f"outer split {number + 1} of {of}: {_scores(run, search)[0]:.4g}")
    return runs


def _check_repeatable(outer: _OuterSplits, search: Any) -> None:
    """Refuse splits that could not be gone on with."""
    for splitter in outer.splitters:
        state = getattr(splitter, "random_state", 0)
        if getattr(splitter, "shuffle", True) and not is_whole(state):
            raise ValueError(
                f"cv={splitter!r} makes other splits each time, so that the journals beside "
                f"{str(search.journal)!r} could not be gone on with: give it a random_state, or "
                "set journal=None."
            )


def _cross_validate(
    estimator: Any,
    search: Any,
    X: Any,
    y: Any,
    *,
    cv: _OuterSplits,
    params: Mapping[str, Any],
    return_estimator: bool = False,
) -> dict[str, Any]:
    passed, groups = dict(params), None
    is_search = return_estimator
    if not get_config()["enable_metadata_routing"]:  # estimators need not support it
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
        scoring=search.scoring,
        n_jobs=None if is_search else search.n_jobs,
        error_score="raise",
        return_estimator=return_estimator,
    )


def _scores(run: Mapping[str, Any], search: Any) -> FloatArray:
    """Return the scores by the metric that the search optimises."""
    name = f"test_{metric_of(search.refit)}"
    if name not in run:
        name = next(key for key in run if key.startswith("test_"))
    return np.asarray(run[name], dtype=float)


def _best_score(fitted: Any) -> float:
    if hasattr(fitted, "best_score_"):
        return float(fitted.best_score_)
    # A callable refit leaves none; the table has it.
    name = next(key for key in fitted.cv_results_ if key.startswith("mean_test_"))
    return float(fitted.cv_results_[name][fitted.best_index_])


def _rows(part: Any) -> Any:
    rows = np.asarray(part)
    return np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
