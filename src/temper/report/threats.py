"""The threat model in a terminal, as one static page, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temper.core.errors import TemperError
from temper.core.requirement import Verdict
from temper.core.run import Record
from temper.core.threat_model import Answer, Concern, Question, ThreatModel, Without
from temper.report._blocks import SEVERITY_STYLES, STYLES, grid, styled, under, write
from temper.report._figure import SYMBOLS
from temper.report._inert import inert
from temper.report.coverage import MEASURED, Line, Old, coverage, evidence, gaps
from temper.report.notebook import Shown, View, of_threats
from temper.report.picture import picture, standalone

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

FORMAT = "temper.threats/1"
_MANY = 6
_SEEN = {"realized": "seen in incidents", "demonstrated": "shown in exercises", "feasible": "on paper so far"}
_MARKS = {"measured": "✓", "stale": "↺", "inconclusive": "?", "untested": "–"}
_STATES = {"measured": "green", "stale": "yellow", "inconclusive": "yellow", "untested": "red", "partly": "yellow"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Threats(Shown):
    """A threat model beside the last run, `now` the digests of what is there, `old` why figures of a plugin no longer
    count, `warnings` what speaks against it.
    """

    model: ThreatModel
    record: Record | None = None
    now: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    titles: Mapping[str, str] = field(default_factory=dict)
    old: Old | None = None

    @property
    def lines(self) -> tuple[Line, ...]:
        """The coverage matrix."""
        return coverage(self.model, self.record, self.now, self.old)

    def view(self) -> View:
        """The concerns, as a notebook shows them."""
        return of_threats(self)


def show(found: Threats, console: Console | None = None) -> None:
    """Concerns with because, tests, evidence and controls; what was left out; open questions; warnings last."""
    write(_blocks(found), console)


def document(found: Threats) -> str:
    """Everything as JSON, sorted and ASCII only."""
    plain = asdict(found.model) | {
        "format": FORMAT,
        "warnings": list(found.warnings),
        "evidence": {"run": found.record.id, "started": found.record.started} if found.record else None,
        "coverage": [
            {
                "concern": line.concern.id,
                "state": line.state,
                "tests": [asdict(test) for test in line.tests],
                "verdicts": [verdict.name for verdict in line.verdicts],
            }
            for line in found.lines
        ],
    }
    return json.dumps(plain, sort_keys=True, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def page(found: Threats) -> str:
    """One HTML file: no script, no network, light and dark, made to be printed; hostile text in it is inert."""
    from markupsafe import Markup

    from temper.report.html import environment, shipped

    template = environment().from_string(shipped("threats_part.html") + shipped("threats.html"))
    style = Markup(shipped("style.css"))
    return str(template.render(style=style, model=found.model, part=part(found), markup=Markup))


def save(found: Threats, path: Path) -> None:
    """Write it by the ending: .html, .svg or .json; any other is refused."""
    forms: dict[str, Callable[[Threats], str]] = {
        ".html": page,
        ".svg": lambda one: standalone(one.model),
        ".json": document,
    }
    if path.suffix not in forms:
        raise TemperError(f"cannot write a threat model as {path.name!r}", fix=f"use {', '.join(forms)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(forms[path.suffix](found), encoding="utf-8")


def part(found: Threats) -> dict[str, Any]:
    """What a page shows of it, for the template's macro."""
    lines = found.lines
    return {
        "model": found.model,
        "picture": picture(found.model),
        "lines": [(line, evidence(line), _SEEN.get(line.concern.maturity, "")) for line in lines],
        "gaps": gaps(lines),
        "record": found.record,
        "warnings": found.warnings,
        "titles": found.titles,
        "symbols": SYMBOLS,
        "marks": _MARKS,
        "changes": [(one, _changes(one)) for one in found.model.questions],
    }


def _blocks(found: Threats) -> Iterator[RenderableType]:
    model, lines = found.model, found.lines
    yield _heading(found)
    for line in lines:
        yield under(_named(line), [styled(text, style) for text, style in _told(line, found)], "     ")
    if lines:
        yield _matrix(lines)
        yield ""
    yield from _gaps(found, lines)
    if model.without:
        yield under(styled("Left out, because", "bold"), [_left(one) for one in model.without], "  - ")
        yield ""
    if model.questions:
        asked = [_asked(one) for one in model.questions]
        yield under(styled("Nobody has answered", "bold"), asked, "  ? ")
        yield ""
    for warning in found.warnings:
        yield styled(f"warning: {warning}", "bold yellow")
    yield styled(_counts(model), "bold")
    yield styled("Rated by how bad each would be if it happened, whatever was measured.", "dim")
    step = "what a year of it may cost: temper threats --risk"
    yield styled(f"next: {step if found.record else 'temper assess measures them; ' + step}", "bold")


