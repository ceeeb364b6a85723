"""Signatures: how `tune` calls a function, by keyword or with one dict."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sklearn_lepton.space._space import Space
from sklearn_lepton.space._values import shorten_text

_MAX_LENGTH = 200  # characters of a signature in a message
_AMOUNT = "resource"  # the name that a function may give the amount of the resource


@dataclass(frozen=True)
class CallStyle:
    """How a function gets the parameters of a trial and the amount of its resource.

    Attributes
    ----------
    by_keyword : bool, default=False
        Whether it gets each parameter by its name, instead of all of them in one dict.
    positional : tuple of str, default=()
        Names of the first parameters, which it takes by position only.
    amount : str, default="resource"
        Name of the amount of the resource in calls by keyword.
    """

    by_keyword: bool = False
    positional: tuple[str, ...] = ()
    amount: str = _AMOUNT

    def arguments(
        self, params: dict[str, Any], amount: Sequence[int]
    ) -> tuple[list[Any], dict[str, Any]]:
        """Return the positional and the keyword arguments of a call.

        Parameters
        ----------
        params : dict
        amount : sequence of int
            The amount of the resource; empty without a resource.
        """
        if not self.by_keyword:
            return [params, *amount], {}
        keywords = params | ({self.amount: amount[0]} if amount else {})
        return [keywords.pop(name) for name in self.positional if name in keywords], keywords


def read_signature(
    function: Callable[..., Any], space: Space, *, has_resource: bool = False
) -> CallStyle:
    """Return how a function is called.

    Parameters
    ----------
    function : callable
    space : Space
    has_resource : bool, default=False
        Whether it gets the amount of a resource as well.

    Returns
    -------
    style : CallStyle
        By keyword if the function names a parameter of the space, or if it takes any keyword
        and neither a first argument nor any number of them. With one dict otherwise, also of
        a builtin function without a signature.

    Raises
    ------
    TypeError
        If neither call has a value for each parameter of the function.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of a builtin function
        return CallStyle()
    taken, text = _Taken.read(signature), _text(function, signature)
    names = sorted({name for branch in space.branches for name in branch})
    if taken.is_by_keyword(names):
        return taken.check(text, space, has_resource=has_resource)
    try:
        signature.bind(*([None] * (1 + has_resource)))
    except TypeError:
        second = " and, second, the amount of the resource" * has_resource
        raise TypeError(
            f"function must take one dict of parameters{second}, or the parameters of the space "
            f"by their names, {names}, got {text}: give its parameters "
            "the names of the space, or fix others with functools.partial."
        ) from None
    return CallStyle()


def _text(function: Any, signature: inspect.Signature) -> str:
    """Return the name of a function with its parameters."""
    inner = getattr(function, "func", function)  # of a partial
    name = getattr(inner, "__name__", type(inner).__name__)
    return shorten_text(f"{name}{signature}", _MAX_LENGTH)


@dataclass(frozen=True)
class _Taken:
    """The parameters of a function.

    Attributes
    ----------
    positional : tuple of str
        Names of those that it takes by position only.
    named : dict of str to bool
        Names of all parameters, and whether they need a value.
    has_any : bool
        Whether it takes any keyword, as by ``**params``.
    has_positions : bool
        Whether it takes any number of positional arguments, as by ``*args``.
    """

    positional: tuple[str, ...]
    named: Mapping[str, bool]
    has_any: bool
    has_positions: bool

    @classmethod
    def read(cls, signature: inspect.Signature) -> "_Taken":
        """Return the parameters of a signature."""
        parameters = list(signature.parameters.values())
        kinds = {p.kind for p in parameters}
        variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        return cls(
            tuple(p.name for p in parameters if p.kind is p.POSITIONAL_ONLY),
            {p.name: p.default is p.empty for p in parameters if p.kind not in variable},
            inspect.Parameter.VAR_KEYWORD in kinds,
            inspect.Parameter.VAR_POSITIONAL in kinds,
        )

    def is_by_keyword(self, names: Sequence[str]) -> bool:
        """Return whether the function is meant to get the parameters by their names."""
        if not self.named.keys().isdisjoint(names):
            return True
        needs_one = any(self.named.values())
        return self.has_any and not self.has_positions and not needs_one

    def check(self, text: str, space: Space, *, has_resource: bool) -> CallStyle:
        """Return the call by keyword; raise TypeError if parameter names do not match."""
        names = {name for branch in space.branches for name in branch}
        required = [name for name, is_required in self.named.items() if is_required]
        given, amount = set(names), _AMOUNT
        if has_resource:
            free = [name for name in required if name not in names]
            amount = free[0] if len(free) == 1 else _AMOUNT
            given.add(amount)
        unknown = [] if self.has_any else sorted(given - self.named.keys())
        lacking = {
            name
            for branch in space.branches
            for name in (*required, *self._before(branch))
            if name not in branch and not (has_resource and name == amount)
        }
        faults = [f"does not take {unknown}, which tune gives"] * bool(unknown)
        if lacking:
            place = "a branch of the space" if lacking & names else "the space"
            faults.append(f"needs {sorted(lacking)}, which {place} lacks")
        if faults:
            raise TypeError(
                "function is called by keyword, since its parameters have names of the space, "
                f"{sorted(names)}, but {text} {' and '.join(faults)}: give both the same names, "
                "or defaults to the function, or fix its parameters with functools.partial."
            )
        return CallStyle(True, self.positional, amount)

    def _before(self, branch: Mapping[str, int]) -> tuple[str, ...]:
        """Return the positional-only parameters up to the last one that a branch has."""
        last = max((k for k, name in enumerate(self.positional) if name in branch), default=-1)
        return self.positional[: last + 1]
