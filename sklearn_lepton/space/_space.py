"""The search space: parameter values to points of the unit cube and back."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton._validation import unknown_name
from sklearn_lepton.space._dimension import (
    Categorical,
    Dimension,
    FloatArray,
    Integer,
    Real,
    has_equal_cells,
    interchangeable,
)
from sklearn_lepton.space._distribution import dimension_from_json, from_distribution

_PRIORS = ("uniform", "log-uniform", "int", "log-int")
_TRIPLE = 3


def _as_dimension(name: str, values: Any) -> Dimension:
    """Read one entry of ``param_distributions``.

    Parameters
    ----------
    name : str
        The parameter's name, for the message of an error.
    values : object
        A dimension, a sequence of choices, a distribution or a triple that
        names its prior.

    Returns
    -------
    dimension : Dimension

    Raises
    ------
    TypeError
        If it is none of these, as a bare number or a string.
    ValueError
        If it is one, but holds no legal value.
    """
    try:
        if isinstance(values, Dimension):
            return values
        if hasattr(values, "rvs"):
            return from_distribution(values)
        if isinstance(values, tuple) and len(values) == _TRIPLE and isinstance(values[2], str):
            triple = _from_triple(*values)
            if triple is not None:
                return triple
        return Categorical(_as_choices(values))
    except ValueError as error:
        msg = f"Parameter {name!r}: {error}"
        raise ValueError(msg) from error
    except TypeError as error:
        msg = f"Parameter {name!r}: {error}"
        raise TypeError(msg) from error


def _from_triple(low: Any, high: Any, prior: str) -> Dimension | None:
    if not all(np.isscalar(x) and not isinstance(x, str | bool) for x in (low, high)):
        return None
    if prior not in _PRIORS:
        letters = "".join(filter(str.isalpha, prior.lower())).replace("integer", "int")
        meant = [known for known in _PRIORS if known.replace("-", "") == letters]
        if meant:
            msg = f"{(low, high, prior)!r} is no range: write the prior as {meant[0]!r}."
            raise ValueError(msg)
        return None
    kind = Integer if prior.endswith("int") else Real
    return kind(low, high, log=prior.startswith("log"))


def _as_choices(values: Any) -> Sequence[Any]:
    sized = hasattr(values, "__len__") and hasattr(values, "__getitem__")
    if not sized or isinstance(values, str | bytes | Mapping) or hasattr(values, "get_params"):
        msg = (
            f"{values!r} (of type {type(values).__name__}) is not a set of values. Give a list "
            f"of choices such as [{values!r}], a scipy.stats distribution, Real, Integer, "
            "Categorical or a triple such as (1e-3, 1.0, 'log-uniform')."
        )
        raise TypeError(msg)
    if getattr(values, "ndim", 1) != 1:
        msg = f"an array of {values.ndim} dimensions was given: choices need exactly one."
        raise ValueError(msg)
    return values if isinstance(values, range) else list(values)


class Space:
    """Map parameter settings to points of the unit cube and back.

    Parameters
    ----------
    param_distributions : dict, list of dict or Space
        As for `RandomizedSearchCV`: parameter names with lists of choices or
        distributions; also `Real`, `Integer`, `Categorical` and triples such
        as ``(1e-4, 0.1, "log-uniform")``. A list of dicts is one conditional
        space, whose first, hidden dimension is the branch; a parameter with
        the same values in several branches is one dimension.

    Attributes
    ----------
    names : tuple of str of length n_dims
        Name of each dimension; ``""`` for the branch.
    dimensions : tuple of Dimension of length n_dims
        The dimensions, in the order of a point's columns.
    branches : tuple of dict
        For each branch the column of each of its parameters.
    n_dims : int
        Number of columns of a point.
    n_values : ndarray of shape (n_dims,)
        Number of values of each dimension, infinite where continuous.
    is_categorical : ndarray of shape (n_dims,)
        Mask of the dimensions whose values have no order.
    size : float
        Number of different settings, infinite where any is continuous.

    Raises
    ------
    TypeError
        If it is not a dict or list of dicts, a name is not a string, or what a
        parameter is given is no set of values.
    ValueError
        If a parameter has no legal value.

    Examples
    --------
    >>> from sklearn_lepton import Space
    >>> space = Space({"C": (0.01, 100.0, "log-uniform"), "kernel": ["rbf", "linear"]})
    >>> [round(unit, 6) for unit in space.to_point({"C": 1.0, "kernel": "linear"})]
    [0.5, 0.75]
    >>> space.from_point((1.0, 0.0))
    {'C': 100.0, 'kernel': 'rbf'}
    """

    names: tuple[str, ...]
    dimensions: tuple[Dimension, ...]
    branches: tuple[dict[str, int], ...]

    @ignore_float_errors
    def __init__(
        self, param_distributions: "Mapping[str, Any] | Sequence[Mapping[str, Any]] | Space"
    ) -> None:
        if isinstance(param_distributions, Space):
            self.__dict__.update(param_distributions.__dict__)
            return
        given: Any = param_distributions
        dicts = list(given) if isinstance(given, list | tuple) else [given]
        if not dicts or not all(isinstance(branch, Mapping) for branch in dicts):
            msg = (
                "param_distributions must be a dict, or a list of at least one dict, of parameter "
                f"names and their values, got {param_distributions!r}."
            )
            raise TypeError(msg)
        names: list[str] = []
        dimensions: list[Dimension] = []
        branches: list[dict[str, int]] = []
        columns: dict[str, list[int]] = {}
        if len(dicts) > 1:
            names.append("")
            dimensions.append(Categorical(range(len(dicts)), ordered=False))
        for entries in dicts:
            branch: dict[str, int] = {}
            for name, values in entries.items():
                if not isinstance(name, str):
                    msg = f"Parameter names must be strings, got {name!r}."
                    raise TypeError(msg)
                dimension = _as_dimension(name, values)
                same_name = columns.setdefault(name, [])
                shared = [k for k in same_name if interchangeable(dimensions[k], dimension)]
                branch[name] = shared[0] if shared else len(dimensions)
                if not shared:
                    same_name.append(len(dimensions))
                    names.append(name)
                    dimensions.append(dimension)
            branches.append(branch)
        self.names, self.dimensions, self.branches = (
            tuple(names),
            tuple(dimensions),
            tuple(branches),
        )
        self._set_masks()

    def _set_masks(self) -> None:
        self.n_dims = len(self.dimensions)
        self.n_values = np.array([dimension.n_values for dimension in self.dimensions])
        self.is_categorical = np.array([d.is_categorical for d in self.dimensions], dtype=bool)
        self._is_active = np.zeros((len(self.branches), self.n_dims), dtype=bool)
        if len(self.branches) > 1:
            self._is_active[:, 0] = True
        for row, branch in enumerate(self.branches):
            self._is_active[row, list(branch.values())] = True
        counts = [[self.dimensions[c].n_values for c in b.values()] for b in self.branches]
        self.size = float(sum(map(math.prod, counts)))
        # One numpy expression for all dimensions with cells of equal width.
        self._equal = np.array([has_equal_cells(d) for d in self.dimensions], dtype=bool)
        self._equal_values = self.n_values[self._equal]
        self._snapped = np.flatnonzero(~self._equal & np.isfinite(self.n_values)).tolist()

    def is_active(self, points: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Tell which columns exist in the branch of each point.

        Parameters
        ----------
        points : array-like of shape (n_points, n_dims)

        Returns
        -------
        is_active : ndarray of bool of shape (n_points, n_dims)
        """
        columns = np.asarray(points, dtype=float)
        n_branches = len(self.branches)
        if n_branches == 1:
            return np.ones(columns.shape, dtype=bool)
        branch = np.clip((columns[:, 0] * n_branches).astype(int), 0, n_branches - 1)
        is_active: npt.NDArray[np.bool_] = self._is_active[branch]
        return is_active

    @ignore_float_errors
    def snap(self, points: npt.ArrayLike) -> FloatArray:
        """Move points to the one place that stands for each setting.

        Discrete columns go to the centre of their cell, columns of other
        branches to 0.5, so that equal settings have equal points.

        Parameters
        ----------
        points : array-like of shape (n_points, n_dims)
            Any numbers; those outside [0, 1] are clipped.

        Returns
        -------
        points : ndarray of shape (n_points, n_dims)
        """
        snapped: FloatArray = np.clip(np.asarray(points, dtype=float), 0.0, 1.0)
        if self._equal_values.size:
            cells = np.floor(snapped[:, self._equal] * self._equal_values)
            cells = np.minimum(cells, self._equal_values - 1)
            snapped[:, self._equal] = (cells + 0.5) / self._equal_values
        for column in self._snapped:
            snapped[:, column] = self.dimensions[column].snap(snapped[:, column])
        if len(self.branches) > 1:
            snapped[~self.is_active(snapped)] = 0.5
        return snapped

    @ignore_float_errors
    def from_point(self, point: Sequence[float]) -> dict[str, Any]:
        """Return the parameters at a point.

        Parameters
        ----------
        point : sequence of float of length n_dims
            Numbers in [0, 1].

        Returns
        -------
        params : dict
            For the estimator's ``set_params``.
        """
        branch = self.branches[0]
        if len(self.branches) > 1:
            branch = self.branches[self.dimensions[0].from_unit(point[0])]
        return {
            name: self.dimensions[column].from_unit(float(point[column]))
            for name, column in branch.items()
        }

    @ignore_float_errors
    def to_point(self, params: Mapping[str, Any]) -> tuple[float, ...]:
        """Return the point of a setting.

        Parameters
        ----------
        params : dict
            A value for each parameter of one branch.

        Returns
        -------
        point : tuple of float of length n_dims

        Raises
        ------
        ValueError
            If a parameter is unknown, missing or has a value outside the space.
        """
        complete = self.complete(params)
        missing = [name for name in complete if name not in params]
        if missing:
            msg = f"No value is given for {missing}: a point needs every parameter of its branch."
            raise ValueError(msg)
        return self._point(params, self._branch_of(params))

    @ignore_float_errors
    def complete(
        self, params: Mapping[str, Any], defaults: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Fill in what a setting leaves open.

        Parameters
        ----------
        params : dict
            Values of some or all parameters of one branch.
        defaults : dict or None, default=None
            Values for the others, used where they lie in the space; where not,
            the middle of the dimension is.

        Returns
        -------
        params : dict
            A value for each parameter of the branch, as the search hands it out.

        Raises
        ------
        ValueError
            If a parameter is unknown or its value lies outside the space.
        """
        branch = self.branches[self._branch_of(params, defaults)]
        complete = {}
        for name, column in branch.items():
            dimension = self.dimensions[column]
            if name in params:
                complete[name] = dimension.legal(params[name])
                continue
            try:
                complete[name] = dimension.legal((defaults or {})[name])
            except (KeyError, ValueError):
                complete[name] = dimension.from_unit(0.5)
        return complete

    def _point(self, params: Mapping[str, Any], branch: int) -> tuple[float, ...]:
        point = np.full(self.n_dims, 0.5)
        if len(self.branches) > 1:
            point[0] = self.dimensions[0].to_unit(branch)
        for name, column in self.branches[branch].items():
            point[column] = self.dimensions[column].to_unit(params[name])
        return tuple(self.snap(point[np.newaxis])[0].tolist())

    def _branch_of(
        self, params: Mapping[str, Any], defaults: Mapping[str, Any] | None = None
    ) -> int:
        """Choose the branch that allows all params and then the most of the defaults."""
        exact = [k for k, branch in enumerate(self.branches) if self._is_exact(params, branch)]
        if len(exact) == 1:
            return exact[0]
        best, most, errors = -1, -1.0, []
        for number, branch in enumerate(self.branches):
            try:
                self._check_legal(params, branch)
            except ValueError as error:
                n_held = sum(self._holds(branch, name, params) for name in params)
                errors.append((-n_held, number, error))
                continue
            held = [self._holds(branch, name, defaults or {}) for name in branch]
            share = 1.0 if not held else sum(held) / len(held)
            if not set(branch) - set(params):
                share += 1.0
            if share > most:
                best, most = number, share
        if best < 0:
            raise min(errors)[2]
        return best

    def _is_exact(self, params: Mapping[str, Any], branch: Mapping[str, int]) -> bool:
        names = branch.keys() >= params.keys()
        return names and all(self.dimensions[branch[k]].holds(v) for k, v in params.items())

    def _holds(self, branch: Mapping[str, int], name: str, defaults: Mapping[str, Any]) -> bool:
        try:
            self.dimensions[branch[name]].to_unit(defaults[name])
        except (KeyError, ValueError):
            return False
        return True

    def _check_legal(self, params: Mapping[str, Any], branch: Mapping[str, int]) -> None:
        for name, value in params.items():
            if name not in branch:
                raise ValueError(unknown_name(name, list(branch)))
            try:
                self.dimensions[branch[name]].to_unit(value)
            except ValueError as error:
                msg = f"Parameter {name!r}: {error}"
                raise ValueError(msg) from error

    def to_json(self) -> dict[str, Any]:
        """Encode the space in JSON types.

        Returns
        -------
        data : dict
            Values that JSON cannot hold, as estimators, are described in words
            and come back as a stand-in of that text.
        """
        dimensions = self.dimensions
        branches = [
            {name: dimensions[column].to_json() for name, column in branch.items()}
            for branch in self.branches
        ]
        return {"branches": branches}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Space":
        """Decode what `to_json` encoded.

        Parameters
        ----------
        data : dict

        Returns
        -------
        space : Space

        Raises
        ------
        ValueError
            If a distribution is not one of `scipy.stats`.
        """
        return cls(
            [
                {name: dimension_from_json(name, entry) for name, entry in branch.items()}
                for branch in data["branches"]
            ]
        )

    def __eq__(self, other: object) -> bool:
        """Compare branches and dimensions."""
        return (
            isinstance(other, Space)
            and self.branches == other.branches
            and self.dimensions == other.dimensions
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Show each branch with its dimensions."""
        branches = [
            {name: self.dimensions[column] for name, column in branch.items()}
            for branch in self.branches
        ]
        return f"Space({branches[0] if len(branches) == 1 else branches!r})"
