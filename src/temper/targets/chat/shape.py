"""Replies of endpoints taken apart without trust in their shape."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


class Malformed(ValueError):
    """A reply that is not what its protocol says; it is counted as invalid."""


def mapping(text: str) -> dict[str, Any]:
    """The JSON object in `text`."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise Malformed("the reply is no JSON") from None
    if not isinstance(found, dict):
        raise Malformed(f"the reply is a {type(found).__name__}, expected an object")
    return found


def listed(of: Mapping[str, Any], key: str) -> list[Any]:
    """The list at `key`; absent and null are empty."""
    found = of.get(key)
    if found is None:
        return []
    if not isinstance(found, list):
        raise Malformed(f"{key} is a {type(found).__name__}, expected a list")
    return found


def text_at(of: Any, key: str) -> str:
    """The text at `key`; absent and null are "". Content in parts is joined."""
    found = of.get(key) if isinstance(of, Mapping) else None
    if isinstance(found, list):
        return "".join(text_at(part, "text") for part in found)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise Malformed(f"{key} is a {type(found).__name__}, expected text")
    return found


def at_path(document: Any, path: str) -> Any:
    """The value at a dotted path, such as "choices.0.message.content".

    >>> at_path({"a": [{"b": 1}]}, "a.0.b")
    1
    """
    for step in path.split("."):
        try:
            document = document[int(step)] if isinstance(document, list) else document[step]
        except (KeyError, IndexError, TypeError, ValueError):
            raise Malformed(f"the reply has nothing at {path!r}") from None
    return document
