"""What a gateway tells of itself: every event by its name, how much it matters, and what it means."""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

Value: TypeAlias = str | int | float | bool | None
_LOG = logging.getLogger("temper.gateway")
_LONGEST = 300
_PLAIN = re.compile(r"[\w.:/@%+-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Event:
    """One kind of line: its level and its sentence."""

    level: int
    means: str


EVENTS: Mapping[str, Event] = {
    "gateway.started": Event(logging.INFO, "requests are answered from now on"),
    "gateway.draining": Event(logging.INFO, "the process goes down; requests are still answered"),
    "gateway.stopped": Event(logging.INFO, "the process has ended in good order"),
    "worker.ended": Event(logging.ERROR, "a process ended by itself and is started again"),
    "policy.changed": Event(logging.INFO, "another policy or model answers from now on"),
    "policy.refused": Event(logging.ERROR, "refused, what was there goes on"),
    "breaker.changed": Event(logging.WARNING, "a breaker changed its state"),
    "switch.changed": Event(logging.WARNING, "somebody turned the kill switch"),
    "model.wrong": Event(logging.ERROR, "the model is wrong"),
    "ledger.failing": Event(logging.ERROR, "the disk takes no records, so nothing is decided"),
    "ledger.recovered": Event(logging.INFO, "decisions are recorded again"),
    "checkpoints.failing": Event(logging.ERROR, "the second place takes no checkpoints"),
    "checkpoints.recovered": Event(logging.INFO, "checkpoints are written again"),
    "control.failing": Event(logging.WARNING, "the control store does not answer; requests are answered without it"),
    "control.recovered": Event(logging.INFO, "the control store answers again"),
    "case.overdue": Event(logging.WARNING, "no person decided a case in time; the clock did"),
    "key.refused": Event(logging.WARNING, "a request came without a key that holds"),
    "quota.refused": Event(logging.INFO, "a client asked more than its quota"),
    "request.refused": Event(logging.INFO, "a request could not be understood"),
    "request.unanswered": Event(logging.WARNING, "a request was not decided"),
    "request.failed": Event(logging.ERROR, "a request failed, which is a mistake of the gateway's"),
    "door.refused": Event(logging.INFO, "requests were turned away before they were read"),
    "exchange.stopped": Event(logging.WARNING, "the guard stopped an exchange with an assistant"),
    "exchange.unrecorded": Event(logging.ERROR, "an exchange could not be recorded, so it was not answered"),
    "log.dropped": Event(logging.WARNING, "lines of this log found no room and are missing"),
    "library": Event(logging.WARNING, "a library said something"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """An event with what is to be said of it; as text, one line without a character that could end or hide it."""

    name: str
    fields: Mapping[str, Value]

    def __str__(self) -> str:
        said = "".join(f" {key}={_quoted(value)}" for key, value in self.fields.items() if value not in (None, ""))
        return f"{self.name}: {EVENTS[self.name].means}{said}"


def tell(name: str, /, **fields: Value) -> None:
    """Write an event down. Fields hold what an operator needs and nothing a request contained: no value of a row, no
    secret; what is empty is left out.

    >>> str(Told("key.refused", {"key": "ab12", "more": 3}))
    'key.refused: a request came without a key that holds key=ab12 more=3'
    """
    if _LOG.isEnabledFor(EVENTS[name].level):
        _LOG.handle(record_of(Told(name, fields)))


def record_of(told: Told) -> logging.LogRecord:
    """An event as the standard library hands it on; where in the program it was told is not looked up."""
    return logging.LogRecord(_LOG.name, EVENTS[told.name].level, "", 0, told, (), None)


def escaped(value: Value) -> str:
    """A value as JSON of printable ASCII, cut where it is long; numbers JSON has no words for are texts.

    >>> print(escaped("a\\n\\x1b[2J\\u202e\\x7f"))
    "a\\n\\u001b[2J\\u202e\\u007f"
    """
    if isinstance(value, float) and not math.isfinite(value):
        value = str(value)
    if isinstance(value, str) and len(value) > _LONGEST:
        value = value[:_LONGEST] + "..."
    return json.dumps(value, ensure_ascii=True).replace("\x7f", "\\u007f")


def _quoted(value: Value) -> str:
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) and len(value) <= _LONGEST else escaped(value)
    return escaped(value)
