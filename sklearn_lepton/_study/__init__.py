"""Trials and budget of a search, in memory or in a shared journal."""
