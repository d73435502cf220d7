"""Decisions whose input was kept are made again, and held against what was written down then."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from temper.core.errors import ConfigError
from temper.core.serving import Scoring, Source
from temper.core.stage import Level
from temper.gateway.keys import key_in
from temper.gateway.tables.deploy import guard
from temper.gateway.tables.reload import effective
from temper.gateway.tables.version import decider
from temper.guard.serving import parts
from temper.guard.serving.assembled import Kept
from temper.guard.serving.pipeline import Pipeline
from temper.store.control import Control
from temper.store.ledger import record as lines
from temper.store.ledger.personal import Personal
from temper.store.ledger.record import Decided
from temper.store.ledger.verify import logs, records

_BODY = msgspec.msgpack.Decoder(Decided)
_SECONDS = 60.0
_NOT_AGAIN = (*parts.EACH, *parts.AROUND)
_CLOSE = 1e-9
"""How far a score may lie from what was written down: one row and many are added up in another order."""


@dataclass(slots=True, kw_only=True)
class Replayed:
    """`same` decisions came out as they had been, `different` did not; `left` counts by reason those that could not be
    made again. What the rows of a decision have to be compared with is what people were asked about: of all others the
    ledger holds a commitment alone.
    """

    same: int = 0
    different: list[str] = field(default_factory=list)
    left: Counter[str] = field(default_factory=Counter)

    def told(self) -> Iterator[str]:
        """What was found, in a few lines."""
        tried = self.same + len(self.different)
        yield f"{tried:,} decisions made again, {self.same:,} as they were; {sum(self.left.values()):,} could not be:"
        yield from (f"  {many:,} {why}" for why, many in self.left.most_common())
        yield from (f"  different: {one}" for one in self.different[:20])


def replayed(path: Path, config: Path) -> Replayed:
    """Every decision below `path`, by the model and the policy that are live under this temper.yaml."""
    serving = guard(config)
    control = Control.open(serving.control)
    try:
        system, serving, _ = effective(config, control)
    finally:
        control.close()
    pipeline, policy = decider(system, serving, Kept())
    places, found = logs(path), Replayed()
    folder = path if path.is_dir() else path.parent
    if not (folder / "personal.db").is_file():
        raise ConfigError(f"{folder} keeps no inputs", fix="give the audit folder of a gateway")
    with Personal(folder / "personal.db", key_in(folder)) as personal:
        for place in places:
            for seq, data in records(place):
                record = lines.decode(data)
                if record.kind == "decision":
                    _judge(found, f"{place.stem} {seq}", _BODY.decode(record.body), personal, pipeline, policy, system)
    return found


def _judge(
    found: Replayed, name: str, body: Decided, personal: Personal, pipeline: Pipeline, policy: str, system: Any
) -> None:
    rows = _rows(body, personal, len(system.schema.columns))
    if why := _cannot(body, rows, policy):
        found.left[why] += 1
        return
    told = asyncio.run(_again(body, rows, pipeline))
    if fault := _apart(body, told):
        found.different.append(f"{name}: {fault}")
    else:
        found.same += 1


def _cannot(body: Decided, rows: Any, policy: str) -> str:
    """Why this decision is not made again, "" where it is."""
    if body.policy != policy:
        return "were made under another policy or model"
    if rows is None:
        return "have no input that was kept, or it was erased"
    if body.source != Source.PRIMARY.value:
        return "were not the model's: how it was then is not written down"
    if any(one.stage in parts.EACH and Level[one.level] >= Level.BLOCK for one in body.rulings):
        return "were blocked for what the client had asked before"
    return ""


def _rows(body: Decided, personal: Personal, columns: int) -> Any:
    if Level[body.level] < Level.REVIEW:
        return None
    opening = personal.open(body.commitment)
    return None if opening is None else np.frombuffer(opening.data, dtype=np.float64).reshape((-1, columns))


async def _again(body: Decided, rows: Any, pipeline: Pipeline) -> Scoring:
    """The decision without the stages that know what the client had asked before."""
    at = time.monotonic()
    scoring = Scoring(rows=rows, client=body.client, request=body.request, at=at, deadline=at + _SECONDS)
    await replace(pipeline, each=(), learn=None).answer(scoring)
    return scoring


def _apart(body: Decided, told: Scoring) -> str:
    """What is different, "" where nothing is; rulings on what a client had asked before, and those of the moment, are
    taken as they were.
    """
    scores = () if told.scores is None else tuple(told.scores.tolist())
    if len(scores) != len(body.scores) or not np.allclose(scores, body.scores, rtol=0, atol=_CLOSE):
        return f"scores {list(scores)[:3]}, not {list(body.scores)[:3]}"
    now = [(one.stage, one.level.name, one.reason) for one in told.decisions if one.stage not in _NOT_AGAIN]
    then = [(one.stage, one.level, one.reason) for one in body.rulings if one.stage not in _NOT_AGAIN]
    return "" if now == then else f"{now[:3]}, not {then[:3]}"
