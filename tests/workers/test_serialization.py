"""Serialization for workers: memory-mapped data, small payloads, and errors of fits."""

import os
import pickle
import threading

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from sklearn_lepton._typing import WorkerDied
from sklearn_lepton._workers import serialization as serialization_module
from sklearn_lepton._workers.serialization import (
    MemmapFolder,
    SharedContext,
    deserialize_outcome,
    run_in_worker,
    run_payload,
)


def count(*args, **kwargs):
    return {"n": len(args), "names": sorted(kwargs)}


def give(X, y=None, callback_ctx=None):
    return {"X": X, "y": y}


@pytest.fixture
def folder_of(monkeypatch, tmp_path):
    """Write packages into a folder of the test's."""
    monkeypatch.setenv("JOBLIB_TEMP_FOLDER", str(tmp_path))
    made = []

    def make(package):
        made.append(MemmapFolder(package))
        made[-1].open()
        return made[-1]

    yield make
    for folder in made:
        if folder.path.exists():
            folder.remove()


def in_worker(folder, payload, begun):
    outcome, _ = run_in_worker(str(folder.path), str(begun), payload)
    return deserialize_outcome(outcome)


@pytest.mark.parametrize(
    "X",
    [
        np.arange(200_000.0).reshape(-1, 4),
        np.asfortranarray(np.arange(200_000.0).reshape(-1, 4)),
        np.arange(400_000.0).reshape(-1, 4)[::2],
        np.arange(6.0),
        np.array(["a", None, 3], dtype=object),
        sparse.random(1000, 1000, 0.05, format="csr", random_state=0),
        pd.DataFrame({"a": np.arange(50_000.0), "b": ["x", "y"] * 25_000}),
        ["some", "text"],
    ],
    ids=["C", "Fortran", "strided", "small", "objects", "sparse", "frame", "list"],
)
def test_data_arrive_unchanged(folder_of, tmp_path, X):
    package = SharedContext([X], None)
    row = in_worker(folder_of(package), package.serialize((give, (X,), {})), tmp_path / "begun")
    arrived = row["X"]
    assert isinstance(arrived, type(X))
    if sparse.issparse(X):
        assert (arrived != X).nnz == 0
    elif isinstance(X, pd.DataFrame):
        pd.testing.assert_frame_equal(arrived, X)
    else:
        np.testing.assert_array_equal(arrived, X)


def test_memory_map_arrives_with_its_content(folder_of, tmp_path):
    X = np.memmap(tmp_path / "X", dtype=float, mode="w+", shape=(50_000, 4))
    X[:] = np.arange(200_000.0).reshape(-1, 4)
    part = X[10:30_000]
    package = SharedContext([part], None)
    row = in_worker(folder_of(package), package.serialize((give, (part,), {})), tmp_path / "begun")
    np.testing.assert_array_equal(row["X"], part)


def test_large_arrays_are_mapped_not_copied(folder_of, tmp_path):
    X = np.zeros((100_000, 2))
    package = SharedContext([X], None)
    folder = folder_of(package)
    assert sorted(path.name for path in folder.path.iterdir()) == ["0.npy", "lock", "package"]
    assert (folder.path / "package").stat().st_size < 10_000
    in_worker(folder, package.serialize((give, (X,), {})), tmp_path / "begun")
    [arrived] = serialization_module._opened[str(folder.path)][0]
    assert type(arrived) is np.memmap
    assert not arrived.flags.writeable


def test_payload_of_a_fit_is_small(numbered_fit):
    package, fit, constants = numbered_fit
    payload = package.serialize(fit)
    assert len(payload) < 3_000
    row = deserialize_outcome(run_payload(package.content, payload))
    assert row["n"] == 3
    assert row["names"] == ["callback_ctx", "parameters", "scorer", "test", "train"]
    assert len(pickle.dumps(constants)) > 1_000_000


