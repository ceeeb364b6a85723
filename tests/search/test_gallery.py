"""Calls of scikit-learn's gallery of examples, with no change but the name of the class.

Each case has the form of one call there, and reads the results that the example reads.
"""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import loguniform, randint
from sklearn.cluster import FeatureAgglomeration
from sklearn.covariance import ShrunkCovariance
from sklearn.datasets import make_classification
from sklearn.decomposition import NMF, PCA
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.feature_selection import SelectKBest, SelectPercentile, f_regression
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import BayesianRidge, LogisticRegression, SGDClassifier
from sklearn.metrics import accuracy_score, make_scorer, mean_pinball_loss
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import (
    KFold,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedShuffleSplit,
    cross_val_score,
)
from sklearn.neighbors import KernelDensity, KNeighborsClassifier, KNeighborsTransformer
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, MinMaxScaler, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from sklearn_lepton import BayesSearchCV

X, y = make_classification(n_samples=60, n_features=6, random_state=0)


def minus_bic(estimator, X, y=None):
    return -estimator.bic(X)


def fewest_components(results):
    """Return the row with the fewest components within one standard deviation of the best."""
    best = np.argmax(results["mean_test_score"])
    least = results["mean_test_score"][best] - results["std_test_score"][best]
    rows = np.flatnonzero(results["mean_test_score"] >= least)
    return rows[np.argmin(results["param_reduce_dim__n_components"][rows])]


PINBALL = make_scorer(mean_pinball_loss, alpha=0.05, greater_is_better=False)
SCALED = Pipeline([("scale", StandardScaler()), ("logistic", LogisticRegression(tol=0.1))])
REDUCED = Pipeline([("reduce_dim", PCA(random_state=0)), ("classify", LogisticRegression())])
UNION = Pipeline(
    [
        ("features", FeatureUnion([("pca", PCA()), ("best", SelectKBest(k=3))])),
        ("svm", SVC(kernel="linear")),
    ]
)
REGRESSION = Pipeline([("select", SelectPercentile(f_regression)), ("ridge", BayesianRidge())])
NEIGHBORS = Pipeline(
    [
        ("graph", KNeighborsTransformer(n_neighbors=9, mode="distance")),
        ("classifier", KNeighborsClassifier(metric="precomputed")),
    ]
)

