"""Built-in spaces: lookup and combination of the spaces of ``param_distributions="auto"``."""

import inspect
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import is_classifier
from sklearn.utils.multiclass import type_of_target

from sklearn_lepton._arrays import as_array, first_rows, is_missing, shape_of
from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton._validation import is_finite, is_real, is_whole
from sklearn_lepton.default_spaces import _linear, _meta_estimators, _others, _transformers, _trees
from sklearn_lepton.default_spaces._column_selection import after, of_columns
from sklearn_lepton.default_spaces._data_profile import Branch, Data, Entry
from sklearn_lepton.space._dimension import Categorical, Dimension, Integer, Real
from sklearn_lepton.space._values import is_identical, is_unlimited

_TABLE: dict[str, Entry] = {
    **{name: {} for name in _meta_estimators.NOTHING},
    **_linear.TABLE,
    **_trees.TABLE,
    **_others.TABLE,
    **_transformers.TABLE,
    **_meta_estimators.TABLE,
}
_MAX_BRANCHES = 16
_MAX_LOOKED_AT = 10_000
_MAX_READ = 2000  # rows whose words are counted


@ignore_float_errors
def default_space(estimator: Any, X: Any = None, y: Any = None) -> Branch | list[Branch]:
    """Return the built-in space of an estimator, as used by ``param_distributions="auto"``.

    The space includes nested estimators, such as the steps of a pipeline. Subclasses have the
    space of their base class.

    Parameters
    ----------
    estimator : estimator object
        Estimator to tune. The space contains the values of its own parameters and the defaults
        of its class.
    X : array-like of shape (n_samples, n_features) or None, default=None
        Data to fit, which some spaces depend on. None assumes 1000 samples of 20 features.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs) or None, default=None
        Target.

    Returns
    -------
    space : dict or list of dict
        Space for `param_distributions`, which may be changed freely. Empty if no parameter is
        worth tuning.

    Raises
    ------
    ValueError
        If neither the estimator nor any nested estimator has a built-in space.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn_lepton import default_space
    >>> default_space(GaussianNB())
    {'var_smoothing': Real(low=1e-12, high=0.1, log=True)}
    """
    blocks = list(_walk(estimator, _describe(estimator, X, y), ""))
    if not blocks:
        kind = type(estimator)
        raise ValueError(
            f"There is no built-in space for {kind.__qualname__} (of {kind.__module__}), nor for "
            "anything in it. Built-in spaces are there for estimators of scikit-learn, "
            "imbalanced-learn, XGBoost, LightGBM, CatBoost, skorch and SciKeras, their subclasses, "
            "and pipelines of these: give a dict of parameter names and values as "
            "param_distributions."
        )
    branches = _combine(blocks)
    return branches[0] if len(branches) == 1 else branches


