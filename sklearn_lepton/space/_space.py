"""The search space: parameters and their map to points of the unit cube."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton.space._allowed_points import AllowedPoints
from sklearn_lepton.space._branch_choice import branch_of
from sklearn_lepton.space._branches import branch_dimension, read_branches
from sklearn_lepton.space._constraint import Constraint, combine
from sklearn_lepton.space._dimension import Dimension, FloatArray, has_equal_cells
from sklearn_lepton.space._distribution import dimension_from_json
from sklearn_lepton.space._points import n_points
from sklearn_lepton.space._weights import check_weights, to_cells


class Space:
    """A search space: configurations, mapped to points of the unit cube and back.

    Parameters
    ----------
    param_distributions : dict, list of dict, Space or object
        Parameter names with lists of choices or distributions, as for `RandomizedSearchCV`. Values
        can also be `Real`, `Integer`, `Categorical` or triples such as
        ``(1e-4, 0.1, "log-uniform")``, or dimensions of other libraries. A whole space of
        scikit-optimize or ConfigSpace is read, too. A list of dicts is a conditional space with a
        branch for each dict. Its first dimension is the branch. A parameter with the same values
        in several branches is one dimension.
    weights : sequence of float or None, default=None
        A number above 0 for each branch: how often uniform draws take it, relative to the
        others; see `Categorical`. None keeps the weights of a given `Space`, otherwise all
        dicts have the same weight. Each repetition of a dict adds to its weight.
    constraint : callable or None, default=None
        Whether a configuration is allowed: a function that takes a dict of parameters and
        returns True or False, always the same for the same parameters. In a conditional space
        the dict has the parameters of one branch. A configuration that is not allowed is never
        proposed.

    Attributes
    ----------
    constraint : callable or None
        As given.
    names : tuple of str of length n_dims
        Name of each dimension; ``""`` for the branch.
    dimensions : tuple of Dimension of length n_dims
        The dimensions, in the order of a point's columns.
    branches : tuple of dict
        Names of each branch's parameters, with their columns.
    n_dims : int
        Number of columns of a point.
    n_values : ndarray of shape (n_dims,)
        Number of values of each dimension; infinite for continuous ones.
    is_categorical : ndarray of shape (n_dims,)
        Whether the values of each dimension have no order.
    size : float
        Number of different configurations that are allowed; infinite if a dimension is
        continuous. Those of more than 65,536 are not counted one by one: the number then includes
        the ones that are not allowed.

    Raises
    ------
    TypeError
        If `param_distributions` is not a dict or list of dicts, a name is not a string, the
        values of a parameter have an unknown type, or `constraint` is not callable.
    ValueError
        If a parameter has no value, or a constraint is given for a space that has one.

    Examples
    --------
    >>> from sklearn_lepton import Space
    >>> space = Space({"C": (0.01, 100.0, "log-uniform"), "kernel": ["rbf", "linear"]})
    >>> [round(unit, 6) for unit in space.to_point({"C": 1.0, "kernel": "linear"})]
    [0.5, 0.75]
    >>> space.from_point((1.0, 0.0))
    {'C': 100.0, 'kernel': 'rbf'}
    >>> half = Space({"x": [1, 2, 3], "y": [1, 2, 3]}, constraint=lambda p: p["x"] < p["y"])
    >>> half.size, half.allows({"x": 1, "y": 3}), half.allows({"x": 3, "y": 1})
    (3.0, True, False)
    """

    names: tuple[str, ...]
    dimensions: tuple[Dimension, ...]
    branches: tuple[dict[str, int], ...]

    @ignore_float_errors
    def __init__(
        self,
        param_distributions: "Mapping[str, Any] | Sequence[Mapping[str, Any]] | Space",
        *,
        weights: Sequence[float] | None = None,
        constraint: Callable[[dict[str, Any]], bool] | None = None,
    ) -> None:
        self._constraint = None if constraint is None else Constraint(constraint)
        self.allowed: AllowedPoints | None = None
        if isinstance(param_distributions, Space):
            self._copy(param_distributions, weights)
            return
        read = read_branches(param_distributions, weights)
        self.names, self.dimensions, self.branches, its = read
        self._constraint = combine(self._constraint, None if its is None else Constraint(its))
        self._set_masks()

    def _copy(self, other: "Space", weights: Sequence[float] | None) -> None:
        """Set the attributes of another space, and keep a constraint of this one."""
        its = other.__dict__["_constraint"]
        constraint = combine(self._constraint, its)
        self.__dict__.update(other.__dict__)
        checked = check_weights(weights, len(self.branches), "branches")
        if checked and len(self.branches) > 1:
            self.dimensions = (branch_dimension(checked), *self.dimensions[1:])
        self._constraint = constraint
        if checked or constraint is not its:
            self._set_masks()

    @property
    def constraint(self) -> Callable[[dict[str, Any]], bool] | None:
        """The function that says whether a configuration is allowed, or None."""
        return None if self._constraint is None else self._constraint.function

    @property
    def size(self) -> float:
        """Number of different configurations that are allowed; infinite for a continuous space."""
        if self.allowed is None or not self.allowed.is_listed:
            return self._n_points
        return float(len(self.allowed.points))

    def _set_masks(self) -> None:
        """Set the attributes that follow from dimensions and branches."""
        self.n_dims = len(self.dimensions)
        self.n_values = np.array([dimension.n_values for dimension in self.dimensions])
        self.is_categorical = np.array([d.is_categorical for d in self.dimensions], dtype=bool)
        self._is_active = np.zeros((len(self.branches), self.n_dims), dtype=bool)
        if len(self.branches) > 1:
            self._is_active[:, 0] = True
        for row, branch in enumerate(self.branches):
            self._is_active[row, list(branch.values())] = True
        self._n_points = n_points(self)
        self._weighted = [k for k, d in enumerate(self.dimensions) if d.weights is not None]
        # `snap` needs one numpy expression for all dimensions with cells of equal width.
        self._equal = np.array([has_equal_cells(d) for d in self.dimensions], dtype=bool)
        self._equal_values = self.n_values[self._equal]
        self._snapped = np.flatnonzero(~self._equal & np.isfinite(self.n_values)).tolist()
        self._set_allowed()

    def _set_allowed(self) -> None:
        if self._constraint is not None:
            self.allowed = AllowedPoints(self, self._constraint)

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without the answers of the constraint."""
        return self.__dict__ | {"allowed": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the state."""
        self.__dict__.update(state)
        self._set_allowed()

    def is_active(self, points: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Return whether each column is active, that is, belongs to the branch of the point.

        Parameters
        ----------
        points : array-like of shape (n_points, n_dims)
            Points of the unit cube.

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
        """Return points in canonical form, in which equal configurations have equal points.

        Discrete columns move to the centres of their cells, inactive columns to 0.5.

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

    def from_uniform(self, uniform: FloatArray) -> FloatArray:
        """Return points of the unit cube, moved so that choices and branches have their weights.

        Parameters
        ----------
        uniform : ndarray of shape (..., n_dims)
            Uniform numbers in [0, 1], such as a Sobol sequence.

        Returns
        -------
        points : ndarray of the same shape
            Not in canonical form; the same object if nothing has weights.
        """
        if not self._weighted:
            return uniform
        points = uniform.copy()
        for column in self._weighted:
            points[..., column] = to_cells(self.dimensions[column].weights, uniform[..., column])
        return points

    def draw(self, rng: np.random.Generator, n_points: int | None = None) -> FloatArray:
        """Return random points, in which choices and branches have their weights.

        Parameters
        ----------
        rng : numpy.random.Generator
        n_points : int or None, default=None
            Number of points; None returns one of shape (n_dims,).

        Returns
        -------
        points : ndarray of shape (n_points, n_dims)
            Not in canonical form; see `snap`.
        """
        shape = self.n_dims if n_points is None else (n_points, self.n_dims)
        return self.from_uniform(rng.random(shape))

    def allows(self, params: Mapping[str, Any]) -> bool:
        """Return whether the constraint allows a configuration.

        Parameters
        ----------
        params : dict
            A value for each parameter of one branch.

        Returns
        -------
        is_allowed : bool
            True in a space without a constraint.

        Raises
        ------
        ValueError
            If the constraint raises an error.
        TypeError
            If it returns neither True nor False.
        """
        return self._constraint is None or self._constraint.allows(params)

    def allows_point(self, point: Sequence[float]) -> bool:
        """Return whether the constraint allows the configuration at a point in canonical form."""
        return self.allowed is None or point in self.allowed

    @ignore_float_errors
    def from_point(self, point: Sequence[float]) -> dict[str, Any]:
        """Return the configuration at a point.

        Parameters
        ----------
        point : sequence of float of length n_dims
            Numbers in [0, 1].

        Returns
        -------
        params : dict
            Values of the active parameters, for ``set_params`` of the estimator.
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
        """Return the point of a configuration.

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
        number = branch_of(self, params)
        missing = [name for name in self.branches[number] if name not in params]
        if missing:
            msg = f"No value is given for {missing}: a point needs every parameter of its branch."
            raise ValueError(msg)
        return self._point(params, number)

    @ignore_float_errors
    def complete(
        self, params: Mapping[str, Any], defaults: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return a configuration with values for all parameters of its branch.

        Parameters
        ----------
        params : dict
            Values of some or all parameters of one branch.
        defaults : dict or None, default=None
            Values of the other parameters. The middle of the dimension replaces a default that is
            missing or outside the space. If the constraint does not allow them with `params`,
            they move to the nearest allowed ones that are found.

        Returns
        -------
        params : dict
            A value for each parameter of the branch, in the type that trials have.

        Raises
        ------
        ValueError
            If a parameter is unknown, its value is outside the space, or the constraint does not
            allow `params`.
        """
        complete, number = self.fill(params, defaults)
        if self.allowed is None or self.allows(complete):
            return complete
        branch, point = self.branches[number], self._point(complete, number)
        given = {branch[name]: complete[name] for name in params}
        moved = self.allowed.complete(point, given, branch)
        if moved is None:
            raise ValueError(
                f"The constraint {self._constraint!r} does not allow {dict(params)!r}."
            )
        return moved

    def fill(
        self, params: Mapping[str, Any], defaults: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Any], int]:
        """Return a configuration as `complete` does, allowed or not, and its branch."""
        number = branch_of(self, params, defaults)
        branch, complete = self.branches[number], {}
        for name, column in branch.items():
            dimension = self.dimensions[column]
            if name in params:
                complete[name] = dimension.validate(params[name])
                continue
            try:
                complete[name] = dimension.validate((defaults or {})[name])
            except (KeyError, ValueError):
                complete[name] = dimension.from_unit(0.5)
        return complete, number

    def _point(self, params: Mapping[str, Any], branch: int) -> tuple[float, ...]:
        """Return the point of a complete configuration of a branch."""
        point = np.full(self.n_dims, 0.5)
        if len(self.branches) > 1:
            point[0] = self.dimensions[0].to_unit(branch)
        for name, column in self.branches[branch].items():
            point[column] = self.dimensions[column].to_unit(params[name])
        return tuple(self.snap(point[np.newaxis])[0].tolist())

    def to_json(self) -> dict[str, Any]:
        """Return the space in JSON types.

        Returns
        -------
        data : dict
            Values that JSON cannot represent, such as estimators, are texts. `from_json` replaces
            them by stand-ins with these texts. It omits the constraint.
        """
        dimensions = self.dimensions
        branches = [
            {name: dimensions[column].to_json() for name, column in branch.items()}
            for branch in self.branches
        ]
        # Journals of spaces without weights or a constraint have no such keys.
        weights = dimensions[0].weights if len(branches) > 1 else None
        data: dict[str, Any] = {"branches": branches}
        data |= {"weights": list(weights)} if weights else {}
        return data | ({"constraint": self._constraint.to_json()} if self._constraint else {})

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Space":
        """Return the space that `to_json` encoded.

        Parameters
        ----------
        data : dict
            Result of `to_json`.

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
            ],
            weights=data.get("weights"),
        )

    def __eq__(self, other: object) -> bool:
        """Compare branches, dimensions and constraints."""
        return (
            isinstance(other, Space)
            and self._constraint == other._constraint
            and self.branches == other.branches
            and self.dimensions == other.dimensions
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Return the text of each branch with its dimensions."""
        branches = [
            {name: self.dimensions[column] for name, column in branch.items()}
            for branch in self.branches
        ]
        weights = self.dimensions[0].weights if len(branches) > 1 else None
        more = "" if weights is None else f", weights={list(weights)}"
        more += "" if self._constraint is None else f", constraint={self._constraint!r}"
        return f"Space({branches[0] if len(branches) == 1 else branches!r}{more})"
