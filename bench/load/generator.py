"""Processor time per request: Temper's generator against Locust's FastHttpUser, at the same rate on the same service.

python -m bench.load.generator [--quick]; Locust stands in an environment of its own (`make servers`, or BENCH_LOCUST).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from bench.load._server import served
from bench.table import goal, machine, median, table
from temper.traffic.address import address
from temper.traffic.arrivals import constant, due
from temper.traffic.messages import written
from temper.traffic.processes import Generators

ROOT = Path(__file__).parents[2]
USERS = 64


def ours(port: int, rate: float, seconds: float) -> tuple[float, float]:
    """(microseconds of processor per request, requests a second)."""
    place = address(f"http://127.0.0.1:{port}/")
    with Generators(address=place, connections=USERS) as one:
        played = one.play([written(place, "POST", b'{"row":{"a":1}}')], due(constant(rate, seconds)))
    answered = int((played.status == 200).sum())
    return 1e6 * played.cpu / answered, answered / seconds


def theirs(python: str, port: int, rate: float, seconds: float) -> tuple[float, float]:
    """The same of Locust, from when its users all run: what it spends on starting is not counted."""
    words = [python, str(Path(__file__).with_name("_locust.py")), str(port), str(USERS), str(rate), str(seconds)]
    told = subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT / "bench").stdout
    found = json.loads(told.splitlines()[-1])
    return 1e6 * found["cpu"] / found["requests"], found["requests"] / found["seconds"]


def main(words: list[str]) -> None:
    """Print the table and the goals."""
    print(machine("uvloop", "httptools"))
    quick = "--quick" in words
    python = os.environ.get("BENCH_LOCUST", str(ROOT / ".venv-locust" / "bin" / "python"))
    peer = Path(python).exists()
    seconds, repeats = 3.0, 2 if quick else 4
    rows, ratios, spent = [], [], []
    with served(0.0) as (port, _):
        for rate in (1_000.0, 2_000.0, 6_000.0):
            mine = [ours(port, rate, seconds) for _ in range(repeats)]
            other = [theirs(python, port, rate, seconds) for _ in range(repeats)] if peer and rate < 6_000 else []
            spent.append(median([cpu for cpu, _ in mine]))
            rows.append(
                ("temper", f"{rate:,.0f}", f"{median([done for _, done in mine]).value:,.0f}", spent[-1].show(1))
            )
            if other:
                cpu = median([one for one, _ in other])
                done = median([many for _, many in other]).value
                rows.append(("locust FastHttpUser", f"{rate:,.0f}", f"{done:,.0f}", cpu.show(1)))
                ratios.append(cpu.value / spent[-1].value)
    table("processor time", ("generator", "asked/s", "answered/s", "us per request"), rows)
    goal("cpu per request at 6,000 a second", spent[2].value, 30.0, "us", digits=1)
    if ratios:
        goal("times fewer than Locust at 2,000 a second", ratios[-1], 3.0, at_least=True)
    else:
        print(f"Locust is not at {python}: `make servers`")


if __name__ == "__main__":
    main(sys.argv[1:])
