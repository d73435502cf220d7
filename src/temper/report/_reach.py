"""What the terminal shows of how far attacks come and what gets through most."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from temper.core.measure import Cross
from temper.core.run import Record
from temper.report._figure import figure, interval
from temper.report.assistants import ENOUGH, FUNNEL, ranked, total

if TYPE_CHECKING:
    from rich.console import RenderableType

_BAR, _MOST = 30, 3


def reach_blocks(record: Record) -> Iterator[RenderableType]:
    """The funnel as bars, then the wrappers and carriers that work most; nothing for other runs."""
    from temper.report._blocks import styled

    found = {m.metric: m for m in record.measurements if m.plugin == "injection.funnel" and m.value is not None}
    if not found:
        return
    n = max(m.n for m in found.values())
    yield styled(f"How far attacks come{'  SIMULATED' * record.simulated} (templates, {n:,} trials)", "bold")
    for name, words in FUNNEL.items():
        if name in found:
            one = found[name]
            filled = round(_BAR * (one.value or 0.0))
            line = styled(f"  {words:<15}")
            line.append("█" * filled, style="red" if name in ("obeyed", "harmed") else "blue")
            line.append("·" * (_BAR - filled), style="dim")
            line.append(f"  {figure(one):<7}")
            line.append(interval(one), style="dim")
            yield line
    for cross in record.crosses:
        for kind, words in (("row", cross.rows), ("column", cross.columns)):
            if said := _most(cross, kind):
                yield styled(f"  {words}: {said}")
    yield ""


def _most(cross: Cross, kind: str) -> str:
    """The first few that work most, of those with enough prompts to say so."""
    sums = [(name, total(cross, **{kind: name})) for name in ranked(cross, kind)]
    told = [
        f"{name} {cell.hits / cell.n:.0%} of {cell.n}" for name, cell in sums if cell.prompts >= ENOUGH and cell.hits
    ]
    return ", ".join(told[:_MOST])
