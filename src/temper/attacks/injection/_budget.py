"""A strategy's attempts counted, and none made twice: the same trials of the same injection bring the same answers."""

from __future__ import annotations

from typing import Any

from temper.core.chat import Request
from temper.core.injection import Injection, Play, Shown

_IDLE = 50


def within(work: Play, attempts: int) -> Play:
    """What `work` tries, until `attempts` injections have been tried or it has asked for nothing new 50 times. What it
    asks for again is answered from before and counts no more. Questions to an attacker model pass.
    """
    known: dict[Injection, Shown] = {}
    sent: Any = None
    idle = 0
    while len(known) < attempts and idle < _IDLE:
        try:
            batch: tuple[Any, ...] = work.send(sent)
        except StopIteration:
            return
        if isinstance(batch[0], Request):
            sent = yield batch
            continue
        new = tuple(dict.fromkeys(one for one in batch if one not in known))[: attempts - len(known)]
        idle = 0 if new else idle + 1
        if new:
            known |= zip(new, (yield new), strict=True)
        if len(known) < attempts:
            sent = tuple(known[one] for one in batch)
