"""A task: one plugin on one slice of rows with one budget; and what comes back from it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.data import Data
from temper.core.finding import Finding
from temper.core.measure import Measurement, Status
from temper.core.room import Room
from temper.core.seed import Draws
from temper.core.system import Protected
from temper.core.target import Access, Recipe, Target
from temper.engine.fitting import fit_each, fits

_OTHERS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much work a suite does; printed with every run, so figures say what they stand on.

    `attacked`: rows under evasion attack; `held_out`: rows of checks and judges; `trained`: training rows of refits;
    `references`: reference fits of membership inference; `doses` (labels), `rates` (backdoors), `repeats`: poisoning;
    `students`: query budget of extraction; `replicates`: bootstrap; `shard`: rows per evasion task; `unstructured`:
    pictures or texts under stress.
    """

    attacked: int = 200
    held_out: int = 20_000
    unstructured: int = 2_000
    trained: int = 20_000
    references: int = 4
    rates: tuple[float, ...] = (0.001, 0.005, 0.01, 0.02)
    doses: tuple[float, ...] = (0.005, 0.01, 0.02, 0.05)
    repeats: int = 3
    students: int = 1_000
    replicates: int = 1_000
    shard: int = 100


SUITES = {
    "quick": Sizes(
        attacked=100,
        held_out=5_000,
        unstructured=400,
        trained=6_000,
        rates=(0.005, 0.02),
        doses=(0.01, 0.05),
        repeats=2,
        replicates=400,
        shard=50,
    ),
    "standard": Sizes(),
    "deep": Sizes(
        attacked=1_000, held_out=100_000, trained=100_000, references=16, repeats=5, students=10_000, shard=100
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """`room` is "attacks", "stress", "fuzz" or "validation"; `plugin` the path name in it; `start`, `stop` the slice of
    the attacked rows (evasion only, else 0, 0). `seconds` is its time cap.
    """

    room: str
    plugin: str
    options: tuple[tuple[str, Any], ...] = ()
    budget: Budget = field(default_factory=Budget)
    scenario: str = ""
    start: int = 0
    stop: int = 0
    seed: int = 0
    sizes: Sizes = field(default_factory=Sizes)
    seconds: float = 600.0

    @property
    def name(self) -> str:
        """What a person sees: plugin and slice."""
        rows = f"[{self.start}:{self.stop}]" if self.stop else ""
        return f"{self.plugin}{rows}"

    @property
    def figures(self) -> str:
        """The name that its figures carry: "stress.missing", "fuzz", else the plugin's own."""
        return {"stress": f"stress.{self.plugin}", "fuzz": "fuzz"}.get(self.room, self.plugin)

    @property
    def family(self) -> str:
        """The lifecycle word: evasion, poisoning, extraction, inversion, stress, validation."""
        return self.plugin.split(".", 1)[0] if self.room == "attacks" else self.room


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one task found. Evasion shards leave arrays in `evidence`, merged afterwards; other rooms measure here."""

    measurements: tuple[Measurement, ...] = ()
    findings: tuple[Finding, ...] = ()
    evidence: dict[str, Any] = field(default_factory=dict)
    status: Status = Status.OK
    reason: str = ""
    seconds: float = 0.0
    queries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class World:
    """The loaded system as tasks see it: rows drawn once by the plan, the same in every worker.

    `tolerance` is the shift of a value that counts (regression), in the target's own unit.
    """

    system: Protected
    sizes: Sizes
    seed: int
    attacked: np.ndarray[Any, Any]
    held_out: np.ndarray[Any, Any]
    tolerance: float = 0.0

    @property
    def target(self) -> Target:
        """The model under test."""
        return self.system.target

    def scene(self, task: Task, rows: np.ndarray[Any, Any] | None = None, **more: Any) -> Scene:
        """A scene over these positions of the held-out data (default: the held-out sample)."""
        data = self.system.data.take(self.held_out if rows is None else rows)
        settings: dict[str, Any] = {
            "kind": self.target.kind,
            "classes": self.target.classes,
            "threshold": self.system.threshold,
            "train": self.training(),
            "accepted": self.system.accepted,
            "target": self.target,
            "fit": self.fit,
            "sensitive": tuple(c.name for c in self.system.schema.columns if c.sensitive),
            "budget": task.budget,
            "tolerance": self.tolerance,
            "time": data.time,
        }
        return Scene(x=data.x, y=data.y, ids=data.ids, schema=self.system.schema, **(settings | more))

    def room(self, name: str) -> Room:
        """The plugins of a room: Temper's own, and those of other packages that the system names."""
        return Room(f"temper.{name}", allowed=foreign(self.system, name))

    def applicable(self, defences: Sequence[str]) -> tuple[str, ...]:
        """Those that need nothing this model does not give."""
        room, access = self.room("hardening"), self.target.access
        return tuple(name for name in defences if not getattr(room.get(name), "needs", Access.NONE) & ~access)

    def under_stress(self, task: Task) -> np.ndarray[Any, Any]:
        """Held-out rows in their order: all of a table, so many pictures or texts, whose corruption takes time."""
        rows = np.sort(self.held_out)
        few = self.sizes.unstructured
        if not task.plugin.startswith(("image.", "text.")) or len(rows) <= few:
            return rows
        return rows[np.linspace(0, len(rows) - 1, few).astype(np.int64)]

    def rng(self, task: Task, ids: Any = None, like: Any = None) -> Draws:
        """The task's random numbers."""
        return Draws(task.seed, task.plugin, ids, like)

    def others(self) -> Data:
        """Ordinary rows that somebody who attacks may hold: held-out rows that are not under attack, 500 at most."""
        rows = np.setdiff1d(self.held_out, self.attacked)
        if len(rows) > _OTHERS:
            rows = np.sort(Draws(self.seed, "others").generator().choice(rows, _OTHERS, replace=False))
        return self.system.data.take(rows)

    def training(self) -> Data | None:
        """The training rows used by refits: all, or a seeded sample of `sizes.trained`."""
        train = self.system.train
        if train is None or len(train) <= self.sizes.trained:
            return train
        keep = Draws(self.seed, "training").generator().choice(len(train), self.sizes.trained, replace=False)
        return train.take(np.sort(keep))

    @property
    def refits(self) -> bool:
        """Whether fresh models of the same family can be fitted."""
        return self.system.defend is not None or fits(self.target)

    def fit(self, subsets: Sequence[Data], recipe: Recipe) -> list[Target]:
        """Fresh models of the same family, one per subset; of a hardened system, behind its defence."""
        return fit_each(self.target, subsets, recipe, self.system.defend)


Run = Callable[[Task, World], Part]


def room_of(name: str) -> tuple[str, str]:
    """Room and plugin of a full name: ("stress", "missing"), ("attacks", "evasion.noise")."""
    head, _, rest = name.partition(".")
    return (head, rest) if head in ("stress", "validation", "fuzz") else ("attacks", name)


def actor_slice(task: Task, world: World) -> str:
    """Several actors have budgets of their own, so what is measured within one stands apart."""
    return "all" if len(world.system.actors) < 2 else f"actor:{task.scenario.partition('@')[2]}"


def foreign(system: Protected, room: str) -> tuple[str, ...]:
    """Plugins of other packages in this room; they are off until `assess.plugins` names them."""
    return tuple(plugin for where, plugin in map(room_of, system.plugins) if where == room)


def clock() -> float:
    """Seconds on a clock that only goes forward."""
    return time.perf_counter()
