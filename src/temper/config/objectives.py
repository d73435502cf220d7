"""What is promised of a gateway's answers, in temper.yaml.

monitor:
  feed: ledger
  burn:
    errors: {budget: 0.001}                 # share of requests that may fail (5xx)
    latency: {budget: 0.01, within: 50ms}   # share of answers that may take longer
    overload: {budget: 0.01}                # share of requests that may be turned away for want of room
    # each with `rules: [{rate: 14.4, long: 1h, short: 5m, least: 100}, ...]`; without, those of core/served
"""

from __future__ import annotations

import math
from dataclasses import replace

from temper.config.alerting import burning_of
from temper.config.document import Section
from temper.config.monitor import seconds
from temper.core.alert import Burning
from temper.core.served import BUCKETS, RULES, Objective, Promise
from temper.core.watch import Feed, Watch

_USUAL = {Promise.ERRORS: 0.001, Promise.LATENCY: 0.01, Promise.OVERLOAD: 0.01}


def objectives_of(document: Section, watch: Watch) -> tuple[Objective, ...]:
    """What stands under `monitor: burn:`; nothing where nothing does."""
    section = document.section("monitor").section("burn").only(*(one.value for one in Promise))
    if section.entries and watch.kind is not Feed.LEDGER:
        raise section.error(
            "how requests were answered is known of a ledger alone", fix="write `feed: ledger`, or remove `burn:`"
        )
    return tuple(_objective(section.section(one.value), one) for one in Promise if section.has(one.value))


def _objective(section: Section, promise: Promise) -> Objective:
    section.only("budget", "rules", *(("within",) if promise is Promise.LATENCY else ()))
    budget = section.number("budget", _USUAL[promise])
    usual = [replace(rule, budget=budget) for rule in RULES]
    given = [burning_of(one.only("rate", "long", "short", "least"), usual[0]) for one in section.sections("rules")]
    rules = tuple(one for one in given if one is not None) or tuple(usual)
    if len({rule.rate for rule in rules}) < len(rules):
        raise section.error(f"{section.path}.rules has two of one rate", "rules")
    _reachable(section, budget, rules)
    return Objective(promise=promise, budget=budget, within=_within(section, promise), rules=rules)


def _reachable(section: Section, budget: float, rules: tuple[Burning, ...]) -> None:
    """A rule that nothing can break would only look like one."""
    if not 0 < budget < 1:
        raise section.error(f"{section.path}.budget must lie between 0 and 1", "budget")
    if fast := [rule.rate for rule in rules if rule.rate * budget > 1]:
        raise section.error(
            f"{section.path}: no share of requests is {fast[0]:g} times a budget of {budget:g}",
            "budget",
            fix=f"choose a budget up to {1 / fast[0]:.3g}, or `rules:` of rates up to {1 / budget:g}",
        )


def _within(section: Section, promise: Promise) -> float:
    """Gateways count by bars, so an objective lies at the end of one."""
    if promise is not Promise.LATENCY:
        return 0.0
    wanted = seconds(section, "within", 0.0)
    within = next((end for end in BUCKETS if math.isclose(end, wanted)), None)
    if within is None:
        ends = ", ".join(f"{1000.0 * end:g}ms" for end in BUCKETS)
        raise section.error(f"{section.path}.within is none of {ends}, which gateways count by", "within")
    return within
