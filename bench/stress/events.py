"""Unusual behaviour on the public card-fraud set (SIMULATED cards): do the definitions hold, and who is flagged?

    python -m bench.stress.events [--quick]

First every *_WINDOW column is computed from the declared history and held against the data. Then each scenario is
judged. Last, rewritten histories are computed a second time by pandas (rolling windows over the whole history of the
customer and the terminal), and the columns and the time of both are compared.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.table import goal, machine, table
from temper.config.system import load_system
from temper.core.seed import Draws
from temper.core.system import Protected
from temper.engine.plan import draw
from temper.engine.rooms.events import run
from temper.engine.task import SUITES, Task
from temper.stress.events._history import Cases, History
from temper.stress.events.burst import Burst

SCENARIOS = ("dormant", "burst", "split", "holiday", "new_merchant")
DAYS = (1, 7, 30)
FEATURES = (
    *("TX_AMOUNT", "TX_DURING_WEEKEND", "TX_DURING_NIGHT"),
    *(f"CUSTOMER_ID_{what}_{d}DAY_WINDOW" for d in DAYS for what in ("NB_TX", "AVG_AMOUNT")),
    *(f"TERMINAL_ID_{what}_{d}DAY_WINDOW" for d in DAYS for what in ("NB_TX", "RISK")),
)
HEAD = """
system: {name: cards, simulated: true}
model: {path: model.ubj, kind: probabilities, threshold: THRESHOLD}
data: {test: test.parquet, target: TX_FRAUD, positive: "1", time: TX_DATETIME, history: history.parquet}
stress:
  events:
    time: TX_DATETIME
    entity: CUSTOMER_ID
    counterparty: TERMINAL_ID
    amount: TX_AMOUNT
    from: 2018-08-02
    formulas: {TX_DURING_WEEKEND: "time_weekday >= 5", TX_DURING_NIGHT: "time_hour < 7"}
    aggregates:
