"""Spaces of other libraries: read as ours, or refused with a clear error.

Most tests use small stand-ins with the modules, names and attributes of the libraries. Those at the
end use the libraries themselves where they are installed, as in ``make test-migration``.
"""

import copy
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.stats
from sklearn.base import BaseEstimator, clone

from sklearn_lepton import BayesSearchCV, Categorical, Integer, Real, Space, tune
from sklearn_lepton.optimizers import RandomOptimizer
from sklearn_lepton.space._distribution import Distribution


def stand_in(module, class_name, bases=(), /, **attributes):
    """Return an object whose class has the module, name and attributes of another library's."""
    kind = type(class_name, bases, {"__module__": module, "__repr__": lambda _: class_name})
    made = kind()
    vars(made).update(attributes)
    return made


def skopt(kind, **attributes):
    # Like the real ones, they have ``rvs``, which draws a list.
    base = type("Dimension", (), {"__module__": "skopt.space.space", "rvs": lambda *_, **__: [1]})
    return stand_in("skopt.space.space", kind, (base,), **{"name": None} | attributes)


def optuna(kind, **attributes):
    return stand_in("optuna.distributions", kind, **attributes)


def config(kind, name="p", **attributes):
    return stand_in("ConfigSpace.hyperparameters", kind, name=name, **attributes)


def genetic(kind, **attributes):
    return stand_in("sklearn_genetic.space.space", kind, **attributes)


def domain(kind, sampler, library="ray", **attributes):
    return stand_in(f"{library}.tune.search.sample", kind, sampler=sampler, **attributes)


def sampler(kind, name="_Uniform", **attributes):
    base = type(kind, (), {})
    return stand_in("ray.tune.search.sample", name, (base,), **attributes)


def apply(name, *args, **named):
    return stand_in(
        "hyperopt.pyll.base",
        "Apply",
        name=name,
        pos_args=list(args),
        named_args=list(named.items()),
    )


def literal(value):
    return stand_in(
        "hyperopt.pyll.base", "Literal", (type(apply("literal")),), obj=value, **LITERAL
    )


LITERAL = {"name": "literal", "pos_args": [], "named_args": []}
UNIFORM = sampler("Uniform")


def drawn(name, *args, wrapped="float"):
    """Return the expression of ``hp.<name>("label", *args)``."""
    inner = apply("hyperopt_param", literal("label"), apply(name, *map(literal, args)))
    return apply(wrapped, inner)


def switch(index, *options):
    return apply("switch", apply("hyperopt_param", literal("label"), index), *options)


