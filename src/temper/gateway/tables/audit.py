"""What is written down of a request before it is answered."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from temper.core.serving import Scoring
from temper.core.stage import Level
from temper.guard.serving.pipeline import Waiting
from temper.store.ledger import checkpoint
from temper.store.ledger.journal import Journal
from temper.store.ledger.record import decided
from temper.targets.signature import new_key


@dataclass(slots=True, kw_only=True, eq=False)
class Audit:
    """Keeps the decision on a request in the journal of this worker. With `durable` every answer waits for the disk;
    without, those that people act on (REVIEW and BLOCK) do, and the others are written within milliseconds.

    Where the disk fails, what has to be durable is refused, and nothing is answered unrecorded.
    """

    journal: Journal
    model: str
    digest: str
    policy: str
    durable: bool = True

    def record(self, scoring: Scoring, waiting: Waiting) -> None:
        """`waiting` is done once the record is where it has to be; it, or this, fails with `StoreError`."""
        level = scoring.level if scoring.decisions else Level.ALLOW
        body = decided(
            scoring,
            model=self.model,
            digest=self.digest,
            policy=self.policy,
            commitment=self.journal.commitment(scoring.rows.tobytes()),
        )
        if self.durable or level >= Level.REVIEW:
            self.journal.submit("decision", body, waiting)
        else:
            self.journal.put("decision", body)
            waiting.set_result(-1)


def key_in(folder: Path) -> bytes:
    """The key that signs this ledger, drawn when the first gateway starts in this folder."""
    stem = folder / "ledger"
    private = stem.with_suffix(".key")
    if not private.exists():
        folder.mkdir(parents=True, exist_ok=True)
        private, _ = new_key(stem)
    return checkpoint.private_key(private)
