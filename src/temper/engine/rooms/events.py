"""One scenario of unusual behaviour: histories rewritten, columns computed again, customers and frauds judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.core.errors import Unsupported
from temper.core.events import Events
from temper.core.finding import Finding
from temper.core.measure import Better, Curve, Measurement, Point, Status
from temper.core.seed import Draws
from temper.engine.identity import weakness
from temper.engine.task import Part, Task, World, clock
from temper.kernels.loss import decide
from temper.kernels.rate import measure_rate, wilson
from temper.stress._choice import SEVERITIES
from temper.stress.events._history import Cases
from temper.validation.gate import NOT_APPLICABLE

GATED = 3
AGREE = 0.99  # share of untouched rows on which a declared column must give the value that is in the data
MATERIAL = 0.05  # a share of honest customers newly flagged that a finding is worth
_HONEST, _FRAUDS = 6, 2  # rows per row that the suite attacks
_CHECKED = 500  # untouched rows on which every declared column is computed again


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Seen:
    """Who is flagged among the cases of one truth: as they are, and per severity."""

    before: Any
    after: tuple[Any, ...]


def run(task: Task, world: World) -> Part:
    """`flip_rate` (honest customers newly flagged) and `detection` (frauds still flagged), curves over severities.

    Columns that the declared history does not reproduce are an ERROR: nothing is rewritten with wrong formulas.
    """
    start, events = clock(), world.system.events
    if events is None:
        return _nothing(task, NOT_APPLICABLE, Status.UNTRIED, "no history is declared (stress.events)")
    drawn = {truth: _drawn(world, events, truth, most) for truth, most in ((0, _HONEST), (1, _FRAUDS))}
    rows = np.sort(np.concatenate(list(drawn.values())))
    if not len(drawn[0]):
        return _nothing(task, "flip_rate", Status.INCONCLUSIVE, "no honest event has the history it needs")
    cases = Cases(events=events, rows=rows, schema=world.system.schema)
    checked = rows if len(rows) <= _CHECKED else world.rng(task).generator(1).choice(rows, _CHECKED, replace=False)
    agreement = replace(cases, rows=np.sort(checked)).agreement()
    if wrong := [f"{name} on {100 * share:.1f} %" for name, share in agreement.items() if share < AGREE]:
        reason = (
            f"the declared history does not give the data's own values: {', '.join(wrong)} of {len(checked):,} rows"
        )
        return _nothing(task, "flip_rate", Status.ERROR, reason)
    scenario = world.room("stress").build(task.plugin, dict(task.options))
    rng = Draws(task.seed, task.plugin, rows)
    try:
        flags = [_flagged(world, events.x[rows])]
        flags += [_flagged(world, cases.features(scenario.apply(cases, s, rng))) for s in SEVERITIES]
    except Unsupported as reason:
        return _nothing(task, NOT_APPLICABLE, Status.UNTRIED, reason.message)
    told = (f"{len(agreement)} columns computed again; each agrees on {100 * min(agreement.values(), default=1):.1f} %"
            f" or more of {len(checked):,} untouched rows")  # fmt: skip
    measured = _measured(task, world, np.asarray(events.y[rows]), flags, told)
    return Part(
        measurements=measured,
        findings=_findings(task, world, measured),
        seconds=clock() - start,
        queries=len(rows) * len(flags),
    )


def _drawn(world: World, events: Events, truth: int, most: int) -> Any:
    most *= world.sizes.attacked
    rows = events.judged[np.asarray(events.y)[events.judged] == truth]
    if len(rows) <= most:
        return rows
    return np.sort(Draws(world.seed, "events").generator(truth).choice(rows, most, replace=False))


def _flagged(world: World, x: Any) -> Any:
    """Decisions (n,); a row without a finite score counts as flagged, since somebody must look at it."""
    scores = np.asarray(world.target.scores(x))
    flagged = np.asarray(decide(scores, world.target.kind, world.system.threshold)) == 1
    return flagged | ~np.isfinite(scores).all(axis=1)


def _measured(task: Task, world: World, y: Any, flags: Sequence[Any], told: str) -> tuple[Measurement, ...]:
    honest, frauds = (_Seen(before=flags[0][y == t], after=tuple(f[y == t] for f in flags[1:])) for t in (0, 1))
    simulated = world.system.simulated
    calm = [~honest.before & after for after in honest.after]
    quiet = int((~honest.before).sum())
    common: dict[str, Any] = {"simulated": simulated}
    lost = [honest.before & ~after for after in honest.after]
    flips = measure_rate(
        f"stress.{task.plugin}",
        "flip_rate",
        int(calm[GATED - 1].sum()),
        quiet,
        better=Better.LOWER,
        unit="share of honest customers",
        baseline=(("honest flagged as they are", float(honest.before.mean())),
                  ("honest flagged in the scenario", float(honest.after[GATED - 1].mean()))),
        caveats=(f"at severity {GATED} of {len(SEVERITIES)}; {int(lost[GATED - 1].sum())} flagged before no longer are",
                 told),
        curve=_curve("honest customers", [int(c.sum()) for c in calm], quiet, 0),
        **common,
    )  # fmt: skip
    if not len(frauds.before):
        return (flips,)
    counts = [int(after.sum()) for after in frauds.after]
    detection = measure_rate(
        f"stress.{task.plugin}",
        "detection",
        counts[GATED - 1],
        len(frauds.before),
        better=Better.HIGHER,
        unit="share of frauds",
        baseline=(("as they are", float(frauds.before.mean())),),
        caveats=(f"at severity {GATED} of {len(SEVERITIES)}", told),
        curve=_curve("frauds", counts, len(frauds.before), int(frauds.before.sum())),
        **common,
    )
    return flips, detection


def _curve(whose: str, counts: Sequence[int], n: int, before: int) -> Curve:
    points = []
    for severity, count in zip((0, *SEVERITIES), (before, *counts), strict=True):
        low, high = wilson(count, n)
        points.append(Point(at=severity, value=count / n if n else 0.0, low=low, high=high, n=n))
    return Curve(name=f"{whose} flagged", axis="severity", unit=f"share of {whose}", points=tuple(points))


def _nothing(task: Task, metric: str, status: Status, reason: str) -> Part:
    empty = Measurement(
        plugin=f"stress.{task.plugin}", metric=metric, value=None, better=Better.LOWER, status=status, reason=reason
    )
    return Part(measurements=(empty,), status=status, reason=reason)


def _findings(task: Task, world: World, measured: Sequence[Measurement]) -> tuple[Finding, ...]:
    """Honest customers who are refused for behaving unusually."""
    flips = measured[0]
    if flips.low is None or flips.low <= MATERIAL or flips.value is None or flips.high is None:
        return ()
    what = task.plugin.removeprefix("events.").replace("_", " ")
    return (
        Finding(
            id=weakness(flips.plugin, "flip_rate"),
            title=f"{what.capitalize()}: {100 * flips.value:.0f} % of honest customers are newly flagged",
            plugin=flips.plugin,
            metric="flip_rate",
            severity="high" if flips.low > 4 * MATERIAL else "medium",
            detail=f"{100 * flips.value:.1f} % [{100 * flips.low:.1f}, {100 * flips.high:.1f}], n = {flips.n:,}; "
            + "; ".join(flips.caveats),
        ),
    )
