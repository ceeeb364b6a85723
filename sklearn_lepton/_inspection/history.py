"""History: the trials of a search, optimizer, journal or list, for displays and importances."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError

from sklearn_lepton._study.journal import Journal
from sklearn_lepton._study.records import read_space, read_study
from sklearn_lepton._study.replay import Replay
from sklearn_lepton._trials.pareto import knee
from sklearn_lepton._trials.ranking import metric_of
from sklearn_lepton._trials.statistics import standard_error
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._trials.untuned import are_own, inside, is_untuned
from sklearn_lepton.optimizers._base import Optimizer
from sklearn_lepton.optimizers._bayes import BayesOptimizer
from sklearn_lepton.optimizers._surrogate_assisted import SurrogateOptimizer
from sklearn_lepton.space._content import python_scalar
from sklearn_lepton.space._dimension import FloatArray
from sklearn_lepton.space._space import Space

_LONGEST_GAP = 60.0  # seconds without a fit; a longer one lies between two sessions


@dataclass(frozen=True)
class History:
    """The finished trials of a search, with their space and context.

    Attributes
    ----------
    trials : list of Trial
        Finished trials, by number.
    space : Space
    optimizer : Optimizer or None
        Optimizer that proposed the trials, if it is available.
    default_trial : int or None
        Number of the trial with the estimator's own parameters.
    score_name : str
        Name of the metric; "score" if it has none.
    header : dict
        First line of the journal; empty for other sources.
    ratio : float or None
        The `split_ratio` of the splits; None if it is unknown.
    n_disjoint : int or None
        The `n_disjoint` of the splits' `SplitLayout`; None if it is unknown.
    """

    trials: list[Trial]
    space: Space
    optimizer: Optimizer | None = None
    default_trial: int | None = None
    score_name: str = "score"
    header: Mapping[str, Any] = field(default_factory=dict)
    ratio: float | None = None
    n_disjoint: int | None = None

    @property
    def best(self) -> Trial | None:
        """The complete trial with the highest score at full fidelity, the earliest of equals.

        With objectives it is the best trial of the optimizer, within all limits.
        """
        if self.optimizer is not None and self.optimizer.run_settings.objectives:
            return knee(self.trials, self.optimizer.run_settings.objectives)
        scored = [t for t in self.trials if t.score is not None and t.is_full]
        return max(scored, key=lambda trial: trial.score or 0.0, default=None)

    @property
    def inside(self) -> list[Trial]:
        """The trials that have a point in the space: all but an untuned one outside of it."""
        return inside(self.trials)

    @property
    def best_row(self) -> int | None:
        """Index of the best trial in `trials`."""
        best = self.best
        return None if best is None else self.trials.index(best)

    @property
    def scores(self) -> FloatArray:
        """Scores (n_trials,): the expected score of a pruned trial, NaN for a failed one."""
        return np.array([expected_score(trial) for trial in self.trials], dtype=float)

    def check_scored(self, min_scored: int) -> None:
        """Raise an error if there are too few trials for a surrogate.

        Parameters
        ----------
        min_scored : int
            Minimum number of trials with a score.

        Raises
        ------
        ValueError
            If fewer trials have a score, or none at full fidelity.
        """
        scored = [trial for trial in self.inside if trial.score is not None]
        n_scored = len(scored)
        if n_scored < min_scored or not any(trial.is_full for trial in scored):
            raise ValueError(
                f"A surrogate needs at least {min_scored} trials with a score, one of them at full "
                f"fidelity, got {n_scored} of {len(self.trials)}: run more trials."
            )

    def surrogate_optimizer(self) -> SurrogateOptimizer:
        """Return an optimizer with a surrogate of the trials and, if used, of previous studies."""
        if isinstance(self.optimizer, SurrogateOptimizer):
            return self.optimizer
        return self.new_surrogate_optimizer()

    def new_surrogate_optimizer(self, *, with_failed: bool = True) -> SurrogateOptimizer:
        """Return a new optimizer with a surrogate of these trials only.

        Parameters
        ----------
        with_failed : bool, default=True
            Whether to include failed trials, which count as the worst score.
        """
        shares = sorted({t.fidelity for t in self.trials if t.fidelity is not None} - {1.0})
        optimizer = BayesOptimizer(self.space, resources=(*shares, 1.0))
        optimizer.tell(t for t in self.trials if with_failed or t.status != "failed")
        return optimizer


def score_error(trial: Trial, ratio: float | None) -> float:
    """Return the standard error of a trial's score over the splits, 0.0 if there is none.

    Parameters
    ----------
    trial : Trial
    ratio : float or None
        The `split_ratio` of the splits.

    Returns
    -------
    error : float
        For a pruned trial, the standard deviation of its expected score.
    """
    if trial.status == "pruned" and trial.estimate:
        return trial.estimate[1]
    return standard_error(trial.split_scores, ratio) if trial.status == "complete" else 0.0


def expected_score(trial: Trial) -> float:
    """Return the score of a trial; the expected score if it was pruned, NaN if it failed."""
    if trial.score is not None:
        return trial.score
    return trial.estimate[0] if trial.estimate else float("nan")


def read_source(search: Any, space: Any = None) -> History:
    """Read the trials of a search.

    Parameters
    ----------
    search : search, Optimizer, path of a journal or sequence of Trial
        Any object with ``trials_`` and ``space_`` is accepted as a search.
    space : Space, dict, list of dict or None, default=None
        Search space; required with a sequence of trials, else read from the search.

    Returns
    -------
    source : History

    Raises
    ------
    NotFittedError
        If the search has no trials yet.
    TypeError
        If `search` has another type.
    ValueError
        If a sequence of trials comes without a space, or with the wrong one.
    JournalMismatchError
        If the path is not that of a journal.
    """
    if isinstance(search, History):
        return search
    if isinstance(search, str | os.PathLike):
        return _from_journal(search, space)
    if isinstance(search, Optimizer):
        return _made(search.trials, search.space, optimizer=search)
    trials = getattr(search, "trials_", None)
    if trials is not None:
        found = getattr(search, "space_", None) if space is None else Space(space)
        layout = getattr(search, "_split_layout", None)
        return _made(
            trials,
            found,
            optimizer=getattr(search, "optimizer_", None),
            default_trial=_untuned(getattr(search, "estimator", None), trials),
            score_name=_score_name(
                getattr(search, "scoring", None), getattr(search, "refit", None)
            ),
            ratio=None if layout is None else layout.ratio,
            n_disjoint=None if layout is None else layout.n_disjoint,
        )
    if hasattr(search, "fit"):
        raise NotFittedError(
            f"This {type(search).__name__} has no trials yet: call fit before drawing it."
        )
    if isinstance(search, Sequence) and all(isinstance(trial, Trial) for trial in search):
        return _made(search, None if space is None else Space(space))
    raise TypeError(
        "Give a fitted search, an optimizer, the path of a journal or a list of Trial with its "
        f"space, got {search!r}."
    )


def _untuned(estimator: Any, trials: Sequence[Trial]) -> int | None:
    """Return the number of the first trial if it has the estimator's own parameters."""
    if not trials or not hasattr(estimator, "get_params"):
        return None
    first = trials[0]
    is_own = is_untuned(first) or are_own(first.params, estimator.get_params())
    return first.number if is_own else None


