"""Waits, stalls and capacities that are known, against what the generator and the search find.

python -m bench.load.truth [waits|stalls|knees ...] [--quick]
"""

from __future__ import annotations

import sys
import time

import numpy as np

from bench.load._server import served
from bench.table import goal, machine, table
from temper.core.load import Limit
from temper.engine.load.course import Course
from temper.traffic.address import address
from temper.traffic.arrivals import constant, due
from temper.traffic.messages import written
from temper.traffic.played import Played
from temper.traffic.processes import Generators

SERVICE = 0.05


def played(port: int, times: np.ndarray, connections: int = 256, timeout: float = 5.0) -> Played:
    """A run of plain requests at these times."""
    place = address(f"http://127.0.0.1:{port}/")
    with Generators(address=place, connections=connections, timeout=timeout) as one:
        return one.play([written(place, "GET")], times)


def waits(quick: bool) -> None:
    """One queue, fixed work (M/D/1): the mean of a long run by the formula, that of these very arrivals by Lindley."""
    rows, errors = [], []
    for load in (0.5, 0.7, 0.85):
        times = due(constant(load / SERVICE, 20.0 if quick else 45.0), np.random.default_rng(0))
        until, expected = 0.0, []
        for at in times:
            until = max(until, at) + SERVICE
            expected.append(until - at)
        with served(SERVICE) as (port, _):
            found = played(port, times)
        sent = found.response
        pairs = [
            (np.mean(sent), np.mean(expected)),
            *((np.quantile(sent, q), np.quantile(expected, q)) for q in (0.5, 0.99)),
        ]
        errors.append([abs(measured / known - 1) for measured, known in pairs])
        formula = SERVICE + load * SERVICE / (2 * (1 - load))
        told = [f"{1e3 * one:.1f}" for pair in pairs for one in pair]
        late = f"{1e3 * float(np.quantile(found.lateness, 0.99)):.1f}"
        rows.append((f"{load:g}", len(times), f"{1e3 * formula:.1f}", *told, late))
    heads = ("load", "n", "formula", "mean", "known", "p50", "known", "p99", "known", "late p99")
    table("M/D/1, milliseconds from when a request was due", heads, rows)
    means, medians, tails = (100 * max(one) for one in zip(*errors, strict=True))
    goal("largest relative error of a mean", means, 5.0, "%")
    print(f"of a median {medians:.1f} %, of a p99 {tails:.1f} %: timers of both sides know whole milliseconds only")


def stalls(quick: bool) -> None:
    """A service that answers nothing for a while: how long, by the slowest answer, and by a closed loop's median."""
    rows, errors = [], []
    for length in (0.2, 0.5, 1.0):
        for again in range(1 if quick else 3):
            with served(0.0, stall=f"1.0:{length}") as (port, _):
                found = played(port, due(constant(400.0, 2.5 + length)))
            slowest = float(found.response.max())
            late = found.response[found.response > 0.05 * length]
            errors.append(abs(slowest / length - 1))
            expected = length * 400.0 * 0.95
            rows.append(
                (
                    f"{length:g} s",
                    again,
                    f"{slowest:.3f} s",
                    f"{100 * (slowest / length - 1):+.1f} %",
                    len(late),
                    f"{expected:.0f}",
                )
            )
    table("a planted stall, 400 requests a second", ("length", "run", "found", "error", "felt by", "of"), rows)
    goal("largest relative error", 100 * max(errors), 5.0, "%")


def knees(quick: bool) -> None:
    """A service of known capacity that sheds what is too much."""
    rows, errors, spent = [], [], []
    for capacity in (250.0,) if quick else (100.0, 250.0, 800.0):
        with served(1 / capacity, queue=40) as (port, _):
            place = address(f"http://127.0.0.1:{port}/")
            start = time.monotonic()
            with Generators(address=place, limit=1.0) as one:
                course = Course(generators=one, requests=[written(place, "GET")], limit=Limit(seconds=1.0), seconds=2.0)
                found = course.searched("")
        spent.append(time.monotonic() - start)
        knee = found.knee
        assert knee is not None
        errors.append(abs(knee.value / capacity - 1))
        doubled, back = dict(found.overload).get(2.0), found.recovery
        rows.append(
            (
                f"{capacity:g}",
                f"{knee.value:.0f} [{knee.low:.0f}, {knee.high or 0:.0f}]",
                f"{100 * (knee.value / capacity - 1):+.1f} %",
                len(found.trials),
                f"{spent[-1]:.0f} s",
                "-" if doubled is None else f"{doubled.goodput / capacity:.2f}",
                "-" if doubled is None else f"{doubled.shed / doubled.requests:.2f}",
                "-" if back is None or back.seconds is None else f"{back.seconds:.1f} s",
                "-" if found.scaling is None or not found.scaling.peak else f"{found.scaling.peak / capacity:.2f}",
            )
        )
    heads = ("capacity/s", "knee", "error", "runs", "took", "goodput at 2x", "shed at 2x", "well after", "law's peak")
    table("a planted capacity", heads, rows)
    goal("largest relative error", 100 * max(errors), 10.0, "%")
    goal("longest search with overload and recovery", max(spent), 180.0, "s", digits=0)


PARTS = {"waits": waits, "stalls": stalls, "knees": knees}


def main(words: list[str]) -> None:
    """Print the tables of the parts that are named, or of all."""
    print(machine("uvloop", "httptools"))
    for name in [word for word in words if word in PARTS] or PARTS:
        PARTS[name]("--quick" in words)


if __name__ == "__main__":
    main(sys.argv[1:])
