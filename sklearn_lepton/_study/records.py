"""Records: the rules for the lines of a journal and for the study in its first line."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import scipy.stats

from sklearn_lepton._study.schema import (
    COUNT,
    FINITE,
    FLAG,
    JSON,
    NUMBER,
    TEXT,
    VALUE,
    Rule,
    SchemaError,
    array_of,
    brief,
    fields,
    is_count,
    is_encoded_number,
    is_finite_number,
    is_integer,
    mapping_of,
    nullable,
    scalar,
)
from sklearn_lepton.exceptions import JournalMismatchError
from sklearn_lepton.space._space import Space

_MAX_SECONDS = 1e11  # 3000 years; sums, differences and dates of such times are finite
_MAX_THETA = 100.0  # of the logarithm of a kernel's hyperparameter
_MAX_WORKER = 2**31
_MAX_TABLES = 64  # discrete distributions of a space
_FAMILIES: Any = (scipy.stats.rv_continuous, scipy.stats.rv_discrete)
_MAX_SHAPE = 10**6  # a shape parameter of a distribution
# scipy needs minutes or gigabytes for some of their quantiles, even with small parameters.
_COSTLY = frozenset(
    {"betabinom", "betanbinom", "dpareto_lognorm", "levy_stable", "studentized_range"}
)
_MAX_CELLS = 10**7  # branches times dimensions
_WRITER = re.compile(r"[0-9a-f]{8}")
STATUSES = ("complete", "failed", "pruned")


def _is_short_time(value: Any) -> bool:
    return is_finite_number(value) and abs(value) <= _MAX_SECONDS


def _is_scores(value: Any) -> bool:
    """Return whether a value encodes a score, or a score for each of several metrics."""
    metrics = value.get("dict") if isinstance(value, Mapping) and len(value) == 1 else None
    if not isinstance(metrics, Mapping):
        return is_encoded_number(value)
    return all(
        isinstance(name, str) and is_encoded_number(score) for name, score in metrics.items()
    )


TIME = scalar("a number of seconds", _is_short_time)
SCORES = scalar("a score or an object of scores", _is_scores)
UNIT = scalar("a number from 0 to 1", lambda value: is_finite_number(value) and 0 <= value <= 1)
SHARE = scalar(
    "a number above 0 and at most 1", lambda value: is_finite_number(value) and 0 < value <= 1
)
POSITIVE_COUNT = scalar("a positive integer", lambda value: is_count(value) and value > 0)
WORKER = scalar(
    "the number of a worker", lambda value: is_integer(value) and -1 <= value < _MAX_WORKER
)
LAST_NUMBER = scalar(
    "the number of a trial, or -1", lambda value: is_integer(value) and value >= -1
)
SEED = scalar("a non-negative integer", lambda value: is_integer(value) and value >= 0)
# The rule is strict because the id becomes a part of a path.
WRITER = scalar(
    "a writer id of eight hexadecimal digits",
    lambda value: isinstance(value, str) and _WRITER.fullmatch(value) is not None,
)
STATUS = scalar("a status of a finished trial", lambda value: value in STATUSES)
THETA = scalar(
    "a log hyperparameter", lambda value: is_finite_number(value) and abs(value) <= _MAX_THETA
)
RATE = scalar(
    "a rate or scale", lambda value: is_finite_number(value) and abs(value) <= _MAX_SECONDS
)

RATIO = scalar(
    "a ratio of test and training samples",
    lambda value: is_finite_number(value) and 0 <= value <= _MAX_SECONDS,
)

# The keys that optimizers read of their own proposals; other keys can have any JSON value.
_META = fields(
    {},
    {
        "theta": array_of(THETA),
        "n_fitted": COUNT,
        "particle": COUNT,
        "reseeded": FLAG,
        "operator": TEXT,
        "parents": array_of(COUNT),
        "rates": array_of(RATE),
        "optimizer": TEXT,
        "screening": FLAG,
        "because": TEXT,
        "promoted": COUNT,
        "untuned": TEXT,
    },
)


def _check_meta(value: Any) -> None:
    mapping_of(JSON)(value)
    _META(value)


_ASKED = fields(
    {"number": COUNT, "params": mapping_of(VALUE), "point": array_of(UNIT), "meta": _check_meta},
    {"resource": nullable(SHARE), "known": LAST_NUMBER},
)
_ROW = fields(
    {
        "test_scores": SCORES,
        "fit_time": TIME,
        "score_time": TIME,
        "start_time": TIME,
        "worker": WORKER,
        "fit_error": nullable(TEXT),
    },
    {"train_scores": SCORES, "saved_time": TIME, "n_rounds": POSITIVE_COUNT},
)
_KINDS: Mapping[str, Rule] = {
    "asked": fields({"asked": array_of(_ASKED), "by": WRITER}),
    "taken": fields({"taken": array_of(COUNT), "by": WRITER}),
    "final": fields({"final": COUNT, "splits": TEXT, "split": COUNT, "row": _ROW}),
    "split": fields({"trial": COUNT, "split": COUNT, "row": _ROW}),
    "told": fields(
        {
            "told": COUNT,
            "status": STATUS,
            "score": nullable(NUMBER),
            "split_scores": array_of(NUMBER),
            "seconds": TIME,
        },
        {
            "splits": array_of(COUNT),
            "estimate": nullable(array_of(FINITE, min_length=2, max_length=2)),
        },
    ),
}
_HEADER = fields(
    {
        "seed": SEED,
        "study": fields(
            {
                "splits": fields({"n": POSITIVE_COUNT}),
                "metric": nullable(TEXT),
                "scoring": JSON,
                "return_train_score": FLAG,
            }
        ),
    },
    {"ratio": RATIO, "n_disjoint": COUNT},  # not in older journals
)

_DISTRIBUTION = fields({"distribution": TEXT, "args": array_of(NUMBER), "kwds": mapping_of(NUMBER)})
_DIMENSIONS: Mapping[str, Rule] = {
    "real": fields({"real": array_of(FINITE, min_length=2, max_length=2), "log": FLAG}),
    "integer": fields({"integer": array_of(FINITE, min_length=2, max_length=2), "log": FLAG}),
    "categorical": fields(
        {"categorical": array_of(VALUE, min_length=1), "ordered": FLAG},
        {"weights": array_of(FINITE)},  # only where they differ
    ),
    "opaque": fields({"opaque": TEXT}),
    "distribution": _DISTRIBUTION,
}


def _check_dimension(value: Any) -> None:
    kinds = [kind for kind in _DIMENSIONS if isinstance(value, Mapping) and kind in value]
    if not kinds:
        raise SchemaError(f"is {brief(value)}, expected a dimension")
    _DIMENSIONS[kinds[0]](value)


def _check_data(value: Any) -> None:
    JSON(value)
    if isinstance(value, Mapping) and value.get("shape") is not None:
        fields({"type": TEXT})(value)
        shape = value["shape"]
        array_of(COUNT)(shape if isinstance(shape, list) else [shape])


_SPACE = fields(
    {"branches": array_of(mapping_of(_check_dimension), min_length=1)},
    {"weights": array_of(FINITE), "constraint": VALUE},  # only where there are any
)
_STUDY = fields(
    {},
    {
        "estimator": fields({"class": TEXT, "params": mapping_of(JSON)}),
        "function": VALUE,
        "minimize": FLAG,
        "data": mapping_of(_check_data),
        "resource": JSON,
        "previous_studies": array_of(JSON),
        "prior": array_of(JSON),  # the name in version 1
    },
)


def kind_of(record: Mapping[str, Any]) -> str:
    """Return the kind of a record after the first.

    Parameters
    ----------
    record : dict

    Returns
    -------
    kind : {"asked", "taken", "final", "split", "told"}

    Raises
    ------
    SchemaError
        If the kind is unknown.
    """
    for kind in _KINDS:
        if kind in record:
            return kind
    raise SchemaError("is of no known kind")


def check_record(record: Mapping[str, Any]) -> None:
    """Raise SchemaError if a record after the first does not follow its rule."""
    _KINDS[kind_of(record)](record)


def check_header(record: Mapping[str, Any]) -> None:
    """Raise SchemaError if the first record does not follow its rule."""
    _HEADER(record)


def _check_size(space: Mapping[str, Any]) -> None:
    """Raise SchemaError if a valid space would need too much memory or time.

    A few bytes of a file can describe a table of 65,536 values, many branches, or a distribution
    for which scipy allocates an array as long as its parameter.
    """
    dimensions = [entry for branch in space["branches"] for entry in branch.values()]
    if len(space["branches"]) * len(dimensions) > _MAX_CELLS:
        raise SchemaError("has too many branches")
    n_tables = 0
    for entry in dimensions:
        family = getattr(scipy.stats, str(entry.get("distribution")), None)
        if not isinstance(family, _FAMILIES):
            continue
        n_tables += isinstance(family, scipy.stats.rv_discrete)
        shapes = entry["args"][: family.numargs]
        shapes += [x for name, x in entry["kwds"].items() if name not in {"loc", "scale"}]
        is_large = any(is_finite_number(x) and abs(x) > _MAX_SHAPE for x in shapes)
        if is_large or entry["distribution"] in _COSTLY:
            raise SchemaError(f"has an expensive distribution, {entry['distribution']}")
    if n_tables > _MAX_TABLES:
        raise SchemaError("has too many discrete distributions")


def invalid(path: Path, record: Mapping[str, Any], reason: object) -> JournalMismatchError:
    """Return the error for an invalid record."""
    return JournalMismatchError(
        f"The journal {str(path)!r} has an invalid record, {brief(record)}: {reason}. The file was "
        "not changed; give another path as journal."
    )


def read_study(path: Path, record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the checked description of the study in the first record of a journal.

    Raises
    ------
    JournalMismatchError
        If the description is not valid.
    """
    try:
        check_header(record)
        _STUDY(record["study"])
    except ValueError as error:
        raise invalid(path, record, error) from error
    study: Mapping[str, Any] = record["study"]
    return study


