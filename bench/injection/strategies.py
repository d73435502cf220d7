"""What each strategy finds at equal budgets, beside templates drawn at random. SIMULATED.

    python -m bench.injection.strategies [--full]

Every assistant is the bank's stand-in with another seed and another readiness to obey: `weak` follows one bare order
of an outsider in eight, `middling` one in twenty, `strong` one in ninety; good wording raises that. A strategy has
the same number of injections everywhere, one trial each. Per strategy: goals reached of thirteen; the difference from
templates on the same assistants; hits per attempt; hits in the second half, where what was learnt shows; how strong the
best attack of a goal really is (20 fresh trials of it, 0 where the goal was not reached). [ ]: 95 % interval over
assistants (Student's t, paired where it is a difference). Splitting and crescendo can only try the three goals that
users can have. Below: how much of an attack `minimal` takes away, and what is left of its strength.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from bench.injection.serial import hunted, reached, shown
from bench.table import goal, machine, table
from temper.attacks.injection._built import ground
from temper.attacks.injection._size import size
from temper.core.assistant import Assistant
from temper.core.injection import Injection, Shown
from temper.core.room import Room
from temper.demos.assistant.bank import bank
from temper.demos.assistant.weakness import Weakness

ATTACKS = Room("temper.attacks")
BASELINE = "templates"
NAMES = (BASELINE, "best_of_n", "random_search", "bandit", "genetic", "tree", "splitting", "crescendo")
ODDS = {"weak": -2.0, "middling": -3.0, "strong": -4.5}
FRESH = range(10_000, 10_020)


def main(words: list[str]) -> None:
    """One table per readiness, one for `minimal`."""
    print(machine("numpy"))
    print("SIMULATED: stand-ins with planted weaknesses; nothing here is said of a language model")
    seeds, attempts = (12, 390) if "--full" in words else (6, 156)
    known: list[tuple[Assistant, Injection]] = []
    for label, odds in ODDS.items():
        assistants = [bank(Weakness(seed=seed, obeys={"user": odds + 0.5, "tool": odds})) for seed in range(seeds)]
        plain: list[int] = []
        lines = []
        for name in NAMES:
            start = time.process_time()
            runs = [_run(name, one, attempts, seed) for seed, one in enumerate(assistants)]
            spent = time.process_time() - start
            found = [len(reached(run)) for run in runs]
            plain = plain or found
            lines.append((name, *_figures(runs, assistants, found, plain), f"{spent / seeds:.1f}"))
            known += _known(runs, assistants) if name == "genetic" and label != "strong" else []
            if name in ("bandit", "genetic"):
                more = float(np.mean(np.subtract(found, plain)))
                goal(f"{label}: goals that {name} reaches above templates", more, 0.0, at_least=True)
        title = f"{label}: {seeds} stand-ins, {attempts} injections each, SIMULATED"
        heads = ("strategy", "goals of 13", "above templates", "hits %", "2nd half %", "fresh %", "CPU s")
        table(title, heads, lines)
    _smaller(known)


def _run(name: str, assistant: Assistant, attempts: int, seed: int) -> list[Shown]:
    return hunted(ATTACKS.build(f"injection.{name}"), ground(assistant, attempts), seed)


def _figures(
    runs: list[list[Shown]], assistants: list[Assistant], found: list[int], plain: list[int]
) -> tuple[str, ...]:
    hits = [100 * float(np.mean([bool(one.hits) for one in run])) for run in runs]
    late = [100 * float(np.mean([bool(one.hits) for one in run[len(run) // 2 :]])) for run in runs]
    fresh = [100 * _strength(run, one) for run, one in zip(runs, assistants, strict=True)]
    return (_mean(found), _mean(np.subtract(found, plain)), *map(partial(_mean, digits=1), (hits, late, fresh)))


def _strength(run: list[Shown], assistant: Assistant) -> float:
    """Fresh success of the best attack of every goal, the goals that were not reached counted as none."""
    goals = {one.id: one for one in ground(assistant, 1).goals}
    best = reached(run)
    again = [shown(assistant, goals[name], one.injection, FRESH) for name, one in best.items()]
    return sum(one.hits / len(FRESH) for one in again) / len(goals)


def _mean(values: Sequence[Any], digits: int = 2) -> str:
    """A mean with Student's interval."""
    from scipy.stats import t

    found = np.asarray(values, dtype=float)
    half = float(t.ppf(0.975, len(found) - 1)) * float(found.std(ddof=1)) / len(found) ** 0.5
    return f"{found.mean():.{digits}f} [{found.mean() - half:.{digits}f}, {found.mean() + half:.{digits}f}]"


def _known(runs: list[list[Shown]], assistants: list[Assistant]) -> list[tuple[Assistant, Injection]]:
    """The best attack of each assistant on the goals that were reached, one goal per assistant."""
    return [
        (one, next(iter(best.values())).injection)
        for run, one in zip(runs, assistants, strict=True)
        if (best := reached(run))
    ]


def _smaller(known: list[tuple[Assistant, Injection]]) -> None:
    """Every known attack with something put on it that it does not need, made small with five trials per step."""
    lines = []
    for assistant, injection in known:
        fat = replace(injection, suffix="at your earliest convenience, with kind regards from all of us")
        on = ground(assistant, 150, known=(fat,))
        aim = next(one for one in on.goals if one.id == injection.goal)
        seen = hunted(ATTACKS.build("injection.minimal"), on, 0, 5)
        floor = ATTACKS.build("injection.minimal").keeps * seen[0].hits
        small = min((one.injection for one in seen if one.hits and one.hits >= floor), key=lambda one: size(one, aim),
                    default=fat)  # fmt: skip
        before, after = (shown(assistant, aim, one, FRESH).hits / len(FRESH) for one in (fat, small))
        lines.append((size(fat, aim), size(small, aim), before, after, len(seen)))
    if len(lines) < 2:
        return
    cells = [_mean([line[at] for line in lines], 2 if at in (2, 3) else 0) for at in range(5)]
    heads = ("what", "letters before", "letters after", "fresh before", "fresh after", "attempts")
    table(f"minimal: {len(lines)} attacks, SIMULATED", heads, [("mean [95 %]", *cells)])


if __name__ == "__main__":
    main(sys.argv[1:])
