"""What is new in the training table since somebody accepted it, and whether it came by nature."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.core.accused import Accused
from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.measure import Better, Measurement, Status
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import ScoreKind
from temper.judges._pooled import area
from temper.kernels.overfull import FEWEST, OverFull
from temper.kernels.rate import apart, measure_rate
from temper.kernels.since_accepted import SinceAccepted, since_accepted
from temper.kernels.two_sample import two_sample
from temper.validation._measured import missing, not_applicable

NAME = "snapshot_diff"
_IDS, _SHOWN = 20, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotDiff:
    """Compare the training table with the one that was accepted before it: rows added, removed and relabelled, drift of
    labels and columns, and boxes of few columns that hold too many new rows.

    `accused_share` counts new rows in boxes that nothing but the box sets apart, as where a stamp was put on rows taken
    at random, wrong label or not, and rows repeated over and over; `over_full_share` counts all over-full boxes, which
    drift makes too. Boxes are chosen on half of the rows and tested on the other at `level`. Misleads where the
    accepted table was poisoned already, where all new rows of a place or a customer are the attacker's own (that looks
    like drift), and in tables of few columns, where drift and a stamp look alike.
    Source: Lopez-Paz & Oquab, "Revisiting classifier two-sample tests", 2017 (drift); Friedman & Fisher, "Bump hunting
    in high-dimensional data", 1999 (boxes).

    >>> SnapshotDiff().level
    0.001
    """

    whole_train: ClassVar[bool] = True
    level: float = 1e-3
    seed: int = 0

    def measure(self, scene: Scene) -> tuple[Measurement, ...] | Accused:
        """Counts of rows, drift with its intervals, and the accused new rows with their boxes in words."""
        train, accepted, schema = scene.train, scene.accepted, scene.schema
        if train is None or accepted is None:
            return not_applicable(NAME, "it compares training rows with accepted ones, and data.accepted names none")
        if not schema.columns or np.ndim(train.x) != 2 or scene.kind is ScoreKind.VALUE:
            return not_applicable(NAME, "it reads a labelled table with a schema, and here is none")
        rng = Draws(self.seed, NAME)
        seen = since_accepted(train, accepted, schema, rng, level=self.level, progress=scene.progress)
        fresh = train.take(np.flatnonzero(seen.diff.new))
        counted = (*_counts(seen, accepted), *_labels(fresh, accepted, scene.classes))
        if len(fresh) < FEWEST or len(accepted) < FEWEST:
            return *counted, _too_few(len(fresh), len(accepted))
        told = (*counted, _drift(fresh, accepted, schema, rng), *_shares(seen, train, schema, self.level))
        return Accused(measurements=told, ids=np.asarray(train.ids)[seen.accused])


def _counts(seen: SinceAccepted, accepted: Data) -> Iterator[Measurement]:
    diff = seen.diff
    told = (
        f"{int(diff.added.sum()):,} added, {int(diff.changed.sum()):,} with other values, "
        f"{int(diff.relabelled.sum()):,} relabelled, {int(diff.removed.sum()):,} removed"
    )
    kinds = (
        ("new_share", diff.new, "share of training rows"),
        ("relabelled_share", diff.relabelled, "share of training rows"),
        ("removed_share", diff.removed, "share of accepted rows"),
    )
    for metric, mask, unit in kinds:
        share, count = float(mask.mean()), int(mask.sum())
        about: dict[str, Any] = {"value": share, "low": share, "high": share, "n": len(mask), "count": count}
        yield Measurement(plugin=NAME, metric=metric, unit=unit, method="count", caveats=(told, diff.how), **about)


def _labels(fresh: Data, accepted: Data, classes: int) -> Iterator[Measurement]:
    """Per class its share of the new rows minus that of the accepted ones."""
    for label in range(classes if len(fresh) else 0):
        now, was = ((int((np.asarray(part.y) == label).sum()), len(part)) for part in (fresh, accepted))
        value, low, high = apart(*now, *was)
        yield Measurement(
            plugin=NAME,
            metric="label_shift",
            slice=f"class={label}",
            value=value,
            low=low,
            high=high,
            n=len(fresh),
            unit="share of new rows minus share of accepted rows",
            method="Newcombe",
        )


def _drift(fresh: Data, accepted: Data, schema: Schema, rng: Draws) -> Measurement:
    seen = two_sample(fresh, accepted, rng.integer())
    value, low, high = area(seen.fresh, seen.scores)
    moved = [f"{schema.columns[at].name} by {apart:.2f} (p {p:.1g})" for at, apart, p in seen.columns[:_SHOWN]]
    told = f"{len(seen.columns)} columns drifted: {', '.join(moved)}" if moved else "no single column drifted"
    return Measurement(
        plugin=NAME,
        metric="drift_auc",
        value=value,
        low=low,
        high=high,
        n=len(fresh) + len(accepted),
        unit="area under the curve, new against accepted rows",
        method="classifier two-sample test on values and labels, 3 folds; DeLong",
        baseline=(("no drift", 0.5),),
        caveats=(told, "columns by the distance of distribution functions, discovery rate 0.05"),
    )


def _shares(seen: SinceAccepted, train: Data, schema: Schema, level: float) -> tuple[Measurement, ...]:
    n = int(seen.diff.new.sum())
    more: dict[str, Any] = {"unit": "share of new rows", "method": f"chosen on half, tested on the other at {level:g}"}
    drifted = [box for box in seen.boxes if not box.stamped]
    words = [_told(box, schema, train) for box in seen.boxes if box.stamped]
    if count := int(seen.repeats.sum()):
        words.append(f"{count:,} new rows repeat over and over, {_ids(train, np.flatnonzero(seen.repeats))}")
    by_nature = tuple(_told(box, schema, train) for box in drifted) or ("no box that drift explains",)
    chance = (("tables of one make: chance that any row is accused", level),)
    return (
        measure_rate(
            NAME, "over_full_share", int(seen.over_full.sum()), n, better=Better.NEITHER, caveats=by_nature, **more
        ),
        measure_rate(
            NAME,
            "accused_share",
            int(seen.accused.sum()),
            n,
            baseline=chance,
            caveats=tuple(words) or (_BLIND,),
            **more,
        ),
    )


_BLIND = "blind to stamps that were accepted before, to wide ones, and to an attacker whose rows are all of one kind"


def _told(box: OverFull, schema: Schema, train: Data) -> str:
    """The box as a person reads it, with what speaks against it."""
    sides = ", ".join(_side(schema, at, *ends) for at, ends in sorted(box.box.items()))
    why = (
        "too few other columns to tell drift from a stamp"
        if np.isnan(box.unlike)
        else "nothing else sets them apart"
        if box.stamped
        else f"other columns set them apart too, as drift does ({box.unlike:.1f} standard deviations)"
    )
    return (
        f"{sides}: {box.new:,} tested new rows beside {box.accepted:,} accepted ones, where {box.expected:.1f} were "
        f"expected (p {box.p:.1g}); {why}; {_ids(train, box.rows)}"
    )


def _side(schema: Schema, at: int, low: float, high: float) -> str:
    if at == len(schema.columns):
        return f"label = {low:.0f}"
    column = schema.columns[at]
    first, last = (column.show(np.nan if np.isinf(end) else end) for end in (low, high))
    return f"{column.name} = {first}" if low == high else f"{column.name} {first} to {last}"


def _ids(train: Data, rows: Any) -> str:
    ids = np.sort(np.asarray(train.ids)[rows])
    more = f" and {len(ids) - _IDS:,} more" if len(ids) > _IDS else ""
    return f"ids {', '.join(str(one) for one in ids[:_IDS])}{more}"


def _too_few(fresh: int, accepted: int) -> Measurement:
    reason = f"drift and stamps take {FEWEST} new and {FEWEST} accepted rows, and here are {fresh} and {accepted}"
    return missing(NAME, "accused_share", Status.INCONCLUSIVE, reason, n=fresh, better=Better.LOWER)


PLUGIN = SnapshotDiff
