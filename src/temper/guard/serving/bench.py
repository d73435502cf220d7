"""A served model with its stages, asked about single rows by hand: no trail, quota or record hears of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from temper.config.reading import read
from temper.config.serving import Serving, serving_of
from temper.config.system import load_system
from temper.core.errors import TemperError
from temper.core.probe import OWN_POLICY, Look, Told, worst
from temper.core.system import Protected
from temper.core.target import ScoreKind
from temper.guard.serving.assembled import TableGuard
from temper.guard.serving.layers import Layers
from temper.guard.serving.posed import Posed, Posing
from temper.kernels.loss import decide
from temper.targets.served import Served, served

Array = np.ndarray[Any, Any]
Corruptions = Mapping[str, Callable[[Array, int], Array]]
NEAREST = 8
_HELD = 2_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Bench(Posing):
    """The `system` of a temper.yaml. `model` is None where it has more than two classes: such a model is served behind
    no stages, and its score is that of the class which the first row belongs to. `missing` says why there are none.
    `corruptions` of pictures, by name, are handed in by whoever may load them. It is of the guard `serving`, and judges
    by the `policy` of this name.
    """

    model: Served | None = None
    layers: Layers | None = None
    missing: str = ""
    corruptions: Corruptions = field(default_factory=dict)
    serving: Serving | None = None
    policy: str = OWN_POLICY

    @staticmethod
    def at(path: Path, *, trust_pickle: bool = False, today: date | None = None) -> Bench:
        """What this temper.yaml describes, opened like everywhere else: a pickle only where it is trusted, after a
        scan.
        """
        system = load_system(path, trust_pickle=trust_pickle, today=today)
        return Bench.of(system, serving_of(read(path), path.absolute().parent))

    @staticmethod
    def of(system: Protected, serving: Serving) -> Bench:
        """This system behind this guard."""
        if not system.schema.columns or system.target.classes > 2:
            return Bench(system=system, serving=serving, missing="the guard serves tables with one score")
        if system.train is None and not Path(serving.profile).exists():
            model = served(system.target, system.data.x, system.threshold)
            why = "data.train is not named, so there is nothing to compare with"
            return Bench(system=system, model=model, serving=serving, missing=why)
        guard = TableGuard.of(system, serving)
        return Bench(system=system, model=guard.model, layers=Layers.of(guard), serving=serving)

    @property
    def name(self) -> str:
        """The name of the system."""
        return self.system.name

    def look(self, posed: Posed) -> Look:
        """What is seen of a row, and of the change that led to it, in one question to the model."""
        row, base = posed.row, posed.base
        changes = self.changes(posed)
        undone = self.undone(posed, changes)
        scores, decided = self.marks([*([] if base is None else [base]), row, *undone.values()])
        own = 0 if base is None else 1
        moved = {name: float(scores[own] - scores[own + 1 + at]) for at, name in enumerate(undone)}
        return Look(
            after=float(scores[own]),
            decided=decided[own],
            before=None if base is None else float(scores[0]),
            decided_before="" if base is None else decided[0],
            threshold=self.threshold,
            told=self._told(row, scores[own : own + 1]),
            broken=self.broken(posed),
            changes=changes,
            cost=0.0 if base is None else float(self.system.schema.cost(row[None], base[None])[0]),
            moved=tuple(sorted(moved.items(), key=lambda one: -abs(one[1]))),
            model=self.system.target.digest,
            policy=self.policy,
        )

    def marks(self, rows: Sequence[Array]) -> tuple[Array, list[str]]:
        """The score of each row, and what is decided of it."""
        x, classes = np.stack(list(rows)), self.system.classes
        if self.model is None:
            full = np.asarray(self.system.target.scores(x.astype(self.system.data.x.dtype)), dtype=float)
            found = np.asarray(decide(full, self.system.target.kind, self.system.threshold))
            if self.system.target.kind is ScoreKind.LOGITS:
                full = np.exp(full - np.logaddexp.reduce(full, axis=1, keepdims=True))
            return _finite(full[:, found[0]]), [classes[at] for at in found]
        scores = _finite(self.model.score(np.ascontiguousarray(x, dtype=np.float64)))
        if self.threshold is None:
            return scores, ["" for _ in scores]
        return scores, [classes[-1] if score >= self.threshold else classes[0] for score in scores]

    def keeps(self, rows: Array, base: Array, like: Look) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which rows get what a look got: its decision, within the rules, and no stage says worse than it said then."""
        scores, decided = self.marks(list(rows))
        base = np.broadcast_to(base, rows.shape)
        kept = (np.array(decided) == like.decided) & self.system.schema.admits(rows, base)
        for at in np.flatnonzero(kept):
            told = self._told(rows[at], scores[at : at + 1])
            kept[at] = worst(told) <= like.level
        return np.asarray(kept, dtype=bool)

    @property
    def threshold(self) -> float | None:
        """The score from which on the last class is decided; None where a class is the one with most, or for values."""
        if self.model is None or self.system.target.kind is ScoreKind.VALUE:
            return None
        usual = 0.0 if self.system.target.kind is ScoreKind.MARGIN else 0.5
        return usual if self.system.threshold is None else self.system.threshold

    @cached_property
    def nearest(self) -> list[tuple[int, float]]:
        """Held-out rows whose score lies nearest to the threshold, by their ids: the first worth a probe."""
        if self.threshold is None:
            return []
        scores, _ = self.marks(list(self.system.data.x[:_HELD]))
        order = np.argsort(np.abs(scores - self.threshold), kind="stable")[:NEAREST]
        return [(int(self.system.data.ids[at]), float(scores[at])) for at in order]

    def _told(self, row: Array, scores: Array) -> tuple[Told, ...]:
        return () if self.layers is None else tuple(self.layers.told(row, scores))


def _finite(scores: Array) -> Array:
    found = np.asarray(scores, dtype=float)
    if not np.isfinite(found).all():
        raise TemperError("the model gives no finite score for this row", fix="take back the last change")
    return found