def _describe(estimator: Any, X: Any, y: Any) -> Data:
    if X is None:
        has_classes = is_classifier(estimator)
        return Data(n_classes=2 if has_classes else 0)
    shape = shape_of(X)
    n_columns = shape[1] if len(shape) > 1 else 1
    data = Data(
        n_rows=shape[0],
        n_columns=n_columns,
        min_columns=n_columns,
        is_sparse=issparse(X),
        variance=_variance(X),
        rows=None if issparse(X) else first_rows(X, min(_MAX_READ, -(-shape[0] // 2))),
        n_classes=0,
        n_targets=1 if y is None or len(shape_of(y)) < 2 else shape_of(y)[1],
    )
    if y is None or type_of_target(y) not in {"binary", "multiclass"}:
        return data
    if not is_classifier(estimator):
        return data
    sizes = np.unique(as_array(y), return_counts=True)[1]
    return replace(
        data,
        n_classes=len(sizes),
        smallest_class=int(sizes.min()),
        is_imbalanced=bool(sizes.max() >= 3 * sizes.min()),
    )


def _variance(X: Any) -> float:
    """Return the variance of all features together in the first rows; 1.0 if it is undefined."""
    is_sparse: bool = issparse(X)
    try:
        if is_sparse:
            mean = float(X.mean())
            variance = float(X.multiply(X).mean()) - mean**2
        else:
            rows = as_array(first_rows(X, _MAX_LOOKED_AT))
            if rows.dtype.kind == "O":
                rows = np.where(np.frompyfunc(is_missing, 1, 1)(rows).astype(bool), np.nan, rows)
            rows = rows.astype(float)
            finite = rows[np.isfinite(rows)]
            variance = float(finite.var()) if finite.size else 1.0
    except (TypeError, ValueError):
        return 1.0
    return variance if np.isfinite(variance) and variance > 0 else 1.0


def _entry(estimator: Any) -> Any:
    for kind in type(estimator).__mro__:
        entry = _TABLE.get(f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}")
        if entry is not None:
            return entry
    return None


def _walk(estimator: Any, data: Data, prefix: str) -> Iterator[list[Branch]]:
    """Yield the branches of each estimator with a built-in space, nested ones included."""
    entry = _entry(estimator)
    params = estimator.get_params(deep=False)
    signature = inspect.signature(type(estimator)).parameters
    defaults = {p.name: p.default for p in signature.values() if p.default is not p.empty}
    if entry is not None:
        seen = replace(data, params=params, defaults=defaults)
        own = entry(seen) if callable(entry) else entry
        branches = [own] if isinstance(own, Mapping) else own
        takes_any = any(p.kind is p.VAR_KEYWORD for p in signature.values())
        known = [
            {n: value for n, value in branch.items() if takes_any or n in params or n in signature}
            for branch in branches
        ]
        entries = _include(known, seen)
        # The branch with the estimator's own values comes first: `_combine` keeps it.
        entries.sort(key=lambda branch: bool(_lacks(branch, params)))
        yield [{f"{prefix}{name}": dim for name, dim in branch.items()} for branch in entries]
    is_pipeline = isinstance(getattr(estimator, "steps", None), list)
    change = _INSIDE.get(_kind_of(estimator, _INSIDE), replace)
    inner_data = change(data)
    columns = {name: selected for name, _, selected in getattr(estimator, "transformers", ())}
    for name, inner in _inner(estimator):
        given = of_columns(data, columns[name]) if name in columns else inner_data
        given = _of_predictions(data) if name == "final_estimator" else given
        yield from _walk(inner, given, f"{prefix}{name}__")
        if is_pipeline:
            inner_data = after(inner, inner_data)


def _kind_of(estimator: Any, names: Container[str]) -> str:
    """Return the name of the estimator's first base class among the given names, or ""."""
    return next((k.__name__ for k in type(estimator).__mro__ if k.__name__ in names), "")


def _inner(estimator: Any) -> list[tuple[str, Any]]:
    """Return nested estimators, without those that are already fitted or tuned."""
    if _kind_of(estimator, _CLOSED) or getattr(estimator, "prefit", False):
        return []
    return [
        (name, value)
        for name, value in estimator.get_params(deep=True).items()
        if "__" not in name
        and name != "transformer"  # of the target
        and hasattr(value, "get_params")
        and not isinstance(value, type)
    ]


def _one_against_rest(data: Data) -> Data:
    is_rare = data.n_classes > 3 or data.is_imbalanced
    return replace(data, n_classes=min(2, data.n_classes), is_imbalanced=is_rare)


def _two_classes(data: Data) -> Data:
    return replace(data, n_classes=2, n_rows=max(2, 2 * data.smallest_class))


def _four_fifths(data: Data) -> Data:
    """Return the profile of a training set of 5-fold cross-validation."""
    return replace(data, n_rows=data.n_rows * 4 // 5, smallest_class=data.smallest_class * 4 // 5)


def _three_tenths(data: Data) -> Data:
    """Return the profile of the smallest bag in the built-in space of bagging."""
    return replace(data, n_rows=data.n_rows * 3 // 10, smallest_class=data.smallest_class // 5)


def _fewer_columns(data: Data) -> Data:
    return replace(data, min_columns=1)


def _of_predictions(data: Data) -> Data:
    return replace(data, n_columns=3, min_columns=1, variance=1.0, is_sparse=False)


_INSIDE: dict[str, Callable[[Data], Data]] = {
    "OneVsRestClassifier": _one_against_rest,
    "OutputCodeClassifier": _one_against_rest,
    "OneVsOneClassifier": _two_classes,
    "CalibratedClassifierCV": _four_fifths,
    "TunedThresholdClassifierCV": _four_fifths,
    "BaggingClassifier": _three_tenths,
    "BaggingRegressor": _three_tenths,
    "RFE": _fewer_columns,
    "RFECV": lambda data: _fewer_columns(_four_fifths(data)),
    "SequentialFeatureSelector": lambda data: _fewer_columns(_four_fifths(data)),
    "RANSACRegressor": lambda data: replace(data, n_rows=data.n_columns + 1),
}
# Nested searches tune their own estimators; frozen estimators stay unchanged.
_CLOSED = {"BaseSearchCV", "FrozenEstimator"}


def _include(branches: list[Branch], data: Data) -> list[Branch]:
    """Return the branches, widened to include the estimator's own values."""
    entries = [{name: _dimension(value) for name, value in b.items()} for b in branches]
    names = {n for branch in entries for n in branch if n in data.params}
    open_ended = {n for n in names if is_unlimited(n, data.params[n])}
    limits = {n: b[n] for b in entries for n in open_ended & b.keys()}
    names -= open_ended
    current = {name: data.params[name] for name in names}
    if all(is_identical(current[name], data.defaults.get(name, current[name])) for name in names):
        return entries  # the tables hold the defaults
    lacks = [_lacks(branch, current) for branch in entries]
    if not all(lacks):
        return entries
    fixed = {n for branch in entries for n, dim in branch.items() if dim.n_values == 1}
    for branch, lack in zip(entries, lacks, strict=True):
        if lack & fixed:
            continue
        wider = {}
        for name in lack:
            dimension = _widen(branch[name], current[name])
            if dimension is None:
                own = {n: Categorical([current[n]]) for n in lack}
                return [*entries, branch | own]
            wider[name] = dimension
        for other in entries:
            if other is not branch:
                other.update({n: d for n, d in wider.items() if other.get(n) == branch[n]})
        branch.update(wider)
        return entries
    # No branch allows this combination: add a branch with the shared parameters free.
    shared = set(entries[0]).intersection(*entries) - fixed
    free = {n: entries[0][n] for n in entries[0] if n in shared & names}
    held = {n: dim for n, dim in free.items() if _holds(dim, current[n])}
    return [*entries, {n: Categorical([current[n]]) for n in sorted(names)} | held | limits]


def _lacks(branch: Branch, params: Mapping[str, Any]) -> set[str]:
    """Return the parameters whose values lie outside a branch."""
    return {
        name
        for name, dimension in branch.items()
        if name in params
        and not is_unlimited(name, params[name])
        and not _holds(dimension, params[name])
    }


def _dimension(values: Any) -> Dimension:
    return values if isinstance(values, Dimension) else Categorical(values)


def _holds(dimension: Dimension, value: Any) -> bool:
    try:
        dimension.to_unit(value)
    except ValueError:
        return False
    return True


def _widen(dimension: Dimension, value: Any) -> Dimension | None:
    """Return a dimension widened to include a value; None for values of another type."""
    if isinstance(dimension, Categorical):
        choices = list(dimension.categories)
        place = len(choices)
        if dimension.ordered and is_real(value):
            above = [n for n, c in enumerate(choices) if is_real(c) and c > value]
            below = [n for n, c in enumerate(choices) if is_real(c) and c < value]
            place = above[0] if above else below[-1] + 1 if below else place
        choices.insert(place, value)
        return Categorical(choices, ordered=dimension.ordered)
    if isinstance(dimension, Integer) and is_whole(value) and value >= dimension.log:
        low, high = min(dimension.low, value), max(dimension.high, value)
        return Integer(low, high, log=dimension.log)
    if isinstance(dimension, Real) and is_finite(value) and (value > 0 or not dimension.log):
        low, high = min(dimension.low, value), max(dimension.high, value)
        return Real(low, high, log=dimension.log)
    return None


def _combine(blocks: list[list[Branch]]) -> list[Branch]:
    """Return the product of the branches of all steps, limited to `_MAX_BRANCHES`.

    A step that would exceed the limit keeps its first branch, with the estimator's own values.
    """
    n_branches, kept = 1, []
    for block in reversed(blocks):
        if n_branches * len(block) > _MAX_BRANCHES:
            kept.append(block[:1])
            continue
        n_branches *= len(block)
        kept.append(block)
    product: list[Branch] = [{}]
    for block in reversed(kept):
        product = [before | branch for before in product for branch in block]
    return product