READ = {
    "skopt Real": (skopt("Real", low=1e-3, high=1, prior="log-uniform"), Real(1e-3, 1, log=True)),
    "skopt Real, uniform": (skopt("Real", low=1, high=30, prior="uniform"), Real(1, 30)),
    "skopt Integer": (skopt("Integer", low=1, high=30, prior="uniform"), Integer(1, 30)),
    "skopt Integer, log": (
        skopt("Integer", low=np.int64(1), high=30, prior="log-uniform"),
        Integer(1, 30, log=True),
    ),
    "skopt Categorical": (
        skopt("Categorical", categories=("a", "b"), prior=[0.2, 0.8]),
        Categorical(["a", "b"], weights=[1, 4]),
    ),
    "skopt Categorical, ordered": (
        skopt("Categorical", categories=(1, 2, 4), prior=None),
        Categorical([1, 2, 4], ordered=True),
    ),
    "Optuna float": (
        optuna("FloatDistribution", low=1e-3, high=1.0, log=True, step=None),
        Real(1e-3, 1, log=True),
    ),
    "Optuna float with steps": (
        optuna("FloatDistribution", low=0.0, high=1.0, log=False, step=0.25),
        Categorical([0.0, 0.25, 0.5, 0.75, 1.0]),
    ),
    "Optuna int": (optuna("IntDistribution", low=1, high=9, log=False, step=1), Integer(1, 9)),
    "Optuna int, log": (
        optuna("IntDistribution", low=1, high=9, log=True, step=1),
        Integer(1, 9, log=True),
    ),
    "Optuna int with steps": (
        optuna("IntDistribution", low=1, high=9, log=False, step=4),
        Categorical([1, 5, 9]),
    ),
    "Optuna choices": (
        optuna("CategoricalDistribution", choices=("a", None)),
        Categorical(["a", None]),
    ),
    "ConfigSpace float": (
        config("UniformFloatHyperparameter", lower=1e-3, upper=1.0, log=True),
        Real(1e-3, 1.0, log=True),
    ),
    "ConfigSpace integer": (
        config("UniformIntegerHyperparameter", lower=2, upper=np.int64(5), log=False),
        Integer(2, 5),
    ),
    "ConfigSpace normal": (
        config("NormalFloatHyperparameter", mu=1.0, sigma=2.0, lower=-1.0, upper=5.0, log=False),
        Distribution(scipy.stats.truncnorm(-1.0, 2.0, loc=1.0, scale=2.0)),
    ),
    "ConfigSpace beta": (
        config("BetaFloatHyperparameter", alpha=2.0, beta=3.0, lower=1.0, upper=5.0, log=False),
        Distribution(scipy.stats.beta(2.0, 3.0, loc=1.0, scale=4.0)),
    ),
    "ConfigSpace choices": (
        config("CategoricalHyperparameter", choices=(1, 2), weights=(3, 1)),
        Categorical([1, 2], ordered=False, weights=[3, 1]),
    ),
    "ConfigSpace ordinal": (
        config("OrdinalHyperparameter", sequence=("s", "m", "l")),
        Categorical(["s", "m", "l"], ordered=True),
    ),
    "ConfigSpace constant": (config("Constant", value=3), Categorical([3])),
    "sklearn-genetic-opt": (
        genetic("Continuous", lower=1e-3, upper=1, distribution="log-uniform"),
        Real(1e-3, 1, log=True),
    ),
    "sklearn-genetic-opt Integer": (
        genetic("Integer", lower=1, upper=9, distribution="uniform"),
        Integer(1, 9),
    ),
    "sklearn-genetic-opt Categorical": (
        genetic("Categorical", choices=["a", "b"], priors=None),
        Categorical(["a", "b"]),
    ),
    "Ray uniform": (domain("Float", UNIFORM, lower=0, upper=1), Real(0, 1)),
    "Ray loguniform": (
        domain("Float", sampler("LogUniform"), lower=1e-3, upper=1),
        Real(1e-3, 1, log=True),
    ),
    "Ray randint": (domain("Integer", UNIFORM, lower=1, upper=10), Integer(1, 9)),
    "Ray lograndint": (
        domain("Integer", sampler("LogUniform"), lower=1, upper=10),
        Integer(1, 9, log=True),
    ),
    "Ray quniform": (
        domain("Float", sampler("Quantized", sampler=UNIFORM, q=0.5), lower=0.2, upper=2.1),
        Categorical([0.5, 1.0, 1.5, 2.0]),
    ),
    "Ray qrandint": (
        domain("Integer", sampler("Quantized", sampler=UNIFORM, q=2), lower=1, upper=6),
        Categorical([2, 4, 6]),
    ),
    "Ray randn": (
        domain("Float", sampler("Normal", mean=1.0, sd=2.0), lower=-np.inf, upper=np.inf),
        Distribution(scipy.stats.norm(1.0, 2.0)),
    ),
    "FLAML choice": (
        domain("Categorical", UNIFORM, "flaml", categories=["a", "b"]),
        Categorical(["a", "b"]),
    ),
    "hyperopt uniform": (drawn("uniform", 0, 2), Real(0, 2)),
    "hyperopt loguniform": (drawn("loguniform", 0.0, 0.0), Real(1, 1, log=True)),
    "hyperopt quniform": (drawn("quniform", 1, 7, 2), Categorical([0.0, 2.0, 4.0, 6.0, 8.0])),
    "hyperopt int of quniform": (
        apply("int", drawn("quniform", 0, 6, 3)),
        Categorical([0, 3, 6]),
    ),
    "hyperopt uniformint": (apply("int", drawn("quniform", 1, 9, 1.0)), Integer(1, 9)),
    "hyperopt randint": (drawn("randint", 5, wrapped="int"), Integer(0, 4)),
    "hyperopt randint with low": (drawn("randint", 2, 5, wrapped="int"), Integer(2, 4)),
    "hyperopt normal": (drawn("normal", 1, 2), Distribution(scipy.stats.norm(1, 2))),
    "hyperopt lognormal": (
        drawn("lognormal", 0, 2),
        Distribution(scipy.stats.lognorm(2, scale=1.0)),
    ),
    "hyperopt choice": (
        switch(apply("randint", literal(2)), literal("a"), apply("pos_args", literal(5))),
        Categorical(["a", (5,)]),
    ),
    "hyperopt pchoice": (
        switch(
            apply("categorical", apply("pos_args", literal(0.25), literal(0.75))),
            literal("a"),
            literal(None),
        ),
        Categorical(["a", None], weights=[1, 3]),
    ),
}


