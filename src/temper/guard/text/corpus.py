"""A corpus made of templates: attacks in many wordings, benign texts that look like them, Python's pages. SIMULATED.

It stands in for data that cannot be shipped. Figures for a model fitted on it are figures for other people's texts only
where they were measured on such (`bench/guard/text.py`); fitting on one's own traffic (`model.train`) is better.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from temper.config.document import Section
from temper.config.reading import read
from temper.core.seed import Draws

SHIPPED = Path(__file__).with_name("corpus.yaml")
Slots: TypeAlias = Mapping[str, Sequence[str]]
_SLOT = re.compile(r"\{\{|\}\}|\{(\w+)\}")
_SIZES = (500, 3_000)
_IN_CARRIER = ("override", "machine", "carried", "forgery", "coded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One text, whether it is an attack, and its group: the family of an attack, the template of a benign text."""

    text: str
    attack: bool
    group: str


def corpus(*, attacks: int = 24, benign: int = 30, seed: int = 0) -> list[Written]:
    """Each template filled in this many times, indirect attacks also inside a carrier that is benign without them.

    >>> made = corpus(attacks=2, benign=2)
    >>> made == corpus(attacks=2, benign=2), sum(one.attack for one in made) > 100
    (True, True)
    """
    document = read(SHIPPED).only("slots", "attacks", "benign", "documents", "carriers")
    slots = {name: document.section("slots").texts(name) for name in document.section("slots").entries}
    draws = _Draws(seed)
    made = [*_attacks(document, slots, attacks, draws), *_benign(document, slots, benign, draws)]
    return list({one.text: one for one in [*made, *_background()]}.values())


def _background() -> Iterator[Written]:
    """Plain technical English that lies on every machine: the reference pages that come with Python, short and long."""
    from pydoc_data.topics import topics

    for name, page in topics.items():
        for size in _SIZES:
            for at in range(0, len(page), size):
                yield Written(text=page[at : at + size], attack=False, group=f"python {name}")


def _attacks(document: Section, slots: Slots, times: int, draws: _Draws) -> Iterator[Written]:
    for family in document.section("attacks").entries:
        for template in document.section("attacks").texts(family):
            for text in _filled(template, slots, times, draws):
                yield Written(text=text, attack=True, group=family)
                if family in _IN_CARRIER:
                    yield Written(text=_carried(document, slots, text, draws), attack=True, group=family)


def _benign(document: Section, slots: Slots, times: int, draws: _Draws) -> Iterator[Written]:
    lines = []
    for template in document.texts("benign"):
        for text in _filled(template, slots, times, draws):
            lines.append(text)
            yield Written(text=text, attack=False, group=template)
            yield Written(text=_carried(document, slots, text, draws), attack=False, group=template)
    for template in document.texts("documents"):
        for text in _filled(template, {**slots, "line": lines}, 2 * times, draws):
            yield Written(text=text, attack=False, group=template)


def _carried(document: Section, slots: Slots, text: str, draws: _Draws) -> str:
    return _fill(draws.one(document.texts("carriers")), {**slots, "text": (text,)}, draws)


class _Draws:
    """Choices in order from one seed."""

    def __init__(self, seed: int) -> None:
        self._generator = Draws(seed, "guard.corpus").generator()

    def one(self, choices: Sequence[str]) -> str:
        return choices[int(self._generator.integers(len(choices)))]


def _filled(template: str, slots: Slots, times: int, draws: _Draws) -> Iterator[str]:
    yield from (_fill(template, slots, draws) for _ in range(times))


def _fill(template: str, slots: Slots, draws: _Draws) -> str:
    """The template with a choice for each slot; doubled braces are braces, and a sentence begins with a capital."""

    def choose(found: re.Match[str]) -> str:
        return draws.one(slots[found[1]]) if found[1] else found[0][0]

    text = _SLOT.sub(choose, template)
    return text[:1].upper() + text[1:]
