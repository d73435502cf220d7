"""What the terminal shows of two red team runs: the figures over what both tried, then what neither shares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from temper.core.run import Record
from temper.report._blocks import grid, styled, write
from temper.report._change import signed
from temper.report._figure import percent
from temper.report.terminal import comparison_blocks

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

_CUT = 60
_STYLES = {"better": "bold green", "worse": "bold red"}
_WORDS = {
    "injection.templates.success_rate": "attacks that succeed (templates)",
    "assistant.tasks.served": "users' tasks done",
    "assistant.under_attack.served": "users' tasks done under attack",
    "assistant.twins.blocked": "harmless twins stopped",
    "assistant.twins.false_alarms": "harmless twins taken for a success",
}


def show_pairs(old: Record, new: Record, pairs: Any, comparison: Any, console: Console | None = None) -> None:
    """`pairs` has `figures` (name, slice, before, after, difference, low, high, n, prompts, change, confidence),
    `alone` (by, before, after, named) and `notes`; `comparison` is that of all other figures, as for other runs.
    """
    write(_blocks(old, new, pairs, comparison), console)


def _blocks(old: Record, new: Record, pairs: Any, comparison: Any) -> Iterator[RenderableType]:
    yield styled(
        f"run {old.id} ({old.verdict.name}) against run {new.id} ({new.verdict.name}), attempt by attempt", "bold"
    )
    for name in ("guard", "assistant"):
        told = [dict((*record.digests, *record.facts)).get(name, "") for record in (old, new)]
        if told[0] != told[1]:
            yield styled(f"{name}: {told[0][:_CUT] or 'not told'} → {told[1][:_CUT] or 'not told'}")
    yield ""
    yield _table(pairs)
    yield styled("n: trials that both runs made / prompts, tasks or twins they belong to", "dim")
    yield ""
    yield from _alone(old, new, pairs)
    yield styled("What else the runs measured, not paired", "bold")
    covered = {one.name for one in pairs.figures}
    rest = tuple(one for one in comparison.figures if one.name not in covered and one.change != "unchanged")
    yield from comparison_blocks(replace(comparison, figures=rest))


def _table(pairs: Any) -> Table:
    table = grid("Share", "Before", "After", "Difference", "n", first="Change")
    table.columns[1].ratio, table.columns[4].ratio = 4, 5
    of_goals = [one for one in pairs.figures if one.slice != "all"]
    searches = [one for one in pairs.figures if one.name not in _WORDS]
    for one in pairs.figures:
        if one not in of_goals and one not in searches:
            _row(table, one, _WORDS[one.name], "bold")
    if of_goals:
        _part(table, f"templates by goal ({percent(of_goals[0].confidence)} intervals, 95 % together)")
        for one in of_goals:
            _row(table, one, f"  {one.slice.removeprefix('goal: ')}")
    if searches:
        _part(table, "searches, as far as both tried the same")
        for one in searches:
            _row(table, one, f"  {one.name.removesuffix('.success_rate')}")
    return table


def _part(table: Table, words: str) -> None:
    table.add_row(styled(""), styled(words, "dim"))


def _row(table: Table, one: Any, words: str, style: str = "") -> None:
    table.add_row(
        styled("=" if one.change == "no clear change" else one.change, _STYLES.get(one.change, "dim")),
        styled(words, style),
        styled(percent(one.before)),
        styled(percent(one.after)),
        styled(f"{signed(one.difference, True)} [{_points(one.low)}, {_points(one.high)}]"),
        styled(f"{one.n:,}/{one.prompts:,}"),
    )


def _points(value: float) -> str:
    return signed(value, True).removesuffix(" points")


def _alone(old: Record, new: Record, pairs: Any) -> Iterator[RenderableType]:
    for note in pairs.notes:
        yield styled(f"note: {note}", "yellow")
    if not pairs.alone:
        yield styled("Both runs tried the same; nothing is left out.\n")
        return
    yield styled("Left out of the pairs, because only one run tried it", "bold")
    table = grid(f"In {old.id} only", f"In {new.id} only", "Such as", first="Tried by")
    for one in pairs.alone:
        table.add_row(styled(one.by), styled(f"{one.before:,}"), styled(f"{one.after:,}"), styled("; ".join(one.named)))
    yield table
    yield ""
