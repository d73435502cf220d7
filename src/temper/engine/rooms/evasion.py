"""Evasion: run one shard against the oracle; merge shards into a judged figure with its power checks and findings."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.finding import Example, Finding
from temper.core.measure import Curve, Measurement, Point, Status
from temper.core.schema import Change, Schema
from temper.core.target import ScoreKind
from temper.engine.adaptive import pressed
from temper.engine.doubt import BASELINE, CHANCES, doubts_of, tried_again
from temper.engine.identity import weakness
from temper.engine.power import weak_twin
from temper.engine.rooms._defences import against
from temper.engine.strike import strike
from temper.engine.task import Part, Task, World, actor_slice
from temper.kernels.loss import decide
from temper.kernels.png import encode, side_by_side
from temper.kernels.rate import measure_rate, wilson
from temper.targets._array import to_numpy
from temper.targets.oracle import Evidence

_EXAMPLES = 5
_SEEN = 1e-6  # single precision moves a value by less without anybody having touched it
_TWINS = 40
_SIDE = 160  # pixels a picture should have to be looked at
_PAIRS = 4
_OWN = "l2"  # the norm of a budget without any limit: the threat brings its own (see the catalogue)


def run(task: Task, world: World) -> Part:
    """Attack one shard of the rows, with the random baseline and the planted weak twin of equal budget beside it."""
    attack = world.room("attacks").build(task.plugin, dict(task.options))
    if missing := attack.needs & ~world.target.access:
        return Part(status=Status.UNTRIED, reason=f"needs {missing.words()}, which this target does not offer")
    rows = world.attacked[task.start : task.stop]
    scene = world.scene(task, rows, mode=getattr(attack, "mode", "nearest"), reference=world.others())
    found = pressed(attack, world.target, scene, task.seed, task.plugin)
    evidence = _arrays(found) | {"ids": np.asarray(scene.ids)}
    if task.plugin != BASELINE and bounded(task.budget):
        evidence["noise"] = _by_chance(task, world, scene).verdicts
        evidence |= _planted(attack, task, world, rows[:_TWINS])
    return Part(evidence=evidence, queries=int(found.queries.sum()), seconds=found.seconds)


def bounded(budget: Budget) -> bool:
    """Whether a radius or a price limits the moves; a sticker or a turn has limits of its own, which noise has not."""
    return budget.radius is not None or budget.cost is not None or budget.norm != _OWN


def _by_chance(task: Task, world: World, scene: Scene) -> Evidence:
    """Random admissible moves on the same rows: of equal budget, or a stated number where queries are not counted."""
    queries = CHANCES if task.budget.queries is None else task.budget.queries
    calm = replace(task.budget, queries=queries)
    noise = world.room("attacks").build(BASELINE)
    return strike(noise, world.target, replace(scene, budget=calm, mode="first"), task.seed, BASELINE)


def _planted(attack: Any, task: Task, world: World, rows: Any) -> dict[str, Any]:
    """How many of the surely breakable rows of a weak twin the attack broke, and of how many."""
    scene = world.scene(task, rows, mode="first")
    planted = weak_twin(scene, attack.needs) if len(rows) else None
    if planted is None:
        return {}
    twin, breakable = planted
    ones = np.ones(len(scene.x), int)
    shadow = replace(scene, threshold=0.5, kind=twin.kind, classes=2, target=twin, y=ones, tolerance=0.0)
    hit = strike(attack, twin, shadow, task.seed, task.plugin)
    return {"twin": np.array([(hit.verdicts[breakable] == "broken").sum(), breakable.sum()])}


def conclude(task: Task, parts: Sequence[Part], world: World) -> tuple[tuple[Measurement, ...], tuple[Finding, ...]]:
    """Merge the shards of one attack."""
    skipped = [part for part in parts if part.status is not Status.OK]
    if len(skipped) == len(parts):
        return (_untried(task, skipped[0], world),), ()
    merged = _merge([part for part in parts if part.status is Status.OK])
    lost = sum(1 for part in parts if part.status is not Status.OK)
    measured = _measure(task, merged, world, lost, parts)
    broken = merged["verdicts"] == "broken"
    if not broken.any():
        return measured, ()
    return measured, (_finding(task, merged, world, measured[0]),)


def _untried(task: Task, part: Part, world: World) -> Measurement:
    return Measurement(
        plugin=task.plugin,
        metric="success_rate",
        value=None,
        slice=actor_slice(task, world),
        status=part.status,
        reason=part.reason,
    )


def _arrays(found: Evidence) -> dict[str, Any]:
    names = ("verdicts", "distance", "cost", "queries", "broken_at", "clean_score", "score")
    said = {f"note_{name}": values for name, values in found.notes.items()}
    rows = {"x_adv": to_numpy(found.x_adv), "reasons": np.asarray(found.reasons)}
    return {name: np.asarray(getattr(found, name)) for name in names} | rows | said


def _merge(parts: Sequence[Part]) -> dict[str, Any]:
    every = [set(part.evidence) for part in parts]
    names = set.intersection(*every) - {"twin"}
    merged = {name: np.concatenate([part.evidence[name] for part in parts]) for name in names}
    for name in sorted(set.union(*every) - names):
        if name.startswith("note_"):  # not every shard has something to say
            merged[name] = np.concatenate([_note(part, name) for part in parts])
    twins = [part.evidence["twin"] for part in parts if "twin" in part.evidence]
    if twins:
        merged["twin"] = np.sum(twins, axis=0)
    return merged


def _note(part: Part, name: str) -> np.ndarray[Any, Any]:
    silent = np.full(len(part.evidence["verdicts"]), np.nan)
    return np.asarray(part.evidence.get(name, silent), dtype=float)


def _measure(
    task: Task, merged: dict[str, Any], world: World, lost: int, parts: Sequence[Part]
) -> tuple[Measurement, ...]:
    verdicts = merged["verdicts"]
    n = len(verdicts) + lost * world.sizes.shard
    broken = int((verdicts == "broken").sum())
    held = int((verdicts == "held").sum())
    doubts = doubts_of(task.plugin, merged)
    chance = "random moves, equal budget" if task.budget.queries is not None else f"random moves, {CHANCES:,} queries"
    baseline = ((chance, float((merged["noise"] == "broken").mean())),) if "noise" in merged else ()
    rate = measure_rate(
        task.plugin,
        "success_rate",
        broken,
        n,
        undecided=n - broken - held,
        unit="share of rows",
        slice=actor_slice(task, world),
        baseline=baseline,
        queries=int(merged["queries"].sum()),
        seconds=sum(part.seconds for part in parts),
        status=Status.INCONCLUSIVE if doubts else Status.OK,
        reason="; ".join(doubts),
        caveats=_caveats(task, merged, world),
        curve=_curve(task, merged, n),
        simulated=world.system.simulated,
    )
    return rate, *_typical(task, merged, world)


def _caveats(task: Task, merged: dict[str, Any], world: World) -> tuple[str, ...]:
    caveats = [f"a lower bound: what {task.plugin} found within {_budget(task)}; stronger attackers may find more"]
    if not bounded(task.budget):
        caveats.append("its limits are the attack's own options, so random moves of equal budget do not exist")
    if "twin" in merged:
        hit, of = merged["twin"]
        caveats.append(f"power check: {hit} of {of} breakable rows of a planted weak twin were broken")
    caveats += tried_again(merged)
    reasons = sorted({str(reason) for reason in merged["reasons"] if reason})
    caveats += [f"not decided: {reason}" for reason in reasons[:3]]
    return tuple(caveats)


def _budget(task: Task) -> str:
    budget = task.budget
    words = [f"{budget.queries} queries a row" if budget.queries is not None else "unlimited queries"]
    if budget.cost is not None:
        words.append(f"cost {budget.cost:g}")
    if budget.radius is not None:
        words.append(f"{budget.norm} {budget.radius:g}")
    return ", ".join(words)


def _curve(task: Task, merged: dict[str, Any], n: int) -> Curve:
    """Share of rows broken against what the attacker spends: cost where the budget has one, else queries."""
    broken = merged["verdicts"] == "broken"
    by_cost = task.budget.cost is not None
    if by_cost:
        spent, limit, axis = merged["cost"], float(task.budget.cost or 0), "cost to the attacker"
    elif task.budget.radius is not None:
        spent, limit, axis = merged["distance"], float(task.budget.radius), f"{task.budget.norm} radius"
    else:
        spent = merged["broken_at"].astype(float)
        limit, axis = float(task.budget.queries or max(spent.max(), 1)), "queries per row"
    points = []
    for at in np.linspace(0, limit, 11):
        count = int((broken & (np.nan_to_num(spent, nan=np.inf) <= at + 1e-9)).sum())
        low, high = wilson(count, n)
        points.append(Point(at=float(at), value=count / n, low=low, high=high, n=n))
    return Curve(name=task.plugin, axis=axis, unit="share of rows", points=tuple(points))


def _typical(task: Task, merged: dict[str, Any], world: World) -> tuple[Measurement, ...]:
    """Median queries and cost of the broken rows, with a distribution-free interval."""
    broken = merged["verdicts"] == "broken"
    out = []
    for metric, values, unit in (
        ("queries_to_break", merged["broken_at"], "queries"),
        ("cost_to_break", merged["cost"], "cost"),
    ):
        found = np.sort(values[broken].astype(float))
        if len(found) >= 5 and np.isfinite(found).all():
            low, high = _median_interval(found)
            out.append(
                Measurement(
                    plugin=task.plugin,
                    metric=metric,
                    value=float(np.median(found)),
                    low=low,
                    high=high,
                    n=len(found),
                    unit=unit,
                    slice=f"broken rows, {actor_slice(task, world)}",
                    method="order statistics",
                    simulated=world.system.simulated,
                )
            )
    return tuple(out)


def _median_interval(found: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Ranks n/2 -+ 0.98 sqrt(n): the binomial interval of the median at 95 %."""
    n = len(found)
    half = 0.98 * np.sqrt(n)
    low, high = int(max(np.floor(n / 2 - half), 0)), int(min(np.ceil(n / 2 + half), n - 1))
    return float(found[low]), float(found[high])


