"""Built-in spaces: they contain the defaults, and every sample can be fitted."""

import warnings
from itertools import product

import cases
import numpy as np
import pytest
import space_subjects
from scipy.sparse import bsr_matrix, coo_matrix
from sklearn.base import BaseEstimator, clone, is_regressor
from sklearn.cluster import AgglomerativeClustering
from sklearn.compose import (
    ColumnTransformer,
    TransformedTargetRegressor,
    make_column_selector,
    make_column_transformer,
)
from sklearn.datasets import load_diabetes
from sklearn.decomposition import PCA, DictionaryLearning, KernelPCA, TruncatedSVD
from sklearn.ensemble import (
    BaggingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier, SGDClassifier
from sklearn.manifold import Isomap, LocallyLinearEmbedding
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC, NuSVC, NuSVR

from sklearn_lepton import BayesSearchCV, Space, default_space
from sklearn_lepton.space._values import is_unlimited


def samples(space, n, seed=0):
    rng = np.random.default_rng(seed)
    return [space.from_point(space.snap(p[None])[0]) for p in rng.uniform(size=(n, space.n_dims))]


def check_samples(name, n_samples, **shape):
    X, y = space_subjects.make_data(name, **shape)
    estimator = space_subjects.make(name)
    space = Space(default_space(estimator, X, y))
    for params in samples(space, n_samples):
        try:
            space_subjects.fit(estimator, X, y, params)
        except Exception as error:
            raise AssertionError(f"{name} with {params}: {error!r}") from error


def holds(space, params):
    """Return whether a branch has a configuration, but for limits that a space may set."""
    for branch in space.branches:
        try:
            space.to_point(
                {
                    name: space.dimensions[column].from_unit(0.5)
                    if is_unlimited(name, params[name])
                    else params[name]
                    for name, column in branch.items()
                }
            )
        except ValueError:
            continue
        else:
            return True
    return False


NAMES = space_subjects.names_in_the_table()


@pytest.mark.parametrize("name", NAMES)
def test_default_space_contains_the_defaults(name):
    estimator = space_subjects.make(name)
    if name in {"GaussianRandomProjection", "SparseRandomProjection"}:
        # The default is refused where there are fewer columns.
        data_sets = [space_subjects.make_data(name, n_columns=4000)]
    else:
        data_sets = [(None, None), *(space_subjects.make_data(name, n) for n in (60, 200))]
    for data in data_sets:
        space = Space(default_space(estimator, *data))
        assert holds(space, estimator.get_params())


@pytest.mark.thorough
@pytest.mark.parametrize("name", NAMES)
def test_samples_can_be_fitted(name):
    check_samples(name, 2, n_rows=30)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_two_hundred_samples_can_be_fitted(name):
    check_samples(name, 200)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_samples_can_be_fitted_to_data_of_any_shape(name):
    check_samples(name, 20, n_rows=30)
    check_samples(name, 20, n_rows=200, n_columns=2)
    check_samples(name, 20, n_rows=30, n_columns=40)
    if space_subjects.takes_sparse(name):
        check_samples(name, 20, is_sparse=True)


# Boosters: the same, with the real libraries.

BOOSTERS = {
    "XGBClassifier": ("xgboost", {"n_jobs": 1}),
    "XGBRegressor": ("xgboost", {"n_jobs": 1}),
    "XGBRFClassifier": ("xgboost", {"n_jobs": 1}),
    "XGBRFRegressor": ("xgboost", {"n_jobs": 1}),
    "LGBMClassifier": ("lightgbm", {"n_jobs": 1, "verbose": -1}),
    "LGBMRegressor": ("lightgbm", {"n_jobs": 1, "verbose": -1}),
    "CatBoostClassifier": (
        "catboost",
        {"thread_count": 1, "silent": True, "allow_writing_files": False},
    ),
    "CatBoostRegressor": (
        "catboost",
        {"thread_count": 1, "silent": True, "allow_writing_files": False},
    ),
}
# What CatBoost uses where nothing is given, which it does not tell before a fit.
OF_CATBOOST = {"depth": 6, "l2_leaf_reg": 3.0, "random_strength": 1.0}


def check_booster(name, n_samples):
    module, params = BOOSTERS[name]
    kind = getattr(pytest.importorskip(module), name)
    X, y = space_subjects.make_data("KNeighborsClassifier")
    if name.endswith("Regressor"):
        y = X[:, 0] + 0.1 * y
    space = Space(default_space(kind(**params), X, y))
    own = kind(**params).get_params()
    complete = space.complete({}, own)
    if module == "catboost":
        assert complete == pytest.approx(OF_CATBOOST, rel=1e-9)
    else:
        assert complete == {param: own[param] for param in complete}
    for setting in samples(space, n_samples):
        cheap = {"iterations" if module == "catboost" else "n_estimators": 3}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind(**params).set_params(**setting | cheap).fit(X[:30], y[:30])


@pytest.mark.parametrize("name", BOOSTERS)
def test_samples_of_boosters_can_be_fitted(name):
    check_booster(name, 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", BOOSTERS)
def test_two_hundred_samples_of_boosters_can_be_fitted(name):
    check_booster(name, 200)


@pytest.mark.frameworks
@pytest.mark.parametrize("name", ["NeuralNetClassifier", "NeuralNetRegressor"])
def test_samples_of_skorch_networks_can_be_fitted(name):
    torch, skorch = pytest.importorskip("torch"), pytest.importorskip("skorch")
    is_classifier = name == "NeuralNetClassifier"
    X = np.random.default_rng(0).normal(size=(60, 6)).astype("float32")
    y = np.arange(60) % 2 if is_classifier else X[:, :1]
    layers = [torch.nn.Linear(6, 2), torch.nn.LogSoftmax()] if is_classifier else []
    module = torch.nn.Sequential(*(layers or [torch.nn.Linear(6, 1)]))
    net = getattr(skorch, name)(module, verbose=0)
    space = Space(default_space(net, X, y))
    assert space.complete({}, net.get_params()) == {"lr": 0.01, "max_epochs": 10, "batch_size": 128}
    assert "optimizer__weight_decay" in space.names
    for params in samples(space, 5):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            clone(net).set_params(**params | {"max_epochs": 1}).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = BayesSearchCV(net, n_iter=3, cv=2, random_state=0, error_score="raise")
        search.set_params(estimator__max_epochs=2).fit(X, y)
    assert len(search.trials_) == 3


@pytest.mark.frameworks
@cases.OF_KERAS
def test_samples_of_scikeras_networks_can_be_fitted():
    case = cases.keras()
    space = Space(default_space(case.estimator, case.X, case.y))
    assert space.complete({}, case.estimator.get_params()) == {"epochs": 2, "batch_size": None}
    search = BayesSearchCV(case.estimator, n_iter=3, cv=2, random_state=0, error_score="raise")
    search.fit(case.X, case.y)
    assert [trial.status for trial in search.trials_] == ["complete"] * 3


@pytest.mark.frameworks
@pytest.mark.parametrize("name", ["SMOTE", "BorderlineSMOTE", "RandomUnderSampler", "ADASYN"])
def test_samples_of_imbalanced_learn_can_be_fitted(name):
    imblearn = pytest.importorskip("imblearn")
    X, y = np.random.default_rng(0).normal(size=(120, 4)), np.arange(120) % 5 == 0
    X[y] += 1
    kinds = vars(imblearn.over_sampling) | vars(imblearn.under_sampling)
    pipeline = imblearn.pipeline.make_pipeline(kinds[name](), GaussianNB())
    space = Space(default_space(pipeline, X, y))
    assert len(space.names) >= 2
    assert holds(space, pipeline.get_params())
    for params in samples(space, 20):
        clone(pipeline).set_params(**params).fit(X[:60], y[:60])


# Nested estimators.


def test_pipeline_space_is_product_of_step_branches():
    pipeline = make_pipeline(StandardScaler(), KernelPCA(), SVC())
    branches = default_space(pipeline)
    kernels = {
        (b["kernelpca__kernel"].categories[0], b["svc__kernel"].categories[0]) for b in branches
    }
    assert kernels == set(product(["linear", "rbf", "poly"], ["rbf", "poly", "linear"]))
    assert "kernelpca__degree" not in branches[0]
    assert holds(Space(branches), pipeline.get_params())


def test_too_many_branches_keep_those_of_the_last_steps():
    steps = [("first", KernelPCA()), ("second", KernelPCA()), ("third", KernelPCA())]
    pipeline = Pipeline([*steps, ("last", SVC())])
    branches = default_space(pipeline)
    assert len(branches) == 9
    assert {tuple(b["second__kernel"].categories) for b in branches} == {("linear", "cosine")}
    assert len({b["third__kernel"].categories[0] for b in branches}) == 3
    assert holds(Space(branches), pipeline.get_params())


def test_too_many_branches_keep_the_estimators_own():
    steps = [(f"s{n}", KernelPCA(kernel="poly")) for n in range(3)]
    pipeline = Pipeline([*steps, ("last", SVC(kernel="linear"))])
    assert holds(Space(default_space(pipeline)), pipeline.get_params())


@pytest.mark.parametrize(
    ("estimator", "names"),
    [
        (BaggingClassifier(GaussianNB()), {"n_estimators", "estimator__var_smoothing"}),
        (OneVsRestClassifier(GaussianNB()), {"estimator__var_smoothing"}),
        (MultiOutputClassifier(GaussianNB()), {"estimator__var_smoothing"}),
        (TransformedTargetRegressor(Ridge(), transformer=PCA()), {"regressor__alpha"}),
        (VotingClassifier([("nb", GaussianNB())]), {"nb__var_smoothing"}),
        (
            StackingClassifier([("nb", GaussianNB())], RidgeClassifier()),
            {"passthrough", "nb__var_smoothing", "final_estimator__alpha"},
        ),
        (
            FeatureUnion([("pca", PCA()), ("own", FunctionTransformer())]),
            {"pca__n_components", "pca__whiten"},
        ),
        (
            ColumnTransformer([("a", PCA(), [0, 1]), ("b", "passthrough", [2])]),
            {"a__n_components", "a__whiten"},
        ),
        (Pipeline([("none", "passthrough"), ("nb", GaussianNB())]), {"nb__var_smoothing"}),
        (make_pipeline(GridSearchCV(SVC(), {"C": [1, 2]})), set()),
        (SelectFromModel(Ridge(), prefit=True), {"threshold"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_nested_estimators_are_tuned(estimator, names):
    space = default_space(estimator)
    assert names <= set(space)
    if not isinstance(estimator, BaggingClassifier):
        assert names == set(space)
    assert holds(Space(space), estimator.get_params())


class OfMine(GaussianNB):
    """Like a user's."""


class Unknown(BaseEstimator):
    def fit(self, X, y=None):
        return self


def test_a_subclass_has_the_space_of_its_parent():
    assert default_space(OfMine()) == default_space(GaussianNB())


def test_unknown_steps_are_not_tuned():
    pipeline = make_pipeline(Unknown(), GaussianNB())
    assert set(default_space(pipeline)) == {"gaussiannb__var_smoothing"}


@pytest.mark.parametrize("estimator", [Unknown(), make_pipeline(Unknown(), "passthrough")])
def test_estimator_without_known_parts_is_refused(estimator):
    with pytest.raises(ValueError, match="no built-in space for .*give a dict") as caught:
        default_space(estimator)
    assert type(estimator).__name__ in str(caught.value)


# Values set by the user, and properties of the data.


@pytest.mark.parametrize(
    "estimator",
    [
        KNeighborsClassifier(n_neighbors=77),
        RandomForestClassifier(max_depth=37, max_features=0.33, n_estimators=2000),
        RandomForestClassifier(bootstrap=False),
        Ridge(alpha=1e9),
        Ridge(alpha=0),
        SVC(kernel="sigmoid"),
        SVC(kernel="linear", C=1e7),
        SVC(gamma="auto"),
        SVC(gamma=12.5),
        SVC(class_weight={0: 2, 1: 1}),
        LogisticRegression(solver="newton-cg"),
        LogisticRegression(solver="liblinear", C=1e9),
        SGDClassifier(loss="perceptron", learning_rate="constant"),
        MLPClassifier(hidden_layer_sizes=(7, 7, 7)),
        PCA(n_components=3),
        PCA(n_components="mle", svd_solver="full"),
        LinearSVC(dual=False),
        AgglomerativeClustering(linkage="single"),
        AgglomerativeClustering(n_clusters=None, distance_threshold=1.0),
    ],
    ids=str,
)
def test_space_contains_values_set_by_the_user(estimator):
    X, y = np.random.default_rng(0).normal(size=(80, 6)), np.arange(80) % 2
    for data in [(None, None), (X, y)]:
        assert holds(Space(default_space(estimator, *data)), estimator.get_params())


def test_number_of_user_is_inserted_in_order():
    space = default_space(RandomForestClassifier(max_depth=11))
    assert space[0]["max_depth"].categories == [4, 6, 8, 10, 11, 14, 20, None]
    assert space[0]["max_depth"].ordered


def test_gamma_range_is_centred_on_scale():
    X = 100 * np.random.default_rng(0).normal(size=(50, 4))
    gammas = default_space(SVC(), X, np.arange(50) % 2)[0]["gamma"].categories
    place = gammas.index("scale")
    around = np.sqrt(gammas[place - 1] * gammas[place + 1])
    assert around == pytest.approx(1 / (4 * X.var()), rel=0.05)
    inside = default_space(make_pipeline(StandardScaler(), SVC()), X, np.arange(50) % 2)
    around = inside[0]["svc__gamma"].categories[place - 1 : place + 2 : 2]
    assert np.sqrt(np.prod(around)) == pytest.approx(1 / 4, rel=0.05)


# On 442 rows these took up to many minutes where the median is 5 ms.
@pytest.mark.parametrize("is_scaled", [True, False])
@pytest.mark.parametrize("kind", [SVC, NuSVC, SVR, NuSVR])
def test_support_vector_machines_have_an_iteration_limit(kind, is_scaled):
    X, y = load_diabetes(return_X_y=True, scaled=False)
    X = StandardScaler().fit_transform(X) if is_scaled else X
    y = y if is_regressor(kind()) else y > np.median(y)
    space = Space(default_space(kind(), X, y))
    branches = [{n: space.dimensions[c] for n, c in branch.items()} for branch in space.branches]
    may_hang = branches if is_regressor(kind()) else branches[1:]
    assert {tuple(branch["max_iter"].categories) for branch in may_hang} == {(44200,)}
    for branch in may_hang:
        hardest = {name: d.from_unit(0.0 if name == "nu" else 1.0) for name, d in branch.items()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted = kind(**hardest).fit(X[:220], y[:220])
        assert np.max(fitted.n_iter_) <= 44200


@pytest.mark.parametrize("kind", [Isomap, LocallyLinearEmbedding])
def test_neighbour_graphs_have_more_than_one_neighbour(kind):
    assert default_space(kind())["n_neighbors"].low == 3


@pytest.mark.parametrize("scale", [0.1, 1, 100])
def test_penalty_of_a_dictionary_follows_the_scale_of_the_features(scale):
    X = scale * np.random.default_rng(0).normal(size=(80, 6))
    alpha = default_space(DictionaryLearning(), X)["alpha"]
    assert alpha.low == pytest.approx(min(1, scale / 10), rel=0.2)
    assert alpha.high == pytest.approx(max(1, scale * 3), rel=0.2)


@pytest.mark.parametrize("kernel", ["rbf", "poly", "linear", "sigmoid", "precomputed"])
def test_iteration_limit_replaces_unlimited_but_not_the_users_limit(kernel):
    branches = default_space(SVC(kernel=kernel))
    own = branches if kernel == "precomputed" else branches[0]
    assert ("max_iter" in own) == (kernel != "rbf")
    own_limit = default_space(SVC(kernel=kernel, max_iter=77))
    assert "max_iter" not in Space(own_limit).names


def test_max_features_are_ordered_by_number_of_features():
    X = np.zeros((100, 100))
    shares = default_space(RandomForestClassifier(), X)[0]["max_features"].categories
    assert shares[:4] == [0.05, "sqrt", 0.2, 0.3]
    assert default_space(RandomForestClassifier(), X[:, :1])[0]["max_features"].categories == [
        "sqrt"
    ]


def test_class_weight_is_tuned_if_classes_are_imbalanced():
    X, even = np.zeros((100, 2)), np.arange(100) % 2
    uneven = (np.arange(100) < 20).astype(int)
    assert "class_weight" not in default_space(RidgeClassifier(), X, even)
    assert default_space(RidgeClassifier(), X, uneven)["class_weight"].categories == [
        None,
        "balanced",
    ]


@pytest.mark.parametrize(
    "X",
    [
        [[0, "a"], [1, "b"]] * 9,
        ["some words", "more"] * 9,
        np.full((9, 2), np.nan),
        coo_matrix(np.eye(9)),
        bsr_matrix(np.eye(9)),
    ],
)
def test_data_profile_accepts_any_data(X):
    n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
    assert default_space(make_pipeline(Unknown(), SVC()), X, ([0, 1] * n_rows)[:n_rows])


def texts():
    words = [f"word{number}" for number in range(300)]
    return [" ".join(drawn) for drawn in np.random.default_rng(0).choice(words, (200, 40))]


def table():
    pd = pytest.importorskip("pandas")
    numbers = {f"x{k}": np.random.default_rng(k).normal(size=200) for k in range(9)}
    return pd.DataFrame({**numbers, "kind": list("abcd") * 50, "text": texts()})


NUMBERS = make_column_selector(dtype_include="number")


# Half of the words of half of the texts are 150, the nine numbers stay nine, and so on.
@pytest.mark.parametrize(
    ("first", "X", "low", "high"),
    [
        (TfidfVectorizer(), texts, 60, 150),
        (make_union(TfidfVectorizer(), TfidfVectorizer(lowercase=False)), texts, 60, 99),
        (make_column_transformer((StandardScaler(), NUMBERS)), table, 8, 9),
        (make_column_transformer(("passthrough", slice(0, 9)), ("drop", ["text"])), table, 8, 9),
        (
            make_column_transformer((OneHotEncoder(), ["kind"]), ("passthrough", [0, 1])),
            table,
            2,
            3,
        ),
        (make_column_transformer((TfidfVectorizer(), "text"), ("drop", [0])), table, 60, 150),
    ],
)
def test_n_components_is_limited_by_columns_of_earlier_steps(first, X, low, high):
    X, y = X(), np.arange(200) % 2
    pipeline = make_pipeline(first, TruncatedSVD(), GaussianNB())
    space = Space(default_space(pipeline, X, y))
    numbers = next(d for n, d in zip(space.names, space.dimensions, strict=True) if "svd" in n)
    assert low <= max(numbers.categories) <= high
    for params in samples(space, 10):
        clone(pipeline).set_params(**params).fit(X[:100], y[:100])


def test_hashing_vectorizer_counts_as_many_columns():
    pipeline = make_pipeline(HashingVectorizer(n_features=70), TruncatedSVD())
    assert max(default_space(pipeline, texts())["truncatedsvd__n_components"].categories) > 60


def test_column_transformer_parts_get_their_own_columns():
    beside = make_column_transformer((TruncatedSVD(), ["x0", "x1", "x2"]), (PCA(), NUMBERS))
    space = default_space(beside, table())
    assert max(space["truncatedsvd__n_components"].categories) == 2
    assert default_space(beside)["truncatedsvd__n_components"].categories[-1] == 2


def test_failing_column_selector_is_ignored():
    def refuse(_):
        raise RuntimeError

    failing = make_column_transformer((TruncatedSVD(), refuse))
    assert default_space(failing, table())["truncatedsvd__n_components"].categories[-1] == 2
