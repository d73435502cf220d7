"""Before and after: from paired effects where a defence measured them, else from two runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from temper.core.defence import Effect
from temper.core.measure import Better, Measurement
from temper.core.run import Record
from temper.report._figure import is_rate, show


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One metric before and after. `low` and `high` bound the paired difference and are None where rows differ."""

    metric: str
    defence: str
    before: float
    after: float
    rate: bool
    verdict: str
    n: int = 0
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    after_ends: tuple[float, float] | None = None

    @property
    def difference(self) -> str:
        """After minus before with its sign, in percentage points for rates."""
        return signed(self.after - self.before, self.rate)

    @property
    def interval(self) -> str:
        """Interval of the difference, or a word that there is none."""
        if self.low is None or self.high is None:
            return "not paired"
        return f"{signed(self.low, self.rate).removesuffix(' points')} to {signed(self.high, self.rate)}"

    @property
    def chance(self) -> str:
        """The p-value as words, empty where there is none."""
        if self.p_value is None:
            return ""
        return "p < 0.001" if self.p_value < 0.001 else f"p = {self.p_value:.2g}"

    @property
    def telling(self) -> bool:
        """Whether it is paired or clearly moved: what two runs leave open is told apart."""
        return self.low is not None or self.direction != "neutral"

    @property
    def direction(self) -> str:
        """better, worse or neutral, as the verdict says; colours follow this word."""
        words = self.verdict.lower()
        return "better" if "better" in words else "worse" if "worse" in words else "neutral"


def signed(value: float, rate: bool) -> str:
    """A difference with its sign; a difference of rates is in percentage points.

    >>> signed(-0.385, True), signed(0.02, False)
    ('−38.5 points', '+0.02')
    """
    sign = "+" if value > 0 else ""
    text = f"{round(100 * value, 1) + 0.0:g} points".replace("-", "−") if rate else show(value, False)
    return f"{sign}{text}"


def changes(record: Record, before: Record | None, effects: Sequence[Effect]) -> list[Change]:
    """What changed, paired effects first; a metric they cover is not repeated from the two runs."""
    known = {m.name: m for m in record.measurements}
    paired = [_from_effect(effect, known.get(effect.metric)) for effect in effects]
    covered = {effect.metric for effect in effects}
    return paired + [change for change in _side_by_side(record, before) if change.metric not in covered]


def _from_effect(effect: Effect, measurement: Measurement | None) -> Change:
    named = effect.metric.endswith(("rate", "recall", "share", "precision", "accuracy"))
    rate = is_rate(measurement) if measurement is not None else named
    return Change(
        metric=effect.metric,
        defence=effect.defence,
        before=effect.before,
        after=effect.after,
        rate=rate,
        verdict=effect.verdict,
        n=effect.n,
        low=effect.low,
        high=effect.high,
        p_value=effect.p_value,
    )


def _side_by_side(record: Record, before: Record | None) -> list[Change]:
    if before is None:
        return []
    earlier = {(m.name, m.slice): m for m in before.measurements}
    found = []
    for after in record.measurements:
        old = earlier.get((after.name, after.slice))
        if old is not None and old.value is not None and after.value is not None and after.slice == "all":
            found.append(_unpaired(old, after))
    return found


def _unpaired(old: Measurement, new: Measurement) -> Change:
    return Change(
        metric=new.name,
        defence="",
        before=old.value or 0.0,
        after=new.value or 0.0,
        rate=is_rate(new),
        verdict=_apart(old, new),
        n=new.n,
        after_ends=_ends(new),
    )


def _ends(measurement: Measurement) -> tuple[float, float] | None:
    if measurement.low is None or measurement.high is None:
        return None
    return measurement.low, measurement.high


def _apart(old: Measurement, new: Measurement) -> str:
    """A clear change needs intervals that do not overlap: without pairing nothing finer is known."""
    first, second = _ends(old), _ends(new)
    if first is None or second is None or (second[0] <= first[1] and first[0] <= second[1]):
        return "no clear change"
    if new.better is Better.NEITHER:
        return "changed"
    fell = second[1] < first[0]
    return "better" if fell == (new.better is Better.LOWER) else "worse"
