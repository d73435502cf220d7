"""A small breaker in every situation that calls, cancels, stale results and operators can bring about, by exhaustive
search over all sequences of events: it never disagrees with the model of it."""

from __future__ import annotations

import pytest

from temper.guard.serving.breaker import Breaker, BreakerConfig, Outcome, State
from unit.breaker_model import Model, Pair

SMALL = BreakerConfig(
    window=5, least=3, failure_rate=0.6, slow_rate=0.7, slow_seconds=1.0, open_seconds=1.0, probes=3, probe_seconds=2.0
)
ALPHABET = [
    ("allow", 0, 0.0),
    *((word, at, 0.1) for word in ("success", "failure", "ignored") for at in (0, -1)),
    ("success", 0, 1.0),
    ("tick", 0, 1.0),
]
OPERATOR = [("trip", 0, 0.0), ("force_open", 0, 0.0), ("force_closed", 0, 0.0), ("automatic", 0, 0.0)]
FLIGHT = 5  # calls on their way at a time


def search(kind: type[Breaker], alphabet: list) -> int:
    """How many situations there are, until no event leads to a new one; raises where breaker and model differ."""
    start = Pair(kind(config=SMALL), Model(config=SMALL))
    seen, edge = {start.key()}, [(start, ())]
    while edge:
        after = []
        for pair, path in edge:
            for event in alphabet:
                if (event[0] == "allow" and len(pair.out) >= FLIGHT) or (
                    event[0] in ("success", "failure", "ignored") and (not pair.out or (event[1] and len(pair.out) < 2))
                ):
                    continue
                twin = pair.clone()
                try:
                    twin.do(*event)
                except AssertionError as wrong:
                    raise AssertionError(f"after {[*path, event]}: {wrong}") from None
                if (key := twin.key()) not in seen:
                    seen.add(key)
                    after.append((twin, (*path, event)))
        edge = after
    return len(seen)


def test_no_sequence_whatever_of_calls_cancels_stale_results_and_operators_departs_from_the_model() -> None:
    assert search(Breaker, ALPHABET + OPERATOR) > 5_000


class IgnoredKeepsItsPermit(Breaker):
    """resilience4j #544: an ignored error in half-open takes its permit along."""

    def record(self, permit, outcome, seconds, now):
        if not (permit in self._probing and outcome is Outcome.IGNORED):
            Breaker.record(self, permit, outcome, seconds, now)


class WaitsForever(Breaker):
    """resilience4j #935: half-open for ever where probes never answer."""

    def _give_up(self, now):
        return None


class AdmitsEveryone(Breaker):
    """Half-open without a cap."""

    def _probe(self, now):
        kept, self._probing = self._probing, set()
        permit = Breaker._probe(self, now)
        self._probing |= kept
        return permit


class BelievesStale(Breaker):
    """A success from before the outage closes an open breaker."""

    def record(self, permit, outcome, seconds, now):
        if self.state is State.OPEN and outcome is Outcome.SUCCESS:
            self._to(State.CLOSED, now, "")
        Breaker.record(self, permit, outcome, seconds, now)


class CountsIgnored(Breaker):
    """A cancelled call is held against the model."""

    def record(self, permit, outcome, seconds, now):
        Breaker.record(self, permit, Outcome.FAILURE if outcome is Outcome.IGNORED else outcome, seconds, now)


class CountsRejections(Breaker):
    """Own rejections are held against the model."""

    def allow(self, now):
        permit = Breaker.allow(self, now)
        self._failed += permit is None
        return permit


@pytest.mark.parametrize(
    "culprit",
    [IgnoredKeepsItsPermit, WaitsForever, AdmitsEveryone, BelievesStale, CountsIgnored, CountsRejections],
)
def test_the_search_finds_a_planted_bug(culprit: type[Breaker]) -> None:
    with pytest.raises(AssertionError, match="after"):
        search(culprit, ALPHABET)
