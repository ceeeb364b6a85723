"""Reading the trials of a search, a journal or a list."""
