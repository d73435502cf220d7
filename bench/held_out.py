"""Whether what the fraud demo shows holds on a generator of payments that nobody tuned anything on.

    python -m bench.held_out

The whole of `temper demo held-out`: assessed, hardened, attacked again from scratch. SIMULATED, as the demo is.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.table import goal, machine, table
from temper.core.measure import Measurement
from temper.store.database import Store

SHOWN = (("evasion.random_search", "success_rate"), ("performance", "auc"), ("performance", "recall"))


def main() -> None:
    """Figures before and after hardening, and how long it took."""
    print(machine("numpy", "xgboost-cpu"))
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        command = [sys.executable, "-m", "temper", "demo", "held-out", "--folder", folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        taken = time.perf_counter() - began
        runs = Store.open(Path(folder)).runs()
    before, after = ({(m.plugin, m.metric): m for m in run.measurements} for run in (runs[0], runs[-1]))
    rows = [
        (f"{plugin}.{metric}", *(_told(side.get((plugin, metric))) for side in (before, after)))
        for plugin, metric in SHOWN
    ]
    table(f"held-out payments (SIMULATED), {taken:.0f} s", ("figure", "before", "after hardening"), rows)
    key = SHOWN[0]
    fallen = after[key].value / before[key].value if len(runs) == 2 and before[key].value else 1.0
    goal("success of random search, of what it was", fallen, 1.0)
    goal("AUC lost", before[SHOWN[1]].value - after[SHOWN[1]].value, 0.02, digits=4)


def _told(one: Measurement | None) -> str:
    if one is None:
        return "-"
    return f"{one.value:.3f}" + (
        f" [{one.low:.3f}, {one.high:.3f}]" if one.low is not None and one.high is not None else ""
    )


if __name__ == "__main__":
    main()
