"""What the displays share of matplotlib: axes to draw on, colours, names that fit."""

from typing import Any

import numpy as np

# Okabe and Ito's colours, which the colour-blind can tell apart.
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
LARGEST = 1e300  # of greater ones matplotlib cannot make limits
_MAX_FITTED = 6  # axes whose labels are measured to place them


def pyplot() -> Any:
    """Return matplotlib's pyplot, or say what is missing."""
    try:
        import matplotlib.pyplot as plt  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ImportError(
            "Drawing needs matplotlib: pip install 'sklearn-lepton[plot]'. What would be drawn "
            "stands in the attributes of the display."
        ) from error
    return plt


def one_axes(ax: Any, size: tuple[float, float]) -> tuple[Any, Any]:
    """Return axes to draw on with their figure: those given, or new ones.

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
        raise TypeError(f"ax must be matplotlib's Axes or None, got {ax!r}.")
    return ax, ax.get_figure()


def many_axes(
    ax: Any, n_rows: int, n_columns: int, size: tuple[float, float], *, below: float = 0.6
) -> tuple[Any, Any]:
    """Return a table of axes with their figure.

    Parameters
    ----------
    ax : matplotlib Axes, array of them or None
        Axes of a subplot are divided; of an array there must be enough.
    n_rows, n_columns : int
    size : tuple of float
        Width and height of one place, in inches.
    below : float, default=0.6
        Inches for what is written below each of many axes.

    Returns
    -------
    axes : ndarray of Axes of shape (n_rows, n_columns)
    figure : matplotlib Figure
    """
    shape = (n_rows, n_columns)
    if ax is None and n_rows * n_columns > _MAX_FITTED:
        return _table_of_axes(n_rows, n_columns, size, below)
    if ax is None:
        figure = pyplot().figure(
            figsize=(size[0] * n_columns, size[1] * n_rows), layout="constrained"
        )
        return figure.subplots(n_rows, n_columns, squeeze=False), figure
    if not hasattr(ax, "get_figure"):
        given = np.asarray(ax, dtype=object).ravel()
        if len(given) < n_rows * n_columns or not all(hasattr(a, "get_figure") for a in given):
            raise ValueError(
                f"ax must be None, one Axes or at least {n_rows * n_columns} of them, got "
                f"{len(given)}."
            )
        return given[: n_rows * n_columns].reshape(shape), given[0].get_figure()
    figure = ax.get_figure()
    if shape == (1, 1):
        return np.array([[ax]], dtype=object), figure
    spec = ax.get_subplotspec()
    if spec is None:
        raise ValueError(
            f"One Axes has to be divided into {n_rows} x {n_columns}, which only those of a "
            "subplot can be: make it with subplots, or give an array of Axes."
        )
    ax.set_axis_off()
    places = spec.subgridspec(n_rows, n_columns)
    axes = np.empty(shape, dtype=object)
    for row, column in np.ndindex(shape):
        axes[row, column] = figure.add_subplot(places[row, column])
    return axes, figure


def _table_of_axes(
    n_rows: int, n_columns: int, size: tuple[float, float], below: float
) -> tuple[Any, Any]:
    """Return many axes with room for labels; to measure them would take as long as drawing."""
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


def short(name: str, most: int = 28) -> str:
    """Shorten a name in the middle, where a pipeline's steps and parameters meet."""
    if len(name) <= most:
        return name
    tail = (most - 1) * 2 // 3
    return f"{name[: most - 1 - tail]}…{name[-tail:]}"


def clear(*axes: Any) -> None:
    """Take away the frame where nothing is read off."""
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)


def mark_edge(ax: Any, places: Any, **look: Any) -> None:
    """Draw marks at the lower edge of axes, for trials without a score or with one below it.

    Parameters
    ----------
    ax : matplotlib Axes
    places : array-like
        Where they stand on the horizontal axis; without any nothing is drawn.
    **look : dict
        For `scatter`.
    """
    if len(places):
        heights = np.full(len(places), 0.015)
        where: dict[str, Any] = {"transform": ax.get_xaxis_transform(), "clip_on": False}
        ax.scatter(places, heights, **{"zorder": 3, **where, **look})


def score_limits(scores: Any, *others: Any) -> tuple[float, float]:
    """Return limits of an axis of scores that hopeless ones do not stretch.

    Parameters
    ----------
    scores : array-like
        Those of trials; NaN where there is none.
    *others : array-like
        What has to be seen whole.

    Returns
    -------
    low, high : float
    """
    known, more = (
        np.clip(values[np.isfinite(values)], -LARGEST, LARGEST)
        for values in (
            np.asarray(scores, dtype=float).ravel(),
            np.concatenate([np.empty(0), *[np.ravel(np.asarray(o, dtype=float)) for o in others]]),
        )
    )
    if not len(known) and not len(more):
        return 0.0, 1.0
    low = high = float(more.max() if len(more) else known.max())
    if len(known):
        best, middle = float(known.max()), float(np.median(known))
        if middle == best and np.any(known < best):
            middle = float(np.median(known[known < best]))
        high = max(high, best)
        low = min(low, max(float(known.min()), middle - 3.0 * (best - middle)))
    if len(more):
        low = min(low, float(more.min()))
    pad = 0.05 * (high - low) or 0.05 * abs(high) or 0.05
    return low - pad, high + pad
