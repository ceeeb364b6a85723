"""One page about a search: what was asked, what was found, and what to try next."""

from sklearn_lepton.report._write import write_report

__all__ = ["write_report"]