@pytest.mark.parametrize(("given", "expected"), READ.values(), ids=READ)
def test_dimension_of_another_library_is_read(given, expected):
    assert Space({"p": given}) == Space({"p": expected})


@pytest.mark.parametrize(
    ("given", "library"),
    [
        (skopt("Dimension"), "skopt"),
        (optuna("FrozenTrial"), "optuna"),
        (config("NormalIntegerHyperparameter", log=False), "NormalInteger.* of ConfigSpace"),
        (config("NormalFloatHyperparameter", log=True), "ConfigSpace"),
        (config("BetaFloatHyperparameter", log=True), "ConfigSpace"),
        (domain("Function", UNIFORM), "ray"),
        (
            domain(
                "Float", sampler("Quantized", sampler=sampler("LogUniform"), q=1), lower=1, upper=2
            ),
            "Uniform of ray",
        ),
        (drawn("qloguniform", 0, 1, 1), "'qloguniform' of hyperopt"),
        (apply("int", drawn("uniform", 0, 1)), "'int of uniform' of hyperopt"),
        (switch(apply("randint", literal(2)), literal("a"), apply("dict")), "'dict' of hyperopt"),
        (apply("add"), "'add' of hyperopt"),
    ],
)
def test_object_without_a_counterpart_raises(given, library):
    with pytest.raises(TypeError, match=rf"'p': .*{library} has no counterpart here. Give a list"):
        Space({"p": given})


def test_range_with_too_many_steps_raises():
    given = optuna("FloatDistribution", low=0.0, high=1.0, log=False, step=1e-9)
    with pytest.raises(ValueError, match=r"'p': a range with 1000000000 steps is too long"):
        Space({"p": given})


def test_object_of_the_same_class_name_in_another_module_is_not_read():
    other = stand_in("mine.space", "Real", low=0, high=1, prior="uniform")
    with pytest.raises(TypeError, match="is not a set of values"):
        Space({"p": other})


# ------------------------------------------------------ whole spaces


A, B = (
    skopt("Real", name="a", low=0, high=1, prior="uniform"),
    skopt("Integer", name="b", low=1, high=9, prior="uniform"),
)
EXPECTED = Space({"a": Real(0, 1), "b": Integer(1, 9)})


def skopt_space(*dimensions, constraint=None):
    return stand_in(
        "skopt.space.space", "Space", dimensions=list(dimensions), constraint=constraint
    )


@pytest.mark.parametrize("given", [[A, B], (A, B), skopt_space(A, B)])
def test_named_dimensions_are_a_space(given):
    assert Space(given) == EXPECTED
    assert RandomOptimizer(given).space == EXPECTED
    assert tune(lambda params: params["a"], given, n_iter=2).optimizer_.space == EXPECTED


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (
            [A, skopt("Real", low=0, high=1, prior="uniform")],
            ValueError,
            "has no name.*give a dict",
        ),
        ([A, A], ValueError, "has the name of another one.*give a dict"),
        ([({"a": [1]}, 20), ({"b": [1]}, 10)], TypeError, r"weights=\[20, 10\]\) and n_iter=30"),
        (A, TypeError, "Real.* of skopt has no counterpart.*list of dicts"),
        (switch(apply("randint", literal(2))), TypeError, "hyperopt has no counterpart"),
        ([optuna("FloatDistribution")], TypeError, "must be a dict"),
    ],
)
def test_space_that_cannot_be_read_raises(given, error, message):
    with pytest.raises(error, match=message):
        Space(given)


