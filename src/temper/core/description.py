"""What a temper.yaml says of the system around the model: assets, interfaces, trust boundaries, flows, controls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

INPUT, LABELS, TRAINING_DATA, MODEL, STORE, DEPENDENCIES = (
    "input",
    "labels",
    "training data",
    "model",
    "model store",
    "dependencies",
)
"""Assets that every model has, whether anybody writes them down or not."""

TRAINING = "training"
"""The process that makes the model from the training data."""

ASSETS = (INPUT, LABELS, TRAINING_DATA, MODEL, STORE, DEPENDENCIES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """Something of value, or something others build on; `personal` where it speaks of people."""

    name: str
    personal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """Where the system is asked: what it `returns` (label, score, explanation, text), and if outsiders reach it."""

    name: str
    returns: tuple[str, ...] = ()
    public: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundary:
    """A line between those who trust each other and everybody else, by the elements that lie inside."""

    name: str
    holds: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Something that goes from one element to another. `carries` is what threats know it by, `told` more about it;
    `known` says that somebody wrote it down, else it follows from the other answers.
    """

    source: str
    to: str
    carries: str
    told: str = ""
    known: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """Something that is done against threats, by a name of Temper's or of one's own; then `answers` says against which
    families of threats.
    """

    name: str
    on: str = ""
    answers: tuple[str, ...] = ()
    note: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """The written part of the picture; whatever is missing is inferred from the rest of temper.yaml.

    `answered` holds every answer that says something by its dotted path, `digest` what was said of the system (its
    model and data apart), `reviewed` the day (YYYY-MM-DD) on which somebody last read it against the system.
    """

    assets: tuple[Asset, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    boundaries: tuple[Boundary, ...] = ()
    flows: tuple[Flow, ...] = ()
    controls: tuple[Control, ...] = ()
    answered: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""
    reviewed: str = ""
