"""Addresses in a text that somebody's program may open: markdown, HTML, CSS, reference links, bare URLs."""

from __future__ import annotations

import html
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import unquote

_LOADED = ("image", "html", "css", "import", "meta")
_INLINE = re.compile(r"\]\(\s{0,9}<?([^)\s<>]{2,4000})")
_REFERENCE = re.compile(r"(?m)^[ >*+-]{0,9}\[[^\]\n]{1,200}\]:\s{0,9}<?([^\s<>]{2,4000})")
_TAG = re.compile(r"<[a-z!?/][^<>]{0,4000}", re.IGNORECASE)
_CLICKED = re.compile(r"<(?:a|area)[\s/]", re.IGNORECASE)
_ATTRIBUTE = re.compile(
    r"[\s\"'/](src|href|data|action|poster|srcset|background|formaction|cite|ping|manifest|icon|xlink:href|content)"
    r"\s{0,9}=\s{0,9}[\"']?\s{0,9}([^\"'\s<>]{2,4000})",
    re.IGNORECASE,
)
_CSS = re.compile(r"(?:url\(\s{0,9}[\"']?|(@import)\s{1,9}[\"'])([^\"')\s]{2,4000})", re.IGNORECASE)
_BARE = re.compile(r"((?:https?|ftp|wss?):[\\/]{1,9}[^\s<>\"'`)\]]{2,4000})", re.IGNORECASE)
_HOST = r"[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,8}(?::\d{1,5})?(?:/[^\s<>\"'`)\]]{0,2000})?"
_SCHEMELESS = re.compile(rf"(?<![\w/:.@-])(www\.{_HOST})|(?<=[\"'(\s=])(//{_HOST})", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[^\t\n\f <&#;]{1,32};?)")  # as html.unescape has it
_BRACKETS = re.compile(r"\\.|[\[\]]", re.DOTALL)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{0,31}):", re.IGNORECASE)
_MARKS = ".,;:!?*_~"  # after an address that stands alone they belong to the sentence
_WEB = ("http", "https", "ftp", "ws", "wss")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An address, its host in lower case ("" for data:, relative addresses and the like), whether showing the text
    loads it without a click, and where it is written, from `start` to `end`.
    """

    url: str
    host: str
    kind: str
    loads: bool
    start: int = 0
    end: int = 0

    @property
    def scheme(self) -> str:
        """The protocol it names, "" where it names none.

        >>> [link.scheme for link in links("[a](JavaScript:alert(1)) [b](/help)")]
        ['javascript', '']
        """
        found = _SCHEME.match(_tight(self.url))
        return found[1].lower() if found else ""

    @property
    def carried(self) -> str:
        """All in it that can carry data, unescaped: user, path, query and fragment, and the labels of the host."""
        user, _, rest = _parts(self.url)
        return f"{unquote(user)} {unquote(rest)} {self.host}"


def links(text: str) -> list[Link]:
    """Every address; entities in it are undone first, as a browser does. Linear in the text.

    >>> [(link.host, link.loads) for link in links("![a[b]](https://a.example/x) and https:/b.example")]
    [('a.example', True), ('b.example', False)]
    """
    seen: dict[tuple[int, int, str], Link] = {}
    for link in (*_links(text), *_links_undone(text)):
        place = (link.start, link.end, link.url)
        if place not in seen or (link.loads and not seen[place].loads):
            seen[place] = link
    return list(seen.values())


def within(host: str, allowed: tuple[str, ...]) -> bool:
    """Whether a host is one of these or below one of them.

    >>> within("mail.larch.example", ("larch.example",)), within("larch.example.evil.org", ("larch.example",))
    (True, False)
    """
    return any(host == one.lower() or host.endswith(f".{one.lower()}") for one in allowed)


def _links(text: str) -> Iterator[Link]:
    for kind, start, end in _found(text):
        url = text[start:end]
        yield Link(url=url, host=_host(url, kind), kind=kind, loads=kind in _LOADED, start=start, end=end)


def _links_undone(text: str) -> Iterator[Link]:
    """The links of the text without entities, at their places in the text with them."""
    if "&" not in text:
        return
    parts, places, sources, at, length = [], [0], [0], 0, 0
    for entity in _ENTITY.finditer(text):
        meant = html.unescape(entity[0])
        parts += [text[at : entity.start()], meant]
        length += entity.start() - at
        places += [length, length := length + len(meant)]
        sources += [entity.start(), at := entity.end()]
    for link in _links("".join((*parts, text[at:]))):
        first = bisect_right(places, link.start) - 1
        last = bisect_left(places, link.end) - 1
        start = sources[first] + (0 if first % 2 else link.start - places[first])
        end = sources[last + 1] if last % 2 else sources[last] + link.end - places[last]
        yield replace(link, start=start, end=end)


def _found(text: str) -> Iterator[tuple[str, int, int]]:
    """(kind, start, end) of every address in this text."""
    taken: set[int] = set()
    if "](" in text:
        yield from _inline(text, taken)
    for found in _REFERENCE.finditer(text):
        taken.add(found.start(1))
        yield "reference", *found.span(1)
    if "<" in text:
        yield from _tagged(text, taken)
    for found in _CSS.finditer(text):
        taken.add(found.start(2))
        yield ("import" if found[1] else "css"), *found.span(2)
    yield from _bare(text, taken)


def pictured(text: str) -> list[int]:
    """Where a picture begins whose address is said elsewhere, as in `![so]` or `![so][there]`."""
    if "![" not in text:
        return []
    found = ((opened, closed) for closed, opened in _brackets(text).items() if not text.startswith("(", closed + 1))
    return sorted(opened - 1 for opened, _ in found if opened > 0 and text[opened - 1] == "!")


def _brackets(text: str) -> dict[int, int]:
    """The opening bracket of every closing one, as markdown pairs them."""
    opened: list[int] = []
    pairs: dict[int, int] = {}
    for found in _BRACKETS.finditer(text):
        if found[0] == "[":
            opened.append(found.start())
        elif found[0] == "]" and opened:
            pairs[found.start()] = opened.pop()
    return pairs


def _inline(text: str, taken: set[int]) -> Iterator[tuple[str, int, int]]:
    """Links and images with the address in parentheses; one whose opening bracket is not here may be an image."""
    pairs = _brackets(text)
    for found in _INLINE.finditer(text):
        taken.add(found.start(1))
        at = pairs.get(found.start())
        yield ("image" if at is None or text[max(0, at - 1)] == "!" else "link"), *found.span(1)


def _tagged(text: str, taken: set[int]) -> Iterator[tuple[str, int, int]]:
    """Addresses in tags: those of `a` and `area` take a click, all others may load."""
    for tag in _TAG.finditer(text):
        if _BARE.match(tag[0], 1):  # an autolink
            continue
        clicked, at = bool(_CLICKED.match(tag[0])), tag.start()
        for found in _ATTRIBUTE.finditer(tag[0]):
            taken.add(at + found.start(2))
            named = found[1].lower()
            kind = "link" if clicked and named == "href" else "meta" if named == "content" else "html"
            yield kind, at + found.start(2), at + found.end(2)
        for found in _BARE.finditer(tag[0]):
            if at + found.start() not in taken:
                taken.add(at + found.start())
                yield "html", at + found.start(), at + found.end()


def _bare(text: str, taken: set[int]) -> Iterator[tuple[str, int, int]]:
    """Addresses that stand alone: they take a click."""
    for found in _BARE.finditer(text):
        if found.start() not in taken:
            kind = "autolink" if text[max(0, found.start() - 1) : found.start()] == "<" else "bare"
            yield kind, found.start(), found.start() + len(found[0].rstrip(_MARKS))
    for found in _SCHEMELESS.finditer(text):
        if found.start() not in taken:
            kind = "schemeless" if found[1] else "protocol-relative"
            yield kind, found.start(), found.start() + len(found[0].rstrip(_MARKS))


def _host(url: str, kind: str) -> str:
    host = _parts(url if kind != "schemeless" else f"//{url}")[1].rstrip(".").lower()
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return host


def _parts(url: str) -> tuple[str, str, str]:
    """(user, host, everything after) as a browser reads an address: backslashes are slashes, blanks inside are none.

    The host is "" for a relative address and for protocols that have none; of a mail address it is the mail's.
    """
    url = _tight(url)
    found = _SCHEME.match(url)
    scheme, rest = (found[1].lower(), url[found.end() :]) if found else ("", url)
    if scheme == "mailto":
        name, _, where = rest.partition("@")
        host, mark, after = where.partition("?")
        return name, host, mark + after
    if not (scheme in _WEB or rest.startswith("//")):
        return "", "", rest
    cut = re.search(r"[/?#]", rest := rest.lstrip("/"))
    place, after = (rest[: cut.start()], rest[cut.start() :]) if cut else (rest, "")
    user, _, where = place.rpartition("@")
    host = re.sub(r":\d*$", "", unquote(where))
    return user, host[1:-1] if host[:1] == "[" and host[-1:] == "]" else "" if "[" in host else host, after


def _tight(url: str) -> str:
    return re.sub(r"[\t\r\n]", "", url).strip().replace("\\", "/")