def _score_name(scoring: Any, refit: Any) -> str:
    if isinstance(scoring, str):
        return scoring
    metric = metric_of(refit)
    return metric if metric is not None and scoring is not None else "score"


def _from_journal(path: str | os.PathLike[str], space: Any) -> History:
    journal = Journal(path)
    records = journal.load()
    study = read_study(journal.path, records[0]) if records else {}
    replay = Replay(journal, read_space(journal.path, study) if space is None else Space(space))
    for record in records:
        replay.apply(record)
    scoring, metric = study.get("scoring"), study.get("metric")
    name = metric or (scoring if isinstance(scoring, str) else "score")
    trials = [replay.trials[n] for n in sorted(replay.trials)]
    return _made(
        trials,
        replay.space,
        score_name=name,
        header=replay.header or {},
        ratio=replay.ratio,
        n_disjoint=replay.n_disjoint,
    )


def _made(trials: Sequence[Trial], space: Space | None, **known: Any) -> History:
    if space is None:
        raise ValueError("A list of trials does not include its space: give their space, too.")
    finished = sorted((t for t in trials if t.status != "pending"), key=lambda t: t.number)
    for trial in finished:
        if len(trial.point) != space.n_dims and not is_untuned(trial):
            raise ValueError(
                f"Trial {trial.number} has {len(trial.point)} columns and the space "
                f"{space.n_dims}: give the space that the trials were drawn from."
            )
    return History(finished, space, **known)


