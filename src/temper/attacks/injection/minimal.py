"""What can be taken away from an attack that works, until nothing can."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from temper.attacks.injection._budget import within
from temper.attacks.injection._built import ways
from temper.attacks.injection._catalogue import wrappers
from temper.attacks.injection._ladder import share
from temper.attacks.injection._size import size
from temper.core.injection import Goal, Ground, Injection, Play
from temper.core.seed import Draws
from temper.core.target import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class Minimal:
    """Delta debugging from each of `ground.known`: the wrapper, codes, suffix, turns, the carrier's dress and runs of
    words are taken away one after the other; what still works at `keeps` of its first rate is gone on from.

    It ends where nothing more can go, or with the budget; the smallest that worked is among what it tried. A strategy
    without anything known tries nothing. Misleads where the trials per injection are few: what is lost
    with a part may hide in luck, step after step, so give it five trials or more and confirm what is left.
    Source: Zeller & Hildebrandt, "Simplifying and isolating failure-inducing input", 2002.

    >>> Minimal(keeps=1.0)
    Minimal(batch=16, keeps=1.0)
    """

    needs: ClassVar[Access] = Access.CHAT
    needs_attacker: ClassVar[bool] = False
    batch: int = 16
    keeps: float = 0.8

    def run(self, ground: Ground, rng: Draws) -> Play:
        """The attack itself, then its reductions, the largest cuts first."""
        return within(self._search(ground), ground.attempts)

    def _search(self, ground: Ground) -> Play:
        goals = {goal.id: goal for goal in ground.goals}
        for start in ground.known:
            if start.goal in goals:
                yield from self._reduced(start, goals[start.goal], ground)

    def _reduced(self, start: Injection, goal: Goal, ground: Ground) -> Play:
        """Work on one attack: after every success the reductions of what is left, until none works."""
        (seen,) = yield (start,)
        wanted, tried = self.keeps * share(seen), {start}
        todo = list(_smaller(start, goal, ground)) if wanted > 0 else []
        while todo:
            now, todo = tuple(todo[: self.batch]), todo[self.batch :]
            tried |= {*now}
            working = [one for one in (yield now) if one.hits and share(one) >= wanted]
            if working:  # the surest first: of many that work now and then, the smallest is mostly a lucky one
                best = max(working, key=lambda one: (share(one), -size(one.injection, goal))).injection
                todo = [one for one in _smaller(best, goal, ground) if one not in tried]


def _smaller(one: Injection, goal: Goal, ground: Ground) -> Iterator[Injection]:
    """Everything that is one part smaller, whole parts before pieces of the text. Without codes the wrapper's words are
    as good as the order's, and go the same way.
    """
    plain = "plain" if "plain" in ground.wrappers else one.wrapper
    cuts = [replace(one, wrapper=plain), replace(one, codecs=()), replace(one, suffix=""), replace(one, turns=())]
    if one.carrier and ("bare", one.task) in ways(ground, goal):
        cuts.append(replace(one, carrier="bare", position="end"))
    cuts += [replace(one, codecs=one.codecs[:at] + one.codecs[at + 1 :]) for at in range(len(one.codecs))]
    cuts += [replace(one, turns=one.turns[:at] + one.turns[at + 1 :]) for at in range(len(one.turns))]
    cuts += [replace(one, suffix=text) for text in _shorter(one.suffix)]
    cuts += [replace(one, words=text) for text in _shorter(one.words or goal.asks) if text]
    if plain == "plain" and one.wrapper != plain and not (one.codecs or one.suffix):
        whole = wrappers()[one.wrapper].around(one.words or goal.asks)
        cuts += [replace(one, wrapper=plain, words=text) for text in _shorter(whole) if text]
    yield from dict.fromkeys(cut for cut in cuts if cut != one)


def _shorter(text: str) -> Iterator[str]:
    """The text without each half of its words, each quarter, and so on down to single words."""
    words = re.findall(r"\S+\s*", text)
    run = len(words) // 2
    while run:
        for at in range(0, len(words), run):
            yield "".join(words[:at] + words[at + run :]).strip()
        run //= 2


PLUGIN = Minimal
