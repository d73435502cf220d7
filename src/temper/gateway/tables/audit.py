"""What is written down of a request before it is answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from temper.core.errors import StoreError
from temper.core.serving import Scoring
from temper.core.stage import Level
from temper.guard.serving.pipeline import Refuses
from temper.store.ledger import checkpoint
from temper.store.ledger.journal import Journal
from temper.store.ledger.record import decided
from temper.targets.signature import new_key


@dataclass(slots=True, kw_only=True, eq=False)
class Audit:
    """Keeps the decision on a request in the journal of this worker. With `durable` every answer waits for the disk;
    without, those that people act on (REVIEW and BLOCK) do, and the others are written within milliseconds.

    Where the disk fails, what has to be durable is refused with a 503, and nothing is answered unrecorded.
    """

    journal: Journal
    model: str
    digest: str
    policy: str
    durable: bool = True
    failed: int = 0
    after: Callable[[Scoring, int], None] | None = field(default=None)

    async def record(self, scoring: Scoring) -> None:
        """Returns once the record is where it has to be."""
        body = decided(
            scoring,
            model=self.model,
            digest=self.digest,
            policy=self.policy,
            commitment=self.journal.commitment(scoring.rows.tobytes()),
        )
        try:
            if self.durable or scoring.level >= Level.REVIEW:
                seq = await self.journal.append("decision", body)
                if self.after is not None:
                    self.after(scoring, seq)
            else:
                self.journal.put("decision", body)
        except StoreError as failure:
            self.failed += 1
            raise Refuses(503, "decisions cannot be recorded now, so none is made", 1.0) from failure


def key_in(folder: Path) -> bytes:
    """The key that signs this ledger, drawn when the first gateway starts in this folder."""
    stem = folder / "ledger"
    private = stem.with_suffix(".key")
    if not private.exists():
        folder.mkdir(parents=True, exist_ok=True)
        private, _ = new_key(stem)
    return checkpoint.private_key(private)
