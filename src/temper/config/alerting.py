"""Whom monitoring tells what it finds, and whether that opens an incident, in temper.yaml.

monitor:
  alerts:
    absent: 2                    # windows in a row without rows that are an alert
    escalate: 4h                 # an alert that nobody took for so long becomes critical; without it none does
    burn: {budget: 0.05, rate: 4, long: 30d, short: 7d, least: 5}    # share of windows that may fail
    requests:                    # of a ledger: share of rows that something other than the model may answer
      - {budget: 0.01, rate: 14.4, long: 1h, short: 5m, least: 100}
      - {budget: 0.01, rate: 6, long: 6h, short: 30m, least: 100}
    receivers:
      - {kind: log, path: alerts.jsonl}
      - {kind: webhook, url: https://hooks.bank.example/temper, secret_env: TEMPER_HOOK}
      - {kind: pagerduty, least: critical, url: https://events.pagerduty.com/v2/enqueue, key_env: PAGERDUTY_KEY}
  incidents:                     # with it alarms open incidents; without it people do, and gateways theirs
    absent: 2                    # windows in a row without rows that open one
    escalate: 2h                 # an incident that nobody took for so long becomes critical
"""

from __future__ import annotations

from pathlib import Path

from temper.config.document import Section
from temper.config.monitor import seconds
from temper.core.alert import Alerting, Burning, Opening, Receiver
from temper.core.incident import Severity

_KEYS = ("absent", "escalate", "burn", "requests", "receivers")
_BURN = ("budget", "rate", "long", "short", "least")
_REQUESTS = Burning(budget=0.01, rate=14.4, long=3_600.0, short=300.0, least=100)
_OWN = ("kind", "name", "least")
_FILES = ("path", "ca")


def alerting_of(document: Section, base: Path) -> Alerting | None:
    """What stands under `monitor: alerts:`; None where nothing does."""
    section = document.section("monitor").section("alerts").only(*_KEYS)
    if not section.entries:
        return None
    receivers = tuple(_receiver(one, base) for one in section.sections("receivers"))
    names = [one.name for one in receivers]
    if not receivers:
        raise section.error(f"{section.path} tells nobody", fix="add `receivers: [{kind: log, path: alerts.jsonl}]`")
    if twice := [name for name in names if names.count(name) > 1]:
        raise section.error(f"two receivers are called {twice[0]!r}", "receivers", fix="give them a `name:` each")
    return Alerting(
        receivers=receivers,
        absent=_absent(section),
        escalate=seconds(section, "escalate", 0.0),
        burn=burning_of(section.section("burn").only(*_BURN), Burning()),
        requests=_requests(section),
    )


def _requests(section: Section) -> tuple[Burning, ...]:
    found = [burning_of(one.only(*_BURN), _REQUESTS) for one in section.sections("requests")]
    rules = tuple(one for one in found if one is not None)
    if len({one.rate for one in rules}) < len(found):
        raise section.error(f"{section.path}.requests has rules of no rate of their own", "requests")
    return rules


def opening_of(document: Section) -> Opening | None:
    """What stands under `monitor: incidents:`; None where alarms open none.

    >>> from temper.config.document import Scalar
    >>> monitor = Section(entries={"incidents": Section(entries={"escalate": Scalar("2h", False, 3)})})
    >>> opening_of(Section(entries={"monitor": monitor}))
    Opening(absent=2, escalate=7200.0)
    """
    monitor = document.section("monitor")
    if not monitor.has("incidents"):
        return None
    section = monitor.section("incidents").only("absent", "escalate")
    return Opening(absent=_absent(section), escalate=seconds(section, "escalate", 0.0))


def _absent(section: Section) -> int:
    absent = section.whole("absent", 2)
    if absent < 1:
        raise section.error(f"{section.path}.absent must be at least 1 window", "absent")
    return absent


def _receiver(section: Section, base: Path) -> Receiver:
    kind = section.needed("kind")
    options = {key: node for key, node in section.plain().items() if key not in _OWN}
    options |= {key: str(base / section.text(key)) for key in _FILES if section.has(key)}
    least = section.word("least", [one.value for one in Severity], Severity.MINOR.value)
    return Receiver(name=section.text("name", kind), kind=kind, least=Severity(least), options=options)


def burning_of(section: Section, usual: Burning) -> Burning | None:
    """A rule as it stands there, the rest as usual; None where nothing does."""
    if not section.entries:
        return None
    budget, rate = section.number("budget", usual.budget), section.number("rate", usual.rate)
    long, short = seconds(section, "long", usual.long), seconds(section, "short", usual.short)
    least = section.whole("least", usual.least)
    if not 0 < budget < 1:
        raise section.error(f"{section.path}.budget must lie between 0 and 1", "budget")
    if not 0 < rate * budget <= 1:
        raise section.error(
            f"{section.path}.rate {rate:g} times a budget of {budget:g} is no share of windows",
            "rate",
            fix=f"choose a rate above 0 and up to {1 / budget:g}",
        )
    if not 0 < short <= long:
        raise section.error(f"{section.path}.short must be above 0 and not longer than long", "short")
    if least < 1:
        raise section.error(f"{section.path}.least must be at least 1 window", "least")
    return Burning(budget=budget, rate=rate, long=long, short=short, least=least)
