"""SplitResult: scores, times and error of one fit on one split."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sklearn_lepton.space._frozen import freeze
from sklearn_lepton.space._values import value_from_json, value_to_json

Scores = float | Mapping[str, float]

# The keys of journals are those of scikit-learn's fits.
_JSON_KEYS = {
    "start_time": "start_time",
    "scores": "test_scores",
    "train_scores": "train_scores",
    "fit_time": "fit_time",
    "score_time": "score_time",
    "saved_time": "saved_time",
    "n_rounds": "n_rounds",
    "error": "fit_error",
    "worker": "worker",
}
_OPTIONAL = frozenset({"start_time", "train_scores", "saved_time", "n_rounds"})


@dataclass(frozen=True, slots=True)
class SplitResult:
    """Scores, times and error of one fit on one split.

    A split that was not run has a result without scores, error and start time, which is false.

    Parameters
    ----------
    scores : float, dict of str to float or None, default=None
        Test score, or a score for each of several metrics; greater is better.
    train_scores : float, dict of str to float or None, default=None
        Training scores; None unless ``return_train_score=True``.
    fit_time : float, default=0.0
        Duration of the fit, in seconds.
    score_time : float, default=0.0
        Duration of the scoring, in seconds.
    start_time : float or None, default=None
        Start of the fit, in seconds since the epoch; None if unknown.
    worker : int, default=-1
        Number of the worker that ran the fit; -1 if none did.
    error : str or None, default=None
        Traceback of a fit that failed.
    n_rounds : int or None, default=None
        Best number of boosting rounds, with ``eval_set_from_split=True``.
    saved_time : float or None, default=None
        Seconds that cached steps or a warm start saved.

    Examples
    --------
    >>> from sklearn_lepton.optimizers import SplitResult
    >>> result = SplitResult(scores=0.9, fit_time=1.5)
    >>> result.scores, result.is_run, SplitResult().is_run
    (0.9, True, False)
    """

    scores: Scores | None = None
    train_scores: Scores | None = None
    fit_time: float = 0.0
    score_time: float = 0.0
    start_time: float | None = None
    worker: int = -1
    error: str | None = None
    n_rounds: int | None = None
    saved_time: float | None = None

    def __post_init__(self) -> None:
        """Freeze the scores of several metrics."""
        for name in ("scores", "train_scores"):
            value = getattr(self, name)
            if isinstance(value, Mapping):
                object.__setattr__(self, name, freeze(dict(value)))

    def __bool__(self) -> bool:
        """Return whether the split was run."""
        return self.is_run

    @property
    def is_run(self) -> bool:
        """Whether the split was run."""
        return not (self.scores is None and self.error is None and self.start_time is None)

    @property
    def duration(self) -> float:
        """Seconds of the fit and its scoring."""
        return float(self.fit_time) + float(self.score_time)

    @property
    def duration_from_scratch(self) -> float:
        """Seconds that the fit and its scoring would take if nothing had been saved."""
        return self.duration + float(self.saved_time or 0.0)

    def to_json(self) -> dict[str, Any]:
        """Encode the result in JSON types.

        Returns
        -------
        data : dict
            Empty for a split that was not run.
        """
        if not self.is_run:
            return {}
        return {
            key: value_to_json(value)
            for name, key in _JSON_KEYS.items()
            if (value := getattr(self, name)) is not None or name not in _OPTIONAL
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "SplitResult":
        """Decode a result that `to_json` encoded; other keys are ignored.

        Parameters
        ----------
        data : dict

        Returns
        -------
        result : SplitResult
        """
        values = {
            name: value_from_json(data[key]) for name, key in _JSON_KEYS.items() if key in data
        }
        return cls(**values)
