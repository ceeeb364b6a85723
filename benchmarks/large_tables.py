"""Tables of 50,000 to 1,000,000 rows for `automl.py`, from generators of scikit-learn.

Each function takes a seeded generator and returns a DataFrame and a target. All noise is known,
so that no result depends on a file. The held-out tables played no part in any decision.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn import datasets

Rng = np.random.Generator


class LargeTask(NamedTuple):
    """The function that makes a table and its target, and whether these are classes."""

    make: Callable[[Rng], tuple[Any, Any]]
    is_classifier: bool


def _frame(X: Any) -> Any:
    return pd.DataFrame(X, columns=[f"x{column}" for column in range(X.shape[1])])


def _leave_out(frame: Any, rng: Rng, share: float) -> Any:
    """Return a table without a share of its numbers."""
    return frame.mask(rng.random(frame.shape) < share)


def _classes(n_rows: int, n_columns: int, rng: Rng, **options: Any) -> tuple[Any, Any]:
    seed = int(rng.integers(2**31))
    X, y = datasets.make_classification(n_rows, n_columns, random_state=seed, **options)
    return _frame(X), pd.Series(y).map("class {}".format)


def _effects(n_rows: int, n_values: int, spread: float, rng: Rng) -> tuple[Any, Any]:
    """Return a category with many values, some of them rare, and the effect of each row's."""
    weights = rng.exponential(size=n_values)
    codes = rng.choice(n_values, n_rows, p=weights / weights.sum())
    effects = rng.normal(scale=spread, size=n_values)
    return pd.Series(codes).map("value {}".format), effects[codes]


def numbers_and_category(rng: Rng) -> tuple[Any, Any]:
    """200,000 rows of 40 numbers and a category, two classes."""
    frame, y = _classes(200_000, 40, rng, n_informative=15, n_clusters_per_class=4, class_sep=0.7)
    codes = np.digitize(frame["x3"], [-2, -1, 0, 1, 2]) + rng.integers(0, 2, len(frame))
    return frame.assign(category=pd.Series(codes).map("value {}".format)), y


def waves(rng: Rng) -> tuple[Any, Any]:
    """60,000 rows of 4 numbers, an amount (Friedman's third problem)."""
    X, y = datasets.make_friedman3(60_000, noise=0.1, random_state=int(rng.integers(2**31)))
    return _frame(X), y


def groups_of_values(rng: Rng) -> tuple[Any, Any]:
    """100,000 rows of 10 numbers and a category of 500 values, an amount."""
    X, y = datasets.make_friedman1(100_000, 10, noise=1, random_state=int(rng.integers(2**31)))
    category, effect = _effects(len(X), 500, 3.0, rng)
    return _frame(X).assign(category=category), y + effect


def spheres(rng: Rng) -> tuple[Any, Any]:
    """500,000 rows of 10 numbers, two classes by the distance from the centre."""
    X, y = datasets.make_hastie_10_2(500_000, random_state=int(rng.integers(2**31)))
    return _frame(X), pd.Series(np.where(y > 0, "outside", "inside"))


def million_amounts(rng: Rng) -> tuple[Any, Any]:
    """1,000,000 rows of 10 numbers, 5 of them useless, an amount (Friedman's first problem)."""
    X, y = datasets.make_friedman1(1_000_000, 10, noise=1, random_state=int(rng.integers(2**31)))
    return _frame(X), y


def rare_class(rng: Rng) -> tuple[Any, Any]:
    """300,000 rows of 25 numbers, two classes, one of them 1 % of the rows."""
    return _classes(
        300_000, 25, rng, n_informative=8, n_clusters_per_class=3, weights=[0.99], flip_y=0.002
    )


def useless_columns(rng: Rng) -> tuple[Any, Any]:
    """100,000 rows of 150 numbers, 140 of them useless, two classes."""
    return _classes(
        100_000, 150, rng, n_informative=10, n_redundant=0, n_clusters_per_class=4, class_sep=0.8
    )


def seven_classes(rng: Rng) -> tuple[Any, Any]:
    """150,000 rows of 20 numbers, 15 % of them missing, seven classes."""
    frame, y = _classes(150_000, 20, rng, n_informative=10, n_classes=7, n_clusters_per_class=2)
    return _leave_out(frame, rng, 0.15), y


def many_values(rng: Rng) -> tuple[Any, Any]:
    """200,000 rows of 5 numbers and categories of 4, 40, 400 and 4000 values, two classes."""
    X, logit = datasets.make_friedman1(200_000, 5, random_state=int(rng.integers(2**31)))
    frame, logit = _frame(X), (logit - logit.mean()) / 4
    for n_values in (4, 40, 400, 4000):
        frame[f"category of {n_values}"], effect = _effects(len(frame), n_values, 0.7, rng)
        logit = logit + effect
    chances = 1 / (1 + np.exp(-logit))
    return frame, pd.Series(np.where(rng.random(len(frame)) < chances, "yes", "no"))


def linear_with_gaps(rng: Rng) -> tuple[Any, Any]:
    """400,000 rows of 30 numbers, 10 % of them missing, 15 useless; an amount, linear in them."""
    X, y = datasets.make_regression(
        400_000, 30, n_informative=15, noise=40, random_state=int(rng.integers(2**31))
    )
    return _leave_out(_frame(X), rng, 0.1), y


def million_mixed(rng: Rng) -> tuple[Any, Any]:
    """1,000,000 rows of 30 numbers and 10 categories, two classes."""
    frame, y = _classes(1_000_000, 30, rng, n_informative=12, n_clusters_per_class=3)
    for column in range(10):
        codes = np.digitize(frame[f"x{column}"], np.linspace(-2, 2, 12)) // 2
        frame[f"category{column}"] = pd.Series(codes).map("value {}".format).astype("category")
    return frame, y


DEVELOPMENT = {
    "numbers, category": LargeTask(numbers_and_category, True),
    "waves": LargeTask(waves, False),
    "groups of values": LargeTask(groups_of_values, False),
}
HELD_OUT = {
    "spheres": LargeTask(spheres, True),
    "million amounts": LargeTask(million_amounts, False),
    "rare class": LargeTask(rare_class, True),
    "useless columns": LargeTask(useless_columns, True),
    "seven classes": LargeTask(seven_classes, True),
    "many values": LargeTask(many_values, True),
    "linear with gaps": LargeTask(linear_with_gaps, False),
    "million mixed": LargeTask(million_mixed, True),
}


def load_large(task: LargeTask) -> tuple[Any, Any]:
    """Return the table and the target."""
    return task.make(np.random.default_rng(0))
