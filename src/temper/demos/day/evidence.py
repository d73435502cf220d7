"""What the analyst finds in the ledger: who asks about little but payments that are stopped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from temper.store.ledger import record as lines
from temper.store.ledger.record import Decided
from temper.store.ledger.verify import logs, records

_LEAST = 50
"""Rows without which nobody is suspected."""


def stopped(audit: Path, threshold: float) -> Mapping[str, float]:
    """Of every client in the ledger the share of its rows that lie above the threshold, the largest first.

    Whoever looks for what passes begins with what does not, so much of what he asks is stopped; of customers' payments
    one in fifty is.
    """
    import msgspec

    body_of = msgspec.msgpack.Decoder(Decided).decode
    every, above = Counter[str](), Counter[str]()
    for log in logs(audit):
        for _, data in records(log):
            record = lines.decode(data)
            if record.kind == "decision":
                body = body_of(record.body)
                every[body.client] += len(body.scores)
                above[body.client] += sum(score >= threshold for score in body.scores)
    shares = {name: above[name] / many for name, many in every.items() if many >= _LEAST}
    return dict(sorted(shares.items(), key=lambda one: -one[1]))
