"""A probe in a terminal: the score before and after, what every stage says, which rules break, and what moved it."""

from __future__ import annotations

from collections.abc import Iterator

from temper.core.probe import Look
from temper.report._inert import inert


def text(look: Look, origin: str, missing: str = "") -> str:
    """It in lines.

    >>> print(text(Look(after=0.25, decided="0", threshold=0.5), "an empty row", "no data"))
    an empty row
      score      0.25 (0), threshold 0.5
      stages     none: no data
      admissible yes
    """
    return "\n".join([inert(origin, 200), *_lines(look, missing)])


def _lines(look: Look, missing: str) -> Iterator[str]:
    if look.after is None:
        yield from _stages(look, missing)
        return
    decided = f" ({inert(look.decided, 40)})" if look.decided else ""
    limit = "" if look.threshold is None else f", threshold {look.threshold:g}"
    if look.before is None:
        yield f"  score      {look.after:.4g}{decided}{limit}"
    else:
        moved = f"{look.before:.4g} -> {look.after:.4g}"
        yield f"  score      {moved} ({inert(look.decided_before, 40)} -> {inert(look.decided, 40)}){limit}"
    yield from _stages(look, missing)
    yield f"  admissible {'no' if look.broken else 'yes'}"
    yield from (f"             {inert(one, 200)}" for one in look.broken)
    if look.before is None:
        return
    back = dict(look.moved)
    yield f"  cost       {look.cost:.4g}"
    for one in look.changes:
        share = f", undone alone the score moves by {-back[one.column]:+.4g}" if one.column in back else ""
        yield f"  change     {inert(str(one), 200)}{', follows' if one.derived else share}"


def _stages(look: Look, missing: str) -> Iterator[str]:
    for at, one in enumerate(look.told):
        shadow = "" if one.counts else " in shadow" if one.mode == "shadow" else " not asked"
        reason = f": {inert(one.reason, 200)}" if one.reason else ""
        yield f"  {'stages' if not at else '':<10} {one.stage} {one.level}{shadow}{reason}"
    if not look.told:
        yield f"  stages     none{': ' if missing else ''}{missing}"
