"""Base class of the optimizers with a surrogate: fitting, predicting, selecting by it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sklearn_lepton._runtime.blas_threads import single_blas_thread
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
from sklearn_lepton._trials.untuned import inside
from sklearn_lepton.optimizers._base import Optimizer
from sklearn_lepton.optimizers._cost import CostModel
from sklearn_lepton.optimizers._fidelity_policy import re_evaluate
from sklearn_lepton.optimizers._limits import FeasibleAcquisition, LimitModel
from sklearn_lepton.optimizers._scores import expected_scores
from sklearn_lepton.optimizers._transfer import are_apart
from sklearn_lepton.space._dimension import FloatArray

_TRIALS_PER_FIT = 100  # hyperparameters are fitted again after one trial in so many
_MIN_FULL_TRIALS = 6  # for a judgement of the low fidelities
N_UNIFORM = 32  # uniformly drawn points among the candidates of an algorithm


class SurrogateOptimizer(Optimizer):
    """An optimizer with a surrogate: a Gaussian process and a forest, fitted to the scores.

    The ``proposal`` of a trial has ``"theta"``, the hyperparameters at which the next fit starts,
    and ``"n_fitted"``, the number of scores they were fitted to. They are fitted again for each
    trial up to 100, then whenever the number of trials has grown by one in a hundred.

    Source studies (``previous_studies``) become tasks of a multi-task process as long as it
    predicts the scores about as well as a process without them.

    With ``cost_aware``, expected improvement is divided by a power of the expected seconds; see
    `CostModel`. The model of the seconds is fitted again for each proposal.

    With `resources` the fidelity is one more input of the process. Predictions are always made
    at full fidelity.
    """

    def __init__(
        self,
        space: Any,
        *,
        seed: int = 0,
        n_initial_points: int | str = "auto",
        previous_studies: Any = (),
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
                "cost_aware=True needs surrogate=True, got surrogate=False: set surrogate=True "
                "or cost_aware=False."
            )
        super().configure(**options)

    @ignore_float_errors
    def predict(self, params: Any) -> tuple[Any, Any]:
        """Predict the score of configurations.

        Parameters
        ----------
        params : dict or list of dict
            Configurations, each with a value for every parameter of its branch.

        Returns
        -------
        mean : float or ndarray of shape (n_configurations,)
            Expected score at full fidelity; a float for a single dict.
        std : float or ndarray of shape (n_configurations,)
            Standard deviation of the score of a trial there. It includes the uncertainty of
            the surrogate and the noise of the scores.

        Raises
        ------
        ValueError
            If no trial is complete, or a configuration does not lie in the space.

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
        if not any(trial.score is not None and trial.is_full for trial in self._inside):
            raise ValueError(
                "There is no surrogate yet: tell a trial that is complete at full fidelity."
            )
        configurations = [params] if isinstance(params, Mapping) else list(params)
        points = np.array([self.space.to_point(each) for each in configurations])
        mean, std = self.predict_points(points.reshape(len(configurations), self.space.n_dims))
        return (float(mean[0]), float(std[0])) if isinstance(params, Mapping) else (mean, std)

    @ignore_float_errors
    @single_blas_thread
    def model(self) -> SurrogateEnsemble:
        """Return the surrogate of all finished trials, without clipping very low scores."""
        model, _ = self._fit(*self._observations(), np.random.default_rng(self.seed), clip=False)
        return model

    @ignore_float_errors
    @single_blas_thread
    def predict_points(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Predict the score at points, of shape (n_points, n_dims); see `predict`."""
        model = self.model()
        mean, std = model.predict(points)
        process = model.process
        return process.y_mean + process.y_scale * mean, process.y_scale * std

    def _fit(
        self, points: FloatArray, scores: FloatArray, rng: np.random.Generator, *, clip: bool = True
    ) -> tuple[SurrogateEnsemble, dict[str, Any]]:
        """Return the surrogate, and its hyperparameters for the ``proposal`` of a trial.

        Parameters
        ----------
        points : ndarray of shape (n_finished, n_dims)
        scores : ndarray of shape (n_finished,)
        rng : numpy.random.Generator
            Generator of the forest.
        clip : bool, default=True
            Whether very low scores are clipped, which makes better proposals.
        """
        process, fitted = self._fit_process(points, scores, clip=clip)
        kind = FullFidelityEnsemble if self._fidelity.has_rungs else SurrogateEnsemble
        model = kind.of(process, rng, self._pending_points())
        if clip:
            self._derived["model"] = model, fitted
        return model, fitted

    def _fit_process(
        self, points: FloatArray, scores: FloatArray, *, clip: bool = True
    ) -> tuple[GaussianProcess, dict[str, Any]]:
        """Return the process and its hyperparameters, computed once per change of the trials."""
        key = f"process, clip={clip}"
        if key not in self._derived:
            self._derived[key] = self._new_process(points, scores, clip=clip)
        process, fitted = self._derived[key]
        return process, fitted

    def _new_process(
        self, points: FloatArray, scores: FloatArray, *, clip: bool
    ) -> tuple[GaussianProcess, dict[str, Any]]:
        """Fit the process: to one fidelity or several, with source tasks or without."""
        options: dict[str, Any] = {"categorical": self.space.is_categorical, "clip": clip}
        if len(points):
            varies = np.ptp(points, axis=0) > 0.0
            options["n_columns"] = float((self.space.is_active(points) & varies).sum(1).mean())
        if not self._fidelity.has_rungs:
            finished, noise = self._finished(), [0.0]
        else:
            finished, noise = self._history().finished()
            points, scores = self._points_with_fidelity(finished), expected_scores(finished)
            options |= {
                "categorical": np.append(self.space.is_categorical, False),
                "has_resource": True,
            }
        # The score of a pruned trial is an estimate; its variance counts as noise.
        stds = [trial.estimate[1] if trial.estimate else 0.0 for trial in finished]
        options["variance"] = np.square(stds) + noise
        # Start at the hyperparameters of the latest trial: with source tasks and without.
        theta, n_fitted = self._last_theta(0)
        task_theta, n_fitted_tasks = self._last_theta(self._n_tasks)
        n_fitted, is_multi_task = max(n_fitted, n_fitted_tasks), n_fitted_tasks >= n_fitted
        is_due = len(points) - n_fitted >= len(points) / _TRIALS_PER_FIT
        is_due |= theta is None and task_theta is None
        options["max_iter"] = MAX_STEPS if is_due or not clip else 0
        process: GaussianProcess
        if not self._sources.studies:
            process = fit(points, scores, theta0=theta, **options)
            if self._fidelity.has_rungs:
                process = self._without_low_fidelity(process, points, scores, options)
        else:
            process = self._fit_with_sources(
                points, scores, (theta, task_theta), options, is_multi_task=is_multi_task
            )
        fitted = {"theta": np.round(process.theta, 4).tolist(), "n_fitted": len(points)}
        return process, fitted if is_due else {}

    @staticmethod
    def _without_low_fidelity(
        process: GaussianProcess, points: FloatArray, scores: FloatArray, options: dict[str, Any]
    ) -> GaussianProcess:
        """Return the process, or one of the full trials alone if the others don't inform it."""
        is_full = points[:, -1] == 1.0
        if is_full.sum() < _MIN_FULL_TRIALS or is_full.all():
            return process
        options = options | {"variance": options["variance"][is_full], "max_iter": MAX_STEPS}
        full_only = fit(points[is_full], scores[is_full], **options)
        return process if low_fidelity_is_informative(process, full_only) else full_only

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
            self._acquisition(model).log_improvement(points, model.incumbent),
            [rung for _, rung in candidates],
            history,
            resumes=self.run_settings.resumes,
        )
        if row == 0:
            return replace(trial, fidelity=policy.fidelity(rung))
        promoted = re_evaluate(candidates[row][0], trial.number, policy.fidelity(rung))
        return replace(promoted, proposal={**promoted.proposal, **fitted})

    def _points_with_fidelity(self, trials: Sequence[Trial]) -> FloatArray:
        """Return the points of trials with the column of their fidelity."""
        points = np.array([t.point for t in trials]).reshape(len(trials), self.space.n_dims)
        return append_fidelity(points, [t.fidelity or 1.0 for t in trials])

    def _pending_points(self) -> FloatArray:
        """Return the points of the pending trials as the process takes them."""
        if not self._fidelity.has_rungs:
            return super()._pending_points()
        return self._points_with_fidelity(
            [trial for trial in self._inside if trial.status == "pending"]
        )

    def _predicted_full_scores(self, trials: Sequence[Trial]) -> Iterable[float]:
        """Return the predicted score of each trial's configuration at full fidelity."""
        if not trials or not self.uses_surrogate:
            return super()._predicted_full_scores(trials)
        process, _ = self._fit_process(*self._observations())
        mean, _ = process.predict(at_full_fidelity(np.array([trial.point for trial in trials])))
        return mean.tolist()  # type: ignore[no-any-return]

    def _fit_with_sources(
        self,
        points: FloatArray,
        scores: FloatArray,
        initial: tuple[FloatArray | None, FloatArray | None],
        options: dict[str, Any],
        *,
        is_multi_task: bool,
    ) -> GaussianProcess:
        """Return a multi-task process if the source studies help, a plain one otherwise.

        Parameters
        ----------
        points : ndarray of shape (n_finished, n_dims)
        scores : ndarray of shape (n_finished,)
        initial : tuple of ndarray or None
            Hyperparameters to start at: of a plain process, of a multi-task one.
        options : dict
            Options of both fits.
        is_multi_task : bool
            Whether the latest process was a multi-task one. It decides if the hyperparameters
            are not fitted again.
        """
        theta, task_theta = initial
        is_due = options["max_iter"] > 0
        if not is_due and not is_multi_task:
            return fit(points, scores, theta0=theta, **options)
        process = fit_multi_task(points, scores, self._source_tasks, theta0=task_theta, **options)
        if not is_due or not len(points):
            return process
        single = fit(points, scores, theta0=theta, **options)
        return process if transfer_helps(process, single) else single

    def _acquisition(self, model: SurrogateEnsemble) -> Any:
        """Return the model to maximise, which weighs the costs and the limits."""
        objectives = self.run_settings.objectives
        if "limits" not in self._derived:
            finished, is_categorical = self._finished(), self.space.is_categorical
            self._derived["limits"] = LimitModel.of(finished, objectives, is_categorical)
        limits: LimitModel | None = self._derived["limits"]
        model = self._cost_aware(model)
        return model if limits is None else FeasibleAcquisition(model, limits)

    def _cost_aware(self, model: SurrogateEnsemble) -> SurrogateEnsemble:
        """Return the model: cost-aware if costs count and could be modelled."""
        settings = self.run_settings
        finished = [t for t in self.trials if settings.cost_aware and t.status != "pending"]
        if "costs" not in self._derived:
            self._derived["costs"] = CostModel.of(inside(finished), self.space.is_categorical)
        costs: CostModel | None = self._derived["costs"]
        if costs is None:
            return model
        return costs.acquisition(
            model,
            spent=sum(trial.duration for trial in finished),
            max_seconds=settings.max_seconds,
            n_pending=len(self._trials) - len(finished),
        )

    @property
    def _source_tasks(self) -> list[TaskData]:
        """The source studies, with the column of the fidelity if the process has one."""
        if not self._fidelity.has_rungs:
            return self._sources.studies
        return [(at_full_fidelity(points), scores) for points, scores in self._sources.studies]

    @property
    def _n_tasks(self) -> int:
        """Number of tasks of a multi-task process, this one included; 0 without sources."""
        n_sources = min(len(self._sources.studies), MAX_SOURCE_TASKS)
        return n_sources + 1 if n_sources else 0

    def _last_theta(self, n_tasks: int) -> tuple[FloatArray | None, int]:
        """Return the latest hyperparameters, and the number of scores they were fitted to.

        Their number tells a multi-task process from a plain one.
        """
        n_hyperparameters = self.space.n_dims + self._fidelity.has_rungs + n_tasks + 2
        for trial in reversed(self.trials):
            theta = trial.proposal.get("theta", ())
            if len(theta) == n_hyperparameters:
                return np.array(theta, dtype=float), trial.proposal.get("n_fitted", 0)
        return None, 0

    def _n_designed(self) -> int:
        """Return the number of configurations before the first proposal from scores.

        With helpful source studies it is 0. Otherwise the initial design follows the best
        configurations of the source studies.
        """
        has_sources = self._sources.studies and self._is_design_auto and self.uses_surrogate
        n_tried = len(self._sources.best_points) if has_sources else 0
        n_designed = self.n_initial_points + n_tried
        is_over = self._n_configurations >= n_designed
        if not has_sources or is_over or (self._finished() and self.best is None):
            return n_designed
        process, _ = self._fit_process(*self._observations())
        return 0 if isinstance(process, MultiTaskProcess) else n_designed

    def _is_apart(self, points: FloatArray) -> npt.NDArray[np.bool_]:
        """Return whether each point may be tried: with source studies the first ones lie apart.

        A surrogate that follows a misleading study would stay in one place and never see it
        contradicted. The first trials replace the initial design, so they spread like it.
        """
        n_apart = self.n_initial_points + len(self._sources.best_points)
        if not self._sources.studies or self._n_configurations >= n_apart:
            return np.ones(len(points), dtype=np.bool_)
        tried = np.array([trial.point for trial in self._inside])
        return are_apart(points, tried, self.space)

    def _select(
        self,
        candidates: FloatArray,
        points: FloatArray,
        scores: FloatArray,
        rng: np.random.Generator,
    ) -> tuple[int, dict[str, Any]]:
        """Return the candidate with the greatest expected improvement.

        Parameters
        ----------
        candidates : ndarray of shape (n_candidates, n_dims)
        points : ndarray of shape (n_finished, n_dims)
        scores : ndarray of shape (n_finished,)
        rng : numpy.random.Generator

        Returns
        -------
        row : int
            Row of the candidate; its point is a new one that is allowed, if any candidate's is.
        fitted : dict
            Hyperparameters for the ``proposal`` of the trial.

        References
        ----------
        Regis, R. G. (2014). Particle swarm with radial basis function surrogates for
        expensive black-box optimization. Journal of Computational Science 5(1).
        https://doi.org/10.1016/j.jocs.2013.07.004
        """
        snapped = self.space.snap(candidates)
        unseen = [
            row for row, point in enumerate(map(tuple, snapped.tolist())) if point not in self._seen
        ]
        if not unseen:
            return 0, {}
        model, fitted = self._fit(points, scores, rng)
        model = self._acquisition(model)
        value = model.log_improvement(snapped[unseen], model.incumbent)
        is_apart = self._is_apart(snapped[unseen])
        if is_apart.any():
            value = np.where(is_apart, value, -np.inf)
        ranked = np.array(unseen)[np.argsort(-value, kind="stable")]
        return self._first_allowed(snapped, ranked), fitted

    def _first_allowed(self, points: FloatArray, rows: npt.NDArray[np.intp]) -> int:
        """Return the first row whose point the constraint allows; the first if none is."""
        allowed = (row for row in rows.tolist() if self.space.allows_point(points[row].tolist()))
        return next(allowed, int(rows[0]))
