"""Text from outside (column names, categories, reasons) made harmless: what would act is shown instead."""

from __future__ import annotations

import re

# Control characters, terminal escapes, bidirectional overrides, invisible marks, lone surrogates and what XML refuses.
_ACTING = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff\U000e0000-\U000e007f]"
)
_BREAK = re.compile("[\t\n\r\x0b\x0c\x85\u2028\u2029]+")


def inert(text: object, limit: int = 2_000) -> str:
    """One line of text that no terminal, browser or XML reader can be moved by; at most `limit` characters.

    Line breaks become spaces; everything else that acts is written out, so that an attempt stays visible.

    >>> inert("ok\\x1b[31m red")
    'ok‹U+001B›[31m red'
    """
    line = _BREAK.sub(" ", str(text))
    shown = _ACTING.sub(lambda match: f"‹U+{ord(match.group()):04X}›", line)
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"
