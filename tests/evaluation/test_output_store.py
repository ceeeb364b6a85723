"""Store of the outputs of fits: its limit of memory, files, dropped trials."""

import errno

import numpy as np
import pytest

from sklearn_lepton._evaluation import output_store
from sklearn_lepton._evaluation.fit_outputs import FitOutput, Prediction
from sklearn_lepton._evaluation.output_store import OutputStore
from sklearn_lepton.exceptions import PredictionsWarning


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.setenv("JOBLIB_TEMP_FOLDER", str(tmp_path))
    yield tmp_path
    assert list(tmp_path.iterdir()) == []


def output(number, split=0, n_rows=100):
    values = np.full((n_rows, 1), number + split / 10)
    return FitOutput(number, split, Prediction("predict", values, None, True), None)


def files(folder):
    return sorted(path.name for path in folder.glob("*/*.pkl"))


@pytest.fixture
def make():
    made = []

    def make_store(needed=set, **settings):
        settings = {"predictions": True, "estimators": False, **settings}
        made.append(OutputStore(needed, **settings))
        return made[-1]

    yield make_store
    for store in made:
        store.close()


def value(outputs, split):
    return outputs[split].prediction.values[0, 0]


def test_outputs_beyond_the_limit_are_files(make, temporary):
    store = make(max_bytes=2000)  # two outputs of 800 bytes
    for number in range(3):
        for split in (1, 0):
            store.add(output(number, split))
    assert files(temporary) == ["1-0.pkl", "1-1.pkl", "2-0.pkl", "2-1.pkl"]
    for number in range(3):
        outputs = store.read(number)
        assert list(outputs) == [0, 1]
        assert [value(outputs, split) for split in (0, 1)] == [number, number + 0.1]
    assert store.numbers == [0, 1, 2]


def test_unneeded_trials_are_dropped_before_a_file_is_written(make, temporary):
    store = make(lambda numbers: {max(numbers)}, max_bytes=1000)
    for number in range(9):
        store.add(output(number))
    assert len(files(temporary)) <= 1
    assert len(store.numbers) <= 2
    assert value(store.read(8), 0) == 8


def test_memory_and_disk_are_bounded_by_what_is_needed(make, temporary):
    most = []
    store = make(lambda numbers: set(sorted(numbers)[:1]), max_bytes=10**9)
    for number in range(1000):
        store.add(output(number))
        most.append(len(store.numbers))
    assert max(most) <= 13
    assert store.numbers[0] == 0


def test_large_outputs_of_unneeded_trials_are_dropped_soon(make):
    most = []
    store = make(lambda numbers: {min(numbers)}, max_bytes=10**9)
    for number in range(12):
        store.add(output(number, n_rows=10**6))  # 8 MB
        most.append(len(store.numbers))
    assert max(most) <= 4


def test_number_of_looks_at_the_trials_stays_small(make):
    calls = []
    store = make(lambda numbers: calls.append(len(numbers)) or set(numbers))
    for number in range(1000):
        store.add(output(number))
    assert len(calls) < 20


def test_repeated_output_replaces_the_first(make, temporary):
    store = make(max_bytes=0)
    store.add(output(3))
    store.add(output(3, n_rows=7))
    assert len(store.read(3)[0].prediction.values) == 7
    assert files(temporary) == ["3-0.pkl"]


def test_lost_file_is_a_missing_output(make, temporary):
    store = make(max_bytes=0)
    store.add(output(3))
    store.add(output(3, 1))
    next(temporary.glob("*/3-0.pkl")).unlink()
    assert list(store.read(3)) == [1]
    assert store.read(4) == {}


def test_full_disk_keeps_outputs_in_memory_with_one_warning(make, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(output_store.pickle, "dump", full)
    store = make(max_bytes=1000)
    store.add(output(0))
    with pytest.warns(PredictionsWarning, match="1,000 bytes could not be written") as caught:
        store.add(output(1))
    store.add(output(2))  # a second warning would be an error
    store.add(output(3))
    assert len(caught) == 1
    assert [value(store.read(number), 0) for number in range(4)] == [0, 1, 2, 3]


def test_estimator_that_cannot_be_pickled_stays_in_memory(make, temporary):
    store = make(max_bytes=0)
    estimator = (row for row in [1])
    store.add(FitOutput(0, 0, None, estimator))
    assert store.read(0)[0].load_estimator() is estimator
    assert files(temporary) == []
    store.add(output(1))  # the disk is not to blame
    assert files(temporary) == ["1-0.pkl"]