def _finding(task: Task, merged: dict[str, Any], world: World, rate: Measurement) -> Finding:
    system = world.system
    broken = np.flatnonzero(merged["verdicts"] == "broken")
    drop = np.abs(merged["clean_score"][broken] - merged["score"][broken])
    telling = broken[np.argsort(-drop, kind="stable")]  # a row that was judged for certain tells more than a near miss
    examples = tuple(_example(merged, world, int(row)) for row in telling[:_EXAMPLES])
    share = rate.value or 0.0
    return Finding(
        id=weakness(task.plugin, "success_rate", task.scenario),
        title=f"{_words(task)}: {len(broken)} of {rate.n} {_goal(world)} within {_budget(task)}",
        plugin=task.plugin,
        metric="success_rate",
        severity="critical" if share > 0.5 else "high" if share > 0.2 else "medium" if share > 0.05 else "low",
        scenario=task.scenario,
        detail=_detail(merged, world, broken),
        examples=examples,
        defences=against(task, world),
        references=("atlas:AML.T0015", "nist:NISTAML.022"),
        line=system.lines.get("actors", 0),
    )


def _goal(world: World) -> str:
    if world.target.kind is ScoreKind.VALUE:
        return f"rows get a value that is off by more than {world.tolerance:.4g}"
    return "correctly judged rows change sides"


