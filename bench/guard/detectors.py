"""What the guard's detectors see, how often they are wrong, and what they cost, beside PRADA, pyod and scikit-learn.

    python -m bench.guard.detectors [--quick] [adult | credit | payments ...]

`--quick TABLE` takes a minute or two: fewer attackers and clients, and neither peers nor costs.

Adult and credit are REAL tables, payments are SIMULATED (fraud detection handbook). Detectors are fitted on the half
the model is trained on; clients' rows are of the other half. PRADA was written for this bench; its limit is the lowest
statistic of honest clients of the first half, so that none of those is alarmed at. pyod scores a row by ranking it
among all rows it was fitted on.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from bench.guard import _prada as prada
from bench.guard._clients import EVASION, EXTRACTION, HONEST, NATURAL, Service, at_random, marginals, services
from bench.guard._held_out import HELD_OUT
from bench.table import goal, machine, table

Array = Any
ROOM, HORIZON, RATE = "temper.detectors", 10_000, 0.001
# Known rows that an attack asks first, like anybody: its queries count from there.
SEEDS = {"Jacobian, after its 100 seeds": 100, "path finding, after 60 known rows": 60}


def main(words: list[str]) -> int:
    """Print the tables and the goals; 1 where there is no data."""
    quick = "--quick" in words
    print(machine("numpy", "numba", "scikit-learn", "scipy", "pyod"), flush=True)
    found = list(services([word for word in words if not word.startswith("-")]))
    if not found:
        print("no tables: TEMPER_DATA names no data folder")
        return 1
    for service in found:
        print(
            f"\n== {service.data.name}: {service.rows.shape[1]} columns, {len(service.rows)} rows held out", flush=True
        )
        started = time.process_time()
        profile = fitted(service)
        print(f"profile fitted in {time.process_time() - started:.2f} s of processor time", flush=True)
        if not quick:
            strange(service, profile)
            scored(service, 2_000)
        against_clients(service, profile, 8 if quick else 30, None if quick else Peer(service))
        honest_clients(service, profile, 50 if quick else 500, None if quick else Peer(service))
        held_out(service, profile, 25 if quick else 250)
        costs(service, profile, 1_000 if quick else 5_000)
        if not quick:
            sybil(service, profile, 50)
            diluted(service, profile, 50)
    return 0


def fitted(service: Service) -> Any:
    """A profile of the training half."""
    from temper.guard.serving.profile import Profile

    x, _ = service.data.train
    return Profile.fit(x, service.data.schema, service.model.predict_proba(x)[:, 1])


# -- strange rows ---------------------------------------------------------------------------------------------------


def strange(service: Service, profile: Any) -> None:
    """Alarms of each detector at held-out rows and at rows that are wrong in a known way."""
    from temper.core.room import Room
    from temper.kernels.rate import clopper_pearson

    rng, rows = np.random.default_rng(1), service.rows
    spoilt = {name: make(rows[rng.permutation(len(rows))[:2_000]], rng) for name, make in WRONG.items()}
    cells = []
    for name in ("input.mahalanobis", "input.ecod", "input.missing"):
        watch, state = Room(ROOM).get(name)(), profile.state(name)
        wrong = int(watch.step(state, rows)[1].alarms.sum())
        low, high = clopper_pearson(wrong, len(rows))
        caught = [f"{watch.step(state, made)[1].alarms.mean():.2f}" for made in spoilt.values()]
        promise = f"{state.limit.rate:g} [{state.limit.low:.4f}, {state.limit.high:.4f}]"
        cells.append([name, promise, f"{wrong}/{len(rows)} [{low:.4f}, {high:.4f}]", *caught])
    title = f"{service.data.name}: alarms at held-out rows [95 %], and the share caught of 2,000 wrong ones"
    table(title, ["detector", "promised [95 % of this fit]", "false alarms", *spoilt], cells)


def _times(rows: Array, rng: np.random.Generator) -> Array:
    made, at = rows.copy(), rng.integers(rows.shape[1], size=len(rows))
    made[np.arange(len(rows)), at] = made[np.arange(len(rows)), at] * 100.0 + 100.0
    return made


def _gone(rows: Array, rng: np.random.Generator) -> Array:
    made = rows.copy()
    made[np.arange(len(rows)), rng.integers(rows.shape[1], size=len(rows))] = np.nan
    return made


WRONG: dict[str, Callable[[Array, np.random.Generator], Array]] = {
    "one value x100": _times,
    "one value gone": _gone,
    "columns mixed": lambda rows, rng: np.stack([rng.permutation(column) for column in rows.T], axis=1),
}


def scored(service: Service, n: int) -> None:
    """ECOD from a table beside pyod's: the order of scores of the rows both were fitted on, and the time for a row."""
    from scipy.stats import spearmanr

    from temper.kernels.ecod import tail_scores, tails

    rows = service.rows[: min(len(service.rows), n)]
    plain = np.zeros(rows.shape[1], dtype=bool)
    known = tails(rows, plain)
    own = tail_scores(known, rows)[0]
    batch = _published(rows)
    line = [f"{n} rows: Spearman {spearmanr(own, batch).statistic:.4f} with the published score of the batch"]
    one = np.ascontiguousarray(rows[:1])
    line.append(f"{_cpu(lambda: tail_scores(known, one), 2_000):.2f} us a row")
    try:
        from pyod.models.ecod import ECOD
    except ImportError:
        line.append("pyod is not installed")
    else:
        peer = ECOD().fit(rows)
        line.append(
            f"Spearman {spearmanr(own, peer.decision_scores_).statistic:.4f} with pyod's (the larger tail of each"
        )
        line.append(f"column), {_cpu(lambda: peer.decision_function(one), 20):.0f} us a row")
    print(f"\nECOD, {', '.join(line)}", flush=True)


