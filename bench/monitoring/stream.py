"""Shifted columns of a stream: false alarms beside what was chosen, delays beside CUSUM and ADWIN, and cost.

    python -m bench.monitoring.stream [--quick] [null | week | delay | choose | adwin | attack | speed | look ...]

All rows are SIMULATED, 30 columns, but those of adult. `null` counts alarms where nothing changes: one per 10,000 rows
is allowed; `week` does so for a rhythm of hours and days, and finds a shift in it. In `delay` a column moves by so many
standard deviations; CUSUM knows the true mean and deviation and the size of the shift, and its limit is set (Siegmund's
approximation, checked here by simulation) so that it runs as long without a change as `Shift` was seen to do at a
chosen 100,000. `adwin` is river's, one per column, which has seen 20,000 rows before.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numba
import numpy as np

from bench.monitoring._streams import COLUMNS, NULL, between, clustered, independent, lengths, real, seasonal
from bench.monitoring._week import week
from bench.table import goal, machine, table
from temper.core.detector import to_arrays
from temper.core.schema import Schema
from temper.core.watch import Watch as Monitored
from temper.detectors.stream.shift import Shift
from temper.kernels.cells import single
from temper.monitoring.following import Followed, Following, Rows
from temper.monitoring.judged import judged
from temper.monitoring.reference import Reference, Window

Array = np.ndarray[Any, Any]
PER, LONG, REFERENCE, BEFORE = 10_000, 100_000, 20_000, 1_000
SIZES = (0.1, 0.25, 0.5, 1.0)


def main(words: list[str]) -> int:
    """Print the tables and the goals."""
    quick = "--quick" in words
    wanted = [word for word in words if not word.startswith("-")] or list(PARTS)
    print(machine("numpy", "numba", "river"), flush=True)
    for name in wanted:
        PARTS[name](quick)
    return 0


# -- false alarms -----------------------------------------------------------------------------------------------------


def null(quick: bool) -> None:
    """Alarms in streams without a change, beside those that are allowed."""
    from scipy.special import betaincinv

    streams, n, rows, worst = 10 if quick else 60, 2 * PER, [], np.inf
    for name, made, reference, schema, strata in (*NULL, *real()):
        alarms, early = 0, 0
        for seed in range(streams):
            rng = np.random.default_rng([seed, reference])
            watch = Shift(one_false_alarm_per=PER, strata=strata)
            found = watch.step(watch.fit(made(rng, reference), schema), made(rng, n))[1].alarms
            alarms, early = alarms + int(found.sum()), early + bool(found[: PER // 2].any())
        length = lengths(alarms, streams * n)
        ends = [betaincinv(early, streams - early + 1, 0.025) if early else 0.0]
        ends += [betaincinv(early + 1, streams - early, 0.975) if early < streams else 1.0]
        promised = strata or made not in (seasonal, clustered)
        worst = min(worst, length[0]) if promised else worst
        rows.append([
            name, alarms, f"{streams * n // PER}", between(length),
            f"{early / streams:.2f} [{ends[0]:.2f}, {ends[1]:.2f}]", "0.50",
        ])  # fmt: skip
    head = ["nothing changes", "alarms", "allowed", "rows per alarm", f"alarmed at in {PER // 2:,} rows", "bound"]
    table(f"False alarms, one per {PER:,} rows chosen; {streams} streams of {n:,} rows x 30", head, rows)
    print("[ ]: 95 %, Poisson for alarms, Clopper-Pearson for shares; no alarm counts as half of one in the middle")
    goal("lower end of rows per alarm, where promised", worst, PER, "rows", at_least=True, digits=0)


# -- delays -----------------------------------------------------------------------------------------------------------


@numba.njit
def cusum(x: Array, k: float, h: float) -> tuple[int, int]:
    """Alarms of two-sided sums in every column, which all begin anew, and the row of the first, -1 for none."""
    sums, alarms, first = np.zeros((x.shape[1], 2)), 0, -1
    for row in range(len(x)):
        most = 0.0
        for at in range(x.shape[1]):
            sums[at, 0] = max(sums[at, 0] + x[row, at] - k, 0.0)
            sums[at, 1] = max(sums[at, 1] - x[row, at] - k, 0.0)
            most = max(most, sums[at, 0], sums[at, 1])
        if most >= h:
            alarms += 1
            first = row if first < 0 else first
            sums[:] = 0.0
    return alarms, first


def limit(k: float, length: float) -> float:
    """The limit at which 60 one-sided sums alarm once in `length` rows (Siegmund 1985)."""
    low, high = 0.0, 400.0
    for _ in range(80):
        h = (low + high) / 2.0
        b = 2.0 * k * (h + 1.166)
        low, high = (h, high) if (np.exp(b) - b - 1.0) / (2.0 * k * k) < 2 * COLUMNS * length else (low, h)
    return high


def run_length(quick: bool) -> tuple[float, str]:
    """How many rows go by per alarm of `Shift` at a chosen 100,000, and the same with its interval."""
    from scipy.special import gammaincinv

    alarms, n, streams = 0, 200_000, 4 if quick else 36
    for seed in range(streams):
        rng, watch = np.random.default_rng([seed, 7]), Shift(one_false_alarm_per=LONG)
        state = watch.fit(independent(rng, REFERENCE), Schema())
        for _ in range(10):
            state, signal = watch.step(state, independent(rng, n // 10))
            alarms += int(signal.alarms.sum())
    low, high = gammaincinv(max(alarms, 1), 0.025), gammaincinv(alarms + 1, 0.975)
    found = streams * n / max(alarms, 1)
    return found, f"{found:,.0f} [{streams * n / high:,.0f}, {streams * n / low:,.0f}]"


def moved(seed: int, size: float) -> Iterator[Array]:
    """A thousand ordinary rows, then parts of a stream whose column 7 has moved."""
    rng = np.random.default_rng([seed, round(1000 * size)])
    yield independent(rng, BEFORE)
    while True:
        part = independent(rng, 2_000)
        part[:, 7] += np.float32(size)
        yield part


def own_delay(watch: Shift, state: Any, seed: int, size: float) -> tuple[int, bool]:
    """Rows from the change to the alarm, 0 for an alarm before, and whether the interval it names holds the change;
    what the stream has taught the ranks for 100,000 rows is not seen.
    """
    done = 0
    for part in moved(seed, size):
        state, signal = watch.step(state, part)
        if signal.alarms.any():
            told = signal.reason.split("(")[1].split(")")[0].replace(",", "").split(" to ")
            row = done + int(np.argmax(signal.alarms)) + 1 - BEFORE
            return max(row, 0), float(told[0]) <= BEFORE <= float(told[1])
        done += len(part)
        if done > LONG:
            break
    return LONG, False


def cusum_delay(seed: int, size: float, h: float) -> int:
    """The same for the sums."""
    rows, parts = np.empty((0, COLUMNS), np.float32), moved(seed, size)
    while True:
        rows = np.vstack([rows, next(parts)])
        if (first := cusum(rows, size / 2.0, h)[1]) >= 0:
            return max(first + 1 - BEFORE, 0)


def delay(quick: bool) -> None:
    """Delays beside CUSUM's at equal run length."""
    length, said = run_length(quick)
    watch, rows, references = Shift(one_false_alarm_per=LONG), [], 4 if quick else 20
    h = limit(0.125, 20_000)
    checked = [cusum(independent(np.random.default_rng([at, 3]), 400_000), 0.125, h)[0] for at in range(5)]
    print(f"\nShift at a chosen {LONG:,}: {said} rows per alarm; CUSUM set to 20,000 (k 0.125): "
          f"{2_000_000 / max(sum(checked), 1):,.0f} by simulation, {sum(checked)} alarms")  # fmt: skip
    worst = 0.0
    states = [lambda seed=seed: _fitted(watch, seed) for seed in range(references)]
    for size in SIZES:
        h = limit(size / 2.0, length)
        found = [own_delay(watch, make(), 10 * at + one, size) for at, make in enumerate(states) for one in range(5)]
        peers = np.array([cusum_delay(10 * at + one, size, h) for at in range(references) for one in range(5)])
        own, held = np.array([one for one, _ in found]), np.array([held for _, held in found])
        own_rows, held, peers = own[own > 0], held[own > 0], peers[peers > 0]
        ratio, spread = own_rows.mean() / peers.mean(), _spread(own_rows, peers)
        worst = max(worst, ratio)
        rows.append([size, _mean(own_rows), _mean(peers), f"{ratio:.2f} [{ratio - spread:.2f}, {ratio + spread:.2f}]",
                     f"{held.mean():.2f}", len(own_rows)])  # fmt: skip
    head = ["moved by (sd)", "Shift", "CUSUM, tuned", "ratio", "interval holds it", "n"]
    table(f"Rows until a shift of 1 column in 30 is seen, at {length:,.0f} rows per false alarm", head, rows)
    print("[ ]: 95 %, normal")
    goal("largest ratio to the tuned CUSUM", worst, 1.5)


