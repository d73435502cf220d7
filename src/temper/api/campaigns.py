"""The public function for red teams of anything: an assistant, or a table model behind its guard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temper.api import Run, open_store, unfinished, whoever
from temper.core.assistant import Assistant
from temper.core.event import Listener, silent
from temper.core.system import Protected

if TYPE_CHECKING:
    from temper.engine.campaign.run import Job


def redteam(
    system: Protected | Assistant,
    suite: str = "standard",
    only: Sequence[str] | None = None,
    seed: int = 0,
    *,
    store: str | Path | None = None,
    listener: Listener = silent,
    resume: bool = False,
    fresh: bool = False,
    **more: Any,
) -> Run:
    """Red team a system: `campaign:` of its temper.yaml against the guarded model, or strategies against an assistant.

    `only` names techniques (of an assistant, strategies). `more` is `purple=True` (what would have been seen) for a
    table, and `attacker`, `stop` and `hardening` for an assistant.
    """
    common: dict[str, Any] = {"store": store, "listener": listener, "resume": resume, "fresh": fresh}
    if isinstance(system, Assistant):
        from temper.api import assistants

        return assistants.redteam(system, suite, only, seed, **common, **more)
    return _campaign(system, suite, tuple(only or ()), seed, **common, **more)


def described(system: Protected, suite: str = "standard", only: Sequence[str] = ()) -> str:
    """What `redteam` would do to this table model, and by which rules; nothing is asked."""
    from temper.engine.campaign.run import plan_of

    return plan_of(_job(system, suite, tuple(only), 0))


def _campaign(
    system: Protected,
    suite: str,
    only: tuple[str, ...],
    seed: int,
    *,
    store: str | Path | None,
    listener: Listener,
    resume: bool,
    fresh: bool,
    purple: bool = False,
) -> Run:
    from temper.engine.assess import vet
    from temper.engine.campaign.run import redteam as wage

    job = _job(system, suite, only, seed)
    vet(system)
    kept = open_store(store, system)
    run = unfinished(kept, system.name) if resume else kept.next_run_id()
    return Run(wage(replace(job, store=kept, run=run, listener=listener, fresh=fresh, purple=purple)))


def _job(system: Protected, suite: str, only: tuple[str, ...], seed: int) -> Job:
    from temper.engine.campaign.order import ordered

    return ordered(system, datetime.now(UTC), suite, only, seed, whoever())