def _published(x: Array) -> Array:
    left = -np.log((x[:, None] >= x[None]).mean(axis=1))
    right = -np.log((x[:, None] <= x[None]).mean(axis=1))
    skew = ((x - x.mean(axis=0)) ** 3).sum(axis=0)
    lean = np.where(skew < 0, left, np.where(skew > 0, right, np.maximum(left, right)))
    return np.max([left.sum(axis=1), right.sum(axis=1), lean.sum(axis=1)], axis=0)


# -- clients --------------------------------------------------------------------------------------------------------


def against_clients(service: Service, profile: Any, attackers: int, peer: Peer | None) -> None:
    """Queries until the alarm for every attack, PRADA beside."""
    cells, slowest = [], 0.0
    for name, make in {**EXTRACTION, **EVASION, **NATURAL}.items():
        asked = _asked(make, service, attackers)
        ours = [max(_after(profile, one) - SEEDS.get(name, 0), 0) for one in asked]
        theirs = [max(peer.after(one) - SEEDS.get(name, 0), 0) for one in asked] if peer else None
        if not asked:
            cells.append([name, 0, "", "does not apply", *[""] * 3])
            continue
        cells.append(
            [
                name,
                len(ours),
                int(np.median([len(one) for one in asked])) - SEEDS.get(name, 0),
                *_caught(ours),
                *(_caught(theirs) if theirs is not None else ("", "")),
            ]
        )
        if name in EXTRACTION or name in EVASION:
            slowest = max(slowest, float(np.median([one or np.inf for one in ours])))
    title = f"{service.data.name}: queries until the alarm, median [quartiles] of those caught"
    table(title, ["attack", "n", "asks", "queries", "caught [95 %]", "PRADA queries", "PRADA caught"], cells)
    goal(f"{service.data.name}: median queries until the alarm, slowest attack", slowest, 50.0, digits=0)


def _asked(make: Any, service: Service, many: int) -> list[Array]:
    """The queries of so many attackers, but for those whose attack says that it does not apply."""
    from temper.core.errors import Unsupported

    found = []
    for seed in range(many):
        rng = np.random.default_rng(seed)
        try:
            found.append(at_random(service, 300, rng) if make is at_random else make(service, rng))
        except Unsupported:
            continue
    return found


def _after(profile: Any, asked: Array) -> int:
    """Queries of one client until the alarm, 0 for none."""
    from temper.detectors.stream.extraction import Extraction

    alarms = Extraction(rate=RATE, horizon=HORIZON).step(profile.state("stream.extraction").fresh(), asked)[1].alarms
    return int(np.argmax(alarms)) + 1 if alarms.any() else 0


class Peer:
    """PRADA for one service: rows scaled by the training half, its limit from 40 honest clients of that half."""

    def __init__(self, service: Service) -> None:
        x = service.data.train[0]
        self.model, self.mean, self.spread = service.model, x.mean(axis=0), np.maximum(x.std(axis=0), 1e-9)
        rng = np.random.default_rng(7)
        lowest = [np.nanmin(self.of(x[rng.integers(len(x), size=500)])) for _ in range(40)]
        self.limit = min(lowest)

    def of(self, asked: Array) -> Array:
        """The statistic after every query."""
        return prada.statistics((asked - self.mean) / self.spread, self.model.predict(asked))

    def after(self, asked: Array) -> int:
        """Queries until its alarm, 0 for none."""
        return prada.first_alarm(self.of(asked), self.limit)


def _caught(after: list[int]) -> tuple[str, str]:
    from temper.kernels.rate import clopper_pearson

    hits = [n for n in after if n]
    low, high = clopper_pearson(len(hits), len(after))
    quarters = np.percentile(hits, [50, 25, 75]) if hits else [np.nan] * 3
    shown = f"{quarters[0]:.0f} [{quarters[1]:.0f}, {quarters[2]:.0f}]" if hits else "-"
    return shown, f"{len(hits)}/{len(after)} [{low:.2f}, {high:.2f}]"


