"""What has changed at a gateway since somebody looked last, as events: nothing of it is on a request's way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from temper.config.serving import Serving
from temper.core.errors import StoreError
from temper.core.serving import Mode
from temper.gateway.events import Value, tell
from temper.gateway.tables.tending import Tending
from temper.gateway.tables.version import Version
from temper.gateway.transport import Door
from temper.guard.serving import parts
from temper.guard.serving.breaker import Breaker
from temper.store.ledger.journal import Journal


@dataclass(slots=True, kw_only=True, eq=False)
class Watching:
    """Looks once a second and tells every change of a breaker since (also one that is over already), the switch, the
    ledger, its second place, and how many were turned away at the door.

    A ledger that fails and is well again between two looks is seen by the requests that were not answered alone.
    """

    live: Callable[[], Version]
    journal: Journal
    tending: Tending
    door: Door
    _breakers: dict[str, tuple[Breaker, Any]] = field(default_factory=dict, init=False, repr=False)
    _failing: dict[str, bool] = field(default_factory=dict, init=False, repr=False)
    _stopped: bool = field(default=False, init=False, repr=False)
    _refused: tuple[int, ...] = field(default=(0, 0, 0), init=False, repr=False)

    def look(self) -> None:
        """Tell what has changed."""
        live = self.live()
        self._changed("model", live.pipeline.breaker)
        if live.canary is not None:
            self._changed("canary", live.canary.new.breaker)
        self._well("ledger", self.journal.fault)
        self._well("checkpoints", self.journal.unsigned_because)
        if self.tending.stopped is not self._stopped:
            self._stopped = self.tending.stopped
            tell("switch.changed", stopped=self._stopped)
        refused = (self.door.shed, self.door.slow, self.door.long)
        if refused != self._refused:
            more = [now - before for now, before in zip(refused, self._refused, strict=True)]
            self._refused = refused
            tell("door.refused", busy=more[0] or None, slow=more[1] or None, long_head=more[2] or None)

    def _changed(self, of: str, breaker: Breaker) -> None:
        known, last = self._breakers.get(of, (breaker, None))
        history = list(breaker.history)
        for _, state, reason in _since(history, last if known is breaker else None):
            tell("breaker.changed", of=of, state=state.value, why=reason)
        self._breakers[of] = breaker, history[-1] if history else None

    def _well(self, name: str, fault: StoreError | None) -> None:
        if (fault is not None) is self._failing.get(name, False):
            return
        self._failing[name] = fault is not None
        if fault is None:
            tell(f"{name}.recovered")
        else:
            tell(f"{name}.failing", why=fault.message)


def stages(serving: Serving) -> list[str]:
    """Every part of the guard that is on, and which of them only look."""
    modes = {name: parts.mode_of(serving, name) for name in (*parts.PARTS, *parts.foreign(serving)) if name != "people"}
    return [name + " (shadow)" * (mode is Mode.SHADOW) for name, mode in modes.items() if mode is not Mode.OFF]


def limits(live: Version) -> dict[str, Value]:
    """Which policy and model answer, which one is on trial, what a client may ask, and the stages that are on."""
    options = parts.options_of(live.serving).get("quota", {})
    pipeline = live.pipeline
    return {
        "policy": live.policy[:12],
        "model": live.served.digest[:12],
        "stages": ", ".join(stages(live.serving)),
        "trial": _trial(live),
        "deadline_ms": round(1e3 * live.serving.deadline),
        "rows": live.serving.rows,
        "at_once": round(pipeline.limiter.limit),
        **{name: float(options[name]) for name in ("per_second", "burst", "per_day") if name in options},
    }


def _trial(live: Version) -> str:
    if live.shadow is not None:
        return f"shadow {live.shadow.model.digest[:12]}"
    return f"canary {live.canary.model[:12]}" if live.canary is not None else ""


def _since(history: Sequence[Any], last: Any) -> Sequence[Any]:
    """What came after `last`; all there is where that is gone."""
    at = next((at for at in reversed(range(len(history))) if history[at] is last), -1)
    return history[at + 1 :]
