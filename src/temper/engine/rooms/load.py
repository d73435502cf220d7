"""A short load test of the system's service, as figures that a policy can name."""

from __future__ import annotations

from collections.abc import Iterator

from temper.core.errors import TemperError
from temper.core.finding import Finding
from temper.core.load import Knee, Loaded, Recovery, Trial
from temper.core.measure import Better, Curve, Measurement, Point, Status
from temper.engine.identity import weakness
from temper.engine.load.order import NAMED, LoadTest
from temper.engine.task import SUITES, Part, Task, World
from temper.kernels.rate import wilson
from temper.traffic.address import MOST_RATE

NAME = "load"
_SHORT, _USUAL, _LONG = (1.0, 1), (2.0, 2), (5.0, 3)
"""Seconds of a run and searches, by suite."""
_DAY = 86_400.0
MISLEADS = (
    "A rate is tried for seconds from this machine: what breaks after hours, or only from many networks, is not seen. "
    "What else runs on the machine takes part."
)


def run(task: Task, world: World) -> Part:
    """Search the knee, go beyond it, and see how the service recovers. What cannot be asked is an ERROR."""
    seconds, searches = _size(task)
    test = LoadTest(target=NAMED, seconds=seconds, seed=task.seed)
    try:
        found = test.of(world.system, searches)
    except TemperError as trouble:
        return Part(measurements=_lost(world, trouble.message), status=Status.ERROR, reason=trouble.message)
    asked = sum(trial.requests for trial in (*found.trials, *(trial for _, trial in found.overload)))
    return Part(measurements=tuple(_measured(found, world)), findings=_findings(found, world), queries=asked)


def _size(task: Task) -> tuple[float, int]:
    return {SUITES["quick"]: _SHORT, SUITES["deep"]: _LONG}.get(task.sizes, _USUAL)


def _lost(world: World, reason: str) -> tuple[Measurement, ...]:
    lost = Measurement(
        plugin=NAME, metric="all", value=None, status=Status.ERROR, reason=reason, simulated=world.system.simulated
    )
    return (lost,)


def _measured(found: Loaded, world: World) -> Iterator[Measurement]:
    knee, simulated = found.knee, world.system.simulated
    if knee is None:
        return
    yield _knee(found, knee, simulated)
    trials = dict(found.overload)
    if 0.5 in trials and trials[0.5].p99 is not None:
        yield _p99(trials[0.5], simulated)
    if 2.0 in trials:
        yield from _doubled(trials[2.0], knee, simulated)
    if found.recovery is not None:
        yield _recovery(found.recovery, simulated)


def _knee(found: Loaded, knee: Knee, simulated: bool) -> Measurement:
    beyond = (f"no limit up to {knee.most:g} a second; the upper end is the most that a run may ask",)
    return Measurement(
        plugin=NAME,
        metric="knee",
        value=knee.value,
        low=knee.low,
        high=MOST_RATE if knee.high is None else knee.high,
        n=sum(trial.requests for trial in found.trials),
        unit="requests/s",
        better=Better.HIGHER,
        method=f"bracket that {len(knee.searches)} searches agree on, {len(found.trials)} runs",
        caveats=(*found.caveats, *(beyond if knee.high is None else ())),
        baseline=(("limit of p99 in ms", 1e3 * found.limit.seconds), ("share to answer", found.limit.answered)),
        curve=_curve(found),
        simulated=simulated,
        counts="requests",
    )


def _curve(found: Loaded) -> Curve:
    trials = sorted((*found.trials, *(trial for _, trial in found.overload)), key=lambda one: one.rate)
    points = [
        Point(at=one.rate, value=one.goodput, low=low, high=high, n=one.requests)
        for one in trials
        for low, high in [_share(one.good, one)]
    ]
    return Curve(
        name="goodput", axis="offered requests a second", unit="answers in time a second", points=tuple(points)
    )


def _share(count: int, trial: Trial, of: float = 0.0) -> tuple[float, float]:
    """The ends of a share of the requests, as a rate or as a part of another rate."""
    low, high = (end * trial.rate / (of or 1.0) for end in wilson(count, trial.requests))
    return low, high


def _p99(trial: Trial, simulated: bool) -> Measurement:
    low, value, high = (None if end is None else 1e3 * end for end in (trial.p99_low, trial.p99, trial.p99_high))
    return Measurement(
        plugin=NAME,
        metric="p99_at_half_knee",
        value=value,
        low=low,
        high=high,
        n=trial.requests,
        unit="ms",
        better=Better.LOWER,
        method="order statistics, from when requests were due",
        caveats=("the interval takes requests for independent",),
        simulated=simulated,
        counts="requests",
    )


def _doubled(trial: Trial, knee: Knee, simulated: bool) -> Iterator[Measurement]:
    for metric, count, of, unit, better in (
        ("goodput_2x", trial.good, knee.value, "times the knee", Better.HIGHER),
        ("shed_2x", trial.shed, trial.rate, "share of requests", Better.NEITHER),
        ("lost_2x", trial.late + trial.failed, trial.rate, "share of requests", Better.LOWER),
    ):
        low, high = _share(count, trial, of)
        yield Measurement(
            plugin=NAME,
            metric=metric,
            value=count / trial.seconds / of,
            low=low,
            high=high,
            n=trial.requests,
            unit=unit,
            better=better,
            method="Wilson, of requests within one run at twice the knee",
            simulated=simulated,
            counts="requests",
        )


def _recovery(back: Recovery, simulated: bool) -> Measurement:
    never = f"not well again in the {back.watched:g} s that anybody looked, which counts as a day"
    seconds = back.seconds
    return Measurement(
        plugin=NAME,
        metric="recovery",
        value=_DAY if seconds is None else seconds,
        low=back.watched if seconds is None else max(seconds - 0.1, 0.0),
        high=_DAY if seconds is None else seconds + 0.1,
        n=1,
        unit="s",
        better=Better.LOWER,
        method="one overload at four times the knee; the ends are those of a short time",
        caveats=(never,) if seconds is None else (),
        simulated=simulated,
        counts="overloads",
    )


def _findings(found: Loaded, world: World) -> tuple[Finding, ...]:
    back = found.recovery
    if back is None or back.seconds is not None:
        return ()
    return (
        Finding(
            id=weakness(NAME, "recovery"),
            title="the service does not come back by itself after an overload",
            plugin=NAME,
            metric="recovery",
            severity="high",
            detail=(
                f"{back.end - back.start:g} s at {back.during:,.0f} requests a second left it unwell for "
                f"{back.watched:g} s at {back.before:,.0f}, which it bears"
            ),
        ),
    )
