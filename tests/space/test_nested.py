"""Branches within a parameter: choices with parameters of their own."""

import re

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

from sklearn_lepton import BayesSearchCV, Branch, Categorical, Space, tune
from sklearn_lepton.optimizers import GridOptimizer, RandomOptimizer


def names(space):
    return [list(branch) for branch in Space(space).branches]


def test_each_branch_has_its_own_parameters():
    space = {"x": [1, 2], "kind": [Branch("a", {"n": (1, 9, "int")}), "b", Branch("c", {"m": [3]})]}
    assert names(space) == [["x", "kind"], ["x", "kind", "n"], ["x", "kind", "m"]]
    flat = [
        {"x": [1, 2], "kind": ["b"]},
        {"x": [1, 2], "kind": ["a"], "n": (1, 9, "int")},
        {"x": [1, 2], "kind": ["c"], "m": [3]},
    ]
    assert Space(space) == Space(flat)


def test_branches_two_deep():
    kernels = ["linear", Branch("rbf", {"gamma": [1, 2]}), Branch("poly", {"degree": [2, 3]})]
    space = Space({"model": [Branch("svm", {"C": [1, 2], "kernel": kernels}), "tree"]})
    assert names(space) == [
        ["model"],
        ["model", "C", "kernel"],
        ["model", "C", "kernel", "gamma"],
        ["model", "C", "kernel", "degree"],
    ]
    assert space.size == 1 + 2 * (1 + 2 + 2)
    everything = [trial.params for trial in GridOptimizer(space).ask(20)]
    assert len(everything) == 11
    assert {"model": "svm", "C": 2, "kernel": "rbf", "gamma": 1} in everything
    assert {"model": "tree"} in everything


def test_choices_of_two_parameters_are_combined():
    first = [Branch("a", {"x": [1]}), "b"]
    second = [Branch("c", {"y": [1]}), Branch("d", {"z": [1]})]
    assert sorted(names({"p": first, "q": second})) == sorted(
        [["p", "x", "q", "y"], ["p", "x", "q", "z"], ["p", "q", "y"], ["p", "q", "z"]]
    )


def test_alternatives_within_a_branch():
    alternatives = [{"solver": ["lbfgs"], "C": [1, 2]}, {"solver": ["saga"], "ratio": [0, 1]}]
    space = Space({"model": [Branch("lr", alternatives), "none"]})
    assert names(space) == [["model"], ["model", "solver", "C"], ["model", "solver", "ratio"]]
    assert space == Space({"model": [Branch("lr", Space(alternatives)), "none"]})


def test_draws_take_each_choice_equally_often():
    many = [Branch(k, {f"x{k}": [0, 1]}) for k in range(6)]
    space = Space({"model": [Branch("many", {"inner": many}), Branch("one", {"y": [0]}), "p", "q"]})
    points = space.snap(space.draw(np.random.default_rng(0), 4000))
    drawn = [space.from_point(point)["model"] for point in points]
    for choice in ("many", "one", "p", "q"):
        assert 0.21 < drawn.count(choice) / 4000 < 0.29


def test_weights_of_choices_with_parameters():
    choices = Categorical([Branch("a", {"x": [1, 2]}), "b"], weights=[3, 1])
    assert Space({"kind": choices}) == Space(
        [{"kind": ["b"]}, {"kind": ["a"], "x": [1, 2]}], weights=[1, 3]
    )
    repeated = [Branch("a", {"x": [1, 2]}), "b", "b", "b"]
    assert Space({"kind": repeated}).dimensions[0].weights == pytest.approx((0.75, 0.25))


def test_branches_within_a_list_of_dicts_keep_its_weights():
    dicts = [{"kind": [Branch("a", {"x": [1]}), Branch("b", {"y": [1]})]}, {"kind": ["c"]}]
    assert Space(dicts, weights=[1, 1]).dimensions[0].weights == pytest.approx((0.5, 0.5, 1.0))


def test_space_without_branches_within_parameters_is_unchanged():
    dicts = [{"kind": ["a"], "x": [1, 2]}, {"kind": ["b"], "c": [{0: 1}, {0: 2}]}]
    assert Space(dicts).dimensions[0].weights is None
    assert names({"kind": [Branch("a"), "b"]}) == [["kind"], ["kind"]]


def test_dicts_stay_choices():
    space = Space({"class_weight": [{0: 1, 1: 2}, None]})
    assert space.from_point([0.0]) == {"class_weight": {0: 1, 1: 2}}


# --------------------------------------------------------------------- errors


def test_name_inside_a_branch_and_beside_it_raises():
    with pytest.raises(ValueError, match=r"Parameter 'C' is given twice .* \[1, 2\] and .*\[3\]"):
        Space({"C": [1, 2], "model": [Branch("svm", {"C": [3]}), "tree"]})
    with pytest.raises(ValueError, match="Parameter 'C' is given twice"):
        Space({"model": [Branch("svm", {"C": [3]}), "tree"], "C": [1, 2]})
    with pytest.raises(ValueError, match="Parameter 'model' is given twice"):
        Space({"model": [Branch("svm", {"model": ["tree"]})]})


