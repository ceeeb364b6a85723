"""What optimizers with a model share: fitting it, asking it, choosing by it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton._surrogate.gaussian_process import MAX_STEPS, GaussianProcess, fit
from sklearn_lepton._surrogate.mixture import SurrogateEnsemble
from sklearn_lepton._surrogate.multi_fidelity import (
    FullFidelityEnsemble,
    NoisyIncumbentEnsemble,
    append_fidelity,
    at_full_fidelity,
    low_fidelity_is_informative,
)
from sklearn_lepton._surrogate.multi_task import (
    MAX_SOURCE_TASKS,
    MultiTaskProcess,
    TaskData,
    fit_multi_task,
    transfer_helps,
)
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.optimizers._base import Optimizer, expected_scores
from sklearn_lepton.optimizers._cost import Costs
from sklearn_lepton.optimizers._fidelity_policy import re_evaluate
from sklearn_lepton.optimizers._transfer import are_apart
from sklearn_lepton.space._dimension import FloatArray

_TRIALS_PER_FIT = 100
_ENOUGH_FULL = 6  # trials, for a judgement of what those with less of a resource tell
_N_WEIGHED = 5  # settings: the others promise less
N_ANYWHERE = 32  # points drawn at random that are screened beside an algorithm's own


class ModelOptimizer(Optimizer):
    """An optimizer with a Gaussian process and a forest of what it has been told.

    ``meta["theta"]`` holds the hyperparameters, from which the next fit starts, and
    ``meta["n_fitted"]`` how many trials they were fitted to; that is all the state
    there is. They are fitted anew with each trial up to 100, then whenever a
    hundredth part has come in addition.

    Older studies (``previous_studies``) share the process while they explain what has been told
    nearly as well as it does alone, or better.

    With ``cost_aware``, improvements are divided by a power of the seconds that they are
    expected to take; see `Costs`. That model is fitted anew with each proposal.

    With `resources` the models have one more column, the resource, and are asked about the
    full one.
    """

    def __init__(
        self,
        space: Any,
        *,
        seed: int = 0,
        n_initial_points: int | str = "auto",
        previous_studies: Sequence[Sequence[Trial]] = (),
        cost_aware: bool = False,
        max_seconds: float | None = None,
        resources: Sequence[float] = (1.0,),
    ) -> None:
        super().__init__(
            space,
            seed=seed,
            n_initial_points=n_initial_points,
            previous_studies=previous_studies,
            resources=resources,
        )
        self.configure(cost_aware=cost_aware, max_seconds=max_seconds)

    @property
    def uses_surrogate(self) -> bool:
        """Whether proposals come from the surrogate."""
        return True

    def configure(self, **options: Any) -> None:
        """Change options that depend on the run; see `Optimizer.configure`."""
        if options.get("cost_aware") and not self.uses_surrogate:
            raise ValueError(
                "cost_aware=True needs the model of surrogate=True, got surrogate=False: set "
                "one of them otherwise."
            )
        super().configure(**options)

    @ignore_float_errors
    def predict(self, params: Any) -> tuple[Any, Any]:
        """Predict the score of settings from the trials told.

        Parameters
        ----------
        params : dict or list of dict
            Settings, each with a value for every parameter of its branch.

        Returns
        -------
        mean : float or ndarray of shape (n_settings,)
            Expected score; a float where one dict was given.
        std : float or ndarray of shape (n_settings,)
            Standard deviation, in units of the score, of what a trial there would score:
            what the model does not know and the noise of the scores together.

        Raises
        ------
        ValueError
            If no trial is complete, or a setting does not lie in the space.

        Examples
        --------
        >>> from sklearn_lepton.optimizers import BayesOptimizer
        >>> optimizer = BayesOptimizer({"x": (0.0, 1.0, "uniform")}, seed=0)
        >>> trials = optimizer.ask(9)
        >>> optimizer.tell([trial.complete(trial.params["x"]) for trial in trials])
        >>> mean, std = optimizer.predict({"x": 0.7})
        >>> abs(mean - 0.7) < 0.1
        True
        """
        if self.best is None:
            raise ValueError("There is no model yet: tell at least one trial that has a score.")
        settings = [params] if isinstance(params, Mapping) else list(params)
        points = np.array([self.space.to_point(setting) for setting in settings])
        mean, std = self.predict_points(points.reshape(len(settings), self.space.n_dims))
        return (float(mean[0]), float(std[0])) if isinstance(params, Mapping) else (mean, std)

    @ignore_float_errors
    def model(self) -> SurrogateEnsemble:
        """Return the model of all that has been told, hopeless scores as they are."""
        model, _ = self._fit(*self._observations(), np.random.default_rng(self.seed), clip=False)
        return model

    @ignore_float_errors
    def predict_points(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Predict the score at points of the cube, of shape (n_points, n_dims); see `predict`."""
        model = self.model()
        mean, std = model.predict(points)
        process = model.process
        return process.y_mean + process.y_scale * mean, process.y_scale * std

    def _fit(
        self, points: FloatArray, scores: FloatArray, rng: np.random.Generator, *, clip: bool = True
    ) -> tuple[SurrogateEnsemble, dict[str, Any]]:
        """Return the model, with what is to be remembered of it."""
        process, meta = self._fit_process(points, scores, clip=clip)
        kind = FullFidelityEnsemble if self._fidelity.has_rungs else SurrogateEnsemble
        model = kind.of(process, rng, self._pending_points())
        if clip:
            self._derived["model"] = model, meta
        return model, meta

    def _fit_process(
        self, points: FloatArray, scores: FloatArray, *, clip: bool = True
    ) -> tuple[GaussianProcess, dict[str, Any]]:
        """Return the process, once for the trials that there are."""
        key = f"process, clip={clip}"
        if key not in self._derived:
            self._derived[key] = self._new_process(points, scores, clip=clip)
        process, meta = self._derived[key]
        return process, meta

    def _new_process(
        self, points: FloatArray, scores: FloatArray, *, clip: bool
    ) -> tuple[GaussianProcess, dict[str, Any]]:
        options: dict[str, Any] = {"categorical": self.space.is_categorical, "clip": clip}
        if not self._fidelity.has_rungs:
            told, noise = self._finished(), [0.0]
        else:
            told, noise = self._history().finished()
            points, scores = self._points_with_fidelity(told), expected_scores(told)
            options |= {
                "categorical": np.append(self.space.is_categorical, False),
                "has_resource": True,
            }
        stds = [trial.estimate[1] if trial.estimate else 0.0 for trial in told]
        options["variance"] = np.square(stds) + noise
        theta, n_fitted = self._last_theta(0)
        related, n_related = self._last_theta(self._n_studies)
        n_fitted, is_related = max(n_fitted, n_related), n_related >= n_fitted
        is_due = len(points) - n_fitted >= len(points) / _TRIALS_PER_FIT
        is_due |= theta is None and related is None
        options["max_iter"] = MAX_STEPS if is_due or not clip else 0
        process: GaussianProcess
        if not self._sources.studies:
            process = fit(points, scores, theta0=theta, **options)
            if self._fidelity.has_rungs:
                process = self._without_low_fidelity(process, points, scores, options)
        else:
            process = self._fit_all(
                points, scores, (theta, related), options, is_related=is_related
            )
        meta = {"theta": np.round(process.theta, 4).tolist(), "n_fitted": len(points)}
        return process, meta if is_due else {}

    @staticmethod
    def _without_low_fidelity(
        process: GaussianProcess, points: FloatArray, scores: FloatArray, options: dict[str, Any]
    ) -> GaussianProcess:
        """Return a process of the full trials alone, if what had less does not foretell them."""
        full = points[:, -1] == 1.0
        if full.sum() < _ENOUGH_FULL or full.all():
            return process
        options = options | {"variance": options["variance"][full], "max_iter": MAX_STEPS}
        own = fit(points[full], scores[full], **options)
        return process if low_fidelity_is_informative(process, own) else own

    def _assign_fidelity(self, trial: Trial) -> Trial:
        """Return a new trial with its fidelity, or the promotion that promises more per cost.

        See `FidelityPolicy.best_plan`. With ``cost_aware`` the seconds count as well.
        """
        if not self._assigns_fidelity or self._n_configurations < self._n_designed():
            return trial
        if "model" not in self._derived:
            self._fit(*self._observations(), np.random.default_rng([self.seed, trial.number]))
        model, fitted = self._derived["model"]
        model = NoisyIncumbentEnsemble(model.process, model.forest, model.weight)
        history, policy = self._history(), self._fidelity
        candidates = [(trial, -1), *history.promotable()]
        points = np.array([candidate.point for candidate, _ in candidates])
        row, rung = policy.best_plan(
            model,
            points,
            self._cost_aware(model).log_improvement(points, model.incumbent),
            [rung for _, rung in candidates],
            history,
            resumes=self.run_settings.resumes,
        )
        if row == 0:
            return replace(trial, fidelity=policy.fidelity(rung))
        promoted = re_evaluate(candidates[row][0], trial.number, policy.fidelity(rung))
        return replace(promoted, proposal={**promoted.proposal, **fitted})

    def _points_with_fidelity(self, trials: Sequence[Trial]) -> FloatArray:
        """Return the points of trials with their resource."""
        points = np.array([t.point for t in trials]).reshape(len(trials), self.space.n_dims)
        return append_fidelity(points, [t.fidelity or 1.0 for t in trials])

    def _pending_points(self) -> FloatArray:
        """Return what the model calls the points of trials asked for and not yet told."""
        if not self._fidelity.has_rungs:
            return super()._pending_points()
        return self._points_with_fidelity(
            [trial for trial in self.trials if trial.status == "pending"]
        )

    def _predicted_full_scores(self, trials: Sequence[Trial]) -> Iterable[float]:
        """Say what the model expects of settings at full resource."""
        if not trials or not self.uses_surrogate:
            return super()._predicted_full_scores(trials)
        process, _ = self._fit_process(*self._observations())
        mean, _ = process.predict(at_full_fidelity(np.array([trial.point for trial in trials])))
        return mean.tolist()  # type: ignore[no-any-return]

    def _fit_all(
        self,
        points: FloatArray,
        scores: FloatArray,
        starts: tuple[FloatArray | None, FloatArray | None],
        options: dict[str, Any],
        *,
        is_related: bool,
    ) -> GaussianProcess:
        """Fit a process to older studies as well, where these help."""
        theta, related = starts
        if not options["max_iter"] and not is_related:
            return fit(points, scores, theta0=theta, **options)
        process = fit_multi_task(points, scores, self._known_studies, theta0=related, **options)
        if not options["max_iter"] or not len(points):
            return process
        own = fit(points, scores, theta0=theta, **options)
        return process if transfer_helps(process, own) else own

    def _cost_aware(self, model: SurrogateEnsemble) -> SurrogateEnsemble:
        """Return the model with a price on its improvements, if costs count and are known."""
        settings = self.run_settings
        told = [t for t in self.trials if settings.cost_aware and t.status != "pending"]
        if "costs" not in self._derived:
            self._derived["costs"] = Costs.of(told, self.space.is_categorical)
        costs: Costs | None = self._derived["costs"]
        if costs is None:
            return model
        return costs.price(
            model,
            spent=sum(trial.duration for trial in told),
            max_seconds=settings.max_seconds,
            n_pending=len(self._trials) - len(told),
        )

    @property
    def _known_studies(self) -> list[TaskData]:
        """The older studies, with the column of the resource where the model has it."""
        if not self._fidelity.has_rungs:
            return self._sources.studies
        return [(at_full_fidelity(points), scores) for points, scores in self._sources.studies]

    @property
    def _n_studies(self) -> int:
        """Number of studies that the model knows, the current one included; 0 if only that."""
        n_older = min(len(self._sources.studies), MAX_SOURCE_TASKS)
        return n_older + 1 if n_older else 0

    def _last_theta(self, n_studies: int) -> tuple[FloatArray | None, int]:
        """Return the latest hyperparameters and the number of trials they were fitted to."""
        for trial in reversed(self.trials):
            theta = trial.proposal.get("theta", ())
            if len(theta) == self.space.n_dims + self._fidelity.has_rungs + n_studies + 2:
                return np.array(theta, dtype=float), trial.proposal.get("n_fitted", 0)
        return None, 0

    def _n_designed(self) -> int:
        """With older studies there is no design, unless they mislead: then it comes after all."""
        is_led = self._sources.studies and self._is_design_auto and self.uses_surrogate
        n_designed = self.n_initial_points + (len(self._sources.best_points) if is_led else 0)
        told = self._finished()
        if not is_led or self._n_configurations >= n_designed or (told and self.best is None):
            return n_designed
        process, _ = self._fit_process(*self._observations())
        return 0 if isinstance(process, MultiTaskProcess) else n_designed

    def _is_apart(self, points: FloatArray) -> npt.NDArray[np.bool_]:
        """Tell which points may be tried: with older studies the first ones lie apart.

        A model that follows a misleading study would stay near one place and never see it
        contradicted; what takes the place of the initial design has to spread like it.
        """
        n_apart = self.n_initial_points + len(self._sources.best_points)
        if not self._sources.studies or self._n_configurations >= n_apart:
            return np.ones(len(points), dtype=np.bool_)
        tried = np.array([trial.point for trial in self.trials])
        return are_apart(points, tried, self.space)

    def _screen(
        self,
        candidates: FloatArray,
        points: FloatArray,
        scores: FloatArray,
        rng: np.random.Generator,
    ) -> tuple[int, dict[str, Any]]:
        """Choose the candidate of which the model expects the greatest improvement.

        Parameters
        ----------
        candidates : ndarray of shape (n_candidates, n_dims)
            Points of the cube.
        points : ndarray of shape (n_told, n_dims)
            What has been tried.
        scores : ndarray of shape (n_told,)
            What it scored.
        rng : numpy.random.Generator

        Returns
        -------
        row : int
            That of the choice: a point not asked for yet, where there is one.
        meta : dict
            What is to be remembered of the model.

        References
        ----------
        Regis, R. G. (2014). Particle swarm with radial basis function surrogates for
        expensive black-box optimization. Journal of Computational Science 5(1).
        https://doi.org/10.1016/j.jocs.2013.07.004
        """
        snapped = self.space.snap(candidates)
        fresh = [
            row for row, point in enumerate(map(tuple, snapped.tolist())) if point not in self._seen
        ]
        if not fresh:
            return 0, {}
        model, meta = self._fit(points, scores, rng)
        model = self._cost_aware(model)
        value = model.log_improvement(snapped[fresh], model.incumbent)
        apart = self._is_apart(snapped[fresh])
        if apart.any():
            value = np.where(apart, value, -np.inf)
        return fresh[int(np.argmax(value))], meta
