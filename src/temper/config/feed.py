"""Where predictions come from, under `monitor: feed:` of a temper.yaml.

feed: predictions/                         # a table, or a folder of them
feed: ledger                               # what the gateway of this temper.yaml wrote down
feed: {ledger: /srv/audit}                 # the ledger in another place
feed: {sql: history.db, query: "SELECT * FROM scored WHERE at >= :since"}   # a SQLite file, or postgresql://...
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from temper.config.document import Scalar, Section
from temper.config.guard import audit_of
from temper.config.serving import serving_of
from temper.core.watch import Feed, Watch

SINCE = re.compile(r"(?<![:\w]):since\b")
"""In a query: the time, in seconds since 1970, before which no row is asked for."""
_COLUMNS = ("time", "id", "score", "client")
_PASSWORD = re.compile(r"(?<=://)([^/@:]*):[^/@]*@|([?&])password=[^&]*&?")


def feed_of(section: Section, document: Section, base: Path) -> Watch:
    """The feed and its columns, everything else as usual."""
    if document.has("assistant"):
        return _exchanges(section, document, base)
    if section.has("attempts"):
        raise section.error("monitor.attempts is for assistants, and this is none", "attempts", fix="remove it")
    if isinstance(section.entries.get("feed"), Section):
        return _named(section, section.section("feed").only("ledger", "sql", "query"), base)
    feed = section.needed("feed")
    if feed == Feed.LEDGER:
        return _ledger(section, serving_of(document, base).audit)
    return _columns(section, Watch(feed=str(base / feed), time=section.needed("time")))


def _named(section: Section, feed: Section, base: Path) -> Watch:
    if feed.has("ledger") == feed.has("sql"):
        raise feed.error("monitor.feed names one of ledger and sql", fix="write `feed: {sql: ..., query: ...}`")
    if feed.has("ledger"):
        if feed.has("query"):
            raise feed.error("a ledger takes no query", "query", fix="remove it")
        return _ledger(section, str(base / feed.text("ledger")))
    query, place = feed.needed("query"), feed.text("sql")
    if not SINCE.search(query):
        raise feed.error(
            "monitor.feed.query would read every row at every look",
            "query",
            fix="add `WHERE at >= :since` (seconds since 1970; `to_timestamp(:since)` in PostgreSQL)",
        )
    place = place if "://" in place else str(base / place)
    return _columns(
        section, Watch(feed=f"{told(place)} {query}", time=section.needed("time"), place=place, query=query)
    )


def told(place: str) -> str:
    """A place without its password.

    >>> told("postgresql://ada:secret@db/fraud"), told("history.db")
    ('postgresql://ada@db/fraud', 'history.db')
    """
    return _PASSWORD.sub(lambda found: f"{found[1]}@" if found[1] is not None else found[2], place)


def _ledger(section: Section, folder: str) -> Watch:
    """Its rows have the time, the number and the score that the gateway gave them."""
    for name in _COLUMNS:
        if isinstance(section.entries.get(name), Scalar):
            raise section.error(f"a ledger has no column to be named in monitor.{name}", name, fix="remove it")
    return Watch(feed=folder, kind=Feed.LEDGER, time="", score="score")


def _exchanges(section: Section, document: Section, base: Path) -> Watch:
    """Those of an assistant stand in the ledger of its gateway, and nothing else is read of one."""
    audit = audit_of(document, base)
    if section.needed("feed") != Feed.LEDGER or audit is None:
        raise section.error(
            "an assistant is watched by the ledger of its gateway",
            "feed",
            fix="write `feed: ledger`, and `audit:` under `guard:`",
        )
    for name in (*_COLUMNS, "labels", "stream", "burn", "triggers", "manifest"):
        if section.has(name):
            raise section.error(f"monitor.{name} is for tables, and this is an assistant", name, fix="remove it")
    found = Watch(feed=audit.folder, kind=Feed.EXCHANGES, time="")
    return replace(found, attempts=section.texts("attempts") or found.attempts)


def _columns(section: Section, watch: Watch) -> Watch:
    kind = Feed.SQL if watch.query else Feed.FILES
    id, score, client = (section.text(name) for name in ("id", "score", "client"))
    return replace(watch, kind=kind, id=id, score=score, client=client)
