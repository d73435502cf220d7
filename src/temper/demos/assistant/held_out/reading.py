"""How the held-out stand-in reads: codes it understands undone, then clause by clause."""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import re
import unicodedata
from collections.abc import Callable, Iterator
from urllib.parse import unquote

from temper.demos.assistant.held_out.matching import known

MOST = 40_000
"""Characters of one message that it takes in: the first half and the last."""

_SPLIT = re.compile(r"(?:[.!?;]+(?=[\s\"')\]]|$)|\\n|[\r\n<>{}|]+|\"\s*[:,]\s*[\"\[])")
_HIDDEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufe00-\ufe0f]")
_TAGS = re.compile("[\U000e0020-\U000e007e]+")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{16,}={0,2}")
_HEX = re.compile(r"(?<![0-9A-Fa-f])(?:(?:0x|\\x)?[0-9A-Fa-f]{2}[ :,]?){8,}")
_BINARY = re.compile(r"(?<![01])(?:[01]{8}[ ,]?){4,}")
_APART = re.compile(r"(?<!\w)(?:\w[ ._*-]){2,}\w(?!\w)")
_LEET = str.maketrans("013457@$", "oieastas")
_LEET_WORD = re.compile(r"[\w@$]*[A-Za-z][\w@$]*")
_SURE = 0.5


def clauses(text: str) -> list[str]:
    """The text in clauses."""
    return [part.strip() for part in _SPLIT.split(text) if part and part.strip()]


def taken_in(text: str) -> str:
    """What fits into its attention."""
    return text if len(text) <= MOST else f"{text[: MOST // 2]}\n{text[-MOST // 2 :]}"


def readings(text: str, reads: tuple[str, ...]) -> Iterator[tuple[str, bool]]:
    """The text as it stands, and what each code it understands makes of it (True), one inside another twice."""
    yield text, False
    seen, layer = {text}, [text]
    for _ in range(2):
        found = [other for one in layer for code in reads for other in [_UNDO[code](one)] if other]
        layer = list(dict.fromkeys(one for one in found if one not in seen))
        seen.update(layer)
        yield from ((one, True) for one in layer)


def _english(text: str) -> float:
    """The share of words it knows."""
    words = re.findall(r"[a-z]+", text[:4000].lower())
    return sum(word in known() for word in words) / len(words) if len(words) > 3 else 0.0


def _better(undo: Callable[[str], str], text: str) -> str:
    """The clauses that read as language once undone and did not before."""
    found = []
    for clause in clauses(text):
        other = undo(clause)
        if _english(other) >= max(_SURE, _english(clause) + 0.2):
            found.append(other)
    return "\n".join(found)


def _runs(pattern: re.Pattern[str], undo: Callable[[str], bytes], text: str) -> str:
    """Every run of a code that holds text, a line each."""
    found = []
    for run in pattern.findall(text):
        try:
            plain = undo(run).decode("utf-8")
        except (ValueError, binascii.Error):
            continue
        if plain.isprintable() or "\n" in plain:
            found.append(plain)
    return "\n".join(found)


def _base64(run: str) -> bytes:
    run = run.rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(run + "=" * (-len(run) % 4), validate=True)


def _hex(run: str) -> bytes:
    return bytes.fromhex(re.sub(r"0x|\\x|[ :,]", "", run))


def _binary(run: str) -> bytes:
    bits = re.sub(r"[ ,]", "", run)
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))


def _changed(text: str, other: str) -> str:
    return other if other != text else ""


def _closed(found: re.Match[str]) -> str:
    return re.sub(r"[ ._*-]", "", found[0])


def _plainly(found: re.Match[str]) -> str:
    return found[0].translate(_LEET)


def _tags(text: str) -> str:
    shown = "\n".join("".join(chr(ord(one) - 0xE0000) for one in run) for run in _TAGS.findall(text))
    return shown or _changed(text, _HIDDEN.sub("", text))


_UNDO: dict[str, Callable[[str], str]] = {
    "base64": lambda text: _runs(_BASE64, _base64, text),
    "hex": lambda text: _runs(_HEX, _hex, text),
    "rot13": lambda text: _better(lambda one: codecs.decode(one, "rot13"), text),
    "url": lambda text: _changed(text, unquote(text)) if text.count("%") > 2 else "",
    "entities": lambda text: _changed(text, html.unescape(text)),
    "backwards": lambda text: _better(lambda one: one[::-1], text),
    "apart": lambda text: _changed(text, _APART.sub(_closed, text)),
    "leet": lambda text: _better(lambda one: _LEET_WORD.sub(_plainly, one), text),
    "hidden": _tags,
    "wide": lambda text: _changed(text, unicodedata.normalize("NFKC", text)),
    "binary": lambda text: _runs(_BINARY, _binary, text),
}
