"""Laws of techniques: they reach a system through the field alone, keep their turn, and say nothing of success."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from temper.core.campaign import Aim, Attacker, Campaign, Field, Objective, Rules
from temper.core.data import Data
from temper.core.errors import TemperError
from temper.core.schema import Column, Mutability, Schema
from temper.core.seed import Draws
from temper.engine.campaign.door import Told
from temper.engine.campaign.ground import Ground
from temper.testing.law import LawBroken, only_reads, require, sealed

Rows = np.ndarray[Any, Any]
SCHEMA = Schema(
    columns=(
        Column(name="amount", low=0.0, high=100.0, attacker=Mutability.COSTLY, scale=10.0),
        Column(name="hour", type="integer", low=0, high=23, attacker=Mutability.FREE),
        Column(name="age", low=0.0, high=90.0, scale=10.0),
    )
)
EDGE = 0.5
_SEEN = frozenset(name for name in dir(Field) if not name.startswith("_"))
_CALLS = 400
"""Calls of a turn that has nothing left, after which it is taken to go on for ever."""


def score(x: Rows) -> Rows:
    """A model that anybody can follow: large amounts late in the day are stopped."""
    return 1.0 / (1.0 + np.exp(-(0.08 * (x[:, 0] - 40.0) + 0.1 * (x[:, 1] - 12.0) + 0.01 * (x[:, 2] - 45.0))))


class Toy:
    """The model as a copy that somebody has."""

    def scores(self, x: Rows) -> Rows:
        """Its scores."""
        return score(np.asarray(x, dtype=float))


@dataclass(slots=True, kw_only=True, eq=False)
class Desk:
    """A door that answers everything by the toy, or turns everybody away."""

    silent: bool = False
    tells: bool = True
    simulated: bool = True
    asked: int = 0
    reused: int = 0
    now: float = 0.0
    rows: list[bytes] = field(default_factory=list)

    @property
    def day(self) -> float:
        """Any time of day will do."""
        return self.now

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    def expect(self, rows: Rows) -> None:
        """Whatever comes."""

    def ask(self, row: Rows, account: str, pace: float) -> Told:
        """One answer."""
        self.now, self.asked = self.now + pace, self.asked + 1
        self.rows.append(row.tobytes() + account.encode())
        if self.silent:
            return Told(at=self.now, status=429, after=3_600.0)
        found = float(score(row[None])[0])
        return Told(at=self.now, score=found if self.tells else None, flagged=found >= EDGE)

    def teach(self, x: Rows, y: Rows) -> int:
        """Takes them all."""
        return len(x)

    def close(self) -> None:
        """Nothing is held."""


class Fence:
    """The field as the protocol has it: whoever reaches for anything else breaks a law."""

    def __init__(self, ground: Ground) -> None:
        object.__setattr__(self, "_ground", ground)
        object.__setattr__(self, "_calls", 0)

    def __getattr__(self, name: str) -> Any:
        if name not in _SEEN:
            raise LawBroken(f"it reaches for {name!r} of the field, which is no way to a system")
        if self._ground.left <= 0:
            object.__setattr__(self, "_calls", self._calls + 1)
            require(self._calls < _CALLS, "it goes on when nothing is left of its turn")
        return getattr(self._ground, name)

    def __setattr__(self, name: str, value: Any) -> None:
        raise LawBroken(f"it sets {name!r} of the field: what it leaves belongs in kept")


def law_reaches_only_the_field(plugin: type[Any]) -> None:
    """Nothing but what the protocol offers; every answer it has was charged."""
    for aim in plugin.aims:
        ground, _ = played(plugin, aim)
        require(ground.queries == ground.door.asked, f"{plugin.__name__} asked past the field")


def law_reports_no_success(plugin: type[Any]) -> None:
    """It returns nothing, and keeps nothing but what it says it gives."""
    for aim in plugin.aims:
        ground, said = played(plugin, aim)
        require(said is None, f"{plugin.__name__} returns {said!r}: the field judges")
        more = set(ground.kept) - set(plugin.gives) - set(plugin.needs)
        require(not more, f"{plugin.__name__} keeps {', '.join(sorted(more))}, which it does not say it gives")


def law_ends_with_its_turn(plugin: type[Any]) -> None:
    """At every budget from nothing up it comes to an end, and no more than that was asked."""
    for left in (0, 1, 7):
        ground, _ = played(plugin, plugin.aims[0], left=left)
        require(ground.queries <= left, f"{plugin.__name__} asked {ground.queries} of {left}")


def law_same_seed_asks_the_same(plugin: type[Any]) -> None:
    """The same field and seed, the same questions by the same accounts."""
    desks = Desk(), Desk()
    for desk in desks:
        played(plugin, plugin.aims[0], seed=3, door=desk)
    one, other = (desk.rows for desk in desks)
    require(one == other, f"{plugin.__name__} asks otherwise when it is played again")


def law_leaves_rows_alone(plugin: type[Any]) -> None:
    """What attackers hold is theirs, and stays as it is."""
    with only_reads(plugin.__name__):
        played(plugin, plugin.aims[0])


def law_copes_with_silence(plugin: type[Any]) -> None:
    """Where everybody is turned away it ends, and makes nothing up."""
    ground, _ = played(plugin, plugin.aims[0], door=Desk(silent=True))
    made = [name for name in plugin.gives if name in ground.kept and name not in plugin.needs]
    require(not made or not ground.door.asked, f"{plugin.__name__} gives {', '.join(made)} although nobody answered")


def law_copes_with_bare_decisions(plugin: type[Any]) -> None:
    """Where no score is told it ends without an error."""
    played(plugin, plugin.aims[0], door=Desk(tells=False))


def law_stays_in_scope(plugin: type[Any]) -> None:
    """What the rules leave out is never moved in what it submits."""
    try:
        played(plugin, plugin.aims[0], rules=Rules(columns=("amount",)))
    except TemperError as refused:
        raise LawBroken(f"{plugin.__name__} leaves the scope: {refused.message}") from refused


def law_needs_what_it_says(plugin: type[Any]) -> None:
    """With what it needs, and nothing else, it plays."""
    for aim in plugin.aims:
        try:
            played(plugin, aim)
        except (KeyError, AttributeError, TypeError) as lacking:
            raise LawBroken(f"{plugin.__name__} lacks {lacking}, which it does not say it needs") from lacking


def played(
    plugin: type[Any],
    aim: Aim,
    *,
    left: int = 60,
    seed: int = 0,
    door: Desk | None = None,
    rules: Rules = Rules(),
) -> tuple[Ground, Any]:
    """One turn of it on the toy, with what it needs."""
    ground = toy_ground(aim, door or Desk(), rules)
    known = {"threshold": EDGE, "copy": Toy(), "quiet": 1.0}
    ground.kept.update({name: known[name] for name in plugin.needs if name in known})
    ground.begin(ground.campaign.objectives[0], plugin.__name__, left)
    said = plugin().play(Fence(ground), Draws(seed, "law"))
    return ground, said


def toy_ground(aim: Aim, door: Any, rules: Rules = Rules(), attacker: Attacker | None = None) -> Ground:
    """A field around the toy: forty rows of the attackers' own, ten that are stopped."""
    rng = np.random.Generator(np.random.Philox(key=1))
    x = np.column_stack([rng.uniform(0, 100, 400), rng.integers(0, 24, 400), rng.uniform(18, 90, 400)])
    stopped, passing = x[score(x) >= EDGE][:20], x[score(x) < EDGE][:30]
    held = np.concatenate([stopped[10:], passing])
    truth = np.concatenate([np.ones(len(stopped) - 10), np.zeros(len(passing))]).astype(int)
    wanted = Data(x=sealed(stopped[:10]), y=sealed(np.ones(10, dtype=int)))
    campaign = Campaign(
        objectives=(Objective(aim=aim, goal=1.0 if aim is not Aim.LEARN else 0.1),),
        attacker=attacker or Attacker(accounts=("one", "two"), queries=500, change=5.0, labels=20),
        rules=rules,
    )
    return Ground(
        campaign=campaign,
        door=door,
        known=Data(x=sealed(held), y=sealed(truth)),
        wanted=wanted,
        suspects=sealed(x[300:340]),
        full=SCHEMA,
        seed=0,
    )


LAWS = (
    law_reaches_only_the_field,
    law_reports_no_success,
    law_ends_with_its_turn,
    law_same_seed_asks_the_same,
    law_leaves_rows_alone,
    law_copes_with_silence,
    law_copes_with_bare_decisions,
    law_stays_in_scope,
    law_needs_what_it_says,
)
