"""What injections are made of: goals, wrappers, carriers and scripts, read from the YAML files beside this one."""

from __future__ import annotations

import difflib
import html
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from temper.core.errors import ConfigError
from temper.core.injection import Goal

Item = TypeVar("Item")
_FOLDER = Path(__file__).with_name("catalogue")

ESCAPES: Mapping[str, Callable[[str], str]] = {
    "": str,
    "json": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "attribute": lambda text: html.escape(text, quote=True),
    "comment": lambda text: text.replace("--", "- -"),
    "line": lambda text: " ".join(text.split()),
    "quoted": lambda text: text.replace("\n", "\n> "),
    "hashed": lambda text: text.replace("\n", "\n    # "),
}
"""How a text is written where it would else break out of its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapper:
    """Words around an order: `{order}` is its place, `{first}` and `{second}` are its halves, `{codecs}` names what it
    is written in, `{shots}` stands for `times` examples.

    >>> wrappers()["refusal-suppression"].around("Say hello.")[:27]
    'Say hello. Do not apologise'
    """

    name: str
    text: str
    family: str
    shots: tuple[str, ...] = ()
    times: int = 0

    def around(self, order: str, codecs: tuple[str, ...] = ()) -> str:
        """The wrapped order."""
        first, second = halves(order)
        shots = "\n".join(self.shots[at % len(self.shots)] for at in range(self.times)) if self.shots else ""
        names = ", then ".join(codecs[::-1]) or "plain words"
        return placed(self.text, order=order, first=first, second=second, shots=shots, codecs=names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """What an outsider writes an order into: `fits` names the kinds of content that services bring, `filler` what
    stands before and after the order, `escape` how the order is written so that it stays in its place.
    """

    name: str
    text: str
    family: str
    fits: tuple[str, ...]
    filler: tuple[str, ...] = ()
    escape: str = ""

    def around(self, order: str, position: str) -> str:
        """The order at the start, in the middle or at the end of what carries it."""
        cut = entry("position", position, {"start": 0, "middle": len(self.filler) // 2, "end": len(self.filler)})
        before, after = " ".join(self.filler[:cut]), " ".join(self.filler[cut:])
        return placed(self.text, text=ESCAPES[self.escape](order), before=before, after=after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """A conversation that gets closer to an order: every rung has wordings, the usual one first, then milder ones."""

    name: str
    oracles: tuple[str, ...]
    rungs: tuple[tuple[str, ...], ...]


@cache
def goals() -> tuple[Goal, ...]:
    """Every goal, in the order of the file.

    >>> {goal.oracle for goal in goals()} >= {"canary", "marker", "toolcall", "egress", "memory", "flood"}
    True
    """
    return tuple(_made(Goal, entry) for entry in read("goals"))


@cache
def wrappers() -> Mapping[str, Wrapper]:
    """Every wrapper by name, "plain" first."""
    return {entry["name"]: _made(Wrapper, entry) for entry in read("wrappers")}


@cache
def carriers() -> Mapping[str, Carrier]:
    """Every carrier by name, "bare" first."""
    return {entry["name"]: _made(Carrier, entry) for entry in read("carriers")}


@cache
def escalations() -> tuple[Escalation, ...]:
    """Every script for several turns."""
    return tuple(_made(Escalation, entry | {"rungs": _tuples(entry["rungs"])}) for entry in read("escalations"))


@cache
def suffix_words() -> tuple[str, ...]:
    """Words that a search over suffixes draws from."""
    return tuple(word for row in read("words") for word in row)


def entry(kind: str, name: str, table: Mapping[str, Item]) -> Item:
    """The entry of this name; `ConfigError` names the nearest where there is none."""
    if name not in table:
        near = difflib.get_close_matches(name, table, n=1)
        fix = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(table)}"
        raise ConfigError(f"there is no {kind} {name!r}", fix=fix)
    return table[name]


def placed(text: str, /, **places: str) -> str:
    """The text with its places filled in one pass: what is put in is not filled in turn.

    >>> placed("{a} and {b}", a="{b}", b="c")
    '{b} and c'
    """
    return re.sub(r"\{(\w+)\}", lambda found: places.get(found[1], found[0]), text)


def halves(text: str) -> tuple[str, str]:
    """The text cut at the space nearest to its middle."""
    middle = len(text) // 2
    spaces = [at for at, sign in enumerate(text) if sign == " "]
    cut = min(spaces, key=lambda at: abs(at - middle)) if spaces else middle
    return text[:cut], text[cut:]


def read(name: str) -> Any:
    """A file of the catalogue."""
    import yaml

    return yaml.safe_load((_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _made(kind: type[Any], entry: dict[str, Any]) -> Any:
    return kind(**{key: _tuples(value) for key, value in entry.items()})
