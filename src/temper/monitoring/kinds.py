"""What kind of change a window with an alarm shows, by rules that are written here and fitted to nothing.

An attacker reaches the columns that the Schema lets him set, keeps the laws between columns, and wants scores below
the threshold. A pipeline breaks columns, whoever may set them, and knows no threshold. Customers change in many columns
a little, and leave neither. So, in this order:

1. *pipeline fault*: columns are gone or of another type; in a column 5 % more rows or fewer lack a value, or 20 % of
   its values are of kinds that were not there; or `faults` finds one value in too many rows (a sentinel, a default, a
   frozen feed), another unit, a broken formula or relation, swapped columns, or columns that belong together no more.
   Where an attacker could have done all of it to rows of his own and there is a sign of attack as well, it is an
   attack; of both, both are told.
2. *attack-like*: scores bunch just below the threshold, in this window or a little in many, or a train of
   near-duplicates walks towards it; or keys that do not hold are tried more often than before; or the guard of an
   assistant objects to more exchanges than before.
3. *natural*: a column that no attacker sets has drifted, and there is none of the above.
4. *unknown*: anything else. Only movable columns have moved (customers at a sale, or attackers who go far below the
   threshold), only scores (another model?), only how columns belong together.

Misleads where two things happen at once, since one kind is told, and where an attacker also breaks the pipeline.
Not told apart: attackers who act like customers who changed, slow poisoning that stays below what is worth an alarm,
attacks on fewer rows than bunching needs over all windows, and faults in fewer rows than a sample of 500 shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

from temper.core.schema import Mutability, Schema
from temper.core.watch import ATTEMPTS, PERSISTENT, REFUSED, Alarm, Kind, Seen, Watched
from temper.monitoring.faults import Fault, faults
from temper.monitoring.reference import Window
from temper.monitoring.segments import where

_MISSING, _NEW = 0.05, 0.2
_SIGNS = {
    "bunching": "scores crowd just below the threshold: {value:.1f} times as many as their neighbours promise",
    PERSISTENT: "scores crowd just below the threshold, a little in many windows: {value:,.0f} to one against chance",
    "trains": "a client tried one case {value:,.0f} times, ever closer to the threshold",
    "movable": "only columns that an attacker sets have moved, by up to {value:.2f}",
    REFUSED: "{value:,.0f} requests came without a key that holds, more than the windows before promise",
    ATTEMPTS: "the guard objected to {value:,.0f} exchanges, more than the windows before promise for so many",
}
EVASION = ("bunching", PERSISTENT, "trains")
"""Comparisons that show somebody who looks for what the model lets through."""
_ATTACK = (*EVASION, REFUSED, ATTEMPTS)


def explained(one: Watched, window: Window, schema: Schema, before: Watched | None) -> Watched:
    """This window with its kind, why, and since when; one without an alarm stays as it is.

    `before` is the window before it: what it showed of the same kind goes on.
    """
    if one.seen is not Seen.FAIL:
        return one
    alarms = (*one.alarms, *(Alarm(comparison="stream", column=s.column, value=0.0, p=0.0) for s in one.shifts))
    broken = [*(Fault(column="", says=text) for text in one.troubles), *_gaps(one.alarms, schema)]
    broken += faults(window, schema)
    signs = [_SIGNS[a.comparison].format(value=a.value) for a in one.alarms if a.comparison in _SIGNS]
    attacked = any(a.comparison in _ATTACK for a in one.alarms)
    kind = _kind(broken, attacked, alarms, schema)
    said = [fault.says for fault in broken]
    why = [*signs, *said] if kind is Kind.ATTACK else [*said, *signs]
    why += _drifted(alarms, schema, kind, asks=not one.versions)
    why += where(alarms, window, schema)
    why = [*_replaced(one, before), *why]
    goes_on = before is not None and before.kind is kind and before.ends == one.start
    since = before.since if before is not None and goes_on else one.start
    return replace(one, kind=kind, why=tuple(dict.fromkeys(why)), since=since)


def _kind(broken: list[Fault], attacked: bool, alarms: Iterable[Alarm], schema: Schema) -> Kind:
    if any(not fault.settable for fault in broken) or (broken and not attacked):
        return Kind.PIPELINE
    if attacked:
        return Kind.ATTACK
    return Kind.NATURAL if _columns(alarms, schema, Mutability.IMMUTABLE) else Kind.UNKNOWN


def _gaps(alarms: Iterable[Alarm], schema: Schema) -> Iterator[Fault]:
    """Values that are missing or of kinds that were not there."""
    erasable = {column.name for column in schema.columns if column.movable and column.missing}
    for alarm in alarms:
        share = f"{alarm.column}: {abs(alarm.value):.0%}"
        if alarm.comparison == "missing" and abs(alarm.value) >= _MISSING:
            says = f"{share} {'more' if alarm.value > 0 else 'fewer'} of its values are missing"
            yield Fault(column=alarm.column, says=says, settable=alarm.column in erasable)
        if alarm.comparison == "unseen" and alarm.value >= _NEW:
            yield Fault(column=alarm.column, says=f"{share} of its values are of kinds that were not there")


def _drifted(alarms: Iterable[Alarm], schema: Schema, kind: Kind, asks: bool) -> list[str]:
    """Which columns drifted, in words, as far as the kind leaves it open; `asks` where no version is known."""
    if kind not in (Kind.NATURAL, Kind.UNKNOWN):
        return []
    fixed, moved = (_columns(alarms, schema, *which) for which in ((Mutability.IMMUTABLE,), tuple(Mutability)))
    if fixed:
        others = [name for name in moved if name not in fixed]
        tail = f", and with them {_list(others)}" if others else ""
        return [f"columns that no attacker sets have drifted ({_list(fixed)}){tail}; nothing crowds at the threshold"]
    if moved:
        return [f"drift in {_list(moved)} alone, which an attacker sets or moves: customers can do that, too"]
    if any(alarm.column == "score" for alarm in alarms):
        return ["only scores have moved" + (": was the model changed?" if asks else "")]
    return ["only how columns belong together has changed"]


def _replaced(one: Watched, before: Watched | None) -> list[str]:
    """Whether another version of the model answered than until then: of what changed with it, that is the cause."""
    versions = [*(before.versions[-1:] if before is not None else ()), *one.versions]
    changes = [(old, new) for old, new in pairwise(versions) if old.name != new.name]
    if not changes:
        return []
    old, new = changes[-1]
    when = f"{datetime.fromtimestamp(new.since, UTC):%Y-%m-%d %H:%M}"
    return [f"another version of the model answers since {when}: {new.name}, before it {old.name}"]


def _columns(alarms: Iterable[Alarm], schema: Schema, *which: Mutability) -> list[str]:
    """The columns with an alarm whose mutability is one of these, those that moved most first."""
    known = {column.name: column.attacker for column in schema.columns}
    return list(dict.fromkeys(alarm.column for alarm in alarms if known.get(alarm.column) in which))


def _list(names: list[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
