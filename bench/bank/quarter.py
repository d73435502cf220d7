"""A simulated quarter of a million payments with every layer and two models: wall clock, processor, memory.

    python -m bench.bank.quarter [--quick]

One process. Everything is SIMULATED. With --quick 28 days of 400 payments.
"""

from __future__ import annotations

import resource
import sys
import time

from bench.table import goal, machine, table
from temper.demos.bank.models import library
from temper.demos.bank.plan import Plan
from temper.demos.bank.quarter import Run
from temper.demos.bank.trials import SIMULATED, made

SECONDS = 300.0


def main(quick: bool) -> None:
    plan = Plan(days=28, per_day=400) if quick else Plan()
    print(machine())
    began, worked = time.perf_counter(), time.process_time()
    found = Run(world=made(SIMULATED, plan), plan=plan).run()
    wall, processor = time.perf_counter() - began, time.process_time() - worked
    total = found.ledger.total
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    rows = [
        ("payments", f"{total.payments:,}"),
        ("wall clock", f"{wall:.0f} s"),
        ("processor, one process", f"{processor:.0f} s"),
        ("peak memory", f"{memory:.2f} GiB"),
        ("frauds; tried; lost", f"{total.frauds:,}; ${total.attempted:,.0f}; ${total.lost:,.0f}"),
        ("honest payments declined", f"{total.false_declines:,} ({total.rate:.2%})"),
        ("lessons, incidents", f"{len(found.lessons)}, {len(found.incidents)}"),
    ]
    table(f"SIMULATED: {plan.days} days, all layers, two models ({library()}), n 1", ["what", "measured"], rows)
    if not quick:
        goal("a quarter of a million payments on two cores", wall, SECONDS, "s")


if __name__ == "__main__":
    main("--quick" in sys.argv[1:])
