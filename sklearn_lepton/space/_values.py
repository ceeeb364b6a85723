"""Parameter values: their equality, and their encoding in JSON."""

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
    python_scalar,
    qualified_name,
    unfrozen_type,
)

# Memory addresses in a ``repr`` differ between processes.
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
# Containers whose == does not distinguish 1 from True.
_CONTAINERS = (list, tuple, dict, set, frozenset)
# Types whose == compares the whole content, unlike that which a subclass may inherit from them.
_FULLY_COMPARED = (bool, int, float, complex, str, bytes, tuple, frozenset)
_MAX_CHARACTERS = 1000  # of the description of an object
_MAX_BITS = 10_000  # of an integer in JSON; Python reads and writes up to 14,000


@dataclass(frozen=True, eq=False)
class Opaque:
    """Stand-in for a value that JSON cannot represent.

    Two stand-ins are equal if their hashes are; without hashes, if their texts are.

    Parameters
    ----------
    text : str
        Description of the value.
    hash : str or None, default=None
        Hash of its content. None if the text is a qualified name, or the content is unknown.
    """

    text: str
    hash: str | None = field(default=None, repr=False)

    def __eq__(self, other: object) -> bool:
        """Compare the hashes, or the texts if there are none."""
        return isinstance(other, Opaque) and self._key == other._key

    def __hash__(self) -> int:
        """Return the hash of the compared part."""
        return hash(self._key)

    @property
    def _key(self) -> tuple[bool, str]:
        return self.hash is None, self.hash or self.text


def value_to_json(value: Any) -> Any:
    """Return a parameter value in JSON types.

    A value that JSON cannot represent becomes a text and a hash of its content. There is no hash if
    the text is a qualified name, or if the content is unknown.
    """
    value = python_scalar(value)
    if value is None or _is_json_scalar(value):
        return value
    kind = unfrozen_type(value)  # a subclass may have additional content
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


def _is_json_scalar(value: Any) -> bool:
    """Return whether JSON represents a number or string exactly."""
    if type(value) is int:
        return value.bit_length() <= _MAX_BITS
    return type(value) in {bool, str} or (type(value) is float and math.isfinite(value))


def opaque_to_json(text: str, content: str | None) -> dict[str, str]:
    """Return an object as a text and, if known, a hash of its content."""
    return {"opaque": text} if content is None else {"opaque": text, "hash": content}


def text_of(value: Any) -> str:
    """Return a readable description of an object, which may not be unique."""
    if callable(value) and isinstance(getattr(value, "__qualname__", None), str):
        return full_name(value)
    try:
        text = without_address(repr(value))
    except Exception:  # noqa: BLE001 - a user's class may do anything there
        text = full_name(type(value))
    return shorten_text(text, _MAX_CHARACTERS)


def shorten_text(text: str, max_characters: int) -> str:
    """Return a text, truncated to a number of characters."""
    return text if len(text) <= max_characters else f"{text[: max_characters - 3]}..."


def count_rows(X: Any) -> int:
    """Return the number of samples of data: a table, an array, a sparse matrix or a list."""
    return int(X.shape[0]) if hasattr(X, "shape") else len(X)


def without_address(text: str) -> str:
    """Return the text of an object without memory addresses."""
    return _ADDRESS.sub("", text)


def value_from_json(data: Any) -> Any:
    """Return the value that `value_to_json` encoded; opaque values become `Opaque`."""
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
    raise ValueError(
        f"unknown encoding {kind!r} of a value; expected 'float', 'tuple', 'dict' or 'opaque'"
    )


def is_number(value: Any) -> bool:
    """Return whether a value is a real number, finite or infinite, and not NaN."""
    return is_real(value) and bool(value == value)  # noqa: PLR0124 - NaN is not


