"""What a terminal and a page show of a campaign: what was sought, the kill chain, each technique, what was seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from temper.core.run import Record
from temper.core.waged import Answered, Attempted, Came, Defended, Turn, Waged, together

if TYPE_CHECKING:
    from rich.console import RenderableType

_TURNS, _DEEDS, _TEXT = 14, 5, 90
EFFECTS = ("call", "leak")
"""Aims that are reached by what an assistant's tools do."""
_TACTICS = ("reconnaissance", "access", "staging", "attack", "impact")


def span(seconds: float) -> str:
    """A while as a person reads it.

    >>> [span(one) for one in (42.0, 600.0, 9_000.0, 200_000.0)]
    ['42 s', '10 min', '2.5 h', '2.3 days']
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7_200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the kill chain: turns of one technique in a row."""

    turn: Turn
    many: int

    @property
    def when(self) -> str:
        """From when to when."""
        begun, ended = span(self.turn.begun), span(self.turn.ended)
        return begun if begun == ended else f"{begun} to {ended}"

    @property
    def name(self) -> str:
        """The technique, and how many turns in a row it had."""
        return self.turn.technique + (f" ×{self.many}" if self.many > 1 else "")

    @property
    def stopped(self) -> str:
        """What held rows up, largest first."""
        return stopped(self.turn)

    @property
    def through(self) -> str:
        """Rows that got through, of those submitted."""
        return f"{self.turn.passed:,} of {self.turn.submitted:,}" if self.turn.submitted else "–"


def stopped(turn: Turn) -> str:
    """What held rows up, in words."""
    alone = "assistant" if turn.aim in EFFECTS else "model"
    parts = {alone: turn.flagged, "review": turn.reviewed, "block": turn.blocked, "turned away": turn.refused}
    parts |= {"failed": turn.failed}
    said = ", ".join(f"{many:,} {name}" for name, many in parts.items() if many)
    return said or "nothing"


def chain(waged: Waged) -> list[Line]:
    """The kill chain in order of time; turns in which nothing was done are left out."""
    lines = []
    for _, turns in groupby(waged.acted, key=lambda turn: turn.technique):
        row = list(turns)
        whole = row[0]
        for turn in row[1:]:
            whole = together(whole, turn)
        lines.append(Line(turn=whole, many=len(row)))
    return lines


def techniques(waged: Waged) -> list[Turn]:
    """Each technique in one line, in the order of the kill chain."""
    return sorted(waged.techniques, key=lambda turn: _TACTICS.index(turn.tactic))


def reached(one: Came) -> str:
    """Whether an objective was reached; that it was not is never called safe."""
    if one.reached:
        return f"REACHED after {span(one.when or 0.0)} and {_many(one.queries, _asked(one))}"
    bare = "nothing shows their power"
    if one.bare is not None:
        weak = "too weak, or it gives nothing away" if one.aim == "learn" else "too weak to tell"
        alone = "without the guard" if one.aim in EFFECTS else "with the model alone"
        bare = f"reached {alone}" if one.bare >= one.goal else f"not reached {alone} either: {weak}"
    return f"not reached with {_many(one.queries, _asked(one))}; {bare}"


def _asked(one: Came) -> str:
    return "conversations" if one.aim in EFFECTS else "rows"


def _many(many: int, asked: str) -> str:
    """So many rows are queries, so many turns of a conversation are questions."""
    if asked == "rows":
        return f"{many:,} queries"
    return f"{many:,} question" + "s" * (many != 1)


def far(one: Came) -> str:
    """How far, in the objective's own unit."""
    if one.aim == "move" or one.aim in EFFECTS:
        return f"{one.value:,.0f} of {one.goal:,.0f}"
    between = "" if one.low is None or one.high is None else f" ({one.low:.1%} to {one.high:.1%})"
    return f"{one.value:.1%}{between} of {one.goal:.1%}"


def others(waged: Waged) -> str:
    """How often, over the campaigns of other seeds."""
    if waged.waged == 1:
        return "one campaign: another seed may end otherwise"
    return f"{waged.reached} of {waged.waged} campaigns reached everything; shown is the one that came farthest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What is asked, what holds it in where no guard does, and what gets through, of a table or of an assistant."""

    alone: str = "model"
    passed: str = "Got through"


def words(waged: Waged) -> Words:
    """The words for what this campaign was waged on."""
    if waged.asked == "conversations":
        return Words(alone="assistant", passed="Had an effect")
    return Words()