# The estimator, the keywords of the call, and the number of configurations.
CALLS = {
    "grid of a pipeline": (
        SCALED,
        {"param_grid": {"logistic__C": np.logspace(-2, 2, 3)}, "n_jobs": 1},
        3,
    ),
    "nested parameters": (
        UNION,
        {"param_grid": {"features__pca__n_components": [1, 2], "svm__C": [0.1, 1]}, "verbose": 0},
        4 + 1,  # the untuned estimator
    ),
    "choices of steps": (
        Pipeline([("reduce_dim", "passthrough"), ("classify", SVC())]),
        {
            "param_grid": [
                {"reduce_dim": [PCA(), make_pipeline(MinMaxScaler(clip=True), NMF(max_iter=2000))]},
                {"reduce_dim": [SelectKBest()], "reduce_dim__k": [2, 4]},
            ],
            "scoring": "accuracy",
        },
        4 + 1,  # the untuned estimator
    ),
    "lists of dicts": (
        SVC(),
        {
            "param_grid": [
                {"kernel": ["rbf"], "gamma": [1e-3, 1e-1], "C": [1, 10]},
                {"kernel": ["linear"], "C": [1]},
            ],
            "cv": RepeatedStratifiedKFold(n_splits=2, n_repeats=2, random_state=0),
            "scoring": "roc_auc",
        },
        5 + 1,  # the untuned estimator
    ),
    "splitter": (
        SVC(),
        {
            "param_grid": {"gamma": np.logspace(-3, 0, 2), "C": np.logspace(-1, 1, 2)},
            "cv": StratifiedShuffleSplit(n_splits=2, test_size=0.2, random_state=42),
        },
        4 + 1,  # the untuned estimator
    ),
    "several metrics": (
        DecisionTreeClassifier(random_state=42),
        {
            "param_grid": {"min_samples_split": range(2, 40, 12)},
            "scoring": {"AUC": "roc_auc", "Accuracy": make_scorer(accuracy_score)},
            "refit": "AUC",
            "return_train_score": True,
        },
        4,
    ),
    "refit by a function": (
        REDUCED,
        {
            "param_grid": {"reduce_dim__n_components": [1, 2, 4]},
            "cv": ShuffleSplit(n_splits=4, random_state=0),
            "scoring": "accuracy",
            "refit": fewest_components,
            "return_train_score": True,
        },
        3,
    ),
    "random search": (
        SGDClassifier(loss="hinge", random_state=0),
        {
            "param_distributions": {
                "average": [True, False],
                "l1_ratio": np.linspace(0, 1, num=10),
                "alpha": loguniform(1e-2, 1e0),
            },
            "n_iter": 4,
            "random_state": 42,
        },
        4,
    ),
    "random search of a regressor": (
        KernelRidge(kernel="rbf"),
        {
            "param_distributions": {"alpha": loguniform(1e-3, 1e3), "gamma": loguniform(1e-2, 1)},
            "n_iter": 4,
            "random_state": 0,
        },
        4,
    ),
    "covariance": (
        ShrunkCovariance(),
        {"param_grid": [{"shrinkage": np.logspace(-2, 0, 4)}], "cv": 3},
        4 + 1,  # the untuned estimator
    ),
    "mixture with a criterion": (
        GaussianMixture(random_state=0),
        {
            "param_grid": {"n_components": range(1, 3), "covariance_type": ["full", "diag"]},
            "scoring": minus_bic,
        },
        4,
    ),
    "density": (KernelDensity(), {"param_grid": {"bandwidth": np.logspace(-1, 1, 4)}}, 4 + 1),
    "clusters of features": (
        Pipeline([("ward", FeatureAgglomeration()), ("ridge", BayesianRidge())]),
        {"param_grid": {"ward__n_clusters": [2, 3]}, "n_jobs": 1, "cv": KFold(2)},
        2,
    ),
    "selection of features": (
        REGRESSION,
        {"param_grid": {"select__percentile": [40, 80]}, "cv": KFold(2)},
        2 + 1,  # the untuned estimator
    ),
    "bins": (
        make_pipeline(KBinsDiscretizer(encode="onehot", random_state=0), LogisticRegression()),
        {
            "param_grid": {
                "kbinsdiscretizer__n_bins": np.arange(2, 4),
                "logisticregression__C": np.logspace(-1, 1, 2),
            },
            "n_jobs": 1,
        },
        4 + 1,  # the untuned estimator
    ),
    "neighbors in a graph": (
        NEIGHBORS,
        {"param_grid": {"classifier__n_neighbors": [1, 3, 5]}},
        3,
    ),
    "halving by trees": (
        GradientBoostingRegressor(loss="quantile", alpha=0.05, random_state=0),
        {
            "param_distributions": {"max_depth": [2, 3], "min_samples_leaf": [1, 5, 9]},
            "resource": "n_estimators",
            "max_resources": 9,
            "min_resources": 3,
            "scoring": PINBALL,
            "n_iter": 6,
            "random_state": 0,
        },
        6,
    ),
    "halving by samples": (
        RandomForestClassifier(n_estimators=3, random_state=0),
        {
            "param_distributions": {"max_depth": [3, None], "min_samples_split": randint(2, 11)},
            "resource": "n_samples",
            "n_iter": 6,
            "random_state": 0,
        },
        6,
    ),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:.*l1_ratio parameter is not used:UserWarning")
@pytest.mark.filterwarnings("ignore:Bins whose width are too small:UserWarning")
@pytest.mark.parametrize("name", CALLS)
def test_call_of_the_gallery_works_by_the_name_of_the_class(name):
    estimator, keywords, n_rows = CALLS[name]
    search = BayesSearchCV(estimator, **keywords).fit(X, y)
    table = pd.DataFrame(search.cv_results_)
    metrics = [column for column in table if column.startswith("mean_test_")]
    assert len(table) == len(search.cv_results_["params"]) == n_rows
    assert table[metrics].notna().to_numpy().all()
    assert np.isfinite(table[["mean_fit_time", "std_fit_time"]]).to_numpy().all()
    assert {f"param_{parameter}" for parameter in search.best_params_} <= set(table)
    assert table["params"][search.best_index_] == search.best_params_
    if not callable(search.refit):
        ranks = table[metrics[0].replace("mean", "rank")]
        assert ranks[search.best_index_] == 1
        assert search.best_score_ == table[metrics[0]][search.best_index_]
    else:
        assert search.best_index_ == fewest_components(search.cv_results_)
    best = search.best_estimator_.get_params()
    values = {k: v for k, v in search.best_params_.items() if not hasattr(v, "get_params")}
    assert {key: best[key] for key in values} == values


def test_call_of_the_gallery_works_in_cross_validation():
    inner = KFold(n_splits=2, shuffle=True, random_state=1)
    search = BayesSearchCV(estimator=SVC(), param_grid={"C": [1, 10], "gamma": [0.01]}, cv=inner)
    scores = cross_val_score(search, X=X, y=y, cv=KFold(2, shuffle=True, random_state=2))
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("word", ["factor", "aggressive_elimination", "n_candidates"])
def test_arguments_of_halving_without_a_meaning_are_refused_by_name(word):
    with pytest.raises(TypeError, match=f"has no argument '{word}': (leave it out|use n_iter)"):
        BayesSearchCV(SVC(), param_grid={"C": [1, 10]}, **{word: 2})
