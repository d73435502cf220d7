"""What is planted in which hour of the day, and which cause an alarm there has to name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from temper.core.watch import Kind, Seen, Watched

HOUR = 3_600.0


class Chapter(StrEnum):
    """What happens, in the order in which it does."""

    QUIET = "quiet"
    DRIFT = "other customers"
    CAMPAIGN = "evasion campaign"
    FAILURE = "model fails"


RIGHT = {Chapter.DRIFT: Kind.NATURAL, Chapter.CAMPAIGN: Kind.ATTACK, Chapter.FAILURE: Kind.PIPELINE}
"""What an alarm has to call it. Scores that nobody gives are a fault of the pipeline; that it is the model which does
not answer, the gateway says.
"""
PLANTED = {
    Chapter.QUIET: "nothing",
    Chapter.DRIFT: "a new sales channel: newer customers, who buy online",
    Chapter.CAMPAIGN: "stolen cards, moved by an attack until the model lets them pass",
    Chapter.FAILURE: "the model's process is killed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """One window: its number in the day, what happens in it, how much, and the payments in it."""

    number: int
    chapter: Chapter
    payments: int
    strength: float = 0.0


def day(payments: int) -> list[Hour]:
    """Twenty-four hours, each with so many payments. `strength` is how strongly newer customers are drawn, the share of
    the campaign, or after which share of the hour the model fails.

    >>> "".join(hour.chapter.value[0] for hour in day(450))
    'qqqqqqooooqqeeeeqqqqmmqq'
    """
    parts = (
        (6, Chapter.QUIET, 0.0),
        (4, Chapter.DRIFT, 3.0),
        (2, Chapter.QUIET, 0.0),
        (4, Chapter.CAMPAIGN, 0.12),
        (4, Chapter.QUIET, 0.0),
        (2, Chapter.FAILURE, 0.25),
        (2, Chapter.QUIET, 0.0),
    )
    written = [(chapter, strength) for hours, chapter, strength in parts for _ in range(hours)]
    return [
        Hour(number=number, chapter=chapter, payments=payments, strength=strength)
        for number, (chapter, strength) in enumerate(written)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was said of the windows of a chapter: how many they are, after how many the first alarm came (None: never),
    how often which kind was named, and whether that is right.
    """

    chapter: Chapter
    windows: int
    detected: int | None
    kinds: dict[str, int]
    right: bool


def told(hours: Sequence[Hour], windows: Sequence[Watched]) -> Iterator[Told]:
    """Of every chapter whether its alarms came, and with the right cause; a quiet hour may have none."""
    for chapter in Chapter:
        those = [one for hour, one in zip(hours, windows, strict=True) if hour.chapter is chapter]
        alarms = [at for at, one in enumerate(those, start=1) if one.seen is Seen.FAIL]
        kinds: dict[str, int] = {}
        for at in alarms:
            name = str(those[at - 1].kind or Kind.UNKNOWN)
            kinds[name] = kinds.get(name, 0) + 1
        right = set(kinds) == ({RIGHT[chapter].value} if chapter in RIGHT else set())
        unsure = chapter is Chapter.QUIET and any(one.seen is not Seen.PASS for one in those)
        detected = alarms[0] if alarms else None
        yield Told(chapter=chapter, windows=len(those), detected=detected, kinds=kinds, right=right and not unsure)
