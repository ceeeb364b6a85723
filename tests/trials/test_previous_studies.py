"""Readers of previous studies: what each kind of object tells, and what is refused.

The objects of other libraries are doubles with the names and attributes that are read;
`tests/search/test_other_libraries.py` has the real ones.
"""

import pickle
from enum import Enum
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from sklearn_lepton import Space
from sklearn_lepton._trials.previous_studies import plain_studies, trials_of_studies
from sklearn_lepton._trials.trial import Trial

SPACE = Space({"x": (0.0, 1.0, "uniform"), "depth": [None, 3, 5]})


class State(Enum):
    COMPLETE, PRUNED, FAIL, RUNNING, WAITING = range(5)


class Direction(Enum):
    MAXIMIZE, MINIMIZE = range(2)


def double(module, name, **attributes):
    """Return an object of a class with this name, as if of this module."""
    return type(name, (), {"__module__": module, "__reduce__": None})(), attributes


def of_library(module, name, **attributes):
    made, attributes = double(module, name, **attributes)
    vars(made).update(attributes)
    return made


def optuna(*directions, trials=None):
    trials = trials or [({"x": 0.1}, 3.0, State.COMPLETE), ({"x": 0.2}, 5.0, State.COMPLETE)]
    frozen = [
        of_library("optuna.trial._frozen", "FrozenTrial", number=n, params=p, value=v, state=s)
        for n, (p, v, s) in enumerate(trials)
    ]
    directions = [Direction[name] for name in directions]
    return of_library("optuna.study.study", "Study", directions=directions, trials=frozen)


def skopt(*names, x_iters=((0.1, 3), (0.2, 5)), func_vals=(-3.0, -5.0)):
    dimensions = [SimpleNamespace(name=name) for name in names]
    return SimpleNamespace(
        x_iters=x_iters,
        func_vals=np.array(func_vals),
        space=SimpleNamespace(dimensions=dimensions),
    )


def read(given, space=SPACE, **options):
    return [
        [(dict(trial.params), trial.status, trial.score) for trial in study]
        for study in trials_of_studies(given, space, **options)
    ]


def complete(*pairs):
    return [(params, "complete", score) for params, score in pairs]


TWO = complete(({"x": 0.1}, 3.0), ({"x": 0.2}, 5.0))


# ------------------------------------------------------------------ other libraries


def test_an_optuna_study_is_read_in_its_direction():
    assert read(optuna("MAXIMIZE")) == [TWO]
    negated = complete(({"x": 0.1}, -3.0), ({"x": 0.2}, -5.0))
    assert read(optuna("MINIMIZE")) == [negated]


def test_trials_of_optuna_without_a_value_have_no_score():
    trials = [
        ({"x": 0.1}, 2.0, State.PRUNED),  # of an intermediate step
        ({"x": 0.2}, None, State.FAIL),
        ({"x": 0.3}, None, State.RUNNING),
        ({}, None, State.WAITING),
    ]
    assert read(optuna("MAXIMIZE", trials=trials)) == [
        [({"x": 0.1}, "pruned", None), ({"x": 0.2}, "failed", None)]
    ]


def test_a_fitted_search_of_optuna_has_a_study():
    search = of_library(
        "optuna_integration.sklearn.sklearn",
        "OptunaSearchCV",
        study_=optuna("MAXIMIZE"),
        trials_=optuna("MAXIMIZE").trials,
    )
    assert read(search) == [TWO]


def test_a_result_of_skopt_is_minimized():
    assert read(skopt("x", "depth")) == [
        complete(({"x": 0.1, "depth": 3}, 3.0), ({"x": 0.2, "depth": 5}, 5.0))
    ]
    failed = read(skopt("x", "depth", func_vals=(np.nan, -5.0)))
    assert [status for _, status, _ in failed[0]] == ["failed", "complete"]


def test_each_iteration_of_successive_halving_is_a_study():
    results = {
        "params": [{"x": 0.1}, {"x": 0.2}, {"x": 0.3}, {"x": 0.2}],
        "mean_test_score": np.array([0.1, 0.2, np.nan, 0.15]),
        "iter": np.array([0, 0, 0, 1]),
        "n_resources": np.array([10, 10, 10, 30]),
    }
    first, second = read(SimpleNamespace(cv_results_=results, refit=True))
    assert [status for _, status, _ in first] == ["complete", "complete", "failed"]
    assert second == complete(({"x": 0.2}, 0.15))


def test_studies_of_different_kinds_can_be_mixed():
    frame = pd.DataFrame({"x": [0.1, 0.2], "score": [3.0, 5.0]})
    trials = [Trial(0, (), {"x": 0.1}).complete(3.0), Trial(1, (), {"x": 0.2}).complete(5.0)]
    given = [optuna("MAXIMIZE"), frame, "study.jsonl", trials, SimpleNamespace(trials_=trials)]
    assert read(given, load=lambda path: trials) == [TWO] * 5
    assert read(tuple(given), load=lambda path: trials) == [TWO] * 5


# ------------------------------------------------------------------------- tables


@pytest.mark.parametrize(
    ("column", "sign", "options"),
    [
        ("score", 1, {}),
        ("mean_test_score", 1, {}),
        ("loss", -1, {}),
        ("value", 1, {"minimize": False}),
        ("value", -1, {"minimize": True}),
    ],
)
def test_the_column_of_the_score_has_a_direction(column, sign, options):
    frame = pd.DataFrame({"x": [0.1, 0.2], column: [3, 5]})
    expected = complete(({"x": 0.1}, 3.0 * sign), ({"x": 0.2}, 5.0 * sign))
    assert read(frame, **options) == [expected]


