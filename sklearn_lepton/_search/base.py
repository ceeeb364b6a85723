"""The base of the searches: everything except the optimizer and the constructor."""

import copy
import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from sklearn_lepton._evaluation.convergence_warnings import QuietFits
from sklearn_lepton._evaluation.early_stopping import EarlyStopping
from sklearn_lepton._evaluation.fits import Fits
from sklearn_lepton._evaluation.loop import Callbacks, make_callbacks
from sklearn_lepton._evaluation.resource import (
    Resource,
    ResourceBounds,
    make_resource,
    without_resource,
)
from sklearn_lepton._evaluation.results import explain_failures
from sklearn_lepton._evaluation.sklearn import FitContext, SearchTask
from sklearn_lepton._evaluation.splits import OTHER_SPLITS, FrozenSplits
from sklearn_lepton._evaluation.step_cache import StepCache, reusable_steps
from sklearn_lepton._runtime.output import warn
from sklearn_lepton._search.best_outputs import BestOutputs, BestOutputsMixin
from sklearn_lepton._search.ensemble import EnsembleMixin
from sklearn_lepton._search.final_choice import ChoiceOptions, FinalChoice
from sklearn_lepton._search.inputs import (
    initial_configurations,
    make_space,
    read_studies,
    scores_untuned,
    trial_limit,
)
from sklearn_lepton._search.nested import ComparisonMixin
from sklearn_lepton._search.objectives import ObjectivesMixin, check_limits
from sklearn_lepton._search.parameters import SearchParameters
from sklearn_lepton._search.ranges import check_ranges
from sklearn_lepton._search.run import CloseStack, RunOptions, SearchRun, draw_seed
from sklearn_lepton._search.selection import check_choice
from sklearn_lepton._search.sklearn_search import LEFT_BY_FIT, OF_CHOICE
from sklearn_lepton._search.update import Update, UpdateMixin
from sklearn_lepton._search.validation import check_n_splits, check_names
from sklearn_lepton._study.fingerprint import check_scores, describe_study
from sklearn_lepton._study.opening import open_journal
from sklearn_lepton._study.study import DEFAULT_N_TRIALS, SharedStudy, Study
from sklearn_lepton._trials.ranking import metric_of
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._trials.untuned import UntunedParams, is_untuned
from sklearn_lepton._typing import Callback, FitAid, Workers
from sklearn_lepton._validation import given_space, is_whole
from sklearn_lepton.exceptions import SearchInterruptedWarning, SpaceExhaustedWarning
from sklearn_lepton.optimizers._base import Optimizer
from sklearn_lepton.space._space import Space


class _Setup(NamedTuple):
    """The parts of a run that a search needs again to set its results.

    Attributes
    ----------
    fits : Fits
    splits : FrozenSplits
    resource : Resource or None
        The resource that trials have a share of.
    source_studies : list of list of Trial
        Older studies to learn from.
    choice : FinalChoice
    outputs : BestOutputs
    data_shape : tuple or None
        Shape of the data, if they have one.
    """

    fits: Fits
    splits: FrozenSplits
    resource: Resource | None
    source_studies: list[list[Trial]]
    choice: FinalChoice
    outputs: BestOutputs
    data_shape: Any


