"""What is written down of an exchange with an assistant before it is answered."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from temper.core.assistant import Audit
from temper.core.chat import Message, Request
from temper.core.stage import Decision, Level
from temper.gateway.keys import key_in
from temper.gateway.trail import Course, Trail
from temper.store.ledger.exchange import BEGUN, EXCHANGE, Answered, Begun, Exchanged, Ruled
from temper.store.ledger.journal import Journal
from temper.store.ledger.personal import Personal
from temper.store.ledger.record import packed


@dataclass(slots=True, kw_only=True, eq=False)
class Exchanges:
    """Keeps every exchange in the journal: stages with their decisions, policy, model, and keyed commitments of what
    was asked and said, never the words. The words, with the stages' reasons, which quote them, are sealed beside it
    where `texts` asks for that, under the person's name if the client has told it, and can be erased.

    With `durable` every answer waits for the disk; without, what the guard stopped does, and the rest is written within
    milliseconds. An answer in pieces has a record before its first piece and one before its end. Where the disk fails,
    these raise `StoreError`, and nothing is to be answered.
    """

    journal: Journal
    personal: Personal | None
    model: str
    digest: str
    policy: str
    durable: bool = True
    texts: str = "none"

    @classmethod
    def opened(cls, audit: Audit, *, model: str, digest: str, policy: str) -> Exchanges:
        """The ledger as it is configured, with a key of its own where there is none yet."""
        folder = Path(audit.folder)
        key = key_in(folder)
        journal = Journal.open(folder, "node", "0", key=key, wall=time.time_ns, checkpoints=audit.checkpoints or None)
        return cls(
            journal=journal,
            personal=Personal(folder / "personal.db", key) if audit.texts != "none" else None,
            model=model,
            digest=digest,
            policy=policy,
            durable=audit.durable,
            texts=audit.texts,
        )

    @property
    def fault(self) -> bool:
        """Whether nothing can be written now."""
        return self.journal.fault is not None

    async def begun(self, course: Course) -> None:
        """An answer in pieces is about to go out."""
        asked = b"" if self.personal else self._bound(course.id, course.request)
        body = Begun(request=course.id, client=course.client, model=self.model, policy=self.policy, asked=asked)
        await self._write(BEGUN, body, course.asked)

    async def over(self, course: Course, failed: str = "") -> None:
        """An exchange is about to be answered, or has `failed`. What fails later, on the way out, changes nothing of
        what was decided: it is one record all the same.
        """
        if course.over:
            return
        course.over, kept = True, b""
        if self.personal is not None and (self.texts == "all" or course.level >= Level.REVIEW):
            words = json.dumps(msgspec.to_builtins(course.words())).encode()
            kept = await asyncio.to_thread(self.personal.keep, course.subject, words)
        await self._write(EXCHANGE, self._body(course, kept, failed), course.level)

    def close(self) -> None:
        """Write what is left and let go of the files."""
        self.journal.close()
        if self.personal is not None:
            self.personal.close()

    async def _write(self, kind: str, body: msgspec.Struct, level: Level) -> None:
        if self.durable or level >= Level.REVIEW:
            await self.journal.append(kind, body)
        else:
            self.journal.put(kind, body)

    def _body(self, course: Course, kept: bytes, failed: str) -> Exchanged:
        return Exchanged(
            request=course.id,
            client=course.client,
            model=self.model,
            digest=self.digest,
            policy=self.policy,
            level=course.level.name,
            asked=b"" if kept else self._bound(course.id, course.request),
            rulings=_ruled(course.trails[0].asked),
            answers=tuple(self._answered(course.id, trail, bool(kept)) for trail in course.trails),
            kept=kept,
            stream=course.stream,
            failed=failed,
            read=sum(trail.usage.read for trail in course.trails),
            written=sum(trail.usage.written for trail in course.trails),
        )

    def _answered(self, request: str, trail: Trail, kept: bool) -> Answered:
        wrote, said = (b"" if one is None else self._bound(request, one.message) for one in (trail.wrote, trail.said))
        return Answered(
            level=trail.level.name,
            rulings=_ruled(trail.answered),
            said=b"" if kept else said,
            wrote=b"" if kept or wrote == said else wrote,
        )

    def _bound(self, request: str, words: Request | Message) -> bytes:
        """The commitment to words of an exchange: the same words of another have another, so that nobody who reads the
        ledger sees who said the same.
        """
        return self.journal.commitment(packed({"request": request, "words": words}))


def _ruled(found: dict[str, Decision]) -> tuple[Ruled, ...]:
    return tuple(Ruled(name, one.level.name) for name, one in found.items())
