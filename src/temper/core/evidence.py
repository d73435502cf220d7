"""What was measured of a system, when and of which model, and when that is too old to speak of what answers now."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from temper.core.outcome import Outcome
from temper.core.watch import Watched

DAY = 86_400.0
FEWEST = 200
"""Rows whose labels have come below which nothing is assessed on them."""

ATTACKS = ("evasion", "poisoning", "extraction", "inversion")
OWN = (*ATTACKS, "stress", "fuzz", "load")
"""Families of plugins that are a part of their own; all others are validation."""
CAMPAIGN = "campaign"
"""What `temper redteam` measures of a table model: no part of an assessment, and nothing that renews one."""

ON_ROWS = ("stress", "validation")
"""Parts that speak of the rows they were measured on: other rows and their labels say something else."""


def part_of(plugin: str) -> str:
    """The part that a figure belongs to: what `--only` measures again.

    >>> part_of("evasion.noise"), part_of("stress.missing"), part_of("fairness")
    ('evasion', 'stress', 'validation')
    """
    family = plugin.partition(".")[0]
    return family if family in (*OWN, CAMPAIGN) else "validation"


class Cause(StrEnum):
    """Why evidence is stale."""

    NONE = "nothing was assessed"
    AGE = "age"
    MODEL = "model"
    DATA = "data"
    ATTACKS = "attacks"
    ROWS = "rows"
    LABELS = "labels"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The latest run that measured a `part` (evasion, stress, validation, ...), when it began, and what it was made
    with: digests of the model, of the reference of monitoring and of the attacks there were ("" where the run names
    none). `rows` is when its held-out rows were assessed for the first time.
    """

    part: str
    run: str
    at: float
    model: str
    reference: str
    attacks: str
    rows: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """A part whose evidence no longer speaks of what answers, and why in words. `event` tells this time from others:
    the same event makes the same parts stale whenever it is asked. Where labels are what it is about, `rows` of the
    feed from this time on have them.
    """

    part: str
    run: str
    cause: Cause
    why: str
    event: str
    rows: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Triggers:
    """`monitor: triggers:` of a temper.yaml: when evidence is stale, and how it is made again. Evidence is stale after
    `age` seconds, `rows` rows or `labels` labels that came since; never for that where they are 0.
    """

    age: float = 90 * DAY
    rows: int = 0
    labels: int = 0
    causes: tuple[Cause, ...] = (Cause.MODEL, Cause.DATA, Cause.ATTACKS, Cause.ALARM)
    suite: str = "standard"
    engine: str = "processes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What evidence is held against: the time, the model that answers, the reference of monitoring and the attacks that
    there are ("" where that is not known), and windows of rows and of decided labels, each with when it was judged.
    """

    now: float
    model: str
    reference: str = ""
    attacks: str = ""
    windows: tuple[tuple[float, Watched], ...] = ()
    outcomes: tuple[tuple[float, Outcome], ...] = ()
