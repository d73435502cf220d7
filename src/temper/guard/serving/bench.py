"""A served model with its stages, asked about single rows by hand: no trail, quota or record hears of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from temper.config.reading import read
from temper.config.serving import Serving, serving_of
from temper.config.system import load_system
from temper.core.errors import SchemaError, TemperError
from temper.core.probe import Look, Row, Subject, Told
from temper.core.schema import Change
from temper.core.serving import Mode, Scoring
from temper.core.stage import Decision, Level
from temper.core.system import Protected
from temper.core.target import ScoreKind
from temper.core.written import value_of
from temper.guard.serving import parts
from temper.guard.serving.pipeline import Layer, grey
from temper.kernels.loss import decide
from temper.targets.served import Served, served

Array = np.ndarray[Any, Any]
Corruptions = Mapping[str, Callable[[Array, int], Array]]
NEAREST = 8
_HELD = 2_000
_ALONE = "it judges what a client asks again and again, not a row"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Posed:
    """A row on the bench: where it is from, the `base` that changes count from (None where it was made from nothing),
    the row as it is now, and the class of the base where that is known.
    """

    origin: str
    base: Array | None
    row: Array
    label: int | None = None

    def subject(self, columns: tuple[str, ...]) -> Subject:
        """It as a document keeps it."""
        base = () if self.base is None else numbers(self.base)
        return Subject(origin=self.origin, columns=columns, base=base, row=numbers(self.row), label=self.label)


@dataclass(frozen=True, kw_only=True, eq=False)
class Bench:
    """The `system` of a temper.yaml. `model` is None where it has more than two classes: such a model is served behind
    no stages, and its score is that of the class which the first row belongs to. `missing` says why there are none.
    `corruptions` of pictures, by name, are handed in by whoever may load them.
    """

    system: Protected
    model: Served | None = None
    before: tuple[Layer, ...] = ()
    after: tuple[Layer, ...] = ()
    alone: tuple[str, ...] = ()
    review: tuple[float, float] | None = None
    missing: str = ""
    corruptions: Corruptions = field(default_factory=dict)

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
            return Bench(system=system, missing="the guard serves tables with one score")
        model = served(system.target, system.data.x, system.threshold)
        if system.train is None and not Path(serving.profile).exists():
            return Bench(
                system=system, model=model, missing="data.train is not named, so there is nothing to compare with"
            )
        profile = parts.profile(system, serving, model)

        def stage(name: str, given: Any) -> Any:
            return parts.room(serving).build(name, {"profile": profile, **given})

        return Bench(
            system=system,
            model=model,
            before=parts.layers((*parts.BEFORE, *parts.foreign(serving)), serving, stage),
            after=parts.layers(parts.AFTER, serving, stage),
            alone=tuple(name for name in parts.EACH if parts.mode_of(serving, name) is not Mode.OFF),
            review=parts.review(parts.options_of(serving)),
        )

    @property
    def name(self) -> str:
        """The name of the system."""
        return self.system.name

    def look(self, posed: Posed) -> Look:
        """What is seen of a row, and of the change that led to it, in one question to the model."""
        schema, row, base = self.system.schema, posed.row, posed.base
        changes = () if base is None or not schema.columns else tuple(self._changes(row, base))
        undone = self._undone(row, base, [one.column for one in changes if not one.derived])
        scores, decided = self.marks([*([] if base is None else [base]), row, *undone.values()])
        own = 0 if base is None else 1
        moved = {name: float(scores[own] - scores[own + 1 + at]) for at, name in enumerate(undone)}
        return Look(
            after=float(scores[own]),
            decided=decided[own],
            before=None if base is None else float(scores[0]),
            decided_before="" if base is None else decided[0],
            threshold=self.threshold,
            told=tuple(self._told(row, scores[own : own + 1])),
            broken=self._broken(row, base),
            changes=changes,
            cost=0.0 if base is None else float(schema.cost(row[None], base[None])[0]),
            moved=tuple(sorted(moved.items(), key=lambda one: -abs(one[1]))),
            model=self.system.target.digest,
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
            kept[at] = max((Level[one.level] for one in told if one.counts), default=Level.ALLOW) <= like.level
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

    def row(self, sample: int) -> Posed:
        """The held-out row of this id; raises `TemperError` where there is none."""
        at = int(self.system.data.positions([sample])[0]) if abs(sample) < 2**62 else -1
        if at < 0:
            ids = self.system.data.ids
            raise TemperError(f"there is no held-out row {sample}", fix=f"they are numbered {ids.min()} to {ids.max()}")
        x, y = np.array(self.system.data.x[at], dtype=np.float64), self.system.data.y[at]
        label = None if self.system.target.kind is ScoreKind.VALUE else int(y)
        return Posed(origin=f"held-out row {sample}", base=x, row=x, label=label)

    def nothing(self) -> Posed:
        """A row made from the Schema alone: what lies nearest to nothing within the ranges."""
        schema = self.system.schema
        if schema.columns:
            row = np.clip(np.zeros(len(schema.columns)), schema.lows, schema.highs)
        else:
            row = np.full(self.system.data.x.shape[1:], np.clip(0.0, schema.low, schema.high))
        return Posed(origin="an empty row", base=None, row=row)

    def kept(self, subject: Subject) -> Posed:
        """What was probed once; raises `TemperError` where the columns are others by now, or the pictures."""
        shape = self.system.data.x.shape[1:]
        if subject.columns != self.system.schema.names or len(subject.row) != math.prod(shape):
            raise TemperError("what was probed has other columns than this system", fix="probe it anew")
        base = array(subject.base).reshape(shape) if subject.base else None
        return Posed(origin=subject.origin, base=base, row=array(subject.row).reshape(shape), label=subject.label)

    def edited(self, posed: Posed, settings: Mapping[str, str]) -> tuple[Posed, list[SchemaError]]:
        """With these values by column, derived columns that none was given for computed anew, and which could not
        be read. An unknown column raises `SchemaError`.
        """
        schema, row, wrong = self.system.schema, posed.row.copy(), []
        for name, text in settings.items():
            at = schema.index(name)
            try:
                row[at] = value_of(schema.columns[at], text)
            except SchemaError as error:
                wrong.append(error)
        if settings:
            row = self._following(row, posed.row if posed.base is None else posed.base, settings)
        return replace(posed, row=row), wrong

    def _following(self, row: Array, base: Array, given: Iterable[str]) -> Array:
        """The row with derived columns computed anew from the base, but for those that were `given`."""
        schema = self.system.schema
        kept = np.isin(schema.names, list(given))[None]
        return np.asarray(schema.derive(row[None], base[None], kept)[0])

    def _changes(self, row: Array, base: Array) -> Iterator[Change]:
        """What was changed. A column out of an attacker's reach did not follow from anything: somebody has set it."""
        for one in self.system.schema.decode(row, base):
            yield replace(one, derived=bool(self.system.schema.columns[self.system.schema.index(one.column)].formula))

    def _undone(self, row: Array, base: Array | None, names: list[str]) -> dict[str, Array]:
        """The row with each of these changes alone taken back, and what derives from it."""
        found: dict[str, Array] = {}
        if base is None:
            return found
        for name in names:
            at, back = self.system.schema.index(name), row.copy()
            back[at] = base[at]
            found[name] = self._following(back, base, ())
        return found

    def _broken(self, row: Array, base: Array | None) -> tuple[str, ...]:
        """Which rules of the Schema this breaks. A row from nowhere is held against its nearest one within the ranges,
        since whatever it holds is what it has always been.
        """
        schema = self.system.schema
        if base is not None:
            return schema.faults(row, base)
        low, high = (schema.lows, schema.highs) if schema.columns else (schema.low, schema.high)
        return (
            *schema.faults(row, np.clip(row, low, high)),
            *(f"{text} does not hold" for text in schema.unmet(row[None])),
        )

    def _told(self, row: Array, scores: Array) -> list[Told]:
        """What each stage says of the row by itself, whatever those before it said."""
        at = time.monotonic()
        asked = Scoring(rows=row[None], client="", request="", at=at, deadline=math.inf)
        said = [_said(layer, asked) for layer in self.before]
        asked.scores = scores
        said += [_said(layer, asked) for layer in self.after]
        if self.review is not None:
            undecided = any(grey(asked, self.review))
            level, reason = (Level.REVIEW, "the score is undecided") if undecided else (Level.ALLOW, "")
            said.append(Told(stage="decide", mode=Mode.ENFORCE.value, level=level.name, reason=reason))
        return [*(Told(stage=one, mode="aside", level="ALLOW", reason=_ALONE) for one in self.alone), *said]


def numbers(row: Array) -> Row:
    """A row as a document holds it.

    >>> numbers(np.array([1.0, np.nan]))
    (1.0, None)
    """
    return tuple(None if np.isnan(value) else float(value) for value in np.ravel(row))


def array(row: Row) -> Array:
    """The same back."""
    return np.array([np.nan if value is None else value for value in row], dtype=np.float64)


def _said(layer: Layer, asked: Scoring) -> Told:
    name, mode, stage = layer
    try:
        found = stage.check(asked)
    except Exception as crash:  # whatever a stage trips over counts as it would at the gateway
        found = Decision(level=Level.BLOCK, reason=f"the stage failed: {type(crash).__name__}")
    return Told(stage=name, mode=mode.value, level=found.level.name, reason=found.reason)


def _finite(scores: Array) -> Array:
    found = np.asarray(scores, dtype=float)
    if not np.isfinite(found).all():
        raise TemperError("the model gives no finite score for this row", fix="take back the last change")
    return found
