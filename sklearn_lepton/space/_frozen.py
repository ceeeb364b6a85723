"""Frozen containers: dicts, lists, sets and arrays that cannot be changed in place.

They compare equal to plain containers and have the same ``repr``. Where Python has no immutable
type they are subclasses of the plain type, so that JSON, pandas and ``**`` accept them.
"""

import copy
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np


class FrozenDict(dict[Any, Any]):
    """Immutable dict; ``dict(frozen)`` and ``frozen | other`` are plain dicts."""

    __slots__ = ()

    def _raise(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("a trial cannot be changed: change a copy, such as dict(trial.params).")

    __setitem__ = __delitem__ = __ior__ = _raise
    clear = pop = popitem = setdefault = update = _raise

    def __hash__(self) -> int:  # type: ignore[override]
        """Return the hash of the keys: values may be unhashable."""
        return hash(frozenset(self))

    def __reduce__(self) -> tuple[Any, ...]:
        """Return the call that rebuilds the object: pickle would fill an empty one."""
        return freeze, (dict(self),)


class FrozenList(list[Any]):
    """Immutable list; ``list(frozen)`` and ``frozen + other`` are plain lists."""

    __slots__ = ()

    def _raise(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("a trial cannot be changed: change a copy, such as list(value).")

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _raise
    append = clear = extend = insert = pop = remove = reverse = sort = _raise

    def __hash__(self) -> int:  # type: ignore[override]
        """Return the hash of the length: items may be unhashable."""
        return hash((FrozenList, len(self)))

    def __reduce__(self) -> tuple[Any, ...]:
        """Return the call that rebuilds the object: pickle would fill an empty one."""
        return freeze, (list(self),)


class FrozenSet(frozenset[Any]):
    """Immutable set, with the ``repr`` of a set."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return the text of the plain set."""
        return repr(set(self))


def freeze(value: Any) -> Any:
    """Return a value whose containers, nested ones included, cannot be changed.

    Parameters
    ----------
    value : object
        Dicts, lists, tuples, sets and arrays are frozen; an array becomes a read-only view. Any
        other object, such as an estimator, is returned unchanged.

    Returns
    -------
    frozen : object
        A frozen copy, or the value itself if nothing in it can be changed.
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
        Result of `freeze`, or any other object.

    Returns
    -------
    plain : object
        New containers with shared items. Arrays remain read-only, because copies may be large.
    """
    return _rebuild(value, lambda item: item)


def deep_thaw(value: Any) -> Any:
    """Return a copy in plain containers, in which estimators are copies as well."""
    return _rebuild(value, _copy_estimator)


def has_estimator(value: Any) -> bool:
    """Return whether a value is an estimator or a container with an estimator."""
    if isinstance(value, dict):
        return any(map(has_estimator, value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return any(map(has_estimator, value))
    return hasattr(value, "get_params") and not isinstance(value, type)


def _rebuild(value: Any, leaf: Callable[[Any], Any]) -> Any:
    """Return a copy in plain containers whose leaves are converted by a function."""
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
    """Return a copy of an estimator if it can be copied, any other value unchanged."""
    if not has_estimator(value):
        return value
    try:
        return copy.deepcopy(value)
    except Exception:  # noqa: BLE001 - an estimator may contain objects that cannot be copied
        return value
