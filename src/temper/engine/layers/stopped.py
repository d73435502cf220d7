"""What the guard of a table model was measured to stop of attackers who know it, for the risk register."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase

from temper.core.depth import Depth
from temper.core.risk import Stakes, Stopping
from temper.core.room import Room
from temper.core.system import Protected
from temper.core.target import Access
from temper.core.threat import Threat
from temper.store.database import Store
from temper.store.depths import depths
from temper.threats.rules import catalogue


def stakes_with(system: Protected, store: Store) -> Stakes:
    """The system's stakes, with what `temper layers` has measured last of this model behind this guard. A line of
    `risk: guard:` that still speaks of this guard stands for itself: what a guard stops is not counted twice.
    """
    depth = latest(system, store)
    if depth is None:
        return system.stakes
    written = [one.threat for one in system.stakes.stopping if system.stakes.guard.startswith(one.guard)]
    found = [one for one in _stopping(depth) if not any(fnmatchcase(one.threat, glob) for glob in written)]
    return replace(system.stakes, stopping=(*system.stakes.stopping, *found))


def latest(system: Protected, store: Store) -> Depth | None:
    """The last measurement of this model behind this guard as it is, None where there is none."""
    return next((one for _, one in depths(store) if _speaks(one, system)), None)


def _speaks(depth: Depth, system: Protected) -> bool:
    same = (depth.system, depth.model, depth.guard) == (system.name, system.target.digest, system.stakes.guard)
    return same and bool(depth.guard) and depth.tried > 0 and not depth.as_if


def _stopping(depth: Depth) -> Iterator[Stopping]:
    """One line for each threat whose attackers can do no more than those that were tried."""
    measured = datetime.fromtimestamp(depth.at, UTC).date()
    reach = _reach(depth)
    for threat in catalogue(""):
        if _within(threat, reach):
            yield _line(threat.id, depth, measured)


def _line(threat: str, depth: Depth, measured: date) -> Stopping:
    return Stopping(
        threat=threat,
        stopped=depth.stopped,
        tried=depth.tried,
        measured=measured,
        guard=depth.guard,
        how=f"temper layers, {measured}, actors of {depth.attempts} attempts",
    )


def _reach(depth: Depth) -> Access:
    """What the attacks that were tried could do."""
    room, reach = Room("temper.attacks"), Access.LABELS
    for name in depth.attacks:
        reach |= room.get(name).needs
    return reach


def _within(threat: Threat, reach: Access) -> bool:
    return threat.id.startswith("evasion-") and bool(threat.access) and not threat.access & ~reach
