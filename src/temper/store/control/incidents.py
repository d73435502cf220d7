"""Incidents and their timelines: opened by people or by gateways, one at a time of each source, added to, closed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from temper.core.errors import TemperError
from temper.core.incident import PARTS, Entry, Incident, Kind, Phase, Remark, Severity, Symptom
from temper.core.review import Conflict
from temper.store.codec import from_json, to_json
from temper.store.control import audit, wording
from temper.store.control.database import Database, Row, Transaction


class Incidents:
    """The incidents of a control store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, title: str, severity: Severity | str, by: str, now: float, text: str = "") -> int:
        """A new incident, by a person: its number."""
        title, rank = wording.title(title), _severity(severity)
        with self._database.write() as tx:
            return _opened(tx, title, rank, "", by, now, wording.reason(text) if text else title, {})

    def signal(
        self, source: str, title: str, severity: Severity, text: str, by: str, now: float, playbook: str = ""
    ) -> int:
        """What a program saw: a line of the open incident of this source, or a new one. Gives its number."""
        wording.name(source, "the source of an incident")
        title, text = wording.title(title), wording.reason(text)
        detail = {"playbook": playbook} if playbook else {}
        with self._database.write() as tx:
            row = _of_source(tx, source)
            if row is None:
                return _opened(tx, title, severity, source, by, now, text, detail)
            _added(tx, row["id"], Kind.SIGNAL, by, now, text, detail)
            return int(row["id"])

    def passed(self, source: str, text: str, by: str, now: float) -> None:
        """That what a program saw is over: a line of the open incident of this source, if there is one."""
        with self._database.write() as tx:
            row = _of_source(tx, source)
            if row is not None:
                _added(tx, row["id"], Kind.SIGNAL, by, now, wording.reason(text), {"over": True})

    def begin(self, feed: str, until: float) -> None:
        """From now on the windows of this feed open incidents; those up to `until` do not. Once begun it stays."""
        with self._database.write() as tx:
            tx.all("INSERT INTO followed (feed, until) VALUES (?, ?) ON CONFLICT (feed) DO NOTHING", feed, until)

    def follow(self, feed: str, found: Sequence[Symptom], until: float, by: str, now: float) -> list[int]:
        """Write what was seen in windows of a feed, in order of time; what was written before is left out, so twice is
        the same as once. Gives the incidents that it opened.
        """
        new: list[int] = []
        with self._database.write() as tx:
            row = tx.one("SELECT until FROM followed WHERE feed = ?", feed)
            since = float(row["until"]) if row else 0.0
            for one in found:
                if since < one.at <= until:
                    new += _seen(tx, one, by, now)
            sql = (
                "INSERT INTO followed (feed, until) VALUES (?, ?) ON CONFLICT (feed) DO UPDATE "
                "SET until = excluded.until WHERE excluded.until > followed.until"
            )
            tx.all(sql, feed, until)
        return new

    def escalate(self, after: float, by: str, now: float) -> list[int]:
        """What programs opened and nobody has led for so many seconds becomes critical; which those are."""
        sql = "SELECT * FROM incident WHERE closed IS NULL AND source <> '' AND severity <> ? AND opened <= ?"
        found = []
        with self._database.write() as tx:
            for row in tx.all(sql, str(Severity.CRITICAL), now - after):
                if not _led(tx, row["id"]):
                    tx.all("UPDATE incident SET severity = ? WHERE id = ?", str(Severity.CRITICAL), row["id"])
                    detail = {"severity": str(Severity.CRITICAL), "untaken": row["severity"]}
                    text = f"severity critical, was {row['severity']}: nobody took it"
                    _added(tx, row["id"], Kind.SEVERITY, by, now, text, detail)
                    found.append(int(row["id"]))
        return found

    def reach(self, id: int, phase: Phase | str, text: str, by: str, now: float) -> None:
        """State that it is contained, that its cause is gone, or that the service is what it was."""
        try:
            phase = Phase(phase)
        except ValueError:
            raise TemperError(f"{str(phase)[:80]!r} is no phase", fix=f"use one of {', '.join(Phase)}") from None
        with self._database.write() as tx:
            _open(tx, id)
            reached(tx, id, phase, wording.reason(text), by, now)

    def notice(self, id: int, by: str, now: float) -> None:
        """Let the receivers of alerts be told of it, whoever opened it."""
        with self._database.write() as tx:
            _open(tx, id)
            _added(tx, id, Kind.NOTE, by, now, "the receivers of alerts are told", {"notice": True})

    def note(
        self, id: int, text: str, by: str, now: float, *, remark: Remark | str = "", settles: int | None = None
    ) -> None:
        """A person's line, also after it was closed: what a review finds belongs here too. `settles` is the seq of a
        todo that is done.
        """
        text, detail = wording.reason(text), {"remark": str(_remark(remark))} if remark else {}
        with self._database.write() as tx:
            _row(tx, id)
            if settles is not None and not _todo(tx, id, settles):
                raise TemperError(f"incident {id} has no todo {settles}", fix="`temper incidents show` numbers them")
            _added(tx, id, Kind.NOTE, by, now, text, detail | ({} if settles is None else {"settles": settles}))

    def tested(self, id: int, text: str, test: str, by: str, now: float) -> None:
        """A line that a regression test was made of it; `test` is its path and digest."""
        with self._database.write() as tx:
            _row(tx, id)
            _added(tx, id, Kind.NOTE, by, now, wording.reason(text), {"test": test})

    def rank(self, id: int, severity: Severity | str, by: str, now: float) -> None:
        """How bad it is, as people see it now."""
        new = _severity(severity)
        with self._database.write() as tx:
            row = _open(tx, id)
            if row["severity"] != new:
                tx.all("UPDATE incident SET severity = ? WHERE id = ?", str(new), id)
                text = f"severity {new}, was {row['severity']}"
                _added(tx, id, Kind.SEVERITY, by, now, text, {"severity": str(new)})

    def assign(self, id: int, part: str, person: str, by: str, now: float) -> None:
        """Give somebody a part in it: lead, scribe or contact."""
        if part not in PARTS:
            raise TemperError(f"nobody can be {part[:80]!r}", fix=f"use one of {', '.join(PARTS)}")
        wording.name(person, "a person")
        with self._database.write() as tx:
            _open(tx, id)
            _added(tx, id, Kind.PART, by, now, f"{person} is {part}", {"part": part, "person": person})

    def close(self, id: int, text: str, by: str, now: float) -> None:
        """End it, with what ended it; it stays closed."""
        text = wording.reason(text)
        with self._database.write() as tx:
            _open(tx, id)
            _added(tx, id, Kind.CLOSED, by, now, text, {})
            tx.all("UPDATE incident SET closed = ? WHERE id = ?", now, id)

    def get(self, id: int) -> Incident:
        """An incident with its timeline. Raises `TemperError` where there is none."""
        with self._database.read() as tx:
            row = _row(tx, id)
            lines = tx.all("SELECT * FROM incident_entry WHERE incident = ? ORDER BY seq", id)
        return _incident(row, tuple(map(_entry, lines)))

    def page(
        self, open_only: bool = False, limit: int = 50, offset: int = 0, *, timelines: bool = False
    ) -> list[Incident]:
        """Incidents, those that are open first, then the newest; with their timelines where these are asked for."""
        where = "WHERE closed IS NULL" if open_only else ""
        sql = f"SELECT * FROM incident {where} ORDER BY (closed IS NULL) DESC, id DESC LIMIT ? OFFSET ?"
        lines: dict[int, list[Entry]] = {}
        with self._database.read() as tx:
            rows = tx.all(sql, limit, offset)
            if timelines and rows:
                marks = ", ".join("?" * len(rows))
                every = f"SELECT * FROM incident_entry WHERE incident IN ({marks}) ORDER BY seq"
                for line in tx.all(every, *(row["id"] for row in rows)):
                    lines.setdefault(line["incident"], []).append(_entry(line))
        return [_incident(row, tuple(lines.get(row["id"], ()))) for row in rows]

    def astray(self) -> list[str]:
        """Incidents and lines of their timelines that are not as the audit says; empty where all are."""
        with self._database.read() as tx:
            rows = tx.all(
                "SELECT action, subject, who, at, detail FROM audit WHERE action LIKE 'incident.%' ORDER BY seq"
            )
            lines = tx.all("SELECT seq, incident, who, at, text, detail FROM incident_entry ORDER BY seq")
            heads = {str(row["id"]): _head(row) for row in tx.all("SELECT * FROM incident")}
        said, begun = {}, dict[str, dict[str, Any]]()
        for row in rows:
            detail = from_json(row["detail"])
            entry, text = detail.pop("entry"), detail.pop("text")
            _replayed(begun, row, detail)
            said[entry] = (row["subject"], row["who"], row["at"], text, to_json(detail))
        there = {
            one["seq"]: (str(one["incident"]), one["who"], one["at"], one["text"], to_json(from_json(one["detail"])))
            for one in lines
        }
        wrong = sorted({seq for seq, _ in said.items() ^ there.items()})
        moved = [id for id, head in begun.items() if heads.get(id) != head]
        return [
            *(f"line {seq} of incident {(said.get(seq) or there[seq])[0]} was changed" for seq in wrong),
            *(f"the head of incident {id} was changed: its title, its source, or how it stands" for id in moved),
        ]

    def counts(self) -> tuple[int, int]:
        """How many are open, and how many there ever were."""
        with self._database.read() as tx:
            row = tx.one("SELECT count(*) AS n, count(closed) AS ended FROM incident")
        return (row["n"] - row["ended"], row["n"]) if row else (0, 0)


