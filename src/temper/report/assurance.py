"""An assurance case as people read it: a tree in the terminal, one static page, a part of a run's report; and JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temper.core.assurance import Case, Defeater, Kind, Node, State
from temper.core.count import counted
from temper.core.errors import TemperError
from temper.report._blocks import styled, under, write
from temper.report._inert import inert
from temper.report.gsn import picture, standalone

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text
    from rich.tree import Tree

FORMAT = "temper.case/1"
_MARKS = {State.SUPPORTED: "✓", State.DEFEATED: "✗", State.UNDEVELOPED: "◇"}

_BESIDE = (Kind.CONTEXT, Kind.ASSUMPTION, Kind.JUSTIFICATION)
_SHOWN, _ONE, _BRIEF, _LONGEST = 3, 74, 120, 220


def show(case: Case, console: Console | None = None) -> None:
    """The tree, what speaks against it, what it does not cover, how it stands, and what to do next."""
    write(_blocks(case), console)


def document(case: Case) -> str:
    """Everything as JSON, sorted and ASCII only."""
    plain = {
        "format": FORMAT,
        "system": case.system,
        "run": case.run,
        "made": case.made,
        "ledger": case.ledger,
        "state": case.state(case.top.id).value,
        "nodes": [asdict(node) | {"state": case.state(node.id).value} for node in case.nodes],
        "uncovered": list(case.uncovered),
        "next": step(case),
    }
    return json.dumps(plain, sort_keys=True, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def page(case: Case) -> str:
    """One HTML file: no script, no network, light and dark, made to be printed; hostile text in it is inert."""
    from markupsafe import Markup

    from temper.report.html import environment, shipped

    template = environment().from_string(shipped("case_part.html") + shipped("case.html"))
    return str(template.render(style=Markup(shipped("style.css")), case=section(case), markup=Markup))


def save(case: Case, path: Path) -> None:
    """Write it by the ending: .html, .svg or .json; any other is refused."""
    forms: dict[str, Callable[[Case], str]] = {".html": page, ".svg": standalone, ".json": document}
    if path.suffix not in forms:
        raise TemperError(f"cannot write an assurance case as {path.name!r}", fix=f"use {', '.join(forms)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(forms[path.suffix](case), encoding="utf-8")


def sentences(case: Case) -> list[str]:
    """How it stands: the whole, the claims, what speaks against them."""
    whole, open_ = case.state(case.top.id), [*case.doubts()]
    goals = [node for node in case.nodes if node.kind is Kind.GOAL]
    held = len(case.goals(State.SUPPORTED))
    told = {
        State.SUPPORTED: "SUPPORTED: every leaf cites evidence in a ledger that verifies, and no defeater is open.",
        State.DEFEATED: f"NOT SUPPORTED: {counted(len(open_), 'defeater')} open.",
        State.UNDEVELOPED: "NOT SUPPORTED: nothing speaks against it, and something has no evidence.",
    }
    kinds: dict[str, int] = {}
    for _, one in open_:
        kinds[one.doubt.value] = kinds.get(one.doubt.value, 0) + 1
    lines = [told[whole], f"{held} of {counted(len(goals), 'claim')} supported."]
    if kinds:
        lines[1] += f" Open: {', '.join(f'{many} {word}' for word, many in kinds.items())}."
    if borne := case.borne():
        lines.append(f"{counted(len(borne), 'defeater')} borne by somebody who is named.")
    return lines


def step(case: Case) -> str:
    """What to do next: what settles the first open defeater."""
    first = next(case.doubts(), None)
    if first is not None:
        return first[1].step or f"{first[0].id}: {first[1].text}"
    bare = case.goals(State.UNDEVELOPED)
    return f"give evidence for {bare[-1].id}: {bare[-1].text}" if bare else "temper audit export --out audit.zip"


def section(case: Case) -> dict[str, Any]:
    """What a page shows of it."""
    return {
        "case": case,
        "picture": picture(case),
        "sentences": sentences(case),
        "step": step(case),
        "kind": {State.SUPPORTED: "pass", State.DEFEATED: "fail"}.get(case.state(case.top.id), "inconclusive"),
        "tree": _branch(case.top, case, set()),
        "doubts": [{"node": node, "one": one} for node, one in _once(case)],
        "borne": [{"node": node, "one": one} for node, one in case.borne()],
    }


def _branch(node: Node, case: Case, seen: set[str]) -> dict[str, Any]:
    """A node with what is beside and under it; what was shown before is named again, and not told again."""
    again = node.id in seen
    seen.add(node.id)
    parts = () if again else (*node.beside, *node.under)
    return {
        "node": node,
        "again": again,
        "mark": "" if node.kind in _BESIDE and not node.open else _MARKS[case.state(node.id)],
        "tone": {State.SUPPORTED: "held", State.DEFEATED: "open"}.get(case.state(node.id), "bare"),
        "parts": [_branch(case.by_id[id], case, seen) for id in parts],
    }


def _once(case: Case) -> Iterator[tuple[Node, Defeater]]:
    """Open defeaters, those that say the same once."""
    seen: set[tuple[str, str]] = set()
    for node, one in case.doubts():
        if (one.doubt, one.text) not in seen:
            seen.add((one.doubt, one.text))
            yield node, one


def _blocks(case: Case) -> Iterator[RenderableType]:
    head = styled(case.system, "bold")
    head.append(f"  assurance case over run {inert(case.run)}, {case.made}\n", style="dim")
    yield head
    yield _tree(_branch(case.top, case, set()))
    yield ""
    if borne := case.borne():
        told = [styled(f"{node.id} {_cut(one.text, _BRIEF)} Borne: {inert(one.accepted)}") for node, one in borne]
        yield under(styled("Borne by somebody", "bold"), told, "  - ")
        yield ""
    yield under(styled("Not covered", "bold"), [styled(_cut(line, _ONE)) for line in case.uncovered], "  - ")
    yield ""
    yield _legend()
    for line in sentences(case):
        yield styled(line, "bold")
    yield styled(f"next: {step(case)}", "bold")


def _legend() -> Text:
    words = "G claim, S argument, Sn evidence, C context, A assumption, J justification; ✓ supported, ✗ open defeaters"
    return styled(f"{words}, ◇ undeveloped (GSN 3)", "dim")


def _tree(branch: dict[str, Any]) -> Tree:
    from rich.tree import Tree as Branches

    made = Branches(_line(branch), guide_style="dim")
    _grow(made, branch, set())
    return made


def _grow(tree: Tree, branch: dict[str, Any], told: set[str]) -> None:
    """What is below a node: defeaters in a line, of which each is told once; evidence that holds in one line too."""
    doubts = [_brief(one, told) for one in branch["node"].open]
    if doubts and not branch["again"]:
        more = f"; {len(doubts) - _SHOWN} more (--json)" if len(doubts) > _SHOWN else ""
        tree.add(styled(f"! {'; '.join(dict.fromkeys(doubts[:_SHOWN]))}{more}", "yellow"))
    parts = branch["parts"]
    held = [one["node"] for one in parts if one["node"].kind is Kind.SOLUTION and one["tone"] == "held"]
    for part in (one for one in parts if one["node"] not in held):
        _grow(tree.add(_line(part)), part, told)
    if held:
        said = "; ".join(f"{node.id} {inert(node.text.partition(',')[0], _BRIEF)}" for node in held)
        tree.add(styled("✓ ", "green").append(said, style="dim"))


def _brief(one: Defeater, told: set[str]) -> str:
    """A defeater in a few words, in one where it was told before."""
    if one.text in told:
        return one.doubt.value
    told.add(one.text)
    return f"{one.doubt.value}: {_cut(one.text, _BRIEF)}"


def _cut(text: str, longest: int) -> str:
    """Text that ends with a word where it is too long."""
    return textwrap.shorten(inert(text), longest, placeholder=" …")


def _line(branch: dict[str, Any]) -> Text:
    node: Node = branch["node"]
    tone = {"held": "green", "open": "red", "bare": "yellow"}[branch["tone"]]
    text = styled(f"{branch['mark']} " if branch["mark"] else "", tone)
    text.append(f"{node.id} ", style="bold" if node.kind is Kind.GOAL else "dim")
    aside = node.kind in _BESIDE or node.kind is Kind.STRATEGY
    text.append(inert(node.text, _LONGEST), style="dim" if aside else "")
    text.append(" (see above)" if branch["again"] else "", style="dim")
    return text
