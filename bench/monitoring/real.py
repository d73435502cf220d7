"""Two REAL feeds: electricity whose columns are known to change, and a model whose performance is known to hold.

python -m bench.monitoring.real      (TEMPER_DATA names the folder of both)

elec2        45,312 half-hours, a window a week; the first 33 weeks are the reference. From row 17,424 on three columns
             that stood still are measured: the window that holds it has to be the first in which any of them alarms
employment   208,892 predictions of employment in Massachusetts from 2016 to 2018 by a model of 2015, with labels a
             month later: no window may break what 2015 showed less two in a hundred. Within a year rows have no time,
             so each of its seven windows is of rows drawn from it. In the order of the file a year begins with
             other people than it ends with (2018 with far fewer who work), and the figures of these windows do fall:
             that is printed beside it, and is no false alarm
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.table import goal, machine, table
from temper.core.outcome import Outcome, Truth
from temper.core.requirement import Policy, Requirement
from temper.core.schema import Column, Schema
from temper.core.watch import Seen, Watch, Watched
from temper.kernels.cbpe import Calibrator
from temper.kernels.rate import clopper_pearson
from temper.monitoring.coded import coded
from temper.monitoring.feed import arrived
from temper.monitoring.matured import Matured
from temper.monitoring.reference import Reference
from temper.monitoring.run import Monitor
from temper.store.control import Control

if TYPE_CHECKING:
    import pandas as pd

DAY = 86_400.0
WEEK, HALF_HOURS, KNOWN_WEEKS, CHANGE = 7 * DAY, 336, 33, 17_424
STOOD_STILL = ("vicprice", "vicdemand", "transfer")
ROWS, LESS = 10_000, 0.02
PARTS = ("reference", "analysis", "analysis_target")
FIGURES = ("accuracy", "recall", "precision")


@dataclass(frozen=True, slots=True, kw_only=True)
class Electricity:
    """The weeks after the reference, and in which the columns that stood still alarmed first."""

    weeks: list[Watched]
    first: int | None

    @property
    def holds(self) -> bool:
        """Whether the first alarm is told of the very week that holds the change."""
        return self.first == CHANGE // HALF_HOURS


def electricity(folder: Path, work: Path) -> Electricity:
    """The weeks of elec2, through a monitor."""
    import pandas as pd

    frame = pd.read_csv(folder / "drift_elec2" / "elec.csv.gz").drop(columns="class")
    frame["at"] = np.arange(len(frame)) * DAY / 48.0
    schema = Schema(columns=tuple(Column(name=str(name)) for name in frame.columns[:-1]))
    known = KNOWN_WEEKS * HALF_HOURS
    watch = Watch(feed="elec2", time="at", window=WEEK)
    with closing(Control.open(str(work / "elec2.db"))) as control:
        monitor = Monitor(
            watch=watch,
            schema=schema,
            reference=Reference.fit(coded(frame[:known], schema)[0], schema),
            digest="elec2",
            windows=control.windows,
        )
        weeks = monitor.take(frame[known:], now=len(frame) * DAY / 48.0).new
    told = [round(one.start / WEEK) for one in weeks if any(alarm.column in STOOD_STILL for alarm in one.alarms)]
    return Electricity(weeks=weeks, first=min(told, default=None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Employment:
    """What 2015 showed, and what the labels of the windows after it say."""

    usual: dict[str, float]
    outcomes: list[Outcome]


def employment(folder: Path, work: Path, by: str = "year") -> Employment:
    """The windows of employment_ma, through late labels; `by` the year, or by the order of the file."""
    import pandas as pd

    parts = [pd.read_parquet(folder / "drift_employment_ma" / f"employment_MA_{part}.pq") for part in PARTS]
    known, asked, labels = parts
    usual = _usual(known)
    for name in ("feed", "labels"):
        (work / name).mkdir()
    asked["at"] = DAY * (_within_years(asked["year"].to_numpy()) if by == "year" else np.arange(len(asked)) / ROWS)
    asked[["id", "at", "AGEP", "predicted_probability"]].to_parquet(work / "feed" / "all.parquet")
    labels.to_parquet(work / "labels" / "all.parquet")
    score, y = (known[name].to_numpy() for name in ("predicted_probability", "employed"))
    with closing(Control.open(str(work / "employment.db"))) as control:
        matured = Matured(
            truth=Truth(labels=str(work / "labels"), label="employed", maturity=30 * DAY),
            watch=Watch(feed=str(work / "feed"), time="at", id="id", score="predicted_probability", window=DAY),
            schema=Schema(columns=(Column(name="AGEP"),)),
            classes=("0", "1"),
            edge=0.5,
            policy=_promised(usual),
            cost=None,
            calibrator=Calibrator.fit(score, y),
            digest="employment",
            outcomes=control.windows.outcomes,
        )
        look = matured.begin({}, float(asked["at"].max()) + 32 * DAY)
        for part in arrived(matured.watch, matured.schema):
            look.add(part, np.floor(part.at / DAY) * DAY)
        return Employment(usual=usual, outcomes=look.outcomes(whole=True))


def _within_years(year: Any) -> Any:
    """Seven windows a year, and a place in it drawn at random."""
    rng = np.random.Generator(np.random.Philox(key=0))
    return 7.0 * (year - year.min() + rng.uniform(size=len(year)))


def _usual(known: pd.DataFrame) -> dict[str, float]:
    """The figures of the year before."""
    y, flag = known["employed"] == 1, known["predicted_probability"] >= 0.5
    return {
        "accuracy": float((y == flag).mean()),
        "recall": float(flag[y].mean()),
        "precision": float(y[flag].mean()),
    }


def _promised(usual: dict[str, float]) -> Policy:
    requirements = [
        Requirement(id=name, metric=f"performance.{name}", at_least=value - LESS) for name, value in usual.items()
    ]
    return Policy(name="as in 2015", requirements=tuple(requirements))


def show_electricity(found: Electricity) -> None:
    """The columns, and what was said of them before and after."""
    at, columns = CHANGE // HALF_HOURS, ("nswprice", "nswdemand", *STOOD_STILL)
    before = [one for one in found.weeks if round(one.start / WEEK) < at]
    after = [one for one in found.weeks if round(one.start / WEEK) >= at]
    lines = [(name, _alarmed(before, name), _alarmed(after, name)) for name in columns]
    table(
        f"elec2 (REAL): {KNOWN_WEEKS * HALF_HOURS:,} rows of reference, {len(found.weeks)} weeks of {HALF_HOURS}",
        ("column", "weeks with an alarm before the change", "from then on"),
        lines,
    )
    first = "none" if found.first is None else f"week {found.first}"
    print(f"the change is in week {at}, after {CHANGE % HALF_HOURS} of its rows; its columns alarm first in {first}")
    late = float("inf") if found.first is None else float(found.first - at)
    goal("elec2, windows from the change to its first alarm", abs(late), 1.0, digits=0)


def _alarmed(weeks: list[Watched], column: str) -> str:
    return f"{sum(any(alarm.column == column for alarm in one.alarms) for one in weeks)} of {len(weeks)}"


def show_employment(found: Employment, by: str) -> None:
    """Every figure with its promise: the lowest window with its ends, and how many broke it."""
    lines = []
    for name in FIGURES:
        mine = [m for one in found.outcomes for m in one.figures if m.name == f"performance.{name}"]
        worst = min(mine, key=lambda m: m.value)
        lines.append(
            (name, f"{found.usual[name]:.4f}", f"{found.usual[name] - LESS:.4f}", len(mine),
             f"{worst.value:.4f} [{worst.low:.4f}, {worst.high:.4f}]", worst.n)
        )  # fmt: skip
    table(
        f"employment_ma (REAL), windows by {by}: what labels say of each",
        ("figure", "in 2015", "promised", "windows", "the lowest of them", "n"),
        lines,
    )
    said = Counter(one.seen.value for one in found.outcomes)
    many, broken = len(found.outcomes), said[Seen.FAIL.value]
    low, high = clopper_pearson(broken, many)
    print(f"said: {dict(said)}; alarms {broken} of {many} windows, [{low:.2f}, {high:.2f}]")
    if by == "year":
        goal("employment_ma, performance alarms", broken, 1.0, digits=0)


def main() -> None:
    """Both."""
    print(machine("numpy", "scipy"))
    data: Any = os.environ.get("TEMPER_DATA")
    if not data:
        print("no real data: set TEMPER_DATA")
        return
    began = time.process_time()
    with tempfile.TemporaryDirectory() as work:
        show_electricity(electricity(Path(data), Path(work)))
    for by in ("year", "file"):
        with tempfile.TemporaryDirectory() as work:
            show_employment(employment(Path(data), Path(work), by), by)
    print(f"{time.process_time() - began:.0f} s of processor time")


if __name__ == "__main__":
    main()
