"""Text from outside (column names, categories, reasons) made harmless: what would act is shown instead."""

from __future__ import annotations

import re

# Control characters, terminal escapes, bidirectional overrides, invisible marks, lone surrogates and what XML refuses.
_ACTING = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff\U000e0000-\U000e007f]"
)
_CALCULATED = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
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


def cell(value: object, limit: int = 32_000) -> str:
    """The same as a cell of a CSV file: what a spreadsheet would calculate is led by an apostrophe, a number is not.

    >>> cell("=1+1"), cell(" @SUM(A1)"), cell("-3.5"), cell(-2.0), cell("-1+cmd"), cell(None)
    ("'=1+1", "' @SUM(A1)", '-3.5', '-2.0', "'-1+cmd", '')
    """
    text = "" if value is None else inert(value, limit)
    acts = text.lstrip().startswith(_CALCULATED) and not _NUMBER.fullmatch(text.strip())
    return f"'{text}" if acts else text
