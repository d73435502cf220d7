"""What an answer lets out: its text, and the values its calls send."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from temper.core.chat import Call, Reply

_DEEP = 64


def sent(call: Call) -> str:
    """The texts and numbers in the arguments of a call, or the text as it came where it is no JSON.

    JSON hides in escapes what is not ASCII, so its text is not what arrives.

    >>> sent(Call(name="send", arguments='{"to": "\\\\u0061@b.example"}'))
    'to\\na@b.example'
    """
    found = _read(call.arguments)
    return call.arguments if found is None else "\n".join(_leaves(found, 0))


def rewritten(reply: Reply, change: Callable[[str], str]) -> Reply:
    """The answer with `change` made to its text and to every text in the arguments of its calls."""
    text = change(reply.text) if reply.text else reply.text
    return replace(reply, text=text, calls=tuple(_call(call, change) for call in reply.calls))


def _call(call: Call, change: Callable[[str], str]) -> Call:
    found = _read(call.arguments)
    if found is None:
        return replace(call, arguments=change(call.arguments))
    changed = _changed(found, change, 0)
    return call if changed == found else replace(call, arguments=json.dumps(changed))


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _leaves(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, dict) and depth < _DEEP:
        for key, inner in value.items():
            yield str(key)
            yield from _leaves(inner, depth + 1)
    elif isinstance(value, list) and depth < _DEEP:
        for inner in value:
            yield from _leaves(inner, depth + 1)
    else:
        yield str(value)


def _changed(value: Any, change: Callable[[str], str], depth: int) -> Any:
    if depth >= _DEEP:
        return change(str(value))
    if isinstance(value, dict):
        return {change(str(key)): _changed(inner, change, depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [_changed(inner, change, depth + 1) for inner in value]
    return change(value) if isinstance(value, str) else value
