"""What a fault on the wire does to one exchange, as data: the proxy and the wrapper of a target carry it out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Done to one question and its answer; the defaults do nothing.

    The answer comes `wait` seconds late, not before the fault is over (`hang`), or never since the line is broken off
    before it (`refuse`). `status` is answered in place of whoever is asked, `body` in place of what was answered, and
    `fields` of a JSON answer are overwritten. Of the answer's body the share `part` arrives, then the line ends: in
    order, or by a reset (`reset`).

    >>> Effect(wait=0.2) == Effect()
    False
    """

    wait: float = 0.0
    hang: bool = False
    refuse: bool = False
    status: int = 0
    body: bytes | None = None
    fields: tuple[tuple[str, str], ...] = ()
    part: float = 1.0
    reset: bool = False


NOTHING = Effect()
