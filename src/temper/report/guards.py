"""What the terminal shows of assistants: every guard that was weighed, and the figures of another tool's run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temper.core.run import Record
from temper.report._blocks import grid, styled, verdict_lines, whole, write
from temper.report._figure import figure, interval

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

    from temper.core.defence import Effect


def show_guards(better: Any, saved: Path | None, report: Path | None, console: Console | None = None) -> None:
    """`better` has `before` and `after` (runs with a `record`), `taken` (names) and `results`, whose last one has
    `trials` (defence, outcome, effects) and `chosen`.
    """
    write(_blocks(better, saved, report), console)


def show_figures(record: Record, report: Path | None, console: Console | None = None) -> None:
    """Every figure of a record that nobody judged."""
    table = grid("Figure", "Interval", "n", first="Rows")
    table.columns[0].no_wrap, table.columns[0].ratio = False, 3
    for m in record.measurements:
        table.add_row(styled(m.slice), styled(f"{m.metric}: {figure(m)}"), styled(interval(m)), styled(f"{m.n:,}"))
    facts = [styled(f"{name}: {said}") for name, said in record.facts]
    write([styled(record.system, "bold"), *facts, table, *([whole(f"report: {report}")] if report else [])], console)


def _blocks(better: Any, saved: Path | None, report: Path | None) -> Iterator[RenderableType]:
    result = better.results[-1]
    yield styled(
        "The guard, on the attacks that were found (one half of the wrappers chooses, the other judges)", "bold"
    )
    yield _table(result)
    if not better.taken:
        yield styled("No guard was taken: see why in the last line.\n", "bold")
    else:
        yield styled(f"run {better.after.record.id}: the guarded assistant, red teamed from scratch\n", "bold")
        yield verdict_lines(better.after.record)
    for words, path in (("guarded assistant", saved), ("report", report)):
        if path is not None:
            yield whole(f"{words}: {path}")


def _table(result: Any) -> Table:
    table = grid("Attacks that succeed", "Tasks done", "Twins stopped", "Outcome", first="Guard")
    first = table.columns[0]
    first.no_wrap, first.ratio, first.overflow = False, 3, "fold"
    for trial in result.trials:
        success, tasks, twins = (trial.effect(name) for name in (result.metric, "tasks", "twins_stopped"))
        last = trial is result.trials[-1]
        style = ("bold green" if trial is result.chosen else "bold yellow") if last else ""
        table.add_row(
            styled(trial.defence, style),
            *(_moved(effect) for effect in (success, tasks, twins)),
            styled(trial.outcome, style.removeprefix("bold ")),
        )
    return table


def _moved(effect: Effect | None) -> Text:
    """Before and after, with the interval of the difference where there is one to speak of."""
    if effect is None:
        return styled("–")
    if effect.before == effect.after:
        return styled(f"{effect.after:.0%}, as before", "dim")
    clear = effect.low > 0 or effect.high < 0
    better = (effect.difference > 0) == (effect.better == "higher")
    cell = styled(f"{effect.before:.0%} → {effect.after:.0%}", "" if not clear else "green" if better else "red")
    cell.append(f"\n{100 * effect.low:+.0f} to {100 * effect.high:+.0f} points, n = {effect.n}", style="dim")
    return cell
