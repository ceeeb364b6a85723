"""Built-in spaces of trees, tree ensembles and gradient boosting."""

from typing import Any

from sklearn_lepton.default_spaces._data_profile import (
    Branch,
    Data,
    Entry,
    class_weights,
    column_shares,
    ladder,
    leaf_sizes,
    log,
    log_integer,
    zero_or_log,
)
from sklearn_lepton.space._dimension import Integer, Real

# None does not limit the depth.
_DEPTHS = ladder([2, 3, 4, 6, 8, 10, 14, 20, None])
_ROW_SHARES = (0.3, 0.5, 0.7, 0.85)


def _tree(data: Data) -> Branch:
    return {
        "max_depth": _DEPTHS,
        "min_samples_leaf": leaf_sizes(data),
        "min_samples_split": log_integer(2, min(40, data.n_rows // 10)),
        "max_features": column_shares(data, data.defaults["max_features"]),
        "ccp_alpha": zero_or_log(1e-5, 1e-2),
        **_of_classifiers(data),
    }


def _of_classifiers(data: Data) -> Branch:
    if data.defaults["criterion"] != "gini":
        return {}
    return {"criterion": ["gini", "entropy"], **class_weights(data)}


def _forest(data: Data) -> Branch | list[Branch]:
    space = {
        "n_estimators": log_integer(50, 400),
        "max_features": column_shares(data, data.defaults["max_features"]),
        "min_samples_leaf": leaf_sizes(data),
        "max_depth": ladder([4, 6, 8, 10, 14, 20, None]),
        **_of_classifiers(data),
    }
    shares = ladder([*_ROW_SHARES, data.defaults["max_samples"]])
    branches = [
        {**space, "bootstrap": [True], "max_samples": shares},
        {**space, "bootstrap": [False], "max_samples": [None]},
    ]
    if data.params.get("oob_score"):
        return branches[0]
    return branches if data.defaults["bootstrap"] else branches[::-1]


def _gradient_boosting(data: Data) -> Branch:
    return {
        "learning_rate": log(0.01, 0.5),
        "n_estimators": log_integer(50, 400),
        "max_depth": Integer(1, 8),
        "min_samples_leaf": leaf_sizes(data),
        "subsample": Real(0.5, 1.0),
        "max_features": column_shares(data, data.defaults["max_features"]),
    }


def _hist_gradient_boosting(data: Data) -> Branch:
    space = {
        "learning_rate": log(0.01, 0.5),
        "max_iter": log_integer(50, 400),
        "max_leaf_nodes": log_integer(4, 127),
        "min_samples_leaf": log_integer(2, 100),
        "l2_regularization": zero_or_log(1e-6, 1e2),
    }
    if "max_features" in data.defaults:
        space["max_features"] = Real(0.3, 1.0)
    return space


def _bagging(data: Data) -> Branch:
    return {
        "n_estimators": log_integer(10, 100),
        "max_samples": ladder([*_ROW_SHARES, data.defaults["max_samples"]]),
        "max_features": Real(0.3, 1.0),
        "bootstrap": [True, False] if not data.params.get("oob_score") else [True],
    }


def _ada_boost(data: Data) -> Branch:
    space: Branch = {"n_estimators": log_integer(25, 400), "learning_rate": log(0.01, 2.0)}
    if "loss" in data.defaults:
        space["loss"] = ["linear", "square", "exponential"]
    return space


def _meaning(numbers: list[Any], default: float) -> Any:
    """Return ordered choices with None, a booster's symbol for its default, in its place."""
    return ladder(None if number == default else number for number in numbers)


_RATES = [0.01, 0.015, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5]
_REGULARIZATION = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0]


def _xgboost_forest(data: Data) -> Branch:
    """Return the space of XGBoost forests, with numbers where the wrapper has such defaults."""
    weights = [w for w in (1, 2, 3, 5, 8, 12, 20) if w == 1 or w <= data.n_rows / 20]
    rows, columns = data.defaults.get("subsample"), data.defaults.get("colsample_bynode")
    return {
        "max_depth": _meaning([2, 3, 4, 5, 6, 7, 8, 10, 12], 6),
        "min_child_weight": _meaning(weights, 1),
        "subsample": ladder([0.5, 0.6, 0.7, 0.8, 0.9, None if rows is None else 1.0]),
        "colsample_bynode": ladder([0.3, 0.5, 0.65, 0.8, None if columns is None else 1.0]),
        "reg_lambda": _meaning([0.0, *_REGULARIZATION], 1.0)
        if data.defaults.get("reg_lambda") is None
        else log(1e-6, 100.0),
    }


def _xgboost(data: Data) -> Branch:
    space = _xgboost_forest(data)
    return {
        "n_estimators": _meaning([50, 75, 100, 150, 200, 300, 400], 100),
        "learning_rate": _meaning(_RATES, 0.3),
        **space,
        "reg_alpha": _meaning([0.0, *_REGULARIZATION], 0.0),
    }


_LIGHTGBM: Branch = {
    "n_estimators": log_integer(50, 400),
    "learning_rate": log(0.01, 0.5),
    "num_leaves": log_integer(4, 127),
    "min_child_samples": log_integer(2, 100),
    "colsample_bytree": Real(0.3, 1.0),
    "reg_lambda": zero_or_log(1e-6, 1e2),
}


def _catboost(data: Data) -> list[Branch]:
    # CatBoost does not list its defaults, which are in the middle of the ranges. The first branch
    # keeps its own learning rate, which depends on the data.
    depth = "max_depth" if data.params.get("max_depth") is not None else "depth"
    penalty = "reg_lambda" if data.params.get("reg_lambda") is not None else "l2_leaf_reg"
    shared = {
        depth: Integer(3, 9),
        penalty: log(0.3, 30.0),
        "random_strength": log(0.1, 10.0),
    }
    if any(name in data.params for name in ("learning_rate", "eta")):
        return [shared | {"learning_rate" if "eta" not in data.params else "eta": log(0.01, 0.3)}]
    return [shared, {**shared, "learning_rate": log(0.01, 0.3)}]


def _isolation_forest(data: Data) -> Branch:
    sizes = [n for n in (16, 32, 64, 128) if n < data.n_train]
    return {
        "n_estimators": log_integer(50, 300),
        "max_samples": ladder([*sizes, "auto"]),
        "max_features": Real(0.3, 1.0),
    }


def _embedding(data: Data) -> Branch:
    return {
        "n_estimators": log_integer(20, 300),
        "max_depth": Integer(2, 10),
        "min_samples_leaf": leaf_sizes(data),
    }


TABLE: dict[str, Entry] = {
    "sklearn.DecisionTreeClassifier": _tree,
    "sklearn.DecisionTreeRegressor": _tree,
    "sklearn.ExtraTreeClassifier": _tree,
    "sklearn.ExtraTreeRegressor": _tree,
    "sklearn.RandomForestClassifier": _forest,
    "sklearn.RandomForestRegressor": _forest,
    "sklearn.ExtraTreesClassifier": _forest,
    "sklearn.ExtraTreesRegressor": _forest,
    "sklearn.RandomTreesEmbedding": _embedding,
    "sklearn.IsolationForest": _isolation_forest,
    "sklearn.GradientBoostingClassifier": _gradient_boosting,
    "sklearn.GradientBoostingRegressor": _gradient_boosting,
    "sklearn.HistGradientBoostingClassifier": _hist_gradient_boosting,
    "sklearn.HistGradientBoostingRegressor": _hist_gradient_boosting,
    "sklearn.BaggingClassifier": _bagging,
    "sklearn.BaggingRegressor": _bagging,
    "sklearn.AdaBoostClassifier": _ada_boost,
    "sklearn.AdaBoostRegressor": _ada_boost,
    "xgboost.XGBClassifier": _xgboost,
    "xgboost.XGBRegressor": _xgboost,
    "xgboost.XGBRanker": _xgboost,
    "xgboost.XGBRFClassifier": _xgboost_forest,
    "xgboost.XGBRFRegressor": _xgboost_forest,
    "lightgbm.LGBMClassifier": _LIGHTGBM,
    "lightgbm.LGBMRegressor": _LIGHTGBM,
    "lightgbm.LGBMRanker": _LIGHTGBM,
    "catboost.CatBoostClassifier": _catboost,
    "catboost.CatBoostRegressor": _catboost,
}
