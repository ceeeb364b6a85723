"""The HTML report of a search: results, suggestions, figures, settings and trials."""

from sklearn_lepton.report._write import write_report

__all__ = ["write_report"]
