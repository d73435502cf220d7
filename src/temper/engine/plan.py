"""From a system to scenarios, rows and tasks; everything a run does is fixed here."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.core.errors import ConfigError, TemperError
from temper.core.room import Room
from temper.core.run import Skipped
from temper.core.seed import Draws
from temper.core.system import Protected
from temper.core.target import ScoreKind
from temper.core.threat import Scenario
from temper.engine.identity import world_key
from temper.engine.task import SUITES, Sizes, Task, World, room_of
from temper.kernels.loss import decide
from temper.threats.register import refuse_strangers
from temper.threats.rules import catalogue, scenarios

ROOMS = {"stress": Room("temper.stress"), "validation": Room("temper.validation"), "attacks": Room("temper.attacks")}
ROOMS["fuzz"] = Room("temper.fuzz")
LOAD = "load"
"""The task that puts the system's own service under load, where temper.yaml names one."""
OPTIONED = ROOMS | {"hardening": Room("temper.hardening")}
_BATCH = 4_096
SHORTER = {"evasion.standard": ("evasion.apgd", "evasion.apgd_targeted")}
"""Too long for a quick look; the other suites run them whole."""
LIGHTER: dict[str, dict[str, Any]] = {
    "validation.neural_cleanse": {"steps": 120, "rows": 24},
    "validation.strip": {"rows": 500, "overlays": 16},
    "validation.attribution": {"rows": 30, "references": 5},
    "validation.reason_codes": {"rows": 30, "references": 5, "fits": 1},
    "validation.net_bounds": {"method": "crown", "most_coefficients": 2e7, "rows": 50, "bisections": 2},
}
"""Options of a quick look, under the user's own; the figure's method says them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """What will be done: scenarios, tasks on a world, what was left out and why, facts to print.

    `absent`: plugins that nothing in this plan runs, so that no requirement waits for them.
    """

    world: World
    key: str
    scenarios: tuple[Scenario, ...]
    tasks: tuple[Task, ...]
    skipped: tuple[Skipped, ...]
    absent: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    suite: str

    def against(self, tasks: Sequence[Task]) -> tuple[str, ...]:
        """The defences that the catalogue names against these attacks and the model allows, in its order."""
        asked = {task.scenario for task in tasks}
        threats = (s.threat for s in self.scenarios if s.id in asked)
        return self.world.applicable(tuple(dict.fromkeys(name for threat in threats for name in threat.defences)))


def plan(system: Protected, suite: str = "standard", only: Sequence[str] = (), seed: int = 0) -> Plan:
    """Draw the rows, pick the scenarios, lay out the tasks.

    Errors: an unknown suite or an `only` that matches nothing is refused with what there is.
    """
    if suite not in SUITES:
        raise TemperError(f"unknown suite {suite!r}", fix=f"use one of {', '.join(SUITES)}")
    _refuse_unknown_options(system)
    _refuse_unknown_words(only, system.plugins)
    refuse_strangers(system.stakes)
    sizes = SUITES[suite]
    world = draw(system, sizes, seed)
    kept, left_out = scenarios(system)
    skipped = [Skipped(name=entry.threat.title, why=entry.why) for entry in left_out]
    skipped += [
        Skipped(
            name=name, why=f"the quick suite runs {' and '.join(SHORTER[name])} alone; standard and deep run it whole"
        )
        for name in sorted({name for s in kept for name in s.threat.plugins} & SHORTER.keys())
        if suite == "quick"
    ]
    tasks: list[Task] = []
    planned: set[tuple[str, object]] = set()
    for scenario in kept:
        for name in (*_plugins(scenario, suite), *_joining(scenario, system)):
            if name == LOAD:  # one task of its own below, whoever asks too much
                continue
            room, plugin = room_of(name)
            if only and not any(_matches(name, wanted, scenario) for wanted in only):
                skipped.append(Skipped(name=name, why="left out by --only"))
            elif (key := (name, _bound(name, scenario, world))) not in planned:
                planned.add(key)
                tasks += _tasks(room, plugin, scenario, world, system)
    if system.service is not None and (not only or LOAD in only):
        tasks.append(Task(room=LOAD, plugin=LOAD, seed=seed, sizes=sizes))
    if only and not tasks:
        raise TemperError(
            f"--only {' '.join(only)} leaves nothing to do", fix="see `temper list attacks` and `temper threats`"
        )
    return Plan(
        world=world,
        key=world_key(world, system.threshold),
        scenarios=kept,
        tasks=tuple(tasks),
        skipped=tuple(skipped),
        absent=_absent(tasks),
        facts=_facts(world, sizes, tasks),
        suite=suite,
    )


def _plugins(scenario: Scenario, suite: str) -> list[str]:
    """What the threat is tried with; the quick suite takes the parts of a long protocol that find the most."""
    names = scenario.threat.plugins
    return [part for name in names for part in (SHORTER.get(name, (name,)) if suite == "quick" else (name,))]


def _refuse_unknown_words(only: Sequence[str], others: Sequence[str]) -> None:
    """A misspelt family beside others would be left out without a word."""
    names = [name if room == "attacks" else f"{room}.{name}" for room in ROOMS for name in ROOMS[room].names()]
    families = [threat.id.partition("-")[0] for threat in catalogue()]
    known = {
        *names,
        *(name.partition(".")[0] for name in names),
        *(name.rpartition(".")[0] for name in names),
        *families,
        *others,
        LOAD,
    }
    for word in only:
        if word not in known:
            near = difflib.get_close_matches(word, sorted(known), n=1)
            raise TemperError(
                f"--only {word}: there is no family or plugin of this name",
                fix=f"did you mean {near[0]!r}?" if near else "see `temper list attacks` and `temper threats`",
            )


def _refuse_unknown_options(system: Protected) -> None:
    """Options for a plugin that does not exist, or one for assistants, would be lost without a word."""
    known = [name if room == "attacks" else f"{room}.{name}" for room in OPTIONED for name in OPTIONED[room].names()]
    own = (name for name in known if not name.startswith(("injection.", "technique.", "abuse.")))
    known = [*own, *system.plugins]
    for name in system.options:
        if name not in known:
            line = system.lines.get(f"assess.options.{name}")
            near = difflib.get_close_matches(name, known, n=1)
            raise ConfigError(
                f"{f'{system.source}:{line}: ' if line else ''}there are options for {name!r}, which is no plugin",
                fix=f"did you mean {near[0]!r}?" if near else "see `temper list`",
            )


def draw(system: Protected, sizes: Sizes, seed: int) -> World:
    """The held-out sample of checks, and the rows to attack."""
    rng = Draws(seed, "rows").generator()
    n = len(system.data)
    held_out = np.arange(n) if n <= sizes.held_out else np.sort(rng.choice(n, sizes.held_out, replace=False))
    attacked = _attacked(system, sizes, rng)
    shift = _tolerance(system, held_out)
    return World(system=system, sizes=sizes, seed=seed, attacked=attacked, held_out=held_out, tolerance=shift)


def _tolerance(system: Protected, held_out: np.ndarray[Any, Any]) -> float:
    """The shift of a value that counts: the user's, else half the spread of what the model says of held-out rows."""
    if system.target.kind is not ScoreKind.VALUE:
        return 0.0
    if system.tolerance is not None:
        return system.tolerance
    return 0.5 * float(np.std(np.asarray(system.target.scores(system.data.x[held_out]))))


