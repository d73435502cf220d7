"""A campaign in words: who attacks what, and by which rules."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from temper.config.serving import Serving
from temper.core.campaign import Aim
from temper.engine.campaign.staged import Staged
from temper.guard.serving import parts

if TYPE_CHECKING:
    from temper.engine.campaign.run import Job

GATEWAY = "the gateway"


def attacker(job: Job, dealt: Staged | None = None) -> str:
    """The attackers in words; once rows were dealt, with as many as there were, which may be fewer than asked for."""
    one = job.campaign.attacker
    held, wanted = (one.held, one.wanted) if dealt is None else (len(dealt.known), len(dealt.wanted))
    fewer = f" (there are no more: {one.wanted:,} were to be had)" if wanted < one.wanted else ""
    moves = any(each.aim is Aim.MOVE for each in job.campaign.objectives)
    money = "" if one.money == float("inf") else f", {one.money:,g} for changes"
    change = "" if one.change == float("inf") else f" (at most {one.change:g} a row)"
    accounts = f"{len(one.accounts)} account" + "s" * (len(one.accounts) != 1)
    return (
        f"{one.knowledge}, {accounts}, {one.queries:,} queries{money}{change}, patience for {one.patience:g} d, "
        f"{held:,} rows of their own{f', {wanted:,} rows to get past{fewer}' if moves else ''}"
    )


def rules(job: Job) -> str:
    """By which rules."""
    rules = job.campaign.rules
    said = [
        f"columns {', '.join(rules.columns)}" if rules.columns else "every column the schema lets an attacker move",
        f"{rules.hours[0]:g} to {rules.hours[1]:g} h UTC" if rules.hours != (0.0, 24.0) else "",
        f"stop after {rules.successes:,} rows" if rules.successes else "",
        f"stop at a loss of {rules.loss:,.0f}" if rules.loss else "",
        f"{rules.queries:,} queries at most" if rules.queries else "",
        f"stop when {rules.errors:.0%} of requests fail",
        f"kill switch {Path(rules.kill).name}" if rules.kill else "",
        "playbooks change the gateway, which is put back" if rules.contain and job.place else "",
    ]
    return "; ".join(one for one in said if one)


def target(job: Job) -> str:
    """What is attacked."""
    if job.place is not None:
        return f"{GATEWAY} at {job.place.url}"
    return f"the model behind {', '.join(standing(job.serving)) or 'nothing'}, by a simulated clock"


def standing(serving: Serving | None) -> list[str]:
    """The layers that act."""
    stages = () if serving is None else parts.stages(serving)
    names = ("quota", "bounds", *stages, "decide")
    return [name for name in names if serving and parts.mode_of(serving, name).value == "enforce"]
