"""A SHA-256 of what an object contains, the same in every process and after every pickle round trip."""

from __future__ import annotations

import copyreg
import hashlib
import types
from typing import Any

import numpy as np

_PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis))


def of_bytes(*parts: bytes) -> str:
    """SHA-256 of the parts, each with its length, as hexadecimal digits."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def of_object(value: Any) -> str:
    """SHA-256 of the content: parameters, arrays and nested objects, whichever of them are shared or copied.

    A pickle's bytes will not do: they depend on which equal strings happen to be one object, and on set order.

    >>> of_object({"a": [1, 2]}) == of_object({"a": [1, 2]}), of_object([1]) == of_object([1.0])
    (True, False)
    """
    return _Walk().digest(value).hex()


class _Walk:
    """One traversal; finished objects are remembered by identity (and kept alive, so that identities stay unique)."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, bytes]] = {}
        self._open: dict[int, int] = {}

    def digest(self, value: Any) -> bytes:
        if isinstance(value, _PLAIN) and type(value) in _PLAIN:
            return _hash(type(value).__name__, repr(value).encode() if type(value) is not bytes else value)
        if id(value) in self._known:
            return self._known[id(value)][1]
        if id(value) in self._open:  # a cycle: say how far up it points
            return _hash("cycle", str(len(self._open) - self._open[id(value)]).encode())
        self._open[id(value)] = len(self._open)
        try:
            found = self._content(value)
        finally:
            del self._open[id(value)]
        self._known[id(value)] = (value, found)
        return found

    def _content(self, value: Any) -> bytes:
        if isinstance(value, (np.ndarray, np.generic)):
            return self._array(np.asarray(value))
        if isinstance(value, dict) and type(value) is dict:
            pairs = sorted(self.digest(key) + self.digest(item) for key, item in value.items())
            return _hash("dict", *pairs)
        if type(value) in (list, tuple):
            return _hash(type(value).__name__, *(self.digest(item) for item in value))
        if type(value) in (set, frozenset):
            return _hash("set", *sorted(self.digest(item) for item in value))
        if isinstance(value, types.FunctionType):
            return _hash("function", _name(value), value.__code__.co_code, repr(value.__code__.co_names).encode())
        if isinstance(value, (type, types.BuiltinFunctionType, types.ModuleType, np.ufunc)):
            return _hash("name", _name(value))
        if type(value).__module__.startswith("numpy.random"):
            # What training has left of its random numbers answers nothing, and no file brings it back as it was.
            return _hash("name", _name(type(value)))
        return self._reduced(value)

    def _array(self, value: np.ndarray[Any, Any]) -> bytes:
        head = f"{value.shape}{value.dtype.descr if value.dtype.names else value.dtype.str}".encode()
        if value.dtype.names:  # field by field: the padding between fields holds whatever was in memory
            return _hash("array", head, *(self._array(value[name]) for name in value.dtype.names))
        if value.dtype.hasobject:
            return _hash("array", head, *(self.digest(item) for item in value.ravel().tolist()))
        return _hash("array", head, np.ascontiguousarray(value).tobytes())

    def _reduced(self, value: Any) -> bytes:
        known = copyreg.dispatch_table.get(type(value))  # how a pattern of `re` is taken apart, say
        reduced = known(value) if known else value.__reduce_ex__(4)
        if isinstance(reduced, str):
            return _hash("name", type(value).__module__.encode(), reduced.encode())
        build, arguments, *rest = reduced
        state, items, pairs = (*rest, None, None, None)[:3]
        return _hash(
            "object",
            _name(build),
            self.digest(tuple(arguments)),
            self.digest(state),
            self.digest(list(items) if items is not None else None),
            self.digest(dict(pairs) if pairs is not None else None),
        )


def _name(value: Any) -> bytes:
    return (
        f"{getattr(value, '__module__', '')}:{getattr(value, '__qualname__', getattr(value, '__name__', ''))}".encode()
    )


def _hash(kind: str, *parts: bytes) -> bytes:
    return bytes.fromhex(of_bytes(kind.encode(), *parts))
