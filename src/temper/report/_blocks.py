"""The parts of a run as a terminal shows them: requirements, findings with decoded rows, verdict, next step."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from temper.core.defence import Effect
from temper.core.finding import Finding
from temper.core.requirement import Judgement, Verdict
from temper.core.run import Record
from temper.report._change import Change, changes
from temper.report._claims import tally
from temper.report._figure import SYMBOLS, deciding, ends, judged, judged_as_rate, limit, rows_to_decide, show
from temper.report._inert import inert
from temper.report._reach import reach_blocks
from temper.report._redteam import redteam_blocks
from temper.report._story import limits, sentences, worst_findings
from temper.report.campaign import campaign_blocks

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table
    from rich.text import Text

STYLES = {
    Verdict.PASS: "bold green",
    Verdict.FAIL: "bold red",
    Verdict.INCONCLUSIVE: "bold yellow",
    Verdict.ERROR: "bold magenta",
    Verdict.WAIVED: "bold cyan",
}
SEVERITY_STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan"}
SHOWN = 15
BRIEF = 4
_WIDTH = 110
_SAID = 240
_RATIOS = {"Requirement": 5, "Metric": 4, "Figure": 4, "Scenario": 3, "Outcome": 5, "Price": 4, "Measured": 3, "Why": 4}
_ASCII = str.maketrans(
    {"✓": "+", "✗": "x", "→": ">", "≤": "<", "≥": ">", "–": "-", "−": "-", "·": ".", "“": '"', "”": '"', "…": "~"}
    | {"‹": "<", "›": ">", "∞": "i", "█": "#", "─": "-", "━": "-"}
)


def render(record: Record, *, before: Record | None = None, effects: Sequence[Effect] = ()) -> str:
    """The report as plain text, 110 columns, without colour."""
    from rich.console import Console

    page = io.StringIO()
    console = Console(file=page, width=_WIDTH, color_system=None, force_terminal=False, legacy_windows=False)
    write(record_blocks(record, before=before, effects=effects), console)
    return page.getvalue()


def write(blocks: Iterable[RenderableType], console: Console | None = None) -> None:
    """Print blocks on a console (standard output), in ASCII where it has nothing else."""
    from rich.console import Console as Screen

    screen = console if console is not None else Screen(width=_page_width())
    if screen.options.ascii_only:
        page = Screen(file=io.StringIO(), width=screen.width, color_system=None, force_terminal=False)
        write(blocks, page)
        screen.out(page.file.getvalue().translate(_ASCII).encode("ascii", "replace").decode())  # type: ignore[attr-defined]
        return
    for block in blocks:
        screen.print(block, highlight=False, soft_wrap=bool(getattr(block, "no_wrap", False)))


def _page_width() -> int | None:
    """What the terminal has, or COLUMNS; a file or a pipe gets a page that tables fit on."""
    return None if sys.stdout.isatty() or "COLUMNS" in os.environ else _WIDTH


def record_blocks(
    record: Record,
    *,
    before: Record | None = None,
    effects: Sequence[Effect] = (),
    threats: bool = True,
    brief: bool = False,
) -> Iterator[RenderableType]:
    """The parts of the report in order; text from the data cannot act on a terminal, whatever it holds.

    `brief` stops after a screen of findings and limits and leaves the rest to the HTML report.
    """
    shown = BRIEF if brief else SHOWN
    yield _heading(record)
    if threats and (record.scenarios or record.skipped):
        yield _threats(record)
    if record.judgements:
        yield _requirements(record)
        yield ""
    findings = worst_findings(record)
    for finding in findings[:shown]:
        yield _finding(finding)
    if len(findings) > shown:
        yield styled(f"and {len(findings) - shown} more findings in the HTML and JSON reports\n", "dim")
    if record.titles and findings:
        yield _titles(record, {tag for finding in findings[:shown] for tag in finding.references})
        yield ""
    yield from reach_blocks(record)
    yield from redteam_blocks(record)
    yield from campaign_blocks(record)
    if compared := changes(record, before, effects):
        yield comparison_table(compared)
        yield ""
    yield _limits(record, shown)
    yield verdict_lines(record)


def comparison_table(compared: Sequence[Change]) -> Table:
    """Before and after, one row per metric."""
    table = grid("Metric", "Before", "After", "Change", "n", first="")
    styles = {"better": "green", "worse": "red", "neutral": "dim"}
    for change in compared:
        name = styled(change.metric)
        if change.defence:
            name.append(f"\n{inert(change.defence)}", style="dim")
        table.add_row(
            styled(change.verdict, styles[change.direction]),
            name,
            styled(show(change.before, change.rate)),
            styled(show(change.after, change.rate)),
            _lines(f"{change.difference}\n{change.interval}\n{change.chance}".rstrip()),
            styled(f"{change.n:,}"),
        )
    return table


def grid(*headings: str, first: str = "Verdict") -> Table:
    """An empty table in the style of the report; cells are `styled` text."""
    from rich import box
    from rich.table import Table as Grid

    table = Grid(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, expand=True)
    table.add_column(first, no_wrap=True)
    for heading in headings:
        whole = heading in ("Limit", "n")
        table.add_column(heading, overflow="fold", no_wrap=whole, ratio=None if whole else _RATIOS.get(heading, 2))
    return table


def styled(text: str, style: str = "") -> Text:
    """Rich text that is never parsed as markup and cannot act on the terminal."""
    from rich.text import Text as Styled

    return Styled(inert(text), style=style)


def whole(text: str) -> Text:
    """A line that stays one line, such as a path to be copied."""
    line = styled(text, "bold")
    line.no_wrap = True
    return line


def _threats(record: Record) -> Text:
    """The threat model: one line per scenario, and what was left out with the reason."""
    text = styled("")
    text.append(f"Threat model: {len(record.scenarios)} scenarios\n", style="bold")
    for line in record.scenarios:
        rating = line.removeprefix("[").split("]")[0]
        text.append(f"  {inert(line)}\n", style=SEVERITY_STYLES.get(rating, ""))
    for entry in record.skipped:
        text.append(f"  left out: {inert(entry.name)} ({inert(entry.why)})\n", style="dim")
    return text


def _heading(record: Record) -> Text:
    text = styled(record.system, "bold")
    text.append(f"  run {inert(record.id)}, suite {inert(record.suite)}, seed {record.seed}, {inert(record.started)}")
    if record.simulated:
        text.append("  SIMULATED", style="bold yellow")
    text.append("\n")
    return text


def _requirements(record: Record) -> Table:
    table = grid("Requirement", "Measured", "Limit", "Why")
    for judgement in record.judgements:
        table.add_row(_stamp(judgement.verdict), *_requirement(judgement, record))
    return table


@dataclass(frozen=True, slots=True)
class Named:
    """A name above another, each broken after a dot, a dash or an underscore where its column is too narrow."""

    name: str
    more: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        for text, style in ((self.name, ""), (self.more, "dim")):
            for line in broken(inert(text), options.max_width):
                yield styled(line, style)


def broken(name: str, width: int) -> list[str]:
    """A name in lines of this width, whole where it fits.

    >>> broken("stress.missing.loss [all]", 16)
    ['stress.missing.', 'loss [all]']
    """
    lines = [""]
    for piece in re.findall(r"[^._\- ]*[._\- ]?", name):
        if lines[-1] and len(lines[-1]) + len(piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines]


def _requirement(judgement: Judgement, record: Record) -> tuple[RenderableType, ...]:
    measurement = deciding(judgement, record.measurements)
    rate = judged_as_rate(judgement, measurement)
    measured = judged(judgement, measurement)
    low, high = (judgement.low, judgement.high) if measurement is None else (measurement.low, measurement.high)
    if span := ends(low, high, rate):
        measured += f"\n{span}"
    if judgement.n:
        measured += f"\nn = {judgement.n:,}"
    for name, value in measurement.baseline if measurement else ():
        measured += f"\n{inert(name)}: {show(value, rate)}"
    passed = judgement.verdict is Verdict.PASS
    why = judgement.requirement.reason if passed else judgement.explanation or judgement.requirement.reason
    if told := tally(judgement.claims):
        why = f"{why.partition(' It is the worst of ')[0]} {told}."
    if rows := rows_to_decide(judgement):
        why += f" {rows}"
    rows = f" [{measurement.slice}]" if measurement and measurement.slice != "all" else ""
    name = measurement.name if measurement else judgement.requirement.metric
    if why.startswith(f"{name} is "):  # the name stands beside it already
        why = "It" + why.removeprefix(name)
    title = Named(judgement.requirement.id, name + rows)
    return title, _lines(measured), styled(limit(judgement.requirement, rate)), styled(why)


def _finding(finding: Finding) -> RenderableType:
    head = styled("")
    head.append(f"[{inert(finding.severity)}] ", style=SEVERITY_STYLES.get(finding.severity, ""))
    head.append(f"{inert(finding.title)}", style="bold")
    head.append(f"  {inert(', '.join(finding.references))}", style="dim")
    body = styled("")
    for line in (finding.detail, finding.accuses, *finding.examples[:2], *_said(finding)):
        body.append(f"{inert(line)}\n" if line else "")
    body.append(f"reproduce: {inert(finding.reproduce)}", style="cyan")
    if finding.defences:
        body.append(f"     fix: temper harden --for {inert(finding.id)}", style="cyan")
    body.append("\n")
    return under(head, [body], "     ")


def _titles(record: Record, tags: set[str]) -> Text:
    """What the ids beside the findings are called."""
    said = "; ".join(f"{tag} {words}" for tag, words in record.titles if tag in tags)
    return styled(said, "dim")


def _said(finding: Finding) -> list[str]:
    """The first lines of the conversation that shows it, each cut to a line's length."""
    return [f"{who}: {' '.join(what.split())[:_SAID]}" for who, what in finding.transcript[:5]]


