"""Rungs: which setting goes on to more of a resource, told by the trials alone.

Where no model decides, settings start on the lowest rung, with the least resource. Of those
told on a rung the best third goes on to the next, without waiting for the others: asynchronous
successive halving.
Once a finite space has no more settings, a third is rounded up, so that one arrives at the top.

Within a rung scores are compared as they are. Those of different rungs are brought to one scale
by a line for each rung, from the settings that were scored on it and on a higher one.

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

REDUCTION_FACTOR = 3  # one in so many goes on
_SAME = 1e-9  # of two shares
_SLOPES = (0.05, 2.0)
_PRIOR_PAIRS = 2.0
_PRIOR_NOISE = 0.56  # of the variance of scores: 1 / r^2 - 1 of a correlation r of 0.8


def check_resources(resources: Any) -> tuple[float, ...]:
    """Refuse what are no ascending shares up to all of a resource."""
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
    """What is known of each setting on each rung.

    Attributes
    ----------
    n_rungs : int
    settings : list of dict of int to Trial
        Of each setting its trial on each rung where it has one, in the order in which the
        settings were first asked for.
    """

    n_rungs: int
    settings: list[dict[int, Trial]]

    @classmethod
    def of(cls, trials: Iterable[Trial], resources: Sequence[float]) -> "FidelityHistory":
        """Sort trials, given in the order of their numbers, by setting and rung."""
        settings: dict[tuple[float, ...], dict[int, Trial]] = {}
        for trial in trials:
            rung = len(resources) - 1
            if trial.fidelity is not None:
                rung = max(bisect_right(resources, trial.fidelity + _SAME) - 1, 0)
            known = settings.setdefault(trial.point, {})
            if rung not in known or known[rung].score is None:
                known[rung] = trial
        return cls(len(resources), list(settings.values()))

    @property
    def max_rung(self) -> int:
        """The rung of the full resource."""
        return self.n_rungs - 1

    @property
    def has_full(self) -> bool:
        """Whether a trial on the highest rung is under way or has a score."""
        full = [known[self.max_rung] for known in self.settings if self.max_rung in known]
        return any(trial.status in {"pending", "complete"} for trial in full)

    def calibration_trial(self) -> Trial | None:
        """Return a trial on the highest rung to repeat on the lowest, which is empty.

        What it loses there tells how the scores of both compare.
        """
        if any(0 in known for known in self.settings):
            return None
        full = (known[self.max_rung] for known in self.settings if self.max_rung in known)
        return next(full, None)

    def promotion(self, *, is_last_call: bool) -> tuple[Trial, int] | None:
        """Return the trial whose setting goes on, and to which rung; from the top downwards.

        Parameters
        ----------
        is_last_call : bool
            Whether there are no new settings any more: once nothing is under way, a third
            is rounded up.
        """
        pending = any(t.status == "pending" for known in self.settings for t in known.values())
        for rung in reversed(range(self.max_rung)):
            here = [known for known in self.settings if rung in known]
            told = [known for known in here if known[rung].status != "pending"]
            n_best = len(told) // REDUCTION_FACTOR
            if is_last_call and not pending:
                n_best = -(-len(told) // REDUCTION_FACTOR)
            for known in _best_first(told, rung)[:n_best]:
                if max(known) == rung:
                    return known[rung], rung + 1
        return None

    def is_balanced(self, shares: Sequence[float]) -> bool:
        """Whether no more of the resource has been spent below the highest rung than on it."""
        spent = [
            share * sum(rung in known for known in self.settings)
            for rung, share in enumerate(shares)
        ]
        return sum(spent[:-1]) <= spent[-1]

    def promotable(self) -> list[tuple[Trial, int]]:
        """Return the highest trial of each setting that a model may let go on, and its rung.

        What was pruned was not among the best of its rung, but may be more with more.
        """
        tops = [(known[max(known)], max(known)) for known in self.settings]
        told = {"complete", "pruned"}
        return [(t, rung) for t, rung in tops if rung < self.max_rung and t.status in told]

    def scored(self) -> list[Trial]:
        """Return, of each setting that has a score, its highest trial, its score shifted."""
        return [
            replace(known[self._highest(known)], score=trial.score)
            for known, trial in zip(self.settings, self.merged(), strict=True)
            if trial.score is not None
        ]

    @property
    def full_points(self) -> set[tuple[float, ...]]:
        """The settings that have a trial on the highest rung."""
        return {known[self.max_rung].point for known in self.settings if self.max_rung in known}

    @cached_property
    def rung_regressions(self) -> list[tuple[float, float]]:
        """Offset and slope, for each rung, that turn a score into what to expect at the top.

        A regression of the scores on higher rungs, so turned themselves, on those here, of the
        settings that have both.
        """
        lines = [(0.0, 1.0)] * self.n_rungs
        for rung in reversed(range(self.max_rung)):
            here = [known for known in self.settings if self._highest(known) >= rung]
            here = [known for known in here if rung in known and known[rung].score is not None]
            scores = np.array([known[rung].score for known in here], dtype=np.float64)
            tops = [self._highest(known) for known in here]
            rows = np.flatnonzero(np.greater(tops, rung))
            pairs = [(tops[row], here[row][tops[row]].score or 0.0) for row in rows]
            there = np.array([_on(lines[top], score) for top, score in pairs])
            lines[rung] = _line(scores, rows, there) if len(rows) else lines[rung + 1]
        return lines

    @cached_property
    def noise(self) -> list[float]:
        """Variance, for each rung, of what stands at the top around what `lines` expects.

        That of the residuals, and as of two settings more with the correlation that is expected.
        """
        noise = [0.0] * self.n_rungs
        for rung in reversed(range(self.max_rung)):
            line = self.rung_regressions[rung]
            here = [
                known for known in self.settings if rung in known and known[rung].score is not None
            ]
            scores = np.array([known[rung].score for known in here], dtype=np.float64)
            if not len(scores):
                continue
            expected = _PRIOR_NOISE * line[1] ** 2 * float(np.var(_without_hopeless(scores)))
            total, weight = _PRIOR_PAIRS * expected, _PRIOR_PAIRS
            for known in here:
                top = self._highest(known)
                if top > rung:
                    gap = _on(self.rung_regressions[top], known[top].score or 0.0) - _on(
                        line, known[rung].score or 0.0
                    )
                    total, weight = total + gap**2 + noise[top], weight + 1.0
            noise[rung] = total / weight
        return noise

    def merged(self) -> list[Trial]:
        """Return one trial a setting: its first, with its score on its highest rung, shifted.

        What failed on a rung has failed.
        """
        merged = []
        for known in self.settings:
            first = min(known.values(), key=lambda trial: trial.number)
            told = [rung for rung, trial in known.items() if trial.status != "pending"]
            if not told:
                merged.append(replace(first, fidelity=None))
                continue
            last = known[max(told)]
            last = _shifted(last, self.rung_regressions[max(told)])
            merged.append(replace(last, number=first.number, proposal=first.proposal))
        return merged

    def finished(self) -> tuple[list[Trial], list[float]]:
        """Return all trials that are not pending, by number, their scores shifted, and the noise.

        The noise is the variance that a score has for being of a lower rung.
        """
        told = [
            (_shifted(trial, self.rung_regressions[rung]), self.noise[rung])
            for known in self.settings
            for rung, trial in known.items()
            if trial.status != "pending"
        ]
        told.sort(key=lambda pair: pair[0].number)
        return [trial for trial, _ in told], [noise for _, noise in told]

    @staticmethod
    def _highest(known: dict[int, Trial]) -> int:
        """Return the highest rung where a setting has a score, -1 for none."""
        return max((rung for rung, trial in known.items() if trial.score is not None), default=-1)


def _best_first(told: list[dict[int, Trial]], rung: int) -> list[dict[int, Trial]]:
    complete = [known for known in told if known[rung].status == "complete"]
    return sorted(complete, key=lambda known: (-(known[rung].score or 0.0), known[rung].number))


def _shifted(trial: Trial, line: tuple[float, float]) -> Trial:
    """Return a trial with its score, or what is expected of it, on the scale of the top."""
    if trial.score is not None:
        return replace(trial, score=_on(line, trial.score))
    if trial.estimate is not None:
        expected, std = trial.estimate
        return replace(trial, estimate=(_on(line, expected), line[1] * std))
    return trial


def _on(line: tuple[float, float], score: float) -> float:
    offset, slope = line
    return offset + slope * score


def _without_hopeless(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    kept: npt.NDArray[np.float64] = np.maximum(scores, 2.0 * np.median(scores) - scores.max())
    return kept


def _line(
    scores: npt.NDArray[np.float64], rows: npt.NDArray[np.intp], there: npt.NDArray[np.float64]
) -> tuple[float, float]:
    """Regress the scores on higher rungs on those of some rows here: offset and slope.

    That these rows are the best biases no slope, but leaves it uncertain: it is drawn towards
    1, as much as by two typical rows. A hopeless score has no leverage.
    """
    unit = max(np.abs(scores).max(), np.abs(there).max(), np.finfo(np.float64).tiny)
    scores, there = scores / unit, there / unit
    scores = _without_hopeless(scores)
    x, y = scores[rows], there
    weight = _PRIOR_PAIRS * np.var(scores)
    spread, slope = np.sum((x - x.mean()) ** 2) + weight, 1.0
    if spread > 0:
        slope = (np.sum((x - x.mean()) * (y - y.mean())) + weight) / spread
    slope = float(np.clip(slope, *_SLOPES))
    return float(unit * (np.median(y) - slope * np.median(x))), slope