@pytest.fixture
def numbered_fit():
    X, y, train, test = np.zeros((50_000, 3)), np.zeros(50_000), np.arange(40_000), np.arange(9)
    constants = [X, y, train, test]
    fit = (
        count,
        ("estimator", X, y),
        {
            "train": train,
            "test": test,
            "parameters": {"x": 1},
            "scorer": lambda *_: 0.0,
            "callback_ctx": None,
        },
    )
    return SharedContext(constants, None), fit, constants


def test_equal_objects_are_not_replaced_by_shared_ones():
    X = np.arange(3.0)
    other = X.copy()
    package = SharedContext([X], None)
    package.content[0][0][:] = 7.0  # seen through the constant, not through its equal
    row = deserialize_outcome(
        run_payload(package.content, package.serialize((give, (X, other), {})))
    )
    assert row["X"].tolist() == [7.0] * 3
    other_row = deserialize_outcome(
        run_payload(package.content, package.serialize((give, (other,), {})))
    )
    assert other_row["X"].tolist() == [0.0, 1.0, 2.0]


def test_shared_object_can_send_a_substitute():
    class Search:
        def __init__(self):
            self.lock = threading.Lock()

        def _for_workers(self):
            return "without the lock"

    search = Search()
    package = SharedContext([search], None)
    row = deserialize_outcome(
        run_payload(package.content, package.serialize((give, (search,), {})))
    )
    assert row["X"] == "without the lock"


def test_outcome_has_the_row_of_the_fit():
    class Leaf:
        is_stopped = True

    plain = deserialize_outcome(
        run_payload(([], None), SharedContext([], None).serialize((give, (1,), {})))
    )
    assert plain["stop"] is False
    fit = (give, (1,), {"callback_ctx": Leaf()})
    assert (
        deserialize_outcome(run_payload(([], None), SharedContext([], None).serialize(fit)))["stop"]
        is True
    )


# ----------------------------------------------------------------------- errors


def refuse():
    raise RuntimeError("not here")


class Fuse:
    def __reduce__(self):
        return refuse, ()


class AwkwardError(Exception):
    """Cannot be unpickled, not even with what dask's `distributed` registers for all exceptions."""

    def __init__(self, text):
        super().__init__(text)
        self.fuse = Fuse()


class LockedError(Exception):
    """Cannot be pickled."""

    def __init__(self, text):
        super().__init__(text)
        self.lock = threading.Lock()


def outcome_of(error):
    content = ([error], None)
    package = SharedContext([error], None)

    def function(error, callback_ctx=None):
        raise error

    return run_payload(content, package.serialize((function, (error,), {})))


@pytest.mark.parametrize("error", [ValueError("plain"), KeyError("key"), KeyboardInterrupt()])
def test_error_of_a_fit_is_returned(error):
    with pytest.raises(type(error)) as caught:
        deserialize_outcome(outcome_of(error))
    assert caught.value.args == error.args


@pytest.mark.parametrize("error", [AwkwardError("one and two"), LockedError("one and two")])
def test_unpicklable_error_is_returned_as_text(error):
    with pytest.raises(RuntimeError, match="one and two"):
        deserialize_outcome(outcome_of(error))


def test_exit_ends_the_fit_only():
    with pytest.raises(WorkerDied, match=r"SystemExit\(4\)") as caught:
        deserialize_outcome(outcome_of(SystemExit(4)))
    assert caught.value.is_final
    assert caught.value.has_begun


# ------------------------------------------------------------------- the folder


def test_folder_is_private_and_removed(folder_of):
    folder = folder_of(SharedContext([np.zeros(100_000)], None))
    assert folder.path.stat().st_mode & 0o777 == 0o700
    folder.remove()
    assert not folder.path.exists()


def test_folder_names_its_owner(folder_of, tmp_path):
    folder = folder_of(SharedContext([], None))
    assert folder.path.parent == tmp_path
    assert folder.path.name.startswith(f"sklearn_lepton-{os.getpid()}-")
