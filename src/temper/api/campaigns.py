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
    from temper.engine.abuse.run import Job as Abuse
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
    table; for an assistant `campaign=True`, which wages `campaign:` of its temper.yaml against its tools instead, or
    else `attacker`, `stop` and `hardening`.
    """
    common: dict[str, Any] = {"store": store, "listener": listener, "resume": resume, "fresh": fresh}
    if isinstance(system, Assistant):
        from temper.api import assistants

        if more.pop("campaign", False):
            return _abuse(system, suite, tuple(only or ()), seed, **common, **more)
        return assistants.redteam(system, suite, only, seed, **common, **more)
    return _campaign(system, suite, tuple(only or ()), seed, **common, **more)


def described(system: Protected | Assistant, suite: str = "standard", only: Sequence[str] = ()) -> str:
    """What a campaign would do to this table model or assistant, and by which rules; nothing is asked."""
    from temper.engine.campaign.run import plan_of

    if isinstance(system, Assistant):
        from temper.engine.abuse.run import plan_of as plan_of_abuse

        return plan_of_abuse(_abuse_job(system, suite, tuple(only), 0))
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


def _abuse(
    assistant: Assistant,
    suite: str,
    only: tuple[str, ...],
    seed: int,
    *,
    store: str | Path | None,
    listener: Listener,
    resume: bool,
    fresh: bool,
) -> Run:
    from temper.engine.abuse.run import KIND
    from temper.engine.abuse.run import redteam as wage

    job, kept = _abuse_job(assistant, suite, only, seed), open_store(store, assistant)
    run = unfinished(kept, assistant.name, KIND) if resume else kept.next_run_id()
    return Run(wage(replace(job, store=kept, run=run, listener=listener, fresh=fresh)))


def _abuse_job(assistant: Assistant, suite: str, only: tuple[str, ...], seed: int) -> Abuse:
    from temper.config.abuse import campaign_of
    from temper.config.document import Section
    from temper.config.reading import read
    from temper.engine.abuse.run import Job as Abuse

    document = read(Path(assistant.source)) if assistant.source else Section(entries={})
    campaign = campaign_of(document, assistant)
    return Abuse(
        assistant=assistant,
        campaign=replace(campaign, only=only) if only else campaign,
        now=datetime.now(UTC),
        suite=suite,
        seed=seed,
        author=whoever(),
    )
