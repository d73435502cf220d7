"""What each defence changes, on one generator and on another one that shares no mechanism with it.

    python -m bench.hardening [--quick] [DEFENCE ...]

Three seeds of the fraud demo and of the held-out generator (both SIMULATED): fit each defence, choose the threshold
again at the same alert rate, attack from scratch on the same rows with the same budget. Intervals are paired over the
rows of all seeds together; the differences of the single seeds stand beside them. A defence helps only where the whole
interval says so, and what helps on the first generator must hold on the second.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.table import machine, table

FIXED = "fixed columns alone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One defence on one seed: evaded, caught (of the frauds) and alerted rows before and after, AUC."""

    defence: str
    evaded: tuple[Any, Any]
    caught: tuple[Any, Any]
    alerted: tuple[Any, Any]
    auc: tuple[float, float]


def main(words: list[str]) -> int:
    """Print a table per generator, and what is confirmed."""
    quick, names = "--quick" in words, [word for word in words if not word.startswith("--")]
    print(machine("numpy", "xgboost-cpu", "scikit-learn"))
    helps: dict[str, dict[str, bool]] = {}
    for name, write in _demos():
        trials: dict[str, list[Trial]] = {}
        with tempfile.TemporaryDirectory() as folder:
            for seed in range(1 if quick else 3):
                for trial in _tried(write(Path(folder) / str(seed), seed=seed), seed, names):
                    trials.setdefault(trial.defence, []).append(trial)
        helps[name] = _print(name, trials)
    _confirm(helps)
    return 0


def _demos() -> Iterator[tuple[str, Callable[..., Path]]]:
    from temper.demos import fraud, held_out

    yield "fraud", fraud.write
    yield "held out", held_out.write


def _tried(path: Path, seed: int, names: list[str]) -> list[Trial]:
    """Every defence that applies (or these), tried on one system."""
    import temper
    from temper.engine.harden import harden
    from temper.engine.plan import plan
    from temper.engine.reattack import Reattack, deciding

    system = temper.load(path)
    planned = plan(system, "quick", ["evasion"], seed)
    reattack = Reattack(world=planned.world, tasks=deciding(planned.tasks)).decisive()
    print(f"seed {seed}: attacked by {', '.join(sorted({task.plugin for task in reattack.tasks}))}", flush=True)
    found = harden(system, evaluate=reattack, defences=names or None, inner=reattack.inner, seed=seed)
    before = reattack(system.target, system.threshold)
    for entry in found.skipped:
        print(f"skipped {entry.name}: {entry.why}")
    return [_trial(one, before, system) for one in (*found.trials, _fixed(system, reattack, seed))]


def _fixed(system: Any, reattack: Any, seed: int) -> Any:
    """The model that sees only what nobody can change, as if it were a defence."""
    from temper.core.seed import Draws
    from temper.core.target import Recipe
    from temper.engine.harden import Trial as Tried
    from temper.engine.harden import same_alert_rate
    from temper.hardening._member import member
    from temper.targets.averaged import Averaged

    columns = np.flatnonzero([not (column.movable or column.formula) for column in system.schema.columns])
    recipe = Recipe(regularise=1.0, seed=Draws(seed, "bench.fixed").integer())
    target = Averaged(members=(member(system.target, system.train, columns, recipe),))
    threshold = same_alert_rate(system.target, system.threshold, target, system.train.x)
    evaluation = reattack(target, threshold)
    evaluation.broken["evasion.any"] = _any(evaluation.broken)
    return Tried(defence=FIXED, target=target, threshold=threshold, evaluation=evaluation, effects=())


def _trial(one: Any, before: Any, system: Any) -> Trial:
    from temper.kernels.loss import flagged_score
    from temper.kernels.ranking import auc

    scores = [np.asarray(flagged_score(part.scores, system.target.kind)) for part in (before, one.evaluation)]
    alerts = scores[0] >= system.threshold, scores[1] >= one.threshold
    fraud = np.asarray(before.y) == 1
    return Trial(
        defence=one.defence,
        evaded=(_any(before.broken), one.evaluation.broken["evasion.any"]),
        caught=(alerts[0][fraud], alerts[1][fraud]),
        alerted=alerts,
        auc=(auc(before.y, scores[0]), auc(before.y, scores[1])),
    )


def _any(broken: dict[str, Any]) -> Any:
    return np.logical_or.reduce([np.asarray(rows, dtype=bool) for rows in broken.values()])


def _print(name: str, trials: dict[str, list[Trial]]) -> dict[str, bool]:
    """One line per defence; whether each surely lowers evasion."""
    rows, helps = [], {}
    for defence, found in trials.items():
        gain = _paired([one.evaded for one in found])
        helps[defence] = gain[2] < 0
        recall, alerts = _paired([one.caught for one in found]), _paired([one.alerted for one in found])
        areas = [100 * (one.auc[1] - one.auc[0]) for one in found]
        base = np.concatenate([one.evaded[0] for one in found])
        rows.append(
            [
                defence,
                f"{100 * base.mean():.1f} -> {100 * base.mean() + gain[0]:.1f}",
                _points(gain),
                " ".join(f"{_paired([one.evaded])[0]:+.0f}" for one in found),
                len(base),
                _points(recall),
                _points(alerts, 2),
                f"{np.mean(areas):+.2f} [{min(areas):+.2f}, {max(areas):+.2f}]",
            ]
        )
    columns = ["", "evasion %", "difference", "per seed", "n", "recall", "alerts", "AUC [range]"]
    seeds = len(next(iter(trials.values()), []))
    table(f"{name}, {seeds} seeds: percentage points, after minus before, [paired 95 %]", columns, rows)
    return helps


def _paired(pairs: Sequence[tuple[Any, Any]]) -> tuple[float, float, float]:
    """The difference in percentage points over the rows of all seeds, with its paired interval."""
    from temper.kernels.rate import paired_rates

    before, after = (np.concatenate([np.asarray(pair[at], dtype=bool) for pair in pairs]) for at in (0, 1))
    difference, low, high = paired_rates(before, after)
    return 100 * difference, 100 * low, 100 * high


def _points(found: tuple[float, float, float], digits: int = 1) -> str:
    return f"{found[0]:+.{digits}f} [{found[1]:+.{digits}f}, {found[2]:+.{digits}f}]"


def _confirm(helps: dict[str, dict[str, bool]]) -> None:
    """Say for each defence whether the second generator agrees with the first."""
    first, second = helps.values()
    print()
    for defence in {**first, **second}:
        if defence == FIXED:
            continue
        one, two = first.get(defence), second.get(defence)
        words = {
            (True, True): "lowers evasion on both generators",
            (True, False): "lowers evasion on fraud, NOT CONFIRMED on the held-out generator",
            (False, True): "no sure reduction on fraud, lowers evasion on the held-out generator",
            (False, False): "no sure reduction on either",
        }
        print(
            f"{defence}: {words.get((bool(one), bool(two)), '')}"
            + ("" if None not in (one, two) else " (skipped once)")
        )
    both = [name for name in first if first[name] and second.get(name) and name != FIXED]
    print(f"goal one defence at least helps on both: {'reached: ' + ', '.join(both) if both else 'missed'}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
