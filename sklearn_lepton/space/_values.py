"""Parameter values: when two are the same, and how JSON holds them."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from sklearn_lepton._validation import is_finite, is_real
from sklearn_lepton.space._content import (
    content_of,
    full_name,
    have_same_content,
    plain,
    plain_type,
    qualified_name,
)

# It is another with each process.
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_HOLDERS = (list, tuple, dict, set, frozenset)  # in which == takes 1 for True
_COMPARED = (bool, int, float, complex, str, bytes, tuple, frozenset)
_MAX_CHARACTERS = 1000  # of a text that describes an object
_MAX_BITS = 10_000  # of an integer; Python writes and reads up to 14,000


@dataclass(frozen=True, eq=False)
class Opaque:
    """Stand-in for a value that JSON cannot hold.

    Two are equal if their hashes are; without hashes, if their texts are.

    Parameters
    ----------
    text : str
        Describes the value in words.
    hash : str or None, default=None
        Hash of its content. None where a name says all, or nothing is known of the content.
    """

    text: str
    hash: str | None = field(default=None, repr=False)

    def __eq__(self, other: object) -> bool:
        """Compare hashes, or else texts."""
        return isinstance(other, Opaque) and self._key == other._key

    def __hash__(self) -> int:
        """Hash what is compared."""
        return hash(self._key)

    @property
    def _key(self) -> tuple[bool, str]:
        return self.hash is None, self.hash or self.text


def value_to_json(value: Any) -> Any:
    """Encode a parameter value in JSON types.

    What JSON cannot hold becomes a text and, unless the text is a name that says all, a hash
    of its content. An object of which only the type is known has no hash.
    """
    value = plain(value)
    if value is None or _is_written(value):
        return value
    kind = plain_type(value)  # a subclass may hold more
    if kind is float:
        return {"float": repr(value)}
    if kind is list:
        return [value_to_json(item) for item in value]
    if kind is tuple:
        return {"tuple": [value_to_json(item) for item in value]}
    if kind is dict and all(type(key) is str for key in value):
        return {"dict": {key: value_to_json(item) for key, item in value.items()}}
    if isinstance(value, Opaque):
        return opaque_to_json(value.text, value.hash)
    if (name := qualified_name(value)) is not None:
        return {"opaque": name}
    content = content_of(value)
    return opaque_to_json(text_of(value), content.hash if content.is_certain else None)


def _is_written(value: Any) -> bool:
    """Return whether JSON holds a number or string as it is."""
    if type(value) is int:
        return value.bit_length() <= _MAX_BITS
    return type(value) in {bool, str} or (type(value) is float and math.isfinite(value))


def opaque_to_json(text: str, content: str | None) -> dict[str, str]:
    """Encode an object as a text and, where it is known, a hash of its content."""
    return {"opaque": text} if content is None else {"opaque": text, "hash": content}


def text_of(value: Any) -> str:
    """Write an object for people to read; others may have the same text."""
    if callable(value) and isinstance(getattr(value, "__qualname__", None), str):
        return full_name(value)
    try:
        text = without_address(repr(value))
    except Exception:  # noqa: BLE001 - a user's class may do anything there
        text = full_name(type(value))
    return shorten_text(text, _MAX_CHARACTERS)


def shorten_text(text: str, n_most: int) -> str:
    """Cut a text that has more characters."""
    return text if len(text) <= n_most else f"{text[: n_most - 3]}..."


def count_rows(X: Any) -> int:
    """Return the number of samples of data: a table, an array, a sparse matrix or a list."""
    return int(X.shape[0]) if hasattr(X, "shape") else len(X)


def without_address(text: str) -> str:
    """Take out what the text of an object says of its place in memory."""
    return _ADDRESS.sub("", text)


def value_from_json(data: Any) -> Any:
    """Decode what `value_to_json` encoded; opaque values come back as `Opaque`."""
    if isinstance(data, list):
        return [value_from_json(item) for item in data]
    if not isinstance(data, dict):
        return data
    if "opaque" in data and data.keys() <= {"opaque", "hash"}:
        return Opaque(data["opaque"], data.get("hash"))
    [(kind, content)] = data.items()
    if kind == "float":
        return float(content)
    if kind == "tuple":
        return tuple(value_from_json(item) for item in content)
    if kind == "dict":
        return {key: value_from_json(item) for key, item in content.items()}
    raise ValueError(f"no value is encoded as {kind!r}")


def is_number(value: Any) -> bool:
    """Return whether a value is a real number and not NaN; infinite numbers are."""
    return is_real(value) and bool(value == value)  # noqa: PLR0124 - NaN is not


def as_float(value: Any) -> float:
    """Return a single real number as a float: an infinite one if no float holds it.

    Parameters
    ----------
    value : int, float, Decimal, Fraction, or a scalar or 0-dimensional array of numpy

    Returns
    -------
    number : float

    Raises
    ------
    TypeError
        If it is no real number, or more than one.
    """
    # Of these `float` makes a number, or drops the imaginary part.
    is_other = isinstance(value, str | bytes | bytearray | complex | np.complexfloating)
    kind = getattr(getattr(value, "dtype", None), "kind", "f")
    if value is None or is_other or kind in "cmMSUV" or np.ndim(value) > 0:
        raise TypeError(f"expected a real number, got {type(value).__name__}")
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
    except ValueError as error:  # a signaling NaN of a Decimal
        raise TypeError(f"expected a real number: {error}") from error


def has_float(value: Any) -> bool:
    """Return whether `as_float` takes a value."""
    try:
        as_float(value)
    except TypeError:
        return False
    return True


def same(left: Any, right: Any) -> bool:
    """Return whether one value can stand for the other; 1, 1.0 and True are three values.

    Estimators are compared by `alike` only, since that takes longer.
    """
    if left is right:
        return True
    if type(left) is not type(right) or hasattr(left, "get_params"):
        return False
    if type(left) is float:
        return left == right or (math.isnan(left) and math.isnan(right))
    if isinstance(left, np.ndarray):
        return (left.dtype, left.shape) == (right.dtype, right.shape) and have_same_content(
            left, right
        )
    try:
        is_equal = bool(left == right)
    except Exception:  # noqa: BLE001 - a user's class may do anything in __eq__
        is_equal = isinstance(left, _HOLDERS)  # of arrays, say
    may_differ = isinstance(left, _HOLDERS) or _may_hold_more(left)
    return is_equal and (not may_differ or have_same_content(left, right))


def alike(left: Any, right: Any) -> bool:
    """Return whether two values mean the same setting.

    They do if they are equal numbers, hold the same, or are an object and the stand-in that
    came back from JSON for it.
    """
    if isinstance(right, Opaque):
        if right.hash is None:  # a name, or too little to go by
            return qualified_name(left) == right.text and content_of(left).is_certain
        return not _is_written(left) and content_of(left) == (right.hash, True)
    may_hold_more = _may_hold_more(left) or _may_hold_more(right)
    if is_real(left) and is_real(right) and not may_hold_more:
        return bool(left == right)
    if type(left) is type(right) is np.ndarray:
        are_numbers = left.dtype.kind in "iuf" and right.dtype.kind in "iuf"
        if are_numbers and np.array_equal(left, right):
            return True
    is_text = isinstance(left, str) and not may_hold_more
    return not is_text and have_same_content(left, right)


def _may_hold_more(value: Any) -> bool:
    """Return whether a value is of a subclass whose inherited == may not look at all it holds."""
    is_subclass = isinstance(value, _COMPARED) and type(value) not in _COMPARED
    return is_subclass and not isinstance(value, np.generic)


def is_unlimited(name: str, value: Any) -> bool:
    """Return whether a parameter leaves the number of iterations open, as `max_iter` of `SVC`.

    A built-in space may set a limit in its place.
    """
    return name.rpartition("__")[2] == "max_iter" and same(value, -1)


def distinct(values: Iterable[Any]) -> list[Any]:
    """Drop repeated values, keeping the first of each; unhashable ones only where identical."""
    kept: list[Any] = []
    seen: set[Any] = set()
    places: set[int] = set()  # of the kept values in memory
    for value in values:
        try:
            key = _key_of(value)
            known = key in seen and not isinstance(value, Opaque)
            seen.add(key)
        except TypeError:
            known = id(value) in places
        if not known:
            kept.append(value)
            places.add(id(value))
    return kept


def _key_of(value: Any) -> Any:
    """Return what is equal for repeated values only: in tuples also 1 and True are two."""
    kind = type(value)
    if kind in {tuple, frozenset}:
        return kind, kind(map(_key_of, value))
    return kind, value, content_of(value).hash if _may_hold_more(value) else None


def is_monotone(values: Sequence[Any]) -> bool:
    """Say whether all values are finite numbers in ascending or descending order."""
    if not all(map(is_finite, values)):
        return False
    steps = [after > before for before, after in pairwise(values)]
    return all(steps) or not any(steps)


def shorten(values: Sequence[Any], n_shown: int = 10) -> str:
    """Write a list, leaving out all but the first values where there are many."""
    shown = ", ".join(map(text_of, values[:n_shown]))
    more = f", ... ({len(values)} in all)" if len(values) > n_shown else ""
    return f"[{shown}{more}]"
