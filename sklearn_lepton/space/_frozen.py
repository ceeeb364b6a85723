"""Frozen containers: dicts, lists, sets and arrays that cannot be changed in place.

They equal the plain ones, read like them and are subclasses of them where Python has no
immutable type, so that JSON, pandas and ``**`` take them.
"""

import copy
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np


class FrozenDict(dict[Any, Any]):
    """A dict that cannot be changed; ``dict(frozen)`` and ``frozen | other`` are plain dicts."""

    __slots__ = ()

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("a trial cannot be changed: change a copy, such as dict(trial.params).")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        """Hash the keys: the values may be of any type."""
        return hash(frozenset(self))

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild it at once: pickle and `copy` would fill an empty one."""
        return freeze, (dict(self),)


class FrozenList(list[Any]):
    """A list that cannot be changed; ``list(frozen)`` and ``frozen + other`` are plain lists."""

    __slots__ = ()

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("a trial cannot be changed: change a copy, such as list(value).")

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = clear = extend = insert = pop = remove = reverse = sort = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        """Hash the length: the items may be of any type."""
        return hash((FrozenList, len(self)))

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild it at once: pickle and `copy` would fill an empty one."""
        return freeze, (list(self),)


class FrozenSet(frozenset[Any]):
    """A frozenset that stands for a set, and reads like one."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Show it as the set it stands for."""
        return repr(set(self))


def freeze(value: Any) -> Any:
    """Return a value whose containers, nested ones included, cannot be changed.

    Parameters
    ----------
    value : object
        Dicts, lists, tuples, sets and arrays are frozen, an array as a read-only view. Any other
        object, such as an estimator, is returned as it is.

    Returns
    -------
    frozen : object
        The value itself where nothing in it can be changed.
    """
    kind = type(value)
    if kind is dict:
        return FrozenDict({key: freeze(item) for key, item in value.items()})
    if kind is list:
        return FrozenList(map(freeze, value))
    if kind is set:
        return FrozenSet(value)
    if kind is tuple:
        items = tuple(map(freeze, value))
        is_same = all(new is old for new, old in zip(items, value, strict=True))
        return value if is_same else items
    if kind is np.ndarray and value.flags.writeable:
        view = value.view()
        view.flags.writeable = False
        return view
    return value


def thaw(value: Any) -> Any:
    """Return a copy of a frozen value in plain containers.

    Parameters
    ----------
    value : object
        What `freeze` returned, or anything else.

    Returns
    -------
    plain : object
        Its containers are new ones; what they hold is shared. Arrays stay read-only, since a copy
        for each use may be large.
    """
    return _rebuild(value, lambda item: item)


def own(value: Any) -> Any:
    """Return a copy as `thaw` does, in which estimators are copies as well."""
    return _rebuild(value, _copy_estimator)


def has_estimator(value: Any) -> bool:
    """Return whether a value is an estimator or a container that holds one."""
    if isinstance(value, dict):
        return any(map(has_estimator, value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return any(map(has_estimator, value))
    return hasattr(value, "get_params") and not isinstance(value, type)


def _rebuild(value: Any, leaf: Callable[[Any], Any]) -> Any:
    kind = type(value)
    if kind in {FrozenDict, dict}:
        return {key: _rebuild(item, leaf) for key, item in value.items()}
    if kind in {FrozenList, list}:
        return [_rebuild(item, leaf) for item in value]
    if kind in {FrozenSet, set}:
        return set(value)
    if kind is tuple:
        items = tuple(_rebuild(item, leaf) for item in value)
        is_same = all(new is old for new, old in zip(items, value, strict=True))
        return value if is_same else items
    return leaf(value)


def _copy_estimator(value: Any) -> Any:
    if not has_estimator(value):
        return value
    try:
        return copy.deepcopy(value)
    except Exception:  # noqa: BLE001 - an estimator may hold what cannot be copied
        return value
