"""The `report` method of searches and tune results."""

import os
from pathlib import Path


class ReportMixin:
    """Adds a method that writes an HTML report."""

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