class _Mapping(dict):
    """A `ConfigurationSpace` is a mapping of names to hyperparameters."""

    conditions = ()
    forbidden_clauses = ()


def configuration_space(*parameters, conditions=(), clauses=()):
    base = type("Mapping", (_Mapping,), {"__module__": "ConfigSpace.configuration_space"})
    space = base({parameter.name: parameter for parameter in parameters})
    space.conditions, space.forbidden_clauses = list(conditions), list(clauses)
    return space


def condition(kind, child, parent, value):
    values = {"values": value} if kind == "In" else {"value": value}
    return SimpleNamespaceOf(f"{kind}Condition", child=child, parent=parent, **values)


def joint(kind, *components):
    return SimpleNamespaceOf(f"{kind}Conjunction", child=components[0].child, components=components)


def SimpleNamespaceOf(name, **attributes):  # noqa: N802 - it makes a class
    return type(name, (SimpleNamespace,), {"__module__": "ConfigSpace.conditions"})(**attributes)


KERNEL = config(
    "CategoricalHyperparameter",
    "kernel",
    choices=("rbf", "poly", "sigmoid", "linear"),
    weights=None,
)
SIZE = config("OrdinalHyperparameter", "size", sequence=("s", "m", "l"))
C = config("UniformFloatHyperparameter", "C", lower=0.1, upper=10.0, log=True)
GAMMA = config("UniformFloatHyperparameter", "gamma", lower=0.1, upper=1.0, log=True)
DEGREE = config("UniformIntegerHyperparameter", "degree", lower=2, upper=5, log=False)
SHIFT = config("CategoricalHyperparameter", "shift", choices=("none", "own"), weights=(3, 1))
COEF = config("UniformFloatHyperparameter", "coef0", lower=0.0, upper=1.0, log=False)
RANGES = {"gamma": Real(0.1, 1, log=True), "C": Real(0.1, 10, log=True), "degree": Integer(2, 5)}


def branches_of(space):
    """Return the dimensions of each branch."""
    return [{name: space.dimensions[k] for name, k in branch.items()} for branch in space.branches]


def test_conditions_become_branches_with_the_weights_of_the_space():
    given = configuration_space(
        C,
        DEGREE,
        GAMMA,
        KERNEL,
        conditions=[
            condition("Equals", DEGREE, KERNEL, "poly"),
            condition("In", GAMMA, KERNEL, ["rbf", "poly", "sigmoid"]),
        ],
    )
    C_, gamma, degree = RANGES["C"], RANGES["gamma"], RANGES["degree"]
    expected = [
        {"C": C_, "gamma": gamma, "kernel": Categorical(["rbf", "sigmoid"])},
        {"C": C_, "degree": degree, "gamma": gamma, "kernel": Categorical(["poly"])},
        {"C": C_, "kernel": Categorical(["linear"])},
    ]
    space = Space(given)
    assert space == Space(expected, weights=[2, 1, 1])
    assert space.names.count("gamma") == 1  # both branches share it


def test_given_weights_replace_those_of_a_library():
    given = configuration_space(
        KERNEL, COEF, conditions=[condition("Equals", COEF, KERNEL, "poly")]
    )
    assert Space(given, weights=np.array([5, 1])) == Space(Space(given), weights=[5, 1])
    assert Space(given) == Space(Space(given), weights=[3, 1])


def test_conditions_on_conditional_parameters_nest():
    given = configuration_space(
        KERNEL,
        SHIFT,
        COEF,
        conditions=[
            condition("In", SHIFT, KERNEL, ["poly", "sigmoid"]),
            condition("Equals", COEF, SHIFT, "own"),
        ],
    )
    space = Space(given)
    assert [set(branch) for branch in space.branches] == [
        {"kernel"},
        {"kernel", "shift"},
        {"kernel", "shift", "coef0"},
    ]
    assert np.divide(space.dimensions[0].weights, 1) == pytest.approx([0.5, 0.375, 0.125])
    assert branches_of(space)[2]["shift"] == Categorical(["own"])