def told(tx: Transaction, id: int, text: str, by: str, now: float, run: str, evidence: str = "") -> None:
    """A line about a playbook that is run for it."""
    _row(tx, id)
    _added(tx, id, Kind.PLAYBOOK, by, now, text, {"run": run, **({"evidence": evidence} if evidence else {})})


def reached(tx: Transaction, id: int, phase: Phase, text: str, by: str, now: float) -> None:
    """A line that states a phase."""
    _added(tx, id, Kind.NOTE, by, now, f"{phase}: {text}", {"phase": str(phase)})


def _seen(tx: Transaction, one: Symptom, by: str, now: float) -> list[int]:
    """Write it into the open incident of its source; what is wrong opens one where there is none."""
    wording.name(one.source, "the source of an incident")
    text, row = wording.reason(one.text), _of_source(tx, one.source)
    if row is not None:
        if not (one.over and _is_over(tx, row["id"])):
            _added(tx, row["id"], Kind.SIGNAL, by, now, text, one.detail)
        return []
    if one.over:
        return []
    return [_opened(tx, wording.title(one.title), one.severity, one.source, by, now, text, one.detail)]


def _of_source(tx: Transaction, source: str) -> Row | None:
    return tx.one("SELECT * FROM incident WHERE source = ? AND closed IS NULL", source)


