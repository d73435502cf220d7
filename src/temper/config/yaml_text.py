"""Values as short YAML flow text that any YAML reader takes the same way, whatever a column is called."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from temper.core.errors import ConfigError

_LONGEST_KEY = 1000  # YAML gives up on keys of 1024 characters

_PLAIN = re.compile(r"[A-Za-z_.][A-Za-z0-9_./-]*")
_RESERVED = re.compile(r"(?i)true|false|yes|no|on|off|null|y|n|[-+.].*|\d.*")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def flow(value: Any) -> str:
    """One line of YAML for text, numbers, booleans, lists and mappings of them.

    >>> flow({"drop": ["id", "no"], "low": 0.0, "a: b": True})
    '{drop: [id, "no"], low: 0, "a: b": true}'
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key(name)}: {flow(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number(value)
    return text(str(value))


def key(name: str) -> str:
    """A key, quoted where it must be. Raises `ConfigError` where YAML has no way to write it."""
    found = text(name)
    if len(found) > _LONGEST_KEY:
        raise ConfigError(f"the column name {name[:30]!r}... is longer than {_LONGEST_KEY} characters", fix="rename it")
    return found


def text(value: str) -> str:
    """Text, quoted unless every reader takes it as text anyway."""
    if _PLAIN.fullmatch(value) and not _RESERVED.fullmatch(value):
        return value
    return '"' + "".join(_character(each) for each in value) + '"'


def number(value: float) -> str:
    """The shortest text that reads back as exactly this number."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


def _character(each: str) -> str:
    if each in _ESCAPES:
        return _ESCAPES[each]
    if each.isprintable():
        return each
    code = ord(each)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
