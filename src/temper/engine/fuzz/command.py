"""One search from start to end: progress, table or JSON, kept cases, exit code."""

from __future__ import annotations

import json as json_
import shlex
from collections.abc import Callable
from pathlib import Path

from temper.core.errors import TemperError
from temper.core.event import Event
from temper.core.system import Protected
from temper.engine.fuzz import told
from temper.engine.fuzz.kept import keep, replay
from temper.engine.fuzz.run import EFFORTS, Asked, fuzz_model, fuzz_service
from temper.fuzz._search import Hear
from temper.report._blocks import write
from temper.report._inert import inert
from temper.report.progress import Progress

FOLDER = Path("runs/fuzz")


def run(
    system: Protected, config: Path, asked: Asked | None, suite: str, seed: int, *,
    strict: bool | None, deadline: float, trusted: bool, json: bool, out: Callable[[str], None],
) -> int:  # fmt: skip
    """Search, show, keep; the exit code."""
    if suite not in EFFORTS:
        raise TemperError(f"unknown suite {suite!r}", fix=f"use one of {', '.join(EFFORTS)}")
    effort, held = EFFORTS[suite], (asked is not None) if strict is None else strict

    with Progress(quiet=json) as progress:
        hear = _heard(progress, asked)
        if asked is None:
            found = fuzz_model(system, effort, seed, strict=held, deadline=deadline, hear=hear)
        else:
            found, asked = fuzz_service(system, asked, effort, seed, strict=held, hear=hear)
    folder = told.where(FOLDER, config)
    kept = keep(folder, system, found, asked, strict=held, deadline=deadline)
    if json:
        out(json_.dumps(told.document(found, kept), indent=1))
    else:
        words = ["temper", "fuzz", "--config", str(config), "--replay", str(kept.cases)]
        words += [asked.url, "--start", shlex.join(asked.start)] if asked is not None and asked.start else []
        words += ["--trust-pickle"] * trusted
        words += ["--yes-this-host", asked.confirmed] if asked is not None and asked.confirmed else []
        write(told.blocks(found, kept, shlex.join(words)), None)
    return told.code(found)


def _heard(progress: Progress, asked: Asked | None) -> Hear:
    """Defects as lines while they are found, and a bar of the cases."""
    name = "fuzz the model" if asked is None else f"fuzz {asked.url}"
    progress(Event(kind="planned", total=1))
    progress(Event(kind="started", task=name))
    return Hear(
        defect=lambda one: progress(Event(kind="note", message=told.line(one))),
        share=lambda share: progress(Event(kind="progress", task=name, share=share)),
        note=lambda note: progress(Event(kind="note", message=note)),
    )


def replayed(path: Path, system: Protected, asked: Asked | None, host: str, out: Callable[[str], None]) -> int:
    """Every kept case as it is now: 1 while one of them still breaks its law."""
    found = replay(path, system, (), asked, host)
    for name, seen in found:
        out(inert(f"{name}: STILL THERE: {seen}" if seen else f"{name}: FIXED"))
    return 1 if any(seen for _, seen in found) else 0
