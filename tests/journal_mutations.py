"""Altered journals: real records with a part changed, with correct checksums."""

import copy
import json
import zlib
from pathlib import Path

NEST = 400


def nested(depth):
    value = 0
    for _ in range(depth):
        value = [value]
    return value


# Texts between @s replace values that JSON cannot represent.
VALUES = [
    None,
    True,
    False,
    -1,
    0,
    1,
    7,
    2**31,
    2**53,
    10**12,
    10**30,
    10**400,
    0.5,
    1e30,
    1e308,
    -1e308,
    "",
    "x",
    "../../x",
    "\ud800",
    "x" * 1000,
    [],
    [0],
    ["x"],
    [1e308] * 3,
    {},
    {"": 0},
    {"a": 1, "b": 2},
    {"float": "nan"},
    {"float": "inf"},
    {"float": "1_0"},
    {"float": 3},
    {"opaque": 3},
    {"opaque": "x"},
    {"tuple": 5},
    {"dict": 5},
    {"dict": {}},
    {"dict": {"score": 1.0}},
    {"n": 10**12},
    nested(90),
    nested(NEST),
    "@NaN@",
    "@Infinity@",
    "@1e999@",
    "@" + "9" * 5000 + "@",
    "@" + "[" * 100_000 + "]" * 100_000 + "@",
]


def places(value, path=()):
    """Return the path of each part of a JSON value."""
    yield path
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    else:
        return
    for key, item in items:
        yield from places(item, (*path, key))


def changed(value, path, change):
    """Return a value with one part changed in place by `change(container, key)`."""
    value = copy.deepcopy(value)
    container = value
    for key in path[:-1]:
        container = container[key]
    change(container, path[-1])
    return value


def put(new):
    def change(container, key):
        container[key] = copy.deepcopy(new)

    return change


def remove(container, key):
    del container[key]


def repeat(container, key):
    if isinstance(container, list):
        container.insert(key, copy.deepcopy(container[key]))
    else:
        container[f"{key}_"] = container[key]


def prolong(container, key):
    if isinstance(container[key], list):
        container[key] = container[key] * 50 or [0] * 50
    elif isinstance(container[key], dict):
        container[key] = {**container[key], **{f"more{k}": k for k in range(50)}}
    elif isinstance(container[key], str):
        container[key] += "0"
    elif isinstance(container[key], (int, float)):
        container[key] = -container[key]


CHANGES = [*map(put, VALUES), remove, repeat, prolong]


def mutate(records, rng):
    """Return records with one changed part, and its description."""
    records = list(records)
    n_changes = 1 if rng.random() < 0.8 else 2
    what = []
    for _ in range(n_changes):
        line = 0 if rng.random() < 0.3 else int(rng.integers(len(records)))
        if rng.random() < 0.1:
            act = rng.choice(["gone", "twice", "moved"])
            record = records.pop(line)
            if act == "twice":
                records[line:line] = [record, record]
            elif act == "moved":
                records.insert(int(rng.integers(len(records) + 1)), record)
            what.append((line, act))
            if not records:
                records = [{}]
            continue
        found = [path for path in places(records[line]) if path]
        if not found:
            continue
        path = found[int(rng.integers(len(found)))]
        change = int(rng.integers(len(CHANGES)))
        records[line] = changed(records[line], path, CHANGES[change])
        value = VALUES[change] if change < len(VALUES) else CHANGES[change].__name__
        what.append((line, path, str(value)[:60]))
    return records, what


def write_text(path, records):
    """Write records with correct checksums, including values that JSON cannot represent."""
    total, lines = 0, []
    for record in records:
        body = json.dumps(record).replace('"@', "").replace('@"', "").encode()
        total = zlib.crc32(body, total)
        lines.append(body[:-1] + f', "check": "{total:08x}"}}\n'.encode())
    Path(path).write_bytes(b"".join(lines))
