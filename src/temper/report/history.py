"""The runs of a system with their verdicts, and what of the evidence is stale, as lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from temper.core.evidence import Evidence, Stale
from temper.core.outline import Outline
from temper.report._inert import inert


def stale_lines(found: Sequence[Stale]) -> Iterator[str]:
    """One line for each part, with every reason once."""
    if not found:
        yield "evidence: nothing is stale"
    parts: dict[str, dict[str, None]] = {}
    for one in found:
        parts.setdefault(one.part, {})[one.why] = None
    for part, reasons in parts.items():
        yield f"STALE  {part or 'everything'}: {inert('; '.join(reasons), 300)}"


def lines(runs: Sequence[Outline], known: Mapping[str, Evidence], found: Sequence[Stale]) -> Iterator[str]:
    """One line a run: id, when, verdict, model, what its evidence is now, suite."""
    for run in runs:
        shown = document(run, known, found)
        words = (run.run, run.started, shown["verdict"].upper(), shown["model"][:12] or "-", shown["evidence"])
        yield "\t".join(map(inert, (*words, run.suite)))


def document(run: Outline, known: Mapping[str, Evidence], found: Sequence[Stale]) -> dict[str, Any]:
    """The same for programs. A run is `current` in the parts for which it is the evidence that counts, `stale` in those
    of them that a rule says it of, else `replaced`.
    """
    mine = sorted(part for part, one in known.items() if one.run == run.run)
    old = sorted({one.part for one in found if one.run == run.run})
    if not mine:
        state = "replaced" if run.state == "finished" else run.state
    else:
        fresh = [part for part in mine if part not in old]
        state = "; ".join(
            f"{word}: {', '.join(parts)}" for word, parts in (("current", fresh), ("stale", old)) if parts
        )
    return {
        "run": run.run,
        "started": run.started,
        "verdict": run.verdict.value,
        "model": "" if run.model.startswith("none") else run.model,
        "suite": run.suite,
        "evidence": state,
        "current": [part for part in mine if part not in old],
        "stale": old,
    }
