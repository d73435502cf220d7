"""Addresses in a text that somebody's program may open: markdown, HTML, CSS, reference links, bare URLs."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

_SHAPES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        ("image", r"!\[[^\]\n]{0,500}\]\(\s*<?([^)\s>]{4,4000})"),
        ("link", r"(?<!!)\[[^\]\n]{0,500}\]\(\s*<?([^)\s>]{4,4000})"),
        ("reference", r"^[ ]{0,3}\[[^\]\n]{1,200}\]:\s*<?(\S{4,4000}?)>?(?=\s|$)"),
        ("html", r"<[a-z][^<>]{0,200}?\s(?:src|href|data|action|poster|srcset|background|formaction|cite|ping)\s*=\s*"
                 r"[\"']?([^\"'\s>]{4,4000})"),
        ("css", r"url\(\s*[\"']?([^\"')\s]{4,4000})"),
        ("import", r"@import\s+[\"']([^\"']{4,4000})"),
        ("meta", r"<meta[^<>]{0,200}?url=([^\"'\s>]{4,4000})"),
        ("autolink", r"<((?:https?|ftp)://[^\s<>]{4,4000})>"),
        ("bare", r"(?<![\"'(<\w=])((?:https?|ftp|wss?)://[^\s<>\"'`)\]]{3,4000})"),
        ("schemeless", r"(?<![\w/:.@-])((?:www\.)[a-z0-9.-]{3,250}(?:/[^\s<>\"'`)\]]{0,2000})?)"),
        ("protocol-relative", r"(?<=[\"'(\s=])(//[a-z0-9.-]{4,250}(?:/[^\s<>\"'`)\]]{0,2000})?)"),
    )
)  # fmt: skip
_LOADED = ("image", "html", "css", "import", "meta")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An address as written, its host in lower case ("" for data: and the like), and whether showing the text loads it
    without a click.
    """

    url: str
    host: str
    kind: str
    loads: bool

    @property
    def carried(self) -> str:
        """Everything in it that can carry data: path, query and fragment, unescaped, and the labels before the host."""
        parts = _split(self.url)
        rest = "" if parts is None else f"{parts.path}?{parts.query}#{parts.fragment}"
        return f"{unquote(rest)} {self.host}"


def links(text: str) -> list[Link]:
    """Every address, in the order of the shapes; entities in it are undone first, as a browser does."""
    seen: dict[str, Link] = {}
    for view in dict.fromkeys((text, html.unescape(text))):
        for kind, shape in _SHAPES:
            for found in shape.finditer(view):
                url = found[1].strip()
                loads = kind in _LOADED
                if url not in seen or (loads and not seen[url].loads):
                    seen[url] = Link(url=url, host=_host(url), kind=kind, loads=loads)
    return list(seen.values())


def within(host: str, allowed: tuple[str, ...]) -> bool:
    """Whether a host is one of these or below one of them.

    >>> within("mail.larch.example", ("larch.example",)), within("larch.example.evil.org", ("larch.example",))
    (True, False)
    """
    return any(host == one.lower() or host.endswith(f".{one.lower()}") for one in allowed)


def _host(url: str) -> str:
    parts = _split(url if "://" in url or url.startswith(("//", "data:", "javascript:")) else f"//{url}")
    if parts is None or not parts.hostname:
        return ""
    host = str(parts.hostname).rstrip(".").lower()
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return host


def _split(url: str) -> Any:
    try:
        parts = urlsplit(url)
        parts.hostname  # noqa: B018  (raises for a broken address)
        return parts
    except ValueError:
        return None
