"""Asynchronous successive halving, and the scores of all fidelities on one scale.

A rung is a level of fidelity. Without a surrogate, configurations start on the lowest rung. The
best third of the finished trials of a rung is promoted to the next one, without waiting for the
others. Once a finite space has no new configuration, the third is rounded up, so that one trial
reaches full fidelity.

Within a rung, scores are compared as they are. To compare scores of different rungs, one linear
regression per rung maps a score to the score expected at full fidelity. It is fitted to the
configurations that were scored on the rung and on a higher one.

References
----------
L. Li, K. Jamieson, A. Rostamizadeh, E. Gonina, J. Ben-tzur, M. Hardt, B. Recht, A. Talwalkar,
A system for massively parallel hyperparameter tuning, MLSys 2020, arXiv:1810.05934.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._validation import is_real

REDUCTION_FACTOR = 3  # one configuration in three is promoted; eta in the paper
_MAX_SHARE_ERROR = 1e-9  # shares that differ by less are equal
_MIN_SLOPE, _MAX_SLOPE = 0.05, 2.0
_PRIOR_PAIRS = 2.0  # weight of the prior of slope and noise, in pairs of scores
_PRIOR_NOISE = 0.56  # of the variance of scores: 1 / r^2 - 1 for a correlation r of 0.8


def check_resources(resources: Any) -> tuple[float, ...]:
    """Return shares of a resource as a tuple; raise ValueError if they don't ascend to 1."""
    shares = tuple(resources) if isinstance(resources, Sequence) else ()
    are_shares = bool(shares) and all(is_real(share) and share > 0 for share in shares)
    if not (are_shares and shares[-1] == 1 and list(shares) == sorted(set(shares))):
        msg = (
            "resources must be ascending shares of the full resource, greater than 0, of which "
            f"the last is 1.0, got {resources!r}."
        )
        raise ValueError(msg)
    return tuple(map(float, shares))


