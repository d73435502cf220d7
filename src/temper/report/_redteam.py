"""What the terminal shows of a red team beyond one number: repeated tries, the word of a judging model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from temper.core.measure import Measurement
from temper.core.run import Record
from temper.report._figure import figure, interval

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

_JUDGED, _JUDGE = "injection.judged", "injection.judge"
_TRIES = {
    "injection.templates": "prompts that work at least once",
    "injection.best_of_n": "goals that best-of-N reaches",
}


def redteam_blocks(record: Record) -> Iterator[RenderableType]:
    """What somebody reaches who tries more than once, and what a model judged; nothing of other runs."""
    yield from _repeated(record)
    yield from _judged(record)


def _repeated(record: Record) -> Iterator[RenderableType]:
    """Hits in k tries, and the forecast for more of them, marked as one."""
    from temper.report._blocks import grid, styled

    table = grid("Tries", "Reached", "Interval", "n", first="At least one hit")
    for m in record.measurements:
        what, _, tries = m.metric.rpartition("_at_")
        if m.plugin in _TRIES and what in ("hit", "forecast"):
            far = "EXTRAPOLATED: " * (what == "forecast")
            cells = (tries, f"{far}{figure(m)}", interval(m), f"{m.n:,}")
            table.add_row(styled(_TRIES[m.plugin]), *(styled(cell, "yellow" if far else "") for cell in cells))
    if table.row_count:
        yield table
        yield ""


def _judged(record: Record) -> Iterator[RenderableType]:
    """The rate as a model judged it, how often that is right, and what is left."""
    from temper.report._blocks import grid, styled

    said = {m.slice: m for m in record.measurements if m.name == f"{_JUDGED}.success_rate"}
    right = {m.slice: m for m in record.measurements if m.name == f"{_JUDGED}.corrected_success_rate"}
    if not said:
        return
    simulated = "  SIMULATED" * record.simulated
    yield styled(f"Goals that a model judges{simulated}: {_of_judge(record.measurements)}", "bold")
    table = grid("As the judge said it", "With its errors taken out", "n", first="Goal")
    for rows, one in said.items():
        table.add_row(styled(rows.removeprefix("goal: ")), _cell(one), _cell(right[rows]), styled(f"{one.n:,}"))
    yield table
    yield ""


def _of_judge(measurements: tuple[Measurement, ...]) -> str:
    """How often the judge is right, with what that stands on."""
    found = [m for m in measurements if m.plugin == _JUDGE]
    told = [f"{m.metric.replace('_', ' ')} {figure(m)} ({interval(m)}, n = {m.n:,})" for m in found]
    return f"{', '.join(told)}, on {found[0].slice}" if found else "how often it is right is not known"


def _cell(one: Measurement) -> Text:
    from temper.report._blocks import styled

    if one.value is None:
        return styled(one.reason, "yellow")
    text = styled(figure(one))
    text.append(f"\n{interval(one)}", style="dim")
    return text