def section(waged: Waged | None) -> dict[str, Any] | None:
    """What the page shows of it; None of other runs."""
    if waged is None:
        return None
    from temper.report.campaign_chart import timeline

    objectives = [(one, far(one), reached(one)) for one in waged.objectives]
    return {
        "waged": waged,
        "words": words(waged),
        "asked": _many(waged.queries, waged.asked),
        "deeds": [(one, span(one.when).replace(" ", "\u00a0")) for one in waged.deeds],
        "took": span(waged.seconds),
        "others": others(waged),
        "objectives": objectives,
        "chain": chain(waged),
        "picture": timeline(waged),
        "techniques": techniques(waged),
        "side": side(waged),
        "span": span,
    }


def campaign_blocks(record: Record) -> Iterator[RenderableType]:
    """The campaign on a terminal; nothing of other runs."""
    from temper.report._blocks import grid, styled, under

    waged = record.campaign
    if waged is None:
        return
    simulated = "  SIMULATED" * record.simulated
    told = f"{_many(waged.queries, waged.asked)} in {span(waged.seconds)}"
    yield styled(f"The campaign{simulated}: {told}, {waged.ended}", "bold")
    about = (waged.target, f"attackers: {waged.attacker}", f"rules: {waged.rules}", others(waged))
    yield under(styled(""), [styled(line, "dim") for line in about], "  ")
    table = grid("Came to", "Outcome", first="Sought")
    table.columns[0].no_wrap, table.columns[0].ratio = False, 4
    table.columns[2].ratio = 4
    for one in waged.objectives:
        table.add_row(
            styled(one.words), styled(far(one)), styled(reached(one), "bold red" if one.reached else "yellow")
        )
    yield table
    yield ""
    yield from _deeds(waged)
    yield from _chain(waged)
    yield from _techniques(waged)
    if waged.purple:
        yield from _side(waged)
    yield ""


def _deeds(waged: Waged) -> Iterator[RenderableType]:
    """The impact: what an assistant's tools did, from their own journal."""
    from temper.report._blocks import grid, styled

    if not waged.deeds:
        return
    table = grid("By", "How the order came in", first="Impact: what the tools did")
    table.columns[0].no_wrap, table.columns[0].ratio, table.columns[2].ratio = False, 5, 4
    for one in waged.deeds[:_DEEDS]:
        done = styled(one.what, "bold red")
        done.append(f"\nafter {span(one.when)}, question {one.queries:,}", style="dim")
        table.add_row(done, styled(one.technique), styled(one.how))
    yield table
    if len(waged.deeds) > _DEEDS:
        yield styled(f"and {len(waged.deeds) - _DEEDS} more effects in the HTML report", "dim")
    yield ""


def _chain(waged: Waged) -> Iterator[RenderableType]:
    from temper.report._blocks import grid, styled

    table = grid("Technique", "Asked", "Stopped by", words(waged).passed, first="Kill chain")
    table.columns[1].ratio, table.columns[2].ratio, table.columns[2].no_wrap = 5, None, True
    for line in (lines := chain(waged))[:_TURNS]:
        tactic = styled(line.turn.tactic, "bold")
        tactic.append(f"\n{line.when}", style="dim")
        name = styled(line.name)
        for said in line.turn.said[:2]:
            name.append("\n").append_text(styled(said, "dim"))
        table.add_row(tactic, name, styled(f"{line.turn.asked:,}"), styled(line.stopped), styled(line.through))
    yield table
    if len(lines) > _TURNS:
        yield styled(f"and {len(lines) - _TURNS} more lines in the HTML report", "dim")
    yield ""


def _techniques(waged: Waged) -> Iterator[RenderableType]:
    from temper.report._blocks import grid, styled

    alone = words(waged).alone.capitalize()
    table = grid("Asked", alone, "Review", "Block", "Passed", "Cost", "Layers that objected", first="Technique")
    for column in table.columns[1:7]:
        column.no_wrap, column.ratio = True, None
    for one in techniques(waged):
        counts = (one.asked, one.flagged, one.reviewed, one.blocked, one.passed)
        why = ", ".join(f"{name} {many:,}" for name, many in one.why)
        cells = (*(f"{many:,}" for many in counts), f"{one.cost:,.0f}", why or "–")
        table.add_row(styled(one.technique), *(styled(cell) for cell in cells))
    yield table
    for line in waged.untried:
        yield styled(f"not played: {line}", "dim")


def _side(waged: Waged) -> Iterator[RenderableType]:
    from temper.report._blocks import grid, styled, under

    yield ""
    yield styled("What the other side sees", "bold")
    table = grid("Seen by", "Detected", "Contained", "Passed before", "Passed since", first="Technique")
    table.columns[0].ratio, table.columns[1].ratio = None, 5
    for column in table.columns[2:]:
        column.no_wrap, column.ratio = True, None
    for line in seen(waged):
        style = "" if line.turn.detected is not None else "bold red"
        cells = (line.turn.seen or "nothing", line.detected, line.contained, line.before, line.since)
        table.add_row(styled(line.name), *(styled(cell, style) for cell in cells))
    yield table
    yield styled("Passed: of those tried, before the system was contained and since; ( ): nobody answers", "dim")
    found = waged.defended
    if found is not None:
        yield styled(found.team, "dim")
        for text in (*twin(waged), *cost(found)):
            yield styled(text)
        yield from _answers(found)
    if waged.gaps:
        yield under(styled("Gaps", "bold"), [styled(line) for line in waged.gaps], "  - ")


