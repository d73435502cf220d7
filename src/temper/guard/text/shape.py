"""Shapes: patterns of characters that cannot backtrack, so that no text makes them slow."""

from __future__ import annotations

import re

from temper.core.errors import ConfigError

WIDEST = 400
"""Characters that the repeats of one shape may cover together."""

_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]")
_ESCAPE = re.compile(r"\\(?!\d)(?s:.)")
_REPEAT = re.compile(r"\{(\d{1,3})(?:,(\d{1,3}))?\}(\+?)|([*+?])(\+?)|\{")


def shape(pattern: str) -> re.Pattern[str]:
    """The compiled pattern, without regard to case, once it is seen to be linear.

    Each repeat must be bounded and possessive (`{0,80}+`, `?+`) or of a fixed count (`{3}`), and groups may only be
    `(?:...)` and never repeat: then nothing that was read is ever read again, and a start costs at most `WIDEST`.

    >>> shape("<!--[^>]{0,80}+prompt").pattern
    '<!--[^>]{0,80}+prompt'
    >>> shape("(a+)+b")
    Traceback (most recent call last):
    temper.core.errors.ConfigError: the shape '(a+)+b' may be slow: it has a group other than (?:...)
      fix: bounded possessive repeats such as {0,80}+, and groups (?:...) that do not repeat
    """
    if fault := _fault(pattern):
        fix = "bounded possessive repeats such as {0,80}+, and groups (?:...) that do not repeat"
        raise ConfigError(f"the shape {pattern!r} may be slow: it has {fault}", fix=fix)
    try:
        return re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise ConfigError(f"the shape {pattern!r} is no pattern: {error}", fix="see the module re of Python") from error


def _fault(pattern: str) -> str:
    """What could make a pattern slow; "" for nothing."""
    plain = _CLASS.sub("c", _ESCAPE.sub("e", _CLASS.sub("c", pattern)))
    if "\\" in plain:
        return "a reference to an earlier group"
    if re.search(r"\((?!\?:)", plain):
        return "a group other than (?:...)"
    if re.search(r"\)[{*+?]", plain):
        return "a group that repeats"
    covered = 0
    for found in _REPEAT.finditer(plain.replace("(?:", "(")):
        low, high, held, loose, held_loose = found.groups()
        if low is None and loose != "?":
            return "a repeat without an end"
        if not (held or held_loose) and (low is None or (high is not None and high != low)):
            return "a repeat that gives back"
        covered += int(high or low or 1)
    return f"repeats over more than {WIDEST} characters" if covered > WIDEST else ""
