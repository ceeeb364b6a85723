"""The `report` method of searches and tune results."""

import os
from pathlib import Path


class ReportMixin:
    """Adds a method that writes an HTML report."""

    def report(self, path: str | os.PathLike[str], *, title: str | None = None) -> Path:
        """Write a page about the search: what was asked, what was found, what to try next.

        One file of HTML that loads nothing; see `sklearn_lepton.report.write_report`.

        Parameters
        ----------
        path : str or path-like
            Where to; a file there is replaced. Its folder must exist.
        title : str or None, default=None
            Heading of the page; None names what was tuned.

        Returns
        -------
        path : Path
            The file.
        """
        # Most searches write no report, and its figures take a while to import.
        from sklearn_lepton.report._write import write_report  # noqa: PLC0415 - loaded when used

        return write_report(self, path, title=title)