def _limits(record: Record, shown: int) -> RenderableType:
    said = limits(record)
    lines = [styled(line, "dim") for line in said[:shown]]
    rest = styled(f"  and {len(said) - shown} more in the HTML report\n", "dim")
    listed = under(styled("What this does not show", "bold"), lines, "  - ")
    return under(listed, [rest], "") if len(said) > shown else under(listed, [styled("")], "")


def under(head: RenderableType, parts: Sequence[Text], mark: str) -> RenderableType:
    """Lines below a head, each behind a mark, long ones folded behind it too."""
    from rich.console import Group
    from rich.table import Table as Grid

    grid = Grid.grid(expand=True)
    grid.add_column(width=len(mark), no_wrap=True)
    grid.add_column(ratio=1, overflow="fold")
    for part in parts:
        grid.add_row(styled(mark, "dim"), part)
    return Group(head, grid)


def verdict_lines(record: Record) -> Text:
    """The verdict and its three sentences."""
    verdict, weight, step = sentences(record)
    text = styled("Verdict: ")
    text.append(f"{SYMBOLS[record.verdict]} {record.verdict.name}\n", style=STYLES[record.verdict])
    for line in (verdict, weight, step):
        text.append(f"{inert(line)}\n")
    return text


def _stamp(verdict: Verdict) -> Text:
    return styled(f"{SYMBOLS[verdict]} {verdict.name}", STYLES[verdict])


def _lines(text: str) -> Text:
    """Text with line breaks of our own, each line made inert."""
    return _join([inert(line) for line in text.split("\n")])


def _join(lines: Sequence[str]) -> Text:
    from rich.text import Text as Styled

    return Styled("\n".join(lines))
