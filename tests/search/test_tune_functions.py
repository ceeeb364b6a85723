"""How `tune` calls functions of all shapes, and what they may return."""

import math
import operator
from functools import partial, wraps

import numpy as np
import pytest

from sklearn_lepton import Space, load_trials, tune
from sklearn_lepton._search.signatures import read_signature

SPACE = {"x": (0.0, 1.0, "uniform"), "z": [1, 2, 3]}
X_ONLY = {"x": (0.0, 1.0, "uniform")}
RUN = {"n_iter": 4, "random_state": 0}


class Model:
    """Methods and instances that can be tuned."""

    def method(self, x, z):
        return x * z

    @classmethod
    def of_class(cls, x, z):
        return x * z

    @staticmethod
    def of_nothing(x, z):
        return x * z

    def __call__(self, x, *, z):
        return x * z


def decorated(function):
    @wraps(function)
    def inner(*args, **kwargs):
        return function(*args, **kwargs)

    return inner


def product(x, z):
    return x * z


def of_dict(params):
    return params["x"] * params["z"]


def positional(x, z, /):
    return x * z


def mixed(z, /, *, x):
    return x * z


def any_keyword(**params):
    return params["x"] * params["z"]


def one_and_any(x, **rest):
    return x * rest["z"]


def with_defaults(x, z, scale=1.0, *, verbose=False):
    return x * z * scale


def dict_and_option(params, verbose=False):
    return of_dict(params)


def any_position(*args):
    return of_dict(*args)


def anything(*args, **kwargs):
    return of_dict(*args, **kwargs)


def dict_and_data(data, params):
    return data * of_dict(params)


@pytest.mark.parametrize(
    "function",
    [
        product,
        lambda x, z: x * z,
        of_dict,
        positional,
        mixed,
        any_keyword,
        one_and_any,
        with_defaults,
        dict_and_option,
        any_position,
        anything,
        Model().method,
        Model.of_class,
        Model.of_nothing,
        Model(),
        decorated(product),
        decorated(of_dict),
        partial(with_defaults, scale=1.0),
        partial(dict_and_data, 1.0),
        operator.itemgetter("z"),
    ],
    ids=lambda function: getattr(function, "__name__", type(function).__name__),
)
def test_each_shape_of_function_gets_the_parameters(function):
    result = tune(function, SPACE, **RUN)
    is_getter = isinstance(function, operator.itemgetter)
    expected = operator.itemgetter("z") if is_getter else of_dict
    assert [trial.score for trial in result.trials_] == [expected(t.params) for t in result.trials_]


def test_a_single_parameter_named_as_in_the_space_gets_its_value():
    assert tune(lambda x: x, X_ONLY, **RUN).best_params_["x"] == pytest.approx(
        tune(lambda params: params["x"], X_ONLY, **RUN).best_params_["x"]
    )
    sine = tune(math.sin, X_ONLY, **RUN)  # a builtin, which takes x by position only
    assert sine.best_score_ == math.sin(sine.best_params_["x"])


def test_a_parameter_with_a_default_may_be_tuned_or_not():
    def function(x, z=5):
        return x * z

    assert all(t.score == t.params["x"] * 5 for t in tune(function, X_ONLY, **RUN).trials_)
    assert all(
        t.score == t.params["x"] * t.params["z"] for t in tune(function, SPACE, **RUN).trials_
    )


def test_a_branch_gives_only_its_parameters_by_keyword():
    seen = []

    def function(kind, C=None, depth=None):
        seen.append((kind, C is None, depth is None))
        return 1.0

    space = [{"kind": ["svm"], "C": [1, 2]}, {"kind": ["tree"], "depth": [3, 4]}]
    tune(function, space, **RUN)
    assert set(seen) == {("svm", False, True), ("tree", True, False)}


def test_the_amount_of_the_resource_has_the_name_that_is_left():
    seen = []

    def function(x, n_epochs):
        seen.append(n_epochs)
        return x

    tune(function, X_ONLY, n_iter=12, resource=(1, 9), optimizer="random", random_state=0)
    assert set(seen) == {1, 3, 9}
    by_name = read_signature(lambda x, resource=1: x, Space(X_ONLY), has_resource=True)
    assert by_name.arguments({"x": 0.5}, (3,)) == ([], {"x": 0.5, "resource": 3})
    by_dict = read_signature(lambda params, n: n, Space(X_ONLY), has_resource=True)
    assert by_dict.arguments({"x": 0.5}, (3,)) == ([{"x": 0.5}, 3], {})


