"""Run every bench in turn, short: `python -m bench [NAME ...] [--full]`; a room's name means all its comparisons.

Each runs in a process of its own. The exit code is 1 when one of them crashed; a missed goal is a figure, not a crash.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.table import MEDIANS, machine

ROOT = Path(__file__).parents[1]


def _runs(path: Path) -> bool:
    """Whether the file is a bench and not a peer written for one."""
    return "__main__" in path.read_text(encoding="utf-8")


OURS = ("startup", "oracle", "engine", "workers", "memory", "search", "hardening", "held_out", "planted")
ROOMS = (
    *("evasion", "poisoning", "extraction", "inversion", "artifact", "injection", "guard"),
    *("stress", "load", "fuzz", "chaos", "monitoring", "governance", "console", "validation"),
    *("campaign", "layers", "bank", "fleet", "store"),
)
PEERS = tuple(
    f"{room}.{path.stem}" for room in ROOMS for path in sorted((ROOT / "bench" / room).glob("[a-z]*.py")) if _runs(path)
)
BENCHES = (*OURS, *PEERS)


def _meant(word: str) -> tuple[str, ...]:
    """The benches of a room, or the one of that name."""
    return tuple(name for name in PEERS if name.startswith(f"{word}.")) if word in ROOMS else (word,)


def main(words: list[str]) -> int:
    """The exit code; names the benches that crashed."""
    named = [word for word in words if not word.startswith("-")] or list(BENCHES)
    names = [name for word in named for name in _meant(word)]
    if unknown := sorted(set(names) - {*BENCHES, "sizes"}):
        print(f"no bench {', '.join(unknown)}; there are {', '.join(BENCHES)} and sizes (minutes, needs an index)")
        return 2
    print(f"{machine('numpy', 'scikit-learn', 'xgboost-cpu', 'torch', 'ray')}\n{MEDIANS}", flush=True)
    how = [] if "--full" in words else ["--quick"]
    crashed = []
    for name in names:
        print(f"\n== {name}", flush=True)
        more = [] if name == "sizes" else how
        if subprocess.run([sys.executable, "-m", f"bench.{name}", *more], cwd=ROOT).returncode:
            crashed.append(name)
    if crashed:
        print(f"\ncrashed: {', '.join(crashed)}")
    return bool(crashed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
