"""One search from start to end: progress, table or JSON, kept cases, exit code."""

from __future__ import annotations

import json as json_
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from temper.core.errors import TemperError
from temper.core.system import Protected
from temper.engine.fuzz import told
from temper.engine.fuzz.kept import keep, replay
from temper.engine.fuzz.run import EFFORTS, Asked, fuzz_model, fuzz_service
from temper.fuzz._search import Defect
from temper.report._blocks import write

FOLDER = Path("runs/fuzz")


def run(
    system: Protected, config: Path, asked: Asked | None, suite: str, seed: int, *,
    strict: bool | None, deadline: float, json: bool, out: Callable[[str], None],
) -> int:  # fmt: skip
    """Search, show, keep; the exit code."""
    if suite not in EFFORTS:
        raise TemperError(f"unknown suite {suite!r}", fix=f"use one of {', '.join(EFFORTS)}")
    effort, held = EFFORTS[suite], (asked is not None) if strict is None else strict

    def tell(defect: Defect) -> None:
        if not json:
            sys.stderr.write(f"{told.line(defect)}\n")

    if asked is None:
        found = fuzz_model(system, effort, seed, strict=held, deadline=deadline, tell=tell)
    else:
        found = fuzz_service(system, asked, effort, seed, strict=held, tell=tell)
    folder = told.where(FOLDER, config)
    kept = keep(folder, system, found, asked, strict=held, deadline=deadline)
    if json:
        out(json_.dumps(told.document(found, kept), indent=1))
    else:
        write(told.blocks(found, kept, f"temper fuzz --config {shlex.quote(str(config))} --replay {kept.cases}"), None)
    return told.code(found)


def replayed(path: Path, system: Protected, asked: Asked | None, out: Callable[[str], None]) -> int:
    """Every kept case as it is now: 1 while one of them still breaks its law."""
    found = replay(path, system, (), asked)
    for name, seen in found:
        out(f"{name}: STILL THERE: {seen}" if seen else f"{name}: FIXED")
    return 1 if any(seen for _, seen in found) else 0
