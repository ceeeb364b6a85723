"""MLflowLogger, with a stub of the library."""

import contextlib
import sys
from types import SimpleNamespace

import pytest

from sklearn_lepton.callbacks import MLflowLogger


@pytest.mark.parametrize(
    ("own", "changes"), [(None, []), ("there", []), ("other", ["other", "there"])]
)
def test_log_model_sets_tracking_uri_only_if_different(monkeypatch, own, changes):
    made = []
    library = SimpleNamespace(
        get_tracking_uri=lambda: "there",
        set_tracking_uri=made.append,
        start_run=lambda **_: contextlib.nullcontext(),
        active_run=lambda: None,
        sklearn=SimpleNamespace(log_model=lambda model, name: name),
    )
    monkeypatch.setitem(sys.modules, "mlflow", library)
    logger = MLflowLogger(tracking_uri=own)
    logger.run_id_ = "run"
    assert logger.log_model(SimpleNamespace(best_estimator_=None)) == "model"
    assert made == changes
