"""What each control is worth: the same small quarters with all, without one, with one alone, with none."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from hashlib import sha256
from importlib import import_module
from importlib.resources import files
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from temper.demos.bank.ledger import Sums
from temper.demos.bank.plan import CONTROLS, LAYERS, Plan

SIMULATED = "temper.demos.bank.simulated:Simulated"
_TELLS = ("story.py", "page.py", "tour.py", "trials.py", "waves.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A difference of two means over `n` pairs of equal seeds, with its 95 % interval (Student's t)."""

    mean: float
    low: float
    high: float
    n: int

    @property
    def clear(self) -> bool:
        """Whether the interval says which way."""
        return self.low > 0.0 or self.high < 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What a control changes in dollars of a small quarter: what is saved beside all others (`missed` without it), and
    by it `alone` (None: it does nothing without others). Losses, and the whole cost. `wrongs` are honest payments that
    are declined more because of it.
    """

    control: str
    loss: Effect
    cost: Effect
    wrongs: Effect
    alone: Effect | None


@dataclass(slots=True, kw_only=True, eq=False)
class Trials:
    """Small quarters like `plan`, one for each of `seeds` and each set of controls. What is done is kept in `path`, so
    that what was broken off goes on.
    """

    plan: Plan
    seeds: tuple[int, ...]
    world: str = SIMULATED
    path: Path | None = None
    done: dict[str, Sums] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        if self.path is not None and self.path.exists():
            for line in self.path.read_text(encoding="utf-8").splitlines():
                kept = json.loads(line)
                self.done[kept["key"]] = Sums(**kept["sums"])

    def run(self, workers: int, listener: Callable[[int, int], None] = lambda done, many: None) -> None:
        """All that is not there yet; with more than one worker in processes of their own, and the same numbers."""
        jobs = {self._key(plan): plan for plan in self._plans()}
        todo = [(key, plan) for key, plan in jobs.items() if key not in self.done]
        listener(len(jobs) - len(todo), len(jobs))
        for at, (key, sums) in enumerate(_worked(self.world, todo, workers), start=len(jobs) - len(todo) + 1):
            self.done[key] = sums
            if self.path is not None:
                with self.path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"key": key, "sums": asdict(sums)}) + "\n")
            listener(at, len(jobs))

    def sums(self, controls: Iterable[str]) -> list[Sums]:
        """Of every seed, in turn."""
        stands = frozenset(controls)
        return [self.done[self._key(replace(self.plan, seed=seed, controls=stands))] for seed in self.seeds]

    def worths(self) -> list[Worth]:
        """Of every control, what costs most to leave out first."""
        whole, nothing = self.sums(CONTROLS), self.sums(())
        found = [self._worth(control, whole, nothing) for control in CONTROLS]
        return sorted(found, key=lambda one: -one.cost.mean)

    def overall(self) -> Effect:
        """What all controls together save of the cost without any."""
        return effect([one.cost for one in self.sums(CONTROLS)], [one.cost for one in self.sums(())])

    def _worth(self, control: str, whole: list[Sums], nothing: list[Sums]) -> Worth:
        without = self.sums(set(CONTROLS) - {control})
        alone = None
        if control in LAYERS:
            alone = effect([one.cost for one in self.sums((control,))], [one.cost for one in nothing])
        return Worth(
            control=control,
            loss=effect([one.lost for one in whole], [one.lost for one in without]),
            cost=effect([one.cost for one in whole], [one.cost for one in without]),
            wrongs=effect([one.false_declines for one in without], [one.false_declines for one in whole]),
            alone=alone,
        )

    def _plans(self) -> Iterator[Plan]:
        every = frozenset(CONTROLS)
        sets = [every, frozenset[str](), *(every - {one} for one in CONTROLS), *(frozenset({one}) for one in LAYERS)]
        for seed in self.seeds:
            for controls in sets:
                yield replace(self.plan, seed=seed, controls=controls)

    def _key(self, plan: Plan) -> str:
        told = [self.world, plan.days, plan.per_day, plan.seed, plan.adaptive, sorted(plan.controls), _source()]
        return sha256(json.dumps(told).encode()).hexdigest()[:20]


def effect(before: Iterable[float], after: Iterable[float]) -> Effect:
    """`after` minus `before`, pair by pair.

    >>> effect([1.0, 2.0, 3.0], [3.0, 4.5, 5.0]).clear
    True
    """
    from scipy.stats import t

    gaps = np.array(list(after), dtype=float) - np.array(list(before), dtype=float)
    n, mean = len(gaps), float(gaps.mean())
    half = float(t.ppf(0.975, n - 1) * gaps.std(ddof=1) / np.sqrt(n)) if n > 1 else float("inf")
    return Effect(mean=mean, low=mean - half, high=mean + half, n=n)


def made(world: str, plan: Plan) -> Any:
    """The world of this name for this plan; what only some worlds know of is told to those."""
    module, _, name = world.partition(":")
    kind = getattr(import_module(module), name)
    marks = {"opens": plan.opens, "breach": plan.breach} if world == SIMULATED else {}
    return kind(seed=plan.seed, per_day=plan.per_day, adaptive=plan.adaptive, **marks)


def _worked(world: str, todo: list[tuple[str, Plan]], workers: int) -> Iterator[tuple[str, Sums]]:
    if workers <= 1 or len(todo) < 2:
        yield from ((key, _one(world, plan)) for key, plan in todo)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_deaf) as pool:
        waiting = {pool.submit(_one, world, plan): key for key, plan in todo}
        try:
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _one(world: str, plan: Plan) -> Sums:
    from temper.demos.bank.quarter import Run

    found = Run(world=made(world, plan), plan=plan).run()
    if not found.whole:  # a part of a quarter must never be kept for one
        raise KeyboardInterrupt
    return found.ledger.total


def _deaf() -> None:
    """The keyboard speaks to whoever started the workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@cache
def _source() -> str:
    """What the numbers follow from: this folder's own text, but for what only tells of them."""
    parts = [one for one in files(__package__).iterdir() if one.name.endswith(".py") and one.name not in _TELLS]
    texts = sorted((one.name, one.read_bytes()) for one in parts)
    return sha256(b"".join(name.encode() + text for name, text in texts)).hexdigest()[:12]