def choose(quick: bool) -> None:
    """Delays by what is chosen: how rare false alarms are, and how many rows of reference there are."""
    rows = []
    for per, reference in ((100_000, 20_000), (1_000_000, 20_000), (10_000_000, 20_000), (10_000_000, 2_000)):
        watch, n = Shift(one_false_alarm_per=per), 4 if quick else 30
        late = [
            [own_delay(watch, _fitted(watch, seed, reference), seed, size)[0] for seed in range(n)] for size in SIZES
        ]
        seen = [np.array([one for one in found if 0 < one < LONG]) for found in late]
        missed = [found.count(LONG) for found in late]
        told = [_mean(one) if len(one) else "-" for one in seen]
        rows.append([f"{per:,}", f"{reference:,}", *told, "/".join(map(str, missed))])
    head = ["one false alarm per", "reference", *(f"{size} sd" for size in SIZES), "not seen"]
    table(f"Rows until a shift of 1 column in 30 is seen, n {4 if quick else 30}", head, rows)


def _fitted(watch: Shift, seed: int, reference: int = REFERENCE) -> Any:
    return watch.fit(independent(np.random.default_rng([seed, 11]), reference), Schema())


def _mean(x: Array) -> str:
    half = 1.96 * x.std() / len(x) ** 0.5
    return f"{x.mean():,.0f} [{x.mean() - half:,.0f}, {x.mean() + half:,.0f}]"


