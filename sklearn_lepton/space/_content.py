"""Content hashes, which are equal for objects with equal content in all processes.

Neither text nor pickled bytes identify content. numpy, pandas and scikit-learn abridge the text of
large objects, and the order of a set differs between processes. Pickled bytes depend on shared
references, on the order of sets and on the memory layout of arrays. The hash here is that of a
tree: the hash of an object combines the hashes of its parts.
"""

import copyreg
import functools
import hashlib
import types
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
import scipy.stats

from sklearn_lepton.space._frozen import FrozenDict, FrozenList, FrozenSet

# Types whose ``repr`` is complete, and fast for a list of them.
_SCALARS = {bool, int, float, complex, str, bytes, type(None), type(Ellipsis)}
_NAMED = (type, types.FunctionType, types.BuiltinFunctionType, types.MethodDescriptorType)
FAMILIES = (scipy.stats.rv_continuous, scipy.stats.rv_discrete)
_FROZEN: dict[type, type] = {FrozenDict: dict, FrozenList: list, FrozenSet: set}
# Modules whose methods `__sklearn_clone__` keep only the parameters.
_CLONE_PARAMETERS = {"sklearn.base", "sklearn_lepton._search.sklearn_search"}
_CHUNK = 1 << 24  # bytes of an array in one copy


class Content(NamedTuple):
    """Hash of an object's content.

    Attributes
    ----------
    hash : str
        32 hexadecimal digits.
    is_certain : bool
        Whether equal hashes imply equal content. False if only the type of the object or of one
        of its parts is known, such as a lock.
    """

    hash: str
    is_certain: bool


def content_of(value: Any) -> Content:
    """Return the content hash of an object.

    numpy scalars equal the Python numbers of the same value. The order of dicts and sets is
    ignored. The content of an object is

    * for arrays and tables, their types and values;
    * for estimators, class and parameters;
    * for functions and classes, the qualified name;
    * for lambdas and nested functions, also code, defaults and closure;
    * for other objects, the parts that pickle stores.
    """
    hasher = _Hasher()
    try:
        digest = hasher.digest(value)
    except RecursionError:
        return Content(_join(b"deep", _type_name(value)).hex(), is_certain=False)
    return Content(digest.hex(), hasher.is_certain)


def content_hash(value: Any) -> str:
    """Return the content hash of an object as text; see `content_of`."""
    return content_of(value).hash


def have_same_content(left: Any, right: Any) -> bool:
    """Return whether two objects have equal content, with certainty."""
    if unfrozen_type(left) is not unfrozen_type(right):
        return False
    content = content_of(left)
    return content.is_certain and content == content_of(right)


def qualified_name(value: Any) -> str | None:
    """Return the qualified name of a function or class; None for other objects.

    Lambdas and nested functions have no qualified name, because it would not be unique.
    """
    owner = getattr(value, "__self__", None)
    is_bound = owner is not None and not isinstance(owner, types.ModuleType)
    if not isinstance(value, _NAMED) or (is_bound and not isinstance(value, type)):
        return None
    # ``functools.wraps`` copies the name of the wrapped function, but not its code.
    is_local = isinstance(value, types.FunctionType) and "<" in value.__code__.co_qualname
    return None if is_local else full_name(value)


def full_name(value: Any) -> str:
    """Return module and qualified name of a function or class."""
    return f"{getattr(value, '__module__', None) or 'builtins'}.{value.__qualname__}"


def python_scalar(value: Any) -> Any:
    """Return a numpy scalar as the Python number, bool or string; other values unchanged."""
    is_number = isinstance(value, np.bool_ | np.number | np.str_)
    # A duration in nanoseconds would become an integer.
    return value.item() if is_number and not isinstance(value, np.timedelta64) else value


def unfrozen_type(value: Any) -> type:
    """Return the type of an object; for a frozen container the plain type."""
    return _FROZEN.get(type(value), type(value))


def _type_name(value: Any) -> bytes:
    """Return the qualified name of an object's type."""
    return full_name(type(value)).encode()


