"""What a campaign will ask for, before it asks."""

from __future__ import annotations

import json
from dataclasses import dataclass

from temper.core.chat import Usage
from temper.core.injection import ASKED
from temper.engine.redteam.campaign import SURE, Campaign
from temper.engine.redteam.verdicts import TEMPTED
from temper.judges.told._asked import question
from temper.targets.chat.limits import Limits, estimated

_REQUESTS = 2
_SAID, _WRITTEN, _VERDICT = 1_200, 80, 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """At most so many conversations, and about so many requests and tokens; `cost` where prices are known. Answers that
    stand in the journal are not asked for again, so it may be much less.
    """

    conversations: int
    requests: int
    tokens: int
    cost: float = 0.0
    beyond: str = ""
    verdicts: int = 0
    judge_tokens: int = 0

    def __str__(self) -> str:
        price = f", {self.cost:,.2f} at its prices" if self.cost else ""
        over = f"; {self.beyond}" if self.beyond else ""
        judge = f"; about {self.verdicts:,} verdicts and {self.judge_tokens:,} tokens of the judging model"
        return (
            f"up to {self.conversations:,} conversations, about {self.requests:,} requests and {self.tokens:,} "
            f"tokens{judge if self.verdicts else ''}{price}{over}"
        )


def estimate(campaign: Campaign) -> Estimate:
    """The estimate: two requests a conversation, tokens by the length of instructions, tools and an injection."""
    effort, assistant = campaign.effort, campaign.assistant
    aims = len(campaign.ground.goals) + sum(goal.from_users for goal in campaign.ground.goals)
    conversations = (
        (len(campaign.strategies) * campaign.ground.attempts + campaign.templates - campaign.ground.attempts)
        * effort.trials
        + aims * (campaign.confirmations + effort.confirmations + effort.minimal * max(SURE, effort.trials))
        + effort.twins
        + len(assistant.tasks) * effort.tasks
    )
    requests = conversations * _REQUESTS
    verdicts, judging = _judging(campaign, conversations)
    tools = json.dumps([[tool.name, tool.description, dict(tool.parameters)] for tool in assistant.tools])
    each = Usage(read=estimated(assistant.instructions + tools) + _SAID // 4, written=_WRITTEN)
    used = Usage(read=requests * each.read, written=requests * each.written)
    line, judge = getattr(assistant.target, "line", None), getattr(assistant.judge, "line", None)
    limits = Limits() if line is None else line.limits
    cost, tokens, more = limits.cost(used), used.read + used.written, judging.read + judging.written
    dear = judge.limits.cost(judging) if judge is not None else 0.0
    over = [_beyond(limits, requests, tokens, cost)] if line is not None else []
    over += [_beyond(judge.limits, verdicts, more, dear, " of the judge")] if judge is not None else []
    return Estimate(
        conversations=conversations,
        requests=requests,
        tokens=tokens,
        cost=cost + dear,
        beyond="; ".join(filter(None, over)),
        verdicts=verdicts,
        judge_tokens=more,
    )


def _judging(campaign: Campaign, conversations: int) -> tuple[int, Usage]:
    """What is asked of the judging model: about its share of the goals, and every labelled reply."""
    goals = campaign.ground.goals
    asked = [goal for goal in goals if goal.oracle == ASKED]
    if not asked:
        return 0, Usage()
    verdicts = -(-conversations * len(asked) // len(goals)) + len(campaign.labelled) + TEMPTED
    each = sum(estimated(message.text) for message in question(asked[0].says, "").messages) + _WRITTEN
    return verdicts, Usage(read=verdicts * each, written=verdicts * _VERDICT)


def _beyond(limits: Limits, requests: int, tokens: int, cost: float, whose: str = "") -> str:
    """Which cap may end the run before it is done."""
    caps = (
        (requests, limits.max_requests, "max_requests"),
        (tokens, limits.max_tokens, "max_tokens"),
        (cost, limits.max_cost, "max_cost"),
    )
    passed = [f"{name} of {cap:,}{whose}" for needed, cap, name in caps if cap is not None and needed > cap]
    return f"{' and '.join(passed)} may end it early; --resume goes on" if passed else ""
