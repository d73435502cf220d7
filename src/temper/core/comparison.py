"""Two runs side by side: what is new, fixed, better, worse, unchanged, not comparable."""

from __future__ import annotations

from dataclasses import dataclass

from temper.core.measure import Better, Measurement, Status
from temper.core.run import Record

_OPEN = (Status.ERROR, Status.UNTRIED, Status.INCONCLUSIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One figure in two runs. `change` is better | worse | higher | lower | unchanged | new | gone | not comparable."""

    name: str
    slice: str
    change: str
    before: Measurement | None
    after: Measurement | None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Differences of figures, and the findings that are new, fixed, unchanged, and unknown: not looked for again, or
    not with success.
    """

    figures: tuple[Difference, ...]
    new: tuple[str, ...]
    fixed: tuple[str, ...]
    unchanged: tuple[str, ...]
    unknown: tuple[str, ...] = ()


def compare(before: Record, after: Record) -> Comparison:
    """Match figures by plugin, metric and slice, findings by what they are about."""
    old = {(m.name, m.slice): m for m in before.measurements}
    new = {(m.name, m.slice): m for m in after.measurements}
    figures = [_difference(key, old.get(key), new.get(key)) for key in dict.fromkeys([*old, *new])]
    were = {(f.plugin, f.metric, f.scenario): f.title for f in before.findings}
    are = {(f.plugin, f.metric, f.scenario): f.title for f in after.findings}
    gone = [key for key in were if key not in are]
    settled = {m.plugin for m in after.measurements} - {m.plugin for m in after.measurements if m.status in _OPEN}
    return Comparison(
        figures=tuple(figures),
        new=tuple(are[key] for key in are if key not in were),
        fixed=tuple(were[key] for key in gone if key[0] in settled),
        unknown=tuple(were[key] for key in gone if key[0] not in settled),
        unchanged=tuple(are[key] for key in are if key in were),
    )


def _difference(key: tuple[str, str], old: Measurement | None, new: Measurement | None) -> Difference:
    name, rows = key
    if old is None or new is None:
        return Difference(name=name, slice=rows, change="new" if old is None else "gone", before=old, after=new)
    if why := _incomparable(old, new):
        return Difference(name=name, slice=rows, change="not comparable", before=old, after=new, why=why)
    gap, low, high = mover(old, new)
    change = "unchanged"
    if low > 0 or high < 0:
        rose = low > 0
        change = "higher" if rose else "lower"
        if new.better is not Better.NEITHER:
            change = "better" if rose == (new.better is Better.HIGHER) else "worse"
    return Difference(name=name, slice=rows, change=change, before=old, after=new, difference=gap, low=low, high=high)


def _incomparable(old: Measurement, new: Measurement) -> str:
    for when, m in (("before", old), ("after", new)):
        if m.status is not Status.OK:
            return f"{m.status.value} {when}: {m.reason}"
        if m.value is None or m.low is None or m.high is None:
            return f"no interval {when}"
    if old.confidence != new.confidence or old.unit != new.unit:
        return "measured differently"
    return ""


def mover(old: Measurement, new: Measurement) -> tuple[float, float, float]:
    """Difference new - old with its interval from the two intervals, as for independent samples.

    Conservative when both runs used the same rows. Source: Zou & Donner, "Construction of confidence limits about
    effect measures", Statistics in Medicine 2008 (MOVER; Newcombe's interval for two Wilson intervals).
    """
    a, la, ua = old.value or 0.0, old.low or 0.0, old.high or 0.0
    b, lb, ub = new.value or 0.0, new.low or 0.0, new.high or 0.0
    gap = b - a
    low = gap - ((b - lb) ** 2 + (ua - a) ** 2) ** 0.5
    high = gap + ((ub - b) ** 2 + (a - la) ** 2) ** 0.5
    return gap, low, high
