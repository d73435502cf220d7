"""What came of one exchange, gathered while it goes on, for whoever writes it down."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from temper.core.chat import Reply, Request, Usage
from temper.core.stage import Decision, Judged, Level


@dataclass(slots=True, kw_only=True, eq=False)
class Trail:
    """One answer on its way: what every stage decided of the question and of it, what the model `wrote` and what was
    `said`. Of a stage that looks again and again, as at an answer in pieces, the worst is kept.
    """

    asked: dict[str, Decision] = field(default_factory=dict)
    answered: dict[str, Decision] = field(default_factory=dict)
    wrote: Reply | None = None
    said: Reply | None = None

    def told(self, reply: Reply | None, judged: Judged) -> None:
        """Hear a decision on the question (no reply) or on what the model has written so far."""
        self.wrote = reply or self.wrote
        found = self.asked if reply is None else self.answered
        for one in judged.decisions:
            if one.stage not in found or one.level >= found[one.stage].level:
                found[one.stage] = one

    @property
    def level(self) -> Level:
        """The worst decision on the answer."""
        return worst(self.answered)

    @property
    def usage(self) -> Usage:
        """The tokens of the answer."""
        reply = self.said or self.wrote
        return Usage() if reply is None else reply.usage


@dataclass(slots=True, kw_only=True, eq=False)
class Course:
    """A whole exchange: its `id`, who asks, for which `person`, whether in pieces, the question, and its answers;
    `over` once that is being written down.
    """

    id: str
    client: str
    person: str
    stream: bool
    request: Request
    trails: list[Trail]
    over: bool = False

    @property
    def level(self) -> Level:
        """The worst of all decisions."""
        return max((self.asked, *(trail.level for trail in self.trails)))

    @property
    def asked(self) -> Level:
        """The worst decision on the question."""
        return max(worst(trail.asked) for trail in self.trails)

    @property
    def subject(self) -> str:
        """Under which name its words are kept, and can be erased: the person's, else that of this exchange alone."""
        return f"{self.client}:{self.person}" if self.person else self.id

    def words(self) -> dict[str, Any]:
        """All that was said, with the reasons of the stages, as plain values."""
        return {
            "request": self.id,
            "asked": self.request,
            "reasons": _reasons(self.trails[0].asked),
            "answers": [
                {"wrote": one.wrote, "said": one.said, "reasons": _reasons(one.answered)} for one in self.trails
            ],
        }


def worst(found: dict[str, Decision]) -> Level:
    """The worst of these."""
    return max((one.level for one in found.values()), default=Level.ALLOW)


def _reasons(found: dict[str, Decision]) -> dict[str, dict[str, str]]:
    return {name: {"level": one.level.name, "reason": one.reason, "span": one.span} for name, one in found.items()}
