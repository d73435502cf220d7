"""A probe in a terminal: the score before and after, what every stage says, which rules break, and what moved it; a
conversation turn by turn, and many rows as a table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from temper.core.probe import ANSWER, OUTSIDER, SUPPOSED, USER, Look, Told, Turns, turns_of, worst
from temper.core.stage import Level
from temper.report._inert import inert

WHO = {
    USER: "the user",
    OUTSIDER: "an outsider, by a tool",
    ANSWER: "the assistant",
    SUPPOSED: "the assistant, as somebody supposes",
}
"""Who says something, in words."""


def text(look: Look, origin: str, missing: str = "", said: Turns = ()) -> str:
    """It in lines.

    >>> print(text(Look(after=0.25, decided="0", threshold=0.5), "an empty row", "no data"))
    an empty row
      score      0.25 (0), threshold 0.5
      stages     none: no data
      admissible yes
    """
    return "\n".join([inert(origin, 200), *(_talk(look, said, missing) if said else _lines(look, missing))])


def line(number: int, look: Look) -> str:
    """One of many rows: its line, score, decision, what came of it, stages that object, and a rule that it breaks.

    >>> line(2, Look(after=0.25, decided="0", threshold=0.5))
    '2\\t0.25\\t0\\ta row from nothing\\t-\\tadmissible'
    """
    score = f"{look.after:.4g}" if look.before is None else f"{look.before:.4g} -> {look.after:.4g}"
    objects = ", ".join(f"{one.stage} {one.level}" for one in objecting(look.told)) or "-"
    rule = inert(look.broken[0], 200) if look.broken else "admissible"
    return "\t".join((str(number), score, inert(look.decided, 40) or "-", look.outcome.value, objects, rule))


def objecting(told: Sequence[Told]) -> list[Told]:
    """The stages that have something against it, and are asked."""
    return [one for one in told if one.level != Level.ALLOW.name and one.mode != "aside"]


def _lines(look: Look, missing: str) -> Iterator[str]:
    if look.after is None:
        yield from _stages(look.told, missing)
        yield from _policy(look)
        return
    decided = f" ({inert(look.decided, 40)})" if look.decided else ""
    limit = "" if look.threshold is None else f", threshold {look.threshold:g}"
    if look.before is None:
        yield f"  score      {look.after:.4g}{decided}{limit}"
    else:
        moved = f"{look.before:.4g} -> {look.after:.4g}"
        yield f"  score      {moved} ({inert(look.decided_before, 40)} -> {inert(look.decided, 40)}){limit}"
    yield from _stages(look.told, missing)
    yield from _policy(look)
    yield f"  admissible {'no' if look.broken else 'yes'}"
    yield from (f"             {inert(one, 200)}" for one in look.broken)
    if look.before is None:
        return
    back = dict(look.moved)
    yield f"  cost       {look.cost:.4g}"
    for one in look.changes:
        share = f", undone alone the score moves by {-back[one.column]:+.4g}" if one.column in back else ""
        yield f"  change     {inert(str(one), 200)}{', follows' if one.derived else share}"


def _talk(look: Look, said: Turns, missing: str) -> Iterator[str]:
    """Each turn with what is said in it, and what the stages make of it."""
    for number, (turn, told) in enumerate(zip(turns_of(said), (*look.earlier, look.told), strict=False), start=1):
        let = "the guard lets it by" if worst(told) < Level.REVIEW else "the guard holds it back"
        yield f"  turn {number}     {let}"
        for who, words in turn:
            first, *rest = words.split("\n")
            yield f"    {WHO[who]}: {inert(first, 400)}"
            yield from (f"      {inert(one, 400)}" for one in rest)
        yield from _stages(told, missing)
    yield from _policy(look)


def _policy(look: Look) -> Iterator[str]:
    if look.policy:
        yield f"  judged by  {inert(look.policy, 80)}"


def _stages(told: Sequence[Told], missing: str) -> Iterator[str]:
    for at, one in enumerate(told):
        shadow = "" if one.counts else " in shadow" if one.mode == "shadow" else " not asked"
        reason = f": {inert(one.reason, 200)}" if one.reason else ""
        yield f"  {'stages' if not at else '':<10} {one.stage} {one.level}{shadow}{reason}"
    if not told:
        yield f"  stages     none{': ' if missing else ''}{missing}"
