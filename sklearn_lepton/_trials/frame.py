"""Tables of trials, one row each; they need pandas."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.space._frozen import thaw


def trials_as_frame(
    trials: Sequence[Trial], params: Sequence[Mapping[str, Any]] | None = None
) -> Any:
    """Return trials as a DataFrame.

    Parameters
    ----------
    trials : sequence of Trial
    params : sequence of dict or None, default=None
        The parameters to show; None shows those of the trials.

    Returns
    -------
    frame : DataFrame
        The columns of `load_trials`, by the number of the trial.

    Raises
    ------
    ImportError
        If pandas is not installed.
    """
    try:
        import pandas as pd  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ImportError(
            "A table of trials needs pandas: pip install 'sklearn-lepton[pandas]'"
        ) from error
    results = [[result for result in trial.split_results if result] for trial in trials]
    columns: dict[str, Any] = {
        "status": [trial.status for trial in trials],
        "score": np.array([trial.score for trial in trials], dtype=float),
        "duration": np.array([trial.duration for trial in trials], dtype=float),
    }
    if not all(trial.is_full for trial in trials):
        columns["fidelity"] = [1.0 if t.fidelity is None else t.fidelity for t in trials]
    settings = [thaw(each) for each in params or [trial.params for trial in trials]]
    for name in dict.fromkeys(name for setting in settings for name in setting):
        cells = _objects([setting.get(name, np.nan) for setting in settings])
        values = pd.Series(cells, dtype=object)
        # None is a value, where NaN is the lack of one.
        has_none = any(setting.get(name, 0) is None for setting in settings)
        columns[f"param_{name}"] = values if has_none else values.infer_objects()
    for split in range(max((len(trial.split_scores) for trial in trials), default=0)):
        columns[f"split{split}_score"] = [
            trial.split_scores[split] if split < len(trial.split_scores) else np.nan
            for trial in trials
        ]
    columns |= {
        "mean_fit_time": [_mean([result.fit_time for result in each]) for each in results],
        "mean_score_time": [_mean([result.score_time for result in each]) for each in results],
        "start_time": np.array([_start(each) for each in results], dtype=float),
        "error": pd.Series([trial.error for trial in trials], dtype=object),
    }
    frame = pd.DataFrame(columns)
    frame.index = pd.Index([trial.number for trial in trials], name="number", dtype=int)
    return frame


def _objects(values: Sequence[Any]) -> Any:
    """Return an array of objects; numpy would read lists and pipelines as rows."""
    array = np.empty(len(values), dtype=object)
    for row, value in enumerate(values):
        array[row] = value
    return array


def _start(results: Sequence[SplitResult]) -> float:
    starts = [result.start_time for result in results if result.start_time is not None]
    return min(starts, default=np.nan)


def _mean(seconds: Sequence[float]) -> float:
    return float(np.mean(seconds)) if seconds else np.nan