def _answers(found: Defended) -> Iterator[RenderableType]:
    from temper.report._blocks import grid, styled

    if not found.answered:
        return
    yield ""
    table = grid("Step", "What came of it", first="What people did")
    table.columns[1].ratio, table.columns[2].ratio = 3, 5
    for one in (lines := answers(found))[:_TURNS]:
        when = styled(span(one.at), "bold")
        when.append(f"\n{one.playbook}", style="dim")
        text = one.text if len(one.text) <= _TEXT else f"{one.text[:_TEXT]} …"
        table.add_row(when, styled(one.step or "–"), styled(text, "" if one.changed else "dim"))
    yield table
    if len(lines) > _TURNS:
        yield styled(f"and {len(lines) - _TURNS} more steps in the HTML report", "dim")


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """A technique with the first of its turns that was seen, and what passed of it before containment and since."""

    turn: Turn
    name: str
    before: str
    since: str

    @property
    def detected(self) -> str:
        """How long after the turn began."""
        return after(self.turn, self.turn.detected)

    @property
    def contained(self) -> str:
        """How long after the turn began; "already" where it began in a system that was contained."""
        at = self.turn.contained
        return "already" if at is not None and at <= self.turn.begun else after(self.turn, at)


def seen(waged: Waged) -> list[Looked]:
    """Each technique in the order of the kill chain."""
    many = Counter(turn.technique for turn in waged.acted)
    tried = {one.technique: one for one in waged.defended.attempts} if waged.defended else {}
    return [
        Looked(
            turn=one,
            name=Line(turn=one, many=many[one.technique]).name,
            before=_halves(tried.get(one.technique), since=False),
            since=_halves(tried.get(one.technique), since=True),
        )
        for one in techniques(waged)
    ]


def side(waged: Waged) -> dict[str, Any] | None:
    """What a page shows of the other side; None where nobody asked."""
    if not waged.purple:
        return None
    found = waged.defended
    said = [] if found is None else [*twin(waged), *cost(found)]
    return {"seen": seen(waged), "found": found, "said": said, "answers": [] if found is None else answers(found)}


def answers(found: Defended) -> list[Answered]:
    """What people did: every step that changed something, and of a playbook that is run again only these."""
    first: set[tuple[str, str]] = set()
    lines = []
    for one in found.answered:
        if one.changed or (one.playbook, one.step) not in first:
            lines.append(one)
        first.add((one.playbook, one.step))
    return lines


def twin(waged: Waged) -> list[str]:
    """Each objective beside the same campaign that nobody answered, and when the system was contained."""
    found = waged.defended
    when = None if found is None else found.contained
    lines = [
        f"Answered: {far(one)} after {one.queries:,} queries. The same seed, and nobody answers: "
        f"{far(replace(one, value=one.unanswered))} after {one.unanswered_queries:,}."
        for one in waged.objectives
        if one.unanswered is not None
    ]
    if when is None:
        return [*lines, "No playbook contained it."]
    late = ", when the attackers were gone" if when > waged.seconds else f" of {span(waged.seconds)}"
    return [*lines, f"Contained after {span(when)}{late}."]


def cost(found: Defended) -> list[str]:
    """What alarms and containment do to honest traffic (SIMULATED)."""
    lines = (
        [f"Alerts: {'; '.join(f'{title}, after {span(at)}' for title, at in found.alerts)}."] if found.alerts else []
    )
    if found.windows:
        lines.append(f"False alarms: {found.false} of {found.windows} windows of honest traffic in the same time.")
    asked, before, since = found.honest
    if asked:
        lines.append(f"Of {asked} honest requests the guard stops {before} as it began, {since} as people left it.")
    return lines


def _halves(one: Attempted | None, *, since: bool) -> str:
    """Rows that passed of those tried, beside the campaign that nobody answers."""
    if one is None:
        return "–"
    tried, passed = one.since if since else one.before
    alone = one.alone[2:] if since else one.alone[:2]
    return f"{passed:,} of {tried:,}" + (f" ({alone[1]:,} of {alone[0]:,})" if any(one.alone) else "")


def after(turn: Turn, at: float | None) -> str:
    """How long after it had begun."""
    if at is None:
        return "never"
    took = max(0.0, at - turn.begun)
    return f"after {span(took)}" if took else "at once"
