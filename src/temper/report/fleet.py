"""A fleet as people read it: a line for each system, the most pressing first, and what to do next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from temper.core.count import counted
from temper.core.evidence import DAY
from temper.core.fleet import Fleet, Situation
from temper.core.requirement import Verdict
from temper.report._blocks import SEVERITY_STYLES, STYLES, write
from temper.report._inert import inert
from temper.report.notebook import Table as Rows
from temper.report.notebook import View
from temper.report.risk import amount

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

COLUMNS = ("Verdict", "System", "Tier", "Owner", "Age", "Risk", "Stale", "Now")
_ORDER = (Verdict.FAIL, Verdict.ERROR, None, Verdict.INCONCLUSIVE, Verdict.WAIVED, Verdict.PASS)
_NAMED = 5


def document(fleet: Fleet) -> dict[str, Any]:
    """All of it in plain values."""
    return {
        "portfolio": fleet.portfolio.name,
        "systems": [row(one) for one in fleet.situations],
        "refused": [{"where": one.where, "why": one.why} for one in fleet.refused],
        "turns": [asdict(one) | {"parts": list(one.parts)} for one in fleet.attempts],
        "left": list(fleet.left),
        "seconds": round(fleet.seconds, 3),
        "code": fleet.code,
    }


def row(one: Situation) -> dict[str, Any]:
    """A system in plain values."""
    return {
        "system": one.entry.name,
        "owner": one.entry.owner,
        "tier": one.entry.level.value,
        "tags": list(one.entry.tags),
        "verdict": one.verdict.value if one.verdict else None,
        "run": one.run or None,
        "assessed": datetime.fromtimestamp(one.began, UTC).isoformat(timespec="seconds") if one.began else None,
        "age_days": None if one.age is None else round(one.age / DAY, 3),
        "stale": {each.part or "everything": each.why for each in reversed(one.stale)},
        "drift": one.drift or None,
        "watched_days": None if one.watched is None else round(one.watched / DAY, 3),
        "rating": one.rating or None,
        "annual": one.annual,
        "p90": one.p90,
        "unit": one.unit or None,
        "trouble": one.trouble or None,
    }


def pressing(fleet: Sequence[Situation]) -> list[Situation]:
    """The same, what asks for somebody first: by verdict, then tier, then what may be lost in one year of ten."""
    return sorted(fleet, key=lambda one: (_rank(one), -one.entry.tier.priority, -(one.p90 or 0.0), one.entry.name))


def _rank(one: Situation) -> int:
    return -1 if one.trouble else _ORDER.index(one.verdict)


def cells(one: Situation) -> list[str]:
    """A system in words, by COLUMNS."""
    stale = sorted({each.part or "everything" for each in one.stale})
    risk = f"{one.rating}, {amount(one.p90)} {one.unit}" if one.rating and one.p90 is not None else "-"
    words = (
        one.verdict.name if one.verdict else "NONE",
        one.entry.name,
        one.entry.level.value,
        one.entry.owner or "-",
        "-" if one.age is None else aged(one.age),
        risk,
        ", ".join(stale) or "-",
        one.trouble or current(one) or "-",
    )
    return [inert(word, 120) for word in words]


def current(one: Situation) -> str:
    """What the newest window of its feed says, and how old that is; "" where it has none."""
    if one.watched is None:
        return one.drift
    ago = "now" if aged(one.watched) == "now" else f"{aged(one.watched)} ago"
    return f"{one.drift or 'no drift'}, as of {ago}"


def aged(seconds: float) -> str:
    """An age at a glance.

    >>> aged(90), aged(7300), aged(300_000)
    ('1 min', '2 h', '3 d')
    """
    for size, unit in ((DAY, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return "now"


def sentences(fleet: Fleet) -> list[str]:
    """The fleet in short, then a line for everything that is broken."""
    systems = fleet.situations
    verdicts = Counter(one.verdict.name if one.verdict else "never assessed" for one in systems)
    told = ", ".join(f"{count} {word}" for word, count in verdicts.most_common())
    stale, adrift = sum(bool(one.stale) for one in systems), sum(bool(one.drift) for one in systems)
    troubled = sum(bool(one.trouble) for one in systems)
    head = f"{counted(len(systems), 'system')}: {told or 'none'}; {stale} with stale evidence, {adrift} adrift now"
    lines = [head + (f", {troubled} in trouble." if troubled else ".")]
    if fleet.left:
        more = f" and {len(fleet.left) - _NAMED} more" if len(fleet.left) > _NAMED else ""
        lines.append(f"{len(fleet.left)} had no turn within the budget: {', '.join(fleet.left[:_NAMED])}{more}.")
    return lines + [f"{one.where}: {one.why}" for one in fleet.refused]


def steps(fleet: Fleet) -> list[str]:
    """What to do next, the most pressing first."""
    return [*_steps(fleet, pressing(fleet.situations))] or ["temper fleet assess --stale, every night"]


def _steps(fleet: Fleet, systems: Sequence[Situation]) -> Iterator[str]:
    source = inert(fleet.portfolio.source)
    if fleet.refused:
        yield f"mend {len(fleet.refused)} of the entries of {source}"
    if troubled := [one for one in systems if one.trouble]:
        yield f"temper assess --config {troubled[0].entry.config}   to see why it could not finish"
    if fleet.left:
        yield f"temper fleet assess {source} --resume"
    if failed := [one for one in systems if one.verdict is Verdict.FAIL and not one.trouble]:
        yield f"temper harden --config {failed[0].entry.config}"
    if any(one.stale for one in systems) and not fleet.left:
        yield f"temper fleet assess {source} --stale"


def view(fleet: Fleet) -> View:
    """What a notebook shows."""
    return View(
        title=fleet.portfolio.name,
        lines=tuple(sentences(fleet)),
        tables=(Rows(columns=COLUMNS, rows=[cells(one) for one in pressing(fleet.situations)]),),
        foot=f"next: {steps(fleet)[0]}",
    )


def show(fleet: Fleet, console: Console | None = None) -> None:
    """The fleet on a terminal."""
    write(_blocks(fleet), console)


def _blocks(fleet: Fleet) -> Iterator[RenderableType]:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=inert(fleet.portfolio.name), title_justify="left", box=None, pad_edge=False)
    for name in COLUMNS:
        table.add_column(name, overflow="fold", no_wrap=name in ("Verdict", "Tier", "Age"))
    for one in pressing(fleet.situations):
        words = [Text(word) for word in cells(one)]
        words[COLUMNS.index("Verdict")].stylize(STYLES[one.verdict] if one.verdict else "dim")
        words[COLUMNS.index("Risk")].stylize(SEVERITY_STYLES.get(one.rating, ""))
        table.add_row(*words)
    yield table
    yield Text("")
    yield from (Text(inert(line)) for line in sentences(fleet))
    yield from (Text(f"next: {step}") for step in steps(fleet))