def _is_over(tx: Transaction, id: int) -> bool:
    """Whether the last that a program saw of it was that it is over."""
    sql = (
        "SELECT detail FROM incident_entry WHERE incident = ? AND kind IN ('opened', 'signal') "
        "ORDER BY seq DESC LIMIT 1"
    )
    last = tx.one(sql, id)
    return last is not None and bool(from_json(last["detail"]).get("over"))


def _remark(word: Remark | str) -> Remark:
    try:
        return Remark(word)
    except ValueError:
        raise TemperError(f"a note is no {str(word)[:80]!r}", fix=f"use one of {', '.join(Remark)}") from None


def _todo(tx: Transaction, id: int, seq: int) -> bool:
    row = tx.one("SELECT detail FROM incident_entry WHERE incident = ? AND seq = ?", id, seq)
    return row is not None and from_json(row["detail"]).get("remark") == Remark.TODO


def _led(tx: Transaction, id: int) -> bool:
    """Whether somebody leads it."""
    rows = tx.all("SELECT detail FROM incident_entry WHERE incident = ? AND kind = 'part'", id)
    return any(from_json(row["detail"]).get("part") == PARTS[0] for row in rows)


def _opened(
    tx: Transaction, title: str, severity: Severity, source: str, by: str, now: float, text: str, detail: dict[str, Any]
) -> int:
    last = tx.one("SELECT coalesce(max(id), 0) AS id FROM incident")
    new = (last["id"] if last else 0) + 1
    sql = "INSERT INTO incident (id, title, severity, source, opened, author) VALUES (?, ?, ?, ?, ?, ?)"
    tx.all(sql, new, title, str(severity), source, now, by)
    _added(
        tx,
        new,
        Kind.OPENED,
        by,
        now,
        text,
        detail,
        incident={"title": title, "severity": str(severity), "source": source},
    )
    return int(new)


