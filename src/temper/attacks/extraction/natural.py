"""A copy of the model, fitted to its answers on natural rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from temper.attacks.extraction._answers import Copies, Copy, answered, ask, checkpoints, held, student
from temper.core.attack import Scene
from temper.core.errors import TemperError, Unsupported
from temper.core.seed import Draws
from temper.core.target import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class Natural:
    """Asks for scores of natural rows the attacker holds, as many as he may ask, and fits trees: a customer base at
    hand, or a leaked extract.

    `known` rows are wished for; the attack ends with the rows there are. Misleads as a threat where nobody outside has
    such rows, and as a bound: rows of his own making reach what natural rows never show.
    Source: Orekondy, Schiele & Fritz, "Knockoff nets: stealing functionality of black-box models", 2019.

    >>> Natural(queries=300).known
    10000
    """

    needs: ClassVar[Access] = Access.LABELS
    queries: int = 1_000
    known: int = 10_000
    bare: bool = False

    def __post_init__(self) -> None:
        if self.queries < 1 or self.known < 2:
            raise TemperError(
                f"natural asks {self.queries} of {self.known} rows", fix="ask one row of two known ones at least"
            )

    def run(self, oracle: Any, scene: Scene, rng: Draws) -> Copies:
        """Copies at every checkpoint. `oracle.scores(x)` charges each row and answers NaN beyond the budget."""
        known = held(scene, made_up=False)
        rows = known[rng.generator(0).permutation(len(known))][: self.queries]
        answers = ask(oracle, scene, rows, bare=self.bare)
        rows, answers = rows[answered(answers)], answers[answered(answers)]
        if not len(rows):
            raise Unsupported("not a single row was answered")
        steps: list[tuple[int, Copy]] = []
        for upto in checkpoints(len(rows)):
            copy = student(scene, rows[:upto], answers[:upto], bare=self.bare, seed=rng.integer(1_000))
            steps.append((upto, copy))
            scene.progress(upto / len(rows))
        return Copies(steps=tuple(steps), x=rows, answers=answers)


PLUGIN = Natural
