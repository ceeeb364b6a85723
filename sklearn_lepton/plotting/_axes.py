"""Matplotlib helpers of the displays: axes, colours, shortened names, limits."""

from typing import Any

import numpy as np

from sklearn_lepton.space._dimension import FloatArray

# Okabe and Ito's palette, which colour-blind readers can distinguish.
BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
)
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY, "#000000")
DASHES = ("-", "--", "-.", ":")
GREY = "0.55"
COLOUR_MAP = "viridis"
LARGEST = 1e300  # matplotlib cannot compute axis limits from larger numbers
_MAX_FITTED = 6  # more axes get a fixed layout: constrained layout is as slow as drawing
_JITTER_STEPS = (0.7548777, 0.5698403)  # R2 sequence (Roberts), which fills the plane evenly


def pyplot() -> Any:
    """Return matplotlib's pyplot; raise an error that names the missing extra."""
    try:
        import matplotlib.pyplot as plt  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ImportError(
            "Drawing needs matplotlib: pip install 'sklearn-lepton[plot]'. The attributes of the "
            "display hold the data of the drawing."
        ) from error
    return plt


def one_axes(ax: Any, size: tuple[float, float]) -> tuple[Any, Any]:
    """Return the given axes, or new ones, with their figure.

    Parameters
    ----------
    ax : matplotlib Axes or None
    size : tuple of float
        Width and height of a new figure, in inches.

    Returns
    -------
    ax : matplotlib Axes
    figure : matplotlib Figure
    """
    if ax is None:
        figure, ax = pyplot().subplots(figsize=size, layout="constrained")
        return ax, figure
    if not hasattr(ax, "get_figure") or not hasattr(ax, "plot"):
        raise TypeError(f"ax must be a matplotlib Axes or None, got {ax!r}.")
    return ax, ax.get_figure()


def many_axes(
    ax: Any, n_rows: int, n_columns: int, size: tuple[float, float], *, below: float = 0.6
) -> tuple[Any, Any]:
    """Return a grid of axes with their figure.

    Parameters
    ----------
    ax : matplotlib Axes, array of Axes or None
        The Axes of a subplot is divided. An array must hold enough Axes.
    n_rows, n_columns : int
    size : tuple of float
        Width and height of one cell, in inches.
    below : float, default=0.6
        Height for the labels below each axes of a large grid, in inches.

    Returns
    -------
    axes : ndarray of Axes of shape (n_rows, n_columns)
    figure : matplotlib Figure
    """
    shape = (n_rows, n_columns)
    if ax is None and n_rows * n_columns > _MAX_FITTED:
        return _fixed_grid(n_rows, n_columns, size, below)
    if ax is None:
        figure = pyplot().figure(
            figsize=(size[0] * n_columns, size[1] * n_rows), layout="constrained"
        )
        return figure.subplots(n_rows, n_columns, squeeze=False), figure
    if not hasattr(ax, "get_figure"):
        given = np.asarray(ax, dtype=object).ravel()
        if len(given) < n_rows * n_columns or not all(hasattr(a, "get_figure") for a in given):
            raise ValueError(
                f"ax must be None, one Axes or an array of at least {n_rows * n_columns} Axes, "
                f"got {len(given)}."
            )
        return given[: n_rows * n_columns].reshape(shape), given[0].get_figure()
    figure = ax.get_figure()
    if shape == (1, 1):
        return np.array([[ax]], dtype=object), figure
    spec = ax.get_subplotspec()
    if spec is None:
        raise ValueError(
            f"ax must be divided into {n_rows} x {n_columns} panels, which needs the Axes of a "
            "subplot: create it with subplots, or pass an array of Axes."
        )
    ax.set_axis_off()
    cells = spec.subgridspec(n_rows, n_columns)
    axes = np.empty(shape, dtype=object)
    for row, column in np.ndindex(shape):
        axes[row, column] = figure.add_subplot(cells[row, column])
    return axes, figure


def _fixed_grid(
    n_rows: int, n_columns: int, size: tuple[float, float], below: float
) -> tuple[Any, Any]:
    """Return a grid of axes with a fixed room for the labels and its figure."""
    left, right, above, between = 0.8, 0.15, 0.15, 0.4
    inner = size[0] - between, size[1] - 0.6
    width = left + right + n_columns * inner[0] + (n_columns - 1) * between
    height = above + n_rows * (inner[1] + below)
    figure = pyplot().figure(figsize=(width, height))
    grid = {
        "left": left / width,
        "right": 1 - right / width,
        "top": 1 - above / height,
        "bottom": below / height,
        "wspace": between / inner[0],
        "hspace": below / inner[1],
    }
    return figure.subplots(n_rows, n_columns, squeeze=False, gridspec_kw=grid), figure


def short(name: str, max_length: int = 28) -> str:
    """Return a name shortened in the middle, so that step and parameter remain visible."""
    if len(name) <= max_length:
        return name
    tail = (max_length - 1) * 2 // 3
    return f"{name[: max_length - 1 - tail]}…{name[-tail:]}"


def clear(*axes: Any) -> None:
    """Hide the upper and the right spine of axes."""
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)


def jitter(n: int, width: float, *, axis: int = 0) -> FloatArray:
    """Return deterministic offsets that separate trials with the same choice.

    Parameters
    ----------
    n : int
        Number of trials.
    width : float
        Offsets lie in [-width / 2, width / 2).
    axis : {0, 1}, default=0
        Horizontal or vertical axis; their offsets are unrelated.

    Returns
    -------
    offsets : ndarray of shape (n,)
    """
    return np.asarray(width * (np.mod(np.arange(n) * _JITTER_STEPS[axis], 1.0) - 0.5))


def mark_edge(ax: Any, places: Any, **style: Any) -> None:
    """Draw marks at the lower edge of axes, for trials without a score or below the axis.

    Parameters
    ----------
    ax : matplotlib Axes
    places : array-like
        Horizontal positions. Nothing is drawn if there are none.
    **style : dict
        Options of `scatter`.
    """
    if len(places):
        heights = np.full(len(places), 0.015)
        edge: dict[str, Any] = {"transform": ax.get_xaxis_transform(), "clip_on": False}
        ax.scatter(places, heights, **{"zorder": 3, **edge, **style})


def score_limits(scores: Any, *others: Any) -> tuple[float, float]:
    """Return limits of a score axis that very poor scores do not stretch.

    The lower limit lies at most three times the distance between the best and the median score
    below the median.

    Parameters
    ----------
    scores : array-like
        Scores of the trials; NaN for trials without one.
    *others : array-like
        Values that the limits must include.

    Returns
    -------
    low, high : float
    """
    known, included = (
        np.clip(values[np.isfinite(values)], -LARGEST, LARGEST)
        for values in (
            np.asarray(scores, dtype=float).ravel(),
            np.concatenate([np.empty(0), *[np.ravel(np.asarray(o, dtype=float)) for o in others]]),
        )
    )
    if not len(known) and not len(included):
        return 0.0, 1.0
    low = high = float(included.max() if len(included) else known.max())
    if len(known):
        best, middle = float(known.max()), float(np.median(known))
        if middle == best and np.any(known < best):
            middle = float(np.median(known[known < best]))
        high = max(high, best)
        low = min(low, max(float(known.min()), middle - 3.0 * (best - middle)))
    if len(included):
        low = min(low, float(included.min()))
    pad = 0.05 * (high - low) or 0.05 * abs(high) or 0.05
    return low - pad, high + pad
