"""Strategies, each of which breaks one law of injection; `Honest` breaks none."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from temper.attacks.injection._budget import within
from temper.attacks.injection._built import ways
from temper.core.chat import Message, Request, Role
from temper.core.injection import Ground, Injection, Play
from temper.core.seed import Draws
from temper.testing import injection

CALLS = itertools.count()
ASKS = Request(messages=(Message(role=Role.USER, text="Write something."),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Honest:
    """One random way in per goal, as often as it may."""

    needs_attacker: ClassVar[bool] = False

    def run(self, ground: Ground, rng: Draws) -> Play:
        return within(self._search(ground, rng.generator()), ground.attempts)

    def _search(self, ground: Ground, gen: Any) -> Play:
        at = 0
        while ground.goals:
            yield (_drawn(ground, at, gen),)
            at += 1


def _drawn(ground: Ground, at: int, gen: Any) -> Injection:
    goal = ground.goals[at % len(ground.goals)]
    found = ways(ground, goal)
    carrier, task = found[int(gen.integers(len(found)))]
    return Injection(goal=goal.id, carrier=carrier, task=task)


def _changed(work: Play, change: Any) -> Play:
    """The batches of another strategy, each injection changed."""
    sent: Any = None
    while True:
        try:
            batch = work.send(sent)
        except StopIteration:
            return
        sent = yield tuple(map(change, batch))


class Greedy(Honest):
    """Tries one more than it may."""

    def run(self, ground: Ground, rng: Draws) -> Play:
        yield from Honest.run(self, replace(ground, attempts=ground.attempts + 1), rng)


class AllAtOnce(Honest):
    """Looks at its budget between batches only."""

    def run(self, ground: Ground, rng: Draws) -> Play:
        gen = rng.generator()
        for _ in range(min(1, ground.attempts)):
            yield tuple(_drawn(ground, at, gen) for at in range(16))


class Stubborn(Honest):
    """Asks its attacker until it writes what it wants."""

    needs_attacker: ClassVar[bool] = True

    def run(self, ground: Ground, rng: Draws) -> Play:
        while True:
            replies = yield (ASKS,)
            if replies[0].text.startswith("{"):
                break
        yield from Honest.run(self, ground, rng)


class Idle(Honest):
    """Yields empty batches while it thinks."""

    def run(self, ground: Ground, rng: Draws) -> Play:
        yield ()
        yield from Honest.run(self, ground, rng)


class Moody(Honest):
    """Draws from something that is not its seed."""

    def run(self, ground: Ground, rng: Draws) -> Play:
        yield from Honest.run(self, ground, Draws(next(CALLS), "moody"))


class Deaf(Honest):
    """Draws the same whatever the seed."""

    def run(self, ground: Ground, rng: Draws) -> Play:
        yield from Honest.run(self, ground, Draws(0, "deaf"))


class Roams(Honest):
    """Uses a wrapper nobody has offered."""

    def run(self, ground: Ground, rng: Draws) -> Play:
        yield from _changed(Honest.run(self, ground, rng), lambda one: replace(one, wrapper="important"))


class Trespasses(Honest):
    """Comes in where nothing is read."""

    def run(self, ground: Ground, rng: Draws) -> Play:
        yield from _changed(Honest.run(self, ground, rng), lambda one: replace(one, carrier="bare", task="nowhere"))


class Ventriloquist(Honest):
    """Lets an outsider speak as the user."""

    def run(self, ground: Ground, rng: Draws) -> Play:
        yield from _changed(Honest.run(self, ground, rng), lambda one: replace(one, turns=("Hello",)))


class Twins(Honest):
    """Tries the benign twin."""

    def run(self, ground: Ground, rng: Draws) -> Play:
        yield from _changed(Honest.run(self, ground, rng), lambda one: replace(one, benign=True))


class Inventive(Honest):
    """Has a goal where none was set."""

    def run(self, ground: Ground, rng: Draws) -> Play:
        if ground.goals or not ground.attempts:
            yield from Honest.run(self, ground, rng)
        else:
            yield (Injection(goal="payment", carrier="bare", task="inbox"),)


class Impressed(Honest):
    """Cannot stop after an answer that it does not understand."""

    def run(self, ground: Ground, rng: Draws) -> Play:
        gen = rng.generator()
        for at in range(ground.attempts if ground.goals else 0):
            (shown,) = yield (_drawn(ground, at, gen),)
            if any("\ud800" in reply for reply in shown.replies):
                yield from self._more(ground, gen)

    def _more(self, ground: Ground, gen: Any) -> Iterator[Any]:
        while True:
            yield (_drawn(ground, 0, gen),)


class Clairvoyant(Honest):
    """Knows the secret beforehand."""

    def run(self, ground: Ground, rng: Draws) -> Play:
        yield from _changed(Honest.run(self, ground, rng), lambda one: replace(one, suffix=injection.TOKENS.canary))


class Forgetful(Honest):
    """Tries what it has tried before."""

    def run(self, ground: Ground, rng: Draws) -> Play:
        gen = rng.generator()
        for at in range(ground.attempts if ground.goals else 0):
            yield (_drawn(ground, at, gen),)


class Secretive(Honest):
    """Asks an attacker model without saying that it needs one."""

    def run(self, ground: Ground, rng: Draws) -> Play:
        yield (ASKS,)
        yield from Honest.run(self, ground, rng)


class MakesUp(Honest):
    """Tries something of its own where its attacker is silent."""

    needs_attacker: ClassVar[bool] = True

    def run(self, ground: Ground, rng: Draws) -> Play:
        yield (ASKS,)
        yield from Honest.run(self, ground, rng)


class Undeclared(Honest):
    """Does not say whether it needs an attacker model."""

    needs_attacker: ClassVar[Any] = None


class Lazy(Honest):
    """Tries nothing."""

    def run(self, ground: Ground, rng: Draws) -> Play:
        yield from ()


INNOCENT = Honest
BITES = {
    injection.law_keeps_its_budget: (Greedy, AllAtOnce, Idle),
    injection.law_comes_to_an_end: (Stubborn,),
    injection.law_same_seed_tries_the_same: (Moody,),
    injection.law_other_seed_tries_others: (Deaf,),
    injection.law_stays_on_its_ground: (Roams, Trespasses, Ventriloquist, Twins),
    injection.law_copes_with_little: (Inventive,),
    injection.law_copes_with_hostile_text: (Impressed,),
    injection.law_what_it_tries_can_be_built: (Clairvoyant,),
    injection.law_asks_nobody_it_does_not_need: (Secretive, MakesUp, Undeclared),
    injection.law_tries_nothing_twice: (Forgetful,),
    injection.law_finds_what_gives_way: (Lazy,),
}
