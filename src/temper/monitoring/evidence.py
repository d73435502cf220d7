"""When evidence is stale: rules that look at what was measured and at what is there now, and at nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from temper.core.evidence import ATTACKS, DAY, ON_ROWS, OWN, Cause, Evidence, Present, Stale, Triggers, part_of
from temper.core.measure import Status
from temper.core.outcome import Outcome
from temper.core.outline import Outline, moment
from temper.core.run import Record
from temper.core.watch import Kind, Seen, Watched
from temper.report.outcomes import broken

Judged = TypeVar("Judged", Watched, Outcome)
PARTS = (*OWN, "validation")
"""What can be measured by itself."""
AFTER: Mapping[Kind, tuple[str, ...]] = {
    Kind.ATTACK: ("evasion",),
    Kind.NATURAL: ON_ROWS,
    Kind.UNKNOWN: (*ON_ROWS, "evasion"),
    Kind.PIPELINE: (),  # what fills the feed is to be repaired; the model is as it was
}
"""What an alarm makes stale, by the kind of change."""


NOTHING = Stale(part="", run="", cause=Cause.NONE, why="nothing was assessed yet", event="first")


def parts_of(record: Record) -> list[str]:
    """The parts that a run measured."""
    measured = {part_of(one.plugin) for one in record.measurements if one.status in (Status.OK, Status.INCONCLUSIVE)}
    return [part for part in PARTS if part in measured]


def evidence(outlines: Iterable[Outline], model: str) -> dict[str, Evidence]:
    """By part, the latest finished run of these (the first made first) that measured it: one of this model where there
    is one, else of any. A part without a single figure was not measured.
    """
    found: dict[str, Evidence] = {}
    for outline in outlines:
        if outline.state != "finished":
            continue
        for part in dict.fromkeys(map(part_of, outline.families)):
            if part not in PARTS:
                continue
            one = evidenced(part, outline)
            if one.model == model or part not in found or found[part].model != model:
                found[part] = one
    return dict(sorted(found.items(), key=lambda pair: PARTS.index(pair[0])))


def evidenced(part: str, outline: Outline) -> Evidence:
    """This run as the evidence of a part."""
    return Evidence(
        part=part,
        run=outline.run,
        at=outline.began,
        model=_hash(outline.model),
        reference=_hash(outline.reference),
        attacks=outline.attacks,
        rows=moment(outline.first),
    )


def stale(known: Mapping[str, Evidence], present: Present, rules: Triggers) -> list[Stale]:
    """Everything that is stale by these rules, part by part; of one part several may hold.

    Nothing known at all is one entry for everything (part "").
    """
    if not known:
        return [NOTHING]
    return [*lasting(known, present, rules), *aged(known, present.now, rules)]


def lasting(known: Mapping[str, Evidence], present: Present, rules: Triggers) -> list[Stale]:
    """What is stale whatever the time is: it stays so while neither the evidence nor what is there changes."""
    return [one for rule in _RULES for evidence_ in known.values() for one in rule(evidence_, present, rules)]


def aged(known: Mapping[str, Evidence], now: float, rules: Triggers) -> list[Stale]:
    """What is stale for its age alone."""
    old = [one for one in known.values() if rules.age and now - one.at > rules.age]
    allowed = f"and {rules.age / DAY:g} are allowed"
    return [_stale(one, Cause.AGE, f"{(now - one.at) / DAY:.0f} days old, {allowed}", one.run) for one in old]


def _of_model(one: Evidence, present: Present, rules: Triggers) -> Iterator[Stale]:
    if Cause.MODEL in rules.causes and _differ(one.model, present.model):
        why = f"measured of the model {one.model[:12]}; {present.model[:12]} answers"
        yield _stale(one, Cause.MODEL, why, present.model)


def _of_data(one: Evidence, present: Present, rules: Triggers) -> Iterator[Stale]:
    """The reference holds scores, too, so that it says something of the data only where the model is the same."""
    same = one.model == present.model
    if Cause.DATA in rules.causes and same and _differ(one.reference, present.reference):
        yield _stale(one, Cause.DATA, "the rows or the schema of temper.yaml have changed", present.reference)


def _of_attacks(one: Evidence, present: Present, rules: Triggers) -> Iterator[Stale]:
    if one.part in ATTACKS and Cause.ATTACKS in rules.causes and _differ(one.attacks, present.attacks):
        yield _stale(one, Cause.ATTACKS, "attacks or threats were added or changed since", present.attacks)


def _of_rows(one: Evidence, present: Present, rules: Triggers) -> Iterator[Stale]:
    seen = sum(window.rows for at, window in present.windows if at > one.at)
    if rules.rows and one.part in ON_ROWS and seen >= rules.rows:
        yield _stale(one, Cause.ROWS, f"{seen:,} rows were seen since", one.run)


def _of_labels(one: Evidence, present: Present, rules: Triggers) -> Iterator[Stale]:
    new = [window for at, window in present.outcomes if at > one.at]
    came = sum(window.labelled for window in new)
    if rules.labels and one.part in ON_ROWS and came >= rules.labels:
        found = _stale(one, Cause.LABELS, f"{came:,} labels have come since", one.run)
        yield replace(found, rows=min(window.start for window in new))


def _of_alarms(one: Evidence, present: Present, rules: Triggers) -> Iterator[Stale]:
    """Figures of rows are stale while the rows are those from before the alarm, however often they are made again."""
    if Cause.ALARM not in rules.causes:
        return
    on_rows = one.part in ON_ROWS
    for window in _alarms(present.windows, one.rows if on_rows else one.at):
        if window.kind is not None and one.part in AFTER[window.kind]:
            since = window.start if window.since is None else window.since
            why = f"{window.kind.value} since {datetime.fromtimestamp(since, UTC):%Y-%m-%d %H:%M}"
            why += "; its rows are from before" if on_rows else ""
            yield _stale(one, Cause.ALARM, why, f"{window.kind.name.lower()}:{since:.0f}")
    for told in _alarms(present.outcomes, one.rows if on_rows else one.at)[:1]:
        if one.part == "validation":
            why = f"labels say that a promise is broken ({(*broken(told), 'see the window')[0]})"
            yield replace(_stale(one, Cause.ALARM, why, f"labels:{told.start:.0f}"), rows=told.start)


def _alarms(judged: Sequence[tuple[float, Judged]], after: float) -> list[Judged]:
    return [window for at, window in judged if at > after and window.seen is Seen.FAIL]


def _stale(one: Evidence, cause: Cause, why: str, event: str) -> Stale:
    return Stale(part=one.part, run=one.run, cause=cause, why=why, event=event)


def _differ(was: str, now: str) -> bool:
    """Whether two digests are known and are not the same."""
    return bool(was and now) and was != now


def _hash(text: str) -> str:
    """A digest of a record, "" where it says why there is none."""
    return "" if text.startswith("none") else text


_Rule = Callable[[Evidence, Present, Triggers], Iterator[Stale]]
_RULES: tuple[_Rule, ...] = (_of_model, _of_data, _of_attacks, _of_alarms, _of_labels, _of_rows)
