"""Arrays read from data in any container."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from sklearn_lepton._arrays import as_array, first_rows, shape_of

NUMBERS = np.array([[1, 0], [0, 2], [3, 0]])


@pytest.mark.parametrize(
    "values",
    [
        NUMBERS.tolist(),
        list(NUMBERS),
        pd.DataFrame(NUMBERS),
        pd.DataFrame(NUMBERS).astype("Int64"),
        pd.DataFrame(NUMBERS).astype(pd.SparseDtype(int, 0)),
        sparse.csr_matrix(NUMBERS),
        sparse.coo_array(NUMBERS),
        sparse.lil_array(NUMBERS),
        np.ma.masked_array(NUMBERS),
    ],
    ids=lambda values: type(values).__name__,
)
def test_container_becomes_dense_array_of_its_numbers(values):
    array = as_array(values)
    assert type(array) is np.ndarray
    assert array.dtype.kind == "i"
    np.testing.assert_array_equal(array, NUMBERS)


def test_masked_values_become_missing_ones():
    mask = [True, False]
    np.testing.assert_array_equal(as_array(np.ma.masked_array([1, 2], mask)), [np.nan, 2])
    assert as_array(np.ma.masked_array(np.float32([1, 2]), mask)).dtype == np.float32
    assert as_array(np.ma.masked_array(["a", "b"], mask)).tolist() == [None, "b"]
    days = np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[D]")
    assert np.isnat(as_array(np.ma.masked_array(days, mask))).tolist() == mask


def test_nullable_numbers_that_numpy_reads_as_objects_become_numbers():
    class Old:  # as of pandas before 2.2
        dtype = pd.Int64Dtype()

        def __init__(self, *values):
            self.values = values

        def __array__(self, dtype=None, copy=None):
            return np.array(self.values, dtype=object)

    assert as_array(Old(1, 2)).dtype == np.int64
    assert as_array(Old(1, None)).dtype == object


def test_shape_and_first_rows_of_lists_of_unlike_lengths():
    words = [["a"], ["a", "b"], []]
    assert shape_of(words) == (3,)
    assert shape_of(list(NUMBERS)) == (3, 2)
    assert first_rows(words, 2) == words[:2]


def test_first_rows_are_counted_by_position():
    frame = pd.DataFrame(NUMBERS, index=[2, 0, 1])
    assert first_rows(frame, 1).index.tolist() == [2]
    labels = pd.Series([1, 2, 3], index=pd.interval_range(0, 3))
    assert first_rows(labels, 2).tolist() == [1, 2]
