"""Write the pictures of docs/lifecycle that show a real drill, and print the figures told beside them.

python scripts/pictures.py FOLDER      FOLDER is the prepared fraud demo: `temper demo fraud --prepare FOLDER`

Both drills take about two minutes on a machine that does nothing else.
"""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

from temper.core.gameday import Rehearsal
from temper.engine.drill.gameday import everything, game_day
from temper.engine.drill.terms import Load
from temper.report.gameday import timeline

ROOT = Path(__file__).parents[1]
DRILLS = ("primary-down", "nan")
LOAD = Load(rate=100.0, seconds=20.0)
MOST = 40_000
"""Bytes of a picture: it lies in the repository."""


def say(line: object) -> None:
    """One line, at once."""
    sys.stdout.write(f"{line}\n")


def main(words: list[str]) -> int:
    """1 where a drill could not be run or a picture has grown too large."""
    if len(words) != 1:
        say(__doc__)
        return 2
    day = game_day(Path(words[0]) / "temper.yaml", everything(LOAD, DRILLS), say, getpass.getuser())
    return max(map(_written, day.rehearsals), default=1)


def _written(one: Rehearsal) -> int:
    svg = timeline(one).svg if one.slots else ""
    say(f"{one.name}: {one.verdict.value.upper()} {'; '.join(one.reasons)}")
    for name, value in one.figures.items():
        say(f"  {name}: {value}")
    if not svg or len(svg.encode()) > MOST:
        say(f"no picture of {one.name}: {len(svg.encode()):,} bytes of {MOST:,} at most")
        return 1
    (ROOT / "docs" / "lifecycle" / f"resilience-{one.name}.svg").write_text(svg, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
