"""Plugins, each of which breaks one law that holds in every room; `Honest` breaks none."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, make_dataclass
from typing import Any

from temper.testing import plugin

CALLS = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Honest:
    """Does nothing, and says so.

    Misleads nobody.
    Source: none.

    >>> Honest().steps
    1
    """

    steps: int = 1


@dataclass(slots=True, kw_only=True)
class Melts:
    """Can be changed."""

    steps: int = 1


@dataclass(frozen=True, slots=True)
class Positional:
    """Takes its options in order."""

    steps: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Demanding:
    """Cannot be made without an option."""

    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """Holds something that cannot leave the process."""

    steps: Any = field(default_factory=lambda: lambda x: x)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgets:
    """Comes back from another process without its option."""

    steps: int = 1

    def __reduce__(self) -> Any:
        return _forgotten, ()


def _forgotten() -> Forgets:
    return Forgets(steps=0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lonely:
    """Is equal to nobody but itself."""

    steps: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Grows:
    """Adds to its option each time it is made."""

    steps: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", self.steps + 1)


def _with(docstring: str | None) -> type[Any]:
    """A plugin with this docstring, made where no collector of examples looks."""
    made = make_dataclass("Made", [("steps", int, 1)], frozen=True, kw_only=True)
    made.__doc__, made.__module__ = docstring, __name__
    return made


SAID = "Does nothing.\n\nMisleads nobody.\nSource: none.\n\n"
INNOCENT = Honest
BITES = {
    plugin.law_is_frozen: (Melts,),
    plugin.law_is_keyword_only: (Positional,),
    plugin.law_has_defaults: (Demanding,),
    plugin.law_is_equal_after_pickle: (Bound, Forgets),
    plugin.law_is_equal_after_replace: (Lonely, Grows),
    plugin.law_survives_dump_and_build: (Grows,),
    plugin.law_explains_itself: tuple(
        _with(text) for text in (None, "Does nothing.", SAID.replace("Misleads", "Warns"), SAID.replace("Source", "By"))
    ),
    plugin.law_its_example_runs: (_with(SAID), _with(SAID + ">>> 1 + 1\n3\n"), _with(SAID + ">>> 1 / 0\n1\n")),
    plugin.law_needs_no_network: (
        _with(SAID + ">>> import socket; socket.create_connection(('192.0.2.1', 9), 1) and None\n"),
        _with(SAID + ">>> import urllib.request\n>>> urllib.request.urlopen('http://temper.invalid') and None\n"),
    ),
}