def as_float(value: Any) -> float:
    """Return a single real number as a float, infinite if it is out of range.

    Parameters
    ----------
    value : int, float, Decimal, Fraction, or a scalar or 0-dimensional array of numpy

    Returns
    -------
    number : float

    Raises
    ------
    TypeError
        If the value is not a single real number.
    """
    # `float` would convert text and dates, and drop an imaginary part.
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
    """Return whether `as_float` accepts a value."""
    try:
        as_float(value)
    except TypeError:
        return False
    return True


def is_identical(left: Any, right: Any) -> bool:
    """Return whether two values are identical; 1, 1.0 and True are three values.

    Estimators are identical only if they are one object: `is_equivalent` compares their content,
    which takes longer.
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
        is_equal = isinstance(left, _CONTAINERS)  # such as a list of arrays
    may_differ = isinstance(left, _CONTAINERS) or _may_have_more_content(left)
    return is_equal and (not may_differ or have_same_content(left, right))


def is_equivalent(left: Any, right: Any) -> bool:
    """Return whether two values configure an estimator in the same way.

    They do if they are equal numbers, if their contents are equal, or if one is an object and the
    other its stand-in from JSON.
    """
    if isinstance(right, Opaque):
        if right.hash is None:  # a qualified name, or unknown content
            return qualified_name(left) == right.text and content_of(left).is_certain
        return not _is_json_scalar(left) and content_of(left) == (right.hash, True)
    may_have_more = _may_have_more_content(left) or _may_have_more_content(right)
    if is_real(left) and is_real(right) and not may_have_more:
        return bool(left == right)
    if type(left) is type(right) is np.ndarray:
        are_numbers = left.dtype.kind in "iuf" and right.dtype.kind in "iuf"
        if are_numbers and np.array_equal(left, right):
            return True
    is_text = isinstance(left, str) and not may_have_more
    return not is_text and have_same_content(left, right)


def _may_have_more_content(value: Any) -> bool:
    """Return whether an inherited == may ignore part of a value, which has a subclass."""
    is_subclass = isinstance(value, _FULLY_COMPARED) and type(value) not in _FULLY_COMPARED
    return is_subclass and not isinstance(value, np.generic)


def is_unlimited(name: str, value: Any) -> bool:
    """Return whether a parameter sets no limit of iterations, such as ``max_iter=-1`` of `SVC`.

    A built-in space may replace such a value by a limit.
    """
    return name.rpartition("__")[2] == "max_iter" and is_identical(value, -1)


def drop_duplicates(values: Iterable[Any]) -> tuple[list[Any], list[int]]:
    """Return the distinct values, and the position of each given value among them.

    An unhashable value is a repetition only if it is the same object.
    """
    kept: list[Any] = []
    positions: list[int] = []
    known: dict[Any, int] = {}  # positions by key
    by_id: dict[int, int] = {}  # positions of the kept values
    for value in values:
        try:
            key = _key_of(value)
            position = None if isinstance(value, Opaque) else known.get(key)
            known.setdefault(key, len(kept))
        except TypeError:
            position = by_id.get(id(value))
        if position is None:
            position = by_id[id(value)] = len(kept)
            kept.append(value)
        positions.append(position)
    return kept, positions


def _key_of(value: Any) -> Any:
    """Return a key that is equal for identical values only, also for 1 and True in tuples."""
    kind = type(value)
    if kind in {tuple, frozenset}:
        return kind, kind(map(_key_of, value))
    return kind, value, content_of(value).hash if _may_have_more_content(value) else None


def is_monotone(values: Sequence[Any]) -> bool:
    """Return whether all values are finite numbers in ascending or descending order."""
    if not all(map(is_finite, values)):
        return False
    steps = [after > before for before, after in pairwise(values)]
    return all(steps) or not any(steps)


def shorten(values: Sequence[Any], n_shown: int = 10) -> str:
    """Return the text of a list, with only the first values of a long one."""
    shown = ", ".join(map(text_of, values[:n_shown]))
    more = f", ... ({len(values)} in all)" if len(values) > n_shown else ""
    return f"[{shown}{more}]"