def _head(row: Row) -> dict[str, Any]:
    """An incident beside the lines of its timeline."""
    return {name: row[name] for name in ("title", "severity", "source", "opened", "author", "closed")}


def _replayed(begun: dict[str, dict[str, Any]], row: Row, detail: dict[str, Any]) -> None:
    """How an incident stands by the rows of its audit up to this one; older ones do not say what it was called."""
    if (named := detail.pop("incident", None)) is not None:
        begun[row["subject"]] = named | {"opened": row["at"], "author": row["who"], "closed": None}
    elif (head := begun.get(row["subject"])) is not None:
        head |= {"severity": detail["severity"]} if "severity" in detail else {}
        head |= {"closed": row["at"]} if row["action"] == f"incident.{Kind.CLOSED}" else {}


def _added(
    tx: Transaction, id: int, kind: Kind, by: str, now: float, text: str, detail: dict[str, Any], **more: Any
) -> None:
    """A line of its timeline, and of the audit; `more` is for the audit alone."""
    last = tx.one("SELECT coalesce(max(seq), 0) AS seq FROM incident_entry")
    seq = (last["seq"] if last else 0) + 1
    sql = "INSERT INTO incident_entry (seq, incident, at, who, kind, text, detail) VALUES (?, ?, ?, ?, ?, ?, ?)"
    tx.all(sql, seq, id, now, by, str(kind), text, to_json(detail))
    audit.write(tx, now, by, f"incident.{kind}", str(id), entry=seq, text=text, **detail, **more)


def _row(tx: Transaction, id: int) -> Row:
    found = tx.one("SELECT * FROM incident WHERE id = ?", id)
    if found is None:
        raise TemperError(f"there is no incident {id}", fix="`temper incidents list` shows which there are")
    return found


def _open(tx: Transaction, id: int) -> Row:
    found = _row(tx, id)
    if found["closed"] is not None:
        raise Conflict(f"incident {id} is closed", fix="open another, or add a note")
    return found


def _severity(word: Severity | str) -> Severity:
    try:
        return Severity(word)
    except ValueError:
        raise TemperError(f"{str(word)[:80]!r} is no severity", fix=f"use one of {', '.join(Severity)}") from None


def _incident(row: Row, timeline: tuple[Entry, ...] = ()) -> Incident:
    kept = {name: row[name] for name in ("id", "title", "source", "opened", "closed")}
    return Incident(severity=Severity(row["severity"]), by=row["author"], timeline=timeline, **kept)


def _entry(row: Row) -> Entry:
    kept = {name: row[name] for name in ("seq", "at", "who", "text")}
    return Entry(kind=Kind(row["kind"]), detail=from_json(row["detail"]), **kept)
