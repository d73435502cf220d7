"""A risk register as people read it: in the terminal, as JSON, and in the report of a run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from temper.core.risk import Register, Risk, Spread, Standing
from temper.report._blocks import SEVERITY_STYLES, styled, under, write
from temper.report._figure import number, percent
from temper.report._inert import inert
from temper.report.risk_charts import drawn

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

_STYLES = SEVERITY_STYLES | {"very low": "dim"}
_CLASSES = {"very low": "low"}
RATED = (
    "The rating goes by what one year of ten may cost, as a share of the appetite. `temper threats` rates a concern by "
    "how bad it would be if it happened, whatever was measured."
)
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
        f"{len(borne) or 'none'} {'is' if len(borne) < 2 else 'are'} accepted.",
        f"{len(untried)} of {len(register.risks)} rest on no measurement that counts (untested, inconclusive or "
        "stale); that lowers none of them.",
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
    for at, risk in enumerate(register.risks, 1):
        row = _row(at, risk, register)
        yield under(_named(row, risk), [*_told(row, risk, register.unit), styled("")], "     ")
    for line in sentences(register):
        yield styled(line, "bold")
    for note in register.notes:
        yield styled(note, "yellow")
    yield styled(RATED, "dim")
    open_ = next((one for one in register.risks if one.standing is not Standing.MEASURED), None)
    if open_ is not None:
        yield styled(f"next, for the largest that is open: {inert(open_.decides)}", "bold")


def _named(row: dict[str, Any], risk: Risk) -> Text:
    text = styled(f"{row['number']:>2}  ", "bold")
    text.append(risk.rating, style=_STYLES.get(risk.rating, ""))
    text.append(f" (was {risk.rating_before})" if row["moved"] else "", style="dim")
    text.append(f" {inert(risk.title)}", style="bold")
    text.append(f"  {inert(risk.scenario)}", style="dim")
    return text


def _told(row: dict[str, Any], risk: Risk, unit: str) -> Iterator[Text]:
    yield _moved(f"a year: {row['annual']} {inert(unit, 20)}, in one of ten more than {row['p90']}", row, "annual")
    yield _moved(f"an attempt succeeds: {row['chance']}", row, "chance")
    why = styled(f"{row['mark']} {row['standing']}")
    why.append(f": {inert('; '.join(risk.because))}" if risk.because else "")
    yield why
    for words, style in ((risk.accepted, "cyan"), (risk.lapsed, "bold yellow")):
        if words:
            yield styled(words, style)
    yield styled(f"would decide: {risk.decides}", "dim")


def _moved(words: str, row: dict[str, Any], name: str) -> Text:
    """A figure, and what it was where a measurement moved it."""
    text = styled(words)
    was = row[f"{name}_before"]
    text.append("" if row[name].startswith(f"{was} (") else f"; was {was}", style="dim")
    return text
