"""The runs of a system with their verdicts, and what of the evidence is stale, as lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from temper.core.evidence import Evidence, Stale
from temper.core.run import Record
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


def lines(records: Sequence[Record], known: Mapping[str, Evidence], found: Sequence[Stale]) -> Iterator[str]:
    """One line a run, the newest first: id, when, verdict, model, what its evidence is now, suite."""
    for record in reversed(records):
        shown = document(record, known, found)
        words = (shown["run"], record.started, shown["verdict"].upper(), shown["model"][:12] or "-", shown["evidence"])
        yield "\t".join(map(inert, (*words, record.suite)))


def document(record: Record, known: Mapping[str, Evidence], found: Sequence[Stale]) -> dict[str, Any]:
    """The same for programs. A run is `current` in the parts for which it is the evidence that counts, `stale` in those
    of them that a rule says it of, else `replaced`.
    """
    mine = sorted(part for part, one in known.items() if one.run == record.id)
    old = sorted({one.part for one in found if one.run == record.id})
    model = dict(record.digests).get("model", "")
    if not mine:
        state = "replaced" if record.state == "finished" else record.state
    else:
        fresh = [part for part in mine if part not in old]
        state = "; ".join(
            f"{word}: {', '.join(parts)}" for word, parts in (("current", fresh), ("stale", old)) if parts
        )
    return {
        "run": record.id,
        "started": record.started,
        "verdict": record.verdict.value,
        "model": "" if model.startswith("none") else model,
        "suite": record.suite,
        "evidence": state,
        "current": [part for part in mine if part not in old],
        "stale": old,
    }