@dataclass(frozen=True)
class FidelityHistory:
    """The trials of each configuration by rung.

    Attributes
    ----------
    n_rungs : int
    configurations : list of dict of int to Trial
        For each configuration its trial on each rung, in the order of the first trials.
    """

    n_rungs: int
    configurations: list[dict[int, Trial]]

    @classmethod
    def of(cls, trials: Iterable[Trial], resources: Sequence[float]) -> "FidelityHistory":
        """Return the history of trials, which are given in the order of their numbers."""
        configurations: dict[tuple[float, ...], dict[int, Trial]] = {}
        for trial in trials:
            rung = len(resources) - 1
            if trial.fidelity is not None:
                # A journal may hold fidelities of an earlier choice of rungs: round down.
                rung = max(bisect_right(resources, trial.fidelity + _MAX_SHARE_ERROR) - 1, 0)
            by_rung = configurations.setdefault(trial.point, {})
            if rung not in by_rung or by_rung[rung].score is None:
                by_rung[rung] = trial
        return cls(len(resources), list(configurations.values()))

    @property
    def max_rung(self) -> int:
        """The rung of full fidelity."""
        return self.n_rungs - 1

    @property
    def has_full(self) -> bool:
        """Whether a trial at full fidelity is pending or complete."""
        full = [by_rung[self.max_rung] for by_rung in self._on(self.max_rung)]
        return any(trial.status in {"pending", "complete"} for trial in full)

    def calibration_trial(self) -> Trial | None:
        """Return a full trial to repeat on the lowest rung; None unless that rung is empty.

        The pair of scores calibrates the scores of the rung.
        """
        if self._on(0):
            return None
        full = (by_rung[self.max_rung] for by_rung in self._on(self.max_rung))
        return next(full, None)

    def promotion(self, *, is_last_call: bool) -> tuple[Trial, int] | None:
        """Return the trial to promote and its next rung; higher rungs come first.

        Parameters
        ----------
        is_last_call : bool
            Whether there is no new configuration. The number of promotions is then rounded up
            once no trial is pending.
        """
        has_pending = any(
            trial.status == "pending"
            for by_rung in self.configurations
            for trial in by_rung.values()
        )
        for rung in reversed(range(self.max_rung)):
            finished = [by_rung for by_rung in self._on(rung) if by_rung[rung].status != "pending"]
            n_promoted = len(finished) // REDUCTION_FACTOR
            if is_last_call and not has_pending:
                n_promoted = -(-len(finished) // REDUCTION_FACTOR)
            for by_rung in _best_first(finished, rung)[:n_promoted]:
                if max(by_rung) == rung:
                    return by_rung[rung], rung + 1
        return None

    def is_balanced(self, resources: Sequence[float]) -> bool:
        """Return whether low fidelities have used at most as much resource as full trials."""
        used = [share * len(self._on(rung)) for rung, share in enumerate(resources)]
        return sum(used[:-1]) <= used[-1]

    def promotable(self) -> list[tuple[Trial, int]]:
        """Return the trials that a surrogate may promote, one per configuration, with their rung.

        A pruned trial may be promoted: it was not among the best of its rung, but may be at a
        higher fidelity.
        """
        highest = [(by_rung[max(by_rung)], max(by_rung)) for by_rung in self.configurations]
        return [
            (trial, rung)
            for trial, rung in highest
            if rung < self.max_rung and trial.status in {"complete", "pruned"}
        ]

    def scored(self) -> list[Trial]:
        """Return the highest-fidelity trial of each scored configuration.

        Its score is mapped to full fidelity.
        """
        return [
            replace(by_rung[_highest_scored(by_rung)], score=trial.score)
            for by_rung, trial in zip(self.configurations, self.merged(), strict=True)
            if trial.score is not None
        ]

    @property
    def full_points(self) -> set[tuple[float, ...]]:
        """The points that have a trial at full fidelity."""
        return {by_rung[self.max_rung].point for by_rung in self._on(self.max_rung)}

    @cached_property
    def rung_regressions(self) -> list[tuple[float, float]]:
        """Offset and slope per rung that map a score to the score expected at full fidelity.

        The regression of a rung has the scores of the rung as its input. Its output are the
        scores of the same configurations on higher rungs, mapped themselves.
        """
        regressions = [(0.0, 1.0)] * self.n_rungs
        for rung in reversed(range(self.max_rung)):
            scored = self._scored_on(rung)
            scores = np.array([by_rung[rung].score for by_rung in scored], dtype=np.float64)
            highest = [_highest_scored(by_rung) for by_rung in scored]
            rows = np.flatnonzero(np.greater(highest, rung))
            pairs = [(highest[row], scored[row][highest[row]].score or 0.0) for row in rows]
            full_scores = np.array([_map(regressions[other], score) for other, score in pairs])
            # Without pairs, the nearest rung above is the best guess.
            regressions[rung] = (
                _regress(scores, rows, full_scores) if len(rows) else regressions[rung + 1]
            )
        return regressions

    @cached_property
    def noise(self) -> list[float]:
        """Variance per rung of the score at full fidelity around the regression's prediction.

        It is the mean squared residual, with a prior that counts as much as two pairs.
        """
        noise = [0.0] * self.n_rungs
        for rung in reversed(range(self.max_rung)):
            regression = self.rung_regressions[rung]
            scored = self._scored_on(rung)
            scores = np.array([by_rung[rung].score for by_rung in scored], dtype=np.float64)
            if not len(scores):
                continue
            variance = float(np.var(_clip_low_scores(scores)))
            prior = _PRIOR_NOISE * regression[1] ** 2 * variance
            total, weight = _PRIOR_PAIRS * prior, _PRIOR_PAIRS
            for by_rung in scored:
                highest = _highest_scored(by_rung)
                if highest > rung:
                    full_score = _map(self.rung_regressions[highest], by_rung[highest].score or 0.0)
                    residual = full_score - _map(regression, by_rung[rung].score or 0.0)
                    # The higher score is itself uncertain, by the noise of its rung.
                    total, weight = total + residual**2 + noise[highest], weight + 1.0
            noise[rung] = total / weight
        return noise

    def merged(self) -> list[Trial]:
        """Return one trial per configuration: its first, with its highest result.

        The score is mapped to full fidelity. A configuration whose highest finished trial
        failed has failed.
        """
        merged = []
        for by_rung in self.configurations:
            first = min(by_rung.values(), key=lambda trial: trial.number)
            finished = [rung for rung, trial in by_rung.items() if trial.status != "pending"]
            if not finished:
                merged.append(replace(first, fidelity=None))
                continue
            rung = max(finished)
            last = _mapped(by_rung[rung], self.rung_regressions[rung])
            merged.append(replace(last, number=first.number, proposal=first.proposal))
        return merged

    def finished(self) -> tuple[list[Trial], list[float]]:
        """Return all finished trials by number, and the variance of their scores.

        The scores are mapped to full fidelity; the variance is the noise of the rung.
        """
        finished = [
            (_mapped(trial, self.rung_regressions[rung]), self.noise[rung])
            for by_rung in self.configurations
            for rung, trial in by_rung.items()
            if trial.status != "pending"
        ]
        finished.sort(key=lambda pair: pair[0].number)
        return [trial for trial, _ in finished], [noise for _, noise in finished]

    def _on(self, rung: int) -> list[dict[int, Trial]]:
        """Return the configurations that have a trial on a rung."""
        return [by_rung for by_rung in self.configurations if rung in by_rung]

    def _scored_on(self, rung: int) -> list[dict[int, Trial]]:
        """Return the configurations that have a score on a rung."""
        return [by_rung for by_rung in self._on(rung) if by_rung[rung].score is not None]


def _highest_scored(by_rung: dict[int, Trial]) -> int:
    """Return the highest rung where a configuration has a score, -1 for none."""
    return max((rung for rung, trial in by_rung.items() if trial.score is not None), default=-1)


def _best_first(finished: list[dict[int, Trial]], rung: int) -> list[dict[int, Trial]]:
    """Return the configurations that are complete on a rung, sorted by score, then number."""
    complete = [by_rung for by_rung in finished if by_rung[rung].status == "complete"]
    return sorted(
        complete, key=lambda by_rung: (-(by_rung[rung].score or 0.0), by_rung[rung].number)
    )


def _mapped(trial: Trial, regression: tuple[float, float]) -> Trial:
    """Return a trial with its score or its estimate mapped to full fidelity."""
    if trial.score is not None:
        return replace(trial, score=_map(regression, trial.score))
    if trial.estimate is not None:
        mean, std = trial.estimate
        return replace(trial, estimate=(_map(regression, mean), regression[1] * std))
    return trial


def _map(regression: tuple[float, float], score: float) -> float:
    offset, slope = regression
    return offset + slope * score


def _clip_low_scores(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return scores, at least as far below the median as the best is above it."""
    clipped: npt.NDArray[np.float64] = np.maximum(scores, 2.0 * np.median(scores) - scores.max())
    return clipped


def _regress(
    scores: npt.NDArray[np.float64],
    rows: npt.NDArray[np.intp],
    full_scores: npt.NDArray[np.float64],
) -> tuple[float, float]:
    """Return offset and slope of full scores as a function of some scores of a rung.

    The rows are those of the best configurations. That does not bias the slope but leaves it
    uncertain, so a prior of two typical pairs draws it towards 1. Clipping keeps a very low
    score from having leverage.

    Parameters
    ----------
    scores : ndarray of shape (n_scored,)
        All scores of the rung.
    rows : ndarray of shape (n_pairs,)
        Rows of the configurations with a score on a higher rung.
    full_scores : ndarray of shape (n_pairs,)
        Their scores on the higher rung, mapped to full fidelity.
    """
    # Scores of any magnitude: without the unit, squares overflow or vanish.
    unit = max(np.abs(scores).max(), np.abs(full_scores).max(), np.finfo(np.float64).tiny)
    scores, y = _clip_low_scores(scores / unit), full_scores / unit
    x = scores[rows]
    weight = _PRIOR_PAIRS * np.var(scores)
    spread, slope = np.sum((x - x.mean()) ** 2) + weight, 1.0
    if spread > 0:
        slope = (np.sum((x - x.mean()) * (y - y.mean())) + weight) / spread
    slope = float(np.clip(slope, _MIN_SLOPE, _MAX_SLOPE))
    # Medians: the offset is robust to a pair that is far off.
    return float(unit * (np.median(y) - slope * np.median(x))), slope
