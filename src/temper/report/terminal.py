"""What the commands print: a run, two runs side by side, what hardening did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temper.core.measure import Measurement
from temper.core.run import Record
from temper.report._blocks import (
    grid,
    record_blocks,
    render,
    styled,
    verdict_lines,
    whole,
    write,
)
from temper.report._change import signed
from temper.report._figure import figure, interval, is_rate
from temper.report._inert import inert
from temper.report.progress import Progress

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

__all__ = ["Progress", "render", "show", "show_comparison", "show_hardening"]

_CHANGES = ("worse", "better", "higher", "lower", "new", "gone", "not comparable", "unchanged")
_CHANGE_STYLES = {"worse": "bold red", "better": "bold green", "unchanged": "dim"}


def show(record: Record, report: Path | None = None, console: Console | None = None) -> None:
    """A run with its verdict last; the threat model is left to whoever listened to the run."""
    blocks = [*record_blocks(record, threats=False, brief=True)]
    if report is not None:
        blocks.append(whole(f"report: {report}"))
    write(blocks, console)


def show_comparison(old: Record, new: Record, comparison: Any, console: Console | None = None) -> None:
    """Two runs: figures that changed first, then findings: new, fixed, not looked for again, still there.

    `comparison` has `figures` (each with name, slice, change, before, after, difference, low, high, why) and the titles
    `new`, `fixed`, `unchanged`, `unknown`.
    """
    write(_comparison(old, new, comparison), console)


def show_hardening(better: Any, saved: Path | None, report: Path | None, console: Console | None = None) -> None:
    """Every defence that was tried with what it changed, then the new run and where the hardened system lies.

    `better` has `before` and `after` (runs with a `record`), `taken` (names) and `results`, one per kind of attack:
    `goal`, `metric`, `trials` (defence, outcome, effects), `chosen` and `skipped` (name, why).
    """
    write(_hardening(better, saved, report), console)


def _comparison(old: Record, new: Record, comparison: Any) -> Iterator[RenderableType]:
    yield styled(f"run {old.id} ({old.verdict.name}) against run {new.id} ({new.verdict.name})", "bold")
    yield from comparison_blocks(comparison)


def comparison_blocks(comparison: Any) -> Iterator[RenderableType]:
    """The figures of a comparison, those that changed first, then the findings."""
    table = grid("Figure", "Before", "After", "Difference", first="Change")
    for one in sorted(comparison.figures, key=lambda one: _CHANGES.index(one.change)):
        rows = "" if one.slice == "all" else f" [{one.slice}]"
        table.add_row(
            styled(one.change, _CHANGE_STYLES.get(one.change, "")),
            styled(f"{one.name}{rows}"),
            _told(one.before),
            _told(one.after),
            styled(one.why) if one.difference is None else _gap(one),
        )
    yield table
    named = {"new": "new", "fixed": "fixed", "not looked for again": "unknown", "still there": "unchanged"}
    for word, titles in ((word, getattr(comparison, name, ())) for word, name in named.items()):
        for title in titles:
            yield styled(f"{word}: {title}", {"new": "bold red", "fixed": "bold green"}.get(word, ""))


def _told(measurement: Measurement | None) -> Text:
    if measurement is None:
        return styled("–", "dim")
    text = styled(figure(measurement))
    if interval(measurement):
        text.append(f"\n{interval(measurement)}\nn = {measurement.n:,}", style="dim")
    return text


def _gap(one: Any) -> Text:
    rate = is_rate(one.after)
    text = styled(signed(one.difference, rate))
    if one.low is not None and one.high is not None:
        text.append(f"\n{signed(one.low, rate).removesuffix(' points')} to {signed(one.high, rate)}", style="dim")
    return text


def _hardening(better: Any, saved: Path | None, report: Path | None) -> Iterator[RenderableType]:
    for result in better.results:
        by = result.metric.rpartition(".")[0] if result.goal != "evasion" else ""
        yield styled(f"Against {result.goal}" + f", by {by}" * bool(by), "bold")
        yield _trials(result)
        yield ""
    if not better.taken:
        yield styled(_why_none(better.results), "bold")
    else:
        yield styled(f"run {better.after.record.id}: the hardened model, assessed like the one before\n", "bold")
        yield verdict_lines(better.after.record)
    for words, path in (("hardened system", saved), ("report", report)):
        if path is not None:
            yield whole(f"{words}: {path}")


def _why_none(results: Sequence[Any]) -> str:
    if not any(result.trials for result in results):
        return "No defence could be tried: see why above. A model that cannot be fitted again takes a guard instead.\n"
    return "No defence was taken: none reduced what gets through for certain at a tolerable price.\n"


def _trials(result: Any) -> Table:
    """One row per defence: the figure that decides, the price in clean quality, and why it was taken or left."""
    table = grid(_deciding(result), "Change", "Price", "Outcome", first="Defence")
    for trial in result.trials:
        gain = trial.effect(result.metric)
        prices = [effect for effect in trial.effects if "." not in effect.metric]
        chosen = trial is result.chosen
        table.add_row(
            styled(trial.defence, "bold green" if chosen else "bold"),
            _join([f"{_size(gain.before, gain)} → {_size(gain.after, gain)}", f"n = {gain.n:,}"] if gain else []),
            _join([_moved(gain.difference, gain), _ends(gain)] if gain else []),
            _join(
                [f"{price.metric} {price.difference:+.3f} [{price.low:+.3f}, {price.high:+.3f}]" for price in prices]
            ),
            styled(trial.outcome, "green" if chosen else ""),
        )
    for entry in result.skipped:
        table.add_row(styled(entry.name, "dim"), *[styled("")] * 3, styled(f"not tried: {entry.why}", "dim"))
    return table


def _deciding(result: Any) -> str:
    """What the first column of figures shows."""
    if result.goal == "evasion":
        return "Rows evading"
    name = str(result.metric).partition(".")[2].replace("_", " ").replace(".", ": ")
    return name.capitalize() or "Figure"


def _size(value: float, gain: Any) -> str:
    return f"{value:.0%}" if _rate(gain) else f"{value:.3f}"


def _moved(value: float, gain: Any) -> str:
    return f"{100 * value:+.0f} points" if _rate(gain) else f"{value:+.3f}"


def _rate(gain: Any) -> bool:
    """Shares are told in percent; AUC and F1 as they are."""
    return not str(gain.metric).rpartition(".")[2].startswith(("auc", "f1", "kappa"))


def _ends(gain: Any) -> str:
    if not _rate(gain):
        return f"{gain.low:+.3f} to {gain.high:+.3f}"
    return f"{100 * gain.low:+.0f} to {100 * gain.high:+.0f}"


def _join(lines: list[str]) -> Text:
    from rich.text import Text as Styled

    return Styled("\n".join(inert(line) for line in lines))
