"""What pages of monitoring share: which feed and which window they are about, and how windows stand in a row."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from temper.core.watch import Kind, Seen, Watched, Watching
from temper.report.watched import span
from temper.web import moments
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

MANY = 42
"""Windows that are shown in a row."""
TABS = (
    ("/monitoring", "Health"),
    ("/monitoring/drift", "Drift"),
    ("/monitoring/accuracy", "Accuracy"),
    ("/monitoring/security", "Security"),
    ("/monitoring/alerts", "Alerts"),
)
TONES = {Seen.PASS: "pass", Seen.FAIL: "fail", Seen.INCONCLUSIVE: "inconclusive", Seen.NOTHING: "nothing"}
_MARKS = {Kind.ATTACK: "A", Kind.NATURAL: "N", Kind.PIPELINE: "P", Kind.UNKNOWN: "?"}
_HOLLOW = {Seen.INCONCLUSIVE: "·", Seen.NOTHING: "–"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A feed, its latest windows (the oldest first), and the one that is looked at; `links` lead to every feed."""

    watching: Watching
    windows: list[Watched]
    at: Watched
    links: list[dict[str, Any]]

    def again(self, path: str) -> str:
        """Where the part that changes is fetched: it follows the newest window, or stays at the one that was chosen."""
        chosen = None if self.at is self.windows[-1] else self.at.start
        return link(f"{path}/now", self.watching.feed, chosen)


def asked(visit: Visit, path: str) -> Asked | None:
    """What the address asks for, else the feed that was looked at last and its newest window; None without any."""
    every = sorted(visit.control.windows.watching(), key=lambda one: -one.judged)
    if not every:
        return None
    word, moment = (visit.request.query_params.get(name, "") for name in ("feed", "at"))
    found = next((one for one in every if key(one.feed) == word), every[0])
    windows = visit.control.windows.latest(found.feed, found.reference, found.width, MANY)
    at = next((one for one in windows if f"{one.start:.0f}" == moment), windows[-1])
    return Asked(watching=found, windows=windows, at=at, links=_links(every, found, path))


def page(visit: Visit, template: str, path: str, **context: Any) -> Response:
    """A page of monitoring, with its tabs."""
    return visit.page(template, tabs=TABS, tab=path, at=moments.clock(visit.now), **context)


def key(feed: str) -> str:
    """How addresses call a feed: paths are nobody's business outside."""
    return hashlib.sha256(feed.encode("utf-8", "replace")).hexdigest()[:10]


def name(feed: str) -> str:
    """How people call it.

    >>> name("/srv/bank/predictions"), name("ledger")
    ('predictions', 'ledger')
    """
    return Path(feed).name or feed


def row(windows: Sequence[Watched], path: str, feed: str, at: Watched | None = None) -> list[dict[str, Any]]:
    """Windows in a row, each with a link to it; those that fail carry the letter of their kind."""
    return [
        {
            "tone": TONES[one.seen],
            "mark": _mark(one),
            "said": f"{span(one)}: {one.seen.value}" + (f", {one.kind.value}" if one.kind else ""),
            "href": link(path, feed, one.start),
            "here": one is at,
        }
        for one in windows
    ]


def _mark(one: Watched) -> str:
    if one.seen is Seen.FAIL:
        return _MARKS[one.kind] if one.kind else "!"
    return _HOLLOW.get(one.seen, "")


def link(path: str, feed: str, start: float | None = None) -> str:
    """The address of a page about this feed, and this window of it."""
    more = {} if start is None else {"at": f"{start:.0f}"}
    return f"{path}?{urlencode({'feed': key(feed), **more})}"


def _links(every: Sequence[Watching], found: Watching, path: str) -> list[dict[str, Any]]:
    names = [name(one.feed) for one in every]
    return [
        {
            "name": name(one.feed) if names.count(name(one.feed)) == 1 else one.feed,
            "href": link(path, one.feed),
            "here": one is found,
        }
        for one in every
    ]
