"""What runs, certificates and incidents know of each scenario, handed to the risk register."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from temper.core.evidence import ATTACKS, DAY, Present, Triggers, part_of
from temper.core.incident import Incident
from temper.core.measure import Measurement, Status
from temper.core.outline import moment
from temper.core.requirement import Verdict
from temper.core.risk import Ceiling, Known, Register, Sightings, Stakes, Trials
from temper.core.room import Room
from temper.core.run import Record
from temper.core.system import Protected
from temper.core.threat import Scenario
from temper.engine.layers.stopped import stakes_with
from temper.engine.plan import SHORTER
from temper.engine.risk_campaign import CAMPAIGNS, waged
from temper.engine.risk_sources import Source, sources
from temper.engine.task import foreign
from temper.engine.together import BOUND, STRONGEST
from temper.monitoring.triggers import validation_of
from temper.store.attacks import attacks_digest
from temper.store.control import Control
from temper.store.database import Store
from temper.threats.register import register
from temper.threats.rules import scenarios

OF_ROWS = {
    "success_rate": "rows",
    "excess_success": "rows with the trigger",
    "tpr_at_1pct": "training rows",
    "singled_out": "people in the training rows",
}
"""Figures that are a share of attempts, and what an attempt is; of other attacks it is a whole campaign."""
SEEN_AS: Mapping[str, tuple[str, ...]] = {
    "evasion": ("evasion-",),
    "extraction": ("extraction-",),
    "pipeline-fault": ("bad-",),
    "drift": ("ageing",),
    "injection": ("instructions-", "people-", "words-", "money-", "sent-", "memory-", "out-of-scope"),
}
"""Which threats an incident is an attempt of, by its playbook: how their ids begin."""
CHECKS = "checks"
_WHOLE = (CAMPAIGNS, CHECKS)
YEAR = 365 * DAY
_LEAST = YEAR / 4
MOST = 10_000
"""Incidents that are looked at, the newest."""
_KNOWN = (Status.OK, Status.INCONCLUSIVE)


def incidents_beside(store: Store) -> tuple[Incident, ...]:
    """The incidents of the control store beside this one, none where there is none: attempts that were seen in service
    belong to the register of a run.
    """
    place = store.path.with_name("control.db")
    if not place.exists():
        return ()
    control = Control.open(str(place))
    try:
        return tuple(control.incidents.page(limit=MOST, timelines=True))
    finally:
        control.close()


def risk_now(system: Protected, store: Store, control: Control, now: float, *, trust_pickle: bool = False) -> Register:
    """The register of this system as everything kept of it says now."""
    found = validation_of(Path(system.source), control, system=system, store=store, trust_pickle=trust_pickle)
    records, model = [one for one in store.runs() if one.system == found.system], found.model()
    present = found.present(now, model, min((moment(one.started) for one in records), default=now))
    incidents = control.incidents.page(limit=MOST, timelines=True)
    stakes = stakes_with(system, store)
    return risk_of(system, records, present, found.rules or Triggers(), incidents, stakes=stakes)


def risk_after(system: Protected, store: Store, record: Record) -> Register:
    """The register as everything kept of this system says with this run, at the time when it began."""
    before = [one for one in store.runs() if one.system == record.system and one.id != record.id]
    present = Present(now=moment(record.started), model=system.target.digest, attacks=attacks_digest())
    incidents, stakes = incidents_beside(store), stakes_with(system, store)
    return risk_of(system, [*before, record], present, Triggers(), incidents, stakes=stakes)


def risk_of(
    system: Protected,
    records: Sequence[Record],
    present: Present,
    rules: Triggers,
    incidents: Sequence[Incident] = (),
    only: Sequence[Scenario] | None = None,
    stakes: Stakes | None = None,
) -> Register:
    """The register from these runs (the first made first) and incidents; of the scenarios in `only`, else of all.
    `stakes` are the system's with what else has been measured of its guard.
    """
    wanted = tuple(only) if only is not None else scenarios(system)[0]
    told = [*sources(system, records, present, rules)]
    found = {one.id: _known(one, wanted, system, told, incidents, present.now) for one in wanted}
    return register(wanted, stakes or system.stakes, found, datetime.fromtimestamp(present.now, UTC).date())


def _known(
    scenario: Scenario,
    wanted: Sequence[Scenario],
    system: Protected,
    sources: Sequence[Source],
    incidents: Sequence[Incident],
    now: float,
) -> Known:
    return Known(
        trials=_trials(scenario, wanted, system, sources),
        ceiling=_ceiling(scenario, wanted, system, sources),
        sightings=sightings(scenario, incidents, now),
        campaign=_campaign(scenario, sources),
    )


def _campaign(scenario: Scenario, sources: Sequence[Source]) -> Trials | None:
    """The worst of the campaigns that still speak of what answers; where there is none, the latest. What a stale one
    raised stays until a sound one speaks: one that was stopped or too weak says less than that.
    """
    tried = waged(scenario, sources)
    fresh, gone = [one for one in tried if not one.stale], [one for one in tried if one.stale][:1]
    doubtful = max((one.successes / one.n for one in fresh if one.doubt), default=0.0)
    if all(one.doubt for one in fresh) and (not fresh or any(one.successes / one.n > doubtful for one in gone)):
        fresh = gone
    if not fresh:
        return None
    return _campaigns(fresh) if fresh[0].counts == CAMPAIGNS else _strongest(fresh)


def _trials(
    scenario: Scenario, wanted: Sequence[Scenario], system: Protected, sources: Sequence[Source]
) -> Trials | None:
    """Somebody who attacks chooses what works best; an accident does not choose, and every kind of it counts."""
    slices = {"all", *(f"actor:{one.actor.name}" for one in wanted if _same(one, scenario))}
    found = [one for name in _names(scenario, system) if (one := _latest(name, slices, sources)) is not None]
    if scenario.budget.queries is None and any(one.counts not in _WHOLE for one in found):
        ball = _ball(scenario, wanted, system)
        found += [one for one in (_latest(STRONGEST, ball, sources),) if one is not None]
    tried = [one for one in found if one.n]
    if not tried:
        return found[0] if found else None
    if not scenario.actor.queries and scenario.actor.name == "nobody":
        return _summed(tried, CHECKS if len(tried) == 1 else "kinds of accident")
    rows = [one for one in tried if one.counts not in _WHOLE]
    return _strongest(rows) if rows else _campaigns(tried)


def _same(one: Scenario, scenario: Scenario) -> bool:
    return one.threat.id == scenario.threat.id and one.budget == scenario.budget


def _names(scenario: Scenario, system: Protected) -> list[str]:
    """What tries the scenario: its attacks where it has any, controls left out, else its checks and stressors."""
    names = [*scenario.threat.plugins, *system.plugins]
    names += [part for name in names for part in SHORTER.get(name, ())]
    families = {name.partition(".")[0] for name in scenario.threat.plugins} & set(ATTACKS)
    if not families:
        return [*scenario.threat.plugins]
    room = Room("temper.attacks", allowed=foreign(system, "attacks"))
    return [
        name for name in names if name.partition(".")[0] in families and not getattr(room.get(name), "control", False)
    ]


def _latest(plugin: str, slices: set[str], sources: Sequence[Source]) -> Trials | None:
    """What the latest run that tried it found; where none could, why not."""
    name = "fuzz" if plugin.startswith("fuzz.") else plugin.removeprefix("validation.")
    untried = None
    for source in sources:
        mine = [m for m in source.record.measurements if m.plugin == name and m.slice in slices]
        if any(m.status in _KNOWN for m in mine):
            found = _of(name, mine, source)
            return _pooled(found, name, slices, sources) if found.counts == CAMPAIGNS and not found.stale else found
        if mine and untried is None:
            untried = _piece(name, source, 0, 0, doubt=mine[0].reason)
    return untried


def _pooled(latest: Trials, name: str, slices: set[str], sources: Sequence[Source]) -> Trials:
    """The campaign with those of other seeds that speak of the same: each is an attempt of its own. Of one seed the
    latest counts, because the same numbers are drawn again.
    """
    by_seed: dict[int, Trials] = {}
    for source in sources:
        mine = [m for m in source.record.measurements if m.plugin == name and m.slice in slices]
        if any(m.status in _KNOWN for m in mine) and not source.stale.get(part_of(name)):
            by_seed.setdefault(source.record.seed, _of(name, mine, source))
    found = [one for one in by_seed.values() if one.counts == CAMPAIGNS]
    if len(found) < 2:
        return latest
    runs = ", ".join(one.run for one in found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
    return replace(_summed(found, CAMPAIGNS), plugin=name, run=runs)


def _of(name: str, mine: Sequence[Measurement], source: Source) -> Trials:
    """One plugin's figures as trials."""
    rate = next((m for m in mine if m.metric in OF_ROWS and m.value is not None), None)
    if rate is not None:
        return _rows(name, rate, source)
    counts = CAMPAIGNS if part_of(name) in ATTACKS else CHECKS
    if _broke(name, source.record):
        return _piece(name, source, 1, 0, counts=counts)
    doubt = next((m.reason for m in mine if m.status is Status.INCONCLUSIVE), "")
    return _piece(name, source, 0, 0 if doubt else 1, unknown=1 if doubt else 0, doubt=doubt, counts=counts)


