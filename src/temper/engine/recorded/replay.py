"""A recorded task and an attack on it, put through a defence call by call: nobody asks a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

from temper.core.chat import Call, Message, Reply, Request, Role, Tool
from temper.core.stage import ALLOWED, Context, Decision, Exchange, Judged, Level, Stage
from temper.guard.pipeline import Guard

Answer: TypeAlias = Callable[[Call], str]
"""What the tools answer to a call that is made; it may remember the calls before."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recorded:
    """What a user asked and the calls that do it, the calls an attacker is after, and the tools as they answer.

    `world` gives tools in a fresh state, with the attacker's text wherever an outsider can write. `user` and `attack`
    name the tasks, for intervals over tasks; `trusted` is the owner's allow-list.
    """

    user: str
    attack: str
    prompt: str
    calls: tuple[Call, ...]
    attacked: tuple[Call, ...]
    world: Callable[[], Answer]
    tools: tuple[Tool, ...] = ()
    instructions: str = ""
    planted: str = ""
    trusted: tuple[str, ...] = ()


class Ruled(Protocol):
    """What a defence says: a `Decision` of one layer or the `Judged` of a whole guard."""

    @property
    def level(self) -> Level:
        """The worst of what it decided."""

    @property
    def exchange(self) -> Exchange | None:
        """The exchange as revised, None where it stands as it was."""


Defence: TypeAlias = Callable[[Exchange, Context], Ruled]
"""A guard, or a layer's `check`: asked on the way in (no reply yet) and on the way out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One call and what became of it: made as it was recorded or not, by which decision."""

    call: Call
    through: bool
    level: Level = Level.ALLOW
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A replay: the user's steps and the attacker's, and whether the attacker's text was in what a tool answered."""

    recorded: Recorded
    user: tuple[Step, ...]
    attack: tuple[Step, ...]
    delivered: bool

    @property
    def useful(self) -> bool:
        """Every call of the user's was made."""
        return all(step.through for step in self.user)

    @property
    def broken(self) -> bool:
        """Every call the attacker is after was made."""
        return bool(self.attack) and all(step.through for step in self.attack)

    @property
    def answerable(self) -> bool:
        """Every call of the user's was made or waits for a human's yes."""
        return all(step.through or step.level is Level.REVIEW for step in self.user)

    @property
    def grantable(self) -> bool:
        """Every call the attacker is after was made or waits for a yes: what a careless human would let through."""
        return bool(self.attack) and all(step.through or step.level is Level.REVIEW for step in self.attack)

    @property
    def questions(self) -> int:
        """How often a human is asked about the user's own calls."""
        return sum(step.level is Level.REVIEW for step in self.user)


def in_turn(stages: Sequence[Stage]) -> Defence:
    """Layers as one defence: each sees what the one before left, and the worst decision counts."""

    def defence(exchange: Exchange, context: Context) -> Decision:
        worst, now = ALLOWED, exchange
        for stage in stages:
            decision = stage.check(now, context)
            now = decision.exchange or now
            worst = max(worst, decision, key=lambda one: one.level)
        return replace(worst, exchange=now)

    return defence


def behind(guard: Guard) -> Defence:
    """A guard as a defence, with its own words of this conversation in place of the replay's."""

    def defence(exchange: Exchange, context: Context) -> Judged:
        asked, reply = exchange.request, exchange.reply
        return guard.before(asked) if reply is None else guard.after(asked, reply)

    return defence


def open_door(exchange: Exchange, context: Context) -> Decision:
    """No defence at all: what everything else is compared with."""
    return ALLOWED


def replay(recorded: Recorded, defence: Defence) -> Replayed:
    """The user's calls in their order, then the attacker's, each put to the defence as the assistant's next answer.

    A call that is let through is answered by the world, one that is not leaves no trace in the conversation but the
    defence's own words. It tells what a defence lets happen once a model obeys; not how often one does.
    """
    world, context = recorded.world(), Context(trusted=recorded.trusted)
    opening = (Message(role=Role.SYSTEM, text=recorded.instructions),) if recorded.instructions else ()
    messages = [*opening, Message(role=Role.USER, text=recorded.prompt)]
    steps = []
    for number, call in enumerate((*recorded.calls, *recorded.attacked)):
        asked = Request(messages=tuple(messages), tools=recorded.tools)
        step, said = _step(asked, replace(call, id=f"call {number}"), defence, context)
        steps.append(step)
        messages.append(said)
        if step.through:
            messages.append(Message(role=Role.TOOL, text=world(call), answers=step.call.id))
    heard = "\n".join(message.text for message in messages if message.role is Role.TOOL)
    split = len(recorded.calls)
    return Replayed(
        recorded=recorded,
        user=tuple(steps[:split]),
        attack=tuple(steps[split:]),
        delivered=bool(recorded.planted) and _flat(recorded.planted) in _flat(heard),
    )


def _step(asked: Request, call: Call, defence: Defence, context: Context) -> tuple[Step, Message]:
    """What the defence makes of the question and of this call as the answer to it."""
    before = defence(Exchange(request=asked), context)
    if before.level >= Level.REVIEW:
        return _refused(call, before), Message(role=Role.ASSISTANT)
    ruled = defence(Exchange(request=asked, reply=Reply(calls=(call,))), context)
    reply = ruled.exchange.reply if ruled.exchange and ruled.exchange.reply else Reply(calls=(call,))
    if ruled.level >= Level.REVIEW or call not in reply.calls:
        return _refused(call, ruled), Message(role=Role.ASSISTANT, text=reply.text)
    return Step(call=call, through=True, level=ruled.level), reply.message


def _refused(call: Call, ruled: Ruled) -> Step:
    reasons = [one.reason for one in getattr(ruled, "decisions", ())] or [getattr(ruled, "reason", "")]
    return Step(call=call, through=False, level=ruled.level, reason="; ".join(reasons))


def _flat(text: str) -> str:
    """A text without what a document format adds when it writes it: spaces, quotes, escapes."""
    return "".join(sign for sign in text if sign.isalnum())
