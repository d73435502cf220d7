"""The text as a person sees it: what shows nothing is taken out, and what it hid is said."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

from temper.core.stage import ALLOWED, Context, Decision, Exchange, Level
from temper.guard.text.fresh import fresh, level, rewritten
from temper.kernels.codecs.hidden import INVISIBLE
from temper.kernels.codecs.table import codec

_KINDS = (
    ("tag characters", "\U000e0000", "\U000e007f"),
    ("variation selectors", "\ufe00", "\ufe0f"),
    ("variation selectors", "\U000e0100", "\U000e01ef"),
    ("direction marks", "\u202a", "\u202e"),
    ("direction marks", "\u2066", "\u2069"),
    ("direction marks", "\u200e", "\u200f"),
)
_JOINED = re.compile("[\u0600-\u109f]")
_JOINERS = "\u200c\u200d\ufe0e\ufe0f"
_SAFE = ("<font>", "<wide>", "<narrow>")
_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f")
_CODES = ("tags", "selectors", "zero_width_bits", "sneaky_bits")


@dataclass(frozen=True, slots=True, kw_only=True)
class Normaliser:
    """Takes out of fresh texts what no person sees (format, tag and direction characters, variation selectors, control
    characters, lone surrogates) and writes styled and full-width letters plainly; says what was hidden.

    Kept: joiners and selectors inside emoji and between letters of scripts that join, flags, line breaks; signs whose
    plain form means something else (x², ½, ①). `message` is the level for a hidden text of three letters or more, which
    has no honest use. Misleads where letters only look alike (Cyrillic for Latin) or a code is visible: those stay, and
    the layers behind read every reading of the text (`kernels/views.py`) for themselves.
    Source: Boucher et al., "Bad characters: imperceptible NLP attacks", 2022.

    >>> from temper.core.chat import Message, Request, Role
    >>> said = Message(role=Role.USER, text="pay\\u200bment")
    >>> decision = Normaliser().check(Exchange(request=Request(messages=(said,))), Context())
    >>> decision.reason, decision.exchange.request.messages[0].text
    ('1 invisible character taken out', 'payment')
    """

    message: str = "block"

    def check(self, exchange: Exchange, context: Context) -> Decision:
        on_message = level(self.message, "normaliser.message")
        if exchange.reply is not None:
            return ALLOWED
        texts = {at: said.text for at, said in fresh(exchange.request) if not _clean(said.text)}
        shown = {at: _seen(text) for at, text in texts.items()}
        if shown == texts:
            return ALLOWED
        hidden = next((found for text in texts.values() if (found := _message(text))), "")
        return Decision(
            level=max(Level.REVISE, on_message) if hidden else Level.REVISE,
            stage="normaliser",
            reason=_why(texts, shown, hidden),
            span=hidden[:300],
            exchange=rewritten(exchange, shown),
        )


def _clean(text: str) -> bool:
    """Whether nothing can be hidden here; true of nearly every text, and quick."""
    return text.isascii() and (text.isprintable() or not _CONTROLS.search(text))


_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_MARKED = re.compile(f"{INVISIBLE.pattern}|{_CONTROLS.pattern}|[\u2100-\u214f\uff01-\uffee\U0001d400-\U0001d7ff]")


def _seen(text: str) -> str:
    """The text without what shows nothing, styled letters plain."""
    flags = {place for found in _FLAG.finditer(text) for place in range(*found.span())}

    def show(found: re.Match[str]) -> str:
        sign, at = found[0], found.start()
        if INVISIBLE.match(sign):
            return sign if at in flags or (sign in _JOINERS and _joins(text, at)) else ""
        return "" if _CONTROLS.match(sign) else _plain(sign)

    return _MARKED.sub(show, text)


@lru_cache(maxsize=4096)
def _plain(sign: str) -> str:
    return unicodedata.normalize("NFKC", sign) if unicodedata.decomposition(sign).startswith(_SAFE) else sign


def _joins(text: str, at: int) -> bool:
    """Whether a joiner or selector stands where it does something: in an emoji, or between letters that join."""
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if text[at] in "\ufe0e\ufe0f":
        return bool(before) and (unicodedata.category(before) in ("So", "Sm", "Po", "Sk") or before in "0123456789#*‼⁉")
    if unicodedata.category(before or " ") in ("So", "Sk") or before == "\ufe0f":
        return unicodedata.category(after or " ") in ("So", "Sm")
    return all(_JOINED.match(sign) and not INVISIBLE.match(sign) for sign in (before, after))


def _message(text: str) -> str:
    """What the hidden characters say, "" for nothing."""
    if not INVISIBLE.search(text):
        return ""
    text = _FLAG.sub("", text)
    for name in _CODES:
        found = codec(name).decode(text)
        if found and len(found) >= 3 and sum(map(str.isprintable, found)) > 0.8 * len(found):
            return found
    return ""


def _why(texts: dict[int, str], shown: dict[int, str], hidden: str) -> str:
    """What was taken out, counted by kind."""
    lost: Counter[str] = Counter()
    for at, text in texts.items():
        lost += Counter(text) - Counter(shown[at])
    kinds: Counter[str] = Counter()
    for sign, many in lost.items():
        kinds[_kind(sign)] += many
    parts = [f"{many} {kind if many > 1 else kind.removesuffix('s')}" for kind, many in kinds.most_common()]
    said = f", which hid {hidden[:80]!r}" if hidden else ""
    return f"{', '.join(parts)} taken out{said}"


def _kind(sign: str) -> str:
    if not INVISIBLE.match(sign):
        return "control characters" if _CONTROLS.match(sign) else "styled letters"
    return next((name for name, low, high in _KINDS if low <= sign <= high), "invisible characters")


PLUGIN = Normaliser
