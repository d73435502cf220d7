"""What kind of change a window shows: seeded runs of each kind, on the fraud demo and on a generator held out.

python -m bench.monitoring.kinds [--quick]

All data are SIMULATED. The rules of `monitoring/kinds.py` and their limits were written before this; bunching was made
anew once it had missed the campaigns of both generators, so for campaigns neither is held out any more. Half of the
rows after training are the reference; every window is drawn from the other half, so rows that are left alone are
exchangeable with it. Then one thing is done to it:

nothing      the rows as they are (any alarm is a false one; 5 % of windows are allowed one)
natural      a holiday peak rewritten through the histories (fraud demo), or other customers come: rows drawn by weights
             that rise with a fixed column, drawn at random
pipeline     one of seven stressors on columns drawn at random: missing, sentinel, unit, frozen, swapped, stale, spelled
campaign     frauds that are stopped, moved by a real attack (`evasion.coordinate`, 200 queries each, within the schema)
             until they pass, are put in place of 1, 2, 4 or 8 % of the rows
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import rankdata

import temper
from bench.table import goal, machine, table
from temper.config.system import load_system
from temper.core.seed import Draws
from temper.core.system import Protected
from temper.core.watch import Kind, Seen, Watch, Watched
from temper.demos import fraud, held_out
from temper.kernels.rate import wilson
from temper.monitoring.judged import judged
from temper.monitoring.kinds import explained
from temper.monitoring.reference import Reference, Window
from temper.stress.category_spelling import CategorySpelling
from temper.stress.events._history import Cases
from temper.stress.events.holiday import Holiday
from temper.stress.frozen import Frozen
from temper.stress.missing import Missing
from temper.stress.sentinel import Sentinel
from temper.stress.stale import Stale
from temper.stress.swapped import Swapped
from temper.stress.unit_error import UnitError

ROWS = 4_000
WATCH = Watch(feed="", time="at", score="score")
RIGHT = {"natural": Kind.NATURAL, "pipeline": Kind.PIPELINE, "campaign": Kind.ATTACK}
SAID = ("no alarm", *(kind.value for kind in Kind))


@dataclass(kw_only=True)
class World:
    """A system with its rows in two halves, and the frauds that were stopped and then moved until they passed."""

    name: str
    system: Protected
    x: Any
    cases: Any
    moved: Any

    @cached_property
    def first(self) -> Any:
        """Which rows are the reference."""
        return Draws(0, "bench.kinds").uniform(np.arange(len(self.x)), 0) < 0.5

    @cached_property
    def reference(self) -> Reference:
        """What windows are compared with."""
        rows = self.scored(self.x[self.first])
        return Reference.fit(rows, self.system.schema, ("score",), threshold=float(self.system.threshold or 0.5))

    def scored(self, x: Any) -> Any:
        """The rows with what the model says of them."""
        return np.column_stack([x, self.system.target.scores(x)[:, 1]])


def moved(system: Protected, x: Any, y: Any, most: int) -> Any:
    """Frauds that are stopped, after the attack, those that pass now."""
    stopped = np.flatnonzero((y == 1) & (system.target.scores(x)[:, 1] >= system.threshold))[-most:]
    budget = temper.Budget(norm="cost", radius=3.0, queries=200)
    found = temper.attack(
        system.target, "evasion.coordinate", x[stopped], y[stopped],
        budget=budget, schema=system.schema, threshold=system.threshold,
    )  # fmt: skip
    return found.x_adv[found.verdicts == "broken"]


def demo(folder: Path, quick: bool) -> World:
    """The fraud demo; windows are of its test days."""
    path = fraud.write(folder / "fraud", customers=600 if quick else 1_000, days=40 if quick else 60)
    system = load_system(path, history=True)
    events = system.events
    cases = Cases(events=events, rows=events.judged, schema=system.schema)
    x, train = events.x[events.judged], system.train
    stopped = moved(system, *(np.concatenate(p) for p in ((train.x, system.data.x), (train.y, system.data.y))), 400)
    return World(name="fraud demo", system=system, x=x, cases=cases, moved=stopped)


def other(folder: Path, quick: bool) -> World:
    """The generator that nothing here was made for."""
    path = held_out.write(folder / "held_out", payers=1_400 if quick else 2_700, days=80 if quick else 120)
    system = load_system(path)
    both = (np.concatenate(p) for p in ((system.train.x, system.data.x), (system.train.y, system.data.y)))
    return World(name="held out", system=system, x=system.data.x, cases=None, moved=moved(system, *both, 400))


def nothing(world: World, rows: Any, rng: Any) -> tuple[Any, str]:
    """The rows as they are."""
    return world.x[rows], "nothing"


def natural(world: World, rows: Any, rng: Any) -> tuple[Any, str]:
    """A holiday peak, or other customers."""
    schema = world.system.schema
    if world.cases is not None and rng.random() < 0.5:
        some = Cases(events=world.cases.events, rows=world.cases.rows[rows], schema=schema)
        severity = int(rng.integers(2, 6))
        return some.features(
            Holiday().apply(some, severity, Draws(int(rng.integers(1 << 30)), "holiday", rows))
        ), "holiday"
    fixed = [
        at for at, c in enumerate(schema.columns) if c.attacker.value == "immutable" and c.type in ("number", "integer")
    ]
    at = int(rng.choice(fixed))
    pool = np.flatnonzero(~world.first)
    place = rankdata(world.x[pool, at]) / len(pool)
    weights = np.exp(rng.choice((-1, 1)) * rng.uniform(1.0, 2.5) * place)
    return world.x[rng.choice(pool, len(rows), p=weights / weights.sum())], "other customers"


def pipeline(world: World, rows: Any, rng: Any) -> tuple[Any, str]:
    """One fault in columns drawn at random."""
    schema = world.system.schema
    numbers = [c.name for c in schema.columns if c.type in ("number", "integer") and not c.formula]
    words = [c.name for c in schema.columns if c.type == "category"]
    at = int(rng.integers(len(numbers) - 1))
    one, share = (numbers[at],), (float(rng.uniform(0.2, 1.0)),) * 5
    factor = (float(rng.choice((10.0, 100.0, 1000.0, 0.1, 0.01))),) * 5
    faults = {
        "missing": Missing(columns=one, rates=share, schema=schema),
        "sentinel": Sentinel(columns=one, shares=share, schema=schema),
        "unit": UnitError(columns=one, shares=(1.0,) * 5, factors=factor, schema=schema),
        "frozen": Frozen(columns=(one[0], numbers[at + 1]), shares=(float(rng.uniform(0.5, 1.0)),) * 5, schema=schema),
        "swapped": Swapped(columns=tuple(numbers[at : at + 2]), shares=(1.0,) * 5, schema=schema),
        "stale": Stale(columns=one, shares=(1.0,) * 5, lags=(625,) * 5, schema=schema),
        "spelled": CategorySpelling(columns=(str(rng.choice(words)),), schema=schema),
    }
    name = str(rng.choice(list(faults)))
    return faults[name].apply(world.x[rows], 5, Draws(int(rng.integers(1 << 30)), name)), name


def campaign(world: World, rows: Any, rng: Any) -> tuple[Any, str]:
    """Frauds that pass in place of a few rows."""
    share = float(rng.choice((0.01, 0.02, 0.04, 0.08)))
    many = min(round(share * len(rows)), len(world.moved))
    x = world.x[rows].copy()
    x[rng.choice(len(x), many, replace=False)] = world.moved[rng.choice(len(world.moved), many, replace=False)]
    return x, f"{share:.0%} of the rows"


def run(world: World, kind: str, seed: int) -> tuple[Watched, str]:
    """What is said of one window, and what was done to it."""
    rng = np.random.Generator(np.random.Philox(key=[seed, sorted(MAKERS).index(kind)]))
    pool = np.flatnonzero(~world.first)
    rows = np.sort(rng.choice(pool, min(ROWS, len(pool) // 2), replace=False))
    x, done = MAKERS[kind](world, rows, rng)
    window = Window.of(world.reference, world.scored(x), np.arange(len(x)), np.arange(float(len(x))))
    return explained(judged(window, WATCH, 0.0, 86_400.0), window, world.system.schema, None), done


MAKERS = {"nothing": nothing, "natural": natural, "pipeline": pipeline, "campaign": campaign}


def confusion(world: World, repeats: int) -> None:
    """One line a kind, then each way by itself."""
    lines, ways, share = [], [], {}
    for kind in MAKERS:
        told = [run(world, kind, seed) for seed in range(repeats)]
        said = [one.kind.value if one.seen is Seen.FAIL and one.kind else "no alarm" for one, _ in told]
        counts, right = Counter(said), RIGHT[kind].value if kind in RIGHT else "no alarm"
        low, high = wilson(counts[right], repeats)
        share[kind] = counts[right] / repeats
        lines.append((kind, *(counts[one] for one in SAID), f"{share[kind]:.2f} [{low:.2f}, {high:.2f}]"))
        for way in sorted({done for _, done in told}):
            those = Counter(s for s, (_, done) in zip(said, told, strict=True) if done == way)
            ways.append((f"{kind}: {way}", sum(those.values()), *(those[one] for one in SAID)))
    rows = (
        f"{world.reference.tally.rows:,} rows of reference, {min(ROWS, int((~world.first).sum()) // 2):,} in a window"
    )
    print(f"\n{world.name} (SIMULATED): {rows}, {len(world.moved)} frauds that pass after the attack")
    table(f"{repeats} runs a kind: what was said", ("done", *SAID, "right"), lines)
    table("each way by itself", ("done", "runs", *SAID), ways)
    for kind in RIGHT:
        goal(f"{world.name}, {kind} called right", share[kind], 0.95, at_least=True)


def main(words: list[str]) -> None:
    """Both worlds."""
    quick = "--quick" in words
    print(machine("numpy", "scipy", "xgboost-cpu"))
    with tempfile.TemporaryDirectory() as folder:
        for made in (demo, other):
            start = time.perf_counter()
            world = made(Path(folder), quick)
            confusion(world, 6 if quick else 100)
            print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
