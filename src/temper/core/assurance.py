"""An assurance case: what is claimed of a system, by which argument, on what evidence, and what speaks against it.

The words are those of the GSN Community Standard, version 3 (goal, strategy, solution, context, assumption,
justification, undeveloped), and of Assurance 2.0 (defeater).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property


class Kind(StrEnum):
    """What a node is. Goals are claimed, strategies say how they are argued, solutions cite evidence; the other three
    say what it is claimed of, what nobody has shown, and why it is argued so.
    """

    GOAL = "goal"
    STRATEGY = "strategy"
    SOLUTION = "solution"
    CONTEXT = "context"
    ASSUMPTION = "assumption"
    JUSTIFICATION = "justification"


LETTERS = {
    Kind.GOAL: "G",
    Kind.STRATEGY: "S",
    Kind.SOLUTION: "Sn",
    Kind.CONTEXT: "C",
    Kind.ASSUMPTION: "A",
    Kind.JUSTIFICATION: "J",
}
"""How the id of a node begins."""


class Doubt(StrEnum):
    """What kind of defeater it is, in the order in which they are dealt with."""

    TAMPERED = "tampered"
    UNTOLD = "not in the ledger"
    UNSIGNED = "unsigned"
    FAILING = "failing"
    EXPIRED = "expired"
    INCIDENT = "incident"
    STALE = "stale"
    UNTESTED = "untested"
    INCONCLUSIVE = "inconclusive"
    UNANSWERED = "unanswered"
    UNAPPROVED = "unapproved"
    SIMULATED = "simulated"


class State(StrEnum):
    """SUPPORTED: every leaf below cites evidence, and nothing speaks against it. DEFEATED: something does.
    UNDEVELOPED: nothing speaks against it, and something below has no evidence.
    """

    SUPPORTED = "supported"
    DEFEATED = "open defeaters"
    UNDEVELOPED = "undeveloped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Defeater:
    """What speaks against a node, and the `step` that would settle it. `accepted` names who bears it and until when:
    then it is shown and stops nothing.
    """

    doubt: Doubt
    text: str
    step: str = ""
    accepted: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cited:
    """A piece of evidence: what it is, the digest the ledger was told, and the number of that record."""

    what: str
    digest: str
    record: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One element of the case. `beside` are its contexts, assumptions and justifications, `under` what supports it, by
    their ids.
    """

    id: str
    kind: Kind
    text: str
    beside: tuple[str, ...] = ()
    under: tuple[str, ...] = ()
    cited: tuple[Cited, ...] = ()
    defeaters: tuple[Defeater, ...] = ()

    @property
    def open(self) -> tuple[Defeater, ...]:
        """Its own defeaters that nobody bears."""
        return tuple(one for one in self.defeaters if not one.accepted)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A case over one run; the first node is what is claimed of the whole. `uncovered` says what nothing here speaks
    of. `ledger` is the root of the ledger it was read from, `made` when that was.
    """

    system: str
    run: str
    made: str
    ledger: str
    nodes: tuple[Node, ...]
    uncovered: tuple[str, ...] = ()

    @cached_property
    def by_id(self) -> dict[str, Node]:
        """Every node by its id."""
        return {node.id: node for node in self.nodes}

    @property
    def top(self) -> Node:
        """What is claimed of the whole."""
        return self.nodes[0]

    @cached_property
    def _states(self) -> dict[str, State]:
        found: dict[str, State] = {}

        def settle(id: str) -> State:
            if id not in found:
                node = self.by_id[id]
                found[id] = _state(node, [settle(one) for one in node.under], [settle(one) for one in node.beside])
            return found[id]

        for node in self.nodes:
            settle(node.id)
        return found

    def state(self, id: str) -> State:
        """Whether a node is supported, by all that is below and beside it."""
        return self._states[id]

    def goals(self, state: State) -> list[Node]:
        """The goals in this state."""
        return [node for node in self.nodes if node.kind is Kind.GOAL and self.state(node.id) is state]

    def doubts(self) -> Iterator[tuple[Node, Defeater]]:
        """Every open defeater with its node, in the order in which they are dealt with."""
        order = list(Doubt)
        found = [(node, one) for node in self.nodes for one in node.open]
        yield from sorted(found, key=lambda pair: order.index(pair[1].doubt))

    def borne(self) -> list[tuple[Node, Defeater]]:
        """Every defeater that somebody bears."""
        return [(node, one) for node in self.nodes for one in node.defeaters if one.accepted]


def _state(node: Node, below: Sequence[State], beside: Sequence[State]) -> State:
    if node.open or State.DEFEATED in (*below, *beside):
        return State.DEFEATED
    if node.kind in (Kind.CONTEXT, Kind.ASSUMPTION, Kind.JUSTIFICATION):
        return State.SUPPORTED
    grounded = bool(node.cited) if node.kind is Kind.SOLUTION else bool(below)
    return State.UNDEVELOPED if not grounded or State.UNDEVELOPED in below else State.SUPPORTED
