"""What is protected: model, data, schema, exposure, actors, policy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from temper.core.cost import CostMatrix
from temper.core.data import Data
from temper.core.description import Description
from temper.core.errors import ConfigError
from temper.core.events import Events
from temper.core.requirement import Policy
from temper.core.risk import Stakes
from temper.core.schema import Schema
from temper.core.service import Service
from temper.core.target import Recipe, Target
from temper.core.threat import Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """How the model is reached: what it returns ("label", "score"), whether outsiders can query it, whether training
    data comes from outside, whether it is retrained, and whether answers are explained to them.
    """

    returns: str = "score"
    public: bool = True
    retrained: bool = True
    outside_data: bool = True
    personal_data: bool = True
    decision: str = ""
    explains: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Protected:
    """A loaded system, ready to be assessed: the target with its data and everything the plan asks about.

    `threshold` is the operating threshold on the score of class 1 (binary), `source` the temper.yaml it came from and
    `lines` the line of each answer there. `options` holds per-plugin options. `tolerance` is the shift of a predicted
    value that counts as an attacker's success (regression), None where nobody has said. `cost` prices wrong decisions
    of two classes. `accepted` holds the training rows of an earlier version that somebody has accepted. `events` is the
    history behind the rows, where it is declared. `service` is where the system is asked, if anywhere. `defend` fits a
    model behind the defences of a system that was hardened just now, so that whoever refits meets them too. `apart`
    says what is not as in its temper.yaml: the version that was deployed since, or newer rows. `description` is what
    was written of the system around the model, `stakes` what attempts and losses are believed to be.
    """

    name: str
    target: Target
    data: Data
    schema: Schema
    train: Data | None = None
    accepted: Data | None = None
    threshold: float | None = None
    positive: str = "1"
    classes: tuple[str, ...] = ("0", "1")
    purpose: str = ""
    harmed: str = ""
    criticality: str = "medium"
    exposure: Exposure = field(default_factory=Exposure)
    actors: tuple[Actor, ...] = ()
    policy: Policy = field(default_factory=lambda: Policy(name="none"))
    source: str = ""
    lines: dict[str, int] = field(default_factory=dict)
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    plugins: tuple[str, ...] = ()
    version: str = ""
    simulated: bool = False
    tolerance: float | None = None
    cost: CostMatrix | None = None
    events: Events | None = None
    service: Service | None = None
    defend: Callable[[Data, Recipe], Target] | None = None
    apart: str = ""
    description: Description = field(default_factory=Description)
    stakes: Stakes = field(default_factory=Stakes)

    def __post_init__(self) -> None:
        if self.cost is not None and self.target.classes != 2:
            raise ConfigError("costs of wrong decisions are for two classes", fix="remove `stress: cost:`")
