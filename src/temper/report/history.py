"""The runs of a system with their verdicts, and what of the evidence is stale, as lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from temper.core.evidence import ON_ROWS, Cause, Evidence, Stale
from temper.core.outline import Outline
from temper.report._inert import inert


class Outdated(NamedTuple):
    """A part of a run that no longer counts: why, and what renews it."""

    part: str
    why: str
    renewal: str


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


def outdated(run: str, parts: Sequence[str], known: Mapping[str, Evidence], found: Sequence[Stale]) -> list[Outdated]:
    """What of a run that measured these parts no longer counts: a line for each part that another run has measured
    since, or that is stale, with every reason once.
    """
    again = [part for part in parts if part in known and known[part].run != run]
    lines = [Outdated(part, f"run {known[part].run} is the evidence by now", "read that one") for part in again]
    for part in (part for part in parts if part not in again):
        if mine := [one for one in found if one.part == part]:
            lines.append(Outdated(part, "; ".join(dict.fromkeys(one.why for one in mine)), renewal(mine)))
    return lines


def renewal(stale: Sequence[Stale]) -> str:
    """What makes a stale part current again.

    >>> renewal([Stale(part="evasion", run="0001", cause=Cause.ATTACKS, why="new attacks", event="a")])
    'temper assess --only evasion'
    """
    part = stale[0].part
    command = f"temper assess --only {part}" if part else "temper assess"
    if any(one.rows is not None for one in stale):
        return "temper monitor run, which orders it on the rows whose labels have come, and temper worker"
    drifted = any(one.cause in (Cause.ALARM, Cause.ROWS) for one in stale)
    return f"newer rows under `data:` in temper.yaml, and then {command}" if drifted and part in ON_ROWS else command
