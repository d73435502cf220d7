"""What a look found becomes alerts, and alerts are sent: what is not taken now is tried again by the next look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from temper.core.alert import Alert, Alerting
from temper.core.errors import ConfigError, TemperError
from temper.core.outcome import Outcome
from temper.core.room import Room
from temper.core.watch import Feed, Watch
from temper.monitoring.alerts import alerts, of_incidents, of_jobs, of_minutes, of_outcomes, quiet
from temper.store.control import Control
from temper.store.control.alerts import Found

RECEIVERS = Room("temper.monitoring.receivers")
INCIDENTS, JOBS = ":incidents", ":jobs"
"""What stands for the incidents and the jobs of the store where others have a feed; no path begins so."""
SERVED = ":served"
"""What follows the name of a feed where alerts are of what its gateways answered."""
_INCIDENTS = 500
_JOBS = 500
_WINDOWS = 5_000
"""So many windows are looked back; what has lasted for longer is known from the store."""


@dataclass(slots=True, kw_only=True, eq=False)
class Told:
    """How many messages were sent, and of each receiver that did not take one, why."""

    sent: int = 0
    faults: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """It in a line, "" of nothing."""
        said = [f"{self.sent} alert messages were sent"] if self.sent else []
        said += [f"{name} has not taken its alerts ({why}); they are sent again" for name, why in self.faults.items()]
        return "; ".join(said)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Teller:
    """Whom to tell of what is found in a feed, of its labels, by the name under which what they say is kept, and of
    incidents; of these alone where nothing is watched.
    """

    alerting: Alerting
    watch: Watch | None
    digest: str
    control: Control
    receivers: dict[str, Any]
    labels: str = ""

    def begin(self, now: float) -> None:
        """To be called before the first look: what was over before is no news."""
        if self.watch is not None:
            before = self.control.windows.latest(self.watch.feed, self.digest, self.watch.window, 1)
            self.control.alerts.begin(self.watch.feed, before[-1].ends if before else 0.0)
            minutes = self.control.windows.served.minutes(self.watch.feed)
            self.control.alerts.begin(f"{self.watch.feed}{SERVED}", minutes[-1].ends if minutes else 0.0)
        self.control.alerts.begin(INCIDENTS, now)
        if self.labels:
            known = [one.ends for one in self._outcomes() if one.decided]
            self.control.alerts.begin(self.labels, max(known, default=0.0))
        self.control.alerts.begin(JOBS, now)

    def tell(self, clock: Callable[[], float]) -> Told:
        """Keep the alerts of every window that was looked at and of every incident, and send what is due."""
        now = clock()
        if self.watch is not None:
            self._windows(self.watch, now)
        self._keep(INCIDENTS, of_incidents(self.control.incidents.page(limit=_INCIDENTS, timelines=True)), 0.0, now)
        self._keep(JOBS, of_jobs(self.control.jobs.page(limit=_JOBS)), 0.0, now)
        told = Told()
        for name, receiver in self.receivers.items():
            self._send(name, receiver, clock, told)
        return told

    def _windows(self, watch: Watch, now: float) -> None:
        windows = self.control.windows.latest(watch.feed, self.digest, watch.window, _WINDOWS)
        if windows:
            self._keep(watch.feed, alerts(windows, self.alerting, watch.feed), windows[-1].ends, now)
        served = self.control.windows.served
        if minutes := served.minutes(watch.feed):
            found = of_minutes(minutes, served.objectives(watch.feed), watch.feed)
            self._keep(f"{watch.feed}{SERVED}", found, minutes[-1].ends, now)
        if outcomes := self._outcomes():
            self._keep(self.labels, of_outcomes(outcomes, watch.feed), 0.0, now)

    def _outcomes(self) -> list[Outcome]:
        if self.watch is None or not self.labels:
            return []
        kept, watch = self.control.windows.outcomes, self.watch
        return kept.latest(watch.feed, self.labels, self.digest, watch.window, _WINDOWS)

    def _keep(self, feed: str, found: list[Alert], until: float, now: float) -> None:
        silences = self.control.alerts.silences(now)
        kept = Found(
            feed=feed,
            alerts=found,
            silenced=frozenset(one.id for one in found if quiet(one, silences, now)),
            receivers=self.alerting.receivers,
            until=until,
            escalate=self.alerting.escalate,
        )
        self.control.alerts.keep(kept, now)

    def _send(self, name: str, receiver: Any, clock: Callable[[], float], told: Told) -> None:
        """Everything due for this receiver, up to the first it does not take: whoever is down is not asked twice."""
        while (delivery := self.control.alerts.claim(name, clock())) is not None:
            try:
                receiver.send(delivery.alert)
            except Exception as error:  # whatever ails one receiver, the others are told
                why = error.message if isinstance(error, TemperError) else type(error).__name__
                told.faults[name] = why
                self.control.alerts.failed(delivery, why, clock())
                return
            self.control.alerts.sent(delivery, clock())
            told.sent += 1


def teller_of(alerting: Alerting, watch: Watch | None, digest: str, control: Control, labels: str = "") -> Teller:
    """The receivers of this temper.yaml; an option that a receiver does not have, and a rule that this feed can say
    nothing of, are refused.
    """
    if watch is not None and alerting.requests and watch.kind is not Feed.LEDGER:
        raise ConfigError("who answered requests is known of a ledger alone", fix="leave `alerts: requests:` out")
    if watch is not None and any(rule.short < watch.window for rule in alerting.requests):
        raise ConfigError(
            f"windows of {watch.window:g} seconds say nothing of a shorter while in `alerts: requests:`",
            fix="choose `window:` as short as the shortest `short:`",
        )
    receivers = {one.name: RECEIVERS.build(one.kind, dict(one.options)) for one in alerting.receivers}
    return Teller(alerting=alerting, watch=watch, digest=digest, control=control, receivers=receivers, labels=labels)
