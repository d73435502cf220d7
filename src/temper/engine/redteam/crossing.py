"""The templates by how they are wrapped and what carries them at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from temper.attacks.injection._draw import carrier_family, wrapper_family
from temper.core.injection import Injection
from temper.core.measure import Cell, Cross
from temper.engine.redteam.attempts import Attempt
from temper.engine.redteam.campaign import TEMPLATES, Campaign, Found, by_injection
from temper.engine.redteam.judged import without_judged

FULL = 5
"""Prompts per cell on average from which each wrapper and carrier has a line of its own, not only its family."""
CODED, TYPED = "in a code", "typed by the user"
Kind = Callable[[Injection], str]


def crosses(campaign: Campaign, found: Found) -> tuple[Cross, ...]:
    """Wrapper x carrier; by families of both while single ones have too few prompts; none without templates."""
    tried = by_injection(without_judged(campaign, found).attempts.get(TEMPLATES, []))
    if not tried:
        return ()
    whole = _cross(tried, _wrapper, _carrier, ("wrapper", "carrier"))
    if len(tried) >= FULL * len({cell.row for cell in whole.cells}) * len({cell.column for cell in whole.cells}):
        return (whole,)
    return (_cross(tried, _wrappers, _carriers, ("family of wrappers", "family of carriers")),)


def _cross(tried: Mapping[Injection, list[Attempt]], row: Kind, column: Kind, names: tuple[str, str]) -> Cross:
    counts: dict[tuple[str, str], list[int]] = {}
    for injection, attempts in tried.items():
        valid = [one for one in attempts if one.valid]
        if valid:
            cell = counts.setdefault((row(injection), column(injection)), [0, 0, 0])
            for at, more in enumerate((sum(one.hit for one in valid), len(valid), 1)):
                cell[at] += more
    cells = (Cell(row=a, column=b, hits=h, n=n, prompts=p) for (a, b), (h, n, p) in sorted(counts.items()))
    return Cross(rows=names[0], columns=names[1], cells=tuple(cells))


def _wrapper(injection: Injection) -> str:
    return CODED if injection.codecs else injection.wrapper


def _wrappers(injection: Injection) -> str:
    return CODED if injection.codecs else wrapper_family(injection.wrapper)


def _carrier(injection: Injection) -> str:
    return injection.carrier or TYPED


def _carriers(injection: Injection) -> str:
    return carrier_family(injection.carrier) if injection.carrier else TYPED
