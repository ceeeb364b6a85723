"""Models and preprocessing of AutoSearchCV for tabular data."""
