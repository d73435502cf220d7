"""The threat model of one system as people read it: concerns on a picture of flows, what was left out, what is open."""

from __future__ import annotations

from dataclasses import dataclass

from temper.core.description import Flow


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """A box of the picture: an actor, an interface, a process or a store, inside a trust boundary."""

    name: str
    kind: str
    boundary: str
    told: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One threat of the catalogue inside a concern, and the plugins that try it."""

    threat: str
    title: str
    plugins: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A control against a concern: whether it is in place, how that is known, and what it is called elsewhere."""

    name: str
    title: str
    placed: bool
    known: str = ""
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """Scenarios that one person would decide about together: the ways of one family of threats, by one actor where his
    own budget decides, else by all who could. `actors` are names with what they know, `flows` positions of the flows it
    travels, `because` the answers that raised it, in words, `maturity` how far the world has seen it. `alike` are other
    actors with the same budgets: what was tried as one of them was tried as this one.
    """

    id: str
    title: str
    rating: str
    harm: str
    actors: tuple[str, ...] = ()
    ways: tuple[Way, ...] = ()
    because: tuple[str, ...] = ()
    answers: tuple[Answer, ...] = ()
    flows: tuple[int, ...] = ()
    references: tuple[str, ...] = ()
    maturity: str = ""
    alike: tuple[str, ...] = ()

    @property
    def plugins(self) -> tuple[str, ...]:
        """Everything that tries it, each once."""
        return tuple(dict.fromkeys(name for way in self.ways for name in way.plugins))


@dataclass(frozen=True, slots=True, kw_only=True)
class Without:
    """Threats that one answer leaves out: in words, and as the `answer` to change if that is wrong."""

    why: str
    answer: str
    threats: tuple[str, ...]
    titles: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """An answer that nobody has given: what is assumed, and per other answer which threats would appear and go."""

    at: str
    asks: str
    assumed: str
    changes: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreatModel:
    """Everything `temper threats` says of a system. `digest` is of the description it follows from."""

    system: str
    purpose: str = ""
    harmed: str = ""
    concerns: tuple[Concern, ...] = ()
    scenarios: int = 0
    without: tuple[Without, ...] = ()
    questions: tuple[Question, ...] = ()
    boundaries: tuple[str, ...] = ()
    elements: tuple[Element, ...] = ()
    flows: tuple[Flow, ...] = ()
    digest: str = ""
    reviewed: str = ""
