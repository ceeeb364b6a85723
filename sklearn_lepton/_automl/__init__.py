"""Models and preprocessing that AutoSearchCV chooses from for a table."""
