"""What a search found, for a person and for a program."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temper.engine.fuzz.kept import Kept
from temper.fuzz import _drawn
from temper.fuzz._oracle import MEANING
from temper.fuzz._search import Defect, Searched
from temper.report._blocks import SEVERITY_STYLES, grid, styled
from temper.report._inert import inert

if TYPE_CHECKING:
    from rich.console import RenderableType

_SAID = 160


def document(found: Searched, kept: Kept) -> dict[str, Any]:
    """The search as JSON can hold it; a law that holds has the bound 3/n."""
    laws = [
        {"law": law, "meaning": MEANING[law], "cases": n, "defects": sum(one.law == law for one in found.defects),
         "bound": bound(n)}
        for law, n in found.tried.items()
    ]  # fmt: skip
    defects = [
        {"id": id_, "severity": one.severity, "changed": one.changed, "smallest": [str(case) for case in one.cases],
         **one.plain()}
        for id_, one in zip(kept.ids, found.defects, strict=True)
    ]  # fmt: skip
    told = {
        "asked": found.asked,
        "stopped": found.stopped,
        "left_out": found.left_out,
        "late": found.late,
        "cases": str(kept.cases),
    }
    return {"defects": defects, "laws": laws, **told}


def bound(n: int) -> float | None:
    """With no defect in n cases at most this share of such cases shows one, at 95 %; None where none was tried."""
    return 1.0 - 0.05 ** (1.0 / n) if n else None


def line(defect: Defect) -> str:
    """A defect as it is found."""
    return f"[{defect.severity}] {defect.law}: {inert(defect.cases[0], _SAID)}: {inert(defect.said, _SAID)}"


def blocks(found: Searched, kept: Kept, replay: str) -> list[RenderableType]:
    """Defects with their smallest cases, then the laws with what was tried of them, then what to do next."""
    shown: list[RenderableType] = []
    if found.defects:
        table = grid("Broken law", "Smallest case", "What is seen", first="Id")
        table.columns[1].ratio = 1
        for id_, one in zip(kept.ids, found.defects, strict=True):
            broken = styled(one.law, SEVERITY_STYLES.get(one.severity, ""))
            broken.append(f"\n{one.severity}", style="dim")
            beside = f"; beside {len(one.cases) - 1} more" if len(one.cases) > 1 else ""
            once = "" if one.repeated else " (seen once, not again)"
            table.add_row(
                styled(id_), broken, styled(inert(one.cases[0], _SAID) + beside), styled(inert(one.said, _SAID) + once)
            )
        shown.append(table)
    laws = grid("What must hold", "Cases", "Found", "Bound", first="Law")
    for column, share in zip(laws.columns[1:], (6, 1, 1, 2), strict=True):
        column.ratio = share
    for law, n in found.tried.items():
        count = sum(one.law == law for one in found.defects)
        most = bound(n)
        told = "not tried" if most is None else "" if count else f"< {most:.2g}"
        cells = (law, MEANING[law], f"{n:,}", str(count), told)
        laws.add_row(*map(styled, cells))
    shown += [styled("")] * bool(shown)
    return [*shown, laws, *(styled(text, "dim") for text in _notes(found, kept, replay))]


def _notes(found: Searched, kept: Kept, replay: str) -> Sequence[str]:
    notes = ["bound: where no defect was found, at most this share of such cases shows one, at 95 % confidence"]
    notes += [f"{found.asked:,} rows asked; cases: {kept.cases}"]
    if kept.tests is not None:
        notes += [f"again: {replay}", f"as a test: pytest {kept.tests}"]
    if found.left_out:
        notes.append(f"{found.left_out:,} cases like one that hung or killed the model were left out")
    if found.late:
        notes.append(f"{found.late:,} cases were answered too late once, and in time when they were asked again")
    if found.stopped:
        notes.append(f"stopped early: {found.stopped}")
    if not _drawn.installed():
        notes.append(_drawn.MISSING)
    return notes


def code(found: Searched) -> int:
    """The exit code: 1 with a defect, 3 where it stopped before every law was tried, else 0."""
    return 1 if found.defects else 3 if found.stopped else 0


def where(folder: Path, config: Path) -> Path:
    """The next free folder for cases beside a temper.yaml."""
    root = config.parent / folder
    number = 1 + max((int(path.name) for path in root.glob("[0-9]*") if path.name.isdigit()), default=0)
    return root / f"{number:03d}"
