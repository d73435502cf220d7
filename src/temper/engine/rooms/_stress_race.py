"""The worst combination of two faults, found by racing on one half of the rows and measured on the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import combinations
from typing import Any

import numpy as np

from temper.core.measure import Measurement
from temper.engine.rooms._stress_column import halves, single
from temper.engine.rooms._stress_figures import fallen, worst
from temper.engine.rooms._stress_trial import Trial, ask
from temper.engine.task import Task
from temper.stress._choice import SEVERITIES
from temper.stress._together import together

_SHARE = 3  # one in three goes on to the next round
_FEWEST = 100  # rows of an arm in a round
_FINALISTS = 8  # single faults that are paired
_SEVERE = (3, 4, 5)  # severities of pairs
_BUDGET = 20  # rows asked in all, as a multiple of the held-out rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """Faults that happen together at one severity: each the name of a stressor, its column, and the stressor itself."""

    faults: tuple[tuple[str, str, Any], ...]
    severity: int

    @property
    def text(self) -> str:
        """What happens, in a few words."""
        said = " and ".join(f"{name} of {column}" for name, column, _ in self.faults)
        return f"{said} at {self.severity}"


@dataclass(slots=True, kw_only=True)
class _Race:
    """Rows of the race, in an order in which any first part has its share of both classes; what was asked so far."""

    trial: Trial
    rows: Any
    order: Any
    asked: int = 0
    tried: int = 0

    def halve(self, arms: Sequence[Arm], keep: int, budget: int) -> list[Arm]:
        """The `keep` worst arms: one in three goes on, with more rows each time, until so few are left."""
        rounds = max(1, int(np.ceil(np.log(max(len(arms) / keep, 1)) / np.log(_SHARE))))
        self.tried += len(arms)
        left = list(arms)
        for turn in range(rounds):
            size = int(np.clip(budget // (rounds * len(left)), _FEWEST, len(self.rows)))
            size = len(self.rows) if turn == rounds - 1 and len(left) <= 3 * _SHARE else size
            drops = self._drops(left, size)
            goes_on = keep if turn == rounds - 1 else max(keep, -(-len(left) // _SHARE))
            left = [left[at] for at in np.argsort(-drops, kind="stable")[:goes_on]]
        return left

    def _drops(self, arms: Sequence[Arm], size: int) -> Any:
        """The drop of every arm on the first rows of the order, all asked together."""
        part = self.order[: min(size, len(self.order))]
        answers = ask(self.trial.target, (stressed(self.trial, arm, self.rows)[part] for arm in arms))
        self.asked += len(arms) * len(part)
        return fallen(self.trial, self.rows[part], answers)


def race(trial: Trial) -> tuple[tuple[Measurement, ...], int]:
    """The worst combination, measured on rows that had no part in finding it, and how many rows were asked."""
    chosen, kept = halves(trial)
    singles = arms(trial)
    if len(singles) < 2 or any(trial.yardstick.lack(trial.scene.y[rows]) for rows in (chosen, kept)):
        return (), 0
    course = _Race(trial=trial, rows=chosen, order=_mixed(trial.scene.y[chosen]))
    budget = _BUDGET * len(trial.scene.y)
    finalists = _varied(course.halve(singles, min(3 * _FINALISTS, len(singles)), budget // 2))
    pairs = [pair for both in combinations(finalists, 2) for pair in _paired(*both)]
    found = course.halve(pairs or finalists, 1, budget // 2)[0]
    return (_told(trial, found, kept, course, len(singles)),), course.asked + 3 * len(kept)


def arms(trial: Trial) -> list[Arm]:
    """Every stressor of tables that has columns, at its highest severity on each of them alone.

    Whole rows that are somebody else's would win every race and say nothing.
    """
    room, found = trial.world.room("stress"), []
    for name in room.names():
        known = {field.name for field in fields(room.get(name))}
        if "." in name or not {"schema", "columns"} <= known:
            continue
        built = replace(
            room.build(name, trial.world.system.options.get(f"stress.{name}", {})), schema=trial.scene.schema
        )
        other = replace(trial, plugin=name, stressor=built)
        alone = single(other)
        found += [((name, column, replace(built, columns=(column,))),) for column in alone]
    return [Arm(faults=faults, severity=SEVERITIES[-1]) for faults in found]


def _varied(ranked: Sequence[Arm]) -> list[Arm]:
    """The worst of a ranking, two faults of any column at most, so that there are pairs of columns to try."""
    kept: list[Arm] = []
    for arm in ranked:
        if sum(other.faults[0][1] == arm.faults[0][1] for other in kept) < 2:
            kept.append(arm)
    return kept[:_FINALISTS]


def _paired(one: Arm, other: Arm) -> list[Arm]:
    """Both faults at each severity; two faults of one column are no combination."""
    if one.faults[0][1] == other.faults[0][1]:
        return []
    return [Arm(faults=one.faults + other.faults, severity=severity) for severity in _SEVERE]


def stressed(trial: Trial, arm: Arm, rows: Any) -> Any:
    """These rows under the faults of an arm."""
    draws = trial.world.rng(trial.task, trial.scene.ids[rows])
    return together([stressor for *_, stressor in arm.faults], trial.scene.x[rows], arm.severity, draws)


def _mixed(y: Any) -> Any:
    """An order whose every beginning holds the classes as the whole does."""
    y = np.asarray(y)
    if len(np.unique(y)) > 20:  # values
        return np.argsort(np.argsort(np.arange(len(y)) * 0.6180339887 % 1.0))
    place = np.empty(len(y))
    for label in np.unique(y):
        rows = np.flatnonzero(y == label)
        place[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    return np.argsort(place, kind="stable")


def _told(trial: Trial, found: Arm, kept: Any, course: _Race, singles: int) -> Measurement:
    parts = [Arm(faults=(fault,), severity=found.severity) for fault in found.faults]
    answer, *alone = ask(trial.target, (stressed(trial, arm, kept) for arm in (found, *parts)))
    apart = zip((f"{part.text} alone" for part in parts), fallen(trial, kept, alone), strict=True)
    return worst(
        trial,
        "worst_combination_loss",
        answer,
        kept,
        how="successive halving, then {} on other rows",
        slice=found.text,
        baseline=tuple((text, float(drop)) for text, drop in apart if np.isfinite(drop)),
        caveats=(
            f"worst of {course.tried:,} tried of {_grid(singles):,}, on {len(course.rows):,} other rows",
            f"{course.asked:,} rows asked to find it",
        ),
    )


def _grid(singles: int) -> int:
    """All single faults, and all pairs of them at all severities."""
    return (singles + singles * (singles - 1) // 2) * len(SEVERITIES)


def raced(task: Task) -> bool:
    """Whether a task asks for the race: a combination whose faults nobody has named."""
    return task.plugin == "combined" and not dict(task.options).get("faults")
