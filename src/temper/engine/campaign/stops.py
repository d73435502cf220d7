"""The hard stops of a campaign, looked at before anything is sent, whatever is attacked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from temper.core.campaign import DAY, Attacker, Rules
from temper.engine.campaign.door import Ended


def interrupted(rules: Rules, failed: Sequence[bool], window: int) -> None:
    """Raises where the kill switch is there, or too many of the last requests `failed`: it may go on later."""
    if rules.kill and Path(rules.kill).exists():
        raise Ended(f"the kill switch {rules.kill} is there", fix="--resume goes on once it is gone")
    if len(failed) >= window and sum(failed) > rules.errors * len(failed):
        said = f"{sum(failed)} of the last {window} requests failed"
        raise Ended(f"rules.stop.errors: {said}", fix="--resume goes on once the target is well")


def over(
    rules: Rules,
    attacker: Attacker,
    *,
    passed: int,
    worth: float,
    queries: int,
    clock: float,
    what: str = "rows passed",
) -> str:
    """Why the rules or the attackers' patience end it, "" where they do not."""
    if rules.successes and passed >= rules.successes:
        return f"rules.stop.successes: {rules.successes:,} {what}"
    if rules.loss and worth >= rules.loss:
        return f"rules.stop.loss: {rules.loss:,.0f} got through"
    if rules.queries and queries >= rules.queries:
        return f"rules.queries: {rules.queries:,} were asked"
    if clock > attacker.patience * DAY:
        return f"the attacker's patience of {attacker.patience:g} days is over"
    return ""