@pytest.mark.parametrize(
    ("function", "space", "options", "message"),
    [
        (lambda x, y: 1, SPACE, {}, r"not take \['z'\], which tune gives and needs \['y'\]"),
        (lambda x: 1, SPACE, {}, r"lambda>\(x\) does not take \['z'\], which tune gives"),
        (lambda x, z, w: 1, SPACE, {}, r"needs \['w'\], which the space lacks"),
        (lambda a, b: 1, SPACE, {}, r"must take one dict of parameters, or .*\['x', 'z'\], got"),
        (lambda: 1, SPACE, {}, r"must take one dict of parameters"),
        (lambda *, a: 1, SPACE, {}, r"must take one dict of parameters"),
        (
            lambda kind, C: 1,
            [{"kind": ["a"], "C": [1, 2]}, {"kind": ["b"]}],
            {},
            r"needs \['C'\], which a branch of the space lacks",
        ),
        (lambda x: 1, X_ONLY, {"resource": (1, 9)}, r"does not take \['resource'\]"),
        (lambda params: 1, X_ONLY, {"resource": (1, 9)}, "and, second, the amount of the resource"),
        (lambda y=1, x=2, /: 1, X_ONLY, {}, r"needs \['y'\]"),
    ],
)
def test_a_mismatch_is_named_before_the_first_call_and_the_journal(
    function, space, options, message, tmp_path
):
    path = tmp_path / "study.jsonl"
    with pytest.raises(TypeError, match=f"(?s){message}"):
        tune(function, space, journal=path, **RUN, **options)
    assert not path.exists()


# ------------------------------------------------------------------------- metrics


def test_the_first_metric_is_optimized():
    def function(x, z):
        return {"gain": x * z, "cost": z}

    result = tune(function, SPACE, **RUN)
    expected = tune(product, SPACE, **RUN)
    assert [trial.score for trial in result.trials_] == [t.score for t in expected.trials_]
    best = result.trials_[result.best_index_]
    assert dict(best.split_results[0].scores) == {"gain": best.score, "cost": best.params["z"]}


def test_metrics_are_values_of_the_function_in_the_table():
    result = tune(lambda x, z: {"loss": x, "size": z}, SPACE, minimize=True, **RUN)
    assert result.best_value_ == min(trial.params["x"] for trial in result.trials_)
    frame = result.to_frame()
    assert frame["value"].tolist() == frame["value_loss"].tolist() == frame["param_x"].tolist()
    assert frame["value_size"].tolist() == frame["param_z"].tolist()


@pytest.mark.parametrize("returned", [np.float32(1), np.int64(1), np.array(1.0), 1])
def test_metrics_of_other_number_types(returned):
    result = tune(lambda x: {"a": returned}, X_ONLY, **RUN)
    assert (result.best_value_, type(result.best_value_)) == (1.0, float)


@pytest.mark.parametrize("returned", [{}, {"a": "high"}, {"a": 1.0, "b": [1]}, {1: 1.0}])
def test_a_dict_that_holds_no_metrics_is_refused(returned):
    with pytest.raises(TypeError, match="names of metrics with one number each.*got"):
        tune(lambda x: returned, X_ONLY, **RUN)


@pytest.mark.parametrize("other", [1.0, {"b": 1.0}, {"a": 1.0, "b": 1.0}, np.nan, {"a": None}])
def test_a_result_without_the_metrics_of_the_first_one_is_a_failed_trial(other, tmp_path):
    path, results = tmp_path / "study.jsonl", iter([{"a": 1.0}, other, {"a": 2.0}, {"a": 3.0}])
    result = tune(lambda x: next(results), X_ONLY, journal=path, **RUN)
    assert [t.status for t in result.trials_] == ["complete", "failed", "complete", "complete"]
    assert [t.score for t in load_trials(path)] == [t.score for t in result.trials_]


@pytest.mark.parametrize("first", [np.nan, None, {"b": np.nan, "a": 1.0}])
def test_a_first_result_without_a_number_does_not_decide_the_metrics(first, tmp_path):
    path = tmp_path / "study.jsonl"
    results = iter([first, *({"b": 1.0 * k, "a": 2.0} for k in range(3))])
    result = tune(lambda x: next(results), X_ONLY, journal=path, **RUN)
    assert [t.score for t in result.trials_] == [None, 0.0, 1.0, 2.0]
    assert [t.score for t in load_trials(path)] == [None, 0.0, 1.0, 2.0]


def test_the_order_of_the_first_metrics_is_kept():
    results = iter([{"a": 1.0, "b": 9.0}, {"b": 9.0, "a": 2.0}, {"b": 0.0, "a": 3.0}])
    result = tune(lambda x: next(results), X_ONLY, n_iter=3, random_state=0)
    assert [trial.score for trial in result.trials_] == [1.0, 2.0, 3.0]


def test_a_journal_of_metrics_is_resumed(tmp_path):
    path = tmp_path / "study.jsonl"
    whole = tune(_metrics, SPACE, n_iter=8, random_state=0, n_points=1)
    tune(_metrics, SPACE, n_iter=3, random_state=0, n_points=1, journal=path)
    resumed = tune(_metrics, SPACE, n_iter=8, random_state=0, n_points=1, journal=path)
    assert [(t.params, t.score) for t in resumed.trials_] == [
        (t.params, t.score) for t in whole.trials_
    ]
    assert load_trials(path)[0].split_results[0].scores.keys() == {"gain", "cost"}


def _metrics(x, z):
    return {"gain": x * z, "cost": z}
