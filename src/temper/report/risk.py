"""A risk register as people read it: in the terminal, as JSON, and in the report of a run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from temper.core.risk import Register, Risk, Spread, Standing
from temper.report._blocks import SEVERITY_STYLES, grid, styled, write
from temper.report._figure import number, percent
from temper.report._inert import inert
from temper.report.risk_charts import drawn

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

_STYLES = SEVERITY_STYLES | {"very low": "dim"}
_CLASSES = {"very low": "low"}
_MARKS = {Standing.UNTESTED: "○", Standing.INCONCLUSIVE: "?", Standing.STALE: "~", Standing.MEASURED: "●"}


def show_register(register: Register, console: Console | None = None) -> None:
    """Every risk with what it stands on, what moved it and what would decide it; the whole at the end."""
    write(_blocks(register), console)


def section(register: Register | None, before: Register | None = None) -> dict[str, Any] | None:
    """What the report of a run shows of it; None where there is no register."""
    if register is None or not register.risks:
        return None
    return {
        "lines": [_row(at, risk, register) for at, risk in enumerate(register.risks, 1)],
        "charts": drawn(register, before),
        "words": sentences(register),
        "notes": register.notes,
        "unit": register.unit,
    }


def sentences(register: Register) -> list[str]:
    """The register in three sentences: what a year costs, what is above the appetite, what nobody has tried."""
    before, now = register.total_before, register.total
    untried = [risk for risk in register.risks if risk.standing is not Standing.MEASURED]
    worst = [risk for risk in register.risks if risk.rating == "critical" and not risk.accepted]
    borne = [risk for risk in register.risks if risk.accepted]
    return [
        f"A year is expected to cost {amount(now.middle)} {register.unit} ({amount(now.low)} to {amount(now.high)}; "
        f"before anything was measured {amount(before.middle)}), and more than {amount(now.p90)} in one year of ten.",
        f"{len(worst)} of {len(register.risks)} risks may each cost more than the appetite of "
        f"{amount(register.appetite)} {register.unit} in one year of ten and nobody has accepted them; "
        f"{len(borne)} are accepted.",
        f"{len(untried)} stand on no measurement that counts: untested, inconclusive, stale; none is lower for it.",
    ]


def amount(value: float) -> str:
    """An amount to three significant digits: a Monte Carlo has no more to give.

    >>> amount(17283.4), amount(0.03417)
    ('17,300', '0.0342')
    """
    if not value or abs(value) < 1_000:
        return number(value)
    digits = 3 - math.ceil(math.log10(abs(value)))
    return number(round(value, digits))


def chance(spread: Spread) -> str:
    """A probability with its interval."""
    return f"{percent(round(spread.middle, 3))} ({percent(round(spread.low, 3))} to {percent(round(spread.high, 3))})"


def _row(at: int, risk: Risk, register: Register) -> dict[str, Any]:
    annual, was = risk.annual, risk.annual_before
    return {
        "number": at,
        "risk": risk,
        "severity": _CLASSES.get(risk.rating, risk.rating),
        "mark": _MARKS[risk.standing],
        "standing": risk.standing.value,
        "attempts": f"{amount(risk.attempts.middle)} ({amount(risk.attempts.low)} to {amount(risk.attempts.high)})",
        "chance": chance(risk.chance),
        "chance_before": percent(round(risk.chance_before.middle, 3)),
        "annual": f"{amount(annual.middle)} ({amount(annual.low)} to {amount(annual.high)})",
        "annual_before": amount(was.middle),
        "p90": amount(annual.p90),
        "moved": risk.rating != risk.rating_before,
    }


def _blocks(register: Register) -> Iterator[RenderableType]:
    table = grid("Risk", "Success", f"A year, {inert(register.unit, 20)}", "Why", first="Rating")
    for at, risk in enumerate(register.risks, 1):
        table.add_row(*_cells(_row(at, risk, register), risk))
    yield table
    for line in sentences(register):
        yield styled(line, "bold")
    for note in register.notes:
        yield styled(note, "yellow")


def _cells(row: dict[str, Any], risk: Risk) -> tuple[Text, ...]:
    rated = styled(risk.rating, _STYLES.get(risk.rating, ""))
    rated.append(f"\n{'was ' + risk.rating_before if row['moved'] else 'as before'}", style="dim")
    name = styled(f"{row['number']} {risk.title}", "bold")
    name.append(f"\n{inert(risk.scenario)}", style="dim")
    success = styled(f"{row['mark']} {row['standing'].upper()}\n{row['chance']}")
    success.append(f"\nwas {row['chance_before']}", style="dim")
    cost = styled(row["annual"])
    cost.append(f"\n1 year in 10: {row['p90']}\nwas {row['annual_before']}", style="dim")
    why = styled("; ".join(risk.because) or "nothing was measured")
    for words, style in ((risk.accepted, "cyan"), (risk.lapsed, "bold yellow")):
        why.append(f"\n{inert(words)}" if words else "", style=style)
    why.append(f"\nwould decide: {inert(risk.decides)}", style="dim")
    return rated, name, success, cost, why
