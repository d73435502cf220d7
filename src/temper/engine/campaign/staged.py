"""What a campaign begins with: the rows attackers hold and want to pass, what they know, and where they may ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.campaign import Aim, Campaign, Copy, Move, Technique
from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.room import Room
from temper.core.run import Skipped
from temper.core.seed import Draws
from temper.core.system import Protected
from temper.core.target import ScoreKind
from temper.engine.campaign.door import Door
from temper.engine.campaign.ground import Ground
from temper.targets.served import Served, served

Rows = np.ndarray[Any, Any]
TECHNIQUES = Room("temper.attacks.technique")
_LOOKED = 20_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Staged:
    """Rows of the system dealt for one seed: what attackers hold, what they want to pass, and suspects with their
    truth.
    """

    known: Data
    wanted: Data
    suspects: Rows
    members: Rows


def staged(system: Protected, campaign: Campaign, seed: int) -> Staged:
    """Deal the rows: `wanted` are of class 1 and stopped by the model as they are; `known` are others; suspects are as
    many training rows as held-out ones. Raises `TemperError` where there is nothing to want.
    """
    _refuse(system)
    attacker, rng = campaign.attacker, Draws(seed, "campaign.rows").generator()
    data, order = system.data, rng.permutation(len(system.data))[:_LOOKED]
    frauds = order[np.asarray(data.y)[order] == 1]
    stopped = frauds[_flagged(system, data.x[frauds])] if len(frauds) else frauds
    wanted = stopped[: attacker.wanted]
    if not len(wanted) and any(one.aim is Aim.MOVE for one in campaign.objectives):
        raise TemperError("the model stops no row of class 1, so there is nothing to move past it", fix="see model:")
    held = order[~np.isin(order, wanted)][: attacker.held]
    suspects, members = _suspects(system, rng)
    return Staged(known=data.take(held), wanted=data.take(wanted), suspects=suspects, members=members)


def seeds(first: int, many: int) -> list[int]:
    """The seeds of so many campaigns of one run."""
    return [first + 1_000 * number for number in range(many)]


def ground(system: Protected, campaign: Campaign, dealt: Staged, door: Door, seed: int) -> Ground:
    """The field, with what the attackers know before the first question."""
    found = Ground(
        campaign=campaign,
        door=door,
        known=dealt.known,
        wanted=dealt.wanted,
        suspects=dealt.suspects,
        full=system.schema,
        seed=seed,
    )
    if campaign.attacker.knowledge != "black-box":
        found.kept["threshold"] = level(system)
    if campaign.attacker.knowledge == "white-box":
        found.kept["copy"] = Stolen(model=served(system.target, system.data.x, system.threshold))
    return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stolen:
    """The model itself, in the hands of somebody who has its file."""

    model: Served

    def scores(self, x: Rows) -> Rows:
        """Scores (n,) of class 1."""
        return np.asarray(self.model.score(np.ascontiguousarray(x, dtype=np.float64)))


def techniques(campaign: Campaign) -> tuple[dict[str, Technique], tuple[Skipped, ...]]:
    """What can be played for these objectives, and what cannot, with the reason."""
    names = TECHNIQUES.names()
    for name in campaign.only:
        if name not in names:
            TECHNIQUES.get(name)  # refuses, with the nearest name
    wanted = [name for name in names if not campaign.only or name in campaign.only]
    built = {name: TECHNIQUES.build(name, dict(campaign.options.get(name, {}))) for name in wanted}
    aims = {one.aim for one in campaign.objectives}
    serving = {name: one for name, one in built.items() if aims & set(one.aims)}
    why = "it serves none of the objectives"
    return serving, tuple(Skipped(name=f"technique.{name}", why=why) for name in built if name not in serving)


def unreachable(played: Sequence[str], chosen: Mapping[str, Move], kept: Sequence[str]) -> tuple[str, ...]:
    """Techniques that never played, with what they lacked."""
    lines = []
    for name, one in chosen.items():
        if name not in played:
            lacking = [need for need in one.needs if need not in kept]
            lines.append(f"{name}: " + (f"nobody gave it {', '.join(lacking)}" if lacking else "its turn never came"))
    return tuple(lines)


def level(system: Protected) -> float:
    """The score from which on a row is stopped."""
    return float(system.threshold or 0.0)


def _refuse(system: Protected) -> None:
    target = system.target
    if not system.schema.columns:
        raise Unsupported("a campaign is for a table: its rows have no columns", fix="use temper attack")
    if target.classes != 2 or target.kind is ScoreKind.VALUE:
        raise Unsupported("a campaign moves rows past a detector of two classes", fix="use temper attack")
    if system.threshold is None and target.kind is not ScoreKind.MARGIN:
        raise Unsupported("nobody has said from which score on a row is stopped", fix="set model.threshold")


def _flagged(system: Protected, x: Rows) -> Rows:
    model = served(system.target, system.data.x, system.threshold)
    return np.asarray(model.score(np.ascontiguousarray(x, dtype=np.float64))) >= level(system)


def _suspects(system: Protected, rng: np.random.Generator, each: int = 200) -> tuple[Rows, Rows]:
    if system.train is None:
        return np.empty((0, len(system.schema.columns))), np.empty(0, dtype=bool)
    each = min(each, len(system.train), len(system.data))
    inside = system.train.x[rng.choice(len(system.train), each, replace=False)]
    outside = system.data.x[rng.choice(len(system.data), each, replace=False)]
    mixed = rng.permutation(2 * each)
    return np.concatenate([inside, outside])[mixed], (np.arange(2 * each) < each)[mixed]


def copies(ground: Ground) -> Copy | None:
    """The attacker's copy, if there is one."""
    found: Copy | None = ground.kept.get("copy")
    return found
