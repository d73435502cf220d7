"""Answers that outlive the process which gave them: read from the ledger at the start, and told between workers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np

from temper.core.serving import Answer, Scoring, Source
from temper.core.stage import Level
from temper.guard.serving.remembered import Remembered, Said, same
from temper.store.control import Control
from temper.store.control.answers import Answered
from temper.store.ledger import record as lines
from temper.store.ledger.personal import Personal
from temper.store.ledger.record import Decided
from temper.store.ledger.verify import logs, records, size

_MOST = 100_000
"""Records of a log that are looked through at the start."""
_PRUNED = 60.0
_BODY = msgspec.msgpack.Decoder(Decided)


class _Told(msgspec.Struct, frozen=True, array_like=True):
    """What another worker needs to know of an answer."""

    level: str
    rows: int
    scores: tuple[float, ...]
    source: str
    model: str
    policy: str


_TOLD = msgspec.json.Decoder(_Told)


@dataclass(slots=True, kw_only=True, eq=False)
class Recall:
    """What to say again instead of deciding again. `load` reads the ledgers of this gateway, `follow` the control
    store, and `tell` writes there what this worker has answered.
    """

    control: Control
    personal: Personal
    holder: str
    secret: bytes
    remembered: Remembered = field(default_factory=Remembered)
    _seq: int = field(default=0, init=False, repr=False)
    _pruned: float = field(default=0.0, init=False, repr=False)

    @classmethod
    def begin(cls, control: Control, personal: Personal, holder: str) -> Recall:
        """With what stands in the ledgers beside these personal data."""
        found = cls(control=control, personal=personal, holder=holder, secret=control.answers.secret())
        found.load(personal.path.parent)
        return found

    def __call__(self, client: str, scoring: Scoring) -> Answer | None:
        """The answer this request was given before; `Conflict` where its id was used for other rows."""
        if not len(self.remembered):
            return None
        digest = same(self.secret, scoring.rows.tobytes())
        return self.remembered.find(client, scoring.request, digest, time.time())

    def load(self, folder: Path) -> None:
        """Answers of the last minutes, as they stand in the ledgers of this folder."""
        since = time.time() - self.remembered.seconds
        found = [one for log in logs(folder) if _newest(log) >= since for one in self._named(log, since)]
        found.sort(key=lambda one: one[2].at)
        self.remembered.put(found)

    def told(self, body: Decided, at: float) -> Answered | None:
        """What the others should know of a decision; None where nobody can ask for it again."""
        if not body.named:
            return None
        known = _Told(body.level, body.rows, _scores(body), body.source, body.digest, body.policy)
        return Answered(
            client=body.who or body.client,
            request=body.request,
            digest=self._digest(body).hex(),
            at=at,
            answer=msgspec.json.encode(known).decode(),
        )

    def tell(self, entries: list[Answered]) -> None:
        """Let the others know."""
        self.control.answers.put(self.holder, entries)

    def follow(self) -> None:
        """Hear what the others have answered, and forget what is old."""
        now = time.time()
        if now >= self._pruned + _PRUNED:
            self.control.answers.prune(now - self.remembered.seconds)
            self._pruned = now
        self._seq, found = self.control.answers.since(self.holder, self._seq)
        self.remembered.put((one.client, one.request, _said(one)) for one in found)

    def _named(self, log: Path, since: float) -> Iterator[tuple[str, str, Said]]:
        for _, data in records(log, max(0, size(log) - _MOST)):
            record = lines.decode(data)
            if record.kind == "decision" and (at := record.wall / 1e9) >= since:
                body = _BODY.decode(record.body)
                if body.named:
                    answer = _answer(body.level, body.rows, _scores(body), body.source, body.digest, body.policy)
                    yield body.who or body.client, body.request, Said(answer, self._digest(body), at)

    def _digest(self, body: Decided) -> bytes:
        """What tells the rows of a decision from others; b"" where they were erased."""
        if body.same:
            return body.same
        opening = self.personal.open(body.commitment)
        return b"" if opening is None else same(self.secret, opening.data)


def _said(one: Answered) -> Said:
    told = _TOLD.decode(one.answer)
    answer = _answer(told.level, told.rows, told.scores, told.source, told.model, told.policy)
    return Said(answer, bytes.fromhex(one.digest), one.at)


def _scores(body: Decided) -> tuple[float, ...]:
    return () if Level[body.level] >= Level.BLOCK else body.scores


def _answer(level: str, rows: int, scores: tuple[float, ...], source: str, model: str, policy: str) -> Answer:
    return Answer(
        scores=np.array(scores), levels=(Level[level],) * rows, source=Source(source), model=model, policy=policy
    )


def _newest(log: Path) -> float:
    """When a log was written last."""
    beside = log.with_name(f"{log.name}-wal")
    return max((path.stat().st_mtime for path in (log, beside) if path.exists()), default=0.0)
