"""The search as a run does it: edges of every field, mixtures, company, order and callers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.fuzz._campaign import Effort, search
from temper.fuzz._oracle import Subject
from temper.fuzz._search import Searched


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """Values at the edge of the Schema, alone and together, against nine laws: never fails, in time, in range, refuses
    what is invalid, accepts what is valid, the same answer again, in other words, in a batch, and to its own caller.

    Misleads where the schema is wider than what is ever sent (defects nobody meets), or has no bounds (nothing is
    invalid, so nothing must be refused). No defect in n cases says that at most 3/n of such cases show one, and nothing
    of others. `cases` 0 and `draws` None take the suite's; `strict` demands that what is outside of the schema is
    refused.

    Source: MacIver et al., "Hypothesis: a new approach to property-based testing", 2019; Zeller & Hildebrandt,
    "Simplifying and isolating failure-inducing input", 2002.

    >>> Edges(strict=True)
    Edges(cases=0, seconds=120.0, draws=None, deadline=5.0, strict=True)
    """

    cases: int = 0
    seconds: float = 120.0
    draws: bool | None = None
    deadline: float = 5.0
    strict: bool = False

    def search(self, subject: Subject, schema: Schema, x: Any, rng: Draws) -> Searched:
        """Everything that is tried of one subject, from recorded rows `x`."""
        effort = Effort(cases=self.cases or 3_000, seconds=self.seconds, draws=self.draws is not False)
        return search(subject, schema, x, effort, rng)


PLUGIN = Edges
