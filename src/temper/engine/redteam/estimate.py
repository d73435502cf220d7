"""What a campaign will ask for, before it asks."""

from __future__ import annotations

import json
from dataclasses import dataclass

from temper.core.chat import Usage
from temper.engine.redteam.campaign import SURE, Campaign
from temper.targets.chat.limits import Limits, estimated

_REQUESTS = 2
_SAID, _WRITTEN = 1_200, 80


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

    def __str__(self) -> str:
        price = f", {self.cost:,.2f} at its prices" if self.cost else ""
        over = f"; {self.beyond}" if self.beyond else ""
        return (
            f"up to {self.conversations:,} conversations, about {self.requests:,} requests and {self.tokens:,} "
            f"tokens{price}{over}"
        )


def estimate(campaign: Campaign) -> Estimate:
    """The estimate: two requests a conversation, tokens by the length of instructions, tools and an injection."""
    effort, assistant = campaign.effort, campaign.assistant
    aims = len(campaign.ground.goals) + sum(goal.from_users for goal in campaign.ground.goals)
    conversations = (
        len(campaign.strategies) * campaign.ground.attempts * effort.trials
        + aims * (2 * effort.confirmations + effort.minimal * max(SURE, effort.trials))
        + effort.twins
        + len(assistant.tasks) * effort.tasks
    )
    requests = conversations * _REQUESTS
    tools = json.dumps([[tool.name, tool.description, dict(tool.parameters)] for tool in assistant.tools])
    each = Usage(read=estimated(assistant.instructions + tools) + _SAID // 4, written=_WRITTEN)
    used = Usage(read=requests * each.read, written=requests * each.written)
    line = getattr(assistant.target, "line", None)
    limits = Limits() if line is None else line.limits
    cost, tokens = limits.cost(used), used.read + used.written
    return Estimate(
        conversations=conversations,
        requests=requests,
        tokens=tokens,
        cost=cost,
        beyond=_beyond(limits, requests, tokens, cost) if line is not None else "",
    )


def _beyond(limits: Limits, requests: int, tokens: int, cost: float) -> str:
    """Which cap may end the run before it is done."""
    caps = (
        (requests, limits.max_requests, "max_requests"),
        (tokens, limits.max_tokens, "max_tokens"),
        (cost, limits.max_cost, "max_cost"),
    )
    passed = [f"{name} of {cap:,}" for needed, cap, name in caps if cap is not None and needed > cap]
    return f"{' and '.join(passed)} may end it early; --resume goes on" if passed else ""
