"""Defences against attacks with a payload (poisoning, extraction, inversion) and for the model's file, judged by the
same attacks or checks anew.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.core.data import Data
from temper.core.defence import Defence, Effect
from temper.core.errors import TemperError, Unsupported
from temper.core.event import Listener, silent
from temper.core.measure import Status
from temper.core.seed import Draws
from temper.core.target import Recipe, Target
from temper.engine.behind import behind, draws, through
from temper.engine.effect import Evaluation, Tolerance, clean, price, within
from temper.engine.fitting import fit_of
from temper.engine.harden import Hardened, Trial, attempted, build, hardened, same_alert_rate
from temper.engine.run_task import execute
from temper.engine.task import Part, Task, World, clock
from temper.kernels.several import holm

DATA = ("planted_rows", "snapshot_diff")
"""Checks that accuse rows of the given training table: what answers them leaves these rows out."""

GOALS = (*DATA, "poisoning", "inversion", "extraction", "artifact")
"""In the order in which their defences stack: training data, the fit, the answers, the file."""

_LEVEL = 0.05

Guard = Callable[[Target, float | None], Effect | None]
"""What an earlier defence had won, measured on a new target: an effect that is worse for certain forbids it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Siege:
    """The tasks that decide, on the system as it is: `parts` are what they found."""

    world: World
    tasks: tuple[Task, ...]
    parts: tuple[Part, ...]


def goal_of(task: Task) -> str:
    """What a task is about: the kind of attack, or the check itself."""
    return task.plugin if task.room == "validation" else task.family


def besiege(world: World, tasks: Sequence[Task]) -> Siege:
    """Run the tasks on the system as it is. Raises `Unsupported` with the reason when none of them says anything."""
    parts = [execute(task, world) for task in tasks]
    heard = [(task, part) for task, part in zip(tasks, parts, strict=True) if part.evidence]
    if not heard:
        why = next((part.reason for part in parts if part.reason), "the attacks leave no rows to compare")
        raise Unsupported(f"there is nothing to compare before and after: {why}")
    return Siege(world=world, tasks=tuple(task for task, _ in heard), parts=tuple(part for _, part in heard))


def harden_goal(
    siege: Siege,
    defences: Sequence[str],
    *,
    guard: Guard | None = None,
    tolerance: Tolerance | None = None,
    listener: Listener = silent,
) -> Hardened:
    """Try every defence, and the `ladder` of those that help; run the deciding attacks against each; choose by effect
    and price.

    Taken is the cheapest of those that reduce the first figure for certain and as far as the best does, cost no more
    than tolerated and make no other attack's figure worse. It must do so again with other random numbers. `guard` says
    what it would do to what was won before.
    Raises `TemperError` without training rows.
    """
    world = siege.world
    if world.system.train is None:
        raise TemperError("hardening fits models again and the system has no training data", fix="set data.train")
    room = world.room("hardening")

    def attempt(told: str, name: str, options: dict[str, Any]) -> Trial:
        return _try(siege, told, build(world.system, name, None, options), guard)

    trials, skipped = attempted([(name, {}) for name in defences], attempt, listener)
    helped = [trial.defence for trial in trials if _reduction(trial) < 0 and _chance(trial) < _LEVEL]
    steps = [(name, options) for name in helped for options in getattr(room.get(name), "ladder", ())]
    more, left_out = attempted(steps, attempt, listener, done=len(defences))
    trials, skipped = trials + more, skipped + left_out
    limits = tolerance or Tolerance()
    judged = _judge(trials, limits)
    chosen = _choose(judged, limits)
    if chosen is not None:
        seen = _confirmed(siege, chosen)
        judged[judged.index(chosen)] = seen
        chosen = seen if seen.confirmed is not None and seen.confirmed.difference < 0 else None
    return Hardened(
        system=hardened(world.system, chosen) if chosen else world.system,
        was=world.target,
        trials=tuple(judged),
        chosen=chosen,
        skipped=tuple(skipped),
        goal=goal_of(siege.tasks[0]),
    )


def _try(siege: Siege, name: str, defence: Defence, guard: Guard | None) -> Trial:
    started, world = clock(), siege.world
    system, train = world.system, world.system.train
    if train is None:
        raise Unsupported("there are no training rows")
    target, kept = _applied(siege, defence, train, name)
    changes_data = getattr(defence, "of_data", False)  # and today's data may have nothing to change
    if target.digest and target.digest == system.target.digest and not changes_data:
        raise Unsupported("it leaves the model as it is: what was taken before does this already")
    # Not on training rows: a model that remembers them alerts on them as on no others, and a threshold read off them
    # would stand outside a proof of privacy.
    unseen = system.data.x[world.held_out]
    trial = Trial(
        defence=name,
        target=target,
        threshold=same_alert_rate(system.target, system.threshold, target, unseen),
        effects=(),
        defend=behind(system.target, system.defend, defence, name),
        train=kept,
    )
    behind_it = replace(world, system=hardened(system, trial))
    found = [*_paired(siege, behind_it, name), *_price(world, behind_it, name)]
    won = guard(target, trial.threshold) if guard is not None else None
    found += [replace(won, defence=name)] if won is not None else []
    return replace(trial, effects=tuple(found), seconds=clock() - started)


