"""Clients that copy the model, or search its edge, query by query."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from temper.core.errors import ConfigError
from temper.core.serving import Scoring
from temper.core.stage import ALLOWED, Decision, Level
from temper.detectors.stream.extraction import Extraction as Detector
from temper.guard.serving.profile import Profile
from temper.guard.serving.stages._answer import level

_NAME = "stream.extraction"


@dataclass(slots=True)
class _Client:
    """One key's trail, and what it is answered until when."""

    trail: Any
    level: Level = Level.ALLOW
    reason: str = ""
    until: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Extraction:
    """Answers a client the stronger the less its queries look like an honest one's: `steps` says which share of honest
    clients may ever get an answer within `horizon` queries, rarer answers for stronger evidence.

    An answer holds for `hold` seconds after the evidence for it was last there. Clients of one entry in `groups`
    (client -> group) share one trail, so that spreading queries over keys of one group gains nothing; `clients` trails
    are kept, those of whoever asked last. `revise` asks for less of the score: rounded, or the decision alone. Misleads
    about natural rows, and about keys that nothing links.
    """

    profile: Profile
    steps: Mapping[str, float] = field(default_factory=lambda: {"note": 0.05, "revise": 0.01, "review": 0.001})
    horizon: int = 10_000
    hold: float = 3_600.0
    ring: int = 256
    clients: int = 4_096
    groups: Mapping[str, str] = field(default_factory=dict)
    _detector: Any = field(default=None, init=False, repr=False, compare=False)
    _limits: tuple[tuple[float, Level], ...] = field(default=(), init=False, repr=False, compare=False)
    _known: OrderedDict[str, _Client] = field(default_factory=OrderedDict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.steps or any(not 0.0 < rate < 1.0 for rate in self.steps.values()) or self.clients < 1:
            raise ConfigError(
                f"extraction has steps {dict(self.steps)} and {self.clients} clients",
                fix="name an answer and a share of clients between 0 and 1, and keep one client at least",
            )
        limits = sorted((self.horizon / rate, level("extraction", answer)) for answer, rate in self.steps.items())
        object.__setattr__(self, "_limits", tuple(reversed(limits)))
        detector = Detector(rate=max(self.steps.values()), horizon=self.horizon, ring=self.ring)
        object.__setattr__(self, "_detector", detector)
        self.profile.state(_NAME)

    def check(self, scoring: Scoring) -> Decision:
        """What this client is answered now; ALLOWED where nothing speaks against it."""
        one = self._client(self.groups.get(scoring.client, scoring.client))
        one.trail, signal = self._detector.step(one.trail, scoring.rows)
        if signal.reason:
            self._hold(one, float(signal.values.max()), signal.reason, scoring.at)
        if not one.reason:
            return ALLOWED
        if scoring.at >= one.until:
            one.level, one.reason = Level.ALLOW, ""
            return ALLOWED
        return Decision(level=one.level, stage="extraction", reason=one.reason)

    def _client(self, key: str) -> _Client:
        """The trail of this key, the least recently asked one making room for a new one."""
        one = self._known.get(key)
        if one is None:
            if len(self._known) >= self.clients:
                self._known.popitem(last=False)
            one = self._known[key] = _Client(self.profile.state(_NAME).fresh())
        self._known.move_to_end(key)
        return one

    def _hold(self, one: _Client, evidence: float, reason: str, now: float) -> None:
        """The answer this evidence asks for, unless a stronger one still holds."""
        now_level = next(level for limit, level in self._limits if evidence >= limit)
        if now_level >= one.level or now >= one.until:
            one.level, one.reason, one.until = now_level, reason, now + self.hold


PLUGIN = Extraction
