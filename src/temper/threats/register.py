"""The risk register: every scenario's annual loss before and after what was measured, and all of them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from temper.core.errors import ConfigError
from temper.core.evidence import CAMPAIGN
from temper.core.measure import Curve, Point
from temper.core.risk import (
    Acceptance,
    Known,
    Line,
    Register,
    Risk,
    Spread,
    Stakes,
    Standing,
    Stopping,
    Swing,
    Trials,
)
from temper.core.seed import Draws
from temper.core.threat import Scenario
from temper.kernels.annual_loss import annual, beta, exceedance, pert, swings
from temper.threats.risk import Odds, Vector, attempts, line, odds, prior, rating, worst
from temper.threats.rules import catalogue

SEED = 0
NOW, BEFORE = "as measured", "before anything was measured"
_DAY = 86_400.0
_BOUND = "-bound"
_POINTS = 41
_SHOWN = 10
_INPUTS = ("attempts a year", "probability of success", "loss of a success")
_ENDS = (0.025, 0.975, 0.9)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Entry:
    """A risk with the tables and draws behind it."""

    risk: Risk
    factors: tuple[Vector, Vector, Vector]
    before: Vector
    now: Vector


def register(
    scenarios: Sequence[Scenario], stakes: Stakes, known: Mapping[str, Known], today: date, of: str = ""
) -> Register:
    """The risks of these scenarios, the largest first. `known` is what was measured and seen, by scenario id; those
    that only a certificate speaks of are no risks of their own. `of`: whose catalogue, as in `rules.catalogue`.

    Raises `ConfigError` where a line of `risk:` names no threat.
    """
    wanted = [scenario for scenario in scenarios if not scenario.threat.id.endswith(_BOUND)]
    refuse_strangers(stakes, of)
    entries = [_entry(one, stakes, known.get(one.id, Known()), today) for one in wanted]
    entries.sort(key=lambda entry: -entry.risk.annual.p90)
    if not entries:
        nothing = Spread(middle=0.0, low=0.0, high=0.0, p90=0.0)
        return Register(unit=stakes.unit, appetite=stakes.appetite, total_before=nothing, total=nothing)
    before, now = (np.sum([getattr(entry, name) for entry in entries], axis=0) for name in ("before", "now"))
    return Register(
        unit=stakes.unit,
        appetite=stakes.appetite,
        risks=tuple(entry.risk for entry in entries),
        total_before=_spread(before, np.median),
        total=_spread(now, np.median),
        exceedance=_curves(before, now, stakes),
        swings=_swings(entries),
        notes=(*_idle_lines(stakes, wanted), *_notes(stakes, today)),
    )


def _entry(scenario: Scenario, stakes: Stakes, known: Known, today: date) -> _Entry:
    tries, loss, success, relevance = line(scenario, stakes, _matching(scenario, stakes.lines))
    start = prior(scenario, success)
    tried: list[Trials | None] = [one for one in (known.trials, known.campaign) if one is not None and one.n]
    stopping = _standing(scenario, stakes, today)
    found = worst(
        [_odds(start, replace(known, trials=one), relevance, stakes, stopping) for one in tried or [known.trials]]
    )
    guarded = found.trials is not None and found.trials.guarded
    believed, tables = pert(tries.low, tries.likely, tries.high), pert(loss.low, loss.likely, loss.high)
    seen = attempts(tries, known.sightings)
    rng = Draws(SEED, f"risk/{scenario.id}")
    before, now = annual(believed, beta(*start), tables, rng), annual(seen, found.table, tables, rng)
    spreads = [_spread(before, np.median), _spread(now, np.median)]
    accepted, lapsed = _acceptance(scenario, stakes.accepted, today)
    risk = Risk(
        scenario=scenario.id,
        title=scenario.threat.title,
        actor="" if scenario.actor.name == "nobody" else scenario.actor.name,
        standing=found.standing,
        attempts=_spread(seen, np.median),
        loss=_spread(tables, np.median),
        chance_before=_spread(beta(*start), np.mean),
        chance=_spread(found.table, np.mean),
        annual_before=spreads[0],
        annual=spreads[1],
        rating_before=rating(spreads[0].p90, stakes.appetite),
        rating=rating(spreads[1].p90, stakes.appetite),
        because=(*found.because, *_seen(known), *_idle(scenario, stakes, today, guarded)),
        accepted=accepted,
        lapsed=lapsed,
        assumed=tuple(name for name, told in (("attempts", tries), ("loss", loss)) if told.assumed),
    )
    factors = (seen, found.table, tables)
    decided = replace(risk, decides=_decides(risk, scenario, factors, found.trials))
    return _Entry(risk=decided, factors=factors, before=before, now=now)


def _odds(
    start: tuple[float, float], known: Known, relevance: float, stakes: Stakes, stopping: Sequence[Stopping]
) -> Odds:
    """What these trials leave, less what a guard stops where none stood before them."""
    tried = known.trials
    weight = relevance * (0.5 ** (tried.age / stakes.half_life) if tried else 1.0)
    return odds(start, known, weight, () if tried is not None and tried.guarded else stopping)


def _spread(values: Vector, middle: Any) -> Spread:
    low, high, p90 = (float(end) for end in np.quantile(values, _ENDS))
    return Spread(middle=float(middle(values)), low=low, high=high, p90=p90)


def _matching(scenario: Scenario, lines: Sequence[Line]) -> list[Line]:
    return [one for one in lines if _names(one.threat, one.actor, scenario)]


def _names(threat: str, actor: str, scenario: Scenario) -> bool:
    return fnmatchcase(scenario.threat.id, threat) and fnmatchcase(scenario.actor.name, actor)


def refuse_strangers(stakes: Stakes, of: str = "") -> None:
    """Raise `ConfigError` where a line of `risk:` names no threat there is, before a run that takes hours begins."""
    known = [threat.id for threat in catalogue(of) if not threat.id.endswith(_BOUND)]
    for glob, _ in _named(stakes):
        if not any(fnmatchcase(id, glob) for id in known):
            raise ConfigError(f"risk: {glob!r} names no threat", fix="see `temper threats` for their ids")


def _named(stakes: Stakes) -> list[tuple[str, str]]:
    """The (threat, actor) that each line speaks of."""
    named = [(one.threat, one.actor) for one in stakes.lines]
    named += [(one.threat, one.actor) for one in stakes.accepted]
    return named + [(one.threat, "*") for one in stakes.stopping]


def _idle_lines(stakes: Stakes, wanted: Sequence[Scenario]) -> list[str]:
    """Lines that name a threat, and no scenario of this system: an acceptance of nothing looks like one."""
    return [
        f"risk: {threat!r} by {actor!r} names no scenario of this system"
        for threat, actor in dict.fromkeys(_named(stakes))
        if not any(_names(threat, actor, scenario) for scenario in wanted)
    ]


def _standing(scenario: Scenario, stakes: Stakes, today: date) -> list[Stopping]:
    """What guards stopped, as far as it still speaks of the guard that stands there."""
    mine = [one for one in stakes.stopping if fnmatchcase(scenario.threat.id, one.threat)]
    return [one for one in mine if not _outdated(one, stakes, today)]


def _outdated(one: Stopping, stakes: Stakes, today: date) -> str:
    if not stakes.guard.startswith(one.guard):
        return f"the guard is configured otherwise since ({one.guard[:12]} then, {stakes.guard[:12] or 'none'} now)"
    if (today - one.measured).days * _DAY > stakes.half_life:
        return f"it is from {one.measured}, and older than the half-life of evidence"
    return ""


def _idle(scenario: Scenario, stakes: Stakes, today: date, guarded: bool) -> list[str]:
    """Guards that count for nothing, and why."""
    mine = [one for one in stakes.stopping if fnmatchcase(scenario.threat.id, one.threat)]
    if guarded:
        return ["what `risk: guard:` says is not counted again: this was tried behind the guard"] if mine else []
    told = [why for one in mine if (why := _outdated(one, stakes, today))]
    return [f"what the guard stopped counts for nothing: {why}" for why in told]


def _seen(known: Known) -> list[str]:
    if known.sightings is None or not known.sightings.events:
        return []
    return [f"seen in service: {known.sightings.events} in {known.sightings.years:.2g} years ({known.sightings.what})"]


def _acceptance(scenario: Scenario, accepted: Sequence[Acceptance], today: date) -> tuple[str, str]:
    """What holds of the acceptances of this scenario, and what has lapsed."""
    mine = [one for one in accepted if _names(one.threat, one.actor, scenario)]
    holds = [f"accepted by {one.by} until {one.until}: {one.reason}" for one in mine if today <= one.until]
    gone = [f"the acceptance by {one.by} lapsed on {one.until}" for one in mine if today > one.until]
    return "; ".join(holds), "; ".join(gone)


def _decides(risk: Risk, scenario: Scenario, factors: tuple[Vector, Vector, Vector], trials: Trials | None) -> str:
    """What would tell most about this risk now."""
    if risk.standing in (Standing.UNTESTED, Standing.STALE):
        return _test_of(scenario.threat.plugins)
    if risk.standing is Standing.INCONCLUSIVE:
        doubted = trials is not None and trials.doubt
        if doubted and trials is not None and trials.plugin.startswith(CAMPAIGN):
            return f"a campaign of which this does not hold: {trials.doubt}"
        return "an attack that passes the checks of its own power" if doubted else "a suite that leaves no row untried"
    far = [high - low for low, high in swings([factors])[0]]
    at = far.index(max(far))
    if at == 1:
        return _more(trials)
    assumed = ("attempts", "", "loss")[at] in risk.assumed
    return f"the {_INPUTS[at]}: " + ("nobody has given them yet" if assumed else "their range is the widest")


def _test_of(plugins: Sequence[str]) -> str:
    """The command that tries it."""
    if not plugins:
        return "nothing in Temper tries it: say what you believe by `success:`"
    return "temper redteam" if plugins[0].startswith("goal:") else f"temper assess --only {plugins[0]}"


def _more(trials: Trials | None) -> str:
    """How many attempts would halve the interval of the probability."""
    if trials is not None and trials.counts in ("trials", "prompts"):
        return "the probability of success: temper redteam with a larger --suite"
    if trials is not None and trials.plugin.startswith(CAMPAIGN) and trials.counts == "rows":
        return (
            f"the probability of success: a campaign with {4 * trials.n:,.0f} rows to get past would halve its interval"
        )
    if trials is None or "rows" not in trials.counts:
        return "the probability of success: runs with other seeds, and other attackers"
    return f"the probability of success: {4 * trials.n:,.0f} rows instead of {trials.n:,.0f} would halve its interval"


def _curves(before: Vector, now: Vector, stakes: Stakes) -> tuple[Curve, ...]:
    """The chance that a year costs more than each amount, before and now, from where both are near 1 to 1 in 1000."""
    both = np.concatenate([before, now])
    first, last = max(float(np.quantile(both, 0.005)), 1e-9), float(np.quantile(both, 0.9995))
    at = np.geomspace(first, max(last, first * 1.01), _POINTS)
    return tuple(
        Curve(
            name=name,
            axis=f"annual loss ({stakes.unit})",
            unit="chance that a year costs more",
            points=tuple(
                Point(at=float(x), value=float(y), low=float(y), high=float(y), n=len(values))
                for x, y in zip(at, exceedance(values, at), strict=True)
            ),
            scale="log",
        )
        for name, values in ((BEFORE, before), (NOW, now))
    )


def _swings(entries: Sequence[_Entry]) -> tuple[Swing, ...]:
    """The inputs that move the expected loss of all scenarios furthest."""
    found = [
        Swing(scenario=entry.risk.scenario, input=name, low=low, high=high)
        for entry, moved in zip(entries, swings([entry.factors for entry in entries]), strict=True)
        for name, (low, high) in zip(_INPUTS, moved, strict=True)
    ]
    return tuple(sorted(found, key=lambda one: one.low - one.high)[:_SHOWN])


def _notes(stakes: Stakes, today: date) -> tuple[str, ...]:
    gone = [
        f"the acceptance of {one.threat} by {one.by} lapsed on {one.until}"
        for one in stakes.accepted
        if today > one.until
    ]
    unstated = ["losses are bands, not money: `risk:` of the temper.yaml takes ranges"] if stakes.loss is None else []
    return (*gone, *unstated)