@pytest.mark.parametrize(
    ("made", "active"),
    [
        (lambda c: c("GreaterThan", COEF, SIZE, "s"), {"m", "l"}),
        (lambda c: c("LessThan", COEF, SIZE, "l"), {"s", "m"}),
        (lambda c: c("NotEquals", COEF, SIZE, "m"), {"s", "l"}),
        (
            lambda c: joint(
                "And", c("GreaterThan", COEF, SIZE, "s"), c("NotEquals", COEF, SIZE, "l")
            ),
            {"m"},
        ),
        (
            lambda c: joint("Or", c("Equals", COEF, SIZE, "s"), c("Equals", COEF, SIZE, "l")),
            {"s", "l"},
        ),
    ],
)
def test_each_kind_of_condition_activates_its_parameter(made, active):
    space = Space(configuration_space(SIZE, COEF, conditions=[made(condition)]))
    found = {
        size
        for branch in branches_of(space)
        if "coef0" in branch
        for size in branch["size"].categories
    }
    assert found == active
    assert all(branch["size"].ordered for branch in branches_of(space))


def test_condition_with_an_inactive_parent_is_false():
    conditions = [
        condition("Equals", SHIFT, KERNEL, "poly"),
        joint(
            "Or", condition("Equals", COEF, SHIFT, "own"), condition("Equals", COEF, KERNEL, "rbf")
        ),
    ]
    space = Space(configuration_space(KERNEL, SHIFT, COEF, conditions=conditions))
    active = [
        (tuple(branch["kernel"].categories), "coef0" in branch) for branch in branches_of(space)
    ]
    assert active == [
        (("rbf",), True),
        (("poly",), False),
        (("poly",), True),
        (("sigmoid", "linear"), False),
    ]


def test_condition_on_a_range_raises():
    given = configuration_space(C, COEF, conditions=[condition("GreaterThan", COEF, C, 1.0)])
    with pytest.raises(
        ValueError, match=r"condition depends on 'C', which is a range.*list of dicts"
    ):
        Space(given)


def with_parents(n_parents):
    """Return a space in which each of some constants has a parent of its own."""
    parents = [
        config("CategoricalHyperparameter", f"q{k}", choices=(0, 1), weights=None)
        for k in range(n_parents)
    ]
    children = [config("Constant", f"c{k}", value=1) for k in range(n_parents)]
    conditions = [condition("Equals", *pair, 1) for pair in zip(children, parents, strict=True)]
    return configuration_space(*parents, *children, conditions=conditions)


def test_branches_are_in_the_order_of_the_names():
    # Whatever the order of sets in this process is.
    found = [
        tuple(branch[f"q{k}"].categories[0] for k in range(6))
        for branch in branches_of(Space(with_parents(6)))
    ]
    assert found == sorted(found)
    assert len(set(found)) == 64


def test_conditions_with_too_many_branches_raise():
    with pytest.raises(ValueError, match="more than 256 branches"):
        Space(with_parents(9))


class Clause:
    """A forbidden clause: one value of one parameter."""

    def __init__(self, name, value):
        self.name = name
        self.value = value

    def is_forbidden_value(self, values):
        return values.get(self.name) == self.value

    def __str__(self):
        return f"Forbidden: {self.name} == {self.value!r}"


def test_forbidden_clauses_are_the_constraint():
    def make(value):
        conditions = [condition("Equals", SHIFT, KERNEL, "poly")]
        clauses = [Clause("kernel", value), Clause("shift", "own")]
        return configuration_space(KERNEL, SHIFT, C, conditions=conditions, clauses=clauses)

    space = Space(make("linear"))
    assert space.allows({"kernel": "rbf", "C": 1.0})
    assert not space.allows({"kernel": "linear", "C": 1.0})
    assert not space.allows({"kernel": "poly", "shift": "own", "C": 1.0})
    assert space == Space(make("linear"))
    assert space != Space(make("rbf"))
    assert "Forbidden: kernel == 'linear'" in repr(space)
    asked = RandomOptimizer(space, seed=0).ask(40)
    assert {trial.params["kernel"] for trial in asked} == {"rbf", "sigmoid", "poly"}
    assert "own" not in {trial.params.get("shift") for trial in asked}


