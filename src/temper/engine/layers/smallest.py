"""The smallest set of layers that keeps the limits, and the layers whose failure would show most, looked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

from temper.core.depth import Chosen, Limits
from temper.core.requirement import Verdict
from temper.engine.layers.choose import Costs
from temper.engine.layers.games import Asked, burden, share

_HALVES = 8
"""Actors below which a set cannot be chosen on one half and judged on the other."""
Cost = Callable[[int], tuple[float, ...]]


def chosen(asked: Asked, costs: Costs) -> Chosen | None:
    """The smallest set that keeps the limits. It is looked for on one half of the actors; the other half judges the
    sets in that order, down to the first that is not seen to hold, so that looking at many needs no correction. None
    where the actors are too few for two halves.
    """
    if len(asked.actors) < _HALVES:
        return None
    limits = costs.limits

    def passed(mask: int) -> float:
        return float(asked.through(mask)[::2].mean())

    def cost(mask: int) -> tuple[float, ...]:
        return costs.rank(_names(asked, mask), passed(mask))

    best = (asked.whole, share(asked.through(asked.whole)[1::2], limits.confidence), Verdict.INCONCLUSIVE)
    for mask in fewer_and_fewer(passed, asked.whole, cost, limits.residual):
        residual = share(asked.through(mask)[1::2], limits.confidence)
        held = residual.against(limits.residual)
        refused, _ = burden(costs.honest, _names(asked, mask), limits.confidence)
        verdict = together(held, refused.against(limits.refused))
        if mask == asked.whole or verdict is Verdict.PASS or (best[2] is not Verdict.PASS and held is Verdict.PASS):
            best = (mask, residual, verdict)
        if held is not Verdict.PASS:
            break
    mask, residual, verdict = best
    return Chosen(layers=_names(asked, mask), residual=residual, verdict=verdict, why=_why(verdict, mask, asked))


def fewer_and_fewer(passed: Callable[[int], float], whole: int, cost: Cost, limit: float) -> Iterator[int]:
    """All layers, and fewer and fewer of them as long as what gets through keeps the limit on average: away goes what
    is missed least, and of those what costs most; where none can go, two for one that had gone. That finds no smaller
    set always where there is one.

    >>> list(fewer_and_fewer(lambda mask: 0.0 if mask & 0b101 == 0b101 else 1.0, 0b111, lambda mask: (), 0.1))
    [7, 5]
    """
    mask = whole
    yield mask
    while mask and passed(mask) <= limit:
        ways = (min(some, key=lambda one: (passed(one), cost(one))) for some in _smaller(mask, whole) if some)
        best = next((one for one in ways if passed(one) <= limit), None)
        if best is None:
            return
        mask = best
        yield mask


def most_missed(asked: Asked, limits: Limits) -> int:
    """The layers that are left where some fail of which none can be spared: what is missed most goes first, down to the
    first set that is not seen to keep the limit; then as much is put back as changes nothing of that.
    """

    def kept(mask: int) -> bool:
        return share(asked.through(mask), limits.confidence).against(limits.residual) is Verdict.PASS

    mask = asked.whole
    while mask and kept(mask):
        mask = max(_without(mask), key=lambda one: float(asked.through(one).mean()))
    for bit in _bits(asked.whole - mask):
        mask += 0 if kept(mask + bit) else bit
    return mask


def together(*verdicts: Verdict) -> Verdict:
    """PASS where all are, FAIL where one is, else INCONCLUSIVE."""
    if Verdict.FAIL in verdicts:
        return Verdict.FAIL
    return Verdict.PASS if all(one is Verdict.PASS for one in verdicts) else Verdict.INCONCLUSIVE


def _bits(mask: int) -> list[int]:
    return [1 << at for at in range(mask.bit_length()) if mask >> at & 1]


def _without(mask: int) -> list[int]:
    return [mask - bit for bit in _bits(mask)]


def _smaller(mask: int, whole: int) -> Iterator[list[int]]:
    """Sets of one layer fewer: by taking one away, then by giving two for one."""
    yield _without(mask)
    yield [mask - one - other + gone for one, other in combinations(_bits(mask), 2) for gone in _bits(whole - mask)]


def _names(asked: Asked, mask: int) -> tuple[str, ...]:
    return tuple(name for at, name in enumerate(asked.attacks.layers) if mask >> at & 1)


def _why(verdict: Verdict, mask: int, asked: Asked) -> str:
    if verdict is Verdict.FAIL:
        return "all layers together break a limit" if mask == asked.whole else "what it refuses breaks the limit"
    if verdict is Verdict.INCONCLUSIVE:
        return "too few actors to say whether it keeps the limits"
    n = len(asked.actors)
    return f"chosen on {n - n // 2} actors, judged on {n // 2} others"
