"""Attacks that worked, as cases of a regression test: the conversation up to the answer that gave in."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

from temper.attacks.injection._built import ground
from temper.core.assistant import Assistant, Trace
from temper.core.attack import RowVerdict
from temper.core.chat import Message, Role
from temper.core.errors import TemperError
from temper.core.injection import ASKED, Goal, Tokens
from temper.core.room import Room
from temper.core.run import Record
from temper.engine.redteam.answers import Answers
from temper.engine.redteam.attempts import FRESH, Trying
from temper.engine.redteam.campaign import aim
from temper.engine.redteam.findings import identity
from temper.engine.redteam.kept import Worked, recalled, was_fresh
from temper.engine.redteam.run import guarded, journal_of, scope_of, width
from temper.report.cases import Case
from temper.store.database import Store
from temper.store.journal import Journal

_TRIES = 40


def cases(assistant: Assistant, store: Store, record: Record) -> tuple[Case, ...]:
    """One case per finding of the run, its smallest attack; answers come from the journal where they stand there. What
    only a model can judge is left out: a test that stands alone has none.
    """
    goals = {goal.id: goal for goal in ground(assistant, 1).goals if goal.oracle != ASKED}
    small = [one for one in recalled(store, record.tasks[0]) if one.smallest and one.injection.goal in goals]

    async def found(journal: Journal) -> list[Case | None]:
        scope = scope_of(assistant, record.id, was_fresh(store, record))
        answers = Answers(target=assistant.target, journal=journal, scope=scope, width=width(assistant.target))
        ask = guarded(assistant, answers).ask
        trying = Trying(assistant=assistant, ask=ask, goals=goals, seed=record.seed)
        try:
            return [await _case(trying, one, goals[one.injection.goal]) for one in small]
        finally:
            with suppress(OSError):
                await assistant.target.close()

    with Journal(journal_of(assistant, store, record.id)) as journal:
        made = [case for case in asyncio.run(found(journal)) if case is not None]
    if not made:
        raise TemperError(f"run {record.id} has no attack that works", fix="run temper redteam first")
    return tuple(made)


async def _case(trying: Trying, worked: Worked, goal: Goal) -> Case | None:
    """The case of the first trial in which the attack works; None where it does in none."""
    for trial in range(FRESH, FRESH + _TRIES):
        attempt, trace = await trying.attempt("case", worked.injection, trial)
        if attempt.hit:
            tokens = trying.tokens(worked.injection, trial)
            return Case(
                id=f"{identity(trying.assistant.name, aim(worked.injection))}-{goal.id}",
                messages=_until(trying.assistant, goal, tokens, trace),
                oracle=goal.oracle,
                tokens=tokens,
                tools=trying.assistant.tools,
                trusted=trying.assistant.trusted,
                values=tuple(v for person in trying.assistant.people if not person.own for v in person.values),
            )
    return None


def _until(assistant: Assistant, goal: Goal, tokens: Tokens, trace: Trace) -> tuple[Message, ...]:
    """The messages before the answer that gave in."""
    judge = Room("temper.judges").build(f"told.{goal.oracle}")
    said = [at for at, message in enumerate(trace.messages) if message.role is Role.ASSISTANT]
    for at in said:
        so_far = replace(trace, messages=trace.messages[: at + 1])
        if judge.judge(assistant, goal, tokens, so_far).verdict is RowVerdict.BROKEN:
            return trace.messages[:at]
    return trace.messages[: said[-1]]