def _heading(found: Threats) -> Text:
    model = found.model
    text = styled(model.system, "bold")
    text.append(f"  {inert(model.purpose)}" if model.purpose else "")
    text.append(f"\nharmed when it is wrong: {inert(model.harmed)}" if model.harmed else "")
    run = found.record
    said = f"run {run.id} of {run.started[:10]}, suite {run.suite}" if run else "none yet; `temper assess` makes some"
    text.append(f"\nevidence: {inert(said)}\n", style="dim")
    return text


def _named(line: Line) -> Text:
    concern = line.concern
    text = styled(f"{line.number:>2}  ", "bold")
    text.append(f"{concern.rating} ", style=SEVERITY_STYLES.get(concern.rating, ""))
    text.append(inert(concern.title), style="bold")
    text.append(f"  {inert(concern.id)}", style="dim")
    return text


def _told(line: Line, found: Threats) -> Iterator[tuple[str, str]]:
    concern = line.concern
    yield f"{_who(concern)}: {concern.harm}", ""
    yield f"because {', '.join(concern.because)}", ""
    ways = "; ".join(f"{way.title} ({way.threat})" for way in concern.ways)
    yield (f"{len(concern.ways)} ways: {ways}" if len(concern.ways) > 1 else ways), "dim"
    yield f"tested by {_tests(test.name for test in line.tests)}", "dim"
    if found.record is not None:
        yield f"evidence: {evidence(line)}", _STATES[line.state] if line.state != MEASURED else ""
    if line.told:
        worst = line.verdicts[0]
        yield f"{SYMBOLS[worst]} {worst.name}: {line.told}", STYLES[worst]
    yield _controls("in place", line.placed), ""
    yield _controls("could be", line.possible), "dim"
    seen = f", {_SEEN[concern.maturity]}" if concern.maturity else ""
    yield f"{', '.join(concern.references)}{seen}", "dim"
    yield "", ""


def _tests(tests: Iterable[str]) -> str:
    """Names of tests; many of one kind by their number."""
    kinds: dict[str, list[str]] = {}
    for name in tests:
        kinds.setdefault(name.rpartition(".")[0], []).append(name)
    return ", ".join(
        f"{len(names)} of {kind}" if len(names) > _MANY else ", ".join(names) for kind, names in kinds.items()
    )


def _who(concern: Concern) -> str:
    return f"by {' or '.join(concern.actors)}" if concern.actors else "without an adversary"


def _controls(word: str, answers: tuple[Answer, ...]) -> str:
    named = [f"{one.name} ({one.known})" if one.known else one.name for one in answers]
    return f"controls {word}: {', '.join(named) or 'none'}"


def _matrix(lines: tuple[Line, ...]) -> RenderableType:
    """Concern by test by evidence by control, a row each."""
    table = grid("Concern", "Evidence", "Policy", "Controls", first="#")
    for line in lines:
        table.add_row(
            styled(str(line.number)),
            styled(line.concern.id),
            styled(evidence(line), _STATES[line.state] if line.state != MEASURED else ""),
            _verdicts(line),
            styled(f"{len(line.placed)} of {len(line.concern.answers)} in place"),
        )
    return table


def _verdicts(line: Line) -> Text:
    text = styled("" if line.verdicts else "–", "dim")
    for at, verdict in enumerate(dict.fromkeys(line.verdicts)):
        text.append(", " if at else "")
        text.append(f"{line.verdicts.count(verdict)} {verdict.name}", style=STYLES[Verdict(verdict)])
    return text


def _gaps(found: Threats, lines: tuple[Line, ...]) -> Iterator[RenderableType]:
    if found.record is None:
        return
    if open_ := gaps(lines):
        said = [styled(f"{why}: {_tests(names)}") for why, names in open_]
        yield under(styled("Not measured, or not any more, because", "bold"), said, "  - ")
        yield ""


def _left(one: Without) -> Text:
    text = styled(one.why)
    text.append(f" ({inert(one.answer)})" if one.answer != one.why else "", style="dim")
    text.append(f": {inert(', '.join(one.threats))}")
    return text


def _asked(question: Question) -> Text:
    text = styled(f"{question.at}: ", "bold")
    text.append(f"{inert(question.asks)} Assumed: {inert(question.assumed)}.")
    text.append("".join(f" {inert(change)}." for change in _changes(question)), style="dim")
    return text


def _changes(question: Question) -> list[str]:
    """What each other answer would change."""
    found = []
    for words, come, go in question.changes:
        parts = [f"{', '.join(names)} {verb}" for names, verb in ((come, "would come"), (go, "would go")) if names]
        found.append(f"If {words}: {' and '.join(parts) or 'nothing changes'}")
    return found


def _counts(model: ThreatModel) -> str:
    left = sum(len(one.threats) for one in model.without)
    return (
        f"{len(model.concerns)} concerns, in which {model.scenarios} scenarios are folded; {left} threats left out; "
        f"{len(model.questions)} open questions"
    )
