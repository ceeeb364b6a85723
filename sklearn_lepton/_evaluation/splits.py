"""Splits of the data, made once for a whole search."""

from typing import Any

from sklearn_lepton._trials.split_layout import SplitLayout, layout_of
from sklearn_lepton.space._content import content_hash

OTHER_SPLITS = (
    "With warm_start=True the splits must be those of the fit before, which they are not: the data "
    "have changed, or cv has, or cv shuffles without a random_state. Give the same ones, or set "
    "warm_start=False to start over."
)


class FrozenSplits:
    """Splits made once, so that all trials of a search see the same.

    Parameters
    ----------
    running : RunningFit
    fingerprint : str or None
        What they must be like: those of trials that the search goes on from.

    Attributes
    ----------
    fingerprint : str
        A hash of the splits.
    is_repeatable : bool
        Whether the splitter would make the same ones again.
    layout : SplitLayout
        How they overlap.

    Raises
    ------
    ValueError
        If they are not those of `fingerprint`.
    """

    def __init__(self, running: Any, fingerprint: str | None) -> None:
        self._running = running
        self._splits = self._make()
        self.fingerprint: str = content_hash(self._splits)
        if fingerprint not in {None, self.fingerprint}:
            raise ValueError(OTHER_SPLITS)

    def _make(self) -> list[Any]:
        fit = self._running
        return list(fit.cv.split(fit.X, fit.y, **fit.params.splitter.split))

    @property
    def is_repeatable(self) -> bool:
        """Whether the splitter would make the same ones again."""
        return bool(content_hash(self._make()) == self.fingerprint)

    @property
    def layout(self) -> SplitLayout:
        """How the splits overlap."""
        return layout_of(self._splits)

    def split(self, *_: Any, **__: Any) -> list[Any]:
        """Return the splits, whatever the data."""
        return self._splits
