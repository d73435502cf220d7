"""What a rule and a linear model learnt from found attacks stop in wrappers that they have not learnt from.

    python -m bench.guard.learnt [--quick]

SIMULATED: the bank's assistant and the travel desk that was kept apart from whoever wrote the attacks and the guard.
Each is red teamed (suite quick) without a guard; rule and model learn from one half of the wrappers and are judged on
the other, on top of different guards. Attacks count once, however often they were tried; benign texts are of the
shipped corpus, which had no part in learning (rule: the other half of its templates; model: each left out of the fit).
"other goals too": what is judged by has neither wrappers nor goals that were learnt from.
`--quick`: the travel desk alone.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from bench.table import table
from temper.api import assistants, open_store
from temper.attacks.injection._built import ground
from temper.config.policy import load_policy
from temper.core.assistant import Assistant
from temper.core.defence import Effect
from temper.core.event import silent
from temper.core.injection import Injection
from temper.demos.assistant.bank import bank
from temper.demos.assistant.held_out.travel import travel
from temper.engine.redteam.harden import halves
from temper.engine.redteam.kept import recalled
from temper.engine.redteam.learnt import WORKED, Lesson, candidates
from temper.engine.redteam.weighing import SUCCESS, Guards, Scale

GUARDS: dict[str, Guards] = {
    "linear": (("linear", {}),),
    "rules": (("rules", {}),),
}
HEAD = ["on top of", "learnt", "other attacks that work", "their trials", "tasks done", "twins stopped", ""]
_MOST = 240


def main(words: list[str]) -> int:
    """Print the tables."""
    makes = {"travel desk, held out": travel} | ({} if "--quick" in words else {"bank": bank})
    for name, make in makes.items():
        table(f"{name} (SIMULATED)", HEAD, list(_rows(replace(make(), policy=load_policy("assistant")))))
    return 0


def _rows(assistant: Assistant) -> Iterator[list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        record = assistants.redteam(assistant, "quick", store=Path(folder)).record
        worked = recalled(open_store(Path(folder), assistant), record.tasks[0])
        attacks = list(dict.fromkeys(one.injection for one in worked))[:_MOST]
        known, _ = halves([one.wrapper for one in attacks])
        goals = {goal.id: goal for goal in ground(assistant, 1).goals}
        apart = _apart(attacks, known)
        for name, base in GUARDS.items():
            for chosen, words in ((attacks, name), (apart, f"{name}, other goals too")):
                scale = Scale(
                    assistant=assistant,
                    target=assistant.target,
                    goals=goals,
                    attacks=chosen,
                    trials=2,
                    width=16,
                    seed=0,
                )
                lesson = Lesson(scale=scale, folder=Path(folder), run=record.id, wrappers=known)
                for trial in asyncio.run(candidates(lesson, base, [stage for stage, _ in base], silent)):
                    moved = (trial.effect(metric) for metric in (WORKED, SUCCESS, "tasks", "twins_stopped"))
                    yield [words, trial.defence, *map(_moved, moved), trial.outcome.partition(":")[0]]


def _apart(attacks: Sequence[Injection], known: Sequence[str]) -> list[Injection]:
    """Attacks in wrappers that are learnt from with one half of the goals, those in others with the other half."""
    first, second = halves([one.goal for one in attacks])
    return [one for one in attacks if one.goal in (first if one.wrapper in known else second)]


def _moved(effect: Effect | None) -> str:
    if effect is None:
        return "–"
    change = f"[{100 * effect.low:+.0f}, {100 * effect.high:+.0f}]"
    return f"{effect.before:.1%} -> {effect.after:.1%} {change} n {effect.n}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
