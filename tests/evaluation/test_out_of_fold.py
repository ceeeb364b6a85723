"""Out-of-fold predictions: one array from the predictions of all splits."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_lepton._evaluation.fit_outputs import Prediction
from sklearn_lepton._evaluation.out_of_fold import combine


def proba(values, classes):
    return Prediction("predict_proba", np.asarray(values), np.asarray(classes), has_means=True)


def labels(values):
    return Prediction("predict", np.asarray(values), None, has_means=False)


def test_rows_come_in_the_order_of_the_data():
    predictions = {0: labels([30, 10]), 1: labels([0, 20])}
    combined = combine(predictions, [[3, 1], [0, 2]], 4, None)
    assert combined.values.tolist() == [0, 10, 20, 30]
    assert combined.values.dtype == int


def test_test_parts_may_be_masks():
    masks = [np.array([True, False, True]), np.array([False, True, False])]
    assert combine({0: labels([0, 2]), 1: labels([1])}, masks, 3, None).values.tolist() == [0, 1, 2]


def test_columns_are_the_classes_of_the_target():
    y = ["c", "a", "b", "a"]
    predictions = {
        0: proba([[0.2, 0.8], [0.5, 0.5]], ["a", "c"]),
        1: proba([[0.1, 0.2, 0.7], [0.3, 0.3, 0.4]], ["a", "b", "c"]),
    }
    combined = combine(predictions, [[0, 1], [2, 3]], 4, y)
    assert combined.values.tolist() == [
        [0.2, 0.0, 0.8],
        [0.5, 0.0, 0.5],
        [0.1, 0.2, 0.7],
        [0.3, 0.3, 0.4],
    ]
    assert combined.incomplete == [0]
    assert combined.unknown == []


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_decision_value_of_a_missing_class_is_the_smallest_number(dtype):
    values = np.ones((1, 3), dtype)
    predictions = {
        0: Prediction("decision_function", values, np.array([0, 1, 3]), has_means=True),
        1: Prediction("decision_function", np.ones((3, 4), dtype), np.arange(4), has_means=True),
    }
    combined = combine(predictions, [[2], [0, 1, 3]], 4, [0, 1, 2, 3]).values
    assert combined[2].tolist() == [1, 1, np.finfo(dtype).min, 1]
    assert combined.dtype == dtype


def test_mean_of_the_smallest_numbers_is_finite():
    values = np.ones((1, 3))
    short = Prediction("decision_function", values, np.array([0, 1, 3]), has_means=True)
    combined = combine({0: short, 1: short, 2: short}, [[0]] * 3, 1, [0, 1, 2, 3]).values
    assert combined[0, 2] == pytest.approx(np.finfo(float).min)


def test_columns_without_known_classes_are_nan():
    binary = Prediction("decision_function", np.ones(2), np.array([0, 1]), has_means=True)
    whole = Prediction("decision_function", np.ones((1, 3)), np.arange(3), has_means=True)
    combined = combine({0: binary, 1: whole}, [[0, 1], [2]], 3, [0, 1, 2])
    assert combined.unknown == [0]
    assert np.isnan(combined.values[:2]).all()
    assert combined.values[2].tolist() == [1, 1, 1]


def test_repeated_rows_get_the_mean_and_absent_ones_nan():
    predictions = {0: proba([[0.25, 0.75]], [0, 1]), 1: proba([[0.75, 0.25]], [0, 1])}
    combined = combine(predictions, [[1], [1]], 3, [0, 1, 1]).values
    assert combined[1].tolist() == [0.5, 0.5]
    assert np.isnan(combined[[0, 2]]).all()


def test_row_that_a_test_part_repeats_counts_twice():
    means = Prediction("predict", np.array([1.0, 4.0, 4.0]), None, has_means=True)
    assert combine({0: means}, [[0, 0, 0]], 1, None).values.tolist() == [3.0]


def test_repeated_rows_get_the_most_frequent_label():
    predictions = {0: labels(["b", "a"]), 1: labels(["a", "b"]), 2: labels(["b", "a"])}
    combined = combine(predictions, [[0, 1]] * 3, 2, ["a", "b"]).values
    assert combined.tolist() == ["b", "a"]
    tied = combine({0: labels(["b"]), 1: labels(["a"])}, [[0], [0]], 1, ["a"]).values
    assert tied.tolist() == ["a"]


def test_labels_of_absent_rows_are_nan():
    assert np.isnan(combine({0: labels([3])}, [[1]], 2, None).values[0])
    texts = combine({0: labels(["a"])}, [[1]], 2, None).values
    assert np.isnan(texts[0])
    assert texts[1] == "a"


def test_labels_of_several_outputs():
    both = labels([["a", "x"], ["b", "y"]])
    combined = combine({0: both, 1: both}, [[0, 1]] * 2, 2, None).values
    assert combined.tolist() == [["a", "x"], ["b", "y"]]


def test_sparse_labels_stay_sparse():
    parts = {
        0: labels([0])._replace(values=sparse.csr_array([[0, 1]])),
        1: labels([0])._replace(values=sparse.csr_array([[1, 0], [1, 1]])),
    }
    combined = combine(parts, [[2], [0, 1]], 3, None).values
    assert sparse.issparse(combined)
    assert combined.toarray().tolist() == [[1, 0], [1, 1], [0, 1]]
    repeated = combine({**parts, 2: parts[0]}, [[2], [0, 1], [2]], 3, None).values
    assert repeated.tolist() == [[1, 0], [1, 1], [0, 1]]


def test_each_output_has_its_own_classes():
    y = np.array([[0, "u"], [1, "v"], [2, "u"]], dtype=object)
    first = [np.array([[0.4, 0.6]]), np.array([[1.0, 0.0]])]
    second = [np.full((2, 3), 1 / 3), np.full((2, 2), 0.5)]
    predictions = {
        0: Prediction("predict_proba", first, [np.array([1, 2]), np.array(["u", "v"])], True),
        1: Prediction("predict_proba", second, [np.arange(3), np.array(["u", "v"])], True),
    }
    combined = combine(predictions, [[0], [1, 2]], 3, y)
    assert combined.values[0][0].tolist() == [0.0, 0.4, 0.6]
    assert combined.values[1].shape == (3, 2)
    assert combined.incomplete == [0]
