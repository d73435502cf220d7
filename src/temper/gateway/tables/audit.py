"""What is written down of a request before it is answered."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from temper.core.errors import StoreError
from temper.core.serving import Scoring
from temper.core.stage import Level
from temper.guard.serving.pipeline import Waiting
from temper.guard.serving.remembered import same
from temper.store.ledger.journal import Journal
from temper.store.ledger.personal import Personal
from temper.store.ledger.record import Decided, decided


@dataclass(slots=True, kw_only=True, eq=False)
class Audit:
    """Keeps the decision on a request in the journal of this worker. With `durable` every answer waits for the disk;
    without, those that people act on (REVIEW and BLOCK) do, and the others are written within milliseconds.

    What people will look at is sealed beside the journal, where it can be erased; of everything else the journal has a
    commitment alone. Where the disk fails, what has to be durable is refused, and nothing is answered unrecorded.
    """

    journal: Journal
    personal: Personal
    model: str
    digest: str
    policy: str
    secret: bytes = b""
    """What is kept to know a request again by is keyed with it."""
    durable: bool = True
    sealing: ThreadPoolExecutor | None = None
    """A thread that nobody else uses, or answers for people would wait for whatever else waits."""
    _unsealed: list[tuple[Scoring, bytes, Waiting]] = field(default_factory=list, init=False, repr=False)
    _task: asyncio.Task[None] | None = field(default=None, init=False, repr=False)

    def record(self, scoring: Scoring, waiting: Waiting) -> None:
        """`waiting` is done once the record is where it has to be; it, or this, fails with `StoreError`."""
        data = scoring.rows.tobytes()
        level = scoring.level if scoring.decisions else Level.ALLOW
        if level >= Level.REVIEW:
            self._unsealed.append((scoring, data, waiting))
            if self._task is None or self._task.done():
                self._task = asyncio.get_running_loop().create_task(self._sealed())
        elif self.durable:
            self.journal.submit("decision", self._open(scoring, data), waiting)
        else:
            self.journal.put("decision", self._open(scoring, data))
            waiting.set_result(-1)

    async def _sealed(self) -> None:
        """First what was asked, then the decision that names it. All that wait go together: a burst that nobody but
        people can answer would else wait for the disk as many times as it has requests, beyond its deadline.
        """
        loop = asyncio.get_running_loop()
        while self._unsealed:
            batch, self._unsealed = self._unsealed, []
            entries = [(scoring.person, data) for scoring, data, _ in batch]
            try:
                bounds = await loop.run_in_executor(self.sealing, self.personal.keep_all, entries)
                for (scoring, _, waiting), bound in zip(batch, bounds, strict=True):
                    self.journal.submit("decision", self._body(scoring, bound), waiting)
            except StoreError as failure:
                for _, _, waiting in batch:
                    if not waiting.done():
                        waiting.set_exception(failure)

    def _open(self, scoring: Scoring, data: bytes) -> Decided:
        """Of rows that were not kept, so that nobody can ask for them to be erased."""
        known = same(self.secret, data) if scoring.named else b""
        return self._body(scoring, self.journal.commitment(data), known)

    def _body(self, scoring: Scoring, bound: bytes, known: bytes = b"") -> Decided:
        about = {"model": self.model, "digest": self.digest, "policy": self.policy}
        return decided(scoring, **about, commitment=bound, same=known)
