"""The texts of a question that nobody has looked at yet, and every reading of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache

from temper.core.chat import Message, Request, Role
from temper.core.errors import ConfigError
from temper.core.stage import Exchange, Level
from temper.kernels.views import View, views

_ESCAPED = re.compile(r"\\+[nrt]")
"""Breaks as JSON writes them inside a string: left as they are, they would be part of the next word."""
SHORT = 65_536
"""Readings of 64 texts up to this length are remembered, so that layers share them, and of two longer ones."""


def fresh(request: Request) -> Iterator[tuple[int, Message]]:
    """(place, message) of the user's and the tools' messages since the assistant last spoke.

    A layer keeps no state, so what stood before the assistant's last turn was looked at when it came. A recording whose
    last message is the assistant's has nothing fresh.

    >>> [at for at, _ in fresh(Request(messages=(Message(role=Role.USER, text="hello"),)))]
    [0]
    """
    last = max((at for at, said in enumerate(request.messages) if said.role is Role.ASSISTANT), default=-1)
    for at, said in enumerate(request.messages[last + 1 :], last + 1):
        if said.role in (Role.USER, Role.TOOL):
            yield at, said


def rewritten(exchange: Exchange, texts: Mapping[int, str]) -> Exchange:
    """The exchange with other texts in these places of the conversation."""
    messages = tuple(
        replace(said, text=texts[at]) if at in texts else said for at, said in enumerate(exchange.request.messages)
    )
    return replace(exchange, request=replace(exchange.request, messages=messages))


def read(text: str) -> tuple[View, ...]:
    """The text and everything that can be read in it, bounded and linear in its length (`kernels/views.py`)."""
    return _short(text) if len(text) <= SHORT else _long(text)


@lru_cache(maxsize=64)
def _short(text: str) -> tuple[View, ...]:
    return tuple(views(_ESCAPED.sub(" ", text)))


@lru_cache(maxsize=2)
def _long(text: str) -> tuple[View, ...]:
    return tuple(views(_ESCAPED.sub(" ", text)))


def level(word: str, option: str) -> Level:
    """The level an option names. Raises `ConfigError` for another word."""
    try:
        return Level[word.upper()]
    except KeyError:
        words = ", ".join(one.name.lower() for one in Level)
        raise ConfigError(f"{option} is {word!r}", fix=f"one of: {words}") from None