def honest_clients(service: Service, profile: Any, n: int, peer: Peer | None) -> None:
    """False alarms for every kind of honest client, PRADA beside."""
    from temper.kernels.rate import clopper_pearson

    cells, wrong, total = [], 0, 0
    for name, make in HONEST.items():
        alarms = sum(_after(profile, make(service, HORIZON, np.random.default_rng(seed))) > 0 for seed in range(n))
        theirs = ""
        if peer:
            asked = (make(service, 500, np.random.default_rng(seed)) for seed in range(25))
            theirs = f"{sum(peer.after(one) > 0 for one in asked)}/25"
        high = clopper_pearson(alarms, n, side="upper")[1]
        cells.append([name, f"{alarms}/{n}", f"{high:.4f}", theirs])
        wrong, total = wrong + alarms, total + n
    high = clopper_pearson(wrong, total, side="upper")[1]
    cells.append(["all", f"{wrong}/{total}", f"{high:.4f}", ""])
    title = f"{service.data.name}: honest clients of {HORIZON:,} held-out rows alarmed at (PRADA: of 500 rows)"
    table(title, ["client", "alarmed at", "at most (95 %)", "PRADA"], cells)
    goal(f"{service.data.name}: false alarms per honest client", wrong / total, RATE + 1e-12, digits=4)


def held_out(service: Service, profile: Any, n: int) -> None:
    """False alarms for the honest clients that were written a second way."""
    cells = []
    for name, make in HELD_OUT.items():
        after = [_after(profile, make(service, HORIZON, np.random.default_rng(1_000 + seed))) for seed in range(n)]
        cells.append([name, *_caught(after)])
    title = f"{service.data.name}: honest clients written a second way, {HORIZON:,} rows, alarmed at"
    table(title, ["client", "queries until the alarm", "alarmed at [95 %]"], cells)


def sybil(service: Service, profile: Any, n: int) -> None:
    """A thief who spreads his queries over ten keys, with and without a group that links them."""
    cells = []
    for name, linked in (("ten keys, linked", True), ("ten keys, not linked", False)):
        after = []
        for seed in range(n):
            asked = marginals(service, np.random.default_rng(seed))
            after.append(_through_stage(profile, asked, 10, linked))
        cells.append([name, n, *_caught(after)])
    table(
        f"{service.data.name}: product of marginals, asked through ten keys", ["thief", "n", "queries", "caught"], cells
    )


def _through_stage(profile: Any, asked: Array, keys: int, linked: bool) -> int:
    """Queries in all until one is answered REVIEW, 0 for never."""
    from temper.core.serving import Scoring
    from temper.core.stage import Level
    from temper.guard.serving.stages.extraction import Extraction

    names = [f"key{at}" for at in range(keys)]
    stage = Extraction(profile=profile, groups=dict.fromkeys(names, "one") if linked else {})
    for at, row in enumerate(np.asarray(asked, dtype=np.float32)):
        scoring = Scoring(rows=row[None], client=names[at % keys], request="", at=0.0, deadline=1.0)
        if stage.check(scoring).level >= Level.REVIEW:
            return at + 1
    return 0


def diluted(service: Service, profile: Any, n: int) -> None:
    """A thief who hides made-up rows among natural ones: an adaptive attacker, who pays with queries."""
    cells = []
    for share in (0.5, 0.3, 0.2, 0.1, 0.05):
        after = []
        for seed in range(n):
            rng = np.random.default_rng(seed)
            asked, made = at_random(service, 1_000, rng).astype(float), np.flatnonzero(rng.random(1_000) < share)[:300]
            asked[made] = marginals(service, rng)[: len(made)]
            after.append(_after(profile, asked[: made[-1] + 1]))
        cells.append([share, n, *_caught(after)])
    table(f"{service.data.name}: made-up rows among natural ones", ["share made up", "n", "queries", "caught"], cells)


# -- costs ----------------------------------------------------------------------------------------------------------


def costs(service: Service, profile: Any, n: int) -> None:
    """Processor time for one row through each stage, and of what it would cost otherwise."""
    from temper.core.serving import Scoring
    from temper.guard.serving.stages.anomaly import Anomaly
    from temper.guard.serving.stages.extraction import Extraction
    from temper.guard.serving.stages.output import Output

    rows = service.rows[:n]
    scores = np.array([0.5])
    asked = [
        Scoring(rows=row[None], client=f"c{at % 20}", request="", at=0.0, deadline=1.0, scores=scores)
        for at, row in enumerate(np.ascontiguousarray(rows))
    ]
    stages = {name: Anomaly(profile=profile, detectors=(name,)) for name in ("input.mahalanobis", "input.ecod")}
    stages["input.missing"] = Anomaly(profile=profile, detectors=("input.missing",))
    stages["all three"] = Anomaly(profile=profile)
    stages["extraction, 20 clients"] = Extraction(profile=profile)
    stages["output"] = Output(profile=profile)
    cells = []
    for name, stage in stages.items():
        stage.check(asked[0])
        start = time.process_time()
        for one in asked:
            stage.check(one)
        cells.append([name, f"{(time.process_time() - start) / n * 1e6:.1f}"])
    table(f"{service.data.name}: processor time of one row through a stage, us (n = {n})", ["stage", "us"], cells)


def _cpu(call: Callable[[], object], n: int) -> float:
    """Microseconds of processor time of a call, the best of three rounds."""
    call()
    best = np.inf
    for _ in range(3):
        start = time.process_time()
        for _ in range(n):
            call()
        best = min(best, (time.process_time() - start) / n)
    return 1e6 * best


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
