"""Report data: the trials of a search and the statistics that its report shows."""

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from sklearn_lepton._inspection.history import History, read_source, score_error
from sklearn_lepton._runtime.output import text_of
from sklearn_lepton._trials.ranking import candidates
from sklearn_lepton._trials.selection_bias import not_significantly_worse, optimism
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._trials.untuned import is_untuned
from sklearn_lepton.importance import parameter_importance
from sklearn_lepton.plotting._scale import Scale, scales_of
from sklearn_lepton.report._failures import Pattern, failure_pattern
from sklearn_lepton.space._content import python_scalar
from sklearn_lepton.space._values import Opaque

_MAX_SCALES = 20


@dataclass(frozen=True)
class ReportData:
    """The trials of a search with the statistics that a report shows.

    Attributes
    ----------
    source : History
    search : object
        The fitted search, result, path, optimizer or list of trials that was given.
    """

    source: History
    search: Any

    @property
    def trials(self) -> list[Trial]:
        """The finished trials, by number."""
        return self.source.trials

    @cached_property
    def best(self) -> Trial | None:
        """The trial that the search selected; the best one if it selected none."""
        index = getattr(self.search, "best_index_", None)
        trials = getattr(self.search, "trials_", [])
        if index is not None and index < len(trials):
            return trials[index]  # type: ignore[no-any-return]
        return self.source.best

    @cached_property
    def ranked(self) -> list[Trial]:
        """The complete trials at full fidelity, the best first."""
        return candidates(self.trials)

    @cached_property
    def close(self) -> list[Trial]:
        """The trials not significantly worse than the best; empty with a single split."""
        return not_significantly_worse(self.trials, self.source.ratio) if self.n_splits > 1 else []

    @cached_property
    def optimism(self) -> float:
        """Selection bias of the best score; NaN if unknown."""
        return optimism(self.trials, self.source.n_disjoint) if self.n_splits > 1 else math.nan

    @property
    def n_splits(self) -> int:
        """Number of splits of the ranked trials; 0 if it is unknown or differs."""
        counts = {len(trial.split_scores) for trial in self.ranked}
        return counts.pop() if len(counts) == 1 else 0

    @cached_property
    def default_trial(self) -> Trial | None:
        """The trial with the estimator's own parameters, if it has a score."""
        number = self.source.default_trial
        found = [t for t in self.trials if t.number == number and t.score is not None]
        return found[0] if found else None

    @property
    def error(self) -> float:
        """Standard error of the best score over the splits; 0.0 if unknown."""
        return 0.0 if self.best is None else score_error(self.best, self.source.ratio)

    @cached_property
    def failure_pattern(self) -> Pattern | None:
        """Conditions that the failed trials share."""
        return failure_pattern(self.source.inside, self.source.space)

    @property
    def is_minimized(self) -> bool:
        """Whether the scores are the negative values of a function."""
        study = self.source.header.get("study", {})
        return bool(getattr(self.search, "minimize", False) or study.get("minimize", False))

    @cached_property
    def importance(self) -> Any:
        """Result of `parameter_importance`; None if there are too few trials."""
        try:
            return parameter_importance(self.source)
        except ValueError:
            return None

    @cached_property
    def importance_of_better(self) -> Any:
        """Result of `parameter_importance` among the better half of the scores."""
        return parameter_importance(self.source, quantile=0.5)

    @cached_property
    def scales(self) -> list[Scale]:
        """Axes of at most 20 parameters, the most important first."""
        scales = scales_of(self.source.space)
        if self.importance is not None:
            share = dict(
                zip(self.importance.names, shares_of(self.importance)[0].tolist(), strict=True)
            )
            first = self.importance.names[0]
            scales.sort(key=lambda scale: -share.get(scale.name or first, 0.0))
        return scales[:_MAX_SCALES]

    def scales_of_best(self) -> list[Scale]:
        """Return the axes of the parameters that the best trial has."""
        best = self.source.best
        if best is None or is_untuned(best):
            return []
        is_active = self.source.space.is_active(np.array([best.point]))[0]
        return [scale for scale in self.scales if is_active[scale.column]]


def read_report_data(search: Any, space: Any = None) -> ReportData:
    """Read the trials of a search for a report.

    Parameters
    ----------
    search : search, TuneResult, Optimizer, path of a journal or sequence of Trial
    space : Space, dict, list of dict or None, default=None
        Search space; required with a sequence of trials.

    Returns
    -------
    report : ReportData
    """
    source = read_source(search, space)
    n_scored = sum(trial.score is not None for trial in source.trials)
    if n_scored >= 4 and source.best is not None:
        # Fit one surrogate for all figures.
        source = replace(source, optimizer=source.surrogate_optimizer())
    return ReportData(source, search)


def shares_of(importance: Any) -> tuple[Any, Any]:
    """Return the share of each parameter with its error, half of its interactions included.

    Parameters
    ----------
    importance : Bunch
        Result of `parameter_importance`.

    Returns
    -------
    shares, errors : ndarray of shape (n_names,)
    """
    samples = importance.importances + importance.interactions.sum(axis=2) / 2
    shares = importance.importances_mean + importance.interactions_mean.sum(axis=1) / 2
    return shares, np.sqrt(np.mean((samples - shares) ** 2, axis=0))


def to_code(params: Mapping[str, Any], call: str | None) -> str:
    """Return Python code that assigns parameters.

    Parameters
    ----------
    params : dict
    call : str or None
        Last line of the code, which uses them.

    Returns
    -------
    code : str
    """
    lines = [f"    {name!r}: {_literal(value)}" for name, value in params.items()]
    return "\n".join(["params = {", *lines, "}", *([call] if call else [])])


def _literal(value: Any) -> str:
    value = python_scalar(value)
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value!r}"),'
    text = text_of(value, repr)
    if isinstance(value, Opaque):
        return f"...,  # {_one_line(value.text)}"
    try:
        ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return f"...,  # {_one_line(text)}"
    return f"{text},"


def _one_line(text: str) -> str:
    return " ".join(text.split())