class Clock:
    """The time of a search: seconds since its first fit began, without long pauses.

    A pause is a time of more than a minute in which no fit ran, as between two sessions of a
    journal.

    Parameters
    ----------
    spans : sequence of tuple (begin, end)
        Begin and end of the fits, in seconds since the epoch.

    Attributes
    ----------
    total : float
        Seconds from the first start to the last end, pauses included.
    paused : float
        Seconds in pauses.
    cuts : ndarray of shape (n_pauses,)
        Times of the pauses, on this clock.
    """

    def __init__(self, spans: Sequence[tuple[float, float]]) -> None:
        bounds = np.array(sorted(spans), dtype=float).reshape(len(spans), 2)
        self._begins = bounds[:, 0]
        latest = np.maximum.accumulate(bounds[:, 1])
        pauses = np.maximum(bounds[1:, 0] - latest[:-1], 0.0)
        pauses[pauses <= _LONGEST_GAP] = 0.0
        self._shift = self._begins[:1].sum() + np.concatenate([[0.0], np.cumsum(pauses)])
        self.total = float(latest[-1] - bounds[0, 0]) if len(spans) else 0.0
        self.paused = float(pauses.sum())
        self.cuts: FloatArray = self.at(bounds[1:, 0][pauses > 0])

    def at(self, times: Any) -> FloatArray:
        """Return the time on this clock of moments within fits.

        Parameters
        ----------
        times : array-like
            Moments, in seconds since the epoch.

        Returns
        -------
        seconds : ndarray
        """
        times = np.asarray(times, dtype=float)
        before = np.searchsorted(self._begins, times, side="right") - 1
        seconds: FloatArray = times - self._shift[before]
        return seconds


def clock_of(trials: Sequence[Trial]) -> Clock | None:
    """Return the clock of a search; None unless all trials record when their fits ran."""
    spans = [fit_spans(trial) for trial in trials]
    return Clock([span[:2] for each in spans for span in each]) if spans and all(spans) else None


def end_seconds(trials: Sequence[Trial]) -> FloatArray:
    """Return the end of each trial, in seconds since the first fit began.

    Pauses of more than a minute, as between two sessions of a journal, are removed. If start
    times are unknown, the fits count as run one after the other.

    Parameters
    ----------
    trials : sequence of Trial

    Returns
    -------
    seconds : ndarray of shape (n_trials,)
    """
    clock = clock_of(trials)
    if clock is None:
        return np.cumsum([trial.duration for trial in trials], dtype=float)
    return clock.at([max(end for _, end, _ in fit_spans(trial)) for trial in trials])


def fit_spans(trial: Trial) -> list[tuple[float, float, int]]:
    """Return begin, end (in seconds since the epoch) and worker of each fit of a trial."""
    spans = []
    for result in trial.split_results:
        begin = python_scalar(result.start_time)
        if not begin:
            continue
        duration = result.duration if np.isfinite(result.duration) else 0.0
        spans.append((float(begin), float(begin) + duration, int(result.worker)))
    return spans


def branch_parameter(space: Space) -> str | None:
    """Return the parameter that has one distinct value in each branch; None if there is none."""
    for name in space.branches[0]:
        columns = [branch.get(name) for branch in space.branches]
        if None in columns or len(set(columns)) < len(columns):
            continue
        if all(space.n_values[column] == 1 for column in columns):
            return name
    return None
