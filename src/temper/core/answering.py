"""The other side of a campaign: people who answer it, and how the system learns from what came in meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from temper.core.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """Who answers incidents by their playbooks (SIMULATED people): somebody takes an incident `takes` seconds after it
    was opened (None: as long as `guard: people: due` gives) and needs `step` seconds for each step, one incident after
    the other. `playbooks` are run instead of those of that name; `settings` are theirs, where people would not choose.
    """

    takes: float | None = None
    step: float = 300.0
    playbooks: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if min(self.step, 0.0 if self.takes is None else self.takes) < 0:
            raise ConfigError("people answer before they know", fix="give takes and step at least 0 seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """How the system learns at the end of a day from labels that came back: `per_account` of an account at most (0:
    all), without those that say of a row the model in force stops that it is genuine (`contradicted` is False: they
    wait for a second person, who does not come), fitted by the defence `screen` of the room hardening ("": as they
    are). The new model answers only where it stops a share `golden` of the known frauds that the one before stops (0:
    nobody looks).
    """

    per_account: int = 0
    contradicted: bool = True
    screen: str = ""
    golden: float = 0.0

    def __post_init__(self) -> None:
        if self.per_account < 0 or not 0.0 <= self.golden <= 1.0:
            raise ConfigError(f"{self} cannot be meant", fix="per_account is 0 or more, golden a share")