def _applied(siege: Siege, defence: Defence, train: Data, name: str) -> tuple[Target, Data | None]:
    """What the defence makes of the model, and, where rows of the given table are accused, the rows it fits on.

    `Unsupported` where that is every row, or where it changes the model alone.
    """
    system, rng = siege.world.system, draws(siege.world.seed, name)
    if goal_of(siege.tasks[0]) not in DATA:
        return defence.apply(through(system.target, system.defend), train, rng), None
    if not getattr(defence, "of_data", False):
        raise Unsupported(f"{name} changes the model, and it is the training rows that are accused")
    make, fitted_on = system.defend or fit_of(system.target), []

    def noting(data: Data, recipe: Recipe) -> Target:
        fitted_on.append(data)
        return make(data, recipe)

    target = defence.apply(through(system.target, noting), train, rng)
    if not fitted_on or len(fitted_on[0]) == len(train):
        raise Unsupported(f"{name} finds no row to leave out")
    return target, fitted_on[0]


def _paired(siege: Siege, behind_it: World, name: str) -> list[Effect]:
    """What the defence did to the figures of every deciding attack, run anew; the first one decides."""
    found: list[Effect] = []
    for task, before in zip(siege.tasks, siege.parts, strict=True):
        after = execute(task, behind_it)
        if after.status in (Status.ERROR, Status.UNTRIED) or not after.evidence:
            raise Unsupported(f"{task.plugin} could not be run against it: {after.reason or 'it leaves no rows'}")
        room = importlib.import_module(f"temper.engine.rooms.{task.family}")
        found += room.effects(name, before, after)
    return found


def _price(world: World, behind_it: World, name: str) -> tuple[Effect, ...]:
    """What honest users lose, on the held-out rows."""
    rows = world.system.data.take(world.held_out)
    y = np.asarray(rows.y)
    before, after = (Evaluation(broken={}, scores=one.target.scores(rows.x), y=y) for one in (world, behind_it))
    rng = Draws(world.seed, "hardening.effect").generator()
    thresholds = (world.system.threshold, behind_it.system.threshold)
    return clean(name, before, after, *thresholds, behind_it.target.kind, rng)


def _judge(trials: Sequence[Trial], tolerance: Tolerance) -> list[Trial]:
    corrected = holm([_chance(trial) for trial in trials])
    judged = [replace(trial, p_holm=p) for trial, p in zip(trials, corrected, strict=True)]
    return [replace(trial, outcome=_outcome(trial, tolerance)) for trial in judged]


def _chance(trial: Trial) -> float:
    """The p-value of the deciding figure; where a room gives none, of a normal difference with that interval."""
    gain = trial.effects[0]
    if gain.p_value is not None:
        return gain.p_value
    from scipy.stats import norm

    spread = (gain.high - gain.low) / (2.0 * norm.ppf(0.975))
    return float(2.0 * norm.sf(abs(gain.difference) / spread)) if spread > 0 else 1.0


def _choose(trials: Sequence[Trial], tolerance: Tolerance) -> Trial | None:
    """The cheapest of those whose reduction lies within the interval of the greatest one."""
    fit = [trial for trial in trials if _helps(trial) and not _harms(trial) and within(trial.effects, tolerance)]
    best = min(fit, key=_reduction, default=None)
    near = [trial for trial in fit if best is not None and _reduction(trial) <= best.effects[0].high]
    return min(near, key=lambda trial: (price(trial.effects, tolerance), _reduction(trial)), default=None)


def _reduction(trial: Trial) -> float:
    return trial.effects[0].difference


def _helps(trial: Trial) -> bool:
    return _reduction(trial) < 0 and trial.p_holm < _LEVEL


def _harms(trial: Trial) -> str:
    """The first figure of an attack that is worse for certain, or ""."""
    return next((e.metric for e in trial.effects if e.better == "lower" and e.verdict == "worse"), "")


def _outcome(trial: Trial, tolerance: Tolerance) -> str:
    gain, p = trial.effects[0], trial.p_holm
    if not _helps(trial):
        return f"no sure reduction of {gain.metric} (p {p:.2g} after correction for what was tried)"
    if harmed := _harms(trial):
        return f"lowers {gain.metric} and makes {harmed} worse"
    if not within(trial.effects, tolerance):
        return f"lowers {gain.metric}, but costs more clean quality or more alerts than tolerated"
    return f"lowers {gain.metric} from {gain.before:.3g} to {gain.after:.3g} (p {p:.1g}), clean loss within tolerance"


def _confirmed(siege: Siege, chosen: Trial) -> Trial:
    """The trial with its deciding effect under other random numbers: other references, other poison, other queries."""
    first = replace(siege.tasks[0], seed=siege.tasks[0].seed + 1)
    after = replace(siege.world, system=hardened(siege.world.system, chosen))
    again = besiege(siege.world, [first])
    gain = _paired(again, after, chosen.defence)[0]
    told = f"{chosen.outcome}; {gain.difference:+.3g} with other random numbers ({gain.low:+.3g} to {gain.high:+.3g})"
    return replace(chosen, confirmed=gain, outcome=told if gain.difference < 0 else f"not taken: {told}")