def _spread(a: Array, b: Array) -> float:
    """Half of the interval of the ratio of two means."""
    parts = sum((one.std() / one.mean()) ** 2 / len(one) for one in (a, b))
    return float(1.96 * a.mean() / b.mean() * parts**0.5)


# -- ADWIN ------------------------------------------------------------------------------------------------------------


def adwin(quick: bool) -> None:
    """The same delays of river's ADWIN, and how often it alarms without a change."""
    n, rows = 100_000 if quick else 1_000_000, []
    deltas = (2e-3, 1e-4, 1e-6)
    for delta in deltas:
        windows, alarms, start = _windows(delta), 0, time.process_time()
        for part in np.array_split(np.arange(n), n // 10_000):
            found = _update(windows, independent(np.random.default_rng([int(part[0]), 5]), len(part)))
            alarms += len(found)
        rate = n / (time.process_time() - start)
        delays = []
        for size in SIZES:
            late = [_adwin_delay(delta, seed, size) for seed in range(2 if quick else 10)]
            delays.append(_mean(np.array([one for one in late if one > 0])))
        rows.append([f"{delta:g}", alarms, f"{n / max(alarms, 0.5):,.0f}", *delays, f"{rate / 1e3:,.0f}k"])
    head = ["delta", f"alarms in {n:,}", "rows per alarm", *(f"{size} sd" for size in SIZES), "rows/s x 30"]
    table("ADWIN per column: rows until a shift of 1 column in 30 is seen", head, rows)
    print("[ ]: 95 %, normal, n 10; no alarm counts as half of one; a row counts one alarm, whichever column has it")


def _windows(delta: float) -> list[Any]:
    from river import drift

    return [drift.ADWIN(delta=delta) for _ in range(COLUMNS)]


def _update(windows: list[Any], rows: Array) -> list[int]:
    """Rows at which a window shrank."""
    found = []
    for row, values in enumerate(rows.tolist()):
        alarm = False
        for window, value in zip(windows, values, strict=True):
            window.update(value)
            alarm |= window.drift_detected
        if alarm:
            found.append(row)
    return found


def _adwin_delay(delta: float, seed: int, size: float) -> int:
    windows, done = _windows(delta), 0
    _update(windows, independent(np.random.default_rng([seed, 11]), REFERENCE))
    for part in moved(seed, size):
        if (found := _update(windows, part)) or done > 100_000:
            return max(done + (found or [0])[0] + 1 - BEFORE, 0)
        done += len(part)
    return 0


# -- attacks ----------------------------------------------------------------------------------------------------------


def attack(quick: bool) -> None:
    """How far an attacker gets who moves one column slowly, or plants a row."""
    watch, rows = Shift(one_false_alarm_per=10_000_000), []
    most = 1_000_000 if quick else 4_000_000
    ways: dict[str, Callable[[Array], Array]] = {
        "1 sd in 100,000 rows": lambda row: row / 1e5,
        "1 sd in 1,000,000 rows": lambda row: row / 1e6,
        "1 sd in 10,000,000 rows": lambda row: row / 1e7,
        "0.05 sd per e-fold of all rows": lambda row: 0.05 * np.log1p(row / REFERENCE),
        "0.1 sd per e-fold of all rows": lambda row: 0.1 * np.log1p(row / REFERENCE),
    }
    for name, way in ways.items():
        rng, state, done, said = np.random.default_rng(1), _fitted(watch, 1), 0, "not seen"
        while done < most and said == "not seen":
            part = independent(rng, 100_000)
            shift = way(done + np.arange(len(part)))
            part[:, 7] += shift.astype(np.float32)
            state, signal = watch.step(state, part)
            if signal.alarms.any():
                row = int(np.argmax(signal.alarms))
                said, by = f"{done + row:,}", "fixed" if "first reference" in signal.reason else "learning"
            done += len(part)
        reached = way(np.array([float(said.replace(",", "")) if said != "not seen" else most]))[0]
        rows.append([name, said, f"{reached:.2f} sd", by if said != "not seen" else "-"])
    table(f"Slow poisoning of 1 column in 30, at most {most:,} rows", ["way", "seen at row", "by then", "ranks"], rows)


# -- speed ------------------------------------------------------------------------------------------------------------


def speed(quick: bool) -> None:
    """Rows a second, in batches and one by one, and the size of the state."""
    rng, watch = np.random.default_rng(0), Shift(one_false_alarm_per=10_000_000)
    first = independent(rng, 100_000)
    _fitted(watch, 0)
    start = time.process_time()
    state = watch.fit(first, Schema())
    fit = time.process_time() - start
    rows, best = [], 0.0
    for size in (1, 100, 1_000, 20_000):
        part, rates = independent(rng, max(size, 2_000)), []
        for _ in range(3 if quick else 15):
            start = time.process_time()
            for at in range(0, len(part), size):
                state, _ = watch.step(state, part[at : at + size])
            rates.append(len(part) / (time.process_time() - start))
        best = float(np.median(rates)) if size == 1_000 else best
        rows.append([f"{size:,}", f"{np.median(rates):,.0f}", f"{max(rates):,.0f}", f"{1e6 / np.median(rates):.1f}"])
    table("Rows of 30 columns a second, processor time", ["batch", "median", "fastest", "us a row"], rows)
    size = sum(one.nbytes for one in to_arrays(state).values())
    print(f"state {size / 1e3:.0f} kB; fitted on 100,000 rows in {fit:.2f} s")
    goal("rows of 30 columns in batches of 1,000", best, 200_000, "a second", at_least=True, digits=0)


def look(quick: bool) -> None:
    """What one window of 100,000 rows costs `temper monitor`, alone and as a part of a stream, and what is kept."""
    rng, watch, n = np.random.default_rng(0), Shift(one_false_alarm_per=10_000_000), 100_000
    reference, x = Reference.fit(independent(rng, n), Schema()), independent(rng, n)
    ids, at = rng.integers(0, 2**62, n), np.sort(rng.uniform(0.0, 86_400.0, n))
    how, rows = Following(watch=watch, begins=lambda: watch.fit(x, Schema())), Rows(x=single(x), ids=ids, at=at)
    before, times, kept = None, np.zeros((3 if quick else 9, 2)), b""
    for turn in range(len(times)):
        start = time.process_time()
        said = judged(Window.of(reference, x, ids), Monitored(feed="", time=""), 86_400.0 * turn, 86_400.0 * (turn + 1))
        times[turn, 0] = time.process_time() - start
        followed = Followed(how=how, before=before)
        followed.add(said, rows)
        before = followed.after
        times[turn, 1] = time.process_time() - start - times[turn, 0]
        kept = before.state if before else b""
    cells = [f"{np.median(one):.2f} [{one.min():.2f}, {one.max():.2f}]" for one in times[1:].T]
    each = f"{1e6 * np.median(times[1:, 1]) / n:.1f}"
    table(f"One window of {n:,} rows x 30, processor seconds", ["compared", "followed", "us a row"], [[*cells, each]])
    print(f"kept of the stream: {len(kept) / 1e3:.0f} kB; median [least, most] of {len(times) - 1} looks after a first")


PARTS: dict[str, Callable[[bool], None]] = {
    "null": null, "week": week, "delay": delay, "choose": choose, "adwin": adwin, "attack": attack, "speed": speed,
    "look": look,
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
