"""Strategies at work: all at once, each batch tried in full before its strategy hears of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from temper.core.chat import ChatTarget, Request
from temper.core.errors import TemperError
from temper.core.injection import Ground, Injection, Shown, Strategy
from temper.core.seed import Draws
from temper.engine.redteam.attempts import Attempt, Trying, each, shown


@dataclass(slots=True, kw_only=True, eq=False)
class Playing:
    """Plays strategies against what `trying` reaches, `trials` per injection, `width` conversations of a strategy at a
    time; `enough` may end one after any batch. `attempts` fills as strategies go on, in an order that does not depend
    on which answer came first.
    """

    trying: Trying
    trials: int
    width: int
    attacker: ChatTarget | None = None
    told: Callable[[str, int], None] = lambda name, tried: None
    enough: Callable[[str], bool] = lambda name: False
    attempts: dict[str, list[Attempt]] = field(default_factory=dict)

    async def play(self, name: str, strategy: Strategy, ground: Ground, seed: int) -> None:
        """One strategy to its end, or to the end of its budget."""
        kept = self.attempts.setdefault(name, [])
        going, left, answer = strategy.run(ground, Draws(seed, name)), ground.attempts, None
        try:
            while left > 0:
                batch = next(going) if answer is None else going.send(answer)
                if batch and isinstance(batch[0], Request):
                    answer = await self._consulted(name, batch)
                    continue
                tried = batch[:left]
                answer = await self._tried(name, tried, kept)
                left -= len(tried)
                self.told(name, ground.attempts - left)
                if self.enough(name):
                    return
        except StopIteration:
            return
        finally:
            going.close()

    async def _tried(self, name: str, batch: Sequence[Any], kept: list[Attempt]) -> tuple[Shown, ...]:
        pairs = [(injection, trial) for injection in batch for trial in range(self.trials)]

        async def one(pair: tuple[Injection, int]) -> Attempt:
            return (await self.trying.attempt(name, *pair))[0]

        found = await each(pairs, one, self.width)
        kept += found
        return tuple(shown(found[at : at + self.trials]) for at in range(0, len(found), self.trials))

    async def _consulted(self, name: str, questions: Sequence[Any]) -> tuple[Any, ...]:
        if self.attacker is None:
            raise TemperError(f"{name} needs an attacker model", fix="set attacker: in temper.yaml, or leave it out")
        return tuple(await each(questions, self.attacker.ask, self.width))
