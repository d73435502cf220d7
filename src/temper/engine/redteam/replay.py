"""Try a finding's smallest attack again on the assistant as it is now; no kept answer is used."""

from __future__ import annotations

import asyncio

from temper.attacks.injection._built import ground
from temper.core.assistant import Assistant
from temper.core.errors import RunStopped, TemperError
from temper.engine.redteam.attempts import Attempt, Trying
from temper.engine.redteam.campaign import aim, fresh
from temper.engine.redteam.findings import identity
from temper.engine.redteam.kept import recalled
from temper.engine.redteam.run import guarded, width
from temper.engine.redteam.verdicts import ModelJudge, closed
from temper.engine.replay import Replay
from temper.kernels.rate import clopper_pearson, wilson
from temper.store.database import Store

TRIALS = 20


def replay(assistant: Assistant, store: Store, name: str) -> Replay:
    """The finding's attack, `TRIALS` times; it is still there while any of them works."""
    finding, run = store.finding(name)
    kept = [one for one in recalled(store, finding.task) if one.smallest]
    chosen = next((one for one in kept if identity(assistant.name, aim(one.injection)) == finding.id), None)
    if chosen is None:
        raise TemperError(f"{finding.id} has no kept attack", fix="run temper redteam again")
    goals = {goal.id: goal for goal in ground(assistant, 1).goals}
    if chosen.injection.goal not in goals:
        raise TemperError(f"{chosen.injection.goal} can no longer be tried on this assistant", fix="check its sandbox")
    ask = guarded(assistant, assistant.target).ask
    asked = ModelJudge(ask=assistant.judge.ask).judge if assistant.judge is not None else None
    trying = Trying(assistant=assistant, ask=ask, goals=goals, seed=store.run(run).seed, asked=asked)

    async def tried() -> list[Attempt]:
        try:
            return await fresh(trying, chosen.injection, TRIALS, width(assistant.target))
        finally:
            await closed(assistant)

    return _told(f"{finding.id}: {finding.title}", asyncio.run(tried()))


def _told(title: str, attempts: list[Attempt]) -> Replay:
    valid, hits = sum(one.valid for one in attempts), sum(one.hit for one in attempts)
    if not valid:
        why = next(one.evidence.reason for one in attempts)
        raise RunStopped(f"no conversation could be judged: {why}", fix="repair that, then again")
    low, high = wilson(hits, valid)
    lines = [title, f"  {hits} of {valid} trials reached the goal ({low:.0%} to {high:.0%})"]
    shown = next((one for one in attempts if one.hit), None)
    lines += [f"  seen: {shown.evidence.reason or shown.evidence.span}"] if shown else []
    most = clopper_pearson(0, valid, side="upper")[1]
    lines.append("STILL THERE" if hits else f"NOT SEEN AGAIN: under {most:.0%} with 95 % confidence")
    return Replay(text="\n".join(lines), still_there=hits > 0)
