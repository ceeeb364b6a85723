"""SplitResult: truth value, JSON keys, immutability."""

import dataclasses
import json
import math

import pytest

from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton._trials.trial import Trial


@pytest.mark.parametrize(
    ("result", "is_run"),
    [
        (SplitResult(), False),
        (SplitResult(scores=0.0), True),
        (SplitResult(scores={"auc": 0.5}), True),
        (SplitResult(error="Traceback"), True),
        (SplitResult(start_time=1e9), True),
    ],
)
def test_result_is_true_if_its_split_was_run(result, is_run):
    assert result.is_run is is_run
    assert bool(result) is is_run


def test_result_has_the_keys_of_journals():
    result = SplitResult(scores={"auc": 0.5}, fit_time=1.0, score_time=0.5, start_time=2.0)
    assert list(result.to_json().items()) == [
        ("start_time", 2.0),
        ("test_scores", {"dict": {"auc": 0.5}}),
        ("fit_time", 1.0),
        ("score_time", 0.5),
        ("fit_error", None),
        ("worker", -1),
    ]
    full = dataclasses.replace(result, train_scores={"auc": 1.0}, n_rounds=3, saved_time=0.25)
    assert full.to_json().keys() - result.to_json().keys() == {
        "train_scores",
        "n_rounds",
        "saved_time",
    }


@pytest.mark.parametrize(
    "result",
    [
        SplitResult(),
        SplitResult(scores=0.1 + 0.2, fit_time=1e-7, worker=3, start_time=1.5),
        SplitResult(scores={"auc": 0.5}, train_scores={"auc": -math.inf}, error="Traceback"),
        SplitResult(scores=1.0, n_rounds=7, saved_time=0.5),
    ],
)
def test_result_survives_json(result):
    text = json.dumps(result.to_json(), allow_nan=False)
    assert SplitResult.from_json(json.loads(text)) == result


def test_result_ignores_unknown_keys_of_a_journal():
    assert SplitResult.from_json({"test_scores": 0.5, "later": 1}) == SplitResult(scores=0.5)


def test_durations_are_sums():
    result = SplitResult(scores=0.5, fit_time=1.0, score_time=0.5)
    assert (result.duration, result.duration_from_scratch) == (1.5, 1.5)
    assert dataclasses.replace(result, saved_time=2.0).duration_from_scratch == 3.5


def test_result_cannot_be_changed():
    scores = {"auc": 0.5}
    result = SplitResult(scores=scores)
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.error = "none"
    with pytest.raises(TypeError, match="cannot be changed"):
        result.scores["auc"] = 1.0
    scores["auc"] = 1.0
    assert result.scores == {"auc": 0.5}


def test_trial_refuses_results_of_another_class():
    trial = Trial(0, (0.5,), {"x": 0.5})
    with pytest.raises(TypeError, match=r"must hold SplitResult objects, got \{.*\(of type dict\)"):
        trial.complete(0.5, split_scores=[0.5], split_results=[{"test_scores": 0.5}])
