"""What people and clients may call things, and write as a reason."""

from __future__ import annotations

import re

from temper.core.errors import TemperError

NAME = re.compile(r"[\w.@+-]{1,64}")
LONGEST_REASON = 2000
LONGEST_ID = 200


def name(text: str, what: str = "a name") -> str:
    """The name, if it is one.

    >>> name("ana.silva@bank")
    'ana.silva@bank'
    """
    if not NAME.fullmatch(text):
        raise TemperError(f"{what} is 1 to 64 letters, digits or . @ + - _, got {text[:80]!r}", fix="choose another")
    return text


def reason(text: str) -> str:
    """The reason without blanks around it; an empty one is refused, and so are control characters."""
    text = text.replace("\r\n", "\n").strip()
    if not text:
        raise TemperError("a reason is missing", fix="say in a few words why")
    return _printable(text, "the reason", LONGEST_REASON)


def title(text: str) -> str:
    """A title in one line; an empty one is refused."""
    text = text.strip()
    if not text or "\n" in text:
        raise TemperError("a title is one line of text", fix="say in a few words what is wrong")
    return _printable(text, "the title", LONGEST_ID)


def identifier(text: str, what: str) -> str:
    """An id that somebody else gave."""
    if not text:
        raise TemperError(f"{what} is empty", fix="give one that is not used twice")
    return _printable(text, what, LONGEST_ID)


def _printable(text: str, what: str, longest: int) -> str:
    if len(text) > longest or not all(c.isprintable() or c in "\n\t" for c in text):
        raise TemperError(f"{what} has over {longest} characters or unprintable ones", fix="shorten or clean it")
    return text
