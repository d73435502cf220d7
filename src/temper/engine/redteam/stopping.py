"""Trials in rounds, until the policy's claims about attack success are decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase

from temper.core.errors import ConfigError
from temper.core.measure import Measurement, Status
from temper.core.requirement import Claim, Policy, Requirement
from temper.engine.redteam.campaign import TEMPLATES, Aim, Campaign, Found
from temper.engine.redteam.figures import STRONGEST, of_strongest, of_templates, sliced
from temper.engine.redteam.judged import without_judged
from temper.validation.gate import judge

_SUCCESS = {plugin: f"{plugin}.success_rate" for plugin in (TEMPLATES, STRONGEST)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ByPolicy:
    """Stops when each claim of the policy is decided, by the rule that will judge the run. Figures of attacks then hold
    whenever one stops, so looking after every round costs no certainty; it costs trials where a claim is close.
    """

    policy: Policy

    def __post_init__(self) -> None:
        if not any(self._about(plugin) for plugin in _SUCCESS):
            raise ConfigError(
                f"nothing in the policy {self.policy.name!r} is about attack success, so nothing says when to stop",
                fix=f"add a requirement on {' or '.join(_SUCCESS.values())}, or leave --stop out",
            )

    def enough(self, campaign: Campaign, found: Found) -> bool:
        """Whether no claim about the templates is open. Without one, what the suite tries is enough."""
        parts = any(one.slice != "all" for one in self._about(TEMPLATES))
        if not self._about(TEMPLATES):
            return len(found.attempts[TEMPLATES]) >= campaign.effort.attempts * campaign.effort.trials
        return not self._open(TEMPLATES, of_templates(without_judged(campaign, found), parts))

    def open(self, campaign: Campaign, found: Found) -> set[Aim]:
        """The aims with a strongest attack about which a claim is open."""
        known = without_judged(campaign, found)
        names = self._open(STRONGEST, of_strongest(known)) if self._about(STRONGEST) else set()
        return {at for at in found.strongest if sliced(at) in names}

    def _about(self, plugin: str) -> list[Requirement]:
        return [one for one in self.policy.requirements if fnmatchcase(_SUCCESS[plugin], one.metric)]

    def _open(self, plugin: str, measured: Sequence[Measurement]) -> set[str]:
        """The slices about which the policy's claims are open so far."""
        policy = Policy(name=self.policy.name, requirements=tuple(self._about(plugin)))
        return {
            claim.slice
            for judgement in judge(policy, [one for one in measured if one.status is Status.OK], date.max)
            for claim in judgement.claims
            if _open(claim, 1 - judgement.requirement.confidence)
        }


def _open(claim: Claim, alpha: float) -> bool:
    """Whether more trials may decide it. One that keeps the limit by itself waits for the others: that all of them keep
    it needs no correction, while one that breaks it was picked among all.
    """
    return (claim.p if claim.kept else claim.corrected) > alpha
