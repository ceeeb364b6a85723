"""Marks that several modules of tests share."""

import pytest

both_modes = pytest.mark.parametrize(
    "asynchronous", [False, True], ids=["in batches", "asynchronous"]
)
