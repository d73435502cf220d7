"""A running gateway by its URL, asked by keys that were given for it, in real time and within the scope."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from temper.core.campaign import Rules
from temper.core.errors import ConfigError
from temper.core.stage import Level
from temper.core.system import Protected
from temper.engine.campaign.door import Ended, Once, Told
from temper.targets.http import Http, Reply

Array = np.ndarray[Any, Any]
_LEVELS = {level.name.lower(): int(level) for level in Level}
_GONE = 5
"""So many requests in a row that nobody answers end it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """`url` of `POST /v1/score`, the environment variable that holds the Authorization of each account, and who allowed
    it.
    """

    url: str
    keys: Mapping[str, str] = field(default_factory=dict)
    authorised_by: str = ""


@dataclass(slots=True, kw_only=True, eq=False)
class Outside:
    """Asks a gateway row by row. What was answered before a kill is answered from the journal, with its time."""

    system: Protected
    place: Place
    rules: Rules
    once: Once
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    simulated: bool = False
    asked: int = 0
    reused: int = 0
    _now: float = field(default=0.0, init=False)
    _mark: float | None = field(default=None, init=False)
    _silent: int = field(default=0, init=False)
    _lines: dict[str, Http] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        host = urlsplit(self.place.url).hostname or ""
        if host not in self.rules.hosts:
            named = ", ".join(self.rules.hosts) or "none"
            raise ConfigError(
                f"{host or self.place.url!r} is out of scope: rules.hosts names {named}",
                fix="add the host to campaign.rules.hosts once its owner has agreed",
            )

    @property
    def now(self) -> float:
        """Seconds since the campaign began; while nobody worked on it, it stood still."""
        return self._now

    @property
    def day(self) -> float:
        """By the clock of this machine."""
        return time.time()

    def wait(self, seconds: float) -> None:
        """Slept before the next request that is really sent."""
        self._now += max(0.0, seconds)

    def expect(self, rows: Array) -> None:
        """A gateway is asked row by row: nothing is sent before its time."""

    def ask(self, row: Array, account: str, pace: float) -> Told:
        """One POST. Answers that nobody gave (status 0) and of a service in trouble are not kept: they are asked again
        by whoever goes on.
        """
        key = self.once.key(account.encode(), row.tobytes())
        kept = self.once.journal.get(key)
        if kept is not None:
            self.reused, self._now = self.reused + 1, kept.at
            return kept
        self._due(self._now + pace)
        self.asked += 1
        line = self._line(account)
        body = json.dumps({"rows": line.records(row[None])}, allow_nan=False).encode()
        told = self._read(line.exchange(body))
        self._silent = self._silent + 1 if told.status == 0 or told.status >= 500 else 0
        if self._silent >= _GONE:
            raise Ended(f"{urlsplit(self.place.url).netloc} did not answer {_GONE} times", fix="--resume goes on later")
        if not self._silent:
            self.once.journal.put(key, told)
        return told

    def teach(self, x: Array, y: Array) -> int:
        """A gateway takes no labels."""
        return 0

    def close(self) -> None:
        """Nothing is held."""

    def _due(self, at: float) -> None:
        if wait := self.rules.open(self.day):
            raise Ended(f"rules.hours: nothing is sent for the next {wait / 3_600:.1f} h", fix="--resume goes on then")
        self._mark = self.clock() - self._now if self._mark is None else self._mark
        if (early := at - (self.clock() - self._mark)) > 0:
            self.sleep(early)
        self._now = max(at, self.clock() - self._mark)

    def _line(self, account: str) -> Http:
        if account not in self._lines:
            variable = self.place.keys.get(account, "")
            self._lines[account] = Http(
                url=self.place.url,
                schema=self.system.schema,
                headers={"Authorization": variable} if variable else {},
                authorised_by=self.place.authorised_by,
                timeout=10.0,
            )
        return self._lines[account]

    def _read(self, reply: Reply) -> Told:
        after = reply.headers.get("retry-after", "")
        wait = float(after) if after.replace(".", "", 1).isdigit() else 0.0
        if reply.status != 200:
            return Told(at=self._now, status=reply.status, after=wait)
        try:
            found = json.loads(reply.body)
            one = found["results"][0]
            level = _LEVELS[one["decision"]]
        except (ValueError, KeyError, IndexError, TypeError):
            raise Ended("the gateway's answer is none of temper's", fix="campaign.url is that of /v1/score") from None
        score, over = one.get("score"), one.get("label") == self.system.classes[-1]
        return Told(
            at=self._now,
            score=None if score is None else float(score),
            level=level,
            flagged=over or level >= Level.REVIEW or "label" not in one,
            source=str(found.get("source", "primary")),
        )
