"""Evaluators: run trials and turn scikit-learn's rows into scores."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sklearn_lepton._trial import Trial
from sklearn_lepton._typing import Rows


class BatchEvaluator:
    """Run trials in batches, each of which waits for its slowest.

    Parameters
    ----------
    evaluate : callable
        Takes the parameters of each trial, returns the rows of each.
    metric : str or None
        Name of the metric that is optimised where a scorer returns several;
        None is the first.
    n_points : int
        Trials in a batch.
    """

    def __init__(
        self,
        evaluate: Callable[[list[Mapping[str, Any]]], list[Rows]],
        *,
        metric: str | None,
        n_points: int,
    ) -> None:
        self._evaluate = evaluate
        self._metric = metric
        self._n_points = n_points
        self._submitted: list[Trial] = []

    def free(self) -> int:
        """Return how many trials still fit into the batch."""
        return self._n_points - len(self._submitted)

    def submit(self, trials: Sequence[Trial]) -> None:
        """Add trials to the batch."""
        self._submitted.extend(trials)

    def collect(self) -> list[Trial]:
        """Run the batch and return its trials."""
        trials, self._submitted = self._submitted, []
        if not trials:
            return []
        rows = self._evaluate([trial.params for trial in trials])
        return [finish(trial, row, self._metric) for trial, row in zip(trials, rows, strict=True)]

    def close(self) -> list[Trial]:
        """Return nothing: no trial runs between two calls of `collect`."""
        return []


def finish(trial: Trial, rows: Rows, metric: str | None) -> Trial:
    """Return a trial with the results of its splits.

    It fails if fit or scorer failed on any split or the mean score is not finite.

    Parameters
    ----------
    trial : Trial
    rows : sequence of dict of length n_splits
        What scikit-learn returned for each split.
    metric : str or None
        Name of the metric that is optimised where there are several; None is
        the first.

    Returns
    -------
    trial : Trial
    """
    scores = []
    for row in rows:
        score = row["test_scores"]
        if isinstance(score, Mapping):
            score = score[next(iter(score)) if metric is None else metric]
        scores.append(float(score))
    seconds = sum(float(row["fit_time"]) + float(row["score_time"]) for row in rows)
    if any(row["fit_error"] is not None for row in rows):
        return trial.fail(split_scores=scores, rows=rows, seconds=seconds)
    mean = sum(scores) / len(scores)
    return trial.complete(mean, split_scores=scores, rows=rows, seconds=seconds)
