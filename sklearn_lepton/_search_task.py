"""The search as a task of scikit-learn 1.9's callbacks."""

import tempfile
import uuid
from pathlib import Path
from typing import Any

try:
    from sklearn.callback import CallbackContext
except ImportError:  # scikit-learn before 1.9 has no callbacks
    CallbackContext = object


class SearchTask:
    """The search in scikit-learn 1.9's tree of callback tasks, with one leaf a trial and split."""

    def __init__(self, root: Any, search: Any, n_leaves: int) -> None:
        self._search = search
        self._n_made = 0
        # Leaves end in the workers; a file is what every one of them can leave word in.
        self._flag = str(Path(tempfile.gettempdir()) / f"sklearn_lepton-stop-{uuid.uuid4()}")
        self._context = root.subcontext(
            task_name="search", max_subtasks=n_leaves, sequential_subtasks=False
        ).call_on_fit_task_begin(estimator=search)

    def subcontext(self, task_name: str, task_id: int) -> Any:
        """Make the next leaf; ``evaluate_candidates`` counts from 0 in each batch."""
        del task_id
        leaf = self._context.subcontext(task_name=task_name, task_id=self._n_made)
        leaf.__class__ = _LeafContext
        leaf.flag = self._flag
        self._n_made += 1
        return leaf

    def is_stopped(self) -> bool:
        """Whether a callback returned True at the end of a leaf."""
        return Path(self._flag).exists()

    def close(self) -> None:
        """End the task."""
        Path(self._flag).unlink(missing_ok=True)
        self._context.call_on_fit_task_end(estimator=self._search)


class _LeafContext(CallbackContext):  # type: ignore[misc]
    """A leaf that leaves word where a callback returned True."""

    flag: str

    def call_on_fit_task_end(self, **arguments: Any) -> bool:
        """Call the callbacks and leave word of a stop."""
        stop: bool = super().call_on_fit_task_end(**arguments)
        if stop:
            Path(self.flag).touch()
        return stop
