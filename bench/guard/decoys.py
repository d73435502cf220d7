"""What decoys and canaries per document stop and cost.

    python -m bench.guard.decoys

SIMULATED: two assistants, a bank's and a travel desk that was kept apart from whoever wrote the attacks and the guard.
The same templates, users' tasks and harmless twins go through each guard; beside what is stopped stands what a question
costs. The simulated models do as they are told and look for nothing by themselves, so a decoy catches whoever makes
them tell their instructions, and no attacker who goes through the tools on his own.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.table import table
from temper.api import Run, assistants
from temper.config.policy import load_policy
from temper.core.assistant import Assistant
from temper.core.chat import Call, Message, Reply, Request, Role, Tool
from temper.demos.assistant.bank import bank
from temper.demos.assistant.held_out.travel import travel
from temper.guard.pipeline import build

GUARDS: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "no guard": (),
    "canary": (("canary", {}),),
    "canary, per document": (("canary", {"documents": True}),),
    "decoys": (("decoys", {}),),
}
HEAD = ["", "templates that succeed", "of instructions and secrets", "tasks done", "under attack", "twins stopped"]


def main(words: list[str]) -> int:
    """Print the tables."""
    for name, make in {"bank": bank, "travel desk, held out": travel}.items():
        table(f"{name} (SIMULATED)", HEAD, list(_rows(replace(make(), policy=load_policy("assistant")))))
    table("Added to a question with 8 documents of 4 kB, ms", ["guard", "in", "out"], list(_cost()))
    return 0


def _rows(assistant: Assistant) -> Iterator[list[str]]:
    for name, guard in GUARDS.items():
        with tempfile.TemporaryDirectory() as folder:
            guarded = replace(assistant, guard=guard)
            run = assistants.redteam(guarded, "quick", ["injection.templates"], store=Path(folder))
        yield [name, *_figures(run)]


def _figures(run: Run) -> Iterator[str]:
    yield _told(_one(run, "injection.templates", "success_rate"))
    known = [_one(run, "injection.templates", "success_rate", f"goal: {goal}") for goal in ("instructions", "secret")]
    hits, n = sum(round(m.value * m.n) for m in known), sum(m.n for m in known)
    yield f"{hits} of {n}"
    for plugin, metric in (("tasks", "served"), ("under_attack", "served"), ("twins", "blocked")):
        yield _told(_one(run, f"assistant.{plugin}", metric))


def _one(run: Run, plugin: str, metric: str, within: str = "all") -> Any:
    return next(m for m in run.measurements if (m.plugin, m.metric, m.slice) == (plugin, metric, within))


def _told(measured: Any) -> str:
    return f"{measured.value:.1%} [{measured.low:.1%}, {measured.high:.1%}] n {measured.n:,}"


def _cost() -> Iterator[list[str]]:
    document = "The order of last week has arrived, and nothing is missing. " * 68
    calls = tuple(Call(name="read_file", id=f"c{at}") for at in range(8))
    read = tuple(Message(role=Role.TOOL, text=document, answers=call.id) for call in calls)
    opening = (Message(role=Role.SYSTEM, text="Help."), Message(role=Role.USER, text="What is in these files?"))
    asked = Request(
        messages=(*opening, Message(role=Role.ASSISTANT, calls=calls), *read), tools=(Tool(name="read_file"),)
    )
    reply = Reply(text=document[:1_000])
    for name, guard in GUARDS.items():
        if guard:
            made = build(guard, key=b"bench")
            sides = partial(made.before, asked), partial(made.after, asked, reply)
            yield [name, *(f"{1e3 * _seconds(side):.2f}" for side in sides)]


def _seconds(go: Callable[[], object], times: int = 30) -> float:
    """The median of this many turns, the first left out."""
    found = []
    for _ in range(times + 1):
        start = time.perf_counter()
        go()
        found.append(time.perf_counter() - start)
    return sorted(found[1:])[times // 2]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
