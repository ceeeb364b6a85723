"""Schema: rules for the JSON data of a file, which may come from an untrusted source.

A rule is a function that takes a value and raises `SchemaError` unless the value is allowed.
Rules for lists and objects consist of rules for their parts.
"""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, Self

Rule = Callable[[Any], None]

MAX_COUNT = 2**53  # the largest integer that every JSON reader represents exactly
_MAX_BITS = 13_000  # of an integer; Python neither reads nor writes more than 4300 digits
_MAX_DEPTH = 100  # of nested lists and objects
_NOT_FINITE = ("nan", "inf", "-inf")


class SchemaError(ValueError):
    """A value that violates its rule.

    Parameters
    ----------
    problem : str
        The violation, without the location of the value.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self._location = ""

    def under(self, part: str) -> Self:
        """Return this error with one more outer part of the value's location."""
        self._location = f"{part}{self._location}"
        return self

    def __str__(self) -> str:
        location = self._location.removeprefix(".")
        return f"{location} {self.args[0]}" if location else f"it {self.args[0]}"


def brief(value: Any) -> str:
    """Return the JSON text of a value, truncated to 80 characters."""
    try:
        text = json.dumps(value)
    except RecursionError:
        text = "a value that is nested too deeply"
    except (TypeError, ValueError):
        text = f"a {type(value).__name__} that JSON cannot hold"
    return text if len(text) <= 80 else f"{text[:77]}..."


def scalar(expected: str, is_allowed: Callable[[Any], bool]) -> Rule:
    """Return a rule for the values for which `is_allowed` returns True."""

    def check(value: Any) -> None:
        if not is_allowed(value):
            raise SchemaError(f"is {brief(value)}, expected {expected}")

    return check


def nullable(rule: Rule) -> Rule:
    """Return a rule that also allows null."""

    def check(value: Any) -> None:
        if value is not None:
            rule(value)

    return check


def array_of(rule: Rule, *, min_length: int = 0, max_length: float = math.inf) -> Rule:
    """Return a rule for lists."""
    lengths = f" of at least {min_length}" if min_length else ""
    lengths += f" of at most {max_length:g}" if max_length < math.inf else ""

    def check(value: Any) -> None:
        if not (isinstance(value, list | tuple) and min_length <= len(value) <= max_length):
            raise SchemaError(f"is {brief(value)}, expected a list{lengths}")
        for position, item in enumerate(value):
            try:
                rule(item)
            except SchemaError as error:
                raise error.under(f"[{position}]") from None

    return check


def mapping_of(rule: Rule) -> Rule:
    """Return a rule for objects with arbitrary names."""

    def check(value: Any) -> None:
        if not (isinstance(value, Mapping) and all(isinstance(name, str) for name in value)):
            raise SchemaError(f"is {brief(value)}, expected an object")
        for name, item in value.items():
            try:
                rule(item)
            except SchemaError as error:
                raise error.under(f".{brief_name(name)}") from None

    return check


def fields(required: Mapping[str, Rule], optional: Mapping[str, Rule] | None = None) -> Rule:
    """Return a rule for objects with the given names; other names are allowed and not checked."""
    rules = {**required, **(optional or {})}

    def check(value: Any) -> None:
        if not isinstance(value, Mapping):
            raise SchemaError(f"is {brief(value)}, expected an object")
        for name, rule in rules.items():
            if name in value:
                try:
                    rule(value[name])
                except SchemaError as error:
                    raise error.under(f".{name}") from None
            elif name in required:
                raise SchemaError("is missing").under(f".{name}")

    return check


def brief_name(name: str) -> str:
    """Return a name, truncated to 80 characters."""
    return name if len(name) <= 80 else f"{name[:77]}..."


def is_integer(value: Any) -> bool:
    """Return whether a value is an integer that JSON can represent, and not a Boolean."""
    return (
        isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= _MAX_BITS
    )


def is_finite_number(value: Any) -> bool:
    """Return whether a value is a number that a float can represent, and not a Boolean."""
    try:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and math.isfinite(value)
    except OverflowError:
        return False


def is_count(value: Any) -> bool:
    """Return whether a value is an integer from 0 to 2^53."""
    return is_integer(value) and 0 <= value <= MAX_COUNT


def is_encoded_number(value: Any) -> bool:
    """Return whether a value encodes a number, NaN and infinity included."""
    return is_finite_number(value) or (
        isinstance(value, dict)
        and len(value) == 1
        and isinstance(value.get("float"), str)
        and value["float"] in _NOT_FINITE
    )


def is_value(value: Any) -> bool:
    """Return whether a value is a possible result of `value_to_json`."""
    try:
        _check_value(value)
    except SchemaError:
        return False
    return True


def _check_json(value: Any, depth: int = _MAX_DEPTH) -> None:
    """Raise SchemaError unless a value has JSON types, finite numbers and bounded nesting."""
    if value is None or isinstance(value, str | bool):
        return
    if isinstance(value, list | tuple | dict):
        if depth == 0:
            raise SchemaError("is nested too deeply")
        items = value
        if isinstance(value, dict):
            if not all(isinstance(name, str) for name in value):
                raise SchemaError("has names that are not text")
            items = value.values()  # type: ignore[assignment]
        for item in items:
            _check_json(item, depth - 1)
    elif not (is_integer(value) or (isinstance(value, float) and math.isfinite(value))):
        raise SchemaError(f"is {brief(value)}, expected JSON with finite numbers")


def _check_value(value: Any) -> None:
    """Raise SchemaError unless a value is a possible result of `value_to_json`."""
    _check_json(value)
    _check_encoded(value)


def _check_encoded(value: Any) -> None:
    if isinstance(value, list):
        for item in value:
            _check_encoded(item)
    if not isinstance(value, dict):
        return
    kind, content = next(iter(value.items()), ("", None))
    if kind == "opaque" and value.keys() == {"opaque", "hash"} and isinstance(value["hash"], str):
        value = {kind: content}
    is_encoded = len(value) == 1 and (
        (kind == "float" and content in _NOT_FINITE)
        or (kind == "opaque" and isinstance(content, str))
        or (kind == "tuple" and isinstance(content, list))
        or (kind == "dict" and isinstance(content, dict))
    )
    if not is_encoded:
        raise SchemaError(f"is {brief(value)}, expected an encoded value")
    if isinstance(content, list | dict):
        for item in content.values() if isinstance(content, dict) else content:
            _check_encoded(item)


JSON: Rule = _check_json
VALUE: Rule = _check_value
TEXT = scalar("a text", lambda value: isinstance(value, str))
FLAG = scalar("true or false", lambda value: isinstance(value, bool))
COUNT = scalar("a non-negative integer", is_count)
NUMBER = scalar("a number", is_encoded_number)
FINITE = scalar("a finite number", is_finite_number)
