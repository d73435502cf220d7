"""Decisions that were made already, put before people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from temper.core.errors import ConfigError
from temper.core.incident import Acted
from temper.core.serving import Source
from temper.response.context import Context
from temper.store.ledger import record as lines
from temper.store.ledger.record import Decided
from temper.store.ledger.tree import leaf
from temper.store.ledger.verify import logs, records


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """Opens a case for every decision of the last `minutes` in this machine's ledger: of one `client`, of one `source`
    (primary, challenger, rules, ...), or of all. `hours` is how long people have.

    Of more than `most` it takes every second, third, ... one: what people find in them holds for all. A decision that
    is a case already stays one case. The rows of decisions that nobody had to look at then are not kept, so those
    cases show score and source alone.
    """

    risky: ClassVar[bool] = True
    minutes: float = 60.0
    client: str = ""
    source: str = ""
    most: int = 200
    hours: float = 24.0

    def __post_init__(self) -> None:
        known = [one.value for one in Source]
        if self.source and self.source not in known:
            raise ConfigError(f"no decision comes from {self.source!r}", fix=f"use one of {', '.join(known)}")
        if not (self.minutes > 0 and self.hours > 0 and self.most > 0):
            raise ConfigError("a review takes minutes, hours and a number of cases above 0", fix="correct them")

    def act(self, context: Context) -> Acted:
        found = self._affected(context)
        said = f"{len(found):,} decisions of the last {self.minutes:g} minutes are affected"
        step = -(-len(found) // self.most)
        if not found:
            return Acted(found=said)
        chosen = dict(list(found.items())[::step])
        if not context.dry:
            _open(context, chosen, 3600.0 * self.hours)
        which = "each becomes a case" if step == 1 else f"one in {step} becomes a case, {len(chosen):,} in all"
        lasting = "cases stay until they are decided or due"
        return Acted(found=said, does=f"{which}, due in {self.hours:g} hours", lasting=lasting)

    def _affected(self, context: Context) -> dict[str, Decided]:
        """Decisions by the names of their cases, which are those that a gateway gives them."""
        import msgspec

        body_of = msgspec.msgpack.Decoder(Decided).decode
        since = int((context.clock() - 60.0 * self.minutes) * 1e9)
        found = {}
        for log in logs(Path(context.serving.audit)):
            for seq, data in records(log):
                record = lines.decode(data)
                if record.kind != "decision" or record.wall < since:
                    continue
                if self._wanted(body := body_of(record.body)):
                    found[f"{record.node}-{record.worker}-{seq}-{leaf(data).hex()[:16]}"] = body
        return found

    def _wanted(self, body: Decided) -> bool:
        return (not self.client or body.client == self.client) and (not self.source or body.source == self.source)


def _open(context: Context, found: Mapping[str, Decided], seconds: float) -> None:
    now = context.clock()
    for name, body in found.items():
        payload: dict[str, Any] = {
            "request": body.request,
            "client": body.client,
            "score": max(body.scores, default=None),
            "source": body.source,
            "reasons": [f"looked at again: {context.reason}", *(f"{one.stage}: {one.reason}" for one in body.rulings)],
            "rows": [],
            "reference": {},
            "policy": body.policy,
            "model": body.digest,
        }
        context.control.reviews.enqueue(name, payload, now, due=now + seconds)


PLUGIN = Review
