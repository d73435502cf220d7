"""Addresses in a text that somebody's program may open: markdown, HTML, CSS, reference links, bare URLs."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
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
_BRACKETS = re.compile(r"\\.|[\[\]]", re.DOTALL)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{0,31}):", re.IGNORECASE)
_MARKS = ".,;:!?*_~"  # after an address that stands alone they belong to the sentence
_WEB = ("http", "https", "ftp", "ws", "wss")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An address as written, its host in lower case ("" for data:, relative addresses and the like), and whether
    showing the text loads it without a click.
    """

    url: str
    host: str
    kind: str
    loads: bool

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
        """Everything in it that can carry data, unescaped: user, path, query and fragment, and the labels of the host."""
        user, _, rest = _parts(self.url)
        return f"{unquote(user)} {unquote(rest)} {self.host}"


def links(text: str) -> list[Link]:
    """Every address; entities in it are undone first, as a browser does. Linear in the text.

    >>> [(link.host, link.loads) for link in links("![a[b]](https://a.example/x) and https:/b.example")]
    [('a.example', True), ('b.example', False)]
    """
    seen: dict[str, Link] = {}
    for view in dict.fromkeys((text, html.unescape(text))):
        for kind, url in _found(view):
            loads = kind in _LOADED
            if url not in seen or (loads and not seen[url].loads):
                seen[url] = Link(url=url, host=_host(url, kind), kind=kind, loads=loads)
    return list(seen.values())


def within(host: str, allowed: tuple[str, ...]) -> bool:
    """Whether a host is one of these or below one of them.

    >>> within("mail.larch.example", ("larch.example",)), within("larch.example.evil.org", ("larch.example",))
    (True, False)
    """
    return any(host == one.lower() or host.endswith(f".{one.lower()}") for one in allowed)


def _found(text: str) -> Iterator[tuple[str, str]]:
    """(kind, address) of everything in this text."""
    taken: set[int] = set()
    if "](" in text:
        yield from _inline(text, taken)
    images = "![" in text
    for found in _REFERENCE.finditer(text):
        taken.add(found.start(1))
        yield ("image" if images else "reference"), found[1]
    if "<" in text:
        yield from _tagged(text, taken)
    for found in _CSS.finditer(text):
        taken.add(found.start(2))
        yield ("import" if found[1] else "css"), found[2]
    yield from _bare(text, taken)


def _inline(text: str, taken: set[int]) -> Iterator[tuple[str, str]]:
    """Links and images with the address in parentheses; which bracket opened one is found as markdown does."""
    opened: list[int] = []
    image: dict[int, bool] = {}
    for found in _BRACKETS.finditer(text):
        if found[0] == "[":
            opened.append(found.start())
        elif found[0] == "]":
            at = opened.pop() if opened else -1
            image[found.start()] = at > 0 and text[at - 1] == "!"
    for found in _INLINE.finditer(text):
        taken.add(found.start(1))
        yield ("image" if image.get(found.start(), True) else "link"), found[1]


def _tagged(text: str, taken: set[int]) -> Iterator[tuple[str, str]]:
    """Addresses in tags: those of `a` and `area` take a click, all others may load."""
    for tag in _TAG.finditer(text):
        if _BARE.match(tag[0], 1):  # an autolink
            continue
        clicked = bool(_CLICKED.match(tag[0]))
        for found in _ATTRIBUTE.finditer(tag[0]):
            taken.add(tag.start() + found.start(2))
            named = found[1].lower()
            yield "link" if clicked and named == "href" else "meta" if named == "content" else "html", found[2]
        for found in _BARE.finditer(tag[0]):
            if tag.start() + found.start() not in taken:
                taken.add(tag.start() + found.start())
                yield "html", found[1]


def _bare(text: str, taken: set[int]) -> Iterator[tuple[str, str]]:
    """Addresses that stand alone: they take a click."""
    for found in _BARE.finditer(text):
        if found.start() in taken:
            continue
        before = text[max(0, found.start() - 1) : found.start()]
        yield ("autolink" if before == "<" else "bare"), found[1].rstrip(_MARKS)
    for found in _SCHEMELESS.finditer(text):
        if found.start() not in taken:
            yield ("schemeless" if found[1] else "protocol-relative"), found[0].rstrip(_MARKS)


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