def _words(task: Task) -> str:
    """The attack's name as a person says it."""
    return task.plugin.partition(".")[2].replace("_", " ").capitalize()


def _example(merged: dict[str, Any], world: World, row: int) -> Example:
    schema = world.system.schema
    sample = int(merged["ids"][row])
    at = int(np.flatnonzero(world.system.data.ids == sample)[0])
    clean = world.system.data.x[at]
    if schema.columns:
        changes = tuple(schema.decode(merged["x_adv"][row], clean))
    else:
        changes = (*_read_as(world, at, merged["x_adv"][row]), _moved(merged, row, clean))
    return Example(
        sample=sample,
        changes=changes,
        score_before=float(merged["clean_score"][row]),
        score_after=float(merged["score"][row]),
        queries=int(merged["broken_at"][row]),
        cost=float(np.nan_to_num(merged["cost"][row])),
        picture="" if schema.columns else _picture(clean, merged["x_adv"][row], schema),
    )


def _picture(clean: Any, changed: Any, schema: Schema) -> str:
    """The two images and what lies between them, large enough to look at; "" for inputs that are none."""
    if clean.ndim != 3 or clean.shape[0] not in (1, 3) or not np.isfinite([schema.low, schema.high]).all():
        return ""
    grow = max(_SIDE // max(clean.shape[1:]), 1)
    return b64encode(encode(side_by_side(clean, changed, schema.low, schema.high, grow=grow))).decode()


def _moved(merged: dict[str, Any], row: int, clean: Any) -> Change:
    """What there is to say of an input without columns: how many values moved, and by how much at most."""
    delta = np.abs(merged["x_adv"][row] - clean)
    share = float((delta > _SEEN).mean())
    return Change(column="values", before="clean", after=f"{share:.0%} moved by up to {delta.max():.3g}", cost=0.0)


def _detail(merged: dict[str, Any], world: World, broken: np.ndarray[Any, Any]) -> str:
    """Which columns the attack moved, most often first; of an input without columns, what it is taken for now."""
    schema = world.system.schema
    if not schema.columns:
        far = f"median distance {np.median(merged['distance'][broken]):.4g}"
        return "; ".join(part for part in (_mistaken(merged, world, broken), _lasting(merged, broken), far) if part)
    at = world.system.data.positions(merged["ids"][broken])
    moved = schema.moves(merged["x_adv"][broken], world.system.data.x[at])
    share = (moved != 0).mean(axis=0)
    top = [at for at in np.argsort(-share) if share[at] > 0][:5]
    return "moved: " + ", ".join(f"{schema.columns[at].name} in {share[at]:.0%}" for at in top)


def _read_as(world: World, at: int, changed: Any) -> tuple[Change, ...]:
    """What the model takes the image for, before and after, by the names of its classes."""
    system = world.system
    if system.target.kind is ScoreKind.VALUE or len(system.classes) < 2:
        return ()
    both = np.stack([np.asarray(system.data.x[at], float), np.asarray(changed, float)])
    said = np.asarray(decide(np.asarray(system.target.scores(both)), system.target.kind, system.threshold))
    before, after = (str(system.classes[int(one)]) for one in said)
    return (Change(column="read as", before=before, after=after, cost=0.0),)


def _mistaken(merged: dict[str, Any], world: World, broken: np.ndarray[Any, Any]) -> str:
    """What the broken rows are and what the model says instead: the most frequent pairs, and the rows shown."""
    system = world.system
    if system.target.kind is ScoreKind.VALUE:
        return ""
    said = decide(np.asarray(system.target.scores(merged["x_adv"][broken])), system.target.kind, system.threshold)
    true = np.asarray(system.data.y)[system.data.positions(merged["ids"][broken])]
    pairs, times = np.unique(np.stack([true, np.asarray(said)], axis=1), axis=0, return_counts=True)
    told = [
        f"{system.classes[pairs[at, 0]]} → {system.classes[pairs[at, 1]]} ({times[at]})"
        for at in np.argsort(-times, kind="stable")[:_PAIRS]
        if pairs[at, 1] >= 0
    ]
    return f"taken for something else, most often: {', '.join(told)}" if told else ""


def _lasting(merged: dict[str, Any], broken: np.ndarray[Any, Any]) -> str:
    """In how many other views of the object the change still works, where the attack has looked."""
    seen = np.asarray(merged.get("note_survives", np.full(len(merged["ids"]), np.nan)), float)[broken]
    seen = seen[np.isfinite(seen)]
    if not len(seen):
        return ""
    return (
        f"still works in {seen.mean():.0%} of fresh views (turned, moved, other light, out of focus), "
        f"in most views for {int((seen > 0.5).sum())} of {len(seen)} rows"
    )
