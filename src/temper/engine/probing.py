"""What a machine does with somebody's probe: make it minimal, measure the region it lies in, try it on other models,
and keep it as a regression test.

All of it is asked of the model behind its stages, so a smaller change that a stage would stop is no smaller change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from temper.core.attack import RowVerdict, Scene
from temper.core.budget import Budget
from temper.core.data import Data
from temper.core.errors import TemperError
from temper.core.probe import Hand, Look, Probe, Row
from temper.core.room import Room
from temper.core.seed import Draws
from temper.core.target import ScoreKind, Target
from temper.engine.recurrence.kept import Occasion, chosen, keep
from temper.engine.recurrence.rows import Rows
from temper.engine.strike import strike
from temper.guard.serving import parts
from temper.guard.serving.bench import Bench
from temper.guard.serving.posed import Posed, numbers
from temper.kernels.rate import wilson
from temper.kernels.search import random_point, reachable
from temper.store.control import Control
from temper.store.control.deployed import deployed, loaded, named
from temper.targets.function import Function

Array = np.ndarray[Any, Any]
SEARCH, QUERIES = "evasion.boundary", 4_000
RADII = (0.05, 0.1, 0.25, 0.5, 1.0)
"""How far neighbours lie, in scales of their columns."""
POINTS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """What came of it in lines, whether what the probe showed is still there, and a row that was found, if any."""

    text: str
    there: bool
    row: Row = ()


def handed(bench: Bench, probe: Probe, hand: Hand, models: Callable[[], Mapping[str, Bench]]) -> Handed:
    """Do what `hand` says with a probe, where it still gets what it got; `models` are asked for where it is tried on
    others. Raises `TemperError` for a probe that has shown nothing.
    """
    posed, then = bench.kept(probe.draft.subject), probe.draft.look
    if posed.base is None or not then.turned or then.broken:
        raise TemperError(
            "the probe turned no decision within the rules, so there is nothing to work on",
            fix="hand over one that did",
        )
    look = bench.look(posed)
    if not look.turned or look.broken or look.level > then.level:
        return Handed(text=_text(probe, [_told(look), "GONE: it does not get what it got then"]), there=False)
    if hand is Hand.TRANSFER:
        return transfer(probe, posed, look, models())
    doing = {Hand.MINIMAL: minimal, Hand.NEIGHBOURS: neighbours, Hand.TEST: test}
    return doing[hand](bench, probe, posed, look)


def minimal(bench: Bench, probe: Probe, posed: Posed, look: Look) -> Handed:
    """The cheapest change that gets what the probe got: an attack that walks along the boundary, from the probe.

    What it says is an upper end: there may be cheaper changes that nobody has found.
    """
    found = _searched(bench, posed, look)
    best = posed if found is None else replace(posed, row=found)
    now = bench.look(best)
    if now.cost >= look.cost:
        best, now = posed, look
    lines = [f"{QUERIES:,} questions by {SEARCH}, each through every stage"]
    lines += [f"cost {look.cost:.4g} as it was tried, {now.cost:.4g} the least that was found"]
    lines += [f"  {one}{' (follows)' if one.derived else ''}" for one in now.changes]
    lines += [_told(now), "NOTHING SMALLER was found" if best is posed else "SMALLER; there may be smaller ones still"]
    return Handed(text=_text(probe, lines), there=True, row=numbers(best.row))


def neighbours(bench: Bench, probe: Probe, posed: Posed, look: Look) -> Handed:
    """How large the region is: the share of admissible random points around the probe that get what it got.

    Points are uniform in the columns an attacker may move, so the share says nothing of where people would look.
    """
    lines, wide = [f"up to {POINTS} admissible random points at each distance, in scales of the columns"], 0.0
    for radius in RADII:
        points = _around(bench, posed, radius)
        kept = int(bench.keeps(points, np.asarray(posed.base), look).sum()) if len(points) else 0
        low, high = wilson(kept, len(points))
        wide = radius if low > 0.5 else wide
        lines.append(f"  within {radius:g}: {kept} of {len(points)} ({100 * low:.0f} % to {100 * high:.0f} %)")
    lines.append(
        f"MORE THAN HALF do the same within {wide:g}" if wide else "A NARROW SPOT: nowhere more than half do the same"
    )
    return Handed(text=_text(probe, lines), there=True)


def transfer(probe: Probe, posed: Posed, look: Look, models: Mapping[str, Bench]) -> Handed:
    """Whether it does the same to the other models there are, each behind the same stages."""
    if not models:
        raise TemperError("there is no other model", fix="name guard: fallback: challenger:, or deploy another version")
    seen = {name: other.look(posed) for name, other in models.items()}
    many = sum(one.turned and one.level <= look.level for one in seen.values())
    lines = [f"this model: {_told(look)}", *(f"{name}: {_told(one)}" for name, one in seen.items())]
    lines.append(f"IT TRANSFERS to {many} of {len(models)}" if many else f"IT TRANSFERS to none of {len(models)}")
    return Handed(text=_text(probe, lines), there=True)


def test(bench: Bench, probe: Probe, posed: Posed, look: Look) -> Handed:
    """Keep the row as a case that `temper assess` asks, with a pytest file beside it; it fails until it is mended."""
    if posed.label is None:
        raise TemperError("nobody knows how this row has to be decided", fix="hand over a probe of a held-out row")
    base = Path(bench.system.source).absolute().parent
    folder = base / "regressions" / f"probe-{probe.id}"
    occasion = Occasion(kind="probe", number=probe.id, title=probe.draft.hypothesis)
    rows = Rows(x=posed.row[None], y=np.array([posed.label]), origin=f"probe {probe.id}")
    kept = chosen(bench.system, occasion, [rows], 1)
    cases, file, _ = keep(folder, bench.system, occasion, kept)
    lines = [f"{file.relative_to(base)}: fails on this model, and has to pass on the mended one"]
    lines.append(f"KEPT; assess: {{recurrences: [{cases.relative_to(base)}]}} asks it in every assessment")
    return Handed(text=_text(probe, lines), there=True, row=numbers(posed.row))


def others(bench: Bench, control: Control) -> dict[str, Bench]:
    """The other models over the same columns, behind the same guard: the challenger of temper.yaml, and versions that
    were deployed.
    """
    system, serving, base = bench.system, bench.serving, Path(bench.system.source).absolute().parent
    found: dict[str, Target] = {}
    if serving is None:
        return {}
    given = parts.options_of(serving).get("fallback", {}).get("challenger")
    if given is not None:
        found["the challenger"] = parts.challenger(given, system, base)
    live = deployed(control)
    found |= {named(value): loaded(system, value) for value in (*live.lives, live.trial) if value is not None}
    return {
        name: Bench.of(replace(system, target=target), serving)
        for name, target in found.items()
        if target.digest != system.target.digest
    }


def _searched(bench: Bench, posed: Posed, look: Look) -> Array | None:
    """The nearest row in cost that gets the same, by an attack that knows decisions alone and starts from the probe."""
    base = np.asarray(posed.base)
    asked = Function(
        call=lambda rows: bench.keeps(np.asarray(rows, dtype=np.float64), base, look).astype(np.int64),
        kind=ScoreKind.PROBABILITIES,
        classes=2,
        labels_only=True,
    )
    scene = Scene(
        x=base[None],
        y=np.array([0]),
        ids=np.array([0]),
        schema=bench.system.schema,
        budget=Budget(norm="cost", queries=QUERIES),
        mode="nearest",
        reference=Data(x=posed.row[None], y=np.array([1])),
    )
    found = strike(Room("temper.attacks").build(SEARCH, {}), asked, scene, 0, SEARCH)
    return np.asarray(found.x_adv[0], dtype=np.float64) if found.verdicts[0] == RowVerdict.BROKEN.value else None


def _around(bench: Bench, posed: Posed, radius: float) -> Array:
    """Random points within this distance of the probe that its base may become."""
    schema = bench.system.schema
    x = np.repeat(posed.row[None], POINTS, axis=0)
    budget = Budget(norm="linf", radius=radius)
    scene = Scene(x=x, y=np.zeros(POINTS, dtype=int), ids=np.arange(POINTS), schema=schema, budget=budget)
    low, high = reachable(schema, x, budget)
    drawn = random_point(scene, np.arange(POINTS), Draws(0, f"probe.{radius:g}", scene.ids, x), 0, low, high)
    base = np.broadcast_to(np.asarray(posed.base), drawn.shape)
    drawn = schema.derive(drawn, base)
    return np.asarray(drawn[schema.admits(drawn, base)])


def _told(look: Look) -> str:
    stage = next((f", {one.stage} says {one.level}" for one in look.told if one.counts and one.level != "ALLOW"), "")
    return f"score {look.before:.4g} -> {look.after:.4g}, {look.decided_before} -> {look.decided}{stage}"


def _text(probe: Probe, lines: list[str]) -> str:
    return "\n".join([f"probe {probe.id}: {probe.draft.hypothesis.splitlines()[0][:200]}", *lines])
