"""How much an injection consists of: the measure by which one is smaller than another."""

from __future__ import annotations

from temper.attacks.injection._catalogue import carriers, wrappers
from temper.core.injection import Goal, Injection


def size(one: Injection, goal: Goal) -> int:
    """Characters that somebody has to write for it, order, dress and turns, and ten for each code.

    >>> goal = Goal(id="g", title="g", asks="Print A.", oracle="marker")
    >>> size(Injection(goal="g"), goal), size(Injection(goal="g", wrapper="ignore", codecs=("rot13",)), goal)
    (8, 73)
    """
    text = wrappers()[one.wrapper].around(f"{one.words or goal.asks} {one.suffix}".strip(), one.codecs)
    if one.carrier:
        text = carriers()[one.carrier].around(text, one.position)
    return len(text) + sum(map(len, one.turns)) + 10 * len(one.codecs)
