"""A broken requirement or a concrete weakness, with a reproduction and the defences that address it."""

from __future__ import annotations

from dataclasses import dataclass

from temper.core.schema import Change

_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One decoded row: what changed, how the score moved, what it cost. `sample` is the stable sample id.

    `picture` is a PNG in base64 for inputs that are pictures: clean, changed, difference.
    """

    sample: int
    changes: tuple[Change, ...]
    score_before: float
    score_after: float
    queries: int
    cost: float
    picture: str = ""

    def __str__(self) -> str:
        moved = ", ".join(str(change) for change in self.changes if not change.derived)
        return (
            f"row {self.sample}: {moved}, score {self.score_before:.2f} -> {self.score_after:.2f}, "
            f"{self.queries} queries, cost {self.cost:.1f}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`id` is stable for the same weakness of the same model; `task` is the key of the task that shows it.

    `rows` are the sample numbers of the training rows it speaks against, `transcript` the conversation that shows it:
    who said what, in order ("call" is a tool call).
    """

    id: str
    title: str
    plugin: str
    metric: str
    severity: str
    scenario: str = ""
    detail: str = ""
    examples: tuple[Example, ...] = ()
    task: str = ""
    defences: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    line: int = 0
    rows: tuple[int, ...] = ()
    transcript: tuple[tuple[str, str], ...] = ()

    @property
    def accuses(self) -> str:
        """The training rows it speaks against, as a person reads them; the JSON report names them all."""
        if not self.rows:
            return ""
        shown = ", ".join(str(row) for row in self.rows[:_SHOWN])
        rest = f" and {len(self.rows) - _SHOWN:,} more (all of them in the JSON report)" * (len(self.rows) > _SHOWN)
        return f"{len(self.rows):,} training rows: {shown}{rest}"

    @property
    def reproduce(self) -> str:
        """The command that shows it again."""
        return f"temper replay {self.id}"
