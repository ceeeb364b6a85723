"""Reading trials back: from a search, a journal or a list."""
