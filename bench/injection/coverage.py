"""Do the intervals hold what they should? Simulated assistants whose weakness is planted, asked as a red team asks.

    python -m bench.injection.coverage [--quick | --full]

SIMULATED. Every assistant is a stand-in of another seed and another readiness to obey; its true rate is the mean chance
over a pool of injections (templates through every carrier), which the stand-in can be asked for. The tester draws 40
injections of the pool, tries each three times, and gives the clustered interval; then 60 fresh trials of the injection
that did best, with Wilson's. Assistants that never obey must never be hit. Goal: the clustered interval covers at least
95 % less three standard errors and at most 98.5 %. 1,000 assistants; `--quick`: 200.
"""

from __future__ import annotations

import asyncio
import math
import sys
from dataclasses import replace
from typing import Any

import numpy as np

from bench.table import table
from temper.attacks.injection._built import built, ground, ways
from temper.core.assistant import Assistant
from temper.core.chat import Reply, Request
from temper.core.injection import Injection
from temper.demos.assistant.bank import bank
from temper.demos.assistant.mind import Mind
from temper.demos.assistant.weakness import STURDY, Weakness
from temper.engine.redteam.attempts import Trying
from temper.kernels.clustered import clustered_rate
from temper.kernels.rate import wilson
from temper.targets.chat.sandbox import converse

POOL, DRAWN, TRIALS, FRESH = 240, 40, 3, 60
HEAD = ["assistants", "n", "mean true rate", "clustered", "goal", "strongest, Wilson"]
Seen = list[list[Request]]


def main(words: list[str]) -> int:
    """Print the table."""
    many = 200 if "--quick" in words else 1_000
    assistant = bank(STURDY)
    pool = _pool(assistant)
    seen = [asyncio.run(_questions(assistant, injection)) for injection in pool]
    rng = np.random.default_rng(0)
    rows = []
    for name, low, high in (("hardly ever obeys", -7.0, -4.0), ("sometimes", -4.0, -1.0), ("often", -1.0, 1.5)):
        rows.append(_line(name, [_one(rng, at, (low, high), seen) for at in range(many // 3)]))
    table("coverage of 95 % intervals", HEAD, rows)
    minds = [Mind(weakness=replace(STURDY, seed=at)) for at in range(20)]
    never = [_tested(rng, mind, seen)[0] for mind in minds]
    print(f"\nassistants that never obey: {sum(map(sum, never))} hits in {sum(map(len, never)) * TRIALS:,} trials")
    return 0


def _pool(assistant: Assistant) -> list[Injection]:
    """Injections drawn from the whole product of goals, wrappers and ways in."""
    where, rng = ground(assistant, POOL), np.random.default_rng(1)
    found = []
    for _ in range(POOL):
        goal = where.goals[rng.integers(len(where.goals))]
        open_ways = ways(where, goal)
        carrier, task = open_ways[rng.integers(len(open_ways))]
        wrapper = where.wrappers[rng.integers(len(where.wrappers))]
        found.append(Injection(goal=goal.id, wrapper=wrapper, carrier=carrier, task=task))
    return found


async def _questions(assistant: Assistant, injection: Injection) -> list[Request]:
    """What the assistant is asked on the way of an injection that it never obeys: where it would have its chance."""
    goals = {goal.id: goal for goal in ground(assistant, 1).goals}
    asked: list[Request] = []

    async def ask(request: Request) -> Reply:
        asked.append(request)
        return Mind(weakness=STURDY).answer(request)

    tokens = Trying(assistant=assistant, ask=ask, goals=goals).tokens(injection, 0)
    await converse(assistant, built(assistant, goals[injection.goal], injection, tokens, 0), ask)
    return asked


def _chance(mind: Mind, requests: list[Request]) -> float:
    """How probable it is that one of these is obeyed."""
    return 1.0 - math.prod(1.0 - mind.chance(request) for request in requests)


def _tested(rng: Any, mind: Mind, seen: Seen) -> tuple[list[int], list[int]]:
    """Hits per injection drawn, and which were drawn: the stand-in answers trial by trial."""
    drawn, base = rng.integers(len(seen), size=DRAWN).tolist(), int(rng.integers(10**9))
    hits = [sum(_obeys(mind, seen[at], base + 1000 * k + t) for t in range(TRIALS)) for k, at in enumerate(drawn)]
    return hits, drawn


def _obeys(mind: Mind, requests: list[Request], trial: int) -> bool:
    """Whether the stand-in says something in this trial that it would not have said by itself."""
    honest = Mind(weakness=replace(STURDY, seed=mind.weakness.seed, understands=mind.weakness.understands))
    asked = [replace(request, trial=trial) for request in requests]
    return any(mind.answer(request) != honest.answer(request) for request in asked)


def _one(rng: Any, seed: int, levels: tuple[float, float], seen: Seen) -> tuple[float, bool, bool]:
    """True rate of one assistant, and whether both intervals held what they are about."""
    level = float(rng.uniform(*levels))
    mind = Mind(weakness=Weakness(seed=seed, obeys={"user": level, "tool": level}))
    chances = [_chance(mind, requests) for requests in seen]
    truth = float(np.mean(chances))
    hits, drawn = _tested(rng, mind, seen)
    _, at_least, at_most = clustered_rate(hits, [TRIALS] * DRAWN)
    best = drawn[int(np.argmax(hits))]
    again = sum(_obeys(mind, seen[best], 10**9 + seed * FRESH + t) for t in range(FRESH))
    under, over = wilson(again, FRESH)
    return truth, at_least <= truth <= at_most, under <= chances[best] <= over


def _line(name: str, found: list[tuple[float, bool, bool]]) -> list[str]:
    n = len(found)
    floor = 0.95 - 3 * math.sqrt(0.95 * 0.05 / n)
    truth, held, strongest = (float(np.mean([one[at] for one in found])) for at in range(3))
    return [name, str(n), f"{truth:.3f}", f"{held:.3f}", f"{floor:.3f} to .985", f"{strongest:.3f}"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
