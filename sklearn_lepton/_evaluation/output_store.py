"""OutputStore: the outputs of fits by trial and split, in memory or on disk."""

import contextlib
import pickle
from collections.abc import Callable, Collection
from pathlib import Path

from sklearn_lepton._evaluation.fit_outputs import FitOutput, with_output
from sklearn_lepton._runtime.errors import describe_error, logger
from sklearn_lepton._runtime.output import warn
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._typing import FitCall
from sklearn_lepton._workers.temporary_folders import make_temporary_folder, remove_folder
from sklearn_lepton.exceptions import PredictionsWarning

MAX_BYTES = 100_000_000  # of the outputs in memory; further ones are files
# The store looks for unneeded trials again once it has twice as many as after the last look, or
# twice the bytes; smaller numbers than these are not worth a look.
_FEW_TRIALS, _FEW_BYTES = 10, 10_000_000


class OutputStore:
    """Predictions and estimators of the fits of many trials, for whoever chooses among them.

    Outputs up to `max_bytes` stay in memory; further ones are files in a temporary folder. Outputs
    of trials that are not needed any more are dropped.

    Parameters
    ----------
    needed : callable
        Gets the numbers of the trials in the store and returns those to keep. The store calls it
        when the number of trials has grown, and before it writes a file.
    predictions, estimators : bool
        What the fits return.
    max_bytes : int, default=100_000_000
        Limit of the outputs in memory, without estimators that cannot be pickled.
    """

    def __init__(
        self,
        needed: Callable[[Collection[int]], Collection[int]],
        *,
        predictions: bool,
        estimators: bool,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._needed = needed
        self.predictions, self.estimators = predictions, estimators
        self._max_bytes = max_bytes
        self._entries: dict[int, dict[int, FitOutput | Path]] = {}
        self._n_bytes = 0
        self._n_checked = self._n_bytes_checked = 0
        self._folder: Path | None = None
        self._can_write = True

    @property
    def numbers(self) -> list[int]:
        """Numbers of the trials that have outputs."""
        return list(self._entries)

    def prepare(self, trial: Trial, split: int, fit: FitCall, plain: FitCall) -> FitCall:
        """Return a fit that returns its output, if its trial can be chosen.

        Parameters
        ----------
        trial : Trial
        split : int
        fit : FitCall
            The fit, as the aids have changed it.
        plain : FitCall
            The fit as scikit-learn made it.
        """
        if not trial.is_full:
            return fit
        return with_output(
            fit,
            plain,
            number=trial.number,
            split=split,
            predictions=self.predictions,
            estimators=self.estimators,
        )

    def add(self, output: FitOutput) -> None:
        """Store the output of a fit."""
        if output.number not in self._entries and (
            len(self._entries) > 2 * self._n_checked + _FEW_TRIALS
            or self._n_bytes > 2 * self._n_bytes_checked + _FEW_BYTES
        ):
            self._drop_unneeded()
        is_full = self._n_bytes + output.n_bytes > self._max_bytes
        if is_full and len(self._entries) > self._n_checked:
            self._drop_unneeded()
            is_full = self._n_bytes + output.n_bytes > self._max_bytes
        splits = self._entries.setdefault(output.number, {})
        self._forget(splits.pop(output.split, None))
        splits[output.split] = entry = (self._write(output) if is_full else None) or output
        self._n_bytes += _n_bytes(entry)

    def read(self, number: int) -> dict[int, FitOutput]:
        """Return the outputs of a trial by split, without those that are missing.

        Parameters
        ----------
        number : int
            Number of the trial.
        """
        entries = self._entries.get(number, {})
        outputs = {split: _read(entries[split]) for split in sorted(entries)}
        return {split: output for split, output in outputs.items() if output is not None}

    def close(self) -> None:
        """Remove all outputs."""
        self._entries.clear()
        folder, self._folder = self._folder, None
        remove_folder(folder)

    def _drop_unneeded(self) -> None:
        needed = set(self._needed(self._entries.keys()))
        for number in self._entries.keys() - needed:
            for entry in self._entries.pop(number).values():
                self._forget(entry)
        self._n_checked, self._n_bytes_checked = len(self._entries), self._n_bytes

    def _forget(self, entry: FitOutput | Path | None) -> None:
        self._n_bytes -= _n_bytes(entry)
        if isinstance(entry, Path):
            with contextlib.suppress(OSError):
                entry.unlink()

    def _write(self, output: FitOutput) -> Path | None:
        """Return the new file of an output; None if it has to stay in memory."""
        if not self._can_write:
            return None
        path = None
        try:
            if self._folder is None:
                self._folder = make_temporary_folder("outputs-")
            path = self._folder / f"{output.number}-{output.split}.pkl"
            with path.open("wb") as stream:
                pickle.dump(output, stream, protocol=pickle.HIGHEST_PROTOCOL)
        except Exception as error:  # noqa: BLE001 - a full disk, or what cannot be pickled
            if path is not None:
                with contextlib.suppress(OSError):
                    path.unlink()
            if isinstance(error, OSError):
                self._can_write = False
                msg = (
                    f"Predictions and estimators of more than {self._max_bytes:,} bytes could not "
                    f"be written to a temporary folder, and stay in memory. {describe_error(error)}"
                )
                warn(msg, PredictionsWarning, stacklevel=8)
            return None
        return path


def _n_bytes(entry: FitOutput | Path | None) -> int:
    """Return the bytes of an entry in memory."""
    return entry.n_bytes if isinstance(entry, FitOutput) else 0


def _read(entry: FitOutput | Path) -> FitOutput | None:
    """Return a stored output; None if its file is gone."""
    if isinstance(entry, FitOutput):
        return entry
    try:
        with entry.open("rb") as stream:  # this process wrote it, in a private temporary folder
            output: FitOutput = pickle.load(stream)  # noqa: S301
    except Exception:  # noqa: BLE001 - the fit can be run again
        logger.debug("An output of a fit could not be read.", exc_info=True)
        return None
    return output
