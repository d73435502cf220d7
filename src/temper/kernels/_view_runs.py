"""Codes that stand as runs of characters inside other text: found by a cheap look first, decoded in their places."""

from __future__ import annotations

import re
from collections.abc import Iterator

from temper.kernels.codecs.alphabets import folded
from temper.kernels.codecs.hidden import INVISIBLE, bare
from temper.kernels.codecs.table import codec

_TOKENS = (
    ("base64", r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{12,}={0,2}"),
    ("base64url", r"(?<![\w-])(?=[A-Za-z0-9]*[-_])[A-Za-z0-9_-]{12,}={0,2}"),
    ("base32", r"(?<![A-Z2-7])[A-Z2-7]{16,}={0,6}"),
    ("base32hex", r"(?<![0-9A-V])[0-9A-V]{16,}={0,6}"),
    ("base32", r"(?<![a-z2-7])[a-z2-7]{16,}={0,6}"),
    ("base32hex", r"(?<![0-9a-v])[0-9a-v]{16,}={0,6}"),
    ("base16", r"(?<![0-9A-Fa-f])(?:[0-9A-Fa-f]{2}){6,}"),
    ("rotated_bytes", r"(?<![0-9A-Fa-f])(?:[0-9A-Fa-f]{2}){6,}"),
    ("base58", r"(?<![A-Za-z0-9])[1-9A-HJ-NP-Za-km-z]{12,4096}+(?![A-Za-z0-9])"),
    ("base62", r"(?<![A-Za-z0-9])[A-Za-z0-9]{12,4096}+(?![A-Za-z0-9])"),
    ("base36", r"(?<![A-Za-z0-9])[a-z0-9]{12,4096}+(?![A-Za-z0-9])"),
    ("ascii85", r"(?<!\S)[!-uz]{10,}(?!\S)"),
    ("base85", r"(?<!\S)[0-9A-Za-z!#$%&()*+\-;<=>?@^_`{|}~]{10,}(?!\S)"),
)
"""Codes without white space: what they match lies within one word."""

_HEX, _POINT = "[0-9A-Fa-f]", r"(?:x[0-9A-Fa-f]{1,6}|\d{1,7})"
_SPREAD = {
    "lines": (
        ("uuencode", r"(?m)(?:(?<=: )|^)[!-M][ -`]{4,60} *$(?:\n[!-M][ -`]{1,60} *$)*"),
        ("base45", r"(?<![0-9A-Z $%*+\-./:])[0-9A-Z $%*+\-./:]{15,}"),
    ),
    "digits": (
        ("hex_pairs", rf"{_HEX}(?<!{_HEX}{_HEX}){_HEX}[ ,:](?:{_HEX}{{2}}[ ,:]){{4,}}{_HEX}{{2}}(?!{_HEX})"),
        ("binary", r"[01](?<![01][01])[01]{7}[ ,]?(?:[01]{8}[ ,]?){2,}(?![01])"),
        ("octal", r"[0-7](?<!\d[0-7])[0-7]{2}[ ,](?:[0-7]{3}[ ,]){2,}[0-7]{3}(?!\d)"),
        ("decimal", r"\d(?<!\d\d)\d{0,2}[ ,]+(?:\d{1,3}[ ,]+){4,}\d{1,3}(?!\d)"),
        ("numbered", r"\d(?<!\d\d)\d?-(?:\d{1,2}-)+\d{1,2}(?: / \d{1,2}(?:-\d{1,2})*)*"),
    ),
    "escape": (
        ("hex_escape", rf"\\x{_HEX}{{2}}(?:\\x{_HEX}{{2}}){{2,}}"),
        ("unicode_escape", rf"\\u\{{?{_HEX}{{4,6}}\}}?(?:\\u\{{?{_HEX}{{4,6}}\}}?){{2,}}"),
        ("url_double", rf"%25{_HEX}{{2}}(?:%25{_HEX}{{2}}){{2,}}"),
        ("url", rf"%{_HEX}{{2}}(?:%{_HEX}{{2}})*"),
        ("html_decimal", rf"&#{_POINT};?(?:&#{_POINT};?){{2,}}"),
        ("quoted_printable", r"=[0-9A-F]{2}(?:=[0-9A-F]{2}){2,}"),
    ),
    "dots": (
        ("morse", r"[.-][.-]{0,5}[ /]+(?:[.-]{1,6}[ /]+){4,}[.-]{1,6}"),
        ("tap_code", r"(?:\.{1,5} \.{1,5}(?: / | |(?!\S))|[0-9,;:!?'-](?: / | |(?!\S))){3,}"),
    ),
}
"""Codes that hold white space or marks of their own, by what a text must have for them. A pattern that begins with the
characters it may begin with, and looks behind afterwards, is searched for several times as fast as the other way round.
"""

_ALONE = tuple((name, re.compile(pattern)) for name, pattern in _TOKENS)
_APART = {kind: tuple((name, re.compile(pattern)) for name, pattern in runs) for kind, runs in _SPREAD.items()}

_ORDINARY = re.compile(
    r"[\W_]*+(?:(?:[A-Z]?+[a-z]{2,}+|[A-Z]{2,12}+(?![A-Z])|\d{1,3}+(?!\d)|[A-Za-z](?![A-Za-z0-9]))[\W_]*+)*+"
)
"""Words, capitals, short numbers and names made of them, such as `JavaScript`, `cfg_scale` and `step-by-step`."""
_BLANK = {ord(sign): " " for sign in "\n\r\t"}
_ESCAPES = ("\\x", "\\u", "%", "&#", "=")
_DOTS = (". .", "- -", ".. ", "-- ", ". -", "- .")


def decoded(text: str) -> Iterator[tuple[str, str]]:
    """(code, the text with every run of that code replaced by what it says), for each code that is found."""
    odd = " ".join(odd_words(text))
    runs = [run for run in _ALONE if _read(run, odd) is not None] if odd else []
    runs += [run for kind in _worth(text, odd) for run in _APART[kind]]
    for run in runs:
        replaced = _read(run, text)
        if replaced is not None:
            yield run[0], replaced


def odd_words(text: str) -> list[str]:
    """Words that could be a code: long, and not written as words of a language are."""
    return [word for word in text.split() if len(word) >= 10 and not _ORDINARY.fullmatch(word)]


def _worth(text: str, odd: str) -> Iterator[str]:
    """The kinds of runs this text can hold, by looks that cost next to nothing."""
    if odd or (len(text) >= 8 and text.upper() == text) or _lined(text):
        yield "lines"
    if sum(map(text.count, "0123456789")) >= 8:
        yield "digits"
    if any(mark in text for mark in _ESCAPES):
        yield "escape"
    if any(mark in text for mark in _DOTS):
        yield "dots"


def _lined(text: str) -> bool:
    """Whether a line is free of small letters, as those of uuencode and base45 are."""
    return any(len(line) >= 8 and line.upper() == line for line in text.replace(": ", "\n").split("\n"))


def _read(run: tuple[str, re.Pattern[str]], text: str) -> str | None:
    """The text with these runs decoded, None where there is none that says something."""
    name, pattern = run
    decode, changed = codec(name).decode, False

    def read(found: re.Match[str]) -> str:
        nonlocal changed
        inner = decode(found[0])
        if inner is None or not _says_something(inner, least=1 if name == "url" else 3):
            return found[0]
        changed = changed or inner != found[0]
        return inner

    replaced = pattern.sub(read, text)
    return replaced if changed else None


def _says_something(text: str, *, least: int) -> bool:
    """Whether decoded bytes are a text: printable, and where they are no ASCII mostly letters of some language."""
    if len(text) < least:
        return False
    if text.isascii():
        return text.translate(_BLANK).isprintable()
    if any(not (sign.isprintable() or sign in "\n\r\t" or INVISIBLE.match(sign)) for sign in text):
        return False
    seen = folded(bare(text))
    return least == 1 or sum(sign.isascii() or sign.isalpha() for sign in seen) > 0.6 * len(seen)
