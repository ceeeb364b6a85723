"""Fidelity of each trial: which configurations start low, and which are promoted.

A new configuration starts at the lowest fidelity, and a promotion is a new trial of the same
configuration at a higher one. Without a surrogate, asynchronous successive halving decides; see
`sklearn_lepton.optimizers._successive_halving`. With one, expected improvement per cost decides.
The last trials of a budget, in trials or else in seconds, run at full fidelity, since only such
a trial can be the best.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from sklearn_lepton._surrogate.multi_fidelity import LowFidelityPlan, NoisyIncumbentEnsemble
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.optimizers._successive_halving import FidelityHistory
from sklearn_lepton.space._dimension import FloatArray

# The number of final trials: a share of the budget, but at most five.
_MAX_FINAL_TRIALS, _BUDGET_PER_FINAL_TRIAL = 5, 12
_N_PLANNED = 5  # candidates: those with less expected improvement are not planned for


@dataclass(frozen=True)
class FidelityPolicy:
    """Rules for the fidelity of new trials and for promotions.

    The policy has no state. It reads a `FidelityHistory`, which follows from the trials.

    Attributes
    ----------
    resources : tuple of float
        Ascending shares of the full resource, the last 1.0; a rung is an index of it.
    """

    resources: tuple[float, ...]

    @property
    def has_rungs(self) -> bool:
        """Whether there is a fidelity below the full one."""
        return len(self.resources) > 1

    @property
    def max_rung(self) -> int:
        """The rung of full fidelity."""
        return len(self.resources) - 1

    def fidelity(self, rung: int) -> float | None:
        """Return the fidelity of a rung, None for the full one, as a trial holds it."""
        return None if rung == self.max_rung else self.resources[rung]

    def is_final(self, n_trials: int, budget: int) -> bool:
        """Return whether the next trial is one of the last, which run at full fidelity.

        Parameters
        ----------
        n_trials : int
            Number of trials asked for so far.
        budget : int
            Number of trials of the run.
        """
        n_final = min(_MAX_FINAL_TRIALS, -(-budget // _BUDGET_PER_FINAL_TRIAL))
        return budget - n_trials <= n_final

    def is_final_in_time(self, spent: float, max_seconds: float | None) -> bool:
        """Return the same for a run that only its time limits.

        Parameters
        ----------
        spent : float, seconds
            Duration of the trials so far.
        max_seconds : float or None, seconds
            What all trials may take; None if unknown.
        """
        share = 1.0 - 1.0 / _BUDGET_PER_FINAL_TRIAL
        return max_seconds is not None and spent >= share * max_seconds

    def first_fidelity(self, history: FidelityHistory, *, is_final: bool) -> float | None:
        """Return the fidelity at which a new configuration starts."""
        # Until one trial has run in full there is no score to compare anything with.
        return None if is_final or not history.has_full else self.resources[0]

    def promote(
        self,
        history: FidelityHistory,
        number: int,
        *,
        is_final: bool,
        is_spent: bool,
        by_surrogate: bool,
        predict_full_scores: Callable[[Sequence[Trial]], Iterable[float]],
    ) -> Trial | None:
        """Return the next trial of a known configuration, None to start a new one.

        Parameters
        ----------
        history : FidelityHistory
        number : int
            Number of the trial.
        is_final : bool
            Whether the trial has to run at full fidelity; see `is_final`.
        is_spent : bool
            Whether a finite space has no new configuration.
        by_surrogate : bool
            Whether `best_plan` decides on promotions while there are new configurations.
        predict_full_scores : callable
            Returns the expected score at full fidelity of each of the given trials.
        """
        if not history.has_full:
            return None
        if is_final:
            return self._final_promotion(history, number, predict_full_scores)
        calibration = history.calibration_trial()
        if calibration is not None:
            return re_evaluate(calibration, number, self.resources[0])
        if by_surrogate and not is_spent:
            return None
        promotion = history.promotion(is_last_call=is_spent)
        if promotion is None:
            return None
        trial, rung = promotion
        return re_evaluate(trial, number, self.fidelity(rung))

    @staticmethod
    def _final_promotion(
        history: FidelityHistory,
        number: int,
        predict_full_scores: Callable[[Sequence[Trial]], Iterable[float]],
    ) -> Trial | None:
        """Return a full trial of the most promising configuration, None if none is promising.

        A configuration is promising if its expected score is at least the median of the
        configurations that ran at full fidelity.
        """
        scored, full_points = history.scored(), history.full_points
        expected = dict(zip((t.number for t in scored), predict_full_scores(scored), strict=True))
        full = [expected[t.number] for t in scored if t.point in full_points]
        threshold = np.median(full or [-np.inf])
        promotable = [
            t for t in scored if t.point not in full_points and expected[t.number] >= threshold
        ]
        best = max(promotable, key=lambda t: (expected[t.number], -t.number), default=None)
        return None if best is None else re_evaluate(best, number, None)

    def best_plan(
        self,
        model: NoisyIncumbentEnsemble,
        points: FloatArray,
        log_improvement: FloatArray,
        rungs: Sequence[int],
        history: FidelityHistory,
        *,
        resumes: bool,
    ) -> tuple[int, int]:
        """Return the candidate and the rung with the greatest expected improvement per cost.

        Costs are shares of the resource, so that a seeded search does not depend on the clock.

        Parameters
        ----------
        model : NoisyIncumbentEnsemble
        points : ndarray of shape (n_candidates, n_dims)
            The new configuration first, then the promotable ones.
        log_improvement : ndarray of shape (n_candidates,)
            Logarithm of the expected improvement of a full trial, or of its rate per second.
        rungs : sequence of int
            Highest rung of each candidate, -1 for the new one.
        history : FidelityHistory
        resumes : bool
            Whether a promotion costs only the additional resource.

        Returns
        -------
        row, rung : int
        """
        allow_low_fidelity = model.has_low_fidelity and history.is_balanced(self.resources)
        ranked = np.argsort(-log_improvement, kind="stable")[:_N_PLANNED].tolist()
        best_rate, best = -np.inf, (0, 0)
        for row in dict.fromkeys([0, *ranked]):  # the new configuration wins ties
            gain, rung = self._plan(
                model,
                points[row],
                rungs[row],
                history,
                resumes=resumes,
                allow_low_fidelity=allow_low_fidelity,
            )
            rate = log_improvement[row] + gain
            if rate > best_rate:
                best_rate, best = rate, (row, rung)
        return best

    def _plan(
        self,
        model: NoisyIncumbentEnsemble,
        point: FloatArray,
        rung: int,
        history: FidelityHistory,
        *,
        resumes: bool,
        allow_low_fidelity: bool,
    ) -> tuple[float, int]:
        """Return the log rate that the best next rung of a candidate adds, and that rung.

        Full fidelity costs all of the missing resource. A rung in between costs less, and its
        score may show that the rest is not worth it.
        """
        paid = self.resources[rung] if resumes and rung >= 0 else 0.0
        plans = [(-float(np.log(1.0 - paid)), self.max_rung)]
        for higher in range(rung + 1, self.max_rung) if allow_low_fidelity else ():
            share = self.resources[higher]
            plan = LowFidelityPlan(
                share,
                share - paid,
                1.0 - share * resumes,
                history.noise[higher] / model.process.y_scale**2,
            )
            plans.append((plan.log_gain(model.process, point, model.incumbent), higher))
        return max(plans, key=lambda plan: plan[0])


def re_evaluate(trial: Trial, number: int, fidelity: float | None) -> Trial:
    """Return a new trial of the same configuration at another fidelity."""
    return Trial(number, trial.point, trial.params, {"promoted": trial.number}, fidelity=fidelity)
