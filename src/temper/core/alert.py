"""What monitoring tells people: an alert lasts from when something began to be wrong until it is over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from temper.core.incident import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One thing that is wrong, told once. `key` says what is wrong, the same each time it is; times are in seconds
    since 1970, and `ends` is None while it lasts. `columns` are what it is made of, if of any. `was` is the severity
    before nobody took it in time, None where somebody did.
    """

    key: str
    severity: Severity
    title: str
    text: str
    labels: tuple[tuple[str, str], ...] = ()
    columns: tuple[str, ...] = ()
    starts: float
    ends: float | None = None
    was: Severity | None = None

    @property
    def id(self) -> str:
        """What tells this time from other times at which the same was wrong: receivers know the alert again by it."""
        return f"{self.key}@{self.starts:.0f}"

    @property
    def state(self) -> str:
        """`begins`, `worse` after nobody took it, or `over`."""
        if self.ends is not None:
            return "over"
        return "begins" if self.was is None else "worse"

    @property
    def escalated(self) -> Alert:
        """The same, when nobody took it in time."""
        return replace(self, severity=Severity.CRITICAL, was=self.was or self.severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Nothing is sent of alerts with this label (`key`, `rule`, `feed` or `column`) and value before `until`."""

    label: str
    value: str
    until: float
    by: str
    why: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Burning:
    """A share `budget` of windows (or of rows that are answered) may fail. It is burnt too fast where `rate` times as
    many do over `long` and over `short` seconds, of `least` that were judged in the shorter at least.
    """

    budget: float = 0.05
    rate: float = 4.0
    long: float = 30 * 86_400.0
    short: float = 7 * 86_400.0
    least: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Whom alerts of severity `least` and above are sent: a plugin of monitoring/receivers and its options."""

    name: str
    kind: str
    least: Severity = Severity.MINOR
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerting:
    """`monitor: alerts:` of a temper.yaml. `absent` windows in a row without rows are an alert; one that nobody took
    within `escalate` seconds becomes critical, never where that is 0; without `burn` no budget is watched. The same of
    `requests`, by as many rules as wanted: those that something other than the model answered may be a share `budget`.
    """

    receivers: tuple[Receiver, ...]
    absent: int = 2
    escalate: float = 0.0
    burn: Burning | None = None
    requests: tuple[Burning, ...] = ()
