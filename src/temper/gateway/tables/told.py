"""What `temper serve` says when it begins and when it ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from temper.gateway.tables.watching import stages

if TYPE_CHECKING:
    from temper.gateway.tables.build import Gateway


def described(gateway: Gateway, url: str) -> Iterator[str]:
    """What was put together, in a few lines."""
    live = gateway.live
    model, pipeline = live.served, live.pipeline
    exact = f", at most {model.difference:.0e} from the model on {model.checked:,} rows" if model.checked else ""
    behind = "an upstream" if pipeline.model is not model else f"{model.engine}{exact}"
    yield f"{live.system.name} by {behind}"
    yield "stages: " + ", ".join(stages(live.serving))
    links = [link.source.value for link in pipeline.chain.links]
    yield "where the model cannot answer: " + ", then ".join([*links, pipeline.chain.last.value])
    yield f"policy {live.policy[:12]}, every decision in {gateway.journal.path}"
    yield f"{url}/v1/score, {url}/v2, {url}/metrics (Ctrl-C ends it)"


def ended(gateway: Gateway) -> str:
    """What was done, at the end."""
    answered, journal = gateway.counted.seconds.count, gateway.journal
    return f"ended: {answered:,} answers, {journal.seq:,} records in {journal.path}; temper ledger verify checks them"