def _rows(name: str, rate: Measurement, source: Source) -> Trials:
    """A share of attempts. What the oracle saw broken is broken, however weak the attack; other figures in doubt say
    nothing at all.
    """
    hits = float(rate.count if rate.count is not None else max(rate.value or 0.0, 0.0) * rate.n)
    counts = OF_ROWS[rate.metric]
    doubt = rate.reason if rate.status is Status.INCONCLUSIVE else ""
    if not doubt:
        return _piece(name, source, hits, rate.n - rate.undecided - hits, unknown=rate.undecided, counts=counts)
    hits = hits if rate.metric == "success_rate" else 0.0
    return _piece(name, source, hits, 0, unknown=rate.n - hits, doubt=doubt, counts=counts)


def _piece(
    name: str,
    source: Source,
    successes: float,
    failures: float,
    *,
    unknown: float = 0.0,
    doubt: str = "",
    counts: str = "rows",
) -> Trials:
    return Trials(
        plugin=name,
        run=source.record.id,
        age=source.age,
        successes=successes,
        failures=failures,
        unknown=unknown,
        counts=counts,
        doubt=doubt,
        stale=source.stale.get(part_of(name), ""),
    )


def _broke(name: str, record: Record) -> bool:
    """Whether it found a weakness, or breaks a requirement."""
    failed = (one.measured for one in record.judgements if one.verdict is Verdict.FAIL)
    return any(one.plugin == name for one in record.findings) or any(
        measured.rpartition(".")[0] == name for measured in failed
    )


