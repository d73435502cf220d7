"""Limits of one question: how long, how repetitive, how deep, how many turns, tools and tokens."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from temper.core.chat import Request
from temper.core.stage import ALLOWED, Context, Decision, Exchange, Level
from temper.guard.text.fresh import fresh

_SAMPLE, _LEAST = 65_536, 2_000
_QUOTES = re.compile(r"(?m)^[> ]++")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Blocks a question that is too long, repeats itself without end, nests too deep, or asks for too much at once.

    `characters` counts one fresh text, `conversation` all turns together, `turns` the messages, `tools` the tools that
    are offered; `tokens` is the most the answer may be asked to have (what a question may cost), `ratio` how many times
    a text of 2,000 characters or more may be compressed (prose: 2 to 3; one word without end: hundreds), `depth` how
    deep brackets or quotations may nest. No limit of rate: one question cannot know of others, so requests per client
    and spent budgets are the gateway's. Misleads for tables and logs, which compress well: raise `ratio` for them.
    Source: OWASP Top 10 for LLM applications, 2025, LLM10 (unbounded consumption).

    >>> from temper.core.chat import Message, Role
    >>> said = Message(role=Role.USER, text="again " * 5_000)
    >>> Limits().check(Exchange(request=Request(messages=(said,))), Context()).reason.partition(":")[0]
    'a text repeats itself'
    """

    characters: int = 200_000
    conversation: int = 1_000_000
    turns: int = 500
    tools: int = 200
    tokens: int = 32_000
    ratio: float = 30.0
    depth: int = 200

    def check(self, exchange: Exchange, context: Context) -> Decision:
        if exchange.reply is not None:
            return ALLOWED
        reason = next(self._faults(exchange.request), "")
        return Decision(level=Level.BLOCK, stage="limits", reason=reason) if reason else ALLOWED

    def _faults(self, request: Request) -> Iterator[str]:
        counted = (
            ("turns", len(request.messages), self.turns),
            ("characters in all", sum(len(said.text) for said in request.messages), self.conversation),
            ("tools", len(request.tools), self.tools),
            ("tokens to be written", request.most_tokens or 0, self.tokens),
        )
        for what, many, most in counted:
            if many > most:
                yield f"{many:,} {what}, {most:,} is the most"
        for _, said in fresh(request):
            yield from self._text_faults(said.text)

    def _text_faults(self, text: str) -> Iterator[str]:
        if len(text) > self.characters:
            yield f"a text of {len(text):,} characters, {self.characters:,} is the most"
            return
        if (found := _compressed(text)) > self.ratio:
            yield f"a text repeats itself: it can be written {found:.0f} times as short, {self.ratio:g} is the most"
        if (deep := _depth(text)) > self.depth:
            yield f"brackets or quotations nest {deep:,} deep, {self.depth:,} is the most"


def _compressed(text: str) -> float:
    """How many times as short the text's beginning or its end can be written; 1 for short texts."""
    if len(text) < _LEAST:
        return 1.0
    raws = (part.encode("utf-8", "surrogatepass") for part in {text[:_SAMPLE], text[-_SAMPLE:]})
    return max(len(raw) / len(zlib.compress(raw, 1)) for raw in raws)


def _depth(text: str) -> int:
    """The most brackets of one kind that are open at once, or marks of quotation before one line."""
    quoted = max((marks.count(">") for marks in _QUOTES.findall(text)), default=0)
    return max(quoted, *(_most_open(text, *pair) for pair in ("()", "[]", "{}")))


def _most_open(text: str, opens: str, closes: str) -> int:
    now = most = 0
    for piece in text.split(opens)[1:]:
        now += 1
        most = max(most, now)
        now = max(0, now - piece.count(closes))
    return most


PLUGIN = Limits
