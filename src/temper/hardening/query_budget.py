"""Answer each client so many rows and no more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.seed import Draws
from temper.core.target import Access, ScoreKind, Target
from temper.targets.budgeted import Budgeted


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryBudget:
    """A client is answered `rows` rows in the time the budget is for; answers stay as they are.

    The theft is tried anew by a thief with `clients` identities, each asking all it may, and beside him by one with a
    single identity; the ladder tries budgets up and down the curve of the theft. `volumes` are the rows that honest
    clients asked in that time, one number each: without them nobody can say what a budget costs, and none is taken.
    Misleads where identities are cheaper than `clients` says, where a thief waits until the time starts anew, and where
    nobody enforces it: a model file cannot count who asks, the service that answers must.
    Source: OWASP AISVS C11.5.1, limits "sized to the extraction threat model"; Douceur, "The Sybil attack", 2002.

    >>> QueryBudget(volumes=(12, 40, 900)).rows
    100
    """

    needs: ClassVar[Access] = Access.LABELS
    ladder: ClassVar[tuple[dict[str, Any], ...]] = ({"rows": 10}, {"rows": 30}, {"rows": 300}, {"rows": 1_000})
    rows: int = 100
    clients: int = 10
    volumes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.rows < 1 or self.clients < 1 or any(rows < 0 for rows in self.volumes):
            raise TemperError(
                f"a budget of {self.rows} rows for each of {self.clients} clients, volumes {list(self.volumes)[:5]}",
                fix="rows and clients are at least 1, volumes at least 0",
            )

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """The same model with the budget beside it."""
        if target.kind is ScoreKind.VALUE:
            raise Unsupported(
                "query_budget is judged by copies of classifiers, and this target predicts a value",
                fix="limit its clients where it is served",
            )
        return Budgeted(inner=target, rows=self.rows, clients=self.clients, volumes=self.volumes)


PLUGIN = QueryBudget
