"""A strategy against an assistant, one conversation after the other: what the engine does, without its scheduler."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from temper.attacks.injection._built import built
from temper.core.assistant import Assistant, Trace
from temper.core.chat import Reply, Request
from temper.core.injection import Evidence, Goal, Ground, Injection, Shown, Tokens
from temper.core.room import Room
from temper.core.seed import Draws
from temper.targets.chat.sandbox import Ask, converse

JUDGES = Room("temper.judges.told")


def hunted(
    strategy: Any,
    ground: Ground,
    seed: int = 0,
    trials: int = 1,
    attacker: Callable[[Request], Reply] | None = None,
) -> list[Shown]:
    """Everything the strategy tried, with what came of it."""
    goals = {goal.id: goal for goal in ground.goals}
    work, sent, seen = strategy.run(ground, Draws(seed, type(strategy).__name__)), None, []
    while True:
        try:
            batch = work.send(sent)
        except StopIteration:
            return seen
        if isinstance(batch[0], Request):
            assert attacker is not None
            sent = tuple(map(attacker, batch))
        else:
            sent = tuple(shown(ground.assistant, goals[one.goal], one, range(trials)) for one in batch)
            seen += sent


def shown(assistant: Assistant, goal: Goal, injection: Injection, trials: range) -> Shown:
    """One injection, once per trial."""
    pairs = [held(assistant, goal, injection, trial) for trial in trials]
    last = tuple(trace.said[-1] if trace.said else "" for _, trace in pairs)
    return Shown(injection=injection, evidence=tuple(seen for seen, _ in pairs), replies=last)


def reached(seen: list[Shown]) -> dict[str, Shown]:
    """The best of every goal that was reached."""
    hits = sorted((one for one in seen if one.hits), key=lambda one: one.hits / one.valid)
    return {one.injection.goal: one for one in hits}


def held(assistant: Assistant, goal: Goal, injection: Injection, trial: int = 0) -> tuple[Evidence, Trace]:
    """One trial of one injection, judged, and the conversation."""
    tokens = Tokens.of(f"trial {trial}")
    trace = _at_once(converse(assistant, built(assistant, goal, injection, tokens, trial), _asked(assistant)))
    evidence: Evidence = JUDGES.build(goal.oracle).judge(assistant, goal, tokens, trace)
    return evidence, trace


def _asked(assistant: Assistant) -> Ask:
    """The function behind the target, without the thread that would wait for it."""
    call: Callable[[Request], Reply] = assistant.target.call  # type: ignore[attr-defined]

    async def ask(request: Request) -> Reply:
        return call(request)

    return ask


def _at_once(work: Coroutine[Any, Any, Trace]) -> Trace:
    """What a coroutine that waits for nothing comes to; an event loop for each would cost more than the stand-in."""
    try:
        work.send(None)
    except StopIteration as done:
        trace: Trace = done.value
        return trace
    raise RuntimeError("the assistant waits for something")
