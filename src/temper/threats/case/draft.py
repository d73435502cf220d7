"""A case while it is built: nodes get their ids in the order in which they come, each thing one node however often it
is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from temper.core.assurance import LETTERS, Cited, Defeater, Doubt, Kind, Node


@dataclass(slots=True)
class Draft:
    """The nodes so far, by what they are about."""

    nodes: dict[tuple[Kind, str], Node] = field(default_factory=dict)

    def add(
        self,
        kind: Kind,
        text: str,
        *,
        key: str = "",
        cited: Sequence[Cited] = (),
        defeaters: Sequence[Defeater] = (),
    ) -> str:
        """The id of the node about `key` (its text where that tells it apart), made where there is none yet."""
        name = (kind, key or text)
        if name not in self.nodes:
            number = 1 + sum(one is kind for one, _ in self.nodes)
            self.nodes[name] = Node(
                id=f"{LETTERS[kind]}{number}", kind=kind, text=text, cited=tuple(cited), defeaters=tuple(defeaters)
            )
        return self.nodes[name].id

    def goal(self, text: str, *, key: str = "", defeaters: Sequence[Defeater] = ()) -> str:
        """A claim; what supports it is joined to it later."""
        return self.add(Kind.GOAL, text, key=key, defeaters=defeaters)

    def solution(
        self, text: str, cited: Sequence[Cited | None], defeaters: Sequence[Defeater], *, key: str = ""
    ) -> str:
        """A leaf. Where a piece of its evidence is not in the ledger, or the ledger does not hold, that is one more
        defeater, and nothing is cited.
        """
        there = [one for one in cited if one is not None]
        if len(there) == len(cited) and there:
            return self.add(Kind.SOLUTION, text, key=key, cited=there, defeaters=defeaters)
        missing = Defeater(
            doubt=Doubt.UNTOLD,
            text="the ledger holds no evidence of it that verifies",
            step="temper ledger verify; then assess again",
        )
        return self.add(Kind.SOLUTION, text, key=key, defeaters=(*defeaters, missing))

    def join(self, id: str, under: Sequence[str] = (), beside: Sequence[str] = ()) -> None:
        """Say what supports a node, and what stands beside it."""
        name, node = next((name, one) for name, one in self.nodes.items() if one.id == id)
        ids = tuple(dict.fromkeys((*node.under, *under))), tuple(dict.fromkeys((*node.beside, *beside)))
        self.nodes[name] = replace(node, under=ids[0], beside=ids[1])
