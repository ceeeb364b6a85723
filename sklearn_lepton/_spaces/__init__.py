"""Tables of built-in spaces, by family of estimators; see `sklearn_lepton.default_spaces`."""