def test_constraint_of_a_space_gets_the_values_in_their_order():
    def is_allowed(values):
        a, b = values
        return np.bool_(a * 10 < b)

    given = skopt_space(A, B, constraint=is_allowed)
    space = Space(given)
    assert space.allows({"b": 9, "a": 0.5})
    assert not space.allows({"b": 4, "a": 0.5})
    assert space == Space(given)
    with pytest.raises(ValueError, match="one function that checks both"):
        Space(given, constraint=len)


# ------------------------------------------------------ searches


class Stub(BaseEstimator):
    """Costs nothing to fit; its score is its parameter."""

    def __init__(self, a=0.0, b=1):
        self.a = a
        self.b = b

    def fit(self, X, y=None):
        assert type(self.b) is int
        return self

    def score(self, X, y=None):
        return self.a + self.b


def test_search_and_its_clone_take_the_dimensions_of_another_library(tmp_path):
    given = {"a": A, "b": B}
    search = BayesSearchCV(
        Stub(), given, n_iter=4, cv=2, random_state=0, journal=tmp_path / "study.jsonl"
    )
    X, y = np.zeros((8, 1)), [0, 1] * 4
    search.fit(X, y)
    assert search.space_ == EXPECTED
    assert search.param_distributions is given
    assert all(trial.status == "complete" for trial in search.trials_)
    assert "b" in search._repr_html_()
    again = clone(search).set_params(param_distributions=EXPECTED).fit(X, y)
    assert [t.params for t in again.trials_] == [t.params for t in search.trials_]
    assert pickle.loads(pickle.dumps(search.space_)) == EXPECTED


# ------------------------------------------------------ the libraries themselves


