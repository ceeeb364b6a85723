"""CPU time of the configurations in built-in spaces."""

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median

import pytest
import space_subjects

COMMAND = Path(__file__).parents[2] / "benchmarks" / "fit_times.py"
BOOSTERS = ["XGBClassifier", "XGBRegressor", "LGBMClassifier", "LGBMRegressor"]
# Models of `AutoSearchCV` whose spaces are unlike those of the estimators.
MODELS = [
    "classifier: neural network",
    "classifier: support vectors",
    "regressor: Gaussian process",
    "regressor: elastic net",
    "regressor: support vectors",
]
NAMES = [*space_subjects.names_in_the_table(), *BOOSTERS, *MODELS]
# Most stop after a few epochs, and some take the 1000 of the default, about 3 s.
MARKS = {"MiniBatchSparsePCA": [pytest.mark.xfail(strict=False, reason="runs 1000 epochs")]}
MAX_RATIO, MIN_MEDIAN = 50, 0.05


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="has no timer that ends a process")
@pytest.mark.parametrize("name", [pytest.param(n, marks=MARKS.get(n, ())) for n in NAMES])
def test_no_configuration_takes_fifty_times_the_median(name, tmp_path):
    if name in BOOSTERS:
        pytest.importorskip("xgboost" if name[0] == "X" else "lightgbm")
    file = tmp_path / "fits.jsonl"
    command = [sys.executable, COMMAND, "--file", file, "run", "--names", name]
    subprocess.run(command, check=True)
    seconds = defaultdict(list)
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        seconds[row["table"]].append(row["seconds"])
    assert sum(map(len, seconds.values())) >= 20
    for row in rows:
        typical = max(MIN_MEDIAN, median(seconds[row["table"]]))
        assert row["seconds"] <= MAX_RATIO * typical, (typical, row)