def _attacked(system: Protected, sizes: Sizes, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """A random sample of the rows judged correctly, of class 1 when there are two, in their order."""
    y = np.asarray(system.data.y)
    rows = rng.permutation(np.flatnonzero(y == 1) if system.target.classes == 2 else np.arange(len(y)))
    if system.target.kind is ScoreKind.VALUE:
        return np.sort(rows[: sizes.attacked])
    found: list[Any] = [np.empty(0, dtype=np.int64)]
    for at in range(0, len(rows), _BATCH):
        batch = rows[at : at + _BATCH]
        found.append(batch[decisions(system, system.data.x[batch]) == y[batch]])
        if sum(map(len, found)) >= sizes.attacked:
            break
    return np.sort(np.concatenate(found)[: sizes.attacked])


def decisions(system: Protected, x: Any) -> np.ndarray[Any, Any]:
    """Class numbers of a batch at the operating threshold; -1 for a row on which the model fails."""
    try:
        scores = np.asarray(system.target.scores(x))
    except TemperError:
        raise
    except (Exception, SystemExit):  # a model may raise anything: halve until the failing rows stand alone
        if len(x) <= 1:
            return np.full(len(x), -1)
        half = len(x) // 2
        return np.concatenate([decisions(system, x[:half]), decisions(system, x[half:])])
    found = np.asarray(decide(scores, system.target.kind, system.threshold))
    return np.where(np.isfinite(scores).all(axis=1), found, -1)


def _joining(scenario: Scenario, system: Protected) -> list[str]:
    """Plugins of other packages try the same threats as Temper's own of their family."""
    families = {name.partition(".")[0] for name in scenario.threat.plugins}
    return [name for name in system.plugins if name.partition(".")[0] in families]


def _bound(name: str, scenario: Scenario, world: World) -> object:
    """Evasion spends the actor's budget per row, and a certificate speaks of it; everything else is measured once,
    whoever the actor is.
    """
    room, plugin = room_of(name)
    spends = name.startswith("evasion.") or getattr(world.room(room).get(plugin), "attacked", False)
    return scenario.budget if spends else None


def _matches(name: str, wanted: str, scenario: Scenario) -> bool:
    """A plugin by its name or its room's; what bounds a kind of attack goes with it."""
    family = scenario.threat.id.partition("-")[0]
    return name == wanted or name.startswith(wanted + ".") or (wanted == family and name.startswith("validation."))


def _tasks(room: str, plugin: str, scenario: Scenario, world: World, system: Protected) -> list[Task]:
    """One task, or one per shard of attacked rows for evasion."""
    full = plugin if room == "attacks" else f"{room}.{plugin}"
    light = LIGHTER.get(full, {}) if world.sizes == SUITES["quick"] else {}
    options = light | system.options.get(full, {})
    world.room(room).build(plugin, options)
    task = Task(
        room=room,
        plugin=plugin,
        options=tuple(sorted(options.items())),
        budget=scenario.budget,
        scenario=scenario.id,
        seed=world.seed,
        sizes=world.sizes,
    )
    if not plugin.startswith("evasion."):
        return [task]
    starts = range(0, max(len(world.attacked), 1), world.sizes.shard)
    return [replace(task, start=s, stop=min(s + world.sizes.shard, len(world.attacked))) for s in starts]


def _absent(tasks: Sequence[Task]) -> tuple[str, ...]:
    """Every catalogued plugin that no task runs."""
    run = {task.plugin if task.room == "attacks" else f"{task.room}.{task.plugin}" for task in tasks}
    return tuple(sorted({name for threat in catalogue() for name in threat.plugins} - run - {LOAD}))


def _facts(world: World, sizes: Sizes, tasks: Sequence[Task]) -> tuple[tuple[str, str], ...]:
    system = world.system
    trained = world.training()
    total = len(system.data)
    return (
        ("rows attacked", f"{len(world.attacked)} judged correctly before the attack"),
        (
            "held-out rows",
            f"{len(world.held_out):,} of {total:,}" + (" (sampled)" if len(world.held_out) < total else ""),
        ),
        ("training rows of refits", f"{len(trained):,}" if trained is not None else "none given"),
        ("reference fits", str(sizes.references)),
        ("rows an attacker holds", f"{len(world.others())} other held-out rows"),
        ("tasks", str(len(tasks))),
        *_decision(world),
        *(("the model", said) for said in getattr(system.target, "remarks", ())),
    )


def _decision(world: World) -> tuple[tuple[str, str], ...]:
    """What an attacker has to reach."""
    system = world.system
    if system.target.kind is not ScoreKind.VALUE:
        return (("threshold", "argmax" if system.threshold is None else f"{system.threshold:g}"),)
    whose = "model.tolerance" if system.tolerance is not None else "half the spread of its values; set model.tolerance"
    return (("a value has moved", f"when it is off by more than {world.tolerance:.4g} ({whose})"),)