@pytest.mark.filterwarnings("ignore")
class TestInstalled:
    """The libraries have the attributes that are read."""

    def test_scikit_optimize(self):
        space = pytest.importorskip("skopt.space")
        named = [
            space.Real(1e-3, 1, prior="log-uniform", name="a"),
            space.Integer(1, 30, name="b"),
            space.Categorical(["x", "y"], prior=[0.2, 0.8], name="c"),
        ]
        expected = Space(
            {
                "a": Real(1e-3, 1, log=True),
                "b": Integer(1, 30),
                "c": Categorical(["x", "y"], weights=[1, 4]),
            }
        )
        assert Space(named) == Space(space.Space(named)) == expected
        assert Space({each.name: each for each in named}) == expected
        # The triples mean the same there.
        for triple in [(1, 30, "log-uniform"), (1.0, 30.0, "uniform"), (0.1, 1, "log-uniform")]:
            assert Space({"a": space.check_dimension(triple)}) == Space({"a": triple})

    def test_optuna(self):
        optuna = pytest.importorskip("optuna.distributions")
        given = {
            "a": optuna.FloatDistribution(1e-3, 1, log=True),
            "b": optuna.FloatDistribution(0, 1, step=0.25),
            "c": optuna.IntDistribution(1, 10, step=2),
            "d": optuna.IntDistribution(1, 10, log=True),
            "e": optuna.CategoricalDistribution(["x", None]),
            "f": optuna.IntDistribution(1, 10),
        }
        expected = {
            "a": Real(1e-3, 1, log=True),
            "b": [0.0, 0.25, 0.5, 0.75, 1.0],
            "c": [1, 3, 5, 7, 9],
            "d": Integer(1, 10, log=True),
            "e": ["x", None],
            "f": Integer(1, 10),
        }
        assert Space(given) == Space(expected)

    def test_configspace(self):
        CS = pytest.importorskip("ConfigSpace")
        kernel = CS.Categorical("kernel", ["rbf", "poly", "linear"], weights=[2, 1, 1])
        gamma = CS.Float("gamma", (0.1, 1.0), log=True)
        degree = CS.Integer("degree", (2, 5))
        size = CS.OrdinalHyperparameter("size", ["s", "m", "l"])
        coef = CS.Float("coef0", (0.0, 1.0), distribution=CS.Normal(0.5, 0.1))
        space = CS.ConfigurationSpace()
        space.add(kernel, gamma, degree, size, coef, CS.Constant("C", 3))
        space.add(
            CS.InCondition(gamma, kernel, ["rbf", "poly"]),
            CS.AndConjunction(
                CS.EqualsCondition(degree, kernel, "poly"),
                CS.GreaterThanCondition(degree, size, "s"),
            ),
        )
        read = Space(space)
        # Each configuration that ConfigSpace draws lies in a branch, with the same parameters.
        drawn = [dict(each) for each in space.sample_configuration(100)]
        for params in drawn:
            assert set(read.complete(params)) == set(params)
        space.add(
            CS.ForbiddenAndConjunction(
                CS.ForbiddenEqualsClause(kernel, "linear"), CS.ForbiddenEqualsClause(size, "l")
            )
        )
        asked = RandomOptimizer(space, seed=0).ask(60)
        found = {(trial.params["kernel"], trial.params["size"]) for trial in asked}
        kernels, sizes = ("rbf", "poly", "linear"), ("s", "m", "l")
        every = {(kernel, size) for kernel in kernels for size in sizes}
        assert found == every - {("linear", "l")}
        assert Space(space) == Space(copy.deepcopy(space)) != read
        shares = np.divide(read.dimensions[0].weights, sum(read.dimensions[0].weights))
        found = {
            (branch["kernel"].categories[0], branch["size"].categories[0]): share
            for branch, share in zip(branches_of(read), shares, strict=True)
        }
        assert found == pytest.approx(
            {
                (kernel, size): kernel_share * size_share
                for kernel, kernel_share in [("rbf", 0.5), ("poly", 0.25), ("linear", 0.25)]
                for size, size_share in [("s", 1 / 3), ("m", 2 / 3)]
            }
        )
        assert isinstance(read.dimensions[read.names.index("coef0")], Distribution)

    def test_hyperopt(self):
        hyperopt = pytest.importorskip("hyperopt")
        hp, scope = hyperopt.hp, hyperopt.pyll.scope
        given = {
            "a": hp.uniform("a", 0, 1),
            "b": hp.loguniform("b", 0, 1),
            "c": hp.quniform("c", 0, 4, 2),
            "d": scope.int(hp.quniform("d", 2, 6, 2)),
            "e": hp.randint("e", 5),
            "f": hp.uniformint("f", 1, 9),
            "g": hp.choice("g", ["x", None, (1, 2)]),
            "h": hp.pchoice("h", [(0.25, "x"), (0.75, "y")]),
        }
        expected = {
            "a": Real(0, 1),
            "b": Real(1, np.e, log=True),
            "c": [0.0, 2.0, 4.0],
            "d": [2, 4, 6],
            "e": Integer(0, 4),
            "f": Integer(1, 9),
            "g": ["x", None, (1, 2)],
            "h": Categorical(["x", "y"], weights=[1, 3]),
        }
        assert Space(given) == Space(expected)

    def test_flaml(self):
        domains = pytest.importorskip("flaml.tune")
        given = {
            "a": domains.uniform(0, 1),
            "b": domains.loguniform(1e-3, 1),
            "c": domains.randint(1, 10),
            "d": domains.lograndint(1, 10),
            "e": domains.choice(["x", "y"]),
            "f": domains.qrandint(1, 6, 2),
        }
        expected = {
            "a": Real(0, 1),
            "b": Real(1e-3, 1, log=True),
            "c": Integer(1, 9),
            "d": Integer(1, 9, log=True),
            "e": ["x", "y"],
            "f": [2, 4, 6],
        }
        assert Space(given) == Space(expected)

    def test_sklearn_genetic_opt(self):
        space = pytest.importorskip("sklearn_genetic.space")
        given = {
            "a": space.Continuous(1e-3, 1, distribution="log-uniform"),
            "b": space.Integer(1, 9),
            "c": space.Categorical(["x", "y"], priors=[0.25, 0.75]),
        }
        expected = {
            "a": Real(1e-3, 1, log=True),
            "b": Integer(1, 9),
            "c": Categorical(["x", "y"], weights=[1, 3]),
        }
        assert Space(given) == Space(expected)
