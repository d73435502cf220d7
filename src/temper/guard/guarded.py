"""A target behind a guard, and a target itself."""

from __future__ import annotations

from dataclasses import dataclass, replace

from temper.core.chat import ChatTarget, Reply, Request
from temper.core.stage import Decision, Judged, Level
from temper.core.target import Access
from temper.guard.pipeline import Guard

REFUSAL = "I can't help with that."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Guarded:
    """`target` is asked what the guard lets through, and what it lets out is the answer.

    A question or an answer that is blocked is answered by `refusal`. What waits for a human is held back: where the
    stage says what may go without it, that goes, otherwise the refusal.
    """

    target: ChatTarget
    guard: Guard
    refusal: str = REFUSAL

    @property
    def name(self) -> str:
        """The adapter's name."""
        return f"guarded {self.target.name}"

    @property
    def access(self) -> Access:
        """The target's access."""
        return self.target.access

    @property
    def digest(self) -> str:
        """Target and guard; empty where the target's is."""
        return f"{self.target.digest}+{self.guard.digest}" if self.target.digest else ""

    async def ask(self, request: Request) -> Reply:
        """One answer."""
        judged = self.guard.before(request)
        if stopped := self._stopped(judged):
            return stopped
        reply = await self.target.ask(judged.exchange.request)
        return reply if reply.invalid else self.answered(judged, reply)

    def answered(self, before: Judged, reply: Reply) -> Reply:
        """What is let out of the target's answer to the question that `before` let in."""
        judged = self.guard.after(before.exchange.request, reply, before.context)
        if stopped := self._stopped(judged):
            return replace(stopped, usage=reply.usage, seconds=reply.seconds)
        out = judged.exchange.reply or reply
        lost = [call for call in reply.calls if call not in out.calls]
        return replace(out, blocked=_why(judged.decisions)) if lost else out

    async def close(self) -> None:
        """Close the target."""
        await self.target.close()

    def _stopped(self, judged: Judged) -> Reply | None:
        """The refusal, where nothing may go on."""
        halting = [one for one in judged.decisions if one.level >= Level.REVIEW]
        if judged.level is Level.BLOCK or any(one.exchange is None for one in halting):
            return Reply(text=self.refusal, blocked=_why(tuple(halting)))
        return None


def _why(decisions: tuple[Decision, ...]) -> str:
    """The worst decision in words."""
    worst = max(decisions, key=lambda one: one.level)
    return f"{worst.stage}: {worst.reason}"
