"""What a broken law raises, and the comparisons the laws share."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np


class LawBroken(AssertionError):
    """A plugin or target does not keep a law of its room; the message says how."""


def require(holds: object, message: str) -> None:
    """Raise `LawBroken` with this message unless it holds.

    >>> require(True, "never said")
    """
    if not holds:
        raise LawBroken(message)


@contextmanager
def only_reads(what: str) -> Iterator[None]:
    """Turn NumPy's refusal to write into a read-only array into a broken law."""
    try:
        yield
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise LawBroken(f"{what} writes to its inputs: {error}") from error


def sealed(values: Any) -> np.ndarray[Any, Any]:
    """A read-only copy.

    >>> sealed([1, 2]).flags.writeable
    False
    """
    copy = np.array(values)
    copy.flags.writeable = False
    return copy


def same(a: Any, b: Any) -> bool:
    """Whether two payloads are equal: arrays by value (NaN equals NaN), containers and dataclasses part by part.

    >>> same((1, np.array([np.nan])), (1, np.array([np.nan])))
    True
    """
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return _same_arrays(np.asarray(a), np.asarray(b))
    if type(a) is not type(b):
        return False
    if is_dataclass(a):
        return all(same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    if isinstance(a, Mapping):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, Sequence) and not isinstance(a, str | bytes):
        return len(a) == len(b) and all(same(left, right) for left, right in zip(a, b, strict=True))
    # What has no equality of its own (a fitted model) is compared by its content.
    return bool(a == b) or pickle.dumps(a) == pickle.dumps(b)


def _same_arrays(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> bool:
    return a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind == "f" and b.dtype.kind == "f")
