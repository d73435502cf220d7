"""What a notebook shows of a result: one small view, as HTML that takes the page's own colours, or as Markdown."""

from __future__ import annotations

import html as markup
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from temper.core.comparison import Comparison, Difference
from temper.core.defence import Effect
from temper.core.measure import Measurement
from temper.core.requirement import Judgement
from temper.core.risk import Register
from temper.core.run import Record
from temper.report._change import signed
from temper.report._figure import figure, interval, is_rate, number, percent, sentence
from temper.report._inert import inert
from temper.report._story import sentences, worst_findings
from temper.report.risk import amount, chance
from temper.report.risk import sentences as of_register
from temper.report.rows import requirement

if TYPE_CHECKING:
    from temper.report.threats import Threats

_MARKDOWN = str.maketrans({one: f"\\{one}" for one in "\\`*_[]<>|#&~$"})
_ROWS = 30
_TONES = {
    **{"PASS": "#1e7a45", "FAIL": "#b4232c", "INCONCLUSIVE": "#8a5a00", "ERROR": "#7b3fa0", "WAIVED": "#23688a"},
    **{"critical": "#b4232c", "high": "#a8480f", "medium": "#8a5a00", "worse": "#b4232c", "better": "#1e7a45"},
}
"""Grounds on which white letters are read, in light and in dark."""
_QUIET = "opacity:.75"
_CELL = (
    "text-align:left;vertical-align:top;padding:3px 14px 3px 0;border:0;background:none;color:inherit;"
    "white-space:normal;overflow-wrap:anywhere"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of words; a word of the first column is set as a badge where it names a verdict or a severity."""

    columns: tuple[str, ...]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A heading, lines under it, tables, and a quiet last line."""

    title: str
    badge: str = ""
    about: str = ""
    lines: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    foot: str = ""


class Shown(ABC):
    """A result that a notebook shows by its view."""

    __slots__ = ()

    @abstractmethod
    def view(self) -> View:
        """What is shown of it."""

    def _repr_html_(self) -> str:
        return html(self.view())

    def _repr_markdown_(self) -> str:
        return markdown(self.view())


def html(view: View) -> str:
    """No style sheet, no script, no colours of its own but badges: it lies in somebody else's page, light or dark."""
    parts = [f'<p style="margin:4px 0;font-size:1.1em">{_badge(view.badge)}<b>{_safe(view.title)}</b></p>']
    parts += [f'<p style="margin:2px 0;{_QUIET}">{_safe(view.about)}</p>'] if view.about else []
    parts += [f'<p style="margin:2px 0;max-width:90ch">{_coded(line)}</p>' for line in view.lines]
    parts += [_html_table(table) for table in view.tables if table.rows]
    parts += [f'<p style="margin:6px 0 2px;{_QUIET}">{_safe(view.foot)}</p>'] if view.foot else []
    return f'<div style="font-size:.95em;line-height:1.45">{"".join(parts)}</div>'


def markdown(view: View) -> str:
    """The same as Markdown; what comes from outside cannot act as such."""
    badge = f"{_plain(view.badge)} · " if view.badge else ""
    parts = [f"### {badge}{_plain(view.title)}", _plain(view.about), *map(_plain, view.lines)]
    parts += [_markdown_table(table) for table in view.tables if table.rows]
    return "\n\n".join(part for part in [*parts, _plain(view.foot)] if part) + "\n"


def render(record: Record) -> str:
    """A run as Markdown, for the summary of a build."""
    return markdown(of_run(record))


def of_run(record: Record) -> View:
    """The verdict in three sentences, every requirement with its figure, and the worst findings."""
    found = worst_findings(record)
    asked = [_requirement(judgement, record) for judgement in record.judgements]
    weak = [[f.severity, f.title, f.reproduce] for f in found[:5]]
    simulated = " SIMULATED data: no figure here speaks of a real system." if record.simulated else ""
    unfinished = "" if record.state == "finished" else f"; the run {record.state} before it was complete"
    return View(
        title=f"{record.system}, run {record.id}",
        badge=record.kind.name,
        about=f"suite {record.suite}, {record.started[:16].replace('T', ' ')} UTC{unfinished}.{simulated}",
        lines=sentences(record),
        tables=(
            Table(columns=("Verdict", "Requirement", "Measured", "Asked", "Beside it"), rows=asked),
            Table(columns=("Severity", f"Findings ({len(found)})", "Shown again by"), rows=weak),
        ),
        foot=f"{len(record.measurements)} figures, and what this does not show: .to_frame(), .report('report.html')",
    )


def of_comparison(old: Record, new: Record, comparison: Comparison) -> View:
    """What changed between two runs, then the findings."""
    changed = [one for one in comparison.figures if one.change != "unchanged"]
    names = {"new": comparison.new, "fixed": comparison.fixed, "not looked for again": comparison.unknown}
    titles = [[word, title] for word, found in names.items() for title in found]
    same = len(comparison.figures) - len(changed)
    return View(
        title=f"run {old.id} ({old.verdict.name}) against run {new.id} ({new.verdict.name})",
        tables=(
            Table(columns=("Change", "Figure", "Before", "After", "Difference"), rows=list(map(_difference, changed))),
            Table(columns=("Finding", ""), rows=titles),
        ),
        foot=f"{same} figures whose intervals show no change; {len(comparison.unchanged)} findings as before",
    )


def of_hardening(taken: Sequence[str], effects: Sequence[Effect], after: Record) -> View:
    """Every defence that was tried with what it changed on the same rows."""
    rows = [
        [
            effect.verdict,
            f"{effect.defence}: {effect.metric}",
            f"{number(effect.before)} → {number(effect.after)}",
            f"{effect.difference:+.3g} ({effect.low:+.3g} to {effect.high:+.3g}, n = {effect.n:,})",
        ]
        for effect in effects
    ]
    return View(
        title=f"taken: {', '.join(taken) or 'no defence'}",
        badge=after.kind.name,
        about=f"run {after.id} is the hardened model, assessed like the one before" if taken else "",
        tables=(Table(columns=("Effect", "Defence", "Before → after", "Difference"), rows=rows),),
    )


def of_attack(rate: Measurement, verdicts: Any, checks: Sequence[str]) -> View:
    """The success rate beside its baselines, the rows by verdict, and what speaks against the attack's silence."""
    counted = {word: int((verdicts == word).sum()) for word in ("broken", "held", "untried", "error")}
    beside = [f"{name}: {percent(value)}" for name, value in rate.baseline]
    return View(
        title=f"{rate.plugin}: {sentence(rate)}",
        about=", ".join(f"{many:,} {word}" for word, many in counted.items() if many),
        lines=(*([f"beside it: {', '.join(beside)}"] if beside else []), *checks),
    )


def of_threats(found: Threats) -> View:
    """Concerns with who, tests and evidence; what was left out and what nobody has answered as counts."""
    model = found.model
    rows = [
        [
            line.concern.rating,
            line.concern.title,
            ", ".join(line.concern.actors) or "no adversary",
            f"{len(line.tests)} tests, {line.state}",
            ", ".join(one.name for one in line.placed) or "none",
        ]
        for line in found.lines
    ]
    left = sum(len(one.threats) for one in model.without)
    return View(
        title=f"{model.system}: {len(model.concerns)} concerns",
        about=model.purpose,
        lines=tuple(f"warning: {warning}" for warning in found.warnings),
        tables=(Table(columns=("Rating", "Concern", "By", "Evidence", "Controls"), rows=rows),),
        foot=f"{left} threats left out, each with its why; {len(model.questions)} questions nobody has answered",
    )


def of_risks(register: Register) -> View:
    """Each risk with its chance and what a year may cost, before and after anything was measured."""
    rows = [
        [
            risk.rating,
            risk.title + (f" (accepted: {risk.accepted})" if risk.accepted else ""),
            risk.actor,
            risk.standing.value,
            f"{percent(round(risk.chance_before.middle, 3))} → {chance(risk.chance)}",
            f"{amount(risk.annual_before.middle)} → {amount(risk.annual.middle)} "
            f"({amount(risk.annual.low)} to {amount(risk.annual.high)})",
        ]
        for risk in register.risks
    ]
    columns = ("Rating", "Risk", "By", "Evidence", "Chance an attempt succeeds", f"A year, {register.unit}")
    return View(
        title=f"{len(register.risks)} risks",
        lines=(*of_register(register), *register.notes),
        tables=(Table(columns=columns, rows=rows),),
    )


def _requirement(judgement: Judgement, record: Record) -> list[str]:
    told = requirement(judgement, record)
    ends = f" ({told['interval']}, n = {judgement.n:,})" if told["interval"] else ""
    rule = judgement.requirement
    waived = f", waived by {rule.waiver.by} until {rule.waiver.until}" if rule.waiver else ""
    return [
        judgement.verdict.name,
        f"{rule.id}{waived}",
        f"{told['measured']}{ends}",
        told["limit"],
        ", ".join(told["baseline"]),
    ]


def _difference(one: Difference) -> list[str]:
    rows = "" if one.slice == "all" else f" [{one.slice}]"
    gap = one.why
    if one.difference is not None and one.low is not None and one.high is not None:
        rate = one.after is not None and is_rate(one.after)
        low = signed(one.low, rate).removesuffix(" points")
        gap = f"{signed(one.difference, rate)} ({low} to {signed(one.high, rate)})"
    return [one.change, f"{one.name}{rows}", *(_figure(m) for m in (one.before, one.after)), gap]


def _figure(measurement: Measurement | None) -> str:
    if measurement is None:
        return "–"
    ends = f" ({interval(measurement)}, n = {measurement.n:,})" if interval(measurement) else ""
    return f"{figure(measurement)}{ends}"


def _shown(table: Table) -> Iterator[Sequence[str]]:
    """The first rows, and how many more there are."""
    yield from table.rows[:_ROWS]
    if len(table.rows) > _ROWS:
        yield ("", f"and {len(table.rows) - _ROWS} more", *[""] * (len(table.columns) - 2))


def _html_table(table: Table) -> str:
    head = "".join(f'<th style="{_CELL};{_QUIET}">{_safe(name)}</th>' for name in table.columns)
    body = "".join(
        f'<tr style="background:none">{_html_first(row[0])}'
        f"{''.join(f'<td style={chr(34)}{_CELL}{chr(34)}>{_safe(word)}</td>' for word in row[1:])}</tr>"
        for row in _shown(table)
    )
    rule = "border-collapse:collapse;margin:8px 0;border-top:1px solid rgba(128,128,128,.4)"
    return f'<table style="{rule}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _html_first(word: str) -> str:
    return f'<td style="{_CELL}">{_badge(word) if word in _TONES else _safe(word)}</td>'


def _badge(word: str) -> str:
    if not word:
        return ""
    look = "color:#fff;border-radius:4px;padding:1px 8px;margin-right:8px;font-size:.8em;font-weight:700"
    return f'<span style="background:{_TONES.get(word, "#5b6675")};{look}">{_safe(word)}</span>'


def _markdown_table(table: Table) -> str:
    head, *rows = [[_plain(word) for word in row] for row in (table.columns, *_shown(table))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def _safe(text: object) -> str:
    """Escaped and inert; a figure and its percent sign stay on one line."""
    return markup.escape(inert(text)).replace(" %", "\u00a0%")


def _coded(text: str) -> str:
    """A sentence with what stands between backticks set as code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", _safe(text))


def _plain(text: object) -> str:
    """Words from outside that no Markdown reader can be moved by."""
    return inert(text).translate(_MARKDOWN)
