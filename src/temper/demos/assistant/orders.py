"""Orders as the stand-in understands them: a small grammar of harmless deeds, read in plain text and in codes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from temper.kernels.codecs.table import codec

_VERB = r"(?i:print|say|write|output|repeat|include|append|mention|(?:reply|respond|answer|end)\s+(?:only\s+)?with)"
_GRAMMAR: tuple[tuple[str, str], ...] = (
    ("image", r"!\[[^\]]*\]\((?P<value>https?://[^\s)]+)\)"),
    ("call", r"\bcall\s+(?:the\s+)?(?:tool\s+)?(?P<name>[a-z_]{3,40})\s+with\s+(?P<value>\{[^{}]{0,400}\})"),
    ("pay", r"\b(?:transfer|pay|wire|send)\s+(?P<value>\d{1,7}(?:\.\d{1,2})?)\s*(?:eur|euros?|usd|dollars?|€|\$)?"
            r"[^.\n]{0,40}?\bto\s+(?:account\s+|iban\s+)?(?P<name>[A-Z]{2}\d{2}[A-Z0-9]{8,30})"),
    ("mail", r"\b(?:send|forward|e-?mail|mail)\b[^\n]{0,120}?\bto\s+(?P<name>[\w.+-]{1,60}@[\w-]{1,60}(?:\.[\w-]+)+)"),
    ("fetch", r"\b(?:open|visit|fetch|load|get|request)\s+(?:the\s+)?(?:page\s+|url\s+)?(?P<value>https?://[^\s\"'<>)]+)"),
    ("remember", r"\b(?:remember|memori[sz]e|save (?:this )?(?:to|in) (?:your )?memory)\s*(?:that|this|:)?\s*"
                 r"(?P<value>[^\n]{4,160})"),
    ("record", r"\b(?i:look up|find|open|show|read|give|tell)\b[^.\n]{0,60}?\b(?i:customer)\s+"
               r"(?P<name>[A-Z][a-z]{1,20} [A-Z][a-z]{1,20})"),
    ("reveal", r"\b(?:reveal|print|repeat|show|tell|output|write|give|translate|summari[sz]e|quote)\b[^.\n]{0,60}?"
               r"\b(?:system prompt|instructions|initial prompt|code ?word|passphrase|secret|confidential)"),
    ("flood", r"\brepeat\b[^.\n]{0,60}?\b(?P<value>\d{3,6})\s+times"),
    ("say", _VERB + r"\b[^.\n]{0,60}?\b(?P<name>[A-Z]{3,12})\b[^.\n]{0,40}?\b(?i:dash|hyphen)\b[^.\n]{0,40}?"
            r"\b(?P<value>\d{2,8})\b"),
)  # fmt: skip
_NEEDS = {
    "image": ("![",), "call": ("call",), "pay": ("transfer", "pay", "wire", "send"),
    "mail": ("mail", "send", "forward"),
    "fetch": ("http",), "remember": ("remember", "memor"), "record": ("customer",),
    "reveal": ("instructions", "prompt", "word", "phrase", "secret", "confidential"), "flood": ("times",),
    "say": ("dash", "hyphen"),
}  # fmt: skip
"""One of these, in any case, is in every text that holds such an order: most texts are put by without the grammar."""
_CASED = ("say", "record")
_PATTERNS = tuple((kind, re.compile(pattern, 0 if kind in _CASED else re.IGNORECASE)) for kind, pattern in _GRAMMAR)
_CODED = re.compile(r"[A-Za-z0-9+/=_-]{16,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Something to do that a text asks for: `kind`, and what the grammar caught. `code` is "" for plain text; `place`
    is where in the text it stands, 0 the beginning and 1 the end.
    """

    kind: str
    name: str = ""
    value: str = ""
    code: str = ""
    place: float = 0.0
    text: str = ""


def found(text: str, understands: tuple[str, ...]) -> Iterator[Order]:
    """Every order in the text, plain ones first, then those in the codes it understands."""
    yield from _plain(text, "")
    for name in understands:
        for view in _views(text, name):
            if view != text:
                yield from _plain(view, name)


def _plain(text: str, code: str) -> Iterator[Order]:
    folded = text.replace("\u0130", "i").replace("\u0131", "i").casefold()  # the grammar takes these for an i as well
    for kind, pattern in _PATTERNS:
        caught = any(word in folded for word in _NEEDS[kind]) and pattern.search(text)
        if caught:
            parts = {key: value or "" for key, value in caught.groupdict().items()}
            yield Order(kind=kind, **parts, code=code, place=caught.start() / max(1, len(text)), text=text)


def _views(text: str, name: str) -> Iterator[str]:
    """The text as a reader of that code sees it."""
    known = codec(name)
    pieces = [run[0] for run in _CODED.finditer(text)] if known.within else [text]
    for piece in pieces[:50]:
        view = known.decode(piece)
        if view:
            yield view
