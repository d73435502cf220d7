"""A run on a terminal: threat model, requirements, findings with decoded rows, comparison, verdict, next step."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from temper.core.defence import Effect
from temper.core.finding import Finding
from temper.core.requirement import Judgement, Verdict
from temper.core.run import Record
from temper.report._change import Change, changes
from temper.report._figure import SYMBOLS, between, deciding, judged, judged_as_rate, limit, show
from temper.report._inert import inert
from temper.report._story import limits, sentences, worst_findings
from temper.report.progress import Progress

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

__all__ = ["Progress", "render", "show_record", "threat_lines"]

STYLES = {
    Verdict.PASS: "bold green",
    Verdict.FAIL: "bold red",
    Verdict.INCONCLUSIVE: "bold yellow",
    Verdict.ERROR: "bold magenta",
    Verdict.WAIVED: "bold cyan",
}
SEVERITY_STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan"}
SHOWN = 15
_WIDTH = 110
_ASCII = str.maketrans(
    {"✓": "+", "✗": "x", "→": ">", "≤": "<", "≥": ">", "–": "-", "−": "-", "·": ".", "“": '"', "”": '"', "…": "~"}
    | {"‹": "<", "›": ">", "∞": "i", "─": "-", "━": "-"}
)


def render(record: Record, *, before: Record | None = None, effects: Sequence[Effect] = ()) -> str:
    """The report as plain text, 110 columns, without colour."""
    from rich.console import Console

    page = io.StringIO()
    console = Console(file=page, width=_WIDTH, color_system=None, force_terminal=False, legacy_windows=False)
    show_record(record, console, before=before, effects=effects)
    return page.getvalue()


def show_record(
    record: Record, console: Console, *, before: Record | None = None, effects: Sequence[Effect] = ()
) -> None:
    """Print the report on a console; text from the data cannot act on it, whatever it holds."""
    if console.options.ascii_only:
        console.out(
            render(record, before=before, effects=effects).translate(_ASCII).encode("ascii", "replace").decode()
        )
        return
    for block in _blocks(record, before, effects):
        console.print(block, highlight=False)


def threat_lines(record: Record) -> Text:
    """The threat model: one line per scenario, and what was left out with the reason."""
    text = _text("")
    text.append(f"Threat model: {len(record.scenarios)} scenarios\n", style="bold")
    for line in record.scenarios:
        rating = line.removeprefix("[").split("]")[0]
        text.append(f"  {inert(line)}\n", style=SEVERITY_STYLES.get(rating, ""))
    for entry in record.skipped:
        text.append(f"  left out: {inert(entry.name)} ({inert(entry.why)})\n", style="dim")
    return text


def _blocks(record: Record, before: Record | None, effects: Sequence[Effect]) -> Iterator[RenderableType]:
    yield _heading(record)
    if record.scenarios or record.skipped:
        yield threat_lines(record)
    if record.judgements:
        yield _requirements(record)
        yield ""
    findings = worst_findings(record)
    for finding in findings[:SHOWN]:
        yield _finding(finding)
    if len(findings) > SHOWN:
        yield _text(f"and {len(findings) - SHOWN} more findings in the HTML and JSON reports\n", "dim")
    if compared := changes(record, before, effects):
        yield _comparison(compared)
        yield ""
    yield _limits(record)
    yield _verdict(record)


def _heading(record: Record) -> Text:
    text = _text(record.system, "bold")
    text.append(f"  run {inert(record.id)}, suite {inert(record.suite)}, seed {record.seed}, {inert(record.started)}")
    if record.simulated:
        text.append("  SIMULATED", style="bold yellow")
    text.append("\n")
    return text


def _requirements(record: Record) -> Table:
    table = _table("Requirement", "Measured", "Limit", "Why")
    for judgement in record.judgements:
        table.add_row(_stamp(judgement.verdict), *_requirement(judgement, record))
    return table


def _requirement(judgement: Judgement, record: Record) -> tuple[Text, ...]:
    measurement = deciding(judgement, record.measurements)
    rate = judged_as_rate(judgement, measurement)
    measured = judged(judgement, measurement)
    low, high = (judgement.low, judgement.high) if measurement is None else (measurement.low, measurement.high)
    if low is not None and high is not None:
        measured += f"\n{between(low, high, rate)}"
    if judgement.n:
        measured += f"\nn = {judgement.n:,}"
    for name, value in measurement.baseline if measurement else ():
        measured += f"\n{inert(name)}: {show(value, rate)}"
    why = judgement.explanation or judgement.requirement.reason
    if judgement.verdict is Verdict.INCONCLUSIVE and judgement.needed:
        why += f" (about {judgement.needed:,} rows would decide)"
    title = _text(judgement.requirement.id)
    title.append(f"\n{inert(judgement.requirement.metric)}", style="dim")
    return title, _lines(measured), _text(limit(judgement.requirement, rate)), _text(why)


def _finding(finding: Finding) -> Text:
    text = _text("")
    text.append(f"[{inert(finding.severity)}] ", style=SEVERITY_STYLES.get(finding.severity, ""))
    text.append(f"{inert(finding.title)}", style="bold")
    text.append(f"  {inert(', '.join(finding.references))}\n", style="dim")
    if finding.detail:
        text.append(f"     {inert(finding.detail)}\n")
    for example in finding.examples[:2]:
        text.append(f"     {inert(example)}\n")
    text.append(f"     reproduce: {inert(finding.reproduce)}", style="cyan")
    if finding.defences:
        text.append(f"     fix: temper harden --for {inert(finding.id)}", style="cyan")
    text.append("\n")
    return text


def _comparison(compared: Sequence[Change]) -> Table:
    table = _table("Metric", "Before", "After", "Change", "n", first="")
    styles = {"better": "green", "worse": "red", "neutral": "dim"}
    for change in compared:
        name = _text(change.metric)
        if change.defence:
            name.append(f"\n{inert(change.defence)}", style="dim")
        table.add_row(
            _text(change.verdict, styles[change.direction]),
            name,
            _text(show(change.before, change.rate)),
            _text(show(change.after, change.rate)),
            _lines(f"{change.difference}\n{change.interval}\n{change.chance}".rstrip()),
            _text(f"{change.n:,}"),
        )
    return table


def _limits(record: Record) -> Text:
    text = _text("")
    text.append("What this does not show\n", style="bold")
    said = limits(record)
    for line in said[:SHOWN]:
        text.append(f"  - {inert(line)}\n", style="dim")
    if len(said) > SHOWN:
        text.append(f"  and {len(said) - SHOWN} more in the HTML report\n", style="dim")
    return text


def _verdict(record: Record) -> Text:
    verdict, weight, step = sentences(record)
    text = _text("Verdict: ")
    text.append(f"{SYMBOLS[record.verdict]} {record.verdict.name}\n", style=STYLES[record.verdict])
    for line in (verdict, weight, step):
        text.append(f"{inert(line)}\n")
    return text


def _stamp(verdict: Verdict) -> Text:
    return _text(f"{SYMBOLS[verdict]} {verdict.name}", STYLES[verdict])


def _table(*headings: str, first: str = "Verdict") -> Table:
    from rich import box
    from rich.table import Table as Grid

    table = Grid(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column(first, no_wrap=True)
    for heading in headings:
        whole = heading in ("Limit", "Before", "After", "n")
        table.add_column(heading, overflow="fold", no_wrap=whole, min_width=34 if heading == "Requirement" else None)
    return table


def _lines(text: str) -> Text:
    """Text with line breaks of our own, each line made inert."""
    return _join([inert(line) for line in text.split("\n")])


def _join(lines: Sequence[str]) -> Text:
    from rich.text import Text as Styled

    return Styled("\n".join(lines))


def _text(text: str, style: str = "") -> Text:
    """Rich text that is never parsed as markup."""
    from rich.text import Text as Styled

    return Styled(inert(text), style=style)
