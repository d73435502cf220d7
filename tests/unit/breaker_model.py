"""A circuit breaker written the slow way, to compare the real one with: lists, no counters, no permits shared."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace

from temper.guard.serving.breaker import Breaker, BreakerConfig, Outcome, State


@dataclass(eq=False)
class Call:
    """A call that was let through: in which period, whether as a probe, and what came of it."""

    period: int
    result: Outcome | None = None
    slow: bool = False


@dataclass
class Model:
    """What a breaker should do."""

    config: BreakerConfig
    state: State = State.CLOSED
    period: int = 0
    until: float = 0.0
    asked: float = 0.0
    seen: list[tuple[Outcome, bool]] = field(default_factory=list)
    probes: list[Call] = field(default_factory=list)

    def allow(self, now: float) -> Call | None:
        if self.state in (State.CLOSED, State.FORCED_CLOSED):
            return Call(self.period)
        if self.state in (State.OPEN, State.FORCED_OPEN) and now >= self.until:
            self.change(State.HALF_OPEN)
        if self.state is State.HALF_OPEN:
            taken = [one for one in self.probes if one.result is not Outcome.IGNORED]
            if len(taken) < self.config.probes:
                self.asked = now
                self.probes.append(Call(self.period))
                return self.probes[-1]
            if now >= self.asked + self.config.probe_seconds:
                for one in taken:
                    one.result = Outcome.FAILURE if one.result is None else one.result
                self.decide(now)
                return self.allow(now)
        return None

    def record(self, call: Call, outcome: Outcome, seconds: float, now: float) -> None:
        if call.period != self.period or call.result is not None:
            return
        call.result, call.slow = outcome, seconds >= self.config.slow_seconds
        if self.state is State.HALF_OPEN:
            self.decide(now)
        elif outcome is not Outcome.IGNORED:
            self.seen = [*self.seen, (outcome, call.slow)][-self.config.window :]
            enough = self.state is State.CLOSED and len(self.seen) >= self.config.least
            if enough and self.wrong(self.seen, len(self.seen)):
                self.change(State.OPEN, now + self.config.open_seconds)

    def decide(self, now: float) -> None:
        back = [(one.result, one.slow) for one in self.probes if one.result in (Outcome.SUCCESS, Outcome.FAILURE)]
        if self.wrong(back, self.config.probes):
            self.change(State.OPEN, now + self.config.open_seconds)
        elif len(back) == self.config.probes:
            self.change(State.CLOSED)

    def wrong(self, results: list, of: int) -> bool:
        failed = sum(outcome is Outcome.FAILURE for outcome, _ in results)
        slow = sum(slow for _, slow in results)
        return failed >= self.config.failure_rate * of or slow >= self.config.slow_rate * of

    def change(self, state: State, until: float = 0.0) -> None:
        self.period += 1
        self.state, self.until, self.seen, self.probes = state, until, [], []

    def trip(self, now: float) -> None:
        if self.state not in (State.FORCED_OPEN, State.FORCED_CLOSED):
            self.change(State.OPEN, now + self.config.open_seconds)

    def automatic(self) -> None:
        if self.state is State.FORCED_OPEN:
            self.change(State.HALF_OPEN)
        elif self.state is State.FORCED_CLOSED:
            self.change(State.CLOSED)


@dataclass
class Pair:
    """The breaker and its model, told the same; `out` are the calls on their way, in the order of their start."""

    breaker: Breaker
    model: Model
    now: float = 0.0
    out: list[tuple[int, Call]] = field(default_factory=list)

    def do(self, what: str, at: int = 0, seconds: float = 0.0) -> None:
        """One event of the alphabet, and the two still agree."""
        now = self.now
        if what == "allow":
            permit, call = self.breaker.allow(now), self.model.allow(now)
            assert (permit is None) == (call is None), (what, permit, call)
            if permit is not None and call is not None:
                self.out.append((permit, call))
        elif what in ("success", "failure", "ignored"):
            permit, call = self.out.pop(at)
            outcome = Outcome[what.upper()]
            self.breaker.record(permit, outcome, seconds, now)
            self.model.record(call, outcome, seconds, now)
        elif what == "tick":
            self.now += seconds
        elif what == "trip":
            self.breaker.trip(now, "a test")
            self.model.trip(now)
        elif what == "force_open":
            self.breaker.force_open(now)
            self.model.change(State.FORCED_OPEN, float("inf"))
        elif what == "force_closed":
            self.breaker.force_closed(now)
            self.model.change(State.FORCED_CLOSED)
        else:
            self.breaker.automatic(now)
            self.model.automatic()
        self.agree()

    def agree(self) -> None:
        view, model = self.breaker.view(self.now), self.model
        assert view.state is model.state
        results = model.seen
        if model.state is State.HALF_OPEN:
            results = [(one.result, one.slow) for one in model.probes if one.result in (0, 1)]
        failed, slow = sum(outcome == 1 for outcome, _ in results), sum(slow for _, slow in results)
        assert (view.calls, view.failed, view.slow) == (len(results), failed, slow)
        assert view.probing == sum(one.result is None for one in model.probes)
        assert view.calls + view.probing <= model.config.probes or model.state is not State.HALF_OPEN

    def clone(self) -> Pair:
        """An independent copy."""
        breaker = copy.copy(self.breaker)
        breaker._ring, breaker._probing = bytearray(breaker._ring), set(breaker._probing)
        model, twins = copy.copy(self.model), {id(call): replace(call) for _, call in self.out}
        model.probes = [twins.get(id(one)) or replace(one) for one in model.probes]
        return Pair(breaker, model, self.now, [(permit, twins[id(call)]) for permit, call in self.out])

    def key(self) -> tuple:
        """All that decides what will happen, with times and permits relative to now."""
        breaker, model = self.breaker, self.model
        ring = bytes(breaker._ring[breaker._at :] + breaker._ring[: breaker._at])
        half = model.state is State.HALF_OPEN
        return (
            (breaker.state, ring, breaker._calls, breaker._failed, breaker._slow, len(breaker._probing)),
            (max(0.0, breaker._until - self.now), half and min(self.now - breaker._asked, 9.0)),
            tuple(2 if p == breaker._pass else 1 if p in breaker._probing else 0 for p, _ in self.out),
            (
                model.state,
                tuple(model.seen),
                max(0.0, model.until - self.now),
                half and min(self.now - model.asked, 9.0),
            ),
            tuple(sorted((str(one.result), one.slow) for one in model.probes if one.result is not Outcome.IGNORED)),
            tuple(call.period == model.period and call.result is None for _, call in self.out),
        )
