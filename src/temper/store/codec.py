"""Every noun of the core as plain JSON and back, lossless: what is stored comes back equal, or is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any, TypeVar

import numpy as np

from temper.core.errors import StoreError

Noun = TypeVar("Noun")

VERSION = 1


def dump(value: Any) -> Any:
    """Plain dicts, lists, strings, numbers and None for a noun of the core, or a mapping or sequence of them.

    A non-finite number is left out where it is the field's own default (an open range), else refused with the field's
    name; so is every type JSON has no word for, such as sets and arrays. Raises `StoreError`.

    >>> from temper.core.budget import Budget
    >>> dump(Budget(queries=5))["queries"]
    5
    """
    return _plain(value, "")


def load(kind: type[Noun], plain: Any) -> Noun:
    """The noun that `dump` gave `plain` for; unknown fields, wrong types and non-finite numbers are refused.

    Raises `StoreError` naming the field.

    >>> from temper.core.budget import Budget
    >>> load(Budget, {"queries": 5}) == Budget(queries=5)
    True
    """
    import msgspec

    _refuse_infinite(plain, "")
    try:
        value = msgspec.convert(plain, kind)
    except msgspec.ValidationError as error:
        raise StoreError(
            f"a stored {kind.__name__} is wrong: {error}", fix="the document was changed by hand"
        ) from error
    # msgspec drops unknown fields of dataclasses, so what is understood is compared with what came.
    _refuse_unknown(plain, dump(value), kind.__name__)
    return value


def wrap(format_name: str, value: Any) -> dict[str, Any]:
    """`dump(value)` as a document that says what it is: {"format": "temper.run/1", ...}."""
    plain = dump(value)
    if not isinstance(plain, dict) or "format" in plain:
        raise StoreError(f"a {format_name} document must be a mapping without a field called format")
    return {"format": f"{format_name}/{VERSION}", **plain}


def unwrap(format_name: str, kind: type[Noun], document: Mapping[str, Any]) -> Noun:
    """The noun in a document of `wrap`; another format or a newer version is refused with the way out."""
    name, _, version = str(document.get("format", "")).partition("/")
    if name != format_name or not version.isdigit():
        raise StoreError(f"expected a {format_name} document, got {document.get('format')!r}")
    if int(version) > VERSION:
        raise StoreError(
            f"this {format_name} document has version {version}, this Temper reads up to {VERSION}",
            fix="install a newer temper-ml",
        )
    return load(kind, {key: value for key, value in document.items() if key != "format"})


def to_json(plain: Any) -> str:
    """Deterministic text of plain values: sorted keys, ASCII, no NaN."""
    return json.dumps(plain, sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def from_json(text: str) -> Any:
    """The plain values of `to_json`; NaN and Infinity, which are not JSON, are refused."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except ValueError as error:
        raise StoreError(f"a stored document is not JSON: {error}", fix="restore the store from a backup") from error


def _refuse_constant(word: str) -> Any:
    raise StoreError(f"a stored document holds {word}, which is no JSON number")


def _plain(value: Any, at: str) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return _finite(value, at)
    if isinstance(value, date | datetime):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        kept = [f for f in fields(value) if not _open(f, getattr(value, f.name))]
        return {f.name: _plain(getattr(value, f.name), f"{at}.{f.name}") for f in kept}
    if isinstance(value, Mapping):
        return {_key(k, at): _plain(v, f"{at}.{k}") for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v, f"{at}[{i}]") for i, v in enumerate(value)]
    raise StoreError(f"{_place(at)} is a {type(value).__name__}, which JSON cannot hold", fix="store arrays as arrays")


def _open(field: Field[Any], value: Any) -> bool:
    """Whether the value is the field's own default and no JSON number: leaving it out brings it back."""
    infinite = isinstance(value, float) and math.isinf(value)
    return infinite and field.default is not MISSING and bool(field.default == value)


def _key(key: Any, at: str) -> str:
    if not isinstance(key, str):
        raise StoreError(f"{_place(at)} has the key {key!r}; JSON keys are strings")
    return key


def _finite(value: float, at: str) -> float:
    if not math.isfinite(value):
        raise StoreError(f"{_place(at)} is {value}, which is not a finite number", fix="use None and give the reason")
    return value


def _refuse_infinite(plain: Any, at: str) -> None:
    if isinstance(plain, float):
        _finite(plain, at)
    elif isinstance(plain, Mapping):
        for key, value in plain.items():
            _refuse_infinite(value, f"{at}.{key}")
    elif isinstance(plain, list | tuple):
        for i, value in enumerate(plain):
            _refuse_infinite(value, f"{at}[{i}]")


def _refuse_unknown(came: Any, understood: Any, at: str) -> None:
    if isinstance(came, Mapping) and isinstance(understood, Mapping):
        for key in came:
            if key not in understood:
                raise StoreError(f"{_place(at)} has the unknown field {key!r}", fix="install a newer temper-ml")
            _refuse_unknown(came[key], understood[key], f"{at}.{key}")
    elif isinstance(came, list | tuple) and isinstance(understood, list | tuple):
        for i, (left, right) in enumerate(zip(came, understood, strict=False)):
            _refuse_unknown(left, right, f"{at}[{i}]")


def _place(at: str) -> str:
    return at.lstrip(".") or "the value"
