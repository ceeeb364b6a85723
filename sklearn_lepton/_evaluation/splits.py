"""FrozenSplits: the splits of the data, made once per search."""

from typing import Any

from sklearn_lepton._evaluation.sklearn import FitContext
from sklearn_lepton._trials.split_layout import SplitLayout, layout_of
from sklearn_lepton.space._content import content_hash

OTHER_SPLITS = (
    "With warm_start=True the splits must be those of the previous fit, but they differ: the data "
    "or cv have changed, or cv shuffles without a random_state. Give the same ones, or set "
    "warm_start=False to start over."
)


class FrozenSplits:
    """Splits that are made once, so that all trials of a search have the same ones.

    Parameters
    ----------
    context : FitContext
    fingerprint : str or None
        Fingerprint of the splits of earlier trials that the search continues.

    Attributes
    ----------
    fingerprint : str
        Hash of the splits.
    is_repeatable : bool
        Whether another call of the splitter returns the same splits.
    layout : SplitLayout
        Layout of the test parts.

    Raises
    ------
    ValueError
        If the splits have another fingerprint.
    """

    def __init__(self, context: FitContext, fingerprint: str | None) -> None:
        self._context = context
        self._splits = self._make()
        self.fingerprint: str = content_hash(self._splits)
        if fingerprint not in {None, self.fingerprint}:
            raise ValueError(OTHER_SPLITS)

    def _make(self) -> list[Any]:
        context = self._context
        return list(context.cv.split(context.X, context.y, **context.params.splitter.split))

    @property
    def is_repeatable(self) -> bool:
        """Whether another call of the splitter returns the same splits."""
        return bool(content_hash(self._make()) == self.fingerprint)

    @property
    def layout(self) -> SplitLayout:
        """Layout of the test parts."""
        return layout_of(self._splits)

    def split(self, *_: Any, **__: Any) -> list[Any]:
        """Return the splits; the data are ignored."""
        return self._splits