@pytest.mark.parametrize("prefix", ["param_", "params_"])
def test_columns_with_a_prefix_are_the_parameters(prefix):
    frame = pd.DataFrame({f"{prefix}x": [0.1, 0.2], "score": [3, 5], "value": [7, 8], "note": "a"})
    assert read(frame) == [TWO]


def test_a_parameter_named_like_a_score_is_a_parameter():
    frame = pd.DataFrame({"loss": ["hinge", "log_loss"], "score": [3.0, 5.0]})
    space = Space({"loss": ["hinge", "log_loss"]})
    expected = complete(({"loss": "hinge"}, 3.0), ({"loss": "log_loss"}, 5.0))
    assert read(frame, space) == [expected]
    with pytest.raises(ValueError, match="must have a column 'score'"):
        read(frame.drop(columns="score"), space)


def test_rows_without_a_score_have_failed_and_rows_that_are_not_complete_are_left_out():
    frame = pd.DataFrame(
        {
            "x": [0.1, 0.2, 0.3, 0.4],
            "score": [3.0, np.nan, 4.0, 4.0],
            "status": ["complete", "complete", "pruned", "complete"],
            "fidelity": [1.0, 1.0, 1.0, 0.5],
        }
    )
    assert read(frame) == [[*TWO[:1], ({"x": 0.2}, "failed", None)]]


def test_an_empty_cell_is_none_where_the_parameter_always_has_a_value():
    frame = pd.DataFrame({"x": [0.1, 0.2], "depth": [None, 3], "score": [3, 5]})
    assert frame["depth"].isna().tolist() == [True, False]  # a column of floats
    assert read(frame) == [
        complete(({"x": 0.1, "depth": None}, 3.0), ({"x": 0.2, "depth": 3}, 5.0))
    ]


def test_an_empty_cell_is_no_parameter_where_a_branch_lacks_it():
    space = Space([{"kind": ["tree"], "depth": [None, 3]}, {"kind": ["svm"], "C": [1, 2]}])
    frame = pd.DataFrame([{"kind": "tree", "depth": 3}, {"kind": "svm", "C": 2}]).assign(score=1.0)
    assert read(frame, space) == [
        complete(({"kind": "tree", "depth": 3}, 1.0), ({"kind": "svm", "C": 2}, 1.0))
    ]


def test_whole_floats_are_integers_where_the_space_has_integers():
    space = Space([{"n": (1, 9, "int"), "x": (0.0, 9.0, "uniform")}, {"C": [1, 2]}])
    frame = pd.DataFrame([{"n": 3, "x": 3}, {"C": 2}]).assign(score=1.0)
    assert frame["n"].dtype == float
    [study] = trials_of_studies(frame, space)
    assert [dict(trial.params) for trial in study] == [{"n": 3, "x": 3.0}, {"C": 2}]
    assert [type(study[0].params[name]) for name in ("n", "x")] == [int, float]


def test_a_table_of_cv_results_has_the_params_themselves():
    params = [{"x": 0.1}, {"x": 0.2}]
    frame = pd.DataFrame({"params": params, "param_x": ["?", "?"], "mean_test_score": [3.0, 5.0]})
    assert read(frame) == [TWO]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["x", "value"], r"got the columns \['x', 'value'\]. Which one is it: 'value'\?"),
        (["x", "y"], r"must have a column 'score', greater is better, or 'loss'"),
        (["x", "loss", "mean_test_score"], "Which one is it: 'mean_test_score', 'loss'"),
        (["x", "mean_test_a", "mean_test_b"], "Which one is it: 'mean_test_a', 'mean_test_b'"),
    ],
)
def test_a_table_without_one_score_is_refused(columns, message):
    frame = pd.DataFrame([[0.1] * len(columns)], columns=columns)
    with pytest.raises(ValueError, match=message):
        read(frame)


def test_a_score_that_is_no_number_is_refused():
    frame = pd.DataFrame({"x": [0.1], "score": ["good"]})
    with pytest.raises(ValueError, match="must have numbers in its column 'score', got 'good'"):
        read(frame)


# ------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("study", "message"),
    [
        (5, "must be the path of a journal, a fitted search.*got 5"),
        ("study.jsonl", r"of the path of a journal give load_trials\(path\)"),
        (optuna("MAXIMIZE", "MINIMIZE"), "an Optuna study with 2 objectives"),
        (optuna("MAXIMIZE").trials[0], "a trial of Optuna.*give the study instead"),
        (skopt("x", None), "dimensions that have no names"),
        (SimpleNamespace(cv_results_={"params": []}), "without 'params' and 'mean_test_score'"),
        (SimpleNamespace(fit=None), "that is not fitted"),
    ],
)
def test_the_message_says_what_is_wrong_with_which_study(study, message):
    with pytest.raises(ValueError, match=rf"previous_studies\[1\] .*{message}"):
        read([optuna("MAXIMIZE"), study])


# -------------------------------------------------------------------------- pickle


def test_only_trials_and_tables_are_pickled():
    frame = pd.DataFrame({"x": [0.1], "score": [3.0]})
    trials = [Trial(0, (), {"x": 0.1}).complete(3.0)]
    unknown = SimpleNamespace(fit=lambda: None)
    given = [optuna("MAXIMIZE"), frame, "study.jsonl", trials, unknown]
    plain = plain_studies(given)
    assert plain[1] is frame
    assert plain[2:] == given[2:]
    assert [trial.score for trial in pickle.loads(pickle.dumps(plain[0]))] == [3.0, 5.0]
    assert plain_studies(given[1:]) is not None
    same = [frame, trials]
    assert plain_studies(same) is same
    assert plain_studies(None) is None
    assert plain_studies(trials) is trials