def _strongest(rows: Sequence[Trials]) -> Trials:
    """The attack with power that breaks the most rows; one in doubt that breaks more of as many rows adds them."""
    sure = [one for one in rows if not one.doubt] or rows
    best = max(sure, key=lambda one: one.successes / one.n)
    more = max((one.successes for one in rows if one.n == best.n), default=0.0) - best.successes
    taken = min(more, best.failures)
    return replace(
        best,
        successes=best.successes + more,
        failures=best.failures - taken,
        unknown=best.unknown - (more - taken),
    )


def _campaigns(tried: Sequence[Trials]) -> Trials:
    """The one that works most often is what an attacker repeats; where none did, each that failed counts."""
    best = max(tried, key=lambda one: one.successes / one.n)
    return best if best.successes else _summed(tried, tried[0].counts)


def _summed(tried: Sequence[Trials], counts: str) -> Trials:
    doubts = [one.doubt for one in tried if one.doubt]
    clear = [one for one in tried if not one.doubt]
    return replace(
        (clear or tried)[0],
        plugin=", ".join(one.plugin for one in tried[:3]) + (f" and {len(tried) - 3} more" if len(tried) > 3 else ""),
        age=max(one.age for one in tried),
        successes=sum(one.successes for one in tried),
        failures=sum(one.failures for one in tried),
        unknown=sum(one.unknown for one in tried),
        counts=counts,
        doubt=doubts[0] if doubts and not clear else "",
        stale=next((one.stale for one in tried if one.stale), ""),
    )


def _ball(scenario: Scenario, wanted: Sequence[Scenario], system: Protected) -> set[str]:
    """The slices of what is said of all attacks within this ball: whoever has the same, and all of them together."""

    def limits(one: Scenario) -> tuple[object, ...]:
        return one.budget.norm, one.budget.radius, one.budget.cost

    evades = [one for one in wanted if one.threat.id.startswith("evasion")]
    names = {one.actor.name for one in evades if limits(one) == limits(scenario)}
    shared = {"all"} if len(system.actors) < 2 or len(names) > 1 else set()
    return {f"actor:{name}" for name in names} | shared


def _ceiling(
    scenario: Scenario, wanted: Sequence[Scenario], system: Protected, sources: Sequence[Source]
) -> Ceiling | None:
    """The certificate of the latest run of this model that has one; the loosest, where several speak of all actors."""
    if not (scenario.threat.bounded and any(name.startswith("evasion.") for name in scenario.threat.plugins)):
        return None
    slices = _ball(scenario, wanted, system)
    for source in sources:
        if source.stale.get("evasion") or source.stale.get("validation"):
            continue
        found = [
            m for m in source.record.measurements if m.plugin == BOUND and m.slice in slices and m.count is not None
        ]
        if found:
            loosest = max(found, key=lambda m: (m.count or 0) / m.n)
            return Ceiling(possible=loosest.count or 0, n=loosest.n, run=source.record.id)
    return None


def sightings(scenario: Scenario, incidents: Sequence[Incident], now: float) -> Sightings | None:
    """Incidents of the last year that were attempts of this threat. What was watched for less than a quarter of a year
    counts as one: a rate of days is no rate of years.
    """
    recent = [one for one in incidents if now - one.opened <= YEAR]
    mine = [one for one in recent if scenario.threat.id.startswith(SEEN_AS.get(one.playbook, ()))]
    if not mine:
        return None
    watched = min(max(now - min(one.opened for one in incidents), _LEAST), YEAR)
    return Sightings(events=len(mine), years=watched / YEAR, what=f"incidents, the last is number {mine[0].id}")
