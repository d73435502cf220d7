"""The abuse of an assistant's tools: what attackers can do to it, what they see of that, and what counts.

What counts is an effect: a tool of the sandbox that was called, something secret that left. Nobody's words say so, the
assistant's as little as the attackers'.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any, Protocol

from temper.core.campaign import Attacker, Move, Objective
from temper.core.injection import Injection
from temper.core.seed import Draws

USER = "user"
"""The channel of what attackers type in accounts of their own; the others are tools that bring what others wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What attackers see of a conversation. In their own: what was `said`, whether somebody `stopped` it, and whether
    their text came back in it (`echoed`). In a stranger's: nothing but the effect, which is money, mail or a visit that
    reaches them. `answered` is False where nothing came back at all.
    """

    effect: bool = False
    said: str = ""
    stopped: bool = False
    echoed: bool = False
    answered: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An injection that was tried, and what was heard; `own` in a conversation of the attackers' own."""

    injection: Injection
    heard: Heard
    own: bool


class Exposed(Protocol):
    """The attackers' only way to an assistant, in one turn of one technique.

    `kept` is what earlier turns left: by convention `read` (the ids of tasks that bring what others wrote) and
    `dresses` (injections that have worked). It never says that anything succeeded.
    """

    @property
    def objective(self) -> Objective:
        """What this turn is for."""

    @property
    def attacker(self) -> Attacker:
        """Who plays."""

    @property
    def ways(self) -> tuple[Injection, ...]:
        """A bare order for every way in that is in scope: where it would be written, and the harmless task of a
        stranger that would make the assistant read it.
        """

    @property
    def goals(self) -> tuple[str, ...]:
        """What a placed order may be after, for this turn's objective: a dress may be left from another one."""

    @property
    def tried(self) -> tuple[Attempt, ...]:
        """Every injection so far, in any turn."""

    @property
    def left(self) -> int:
        """Questions left in this turn: the turns of users, the attackers' own or strangers'."""

    @property
    def money(self) -> float:
        """Money left for texts that are placed."""

    @property
    def clock(self) -> float:
        """Seconds since the campaign began."""

    @property
    def kept(self) -> MutableMapping[str, Any]:
        """What the attackers have found out or made, by name."""

    def propose(
        self, strategy: str, *, typed: bool = False, coded: bool = False, tasks: tuple[str, ...] = ()
    ) -> Injection | None:
        """The next injection that a strategy of `attacks/injection` would try, which hears what came of those before:
        to be `typed`, else placed; `coded` where codes are what varies, else in plain words; through these tasks alone
        where any are named. None where it has nothing more to try.
        """

    def rehearse(self, injection: Injection) -> Heard:
        """Try it where the attackers' own account reads it, or as they type it: charged a question for each of its
        turns. It counts for nothing, but where an objective says that it does.
        """

    def strike(self, injection: Injection) -> Heard:
        """Place it, for the attacker's price, and let a stranger's task make the assistant read it: charged a question,
        and judged by what it brings about.
        """

    def wait(self, seconds: float) -> None:
        """Let time pass."""

    def say(self, text: str) -> None:
        """A line for the timeline: what was learnt, not what it means for the objective."""


class Ploy(Move, Protocol):
    """A move against an assistant with tools: a frozen keyword-only dataclass in one file of `attacks/abuse`."""

    def play(self, field: Exposed, rng: Draws) -> None:
        """Work within this turn: until nothing is left, or there is nothing more to do."""
