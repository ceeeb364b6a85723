"""The methods `report` and `to_frame` of searches and tune results."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sklearn.utils.validation import check_is_fitted

from sklearn_lepton._trials.frame import trials_as_frame
from sklearn_lepton._trials.trial import Trial


class ReportMixin:
    """Adds methods that show the trials, as an HTML report and as a table."""

    def to_frame(self) -> Any:
        """Return the trials as a DataFrame; needs pandas.

        Returns
        -------
        frame : DataFrame
            One row for each trial, with its number as index, and the columns ``status``,
            ``score``, ``duration``, ``fidelity`` if it is below 1 in some trials,
            ``param_<name>`` for each parameter, NaN where it is not active,
            ``split<k>_score``, ``mean_fit_time`` and ``mean_score_time`` of the splits,
            ``start_time`` in seconds since the epoch, and ``error``, the line that names the
            error of a failed trial.

        Raises
        ------
        NotFittedError
            If the search has not been fitted.
        ImportError
            If pandas is not installed.
        """
        check_is_fitted(self, "trials_")
        trials: list[Trial] = self.trials_  # type: ignore[attr-defined]
        return trials_as_frame(trials, [self._plain_params(trial.params) for trial in trials])

    def _plain_params(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return parameters as they are shown."""
        return dict(params)

    def report(self, path: str | os.PathLike[str], *, title: str | None = None) -> Path:
        """Write an HTML report of the search: results, suggestions, figures, settings, trials.

        The report is a single file that loads nothing; see
        `sklearn_lepton.report.write_report`.

        Parameters
        ----------
        path : str or path-like
            Path of the report. An existing file is replaced; the folder must exist.
        title : str or None, default=None
            Heading of the page; None names the tuned estimator or function.

        Returns
        -------
        path : Path
            Path of the report.
        """
        # Most searches write no report, and its figures take a while to import.
        from sklearn_lepton.report._write import write_report  # noqa: PLC0415 - loaded when used

        return write_report(self, path, title=title)
