"""The most memory `temper assess --suite standard` takes on 400,000 rows and 20 columns, worker processes included.

    python -m bench.memory [--quick]

Real structure where there is a data folder (TEMPER_DATA, else ../shared/data: fraud_handbook), else a generated table
of the same size. What is added up is the resident memory of the command and all its children, 20 times a second, so
pages they share count more than once: the figure is an upper bound. With --quick the table has 100,000 rows.
The model has seen a part of the rows it is assessed on: only the memory of this run is of interest.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.table import goal, machine, table

ROWS, GIBIBYTES = 402_473, 2.0
TRAINED = 0.7
TARGET = "TX_FRAUD"
_CLOCK = ("hour", "minute", "weekday", "TX_TIME_DAYS", "TX_TIME_SECONDS")
_NOT_A_COLUMN = ("TRANSACTION_ID", "TX_DATETIME", "CUSTOMER_ID", "TERMINAL_ID", "TX_FRAUD_SCENARIO", TARGET)


@dataclass(slots=True)
class Watched:
    """What a command took: the peak of the sum, the largest process in it, how many there were."""

    seconds: float = 0.0
    peak: float = 0.0
    largest: float = 0.0
    processes: int = 0
    code: int = 0


def main(words: list[str]) -> int:
    """Print the table and the goal."""
    print(machine("numpy", "pandas", "xgboost-cpu"))
    frame, source = _rows(100_000 if "--quick" in words else ROWS)
    columns = frame.shape[1] - 1
    rows, peaks = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = _system(Path(folder), frame)
        for engine in ("serial", "processes"):
            found = _watch(path, engine)
            peaks.append(found.peak)
            mega = [f"{size / 2**20:.0f}" for size in (found.peak, found.largest)]
            rows.append([engine, *mega, found.processes, f"{found.seconds:.0f}", found.code, 1])
        sample = _sample(path)
    names = ["engine", "peak MiB", "largest process MiB", "processes", "s", "exit", "n"]
    table(f"{source}: {len(frame):,} rows x {columns} columns held out, {TRAINED:.0%} of them to train on", names, rows)
    print(sample)
    goal(f"peak memory at {len(frame):,} rows", max(peaks) / 2**30, GIBIBYTES, "GiB")
    return 0


def _rows(n: int) -> tuple[Any, str]:
    """The table with its target, in time order, and what it is."""
    import pandas as pd

    folder = Path(os.environ.get("TEMPER_DATA") or Path(__file__).parents[2] / "shared" / "data")
    file = folder / "fraud_handbook" / "transactions.parquet"
    if not file.exists():
        return _generated(n), "Generated table (no data folder)"
    frame = pd.read_parquet(file).sort_values("TX_DATETIME", kind="stable").head(n)
    when = frame["TX_DATETIME"].dt
    frame = frame.assign(hour=when.hour, minute=when.minute, weekday=when.day_of_week)
    kept = [name for name in frame.columns if name not in _NOT_A_COLUMN]
    return frame[[*kept, TARGET]].reset_index(drop=True), "fraud_handbook"


def _generated(n: int) -> Any:
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)
    x = rng.lognormal(size=(n, 20))
    frame = pd.DataFrame(x, columns=["TX_AMOUNT", *(f"c{k}" for k in range(1, 20))])
    risk = x[:, 0] * x[:, 1] + rng.lognormal(size=n)
    return frame.assign(**{TARGET: (risk > np.quantile(risk, 0.99)).astype(int)})


def _system(folder: Path, frame: Any) -> Path:
    """Train a small model on the earlier rows, write both tables and the temper.yaml."""
    import numpy as np
    import yaml
    from xgboost import XGBClassifier

    train = frame.head(round(TRAINED * len(frame)))
    names = [name for name in frame.columns if name != TARGET]
    model = XGBClassifier(n_estimators=60, n_jobs=1, random_state=0)
    model.fit(train[names].to_numpy(np.float64), train[TARGET].to_numpy())
    model.save_model(folder / "model.ubj")
    frame.to_parquet(folder / "test.parquet")
    train.to_parquet(folder / "train.parquet")
    scores = model.predict_proba(train[names].to_numpy(np.float64))[:, 1]
    document = {
        "system": {"name": "memory", "purpose": "a measurement of memory", "simulated": True},
        "model": {
            "path": "model.ubj",
            "kind": "probabilities",
            "threshold": round(float(np.quantile(scores, 0.98)), 6),
        },
        "data": {"test": "test.parquet", "train": "train.parquet", "target": TARGET, "positive": "1"},
        "exposure": {
            "returns": "score",
            "public": True,
            "retrained": True,
            "outside_data": True,
            "personal_data": True,
        },
        "actors": [{"name": "fraudster", "queries": 200, "cost": 2.0, "writes": ["input", "labels"]}],
        "schema": {"columns": {name: _column(name, frame[name]) for name in names}},
        "policy": "default",
    }
    path = folder / "temper.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return path


def _column(name: str, values: Any) -> dict[str, Any]:
    """The amount and the time of day can be chosen, the rest is the bank's own."""
    movable = name in ("TX_AMOUNT", "hour")
    spread = float(values.std()) or 1.0
    entry: dict[str, Any] = {"low": float(values.min()), "high": float(values.max()), "scale": spread}
    entry["type"] = "integer" if name in ("hour", "minute", "weekday") else "number"
    return entry | ({"attacker": "costly", "cost": 1.0} if movable else {"attacker": "immutable"})


def _watch(path: Path, engine: str) -> Watched:
    """Run the command from an empty store and look at its memory 20 times a second."""
    import psutil

    how = ["assess", "-c", str(path), "--suite", "standard", "--engine", engine, "--workers", "2", "--fresh"]
    found, start = Watched(), time.perf_counter()
    with tempfile.TemporaryFile("w+") as spoken:
        process = subprocess.Popen([sys.executable, "-m", "temper", *how], stdout=spoken, stderr=subprocess.STDOUT)
        family = psutil.Process(process.pid)
        while process.poll() is None:
            sizes = _sizes(family)
            found.peak = max(found.peak, sum(sizes))
            found.largest = max([found.largest, *sizes])
            found.processes = max(found.processes, len(sizes))
            time.sleep(0.05)
        found.code, found.seconds = process.returncode, time.perf_counter() - start
        spoken.seek(0)
        if found.code not in (0, 1, 3):
            raise SystemExit(f"temper assess ended with {found.code}\n{spoken.read()[-2000:]}")
    return found


def _sizes(family: Any) -> list[int]:
    """Resident bytes of the process and all its children; one that ends meanwhile is left out."""
    import psutil

    sizes = []
    with contextlib.suppress(psutil.Error):
        for process in (family, *family.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                sizes.append(process.memory_info().rss)
    return sizes


def _sample(path: Path) -> str:
    """What the last run recorded about the rows it looked at."""
    from temper.api import open_store

    facts = open_store(path.parent).run().facts
    return "the run looked at " + ", ".join(f"{name}: {value}" for name, value in facts if "rows" in name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
