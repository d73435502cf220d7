"""The injector: scope, seed and time; and a target behind one."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from temper.chaos.effect import NOTHING
from temper.chaos.faulty import Faulty
from temper.chaos.injector import Injector, Scope, built
from temper.core.errors import ConfigError
from temper.testing.toys import Linear

X = np.linspace(-2, 2, 9)[:, None]


@dataclass
class Clock:
    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def faulty(clock: Clock, name: str, scope: Scope | None = None, **options: object) -> Faulty:
    injector = Injector(clock=clock)
    injector.set(built(name, options), seconds=5.0, scope=scope)
    return Faulty(inner=Linear(weights=(1.0,)), injector=injector, sleep=clock.sleep)


def test_a_fault_begins_and_ends_by_the_clock(clock: Clock) -> None:
    injector = Injector(clock=clock)
    assert injector.meet() is NOTHING
    injector.set(built("wire.hang"), seconds=10.0, scope=Scope(start=2.0, end=4.0))
    found = []
    for now in (0.0, 1.9, 2.0, 3.9, 4.0, 9.0, 11.0):
        clock.now = now
        found.append(injector.meet().hang)
    assert found == [False, False, True, True, False, False, False]
    assert injector.fault is None
    assert injector.met == 2


def test_the_share_is_drawn_by_the_seed_and_kept(clock: Clock) -> None:
    def met(seed: int, share: float) -> list[bool]:
        injector = Injector(seed=seed, clock=clock)
        injector.set(built("wire.hang"), seconds=1.0, scope=Scope(share=share))
        return [injector.meet().hang for _ in range(2_000)]

    assert met(1, 0.3) == met(1, 0.3) != met(2, 0.3)
    assert 520 < sum(met(1, 0.3)) < 680
    assert not any(met(1, 0.0))
    assert all(met(1, 1.0))


def test_only_the_named_client_is_met(clock: Clock) -> None:
    injector = Injector(clock=clock)
    injector.set(built("wire.hang"), seconds=1.0, scope=Scope(client="ann"))
    assert [injector.meet(who).hang for who in ("ann", "bob", "")] == [True, False, False]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Scope(share=1.2), "share of a fault"),
        (lambda: Scope(start=3.0, end=1.0), "never is"),
        (lambda: Injector().set(built("wire.hang"), seconds=0.0), "is none"),
        (lambda: Injector().set(built("wire.hang"), seconds=float("nan")), "is none"),
        (lambda: built("wire.latency", {"millis": 1}), "no option 'millis'"),
        (lambda: built("wire.latency", {"shape": "round"}), "no shape 'round'"),
        (lambda: built("wire.status", {"code": 200}), "no status of an error"),
        (lambda: built("scores.stale", {"lag": 0}), "lag is 0"),
        (lambda: built("scores.nan", {"value": "1"}), "is a number"),
        (lambda: built("wire.reset", {"part": 1.0}), "part is"),
    ],
)
def test_mistakes_are_told(make: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()  # type: ignore[operator]


def test_a_target_with_nothing_set_is_the_target(clock: Clock) -> None:
    inner = Linear(weights=(1.0,))
    plain = Faulty(inner=inner, injector=Injector(clock=clock))
    assert plain.scores(X).tobytes() == inner.scores(X).tobytes()
    assert plain.digest == inner.digest
    spared = faulty(clock, "scores.nan", Scope(share=0.0))
    assert spared.scores(X).tobytes() == inner.scores(X).tobytes()


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("wire.refuse", ConnectionRefusedError),
        ("wire.reset", ConnectionResetError),
        ("wire.status", ConnectionError),
        ("wire.truncated", ValueError),
        ("wire.invalid", ValueError),
    ],
)
def test_broken_wires_are_errors_and_over_in_time(clock: Clock, name: str, error: type[Exception]) -> None:
    target = faulty(clock, name)
    with pytest.raises(error):
        target.scores(X)
    clock.now = 5.0
    assert np.isfinite(target.scores(X)).all()


def test_waiting_is_waited(clock: Clock) -> None:
    faulty(clock, "wire.latency", ms=40).scores(X)
    assert clock.slept == [0.04]
    steps = faulty(clock, "wire.latency", ms=10, shape="step", step_seconds=1.0)
    clock.now += 2.5
    steps.scores(X)
    assert clock.slept[-1] == pytest.approx(0.03)
    clock.now = 0.0
    faulty(clock, "wire.hang").scores(X)
    assert clock.slept[-1] == 5.0, "comes back when the fault is over"
    many = Injector(clock=clock)
    many.set(built("wire.latency", {"ms": 100, "shape": "lognormal"}), seconds=1.0)
    assert np.median([many.meet().wait for _ in range(400)]) == pytest.approx(0.1, rel=0.2)


def test_wrong_scores_are_still_probabilities_of_two_classes(clock: Clock) -> None:
    right = Linear(weights=(1.0,)).scores(X)
    shifted = faulty(clock, "scores.shifted", by=0.1).scores(X)
    assert np.allclose(shifted[:, 1], np.clip(right[:, 1] + 0.1, 0, 1))
    assert np.allclose(shifted.sum(axis=1), 1.0)
    assert np.isnan(faulty(clock, "scores.nan").scores(X)).all()
    assert np.ptp(faulty(clock, "scores.constant").scores(X)[:, 1]) == 0.0
    shuffled = faulty(clock, "scores.shuffled").scores(X)
    assert sorted(shuffled[:, 1]) == sorted(right[:, 1])
    assert (shuffled[:, 1] != right[:, 1]).any()


def test_stale_scores_are_those_of_rows_before(clock: Clock) -> None:
    right = Linear(weights=(1.0,)).scores(X)[:, 1]
    target = faulty(clock, "scores.stale", lag=2)
    told = [float(target.scores(row[None])[0, 1]) for row in X]
    assert told == pytest.approx([*right[:2], *right[:-2]])