def read_space(path: Path, study: Mapping[str, Any]) -> Space:
    """Return the search space that a journal describes.

    Parameters
    ----------
    path : Path
        Path of the journal.
    study : dict
        Description of the study.

    Returns
    -------
    space : Space

    Raises
    ------
    ValueError
        If the journal has no space, or one with distributions from outside of scipy.
    JournalMismatchError
        If the space is invalid or too large.
    """
    if "space" not in study:
        raise ValueError(f"The journal {str(path)!r} has no space: give the space.")
    space = study["space"]
    try:
        _SPACE(space)
    except ValueError as error:
        raise invalid(path, space, f"as a space, {error}") from error
    if any("opaque" in entry for branch in space["branches"] for entry in branch.values()):
        raise ValueError(
            f"The space of the journal {str(path)!r} has a distribution that is not one of "
            "scipy.stats: give the space."
        )
    try:
        _check_size(space)
    except ValueError as error:
        raise JournalMismatchError(
            f"The space of the journal {str(path)!r} is too large to be read from the file: "
            f"{error}. Give the space."
        ) from error
    try:
        return Space.from_json(space)
    # scipy's errors for invalid parameters depend on the distribution.
    except (
        ValueError,
        TypeError,
        ArithmeticError,
        LookupError,
        AttributeError,
        RuntimeError,
    ) as error:
        raise invalid(path, space, f"as a space, {error}") from error
