"""What a report knows of a search before a page is made of it."""

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
from sklearn_lepton.importance import parameter_importance
from sklearn_lepton.plotting._scale import Scale, scales_of
from sklearn_lepton.report._failures import Pattern, failure_pattern
from sklearn_lepton.space._content import python_scalar
from sklearn_lepton.space._values import Opaque

_MAX_SCALES = 20


@dataclass(frozen=True)
class ReportData:
    """A search as a report sees it.

    Attributes
    ----------
    source : Source
    search : object
        What was given: a fitted search, a result, a path, an optimizer or trials.
    """

    source: History
    search: Any

    @property
    def trials(self) -> list[Trial]:
        """The finished trials, in the order of their numbers."""
        return self.source.trials

    @cached_property
    def best(self) -> Trial | None:
        """The trial that the search has chosen; the best one where it does not say."""
        index = getattr(self.search, "best_index_", None)
        trials = getattr(self.search, "trials_", [])
        if index is not None and index < len(trials):
            return trials[index]  # type: ignore[no-any-return]
        return self.source.best

    @cached_property
    def ranked(self) -> list[Trial]:
        """The trials that can be chosen, the best first."""
        return candidates(self.trials)

    @cached_property
    def close(self) -> list[Trial]:
        """Those that the splits cannot tell from the best; empty where a split is all there is."""
        return not_significantly_worse(self.trials, self.source.ratio) if self.n_splits > 1 else []

    @cached_property
    def optimism(self) -> float:
        """How much too good the best score is; NaN if unknown."""
        return optimism(self.trials, self.source.n_disjoint) if self.n_splits > 1 else math.nan

    @property
    def n_splits(self) -> int:
        """Number of splits of the trials that can be chosen; 0 if they do not tell."""
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
        """What failed trials share."""
        return failure_pattern(self.trials, self.source.space)

    @property
    def is_minimized(self) -> bool:
        """Whether the scores are the values of a function times -1."""
        study = self.source.header.get("study", {})
        return bool(getattr(self.search, "minimize", False) or study.get("minimize", False))

    @cached_property
    def importance(self) -> Any:
        """What `parameter_importance` says; None if the trials are too few."""
        try:
            return parameter_importance(self.source)
        except ValueError:
            return None

    @cached_property
    def importance_of_better(self) -> Any:
        """The same with the worse half of the scores taken for equal."""
        return parameter_importance(self.source, quantile=0.5)

    @cached_property
    def scales(self) -> list[Scale]:
        """The axes of at most 20 parameters, those that matter most first."""
        scales = scales_of(self.source.space)
        if self.importance is not None:
            share = dict(
                zip(self.importance.names, shares_of(self.importance)[0].tolist(), strict=True)
            )
            first = self.importance.names[0]
            scales.sort(key=lambda scale: -share.get(scale.name or first, 0.0))
        return scales[:_MAX_SCALES]

    def scales_of_best(self) -> list[Scale]:
        """Return the axes of those parameters that the best trial has."""
        best = self.source.best
        if best is None:
            return []
        is_active = self.source.space.is_active(np.array([best.point]))[0]
        return [scale for scale in self.scales if is_active[scale.column]]


def read_findings(search: Any, space: Any = None) -> ReportData:
    """Read what a report is made of.

    Parameters
    ----------
    search : search, TuneResult, Optimizer, path of a journal or sequence of Trial
    space : Space, dict, list of dict or None, default=None
        Needed with a sequence of trials.

    Returns
    -------
    findings : Findings
    """
    source = read_source(search, space)
    n_scored = sum(trial.score is not None for trial in source.trials)
    if n_scored >= 4 and source.best is not None:
        # One model for all pictures.
        source = replace(source, optimizer=source.surrogate_optimizer())
    return ReportData(source, search)


def shares_of(found: Any) -> tuple[Any, Any]:
    """Return the share of each parameter, half of its interactions included, with errors.

    Parameters
    ----------
    found : Bunch
        Of `parameter_importance`.

    Returns
    -------
    shares, errors : ndarray of shape (n_names,)
    """
    each = found.importances + found.interactions.sum(axis=2) / 2
    shares = found.importances_mean + found.interactions_mean.sum(axis=1) / 2
    return shares, np.sqrt(np.mean((each - shares) ** 2, axis=0))


def to_code(params: Mapping[str, Any], call: str | None) -> str:
    """Write parameters as Python to paste.

    Parameters
    ----------
    params : dict
    call : str or None
        What is done with them, in the last line.

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