def test_name_in_two_branches_that_occur_together_raises():
    with pytest.raises(ValueError, match="Parameter 'x' is given twice"):
        Space({"p": [Branch(1, {"x": [1]}), 2], "q": [Branch(1, {"x": [2]}), 2]})


def test_too_many_branches_raise_with_their_number():
    space = {f"p{k}": ["a", *(Branch(c, {f"{c}{k}": [1]}) for c in "bcd")] for k in range(5)}
    with pytest.raises(ValueError, match=r"1,024 branches in all, by 4 of 'p0', .* at most 256"):
        Space(space)
    assert len(Space(dict(list(space.items())[:4])).branches) == 256


@pytest.mark.parametrize("given", [3, ["x"], "C", [{"C": [1]}, 2]])
def test_param_distributions_of_other_types_raise(given):
    with pytest.raises(TypeError, match="must be a dict, a list of dicts or a Space, got"):
        Branch("svm", given)


def test_empty_list_of_alternatives_raises():
    with pytest.raises(ValueError, match="is an empty list"):
        Branch("svm", [])


def test_branch_as_the_value_of_a_branch_raises():
    with pytest.raises(TypeError, match="the value of a branch must be a choice"):
        Branch(Branch("svm"))


def test_constraint_within_a_branch_raises():
    with pytest.raises(ValueError, match="give it to the whole space"):
        Branch("svm", Space({"C": [1, 2]}, constraint=lambda params: params["C"] > 1))


def test_space_as_a_choice_raises():
    with pytest.raises(TypeError, match=re.escape("write Branch(value, space)")):
        Space({"model": Categorical([Space({"C": [1, 2]}), "tree"])})


def test_branch_outside_of_a_list_raises():
    with pytest.raises(TypeError, match=r"Parameter 'model': Branch.* is not a set of values"):
        Space({"model": Branch("svm", {"C": [1]})})


def test_parameter_without_its_step_is_named():
    pipeline = Pipeline([("model", SVC())])
    search = BayesSearchCV(pipeline, {"model": [Branch(SVC(), {"C": [1, 2]})]})
    with pytest.raises(ValueError, match=r"Unknown parameter 'C'.* Write model__C for that of"):
        search.fit([[0.0], [1.0]] * 5, [0, 1] * 5)


# ------------------------------------------------------------------ searches


X, y = load_iris(return_X_y=True)


def test_search_of_models_in_a_pipeline(tmp_path):
    space = {
        "reduce": ["passthrough", Branch(PCA(), {"reduce__n_components": [2, 3]})],
        "model": [
            Branch(
                SVC(),
                {
                    "model__C": (0.1, 100.0, "log-uniform"),
                    "model__kernel": [
                        "linear",
                        Branch("rbf", {"model__gamma": (1e-3, 1.0, "log-uniform")}),
                    ],
                },
            ),
            LogisticRegression(max_iter=300),
        ],
    }
    pipeline = Pipeline([("reduce", "passthrough"), ("model", SVC())])

    def run(n_iter):
        search = BayesSearchCV(
            pipeline, space, n_iter=n_iter, cv=3, random_state=0, journal=tmp_path / "study.jsonl"
        )
        return clone(search).fit(X, y)

    assert len(run(6).trials_) == 6
    search = run(12)
    assert search.best_score_ > 0.9
    assert len(search.space_.branches) == 6
    for trial in search.trials_:
        is_rbf = trial.params.get("model__kernel") == "rbf"
        assert ("model__gamma" in trial.params) == is_rbf
        assert ("model__C" in trial.params) == isinstance(trial.params["model"], SVC)


def test_constraint_over_branches():
    space = Space(
        {"n": (1, 9, "int"), "kind": [Branch("a", {"m": (1, 9, "int")}), "b"]},
        constraint=lambda params: params.get("m", 0) < params["n"],
    )
    trials = RandomOptimizer(space, seed=0).ask(40)
    assert {trial.params["kind"] for trial in trials} == {"a", "b"}
    assert all(trial.params.get("m", 0) < trial.params["n"] for trial in trials)


def test_pairs_within_branches_are_ranges_in_tune():
    result = tune(
        lambda params: params.get("x", 0) - params.get("n", 0) ** 2,
        {"kind": [Branch("a", {"x": (0.0, 1.0)}), Branch("b", {"n": (0, 5)})]},
        n_iter=12,
        random_state=0,
    )
    assert result.best_params_["x"] > 0.9
    assert {type(t.params["n"]) for t in result.trials_ if "n" in t.params} == {int}
    assert any(0.0 < t.params["x"] < 1.0 for t in result.trials_ if "x" in t.params)