def _join(tag: bytes, *parts: bytes) -> bytes:
    """Return the hash of a tag and parts; each part's length is included."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (tag, *parts):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()


class _Hasher:
    """Traversal of an object and its parts.

    Attributes
    ----------
    is_certain : bool
        Whether the content of all parts so far is known.
    """

    def __init__(self) -> None:
        self.is_certain = True
        self._depths: dict[int, int] = {}  # of the objects on the current path, by id
        # Known hashes by id. The objects are referenced, so that no id is used again.
        self._known: dict[tuple[int, bool], tuple[Any, bytes]] = {}
        self._min_cycle_depth = 0  # smallest depth that a part refers back to
        self._is_cloned = True  # whether estimators here lose their fitted attributes in a clone

    def digest(self, value: Any) -> bytes:
        """Return the hash of an object."""
        value = python_scalar(value)
        if type(value) in _SCALARS:
            return _join(b"scalar", *self._scalars([value]))
        key, depth = id(value), len(self._depths)
        if (key, self._is_cloned) in self._known:
            return self._known[key, self._is_cloned][1]
        if key in self._depths:  # a cycle: the object contains itself
            self._min_cycle_depth = min(self._min_cycle_depth, self._depths[key])
            return _join(b"above", str(depth - self._depths[key]).encode())
        outer_depth, self._min_cycle_depth = self._min_cycle_depth, depth
        self._depths[key] = depth
        try:
            digest = self._of_parts(value)
        finally:
            del self._depths[key]
        # The hash of an object in a cycle depends on the path to it.
        if self._min_cycle_depth >= depth:
            self._known[key, self._is_cloned] = value, digest
        self._min_cycle_depth = min(self._min_cycle_depth, outer_depth)
        return digest

    def _scalars(self, values: list[Any]) -> tuple[bytes, bytes]:
        """Return tag and text of scalars of Python."""
        try:
            return b"text", repr(values).encode()
        except ValueError:  # an integer with more digits than ``repr`` allows
            return b"parts", b"".join(
                _join(b"int", hex(v).encode()) if type(v) is int else _join(b"", repr(v).encode())
                for v in values
            )

    def _items(self, values: Iterable[Any]) -> tuple[bytes, ...]:
        """Return the hashes of the items of a sequence, after a tag."""
        items = list(values)
        kinds = set(map(type, items))
        if any(issubclass(kind, np.generic) for kind in kinds):
            items = list(map(python_scalar, items))
            kinds = set(map(type, items))
        if kinds <= _SCALARS:
            return self._scalars(items)
        return (b"items", *map(self.digest, items))

    def _pairs(self, pairs: Iterable[tuple[Any, Any]]) -> list[bytes]:
        """Return the sorted hashes of keys and values."""
        return sorted(self.digest(key) + self.digest(value) for key, value in pairs)

    def _of_parts(self, value: Any) -> bytes:
        """Return the hash of a container, an estimator or a named object."""
        kind = unfrozen_type(value)
        name = qualified_name(value)
        if name is not None:
            # The name of a class that is defined in a function is not unique.
            self.is_certain &= not (isinstance(value, type) and "<" in name)
            return _join(b"name", name.encode())
        if kind in {list, tuple}:
            return _join(kind.__name__.encode(), *self._items(value))
        if isinstance(value, set | frozenset):
            is_quick = set(map(type, value)) <= _SCALARS
            items = sorted(value, key=lambda v: self._scalars([v])) if is_quick else ()
            parts = self._items(items) if is_quick else tuple(sorted(map(self.digest, value)))
            state = self.digest(getattr(value, "__dict__", None))
            return _join(b"set", full_name(kind).encode(), state, *parts)
        if hasattr(value, "get_params") and self._is_cloned and not is_cloned_whole(value):
            params = value.get_params(deep=False)
            return _join(b"estimator", _type_name(value), *self._pairs(params.items()))
        return self._of_data(value)

    def _of_data(self, value: Any) -> bytes:
        """Return the hash of an array, a table, a distribution or another object."""
        if isinstance(value, np.ndarray):
            return self._of_array(value)
        if scipy.sparse.issparse(value):
            return self._of_sparse(value)
        libraries = {base.__module__.partition(".")[0] for base in type(value).__mro__}
        if "pandas" in libraries and hasattr(value, "dtype") and hasattr(value, "to_numpy"):
            return self._of_pandas(value)
        if "pandas" in libraries and hasattr(value, "iloc"):
            columns = [value.iloc[:, k] for k in range(value.shape[1])]
            digests = [self._of_pandas(column, with_index=False) for column in columns]
            return _join(b"frame", self.digest(value.columns), self.digest(value.index), *digests)
        if "polars" in libraries and hasattr(value, "get_columns"):
            return _join(b"polars", *map(self._of_polars, value.get_columns()))
        if "polars" in libraries and hasattr(value, "drop_nulls") and hasattr(value, "dtype"):
            return self._of_polars(value)
        family, *arguments = distribution_parts(value)
        if isinstance(family, FAMILIES):  # without its random number generator
            parts = (own_state(family), *arguments)
            return _join(b"distribution", _type_name(family), *map(self.digest, parts))
        is_cloned, self._is_cloned = self._is_cloned, False
        try:
            return self._of_object(value)
        finally:
            self._is_cloned = is_cloned

    def _of_object(self, value: Any) -> bytes:
        """Return the hash of an object that a clone keeps, with the fitted estimators in it."""
        kind = unfrozen_type(value)
        if kind in {dict, types.MappingProxyType}:
            return _join(b"dict", *self._pairs(value.items()))
        if kind is OrderedDict:
            return _join(b"ordered", *self._items(value.items()))
        if kind is types.FunctionType:
            return self._of_function(value)
        if kind is types.MethodType:
            return _join(b"method", self.digest(value.__func__), self.digest(value.__self__))
        if kind is types.CodeType:
            return self._of_code(value)
        if kind is types.ModuleType:
            return _join(b"module", value.__name__.encode())
        return self._of_reduced(value)

    def _of_reduced(self, value: Any) -> bytes:
        """Return the hash of the parts that pickle stores."""
        try:
            reduce = copyreg.dispatch_table.get(type(value))
            reduced = value.__reduce_ex__(4) if reduce is None else reduce(value)
            if isinstance(reduced, str):
                self.is_certain &= "<" not in reduced
                module = str(getattr(value, "__module__", None))
                return _join(b"global", _type_name(value), module.encode(), reduced.encode())
            make, args, *rest = reduced
            state, items, pairs = [*rest, None, None, None][:3]
            return _join(
                b"reduced",
                _type_name(value),
                self.digest(make),
                self.digest(args),
                self.digest(state),
                *self._items(items or ()),
                b"pairs",
                *self._pairs(pairs or ()),
            )
        except RecursionError:
            raise
        except Exception:  # noqa: BLE001 - a user's class may do anything there
            self.is_certain = False
            return _join(b"type", _type_name(value))

    def _of_function(self, value: types.FunctionType) -> bytes:
        """Return the hash of a function without a qualified name."""
        cells = []
        for cell in value.__closure__ or ():
            try:
                cells.append(cell.cell_contents)
            except ValueError:  # the variable has no value yet
                cells.append(...)
        parts = (value.__code__, value.__defaults__, value.__kwdefaults__, cells)
        return _join(b"function", full_name(value).encode(), *map(self.digest, parts))

    def _of_code(self, value: types.CodeType) -> bytes:
        """Return the hash of compiled code, without file and line numbers."""
        names = (value.co_names, value.co_varnames, value.co_freevars, value.co_cellvars)
        counts = (value.co_argcount, value.co_posonlyargcount, value.co_kwonlyargcount)
        flags = (*counts, value.co_flags)
        return _join(b"code", value.co_code, *map(self.digest, (value.co_consts, names, flags)))

    def _of_array(self, value: Any) -> bytes:
        """Return the hash of an array of numpy, of any subclass and data type."""
        kind = type(value)
        array = np.asarray(value)
        own = b"" if kind in {np.ndarray, np.memmap} else _type_name(value)
        parts = [own, str(array.shape).encode()]
        if isinstance(value, np.ma.MaskedArray):
            array = np.asarray(value.filled())
            parts.append(self._of_array(np.ma.getmaskarray(value)))
        elif own and getattr(value, "__dict__", None):
            parts.append(self.digest(vars(value)))
        if array.dtype.names:  # padding between the fields has arbitrary bytes
            fields = [self._of_array(array[name]) for name in array.dtype.names]
            return _join(b"fields", *parts, *map(str.encode, array.dtype.names), *fields)
        if array.dtype.hasobject or array.dtype.kind == "T":
            items = self._items(array.ravel().tolist())
            return _join(b"objects", *parts, array.dtype.str.encode(), *items)
        return _join(b"array", *parts, array.dtype.str.encode(), _bytes_hash(array))

    def _of_sparse(self, value: Any) -> bytes:
        """Return the hash of a sparse matrix or array of any format."""
        parts = [_type_name(value).rpartition(b".")[2], str(value.shape).encode()]
        try:
            rows = value.tocsr()
        except (ValueError, TypeError):  # more than two dimensions
            rows = value.tocoo(copy=True)
            rows.sum_duplicates()
            indices = np.asarray(rows.coords, dtype=np.int64)
            return _join(b"sparse", *parts, *map(self._of_array, (rows.data, indices)))
        # On a new object: the user's matrix would cache ``has_canonical_format``.
        rows = type(rows)((rows.data, rows.indices, rows.indptr), shape=rows.shape)
        if not rows.has_canonical_format:
            rows = rows.copy()
            rows.sum_duplicates()
        arrays = (rows.data, rows.indices.astype(np.int64), rows.indptr.astype(np.int64))
        return _join(b"sparse", *parts, *map(self._of_array, arrays))

    def _of_pandas(self, column: Any, *, with_index: bool = True) -> bytes:
        """Return the hash of a column, an index or an array of pandas."""
        is_index = hasattr(column, "names")  # true for a range index as well
        kind = "Index" if is_index else type(column).__name__
        names = column.names if is_index else [getattr(column, "name", None)]
        parts = [kind.encode(), str(column.dtype).encode(), self.digest(list(names))]
        if with_index and hasattr(column, "index"):
            parts.append(self.digest(column.index))
        parts += map(self.digest, _pandas_values(column))
        return _join(b"pandas", *parts)

    def _of_polars(self, column: Any) -> bytes:
        """Return the hash of a column of polars."""
        # Without missing values, integers do not become floats.
        parts = (column.name, str(column.dtype), column.is_null().to_numpy())
        return _join(b"column", *map(self.digest, (*parts, column.drop_nulls().to_numpy())))


def _pandas_values(column: Any) -> tuple[Any, ...]:
    """Return the values of a column as arrays and lists."""
    if hasattr(column.dtype, "categories") and hasattr(column.dtype, "ordered"):
        held = getattr(column, "cat", column)
        return list(column.dtype.categories), column.dtype.ordered, np.asarray(held.codes)
    if isinstance(column.dtype, np.dtype):
        return (np.asarray(column),)
    times = getattr(getattr(column, "array", column), "asi8", None)
    if times is not None:  # dates with a time zone, or periods
        return (np.asarray(times),)
    is_missing = np.asarray(column.isna())
    values = np.asarray(column[~is_missing], dtype=object)
    return is_missing, values


def _bytes_hash(array: Any) -> bytes:
    """Return the hash of the values of an array, for any memory layout."""
    digest = hashlib.blake2b(digest_size=16)
    if array.ndim == 0 or array.nbytes <= _CHUNK:
        digest.update(array.tobytes())
        return digest.digest()
    step = max(1, _CHUNK * len(array) // array.nbytes)
    for start in range(0, len(array), step):
        digest.update(array[start : start + step].tobytes())
    return digest.digest()


def distribution_parts(dist: Any) -> tuple[Any, tuple[Any, ...], Mapping[str, Any]]:
    """Return family and arguments of a frozen distribution of scipy."""
    family = getattr(dist, "dist", None)
    if isinstance(family, FAMILIES):
        return family, tuple(dist.args), dict(dist.kwds)
    return dist, (), {}


def own_state(family: Any) -> Mapping[str, Any]:
    """Return the attributes of a scipy distribution family that not all families have."""
    held = vars(family)
    return {key: held[key] for key in sorted(held.keys() - _common_state())}


@functools.cache
def _common_state() -> frozenset[str]:
    """Return the names of the attributes of all families, except the support's bounds."""
    common = vars(scipy.stats.rv_continuous()).keys() | vars(scipy.stats.rv_discrete()).keys()
    return frozenset(common - {"a", "b"})


def is_cloned_whole(estimator: Any) -> bool:
    """Return whether a clone keeps more than the parameters, as with ``FrozenEstimator``."""
    clone = getattr(type(estimator), "__sklearn_clone__", None)
    return clone is not None and clone.__module__ not in _CLONE_PARAMETERS
