"""What must hold between a model's answers to a row and to its changed copy."""

from __future__ import annotations

from dataclasses import dataclass

from temper.core.errors import TemperError

KINDS = ("rises", "falls", "invariant", "order")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metamorphic:
    """A relation that the user declares; nobody needs to know the true answer to test it.

    "rises" ("falls"): the score of class 1, or the value, does not fall (rise) when the column is larger. "invariant":
    it does not move when the columns hold what they hold in other rows, or the other of two `values`. "order": a row's
    score does not depend on the rows it is asked with. `tolerance` is the movement of the score that does not count.

    >>> Metamorphic(kind="rises", columns=("amount",)).text
    'rises with amount'
    """

    kind: str
    columns: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    tolerance: float = 1e-6

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise TemperError(f"relation {self.kind!r} is unknown", fix=f"use {', '.join(KINDS)}")
        if self.tolerance < 0:
            raise TemperError("a tolerance is not negative")
        wanted = {"order": 0, "rises": 1, "falls": 1}.get(self.kind)
        if (wanted is None and not self.columns) or (wanted is not None and len(self.columns) != wanted):
            raise TemperError(f"a relation {self.kind!r} names {wanted if wanted is not None else 'some'} columns")
        if self.values and (self.kind != "invariant" or len(self.columns) != 1 or len(self.values) != 2):
            raise TemperError("`values` are the two that are swapped in one column of an invariant relation")

    @property
    def text(self) -> str:
        """The relation in a few words; the slice of its figures."""
        if self.kind == "order":
            return "same in any order of rows"
        named = " and ".join(self.columns)
        if self.kind == "invariant":
            return (
                f"same for {self.values[0]} and {self.values[1]} in {named}" if self.values else f"same for any {named}"
            )
        return f"{self.kind} with {named}"
