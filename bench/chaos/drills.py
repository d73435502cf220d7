"""What clients lose in the same drills: the guarded fraud demo beside a service without a guard, in one run.

    python -m bench.chaos.drills [--quick] [DRILL ...]          # --quick: 6 drills of 8 s at 50 requests a second

The same model (generated data: SIMULATED card fraud), the same requests at the same times, the same fault on the way to
the model. The other side is FastAPI with aiohttp, with and without a timeout (`_plain`). A drill whose steady state was
not steady, or whose generator was late, says so instead of figures.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.chaos import _plain
from bench.table import goal, machine, table
from temper.core.requirement import Verdict
from temper.demos import fraud
from temper.engine.drill.catalogue import DRILLS, Victim, drill_of
from temper.engine.drill.outcome import Drilled, ms
from temper.engine.drill.run import run
from temper.engine.drill.stack import Front
from temper.engine.drill.terms import Load

QUICK = ("primary-down", "hang", "errors", "latency", "nan", "shifted")
GUARD = """
guard:
  deadline_ms: 400
  extraction: shadow
  fallback:
    rules: [{when: "(amount > 400) * (distance_km > 100)", score: 0.9}]
    otherwise: 0.05
"""


def system(folder: Path) -> Path:
    """The demo's temper.yaml with a guard."""
    path = fraud.write(folder, 0, customers=300, days=40)
    path.write_text(path.read_text(encoding="utf-8") + GUARD, encoding="utf-8")
    return path


def without(kind: str, config: Path) -> Front:
    """The service without a guard, as a command."""
    return lambda port, url: [sys.executable, "-m", "bench.chaos._plain", kind, str(port), url, str(config)]


def compared(config: Path, names: Sequence[str], load: Load) -> dict[str, list[Drilled]]:
    """Per drill what came of each side: the guard, and the services without one."""
    sides: list[Front | None] = [None, *(without(kind, config) for kind in _plain.KINDS)]
    found: dict[str, list[Drilled]] = {}
    for name in names:
        found[name] = [run(config, drill_of(name), load, lambda line: None, "bench", side) for side in sides]
        print(f"{name}: {', '.join(one.verdict.value for one in found[name])}", flush=True)
    return found


def main(words: Sequence[str]) -> None:
    """Run, and print."""
    quick = "--quick" in words
    usual = QUICK if quick else [name for name, drill in DRILLS.items() if drill.victim in (Victim.LINE, Victim.MODEL)]
    names = [word for word in words if not word.startswith("-")] or usual
    load = Load(rate=50.0, seconds=8.0) if quick else Load(rate=100.0)
    print(machine("fastapi", "aiohttp", "uvicorn"))
    with tempfile.TemporaryDirectory() as folder:
        found = compared(system(Path(folder)), names, load)
    sides = ("guard", *_plain.KINDS)
    for title, told in (("answered in time", _answered), ("answered again / full quality again after", _times)):
        table(title, ["drill", *sides], [[name, *map(told, row)] for name, row in found.items()])
    judged = [row for row in found.values() if all(map(_fit, row))]
    lost = [row[1].good.value - row[0].good.value for row in judged]
    if lost:
        goal("most that any service answered beyond the guard", 100 * max(lost), 1.0, "% of requests")
    print(f"{len(judged)} of {len(found)} drills could be compared")


def _fit(one: Drilled) -> bool:
    """Whether there was a steady state, by a generator that kept its times."""
    return one.trusted and one.steady.value >= one.slo


def _answered(one: Drilled) -> str:
    if not _fit(one):
        return f"no steady state ({one.steady.value:.0%})" if one.trusted else "generator late"
    low, high = one.good.interval
    wrong = f", {one.wrong / one.requests:.0%} wrong" if one.wrong else ""
    mark = "" if one.verdict is Verdict.PASS else f" {one.verdict.value}"
    return f"{one.good.value:.1%} [{low:.1%}, {high:.1%}]{wrong}{mark}"


def _times(one: Drilled) -> str:
    return f"{ms(one.answered_again)} / {ms(one.restored)}" if _fit(one) else "-"


if __name__ == "__main__":
    main(sys.argv[1:])