"""


def main(words: list[str]) -> int:
    """Print the agreement, the scenarios, the second computation, and the goals."""
    print(machine("numpy", "pandas", "xgboost-cpu"))
    if not (folder := os.environ.get("TEMPER_DATA")):
        print("no data: set TEMPER_DATA")
        return 1
    with tempfile.TemporaryDirectory() as made:
        system = _system(Path(folder) / "fraud_handbook" / "transactions.parquet", Path(made))
        _agreement(system)
        _scenarios(system, "quick" if "--quick" in words else "standard")
        _against_pandas(system, 20 if "--quick" in words else 100)
    return 0


def _system(file: Path, folder: Path) -> Protected:
    """A detector fitted on the days before 07-25, its threshold at 1 alert in 100 on the days to 08-02."""
    import pandas as pd
    from xgboost import XGBClassifier

    frame = pd.read_parquet(file)
    train, later = frame[frame["TX_DATETIME"] < "2018-07-25"], frame[frame["TX_DATETIME"] >= "2018-08-02"]
    between = frame[(frame["TX_DATETIME"] >= "2018-07-25") & (frame["TX_DATETIME"] < "2018-08-02")]
    model = XGBClassifier(n_estimators=100, n_jobs=1, random_state=0).fit(_matrix(train), train["TX_FRAUD"])
    threshold = float(np.quantile(model.predict_proba(_matrix(between))[:, 1], 0.99))
    model.save_model(folder / "model.ubj")
    later[[*FEATURES, "TX_FRAUD", "TX_DATETIME"]].reset_index(drop=True).to_parquet(folder / "test.parquet")
    frame.to_parquet(folder / "history.parquet")
    path = folder / "temper.yaml"
    columns = "".join(f"    {name}: {{type: number, low: 0, high: 100000}}\n" for name in FEATURES)
    lines = "".join(f"      {line}\n" for days in DAYS for line in _definitions(days))
    path.write_text(HEAD.replace("THRESHOLD", f"{threshold:.6f}") + lines + "schema:\n  columns:\n" + columns)
    return load_system(path, history=True)


def _matrix(frame: Any) -> Any:
    return frame[list(FEATURES)].to_numpy(dtype=np.float64)


def _definitions(days: int) -> tuple[str, ...]:
    late = f"key: TERMINAL_ID, days: {days}, delay: 7"
    return (
        f"CUSTOMER_ID_NB_TX_{days}DAY_WINDOW: {{days: {days}}}",
        f"CUSTOMER_ID_AVG_AMOUNT_{days}DAY_WINDOW: {{function: mean, of: TX_AMOUNT, days: {days}}}",
        f"TERMINAL_ID_NB_TX_{days}DAY_WINDOW: {{{late}}}",
        f"TERMINAL_ID_RISK_{days}DAY_WINDOW: {{function: mean, of: TX_FRAUD, {late}}}",
    )


def _agreement(system: Protected) -> None:
    assert system.events is not None
    rows = system.events.judged
    shares = Cases(events=system.events, rows=rows[:: max(1, len(rows) // 5_000)], schema=system.schema).agreement()
    table(
        f"columns computed from the untouched history, {len(rows):,} judged events, every "
        f"{max(1, len(rows) // 5_000)}th checked",
        ("column", "rows that agree"),
        [(name, f"{100 * share:.2f} %") for name, share in shares.items()],
    )
    goal("the worst column agrees", 100 * min(shares.values()), 99, "%", at_least=True)


def _scenarios(system: Protected, suite: str) -> None:
    world, lines = draw(system, SUITES[suite], 0), []
    for name in SCENARIOS:
        start = time.process_time()
        part = run(Task(room="stress", plugin=f"events.{name}", sizes=SUITES[suite]), world)
        seconds = time.process_time() - start
        flips, found = part.measurements
        lines.append(
            (name, *_shown(flips), *_shown(found), f"{dict(found.baseline)['as they are']:.3f}", f"{seconds:.1f}")
        )
    table(
        "per scenario at severity 3 (SIMULATED cards)",
        ("", "honest newly flagged", "n", "frauds detected", "n", "detected as they are", "cpu s"),
        lines,
    )


def _shown(m: Any) -> tuple[str, str]:
    return f"{m.value:.4f} [{m.low:.4f}, {m.high:.4f}]", f"{m.n:,}"


def _against_pandas(system: Protected, count: int) -> None:
    """A burst computed twice: by worlds side by side, and case by case by pandas over the whole history."""
    assert system.events is not None
    rows = system.events.judged[:: len(system.events.judged) // count][:count]
    cases = Cases(events=system.events, rows=rows, schema=system.schema)
    start = time.process_time()
    history = Burst().apply(cases, 3, Draws(0, "bench", rows))
    ours = cases.features(history)
    ours_each = 1000 * (time.process_time() - start) / count
    start = time.process_time()
    theirs = np.array([_by_pandas(replace(cases, rows=rows[[at]]), history, at) for at in range(count)])
    theirs_each = 1000 * (time.process_time() - start) / count
    names = [name for name in system.schema.names if name.endswith("WINDOW")]
    same = np.isclose(ours[:, [system.schema.index(name) for name in names]], theirs, rtol=1e-6, atol=1e-9)
    table(
        f"a burst rewritten, {count} cases, {len(names)} columns",
        ("", "values equal", "cpu ms per case"),
        [("temper, all cases together", "", f"{ours_each:.1f}"),
         ("pandas, case by case", f"{same.sum():,} of {same.size:,}", f"{theirs_each:.1f}")],
    )  # fmt: skip
    goal("values equal to those of pandas", 100 * same.mean(), 100, "%", at_least=True)


def _by_pandas(case: Cases, history: History, world: int) -> list[float]:
    """The window columns of one judged event from the table of all its customer's and terminal's events."""
    import pandas as pd

    events, row = case.events, int(case.rows[0])
    added = (history.world == world) & history.past
    fresh = added & (history.time != events.time[history.source])
    earlier = np.arange(len(events.time)) <= row
    parts = [
        pd.DataFrame({name: events.columns[name][earlier] for name in _KEPT} | {"time": events.time[earlier]}),
        pd.DataFrame({name: history.columns[name][fresh] for name in _KEPT} | {"time": history.time[fresh]}),
    ]
    judged = {name: float(events.columns[name][row]) for name in _KEPT}
    frame = pd.concat([parts[0].iloc[:-1], parts[1], parts[0].iloc[[-1]]])
    frame["when"] = pd.to_datetime(frame["time"], unit="s")
    found: dict[str, float] = {}
    own = frame[frame["CUSTOMER_ID"] == judged["CUSTOMER_ID"]].sort_values("when", kind="stable").set_index("when")
    shop = frame[frame["TERMINAL_ID"] == judged["TERMINAL_ID"]].copy()
    shop["when"] += pd.Timedelta(days=7)  # known seven days later
    for days in DAYS:
        rolled = own["TX_AMOUNT"].rolling(f"{days}D")
        found[f"CUSTOMER_ID_NB_TX_{days}DAY_WINDOW"] = float(rolled.count().iloc[-1])
        found[f"CUSTOMER_ID_AVG_AMOUNT_{days}DAY_WINDOW"] = float(rolled.mean().iloc[-1])
        now = pd.Timestamp(int(events.time[row]), unit="s")
        seen = shop[(shop["when"] <= now) & (shop["when"] > now - pd.Timedelta(days=days))]
        found[f"TERMINAL_ID_NB_TX_{days}DAY_WINDOW"] = float(len(seen))
        found[f"TERMINAL_ID_RISK_{days}DAY_WINDOW"] = float(seen["TX_FRAUD"].mean()) if len(seen) else 0.0
    return [found[name] for name in case.schema.names if name in found]


_KEPT = ("CUSTOMER_ID", "TERMINAL_ID", "TX_AMOUNT", "TX_FRAUD")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