class BaseOptimizerSearchCV(
    ObjectivesMixin, UpdateMixin, ComparisonMixin, BestOutputsMixin, EnsembleMixin, SearchParameters
):
    """The base of the searches: everything except the optimizer and the constructor."""

    trials_: list[Trial]
    space_: Space
    _studies: list[list[Trial]]

    @abstractmethod
    def _make_optimizer(
        self,
        space: Space,
        seed: int,
        previous_studies: list[list[Trial]],
        resources: Sequence[float],
    ) -> Optimizer:
        """Return the optimizer, made from the parameters of the search."""

    def _search(self, context: FitContext, callback_ctx: Any) -> None:
        """Run the search; `fit` calls it once, with everything else prepared."""
        check_n_splits(self.n_splits_, self.cv)
        callbacks = Callbacks(self, self._make_callbacks(), self._errors)
        try:
            with CloseStack(self._errors) as opened:
                has_earlier = "trials_" in vars(self)
                run, setup = self._open(context, callback_ctx, opened)
                self._run(run, setup, callbacks, has_earlier=has_earlier)
                if run.study.optimizer.best is not None:
                    if chosen := self._best_of_front() or setup.choice.choose(self.trials_):
                        self._choice = chosen
                    self._set_outputs(setup.outputs, run.update)
            if run.study.optimizer.best is None:
                self._fail(run.study, callbacks)
        except BaseException:
            callbacks.finish(None)
            raise
        row = self._chosen_row() if callbacks.have_finish else None
        callbacks.finish(None if row is None else self.trials_[row])

    def _make_callbacks(self) -> list[Callback]:
        """Return the stopping rules and the user's callbacks."""
        return make_callbacks(
            self.callbacks,
            target_score=self.target_score,
            n_iter_no_change=self.n_iter_no_change,
            tol=self.tol,
        )

    def _run_options(self) -> RunOptions:
        """Return the options of a run."""
        return RunOptions(
            name=type(self).__name__,
            n_jobs=self.n_jobs,
            n_iter=self.n_iter,
            n_points=self.n_points,
            asynchronous=self.asynchronous,
            fit_timeout=self.fit_timeout,
            cost_aware=self.cost_aware,
            max_time=self.max_time,
            ends_fits=self._ends_fits_at_max_time(),
            racing=self.racing,
            metric=metric_of(self.refit),
            verbose=self.verbose,
        )

    def _choice_options(self) -> ChoiceOptions:
        """Return the options of the final choice."""
        return ChoiceOptions(
            final_cv=self.final_cv,
            refit=self.refit,
            complexity=self.complexity,
            error_score=self.error_score,
            fit_timeout=self.fit_timeout,
            max_time=self.max_time,
            verbose=self.verbose,
        )

    def _open(
        self, context: FitContext, callback_ctx: Any, opened: CloseStack
    ) -> tuple[SearchRun, _Setup]:
        """Open and check everything that the search needs, before the first fit."""
        update: Update | None = self.__dict__.pop("_update", None)
        options = self._run_options()
        workers = opened.keep(self._make_workers(context.parallel))
        space = self._make_space(context, update)
        self._check_objectives()
        check_choice(
            self.complexity,
            self.final_cv,
            space,
            refit=self.refit,
            scoring=self.scoring,
            cv=self.cv,
        )
        self._check_outputs(context, space)
        aids = [opened.keep(aid) for aid in self._make_aids(context, space, workers)]
        studies = self._source_studies(space, update)
        window = options.window(workers.n_workers, self.n_splits_)
        study, splits, resource = self._prepare(context, space, studies, opened, window=window)
        options.configure(study.optimizer, workers.n_workers, self.n_splits_)
        parts: dict[str, Any] = {"aids": aids, "resource": resource, "errors": opened.errors}
        choice = FinalChoice(self._choice_options(), context, splits, study, **parts)
        outputs = self._make_outputs(context, splits, study, update, **parts)
        opened.keep(outputs)
        # The search travels to the workers; the results of an earlier fit must not.
        for name in LEFT_BY_FIT:
            self.__dict__.pop(name, None)
        task = None
        if callback_ctx is not None:
            n_leaves = study.n_trials * self.n_splits_
            task = opened.keep(SearchTask(callback_ctx, self, n_leaves))
        fits = Fits(
            context,
            check_metrics=self._check_metrics,
            task=task,
            splits=splits,
            aids=aids,
            resource=resource,
            earlier=study.finished(),
            outputs=outputs.store,
        )
        run = SearchRun(
            options,
            study,
            workers,
            fits,
            opened.errors,
            choice.search_deadline,
            update=update,
            reserve=lambda: self._reserved_seconds(study.optimizer.trials),
        )
        data_shape = getattr(context.X, "shape", None)
        return run, _Setup(fits, splits, resource, studies, choice, outputs, data_shape)

    def _run(
        self,
        run: SearchRun,
        setup: _Setup,
        callbacks: Callbacks,
        *,
        has_earlier: bool,
    ) -> None:
        """Run the trials, and set the results however they end."""
        study, n_known = run.study, len(run.study.finished())
        reason, is_over = None, False
        try:
            callbacks.start()
            reason = run.run(callbacks)
            setup.choice.score_finalists(self._make_workers)
            is_over = True
        except KeyboardInterrupt:
            if study.optimizer.best is None:
                raise
            reason, is_over = "interrupted", True
            msg = "The search was interrupted: it ends with the trials that have finished."
            warn(msg, SearchInterruptedWarning, stacklevel=6)
        finally:
            # An error on its way out costs no finished trial. A run without a new trial leaves
            # the earlier fit as it was.
            has_best = study.optimizer.best is not None
            if len(study.finished()) > n_known or not has_earlier or (is_over and has_best):
                self._publish(study, setup, reason)
                if has_best:
                    self.cv_results_ = setup.fits.publish(self.trials_)
                    setup.choice.publish(self.cv_results_, self.trials_)
                    setup.fits.warn_of_scorer(self.trials_)

    def _publish(self, study: Study, setup: _Setup, reason: str | None) -> None:
        """Set the results of this fit, and remove all results of an earlier one."""
        resource = setup.resource
        results: dict[str, Any] = {
            "trials_": study.finished(),
            "space_": study.optimizer.space,
            "optimizer_": study.optimizer,
            "stop_reason_": reason,
            "_fingerprint": setup.splits.fingerprint,
            "_split_layout": setup.splits.layout,
            "_studies": setup.source_studies,
            "_scoring": (self._scores().describe(), self.scoring),
            "_resource": None if resource is None else resource.describe(),
            "_data_shape": setup.data_shape,
        }
        kept = {name: value for name, value in vars(self).items() if name not in OF_CHOICE}
        self.__dict__ = kept | results

    def _fail(self, study: Study, callbacks: Callbacks) -> NoReturn:
        """Raise the error of a search in which no trial has a score."""
        if callbacks.has_failed:
            self._errors.raise_first()
        trials, ended_early = study.finished(), vars(self).get("stop_reason_") is None
        check_limits(trials, study.optimizer.run_settings.objectives)
        if any(trial.is_full for trial in trials):
            raise ValueError(explain_failures(trials, ended_early=ended_early))
        first = "a trial" if self.resource is None else "a trial with the full resource"
        raise TimeoutError(
            f"max_time={self.max_time} s passed before {first} had finished, so that there is no "
            "result: give it more time, or a smaller estimator or part of the data."
        )

    def _make_space(self, context: FitContext, update: Update | None) -> Space:
        """Return the space; a continued search keeps a space that depends on the data."""
        given = given_space(vars(self))
        resumes = update is not None or self.warm_start
        if isinstance(given, str) and given == "auto" and resumes and hasattr(self, "space_"):
            return self.space_
        return make_space(given, self.estimator, context.X, context.y, without=self.resource)

    def _source_studies(self, space: Space, update: Update | None) -> list[list[Trial]]:
        """Return the source studies of the search."""
        if update is not None:
            return read_studies(update.source_studies, self.estimator, space)
        if self.warm_start and getattr(self, "trials_", None):
            return self._studies
        convert = self._params_in_space
        return read_studies(self.previous_studies, self.estimator, space, convert=convert)

    def _params_in_space(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return parameters, which may be those of a table, in the values of the space."""
        return params

    def _prepare(
        self,
        context: FitContext,
        space: Space,
        studies: list[list[Trial]],
        opened: CloseStack,
        *,
        window: int | None,
    ) -> tuple[Study, FrozenSplits, Resource | None]:
        """Return the study to start from, the splits, and the resource."""
        check_names(space, self.estimator)
        check_ranges(space, self.estimator)
        seed, earlier, fingerprint = self._earlier_search(space)
        initial = without_resource(self.initial_params, self.resource)
        configurations = initial_configurations(initial, self.estimator, space)
        if not scores_untuned(self):
            configurations = [c for c in configurations if not isinstance(c, UntunedParams)]
        splits = FrozenSplits(context, fingerprint)
        resource = make_resource(
            self.resource,
            ResourceBounds(self.min_resources, self.max_resources),
            self.estimator,
            y=context.y,
            space=space,
            splits=splits.split(),
            eval_set_from_split=self.eval_set_from_split,
        )
        if resource is not None:
            opened.keep(resource)
        if earlier and self._resource != (None if resource is None else resource.describe()):
            raise ValueError(
                "With warm_start=True resource, min_resources and max_resources must be those of "
                "the fit before: give the same ones, or set warm_start=False to start over."
            )

        def make(seed: int) -> Optimizer:
            shares = (1.0,) if resource is None else resource.shares
            optimizer = self._make_optimizer(space, seed, studies, shares)
            optimizer.configure(
                resumes=resource is not None and resource.resumes, objectives=self.objectives
            )
            optimizer.tell(earlier)
            optimizer.enqueue(configurations)
            return optimizer

        n_trials = self._trial_limit() + len(earlier)
        study = Study(make(seed), n_trials, window=window)
        if study.is_truncated and is_whole(self.n_iter):
            is_plain, n_held = resource is None, study.n_trials - len(earlier)
            n_held -= study.optimizer.n_outside - sum(map(is_untuned, earlier))
            kind = "configurations" if is_plain else "trials"
            each = "of them" if is_plain else "configuration with each amount of the resource"
            msg = (
                f"The space holds {n_held} {'further ' * bool(earlier)}"
                f"{kind}, fewer than n_iter={self._trial_limit()}: each {each} is tried once."
            )
            warn(msg, SpaceExhaustedWarning, stacklevel=5)
        if self.journal is None:
            return study, splits, resource
        if not splits.is_repeatable:
            raise ValueError(
                f"cv={self.cv!r} makes other splits each time, so that a journal could not be "
                "continued: give it a random_state, or set journal=None."
            )
        header = describe_study(
            self.estimator,
            self._scores(),
            space,
            context,
            splits,
            source_studies=studies,
            error_score=self.error_score,
            eval_set_from_split=self.eval_set_from_split,
            resource=resource,
        )
        replay = open_journal(
            self.journal,
            header,
            seed=seed,
            is_seed_given=is_whole(self.random_state),
            space=space,
            layout=splits.layout._asdict(),
            is_clone=self._is_clone,
            is_new=not earlier,
            untuned=next((c for c in configurations if isinstance(c, UntunedParams)), None),
        )
        opened.keep(replay.journal)
        study = SharedStudy(make(replay.seed), n_trials, replay, window=window)
        return study, splits, resource

    def _trial_limit(self) -> float:
        """Return the number of new trials; infinite where only the time limits them."""
        return trial_limit(self.n_iter, self.max_time)

    def _for_workers(self) -> "BaseOptimizerSearchCV":
        """Return the copy of this search that workers get, for scikit-learn's callbacks.

        The callbacks of the search itself run in this process, and may hold objects that cannot
        be pickled. The same is true of earlier studies, `complexity` and `final_cv`.
        """
        copied = copy.copy(self)
        return copied.set_params(  # type: ignore[no-any-return]
            callbacks=None, previous_studies=None, complexity=None, final_cv=None
        )

    def _earlier_search(self, space: Space) -> tuple[int, list[Trial], str | None]:
        """Return the seed, the trials and the fingerprint of the splits to start from."""
        if not self.warm_start or not getattr(self, "trials_", None):
            return draw_seed(self.random_state), [], None
        if space != self.space_:
            raise ValueError(
                "With warm_start=True the space must be that of the fit before, got another one: "
                "set warm_start=False to start over."
            )
        if len(self.trials_[0].split_results) != self.n_splits_:
            raise ValueError(OTHER_SPLITS)
        check_scores(self._scores(), self._scoring)
        if len(self.trials_) >= space.size and self.optimizer_.is_exhausted:
            raise ValueError(
                f"All {len(self.trials_)} configurations of the space have been tried, so that "
                "none is left: widen the space and set warm_start=False."
            )
        return self.optimizer_.seed, self.trials_, self._fingerprint

    def _make_workers(self, parallel: Any) -> Workers:
        """Return workers that can do everything that the parameters ask for."""
        return self._run_options().make_workers(parallel)

    def _make_aids(self, context: FitContext, space: Space, workers: Workers) -> list[FitAid]:
        """Return the aids of each fit: early stopping, hidden warnings, the cache of steps."""
        aids: list[FitAid] = [EarlyStopping(context, space)] if self.eval_set_from_split else []
        aids += [QuietFits()] if isinstance(given_space(vars(self)), str) else []
        if self.cache_steps and workers.is_here:
            limit = self._trial_limit()
            n_trials = limit if math.isfinite(limit) else DEFAULT_N_TRIALS
            names = reusable_steps(context.estimator, space, int(n_trials))
            if names:
                aids.append(StepCache(names, has_processes=workers.can_end))
        return aids

    def _ends_fits_at_max_time(self) -> bool:
        """Return whether fits that run at the end of `max_time` are ended."""
        return self.max_time is not None

    def _reserved_seconds(self, trials: Sequence[Trial]) -> float:
        """Return the seconds of `max_time` for the refit: none, where the estimator is given."""
        del trials
        return 0.0
